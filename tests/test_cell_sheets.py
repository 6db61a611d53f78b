"""What became of each cell's sheet and contact: what contradicts itself is said, and the truth is found."""

import copy
import math

import numpy as np
import pytest

from benchmarks.filling import quick_pairs
from eis.constriction import interface_asr
from eis.errors import ConfigError
from eis.experiment import experiment_of
from eis.experiment_generator import generate
from eis.filling import compare
from tests.test_comparison_page import comparison_of

VIRTUAL = generate("true-filling", np.random.default_rng(4), n=4)


def cells_with(edit):
    """Return the cells of the file after an edit of each."""
    cells = copy.deepcopy(VIRTUAL.content["cells"])
    for cell in cells:
        edit(cell)
    return cells


def dried(**lost):
    """Return cells of which something was driven out at the end, by arm (mg)."""

    def edit(cell):
        if cell["arm"] in lost:
            cell["geometry"]["mass_dried_mg"] = cell["geometry"]["mass_after_mg"] - lost[cell["arm"]]

    return cells_with(edit)


def mean_of(found, arm, quantity):
    (one,) = (one for one in found.sheet_means if (one.arm, one.quantity) == (arm, quantity))
    return one


def test_a_mass_after_drying_without_the_one_before_is_refused():
    def edit(cell):
        cell["geometry"] = {"mass_dried_mg": 30.0}

    with pytest.raises(ConfigError, match=r"cells\.0\.geometry\.mass_dried_mg"):
        experiment_of({**VIRTUAL.content, "cells": cells_with(edit)})


def test_a_sheet_that_grows_in_drying_is_a_contradiction_by_name():
    found = comparison_of(cells=dried(treated=-1.0))
    assert "inconsistent: treated-1 grew by 1 mg when it was dried" in found.notes


CONTACTS = {
    "no radius": ({"asr_ct_ohm_cm2": 1.0}, r"contact\.spot_radius_um"),
    "a radius of nothing": ({"spot_radius_um": 0.0}, r"contact\.spot_radius_um"),
    "a charge transfer below zero": ({"spot_radius_um": 1.0, "asr_ct_ohm_cm2": -1.0}, r"contact\.asr_ct_ohm_cm2"),
}


@pytest.mark.parametrize(("contact", "where"), CONTACTS.values(), ids=CONTACTS)
def test_a_contact_that_is_none_is_refused(contact, where):
    with pytest.raises(ConfigError, match=where):
        experiment_of({**VIRTUAL.content, "contact": contact})


def test_a_contact_without_the_conductivity_of_the_composite_is_refused():
    content = {key: value for key, value in VIRTUAL.content.items() if key != "composite"}
    with pytest.raises(ConfigError, match=r"contact: the part in contact needs the conductivity of \[composite\]"):
        experiment_of(content)


def test_an_interface_better_than_full_contact_has_no_coverage_and_says_why():
    found = comparison_of(contact={"spot_radius_um": 1.0, "asr_ct_ohm_cm2": 1e3})
    assert any(one.startswith("treated-1: coverage before is not known:") for one in found.notes)
    assert all(not one.coverage[0].is_known for one in found.sheets)


def test_solvent_left_behind_is_found_and_is_no_filler():
    wet, dry = comparison_of(cells=dried(treated=1.5)), comparison_of()
    residual = mean_of(wet, "treated", "residual mass")
    assert residual.value == pytest.approx(1.5)
    assert any(
        one.startswith("solvent, or something else volatile, was left behind in treated") for one in wet.shown
    )
    geometry = [cell["geometry"] for cell in VIRTUAL.content["cells"] if cell["arm"] == "treated"]
    gain = np.mean([one["mass_after_mg"] - one["mass_before_mg"] for one in geometry])
    assert wet.fill.gravimetric.value == pytest.approx(dry.fill.gravimetric.value * (gain - 1.5) / gain)


def test_a_sheet_that_loses_nothing_more_is_not_said_to_hold_solvent():
    found = comparison_of(cells=dried(treated=0.0))
    assert any(one.startswith("that something volatile was left behind in treated") for one in found.not_shown)


def test_each_cell_has_its_own_fill_fractions_around_its_own_truth():
    rng = np.random.default_rng(5)
    virtual = generate("true-filling", rng, n=6)
    experiment = experiment_of(virtual.content)
    found = compare(experiment, quick_pairs(virtual, experiment, rng), rng=rng)
    fills = [one.fill for one in found.sheets if one.arm == "treated"]
    assert len(fills) == 6
    assert all(one.gravimetric.low - 0.05 <= 0.8 <= one.gravimetric.high + 0.05 for one in fills)
    assert all(one.electrical.is_known and one.geometric.is_known for one in fills)
    assert {one.fill for one in found.sheets if one.arm != "treated"} == {None}
    entry = next(one for one in found.to_dict()["sheets"] if one["cell"] == "treated-3")
    assert entry["fill"]["f_grav_low"] < entry["fill"]["f_grav"] < entry["fill"]["f_grav_high"]
    assert "treated-3" in found.text()


def test_where_the_filler_was_there_from_the_start_contact_is_told_instead_of_filling():
    rng = np.random.default_rng(5)
    virtual = generate("in-formulation", rng, n=6)
    experiment = experiment_of(virtual.content)
    found = compare(experiment, quick_pairs(virtual, experiment, rng), rng=rng)
    for quantity in ("coverage from R", "coverage from C"):
        one = mean_of(found, "treated", quantity)
        assert one.value == pytest.approx(1.8, rel=0.08)
    assert sum("more of the treated interfaces is in contact than before" in one for one in found.shown) == 2
    assert mean_of(found, "treated", "thickness change").value == pytest.approx(-0.03, abs=0.01)


def test_the_coverage_is_the_one_that_gives_the_resistance():
    found = comparison_of()
    contact, composite = found.experiment.contact, found.experiment.composite
    for sheet in found.sheets:
        change = next(one for one in found.changes if (one.cell, one.quantity) == (sheet.cell, "ASR_if"))
        for coverage, asr in zip(sheet.coverage, (change.before, change.after), strict=False):
            back = interface_asr(
                coverage.value, contact.asr_ct_ohm_cm2, contact.spot_radius_um, composite.conductivity_s_cm
            )
            assert float(back) == pytest.approx(asr, rel=1e-6)
            assert coverage.low < coverage.value < coverage.high


def test_masses_and_thicknesses_are_differences_of_what_was_measured():
    found = comparison_of()
    for cell, sheet in zip(VIRTUAL.content["cells"], found.sheets, strict=True):
        g = cell["geometry"]
        assert sheet.mass_change_mg == pytest.approx(g["mass_after_mg"] - g["mass_before_mg"])
        assert sheet.u_mass_change_mg == pytest.approx(math.sqrt(2) * 0.02)
        assert sheet.thickness_change == pytest.approx(g["thickness_after_um"] / g["thickness_before_um"] - 1)


DOUBTS = {
    "below the melting point": ({"treated": 120.0, "heated": 120.0}, 150.0, "has not melted"),
    "another heat": ({"treated": 180.0, "heated": 150.0}, None, "what heat does is not the same in both"),
}


@pytest.mark.parametrize(("heat", "melting", "words"), DOUBTS.values(), ids=DOUBTS)
def test_what_is_against_the_design_is_said(heat, melting, words):
    def edit(cell):
        cell["history"] = {"heated_to_c": heat.get(cell["arm"], 25.0), "dwell_min": 30.0}

    filler = {**VIRTUAL.content["filler"], "melting_point_c": melting}
    assert any(words in note for note in comparison_of(cells=cells_with(edit), filler=filler).notes)


def test_arms_that_waited_for_unlike_times_are_named():
    def edit(cell):
        cell["before"]["hours_since_assembly"] = 2.0
        cell["after"]["hours_since_assembly"] = 50.0 if cell["arm"] == "untreated" else 8.0

    said = [note for note in comparison_of(cells=cells_with(edit)).notes if "cells age" in note]
    assert said == ["untreated was measured again after 48 h and the treated cells after 6 h: cells age"]


def test_a_spectrum_taken_in_haste_and_another_dwell_are_said():
    def edit(cell):
        cell["after"]["hours_at_temperature"] = 0.2
        cell["history"]["dwell_min"] = 30.0 if cell["arm"] == "treated" else 5.0

    notes = comparison_of(cells=cells_with(edit)).notes
    assert any("treated-1, treated-2, treated-3 and 9 more had less than 1 h" in note for note in notes)
    assert any("heated was held hot for 5 min and the treated cells for 30 min" in note for note in notes)
