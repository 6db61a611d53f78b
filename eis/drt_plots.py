"""The distribution of relaxation times as axes: γ with its credible band, its peaks, and maps over a series.

Every function draws into `ax`, or into a new `Figure` of its own, and returns the axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from eis.drt_record import LIKELY, Drt
from eis.drt_series import checked_places, common_gamma
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

    Peaks are marked, those with a probability below 0.95 or a neighbour too near hollow. Where the grids of τ
    differ, what a spectrum does not reach is left grey. If the tops of the spectra differ by more than a factor of
    ten, the colours are logarithmic, over two decades.

    Parameters
    ----------
    series : sequence of Drt
        The distributions, at least two.
    along : array_like, shape (len(series),)
        What was changed, in any order, each value once.
    label : str
        Its name and unit.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, with a colour bar, if left out.

    Raises
    ------
    ConfigError
        If there are fewer than two distributions, or not one place of its own for each.
    """
    place = checked_places(series, along)
    own = ax is None
    ax = own_axes(6.4, 3.8) if ax is None else ax
    order = np.argsort(place)
    tau, gamma = common_gamma([series[i] for i in order])
    tops = np.nanmax(gamma, axis=1)
    top = max(float(tops.max()), 1e-300)
    wide = tops.min() > 0 and top > 10 * tops.min()
    norm = LogNorm(1e-2 * top, top) if wide else Normalize(0, top)
    ax.set_facecolor("#dddddd")
    image = ax.pcolormesh(
        tau,
        place[order],
        np.maximum(gamma, 1e-2 * top if wide else 0),
        cmap="cividis",
        norm=norm,
        shading="nearest",
    )
    for i in order:
        for peak in series[i].peaks:
            face = "white" if peak.separable and peak.probability >= LIKELY else "none"
            ax.plot(
                peak.tau_s, place[i], "o", color=INK, markerfacecolor=face, markeredgecolor="white", markersize=4
            )
    _time_axis(ax, float(tau[0]), float(tau[-1]))
    if np.array_equal(place, np.round(place)):  # no half a spectrum
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
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
