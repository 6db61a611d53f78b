"""Exact statistics of signed ranks: Wilcoxon's test and the interval of the Hodges–Lehmann estimate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

RealArray = NDArray[np.float64]

MOST_EXACT = 60
"""Values up to which Walsh averages are all formed."""


def wilcoxon_exact(d: ArrayLike) -> float:
    """Return the exact two-sided p-value of Wilcoxon's signed-rank test, ties and zeros included.

    Parameters
    ----------
    d : array_like, shape (n,)
        Differences; zeros are left out, ties share their mean rank and the distribution is that of those ranks.

    Returns
    -------
    float
        At least 2^(1−n): 0.0625 for five, 0.03125 for six; NaN if all are 0.

    References
    ----------
    F. Wilcoxon, Biometrics Bull. 1 (1945) 80, doi:10.2307/3001968.
    """
    x = _array(d)
    x = x[x != 0]
    if not x.size:
        return math.nan
    size = np.abs(x)
    doubled = np.array([(size < one).sum() * 2 + (size == one).sum() + 1 for one in size])  # twice the mean ranks
    counts = _signed_rank_counts(doubled)
    positive = int(doubled[x > 0].sum())
    least = min(positive, int(doubled.sum()) - positive)
    return min(1.0, 2 * float(counts[: least + 1].sum()))


def hodges_lehmann(d: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the median of all means of two, and its exact interval by signed ranks.

    Parameters
    ----------
    d : array_like, shape (n,)
        ln ratios.
    level : float
        Least probability of the interval; 0.95 needs n ≥ 6.

    Returns
    -------
    estimate, low, high : float
        The ends are NaN where n is too small for `level` or above `MOST_EXACT`.

    References
    ----------
    J. L. Hodges, E. L. Lehmann, Ann. Math. Stat. 34 (1963) 598, doi:10.1214/aoms/1177704172.
    """
    x = _array(d)
    n = x.size
    if n > MOST_EXACT:
        return float(np.median(x)), math.nan, math.nan
    first, second = np.triu_indices(n)
    walsh = np.sort((x[first] + x[second]) / 2)
    below = np.cumsum(_signed_rank_counts(2 * np.arange(1, n + 1))[::2])
    k = int(np.searchsorted(below, (1 - level) / 2, side="right"))  # the first k + 1 sums are too likely
    if k == 0:
        return float(np.median(walsh)), math.nan, math.nan
    return float(np.median(walsh)), float(walsh[k - 1]), float(walsh[-k])


def _signed_rank_counts(ranks: NDArray[np.int64]) -> RealArray:
    """Return the probability of each sum 0, 1, … of the ranks that happen to be positive, each with a half."""
    probability = np.ones(1)
    for rank in ranks.tolist():
        shifted = np.concatenate([np.zeros(rank), probability])
        probability = (np.concatenate([probability, np.zeros(rank)]) + shifted) / 2
    return probability


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
