"""What the numbers of a table tell of its headings: the sign, degrees or radians, and whether columns agree.

Usage
    `sign_told` and `degrees_told` answer from the data, or with None; `compare` looks at columns that say the
    same.
Layout
    None.
Units and sign
    In a cell the phase follows from the slope of the modulus (see `eis.readers.sanity`): φ ≈ (π/2)·d ln|Z|/d ln ω.
    The slope of one over the other is near 1 for the right sign and unit, −1 for the wrong sign, and 57.3 or
    1/57.3 where degrees and radians are exchanged.
Uncertainty
    Nothing is told from data whose correlation with the expected phase is below `SURE`.
Known variants
    None.
Source of the facts
    Bode's relation, Bell Syst. Tech. J. 19 (1940) 421, doi:10.1002/j.1538-7305.1940.tb00839.x.
"""

from __future__ import annotations

import numpy as np

from eis.readers.sweeps import rectangular
from eis.spectrum import ComplexArray, RealArray

FEWEST_POINTS = 6
LEAST_SLOPE = 0.03
SURE = 0.8
RIGHT = (0.4, 2.5)
"""Between these slopes unit and sign are taken as told."""
AGREES = 0.02
"""Columns that say the same may differ by this part."""
DEGREE = np.pi / 180
_NEAR = 0.05
_FACTORS = {1e3: "1000", 1e-3: "1/1000", 1e6: "1e6", 1e-6: "1e-6"}


def sign_told(frequency: RealArray, real: RealArray, size: RealArray) -> int | None:
    """Return the sign with which `size` is the imaginary part that belongs to `real`; None if untold."""
    slopes = {sign: _slope(frequency, rectangular(real, sign * size)) for sign in (1, -1)}
    told = [sign for sign, slope in slopes.items() if slope is not None and RIGHT[0] < slope < RIGHT[1]]
    return told[0] if len(told) == 1 else None


def degrees_told(frequency: RealArray, magnitude: RealArray, phase: RealArray) -> bool | None:
    """Return whether phases without a unit are in degrees; None if the data do not tell."""
    if np.abs(phase).max() > 2 * np.pi:
        return True
    slope = _slope_of(frequency, magnitude, phase)
    if slope is None:
        return None
    if RIGHT[0] < abs(slope) < RIGHT[1]:
        return False
    return True if RIGHT[0] < abs(slope) * DEGREE < RIGHT[1] else None


def compare(
    z: ComplexArray, magnitude: RealArray | None, phase: RealArray | None, names: str
) -> tuple[str | None, str | None]:
    """Compare an impedance with columns that say it once more.

    Parameters
    ----------
    z : ndarray of complex, shape (n,)
        The impedance (ohm).
    magnitude, phase : ndarray, shape (n,), optional
        Modulus (ohm) and phase (rad) as the other columns state them.
    names : str
        How to call those columns.

    Returns
    -------
    tuple of (str or None, str or None)
        A contradiction in the scale, which cannot be resolved, and a doubt; None where there is none.
    """
    size = np.abs(z)
    sound = (size > 0) & np.isfinite(size)
    if magnitude is not None and (both := sound & (magnitude > 0)).sum() >= 1:
        ratio = float(np.median(magnitude[both] / size[both]))
        for factor, said in _FACTORS.items():
            if abs(ratio / factor - 1) < _NEAR:
                return f"The columns contradict each other: {names} is {said} times what Re and Im give", None
        if abs(ratio - 1) > AGREES:
            return None, f"{names} is {ratio:.3g} times what the real and imaginary part give."
    if phase is None or not sound.any():
        return None, None
    found, expected = phase[sound], np.angle(z[sound])
    large = np.abs(expected) > _NEAR
    if large.sum() < min(3, sound.sum()) or not large.any():
        return None, None
    ratio = float(np.median(found[large] / expected[large]))
    off = np.abs(np.angle(np.exp(1j * (found[large] - expected[large]))))
    if float(np.median(off)) <= max(AGREES, AGREES * float(np.abs(expected[large]).max())):
        return None, None
    if abs(ratio + 1) < _NEAR:
        return None, f"The sign of {names} contradicts that of the imaginary part."
    if abs(ratio * DEGREE - 1) < _NEAR or abs(ratio / DEGREE - 1) < _NEAR:
        return (
            None,
            f"{names} is 57.3 times too {'large' if ratio > 1 else 'small'}: degrees and radians are exchanged.",
        )
    return None, f"{names} differs from the phase of the real and imaginary part by {np.median(off):.2g} rad."


def _slope(frequency: RealArray, z: ComplexArray) -> float | None:
    return _slope_of(frequency, np.abs(z), np.angle(z))


def _slope_of(frequency: RealArray, magnitude: RealArray, phase: RealArray) -> float | None:
    """Return the slope of the phases over those expected of the moduli, of a single sweep; None if unsure."""
    order = np.argsort(frequency)
    frequency, magnitude, phase = frequency[order], magnitude[order], phase[order]
    keep = np.concatenate([[True], np.diff(frequency) > 0]) & (frequency > 0) & (magnitude > 0)
    if keep.sum() < FEWEST_POINTS or not (np.isfinite(magnitude) & np.isfinite(phase))[keep].all():
        return None
    with np.errstate(all="ignore"):
        expected = 0.5 * np.pi * np.gradient(np.log(magnitude[keep]), np.log(frequency[keep]))
    phase = phase[keep]
    power, product, square = float(expected @ expected), float(phase @ expected), float(phase @ phase)
    if not np.isfinite(power) or power < LEAST_SLOPE**2 * expected.size or square == 0:
        return None
    return product / power if abs(product) > SURE * np.sqrt(power * square) else None
