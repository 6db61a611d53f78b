"""Assessments as a person reads them: plain text, and one self-contained HTML page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from eis.document import VERSION
from eis.plots import (
    READING_LABELS,
    plot_bode,
    plot_nyquist,
    plot_residuals,
    plot_verdict,
    tail_dominates,
    unit_text,
)
from eis.quantities import COVERAGE, format_si, format_uncertain
from eis.results import Assessment, Budget, Finding, Interface, Verdict
from eis.spectrum import Quality, Spectrum

MAX_RECORDED = 60
UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""What would steer a terminal, turn text around or break the encoding; printed as its escape instead."""
MEANING = {
    Verdict.PASS: "meets the limit",
    Verdict.CONDITIONAL_PASS: "within the limit, but inside the guard band",
    Verdict.CONDITIONAL_FAIL: "above the limit, but inside the guard band",
    Verdict.FAIL: "does not meet the limit",
    Verdict.NOT_RESOLVED: "the data do not determine the interface",
    Verdict.INDETERMINATE_UNITS: "the answer depends on how the limit is read",
    Verdict.INVALID_DATA: "the data cannot be trusted",
}


@dataclass(frozen=True, slots=True)
class _Section:
    """One assessment with its drawings, ready for the page."""

    anchor: str
    name: str
    one: Assessment
    drawings: dict[str, Markup]
    facts: list[tuple[str, str]]
    flagged: list[str]
    recorded: list[tuple[str, str]]


def render_text(assessments: Sequence[Assessment]) -> str:
    """Return the whole report as plain text."""
    return _printable("\n\n".join(_text(one) for one in assessments) + "\n")


def render_html(assessments: Sequence[Assessment], *, title: str) -> str:
    """Return one HTML page that needs nothing from elsewhere: no script, no request, ready to print."""
    environment = Environment(
        loader=PackageLoader("eis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        {
            "si": format_si,
            "uncertain": format_uncertain,
            "meaning": MEANING,
            "readings": READING_LABELS,
            "k": COVERAGE,
        }
    )
    environment.filters["unit"] = unit_text
    environment.filters["value"] = _value
    environment.filters["probability"] = _probability
    environment.filters["accepted"] = _accepted
    environment.filters["budgets"] = _budgets
    environment.filters["equal_to"] = _equal_to
    environment.filters["detection"] = _detection
    environment.filters["percent"] = lambda fraction: f"{fraction:.2%}"
    sections = [_section(i, one) for i, one in enumerate(assessments)]
    page = environment.get_template("report.html.j2").render(title=title, version=VERSION, sections=sections)
    return _printable(page)


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
        lines += [f"            {said}" for said in _equal_to(arc)]
    for finding in judgement.windows:
        lines.append(f"  process   {finding.because}")
    for budget in _budgets(one):
        head, *rest = str(budget).splitlines()
        lines += [f"  budget    {head}", *(f"            {line}" for line in rest)]
    lines += [f"  {label:<9} {fact}" for label, fact in _facts(one)]
    lines.append(f"  data      {validity}")
    lines.append(f"  fit       {str(fit).splitlines()[0]}")
    lines += [f"            {line.strip()}" for line in str(fit).splitlines()[1:]]
    lines += [f"  flagged   {point}" for point in _flagged(one.spectrum)]
    lines += [f"  would change it: {text}" for text in judgement.would_change]
    return "\n".join(" ".join(line.splitlines()) for line in lines)


def _budgets(one: Assessment) -> list[Budget]:
    """Return the uncertainty budgets of the arcs that were compared with a limit."""
    compared = {finding.arc for finding in one.judgement.findings}
    arcs = [arc for arc in one.judgement.arcs if arc.name in compared]
    return [arc.budget for arc in arcs if math.isfinite(arc.budget.u) and arc.budget.u > 0]


def _equal_to(arc: Interface) -> list[str]:
    """Return what else describes the arc: other capacitances, and the exchange current of an interface."""
    said = [f"C by {one}" for one in arc.capacitances[1:]]
    if math.isfinite(arc.i0_a_cm2) and arc.process.startswith("electrode interface"):
        said.append(f"exchange current density {format_uncertain(arc.i0_a_cm2, arc.u_i0_a_cm2, 'A/cm²')} (k = 2)")
    return said


def _printable(text: str) -> str:
    """Return `text` with control characters, turned directions and undecodable bytes of a name as escapes."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _finding(finding: Finding) -> str:
    unit = unit_text(finding.unit)
    return (
        f"{_value(finding)} (k = {finding.k:g}) against {format_si(finding.limit, unit)}; rule {finding.rule}, "
        f"acceptance {_accepted(finding)}; P(conform) {_probability(finding)}{_detection(finding)}; "
        f"{finding.verdict}{' by its upper bound' if finding.by_bound else ''}"
    )


def _detection(finding: Finding) -> str:
    """Return the limits of detection and quantification, if a blank was measured."""
    if math.isnan(finding.loq):
        return ""
    unit = unit_text(finding.unit)
    return f"; LOD {format_si(finding.lod, unit, digits=3)}, LOQ {format_si(finding.loq, unit, digits=3)}"


def _value(finding: Finding) -> str:
    return format_uncertain(finding.value, finding.u, unit_text(finding.unit), k=finding.k)


def _accepted(finding: Finding) -> str:
    """Return the acceptance limit, or why no value at all would be accepted with this uncertainty."""
    if finding.bound == "lower":
        return f"from {format_si(finding.acceptance_limit, unit_text(finding.unit))}"
    if finding.acceptance_limit <= 0:
        return "of nothing: the guard band exceeds the limit"
    return f"up to {format_si(finding.acceptance_limit, unit_text(finding.unit))}"


def _probability(finding: Finding) -> str:
    p = finding.p_conform
    return "n/a" if p != p else "< 0.001" if p < 1e-3 else "> 0.999" if p > 1 - 1e-3 else f"{p:.3f}"


def _facts(one: Assessment) -> list[tuple[str, str]]:
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


def _flagged(spectrum: Spectrum) -> list[str]:
    """Return a line for every flagged point: frequency, flags, and whether it is in use."""
    out = []
    for frequency, flags, used in zip(spectrum.all_frequency_hz, spectrum.quality, spectrum.used, strict=True):
        if flags:
            names = ", ".join(str(flag.name).lower().replace("_", " ") for flag in Quality(int(flags)))
            out.append(f"{format_si(float(frequency), 'Hz')}: {names} ({'in use' if used else 'left out'})")
    return out


def _recorded(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return everything else that came with the spectrum, nested names joined, long values cut."""

    def rows(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
        for key, value in values.items():
            name = f"{path} · {key}" if path else str(key)
            if isinstance(value, Mapping):
                yield from rows(value, name)
            elif value not in (None, "", [], ()):
                text = str(value)
                yield name, text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"

    told = ("file", "converted", "dropped", "warnings")
    found = list(rows({key: value for key, value in metadata.items() if key not in told}, ""))
    more = len(found) - MAX_RECORDED
    return [*found[:MAX_RECORDED], *([("…", f"{more} more in the stored result")] if more > 0 else [])]


def _section(index: int, one: Assessment) -> _Section:
    with matplotlib.rc_context():  # the reader's own style must not change the page
        matplotlib.rcdefaults()
        drawings = _drawings(f"s{index}", one)
    metadata = one.spectrum.metadata
    return _Section(
        f"s{index}", one.spectrum.name, one, drawings, _facts(one), _flagged(one.spectrum), _recorded(metadata)
    )


def _drawings(anchor: str, one: Assessment) -> dict[str, Markup]:
    spectrum, fit, judgement = one.spectrum, one.fit, one.judgement
    zoomed = tail_dominates(spectrum, fit=fit)
    axes = {
        "verdict": plot_verdict(judgement),
        "nyquist": plot_nyquist(spectrum, fit=fit, judgement=None if zoomed else judgement),
        "bode": plot_bode(spectrum, fit=fit)[0],
        "fit": plot_residuals(fit),
        "validity": plot_residuals(validity=one.validity),
    }
    if zoomed:
        axes["arcs"] = plot_nyquist(spectrum, fit=fit, judgement=judgement, zoom="arcs")
    return {name: _svg(drawn, f"{anchor}{name}") for name, drawn in axes.items()}


def _svg(axes: Axes, salt: str) -> Markup:
    """Return a drawing as inline SVG: text as text, ids of its own, the same bytes every time."""
    figure = axes.figure.canvas.figure
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    text = out.getvalue()
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{salt}-", text[text.index("<svg") :])
    return Markup(text)  # noqa: S704 - matplotlib escapes the text it draws # nosec B704
