"""What the columns of Novocontrol's WinDETA mean: each pair of quantities and its closed form to impedance.

Usage
    ``representation = find(names)``, then ``representation.impedance(omega, one, other, c0_f)``.
Layout
    None of its own; see `eis.readers.novocontrol`.
Units and sign
    With e^{+jωt}: Z* = Zs' + jZs'', Y* = Y' + jY'' = 1/Z*, M* = M' + jM'' = 1/ε*, but ε* = ε' − jε'', C* = C' −
    jC'' and σ* = σ' − jσ''. So Zs'' is negative for a capacitor, Y'', Eps'', M'' and C'' are not, and Sig'' is
    negative. Zp' and Zp'' are the parallel equivalents 1/Y' and 1/Y'', not the parts of Z*. Conductivity leaves
    the vacuum out: σ* = jωε0(ε* − 1).
Uncertainty
    None.
Known variants
    Ohm as ``ohm`` and ``Ohms``; conductivity in S/cm and S/m.
Source of the facts
    The formulas tie the columns of real exports together to all digits printed, Zp and Sig with the vacuum left
    out among them; Y and C are the definitions, of which no export was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eis.readers.headings import unit_scale
from eis.readers.sweeps import rectangular
from eis.spectrum import ComplexArray, RealArray

EPS0_F_PER_M = 8.8541878128e-12
"""Vacuum permittivity, CODATA 2018."""

_SIEMENS = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "µS": 1e-6, "μS": 1e-6, "nS": 1e-9}
_FARAD = {"F": 1.0, "mF": 1e-3, "uF": 1e-6, "µF": 1e-6, "μF": 1e-6, "nF": 1e-9, "pF": 1e-12}
_CONDUCTIVITY = {"S/cm": 100.0, "S/m": 1.0, "mS/cm": 0.1, "mS/m": 1e-3, "uS/cm": 1e-4, "µS/cm": 1e-4}
_NUMBER = {"": 1.0, "1": 1.0}

ToImpedance = Callable[[RealArray, RealArray, RealArray, float], ComplexArray]


@dataclass(frozen=True, slots=True)
class Representation:
    """A pair of columns from which the impedance follows.

    Parameters
    ----------
    names : tuple of str
        The two columns, as the program names them.
    units : mapping, optional
        Factor to SI by unit; None if the unit is one of resistance.
    needs_geometry : bool
        Whether the empty capacitance C0 is needed.
    impedance : callable
        Impedance (ohm) from ω (rad/s), the two columns (SI) and C0 (F).
    formula : str
        The same, for the notes.
    """

    names: tuple[str, str]
    units: Mapping[str, float] | None
    needs_geometry: bool
    impedance: ToImpedance
    formula: str

    def scale(self, unit: str) -> float | None:
        """Return the factor from a unit to SI; None if it is not one of the quantity."""
        return unit_scale("real", unit) if self.units is None else self.units.get(unit.strip())


def _series(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return rectangular(one, other)


def _parallel(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return 1 / rectangular(1 / one, 1 / other)


def _admittance(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return 1 / rectangular(one, other)


def _capacitance(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return 1 / rectangular(omega * other, omega * one)


def _permittivity(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return 1 / rectangular(omega * c0_f * other, omega * c0_f * one)


def _modulus(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    return rectangular(other / (omega * c0_f), -one / (omega * c0_f))


def _conductivity(omega: RealArray, one: RealArray, other: RealArray, c0_f: float) -> ComplexArray:
    per_geometry = c0_f / EPS0_F_PER_M  # A/d in m
    return 1 / rectangular(one * per_geometry, (omega * EPS0_F_PER_M - other) * per_geometry)


_Y, _C, _M = "1/(Y' + jY'')", "1/(jω(C' - jC''))", "(M' + jM'')/(jωC0)"
_EPS, _SIG = "1/(jωC0(ε' - jε''))", "1/(jωC0ε*) with ε* = 1 + (σ' - jσ'')/(jωε0)"

REPRESENTATIONS: tuple[Representation, ...] = (
    Representation(("Zs'", "Zs''"), None, False, _series, "Zs' + jZs''"),
    Representation(("Zp'", "Zp''"), None, False, _parallel, "1/(1/Zp' + j/Zp'')"),
    Representation(("Y'", "Y''"), _SIEMENS, False, _admittance, _Y),
    Representation(("Yp'", "Yp''"), _SIEMENS, False, _admittance, _Y),
    Representation(("C'", "C''"), _FARAD, False, _capacitance, _C),
    Representation(("Cp'", "Cp''"), _FARAD, False, _capacitance, _C),
    Representation(("Eps'", "Eps''"), _NUMBER, True, _permittivity, _EPS),
    Representation(("Modulus'", "Modulus''"), _NUMBER, True, _modulus, _M),
    Representation(("M'", "M''"), _NUMBER, True, _modulus, _M),
    Representation(("Sig'", "Sig''"), _CONDUCTIVITY, True, _conductivity, _SIG),
)
"""In the order they are preferred: what was measured, what needs no geometry, what needs it."""

KNOWN = ", ".join(" and ".join(representation.names) for representation in REPRESENTATIONS)


def find(names: Sequence[str]) -> list[Representation]:
    """Return the pairs of which both columns are there, in the order they are preferred."""
    return [one for one in REPRESENTATIONS if all(name in names for name in one.names)]
