"""Plots of a filling experiment: what is drawn is what was given, and nothing to draw is said."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eis.composition import Sheet, Solid
from eis.errors import ConfigError
from eis.filling_fraction import FillFraction, Transport, fill_fraction
from eis.filling_plots import ForestRow, plot_before_after, plot_fill_fraction, plot_forest, plot_paired_slopes
from eis.spectrum import Spectrum
from eis.treatment import Treatment

ARMS = {"treated": ([20.0, 22.0, 19.0], [9.0, 10.0, 9.5]), "heated": ([21.0, 20.0], [20.5, 20.2])}
F = np.logspace(6, -1, 36)


def texts(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def fill(mode: str = "infiltrated", r_before_ohm: float = 60.0) -> FillFraction:
    solids = (Solid("NMC", 0.7, 4.7), Solid("SE", 0.3, 1.64))
    sheet = Sheet(30.0, 1.131, 100.0, solids, u_thickness_um=1.0)
    transport = Transport(r_before_ohm, 35.0, "SE", 2e-3, 1e-3, 0.5, 0.5)
    treatment = Treatment(sheet, mode, 100.0, 0.5, 1.6, 1.0, 0.1)  # type: ignore[arg-type]
    return fill_fraction(treatment, np.random.default_rng(0), transport=transport, draws=500)


@pytest.mark.parametrize("after", [[9.0], [9.0, -1.0], [9.0, math.nan]])
def test_cells_that_are_no_pairs_are_refused(after: list[float]) -> None:
    with pytest.raises(ConfigError, match="arm treated are no pairs"):
        plot_paired_slopes({"treated": ([20.0, 22.0], after)})


def test_nothing_to_draw_is_said() -> None:
    for ax in (
        plot_paired_slopes({}),
        plot_forest([]),
        plot_forest([ForestRow("x", math.nan, math.nan, math.nan)]),
    ):
        assert isinstance(ax, Axes)
        ax.figure.canvas.figure.draw_without_rendering()
        assert ax.artists


def test_each_cell_is_a_line_from_before_to_after_and_each_arm_has_its_mean() -> None:
    ax = plot_paired_slopes(ARMS, treated="treated")
    drawn = [tuple(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) == 2]
    cells = [(b, a) for before, after in ARMS.values() for b, a in zip(before, after, strict=True)]
    means = [tuple(math.exp(np.log(x).mean()) for x in pair) for pair in ARMS.values()]
    assert np.array(sorted(drawn)) == pytest.approx(np.array(sorted(cells + means)))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["treated\nn = 3", "heated\nn = 2"]


def test_a_forest_shows_every_ratio_and_says_which_has_no_interval() -> None:
    rows = [
        ForestRow("T", 0.45, 0.4, 0.5, "n = 6"),
        ForestRow("C", 1.1, 1e-6, 1e6),
        ForestRow("P", 0.8, math.nan, math.nan),
    ]
    ax = plot_forest(rows)
    assert "0.45 (0.40 to 0.50)  n = 6" in texts(ax)
    assert "0.80 (no interval)" in texts(ax)
    low, high = ax.get_xlim()
    assert low < 0.4
    assert high < 20  # an endless interval does not squash the others
    assert {line.get_marker() for line in ax.lines} >= {"<", ">", "s", "D"}


@pytest.mark.parametrize(
    ("mode", "r_before_ohm", "said"), [("in_formulation", 60.0, "not defined"), ("infiltrated", 3.0, "wrong")]
)
def test_a_fraction_that_cannot_be_had_says_why(mode: str, r_before_ohm: float, said: str) -> None:
    assert said in texts(plot_fill_fraction(fill(mode, r_before_ohm)))


def test_three_fractions_stand_with_their_intervals() -> None:
    found = fill()
    ax = plot_fill_fraction(found)
    for one in (found.gravimetric, found.geometric, found.electrical):
        assert f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" in texts(ax)


def test_a_blocking_tail_leaves_axes_that_can_be_read_and_their_limits_stay() -> None:
    spectra = [Spectrum.of(F, 3 + 1 / (2j * np.pi * F * c)) for c in (1e-3, 2e-3)]
    ax = plot_before_after(*spectra)
    limits = (ax.get_xlim(), ax.get_ylim())
    ax.figure.canvas.figure.draw_without_rendering()
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    assert ax.get_aspect() == 1
    assert np.ptp(limits[0]) > 0.5 * np.ptp(limits[1])


@pytest.mark.parametrize(("area", "label"), [(None, "Z′ / Ω"), (1.131, "Z′·A / Ω·cm²")])
def test_before_and_after_are_drawn_to_one_scale_into_the_axes_given(area: float | None, label: str) -> None:
    spectra = [Spectrum.of(F, 3 + r / (1 + 2j * np.pi * F * 1e-3)) for r in (10.0, 4.0)]
    given = Figure().add_subplot()
    ax = plot_before_after(*spectra, name="cell 7", area_cm2=area, ax=given)
    assert ax is given
    assert ax.get_xlabel() == label
    assert ax.get_aspect() == 1
    assert ax.lines[0].get_xdata() == pytest.approx(spectra[0].z_ohm.real * (area or 1.0))
    assert ax.lines[1].get_ydata() == pytest.approx(-spectra[1].z_ohm.imag * (area or 1.0))
