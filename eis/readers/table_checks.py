"""What the numbers of a table tell of its headings: the sign, degrees or radians, and whether columns agree.

Usage
    `sign_told` and `degrees_told` answer from the data, or with None; `compare` looks at columns that say the
    same; `within_a_turn` and `phase_doubts` look at phases whose unit was stated, `told_polar` at numbers without
    names.
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

from eis.readers.source import Source
from eis.readers.sweeps import rectangular
from eis.spectrum import ComplexArray, RealArray

FEWEST_POINTS = 6
LEAST_SLOPE = 0.03
SURE = 0.8
RIGHT = (0.4, 2.5)
"""Between these slopes unit and sign are taken as told."""
AGREES = 0.02
"""Columns that say the same may differ by this part."""
MOST_OFF = 0.05
"""Phases (rad) that differ by more at a tenth of the points contradict, however few the others are off."""
MOST_IN_THE_TAIL = 0.9
TWICE_AS_GOOD = 2.0
"""How much better numbers must fit as modulus and phase than as real and imaginary part for that to be said."""
DEGREE = np.pi / 180
MOST_DEGREES = 91.0
"""Phases of passive cells are within 90 degrees, and a little noise."""
WHOLE_TURN = 2 * np.pi
_NEAR = 0.05
_FACTORS = {1e3: "1000", 1e-3: "1/1000", 1e6: "1e6", 1e-6: "1e-6"}


def sign_told(frequency: RealArray, real: RealArray, size: RealArray) -> int | None:
    """Return the sign with which `size` is the imaginary part that belongs to `real`; None if untold."""
    slopes = {sign: _slope(frequency, rectangular(real, sign * size)) for sign in (1, -1)}
    told = [sign for sign, slope in slopes.items() if slope is not None and RIGHT[0] < slope < RIGHT[1]]
    return told[0] if len(told) == 1 else None


def degrees_told(frequency: RealArray, magnitude: RealArray, phase: RealArray) -> bool | None:
    """Return whether phases without a unit are in degrees; None if the data do not tell."""
    if np.abs(phase).max() > WHOLE_TURN:
        return True
    slope = _slope_of(frequency, magnitude, phase)
    if slope is None:
        return None
    if RIGHT[0] < abs(slope) < RIGHT[1]:
        return False
    return True if RIGHT[0] < abs(slope) * DEGREE < RIGHT[1] else None


def within_a_turn(source: Source, name: str, phase_rad: RealArray, line: int | None) -> None:
    """Refuse phases of more than a whole turn, which no impedance has: their unit is another.

    Parameters
    ----------
    source : Source
        The file.
    name : str
        What it calls the phase.
    phase_rad : ndarray, shape (n,)
        The phases (rad), by the unit the file states.
    line : int, optional
        The line (from 1) that states it.

    Raises
    ------
    ReadError
        Names the largest.
    """
    most = float(np.abs(phase_rad).max(initial=0.0))
    if most > WHOLE_TURN:
        raise source.fail(
            f"{name!r} goes up to {most:.4g} rad, which is more than a whole turn",
            line=line,
            mend="It seems to be in another unit: correct the heading, or name the columns with "
            "columns='frequency=…,magnitude=…,phase_deg=…'.",
        )


def phase_doubts(frequency: RealArray, magnitude: RealArray, phase_rad: RealArray) -> list[str]:
    """Return a doubt if phases are 57 times what the slope of the modulus asks for: degrees taken for radians."""
    slope = _slope_of(frequency, magnitude, phase_rad)
    if slope is None or not RIGHT[0] < abs(slope) * DEGREE < RIGHT[1]:
        return []
    return [
        f"The phases are {abs(slope):.0f} times what the modulus asks for: they seem to be degrees where radians "
        "are expected."
    ]


def told_polar(frequency: RealArray, one: RealArray, other: RealArray) -> list[str]:
    """Return a doubt if two columns without names go together as modulus and degrees, and hardly as Z' and Z''."""
    if frequency.size < FEWEST_POINTS or not runs(frequency) or np.count_nonzero(one > 0) < one.size:
        return []
    if min(frequency.item(0), frequency.item(-1)) <= 0 or max(other.max(), -other.min()) > MOST_DEGREES:
        return []
    with np.errstate(all="ignore"):  # what is not finite is refused later, with its row
        log_f = np.log(frequency)
        step = log_f[1:] - log_f[:-1]
        off, slope, correlation = _apart(step, np.log(one), DEGREE * other)
        if not (RIGHT[0] < slope < RIGHT[1] and correlation >= SURE):
            return []
        off_as_parts = _apart(step, np.log(np.hypot(one, other)), np.arctan2(other, one))[0]
        if not off_as_parts > TWICE_AS_GOOD**2 * off:
            return []
    return [
        "The numbers go together as modulus and phase in degrees, and not as real and imaginary part, as which "
        "they were read because nothing names them; if they are, write the headings "
        "frequency_hz,|Z|/ohm,phase/deg above them."
    ]


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
    least = max(AGREES, AGREES * float(np.abs(expected[large]).max()))
    if float(np.median(off)) <= least:
        if float(np.quantile(off, MOST_IN_THE_TAIL)) <= max(MOST_OFF, least):
            return None, None
        n = int(np.count_nonzero(off > MOST_OFF))
        return None, f"{names} differs from the phase of the real and imaginary part at {n} points."
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


def runs(values: RealArray) -> bool:
    """Whether values only fall or only rise."""
    step = values[1:] - values[:-1]
    return step.size in (np.count_nonzero(step < 0), np.count_nonzero(step > 0))


def _apart(step: RealArray, log_size: RealArray, phase: RealArray) -> tuple[float, float, float]:
    """Compare phases with those the moduli ask for between the points: sum of squares, slope, correlation."""
    expected = 0.5 * np.pi * (log_size[1:] - log_size[:-1]) / step
    found = 0.5 * (phase[1:] + phase[:-1])
    off = found - expected
    power, product, square = float(expected @ expected), float(found @ expected), float(found @ found)
    if not (power > LEAST_SLOPE**2 * step.size and square > 0):
        return np.inf, 0.0, 0.0
    return float(off @ off), product / power, product / np.sqrt(power * square)


def _sweep(frequency: RealArray, magnitude: RealArray, phase: RealArray) -> tuple[RealArray, RealArray] | None:
    """Return the phases of a single sweep, and those expected of the moduli; None if there are too few."""
    order = np.argsort(frequency)
    frequency, magnitude, phase = frequency[order], magnitude[order], phase[order]
    keep = np.concatenate([[True], np.diff(frequency) > 0]) & (frequency > 0) & (magnitude > 0)
    if keep.sum() < FEWEST_POINTS or not (np.isfinite(magnitude) & np.isfinite(phase))[keep].all():
        return None
    with np.errstate(all="ignore"):
        expected = 0.5 * np.pi * np.gradient(np.log(magnitude[keep]), np.log(frequency[keep]))
    return phase[keep], expected


def _slope_of(frequency: RealArray, magnitude: RealArray, phase: RealArray) -> float | None:
    """Return the slope of the phases over those expected of the moduli, of a single sweep; None if unsure."""
    both = _sweep(frequency, magnitude, phase)
    if both is None:
        return None
    phase, expected = both
    power, product, square = float(expected @ expected), float(phase @ expected), float(phase @ phase)
    if not np.isfinite(power) or power < LEAST_SLOPE**2 * expected.size or square == 0:
        return None
    return product / power if abs(product) > SURE * np.sqrt(power * square) else None
