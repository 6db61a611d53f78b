"""The control chart of a station: area-specific resistance over time with the limits of its process."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from eis.control_chart import FEWEST, RULES, ControlChart
from eis.verdict_plot import GREY, INK, own_axes

SIGNAL = "#b3400a"


def plot_control_chart(
    chart: ControlChart, *, ax: Axes | None = None, quantity: str = "R·A / Ω·cm²", limit: float | None = None
) -> Axes:
    """Draw values in order of time, their mean and control limits, and mark what breaks a rule.

    Parameters
    ----------
    chart : ControlChart
        As `control_chart` returns it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    quantity : str
        Label of the axis.
    limit : float, optional
        Of the spec, in the unit of the values.
    """
    ax = own_axes(7.6, 3.4) if ax is None else ax
    place = np.arange(1, chart.values.size + 1)
    ax.plot(place, chart.values, "-o", color=INK, markersize=4, linewidth=0.8, label="runs")
    if chart.values.size >= FEWEST:
        ax.axhline(chart.centre, color=GREY, linewidth=1, label="mean")
        for bound in (chart.low, chart.high):
            ax.axhline(bound, color=GREY, linewidth=1, linestyle="--", label="control limits (3 σ)")
    broken = sorted({at for at, _ in chart.signals})
    if broken:
        ax.plot(
            place[broken], chart.values[broken], "s", color=SIGNAL, markersize=8, fillstyle="none", label="signal"
        )
        at, rule = chart.signals[0]
        ax.annotate(
            RULES[rule],
            (place[at], chart.values[at]),
            (6, 8),
            textcoords="offset points",
            color=SIGNAL,
            fontsize=8,
        )
    if limit is not None:
        ax.axhline(limit, color=INK, linewidth=1.6, label="limit")
    if chart.is_logarithmic and chart.values.size:
        ax.set_yscale("log")
    ax.set(xlabel="run", ylabel=quantity)
    handles, labels = ax.get_legend_handles_labels()
    kept = dict(zip(labels, handles, strict=True))
    ax.legend(
        kept.values(),
        kept.keys(),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=5,
        frameon=False,
        fontsize=8,
    )
    return ax
