r"""Z-HIT: the modulus of an impedance from its phase, so that a drift of the modulus shows against the phase.

.. math:: \ln|Z(\omega_0)| \approx c + \frac{2}{\pi} \int \varphi\, d\ln\omega + \gamma
    \left.\frac{d\varphi}{d\ln\omega}\right|_{\omega_0}, \qquad \gamma = -\frac{\pi}{6}

The formula is the beginning of a series: on a sharp arc it is off by a few percent. What a ladder that obeys
Kramers–Kronig would show in its place is therefore taken from the deviation.

W. Ehm, H. Göhr, R. Kaus, B. Röseler, C. A. Schiller, ACH Models Chem. 137 (2000) 145.
C. A. Schiller, F. Richter, E. Gülzow, N. Wagner, Phys. Chem. Chem. Phys. 3 (2001) 374, doi:10.1039/b007678n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from eis.errors import SpectrumError
from eis.fitted import plain
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray, Spectrum
from eis.validity import Validity

GAMMA = -np.pi / 6
FEWEST_POINTS = 4
SMOOTHED = 5
"""Points over which the derivative of what a ladder leaves of the phase is taken."""
AGREES, BEYOND_NOISE = 0.01, 6.0
"""Deviation up to which modulus and phase agree, and the same in standard deviations of one part of the impedance:
the modulus of a point has one, and the noise of the phase adds up to as much again over the integral."""
BAND_HZ = (1.0, 1000.0)
"""Where the constant is fitted: a drift of slow points and the leads of fast ones stay outside."""


@dataclass(frozen=True, eq=False)
class ZHit:
    """A modulus from its phase.

    Parameters
    ----------
    frequency_hz, modulus_ohm : ndarray, shape (n,)
        Frequency (Hz) and the modulus that the phase asks for (ohm).
    deviation : ndarray, shape (n,)
        ln(measured modulus) less ln(modulus from the phase): 0.01 is 1 %.
    band_hz : tuple of float
        Between which frequencies (Hz) the constant was fitted.
    noise : float
        Standard deviation of each part of the impedance, as a fraction of |Z|; NaN if not known.
    """

    frequency_hz: RealArray
    modulus_ohm: RealArray
    deviation: RealArray
    band_hz: tuple[float, float]
    noise: float = math.nan

    @property
    def max_deviation(self) -> float:
        """The largest deviation, with its sign."""
        return float(self.deviation[int(np.abs(self.deviation).argmax())])

    @property
    def at_hz(self) -> float:
        """Where it is (Hz)."""
        return float(self.frequency_hz[int(np.abs(self.deviation).argmax())])

    @property
    def agrees(self) -> bool:
        """Whether the modulus agrees with its phase to within 1 %, or to within noise if that is more."""
        return abs(self.max_deviation) <= max(AGREES, BEYOND_NOISE * float(np.nan_to_num(self.noise)))

    @property
    def because(self) -> str:
        """What it says, in one sentence."""
        at = format_si(self.at_hz, "Hz", digits=3)
        if self.agrees:
            return f"The modulus agrees with its phase to within {abs(self.max_deviation):.2%} (Z-HIT)."
        side = "above" if self.max_deviation > 0 else "below"
        return (
            f"At {at} the modulus lies {abs(math.expm1(self.max_deviation)):.2%} {side} what its phase asks for "
            "(Z-HIT): the cell drifted, a range is off, or leads disturb it."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        words = {"agrees": self.agrees, "because": self.because}
        return plain({"max_deviation": self.max_deviation, "at_hz": self.at_hz}) | words


def zhit(
    frequency_hz: RealArray,
    z_ohm: ComplexArray,
    *,
    band_hz: tuple[float, float] = BAND_HZ,
    model_ohm: ComplexArray | None = None,
) -> ZHit:
    """Reconstruct the modulus from the phase.

    Parameters
    ----------
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz), falling or rising, and impedance (ohm), nowhere zero.
    band_hz : tuple of float
        Where the constant is fitted (Hz); all points if fewer than 3 lie inside.
    model_ohm : ndarray, shape (n,), optional
        An impedance near `z_ohm` that obeys Kramers–Kronig, e.g. its ladder: the error of the formula is then
        taken from its own deviation.

    Raises
    ------
    SpectrumError
        For fewer than 4 points, or a point of zero ohm.
    """
    if frequency_hz.size < FEWEST_POINTS or not np.all(np.abs(z_ohm) > 0):
        raise SpectrumError(
            f"Z-HIT needs {FEWEST_POINTS} points that are not zero; there are {int((np.abs(z_ohm) > 0).sum())}",
            mend="Measure more points, or drop those of zero ohm.",
        )
    order = np.argsort(frequency_hz)
    f, z = frequency_hz[order], z_ohm[order]
    x, phase = np.log(f), np.unwrap(np.angle(z))
    if model_ohm is None:
        shape = _log_modulus(x, phase, phase)
    else:  # what is left over is noise, whose derivative would be all there is to be seen
        model = model_ohm[order]
        expected = np.unwrap(np.angle(model))
        left = np.angle(z / model)
        shape = _log_modulus(x, expected + left, expected + _smoothed(left))
        shape += np.log(np.abs(model)) - _log_modulus(x, expected, expected)
    off = np.log(np.abs(z)) - shape
    inside = (f >= band_hz[0]) & (f <= band_hz[1])
    if inside.sum() < 3:
        inside[:] = True
    constant = float(np.median(off[inside]))
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    ends = (float(f[inside][0]), float(f[inside][-1]))
    return ZHit(frequency_hz, np.exp(shape + constant)[back], (off - constant)[back], ends)


def zhit_of(spectrum: Spectrum, validity: Validity) -> ZHit:
    """Compare the modulus of a spectrum with its phase, the error of the formula taken from the validity's ladder.

    Points that the validity marks as standing alone are taken from the ladder.

    Parameters
    ----------
    spectrum : Spectrum
        What was measured.
    validity : Validity
        What `eis.validation.validate` said of it.
    """
    z, left = spectrum.z_ohm, validity.residual_real + 1j * validity.residual_imag
    turned = validity.form == "admittance"
    model = z / (1 - left * z / np.abs(z)) if turned else z - left * np.abs(z)
    alone = np.isin(spectrum.frequency_hz, validity.marked_hz)  # a lone phase would lift everything beside it
    found = zhit(spectrum.frequency_hz, np.where(alone, model, z), model_ohm=model)
    return replace(found, noise=validity.noise)


def _log_modulus(x: RealArray, phase: RealArray, smooth: RealArray) -> RealArray:
    """Return the right side of the formula without its constant; the derivative is that of the smooth phase."""
    whole = CubicSpline(x, phase).antiderivative()(x)
    return np.asarray(2 / np.pi * whole + GAMMA * CubicSpline(x, smooth)(x, 1))


def _smoothed(values: RealArray) -> RealArray:
    """Return running means over `SMOOTHED` points, the window staying inside."""
    width = min(SMOOTHED, values.size)
    middle = np.lib.stride_tricks.sliding_window_view(values, width).mean(axis=1)
    ahead = (values.size - middle.size) // 2
    return np.pad(middle, (ahead, values.size - middle.size - ahead), mode="edge")
