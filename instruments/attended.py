"""An instrument attended to: nobody else's, ended properly by signals, with a guardian, and off at the end."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

from eis.errors import CellStateUnknownError
from instruments.connect import SIMULATED, connect
from instruments.guardian import BREATH_S, ENDING, Guardian, unguarded_because
from instruments.lease import EXPECTED_S, Lease, take
from instruments.potentiostat import Potentiostat

INSIST_S = 10.0
"""How long after a signal another one is only told to wait (s); after that it is heeded again."""
WAIT = b"eis: the cell is being switched off; please wait\n"

Notice = Callable[[str], None]
"""Is told, in a sentence without a full stop, what is not as usual."""


@contextlib.contextmanager
def attended(
    resource: str,
    *,
    log: Path,
    guard: bool = True,
    expected_s: float = EXPECTED_S,
    on_notice: Notice | None = None,
    **options: Any,
) -> Generator[Potentiostat, None, None]:
    """Connect to `resource` with everything that leaves its cell off: lease, signals, guardian.

    Nothing is energised before the guardian stands by. A cell that a process which died may have left on is
    switched off first. An emulated instrument of this process (``sim::``) needs neither lease nor guardian.

    Parameters
    ----------
    resource : str
        As in `instruments.connect`.
    log : Path
        Where a guardian that had to act writes what it did.
    guard : bool
        Whether to have a guardian.
    expected_s : float
        How long this is expected to take (s); shown to whoever wants the instrument meanwhile.
    on_notice : callable, optional
        Told, in words, what is not as usual: a cell switched off beforehand, or that there is no guardian.
    **options
        As in `instruments.connect`.

    Raises
    ------
    BusyError
        If another process holds the instrument.
    CellStateUnknownError
        If the cell could not be verified to be off; a guardian then goes on trying.
    InstrumentError, StoreError
        As `instruments.connect`, and if the guardian or the lease cannot be had.
    """
    say = on_notice or (lambda text: None)
    if resource.startswith(SIMULATED):
        with ended_by_signals() as heed:
            instrument = connect(resource, **options)
            try:
                heed()
                yield instrument
            finally:
                close_off(instrument, resource)
        return
    with ended_by_signals() as heed:
        held = take(resource, expected_s=expected_s)
        may_be_on = held.abandoned is not None
        try:
            with contextlib.ExitStack() as stack:
                guardian = _standing_by(resource, log, held, options, say) if guard else None
                if guardian is not None:
                    stack.enter_context(guardian)  # it starts in parallel with connecting, which only asks
                if held.abandoned is not None:
                    say(f"the cell is switched off first: {held.abandoned}, did not end properly")
                    _switch_off(resource, options)
                    may_be_on = False
                instrument = connect(resource, **options)
                may_be_on = True
                try:
                    if guardian is not None:
                        guardian.arm(instrument)
                    heed()
                    yield instrument
                finally:
                    close_off(instrument, resource)
                    may_be_on = False
                    if guardian is not None:
                        guardian.disarm()
        finally:
            if may_be_on:
                held.abandon()
            else:
                held.release()


def close_off(instrument: Potentiostat, resource: str) -> None:
    """Close the instrument at `resource`, which switches off a cell it left on.

    Raises
    ------
    CellStateUnknownError
        If anything at all keeps it from doing so.
    """
    try:
        instrument.close()
    except CellStateUnknownError:
        raise
    except Exception as error:
        raise CellStateUnknownError(
            f"The cell could not be verified to be off: {error or type(error).__name__}",
            where=resource,
            mend="Go to the instrument and disconnect the cell or switch the instrument off.",
        ) from error


@contextlib.contextmanager
def ended_by_signals() -> Generator[Callable[[], None], None, None]:
    """Let SIGINT, SIGTERM and SIGHUP end a ``with`` block by an exception, once: those soon after do not disturb.

    What handled a signal before goes on doing so; where nothing did, ``SystemExit(128 + number)`` is raised. One
    that is ignored stays so (``nohup``). Outside the main thread, where no signal arrives, this does nothing.

    Yields
    ------
    callable
        To be called before a cell is energised: raises again what a signal raised and was lost, as exceptions are
        in the callbacks that Python runs while it imports or collects garbage.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    heeded = -math.inf
    previous: dict[int, Any] = {}
    lost: list[BaseException] = []

    def heed() -> None:
        if lost:
            raise lost[0]

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal heeded
        before, now = heeded, time.monotonic()
        if now - heeded < INSIST_S:
            with contextlib.suppress(OSError):
                os.write(2, WAIT)
            return
        heeded = now
        handler = previous[number]
        try:
            if not callable(handler):
                raise SystemExit(128 + number)
            handler(number, frame)
        except BaseException as error:
            lost.append(error)
            raise
        heeded = before  # it only took note

    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            previous[number] = signal.getsignal(number)
            signal.signal(number, end)
    try:
        yield heed
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _switch_off(resource: str, options: dict[str, Any]) -> None:
    """Switch a cell off over a connection of its own: one that is busy does not say all that it is asked."""
    with connect(resource, **options) as instrument:
        time.sleep(BREATH_S)
        instrument.cell_off()


def _standing_by(resource: str, log: Path, held: Lease, options: dict[str, Any], say: Notice) -> Guardian | None:
    why = unguarded_because(options)
    if why:
        say(f"there is no guardian to switch the cell off should this process be killed: {why}")
        return None
    return Guardian(resource, options, log, held)
