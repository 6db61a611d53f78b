"""Novocontrol WinDETA text: frequency scans and temperature scans of impedance or of dielectric quantities.

Usage
    ``eis.read("pellet.txt")``; `eis.read_all` where several temperatures are in a file.
Layout
    Sample, date and time; ``Diameter[mm]: … Thickness[mm]: …`` if the program was told to print it; ``Fixed
    value(s) : AC Volt [Vrms]=…``; the names of the columns; rows. Several tables may follow each other.
Units and sign
    See `eis.readers.novocontrol_quantities`. The impedance is taken as it stands (Zs', Zs''), else computed by
    closed form; permittivity, modulus and conductivity need C0 = ε0·A/d, and are refused where no geometry
    stands.
Uncertainty
    None is stored.
Known variants
    Columns parted by tabulators or spaces, padded names, every name on a line of its own, CRLF; temperatures in K
    or °C, the degree sign damaged; decimal commas; ``00000000`` where nothing was measured; temperatures as a
    column, or as a fixed value of every table. One frequency against temperature is no spectrum and is refused.
Source of the facts
    Exported files of WinDETA, and programs that read them or write them for WinFIT; tables of several
    temperatures were not seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eis.readers.cells import Grid, is_number, read_grid, shorten
from eis.readers.headed import doubt_last_number
from eis.readers.headings import unit_scale
from eis.readers.marks import Mark
from eis.readers.novocontrol_quantities import EPS0_F_PER_M, KNOWN, Representation, find
from eis.readers.novocontrol_scans import Rows, pivoted, scan
from eis.readers.novocontrol_tables import (
    EXPORT,
    FIXED_VALUES,
    LONGEST_LINE,
    Table,
    is_geometry,
    named,
    starts_names,
    tables_of,
    when,
)
from eis.readers.source import Notes, Source
from eis.spectrum import RealArray, Spectrum

NAME: str = "Novocontrol WinDETA"
SUFFIXES: tuple[str, ...] = (".txt", ".dat")

_FREQUENCY, _TEMPERATURE, _TIME, _AMPLITUDE = "Freq.", "Temp.", "Time", "AC Volt"
_GEOMETRY = re.compile(
    r"(?<!Electrode )(Diameter|Thickness)[ \t]{0,8}\[([^\]]{1,8})\][ \t]{0,8}:?[ \t]{0,8}([^\s\[\]]{1,24})"
)
_SPACER = re.compile(r"Spacer Capacity[ \t]{0,8}\[[^\]]{1,8}\][ \t]{0,8}:?[ \t]{0,8}([^\s\[\]]{1,24})")
_LENGTH = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "um": 1e-6, "µm": 1e-6}
_CELSIUS = re.compile(r"(?:deg\.? ?|[^A-Za-z0-9 ]{0,3}|[^\x00-\x7f]{1,3})C")
_UNMEASURED = re.compile(r"0{6,}")
_MOST_LINES_ABOVE = 40
_ZERO_C = 273.15
MARKS: tuple[Mark, ...] = (
    Mark("column Freq. [Hz]", holds=("Freq. [Hz]", "Freq.[Hz]")),
    Mark(f"geometry of the sample or '{FIXED_VALUES}'", holds=("Diameter[", "Diameter [", FIXED_VALUES)),
)


def recognises(source: Source) -> bool:
    """Whether names such as ``Freq. [Hz]`` stand below a line of WinDETA's, or below a title and a date."""
    if "Freq." not in source.head and "Temp." not in source.head:  # nearly every other file
        return False
    lines = source.head_lines[:_MOST_LINES_ABOVE]
    at = next((place for place, line in enumerate(lines) if starts_names(line)), None)
    if not at or lines[0].lstrip().startswith(("#", "%", "//")):
        return False
    if any(line.startswith(FIXED_VALUES) or is_geometry(line) for line in lines[:at]):
        return True
    return when(lines[0]) is not None and bool(find([name for name, _ in named(" ".join(lines[at : at + 20]))]))


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a WinDETA file: one for every temperature.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With `temperature_c` in the metadata if the file states it.

    Raises
    ------
    ReadError
        If the quantities do not tell the impedance, their geometry is missing, or there is one frequency only.
    """
    tables = tables_of(source)
    if not tables:
        raise source.fail("No line names the columns (Freq. [Hz], Zs' [ohm], Zs'' [ohm], …)", mend=EXPORT)
    found: list[Spectrum] = []
    at_one_frequency: list[Rows] = []
    for table in tables:
        rows = _rows(source, table)
        if any(name == _FREQUENCY for name, _ in table.names):
            found += scan(source, NAME, rows, _amplitude(table))
        else:
            at_one_frequency.append(rows)
    if at_one_frequency:
        found += pivoted(source, NAME, at_one_frequency)
    keys = [tuple(spectrum.metadata.get(key) for key in ("temperature_c", "amplitude_v")) for spectrum in found]
    if len(set(keys)) < len(found):
        found = [spectrum.with_metadata(cycle=place + 1) for place, spectrum in enumerate(found)]
    return found


# ---------------------------------------------------------------- what the rows say


def _rows(source: Source, table: Table) -> Rows:
    notes = _notes(source, table)
    names = [name for name, _ in table.names]
    shown = [f"{name} [{unit}]" if unit else name for name, unit in table.names]
    chosen = _chosen(source, table, names)
    grid = read_grid(source, notes, shown, table.first, table.last, str.split)
    needed = [names.index(name) for name in (_FREQUENCY, _TEMPERATURE, *chosen.names) if name in names]
    grid = _measured(grid, needed)
    doubt_last_number(grid)
    one, other = (_in_si(grid, table, chosen, names.index(name)) for name in chosen.names)
    frequency = _frequency(source, table, grid, names)
    c0_f = _c0(source, table, notes, chosen) if chosen.needs_geometry else math.nan
    with np.errstate(all="ignore"):
        z = chosen.impedance(2 * np.pi * frequency, one, other, c0_f)
    if chosen.formula != "Zs' + jZs''":
        notes.convert(f"The impedance was computed from {' and '.join(chosen.names)}: Z = {chosen.formula}.")
        if np.count_nonzero(z.real < 0) > 0.9 * z.size:
            raise source.fail(
                f"The losses that follow from {' and '.join(chosen.names)} are negative, so the signs are not the "
                "known ones",
                line=grid.lines[0],
                mend=EXPORT,
            )
    columns = {}
    if (_TIME, "s") in table.names and (time := grid.optional(names.index(_TIME))) is not None:
        columns["time_s"] = time
    return Rows(notes, frequency, z, _temperature(source, table, grid, names), grid.lines, columns)


def _notes(source: Source, table: Table) -> Notes:
    notes = source.notes()
    notes.acquired = when(table.title)
    notes.vendor["title"] = table.title[:LONGEST_LINE]
    if table.geometry:
        notes.vendor["geometry"] = table.geometry[:LONGEST_LINE]
    if table.fixed:
        notes.vendor[FIXED_VALUES] = {f"{name} [{unit}]": value for (name, unit), value in table.fixed.items()}
    return notes


def _chosen(source: Source, table: Table, names: Sequence[str]) -> Representation:
    """Return the pair of columns to use: the first that needs no geometry, or the first at all."""
    found = find(names)
    if found:
        return found[0]
    raise source.fail(
        f"No pair of columns tells the impedance; they are {shorten(', '.join(names), 200)}",
        line=table.names_line + 1,
        mend=f"These are read: {KNOWN}. " + EXPORT,
    )


def _measured(grid: Grid, needed: Sequence[int]) -> Grid:
    """Return the rows that were measured; WinDETA prints digits 0 where nothing was."""
    keep = [
        place for place, row in enumerate(grid.rows) if not any(_UNMEASURED.fullmatch(row[at]) for at in needed)
    ]
    left_out = len(grid.rows) - len(keep)
    if not keep:
        raise grid.source.fail(
            "No row was measured: all hold 00000000", line=grid.lines[0], mend="Choose another measurement."
        )
    if left_out:
        rows = "row that was" if left_out == 1 else "rows that were"
        grid.notes.dropped.append(f"{left_out} {rows} not measured (00000000).")
        return replace(
            grid, rows=[grid.rows[place] for place in keep], lines=[grid.lines[place] for place in keep]
        )
    return grid


def _in_si(grid: Grid, table: Table, chosen: Representation, at: int) -> RealArray:
    name, unit = table.names[at]
    scale = chosen.scale(unit) if unit or chosen.units is not None else None
    if scale is None:
        raise grid.source.fail(
            f"The unit of {name} is {shorten(unit)}, which is not known for it",
            line=table.names_line + 1,
            mend="Correct the name of the column, or export it in ohm, S, F or S/cm.",
        )
    if scale != 1.0:
        grid.notes.convert(f"{name} was converted from {unit} to SI.")
    with np.errstate(over="ignore"):
        return grid.numbers(at) * scale


def _frequency(source: Source, table: Table, grid: Grid, names: Sequence[str]) -> RealArray:
    if _FREQUENCY in names:
        at = names.index(_FREQUENCY)
        return grid.numbers(at) * _hertz(source, table, table.names[at][1])
    for (name, unit), value in table.fixed.items():
        if name == _FREQUENCY and (held := _number(value)) is not None:
            return np.full(len(grid.rows), held * _hertz(source, table, unit))
    raise source.fail(
        "This is a scan of something else than frequency, and no line says at which frequency",
        line=table.names_line + 1,
        mend=EXPORT,
    )


def _hertz(source: Source, table: Table, unit: str) -> float:
    scale = unit_scale("frequency", unit)
    if scale is None:
        raise source.fail(
            f"The unit of the frequency is {shorten(unit)}, which does not tell Hz",
            line=table.names_line + 1,
            mend="Correct the name of the column.",
        )
    return scale


def _temperature(source: Source, table: Table, grid: Grid, names: Sequence[str]) -> RealArray | None:
    if _TEMPERATURE in names:
        at = names.index(_TEMPERATURE)
        return _celsius(source, table, grid.notes, grid.numbers(at), table.names[at][1])
    for (name, unit), value in table.fixed.items():
        if name == _TEMPERATURE and (held := _number(value)) is not None:
            return _celsius(source, table, grid.notes, np.full(len(grid.rows), held), unit)
    return None


def _celsius(source: Source, table: Table, notes: Notes, values: RealArray, unit: str) -> RealArray:
    if unit == "K":
        notes.convert("Temperatures were converted from K to °C.")
        values = np.round(values - _ZERO_C, 9)
    elif not _CELSIUS.fullmatch(unit):
        raise source.fail(
            f"The unit of the temperature is {shorten(unit)}, which is neither K nor °C",
            line=table.names_line + 1,
            mend="Correct the name of the column.",
        )
    elif unit != "°C":
        notes.convert(f"The unit {shorten(unit)} of the temperature was taken as °C.")
    below = np.flatnonzero(values < -_ZERO_C)
    if below.size:
        raise source.fail(
            f"A temperature of {values[below[0]]:g} °C is below absolute zero",
            line=table.names_line + 1,
            mend="Correct the unit of the temperature.",
        )
    return values


def _c0(source: Source, table: Table, notes: Notes, chosen: Representation) -> float:
    """Return the capacitance of the empty cell (F), from the plain plates of the geometry line."""
    text = table.geometry[:LONGEST_LINE]
    sizes: dict[str, float] = {}
    for name, unit, value in _GEOMETRY.findall(text):
        if name in sizes:
            raise source.fail(
                f"The geometry states {name} twice", line=table.names_line, mend="Delete one. " + EXPORT
            )
        size = _number(value)
        if unit in _LENGTH and size is not None and size > 0:
            sizes[name] = size * _LENGTH[unit]
    missing = [name for name in ("Diameter", "Thickness") if name not in sizes]
    if missing:
        raise source.fail(
            f"The file holds {' and '.join(chosen.names)}, from which the impedance follows only with the "
            f"geometry; no line states {' and '.join(missing)} of the sample",
            line=table.names_line + 1,
            mend="Let WinDETA print the geometry line (Diameter[mm] … Thickness[mm] …). " + EXPORT,
        )
    c0_f = EPS0_F_PER_M * math.pi * (sizes["Diameter"] / 2) ** 2 / sizes["Thickness"]
    if not (math.isfinite(c0_f) and c0_f > 0):
        raise source.fail(
            f"The geometry gives an empty capacitance of {c0_f:g} F",
            line=1,
            mend="Correct diameter and thickness.",
        )
    notes.convert(f"The empty capacitance is C0 = ε0·A/d = {c0_f:.6g} F, from the geometry in the file.")
    spacer = _SPACER.search(text)
    corrected = [
        what
        for what, applies in (
            ("an edge correction", "Edge Correction On" in text),
            ("a spacer capacity", spacer is not None and _number(spacer[1]) != 0),
        )
        if applies
    ]
    if corrected:
        notes.warnings.append(
            f"The program applied {' and '.join(corrected)}: the impedance is that of the sample between plain "
            "plates, not that of the cell."
        )
    return c0_f


def _amplitude(table: Table) -> dict[str, float]:
    """Return the amplitude (V rms) if it is a fixed value."""
    value = _number(table.fixed.get((_AMPLITUDE, "Vrms"), ""))
    return {} if value is None else {"amplitude_v": value}


def _number(text: str) -> float | None:
    """Return a number of the lines above a table, with a decimal point or comma; None if it is none."""
    plain = text.replace(",", ".", 1)
    return float(plain) if is_number(plain) else None
