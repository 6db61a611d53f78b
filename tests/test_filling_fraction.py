"""Fill fractions of sheets whose filling is known, and inputs that contradict each other."""

import math
from dataclasses import replace

import numpy as np
import pytest

from eis.composition import Sheet, Solid
from eis.errors import ConfigError
from eis.filling_fraction import Transport, fill_fraction
from eis.transport import filled_medium
from eis.treatment import Treatment

SOLIDS = (Solid("NMC", 0.70, 4.7), Solid("SE", 0.275, 1.64), Solid("C", 0.02, 1.9), Solid("PTFE", 0.005, 2.2))
SHEET = Sheet(30.0, math.pi * 0.36, 100.0, SOLIDS, u_mass_mg=0.05, u_thickness_um=0.4, u_density_relative=0.003)
RHO, SIGMA, FILLER = 1.6, 2e-3, 1e-3


def filled(f: float, *, thickness_um: float = 100.0, filler: float = FILLER) -> tuple[Treatment, Transport]:
    """Return what weighing, thickness and impedance say of a sheet filled to f, by the symmetric medium."""
    gain_mg = f * SHEET.porosity * SHEET.volume_cm3 * RHO * 1e3
    shrunk = 100.0 / thickness_um
    medium = {"conductor_fraction": SHEET.volume_fractions["SE"], "conductor_s_cm": SIGMA, "filler_s_cm": filler}
    before = filled_medium(0.0, void_fraction=SHEET.porosity, **medium)
    medium["conductor_fraction"] *= shrunk
    after = filled_medium(f, void_fraction=SHEET.porosity * shrunk, **medium)
    r = [t * 1e-4 / (float(s) * SHEET.area_cm2) for t, s in ((100.0, before), (thickness_um, after))]
    treatment = Treatment(
        SHEET, "infiltrated", thickness_um, gain_mg, RHO, u_thickness_after_um=0.4, u_mass_gain_mg=0.07
    )
    transport = Transport(
        r[0], r[1], "SE", SIGMA, filler, 0.01 * r[0], 0.01 * r[1], 0.02 * SIGMA, 0.02 * filler, correlation=0.5
    )
    return treatment, transport


def test_a_conductor_that_is_not_there_and_too_few_draws_are_refused() -> None:
    treatment, transport = filled(0.5)
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match=r"'LLZO' is no component.*NMC, SE"):
        fill_fraction(treatment, rng, transport=replace(transport, conductor="LLZO"))
    with pytest.raises(ConfigError, match="give no interval"):
        fill_fraction(treatment, rng, draws=10)
    with pytest.raises(ConfigError, match=r"r_before_ohm is -1.*correlation is 2"):
        replace(transport, r_before_ohm=-1.0, correlation=2.0)


@pytest.mark.parametrize(("f", "said"), [(1.6, "above 1 beyond"), (-0.5, "below 0 beyond")])
def test_more_than_full_or_less_than_empty_contradicts_itself(f: float, said: str) -> None:
    treatment, transport = filled(0.5)
    gain_mg = f * SHEET.porosity * SHEET.volume_cm3 * RHO * 1e3
    found = fill_fraction(replace(treatment, mass_gain_mg=gain_mg), np.random.default_rng(0), transport=transport)
    assert found.gravimetric.value == pytest.approx(f)  # never clipped
    assert any("gravimetric" in text and said in text for text in found.inconsistencies)
    assert not found.supports_filling


def test_a_sheet_that_conducts_more_than_its_conductor_can_is_said() -> None:
    treatment, transport = filled(0.5)
    found = fill_fraction(treatment, np.random.default_rng(0), transport=replace(transport, r_before_ohm=4.0))
    assert not found.electrical.is_known
    assert "the most that 44 % of its conductor can give" in found.electrical.because


def test_a_sheet_without_pores_has_no_fill_fraction() -> None:
    dense = Treatment(replace(SHEET, thickness_um=85.0), "infiltrated", 85.0, 0.5, RHO)
    found = fill_fraction(dense, np.random.default_rng(0))
    assert not found.gravimetric.is_known
    assert any("porosity comes out" in text for text in found.inconsistencies)


@pytest.mark.parametrize("f", [0.3, 0.6, 0.9])
def test_all_three_find_a_true_filling_and_agree(f: float) -> None:
    treatment, transport = filled(f)
    found = fill_fraction(treatment, np.random.default_rng(1), transport=transport)
    for one in (found.gravimetric, found.geometric, found.electrical):
        assert one.value == pytest.approx(f, abs=1e-9)
        assert one.low < f < one.high
    assert [a.verdict for a in found.agreements] == ["agree", "agree"]
    assert found.by_exponent[0] == (1.0, pytest.approx(f))
    assert found.supports_filling


def test_densification_is_no_filler_and_the_electrical_estimate_knows() -> None:
    treatment, transport = filled(0.5, thickness_um=97.0)
    found = fill_fraction(treatment, np.random.default_rng(1), transport=transport)
    assert found.gravimetric.value == pytest.approx(0.5)
    assert found.electrical.value == pytest.approx(0.5)
    closed = 0.03 / SHEET.porosity  # the pores that densification closed
    assert found.geometric.value == pytest.approx(0.5 + closed)


def test_a_poor_filler_taken_for_a_good_one_disagrees() -> None:
    treatment, transport = filled(0.8, filler=1e-5)
    found = fill_fraction(treatment, np.random.default_rng(1), transport=replace(transport, filler_s_cm=1e-3))
    assert found.agreements[0].verdict == "disagree"
    assert not found.supports_filling


def test_agreement_of_what_is_hardly_known_is_no_agreement() -> None:
    treatment, transport = filled(0.5)
    vague = replace(transport, u_filler_s_cm=3 * FILLER, u_r_after_ohm=0.3 * transport.r_after_ohm)
    found = fill_fraction(treatment, np.random.default_rng(1), transport=vague)
    assert found.agreements[0].verdict == "undecided"
    assert not found.supports_filling


def test_melting_in_place_has_no_fill_fraction_but_a_densification() -> None:
    treatment, transport = filled(0.5)
    melted = replace(treatment, mode="in_formulation", mass_gain_mg=0.0, thickness_after_um=97.0)
    found = fill_fraction(melted, np.random.default_rng(1), transport=transport)
    assert not any(one.is_known for one in (found.gravimetric, found.geometric, found.electrical))
    assert "not defined" in str(found.gravimetric)
    assert found.densification.value == pytest.approx(SHEET.porosity - (1 - (1 - SHEET.porosity) / 0.97))
    assert found.densification.u == pytest.approx(melted.u_densification, rel=0.03)
    assert not found.supports_filling


def test_intervals_hold_the_truth_as_often_as_they_say_and_repeat_with_their_seed() -> None:
    treatment, transport = filled(0.6)
    rng = np.random.default_rng(11)
    held = np.zeros(2)
    for _ in range(400):
        z = rng.standard_normal(7)
        sheet = replace(SHEET, mass_mg=30 + 0.05 * z[0], thickness_um=100 + 0.4 * z[1])
        measured = replace(
            treatment,
            before=sheet,
            mass_gain_mg=treatment.mass_gain_mg + 0.07 * z[2],
            thickness_after_um=100 + 0.4 * z[3],
        )
        r0, r1 = transport.r_before_ohm, transport.r_after_ohm
        after = 0.5 * z[4] + math.sqrt(0.75) * z[5]
        seen = replace(
            transport, r_before_ohm=r0 * (1 + 0.01 * z[4]), r_after_ohm=r1 * (1 + 0.01 * after),
            filler_s_cm=FILLER * (1 + 0.02 * z[6]), u_conductor_s_cm=0.0,
        )  # fmt: skip
        quiet = replace(measured, before=replace(sheet, u_density_relative=0.0))
        found = fill_fraction(quiet, rng, transport=seen, draws=500)
        held += [one.low < 0.6 < one.high for one in (found.gravimetric, found.electrical)]
    assert held / 400 == pytest.approx([0.95, 0.95], abs=0.035)
    one, two = (fill_fraction(treatment, np.random.default_rng(5), transport=transport) for _ in range(2))
    assert one == two
