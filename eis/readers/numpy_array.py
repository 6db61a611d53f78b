"""NumPy arrays (`.npy`): frequency, real and imaginary part, or frequency and complex impedance, without names.

Usage
    ``eis.read("cell.npy")``; `eis.read_all` for an array of several spectra.
Layout
    Numbers only, of 4, 8 or 16 bytes. Real: shape (n, 3) or (3, n) of f, Re, Im; complex: (n, 2) or (2, n) of f
    and Z. One dimension more, in front, holds several spectra. Of two shapes that fit, the one whose frequencies
    only rise or only fall is taken. A complex array of any other shape (n, m) is a series of spectra if exactly
    one array of n or of m frequencies stands beside it in the folder, as ``Y_50.npy`` beside ``freq_50.npy``; one
    whose name begins with Y holds admittances.
Units and sign
    Hz and ohm, Z'' as it is; nothing in the file says so, which is noted.
Uncertainty
    None is stored.
Known variants
    Versions 1 to 3, either byte order, C or Fortran order. Objects (which would have to be unpickled), records and
    text are refused; the header is matched, not evaluated.
Source of the facts
    numpy.lib.format; arrays of AutoEIS.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.errors import ReadError
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source, load
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, rectangular, spectra
from eis.readers.table_coordinates import counted
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "NumPy array"
SUFFIXES: tuple[str, ...] = (".npy",)

MOST_SPECTRA = 10_000
MOST_BESIDE = 100
"""How many files of its folder are looked at for frequencies."""
LARGEST_BESIDE = 1024 * 1024
"""Bytes beyond which such a file is not looked into: no sweep has so many frequencies."""

_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{'descr': '([<>=|]?[a-zA-Z][0-9]{0,4})', 'fortran_order': (True|False), "
    r"'shape': \(((?:[0-9]{1,9}(?:, |,)?){0,4})\),? ?\} *\n?"
)
_TYPES = ("f4", "f8", "c8", "c16")
_LONGEST_HEADER = 4096
_MEND = "Save the spectrum as a table with the headings frequency_hz,z_real_ohm,z_imag_ohm."
MARKS: tuple[Mark, ...] = (
    Mark(f"{_MAGIC!r} at the beginning", begins=(_MAGIC,)),
    Mark("'fortran_order'", holds=("'fortran_order'",)),
)


def recognises(source: Source) -> bool:
    """Whether the file begins with NumPy's magic bytes."""
    return source.raw.startswith(_MAGIC)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of an array.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With ``cycle`` counted from 1, if there are several.

    Raises
    ------
    ReadError
        If the array holds anything but numbers, has another shape, or fewer bytes than it says.
    """
    array = _array(source)
    if array.dtype.kind == "c" and array.ndim == 2 and 2 not in array.shape:
        return _series(source, array)
    width = 2 if array.dtype.kind == "c" else 3
    found = array[np.newaxis] if array.ndim == 2 else array
    if found.ndim != 3 or width not in found.shape[1:] or not found.size or found.shape[0] > MOST_SPECTRA:
        kind = "complex" if width == 2 else "real"
        raise source.fail(
            f"An array of {kind} numbers of the shape {array.shape} is not f and Z, or f, Re and Im", mend=_MEND
        )
    made: list[Spectrum] = []
    for one in found:
        notes = Notes()
        frequency, z = _columns(source, one, width)
        notes.convert("Nothing names the numbers: they were taken as frequency (Hz) and impedance (ohm).")
        if mostly_positive(z):
            notes.warnings.append(MOSTLY_POSITIVE)
        made += spectra(source, notes, NAME, frequency, z)
    return counted(made)


def _series(source: Source, array: NDArray[Any]) -> list[Spectrum]:
    """Return the spectra of an array whose frequencies stand in another file of its folder."""
    beside = [path for path in sorted(source.path.parent.glob("*.npy"))[:MOST_BESIDE] if path != source.path]
    found = [(path, f) for path in beside if (f := _frequencies(path)) is not None and f.size in array.shape]
    if len(found) != 1 or array.shape[0] == array.shape[1]:
        raise source.fail(
            f"A complex array of the shape {array.shape} is not f and Z, and {len(found)} arrays of that many "
            "frequencies stand beside it",
            mend=f"Keep its frequencies (one array, and no other) in the same folder. {_MEND}",
        )
    path, frequency = found[0]
    rows = array if array.shape[1] == frequency.size else array.T
    if len(rows) > MOST_SPECTRA:
        raise source.fail(
            f"The array holds {len(rows)} spectra; {MOST_SPECTRA} are read", mend="Save fewer at a time."
        )
    made: list[Spectrum] = []
    for row in rows:
        notes = Notes()
        notes.convert(f"The frequencies (Hz) are those of {path.name}, which stands beside the file.")
        z = row.astype(np.complex128)
        if source.path.name.upper().startswith("Y"):
            notes.convert("The name begins with Y: the numbers are admittances (S), of which 1/Y was taken.")
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                z = 1 / z
        else:
            notes.convert("Nothing names the numbers: they were taken as impedance (ohm).")
        made += spectra(source, notes, NAME, frequency, z)
    return counted(made)


def _frequencies(path: Path) -> RealArray | None:
    """Return the numbers of a file that can be frequencies: one row that only rises or only falls."""
    try:
        if path.stat().st_size > LARGEST_BESIDE:
            return None
        beside = load(path)
        array = _array(beside) if recognises(beside) else None
    except (ReadError, OSError):
        return None
    if array is None or array.dtype.kind == "c" or array.size != max(array.shape, default=0) or array.size < 3:
        return None
    row = array.real.ravel()
    return row if _runs(row) else None


def _array(source: Source) -> NDArray[np.float64] | NDArray[np.complex128]:
    raw = source.raw
    long = len(raw) > 8 and raw[6] > 1
    start = 12 if long else 10
    length = int.from_bytes(raw[8:start], "little")
    if len(raw) < start or raw[6] not in (1, 2, 3) or length > min(_LONGEST_HEADER, len(raw) - start):
        raise source.fail("The header of the array is damaged", mend="Save it again.")
    header = _HEADER.fullmatch(raw[start : start + length].decode("latin-1"))
    if header is None or header[1][1:] not in _TYPES:
        said = f"holds {header[1]!r}" if header else "is not one of plain numbers"
        raise source.fail(
            f"The array {said}; only real and complex numbers are read, nothing is unpickled", mend=_MEND
        )
    shape = tuple(int(part) for part in header[3].replace(",", " ").split())
    kind = np.dtype(header[1])
    data = raw[start + length :]
    if math.prod(shape) * kind.itemsize != len(data) or not shape:
        raise source.fail(
            f"An array of the shape {shape} takes {math.prod(shape) * kind.itemsize} bytes; there are {len(data)}",
            mend="Copy the file again.",
        )
    array = np.frombuffer(data, kind).reshape(shape, order="F" if header[2] == "True" else "C")
    with np.errstate(invalid="ignore"):  # a NaN of single precision may complain as it is widened
        return array.astype(np.complex128) if kind.kind == "c" else array.astype(np.float64)


def _columns(
    source: Source, one: NDArray[np.float64] | NDArray[np.complex128], width: int
) -> tuple[RealArray, ComplexArray]:
    """Return frequency and impedance of an array with `width` rows or columns."""
    ways = [way for way in (one.T, one) if way.shape[0] == width]
    ways = sorted(ways, key=lambda way: not _runs(way[0].real))
    rows = ways[0]
    if len(ways) > 1 and _runs(ways[0][0].real) == _runs(ways[1][0].real):
        raise source.fail(f"It cannot be told which way an array of the shape {one.shape} is meant", mend=_MEND)
    if width == 3:
        return rows[0].real, rectangular(rows[1].real, rows[2].real)
    if rows[0].imag.any():
        raise source.fail("The frequencies have an imaginary part: the first is no frequency", mend=_MEND)
    return np.ascontiguousarray(rows[0].real), np.ascontiguousarray(rows[1]).astype(np.complex128)


def _runs(values: RealArray) -> bool:
    if not np.isfinite(values).all():
        return False
    step = np.diff(values)
    return bool((values > 0).all() and ((step < 0).all() or (step > 0).all()))
