"""Plain tables: comma, semicolon, tab or spaces; a row of headings, or just f, Re, Im.

Usage
    ``eis.read("cell.csv")``; `eis.read_all` for stacked sweeps; ``eis.read("odd.csv", columns={"frequency": 1,
    …})`` where the headings do not say enough (see `eis.readers.columns`).
Layout
    See `eis.readers.table_layout`. A row that repeats the headings begins another table.
Units and sign
    Impedance as real and imaginary part, magnitude and phase, or complex text; admittance likewise. As the
    headings say (see `eis.readers.table_columns`); without any, f (Hz), Z' and Z'' (ohm).
Uncertainty
    None is stored.
Known variants
    Decimal commas; SI suffixes; units in a row of their own; several spectra under ``cycle``, ``loop``, ``cell``,
    ``temperature``; magnitude and phase beside real and imaginary part, which are compared. Capacitances and
    losses are refused.
Source of the facts
    None: this is the format of no program.
"""

from __future__ import annotations

import re

from eis.readers.cells import Grid, read_grid
from eis.readers.columns import ColumnMap, applied
from eis.readers.headed import doubt_last_number
from eis.readers.headings import Heading
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, rectangular, spectra
from eis.readers.table_checks import runs, told_polar
from eis.readers.table_columns import HOW, spectra_of
from eis.readers.table_coordinates import counted, doubt, notes_above
from eis.readers.table_layout import Layout, Split, even_splitter, is_value, locate, splitter
from eis.readers.table_numbers import complex_column, numbers, refuse_thousands
from eis.spectrum import Spectrum

NAME: str = "table of impedance"
SUFFIXES: tuple[str, ...] = (".csv", ".txt", ".tsv", ".dat")

FEWEST_WITHOUT_HEADINGS = 2
"""Rows below which a table without headings is not taken for a spectrum."""
MOST_LINES_IN_HEAD = 2000
MARKS: tuple[Mark, ...] = (
    Mark("row of numbers", holds=(re.compile(r"\n[ \t]*[-+0-9.,]+(?:[eE][-+0-9]+)?[ \t]*[,;\t ][ \t]*[-+.0-9]"),)),
    Mark("heading of a frequency", holds=(re.compile(r"(?i)freq|hz"),)),
    Mark("heading of an impedance", holds=(re.compile(r"(?i)z'|re\(z\)|z_?re|ohm|\|z\||phase"),)),
)


def recognises(source: Source) -> bool:
    """Whether the file begins with rows of numbers, or has headings of an impedance table near its beginning."""
    layout = source.kept["layout"] = _located(source.head_lines)
    return layout is not None


def _located(lines: list[str]) -> Layout | None:
    return locate(lambda number: splitter(lines[number])(lines[number]), lines, MOST_LINES_IN_HEAD)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a table.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Several if the frequencies start over, the headings are repeated, or a column says so.

    Raises
    ------
    ReadError
        If a needed column is missing or double, a unit is unknown, columns contradict each other, or a cell is not
        a number.
    """
    lines = source.lines
    if lines is source.head_lines and "layout" in source.kept:
        layout: Layout | None = source.kept["layout"]
    else:
        layout = _located(lines)
    if layout is None:
        raise source.fail("There is no table of impedance in it", mend="Export or copy the file again. " + HOW)
    row = lines[layout.line if layout.headings else layout.first]
    split, even = splitter(row), even_splitter(source, row)
    if not layout.headings:
        return _without_headings(source, layout.first, len(split(row)), even)
    made: list[Spectrum] = []
    heading = lines[layout.line]
    starts = [layout.line]
    if layout.first > layout.line:
        starts += [n for n in range(layout.first, len(lines)) if lines[n] == heading]
    for place, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True)):
        notes = source.notes()
        notes_above(notes, lines, layout.above)
        first = start + layout.first - layout.line
        last = _last_row(lines, first, end, split, notes) if end < len(lines) else end
        names = [one.text for one in layout.headings]
        grid = read_grid(source, notes, names, first, last, even)
        doubt_last_number(grid)
        found = spectra_of(grid, layout.headings, start, "table with headings")
        made += [one.with_metadata(table=place + 1) for one in found] if len(starts) > 1 else found
    return counted(made)


def read_mapped(source: Source, columns: ColumnMap) -> list[Spectrum]:
    """Read the spectra of a table whose columns the user has named.

    Parameters
    ----------
    source : Source
        The file.
    columns : ColumnMap
        Which column holds what; see `eis.readers.columns.parse`.

    Returns
    -------
    list of Spectrum
        As `read` returns them.

    Raises
    ------
    ReadError
        If a named column is not there, or a cell is not a number.
    """
    lines = source.lines
    above: list[str] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        split = splitter(line)
        cells = split(line)
        found = applied(columns, cells, above, is_value)
        if found is None:
            above = cells
            continue
        headings, is_row = found
        first = number if is_row else number + 1
        notes = source.notes()
        if first < len(lines):
            split = splitter(lines[first]) if len(splitter(lines[first])(lines[first])) == len(headings) else split
        grid = read_grid(source, notes, [one.text for one in headings], first, len(lines), split)
        doubt_last_number(grid)
        return spectra_of(grid, headings, number, "table with named columns")
    raise columns.not_found(source, [splitter(line)(line) for line in lines[:MOST_LINES_IN_HEAD] if line.strip()])


def _last_row(lines: list[str], first: int, end: int, split: Split, notes: Notes) -> int:
    """Return the end of the rows of a table that another follows; what stands between is kept as a remark."""
    last = end
    while last > first and not (lines[last - 1].strip() and any(map(is_value, split(lines[last - 1])[:1]))):
        last -= 1
    for line in lines[last:end]:
        if line.strip():
            notes.vendor.setdefault("remarks", []).append(line.strip()[:200])
    return last


def _without_headings(source: Source, first: int, width: int, split: Split | str) -> list[Spectrum]:
    notes = source.notes()
    grid = read_grid(source, notes, [f"column {n + 1}" for n in range(width)], first, len(source.lines), split)
    doubt_last_number(grid)
    return without_headings(grid, first)


def without_headings(grid: Grid, first: int) -> list[Spectrum]:
    """Return the spectra of a table without headings: f, Re, Im, or f and complex numbers.

    Parameters
    ----------
    grid : Grid
        The rows.
    first : int
        The line of the first row (from 0), for messages.
    """
    source, notes, width = grid.source, grid.notes, len(grid.names)
    z = complex_column(grid, 1) if width == 2 else None
    if width != 3 and z is None:
        raise source.fail(
            f"There are {width} columns and no headings; only three (frequency, real and imaginary part) can be "
            "told apart without",
            line=first + 1,
            mend=HOW,
        )
    if not (z is None and grid.foresee(range(width))):  # read in one go, there is no comma
        refuse_thousands(grid, range(width))
    frequency = numbers(grid, Heading(grid.names[0], "frequency"), 0)
    if frequency.size < FEWEST_WITHOUT_HEADINGS:
        raise source.fail(
            f"{frequency.size} rows of three numbers without headings may be anything", line=first + 1, mend=HOW
        )
    if z is None:
        real = numbers(grid, Heading(grid.names[1], "real"), 1)
        imaginary = numbers(grid, Heading(grid.names[2], "imag"), 2)
        if not runs(frequency) and runs(imaginary) and (imaginary > 0).all():
            raise source.fail(
                "The third column runs like a frequency and the first does not; without headings they are "
                "taken as "
                "frequency, real and imaginary part",
                line=first + 1,
                mend=HOW,
            )
        z = rectangular(real, imaginary)
    notes.convert(
        "There are no headings: the columns were taken as frequency (Hz), real and imaginary part (ohm)."
    )
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    doubted = told_polar(frequency, z.real, z.imag)
    return [
        doubt(one, doubted) for one in spectra(source, notes, "table without headings", frequency, z, grid.lines)
    ]
