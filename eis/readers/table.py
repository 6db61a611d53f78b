"""Plain tables: comma, semicolon, tab or spaces; a row of headings, or just f, Re, Im."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eis.errors import ReadError
from eis.readers.cells import NUMBER, Grid, read_grid, shorten
from eis.readers.headings import Heading, Quantity, parse_headings, recognised, unit_scale, unquoted
from eis.readers.source import Notes, Source
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, polar, rectangular, spectra
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "table of impedance"
SUFFIXES: tuple[str, ...] = (".csv", ".txt", ".tsv", ".dat")

FEWEST_WITHOUT_HEADINGS = 2
"""Rows below which a table without headings is not taken for a spectrum."""

_COMMENT = ("#", "%", "//")
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:,\d{3})+\s*")
_HOW = "Name the columns in a first line, e.g. frequency_hz,z_real_ohm,z_imag_ohm (or -z_imag_ohm)."

Split = Callable[[str], list[str]]


def recognises(source: Source) -> bool:
    """Whether the first line that is no comment is three or more numbers, or headings of an impedance table."""
    head = source.head
    first, comment = _first_line(head.splitlines())
    if first is None:
        return False
    line = head.splitlines()[first]
    cells = _splitter(line)(line)
    if len(cells) >= 3 and all(_numeric(cell) for cell in cells):
        return True
    if recognised(parse_headings(cells)):
        return True
    return bool(comment) and _numeric(cells[0]) and recognised(parse_headings(_splitter(comment)(comment)))


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a table.

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
        If a needed column is missing or double, a unit is unknown, or a cell is not a number.
    """
    notes = source.notes()
    first, comment = _first_line(source.lines)
    if first is None:
        raise source.fail("There are only comments", mend="Export or copy the file again.")
    line = source.lines[first]
    split = _splitter(line)
    cells = split(line)
    if _numeric(cells[0]):
        named = parse_headings(_splitter(comment)(comment)) if comment else []
        if recognised(named) and len(named) == len(cells):
            return _with_headings(source, notes, named, first, first, split)
        return _without_headings(source, notes, first, split, len(cells))
    return _with_headings(source, notes, parse_headings(cells), first, first + 1, split)


def _with_headings(
    source: Source, notes: Notes, headings: list[Heading], heading_line: int, first: int, split: Split
) -> list[Spectrum]:
    headings, first = _unit_row(source, headings, first, split)
    place = _places(source, headings, heading_line)
    grid = read_grid(source, notes, [heading.text for heading in headings], first, len(source.lines), split)
    _refuse_thousands(grid, list(place.values()))
    columns = {name: _column(grid, headings[at], at, heading_line) for name, at in place.items() if name != "time"}
    if "real" in columns and "imag" in columns:
        z = rectangular(columns["real"], columns["imag"])
    else:
        notes.convert("Magnitude and phase were converted to real and imaginary part.")
        z = polar(columns["magnitude"], columns["phase"])
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    more: dict[str, RealArray] = {}
    if "time" in place and headings[place["time"]].scale is not None:
        time = grid.optional(place["time"])
        if time is not None:
            more["time_s"] = time * (headings[place["time"]].scale or 1.0)
    return spectra(source, notes, "table with headings", columns["frequency"], z, grid.lines, columns=more)


def _without_headings(source: Source, notes: Notes, first: int, split: Split, width: int) -> list[Spectrum]:
    if width != 3:
        raise source.fail(
            f"There are {width} columns and no headings; only three (frequency, real and imaginary part) can be "
            "told apart without",
            line=first + 1,
            mend=_HOW,
        )
    grid = read_grid(source, notes, ("column 1", "column 2", "column 3"), first, len(source.lines), split)
    _refuse_thousands(grid, [0, 1, 2])
    frequency, real, imaginary = (grid.numbers(column) for column in range(3))
    if frequency.size < FEWEST_WITHOUT_HEADINGS:
        raise source.fail(
            f"{frequency.size} rows of three numbers without headings may be anything", line=first + 1, mend=_HOW
        )
    if not _runs(frequency) and _runs(imaginary) and (imaginary > 0).all():
        raise source.fail(
            "The third column runs like a frequency and the first does not; without headings they are taken as "
            "frequency, real and imaginary part",
            line=first + 1,
            mend=_HOW,
        )
    notes.convert(
        "There are no headings: the columns were taken as frequency (Hz), real and imaginary part (ohm)."
    )
    z: ComplexArray = rectangular(real, imaginary)
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    return spectra(source, notes, "table without headings", frequency, z, grid.lines)


def _first_line(lines: Sequence[str]) -> tuple[int | None, str]:
    """Return where the first line that is no comment stands (None if nowhere), and the last comment above it."""
    comment = ""
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith(_COMMENT):
            comment = text.lstrip("#%/")
        elif text:
            return number, comment
    return None, comment


def _splitter(line: str) -> Split:
    """Return how the lines of a table are split, told from one of them."""
    if "\t" in line.strip():
        return lambda text: _cells(text.split("\t"))
    if ";" in line:
        return lambda text: _cells(text.split(";"))
    by_space = line.split()
    if "," in line and not (len(by_space) > 2 and all(_numeric(cell) for cell in by_space)):
        return lambda text: _cells(text.split(","))
    return str.split


def _cells(cells: list[str]) -> list[str]:
    """Return cells without the empty ones behind the last, and without the quotes around them."""
    while len(cells) > 3 and not cells[-1].strip():
        cells.pop()
    return [unquoted(cell) if '"' in cell else cell for cell in cells]


def _numeric(cell: str) -> bool:
    return bool(NUMBER.fullmatch(unquoted(cell).replace(",", ".", 1)))


def _unit_row(source: Source, headings: list[Heading], first: int, split: Split) -> tuple[list[Heading], int]:
    """Take the units from a row of their own below the headings, if there is one."""
    if first >= len(source.lines):
        return headings, first
    cells = [cell.strip().strip("[]()") for cell in split(source.lines[first])]
    pairs = list(zip(headings, cells, strict=False))
    needed = [(h, cell) for h, cell in pairs if h.quantity not in (None, "time")]
    if len(cells) != len(headings) or not needed:
        return headings, first
    if not all(h.quantity and unit_scale(h.quantity, cell) is not None for h, cell in needed):
        return headings, first
    return [replace(h, unit=h.unit or cell) if h.quantity else h for h, cell in pairs], first + 1


def _places(source: Source, headings: Sequence[Heading], line: int) -> dict[Quantity, int]:
    """Return the column of every quantity that is needed, and of the time."""
    found: dict[Quantity, list[int]] = {}
    for at, heading in enumerate(headings):
        if heading.quantity:
            found.setdefault(heading.quantity, []).append(at)
    shown = shorten(", ".join(heading.text for heading in headings), 200)
    wanted: tuple[Quantity, ...] = ("frequency", "real", "imag")
    if not {"real", "imag"} <= found.keys() and {"magnitude", "phase"} <= found.keys():
        wanted = ("frequency", "magnitude", "phase")
    missing = [name for name in wanted if name not in found]
    if missing:
        mend = _HOW
        if any(heading.text.startswith("#") for heading in headings):
            mend = "A spreadsheet has replaced a heading that began with '-'; write it again. " + _HOW
        raise source.fail(
            f"No heading names the {' and the '.join(missing)}; they are {shown}", line=line + 1, mend=mend
        )
    double = [name for name in wanted if len(found[name]) > 1]
    if double:
        raise source.fail(
            f"Several headings name the {' and the '.join(double)}; they are {shown}",
            line=line + 1,
            mend="Delete or rename the columns that are not meant.",
        )
    return {name: found[name][0] for name in (*wanted, "time") if name in found}


def _column(grid: Grid, heading: Heading, at: int, line: int) -> RealArray:
    """Return a column in Hz, ohm or rad, with its sign as in Z = Z′ + jZ″."""
    scale = heading.scale
    if scale is None or (heading.unit is None and heading.quantity == "phase"):
        said = "no unit" if heading.unit is None else f"the unit {heading.unit!r}"
        raise _unknown_unit(grid.source, heading, said, line)
    values = grid.numbers(at)
    if heading.unit is None:
        grid.notes.convert(f"No unit stands with {heading.text!r}: it was taken as {heading.plain_unit}.")
    elif scale != 1.0:
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to {heading.plain_unit}.")
        with np.errstate(over="ignore"):
            values = values * scale
    if heading.negative:
        grid.notes.convert(f"The sign of {heading.text!r} was flipped: here capacitive is negative.")
        values = -values
    return values


def _unknown_unit(source: Source, heading: Heading, said: str, line: int) -> ReadError:
    units = {"frequency": "Hz, kHz, MHz, mHz", "phase": "deg, rad"}.get(
        str(heading.quantity), "ohm, mOhm, kOhm, MOhm"
    )
    return source.fail(
        f"The heading {heading.text!r} has {said}, which does not tell the {heading.quantity}",
        line=line + 1,
        mend=f"Write the heading with one of {units}; an area-specific unit is not an impedance.",
    )


def _refuse_thousands(grid: Grid, columns: Sequence[int]) -> None:
    """Refuse a table in which every comma may as well separate thousands."""
    with_comma = [
        (row, cell)
        for column in columns
        for row, cell in zip(grid.lines, grid.text(column), strict=True)
        if "," in cell
    ]
    if with_comma and all(_THOUSANDS.fullmatch(cell) for _, cell in with_comma):
        line, cell = with_comma[0]
        raise grid.source.fail(
            f"{cell.strip()!r} may be a decimal comma or thousands",
            line=line,
            mend="Write the numbers with a decimal point and without thousands separators.",
        )


def _runs(values: RealArray) -> bool:
    """Whether values only fall or only rise."""
    step = np.diff(values)
    return bool((step < 0).all() or (step > 0).all())
