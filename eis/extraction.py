"""From a fit, or relaxation times, and a cell to interfaces: resistance, ASR, capacitance, process, budget.

Every arc is described by its own resistance and an effective capacitance, never by Q; what it is, `eis.assignment`
says, how well it is known, `eis.uncertainty_budget`. Several spectra of one cell, or of cells of one kind, say
more: see `extract_series`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eis.assignment import AMBIGUOUS, INTERFACE, Assigned, assign_arcs, matches, may_be
from eis.budget import combined
from eis.capacitance import APPLIES, SURFACE, ArcShape, arc_shapes
from eis.discriminators import Observation, evidence_of
from eis.drt_record import TWO_SIDED, Drt, DrtPeak
from eis.errors import ConfigError
from eis.interface import Capacitance
from eis.quantities import format_si
from eis.results import Fit, Interface, Line
from eis.spectrum import Cell
from eis.uncertainty_budget import Conditions, arc_lines

__all__ = ["AMBIGUOUS", "INTERFACE", "Conditions", "Observation", "extract", "extract_series"]

RELATIVE_LIMIT = 0.30
CORRELATION_LIMIT = 0.98
BAND_MARGIN = 3.0


def extract(
    source: Fit | Drt,
    cell: Cell,
    *,
    assign: Mapping[str, str] | None = None,
    alternatives: Sequence[Fit] = (),
    drt: Drt | None = None,
    repeats: Sequence[Fit] = (),
    conditions: Conditions | None = None,
) -> tuple[Interface, ...]:
    """Turn every arc of a fit, or every peak of a distribution, into an `Interface`, in order of rising τ.

    Parameters
    ----------
    source : Fit or Drt
        A fit with its arcs and covariance, or a distribution with its peaks (``"peak 1"``, …).
    cell : Cell
        Area, number of interfaces in the path, kind, thickness, unit cells.
    assign : mapping of str to str, optional
        The user's word on which process an arc is: ``{"R2": "electrode interface"}``. It wins, and is said.
    alternatives : sequence of Fit
        Other circuits fitted to the same spectrum: what they make of an arc is in its budget.
    drt : Drt, optional
        The distribution of relaxation times of the same spectrum, for the same purpose.
    repeats : sequence of Fit
        Fits of the same circuit to further measurements of the same cell. Resistances are then means, and their
        scatter stands in the budget.
    conditions : Conditions, optional
        Accuracy of the instrument, the shorted fixture, activation energy, pressure exponent.

    Returns
    -------
    tuple of Interface
        Empty if the circuit has no arc. An arc whose resistance is not determined has no capacitance, frequency or
        process (NaN, "ambiguous") and comes last. An arc is resolved if its resistance has a relative standard
        uncertainty of at most 30 % (noise and model), its frequency lies within [3·f_min, f_max/3], and it is not
        correlated beyond 0.98 with the series resistance or an inductance.

    Raises
    ------
    ConfigError
        If `assign` names an arc or a process that does not exist, or a repeat has another circuit.
    """
    shapes = _shapes(source)
    assigned = assign_arcs(shapes, cell, assign=assign)
    return tuple(
        _interface(shape, one, source, cell, alternatives, drt, _again(shape, source, repeats), conditions)
        for shape, one in zip(shapes, assigned, strict=True)
    )


def extract_series(
    observations: Sequence[Observation],
    *,
    assign: Mapping[str, str] | None = None,
    conditions: Conditions | None = None,
) -> tuple[tuple[Interface, ...], ...]:
    """Extract several spectra together: what changes with what tells the processes apart.

    Arcs of the same kind of cell are matched by capacitance and time constant. How each resistance follows
    temperature, pressure, state of charge, time, area and thickness, and whether a symmetric cell shows the same
    arc, is evidence for every one of them.

    Parameters
    ----------
    observations : sequence of Observation
        Fit, cell and conditions of each spectrum.
    assign : mapping of str to str, optional
        The user's word by name of the arc, for every spectrum that has it.
    conditions : Conditions, optional
        As in `extract`.

    Returns
    -------
    tuple of tuple of Interface
        One tuple per spectrum, in the order given; matched arcs have the same process.

    Raises
    ------
    ConfigError
        If there is no spectrum, or `assign` names an arc or a process that does not exist.
    """
    if not observations:
        raise ConfigError("There is no spectrum", where="observations", mend="Give at least one.")
    shapes = [_shapes(one.fit) for one in observations]
    known = {shape.name for row in shapes for shape in row}
    if assign and (strange := sorted(set(assign) - known)):
        raise ConfigError(
            f"There is no arc {strange[0]!r}", where="assign", mend=f"There is {', '.join(sorted(known))}."
        )
    seen = evidence_of(observations, shapes)
    out = []
    for one, row, more in zip(observations, shapes, seen, strict=True):
        own = {name: process for name, process in (assign or {}).items() if name in {s.name for s in row}}
        assigned = assign_arcs(row, one.cell, assign=own, evidence=more)
        out.append(
            tuple(
                _interface(shape, found, one.fit, one.cell, (), None, (), conditions)
                for shape, found in zip(row, assigned, strict=True)
            )
        )
    return tuple(out)


def _shapes(source: Fit | Drt) -> tuple[ArcShape, ...]:
    if isinstance(source, Fit):
        return arc_shapes(source)
    return tuple(_peak_shape(f"peak {i}", peak) for i, peak in enumerate(source.peaks, start=1))


def _peak_shape(name: str, peak: DrtPeak) -> ArcShape:
    if not (peak.u_r_ohm <= peak.r_ohm and peak.r_ohm > 0):
        return ArcShape(name, peak.r_ohm, peak.u_r_ohm, because=peak.because)
    u_ln_tau = math.log(peak.tau_high_s / peak.tau_low_s) / (2 * TWO_SIDED)
    return ArcShape(
        name=name,
        r_ohm=peak.r_ohm,
        u_r_ohm=peak.u_r_ohm,
        tau_s=peak.tau_s,
        u_ln_tau=u_ln_tau,
        u_log_c=peak.u_c_f / peak.c_f / math.log(10),
        capacitances=(Capacitance("τ/R", peak.c_f, peak.u_c_f, APPLIES["τ/R"]),),
        because=peak.because,
    )


def _again(shape: ArcShape, source: Fit | Drt, repeats: Sequence[Fit]) -> tuple[float, ...]:
    """Return the arc's resistance in this and every repeated measurement; nothing without repeats."""
    if not repeats:
        return ()
    circuit = source.circuit if isinstance(source, Fit) else None
    for one in repeats:
        if one.circuit != circuit:
            raise ConfigError(
                f"A repeat was fitted with {one.circuit}, the measurement with {circuit or 'no circuit'}",
                where="repeats",
                mend="Fit the same circuit to every repeat.",
            )
    return (shape.r_ohm, *(one.value(shape.parameter) for one in repeats))


def _interface(
    shape: ArcShape,
    assigned: Assigned,
    source: Fit | Drt,
    cell: Cell,
    alternatives: Sequence[Fit],
    drt: Drt | None,
    repeats: Sequence[float],
    conditions: Conditions | None,
) -> Interface:
    k = cell.unit_cell_factor
    fit = source if isinstance(source, Fit) else None
    lines = arc_lines(
        shape,
        assigned.probabilities,
        cell,
        fit=fit,
        alternatives=alternatives,
        drt=drt,
        repeats=repeats,
        conditions=conditions,
    )
    if k != 1:
        lines = tuple(line.scaled(k) for line in lines)
    r = (float(np.mean(repeats)) if repeats else shape.r_ohm) * k
    capacitances = tuple(
        replace(c, value_f=c.value_f / k, u_f=c.u_f / k) if k != 1 else c
        for c in shape.capacitances
        if c.formula != SURFACE or may_be(assigned.probabilities, INTERFACE)
    )
    chosen = _chosen(capacitances, assigned.process)
    because = _unresolved(shape, lines, r, source)
    evidence = (*assigned.evidence, *shape.because)
    if k != 1:
        evidence += (f"of one unit cell: {k:g} times the resistance of the stack",)
    if repeats:
        evidence += (f"mean of {len(repeats)} measurements",)
    return Interface(
        name=shape.name,
        arc_resistance_ohm=r,
        u_arc_resistance_ohm=combined(lines),
        interfaces_in_path=cell.interfaces_in_path,
        area_cm2=cell.area_cm2,
        u_area_cm2=cell.u_area_cm2,
        capacitance_f=chosen.value_f if chosen else math.nan,
        capacitance_formula=f"{chosen.formula}: {chosen.applies_to}" if chosen else "none: not determined",
        frequency_hz=shape.frequency_hz,
        process=assigned.process,
        confidence=assigned.confidence,
        evidence=evidence,
        resolved=not because,
        because=because,
        u_capacitance_f=chosen.u_f if chosen else math.nan,
        u_frequency_hz=shape.frequency_hz * shape.u_ln_tau,
        capacitances=capacitances,
        probabilities=assigned.probabilities,
        lines=lines,
        unit_cell_factor=k,
        temperature_c=cell.temperature_c,
    )


def _chosen(capacitances: Sequence[Capacitance], process: str) -> Capacitance | None:
    """Return the capacitance whose formula was derived for the process: Brug's for an electrode, else τ/R."""
    if matches(process, INTERFACE):
        return next((c for c in capacitances if c.formula == SURFACE), capacitances[0] if capacitances else None)
    return capacitances[0] if capacitances else None


def _unresolved(shape: ArcShape, lines: Sequence[Line], r: float, source: Fit | Drt) -> tuple[str, ...]:
    """Return the reasons why the data do not determine an arc; none if they do."""
    reasons = []
    u = combined(line for line in lines if line.source in ("fit", "model", "repeats"))
    if not math.isfinite(u):
        because = source[shape.parameter].because if isinstance(source, Fit) else "it has no uncertainty"
        reasons.append(f"{shape.name} is not determined: {because}")
    elif u > RELATIVE_LIMIT * abs(r) or r <= 0:
        relative = f"{u / r:.0%}" if r > 0 else "without bound"
        reasons.append(f"the relative standard uncertainty of {shape.name} is {relative}")
    f = source.frequency_hz
    lowest, highest = BAND_MARGIN * float(f.min()), float(f.max()) / BAND_MARGIN
    if math.isfinite(shape.frequency_hz) and not lowest <= shape.frequency_hz <= highest:
        here, low, high = (format_si(x, "Hz", digits=3) for x in (shape.frequency_hz, lowest, highest))
        reasons.append(f"its frequency {here} lies outside {low} to {high}, where an arc can be seen")
    if isinstance(source, Drt):
        return (*reasons, *shape.because)
    inductances = (p.name for p in source.parameters if p.name.startswith("L") and p.unit == "H")
    for other in (*source.series_resistance, *inductances):
        correlation = source.correlation(shape.parameter, other)
        if abs(correlation) > CORRELATION_LIMIT:
            reasons.append(f"{shape.name} cannot be told from {other} (correlation {correlation:+.3f})")
    return tuple(reasons)
