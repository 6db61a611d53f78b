"""Interlocks: what must be right outside while a cell is measured, and the wait until it is right again."""

from __future__ import annotations

import math
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eis.errors import AbortedError
from eis.station_config import InterlockConfig

LARGEST = 4096
"""Bytes of an interlock file that are read; it holds one value."""
LOOK_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Interlock:
    """One condition: `fault` returns in words what is not right, or an empty text.

    `steady_s` is how long all must be well before a measurement goes on (s), `give_up_s` how long is waited (s).
    """

    name: str
    fault: Callable[[], str]
    steady_s: float = 1.0
    give_up_s: float = 600.0


def from_file(config: InterlockConfig, folder: Path) -> Interlock:
    """Return the interlock that reads a file; a missing, unreadable or stale file is not right."""
    path = folder / config.file

    def fault() -> str:
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, with the cell on
                return f"{path.name} is no file"
            age_s = time.time() - found.st_mtime
            if config.stale_s is not None and age_s > config.stale_s:
                return f"{path.name} is older than {config.stale_s:g} s"
            if (
                config.stale_s is not None and age_s < -config.stale_s
            ):  # it would seem fresh until the clock is there
                return f"{path.name} is {-age_s:.0f} s younger than now: a clock was put back"
            with path.open("r", encoding="utf-8") as file:
                text = file.read(LARGEST).strip()
        except (OSError, UnicodeDecodeError) as error:
            return f"{path.name} cannot be read: {error}"
        if config.equals is not None:
            return "" if text == config.equals else f"{path.name} says {text[:40]!r}, not {config.equals!r}"
        try:
            value = float(text)
        except ValueError:
            return f"{path.name} holds no number: {text[:40]!r}"
        low, high = config.low, config.high
        if not (
            math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
        ):  # also where only one end is given
            band = f"{low:g} or more" if high is None else f"{high:g} or less"
            band = band if low is None or high is None else f"within {low:g} to {high:g}"
            return f"it is {value:g}, not {band}"
        return ""

    return Interlock(config.name, fault, config.steady_s, config.give_up_s)


def faults(interlocks: Sequence[Interlock]) -> tuple[str, ...]:
    """Return what is not right now, each with the name of its interlock; a condition that raises is not right."""
    found = []
    for one in interlocks:
        try:
            said = one.fault()
        except Exception as error:  # noqa: BLE001 - a user's function; whatever it raises, the cell must be safe
            said = f"it failed: {type(error).__name__}: {error}"
        if said:
            found.append(f"{one.name}: {said}")
    return tuple(found)


def wait_until_well(
    interlocks: Sequence[Interlock],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Wait until every interlock has been right for its steady time; return how long that took (s).

    Raises
    ------
    AbortedError
        If one is not right for longer than it may be.
    """
    began = clock()
    well_since: float | None = None
    while True:
        now, wrong = clock(), faults(interlocks)
        if wrong:
            well_since = None
            late = [
                one
                for one in interlocks
                if now - began >= one.give_up_s and any(w.startswith(f"{one.name}: ") for w in wrong)
            ]
            if late:
                raise AbortedError(
                    f"An interlock stayed wrong for {now - began:.0f} s: {'; '.join(wrong)}",
                    where=late[0].name,
                    mend="Put it right and start the cell again; what was measured is kept.",
                )
        else:
            well_since = now if well_since is None else well_since
            if now - well_since >= max((one.steady_s for one in interlocks), default=0.0):
                return now - began
        sleep(LOOK_AGAIN_S)
