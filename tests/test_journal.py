"""The journal: what was measured is on disk, whatever happens next."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from eis.errors import AbortedError, LinkError, RejectedError, StoreError
from eis.spectrum import Quality
from instruments import Potentiostat, Sweep, connect
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.journal import SCHEMA, Journal, journal_to_spectrum, read_journal, recorded
from instruments.palmsens import PalmSens
from instruments.potentiostat import Point

pytestmark = pytest.mark.usefixtures("watchdog")

SWEEP = Sweep(1e5, 1e3, 5, 0.01)
Connect = Callable[..., PalmSens]


@pytest.fixture
def meter() -> Iterator[Potentiostat]:
    with connect("sim::symmetric-cell") as one:
        yield one


@pytest.fixture
def journal(tmp_path: Path, meter: Potentiostat) -> Path:
    path = tmp_path / "sweep.jsonl"
    list(recorded(meter, SWEEP, path))
    return path


# --- what cannot be written


def test_a_journal_is_never_written_over(journal: Path, meter: Potentiostat) -> None:
    before = journal.read_bytes()
    with pytest.raises(StoreError, match=r"exists already.*journal_to_spectrum"):
        next(recorded(meter, SWEEP, journal))
    assert journal.read_bytes() == before


def test_a_folder_that_does_not_exist_is_an_error_before_anything_is_measured(
    tmp_path: Path, emulator: EmulatedPotentiostat, connected: Connect
) -> None:
    meter = connected(emulator)
    emulator.log.clear()
    with pytest.raises(StoreError, match=r"No such file or directory.*Check that the folder exists"):
        next(recorded(meter, SWEEP, tmp_path / "no" / "x.jsonl"))
    assert emulator.log == []


def test_set_points_that_are_refused_leave_no_journal(tmp_path: Path, meter: Potentiostat) -> None:
    with pytest.raises(RejectedError):
        next(recorded(meter, Sweep(1e5, 1e3, 5, 100.0), tmp_path / "x.jsonl"))
    assert not list(tmp_path.iterdir())


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path, meter: Potentiostat) -> None:
    with pytest.raises(StoreError, match="exists already"):
        next(recorded(meter, SWEEP, tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_an_error(tmp_path: Path, meter: Potentiostat) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        next(recorded(meter, SWEEP, tmp_path / "x.jsonl"))


@pytest.mark.parametrize("how", ["error", "short"])
def test_a_full_disk_ends_the_sweep_and_switches_the_cell_off(
    how: str, tmp_path: Path, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, device = os.write, EmulatedPotentiostat(SYMMETRIC)
    meter = connected(device)

    def full(descriptor: int, data: bytes) -> int:
        if b'"index": 3' not in data:
            return write(descriptor, data)
        if how == "short":
            return write(descriptor, data[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    path = tmp_path / "x.jsonl"
    with pytest.raises(StoreError, match="disk"):
        list(recorded(meter, SWEEP, path))
    assert not device.cell_is_on
    assert len(read_journal(path).points) == 3


def test_a_closed_journal_takes_nothing(tmp_path: Path, meter: Potentiostat) -> None:
    point = next(meter.sweep(SWEEP))
    with Journal(tmp_path / "x.jsonl", meter.identify(), SWEEP) as journal:
        journal.end("completed")
        journal.end("failed")
        with pytest.raises(StoreError, match="closed"):
            journal.add(point)


# --- what cannot be read


def test_a_journal_cut_at_any_byte_opens_and_loses_at_most_the_last_point(journal: Path, tmp_path: Path) -> None:
    whole = journal.read_bytes()
    header = whole.index(b"\n") + 1
    everything = read_journal(journal).points
    cut = tmp_path / "cut.jsonl"
    for length in range(header, len(whole) + 1):
        cut.write_bytes(whole[:length])
        record = read_journal(cut)
        complete = min(whole[:length].count(b"\n") - 1, len(everything))
        assert record.points == everything[:complete]
        assert record.status == ("completed" if length == len(whole) else "interrupted")


def test_a_journal_cut_in_its_header_says_that_nothing_was_measured(journal: Path) -> None:
    whole = journal.read_bytes()
    for length in (0, 1, whole.index(b"\n")):
        journal.write_bytes(whole[:length])
        with pytest.raises(StoreError, match="nothing to recover"):
            read_journal(journal)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '{"point": 3}',
        '{"point": {}}',
        '{"point": {"index": "x"}}',
        "\0\0\0",
        "\ufffd",
    ],
)
def test_damage_in_the_middle_is_an_error_that_names_the_line(journal: Path, damage: str) -> None:
    lines = journal.read_text(encoding="utf-8").splitlines()
    lines[4] = damage
    journal.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(StoreError, match=r"sweep.jsonl, line 5"):
        read_journal(journal)


@pytest.mark.parametrize("name", ["schema", "identity", "sweep", "started", "instrument_verified"])
def test_a_header_that_lacks_something_is_an_error(journal: Path, name: str) -> None:
    header, *rest = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    values = json.loads(header)
    del values[name]
    journal.write_text(json.dumps(values) + "\n" + "".join(rest), encoding="utf-8")
    with pytest.raises(StoreError, match=rf"{name}.*line 1"):
        read_journal(journal)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        read_journal(tmp_path / "x.jsonl")


def test_a_journal_without_a_point_is_no_spectrum(tmp_path: Path, meter: Potentiostat) -> None:
    path = tmp_path / "x.jsonl"
    Journal(path, meter.identify(), SWEEP).close()
    with pytest.raises(StoreError, match="holds no point"):
        journal_to_spectrum(path)


# --- how it ends


def test_every_point_is_on_disk_before_the_next_one_is_asked_for(
    tmp_path: Path, meter: Potentiostat, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, measure = tmp_path / "x.jsonl", meter.sweep

    def watched(sweep: Sweep) -> Iterator[Point]:
        for point in measure(sweep):
            assert len(read_journal(path).points) == point.index
            yield point

    monkeypatch.setattr(meter, "sweep", watched)
    for point in recorded(meter, SWEEP, path):
        assert read_journal(path).points[-1] == point


def test_an_aborted_sweep_says_so(tmp_path: Path, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, clock=RealClock())
    meter = connected(device)
    path = tmp_path / "x.jsonl"
    kept = recorded(meter, SWEEP, path)
    next(kept)
    meter.abort()
    with pytest.raises(AbortedError):
        list(kept)
    assert read_journal(path).status == "aborted"
    assert not device.cell_is_on


def test_a_consumer_that_stops_is_recorded_and_the_cell_is_off(tmp_path: Path, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    meter = connected(device)
    path = tmp_path / "x.jsonl"
    kept = recorded(meter, SWEEP, path)
    next(kept)
    assert device.cell_is_on
    kept.close()
    assert not device.cell_is_on
    record = read_journal(path)
    assert (record.status, record.reason) == ("aborted", "nobody asked for more points")


@pytest.mark.usefixtures("impatient")
def test_a_sweep_that_fails_is_recorded_with_its_reason(tmp_path: Path, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(lines={8: "garbage"}))
    meter = connected(device)
    path = tmp_path / "x.jsonl"
    with pytest.raises(LinkError):
        list(recorded(meter, SWEEP, path))
    record = read_journal(path)
    assert record.status == "failed"
    assert "Expected a data packet" in record.reason
    assert len(record.points) == 2


# --- what comes back


def test_what_comes_back_is_what_was_measured(tmp_path: Path, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(points={1: "overload", 4: "nan"}))
    meter = connected(device)
    path = tmp_path / "x.jsonl"
    measured = list(recorded(meter, SWEEP, path))
    record = read_journal(path)
    assert record.identity == meter.identify()
    assert record.sweep == SWEEP
    assert record.status == "completed"
    assert [repr(point) for point in record.points] == [repr(point) for point in measured]
    assert math.isnan(record.points[4].z_ohm.real)
    assert record.points[1].quality == Quality.OVERLOAD


def test_a_journal_becomes_a_spectrum(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with connect("sim::symmetric-cell") as meter:
        direct = meter.sweep_spectrum(SWEEP)
    with connect("sim::symmetric-cell") as meter:
        list(recorded(meter, SWEEP, path))
    stored = journal_to_spectrum(path)
    assert np.array_equal(stored.z_ohm, direct.z_ohm)
    assert stored.metadata["journal"]["status"] == "completed"
    assert stored.metadata["source"] == "emulator"
    assert stored.name == "x.jsonl"


def test_every_line_is_plain_json_and_the_first_names_the_schema(journal: Path) -> None:
    records = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert records[0]["schema"] == SCHEMA
    assert records[0]["resource"] == "sim::symmetric-cell"
    assert len(records) == 13
    assert records[-1]["end"]["status"] == "completed"


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9")
@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_killed_process_has_every_acknowledged_point_on_disk(acknowledged: int, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    code = """
import sys
from instruments import Sweep, connect
from instruments.journal import recorded
with connect("sim::symmetric-cell") as meter:
    for point in recorded(meter, Sweep(1e5, 0.01, 1000, 0.01), sys.argv[1]):
        print(point.index, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        last = -1
        for _ in range(acknowledged):
            last = int(process.stdout.readline())
        process.kill()
        seen = [last, *(int(line) for line in process.stdout.read().split("\n")[:-1])]
    record = read_journal(path)
    assert record.status == "interrupted"
    assert len(record.points) >= seen[-1] + 1
    assert [point.index for point in record.points] == list(range(len(record.points)))
