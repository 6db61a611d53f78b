"""Porosity and volume fractions against published arithmetic; contradictions are said and never clipped."""

import math
from dataclasses import replace

import numpy as np
import pytest

from eis.composition import DENSITIES, Sheet, Solid, density_of, porosity, sheet_of, true_density
from eis.errors import ConfigError
from eis.treatment import Treatment, porosity_after

# 70 % NMC, 27.5 % sulfide electrolyte, 2 % carbon, 0.5 % PTFE; 30 mg on a disc of 12 mm, 100 µm thick.
SOLIDS = (Solid("NMC", 0.70, 4.7), Solid("SE", 0.275, 1.64), Solid("C", 0.02, 1.9), Solid("PTFE", 0.005, 2.2))
SHEET = Sheet(30.0, math.pi * 0.36, 100.0, SOLIDS, u_mass_mg=0.1, u_thickness_um=1.0, u_density_relative=0.01)


def test_all_faults_of_a_sheet_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Sheet(-1.0, math.nan, 100.0, (Solid("NMC", 70.0, 4.7),), u_mass_mg=-0.1)
    for said in ("mass_mg is -1", "area_cm2 is nan", "u_mass_mg is -0.1", "add up to 70"):
        assert said in str(caught.value)


def test_an_unknown_component_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unobtainium.*graphite"):
        sheet_of(30.0, 1.131, 100.0, [("unobtainium", 1.0)])


def test_a_porosity_below_zero_is_said_and_refused_but_never_clipped() -> None:
    dense = replace(SHEET, thickness_um=80.0)
    assert dense.porosity == pytest.approx(1 - (1 - 0.126191) / 0.8, abs=1e-6)
    assert "-0.092 (5.2 standard uncertainties below 0)" in dense.inconsistencies[0]
    with pytest.raises(ConfigError, match="denser"):
        dense.checked()


@pytest.mark.parametrize(
    ("mode", "gain_mg", "said"),
    [
        ("infiltrated", -1.0, "lost 1 mg, though filler was brought in"),
        ("in_formulation", 1.0, "gained 1 mg, though nothing was brought in"),
        ("in_formulation", -4.0, "more than the 3 mg of filler"),
        ("infiltrated", 9.0, "below 0"),
    ],
)
def test_a_mass_that_contradicts_the_mode_is_said(mode, gain_mg: float, said: str) -> None:
    treatment = Treatment(SHEET, mode, 100.0, gain_mg, 1.6, u_mass_gain_mg=0.14, filler_mass_fraction=0.1)
    assert any(said in text for text in treatment.inconsistencies)


def test_a_treatment_without_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"thickness_after_um is 0.*filler_density_g_cm3 is nan"):
        Treatment(SHEET, "infiltrated", 0.0, 1.0, math.nan)


def test_the_published_sheet_has_its_porosity_and_fractions() -> None:
    assert SHEET.true_density_g_cm3 == pytest.approx(3.035656, abs=5e-7)
    assert SHEET.apparent_density_g_cm3 == pytest.approx(2.652582, abs=5e-7)
    assert SHEET.porosity == pytest.approx(0.126191, abs=5e-7)
    assert SHEET.u_porosity == pytest.approx(0.0127, abs=5e-5)
    fractions = SHEET.volume_fractions
    assert list(fractions.values()) == pytest.approx([0.395065, 0.444793, 0.027922, 0.006029], abs=5e-7)
    assert sum(fractions.values()) + SHEET.porosity == pytest.approx(1.0)
    assert SHEET.checked() is SHEET


def test_densities_are_known_by_any_of_their_names_and_lie_in_their_range() -> None:
    usual = {"NCM": 4.7, "LCO": 5.05, "LFP": 3.6, "LPSCl": 1.64, "LLZO": 5.1, "graphite": 2.26, "Si": 2.33}
    usual |= {"carbon black": 1.9, "PTFE": 2.2, "Li": 0.534}
    assert {name: density.value_g_cm3 for name, density in DENSITIES.items()} == usual
    assert all(d.low_g_cm3 <= d.value_g_cm3 <= d.high_g_cm3 and d.source for d in DENSITIES.values())
    assert density_of("nmc811") is density_of("NCM")


def test_uncertainties_agree_with_draws() -> None:
    rng = np.random.default_rng(5)
    solids = tuple(replace(solid, u_density_g_cm3=0.02 * solid.density_g_cm3) for solid in SOLIDS)
    sheet = replace(SHEET, solids=solids, u_area_cm2=0.01, u_density_relative=0.0)
    treatment = Treatment(
        sheet,
        "infiltrated",
        97.0,
        1.5,
        1.6,
        u_thickness_after_um=1.2,
        u_mass_gain_mg=0.14,
        u_filler_density_g_cm3=0.1,
    )
    n = 200_000
    mass, area, t0 = (v + u * rng.standard_normal(n) for v, u in ((30, 0.1), (sheet.area_cm2, 0.01), (100, 1.0)))
    rho = np.stack([s.density_g_cm3 + s.u_density_g_cm3 * rng.standard_normal(n) for s in solids], axis=-1)
    before = porosity(mass, area, t0, true_density([s.mass_fraction for s in solids], rho))
    t1, gain, rho_f = (v + u * rng.standard_normal(n) for v, u in ((97, 1.2), (1.5, 0.14), (1.6, 0.1)))
    after = porosity_after(before, area * t0, area * t1, gain * 1e4, rho_f)
    assert before.std() == pytest.approx(sheet.u_porosity, rel=0.02)
    assert after.std() == pytest.approx(treatment.u_porosity_after, rel=0.02)
    assert (before - after).std() == pytest.approx(treatment.u_densification, rel=0.02)


def test_melting_in_place_at_constant_thickness_conserves_the_porosity() -> None:
    melted = Treatment(SHEET, "in_formulation", 100.0, 0.0, 1.6)
    assert melted.porosity_after == pytest.approx(SHEET.porosity, abs=1e-12)
    assert melted.inconsistencies == ()


def test_filling_all_pores_leaves_none() -> None:
    gain_mg = SHEET.porosity * SHEET.volume_cm3 * 1.6 * 1e3
    assert Treatment(SHEET, "infiltrated", 100.0, gain_mg, 1.6).porosity_after == pytest.approx(0.0, abs=1e-12)
