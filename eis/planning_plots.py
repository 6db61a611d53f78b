"""What a planned measurement can tell, over frequency range, noise and area: where it begins to decide."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from eis.cramer_rao import cramer_rao
from eis.designs import Design, with_area
from eis.errors import ConfigError
from eis.outlook import ONE_SIDED, RELATIVE, Target
from eis.planning import Forecast
from eis.quantities import format_si
from eis.verdict_plot import GREY, INK, own_axes, says
from fitting.weights import ErrorStructure

__all__ = ["OVER", "plot_forecast", "plot_reach"]

Over = Literal["f_max", "noise", "area"]
OVER: dict[Over, str] = {
    "f_max": "highest frequency / Hz",
    "noise": "noise of each part, % of |Z|",
    "area": "electrode area / cm²",
}
LINE, DECIDED = "#0072b2", "#cfe6f5"
POINTS = 41
WORST = 1e4
"""Largest relative uncertainty drawn (%)."""


def plot_reach(forecast: Forecast, over: Over = "f_max", *, ax: Axes | None = None) -> Axes:
    """Draw the least relative uncertainty of the interface over one setting, all others as described.

    Below the dashed line the verdict is sure (95 %) if the interface is what is expected; below the dotted one an
    arc counts as resolved (30 %). The dot is the measurement as it was described.

    Parameters
    ----------
    forecast : Forecast
        What `eis.planning.plan` returned.
    over : {"f_max", "noise", "area"}
        Highest frequency, noise, or area (at the same area-specific resistance).
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Raises
    ------
    ConfigError
        If there is no such setting.
    """
    if over not in OVER:
        raise ConfigError(f"Nothing is drawn over {over!r}", where="over", mend=f"Choose {', '.join(OVER)}.")
    ax = own_axes(4.6, 3.6) if ax is None else ax
    design = forecast.asked.design
    here, places = _places(design, over)
    designs = [_moved(design, over, place / here) for place in places]
    u = np.array([_relative(one) for one in designs])
    needed = np.array([_needed(one, forecast.target) for one in designs])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.plot(places, 100 * u, "-", color=LINE, linewidth=1.6, label="least u(R)/R")
    ax.axhline(100 * RELATIVE, color=GREY, linewidth=1.0, linestyle=":", label="resolved below")
    if (needed > 0).any():
        shown = np.where(needed > 0, 100 * needed, np.nan)
        ax.plot(places, shown, "--", color=INK, linewidth=1.2, label="decides below")
        ax.fill_between(places, 1e-9, np.minimum(shown, 100 * RELATIVE), color=DECIDED, linewidth=0, zorder=0)
    asked = 100 * forecast.asked.relative
    ax.plot([here], [asked], "o", color=LINE, markersize=7, markeredgecolor=INK, label="as described")
    finite = [value for value in (*(100 * u), 100 * RELATIVE, *(100 * needed[needed > 0])) if math.isfinite(value)]
    ax.set_ylim(min(finite) / 2, min(max(finite), WORST) * 3)
    ax.set_xlim(places[0], places[-1])
    label = (lambda v, _: format_si(v, "")) if over == "f_max" else (lambda v, _: f"{v:g}")
    ax.xaxis.set_major_formatter(FuncFormatter(label))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
    ax.set(xlabel=OVER[over], ylabel=f"u({design.element})/{design.element} / %")
    ax.legend(frameon=False, fontsize=7.5, loc="best")
    return ax if np.isfinite(u).any() else says(ax, f"{design.element} is not determined")


def plot_forecast(forecast: Forecast) -> Figure:
    """Draw `plot_reach` over frequency range, noise and area side by side, and return the figure."""
    figure = Figure(figsize=(12.6, 3.8), layout="constrained")
    for number, over in enumerate(OVER):
        plot_reach(forecast, over, ax=figure.add_subplot(1, len(OVER), number + 1))
    figure.suptitle(forecast.because, fontsize=10, parse_math=False)
    return figure


def _places(design: Design, over: Over) -> tuple[float, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the setting as described, and where it is varied over (an error structure in multiples of itself)."""
    if over == "f_max":
        here = design.sweep.start_hz
        return here, np.geomspace(max(100 * design.sweep.stop_hz, here / 1e3), here * 100, POINTS)
    if over == "noise":
        here = 100.0 if isinstance(design.noise, ErrorStructure) else 100 * design.noise
        return here, np.geomspace(here / 100, min(here * 10, 99), POINTS)
    return design.cell.area_cm2, design.cell.area_cm2 * np.geomspace(0.01, 100, POINTS)


def _moved(design: Design, over: Over, factor: float) -> Design:
    if over == "f_max":
        return replace(design, sweep=replace(design.sweep, start_hz=design.sweep.start_hz * factor))
    if over == "area":
        return with_area(design, factor)
    if isinstance(design.noise, ErrorStructure):
        names = ("alpha", "beta", "gamma", "delta_ohm")
        return replace(
            design, noise=replace(design.noise, **{n: getattr(design.noise, n) * factor for n in names})
        )
    return replace(design, noise=design.noise * factor)


def _relative(design: Design) -> float:
    bound = cramer_rao(
        design.circuit,
        design.values,
        design.sweep.frequencies_hz,
        noise=design.noise,
        repeats=design.repeats,
        known=design.known,
    )
    return bound.relative(design.element)


def _needed(design: Design, target: Target) -> float:
    """Return the relative uncertainty of the arc below which the verdict is sure, the area's taken off; or 0."""
    value = design.value(design.element) * target.factor(design)
    share = design.cell.u_area_cm2 / design.cell.area_cm2 * (target.reading != "absolute")
    whole = abs(value - target.value) / value / (target.guard_band(1.0) + ONE_SIDED)
    return math.sqrt(max(whole**2 - share**2, 0.0))
