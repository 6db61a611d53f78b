"""Plots: into the axes given, nothing global touched, equal scale, capacitive upwards."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from eis.errors import ConfigError
from eis.plots import plot_bode, plot_nyquist, plot_residuals, plot_verdict, tail_dominates
from eis.spectrum import Quality, Spectrum
from tests.assessment_factory import assessment, finding, near_the_limit, not_resolved


def words_of(ax):
    """Every text in the figure of some axes."""
    return " ".join(text.get_text() for text in ax.figure.findobj(Text))


MAKE = {"fails": assessment, "near": near_the_limit, "blocking": not_resolved}


def test_a_spectrum_of_which_no_point_is_in_use_says_so():
    spectrum = Spectrum.of([10.0, 1.0], [1 - 1j, 2 - 1j], quality=[Quality.EXCLUDED] * 2)
    for ax in (plot_nyquist(spectrum), plot_bode(spectrum)[0]):
        assert "no usable point" in words_of(ax)
    assert not tail_dominates(spectrum)


def test_a_single_point_and_a_plain_resistor_are_drawn():
    for f, z in (([1.0], [5.0]), ([10.0, 1.0, 0.1], [1e-3, 1e-3, 1e-3])):
        spectrum = Spectrum.of(f, z)
        plot_nyquist(spectrum).figure.canvas.figure.draw_without_rendering()
        plot_bode(spectrum)[0].figure.canvas.figure.draw_without_rendering()


def test_residuals_of_nothing_are_refused():
    with pytest.raises(ConfigError, match="no residuals"):
        plot_residuals()


def test_findings_without_a_value_or_a_limit_are_drawn_as_text():
    odd = [finding(value=np.nan, u=np.nan), finding(limit=0.0), finding(value=-1.0), finding(u=np.nan)]
    ax = plot_verdict(assessment(findings=tuple(odd)).judgement)
    ax.figure.canvas.figure.draw_without_rendering()
    assert words_of(ax).count("(no value)") == 3
    assert "no reading was judged" in words_of(plot_verdict(assessment(findings=()).judgement))


def test_a_name_with_dollars_is_no_formula():
    ax = plot_verdict(assessment(findings=(finding(quantity="R$_2$ {x"),)).judgement)
    ax.figure.canvas.figure.draw_without_rendering()
    assert "R$_2$ {x" in words_of(ax)


def test_points_left_out_do_not_stretch_the_axes():
    one = assessment()
    size = np.abs(one.spectrum.all_z_ohm)
    assert size.max() > 100
    assert plot_nyquist(one.spectrum).get_xlim()[1] < 40
    assert plot_bode(one.spectrum)[0].get_ylim()[1] < 40


@pytest.mark.parametrize("zoom", ["all", "arcs"])
@pytest.mark.parametrize("name", MAKE)
def test_labels_of_a_nyquist_plot_cover_neither_each_other_nor_the_data(name, zoom, caplog):
    one = MAKE[name]()
    ax = plot_nyquist(one.spectrum, fit=one.fit, judgement=one.judgement, zoom=zoom)
    ax.figure.canvas.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(note) for note in ax.texts]
    markers = [line for line in ax.lines if line.get_linestyle() == "None"]
    dots = ax.transData.transform(np.concatenate([np.column_stack(line.get_data()) for line in markers]))
    assert len(dots) == 72
    assert boxes
    for i, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:i])
        assert not box.count_contains(dots)
    assert caplog.records == []  # matplotlib grumbles about limits and aspects in its log


def test_an_interval_that_decides_nothing_does_not_squash_the_others():
    ax = plot_verdict(near_the_limit().judgement)
    low, high = ax.get_xlim()
    assert 0.5 < low < 0.83 < 1.12 < high < 2


@pytest.mark.parametrize("name", MAKE)
def test_every_plot_draws_every_assessment_without_touching_global_state(name, tmp_path):
    before = dict(mpl.rcParams)
    one = MAKE[name]()
    drawn = [
        plot_nyquist(one.spectrum, fit=one.fit, judgement=one.judgement),
        plot_nyquist(one.spectrum, fit=one.fit, zoom="arcs"),
        plot_bode(one.spectrum, fit=one.fit)[0],
        plot_residuals(one.fit, one.validity),
        plot_residuals(validity=one.validity),
        plot_verdict(one.judgement),
    ]
    for i, axes in enumerate(drawn):
        axes.figure.savefig(tmp_path / f"{i}.png", dpi=40)
    assert dict(mpl.rcParams) == before


def test_drawing_does_not_start_a_plotting_window_system():
    code = "import sys, eis.plots, eis.report_page; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_plot_goes_into_the_axes_given():
    ax = Figure().subplots()
    assert plot_nyquist(assessment().spectrum, ax=ax) is ax
    assert plot_verdict(assessment().judgement, ax=Figure().subplots()) is not ax


def test_nyquist_has_equal_scale_and_capacitive_points_upwards():
    one = assessment()
    ax = plot_nyquist(one.spectrum, fit=one.fit)
    assert ax.get_aspect() == 1
    drawn = np.concatenate([np.column_stack(line.get_data()) for line in ax.lines])
    upward = drawn[np.isfinite(drawn).all(axis=1)]
    assert np.median(upward[:, 1]) > 0
    assert "Z″" in ax.get_ylabel()
    assert "Ω" in ax.get_xlabel()


def test_a_blocking_tail_is_noticed_so_that_the_arcs_are_not_squashed():
    one = not_resolved()
    assert tail_dominates(one.spectrum, fit=one.fit)
    assert not tail_dominates(assessment().spectrum, fit=assessment().fit)
    whole = plot_nyquist(one.spectrum, fit=one.fit)
    arcs = plot_nyquist(one.spectrum, fit=one.fit, zoom="arcs")
    assert "kΩ" in whole.get_xlabel()
    assert "kΩ" not in arcs.get_xlabel()
    assert arcs.get_ylim()[1] < 0.05 * 1e3 * whole.get_ylim()[1]


def test_the_verdict_plot_says_every_verdict_in_words():
    ax = plot_verdict(near_the_limit().judgement)
    words = words_of(ax)
    for verdict in ("PASS", "CONDITIONAL_PASS", "CONDITIONAL_FAIL", "FAIL", "NOT_RESOLVED"):
        assert verdict in words
