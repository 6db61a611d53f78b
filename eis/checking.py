"""Compare interfaces with a limit: decision rules, a resolution gate, and every reading of an unclear unit.

A verdict is only PASS or FAIL when the uncertainty leaves no other choice under the rule agreed in the spec; where
the limit's unit can be read in several ways and they disagree, the answer is INDETERMINATE_UNITS, and where the
data do not determine the interface it is NOT_RESOLVED. Decision rules after ILAC-G8:09/2019 §4.2.3, conformance
probability after JCGM 106:2012 §7.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eis.alternatives import would_change
from eis.assignment import SURE, matches
from eis.candidates import candidates_of, interfaces_of, share_of
from eis.conformity import FOUR_WAY, DecisionRule, acceptance_limit, outcome, p_conform
from eis.errors import ConfigError
from eis.interface import THROUGH
from eis.process_values import ProcessValue, compare_values, process_values
from eis.quantities import format_si, format_uncertain
from eis.resolution import SHOWN, Gate, bound_clears, measured, unresolved
from eis.results import Finding, Interface, Judgement, Reading, Validity, Verdict
from eis.spec import Limit, Spec, key_of

__all__ = ["Gate", "Judged", "ProcessValue", "check", "compare", "p_conform"]

UNITS: dict[Reading, str] = {"asr": "ohm cm2", "per_area": "ohm/cm2", "absolute": "ohm"}
WINDOWS = "process-windows"
"""The built-in spec whose windows process values are compared with if the spec has none of its own."""
GRAVEST = (
    Verdict.FAIL,
    Verdict.NOT_RESOLVED,
    Verdict.INDETERMINATE_UNITS,
    Verdict.CONDITIONAL_FAIL,
    Verdict.CONDITIONAL_PASS,
    Verdict.PASS,
)
"""Of several limits the first of these is the cell's verdict."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One limit with its findings and the answer over them."""

    limit: Limit
    candidates: tuple[Interface, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    because: str


def check(
    arcs: Sequence[Interface],
    spec: Spec,
    *,
    reading: Reading | None = None,
    element: str | None = None,
    validity: Validity | None = None,
    needed: Mapping[str, float] | None = None,
    blank_u_ohm: float | None = None,
    metadata: Mapping[str, ProcessValue] | Mapping[str, object] | None = None,
) -> Judgement:
    """Compare a cell with a spec.

    Parameters
    ----------
    arcs : sequence of Interface
        All arcs of the cell. Those that may be the process of a limit are compared with it.
    spec : Spec
        The limits and the decision rules.
    reading : {"asr", "per_area", "absolute"}, optional
        How a limit's unit is read: R·A, R/A or R. Without it every reading of the spec is computed. A limit whose
        unit leaves no choice is read as it stands.
    element : str, optional
        Name of the resistance that is the interface, e.g. ``"R2"``, for the limits of the spec's own process;
        overrides the assignment.
    validity : Validity, optional
        Invalid data give INVALID_DATA, whatever the numbers say.
    needed : mapping of str to float, optional
        By name of the arc, AICc of the model without it less AICc of the model with it; below 4 the arc is not
        resolved.
    blank_u_ohm : float, optional
        Standard uncertainty of the resistance of the shorted fixture (ohm, k = 1): gives limits of detection and
        of quantification, and joins the uncertainty where the budget has no line for the fixture.
    metadata : mapping, optional
        Values of other quantities by name, ``{"electrode dryness": "35 %"}`` or with ``{"value": …, "u": …}``:
        compared with the spec's limits on them, and with its windows (those of "process-windows" if it has
        none), which do not change the verdict.

    Returns
    -------
    Judgement

    Raises
    ------
    ConfigError
        If `reading`, `element` or a quantity of `metadata` does not exist, or a unit does not fit.
    """
    _require_reading(reading, spec)
    gate = Gate(blank_u_ohm, needed or {})
    values = _values(metadata)
    windows = _windows(spec, values)
    judged = [
        _judge_arcs(arcs, limit, spec, reading, element, gate)
        if limit.is_resistance
        else _judge_value(limit, spec, values)
        for limit in spec.all_limits
    ]
    verdict, because = _over_all(judged) if judged else _over_windows(spec, windows)
    compared = [(one.limit, one.verdict, one.candidates, one.findings) for one in judged]
    changes = would_change(compared, arcs, spec, gate)
    if validity is not None and validity.verdict == "invalid":
        verdict, because = Verdict.INVALID_DATA, "the data cannot be trusted: " + " ".join(validity.because)
    elif validity is not None and validity.verdict == "suspect":
        because += " (data suspect: " + " ".join(validity.because) + ")"
    said = "; ".join(f"{' '.join(one.text.split())} ({spec.source_of(one)})" for one in spec.all_limits)
    findings = tuple(finding for one in judged for finding in one.findings)
    return Judgement(
        verdict, because, said or f"no limit ({spec.source})", findings, tuple(arcs), changes, windows
    )


def compare(
    arc: Interface,
    limit: Limit,
    rule: DecisionRule,
    reading: Reading,
    *,
    interfaces_in_path: int | None = None,
    gate: Gate | None = None,
    may_pass_by_bound: bool = True,
) -> Finding:
    """Compare one arc with one limit under one reading, resolution gate included.

    Parameters
    ----------
    arc : Interface
    limit : Limit
        Of a resistance.
    rule : DecisionRule
    reading : {"asr", "per_area", "absolute"}
    interfaces_in_path : int, optional
        To try another number than the stated one.
    gate : Gate, optional
        What is known of a blank and of whether arcs are needed.
    may_pass_by_bound : bool
        Whether an arc that is not resolved passes if its upper bound is within the limit; False for an arc that
        may be another process.
    """
    gate = gate or Gate()
    n = interfaces_in_path or arc.interfaces_in_path or 1
    found = measured(arc, reading, n, gate)
    value, u, nu = found.value, found.u, found.degrees_of_freedom
    reasons = unresolved(arc, found, limit.value, reading, gate)
    code = outcome(value, u, rule, upper=limit.upper, lower=limit.lower, degrees_of_freedom=nu)
    by_bound = (
        bool(reasons) and may_pass_by_bound and limit.bound == "upper" and bound_clears(found, limit.value, rule)
    )
    if reasons:
        verdict = Verdict.PASS if by_bound else Verdict.NOT_RESOLVED
    else:
        verdict = FOUR_WAY[code] if code >= 0 else Verdict.NOT_RESOLVED
    edges = {
        sign: acceptance_limit(edge, value, u, rule, degrees_of_freedom=nu, sign=sign)
        for edge, sign in ((limit.upper, 1), (limit.lower, -1))
        if math.isfinite(edge)
    }
    k = rule.coverage(nu)
    window = limit.bound == "window"
    against = format_si(limit.value, SHOWN[reading])
    against = f"{format_si(limit.lower, SHOWN[reading])} to {against}" if window else against
    against = f"at least {against}" if limit.bound == "lower" else against
    path = (
        ""
        if arc.interfaces_in_path == n or arc.process in THROUGH
        else f", {n} interface{'s' if n > 1 else ''} in the path supposed"
    )
    shown = format_uncertain(value, u, SHOWN[reading], k=k)
    student = "" if k == rule.k else f", {nu:.3g} degrees of freedom"
    how = f", by its upper bound ({', '.join(reasons)})" if by_bound else ""
    said = f"{arc.name} read as {reading}: {shown} (k = {k:.3g}{student}) against {against}{path}: {verdict}{how}"
    return Finding(
        quantity=f"{arc.name}: {arc.process}",
        reading=reading,
        interfaces_in_path=n,
        value=value,
        u=u,
        unit=UNITS[reading],
        limit=limit.value,
        k=k,
        p_conform=p_conform(value, u, limit.upper, lower=limit.lower, degrees_of_freedom=nu),
        rule=rule.name,
        acceptance_limit=edges[-1] if limit.bound == "lower" else edges[1],
        verdict=verdict,
        because=said,
        arc=arc.name,
        limit_text=limit.text,
        bound=limit.bound,
        lower_limit=limit.lower if window else math.nan,
        lower_acceptance_limit=edges[-1] if window else math.nan,
        degrees_of_freedom=nu,
        by_bound=by_bound,
        lod=found.lod,
        loq=found.loq,
    )


def _require_reading(reading: Reading | None, spec: Spec) -> None:
    possible = tuple(dict.fromkeys(one for limit in spec.all_limits for one in limit.readings))
    if reading is not None and reading not in possible:
        listed = ", ".join(possible) or "no reading: none of its limits is a resistance"
        raise ConfigError(f"The spec {spec.name} has no reading {reading!r}", mend=f"Choose {listed}.")


def _values(metadata: Mapping[str, ProcessValue] | Mapping[str, object] | None) -> dict[str, ProcessValue]:
    given = metadata or {}
    ready = {key_of(name): one for name, one in given.items() if isinstance(one, ProcessValue)}
    return ready | process_values({name: one for name, one in given.items() if not isinstance(one, ProcessValue)})


def _windows(spec: Spec, values: Mapping[str, ProcessValue]) -> tuple[Finding, ...]:
    """Compare process values with the windows; a value that nothing asks for is refused."""
    if not values:
        return ()
    holder = spec if spec.windows else Spec.load(WINDOWS)
    known = {one.quantity for one in (*holder.windows, *spec.all_limits) if not one.is_resistance}
    strange = [value.quantity for name, value in values.items() if name not in known]
    if strange:
        raise ConfigError(
            f"No limit and no window is of {', '.join(map(repr, strange))}",
            where="metadata",
            mend=f"Known are {', '.join(sorted(known))}.",
        )
    return compare_values([(one, holder.rule_of(one)) for one in holder.windows], values, needs_u=False)


def _judge_value(limit: Limit, spec: Spec, values: Mapping[str, ProcessValue]) -> Judged:
    """Compare a value that is given beside the spectrum with a limit on it."""
    found = compare_values([(limit, spec.rule_of(limit))], values, needs_u=True)
    if not found:
        return Judged(limit, (), (), Verdict.NOT_RESOLVED, f"no value of {limit.quantity} was given")
    return Judged(limit, (), found, found[0].verdict, found[0].because)


def _judge_arcs(
    arcs: Sequence[Interface],
    limit: Limit,
    spec: Spec,
    reading: Reading | None,
    element: str | None,
    gate: Gate,
) -> Judged:
    """Compare the arcs that may be the process of a limit with it, in every reading asked for."""
    process, rule = spec.process_of(limit), spec.rule_of(limit)
    named = element if process == spec.process else None
    candidates = candidates_of(arcs, process, named)
    readings = (reading,) if reading in limit.readings else limit.readings
    findings = tuple(
        compare(
            arc,
            limit,
            rule,
            one,
            interfaces_in_path=n,
            gate=gate,
            may_pass_by_bound=named is not None or matches(arc.process, process),
        )
        for arc in candidates
        for one in readings
        for n in interfaces_of(arc, process)
    )
    verdict, because = _decide(candidates, findings, limit, process, arcs, gate)
    if named is None and verdict in (
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.CONDITIONAL_PASS,
        Verdict.CONDITIONAL_FAIL,
    ):
        share = sum(share_of(arc, process) for arc in candidates)
        if share < SURE:
            listed = ", ".join(f"{arc.name} ({share_of(arc, process):.0%})" for arc in candidates)
            because = (
                f"whether the {process} was seen is not sure: it may be {listed}; name its arc if you know it"
            )
            verdict = Verdict.NOT_RESOLVED
    return Judged(limit, candidates, findings, verdict, because)


def _decide(
    candidates: Sequence[Interface],
    findings: Sequence[Finding],
    limit: Limit,
    process: str,
    arcs: Sequence[Interface],
    gate: Gate,
) -> tuple[Verdict, str]:
    """Put the findings of one limit together: one answer if they agree, otherwise why there is none."""
    if not candidates:
        found = ", ".join(f"{arc.name} ({arc.process})" for arc in arcs)
        seen = f"the arcs found are {found}" if arcs else "the circuit has no arc"
        return Verdict.NOT_RESOLVED, f"no arc can be the {process} this limit is for: {seen}"
    verdicts = {finding.verdict for finding in findings}
    if len(verdicts) == 1 and Verdict.NOT_RESOLVED not in verdicts:
        return verdicts.pop(), _agreed(findings)
    if Verdict.NOT_RESOLVED in verdicts:
        return Verdict.NOT_RESOLVED, "; ".join(_blurred(candidates, findings, limit, gate))
    by_reading = {(f.reading, f.verdict) for f in findings}
    if len({reading for reading, _ in by_reading}) == len(by_reading) and len(by_reading) > 1:
        listed = ", ".join(f"{reading}: {verdict}" for reading, verdict in sorted(by_reading))
        return Verdict.INDETERMINATE_UNITS, f"the readings of {limit.text!r} disagree ({listed})"
    if len(candidates) > 1 and all(len({f.verdict for f in _of(arc, findings)}) == 1 for arc in candidates):
        listed = ", ".join(f"{arc.name}: {_of(arc, findings)[0].verdict}" for arc in candidates)
        return Verdict.NOT_RESOLVED, f"several arcs may be the {process} and they disagree ({listed})"
    listed = ", ".join(f"{f.arc} {f.reading} n={f.interfaces_in_path}: {f.verdict}" for f in findings)
    return Verdict.INDETERMINATE_UNITS, f"the verdict depends on what was not stated ({listed})"


def _of(arc: Interface, findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.arc == arc.name]


def _blurred(candidates: Sequence[Interface], findings: Sequence[Finding], limit: Limit, gate: Gate) -> list[str]:
    """Say of each arc that is not resolved why it is not, readings apart only where the reasons differ."""
    out: dict[str, None] = {}
    for arc in candidates:
        for one in _of(arc, findings):
            if one.verdict is Verdict.NOT_RESOLVED and one.reading != "direct":
                found = measured(arc, one.reading, one.interfaces_in_path, gate)
                reasons = unresolved(arc, found, limit.value, one.reading, gate)
                out[f"{arc.name}: {', '.join(reasons)}"] = None
    return list(out)


def _agreed(findings: Sequence[Finding]) -> str:
    """Say what all findings agree on."""
    first = findings[0]
    shown = format_uncertain(first.value, first.u, _shown(first), k=first.k)
    over = "in every reading computed" if len(findings) > 1 else f"read as {first.reading}"
    ratio = first.value / first.limit
    times = f"{float(f'{ratio:.3g}'):g} times the limit" if ratio >= 1 else f"{ratio:.0%} of the limit"
    bound = " by its upper bound, though it is not resolved," if first.by_bound else ""
    return f"{first.quantity} is {shown} (k = {first.k:.3g}), {times}, and {first.verdict}{bound} {over}"


def _shown(finding: Finding) -> str:
    return finding.unit if finding.reading == "direct" else SHOWN[finding.reading]


def _over_all(judged: Sequence[Judged]) -> tuple[Verdict, str]:
    """Put several limits together: the gravest answer is the cell's, and each limit is said."""
    if len(judged) == 1:
        return judged[0].verdict, judged[0].because
    said = "; ".join(f"{' '.join(one.limit.text.split())}: {one.verdict}, {one.because}" for one in judged)
    return _gravest(one.verdict for one in judged), said


def _over_windows(spec: Spec, windows: Sequence[Finding]) -> tuple[Verdict, str]:
    """Put the windows of a spec without limits together: inside means a value for each, and each inside."""
    given = {one.quantity for one in windows}
    missing = [one.quantity for one in spec.windows if one.quantity not in given]
    verdict = _gravest([*(one.verdict for one in windows), *([Verdict.NOT_RESOLVED] if missing else [])])
    said = [one.because for one in windows] + ([f"no value was given of {', '.join(missing)}"] if missing else [])
    return verdict, "; ".join(said)


def _gravest(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return next(one for one in GRAVEST if one in found)
