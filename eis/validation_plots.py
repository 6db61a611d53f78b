"""Residuals of a Kramers–Kronig test with their bands, the modulus against its phase, and residuals over a series.

Every function draws into `ax`, or into a new figure of its own, and returns the axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eis.errors import ConfigError
from eis.results import Validity
from eis.series_axis import SeriesAxis
from eis.spectrum import RealArray, Spectrum
from eis.verdict_plot import GREY, INK, own_axes
from eis.zhit import ZHit, zhit_of
from eis.zhit import zhit as zhit_alone

__all__ = ["plot_residual_bands", "plot_residual_map", "plot_zhit"]

SHOWN = 0.98
"""Share of the residuals whose size the colours of a map tell; larger ones have the colour of the end."""
MARKS = {"suspect": ("^", "#b06a00"), "invalid": ("X", "#b3400a")}
BLUE, RED, GREEN = "#0072b2", "#c1440e", "#009e73"
SHADED = {"drift": "//", "shift": "\\\\", "high-frequency artefact": "xx", "nonlinear": ".."}


def plot_residual_bands(validity: Validity, zhit: ZHit | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw Δ′ and Δ″ in % of |Z| with the bands of noise, what stands out, and what lies outside the valid band.

    The inner band holds two, the outer four standard deviations of the noise that is left when every fault is out:
    sound residuals stay in the inner and never leave the outer one.

    Parameters
    ----------
    validity : Validity
        What `eis.validation.validate` returned.
    zhit : ZHit, optional
        What `eis.zhit.zhit_of` returned: the deviation of the modulus from its phase is drawn, too.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(6.4, 3.0) if ax is None else ax
    f = validity.frequency_hz
    real, imaginary = 100 * validity.residual_real, 100 * validity.residual_imag
    if np.isfinite(validity.noise):
        for width, grey in ((4, "#ececec"), (2, "#d5d5d5")):
            edge = width * 100 * validity.noise
            ax.axhspan(-edge, edge, color=grey, linewidth=0, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    ax.plot(f, real, "o-", color=INK, markersize=3.5, linewidth=0.8, label="Δ′", zorder=3)
    ax.plot(f, imaginary, "s--", color=BLUE, mfc="none", markersize=3.5, linewidth=0.8, label="Δ″", zorder=3)
    deviation = np.zeros(1)
    if zhit is not None:
        deviation = 100 * zhit.deviation
        ax.plot(f, deviation, "-", color=GREEN, linewidth=1.4, label="ln|Z| − Z-HIT", zorder=2)
    marked = np.isin(f, validity.marked_hz)
    if marked.any():
        worst = np.where(np.abs(real) > np.abs(imaginary), real, imaginary)[marked]
        ax.plot(f[marked], worst, "o", color=RED, mfc="none", markersize=10, label="stands out", zorder=4)
    for fault in validity.faults:
        if fault.cause in SHADED and len(fault.frequency_hz) > 1:
            low, high = min(fault.frequency_hz), max(fault.frequency_hz)
            ax.axvspan(
                low, high, facecolor="none", edgecolor="#b9b9b9", hatch=SHADED[fault.cause], linewidth=0,
                label=fault.cause, zorder=0.5,
            )  # fmt: skip
    for edge, inner in ((validity.f_min_hz, f.min()), (validity.f_max_hz, f.max())):
        if np.isfinite(edge) and edge != inner:
            ax.axvline(edge, color=RED, linewidth=1.2, linestyle=":", label="end of the valid band")
    ax.set_xscale("log")
    reach = float(
        max(
            np.abs(real).max(),
            np.abs(imaginary).max(),
            np.abs(deviation).max(),
            500 * np.nan_to_num(validity.noise),
            1e-9,
        )
    )
    ax.set(xlabel="frequency / Hz", ylabel="Δ / % of |Z|", ylim=(-1.15 * reach, 1.45 * reach))
    named = ", ".join(dict.fromkeys(validity.causes))
    ax.set_title(f"{validity.verdict}: {named}" if named else validity.verdict, loc="left", fontsize=9)
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    ax.legend(unique.values(), unique.keys(), loc="upper left", ncols=4, frameon=False, fontsize=8)
    return ax


def plot_zhit(spectrum: Spectrum, validity: Validity | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw how far the measured modulus lies from the one that the phase asks for (Z-HIT), in %.

    Parameters
    ----------
    spectrum : Spectrum
        What was measured.
    validity : Validity, optional
        Its ladder takes the error of the Z-HIT formula out; without it a sharp arc deviates by a few percent.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(6.4, 2.6) if ax is None else ax
    f = spectrum.frequency_hz
    found = zhit_alone(f, spectrum.z_ohm) if validity is None else zhit_of(spectrum, validity)
    ax.axvspan(*found.band_hz, color="#ececec", linewidth=0, zorder=0, label="fitted here")
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    ax.plot(
        f, 100 * found.deviation, "o-", color=INK, markersize=3.5, linewidth=0.8, label="|Z| against its phase"
    )
    ax.set_xscale("log")
    ax.set(xlabel="frequency / Hz", ylabel="ln|Z| − Z-HIT / %")
    ax.legend(loc="best", frameon=False, fontsize=8)
    return ax


def plot_residual_map(
    validities: Sequence[Validity], axis: SeriesAxis | None = None, *, ax: tuple[Axes, Axes] | None = None
) -> tuple[Axes, Axes]:
    """Draw the residuals of a series as colours: frequency across, temperature, pressure, time or cycle upward.

    Each spectrum is a row with frequencies of its own. Rows that are not valid have a mark at their right end.

    Parameters
    ----------
    validities : sequence of Validity
        One per spectrum.
    axis : SeriesAxis, optional
        Where each stands, from `eis.series_axis.series_axis` or ``SeriesAxis.of(hours, "time / h")``; their number
        without it.
    ax : tuple of matplotlib Axes, optional
        Where to draw Δ′ and Δ″; a new figure if left out.

    Returns
    -------
    tuple of Axes
        That of Δ′ and that of Δ″.

    Raises
    ------
    ConfigError
        If there is nothing to draw, or not one place for each.
    """
    if not validities:
        raise ConfigError("There are no residuals to map", mend="Give at least one Validity.")
    axis = SeriesAxis.of(np.arange(1.0, len(validities) + 1)) if axis is None else axis
    if axis.values.size != len(validities):
        raise ConfigError(
            f"There are {len(validities)} spectra and {axis.values.size} places", mend="Give one for each."
        )
    if own := ax is None:
        height = min(9.0, 2.6 + 0.12 * len(validities))
        left, right = Figure(figsize=(8.6, height), layout="constrained").subplots(1, 2, sharey=True)
        ax = (left, right)
    both = np.concatenate([[*one.residual_real, *one.residual_imag] for one in validities])
    noise = float(np.nanmedian([one.noise for one in validities]))
    largest = 100 * max(float(np.quantile(np.abs(both), SHOWN)), 4 * np.nan_to_num(noise), 1e-9)
    edges, mesh = axis.edges, None
    for drawn, part, mark in zip(ax, ("real", "imag"), ("′", "″"), strict=True):
        for row, i in enumerate(axis.order.tolist()):
            values = 100 * getattr(validities[i], f"residual_{part}")
            mesh = drawn.pcolormesh(
                _between(validities[i].frequency_hz), edges[row : row + 2], values[None], cmap="RdBu_r",
                vmin=-largest, vmax=largest, rasterized=True,
            )  # fmt: skip
        drawn.set_xscale("log")
        drawn.set(xlabel="frequency / Hz", title=f"Δ{mark}")
        for verdict, (marker, colour) in MARKS.items():
            rows = [row for row, i in enumerate(axis.order) if validities[i].verdict == verdict]
            if not rows:
                continue
            (marks,) = drawn.plot(
                np.full(len(rows), 1.025), axis.centres[rows], marker, color=colour, markersize=5, clip_on=False,
                linestyle="none", transform=drawn.get_yaxis_transform(), label=f"{verdict} ({len(rows)})",
            )  # fmt: skip
            marks.set_in_layout(False)
    axis.label_rows(ax[0])
    if mesh is not None:
        ax[1].figure.colorbar(mesh, ax=list(ax), label="residual / % of |Z|", extend="both", pad=0.03)
    handles, labels = ax[1].get_legend_handles_labels()
    if handles and own:
        ax[1].figure.legend(handles, labels, loc="outside upper right", frameon=False, fontsize=8, ncols=2)
    elif handles:
        ax[1].legend(handles, labels, loc="upper right", fontsize=8)
    return ax


def _between(f: RealArray) -> RealArray:
    """Return where the cells of a falling frequency axis end (Hz), shape (n + 1,): half way, in log."""
    x = np.log(f)
    middle = (x[1:] + x[:-1]) / 2
    return np.asarray(np.exp(np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])))
