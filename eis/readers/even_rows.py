"""Rows that stand in lines of one pattern, as nearly all files have them: checked and read in a few passes in C.

A row by itself costs little; thousands of calls for the cells of a table are what a file takes longest for. So the
lines stay whole: their separators are counted, and NumPy takes the numbers of some columns out of all of them at
once. Whatever is not as expected is left to `eis.readers.cells`, which finds the line and the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import overload

import numpy as np

from eis.readers.source import Source
from eis.spectrum import RealArray


class EvenRows(Sequence[list[str]]):
    """Rows as wide as each other that stand in one line after the other; split only if somebody asks for a cell.

    Parameters
    ----------
    texts : list of str
        The lines.
    separator : str
        What stands between cells.
    width : int
        How many cells there are, without the empty one behind a separator at the end.
    first : int
        1 if a separator stands before the first cell, else 0.
    is_plain : bool
        Whether all characters are ASCII, and none is a separator of records.
    """

    def __init__(self, texts: list[str], separator: str, width: int, first: int, *, is_plain: bool) -> None:
        self._texts = texts
        self._separator = separator
        self._first = first
        self._end = first + width
        self._is_plain = is_plain
        self._cells: list[list[str]] | None = None
        self._flat: list[str] | None = None

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> list[str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[str]]: ...
    def __getitem__(self, place: int | slice) -> list[str] | list[list[str]]:
        if isinstance(place, slice):
            return [self._cells_of(text) for text in self._texts[place]]
        return self._cells_of(self._texts[place])

    def __iter__(self) -> Iterator[list[str]]:
        if self._cells is None:
            self._cells = [self._cells_of(text) for text in self._texts]
        return iter(self._cells)

    def _cells_of(self, text: str) -> list[str]:
        return text.split(self._separator)[self._first : self._end]

    def numbers(self, columns: Sequence[int]) -> RealArray | None:
        """Return columns as the rows of an array; None unless all cells are finite numbers with decimal points.

        Of plain characters NumPy takes for numbers what `float` does, but for underscores.
        """
        if not self._is_plain:
            return None
        places = [self._first + column for column in columns] if self._first else columns
        try:
            values = np.loadtxt(
                self._texts, delimiter=self._separator, usecols=places, comments=None, unpack=True, ndmin=2
            )
        except ValueError:
            return None
        values = np.ascontiguousarray(values)
        return values if np.count_nonzero(np.isfinite(values)) == values.size else None

    def text(self, column: int) -> list[str]:
        """Return a column as it is printed; all lines are split at once, and only once."""
        if self._flat is None:
            self._flat = self._separator.join(self._texts).split(self._separator)
        return self._flat[self._first + column :: len(self._flat) // len(self._texts)]

    def last_cells(self) -> Iterator[str]:
        """Yield the last cell of every row."""
        behind = self._texts[0].count(self._separator) - self._end + 2  # two where a separator stands at the end
        return (text.rsplit(self._separator, behind)[-behind] for text in self._texts)


def even_rows(
    source: Source, first: int, last: int, separator: str, width: int, *, indented: bool
) -> tuple[EvenRows | None, list[int]]:
    """Return rows and their line numbers if nothing is unusual: none is empty, wider or narrower; else None."""
    texts = source.lines[first:last]
    while texts and not texts[-1]:
        texts.pop()
    above = 0
    if texts and not texts[0]:
        above = next(number for number, text in enumerate(texts) if text)
        del texts[:above]
    counts = set(map(str.count, texts, repeat(separator)))
    if len(counts) != 1:
        return None, []
    separators = counts.pop()
    if not separators and not all(texts):
        return None, []
    if (not separators or separator.isspace()) and any(map(str.isspace, texts)):  # else none is mere space
        return None, []
    if indented and ({text[0] for text in texts} != {separator} or any(map(str.isspace, {t[-1] for t in texts}))):
        return None, []
    more = separators - width + 1 - indented
    if more and (more != 1 or {text[-1] for text in texts} != {separator}):  # one may stand behind the last cell
        return None, []
    is_plain = source.encoding == "ascii" or "".join(texts).isascii()
    raw = source.raw
    if b"\x1c" in raw or b"\x1d" in raw or b"\x1e" in raw or b"\x1f" in raw:
        is_plain = False  # NumPy takes these for spaces around a number, and `float` does not
    number = first + above + 1
    rows = EvenRows(texts, separator, width, int(indented), is_plain=is_plain)
    return rows, list(range(number, number + len(texts)))
