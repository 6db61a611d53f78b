"""What a sweep will do, worked out before it starts: which frequencies, how many cycles at each, and how long."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from eis.errors import ConfigError
from eis.quantities import format_si
from eis.spectrum import RealArray
from instruments.mains import SIGNIFICANT, aside, rounded
from instruments.mains import Mains as Mains  # part of what a plan is described with
from instruments.planned import PlannedSweep
from instruments.potentiostat import OVERHEAD_S, Sweep

SCHEMA = "eis.sweep-plan/1"
DIGESTED = "eis.plan/1"
"""What digests begin with, so that a sweep of any journal can be gone on with."""
MOST_SHOWN = 10
"""How many moved points a description lists."""


@dataclass(frozen=True, slots=True)
class Band:
    """How points are measured from one frequency up.

    Parameters
    ----------
    from_hz : float
        Lowest frequency (Hz) it holds for.
    cycles : int
        Whole periods measured, at least.
    settle_cycles : float
        Periods waited before.
    """

    from_hz: float
    cycles: int
    settle_cycles: float


BANDS = (Band(10.0, 5, 1.0), Band(0.1, 3, 0.5), Band(0.0, 2, 0.5))
"""Fewer periods where each takes long: five, from 10 Hz down three, below 0.1 Hz two."""
LEAST_S = 0.1
"""The shortest time a point takes (s), settling included; short periods are repeated until it is filled."""


@dataclass(frozen=True, slots=True)
class Step:
    """One planned point.

    Parameters
    ----------
    frequency_hz, grid_hz : float
        Frequency to measure at, and the one of the even grid it stands for (Hz).
    cycles : int
        Whole periods to measure.
    settle_s : float
        Time to wait before (s).
    overhead_s : float
        What the instrument needs besides (s).
    repeat : bool
        Whether the frequency was measured before, to see drift.
    """

    frequency_hz: float
    grid_hz: float
    cycles: int
    settle_s: float
    overhead_s: float
    repeat: bool = False

    @property
    def duration_s(self) -> float:
        """How long the point will take (s)."""
        return self.overhead_s + self.settle_s + self.cycles / self.frequency_hz

    @property
    def moved(self) -> bool:
        """Whether the point was moved aside from a mains line."""
        return not math.isclose(self.frequency_hz, self.grid_hz, rel_tol=1e-7)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep will do, point by point; make one with `Plan.of`.

    Parameters
    ----------
    sweep : Sweep
        What was asked for.
    steps : tuple of Step
        The points in the order of measurement: falling in frequency, then those repeated for drift.
    mains : Mains
        The lines that were avoided.
    is_native : bool
        Whether the instrument runs the sweep by itself, on a grid of its own.
    is_paced : bool
        Whether the instrument can be told how many cycles to measure. Where it cannot, it takes its own time, and
        what is planned of that is an estimate.
    """

    sweep: Sweep
    steps: tuple[Step, ...]
    mains: Mains
    is_native: bool = False
    is_paced: bool = True

    @classmethod
    def of(
        cls,
        sweep: Sweep,
        *,
        mains: Mains | None = None,
        bands: Iterable[Band] = BANDS,
        least_s: float = LEAST_S,
        overhead_s: float | Callable[[float], float] = 0.0,
        repeat_decades: float | None = None,
        is_paced: bool = True,
    ) -> Plan:
        """Plan a sweep.

        Parameters
        ----------
        sweep : Sweep
            What to measure.
        mains : Mains, optional
            Lines to keep away from; 50 and 60 Hz with 20 harmonics by default. No point is dropped: one that is
            too near moves to the nearest free place inside the sweep's ends, and stays if there is none.
        bands : iterable of Band, optional
            Cycles and settling by frequency.
        least_s : float, optional
            The shortest time a point takes (s); `BANDS` are minimum cycles.
        overhead_s : float or callable, optional
            What the instrument needs for a point besides (s), or a function of frequency (Hz) that says so.
        repeat_decades : float, optional
            How much of the sweep's beginning is measured again at its end, to see drift; 0 for the first point
            alone. None repeats nothing.
        is_paced : bool, optional
            Whether the instrument can be told how many cycles to measure; see `Plan`.

        Raises
        ------
        ConfigError
            If the bands do not reach down to the sweep's end, or a time is not a finite number.
        """
        mains = Mains() if mains is None else mains
        table = sorted(bands, key=lambda band: -band.from_hz)
        _check(sweep, table, least_s, repeat_decades)
        grid = [rounded(value) for value in sweep.frequencies_hz.tolist()]
        placed = aside(grid, mains, sweep.stop_hz, sweep.start_hz)
        again = 0
        if repeat_decades is not None:
            lowest = grid[0] * 10.0**-repeat_decades * (1 - 1e-6)
            again = sum(value >= lowest for value in grid)

        def step(index: int, *, repeat: bool = False) -> Step:
            frequency = placed[index]
            band = next(band for band in table if frequency >= band.from_hz)
            cycles = max(band.cycles, math.ceil(least_s * frequency - band.settle_cycles - 1e-9))
            distance = abs(mains.nearest_hz(frequency) - frequency)
            if mains.resolve and distance > 0 and not mains.touches(frequency):
                cycles = max(cycles, math.ceil(mains.resolve * frequency / distance))
            needs = overhead_s(frequency) if callable(overhead_s) else overhead_s
            return Step(frequency, grid[index], cycles, band.settle_cycles / frequency, float(needs), repeat)

        steps = [step(index) for index in range(len(grid))]
        steps += [step(index, repeat=True) for index in range(again)]
        return cls(sweep, tuple(steps), mains, is_paced=is_paced)

    @property
    def frequencies_hz(self) -> RealArray:
        """The frequencies (Hz) in the order of measurement, repeated ones included."""
        return np.array([step.frequency_hz for step in self.steps])

    @property
    def duration_s(self) -> float:
        """How long it will take (s)."""
        return sum(step.duration_s for step in self.steps)

    @property
    def moved(self) -> tuple[Step, ...]:
        """The points that were moved aside from mains, repeats left out."""
        return tuple(step for step in self.steps if step.moved and not step.repeat)

    @property
    def exposed(self) -> tuple[Step, ...]:
        """The points that are still too near a mains line, because the sweep has no free place for them."""
        return tuple(step for step in self.steps if not step.repeat and self.mains.touches(step.frequency_hz))

    def duration_by_decade_s(self) -> tuple[tuple[float, float], ...]:
        """Return (lower end in Hz, seconds) for each decade, from the highest; repeated points are not in it."""
        once = [step for step in self.steps if not step.repeat]
        return tuple(
            (10.0**decade, sum(step.duration_s for step in steps))
            for decade, steps in itertools.groupby(once, key=lambda step: _decade(step.frequency_hz))
        )

    @classmethod
    def native(cls, sweep: Sweep, *, overhead_s: float = OVERHEAD_S) -> Plan:
        """Plan for an instrument that makes its own grid: nothing is moved or repeated, a point takes a cycle."""
        plan = cls.of(sweep, mains=Mains(()), bands=[Band(0.0, 1, 1.0)], least_s=0.0, overhead_s=overhead_s)
        return replace(plan, is_native=True, is_paced=False)

    def as_sweep(self) -> Sweep:
        """Return the plan as a sweep a driver can run: the plain one for an instrument with a grid of its own."""
        if self.is_native:
            return self.sweep
        return PlannedSweep(
            **self.sweep.to_dict(),
            planned_hz=tuple(step.frequency_hz for step in self.steps),
            planned_s=tuple(step.duration_s for step in self.steps),
            planned_cycles=tuple(float(step.cycles) for step in self.steps if self.is_paced),
            planned_settle_s=tuple(step.settle_s for step in self.steps),
        )

    def digest(self) -> str:
        """Return the SHA-256 (hex) of what will be measured and how; a measurement may go on only under the same.

        What the instrument needs besides a point, and so the predicted duration, is not part of it.
        """
        levels = ("amplitude_v", "dc_v", "amplitude_a", "dc_a")
        what = {
            "schema": DIGESTED,
            "levels": {name: _text(level) for name in levels if (level := getattr(self.sweep, name))},
            "steps": [[_text(s.frequency_hz), s.cycles, _text(s.settle_s), s.repeat] for s in self.steps],
        }
        canonical = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values, digest and duration included."""
        return {
            "schema": SCHEMA,
            "digest": self.digest(),
            "sweep": self.sweep.to_dict(),
            "mains": {**asdict(self.mains), "lines_hz": list(self.mains.lines_hz)},
            "duration_s": self.duration_s,
            "is_paced": self.is_paced,
            "steps": [asdict(step) for step in self.steps],
        }

    def describe(self) -> str:
        """Return what a person reads before the start: what, how long, and what was moved."""
        sweep = self.sweep
        once = [step for step in self.steps if not step.repeat]
        again = len(self.steps) - len(once)
        ends = f"{format_si(sweep.start_hz, 'Hz')} to {format_si(sweep.stop_hz, 'Hz')}"
        excitation, bias, unit = sweep.amplitude_v, sweep.dc_v, "V"
        if sweep.is_galvanostatic:
            excitation, bias, unit = sweep.amplitude_a, sweep.dc_a, "A"
        lines = [
            f"{_count(len(once), 'point')} from {ends}, {sweep.points_per_decade:g} per decade; "
            f"{format_si(excitation, unit)} rms around {format_si(bias, unit)} DC",
            f"It will take {format_duration(self.duration_s)}:"
            if self.is_paced
            else f"It will take about {format_duration(self.duration_s)}, for the instrument has its own pace:",
        ]
        for (_, seconds), (_, steps) in zip(
            self.duration_by_decade_s(), itertools.groupby(once, lambda s: _decade(s.frequency_hz)), strict=True
        ):
            group = list(steps)
            cycles = sorted({step.cycles for step in group})
            spread = f"{cycles[0]:,}" if len(cycles) == 1 else f"{cycles[0]:,} to {cycles[-1]:,}"
            first, last = (format_si(step.frequency_hz, "Hz", digits=3) for step in (group[0], group[-1]))
            span = first if len(group) == 1 else f"{first} to {last:>8}"
            lines.append(
                f"  {span:>20}  {_count(len(group), 'point'):>9}  {format_duration(seconds):>12}"
                + (f"  {spread.replace(',', ' ')} cycles each" if self.is_paced else "")
            )
        if again:
            seconds = sum(step.duration_s for step in self.steps if step.repeat)
            what = "the first point" if again == 1 else f"the first {again} points"
            lines.append(f"  {what} again at the end, to see drift: {format_duration(seconds)}")
        if self.moved:
            shown = [f"{step.grid_hz:.5g} → {step.frequency_hz:.5g} Hz" for step in self.moved]
            more = [f"and {len(shown) - MOST_SHOWN} more"] if len(shown) > MOST_SHOWN else []
            mains = " and ".join(f"{line:g}" for line in self.mains.lines_hz)
            what = ", ".join(shown[:MOST_SHOWN] + more)
            lines.append(f"Moved aside from mains ({mains} Hz and harmonics): {what}")
        if self.exposed:
            where = ", ".join(f"{step.frequency_hz:.5g} Hz" for step in self.exposed)
            lines.append(f"Still near a mains line, for the sweep has no free place: {where}")
        lines.append(f"Plan {self.digest()[:12]}")
        return "\n".join(lines)


def format_duration(seconds: float) -> str:
    """Print a duration as people say it: ``2.4 s``, ``3 min 10 s``, ``1 h 12 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _check(sweep: Sweep, table: list[Band], least_s: float, repeat_decades: float | None) -> None:
    faults = []
    if not table or table[-1].from_hz > sweep.stop_hz:
        faults.append(f"no band reaches down to {sweep.stop_hz:g} Hz; let the last begin at 0")
    faults += [
        f"the band from {band.from_hz:g} Hz has {band.cycles!r} cycles and {band.settle_cycles!r} to settle; give "
        "at least 1 and 0"
        for band in table
        if not (band.cycles >= 1 and math.isfinite(band.settle_cycles) and band.settle_cycles >= 0)
    ]
    if not (math.isfinite(least_s) and least_s >= 0):
        faults.append(f"least_s is {least_s!r}; give seconds, zero or above")
    if repeat_decades is not None and not (math.isfinite(repeat_decades) and repeat_decades >= 0):
        faults.append(f"repeat_decades is {repeat_decades!r}; give decades, 0 for the first point alone")
    if faults:
        raise ConfigError("The plan is not described rightly", where="Plan", mend="; ".join(faults))


def _text(value: float) -> str:
    """Print a number the same on every machine, one unit in the last place notwithstanding."""
    return f"{value:.{SIGNIFICANT}g}"


def _decade(frequency_hz: float) -> int:
    return math.floor(math.log10(frequency_hz) + 1e-6)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
