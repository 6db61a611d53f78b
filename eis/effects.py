r"""What a treatment did to the cells of one arm: ratios after over before, their mean, interval and p-value.

.. math:: d_i = \ln\frac{X_{i,after}}{X_{i,before}}, \qquad
    u^2(d) = u_r^2(X_b) + u_r^2(X_a) - 2\rho\, u_r(X_b)\, u_r(X_a), \qquad
    \text{ratio} = \exp\!\left(\bar d \pm t_{n-1} \frac{s}{\sqrt n}\right)

The scatter s between cells holds the uncertainty within each cell already; what all cells share and no scatter can
show is added (`u_common`). Cells count alike: weights from a few cells' uncertainties make an interval look
narrower than it is (weighted by DerSimonian and Laird it misses in up to 9 % of experiments instead of 5 %). An
interval needs three cells and a p-value five; below that numbers are descriptive. Contrasts work along the last
axis, so that thousands of experiments go at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from eis.errors import ConfigError
from eis.signed_ranks import hodges_lehmann, wilcoxon_exact

RealArray = NDArray[np.float64]

LEAST_FOR_INTERVAL = 3
LEAST_FOR_P = 5
"""Cells of an arm below which no interval, and no p-value, is printed."""
LEVEL = 0.95
OUTLYING = 0.05
"""How often an arm without any outlier may have a cell marked as one."""
BADLY_MEASURED = 3.0
"""Times the median uncertainty from which a cell is marked as badly measured."""


@dataclass(frozen=True, eq=False, slots=True)
class Contrast:
    """A difference of logarithms with its t interval; arrays of the shape of the experiments.

    Parameters
    ----------
    estimate, u, df : ndarray
        ln of the ratio, its standard error and degrees of freedom.
    low, high : ndarray
        Ends of the interval, of ln of the ratio.
    p : ndarray
        Two-sided p-value of no change; NaN where nothing scatters.
    """

    estimate: RealArray
    u: RealArray
    df: RealArray
    low: RealArray
    high: RealArray
    p: RealArray


def log_ratio(
    before: ArrayLike,
    u_before: ArrayLike,
    after: ArrayLike,
    u_after: ArrayLike,
    *,
    correlation: ArrayLike = 0.0,
) -> tuple[RealArray, RealArray]:
    """Return ln(after/before) and its standard uncertainty.

    Parameters
    ----------
    before, u_before, after, u_after : array_like, shape (n,)
        Values, positive, and standard uncertainties, in one unit.
    correlation : array_like
        Between the errors of the two; see `shared_correlation`.

    Returns
    -------
    d, u_d : ndarray, shape (n,)

    Raises
    ------
    ConfigError
        If a value is not positive and finite, an uncertainty is below 0, or a correlation not within −1 and 1.
    """
    b, ub, a, ua, rho = np.broadcast_arrays(*(_array(x) for x in (before, u_before, after, u_after, correlation)))
    wrong = ~((b > 0) & (a > 0) & np.isfinite(b) & np.isfinite(a)) | (ub < 0) | (ua < 0) | ~(np.abs(rho) <= 1)
    if wrong.any():
        at = int(np.argmax(wrong.ravel()))
        raise ConfigError(
            f"{b.flat[at]:g} ± {ub.flat[at]:g} before and {a.flat[at]:g} ± {ua.flat[at]:g} after have no ln ratio "
            f"(correlation {rho.flat[at]:g})",
            where=f"cell {at + 1}",
            mend="Give positive values, uncertainties of 0 or more, and a correlation between −1 and 1.",
        )
    rb, ra = ub / b, ua / a
    variance = rb**2 + ra**2 - 2 * rho * rb * ra
    return np.asarray(np.log(a / b)), np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def shared_correlation(u_before: ArrayLike, u_after: ArrayLike, u_shared: ArrayLike) -> RealArray:
    """Return the correlation of two values that share a part of their uncertainty, such as area or fixture.

    Parameters
    ----------
    u_before, u_after : array_like
        Relative standard uncertainties, the shared part included.
    u_shared : array_like
        Relative standard uncertainty of what both share; it cancels in their ratio.

    Raises
    ------
    ConfigError
        If the shared part is more than the whole.
    """
    b, a, s = np.broadcast_arrays(_array(u_before), _array(u_after), _array(u_shared))
    if np.any(s > np.minimum(a, b) * (1 + 1e-9)) or np.any(s < 0):
        raise ConfigError(
            "The shared part of the uncertainty is more than the uncertainty itself",
            where="correlation",
            mend="Give relative uncertainties that hold their shared part.",
        )
    product = a * b
    return np.asarray(np.where(product > 0, s**2 / np.where(product > 0, product, 1.0), 0.0))


def mean_contrast(d: ArrayLike, *, level: float = LEVEL, u_common: ArrayLike = 0.0) -> Contrast:
    r"""Return the mean of n values with its t interval and the p-value of a mean of 0 (paired t test).

    Parameters
    ----------
    d : array_like, shape (..., n)
        ln ratios of the cells; n ≥ 2.
    level : float
        Probability of the interval.
    u_common : array_like, shape (...)
        Standard uncertainty all cells share, which their scatter does not show; known exactly (degrees of freedom
        by Welch and Satterthwaite).
    """
    x = _array(d)
    n = x.shape[-1]
    return t_contrast(x.mean(axis=-1), x.var(axis=-1, ddof=1) / n, n - 1.0, level, u_common)


def t_contrast(
    estimate: ArrayLike, variance: ArrayLike, df: ArrayLike, level: float, u_common: ArrayLike = 0.0
) -> Contrast:
    """Return interval and p-value of an estimate from its variance, degrees of freedom and a known variance."""
    value, own, nu, common = np.broadcast_arrays(
        _array(estimate), _array(variance), _array(df), _array(u_common) ** 2
    )
    total = own + common
    nu = np.where(own > 0, nu * (total / np.where(own > 0, own, 1.0)) ** 2, nu)
    u = np.sqrt(total)
    half = np.asarray(special.stdtrit(nu, (1 + level) / 2) * u, dtype=np.float64)
    t = np.abs(value) / np.where(u > 0, u, 1.0)
    p = np.where(u > 0, 2 * special.stdtr(nu, -t), np.nan)
    return Contrast(value.copy(), u, np.asarray(nu), value - half, value + half, np.asarray(p))


def outlying(d: ArrayLike, u: ArrayLike | None = None) -> tuple[tuple[int, str], ...]:
    """Return the cells that stand apart, and why; they are marked, never left out.

    Parameters
    ----------
    d, u : array_like, shape (n,)
        ln ratios and, if known, their standard uncertainties. Below four cells nobody stands apart.

    Returns
    -------
    tuple of (int, str)
        Place of the cell, and the reason: its distance from the mean of the others, by a t test corrected for the
        choice of the farthest (F. E. Grubbs, Ann. Math. Stat. 21 (1950) 27, doi:10.1214/aoms/1177729885), or an
        uncertainty above three times the median.
    """
    x = _array(d)
    n = x.size
    found: list[tuple[int, str]] = []
    if n >= 4:
        rest = np.array([np.delete(x, i) for i in range(n)])
        spread = rest.std(axis=1, ddof=1) * math.sqrt(n / (n - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(x - rest.mean(axis=1)) / spread
        limit = float(special.stdtrit(n - 2, 1 - OUTLYING / (2 * n)))
        found = [(int(i), f"{t[i]:.1f} standard deviations from the others") for i in np.flatnonzero(t > limit)]
    if u is not None and n >= 4:
        given = _array(u)
        middle = float(np.median(given))
        found += [
            (int(i), f"an uncertainty {given[i] / middle:.1f} times the median")
            for i in np.flatnonzero(given > BADLY_MEASURED * middle)
            if middle > 0
        ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Robust:
    """The second look at an arm: what single cells do to its result; nothing is left out of the first.

    Parameters
    ----------
    ratio, low, high : float
        Hodges–Lehmann estimate and exact interval (NaN ends below six cells).
    marked : tuple of (str, str)
        Cells that stand apart, and why.
    without : tuple of (str, float, float, float)
        Ratio and interval with each cell in turn left out; NaN ends below three remaining cells.
    is_sensitive : bool
        Whether leaving out one cell turns an interval without 1 into one with it, or the other way round.
    """

    ratio: float
    low: float
    high: float
    marked: tuple[tuple[str, str], ...]
    without: tuple[tuple[str, float, float, float], ...]
    is_sensitive: bool


@dataclass(frozen=True, slots=True)
class ArmEffect:
    """What happened to one quantity in the cells of one arm.

    Parameters
    ----------
    name : str
        The arm, or arm and quantity.
    cells : tuple of str
        Cells that were measured before and after.
    log_ratios, u_log_ratios : tuple of float
        ln(after/before) of each and its standard uncertainty (NaN where not known).
    ratio, low, high : float
        Geometric mean of the ratios and its interval; NaN ends below three cells.
    p, p_wilcoxon : float
        Of no change, by the paired t test and by exact signed ranks; NaN below five cells.
    scatter, between, within : float
        Standard deviation of the ln ratios; the part between cells; the part of the measurement within a cell.
    level : float
        Probability of the interval.
    because : str
        What is not given for want of cells, or what to beware of.
    robust : Robust
        The second look.
    """

    name: str
    cells: tuple[str, ...]
    log_ratios: tuple[float, ...]
    u_log_ratios: tuple[float, ...]
    ratio: float
    low: float
    high: float
    p: float
    p_wilcoxon: float
    scatter: float
    between: float
    within: float
    level: float
    because: str
    robust: Robust

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.cells)

    @property
    def is_descriptive(self) -> bool:
        """Whether there are too few cells for an interval."""
        return not math.isfinite(self.low)


def arm_effect(
    name: str,
    log_ratios: ArrayLike,
    u_log_ratios: ArrayLike | None = None,
    *,
    cells: Sequence[str] | None = None,
    level: float = LEVEL,
    u_common: float = 0.0,
) -> ArmEffect:
    """Return the geometric mean ratio of an arm with all that its number of cells allows.

    Parameters
    ----------
    name : str
        The arm, or arm and quantity.
    log_ratios, u_log_ratios : array_like, shape (n,)
        ln(after/before) of the cells, finite, and their standard uncertainties as `log_ratio` returns them.
    cells : sequence of str, optional
        Their names; otherwise numbers from 1.
    level : float
        Probability of the interval.
    u_common : float
        Standard uncertainty of ln ratio that all cells share.

    Raises
    ------
    ConfigError
        If there is no cell, a ratio is not finite, or the lengths differ.
    """
    d = np.atleast_1d(_array(log_ratios))
    u = np.full(d.size, math.nan) if u_log_ratios is None else np.atleast_1d(_array(u_log_ratios))
    names = tuple(cells) if cells is not None else tuple(str(i + 1) for i in range(d.size))
    if d.ndim != 1 or not d.size or u.shape != d.shape or len(names) != d.size or not np.isfinite(d).all():
        raise ConfigError(
            f"{d.size} log ratios, {u.size} uncertainties and {len(names)} cells, of which "
            f"{int((~np.isfinite(d)).sum())} without a finite ratio, are no arm",
            where=f"arm {name}",
            mend="Give each cell a finite log ratio and its uncertainty; leave out cells without a pair by name.",
        )
    n = d.size
    within = math.sqrt(float(np.mean(u**2)))
    scatter = float(d.std(ddof=1)) if n > 1 else math.nan
    between = math.sqrt(max(scatter**2 - within**2, 0.0)) if math.isfinite(within) else math.nan
    low, high, p, ranks = math.nan, math.nan, math.nan, math.nan
    notes = []
    if n >= LEAST_FOR_INTERVAL:
        found = mean_contrast(d, level=level, u_common=u_common)
        low, high = math.exp(float(found.low)), math.exp(float(found.high))
        if n >= LEAST_FOR_P:
            p, ranks = float(found.p), wilcoxon_exact(d)
        else:
            notes.append(f"{n} cells: an interval, but no p-value (that needs {LEAST_FOR_P})")
    else:
        notes.append(f"descriptive only: {n} cell{'s' * (n > 1)}, an interval needs {LEAST_FOR_INTERVAL}")
    if n >= LEAST_FOR_INTERVAL and scatter == 0:
        notes.append("the cells do not scatter at all, which no measurement does")
    middle, bottom, top = hodges_lehmann(d, level=level)
    marked = tuple((names[i], why) for i, why in outlying(d, None if u_log_ratios is None else u))
    without = tuple(_without(d, i, names[i], level, u_common) for i in range(n)) if n > 1 else ()
    clear = _is_clear(low, high)
    robust = Robust(
        math.exp(middle),
        math.exp(bottom),
        math.exp(top),
        marked,
        without,
        math.isfinite(low) and any(math.isfinite(b) and _is_clear(b, t) != clear for _, _, b, t in without),
    )
    return ArmEffect(
        name,
        names,
        tuple(d.tolist()),
        tuple(u.tolist()),
        math.exp(float(d.mean())),
        low,
        high,
        p,
        ranks,
        scatter,
        between,
        within,
        level,
        "; ".join(notes),
        robust,
    )


def _without(d: RealArray, i: int, name: str, level: float, u_common: float) -> tuple[str, float, float, float]:
    rest = np.delete(d, i)
    if rest.size < LEAST_FOR_INTERVAL:
        return name, math.exp(float(rest.mean())), math.nan, math.nan
    found = mean_contrast(rest, level=level, u_common=u_common)
    return name, math.exp(float(found.estimate)), math.exp(float(found.low)), math.exp(float(found.high))


def _is_clear(low: float, high: float) -> bool:
    """Whether an interval of a ratio lies on one side of 1."""
    return low > 1 or high < 1


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
