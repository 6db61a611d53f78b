"""Compare interfaces with a limit: decision rules, a resolution gate, and every reading of an unclear unit.

A verdict is only PASS or FAIL when the uncertainty leaves no other choice under the rule agreed in the spec; where
the limit's unit can be read in several ways and they disagree, the answer is INDETERMINATE_UNITS, and where the
data do not determine the interface it is NOT_RESOLVED. Decision rules after ILAC-G8:09/2019 §4.2.3, conformance
probability after JCGM 106:2012 §7.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scipy.special import ndtr

from eis.errors import ConfigError
from eis.extraction import AMBIGUOUS
from eis.quantities import format_si, format_uncertain
from eis.results import Finding, Interface, Judgement, Reading, Validity, Verdict
from eis.spec import Spec

SKEWED = 0.15
"""Relative standard uncertainty above which a positive resistance is taken as log-normal."""
DOUBLE_LAYER_F_CM2 = 1e-5
"""Usual capacitance of a plain interface (F/cm²): says at which frequency an arc at the limit would lie."""
UNITS: dict[Reading, str] = {"asr": "ohm cm2", "per_area": "ohm/cm2", "absolute": "ohm"}
SHOWN: dict[Reading, str] = {"asr": "Ω·cm²", "per_area": "Ω/cm²", "absolute": "Ω"}


def p_conform(value: float, u: float, limit: float) -> float:
    """Return the probability that the true value is at most `limit`.

    Normal, Φ((limit − value)/u), while u/value ≤ 0.15; above that log-normal with mean `value`, because a
    resistance cannot be negative. NaN if there is no uncertainty.
    """
    if not (math.isfinite(value) and math.isfinite(u)) or u <= 0:
        return math.nan
    if value > 0 and u > SKEWED * value:
        s2 = math.log1p((u / value) ** 2)
        return float(ndtr((math.log(limit) - math.log(value) + s2 / 2) / math.sqrt(s2)))
    return float(ndtr((limit - value) / u))


def check(
    arcs: Sequence[Interface],
    spec: Spec,
    *,
    reading: Reading | None = None,
    element: str | None = None,
    validity: Validity | None = None,
) -> Judgement:
    """Compare the interfaces of a cell with a spec.

    Parameters
    ----------
    arcs : sequence of Interface
        All arcs of the cell. Those that may be the spec's process are compared.
    spec : Spec
        The limit and the decision rule.
    reading : {"asr", "per_area", "absolute"}, optional
        How the limit's unit is read: R·A, R/A or R. Without it every reading of the spec is computed.
    element : str, optional
        Name of the resistance that is the interface, e.g. ``"R2"``; overrides the assignment.
    validity : Validity, optional
        Invalid data give INVALID_DATA, whatever the numbers say.

    Returns
    -------
    Judgement

    Raises
    ------
    ConfigError
        If `reading` or `element` does not exist.
    """
    if reading is not None and reading not in spec.limit.readings:
        raise ConfigError(
            f"The spec {spec.name} has no reading {reading!r}", mend=f"Choose {', '.join(spec.limit.readings)}."
        )
    candidates = _candidates(arcs, spec, element)
    readings = (reading,) if reading else spec.limit.readings
    findings = tuple(_compare(arc, spec, r, n) for arc in candidates for r in readings for n in _interfaces(arc))
    verdict, because = _decide(candidates, findings, spec, arcs)
    if validity is not None and validity.verdict == "invalid":
        verdict, because = Verdict.INVALID_DATA, "the data cannot be trusted: " + " ".join(validity.because)
    elif validity is not None and validity.verdict == "suspect":
        because += " (data suspect: " + " ".join(validity.because) + ")"
    source = f"{spec.limit.text} ({spec.source.assignee or spec.source.title}; {spec.source.evidence})"
    return Judgement(
        verdict, because, source, findings, tuple(arcs), _would_change(verdict, findings, candidates, arcs, spec)
    )


def _candidates(arcs: Sequence[Interface], spec: Spec, element: str | None) -> tuple[Interface, ...]:
    """Return the arcs that may be the process the spec limits; the user's word wins."""
    if element is not None:
        chosen = tuple(arc for arc in arcs if arc.name == element)
        if not chosen:
            known = ", ".join(arc.name for arc in arcs) or "no arc at all"
            raise ConfigError(f"The circuit has no arc {element!r}", where="element", mend=f"It has {known}.")
        return chosen
    possible = [arc for arc in arcs if arc.process in (spec.process, AMBIGUOUS)]
    seen = tuple(arc for arc in possible if arc.resolved or arc.process == spec.process)
    return seen or tuple(possible)  # a figment of the circuit does not stand beside an arc the data do show


def _interfaces(arc: Interface) -> tuple[int, ...]:
    """Return the possible numbers of interfaces in the path: the stated one, or one and two."""
    return (arc.interfaces_in_path,) if arc.interfaces_in_path else (1, 2)


def _compare(arc: Interface, spec: Spec, reading: Reading, n: int) -> Finding:
    """Compare one interface with the limit under one reading."""
    r, u_r = arc.arc_resistance_ohm / n, arc.u_arc_resistance_ohm / n
    relative_area = arc.u_area_cm2 / arc.area_cm2
    factor = {"asr": arc.area_cm2, "per_area": 1 / arc.area_cm2, "absolute": 1.0}[reading]
    value = r * factor
    u = math.hypot(u_r * factor, 0.0 if reading == "absolute" else value * relative_area)
    limit, w = spec.limit.value, spec.guard_band(u)
    verdict = _four_way(value, w, limit) if arc.resolved else _unresolved(value, u, limit)
    shown = format_uncertain(value, u, SHOWN[reading], k=spec.k)
    against = format_si(limit, SHOWN[reading])
    path = "" if arc.interfaces_in_path else f", {n} interface{'s' if n > 1 else ''} in the path supposed"
    bound = ", by its upper bound" if verdict is Verdict.PASS and not arc.resolved else ""
    said = f"{arc.name} read as {reading}: {shown} (k = {spec.k:g}) against {against}{path}: {verdict}{bound}"
    return Finding(
        quantity=f"{arc.name}: {arc.process}",
        reading=reading,
        interfaces_in_path=n,
        value=value,
        u=u,
        unit=UNITS[reading],
        limit=limit,
        k=spec.k,
        p_conform=p_conform(value, u, limit),
        rule=spec.rule,
        acceptance_limit=limit - w,
        verdict=verdict,
        because=said,
    )


def _four_way(value: float, w: float, limit: float) -> Verdict:
    """Apply the guard band w on both sides of the limit."""
    if not (math.isfinite(value) and math.isfinite(w)):
        return Verdict.NOT_RESOLVED
    if value <= limit - w:
        return Verdict.PASS
    if value <= limit:
        return Verdict.CONDITIONAL_PASS
    if value <= limit + w:
        return Verdict.CONDITIONAL_FAIL
    return Verdict.FAIL


def _unresolved(value: float, u: float, limit: float) -> Verdict:
    """An arc the data do not determine passes only if its 95 % upper bound is itself below the limit."""
    bounded = math.isfinite(u) and value + 2 * u <= limit
    return Verdict.PASS if bounded else Verdict.NOT_RESOLVED


def _decide(
    candidates: Sequence[Interface], findings: Sequence[Finding], spec: Spec, arcs: Sequence[Interface]
) -> tuple[Verdict, str]:
    """Put the findings together: one answer if they agree, otherwise why there is none."""
    if not candidates:
        found = ", ".join(f"{arc.name} ({arc.process})" for arc in arcs)
        seen = f"the arcs found are {found}" if arcs else "the circuit has no arc"
        return Verdict.NOT_RESOLVED, f"no arc can be the {spec.process} this limit is for: {seen}"
    verdicts = {finding.verdict for finding in findings}
    if len(verdicts) == 1:
        return verdicts.pop(), _agreed(candidates, findings)
    if Verdict.NOT_RESOLVED in verdicts:
        blurred = [arc for arc in candidates if not arc.resolved]
        return Verdict.NOT_RESOLVED, "; ".join(f"{arc.name}: {', '.join(arc.because)}" for arc in blurred)
    by_reading = {(f.reading, f.verdict) for f in findings}
    if len({reading for reading, _ in by_reading}) == len(by_reading) and len(by_reading) > 1:
        listed = ", ".join(f"{reading}: {verdict}" for reading, verdict in sorted(by_reading))
        return Verdict.INDETERMINATE_UNITS, f"the readings of {spec.limit.text!r} disagree ({listed})"
    if len(candidates) > 1 and all(len({f.verdict for f in _of(arc, findings)}) == 1 for arc in candidates):
        listed = ", ".join(f"{arc.name}: {_of(arc, findings)[0].verdict}" for arc in candidates)
        return Verdict.NOT_RESOLVED, f"several arcs may be the {spec.process} and they disagree ({listed})"
    listed = ", ".join(
        f"{f.quantity.split(':')[0]} {f.reading} n={f.interfaces_in_path}: {f.verdict}" for f in findings
    )
    return Verdict.INDETERMINATE_UNITS, f"the verdict depends on what was not stated ({listed})"


def _of(arc: Interface, findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.quantity.startswith(f"{arc.name}:")]


def _agreed(candidates: Sequence[Interface], findings: Sequence[Finding]) -> str:
    """Say what all findings agree on."""
    if findings[0].verdict is Verdict.NOT_RESOLVED:
        return "; ".join(f"{arc.name}: {', '.join(arc.because)}" for arc in candidates)
    first = findings[0]
    shown = format_uncertain(first.value, first.u, SHOWN[first.reading], k=first.k)
    over = "in every reading computed" if len(findings) > 1 else f"read as {first.reading}"
    ratio = first.value / first.limit
    times = f"{float(f'{ratio:.3g}'):g} times the limit" if ratio >= 1 else f"{ratio:.0%} of the limit"
    return f"{first.quantity} is {shown} (k = {first.k:g}), {times}, and {first.verdict} {over}"


def _would_change(
    verdict: Verdict,
    findings: Sequence[Finding],
    candidates: Sequence[Interface],
    arcs: Sequence[Interface],
    spec: Spec,
) -> tuple[str, ...]:
    """Say what would flip or settle the verdict."""
    out: list[str] = []
    if verdict is Verdict.NOT_RESOLVED:
        out += [text for arc in candidates if not arc.resolved for text in _less_noise(arc, spec)]
        out += [_where_to_look(arc, spec) for arc in arcs[:1]]
    if verdict is Verdict.INDETERMINATE_UNITS:
        out.append("state the reading of the limit and the number of interfaces in the path")
        out += [f"with reading {f.reading}, {f.interfaces_in_path} in the path: {f.verdict}" for f in findings]
    for finding in findings:
        if finding.verdict in (Verdict.CONDITIONAL_PASS, Verdict.CONDITIONAL_FAIL) and finding.u > 0:
            factor = spec.guard_band(finding.u) / finding.u or 1.0
            needed = format_si(abs(finding.value - finding.limit) / factor, SHOWN[finding.reading])
            out.append(f"read as {finding.reading}, a standard uncertainty below {needed} would decide")
    return tuple(dict.fromkeys(out))


def _less_noise(arc: Interface, spec: Spec) -> list[str]:
    """Say how much better an unresolved arc must be known to decide about the limit."""
    target = spec.limit.value * (arc.interfaces_in_path or 1) / arc.area_cm2  # the arc at the limit, read as ASR
    u = arc.u_arc_resistance_ohm
    plainly_above = arc.arc_resistance_ohm - spec.k * u > 10 * target  # then noise is not what is in the way
    if not math.isfinite(u) or spec.k * u <= target or plainly_above:
        return []
    return [
        f"{arc.name}: know the arc to {format_si(target / spec.k, 'Ω')} instead of {format_si(u, 'Ω')} "
        f"(k = 1; {spec.k * u / target:.3g} times less noise: four-terminal wiring, more current, averaging, a "
        "thinner electrolyte)"
    ]


def _where_to_look(arc: Interface, spec: Spec) -> str:
    """Say where an interface at the limit would show itself."""
    target = format_si(spec.limit.value * (arc.interfaces_in_path or 1) / arc.area_cm2, "Ω")
    at_limit = 1 / (2 * math.pi * spec.limit.value * DOUBLE_LAYER_F_CM2)
    place, reach = (format_si(f, "Hz", digits=3) for f in (at_limit, 3 * at_limit))
    layer = format_si(DOUBLE_LAYER_F_CM2, "F/cm²")
    return (
        f"an interface at the limit, read as ASR, is an arc of {target} at {place} if it has {layer}: measure to "
        f"{reach} or more with the leads' inductance compensated"
    )
