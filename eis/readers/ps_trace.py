"""PSTrace CSV: impedance curves as the PalmSens program exports them, stacked in one file.

Usage
    ``eis.read("cell.csv")``; `eis.read_all` for files of several curves.
Layout
    UTF-16 (little endian) or UTF-8. Lines ``Date and time:,…``, ``Measurement:,…``, ``Notes:,…``; then for every
    curve a title, a row of names beginning with ``freq / Hz``, and the rows, which end at the first line that is
    none. Curves of other techniques may stand before and between them.
Units and sign
    Units stand in the names. ``Z''`` holds −Z″ with that very name or as ``-Z''``, and ``neg. Phase`` the
    negative phase: positive is capacitive. Where the file has modulus or phase, these must agree with the parts.
Uncertainty
    None is stored.
Known variants
    Comma, semicolon or tabulator between cells, the latter two with decimal commas on the computers of many
    countries; curves of several channels and scans; missing titles.
Source of the facts
    Exported files, and programs that read such exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eis.readers.cells import Grid, is_number, read_grid, shorten
from eis.readers.headings import Heading, parse_headings, unquoted
from eis.readers.marks import Mark
from eis.readers.palmsens_curves import Curve, spectra_of, told_apart
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular
from eis.spectrum import ComplexArray, RealArray, Spectrum

NAME: str = "PSTrace CSV"
SUFFIXES: tuple[str, ...] = (".csv", ".txt")

_NAMES_ROW = re.compile(r'"?freq / [A-Za-z]{1,4}"?[ \t]{0,3}[,;\t]')
_KEY = re.compile(r'"?(Measurement|Notes|Date and time(?: measurement)?):"?[ \t]{0,3}(?:[,;\t]|$)')
_OPTIONAL = {
    "Idc": ("i_dc_a", {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6, "μA": 1e-6, "nA": 1e-9}),
    "Edc": ("e_dc_v", {"V": 1.0, "mV": 1e-3}),
    "Eac": ("e_ac_v", {"V": 1.0, "mV": 1e-3}),
    "time": ("time_s", {"s": 1.0}),
}
_MODULUS = re.compile(r"\|?Z\|? / (?:Ohm|Ω|\u2126)")
_AGREEMENT = 0.02
"""By how much (relative to the modulus) modulus and phase may differ from what the parts give."""
MARKS: tuple[Mark, ...] = (
    Mark("'Date and time:' at the beginning", begins=("Date and time:", "Measurement:")),
    Mark("column freq / Hz", holds=("freq / ",)),
    Mark("column neg. Phase", holds=("neg. Phase",)),
)


def recognises(source: Source) -> bool:
    """Whether the file begins with PSTrace's lines, or a row names its frequency and negative phase."""
    head = source.head
    if (
        head.lstrip().startswith(("Date and time:", '"Date and time:"', "Measurement:"))
        and "Notes:" in head[:4000]
    ):
        return True
    if "freq / " not in head:
        return False
    rows = [line for line in head.split("\n") if _NAMES_ROW.match(line.strip())]
    return bool(rows) and ("neg. Phase" in rows[0] or any(_KEY.match(line) for line in head.split("\n")[:50]))


def read(source: Source) -> list[Spectrum]:
    """Read the impedance curves of a PSTrace file: a spectrum for every channel and scan.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Capacitive negative, each with the `title` of its curve.

    Raises
    ------
    ReadError
        If there is no impedance curve, a needed column is missing or has an unknown unit, a cell is no number, or
        modulus and phase contradict the parts.
    """
    blocks = _blocks(source)
    if not blocks:
        keys = [line for line in source.lines if line.strip('"').startswith("Measurement:")]
        said = shorten("; ".join(keys[:10]) or "nothing", 200)
        raise source.fail(
            f"No row of names begins with freq / Hz; the file says {said}",
            mend="Export the impedance curves of the measurement.",
        )
    found: list[Spectrum] = []
    others: list[str] = []
    n_measurements = len({block.measurement for block in blocks})
    for block in blocks:
        notes = replace(source.notes(), vendor=dict(block.vendor), acquired=block.acquired)
        curve = _curve(source, notes, block)
        if curve.at_one_frequency:
            others.append(shorten(block.title))
            continue
        made = spectra_of(source, notes, NAME, curve)
        if n_measurements > 1:
            made = [spectrum.with_metadata(measurement=block.measurement) for spectrum in made]
        found += made
    if not found:
        raise source.fail(
            f"Every curve is at one frequency, which is no spectrum: {', '.join(others[:10])}",
            line=blocks[0].names_at + 1,
            mend="Export a scan of frequencies.",
        )
    if others:
        left = f"Curves at one frequency: {', '.join(others[:20])}."
        found = [one.with_metadata(dropped=[*one.metadata["dropped"], left]) for one in found]
    return told_apart(found)


@dataclass
class _Block:
    """A curve: what is said before it, and where its names and rows are (from 0, `end` excluded)."""

    names_at: int
    end: int
    split: Callable[[str], list[str]]
    title: str
    measurement: int
    acquired: str | None
    vendor: dict[str, str] = field(default_factory=lambda: {})


def _blocks(source: Source) -> list[_Block]:
    lines = source.lines
    blocks: list[_Block] = []
    vendor: dict[str, str] = {}
    acquired: str | None = None
    measurement, number = 0, 0
    while number < len(lines):
        line = lines[number].strip()
        if _NAMES_ROW.match(line):
            split = _splitter(line)
            end = _end(source, number + 1, split, len(split(line)))
            title = _title(lines[number - 1]) if number else ""
            blocks.append(_Block(number, end, split, title, measurement, acquired, dict(vendor)))
            number = end
            continue
        if key := _KEY.match(line):
            value = unquoted(line[key.end() :].strip(",;\t "))
            if key[1] == "Measurement":
                measurement += 1
                vendor = {}
            if key[1].startswith("Date"):
                acquired = value or acquired
            if value:
                vendor[key[1]] = value
        number += 1
    return blocks


def _splitter(names_row: str) -> Callable[[str], list[str]]:
    """Return how lines are split, told from what stands behind the first name."""
    after = names_row[len("freq / ") :]
    mark = min((after.find(one), one) for one in "\t;," if one in after)[1]

    def split(line: str) -> list[str]:
        filled = line.rstrip(",;\t ")
        return [unquoted(cell) for cell in filled.split(mark)] if filled else []

    return split


def _end(source: Source, first: int, split: Callable[[str], list[str]], width: int) -> int:
    """Return the first line behind the rows of a curve; a line that spoils them is a row, and refused later."""
    lines = source.lines
    number = first
    while number < len(lines):
        cells = split(lines[number])
        if not cells:
            below = next((at for at in range(number, len(lines)) if split(lines[at])), len(lines))
            if not _goes_on(lines, below - 1, split, width):
                break
            number = below
            continue
        if not (_numeric(cells[0]) or len(cells) == width or _goes_on(lines, number, split, width)):
            break
        if _NAMES_ROW.match(lines[number].strip()) or _KEY.match(lines[number].strip()):
            break
        number += 1
    return number


def _goes_on(lines: Sequence[str], number: int, split: Callable[[str], list[str]], width: int) -> bool:
    """Whether the line below is a row: then a line that is none was spoilt, or is empty by mistake."""
    if number + 1 >= len(lines):
        return False
    cells = split(lines[number + 1])
    return len(cells) == width and _numeric(cells[0])


def _numeric(cell: str) -> bool:
    return is_number(cell.replace(",", "."))


def _title(line: str) -> str:
    text = unquoted(line.strip().strip(",;\t "))
    return "" if _KEY.match(text) or text.endswith(":") or _numeric(text.split(",")[0]) else text[:200]


def _curve(source: Source, notes: Notes, block: _Block) -> Curve:
    names = block.split(source.lines[block.names_at])
    headings = parse_headings(names)
    grid = read_grid(source, notes, names, block.names_at + 1, block.end, block.split)
    at = _places(source, headings, block.names_at + 1)
    frequency, real, stored = (_column(grid, headings[place], place, block.names_at + 1) for place in at)
    _check(source, grid, headings, real, stored)
    name = headings[at[2]].text
    notes.convert(f"The sign of {name!r} was flipped: PSTrace writes -Z'', here capacitive is negative.")
    z: ComplexArray = rectangular(real, -stored)
    return Curve(block.title, frequency, z, _columns(grid, names), None, grid.lines)


def _places(source: Source, headings: Sequence[Heading], line: int) -> list[int]:
    found = [
        [at for at, heading in enumerate(headings) if heading.quantity == wanted]
        for wanted in ("frequency", "real", "imag")
    ]
    for places, name in zip(found, ("freq / Hz", "Z' / Ohm", "Z'' / Ohm"), strict=True):
        if len(places) != 1:
            shown = shorten(", ".join(heading.text for heading in headings), 200)
            raise source.fail(
                f"Expected one column {name}, found {len(places)}; the columns are {shown}",
                line=line,
                mend="Export the curve again with frequency, Z' and Z''.",
            )
    return [places[0] for places in found]


def _column(grid: Grid, heading: Heading, at: int, line: int) -> RealArray:
    scale = heading.scale
    if scale is None or heading.unit is None:
        raise grid.source.fail(
            f"The unit of {heading.text!r} tells no Hz or ohm",
            line=line,
            mend="Correct the name, e.g. freq / Hz, Z' / Ohm, Z'' / kOhm.",
        )
    values = grid.numbers(at)
    if scale != 1.0:
        grid.notes.convert(f"{heading.text!r} was converted from {heading.unit} to {heading.plain_unit}.")
        with np.errstate(over="ignore"):
            values = values * scale
    return values


def _check(source: Source, grid: Grid, headings: Sequence[Heading], real: RealArray, stored: RealArray) -> None:
    """Refuse a curve whose modulus or phase contradicts its parts: mixed columns, or another sign."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.hypot(real, stored)
        if not np.isfinite(size).all():
            return  # refused with its row when the spectrum is made
        for at, heading in enumerate(headings):
            if _MODULUS.fullmatch(heading.text.strip()):
                apart = np.abs(grid.numbers(at) - size)
            elif heading.quantity == "phase" and heading.unit is not None and heading.scale is not None:
                phase = grid.numbers(at) * heading.scale * (1.0 if heading.negative else -1.0)
                apart = np.abs(size * np.exp(1j * phase) - (real + 1j * stored))
            else:
                continue
            wrong = np.flatnonzero(apart > _AGREEMENT * size)
            if wrong.size:
                raise source.fail(
                    f"{heading.text!r} contradicts Z' and Z'' = {real[wrong[0]]:g}, {stored[wrong[0]]:g} (ohm, "
                    "capacitive positive)",
                    line=grid.lines[wrong[0]],
                    mend="A cell was changed, or the file holds another sign of Z''; export the curve again.",
                )


def _columns(grid: Grid, names: Sequence[str]) -> dict[str, RealArray]:
    """Return potential, current and time, where their names tell the unit."""
    columns: dict[str, RealArray] = {}
    for at, name in enumerate(names):
        word, _, unit = (part.strip() for part in name.partition(" / "))
        ours, scales = _OPTIONAL.get(word, ("", {}))
        if unit in scales and ours not in columns and (values := grid.optional(at)) is not None:
            columns[ours] = values * scales[unit]
    return columns
