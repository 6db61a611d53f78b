"""CH Instruments text: what the program of the CHI potentiostats exports of an A.C. impedance measurement.

Usage
    ``eis.read("cell.txt")``.
Layout
    Date, ``A.C. Impedance``, lines ``key: value`` and ``key = value``, the names of the columns, an empty line,
    rows with commas and spaces. The lines above the settings may be missing.
Units and sign
    ``Freq/Hz, Z'/ohm, Z"/ohm, Z/ohm, Phase/deg``; Z" stands as it is, capacitive negative. Four digits.
Uncertainty
    None is stored. Modulus and phase repeat Z' and Z"; a row in which they disagree is named.
Known variants
    Rows with tabulators or spaces. The frequencies of the settings need not be those of the rows, which is
    noted.
Source of the facts
    Two files of a CHI660E, and shorter samples in the documents of converters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import Grid, is_number, read_grid
from eis.readers.headed import find, impedance
from eis.readers.marks import Mark
from eis.readers.remembered import remembered_lines
from eis.readers.source import Notes, Source
from eis.readers.sweeps import spectra
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "CH Instruments text"
SUFFIXES: tuple[str, ...] = (".txt", ".csv")

_TECHNIQUE = "A.C. Impedance"
_FIRST_NAME = "Freq/Hz"
_NAMES = re.compile(rf"[ \t]*{_FIRST_NAME}[ \t]*[,\t ][ \t]*Z'/ohm\b")
_MODULUS = "Z/ohm"
_DATE = re.compile(r"[A-Z][a-z]{2}[a-z]*\.? [0-9]{1,2}, [0-9]{4}\b.*")
_FIRST_LINES, _BEGINNING = 8, 2000
_AGREE = 0.01
"""Largest relative difference of the modulus from Z′ and Z″: several times what four printed digits leave."""
_REACHED = 0.9
_EXPORT = "Export the impedance again as text, with Freq/Hz, Z'/ohm and Z\"/ohm."
MARKS: tuple[Mark, ...] = (
    Mark(f"technique {_TECHNIQUE}", holds=(_TECHNIQUE,)),
    Mark(f"column {_FIRST_NAME}", holds=(_FIRST_NAME,)),
    Mark("column Z'/ohm", holds=("Z'/ohm",)),
)


def recognises(source: Source) -> bool:
    """Whether one of the first lines names the technique, or a line the columns as the program does."""
    head = source.head
    if _TECHNIQUE not in head[:_BEGINNING] and ("'" not in head or _FIRST_NAME not in head):
        return False  # told without taking lines apart: one character is looked for in no time
    text = head.replace("\r", "\n")
    if _TECHNIQUE in map(str.strip, text.split("\n", _FIRST_LINES)[:_FIRST_LINES]):
        return True
    return any(map(_NAMES.match, text.split("\n")))


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of a CH Instruments text file.

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
        If no line names the columns, there are no rows, or a cell is not a number.
    """
    notes = source.notes()
    lines = source.lines
    at = next((number for number, line in enumerate(lines) if _FIRST_NAME in line and _NAMES.match(line)), None)
    if at is None:
        raise source.fail("No line names the columns (Freq/Hz, Z'/ohm, Z\"/ohm)", mend=_EXPORT)
    _settings(lines[:at], notes)
    separator = _separator(lines[at])
    names = [name.strip() for name in lines[at].strip(" \t,").split(separator)]
    head = find(source, names, at, _EXPORT)
    grid = read_grid(source, notes, names, at + 1, len(lines), separator or str.split)
    grid.foresee([*head.place.values(), *(at for at, name in enumerate(names) if name == _MODULUS)])
    frequency, z = impedance(grid, head)
    _compare_modulus(grid, z, notes)
    _compare_range(frequency, notes)
    return spectra(source, notes, NAME, frequency, z, grid.lines)


def _separator(names: str) -> str | None:
    """Return what stands between names; None for any number of spaces, as `str.split` has it."""
    return next((separator for separator in (",", "\t") if separator in names), None)


def _settings(header: Sequence[str], notes: Notes) -> None:
    """Keep ``key = value`` and ``key: value``; a line without either is a remark, as ``Imp SF`` is."""
    for text, key, value, is_date in _parts(header):
        if is_date and not notes.acquired and not notes.vendor:
            notes.acquired = " ".join(text.split())
        elif text == _TECHNIQUE:
            notes.vendor["technique"] = text
        elif key:
            if value:
                notes.vendor[key] = value
        elif text:
            notes.vendor.setdefault("remarks", []).append(text)


@remembered_lines
def _parts(line: str) -> tuple[str, str, str, bool]:
    """Return the text of a line; its key and value, if it has a key; whether it is a date."""
    text = line.strip()
    key, sign, value = text.partition(" = ")
    if not sign:
        key, sign, value = text.partition(":")
    return text, key.strip() if sign else "", value.strip(), bool(_DATE.fullmatch(text))


def _compare_modulus(grid: Grid, z: ComplexArray, notes: Notes) -> None:
    if grid.names.count(_MODULUS) != 1:
        return
    modulus = grid.optional(grid.names.index(_MODULUS))
    if modulus is None:
        return
    with np.errstate(over="ignore"):
        off = np.abs(np.abs(z) - modulus) > _AGREE * np.abs(modulus)
    if np.count_nonzero(off):
        wrong = np.flatnonzero(off)
        notes.warnings.append(
            f"The modulus Z/ohm is not that of Z' and Z\" in {wrong.size} rows, the first in line "
            f"{grid.lines[wrong[0]]}: the file may have been edited or damaged."
        )


def _compare_range(frequency_hz: RealArray, notes: Notes) -> None:
    """Note where the rows do not reach the frequencies of the settings."""
    positive = frequency_hz[frequency_hz > 0]
    if not positive.size:
        return
    for key, end, found in (
        ("High Frequency (Hz)", "up to", float(positive.max())),
        ("Low Frequency (Hz)", "down to", float(positive.min())),
    ):
        stated = str(notes.vendor.get(key, ""))
        if is_number(stated) and float(stated) > 0:
            ratio = found / float(stated) if end == "up to" else float(stated) / found
            if ratio < _REACHED:
                notes.warnings.append(f"The header says {key} = {stated}; the rows go {end} {found:g} Hz.")
