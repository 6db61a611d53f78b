"""The spectra of an EC-Lab file, text or binary: by electrode, loop, step and cycle.

Usage
    `spectra_of`, called by the readers.
Layout
    Every electrode is a spectrum of its own with `electrode` in its metadata (``we`` for the working electrode);
    so is every sequence (``Ns``, called `step`), every cycle and every loop. What does not vary is not mentioned,
    but for the cycle. Sweeps that start over without a word of it are counted.
Units and sign
    See `eis.readers.ec_lab_columns`.
Uncertainty
    None is stored. A point whose column ``error`` is set is flagged as measured near an overload.
Known variants
    Files whose cycle numbers repeat from loop to loop without a list of loops: a count takes their place.
Source of the facts
    Exported files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eis.readers.ec_lab_columns import Columns, measured
from eis.readers.ec_lab_names import COORDINATES, ERROR_MARK
from eis.readers.source import Notes
from eis.readers.sweeps import spectra
from eis.readers.table_coordinates import doubt
from eis.spectrum import IntArray, Quality, RealArray, Spectrum


def spectra_of(columns: Columns, format_name: str, loop: RealArray | None = None) -> list[Spectrum]:
    """Make the spectra of a file: one for every electrode, loop, sequence, cycle and sweep.

    Parameters
    ----------
    columns : Columns
        The columns of the file.
    format_name : str
        What the file is.
    loop : ndarray, shape (n,), optional
        Number of the loop of every row.

    Returns
    -------
    list of Spectrum
        Capacitive negative; electrode by electrode, each in the order of the rows.

    Raises
    ------
    ReadError
        If a needed column is missing, has an unknown unit, is there twice and differs, or is no finite number.
    """
    frequency, impedances = measured(columns)
    coordinates = _coordinates(columns, loop)
    quality = _quality(columns)
    made: list[Spectrum] = []
    for one in impedances:
        notes = _fork(columns.notes) if len(impedances) > 1 else columns.notes
        for sentence in one.converted:
            notes.convert(sentence)
        parts = spectra(
            columns.source,
            notes,
            format_name,
            frequency,
            one.z_ohm,
            columns.lines,
            columns=one.columns,
            quality=quality,
            cycle=_key(coordinates),
        )
        parts = [doubt(part, one.doubted) for part in _placed(parts, frequency, coordinates)]
        if len(impedances) > 1 or one.electrode != "we":
            parts = [part.with_metadata(electrode=one.electrode) for part in parts]
        made += parts
    return made


def _coordinates(columns: Columns, loop: RealArray | None) -> dict[str, RealArray]:
    """Return what tells spectra of one file apart, row by row."""
    table = {"loop": loop} if loop is not None else {}
    for name, ours in COORDINATES:
        values = columns.optional(columns.names.index(name)) if name in columns.names else None
        if values is not None:
            table[ours] = values
    return table


def _key(coordinates: Mapping[str, RealArray]) -> RealArray | None:
    """Return one number for every combination of coordinates."""
    key: RealArray | None = None
    for values in coordinates.values():
        if np.count_nonzero(values == values[0]) == values.size:
            continue
        place = np.unique(values, return_inverse=True)[1].astype(np.float64)
        key = place if key is None else key * (place.max(initial=0.0) + 1) + place
    return key


def _placed(parts: list[Spectrum], frequency: RealArray, coordinates: Mapping[str, RealArray]) -> list[Spectrum]:
    """Return the spectra with their coordinates, and with a count as cycle if these do not tell them apart."""
    if not coordinates:
        return parts
    left = frequency > 0  # in the parts
    rest = [dict(part.metadata) for part in parts]
    for one in rest:
        one.pop("cycle", None)
    if len(parts) == 1:
        own = {"cycle": _plain(coordinates["cycle"].item(left.argmax()))} if "cycle" in coordinates else {}
        return [parts[0].described(rest[0] | own)]
    sizes = [part.all_frequency_hz.size for part in parts]
    first = np.flatnonzero(left)[np.cumsum([0, *sizes[:-1]])]
    table = {name: values[first] for name, values in coordinates.items()}
    table = {name: values for name, values in table.items() if name == "cycle" or (values != values[0]).any()}
    said = [{name: _plain(float(values[at])) for name, values in table.items()} for at in range(len(parts))]
    if len({tuple(one.values()) for one in said}) < len(said):
        said = [one | {"cycle": at + 1} for at, one in enumerate(said)]
    return [part.described(rest[at] | said[at]) for at, part in enumerate(parts)]


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def _quality(columns: Columns) -> IntArray | None:
    if ERROR_MARK not in columns.names:
        return None
    values = columns.optional(columns.names.index(ERROR_MARK))
    if values is None:
        return None
    n = int(np.count_nonzero(values))
    if n:
        columns.notes.warnings.append(
            f"{n} {'row carries' if n == 1 else 'rows carry'} EC-Lab's error mark; their quality flags say which."
        )
    return np.where(values != 0, int(Quality.OVERLOAD_WARNING), 0).astype(np.int64)


def _fork(notes: Notes) -> Notes:
    return Notes(
        list(notes.converted),
        list(notes.dropped),
        list(notes.warnings),
        dict(notes.vendor),
        notes.acquired,
        notes.status,
    )
