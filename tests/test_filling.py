"""Porosity-filling experiments: the right sentence where the truth is known, and no sentence where nothing is."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.filling import quick, quick_pairs
from eis.errors import ConfigError
from eis.experiment import experiment_of
from eis.experiment_generator import SCENARIOS, Scenario, generate
from eis.filling import Comparison, compare
from eis.filling_conclusion import Finding

Content = dict[str, Any]


def made(name: str = "true-filling", *, seed: int = 3, n: int = 6, change: Any = None) -> Comparison:
    """One experiment the quick way; `change` may alter its file first."""
    rng = np.random.default_rng(seed)
    virtual = generate(name, rng, n=n)
    if change is not None:
        change(virtual.content)
    experiment = experiment_of(virtual.content)
    return compare(experiment, quick_pairs(virtual, experiment, rng), rng=rng)


def without(role: str) -> Any:
    def change(content: Content) -> None:
        names = [arm["name"] for arm in content["arms"] if arm["role"] == role]
        content["arms"] = [arm for arm in content["arms"] if arm["name"] not in names]
        content["cells"] = [cell for cell in content["cells"] if cell["arm"] not in names]

    return change


# --- what must not be said


def test_without_any_control_nothing_is_concluded() -> None:
    def change(content: Content) -> None:
        without("heated")(content)
        without("untreated")(content)

    found = made(change=change)
    assert found.conclusion.finding is Finding.NOT_SHOWN
    assert "there is no control" in found.conclusion.sentence
    assert found.conclusion.exit_code == 3


def test_without_a_heated_control_pores_are_never_called_filled() -> None:
    found = made(change=without("heated"))
    assert found.conclusion.finding is Finding.IMPROVED
    assert "no control that was heated without eutectic" in found.conclusion.sentence


def test_where_the_filler_was_there_from_the_start_pores_are_never_called_filled() -> None:
    found = made("in-formulation")
    assert found.conclusion.finding is Finding.IMPROVED
    assert "not what this can show" in found.conclusion.sentence
    assert found.fill is not None
    assert math.isnan(found.fill.gravimetric.value)


@pytest.mark.parametrize("n", [1, 2])
def test_two_cells_are_descriptive_only(n: int) -> None:
    found = made(n=n)
    assert found.conclusion.finding is Finding.DESCRIPTIVE
    assert "descriptive only" in found.conclusion.sentence


def test_four_cells_have_an_interval_but_no_p_value() -> None:
    effect = made(n=4).effects["ASR_if"]
    assert math.isfinite(effect.low)
    assert math.isnan(effect.p)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("temperature_c", 40.0, "measured at 25 °C before and 40 °C after"),
        ("pressure_mpa", 50.0, "measured at 5 MPa before and 50 MPa after"),
        ("soc_percent", 80.0, "% charge before and 80 % after"),
    ],
)
def test_cells_measured_in_different_states_are_left_out_by_name(key: str, value: float, words: str) -> None:
    def change(content: Content) -> None:
        content["cells"][0]["before"].setdefault(key, 20.0)
        content["cells"][0]["after"][key] = value

    found = made(change=change)
    assert any(note.startswith("treated-1 (treated) is left out") and words in note for note in found.notes)
    assert next(one.n for one in found.arms["ASR_if"] if one.name == "treated") == 5


def test_cells_without_a_pair_are_left_out_and_none_with_one_is_an_error() -> None:
    def one(content: Content) -> None:
        del content["cells"][0]["after"]

    def every(content: Content) -> None:
        for cell in content["cells"]:
            del cell["after"]

    assert any("there is no spectrum after" in note for note in made(change=one).notes)
    with pytest.raises(ConfigError, match="No cell can be compared"):
        made(change=every)


def test_a_mass_lost_beyond_the_filler_is_a_contradiction_and_no_filling() -> None:
    def change(content: Content) -> None:
        for cell in content["cells"]:
            cell["geometry"]["mass_after_mg"] = cell["geometry"]["mass_before_mg"] - 3.0

    found = made(change=change)
    assert found.fill is not None
    assert found.fill.inconsistencies
    assert found.conclusion.finding is not Finding.FILLED
    assert any(note.startswith("inconsistent:") for note in found.notes)


# --- what is right


@pytest.mark.parametrize("name", SCENARIOS)
def test_nearly_every_experiment_of_a_scenario_ends_in_a_sentence_that_is_true(name: str) -> None:
    rng = np.random.default_rng(7)
    findings = Counter(str(quick(name, rng, 6).conclusion.finding) for _ in range(8))
    right = sum(findings[word] for word in SCENARIOS[name].expected)
    assert right >= 7, findings
    assert findings["filled"] == 0 or "filled" in SCENARIOS[name].expected


def test_arcs_that_change_places_are_compared_as_what_they_are() -> None:
    found = made("swapped-arcs")
    pairs = {(m.before.name, m.after.name) for m in found.matches["treated-2"] if m.before and m.after}
    assert pairs == {("R1", "R2"), ("R2", "R1")}
    assert found.effects["ASR_if"].ratio == pytest.approx(0.08, rel=0.3)


def test_a_cell_that_stands_apart_is_named_and_not_left_out() -> None:
    found = made("bad-cell")
    assert any(note.startswith("treated-1 (treated) stands apart") for note in found.notes)
    assert next(one.n for one in found.arms["ASR_if"] if one.name == "treated") == 6


def test_the_estimates_hold_the_truth_of_the_virtual_cells() -> None:
    found = made(Scenario("own", ("filled",), fill=0.6, contact=1.6, heat=0.98), n=12)  # type: ignore[arg-type]
    assert found.fill is not None
    for one in (found.fill.gravimetric, found.fill.geometric, found.fill.electrical):
        assert one.low - 0.03 <= 0.6 <= one.high + 0.03, one
    assert found.cause is not None
    assert dict(found.cause.probabilities)["area"] > 0.5


def test_the_same_experiment_gives_the_same_comparison() -> None:
    assert made().conclusion == made().conclusion
