"""The control chart of a station: area-specific resistance over time with the limits of its process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from eis.control_chart import FEWEST, ControlChart, ProcessChart
from eis.errors import ConfigError
from eis.verdict_plot import GREY, INK, own_axes

SIGNAL = "#b3400a"
MARKERS = {
    "beyond": ("s", "beyond 3 σ"),
    "same side": ("o", "9 on one side"),
    "trend": ("^", "6 rising or falling"),
    "two of three": ("D", "2 of 3 beyond 2 σ"),
    "four of five": ("v", "4 of 5 beyond 1 σ"),
}
"""How a value that breaks a rule is marked; one that breaks several by the first of them."""
MOST_CHARTS = 20
"""How many charts a page holds."""


def plot_process_charts(charts: Sequence[ProcessChart]) -> Figure:
    """Draw one control chart for each process below the other, each with its name, limits and rules.

    Parameters
    ----------
    charts : sequence of ProcessChart
        As `process_charts` returns them; none gives an empty chart.

    Raises
    ------
    ConfigError
        If there are more than 20.
    """
    if len(charts) > MOST_CHARTS:
        raise ConfigError(
            f"There are {len(charts)} control charts, and a page holds {MOST_CHARTS}",
            where="chart",
            mend="Choose with --station, --cell or --last.",
        )
    figure = Figure(figsize=(7.6, 3.6 * max(len(charts), 1)), layout="constrained")
    axes = figure.subplots(max(len(charts), 1), squeeze=False)[:, 0]
    if not charts:
        plot_control_chart(ControlChart(np.empty(0), np.nan, np.nan, np.nan, (), is_logarithmic=False), ax=axes[0])
    for ax, one in zip(axes, charts, strict=False):
        plot_control_chart(one.chart, ax=ax, limit=one.limit)
        ax.set_title(one.name, loc="left", fontsize=10, pad=36)
    return figure


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
            ax.axhline(bound, color=GREY, linewidth=1, linestyle="--", label="limits (3 σ)")
    shown: set[int] = set()
    for rule, (marker, words) in MARKERS.items():
        broken = [at for at, name in chart.signals if name == rule and at not in shown]
        shown.update(broken)
        if broken:
            ax.plot(
                place[broken],
                chart.values[broken],
                marker,
                color=SIGNAL,
                markersize=9,
                fillstyle="none",
                label=words,
            )
    if limit is not None:
        ax.axhline(limit, color=INK, linewidth=1.6, label="limit of the spec")
    if chart.is_logarithmic and chart.values.size:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        low, high = ax.get_ylim()
        if high < 10 * low:  # a decade has too few ticks of its own
            ax.yaxis.set_major_locator(MaxNLocator(6))
            ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="run", ylabel=quantity, xlim=(0, max(chart.values.size, 1) + 1))
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
