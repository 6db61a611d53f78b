"""Which column of a table holds what, as the user says it where the headings do not.

Usage
    ``eis.read("odd.csv", columns={"frequency": "f (Hz)", "real": 3, "imag": "-X"})``, or on the command line
    ``--columns "frequency=f (Hz),real=3,imag=-X"``.
Layout
    A quantity of `QUANTITIES` and a column: its heading, or its number from 1. A minus before it says that the
    column holds the negative. A unit may follow after ``@``: ``real=3@mohm``, ``frequency=f@kHz``.
Units and sign
    Without a unit, that of the heading is taken, and without one there Hz, ohm, S, s or °C. A heading that begins
    with a minus of its own is named with it, and then holds the negative.
Uncertainty
    None.
Known variants
    None.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eis.errors import ConfigError, ReadError
from eis.readers.cells import shorten
from eis.readers.headings import TEMPERATURE_UNITS, Heading, Quantity, stated_unit, unit_scale, unquoted
from eis.readers.source import Source

QUANTITIES: dict[str, tuple[Quantity, str | None]] = {
    "frequency": ("frequency", None),
    "real": ("real", None),
    "imag": ("imag", None),
    "magnitude": ("magnitude", None),
    "phase_deg": ("phase", "deg"),
    "phase_rad": ("phase", "rad"),
    "admittance_real": ("admittance_real", None),
    "admittance_imag": ("admittance_imag", None),
    "time": ("time", None),
    "cycle": ("cycle", None),
    "temperature": ("temperature", None),
}
"""The words of a column map: what they mean, and the unit they fix."""

MOST_COLUMNS = 1000
_WAYS = ({"real", "imag"}, {"magnitude", "phase_deg"}, {"magnitude", "phase_rad"})
_WAYS_ALL = (*_WAYS, {"admittance_real", "admittance_imag"})
_TURNABLE = frozenset({"real", "imag", "phase_deg", "phase_rad", "admittance_real", "admittance_imag"})
_ENTRY = re.compile(r",\s*(?=[A-Za-z_]+\s*=)")
_LONGEST = 2000
_LIKE = "columns={'frequency': 'f (Hz)', 'real': 3, 'imag': '-X'}, or frequency=f (Hz),real=3,imag=-X"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one quantity stands.

    Parameters
    ----------
    name : str
        A word of `QUANTITIES`.
    column : str or int
        The heading, with the minus it was given with; or the number (from 1).
    negative : bool
        Whether the column holds the negative.
    unit : str, optional
        Its unit, if the user said it.
    """

    name: str
    column: str | int
    negative: bool
    unit: str | None

    def heading(self, text: str) -> Heading:
        """Return what the column with that heading holds."""
        quantity, unit = QUANTITIES[self.name]
        own = stated_unit(text)
        return Heading(text.strip(), quantity, self.unit or unit or own, self.negative)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column holds what; made by `parse`.

    Parameters
    ----------
    entries : tuple of Entry
        One per quantity.
    """

    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        texts = []
        for entry in self.entries:
            number = (
                f"{'-' if entry.negative else ''}{entry.column}" if isinstance(entry.column, int) else entry.column
            )
            texts.append(f"{entry.name}={number}" + (f"@{entry.unit}" if entry.unit else ""))
        return ",".join(texts)

    def not_found(self, source: Source, rows: Sequence[Sequence[str]]) -> ReadError:
        """Return the error that says which rows were seen and what was looked for."""
        seen = max(rows, key=lambda row: len(row) - sum(map(_numeric, row)), default=[])
        return source.fail(
            f"No line has the columns {shorten(str(self), 200)}; the headings seem to be "
            f"{shorten(', '.join(seen), 200)}",
            mend="Name each column by its heading as it is printed, or by its number, counted from 1.",
        )


def parse(given: Mapping[str, str | int] | str) -> ColumnMap:
    """Read a column map.

    Parameters
    ----------
    given : mapping or str
        Quantity to column, or the same as text, e.g. ``"frequency=f (Hz),real=3,imag=-X"``.

    Returns
    -------
    ColumnMap
        Frequency and one pair that an impedance follows from, and perhaps time, cycle, temperature.

    Raises
    ------
    ConfigError
        If a quantity is unknown, missing or double, or a column or its unit is not one.
    """
    if isinstance(given, str):
        pairs = _pairs(given)
    elif isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users pass anything
        pairs = list(given.items())
    else:
        raise _wrong(f"A column map is a mapping or text, not {type(given).__name__}")
    entries: dict[str, Entry] = {}
    for name, column in pairs:
        word = str(name).strip().lower()
        if word not in QUANTITIES:
            raise _wrong(f"{shorten(str(name))} is no quantity; they are {', '.join(QUANTITIES)}")
        if word in entries:
            raise _wrong(f"{word} is named twice")
        entries[word] = _entry(word, column)
    found = entries.keys()
    ways = [way for way in _WAYS_ALL if way <= found]
    if (
        "frequency" not in found
        or len(ways) != 1
        or found - ways[0] - {"frequency", "time", "cycle", "temperature"}
    ):
        raise _wrong(
            "A column map names the frequency and one pair of real and imag, magnitude and phase_deg or "
            "phase_rad, "
            f"admittance_real and admittance_imag; it names {', '.join(found) or 'nothing'}"
        )
    columns = [
        (entry.column if isinstance(entry.column, int) else entry.column.lstrip("-")) for entry in entries.values()
    ]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise _wrong(f"The column {twice!r} is named for two quantities")
    return ColumnMap(tuple(entries.values()))


def applied(
    columns: ColumnMap, cells: Sequence[str], above: Sequence[str], is_value: Callable[[str], bool]
) -> tuple[list[Heading], bool] | None:
    """Return the headings of a table if a line of it has the columns.

    Parameters
    ----------
    columns : ColumnMap
        What is looked for.
    cells : sequence of str
        The cells of a line.
    above : sequence of str
        Those of the line above, which may hold the headings of columns named by number.
    is_value : callable
        Whether a cell is a number.

    Returns
    -------
    tuple of (list of Heading, bool) or None
        The headings, and whether the line is a row already; None if it is not the line.
    """
    texts = [unquoted(cell) for cell in cells]
    by_number = [entry.column for entry in columns.entries if isinstance(entry.column, int)]
    if by_number and max(by_number) > len(texts):
        return None
    is_row = len(by_number) == len(columns.entries)
    if is_row and not all(is_value(texts[number - 1]) for number in by_number):
        return None
    names = texts
    if is_row:
        named = len(above) == len(texts) and not any(is_value(above[number - 1]) for number in by_number)
        names = [unquoted(cell) for cell in above] if named else [f"column {n + 1}" for n in range(len(texts))]
    headings = [Heading(name) for name in names]
    for entry in columns.entries:
        at = _found(entry, texts)
        if at is None:
            return None
        headings[at] = entry.heading(names[at])
    return headings, is_row


def _found(entry: Entry, texts: Sequence[str]) -> int | None:
    """Return the place of a column by its number or heading; None if it is not there, or there twice."""
    if isinstance(entry.column, int):
        return entry.column - 1
    for name in (entry.column, entry.column.removeprefix("-").strip()):
        places = [at for at, text in enumerate(texts) if text == name]
        if places:
            return places[0] if len(places) == 1 else None
    return None


def _pairs(text: str) -> list[tuple[str, str | int]]:
    if len(text) > _LONGEST:
        raise _wrong(f"The column map has {len(text)} characters, more than {_LONGEST}")
    pairs: list[tuple[str, str | int]] = []
    for part in _ENTRY.split(text):
        name, sign, column = part.partition("=")
        if not sign:
            raise _wrong(f"Expected quantity=column, found {shorten(part)}")
        pairs.append((name, column))
    return pairs


def _entry(name: str, column: object) -> Entry:
    if isinstance(column, bool) or not isinstance(column, (str, int)):
        raise _wrong(f"The column of {name} is {shorten(repr(column))}, neither a heading nor a number")
    text = str(column).strip()
    unit = None
    body, at, last = text.rpartition("@")
    if at and _is_unit(name, last.strip()):
        text, unit = body.strip(), last.strip()
    elif at:
        raise _wrong(f"{shorten(last.strip())} is no unit of {name}")
    negative = text.startswith("-")
    bare = text[1:].strip() if negative else text
    if not bare:
        raise _wrong(f"No column is named for {name}")
    if negative and name not in _TURNABLE:
        raise _wrong(f"A minus before the column of {name} makes no sense")
    if not (bare.isascii() and bare.isdecimal()):
        return Entry(name, text, negative, unit)
    number = int(bare) if len(bare) < 6 else 0
    if not 1 <= number <= MOST_COLUMNS:
        raise _wrong(f"The columns are counted from 1 to {MOST_COLUMNS}; {name} is {shorten(text)}")
    return Entry(name, number, negative, unit)


def _is_unit(name: str, unit: str) -> bool:
    quantity, fixed = QUANTITIES[name]
    if quantity == "temperature":
        return unit in TEMPERATURE_UNITS
    return fixed is None and unit_scale(quantity, unit) is not None


def _numeric(cell: str) -> bool:
    return cell.strip()[:1] in tuple("+-.0123456789")


def _wrong(what: str) -> ConfigError:
    return ConfigError(what, where="columns", mend=f"Write it like {_LIKE}.")
