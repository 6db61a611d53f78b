r"""Whether the data determine an arc well enough to compare it with a limit.

.. math:: \mathrm{LOD} = 3.3\,u_0, \qquad \mathrm{LOQ} = 10\,u_0

with u₀ the standard uncertainty of the resistance of a blank: a shorted fixture measured over the arc's
frequencies (L. A. Currie, Anal. Chem. 40 (1968) 586, doi:10.1021/ac60259a007). What the fit itself shows
(frequency outside the band, correlation with series resistance or inductance) stands in the arc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from eis.conformity import DecisionRule, p_conform
from eis.errors import ConfigError
from eis.interface import Interface
from eis.judgement import Reading
from eis.quantities import format_si

LOD_FACTOR, LOQ_FACTOR = 3.3, 10.0
LARGEST_RELATIVE = 0.30
"""Relative standard uncertainty beyond which a value is not a result."""
LEAST_DELTA_AICC = 4.0
"""ΔAICc of the model without the arc below which the data do not need the arc."""
SHOWN: dict[Reading, str] = {"asr": "Ω·cm²", "per_area": "Ω/cm²", "absolute": "Ω"}


@dataclass(frozen=True, slots=True)
class Gate:
    """What else is known about whether arcs can be seen.

    Parameters
    ----------
    u_ohm : float, optional
        Standard uncertainty u₀ of the resistance of the shorted fixture (ohm, as measured, k = 1).
    needed : mapping of str to float
        By name of the arc, AICc of the model without it less AICc of the model with it.

    Raises
    ------
    ConfigError
        If `u_ohm` is not a finite number, zero or above.
    """

    u_ohm: float | None = None
    needed: Mapping[str, float] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        if self.u_ohm is not None and not (math.isfinite(self.u_ohm) and self.u_ohm >= 0):
            raise ConfigError(
                f"The blank's standard uncertainty is {self.u_ohm:g} Ω",
                where="blank_u_ohm",
                mend="Give a number in Ω, zero or above (k = 1).",
            )


@dataclass(frozen=True, slots=True)
class Measured:
    """An arc under one reading: value, its whole uncertainty, and what a blank says, all in one unit."""

    value: float
    u: float
    degrees_of_freedom: float
    lod: float
    loq: float


def measured(arc: Interface, reading: Reading, n: int, gate: Gate) -> Measured:
    """Return an arc under one reading and number of interfaces; the blank joins a budget without a fixture."""
    budget = arc.budget_for(reading, n)
    u, dof = budget.u, budget.degrees_of_freedom
    if gate.u_ohm is None:
        return Measured(budget.value, u, dof, math.nan, math.nan)
    size = {"asr": arc.area_cm2, "per_area": 1 / arc.area_cm2, "absolute": 1.0}[reading]
    u0 = gate.u_ohm * arc.unit_cell_factor * size / n
    if not any(line.source == "fixture" and line.u for line in budget.lines):
        whole = math.hypot(u, u0)
        dof = dof * (whole / u) ** 4 if u > 0 and math.isfinite(dof) else dof
        u = whole
    return Measured(budget.value, u, dof, LOD_FACTOR * u0, LOQ_FACTOR * u0)


def unresolved(arc: Interface, found: Measured, limit: float, reading: Reading, gate: Gate) -> tuple[str, ...]:
    """Return the reasons why an arc cannot be compared with a limit (in the reading's unit); none if it can."""
    reasons = list(arc.because) if not arc.resolved else []
    if not arc.resolved and not reasons:
        reasons.append("the data do not determine it")
    value, unit = found.value, SHOWN[reading]
    if arc.resolved and not math.isfinite(found.u):
        reasons.append("it has no uncertainty")
    elif arc.resolved and not found.u <= LARGEST_RELATIVE * value:
        share = f"{found.u / value:.0%} of its value" if value > 0 else "more than its value"
        reasons.append(f"its standard uncertainty is {share}")
    if limit < found.loq:
        reasons.append(
            f"the limit {format_si(limit, unit)} is below the limit of quantification "
            f"{format_si(found.loq, unit, digits=3)} (ten times the blank's uncertainty)"
        )
    if value < found.lod:
        reasons.append(f"it is below the limit of detection {format_si(found.lod, unit, digits=3)}")
    delta = gate.needed.get(arc.name, math.inf)
    if not delta >= LEAST_DELTA_AICC:
        reasons.append(
            f"the data do not need the arc (without it ΔAICc = {delta:.2g}, below {LEAST_DELTA_AICC:g})"
        )
    return tuple(reasons)


def bound_clears(found: Measured, limit: float, rule: DecisionRule) -> bool:
    """Tell whether the upper bound of level `rule.confidence` is within an upper limit, guard band included."""
    if not (math.isfinite(found.value) and math.isfinite(found.u)):
        return False
    value = max(found.value, 0.0)
    reach = max(
        float(rule.bound_factor(found.degrees_of_freedom)) * found.u,
        float(rule.guard_band(found.u, found.degrees_of_freedom)),
    )
    p = p_conform(value, found.u, limit, degrees_of_freedom=found.degrees_of_freedom)
    return value + reach <= limit and (found.u == 0 or p >= rule.confidence)
