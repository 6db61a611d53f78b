"""What was measured twice: drift from repeated points and backward sweeps, non-linearity from two amplitudes.

Kramers–Kronig cannot see a drift or a non-linearity that looks like relaxation; a second measurement can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import EXCLUDING, ComplexArray, Quality, RealArray, Spectrum

SAME_HZ = 1e-3
"""Relative difference up to which two frequencies are the same."""
WINDOWS = (1, 3, 5, 9)
"""Over how many neighbouring frequencies a difference may be averaged."""
CHANCE = 1e-3
"""How often noise alone may look like a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """How far a second measurement lies from the first.

    Parameters
    ----------
    size : float
        Largest averaged |ΔZ|/|Z| that is more than noise; 0 if there is none.
    limit : float
        Largest that noise could have hidden.
    frequency_hz : tuple of float
        Where the change is more than noise (Hz); empty if nowhere.
    n_pairs : int
        Frequencies compared.
    """

    size: float
    limit: float
    frequency_hz: tuple[float, ...]
    n_pairs: int


def pairs_within(spectrum: Spectrum) -> tuple[RealArray, ComplexArray, ComplexArray]:
    """Return the frequencies (Hz) measured more than once in a spectrum, and Z (ohm) the first and the last time.

    Points flagged `DUPLICATE` count, points with any other excluding flag do not. The order is that of ``time_s``,
    else of ``acquired_order``, else of the rows.
    """
    others = int(EXCLUDING) & ~int(Quality.DUPLICATE)
    good = ((spectrum.quality & others) == 0) & np.isfinite(spectrum.all_z_ohm)
    f, z = spectrum.all_frequency_hz[good], spectrum.all_z_ohm[good]
    when = np.arange(f.size, dtype=np.float64)
    for name in ("acquired_order", "time_s"):
        if name in spectrum.columns and np.isfinite(spectrum.columns[name][good]).all():
            when = spectrum.columns[name][good]
    starts = np.flatnonzero(np.r_[True, np.abs(np.diff(f)) > SAME_HZ * f[1:]])
    found = []
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), f.size], strict=True):
        if stop - start > 1:
            order = start + np.argsort(when[start:stop], kind="stable")
            if abs(z[order[0]]) > 0:
                found.append((f[order[0]], z[order[0]], z[order[-1]]))
    columns = list(zip(*found, strict=True)) if found else [(), (), ()]
    return np.array(columns[0], float), np.array(columns[1], complex), np.array(columns[2], complex)


def pairs_between(first: Spectrum, second: Spectrum) -> tuple[RealArray, ComplexArray, ComplexArray]:
    """Return the frequencies (Hz) in use in both spectra, and Z (ohm) in each."""
    f, other = first.frequency_hz, second.frequency_hz[::-1]
    near = np.clip(np.searchsorted(other, f), 1, max(other.size - 1, 1))
    below = np.clip(near - 1, 0, other.size - 1)
    near = np.minimum(near, other.size - 1)
    index = np.where(np.abs(other[near] - f) < np.abs(other[below] - f), near, below)
    same = (np.abs(other[index] - f) <= SAME_HZ * f) & (np.abs(first.z_ohm) > 0)
    return f[same], first.z_ohm[same], second.z_ohm[::-1][index][same]


def change_between(f: RealArray, first: ComplexArray, again: ComplexArray, noise: RealArray) -> Change:
    """Compare two measurements of the same frequencies, averaged over neighbours as far as that helps.

    Parameters
    ----------
    f, first, again : ndarray, shape (p,)
        Frequency (Hz), falling, and impedance (ohm) at first and later.
    noise : ndarray, shape (p,)
        Standard deviation of each part of one measurement, as a fraction of |Z|.
    """
    n = f.size
    if not n:
        return Change(0.0, math.inf, (), 0)
    relative = again / first - 1
    differences = np.diff(relative)  # neighbours drift alike, so their differences are noise
    own = float(np.sqrt(np.mean(np.abs(differences) ** 2) / 8)) if n > 8 else 0.0
    variance = 2 * np.maximum(noise, np.minimum(own, 3 * noise) + 1e-9) ** 2
    windows = [width for width in WINDOWS if width <= n]
    toll = math.log(n * len(windows) / CHANCE)
    size, least, where = 0.0, math.inf, np.zeros(n, dtype=bool)
    for width in windows:
        averaged = _averaged(relative, width)
        threshold = np.sqrt(_averaged(variance.astype(np.complex128), width).real * 2 * toll / width)
        seen: NDArray[np.bool_] = np.abs(averaged) > threshold
        least = min(least, float(threshold.min()))
        if seen.any():
            size = max(size, float(np.max(np.abs(averaged) - threshold / 4, where=seen, initial=0.0)))
            where = where if where.any() else seen  # the narrowest window tells best where
    return Change(size, least, tuple(f[where].tolist()), n)


def _averaged(values: ComplexArray, width: int) -> ComplexArray:
    """Return running means over `width` neighbours, the window staying inside."""
    total = np.concatenate([[0], np.cumsum(values)])
    start = np.clip(np.arange(values.size) - width // 2, 0, values.size - width)
    return np.asarray((total[start + width] - total[start]) / width, dtype=np.complex128)
