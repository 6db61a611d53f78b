"""PowerSuite text of Princeton Applied Research: frequency, Zre and Zimg.

Usage
    ``eis.read("cell.txt")``.
Layout
    ``Frequency``, ``Zre`` and ``Zimg`` with tabulators and spaces, rows below. Lines end with two carriage
    returns and a line feed, so that other programs show empty lines between them.
Units and sign
    The file states none: Hz and ohm. Zimg stands as it is, capacitive negative. Frequencies rise.
Uncertainty
    None is stored.
Known variants
    Negative Zre at the highest frequencies, which stays; decimal commas.
Source of the facts
    One exported file.
"""

from __future__ import annotations

import numpy as np

from eis.readers.cells import read_grid
from eis.readers.headed import doubt_last_number, find, impedance
from eis.readers.marks import Mark
from eis.readers.source import Source
from eis.readers.sweeps import spectra
from eis.spectrum import Spectrum

NAME: str = "PowerSuite text"
SUFFIXES: tuple[str, ...] = (".txt",)

_OWN = ("Frequency", "Zre", "Zimg")
_EXPORT = "Export the measurement again with Frequency, Zre and Zimg."
MARKS: tuple[Mark, ...] = tuple(Mark(f"column {name}", holds=(name,)) for name in reversed(_OWN))


def recognises(source: Source) -> bool:
    """Whether the first line names the columns as PowerSuite does."""
    line = source.first_line
    return "Zimg" in line and _names(line)[:3] == list(_OWN)


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of a PowerSuite text file.

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
        If there are no rows, or a cell is not a number.
    """
    notes = source.notes()
    names = _names(source.lines[0])
    head = find(source, names, 0, _EXPORT)
    grid = read_grid(source, notes, names, 1, len(source.lines), "\t")
    frequency, z = impedance(grid, head)
    doubt_last_number(grid)
    negative = np.count_nonzero(z.real < 0)
    if negative:
        notes.warnings.append(
            f"The real part of {negative} points is negative, as it is where the instrument no longer follows; "
            "they were kept as they stand."
        )
    return spectra(source, notes, NAME, frequency, z, grid.lines)


def _names(line: str) -> list[str]:
    return [name.strip() for name in line.strip().split("\t")]
