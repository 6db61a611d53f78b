"""Estimates from draws: a value, its interval, and why there is none (Monte Carlo, JCGM 101:2008).

Positive inputs are log-normal about what was measured. The first of the draws of everything is what was measured,
so that value and interval come from the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RealArray = NDArray[np.float64]

DRAWS = 20_000
"""Draws for an interval: its ends are then known to about 1 % of its width."""
LEVEL = 0.95
FEW_IMPOSSIBLE = 0.05
"""Part of the draws that may have no solution before an estimate says so."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """A value with its interval from draws; NaN where it cannot be had, and `because` says why.

    Parameters
    ----------
    name : str
        What it is.
    value : float
        From the inputs as measured.
    u, low, high : float
        Standard uncertainty (robust: 0.741 of the middle half) and ends of the interval.
    level : float
        Probability of the interval.
    because : str
        Why there is none, or what to beware of; empty if nothing.
    """

    name: str
    value: float
    u: float = math.nan
    low: float = math.nan
    high: float = math.nan
    level: float = LEVEL
    because: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is a value with an interval."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def contradiction(self) -> str:
        """Why it cannot be a part of a whole: the interval lies below 0 or above 1; empty if it can."""
        side = "above 1" if self.low > 1 else "below 0" if self.high < 0 else ""
        if not side:
            return ""
        return (
            f"{self.name} is {self.value:.2f} ({self.low:.2f} to {self.high:.2f}), {side} beyond its uncertainty"
        )

    def __str__(self) -> str:
        if not self.is_known:
            return f"{self.name}: n/a ({self.because})"
        shown = f"{self.name}: {self.value:.3f} ({self.low:.3f} to {self.high:.3f}, {100 * self.level:g} %)"
        return f"{shown}; {self.because}" if self.because else shown


def estimated(name: str, values: RealArray, level: float = LEVEL) -> Estimated:
    """Return the first value, and the interval of the others if at least half of them exist.

    Parameters
    ----------
    name : str
        What it is.
    values : ndarray, shape (1 + draws,)
        NaN where there is no solution; the interval is that of the rest, and `because` says how many are missing.
    level : float
        Probability of the interval.
    """
    value, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    missing = 1 - drawn.size / (values.size - 1)
    if not math.isfinite(value) or missing > 0.5:
        return Estimated(name, math.nan, level=level, because="no solution with these inputs")
    low, quarter, three, high = np.quantile(drawn, [(1 - level) / 2, 0.25, 0.75, (1 + level) / 2]).tolist()
    said = f"{100 * missing:.0f} % of the draws have no solution" if missing > FEW_IMPOSSIBLE else ""
    return Estimated(name, value, 0.7413 * (three - quarter), low, high, level, said)


def positive_draws(rng: np.random.Generator, value: float, u: float, draws: int) -> RealArray:
    """Return a value, then log-normal draws about it of standard deviation `u`, shape (1 + draws,); 0 stays 0."""
    spread = math.sqrt(math.log1p((u / value) ** 2)) if value > 0 else 0.0
    return np.asarray(value * np.exp(spread * np.r_[0.0, rng.standard_normal(draws)]))


def paired_draws(
    rng: np.random.Generator,
    one: tuple[float, float],
    two: tuple[float, float],
    correlation: float,
    draws: int,
) -> tuple[RealArray, RealArray]:
    """Return two positive values (value, u), each followed by log-normal draws that are correlated in their ln."""
    z = rng.standard_normal((2, draws))
    z[1] = correlation * z[0] + math.sqrt(1 - correlation**2) * z[1]
    out = []
    for (value, u), normal in zip((one, two), z, strict=True):
        spread = math.sqrt(math.log1p((u / value) ** 2))
        out.append(np.asarray(value * np.exp(spread * np.r_[0.0, normal])))
    return out[0], out[1]
