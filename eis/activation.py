r"""Activation energies of each cell before and after a treatment, and how they moved in each arm.

.. math:: \Delta E_{a,i} = E_{a,i,after} - E_{a,i,before}, \qquad
    \Delta\Delta E_a = \overline{\Delta E_a}_T - \overline{\Delta E_a}_C

Conduction (R_ion, R_gb) is taken as hopping, σT = σ₀·exp(−E_a/kT), an interface as 1/ASR = A·exp(−E_a/kT). Each
cell is its own reference, so that what shifts every temperature alike cancels; the intervals of the arms are from
the scatter between cells (Student's t, Welch), those of one cell from its points (`eis.series`). It takes three
temperatures in each state.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eis.cell_changes import Source, unlike
from eis.comparison_records import CHARGE_TRANSFER, GRAIN_BOUNDARY, INTERFACE, IONIC, PairedCell, State
from eis.contrasts import holm, welch_contrast
from eis.effects import LEAST_FOR_INTERVAL, LEAST_FOR_P, mean_contrast
from eis.errors import EisError
from eis.experiment import Experiment, Measured
from eis.matching import match_arcs
from eis.series import FORMS, arrhenius
from eis.series_law import Arrhenius, Form

LEAST_TEMPERATURES = 3
"""Temperatures of a state below which nothing shows whether the points are on the law."""
APART_K = 0.5
"""Temperatures nearer than this (K) are one."""
OVERLAP = 0.5
"""Part of the wider range of 1/T that both states must share, or a bend of the law would look like a change."""
FORM_OF: Mapping[str, Form] = {
    IONIC: "sigma_t",
    GRAIN_BOUNDARY: "sigma_t",
    INTERFACE: "asr",
    CHARGE_TRANSFER: "resistance",
}
"""The law of each quantity; the first is the one that says who carries the current."""


@dataclass(frozen=True, eq=False, slots=True)
class CellEnergy:
    """Activation energy of one quantity of one cell before and after; None, and the reason, if it is not known.

    Parameters
    ----------
    cell, arm, quantity : str
        What it is of.
    before, after : Arrhenius, optional
        The law of each state with its points.
    because : str
        Why there is none, or what to beware of.
    """

    cell: str
    arm: str
    quantity: str
    before: Arrhenius | None
    after: Arrhenius | None
    because: str = ""

    @property
    def change_ev(self) -> float:
        """E_a after less E_a before (eV); NaN if one is not known."""
        if self.before is None or self.after is None:
            return math.nan
        return self.after["E_a"].value - self.before["E_a"].value

    @property
    def u_change_ev(self) -> float:
        """Its standard uncertainty (eV) from the points of both states."""
        if self.before is None or self.after is None:
            return math.nan
        return math.hypot(self.after["E_a"].u, self.before["E_a"].u)


@dataclass(frozen=True, slots=True)
class EnergyMean:
    """The mean of an energy over an arm, or of its difference to the control, with interval and p-value.

    Parameters
    ----------
    name, control : str
        The arm, and the control it is held against; empty if none.
    n, n_control : int
        Cells.
    value_ev, low_ev, high_ev : float
        Mean and interval (eV); NaN ends below three cells in an arm.
    p : float
        Of no change, adjusted for the number of quantities where it is a difference; NaN below five cells.
    level : float
        Probability of the interval.
    """

    name: str
    control: str
    n: int
    n_control: int
    value_ev: float
    low_ev: float
    high_ev: float
    p: float
    level: float


@dataclass(frozen=True, eq=False, slots=True)
class EnergyChange:
    """Activation energies of one quantity.

    Parameters
    ----------
    quantity, law : str
        What, and by which law.
    cells : tuple of CellEnergy
        Every cell that has series.
    before, after, change : tuple of EnergyMean
        By arm: mean E_a before and after, and mean of the cells' changes.
    effect : EnergyMean, optional
        Change of the treated arm less that of the control.
    """

    quantity: str
    law: str
    cells: tuple[CellEnergy, ...]
    before: tuple[EnergyMean, ...]
    after: tuple[EnergyMean, ...]
    change: tuple[EnergyMean, ...]
    effect: EnergyMean | None


def cell_energies(
    experiment: Experiment, pair: PairedCell, sources: Mapping[str, Source]
) -> tuple[tuple[CellEnergy, ...], list[str]]:
    """Return the activation energies of a cell that has spectra at other temperatures, and what was left out.

    Parameters
    ----------
    experiment : Experiment
        Melting point of the filler.
    pair : PairedCell
        A cell with both states.
    sources : mapping of str to Source
        By quantity: its arc or parameter before and after.
    """
    cell = pair.cell
    if not (cell.before_at or cell.after_at) or pair.before is None or pair.after is None:
        return (), list(pair.notes)
    notes = list(pair.notes)
    tracked = []
    for when, first, own, others, states in (
        ("before", pair.before, cell.before, cell.before_at, pair.before_at),
        ("after", pair.after, cell.after, cell.after_at, pair.after_at),
    ):
        usable: list[tuple[Measured, State]] = []
        for measured, state in itertools.zip_longest(others, states[: len(others)]):
            why = _unusable(experiment, own, measured)
            if why:
                notes.append(f"{cell.id}, {when} at {measured.temperature_c:g} °C, is left out: {why}")
            elif state is not None:
                usable.append((measured, state))
        tracked.append(_tracked(own, first, usable))
    found = []
    for quantity in FORM_OF:
        source = sources.get(quantity)
        if source is not None:
            factor = cell.area_cm2 / (cell.interfaces_in_path or 1) if quantity == INTERFACE else 1.0
            found.append(_energy(pair, quantity, source, tracked, factor))
    return tuple(found), notes


def energy_changes(
    experiment: Experiment, cells: Sequence[CellEnergy], control: Mapping[str, str]
) -> dict[str, EnergyChange]:
    """Return how the activation energy of each quantity changed in each arm, and against the control.

    Parameters
    ----------
    experiment : Experiment
        Its arms and level of confidence.
    cells : sequence of CellEnergy
        Every cell's.
    control : mapping of str to str
        By quantity: the control arm.
    """
    level, treated = experiment.confidence, experiment.of_role("treated")[0].name
    out: dict[str, EnergyChange] = {}
    for quantity, form in FORM_OF.items():
        own = tuple(one for one in cells if one.quantity == quantity)
        if not own:
            continue
        arms = [arm.name for arm in experiment.arms if any(one.arm == arm.name for one in own)]
        known = {name: [c for c in own if c.arm == name and math.isfinite(c.change_ev)] for name in arms}
        known = {name: found for name, found in known.items() if found}
        changes = {name: [one.change_ev for one in found] for name, found in known.items()}
        before = tuple(_mean(n, [c.before["E_a"].value for c in f if c.before], level) for n, f in known.items())
        after = tuple(_mean(n, [c.after["E_a"].value for c in f if c.after], level) for n, f in known.items())
        change = tuple(_mean(name, values, level) for name, values in changes.items())
        other = control.get(quantity, "")
        effect = None
        if treated in changes and other in changes:
            effect = energy_difference(treated, changes[treated], other, changes[other], level)
        out[quantity] = EnergyChange(quantity, FORMS[form][0], own, before, after, change, effect)
    tested = [name for name, one in out.items() if one.effect is not None]
    adjusted = holm([one.effect.p for one in out.values() if one.effect is not None]).tolist() if tested else []
    for name, p in zip(tested, adjusted, strict=True):
        effect = out[name].effect
        if effect is not None:
            out[name] = replace(out[name], effect=replace(effect, p=p))
    return out


def energy_difference(
    treated: str, own: Sequence[float], control: str, other: Sequence[float], level: float
) -> EnergyMean:
    """Return the difference of two arms' mean energies (eV) with Welch's interval."""
    value, n, m = float(np.mean(own) - np.mean(other)), len(own), len(other)
    low = high = p = math.nan
    if min(n, m) >= LEAST_FOR_INTERVAL:
        found = welch_contrast(own, other, level=level)
        low, high = float(found.low), float(found.high)
        p = float(found.p) if min(n, m) >= LEAST_FOR_P else math.nan
    return EnergyMean(treated, control, n, m, value, low, high, p, level)


def _mean(name: str, values: Sequence[float], level: float) -> EnergyMean:
    low = high = p = math.nan
    if len(values) >= LEAST_FOR_INTERVAL:
        found = mean_contrast(values, level=level)
        low, high = float(found.low), float(found.high)
        p = float(found.p) if len(values) >= LEAST_FOR_P else math.nan
    return EnergyMean(name, "", len(values), 0, float(np.mean(values)), low, high, p, level)


def _unusable(experiment: Experiment, own: Measured | None, measured: Measured) -> str:
    """Return why a spectrum at another temperature does not belong to its state; empty if it does."""
    melting = experiment.filler.melting_point_c
    at = measured.temperature_c
    if melting is not None and at is not None and at >= melting:
        return f"the filler melts at {melting:g} °C, and a melt is on another line"
    return unlike(own, measured, "first", "then") if own is not None else ""


def _tracked(
    own: Measured | None, first: State, others: Sequence[tuple[Measured, State]]
) -> list[tuple[Measured, State, dict[str, str]]]:
    """Return every state with what the arcs of the first are called in it; from neighbour to neighbour in T.

    Arcs move along the frequency axis with temperature, so that only neighbours are near enough to be told apart.
    """
    if own is None or own.temperature_c is None:
        return []
    middle = own.temperature_c
    same = {arc.name: arc.name for arc in first.arcs}
    out = [(own, first, same)]
    ordered = sorted(others, key=lambda one: one[0].temperature_c or 0.0)
    above = [one for one in ordered if (one[0].temperature_c or 0.0) >= middle]
    below = [one for one in reversed(ordered) if (one[0].temperature_c or 0.0) < middle]
    for side in (above, below):
        previous, names = first, same
        for measured, state in side:
            pairs = match_arcs(previous.arcs, state.arcs)
            to = {m.before.name: m.after.name for m in pairs if m.is_sure and m.before and m.after}
            names = {name: to[last] for name, last in names.items() if last in to}
            out.append((measured, state, names))
            previous = state
    return out


def _energy(
    pair: PairedCell,
    quantity: str,
    source: Source,
    tracked: Sequence[Sequence[tuple[Measured, State, dict[str, str]]]],
    factor: float,
) -> CellEnergy:
    laws: list[Arrhenius | None] = []
    reasons: list[str] = []
    for when, name, states in zip(("before", "after"), (source.before, source.after), tracked, strict=True):
        law, because = _law(quantity, name, states, factor, is_arc=source.is_arc)
        laws.append(law)
        if because:
            reasons.append(f"{when}: {because}")
    before, after = laws
    if before is not None and after is not None:
        ranges = [1 / (law.points.x + 273.15) for law in (before, after)]
        shared = min(float(x.max()) for x in ranges) - max(float(x.min()) for x in ranges)
        if shared < OVERLAP * max(float(np.ptp(x)) for x in ranges):
            said = ", ".join(f"{law.points.x.min():g} to {law.points.x.max():g} °C" for law in (before, after))
            reasons.append(f"the ranges before and after are too different ({said})")
            before = after = None
    arguments = (pair.cell.id, pair.cell.arm, quantity)
    return CellEnergy(*arguments, before, after, "; ".join(reasons))


def _law(
    quantity: str,
    name: str,
    states: Sequence[tuple[Measured, State, dict[str, str]]],
    factor: float,
    *,
    is_arc: bool,
) -> tuple[Arrhenius | None, str]:
    """Return the law through one quantity of one state, and why there is none or what to beware of."""
    points, missing = [], []
    for measured, state, names in states:
        value, u = _value(state, names.get(name) if is_arc else name, is_arc=is_arc)
        if value > 0 and u > 0 and math.isfinite(u) and measured.temperature_c is not None:
            points.append((measured.temperature_c, measured.u_temperature_c, value * factor, u * factor))
        elif measured.temperature_c is not None:
            missing.append(f"{measured.temperature_c:g} °C")
    temperatures = sorted(one[0] for one in points)
    n = sum(b - a > APART_K for a, b in itertools.pairwise(temperatures)) + bool(temperatures)
    if n < LEAST_TEMPERATURES:
        lost = f" (not determined at {', '.join(missing)})" if missing else ""
        return None, f"{name} is known at {n} temperature{'s' * (n != 1)}{lost}, {LEAST_TEMPERATURES} are needed"
    t, u_t, r, u_r = (np.array(column) for column in zip(*points, strict=True))
    form = FORM_OF[quantity]
    # The sheet's geometry is no part of a slope: 1/R stands for a conductivity.
    x, u_x = (1 / r, u_r / r**2) if form == "sigma_t" else (r, u_r)
    try:
        law = arrhenius(t, x, form=form, u=u_x, u_temperature_c=u_t)
    except EisError as error:
        return None, str(error)
    bent = [said.removeprefix("WARNING: ") for said in law.because if said.startswith("WARNING")]
    return law, "; ".join(bent)


def _value(state: State, name: str | None, *, is_arc: bool) -> tuple[float, float]:
    """Return a resistance (ohm) and its standard uncertainty; NaN if the spectrum does not determine it."""
    if is_arc:
        arc = next((one for one in state.arcs if one.name == name and one.resolved), None)
        return (arc.arc_resistance_ohm, arc.u_arc_resistance_ohm) if arc is not None else (math.nan, math.nan)
    if name not in {p.name for p in state.fit.parameters}:
        return math.nan, math.nan
    return state.fit[name].value, state.fit[name].u
