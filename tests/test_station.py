"""The station: no wrong PASS, no lost record, the cell off, whatever goes wrong."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eis
from eis.errors import BusyError, ConfigError, EisError, StoreError
from eis.interlock import Interlock
from eis.outbox import NotDeliveredError, Outbox
from eis.station import State, open_bench, run_cell
from eis.station_config import Station, load_station
from eis.store import Store
from instruments.emulated.cells import CELLS, SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.lcr import EmulatedLcr
from instruments.emulated.methodscript import EmulatedPotentiostat
from tests.test_station_config import STATION

LENIENT = """
name = "lenient"
title = "A limit any cell meets"
[limit]
text = "100 Ω·cm²"
value = 100.0
readings = ["asr"]
[source]
title = "a test"
evidence = "made up"
"""
AT_REST = replace(SYMMETRIC, ocv_v=0.4)
Make = Callable[..., Station]


class Killed(BaseException):
    """Stands for a kill -9 at one instant: nothing that handles errors sees it."""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def station(*flags: str, text: str = STATION) -> Station:
        (tmp_path / "lenient.toml").write_text(LENIENT, encoding="utf-8")
        (tmp_path / "station.toml").write_text(text, encoding="utf-8")
        return load_station(tmp_path / "station.toml", flags=flags)

    return station


@pytest.fixture
def passing(make: Make) -> Station:
    return make('check.spec="lenient.toml"')


def ended(station: Station) -> list[dict[str, Any]]:
    with Store.open(station.path(station.config.store), station=station.config.station) as store:
        assert store.verify().is_intact
        return [dict(record.content) for record in store.records(kind="ended")]


# --- what must not happen


@pytest.mark.parametrize("bad", ["", "a/b", "..", "a\nb", "\u202ea", "x" * 65, "-a", "ä"])
def test_an_id_that_could_leave_its_folder_is_refused_before_anything_begins(passing: Station, bad: str) -> None:
    with open_bench(passing) as bench, pytest.raises(ConfigError, match="no cell id"):
        run_cell(bench, bad)
    assert ended(passing) == []


def test_a_store_that_cannot_be_written_makes_no_pass_and_nothing_is_lost(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eis.store_sqlite.BUSY_S", 0.05)
    with open_bench(passing) as bench:
        with closing(sqlite3.connect(passing.path("station.db"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            done = run_cell(bench, "A1")
            other.execute("ROLLBACK")
        assert (done.state, done.exit_code) == (State.PASS, 4)
        assert any("not stored" in problem for problem in done.problems)
    assert ended(passing) == []
    with open_bench(passing):
        pass
    assert [(one["cell"], one["state"]) for one in ended(passing)] == [("A1", "PASS")]
    assert Outbox(passing.path("results") / "unstored").waiting() == ()


def test_a_store_that_somebody_deletes_makes_no_pass_and_the_next_start_stores_what_it_lost(
    passing: Station,
) -> None:
    told: list[str] = []
    with open_bench(passing) as bench:
        assert run_cell(bench, "A1").exit_code == 0
        for file in passing.folder.glob("station.db*"):
            file.unlink()
        done = run_cell(bench, "A2")
    assert (done.state, done.exit_code) == (State.PASS, 4)
    with open_bench(passing, on_notice=told.append):
        pass
    assert [(one["cell"], one["state"]) for one in ended(passing)] == [("A2", "PASS")]
    assert "there was no store" in told[0]


def test_a_record_that_can_never_be_stored_does_not_keep_those_behind_it(passing: Station) -> None:
    told: list[str] = []
    with open_bench(passing, on_notice=told.append) as bench:
        name = run_cell(bench, "A1").name
        box = Outbox(bench.folder / "unstored")
        at = "2026-01-01T00:00:00+00:00"
        for message in (
            {"run": "half a record"},
            {"kind": "ended", "run": name, "at": at, "content": {"cell": "A0"}},
        ):
            box.put(message)
        box.put({"kind": "ended", "run": "earlier", "at": at, "content": {"cell": "A0", "state": "PASS"}})
        run_cell(bench, "A2")
    assert sorted(one["cell"] for one in ended(passing)) == ["A0", "A1", "A2"]
    assert len([text for text in told if "set aside" in text]) == 2
    assert [path.suffix for path in box.folder.iterdir()] == [".refused"] * 2


def test_two_folders_may_not_run_one_station_on_one_store(make: Make) -> None:
    first, second = make("outputs.folder=a"), make("outputs.folder=b")
    with (
        open_bench(first),
        pytest.raises(BusyError, match="Another process runs this station"),
        open_bench(second),
    ):
        pass
    with open_bench(first), open_bench(make("outputs.folder=b", "station=bench-4")):
        pass


@pytest.mark.parametrize("lost", [1, 60, 150])
def test_a_row_that_was_cut_off_leaves_the_table_whole(passing: Station, lost: int) -> None:
    table = passing.path("results") / "results.csv"
    with open_bench(passing) as bench:
        for cell in ("A1", "A2"):
            run_cell(bench, cell)
        table.write_bytes(table.read_bytes()[:-lost])
        run_cell(bench, "A3")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {12}
    assert [row[3] for row in rows[1:]] == (["A1", "A2", "A3"] if lost == 1 else ["A1", "A3"])


def test_an_end_that_could_not_be_stored_is_not_taken_for_a_crash(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Store.append

    def full(self: Store, kind: str, **words: Any) -> Any:
        if kind == "ended":
            raise StoreError("The store cannot be written: disk full", where="here", mend="Free some space.")
        return append(self, kind, **words)

    with open_bench(passing) as bench:
        monkeypatch.setattr(Store, "append", full)
        done = run_cell(bench, "A1")
        monkeypatch.setattr(Store, "append", append)
        assert (done.state, done.exit_code) == (State.PASS, 4)
        run_cell(bench, "A2")  # the next run stores what the last one could not
    assert [(one["cell"], one["state"]) for one in ended(passing)] == [("A1", "PASS"), ("A2", "PASS")]
    assert Outbox(passing.path("results") / "unstored").waiting() == ()


def test_a_kill_between_the_message_and_the_record_loses_neither(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    append = Store.append

    def killed(self: Store, kind: str, **words: Any) -> Any:
        if kind == "ended":
            raise Killed
        return append(self, kind, **words)

    with open_bench(passing, report=got.append) as bench, monkeypatch.context() as patch:
        patch.setattr(Store, "append", killed)
        with pytest.raises(Killed):
            run_cell(bench, "A1")
    assert got == []
    with open_bench(passing, report=got.append):
        pass
    assert [(one["cell"], one["state"]) for one in ended(passing)] == [("A1", "PASS")]
    assert [(one["cell"], one["state"]) for one in got] == [("A1", "PASS")]


def test_a_crash_is_reported_too(passing: Station) -> None:
    got: list[Any] = []
    with Store.open(passing.path("station.db"), station="bench-3") as store:
        store.append("begun", run="A1-earlier", content={"cell": "A1"})
    with open_bench(passing, report=got.append):
        pass
    assert [(one["run"], one["cell"], one["state"]) for one in got] == [("A1-earlier", "A1", "CRASHED")]


def test_a_second_process_at_the_same_station_is_told_who_runs_it(passing: Station) -> None:
    with (
        open_bench(passing) as bench,
        pytest.raises(BusyError, match=f"Another process runs this station: process {os.getpid()}"),
        open_bench(passing),
    ):
        run_cell(bench, "never")
    assert ended(passing) == []


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("check.element=R9", "no 'R9'"),
        ("driver=abacus", "no 'abacus'"),
        ("sweep.start_hz=0.001", "start_hz"),
        ("circuit=R0-p(R1", "never closed"),
        ("check.spec=none.toml", "none.toml"),
    ],
)
def test_what_can_be_known_to_be_wrong_is_told_before_the_first_cell(make: Make, flag: str, words: str) -> None:
    with pytest.raises(EisError, match=re.escape(words)) as caught, open_bench(make(flag)):
        pass
    assert caught.value.exit_code == 2


def test_a_page_that_cannot_be_drawn_does_not_cost_the_verdict(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eis.station_outputs.render_junit", lambda *_, **__: 1 / 0)
    with open_bench(passing) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code) == (State.PASS, 4)
    assert ended(passing)[0]["state"] == "PASS"


def test_a_works_system_that_does_not_answer_makes_no_exit_code_zero_and_gets_it_later(passing: Station) -> None:
    got: list[Any] = []

    def away(message: Any) -> None:
        raise NotDeliveredError("nobody is there")

    with open_bench(passing, report=away) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code) == (State.PASS, 4)
    assert "not reported yet: nobody is there" in done.problems[0]
    with open_bench(passing, report=got.append) as bench:
        assert run_cell(bench, "A2").exit_code == 0
    assert [message["cell"] for message in got] == ["A1", "A2"]


def test_a_full_disk_ends_the_run_as_an_error_with_the_points_so_far_kept(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise eis.errors.StoreError(
            "The file cannot be written: No space left", where=str(path), mend="Free some."
        )

    monkeypatch.setattr("eis.pipeline.write_text", full)
    with open_bench(passing) as bench:
        done = run_cell(bench, "A1")
    assert done.exit_code == 4
    assert "outputs are not complete" in done.problems[0]
    assert ended(passing)[0]["state"] == "PASS"
    assert (passing.path("results") / done.name / "spectrum-1.nc.journal.jsonl").exists()


def test_an_interlock_that_stays_wrong_aborts_and_the_cell_was_never_on(passing: Station) -> None:
    points: list[Any] = []
    door = Interlock("door", lambda: "open", give_up_s=0.0)
    with open_bench(passing, interlocks=[door], on_point=points.append) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code, points) == (State.ABORTED, 5, [])
    assert "door: open" in done.because


def test_data_that_cannot_be_trusted_are_measured_again_and_every_attempt_is_kept(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CELLS, "drifting-cell", replace(CELLS["drifting-cell"], drift_per_hour=20.0))
    station = make("resource=sim::drifting-cell", "sweep.stop_hz=0.1", 'check.spec="lenient.toml"')
    with open_bench(station) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code, len(done.attempts)) == (State.INDETERMINATE, 3, 2)
    with Store.open(station.path("station.db"), station="bench-3") as store:
        kinds = [record.kind for record in store.records()]
    assert kinds == ["begun", "attempt-1", "attempt-2", "ended"]
    assert sorted(path.name for path in (station.path("results") / done.name).glob("*.nc")) == [
        "spectrum-1.nc",
        "spectrum-2.nc",
    ]


def test_an_instrument_that_is_not_there_is_an_error_and_the_next_cell_goes_on(make: Make) -> None:
    station = make("resource=sim::nothing", 'check.spec="lenient.toml"')
    with open_bench(station) as bench:
        states = [run_cell(bench, one).state for one in ("A1", "A2")]
    assert states == [State.ERROR, State.ERROR]
    assert len(ended(station)) == 2


def test_ctrl_c_in_a_sweep_is_stored_as_aborted_and_goes_on_to_the_caller(passing: Station) -> None:
    def interrupt(point: Any) -> None:
        raise KeyboardInterrupt

    with open_bench(passing, on_point=interrupt) as bench, pytest.raises(KeyboardInterrupt):
        run_cell(bench, "A1")
    assert (ended(passing)[0]["state"], ended(passing)[0]["because"]) == ("ABORTED", "ended by Ctrl-C")


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def ends_by(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


@pytest.fixture(params=SIGNALS)
def asked(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """Yield a signal that ends this process with an exception, as it does the command."""
    before = signal.signal(request.param, ends_by)
    yield request.param
    signal.signal(request.param, before)


@pytest.mark.parametrize("kind", ["begun", "attempt-1", "ended"])
def test_a_signal_while_a_record_is_written_is_heeded_once_the_run_has_its_end(
    passing: Station, monkeypatch: pytest.MonkeyPatch, asked: signal.Signals, kind: str
) -> None:
    append = Store._append

    def interrupted(self: Store, written: str, *words: Any) -> Any:
        record = append(self, written, *words)
        for _ in range(3 * (written == kind)):  # an impatient person
            signal.raise_signal(asked)
        return record

    monkeypatch.setattr(Store, "_append", interrupted)
    with open_bench(passing) as bench, pytest.raises(SystemExit) as left:
        run_cell(bench, "A1")
    assert left.value.code == 128 + asked
    assert [one["state"] for one in ended(passing)] == ["ABORTED" if kind == "begun" else "PASS"]
    assert signal.getsignal(asked) is ends_by


@pytest.mark.parametrize("state", ["measuring, attempt 1", "judging", "storing"])
def test_a_signal_at_any_step_leaves_the_end_of_the_run_in_the_store(
    passing: Station, asked: signal.Signals, state: str
) -> None:
    told: list[Any] = []

    def interrupt(run: str, at: str) -> None:
        if at == state:
            signal.raise_signal(asked)

    with open_bench(passing, on_state=interrupt, report=told.append) as bench, pytest.raises(SystemExit):
        run_cell(bench, "A1")
    (end,) = ended(passing)
    measuring = state.startswith("measuring")
    assert end["state"] == ("ABORTED" if measuring else "PASS")  # what was measured is judged
    assert not measuring or asked.name in end["because"]
    assert [one["state"] for one in told] == (["ABORTED"] if measuring else [])
    with open_bench(passing, report=told.append):
        pass
    assert [one["state"] for one in told] == [end["state"]]


def test_a_signal_that_python_lost_is_heeded_before_the_run_counts_as_measured(
    passing: Station, monkeypatch: pytest.MonkeyPatch, asked: signal.Signals
) -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(asked)  # what is raised here is only printed

    monkeypatch.setattr("sys.unraisablehook", lambda lost: None)
    with open_bench(passing, on_state=lambda run, state: Dying() and None) as bench, pytest.raises(SystemExit):
        run_cell(bench, "A1")
    assert [one["state"] for one in ended(passing)] == ["ABORTED"]


def test_somebody_who_insists_is_not_kept_waiting(
    passing: Station, monkeypatch: pytest.MonkeyPatch, asked: signal.Signals
) -> None:
    def stuck(*_: Any, **__: Any) -> None:
        signal.raise_signal(asked)
        monkeypatch.setattr("eis.held_signals.INSIST_S", -1.0)
        signal.raise_signal(asked)

    monkeypatch.setattr("eis.station.write_outputs", stuck)
    with open_bench(passing) as bench, pytest.raises(SystemExit):
        run_cell(bench, "A1")
    assert ended(passing) == []
    with open_bench(passing):
        pass
    assert [one["state"] for one in ended(passing)] == ["CRASHED"]


def test_a_bug_of_ours_is_stored_as_an_error_and_not_hidden(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eis.pipeline.assess", lambda *_, **__: 1 / 0)
    with open_bench(passing) as bench, pytest.raises(ZeroDivisionError):
        run_cell(bench, "A1")
    assert ended(passing)[0]["state"] == "ERROR"
    assert "ZeroDivisionError" in ended(passing)[0]["traceback"]


# --- what must happen


def test_a_cell_that_meets_its_limit_is_a_pass_that_is_stored_with_the_hashes_of_its_files(
    passing: Station,
) -> None:
    states: list[str] = []
    with open_bench(passing, on_state=lambda run, state: states.append(state)) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code, done.problems) == (State.PASS, 0, ())
    stored = ended(passing)[0]
    assert stored["asr_ohm_cm2"] == pytest.approx(10.0, rel=0.05)  # what the emulated cell has
    folder = passing.path("results") / done.name
    assert set(stored["files_sha256"]) == {path.name for path in folder.iterdir()}
    assert states == ["measuring, attempt 1", "judging", "storing", "PASS"]
    assert (passing.path("results") / "results.csv").read_text("utf-8").count("\n") == 2


def test_a_sweep_that_an_interlock_interrupts_gives_the_spectrum_it_would_have_given(passing: Station) -> None:
    seen: list[float] = []
    states: list[str] = []

    def door() -> str:
        return "open" if len(seen) == 12 and states[-1].startswith("measuring") else ""

    with open_bench(
        passing,
        interlocks=[Interlock("door", door, steady_s=0.0)],
        on_point=lambda point: seen.append(point.frequency_hz),
        on_state=lambda run, state: states.append(state),
    ) as bench:
        done = run_cell(bench, "A1")
    assert (done.state, done.exit_code) == (State.PASS, 0)
    assert "paused: door: open" in states
    assert len(seen) == len(set(seen))  # no point is measured twice, none is missing
    spectrum = done.attempts[0].spectrum
    np.testing.assert_allclose(np.sort(seen), np.sort(spectrum.frequency_hz))
    assert spectrum.frequency_hz.size == 31


@pytest.mark.parametrize(
    ("device", "driver", "flags", "options"),
    [
        (EmulatedPotentiostat(AT_REST, clock=FastClock()), "palmsens", ["sweep.hold_ocv=true"], {}),
        (
            EmulatedLcr(SYMMETRIC),
            "lcr",
            ["preparation.repeat_decades=0", "sweep.stop_hz=1e3"],
            {"cell": "symmetric"},
        ),
    ],
    ids=["held at its open-circuit voltage", "planned point by point"],
)
def test_a_sweep_that_was_planned_at_the_cell_goes_on_as_planned_after_a_pause(
    device: Any, driver: str, flags: list[str], options: dict[str, Any], make: Make, serve: Any
) -> None:
    served = serve(device)
    station = make('check.spec="lenient.toml"', f"resource={served.resource}", f"driver={driver}", *flags)
    waits = iter([False] * 9 + [True])
    door = Interlock("door", lambda: "open" if next(waits, False) else "", steady_s=0.0)
    seen: list[float] = []
    with open_bench(
        station,
        interlocks=[door],
        on_point=lambda point: seen.append(point.frequency_hz),
        backend=served.backend,
        **options,
    ) as bench:
        done = run_cell(bench, "A1")
    assert done.error_code == ""
    spectrum = done.attempts[0].spectrum
    assert len(seen) == spectrum.data["frequency"].size
    assert spectrum.metadata["journal"]["status"] == "completed"
    assert next(waits, None) is None


def test_what_is_not_as_usual_while_measuring_is_told(make: Make, serve: Any) -> None:
    served = serve(EmulatedPotentiostat(SYMMETRIC, clock=FastClock()))
    station = make('check.spec="lenient.toml"', f"resource={served.resource}", "driver=palmsens", "guardian=true")
    told: list[str] = []
    with open_bench(station, on_notice=told.append, backend=served.backend) as bench:
        run_cell(bench, "A1")
    assert any("guardian" in text or "kill" in text for text in told)


def test_outputs_that_are_not_wanted_are_not_written(make: Make) -> None:
    station = make('check.spec="lenient.toml"', "outputs.junit=false", "outputs.csv=false")
    with open_bench(station) as bench:
        done = run_cell(bench, "A1")
    names = {path.name for path in (station.path("results") / done.name).iterdir()}
    assert {"junit.xml", "report.html"} & names == set()
    assert not (station.path("results") / "results.csv").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_run_that_was_killed_is_listed_as_crashed_by_the_next_start(passing: Station, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from eis.station import open_bench, run_cell\n"
        "from eis.station_config import load_station\n"
        "station = load_station(sys.argv[1])\n"
        "with open_bench(station, on_point=lambda point: os.kill(os.getpid(), signal.SIGKILL)) as bench:\n"
        "    run_cell(bench, 'A1')\n"
    )
    ended_by = subprocess.run([sys.executable, "-c", program, tmp_path / "station.toml"], timeout=60)
    assert ended_by.returncode == -signal.SIGKILL
    with open_bench(passing) as bench:
        assert run_cell(bench, "A2").exit_code == 0
    assert [(one["state"], one.get("cell")) for one in ended(passing)] == [("CRASHED", "A1"), ("PASS", "A2")]


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM here")
def test_a_command_that_is_asked_to_end_prints_the_cells_it_measured(passing: Station, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "eis", "run", "station.toml", "--watch", "--json"]
    words += ["--set", "check.spec=lenient.toml"]
    environment = {**os.environ, "PYTHONPATH": str(Path(eis.__file__).parents[1])}
    with subprocess.Popen(
        words, cwd=tmp_path, stdin=-1, stdout=-1, stderr=-1, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("A1\n")
        process.stdin.flush()
        while not process.stderr.readline().endswith(": PASS\n"):
            assert process.poll() is None
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert [one["state"] for one in json.loads(said)["results"]] == ["PASS"]


def test_the_command_measures_what_a_barcode_reader_types(passing: Station, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "eis", "run", "station.toml", "--watch", "--json"]
    said = subprocess.run(
        words,
        cwd=tmp_path,
        input="\ufeffA1\n\n../x\nA2\nA3\n",
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env={
            **os.environ,
            "EIS_STATION__CHECK__SPEC": "lenient.toml",
            "PYTHONPATH": str(Path(eis.__file__).parents[1]),
        },
    )
    results = json.loads(said.stdout)["results"]
    assert [(one["cell_id"], one.get("state")) for one in results] == [
        ("A1", "PASS"),
        ("../x", None),
        ("A2", "PASS"),
        ("A3", "PASS"),
    ]
    assert said.returncode == 2  # one id was none
    assert "no cell id" in said.stderr
