"""Assessments as a person reads them: plain text. The page with its drawings is `eis.report_page`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from eis.judgement import READING_LABELS
from eis.quantities import format_si, format_uncertain, unit_text
from eis.results import Assessment, Budget, Finding, Interface, Unjudged
from eis.spectrum import Quality, Spectrum

UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What would steer a terminal, turn text around or break the encoding; printed as its escape instead."""


def render_text(results: Sequence[Assessment | Unjudged]) -> str:
    """Return the whole report as plain text."""
    told = (_text(one) if isinstance(one, Assessment) else _unjudged(one) for one in results)
    return printable("\n\n".join(told) + "\n")


def _unjudged(one: Unjudged) -> str:
    return "\n".join(" ".join(line.splitlines()) for line in (one.name, f"not judged: {one.because}"))


def _text(one: Assessment) -> str:
    judgement, fit, validity = one.judgement, one.fit, one.validity
    lines = [
        one.spectrum.name,
        f"{judgement.verdict}: {judgement.because}",
        f"  limit     {' '.join(judgement.limit_text.split())}",
    ]
    for finding in judgement.findings:
        lines.append(f"  reading   {READING_LABELS[finding.reading]} ({finding.reading}): {_finding(finding)}")
    for arc in judgement.arcs:
        lines.append(f"  arc       {arc}")
        lines += [f"            {reason}" for reason in (*arc.evidence, *arc.because)]
        lines += [f"            {said}" for said in equal_to(arc)]
    for finding in judgement.windows:
        lines.append(f"  process   {finding.because}")
    for budget in budgets(one):
        head, *rest = str(budget).splitlines()
        lines += [f"  budget    {head}", *(f"            {line}" for line in rest)]
    lines += [f"  {label:<9} {fact}" for label, fact in facts(one)]
    lines.append(f"  data      {validity}")
    lines.append(f"  fit       {str(fit).splitlines()[0]}")
    lines += [f"            {line.strip()}" for line in str(fit).splitlines()[1:]]
    lines += [f"  flagged   {point}" for point in flagged(one.spectrum)]
    lines += [f"  would change it: {text}" for text in judgement.would_change]
    return "\n".join(" ".join(line.splitlines()) for line in lines)


def budgets(one: Assessment) -> list[Budget]:
    """Return the uncertainty budgets of the arcs that were compared with a limit."""
    compared = {finding.arc for finding in one.judgement.findings}
    arcs = [arc for arc in one.judgement.arcs if arc.name in compared]
    return [arc.budget for arc in arcs if math.isfinite(arc.budget.u) and arc.budget.u > 0]


def equal_to(arc: Interface) -> list[str]:
    """Return what else describes the arc: other capacitances, and the exchange current of an interface."""
    said = [f"C by {one}" for one in arc.capacitances[1:]]
    if math.isfinite(arc.i0_a_cm2) and arc.process.startswith("electrode interface"):
        said.append(f"exchange current density {format_uncertain(arc.i0_a_cm2, arc.u_i0_a_cm2, 'A/cm²')} (k = 2)")
    return said


def printable(text: str) -> str:
    """Return `text` with control characters, turned directions and undecodable bytes of a name as escapes."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _finding(finding: Finding) -> str:
    unit = unit_text(finding.unit)
    return (
        f"{value(finding)} (k = {finding.k:g}) against {format_si(finding.limit, unit)}; rule {finding.rule}, "
        f"acceptance {accepted(finding)}; P(conform) {probability(finding)}{detection(finding)}; "
        f"{finding.verdict}{' by its upper bound' if finding.by_bound else ''}"
    )


def detection(finding: Finding) -> str:
    """Return the limits of detection and quantification, if a blank was measured."""
    if math.isnan(finding.loq):
        return ""
    unit = unit_text(finding.unit)
    return f"; LOD {format_si(finding.lod, unit, digits=3)}, LOQ {format_si(finding.loq, unit, digits=3)}"


def value(finding: Finding) -> str:
    """Return the value with its expanded uncertainty."""
    return format_uncertain(finding.value, finding.u, unit_text(finding.unit), k=finding.k)


def accepted(finding: Finding) -> str:
    """Return the acceptance limit, or why no value at all would be accepted with this uncertainty."""
    if finding.bound == "lower":
        return f"from {format_si(finding.acceptance_limit, unit_text(finding.unit))}"
    if finding.acceptance_limit <= 0:
        return "of nothing: the guard band exceeds the limit"
    return f"up to {format_si(finding.acceptance_limit, unit_text(finding.unit))}"


def probability(finding: Finding) -> str:
    """Return the conformance probability to three places."""
    p = finding.p_conform
    return "n/a" if p != p else "< 0.001" if p < 1e-3 else "> 0.999" if p > 1 - 1e-3 else f"{p:.3f}"


def facts(one: Assessment) -> list[tuple[str, str]]:
    """Return what is known of the cell and where the spectrum comes from, as label and text."""
    cell, metadata = one.cell, one.spectrum.metadata
    area = format_uncertain(cell.area_cm2, cell.u_area_cm2, "cm²") if cell.u_area_cm2 else f"{cell.area_cm2:g} cm²"
    parts = [f"area {area}", f"interfaces in path {cell.interfaces_in_path or 'not stated'}"]
    parts += [cell.kind] if cell.kind else []
    parts += [f"electrolyte {cell.thickness_cm:g} cm"] if cell.thickness_cm else []
    parts += [f"{cell.temperature_c:g} °C"] if cell.temperature_c is not None else ["temperature not stated"]
    parts += [f"{cell.pressure_mpa:g} MPa"] if cell.pressure_mpa is not None else ["pressure not stated"]
    facts = [("cell", ", ".join(parts))]
    keys = ("format", "instrument", "source", "acquired", "started")
    source = [_plainly(metadata[key]) for key in keys if metadata.get(key)]
    if metadata.get("sha256"):
        source.append(f"SHA-256 {str(metadata['sha256'])[:16]}…")
    facts.append(("source", ", ".join(source) or "not stated"))
    for key in ("converted", "dropped", "warnings"):
        said = metadata.get(key) or ()
        facts += [(key, _plainly(text)) for text in (said if isinstance(said, (list, tuple)) else (said,))]
    if len(one.candidates) > 1:
        ranked = ", ".join(
            f"{circuit} ({aicc - one.candidates[0][1]:+.1f})" for circuit, aicc in one.candidates[1:]
        )
        facts.append(("circuit", f"chosen by the data; ΔAICc of the others: {ranked}"))
    return facts


def _plainly(value: Any) -> str:
    """Return metadata as words: a mapping as its names and values."""
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def flagged(spectrum: Spectrum) -> list[str]:
    """Return a line for every flagged point: frequency, flags, and whether it is in use."""
    out = []
    for frequency, flags, used in zip(spectrum.all_frequency_hz, spectrum.quality, spectrum.used, strict=True):
        if flags:
            names = ", ".join(str(flag.name).lower().replace("_", " ") for flag in Quality(int(flags)))
            out.append(f"{format_si(float(frequency), 'Hz')}: {names} ({'in use' if used else 'left out'})")
    return out
