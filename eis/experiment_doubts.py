"""What an experiment's file does not say but a comparison rests on, and what in it is against the design."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eis.experiment import Experiment, ExperimentCell, Measured
from eis.filled_arm import lost_too_much

LEAST_HOURS = 1.0
"""Hours at a temperature before a spectrum is taken."""
SAME_HEAT_K, SAME_TIME = 5.0, 0.25
"""Differences between how two arms were heated, and how long things took, that do not matter (K, relative)."""
SHOWN = 3
"""Cells that are named before the others are counted."""


def doubts(experiment: Experiment) -> list[str]:
    """Return what to beware of in the experiment as its file describes it, in words."""
    notes = []
    paired = [cell for cell in experiment.cells if cell.before and cell.after]
    for name, what in (("temperature_c", "temperature"), ("pressure_mpa", "pressure")):
        silent = [cell for cell in paired if None in (getattr(cell.before, name), getattr(cell.after, name))]
        if silent:
            said = f"the {what} of {_named(silent)} is not stated"
            notes.append(f"{said}: that it was the same before and after is taken on trust")
    hasty = [cell for cell in paired if any(_is_hasty(one) for one in _measurements(cell))]
    if hasty:
        said = f"{_named(hasty)} had less than {LEAST_HOURS:g} h at a temperature before a spectrum was taken"
        notes.append(f"{said}: it may not have been in equilibrium")
    if experiment.mode == "in_formulation":
        notes += lost_too_much(experiment)
    return notes + _heating(experiment) + _waiting(experiment)


def _heating(experiment: Experiment) -> list[str]:
    """Say where cells were heated below the melting point, or the heated control not as the treated cells."""
    notes = []
    treated = experiment.cells_of(experiment.of_role("treated")[0].name)
    melting = experiment.filler.melting_point_c
    hot = [(cell, cell.history.heated_to_c) for cell in treated]
    if melting is not None:
        cold = [cell for cell, at in hot if at is not None and at <= melting]
        if cold:
            said = f"{_named(cold)} was heated to {cold[0].history.heated_to_c:g} °C at most"
            notes.append(f"{said}: the filler, which melts at {melting:g} °C, has not melted")
    own = [at for _, at in hot if at is not None]
    stayed = [cell.history.dwell_min for cell in treated if cell.history.dwell_min is not None]
    for arm in experiment.of_role("heated"):
        cells = experiment.cells_of(arm.name)
        other = [cell.history.heated_to_c for cell in cells if cell.history.heated_to_c is not None]
        held = [cell.history.dwell_min for cell in cells if cell.history.dwell_min is not None]
        if own and other and abs(_mean(own) - _mean(other)) > SAME_HEAT_K:
            notes.append(
                f"{arm.name} was heated to {_mean(other):g} °C and the treated cells to {_mean(own):g} °C: "
                "what heat does is not the same in both"
            )
        times = [_mean(minutes) for minutes in (held, stayed) if minutes]
        if len(times) == 2 and abs(times[0] - times[1]) > SAME_TIME * max(times):
            notes.append(
                f"{arm.name} was held hot for {times[0]:g} min and the treated cells for {times[1]:g} min: "
                "what heat does is not the same in both"
            )
    return notes


def _waiting(experiment: Experiment) -> list[str]:
    """Say where more or less time passed between the two spectra than in the treated arm: cells age."""
    passed: dict[str, float] = {}
    for arm in experiment.arms:
        hours = [
            cell.after.hours_since_assembly - cell.before.hours_since_assembly
            for cell in experiment.cells_of(arm.name)
            if cell.before is not None
            and cell.after is not None
            and cell.before.hours_since_assembly is not None
            and cell.after.hours_since_assembly is not None
        ]
        if hours:
            passed[arm.name] = _mean(hours)
    own = passed.pop(experiment.of_role("treated")[0].name, None)
    return [
        f"{name} was measured again after {other:g} h and the treated cells after {own:g} h: cells age"
        for name, other in passed.items()
        if own is not None and abs(own - other) > SAME_TIME * max(abs(own), abs(other))
    ]


def _measurements(cell: ExperimentCell) -> list[Measured]:
    both = [one for one in (cell.before, cell.after) if one is not None]
    return [*both, *cell.before_at, *cell.after_at]


def _is_hasty(one: Measured) -> bool:
    return one.hours_at_temperature is not None and one.hours_at_temperature < LEAST_HOURS


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _named(cells: Sequence[ExperimentCell]) -> str:
    more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
    return ", ".join(cell.id for cell in cells[:SHOWN]) + more
