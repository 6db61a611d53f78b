"""Reports: complete, self-contained, the same every time, and safe with hostile names."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from eis.report import render_html, render_text
from tests.assessment_factory import assessment, near_the_limit, not_resolved

GOLDEN = Path(__file__).parent / "golden" / "report.txt"
ALL = (assessment, near_the_limit, not_resolved)
HOSTILE = '<script>alert("x")</script>&\'"\x07.mpt'


class Page(HTMLParser):
    """Collects tags, attributes and ids, and checks that what is opened is closed."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "use", "path"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_hostile_file_names_are_text_and_nothing_else():
    page = Page(render_html([assessment(name=HOSTILE)], title=HOSTILE))
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)


def test_the_page_asks_for_nothing_from_elsewhere():
    text = render_html([make() for make in ALL], title="Report")
    page = Page(text)
    assert page.open == []
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert value.startswith("#"), (name, value)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_no_id_is_used_twice_on_a_page_of_many_drawings():
    page = Page(render_html([make() for make in ALL], title="Report"))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_assessments_give_the_same_bytes():
    assert render_html([assessment()], title="t") == render_html([assessment()], title="t")


@pytest.mark.parametrize("make", ALL)
def test_both_reports_say_everything_a_reader_must_know(make):
    one = make()
    page = "".join(Page(render_html([one], title="Report")).text)
    for text in (render_text([one]), page):
        flat = " ".join(text.split())
        assert one.judgement.verdict in flat
        assert " ".join(one.judgement.limit_text.split()) in flat
        assert one.fit.circuit in flat
        assert one.validity.verdict in flat.lower()
        for words in (*one.judgement.would_change, *one.fit.because, *one.validity.because):
            assert words in flat, words
        for arc in one.judgement.arcs:
            for words in (arc.name, arc.process, *arc.evidence, *arc.because):
                assert words in flat, words
        assert "overload (left out)" in flat
        assert "duplicate (left out)" in flat
        assert "overload warning (in use)" in flat
        assert "1.131" in flat or "0.785" in flat


def test_no_number_is_printed_as_nan_or_inf():
    for make in ALL:
        text = render_text([make()]) + "".join(Page(render_html([make()], title="Report")).text)
        assert not re.search(r"\b(nan|inf)\b", text)


def test_the_text_report_is_the_golden_one():
    assert render_text([make() for make in ALL]) == GOLDEN.read_text("utf-8")


def test_a_page_of_several_spectra_begins_with_a_table_of_them():
    text = render_html([make() for make in ALL], title="Report")
    for name in ("cell_07.mpt", "near.csv", "blocking cell.z"):
        assert f">{name}</a>" in text
