"""The station: no wrong PASS, no lost record, the cell off, whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eis
from eis import store as store_module
from eis.errors import ConfigError
from eis.interlock import Interlock
from eis.outbox import NotDeliveredError, Outbox
from eis.station import State, open_bench, run_cell
from eis.station_config import Station, load_station
from eis.store import Store
from instruments.emulated.cells import CELLS
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
Make = Callable[..., Station]


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
    monkeypatch.setattr(store_module, "BUSY_S", 0.05)
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
    assert ended(passing)[0]["state"] == "ABORTED"


def test_a_bug_of_ours_is_stored_as_an_error_and_not_hidden(
    passing: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eis.pipeline.assess", lambda *_, **__: 1 / 0)
    with open_bench(passing) as bench, pytest.raises(ZeroDivisionError):
        run_cell(bench, "A1")
    assert ended(passing)[0]["state"] == "ERROR"


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
    assert [(one["state"], one.get("cell")) for one in ended(passing)] == [("CRASHED", None), ("PASS", "A2")]


def test_the_command_measures_what_a_barcode_reader_types(passing: Station, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "eis", "run", "station.toml", "--watch", "--json"]
    said = subprocess.run(
        words,
        cwd=tmp_path,
        input="A1\n\n../x\nA2\nA3\n",
        capture_output=True,
        text=True,
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
