"""Circuit elements: the impedance of each, its derivatives, its parameters with unit and limits, its source.

`ELEMENTS` maps letters to elements, impedance.py's where it has the element; lines (diffusion, porous electrodes)
are computed in `fitting.transmission_lines`; `fitting.user_elements` adds your own. Every function takes the
angular frequency `omega` (rad/s), shape (n,), positive, and its parameters as numbers; an impedance has the shape
(n,), derivatives the shape (k, n), one row per parameter. An element of one parameter names it like itself
(``R1``), others count (``CPE1_0``, …).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eis.spectrum import ComplexArray, RealArray
from fitting import transmission_lines as lines
from fitting.hyperbolic import power


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


def fractional_inductor(omega: RealArray, inductance: float, alpha: float) -> ComplexArray:
    r"""Modified ("fractional") inductor, for wires and cells whose inductance is not ideal.

    .. math:: Z = L (j\omega)^\alpha

    L in ohm·s^α (H if α = 1), α from 0 (resistor) to 1 (inductor); tends to 0 at low frequency. This is the
    formula impedance.py documents for La; its release 1.7.1 computes (L jω)^α instead, which is this one with
    L^α for L.

    References
    ----------
    BioLogic, EC-Lab Application Note 42 (2019).
    """
    return np.asarray(inductance * power(omega, alpha))


def _fractional_inductor_derivatives(omega: RealArray, inductance: float, alpha: float) -> ComplexArray:
    turn = power(omega, alpha)
    return np.asarray([turn, inductance * turn * (np.log(omega) + 0.5j * math.pi)])


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


def zarc(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    r"""Resistor in parallel with a constant-phase element, by its time constant.

    .. math:: Z = \frac{R}{1 + (j \omega \tau)^\phi}

    R in ohm, τ in s (the arc peaks at ω = 1/τ), φ from 0 to 1.
    """
    return np.asarray(r / (1 + power(omega * tau, phi)))


def _zarc_derivatives(omega: RealArray, r: float, tau: float, phi: float) -> ComplexArray:
    u = power(omega * tau, phi)
    by_u = -r / (1 + u) ** 2
    return np.asarray([1 / (1 + u), by_u * u * phi / tau, by_u * u * (np.log(omega * tau) + 0.5j * math.pi)])


def gerischer(omega: RealArray, r: float, tau: float) -> ComplexArray:
    """Gerischer element, Z = R/√(1 + jωτ), R in ohm, τ in s."""
    return np.asarray(r / np.sqrt(1 + 1j * omega * tau), dtype=np.complex128)


def _gerischer_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    root = np.sqrt(1 + 1j * omega * tau)
    return np.asarray([1 / root, -0.5j * omega * r / root**3], dtype=np.complex128)


def relaxation(omega: RealArray, r: float, tau: float) -> ComplexArray:
    """Debye relaxation, an RC arc by its time constant, Z = R/(1 + jωτ), R in ohm, τ in s; impedance.py's K."""
    return np.asarray(r / (1 + 1j * omega * tau), dtype=np.complex128)


def _relaxation_derivatives(omega: RealArray, r: float, tau: float) -> ComplexArray:
    share = 1 / (1 + 1j * omega * tau)
    return np.asarray([share, -1j * omega * r * share**2], dtype=np.complex128)


def havriliak_negami(omega: RealArray, r: float, tau: float, alpha: float, beta: float) -> ComplexArray:
    r"""Havriliak–Negami relaxation: an arc both depressed (α) and skewed (β).

    .. math:: Z = \frac{R}{\left(1 + (j \omega \tau)^\alpha\right)^\beta}

    R in ohm, τ in s, α and β from 0 to 1; β = 1 is a ZARC, α = 1 a Cole–Davidson arc, α = 1 and β = ½ a Gerischer
    element. Tends to R at low and to R/(jωτ)^(αβ) at high frequency.

    References
    ----------
    S. Havriliak, S. Negami, Polymer 8 (1967) 161.
    """
    return np.asarray(r * np.exp(-beta * _log_one_plus(power(omega * tau, alpha))), dtype=np.complex128)


def _havriliak_negami_derivatives(
    omega: RealArray, r: float, tau: float, alpha: float, beta: float
) -> ComplexArray:
    u = power(omega * tau, alpha)
    log = _log_one_plus(u)
    share = np.exp(-beta * log)
    by_log_u = -r * beta * share * (u / (1 + u))
    return np.asarray(
        [
            share,
            by_log_u * alpha / tau,
            by_log_u * (np.log(omega * tau) + 0.5j * math.pi),
            -r * share * log,
        ]
    )


def _log_one_plus(u: ComplexArray) -> ComplexArray:
    """Return ln(1 + u) for Re u ≥ 0 without losing a small u."""
    return np.asarray(0.5 * np.log1p(2 * u.real + u.real**2 + u.imag**2) + 1j * np.arctan2(u.imag, 1 + u.real))


_OHM = ElementParameter("ohm", "scale")
_TIME = ElementParameter("s", "time")
_EXPONENT = ElementParameter("", "exponent", 0.0, 1.0)
_Q = ElementParameter("S s^a", "scale")
_LANDESFEIND = "J. Landesfeind et al., J. Electrochem. Soc. 163 (2016) A1373, doi:10.1149/2.1141607jes"
_LANDESFEIND_CT = "J. Landesfeind et al., J. Electrochem. Soc. (2017), doi:10.1149/2.0131709jes"
_PAASCH = "G. Paasch et al., Electrochim. Acta 38 (1993) 2653, doi:10.1016/0013-4686(93)85083-B"
_BISQUERT = "J. Bisquert, Phys. Chem. Chem. Phys. (2000), doi:10.1039/B001708F"
_SIROMA = "Z. Siroma et al., J. Power Sources (2016), doi:10.1016/j.jpowsour.2016.03.059"
_KAISER = "N. Kaiser et al., J. Power Sources (2018), doi:10.1016/j.jpowsour.2018.05.095"

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
            (_Q, _EXPONENT),
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
            lines.open_warburg,
            lines.open_warburg_derivatives,
            "C. Ho, I. D. Raistrick, R. A. Huggins, J. Electrochem. Soc. 127 (1980) 343, doi:10.1149/1.2129668",
        ),
        Element(
            "Ws",
            "finite-length Warburg",
            (_OHM, _TIME),
            lines.short_warburg,
            lines.short_warburg_derivatives,
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
        Element(
            "La",
            "fractional inductor",
            (ElementParameter("ohm s^a", "scale"), _EXPONENT),
            fractional_inductor,
            _fractional_inductor_derivatives,
            "BioLogic, EC-Lab Application Note 42 (2019)",
        ),
        Element(
            "K",
            "Debye relaxation (RC arc)",
            (_OHM, _TIME),
            relaxation,
            _relaxation_derivatives,
            "a resistor R in parallel with a capacitor τ/R",
        ),
        Element(
            "HN",
            "Havriliak–Negami relaxation",
            (_OHM, _TIME, _EXPONENT, _EXPONENT),
            havriliak_negami,
            _havriliak_negami_derivatives,
            "S. Havriliak, S. Negami, Polymer 8 (1967) 161",
        ),
        Element(
            "Gs",
            "finite-length Gerischer",
            (_OHM, _TIME, ElementParameter("", "scale")),
            lines.finite_gerischer,
            lines.finite_gerischer_derivatives,
            "R. D. Green, C. C. Liu, S. B. Adler, Solid State Ionics 179 (2008) 647",
        ),
        Element(
            "TLMQ",
            "porous electrode, one rail, blocking",
            (_OHM, _Q, _EXPONENT),
            lines.porous_blocking,
            lines.porous_blocking_derivatives,
            _LANDESFEIND,
        ),
        Element(
            "TLMQF",
            "porous electrode, one rail, faradaic",
            (_OHM, _OHM, _Q, _EXPONENT),
            lines.porous_faradaic,
            lines.porous_faradaic_derivatives,
            _LANDESFEIND_CT,
        ),
        Element(
            "TLMo",
            "operating composite, two rails, blocking",
            (_OHM, _OHM, _Q, _EXPONENT),
            lines.operating_blocking,
            lines.operating_blocking_derivatives,
            _PAASCH,
        ),
        Element(
            "TLMoF",
            "operating composite, two rails, faradaic",
            (_OHM, _OHM, _OHM, _Q, _EXPONENT),
            lines.operating_faradaic,
            lines.operating_faradaic_derivatives,
            _BISQUERT,
        ),
        Element(
            "TLMe",
            "composite between electron-blocking contacts, blocking",
            (_OHM, _OHM, _Q, _EXPONENT),
            lines.electron_blocking,
            lines.electron_blocking_derivatives,
            _SIROMA,
        ),
        Element(
            "TLMeF",
            "composite between electron-blocking contacts, faradaic",
            (_OHM, _OHM, _OHM, _Q, _EXPONENT),
            lines.electron_blocking_faradaic,
            lines.electron_blocking_faradaic_derivatives,
            _KAISER,
        ),
        Element(
            "TLMi",
            "composite between ion-blocking contacts, blocking",
            (_OHM, _OHM, _Q, _EXPONENT),
            lines.ion_blocking,
            lines.ion_blocking_derivatives,
            _SIROMA,
        ),
        Element(
            "TLMiF",
            "composite between ion-blocking contacts, faradaic",
            (_OHM, _OHM, _OHM, _Q, _EXPONENT),
            lines.ion_blocking_faradaic,
            lines.ion_blocking_faradaic_derivatives,
            _KAISER,
        ),
    )
}
