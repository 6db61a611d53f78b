"""Activation energies before and after: too few temperatures tell nothing, and who carries current is right."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest

from eis.comparison import State
from eis.comparison_plots import plot_activation
from eis.errors import ConfigError
from eis.experiment import experiment_of
from eis.experiment_generator import generate
from eis.filling import PairedCell, compare
from eis.transport import filled_medium
from tests.test_comparison_page import state_of

K = 8.617333262e-5
VIRTUAL = generate("true-filling", np.random.default_rng(4), n=4)
SOLID, FILLER = 0.35, 0.55
OTHERS = (0.0, 50.0)


def resistance(r, energy_ev, t_c):
    """Return a resistance that is `r` at 25 °C, of σT = σ₀·exp(−E/kT)."""
    t, t0 = t_c + 273.15, 298.15
    return r * t / t0 * math.exp(energy_ev / K * (1 / t - 1 / t0))


def experiment_with(before=OTHERS, after=OTHERS, edit=lambda content: None):
    """Return the file of twelve cells, each with spectra at other temperatures before and after."""
    cells = [
        {
            **cell,
            **{
                f"{when}_at": [
                    {"file": f"{cell['id']}-{when}-{t:g}.nc", "temperature_c": t, "pressure_mpa": 5.0}
                    for t in places
                ]
                for when, places in (("before", before), ("after", after))
            },
        }
        for cell in copy.deepcopy(VIRTUAL.content["cells"])
    ]
    filler = {**VIRTUAL.content["filler"], "activation_energy_ev": FILLER, "u_activation_energy_ev": 0.002}
    content = {**VIRTUAL.content, "cells": cells, "filler": filler}
    edit(content)
    return experiment_of(content)


def comparison_of(moved=0.0, *, experiment=None, heat=0.0, rename=False):
    """Compare cells whose ionic resistance is on an Arrhenius line; treating moves its energy by `moved` (eV)."""
    experiment = experiment or experiment_with()
    pairs = []
    for number, cell in enumerate(experiment.cells):
        own = SOLID + 0.004 * math.sin(2.0 * number)
        wiggle = 0.002 * math.sin(5.0 * number)
        gained = {"treated": moved + heat, "heated": heat, "untreated": 0.0}[cell.arm]
        states = [
            [state_of(values(26.0 * factor, energy, t)) for t in (25.0, *(one.temperature_c for one in places))]
            for factor, energy, places in (
                (1.0, own, cell.before_at),
                (0.6 if cell.arm == "treated" else 1.0, own + gained + wiggle, cell.after_at),
            )
        ]
        (before, *before_at), (after, *after_at) = states
        if rename:
            before_at = [*before_at[:-1], renamed(before_at[-1])]
        pairs.append(PairedCell(cell, before, after, "", tuple(before_at), tuple(after_at)))
    return compare(experiment, pairs)


def renamed(state):
    """Return a state whose arcs have each other's names, as a fit gives them that orders arcs by τ."""
    names = {"R1": "R2", "R2": "R1"}
    return State(state.fit, tuple(replace(arc, name=names[arc.name]) for arc in state.arcs))


def values(ionic, energy_ev, t_c):
    return {
        "R_s": 4.0,
        "R_gb": resistance(10.0, 0.40, t_c),
        "R_if": resistance(20.0, 0.45, t_c),
        "C_if": 2e-5,
        "R_ion": resistance(ionic, energy_ev, t_c),
    }


FAULTS = {
    "a list where one spectrum belongs": (
        lambda cell: cell.update(before=[cell["before"]]),
        ("cells.0.before", "go into before_at"),
    ),
    "other temperatures of a state that is not there": (
        lambda cell: cell.pop("after"),
        ("cells.0.after_at", "there is no spectrum 'after'"),
    ),
    "a state whose own temperature is not told": (
        lambda cell: cell["before"].pop("temperature_c"),
        ("cells.0.before.temperature_c", "needed"),
    ),
    "a spectrum without temperature": (
        lambda cell: cell["before_at"][1].pop("temperature_c"),
        ("cells.0.before_at.1.temperature_c", "required"),
    ),
    "kelvin": (
        lambda cell: cell["before_at"][0].update(temperature_c=323.0),
        ("cells.0.before_at.0.temperature_c", "less than 200"),
    ),
    "the same spectrum twice": (
        lambda cell: cell["after_at"].append(cell["after_at"][0]),
        ("cells.0.after_at.2", "stands twice"),
    ),
    "the spectrum that is compared once more": (
        lambda cell: cell["after_at"].append({**cell["after"], "temperature_c": 30.0}),
        ("cells.0.after_at.2", "stands twice"),
    ),
}


@pytest.mark.parametrize(("edit", "words"), FAULTS.values(), ids=FAULTS)
def test_faulty_temperatures_are_refused_with_their_key_path(edit, words):
    def change(content):
        edit(content["cells"][0])

    with pytest.raises(ConfigError) as caught:
        experiment_with(edit=change)
    assert [word for word in words if word not in str(caught.value)] == []


def test_an_energy_of_the_filler_that_is_none_is_refused():
    def change(content):
        content["filler"]["activation_energy_ev"] = -0.5

    with pytest.raises(ConfigError, match=r"filler\.activation_energy_ev"):
        experiment_with(edit=change)


@pytest.mark.parametrize("places", [(0.0,), (25.2, 0.0)])
def test_fewer_than_three_temperatures_cannot_tell(places):
    found = comparison_of(0.1, experiment=experiment_with(after=places))
    assert found.carrier.verdict == "cannot tell"
    assert "TLMQ1_0 is known at 2 temperatures, 3 are needed" in found.carrier.because
    assert any(
        said.startswith("whether the filler carries the current: the activation") for said in found.not_shown
    )
    assert "current" not in found.conclusion.sentence


def test_ranges_that_hardly_overlap_cannot_tell():
    found = comparison_of(0.1, experiment=experiment_with(before=(-40.0, 0.0), after=(60.0, 90.0)))
    assert found.carrier.verdict == "cannot tell"
    assert "the ranges before and after are too different (-40 to 25 °C, 25 to 90 °C)" in found.carrier.because


def test_spectra_of_a_melt_are_left_out_by_name():
    def change(content):
        content["filler"]["melting_point_c"] = 45.0

    found = comparison_of(0.1, experiment=experiment_with(edit=change))
    said = "treated-1, after at 50 °C, is left out: the filler melts at 45 °C, and a melt is on another line"
    assert said in found.notes
    assert found.carrier.verdict == "cannot tell"


def test_a_spectrum_at_another_pressure_is_left_out_by_name():
    def change(content):
        content["cells"][0]["before_at"][0]["pressure_mpa"] = 50.0

    found = comparison_of(0.1, experiment=experiment_with(edit=change))
    said = "treated-1, before at 0 °C, is left out: it was measured at 5 MPa first and 50 MPa then"
    assert said in found.notes
    (change,) = (one for one in found.energies["R_ion"].change if one.name == "treated")
    assert change.n == 3


def test_without_a_heated_control_nobody_says_who_carries_the_current():
    def change(content):
        content["arms"] = [arm for arm in content["arms"] if arm["name"] != "heated"]
        content["cells"] = [cell for cell in content["cells"] if cell["arm"] != "heated"]

    found = comparison_of(0.1, experiment=experiment_with(edit=change))
    assert found.carrier.verdict == "cannot tell"
    assert "untreated, which was not heated" in found.carrier.because


def test_without_the_energy_of_the_filler_the_move_is_told_and_nothing_more():
    def change(content):
        del content["filler"]["activation_energy_ev"]

    found = comparison_of(0.1, experiment=experiment_with(edit=change))
    assert found.carrier.verdict == "cannot tell"
    assert "moved by +0.10" in found.carrier.because
    assert "filler.activation_energy_ev" in found.carrier.because


def test_a_filler_that_is_as_activated_as_the_solid_cannot_be_told_from_it():
    def change(content):
        content["filler"] |= {"activation_energy_ev": SOLID + 0.002}

    found = comparison_of(0.0, experiment=experiment_with(edit=change))
    assert found.carrier.verdict == "cannot tell"
    assert "too much alike" in found.carrier.because


def test_two_cells_in_an_arm_are_descriptive_only():
    def change(content):
        content["cells"] = [cell for cell in content["cells"] if cell["id"][-1] in "12"]

    found = comparison_of(0.1, experiment=experiment_with(edit=change))
    assert found.carrier.verdict == "cannot tell"
    assert "2 cells in an arm: descriptive only" in found.carrier.because
    assert math.isnan(found.energies["R_ion"].effect.low_ev)


def test_an_experiment_at_one_temperature_says_what_it_would_take():
    found = comparison_of(0.0, experiment=experiment_with(before=(), after=()))
    assert found.carrier is None
    assert found.energies == {}
    assert found.to_dict()["activation"] is None
    assert "whether the filler carries the current: its activation energy would tell, before and after" in (
        found.not_shown
    )


SHARES = [(0.8, "filler"), (0.3, "both"), (0.0, "solid"), (0.02, "solid"), (-0.5, "neither"), (1.6, "neither")]


@pytest.mark.parametrize(("share", "verdict"), SHARES)
def test_the_move_towards_the_filler_says_who_carries_the_current(share, verdict):
    found = comparison_of(share * (FILLER - SOLID))
    assert found.carrier.verdict == verdict
    assert found.carrier.low <= share <= found.carrier.high
    assert found.carrier.share == pytest.approx(share, abs=0.02)
    assert found.carrier.level == 0.99
    assert found.carrier.because in found.shown


def test_a_move_that_heat_alone_makes_too_is_not_the_filler_s():
    found = comparison_of(0.0, heat=0.05)
    assert found.carrier.verdict == "solid"
    (treated,) = (one for one in found.energies["R_ion"].change if one.name == "treated")
    assert treated.low_ev > 0.04


def test_each_energy_is_that_of_its_line_and_the_effect_is_the_difference():
    found = comparison_of(0.08).energies["R_ion"]
    for number, one in enumerate(found.cells):
        assert one.before["E_a"].value == pytest.approx(SOLID + 0.004 * math.sin(2.0 * number), abs=1e-9)
        moved = (0.08 if one.arm == "treated" else 0.0) + 0.002 * math.sin(5.0 * number)
        assert one.change_ev == pytest.approx(moved, abs=1e-9)
        u = [law["E_a"].u for law in (one.before, one.after)]
        assert one.u_change_ev == pytest.approx(math.hypot(*u))
    change = {one.name: one.value_ev for one in found.change}
    assert found.effect.value_ev == pytest.approx(change["treated"] - change["heated"])
    assert found.effect.low_ev < 0.08 < found.effect.high_ev


def test_arcs_that_change_names_at_another_temperature_are_followed():
    found = comparison_of(0.0, rename=True)
    gb, interface = (found.energies[name] for name in ("R_gb", "ASR_if"))
    assert [one.before["E_a"].value for one in gb.cells] == pytest.approx([0.40] * 12)
    kelvin = np.array([25.0, *OTHERS]) + 273.15
    logs = np.log([resistance(20.0, 0.45, t) for t in (25.0, *OTHERS)])  # of 1/ASR, in which R is T·exp(E/kT)
    energy = K * np.polyfit(1 / kelvin, logs, 1)[0]
    assert [one.before["E_a"].value for one in interface.cells] == pytest.approx([energy] * 12, abs=1e-6)


def test_the_share_is_the_filler_s_part_of_the_losses_in_an_effective_medium():
    def medium(conductor, filler):
        return float(
            filled_medium(
                0.8, conductor_fraction=0.445, void_fraction=0.126, conductor_s_cm=conductor, filler_s_cm=filler
            )
        )

    step = 1e-4
    part = math.log(medium(2e-3, 1.5e-3 * (1 + step)) / medium(2e-3, 1.5e-3 * (1 - step))) / (2 * step)
    truth = generate("true-filling", np.random.default_rng(1), n=1, temperatures_c=(24.0, 26.0)).truth
    assert truth["share"] == pytest.approx(part, abs=2e-3)


def test_everything_stands_in_text_document_table_and_drawing():
    found = comparison_of(0.06)
    text, entry, table = found.text(), found.to_dict()["activation"], found.to_dataframe()
    assert "Activation energy / eV (95 % interval)" in text
    assert "treated less heated" in text
    assert "the filler carries a part of the ionic current" in found.conclusion.sentence
    assert entry["carrier"]["verdict"] == "both"
    assert len(entry["quantities"]["R_ion"]["cells"]) == 12
    own = table[(table.quantity == "R_ion") & (table.cell == "treated-1")].iloc[0]
    assert own.e_a_change_ev == pytest.approx(0.06, abs=0.004)
    assert table[table.quantity == "R_s"].e_a_change_ev.isna().all()
    ax = plot_activation(found)
    (treated,) = (line for line in ax.lines if str(line.get_label()).startswith("treated after"))
    assert float(max(treated.get_ydata())) > 1 / 0.6
    assert "slope of the filler: 0.550 eV" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_quantity_without_energies_has_an_empty_drawing():
    ax = plot_activation(comparison_of(0.0), "R_ct")
    assert ax.artists
    assert not ax.lines
