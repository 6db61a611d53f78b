"""The project's own files: netCDF by its magic bytes, CSV by its schema line.

Usage
    ``eis.read("cell.nc")``; `eis.read_all` for a collection, which `eis.open_archive` opens without reading it.
Layout
    netCDF (schema ``eis.spectrum/1``): `frequency`, `z_real`, `z_imag`, `quality` and the columns over
    ``frequency``, metadata as attributes, a SHA-256 behind the end. CSV: ``# eis_schema: "eis.spectrum/1"``, the
    number of rows, their SHA-256, metadata as ``# key: value`` in JSON, the row of names, rows. Collections: see
    `eis.collection`.
Units and sign
    Hz, ohm and SI units, capacitive negative, points in falling frequency, as in a `Spectrum`.
Uncertainty
    None is stored but what the metadata say.
Known variants
    netCDF that another program wrote anew has no checksum and is tried in another process first; it is refused if
    its numbers are packed or in other units. Rows of a CSV that were edited are warned of.
Source of the facts
    `eis.archive` and `eis.collection_writer`, which write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from eis import archive
from eis.collection import is_collection, open_collection
from eis.errors import SpectrumError
from eis.readers.cells import NUMBER, Grid, read_grid, shorten
from eis.readers.marks import Mark
from eis.readers.source import Source
from eis.readers.sweeps import rectangular
from eis.spectrum import EXCLUDING, IntArray, RealArray, Spectrum

NAME: str = "interfacial-eis netCDF or CSV"
SUFFIXES: tuple[str, ...] = (".nc", ".csv")

_COMMENT = re.compile(r'#\s*(?:([A-Za-z][\w.-]*)|("(?:[^"\\]|\\.)*"))\s*:\s*(.*)')
_DECODER = json.JSONDecoder()
_SCHEMA = "# eis_schema:"
_HDF, _CLASSIC = b"HDF\r\n\x1a\n", (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_MAY_BEGIN_TEXT = (b"#", b"\xef", b"\xff", b"\xfe", b"\0")
"""A number sign in any encoding, with a byte-order mark or without: nothing else has to be decoded."""
_NOT_FINITE = ("nan", "inf", "-inf")
_LISTS = ("converted", "dropped", "warnings", "doubts")
MARKS: tuple[Mark, ...] = (
    Mark(
        "beginning of a netCDF file or of our CSV ('# eis_schema:')",
        begins=(b"\x89" + _HDF, *_CLASSIC, _SCHEMA),
    ),
)


def recognises(source: Source) -> bool:
    """Whether the file is netCDF of either kind, or its first line is the schema line of our CSV."""
    raw = source.raw
    if raw[1:8] == _HDF or raw.startswith(_CLASSIC):
        return True
    return raw[:1] in _MAY_BEGIN_TEXT and source.head.startswith(_SCHEMA)


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of one of our files, flagged points included.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        One; `file`, `format` and `sha256` are those of this file, and what they were when it was written is kept
        under `origin`.

    Raises
    ------
    ReadError
        If the file is not ours, is damaged, or does not hold a spectrum.
    """
    if source.head.startswith("#"):
        return [_with_origin(_from_csv(source), source, "interfacial-eis CSV")]
    if is_collection(source.raw):
        with open_collection(source.path) as found:
            return [_with_origin(one, source, "interfacial-eis collection") for one in found]
    return [_with_origin(archive.parse_netcdf(source.raw, source.path), source, "interfacial-eis netCDF")]


def _with_origin(spectrum: Spectrum, source: Source, format_name: str) -> Spectrum:
    old = dict(spectrum.metadata)
    origin = old.pop("origin", None) or {key: old[key] for key in ("file", "format", "sha256") if key in old}
    here = {"file": source.given, "format": format_name, "sha256": source.sha256}
    lists = {key: _sentences(old.get(key)) for key in _LISTS if key != "doubts" or key in old}
    return spectrum.with_metadata(**({"vendor": {}} | old | lists | here | ({"origin": origin} if origin else {})))


def _from_csv(source: Source) -> Spectrum:
    lines = source.lines
    metadata: dict[str, Any] = {}
    stated: dict[str, Any] = {}
    at = 0
    while at < len(lines) and lines[at].startswith("#"):
        match = _COMMENT.fullmatch(lines[at])
        if match is None:
            raise source.fail(
                f"Expected '# key: value', found {shorten(lines[at])}",
                line=at + 1,
                mend="Delete or mend the line.",
            )
        value = _json(source, match[3], at)
        if match[1] and match[1].startswith("eis_"):
            stated[match[1]] = value
        else:
            metadata[match[1] or str(_json(source, match[2], at))] = value
        at += 1
    if stated.get("eis_schema") != archive.SCHEMA:
        raise source.fail(
            f"The file follows the schema {shorten(str(stated.get('eis_schema')))}, not {archive.SCHEMA}",
            line=1,
            mend="Read it with the version of interfacial-eis that wrote it.",
        )
    names = lines[at].split(",") if at < len(lines) else []
    if tuple(names[:4]) != archive.CSV_COLUMNS or len(set(names)) != len(names):
        raise source.fail(
            f"Expected the columns {','.join(archive.CSV_COLUMNS)},…, found {shorten(','.join(names))}",
            line=at + 1,
            mend="Write the file again with eis.archive.write.",
        )
    notes = source.notes()
    grid = read_grid(source, notes, names, at + 1, len(lines), ",")
    if notes.status:
        metadata["status"] = notes.status
        metadata["dropped"] = [*_sentences(metadata.get("dropped")), *notes.dropped]
    elif stated.get("eis_points", len(grid.rows)) != len(grid.rows):
        metadata["warnings"] = [
            *_sentences(metadata.get("warnings")),
            f"The header says {str(stated['eis_points'])[:20]} points; there are {len(grid.rows)}.",
        ]
    elif stated.get("eis_rows_sha256") not in (None, archive.rows_sha256([line for line in lines[at:] if line])):
        metadata["warnings"] = [
            *_sentences(metadata.get("warnings")),
            "The rows are not those that were written (their checksum differs): they were edited or damaged.",
        ]
    grid.foresee(range(len(names)))
    frequency, real, imaginary, quality, *rest = (_floats(grid, column) for column in range(len(names)))
    flags, z = quality.astype(np.int64), rectangular(real, imaginary)
    columns = dict(zip(names[4:], rest, strict=True))
    if _is_usual(frequency, flags, columns):
        spectrum = Spectrum.of_sweep(frequency, z, columns, metadata)
        if spectrum is not None:
            return spectrum
    used = (flags & int(EXCLUDING)) == 0
    wrong = np.flatnonzero(~(np.isfinite(frequency) & (frequency > 0)) | (used & ~np.isfinite(z)))
    if wrong.size:
        row = int(wrong[0])
        raise source.fail(
            "Expected a frequency above 0 Hz and, unless flagged, a finite impedance, "
            f"found {frequency[row]:g} Hz and {z[row]:g} ohm",
            line=grid.lines[row],
            mend="Correct the cells or delete the line.",
        )
    try:
        return Spectrum(frequency, z, flags, columns, metadata)
    except SpectrumError as error:
        raise source.fail(error.what, line=grid.lines[0], mend=error.mend) from error


def _is_usual(frequency: RealArray, flags: IntArray, columns: Mapping[str, RealArray]) -> bool:
    """Whether frequencies fall, as far as the ends tell, nothing is flagged, and the columns are complete."""
    falls = frequency.item(0) >= frequency.item(frequency.size - 1)
    return falls and not np.count_nonzero(flags) and "acquired_order" in columns


def _json(source: Source, text: str, line: int) -> Any:
    try:
        value, end = _DECODER.raw_decode(text)  # a third of the time of json.loads
        return value if end == len(text) else json.loads(text)
    except (ValueError, RecursionError):
        raise source.fail(
            f"Expected a JSON value, found {shorten(text)}", line=line + 1, mend="Delete or mend the line."
        ) from None


def _floats(grid: Grid, column: int) -> RealArray:
    """Return a column in which flagged points may hold NaN; flags are whole numbers."""
    whole = grid.names[column] == "quality"
    if (known := grid.known(column)) is not None and (not whole or all(map(_is_flag, set(grid.text(column))))):
        return known
    cells = [cell.strip() for cell in grid.text(column)]
    for line, cell in zip(grid.lines, cells, strict=True):
        right = _is_flag(cell) if whole else NUMBER.fullmatch(cell) or cell in _NOT_FINITE
        if not right or not cell.isascii():
            raise grid.source.fail(
                f"Expected a number under {grid.names[column]!r}, found {shorten(cell)}",
                line=line,
                mend="Correct the cell or delete the line.",
            )
    return np.array([float(cell) for cell in cells])


def _is_flag(cell: str) -> bool:
    return cell.isdecimal() and len(cell) < 10


def _sentences(value: Any) -> list[str]:
    """Return what is said of a spectrum as sentences, whatever a file holds in their place."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [one if isinstance(one, str) else json.dumps(one) for one in values]
