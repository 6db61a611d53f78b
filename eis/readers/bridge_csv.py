"""Keysight (Agilent) E4990A impedance analyser: traces saved as CSV; what other meters save is refused by name.

Usage
    ``eis.read("trace.csv")``; `eis.read_all` for a file of several channels.
Layout
    ``!Agilent Technologies,E4990A,serial,firmware`` (or Keysight), ``!Date: …``, then for each channel
    ``BEGIN CH1_DATA``, perhaps ``Title label, …`` and ``DCV(V), …, DCI(A), …``, the row of names, rows, ``END``. A
    name is a parameter, its unit and ``-data`` or ``-mem`` (a trace kept in memory, which is left out).
Units and sign
    As the names say: ohm, S, F, H, deg or rad. With e^{+jωt}, inductive is positive: Z = Rs + jωLs = Rs +
    1/(jωCs), Y = G + jωCp = G + 1/(jωLp), D = 1/Q = Rs/|X| = G/|B|.
Uncertainty
    None is stored.
Known variants
    Any pair of traces that tells an impedance (`PAIRS`); one that is there twice has to hold the same. A sweep of
    anything but the frequency, S-parameters of a network analyser, traces without their parameter (E4991B, 4294A)
    and tables without frequencies (E4980A) are refused.
Source of the facts
    Keysight, E4990A Help, “Saving Trace Data to a File” and E4991B Help, same chapter; E4980A/AL User's Guide,
    “Saving Measurement Results into USB Memory” and “Impedance Parameters”; Agilent 4294A Operating Manual,
    chapter 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eis.errors import ReadError
from eis.readers.cells import read_grid, shorten
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.sweeps import polar, rectangular, spectra
from eis.readers.table_checks import phase_doubts, within_a_turn
from eis.readers.table_coordinates import doubt
from eis.spectrum import ComplexArray, IntArray, Quality, RealArray, Spectrum

NAME: str = "Keysight impedance analyser CSV"
SUFFIXES: tuple[str, ...] = (".csv",)

OVERLOAD = 9.9e36
"""The meters print 9.9E37 where they could not measure."""

_BEGIN = re.compile(r"BEGIN CH([0-9]{1,3})_DATA\s*")
_NAME = re.compile(r"\s*([A-Za-z|][A-Za-z|\- ]{0,30})\(([^()]{0,12})\)(?:-(data|mem))?\s*", re.IGNORECASE)
_SIGNS = ("+", "-")
_METER = re.compile(
    r"(?:[+-][0-9]\.[0-9]{5,9}E[+-][0-9]{2,3}\s*,\s*){2}[+-]?[0-4](?:\s*,\s*(?:\+?[0-9]{1,2}|-1))?\s*"
)
_UNITS: dict[str, tuple[str, float]] = {
    "ohm": ("ohm", 1.0),
    "s": ("S", 1.0),
    "f": ("F", 1.0),
    "h": ("H", 1.0),
    "deg": ("rad", np.pi / 180),
    "rad": ("rad", 1.0),
    "hz": ("Hz", 1.0),
    "": ("", 1.0),
}
_QUANTITY = {
    "|z|": "ohm",
    "theta-z": "rad",
    "r": "ohm",
    "x": "ohm",
    "z-real": "ohm",
    "z-imag": "ohm",
    "|y|": "S",
    "theta-y": "rad",
    "g": "S",
    "b": "S",
    "y-real": "S",
    "y-imag": "S",
    "cs": "F",
    "cp": "F",
    "ls": "H",
    "lp": "H",
    "rs": "ohm",
    "rp": "ohm",
    "d": "",
    "q": "",
}
"""Parameters and the unit they are in."""

Formula = Callable[[RealArray, RealArray, RealArray], ComplexArray]
"""Impedance from ω, the first and the second parameter."""
MARKS: tuple[Mark, ...] = (
    Mark("BEGIN CH1_DATA or another beginning of data", holds=("BEGIN CH", "Formatted data", '"4294A')),
    Mark("exclamation mark at the beginning", begins=("!", "# Channel", "4294A")),
    Mark("column Frequency(Hz)", holds=("Frequency(Hz)", "Frequency (Hz)")),
)


def _inverse(real: RealArray, imaginary: RealArray) -> ComplexArray:
    inverse: ComplexArray = 1 / rectangular(real, imaginary)
    return inverse


PAIRS: dict[tuple[str, str], Formula] = {
    ("r", "x"): lambda _, r, x: rectangular(r, x),
    ("z-real", "z-imag"): lambda _, r, x: rectangular(r, x),
    ("|z|", "theta-z"): lambda _, size, phase: polar(size, phase),
    ("g", "b"): lambda _, g, b: _inverse(g, b),
    ("y-real", "y-imag"): lambda _, g, b: _inverse(g, b),
    ("|y|", "theta-y"): lambda _, size, phase: 1 / polar(size, phase),
    ("cs", "rs"): lambda w, c, r: rectangular(r, -1 / (w * c)),
    ("cs", "d"): lambda w, c, d: rectangular(d / (w * c), -1 / (w * c)),
    ("cs", "q"): lambda w, c, q: rectangular(1 / (w * c * q), -1 / (w * c)),
    ("ls", "rs"): lambda w, h, r: rectangular(r, w * h),
    ("ls", "d"): lambda w, h, d: rectangular(d * w * h, w * h),
    ("ls", "q"): lambda w, h, q: rectangular(w * h / q, w * h),
    ("cp", "g"): lambda w, c, g: _inverse(g, w * c),
    ("cp", "rp"): lambda w, c, r: _inverse(1 / r, w * c),
    ("cp", "d"): lambda w, c, d: _inverse(d * w * c, w * c),
    ("cp", "q"): lambda w, c, q: _inverse(w * c / q, w * c),
    ("lp", "g"): lambda w, h, g: _inverse(g, -1 / (w * h)),
    ("lp", "rp"): lambda w, h, r: _inverse(1 / r, -1 / (w * h)),
    ("lp", "d"): lambda w, h, d: _inverse(d / (w * h), -1 / (w * h)),
    ("lp", "q"): lambda w, h, q: _inverse(1 / (w * h * q), -1 / (w * h)),
}
"""Pairs of parameters, in the order of preference, and the impedance they tell."""

_REFUSED = {
    "# channel": (
        "This is a trace of an E4991B, whose heading (Formatted Data) does not tell the parameter",
        "Save the traces R and X, and name the columns: frequency_hz,z_real_ohm,z_imag_ohm.",
    ),
    '"4294a': (
        "This is a trace of a 4294A, which holds whatever parameter was displayed, one trace after the other",
        "Save R and X, and write them as a table with the headings frequency_hz,z_real_ohm,z_imag_ohm.",
    ),
    "meter": (
        "These are results of an LCR meter's memory (first and second parameter, status): they hold no "
        "frequencies and "
        "do not tell the parameters",
        "Make a table with the headings frequency_hz,z_real_ohm,z_imag_ohm, or measure with eis.",
    ),
}


def recognises(source: Source) -> bool:
    """Whether the file has blocks of channels below lines with an exclamation mark, or is another meter's."""
    return _kind(source) is not None


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a file of traces, one for each channel and sweep.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With the ``channel`` in the metadata.

    Raises
    ------
    ReadError
        If the traces do not tell an impedance over frequency, a unit is unknown, or a cell is not a number.
    """
    kind = _kind(source)
    if kind in _REFUSED:
        what, mend = _REFUSED[kind]
        raise source.fail(what, line=1, mend=mend)
    lines = source.lines
    begins = [(at, int(match[1])) for at, line in enumerate(lines) if (match := _BEGIN.fullmatch(line.strip()))]
    made: list[Spectrum] = []
    for place, (at, channel) in enumerate(begins):
        notes = source.notes()
        _settings(lines[: begins[0][0]], notes)
        until = begins[place + 1][0] if place + 1 < len(begins) else len(lines)
        end = next((n for n in range(at + 1, until) if lines[n].strip() == "END"), None)
        if end is None:
            notes.status = "truncated"
            notes.warnings.append(f"The block of channel {channel} has no END: the file may be cut.")
        made += [
            one.with_metadata(channel=channel)
            for one in _block(source, notes, at + 1, until if end is None else end)
        ]
    if len(made) > 1:
        made = [one.with_metadata(cycle=place + 1) for place, one in enumerate(made)]
    return made


def _kind(source: Source) -> str | None:
    head = source.head
    start = head[:200].lstrip(' "').lower()
    if start.startswith("!"):
        top = map(str.strip, source.head_lines[:40])
        return "trace" if any(map(_BEGIN.fullmatch, top)) else None
    if start.startswith("# channel") and "formatted data" in head[:1000].lower():
        return "# channel"
    if head[:6].lower() == '"4294a':
        return '"4294a'
    if head[:2000].lstrip()[:1] not in _SIGNS:
        return None
    first = [line.strip() for line in head[:2000].replace("\r", "\n").split("\n") if line.strip()][:3]
    return "meter" if first and all(_METER.fullmatch(line) for line in first) else None


def _block(source: Source, notes: Notes, first: int, end: int) -> list[Spectrum]:
    lines = source.lines
    at = next((n for n in range(first, min(first + 6, end)) if _names(lines[n])), None)
    if at is None:
        raise _no_impedance(source, first, lines[first] if first < end else "")
    names = _names(lines[at])
    for line in lines[first:at]:
        if line.strip():
            key, _, value = line.partition(",")
            notes.vendor[key.strip()] = value.strip()
    if names[0][0] not in ("frequency", "freq"):
        raise source.fail(
            f"The sweep is over {shorten(names[0][0])}, not over the frequency",
            line=at + 1,
            mend="Choose a file of a frequency sweep.",
        )
    grid = read_grid(source, notes, lines[at].split(","), at + 1, end, ",")
    place: dict[str, int] = {}
    for column, (name, unit, kind, text) in enumerate(names):
        if kind == "mem":
            notes.dropped.append(f"The trace {text!r}, which is of the memory.")
            continue
        if name not in _QUANTITY or _UNITS.get(unit, ("?", 0.0))[0] != _QUANTITY[name]:
            continue
        if grid.text(place.setdefault(name, column)) != grid.text(column):
            raise source.fail(
                f"There are two traces {text!r} and they differ", line=at + 1, mend="Save only one of them."
            )
    pair = next((pair for pair in PAIRS if pair[0] in place and pair[1] in place), None)
    if pair is None or _UNITS.get(names[0][1], ("", 0.0))[0] != "Hz":
        raise _no_impedance(source, at, lines[at])
    frequency = grid.numbers(0)
    one, other = (grid.numbers(place[name]) * _UNITS[names[place[name]][1]][1] for name in pair)
    with np.errstate(all="ignore"):
        z = PAIRS[pair](2 * np.pi * frequency, one, other)
    overload = np.logical_or(*(np.abs(grid.numbers(place[name])) >= OVERLOAD for name in pair))
    doubted: list[str] = []
    if pair[1] in ("theta-z", "theta-y"):
        within_a_turn(source, names[place[pair[1]]][3], other[~overload], at + 1)
        if names[place[pair[1]]][1] == "rad":
            doubted = phase_doubts(frequency[~overload], one[~overload], other[~overload])
    notes.convert(f"The impedance was computed from {' and '.join(names[place[name]][3] for name in pair)}.")
    found = spectra(
        source, notes, NAME, frequency, np.where(overload, OVERLOAD, z), grid.lines,
        quality=_flags(overload, notes),
    )  # fmt: skip
    return [doubt(spectrum, doubted + _passive(pair, z, overload)) for spectrum in found]


def _flags(overload: NDArray[np.bool_], notes: Notes) -> IntArray | None:
    if not overload.any():
        return None
    n = np.count_nonzero(overload)
    notes.warnings.append(f"{n} points are 9.9E37, which is an overload; they are flagged.")
    return np.where(overload, int(Quality.OVERLOAD), 0).astype(np.int64)


def _passive(pair: tuple[str, str], z: ComplexArray, overload: NDArray[np.bool_]) -> list[str]:
    """Doubt resistances that come out negative from D or Q, whose sign then is not that of C or L."""
    negative = int(np.count_nonzero((z.real < 0) & ~overload))
    if pair[1] not in ("d", "q") or not negative:
        return []
    return [
        f"The resistance of {negative} points comes out negative: the sign of {pair[1].upper()} is not that of "
        f"{pair[0].capitalize()}."
    ]


def _names(line: str) -> list[tuple[str, str, str, str]]:
    """Return parameter, unit, kind and text of every column; nothing if the line is no row of names."""
    names = []
    for cell in line.split(","):
        match = _NAME.fullmatch(cell)
        if match is None:
            return []
        kind = (match[3] or "data").lower()
        names.append((match[1].strip().lower(), match[2].strip().lower(), kind, cell.strip()))
    return names if len(names) > 1 and names[1][0] != "dci" and names[0][0] != "dcv" else []


def _settings(header: Sequence[str], notes: Notes) -> None:
    for line in header:
        text = line.strip().lstrip("!").strip()
        key, colon, value = text.partition(":")
        if colon and key.strip().lower() == "date":
            notes.acquired = value.strip()
        elif text:
            notes.vendor.setdefault("instrument" if "," in text else "remarks", text)


def _no_impedance(source: Source, line: int, text: str) -> ReadError:
    return source.fail(
        f"The traces do not tell an impedance over frequency: {shorten(text.strip(), 200)}",
        line=line + 1,
        mend="Save the traces R and X, |Z| and theta-z, Cp and D, or another pair that tells it.",
    )
