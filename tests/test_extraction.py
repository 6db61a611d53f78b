"""From arcs to interfaces: capacitance, area, frequency, process, and when an arc is not resolved."""

import math

import numpy as np
import pytest

from eis.extraction import INTERFACE, extract, hsu_mansfeld, skewed_peak, time_constant
from eis.spectrum import Cell, Spectrum
from fitting import fit
from tests.truth import FREQUENCY, TwoArcs, noisy

CELL = Cell(area_cm2=1.131, u_area_cm2=0.01, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05)


def arcs_of(truth, noise=1e-3, cell=CELL, seed=0):
    return extract(fit(truth.circuit, truth.spectrum(noise=noise, seed=seed)), cell)


def test_a_circuit_without_arc_gives_no_interface():
    z = 5 + 1 / (1e-3 * (2j * np.pi * FREQUENCY) ** 0.9)
    assert extract(fit("R0-CPE1", Spectrum.of(FREQUENCY, noisy(z, 1e-3, 0))), CELL) == ()


def test_an_arc_above_the_band_is_not_resolved_and_says_why():
    found = arcs_of(TwoArcs(r2=2 * 0.003 / 1.131, f2=5.3e6))
    blurred = [arc for arc in found if not arc.resolved]
    assert len(blurred) == 1
    assert blurred[0].because


def test_an_arc_the_data_do_determine_is_resolved():
    assert all(arc.resolved for arc in arcs_of(TwoArcs()))


def test_capacitance_and_frequency_are_the_published_ones():
    # science: R = 50 ohm, Q = 2e-6, α = 0.85
    assert time_constant(50, 2e-6, 0.85) == pytest.approx(1.968419e-5, rel=1e-6)
    assert 1 / (2 * math.pi * time_constant(50, 2e-6, 0.85)) == pytest.approx(8085.418, rel=1e-6)
    assert hsu_mansfeld(50, 2e-6, 0.85) == pytest.approx(3.936839e-7, rel=1e-6)


def test_asr_is_resistance_times_area_shared_by_the_interfaces_in_the_path():
    interface = arcs_of(TwoArcs(), noise=0)[-1]
    assert interface.asr_ohm_cm2 == pytest.approx(10.0, rel=1e-3)  # 17.683 ohm * 1.131 cm2 / 2
    one = arcs_of(TwoArcs(), noise=0, cell=Cell(area_cm2=1.131, interfaces_in_path=1))[-1]
    assert one.asr_ohm_cm2 == pytest.approx(20.0, rel=1e-3)


def test_the_uncertainty_of_asr_holds_fit_and_area():
    interface = arcs_of(TwoArcs())[-1]
    relative = math.hypot(interface.u_arc_resistance_ohm / interface.arc_resistance_ohm, 0.01 / 1.131)
    assert interface.u_asr_ohm_cm2 / interface.asr_ohm_cm2 == pytest.approx(relative, rel=1e-12)


def test_arcs_come_in_order_of_rising_time_constant_with_their_frequency():
    assert [arc.frequency_hz for arc in arcs_of(TwoArcs(), noise=0)] == pytest.approx([150e3, 1.2e3], rel=1e-3)


def test_a_grain_boundary_and_an_interface_are_told_apart():
    assert [arc.process for arc in arcs_of(TwoArcs())] == ["grain boundary", INTERFACE]


def test_between_blocking_electrodes_nothing_is_called_an_electrode_interface():
    blocking = Cell(area_cm2=1.131, interfaces_in_path=2, kind="blocking", thickness_cm=0.05)
    assert INTERFACE not in [arc.process for arc in arcs_of(TwoArcs(), cell=blocking)]


def test_a_zarc_and_a_cpe_arc_are_the_same_interface():
    truth = TwoArcs()
    by_zarc = extract(fit("L0-R0-Zarc1-Zarc2", truth.spectrum()), CELL)
    by_cpe = arcs_of(truth, noise=0)
    for one, other in zip(by_zarc, by_cpe, strict=True):
        assert one.arc_resistance_ohm == pytest.approx(other.arc_resistance_ohm, rel=1e-5)
        assert one.capacitance_f == pytest.approx(other.capacitance_f, rel=1e-4)


def test_what_was_assumed_is_among_the_evidence():
    found = arcs_of(TwoArcs(), cell=Cell(area_cm2=1.131))
    assert any("thickness not stated" in line for line in found[0].evidence)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.8, 1.0), (1.0, 0.5), (0.9, 0.6), (0.7, 0.3)])
def test_the_frequency_of_a_skewed_arc_is_where_it_peaks(alpha, beta):
    x = np.geomspace(1e-4, 1e4, 400_001)
    top = x[np.argmin((1 / (1 + (1j * x) ** alpha) ** beta).imag)]
    assert 1 / skewed_peak(alpha, beta) == pytest.approx(top, rel=1e-3)


@pytest.mark.parametrize("letter", ["K", "HN", "Zarc"])
def test_an_arc_that_is_one_element_is_an_interface(letter):
    frequency = np.geomspace(1e5, 0.1, 61)
    z = noisy(5 + 20 / (1 + 1j * frequency / 100), 1e-3, 1)
    fitted = fit(f"R0-{letter}1", Spectrum.of(frequency, z))
    (interface,) = extract(fitted, Cell(area_cm2=1.0, interfaces_in_path=1))
    assert interface.arc_resistance_ohm == pytest.approx(20, rel=0.01)
    assert interface.frequency_hz == pytest.approx(100, rel=0.05)
    assert interface.resolved


def test_equal_relaxations_come_in_order_of_time_constant():
    frequency = np.geomspace(1e5, 0.1, 61)
    z = noisy(5 + 20 / (1 + 1j * frequency / 10) + 10 / (1 + 1j * frequency / 3e3), 1e-3, 1)
    fitted = fit("R0-K1-K2", Spectrum.of(frequency, z))
    assert fitted.value("K1_1") < fitted.value("K2_1")
