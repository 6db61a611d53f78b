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

from eis.activation import CellEnergy, cell_energies, energy_changes
from eis.carrier import Carrier, carrier_of
from eis.cell_changes import changes_of, direct_changes, incomparable
from eis.cell_sheets import sheets_of
from eis.comparison import Comparison
from eis.comparison_records import (
    CONCLUDED,
    INTERFACE,
    QUANTITIES,
    UNITS,
    Change,
    PairedCell,
    State,
)
from eis.constriction import Covariation, covariation
from eis.contrasts import Difference, against_control, equivalence, holm
from eis.effects import ArmEffect, arm_effect
from eis.electrons import electrons_of
from eis.errors import ConfigError
from eis.experiment import Arm, Experiment
from eis.experiment_doubts import doubts
from eis.filled_arm import fill_of_treated
from eis.filling_conclusion import Conclusion, conclude
from eis.matching import Match, match_arcs
from eis.modulus_effect import ModulusEffect, modulus_effect
from eis.modulus_effect import Pair as ModulusPair

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
    energies: list[CellEnergy] = []
    electrons = electrons_of(pairs, _treated(experiment).name, margin=experiment.equivalence)
    conducting = {cell: why for cell, _, why in electrons.flagged}
    for pair in pairs:
        cell = pair.cell
        because = pair.because or incomparable(cell) or conducting.get(cell.id, "")
        if because or pair.before is None or pair.after is None:
            notes.append(f"{cell.id} ({cell.arm}) is left out: {because or 'it has no pair of spectra'}")
            changes += direct_changes(cell) if cell.id in conducting else []
            continue
        matches[cell.id] = match_arcs(pair.before.arcs, pair.after.arcs)
        found, sources, capacitance = changes_of(experiment, cell, pair.before, pair.after, matches[cell.id])
        changes += found
        if capacitance is not None:
            capacitances[cell.id] = capacitance
        notes += [f"{one.cell}: {one.quantity} is not compared: {one.because}" for one in found if one.because]
        laws, said = cell_energies(experiment, pair, sources)
        energies += laws
        notes += said
    arms = _arms(experiment, changes)
    quantity = next((name for name in CONCLUDED if name in arms), None)
    if quantity is None:
        raise ConfigError(
            "No cell can be compared: " + "; ".join(notes[:5]),
            where="experiment",
            mend="Give each cell both spectra, measured at one temperature, with a circuit that fits them.",
        )
    effects, others = _effects(experiment, arms)
    same = _equivalent(experiment, arms[quantity])
    fill, said = fill_of_treated(experiment, changes, rng or np.random.default_rng(SEED), without=conducting)
    notes += said
    notes += _beware(experiment, arms[quantity])
    sheets, means, said = sheets_of(experiment, changes, capacitances, without=conducting)
    notes += said + doubts(experiment)
    cause = _cause(experiment, changes, capacitances)
    controls = {name: one.control for name, one in effects.items()}
    moved = energy_changes(experiment, energies, controls)
    carrier = carrier_of(experiment, moved) if any(p.cell.before_at or p.cell.after_at for p in pairs) else None
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
        are_most_short=electrons.are_most_flagged,
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
        _with_carrier(conclusion, carrier),
        tuple(notes),
        capacitances,
        _modulus(experiment, pairs, set(matches), effects),
        electrons,
        sheets,
        means,
        moved,
        carrier,
    )


def _with_carrier(conclusion: Conclusion, carrier: Carrier | None) -> Conclusion:
    """Add who carries the current to the sentence, if that is known."""
    if carrier is None or not carrier.is_decided:
        return conclusion
    said = carrier.because.partition(":")[0]
    return replace(conclusion, sentence=f"{conclusion.sentence.removesuffix('.')}; {said}.")


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
