r"""Z-HIT: the modulus of an impedance from its phase, so that a drift of the modulus shows against the phase.

.. math:: \ln|Z(\omega_0)| \approx c + \frac{2}{\pi} \int \varphi\, d\ln\omega + \gamma
    \left.\frac{d\varphi}{d\ln\omega}\right|_{\omega_0}, \qquad \gamma = -\frac{\pi}{6}

The formula is the beginning of a series: on a sharp arc it is off by a few percent. What a ladder that obeys
Kramers–Kronig would show in its place is therefore taken from the deviation.

W. Ehm, H. Göhr, R. Kaus, B. Röseler, C. A. Schiller, ACH Models Chem. 137 (2000) 145.
C. A. Schiller, F. Richter, E. Gülzow, N. Wagner, Phys. Chem. Chem. Phys. 3 (2001) 374, doi:10.1039/b007678n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from eis.errors import SpectrumError
from eis.spectrum import ComplexArray, RealArray

GAMMA = -np.pi / 6
FEWEST_POINTS = 4
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
    """

    frequency_hz: RealArray
    modulus_ohm: RealArray
    deviation: RealArray
    band_hz: tuple[float, float]


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
    shape = _log_modulus(f, z)
    measured = np.log(np.abs(z))
    off = measured - shape
    if model_ohm is not None:
        model = model_ohm[order]
        error = np.log(np.abs(model)) - _log_modulus(f, model)
        shape, off = shape + error, off - error
    inside = (f >= band_hz[0]) & (f <= band_hz[1])
    if inside.sum() < 3:
        inside[:] = True
    constant = float(np.median(off[inside]))
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    ends = (float(f[inside][0]), float(f[inside][-1]))
    return ZHit(frequency_hz, np.exp(shape + constant)[back], (off - constant)[back], ends)


def _log_modulus(f: RealArray, z: ComplexArray) -> RealArray:
    """Return the right side of the formula without its constant, for rising frequencies."""
    x, phase = np.log(f), np.unwrap(np.angle(z))
    spline = CubicSpline(x, phase)
    whole = spline.antiderivative()(x)
    return np.asarray(2 / np.pi * whole + GAMMA * spline(x, 1))
