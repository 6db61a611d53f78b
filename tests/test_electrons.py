"""Cells in which electrons take part: short ones, and ones whose electronic resistance fell, count for nothing."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest

from eis.comparison import State
from eis.electrons import electron_path
from eis.errors import ConfigError
from eis.experiment import experiment_of
from eis.experiment_generator import generate
from eis.filling import PairedCell, compare
from eis.filling_conclusion import Finding
from tests.test_comparison_page import comparison_of, state_of

VIRTUAL = generate("true-filling", np.random.default_rng(4), n=4)
TREATED = ("treated-1", "treated-2", "treated-3", "treated-4")
F = np.geomspace(1e6, 0.01, 7)
BEFORE = {"R_s": 4.0, "R_gb": 10.0, "R_if": 20.0, "C_if": 2e-5, "R_ion": 26.0}


def cells_with(currents):
    """Return the cells of the file, some of them with what direct current says of them."""
    return [
        {**cell, "direct_current": currents.get(cell["id"], currents.get(cell["arm"], {}))}
        for cell in copy.deepcopy(VIRTUAL.content["cells"])
    ]


def with_current(**currents):
    """Compare cells of which direct current says something, by cell or by arm."""
    return comparison_of(cells=cells_with({name.replace("_", "-"): one for name, one in currents.items()}))


def pair(current=None, *, kind="symmetric", before=10 - 100j, after=10 - 100j):
    """Return a cell with the given impedance at the lowest frequency of each state."""
    content = {**VIRTUAL.content, "cells": cells_with({"treated": current or {}})}
    cell = experiment_of(content).cells[0].model_copy(update={"kind": kind})
    states = [
        State(replace(state_of(BEFORE).fit, frequency_hz=F, z_ohm=np.array([5 + 0j] * 6 + [z])), ())
        for z in (before, after)
    ]
    return PairedCell(cell, *states)


FAULTS = {
    "a resistance of nothing": ({"electronic_before_ohm": 0.0, "electronic_after_ohm": 1.0}, "greater than 0"),
    "an infinite resistance": ({"cell_after_ohm": math.inf}, "finite"),
    "only one of two": ({"electronic_after_ohm": 5.0}, "before and after, or not at all"),
    "an unknown key": ({"resistance_ohm": 5.0}, "Extra inputs"),
    "a short that is no yes or no": ({"is_short": "perhaps"}, "boolean"),
}


@pytest.mark.parametrize(("current", "words"), FAULTS.values(), ids=FAULTS)
def test_faulty_direct_current_is_refused_with_its_key_path(current, words):
    with pytest.raises(ConfigError, match=r"cells\.0\.direct_current") as caught:
        experiment_of({**VIRTUAL.content, "cells": cells_with({"treated-1": current})})
    assert words in str(caught.value)


PATHS = {
    "found short": ({"is_short": True}, {}, "the short check found it short"),
    "electrons that pass more easily": (
        {"electronic_before_ohm": 1000.0, "electronic_after_ohm": 500.0, "u_electronic_ohm": 5.0},
        {},
        "fell from 1e+03 to 500 Ω",
    ),
    "direct current that passes more easily than ions can": (
        {"cell_after_ohm": 4.0, "u_cell_ohm": 0.1},
        {},
        "less than half of the 10 Ω",
    ),
    "direct current through electrodes that block": (
        {"cell_after_ohm": 90.0},
        {"kind": "blocking"},
        "less than ten times the 10 Ω",
    ),
    "no more blocking": (None, {"after": 30 - 1j}, "it blocked direct current before and passes it after"),
}


@pytest.mark.parametrize(("current", "cell", "words"), PATHS.values(), ids=PATHS)
def test_a_cell_in_which_electrons_take_part_says_why(current, cell, words):
    assert words in electron_path(pair(current, **cell), margin=0.1)


FINE = {
    "nothing known": (None, {}),
    "found whole": ({"is_short": False}, {}),
    "a fall within its uncertainty": (
        {"electronic_before_ohm": 100.0, "electronic_after_ohm": 80.0, "u_electronic_ohm": 10.0},
        {},
    ),
    "a fall that does not matter": (
        {"electronic_before_ohm": 100.0, "electronic_after_ohm": 93.0, "u_electronic_ohm": 0.1},
        {},
    ),
    "a rise": ({"electronic_before_ohm": 100.0, "electronic_after_ohm": 200.0}, {}),
    "direct current that meets all of the impedance": ({"cell_after_ohm": 10.0}, {}),
    "electrodes that block": ({"cell_after_ohm": 1e6}, {"kind": "blocking"}),
    "a cell that never blocked": (None, {"before": 30 - 1j, "after": 20 - 1j}),
}


@pytest.mark.parametrize(("current", "cell"), FINE.values(), ids=FINE)
def test_a_cell_without_a_sign_of_electrons_is_counted(current, cell):
    assert electron_path(pair(current, **cell), margin=0.1) == ""


def test_a_short_cell_is_left_out_by_name_and_counts_for_nothing():
    found = with_current(treated_2={"is_short": True})
    said = "treated-2 (treated) is left out: the short check found it short"
    assert said in found.notes
    assert {one.cell for one in found.changes if one.arm == "treated"} == set(TREATED) - {"treated-2"}
    assert "treated-2" not in {one.cell for one in found.sheets}
    assert found.to_dict()["electrons"]["flagged"] == [
        {"cell": "treated-2", "arm": "treated", "because": "the short check found it short"}
    ]
    assert any("electrons take part in treated-2, which is not counted (1 of 4" in one for one in found.shown)


def test_if_half_of_the_treated_cells_are_short_pores_are_never_called_filled():
    experiment = experiment_of(VIRTUAL.content)
    assert comparison_of().conclusion.finding is Finding.FILLED
    short = {name: {"is_short": True} for name in ("treated_1", "treated_2")}
    found = with_current(**short)
    assert len(experiment.cells_of("treated")) == 4
    assert found.conclusion.finding not in (Finding.FILLED, Finding.FILLED_WITHOUT_GAIN)
    cells = cells_with({"treated-1": {"is_short": True}, "treated-2": {"is_short": True}})
    six = comparison_of(cells=[*cells, {**cells[2], "id": "treated-5"}, {**cells[3], "id": "treated-6"}])
    assert six.conclusion.finding is Finding.FILLED
    more = [{**one, "direct_current": {"is_short": one["id"] in TREATED[:3]}} for one in cells]
    most = comparison_of(cells=[*more, {**cells[2], "id": "treated-5"}, {**cells[3], "id": "treated-6"}])
    assert most.conclusion.finding is Finding.IMPROVED
    assert "electrons take part in half of the treated cells, or more" in most.conclusion.sentence


def test_if_every_cell_is_short_there_is_nothing_to_compare():
    with pytest.raises(ConfigError, match="No cell can be compared"):
        with_current(treated={"is_short": True}, heated={"is_short": True}, untreated={"is_short": True})


def test_a_filler_that_cuts_the_electrons_off_shows_as_a_rise_of_their_resistance():
    measured = {
        arm: {"electronic_before_ohm": 2.0, "electronic_after_ohm": 2.0 * ratio, "u_electronic_ohm": 0.01}
        for arm, ratio in (("treated", 1.7), ("heated", 1.02), ("untreated", 1.0))
    }
    found = with_current(**measured)
    assert found.effects["R_el"].ratio == pytest.approx(1.7 / 1.02)
    assert any(one.startswith("the electronic resistance rose against heated: 1.67 times") for one in found.shown)
    assert "no treated cell is short, by direct current" in found.shown
    assert found.quantity == "ASR_if"


def test_a_cell_whose_electronic_resistance_fell_still_shows_that_it_fell():
    found = with_current(treated_1={"electronic_before_ohm": 100.0, "electronic_after_ohm": 10.0})
    assert [one.quantity for one in found.changes if one.cell == "treated-1"] == ["R_el"]


def test_direct_current_looked_at_in_some_cells_is_not_taken_for_all():
    found = with_current(treated_1={"is_short": False})
    assert "that no treated cell is short: direct current was looked at in 1 of 4" in found.not_shown


def test_charge_transfer_inside_a_transmission_line_is_compared_as_such():
    experiment = experiment_of(VIRTUAL.content)
    pairs = []
    for number, cell in enumerate(experiment.cells):
        states = [_faradaic(ratio * (1 + 0.01 * math.sin(3.0 * number + ratio))) for ratio in (1.0, 0.5)]
        pairs.append(PairedCell(cell, *states))
    found = compare(experiment, pairs)
    (treated,) = (one for one in found.arms["R_ct"] if one.name == "treated")
    assert treated.ratio == pytest.approx(0.5, rel=0.02)
    assert "R_ct" in found.to_dict()["quantities"]


def _faradaic(ratio):
    state = state_of(BEFORE)
    ct = replace(state.fit["TLMQ1_0"], name="TLMQF1_1", value=25.0 * ratio, u=0.05)
    ionic = replace(state.fit["TLMQ1_0"], name="TLMQF1_0")
    rest = tuple(one for one in state.fit.parameters if one.name != "TLMQ1_0")
    fit = replace(
        state.fit,
        parameters=(*rest, ionic, ct),
        free=(*(one.name for one in rest), "TLMQF1_0", "TLMQF1_1"),
        covariance=np.diag([one.u**2 for one in (*rest, ionic, ct)]),
    )
    return State(fit, state.arcs)
