"""Tables under a row of names, as the older programs export them: what their readers share.

Usage
    `find` reads the names and says where frequency, real and imaginary part are; `impedance` returns them in Hz
    and ohm; `extras` what else was recorded; `check_count`, `doubt_last_number` and `refuse_unclear_decimals`
    watch.
Layout
    See the reader of each format.
Units and sign
    As the name of the column says; ``-Z''`` is turned. A name without a unit is taken as Hz or ohm, and noted.
Uncertainty
    None.
Known variants
    Decimal commas, if they cannot be thousands and all columns have them.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eis.readers.cells import Grid, shorten
from eis.readers.headings import Heading, Quantity, parse_headings
from eis.readers.remembered import remembered
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular
from eis.spectrum import ComplexArray, RealArray

NEEDED: tuple[Quantity, ...] = ("frequency", "real", "imag")

_LONGEST_NAME = 200
_SAID = {"frequency": "frequency", "real": "real part of Z", "imag": "imaginary part of Z"}
_THOUSANDS = re.compile(r"\s*[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+\s*")


@dataclass(frozen=True)
class Head:
    """The row of names of a table.

    Parameters
    ----------
    headings : list of Heading
        What each name says.
    place : dict
        The column of the frequency, the real and the imaginary part.
    line : int
        Where the row stands (from 0).
    """

    headings: list[Heading]
    place: dict[Quantity, int]
    line: int


def find(source: Source, names: Sequence[str], line: int, mend: str) -> Head:
    """Read a row of names.

    Parameters
    ----------
    source : Source
        The file.
    names : sequence of str
        The names, one for each column.
    line : int
        Where they stand (from 0).
    mend : str
        What to do if they do not tell the impedance.

    Returns
    -------
    Head
        Where frequency, real and imaginary part are.

    Raises
    ------
    ReadError
        If one of them is missing, double, or has an unknown unit.
    """
    headings, places, scales = _understood(tuple(names))
    for quantity, found in places.items():
        if len(found) != 1:
            raise source.fail(
                f"Expected one column of the {_SAID[quantity]}, found {len(found)} in {_shown(names)}",
                line=line + 1,
                mend=mend,
            )
        heading = headings[found[0]]
        if scales[quantity] is None:
            raise source.fail(
                f"The unit of {heading.text!r} is {shorten(heading.unit or '')}, which does not tell "
                f"{heading.plain_unit}",
                line=line + 1,
                mend="Correct the name of the column; an area-specific unit is not an impedance.",
            )
    return Head(headings, {quantity: found[0] for quantity, found in places.items()}, line)


@remembered
def _understood(
    names: tuple[str, ...],
) -> tuple[list[Heading], dict[Quantity, list[int]], dict[Quantity, float | None]]:
    """Return what names say, where each needed quantity stands, and the factor to its plain unit."""
    headings = parse_headings([name[:_LONGEST_NAME] for name in names])
    places: dict[Quantity, list[int]] = {
        quantity: [at for at, heading in enumerate(headings) if heading.quantity == quantity]
        for quantity in NEEDED
    }
    return headings, places, {one: headings[found[0]].scale if found else None for one, found in places.items()}


def impedance(grid: Grid, head: Head) -> tuple[RealArray, ComplexArray]:
    """Return frequency (Hz) and impedance (ohm, capacitive Z″ < 0) of every row, shape (n,) each."""
    if not grid.foresee(list(head.place.values())):
        refuse_unclear_decimals(grid, list(head.place.values()))
    frequency, real, imaginary = (_column(grid, head.headings[at], at) for at in head.place.values())
    return frequency, rectangular(real, imaginary)


def extras(grid: Grid, names: Mapping[str, str]) -> dict[str, RealArray]:
    """Return further columns by our names; what holds no numbers is left out and noted.

    Parameters
    ----------
    grid : Grid
        The table.
    names : mapping
        The name in the file (with its unit), and ours.
    """
    found = {}
    for at, name in enumerate(grid.names):
        ours = names.get(name)
        if ours and grid.names.count(name) == 1 and (values := grid.optional(at)) is not None:
            found[ours] = values
    return found


def check_count(notes: Notes, stated: int | None, rows: int) -> None:
    """Note if the file has not as many points as it says."""
    if stated is not None and stated != rows:
        notes.warnings.append(f"The header says {stated} points; there are {rows}.")


def doubt_last_number(grid: Grid) -> None:
    """Note that the last number may be cut; for files whose rows end with Z and which lack their last line end.

    Where numbers are printed in any length, a shorter one is a number, too.
    """
    source, notes = grid.source, grid.notes
    said = any("may be torn" in warning for warning in notes.warnings)
    if source.unterminated and grid.lines[-1] == len(source.lines) and not said:
        notes.warnings.append("The file ends without a line end: the last number of the last point may be cut.")


def refuse_unclear_decimals(grid: Grid, columns: Sequence[int]) -> None:
    """Refuse commas that may separate thousands, and commas in one column beside points in another.

    Raises
    ------
    ReadError
        Names the first line with such a cell.
    """
    texts = [" ".join(grid.text(column)) for column in columns]
    if not any("," in text for text in texts):
        return
    cells = [(line, row[at]) for line, row in zip(grid.lines, grid.rows, strict=True) for at in columns]
    with_comma = [(line, cell) for line, cell in cells if "," in cell]
    line, cell = with_comma[0]
    if any("." in text for text in texts):
        what = f"{cell.strip()!r} has a comma, and other numbers have decimal points"
    elif all(_THOUSANDS.fullmatch(cell) for _, cell in with_comma):
        what = f"{cell.strip()!r} may be a decimal comma or thousands"
    else:
        return
    raise grid.source.fail(
        what, line=line, mend="Export the file again with decimal points and without separators of thousands."
    )


def _column(grid: Grid, heading: Heading, at: int) -> RealArray:
    values = grid.numbers(at)
    if heading.unit is None:
        grid.notes.convert(f"No unit stands with {heading.text!r}: it was taken as {heading.plain_unit}.")
    elif (scale := heading.scale) not in (None, 1.0):
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to {heading.plain_unit}.")
        with np.errstate(over="ignore"):
            values = values * (scale or 1.0)
    if heading.negative:
        grid.notes.convert(f"The sign of {heading.text!r} was flipped: here capacitive is negative.")
        values = -values
    return values


def _shown(names: Sequence[str]) -> str:
    return shorten(", ".join(name.strip() for name in names), 200)
