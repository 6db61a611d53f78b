"""Is the excitation small enough? The same sweep at two amplitudes, and what to choose next.

The current through an interface follows a hyperbolic sine of its voltage, so at a finite amplitude its resistance
looks too small, by x²/8 to first order, where x = α F V / (R T) and V is the peak voltage across that interface.
The error grows with the square of the amplitude: two amplitudes show it, and say what it is at each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eis.errors import ConfigError, SpectrumError
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray, Spectrum
from instruments.excitation import advised_current_a, interface_error

__all__ = ["Linearity", "LinearityVerdict", "advised_current_a", "compare_amplitudes", "interface_error"]

LIMIT = 0.01
"""Relative difference between two amplitudes up to which a cell counts as linear."""
FALSE_ALARM = 0.01
"""How often noise alone may make a sweep look not linear."""
REACH_DECADES = 0.35
"""How far away a neighbour may be that a difference is smoothed over."""
OF_MEDIAN = {1: 1.0, 2: 0.7071, 3: 0.6698, 4: 0.5460, 5: 0.5355}
"""Standard deviation of the median of n normal numbers, in their own."""
ESTIMATED = 1.15
"""What an estimate of the noise from some dozens of points is multiplied by, for it may be too low."""
SAME_HZ = 1e-3
"""Relative difference up to which two frequencies are the same."""
LARGEST_STEP = 3.0
"""How much larger than a tried amplitude one is advised, at most; nothing was measured further up."""

Flags = NDArray[np.bool_]
LinearityVerdict = Literal["linear", "not linear", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Linearity:
    """Whether the impedance depends on the amplitude, and the numbers behind the answer.

    Parameters
    ----------
    verdict : {"linear", "not linear", "cannot tell"}
        The answer; ``"cannot tell"`` if noise could hide a difference above the limit.
    amplitude_v, smaller_v : float
        The two amplitudes (V rms).
    limit : float
        Relative difference allowed.
    frequency_hz : tuple of float
        The frequencies compared (Hz), falling.
    difference : tuple of complex
        Z at the larger amplitude over Z at the smaller one, less 1.
    threshold : tuple of float
        What the size of the difference, smoothed over its neighbours, exceeds by noise alone in one sweep of a
        hundred.
    telling_hz, blind_hz, isolated_hz : tuple of float
        Where the smoothed difference is above limit and noise, where noise could hide one, and where a point
        differs that its neighbours do not support (Hz).
    worst : float
        Largest smoothed difference that is not noise; 0 if there is none.
    advised_v : float
        Amplitude to use (V rms).
    because, advice : str
        One sentence each, with the numbers.
    """

    verdict: LinearityVerdict
    amplitude_v: float
    smaller_v: float
    limit: float
    frequency_hz: tuple[float, ...]
    difference: tuple[complex, ...]
    threshold: tuple[float, ...]
    telling_hz: tuple[float, ...]
    blind_hz: tuple[float, ...]
    isolated_hz: tuple[float, ...]
    worst: float
    advised_v: float
    because: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values; differences as pairs of real and imaginary part."""
        return asdict(self) | {"difference": [[d.real, d.imag] for d in self.difference]}

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because} {self.advice}"


@dataclass(frozen=True, slots=True)
class _Found:
    """The comparison: raw and smoothed differences, and what noise makes of either."""

    f: RealArray
    difference: ComplexArray
    smooth: ComplexArray
    threshold: RealArray
    raw_threshold: RealArray
    limit: float

    @property
    def real(self) -> Flags:
        """Which smoothed differences are more than noise."""
        return np.asarray(np.abs(self.smooth) > self.threshold)

    @property
    def telling(self) -> Flags:
        """Which of them are above the limit too."""
        return np.asarray(self.real & (np.abs(self.smooth) > self.limit))

    @property
    def blind(self) -> Flags:
        """Where noise could hide a difference above the limit."""
        return np.asarray(self.threshold > self.limit)

    @property
    def isolated(self) -> Flags:
        """Which raw differences are more than noise and above the limit, their neighbours being neither."""
        size = np.abs(self.difference)
        near = np.convolve(self.telling, np.ones(5), "same") > 0 if self.f.size >= 5 else self.telling
        return np.asarray((size > self.limit) & (size > self.raw_threshold) & ~near)

    @property
    def worst(self) -> float:
        """The largest smoothed difference that is more than noise; 0 if there is none."""
        return float(np.max(np.abs(self.smooth), where=self.real, initial=0.0))


def compare_amplitudes(
    larger: Spectrum,
    smaller: Spectrum,
    *,
    amplitude_v: float,
    smaller_v: float | None = None,
    u_relative: float | None = None,
    limit: float = LIMIT,
) -> Linearity:
    r"""Compare the same sweep, or some points of it, at two amplitudes.

    Parameters
    ----------
    larger, smaller : Spectrum
        What was measured at the larger and at the smaller amplitude; frequencies found in both are compared.
    amplitude_v, smaller_v : float
        The amplitudes (V rms); half the larger one by default.
    u_relative : float, optional
        Standard uncertainty of the larger sweep per part, as a fraction of \|Z\|; that of the smaller one is
        taken to be larger in proportion. By default the columns ``u_z_ohm``, or else the roughness of the
        difference over frequency: a cell's own answer is smooth, noise is not. That needs 8 points.
    limit : float, optional
        Relative difference allowed.

    Returns
    -------
    Linearity
        "not linear" if the difference, smoothed by the median of up to five neighbours, is above the limit and
        above noise; "cannot tell" if noise could hide such a difference in most of a decade.

    Raises
    ------
    ConfigError
        If the amplitudes are not two different ones above zero.
    SpectrumError
        If no frequency is in both, or the noise is not known and cannot be found.
    """
    smaller_v = amplitude_v / 2 if smaller_v is None else smaller_v
    if not (math.isfinite(amplitude_v) and amplitude_v > smaller_v > 0):
        raise ConfigError(
            f"The amplitudes are {amplitude_v!r} and {smaller_v!r} V",
            where="linearity",
            mend="Give two above zero, the larger one first.",
        )
    a, b = _common(larger, smaller)
    f = larger.frequency_hz[a]
    difference = np.asarray(larger.z_ohm[a] / smaller.z_ohm[b] - 1)
    sigma = _noise(larger, smaller, a, b, difference, u_relative, amplitude_v / smaller_v)
    smooth, share = _smooth(f, difference)
    many = math.sqrt(2 * math.log(f.size / FALSE_ALARM))  # that one of n points exceeds by chance
    found = _Found(f, difference, smooth, share * sigma * many, sigma * many, limit)
    verdict: LinearityVerdict = "linear"
    if found.telling.any():
        verdict = "not linear"
    elif _mostly(found.blind, f):
        verdict = "cannot tell"
    advised_v, advice = _advice(verdict, found, amplitude_v, smaller_v)
    return Linearity(
        verdict=verdict,
        amplitude_v=amplitude_v,
        smaller_v=smaller_v,
        limit=limit,
        frequency_hz=tuple(f.tolist()),
        difference=tuple(difference.tolist()),
        threshold=tuple(found.threshold.tolist()),
        telling_hz=tuple(f[found.telling].tolist()),
        blind_hz=tuple(f[found.blind].tolist()),
        isolated_hz=tuple(f[found.isolated].tolist()),
        worst=found.worst,
        advised_v=advised_v,
        because=_because(verdict, found),
        advice=advice,
    )


def _common(larger: Spectrum, smaller: Spectrum) -> tuple[list[int], list[int]]:
    """Return the places, in either, of the frequencies that both have in use."""
    pairs = []
    for place, frequency in enumerate(larger.frequency_hz):
        near = int(np.argmin(np.abs(smaller.frequency_hz - frequency))) if len(smaller) else -1
        if near >= 0 and abs(smaller.frequency_hz[near] - frequency) <= SAME_HZ * frequency:
            pairs.append((place, near))
    pairs = [(a, b) for a, b in pairs if abs(smaller.z_ohm[b]) > 0]
    if not pairs:
        raise SpectrumError(
            "The two sweeps have no frequency in common",
            where=f"{larger.name} and {smaller.name}",
            mend="Measure the same frequencies at both amplitudes.",
        )
    return [a for a, _ in pairs], [b for _, b in pairs]


def _noise(
    larger: Spectrum,
    smaller: Spectrum,
    a: list[int],
    b: list[int],
    difference: ComplexArray,
    u_relative: float | None,
    ratio: float,
) -> RealArray:
    """Return the standard uncertainty of the difference, per part."""
    if u_relative is not None:
        return np.full(len(a), u_relative * math.hypot(1, ratio))
    u = []
    for spectrum, places in ((larger, a), (smaller, b)):
        column = spectrum.columns.get("u_z_ohm")
        if column is not None:
            u.append(column[spectrum.used][places] / np.abs(spectrum.z_ohm[places]))
    if len(u) == 2 and all(np.isfinite(part).all() for part in u):
        return np.asarray(np.hypot(u[0], u[1]), dtype=np.float64)
    if len(a) < 8:
        raise SpectrumError(
            f"{len(a)} points in common do not show how large the noise is",
            where=f"{larger.name} and {smaller.name}",
            mend="Give u_relative, or measure 8 points or more at both amplitudes.",
        )
    return _roughness(difference)


def _roughness(difference: ComplexArray) -> RealArray:
    """Return the noise, per part, of what should be smooth: robust, and free to be larger at one end."""
    bent = difference[:-2] - 2 * difference[1:-1] + difference[2:]
    squares = (bent.real**2 + bent.imag**2) / 12
    # The median of a sum of two squares is ln 2 of its mean. It scatters: where the neighbourhood seems quieter
    # than the whole, the whole is believed.
    whole = float(np.median(squares))
    reach = max(8, difference.size // 6)
    near = [float(np.median(squares[max(0, i - 1 - reach) : i + reach])) for i in range(difference.size)]
    return np.asarray(ESTIMATED * np.sqrt(np.maximum(near, whole) / math.log(2)))


def _smooth(f: RealArray, difference: ComplexArray) -> tuple[ComplexArray, RealArray]:
    """Return medians over neighbours, which one stray point does not move, and what share of the noise is left."""
    smooth, share = difference.copy(), np.ones(f.size)
    for i in range(f.size):
        beside = [
            j for j in range(max(0, i - 2), min(f.size, i + 3)) if abs(math.log10(f[j] / f[i])) <= REACH_DECADES
        ]
        smooth[i] = complex(np.median(difference[beside].real), np.median(difference[beside].imag))
        share[i] = OF_MEDIAN[len(beside)]
    return smooth, share


def _mostly(blind: Flags, f: RealArray) -> bool:
    """Tell whether, within some decade, more than half of the points are blind."""
    decade = np.floor(np.log10(f[0] / f) + 1e-9)
    return any(blind[decade == one].mean() > 0.5 for one in np.unique(decade))


def _advice(verdict: LinearityVerdict, found: _Found, amplitude_v: float, smaller_v: float) -> tuple[float, str]:
    """Return the amplitude to use, and the sentence that says why."""
    limit, noise = found.limit, float(np.median(found.threshold))
    if verdict == "cannot tell":
        return amplitude_v, (
            "Average more cycles at both amplitudes, or compare twice the amplitude with this one: the difference "
            "is then four times as large."
        )
    # The difference between two amplitudes is part of the error at the larger one, which grows with V². An error
    # as large as the noise may be there unseen.
    error = max(found.worst, noise) * amplitude_v**2 / (amplitude_v**2 - smaller_v**2)
    advised = float(f"{amplitude_v * min(math.sqrt(limit / max(error, 1e-12)), LARGEST_STEP):.2g}")
    at, use = format_si(amplitude_v, "V"), format_si(advised, "V")
    if verdict == "not linear":
        return advised, (
            f"The error at {at} is about {error:.1%} and grows with the square of the amplitude: "
            f"use {use} rms or less."
        )
    if advised < 1.2 * amplitude_v:
        return amplitude_v, f"Keep {at} rms."
    return advised, f"Up to {use} rms the error should stay below {limit:.1%}; compare again before using it."


def _because(verdict: LinearityVerdict, found: _Found) -> str:
    f, size, limit = found.f, np.abs(found.smooth), found.limit
    stray = ""
    if found.isolated.any():
        stray = f" Without its neighbours differs {_places(f[found.isolated])}: measure there again."
    if verdict == "not linear":
        top = int(np.argmax(np.where(found.telling, size, 0)))
        is_smaller = found.smooth[top].real < 0
        doubt = "" if is_smaller else " An interface would look smaller: drift may be the cause."
        return (
            f"Z is {'smaller' if is_smaller else 'larger'} at the larger amplitude, by up to {size[top]:.2%} at "
            f"{format_si(float(f[top]), 'Hz')} and by more than {limit:.1%} at {_places(f[found.telling])}; noise "
            f"explains {found.threshold[top]:.2%} at most.{doubt}{stray}"
        )
    if verdict == "linear":
        return (
            f"Z at the two amplitudes differs by {size.max():.2%} at most over {_places(f)}; {limit:.1%} is "
            f"allowed, and noise explains {float(np.median(found.threshold)):.2%}.{stray}"
        )
    return (
        f"Noise makes differences up to {found.threshold[found.blind].max():.1%} at {_places(f[found.blind])}, "
        f"and hides whether Z differs by {limit:.1%}.{stray}"
    )


def _places(f: Sequence[float] | RealArray) -> str:
    if len(f) == 1:
        return format_si(float(f[0]), "Hz")
    ends = f"{format_si(float(max(f)), 'Hz')} to {format_si(float(min(f)), 'Hz')}"
    return f"{len(f)} points from {ends}"
