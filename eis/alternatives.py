"""What would flip or settle a verdict: another reading, another limit, a smaller uncertainty, a better sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eis.assignment import BOTH, INTERFACE
from eis.conformity import FOUR_WAY, DecisionRule, outcome
from eis.interface import THROUGH, Interface
from eis.judgement import Finding, Verdict
from eis.quantities import format_si
from eis.resolution import LOQ_FACTOR, SHOWN, Gate, measured, unresolved
from eis.spec import Limit, Spec

DOUBLE_LAYER_F_CM2 = 1e-5
"""Usual capacitance of a plain interface (F/cm²): says at which frequency an arc at the limit would lie."""
CONDITIONAL = (Verdict.CONDITIONAL_PASS, Verdict.CONDITIONAL_FAIL)

Compared = tuple[Limit, Verdict, Sequence[Interface], Sequence[Finding]]


def would_change(
    compared: Sequence[Compared], arcs: Sequence[Interface], spec: Spec, gate: Gate
) -> tuple[str, ...]:
    """Say in words what would flip or settle the verdict over the limits of a spec.

    Parameters
    ----------
    compared : sequence of (Limit, Verdict, candidates, findings)
        Each limit, the answer, and what was compared with what.
    arcs : sequence of Interface
        All arcs of the cell.
    spec : Spec
    gate : Gate
        What is known of a blank and of whether arcs are needed.
    """
    out: list[str] = []
    for limit, verdict, candidates, findings in compared:
        rule = spec.rule_of(limit)
        if not limit.is_resistance:
            out += _of_value(findings, rule)
            continue
        blurred = verdict is Verdict.NOT_RESOLVED
        if blurred:
            out += [text for arc in candidates if not arc.resolved for text in _less_noise(arc, limit, rule)]
            if spec.process_of(limit) in (INTERFACE, *BOTH):
                out += [_where_to_look(arc, limit) for arc in arcs[:1]]
            out += _better_blank(candidates, limit, gate)
        if verdict is Verdict.INDETERMINATE_UNITS:
            out.append("state the reading of the limit and the number of interfaces in the path")
            out += [f"with reading {f.reading}, {f.interfaces_in_path} in the path: {f.verdict}" for f in findings]
        elif not blurred:
            out += _otherwise(limit, spec.process_of(limit), candidates, findings, rule, gate)
            out += _whose(candidates, spec.process_of(limit))
        out += _needed(findings, rule, limit)
    return tuple(dict.fromkeys(out))


def _otherwise(
    limit: Limit,
    process: str,
    candidates: Sequence[Interface],
    findings: Sequence[Finding],
    rule: DecisionRule,
    gate: Gate,
) -> list[str]:
    """Say which other readings and numbers of interfaces, not asked for, have another answer."""
    out = []
    for arc in candidates:
        own = [finding for finding in findings if finding.arc == arc.name]
        done = {(finding.reading, finding.interfaces_in_path) for finding in own}
        numbers = (1,) if process in THROUGH else tuple(dict.fromkeys((arc.interfaces_in_path or 1, 1, 2)))
        for reading in limit.readings:
            for n in numbers:
                if (reading, n) in done:
                    continue
                found = measured(arc, reading, n, gate)
                code = outcome(
                    found.value,
                    found.u,
                    rule,
                    upper=limit.upper,
                    lower=limit.lower,
                    degrees_of_freedom=found.degrees_of_freedom,
                )
                seen = code >= 0 and not unresolved(arc, found, limit.value, reading, gate)
                other = FOUR_WAY[code] if seen else Verdict.NOT_RESOLVED
                if other not in {finding.verdict for finding in own}:
                    value = format_si(found.value, SHOWN[reading])
                    out.append(f"{arc.name} with reading {reading}, {n} in the path: {other} ({value})")
    return out


def _whose(candidates: Sequence[Interface], process: str) -> list[str]:
    """Say so if the limit is for one electrode and the cell does not say which it holds."""
    unsaid = [arc.name for arc in candidates if arc.process == INTERFACE]
    if process not in BOTH or not unsaid:
        return []
    return [f"the limit is for the {process}; the cell does not say which electrode {', '.join(unsaid)} is of"]


def _needed(findings: Sequence[Finding], rule: DecisionRule, limit: Limit) -> list[str]:
    """Say which uncertainty, or which limit, would have decided otherwise."""
    out = []
    others = []
    for finding in findings:
        if finding.reading == "direct":
            continue
        unit = SHOWN[finding.reading]
        factor = rule.guard_band(1.0, finding.degrees_of_freedom) if rule.width is None else math.nan
        if finding.verdict in CONDITIONAL and finding.u > 0 and factor > 0:
            edges = [limit.upper - finding.value, finding.value - limit.lower]
            needed = format_si(min(abs(edge) for edge in edges) / factor, unit)
            out.append(f"read as {finding.reading}, a standard uncertainty below {needed} would decide")
        if finding.verdict in (Verdict.FAIL, *CONDITIONAL) and limit.bound == "upper":
            w = float(rule.guard_band(finding.u, finding.degrees_of_freedom))
            others.append(f"{format_si(finding.value + w, unit)} ({finding.reading})")
    if others:
        out.append(f"a limit of {', '.join(dict.fromkeys(others))} or more would be met")
    return out


def _of_value(findings: Sequence[Finding], rule: DecisionRule) -> list[str]:
    out = []
    for finding in findings:
        if finding.verdict is Verdict.NOT_RESOLVED:
            out.append(f"{finding.quantity}: give its standard uncertainty; the rule {rule.name} needs one")
        elif finding.verdict in CONDITIONAL and rule.width is None and rule.factor > 0:
            edges = [finding.limit, finding.lower_limit]
            near = min(abs(finding.value - edge) for edge in edges if math.isfinite(edge)) / rule.factor
            out.append(f"{finding.quantity}: a standard uncertainty below {near:.3g} {finding.unit} would decide")
    return out


def _less_noise(arc: Interface, limit: Limit, rule: DecisionRule) -> list[str]:
    """Say how much better an unresolved arc must be known to decide about the limit."""
    target = limit.value * (arc.interfaces_in_path or 1) / arc.area_cm2  # the arc at the limit, read as ASR
    u, k = arc.u_arc_resistance_ohm, rule.k
    plainly_above = arc.arc_resistance_ohm - k * u > 10 * target  # then noise is not what is in the way
    if not math.isfinite(u) or k * u <= target or plainly_above:
        return []
    return [
        f"{arc.name}: know the arc to {format_si(target / k, 'Ω')} instead of {format_si(u, 'Ω')} "
        f"(k = 1; {k * u / target:.3g} times less noise: four-terminal wiring, more current, averaging, a "
        "thinner electrolyte)"
    ]


def _where_to_look(arc: Interface, limit: Limit) -> str:
    """Say where an interface at the limit would show itself."""
    target = format_si(limit.value * (arc.interfaces_in_path or 1) / arc.area_cm2, "Ω")
    at_limit = 1 / (2 * math.pi * limit.value * DOUBLE_LAYER_F_CM2)
    place, reach = (format_si(f, "Hz", digits=3) for f in (at_limit, 3 * at_limit))
    layer = format_si(DOUBLE_LAYER_F_CM2, "F/cm²")
    return (
        f"an interface at the limit, read as ASR, is an arc of {target} at {place} if it has {layer}: measure to "
        f"{reach} or more with the leads' inductance compensated"
    )


def _better_blank(candidates: Sequence[Interface], limit: Limit, gate: Gate) -> list[str]:
    """Say how small the blank's uncertainty must be for the limit to be quantified."""
    out = []
    for arc in candidates[:1]:
        for reading in limit.readings:
            found = measured(arc, reading, arc.interfaces_in_path or 1, gate)
            if limit.value < found.loq and gate.u_ohm:
                needed = gate.u_ohm * limit.value / found.loq
                out.append(
                    f"read as {reading}, a blank known to {format_si(needed, 'Ω', digits=3)} (k = 1) instead of "
                    f"{format_si(gate.u_ohm, 'Ω', digits=3)}: {LOQ_FACTOR:g} times that is the limit"
                )
    return out
