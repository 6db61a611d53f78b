r"""Functions of a complex x with Re √x ≥ 0 that a line's impedance is made of, to full precision at both ends.

.. math:: \frac{\coth\sqrt x}{\sqrt x}, \quad \frac{1}{\sqrt x \sinh\sqrt x}, \quad \frac{\tanh\sqrt x}{\sqrt x}

The first two are given without their pole 1/x. Each is taken from its power series where the closed form would
cancel; the closed forms are written with exp(−2√x), which cannot overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from eis.spectrum import ComplexArray, RealArray

COTH_BELOW, TANH_BELOW = 1.0, 0.25
"""|x| below which a function is taken from its series: a tenth of the way to the nearest pole, at −π² or −π²/4."""
TERMS = 18


def _coth_series() -> RealArray:
    """Return the coefficients of coth√x/√x − 1/x: 2 (−1)^k ζ(2k+2)/π^(2k+2), by Euler's recurrence for ζ."""
    zeta = [0.0, 1 / 6]
    for n in range(2, TERMS + 1):
        zeta.append(sum(zeta[k] * zeta[n - k] for k in range(1, n)) / (n + 0.5))
    return np.array([2 * (-1) ** k * zeta[k + 1] for k in range(TERMS)])


_ORDER = np.arange(TERMS, dtype=np.float64)
COTH_SERIES = _coth_series()
CSCH_SERIES = -COTH_SERIES * (1 - 2.0 ** -(2 * _ORDER + 1))
TANH_SERIES = COTH_SERIES * (4.0 ** (_ORDER + 1) - 1)
_TANH_BEND = np.concatenate([[0.0], (_ORDER[1:] - 1) * TANH_SERIES[1:]])


def coth_excess(x: ComplexArray) -> ComplexArray:
    """Return coth√x/√x − 1/x; 1/3 at 0, 1/√x far out."""
    return _joined(x, COTH_BELOW, COTH_SERIES, lambda s: coth(s) / s - 1 / s**2)


def coth_slope(x: ComplexArray) -> ComplexArray:
    """Return x times the derivative of `coth_excess` by x."""
    return _joined(x, COTH_BELOW, _ORDER * COTH_SERIES, lambda s: 1 / s**2 - 0.5 * (csch(s) ** 2 + coth(s) / s))


def csch_excess(x: ComplexArray) -> ComplexArray:
    """Return 1/(√x sinh√x) − 1/x; −1/6 at 0, −1/x far out."""
    return _joined(x, COTH_BELOW, CSCH_SERIES, lambda s: csch(s) / s - 1 / s**2)


def csch_slope(x: ComplexArray) -> ComplexArray:
    """Return x times the derivative of `csch_excess` by x."""
    return _joined(x, COTH_BELOW, _ORDER * CSCH_SERIES, lambda s: 1 / s**2 - 0.5 * csch(s) * (1 / s + coth(s)))


def tanh_ratio(x: ComplexArray) -> ComplexArray:
    """Return tanh√x/√x; 1 at 0, 1/√x far out."""
    s = root(x)
    return np.asarray(1 / (coth(s) * s))


def tanh_slope(x: ComplexArray) -> ComplexArray:
    """Return x times the derivative of `tanh_ratio` by x."""
    return _joined(x, TANH_BELOW, _ORDER * TANH_SERIES, lambda s: 0.5 * (_sech_squared(s) - 1 / (coth(s) * s)))


def tanh_bend(x: ComplexArray) -> ComplexArray:
    """Return 1 − `tanh_ratio` + `tanh_slope`, which is of second order in x at 0 and 1 far out."""
    return _joined(x, TANH_BELOW, _TANH_BEND, lambda s: 1 + 0.5 * _sech_squared(s) - 1.5 / (coth(s) * s))


def power(x: RealArray, exponent: float) -> ComplexArray:
    """Return (jx)^exponent by one real power and one rotation."""
    return np.asarray(x**exponent * np.exp(0.5j * math.pi * exponent))


def _joined(
    x: ComplexArray, below: float, series: RealArray, closed: Callable[[ComplexArray], ComplexArray]
) -> ComplexArray:
    """Return a function of x, shape (n,): its power series where |x| < `below`, a closed form in √x elsewhere."""
    small = np.abs(x) < below
    out = np.empty(x.shape, dtype=np.complex128)
    near, total = x[small], np.zeros(int(small.sum()), dtype=np.complex128)
    for coefficient in series[::-1]:
        total = total * near + coefficient
    out[small] = total
    out[~small] = closed(root(x[~small]))
    return out


def root(x: ComplexArray) -> ComplexArray:
    """Return the square root whose real part is not negative."""
    return np.asarray(np.sqrt(x), dtype=np.complex128)


def coth(s: ComplexArray) -> ComplexArray:
    """Return the hyperbolic cotangent for Re s ≥ 0, to full precision at both ends."""
    return np.asarray((1 + np.exp(-2 * s)) / -np.expm1(-2 * s), dtype=np.complex128)


def csch(s: ComplexArray) -> ComplexArray:
    """Return 1/sinh s for Re s ≥ 0; it may underflow to 0, never overflow far out."""
    return np.asarray(2 * np.exp(-s) / -np.expm1(-2 * s), dtype=np.complex128)


def _sech_squared(s: ComplexArray) -> ComplexArray:
    """Return 1/cosh² s for Re s ≥ 0; it may underflow to 0, never overflow far out."""
    decay = np.exp(-2 * s)
    return np.asarray(4 * decay / (1 + decay) ** 2, dtype=np.complex128)
