"""SQLite as a store needs it: every commit on disk, readers beside a writer, and files that may only be read."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from eis.errors import StoreError

BUSY_S = 10.0
"""How long a locked database is waited for (s)."""
KEPT: tuple[tuple[str, str], ...] = (("journal_mode", "WAL"), ("synchronous", "FULL"), ("foreign_keys", "ON"))


def sqlite_engine(address: sa.URL, *, only_to_read: bool) -> sa.Engine:
    """Return an engine that keeps every commit through a power cut and takes the write lock at once.

    Parameters
    ----------
    address : sqlalchemy.URL
        Of a file of SQLite, or of none (in memory).
    only_to_read : bool
        Whether the file may be write-protected. SQLite writes beside a file it reads; one that cannot be written
        to is taken as it stands.

    Raises
    ------
    StoreError
        If the file is write-protected and its newest records are not in it yet.
    """
    file = Path(address.database) if address.database else None
    settings = () if only_to_read else KEPT  # who reads changes nothing
    if only_to_read and file is not None and file.is_file() and not _may_write(file):
        engine = sa.create_engine(address, creator=_reader_of(file))
    else:
        engine = sa.create_engine(address, connect_args={"timeout": BUSY_S})

    return _spoken(engine, settings)


def _spoken(engine: sa.Engine, settings: Sequence[tuple[str, str]]) -> sa.Engine:
    """Have transactions begun by us, and settings made on every connection."""

    @event.listens_for(engine, "connect")
    def opened(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # or the driver begins them, later than we want
        cursor = connection.cursor()
        for name, value in settings:
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def in_memory(engine: sa.Engine) -> sa.Engine:
    """Return an engine on a copy of a database, as it stands, which is forgotten afterwards."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    with contextlib.closing(engine.raw_connection()) as source:
        source.driver_connection.backup(copy)  # type: ignore[union-attr]
    engine.dispose()
    return _spoken(sa.create_engine("sqlite://", creator=lambda: copy, poolclass=sa.StaticPool), ())


def identity_of(file: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another under the same name; None if there is none."""
    try:
        found = os.stat(file) if file is not None else None  # noqa: PTH116
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def holds(file: Path, station: str, number: int, sha256: str) -> bool:
    """Whether the store that stands under a name now holds a record."""
    query = "SELECT sha256 FROM eis_record WHERE station = ? AND number = ?"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute(query, (station, number)).fetchone() == (sha256,))
    except sqlite3.Error:
        return False


def _may_write(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _reader_of(file: Path) -> Callable[[], sqlite3.Connection]:
    """Return how to open a file that may not be written to.

    Where nothing lies beside it, nobody has it open and it is whole as it stands. Otherwise a station writes to it
    or was cut off: its newest records are in a journal, which SQLite reads along if the journal's index is there.
    """
    journal, index = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    address = f"{file.resolve().as_uri()}?mode=ro"
    if not index.exists():
        if journal.exists() and journal.stat().st_size:
            raise StoreError(
                "The store was not closed, and its newest records cannot be read where nothing may be written",
                where=str(file),
                mend=f"Copy {file.name} and {journal.name} together to a folder of yours, and open it there.",
            )
        address += "&immutable=1"
    return lambda: sqlite3.connect(address, uri=True, timeout=BUSY_S)
