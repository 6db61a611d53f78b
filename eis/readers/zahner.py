"""Zahner Thales `.ism`: the binary file of one impedance measurement; its model files are refused by name.

Usage
    ``eis.read("cell.ism")``.
Layout
    Big-endian. Two integers of six bytes (version, number of the last point), then as many float64 of frequency,
    modulus, phase and time, and int16 of significance. Behind them text with its length before it: date, system,
    potential, current, temperature, time window, four comments, electrode area, series; a flag of two bytes, 32
    parameters, and with the flag set potential and current of every point. In text upper and lower case are
    exchanged.
Units and sign
    Hz, ohm, radian (capacitive negative, as here); times are seconds since 1980-01-01; significance is in
    thousandths and becomes a fraction of 1. A parameter holds the amplitude in mV or mA.
Uncertainty
    None is stored; the significance (coherence of a point, 1 is best) is a column.
Known variants
    Thales measures from a start in the middle to one end and then, past the start again, to the other, so that a
    part of the frequencies is there twice. The points between the lowest and the highest frequency are the
    spectrum, as in Zahner's own programs; those before (or behind) are kept in it, flagged as duplicates.
    Simulated and converted files count their points where others have times. Older files end sooner behind the
    points. A model (`.isfx`) is XML and holds no spectrum.
Source of the facts
    Vendor's files, and the MIT-licensed Python package zahner-analysis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from eis.readers.cells import shorten
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import polar, spectra
from eis.spectrum import IntArray, Quality, RealArray, Spectrum

NAME: str = "Zahner ISM"
SUFFIXES: tuple[str, ...] = (".ism",)

_MODEL = "<zahner-impedance-model"
_BEGIN = b"\x00\x00\xff\xff\xff"
_HEADER_BYTES = 12
_POINT_BYTES = 4 * 8 + 2
_TEXTS = (
    "date",
    "system",
    "potential",
    "current",
    "temperature",
    "time window",
    "comment 1",
    "comment 2",
    "comment 3",
    "comment 4",
    "electrode area",
    "series",
)
_PARAMETERS = 32
_AMPLITUDE, _RECORDED = 25, 27
_EPOCH = datetime(1980, 1, 1)
_EARLIEST = 10 * 365.25 * 86400.0
"""Times before 1990 are no dates: no Thales that writes this format is as old."""
_LATEST = 200 * 365.25 * 86400.0
_WHOLE_TURN = 2 * np.pi
_DATE = re.compile(r"([0-3][0-9])([01][0-9])([0-9]{2})(?![0-9])")
MARKS: tuple[Mark, ...] = (Mark("bytes 00 00 FF FF FF at the beginning", begins=(_BEGIN,)),)


def recognises(source: Source) -> bool:
    """Whether the file begins like an `.ism` file, or like a Zahner model in XML."""
    raw = source.raw
    if raw.startswith(_BEGIN):
        return len(raw) >= _HEADER_BYTES and raw[6:9] == b"\x00\x00\x00"
    return raw.lstrip(b"\xef\xbb\xbf").startswith(b"<") and _MODEL in source.head[:2000]


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of an `.ism` file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        One; points that are there twice are flagged in it.

    Raises
    ------
    ReadError
        If the file is a model, is shorter than its count of points says, or holds what no spectrum holds.
    """
    raw = source.raw
    if not raw.startswith(_BEGIN):
        raise source.fail(
            "This is a Zahner model (.isfx): a circuit and its values, but no measured spectrum",
            mend="Choose the measurement, a file .ism; the circuit can be written as text for eis fit.",
        )
    notes = Notes()
    n = int.from_bytes(raw[6:12], "big", signed=True) + 1
    if n < 1 or _HEADER_BYTES + n * _POINT_BYTES > len(raw):
        raise source.fail(
            f"The file says {n} points, which take {_HEADER_BYTES + n * _POINT_BYTES} bytes; it has {len(raw)}",
            mend="It is cut or damaged; copy it again.",
        )
    numbers = np.frombuffer(raw, ">f8", 4 * n, _HEADER_BYTES).astype(np.float64)
    frequency, modulus, phase, times = numbers.reshape(4, n)
    significance = np.frombuffer(raw, ">i2", n, _HEADER_BYTES + 32 * n) / 1000.0
    _check(source, frequency, modulus, phase)
    notes.vendor["version"] = int.from_bytes(raw[2:6], "big", signed=True)
    columns = {"significance": significance} | _settings(source, notes, n)
    if (elapsed := _elapsed(times, notes)) is not None:
        columns["time_s"] = elapsed
    notes.convert("Modulus and phase (rad) were converted to real and imaginary part.")
    quality = _twice(frequency, notes)
    return spectra(source, notes, NAME, frequency, polar(modulus, phase), columns=columns, quality=quality)


def _check(source: Source, frequency: RealArray, modulus: RealArray, phase: RealArray) -> None:
    """Refuse numbers that are no frequency, modulus or phase in radians: another layout, or a damaged file."""
    for values, name, low, high in (
        (frequency, "frequency (Hz)", 0.0, 1e12),
        (modulus, "modulus (ohm)", 0.0, 1e30),
        (phase, "phase (rad)", -_WHOLE_TURN, _WHOLE_TURN),
    ):
        wrong = np.flatnonzero(~((values >= low) & (values <= high)))
        if wrong.size:
            raise source.fail(
                f"Expected a {name} from {low:g} to {high:g}, found {values[wrong[0]]:g} in point {wrong[0] + 1}",
                mend="The file is damaged or of a version not known here; export it from Zahner Analysis as text.",
            )


def _twice(frequency: RealArray, notes: Notes) -> IntArray | None:
    """Flag the points outside the run from the lowest to the highest frequency: others lie in its range again."""
    n = frequency.size
    log_f = np.log(np.maximum(frequency, np.finfo(np.float64).tiny))
    if n < 3 or bool((np.abs(np.diff(log_f)) > 0.5 * np.ptp(log_f)).any()):
        return None  # sweeps that start over with a jump are spectra of their own
    first, last = sorted((int(np.argmin(frequency)), int(np.argmax(frequency))))
    n_more = n - (last - first + 1)
    if not n_more:
        return None
    flags = np.full(n, int(Quality.DUPLICATE), dtype=np.int64)
    flags[first : last + 1] = 0
    notes.warnings.append(
        f"{n_more} of {n} points were measured before or behind the run from {frequency[first]:g} Hz to "
        f"{frequency[last]:g} Hz, in its range; they are flagged as duplicates."
    )
    return flags


def _elapsed(times: RealArray, notes: Notes) -> RealArray | None:
    """Return seconds since the first point, and note the date; None if there are no times but a count."""
    sizes = np.abs(times)
    if not (sizes <= _LATEST).all() or not times.any():
        notes.dropped.append("The times of the points, which are none.")
        return None
    count = np.arange(times.size)
    if (times == count).all() or (times == count + 1).all():
        notes.dropped.append("The times of the points: they are a mere count, as in simulated or converted files.")
        return None
    start = float(sizes.min())
    if start > _EARLIEST:
        notes.acquired = (_EPOCH + timedelta(seconds=start)).isoformat(timespec="milliseconds")
    relative: RealArray = sizes - start
    return relative


@dataclass
class _Tail:
    """What stands behind the points, read from front to back."""

    raw: bytes
    at: int

    def take(self, n: int) -> bytes:
        if n < 0 or self.at + n > len(self.raw):
            raise EOFError
        self.at += n
        return self.raw[self.at - n : self.at]

    def text(self) -> str:
        length = int.from_bytes(self.take(2), "big", signed=True)
        return self.take(length).decode("latin-1").swapcase().strip("\0 ")


def _settings(source: Source, notes: Notes, n: int) -> dict[str, RealArray]:
    """Keep the texts and parameters behind the points, and return the potential and current of every point."""
    tail = _Tail(source.raw, _HEADER_BYTES + n * _POINT_BYTES)
    try:
        for name in _TEXTS:
            if text := tail.text():
                notes.vendor[name] = text
        _date(notes)
        flag = int.from_bytes(tail.take(2), "big", signed=True)
        parameters = np.frombuffer(tail.take(8 * _PARAMETERS), ">f8").astype(np.float64)
        recorded = parameters[_RECORDED]
        if 0 < parameters[_AMPLITUDE] < 1e6:
            notes.vendor["amplitude (mV or mA)"] = float(parameters[_AMPLITUDE])
        if flag <= 256 or not 0 <= recorded < 2**31 or not int(recorded) & 0x8000:
            return {}
        both = np.frombuffer(tail.take(16 * n), ">f8").astype(np.float64).reshape(n, 2)
    except EOFError:
        _date(notes)
        notes.warnings.append(
            f"The settings behind the points end at byte {tail.at}, before all were read: the file is of an older "
            "version, or it is cut."
        )
        return {}
    if not np.isfinite(both).all():
        notes.dropped.append("Potential and current of the points, which are not all numbers.")
        return {}
    return {"e_dc_v": both[:, 0], "i_dc_a": both[:, 1]}


def _date(notes: Notes) -> None:
    """Take the date, day before month and year, for that of the measurement until the times tell it better."""
    found = _DATE.match(str(notes.vendor.get("date", "")))
    if not found:
        return
    day, month, year = (int(part) for part in found.groups())
    try:
        notes.acquired = datetime(year + (2000 if year < 70 else 1900), month, day).date().isoformat()
    except ValueError:
        notes.warnings.append(f"The date {shorten(str(notes.vendor['date']))} is none.")
