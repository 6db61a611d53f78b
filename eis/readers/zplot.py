"""Scribner ZPlot and ZView `.z`, three generations: ZPLOT2 ASCII, ZPlotW, and ZView calculated data."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from eis.readers.cells import Grid, read_grid, shorten
from eis.readers.source import Notes, Source
from eis.readers.sweeps import rectangular, spectra
from eis.spectrum import IntArray, Quality, Spectrum

NAME: str = "ZPlot/ZView"
SUFFIXES: tuple[str, ...] = (".z", ".txt")

_FIRST_LINES = ("ZPLOT2 ASCII", '"ZPlotW Data File', "ZPlotW Data File", '"ZView Calculated', "ZView Calculated")
_NAME = re.compile(r"Freq\s*\(Hz\)|Ampl|Bias|Time\s*\(Sec\)|[A-Za-z]'{1,2}\s*\([ab]\)|GD|Err|Range", re.IGNORECASE)
_COLUMNS = re.compile(r'[\s"]*Freq\s*\(Hz\)', re.IGNORECASE)
_POINTS = re.compile(r'\s*(?:Data Points:\s*)?"?(\d{1,9})"?\s*')
_WHEN = re.compile(r"\s*Date:\s*(\S+)(?:\s+Time:\s*(\S+))?\s*")
_TIME = re.compile(r"\s*Time:\s*(\S+)\s*")
_EXPORT = "Export the data again from ZPlot or ZView as impedance (Z', Z'')."


def recognises(source: Source) -> bool:
    """Whether the first line names one of the three generations."""
    head = source.head
    return head.startswith(_FIRST_LINES)


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
        If the columns are not impedance, there are no rows, or a cell is not a number.
    """
    notes = source.notes()
    lines = source.lines
    at = next((number for number, line in enumerate(lines) if _COLUMNS.match(line)), None)
    if at is None:
        raise source.fail("No line names the columns (Freq(Hz), Z'(a), Z''(b), …)", mend=_EXPORT)
    names = _names(source, at)
    stated = _settings(lines[:at], notes)
    first = at + 1
    if lines[0].startswith("ZPLOT2") and first < len(lines) and lines[first].strip() == "End Comments":
        first += 1
    row = next((line for line in lines[first:] if line.strip()), "")
    separator = "\t" if "\t" in row.strip() else ","
    grid = read_grid(source, notes, names, first, len(lines), lambda line: line.split(separator))
    place = {name: number for number, name in enumerate(names)}
    frequency = grid.numbers(place["freq(hz)"])
    z = rectangular(grid.numbers(place["z'(a)"]), grid.numbers(place["z''(b)"]))
    if stated is not None and stated != len(grid.rows):
        notes.warnings.append(f"The header says {stated} points; there are {len(grid.rows)}.")
    columns = {}
    if "time(sec)" in place and (time := grid.optional(place["time(sec)"])) is not None:
        columns["time_s"] = time
    quality = _quality(grid, place.get("err"), notes)
    return spectra(source, notes, NAME, frequency, z, grid.lines, columns=columns, quality=quality)


def _names(source: Source, at: int) -> list[str]:
    """Return the column names in lower case without spaces; the row may lack the spaces between them."""
    line = source.lines[at]
    names = [re.sub(r"\s", "", name).lower() for name in _NAME.findall(line)]
    rest = _NAME.sub("", line).strip(' \t",')
    wrong = [name for name in ("freq(hz)", "z'(a)", "z''(b)") if names.count(name) != 1]
    if rest or wrong:
        raise source.fail(
            f"Expected the columns Freq(Hz), Z'(a) and Z''(b), found {shorten(line.strip(), 120)}",
            line=at + 1,
            mend=_EXPORT,
        )
    return names


def _settings(header: Sequence[str], notes: Notes) -> int | None:
    """Keep ``key: value`` lines; return the number of points the header states last."""
    stated = None
    for line in header:
        points = _POINTS.fullmatch(line)
        if points:
            stated = int(points[1])
        when, time = _WHEN.fullmatch(line), _TIME.fullmatch(line)
        if when:
            notes.acquired = " ".join(part for part in when.groups() if part)
        elif time and notes.acquired:
            notes.acquired += f" {time[1]}"
        key, colon, value = line.strip(' "').partition(":")
        if colon and value.strip():
            notes.vendor[key.strip()] = value.strip()
    return stated


def _quality(grid: Grid, column: int | None, notes: Notes) -> IntArray | None:
    """Flag points with an error code; its meaning is the analyser's and not stated in the file."""
    codes = None if column is None else grid.optional(column)
    if codes is None or not codes.any():
        return None
    notes.warnings.append(
        f"{np.count_nonzero(codes)} points carry an error code in the column Err, whose meaning the file does not "
        "state; they are flagged unknown_code and kept out of fits."
    )
    return np.where(codes != 0, int(Quality.UNKNOWN_CODE), 0).astype(np.int64)
