"""How well a fit knows its parameters, drawn: profile likelihood and bootstrap draws.

As in `eis.plots`, every function draws into `ax` or into a new `Figure` of its own and returns the axes. What
`fitting.profile` and `fitting.bootstrap` return is taken by its shape, so that nothing here needs the optimiser.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from scipy.interpolate import PchipInterpolator
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import f as f_distribution

from eis.errors import ConfigError
from eis.plot_scale import Scale, scale_of
from eis.plots import LINE, SECOND
from eis.results import Fit
from eis.spectrum import RealArray
from eis.verdict_plot import GREY, INK, own_axes, says

ONE_U = 0.6827
"""Confidence of ± 1 standard uncertainty of a normal distribution."""
TWO_U = 0.9545
"""Confidence of ± 2."""
HEIGHT = 1.4
"""Height of a profile's drawing over its highest threshold."""
FINE = 24
"""Points drawn between two places that were visited."""
FAR = 100.0
"""Factor from the fitted value at which the drawing of an open end stops."""
WIDE = 30.0
"""Factor between the ends of an interval from which its axis is logarithmic."""


class _Profile(Protocol):
    """The fields of `fitting.profile.Profile` that are drawn."""

    @property
    def quantity(self) -> str: ...
    @property
    def coefficients(self) -> Mapping[str, float]: ...
    @property
    def unit(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def level(self) -> float: ...
    @property
    def threshold(self) -> float: ...
    @property
    def grid(self) -> RealArray: ...
    @property
    def delta_chi2(self) -> RealArray: ...


class _Bootstrap(Protocol):
    """The part of `fitting.bootstrap.Bootstrap` that is drawn."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def draws_of(self, quantity: str) -> RealArray: ...
    def interval(self, quantity: str, *, level: float) -> tuple[float, float]: ...


def plot_profile(profile: _Profile, fit: Fit, *, ax: Axes | None = None) -> Axes:
    """Draw how χ² rises as one quantity is moved, beside the parabola that its standard uncertainty stands for.

    Filled markers are the ends of the 68.27 % interval (squares) and of the profile's own (circles). Where the
    data give no end there is a hollow arrow, and words say why.

    Parameters
    ----------
    profile : fitting.profile.Profile
        What `fitting.profile.profile` returned.
    fit : Fit
        The fit it was made from.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        Of Δχ² (over s², the reduced χ², unless the noise is known) over the quantity.

    Raises
    ------
    ConfigError
        If the profile is of another fit.
    """
    names = list(profile.coefficients)
    c = np.array([profile.coefficients[name] for name in names])
    value = float(c @ [fit.value(name) for name in names])
    if not math.isclose(value, profile.value, rel_tol=1e-6):
        raise ConfigError(
            f"The profile is of {profile.quantity} = {profile.value:.6g}, the fit has {value:.6g}",
            where=f"circuit {fit.circuit}",
            mend="Give the fit the profile was made from.",
        )
    ax = own_axes(6.0, 4.0) if ax is None else ax
    scale = scale_of(profile.quantity, profile.unit, value)
    ax.set_xlabel(scale.label, parse_math=False)
    ax.set_ylabel("Δχ²" if fit.weight == "variance" else "Δχ² / s²")
    if profile.grid.size < 3:
        ax.set(xticks=[], yticks=[])
        return says(ax, f"there is no profile of {profile.quantity}")
    curve, top = _Curve.through(profile), HEIGHT * profile.threshold
    ends = _own_ends(profile, curve)
    by_log = _set_range(ax, curve, ends, top, scale.size)
    ax.set_ylim(-0.03 * top, top)
    ax.axhline(0, color=GREY, linewidth=0.7, zorder=1)
    ax.plot(curve.x / scale.size, curve.root**2, "-", color=INK, linewidth=1.6, zorder=3, label="profile")
    ax.plot(profile.grid / scale.size, profile.delta_chi2, ".", color=INK, markersize=4, zorder=3)
    u = math.sqrt(max(c @ fit.covariance_of(names) @ c, 0.0))
    if u > 0:
        x = np.linspace(*ax.get_xlim(), 800) * scale.size
        x = np.geomspace(*ax.get_xlim(), 800) * scale.size if by_log else x
        label = f"parabola of {scale.named(f'{scale.show(value, u)} ± {scale.show(u, u)}')} (k = 1)"
        ax.plot(x / scale.size, ((x - value) / u) ** 2, "--", color=SECOND, linewidth=1.3, zorder=2, label=label)
    else:
        ax.plot([], [], linestyle="none", label="no standard uncertainty, no parabola")
    if abs(curve.best - value) > 0.05 * abs(curve.best) or (u > 0 and abs(curve.best - value) > 0.2 * u):
        label = f"the fit, {scale.named(scale.show(value, u))}; here is a lower minimum"
        ax.axvline(value / scale.size, color=LINE, linestyle="-.", linewidth=1, zorder=1, label=label)
    degrees = max(2 * fit.n_points - fit.n_free, 1)
    known = fit.weight == "variance"
    inner = float(chi2_distribution.ppf(ONE_U, 1) if known else f_distribution.ppf(ONE_U, 1, degrees))
    if inner < 0.9 * profile.threshold:
        low, high = curve.end(-1, inner), curve.end(1, inner)
        closer = (
            _End(low, True) if math.isfinite(low) else _End(ends[0].place, False),
            _End(high, True) if math.isfinite(high) else _End(ends[1].place, False),
        )
        _draw_interval(ax, closer, ONE_U, inner, "s", scale)
    _draw_interval(ax, ends, profile.level, profile.threshold, "o", scale)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=8, borderaxespad=0.2)
    return ax


def plot_bootstrap(
    bootstrap: _Bootstrap, fit: Fit, names: Sequence[str] | str | None = None, *, ax: Axes | None = None
) -> tuple[Axes, ...]:
    """Draw how the draws of a bootstrap spread, beside the normal distribution of value and u of the fit.

    Parameters
    ----------
    bootstrap : fitting.bootstrap.Bootstrap
        What `fitting.bootstrap.bootstrap` returned.
    fit : Fit
        The fit the draws were made from.
    names : sequence of str or str, optional
        Parameters to draw; every free one if left out.
    ax : matplotlib Axes, optional
        Where to draw, if it is one parameter; a new figure of panels if left out.

    Returns
    -------
    tuple of Axes
        One for each parameter.

    Raises
    ------
    ConfigError
        If there is no such parameter, none is free, or several shall go into one `ax`.
    """
    free = [parameter.name for parameter in fit.parameters if not parameter.fixed]
    chosen = free if names is None else [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in free or name not in bootstrap.names:
            raise ConfigError(f"{name!r} is no free parameter", mend=f"Free are {', '.join(free) or 'none'}.")
    if not chosen or (ax is not None and len(chosen) > 1):
        what = (
            f"{len(chosen)} parameters cannot go into one ax" if chosen else "There is no free parameter to draw"
        )
        raise ConfigError(what, mend="Name one parameter, or leave ax out.")
    if ax is not None:
        panels = [ax]
    else:
        across = min(len(chosen), 3)
        down = math.ceil(len(chosen) / across)
        figure = Figure(figsize=(max(4.2, 2.9 * across), 0.5 + 2.1 * down), layout="constrained")
        panels = [figure.add_subplot(down, across, i + 1) for i in range(len(chosen))]
    for i, (panel, name) in enumerate(zip(panels, chosen, strict=True)):
        _draw_histogram(panel, bootstrap, fit, name)
        panel.set_ylabel("" if i % 3 else "number of draws")
    if ax is None and isinstance(panels[0].figure, Figure):
        handles, labels = panels[0].get_legend_handles_labels()
        columns = 4 if len(chosen) > 2 else 2
        panels[0].figure.legend(
            handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=8
        )
    else:
        panels[0].legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=8)
    return tuple(panels)


@dataclass(frozen=True, slots=True)
class _Curve:
    """A profile as a fine line: `root` is √Δχ² at `x`, both shape (n,), falling to zero at `best`."""

    x: RealArray
    root: RealArray
    best: float

    @classmethod
    def through(cls, profile: _Profile) -> _Curve:
        """Lay a line through the places visited: √Δχ² is nearly straight on both sides of the minimum."""
        grid, first = np.unique(profile.grid, return_index=True)
        delta = np.maximum(profile.delta_chi2[first], 0.0)
        bottom = int(np.argmin(delta))
        by_log = bool(grid[0] > 0)
        places = np.log(grid) if by_log else grid
        between = [a + (b - a) * np.arange(FINE) / FINE for a, b in itertools.pairwise(places)]
        x = np.concatenate([*between, places[-1:]])
        signed = np.where(np.arange(grid.size) < bottom, -1, 1) * np.sqrt(delta)
        root = np.abs(np.asarray(PchipInterpolator(places, signed)(x)))
        return cls(np.exp(x) if by_log else x, root, float(grid[bottom]))

    def end(self, side: int, threshold: float) -> float:
        """Return where Δχ² first passes the threshold on one side; ± infinity where it does not."""
        beyond = self.x >= self.best if side > 0 else self.x <= self.best
        x, root = self.x[beyond][::side], self.root[beyond][::side]
        out = np.flatnonzero(root >= math.sqrt(threshold))
        if not out.size or out[0] == 0:
            return side * math.inf
        i = int(out[0])
        part = (math.sqrt(threshold) - root[i - 1]) / (root[i] - root[i - 1])
        return float(x[i - 1] + part * (x[i] - x[i - 1]))


@dataclass(frozen=True, slots=True)
class _End:
    """One end of an interval: where it is (infinite if nowhere), whether the data give it, and if not, why."""

    place: float
    closed: bool
    words: str = ""


def _own_ends(profile: _Profile, curve: _Curve) -> tuple[_End, _End]:
    """Return the ends that the profile states, and what to say of those that the data do not give."""
    found = []
    for side, name, stated in ((-1, "lower", profile.low), (1, "upper", profile.high)):
        if math.isnan(stated):
            stopped = float(curve.x[-1 if side > 0 else 0])
            found.append(_End(stopped, False, f"{name} end not found"))
        elif math.isfinite(curve.end(side, 0.99 * profile.threshold)):
            found.append(_End(stated, True))
        elif math.isinf(stated) or stated == 0:
            found.append(_End(stated, False, f"no {name} limit"))
        else:
            rests = math.isclose(stated, curve.best, rel_tol=1e-4)
            found.append(
                _End(stated, False, f"{'at its' if rests else f'no {name} end before the'} limit {stated:.4g}")
            )
    return found[0], found[1]


def _set_range(ax: Axes, curve: _Curve, ends: tuple[_End, _End], top: float, size: float) -> bool:
    """Show what of the curve fits into the height, and an open side to `FAR`; return whether the axis is log."""
    low, high = ends
    positive = bool(curve.x[0] > 0)
    by_log = positive and (high.place == math.inf or (low.place > 0 and high.place > WIDE * low.place))
    left, right = curve.end(-1, top), curve.end(1, top)
    left = left if math.isfinite(left) else 0.0 if low.place == 0 else float(curve.x[0])
    right = right if math.isfinite(right) else float(curve.x[-1])
    if by_log:
        left = max(left, curve.best / FAR)
        right = min(right, curve.best * FAR) if not high.closed else right
        ax.set_xscale("log")
        ax.set_xlim(left / size / (right / left) ** 0.03, right / size * (right / left) ** 0.03)
        few = right < 300 * left
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        edge = 0.05 * (right - left)
        ax.set_xlim((left - edge if left > edge or not positive else 0.0) / size, (right + edge) / size)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
        ax.ticklabel_format(axis="x", useOffset=False, style="plain")
    return by_log


def _draw_interval(
    ax: Axes, ends: tuple[_End, _End], level: float, threshold: float, marker: str, scale: Scale
) -> None:
    """Draw an interval on its threshold: filled where it ends, hollow arrows where it does not."""
    frame = ax.get_xlim()
    ax.axhline(threshold, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    places = [min(max(end.place / scale.size, frame[0]), frame[1]) for end in ends]
    finite = [end.place for end in ends if math.isfinite(end.place)]
    width = max(finite) - min(finite) if len(finite) == 2 else finite[0] if finite else math.nan
    shown = []
    for end, place, arrow, ha in zip(ends, places, "<>", ("left", "right"), strict=True):
        face = INK if end.closed else "white"
        shape: dict[str, Any] = {
            "marker": marker if end.closed else arrow,
            "markersize": 6,
            "markerfacecolor": face,
        }
        ax.plot([place], [threshold], color=INK, linestyle="none", clip_on=False, zorder=5, **shape)
        if end.closed:
            ax.plot([place, place], [0, threshold], color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        elif end.words:
            shift = {"left": 7, "right": -7}[ha]
            _note(ax, place, threshold, end.words, ha=ha, offset=(shift, 5))
        number = scale.show(end.place, width) if math.isfinite(end.place) else ""
        shown.append(number if end.closed else f"{number} (open)" if number else "open")
    percent = f"{100 * level:.4g} %"
    label = f"{percent}: {scale.named(f'{shown[0]} to {shown[1]}')}"
    ax.plot(places, [threshold] * 2, "-", color=INK, linewidth=1.0, zorder=4)
    ax.plot([], [], "-", color=INK, marker=marker, markersize=6, linewidth=1.0, label=label)
    right = ax.get_yaxis_transform()
    ax.text(1.015, threshold, percent, transform=right, va="center", fontsize=8, color=INK)


def _draw_histogram(ax: Axes, bootstrap: _Bootstrap, fit: Fit, name: str) -> None:
    """Draw the draws of one parameter, their interval, and what the fit says."""
    draws, parameter = bootstrap.draws_of(name), fit[name]
    scale = scale_of(name, parameter.unit, parameter.value)
    values, value, u = draws / scale.size, parameter.value / scale.size, parameter.u / scale.size
    bins = int(min(40, max(8, math.sqrt(values.size))))
    count, edges = np.histogram(values, bins)
    ax.stairs(count, edges, fill=True, facecolor="#d0d0d0", edgecolor=GREY, linewidth=0.7, label="draws", zorder=1)
    top = 1.15 * float(count.max())
    if math.isfinite(u) and u > 0:
        x = np.linspace(min(edges[0], value - 3 * u), max(edges[-1], value + 3 * u), 300)
        normal = np.exp(-0.5 * ((x - value) / u) ** 2) / (u * math.sqrt(2 * math.pi))
        expected = normal * values.size * (edges[1] - edges[0])
        top = max(top, 1.1 * float(expected.max()))
        ax.plot(x, expected, "--", color=SECOND, linewidth=1.3, zorder=2, label="normal, u of the fit")
    low, high = (end / scale.size for end in bootstrap.interval(name, level=TWO_U))
    ends: dict[str, Any] = {"capsize": 3, "linewidth": 1.4, "color": INK, "markersize": 5, "zorder": 3}
    middle = float(np.median(values))
    ax.errorbar(
        [middle],
        [1.06 * top],
        xerr=[[middle - low], [high - middle]],
        fmt="|",
        label=f"{100 * TWO_U:.4g} % of the draws",
        **ends,
    )
    spread = [2 * u] if math.isfinite(u) else None
    ends = {**ends, "color": SECOND, "markerfacecolor": "white"}
    words = "fit ± U (k = 2)" if spread else "fit (± n/a)"
    ax.errorbar([value], [1.18 * top], xerr=spread, fmt="o", label=words, **ends)
    ax.set_ylim(0, 1.28 * top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    ax.ticklabel_format(axis="x", useOffset=False, style="plain")
    ax.set_xlabel(scale.label, parse_math=False)


def _note(
    ax: Axes, x: float, y: float, text: str, *, ha: str = "center", offset: tuple[float, float] = (0, 0)
) -> None:
    ax.annotate(
        text, (x, y), xytext=offset, textcoords="offset points", ha=ha, va="bottom", fontsize=8, color=INK,
        parse_math=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8}, zorder=4,
    )  # fmt: skip
