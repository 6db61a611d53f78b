"""Porosity-filling experiments compared: whether the treatment helped, through the filler, and by filled pores.

Each cell is its own reference: a quantity after over the same quantity before. What happens to the treated cells
is held against what happens to a control that was heated alike without the eutectic; only the difference counts.
That pores are filled is said only if mass or geometry and conductivity agree on it and the control shows no
comparable change; where the filler was in the electrode from the start, it is never said (the porosity stays).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from eis.comparison import (
    GRAIN_BOUNDARY,
    INTERFACE,
    IONIC,
    QUANTITIES,
    SERIES,
    UNITS,
    Change,
    Comparison,
    PairedCell,
    State,
)
from eis.constriction import Covariation, covariation
from eis.contrasts import Difference, against_control, equivalence, holm
from eis.effects import ArmEffect, arm_effect, log_ratio
from eis.errors import ConfigError
from eis.experiment import Arm, Experiment, ExperimentCell
from eis.filled_arm import fill_of_treated, lost_too_much
from eis.filling_conclusion import conclude
from eis.matching import Match, match_arcs
from eis.modulus_effect import ModulusEffect, modulus_effect
from eis.modulus_effect import Pair as ModulusPair
from eis.results import Fit, Interface

__all__ = [
    "QUANTITIES",
    "UNITS",
    "Change",
    "Comparison",
    "PairedCell",
    "State",
    "compare",
    "control_of",
]

SAME_TEMPERATURE_K, SAME_PRESSURE, SAME_SOC_PERCENT = 0.5, 0.1, 2.0
"""Differences between before and after that a comparison bears: a resistance changes by 4 to 8 % per kelvin."""
CONTROLS = ("heated", "untreated", "unheated", "solvent", "pressed", "other")
"""Roles of controls, the most telling first."""
SEED = 20_240


def compare(
    experiment: Experiment, pairs: Sequence[PairedCell], *, rng: np.random.Generator | None = None
) -> Comparison:
    """Compare the arms of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Arms, geometry, filler.
    pairs : sequence of PairedCell
        Every cell, in any order.
    rng : numpy Generator, optional
        For the intervals of the fill fractions; a fixed seed by default, so that a report can be made again.

    Raises
    ------
    ConfigError
        If no cell at all can be compared.
    """
    notes: list[str] = []
    changes: list[Change] = []
    matches: dict[str, tuple[Match, ...]] = {}
    capacitances: dict[str, tuple[float, float]] = {}
    for pair in pairs:
        because = pair.because or _incomparable(pair.cell)
        if because or pair.before is None or pair.after is None:
            notes.append(f"{pair.cell.id} ({pair.cell.arm}) is left out: {because or 'it has no pair of spectra'}")
            continue
        matches[pair.cell.id] = match_arcs(pair.before.arcs, pair.after.arcs)
        found, capacitance = _changes(experiment, pair.cell, pair.before, pair.after, matches[pair.cell.id])
        changes += found
        if capacitance is not None:
            capacitances[pair.cell.id] = capacitance
        notes += [f"{one.cell}: {one.quantity} is not compared: {one.because}" for one in found if one.because]
    arms = _arms(experiment, changes)
    if not arms:
        raise ConfigError(
            "No cell can be compared: " + "; ".join(notes[:5]),
            where="experiment",
            mend="Give each cell both spectra, measured at one temperature, with a circuit that fits them.",
        )
    effects, others = _effects(experiment, arms)
    quantity = next(name for name in QUANTITIES if name in arms)
    same = _equivalent(experiment, arms[quantity])
    fill, said = fill_of_treated(experiment, changes, rng or np.random.default_rng(SEED))
    notes += said
    notes += _beware(experiment, arms[quantity])
    notes += _unsaid(experiment)
    cause = _cause(experiment, changes, capacitances)
    verdicts = {
        pair.cell.id: (str(pair.before.judgement.verdict), str(pair.after.judgement.verdict))
        for pair in pairs
        if pair.before and pair.after and pair.before.judgement and pair.after.judgement
    }
    conclusion = conclude(
        experiment,
        quantity=quantity,
        arms=arms,
        effects=effects,
        equivalent=same,
        fill=fill,
        cause=cause,
    )
    return Comparison(
        experiment,
        tuple(changes),
        matches,
        arms,
        effects,
        others,
        same,
        fill,
        cause,
        verdicts,
        conclusion,
        tuple(notes),
        capacitances,
        _modulus(experiment, pairs, set(matches), effects),
    )


def _modulus(
    experiment: Experiment, pairs: Sequence[PairedCell], used: set[str], effects: Mapping[str, Difference]
) -> ModulusEffect | None:
    """Compare |Z| of the treated arm with that of the control its quantities were compared with."""
    one = next(iter(effects.values()), None)
    if one is None:
        return None
    arms: dict[str, list[ModulusPair]] = {one.treated: [], one.control: []}
    for pair in pairs:
        if pair.cell.id in used and pair.cell.arm in arms and pair.before is not None and pair.after is not None:
            before, after = pair.before.fit, pair.after.fit
            arms[pair.cell.arm].append(((before.frequency_hz, before.z_ohm), (after.frequency_hz, after.z_ohm)))
    return modulus_effect(arms[one.treated], arms[one.control], level=experiment.confidence)


def _incomparable(cell: ExperimentCell) -> str:
    """Return why the two spectra of a cell were measured in too different states; empty if they were not."""
    before, after = cell.before, cell.after
    if before is None or after is None:
        return f"there is no spectrum {'before' if before is None else 'after'}"
    t0, t1 = before.temperature_c, after.temperature_c
    if t0 is not None and t1 is not None and abs(t1 - t0) > SAME_TEMPERATURE_K:
        return f"it was measured at {t0:g} °C before and {t1:g} °C after"
    p0, p1 = before.pressure_mpa, after.pressure_mpa
    if p0 is not None and p1 is not None and abs(p1 - p0) > SAME_PRESSURE * max(p0, p1):
        return f"it was measured at {p0:g} MPa before and {p1:g} MPa after"
    s0, s1 = before.soc_percent, after.soc_percent
    if s0 is not None and s1 is not None and abs(s1 - s0) > SAME_SOC_PERCENT:
        return f"it was measured at {s0:g} % charge before and {s1:g} % after"
    return ""


def _changes(
    experiment: Experiment, cell: ExperimentCell, before: State, after: State, matches: Sequence[Match]
) -> tuple[list[Change], tuple[float, float] | None]:
    """Return the changes of one cell; and ln of the ratio of the interface's capacitances with its uncertainty."""
    wanted = experiment.quantities
    found: list[Change] = []
    capacitance: tuple[float, float] | None = None
    for quantity, named, process in (
        (INTERFACE, wanted.interface, "electrode interface"),
        (GRAIN_BOUNDARY, wanted.grain_boundary, "grain boundary"),
    ):
        match = _match_of(named, process, matches)
        if match is None or match.before is None:
            if named is not None:
                said = f"{named} is no arc of the circuit"
                found.append(Change(cell.id, cell.arm, quantity, *(math.nan,) * 6, because=said))
            continue
        factor = cell.area_cm2 / (cell.interfaces_in_path or 1) if quantity == INTERFACE else 1.0
        found.append(_arc_change(cell, quantity, match.before, match, factor))
        one, two = match.before, match.after
        if quantity == INTERFACE and match.is_sure and one is not None and two is not None:
            u = math.hypot(
                _relative(one.u_capacitance_f, one.capacitance_f),
                _relative(two.u_capacitance_f, two.capacitance_f),
            )
            capacitance = math.log(two.capacitance_f / one.capacitance_f), u
    ionic = wanted.ionic or next(
        (p.name for p in before.fit.parameters if p.name.startswith("TLM") and p.name.endswith("_0")), None
    )
    series = wanted.series or next(iter(before.fit.series_resistance), None)
    for quantity, name in ((IONIC, ionic), (SERIES, series)):
        if name is not None:
            found.append(_parameter_change(cell, quantity, name, before.fit, after.fit))
    return found, capacitance


def _relative(u: float, value: float) -> float:
    return u / value if math.isfinite(u) and value > 0 else 0.0


def _match_of(named: str | None, process: str, matches: Sequence[Match]) -> Match | None:
    """Return the match of the arc a quantity is: by the user's name before, or the surest arc of the process."""
    known = [match for match in matches if match.before is not None]
    if named is not None:
        return next((match for match in known if match.before is not None and match.before.name == named), None)
    of_process = [m for m in known if m.before is not None and m.before.process.startswith(process)]
    return max(of_process, key=lambda m: m.before.confidence if m.before else 0.0, default=None)


def _arc_change(cell: ExperimentCell, quantity: str, before: Interface, match: Match, factor: float) -> Change:
    after = match.after
    values = (before.arc_resistance_ohm * factor, before.u_arc_resistance_ohm * factor)
    if after is None:
        return Change(cell.id, cell.arm, quantity, *values, *(math.nan,) * 4, because=match.because)
    then = (after.arc_resistance_ohm * factor, after.u_arc_resistance_ohm * factor)
    because = ""
    if not match.is_sure:
        because = f"which arc it is after is not certain (probability {match.probability:.2f})"
    for arc, when in ((before, "before"), (after, "after")):
        if not arc.resolved and not because:
            because = f"{arc.name} is not resolved {when}: {'; '.join(arc.because)}"
    return _change(cell, quantity, values, then, because)


def _parameter_change(cell: ExperimentCell, quantity: str, name: str, before: Fit, after: Fit) -> Change:
    known = {p.name for p in before.parameters} & {p.name for p in after.parameters}
    if name not in known:
        return Change(cell.id, cell.arm, quantity, *(math.nan,) * 6, because=f"the circuit has no {name}")
    values, then = ((fit[name].value, fit[name].u) for fit in (before, after))
    because = next(
        (
            f"{name} is not determined {when}: {fit[name].because or 'no uncertainty'}"
            for fit, when in ((before, "before"), (after, "after"))
            if not math.isfinite(fit[name].u)
        ),
        "",
    )
    return _change(cell, quantity, values, then, because)


def _change(
    cell: ExperimentCell, quantity: str, before: tuple[float, float], after: tuple[float, float], because: str
) -> Change:
    if not because and not (before[0] > 0 and after[0] > 0):
        because = "it is not above zero"
    if because:
        return Change(cell.id, cell.arm, quantity, *before, *after, math.nan, math.nan, because)
    d, u = log_ratio(before[0], before[1], after[0], after[1])  # area and fixture are the same, and cancel
    return Change(cell.id, cell.arm, quantity, *before, *after, float(d), float(u))


def _arms(experiment: Experiment, changes: Sequence[Change]) -> dict[str, tuple[ArmEffect, ...]]:
    out: dict[str, tuple[ArmEffect, ...]] = {}
    for quantity in QUANTITIES:
        effects = []
        for arm in experiment.arms:
            own = [c for c in changes if (c.arm, c.quantity) == (arm.name, quantity) and c.is_comparable]
            if own:
                effects.append(
                    arm_effect(
                        arm.name,
                        [c.ln_ratio for c in own],
                        [c.u_ln_ratio for c in own],
                        cells=[c.cell for c in own],
                        level=experiment.confidence,
                    )
                )
        if any(one.name == _treated(experiment).name for one in effects):
            out[quantity] = tuple(effects)
    return out


def _treated(experiment: Experiment) -> Arm:
    return experiment.of_role("treated")[0]


def control_of(experiment: Experiment, names: Collection[str] | None = None) -> Arm | None:
    """Return the most telling control of `names`: heated without eutectic, else untreated, else what there is."""
    return next(
        (
            arm
            for role in CONTROLS
            for arm in experiment.arms
            if arm.role == role and (names is None or arm.name in names)
        ),
        None,
    )


def _effects(
    experiment: Experiment, arms: Mapping[str, tuple[ArmEffect, ...]]
) -> tuple[dict[str, Difference], dict[str, tuple[Difference, ...]]]:
    treated = _treated(experiment)
    effects: dict[str, Difference] = {}
    others: dict[str, tuple[Difference, ...]] = {}
    for quantity, found in arms.items():
        ratios = {one.name: one.log_ratios for one in found}
        control = control_of(experiment, ratios)
        if control is None:
            continue
        reference = (control.name, ratios[control.name])
        (effects[quantity],) = against_control(
            {treated.name: ratios[treated.name]}, reference, level=experiment.confidence
        )
        rest = {name: d for name, d in ratios.items() if name not in (treated.name, control.name)}
        if rest:
            others[quantity] = against_control(rest, reference, level=experiment.confidence)
    adjusted = holm([one.p for one in effects.values()]).tolist() if effects else []
    for (quantity, one), p in zip(list(effects.items()), adjusted, strict=True):
        effects[quantity] = replace(one, p=p)
    return effects, others


def _equivalent(experiment: Experiment, effects: Sequence[ArmEffect]) -> dict[str, bool]:
    margin = math.log1p(experiment.equivalence)
    treated = _treated(experiment).name
    return {
        one.name: bool(equivalence(one.log_ratios, margin=margin).is_equivalent)
        for one in effects
        if one.name != treated and one.n >= 3
    }


def _cause(
    experiment: Experiment, changes: Sequence[Change], capacitances: Mapping[str, tuple[float, float]]
) -> Covariation | None:
    treated = _treated(experiment).name
    own = [
        c
        for c in changes
        if (c.arm, c.quantity) == (treated, INTERFACE) and c.is_comparable and c.cell in capacitances
    ]
    if len(own) < 3:
        return None
    ln_r = np.array([c.ln_ratio for c in own])
    ln_c = np.array([capacitances[c.cell][0] for c in own])
    u_r, u_c = (
        math.sqrt(max(float(x.var(ddof=1)), float(np.mean(np.square(u)))) / len(own))
        for x, u in ((ln_r, [c.u_ln_ratio for c in own]), (ln_c, [capacitances[c.cell][1] for c in own]))
    )
    return covariation(float(ln_r.mean()), float(ln_c.mean()), u_r, u_c)


def _beware(experiment: Experiment, effects: Sequence[ArmEffect]) -> list[str]:
    notes = []
    for one in effects:
        notes += [
            f"{cell} ({one.name}) stands apart: {why}; it is not left out" for cell, why in one.robust.marked
        ]
        if one.robust.is_sensitive:
            notes.append(f"the result of {one.name} turns on a single cell")
    names = {one.name for one in effects}
    if not experiment.of_role("heated"):
        notes.append("there is no arm that was heated without eutectic: what heat alone does is not known")
    for arm in experiment.arms:
        if arm.name not in names:
            notes.append(f"no cell of {arm.name} ({arm.role}) can be compared")
    return notes


def _unsaid(experiment: Experiment) -> list[str]:
    """Return what the file does not say but a comparison rests on, and masses that cannot be."""
    notes = []
    for name, what in (("temperature_c", "temperature"), ("pressure_mpa", "pressure")):
        silent = [
            cell.id
            for cell in experiment.cells
            if cell.before and cell.after and None in (getattr(cell.before, name), getattr(cell.after, name))
        ]
        if silent:
            more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
            said = f"the {what} of {', '.join(silent[:3])}{more} is not stated"
            notes.append(f"{said}: that it was the same before and after is taken on trust")
    if experiment.mode == "in_formulation":
        notes += lost_too_much(experiment)
    return notes
