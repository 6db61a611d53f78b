"""Device time for emulated instruments: real, faster than real, or jumping straight to whatever is due."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time as an emulated instrument sees it (s)."""

    def now(self) -> float:
        """Return the time now (s)."""
        ...

    def seconds_until(self, instant: float) -> float:
        """Return how long, in seconds of the real world, a transport may sleep before `instant` is reached."""
        ...


class RealClock:
    """Time that runs `speed` times as fast as real time."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> float:
        """Return the time now (s)."""
        return time.monotonic() * self.speed

    def seconds_until(self, instant: float) -> float:
        """Return how long a transport may sleep before `instant` is reached."""
        return max(0.0, (instant - self.now()) / self.speed)


class FastClock:
    """Time that jumps to the next event whenever somebody would have to wait for it: sweeps take no time."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the time now (s)."""
        return time.monotonic() + self._ahead

    def seconds_until(self, instant: float) -> float:
        """Jump to `instant`; nobody has to sleep."""
        self._ahead += max(0.0, instant - self.now())
        return 0.0
