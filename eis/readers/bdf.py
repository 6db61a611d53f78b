"""Battery Data Format (BDF) as CSV, with impedance in it.

Usage
    ``eis.read("cell.bdf.csv")``; what ``eis.archive.write(spectrum, "cell.bdf.csv")`` wrote comes back bit for
    bit.
Layout
    A row of names, rows; commas. The names are the preferred labels of the BDF ontology (``Real Impedance / ohm``)
    or its machine-readable names (``real_impedance_ohm``). Rows of a time series in which all impedance cells are
    empty are no impedance and are left out.
Units and sign
    Fixed by the name: Hz, ohm, degree, s, V, A, °C, Pa. The imaginary part is negative for capacitive behaviour.
Uncertainty
    None is stored.
Known variants
    Magnitude and phase in the place of real and imaginary part, or beside them. ``cycle_count`` and ``step_count``
    part the rows into spectra.
Source of the facts
    The tables of terms in the README of battery-data-alliance/battery-data-format (ontology 1.2.0).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import Grid, read_grid, shorten
from eis.readers.headed import doubt_last_number
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import MOSTLY_POSITIVE, mostly_positive, polar, rectangular, spectra
from eis.readers.table_checks import DEGREE, compare
from eis.readers.table_coordinates import counted, doubt
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "Battery Data Format CSV"
SUFFIXES: tuple[str, ...] = (".csv", ".bdf")

LABELS = {
    "Frequency / Hz": "frequency_hertz",
    "Real Impedance / ohm": "real_impedance_ohm",
    "Imaginary Impedance / ohm": "imaginary_impedance_ohm",
    "Absolute Impedance / ohm": "absolute_impedance_ohm",
    "Phase / deg": "phase_degree",
    "Test Time / s": "test_time_second",
    "Unix Time / s": "unix_time_second",
    "Voltage / V": "voltage_volt",
    "Current / A": "current_ampere",
    "Ambient Temperature / degC": "ambient_temperature_celsius",
    "Surface Temperature / degC": "surface_temperature_celsius",
    "Applied Pressure / Pa": "applied_pressure_pa",
    "Cycle Count / 1": "cycle_count",
    "Step Count / 1": "step_count",
}
"""Preferred labels, and the machine-readable names they stand for."""

_FREQUENCY, _REAL, _IMAG = "frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm"
_SIZE, _PHASE = "absolute_impedance_ohm", "phase_degree"
_IMPEDANCE = (_REAL, _IMAG, _SIZE, _PHASE)
_COLUMNS = {
    "test_time_second": ("time_s", 1.0),
    "unix_time_second": ("unix_time_s", 1.0),
    "voltage_volt": ("e_dc_v", 1.0),
    "current_ampere": ("i_dc_a", 1.0),
    "ambient_temperature_celsius": ("ambient_temperature_c", 1.0),
    "surface_temperature_celsius": ("surface_temperature_c", 1.0),
    "applied_pressure_pa": ("applied_pressure_mpa", 1e-6),
}
_COORDINATES = {"cycle_count": "cycle", "step_count": "step"}
MARKS: tuple[Mark, ...] = (
    Mark(f"column {_FREQUENCY} or Frequency / Hz", holds=(_FREQUENCY, "Frequency / Hz")),
    Mark(
        f"column {_REAL} or Real Impedance / ohm",
        holds=(_REAL, _SIZE, "Real Impedance / ohm", "Absolute Impedance / ohm"),
    ),
)


def recognises(source: Source) -> bool:
    """Whether the first line holds BDF's name of the frequency and one of an impedance."""
    first = source.head.split("\n", 1)[0]
    if "frequency_hertz" not in first and "Frequency / Hz" not in first:
        return False
    names = _names(first)
    return _FREQUENCY in names and any(name in names for name in _IMPEDANCE)


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a BDF file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        One for every cycle, step and sweep.

    Raises
    ------
    ReadError
        If a column is missing or double, or a cell is not a number.
    """
    notes = source.notes()
    names = _names(source.lines[0])
    double = next((name for name in names if name in LABELS.values() and names.count(name) > 1), None)
    if double is not None:
        raise source.fail(
            f"Several columns are {double}", line=1, mend="Delete or rename the columns that are not meant."
        )
    whole = {_REAL, _IMAG} <= set(names)
    if not whole and not {_SIZE, _PHASE} <= set(names):
        raise source.fail(
            f"Expected the columns {_REAL} and {_IMAG}, or {_SIZE} and {_PHASE}; found "
            f"{shorten(', '.join(names), 200)}",
            line=1,
            mend="Write the file again with both parts of the impedance.",
        )
    needed = [_FREQUENCY, *((_REAL, _IMAG) if whole else (_SIZE, _PHASE))]
    grid = _measured(read_grid(source, notes, names, 1, len(source.lines), _split), needed)
    doubt_last_number(grid)
    frequency, one, other = (grid.numbers(names.index(name)) for name in needed)
    doubted: list[str] = []
    if whole:
        z = rectangular(one, other)
        doubted = _compared(grid, names, z)
    else:
        z = polar(one, other * DEGREE)
        notes.convert("Magnitude and phase were converted to real and imaginary part.")
    if mostly_positive(z):
        notes.warnings.append(MOSTLY_POSITIVE)
    return [doubt(spectrum, doubted) for spectrum in _parted(grid, names, frequency, z)]


def _parted(grid: Grid, names: Sequence[str], frequency: RealArray, z: ComplexArray) -> list[Spectrum]:
    """Return a spectrum for every run of rows with the same cycle and step."""
    more: dict[str, RealArray] = {}
    for name, (ours, factor) in _COLUMNS.items():
        if name in names and (values := grid.optional(names.index(name))) is not None:
            more[ours] = values * factor if factor != 1.0 else values
    marks = {
        ours: values
        for name, ours in _COORDINATES.items()
        if name in names and (values := grid.optional(names.index(name))) is not None
    }
    changes = np.zeros(frequency.size, dtype=np.bool_)
    for values in marks.values():
        changes[1:] |= np.diff(values) != 0
    starts = [0, *np.flatnonzero(changes).tolist()]
    made: list[Spectrum] = []
    for start, end in zip(starts, [*starts[1:], frequency.size], strict=True):
        part = slice(start, end)
        notes = grid.notes if len(starts) == 1 else _copy(grid.notes)
        columns = {name: values[part] for name, values in more.items()}
        found = spectra(grid.source, notes, NAME, frequency[part], z[part], grid.lines[part], columns=columns)
        marked = {name: int(values[start]) for name, values in marks.items() if float(values[start]).is_integer()}
        for place, spectrum in enumerate(found):
            inner = {"sweep": place + 1} if len(found) > 1 else {}
            made.append(spectrum.with_metadata(**marked, **inner))
    return counted(made)


def _measured(grid: Grid, needed: Sequence[str]) -> Grid:
    """Return the table without rows in which every needed cell is empty."""
    at = [grid.names.index(name) for name in needed]
    keep = [row for row, cells in enumerate(grid.rows) if any(cells[place].strip() for place in at)]
    left = len(grid.rows) - len(keep)
    if not keep:
        raise grid.source.fail(
            "No row holds an impedance", line=grid.lines[0], mend="Choose a file of the impedance measurement."
        )
    if not left:
        return grid
    grid.notes.dropped.append(f"{left} {'row' if left == 1 else 'rows'} without impedance.")
    rows, lines = [grid.rows[row] for row in keep], [grid.lines[row] for row in keep]
    return Grid(grid.source, grid.notes, grid.names, rows, lines)


def _compared(grid: Grid, names: Sequence[str], z: ComplexArray) -> list[str]:
    """Compare magnitude and phase, if they stand beside real and imaginary part."""
    doubted: list[str] = []
    for name, factor in ((_SIZE, 1.0), (_PHASE, DEGREE)):
        values = grid.optional(names.index(name)) if name in names else None
        if values is None:
            continue
        scaled = values * factor
        wrong, said = compare(z, scaled if name == _SIZE else None, scaled if name == _PHASE else None, name)
        if wrong:
            raise grid.source.fail(wrong, line=1, mend="BDF's columns are in ohm: correct the file that is not.")
        doubted += [said] if said else []
    return doubted


def _copy(notes: Notes) -> Notes:
    return Notes(
        list(notes.converted),
        list(notes.dropped),
        list(notes.warnings),
        dict(notes.vendor),
        notes.acquired,
        notes.status,
    )


def _names(line: str) -> list[str]:
    """Return the names of the columns, machine-readable."""
    found = [name.strip() for name in _split(line.strip("\r\n"))]
    return [LABELS.get(name, name) for name in found]


def _split(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return line.split(",")
