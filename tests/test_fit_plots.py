"""How well a fit knows its parameters, as drawn: ends, parabola, numbers, and words for what is open."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from eis.errors import ConfigError
from eis.fit_plots import plot_bootstrap, plot_profile
from eis.plots import plot_correlation
from eis.shipped import folder
from eis.spectrum import Spectrum
from fitting import fit, parse
from fitting.bootstrap import bootstrap
from fitting.profile import profile
from fitting.ties import fit_tied
from tests.command_line import eis
from tests.truth import FREQUENCY, TwoArcs, noisy

CIRCUIT = parse("R0-p(R1,CPE1)-p(R2,CPE2)")
WEAK = [20, 1.0, 1e-5, 0.9, 18, 1e-3, 0.92]


@pytest.fixture(scope="module")
def clear():
    """A spectrum that holds two arcs well, and its fit."""
    spectrum = TwoArcs().spectrum(noise=1e-3, seed=1)
    return spectrum, fit(TwoArcs.circuit, spectrum)


@pytest.fixture(scope="module")
def weak():
    """A spectrum whose small arc is hardly seen, and its fit: profiles with unequal arms and open ends."""
    z = CIRCUIT.impedance(2 * np.pi * FREQUENCY, WEAK)
    spectrum = Spectrum.of(FREQUENCY, noisy(z, 2e-2, 3))
    return spectrum, fit(CIRCUIT, spectrum)


def words_of(ax):
    """Every text in the figure of some axes that is not empty."""
    return [text.get_text() for text in ax.figure.findobj(Text) if text.get_text() and text.get_visible()]


def markers(ax, marker):
    """Places of the single markers of one shape, and whether each is filled."""
    lines = [line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata()) == 1]
    return [float(line.get_xdata()[0]) for line in lines], [
        line.get_markerfacecolor() != "white" for line in lines
    ]


def dashed(ax):
    """The parabola of a profile's drawing."""
    (line,) = (line for line in ax.lines if line.get_linestyle() == "--")
    return line.get_xdata(), line.get_ydata()


def test_a_profile_of_another_fit_is_refused(clear, weak):
    with pytest.raises(ConfigError, match=r"The profile is of R2 = .* the fit has"):
        plot_profile(profile(weak[1], weak[0], "R2"), clear[1])


def test_data_without_noise_have_no_profile_to_draw():
    spectrum = TwoArcs().spectrum()
    fitted = fit(TwoArcs.circuit, spectrum)
    ax = plot_profile(profile(fitted, spectrum, "R2"), fitted)
    assert "there is no profile of R2" in words_of(ax)


def test_filled_markers_stand_at_the_ends_of_both_intervals(weak):
    spectrum, fitted = weak
    outer, inner = (profile(fitted, spectrum, "R1", level=level) for level in (0.9545, 0.6827))
    ax = plot_profile(outer, fitted)
    for shape, record, close in (("o", outer, 1e-9), ("s", inner, 0.01)):
        places, filled = markers(ax, shape)
        assert filled == [True, True]
        assert places == pytest.approx([record.low, record.high], abs=close * (record.high - record.low))


def test_unequal_arms_are_seen_beside_the_parabola_of_the_standard_uncertainty(weak):
    spectrum, fitted = weak
    record = profile(fitted, spectrum, "R1")
    x, y = dashed(plot_profile(record, fitted))
    assert y == pytest.approx(((x - fitted.value("R1")) / fitted["R1"].u) ** 2)
    assert record.high - record.value > 1.5 * (record.value - record.low)


def test_a_sum_has_the_parabola_of_the_whole_covariance(clear):
    spectrum, fitted = clear
    x, y = dashed(plot_profile(profile(fitted, spectrum, {"R1": 1, "R2": 1}), fitted))
    u = math.sqrt(fitted.covariance_of(("R1", "R2")).sum())
    assert y == pytest.approx(((x - fitted.value("R1") - fitted.value("R2")) / u) ** 2)


def test_an_end_that_the_data_do_not_give_is_hollow_and_says_so(weak):
    spectrum, fitted = weak
    record = profile(fitted, spectrum, "CPE1_1")
    assert (record.low > 0.45, record.high) == (True, 1.0)
    ax = plot_profile(record, fitted)
    assert markers(ax, "o") == ([pytest.approx(record.low)], [True])
    assert markers(ax, ">") == ([1.0, 1.0], [False, False])  # of both intervals
    assert "no upper end before the limit 1" in words_of(ax)
    assert any(text.startswith("95.45 %: ") and text.endswith("(open)") for text in words_of(ax))


def test_no_lower_limit_is_drawn_from_zero_and_no_upper_limit_on_a_logarithmic_axis(clear):
    spectrum, fitted = clear
    r = fitted.value("R1")
    grid = r * np.geomspace(1e-6, 1e6, 61)
    slow = np.minimum((3 * np.log(grid / r)) ** 2, 2.0)
    open_everywhere = replace(
        profile(fitted, spectrum, "R1"), low=0.0, high=math.inf, grid=grid, delta_chi2=slow, threshold=4.0
    )
    ax = plot_profile(open_everywhere, fitted)
    assert ax.get_xscale() == "log"
    assert {"no lower limit", "no upper limit"} <= set(words_of(ax))
    assert ax.get_xlim()[1] < 1e3 * r
    steep = np.where(grid > r, 100 * np.log(grid / r) ** 2, slow)
    from_zero = replace(open_everywhere, high=float(r * math.exp(0.2)), delta_chi2=steep)
    ax = plot_profile(from_zero, fitted)
    assert (ax.get_xscale(), ax.get_xlim()[0]) == ("linear", 0)
    assert "no lower limit" in words_of(ax)
    assert "no upper limit" not in words_of(ax)


def test_an_end_that_was_not_found_and_a_lower_minimum_are_named(clear):
    spectrum, fitted = clear
    record = profile(fitted, spectrum, "R2")
    left = record.grid <= record.value
    lost = replace(record, high=math.nan, grid=record.grid[left], delta_chi2=record.delta_chi2[left])
    assert "upper end not found" in words_of(plot_profile(lost, fitted))
    shifted = replace(record, grid=1.1 * record.grid, low=1.1 * record.low, high=1.1 * record.high)
    warned = [text for text in words_of(plot_profile(shifted, fitted)) if "lower minimum" in text]
    assert [text.split(",")[0] for text in warned] == ["the fit"]
    assert "lower minimum" not in " ".join(words_of(plot_profile(record, fitted)))


def test_a_parameter_at_its_limit_has_a_profile_but_no_parabola(clear):
    spectrum, _ = clear
    fitted = fit(CIRCUIT, spectrum, bounds={"CPE1_1": (0.5, 0.9)})
    ax = plot_profile(profile(fitted, spectrum, "CPE1_1"), fitted)
    assert "no standard uncertainty, no parabola" in words_of(ax)
    assert "at its limit 0.9" in words_of(ax)
    assert not [line for line in ax.lines if line.get_linestyle() == "--"]


@pytest.mark.parametrize(
    ("name", "label"), [("L0", "L0 / nH"), ("CPE2_0", "CPE2_0 / 10⁻⁵ S·s^a"), ("CPE2_1", "CPE2_1")]
)
def test_the_axis_has_the_unit_and_plain_numbers(clear, name, label):
    spectrum, fitted = clear
    ax = plot_profile(profile(fitted, spectrum, name, points=0), fitted)
    assert ax.get_xlabel() == label
    assert 0.1 < ax.get_xlim()[1] < 1000


def test_the_axis_says_whether_the_noise_was_known(clear):
    spectrum, fitted = clear
    assert plot_profile(profile(fitted, spectrum, "R2"), fitted).get_ylabel() == "Δχ² / s²"
    known = Spectrum.of(spectrum.frequency_hz, spectrum.z_ohm, columns={"u_z_ohm": 1e-3 * np.abs(spectrum.z_ohm)})
    fitted = fit(TwoArcs.circuit, known, weight="variance")
    ax = plot_profile(profile(fitted, known, "R2"), fitted)
    assert ax.get_ylabel() == "Δχ²"
    heights = [
        float(line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "s" and line.get_ydata().size
    ]
    assert heights == pytest.approx([1.0, 1.0], abs=1e-3)  # χ² of one degree of freedom, not F


@pytest.mark.parametrize("name", ["R1", "CPE1_0", "CPE1_1", "R2"])
def test_no_two_texts_of_a_profile_cover_each_other(weak, name):
    spectrum, fitted = weak
    ax = plot_profile(profile(fitted, spectrum, name), fitted)
    ax.figure.canvas.figure.draw_without_rendering()
    out_of_sight = {
        tick.label1
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()))
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
    }
    shown = [
        text
        for text in ax.figure.findobj(Text)
        if text.get_text() and text.get_visible() and text not in out_of_sight
    ]
    boxes = [Text.get_window_extent(text) for text in shown]
    assert len(boxes) > 12
    for i, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:i]), shown[i].get_text()
        assert ax.figure.bbox.padded(1).contains(box.x1, box.y1), shown[i].get_text()


def test_each_correlation_is_written_in_its_cell_with_its_sign(clear):
    _, fitted = clear
    ax = plot_correlation(fitted)
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(cells) == len(fitted.free) ** 2
    place = {name: i for i, name in enumerate(fitted.free)}
    r = fitted.correlation("R1", "CPE1_1")
    assert r < -0.5
    assert cells[(place["R1"], place["CPE1_1"])] == cells[(place["CPE1_1"], place["R1"])] == f"−{-r:.2f}"
    assert [text.get_text() for text in ax.get_yticklabels()] == list(fitted.free)


def test_the_darker_a_cell_the_stronger_the_correlation_also_in_greyscale(clear):
    colours = plot_correlation(clear[1]).images[0].get_cmap()
    grey = np.array([colours((r + 1) / 2)[:3] @ np.array([0.299, 0.587, 0.114]) for r in np.linspace(-1, 1, 21)])
    assert np.all(np.diff(grey[:11]) > 0)
    assert np.all(np.diff(grey[10:]) < 0)
    assert grey[0] == pytest.approx(grey[-1], abs=0.05)


def test_only_a_whole_correlation_reads_1_and_none_reads_not_available(clear):
    spectrum, _ = clear
    limited = fit(CIRCUIT, spectrum, bounds={"CPE1_1": (0.5, 0.9)})
    words = [text.get_text() for text in plot_correlation(limited).texts]
    assert words.count("n/a") == 2 * 7 - 1
    assert words.count("1") == 6
    tied = fit_tied(CIRCUIT, spectrum, {"CPE2_1": "CPE1_1"})
    assert [text.get_text() for text in plot_correlation(tied).texts].count("1") == 7 + 2
    almost = replace(limited, free=("R0", "R1"), covariance=np.array([[1.0, -0.9987], [-0.9987, 1.0]]))
    ax = plot_correlation(almost)
    assert [text.get_text() for text in ax.texts] == ["1", "−0.9987", "−0.9987", "1"]
    assert len([patch for patch in ax.patches if not patch.get_fill()]) == 2


def test_a_fit_without_free_parameters_says_so(clear):
    nothing = replace(clear[1], free=(), covariance=np.empty((0, 0)))
    assert "no free parameter" in words_of(plot_correlation(nothing))


def test_every_draw_is_in_the_histogram_of_every_free_parameter(clear):
    spectrum, _ = clear
    fitted = fit(TwoArcs.circuit, spectrum, fix={"L0": 1e-7})
    draws = bootstrap(fitted, spectrum, draws=60)
    panels = plot_bootstrap(draws, fitted)
    assert [panel.get_xlabel().split(" / ")[0] for panel in panels] == list(fitted.free)
    for panel in panels:
        (bars,) = panel.patches
        assert bars.get_data().values.sum() == 60


def test_the_interval_of_the_draws_and_the_fit_s_uncertainty_stand_above_the_histogram(clear):
    spectrum, fitted = clear
    draws = bootstrap(fitted, spectrum, draws=60)
    (ax,) = plot_bootstrap(draws, fitted, "R2", ax=Figure().subplots())
    spans = [np.ptp(segment[:, 0]) for bar in ax.collections for segment in bar.get_segments()]
    low, high = draws.interval("R2")
    assert spans == pytest.approx([high - low, 4 * fitted["R2"].u])
    x, expected = dashed(ax)
    assert x[np.argmax(expected)] == pytest.approx(fitted.value("R2"), abs=0.1 * fitted["R2"].u)
    assert ax.get_xlabel() == "R2 / Ω"


@pytest.mark.parametrize(
    ("names", "ax", "words"),
    [
        ("L0", None, "'L0' is no free parameter"),
        ("R9", None, "Free are R0, R1"),
        (None, "one", "7 parameters cannot go into one ax"),
        ([], None, "no free parameter to draw"),
    ],
)
def test_what_cannot_be_drawn_of_a_bootstrap_is_refused(clear, names, ax, words):
    spectrum, _ = clear
    fitted = fit(TwoArcs.circuit, spectrum, fix={"L0": 1e-7})
    draws = bootstrap(fitted, spectrum, draws=20)
    with pytest.raises(ConfigError, match=words):
        plot_bootstrap(draws, fitted, names, ax=Figure().subplots() if ax else None)


def test_drawing_goes_into_the_axes_given_and_touches_nothing_global(clear, tmp_path):
    spectrum, fitted = clear
    before = dict(mpl.rcParams)
    axes = Figure(figsize=(12, 5)).subplots(1, 3)
    record, draws = profile(fitted, spectrum, "R2"), bootstrap(fitted, spectrum, draws=20)
    assert plot_profile(record, fitted, ax=axes[0]) is axes[0]
    assert plot_correlation(fitted, ax=axes[1]) is axes[1]
    assert plot_bootstrap(draws, fitted, "R2", ax=axes[2]) == (axes[2],)
    axes[0].figure.savefig(tmp_path / "three.png")
    assert dict(mpl.rcParams) == before


def test_the_drawings_need_neither_the_optimiser_nor_a_window_system():
    code = "import sys, eis.fit_plots; assert not {'matplotlib.pyplot', 'fitting', 'lmfit'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("wanted", [(), ("R1", "R2")])
def test_fit_on_the_command_line_draws_the_profiles_asked_for(tmp_path, wanted):
    options = [word for name in wanted for word in ("--profile", name)]
    cell = folder() / "symmetric_cell.mpt"
    done = eis("fit", cell, "--circuit", TwoArcs.circuit, *options, "--plot", tmp_path)
    assert done.returncode == 0, done.stderr
    kinds = {path.name.removeprefix("symmetric_cell.mpt.") for path in tmp_path.iterdir()}
    assert kinds == {"fit.png", "residuals.png", *(f"profile-{name}.png" for name in wanted)}
