"""Where in a file a table stands: how its lines are split, where its headings and its first row are.

Usage
    `locate` finds the table among lines or rows; `splitter` says how a line is cut into cells. Used for text by
    `eis.readers.table` and for the sheets of a workbook by `eis.readers.spreadsheet`.
Layout
    Comments, or up to `MOST_ABOVE` lines of anything, then one to four lines of headings (names, parts of names,
    units), then rows of numbers. Or rows at once, under a comment that names them, or without any names.
Units and sign
    See `eis.readers.headings`.
Uncertainty
    None.
Known variants
    Tabulators, semicolons, commas (also in quotes) or spaces between the cells.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

from eis.readers.cells import LONGEST_NUMBER, NUMBER
from eis.readers.headings import (
    COORDINATES,
    TEMPERATURE_UNITS,
    Heading,
    Quantity,
    parse_headings,
    recognised,
    unit_scale,
    unquoted,
)
from eis.readers.source import Source

MOST_ABOVE = 60
"""Lines of anything that may stand above the headings."""
MOST_HEADING_LINES = 4
EATEN = re.compile(r"#(?:NAME\?|NOM\?|NOME\?|NAAM\?|¿NOMBRE\?|ИМЯ\?|VALUE!|REF!)")
"""What spreadsheets put in the place of a heading that began with a minus, in some of their languages."""

Split = Callable[[str], list[str]]

_SPACES = " \t\r\v\f\x1c\x1d\x1e\x1f\x85\xa0"
_NUMBER = NUMBER.pattern
_COMPLEX = re.compile(
    rf"\(?({_NUMBER})([+-]{{1,2}})((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\*?[ijIJ]\)?"
)
_SUFFIXED = re.compile(rf"({_NUMBER}) ?([pnuµμmkKMG]?)([A-Za-zΩ\u2126°]{{0,7}})")
_LIKE_NUMBER = re.compile(r"\s*(?:[+-]?[0-9]|\S{1,20}[0-9]\.[0-9])")
"""What is no word of a heading: a number with something behind or before it."""
_COMMENT = ("#", "%", "//")
_PAIRS: tuple[frozenset[Quantity], ...] = (
    frozenset({"real", "imag"}),
    frozenset({"magnitude", "phase"}),
    frozenset({"impedance", "phase"}),
    frozenset({"admittance_real", "admittance_imag"}),
    frozenset({"admittance_magnitude", "admittance_phase"}),
    frozenset({"admittance", "admittance_phase"}),
)


@dataclass(frozen=True)
class Layout:
    """Where a table stands.

    Parameters
    ----------
    headings : list of Heading
        What each column holds; empty if nothing names them.
    line : int
        Where the headings begin (from 0); where the rows begin, if nothing names them.
    first : int
        Where the first row stands.
    above : list of int
        Lines above the headings that are neither empty nor comments.
    """

    headings: list[Heading]
    line: int
    first: int
    above: list[int]


def locate(rows: Callable[[int], list[str]], lines: Sequence[str], most: int | None = None) -> Layout | None:
    """Find the table.

    Parameters
    ----------
    rows : callable
        Returns the cells of a line by its number (from 0).
    lines : sequence of str
        The lines; empty ones and comments are told from them.
    most : int, optional
        How many lines are looked at.

    Returns
    -------
    Layout or None
        None if there is nothing that looks like a table of impedance.
    """
    comment: list[str] = []
    above: list[int] = []
    for number, line in enumerate(lines[:most]):
        text = line.strip()
        if not text:
            continue
        if text.startswith(_COMMENT) and not EATEN.match(text):
            bare = text.lstrip("#%/")
            comment = splitter(bare)(bare)
            continue
        cells = rows(number)
        if sum(map(is_value, cells)) == len(cells) >= 2:
            return _without(cells, comment, number, above)
        headings = parse_headings(cells)
        joined = _joined(rows, lines, number, cells)
        if joined is not None and not _better(headings, joined.headings):
            headings, first = joined.headings, joined.first
        else:
            first = number + 1
        if recognised(headings) and (not above or complete(headings)):
            return _with_units(rows, lines, Layout(headings, number, first, above))
        above.append(number)
        if len(above) > MOST_ABOVE:
            return None
    return None


def complete(headings: Sequence[Heading]) -> bool:
    """Whether the headings name a frequency and something an impedance follows from, and name it once."""
    found = {heading.quantity for heading in headings}
    enough = any(pair <= found for pair in _PAIRS) or found & {"impedance", "admittance"}
    return "frequency" in found and bool(enough)


def splitter(line: str) -> Split:
    """Return how the lines of a table are split, told from one of them."""
    separator = _separator(line)
    if separator is None:
        return str.split
    if separator == ",":
        return lambda text: _cells(text.split(",")) if '"' not in text else _quoted(text)
    return lambda text: _cells(text.split(separator))


def even_splitter(source: Source, line: str) -> Split | str:
    """Return the mere separator, if splitting at it gives what `splitter` does in every line of a file.

    That is where no line has quotes, and none ends with a separator.
    """
    separator = _separator(line)
    if separator is None or source.may_hold('"'):
        return splitter(line)
    ends = map(str.rstrip, source.lines, repeat(_SPACES.replace(separator, "")))
    return splitter(line) if any(map(str.endswith, ends, repeat(separator))) else separator


def is_value(cell: str) -> bool:
    """Whether a cell is a number with a decimal point or comma, perhaps with an SI suffix, or complex."""
    bare = unquoted(cell).replace(",", ".", 1)
    if len(bare) > LONGEST_NUMBER:
        return False
    return bool(NUMBER.fullmatch(bare)) or (
        bare[:1] in "+-.(0123456789" and bare != "" and (is_suffixed(bare) or parse_complex(bare) is not None)
    )


def is_suffixed(cell: str) -> bool:
    """Whether a cell is a number and an SI suffix, as ``203.770k``."""
    match = _SUFFIXED.fullmatch(cell) if len(cell) <= LONGEST_NUMBER else None
    return bool(match and match[2] and not match[3])


def parse_suffixed(cell: str, quantity: Quantity | None) -> float | None:
    """Return ``203.770k`` or ``49.271 mΩ`` as a number in the plain unit of a quantity; None if it is not one."""
    match = _SUFFIXED.fullmatch(cell) if len(cell) <= LONGEST_NUMBER else None
    if match is None:
        return None
    number, prefix, stem = match.groups()
    if not prefix and not stem:
        return float(number)
    if not stem:
        scale = unit_scale("real", prefix + "ohm")
    else:
        scale = unit_scale(quantity, prefix + stem) if quantity else None
    return None if scale is None else float(number) * scale


def parse_complex(cell: str) -> complex | None:
    """Return text such as ``12.3-4.5j`` as a complex number; None if it is not one."""
    match = _COMPLEX.fullmatch(cell.replace(" ", "")) if len(cell) <= LONGEST_NUMBER else None
    if match is None:
        return None
    sign = -1.0 if "-" in match[2] else 1.0
    return complex(float(match[1]), sign * float(match[3]))


def _without(cells: list[str], comment: list[str], number: int, above: list[int]) -> Layout | None:
    """Return the layout of rows without a row of headings: named by the comment above them, or by nothing."""
    named = parse_headings(comment)
    if recognised(named) and len(named) == len(cells):
        return Layout(named, number, number, above)
    if above or not (len(cells) >= 3 or any(parse_complex(unquoted(cell)) for cell in cells)):
        return None
    return Layout([], number, number, [])


def _joined(
    rows: Callable[[int], list[str]], lines: Sequence[str], number: int, cells: list[str]
) -> Layout | None:
    """Return the headings of several lines, each column's words put together; None if there is but one line."""
    best: Layout | None = None
    names = list(cells)
    for at in range(number + 1, min(number + MOST_HEADING_LINES, len(lines))):
        more = rows(at) if lines[at].strip() else []
        if not 2 <= len(more) <= len(names) or any(is_value(cell) or _LIKE_NUMBER.match(cell) for cell in more):
            break
        more += [""] * (len(names) - len(more))
        names = [f"{name.strip()} {cell.strip()}".strip() for name, cell in zip(names, more, strict=True)]
        headings = parse_headings(names)
        if recognised(headings) and (best is None or not _better(best.headings, headings)):
            best = Layout(headings, number, at + 1, [])
    return best


def _better(one: Sequence[Heading], other: Sequence[Heading]) -> bool:
    """Whether one row of headings tells more than the other; if they tell the same, fewer lines are better."""
    said = [
        (complete(row), len({h.quantity for h in row if h.quantity}), sum(h.unit is not None for h in row))
        for row in (one, other)
    ]
    return said[0] >= said[1]


def _with_units(rows: Callable[[int], list[str]], lines: Sequence[str], layout: Layout) -> Layout:
    """Take the units from a row of their own below the headings, if there is one."""
    headings, first = layout.headings, layout.first
    if first >= len(lines):
        return layout
    cells = [cell.strip().strip("[]()") for cell in rows(first)]
    cells += [""] * (len(headings) - len(cells))
    pairs = list(zip(headings, cells, strict=False))
    beside = (None, "time", "lumped", *COORDINATES)
    needed = [(h, cell) for h, cell in pairs if h.quantity not in beside]
    if len(cells) != len(headings) or not needed:
        return layout
    if not all(h.quantity and unit_scale(h.quantity, cell) is not None for h, cell in needed):
        return layout
    with_units = [
        replace(h, unit=h.unit or cell or None, quantity=_by_unit(h, cell)) if h.quantity else h
        for h, cell in pairs
    ]
    return replace(layout, headings=with_units, first=first + 1)


def _by_unit(heading: Heading, unit: str) -> Quantity | None:
    return "temperature" if heading.quantity == "time" and unit in TEMPERATURE_UNITS else heading.quantity


def _separator(line: str) -> str | None:
    """Return what stands between the cells of a line; None for any number of spaces."""
    if "\t" in line.strip():
        return "\t"
    if ";" in line:
        return ";"
    by_space = line.split()
    if "," in line and not (len(by_space) > 1 and all(is_value(cell) for cell in by_space)):
        return ","
    return None


def _quoted(text: str) -> list[str]:
    """Split a line in which quotes may protect a comma."""
    try:
        return _cells(next(csv.reader([text], skipinitialspace=True), []))
    except csv.Error:
        return _cells(text.split(","))


def _cells(cells: list[str]) -> list[str]:
    """Return cells without the empty ones behind the last, and without the quotes around them."""
    while len(cells) > 2 and not cells[-1].strip():
        cells.pop()
    return [unquoted(cell) if '"' in cell else cell for cell in cells]
