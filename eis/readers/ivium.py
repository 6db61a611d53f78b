"""Ivium `.idf` and `.ids`: settings and the primary data of one impedance measurement, or of several.

Usage
    ``eis.read("cell.idf")``; `eis.read_all` for a data set (`.ids`).
Layout
    Some bytes that are no text, settings as ``key=value``, bytes again, ``primary_data``, the number of columns,
    the number of points, rows; then oscillograms (``osc_data``) and bytes. A data set holds settings and data of
    one measurement after another.
Units and sign
    The file states none: every row is Z′, Z″ (ohm) and the frequency (Hz). Z″ stands as it is, capacitive
    negative.
Uncertainty
    None is stored.
Known variants
    Line ends with and without a carriage return, text in Latin-1 or UTF-8, ``QR=QR`` between measurements.
    Measurements other than impedance are left out of a data set and noted; another technique than one at a
    constant potential or current, and another number of columns than three, are refused.
Source of the facts
    Two files made for tests by others, and programs that read direct-current measurements; no impedance file of
    the program itself was seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eis.readers.cells import Grid, is_number, shorten
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.spectrum import RealArray, Spectrum

NAME: str = "Ivium data"
SUFFIXES: tuple[str, ...] = (".idf", ".ids")

_NAMES = ("Z'", "Z''", "frequency")
_START = re.compile(rb"\x00{16}[\x00-\xff]{4}[\r\n\x00]{1,4}[A-Z][A-Za-z ]{1,30}=")
_DATA = "primary_data"
_METHOD = re.compile(r"^Method=", re.MULTILINE)
_SETTING = re.compile(r"([A-Za-z][A-Za-z0-9_ .]{0,60})=(.*)")
_PLANNED = "Frequencies.freq["
_OF_A_MEASUREMENT = ("starttime", "Method", "Technique")
"""Settings that only a measurement has."""
_LISTED = ("timing", "config1", "QR")
"""Settings that are lists elsewhere, or say nothing."""
_SEPARATORS = re.compile("[\x1c\x1e]{1,8}")
_COUNT = re.compile(r"[0-9]{1,7}")
_MOST_MEASUREMENTS = 10_000
_MOST_POINTS = 100_000
_LONGEST_SETTING = 2000
_EXPORT = "Export the impedance as text from IviumSoft."
MARKS: tuple[Mark, ...] = (
    Mark("16 NUL bytes at the beginning", begins=(bytes(16),)),
    Mark("line Method=", holds=(_METHOD,)),
    Mark(_DATA, holds=(_DATA,)),
)


@dataclass(frozen=True)
class _Measurement:
    """Settings of one measurement, the frequencies it was to be done at, the line (from 0) of ``primary_data``."""

    settings: dict[str, str]
    planned_hz: list[float]
    at: int


def recognises(source: Source) -> bool:
    """Whether the file begins with the bytes of IviumSoft, or has a method and primary data."""
    if _START.match(source.raw, 0, 80):
        return True
    head = source.head
    return f"\n{_DATA}" in head and bool(_METHOD.search(head))


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a data file or a data set.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With `measurement`, its place in the file, if there are several measurements.

    Raises
    ------
    ReadError
        If there is no impedance, the technique or the number of columns is not known, or points are missing.
    """
    lines = source.raw.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    measurements, is_cut = _measurements(source, lines)
    if not measurements:
        raise source.fail("The file holds no primary_data", mend="Choose a file of a finished measurement.")
    found: list[Spectrum] = []
    others: list[str] = []
    for place, one in enumerate(measurements, 1):
        method = one.settings.get("Method", "")
        if method != "Impedance":
            others.append(f"Measurement {place} of the file, which is no impedance ({shorten(method)}).")
            continue
        made = _spectra(source, lines, one)
        found += (
            [spectrum.with_metadata(measurement=place) for spectrum in made] if len(measurements) > 1 else made
        )
    if not found:
        method = measurements[0].settings.get("Method", "not stated")
        raise source.fail(
            f"There is no impedance; the method is {shorten(method)}",
            line=measurements[0].at + 1,
            mend="Choose an impedance measurement.",
        )
    if is_cut:
        said = f"The file ends behind the settings of measurement {len(measurements) + 1}: it is cut."
        found = [
            one.with_metadata(status="truncated", warnings=[*one.metadata["warnings"], said]) for one in found
        ]
    if others:
        found = [one.with_metadata(dropped=[*one.metadata["dropped"], *others[:20]]) for one in found]
    return found


def _measurements(source: Source, lines: Sequence[str]) -> tuple[list[_Measurement], bool]:
    """Return every measurement, and whether the settings of one more stand at the end.

    A key stated again before the data replaces the one before.
    """
    found: list[_Measurement] = []
    settings: dict[str, str] = {}
    planned_hz: list[float] = []
    for number, line in enumerate(lines):
        if line.startswith(_PLANNED):
            value = line.partition("=")[2].strip().replace(",", ".", 1)
            if is_number(value):
                planned_hz.append(float(value))
        elif "=" in line:
            setting = _SETTING.fullmatch(line.strip()[:_LONGEST_SETTING])
            if setting and setting[1] not in _LISTED:
                settings[setting[1]] = _SEPARATORS.sub("; ", setting[2]).strip()
        elif line.startswith(_DATA) and line.strip() == _DATA:
            if len(found) == _MOST_MEASUREMENTS:
                raise source.fail(
                    f"The file holds more than {_MOST_MEASUREMENTS} measurements", line=number + 1, mend=_EXPORT
                )
            found.append(_Measurement(settings, planned_hz, number))
            settings, planned_hz = {}, []
    return found, bool(found) and not settings.keys().isdisjoint(_OF_A_MEASUREMENT)


def _spectra(source: Source, lines: Sequence[str], one: _Measurement) -> list[Spectrum]:
    notes = source.notes()
    notes.converted.clear()  # the text is read as Latin-1, byte by byte
    technique = one.settings.get("Technique", "")
    if not technique.startswith("Constant "):
        raise source.fail(
            f"The technique is {shorten(technique)}; known are measurements at a constant potential or current",
            line=one.at + 1,
            mend=_EXPORT,
        )
    notes.vendor.update({key: value for key, value in one.settings.items() if value})
    notes.acquired = one.settings.get("starttime") or None
    grid = _rows(source, notes, lines, one.at)
    real, imaginary, frequency = (grid.numbers(column) for column in range(3))
    notes.convert("The file names no columns: they are real and imaginary part (ohm) and frequency (Hz).")
    step = np.sign(np.diff(frequency))
    if (frequency <= 0).any() or ((step > 0).any() and (step < 0).any()):
        raise source.fail(
            "The third column should be the frequency; it is not above 0 Hz, or neither falls nor rises",
            line=grid.lines[0],
            mend=_EXPORT,
        )
    if _as_planned(one.planned_hz, real) > _as_planned(one.planned_hz, frequency):
        raise source.fail(
            "The frequencies that the settings state are in the first column, where Z' should be",
            line=grid.lines[0],
            mend=_EXPORT,
        )
    return spectra(source, notes, NAME, frequency, rectangular(real, imaginary), grid.lines)


def _rows(source: Source, notes: Notes, lines: Sequence[str], at: int) -> Grid:
    """Return the rows below ``primary_data``: as many as stated, or fewer if the file was cut."""
    columns, stated = (_count(source, lines, at + place) for place in (1, 2))
    if columns != len(_NAMES):
        raise source.fail(
            f"The primary data have {columns} columns; only {len(_NAMES)} (Z', Z'', frequency) are known",
            line=at + 2,
            mend=_EXPORT,
        )
    if stated > _MOST_POINTS:
        raise source.fail(
            f"The file says it holds {stated} points; no more than {_MOST_POINTS} are read",
            line=at + 3,
            mend="The number is damaged; copy the file again.",
        )
    first = at + 3
    rows: list[list[str]] = []
    for number in range(first, min(first + stated, len(lines))):
        cells = lines[number].split()
        if number == len(lines) - 1:  # no line end behind it
            if cells:
                notes.dropped.append(f"The last line ({number + 1}), which has no line end and may be torn.")
            break
        if len(cells) != len(_NAMES) or not all(is_number(cell.replace(",", ".", 1)) for cell in cells):
            raise source.fail(
                f"Expected Z', Z'' and frequency in point {len(rows) + 1} of {stated}, found "
                f"{shorten(lines[number].strip())}",
                line=number + 1,
                mend="The number of points or a row is damaged; copy the file again.",
            )
        rows.append(cells)
    if not rows:
        raise source.fail("There are no points", line=at + 3, mend="Choose a file of a finished measurement.")
    if len(rows) < stated:
        notes.status = "truncated"
        notes.warnings.append(f"The header says {stated} points; there are {len(rows)}.")
    elif _is_point(lines, first + stated):
        raise source.fail(
            f"There are more points than the {stated} that the header says",
            line=first + stated + 1,
            mend="A line may be there twice, or the count is wrong; copy the file again.",
        )
    return Grid(source, notes, _NAMES, rows, list(range(first + 1, first + 1 + len(rows))))


def _as_planned(planned_hz: Sequence[float], values: RealArray) -> int:
    """Return how many values are, to a hundredth, one of the frequencies that the settings state."""
    if not planned_hz:
        return 0
    planned = np.sort(np.array(planned_hz))
    with np.errstate(over="ignore"):
        at = np.searchsorted(planned, 0.99 * values)
        near = planned[np.minimum(at, planned.size - 1)] <= 1.01 * values
    return int(np.count_nonzero(near & (at < planned.size)))


def _is_point(lines: Sequence[str], number: int) -> bool:
    cells = lines[number].split() if number < len(lines) else []
    return len(cells) == len(_NAMES) and all(is_number(cell) for cell in cells)


def _count(source: Source, lines: Sequence[str], number: int) -> int:
    text = lines[number].strip() if number < len(lines) else ""
    if not _COUNT.fullmatch(text):
        raise source.fail(
            f"Expected a count below primary_data, found {shorten(text)}",
            line=min(number + 1, len(lines)),
            mend="The file is damaged or cut; copy it again.",
        )
    return int(text)
