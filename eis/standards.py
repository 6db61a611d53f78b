"""Open, short and load standards at the frequencies of a cell: interpolated between their points, never beyond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from eis.errors import SpectrumError
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray, Spectrum

SAME = 1e-6
"""Relative difference up to which two frequencies are the same."""
WIDEST_GAP = 0.52
"""Decades between two points of a standard across which it may still be interpolated."""


def called(name: str) -> str:
    """Return what people call the quantity `name` of a correction."""
    return {"x": "cell", "true": "load's true value"}.get(name, name)


def reach_hz(standards: Mapping[str, Spectrum]) -> tuple[float, float]:
    """Return the frequencies (Hz) that all standards reach over."""
    for name, standard in standards.items():
        if not len(standard):
            raise SpectrumError(
                f"The {called(name)} has no usable point", where=standard.name, mend="Measure it again."
            )
    low = max(float(standard.frequency_hz[-1]) for standard in standards.values())
    return low, min(float(standard.frequency_hz[0]) for standard in standards.values())


def inside(f: RealArray, standards: Mapping[str, Spectrum]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which frequencies `f` (Hz), shape (n,), all standards reach."""
    low, high = reach_hz(standards)
    return np.asarray((f >= low * (1 - SAME)) & (f <= high * (1 + SAME)))


def interpolated(standard: Spectrum, name: str, at: RealArray) -> tuple[ComplexArray, RealArray | None, int]:
    """Return a standard and its uncertainty at other frequencies, and how many of these it was not measured at.

    Parameters
    ----------
    standard : Spectrum
        What was measured at it.
    name : str
        Which quantity of the correction it is, for the words of an error.
    at : ndarray, shape (n,)
        Frequencies (Hz).

    Returns
    -------
    tuple
        Impedance (ohm) and standard uncertainty per part (ohm; None if not stated), shape (n,), and the count.

    Raises
    ------
    SpectrumError
        If a frequency lies beyond the ends, or the points are too far apart to be interpolated between.
    """
    f, z = standard.frequency_hz[::-1], standard.z_ohm[::-1]
    ends = f"{format_si(float(f[-1]), 'Hz')} to {format_si(float(f[0]), 'Hz')}"
    beyond = (at < f[0] * (1 - SAME)) | (at > f[-1] * (1 + SAME))
    if beyond.any():
        raise SpectrumError(
            f"The {called(name)} was measured from {ends}; {format_si(float(at[beyond][0]), 'Hz')} is outside",
            where=standard.name,
            mend="Measure it over the whole sweep; nothing is extrapolated.",
        )
    above = np.clip(np.searchsorted(f, at), 1, f.size - 1) if f.size > 1 else np.zeros(at.size, dtype=np.intp)
    nearest = np.where(at**2 < f[above - 1] * f[above], above - 1, above)
    measured = np.abs(at / f[nearest] - 1) <= SAME
    values = z[nearest]
    column = standard.columns.get("u_z_ohm")
    u = None if column is None else column[standard.used][::-1]
    u_at = None if u is None else u[nearest]
    if not measured.all():
        x, wanted = np.log10(f), np.log10(at[~measured])
        right = np.clip(np.searchsorted(x, wanted), 1, x.size - 1)
        if (x[right] - x[right - 1]).max() > WIDEST_GAP:
            raise SpectrumError(
                f"Points of the {called(name)} are too far apart to be interpolated between",
                where=standard.name,
                mend="Measure it at the frequencies of the sweep, or at five per decade or more.",
            )
        if x.size >= 4:
            values[~measured] = CubicSpline(x, z.real)(wanted) + 1j * CubicSpline(x, z.imag)(wanted)
        else:
            values[~measured] = np.interp(wanted, x, z.real) + 1j * np.interp(wanted, x, z.imag)
        if u is not None and u_at is not None:
            u_at[~measured] = np.interp(wanted, x, u)
    return values, u_at, int((~measured).sum())
