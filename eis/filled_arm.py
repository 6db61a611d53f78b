"""Fill fractions: of the treated arm from the means of its cells, and of each cell with filler in it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from eis.comparison_records import IONIC, Change
from eis.composition import Sheet, Solid
from eis.experiment import Component, Experiment, ExperimentCell
from eis.filling_fraction import FillFraction, Transport, fill_fraction
from eis.treatment import Treatment

CERTAIN = 3.0
"""Standard uncertainties by which a cell must have lost too much before it is said."""


FILLED_ROLES = ("treated", "unheated")
"""Arms with the filler in them."""
CELL_DRAWS = 2000
"""Draws for the intervals of a single cell, which are wide anyway."""
SEED = 20_241


def fill_of_treated(
    experiment: Experiment, changes: Sequence[Change], rng: np.random.Generator, *, without: Collection[str] = ()
) -> tuple[FillFraction | None, list[str]]:
    """Estimate the fill fraction of the treated arm from the means of its cells.

    Parameters
    ----------
    experiment : Experiment
        Composition, filler, masses and thicknesses.
    changes : sequence of Change
        With the ionic resistances before and after.
    rng : numpy Generator
        Source of the draws.
    without : collection of str
        Cells that are not counted.

    Returns
    -------
    fill : FillFraction, optional
        None if composition, masses or thicknesses are missing.
    notes : list of str
        What is missing, and what contradicts itself.
    """
    treated = experiment.cells_of(experiment.of_role("treated")[0].name)
    cells = [cell for cell in treated if _is_weighed(cell) and cell.id not in without]
    if not cells or not experiment.composition:
        return None, [
            "fill fractions are not estimated: they need composition, masses and thicknesses of the treated cells"
        ]
    transport = _transport(experiment, changes, {cell.id for cell in cells})
    notes = (
        []
        if transport
        else ["the electrical fill fraction is not estimated: it needs R_ion and both conductivities"]
    )
    treatment = _treatment(experiment, cells)
    found = fill_fraction(treatment, rng, transport=transport, level=experiment.confidence)
    notes += [f"inconsistent: {said}" for said in found.inconsistencies]
    return found, notes


def fill_of_cell(experiment: Experiment, cell: ExperimentCell, changes: Sequence[Change]) -> FillFraction | None:
    """Estimate the fill fractions of one cell by themselves; None where no filler can be, or no mass is known.

    Parameters
    ----------
    experiment, changes
        As in `fill_of_treated`.
    cell : ExperimentCell
        The cell; its interval is that of its own weighing, gauging and fit.
    """
    roles = {arm.name: arm.role for arm in experiment.arms}
    if roles[cell.arm] not in FILLED_ROLES or not _is_weighed(cell) or not experiment.composition:
        return None
    return fill_fraction(
        _treatment(experiment, [cell]),
        np.random.default_rng(SEED),
        transport=_transport(experiment, changes, {cell.id}),
        draws=CELL_DRAWS,
        level=experiment.confidence,
    )


def gain_of(cell: ExperimentCell) -> float:
    """Return the mass (mg) that came into a cell and stayed: what is driven out by drying is no filler."""
    g = cell.geometry
    last = g.mass_after_mg if g.mass_dried_mg is None else g.mass_dried_mg
    return math.nan if last is None or g.mass_before_mg is None else last - g.mass_before_mg


def _treatment(experiment: Experiment, cells: Sequence[ExperimentCell]) -> Treatment:
    """Return what happened to the sheet of one cell, or to the mean sheet of several."""
    mass, u_mass = _mean([c.geometry.mass_before_mg for c in cells], [c.geometry.u_mass_mg for c in cells])
    t0, u_t0 = _mean([c.geometry.thickness_before_um for c in cells], [c.geometry.u_thickness_um for c in cells])
    t1, u_t1 = _mean([c.geometry.thickness_after_um for c in cells], [c.geometry.u_thickness_um for c in cells])
    gains = [gain_of(cell) for cell in cells]
    gain, u_gain = _mean(gains, [math.sqrt(2) * c.geometry.u_mass_mg for c in cells])
    area, u_area = _mean([c.area_cm2 for c in cells], [c.u_area_cm2 for c in cells])
    solids = tuple(_solid(one) for one in experiment.composition)
    sheet = Sheet(mass, area, t0, solids, u_mass, u_area, u_t0)
    filler = experiment.filler
    own = next((one.mass_fraction for one in experiment.composition if one.name == filler.name), None)
    return Treatment(
        sheet,
        experiment.mode,
        t1,
        gain,
        filler.density_g_cm3,
        u_t1,
        u_gain,
        filler.u_density_g_cm3,
        own if experiment.mode == "in_formulation" else None,
    )


def _is_weighed(cell: ExperimentCell) -> bool:
    g = cell.geometry
    return None not in (g.mass_before_mg, g.mass_after_mg, g.thickness_before_um, g.thickness_after_um)


def _solid(one: Component) -> Solid:
    if one.density_g_cm3 is None:
        return Solid.usual(one.name, one.mass_fraction)
    return Solid(one.name, one.mass_fraction, one.density_g_cm3, one.u_density_g_cm3)


def _mean(values: Sequence[float | None], u: Sequence[float]) -> tuple[float, float]:
    """Return the mean of an arm's cells and its standard uncertainty; the errors of a reading are each its own."""
    x = np.array([value for value in values if value is not None], dtype=float)
    scatter = float(x.std(ddof=1)) / math.sqrt(x.size) if x.size > 1 else 0.0
    return float(x.mean()), math.hypot(scatter, float(np.mean(u)) / math.sqrt(x.size))


def _transport(experiment: Experiment, changes: Sequence[Change], cells: set[str]) -> Transport | None:
    composite, filler = experiment.composite, experiment.filler
    own = [c for c in changes if c.quantity == IONIC and c.cell in cells and c.is_comparable]
    if composite is None or filler.conductivity_s_cm is None or not own:
        return None
    logs = np.log([[c.before, c.after] for c in own])
    within = np.array([[c.u_before / c.before, c.u_after / c.after] for c in own])
    n = len(own)
    spread = logs.std(axis=0, ddof=1) if n > 1 else np.zeros(2)
    u = np.sqrt(np.maximum(spread**2, (within**2).mean(axis=0)) / n)
    r0, r1 = np.exp(logs.mean(axis=0))
    together = float(np.corrcoef(logs.T)[0, 1]) if n > 2 and spread.min() > 0 else 0.0
    return Transport(
        float(r0),
        float(r1),
        composite.conductor,
        composite.conductivity_s_cm,
        filler.conductivity_s_cm,
        float(u[0] * r0),
        float(u[1] * r1),
        composite.u_conductivity_s_cm,
        filler.u_conductivity_s_cm,
        together,
    )


def lost_too_much(experiment: Experiment) -> list[str]:
    """Return the treated cells that lost more than the filler they held."""
    filler = experiment.filler.name
    share = next((one.mass_fraction for one in experiment.composition if one.name == filler), None)
    weighed = [cell for cell in experiment.cells_of(experiment.of_role("treated")[0].name) if _is_weighed(cell)]
    if share is None:
        said = f"{filler} is no component of the composition: whether more was lost than there was is not known"
        return [said] if weighed else []
    notes = []
    for cell in weighed:
        before, after, u = (cell.geometry.mass_before_mg, cell.geometry.mass_after_mg, cell.geometry.u_mass_mg)
        lost, held = (before or 0.0) - (after or 0.0), share * (before or 0.0)
        if lost > held + CERTAIN * math.sqrt(2) * u:
            notes.append(
                f"inconsistent: {cell.id} lost {lost:.3g} mg, more than the {held:.3g} mg of filler it held"
            )
    return notes
