"""Numbers in the columns of a table: units, signs, SI suffixes, complex text, and commas that may be thousands.

Usage
    `column` for a column in its plain unit, `numbers` for one as it stands, `complex_column` for text such as
    ``12.3-4.5j``; `refuse_thousands` before any of them.
Layout
    A `Grid` and one `Heading` per column.
Units and sign
    See `eis.readers.table_columns`.
Uncertainty
    None.
Known variants
    Decimal commas; ``203.770k``; ``49.271 mΩ``.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from eis.errors import ReadError
from eis.readers.cells import Grid, shorten
from eis.readers.headings import Heading, stated_unit
from eis.readers.source import Source
from eis.readers.table_layout import is_suffixed, parse_complex, parse_suffixed
from eis.spectrum import ComplexArray, RealArray

_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+\s*")
_THOUSANDS_BY_POINTS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+\s*")
_UNITS = {"frequency": "Hz, kHz, MHz, mHz", "phase": "deg, rad", "admittance_phase": "deg, rad"}


def column(grid: Grid, heading: Heading, at: int, line: int, *, turn: bool = True) -> RealArray:
    """Return a column in its plain unit, with its sign as in Z = Z′ + jZ″.

    Parameters
    ----------
    grid : Grid
        The rows.
    heading : Heading
        What the column holds.
    at : int
        Which it is.
    line : int
        Where the headings stand (from 0).
    turn : bool, optional
        Turn the sign if the heading says the column holds the negative.

    Returns
    -------
    ndarray, shape (n,)
        The numbers.

    Raises
    ------
    ReadError
        If the unit is unknown or a cell is not a number.
    """
    scale = heading.scale
    if scale is None or (heading.unit is None and heading.plain_unit == "rad"):
        raise unknown_unit(grid.source, heading, line)
    values = numbers(grid, heading, at)
    if heading.unit is None and heading.plain_unit:
        grid.notes.convert(f"No unit stands with {heading.text!r}: it was taken as {heading.plain_unit}.")
    elif scale != 1.0:
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to {heading.plain_unit}.")
        with np.errstate(over="ignore"):
            values = values * scale
    return turned(grid, heading, values) if turn and heading.negative else values


def complex_column(grid: Grid, at: int) -> ComplexArray | None:
    """Return a column of text such as ``12.3-4.5j``; None if its first cell is not such a number."""
    cells = [cell.strip() for cell in grid.text(at)]
    if any("," in cell for cell in cells) and not any("." in cell for cell in cells):
        cells = [cell.replace(",", ".") for cell in cells]
    if parse_complex(cells[0]) is None:
        return None
    values = [parse_complex(cell) for cell in cells]
    wrong = next((row for row, value in enumerate(values) if value is None), None)
    if wrong is not None:
        raise grid.source.fail(
            f"Expected a complex number under {grid.names[at]!r}, found {shorten(cells[wrong])}",
            line=grid.lines[wrong],
            mend="Correct the cell or delete the line.",
        )
    return np.array(values, dtype=np.complex128)


def numbers(grid: Grid, heading: Heading, at: int) -> RealArray:
    """Return a column of numbers as they stand; SI suffixes are read if the heading has no prefix of its own.

    Parameters
    ----------
    grid : Grid
        The rows.
    heading : Heading
        What the column holds.
    at : int
        Which it is.

    Raises
    ------
    ReadError
        If a cell is not a finite number.
    """
    try:
        return grid.numbers(at)
    except ReadError:
        cells = [cell.strip() for cell in grid.text(at)]
        commas = any("," in cell for cell in cells)
        if commas and any("." in cell for cell in cells):
            raise
        cells = [cell.replace(",", ".") for cell in cells]
        values = [parse_suffixed(cell, heading.quantity) for cell in cells]
        plain = heading.scale == 1.0 or not any(is_suffixed(cell) for cell in cells)
        if any(value is None for value in values) or not plain:
            raise
        grid.notes.convert(f"The SI suffixes under {heading.text!r} were read (k = 1000, m = 1/1000).")
        found = np.array(values, dtype=np.float64)
        if not np.isfinite(found).all():
            raise
        return found


def refuse_thousands(grid: Grid, columns: Iterable[int]) -> None:
    """Refuse a table in which every comma may as well separate thousands, or every point beside commas.

    Parameters
    ----------
    grid : Grid
        The rows.
    columns : iterable of int
        The columns looked at.

    Raises
    ------
    ReadError
        Names the first line with such a cell.
    """
    texts = [grid.text(column) for column in columns]
    with_comma = [(row, cell) for text in texts for row, cell in zip(grid.lines, text, strict=True) if "," in cell]
    if not with_comma:
        return
    unclear = with_comma[:1] if all(_THOUSANDS.fullmatch(cell) for _, cell in with_comma) else []
    what = "may be a decimal comma or thousands"
    for text in texts:
        with_point = [(row, cell) for row, cell in zip(grid.lines, text, strict=True) if "." in cell]
        if with_point and all(_THOUSANDS_BY_POINTS.fullmatch(cell) for _, cell in with_point):
            unclear, what = with_point[:1], "may be thousands, since other numbers have decimal commas"
    for line, cell in unclear:
        raise grid.source.fail(
            f"{cell.strip()!r} {what}",
            line=line,
            mend="Write the numbers with a decimal point and without thousands separators.",
        )


def turned(grid: Grid, heading: Heading, values: RealArray) -> RealArray:
    """Return the numbers with their sign as in Z = Z′ + jZ″, and note if it was turned."""
    if not heading.negative:
        return values
    grid.notes.convert(f"The sign of {heading.text!r} was flipped: here capacitive is negative.")
    return -values


def unknown_unit(source: Source, heading: Heading, line: int) -> ReadError:
    """Return the error that names a heading whose unit is missing or unknown."""
    unit = heading.unit or stated_unit(heading.text)
    said = "no unit" if unit is None else f"the unit {unit!r}"
    units = _UNITS.get(
        str(heading.quantity), "ohm, mOhm, kOhm, MOhm" if heading.plain_unit != "S" else "S, mS, µS"
    )
    return source.fail(
        f"The heading {heading.text!r} has {said}, which does not tell the {heading.quantity}",
        line=line + 1,
        mend=f"Write the heading with one of {units}; an area-specific unit is not an impedance.",
    )
