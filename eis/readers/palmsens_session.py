"""PalmSens `.pssession`: the sessions of PSTrace and MultiTrace, with every channel and scan of their spectra.

Usage
    ``eis.read("cell.pssession")``; `eis.read_all` for sessions of several channels, scans or measurements.
Layout
    UTF-16 (little endian) JSON, one object with a stray U+FEFF behind it. ``Measurements`` holds, for impedance,
    an ``EISDataList`` with one data set per channel, and a data set of its own which repeats one of these: it is
    read only where the list is missing, or where it holds rows the list does not. A data set is a list of arrays,
    told by ``ArrayType``, each with a unit.
Units and sign
    See `eis.readers.palmsens_arrays`; ``ZIm`` holds −Z″ and is turned. Time stamps count 100 ns from the year 1.
Uncertainty
    None is stored; the instrument's marks of overload and underload become flags.
Known variants
    Keys in lower case in older versions. Other measurements in the same session are left out and named. The DC
    level set for a point is ``e_set_v``, the measured one ``e_dc_v``.
Source of the facts
    Sessions of PSTrace 5.11 and of the SDK's tests (BSD-3-Clause), the enumerations of the PalmSens SDK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote

from eis.readers.cells import shorten
from eis.readers.marks import Mark
from eis.readers.palmsens_arrays import AGAIN, NEEDED, arrays_of, curve_of, field_of, items_of, rows_of, word_of
from eis.readers.palmsens_curves import spectra_of, told_apart
from eis.readers.source import Notes, Source
from eis.spectrum import Spectrum

NAME: str = "PalmSens session"
SUFFIXES: tuple[str, ...] = (".pssession",)

MAX_CHARACTERS = 24 * 1024 * 1024
"""Longest text taken apart; the objects it becomes need some twenty times its length in memory."""

_BEGIN = "palmsens.datafiles.sessionfile"
_DESCRIPTION = ("Title", "DeviceUsed", "DeviceSerial", "DeviceFW", "Type")
_TICKS_PER_MICROSECOND = 10
MARKS: tuple[Mark, ...] = (
    Mark("brace at the beginning", begins=("{",)),
    Mark("type PalmSens.DataFiles.SessionFile", holds=("PalmSens.DataFiles.SessionFile", _BEGIN)),
    Mark("list of measurements", holds=('"Measurements"', '"measurements"')),
)


def recognises(source: Source) -> bool:
    """Whether the file begins like a session."""
    head = source.head[:400].lstrip()
    return head.startswith("{") and _BEGIN in head.lower()


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of a session: one for every measurement, channel and scan.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        Capacitive negative; with `measurement`, `channel` and `scan` in the metadata where they are known.

    Raises
    ------
    ReadError
        If the file is no whole JSON, holds no impedance, or an array is missing, has an unknown unit, or is not as
        long as the frequencies.
    """
    session = _parsed(source)
    measurements = [one for one in items_of(session, "Measurements") if isinstance(one, dict)]
    found: list[Spectrum] = []
    others: list[str] = []
    for number, measurement in enumerate(measurements, 1):
        if not any(field_of(measurement, name) for name in ("DataSet", "EISDataList")):
            continue
        notes = source.notes()
        data_sets = _data_sets(measurement, notes)
        if not data_sets:
            others.append(f"measurement {number} ({shorten(_title(measurement))})")
            continue
        _describe(measurement, session, notes)
        for title, arrays in data_sets:
            own = replace(
                notes,
                converted=list(notes.converted),
                dropped=list(notes.dropped),
                warnings=list(notes.warnings),
            )
            curve = curve_of(source, own, f"measurement {number}, {shorten(title)}", title, arrays)
            if curve.at_one_frequency:
                others.append(f"{shorten(title)} of measurement {number}, which is at one frequency")
                continue
            made = spectra_of(source, own, NAME, curve)
            if len(measurements) > 1:
                made = [spectrum.with_metadata(measurement=number) for spectrum in made]
            found += made
    if not found:
        held = shorten(", ".join(others[:20]) or "nothing", 300)
        raise source.fail(
            f"The session holds no impedance spectrum; it holds {held}",
            mend="Choose a session of an impedance measurement.",
        )
    if others:
        left = f"Not impedance spectra: {', '.join(others[:20])}{', …' if len(others) > 20 else ''}."
        found = [one.with_metadata(dropped=[*one.metadata["dropped"], left]) for one in found]
    return told_apart(found)


def _parsed(source: Source) -> Mapping[str, Any]:
    """Return the JSON object of the file, bounded in length and depth."""
    text = source.text
    if len(text) > MAX_CHARACTERS:
        raise source.fail(
            f"The session has {len(text)} characters; no more than {MAX_CHARACTERS} are taken apart",
            mend="Save the impedance measurements in a session of their own.",
        )
    start = len(text) - len(text.lstrip())
    try:
        session, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise source.fail(
            f"The session is no whole JSON: {error.msg} at character {error.pos + 1} of {len(text)}",
            line=error.lineno,
            mend=f"It is cut or damaged. {AGAIN}",
        ) from None
    except (RecursionError, ValueError) as error:
        reason = "is nested too deep" if isinstance(error, RecursionError) else "holds a number that is none"
        raise source.fail(f"The session {reason}", mend=f"It is damaged. {AGAIN}") from None
    rest = text[end:].strip("\ufeff \t\r\n")
    if rest:
        raise source.fail(
            f"Behind the session stand {len(rest)} more characters: {shorten(rest)}",
            mend=f"It is damaged. {AGAIN}",
        )
    if not isinstance(session, dict):
        raise source.fail("The session is no JSON object", mend=AGAIN)
    return session


def _title(record: Any) -> str:
    return word_of(record, "Title")[:200]


def _data_sets(measurement: Any, notes: Notes) -> list[tuple[str, dict[int, Any]]]:
    """Return title and arrays of every impedance curve of a measurement, each once."""
    listed = []
    for entry in items_of(measurement, "EISDataList"):
        arrays = arrays_of(entry)
        if arrays:
            listed.append((_title(entry), arrays))
        else:
            notes.dropped.append(f"The curve {shorten(_title(entry))}, which is empty.")
    own = arrays_of(measurement)
    if not own.keys() & NEEDED.keys():
        return listed
    if not listed:
        return [(_title(measurement), own)]
    known = {row for _, arrays in listed for row in rows_of(arrays)}
    more = sum(row not in known for row in rows_of(own))
    if not more:
        return listed
    notes.warnings.append(
        f"The data set of the measurement holds {more} rows that no curve of its list holds; it was read as one "
        "more curve."
    )
    return [*listed, (_title(measurement), own)]


def _describe(measurement: Any, session: Any, notes: Notes) -> None:
    """Keep title, date, device and method of a measurement."""
    for name in _DESCRIPTION:
        value = field_of(measurement, name)
        if isinstance(value, (str, int)):
            notes.vendor[name] = value
    if isinstance(version := field_of(session, "CoreVersion"), str):
        notes.vendor["CoreVersion"] = version
    method = field_of(measurement, "Method")
    if isinstance(method, str):
        lines = [line.strip() for line in method.splitlines()]
        pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
        notes.vendor["method"] = {key: _plain(value) for key, _, value in pairs}
    notes.acquired = _moment(field_of(measurement, "TimeStamp"), field_of(measurement, "UTCTimeStamp"))


def _plain(value: str) -> str:
    return unquote(value.replace("%crlf", "\n")) if "%" in value else value


def _moment(local: Any, utc: Any) -> str | None:
    """Return a time stamp as ISO 8601, with the distance to UTC if that is known too."""
    if not isinstance(local, int):
        return None
    try:
        moment = datetime(1, 1, 1) + timedelta(microseconds=local // _TICKS_PER_MICROSECOND)
        if isinstance(utc, int) and utc > 0:
            ahead = timedelta(minutes=round((local - utc) / (_TICKS_PER_MICROSECOND * 6e7)))
            moment = moment.replace(tzinfo=timezone(ahead))
    except (OverflowError, ValueError):
        return None
    return moment.isoformat(timespec="milliseconds") if moment.year > 1900 else None
