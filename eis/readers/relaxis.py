"""RelaxIS 3 spectrum export: text with the data of one or more spectra at full precision.

Usage
    ``eis.read("cell_RelaxIS.txt")``; `eis.read_all` where several spectra are in a file.
Layout
    ``RelaxIS 3.0 Spectrum export``, ``Date: …``, the names of the columns (``Data: Frequency``, ``Data: Z'``, …);
    then for every spectrum a row that describes it (``DC=…, TM=…, …``, the model, the file it came from) and its
    points. Cells are separated by tabulators; frequencies usually rise.
Units and sign
    The names carry none: Hz and ohm. ``Z''`` stands as it is, capacitive negative; ``-Z''`` would be turned.
Uncertainty
    None is stored.
Known variants
    Decimal commas; columns of a model (``Model: Z'``), which are left out. The row that describes a spectrum
    holds what the user or the import put there (a temperature ``TM`` may be another than that of the sample), so
    it is kept as it stands and never used.
Source of the facts
    An export of RelaxIS 3.0; exports of several spectra were not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eis.readers.cells import Grid, is_number, read_grid, shorten
from eis.readers.headed import doubt_last_number, find, impedance
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import spectra
from eis.spectrum import ComplexArray, Spectrum

NAME: str = "RelaxIS spectrum export"
SUFFIXES: tuple[str, ...] = (".txt",)

_TITLE_START, _TITLE_END = "RelaxIS 3", "Spectrum export"
_DATA = "Data: "
_MOST_LINES_ABOVE = 20
_LONGEST_TITLE = 200
_MOST_SPECTRA = 10_000
_MODULUS, _PHASE = "|Z|", "Theta (Z)"
_AGREES = 1e-6
_EXPORT = "Export the spectrum again from RelaxIS with frequency, Z' and Z''."
_UNTRUSTED = "description (as the user or the import put it, not verified)"
MARKS: tuple[Mark, ...] = (
    Mark(f"'{_TITLE_START}' at the beginning", begins=(_TITLE_START,)),
    Mark(f"'{_TITLE_END}'", holds=(_TITLE_END,)),
    Mark(f"columns '{_DATA}…'", holds=(_DATA,)),
)


def recognises(source: Source) -> bool:
    """Whether the first line is the title of the export."""
    first = source.head[:_LONGEST_TITLE].replace("\r", "\n").split("\n", 1)[0].strip()
    return first.startswith(_TITLE_START) and first.endswith(_TITLE_END)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of an export.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With `cycle` in the metadata if there are several.

    Raises
    ------
    ReadError
        If a needed column is missing or double, a row is no data, or a cell is not a number.
    """
    lines = source.lines
    at = next((n for n, line in enumerate(lines[:_MOST_LINES_ABOVE]) if line.startswith(_DATA)), None)
    if at is None:
        raise source.fail("No line names the columns (Data: Frequency, Data: Z', Data: Z'')", line=1, mend=_EXPORT)
    names = [name.strip() for name in lines[at].split("\t")]
    while names and not names[-1]:
        names.pop()
    blocks = _blocks(source, at)
    found: list[Spectrum] = []
    for description, first, last in blocks:
        notes = _notes(source, lines[:at], description)
        found += _block(source, notes, names, at, first, last)
    if len(blocks) > 1:
        found = [spectrum.with_metadata(cycle=place + 1) for place, spectrum in enumerate(found)]
    return found


def _blocks(source: Source, at: int) -> list[tuple[str, int, int]]:
    """Return every spectrum: the row that describes it, and where its points begin and end."""
    lines = source.lines
    starts = [
        number for number, line in enumerate(lines[at + 1 :], at + 1) if line.strip() and not _is_point(line)
    ]
    if not starts or any(_is_point(line) for line in lines[at + 1 : starts[0]]):
        raise source.fail(
            "The row that describes the spectrum is missing above its points", line=at + 2, mend=_EXPORT
        )
    if len(starts) > _MOST_SPECTRA:
        raise source.fail(
            f"The file holds {len(starts)} spectra; no more than {_MOST_SPECTRA} are read from one",
            line=starts[_MOST_SPECTRA] + 1,
            mend="Export fewer at a time.",
        )
    for number in starts:
        if "=" not in lines[number].split("\t")[0]:
            raise source.fail(
                f"Expected a point or a row such as 'DC=…, TM=…', found {shorten(lines[number])}",
                line=number + 1,
                mend="Correct or delete the line. " + _EXPORT,
            )
    ends = [*starts[1:], len(lines)]
    return [(lines[start], start + 1, end) for start, end in zip(starts, ends, strict=True)]


def _is_point(line: str) -> bool:
    first = line.split("\t", 1)[0].strip()
    return is_number(first.replace(",", ".", 1))


def _notes(source: Source, above: Sequence[str], description: str) -> Notes:
    notes = source.notes()
    for line in above:
        key, colon, value = line.partition(":")
        if key.strip() == "Date" and colon:
            notes.vendor["exported"] = value.strip()  # not when it was measured
        elif line.strip():
            notes.vendor.setdefault("title", line.strip())
    notes.vendor[_UNTRUSTED] = description
    return notes


def _block(source: Source, notes: Notes, names: Sequence[str], at: int, first: int, last: int) -> list[Spectrum]:
    data = [name.removeprefix(_DATA) if name.startswith(_DATA) else "" for name in names]
    head = find(source, data, at, _EXPORT)
    grid = read_grid(source, notes, names, first, last, "\t")
    frequency, z = impedance(grid, head)
    _compare(grid, data, z)
    if max(head.place.values()) == len(names) - 1:
        doubt_last_number(grid)
    return spectra(source, notes, NAME, frequency, z, grid.lines)


def _compare(grid: Grid, data: Sequence[str], z_ohm: ComplexArray) -> None:
    """Warn if magnitude and phase, which the file also holds, are not those of Z' and Z''."""
    with np.errstate(all="ignore"):
        for name, own in ((_MODULUS, np.abs(z_ohm)), (_PHASE, np.degrees(np.angle(z_ohm)))):
            if data.count(name) != 1 or (other := grid.optional(data.index(name))) is None:
                continue
            apart = np.flatnonzero(~(np.abs(other - own) <= _AGREES * np.abs(own)))
            if apart.size:
                grid.notes.warnings.append(
                    f"The column {name} differs from what Z' and Z'' give, first in line {grid.lines[apart[0]]}: "
                    "the file was edited or is damaged."
                )
