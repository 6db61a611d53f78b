r"""How many cells an experiment needs: power of the paired and of the two-group t test, from the noncentral t.

.. math:: \text{power} = P\big(|T_{\nu, \delta}| > t_{\nu, 1-\alpha/2}\big), \qquad
    \delta_{pairs} = \frac{|\ln r| \sqrt n}{s}, \quad \delta_{groups} = \frac{|\ln r|}{s \sqrt{2/n}}

with r the true ratio after over before (0.8 for a drop of 20 %), s the standard deviation of ln ratios between
cells of an arm, n the pairs, or the cells of each group, and ν = n − 1 or 2n − 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from eis.effects import LEAST_FOR_P
from eis.errors import ConfigError

RealArray = NDArray[np.float64]

MOST = 100_000
"""Cells beyond which the answer is that the effect is too small for any experiment."""


def paired_power(ratio: ArrayLike, scatter: ArrayLike, n: ArrayLike, *, alpha: float = 0.05) -> RealArray:
    """Return the probability that a paired t test of n cells finds a true ratio.

    Parameters
    ----------
    ratio, scatter, n : array_like
        True ratio after over before, standard deviation of ln ratio between cells, and number of cells (≥ 2).
    alpha : float
        Two-sided error allowed.
    """
    effect, s, cells = np.abs(np.log(_array(ratio))), _array(scatter), _array(n)
    return _power(effect * np.sqrt(cells) / s, cells - 1, alpha)


def group_power(ratio: ArrayLike, scatter: ArrayLike, n: ArrayLike, *, alpha: float = 0.05) -> RealArray:
    """Return the probability that two groups of n cells each show a true ratio; as `paired_power`."""
    effect, s, cells = np.abs(np.log(_array(ratio))), _array(scatter), _array(n)
    return _power(effect / (s * np.sqrt(2 / cells)), 2 * cells - 2, alpha)


def pairs_needed(ratio: float, scatter: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the least number of cells, before and after, that find a true ratio.

    Parameters
    ----------
    ratio, scatter : float
        True ratio after over before (not 1), and standard deviation of ln ratio between cells.
    power, alpha : float
        Probability wanted, and two-sided error allowed.

    Returns
    -------
    int
        At least 2; a report prints a p-value from five cells on (`eis.effects.LEAST_FOR_P`).

    Raises
    ------
    ConfigError
        If a number is out of its range, or more than 100 000 cells would be needed.
    """
    return _least(paired_power, ratio, scatter, power, alpha)


def cells_per_group(ratio: float, scatter: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the least number of cells in each of two groups that show a true ratio; as `pairs_needed`."""
    return _least(group_power, ratio, scatter, power, alpha)


def detectable_ratio(
    n: int, scatter: float, *, power: float = 0.8, alpha: float = 0.05, groups: bool = False
) -> float:
    """Return the weakest drop that n cells find, as the ratio after over before (below 1).

    Parameters
    ----------
    n : int
        Pairs, or with `groups` cells of each group; 2 or more.
    scatter, power, alpha : float
        As in `pairs_needed`.
    groups : bool
        Whether two groups are compared.

    Raises
    ------
    ConfigError
        If a number is out of its range.
    """
    _check(0.5, scatter, power, alpha)
    if n < 2:
        raise ConfigError(f"{n} cells have no scatter", where="sample size", mend="Plan two cells or more.")
    test = group_power if groups else paired_power
    high = 1.0
    while float(test(np.exp(-high), scatter, n, alpha=alpha)) < power:
        high *= 2
    root = optimize.brentq(lambda x: float(test(np.exp(-x), scatter, n, alpha=alpha)) - power, 1e-9, high)
    return float(np.exp(-root))


def plan_sentence(ratio: float, scatter: float, *, power: float = 0.8, alpha: float = 0.05) -> str:
    """Say how many cells an experiment with a treated and a control arm needs; raises as `pairs_needed`."""
    pairs = pairs_needed(ratio, scatter, power=power, alpha=alpha)
    each = cells_per_group(ratio, scatter, power=power, alpha=alpha)
    text = (
        f"To find a ratio of {ratio:g} with probability {power:g} (α = {alpha:g}, cells scattering by "
        f"{100 * scatter:g} %): {pairs} cells before and after, or {each} in each of a treated and a control arm"
    )
    if min(pairs, each) < LEAST_FOR_P:
        text += f"; take at least {LEAST_FOR_P}, below that no p-value is printed"
    return f"{text}."


def _power(noncentrality: RealArray, df: RealArray, alpha: float) -> RealArray:
    limit = stats.t.isf(alpha / 2, df)
    # Far out the noncentral t's tail is 1 to all digits, and its series does not end.
    delta = np.minimum(noncentrality, 1e3)
    upper = np.asarray(stats.nct.sf(limit, df, delta))
    lower = np.asarray(stats.nct.cdf(-limit, df, delta))
    return np.asarray(np.where(np.isfinite(upper), upper, 1.0) + np.where(np.isfinite(lower), lower, 0.0))


def _least(test: Callable[..., RealArray], ratio: float, scatter: float, power: float, alpha: float) -> int:
    _check(ratio, scatter, power, alpha)
    low, high = 1, 2  # power rises with n: double, then halve
    while float(test(ratio, scatter, high, alpha=alpha)) < power:
        low, high = high, 2 * high
        if high > MOST:
            raise ConfigError(
                f"A ratio of {ratio:g} among cells scattering by {100 * scatter:g} % needs more than {MOST} cells",
                where="sample size",
                mend="Plan for a larger effect, or make cells alike.",
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if float(test(ratio, scatter, middle, alpha=alpha)) >= power else (middle, high)
    return high


def _check(ratio: float, scatter: float, power: float, alpha: float) -> None:
    faults = []
    if not (0 < ratio < np.inf) or ratio == 1:
        faults.append(f"ratio is {ratio:g}, not a positive number other than 1")
    if not 0 < scatter < np.inf:
        faults.append(f"scatter is {scatter:g}, not above 0")
    if not 0 < alpha < power < 1:
        faults.append(f"power {power:g} and alpha {alpha:g} are not in the order 0 < alpha < power < 1")
    if faults:
        raise ConfigError(
            "Wrong input: " + "; ".join(faults), where="sample size", mend="Give 0.8 for a drop of 20 %."
        )


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
