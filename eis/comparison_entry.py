"""Parts of the entry of ``eis.compare/1``: records of a comparison as plain values; what is not known is None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from eis.activation import CellEnergy, EnergyChange, EnergyMean
from eis.carrier import Carrier
from eis.comparison_records import ArmMean, CellSheet
from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.electrons import Electrons
from eis.filling_fraction import FillFraction
from eis.fitted import plain
from eis.matching import Match

FRACTIONS = ("f_grav", "f_geo", "f_el", "densification")
COLUMNS = (
    *(f"{name}{end}" for name in FRACTIONS for end in ("", "_low", "_high")),
    *("mass_change_mg", "residual_mg", "thickness_change", "capacitance_ratio"),
    *("coverage_before", "coverage_after"),
    *("e_a_before_ev", "u_e_a_before_ev", "e_a_after_ev", "u_e_a_after_ev", "e_a_change_ev"),
)
"""Columns of `sheet_columns`, so that every row of a table has all of them."""


def arm_entry(one: ArmEffect, role: str) -> dict[str, Any]:
    """Return what happened in an arm."""
    robust = one.robust
    return {
        "name": one.name,
        "role": role,
        "n": one.n,
        **plain({"ratio": one.ratio, "ci_low": one.low, "ci_high": one.high, "p_value": one.p}),
        **plain({"p_wilcoxon": one.p_wilcoxon, "scatter": one.scatter}),
        **plain({"between": one.between, "within": one.within, "level": one.level}),
        "cells": list(one.cells),
        "because": one.because,
        "robust": {
            **plain({"ratio": robust.ratio, "ci_low": robust.low, "ci_high": robust.high}),
            "marked": dict(robust.marked),
            "is_sensitive": robust.is_sensitive,
        },
    }


def difference_entry(one: Difference) -> dict[str, Any]:
    """Return the effect of an arm over its control."""
    return {
        "treated": one.treated,
        "control": one.control,
        "n_treated": one.n_treated,
        "n_control": one.n_control,
        **plain({"ratio": one.ratio, "ci_low": one.low, "ci_high": one.high, "p_value": one.p}),
        "level": one.level,
        "because": one.because,
    }


def fill_entry(fill: FillFraction | None) -> dict[str, Any] | None:
    """Return the fill fractions, flat; None if there are none."""
    if fill is None:
        return None
    out: dict[str, Any] = {"mode": fill.mode}
    estimates = {
        "f_grav": fill.gravimetric,
        "f_geo": fill.geometric,
        "f_el": fill.electrical,
        "densification": fill.densification,
    }
    for key, one in estimates.items():
        values = {key: one.value, f"u_{key}": one.u, f"{key}_low": one.low, f"{key}_high": one.high}
        out |= plain(values) | {f"{key}_because": one.because}
    return out | {
        "agreements": [
            plain({"structural": a.structural, "difference": a.difference, "low": a.low, "high": a.high})
            | {"verdict": a.verdict, "because": a.because}
            for a in fill.agreements
        ],
        "f_el_by_exponent": [plain({"exponent": t, "f_el": f}) for t, f in fill.by_exponent],
        "inconsistencies": list(fill.inconsistencies),
        "supports_filling": fill.supports_filling,
    }


def cause_entry(cause: Covariation | None) -> dict[str, Any] | None:
    """Return what changed, contact area or kinetics; None if it is not known."""
    if cause is None:
        return None
    names = ("ln_r", "u_ln_r", "ln_c", "u_ln_c")
    return {
        "cause": cause.cause,
        **plain({name: getattr(cause, name) for name in names}),
        "probabilities": dict(cause.probabilities),
        "because": cause.because,
    }


def match_entry(one: Match) -> dict[str, Any]:
    """Return which arc is which."""
    return {
        "before": one.before and one.before.name,
        "after": one.after and one.after.name,
        "probability": one.probability,
        "is_sure": one.is_sure,
        "because": one.because,
    }


def electrons_entry(electrons: Electrons | None) -> dict[str, Any] | None:
    """Return which cells electrons take part in."""
    if electrons is None:
        return None
    return {
        "flagged": [{"cell": cell, "arm": arm, "because": why} for cell, arm, why in electrons.flagged],
        "checked": list(electrons.checked),
        "n_treated": electrons.n_treated,
        "n_treated_flagged": electrons.n_treated_flagged,
        "n_treated_checked": electrons.n_treated_checked,
    }


def sheet_entry(one: CellSheet) -> dict[str, Any]:
    """Return what became of a cell's sheet and contact."""
    coverage = {e.name.replace(" ", "_"): {**plain({"value": e.value, "low": e.low, "high": e.high}),
                "because": e.because} for e in one.coverage}  # fmt: skip
    names = ("thickness_change", "u_thickness_change", "mass_change_mg", "u_mass_change_mg")
    return {
        "cell": one.cell,
        "arm": one.arm,
        "fill": fill_entry(one.fill),
        **plain({name: getattr(one, name) for name in (*names, "residual_mg", "u_residual_mg")}),
        **coverage,
        **plain({"capacitance_ratio": math.exp(one.ln_coverage)}),
    }


def mean_entry(one: ArmMean) -> dict[str, Any]:
    """Return the mean of an arm."""
    numbers = plain({"value": one.value, "ci_low": one.low, "ci_high": one.high})
    return {
        "arm": one.arm,
        "quantity": one.quantity,
        "unit": one.unit,
        "n": one.n,
        **numbers,
        "because": one.because,
    }


def activation_entry(energies: Mapping[str, EnergyChange], carrier: Carrier | None) -> dict[str, Any] | None:
    """Return the activation energies and who carries the current; None if no cell has other temperatures."""
    if carrier is None:
        return None
    return {
        "carrier": {
            "verdict": carrier.verdict,
            "quantity": carrier.quantity or None,
            **plain({"share": carrier.share, "ci_low": carrier.low, "ci_high": carrier.high}),
            "level": carrier.level,
            "because": carrier.because,
        },
        "quantities": {
            quantity: {
                "law": one.law,
                "before": [_energy_entry(mean) for mean in one.before],
                "after": [_energy_entry(mean) for mean in one.after],
                "change": [_energy_entry(mean) for mean in one.change],
                "effect": _energy_entry(one.effect) if one.effect is not None else None,
                "cells": [
                    {
                        "cell": cell.cell,
                        "arm": cell.arm,
                        "before": cell.before.to_dict() if cell.before is not None else None,
                        "after": cell.after.to_dict() if cell.after is not None else None,
                        **plain({"change_ev": cell.change_ev, "u_change_ev": cell.u_change_ev}),
                        "because": cell.because,
                    }
                    for cell in one.cells
                ],
            }
            for quantity, one in energies.items()
        },
    }


def sheet_columns(sheet: CellSheet | None, law: CellEnergy | None) -> dict[str, float]:
    """Return what is known besides of one quantity of a cell: its sheet, contact, activation energy."""
    out = dict.fromkeys(COLUMNS, math.nan)
    if sheet is not None:
        if sheet.fill is not None:
            fill = sheet.fill
            for key, one in (
                ("f_grav", fill.gravimetric),
                ("f_geo", fill.geometric),
                ("f_el", fill.electrical),
                ("densification", fill.densification),
            ):
                out |= {key: one.value, f"{key}_low": one.low, f"{key}_high": one.high}
        out |= {"mass_change_mg": sheet.mass_change_mg, "residual_mg": sheet.residual_mg}
        out |= {"thickness_change": sheet.thickness_change, "capacitance_ratio": math.exp(sheet.ln_coverage)}
        for name, one in zip(("coverage_before", "coverage_after"), sheet.coverage, strict=False):
            out[name] = one.value
    if law is not None:
        for name, found in (("before", law.before), ("after", law.after)):
            if found is not None:
                out |= {f"e_a_{name}_ev": found["E_a"].value, f"u_e_a_{name}_ev": found["E_a"].u}
        out["e_a_change_ev"] = law.change_ev
    return out


def _energy_entry(one: EnergyMean) -> dict[str, Any]:
    numbers = {"value_ev": one.value_ev, "ci_low": one.low_ev, "ci_high": one.high_ev, "p_value": one.p}
    control = {"control": one.control, "n_control": one.n_control} if one.control else {}
    return {"name": one.name, "n": one.n, **control, **plain(numbers), "level": one.level}
