"""What goes wrong with a store, in words that say what helps."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from eis.errors import StoreError

MENDS = {
    "not a database": "It is damaged: move it away and go back to a copy of it; results stay in their folder.",
    "malformed": "It is damaged: move it away and go back to a copy of it; results stay in their folder.",
    "readonly": "Check that its folder is there and that you may write to both, or copy the store elsewhere.",
    "unable to": "Check that its folder is there and that you may write to both, or copy the store elsewhere.",
}
"""What helps, by what SQLite says."""


class ContradictionError(StoreError):
    """Other content is to be stored under a name that is taken; trying again would not help."""


@contextlib.contextmanager
def translated(what: str, where: str) -> Iterator[None]:
    """Turn what a database raises into a StoreError: the store at `where` cannot be `what`."""
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        reason = first_line(error.orig if isinstance(error, DBAPIError) else error)
        other = "Free space on the disk, close what holds the database, or check its address; then go on."
        mend = next((mend for words, mend in MENDS.items() if words in reason), other)
        raise StoreError(f"The store cannot be {what}: {reason}", where=where, mend=mend) from error


def first_line(error: object) -> str:
    """Return the first line of what an error says, without its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
