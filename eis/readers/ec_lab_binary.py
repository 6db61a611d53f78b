"""BioLogic EC-Lab binary: `.mpr` files, the raw data beside every `.mpt`.

Usage
    ``eis.read("cell.mpr")``; `eis.read_all` for files of several electrodes, cycles, loops or sequences.
Layout
    ``BIO-LOGIC MODULAR FILE``, 0x1A, blanks to 48 bytes, four zero bytes; then modules. A module is ``MODULE``, a
    short name (10 bytes) and a long one (25), its length, its version, a date (8 bytes, ``05.15.25`` or
    ``05/15/25``), and its content; numbers are little endian. Since about EC-Lab 11.50 the length is FFFFFFFF, and
    the true length, the old version (0) and the new version follow. The data module begins with the number of
    points and of columns and the ids of the columns; how much room they have depends on the version. Rows are
    packed. The marks (mode, error, …) share one byte, which stands where the first of them is listed.
Units and sign
    See `eis.readers.ec_lab_columns`; ``-Im(Z)`` is turned. Numbers are single precision but for time and charge.
Uncertainty
    None is stored.
Known variants
    Data versions 2, 3, 10 and 11, with either kind of length. The width of an unknown column is not known, and so
    nothing behind it can be trusted: such a file is refused, and so is one whose rows do not fill the module
    exactly, or whose |Z| is not that of its real and imaginary part.
Source of the facts
    Files of versions 2, 3 and 11 compared with their text exports; settings and log: those files, and
    github.com/cheminfo/biologic-converter (MIT). Ids: `eis.readers.ec_lab_ids`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eis.readers.cells import shorten
from eis.readers.ec_lab_columns import Columns
from eis.readers.ec_lab_ids import FLAGS, TITLES, TYPES
from eis.readers.ec_lab_sweeps import spectra_of
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.spectrum import RealArray, Spectrum

NAME: str = "BioLogic EC-Lab binary"
SUFFIXES: tuple[str, ...] = (".mpr",)

_MAGIC = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + bytes(4)
_MODULE = b"MODULE"
_HEADER_END, _LONGER = 57, 8
"""Bytes of the header of a module, and how many more it has if it states its length twice."""
_MOST_MODULES = 64
_TEXT_ROUTE = "Export the file as text from EC-Lab (Export as Text, .mpt) and read that."
_COPY = "Copy the file again; if that does not help, export it as text from EC-Lab (.mpt)."
_LONG = 0xFFFFFFFF
"""The length of a module that states its true length after it."""
MARKS: tuple[Mark, ...] = (
    Mark("words BIO-LOGIC MODULAR FILE at the beginning", begins=(_MAGIC[:22],)),
    Mark("module of data", holds=(b"MODULEVMP data", b"MODULEVMP Set")),
)


@dataclass(frozen=True)
class _Layout:
    """Where things stand in a data module: how columns are counted, how many have room, where rows begin."""

    count: struct.Struct
    room: int
    rows: int


_LAYOUTS = {
    2: _Layout(struct.Struct("<IB"), 200, 405),
    3: _Layout(struct.Struct("<IB"), 200, 406),
    10: _Layout(struct.Struct("<IH"), 500, 1007),
    11: _Layout(struct.Struct("<IH"), 500, 1007),
}

_TECHNIQUES = {
    4: "GCPL",
    6: "CV",
    11: "OCV",
    24: "CA",
    25: "CP",
    29: "PEIS",
    30: "GEIS",
    50: "ZIR",
    108: "LSV",
    127: "MB",
}
_LOG_TEXTS = {"File": 0x251, "Host": 0x351, "Address": 0x384, "EC-Lab version": 0x3B7}
_LOG_STARTED = 0x249
_SETTINGS_NUMBERS = {"electrode_surface_area_cm2": 0x211, "characteristic_mass_g": 0x24C}
_KNOWN = FLAGS.keys() | TYPES.keys()
_DAY_0 = datetime(1899, 12, 30)
"""Day 0 of the dates of Windows programs."""


class _Module(NamedTuple):
    """One module: its content is `length` bytes from `start`, of which the file holds `present`."""

    name: str
    version: int
    date: str
    start: int
    length: int
    present: int


def recognises(source: Source) -> bool:
    """Whether the file begins with the words of a modular file."""
    return source.raw.startswith(_MAGIC)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a binary EC-Lab file: one for every electrode, loop, sequence, cycle and sweep.

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
        If the file is damaged, of an unknown version, holds an unknown column, or no impedance.
    """
    notes = Notes()
    modules = _modules(source, notes)
    data = [module for module in modules if module.name == "VMP data"]
    if len(data) != 1:
        found = ", ".join(module.name for module in modules)
        raise source.fail(
            f"Expected one module 'VMP data', found {len(data)}; the modules are {shorten(found)}", mend=_COPY
        )
    _describe(source, modules, notes)
    table, ids = _rows(source, data[0], notes)
    names = _packed(ids)[0]
    known: dict[int, RealArray] = {}

    def foresee(places: Sequence[int]) -> None:
        values = np.empty((len(places), table.size))
        for at, place in enumerate(places):
            values[at] = stored(place)
        if np.count_nonzero(np.isfinite(values)) == values.size:
            known.update(zip(places, values, strict=True))

    def stored(place: int) -> NDArray[Any]:
        flag = FLAGS.get(ids[place])
        return table[str(place)] if flag is None else table["marks"] & flag[1]

    def numbers(place: int) -> RealArray:
        return known[place] if place in known else stored(place).astype(np.float64)

    def optional(place: int) -> RealArray | None:
        values = numbers(place)
        if place in known:
            return values
        finite = np.isfinite(values)
        if np.count_nonzero(finite) < values.size:
            wrong = int(np.flatnonzero(~finite)[0])
            notes.dropped.append(f"The column {names[place]}: row {wrong + 1} holds {values[wrong]}.")
            return None
        return values

    columns = Columns(
        source,
        notes,
        names,
        numbers=numbers,
        optional=optional,
        same=lambda one, other: numbers(one).tobytes() == numbers(other).tobytes(),
        strict=True,
        foresee=foresee,
    )
    with np.errstate(invalid="ignore"):  # not every NaN may be widened in silence
        return spectra_of(columns, NAME, _loop_of_rows(source, modules, table.size, notes))


def _modules(source: Source, notes: Notes) -> list[_Module]:
    """Return the modules of the file, in order; says so if the file ends in the middle of one."""
    raw, found, at = source.raw, list[_Module](), len(_MAGIC)
    while at < len(raw):
        if raw[at : at + len(_MODULE)] != _MODULE[: len(raw) - at]:
            raise source.fail(
                f"Expected a module at byte {at}, found {raw[at : at + len(_MODULE)]!r}"
                + (f" behind the module {shorten(found[-1].name)}" if found else ""),
                mend=_COPY,
            )
        if len(found) == _MOST_MODULES:
            raise source.fail(f"There are more than {_MOST_MODULES} modules", mend=_COPY)
        if at + _HEADER_END + _LONGER > len(raw):
            _torn(notes, len(found) + 1)
            break
        name = raw[at + 6 : at + 16].decode("latin-1").strip()
        length, version = struct.unpack_from("<II", raw, at + 41)
        start = at + _HEADER_END
        if length == _LONG:
            length, version, newer = struct.unpack_from("<III", raw, at + 45)
            version, start = newer or version, start + _LONGER
        date = raw[start - 8 : start].decode("latin-1").strip()
        present = min(length, len(raw) - start)
        found.append(_Module(name, version, date, start, length, present))
        if present < length:
            _torn(notes, len(found))
        at = start + length
    return found


def _torn(notes: Notes, place: int) -> None:
    notes.status = "truncated"
    notes.warnings.append(f"The file ends in the middle of its module number {place}; it was not copied whole.")


def _name(number: int) -> str:
    return FLAGS[number][0] if number in FLAGS else TITLES[number]


def _rows(source: Source, module: _Module, notes: Notes) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return the rows of the data module and the ids of their columns; every size is checked before it is used."""
    layout = _LAYOUTS.get(module.version)
    if layout is None:
        known = ", ".join(map(str, _LAYOUTS))
        raise source.fail(
            f"The data module is of version {module.version}; the known ones are {known}", mend=_TEXT_ROUTE
        )
    if module.present < layout.rows:
        raise source.fail(
            f"The data module has {module.present} bytes; its description alone takes {layout.rows}", mend=_COPY
        )
    n_points, n_columns = layout.count.unpack_from(source.raw, module.start)
    if not 0 < n_columns <= layout.room:
        raise source.fail(
            f"The data module says it has {n_columns} columns; there is room for 1 to {layout.room}", mend=_COPY
        )
    ids = struct.unpack_from(f"<{n_columns}H", source.raw, module.start + layout.count.size)
    row = _row(source, ids)
    if layout.rows + n_points * row.itemsize != module.length:
        columns = shorten(str(list(ids)), 200)
        raise source.fail(
            f"The data module has {module.length} bytes; {n_points} rows of {row.itemsize} bytes behind "
            f"{layout.rows} would take {layout.rows + n_points * row.itemsize} (columns {columns})",
            mend="The file is damaged or a column is wider than known. " + _TEXT_ROUTE,
        )
    if not n_points:
        raise source.fail(
            "There are no data rows",
            mend="The measurement may have stopped before its first point; choose another.",
        )
    whole = (module.present - layout.rows) // row.itemsize
    if whole < n_points:
        notes.dropped.append(f"{n_points - whole} of {n_points} rows, which the file should hold and does not.")
        if not whole:
            raise source.fail(f"The file ends before the first of its {n_points} rows", mend=_COPY)
    table = np.frombuffer(source.raw, row, min(whole, n_points), module.start + layout.rows)
    return table, ids


def _row(source: Source, ids: tuple[int, ...]) -> np.dtype[Any]:
    """Return what a row looks like; a field is called by the place of its column."""
    if not _KNOWN.issuperset(ids):
        at = next(at for at, number in enumerate(ids) if number not in _KNOWN)
        behind = f" behind {_name(ids[at - 1])}" if at else ""
        raise source.fail(
            f"The column with the id {ids[at]}{behind} is unknown, and so is its width; nothing behind it can "
            "be trusted",
            mend=_TEXT_ROUTE,
        )
    return _packed(ids)[1]


@lru_cache(maxsize=64)
def _packed(ids: tuple[int, ...]) -> tuple[tuple[str, ...], np.dtype[Any]]:
    """Return the names of known columns, and what a row of them looks like."""
    fields = {"marks" if number in FLAGS else str(at): TYPES.get(number, "u1") for at, number in enumerate(ids)}
    row = np.dtype([(name, "<" + kind if name != "marks" else "u1") for name, kind in fields.items()])
    return tuple(map(_name, ids)), row


def _loop_of_rows(source: Source, modules: Sequence[_Module], n_rows: int, notes: Notes) -> RealArray | None:
    """Return the loop of every row from the module that lists where loops begin; None if there is only one."""
    module = next((module for module in modules if module.name == "VMP loop"), None)
    if module is None or module.present < module.length:
        return None
    (n,) = struct.unpack_from("<I", source.raw, module.start) if module.length >= 4 else (0,)
    if 4 + 4 * n > module.length:
        notes.warnings.append(f"The module of loops says it holds {n} and has no room for them; it was not used.")
        return None
    starts = np.frombuffer(source.raw, "<u4", n, module.start + 4).astype(np.int64)
    if (np.diff(starts) <= 0).any() or (starts > n_rows).any():
        notes.warnings.append("The loops of the file do not rise or begin behind its end; they were not used.")
        return None
    inner = starts[(starts > 0) & (starts < n_rows)]
    if not inner.size:
        return None
    return np.searchsorted(inner, np.arange(n_rows), side="right").astype(np.float64)


def _describe(source: Source, modules: Sequence[_Module], notes: Notes) -> None:
    """Keep what the modules of settings and of the log say: technique, when, where; the rest is not known."""
    vendor, raw = notes.vendor, source.raw
    for module in modules:
        end = module.start + module.present
        if module.name == "VMP Set" and module.present > 0x250:
            technique = raw[module.start]
            vendor["technique"] = _TECHNIQUES.get(technique, f"number {technique}")
            if comments := _text(raw, module.start + 1, end):
                vendor["Comments"] = comments
            for name, offset in _SETTINGS_NUMBERS.items():
                (number,) = struct.unpack_from("<f", raw, module.start + offset)
                if 0 < number < 1e6:
                    vendor[name] = float(f"{number:.6g}")
        elif module.name == "VMP LOG" and module.present > 0x400:
            (days,) = struct.unpack_from("<d", raw, module.start + _LOG_STARTED)
            if 30_000 < days < 80_000:
                started = _DAY_0 + timedelta(milliseconds=round(days * 86_400_000))
                notes.acquired = started.isoformat(timespec="milliseconds")
            for name, offset in _LOG_TEXTS.items():
                if text := _text(raw, module.start + offset, end):
                    vendor[name] = text
    data = next(module for module in modules if module.name == "VMP data")
    vendor["data module"] = f"version {data.version}, {data.date}"
    notes.acquired = notes.acquired or data.date


def _text(raw: bytes, at: int, end: int) -> str:
    """Return a text that its length stands before; empty if it is none."""
    content = raw[at + 1 : min(at + 1 + raw[at], end)]
    text = content.decode("ascii" if content.isascii() else "cp1252", "replace").strip()
    return text if text.isprintable() else ""
