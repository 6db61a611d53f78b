"""The record of a comparison and its page: complete, self-contained, always the same, safe with hostile names."""

import json
import math
import re
from dataclasses import replace
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from eis.comparison import State
from eis.comparison_page import render_comparison, write_comparison
from eis.comparison_plots import plot_cell, plot_covariation, plot_effects, plot_slopes
from eis.errors import StoreError
from eis.experiment import experiment_of
from eis.experiment_generator import generate
from eis.filling import PairedCell, compare
from eis.results import Arc, Fit, Interface, Parameter
from eis.spectrum import Spectrum
from tests.test_report import Page

VIRTUAL = generate("true-filling", np.random.default_rng(4), n=4)
HOSTILE = '<script>alert("x")</script>\x1b[2J\u202e\nFILLED: no'
CAPACITANCE = {"treated": 1.8, "heated": 1.0, "untreated": 1.0}
"""Of the interface, after over before, in closed form."""
RATIO = {"treated": 0.5, "heated": 0.97, "untreated": 1.01}


def fit_of(values):
    """Return a fit that says what is true, without any fitting."""
    names = {"R0": values["R_s"], "R1": values["R_gb"], "R2": values["R_if"], "TLMQ1_0": values["R_ion"]}
    parameters = tuple(Parameter(name, value, 0.002 * value, "ohm") for name, value in names.items())
    f = np.geomspace(1e6, 1, 7)
    z = np.full(7, 1 - 1j)
    arcs = (Arc("R1", "capacitor", "R1", "C1", None), Arc("R2", "capacitor", "R2", "C2", None))
    spread = np.diag([parameter.u**2 for parameter in parameters])
    return Fit(
        "R0-p(R1,C1)-p(R2,C2)", parameters, tuple(names), spread, "modulus", 1.0, 1.0, 0.0, 0.0, 7, 4, True, (),
        f, z, z, arcs, ("R0",),
    )  # fmt: skip


def arc_of(name, process, r, c):
    return Interface(
        name, r, 0.002 * r, 2, 1.131, 0.005, c, "C", 1 / (2 * math.pi * r * c), process, 0.9, (), True, (),
        0.01 * c, probabilities=((process, 0.9),),
    )  # fmt: skip


def state_of(values):
    arcs = (
        arc_of("R1", "grain boundary", values["R_gb"], 1e-8),
        arc_of("R2", "electrode interface", values["R_if"], values["C_if"]),
    )
    return State(fit_of(values), arcs)


def comparison_of(**changes):
    """Compare cells whose every value is known; changes replace keys of the experiment."""
    experiment = experiment_of({**VIRTUAL.content, **changes})
    pairs = []
    for number, cell in enumerate(experiment.cells):
        wiggle = 1 + 0.02 * math.sin(3.0 * number)
        before = {"R_s": 4.0, "R_gb": 10.0, "R_if": 20.0 * wiggle, "C_if": 2e-5, "R_ion": 26.0}
        ratio = RATIO[cell.arm] * (1 + 0.03 * math.sin(5.0 * number))
        after = before | {
            "R_s": 4.0 * wiggle,
            "R_gb": 10.0 / wiggle,
            "R_if": before["R_if"] * ratio,
            "C_if": 2e-5 * CAPACITANCE[cell.arm],
            "R_ion": 26.0 * (0.56 if cell.arm == "treated" else 0.98) * wiggle,
        }
        pairs.append(PairedCell(cell, state_of(before), state_of(after)))
    return compare(experiment, pairs)


@cache
def usual():
    return comparison_of()


@cache
def spectra():
    cells = usual().experiment.cells_of("treated")
    return {cell.id: (VIRTUAL.spectra[cell.before.file], VIRTUAL.spectra[cell.after.file]) for cell in cells}


@cache
def page():
    return render_comparison(usual(), spectra())


def test_hostile_words_are_text_and_nothing_else():
    arms = [{**arm, "description": HOSTILE, "process": {"route": HOSTILE}} for arm in VIRTUAL.content["arms"]]
    filler = {**VIRTUAL.content["filler"], "name": HOSTILE}
    found = replace(comparison_of(title=HOSTILE, arms=arms, filler=filler), notes=(HOSTILE,))
    page, text = render_comparison(found), str(found)
    assert not set(page + text) & set("\x1b\u202e")
    assert not any(line.startswith("FILLED: no") for line in text.splitlines())
    shown = Page(page)
    assert "script" not in shown.tags
    assert not any(name.startswith("on") for name, _ in shown.attributes)
    assert "<script" not in found._repr_html_()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="no such folder"):
        write_comparison(usual(), tmp_path / "none")


def test_a_comparison_without_fill_cause_effects_or_spectra_still_has_a_page():
    bare = replace(
        usual(), fill=None, cause=None, effects={}, others={}, capacitances={}, matches={}, changes=(), sheets=(),
        sheet_means=(),
    )  # fmt: skip
    text = render_comparison(bare)
    assert bare.conclusion.sentence in "".join(Page(text).text)
    assert "no effect to draw" in text
    assert "no cell before and after" in text
    assert bare.to_dict()["effect"] is None
    assert [table.title for table in bare.tables()] == ["Arms: ratio after over before"]


def test_a_cell_that_cannot_be_compared_says_why_in_text_page_and_document():
    because = "R2 has no counterpart after: it is gone"
    lost = replace(usual().changes[0], ln_ratio=math.nan, u_ln_ratio=math.nan, because=because)
    found = replace(usual(), changes=(lost, *usual().changes[1:]))
    assert because in str(found)
    assert because in render_comparison(found)
    assert found.to_dict()["changes"][0]["ratio"] is None
    assert found.to_dict()["changes"][0]["because"] == because


def test_the_page_asks_for_nothing_from_elsewhere_and_every_tag_is_closed():
    shown = Page(page())
    assert shown.open == []
    assert "script" not in shown.tags
    addresses = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
    asked = [value for name, value in shown.attributes if name in addresses]
    assert [value for value in asked if not value.startswith("#")] == []
    assert "@import" not in page()
    assert not re.search(r"url\((?!#)", page())


def test_no_id_is_used_twice():
    ids = [value for name, value in Page(page()).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_comparison_gives_the_same_bytes_whatever_the_readers_own_style():
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"}):
        assert render_comparison(usual(), spectra()) == page()


def flat(text):
    return " ".join(text.split())


def test_text_and_page_say_everything_important():
    one = usual()
    shown = flat("".join(Page(page()).text))
    words = [one.conclusion.sentence, *one.shown, *one.not_shown, *one.notes]
    words += [cell for table in one.tables() for row in table.rows for cell in row]
    for text in (flat(str(one)), shown):
        assert [said for said in words if flat(said) not in text] == []
    for said in (
        *(arm.description for arm in one.experiment.arms),
        one.experiment.circuit,
        "10.1093/biomet/34.1-2.28",
    ):
        assert said in shown


def test_the_text_begins_with_title_and_conclusion_and_its_tables_are_aligned():
    lines = str(usual()).splitlines()
    assert lines[0] == "Virtual experiment: true-filling"
    assert lines[2] == f"FILLED: {usual().conclusion.sentence}"
    start = lines.index("Arms: ratio after over before")
    columns = [line.index(" (") for line in lines[start + 2 : start + 14]]
    assert max(columns) - min(columns) <= 1  # 0.500 or 1.00 before the bracket
    assert all(line == line.rstrip() for line in lines)


def test_the_text_can_leave_out_the_cells():
    assert "treated-1  " not in usual().text(cells=False)
    assert "treated-1  " in usual().text()


def test_the_values_are_those_put_in():
    entry = usual().to_dict()
    logs = [math.log(RATIO["treated"] * (1 + 0.03 * math.sin(5.0 * number))) for number in range(4)]
    assert entry["arms"][0]["ratio"] == pytest.approx(math.exp(sum(logs) / 4))
    assert entry["cause"]["ln_c"] == pytest.approx(math.log(CAPACITANCE["treated"]))
    asr = next(one for one in entry["changes"] if one["quantity"] == "ASR_if")
    assert asr["before"] == pytest.approx(20.0 * 1.131 / 2)


def test_the_document_survives_json():
    entry = usual().to_dict()
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry


def test_what_is_shown_and_what_is_not_are_kept_apart():
    one = usual()
    assert any("the pores are filled" in said for said in one.shown)
    assert any("ionic resistance fell against heated" in said for said in one.shown)
    assert not any("pores are filled" in said for said in one.not_shown)
    assert any("activation energy" in said for said in one.not_shown)
    assert any("series resistance" in said and "includes 1" in said for said in one.not_shown)


def test_filler_that_was_in_from_the_start_never_shows_filled_pores():
    one = comparison_of(mode="in_formulation")
    assert not any("filled" in said for said in one.shown)
    assert any(
        "that pores are filled: the filler was in the electrode from the start" in said for said in one.not_shown
    )
    assert one.to_dict()["fill"]["f_el"] is None


def test_where_no_effect_is_shown_the_drop_that_would_have_been_is_named():
    one = usual()
    same = replace(one.effects["ASR_if"], low=0.8, high=1.2)
    found = replace(one, effects={**one.effects, "ASR_if": same})
    assert any("find a drop of" in said for said in found.not_shown)
    assert not any("find a drop of" in said for said in one.not_shown)


def test_the_table_has_a_row_for_each_quantity_of_each_cell():
    frame = usual().to_dataframe()
    assert len(frame) == 4 * 12
    assert set(frame["unit"]) == {"Ω·cm²", "Ω"}
    assert np.log(frame["after"] / frame["before"]).to_numpy() == pytest.approx(frame["ln_ratio"].to_numpy())


def test_a_notebook_shows_the_conclusion_and_the_effects():
    shown = Page(usual()._repr_html_())
    assert usual().conclusion.sentence.split(":")[0] in "".join(shown.text)
    assert shown.tags.count("table") == 3


def test_the_drawings_show_every_effect_cell_and_cause():
    one = usual()
    labels = [label.get_text() for label in plot_effects(one).get_yticklabels()]
    assert labels[:2] == ["ASR_if: treated / heated", "ASR_if: untreated / heated"]
    assert len(labels) == 8
    ax = plot_covariation(one)
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    assert drawn["treated"][:, 1] == pytest.approx(math.log(1.8))
    assert drawn["treated"][:, 0] == pytest.approx([c.ln_ratio for c in one.changes if c.quantity == "ASR_if"][:4])
    own = Figure().add_subplot()
    assert plot_slopes(one, "R_ion", ax=own) is own
    assert plot_slopes(one, "nothing").artists


def test_a_blocking_tail_hides_no_arc():
    before, after = spectra()["treated-1"]
    ax = plot_cell(before, after)
    f = np.geomspace(1e5, 1, 30)
    arc = Spectrum.of(f, 5 + 10 / (1 + 2j * np.pi * f * 1e-4))
    assert ax.get_xlabel() == "Z′ / Ω"
    assert max(ax.get_ylim()[1], ax.get_xlim()[1]) < 0.1 * float(-before.z_ohm.imag.min())
    widest = max(float(line.get_xdata().max()) for line in ax.lines if len(line.get_xdata()) > 2)
    assert widest > 30
    whole = next(line for line in plot_cell(arc, arc).lines if len(line.get_xdata()) > 2)
    assert whole.get_xdata() == pytest.approx(arc.z_ohm.real)
