"""Scribner ZPlot and ZView `.z`, three generations: ZPLOT2 ASCII, ZPlotW, and ZView calculated data.

Usage
    ``eis.read("cell.z")``.
Layout
    ``ZPLOT2 ASCII``, settings as ``key: value`` in sections, the user's comments, ``Data Points:``, the names of
    the columns, ``End Comments``, rows. Or ``"ZPlotW Data File: Version 3.2c"`` or ``"ZView Calculated Data
    File: Version 1.1"``, lines in quotes, the limits of the sweep, the number of points, the names, rows; or the
    names at once.
Units and sign
    See `eis.readers.zview_rows`.
Uncertainty
    None is stored.
Known variants
    A line ``"Date: 1-1-2021     "Time: 00:00:00"`` with an odd quote, as ZView writes it; names without spaces;
    rows with tabulators or commas; decimal commas. Models (`.mdl`) and logs of fits (`.lst`) are refused by
    name.
Source of the facts
    Files of ZPlot 3.2c (ZPLOT2 and ZPlotW). For calculated data and models, programs that write such files for
    ZView; no log (`.lst`) was seen, it is told by the name LEVM and Fortran's exponents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eis.readers.marks import Mark
from eis.readers.remembered import remembered_lines
from eis.readers.source import Notes, Source
from eis.readers.zview_rows import PARTS, column_row, spectra_of
from eis.spectrum import Spectrum

NAME: str = "ZPlot/ZView"
SUFFIXES: tuple[str, ...] = (".z", ".txt")

_NEWEST = "ZPLOT2 ASCII"
_FIRST_LINES = (_NEWEST, "ZPLOTW DATA FILE", "ZVIEW CALCULATED")
_MODEL = "ZView Circuit Model"
_LOG = re.compile(r"[0-9]D[+-][0-9]")
_SECTION = re.compile(r"(Begin|End) ([^:]{1,60}):")
_BORDERS = ("Begin ", "End ")
_WITH_MEANING = ("Data Points", "Date", "Time")
_FIRST_LETTERS = frozenset(word[0] for word in (*_BORDERS, *_WITH_MEANING))
_END = "End Comments"
_USER = "User Comments"
_POINTS = re.compile(r"(?:Data Points:\s*)?([0-9]{1,9})")
_LIMITS = re.compile(r"[0-9](?:\s*[,;]\s*[0-9.+Ee-]+){4,7}")
_WHEN = re.compile(r"Date:\s*(\S+)(?:\s+Time:\s*(\S+))?")
_TIME = re.compile(r"Time:\s*(\S+)")
_EXPORT = "Export the data again from ZPlot or ZView as impedance (Z', Z'')."
MARKS: tuple[Mark, ...] = (
    Mark("'ZPLOT2 ASCII' or another of its first lines", begins=_FIRST_LINES),
    Mark("columns Freq(Hz), Z'(a), Z''(b)", holds=(PARTS,)),
)


def recognises(source: Source) -> bool:
    """Whether the first line names one of the three generations, or a file of ZView that holds no data."""
    head = source.head
    start = head[:80].lstrip('" \t')
    return start.upper().startswith(_FIRST_LINES) or start.startswith(_MODEL) or _is_log(head)


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of a `.z` file.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Several if the frequencies start over.

    Raises
    ------
    ReadError
        If the file is a model or a log, the columns are not impedance, there are no rows, or a cell is not a
        number.
    """
    lines = source.lines
    first_line = lines[0].strip('" \t')
    if not first_line.upper().startswith(_FIRST_LINES):
        kind = "a circuit model of ZView (.mdl)" if first_line.startswith(_MODEL) else "the log of a fit (.lst)"
        raise source.fail(
            f"This is {kind}, which holds no measured spectrum",
            line=1,
            mend="Choose the .z file it was made with.",
        )
    notes = source.notes()
    end = None
    if first_line.upper().startswith(_NEWEST):
        end = _end_of_comments(source)
    at = column_row(source, end)
    if at is None:
        raise source.fail("No line names the columns (Freq(Hz), Z'(a), Z''(b), …)", mend=_EXPORT)
    stated = _settings(lines[1:at], notes)
    return spectra_of(source, notes, NAME, at, (at if end is None else end) + 1, stated, _EXPORT)


def _is_log(head: str) -> bool:
    """Whether a file is what LEVM, the fitting program behind ZView, writes: its name and Fortran's exponents."""
    return "L" in head and "LEVM" in head and bool(_LOG.search(head))  # most tables of numbers have no L


def _end_of_comments(source: Source) -> int | None:
    lines = source.lines
    if source.raw.count(_END.encode()) == 1 and _END in lines:
        return lines.index(_END)  # found in C
    return next((number for number, line in enumerate(lines) if line.strip() == _END), None)


def _settings(header: Sequence[str], notes: Notes) -> int | None:
    """Keep what the header says; return the number of points it states last."""
    stated = None
    section = ""
    vendor = notes.vendor
    for number, (text, key, colon, value, is_setting) in enumerate(_parts(header)):
        if is_setting and section != _USER:
            vendor[f"{section}: {key}" if section and key in vendor else key] = value
            continue
        if colon and text.startswith(_BORDERS) and (border := _SECTION.match(text)):
            section = border[2].strip() if border[1] == "Begin" else ""
            if not section:
                continue
            text = text.removeprefix("Begin ")
            key, colon, value = _parted(text)
        elif section == _USER:
            vendor["Comments"] = f"{vendor['Comments']}\n{text}" if "Comments" in vendor else text
            continue
        points = None
        if not colon or key in _WITH_MEANING:
            points = _POINTS.fullmatch(text)
            if points and (number == len(header) - 1 or colon):
                stated = int(points[1])
            if when := _WHEN.fullmatch(text):
                notes.acquired = " ".join(part for part in when.groups() if part)
            elif notes.acquired and (time := _TIME.fullmatch(text)):
                notes.acquired += f" {time[1]}"
        if colon and value:
            vendor[f"{section}: {key}" if section and key in vendor else key] = value
        elif _LIMITS.fullmatch(text):
            vendor["Limits"] = text
        elif text and not colon and not points:
            vendor.setdefault("remarks", []).append(text)
    return stated


@remembered_lines
def _parts(line: str) -> tuple[str, str, str, str, bool]:
    """Return the text of a line; what stands before, at and behind its colon; whether it is surely a setting."""
    text = line.replace('"', " ").strip()
    key, colon, value = _parted(text)
    return text, key, colon, value, bool(colon and value) and text[0] not in _FIRST_LETTERS


def _parted(text: str) -> tuple[str, str, str]:
    key, colon, value = text.partition(":")
    return key.rstrip(), colon, value.lstrip()
