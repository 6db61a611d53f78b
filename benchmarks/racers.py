"""Contenders of a run: each is given a slice of CPU time in every round, and keeps account of what it did."""

from __future__ import annotations

import contextlib
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.peers import FitOne
from benchmarks.workloads import Workload


class TooLongError(BaseException):
    """One fit used up its time; not an `Exception`, so that no library takes it for its own."""


@dataclass
class Run:
    """One contender on one workload from one kind of start; fills up as the rounds go."""

    work: Workload
    label: str
    start: str
    spent_s: list[float] = field(default_factory=list)
    per_call: int = 1
    values: list[np.ndarray] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        rates = [self.per_call / max(spent, 1e-9) for spent in self.spent_s]
        found = np.array(self.values)
        mean = self.per_call * len(self.spent_s) / max(sum(self.spent_s), 1e-9)
        share = float(self.work.right(found, slice(0, len(found))).mean())
        return {
            "workload": self.work.name,
            "contender": self.label,
            "start": self.start,
            "n": len(found),
            "median_per_cpu_s": statistics.median(rates),
            "mean_per_cpu_s": mean,
            "right": share,
            "right_per_cpu_s": share * mean,
            "failed": self.failed,
        }


class OneByOne:
    """A contender that takes one spectrum at a time, and is given a share of its CPU budget in every round."""

    def __init__(self, run: Run, fit_one: FitOne, budget_s: float, longest_s: float, n: int) -> None:
        self.run, self.fit_one = run, fit_one
        self.budget_s, self.longest_s, self.n = budget_s, longest_s, n
        self._attempt(0)  # what only the first call costs (lazy imports, compiled code) is not the fit's

    def advance(self, share: float) -> None:
        """Go on until this share of the budget is used up, or of the spectra done; at least one fit per call."""
        first = True
        run = self.run
        while len(run.values) < self.n and (
            first or (sum(run.spent_s) < share * self.budget_s and len(run.values) < share * self.n)
        ):
            first = False
            values, spent, fault = self._attempt(len(run.values))
            run.values.append(values)
            run.spent_s.append(spent)
            if fault:
                run.failed[fault] = run.failed.get(fault, 0) + 1

    def _attempt(self, row: int) -> tuple[np.ndarray, float, str]:
        fault = ""
        values = np.full(len(self.run.work.names), np.nan)
        before = time.process_time()
        try:
            with _at_most(self.longest_s):
                values = np.asarray(self.fit_one(row), dtype=float)
        except TooLongError:
            fault = "too long"
        except Exception as error:  # noqa: BLE001 - whatever a peer raises, its user has no fit
            fault = type(error).__name__
        return values, time.process_time() - before, fault


class InBulk:
    """A contender that takes all spectra at once, in every round."""

    def __init__(self, run: Run, fit_all: Callable[[int], np.ndarray], n: int) -> None:
        self.run, self.fit_all, self.n = run, fit_all, n
        run.per_call = n
        before = time.perf_counter()
        fit_all(min(n, 2))  # compiles, or reads the compiled code
        self.warm_up_s = time.perf_counter() - before

    def advance(self, share: float) -> None:
        before = time.process_time()
        values = self.fit_all(self.n)
        self.run.spent_s.append(time.process_time() - before)
        self.run.values = list(values)


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `TooLongError` after so many seconds on the wall, where the system has such an alarm.

    Not ITIMER_PROF: once armed, Linux counts the CPU time of the whole process in ticks of milliseconds only.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
