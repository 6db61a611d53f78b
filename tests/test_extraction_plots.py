"""The map of processes and the bars of a budget: everything that was found is on them, in words too."""

import math
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from eis.budget import Budget, Line
from eis.extraction import Conditions, extract
from eis.extraction_plots import plot_assignment, plot_budget
from eis.spectrum import Cell
from fitting import fit
from tests.truth import TwoArcs

CELL = Cell(1.131, 0.011, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05)


def words(axes):
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def arcs():
    fitted = fit(TwoArcs.circuit, TwoArcs().spectrum(noise=1e-3))
    return extract(fitted, CELL, conditions=Conditions(instrument_accuracy=0.003))


def test_a_cell_without_arcs_says_so():
    axes = plot_assignment([], CELL)
    assert axes.artists[-1].txt.get_text() == "no arc"


def test_an_arc_without_capacitance_is_named_and_left_out(arcs):
    lost = replace(arcs[0], capacitances=(), name="R7")
    axes = plot_assignment([lost, arcs[1]], CELL)
    assert axes.artists[-1].txt.get_text() == "not determined: R7"
    assert not any("R7" in text for text in words(axes))


def test_every_arc_stands_where_it_is_and_says_what_it_is(arcs):
    axes = plot_assignment(arcs, CELL)
    points = [line.get_xydata()[0] for line in axes.lines if len(line.get_xydata()) == 1]
    for arc, (f, c) in zip(arcs, [p for p in points if p[1] > 0], strict=False):
        assert f == pytest.approx(arc.frequency_hz)
        assert c == pytest.approx(arc.capacitances[0].value_f * 2 / 1.131)
        assert any(text.startswith(f"{arc.name}: {arc.process}") for text in words(axes))


def test_the_ranges_are_those_of_this_cell(arcs):
    def ranges(cell):
        axes = plot_assignment(arcs, cell)
        return {t.get_text().strip(): t.get_position() for t in axes.texts}

    thin, thick = ranges(replace(CELL, thickness_cm=0.005)), ranges(CELL)
    assert thin["bulk"][1] == pytest.approx(10 * thick["bulk"][1])
    assert thin["electrode interface"] == thick["electrode interface"]
    assert "blocking electrode" in ranges(replace(CELL, kind="blocking"))
    cold = ranges(replace(CELL, temperature_c=-25.0))
    factor = math.exp(0.35 / 8.617333262e-5 * (1 / 248.15 - 1 / 298.15))
    assert thick["bulk"][0] / cold["bulk"][0] == pytest.approx(factor)


def test_an_arc_that_is_not_resolved_says_so(arcs):
    assert any("not resolved" in text for text in words(plot_assignment([replace(arcs[0], resolved=False)], CELL)))


def test_a_line_that_nobody_stated_has_no_bar_and_is_not_called_zero(arcs):
    axes = plot_budget(Budget("R", 5.0, "Ω", (Line("fit", 0.1, "covariance"), Line("area", None, "not measured"))))
    assert [bar.get_width() > 0 for bar in axes.patches] == [True, False, True]
    assert "not stated" in words(axes)
    assert not {"0", "0%"} & set(words(axes))
    assert any("of what was stated" in text for text in words(axes))


def test_every_line_of_a_budget_has_its_bar_its_share_and_its_reason(arcs):
    budget = arcs[1].budget
    axes = plot_budget(budget)
    widths = [bar.get_width() for bar in axes.patches]
    assert len(widths) == len(budget.lines) + 1
    for line, width in zip(budget.lines, widths, strict=False):
        assert width / widths[-1] == pytest.approx((line.u or 0.0) / budget.u)
        assert line.because in words(axes)
    assert [tick.get_text() for tick in axes.get_yticklabels()][-1] == "together"


def test_a_budget_without_uncertainty_is_drawn_and_says_so():
    axes = plot_budget(Budget("R", 5.0, "Ω", (Line("fit", math.nan, "not determined"),)))
    assert "n/a" in words(axes)
    axes.figure.canvas.draw()


def test_axes_that_are_given_are_drawn_into(arcs):
    left, right = Figure().subplots(1, 2)
    assert plot_assignment(arcs, CELL, ax=left) is left
    assert plot_budget(arcs[0].budget, ax=right) is right
