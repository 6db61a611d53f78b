"""Curves of PalmSens files, session or CSV: which channel, which scan, and one spectrum for each scan.

Usage
    `spectra_of`, called by the readers for every curve; `told_apart` for all spectra of a file.
Layout
    A curve holds one channel. When the DC level or the time is scanned too, it holds all scans one behind the
    other, with the same frequencies again and again; a scan is then the rows in which every frequency is new.
Units and sign
    The readers convert; what arrives here is in SI units, capacitive negative.
Uncertainty
    None is stored.
Known variants
    ``CH 3: E dc scan at 5 freqs`` and ``CH 7: 5 freqs`` name the channel, ``Fixed at 37 freqs`` does not. Sweeps
    down and up again stay in one spectrum.
Source of the facts
    Exported files, and the titles in the documentation of the PalmSens SDK for Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eis.readers.source import Notes, Source
from eis.readers.sweeps import spectra
from eis.spectrum import ComplexArray, IntArray, RealArray, Spectrum

SAME_FREQUENCY = 1e-3
"""Frequencies closer than this (relative) are one frequency measured again; no sweep is as fine."""

_CHANNEL = re.compile(r"CH\s{0,3}([0-9]{1,4})\b", re.IGNORECASE)
_STATED = re.compile(r"\b([0-9]{1,6}) freqs?\b")
_COORDINATES = ("measurement", "channel", "scan", "cycle")


@dataclass(frozen=True)
class Curve:
    """One curve of a file, in the order of its rows.

    Parameters
    ----------
    title : str
        What the file calls it.
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm, capacitive Z″ < 0).
    columns : mapping
        What else was recorded, as `Spectrum` keeps it.
    quality : ndarray of int, shape (n,), optional
        Flags of every row.
    lines : sequence of int, optional
        Line number of every row.
    """

    title: str
    frequency_hz: RealArray
    z_ohm: ComplexArray
    columns: Mapping[str, RealArray] = field(default_factory=lambda: {})
    quality: IntArray | None = None
    lines: Sequence[int] | None = None

    @property
    def at_one_frequency(self) -> bool:
        """Whether it is a scan of time or level at one frequency, which is no spectrum."""
        low, high = float(self.frequency_hz.min()), float(self.frequency_hz.max())
        return self.frequency_hz.size > 1 and high - low <= SAME_FREQUENCY * high


def spectra_of(source: Source, notes: Notes, format_name: str, curve: Curve) -> list[Spectrum]:
    """Make the spectra of a curve: one for every scan.

    Parameters
    ----------
    source, notes
        The file and the notes taken on the curve.
    format_name : str
        What the file is.
    curve : Curve
        The curve.

    Returns
    -------
    list of Spectrum
        With `title` in the metadata, `channel` if the title names it, and `scan` if there are several.

    Raises
    ------
    ReadError
        If a frequency or an impedance cannot be one.
    """
    scan = scan_of_rows(curve.frequency_hz)
    order = np.arange(curve.frequency_hz.size) if scan is None else np.argsort(scan, kind="stable")
    _check_count(notes, curve, 1 if scan is None else int(scan.max()))
    made = spectra(
        source,
        notes,
        format_name,
        curve.frequency_hz[order],
        curve.z_ohm[order],
        None if curve.lines is None else [curve.lines[row] for row in order.tolist()],
        columns={name: values[order] for name, values in curve.columns.items()},
        quality=None if curve.quality is None else curve.quality[order],
        cycle=None if scan is None else scan[order],
    )
    own: dict[str, Any] = {"title": curve.title} if curve.title else {}
    if channel := _CHANNEL.match(curve.title):
        own["channel"] = int(channel[1])
    return [_placed(spectrum, own) for spectrum in made]


def scan_of_rows(frequency_hz: RealArray) -> RealArray | None:
    """Return the number of the scan, from 1, of every row; None if all rows are one scan.

    A row belongs to scan k if its frequency is there for the k-th time, be it scan after scan or frequency after
    frequency. Every scan has to begin where the first did: a sweep down and up again, or a point that is measured
    twice, are not other scans.
    """
    if frequency_hz.size < 2 or not (frequency_hz > 0).all():
        return None
    n = frequency_hz.size
    order = np.argsort(frequency_hz, kind="stable")
    new = np.r_[0, np.diff(np.log(frequency_hz[order])) > SAME_FREQUENCY].astype(np.int64)
    which = np.empty(n, dtype=np.int64)
    which[order] = np.cumsum(new)
    by_frequency = np.argsort(which, kind="stable")
    first = np.searchsorted(which[by_frequency], which[by_frequency])
    scan = np.empty(n, dtype=np.int64)
    scan[by_frequency] = np.arange(n) - first
    if not scan.any():
        return None
    counts = np.bincount(which)
    whole = bool((np.diff(scan) >= 0).all()) or bool((counts == counts[0]).all())
    begins = [int(which[int(np.argmax(scan == number))]) for number in (0, 1)]
    if not whole or begins[0] != begins[1] or counts.size == 1:
        return None
    return scan.astype(np.float64) + 1.0


def told_apart(found: Sequence[Spectrum]) -> list[Spectrum]:
    """Return the spectra of a file, with a number as `curve` if their coordinates do not tell them apart."""
    places = [tuple(one.metadata.get(name) for name in _COORDINATES) for one in found]
    if len(set(places)) == len(found):
        return list(found)
    return [one.with_metadata(curve=number + 1) for number, one in enumerate(found)]


def _placed(spectrum: Spectrum, own: Mapping[str, Any]) -> Spectrum:
    metadata = dict(spectrum.metadata)
    if "cycle" in metadata:
        metadata["scan"] = metadata.pop("cycle")
    return replace(spectrum, metadata={**metadata, **own})


def _check_count(notes: Notes, curve: Curve, n_scans: int) -> None:
    stated = _STATED.search(curve.title)
    n = curve.frequency_hz.size
    if stated and int(stated[1]) * n_scans != n:
        notes.warnings.append(
            f"The title says {stated[1]} frequencies; there are {n} rows in {n_scans} "
            f"{'scan' if n_scans == 1 else 'scans'}."
        )
