"""A comparison drawn: effects, slopes of each cell, contact area against kinetics; each takes ``ax=``.

The drawings themselves are those of `eis.filling_plots`; here a `Comparison` is taken apart for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from eis.activation import FORM_OF
from eis.comparison import IONIC, UNITS, Change, Comparison
from eis.filling_plots import ForestRow, plain_log, plot_before_after, plot_forest, plot_paired_slopes
from eis.modulus_effect import ModulusEffect
from eis.plots import LINE, SECOND
from eis.series import BOLTZMANN_EV_PER_K
from eis.series_law import ZERO_C_IN_K, Arrhenius
from eis.spectrum import RealArray, Spectrum
from eis.verdict_plot import GREY, INK, own_axes, says

MARKERS = "osD^v<>P"
STEEP, NEAR, TAIL = 0.6, 0.6, 0.25
"""−Z″ over Z′ from which points are a tail and no arc, the part of the drawing that arcs have to fill, or the tail
is cut off, and how much of it stays above them, in widths of the arcs."""
SMALLEST = 0.12
"""Least half width of the axes of ln R and ln C: below, noise would fill the drawing."""
SAME_INVERSE_K = 1e-5
"""Difference of 1/T (1/K) up to which two temperatures are one: a kelvin at room temperature."""


def plot_effects(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Draw every quantity of the treated arm, and of the other arms, against the control (filled: treated).

    Parameters
    ----------
    comparison : Comparison
        As `eis.filling.compare` returns it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    rows = [
        ForestRow(
            f"{quantity}: {one.treated} / {one.control}",
            one.ratio,
            one.low,
            one.high,
            f"n = {one.n_treated}, {one.n_control}",
            one.treated == comparison.treated,
        )
        for quantity in comparison.arms
        for one in comparison.differences(quantity)
    ]
    experiment = comparison.experiment
    ax = plot_forest(rows, margin=math.log1p(experiment.equivalence), level=experiment.confidence, ax=ax)
    if rows:
        band = f"grey: ±{100 * experiment.equivalence:g} %"
        ax.set_xlabel(f"ratio of the arms' ratios, {100 * experiment.confidence:g} % interval ({band})")
    return ax


def plot_modulus(effect: ModulusEffect, *, ax: Axes | None = None) -> Axes:
    r"""Draw \|Z\| of the treated cells against the control at every frequency, with its interval.

    Parameters
    ----------
    effect : ModulusEffect
        As `Comparison.modulus` holds it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(6.4, 3.2) if ax is None else ax
    ax.fill_between(
        effect.frequency_hz, effect.low, effect.high, color="#d9d9d9", label=f"{100 * effect.level:g} %"
    )
    ax.plot(effect.frequency_hz, effect.ratio, "o-", color=INK, markersize=3, linewidth=1, label="ratio")
    ax.axhline(1, color=GREY, linewidth=1)
    ax.set(xscale="log", yscale="log", xlabel="f / Hz", ylabel="|Z| against the control")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if 0.1 < value < 10 else ""))
    ax.legend(frameon=False, fontsize=8)
    return ax


def plot_slopes(comparison: Comparison, quantity: str, *, ax: Axes | None = None) -> Axes:
    """Draw each cell's value before and after, arm beside arm.

    Parameters
    ----------
    comparison : Comparison
        As `eis.filling.compare` returns it.
    quantity : str
        ``"ASR_if"``, ``"R_gb"``, ``"R_ion"`` or ``"R_s"``.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    arms = {
        arm.name: ([one.before for one in found], [one.after for one in found])
        for arm in comparison.experiment.arms
        if (found := _of(comparison, arm.name, quantity))
    }
    unit = UNITS.get(quantity, "")
    return plot_paired_slopes(arms, quantity=quantity, unit=unit, treated=comparison.treated, ax=ax)


def plot_covariation(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Draw how far C of each cell's interface changed over how far R did, with the lines of both causes.

    On the falling line R·C is constant (the contact area changed), on the level one C is (kinetics or
    conductivity changed). Arms have marks of their own, the treated one is in colour.

    Parameters
    ----------
    comparison : Comparison
        As `eis.filling.compare` returns it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(4.6, 4.2) if ax is None else ax
    points: dict[str, list[tuple[float, float]]] = {}
    for arm in comparison.experiment.arms:
        found = [one for one in _of(comparison, arm.name, "ASR_if") if one.cell in comparison.capacitances]
        if found:
            points[arm.name] = [(one.ln_ratio, comparison.capacitances[one.cell][0]) for one in found]
    if not points:
        return says(ax, "no interface whose R and C are known before and after")
    everything = np.abs(np.concatenate([np.array(own) for own in points.values()]))
    half = max(SMALLEST, 1.15 * float(everything.max()))
    span = np.array([-half, half])
    ax.plot(span, -span, color=GREY, linewidth=1.0, zorder=1)
    ax.plot(span, [0, 0], color=GREY, linewidth=1.0, linestyle="--", zorder=1)
    ax.plot([0, 0], span, color=GREY, linewidth=0.6, zorder=1)
    for across, up, said in ((0.7, -0.9, "contact area\n(R·C stays)"), (0.97, 0.03, "kinetics (C stays)")):
        ax.text(across * half, up * half, said, ha="right", va="bottom", color=GREY, fontsize=8, zorder=2)
    for (name, own), mark in zip(points.items(), MARKERS * len(points), strict=False):
        is_treated = name == comparison.treated
        colour = LINE if is_treated else INK
        x, y = zip(*own, strict=True)
        face = colour if is_treated else "white"
        ax.plot(x, y, mark, color=colour, markerfacecolor=face, markersize=6, label=name, zorder=3 + is_treated)
    if comparison.cause is not None:
        middle = comparison.cause
        u_r, u_c = 2 * middle.u_ln_r, 2 * middle.u_ln_c
        ax.errorbar([middle.ln_r], [middle.ln_c], u_c, u_r, fmt="none", ecolor=SECOND, capsize=3, zorder=5)
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    ax.set(xlabel="ln (R after / R before)", ylabel="ln (C after / C before)")
    ax.legend(loc="lower left", frameon=False, fontsize=8)
    return ax


def plot_cell(
    before: Spectrum, after: Spectrum, *, name: str = "", area_cm2: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw both spectra of a cell as `plot_before_after` does, near enough that a blocking tail hides no arc.

    Parameters
    ----------
    before, after, name, area_cm2, ax
        As in `eis.filling_plots.plot_before_after`.
    """
    both = [before, after]
    z = np.concatenate([one.z_ohm for one in both])
    near = z[-z.imag <= STEEP * z.real]
    width, whole = ((max(float(np.ptp(x.real)), float(np.ptp(x.imag))) if x.size else 0.0) for x in (near, z))
    if near.size >= 3 and width < NEAR * whole:
        top = float((-near.imag).max()) + TAIL * width
        kept = [-one.z_ohm.imag <= top for one in both]
        both = [Spectrum.of(s.frequency_hz[k], s.z_ohm[k]) for s, k in zip(both, kept, strict=True)]
    return plot_before_after(*both, name=name, area_cm2=area_cm2, ax=ax)


def plot_activation(comparison: Comparison, quantity: str = IONIC, *, ax: Axes | None = None) -> Axes:
    """Draw the Arrhenius lines of each arm before (hollow, broken line) and after (filled, full line).

    Points are geometric means over the cells that have both energies, relative to their mean before at the
    temperature of the comparison: the step there is the change, the slope the activation energy. The dotted line
    has the slope of the filler, if that is known.

    Parameters
    ----------
    comparison : Comparison
        As `eis.filling.compare` returns it, of cells with spectra at several temperatures.
    quantity : str
        ``"R_ion"``, ``"R_gb"``, ``"R_ct"`` or ``"ASR_if"``.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(6.0, 4.2) if ax is None else ax
    found = comparison.energies.get(quantity)
    if found is None or not found.change:
        return says(ax, "no activation energy before and after")
    for arm, before, after, mark in zip(
        found.change, found.before, found.after, MARKERS * len(found.change), strict=False
    ):
        is_treated = arm.name == comparison.treated
        colour = LINE if is_treated else INK
        cells = [one for one in found.cells if one.arm == arm.name and math.isfinite(one.change_ev)]
        zero = None
        for laws, energy, when in (
            ([one.before for one in cells], before, "before"),
            ([one.after for one in cells], after, "after"),
        ):
            x, y = _arrhenius_points([law for law in laws if law is not None])
            zero = y[0] if zero is None else zero  # the first point of a state is that of the comparison
            slope = -energy.value_ev / BOLTZMANN_EV_PER_K
            ends = np.array([x.min(), x.max()])
            line = np.exp(y.mean() - zero + slope * (ends - x.mean()))
            style = "--" if when == "before" else "-"
            ax.plot(1e3 * ends, line, style, color=colour, linewidth=1.6 if is_treated else 0.8, zorder=2)
            face = "white" if when == "before" else colour
            label = f"{arm.name} {when}: {energy.value_ev:.3f} eV"
            ax.plot(1e3 * x, np.exp(y - zero), mark, color=colour, markerfacecolor=face, markersize=5.5,
                    label=label, zorder=3 + is_treated)  # fmt: skip
            if is_treated and when == "after" and FORM_OF[quantity] == "sigma_t":
                _filler_slope(ax, comparison, ends, float(line[0] * line[1]) ** 0.5)
    over = "1/ASR" if quantity == "ASR_if" else "1/R" if quantity == "R_ct" else "T/R"
    ax.set(yscale="log", xlabel="1000 K / T", ylabel=f"{over} of {quantity}, relative to before")
    low, high = ax.get_ylim()
    plain_log(ax, low, high, axis="y", times=True)
    ax.legend(frameon=False, fontsize=8, loc="best")
    return ax


def _arrhenius_points(laws: Sequence[Arrhenius]) -> tuple[RealArray, RealArray]:
    """Return 1/T (1/K), and the mean over the cells of what the law is a straight line in; in the order measured.

    Cells that were measured at other temperatures than the first are on its line only by their own.
    """
    x = 1 / (laws[0].points.x + ZERO_C_IN_K)
    heights = [law.line.intercept + law.line.slope * x + _off(law, x) for law in laws]
    return x, np.mean(heights, axis=0)


def _off(law: Arrhenius, x: RealArray) -> RealArray:
    """Return how far the points of a law are off its line where they are at `x`; 0 where there is none."""
    own = 1 / (law.points.x + ZERO_C_IN_K)
    y = np.log(law.points.value) * (-1.0 if law.form in ("asr", "resistance") else 1.0)
    y = y - np.log(own) if law.form == "sigma_t" else y
    off = y - law.line.intercept - law.line.slope * own
    near = np.abs(own[None, :] - x[:, None])
    return np.where(near.min(axis=1) < SAME_INVERSE_K, off[near.argmin(axis=1)], 0.0)


def _filler_slope(ax: Axes, comparison: Comparison, ends: RealArray, height: float) -> None:
    energy = comparison.experiment.filler.activation_energy_ev
    if energy is None:
        return
    slope = -energy / BOLTZMANN_EV_PER_K
    line = height * np.exp(slope * (ends - ends.mean()))
    ax.plot(
        1e3 * ends, line, ":", color=GREY, linewidth=1.4, label=f"slope of the filler: {energy:.3f} eV", zorder=1
    )


def _of(comparison: Comparison, arm: str, quantity: str) -> list[Change]:
    return [one for one in comparison.changes if (one.arm, one.quantity) == (arm, quantity) and one.is_comparable]
