"""What the columns of BioLogic's EC-Lab mean, in text and in binary files alike.

Usage
    `measured` returns the impedances of a `Columns`, which the two readers fill.
Layout
    ``freq``, and for every electrode ``Re(Z…)`` and ``-Im(Z…)``, or ``|Z…|`` and ``Phase(Z…)``. The electrode
    stands after the Z: nothing for the working electrode, ``ce``, ``we-ce``, ``stack``, or the number of a cell of
    a stack.
Units and sign
    The unit stands in the name after a slash. ``-Im(Z)`` is turned; rows at 0 Hz are DC steps and leave.
Uncertainty
    None is stored.
Known variants
    Only some of the electrodes; all zero where a second electrode was not connected; names that repeat. Where |Z|
    or the phase stands beside the parts, each row is compared with them.
Source of the facts
    Exported files, and the manual's list of variables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.errors import ReadError
from eis.readers.cells import shorten
from eis.readers.ec_lab_names import Electrode, Meaning, meaning_of
from eis.readers.source import Notes, Source
from eis.readers.sweeps import polar, rectangular
from eis.readers.table_checks import within_a_turn
from eis.spectrum import ComplexArray, RealArray

EXPORT = "Export again from EC-Lab with the columns freq/Hz, Re(Z)/Ohm and -Im(Z)/Ohm."
AGREES = 1e-3
"""How far |Z| may lie from the magnitude of Re and Im, relative; both are rounded to seven digits or more."""


@dataclass(frozen=True)
class Columns:
    """The columns of one file, however it stores them.

    Parameters
    ----------
    source, notes
        The file and the notes taken on it.
    names : tuple of str
        Names as EC-Lab prints them.
    numbers : callable
        Returns the column at a place as finite numbers, or raises `ReadError`.
    optional : callable
        The same, or None and a note of why it was left out.
    same : callable
        Whether the columns at two places hold the same.
    lines : list of int, optional
        Line number of every row, if there are lines.
    names_line : int, optional
        Line number of the names.
    strict : bool
        Whether |Z| that contradicts Re and Im is an error (in a binary file the columns are then not what they
        are taken for), or a warning (somebody changed a cell of a text).
    foresee : callable, optional
        Is told which columns will be asked for, before the first is.
    """

    source: Source
    notes: Notes
    names: tuple[str, ...]
    numbers: Callable[[int], RealArray]
    optional: Callable[[int], RealArray | None]
    same: Callable[[int, int], bool]
    lines: Sequence[int] | None = None
    names_line: int | None = None
    strict: bool = False
    foresee: Callable[[Sequence[int]], object] | None = None

    def only(self, name: str) -> int:
        """Return the place of a name; columns that repeat it must hold the same."""
        if self.names.count(name) == 1:
            return self.names.index(name)
        places = [at for at, other in enumerate(self.names) if other == name]
        if any(not self.same(places[0], at) for at in places[1:]):
            raise self.fail(
                f"There are {len(places)} columns {name} and they differ", mend="Export only one of them."
            )
        return places[0]

    def fail(self, what: str, *, mend: str = EXPORT) -> ReadError:
        """Return the error that names the file and the line of the names."""
        return self.source.fail(what, line=self.names_line, mend=mend)


@dataclass(frozen=True)
class Impedance:
    """What was read of one electrode.

    Parameters
    ----------
    electrode : str
        ``we``, ``ce``, ``we-ce``, ``stack``, or the number of a cell of a stack.
    z_ohm : ndarray of complex, shape (n,)
        Impedance (ohm) of every row, capacitive negative; 0 where the frequency is.
    converted : list of str
        What was done to get it.
    columns : dict
        What else was recorded, by our names.
    doubted : list of str
        What contradicts it in most rows.
    """

    electrode: str
    z_ohm: ComplexArray
    converted: list[str]
    columns: dict[str, RealArray]
    doubted: list[str]


def no_frequency(source: Source, notes: Notes, names: Sequence[str], line: int | None) -> ReadError:
    """Return the error of a file without frequencies; it names the technique if the file does."""
    technique = notes.vendor.get("technique")
    return source.fail(
        f"There is no column freq/Hz; the columns are {shorten(', '.join(names), 200)}"
        + (f"; the technique is {shorten(str(technique))}" if technique else ""),
        line=line,
        mend=EXPORT,
    )


def measured(columns: Columns) -> tuple[RealArray, list[Impedance]]:
    """Return the frequency (Hz) of every row and the impedance of every electrode, the working electrode first.

    Parameters
    ----------
    columns : Columns
        The columns of the file.

    Returns
    -------
    frequency_hz : ndarray, shape (n,)
        0 where a row is a DC step.
    impedances : list of Impedance
        At least one.

    Raises
    ------
    ReadError
        If a needed column is missing, has an unknown unit, is there twice and differs, or is no finite number.
    """
    meaning = meaning_of(columns.names)
    if columns.foresee is not None:
        columns.foresee(meaning.wanted)
    frequency = _frequency(columns, meaning)
    electrodes = _electrodes(columns, meaning)
    shared = {}
    for ours, at, scale in meaning.extras:
        values = columns.optional(at)
        if values is not None:
            shared[ours] = values if scale == 1.0 else values * scale
    found = [_read(columns, one, frequency, shared, main=at == 0) for at, one in enumerate(electrodes)]
    return frequency, [one for one in found if one is not None]


def _frequency(columns: Columns, meaning: Meaning) -> RealArray:
    if meaning.frequency is None:
        raise no_frequency(columns.source, columns.notes, columns.names, columns.names_line)
    name, scale = meaning.frequency
    if scale is None:
        raise columns.fail(f"The unit of {shorten(name)} is not one of frequency")
    values = columns.numbers(columns.only(name))
    if scale == 1.0:
        return values
    columns.notes.convert(f"{name} was converted to Hz.")
    return values * scale


def _electrodes(columns: Columns, meaning: Meaning) -> Sequence[Electrode]:
    """Return the electrodes that have an impedance; notes what is left out."""
    if not meaning.electrodes:
        units = f"; the unit of {shorten(meaning.unknown[0])} is not one of impedance" if meaning.unknown else ""
        raise columns.fail(
            f"There is no impedance column; the columns are {shorten(', '.join(columns.names), 200)}{units}"
        )
    dropped = columns.notes.dropped
    dropped += [f"The column {shorten(names)}, which alone is no impedance." for names in meaning.lone]
    dropped += [f"The column {shorten(name)}, whose unit is not one of impedance." for name in meaning.unknown]
    return meaning.electrodes


def _read(
    columns: Columns,
    electrode: Electrode,
    frequency: RealArray,
    shared: dict[str, RealArray],
    *,
    main: bool,
) -> Impedance | None:
    """Return the impedance of an electrode; None, noted, if another one than the main one was not measured."""
    pair = electrode.pair
    (first, first_scale), (second, second_scale) = electrode.parts[pair[0]], electrode.parts[pair[1]]
    take = columns.numbers if main else columns.optional
    values = [take(columns.only(name)) for name in (first, second)]
    if values[0] is None or values[1] is None:
        return None
    converted = []
    if electrode.suffix and main:
        converted.append(f"The impedance is that of {first} and {second}; there is no Re(Z)/Ohm.")
    converted += [f"{name} was converted to ohm." for name, scale in electrode.resistances if scale != 1.0]
    a, b = _scaled(values[0], first_scale), _scaled(values[1], second_scale)
    if pair[0] == "|":
        converted.append("Magnitude and phase were converted to real and imaginary part.")
        within_a_turn(columns.source, second, b, columns.names_line)
        with np.errstate(invalid="ignore", over="ignore"):
            z = polar(a, b)
    elif pair[1] == "-Im":
        converted.append(f"The sign of {second} was flipped: here capacitive is negative.")
        z = rectangular(a, -b)
    else:
        z = rectangular(a, b)
    if np.count_nonzero(frequency) < frequency.size:
        z[frequency == 0] = 0  # a DC step, which leaves whatever it holds
    if not main and not z[frequency > 0].any():
        columns.notes.dropped.append(f"The columns {first} and {second}, which are 0: nothing was measured.")
        return None
    doubted: list[str] = []
    if pair[0] == "Re" and "|" in electrode.parts:
        doubted = _compare(columns, electrode.parts["|"], electrode.parts.get("Phase"), z, frequency)
    potential = None if electrode.potential is None else columns.optional(electrode.potential)
    return Impedance(
        electrode.suffix or "we",
        z,
        converted,
        shared if potential is None else shared | {"e_dc_v": potential},
        doubted,
    )


def _scaled(values: RealArray, scale: float) -> RealArray:
    """Return values in ohm or rad; what is not finite is found, with its row, later."""
    if scale == 1.0:
        return values
    with np.errstate(invalid="ignore", over="ignore"):
        return values * scale


def _compare(
    columns: Columns,
    magnitude: tuple[str, float],
    phase: tuple[str, float] | None,
    z: ComplexArray,
    frequency: RealArray,
) -> list[str]:
    """Find rows whose |Z| or phase is not that of Re and Im: damage, or columns of other names.

    Returns what is contradicted in most rows.
    """
    name, scale = magnitude
    stated = columns.optional(columns.names.index(name))
    turned = None if phase is None else columns.optional(columns.names.index(phase[0]))
    if stated is None:
        return []
    doubted: list[str] = []
    with np.errstate(invalid="ignore", over="ignore"):
        computed, stated_ohm = np.abs(z), _scaled(stated, scale)
        far = np.abs(stated_ohm - computed)
        if np.count_nonzero(far <= AGREES * computed) < far.size:  # hardly ever
            off = (far > AGREES * np.maximum(np.abs(stated_ohm), computed)) & (frequency > 0)
            what = f"{name} and the magnitude of Re and Im"
            doubted += _contradict(columns, what, stated, computed, off, strict=columns.strict)
        if phase is None or turned is None:
            return doubted
        apart = np.abs(polar(computed, _scaled(turned, phase[1])) - z)
        if np.count_nonzero(apart <= AGREES * computed) < apart.size:
            off = (apart > AGREES * computed) & (frequency > 0)
            what = f"{phase[0]} and the phase of Re and Im"
            strict = columns.strict and _most(off)
            doubted += _contradict(columns, what, turned, np.angle(z) / phase[1], off, strict=strict)
    return doubted


def _contradict(
    columns: Columns, what: str, stated: RealArray, computed: RealArray, off: NDArray[np.bool_], *, strict: bool
) -> list[str]:
    """Refuse or warn of rows that contradict; return the warning if most do."""
    rows = np.flatnonzero(off)
    if not rows.size:
        return []
    row = int(rows[0])
    said = f"{what} differ in {rows.size} of {off.size} rows, "
    said += f"first in row {row + 1} ({stated[row]:g} and {computed[row]:g})"
    if strict:
        raise columns.fail(
            said, mend="The file is damaged, or its columns are not the known ones; export it as text (.mpt)."
        )
    if _most(off):
        return [f"{said}: the columns are not what they are called, or of another unit or sign."]
    columns.notes.warnings.append(f"{said}: a cell was changed or damaged.")
    return []


def _most(off: NDArray[np.bool_]) -> bool:
    return 2 * int(np.count_nonzero(off)) > off.size
