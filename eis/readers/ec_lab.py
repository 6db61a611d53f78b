"""BioLogic EC-Lab text: `.mpt` files and column exports with `.txt`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import Grid, read_grid, shorten
from eis.readers.source import Notes, Source
from eis.readers.sweeps import polar, rectangular, spectra
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "BioLogic EC-Lab text"
SUFFIXES: tuple[str, ...] = (".mpt", ".txt")

_FIRST_LINES = ("EC-Lab ASCII FILE", "BT-Lab ASCII FILE")
_HEADER_LINES = re.compile(r"Nb header lines\s*:\s*(\d{1,9})\b")
_FREQUENCY = "freq/Hz"
_PAIRS = (
    ("Re(Z)/Ohm", "-Im(Z)/Ohm", -1.0),
    ("Re(Z)/Ohm", "Im(Z)/Ohm", 1.0),
    ("Re(Zwe-ce)/Ohm", "-Im(Zwe-ce)/Ohm", -1.0),
    ("Re(Zce)/Ohm", "-Im(Zce)/Ohm", -1.0),
)
_OPTIONAL = (("time/s", "time_s", 1.0), ("<Ewe>/V", "e_dc_v", 1.0), ("<I>/mA", "i_dc_a", 1e-3))
_EXPORT = "Export again from EC-Lab with the columns freq/Hz, Re(Z)/Ohm and -Im(Z)/Ohm."


def recognises(source: Source) -> bool:
    """Whether the file says it is EC-Lab text, or its first line names EC-Lab's frequency column."""
    head = source.head
    return head.startswith(_FIRST_LINES) or _FREQUENCY in _names(head.split("\n", 1)[0])


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of an EC-Lab text file: one for every cycle or sweep.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Capacitive negative; the file holds −Im(Z).

    Raises
    ------
    ReadError
        If a needed column is missing, there are no rows, or a cell is not a number.
    """
    notes = source.notes()
    at = _column_row(source, notes)
    names = _names(source.lines[at])
    _settings(source.lines[:at], notes)
    if _FREQUENCY not in names:
        raise source.fail(
            f"There is no column {_FREQUENCY}; the columns are {shorten(', '.join(names), 200)}",
            line=at + 1,
            mend=_EXPORT,
        )
    grid = read_grid(source, notes, names, at + 1, len(source.lines), _split)
    frequency = grid.numbers(_only(grid, _FREQUENCY, at))
    z = _impedance(grid, at)
    columns = {}
    for name, ours, scale in _OPTIONAL:
        values = grid.optional(names.index(name)) if name in names else None
        if values is not None:
            columns[ours] = values * scale
    cycle = grid.optional(names.index("cycle number")) if "cycle number" in names else None
    return spectra(source, notes, NAME, frequency, z, grid.lines, columns=columns, cycle=cycle)


def _column_row(source: Source, notes: Notes) -> int:
    """Return where the row of column names stands (from 0), by the count in the header or by its words."""
    lines = source.lines
    if not lines[0].startswith(_FIRST_LINES):
        return 0
    count = _HEADER_LINES.match(lines[1]) if len(lines) > 1 else None
    stated = int(count[1]) if count else 0
    if 2 < stated <= len(lines) and any(name.endswith("/Ohm") for name in _names(lines[stated - 1])):
        return stated - 1
    for number, line in enumerate(lines):
        if _FREQUENCY in _names(line):
            notes.warnings.append(
                f"The header says it has {stated or 'no'} lines; the column names stand in line {number + 1}."
            )
            return number
    raise source.fail(
        f"The header says it has {stated or 'no'} lines, but no line names the column {_FREQUENCY}",
        line=min(max(stated, 1), len(lines)),
        mend=_EXPORT,
    )


def _names(line: str) -> list[str]:
    return line.rstrip().split("\t")


def _split(line: str) -> list[str]:
    return line.split("\t")


def _only(grid: Grid, name: str, line: int) -> int:
    """Return the column of a name; columns that repeat it must hold the same."""
    places = [at for at, other in enumerate(grid.names) if other == name]
    if any(grid.text(at) != grid.text(places[0]) for at in places[1:]):
        raise grid.source.fail(
            f"There are {len(places)} columns {name} and they differ",
            line=line + 1,
            mend="Export only one of them.",
        )
    return places[0]


def _impedance(grid: Grid, line: int) -> ComplexArray:
    names = grid.names
    for real, imaginary, sign in _PAIRS:
        if real in names and imaginary in names:
            if real != "Re(Z)/Ohm":
                grid.notes.convert(f"The impedance is that of {real} and {imaginary}; there is no Re(Z)/Ohm.")
            x, y = grid.numbers(_only(grid, real, line)), grid.numbers(_only(grid, imaginary, line))
            if sign < 0:
                grid.notes.convert(f"The sign of {imaginary} was flipped: here capacitive is negative.")
            return rectangular(x, sign * y)
    if "|Z|/Ohm" in names and "Phase(Z)/deg" in names:
        grid.notes.convert("Magnitude and phase were converted to real and imaginary part.")
        phase: RealArray = np.deg2rad(grid.numbers(_only(grid, "Phase(Z)/deg", line)))
        return polar(grid.numbers(_only(grid, "|Z|/Ohm", line)), phase)
    raise grid.source.fail(
        f"There is no impedance column; the columns are {shorten(', '.join(names), 200)}",
        line=line + 1,
        mend=_EXPORT,
    )


def _settings(header: Sequence[str], notes: Notes) -> None:
    """Keep what the header says: ``key : value`` lines, and the table of settings in columns of 20 characters."""
    for line in header[2:]:
        key, colon, value = line.partition(" : ")
        if not colon:
            key, value = line[:20], line[20:]
        key, value = key.strip(), value.strip()
        if key and value:
            notes.vendor[key] = value
            if key == "Acquisition started on":
                notes.acquired = value
