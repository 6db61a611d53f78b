"""Princeton Applied Research text, as VersaStudio and the Parstat programs export it: a row of names and rows.

Usage
    ``eis.read("cell.txt")``; `eis.read_all` for files of several sweeps or segments.
Layout
    One row of names, ``Potential (V)``, ``Current (A)``, ``Elapsed Time (s)``, ``Frequency (Hz)``, ``Zre
    (ohms)``, ``Zim (ohms)`` and others in any order, with a tabulator at its end; rows in full precision.
Units and sign
    In the names; Zim stands as it is, capacitive negative.
Uncertainty
    None is stored.
Known variants
    Steps of direct current between the sweeps, which are rows at 0 Hz; a column ``Segment``, each a spectrum of
    its own; rows with commas or semicolons.
Source of the facts
    One exported file; for the column ``Segment`` and commas, programs that read such tables.
"""

from __future__ import annotations

from collections.abc import Callable

from eis.readers.cells import Grid, read_grid
from eis.readers.headed import extras, find, impedance
from eis.readers.marks import Mark
from eis.readers.remembered import remembered
from eis.readers.source import Source
from eis.readers.sweeps import spectra
from eis.spectrum import RealArray, Spectrum

NAME: str = "Parstat text"
SUFFIXES: tuple[str, ...] = (".txt", ".csv")

_OWN = {"Frequency (Hz)", "Zre (ohms)", "Zim (ohms)"}
_EXTRAS = {
    "Potential (V)": "e_dc_v",
    "Current (A)": "i_dc_a",
    "Elapsed Time (s)": "time_s",
    "|Vac| (V)": "e_ac_v",
    "|Iac| (A)": "i_ac_a",
}
_SEGMENTS = ("Segment", "Segment #")
_EXPORT = "Export the measurement again with Frequency (Hz), Zre (ohms) and Zim (ohms)."
MARKS: tuple[Mark, ...] = tuple(Mark(f"column {name}", holds=(name,)) for name in sorted(_OWN, reverse=True))


def recognises(source: Source) -> bool:
    """Whether the first line names frequency, Zre and Zim as these programs do."""
    line = source.first_line
    return "Zre (ohms)" in line and _OWN.issubset(_understood((line,)))


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a Parstat text file: one for every segment and sweep.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With potential, current and time of every point, if the file has them.

    Raises
    ------
    ReadError
        If a needed column is missing or double, there are no rows above 0 Hz, or a cell is not a number.
    """
    notes = source.notes()
    line = source.lines[0]
    names = _understood((line,))
    head = find(source, names, 0, _EXPORT)
    quoted = b'"' in source.raw
    split = _splitter(line) if quoted else _separator(line)
    grid = read_grid(source, notes, names, 1, len(source.lines), split)
    grid.foresee([at for at, name in enumerate(names) if name in _OWN or name in _EXTRAS or name in _SEGMENTS])
    frequency, z = impedance(grid, head)
    segment = _segment(grid)
    columns = extras(grid, _EXTRAS)
    found = spectra(source, notes, NAME, frequency, z, grid.lines, columns=columns, cycle=segment)
    if segment is not None:
        notes.vendor["segments"] = sorted({float(number) for number in segment[frequency > 0]})
        found = [spectrum.with_metadata(vendor=dict(notes.vendor)) for spectrum in found]
    return found


def _segment(grid: Grid) -> RealArray | None:
    for name in _SEGMENTS:
        if grid.names.count(name) == 1:
            return grid.optional(grid.names.index(name))
    return None


@remembered
def _understood(row: tuple[str, ...]) -> list[str]:
    (line,) = row
    cells = [cell.strip() for cell in _splitter(line)(line)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _separator(line: str) -> str:
    return next((one for one in ("\t", ";") if one in line), ",")


def _splitter(line: str) -> Callable[[str], list[str]]:
    separator = _separator(line)
    return lambda text: [cell.strip('"') if '"' in cell else cell for cell in text.split(separator)]
