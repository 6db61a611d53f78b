"""Where arcs lie among the processes, and what an uncertainty is made of, as axes.

Every function draws into `ax`, or into a new `Figure` of its own, and returns the axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter

from eis.assignment import (
    BLOCKING,
    BY_NAME,
    CONTACT,
    DIFFUSION,
    INTERFACE,
    NONE,
    POSITIVE,
    SURFACE_LAYER,
    UNKNOWN_THICKNESS,
    frequency_shift,
    possible,
)
from eis.budget import NOT_STATED, Budget
from eis.interface import BULK, GRAIN_BOUNDARY
from eis.plot_scale import scale_of
from eis.quantities import format_si, format_uncertain
from eis.results import Interface
from eis.spectrum import Cell
from eis.verdict_plot import GREY, INK, own_axes, says

__all__ = ["plot_assignment", "plot_budget"]

COLOURS = {
    BULK: "#56b4e9",
    GRAIN_BOUNDARY: "#009e73",
    SURFACE_LAYER: "#e69f00",
    INTERFACE: "#cc79a7",
    DIFFUSION: "#0072b2",
    BLOCKING: "#0072b2",
    CONTACT: "#999999",
}
BAR = "#0072b2"


def plot_assignment(arcs: Sequence[Interface], cell: Cell, *, ax: Axes | None = None) -> Axes:
    """Draw the arcs of a cell by frequency and capacitance among the usual ranges of the processes.

    The ranges are those of this cell: bulk and grain boundary per area for its thickness, frequencies for its
    temperature. Bars are U (k = 2); an arc that is not resolved is hollow and says so, one without capacitance is
    left out and named.

    Parameters
    ----------
    arcs : sequence of Interface
        As `eis.extract` returns them.
    cell : Cell
        The cell they were extracted for.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        Logarithmic: frequency (Hz) falling to the right, capacitance of one interface per area (F/cm²).
    """
    ax = own_axes(7.2, 4.6) if ax is None else ax
    ax.set_xscale("log")
    ax.set_yscale("log")
    n = cell.interfaces_in_path or 1
    for name in possible(cell):
        label = INTERFACE if name.startswith(INTERFACE) else name
        if name == NONE or (name == POSITIVE and cell.kind == "full"):  # the same region as the negative one's
            continue
        colour = COLOURS[label]
        process = BY_NAME[name]
        slower, _ = frequency_shift(process, cell)
        per = 0.0 if process.per_area else math.log10(n / (cell.thickness_cm or UNKNOWN_THICKNESS[0]))
        (f_low, f_high), (c_low, c_high) = (
            [10 ** (end - slower) for end in process.log_f],
            [10 ** (end + per) for end in process.log_c],
        )
        box = Rectangle(
            (f_low, c_low), f_high - f_low, c_high - c_low, facecolor=colour, alpha=0.18, edgecolor=colour
        )
        ax.add_patch(box)
        ax.text(f_high, c_high, f" {label}", fontsize=8, color=INK, ha="left", va="top")
        ax.update_datalim([(f_low, c_low), (f_high, c_high)])
    lost = []
    for arc in arcs:
        if not arc.capacitances:
            lost.append(arc.name)
            continue
        c = arc.capacitances[0]
        scale = n / arc.area_cm2
        ax.errorbar(
            arc.frequency_hz,
            c.value_f * scale,
            xerr=_bar(arc.frequency_hz, arc.u_frequency_hz),
            yerr=_bar(c.value_f * scale, c.u_f * scale),
            fmt="o",
            color=INK,
            markerfacecolor=INK if arc.resolved else "white",
            markersize=6,
            elinewidth=1,
            zorder=4,
        )
        ax.annotate(
            f"{arc.name}: {arc.process} ({arc.confidence:.0%})" + ("" if arc.resolved else ", not resolved"),
            (arc.frequency_hz, c.value_f * scale),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=INK,
            zorder=5,
        )
    ax.autoscale_view()
    low, high = ax.get_xlim()
    ax.set_xlim(high, low / 30)
    for axis, unit in ((ax.xaxis, "Hz"), (ax.yaxis, "F/cm²")):
        axis.set_major_formatter(FuncFormatter(lambda v, _, unit=unit: format_si(v, unit)))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("frequency f0")
    ax.set_ylabel("capacitance τ/R per area")
    if lost:
        says(ax, f"not determined: {', '.join(lost)}")
    return ax if arcs else says(ax, "no arc")


def plot_budget(budget: Budget, *, ax: Axes | None = None) -> Axes:
    """Draw every line of a budget as a bar of its standard uncertainty, and the sum below them.

    The share of the variance stands at the end of each bar, the reason beside it. A line that nobody stated has no
    bar, and the sum says that it lacks it.

    Parameters
    ----------
    budget : Budget
        As `Interface.budget_for` returns it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(7.6, 1.4 + 0.42 * len(budget.lines)) if ax is None else ax
    finite = [line.u if line.u is not None and math.isfinite(line.u) else 0.0 for line in budget.lines]
    top = max(finite, default=0.0)
    total = budget.u if math.isfinite(budget.u) else top
    scale = scale_of("u", budget.unit, total or 1.0)
    places = range(len(budget.lines))
    sizes = [u / scale.size for u in finite]
    ax.barh(places, sizes, color=BAR, height=0.55)
    ax.barh(len(budget.lines), total / scale.size, color=INK, height=0.55)
    end = (total or 1.0) / scale.size
    for place, line, size in zip(places, budget.lines, sizes, strict=True):
        ink = INK if line.u else GREY
        ax.text(size + 0.012 * end, place, _share(line.u, total), va="center", fontsize=9, color=ink)
        ax.text(1.12 * end, place, line.because, va="center", fontsize=8, color=ink, wrap=False)
    shown = format_uncertain(budget.value, budget.u, budget.unit, k=1)
    lacks = ", of what was stated" if budget.not_stated else ""
    ax.text(1.012 * end, len(budget.lines), f"{shown} (k = 1){lacks}", va="center", fontsize=9, color=INK)
    ax.set_yticks([*places, len(budget.lines)], [*(line.source for line in budget.lines), "together"])
    ax.set_ylim(len(budget.lines) + 0.6, -0.6)
    ax.set_xlim(0, 2.6 * end)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= end])
    ax.set_xlabel(f"standard uncertainty u / {scale.unit}", loc="left")
    ax.set_title(budget.quantity, fontsize=10, loc="left")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def _share(u: float | None, total: float) -> str:
    """Return a line's share of the variance, or why it has none."""
    if u is None:
        return NOT_STATED
    return f"{(u / total) ** 2:.0%}" if math.isfinite(u) and total > 0 else "n/a"


def _bar(value: float, u: float) -> list[list[float]] | None:
    """Return the two arms of U (k = 2) on a logarithmic axis."""
    if not (math.isfinite(u) and u > 0):
        return None
    factor = math.exp(2 * u / value)
    return [[value - value / factor], [value * factor - value]]
