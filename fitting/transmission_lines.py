r"""Elements that are lines: diffusion layers, finite Gerischer, porous electrodes with one or two resistive rails.

A porous electrode has an ionic rail R_i, an electronic rail R_e (totals, ohm) and between them an interface Z_s
(total, ohm), the same everywhere. With S = R_i + R_e, P = R_i R_e/S and x = S/Z_s, the squared length of the line
in units of its penetration depth, every line is made of the three functions of x in `fitting.hyperbolic`. Two of
them are 1/x and an excess that stays finite; the 1/x add up to Z_s, so that a resistance keeps its digits beside a
Z_s many orders larger.
"""

from __future__ import annotations

import math

import numpy as np

from eis.spectrum import ComplexArray, RealArray
from fitting.hyperbolic import (
    coth,
    coth_excess,
    coth_slope,
    csch,
    csch_excess,
    csch_slope,
    power,
    root,
    tanh_bend,
    tanh_ratio,
    tanh_slope,
)


def open_warburg(omega: RealArray, r: float, tau: float) -> ComplexArray:
    r"""Finite-space ("open") Warburg: diffusion against a blocking boundary.

    .. math:: Z = R \frac{\coth s}{s}, \quad s = \sqrt{j\omega\tau}

    R in ohm, τ in s; tends to R/3 + R/(jωτ) at low and to R/√(jωτ) at high frequency.
    """
    x = np.asarray(1j * omega * tau, dtype=np.complex128)
    return np.asarray(r / x + r * coth_excess(x))


def open_warburg_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    """Return the derivatives of `open_warburg` by R and τ, shape (2, n)."""
    x = np.asarray(1j * omega * tau, dtype=np.complex128)
    return np.asarray([1 / x + coth_excess(x), r / tau * (coth_slope(x) - 1 / x)])


def short_warburg(omega: RealArray, r: float, tau: float) -> ComplexArray:
    r"""Finite-length ("short") Warburg: diffusion through a layer into a reservoir.

    .. math:: Z = R \frac{\tanh s}{s}, \quad s = \sqrt{j\omega\tau}

    R in ohm, τ in s; tends to R at low and to R/√(jωτ) at high frequency.
    """
    x = np.asarray(1j * omega * tau, dtype=np.complex128)
    return np.asarray(r * tanh_ratio(x))


def short_warburg_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    """Return the derivatives of `short_warburg` by R and τ, shape (2, n)."""
    x = np.asarray(1j * omega * tau, dtype=np.complex128)
    return np.asarray([tanh_ratio(x), r / tau * tanh_slope(x)])


def finite_gerischer(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    r"""Finite-length Gerischer: diffusion and reaction in a layer against a blocking boundary.

    .. math:: Z = \frac{R}{w \tanh(\varphi w)}, \quad w = \sqrt{1 + j\omega\tau}

    R in ohm, τ in s, φ the layer's thickness over the depth of the reaction, dimensionless; tends to R coth φ at
    low and to R/√(jωτ) at high frequency, and for φ above about 3 to the Gerischer element.

    References
    ----------
    R. D. Green, C. C. Liu, S. B. Adler, Solid State Ionics 179 (2008) 647.
    """
    w = root(np.asarray(1 + 1j * omega * tau, dtype=np.complex128))
    return np.asarray(r * coth(phi * w) / w)


def finite_gerischer_derivatives(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    """Return the derivatives of `finite_gerischer` by R, τ and φ, shape (3, n)."""
    w = root(np.asarray(1 + 1j * omega * tau, dtype=np.complex128))
    near, drop = coth(phi * w) / w, csch(phi * w) ** 2
    return np.asarray([near, -0.5j * omega * r * (near + phi * drop) / w**2, -r * drop])


def porous_blocking(omega: RealArray, r_ion: float, q: float, alpha: float) -> ComplexArray:
    r"""Porous electrode, one resistive rail, blocking interface; impedance.py's TLMQ.

    .. math:: Z = \sqrt{R_\mathrm{ion} Z_s} \coth\sqrt{R_\mathrm{ion}/Z_s}, \quad
        Z_s = \frac{1}{Q (j\omega)^\alpha}

    R_ion in ohm, Q in S·s^α, α from 0 to 1; tends to Z_s + R_ion/3 at low and to √(R_ion Z_s) at high frequency.

    References
    ----------
    J. Landesfeind et al., J. Electrochem. Soc. 163 (2016) A1373, doi:10.1149/2.1141607jes.
    """
    return _operating(r_ion, 0.0, _blocking(omega, q, alpha))


def porous_blocking_derivatives(omega: RealArray, r_ion: float, q: float, alpha: float) -> ComplexArray:
    """Return the derivatives of `porous_blocking` by R_ion, Q and α, shape (3, n)."""
    rails, by_log_y = _operating_slopes(r_ion, 0.0, _blocking(omega, q, alpha))
    return np.concatenate([rails[:1], by_log_y * _blocking_slopes(omega, q)])


def porous_faradaic(omega: RealArray, r_ion: float, r_ct: float, q: float, alpha: float) -> ComplexArray:
    r"""Porous electrode, one resistive rail, charge transfer at the interface.

    .. math:: Z = \sqrt{R_\mathrm{ion} Z_s} \coth\sqrt{R_\mathrm{ion}/Z_s}, \quad
        Z_s = \frac{R_\mathrm{ct}}{1 + R_\mathrm{ct} Q (j\omega)^\alpha}

    R_ion and R_ct in ohm, Q in S·s^α, α from 0 to 1; tends to √(R_ion R_ct) coth √(R_ion/R_ct) at low frequency,
    which is R_ct + R_ion/3 for R_ct ≫ R_ion.

    References
    ----------
    J. Landesfeind et al., J. Electrochem. Soc. (2017), doi:10.1149/2.0131709jes.
    """
    return _operating(r_ion, 0.0, _faradaic(omega, r_ct, q, alpha))


def porous_faradaic_derivatives(
    omega: RealArray, r_ion: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `porous_faradaic` by R_ion, R_ct, Q and α, shape (4, n)."""
    rails, by_log_y = _operating_slopes(r_ion, 0.0, _faradaic(omega, r_ct, q, alpha))
    return np.concatenate([rails[:1], by_log_y * _faradaic_slopes(omega, r_ct, q, alpha)])


def operating_blocking(omega: RealArray, r_i: float, r_e: float, q: float, alpha: float) -> ComplexArray:
    r"""Composite electrode in operation, blocking interface: ions enter at one face, electrons at the other.

    .. math:: Z = P \left(1 + \frac{2}{s \sinh s}\right) + \frac{R_i^2 + R_e^2}{R_i + R_e} \frac{\coth s}{s},
        \quad s = \sqrt{(R_i + R_e)/Z_s}, \quad P = \frac{R_i R_e}{R_i + R_e},
        \quad Z_s = \frac{1}{Q (j\omega)^\alpha}

    R_i and R_e in ohm, Q in S·s^α, α from 0 to 1; tends to Z_s + (R_i + R_e)/3 at low and to P at high frequency.
    The rails may be exchanged; with R_e = 0 it is `porous_blocking`.

    References
    ----------
    G. Paasch, K. Micka, P. Gersdorf, Electrochim. Acta 38 (1993) 2653, doi:10.1016/0013-4686(93)85083-B.
    """
    return _operating(r_i, r_e, _blocking(omega, q, alpha))


def operating_blocking_derivatives(
    omega: RealArray, r_i: float, r_e: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `operating_blocking` by R_i, R_e, Q and α, shape (4, n)."""
    rails, by_log_y = _operating_slopes(r_i, r_e, _blocking(omega, q, alpha))
    return np.concatenate([rails, by_log_y * _blocking_slopes(omega, q)])


def operating_faradaic(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    r"""Composite electrode in operation with charge transfer at the interface.

    The formula is that of `operating_blocking` with another interface:

    .. math:: Z_s = \frac{R_\mathrm{ct}}{1 + R_\mathrm{ct} Q (j\omega)^\alpha}

    R_i, R_e and R_ct in ohm, Q in S·s^α, α from 0 to 1; tends to P at high frequency, and at low frequency to the
    same formula with Z_s = R_ct, which is R_ct + (R_i + R_e)/3 for R_ct ≫ R_i + R_e.

    References
    ----------
    J. Bisquert, Phys. Chem. Chem. Phys. (2000), doi:10.1039/B001708F.
    """
    return _operating(r_i, r_e, _faradaic(omega, r_ct, q, alpha))


def operating_faradaic_derivatives(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `operating_faradaic` by R_i, R_e, R_ct, Q and α, shape (5, n)."""
    rails, by_log_y = _operating_slopes(r_i, r_e, _faradaic(omega, r_ct, q, alpha))
    return np.concatenate([rails, by_log_y * _faradaic_slopes(omega, r_ct, q, alpha)])


def electron_blocking(omega: RealArray, r_i: float, r_e: float, q: float, alpha: float) -> ComplexArray:
    r"""Composite between two electron-blocking contacts (both terminals ionic), blocking interface.

    .. math:: Z = P + \frac{R_i^2}{R_i + R_e}\,\frac{\tanh(s/2)}{s/2}, \quad
        s = \sqrt{(R_i + R_e)/Z_s}, \quad P = \frac{R_i R_e}{R_i + R_e}, \quad Z_s = \frac{1}{Q (j\omega)^\alpha}

    R_i and R_e in ohm, Q in S·s^α, α from 0 to 1; tends to R_i at low and to P at high frequency: one spectrum
    gives both rails.

    References
    ----------
    Z. Siroma et al., J. Power Sources (2016), doi:10.1016/j.jpowsour.2016.03.059.
    N. Kaiser et al., J. Power Sources (2018), doi:10.1016/j.jpowsour.2018.05.095.
    """
    return _through(r_i, r_e, _blocking(omega, q, alpha))


def electron_blocking_derivatives(
    omega: RealArray, r_i: float, r_e: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `electron_blocking` by R_i, R_e, Q and α, shape (4, n)."""
    rails, by_log_y = _through_slopes(r_i, r_e, _blocking(omega, q, alpha))
    return np.concatenate([rails, by_log_y * _blocking_slopes(omega, q)])


def electron_blocking_faradaic(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    r"""Composite between two electron-blocking contacts with charge transfer inside it.

    The formula is that of `electron_blocking` with another interface:

    .. math:: Z_s = \frac{R_\mathrm{ct}}{1 + R_\mathrm{ct} Q (j\omega)^\alpha}

    R_i, R_e and R_ct in ohm, Q in S·s^α, α from 0 to 1; tends to P at high frequency, and at low frequency to less
    than R_i: part of the current takes the electronic rail.
    """
    return _through(r_i, r_e, _faradaic(omega, r_ct, q, alpha))


def electron_blocking_faradaic_derivatives(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `electron_blocking_faradaic` by R_i, R_e, R_ct, Q and α, shape (5, n)."""
    rails, by_log_y = _through_slopes(r_i, r_e, _faradaic(omega, r_ct, q, alpha))
    return np.concatenate([rails, by_log_y * _faradaic_slopes(omega, r_ct, q, alpha)])


def ion_blocking(omega: RealArray, r_i: float, r_e: float, q: float, alpha: float) -> ComplexArray:
    """Composite between two ion-blocking contacts (both terminals electronic), blocking interface.

    The formula is that of `electron_blocking` with R_i and R_e exchanged.

    R_i and R_e in ohm, Q in S·s^α, α from 0 to 1; tends to R_e at low and to P at high frequency.
    """
    return electron_blocking(omega, r_e, r_i, q, alpha)


def ion_blocking_derivatives(omega: RealArray, r_i: float, r_e: float, q: float, alpha: float) -> ComplexArray:
    """Return the derivatives of `ion_blocking` by R_i, R_e, Q and α, shape (4, n)."""
    return electron_blocking_derivatives(omega, r_e, r_i, q, alpha)[[1, 0, 2, 3]]


def ion_blocking_faradaic(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    """Composite between two ion-blocking contacts with charge transfer inside it.

    The formula is that of `electron_blocking_faradaic` with R_i and R_e exchanged; R_i, R_e and R_ct in ohm, Q in
    S·s^α, α from 0 to 1.
    """
    return electron_blocking_faradaic(omega, r_e, r_i, r_ct, q, alpha)


def ion_blocking_faradaic_derivatives(
    omega: RealArray, r_i: float, r_e: float, r_ct: float, q: float, alpha: float
) -> ComplexArray:
    """Return the derivatives of `ion_blocking_faradaic` by R_i, R_e, R_ct, Q and α, shape (5, n)."""
    return electron_blocking_faradaic_derivatives(omega, r_e, r_i, r_ct, q, alpha)[[1, 0, 2, 3, 4]]


def _blocking(omega: RealArray, q: float, alpha: float) -> ComplexArray:
    """Return the admittance 1/Z_s (S), shape (n,), of a constant-phase interface."""
    return q * power(omega, alpha)


def _blocking_slopes(omega: RealArray, q: float) -> ComplexArray:
    """Return the derivatives of ln(1/Z_s) by Q and α, shape (2, n)."""
    return np.asarray([np.full(omega.shape, 1 / q), np.log(omega) + 0.5j * math.pi])


def _faradaic(omega: RealArray, r_ct: float, q: float, alpha: float) -> ComplexArray:
    """Return the admittance 1/Z_s (S), shape (n,), of a charge transfer beside a constant-phase element."""
    return np.asarray(1 / r_ct + q * power(omega, alpha))


def _faradaic_slopes(omega: RealArray, r_ct: float, q: float, alpha: float) -> ComplexArray:
    """Return the derivatives of ln(1/Z_s) by R_ct, Q and α, shape (3, n)."""
    by_q = power(omega, alpha) / _faradaic(omega, r_ct, q, alpha)
    share = 1 / (1 + r_ct * q * power(omega, alpha))
    return np.asarray([-share / r_ct, by_q, q * by_q * (np.log(omega) + 0.5j * math.pi)])


def _operating(r_i: float, r_e: float, y: ComplexArray) -> ComplexArray:
    """Return the impedance (ohm), shape (n,), of a line with one terminal on each rail, at opposite faces."""
    total = r_i + r_e
    x = total * y
    across, along = r_i * (r_e / total), (r_i * r_i + r_e * r_e) / total
    return np.asarray(1 / y + across * (1 + 2 * csch_excess(x)) + along * coth_excess(x))


def _operating_slopes(r_i: float, r_e: float, y: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the derivatives of `_operating` by R_i and R_e, shape (2, n), and by ln y, shape (n,)."""
    total = r_i + r_e
    x = total * y
    i, e = r_i / total, r_e / total
    straight, crossed = coth_excess(x), 1 + 2 * csch_excess(x)
    lengthening = 2 * i * e * csch_slope(x) + (i * i + e * e) * coth_slope(x)
    by_i = e * e * crossed + (i * i + 2 * i * e - e * e) * straight + lengthening
    by_e = i * i * crossed + (e * e + 2 * i * e - i * i) * straight + lengthening
    return np.asarray([by_i, by_e]), np.asarray(total * lengthening - 1 / y)


def _through(r_a: float, r_b: float, y: ComplexArray) -> ComplexArray:
    """Return the impedance (ohm), shape (n,), of a line with both terminals on rail a, at opposite faces."""
    total = r_a + r_b
    return np.asarray(r_a * (r_b / total) + r_a * (r_a / total) * tanh_ratio(0.25 * total * y))


def _through_slopes(r_a: float, r_b: float, y: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Return the derivatives of `_through` by R_a and R_b, shape (2, n), and by ln y, shape (n,)."""
    total = r_a + r_b
    x = 0.25 * total * y
    a, b = r_a / total, r_b / total
    ratio, slope = tanh_ratio(x), tanh_slope(x)
    by_a = b * b + a * (a + 2 * b) * ratio + a * a * slope
    return np.asarray([by_a, a * a * tanh_bend(x)]), np.asarray(r_a * a * slope)
