"""Signals that wait until something is done that must not be cut short: a run's end stored, a file written.

An exception raised by a signal between the taking of a lock and its release leaves the lock taken; xarray, which
writes netCDF files, then waits for it for ever. One raised in a callback of compiled code may end the process
there and then, without any `finally`.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end a command; SIGBREAK is also what closing a console window raises on Windows."""
INSIST_S = 10.0
"""How long after a signal another one is only told to wait (s); after that it is heeded."""
WAIT = b"eis: what was begun is being finished; please wait\n"


@contextlib.contextmanager
def signals_held() -> Generator[Callable[[], AbstractContextManager[None]]]:
    """Hold back SIGINT, SIGTERM and SIGHUP until the ``with`` block ends; what was held back is then heeded.

    What handled a signal before heeds it then; where nothing did, ``SystemExit(128 + number)`` is raised. One that
    comes more than 10 s after the first is not held back: somebody insists. Outside the main thread, where no
    signal arrives, this does nothing.

    Yields
    ------
    callable
        Makes a context manager that lets signals through for a while, those held back first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield contextlib.nullcontext
        return
    previous: dict[int, Any] = {}
    waiting: list[int] = []
    raised: list[int] = []
    since = math.inf
    open_to_signals = False

    def heed(number: int, frame: FrameType | None = None) -> None:
        waiting.clear()
        handler = previous[number]
        raised.append(number)
        if not callable(handler):
            raise SystemExit(128 + number)
        handler(number, frame)
        raised.clear()  # it only took note

    def arrived(number: int, frame: FrameType | None) -> None:
        nonlocal since
        if open_to_signals or time.monotonic() - since > INSIST_S:
            heed(number, frame)
            return
        since = min(since, time.monotonic())
        waiting.append(number)
        with contextlib.suppress(OSError):
            os.write(2, WAIT)

    @contextlib.contextmanager
    def let_through() -> Generator[None]:
        nonlocal open_to_signals
        open_to_signals = True
        try:
            if waiting:
                heed(waiting[0])
            yield
            if raised:  # and lost, as exceptions are in the callbacks that Python runs while it imports
                heed(raised[0])
        finally:
            open_to_signals = False

    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            previous[number] = signal.getsignal(number)
            signal.signal(number, arrived)
    try:
        yield let_through
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if waiting:
        heed(waiting[0])
