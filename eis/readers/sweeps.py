"""From the columns of a file to spectra: rows at 0 Hz leave, repeated sweeps part, provenance is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eis.readers.sanity import doubts
from eis.readers.source import Notes, Source
from eis.spectrum import ComplexArray, IntArray, RealArray, Spectrum

MOST_SPECTRA = 20_000
MOSTLY_POSITIVE = (
    "The imaginary part is mostly positive: the file may hold -Z'' (or the cell is inductive). It was kept as it "
    "stands; if it is -Z'', name the columns in a first line, e.g. frequency_hz,z_real_ohm,-z_imag_ohm."
)


def rectangular(real: RealArray, imaginary: RealArray) -> ComplexArray:
    """Return complex numbers without arithmetic, which would spoil NaN and -0.0."""
    z = np.empty(real.shape, dtype=np.complex128)
    z.real = real
    z.imag = imaginary
    return z


def polar(magnitude: RealArray, phase_rad: RealArray) -> ComplexArray:
    """Return complex numbers from magnitude and phase (rad)."""
    return rectangular(magnitude * np.cos(phase_rad), magnitude * np.sin(phase_rad))


def spectra(
    source: Source,
    notes: Notes,
    format_name: str,
    frequency_hz: RealArray,
    z_ohm: ComplexArray,
    lines: Sequence[int] | None = None,
    *,
    columns: Mapping[str, RealArray] | None = None,
    quality: IntArray | None = None,
    cycle: RealArray | None = None,
) -> list[Spectrum]:
    """Make the spectra of one table.

    Parameters
    ----------
    source, notes
        The file and the notes taken on it.
    format_name : str
        What the file is, e.g. ``"Gamry DTA"``.
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm, capacitive Z″ < 0) of every row.
    lines : sequence of int, optional
        Line number of every row; none in a file without lines.
    columns : mapping, optional
        What else was recorded, named and in units as `Spectrum` keeps it.
    quality : ndarray of int, shape (n,), optional
        Flags of every row.
    cycle : ndarray, shape (n,), optional
        Cycle number of every row; another cycle is another spectrum.

    Returns
    -------
    list of Spectrum
        At least one; each with where it came from in its metadata.

    Raises
    ------
    ReadError
        If a frequency is negative, a value overflows, or no row has a frequency above 0 Hz.
    """
    table = columns or {}
    rows = np.count_nonzero(frequency_hz)
    if rows != frequency_hz.size:
        _refuse_nonsense(source, frequency_hz, z_ohm, lines)
        n = frequency_hz.size - rows
        if not rows:
            raise source.fail(
                f"All {n} rows are at 0 Hz",
                line=lines[0] if lines else None,
                mend="This is not an impedance measurement; choose another.",
            )
        notes.dropped.append(f"{n} {'row' if n == 1 else 'rows'} with 0 Hz (DC steps).")
        keep = frequency_hz != 0
        frequency_hz, z_ohm = frequency_hz[keep], z_ohm[keep]
        table = {name: values[keep] for name, values in table.items()}
        quality = None if quality is None else quality[keep]
        cycle = None if cycle is None else cycle[keep]
    provenance: dict[str, Any] = {"file": source.given, "format": format_name, "sha256": source.sha256}
    if _is_one(quality, cycle):
        own = {} if cycle is None else _cycle_numbers([0], cycle)[0]
        said = provenance | own | notes.to_dict()
        spectrum = Spectrum.of_sweep(frequency_hz, z_ohm, table, said)
        if spectrum is not None:  # as nearly always; whatever is unusual is looked at closely below
            return [_doubted(spectrum, notes)]
    _refuse_nonsense(source, frequency_hz, z_ohm, lines)
    starts = _starts(frequency_hz, cycle)
    if len(starts) > MOST_SPECTRA:
        raise source.fail(
            f"The file would hold {len(starts)} spectra; no more than {MOST_SPECTRA} are read from one",
            line=lines[0] if lines else None,
            mend="Export fewer cycles at a time; if there are not so many, the cycle numbers are damaged.",
        )
    numbers = _cycle_numbers(starts, cycle)
    made = []
    for place, (start, end) in enumerate(zip(starts, [*starts[1:], frequency_hz.size], strict=True)):
        part = slice(start, end)
        whole = len(starts) == 1
        spectrum = Spectrum.of(
            frequency_hz if whole else frequency_hz[part],
            z_ohm if whole else z_ohm[part],
            quality=None if quality is None else quality[part],
            columns=table if whole else {name: values[part] for name, values in table.items()},
            metadata=provenance | numbers[place] | notes.to_dict(),
        )
        made.append(_doubted(spectrum, notes))
    return made


def _is_one(quality: IntArray | None, cycle: RealArray | None) -> bool:
    """Whether no row is flagged, and none says it belongs to another spectrum."""
    return (quality is None or not np.count_nonzero(quality)) and (cycle is None or _is_constant(cycle))


def _is_constant(values: RealArray) -> bool:
    return bool(np.count_nonzero(values == values[0]) == values.size)


def _doubted(spectrum: Spectrum, notes: Notes) -> Spectrum:
    found = doubts(spectrum)
    return spectrum.with_metadata(doubts=found, warnings=[*notes.warnings, *found]) if found else spectrum


def _refuse_nonsense(
    source: Source, frequency_hz: RealArray, z_ohm: ComplexArray, lines: Sequence[int] | None
) -> None:
    """Raise `ReadError` for the first row whose frequency is negative, or which holds something infinite."""
    with np.errstate(invalid="ignore"):
        sound = (frequency_hz >= 0) & np.isfinite(frequency_hz) & np.isfinite(z_ohm)
    if np.count_nonzero(sound) < sound.size:
        row = int(sound.argmin())
        raise source.fail(
            f"Expected a frequency above 0 Hz and a finite impedance, found {frequency_hz[row]:g} Hz and "
            f"{z_ohm[row]:g} ohm in row {row + 1}",
            line=lines[row] if lines else None,
            mend="Correct the cells or delete the line.",
        )


def mostly_positive(z_ohm: ComplexArray) -> bool:
    """Whether the sign of the imaginary part looks inverted."""
    return bool(np.count_nonzero(z_ohm.imag > 0) > 0.5 * z_ohm.size)


def _starts(frequency_hz: RealArray, cycle: RealArray | None) -> list[int]:
    """Return the first row of every sweep: the cycle changes, or the frequency jumps back to where it began.

    A jump counts if it crosses more than half of the whole range in one step and lands near the first frequency:
    a repeated point in the middle or at the very end, or a sweep down and up again, stay in one spectrum.
    """
    if cycle is None or _is_constant(cycle):
        rises = np.count_nonzero(frequency_hz[1:] > frequency_hz[:-1])
        if rises in (0, frequency_hz.size - 1):  # it runs one way, and nothing can jump back
            return [0]
    log_f = np.log(frequency_hz)
    span = float(np.ptp(log_f))
    step = np.diff(log_f)
    jumps = (np.abs(step) > 0.5 * span) & (np.abs(log_f[1:] - log_f[0]) < 0.1 * span) & (span > 0)
    jumps[-1:] = False
    if cycle is not None:
        jumps |= np.diff(cycle) != 0
    return [0, *(np.flatnonzero(jumps) + 1).tolist()]


def _cycle_numbers(starts: list[int], cycle: RealArray | None) -> list[dict[str, Any]]:
    """Return the number of each sweep: the file's cycle numbers if they tell the sweeps apart, else a count."""
    if cycle is not None:
        own = [float(cycle[start]) for start in starts]
        if len(set(own)) == len(own):
            return [{"cycle": int(number) if number.is_integer() else number} for number in own]
    return [{"cycle": place + 1} for place in range(len(starts))] if len(starts) > 1 else [{}]
