"""Circuit elements: the impedance of each, its derivatives, its parameters with unit and limits, its source.

`ELEMENTS` maps impedance.py's letters to elements. Every function takes the angular frequency `omega` (rad/s),
shape (n,), positive, and its parameters as numbers; an impedance has shape (n,), derivatives shape (k, n) with one
row per parameter. An element of one parameter names it like itself (``R1``), others count (``CPE1_0``, …).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eis.spectrum import ComplexArray, RealArray

SERIES_BELOW = 1e-3
"""|s| below which coth and tanh are taken from their series: the closed forms cancel there."""
FLAT_ABOVE = 20.0
"""Re s above which coth s = tanh s = 1 to double precision: the closed forms overflow further on."""


@dataclass(frozen=True, slots=True)
class ElementParameter:
    """One parameter of an element: unit, limits, and whether a fit walks its logarithm."""

    unit: str
    kind: Literal["scale", "time", "exponent"]
    lower: float = 0.0
    upper: float = math.inf


@dataclass(frozen=True, slots=True)
class Element:
    """A circuit element: `impedance(omega, *values)` and `derivatives(omega, *values)`."""

    letter: str
    name: str
    parameters: tuple[ElementParameter, ...]
    impedance: Callable[..., ComplexArray]
    derivatives: Callable[..., ComplexArray]
    source: str


def resistor(omega: RealArray, r: float) -> ComplexArray:
    """Resistor, Z = R (ohm)."""
    return np.full(omega.shape, complex(r))


def _resistor_derivatives(omega: RealArray, r: float) -> ComplexArray:
    return np.ones((1, omega.size), dtype=complex)


def capacitor(omega: RealArray, c: float) -> ComplexArray:
    """Capacitor, Z = 1/(jωC), C in F."""
    return np.asarray(-1j / (omega * c), dtype=np.complex128)


def _capacitor_derivatives(omega: RealArray, c: float) -> ComplexArray:
    return np.asarray([1j / (omega * c * c)], dtype=np.complex128)


def inductor(omega: RealArray, inductance: float) -> ComplexArray:
    """Inductor, Z = jωL, L in H."""
    return np.asarray(1j * omega * inductance, dtype=np.complex128)


def _inductor_derivatives(omega: RealArray, inductance: float) -> ComplexArray:
    return np.asarray([1j * omega], dtype=np.complex128)


def constant_phase(omega: RealArray, q: float, alpha: float) -> ComplexArray:
    r"""Constant-phase element.

    .. math:: Z = \frac{1}{Q (j\omega)^\alpha}

    Q in S·s^α, α from 0 (resistor) to 1 (capacitor); Q is not a capacitance unless α = 1.
    """
    return np.asarray(omega**-alpha * (np.exp(-0.5j * math.pi * alpha) / q))


def _constant_phase_derivatives(omega: RealArray, q: float, alpha: float) -> ComplexArray:
    z = constant_phase(omega, q, alpha)
    return np.asarray([-z / q, -z * (np.log(omega) + 0.5j * math.pi)])


def warburg(omega: RealArray, a: float) -> ComplexArray:
    """Semi-infinite Warburg, Z = A (1 − j)/√ω, A in ohm·s^(−1/2)."""
    return np.asarray(a * (1 - 1j) / np.sqrt(omega))


def _warburg_derivatives(omega: RealArray, a: float) -> ComplexArray:
    return np.asarray([(1 - 1j) / np.sqrt(omega)])


def open_warburg(omega: RealArray, r: float, tau: float) -> ComplexArray:
    r"""Finite-space ("open") Warburg: diffusion against a blocking boundary.

    .. math:: Z = R \frac{\coth s}{s}, \quad s = \sqrt{j\omega\tau}

    R in ohm, τ in s; tends to R/3 + R/(jωτ) at low and to R/√(jωτ) at high frequency.
    """
    s = np.sqrt(1j * omega * tau)
    return np.asarray(r * _coth(s) / s)


def _open_warburg_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    s = np.sqrt(1j * omega * tau)
    coth = _coth(s)
    by_s = r * ((1 - coth**2) / s - coth / s**2)  # −csch² = 1 − coth²
    small = np.abs(s) < SERIES_BELOW
    by_s[small] = r * (-2 / s[small] ** 3 - 2 * s[small] / 45)
    return np.asarray([coth / s, by_s * s / (2 * tau)])


def short_warburg(omega: RealArray, r: float, tau: float) -> ComplexArray:
    r"""Finite-length ("short") Warburg: diffusion through a layer into a reservoir.

    .. math:: Z = R \frac{\tanh s}{s}, \quad s = \sqrt{j\omega\tau}

    R in ohm, τ in s; tends to R at low and to R/√(jωτ) at high frequency.
    """
    s = np.sqrt(1j * omega * tau)
    return np.asarray(r * _tanh(s) / s)


def _short_warburg_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    s = np.sqrt(1j * omega * tau)
    tanh = _tanh(s)
    by_s = r * ((1 - tanh**2) / s - tanh / s**2)  # sech² = 1 − tanh²
    small = np.abs(s) < SERIES_BELOW
    by_s[small] = r * (-2 * s[small] / 3 + 8 * s[small] ** 3 / 15)
    return np.asarray([tanh / s, by_s * s / (2 * tau)])


def zarc(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    r"""Resistor in parallel with a constant-phase element, by its time constant.

    .. math:: Z = \frac{R}{1 + (j \omega \tau)^\phi}

    R in ohm, τ in s (the arc peaks at ω = 1/τ), φ from 0 to 1.
    """
    return np.asarray(r / (1 + _power(omega * tau, phi)))


def _zarc_derivatives(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    u = _power(omega * tau, phi)
    by_u = -r / (1 + u) ** 2
    return np.asarray([1 / (1 + u), by_u * u * phi / tau, by_u * u * (np.log(omega * tau) + 0.5j * math.pi)])


def gerischer(omega: RealArray, r: float, tau: float) -> ComplexArray:
    """Gerischer element, Z = R/√(1 + jωτ), R in ohm, τ in s."""
    return np.asarray(r / np.sqrt(1 + 1j * omega * tau), dtype=np.complex128)


def _gerischer_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    root = np.sqrt(1 + 1j * omega * tau)
    return np.asarray([1 / root, -0.5j * omega * r / root**3], dtype=np.complex128)


def _power(x: RealArray, exponent: float) -> ComplexArray:
    """Return (jx)^exponent by one real power and one rotation."""
    return np.asarray(x**exponent * np.exp(0.5j * math.pi * exponent))


def _coth(s: ComplexArray) -> ComplexArray:
    """Hyperbolic cotangent, safe at both ends; s = √(jx) has Re s > 0."""
    out = np.ones(s.shape, dtype=np.complex128)
    inner = s.real < FLAT_ABOVE
    out[inner] = 1 / np.tanh(s[inner])
    small = np.abs(s) < SERIES_BELOW
    out[small] = 1 / s[small] + s[small] / 3 - s[small] ** 3 / 45
    return out


def _tanh(s: ComplexArray) -> ComplexArray:
    """Hyperbolic tangent, safe at both ends."""
    out = np.ones(s.shape, dtype=np.complex128)
    inner = s.real < FLAT_ABOVE
    out[inner] = np.tanh(s[inner])
    return out


_OHM = ElementParameter("ohm", "scale")
_TIME = ElementParameter("s", "time")
_EXPONENT = ElementParameter("", "exponent", 0.0, 1.0)

ELEMENTS: dict[str, Element] = {
    element.letter: element
    for element in (
        Element("R", "resistor", (_OHM,), resistor, _resistor_derivatives, "Ohm's law"),
        Element(
            "C",
            "capacitor",
            (ElementParameter("F", "scale"),),
            capacitor,
            _capacitor_derivatives,
            "definition of capacitance",
        ),
        Element("L", "inductor", (ElementParameter("H", "scale"),), inductor, _inductor_derivatives, "definition"),
        Element(
            "CPE",
            "constant-phase element",
            (ElementParameter("S s^a", "scale"), _EXPONENT),
            constant_phase,
            _constant_phase_derivatives,
            "K. S. Cole, R. H. Cole, J. Chem. Phys. 9 (1941) 341, doi:10.1063/1.1750906",
        ),
        Element(
            "W",
            "semi-infinite Warburg",
            (ElementParameter("ohm s^-1/2", "scale"),),
            warburg,
            _warburg_derivatives,
            "E. Warburg, Ann. Phys. 303 (1899) 493, doi:10.1002/andp.18993030302",
        ),
        Element(
            "Wo",
            "finite-space Warburg",
            (_OHM, _TIME),
            open_warburg,
            _open_warburg_derivatives,
            "C. Ho, I. D. Raistrick, R. A. Huggins, J. Electrochem. Soc. 127 (1980) 343, doi:10.1149/1.2129668",
        ),
        Element(
            "Ws",
            "finite-length Warburg",
            (_OHM, _TIME),
            short_warburg,
            _short_warburg_derivatives,
            "D. R. Franceschetti, J. R. Macdonald, J. Electroanal. Chem. 101 (1979) 307",
        ),
        Element(
            "Zarc",
            "ZARC (Cole–Cole) arc",
            (_OHM, _TIME, _EXPONENT),
            zarc,
            _zarc_derivatives,
            "K. S. Cole, R. H. Cole, J. Chem. Phys. 9 (1941) 341, doi:10.1063/1.1750906",
        ),
        Element(
            "G",
            "Gerischer",
            (_OHM, _TIME),
            gerischer,
            _gerischer_derivatives,
            "H. Gerischer, Z. Phys. Chem. 198 (1951) 286",
        ),
    )
}
