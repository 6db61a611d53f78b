"""The store: nothing is lost, nothing is changed unnoticed, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from eis import store as module
from eis.errors import ConfigError, StoreError
from eis.store import Store
from eis.store_schema import FIRST
from tests import postgresql

Open = Callable[..., Store]
VERDICT = {"cell": "A1", "verdict": "PASS", "asr_ohm_cm2": 2.5, "notes": ["<&>", "Ω"]}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgresql.running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that does not exist yet: a file, or an empty database of a server."""
    if request.param == "sqlite":
        return str(tmp_path / "station.db")
    url = sa.make_url(request.getfixturevalue("server"))
    name = f"eis_{next(NUMBERS)}_{os.getpid()}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


NUMBERS = itertools.count()


def tamper(place: str, statement: str) -> None:
    """Change the database behind the store's back."""
    engine = sa.create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.begin() as connection:
        postgres = connection.dialect.name == "postgresql"
        for verb in ("update", "delete"):
            connection.execute(sa.text(f"DROP TRIGGER eis_no_{verb}{' ON eis_record' * postgres}"))
        connection.execute(sa.text(statement))
    engine.dispose()


def filled(place: str, n: int = 5) -> None:
    with Store.open(place, station="bench") as store:
        for i in range(n):
            store.append(
                "verdict", run=f"run-{i}", content={**VERDICT, "cell": f"A{i % 2}", "asr_ohm_cm2": float(i)}
            )


# --- what must not happen


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE eis_record SET content = '{}' WHERE number = 3", r"bench 3 \(run-2/verdict\): it was changed"),
        ("UPDATE eis_record SET content = 'x' WHERE number = 3", r"bench 3 .*: it was changed"),
        ("UPDATE eis_record SET content = '[]' WHERE number = 3", r"bench 3 .*: it was changed"),
        ("UPDATE eis_record SET content = '{\"a\"\\:NaN}' WHERE number = 3", r"bench 3 .*: it was changed"),
        ("UPDATE eis_record SET verdict = 'FAIL' WHERE number = 3", r"bench 3 .*searched by was changed"),
        ("UPDATE eis_record SET at = '2020' WHERE number = 3", r"bench 3 .*: it was changed"),
        ("UPDATE eis_record SET sha256 = previous WHERE number = 3", r"bench 3 .*: it was changed"),
        ("DELETE FROM eis_record WHERE number = 3", r"bench 4 .*: records 3 to 3 are missing before it"),
        ("UPDATE eis_record SET previous = sha256 WHERE number = 3", r"bench 3 .*: it does not follow"),
    ],
)
def test_whatever_is_changed_behind_its_back_is_found(place: str, statement: str, words: str) -> None:
    filled(place)
    tamper(place, statement)
    with Store.open(place) as store:
        found = store.verify()
    assert not found.is_intact
    with pytest.raises(AssertionError, match=words):
        raise AssertionError("\n".join(found.faults))


@pytest.mark.parametrize("statement", ["UPDATE eis_record SET verdict = 'PASS'", "DELETE FROM eis_record"])
def test_the_database_itself_refuses_to_change_or_remove_a_record(place: str, statement: str) -> None:
    filled(place)
    engine = sa.create_engine(place if "://" in place else f"sqlite:///{place}")
    with pytest.raises(sa.exc.DBAPIError, match="never changed or removed"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def test_other_content_under_the_same_name_is_refused_and_the_same_content_is_there_once(place: str) -> None:
    with Store.open(place) as store:
        first = store.append("verdict", run="one", content=VERDICT)
        assert store.append("verdict", run="one", content=VERDICT) == first
        with pytest.raises(StoreError, match="none is ever changed"):
            store.append("verdict", run="one", content=VERDICT | {"verdict": "FAIL"})
        assert list(store.records()) == [first]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_what_is_no_plain_value_is_refused(tmp_path: Path, value: Any) -> None:
    with Store.open(tmp_path / "a.db") as store:
        with pytest.raises(StoreError, match="cannot be stored"):
            store.append("verdict", run="one", content={"value": value})
        assert list(store.records()) == []


def test_a_store_of_a_newer_version_is_refused(place: str) -> None:
    filled(place)
    tamper(place, "UPDATE eis_store SET version = 99")
    with pytest.raises(ConfigError, match=r"version 99.*newer"):
        Store.open(place)


@pytest.mark.parametrize("place", ["nonsense://", "postgresql+nodriver://host/x", "/no/such/folder/a.db"])
def test_a_store_that_cannot_be_opened_says_so(place: str) -> None:
    with pytest.raises((ConfigError, StoreError), match="cannot be opened"):
        Store.open(place)


def test_a_password_in_the_address_is_never_shown(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, StoreError)) as caught:
        Store.open(f"postgresql+psycopg://eis:secret@/x?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_a_damaged_record_is_an_error_of_ours_to_who_reads_it(place: str) -> None:
    filled(place)
    tamper(place, "UPDATE eis_record SET content = 'x' WHERE number = 3")
    with Store.open(place, station="bench") as store, pytest.raises(StoreError, match=r"damaged \(bench 3"):
        list(store.records())


def test_a_database_of_another_program_is_left_alone_where_no_store_is_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no station's store"):
        Store.open(path, make=False)
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    assert len(path.read_bytes()) == len(before)


@pytest.fixture
def protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a store of one record whose folder is write-protected, for this process at least."""
    file = tmp_path / "sealed" / "s.db"
    file.parent.mkdir()
    with Store.open(file) as store:
        store.append("verdict", run="r1", content={"cell": "A1"})
    file.chmod(0o444)
    file.parent.chmod(0o555)
    monkeypatch.setattr("eis.store_sqlite.os.access", lambda path, mode: mode != os.W_OK)  # root may write anyway
    yield file
    file.parent.chmod(0o755)
    file.chmod(0o644)


def test_a_store_on_a_write_protected_medium_is_read_and_nothing_is_put_beside_it(protected: Path) -> None:
    with Store.open(protected, make=False) as store:
        assert [record.run for record in store.records()] == ["r1"]
        assert store.verify().is_intact
        with pytest.raises(StoreError, match=r"readonly.*you may write"):
            store.append("verdict", run="r2", content={})
    assert [path.name for path in protected.parent.iterdir()] == ["s.db"]


def test_somebody_who_may_not_write_sees_the_newest_records_of_a_station_that_runs(
    protected: Path,
) -> None:
    protected.parent.chmod(0o755)
    protected.chmod(0o644)  # of the station's own process
    with Store.open(protected) as station, Store.open(protected, make=False) as reader:
        for run in ("r2", "r3"):
            station.append("verdict", run=run, content={})
            assert [record.run for record in reader.records()][-1] == run
        with pytest.raises(StoreError, match=r"readonly.*you may write"):
            reader.append("verdict", run="r4", content={})


def test_a_write_protected_store_whose_newest_records_are_beside_it_is_refused(protected: Path) -> None:
    protected.parent.chmod(0o755)
    protected.with_name("s.db-wal").write_bytes(b"records")
    with pytest.raises(StoreError, match=r"not closed.*Copy s\.db and s\.db-wal"):
        Store.open(protected, make=False)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(StoreError, match=r"cannot be opened.*not a database"):
        Store.open(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_database_another_program_holds_is_waited_for_and_then_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eis.store_sqlite.BUSY_S", 0.2)
    path = tmp_path / "a.db"
    filled(str(path))
    with (
        Store.open(path) as store,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.append("verdict", run="late", content=VERDICT)
        assert len(list(store.records(every_station=True))) == 5  # a writer does not keep readers away
        other.execute("ROLLBACK")
        assert store.append("verdict", run="late", content=VERDICT).run == "late"


def test_a_reader_that_is_not_finished_does_not_keep_the_writer_away(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    filled(str(path))
    with Store.open(path, station="bench") as store:
        reading = store.records()
        next(reading)
        with Store.open(path, station="bench") as other:
            assert other.append("verdict", run="new", content=VERDICT).number == 6
        reading.close()


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="no file size limits here")
def test_a_full_disk_is_an_error_of_ours_and_everything_before_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    filled(str(path))
    program = (
        "import resource, signal, sys\n"
        "from eis.errors import StoreError\n"
        "from eis.store import Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "with Store.open(sys.argv[1], station='bench') as store:\n"
        "    try:\n"
        "        for i in range(100):\n"
        "            store.append('raw', run=str(i), content={'text': 'x' * 20_000})\n"
        "    except StoreError as error:\n"
        "        print(i, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60)
    assert "The store cannot be written" in said.stdout, said.stderr
    written = int(said.stdout.split()[0])
    with Store.open(path, station="bench") as store:
        assert store.verify().is_intact
        assert len(list(store.records(kind="raw"))) == written > 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
@pytest.mark.parametrize("after_s", [0.0, 0.013, 0.037, 0.11])
def test_killed_at_any_instant_every_record_it_told_of_is_there_and_the_chain_is_whole(
    tmp_path: Path, after_s: float
) -> None:
    path = tmp_path / "a.db"
    program = (
        "import itertools, sys\n"
        "from eis.store import Store\n"
        "with Store.open(sys.argv[1], station='bench') as store:\n"
        "    for i in itertools.count():\n"
        "        store.append('verdict', run=str(i), content={'verdict': 'PASS'})\n"
        "        print(i, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after_s)
    process.kill()
    told = ["0", *process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    with Store.open(path, station="bench") as store:
        assert store.verify().is_intact
        kept = [record.run for record in store.records()]
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1


# --- what must happen


def test_every_record_holds_the_hash_of_the_one_before(place: str) -> None:
    filled(place)
    with Store.open(place, station="bench") as store:
        records = list(store.records())
        assert store.verify().is_intact
        assert store.verify().n_records == 5
    assert [record.number for record in records] == [1, 2, 3, 4, 5]
    assert [record.previous for record in records] == [FIRST, *(record.sha256 for record in records[:-1])]
    assert all(record.hash() == record.sha256 for record in records)


def test_records_are_found_by_cell_run_and_kind_and_the_last_ones_alone(place: str) -> None:
    filled(place)
    with Store.open(place, station="bench") as store:
        assert [record.run for record in store.records(cell="A1")] == ["run-1", "run-3"]
        assert [record.run for record in store.records(run="run-2")] == ["run-2"]
        assert [record.run for record in store.records(last=2)] == ["run-3", "run-4"]
        assert list(store.records(kind="raw")) == []
    with Store.open(place, station="elsewhere") as store:
        assert list(store.records()) == []
        assert len(list(store.records(every_station=True))) == 5


def test_stations_that_write_at_once_each_have_a_chain_without_gaps(place: str) -> None:
    def work(station: str, worker: int) -> None:
        with Store.open(place, station=station) as store:
            for i in range(5):
                store.append("verdict", run=f"{worker}-{i}", content=VERDICT)

    Store.open(place).close()
    workers = [threading.Thread(target=work, args=(f"bench-{i % 2}", i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with Store.open(place) as store:
        assert store.verify().is_intact
        assert store.verify().n_records == 20


def test_runs_that_began_and_never_ended_are_known(place: str) -> None:
    with Store.open(place) as store:
        for run in ("one", "two", "three"):
            store.append("begun", run=run, content={})
        store.append("ended", run="two", content={})
        assert store.unfinished(begins="begun", ends="ended") == ("one", "three")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=10), JSON, max_size=4))
def test_any_content_comes_back_as_it_was_and_intact(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    with Store.open(tmp_path_factory.mktemp("store") / "a.db") as store:
        store.append("verdict", run="one", content=content)
        assert next(store.records()).content == content
        assert store.verify().is_intact


def test_a_clock_that_is_put_back_does_not_change_the_order_of_records(place: str) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with Store.open(place, station="a") as one, Store.open(place, station="b") as other:
        for i, hours in enumerate((0, 1, 2, -5, -4, 3)):
            one.append("ended", run=f"a{i}", content={}, at=noon + timedelta(hours=hours))
        for i, hours in enumerate((0.5, 2.5)):
            other.append("ended", run=f"b{i}", content={}, at=noon + timedelta(hours=hours))
        assert [record.run for record in one.records()] == ["a0", "a1", "a2", "a3", "a4", "a5"]
        assert [record.run for record in one.records(last=2)] == ["a4", "a5"]
        every = [record.run for record in one.records(every_station=True)]
        assert every == ["a0", "b0", "a1", "a2", "a3", "a4", "b1", "a5"]
        assert [record.run for record in one.records(every_station=True, last=3)] == every[-3:]


@pytest.mark.parametrize("put_away", [Path.unlink, lambda path: path.rename(path.with_name("elsewhere.db"))])
def test_a_record_in_a_store_that_was_moved_or_deleted_is_not_called_stored(
    tmp_path: Path, put_away: Callable[[Path], Any]
) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.append("verdict", run="r1", content={})
        put_away(tmp_path / "s.db")
        for _ in range(2):  # saying it again does not make it so
            with pytest.raises(StoreError, match="moved or deleted"):
                store.append("verdict", run="r2", content={})


def test_a_store_that_was_copied_back_while_it_was_closed_elsewhere_goes_on(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.append("verdict", run="r1", content={})
        (tmp_path / "s.db").rename(tmp_path / "away.db")
        (tmp_path / "away.db").rename(tmp_path / "s.db")
        assert store.append("verdict", run="r2", content={}).number == 2


@pytest.mark.parametrize("damage", [lambda raw: raw[:8192], lambda raw: b"x" * 20_000])
def test_a_damaged_store_says_that_it_is_and_that_a_copy_helps(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.append("verdict", run="r1", content={})
    (tmp_path / "s.db").write_bytes(damage((tmp_path / "s.db").read_bytes()))
    with pytest.raises(StoreError, match="go back to a copy"):
        Store.open(tmp_path / "s.db")


def test_a_store_of_an_older_version_is_read_without_being_changed(tmp_path: Path) -> None:
    with Store.open(tmp_path / "new.db") as store:
        records = [store.append("ended", run=f"r{i}", content=VERDICT) for i in range(3)]
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.executescript(FIRST_VERSION + ";")
        for one in records:
            values = [one.station, one.number, one.run, one.kind, one.at, module.canonical(one.content)]
            old.execute(
                "INSERT INTO eis_record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*values, one.previous, one.sha256]
            )
        old.commit()
    before = (tmp_path / "old.db").read_bytes()
    with Store.open(tmp_path / "old.db", make=False) as store:
        assert list(store.records(cell="A1")) == records
        assert store.verify().is_intact
    assert (tmp_path / "old.db").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"new.db", "old.db"}


FIRST_VERSION = """
CREATE TABLE eis_store (version INTEGER NOT NULL);
INSERT INTO eis_store VALUES (1);
CREATE TABLE eis_record (station VARCHAR(64) NOT NULL, number INTEGER NOT NULL, run VARCHAR(200) NOT NULL,
  kind VARCHAR(64) NOT NULL, at VARCHAR(40) NOT NULL, content TEXT NOT NULL, previous VARCHAR(64) NOT NULL,
  sha256 VARCHAR(64) NOT NULL, PRIMARY KEY (station, number),
  CONSTRAINT eis_once UNIQUE (station, run, kind))
"""


def test_a_store_of_version_1_is_copied_brought_up_to_date_and_still_whole(place: str, tmp_path: Path) -> None:
    filled(str(tmp_path / "new.db"))
    with Store.open(tmp_path / "new.db", station="bench") as store:
        records = list(store.records())
    engine = sa.create_engine(place if "://" in place else f"sqlite:///{place}")
    with engine.begin() as connection:
        for statement in FIRST_VERSION.split(";"):
            connection.execute(sa.text(statement))
        for one in records:
            values = {name: getattr(one, name) for name in one.__slots__} | {
                "content": module.canonical(one.content)
            }
            connection.execute(sa.insert(sa.table("eis_record", *map(sa.column, values))), values)
    engine.dispose()
    with Store.open(place, station="bench") as store:
        assert store.verify().faults == ()
        assert list(store.records(cell="A1")) == records[1::2]
        assert store.append("verdict", run="new", content=VERDICT).number == 6
    kept = Path(f"{place}.version1")
    assert kept.exists() == ("://" not in place)
