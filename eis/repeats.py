"""What was measured twice: drift from repeated points and backward sweeps, non-linearity from two amplitudes.

Kramers–Kronig cannot see a drift or a non-linearity that looks like relaxation; a second measurement can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import EXCLUDING, ComplexArray, Quality, RealArray, Spectrum

SAME_HZ = 1e-3
"""Relative difference up to which two frequencies are the same."""
WINDOWS = (1, 3, 5, 9)
"""Over how many neighbouring frequencies a difference may be averaged."""
LEAST_OF_A_SWEEP = 0.25
"""Share of a sweep from which what happened in it is reckoned up to a whole one."""
DIFFERENT = 1.1
"""Factor from which two amplitudes are different."""
CHANCE = 1e-3
"""How often noise alone may look like a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """How far a second measurement lies from the first.

    Parameters
    ----------
    size : float
        Largest averaged |ΔZ|/|Z| that is more than noise, in the time of one sweep; 0 if there is none.
    moved : float
        The same as it stands, whatever time lay between.
    limit : float
        Largest that noise could have hidden.
    frequency_hz : tuple of float
        Where the change is more than noise (Hz); empty if nowhere.
    n_pairs : int
        Frequencies compared.
    """

    size: float
    moved: float
    limit: float
    frequency_hz: tuple[float, ...]
    n_pairs: int


def pairs_within(spectrum: Spectrum) -> tuple[RealArray, ComplexArray, ComplexArray, RealArray]:
    """Return what was measured more than once: frequency (Hz), first and last Z (ohm), and the time between.

    The time is a share of that of a sweep, 1 where there is no clock. Points flagged `DUPLICATE` count, those
    with any other excluding flag do not. The order is that of ``time_s``, else of ``acquired_order``, else that of
    the rows.
    """
    others = int(EXCLUDING) & ~int(Quality.DUPLICATE)
    good = ((spectrum.quality & others) == 0) & np.isfinite(spectrum.all_z_ohm)
    f, z = spectrum.all_frequency_hz[good], spectrum.all_z_ohm[good]
    when, sweep = np.arange(f.size, dtype=np.float64), 0.0
    for name in ("acquired_order", "time_s"):
        if name in spectrum.columns and np.isfinite(spectrum.columns[name][good]).all():
            when = spectrum.columns[name][good]
            sweep = float(np.ptp(spectrum.columns[name][spectrum.used])) if name == "time_s" else 0.0
    starts = np.flatnonzero(np.r_[True, np.abs(np.diff(f)) > SAME_HZ * f[1:]])
    found = []
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), f.size], strict=True):
        if stop - start > 1:
            order = start + np.argsort(when[start:stop], kind="stable")
            if abs(z[order[0]]) > 0:
                found.append((order[0], order[-1]))
    first, last = np.array(found, dtype=np.int64).reshape(-1, 2).T
    share = (when[last] - when[first]) / sweep if sweep > 0 else np.ones(first.size)
    return f[first], z[first], z[last], share


def pairs_between(first: Spectrum, second: Spectrum) -> tuple[RealArray, ComplexArray, ComplexArray, RealArray]:
    """Return the frequencies (Hz) in use in both spectra, Z (ohm) in each, and ones: a sweep lay between."""
    f, other = first.frequency_hz, second.frequency_hz[::-1]
    near = np.clip(np.searchsorted(other, f), 1, max(other.size - 1, 1))
    below = np.clip(near - 1, 0, other.size - 1)
    near = np.minimum(near, other.size - 1)
    index = np.where(np.abs(other[near] - f) < np.abs(other[below] - f), near, below)
    same = (np.abs(other[index] - f) <= SAME_HZ * f) & (np.abs(first.z_ohm) > 0)
    return f[same], first.z_ohm[same], second.z_ohm[::-1][index][same], np.ones(int(same.sum()))


def small_signal_share(first: Spectrum, other: Spectrum) -> float | None:
    """Return the error of `first` over its difference from `other`, if both tell their amplitude; else None.

    The lowest order of a non-linearity is even: the error grows as the square of the amplitude, so that of the
    first is a₁²/(a₁² − a₂²) of the difference.
    """
    for name in ("amplitude_v", "amplitude_a"):
        one, two = _amplitude(first, name), _amplitude(other, name)
        if one is not None and two is not None and max(one, two) > DIFFERENT * min(one, two):
            return abs(one**2 / (one**2 - two**2))
    return None


def _amplitude(spectrum: Spectrum, name: str) -> float | None:
    """Return the amplitude that a spectrum was measured with, from its points or its metadata, if it is known."""
    value = spectrum.metadata.get(name)
    if name in spectrum.columns:
        value = float(np.median(spectrum.columns[name][spectrum.used]))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    return None


def change_between(
    f: RealArray, first: ComplexArray, again: ComplexArray, share: RealArray, noise: RealArray
) -> Change:
    """Compare two measurements of the same frequencies, averaged over neighbours as far as that helps.

    Parameters
    ----------
    f, first, again : ndarray, shape (p,)
        Frequency (Hz), falling, and impedance (ohm) at first and later.
    share : ndarray, shape (p,)
        How much of the time of a sweep lay between; a change in less is reckoned up to a whole one.
    noise : ndarray, shape (p,)
        Standard deviation of each part of one measurement, as a fraction of |Z|.
    """
    n = f.size
    if not n:
        return Change(0.0, 0.0, math.inf, (), 0)
    relative = again / first - 1
    differences = np.diff(relative)  # neighbours drift alike, so their differences are noise
    own = float(np.sqrt(np.mean(np.abs(differences) ** 2) / 8)) if n > 8 else 0.0
    variance = 2 * np.maximum(noise, np.minimum(own, 3 * noise) + 1e-9) ** 2
    windows = [width for width in WINDOWS if width <= n]
    toll = math.log(n * len(windows) / CHANCE)
    size, moved, least, where = 0.0, 0.0, math.inf, np.zeros(n, dtype=bool)
    for width in windows:
        averaged = np.abs(_averaged(relative, width))
        threshold = np.sqrt(_averaged(variance, width) * 2 * toll / width)
        seen: NDArray[np.bool_] = averaged > threshold
        least = min(least, float(threshold.min()))
        if seen.any():
            above = np.where(seen, averaged - threshold / 4, 0.0)
            moved = max(moved, float(above.max()))
            size = max(size, float((above / np.clip(_averaged(share, width), LEAST_OF_A_SWEEP, 1)).max()))
            where = where if where.any() else seen  # the narrowest window tells best where
    return Change(size, moved, least, tuple(f[where].tolist()), n)


def _averaged(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Return running means over `width` neighbours, the window staying inside."""
    total = np.concatenate([[0], np.cumsum(values)])
    start = np.clip(np.arange(values.size) - width // 2, 0, values.size - width)
    return np.asarray((total[start + width] - total[start]) / width)
