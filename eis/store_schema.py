"""The tables of the store, their versions, and the way from an older version to this one.

Version 1 had no columns to search by; version 2 has cell, verdict and area-specific resistance.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eis.errors import ConfigError, StoreError

VERSION = 2
FIRST = "0" * 64
"""What stands for the hash before the first record."""

METADATA = sa.MetaData()
ABOUT = sa.Table("eis_store", METADATA, sa.Column("version", sa.Integer, nullable=False))
RECORDS = sa.Table(
    "eis_record",
    METADATA,
    sa.Column("station", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("cell", sa.String(64)),
    sa.Column("verdict", sa.String(40)),
    sa.Column("asr_ohm_cm2", sa.Double),
    sa.UniqueConstraint("station", "run", "kind", name="eis_once"),
    sa.Index("eis_by_cell", "cell"),
)
REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER IF NOT EXISTS eis_no_{verb} BEFORE {verb} ON eis_record BEGIN "
        "SELECT RAISE(ABORT, 'records are never changed or removed'); END"
    ),
    "postgresql": (
        "CREATE OR REPLACE TRIGGER eis_no_{verb} BEFORE {verb} ON eis_record "
        "FOR EACH ROW EXECUTE FUNCTION eis_refuse()"
    ),
}
REFUSE = (
    "CREATE OR REPLACE FUNCTION eis_refuse() RETURNS trigger AS $$ BEGIN "
    "RAISE EXCEPTION 'records are never changed or removed'; END $$ LANGUAGE plpgsql"
)


def prepare(engine: sa.Engine, *, make: bool = True) -> None:
    """Make the tables, if wished, or bring those of an older version up to date; all of it or nothing.

    Raises
    ------
    ConfigError
        If the store was written by a newer version.
    StoreError
        If there are none and none are to be made.
    """
    with engine.execution_options(reads=True).connect() as connection:
        found = _version(connection)
    if found is not None and found > VERSION:
        raise ConfigError(
            f"The store has version {found}, this package knows {VERSION}",
            where=engine.url.render_as_string(hide_password=True),
            mend="Open it with the version of interfacial-eis that wrote it, or a newer one.",
        )
    if found == VERSION:
        return
    if found is None and not make:
        raise StoreError(
            "This database is no station's store",
            where=engine.url.render_as_string(hide_password=True),
            mend="Give the store of eis run; `eis config show` names it.",
        )
    if found is not None:
        _copy(engine, found)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('eis_store'))"))
        found = _version(connection)  # another process may have been faster
        if found == VERSION:
            return
        if found is None:
            METADATA.create_all(connection)
            connection.execute(sa.insert(ABOUT).values(version=VERSION))
        else:
            _from_first(connection)
            connection.execute(sa.update(ABOUT).values(version=VERSION))
        _refuse_changes(connection)


def is_older(engine: sa.Engine) -> bool:
    """Whether there is a store, of an older version than this package writes."""
    with engine.execution_options(reads=True).connect() as connection:
        found = _version(connection)
    return found is not None and found < VERSION


def searchable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a content has a column of its own: cell, verdict, and area-specific resistance (ohm cm²)."""
    asr = content.get("asr_ohm_cm2")
    return {
        "cell": content["cell"] if isinstance(content.get("cell"), str) else None,
        "verdict": content["verdict"] if isinstance(content.get("verdict"), str) else None,
        "asr_ohm_cm2": float(asr) if isinstance(asr, (int, float)) and not isinstance(asr, bool) else None,
    }


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table(ABOUT.name):
        return None
    version = connection.execute(sa.select(ABOUT.c.version)).scalar()
    if not isinstance(version, int) or version < 1:
        raise StoreError(
            f"The store says its version is {version!r}",
            where=connection.engine.url.render_as_string(hide_password=True),
            mend="It is damaged; go back to a copy.",
        )
    return version


def _from_first(connection: sa.Connection) -> None:
    """Version 1 to 2: columns to search by, filled from the contents."""
    for verb in ("UPDATE", "DELETE"):
        on = " ON eis_record" if connection.dialect.name == "postgresql" else ""
        connection.execute(sa.text(f"DROP TRIGGER IF EXISTS eis_no_{verb.lower()}{on}"))
    types = {"cell": "VARCHAR(64)", "verdict": "VARCHAR(40)", "asr_ohm_cm2": "DOUBLE PRECISION"}
    for name, kind in types.items():
        connection.execute(sa.text(f"ALTER TABLE eis_record ADD COLUMN {name} {kind}"))
    connection.execute(sa.text("CREATE INDEX eis_by_cell ON eis_record (cell)"))
    old = connection.execute(sa.select(RECORDS.c.station, RECORDS.c.number, RECORDS.c.content)).all()
    for station, number, content in old:
        values: dict[str, Any] = searchable(json.loads(content))
        here = (RECORDS.c.station == station) & (RECORDS.c.number == number)
        connection.execute(sa.update(RECORDS).where(here).values(**values))


def _refuse_changes(connection: sa.Connection) -> None:
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(sa.text(REFUSE))
    for verb in ("UPDATE", "DELETE"):
        if dialect in REFUSALS:
            connection.execute(
                sa.text(REFUSALS[dialect].format(verb=verb).replace(f"no_{verb}", f"no_{verb.lower()}"))
            )


def _copy(engine: sa.Engine, version: int) -> None:
    """Copy a store of SQLite beside itself before it is changed; a server has its own ways to keep copies."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return
    copy = Path(f"{name}.version{version}")
    with (
        contextlib.closing(sqlite3.connect(name)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
