"""Series as axes: the points with their uncertainties, the law with its 95 % band, in its own coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from eis.series_law import ZERO_C_IN_K, Arrhenius, Growth, Law, PressureLaw, ThicknessLine
from eis.verdict_plot import GREY, INK, own_axes

__all__ = ["plot_law"]

LINE, BAND = "#0072b2", "#cfe6f5"
SMOOTH = 200
NAMES = {"conductivity": "σ / S cm⁻¹", "asr": "ASR / Ω cm²", "resistance": "R / Ω", "A·R": "A·R / Ω cm²"}


def plot_law(law: Law, *, ax: Axes | None = None) -> Axes:
    """Draw a series and its law: Arrhenius over 1000/T, pressure doubly logarithmic, thickness from zero, √t.

    The band is the 95 % interval of the law, the bars are U = 2u of the points (thickness: in both directions).

    Parameters
    ----------
    law : Law
        What one of the functions of `eis.series` returned.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
    """
    ax = own_axes(5.2, 3.9) if ax is None else ax
    points = law.points
    x = np.array([law.x_of(float(place)) for place in points.x])
    show, shown_y, places = _coordinates(law, x)
    predicted = [law.predict(place) for place in places]
    at = np.array([show(law.x_of(place)) for place in places])
    heights = np.array([[shown_y(e.value, p), shown_y(e.low, p), shown_y(e.high, p)] for e, p in
                        zip(predicted, places, strict=True)])  # fmt: skip
    if np.isfinite(heights).all():
        ax.fill_between(at, heights[:, 1], heights[:, 2], color=BAND, linewidth=0, zorder=0, label="95 %")
    ax.plot(at, heights[:, 0], "-", color=LINE, linewidth=1.5, zorder=2, label=law.law)
    pairs = zip(points.value.tolist(), points.x.tolist(), strict=True)
    y = np.array([shown_y(value, place) for value, place in pairs])
    bars = None if points.u is None else 2 * points.u * y / points.value
    across = None
    if points.u_x is not None:
        ends = [[law.x_of(float(p + s * u)) for p, u in zip(points.x, points.u_x, strict=True)] for s in (-2, 2)]
        across = np.abs([[show(end) - show(middle) for end, middle in zip(side, x, strict=True)] for side in ends])
    ax.errorbar(
        [show(one) for one in x], y, yerr=bars, xerr=across, fmt="o", color=INK, markersize=5, capsize=2.5,
        linewidth=1, zorder=3, label="measured" + (" ± U (k = 2)" if bars is not None else ""),
    )  # fmt: skip
    half = np.zeros(y.size) if bars is None else bars
    _dress(ax, law, np.concatenate([y - half, y + half]), heights)
    handles, labels = ax.get_legend_handles_labels()
    order = np.argsort([label.startswith("95") for label in labels], kind="stable")
    ax.legend([handles[i] for i in order], [labels[i] for i in order], frameon=False, fontsize=8, loc="best")
    most = law.estimates[1 if isinstance(law, Growth) else 0]
    ax.set_title(str(most), fontsize=9, parse_math=False, pad=22 if isinstance(law, Arrhenius) else 6)
    return ax


def _coordinates(
    law: Law, x: NDArray[np.float64]
) -> tuple[Callable[[float], float], Callable[[float, float], float], Sequence[float]]:
    """Return how x is drawn, how a value at a place is drawn, and the places the line is drawn at."""
    low, high = float(x.min()), float(x.max())
    edge = 0.06 * (high - low)
    if isinstance(law, Arrhenius):
        grid = np.linspace(low - edge, high + edge, SMOOTH)
        places = (1 / grid - ZERO_C_IN_K).tolist()
        if law.form == "sigma_t":
            return lambda v: 1000 * v, lambda value, place: value * (place + ZERO_C_IN_K), places
        if law.form == "sigma":
            return lambda v: 1000 * v, lambda value, place: value, places
        return lambda v: 1000 * v, lambda value, place: 1 / value, places
    if isinstance(law, PressureLaw):
        places = np.exp(np.linspace(low - edge, high + edge, SMOOTH)).tolist()
        return math.exp, lambda value, place: value, places
    if isinstance(law, Growth):
        places = (np.linspace(0.0, high + edge, SMOOTH) ** 2).tolist()
        return lambda v: v / 60.0, lambda value, place: value, places
    places = np.linspace(1e-9, high + edge, SMOOTH).tolist()
    return lambda v: 10 * v, lambda value, place: value, places


def _dress(ax: Axes, law: Law, y: NDArray[np.float64], heights: NDArray[np.float64]) -> None:
    """Name the axes and give them their scales."""
    name = NAMES.get(law.points.quantity, law.points.quantity)
    if isinstance(law, Arrhenius):
        ax.set_yscale("log")
        labels = {"sigma_t": "σT / S K cm⁻¹", "sigma": "σ / S cm⁻¹", "asr": "1/ASR / S cm⁻²"}
        ax.set(xlabel="1000 K / T", ylabel=labels.get(law.form, "1/R / S"))
        top = ax.secondary_xaxis("top", functions=(lambda v: v, lambda v: v))
        places = sorted(set(np.round(law.points.x, 1).tolist()))
        top.xaxis.set_major_locator(FixedLocator([1000 / (place + ZERO_C_IN_K) for place in places]))
        top.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{1000 / v - ZERO_C_IN_K:.3g} °C"))
        top.tick_params(labelsize=7)
    elif isinstance(law, PressureLaw):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set(xlabel="stack pressure / MPa", ylabel=name)
        ax.xaxis.set_major_locator(FixedLocator(sorted(set(law.points.x.tolist()))))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    elif isinstance(law, ThicknessLine):
        ax.set(xlabel="thickness / mm", ylabel=name)
        ax.set_xlim(left=0.0)
        ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    else:
        ax.set(xlabel="(time / h)^½", ylabel=name)
        ax.set_xlim(left=0.0)
    if not isinstance(law, Arrhenius | PressureLaw):
        ax.yaxis.set_major_locator(MaxNLocator(6))
        return
    low, high = float(min(y[y > 0].min(), heights[:, 0].min())), float(max(y.max(), heights[:, 0].max()))
    room = (high / low) ** 0.12
    ax.set_ylim(low / room, high * room)
    if high < 10 * low:
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
