"""What several test files need: the emulated cell, an instrument at it, and the ways to reach that."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings

from instruments import Potentiostat, Sweep, link, palmsens
from instruments.emulated.cells import SYMMETRIC, EmulatedCell
from instruments.emulated.device import Device
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.transports import TRANSPORTS, Transport
from instruments.palmsens import PalmSens
from tests.thorough import THOROUGH
from tests.virtual_time import let_time_be_virtual

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of every process of -n: their threads would wait in loops
if sys.dont_write_bytecode:  # hundreds of Pythons are started; none is to compile what another has compiled
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if THOROUGH:
    os.environ.setdefault("EIS_FULL", "1")

settings.register_profile("any-machine", deadline=None)  # how long an example takes says nothing here
settings.load_profile("any-machine")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's background job; ours would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # and so under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes ``-n auto`` starts: four on two cores too, as many tests do little but wait."""
    return max(4, os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Take what all tests share out of the garbage collector's sight: it would look at it again and again."""
    gc.collect()
    gc.freeze()


USUAL_TRANSPORTS = ("in-process", "tcp")
"""Those over which drivers are tested; tests/test_transports.py tests them all."""
Serve = Callable[..., Transport]
Connect = Callable[..., Potentiostat]


class HangsError(BaseException):
    """Raised in a test that takes too long; nothing but pytest catches it."""


@pytest.fixture
def cell() -> EmulatedCell:
    return SYMMETRIC


@pytest.fixture
def emulator(cell: EmulatedCell) -> EmulatedPotentiostat:
    return EmulatedPotentiostat(cell)


@pytest.fixture
def short_sweep() -> Sweep:
    return Sweep(start_hz=1e5, stop_hz=1e3, points_per_decade=5, amplitude_v=0.01)


@pytest.fixture(params=USUAL_TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a device over any of TRANSPORTS until the test ends; the result has a `resource` and a `backend`."""
    with contextlib.ExitStack() as stack:

        def start(device: Device, transport: str = "in-process", **options: Any) -> Transport:
            return stack.enter_context(TRANSPORTS[transport](device, **options))

        yield start


@pytest.fixture
def connected(serve: Serve) -> Iterator[Connect]:
    """Connect to a device over a transport; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def start(device: EmulatedPotentiostat, transport: str = "in-process", **options: Any) -> PalmSens:
            served = serve(device, transport)
            meter = PalmSens.open(served.resource, backend=served.backend, **{"patience_s": 0.3, **options})
            stack.callback(meter.link.close)
            return meter

        yield start


@pytest.fixture(autouse=True)
def _ports_that_stay_away_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "COMES_BACK_S", 0.0)


@pytest.fixture
def answer_s(request: pytest.FixtureRequest) -> float:
    """How long (s) no answer is waited for: over a real connection, longer than a busy machine takes to answer."""
    return 0.4 if {"transport", "bus"} & set(request.fixturenames) else 0.04


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, answer_s: float) -> None:
    """Make the driver give up soon, for tests in which the instrument never answers."""
    monkeypatch.setattr(palmsens, "ANSWER_S", max(0.1, answer_s))
    monkeypatch.setattr(palmsens, "QUIET_S", 0.05)
    monkeypatch.setattr(palmsens, "MUTE_S", 0.06)
    monkeypatch.setattr(palmsens, "BACK_OFF_S", 0.0)
    monkeypatch.setattr(palmsens, "predicted_point_s", lambda frequency_hz: 0.0)


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time-out take time, where the instrument is inside this process and nothing else has to happen."""
    let_time_be_virtual(monkeypatch)


@pytest.fixture
def watchdog() -> Iterator[None]:
    """End a test that hangs (where there are alarm signals)."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def bark(number: int, frame: FrameType | None) -> None:
        raise HangsError

    previous = signal.signal(signal.SIGALRM, bark)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
