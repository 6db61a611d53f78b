"""Arrays of a PalmSens session: numbers with their units, signs and marks, and the curve they make together.

Usage
    `curve_of`, called by `eis.readers.palmsens_session` for every data set.
Layout
    An array has ``ArrayType`` (a number, see `NEEDED`), ``Unit`` and ``DataValues``; a value is a record with the
    number as ``V``, the reading status as ``S`` and ranges.
Units and sign
    The name of the unit tells its prefix (``PalmSens.Units.MicroAmpere``, symbol A); ``ZIm`` has the quantity −Z″
    and is turned.
Uncertainty
    None is stored. The reading status of the alternating current becomes a flag (overload, underload), that of the
    alternating potential if it is overload: its underload is set at the small amplitudes of every measurement.
Known variants
    Keys in lower case in older versions.
Source of the facts
    Sessions of PSTrace 5.11, the enumerations of the PalmSens SDK (BSD-3-Clause).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eis.errors import ReadError
from eis.readers.cells import shorten
from eis.readers.palmsens_curves import Curve
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular
from eis.spectrum import IntArray, Quality, RealArray

AGAIN = "Save the session again in PSTrace, or export the curves as CSV."
FREQUENCY, REAL, IMAGINARY = 5, 7, 8
NEEDED = {FREQUENCY: "Frequency", REAL: "ZRe", IMAGINARY: "ZIm"}
"""Arrays of an impedance curve by their ``ArrayType``."""

_OPTIONAL = {0: "time_s", 1: "e_set_v", 33: "e_dc_v", 36: "i_dc_a", 9: "i_ac_a", 34: "e_ac_v"}
_STATUS = {9: {1: Quality.OVERLOAD, 2: Quality.UNDERLOAD}, 34: {1: Quality.OVERLOAD}}
_PREFIXES = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "kilo": 1e3, "mega": 1e6, "giga": 1e9, "": 1.0}
_UNITS = {
    "Hz": ("hertz",),
    "ohm": ("zre", "zim", "z", "ohm", "ohms"),
    "V": ("volt", "volts"),
    "A": ("ampere", "amperes"),
    "s": ("time", "second", "seconds"),
}
_PLAIN = {float, int, str}
_SIGNS = {"-Z''": True, "Z''": False}


def field_of(record: Any, name: str) -> Any:
    """Return what a record holds under a name, in whatever case the version writes it."""
    if not isinstance(record, dict):
        return None
    if name in record:
        return record[name]
    wanted = name.lower()
    return next((value for key, value in record.items() if key.lower() == wanted), None)


def items_of(record: Any, name: str) -> list[Any]:
    """Return the list a record holds under a name; empty if it holds none."""
    value = field_of(record, name)
    return value if isinstance(value, list) else []


def word_of(record: Any, name: str) -> str:
    """Return the text a record holds under a name; empty if it holds none."""
    value = field_of(record, name)
    return value if isinstance(value, str) else ""


def arrays_of(record: Any) -> dict[int, Any]:
    """Return the arrays of a record's data set by type; the first that is not empty, if a type is there twice."""
    found: dict[int, Any] = {}
    for array in items_of(field_of(record, "DataSet"), "Values"):
        kind = field_of(array, "ArrayType")
        if isinstance(kind, int) and items_of(array, "DataValues"):
            found.setdefault(kind, array)
    return found


def rows_of(arrays: Mapping[int, Any]) -> list[tuple[Any, ...]]:
    """Return frequency, real and imaginary part of every row as they are written, for comparing data sets."""
    columns = [_values(arrays.get(kind)) for kind in NEEDED]
    plain = [values if set(map(type, values)) <= _PLAIN else list(map(_shown, values)) for values in columns]
    return list(zip(*plain, strict=False))


def curve_of(source: Source, notes: Notes, where: str, title: str, arrays: Mapping[int, Any]) -> Curve:
    """Return the curve of a data set.

    Parameters
    ----------
    source, notes
        The file and the notes taken on the curve.
    where : str
        Which curve it is, for messages.
    title : str
        What the file calls it.
    arrays : mapping
        Its arrays by type.

    Returns
    -------
    Curve
        In SI units, capacitive negative.

    Raises
    ------
    ReadError
        If an array is missing, has an unknown unit, is too short, or holds what is no number.
    """
    missing = [name for kind, name in NEEDED.items() if kind not in arrays]
    if missing:
        raise source.fail(f"There is no array {' and no array '.join(missing)} in {where}", mend=AGAIN)
    frequency, real, imaginary = (
        _numbers(source, arrays[kind], f"{name} of {where}") for kind, name in NEEDED.items()
    )
    for kind, values in ((REAL, real), (IMAGINARY, imaginary)):
        if values.size != frequency.size:
            raise source.fail(
                f"There are {frequency.size} frequencies and {values.size} values of {NEEDED[kind]} in {where}",
                mend=AGAIN,
            )
    frequency = frequency * _scale(source, arrays[FREQUENCY], "Hz", where)
    real, imaginary = (
        values * _scale(source, arrays[kind], "ohm", where)
        for kind, values in ((REAL, real), (IMAGINARY, imaginary))
    )
    if _negative(source, arrays[IMAGINARY], where):
        notes.convert("The sign of ZIm was flipped: the file holds -Z'', here capacitive is negative.")
        imaginary = -imaginary
    columns: dict[str, RealArray] = {}
    for kind, name in _OPTIONAL.items():
        if kind in arrays:
            column = _optional(source, arrays[kind], name, frequency.size, notes)
            if column is not None:
                columns[name] = column
    if "time_s" in columns and not columns["time_s"].any():
        del columns["time_s"]
    return Curve(title, frequency, rectangular(real, imaginary), columns, _quality(arrays, frequency.size, notes))


def _numbers(source: Source, array: Any, where: str) -> RealArray:
    """Return the values of an array as finite numbers."""
    values = _values(array)
    good = np.array([type(value) in (float, int) for value in values], dtype=bool)
    try:
        numbers = np.array(values, dtype=np.float64) if good.all() else np.array([np.nan])
    except OverflowError:
        numbers, good = np.array([np.nan]), np.array([abs(value) < 1e300 for value in values])
    if good.all() and np.isfinite(numbers).all():
        return numbers
    if good.all():
        good = np.isfinite(numbers)
    at = int(np.argmin(good))
    raise source.fail(
        f"Expected a finite number, found {shorten(_shown(values[at]))} as value {at + 1} of {where}", mend=AGAIN
    )


def _values(array: Any) -> list[Any]:
    return _each(items_of(array, "DataValues"), "V")


def _each(entries: Sequence[Any], name: str) -> list[Any]:
    """Return what every entry holds under a name, the fast way if all have it in one case."""
    for key in (name, name.lower()):
        try:
            return [entry[key] for entry in entries]
        except (KeyError, TypeError, IndexError):
            continue
    return [field_of(entry, name) for entry in entries]


def _scale(source: Source, array: Any, unit: str, where: str) -> float:
    """Return the factor of an array to Hz, ohm, V, A or s, from the name of its unit."""
    named = word_of(field_of(array, "Unit"), "Type")
    word = named.rpartition(".")[2].lower()
    for prefix, factor in _PREFIXES.items():
        if word.startswith(prefix) and word[len(prefix) :] in _UNITS[unit]:
            return factor
    raise source.fail(f"The unit {shorten(named)} in {where} does not tell {unit}", mend=AGAIN)


def _negative(source: Source, array: Any, where: str) -> bool:
    quantity = word_of(field_of(array, "Unit"), "Q")
    if quantity not in _SIGNS:
        raise source.fail(f"The quantity {shorten(quantity)} of ZIm in {where} does not tell its sign", mend=AGAIN)
    return _SIGNS[quantity]


def _optional(source: Source, array: Any, name: str, n: int, notes: Notes) -> RealArray | None:
    unit = {"s": "s", "v": "V", "a": "A"}[name.rpartition("_")[2]]
    try:
        values = _numbers(source, array, name) * _scale(source, array, unit, name)
    except ReadError as error:
        notes.dropped.append(f"The column {name}: {error.what}.")
        return None
    if values.size != n:
        notes.dropped.append(f"The column {name}: it has {values.size} values for {n} frequencies.")
        return None
    return values


def _quality(arrays: Mapping[int, Any], n: int, notes: Notes) -> IntArray | None:
    """Translate the reading status of the alternating current and potential."""
    flags = np.zeros(n, dtype=np.int64)
    for kind, meaning in _STATUS.items():
        for row, status in enumerate(_each(items_of(arrays.get(kind), "DataValues")[:n], "S")):
            if isinstance(status, int) and status in meaning:
                flags[row] |= int(meaning[status])
    for flag in (Quality.OVERLOAD, Quality.UNDERLOAD):
        marked = int(np.count_nonzero(flags & int(flag)))
        if marked:
            notes.warnings.append(
                f"{marked} of {n} points carry the instrument's mark of {str(flag.name).lower()}; they are "
                "flagged."
            )
    return flags if flags.any() else None


def _shown(value: Any) -> str:
    """Return a value for a message or a comparison; a list or a record, however deep, only by its kind."""
    return str(value) if isinstance(value, (str, int, float)) or value is None else type(value).__name__
