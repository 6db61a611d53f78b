"""Is a spectrum in the units and the sign it is said to be in? What its own numbers can tell, in microseconds.

In a cell of resistors, capacitors, inductors and diffusion, phase and slope of the modulus go together (Bode's
relation, Bell Syst. Tech. J. 19 (1940) 421, doi:10.1002/j.1538-7305.1940.tb00839.x): φ ≈ (π/2)·d ln|Z|/d ln ω. The
slope k of the phases over what they should be is near 1 in every sound spectrum, −1 where the sign of Z″ is
inverted, and π/180 where degrees and radians were exchanged. The scale of Z and that of the frequency do not show
in it; a clock shows the latter, for no point takes less than a fraction of its period.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import ComplexArray, RealArray, Spectrum

FEWEST_POINTS = 8
LEAST_SLOPE = 0.03
"""Root mean square of (π/2)·d ln|Z|/d ln ω from which a phase can be expected of the data."""
SURE = 0.8
"""Correlation of the phases with what they should be, from which a wrong slope is believed."""
SIGN_SLOPE = (-2.5, -0.4)
SMALLEST_SLOPE = 0.08
CLEARLY_NEGATIVE = -0.05
"""Part of |Z| below which Z′ is no mere noise of a capacitor; a passive cell has no Z′ below 0."""
SHORTEST_PERIODS = 0.25
"""No instrument measures a point in less than this part of its period."""
MOST_SHORT = 0.8
"""With more than this part of the slow points shorter, the frequencies or times are doubted."""
SLOW_HZ = 1.0
"""Points below are compared with the clock."""
FEWEST_TIMED = 3
PLAUSIBLE_OHM = (1e-8, 1e16)
PLAUSIBLE_HZ = (1e-7, 1e11)


def doubts(spectrum: Spectrum) -> list[str]:
    """Return what cannot be right about a spectrum's units and sign, one sentence each; usually nothing.

    Parameters
    ----------
    spectrum : Spectrum
        As a reader made it; with a column ``time_s`` the frequencies are compared with the clock.
    """
    frequency, z = spectrum.frequency_hz, spectrum.z_ohm
    n = frequency.size
    if not n:
        return []
    found = []
    if not PLAUSIBLE_HZ[0] <= frequency.item(n - 1) <= frequency.item(0) <= PLAUSIBLE_HZ[1]:
        found += _implausible("a frequency", "Hz", frequency, PLAUSIBLE_HZ)
    size = np.abs(z)
    ascending = size.copy()
    ascending.sort()  # tells the least and the most in less time than two calls for them
    least = ascending.item(0)
    if not PLAUSIBLE_OHM[0] <= least <= ascending.item(n - 1) <= PLAUSIBLE_OHM[1]:
        found += _implausible("an impedance", "ohm", size, PLAUSIBLE_OHM)
    ahead = np.count_nonzero(z.real > 0)
    if 2 * ahead <= n:
        found += _backward(z, size)
    elif n >= FEWEST_POINTS and least > 0:
        phase = np.arctan2(z.imag, z.real)
        if ahead < n and np.abs(phase[1:] - phase[:-1]).max() > np.pi:
            phase = np.unwrap(phase)
        found += _phases(np.log(frequency), np.log(size), phase)
    if "time_s" in spectrum.columns and spectrum.all_frequency_hz[-3:].item(0) < SLOW_HZ:
        found += _clock(spectrum)
    return found


def _phases(log_frequency: RealArray, log_size: RealArray, phase: RealArray) -> list[str]:
    step = log_frequency[1:] - log_frequency[:-1]
    if np.count_nonzero(step) < step.size:  # some frequencies are next to equal
        return []
    expected = 0.5 * np.pi * _slope(step, log_size)
    power, product = float(expected.dot(expected)), float(phase.dot(expected))
    if not power >= LEAST_SLOPE**2 * expected.size:
        return []
    slope = product / power
    if slope >= SMALLEST_SLOPE:  # of the right sign and size, or nearly
        return []
    correlation = product / np.sqrt(power * float(phase @ phase)) if phase.any() else 0.0
    if correlation < -SURE and SIGN_SLOPE[0] < slope < SIGN_SLOPE[1]:
        return [
            "The sign of the imaginary part contradicts the modulus (Kramers-Kronig): the file seems to hold -Z'' "
            "where Z'' is expected, or the other way round."
        ]
    if correlation > SURE and slope < SMALLEST_SLOPE:
        return [
            f"The phases are {1 / slope:.0f} times smaller than the modulus asks for: they seem to be in radians "
            "where degrees are expected."
        ]
    return []


def _backward(z: ComplexArray, size: RealArray) -> list[str]:
    """Say it where most real parts are negative: noise makes a few of a capacitor's so, and only by a little."""
    negative = int(np.count_nonzero(z.real < CLEARLY_NEGATIVE * size))
    if 2 * negative <= size.size:
        return []
    return [
        f"The real part is negative at {negative} of {size.size} points, which no passive cell shows: its sign "
        "may be turned, or the columns exchanged."
    ]


def _slope(step: RealArray, y: RealArray) -> RealArray:
    """Return dy/dx for a grid of any steps, as `numpy.gradient` does in several times the time."""
    between = (y[1:] - y[:-1]) / step
    before, after = step[:-1], step[1:]
    slope = np.empty_like(y)
    slope[0], slope[-1] = between[0], between[-1]
    slope[1:-1] = (after * between[:-1] + before * between[1:]) / (before + after)
    return slope


def _clock(spectrum: Spectrum) -> list[str]:
    frequency, time_s = spectrum.all_frequency_hz, spectrum.columns["time_s"]
    acquired = spectrum.columns.get("acquired_order")
    if acquired is not None and np.count_nonzero(acquired[1:] > acquired[:-1]) < acquired.size - 1:
        order = np.argsort(acquired)
        frequency, time_s = frequency[order], time_s[order]
    own = frequency[1:]
    slow = own < SLOW_HZ
    if np.count_nonzero(slow) < FEWEST_TIMED or _most_are_whole(frequency, time_s, slow):
        return []
    with np.errstate(over="ignore", invalid="ignore"):  # spoiled times are left out below
        took = time_s[1:] - time_s[:-1]
        # the time of a point is that of its end, or its beginning: both are looked at
        periods = took * np.maximum(own, frequency[:-1])
        timed = slow & (took > 0) & (took < np.inf)
    of_them = np.count_nonzero(timed)
    short = np.count_nonzero(timed & (periods < SHORTEST_PERIODS))
    if of_them >= FEWEST_TIMED and short > MOST_SHORT * of_them:
        least = float(np.min(frequency))
        return [
            f"The points below 1 Hz took less than a quarter of a period each, down to {least:g} Hz: the "
            "frequencies seem to be in kHz where Hz is expected, or the times are not in seconds."
        ]
    return []


def _most_are_whole(frequency: RealArray, time_s: RealArray, slow: NDArray[np.bool_]) -> bool:
    """Whether enough slow points took their time for the others not to matter; as a rule two or three tell it."""
    places = np.flatnonzero(slow).tolist()
    f, t = frequency.tolist(), time_s.tolist()
    left = -(-len(places) // 5)  # a fifth, rounded up: what `MOST_SHORT` leaves
    for at in places:
        if SHORTEST_PERIODS <= (t[at + 1] - t[at]) * max(f[at], f[at + 1]) < np.inf:
            left -= 1
            if left == 0:
                return True
    return False


def _implausible(what: str, unit: str, values: RealArray, limits: tuple[float, float]) -> list[str]:
    outside = values[(values < limits[0]) | (values > limits[1])]
    if not outside.size:
        return []
    return [f"There is {what} of {outside[0]:g} {unit}, which no instrument measures: check the unit."]
