"""From a fit and a cell to interfaces: resistance, area-specific resistance, effective capacitance, process.

Every arc is described by its own resistance and an effective capacitance, never by Q, and is given a process by
where its capacitance and its frequency lie. Bulk and grain-boundary capacitances scale with A/l and are compared
per l/A = 1 cm⁻¹ (Irvine, Sinclair, West, Adv. Mater. 2 (1990) 132, doi:10.1002/adma.19900020304); electrode
interfaces scale with the area and are compared per cm².
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eis.quantities import format_si
from eis.results import Arc, Fit, Interface
from eis.spectrum import Cell

INTERFACE = "electrode interface"
AMBIGUOUS = "ambiguous"
SURE = 0.6
"""Probability from which an arc is given a name rather than called ambiguous."""
USUAL_THICKNESS_CM = 0.05
"""Electrolyte thickness taken for the assignment alone when the cell does not state one."""
RELATIVE_LIMIT = 0.30
CORRELATION_LIMIT = 0.98
BAND_MARGIN = 3.0


@dataclass(frozen=True, slots=True)
class _Process:
    """Where a process is usually found: log10 of capacitance and of frequency, each with a spread."""

    name: str
    per_area: bool
    log_c: tuple[float, float]
    log_f: tuple[float, float]


PROCESSES = (
    _Process("bulk", False, (-12.0, 0.6), (8.0, 0.8)),
    _Process("grain boundary", False, (-9.5, 1.0), (6.0, 1.0)),
    _Process(INTERFACE, True, (-5.0, 1.2), (2.5, 1.5)),
    _Process("diffusion or intercalation", True, (0.0, 1.0), (-1.5, 1.0)),
)


def extract(fit: Fit, cell: Cell) -> tuple[Interface, ...]:
    """Turn every arc of a fit into an `Interface`, in order of rising time constant.

    Parameters
    ----------
    fit : Fit
        With its arcs and covariance.
    cell : Cell
        Area, number of interfaces in the path, kind, thickness.

    Returns
    -------
    tuple of Interface
        Empty if the circuit has no arc. An arc whose resistance is not determined has no capacitance, frequency or
        process (NaN, "ambiguous") and comes last. An arc is resolved if its resistance has a relative standard
        uncertainty of at most 30 %, its frequency lies within [3·f_min, f_max/3], and it is not correlated beyond
        0.98 with the series resistance or an inductance.
    """
    found = [_interface(arc, fit, cell) for arc in fit.arcs]
    return tuple(sorted(found, key=lambda one: -one.frequency_hz if one.frequency_hz > 0 else math.inf))


def hsu_mansfeld(r_ohm: float, q: float, alpha: float) -> float:
    r"""Return the effective capacitance (F) of a CPE whose time constants spread through a film.

    .. math:: C = Q^{1/\alpha} R^{(1-\alpha)/\alpha} = \tau / R

    with R the arc's own resistance (ohm), Q in S·s^α. Hsu, Mansfeld, Corrosion 57 (2001) 747,
    doi:10.5006/1.3280607.
    """
    return float(q ** (1 / alpha) * r_ohm ** ((1 - alpha) / alpha))


def time_constant(r_ohm: float, q: float, alpha: float) -> float:
    """Return τ = (RQ)^(1/α) (s)."""
    return float((r_ohm * q) ** (1 / alpha))


def skewed_peak(alpha: float, beta: float) -> float:
    r"""Return over τ the time constant (1/ω at the top) of a Havriliak–Negami arc.

    .. math:: \frac{1}{\omega_\mathrm{max}\tau} =
        \left[\frac{\sin\frac{\pi\alpha\beta}{2(1+\beta)}}{\sin\frac{\pi\alpha}{2(1+\beta)}}\right]^{1/\alpha}

    with α and β from 0 to 1; 1 for β = 1. R. Díaz-Calleja, Macromolecules 33 (2000) 8924, doi:10.1021/ma991082i.
    """
    angle = math.pi * alpha / (2 * (1 + beta))
    return float((math.sin(angle * beta) / math.sin(angle)) ** (1 / alpha))


def _interface(arc: Arc, fit: Fit, cell: Cell) -> Interface:
    r, u = fit[arc.resistance].value, fit[arc.resistance].u
    tau, capacitance = _shape(arc, fit, r) if u <= r else (math.nan, math.nan)  # a guess has no shape
    frequency = 1 / (2 * math.pi * tau)
    process, confidence, evidence = _assign(capacitance, frequency, cell)
    because = _unresolved(arc, fit, r, u, frequency)
    return Interface(
        name=arc.name,
        arc_resistance_ohm=r,
        u_arc_resistance_ohm=u,
        interfaces_in_path=cell.interfaces_in_path,
        area_cm2=cell.area_cm2,
        u_area_cm2=cell.u_area_cm2,
        capacitance_f=capacitance,
        capacitance_formula=_formula(arc),
        frequency_hz=frequency,
        process=process,
        confidence=confidence,
        evidence=evidence,
        resolved=not because,
        because=because,
    )


def _formula(arc: Arc) -> str:
    if arc.kind == "capacitor":
        return "C"
    return "τ/R at the top of the arc" if arc.skew else "Hsu-Mansfeld, Q^(1/α)·R^((1−α)/α)"


def _shape(arc: Arc, fit: Fit, r: float) -> tuple[float, float]:
    """Return time constant (s) and effective capacitance (F) of an arc."""
    second = fit.value(arc.second)
    if arc.skew:
        second *= skewed_peak(fit.value(arc.exponent or ""), fit.value(arc.skew))
    if arc.kind == "zarc":
        return second, second / r
    alpha = fit.value(arc.exponent) if arc.exponent else 1.0
    return time_constant(r, second, alpha), hsu_mansfeld(r, second, alpha)


def _assign(capacitance_f: float, frequency_hz: float, cell: Cell) -> tuple[str, float, tuple[str, ...]]:
    """Return the likeliest process, its probability, and what speaks for it."""
    if not math.isfinite(capacitance_f):
        return AMBIGUOUS, 0.0, ("its resistance is not determined, so neither are its capacitance and frequency",)
    thickness = cell.thickness_cm or USUAL_THICKNESS_CM
    normalised = capacitance_f * thickness / cell.area_cm2
    per_area = capacitance_f * (cell.interfaces_in_path or 1) / cell.area_cm2
    weights = np.array([_likelihood(p, per_area if p.per_area else normalised, frequency_hz) for p in PROCESSES])
    if cell.kind == "blocking":
        weights[[p.per_area for p in PROCESSES]] = 0.0
    shares = weights / max(float(weights.sum()), 1e-300)
    best = int(np.argmax(shares))
    confidence = float(shares[best])
    evidence = [
        f"C per area {format_si(per_area, 'F/cm²', digits=3)}, per l/A {format_si(normalised, 'F/cm', digits=3)}, "
        f"f0 {format_si(frequency_hz, 'Hz', digits=3)}",
        "likelihood " + ", ".join(f"{p.name} {s:.0%}" for p, s in zip(PROCESSES, shares, strict=True)),
    ]
    if cell.thickness_cm is None:
        evidence.append(f"thickness not stated: {USUAL_THICKNESS_CM * 10:g} mm taken for this assignment alone")
    if cell.kind == "blocking":
        evidence.append("blocking electrodes have no charge-transfer arc")
    return PROCESSES[best].name if confidence >= SURE else AMBIGUOUS, confidence, tuple(evidence)


def _likelihood(process: _Process, capacitance: float, frequency_hz: float) -> float:
    """Return a Gaussian in log capacitance times one in log frequency, not normalised by width."""
    c = (math.log10(max(capacitance, 1e-300)) - process.log_c[0]) / process.log_c[1]
    f = (math.log10(max(frequency_hz, 1e-300)) - process.log_f[0]) / process.log_f[1]
    return math.exp(-0.5 * (c * c + f * f))


def _unresolved(arc: Arc, fit: Fit, r: float, u: float, frequency_hz: float) -> tuple[str, ...]:
    """Return the reasons why the data do not determine an arc; none if they do."""
    reasons = []
    if not math.isfinite(u):
        reasons.append(f"{arc.resistance} is not determined: {fit[arc.resistance].because}")
    elif u > RELATIVE_LIMIT * r:
        reasons.append(f"the relative standard uncertainty of {arc.resistance} is {u / r:.0%}")
    lowest, highest = BAND_MARGIN * float(fit.frequency_hz.min()), float(fit.frequency_hz.max()) / BAND_MARGIN
    if math.isfinite(frequency_hz) and not lowest <= frequency_hz <= highest:
        here, low, high = (format_si(x, "Hz", digits=3) for x in (frequency_hz, lowest, highest))
        reasons.append(f"its frequency {here} lies outside {low} to {high}, where an arc can be seen")
    others = [
        *fit.series_resistance,
        *(p.name for p in fit.parameters if p.name.startswith("L") and p.unit == "H"),
    ]
    for other in others:
        correlation = fit.correlation(arc.resistance, other)
        if abs(correlation) > CORRELATION_LIMIT:
            reasons.append(f"{arc.resistance} cannot be told from {other} (correlation {correlation:+.3f})")
    return tuple(reasons)
