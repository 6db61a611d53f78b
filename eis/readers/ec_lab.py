"""BioLogic EC-Lab and BT-Lab text: `.mpt` files and column exports with `.txt`.

Usage
    ``eis.read("cell.mpt")``; `eis.read_all` for files of several electrodes, cycles, loops or sequences.
Layout
    ``EC-Lab ASCII FILE``, then ``Nb header lines : N``, where line N is the row of names; settings between them,
    the values of sequences in columns of 20 characters. Cells are separated by tabulators, with one at the end. A
    column export begins with the row of names; a header of three lines holds no settings and no date.
Units and sign
    See `eis.readers.ec_lab_columns`; ``-Im(Z)`` is turned. Numbers have decimal commas on many computers, whatever
    the header has, so that is told from the rows. Dates are day or month first, and are kept verbatim.
Uncertainty
    None is stored.
Known variants
    Two or three electrodes, stacks; magnitude and phase; loops (``Loop 0 from point number 0 to 78``); columns
    that repeat; ``XXX`` where nothing was measured; no rows at all.
Source of the facts
    Exported files of EC-Lab 9 to 11.6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import read_grid, shorten
from eis.readers.ec_lab_columns import EXPORT, Columns, no_frequency
from eis.readers.ec_lab_names import has_frequency
from eis.readers.ec_lab_sweeps import spectra_of
from eis.readers.marks import Mark
from eis.readers.remembered import remembered_lines
from eis.readers.source import Notes, Source
from eis.spectrum import RealArray, Spectrum

NAME: str = "BioLogic EC-Lab text"
SUFFIXES: tuple[str, ...] = (".mpt", ".txt")

_FIRST_LINES = ("EC-Lab ASCII FILE", "BT-Lab ASCII FILE")
_SETTINGS_FILES = ("EC-LAB SETTING FILE", "BT-LAB SETTING FILE")
_BEGINNINGS = _FIRST_LINES + _SETTINGS_FILES
_LONGEST_ROW = 5000
_HEADER_LINES = re.compile(r"Nb header lines\s*:\s*([0-9]{1,9})\b")
_LOOP = re.compile(r"Loop ([0-9]{1,9}) from point number ([0-9]{1,9}) to ([0-9]{1,9})\s*")
_FREQUENCY = "freq/Hz"
_SETTING_WIDTH = 20
_LAST_OF_KEY = _SETTING_WIDTH - 1
MARKS: tuple[Mark, ...] = (
    Mark("EC-Lab ASCII FILE at the beginning", begins=_BEGINNINGS),
    Mark("'Nb header lines'", holds=("Nb header lines",)),
    Mark(f"column {_FREQUENCY}", holds=(_FREQUENCY,)),
)


def recognises(source: Source) -> bool:
    """Whether the file says it is EC-Lab text, or its first line names EC-Lab's frequency column."""
    line = source.first_line
    return line.startswith(_BEGINNINGS) or (_FREQUENCY in line[:_LONGEST_ROW] and _FREQUENCY in _names(line))


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of an EC-Lab text file: one for every electrode, loop, sequence, cycle and sweep.

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
    if source.lines[0].startswith(_SETTINGS_FILES):
        raise source.fail(
            "This is a file of settings (.mps), which holds no data",
            line=1,
            mend="Choose the .mpr or .mpt file of the same name.",
        )
    at, names = _column_row(source, notes)
    loops = _settings(source.lines[:at], notes)
    if not has_frequency(names):
        raise no_frequency(source, notes, names, at + 1)
    grid = read_grid(source, notes, names, at + 1, len(source.lines), "\t")
    columns = Columns(
        source,
        notes,
        names,
        numbers=grid.numbers,
        optional=grid.optional,
        same=lambda one, other: grid.text(one) == grid.text(other),
        lines=grid.lines,
        names_line=at + 1,
        foresee=grid.foresee,
    )
    return spectra_of(columns, NAME, _loop_of_rows(loops, len(grid.rows), notes))


def _column_row(source: Source, notes: Notes) -> tuple[int, tuple[str, ...]]:
    """Return where the row of names stands (from 0), by the count in the header or by its words, and the names."""
    lines = source.lines
    if not lines[0].startswith(_FIRST_LINES):
        return 0, _names(lines[0])
    count = _HEADER_LINES.match(lines[1]) if len(lines) > 1 else None
    stated = int(count[1]) if count else 0
    if 2 < stated <= len(lines) and "\t" in lines[stated - 1]:
        names = _names(lines[stated - 1])
        if has_frequency(names) or any("Ohm" in name for name in names):
            return stated - 1, names
    for number, line in enumerate(lines):
        if _FREQUENCY in line and _FREQUENCY in (names := _names(line)):
            notes.warnings.append(
                f"The header says it has {stated or 'no'} lines; the column names stand in line {number + 1}."
            )
            return number, names
    technique = _technique(lines[2 : max(stated - 1, 2)])
    raise source.fail(
        f"The header says it has {stated or 'no'} lines, but no line names the column {_FREQUENCY}"
        + (f"; the technique is {shorten(technique)}" if technique else ""),
        line=min(max(stated, 1), len(lines)),
        mend=EXPORT,
    )


def _names(line: str) -> tuple[str, ...]:
    return tuple(map(str.strip, line.rstrip().split("\t")))


def _technique(header: Sequence[str]) -> str:
    """Return the first line of the header that says something, unless it is already a setting."""
    first = next((line.strip() for line in header if line.strip()), "")
    return "" if " : " in first else first


def _settings(header: Sequence[str], notes: Notes) -> list[tuple[int, int, int]]:
    """Keep what the header says, and return its loops: number, first and last row."""
    loops = []
    vendor = notes.vendor
    technique = _technique(header[2:])
    if technique:
        vendor["technique"] = technique
    for line, (key, value) in zip(header[2:], _said(header[2:]), strict=True):
        if key == "Comments" and key in vendor:
            vendor[key] = f"{vendor[key]}\n{value}"
        elif key:
            vendor[key] = value if isinstance(value, str) else list(value)
        elif value and (match := _LOOP.fullmatch(line)):
            loops.append((int(match[1]), int(match[2]), int(match[3])))
        elif value and value != technique:
            vendor.setdefault("remarks", []).append(value)
    notes.acquired = vendor.get("Acquisition started on") or vendor.get("Technique started on")
    return loops


@remembered_lines
def _said(line: str) -> tuple[str, str | tuple[str, ...]]:
    """Return key and value of a line of the header, or no key and a remark; nearly all lines are in every file.

    Lines are ``key : value``, or columns of 20 characters with one value for every sequence.
    """
    key, colon, value = line.partition(" : ")
    if colon:
        key, value = key.strip(), value.strip()
        if key and value:
            return key, value
    elif _is_in_columns(line) and not _LOOP.fullmatch(line):
        key, rest = line[:_SETTING_WIDTH].strip(), line[_SETTING_WIDTH:].rstrip()
        if not key or not rest:
            return "", ""
        if len(rest) <= _SETTING_WIDTH:  # one sequence, as nearly always
            return key, rest.lstrip()
        starts = range(0, len(rest), _SETTING_WIDTH)
        return key, tuple(rest[start : start + _SETTING_WIDTH].strip() for start in starts)
    text = line.strip()
    return "", text if text[-1:] != ":" else ""


def _is_in_columns(line: str) -> bool:
    return len(line) > _SETTING_WIDTH and line[_LAST_OF_KEY] == " " and line[0] != "\t"


def _loop_of_rows(loops: Sequence[tuple[int, int, int]], n_rows: int, notes: Notes) -> RealArray | None:
    """Return the loop of every row; None if there is only one, or if what the header says cannot be."""
    if not loops:
        return None
    numbers, first, last = np.array(loops, dtype=np.float64).T
    whole = first[0] == 0 and bool((first[1:] == last[:-1] + 1).all() and (last >= first).all())
    if not whole:
        notes.warnings.append("The loops of the header overlap or leave rows out; they were not used.")
        return None
    if last[-1] + 1 != n_rows:
        notes.warnings.append(
            f"The header says {last[-1] + 1:.0f} points in {len(loops)} loops; there are {n_rows}."
        )
    if len(loops) == 1:
        return None
    place = np.searchsorted(first, np.arange(n_rows), side="right") - 1
    of_rows: RealArray = numbers[place]
    return of_rows
