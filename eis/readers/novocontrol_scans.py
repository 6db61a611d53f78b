"""Which rows of a scan are one spectrum: temperatures as a column, as a fixed value, or measured at every point.

Usage
    ``scan(source, format_name, rows, more)`` for a table with frequencies; ``pivoted`` for scans of temperature.
Layout
    See `eis.readers.novocontrol`.
Units and sign
    Hz, ohm and degrees Celsius, capacitive negative.
Uncertainty
    None.
Known variants
    Temperatures that repeat part the rows; temperatures measured anew at every point are averaged over a sweep.
Source of the facts
    As `eis.readers.novocontrol`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eis.errors import ReadError
from eis.readers.novocontrol_tables import EXPORT, FIXED_VALUES
from eis.readers.source import Notes, Source
from eis.readers.sweeps import spectra
from eis.spectrum import ComplexArray, RealArray, Spectrum

_MOST_TEMPERATURES = 2000
_TEMPERATURE_STEP_K = 1.0
"""From which a change of temperature during a spectrum is worth a warning."""


@dataclass
class Rows:
    """The rows of a table.

    Parameters
    ----------
    notes : Notes
        The notes taken on the table.
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm, capacitive Z″ < 0).
    temperature_c : ndarray, shape (n,), optional
        Temperature (°C) if the file states it.
    lines : list of int
        Line number of every row.
    columns : dict
        What else was recorded.
    """

    notes: Notes
    frequency_hz: RealArray
    z_ohm: ComplexArray
    temperature_c: RealArray | None
    lines: list[int]
    columns: dict[str, RealArray] = field(default_factory=lambda: {})

    def part(self, rows: Sequence[int]) -> Rows:
        """Return some of the rows."""
        at = np.asarray(rows)
        return Rows(
            self.notes,
            self.frequency_hz[at],
            self.z_ohm[at],
            None if self.temperature_c is None else self.temperature_c[at],
            [self.lines[row] for row in rows],
            {name: values[at] for name, values in self.columns.items()},
        )


def scan(source: Source, format_name: str, rows: Rows, more: dict[str, float]) -> list[Spectrum]:
    """Return the spectra of a table with a column of frequencies."""
    if _is_one_frequency(rows):
        raise _no_spectrum(source, rows)
    return _made(source, format_name, rows, more)


def pivoted(source: Source, format_name: str, tables: Sequence[Rows]) -> list[Spectrum]:
    """Return the spectra of several scans of temperature, each at another frequency."""
    first = tables[0]
    if first.temperature_c is None or len({float(rows.frequency_hz[0]) for rows in tables}) == 1:
        raise _no_spectrum(source, first)
    for rows in tables[1:]:
        if rows.temperature_c is None or not np.array_equal(rows.temperature_c, first.temperature_c):
            raise source.fail(
                "The scans of temperature at several frequencies were not done at the same temperatures, so their "
                "rows are no spectra",
                line=rows.lines[0],
                mend=EXPORT,
            )
    together = Rows(
        first.notes,
        np.concatenate([rows.frequency_hz for rows in tables]),
        np.concatenate([rows.z_ohm for rows in tables]),
        np.concatenate([rows.temperature_c for rows in tables if rows.temperature_c is not None]),
        [line for rows in tables for line in rows.lines],
    )
    together.notes.vendor.pop(FIXED_VALUES, None)
    return _made(source, format_name, together, {})


def _made(source: Source, format_name: str, rows: Rows, more: dict[str, float]) -> list[Spectrum]:
    """Return a spectrum for every temperature that repeats, or for every sweep if all were measured anew."""
    temperature = rows.temperature_c
    if temperature is None:
        return [one.with_metadata(**more) for one in _spectra(source, format_name, rows)]
    values, first, inverse = np.unique(temperature, return_index=True, return_inverse=True)
    if values.size > 1 and 2 * values.size <= temperature.size:
        if values.size > _MOST_TEMPERATURES:
            raise source.fail(
                f"The file holds {values.size} temperatures; no more than {_MOST_TEMPERATURES} are read",
                line=rows.lines[0],
                mend="Export fewer at a time.",
            )
        order = np.argsort(inverse.ravel(), kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(inverse.ravel()))[:-1])
        parts = [rows.part(groups[place].tolist()) for place in np.argsort(first)]
        alone = next((part for part in parts if _is_one_frequency(part)), None)
        if alone is not None:
            raise _no_spectrum(source, alone)
    else:
        rows.columns["temperature_c"] = temperature
        parts = [rows]
    found = []
    for part in parts:
        part_temperature = temperature if part.temperature_c is None else part.temperature_c
        for one in _spectra(source, format_name, part):
            told = one.columns.get("temperature_c", part_temperature)
            mean, spread = round(float(np.mean(told)), 6), float(np.ptp(told))
            said: dict[str, Any] = more | {"temperature_c": mean}
            if spread > _TEMPERATURE_STEP_K:
                said["warnings"] = [
                    *one.metadata["warnings"],
                    f"The temperature changed by {spread:.3g} K during the spectrum; {mean:g} °C is the mean.",
                ]
            found.append(one.with_metadata(**said))
    return found


def _spectra(source: Source, format_name: str, rows: Rows) -> list[Spectrum]:
    return spectra(
        source, rows.notes, format_name, rows.frequency_hz, rows.z_ohm, rows.lines, columns=rows.columns
    )


def _is_one_frequency(rows: Rows) -> bool:
    return rows.frequency_hz.size > 1 and bool((rows.frequency_hz == rows.frequency_hz[0]).all())


def _no_spectrum(source: Source, rows: Rows) -> ReadError:
    against = "a temperature scan" if rows.temperature_c is not None else "a series of points"
    return source.fail(
        f"This is {against} at one frequency ({rows.frequency_hz[0]:g} Hz), which is no spectrum",
        line=rows.lines[0],
        mend="Export the frequency scans, one for every temperature.",
    )
