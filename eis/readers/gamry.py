"""Gamry Framework `.DTA`: the ZCURVE tables of potentiostatic, galvanostatic and any other impedance.

Usage
    ``eis.read("cell.DTA")``; `eis.read_all` where several curves are in a file.
Layout
    ``EXPLAIN``, ``TAG EISPOT`` (or ``GALVEIS``, …), settings as key, type, value and label between tabulators,
    notes of the user; tables with a name, ``TABLE`` and often the number of points, a row of names, a row of
    units, indented rows. The curve of the open circuit (``OCVCURVE``) may stand before the impedance
    (``ZCURVE``).
Units and sign
    As the row of units says; ``Zimag`` stands as it is, capacitive negative. What was measured is the impedance;
    values corrected for drift, if there are some, become columns of their own. Every overload becomes a flag of
    its point.
Uncertainty
    None is stored. ``Zmod`` repeats the parts; a row in which they disagree is named.
Known variants
    Runs that were aborted (``EXPERIMENTABORTED``); rows without a tabulator, or parted by spaces; numbers that
    begin with the point; decimal commas; free text between the settings; several curves; harmonics and other
    columns, which are left out; saved as `.txt`. Whatever its tag, a file with a ZCURVE is impedance; one
    frequency against time or potential (``EISMON``, Mott-Schottky) is no spectrum and is refused.
Source of the facts
    The help pages of Framework (data files, overloads), and exported files of Framework 5 to 7.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eis.errors import ReadError
from eis.readers.cells import Grid, is_number, read_grid, shorten
from eis.readers.headings import Quantity, unit_scale
from eis.readers.marks import Mark
from eis.readers.remembered import remembered
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.readers.table_coordinates import doubt
from eis.spectrum import ComplexArray, IntArray, Quality, RealArray, Spectrum

NAME: str = "Gamry DTA"
SUFFIXES: tuple[str, ...] = (".dta", ".txt")

_MOST_CURVES = 10_000
_CURVE = re.compile(r"ZCURVE\d*\tTABLE(?:\t\s*(\d{1,9})?.*)?\s*")
_NEEDED: dict[str, Quantity] = {"Freq": "frequency", "Zreal": "real", "Zimag": "imag"}
_OPTIONAL = {
    "Time": ("time_s", "s"),
    "Vdc": ("e_dc_v", "V"),
    "Idc": ("i_dc_a", "A"),
    "ZrealDrCor": ("z_real_drift_corrected_ohm", "ohm"),
    "ZimagDrCor": ("z_imag_drift_corrected_ohm", "ohm"),
}
_MODULUS = "Zmod"
_AGREES = 1e-3
"""How far Zmod may be from the modulus of Zreal and Zimag, relative; all have six digits or more."""
_OVERLOADS = {
    0: Quality.TIMING,
    1: Quality.OVERLOAD,
    2: Quality.OVERLOAD,
    4: Quality.OVERLOAD,
}
"""Flag by place in the Over string: timing, electrometer, control amplifier, current; the others only warn."""
MARKS: tuple[Mark, ...] = (
    Mark("EXPLAIN at the beginning", begins=("EXPLAIN",)),
    Mark("line TAG", holds=("\nTAG\t",)),
    Mark("table ZCURVE", holds=("ZCURVE",)),
)


def recognises(source: Source) -> bool:
    """Whether the file begins like a Framework data file."""
    head = source.head
    return head.startswith("EXPLAIN") and ("\nTAG\t" in head or "\rTAG\t" in head)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a `.DTA` file: one for every ZCURVE table.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        As measured; drift-corrected values, if the file has them, are columns of their own.

    Raises
    ------
    ReadError
        If there is no ZCURVE table, a needed column is missing, or a cell is not a number.
    """
    lines = source.lines
    bare = [number for number, line in enumerate(lines) if line[:1] != "\t"]  # nearly all others are rows
    curves = [
        (number, match)
        for number in bare
        if lines[number][:6] == "ZCURVE" and (match := _CURVE.fullmatch(lines[number]))
    ]
    tag = next((line.split("\t")[1] for line in lines[:20] if line.startswith("TAG\t")), "?")
    if not curves:
        raise source.fail(
            f"There is no ZCURVE table; the file says its experiment is {shorten(tag)}",
            mend="Choose an impedance file (EISPOT, GALVEIS, …); if it is one, it stopped before its first point.",
        )
    if len(curves) > _MOST_CURVES:
        raise source.fail(
            f"The file holds {len(curves)} ZCURVE tables; no more than {_MOST_CURVES} are read from one",
            line=curves[_MOST_CURVES][0] + 1,
            mend="Split the file.",
        )
    said = Notes()
    _settings(lines, bare[: bisect_left(bare, curves[0][0]) + 1], said)
    if any(lines[number].startswith("EXPERIMENTABORTED") and "\tT" in lines[number] for number in bare):
        said.status = "aborted"
    whole = [(number, match) for number, match in curves if _has_rows(lines, number)]
    if whole and len(whole) < len(curves):
        empty = sorted({number for number, _ in curves} - {number for number, _ in whole})
        said.dropped += [f"The ZCURVE table in line {number + 1}, which has no rows." for number in empty[:20]]
    found: list[Spectrum] = []
    for number, match in whole or curves:  # without any row, reading the first says so
        notes = source.notes()
        notes.vendor, notes.acquired, notes.status = dict(said.vendor), said.acquired, said.status
        notes.dropped += said.dropped
        below = bare[bisect_left(bare, number + 3) :]
        end = next((one for one in below if not _is_row(lines[one])), len(lines))
        found += _curve(source, notes, number, end, int(match[1]) if match[1] else None)
    if len(curves) > 1:
        found = [spectrum.with_metadata(cycle=place + 1) for place, spectrum in enumerate(found)]
    return found


def _curve(source: Source, notes: Notes, start: int, end: int, stated: int | None) -> list[Spectrum]:
    """Return the spectra of the table that is named in line `start` and reaches to line `end` (from 0)."""
    lines = source.lines
    if start + 2 >= len(lines):
        raise source.fail("The ZCURVE table ends after its name", line=start + 1, mend="Copy the file again.")
    table = _understood((lines[start + 1], lines[start + 2]))
    names = table.names
    if not table.needed:
        raise _no_columns(source, names, start + 1)
    width = len(names)

    def split(line: str) -> list[str]:
        cells = line.split()
        return cells if len(cells) == width else line.rstrip().removeprefix("\t").split("\t")

    status = notes.status
    grid = read_grid(source, notes, names, start + 3, end, split, indented_by="\t")
    notes.status = status or notes.status
    grid.foresee(table.wanted)
    if (odd := next((one for one in table.needed if one.scale is None), None)) is not None:
        raise _unknown_unit(source, odd.unit, odd.name, start + 2)
    frequency, real, imaginary = (_numbers(grid, one) for one in table.needed)
    if _is_one_frequency(frequency):
        raise source.fail(
            f"All {frequency.size} points are at one frequency ({frequency[0]:g} Hz), so this is no spectrum",
            line=grid.lines[0],
            mend="It may be a monitoring (EISMON) or a Mott-Schottky scan; choose a frequency sweep.",
        )
    columns: dict[str, RealArray] = {}
    for ours, at in table.beside:
        values = grid.optional(at)
        if values is not None:
            columns[ours] = values
    if "ZrealDrCor" in names:
        notes.warnings.append(
            "The file also holds drift-corrected values (ZrealDrCor, ZimagDrCor); the impedance is the measured "
            "one (Zreal, Zimag)."
        )
    if stated is not None and stated != len(grid.rows):
        notes.warnings.append(f"The header says {stated} points; there are {len(grid.rows)}.")
    if "Pt" in names and (point := grid.optional(names.index("Pt"))) is not None and _skips(point):
        notes.warnings.append(
            "The point numbers (Pt) are not consecutive: points were removed or the file was edited."
        )
    quality = _quality(grid, names, notes)
    z = rectangular(real, imaginary)
    doubted = [] if table.modulus is None else _compare(grid, table.modulus, z)
    found = spectra(source, notes, NAME, frequency, z, grid.lines, columns=columns, quality=quality)
    return [doubt(one, doubted) for one in found] if doubted else found


def _numbers(grid: Grid, one: _Needed) -> RealArray:
    """Return a column in Hz or ohm."""
    values = grid.numbers(one.at)
    if one.scale in (None, 1.0):
        return values
    grid.notes.convert(f"{one.name} was converted from {one.unit}.")
    with np.errstate(over="ignore"):
        return values * one.scale


def _compare(grid: Grid, modulus: _Needed, z: ComplexArray) -> list[str]:
    """Note the rows whose Zmod is not that of Zreal and Zimag; return a doubt if most are."""
    values = grid.optional(modulus.at)
    if values is None or modulus.scale is None:
        return []
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(z)
        alike = np.abs(values * modulus.scale - size) <= _AGREES * size
    n = int(alike.size - np.count_nonzero(alike))
    if not n:
        return []
    said = f"Zmod is not the modulus of Zreal and Zimag in {n} {'row' if n == 1 else 'rows'}, the first in line "
    said += f"{grid.lines[int(alike.argmin())]}: "
    if 2 * n > alike.size:
        return [said + "the columns are not what they are called, or of another unit."]
    grid.notes.warnings.append(said + "a cell was changed or damaged.")
    return []


@dataclass(frozen=True)
class _Needed:
    """A column an impedance is made of; the scale (to Hz or ohm) is None if the unit as printed is no such one."""

    name: str
    at: int
    unit: str
    scale: float | None


@dataclass(frozen=True)
class _Table:
    """What the rows of names and units say; `needed` is empty unless each needed column is there once.

    `modulus` is the column |Z| if there is one.
    """

    names: list[str]
    needed: list[_Needed]
    modulus: _Needed | None
    beside: list[tuple[str, int]]
    wanted: list[int]


@remembered
def _understood(rows: tuple[str, ...]) -> _Table:
    names, units = rows[0].split(), rows[1].strip("\t ").split("\t")
    units += [""] * (len(names) - len(units))
    needed = []
    if all(names.count(name) == 1 for name in _NEEDED):
        for name, quantity in _NEEDED.items():
            at = names.index(name)
            needed.append(_Needed(name, at, units[at], unit_scale(quantity, units[at])))
    beside = [
        (ours, names.index(name))
        for name, (ours, unit) in _OPTIONAL.items()
        if name in names and units[names.index(name)] == unit
    ]
    modulus = None
    if names.count(_MODULUS) == 1:
        at = names.index(_MODULUS)
        modulus = _Needed(_MODULUS, at, units[at], unit_scale("real", units[at]))
    read = {*_NEEDED, *_OPTIONAL, _MODULUS, "Pt"}
    return _Table(names, needed, modulus, beside, [at for at, name in enumerate(names) if name in read])


def _is_one_frequency(frequency: RealArray) -> bool:
    n = frequency.size
    if n < 2 or frequency.item(0) != frequency.item(n - 1):
        return False
    return bool(np.count_nonzero(frequency == frequency.item(0)) == n)


def _skips(point: RealArray) -> bool:
    return bool(np.count_nonzero(point[1:] - point[:-1] != 1))


def _has_rows(lines: Sequence[str], start: int) -> bool:
    """Whether a row follows the names and units of a table, empty lines aside."""
    number = next((n for n in range(start + 3, len(lines)) if lines[n] and not lines[n].isspace()), None)
    return number is not None and _is_row(lines[number])


def _is_row(line: str) -> bool:
    """Whether a line belongs to a table: it is indented, or begins with a number."""
    return line[:1].isspace() or not line or is_number(line.split(maxsplit=1)[0])


def _no_columns(source: Source, names: Sequence[str], line: int) -> ReadError:
    wrong = next(name for name in _NEEDED if names.count(name) != 1)
    return source.fail(
        f"Expected one column {wrong}, found {names.count(wrong)}; the columns are "
        f"{shorten(', '.join(names), 200)}",
        line=line + 1,
        mend="Export the curve again with Pt, Time, Freq, Zreal, Zimag.",
    )


def _unknown_unit(source: Source, unit: str, name: str, line: int) -> ReadError:
    return source.fail(
        f"The unit of {name} is {shorten(unit)}, which does not tell Hz or ohm",
        line=line + 1,
        mend="Correct the row of units below the column names.",
    )


def _quality(grid: Grid, names: Sequence[str], notes: Notes) -> IntArray | None:
    """Translate the Over column: one place per kind of overload, a full stop where there was none."""
    if "Over" not in names:
        return None
    flags = np.zeros(len(grid.rows), dtype=np.int64)
    marks = grid.text(names.index("Over"))
    for row, text in enumerate(marks if any(text.strip(". \t") for text in dict.fromkeys(marks)) else ()):
        for place, mark in enumerate(text.strip()):
            if mark != ".":
                flags[row] |= int(_OVERLOADS.get(place, Quality.OVERLOAD_WARNING))
    n = int(np.count_nonzero(flags))
    if n:
        notes.warnings.append(
            f"{n} points carry an overload mark in the column Over; their quality flags say which."
        )
    return flags


def _settings(lines: Sequence[str], bare: Sequence[int], notes: Notes) -> None:
    """Keep ``KEY TYPE VALUE LABEL`` lines, and the lines of free text that follow NOTES.

    `bare` are the places of the lines that are not indented, up to that of the first curve, not looked at itself.
    """
    key = ""
    for number, below in pairwise(bare):
        line = lines[number]
        cells = line.split("\t")
        if cells[0] and len(cells) > 2 and cells[1] != "TABLE":
            key = cells[0]
            notes.vendor[key] = cells[2]
        elif len(cells) == 1 and key != "NOTES" and line.strip() and line.strip() != "EXPLAIN":
            key = ""
            notes.vendor.setdefault("remarks", []).append(line.strip())
        elif len(cells) > 1 and cells[0]:
            key = ""
            if len(cells) == 2:
                notes.vendor[cells[0]] = cells[1]
        elif key == "NOTES":
            _note(line, notes)
        if key == "NOTES":  # elsewhere indented lines are the rows of another table
            for indented in lines[number + 1 : below]:
                _note(indented, notes)
    when = [str(notes.vendor[key]) for key in ("DATE", "TIME") if key in notes.vendor]
    notes.acquired = " ".join(when) or None


def _note(line: str, notes: Notes) -> None:
    if text := line.strip():
        stored = notes.vendor.get("notes")
        notes.vendor["notes"] = f"{stored}\n{text}" if stored else text
