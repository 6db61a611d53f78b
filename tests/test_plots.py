"""Plots: into the axes given, nothing global touched, equal scale, capacitive upwards."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from eis.plots import plot_bode, plot_nyquist, plot_residuals, plot_verdict, tail_dominates
from tests.assessment_factory import assessment, near_the_limit, not_resolved

MAKE = {"fails": assessment, "near": near_the_limit, "blocking": not_resolved}


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
        axes.figure.savefig(tmp_path / f"{i}.png")
    assert dict(mpl.rcParams) == before


def test_drawing_does_not_start_a_plotting_window_system():
    code = "import sys, eis.plots, eis.report; assert 'matplotlib.pyplot' not in sys.modules"
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
    words = " ".join(text.get_text() for text in ax.figure.findobj(lambda a: hasattr(a, "get_text")))
    for verdict in ("PASS", "CONDITIONAL_PASS", "CONDITIONAL_FAIL", "FAIL", "NOT_RESOLVED"):
        assert verdict in words
