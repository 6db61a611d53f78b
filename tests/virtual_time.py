"""Time that passes only where somebody waits: every time-out there is takes no time, on a busy machine too."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from instruments.emulated import inprocess


class VirtualTime:
    """What drivers, links and emulated instruments inside this process take for the module `time`."""

    def __init__(self) -> None:
        self._now = time.monotonic()

    def monotonic(self) -> float:
        """Return the time (s); each look at it takes a nanosecond, so that no loop goes on for ever."""
        self._now += 1e-9
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass, as sleeping does."""
        self._now += max(0.0, seconds)


def let_time_be_virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the time of all modules of `instruments`, and the waiting of the in-process library's sessions."""
    virtual_time, session = VirtualTime(), inprocess._Session

    class Changed(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None, "nobody would ever wake it"
            virtual_time.sleep(timeout)
            return False

    for name, module in list(sys.modules.items()):
        if name.startswith("instruments.") and getattr(module, "time", None) is time:
            monkeypatch.setattr(module, "time", virtual_time)
    monkeypatch.setattr(inprocess, "_Session", lambda *parts: session(*parts, changed=Changed()))
