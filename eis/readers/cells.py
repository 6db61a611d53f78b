"""Rows of cells under a row of names, and the numbers in them; every fault is found with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eis.errors import ReadError
from eis.readers.source import Notes, Source
from eis.spectrum import RealArray

DECIMAL_COMMA = "Decimal commas were read as decimal points."
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""A decimal number with a decimal point, as an instrument prints it."""


@dataclass(frozen=True)
class Grid:
    """A table of a file, every row as wide as the row of names.

    Parameters
    ----------
    source : Source
        The file.
    notes : Notes
        Where conversions are noted.
    names : tuple of str
        Column names, as the file prints them.
    rows : list of list of str
        The cells.
    lines : list of int
        Line number (from 1) of every row.
    """

    source: Source
    notes: Notes
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def numbers(self, column: int) -> RealArray:
        """Return a column as finite numbers.

        Raises
        ------
        ReadError
            If a cell is not a finite number; names the first such line and the cell.
        """
        cells = [row[column] for row in self.rows]
        joined = " ".join(cells)
        if "," in joined and "." not in joined:
            self.notes.convert(DECIMAL_COMMA)
            joined = joined.replace(",", ".")
            cells = [cell.replace(",", ".") for cell in cells]
        if joined.isascii() and "_" not in joined:  # else float() would take more than instruments print
            try:
                values = np.array([float(cell) for cell in cells])
            except ValueError:
                raise self._not_a_number(column, cells) from None
            if np.isfinite(values).all():
                return values
        raise self._not_a_number(column, cells)

    def optional(self, column: int) -> RealArray | None:
        """Return a column nobody depends on, or None and a note of why it was left out."""
        try:
            return self.numbers(column)
        except ReadError as error:
            self.notes.dropped.append(f"The column {self.names[column]}: {error.what} (line {error.line}).")
            return None

    def text(self, column: int) -> list[str]:
        """Return a column as it is printed."""
        return [row[column] for row in self.rows]

    def _not_a_number(self, column: int, cells: Sequence[str]) -> ReadError:
        fault = next((i for i, cell in enumerate(cells) if not is_number(cell)), 0)
        found = self.rows[fault][column].strip()
        what = f"Expected a finite number under {self.names[column]!r}, found {shorten(found)}"
        mend = "Correct the cell or delete the line."
        if "," in found and any("." in cell for cell in cells):
            mend = "Decimal commas and decimal points are mixed; export the file again with one of them."
        return self.source.fail(what, line=self.lines[fault], mend=mend)


def read_grid(
    source: Source,
    notes: Notes,
    names: Sequence[str],
    first: int,
    last: int,
    split: Callable[[str], list[str]],
) -> Grid:
    """Split the lines `first` to `last` (from 0, `last` excluded) of a file into rows of cells.

    A last line that has no line end and is not a whole row was torn as the file was cut: it is dropped and noted.

    Parameters
    ----------
    source, notes
        The file and the notes taken on it.
    names : sequence of str
        One name per column.
    first, last : int
        Where the rows are.
    split : callable
        How a line becomes cells.

    Returns
    -------
    Grid
        At least one row, all of one width.

    Raises
    ------
    ReadError
        If a row has another number of cells than there are names, or if there are no rows.
    """
    width = len(names)
    rows: list[list[str]] = []
    lines: list[int] = []
    for number, line in enumerate(source.lines[first:last], first + 1):
        if line and not line.isspace():
            cells = split(line)
            if len(cells) == width + 1 and not cells[-1].strip():
                cells.pop()
            rows.append(cells)
            lines.append(number)
    may_be_torn = bool(rows) and source.unterminated and lines[-1] == len(source.lines)
    if may_be_torn and _torn(rows, width):
        notes.status = "truncated"
        notes.dropped.append(f"The last line ({lines[-1]}), which is torn: the file ends in the middle of it.")
        rows.pop()
        lines.pop()
    elif may_be_torn and _last_cell_short(rows):
        notes.warnings.append(
            f"The file ends without a line end, and the last cell {shorten(rows[-1][-1])} is shorter than all "
            "others of its column; the last point may be torn."
        )
    wrong = next((i for i, cells in enumerate(rows) if len(cells) != width), None)
    if wrong is not None:
        raise source.fail(
            f"Expected {width} cells ({shorten(', '.join(names))}), found {len(rows[wrong])}: "
            f"{shorten(source.lines[lines[wrong] - 1])}",
            line=lines[wrong],
            mend="Correct or delete the line, or export the file again.",
        )
    if not rows:
        raise source.fail(
            "There are no data rows",
            line=min(first + 1, len(source.lines)),
            mend="The measurement may have stopped before its first point; export the file again.",
        )
    return Grid(source, notes, tuple(names), rows, lines)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number with a decimal point."""
    stripped = cell.strip()
    return bool(NUMBER.fullmatch(stripped)) and bool(np.isfinite(float(stripped)))


def shorten(text: str, most: int = 60) -> str:
    """Return text for a message: quoted, and cut if long."""
    return repr(text if len(text) <= most else text[:most] + "…")


def _torn(rows: list[list[str]], width: int) -> bool:
    """Whether the last row is not whole: cells are missing, or its last cell is cut where others hold a number."""
    if len(rows[-1]) != width:
        return len(rows[-1]) < width
    last = rows[-1][-1].replace(",", ".")
    above = rows[-2][-1].replace(",", ".") if len(rows) > 1 else "0"
    return not is_number(last) and is_number(above)


def _last_cell_short(rows: list[list[str]]) -> bool:
    return len(rows) > 2 and len(rows[-1][-1].strip()) < min(
        len(cells[-1].strip()) for cells in rows[:-1] if cells
    )
