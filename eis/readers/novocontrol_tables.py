"""Where the tables of a WinDETA text are, and what stands above each of them.

Usage
    ``tables_of(source)``.
Layout
    See `eis.readers.novocontrol`.
Units and sign
    None: units are returned as they stand.
Uncertainty
    None.
Known variants
    A title, a geometry and fixed values for every table, or for the first only; names over several lines.
Source of the facts
    As `eis.readers.novocontrol`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eis.readers.cells import is_number, shorten
from eis.readers.source import Source

EXPORT = "Export a frequency scan with Zs' and Zs'' from WinDETA."
FIXED_VALUES = "Fixed value(s)"
LONGEST_LINE = 2000
"""How much of a line is looked at."""

_NAMES_START = re.compile(r"[ \t]{0,40}(?:Freq|Temp)\.[ \t]{0,8}\[[^\]=]{1,8}\](?![ \t]{0,8}=)")
_NAMED = re.compile(r"((?:AC Volt|DC Volt|[^\s\[\]]{1,40})\.?)[ \t]{0,40}(?:\[([^\]\t]{0,16})\])?")
_FIXED = re.compile(r"([^\[\]=:]{1,40})\[([^\[\]]{0,16})\][ \t]{0,8}=[ \t]{0,8}([^\s\[]{1,40})")
_DATE, _CLOCK = (
    re.compile(r"[0-9]{1,2}\. ?[0-9]{1,2}\.[0-9]{2,4}"),
    re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"),
)
_MOST_NAME_LINES = 60
_MOST_TABLES = 10_000


@dataclass
class Table:
    """A table of the file: where it is, and what stands above it.

    Parameters
    ----------
    names_line, first, last : int
        Where the names, the first row, and the line behind the last row stand (from 0).
    names : list of (str, str)
        Name and unit of every column.
    fixed : dict
        What was held, by name and unit.
    geometry, title : str
        The lines with the size of the sample, and with its name and the date.
    """

    names_line: int
    names: list[tuple[str, str]]
    first: int
    last: int
    fixed: dict[tuple[str, str], str]
    geometry: str = ""
    title: str = ""


def tables_of(source: Source) -> list[Table]:
    """Return every table; rows reach to the next line that is known to stand above a table, or to the end."""
    lines = source.lines
    found: list[Table] = []
    title, geometry, fixed = lines[0].strip(), "", dict[tuple[str, str], str]()
    number = 0
    while number < len(lines):
        line = lines[number]
        if not _says(line):
            number += 1
            continue
        if found and found[-1].last == len(lines):
            found[-1].last = number
        if line.startswith(FIXED_VALUES):
            text = line[len(FIXED_VALUES) : LONGEST_LINE].lstrip(" :")
            fixed = {(match[1].strip(), match[2].strip()): match[3] for match in _FIXED.finditer(text)}
        elif is_geometry(line):
            geometry = line.strip()
        elif starts_names(line):
            if len(found) == _MOST_TABLES:
                raise source.fail(
                    f"The file holds more than {_MOST_TABLES} tables",
                    line=number + 1,
                    mend="Export fewer at a time.",
                )
            names, first = _names(source, number)
            found.append(Table(number, names, first, len(lines), fixed, geometry, title))
            fixed, number = {}, first - 1
        else:
            title = line.strip()
        number += 1
    return found


def _says(line: str) -> bool:
    return line.startswith(FIXED_VALUES) or is_geometry(line) or starts_names(line) or when(line) is not None


def starts_names(line: str) -> bool:
    """Whether a line begins the names of the columns."""
    return bool(_NAMES_START.match(line))


def is_geometry(line: str) -> bool:
    """Whether a line states the size of the sample."""
    return line.lstrip()[:9] == "Diameter[" or (
        line.lstrip()[:8] == "Diameter" and "Thickness" in line[:LONGEST_LINE]
    )


def when(line: str) -> str | None:
    """Return date and time if a line ends with them."""
    parts = [part.strip() for part in line[:LONGEST_LINE].rsplit(",", 2)]
    if len(parts) == 3 and _DATE.fullmatch(parts[1]) and _CLOCK.fullmatch(parts[2]):
        return f"{parts[1]} {parts[2]}"
    return None


def named(text: str) -> list[tuple[str, str]]:
    """Return the names of columns, each with its unit; a name holds a space only where that is known."""
    return [(match[1], (match[2] or "").strip()) for match in _NAMED.finditer(text[:LONGEST_LINE])]


def _names(source: Source, at: int) -> tuple[list[tuple[str, str]], int]:
    """Return the names from a line on, which may stand one by one, and where the rows begin."""
    lines, texts, number = source.lines, list[str](), at
    while number < len(lines) and number < at + _MOST_NAME_LINES:
        words = lines[number].split(maxsplit=1)
        if texts and words and is_number(words[0].replace(",", ".", 1)):
            break
        texts.append(lines[number])
        number += 1
    names = named("\t".join(texts))
    once = set[str]()
    for name, _ in names:
        if name in once:
            raise source.fail(
                f"The column {shorten(name)} is named twice", line=at + 1, mend="Delete one. " + EXPORT
            )
        once.add(name)
    return names, number
