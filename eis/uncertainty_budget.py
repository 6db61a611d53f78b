r"""The uncertainty of an arc's resistance, source by source.

.. math:: u^2 = u_\mathrm{fit}^2 + u_\mathrm{model}^2 + u_\mathrm{instrument}^2 + u_\mathrm{fixture}^2 +
    u_T^2 + u_P^2 + u_\mathrm{repeats}^2

The area joins where a quantity needs it (`Interface.budget_for`). Every source stands in the budget; one that
nobody stated says so and is not in the sum, which names it (`Budget.not_stated`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eis.assignment import BY_NAME, INTERFACE
from eis.budget import Line
from eis.capacitance import ArcShape, arc_shapes, tau_of
from eis.drt_record import Drt, DrtPeak
from eis.equivalents import BOLTZMANN_EV, ZERO_C
from eis.errors import ConfigError
from eis.fitted import Arc, Fit
from eis.quantities import format_si, format_uncertain
from eis.spectrum import Cell

EQUAL_AICC = 4.0
"""ΔAICc below which data support two circuits equally."""
SAME_ARC_DECADES, SAME_REGION_DECADES = 0.5, 1.0
"""Distance in time constant within which a peak is the arc, and arcs of another circuit are part of it."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is known of a measurement beside its spectrum and its cell.

    Parameters
    ----------
    instrument_accuracy : float, optional
        The instrument's limit of error for ``|Z|`` at this range, relative (0.003 for ±0.3 %); its standard
        uncertainty is that over √3.
    u_fixture_ohm : float, optional
        Standard uncertainty of the resistance of the shorted fixture over the arc's frequencies (ohm).
    activation_ev : float, optional
        Activation energy of the arcs' resistance (eV); the usual one of each process without it.
    pressure_exponent : float, optional
        Exponent of R ∝ P^m; the usual one of each process without it, -0.5 for electrode interfaces.

    Raises
    ------
    ConfigError
        If a number is not finite or an uncertainty below zero.
    """

    instrument_accuracy: float | None = None
    u_fixture_ohm: float | None = None
    activation_ev: float | None = None
    pressure_exponent: float | None = None

    def __post_init__(self) -> None:
        faults = []
        for name, lowest in (("instrument_accuracy", 0.0), ("u_fixture_ohm", 0.0), ("activation_ev", 0.0)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= lowest):
                faults.append(f"{name} is {value:g}; give a number, zero or above, or leave it out")
        if self.instrument_accuracy is not None and self.instrument_accuracy >= 1:
            faults.append(f"instrument_accuracy is {self.instrument_accuracy:g}; give a fraction, 0.003 for 0.3 %")
        if self.pressure_exponent is not None and not math.isfinite(self.pressure_exponent):
            faults.append(f"pressure_exponent is {self.pressure_exponent:g}; give a number or leave it out")
        if faults:
            raise ConfigError(
                "The conditions are not described rightly", where="Conditions", mend="; ".join(faults)
            )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Conditions:
        """Return what metadata of a spectrum say: the numbers `instrument_accuracy` and `u_fixture_ohm`.

        Raises
        ------
        ConfigError
            If such a number cannot be one.
        """
        found = {name: metadata.get(name) for name in ("instrument_accuracy", "u_fixture_ohm")}
        return cls(**{name: float(v) for name, v in found.items() if isinstance(v, int | float)})


def temperature_coefficient(activation_ev: float, temperature_c: float) -> float:
    r"""Return d ln R/dT (1/K) of a resistance with an activation energy (eV) at a temperature (°C).

    .. math:: \frac{\mathrm{d}\ln R}{\mathrm{d}T} = -\frac{E_a}{k_B T^2}
    """
    return -activation_ev / (BOLTZMANN_EV * (temperature_c + ZERO_C) ** 2)


def arc_lines(
    shape: ArcShape,
    probabilities: Sequence[tuple[str, float]],
    cell: Cell,
    *,
    fit: Fit | None = None,
    alternatives: Sequence[Fit] = (),
    drt: Drt | None = None,
    repeats: Sequence[float] = (),
    conditions: Conditions | None = None,
) -> tuple[Line, ...]:
    """Return the lines of one arc's resistance (ohm, as measured), the area's left out.

    Parameters
    ----------
    shape : ArcShape
        The arc. With `repeats`, its resistance is their mean.
    probabilities : sequence of (str, float)
        What it may be: weighs the usual activation energies and pressure exponents.
    cell : Cell
        Temperature and pressure with their uncertainties.
    fit : Fit, optional
        Where the arc comes from; needed to weigh `alternatives`.
    alternatives : sequence of Fit
        Other circuits fitted to the same spectrum; those within ΔAICc < 4 of the best count.
    drt : Drt, optional
        The distribution of relaxation times of the same spectrum.
    repeats : sequence of float
        The arc's resistance (ohm) in each of n ≥ 2 measurements of the same cell.
    conditions : Conditions, optional
    """
    known = conditions or Conditions()
    r = abs(float(np.mean(repeats))) if len(repeats) > 1 else abs(shape.r_ohm)
    spread, rest = _repeats(shape, repeats)
    return (
        rest,
        _model(shape, r, fit, alternatives, drt),
        _instrument(r, known),
        _fixture(known),
        _temperature(r, probabilities, cell, known),
        _pressure(r, probabilities, cell, known),
        spread,
    )


def _repeats(shape: ArcShape, repeats: Sequence[float]) -> tuple[Line, Line]:
    """Return the lines of the repeats and of the fit; the scatter of repeats holds the noise of each of them."""
    n, dof = len(repeats), shape.degrees_of_freedom
    if n < 2:
        fit = Line("fit", shape.u_r_ohm, "covariance of the fit", dof)
        return Line("repeats", None, "the measurement was not repeated"), fit
    s = float(np.std(repeats, ddof=1))
    more = math.sqrt(max(shape.u_r_ohm**2 - s**2, 0.0) / n)
    said = f"standard deviation {format_si(s, 'Ω', digits=3)} of {n} measurements, over √{n}"
    covered = "the noise of each fit is in the scatter of the repeats"
    above = "what the noise of each fit exceeds the scatter of the repeats by"
    return Line("repeats", s / math.sqrt(n), said, n - 1.0), Line("fit", more, above if more else covered, dof)


def _model(shape: ArcShape, r: float, fit: Fit | None, alternatives: Sequence[Fit], drt: Drt | None) -> Line:
    """Return how far the same arc is spread over descriptions the data support equally."""
    others: list[float] = []  # squares of the distances
    words: list[str] = []
    ruled_out = False
    if fit is not None and alternatives:
        best = min(one.aicc for one in (fit, *alternatives))
        rivals = [one for one in alternatives if one is not fit]
        equal = [one for one in rivals if one.aicc - best < EQUAL_AICC and one.converged]
        if fit.aicc - best >= EQUAL_AICC:
            words.append(f"ΔAICc of {fit.circuit} itself is {fit.aicc - best:.3g}")
        for one in equal:
            there = _resistance_there(shape, fit, one)
            if there is None:
                words.append(f"{one.circuit} has no arc there")
            else:
                others.append((there - shape.r_ohm) ** 2)
                words.append(f"{format_si(there, 'Ω')} by {one.circuit}")
        if ruled_out := not equal:
            words.append(f"no other of {len(rivals)} circuits is within ΔAICc < {EQUAL_AICC:g} of the best")
    if drt is not None:
        peak, why = _peak(shape, fit, drt)
        if peak is None:
            words.append(why)
        else:
            others.append(max((peak.r_ohm - shape.r_ohm) ** 2 - peak.u_r_ohm**2, 0.0))  # beyond its own noise
            words.append(f"{format_uncertain(peak.r_ohm, peak.u_r_ohm, 'Ω')} by the relaxation times")
    if not words:
        return Line("model", None, "no other circuit and no distribution of relaxation times was given")
    if not (others or ruled_out):  # circuits or relaxation times that say nothing of this arc
        return Line("model", None, ", ".join(words))
    u = math.sqrt(sum(others) / (1 + len(others)))
    return Line("model", u * (r / abs(shape.r_ohm) if shape.r_ohm else 1.0), ", ".join(words))


def _peak(shape: ArcShape, fit: Fit | None, drt: Drt) -> tuple[DrtPeak | None, str]:
    """Return the peak that is the arc and nothing else, or why there is none."""
    near = [p for p in drt.peaks if abs(math.log10(p.tau_s / shape.tau_s)) <= SAME_ARC_DECADES]
    if not near:
        return None, "the relaxation times show no peak there"
    peak = min(near, key=lambda p: abs(math.log10(p.tau_s / shape.tau_s)))
    under = [a for a in arc_shapes(fit) if peak.from_s < a.tau_s < peak.to_s] if fit is not None else [shape]
    if not peak.separable or len(under) > 1:
        return None, "the relaxation times do not separate it from its neighbour"
    return peak, ""


def _resistance_there(shape: ArcShape, fit: Fit, other: Fit) -> float | None:
    """Return the resistance of all arcs of another circuit that are nearest to this one of its fit.

    A richer circuit may make two arcs of one; what they have together is comparable.
    """
    own = {arc.name: place for arc, place in ((arc, _log_tau(arc, fit)) for arc in fit.arcs) if place is not None}
    if shape.name not in own:
        return None
    found = None
    for arc in other.arcs:
        place = _log_tau(arc, other)
        if place is None:
            continue
        apart, nearest = min((abs(own_place - place), name) for name, own_place in own.items())
        if nearest == shape.name and apart <= SAME_REGION_DECADES:
            found = (found or 0.0) + other.value(arc.resistance)
    return found


def _log_tau(arc: Arc, fit: Fit) -> float | None:
    values = [fit.value(name) for name in arc.names]
    return math.log10(tau_of(arc, values)) if min(values) > 0 else None


def _instrument(r: float, known: Conditions) -> Line:
    if known.instrument_accuracy is None:
        return Line("instrument", None, "accuracy of the instrument not stated")
    said = f"limit of error {known.instrument_accuracy:.2%}, rectangular: over √3"
    return Line("instrument", r * known.instrument_accuracy / math.sqrt(3), said)


def _fixture(known: Conditions) -> Line:
    if known.u_fixture_ohm is None:
        return Line("fixture", None, "no shorted fixture was measured")
    return Line("fixture", known.u_fixture_ohm, "standard uncertainty of the shorted fixture")


def _temperature(r: float, probabilities: Sequence[tuple[str, float]], cell: Cell, known: Conditions) -> Line:
    if cell.temperature_c is None or cell.u_temperature_c is None:
        missing = "temperature" if cell.temperature_c is None else "uncertainty of the temperature"
        return Line("temperature", None, f"{missing} not stated")
    usual = _usual(probabilities)[0]
    energy = usual if known.activation_ev is None else known.activation_ev
    slope = temperature_coefficient(energy, cell.temperature_c)
    origin = "usual" if known.activation_ev is None else "given"
    said = f"{slope:.2%}/K for {energy:.3g} eV ({origin}), u(T) = {cell.u_temperature_c:g} K"
    return Line("temperature", r * abs(slope) * cell.u_temperature_c, said)


def _usual(probabilities: Sequence[tuple[str, float]]) -> tuple[float, float]:
    """Return the usual activation energy (eV) and pressure exponent, weighed over what an arc may be."""
    known = [(BY_NAME[process], p) for process, p in probabilities if process in BY_NAME]
    total = sum(p for _, p in known)
    if total <= 0:
        return BY_NAME[INTERFACE].activation_ev, BY_NAME[INTERFACE].pressure_exponent
    return (
        sum(process.activation_ev * p for process, p in known) / total,
        sum(process.pressure_exponent * p for process, p in known) / total,
    )


def _pressure(r: float, probabilities: Sequence[tuple[str, float]], cell: Cell, known: Conditions) -> Line:
    if not cell.pressure_mpa or cell.u_pressure_mpa is None:
        missing = "uncertainty of the pressure" if cell.pressure_mpa else "stack pressure"
        return Line("pressure", None, f"{missing} not stated")
    usual = _usual(probabilities)[1]
    exponent = usual if known.pressure_exponent is None else known.pressure_exponent
    share = cell.u_pressure_mpa / cell.pressure_mpa
    return Line("pressure", r * abs(exponent) * share, f"R ∝ P^{exponent:.3g}, u(P)/P = {share:.2g}")
