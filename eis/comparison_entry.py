"""Parts of the entry of ``eis.compare/1``: records of a comparison as plain values; what is not known is None."""

from __future__ import annotations

from typing import Any

from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.filling_fraction import FillFraction
from eis.fitted import plain
from eis.matching import Match


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
