"""Which rows of a table belong together: by cycle, loop, cell, channel or temperature, and by the frequency.

Usage
    `grouped` makes the spectra.
Layout
    A column such as ``cycle`` or ``cell`` says to which spectrum each row belongs, wherever the row stands; a
    blank cell repeats the one above. A temperature parts the rows only if every one of its values comes with a
    whole sweep; else it is a column of the spectrum.
Units and sign
    Temperatures in °C or K become ``temperature_c``; without a unit they stay what they are, as ``temperature``.
Uncertainty
    None.
Known variants
    None.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from eis.readers.cells import Grid, is_number, shorten
from eis.readers.headings import COORDINATES, TEMPERATURE_UNITS, Heading, Quantity
from eis.readers.source import Notes
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, spectra
from eis.spectrum import ComplexArray, Quality, RealArray, Spectrum

MOST_REPEATED = 1 / 3
"""With more than this part of its frequencies repeated, a spectrum may be several."""


def grouped(
    grid: Grid,
    headings: Sequence[Heading],
    line: int,
    format_name: str,
    frequency: RealArray,
    z: ComplexArray,
    doubted: Sequence[str] = (),
    columns: dict[str, RealArray] | None = None,
) -> list[Spectrum]:
    """Make the spectra of a table, each with its coordinates.

    Parameters
    ----------
    grid : Grid
        The rows.
    headings : sequence of Heading
        What each column holds.
    line : int
        Where the headings stand (from 0).
    format_name : str
        What the file is.
    frequency, z : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm) of every row.
    doubted : sequence of str
        What is doubted of all of them.
    columns : dict, optional
        What else was recorded.

    Returns
    -------
    list of Spectrum
        At least one, in the order of the file.
    """
    notes = grid.notes
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    more = dict(columns or {}) | _time(grid, headings)
    keys: list[list[Any]] = []
    names: list[str] = []
    for quantity in COORDINATES:
        places = [at for at, heading in enumerate(headings) if heading.quantity == quantity]
        if len(places) != 1:
            notes.dropped += [f"The columns of the {quantity}: there are {len(places)}."] if places else []
            continue
        name, values = _values(grid, headings[places[0]], places[0], quantity)
        if quantity == "temperature" and len(set(values)) > 1 and not _sweeps(values, frequency):
            if name == "temperature_c" and all(isinstance(value, (int, float)) for value in values):
                more[name] = np.array(values, dtype=np.float64)
            continue
        if len(set(values)) == len(values) > 1:
            notes.dropped.append(f"The column {headings[places[0]].text!r}: it has another value in every row.")
            continue
        names.append(name)
        keys.append(values)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(zip(*keys, strict=True) if keys else [()] * frequency.size):
        groups.setdefault(key, []).append(row)
    made: list[Spectrum] = []
    for key, rows in groups.items():
        coordinates = dict(zip(names, key, strict=True))
        at = np.array(rows)
        parts = spectra(
            grid.source,
            copy.deepcopy(notes) if len(groups) > 1 else notes,
            format_name,
            frequency[at],
            z[at],
            [grid.lines[row] for row in rows],
            columns={name: values[at] for name, values in more.items()},
        )
        for place, part in enumerate(parts):
            if len(parts) > 1 and coordinates:
                coordinates["sweep" if "cycle" in coordinates else "cycle"] = place + 1
            made.append(part.with_metadata(**coordinates) if coordinates else part)
    return [_warned(one, doubted) for one in counted(made)]


def counted(made: list[Spectrum]) -> list[Spectrum]:
    """Return several spectra with a number each in ``cycle``, unless the file says which cycle each is."""
    if len(made) < 2 or all("cycle" in one.metadata for one in made):
        return made
    return [one.with_metadata(cycle=place + 1) for place, one in enumerate(made)]


def doubt(spectrum: Spectrum, doubted: Sequence[str]) -> Spectrum:
    """Return the spectrum with more doubts, which are warnings as well."""
    if not doubted:
        return spectrum
    old = spectrum.metadata
    return spectrum.with_metadata(
        doubts=[*old.get("doubts", []), *doubted], warnings=[*old.get("warnings", []), *doubted]
    )


def _warned(spectrum: Spectrum, doubted: Sequence[str]) -> Spectrum:
    repeated = int(np.count_nonzero(spectrum.quality & int(Quality.DUPLICATE)))
    if repeated > MOST_REPEATED * spectrum.quality.size and spectrum.quality.size > 3:
        spectrum = spectrum.with_metadata(
            warnings=[
                *spectrum.metadata["warnings"],
                f"{repeated} of {spectrum.quality.size} frequencies are repeated: the table may hold several "
                f"spectra "
                "in turn, and nothing in it says which row belongs to which.",
            ]
        )
    return doubt(spectrum, doubted)


def _time(grid: Grid, headings: Sequence[Heading]) -> dict[str, RealArray]:
    places = [at for at, heading in enumerate(headings) if heading.quantity == "time"]
    if len(places) != 1:
        return {}
    heading = headings[places[0]]
    scale = heading.scale
    if scale is None:
        grid.notes.dropped.append(
            f"The column {heading.text!r}: its unit {shorten(heading.unit or '')} is none of time."
        )
        return {}
    values = grid.optional(places[0])
    if values is None:
        return {}
    if heading.unit is None:
        grid.notes.convert(f"No unit stands with {heading.text!r}: it was taken as s.")
    elif scale != 1.0:
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to s.")
    with np.errstate(over="ignore"):
        return {"time_s": values * scale}


def _values(grid: Grid, heading: Heading, at: int, quantity: Quantity) -> tuple[str, list[Any]]:
    """Return the name of a coordinate and its value in every row."""
    cells = [cell.strip() for cell in grid.text(at)]
    if cells[0] and not all(cells):
        grid.notes.convert(f"Blank cells under {heading.text!r} were taken as the cell above.")
        for row, cell in enumerate(cells):
            cells[row] = cell or cells[row - 1]
    plain = [cell.replace(",", ".") for cell in cells]
    numbers = all(is_number(cell) for cell in plain)
    values: list[Any] = [_plain(float(cell)) for cell in plain] if numbers else [shorten(c)[1:-1] for c in cells]
    if quantity != "temperature":
        return quantity, values
    offset = TEMPERATURE_UNITS.get(heading.unit or "")
    if offset is None or not numbers:
        return "temperature", values
    if offset:
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to °C.")
    return "temperature_c", [round(float(value) + offset, 9) for value in values]


def _plain(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _sweeps(values: Sequence[Any], frequency: RealArray) -> bool:
    """Whether every value of a coordinate comes with a sweep of its own: the frequencies come again with each."""
    groups: dict[Any, list[float]] = {}
    for value, f in zip(values, frequency.tolist(), strict=True):
        groups.setdefault(value, []).append(f)
    runs = 1 + sum(one != other for one, other in itertools.pairwise(values))
    if any(len(set(group)) < len(group) or len(group) < 3 for group in groups.values()):
        return False
    if len({tuple(sorted(group)) for group in groups.values()}) == 1:
        return True
    return runs == len(groups) and len(values) >= 1.5 * len(set(frequency.tolist()))


def notes_above(notes: Notes, lines: Sequence[str], above: Sequence[int]) -> None:
    """Keep the lines above a table, which nobody understands, among the settings."""
    for number in above:
        notes.vendor.setdefault("remarks", []).append(lines[number].strip()[:200])
    if above:
        notes.convert(f"{len(above)} lines above the headings are kept as remarks; nothing was taken from them.")
