"""Rows of cells under a row of names, and the numbers in them; every fault is found with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from eis.errors import ReadError
from eis.readers.even_rows import EvenRows, even_rows
from eis.readers.source import Notes, Source
from eis.spectrum import RealArray

DECIMAL_COMMA = "Decimal commas were read as decimal points."
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""A decimal number with a decimal point, as an instrument prints it."""
LONGEST_NUMBER = 400
"""Longer text is no number of an instrument, and would keep a regular expression busy."""


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
    rows : sequence of list of str
        The cells.
    lines : list of int
        Line number (from 1) of every row.
    """

    source: Source
    notes: Notes
    names: tuple[str, ...]
    rows: Sequence[list[str]]
    lines: list[int]
    _known: dict[int, RealArray] = field(init=False, repr=False, compare=False, default_factory=dict)

    def foresee(self, columns: Sequence[int]) -> bool:
        """Read columns that will be asked for in one go, if they hold nothing but finite numbers.

        That takes a third of the time of `numbers` for each. Whatever is unusual, decimal commas included, is left
        to `numbers`, which finds the cell.

        Returns
        -------
        bool
            Whether all of them were read.
        """
        wanted = [column for column in dict.fromkeys(columns) if column not in self._known]
        if wanted and isinstance(self.rows, EvenRows):
            values = self.rows.numbers(wanted)
            if values is not None:
                self._known.update(zip(wanted, values, strict=True))
                return True
        return not wanted

    def known(self, column: int) -> RealArray | None:
        """Return a column that was foreseen; None if it was not, or is more than finite numbers."""
        return self._known.get(column)

    def numbers(self, column: int) -> RealArray:
        """Return a column as finite numbers.

        Raises
        ------
        ReadError
            If a cell is not a finite number; names the first such line and the cell.
        """
        if column in self._known:
            return self._known[column]
        cells = self.text(column)
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
        if isinstance(self.rows, EvenRows):
            return self.rows.text(column)
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
    split: Callable[[str], list[str]] | str,
    *,
    indented_by: str | None = None,
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
    split : callable or str
        How a line becomes cells, or what separates them.
    indented_by : str, optional
        What stands before each cell, the first as well, if every line is regular; `split` is asked if one is not.

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
    rows: Sequence[list[str]] | None = None
    lines: list[int] = []
    separator = indented_by or (split if isinstance(split, str) else "")
    if len(separator) == 1:
        rows, lines = even_rows(source, first, last, separator, width, indented=indented_by is not None)
    if rows is None:
        rows, lines = _rows(source, first, last, split, width)
    if rows and source.unterminated and lines[-1] == len(source.lines):
        if _torn(rows[-2:], width):
            notes.status = "truncated"
            notes.dropped.append(f"The last line ({lines[-1]}), which is torn: the file ends in the middle of it.")
            rows, lines = rows[:-1], lines[:-1]
        elif _last_is_shortest(rows):
            notes.warnings.append(
                f"The file ends without a line end, and the last cell {shorten(rows[-1][-1])} is shorter than all "
                "others of its column; the last point may be torn."
            )
    if isinstance(rows, EvenRows):
        return Grid(source, notes, tuple(names), rows, lines)
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


def _rows(
    source: Source, first: int, last: int, split: Callable[[str], list[str]] | str, width: int
) -> tuple[list[list[str]], list[int]]:
    """Return the cells of all lines that are not empty, and their line numbers."""
    rows: list[list[str]] = []
    lines: list[int] = []
    for number, line in enumerate(source.lines[first:last], first + 1):
        if line and not line.isspace():
            cells = line.split(split) if isinstance(split, str) else split(line)
            if len(cells) == width + 1 and not cells[-1].strip():
                cells.pop()
            rows.append(cells)
            lines.append(number)
    return rows, lines


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number with a decimal point."""
    stripped = cell.strip()
    return (
        len(stripped) <= LONGEST_NUMBER and bool(NUMBER.fullmatch(stripped)) and bool(np.isfinite(float(stripped)))
    )


def shorten(text: str, most: int = 60) -> str:
    """Return text for a message: quoted, and cut if long."""
    return repr(text if len(text) <= most else text[:most] + "…")


def _torn(rows: Sequence[list[str]], width: int) -> bool:
    """Whether the last row is not whole: cells are missing, or its last cell is cut where others hold a number."""
    if len(rows[-1]) != width:
        return len(rows[-1]) < width
    last = rows[-1][-1].replace(",", ".")
    above = rows[-2][-1].replace(",", ".") if len(rows) > 1 else "0"
    return not is_number(last) and is_number(above)


def _last_is_shortest(rows: Sequence[list[str]]) -> bool:
    n = len(rows) if isinstance(rows, EvenRows) else sum(map(bool, rows))
    cells = rows.last_cells() if isinstance(rows, EvenRows) else (row[-1] for row in rows if row)
    shortest = len(rows[-1][-1].strip()) if rows[-1] else 0
    return n > 2 and all(len(cell.strip()) > shortest for cell in islice(cells, n - 1))
