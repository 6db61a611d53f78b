"""The tables of a comparison's report as text: effects, arms, fill fractions, sheets, energies, cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from eis.activation import CellEnergy, EnergyChange, EnergyMean
from eis.comparison_records import UNITS, ArmMean, CellSheet, Change, Table
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.filling_conclusion import UNTOLD
from eis.filling_fraction import FillFraction
from eis.matching import Match
from eis.monte_carlo import Estimated
from eis.quantities import format_uncertain

CELLS, ARCS = "Cells: values ± U (k = 2)", "Arcs: which is which"
CELL_FRACTIONS, CELL_SHEETS = "Cells: fill fractions", "Cells: sheet and contact ± U (k = 2)"
CELL_ENERGIES = "Cells: activation energy / eV"
BY_CELL = (CELLS, ARCS, CELL_FRACTIONS, CELL_SHEETS, CELL_ENERGIES)
"""Tables that have a row for each cell."""


def effect_table(differences: Mapping[str, Sequence[Difference]], level: float) -> Table:
    """Return each quantity of each arm against the control."""
    rows = [
        (
            quantity,
            one.treated,
            one.control,
            f"{one.n_treated}, {one.n_control}",
            _ratio(one.ratio, one.low, one.high),
            _p(one.p),
            one.because,
        )
        for quantity, found in differences.items()
        for one in found
    ]
    heading = ("quantity", "arm", "against", "cells", f"ratio ({_level(level)})", "p", "note")
    return Table("Effects: ratio of the arms' ratios", heading, tuple(rows))


def arm_table(arms: Mapping[str, Sequence[ArmEffect]], level: float) -> Table:
    """Return what happened to each quantity in each arm."""
    rows = [
        (
            quantity,
            one.name,
            str(one.n),
            _ratio(one.ratio, one.low, one.high),
            _p(one.p),
            _p(one.p_wilcoxon),
            _number(one.scatter),
            _number(one.within),
            one.because,
        )
        for quantity, found in arms.items()
        for one in found
    ]
    heading = ("quantity", "arm", "n", f"ratio ({_level(level)})", "p", "p ranks", "scatter", "within", "note")
    return Table("Arms: ratio after over before", heading, tuple(rows))


def fraction_table(fill: FillFraction | None, level: float) -> Table:
    """Return the fill fractions of the treated arm."""
    return Table("Fill fraction", ("estimate", f"value ({_level(level)})", "note"), tuple(_fractions(fill)))


def cell_fraction_table(sheets: Sequence[CellSheet]) -> Table:
    """Return the fill fractions of every cell with filler in it."""
    rows = []
    for one in sheets:
        if one.fill is not None:
            parts = (one.fill.gravimetric, one.fill.geometric, one.fill.electrical, one.fill.densification)
            rows.append(
                (one.cell, one.arm, *(_estimate(part) for part in parts), "; ".join(one.fill.inconsistencies))
            )
    heading = ("cell", "arm", "gravimetric", "geometric", "electrical", "densification", "note")
    return Table(CELL_FRACTIONS, heading, tuple(rows))


def sheet_tables(sheets: Sequence[CellSheet], means: Sequence[ArmMean], level: float) -> tuple[Table, Table]:
    """Return the means of each arm's sheets and contacts, and those of every cell."""
    arms = [(one.quantity, one.arm, str(one.n), _mean_of(one), one.because) for one in means]
    cells = [
        (
            one.cell,
            one.arm,
            _percent(one.thickness_change, one.u_thickness_change),
            _mass(one.mass_change_mg, one.u_mass_change_mg),
            _mass(one.residual_mg, one.u_residual_mg),
            _estimate(one.coverage[0]) if len(one.coverage) == 3 else "n/a",
            _estimate(one.coverage[1]) if len(one.coverage) == 3 else "n/a",
            f"{math.exp(one.ln_coverage):.2f}" if _is(one.ln_coverage) else "n/a",
        )
        for one in sheets
    ]
    return (
        Table(
            "Sheet and contact: means of the arms",
            ("quantity", "arm", "n", f"value ({_level(level)})", "note"),
            tuple(arms),
        ),
        Table(
            CELL_SHEETS,
            (
                "cell",
                "arm",
                "thickness",
                "mass",
                "driven out",
                "coverage before",
                "coverage after",
                "C after / before",
            ),
            tuple(cells),
        ),
    )


def energy_tables(energies: Mapping[str, EnergyChange], level: float) -> tuple[Table, Table]:
    """Return the activation energies of each arm before and after, and of every cell."""
    arms = []
    for quantity, one in energies.items():
        for before, after, change in zip(one.before, one.after, one.change, strict=True):
            row = (
                quantity,
                change.name,
                str(change.n),
                _energy(before),
                _energy(after),
                _energy(change, sign="+"),
            )
            arms.append((*row, _p(change.p), one.law))
        if one.effect is not None:
            e = one.effect
            count = f"{e.n}, {e.n_control}"
            arms.append((quantity, f"{e.name} less {e.control}", count, "", "", _energy(e, sign="+"), _p(e.p), ""))
    cells = [_cell_energy(one) for found in energies.values() for one in found.cells]
    return (
        Table(
            f"Activation energy / eV ({_level(level)})",
            ("quantity", "arm", "n", "before", "after", "change", "p", "law"),
            tuple(arms),
        ),
        Table(
            CELL_ENERGIES,
            ("cell", "arm", "quantity", "before (95 %)", "after (95 %)", "change ± U (k = 2)", "note"),
            tuple(cells),
        ),
    )


def cell_table(changes: Sequence[Change]) -> Table:
    """Return every quantity of every cell."""
    rows = [
        (
            one.cell,
            one.arm,
            one.quantity,
            format_uncertain(one.before, one.u_before, UNITS[one.quantity]),
            format_uncertain(one.after, one.u_after, UNITS[one.quantity]),
            f"{math.exp(one.ln_ratio):#.3g}" if one.is_comparable else "n/a",
            one.because,
        )
        for one in changes
    ]
    return Table(CELLS, ("cell", "arm", "quantity", "before", "after", "ratio", "note"), tuple(rows))


def arc_table(matches: Mapping[str, Iterable[Match]]) -> Table:
    """Return which arc is which in every cell."""
    rows = [
        (
            cell,
            one.before.name if one.before else "none",
            one.after.name if one.after else "none",
            f"{one.probability:.2f}",
            one.because,
        )
        for cell, found in matches.items()
        for one in found
    ]
    return Table(ARCS, ("cell", "before", "after", "probability", "because"), tuple(rows))


def _cell_energy(one: CellEnergy) -> tuple[str, ...]:
    states = []
    for law in (one.before, one.after):
        if law is None:
            states.append("n/a")
            continue
        e = law["E_a"]
        states.append(f"{e.value:.3f} ({e.low:.3f} to {e.high:.3f})")
    known = math.isfinite(one.change_ev)
    change = f"{one.change_ev:+.3f} ± {2 * one.u_change_ev:.3f}" if known else "n/a"
    return one.cell, one.arm, one.quantity, *states, change, one.because


def _fractions(fill: FillFraction | None) -> Iterator[tuple[str, str, str]]:
    if fill is None:
        return
    for one in (fill.gravimetric, fill.geometric, fill.electrical, fill.densification):
        told = one.is_known and one.high - one.low < UNTOLD
        value = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if told else "n/a"
        wide = "" if told or not one.is_known else "the data do not determine it"
        yield one.name, value, one.because or one.contradiction or wide
    for said in fill.agreements:
        yield f"{said.structural} and electrical", said.verdict, said.because
    if fill.by_exponent and fill.electrical.is_known:
        shown = ", ".join(f"{f:.2f} ({t:g})" for t, f in fill.by_exponent)
        yield "electrical, by exponent", shown, "value (exponent of the effective medium)"


def _estimate(one: Estimated) -> str:
    told = one.is_known and one.high - one.low < UNTOLD
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f})" if told else "n/a"


def _mean_of(one: ArmMean) -> str:
    if one.quantity.startswith("coverage"):
        return f"×{one.value:.2f}" + (f" ({one.low:.2f} to {one.high:.2f})" if _is(one.low) else " (no interval)")
    size, unit = (100.0, "%") if one.quantity.startswith("thickness") else (1.0, one.unit)
    value, low, high = (size * x for x in (one.value, one.low, one.high))
    return f"{value:+.3g} {unit}" + (f" ({low:+.3g} to {high:+.3g})" if _is(low) else " (no interval)")


def _energy(one: EnergyMean, sign: str = "") -> str:
    value, low, high = (f"{x:{sign}.3f}" for x in (one.value_ev, one.low_ev, one.high_ev))
    return f"{value} ({low} to {high})" if _is(one.low_ev) else f"{value} (no interval)"


def _percent(value: float, u: float) -> str:
    return f"{100 * value:+.2f} ± {200 * u:.2f} %" if _is(value) else "n/a"


def _mass(value_mg: float, u_mg: float) -> str:
    return f"{value_mg:+.3f} ± {2 * u_mg:.3f} mg" if _is(value_mg) else "n/a"


def _is(value: float) -> bool:
    return math.isfinite(value)


def _level(level: float) -> str:
    return f"{100 * level:g} % interval"


def _ratio(value: float, low: float, high: float) -> str:
    return f"{value:#.3g} ({low:#.3g} to {high:#.3g})" if _is(low) else f"{value:#.3g} (no interval)"


def _number(value: float) -> str:
    return f"{value:.3f}" if _is(value) else "n/a"


def _p(value: float) -> str:
    return "n/a" if not _is(value) else "< 0.001" if value < 1e-3 else f"{value:.3f}"
