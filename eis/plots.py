"""Nyquist, Bode, residuals, correlations and the verdict as axes; nothing is shown and no global state is touched.

Every function draws into `ax`, or into a new `Figure` of its own (``axes.figure.savefig("nyquist.png")``), and
returns the axes. Colours are told apart by the colour-blind, and shape or text says the same in greyscale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from eis.errors import ConfigError
from eis.quantities import PREFIXES, format_si
from eis.results import Fit, Judgement, Validity
from eis.spectrum import ComplexArray, RealArray, Spectrum
from eis.verdict_plot import GREY, INK, own_axes, plot_verdict, says

__all__ = [
    "plot_bode",
    "plot_correlation",
    "plot_nyquist",
    "plot_residuals",
    "plot_verdict",
    "tail_dominates",
]

Zoom = Literal["all", "arcs"]

LINE, SECOND = "#c1440e", "#0072b2"
BAND_PERCENT = 1.0
"""Half width of the band drawn in residual plots (% of |Z|)."""

CLOSE = 0.995
"""Size of a correlation from which it is written to four decimals and framed: two would round it to 1."""


def plot_nyquist(
    spectrum: Spectrum,
    *,
    fit: Fit | None = None,
    judgement: Judgement | None = None,
    zoom: Zoom = "all",
    ax: Axes | None = None,
) -> Axes:
    """Draw −Z″ over Z′ to equal scale: points as markers, the fit as a line, decades of frequency written beside.

    Points with a flag are hollow: circles if they are in use, diamonds if they are left out. Points left out do
    not stretch the axes.

    Parameters
    ----------
    spectrum : Spectrum
        What was measured.
    fit : Fit, optional
        Drawn as a line through the fitted impedance at the data's frequencies.
    judgement : Judgement, optional
        Its arcs are named where they peak on the fitted line; without `fit` it adds nothing.
    zoom : {"all", "arcs"}
        ``"arcs"`` leaves a rising low-frequency tail and an inductive beginning outside the axes.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        With equal scales (``adjustable="datalim"``) and the unit (mΩ, Ω, kΩ, …) picked by size.
    """
    ax = own_axes(5.6, 4.3) if ax is None else ax
    z = _arcs_of(spectrum.z_ohm, fit) if zoom == "arcs" else spectrum.z_ohm
    scale, unit = _ohm_scale(z)
    for frame, style, label in _groups(spectrum):
        points = spectrum.all_z_ohm[frame] / scale
        ax.plot(points.real, -points.imag, linestyle="none", zorder=3, label=label, **style)
    if fit is not None:
        line = fit.z_fit_ohm / scale
        ax.plot(line.real, -line.imag, "-", color=LINE, linewidth=1.4, zorder=2, label="fit")
    ax.set(xlabel=f"Z′ / {unit}", ylabel=f"−Z″ / {unit}")
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    if not z.size:
        return says(ax, "no usable point")
    _set_limits(ax, z / scale)
    ax.set_aspect("equal", adjustable="datalim")
    _count_plainly(ax)
    ax.legend(loc="upper left", frameon=False, fontsize=8)
    line = spectrum.z_ohm if fit is None else fit.z_fit_ohm
    between = [line[:-1] + part * np.diff(line) for part in (0.0, 0.25, 0.5, 0.75)]
    drawn = np.asarray(np.concatenate([spectrum.all_z_ohm, *between]) / scale, dtype=np.complex128)
    _label_points(ax, _labels(spectrum, fit, judgement, scale), drawn)
    return ax


def plot_bode(spectrum: Spectrum, *, fit: Fit | None = None, ax: Axes | None = None) -> tuple[Axes, Axes]:
    """Draw |Z| and −phase over frequency.

    Parameters
    ----------
    spectrum : Spectrum
        What was measured.
    fit : Fit, optional
        Drawn as a line.
    ax : matplotlib Axes, optional
        Takes |Z|, and −phase on a twin axis; without it both get a panel of a new figure.

    Returns
    -------
    tuple of Axes
        The axes of |Z| and of −phase.
    """
    if ax is None:
        figure = Figure(figsize=(5.6, 4.3), layout="constrained")
        upper = figure.add_subplot(2, 1, 1)
        lower = figure.add_subplot(2, 1, 2, sharex=upper)
        upper.tick_params(labelbottom=False)
    else:
        upper, lower = ax, ax.twinx()
    scale, unit = _ohm_scale(spectrum.z_ohm)
    f = spectrum.all_frequency_hz
    for frame, style, label in _groups(spectrum):
        z = spectrum.all_z_ohm[frame]
        upper.plot(f[frame], np.abs(z) / scale, linestyle="none", label=label, **style)
        triangles = style if ax is None else {**style, "marker": "^"}
        lower.plot(f[frame], -np.degrees(np.angle(z)), linestyle="none", label=label, **triangles)
    if fit is not None:
        upper.plot(fit.frequency_hz, np.abs(fit.z_fit_ohm) / scale, "-", color=LINE, linewidth=1.4, label="fit")
        phase = -np.degrees(np.angle(fit.z_fit_ohm))
        lower.plot(fit.frequency_hz, phase, "-" if ax is None else "--", color=LINE, linewidth=1.4)
    _frequency_axis(upper, f, label=ax is not None)
    _frequency_axis(lower, f, label=ax is None)
    upper.set_ylabel(f"|Z| / {unit}")
    lower.set_ylabel("−phase / °" if ax is None else "−phase / ° (triangles, dashed)")
    if not len(spectrum):
        return says(upper, "no usable point"), lower
    size = np.abs(spectrum.z_ohm) / scale
    if size.min() > 0 and size.max() > 10 * size.min():
        upper.set_yscale("log")
        upper.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        upper.yaxis.set_minor_formatter(NullFormatter())
        upper.set_ylim(size.min() / 1.5, size.max() * 1.5)
    else:
        upper.set_ylim(*_padded(size.min(), size.max(), size.max()))
        upper.ticklabel_format(axis="y", useOffset=False)
    used_phase = -np.degrees(np.angle(spectrum.z_ohm))
    lower.set_ylim(*_padded(used_phase.min(), used_phase.max(), 10.0))
    upper.legend(loc="best", frameon=False, fontsize=8)
    return upper, lower


def plot_residuals(fit: Fit | None = None, validity: Validity | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw Δ′ and Δ″ in % of |Z| over frequency, with a band of ±1 %.

    Parameters
    ----------
    fit : Fit, optional
        Its residuals (Z − Z_fit)/|Z| are markers.
    validity : Validity, optional
        Its Kramers–Kronig residuals are markers too, or lines if `fit` is given as well.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Raises
    ------
    ConfigError
        If there is neither a fit nor a validity.
    """
    if fit is None and validity is None:
        raise ConfigError("There are no residuals to plot", mend="Give fit=, validity=, or both.")
    ax = own_axes(5.6, 2.4) if ax is None else ax
    ax.axhspan(-BAND_PERCENT, BAND_PERCENT, color="#dddddd", alpha=0.6, linewidth=0, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    curves: list[tuple[RealArray, RealArray, RealArray, str]] = []
    if fit is not None:
        curves.append((fit.frequency_hz, fit.residual.real, fit.residual.imag, "fit"))
    if validity is not None:
        curves.append((validity.frequency_hz, validity.residual_real, validity.residual_imag, "Kramers–Kronig"))
    top = 1.5 * BAND_PERCENT
    for number, (f, real, imaginary, of) in enumerate(curves):
        names = ("Δ′", "Δ″") if len(curves) == 1 else (f"Δ′ {of}", f"Δ″ {of}")
        marked = (("o-", INK, INK), ("s--", SECOND, "none"))
        styles = (("-", INK, INK), ("--", SECOND, SECOND)) if number else marked
        for values, name, (line, colour, face) in zip((real, imaginary), names, styles, strict=True):
            percent = np.where(np.isfinite(values), 100 * values, np.nan)
            ax.plot(f, percent, line, color=colour, mfc=face, markersize=3.5, linewidth=0.8, label=name)
            top = max(top, 1.15 * float(np.nanmax(np.abs(percent), initial=0.0)))
    _frequency_axis(ax, np.concatenate([curve[0] for curve in curves]))
    ax.set_ylim(-top, top)
    ax.set_ylabel("Δ / % of |Z|")
    ax.legend(loc="upper left", ncols=4, frameon=False, fontsize=8, borderaxespad=0.2, columnspacing=1.2)
    return ax


def plot_correlation(fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw the correlation matrix of the fitted parameters with its numbers.

    Strength is shade, sign is colour and the sign of the number; what is above 0.995 is framed and has four
    decimals. A parameter without an uncertainty has hatched cells.

    Parameters
    ----------
    fit : Fit
        Its free parameters, and those tied to them, are the rows.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, with a colour bar, if left out.
    """
    names = fit.free
    n = len(names)
    own = ax is None
    ax = own_axes(2.3 + 0.56 * n, 1.2 + 0.5 * n) if ax is None else ax
    if not n:
        ax.set_axis_off()
        return says(ax, "no free parameter")
    matrix = np.array([[fit.correlation(a, b) for b in names] for a in names])
    colours = LinearSegmentedColormap.from_list("correlation", [SECOND, "#ffffff", LINE])
    image = ax.imshow(matrix, cmap=colours, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    size = 8.0 if n <= 10 else max(4.5, 80 / n)
    for i, j in np.ndindex(n, n):
        r = float(matrix[i, j])
        if math.isnan(r):
            cell: dict[str, Any] = {"facecolor": "white", "edgecolor": GREY, "hatch": "////", "linewidth": 0}
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, **cell))
        elif i != j and abs(r) >= CLOSE:
            ax.add_patch(Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, edgecolor=INK, linewidth=1.2))
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if math.isnan(r) else None
        dark = abs(r) > 0.8
        ax.text(
            j, i, "1" if i == j and r == r else _coefficient(r), ha="center", va="center", fontsize=size,
            color="white" if dark else INK, bbox=behind,
        )  # fmt: skip
    ax.set_xticks(range(n), labels=names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    ax.set_yticks(range(n), labels=names, parse_math=False)
    ax.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    if own and isinstance(ax.figure, Figure):
        bar = ax.figure.colorbar(image, ax=ax, ticks=[-1, -0.5, 0, 0.5, 1])
        bar.set_label("correlation coefficient")
        bar.ax.set_yticklabels(["−1", "−0.5", "0", "0.5", "1"])
    return ax


def tail_dominates(spectrum: Spectrum, *, fit: Fit | None = None) -> bool:
    """Whether a blocking tail or an inductive beginning would squash the arcs if all points were shown."""
    if len(spectrum) < 2:
        return False
    arcs, everything = _arcs_of(spectrum.z_ohm, fit), spectrum.z_ohm
    return _extent(everything) > 2.5 * _extent(arcs)


def _groups(spectrum: Spectrum) -> Iterator[tuple[NDArray[np.bool_], dict[str, Any], str]]:
    """Yield which points, their marker, and their name in the legend, as far as there are any to draw."""
    finite, flagged, used = np.isfinite(spectrum.all_z_ohm), spectrum.quality != 0, spectrum.used
    dot: dict[str, Any] = {"marker": "o", "markersize": 4.2, "color": INK, "markeredgewidth": 0.9}
    hollow = {**dot, "markerfacecolor": "white", "markersize": 5.0}
    out = {**hollow, "marker": "D", "color": GREY, "markersize": 4.5}
    choices = (
        (used & ~flagged, dot, "measured"),
        (used & flagged, hollow, "flagged, in use"),
        (~used, out, "flagged, left out"),
    )
    for frame, style, label in choices:
        if (frame & finite).any():
            yield frame & finite, style, label


def _ohm_scale(z: ComplexArray) -> tuple[float, str]:
    """Return the ohms in one unit of the axis, and the unit's name."""
    size = float(max(np.abs(z.real).max(initial=0.0), np.abs(z.imag).max(initial=0.0)))
    exponent = 3 * math.floor(math.log10(size) / 3 + 1e-9) if size > 0 else 0
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    return 10.0**exponent, f"{PREFIXES[exponent]}Ω"


def _arcs_of(z: ComplexArray, fit: Fit | None) -> ComplexArray:
    """Return the points of `z` that belong to the arcs: by the fit's resistances, else by the shape of the data.

    By shape they lie between an inductive beginning and the last rise of −Z″ towards low frequency.
    """
    if fit is not None and fit.arcs and fit.z_fit_ohm.size == z.size:
        width = sum(fit.value(arc.resistance) for arc in fit.arcs)
        right = sum(fit.value(name) for name in fit.series_resistance) + 1.1 * width
        kept = z[(z.real <= right) & (-z.imag <= 0.6 * width) & (-z.imag >= -0.1 * width)]
        if 5 <= kept.size < z.size:
            return kept
    y = -(fit.z_fit_ohm if fit is not None and fit.z_fit_ohm.size == z.size else z).imag
    end = y.size
    while end > 1 and y[end - 2] < y[end - 1]:
        end -= 1
    capacitive = np.flatnonzero(y[:end] > 0)
    start = int(capacitive[0]) if capacitive.size else 0
    return z[start:end] if end - start >= 5 else z


def _extent(z: ComplexArray) -> float:
    return float(max(np.ptp(z.real), np.ptp(z.imag)))


def _padded(low: float, high: float, size: float) -> tuple[float, float]:
    """Return limits a little wider than the data, never of zero width; `size` sets the least width."""
    edge = max(0.08 * (high - low), 0.005 * abs(size), 1e-9)
    return low - edge, high + edge


def _set_limits(ax: Axes, z: ComplexArray) -> None:
    """Show every point of `z`, the real axis, and room above for the legend."""
    span = max(_extent(z), 1e-3 * float(np.abs(z).max()), 1e-9)
    low, high = min(0.0, float((-z.imag).min())), max(0.0, float((-z.imag).max()))
    ax.set_xlim(z.real.min() - 0.08 * span, z.real.max() + 0.08 * span, auto=True)  # auto: the aspect may widen it
    ax.set_ylim(low - 0.06 * span, high + 0.2 * span, auto=True)


def _count_plainly(ax: Axes) -> None:
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    ax.ticklabel_format(useOffset=False, style="plain")


def _frequency_axis(ax: Axes, frequency_hz: RealArray, *, label: bool = True) -> None:
    ax.set_xscale("log")
    if frequency_hz.size:
        ax.set_xlim(frequency_hz.min() / 1.4, frequency_hz.max() * 1.4)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: format_si(v, "")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if label:
        ax.set_xlabel("f / Hz")


def _labels(
    spectrum: Spectrum, fit: Fit | None, judgement: Judgement | None, scale: float
) -> list[tuple[complex, str, str]]:
    """Return what to write beside which point and in which colour: arcs first, then decades of frequency."""
    found: list[tuple[complex, str, str]] = []
    for arc in judgement.arcs if judgement is not None and fit is not None and fit.frequency_hz.size else ():
        if fit is not None and fit.frequency_hz.min() <= arc.frequency_hz <= fit.frequency_hz.max():
            near = int(np.argmin(np.abs(np.log(fit.frequency_hz / arc.frequency_hz))))
            found.append((complex(fit.z_fit_ohm[near] / scale), arc.name, LINE))
    decades = np.log10(spectrum.frequency_hz)
    for decade in range(math.ceil(decades.min() - 0.05), math.floor(decades.max() + 0.05) + 1):
        near = int(np.argmin(np.abs(decades - decade)))
        if abs(decades[near] - decade) <= 0.17:
            text = format_si(float(spectrum.frequency_hz[near]), "Hz", digits=3)
            found.append((complex(spectrum.z_ohm[near] / scale), text, INK))
    return found


def _label_points(ax: Axes, labels: list[tuple[complex, str, str]], data: ComplexArray) -> None:
    """Write each label beside its point where it covers neither data nor another label; leave it out otherwise."""
    ax.figure.canvas.figure.draw_without_rendering()  # settles layout and aspect, so that boxes can be measured
    to_display, frame, pixels = ax.transData.transform, ax.get_window_extent(), ax.figure.dpi / 72
    dots = to_display(np.column_stack([data.real, -data.imag])[np.isfinite(data)])
    legend = ax.get_legend()
    taken = [legend.get_window_extent()] if legend is not None else []
    angles = np.radians([90, 60, 120, 35, 145, 0, 180, -35, -145, -90])
    for z, text, colour in labels:
        anchor = to_display((z.real, -z.imag))
        if not frame.contains(*anchor):
            continue
        note = ax.annotate(
            text, (z.real, -z.imag), xytext=(0, 0), textcoords="offset points", fontsize=7.5, color=colour,
            ha="center", va="center", parse_math=False, fontweight="bold" if colour == LINE else "normal",
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": colour, "shrinkA": 0, "shrinkB": 2},
        )  # fmt: skip
        box = note.get_window_extent()
        for reach, angle in itertools.product((5, 12, 20, 30), angles):
            step = np.array([np.cos(angle), np.sin(angle)])
            gap = reach * pixels + abs(step[0]) * box.width / 2 + abs(step[1]) * box.height / 2
            x, y = anchor + gap * step
            place = Bbox.from_bounds(x - box.width / 2, y - box.height / 2, box.width, box.height)
            inside = frame.contains(place.x0, place.y0) and frame.contains(place.x1, place.y1)
            wide = place.padded(2.5 * pixels)
            if inside and not wide.count_contains(dots) and not wide.count_overlaps(taken):
                note.set_position(tuple(gap * step / pixels))
                taken.append(place)
                break
        else:
            note.remove()


def _coefficient(r: float) -> str:
    """Print a correlation so that only a whole one reads 1."""
    if math.isnan(r):
        return "n/a"
    places = 2 if abs(r) < CLOSE else 4
    text = f"{r:.{places}f}" if abs(r) < 1 - 1e-9 else f"{r:.0f}"
    return ("0.00" if float(text) == 0 else text).replace("-", "−")
