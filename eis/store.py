"""The store of a station: every record kept for good, one commit each, chained by SHA-256 so that changes show.

Usage
-----
>>> with Store.open("station.db", station="bench-3") as store:                       # doctest: +SKIP
...     store.append("verdict", run="2026-11-23T08:00:00-A1", content={"cell": "A1", "verdict": "PASS"})
...     store.verify()

A record is never changed or removed: the database itself refuses it. Each record holds the hash of the one before
it at the same station, so that a changed, removed or inserted record breaks the chain at that place:

    sha256 = SHA-256( JSON of {at, content, kind, number, previous, run, station}, keys sorted )

SQLite (write-ahead log, synchronous) is the default; any URL of SQLAlchemy names another database, such as
``postgresql+psycopg://user@host/name`` for several stations.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from eis.errors import ConfigError, StoreError
from eis.store_errors import ContradictionError, first_line, translated
from eis.store_schema import FIRST, RECORDS, is_older, prepare, searchable
from eis.store_sqlite import holds, identity_of, in_memory, sqlite_engine

MAX_CONTENT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in the store.

    Parameters
    ----------
    station, number : str, int
        The station, and the place of the record in its chain, from 1.
    run, kind : str
        The run it belongs to, and what it is, e.g. ``"verdict"``; together they are there once.
    at : str
        When it was written: UTC, ISO 8601.
    content : mapping
        Plain JSON values.
    previous, sha256 : str
        Hash of the record before it (64 zeros for the first), and its own.
    """

    station: str
    number: int
    run: str
    kind: str
    at: str
    content: Mapping[str, Any]
    previous: str
    sha256: str

    def hash(self) -> str:
        """Return what `sha256` must be."""
        parts = {name: getattr(self, name) for name in self.__slots__ if name != "sha256"}
        return hashlib.sha256(canonical(parts).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """What `Store.verify` found: the number of records, and each fault in words; none if all is intact."""

    n_records: int
    faults: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed, removed or inserted."""
        return not self.faults


def canonical(values: Mapping[str, Any]) -> str:
    """Return plain values as the one JSON text that is hashed: keys sorted, ASCII, nothing but what is needed.

    Raises
    ------
    StoreError
        If a value is no plain JSON value (NaN and infinities are none).
    """
    try:
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"A record cannot be stored: {error}",
            where="content",
            mend="Give text, finite numbers, lists, mappings.",
        ) from error


class Store:
    """An open store; use it as a context manager."""

    def __init__(self, engine: sa.Engine, station: str, where: str, file: Path | None = None) -> None:
        self._engine, self._station, self._where = engine, station, where
        self._reading = engine.execution_options(reads=True)
        self._file, self._identity = file, identity_of(file)

    @classmethod
    def open(cls, place: str | Path, *, station: str = "station", make: bool = True) -> Self:
        """Open a store, or make it; an older one is brought up to date after a copy was made.

        Parameters
        ----------
        place : str or Path
            A file of SQLite, or a URL of SQLAlchemy.
        station : str
            Whose records are appended.
        make : bool
            Whether a store is made where there is none; if not, another program's database is left alone, a file
            on a write-protected medium can be read, and one of an older version stays what it is.

        Raises
        ------
        ConfigError
            If it was written by a newer version, or the URL is none.
        StoreError
            If it cannot be opened, or is none and none is to be made.
        """
        text = str(place)
        url = text if "://" in text else f"sqlite:///{text}"
        try:
            address = sa.make_url(url)
            where = address.render_as_string(hide_password=True)
            is_sqlite = address.get_backend_name() == "sqlite"
            engine = sqlite_engine(address, only_to_read=not make) if is_sqlite else sa.create_engine(address)
        except (SQLAlchemyError, ImportError) as error:
            raise ConfigError(
                f"The store cannot be opened: {first_line(error)}",
                where="store",
                mend="Give a file name, or a URL such as postgresql+psycopg://user@host/name (pip install "
                "'interfacial-eis[station]' brings its driver).",
            ) from error
        try:
            with translated("opened", where):
                if is_sqlite and not make and is_older(engine):  # who reads changes nothing
                    engine = in_memory(engine)
                prepare(engine, make=make)
        except BaseException:
            engine.dispose()
            raise
        return cls(
            engine, station, where, Path(address.database).resolve() if is_sqlite and address.database else None
        )

    @property
    def place(self) -> str:
        """The address of the database, without its password."""
        return self._where

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, kind: str, *, run: str, content: Mapping[str, Any], at: datetime | None = None) -> Record:
        """Append one record in a commit of its own; it is on disk when this returns.

        Appending the same content under the same `run` and `kind` again changes nothing and returns what is there:
        a station that was killed while committing may simply say it again.

        Parameters
        ----------
        kind, run : str
            What it is and the run it belongs to; together they are there once.
        content : mapping
            Plain JSON values. ``cell``, ``verdict`` and ``asr_ohm_cm2`` can be searched for afterwards.
        at : datetime, optional
            When it happened; now by default.

        Raises
        ------
        StoreError
            If it cannot be written (disk full, locked, connection lost), or other content stands there already.
        """
        body = canonical(content)
        if len(body) > MAX_CONTENT_BYTES:
            raise StoreError(
                "The record is too large", where=f"{run}/{kind}", mend="Store the file, not its text."
            )
        when = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
        with self._translated("written"):
            try:
                record = self._append(kind, run, json.loads(body), when)
            except IntegrityError:  # it is there already, or another process of this station was faster
                record = self._find(kind, run) or self._append(kind, run, json.loads(body), when)
        if canonical(record.content) != body:
            raise ContradictionError(
                "Another record stands under this name, and none is ever changed",
                where=f"{self._where}: {run}/{kind}",
                mend="Give the run a name of its own.",
            )
        self._require_in_place(record)
        return record

    def _require_in_place(self, record: Record) -> None:
        """Raise `StoreError` if the file that was written to is no longer the one that stands under its name."""
        found = identity_of(self._file)
        if self._file is None or found == self._identity:
            return
        if not holds(self._file, record.station, record.number, record.sha256):
            raise StoreError(
                "The store was moved or deleted while it was open, and what is written to it is lost",
                where=self._where,
                mend="Put it back and start again; what could not be stored is stored then.",
            )
        self._identity = found

    def _append(self, kind: str, run: str, content: dict[str, Any], when: str) -> Record:
        with self._engine.begin() as connection:
            if (
                connection.dialect.name == "postgresql"
            ):  # one writer a station at a time; SQLite has but one anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(self._station))))
            last = connection.execute(
                sa.select(RECORDS.c.number, RECORDS.c.sha256)
                .where(RECORDS.c.station == self._station)
                .order_by(RECORDS.c.number.desc())
                .limit(1)
            ).first()
            number, previous = (last.number + 1, last.sha256) if last else (1, FIRST)
            unsigned = Record(self._station, number, run, kind, when, content, previous, "")
            record = Record(self._station, number, run, kind, when, content, previous, unsigned.hash())
            connection.execute(
                sa.insert(RECORDS).values(
                    station=record.station,
                    number=number,
                    run=run,
                    kind=kind,
                    at=when,
                    content=canonical(content),
                    previous=previous,
                    sha256=record.sha256,
                    **searchable(content),
                )
            )
        return record

    def _find(self, kind: str, run: str) -> Record | None:
        query = sa.select(RECORDS).where(RECORDS.c.run == run, RECORDS.c.kind == kind)
        with self._reading.connect() as connection:
            row = connection.execute(query.where(RECORDS.c.station == self._station)).first()
        return None if row is None else _record(row)

    def records(
        self,
        *,
        kind: str | None = None,
        run: str | None = None,
        cell: str | None = None,
        every_station: bool = False,
        last: int | None = None,
    ) -> Iterator[Record]:
        """Yield records in the order they were written; `last` keeps only so many of the newest.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        # a clock that was put back must not change the order at a station: the latest time until then counts
        until = sa.func.max(RECORDS.c.at).over(partition_by=RECORDS.c.station, order_by=RECORDS.c.number)
        query = sa.select(RECORDS, until.label("until"))
        for column, value in ((RECORDS.c.kind, kind), (RECORDS.c.run, run), (RECORDS.c.cell, cell)):
            query = query if value is None else query.where(column == value)
        query = query if every_station else query.where(RECORDS.c.station == self._station)
        if last is not None:
            newest = sa.text("until DESC, station DESC, number DESC")
            query = sa.select(query.order_by(newest).limit(last).subquery())
        with self._rows(query.order_by(sa.text("until, station, number"))) as rows:
            for row in rows:
                yield _record(row)

    def unfinished(self, *, begins: str, ends: str) -> tuple[str, ...]:
        """Return the runs of this station with a record of kind `begins` and none of kind `ends`: they crashed."""
        done = sa.select(RECORDS.c.run).where(RECORDS.c.kind == ends, RECORDS.c.station == self._station)
        query = (
            sa.select(RECORDS.c.run)
            .where(RECORDS.c.kind == begins, RECORDS.c.station == self._station, RECORDS.c.run.not_in(done))
            .order_by(RECORDS.c.number)
        )
        with self._translated("read"), self._reading.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def verify(self) -> Chain:
        """Compute every hash again, of every station, and compare.

        A record cut off the end leaves no trace in the chain itself: keep `Record.sha256` of the last one
        elsewhere to notice that too.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        faults: list[str] = []
        expected: dict[str, tuple[int, str]] = {}
        count = 0
        query = sa.select(RECORDS).order_by(RECORDS.c.station, RECORDS.c.number)
        with self._rows(query) as rows:
            for row in rows:
                count += 1
                if not isinstance(row.number, int):  # SQLite puts up with any type in any column
                    faults.append(f"{row.station} {row.number!r} ({row.run}/{row.kind}): it was changed")
                    continue
                place = f"{row.station} {row.number} ({row.run}/{row.kind})"
                number, previous = expected.get(row.station, (1, FIRST))
                try:
                    record = _record(row)
                    intact = record.hash() == row.sha256
                    found = {name: getattr(row, name) for name in searchable(record.content)}
                    same = found == searchable(record.content)
                except StoreError:
                    intact = same = False
                if row.number != number:
                    faults.append(f"{place}: records {number} to {row.number - 1} are missing before it")
                elif row.previous != previous:
                    faults.append(f"{place}: it does not follow the record before it")
                if not intact:
                    faults.append(f"{place}: it was changed")
                elif not same:
                    faults.append(f"{place}: what it is searched by was changed")
                expected[row.station] = row.number + 1, row.sha256
        if self._engine.dialect.name == "sqlite":  # an index that is damaged would hide records from a search
            with self._rows(sa.text("PRAGMA integrity_check")) as said:
                faults += [f"the database is damaged: {one}" for (one,) in said if one != "ok"]
        return Chain(count, tuple(faults))

    @contextlib.contextmanager
    def _rows(self, query: sa.Executable) -> Iterator[sa.CursorResult[Any]]:
        """Yield the rows of a query as they come; its cursor is closed however that ends."""
        with (
            self._translated("read"),
            self._reading.connect() as connection,
            connection.execution_options(stream_results=True).execute(query) as rows,
        ):
            yield rows

    def _translated(self, what: str) -> contextlib.AbstractContextManager[None]:
        return translated(what, self._where)


def _record(row: Any) -> Record:
    try:
        content = json.loads(row.content)
    except (ValueError, TypeError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise StoreError(
            "A record is damaged",
            where=f"{row.station} {row.number} ({row.run}/{row.kind})",
            mend="`eis verify` says which records are not what was written.",
        )
    return Record(row.station, row.number, row.run, row.kind, row.at, content, row.previous, row.sha256)
