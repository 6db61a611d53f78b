"""VersaStudio `.par`: the experiment files of Princeton Applied Research (AMETEK) potentiostats.

Usage
    ``eis.read("cell.par")``; `eis.read_all` for files of several impedance segments.
Layout
    Sections between ``<Name>`` and ``</Name>``, each on a line of its own, with ``key=value`` lines; values hold
    ``<`` and the like, so it is no XML and is not taken for it. A section ``<Segment1>`` has the names of its
    columns behind ``Definition=`` and rows separated by commas; the last name, ``0``, has no column.
Units and sign
    Hz, V, A and s stand in the names; Z Real and Z Imag are in ohm, capacitive negative, as here.
Uncertainty
    None is stored. The word Status is kept as a column; its bits are not documented.
Known variants
    Segments of other techniques, whose rows are at 0 Hz, stand beside: they are left out and named. The impedance
    against the second electrometer becomes the columns ``z2_real_ohm`` and ``z2_imag_ohm``. Segments saved as
    binary are refused.
Source of the facts
    Exported files of VersaStudio 2.5 and 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eis.readers.cells import Grid, read_grid, shorten
from eis.readers.headings import Heading, Quantity, parse_heading
from eis.readers.marks import Mark
from eis.readers.remembered import remembered
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.spectrum import RealArray, Spectrum

NAME: str = "VersaStudio PAR"
SUFFIXES: tuple[str, ...] = (".par",)

_OPEN = re.compile(r"<([A-Za-z]{1,40}[0-9]{0,6})>\s*")
_SEGMENT = re.compile(r"Segment([0-9]{1,6})")
_SETTINGS = re.compile(r"Application|Instrument|Experiment|Action[0-9]{1,6}")
_DEFINITION = "Definition="
_NEEDED: dict[str, Quantity] = {"Frequency(Hz)": "frequency", "Z Real": "real", "Z Imag": "imag"}
_OPTIONAL = {
    "Elapsed Time(s)": "time_s",
    "E(V)": "e_dc_v",
    "I(A)": "i_dc_a",
    "E Applied(V)": "e_set_v",
    "Status": "status",
    "Z2 Real": "z2_real_ohm",
    "Z2 Imag": "z2_imag_ohm",
}
_SWEEP = ("Segment #", "ActionId")
_POINT = "Point #"
_READ = {*_OPTIONAL, *_SWEEP, _POINT}
_BINARY = "\nDataFormat=Binary"
MARKS: tuple[Mark, ...] = (
    Mark("<Application> at the beginning", begins=("<Application>",)),
    Mark("Name=VersaStudio", holds=("Name=VersaStudio",)),
    Mark("section <Action…> or <Segment…>", holds=("\n<Action", "\n<Segment")),
)


def recognises(source: Source) -> bool:
    """Whether the file begins with VersaStudio's first section and names the program or an action."""
    head = source.head.lstrip()
    return head.startswith("<Application>") and any(
        word in head for word in ("Name=VersaStudio", "\n<Action", "\n<Segment")
    )


def read(source: Source) -> list[Spectrum]:
    """Read the impedance segments of a `.par` file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        As measured; with the number of its `segment` in the metadata.

    Raises
    ------
    ReadError
        If no segment holds impedance, the rows are binary, a column is missing, or a cell is no number.
    """
    if b"\0" in source.raw and not source.encoding.startswith("utf-16") and _BINARY in source.head:
        raise source.fail(
            "The rows are stored as binary",
            mend="In VersaStudio switch off 'Save New Data to Binary File' and save the file again.",
        )
    sections = _sections(source)
    vendor = {one.name: _values(source, one) for one in sections if _SETTINGS.fullmatch(one.name)}
    techniques = [values["Name"] for name, values in vendor.items() if name[:6] == "Action" and "Name" in values]
    found: list[Spectrum] = []
    others: list[str] = []
    for section in sections:
        if not (segment := _SEGMENT.fullmatch(section.name)):
            continue
        definition = _definition(source, section)
        if definition is None:
            others.append(section.name)
            continue
        notes = replace(source.notes(), vendor={**vendor, "techniques": techniques})
        _describe(notes, vendor)
        if not section.closed:
            notes.status = "truncated"
            notes.warnings.append(f"The section {section.name} has no end: the file is cut, or is being written.")
        made = _segment(source, notes, section, definition)
        if made is None:
            others.append(section.name)
        else:
            found += [one.with_metadata(segment=int(segment[1])) for one in made]
    if not found:
        raise source.fail(
            f"No segment holds impedance; the techniques are {shorten(', '.join(techniques) or 'not named', 200)}",
            mend="Choose the file of an impedance measurement (Potentiostatic EIS, Galvanostatic EIS).",
        )
    left = [f"{name}, whose rows are at 0 Hz or have no impedance." for name in others[:20]]
    return [one.with_metadata(dropped=[*one.metadata["dropped"], *left]) for one in found]


class _Section(NamedTuple):
    """A section by name; its lines are from `first` to `end` (from 0, `end` excluded)."""

    name: str
    first: int
    end: int
    closed: bool


def _sections(source: Source) -> list[_Section]:
    """Return the sections in their order; one without an end reaches to the next, or to the end of the file."""
    lines = source.lines
    tags = [(number, line.rstrip()) for number, line in enumerate(lines) if line[:1] == "<"]
    found: list[_Section] = []
    name, first, closed = "", 0, True
    for number, tag in [*tags, (len(lines), "")]:
        opened = _OPEN.fullmatch(tag)
        if not closed and tag == f"</{name}>":
            found.append(_Section(name, first, number, closed=True))
            closed = True
        elif not closed and (opened or not tag):
            found.append(_Section(name, first, number, closed=False))
        if opened:
            name, first, closed = opened[1], number + 1, False
    return found


def _values(source: Source, section: _Section) -> dict[str, str]:
    pairs = (line.partition("=") for line in source.lines[section.first : section.end])
    return {key.strip(): value.strip() for key, equals, value in pairs if equals and value.strip()}


def _describe(notes: Notes, vendor: Mapping[str, Mapping[str, str]]) -> None:
    experiment = vendor.get("Experiment", {})
    when = [experiment[key] for key in ("DateAcquired", "TimeAcquired") if key in experiment]
    notes.acquired = " ".join(when) or None


def _definition(source: Source, section: _Section) -> int | None:
    """Return the line (from 0) that names the columns of a segment; None if there is none."""
    lines = source.lines
    return next((at for at in range(section.first, section.end) if lines[at].startswith(_DEFINITION)), None)


def _segment(source: Source, notes: Notes, section: _Section, at: int) -> list[Spectrum] | None:
    """Return the spectra of a segment with its columns named in line `at`; None if it holds no impedance."""
    lines = source.lines
    names = [name.strip() for name in lines[at][len(_DEFINITION) :].split(",")]
    if not any(name.startswith("Z ") for name in names) or not any(map(str.strip, lines[at + 1 : section.end])):
        return None
    row = next(line for line in lines[at + 1 : section.end] if line.strip())
    if names[-1] == "0" and row.count(",") + 1 != len(names):
        names.pop()  # the list ends with a name that has no column
    places = _places(source, names, at + 1)
    grid = read_grid(source, notes, names, at + 1, section.end, ",")
    grid.foresee([place for place, name in enumerate(names) if place in places or name in _READ])
    frequency, real, imaginary = (grid.numbers(place) for place in places)
    if not np.count_nonzero(frequency):
        return None
    columns = _columns(grid, names)
    _warn(grid, names, notes)
    cycle = _sweeps(grid, names)
    z = rectangular(real, imaginary)
    return spectra(source, notes, NAME, frequency, z, grid.lines, columns=columns, cycle=cycle)


def _places(source: Source, names: Sequence[str], line: int) -> list[int]:
    headings, found = _understood(tuple(names))
    for name, places in found.items():
        if len(places) != 1:
            shown = shorten(", ".join(names), 200)
            raise source.fail(
                f"Expected one column {name}, found {len(places)}; the columns are {shown}",
                line=line,
                mend="Save the file again in VersaStudio, or export the segment as a table.",
            )
        heading = headings[places[0]]
        if heading.unit not in (None, "Hz", "ohm", "ohms", "Ohm", "Ohms"):
            raise source.fail(
                f"The column {heading.text!r} has the unit {heading.unit!r}, which VersaStudio does not write",
                line=line,
                mend="Write the columns as Frequency(Hz), Z Real, Z Imag, in Hz and ohm.",
            )
    return [places[0] for places in found.values()]


@remembered
def _understood(names: tuple[str, ...]) -> tuple[list[Heading], dict[str, list[int]]]:
    """Return what names say, and where each of those that are needed stands."""
    headings = [parse_heading(name if name.startswith(("Freq", "Z ")) else "") for name in names]
    return headings, {
        name: [at for at, heading in enumerate(headings) if heading.quantity == quantity]
        for name, quantity in _NEEDED.items()
    }


def _columns(grid: Grid, names: Sequence[str]) -> dict[str, RealArray]:
    columns: dict[str, RealArray] = {}
    for name, ours in _OPTIONAL.items():
        if names.count(name) == 1 and (values := grid.optional(names.index(name))) is not None:
            columns[ours] = values
    second = [name for name in ("z2_real_ohm", "z2_imag_ohm") if name in columns]
    if not any(columns[name].any() for name in second):
        for name in second:
            del columns[name]
    elif len(second) == 2:
        grid.notes.warnings.append(
            "The file also holds the impedance against the second electrometer, as z2_real_ohm and z2_imag_ohm; "
            "the spectrum is that of the first."
        )
    return columns


def _warn(grid: Grid, names: Sequence[str], notes: Notes) -> None:
    point = grid.optional(names.index(_POINT)) if _POINT in names else None
    if point is not None and np.count_nonzero((point[1:] - point[:-1] != 1) & (point[1:] != 0)):
        notes.warnings.append(
            "The point numbers (Point #) are not consecutive: points were removed or the file was edited."
        )


def _sweeps(grid: Grid, names: Sequence[str]) -> RealArray | None:
    """Return a number for every action within a segment; None if there is one."""
    key: RealArray | None = None
    for name in _SWEEP:
        values = grid.optional(names.index(name)) if name in names else None
        if values is not None and np.count_nonzero(values == values[0]) < values.size:
            key = np.ones(values.size) if key is None else key
            key[1:] += np.cumsum(np.diff(values) != 0)
    return key
