"""From arcs to interfaces: capacitance, area, frequency, process, and when an arc is not resolved."""

import math
from dataclasses import replace

import numpy as np
import pytest

import eis
from eis.capacitance import brug_faradaic, hsu_mansfeld, skewed_peak, time_constant
from eis.errors import ConfigError
from eis.extraction import AMBIGUOUS, INTERFACE, extract
from eis.spectrum import Cell, Spectrum
from fitting import drt, fit
from tests.real_data import real_file
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


def test_a_word_for_an_arc_that_is_not_there_is_refused():
    fitted = fit(TwoArcs.circuit, TwoArcs().spectrum())
    with pytest.raises(ConfigError, match="There is R1, R2"):
        extract(fitted, CELL, assign={"R5": INTERFACE})


def test_the_user_s_word_wins_and_is_said():
    fitted = fit(TwoArcs.circuit, TwoArcs().spectrum(noise=1e-3))
    first = extract(fitted, CELL, assign={"R1": "electrode interface (negative)"})[0]
    assert first.process == "electrode interface (negative)"
    assert first.confidence == 1
    assert "assigned by the user" in first.evidence


def test_the_capacitance_of_an_electrode_is_that_of_a_surface_and_of_a_boundary_that_of_a_film():
    boundary, electrode = arcs_of(TwoArcs(a2=0.85), noise=0)
    q, r_e = TwoArcs(a2=0.85).values["CPE2_0"], 22.0 + 15.0
    assert electrode.capacitance_formula.startswith("Brug")
    assert electrode.capacitance_f == pytest.approx(brug_faradaic(q, 0.85, r_e, 17.683), rel=1e-3)
    assert boundary.capacitance_formula.startswith("Hsu-Mansfeld")
    assert boundary.capacitance_f == pytest.approx(1 / (2 * math.pi * 150e3 * 15.0), rel=1e-3)
    assert [c.formula for c in electrode.capacitances] == ["Hsu-Mansfeld", "Brug"]


def test_a_stack_of_unit_cells_gives_the_resistance_of_one():
    stack = replace(CELL, cells_in_parallel=10, cells_in_series=2)
    one, alone = arcs_of(TwoArcs(), cell=stack)[-1], arcs_of(TwoArcs())[-1]
    assert one.arc_resistance_ohm == pytest.approx(5 * alone.arc_resistance_ohm)
    assert one.u_asr_ohm_cm2 == pytest.approx(5 * alone.u_asr_ohm_cm2)
    assert one.capacitance_f == pytest.approx(alone.capacitance_f / 5)
    assert one.frequency_hz == alone.frequency_hz
    assert any("5 times the resistance of the stack" in line for line in one.evidence)


def test_a_bulk_is_not_shared_by_the_interfaces_at_its_ends():
    boundary = arcs_of(TwoArcs(), noise=0)[0]
    assert boundary.process == "grain boundary"
    assert boundary.asr_ohm_cm2 == pytest.approx(15.0 * 1.131, rel=1e-3)


def test_relaxation_times_are_extracted_like_a_fit():
    truth = TwoArcs(f1=50e3)
    found = extract(drt(truth.spectrum(noise=1e-3)), CELL)
    by_fit = arcs_of(truth)
    assert [one.name for one in found] == ["peak 1", "peak 2"]
    for one, other in zip(found, by_fit, strict=True):
        assert one.process == other.process
        assert one.arc_resistance_ohm == pytest.approx(other.arc_resistance_ohm, rel=0.05)
        assert one.frequency_hz == pytest.approx(other.frequency_hz, rel=0.1)


def test_the_exchange_current_density_is_that_of_the_resistance():
    one = arcs_of(TwoArcs(), noise=1e-3)[-1]
    assert one.i0_a_cm2 == pytest.approx(25.6926e-3 / one.asr_ohm_cm2, rel=2e-6)
    assert one.u_i0_a_cm2 / one.i0_a_cm2 == pytest.approx(one.u_asr_ohm_cm2 / one.asr_ohm_cm2)


def test_models_that_disagree_unresolve_an_arc():
    fitted = fit(TwoArcs.circuit, TwoArcs().spectrum(noise=1e-3))
    twice = tuple(replace(p, value=2 * p.value) if p.name == "R2" else p for p in fitted.parameters)
    other = replace(fitted, parameters=twice, aicc=fitted.aicc)
    found = extract(fitted, CELL, alternatives=[other])[-1]
    assert not found.resolved
    assert "71%" in found.because[0]  # 0 and 100 % apart: 1/√2


def test_the_json_entry_keeps_its_keys_and_has_no_nan():
    import json

    entry = arcs_of(TwoArcs(r2=1e-4))[-1].to_dict()
    text = json.dumps(entry, allow_nan=False)
    assert {"name", "r_ohm", "u_r_ohm", "c_f", "f0_hz", "asr_ohm_cm2", "process", "confidence"} <= set(entry)
    assert "budget" in json.loads(text)


def test_the_cold_pellet_shows_its_electrolyte_and_the_reasoning():
    spectrum = eis.read(real_file("hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt"))
    pellet = Cell(0.785, kind="blocking", thickness_cm=0.07, temperature_c=-25.0, pressure_mpa=50.0)
    (arc,) = extract(fit("R0-p(R1,CPE1)-CPE2", spectrum), pellet)
    either = dict(arc.probabilities)
    assert either["bulk"] + either["grain boundary"] > 0.95
    assert any("one arc may hold both" in line for line in arc.evidence)
    assert any("7.49 pF/cm" in line for line in arc.evidence)
    bulk, boundary = extract(fit("p(R1,CPE1)-p(R2,CPE2)-CPE3", spectrum), pellet)
    assert (bulk.process, boundary.process) == ("bulk", "grain boundary")
    assert not bulk.resolved  # 8 MHz, and the instrument ends at 7


def test_the_real_cell_s_large_arc_is_an_electrode_of_which_nobody_can_say_which():
    spectrum = eis.read(real_file("hybrid-drt/PEIS_SSB.mpr"))
    cell = Cell(0.785, kind="full", thickness_cm=0.07, temperature_c=25.0, pressure_mpa=50.0)
    first, second = extract(fit("L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE4", spectrum), cell)
    assert first.process == "grain boundary"
    assert second.process == AMBIGUOUS
    assert any("compare with a symmetric cell" in line for line in second.evidence)
