"""Assessments as a person reads them: plain text, and one self-contained HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from eis.document import VERSION
from eis.plots import plot_bode, plot_nyquist, plot_residuals, plot_verdict, tail_dominates
from eis.quantities import COVERAGE, format_si, format_uncertain
from eis.results import Assessment, Finding, Verdict
from eis.spectrum import Quality, Spectrum

SHOWN_UNITS = {"ohm cm2": "Ω·cm²", "ohm/cm2": "Ω/cm²", "ohm": "Ω"}
READINGS = {"asr": "R·A", "per_area": "R/A", "absolute": "R"}
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


def render_text(assessments: Sequence[Assessment]) -> str:
    """Return the whole report as plain text."""
    return "\n\n".join(_text(one) for one in assessments) + "\n"


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
        {"si": format_si, "uncertain": format_uncertain, "meaning": MEANING, "readings": READINGS, "k": COVERAGE}
    )
    environment.filters["value"] = _value
    environment.filters["probability"] = _probability
    environment.filters["accepted"] = _accepted
    environment.filters["percent"] = lambda fraction: f"{fraction:.2%}"
    sections = [_section(i, one) for i, one in enumerate(assessments)]
    return environment.get_template("report.html.j2").render(title=title, version=VERSION, sections=sections)


def _text(one: Assessment) -> str:
    judgement, fit, validity = one.judgement, one.fit, one.validity
    lines = [
        one.spectrum.name,
        f"{judgement.verdict}: {judgement.because}",
        f"  limit     {' '.join(judgement.limit_text.split())}",
    ]
    for finding in judgement.findings:
        lines.append(f"  reading   {READINGS[finding.reading]} ({finding.reading}): {_finding(finding)}")
    for arc in judgement.arcs:
        lines.append(f"  arc       {arc}")
        lines += [f"            {reason}" for reason in (*arc.evidence, *arc.because)]
    lines += [f"  {label:<9} {fact}" for label, fact in _facts(one)]
    lines.append(f"  data      {validity}")
    lines.append(f"  fit       {str(fit).splitlines()[0]}")
    lines += [f"            {line.strip()}" for line in str(fit).splitlines()[1:]]
    lines += [f"  flagged   {point}" for point in _flagged(one.spectrum)]
    lines += [f"  would change it: {text}" for text in judgement.would_change]
    return "\n".join(lines)


def _finding(finding: Finding) -> str:
    unit = SHOWN_UNITS[finding.unit]
    return (
        f"{_value(finding)} (k = {finding.k:g}) against {format_si(finding.limit, unit)}; rule {finding.rule}, "
        f"acceptance {_accepted(finding)}; P(conform) {_probability(finding)}; "
        f"{finding.verdict}"
    )


def _value(finding: Finding) -> str:
    return format_uncertain(finding.value, finding.u, SHOWN_UNITS[finding.unit], k=finding.k)


def _accepted(finding: Finding) -> str:
    """Return the acceptance limit, or why no value at all would be accepted with this uncertainty."""
    if finding.acceptance_limit <= 0:
        return "of nothing: the guard band exceeds the limit"
    return f"up to {format_si(finding.acceptance_limit, SHOWN_UNITS[finding.unit])}"


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
        facts += [(key, str(text)) for text in metadata.get(key) or ()]
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


def _section(index: int, one: Assessment) -> _Section:
    zoomed = tail_dominates(one.spectrum, fit=one.fit)
    drawings = {
        "verdict": _svg(plot_verdict(one.judgement), f"s{index}verdict"),
        "nyquist": _svg(plot_nyquist(one.spectrum, fit=one.fit), f"s{index}nyquist"),
        "bode": _svg(plot_bode(one.spectrum, fit=one.fit)[0], f"s{index}bode"),
        "residuals": _svg(plot_residuals(one.fit, one.validity), f"s{index}residuals"),
    }
    if zoomed:
        drawings["arcs"] = _svg(plot_nyquist(one.spectrum, fit=one.fit, zoom="arcs"), f"s{index}arcs")
    return _Section(f"s{index}", one.spectrum.name, one, drawings, _facts(one), _flagged(one.spectrum))


def _svg(axes: Axes, salt: str) -> Markup:
    """Return a drawing as inline SVG: text as text, ids of its own, the same bytes every time."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("these axes belong to no figure")
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata=dict.fromkeys(("Date", "Creator")))
    text = out.getvalue()
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{salt}-", text[text.index("<svg") :])
    return Markup(text)  # noqa: S704 - matplotlib escapes the text it draws
