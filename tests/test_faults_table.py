"""Sixty-eight things that go wrong, each with the exit code and a word of what the user is told.

A table: the number, the fault, what a user runs, the exit code, what is said. Every command is run as users do, in
this process; the details of each fault are tested beside the module that meets it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eis import archive
from eis.cli.app import main
from eis.live import Live
from eis.shipped import folder
from eis.spectrum import Spectrum
from eis.store import Store
from instruments import link, palmsens
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.transports import TRANSPORTS
from instruments.lease import lease
from tests.test_reader_spreadsheet import OUTSIDE, SHEET, with_part
from tests.test_readers import GAMRY_CURVE
from tests.test_scenarios import FREQUENCY, OMEGA, arc, full_cell, noisy, violating
from tests.test_station import LENIENT
from tests.test_station_config import STATION
from tests.vendors import FREQUENCY as GRID
from tests.vendors import cell
from tests.vendors.ec_lab_binary import mpr, peis
from tests.vendors.spreadsheet import RECTANGULAR, workbook

DATA = folder()
MPT, DTA = DATA / "symmetric_cell.mpt", DATA / "symmetric_cell.DTA"
CELL = ("--area", "1.131", "--interfaces", "2", "--kind", "symmetric")
CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
SHORT = ("--sweep", "1e5:1e3:5")
RESOURCE = "TCPIP0::127.0.0.1::5025::SOCKET"
IN_SWEEP = 20
"""Number of a line that the emulated instrument sends in the middle of a sweep."""
NOT_HERE = dict.fromkeys((66, 67, 68), "there is no web server: nothing listens")


@dataclass(frozen=True)
class Said:
    """What a command left behind: its exit code and all it said, or was found afterwards."""

    code: int
    text: str

    def __add__(self, more: object) -> Said:
        return replace(self, text=f"{self.text}\n{more}")


class Room:
    """A folder to work in, and the command line."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, stack: contextlib.ExitStack) -> None:
        self.path, self.patch, self.stack = path, patch, stack

    def file(self, name: str, content: bytes | str) -> Path:
        path = self.path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def spectrum(self, z: Any, frequency: Any = FREQUENCY) -> Path:
        return archive.write(z if isinstance(z, Spectrum) else Spectrum.of(frequency, z), self.path / "cell.nc")

    def eis(self, *words: object, typed: str = "") -> Said:
        """Run the command line in this process, as `eis` does."""
        out, err = io.StringIO(), io.StringIO()
        self.patch.setattr(sys, "argv", ["eis", *map(str, words)])
        self.patch.setattr(sys, "stdin", io.StringIO(typed))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
        return Said(int(left.value.code or 0), out.getvalue() + err.getvalue())

    def convert(self, *files: Path) -> Said:
        return self.eis("convert", *files, "--out", self.path / "out", "--json")

    def read(self, name: str, content: bytes | str) -> Said:
        return self.convert(self.file(name, content))

    def check(self, *words: object) -> Said:
        return self.eis("check", *words, *CELL)

    def station(self, *words: str, cells: tuple[str, ...] = ("A1",), text: str = STATION) -> Said:
        self.file("lenient.toml", LENIENT)
        path = self.file("station.toml", text)
        flags = [word for flag in ("check.spec=lenient.toml", *words) for word in ("--set", flag)]
        return self.eis("run", path, *[word for cell in cells for word in ("--cell", cell)], *flags)

    def measure(self, *words: object, **faults: Any) -> Said:
        """Measure at an instrument of which something is wrong; say afterwards whether its cell is on."""
        device = EmulatedPotentiostat(SYMMETRIC, clock=FastClock(), faults=Faults(**faults))
        served = self.stack.enter_context(TRANSPORTS["tcp"](device))
        quick = ("--driver", "palmsens", "--option", "patience_s=0.3", "--no-guardian")
        said = self.eis(
            "measure", "--resource", served.resource, "--out", self.path / "x.nc", *SHORT, *(words or quick)
        )
        return said + f"the cell is {'on' if device.cell_is_on else 'off'}"

    def simulate(self, *words: object) -> Said:
        return self.eis("measure", "--resource", "sim::symmetric-cell", "--out", self.path / "x.nc", *words)

    def names(self, pattern: str = "*") -> list[str]:
        return sorted(path.name for path in self.path.rglob(pattern))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    for name, value in (("ANSWER_S", 0.4), ("QUIET_S", 0.05), ("MUTE_S", 0.06), ("BACK_OFF_S", 0.0)):
        monkeypatch.setattr(palmsens, name, value)
    monkeypatch.setattr(palmsens, "predicted_point_s", lambda frequency_hz: 0.0)
    monkeypatch.setattr(link, "COMES_BACK_S", 0.0)
    with contextlib.ExitStack() as stack:
        yield Room(tmp_path, monkeypatch, stack)
    for name, handler in before.items():
        signal.signal(name, handler)


# --- how a fault is made, where it takes more than a line


def mpt() -> str:
    return MPT.read_text("cp1252")


def a_pipe(room: Room) -> Said:
    os.mkfifo(room.path / "pipe")
    return room.convert(room.path / "pipe", room.path)


def a_huge_file(room: Room) -> Said:
    with (room.path / "huge.csv").open("wb") as file:
        file.truncate(10 * 1024**3)
    return room.convert(room.path / "huge.csv")


def a_netcdf_that_declares_gigabytes(room: Room) -> Said:
    import netCDF4

    with netCDF4.Dataset(room.path / "bomb.nc", "w") as dataset:
        dataset.setncattr("eis_schema", archive.SCHEMA)
        dataset.createDimension("frequency", 500_000_000)
        for name, kind in {"frequency": "f8", "z_real": "f8", "z_imag": "f8", "quality": "i8"}.items():
            dataset.createVariable(name, kind, ("frequency",), chunksizes=(1000,), fill_value=False)
    return room.convert(room.path / "bomb.nc")


def a_netcdf_the_library_hangs_on(room: Room) -> Said:
    path = room.spectrum(full_cell(0))
    path.write_bytes(path.read_bytes()[:-1])  # without its seal it is tried out in a process of its own
    room.patch.setattr(archive, "TIME_LIMIT_S", 0)
    return room.convert(path)


def a_share_that_vanishes(room: Room) -> Said:
    def away(descriptor: int, size: int) -> bytes:
        raise OSError(116, "Stale file handle")

    path = room.file("a.mpt", mpt())
    with room.patch.context() as patch:
        patch.setattr("eis.readers.source.os.read", away)
        return room.convert(path)


def the_same_file_twice(room: Room) -> Said:
    said = room.convert(room.file("a.mpt", mpt()), room.file("b.mpt", mpt()))
    return said + f"{len({one['metadata']['sha256'] for one in json.loads(said.text)['results']})} checksum"


def a_signal(number: int) -> Callable[[Room], Said]:
    def fault(room: Room) -> Said:
        room.patch.setattr(Live, "add", lambda *_: os.kill(os.getpid(), number))
        said = room.simulate(*SHORT)
        return said + room.names("*.jsonl")

    return fault


def a_bug(room: Room) -> Said:
    room.patch.setattr("eis.pipeline.assess", lambda *_, **__: 1 / 0)
    said = room.station()
    return said + room.eis("history", room.path / "station.db").text


def a_run_that_was_killed(room: Room) -> Said:
    with Store.open(room.path / "station.db", station="bench-3") as store:
        store.append("begun", run="A0-before", content={"cell": "A0"})
    said = room.station()
    return said + room.eis("history", room.path / "station.db").text


def an_instrument_in_use(room: Room) -> Said:
    with lease(RESOURCE, what="testing"):
        return room.eis("measure", "--resource", RESOURCE, "--out", room.path / "x.nc")


def a_full_disk(room: Room) -> Said:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"index": 3' in data:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    room.patch.setattr(os, "write", full)
    said = room.measure()
    return said + f"{(room.path / 'x.nc.journal.jsonl').read_text().count('index')} points"


def a_locked_store(room: Room) -> Said:
    Store.open(room.path / "station.db").close()
    room.patch.setattr("eis.store_sqlite.BUSY_S", 0.05)
    with contextlib.closing(sqlite3.connect(room.path / "station.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = room.station()
        return said + room.eis("history", room.path / "station.db").code


def a_commit_said_twice(room: Room) -> Said:
    for _ in range(2):
        with Store.open(room.path / "station.db") as store:
            store.append("ended", run="A1-once", content={"cell": "A1", "state": "PASS"})
    said = room.eis("history", room.path / "station.db", "--json")
    return said + f"{said.text.count('A1-once')} run"


def a_store_of_tomorrow(room: Room) -> Said:
    room.station()
    with contextlib.closing(sqlite3.connect(room.path / "station.db", isolation_level=None)) as other:
        other.execute("UPDATE eis_store SET version = 99")
    return room.station(cells=("A2",))


def a_drifting_clock(room: Room) -> Said:
    """The wall clock goes back by a day between beginning and end; the points' own times do not."""
    times = (f"2026-01-{30 - i:02d}T00:00:00.000+00:00" for i in range(25))
    room.patch.setattr("instruments.journal.utc_now", lambda: next(times))
    said = room.simulate(*SHORT)
    points = [json.loads(line) for line in (room.path / "x.nc.journal.jsonl").read_text().splitlines()]
    elapsed = [one["point"]["time_s"] for one in points if "point" in one]
    return said + f"{len(elapsed)} points, times rise: {elapsed == sorted(elapsed)}"


def readings_that_disagree(room: Room) -> Said:
    """R·A is 10 and R/A 7.8: with 3 mΩ/cm² scaled to 9 Ω/cm², one fails and one passes."""
    text = LENIENT.replace("100 Ω·cm²", "9 Ω/cm²").replace("100.0", "9.0").replace('"asr"', '"asr", "per_area"')
    return room.check(MPT, "--spec", room.file("limit.toml", text), "--circuit", CIRCUIT, "--element", "R2")


def a_limit_that_is_none(room: Room) -> Said:
    return room.check(MPT, "--spec", room.file("limit.toml", LENIENT.replace("100.0", "nan")))


def process_values_in_percent(room: Room) -> Said:
    return room.check(MPT, "--metadata", room.file("process.toml", "electrode_dryness = '35'\n"))


def milliohm_said_to_be_ohm(room: Room) -> Said:
    rows = "".join(f"{f!r},1e-10,-1e-11\n" for f in (1e3, 1e2, 10.0))
    return room.read("table.csv", "f (Hz),Re (Ohm),Im (Ohm)\n" + rows)


def points_with_an_overload(room: Room) -> Said:
    rows = "\t0\t1000\t10\t-1\t...........\n\t1\t100\t11\t-2\t....i......\n\t2\t10\t12\t-3\t...........\n"
    return room.read("over.DTA", GAMRY_CURVE.format(n=3, hz="Hz") + rows)


def an_aborted_experiment(room: Room) -> Said:
    aborted = DTA.read_text("cp1252") + "EXPERIMENTABORTED\tTOGGLE\tT\tExperiment Aborted\n"
    path = room.file("aborted.DTA", aborted)
    return room.check(path, "--json") + room.convert(path).text


def arcs_that_overlap(room: Room) -> Said:
    """3 mΩ·cm² of one electrode behind 10 Ω of the other and diffusion."""
    words = ("--area", "1", "--interfaces", "1", "--kind", "full", "--circuit", f"{CIRCUIT}-p(R3,CPE3)-Wo1")
    return room.eis("check", room.spectrum(full_cell(0)), *words)


def an_inductive_tail(room: Room) -> Said:
    """Millohms behind 5 µH: nearly all of |Z| is the leads."""
    z = noisy(2e-3 + 1j * OMEGA * 5e-6 + arc(1e-4, 300.0))
    return room.check(room.spectrum(z))


@dataclass(frozen=True)
class Row:
    """One fault: its number, its name, what makes it, the exit code, and words that are said."""

    number: int
    fault: str
    act: Callable[[Room], Said]
    code: int
    words: tuple[str, ...]


ROWS = (
    # files
    Row(1, "empty file", lambda r: r.convert(r.file("e.mpt", ""), MPT) + r.names("*.nc"), 4,
        ("empty", "symmetric_cell.mpt.nc")),
    Row(2, "cut in the middle of a line", lambda r: r.read("a.mpt", mpt()[:-20]), 0, ('"truncated"', "torn")),
    Row(3, "of another make", lambda r: r.read("a.mpt", "Potentiostat of another make\nstart stop step\n"), 4,
        ("No reader recognises", "nearest")),
    Row(4, "a pipe, a folder", a_pipe, 4, ("a pipe", "a folder")),
    Row(5, "10 GB", a_huge_file, 4, ("64 MiB",)),
    Row(6, "NUL bytes in text", lambda r: r.read("a.csv", b"1e3,10,-1\n1e2,12,-\0\0\n"), 4, ("Byte 18 is NUL",)),
    Row(7, "UTF-16", lambda r: r.read("a.mpt", b"\xff\xfe" + mpt().encode("utf-16-le")), 0,
        ("The text is UTF-16", '"n_points": 71')),
    Row(8, "decimal comma, and what may be one",
        lambda r: r.convert(DATA / "symmetric_cell_decimal_comma.mpt", r.file("a.csv", "1,234;5,678;-9,123\n")), 4,
        ("decimal comma", "thousands")),
    Row(9, "mixed line ends", lambda r: r.read("a.mpt", mpt().replace("\r\n", "\n").replace("\n", "\r", 20)), 0,
        ('"n_points": 71',)),
    Row(10, "fewer points than the header says",
        lambda r: r.read("a.DTA", GAMRY_CURVE.format(n=9, hz="Hz") + "\t0\t1e3\t10\t-1\t.\n\t1\t1e2\t11\t-2\t.\n"),
        0, ("The header says 9 points; there are 2",)),
    Row(11, "unknown column of .mpr",
        lambda r: r.read("a.mpr", mpr(11, [*peis(GRID, cell(GRID))[:3], (999, 1.0)], long_length=True)), 4,
        ("id 999", ".mpt")),
    Row(12, "a heading twice", lambda r: r.read("a.csv", "f,Re,Im,Z'\n1,2,-3,2\n"), 4, ("Several headings",)),
    Row(13, "two sweeps in a file", lambda r: r.read("a.csv", "1000,10,-1\n100,11,-2\n10,12,-3\n" * 2), 0,
        ("a.csv-1.nc", "a.csv-2.nc")),
    Row(14, "experiment aborted",
        an_aborted_experiment, 3, ("INVALID_DATA", "The measurement was aborted", '"n_points": 71')),
    Row(15, "netCDF that declares 8 GB", a_netcdf_that_declares_gigabytes, 4, ("declares 500000000 points",)),
    Row(16, "archive that leads out",
        lambda r: r.read("a.xlsx", workbook({"EIS": RECTANGULAR}, more=[("../../etc/x", b"1")])), 4,
        ("leads out of it",)),
    Row(17, "bomb",
        lambda r: r.read("a.xlsx", workbook({"EIS": RECTANGULAR}, more=[("xl/z", bytes(30 << 20))])), 4,
        ("more than 200 times",)),
    Row(18, "XML with an entity",
        lambda r: r.read("a.xlsx", with_part(SHEET, OUTSIDE + "<worksheet/>")), 4,
        ("document type or an entity",)),
    Row(19, "pickled objects", lambda r: r.convert(r.file("a.npy", pickled()), r.file("b", pickle.dumps([1]))), 4,
        ("pickle", "No reader recognises")),
    Row(20, "netCDF the library does not survive", a_netcdf_the_library_hangs_on, 4, ("does not come to an end",)),
    Row(21, "a share that vanishes", a_share_that_vanishes, 4, ("cannot be read: Stale file handle",)),
    Row(22, "the same content twice", the_same_file_twice, 0, ("1 checksum",)),
    # data
    Row(23, "a number that is none", lambda r: r.read("a.csv", "f,Re,Im\n1000,10,-1\n100,nan,-2\n"), 4,
        ("nan", "line 3")),
    Row(24, "frequency below zero", lambda r: r.read("a.csv", "f,Re,Im\n10,1,-1\n-1,2,-2\n"), 4, ("line 3",)),
    Row(25, "a frequency twice", lambda r: r.read("a.csv", "1000,10,-1\n100,11,-2\n100,11,-2\n10,12,-3\n"), 0,
        ('"n_flagged": 1',)),
    Row(26, "the other sign",
        lambda r: r.read("a.csv", "f,Re,Im\n1000,10,1\n100,11,2\n"), 0, ("mostly positive",)),
    Row(27, "units that cannot be", milliohm_said_to_be_ohm, 0, ("1.00499e-10 ohm", "check the unit")),
    Row(28, "fewer points than parameters",
        lambda r: r.eis("fit", r.file("a.csv", "1e3,10,-1\n1e2,11,-2\n10,12,-3\n"), "--circuit", CIRCUIT), 4,
        ("points",)),
    Row(29, "nothing but noise", lambda r: r.check(r.spectrum(noisy(np.full(71, 1e-4 + 0j), level=0.9))), 3,
        ("INVALID_DATA",)),
    Row(30, "inductive tail", an_inductive_tail, 3, ("NOT_RESOLVED",)),
    Row(31, "no linear, steady cell", lambda r: r.check(r.spectrum(violating())), 3, ("INVALID_DATA",)),
    Row(32, "overload flag", points_with_an_overload, 0, ("1 point", "overload")),
    Row(33, "arcs that overlap", arcs_that_overlap, 3, ("NOT_RESOLVED",)),
    Row(34, "a parameter at its bound",
        lambda r: r.eis("fit", MPT, "--circuit", CIRCUIT, "--bounds", "R2=0:5"), 0, ("n/a", "at its limit 5")),
    # units, metadata, limits
    Row(35, "a limit that may be R·A or R/A", readings_that_disagree, 3, ("INDETERMINATE_UNITS",)),
    Row(36, "area missing, zero, in mm²", lambda r: areas(r), 2, ("area is missing", "area_cm2 is 0", "cm²")),
    Row(37, "a limit that is no number", a_limit_that_is_none, 2, ("limit.value",)),
    Row(38, "wall clock that goes back", a_drifting_clock, 0, ("11 points, times rise: True",)),
    Row(39, "cell id that leads out", lambda r: r.station(cells=("../x", "a\nb", "\u202ea", "x" * 9999)), 2,
        ("no cell id",)),
    Row(40, "calibration past due", lambda r: r.station("calibrated_until=2020-01-01"), 3,
        ("calibrated until 2020-01-01",)),
    Row(41, "a value without its unit", process_values_in_percent, 2, ("electrode_dryness", "a value in %")),
    # circuits and configuration
    Row(42, "parenthesis that is never closed", lambda r: r.eis("fit", MPT, "--circuit", "R0-p(R1,CPE1"), 2,
        ("never closed", "^")),
    Row(43, "100 000 parentheses",
        lambda r: r.eis("fit", MPT, "--circuit", "p(" * 100_000), 2, ("more than 2000",)),
    Row(44, "Python in a circuit", lambda r: r.eis("fit", MPT, "--circuit", "__import__('os').system('x')"), 2,
        ("character 1",)),
    Row(45, "a key that does not exist", lambda r: r.station(text=STATION + "[chek]\nk = 2\n"), 2,
        ("do you mean check?",)),
    Row(46, "a schema of tomorrow", lambda r: r.station(text=STATION.replace("station/1", "station/9")), 2,
        ("eis.station/1",)),
    Row(47, "set-point that is no number",
        lambda r: r.simulate("--amplitude", "nanV") + r.simulate("--sweep", "1e400:1:5").text, 2,
        ("--amplitude", "start_hz is inf")),
    Row(48, "amplitude beyond its limit", lambda r: r.simulate("--amplitude", "5V"), 4, ("amplitude",)),
    # instruments
    Row(49, "another instrument",
        lambda r: r.measure("--driver", "keysight", "--no-guardian"), 4, ("No E4990A", "*IDN?")),
    Row(50, "falls silent in a sweep",
        lambda r: r.measure(lines={IN_SWEEP: "hang"}), 4, ("Go to the instrument",)),
    Row(51, "falls silent at once", lambda r: r.measure(lines={0: "hang"}), 4, ("the cell is off",)),
    Row(52, "garbage instead of a point",
        lambda r: r.measure(lines={IN_SWEEP: "garbage"}), 4, ("the cell is off",)),
    Row(53, "overload while measuring", lambda r: r.measure(points={3: "overload"}), 0,
        ("1 flagged", "the cell is off")),
    Row(54, "cable pulled", lambda r: r.measure(lines={IN_SWEEP: "unplug"}), 4, ("Go to the instrument",)),
    Row(55, "a bug in a run", a_bug, 70, ("ZeroDivisionError", "ERROR")),
    Row(56, "Ctrl-C", a_signal(signal.SIGINT), 130, ("go on with: eis measure --resume", "x.nc.journal.jsonl")),
    Row(57, "SIGTERM", a_signal(signal.SIGTERM), 143, ("go on with: eis measure --resume", "x.nc.journal.jsonl")),
    Row(58, "kill -9 in a run", a_run_that_was_killed, 0, ("CRASHED", "PASS")),
    Row(59, "two programs", an_instrument_in_use, 75, (f"process {os.getpid()}",)),
    Row(60, "interlock that stays wrong", lambda r: r.station(text=STATION + DOOR), 5, ("door: ", "ABORTED")),
    # host, store, concurrency
    Row(61, "disk full in a sweep", a_full_disk, 4, ("disk", "3 points", "the cell is off")),
    Row(62, "store that somebody holds", a_locked_store, 4, ("not stored", "locked", "\n0")),
    Row(63, "a commit that is said again", a_commit_said_twice, 0, ("1 run",)),
    Row(64, "store of a newer version", a_store_of_tomorrow, 2, ("version 99",)),
    Row(65, "works' system away",
        lambda r: r.station("outputs.webhook=http://127.0.0.1:1/", "outputs.webhook_retries=0"), 4,
        ("PASS", "not reported yet")),
)  # fmt: skip
DOOR = '[[interlocks]]\nname = "door"\nfile = "door.txt"\nequals = "closed"\ngive_up_s = 0\n'


def pickled() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return out.getvalue()


def areas(room: Room) -> Said:
    said = room.eis("check", MPT)
    for area in ("0", "113.1mm2"):
        said = replace(said + room.eis("check", MPT, "--area", area).text, code=said.code)
    return said


def test_every_row_of_the_table_is_tried_or_does_not_apply() -> None:
    assert sorted([*(row.number for row in ROWS), *NOT_HERE]) == list(range(1, 69))


@pytest.mark.usefixtures("watchdog")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.fault}")
def test_a_fault_has_its_exit_code_and_is_told_in_words(row: Row, room: Room) -> None:
    said = row.act(room)
    assert said.code == row.code, said.text
    for word in row.words:
        assert word in said.text
    assert ("Traceback" in said.text) == (row.code == 70)
