"""Verdicts as JUnit XML, which test stations and build servers (Jenkins, GitLab, …) collect.

A cell that does not meet the limit is a failure, a measurement that cannot decide is an error, and only PASS is a
test that passed. The file keeps to the schema of Jenkins' xUnit plugin (junit-10.xsd).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET  # to write, never to read # nosec B405

from eis.document import VERSION

OUTCOMES = {"PASS": "", "FAIL": "failure"}
"""What each verdict is to a build server; every other one is an error: of the measurement, not of the cell."""
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no way to say, and control characters it allows but terminals obey; written as escapes."""


def render_junit(entries: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """Return the entries of ``eis.check/1`` as one test suite, a test case each.

    Parameters
    ----------
    entries : sequence of mapping
        As `Assessment.to_dict` gives them; an input that failed has ``file`` and ``error`` instead of a verdict.
    name : str
        Name of the suite.

    Returns
    -------
    str
        An XML document. The whole entry stands in ``system-out`` of its case, as one line of JSON.
    """
    suite = ET.Element("testsuite", name=_text(name))
    limits = dict.fromkeys(str(entry["limit_text"]) for entry in entries if entry.get("limit_text"))
    properties = ET.SubElement(suite, "properties")
    for key, value in [("interfacial-eis", VERSION), *(("limit", " ".join(limit.split())) for limit in limits)]:
        ET.SubElement(properties, "property", name=key, value=_text(value))
    tags = [_case(suite, entry) for entry in entries]
    counts = {"tests": len(tags), "failures": tags.count("failure"), "errors": tags.count("error")}
    for key, count in counts.items():
        suite.set(key, str(count))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ET.Element, entry: Mapping[str, Any]) -> str:
    """Append the case of one entry; return "" if it passed, else the name of its outcome."""
    called = f"{entry.get('file')} [{entry['index']}]" if "index" in entry else str(entry.get("file"))
    case = ET.SubElement(suite, "testcase", name=_text(called), classname="eis.check")
    verdict, because = _outcome(entry)
    tag = OUTCOMES.get(verdict, "error")
    if tag:
        outcome = ET.SubElement(case, tag, type=_text(verdict), message=_text(because))
        outcome.text = _text("\n".join(_lines(entry)) or because)
    ET.SubElement(case, "system-out").text = _text(json.dumps(entry, allow_nan=False))
    return tag


def _outcome(entry: Mapping[str, Any]) -> tuple[str, str]:
    error = entry.get("error")
    if error is not None:
        return str(error["code"]), ". ".join(filter(None, (error["message"], error["where"], error["mend"])))
    return str(entry["verdict"]), str(entry["because"])


def _lines(entry: Mapping[str, Any]) -> list[str]:
    """Return what was measured against what, a line per reading, and what would change the verdict."""
    lines = [
        f"{one['quantity']} ({one['reading']}, {one['interfaces_in_path']} in path): {one['value']} ± "
        f"{None if one['u'] is None else one['k'] * one['u']} {one['unit']} (k = {one['k']:g}) "
        f"against {one['limit']}: {one['verdict']}"
        for one in entry.get("findings", ())
    ]
    return lines + [f"would change it: {text}" for text in entry.get("would_change", ())]


def _text(text: str) -> str:
    return NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
