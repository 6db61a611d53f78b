"""A sweep that was cut short, even by ``kill -9`` at any instant, goes on in its journal as if nothing had been.

``EIS_KILLS=200 pytest -n 0 tests/test_resume.py -k kill`` kills as often, as ``EIS_THOROUGH=1`` does;
``EIS_KILLS_SEED`` chooses the instants.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eis import pipeline
from eis.errors import ConfigError, StoreError
from eis.readers import read
from eis.spectrum import Spectrum
from instruments import Potentiostat, Sweep, connect
from instruments.attended import attended
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.faults import Faults
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.journal import Journal, journal_to_spectrum, read_journal, recorded
from instruments.palmsens import PalmSens
from instruments.planned import PlannedSweep
from instruments.resume import finish, remaining, resumed
from tests.command_line import ROOT, eis
from tests.served import Bench, bench, lease_once_free, measuring
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog")

KILLS = int(os.environ.get("EIS_KILLS", number(6, thorough=200)))
SEED = int(os.environ.get("EIS_KILLS_SEED", "1"))

SWEEP = Sweep(1e5, 1e3, 5, 0.01)
OF_THE_KILLED = "1e4:10:8"
STEP_OF_THE_STREAM = 1e-5
"""One count of a MethodSCRIPT packet: what seven digits of another first frequency may change of the others."""
Connect = Callable[..., PalmSens]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep leases, of this process and those it starts, in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def quiet() -> EmulatedPotentiostat:
    return EmulatedPotentiostat(SYMMETRIC, noise=0.0)


def cut(meter: Potentiostat, path: Path, points: int, *, torn: bytes = b'{"poi', **options: Any) -> Path:
    """Write the journal of a sweep that was killed after some points, while it wrote the next."""
    list(recorded(meter, SWEEP, path, options=options))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: 1 + points]) + torn)
    return path


def same(one: Spectrum, other: Spectrum) -> None:
    """Check that two spectra hold the same points in the same order, as far as the wire can tell."""
    close = {"rtol": STEP_OF_THE_STREAM, "atol": 0}
    assert np.allclose(one.frequency_hz, other.frequency_hz, **close)
    assert np.allclose(one.z_ohm, other.z_ohm, **close)
    assert np.array_equal(one.columns["frequency_set_hz"], other.columns["frequency_set_hz"])
    assert np.array_equal(one.columns["acquired_order"], other.columns["acquired_order"])
    assert np.array_equal(one.quality, other.quality)


# --- what is refused, and why


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"serial": "OTHER"}, "serial is 'EMULATED01', in the journal 'OTHER'"),
        ({"firmware": "1.0"}, "firmware is .*, in the journal '1.0'"),
        ({"model": "EmStat4 HR"}, "model is 'Nexus', in the journal 'EmStat4 HR'"),
    ],
)
def test_another_instrument_is_refused_and_the_journal_stays_as_it_is(
    changed: dict[str, str], words: str, tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    meter = connected(quiet)
    path = cut(meter, tmp_path / "x.jsonl", 4)
    header, *rest = path.read_bytes().splitlines(keepends=True)
    values = json.loads(header)
    values["identity"] |= changed
    path.write_bytes(json.dumps(values).encode() + b"\n" + b"".join(rest))
    before = path.read_bytes()
    quiet.log.clear()
    with pytest.raises(ConfigError, match=words):
        next(resumed(meter, path))
    assert path.read_bytes() == before
    assert quiet.log == []


def test_other_settings_are_refused_by_name(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    meter = connected(quiet)
    path = cut(meter, tmp_path / "x.jsonl", 4, amplitude_unit="peak", currents_a=(1e-7, 1e-3))
    with pytest.raises(ConfigError, match="amplitude_unit is 'not given', in the journal 'peak'"):
        next(resumed(meter, path))
    with pytest.raises(ConfigError, match=r"f_min_hz is 1\.0, in the journal 'not given'"):
        next(resumed(meter, path, options={"f_min_hz": 1.0}))
    assert list(resumed(meter, path, options={"currents_a": (1e-7, 1e-3), "amplitude_unit": "peak"}))


def test_another_sweep_is_refused_by_name(tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect) -> None:
    meter = connected(quiet)
    path = cut(meter, tmp_path / "x.jsonl", 4)
    with pytest.raises(ConfigError, match=r"amplitude_v is 0.02, in the journal 0.01; dc_v is 1.0"):
        next(resumed(meter, path, sweep=replace(SWEEP, amplitude_v=0.02, dc_v=1.0)))


def test_a_header_that_was_changed_is_refused(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    path = cut(meter := connected(quiet), tmp_path / "x.jsonl", 4)
    path.write_bytes(path.read_bytes().replace(b'"amplitude_v": 0.01', b'"amplitude_v": 0.02', 1))
    with pytest.raises(StoreError, match="header was changed"):
        next(resumed(meter, path))


def test_a_journal_without_its_plan_or_with_a_point_missing_is_refused(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    path = cut(meter := connected(quiet), tmp_path / "x.jsonl", 4)
    header, first, second, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((header, second, *rest)))
    with pytest.raises(StoreError, match="points are missing"):
        next(resumed(meter, path))
    plan = json.loads(header)
    del plan["plan"]
    path.write_bytes(json.dumps(plan).encode() + b"\n" + first + second)
    with pytest.raises(ConfigError, match="does not say with which settings"):
        next(resumed(meter, path))
    assert len(read_journal(path).points) == 2  # it can still be read


# --- the frequencies that remain


def test_the_remaining_sweep_always_falls_on_the_frequencies_that_were_planned() -> None:
    rng = np.random.default_rng(3)
    for _ in range(number(1000, thorough=3000)):
        start_hz = 10 ** rng.uniform(-2, 6)
        stop_hz = start_hz / 10 ** rng.uniform(0, 8) if rng.random() < 0.95 else start_hz
        sweep = Sweep(start_hz, stop_hz, 10 ** rng.uniform(-1, 1.5), 0.01)
        for done in {0, 1, int(rng.integers(sweep.n_points)), sweep.n_points - 1} - {sweep.n_points}:
            rest = remaining(sweep, done)
            assert np.allclose(rest.frequencies_hz, sweep.frequencies_hz[done:], rtol=1e-12, atol=0)


def test_what_is_left_of_planned_frequencies_is_what_was_planned_and_a_journal_brings_them_back(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    planned_hz = (1e5, 3e4, 7e3, 1e5)  # no even grid, and one point repeated
    sweep = PlannedSweep(1e5, 7e3, 5, 0.01, planned_hz=planned_hz, planned_s=(1.0,) * 4)
    assert remaining(sweep, 2).frequencies_hz.tolist() == [7e3, 1e5]
    Journal(tmp_path / "x.jsonl", connected(quiet).identify(), sweep).close()
    assert read_journal(tmp_path / "x.jsonl").sweep == sweep


@pytest.mark.parametrize("done", [-1, 11, 12])
def test_nothing_left_is_no_sweep(done: int) -> None:
    with pytest.raises(ConfigError, match="Nothing is left"):
        remaining(SWEEP, done)


# --- what comes of it


@pytest.mark.parametrize("points", range(SWEEP.n_points + 1))
@pytest.mark.parametrize("torn", [b"", b'{"point": {"ind', b"\x00\xff"])
def test_wherever_it_was_cut_the_finished_spectrum_is_the_uninterrupted_one(
    points: int, torn: bytes, tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    meter = connected(quiet)
    list(recorded(meter, SWEEP, tmp_path / "whole.jsonl"))
    path = cut(meter, tmp_path / "x.jsonl", points, torn=torn)
    before = path.read_bytes().removesuffix(torn)
    new = list(resumed(meter, path, sweep=SWEEP))
    assert path.read_bytes().startswith(before)
    assert [point.index for point in new] == list(range(points, SWEEP.n_points))
    finished = journal_to_spectrum(path)
    same(finished, journal_to_spectrum(tmp_path / "whole.jsonl"))
    record = read_journal(path)
    assert record.status == "completed"
    assert np.all(np.diff([point.time_s for point in record.points]) >= 0)
    assert [point.attempt for point in record.points] == [1] * points + [2] * (SWEEP.n_points - points)
    assert not quiet.cell_is_on
    journal = finished.metadata["journal"]
    if points < SWEEP.n_points:
        (gap,) = journal["gaps"]
        assert gap["first_index"] == points
        assert gap["seconds"] >= 0
        assert gap["why"] == "interrupted: the journal was cut short"
        assert set(journal["attempts"]) == {str(index) for index in range(points, SWEEP.n_points)}
    else:
        assert "gaps" not in journal


def test_it_may_be_cut_short_again_and_again(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    path = cut(meter := connected(quiet), tmp_path / "x.jsonl", 2)
    for _ in range(3):
        points = resumed(meter, path)
        next(points)
        next(points)
        points.close()
        assert not quiet.cell_is_on
    list(resumed(meter, path))
    record = read_journal(path)
    assert [gap.first_index for gap in record.gaps] == [2, 4, 6, 8]
    assert [gap.why.partition(":")[0] for gap in record.gaps] == ["interrupted", *["aborted"] * 3]
    assert [point.attempt for point in record.points] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]


@pytest.mark.usefixtures("impatient")
def test_a_sweep_that_failed_can_be_resumed(tmp_path: Path, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, noise=0.0, faults=Faults(points={4: "runtime_error"}))
    meter = connected(device)
    path = tmp_path / "x.jsonl"
    with pytest.raises(Exception, match="0032"):
        list(recorded(meter, SWEEP, path))
    assert not device.cell_is_on
    list(resumed(meter, path))
    assert "critical overload" in read_journal(path).gaps[0].why
    assert len(journal_to_spectrum(path)) == SWEEP.n_points


def test_a_full_disk_on_resuming_leaves_the_points_and_the_cell_off(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cut(meter := connected(quiet), tmp_path / "x.jsonl", 4)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"index": 7' in data:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(StoreError, match="No space"):
            list(resumed(meter, path))
    assert not quiet.cell_is_on
    assert len(read_journal(path).points) == 7
    list(resumed(meter, path))
    assert read_journal(path).status == "completed"


def test_what_follows_an_end_without_a_gap_is_damage(
    tmp_path: Path, quiet: EmulatedPotentiostat, connected: Connect
) -> None:
    list(recorded(connected(quiet), SWEEP, path := tmp_path / "x.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, lines[3]]))
    with pytest.raises(StoreError, match="line 14"):
        read_journal(path)


def test_a_journal_with_every_point_is_finished_without_an_instrument(tmp_path: Path) -> None:
    with connect("sim::symmetric-cell") as meter:
        path = cut(meter, tmp_path / "x.jsonl", SWEEP.n_points)
    spectrum = pipeline.measure("TCPIP0::127.0.0.1::9::SOCKET", SWEEP, tmp_path / "x.nc", resume=path)
    assert spectrum.metadata["journal"] == {"status": "completed", "reason": ""}
    finish(path)
    assert len(read(tmp_path / "x.nc")) == SWEEP.n_points


def test_a_reopened_journal_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        Journal.reopened(tmp_path / "x.jsonl")


# --- from the command line


def test_the_command_needs_nothing_but_the_journal(tmp_path: Path) -> None:
    with connect("sim::symmetric-cell") as meter:
        journal = cut(meter, tmp_path / "cell.nc.journal.jsonl", 4)
    refused = eis("measure", "--resume", journal, "--amplitude", "20mV")
    assert refused.returncode == 2
    assert "amplitude_v is 0.02, in the journal 0.01" in refused.stderr
    done = eis("measure", "--resume", journal, "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["results"]
    assert entry["n_points"] == SWEEP.n_points
    assert len(read(tmp_path / "cell.nc")) == SWEEP.n_points


# --- kill -9, anywhere


@pytest.fixture(scope="module")
def served() -> Iterator[Bench]:
    with bench("--speed", "4", "--noise", "0") as one:
        yield one


@pytest.fixture(scope="module")
def uninterrupted(served: Bench, tmp_path_factory: pytest.TempPathFactory) -> Spectrum:
    path = tmp_path_factory.mktemp("whole") / "x.jsonl"
    with connect(served.resource) as meter:
        list(recorded(meter, Sweep.parse(OF_THE_KILLED, amplitude_v=0.01), path))
    return journal_to_spectrum(path)


def wait_for_the_guardian(resource: str) -> None:
    """Wait until the guardian of a killed process has given its lease back."""
    with lease_once_free(resource):
        pass


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
def test_a_killed_command_goes_on_from_the_command_line(
    served: Bench, uninterrupted: Spectrum, tmp_path: Path
) -> None:
    out = tmp_path / "cell.nc"
    arguments = ("measure", "--resource", served.resource, "--sweep", OF_THE_KILLED, "--out", str(out))
    with subprocess.Popen([sys.executable, "-m", "eis", *arguments], cwd=ROOT) as process:
        served.wait(is_on=True)
        time.sleep(0.2)
        killed = time.monotonic()
        process.kill()
    assert served.seconds_to_off(killed) < 2
    wait_for_the_guardian(served.resource)
    done = eis("measure", "--resume", f"{out}.journal.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    same(read(out), uninterrupted)


@pytest.mark.skipif(os.name != "posix", reason="there are no such signals")
@pytest.mark.parametrize("instant", random.Random(SEED).sample(range(1000), min(max(3, KILLS // 4), 1000)))
def test_a_signal_at_any_instant_leaves_the_cell_off_within_a_second(
    instant: int, served: Bench, tmp_path: Path
) -> None:
    number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[instant % 3]
    before = served.state().times_on
    with measuring(served.resource, OF_THE_KILLED, path := tmp_path / "x.jsonl", driver="palmsens") as process:
        while served.state().times_on == before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(instant / 1000 * 0.6)
        sent = time.monotonic()
        process.send_signal(number)
        acknowledged, said = process.communicate()
    assert served.seconds_to_off(sent) < 1
    assert "CellStateUnknown" not in said
    assert len(read_journal(path).points) >= acknowledged.count("\n")
    with lease_once_free(served.resource) as held:
        assert held.abandoned is None or not served.state().is_on


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
@pytest.mark.parametrize("instant", random.Random(SEED).sample(range(1000), min(KILLS, 1000)))
def test_a_kill_at_any_instant_costs_at_most_the_point_in_flight(
    instant: int,
    served: Bench,
    uninterrupted: Spectrum,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    path, sweep = tmp_path / "x.jsonl", Sweep.parse(OF_THE_KILLED, amplitude_v=0.01)
    before = served.state().times_on
    with measuring(served.resource, OF_THE_KILLED, path) as process:
        if instant % 10:  # most of them while the cell is on, or about to go off
            while served.state().times_on == before and process.poll() is None:
                time.sleep(0.001)
            time.sleep(instant / 1000 * 0.3)
        else:
            time.sleep(instant / 1000 * 0.8)
        killed = time.monotonic()
        process.send_signal(signal.SIGKILL)
        acknowledged = process.communicate()[0].count("\n")
    was_on = served.state().is_on or served.state().changed > killed
    seconds_to_off = served.seconds_to_off(killed)
    record_property("seconds_to_off", seconds_to_off if was_on else None)  # for --junitxml
    assert seconds_to_off < 2
    wait_for_the_guardian(served.resource)
    if not path.exists() or not path.read_bytes():
        return  # before there was a journal
    record = read_journal(path)
    record_property("points", len(record.points))
    assert len(record.points) >= acknowledged
    if len(record.points) < sweep.n_points:
        with attended(served.resource, log=tmp_path / "log", guard=False) as instrument:
            list(resumed(instrument, path, sweep=sweep))
    else:
        finish(path)
    finished = journal_to_spectrum(path)
    same(finished, uninterrupted)
    assert finished.metadata["journal"]["status"] == "completed"
    assert all(math.isfinite(value) for value in finished.columns["time_s"])
    assert not served.state().is_on
