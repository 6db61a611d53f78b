"""Uncertainty budgets: every source on its line, the published coefficients, and intervals that hold the truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, t

from benchmarks.interval_coverage import REPEATS, one_draw
from eis.budget import NOT_STATED, Budget, Line
from eis.errors import ConfigError
from eis.extraction import Conditions, extract
from eis.spectrum import Cell
from eis.uncertainty_budget import temperature_coefficient
from fitting import drt, fit
from tests.thorough import number
from tests.truth import TwoArcs

CELL = Cell(1.131, 0.011, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05)
SOURCES = ["fit", "model", "instrument", "fixture", "temperature", "pressure", "repeats", "area"]


@pytest.fixture(scope="module")
def fitted():
    return fit(TwoArcs.circuit, TwoArcs().spectrum(noise=3e-3, seed=1))


def line(interface, source, reading="asr"):
    (found,) = [one for one in interface.budget_for(reading).lines if one.source == source]
    return found


def last(fitted, cell=CELL, **more):
    return extract(fitted, cell, **more)[-1]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"instrument_accuracy": 0.3e1}, "fraction"),
        ({"instrument_accuracy": -0.1}, "zero or above"),
        ({"u_fixture_ohm": math.nan}, "u_fixture_ohm"),
        ({"activation_ev": -1.0}, "activation_ev"),
        ({"pressure_exponent": math.inf}, "pressure_exponent"),
    ],
)
def test_conditions_that_are_none_are_refused(wrong, word):
    with pytest.raises(ConfigError, match=word):
        Conditions(**wrong)


def test_a_reading_that_is_none_and_a_level_that_is_none_are_refused(fitted):
    with pytest.raises(ConfigError, match="no reading 'sheet'"):
        last(fitted).budget_for("sheet")
    with pytest.raises(ConfigError, match="level"):
        last(fitted).budget.interval(95)


def test_a_repeat_of_another_circuit_is_refused(fitted):
    with pytest.raises(ConfigError, match="Fit the same circuit"):
        extract(fitted, CELL, repeats=[fit("R0-p(R1,CPE1)", TwoArcs().spectrum(noise=3e-3))])


def test_a_source_nobody_stated_is_not_zero_and_the_sum_says_that_it_lacks_it(fitted):
    budget = last(fitted).budget
    missing = ("model", "instrument", "fixture", "temperature", "pressure", "repeats")
    assert [one.source for one in budget.lines] == SOURCES
    assert budget.not_stated == missing
    assert all(line.u is None and line.because for line in budget.lines if line.source in missing)
    assert budget.u == pytest.approx(math.hypot(*(line.u for line in budget.lines if line.u is not None)))
    shown, page, document = str(budget), budget._repr_html_(), budget.to_dict()
    assert shown.splitlines()[0].endswith(f"(k = 2), without what is not stated: {', '.join(missing)}")
    assert shown.count(f"  {NOT_STATED}  ") == len(missing)
    assert page.count(f"<td>{NOT_STATED}</td>") == len(missing)
    assert f"without what is not stated: {', '.join(missing)}" in page
    assert document["not_stated"] == list(missing)
    assert {line["source"]: line["u"] for line in document["lines"]}.items() >= dict.fromkeys(missing).items()


def test_a_source_stated_to_be_zero_is_zero(fitted):
    cell = replace(CELL, temperature_c=25.0, u_temperature_c=0.0, pressure_mpa=10.0, u_pressure_mpa=0.0)
    budget = last(fitted, cell, conditions=Conditions(0.0, u_fixture_ohm=0.0)).budget
    assert budget.not_stated == ("model", "repeats")
    assert [line.u for line in budget.lines if line.source in SOURCES[2:6]] == [0.0] * 4


def test_an_area_without_uncertainty_is_said_to_lack_it(fitted):
    budget = last(fitted, Cell(1.131, interfaces_in_path=2)).budget
    assert budget.not_stated[-1] == "area"
    assert budget.lines[-1].u is None


def test_a_budget_with_nothing_stated_has_no_sum():
    budget = Budget("x", 10.0, "Ω", (Line("area", None, "not measured"),))
    assert math.isnan(budget.u)
    assert budget.to_dict()["u"] is None
    assert str(budget).splitlines()[0] == "x: 10 Ω ± n/a (k = 2), without what is not stated: area"


def test_a_budget_with_everything_stated_lacks_nothing():
    budget = Budget("x", 10.0, "Ω", (Line("area", 0.5, ""),))
    assert budget.not_stated == ()
    assert str(budget).splitlines()[0] == "x: 10.0 ± 1.0 Ω (k = 2)"


@pytest.mark.parametrize(("energy", "percent"), [(0.30, 3.9), (0.35, 4.6), (0.50, 6.5), (0.60, 7.8)])
def test_the_temperature_coefficients_are_the_published_ones(energy, percent):
    assert -100 * temperature_coefficient(energy, 25.0) == pytest.approx(percent, abs=0.05)


def test_each_line_is_what_its_source_makes_of_the_resistance(fitted):
    cell = replace(CELL, temperature_c=25.0, u_temperature_c=0.5, pressure_mpa=10.0, u_pressure_mpa=1.0)
    conditions = Conditions(0.003, u_fixture_ohm=0.02, activation_ev=0.5, pressure_exponent=-0.5)
    found = last(fitted, cell, conditions=conditions)
    asr = found.asr_ohm_cm2
    assert line(found, "instrument").u == pytest.approx(asr * 0.003 / math.sqrt(3))
    assert line(found, "fixture").u == pytest.approx(0.02 * 1.131 / 2)
    assert line(found, "temperature").u == pytest.approx(asr * 0.0652 * 0.5, rel=2e-3)
    assert line(found, "pressure").u == pytest.approx(asr * 0.05)  # 10 % of pressure are 5 % of resistance
    assert line(found, "area").u == pytest.approx(asr * 0.011 / 1.131)
    assert found.u_asr_ohm_cm2 == pytest.approx(
        math.hypot(*(one.u for one in found.budget.lines if one.u is not None))
    )


def test_an_area_of_10_mm_across_known_to_50_micrometres_is_known_to_one_percent(fitted):
    area, u = math.pi * 0.25, math.pi / 2 * 0.005
    found = last(fitted, Cell(area, u, interfaces_in_path=2))
    assert line(found, "area").u / found.asr_ohm_cm2 == pytest.approx(0.01, rel=1e-6)


def test_without_a_given_energy_the_usual_one_of_the_process_is_taken_and_said(fitted):
    cell = replace(CELL, temperature_c=25.0, u_temperature_c=1.0)
    found = last(fitted, cell, assign={"R2": "bulk"})
    assert "0.35 eV (usual)" in line(found, "temperature").because
    assert line(found, "temperature").u / found.asr_ohm_cm2 == pytest.approx(0.0457, abs=1e-4)


def test_area_counts_twice_in_opposite_directions_and_not_at_all_in_plain_ohm(fitted):
    found = last(fitted)
    asr, per_area, absolute = (found.budget_for(reading, 2) for reading in ("asr", "per_area", "absolute"))
    r = fitted.value("R2") / 2
    assert (asr.value, per_area.value, absolute.value) == pytest.approx((r * 1.131, r / 1.131, r))
    assert (asr.unit, per_area.unit, absolute.unit) == ("Ω·cm²", "Ω/cm²", "Ω")
    assert asr.u / asr.value == pytest.approx(per_area.u / per_area.value)
    assert absolute.u == pytest.approx(fitted["R2"].u / 2)
    assert [one.source for one in absolute.lines] == SOURCES[:-1]
    assert found.budget_for("asr", 1).value == pytest.approx(2 * asr.value)


def test_a_resistance_made_by_hand_has_one_line_and_the_area(fitted):
    alone = replace(last(fitted), lines=(), u_arc_resistance_ohm=0.1)
    assert [one.source for one in alone.budget.lines] == ["fit", "area"]
    assert alone.u_asr_ohm_cm2 == pytest.approx(math.hypot(0.1 / 2 * 1.131, alone.asr_ohm_cm2 * 0.011 / 1.131))


def test_circuits_the_data_support_as_well_count_and_the_others_do_not(fitted):
    r = fitted.value("R2")
    shifted = [replace(p, value=1.02 * r) if p.name == "R2" else p for p in fitted.parameters]
    equal = replace(fitted, parameters=tuple(shifted), aicc=fitted.aicc + 3)
    worse = replace(equal, aicc=fitted.aicc + 5)
    found = last(fitted, alternatives=[equal, worse])
    assert line(found, "model", "absolute").u == pytest.approx(
        0.02 * r / math.sqrt(2) / 2
    )  # 0 and 2 %, two interfaces
    assert last(fitted, alternatives=[worse]).budget.u == last(fitted).budget.u
    assert "no other of 1 circuits" in line(last(fitted, alternatives=[worse]), "model").because


def test_a_richer_circuit_that_makes_two_arcs_of_one_is_compared_by_both_together(fitted):
    truth = TwoArcs()
    rich = fit("L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)", truth.spectrum(noise=3e-3, seed=1))
    arcs = {"R2": (10.0, 1.5e3), "R3": (7.683, 0.8e3)}  # at two frequencies that are nearly that of the whole
    values = truth.values | {f"CPE{i}_1": 0.92 for i in (2, 3)}
    for name, (r, f) in arcs.items():
        values |= {name: r, f"CPE{name[1]}_0": (1 / (2 * math.pi * f)) ** 0.92 / r}
    split = tuple(replace(p, value=values[p.name]) for p in rich.parameters)
    found = line(last(fitted, alternatives=[replace(rich, parameters=split, aicc=fitted.aicc)]), "model")
    assert "17.68 Ω by L0" in found.because
    assert found.u < 0.005 * last(fitted).asr_ohm_cm2


def test_a_circuit_without_that_arc_is_named_and_not_counted(fitted):
    other = replace(fit("L0-R0-p(R1,CPE1)", TwoArcs(r2=1e-3).spectrum(noise=3e-3)), aicc=fitted.aicc)
    found = line(last(fitted, alternatives=[other]), "model")
    assert found.u is None
    assert "has no arc there" in found.because


def test_relaxation_times_that_agree_add_nothing_and_are_quoted(fitted):
    distribution = drt(TwoArcs().spectrum(noise=3e-3, seed=1))
    found = line(last(fitted, drt=distribution), "model")
    assert "by the relaxation times" in found.because
    assert found.u < 0.02 * last(fitted).asr_ohm_cm2


def test_repeats_give_the_mean_its_scatter_and_few_degrees_of_freedom():
    scale = (1.00, 1.02, 0.97, 1.01)
    fits = [fit(TwoArcs.circuit, TwoArcs(r2=17.683 * k).spectrum(noise=1e-3, seed=i)) for i, k in enumerate(scale)]
    found = last(fits[0], repeats=fits[1:])
    measured = [one.value("R2") for one in fits]
    assert found.arc_resistance_ohm == pytest.approx(np.mean(measured))
    assert line(found, "repeats", "absolute").u * 2 == pytest.approx(np.std(measured, ddof=1) / 2)  # √4
    assert line(found, "repeats").degrees_of_freedom == 3
    assert line(found, "fit").u == 0
    assert 3 <= found.budget_for("absolute").degrees_of_freedom < 3.1
    assert "mean of 4 measurements" in found.evidence


def test_the_interval_is_student_s_where_the_uncertainty_is_itself_uncertain():
    budget = Budget("x", 10.0, "Ω", (Line("repeats", 0.3, "", 4.0), Line("area", 0.4, "")))
    assert budget.u == pytest.approx(0.5)
    assert budget.degrees_of_freedom == pytest.approx(0.5**4 / (0.3**4 / 4))  # Welch and Satterthwaite
    half = t.ppf(0.975, budget.degrees_of_freedom) * 0.5
    assert budget.interval(0.95) == pytest.approx((10 - half, 10 + half))
    exact = Budget("x", 10.0, "Ω", (Line("area", 0.5, ""),))
    assert exact.interval(0.95) == pytest.approx((10 - 0.97998, 10 + 0.97998), abs=1e-5)


def test_metadata_hand_over_what_they_say_of_instrument_and_fixture():
    found = Conditions.from_metadata({"instrument_accuracy": 0.01, "u_fixture_ohm": 2e-5, "instrument": {}})
    assert (found.instrument_accuracy, found.u_fixture_ohm) == (0.01, 2e-5)
    assert Conditions.from_metadata({"instrument_accuracy": "0.3 %"}).instrument_accuracy is None


@pytest.mark.parametrize("n", [1, REPEATS])
def test_nineteen_of_twenty_intervals_hold_the_truth_with_every_line_active(n):
    rng = np.random.default_rng(2026)
    draws = number(100, thorough=250)
    held, sources = 0, set()
    for _ in range(draws):
        found, truth = one_draw(rng, n)
        low, high = found.budget.interval(0.95)
        held += low <= truth <= high
        sources |= {one.source for one in found.budget.lines if one.u}
    assert binom.ppf(0.0005, draws, 0.95) <= held <= binom.ppf(0.9995, draws, 0.95)
    assert sources >= set(SOURCES) - {"fit" if n > 1 else "repeats"}
