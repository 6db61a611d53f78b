"""Assessments as one self-contained HTML page: verdict, evidence, budgets and drawings."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from eis import report
from eis.document import VERSION
from eis.judgement import READING_LABELS
from eis.plots import plot_bode, plot_nyquist, plot_residuals, plot_verdict, tail_dominates
from eis.quantities import COVERAGE, format_si, format_uncertain, unit_text
from eis.results import Assessment, Unjudged, Verdict

MAX_RECORDED = 60
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


def render_html(results: Sequence[Assessment | Unjudged], *, title: str) -> str:
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
    environment.filters["value"] = report.value
    environment.filters["probability"] = report.probability
    environment.filters["accepted"] = report.accepted
    environment.filters["budgets"] = report.budgets
    environment.filters["equal_to"] = report.equal_to
    environment.filters["detection"] = report.detection
    environment.filters["percent"] = lambda fraction: f"{fraction:.2%}"
    sections = [_section(i, one) for i, one in enumerate(results) if isinstance(one, Assessment)]
    failed = [one for one in results if isinstance(one, Unjudged)]
    page = environment.get_template("report.html.j2").render(
        title=title, version=VERSION, sections=sections, failed=failed
    )
    return report.printable(page)


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
    facts, flagged = report.facts(one), report.flagged(one.spectrum)
    return _Section(f"s{index}", one.spectrum.name, one, drawings, facts, flagged, _recorded(metadata))


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
