"""A porosity-filling experiment drawn: paired slopes, forest of effects, fill fractions, Nyquist before and after.

As in `eis.plots`, every function draws into `ax` or into a new `Figure` of its own and returns the axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from eis.contrasts import MARGIN
from eis.errors import ConfigError
from eis.filling_fraction import FillFraction
from eis.plot_scale import scale_of
from eis.plots import LINE, SECOND
from eis.quantities import unit_text
from eis.spectrum import Spectrum
from eis.verdict_plot import GREY, INK, own_axes, says

BAND = "#dddddd"
LEAST_WIDTH = 0.6
"""Least width of a Nyquist drawing over its height."""
JITTER = 0.09
"""Half width over which the cells of one arm are spread, in widths of an arm."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of a forest plot: a ratio with its interval (NaN ends for none), and a note such as ``n = 6``.

    `is_primary` rows are filled squares; the others, such as controls, are hollow.
    """

    label: str
    ratio: float
    low: float
    high: float
    note: str = ""
    is_primary: bool = True


def plot_paired_slopes(
    arms: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    quantity: str = "R·A",
    unit: str = "ohm cm2",
    treated: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each cell as a line from before to after, arm beside arm, and the geometric mean of each arm.

    Parameters
    ----------
    arms : mapping of str to (before, after)
        Name of the arm, and values of its cells, shape (n,), positive, in `unit`.
    quantity, unit : str
        What they are.
    treated : str, optional
        The arm drawn in colour.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        With a logarithmic axis of the quantity: equal ratios have equal slopes.

    Raises
    ------
    ConfigError
        If the values of an arm are no pairs of positive numbers.
    """
    ax = own_axes(1.6 + 1.5 * max(2, len(arms)), 3.6) if ax is None else ax
    shown: list[float] = []
    for place, (name, pair) in enumerate(arms.items()):
        before, after = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in pair)
        if before.shape != after.shape or not (np.isfinite(before).all() and np.isfinite(after).all()):
            raise _no_pairs(name)
        if (before <= 0).any() or (after <= 0).any():
            raise _no_pairs(name)
        colour = LINE if name == treated else INK
        spread = np.linspace(-JITTER, JITTER, before.size) if before.size > 1 else np.zeros(before.size)
        for shift, *values in zip(spread.tolist(), before.tolist(), after.tolist(), strict=True):
            ends = [place - 0.22 + shift, place + 0.22 + shift]
            ax.plot(ends, values, "-", color=colour, linewidth=0.9, alpha=0.6, zorder=2)
            ax.plot(ends[:1], values[:1], "o", color=colour, markersize=5, markerfacecolor="white", zorder=3)
            ax.plot(ends[1:], values[1:], "o", color=colour, markersize=5, zorder=3)
            shown += values
        if before.size:
            means = [float(np.exp(np.log(x).mean())) for x in (before, after)]
            ax.plot([place - 0.36, place + 0.36], means, "-", color=colour, linewidth=2.6, zorder=4)
    labels = [f"{name}\nn = {np.size(pair[0])}" for name, pair in arms.items()]
    ax.set_xticks(range(len(arms)), labels=labels, fontsize=8.5, parse_math=False)
    ax.set_xlim(-0.6, max(len(arms), 1) - 0.4)
    ax.set_ylabel(f"{quantity} / {unit_text(unit)}", parse_math=False)
    if not shown:
        return says(ax, "no cell before and after")
    ax.set_yscale("log")
    plain_log(ax, min(shown), max(shown), axis="y")
    marks = [
        Line2D([], [], color=INK, marker="o", linestyle="none", markerfacecolor="white", label="before"),
        Line2D([], [], color=INK, marker="o", linestyle="none", label="after"),
        Line2D([], [], color=INK, linewidth=2.6, label="geometric mean"),
    ]
    _legend_above(ax, marks)
    return ax


def plot_forest(
    rows: Sequence[ForestRow], *, margin: float = MARGIN, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw ratios after over before with their intervals on a logarithmic axis, against 1 and a band of no matter.

    Parameters
    ----------
    rows : sequence of ForestRow
        The first on top. An interval that does not exist is not drawn, and the marker is a diamond.
    margin : float
        Half width of the band, in ln of the ratio: within it a change does not matter.
    level : float
        Probability of the intervals, for the axis.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(7.2, 1.3 + 0.36 * max(1, len(rows))) if ax is None else ax
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.set_yticks([])
    drawn = [row for row in rows if math.isfinite(row.ratio) and row.ratio > 0]
    if not drawn:
        ax.set_xticks([])
        return says(ax, "no effect to draw")
    ax.axvspan(math.exp(-margin), math.exp(margin), color=BAND, linewidth=0, zorder=0)
    ax.axvline(1, color=INK, linewidth=1.2, zorder=1)
    inside = [x for row in drawn for x in (row.ratio, row.low, row.high) if math.isfinite(x) and x > 0]
    # An interval from three cells may span decades; it leaves the axes, with an arrow, before it squashes others.
    least = min(min(row.ratio for row in drawn) / 10, 0.8)
    most = max(max(row.ratio for row in drawn) * 10, 1.25)
    low, high = max(min(*inside, 0.8), least), min(max(*inside, 1.25), most)
    edge = (high / low) ** 0.05
    low, high = low / edge, high * edge
    ax.set(xscale="log", xlim=(low, high), ylim=(-0.7, len(rows) - 0.3))
    for i, row in enumerate(rows):
        _forest_row(ax, len(rows) - 1 - i, row, (low, high))
    places = range(len(rows) - 1, -1, -1)
    ax.set_yticks(list(places), labels=[row.label for row in rows], fontsize=8.5, parse_math=False)
    ax.tick_params(axis="y", length=0)
    plain_log(ax, low, high, axis="x", times=True)
    ax.set_xlabel(
        f"ratio after / before, {100 * level:g} % interval (grey: ±{100 * (math.exp(margin) - 1):.0f} %)"
    )
    return ax


def plot_fill_fraction(fill: FillFraction, *, ax: Axes | None = None) -> Axes:
    """Draw the three fill fractions with their intervals between empty and full.

    An estimate that cannot be had stands as text with its reason. The electrical one has small ticks where other
    exponents of the effective medium would put it.

    Parameters
    ----------
    fill : FillFraction
        As `eis.filling_fraction.fill_fraction` returns it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(7.2, 2.5) if ax is None else ax
    rows = (fill.gravimetric, fill.geometric, fill.electrical)
    ends = [x for one in rows if one.is_known for x in (one.low, one.high, one.value)]
    low, high = max(min([-0.1, *ends]), -1.5) - 0.05, min(max([1.1, *ends]), 2.5) + 0.05
    ax.axvspan(low, 0, facecolor=BAND, edgecolor="white", hatch="///", linewidth=0, zorder=0)
    ax.axvspan(1, high, facecolor=BAND, edgecolor="white", hatch="///", linewidth=0, zorder=0)
    for x in (0, 1):
        ax.axvline(x, color=INK, linewidth=1.0, zorder=1)
    for row, one in zip((2, 1, 0), rows, strict=True):
        colour = LINE if one is fill.electrical else SECOND
        if not one.is_known:
            said, plate = (
                _wrapped(f"n/a: {one.because}", 64),
                {"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
            ax.text(0.5, row, said, ha="center", va="center", color=GREY, fontsize=8, bbox=plate, parse_math=False)
            continue
        _interval(ax, row, (one.low, one.value, one.high), (low, high), colour, filled=not one.contradiction)
        note = f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
        ax.text(1.03, row, note, transform=ax.get_yaxis_transform(), va="center", color=colour, fontsize=8.5)
    if fill.electrical.is_known:
        others = [f for _, f in fill.by_exponent if low < f < high]
        ax.plot(others, [-0.3] * len(others), "|", color=GREY, markersize=7, zorder=2)
    ax.set(xlim=(low, high), ylim=(-0.65, 2.6), xlabel="part of the pores that is filled")
    ax.set_yticks([2, 1, 0], labels=["mass", "geometry", "conductivity"])
    ax.tick_params(axis="y", length=0)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    level = 100 * fill.densification.level
    ax.set_title(
        f"value and {level:g} % interval; hatched: no part of a whole", fontsize=8.5, color=GREY, loc="left"
    )
    return ax


def plot_before_after(
    before: Spectrum, after: Spectrum, *, name: str = "", area_cm2: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw −Z″ over Z′ of one cell before (hollow, grey line) and after (filled), to equal scale.

    Parameters
    ----------
    before, after : Spectrum
        Of one cell; points left out are not drawn.
    name : str
        The cell, for the title.
    area_cm2 : float, optional
        Turns the axes into area-specific impedance (ohm cm²).
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(5.6, 4.0) if ax is None else ax
    factor = 1.0 if area_cm2 is None else area_cm2
    curves = [np.asarray(spectrum.z_ohm * factor) for spectrum in (before, after)]
    everything = np.concatenate(curves)
    everything = everything[np.isfinite(everything)]
    if name:
        ax.set_title(name, fontsize=9.5, loc="left", parse_math=False)
    if not everything.size:
        return says(ax, "no usable point")
    biggest = float(max(np.abs(everything.real).max(), np.abs(everything.imag).max()))
    real = scale_of("Z′", "ohm", biggest) if area_cm2 is None else scale_of("Z′·A", "ohm cm2", biggest)
    styles: tuple[dict[str, Any], ...] = (
        {"color": GREY, "marker": "o", "markerfacecolor": "white", "label": "before"},
        {"color": LINE, "marker": "o", "label": "after"},
    )
    for z, style in zip(curves, styles, strict=True):
        ax.plot(z.real / real.size, -z.imag / real.size, linewidth=0.9, markersize=4.2, **style)
    points = everything / real.size
    span = max(float(np.ptp(points.real)), float(np.ptp(points.imag)), 1e-3 * biggest / real.size)
    low, high = min(0.0, float(-points.imag.max())), max(0.0, float((-points.imag).max()))
    left, right = float(points.real.min()), float(points.real.max())
    # A tail is nearly upright: without room beside it the axes would be a sliver.
    beside = max(LEAST_WIDTH * span - (right - left), 0.0) / 2
    ax.set_xlim(left - beside - 0.08 * span, right + beside + 0.08 * span)
    ax.set_ylim(low - 0.06 * span, high + 0.2 * span)
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    ax.set_aspect("equal", adjustable="box")  # the limits are those of the points, and stay
    ax.set(xlabel=real.label, ylabel=real.label.replace("Z′", "−Z″"))
    for axis, most in ((ax.xaxis, 4 if beside > 0 else 6), (ax.yaxis, 6)):
        axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]))
    ax.legend(loc="upper left", frameon=False, fontsize=8)
    return ax


def _forest_row(ax: Axes, place: int, row: ForestRow, frame: tuple[float, float]) -> None:
    colour = LINE if row.is_primary else INK
    has_interval = math.isfinite(row.low) and math.isfinite(row.high)
    text = "n/a"
    if math.isfinite(row.ratio) and row.ratio > 0:
        if has_interval:
            _interval(ax, place, (row.low, row.ratio, row.high), frame, colour, filled=row.is_primary)
            text = f"{row.ratio:.2f} ({row.low:.2f} to {row.high:.2f})"
        else:
            ax.plot([row.ratio], [place], "D", color=colour, markersize=6, markerfacecolor="white", zorder=4)
            text = f"{row.ratio:.2f} (no interval)"
    text = f"{text}  {row.note}" if row.note else text
    ax.text(
        1.03, place, text, transform=ax.get_yaxis_transform(), va="center", color=colour, fontsize=8.5,
        parse_math=False,
    )  # fmt: skip


def _interval(
    ax: Axes,
    row: float,
    values: tuple[float, float, float],
    frame: tuple[float, float],
    colour: str,
    *,
    filled: bool,
) -> None:
    """Draw a value and its interval; an end outside the frame becomes an arrow."""
    low, value, high = values
    ends = [min(max(low, frame[0]), frame[1]), max(min(high, frame[1]), frame[0])]
    ax.plot(ends, [row, row], "-", color=colour, linewidth=2.0, zorder=3)
    caps = ("<" if low < frame[0] else "|", ">" if high > frame[1] else "|")
    for end, cap in zip(ends, caps, strict=True):
        ax.plot([end], [row], cap, color=colour, markersize=7, zorder=3, clip_on=False)
    face = colour if filled else "white"
    ax.plot([value], [row], "s", color=colour, markersize=7, markerfacecolor=face, zorder=4)


def plain_log(ax: Axes, low: float, high: float, *, axis: str, times: bool = False) -> None:
    """Count a logarithmic axis in plain numbers, and often enough to be read."""
    which = ax.xaxis if axis == "x" else ax.yaxis
    sign = "×" if times else ""
    if high < 12 * low:
        which.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        which.set_minor_locator(NullLocator())
    else:
        subs = (1.0, 2.0, 5.0) if high < 300 * low else (1.0,)
        which.set_major_locator(LogLocator(subs=subs, numticks=10))
    which.set_major_formatter(FuncFormatter(lambda v, _: f"{sign}{v:.10g}"))
    which.set_minor_formatter(NullFormatter())


def _legend_above(ax: Axes, handles: list[Line2D]) -> None:
    ax.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=len(handles),
        frameon=False,
        fontsize=8,
    )


def _wrapped(text: str, width: int) -> str:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _no_pairs(name: str) -> ConfigError:
    return ConfigError(
        f"The values of the arm {name} are no pairs of positive numbers",
        where="paired slopes",
        mend="Give as many values after as before, in the same order of cells, all positive.",
    )
