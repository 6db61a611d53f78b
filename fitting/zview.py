"""ZView's circuit models (``.mdl``), as far as the format is known; Scribner publishes no description of it.

Each of these facts stands in at least two of three public programs: EISART and automaterials, which read such
files, and eis-batch-analysis, which writes them after comparing with a model that comes with ZView.

- A banner ``ZView Circuit Model: 2.0``, then settings, which say nothing about the circuit and are skipped.
- ``Begin Circuit Model: N`` … ``End Circuit Model: N``; between them N elements in series, the two markers of
  each parallel part counted.
- ``Element #i Type:``, ``Element #i Name:``; for each parameter ``Element #i,k Name:``, ``Value:`` and ``Free:``.
- Types 1 resistor (R), 2 capacitor (T), 3 inductor (T), 11 CPE (k = 1, T; k = 2, P; Z = 1/(T (jω)^P)), −1 and −2
  beginning and end of a parallel part, in which each element is a branch of its own.

One program has met decimal commas. Not confirmed, and therefore refused or left open:

- every other type: Warburg elements, Gerischer (12), QPE (13), distributed elements, and whatever marks several
  elements in one parallel branch; such a file is refused, naming the type;
- ``Free``: two of the three take 0 as fixed, one takes it as free. All values come as start values, and a note
  names the parameters whose code is 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from eis.errors import CircuitError, ReadError
from fitting.circuit import parse
from fitting.foreign import ForeignModel

MAX_BYTES = 1_000_000
BANNER = "ZView Circuit Model:"
BEGIN_PARALLEL, END_PARALLEL = -1, -2
TYPES = {1: ("R", 1), 2: ("C", 1), 3: ("L", 1), 11: ("CPE", 2)}
"""Type code: our letter, and how many parameters it has, in the order of their numbers in the file."""

_LINE = re.compile(r"Element #(\d{1,6})(?:,(\d{1,6}))? (Type|Name|Value|Free):\s*(.*)")
_EXPORT = "Save the model again with ZView."


@dataclass(slots=True)
class _Element:
    """What the file says about one element; `line` is where it begins."""

    line: int
    kind: int
    name: str = ""
    values: dict[int, float] = field(default_factory=lambda: {})
    free: dict[int, str] = field(default_factory=lambda: {})


def read_zview_model(path: str | Path) -> ForeignModel:
    """Read a circuit and its values from a ZView model file.

    Names such as ``Rs`` become numbered ones and the notes tell which. All values are start values.

    Parameters
    ----------
    path : str or Path
        The ``.mdl`` file.

    Returns
    -------
    ForeignModel
        With `start` filled and `fix` empty: ``fit(model.circuit, spectrum, start=model.start)``.

    Raises
    ------
    ReadError
        If the file is missing, larger than 1 MB, not a ZView model, cut short, or uses an element or an
        arrangement whose meaning is not known.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError(f"The file cannot be read: {error.strerror}", path=path, mend="Check the path.") from error
    if len(content) > MAX_BYTES:
        raise ReadError(f"The file is larger than {MAX_BYTES} bytes", path=path, mend="Name a ZView model.")
    lines = content.decode("latin-1").splitlines()
    if not lines or not lines[0].lstrip().startswith(BANNER):
        raise ReadError(
            f"This is not a ZView model; its first line is {lines[0][:60] if lines else ''!r}",
            path=path,
            mend=f"A model begins with {BANNER!r}. Data files (.z) are read with eis.read.",
        )
    elements = _elements(path, lines)
    names, notes = _names(elements)
    text = _arrangement(path, elements, names)
    start: dict[str, float] = {}
    held: list[str] = []
    for element, name in zip(elements, names, strict=True):
        if element.kind not in TYPES:
            continue
        count = TYPES[element.kind][1]
        if len(element.values) != count:
            raise ReadError(
                f"{element.name or name} has {len(element.values)} values instead of {count}",
                path=path,
                line=element.line,
                mend=_EXPORT,
            )
        for i, slot in enumerate(sorted(element.values)):
            parameter = name if count == 1 else f"{name}_{i}"
            start[parameter] = element.values[slot]
            if element.free.get(slot) == "0":
                held.append(parameter)
    if held:
        notes.append(
            f"Free is 0, probably fixed, for {', '.join(held)}; hold what should be held with fix=, as in "
            f"fix={{{held[0]!r}: {start[held[0]]:g}}}."
        )
    try:
        circuit = parse(text)
    except CircuitError as error:
        raise ReadError(error.what, path=path, mend=error.mend) from error
    return ForeignModel(circuit, start, {}, name=path.stem, notes=tuple(notes))


def _elements(path: Path, lines: list[str]) -> list[_Element]:
    """Return the elements in their order, checked against the count the file gives."""
    begin, count = _marker(path, lines, "Begin Circuit Model:", 0)
    end, _ = _marker(path, lines, "End Circuit Model:", begin)
    elements: list[_Element] = []
    for number, line in enumerate(lines[begin : end - 1], start=begin + 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ReadError(
                f"Expected a line of an element, found {line[:60]!r}", path=path, line=number, mend=_EXPORT
            )
        index, slot, what, value = match.groups()
        if what == "Type":
            elements.append(_Element(number, int(_number(path, number, value))))
        if int(index) != len(elements) - 1:
            raise ReadError(
                f"Expected element #{max(len(elements) - 1, 0)}, found #{index}",
                path=path,
                line=number,
                mend=_EXPORT,
            )
        element = elements[-1]
        if what == "Name" and slot is None:
            element.name = value.strip()
        elif what == "Value" and slot is not None:
            element.values[int(slot)] = _number(path, number, value)
        elif what == "Free" and slot is not None:
            element.free[int(slot)] = value.strip()
    if len(elements) != count:
        raise ReadError(
            f"The model announces {count} elements and has {len(elements)}", path=path, line=begin, mend=_EXPORT
        )
    return elements


def _marker(path: Path, lines: list[str], marker: str, after: int) -> tuple[int, int]:
    """Return the number of the line that begins with `marker`, counted from 1, and the number written in it."""
    for number, line in enumerate(lines[after:], start=after + 1):
        if line.strip().startswith(marker):
            return number, int(_number(path, number, line.strip().removeprefix(marker)))
    raise ReadError(f"The line {marker!r} is missing; the file is cut short", path=path, mend=_EXPORT)


def _number(path: Path, line: int, text: str) -> float:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ReadError(f"Expected a number, found {text.strip()[:40]!r}", path=path, line=line, mend=_EXPORT)
    return number


def _names(elements: list[_Element]) -> tuple[list[str], list[str]]:
    """Return our name of each element, empty for markers: the file's where it is one of ours, else a free one."""
    names = [""] * len(elements)
    for i, element in enumerate(elements):
        letter = TYPES[element.kind][0] if element.kind in TYPES else ""
        if letter and re.fullmatch(rf"{letter}[0-9]+", element.name) and element.name not in names:
            names[i] = element.name
    renamed: list[str] = []
    for i, element in enumerate(elements):
        if element.kind in TYPES and not names[i]:
            names[i] = next(name for name in _numbered(TYPES[element.kind][0]) if name not in names)
            renamed.append(f"{element.name or 'an unnamed element'} is {names[i]}")
    return names, [f"Names: {', '.join(renamed)}."] if renamed else []


def _numbered(letter: str) -> Iterator[str]:
    number = 0
    while True:
        yield f"{letter}{number}"
        number += 1


def _arrangement(path: Path, elements: list[_Element], names: list[str]) -> str:
    """Return the circuit text."""

    def refuse(element: _Element, what: str) -> NoReturn:
        raise ReadError(
            what,
            path=path,
            line=element.line,
            mend="Write the circuit by hand, as in R0-p(R1-W1,CPE1), and take the values over.",
        )

    parts: list[str] = []
    branches: list[str] | None = None
    for element, name in zip(elements, names, strict=True):
        if element.kind == BEGIN_PARALLEL:
            if branches is not None:
                refuse(element, "A parallel part begins inside another; how ZView nests them is not known")
            branches = []
        elif element.kind == END_PARALLEL:
            if branches is None:
                refuse(element, "A parallel part ends that did not begin")
            if not branches:
                refuse(element, "A parallel part holds nothing")
            parts.append(f"p({','.join(branches)})" if len(branches) > 1 else branches[0])
            branches = None
        elif element.kind in TYPES:
            (parts if branches is None else branches).append(name)
        else:
            refuse(element, f"The element {element.name!r} is of type {element.kind}, whose meaning is not known")
    if branches is not None:
        refuse(elements[-1], "A parallel part is never closed")
    if not parts:
        raise ReadError("The model holds no element", path=path, mend=_EXPORT)
    return "-".join(parts)
