"""Where the power line interferes, and how the points of a sweep keep away from it.

Mains interference is a line in frequency. A point measured for T seconds sees everything within about 2/T of its
frequency, so a point near a mains line is moved aside *and* measured for long enough to tell the two apart.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from eis.errors import ConfigError

CLEARANCE = 0.25
"""How near a moved point may come to another, as a fraction of the grid's step."""
SIGNIFICANT = 9
"""Digits a planned frequency is rounded to, so that a plan is the same on every machine."""


@dataclass(frozen=True, slots=True)
class Mains:
    """Where interference from the power line is expected.

    Parameters
    ----------
    lines_hz : tuple of float
        Fundamentals (Hz); both by default, for a plan may be carried elsewhere. Empty takes no notice of mains.
    harmonics : int
        How many multiples of each, the fundamental included.
    distance : float
        Relative distance a point keeps from each line.
    resolve : float
        A point is measured for at least this many periods of its distance to the nearest line (2 makes the two
        distinct in a Fourier transform); 0 leaves the cycles alone.
    """

    lines_hz: tuple[float, ...] = (50.0, 60.0)
    harmonics: int = 20
    distance: float = 0.01
    resolve: float = 2.0

    def __post_init__(self) -> None:
        faults = [f"lines_hz holds {line!r}" for line in self.lines_hz if not (math.isfinite(line) and line > 0)]
        if not 0 <= self.distance < 0.5:
            faults.append(f"distance is {self.distance!r}; give a fraction below 0.5, such as 0.01")
        if self.harmonics < 1:
            faults.append(f"harmonics is {self.harmonics!r}; 1 is the fundamental alone")
        if not (math.isfinite(self.resolve) and self.resolve >= 0):
            faults.append(f"resolve is {self.resolve!r}; give a number of periods, 0 for none")
        if faults:
            raise ConfigError("The mains are not described rightly", where="Mains", mend="; ".join(faults))

    @property
    def all_hz(self) -> tuple[float, ...]:
        """Every line, harmonics included (Hz), rising."""
        return tuple(
            sorted({line * multiple for line in self.lines_hz for multiple in range(1, self.harmonics + 1)})
        )

    def nearest_hz(self, frequency_hz: float) -> float:
        """Return the line nearest to `frequency_hz` (Hz); NaN if there is none."""
        return min(self.all_hz, key=lambda line: abs(line - frequency_hz), default=math.nan)

    def touches(self, frequency_hz: float) -> bool:
        """Tell whether `frequency_hz` (Hz) is nearer to a line than the distance to keep."""
        return any(abs(frequency_hz - line) < self.distance * line * (1 - 1e-9) for line in self.all_hz)


def aside(grid: Sequence[float], mains: Mains, low_hz: float, high_hz: float) -> list[float]:
    """Return `grid` with every point that touches a line at the nearest free place; falling, as many.

    Parameters
    ----------
    grid : sequence of float
        Frequencies (Hz), falling on a logarithmic grid.
    mains : Mains
        The lines to keep away from.
    low_hz, high_hz : float
        Where a point may move to (Hz).

    Returns
    -------
    list of float
        Frequencies (Hz), falling; a point for which there is no free place stays where it is.
    """
    step = math.log(grid[0] / grid[-1]) / (len(grid) - 1) if len(grid) > 1 else 0.0
    clearance = CLEARANCE * step
    taken = sorted(value for value in grid if not mains.touches(value))
    edges = [line * (1 + side * mains.distance) for line in mains.all_hz for side in (-1, 1)]
    for value in grid:
        if not mains.touches(value):
            continue
        beside = [other * math.exp(side * clearance) for other in taken for side in (-1, 1)]
        free = [
            place
            for place in map(rounded, [*edges, *beside])
            if low_hz <= place <= high_hz
            and not mains.touches(place)
            and all(abs(math.log(place / other)) >= clearance * (1 - 1e-6) for other in taken)
        ]
        bisect.insort(taken, min(free, key=lambda place: abs(math.log(place / value)), default=value))
    return taken[::-1]


def rounded(frequency_hz: float) -> float:
    """Return a frequency (Hz) with as many digits as a plan keeps."""
    return float(f"{frequency_hz:.{SIGNIFICANT}g}")
