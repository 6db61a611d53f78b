"""Autolab FRA text, `Z60W`: what the FRA program of Eco Chemie exports for ZView.

Usage
    ``eis.read("cell.txt")``.
Layout
    ``"Z60W Data File: Version 1.1"``, seven lines in quotes, mostly empty, the limits of the sweep, the number
    of points, the names of the columns in quotes, rows with commas. UTF-8 with a byte-order mark.
Units and sign
    See `eis.readers.zview_rows`.
Uncertainty
    None is stored.
Known variants
    Without a mark; rows with semicolons and decimal commas; lines in quotes that hold a title, a date, a remark.
Source of the facts
    One exported file, and programs that write Z60W files for ZView.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.zview_rows import PARTS, column_row, spectra_of
from eis.spectrum import Spectrum

NAME: str = "Autolab FRA (Z60W)"
SUFFIXES: tuple[str, ...] = (".txt", ".z")

_TITLE = "Z60W Data File"
_LIMITS = re.compile(r"[0-9](?:\s*[,;]\s*[0-9.+Ee-]+){4,7}")
_WHEN = re.compile(r"Date:\s*(\S+)(?:\s+Time:\s*(\S+))?")
_EXPORT = "Export the data again from the FRA program as impedance (Z', Z'')."
MARKS: tuple[Mark, ...] = (
    Mark(f"'{_TITLE}' at the beginning", begins=(_TITLE,)),
    Mark("columns Freq (Hz), Z'(a), Z''(b)", holds=(PARTS,)),
)


def recognises(source: Source) -> bool:
    """Whether the first line says it is a Z60W data file."""
    return source.head[:80].lstrip('" \t').startswith(_TITLE)


def read(source: Source) -> list[Spectrum]:
    """Read the spectrum of a Z60W file.

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
        If the columns are not impedance, there are no rows, or a cell is not a number.
    """
    notes = source.notes()
    at = column_row(source)
    if at is None:
        raise source.fail("No line names the columns (Freq (Hz), Z'(a), Z''(b), …)", mend=_EXPORT)
    stated = _settings(source.lines[1:at], notes)
    return spectra_of(source, notes, NAME, at, at + 1, stated, _EXPORT)


def _settings(header: Sequence[str], notes: Notes) -> int | None:
    """Keep what the header says; return the number of points its last line states."""
    texts = [line.replace('"', " ").strip() for line in header]
    stated = None
    if texts and texts[-1].isdecimal() and texts[-1].isascii() and len(texts[-1]) < 10:
        stated = int(texts.pop())
    for text in filter(None, texts):
        when = _WHEN.fullmatch(text)
        if when:
            notes.acquired = " ".join(part for part in when.groups() if part)
        elif _LIMITS.fullmatch(text):
            notes.vendor["Limits"] = text
        else:
            notes.vendor.setdefault("remarks", []).append(text)
    return stated
