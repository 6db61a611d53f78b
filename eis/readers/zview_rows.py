"""The nine columns of Scribner's ZPlot and ZView, which other programs write as well.

Usage
    `column_row` finds the row of names, `spectra_of` reads what stands under it; called by the readers.
Layout
    ``Freq(Hz) Ampl Bias Time(Sec) Z'(a) Z''(b) GD Err Range``, with or without quotes and spaces; below it rows
    with tabulators, semicolons or commas. Exponents have two to four digits.
Units and sign
    Hz, s and ohm; Z'' stands as it is, capacitive negative. ``Ampl`` and ``Bias`` are in V or A, as the
    experiment controls; ``Range`` is a number of the instrument: they are kept among the settings, as text.
Uncertainty
    None is stored. ``Err`` is a number of the analyser whose meaning the file does not state: a point whose
    number is not 0 is flagged as an unknown code, and the numbers are kept among the settings.
Known variants
    Times that are all 0 or count the rows, as in calculated files: they are left out. Decimal commas, with
    tabulators, semicolons, or with commas followed by a space.
Source of the facts
    Files of ZPlot 3.2c and one of Autolab FRA; for ZView, programs that write files for it. Decimal commas with
    semicolons or commas were not seen in a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eis.readers.cells import Grid, read_grid, shorten
from eis.readers.headed import check_count, refuse_unclear_decimals
from eis.readers.remembered import remembered
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.spectrum import IntArray, Quality, RealArray, Spectrum

_NAME = re.compile(r"Freq\s*\(Hz\)|Ampl|Bias|Time\s*\(Sec\)|[A-Za-z]'{1,2}\s*\([ab]\)|GD|Err|Range", re.IGNORECASE)
_COLUMNS = re.compile(r'[\s";,]*Freq\s*\(Hz\)', re.IGNORECASE)
PARTS = re.compile(r"Z'{1,2}\s{0,4}\([ab]\)", re.IGNORECASE)
"""The names of real and imaginary part."""

_NEEDED = ("freq(hz)", "z'(a)", "z''(b)")
_WATCHED = ("time(sec)", "err")
_SETTINGS = {"ampl": "Ampl", "bias": "Bias", "range": "Range"}
_MOST_SHOWN = 8


def column_row(source: Source, last: int | None = None) -> int | None:
    """Return where the names of the columns stand (from 0): the last line before `last`, or else the first."""
    lines = source.lines
    if last is not None:
        return next((n for n in range(last - 1, -1, -1) if _COLUMNS.match(lines[n])), None)
    return next((number for number, line in enumerate(lines) if _COLUMNS.match(line)), None)


def spectra_of(
    source: Source, notes: Notes, format_name: str, at: int, first: int, stated: int | None, mend: str
) -> list[Spectrum]:
    """Read the rows under the names.

    Parameters
    ----------
    source, notes
        The file and the notes taken on it.
    format_name : str
        What the file is.
    at, first : int
        Where the names and the first row stand (from 0).
    stated : int, optional
        How many points the file says it has.
    mend : str
        What to do if the columns are not those of an impedance.

    Returns
    -------
    list of Spectrum
        Several if the frequencies start over.

    Raises
    ------
    ReadError
        If the columns are not impedance, there are no rows, or a cell is not a number.
    """
    table = _table(source, at, mend)
    names, place = table.names, table.place
    row = next((line for line in source.lines[first:] if line.strip()), "")
    grid = read_grid(source, notes, names, first, len(source.lines), _separator(row, len(names)))
    if not grid.foresee(table.wanted):
        refuse_unclear_decimals(grid, table.needed)
    frequency, real, imaginary = map(grid.numbers, table.needed)
    check_count(notes, stated, len(grid.rows))
    columns = {}
    if "time(sec)" in place and (time := grid.optional(place["time(sec)"])) is not None and _is_clock(time):
        columns["time_s"] = time
    quality = _quality(grid, place.get("err"), notes)
    _keep(grid, place, notes)
    z = rectangular(real, imaginary)
    return spectra(source, notes, format_name, frequency, z, grid.lines, columns=columns, quality=quality)


@dataclass(frozen=True)
class _Table:
    """The column names in lower case without spaces, and where those that are read stand."""

    names: list[str]
    place: Mapping[str, int]
    needed: list[int]
    wanted: list[int]


def _table(source: Source, at: int, mend: str) -> _Table:
    """Return what the row of names says; it may lack the spaces between them."""
    line = source.lines[at]
    table = _understood((line,))
    if table is None:
        raise source.fail(
            f"Expected the columns Freq(Hz), Z'(a) and Z''(b), found {shorten(line.strip(), 120)}",
            line=at + 1,
            mend=mend,
        )
    return table


@remembered
def _understood(row: tuple[str, ...]) -> _Table | None:
    (line,) = row
    names = [re.sub(r"\s", "", name).lower() for name in _NAME.findall(line)]
    rest = _NAME.sub("", line).strip(' \t",;')
    wrong = rest or any(names.count(name) != 1 for name in _NEEDED) or len(set(names)) != len(names)
    if wrong:
        return None
    place = {name: number for number, name in enumerate(names)}
    needed = [place[name] for name in _NEEDED]
    return _Table(names, place, needed, needed + [place[name] for name in _WATCHED if name in place])


def _separator(row: str, width: int) -> str:
    """Return what parts cells, told from the first row; commas before a space if others are in numbers."""
    for separator in ("\t", ";"):
        if separator in row.strip():
            return separator
    if row.rstrip(", ").count(",") >= width and row.count(", ") == width - 1:
        return ", "
    return ","


def _is_clock(time_s: RealArray) -> bool:
    """Whether times were measured: files that were calculated hold zeros, or count the rows."""
    step = time_s[1:] - time_s[:-1]
    if not np.count_nonzero(step):
        return False
    return not (time_s.item(0) in (0, 1) and np.count_nonzero(step == 1) == step.size)


def _quality(grid: Grid, column: int | None, notes: Notes) -> IntArray | None:
    """Flag points with an error code; its meaning is the analyser's and not stated in the file."""
    codes = None if column is None else grid.optional(column)
    if column is None or codes is None or not np.count_nonzero(codes):
        return None
    found: dict[str, list[int]] = {}
    for row in np.flatnonzero(codes).tolist():
        found.setdefault(grid.rows[row][column].strip(), []).append(row + 1)
    notes.vendor["Err"] = {code: _counted(points) for code, points in found.items()}
    notes.warnings.append(
        f"{np.count_nonzero(codes)} points carry an error code in the column Err, whose meaning the file does not "
        "state; they are flagged unknown_code and kept out of fits."
    )
    return np.where(codes != 0, int(Quality.UNKNOWN_CODE), 0).astype(np.int64)


def _counted(points: Sequence[int]) -> str:
    shown = ", ".join(map(str, points[:_MOST_SHOWN]))
    return (
        f"point {shown}" if len(points) <= _MOST_SHOWN else f"point {shown} and {len(points) - _MOST_SHOWN} more"
    )


def _keep(grid: Grid, place: Mapping[str, int], notes: Notes) -> None:
    """Keep what the columns of settings say, each value once, unless the header already does."""
    for name, key in _SETTINGS.items():
        if name in place and key not in notes.vendor:
            values = list(dict.fromkeys(map(str.strip, dict.fromkeys(grid.text(place[name])))))
            more = f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else ""
            notes.vendor[key] = "; ".join(values[:_MOST_SHOWN]) + more
