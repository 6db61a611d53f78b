"""The cell goes off whatever dies: by signals, by exceptions anywhere, and by a guardian after ``kill -9``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eis.errors import BusyError, CellStateUnknownError, InstrumentError
from instruments import Sweep, guardian
from instruments.attended import attended, ended_by_signals
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.models import MODELS
from instruments.guardian import Guardian
from instruments.journal import journal_to_spectrum, read_journal, recorded
from instruments.lease import lease
from instruments.link import Link
from instruments.palmsens import PalmSens
from tests.served import ROOT, Bench, bench, lease_once_free, measuring

pytestmark = [
    pytest.mark.usefixtures("watchdog", "own_folder"),
    pytest.mark.skipif(os.name != "posix", reason="there is no kill -9"),
]

SLOW = "1000:0.1:5"  # half a minute, at real speed
UNSWITCHED = ("e4980a", "e4990a")
"""Instruments that want to be told which cell can be at them for as long as they are."""
SWEEP = Sweep(1e5, 1e3, 5, 0.01)
Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def served() -> Iterator[Bench]:
    with bench() as one:
        yield one


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep leases, of this process and those it starts, in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def begun(process: subprocess.Popen[str], points: int = 3) -> subprocess.Popen[str]:
    """Wait until some points are on disk."""
    assert process.stdout
    for _ in range(points):
        assert process.stdout.readline(), process.communicate()[1]
    return process


def guardian_log(journal: Path) -> str:
    """Wait until the guardian has written what came of it."""
    log = Path(f"{journal}.log")
    deadline = time.monotonic() + 30
    while not (log.exists() and "verified" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return log.read_text()


# --- what no program survives


def test_after_kill_9_the_cell_is_off_within_two_seconds_and_the_guardian_says_so(
    served: Bench, tmp_path: Path
) -> None:
    journal = tmp_path / "x.jsonl"
    with begun(measuring(served.resource, SLOW, journal)) as process:
        assert served.state().is_on
        killed = time.monotonic()
        process.kill()
    assert served.seconds_to_off(killed) < 2
    said = guardian_log(journal)
    assert f"process {process.pid} ended without switching the cell off" in said
    assert "the cell is off, verified, at PalmSens Nexus" in said
    assert read_journal(journal).status == "interrupted"
    with lease_once_free(served.resource) as held:
        assert held.abandoned is None  # the guardian has given it back, the cell being off


@pytest.mark.parametrize(
    ("model", "transport"),
    [
        ("nexus1", "pty"),
        ("e4980a", "tcp"),
        ("e4980a", "hislip"),
        ("e4990a", "vxi11"),
        ("bt4560", "tcp"),
        ("1260", "prologix"),
    ],
)
def test_the_guardian_knows_every_instrument_and_every_transport(
    model: str, transport: str, tmp_path: Path
) -> None:
    journal = tmp_path / "x.jsonl"
    with bench("--model", model, "--transport", transport) as other:
        options = {"driver": MODELS[model].driver} | ({"cell": "symmetric"} if model in UNSWITCHED else {})
        with begun(measuring(other.resource, "1000:20:5", journal, **options), 2) as process:
            other.wait(is_on=True)
            killed = time.monotonic()
            process.kill()
        assert other.seconds_to_off(killed) < 2
        assert "the cell is off, verified" in guardian_log(journal)


def test_the_guardian_holds_the_lease_until_the_cell_is_off(served: Bench, tmp_path: Path) -> None:
    journal = tmp_path / "x.jsonl"
    with begun(measuring(served.resource, SLOW, journal)) as process:
        os.kill(process.pid, signal.SIGKILL)
        while served.state().is_on:
            with pytest.raises(BusyError, match=f"process {process.pid}"), lease(served.resource):
                pass
            if not served.state().is_on:
                break
            time.sleep(0.01)
    assert "verified" in guardian_log(journal)  # and it has let go of the instrument, which the next test wants


@pytest.mark.parametrize("then", ["import os; os._exit(3)", "import ctypes; ctypes.string_at(0)"])
def test_after_a_crash_the_cell_is_off(then: str, served: Bench, tmp_path: Path) -> None:
    journal = tmp_path / "x.jsonl"
    with measuring(served.resource, SLOW, journal, then=then) as process:
        served.wait(is_on=True)
        process.wait()
        died = time.monotonic()
    assert served.seconds_to_off(died) < 2
    assert "verified" in guardian_log(journal)


def test_a_fork_that_holds_the_pipe_does_not_keep_the_guardian_waiting(served: Bench, tmp_path: Path) -> None:
    then = "import os, time; os.fork() or time.sleep(5) or os._exit(0)"
    journal = tmp_path / "x.jsonl"
    with begun(measuring(served.resource, SLOW, journal, then=then), 1) as process:
        time.sleep(0.1)
        killed = time.monotonic()
        process.kill()
        assert served.seconds_to_off(killed) < 2
        assert "verified" in guardian_log(journal)


def test_without_a_guardian_the_next_one_switches_the_cell_off_first(served: Bench, tmp_path: Path) -> None:
    with begun(measuring(served.resource, SLOW, tmp_path / "x.jsonl", guard=False)) as process:
        process.kill()
    time.sleep(0.5)
    assert served.state().is_on
    said: list[str] = []
    with attended(served.resource, log=tmp_path / "log", guard=False, on_notice=said.append) as instrument:
        assert not served.state().is_on
        assert instrument.identify().serial == "EMULATED01"
    assert f"process {process.pid}" in said[0]


# --- when the guardian must not act


def test_a_guardian_that_was_sent_away_does_nothing(served: Bench, tmp_path: Path) -> None:
    journal = tmp_path / "x.jsonl"
    with measuring(served.resource, "1e4:1e3:5", journal) as process:
        _, said = process.communicate()
    links = served.state().links
    assert (process.returncode, said) == (0, "")
    time.sleep(0.3)
    assert served.state().links == links
    assert not Path(f"{journal}.log").exists()


def test_a_process_killed_before_it_measures_leaves_the_instrument_alone(served: Bench, tmp_path: Path) -> None:
    with Guardian(served.resource, {}, tmp_path / "log"):
        before = served.state().links
    time.sleep(0.3)
    assert served.state().links == before
    assert not (tmp_path / "log").exists()


def test_another_instrument_in_its_place_is_left_alone(
    served: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardian, "PERSISTS_S", 0.5)
    watch = guardian._Watch(served.resource, {}, str(tmp_path / "log"), 123)
    watch.get_ready("palmsens", "ANOTHER")
    assert watch.act() == 1
    assert "Another instrument answers" in (tmp_path / "log").read_text()
    with lease(served.resource) as held:
        assert held.abandoned is not None  # whoever comes next is told


def test_a_guardian_that_cannot_reach_the_instrument_goes_on_trying_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardian, "PERSISTS_S", 0.5)
    watch = guardian._Watch("TCPIP0::127.0.0.1::9::SOCKET", {}, str(tmp_path / "log"), 123)
    watch.get_ready("palmsens", "EMULATED01")
    assert watch.act() == 1
    lines = (tmp_path / "log").read_text().splitlines()
    assert "127.0.0.1" in lines[1]
    assert "GO TO THE INSTRUMENT" in lines[-1]
    assert len(lines) == 3  # the same failure is not told again and again


# --- when there can be no guardian


def test_a_backend_of_this_process_means_no_guardian_and_that_is_said(serve: Serve, tmp_path: Path) -> None:
    device, said = EmulatedPotentiostat(SYMMETRIC), list[str]()
    here = serve(device)
    with attended(here.resource, log=tmp_path / "log", on_notice=said.append, backend=here.backend) as instrument:
        assert len(list(instrument.sweep(SWEEP))) == SWEEP.n_points
    assert "no guardian" in said[0]
    assert "backend" in said[0]


def test_a_simulated_instrument_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    said: list[str] = []
    with attended("sim::symmetric-cell", log=tmp_path / "log", on_notice=said.append) as instrument:
        assert len(list(instrument.sweep(SWEEP))) == SWEEP.n_points
    assert said == []


def test_a_guardian_that_does_not_start_means_that_nothing_is_energised(
    served: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_on = served.state().times_on
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(InstrumentError, match="guard=False"),
        attended(served.resource, log=tmp_path / "log") as instrument,
    ):
        list(instrument.sweep(SWEEP))
    assert served.state().times_on == times_on
    with lease(served.resource):
        pass


# --- signals


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_measurement_with_the_cell_off_within_a_second(
    name: str, served: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "cell.nc"
    arguments = ("measure", "--resource", served.resource, "--sweep", SLOW, "--out", str(out))
    with subprocess.Popen([sys.executable, "-m", "eis", *arguments], stderr=subprocess.PIPE, text=True) as process:
        served.wait(is_on=True)
        time.sleep(0.2)
        sent = time.monotonic()
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=20)
    assert served.seconds_to_off(sent) < 1
    assert process.returncode == 128 + getattr(signal, name)
    assert "eis measure --resume" in said
    assert "Traceback" not in said
    record = read_journal(tmp_path / "cell.nc.journal.jsonl")
    assert (record.status, len(record.points) > 0) == ("aborted", True)
    assert not (tmp_path / "cell.nc.guardian.log").exists()


def test_more_signals_do_not_keep_the_cell_from_going_off(served: Bench, tmp_path: Path) -> None:
    with begun(measuring(served.resource, SLOW, tmp_path / "x.jsonl")) as process:
        sent = time.monotonic()
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.002)
        _, said = process.communicate(timeout=20)
    assert served.seconds_to_off(sent) < 1
    assert "please wait" in said
    assert "CellStateUnknownError" not in said
    assert not (tmp_path / "x.jsonl.log").exists()


def test_what_nohup_ignores_stays_ignored(served: Bench, tmp_path: Path) -> None:
    out = tmp_path / "cell.nc"
    arguments = ("measure", "--resource", served.resource, "--sweep", "1e3:20:8", "--out", str(out))
    command = f"trap '' HUP; exec {sys.executable} -m eis {' '.join(arguments)}"
    with subprocess.Popen(["/bin/sh", "-c", command], cwd=ROOT) as process:
        served.wait(is_on=True)
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0
    assert len(journal_to_spectrum(tmp_path / "cell.nc.journal.jsonl")) > 10


def test_signals_are_handled_as_before_once_it_is_over(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with attended("sim::symmetric-cell", log=tmp_path / "log"):
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_soon_after_another_is_told_to_wait_and_a_later_one_is_heeded(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        with ended_by_signals():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert "please wait" in capfd.readouterr().err
    monkeypatch.setattr("instruments.attended.INSIST_S", 0.0)
    with pytest.raises(SystemExit, match="143"):
        twice()


def test_a_handler_of_the_user_s_that_only_takes_note_goes_on_doing_so(tmp_path: Path) -> None:
    noted: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    try:
        with attended("sim::symmetric-cell", log=tmp_path / "log"):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert noted == [signal.SIGTERM] * 2


# --- exceptions, anywhere


OF_THE_DRIVER = sorted(
    name
    for name in {**vars(PalmSens)}
    if callable(getattr(PalmSens, name))
    and not name.startswith("__")
    and name not in ("open", "_on", "_identified")
)
OF_THE_LINK = ("write", "read_line", "discard", "reopen", "close")


class BrokenError(Exception):
    """A fault of the driver's."""


@pytest.mark.parametrize("nth", [1, 4])
@pytest.mark.parametrize(
    ("owner", "name"), [(PalmSens, name) for name in OF_THE_DRIVER] + [(Link, name) for name in OF_THE_LINK]
)
@pytest.mark.parametrize("ever_after", [False, True], ids=["once", "ever after"])
def test_an_exception_in_any_method_leaves_the_cell_off_or_says_that_it_may_be_on(
    owner: type,
    name: str,
    nth: int,
    ever_after: bool,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    here = serve(device)
    whole, calls, broke = getattr(owner, name), 0, 0.0

    def broken(*arguments: Any, **options: Any) -> Any:
        nonlocal calls, broke
        calls += 1
        if calls == nth or (ever_after and calls > nth):
            broke = broke or time.monotonic()
            raise BrokenError(name)
        return whole(*arguments, **options)

    known = True
    try:
        with (
            monkeypatch.context() as patched,
            attended(here.resource, log=tmp_path / "log", backend=here.backend, patience_s=0.3) as instrument,
            contextlib.closing(recorded(instrument, SWEEP, tmp_path / "x.jsonl")) as points,
        ):
            patched.setattr(owner, name, broken)
            list(points)
    except BrokenError:
        pass
    except CellStateUnknownError:
        known = False
    took_s = time.monotonic() - broke if broke else 0.0
    if known:
        assert not device.cell_is_on
        assert took_s < 1
    with lease(here.resource) as held:
        assert (held.abandoned is None) == known
