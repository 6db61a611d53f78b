"""Elchemea Analytical `.i2b`: lines of free text, an empty line, the number of points, frequency, Z′ and Z″.

Usage
    ``eis.read("cell.i2b")``.
Layout
    Any lines, an empty one, the number of points alone in a line, rows of three numbers with spaces.
Units and sign
    The file states none: Hz and ohm. Z″ stands as it is, capacitive negative.
Uncertainty
    None is stored.
Known variants
    Rows with tabulators; decimal commas.
Source of the facts
    A sample that others made; no file of Elchemea itself was seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import is_number, read_grid
from eis.readers.headed import check_count, doubt_last_number, refuse_unclear_decimals
from eis.readers.marks import Mark
from eis.readers.source import Source
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, rectangular, spectra
from eis.spectrum import Spectrum

NAME: str = "Elchemea i2b"
SUFFIXES: tuple[str, ...] = (".i2b",)

_NAMES = ("frequency", "Z'", "Z''")
_MOST_FREE_LINES = 200
_BEGINS_NUMBER = frozenset("+-.,0123456789")
_EXPORT = "Give text, an empty line, the number of points, and rows of frequency, Z' and Z''."
MARKS: tuple[Mark, ...] = (
    Mark("number of points alone below an empty line", holds=(re.compile(r"\n[ \t]*\r*\n[0-9]{1,9}[ \t]*\r*\n"),)),
    Mark(
        "rows of nothing but three numbers",
        holds=(re.compile(r"\n(?:[-+0-9.,eE]+[ \t]+){2}[-+0-9.,eE]+[ \t]*\r*\n"),),
    ),
)


def recognises(source: Source) -> bool:
    """Whether text, an empty line, a number alone, and only rows of three numbers follow each other."""
    lines = source.head_lines
    free = lines[: min(_MOST_FREE_LINES, len(lines) - 1)]
    if "" not in free and not any(map(str.isspace, free)):  # no empty line, as in nearly every other file
        return False
    at = _count_line(lines)
    if at is None:
        return False
    rows = [line.split() for line in lines[at + 1 : -1] if line.strip()]  # the last line of the head may be cut
    return bool(rows) and all(_three_numbers(row) for row in rows[:8])


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of an `.i2b` file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Several if the frequencies start over.

    Raises
    ------
    ReadError
        If there are no rows, a cell is not a number, or the first column cannot be the frequency.
    """
    notes = source.notes()
    lines = source.lines
    at = _count_line(lines)
    if at is None:
        raise source.fail("No number of points stands after an empty line", mend=_EXPORT)
    text = "\n".join(line.rstrip() for line in lines[:at]).strip()
    notes.vendor["text"] = text
    grid = read_grid(source, notes, _NAMES, at + 1, len(lines), str.split)
    refuse_unclear_decimals(grid, (0, 1, 2))
    frequency, real, imaginary = (grid.numbers(column) for column in range(3))
    falls, rises = (np.diff(frequency) < 0).any(), (np.diff(frequency) > 0).any()
    third = np.diff(imaginary)
    if falls and rises and (imaginary > 0).all() and ((third < 0).all() or (third > 0).all()):
        raise source.fail(
            "The third column runs like a frequency and the first does not", line=at + 2, mend=_EXPORT
        )
    notes.convert("The file names no columns: they are frequency (Hz), real and imaginary part (ohm).")
    check_count(notes, int(lines[at]), len(grid.rows))
    doubt_last_number(grid)
    z = rectangular(real, imaginary)
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    return spectra(source, notes, NAME, frequency, z, grid.lines)


def _count_line(lines: Sequence[str]) -> int | None:
    """Return where the number of points stands: alone in its line, after an empty one, with text above."""
    said = below_empty = False
    for number, line in enumerate(lines[:_MOST_FREE_LINES]):
        text = line.strip()
        if not text:
            below_empty = True
            continue
        if text[0] in _BEGINS_NUMBER:
            if said and below_empty and text.isascii() and text.isdecimal() and len(text) < 10:
                return number
            if _three_numbers(text.split()):
                return None
        said, below_empty = True, False
    return None


def _three_numbers(cells: Sequence[str]) -> bool:
    return len(cells) == 3 and all(is_number(cell.replace(",", ".", 1)) for cell in cells)
