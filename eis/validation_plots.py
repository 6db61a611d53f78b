"""Residuals of a Kramers–Kronig test with their bands, the modulus against its phase, and residuals over a series.

Every function draws into `ax`, or into a new figure of its own, and returns the axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm

from eis.errors import ConfigError
from eis.quantities import format_si
from eis.results import Validity
from eis.spectrum import Spectrum
from eis.verdict_plot import GREY, INK, own_axes, says
from eis.zhit import zhit

__all__ = ["plot_residual_bands", "plot_residual_map", "plot_zhit"]

BLUE, RED = "#0072b2", "#c1440e"
SHADED = {"drift": "//", "shift": "\\\\", "high-frequency artefact": "xx", "nonlinear": ".."}


def plot_residual_bands(validity: Validity, *, ax: Axes | None = None) -> Axes:
    """Draw Δ′ and Δ″ in % of |Z| with the bands of noise, what stands out, and what lies outside the valid band.

    The inner band holds two, the outer four standard deviations of the noise that is left when every fault is out:
    sound residuals stay in the inner and never leave the outer one.

    Parameters
    ----------
    validity : Validity
        What `eis.validation.validate` returned.
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
    reach = float(max(np.abs(real).max(), np.abs(imaginary).max(), 500 * np.nan_to_num(validity.noise), 1e-9))
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
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    model = None
    if validity is not None:
        model = z - (validity.residual_real + 1j * validity.residual_imag) * np.abs(z)
    found = zhit(f, z, model_ohm=model)
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
    validities: Sequence[Validity],
    *,
    over: Sequence[float] | None = None,
    label: str = "number",
    part: str = "real",
    ax: Axes | None = None,
) -> Axes:
    """Draw the residuals of a series as a map: frequency across, time, temperature or pressure upward.

    Parameters
    ----------
    validities : sequence of Validity
        One per spectrum, all on one frequency grid.
    over : sequence of float, optional
        What changed from one to the next, e.g. time; their number without it.
    label : str
        Its name and unit, for the axis.
    part : {"real", "imag"}
        Which residual.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Raises
    ------
    ConfigError
        If there is nothing to draw, the grids or lengths differ, or `part` is another word.
    """
    if not validities:
        raise ConfigError("There are no residuals to map", mend="Give at least one Validity.")
    if part not in ("real", "imag"):
        raise ConfigError(f"part is {part!r}", mend="Choose real or imag.")
    f = validities[0].frequency_hz
    if any(one.frequency_hz.shape != f.shape or not np.allclose(one.frequency_hz, f) for one in validities):
        raise ConfigError("The spectra have different frequencies", mend="Map those on one grid.")
    places = np.arange(len(validities), dtype=float) if over is None else np.asarray(over, dtype=float)
    if places.shape != (len(validities),):
        raise ConfigError(
            f"There are {len(validities)} spectra and {places.size} values in over", mend="Give one for each."
        )
    ax = own_axes(6.4, 3.4) if ax is None else ax
    order = np.argsort(places, kind="stable")
    values = np.array([getattr(validities[i], f"residual_{part}") for i in order])
    mesh = ax.pcolormesh(
        f, places[order], 100 * values, cmap="RdBu_r", norm=CenteredNorm(), shading="nearest", rasterized=True
    )
    bar = ax.figure.colorbar(mesh, ax=ax)
    bar.set_label(f"Δ{'′' if part == 'real' else '″'} / % of |Z|")
    ax.set_xscale("log")
    ax.set(xlabel="frequency / Hz", ylabel=label)
    if len(validities) == 1:
        says(ax, f"{format_si(float(f[0]), 'Hz')} … one spectrum")
    return ax
