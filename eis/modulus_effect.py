r"""What a treatment did to \|Z\| at every frequency, without a circuit: ratios against the control's.

.. math:: d_i(f) = \ln\frac{|Z_{i,after}(f)|}{|Z_{i,before}(f)|}, \qquad
    \text{effect}(f) = \exp\big(\bar d_T(f) - \bar d_C(f)\big)

Each frequency has an interval of its own (Welch); together they do not hold with that probability. Whatever no
circuit describes shows here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eis.contrasts import welch_contrast
from eis.effects import LEAST_FOR_INTERVAL
from eis.spectrum import ComplexArray, RealArray

SAME_FREQUENCY = 1e-3
"""Relative distance within which two frequencies are the same."""


@dataclass(frozen=True, eq=False, slots=True)
class ModulusEffect:
    r"""The effect on \|Z\| by frequency.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequencies (Hz) that all cells have, falling.
    ratio, low, high : ndarray, shape (n,)
        Treated over control, and the interval at each frequency; NaN ends below three cells in an arm.
    n_treated, n_control : int
        Cells.
    level : float
        Probability of each interval.
    """

    frequency_hz: RealArray
    ratio: RealArray
    low: RealArray
    high: RealArray
    n_treated: int
    n_control: int
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        columns = {name: getattr(self, name).tolist() for name in ("frequency_hz", "ratio", "low", "high")}
        plain = {name: [None if x != x else x for x in values] for name, values in columns.items()}
        return plain | {"n_treated": self.n_treated, "n_control": self.n_control, "level": self.level}


Pair = tuple[tuple[RealArray, ComplexArray], tuple[RealArray, ComplexArray]]
"""Frequencies (Hz) and impedance (ohm) of a cell before, and after."""


def modulus_effect(treated: Sequence[Pair], control: Sequence[Pair], *, level: float) -> ModulusEffect | None:
    """Compare two arms at every frequency all their cells have; None if there is none, or an arm has no cell.

    Parameters
    ----------
    treated, control : sequence of ((f, Z), (f, Z))
        Each cell before and after.
    level : float
        Probability of each interval.
    """
    cells = [*treated, *control]
    if not treated or not control:
        return None
    grids = [frequency for pair in cells for frequency, _ in pair]
    common = [f for f in grids[0].tolist() if all(_nearest(grid, f) is not None for grid in grids[1:])]
    if not common:
        return None
    logs = np.array([[_log_ratio(pair, f) for f in common] for pair in cells])
    d_treated, d_control = logs[: len(treated)].T, logs[len(treated) :].T
    ratio = np.exp(d_treated.mean(axis=1) - d_control.mean(axis=1))
    low = high = np.full(ratio.shape, np.nan)
    if min(len(treated), len(control)) >= LEAST_FOR_INTERVAL:
        found = welch_contrast(d_treated, d_control, level=level)
        low, high = np.exp(found.low), np.exp(found.high)
    return ModulusEffect(np.array(common), ratio, low, high, len(treated), len(control), level)


def _nearest(grid: RealArray, f: float) -> int | None:
    place = int(np.argmin(np.abs(np.log(grid / f))))
    return place if abs(grid[place] / f - 1) <= SAME_FREQUENCY else None


def _log_ratio(pair: Pair, f: float) -> float:
    before, after = (abs(z[_nearest(grid, f)]) for grid, z in pair)
    return float(np.log(after / before))
