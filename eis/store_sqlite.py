"""SQLite as a store needs it: every commit on disk, readers beside a writer, and files that may only be read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
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
    settings = KEPT
    if only_to_read and file is not None and file.is_file() and not _may_write(file):
        engine, settings = sa.create_engine(address, creator=_reader_of(file)), ()
    else:
        engine = sa.create_engine(address, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def opened(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us, below
        cursor = connection.cursor()
        for name, value in settings:
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _may_write(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _reader_of(file: Path) -> Callable[[], sqlite3.Connection]:
    """Return how to open a file that nobody can change."""
    journal = file.with_name(file.name + "-wal")
    if journal.exists() and journal.stat().st_size:
        raise StoreError(
            "The store was not closed, and its newest records cannot be read where nothing may be written",
            where=str(file),
            mend=f"Copy {file.name} and {journal.name} together to a folder of yours, and open it there.",
        )
    address = f"{file.resolve().as_uri()}?immutable=1"
    return lambda: sqlite3.connect(address, uri=True)
