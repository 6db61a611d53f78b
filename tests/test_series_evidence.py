"""Several spectra: what changes with what tells the processes apart, and what changes together tells nothing."""

import math

import numpy as np
import pytest

from eis.assignment import AMBIGUOUS, INTERFACE, NEGATIVE, POSITIVE
from eis.errors import ConfigError
from eis.extraction import Observation, extract, extract_series
from eis.spectrum import Cell, Spectrum
from fitting import fit
from tests.truth import noisy

FREQUENCY = np.geomspace(1e6, 0.1, 51)
BOLTZMANN_EV = 8.617333262e-5
LAYERS = ("surface layer", "grain boundary")
BOUNDARY, LAYER = (15.0, 2e-8), (20.0, 2.6e-6)


def observed(arcs, cell, seed=0, **more):
    z = 5 + sum(r / (1 + (2j * math.pi * FREQUENCY * r * c) ** 0.95) for r, c in arcs)
    circuit = "R0-" + "-".join(f"p(R{i},CPE{i})" for i in range(1, len(arcs) + 1))
    return Observation(fit(circuit, Spectrum.of(FREQUENCY, noisy(z, 1e-3, seed))), cell, **more)


def said(arc):
    return " | ".join(arc.evidence)


def probability(arc, process):
    return dict(arc.probabilities).get(process, 0.0)


def warmed(energy_ev, t):
    return math.exp(energy_ev / BOLTZMANN_EV * (1 / (273.15 + t) - 1 / 298.15))


def lithium(**more):
    return Cell(1.0, **({"interfaces_in_path": 2, "kind": "symmetric", "thickness_cm": 0.05} | more))


def test_no_spectrum_at_all_and_a_word_for_no_arc_are_refused():
    with pytest.raises(ConfigError, match="no spectrum"):
        extract_series([])
    with pytest.raises(ConfigError, match="no arc 'R7'"):
        extract_series([observed([LAYER], lithium())], assign={"R7": INTERFACE})


@pytest.mark.parametrize("wrong", [{"soc_percent": 1000.0}, {"time_h": -1.0}, {"time_h": math.nan}])
def test_a_condition_that_is_none_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        observed([LAYER], lithium(), **wrong)


def test_conditions_that_change_together_are_no_evidence_and_it_says_so():
    series = [observed([LAYER], lithium(temperature_c=t, pressure_mpa=p)) for t, p in ((20.0, 10.0), (60.0, 50.0))]
    assert "temperature and pressure change together" in said(extract_series(series)[0][0])


def test_one_spectrum_alone_is_what_extract_says():
    one = observed([BOUNDARY, LAYER], lithium())
    (together,) = extract_series([one])
    alone = extract(one.fit, one.cell)
    assert [(a.process, a.confidence) for a in together] == [(a.process, a.confidence) for a in alone]


def test_a_symmetric_cell_names_the_electrodes_of_a_full_one():
    cell = Cell(1.0, kind="full", thickness_cm=0.05)
    full = observed([BOUNDARY, (10.0, 5e-6), (40.0, 5e-5)], cell)
    twin = observed([BOUNDARY, (20.5, 2.6e-6)], lithium(electrode="negative"), 1)
    assert [a.process for a in extract(full.fit, cell)] == ["grain boundary", AMBIGUOUS, AMBIGUOUS]
    arcs, there = extract_series([full, twin])
    assert [a.process for a in arcs] == ["grain boundary", NEGATIVE, POSITIVE]
    assert there[-1].process == NEGATIVE
    assert "found again as R2 of the symmetric cell of the negative electrode" in said(arcs[1])
    assert "no arc of the symmetric cell" in said(arcs[2])


def test_a_symmetric_cell_of_another_area_and_in_another_cold_is_understood():
    cell = Cell(1.0, kind="full", thickness_cm=0.05, temperature_c=25.0)
    full = observed([(10.0, 5e-6), (40.0, 5e-5)], cell)
    large = observed([(2 * 10.0 / 4, 5e-6 * 4 / 2)], lithium(electrode="negative", temperature_c=25.0), 1)
    large = Observation(large.fit, Cell(4.0, interfaces_in_path=2, kind="symmetric", electrode="negative"))
    assert extract_series([full, large])[0][0].process == NEGATIVE
    cold = Cell(4.0, interfaces_in_path=2, kind="symmetric", electrode="negative", temperature_c=-20.0)
    assert extract_series([full, Observation(large.fit, cold)])[0][0].process == AMBIGUOUS  # no comparison


def test_the_electrode_that_follows_the_state_of_charge_is_the_positive_one():
    cell = Cell(1.0, kind="full", thickness_cm=0.05)
    series = [
        observed([(10.0, 5e-6), (40 * math.exp(1.2 * (1 - s)), 5e-5)], cell, i, soc_percent=100 * s)
        for i, s in enumerate((0, 0.5, 1.0))
    ]
    for arcs in extract_series(series):
        assert [a.process for a in arcs] == [NEGATIVE, POSITIVE]
    assert "change of ln R over the whole charge -1.2" in said(arcs[1])


@pytest.mark.parametrize(
    ("series", "name", "slope", "less", "more"),
    [
        ([({"thickness_cm": x}, x / 0.05) for x in (0.03, 0.06, 0.12)], "thickness exponent", 1.0, *LAYERS),
        ([({"thickness_cm": x}, 1.0) for x in (0.03, 0.06, 0.12)], "thickness exponent", 0.0, *LAYERS[::-1]),
        (
            [({"pressure_mpa": p}, (p / 50) ** -0.5) for p in (10, 30, 90)],
            "pressure exponent",
            -0.5,
            *LAYERS[::-1],
        ),
        ([({"temperature_c": t}, warmed(0.6, t)) for t in (0, 25, 45)], "E_a", 0.6, *LAYERS[::-1]),
        ([({"temperature_c": t}, warmed(0.1, t)) for t in (0, 25, 45)], "E_a", 0.1, "surface layer", "contact"),
    ],
)
def test_what_a_resistance_follows_moves_its_probability(series, name, slope, less, more):
    arc = (20.0, 1e-7)  # between boundary, layer, contact and electrode
    seen = [observed([(arc[0] * scale, arc[1] / scale)], lithium(**cell)) for cell, scale in series]
    found = extract_series(seen)[1][0]
    alone = extract(seen[1].fit, seen[1].cell)[0]
    assert float(said(found).split(f"{name} ")[1].split(" ")[0]) == pytest.approx(slope, abs=0.01)
    before = probability(alone, more) / max(probability(alone, less), 1e-6)
    assert probability(found, more) / max(probability(found, less), 1e-6) > 1.5 * before


def test_an_arc_that_does_not_shrink_with_the_area_is_no_process_of_the_cell():
    grown = [
        observed([(20.0, 1e-5 * a)], Cell(a, kind="symmetric", interfaces_in_path=2), i)
        for i, a in enumerate((0.5, 1.0, 2.0))
    ]
    assert "speaks for contact, against bulk, grain boundary, surface layer, electrode interface" in said(
        extract_series(grown)[0][0]
    )


def test_an_interphase_grows_with_the_root_of_time_and_a_boundary_does_not():
    series = [
        observed([BOUNDARY, (20 * (1 + 0.5 * math.sqrt(t / 100)), 2.6e-6)], lithium(), i, time_h=t)
        for i, t in enumerate((0.0, 10.0, 50.0, 100.0))
    ]
    boundary, layer = extract_series(series)[0]
    assert "speaks for bulk, grain boundary" in said(boundary)
    assert "against bulk, grain boundary" in said(layer)


def test_arcs_that_change_places_are_still_matched_by_their_capacitance():
    # activation energies so different that the interface is the faster one when warm
    series = [
        observed([(60 * warmed(0.2, t), 1e-6), (10 * warmed(0.7, t), 1e-5)], lithium(temperature_c=t), i)
        for i, t in enumerate((0.0, 10.0, 60.0))
    ]
    rows = extract_series(series)
    assert [round(float(said(a).split("E_a ")[1].split(" ")[0]), 1) for a in rows[0]] == [0.2, 0.7]
    assert [round(float(said(a).split("E_a ")[1].split(" ")[0]), 1) for a in rows[2]] == [0.7, 0.2]


def test_the_user_s_word_holds_for_every_spectrum():
    series = [observed([LAYER], lithium(temperature_c=t)) for t in (0.0, 30.0)]
    assert [row[0].process for row in extract_series(series, assign={"R1": "contact"})] == ["contact", "contact"]
