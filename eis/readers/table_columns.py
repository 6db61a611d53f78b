"""From the columns of a table to frequency and impedance, whatever quantities they hold.

Usage
    `spectra_of` for a table with headings; called by `eis.readers.table` and `eis.readers.spreadsheet`.
Layout
    A `Grid` and one `Heading` per column.
Units and sign
    As the heading says; a unit that stands nowhere is taken as the plain one and noted, but for a phase, whose
    unit the data must tell. A minus before a heading turns the sign. Admittances (S) are inverted. Cells may carry
    an SI suffix (``203.770k``) or hold complex numbers (``12.3-4.5j``).
Uncertainty
    None is stored.
Known variants
    A heading that a spreadsheet replaced by ``#NAME?`` because it began with a minus is taken as -Z'' if
    everything else is there and the data tell the sign.
Source of the facts
    None of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eis.errors import ReadError
from eis.readers.cells import Grid, shorten
from eis.readers.headings import Heading, Quantity
from eis.readers.source import Source
from eis.readers.sweeps import polar, rectangular
from eis.readers.table_checks import DEGREE, compare, degrees_told, phase_doubts, sign_told, within_a_turn
from eis.readers.table_coordinates import grouped
from eis.readers.table_layout import EATEN
from eis.readers.table_numbers import column, complex_column, numbers, refuse_thousands, turned, unknown_unit
from eis.spectrum import ComplexArray, RealArray, Spectrum

HOW = "Name the columns in a first line, e.g. frequency_hz,z_real_ohm,z_imag_ohm (or -z_imag_ohm)."
NAMED = "Name the columns that are meant, e.g. columns='frequency=1,real=2,imag=3'."
EATEN_SAID = "A spreadsheet has replaced a heading that began with '-'"

_WAYS: tuple[tuple[Quantity, ...], ...] = (
    ("real", "imag"),
    ("magnitude", "phase"),
    ("impedance", "phase"),
    ("impedance",),
    ("admittance_real", "admittance_imag"),
    ("admittance_magnitude", "admittance_phase"),
    ("admittance", "admittance_phase"),
    ("admittance",),
)
"""What an impedance is made of, in the order of preference."""
_SAID_AGAIN: tuple[Quantity, ...] = ("magnitude", "impedance", "phase")
"""What may stand beside real and imaginary part and says the same."""


def spectra_of(grid: Grid, headings: Sequence[Heading], line: int, format_name: str) -> list[Spectrum]:
    """Return the spectra of a table with headings.

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

    Returns
    -------
    list of Spectrum
        One for every sweep and every value of the columns that say where a row belongs.

    Raises
    ------
    ReadError
        If a needed column is missing or double, a unit is unknown, columns contradict each other, or a cell is not
        a number.
    """
    found: dict[Quantity, list[int]] = {}
    for at, heading in enumerate(headings):
        if heading.quantity:
            found.setdefault(heading.quantity, []).append(at)
    way = next((way for way in _WAYS if found.keys() >= set(way)), None)
    eaten = [at for at, heading in enumerate(headings) if EATEN.fullmatch(heading.text.strip())]
    if way in (None, ("impedance",)) and "real" in found and "imag" not in found and len(eaten) == 1:
        way = ("real",)
    if way is None or "frequency" not in found:
        raise _missing(grid.source, headings, found, line, bool(eaten))
    needed: tuple[Quantity, ...] = ("frequency", *way)
    place: dict[Quantity, int] = {name: _only(grid.source, headings, found, name, line) for name in needed}
    if not grid.foresee(list(place.values())):  # read in one go, there is no comma
        refuse_thousands(grid, place.values())
    doubted: list[str] = []
    frequency = column(grid, headings[place["frequency"]], place["frequency"], line)
    if way == ("real",):
        real = column(grid, headings[place["real"]], place["real"], line)
        z = rectangular(real, _eaten(grid, headings[place["real"]], eaten[0], frequency, real, line))
    else:
        z = _impedance(grid, headings, place, way, frequency, line, doubted)
    if way == ("real", "imag"):
        doubted += _compared(grid, headings, found, z, line)
    return grouped(grid, headings, line, format_name, frequency, z, doubted)


def _impedance(
    grid: Grid,
    headings: Sequence[Heading],
    place: dict[Quantity, int],
    way: tuple[Quantity, ...],
    frequency: RealArray,
    line: int,
    doubted: list[str],
) -> ComplexArray:
    """Return the impedance (ohm) from the columns of a way to state it; doubts go into `doubted`."""
    first = headings[place[way[0]]]
    if len(way) == 1:
        z = complex_column(grid, place[way[0]])
        if z is None or first.scale is None:
            raise grid.source.fail(
                f"{first.text!r} alone does not tell the impedance: its cells are not complex numbers in "
                f"{first.plain_unit}",
                line=line + 1,
                mend="Give real and imaginary part, or magnitude and phase.",
            )
        grid.notes.convert(f"The complex numbers under {first.text!r} were taken apart.")
        z = (-z if first.negative else z) * first.scale
    elif way[1].endswith("phase"):
        magnitude = column(grid, first, place[way[0]], line)
        phase = _phase(grid, headings[place[way[1]]], place[way[1]], frequency, magnitude, line)
        within_a_turn(grid.source, headings[place[way[1]]].text, phase, line + 1)
        if headings[place[way[1]]].scale == 1.0:  # said to be radians
            doubted += phase_doubts(frequency, magnitude, phase)
        z = polar(magnitude, phase)
        grid.notes.convert("Magnitude and phase were converted to real and imaginary part.")
    else:
        z = rectangular(*(column(grid, headings[place[name]], place[name], line) for name in way))
    if not way[0].startswith("admittance"):
        return z
    grid.notes.convert("Admittances were inverted to impedances.")
    with np.errstate(all="ignore"):
        inverse: ComplexArray = 1 / z
    return inverse


def _phase(
    grid: Grid, heading: Heading, at: int, frequency: RealArray, magnitude: RealArray, line: int
) -> RealArray:
    """Return a phase in rad; what its heading does not say, the slope of the modulus may."""
    if heading.unit is not None:
        return column(grid, heading, at, line)
    values = numbers(grid, heading, at)
    in_degrees = degrees_told(frequency, magnitude, values)
    if in_degrees is None:
        raise unknown_unit(grid.source, heading, line)
    unit = "degrees" if in_degrees else "radians"
    grid.notes.convert(f"No unit stands with {heading.text!r}: its numbers tell that they are {unit}.")
    return turned(grid, heading, values * DEGREE if in_degrees else values)


def _eaten(
    grid: Grid, real: Heading, at: int, frequency: RealArray, resistance: RealArray, line: int
) -> RealArray:
    """Return the imaginary part from a column whose heading a spreadsheet replaced, if the data tell its sign."""
    values = numbers(grid, Heading(grid.names[at], "imag"), at) * (real.scale or 1.0)
    sign = sign_told(frequency, resistance, values)
    if sign is None:
        raise grid.source.fail(
            f"{EATEN_SAID}, and the data do not tell the sign of the column {grid.names[at]!r}",
            line=line + 1,
            mend="Write the heading again. " + HOW,
        )
    grid.notes.convert(
        f"{EATEN_SAID} by {grid.names[at]!r}: the column was taken as {'-' if sign < 0 else ''}Z'' in the unit of "
        f"{real.text!r}, since only so its numbers belong to the real part (Kramers-Kronig)."
    )
    return sign * values


def _compared(
    grid: Grid,
    headings: Sequence[Heading],
    found: dict[Quantity, list[int]],
    z: ComplexArray,
    line: int,
) -> list[str]:
    """Compare magnitude and phase that stand beside real and imaginary part; refuse what cannot be resolved."""
    doubted: list[str] = []
    for name in _SAID_AGAIN:
        for at in found.get(name, []):
            heading = headings[at]
            if heading.scale is None or (name == "phase" and heading.unit is None):
                continue
            try:
                values = numbers(grid, heading, at) * heading.scale
            except ReadError:
                continue  # nobody needs it
            values = -values if heading.negative else values
            wrong, doubt = compare(
                z, None if name == "phase" else values, values if name == "phase" else None, repr(heading.text)
            )
            if wrong:
                raise grid.source.fail(
                    wrong, line=line + 1, mend="Correct the unit in a heading, or delete the column. " + NAMED
                )
            doubted += [doubt] if doubt else []
    return doubted


def _only(
    source: Source, headings: Sequence[Heading], found: dict[Quantity, list[int]], name: Quantity, line: int
) -> int:
    if len(found[name]) > 1:
        raise source.fail(
            f"Several headings name the {name}; they are {_shown(headings)}",
            line=line + 1,
            mend="Delete or rename the columns that are not meant. " + NAMED,
        )
    return found[name][0]


def _missing(
    source: Source, headings: Sequence[Heading], found: dict[Quantity, list[int]], line: int, eaten: bool
) -> ReadError:
    wanted: tuple[Quantity, ...] = ("frequency", "real", "imag")
    if not {"real", "imag"} & found.keys() and {"magnitude", "phase", "impedance"} & found.keys():
        wanted = ("frequency", "magnitude", "phase")
    elif not {"real", "imag"} & found.keys() and any(name.startswith("admittance") for name in found):
        wanted = ("frequency", "admittance_real", "admittance_imag")
    missing = [name.replace("_", "'s ") for name in wanted if name not in found] or ["impedance"]
    mend = HOW
    if eaten:
        mend = EATEN_SAID + "; write it again. " + HOW
    elif "lumped" in found:
        names = ", ".join(headings[at].text for at in found["lumped"])
        mend = (
            f"Capacitances, losses and the like ({shorten(names)}) are not converted here: series or "
            f"parallel, they "
            "are other impedances. " + HOW
        )
    return source.fail(
        f"No heading names the {' and the '.join(missing)}; they are {_shown(headings)}", line=line + 1, mend=mend
    )


def _shown(headings: Sequence[Heading]) -> str:
    return shorten(", ".join(heading.text for heading in headings), 200)
