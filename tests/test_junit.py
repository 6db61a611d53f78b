"""JUnit XML: what a build server needs, and what no name or message can break."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eis.junit import render_junit
from eis.results import Verdict
from tests.assessment_factory import assessment, near_the_limit, not_resolved

# What Jenkins' schema junit-10.xsd allows: children, attributes that must be there, attributes that may.
GRAMMAR: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    "error": (set(), set(), {"type", "message"}),
    "failure": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
}
MIXED = {"error", "failure", "system-out"}
BROKEN = {
    "file": "broken.mpt",
    "error": {"code": "read", "message": "The file is empty", "where": "broken.mpt", "mend": None},
}


def parsed(entries: list[Mapping[str, Any]], name: str = "interface check") -> ET.Element:
    """The document, every element of which the schema allows."""
    root = ET.fromstring(render_junit(entries, name=name).encode("utf-8"))  # noqa: S314 - our own
    assert root.tag == "testsuite"
    for element in root.iter():
        children, needed, allowed = GRAMMAR[element.tag]
        assert {child.tag for child in element} <= children
        assert needed <= set(element.attrib) <= needed | allowed
        assert element.tag in MIXED or not (element.text or "").strip()
        assert not (element.tail or "").strip()
    return root


@given(st.text(max_size=60), st.text(alphabet=st.characters(), max_size=60))
def test_no_name_and_no_message_breaks_the_document(name: str, because: str) -> None:
    entry = {"file": name, "verdict": "FAIL", "because": because, "limit_text": because, "findings": []}
    case = parsed([entry], name=because)[1]
    assert json.loads(case.findtext("system-out") or "") == entry


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x1b", "\x7f", "\x85", "\ud800", "\ufffe", "\uffff"])
def test_a_character_xml_cannot_hold_is_written_as_its_escape(character: str) -> None:
    entry = {"file": f"a{character}b", "verdict": "FAIL", "because": "<&\"'>]]>", "findings": []}
    case = parsed([entry])[1]
    assert case.get("name") == f"a\\u{ord(character):04x}b"
    assert case.find("failure").get("message") == "<&\"'>]]>"  # type: ignore[union-attr]
    assert json.loads(case.findtext("system-out") or "") == entry


def test_a_file_that_could_not_be_read_is_an_error_with_its_reason() -> None:
    root = parsed([BROKEN])
    error = root.find("testcase/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("read", "The file is empty. broken.mpt")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "1")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_pass_passes_only_fail_is_a_failure_and_the_rest_are_errors(verdict: Verdict) -> None:
    case = parsed([assessment(verdict=verdict).to_dict()])[1]
    tags = {Verdict.PASS: ["system-out"], Verdict.FAIL: ["failure", "system-out"]}
    assert [child.tag for child in case] == tags.get(verdict, ["error", "system-out"])


def test_a_suite_counts_its_cases_and_names_the_limit_they_were_held_to() -> None:
    one = assessment()
    root = parsed([one.to_dict(), near_the_limit().to_dict(), not_resolved().to_dict(), BROKEN])
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "1", "3")
    values = [item.get("value") for item in root.iter("property")]
    assert " ".join(one.judgement.limit_text.split()) in values


def test_a_failure_says_what_was_measured_against_what() -> None:
    text = parsed([assessment().to_dict()]).findtext("testcase/failure") or ""
    assert "R2 interface resistance (asr, 2 in path): 7.06875 ± 0.154" in text
    assert "would change it: An interface of 2.6 mΩ" in text
