"""Eco Chemie Autolab FRA files: `.dfr`, a list of numbers, and `.P00`, a table with its procedure above.

Usage
    ``eis.read("cell.dfr")``, ``eis.read("cell.p00")``.
Layout
    `.dfr`: ``VERSION8.0``, the number of points, then one number in a line, nine for every point: frequency, Z′,
    −Z″ and six whose meaning the file does not state. `.P00`: the procedure, date and remarks, a row of names
    and units with tabulators (``f/Hz  Z'/Ohm  -Z''/Ohm  time/s  Edc/V  Idc/A``), the number of points, rows.
Units and sign
    `.dfr` names none: Hz and ohm, −Z″ is turned. `.P00` as the names say; ``-Z''`` is turned.
Uncertainty
    None is stored.
Known variants
    `.P00` with Z'' or −Z'', in ohm or kohm, the columns in any order; mantissas of two digits (``10.900e+01``).
    Other versions of `.dfr` than 8 are refused.
Source of the facts
    Notes on both layouts, and for `.P00` a sample that others made; no file of the program itself was seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import is_number, read_grid, shorten
from eis.readers.headed import check_count, extras, find, impedance
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.spectrum import RealArray, Spectrum

NAME: str = "Eco Chemie Autolab FRA"
SUFFIXES: tuple[str, ...] = (".dfr", ".p00")

_VERSION = re.compile(r"VERSION([0-9]{1,3})\.([0-9]{1,3})\s*")
_KNOWN_VERSION = "8"
_BLOCK = 9
_MOST_TRAILING_LINES = 100
_EXTRAS = {"time/s": "time_s", "Edc/V": "e_dc_v", "Idc/A": "i_dc_a"}
_WHEN = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2}")
_EXPORT = "Export the measurement again from the FRA program."
_TABLE = "Export the measurement as a table (.P00) with f/Hz, Z'/Ohm and -Z''/Ohm."
MARKS: tuple[Mark, ...] = (
    Mark("VERSION8 at the beginning or column f/Hz", begins=("VERSION8",), holds=("f/Hz",)),
    Mark("rows of an FRA program", holds=("Z'/Ohm", "Z'/kOhm", re.compile(r"\AVERSI.{1,8}\s+[0-9]{1,9}\s"))),
)


def recognises(source: Source) -> bool:
    """Whether the file begins with a version, a count and a number, or has a row of names and a count below it."""
    head = source.head
    if not source.first_line.startswith("VERSION") and "f/Hz" not in head:  # nearly every other file
        return False
    lines = _lines(head)
    if _is_list(lines):
        return True
    at = _names_line(lines)
    return at is not None and _count(lines, at) is not None


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of a `.dfr` or `.P00` file.

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
        If the version is not known, numbers are missing, a column is missing, or a cell is not a number.
    """
    notes = source.notes()
    return _list(source, notes) if _VERSION.fullmatch(source.lines[0]) else _table(source, notes)


def _lines(head: str) -> list[str]:
    return head.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _is_list(lines: Sequence[str]) -> bool:
    if len(lines) < 3 or not _VERSION.fullmatch(lines[0]):
        return False
    return _count_in(lines[1]) is not None and is_number(lines[2].replace(",", ".", 1))


def _count_in(line: str) -> int | None:
    """Return the number of points if a line holds nothing else."""
    text = line.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


# ---------------------------------------------------------------- the list of numbers, .dfr


def _list(source: Source, notes: Notes) -> list[Spectrum]:
    version = _VERSION.fullmatch(source.lines[0])
    stated = _count_in(source.lines[1]) if len(source.lines) > 1 else None
    if version is None or stated is None:
        raise source.fail("The second line does not hold the number of points", line=2, mend=_EXPORT)
    if version[1] != _KNOWN_VERSION:
        raise source.fail(
            f"The version is {shorten(source.lines[0].strip())}; only VERSION8 is known", line=1, mend=_TABLE
        )
    if not stated:
        raise source.fail("The file says it holds 0 points", line=2, mend="Choose another measurement.")
    notes.vendor["version"] = f"{version[1]}.{version[2]}"
    values, lines = _numbers(source, notes, stated * _BLOCK)
    blocks = values[: values.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    frequency, real, negative = blocks[:, 0], blocks[:, 1], blocks[:, 2]
    lines = lines[::_BLOCK][: len(blocks)]
    _must_run(source, frequency, lines)
    check_count(notes, stated, len(blocks))
    notes.convert("The file names no columns: they are frequency (Hz), Z' and -Z'' (ohm); the sign was flipped.")
    notes.dropped.append("Six further numbers of every point, whose meaning the file does not state.")
    return spectra(source, notes, f"{NAME} .dfr", frequency, rectangular(real, -negative), lines)


def _numbers(source: Source, notes: Notes, wanted: int) -> tuple[RealArray, list[int]]:
    """Return as many numbers as the blocks need, or fewer whole blocks if the file was cut; and their lines."""
    texts: list[str] = []
    lines: list[int] = []
    rest: list[str] = []
    for number, line in enumerate(source.lines[2:], 3):
        text = line.strip()
        if text and len(texts) < wanted:
            texts.append(text)
            lines.append(number)
        elif text:
            rest.append(text)
    if len(texts) < wanted or (len(texts) == wanted and not rest and source.unterminated):
        texts, lines = _cut(source, notes, texts, lines, wanted)
    if rest:
        if is_number(rest[0].replace(",", ".", 1)):
            raise source.fail(
                f"There are more numbers than {wanted // _BLOCK} points of {_BLOCK} have: {shorten(rest[0])}",
                line=lines[-1] + 1,
                mend="A line may be there twice, or the count is wrong. " + _EXPORT,
            )
        notes.vendor["after the points"] = rest[:_MOST_TRAILING_LINES]
    joined = " ".join(texts)
    if "," in joined and "." not in joined:
        notes.convert("Decimal commas were read as decimal points.")
        texts = [text.replace(",", ".") for text in texts]
    values = _floats(texts)
    if values is None:
        wrong = next((place for place, text in enumerate(texts) if not is_number(text)), 0)
        raise source.fail(
            f"Expected a finite number, found {shorten(texts[wrong])}",
            line=lines[wrong],
            mend="Correct the line. " + _EXPORT,
        )
    return values, lines


def _floats(texts: Sequence[str]) -> RealArray | None:
    """Return texts as finite numbers; None if one is not, or is what Python reads and no instrument prints."""
    joined = "".join(texts)
    if not joined.isascii() or "_" in joined:
        return None
    try:
        values = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _cut(
    source: Source, notes: Notes, texts: list[str], lines: list[int], wanted: int
) -> tuple[list[str], list[int]]:
    """Return the whole blocks of a file that ends too early; the last number is not trusted without a line end."""
    if len(texts) == wanted:
        return texts, lines  # the ninth number of the last point may be torn, and it is none that is used
    torn = source.unterminated and bool(lines) and lines[-1] == len(source.lines)
    whole = len(texts) // _BLOCK * _BLOCK
    if (len(texts) % _BLOCK and not torn) or not whole:
        raise source.fail(
            f"{wanted} numbers are expected ({wanted // _BLOCK} points of {_BLOCK}), found {len(texts)}",
            line=lines[-1] if lines else 2,
            mend="Lines are missing. Copy the file again. " + _EXPORT,
        )
    notes.status = "truncated"
    if len(texts) != whole:
        notes.dropped.append(f"The last {len(texts) - whole} numbers, which are no whole point: the file was cut.")
    return texts[:whole], lines[:whole]


def _must_run(source: Source, frequency_hz: RealArray, lines: Sequence[int]) -> None:
    """Refuse frequencies that neither fall nor rise, which is how a line too few or too many shows."""
    if frequency_hz.size < 3:
        return
    step = np.sign(np.diff(frequency_hz))
    way = step[np.flatnonzero(step)[:1]]
    wrong = np.flatnonzero(step == -way)
    back = wrong[frequency_hz[wrong + 1] == frequency_hz[0]]  # another sweep over the same frequencies
    bad = np.setdiff1d(wrong, back)
    if bad.size or (frequency_hz <= 0).any():
        row = int(bad[0]) + 1 if bad.size else int(np.argmax(frequency_hz <= 0))
        raise source.fail(
            f"Every ninth number should be a frequency; {frequency_hz[row]:g} Hz does not fit the others",
            line=lines[row],
            mend="A line may be missing or there twice. " + _EXPORT,
        )


# ---------------------------------------------------------------- the table, .P00


def _table(source: Source, notes: Notes) -> list[Spectrum]:
    lines = source.lines
    at = _names_line(lines)
    if at is None:
        raise source.fail("No line names the columns (f/Hz, Z'/Ohm, -Z''/Ohm)", mend=_EXPORT)
    counted = _count(lines, at)
    if counted is None:
        raise source.fail("No number of points stands below the names", line=at + 1, mend=_EXPORT)
    count_line, stated = counted
    _settings(lines[:at], notes)
    names = _names(lines[at])
    head = find(source, names, at, _EXPORT)
    grid = read_grid(source, notes, names, count_line + 1, len(lines), "\t")
    frequency, z = impedance(grid, head)
    check_count(notes, stated, len(grid.rows))
    columns = extras(grid, _EXTRAS)
    return spectra(source, notes, f"{NAME} .P00", frequency, z, grid.lines, columns=columns)


def _names(line: str) -> list[str]:
    return [name.strip() for name in line.strip().split("\t")]


def _names_line(lines: Sequence[str]) -> int | None:
    """Return where the row of names stands: it begins with f/Hz and names Z'."""
    for number, line in enumerate(lines):
        if line.lstrip().startswith("f/Hz") and "\t" in line and "Z'/" in line:
            return number
    return None


def _count(lines: Sequence[str], at: int) -> tuple[int, int] | None:
    """Return the line of the number of points and the number: the first line below the names that is not empty."""
    for number in range(at + 1, len(lines)):
        if lines[number].strip():
            count = _count_in(lines[number])
            return None if count is None else (number, count)
    return None


def _settings(header: Sequence[str], notes: Notes) -> None:
    for line in header:
        text = line.strip()
        when = _WHEN.search(text)
        if when and not notes.acquired:
            notes.acquired = when[0]
        key, sign, value = text.partition(" : ")
        if sign and key.strip() and value.strip():
            notes.vendor[key.strip()] = value.strip()
        elif text:
            notes.vendor.setdefault("remarks", []).append(text)
