r"""Control chart of single values over time, to see whether the process that makes the cells has changed.

Individuals and moving ranges: with the mean moving range \bar{MR} of neighbours the standard deviation is
\bar{MR}/1.128 and the limits lie three of it from the mean (NIST/SEMATECH e-Handbook §6.3.2.2). Resistances are
charted as logarithms, because they scatter by factors. The rules for runs are Nelson's (J. Qual. Technol. 16
(1984) 237, doi:10.1080/00224065.1984.11978921).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.errors import ConfigError

D2 = 1.128
"""Mean range of two normal values over their standard deviation."""
FEWEST = 8
"""Values below which no limits are drawn: they would mean nothing."""
ROUNDING = 1e-12
"""Deviations from the mean below this, over the largest value, are of the arithmetic and not of the process."""
RULES = {
    "beyond": "beyond three standard deviations",
    "same side": "nine in a row on one side of the mean",
    "trend": "six in a row, each above or each below the one before",
    "two of three": "two of three beyond two standard deviations on one side",
    "four of five": "four of five beyond one standard deviation on one side",
}


@dataclass(frozen=True, eq=False, slots=True)
class ControlChart:
    """Values in order of time with the limits of their process.

    Parameters
    ----------
    values : ndarray, shape (n,)
        As given.
    centre, low, high : float
        Mean and control limits, in the unit of the values; NaN with fewer than eight values.
    signals : tuple of (int, str)
        Places of values that say the process has changed, and the name of the rule.
    is_logarithmic : bool
        Whether mean and limits were found for the logarithms.
    """

    values: NDArray[np.float64]
    centre: float
    low: float
    high: float
    signals: tuple[tuple[int, str], ...]
    is_logarithmic: bool

    @property
    def is_in_control(self) -> bool:
        """Whether no rule is broken; with too few values there is nothing to break."""
        return not self.signals

    def __str__(self) -> str:
        n = self.values.size
        if n < FEWEST:
            return f"{n} values: too few for control limits ({FEWEST} are needed)"
        head = f"{n} values, mean {self.centre:.4g}, limits {self.low:.4g} to {self.high:.4g}"
        places = {rule: [place + 1 for place, name in self.signals if name == rule] for rule in RULES}
        said = [f"{RULES[rule]}: {_runs(found)}" for rule, found in places.items() if found]
        return "; ".join([head, *said]) if said else f"{head}; in control"


def control_chart(values: Sequence[float] | NDArray[np.float64], *, logarithmic: bool = True) -> ControlChart:
    """Chart values in order of time.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        Finite; positive where `logarithmic`.
    logarithmic : bool
        Whether the logarithms are charted.

    Raises
    ------
    ConfigError
        If a value is not finite, or not positive where its logarithm is needed.
    """
    given = np.asarray(values, dtype=float).reshape(-1)
    wrong = ~np.isfinite(given) | (given <= 0 if logarithmic else False)
    if wrong.any():
        raise ConfigError(
            f"Value {int(np.argmax(wrong)) + 1} is {given[wrong][0]:g}",
            where="control chart",
            mend="Leave out what is no finite value" + (" above zero." if logarithmic else "."),
        )
    if given.size < FEWEST:
        return ControlChart(given, math.nan, math.nan, math.nan, (), logarithmic)
    x = np.log(given) if logarithmic else given
    centre, sigma = float(x.mean()), float(np.abs(np.diff(x)).mean()) / D2
    bounds = (centre, centre - 3 * sigma, centre + 3 * sigma)
    centre_shown, low, high = map(math.exp, bounds) if logarithmic else bounds
    deviation = x - centre
    deviation[np.abs(deviation) <= ROUNDING * np.abs(x).max()] = 0.0  # equal values break no rule
    return ControlChart(given, centre_shown, low, high, _signals(deviation, sigma), logarithmic)


def _signals(deviation: NDArray[np.float64], sigma: float) -> tuple[tuple[int, str], ...]:
    """Return where which rule is broken first complete; `deviation` from the mean, shape (n,)."""
    found: list[tuple[int, str]] = []
    side, step = np.sign(deviation), np.sign(np.diff(deviation))
    for i in range(deviation.size):
        if abs(deviation[i]) > 3 * sigma:
            found.append((i, "beyond"))
        if _agree(side, i, 9):
            found.append((i, "same side"))
        if i >= 5 and _agree(step, i - 1, 5):
            found.append((i, "trend"))
        for rule, n, of, width in (("two of three", 2, 3, 2), ("four of five", 4, 5, 1)):
            window = deviation[max(0, i - of + 1) : i + 1]
            beyond = np.abs(deviation[i]) > width * sigma
            if window.size == of and beyond and ((window * side[i]) > width * sigma).sum() >= n:
                found.append((i, rule))
    return tuple(found)


def _runs(places: Sequence[int]) -> str:
    """Return rising numbers in words: ``2, 45 to 48``."""
    starts = [one for one in places if one - 1 not in places]
    ends = [one for one in places if one + 1 not in places]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True))


def _agree(signs: NDArray[np.float64], last: int, n: int) -> bool:
    """Return whether the `n` signs up to `last` are one and the same, and not 0."""
    window = signs[last - n + 1 : last + 1] if last - n + 1 >= 0 else signs[:0]
    return window.size == n and window[0] != 0 and bool((window == window[0]).all())
