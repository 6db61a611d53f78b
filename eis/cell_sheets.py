"""What became of each cell's sheet and contact: thickness, mass, what was left to drive out, area in contact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from eis.comparison_records import INTERFACE, ArmMean, CellSheet, Change
from eis.constriction import coverage_change
from eis.effects import LEAST_FOR_INTERVAL, mean_contrast
from eis.errors import ConfigError
from eis.experiment import Experiment, ExperimentCell
from eis.filled_arm import fill_of_cell
from eis.monte_carlo import Estimated

SEED = 20_242
COVERAGE_DRAWS = 1000
"""Draws for the part of one interface in contact: the radius of the spots is a guess anyway."""
CERTAIN = 3.0
"""Standard uncertainties from which a sheet that grows heavier in drying is a contradiction."""
THICKNESS, MASS, RESIDUAL, FROM_R, FROM_C = (
    "thickness change",
    "mass change",
    "residual mass",
    "coverage from R",
    "coverage from C",
)


def sheets_of(
    experiment: Experiment,
    changes: Sequence[Change],
    capacitances: Mapping[str, tuple[float, float]],
    *,
    without: Iterable[str] = (),
) -> tuple[tuple[CellSheet, ...], tuple[ArmMean, ...], list[str]]:
    """Return what is known of every cell's sheet, the means of each arm, and what contradicts itself.

    Parameters
    ----------
    experiment : Experiment
        Masses, thicknesses, contact.
    changes : sequence of Change
        Quantities before and after.
    capacitances : mapping of str to (float, float)
        By cell: ln(C after / C before) of the interface and its standard uncertainty.
    without : iterable of str
        Cells that are not counted.
    """
    left_out = set(without)
    sheets = tuple(
        _sheet(experiment, cell, [c for c in changes if c.cell == cell.id], capacitances.get(cell.id))
        for cell in experiment.cells
        if cell.id not in left_out
    )
    notes = [
        f"inconsistent: {one.cell} grew by {-one.residual_mg:.3g} mg when it was dried"
        for one in sheets
        if one.residual_mg < -CERTAIN * one.u_residual_mg
    ]
    for one in sheets:
        notes += [f"{one.cell}: {e.name} is not known: {e.because}" for e in one.coverage[:2] if not e.is_known]
    own = tuple(one for one in sheets if _says_something(one))
    return own, tuple(_means(experiment, own)), notes


def _sheet(
    experiment: Experiment,
    cell: ExperimentCell,
    changes: Sequence[Change],
    capacitance: tuple[float, float] | None,
) -> CellSheet:
    g = cell.geometry
    thicker = u_thicker = grown = u_grown = residual = u_residual = math.nan
    if g.thickness_before_um is not None and g.thickness_after_um is not None:
        thicker = g.thickness_after_um / g.thickness_before_um - 1
        u_thicker = (
            (1 + thicker) * g.u_thickness_um * math.hypot(1 / g.thickness_before_um, 1 / g.thickness_after_um)
        )
    if g.mass_before_mg is not None and g.mass_after_mg is not None:
        grown, u_grown = g.mass_after_mg - g.mass_before_mg, math.sqrt(2) * g.u_mass_mg
    if g.mass_dried_mg is not None and g.mass_after_mg is not None:
        residual, u_residual = g.mass_after_mg - g.mass_dried_mg, math.sqrt(2) * g.u_mass_mg
    interface = next((c for c in changes if c.quantity == INTERFACE and c.is_comparable), None)
    return CellSheet(
        cell.id,
        cell.arm,
        fill_of_cell(experiment, cell, changes),
        thicker,
        u_thicker,
        grown,
        u_grown,
        residual,
        u_residual,
        _coverage(experiment, interface) if interface is not None else (),
        capacitance[0] if capacitance is not None else math.nan,
    )


def _coverage(experiment: Experiment, change: Change) -> tuple[Estimated, ...]:
    """Return the part of the interface in contact before, after, and their ratio, if the file says enough."""
    contact, composite = experiment.contact, experiment.composite
    if contact is None or composite is None:
        return ()
    try:
        return coverage_change(
            (change.before, change.u_before),
            (change.after, change.u_after),
            np.random.default_rng(SEED),
            spot_radius_um=(contact.spot_radius_um, contact.u_spot_radius_um),
            conductivity_s_cm=(composite.conductivity_s_cm, composite.u_conductivity_s_cm),
            asr_ct_ohm_cm2=(contact.asr_ct_ohm_cm2, contact.u_asr_ct_ohm_cm2),
            draws=COVERAGE_DRAWS,
            level=experiment.confidence,
        )
    except ConfigError as error:
        return (Estimated("coverage", math.nan, because=str(error)),)


def _says_something(one: CellSheet) -> bool:
    numbers = (one.thickness_change, one.mass_change_mg, one.residual_mg, one.ln_coverage)
    return one.fill is not None or bool(one.coverage) or any(math.isfinite(x) for x in numbers)


def _means(experiment: Experiment, sheets: Sequence[CellSheet]) -> Iterable[ArmMean]:
    level = experiment.confidence
    for arm in experiment.arms:
        own = [one for one in sheets if one.arm == arm.name]
        ratios = [one.coverage[2].value for one in own if len(one.coverage) == 3]
        for quantity, unit, values, is_ratio in (
            (THICKNESS, "", [one.thickness_change for one in own], False),
            (MASS, "mg", [one.mass_change_mg for one in own], False),
            (RESIDUAL, "mg", [one.residual_mg for one in own], False),
            (FROM_R, "", np.log(ratios).tolist() if ratios else [], True),
            (FROM_C, "", [one.ln_coverage for one in own], True),
        ):
            known = [x for x in values if math.isfinite(x)]
            if known:
                yield _mean(arm.name, quantity, unit, known, level, is_ratio=is_ratio)


def _mean(arm: str, quantity: str, unit: str, values: ArrayLike, level: float, *, is_ratio: bool) -> ArmMean:
    x = np.asarray(values, dtype=float)
    low = high = math.nan
    because = ""
    if x.size >= LEAST_FOR_INTERVAL:
        found = mean_contrast(x, level=level)
        low, high = float(found.low), float(found.high)
    else:
        because = f"{x.size} cell{'s' * (x.size > 1)}, an interval needs {LEAST_FOR_INTERVAL}"
    value = float(x.mean())
    if is_ratio:
        value, low, high = math.exp(value), math.exp(low), math.exp(high)
    return ArmMean(arm, quantity, unit, int(x.size), value, low, high, because)
