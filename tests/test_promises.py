"""What a station and an archive promise (docs/promises.md), each at the size of an everyday run.

``EIS_FULL=1 pytest -n 0 tests/test_promises.py`` tries each as often as the page says.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from eis.errors import EisError, RejectedError
from eis.shipped import folder
from eis.station import open_bench, run_cell
from eis.station_config import Station, load_station
from eis.store import Store
from eis.verification import verify
from instruments import Potentiostat, Sweep, connect, palmsens
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.methodscript import EmulatedPotentiostat
from tests.soak import station as soak
from tests.test_limits import forged
from tests.test_station import LENIENT
from tests.test_station_config import STATION

ROOT = Path(__file__).parents[1]
FULL = bool(os.environ.get("EIS_FULL"))
SEED = int(os.environ.get("EIS_SEED", "1"))
EXAMPLES = 10_000 if FULL else 150
SWEEP = Sweep(1e5, 1e3, 5, 0.01)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def station(tmp_path: Path) -> Station:
    (tmp_path / "lenient.toml").write_text(LENIENT, encoding="utf-8")
    (tmp_path / "station.toml").write_text(STATION, encoding="utf-8")
    return load_station(tmp_path / "station.toml", flags=['check.spec="lenient.toml"'])


@pytest.fixture(scope="module")
def meter() -> Iterator[tuple[EmulatedPotentiostat, Potentiostat]]:
    device = EmulatedPotentiostat(SYMMETRIC, clock=FastClock())
    with (
        library().serve(device, "promises") as served,
        connect(served.resource, driver="palmsens", backend=served.backend) as one,
    ):
        yield device, one


# --- P4: a full disk

FULL_DISK = """
import json, resource, signal, sys
from eis.station import open_bench, run_cell
from eis.station_config import load_station
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
station = load_station(sys.argv[1], flags=['check.spec="lenient.toml"'])
ends = []
with open_bench(station) as bench:
    for number, size in enumerate(map(int, sys.argv[2:])):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        done = run_cell(bench, f"A{number}")
        ends.append([str(done.state), done.exit_code])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(json.dumps(ends))
"""


@pytest.mark.skipif(os.name != "posix", reason="no limits on the size of files here")
def test_p4_wherever_the_disk_is_full_no_cell_passes_and_all_that_was_there_can_be_read(
    station: Station, tmp_path: Path
) -> None:
    sizes = ["1", "1000", "4000", "9000", "20000", "60000"]
    words = [sys.executable, "-c", FULL_DISK, str(tmp_path / "station.toml"), *sizes]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert {code for _, code in json.loads(done.stdout)} == {4}
    with open_bench(station) as bench:
        assert run_cell(bench, "B1").exit_code == 0
    with Store.open(station.path("station.db"), station="bench-3") as store:
        assert store.verify().is_intact
    assert verify(station.path("station.db")).state == "intact"


# --- P10: what is no set-point

WRONG = st.sampled_from([math.nan, math.inf, -math.inf, 1e12, -1e12, 1e300, -1.0, 5e-324])
LEVELS = ("start_hz", "stop_hz", "amplitude_v")


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(LEVELS), WRONG, min_size=1))
def test_p10_no_set_point_that_is_none_reaches_the_instrument(
    meter: tuple[EmulatedPotentiostat, Potentiostat], wrong: dict[str, float]
) -> None:
    device, one = meter
    device.log.clear()
    with pytest.raises(RejectedError):
        one.sweep(forged(SWEEP, **wrong))
    assert device.log == []


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.floats(1e-3, 0.3) | st.floats(-100, 100) | st.floats(),
    st.floats(-5, 5) | st.floats(-100, 100) | st.floats(),
    st.floats(1e3, 1e6) | st.floats(1e-9, 1e9) | st.floats(),
)
def test_p10_whatever_is_asked_is_within_limits_or_nothing_is_sent(
    meter: tuple[EmulatedPotentiostat, Potentiostat], amplitude_v: float, dc_v: float, start_hz: float
) -> None:
    device, one = meter
    device.log.clear()
    able = one.capabilities()
    asked = forged(SWEEP, amplitude_v=amplitude_v, dc_v=dc_v, start_hz=start_hz)
    with contextlib.suppress(RejectedError), contextlib.closing(one.sweep(asked)) as points:
        next(points)
    sent = "cell_on" in device.log
    event("sent" if sent else "refused")
    levels = ((able.v_ac_rms, amplitude_v), (able.v_dc, dc_v), ((able.f_min_hz, able.f_max_hz), start_hz))
    assert sent <= all(low <= level <= high for (low, high), level in levels)


# --- P11: an instrument that stumbled


def test_p11_after_a_fault_of_the_line_the_next_question_is_answered_rightly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("ANSWER_S", 0.1), ("QUIET_S", 0.05), ("MUTE_S", 0.06), ("BACK_OFF_S", 0.0)):
        monkeypatch.setattr(palmsens, name, value)
    monkeypatch.setattr(palmsens, "predicted_point_s", lambda frequency_hz: 0.0)
    seeded = random.Random(SEED)
    truth = SYMMETRIC.impedance(1e4)
    for _ in range(1000 if FULL else 25):
        kind = seeded.choice(["truncate", "garbage", "repeat", "lose", "drop"])
        faults = Faults(lines={seeded.randrange(8, 16): kind})
        device = EmulatedPotentiostat(SYMMETRIC, clock=FastClock(), faults=faults, noise=0.0)
        with library().serve(device, "stumbles") as served:
            how: dict[str, Any] = {"driver": "palmsens", "backend": served.backend, "patience_s": 1.0}
            with pytest.raises(StumbledError), connect(served.resource, **how) as one:
                _sweep_and_stumble(one)
            assert device._lines > max(faults.lines)  # it has happened
            with connect(served.resource, **how) as one:
                assert one.identify().model
                assert one.measure_point(1e4, amplitude_v=0.01).z_ohm == pytest.approx(truth, rel=1e-5), kind
            assert not device.cell_is_on


class StumbledError(Exception):
    """Raised after a sweep, however that went."""


def _sweep_and_stumble(one: Potentiostat) -> None:
    try:
        list(one.sweep(SWEEP))
    except EisError as error:
        raise StumbledError from error
    raise StumbledError


# --- P12: a station for days


@pytest.mark.filterwarnings("default")
def test_p12_sixty_cells_with_faults_give_no_wrong_pass_lose_nothing_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANSWER_S", "QUIET_S", "MUTE_S", "BACK_OFF_S"):
        monkeypatch.setattr(palmsens, name, getattr(palmsens, name))  # put back afterwards
    soak.hasten()
    found = soak.soak(tmp_path, 1000 if FULL else 60, SEED)
    assert found.faults() == []
    assert {"PASS", "FAIL"} <= set(found.states)


# --- P13: one holder

RACE = """
import os, sys, time
from pathlib import Path
from eis.errors import BusyError
from instruments.lease import lease
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
held = refused = 0
while held < rounds:
    try:
        with lease("race", folder=folder):
            os.close(os.open(folder / "mine", os.O_CREAT | os.O_EXCL))  # there is only one of it
            time.sleep(0)
            (folder / "mine").unlink()
        held += 1
    except BusyError:
        refused += 1
print(refused)
"""


def test_p13_two_processes_never_hold_one_instrument(tmp_path: Path) -> None:
    rounds = str(1000 if FULL else 200)
    words = [sys.executable, "-c", RACE, str(tmp_path), rounds]
    racers = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in racers]
    assert [one.returncode for one in racers] == [0, 0], said
    assert not (tmp_path / "mine").exists()


# --- P16: the same again


@pytest.mark.parametrize("command", ["check", "fit"])
def test_p16_the_same_file_and_options_give_the_same_document_to_the_last_bit(
    command: str, tmp_path: Path
) -> None:
    shutil.copy(folder() / "symmetric_cell.mpt", tmp_path)
    words = {
        "check": ["--area", "1.131", "--interfaces", "2", "--kind", "symmetric"],
        "fit": ["--circuit", "L0-R0-p(R1,CPE1)-p(R2,CPE2)"],
    }[command]
    said = [
        subprocess.run(
            [sys.executable, "-m", "eis", command, "symmetric_cell.mpt", *words, "--json"],
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
            env={**ENVIRONMENT, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert json.loads(said[0])["results"][0]["file"] == "symmetric_cell.mpt"


# --- P18: whoever changes something afterwards


def test_p18_any_flipped_byte_of_a_stored_file_is_found(station: Station) -> None:
    with open_bench(station) as bench:
        done = run_cell(bench, "A1")
    store = station.path("station.db")
    assert verify(store).state == "intact"
    files = sorted((station.path("results") / done.name).iterdir())
    assert {"spectrum-1.nc", "spectrum-1.nc.journal.jsonl", "result.json"} <= {path.name for path in files}
    seeded = random.Random(SEED)
    for path in files:
        content = path.read_bytes()
        for place in seeded.sample(range(len(content)), min(len(content), 2000 if FULL else 15)):
            path.write_bytes(flipped(content, place, seeded))
            found = verify(store)
            assert (found.state, list(found.origins.values())) == ("origin changed", ["changed"]), (path, place)
        path.unlink()
        assert verify(store).state == "origin changed"
        path.write_bytes(content)
    assert verify(store).state == "intact"


def test_p18_a_flipped_byte_of_the_store_is_found_or_changes_no_record(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    with Store.open(path, station="bench") as store:
        for number in range(30):
            content = {"cell": f"A{number % 3}", "verdict": "PASS", "asr_ohm_cm2": number / 7, "notes": "x" * 99}
            store.append("ended", run=f"run-{number}", content=content)
    with closing(sqlite3.connect(path)) as whole:
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        whole.execute("PRAGMA journal_mode=DELETE")
    content, before = path.read_bytes(), seen(path)
    seeded = random.Random(SEED)
    found = 0
    for place in seeded.sample(range(len(content)), 5000 if FULL else 250):
        path.write_bytes(flipped(content, place, seeded))
        noticed = is_noticed(path)
        found += noticed
        assert noticed or seen(path) == before, place
        for left in ("station.db-wal", "station.db-shm"):
            (tmp_path / left).unlink(missing_ok=True)
    assert found > 50  # the rest are bytes that hold nothing


def flipped(content: bytes, place: int, seeded: random.Random) -> bytes:
    """Return bytes with one bit of one of them turned round."""
    return content[:place] + bytes([content[place] ^ (1 << seeded.randrange(8))]) + content[place + 1 :]


def is_noticed(path: Path) -> bool:
    """Return whether `verify` says that a store is not what was written, or cannot read it."""
    try:
        return verify(path).state != "intact"
    except EisError:
        return True


def seen(path: Path) -> list[Any]:
    """Return all that a reader finds in a store, by each way it can be searched."""
    with Store.open(path, make=False) as store:
        every = [list(store.records(every_station=True, cell=cell)) for cell in (None, "A0", "A1", "A2")]
        return [*every, list(store.records(kind="ended", every_station=True, last=5))]
