"""The distribution of relaxation times as axes: γ with its credible band, its peaks, and maps over a series.

Every function draws into `ax`, or into a new `Figure` of its own, and returns the axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import ArrayLike

from eis.drt_record import Drt
from eis.errors import ConfigError
from eis.quantities import PREFIXES, format_si, format_uncertain
from eis.verdict_plot import GREY, INK, own_axes, says

__all__ = ["plot_drt", "plot_drt_map"]

LINE, FILL = "#0072b2", "#9ecae1"


def plot_drt(found: Drt, *, ax: Axes | None = None) -> Axes:
    """Draw γ over τ with its 95 % band, its peaks with their resistance, and the ends of the sweep.

    A peak whose neighbour is too near to be told apart has a hollow marker and says so; what lies beyond the
    sweep is shaded.

    Parameters
    ----------
    found : Drt
        The distribution.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(6.4, 3.6) if ax is None else ax
    top = float(max(found.gamma_ohm.max(), 0.0))
    exponent = 3 * int(np.floor(np.log10(top) / 3 + 1e-9)) if top > 0 else 0
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    scale, unit = 10.0**exponent, f"{PREFIXES[exponent]}Ω"
    tau = found.tau_s
    low, high = (1 / (2 * np.pi * end) for end in (found.frequency_hz.max(), found.frequency_hz.min()))
    for a, b in ((tau[0], low), (high, tau[-1])):
        ax.axvspan(a, b, color="#eeeeee", linewidth=0, zorder=0)
    band = ax.fill_between(tau, found.gamma_low_ohm / scale, found.gamma_high_ohm / scale, color=FILL, linewidth=0)
    band.set_label("95 % band")
    ax.plot(tau, found.gamma_ohm / scale, "-", color=LINE, linewidth=1.4, label="γ")
    ax.axhline(0, color=GREY, linewidth=0.7)
    _time_axis(ax, float(tau[0]), float(tau[-1]))
    shown = max(1.7 * top, 1.3 * float(np.quantile(found.gamma_high_ohm, 0.98))) / scale  # room for labels
    ax.set_ylim(min(0.0, float(found.gamma_ohm.min()) / scale), shown if shown > 0 else 1.0)
    ax.set_ylabel(f"γ / {unit} per unit of ln τ")
    for number, peak in enumerate(found.peaks):
        face = INK if peak.separable else "white"
        ax.plot(peak.tau_s, peak.gamma_ohm / scale, "v", color=INK, markerfacecolor=face, markersize=6, zorder=4)
        above = float(np.interp(np.log(peak.tau_s), np.log(tau), found.gamma_high_ohm)) / scale
        text = format_uncertain(peak.r_ohm, peak.u_r_ohm, "Ω")
        text += "" if peak.separable else "\nnot separable"
        text += f"\np = {peak.probability:.2g}" if peak.probability < 0.95 else ""
        ax.annotate(
            text, (peak.tau_s, above), xytext=(0, 3 + 12 * (number % 2)),
            textcoords="offset points", ha="center", va="bottom", fontsize=8, color=INK,
        )  # fmt: skip
    ax.legend(loc="upper left", frameon=False, fontsize=8, ncols=2)
    return ax if found.peaks else says(ax, "no peak")


def plot_drt_map(
    series: Sequence[Drt], along: ArrayLike, *, label: str = "spectrum", ax: Axes | None = None
) -> Axes:
    """Draw γ of a series over τ and what was changed (time, temperature, pressure) as colours.

    Parameters
    ----------
    series : sequence of Drt
        The distributions, at least two.
    along : array_like, shape (len(series),)
        What was changed, rising or falling.
    label : str
        Its name and unit.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, with a colour bar, if left out.

    Raises
    ------
    ConfigError
        If there are fewer than two distributions, or not one place for each.
    """
    place = np.asarray(along, dtype=np.float64)
    if len(series) < 2 or place.shape != (len(series),):
        raise ConfigError(
            f"There are {len(series)} distributions and places of shape {place.shape}",
            mend="Give at least two distributions and one place for each.",
        )
    own = ax is None
    ax = own_axes(6.4, 3.8) if ax is None else ax
    first = max(float(found.tau_s[0]) for found in series)
    last = min(float(found.tau_s[-1]) for found in series)
    tau = np.geomspace(first, last, 300)
    order = np.argsort(place)
    rows = [np.interp(np.log(tau), np.log(series[i].tau_s), series[i].gamma_ohm) for i in order]
    top = max(float(np.max(rows)), 1e-300)
    image = ax.pcolormesh(
        tau, place[order], np.maximum(rows, 0), cmap="cividis", vmin=0, vmax=top, shading="nearest"
    )
    for i in order:
        taus = [peak.tau_s for peak in series[i].peaks]
        ax.plot(taus, [place[i]] * len(taus), "o", color="white", markeredgecolor=INK, markersize=3.5)
    _time_axis(ax, first, last)
    ax.set_ylabel(label)
    if own and isinstance(ax.figure, Figure):
        ax.figure.colorbar(image, ax=ax, label="γ / Ω per unit of ln τ")
    return ax


def _time_axis(ax: Axes, first: float, last: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(first, last)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_si(v, "s")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("τ")
