"""Read any file with impedance in it: `read` for one spectrum, `read_all` for a file that may hold several."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from eis.readers import (
    autolab,
    bdf,
    bridge_csv,
    ch_instruments,
    ec_lab,
    ec_lab_binary,
    eco_chemie,
    elchemea,
    gamry,
    ivium,
    novocontrol,
    numpy_array,
    own,
    palmsens_session,
    parstat,
    powersuite,
    ps_trace,
    relaxis,
    spreadsheet,
    table,
    versa_studio,
    zahner,
    zplot,
)
from eis.readers.columns import parse
from eis.readers.marks import Mark, nearest
from eis.readers.source import Source, load
from eis.spectrum import Spectrum

__all__ = ["READERS", "Reader", "Source", "read", "read_all"]

Columns = Mapping[str, str | int] | str
"""What `eis.readers.columns.parse` takes."""


class Reader(Protocol):
    """What a module has to offer to be a reader."""

    NAME: str
    SUFFIXES: tuple[str, ...]
    MARKS: tuple[Mark, ...]

    def recognises(self, source: Source) -> bool:
        """Whether the file is of this format, told by how it begins."""
        ...

    def read(self, source: Source) -> list[Spectrum]:
        """Return every spectrum of the file, or raise `ReadError`."""
        ...


READERS: tuple[Reader, ...] = (
    own,
    ec_lab_binary,
    ec_lab,
    gamry,
    zplot,
    autolab,
    ch_instruments,
    parstat,
    powersuite,
    eco_chemie,
    elchemea,
    versa_studio,
    zahner,
    palmsens_session,
    ps_trace,
    novocontrol,
    relaxis,
    ivium,
    bridge_csv,
    bdf,
    spreadsheet,
    numpy_array,
    table,
)
"""Every format, in the order they are asked."""


def read(path: str | os.PathLike[str], *, columns: Columns | None = None) -> Spectrum:
    """Read the one spectrum of a file, in the format its beginning shows.

    Parameters
    ----------
    path : str or path
        The file; its suffix does not matter.
    columns : mapping or str, optional
        Which column of a table holds what, e.g. ``{"frequency": "f (Hz)", "real": 3, "imag": "-X@mohm"}``; see
        `eis.readers.columns`.

    Returns
    -------
    Spectrum
        Capacitive Z″ < 0, frequencies falling, SI units. Its metadata say where it came from: `file`, `sha256` of
        the raw bytes, `format`, `acquired`, what was `converted` and `dropped`, `warnings`, `status`, and the
        settings of the instrument under `vendor`.

    Raises
    ------
    ReadError
        If the file is not readable, not recognised (the message names the three nearest formats and what of
        each is missing), not what it begins as, or holds several spectra.
    ConfigError
        If `columns` is no such map.
    """
    source = load(path)
    found = _spectra(source, columns)
    if len(found) > 1:
        raise source.fail(
            f"The file holds {len(found)} spectra",
            mend="Use read_all, which returns every one of them, and choose by their metadata (cycle, loop, step, "
            "channel, electrode, …).",
        )
    return found[0]


def read_all(path: str | os.PathLike[str], *, columns: Columns | None = None) -> list[Spectrum]:
    """Read every spectrum of a file, in the order of the file; see `read`.

    Parameters
    ----------
    path : str or path
        The file.
    columns : mapping or str, optional
        As in `read`.

    Returns
    -------
    list of Spectrum
        At least one; if the file holds several, with what tells them apart in their metadata (`cycle`, `loop`,
        `step`, `channel`, `electrode`, `temperature_c`, …).

    Raises
    ------
    ReadError
        If the file is not readable, not recognised, or not what it begins as.
    """
    return _spectra(load(path), columns)


def _spectra(source: Source, columns: Columns | None) -> list[Spectrum]:
    if columns is None:
        found = _reader(source).read(source)
        if not found:  # no reader returns nothing; if one did, that would look like success
            raise source.fail("The file holds no spectrum", mend="Export or copy it again.")
        return found
    named = parse(columns)
    if spreadsheet.recognises(source):
        return spreadsheet.read_mapped(source, named)
    return table.read_mapped(source, named)


def _reader(source: Source) -> Reader:
    for reader in READERS:
        if reader.recognises(source):
            return reader
    first = next((line.strip() for line in source.head.split("\n") if line.strip()), "")[:60]
    known = ", ".join(reader.NAME for reader in READERS)
    near = "; ".join(nearest(source, READERS))
    nul = source.raw.find(b"\0")
    binary = "" if nul < 0 or source.encoding.startswith("utf-16") else f"; it is binary (byte {nul} is NUL)"
    raise source.fail(
        f"No reader recognises this file{binary}; its first line is {first!r}",
        mend=f"The nearest formats: {near}. These are read: {known}. Export the spectrum as a table with the "
        "headings frequency_hz,z_real_ohm,z_imag_ohm.",
    )
