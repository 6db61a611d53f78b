"""Reports: complete, self-contained, the same every time, and safe with hostile names."""

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest

from eis.report import render_text
from eis.report_page import render_html
from eis.results import Verdict
from tests.assessment_factory import assessment, finding, near_the_limit, not_resolved

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


@cache
def page_of(*makes):
    """The page of some assessments; drawn once, it takes a second each."""
    return render_html([make() for make in makes], title="Report")


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the drawings out of a page of which only the words are looked at; they take a second."""
    monkeypatch.setattr("eis.report_page._svg", lambda axes, salt: "")


def test_hostile_file_names_are_text_and_nothing_else():
    page = Page(render_html([assessment(name=HOSTILE)], title=HOSTILE))
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)


def test_a_name_neither_steers_a_terminal_nor_breaks_the_encoding():
    hostile = "\x1b[2J\x00\x9b\u202e\u2028\udcff"
    one = assessment(name=f"cell{hostile}.mpt")
    for text in (render_text([one]), render_html([one], title=f"Report{hostile}")):
        assert not set(text) & (set(hostile) - set("[2J"))
        assert text.encode("utf-8")


def test_a_line_break_in_a_name_forges_no_line_of_the_text_report():
    text = render_text([assessment(name="cell.mpt\nPASS: all is well")])
    assert not any(line.startswith("PASS") for line in text.splitlines())


def test_a_unit_nobody_foresaw_is_printed_as_it_stands(undrawn):
    one = assessment(findings=(finding(unit="mohm cm^2"),))
    assert "mΩ·cm²" in render_text([one])
    assert "mΩ·cm²" in render_html([one], title="Report")


def test_data_that_are_invalid_and_have_no_finding_still_make_a_page():
    one = assessment(findings=(), verdict=Verdict.INVALID_DATA, because="Drift.", arcs=(), would_change=())
    assert "INVALID_DATA" in render_html([one], title="Report")
    assert "INVALID_DATA" in render_text([one])


def test_the_readers_own_plot_style_does_not_change_the_page():
    plain = page_of(assessment)
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path"}):
        assert render_html([assessment()], title="Report") == plain
        assert mpl.rcParams["font.size"] == 30


def test_what_was_recorded_with_the_spectrum_stands_on_the_page():
    page = "".join(Page(page_of(assessment)).text)
    for words in ("soc_percent", "instrument · model", "SP-300"):
        assert words in page


def test_a_long_vendor_header_is_cut_and_says_so(undrawn):
    one = assessment()
    many = one.spectrum.with_metadata(vendor={f"key{i}": "x" * 1000 for i in range(100)})
    page = render_html([replace(one, spectrum=many)], title="Report")
    assert "… (1000 characters)" in page
    assert "more in the stored result" in page


def test_the_page_asks_for_nothing_from_elsewhere():
    text = page_of(*ALL)
    page = Page(text)
    assert page.open == []
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert value.startswith("#"), (name, value)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_no_id_is_used_twice_on_a_page_of_many_drawings():
    page = Page(page_of(*ALL))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_assessments_give_the_same_bytes():
    assert render_html([assessment()], title="Report") == page_of(assessment)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.usefixtures("undrawn")
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
    text = render_text([make() for make in ALL]) + "".join(Page(page_of(*ALL)).text)
    assert not re.search(r"\b(nan|inf)\b", text)


def test_the_text_report_is_the_golden_one():
    assert render_text([make() for make in ALL]) == GOLDEN.read_text("utf-8")


def test_a_page_of_several_spectra_begins_with_a_table_of_them():
    text = page_of(*ALL)
    for name in ("cell_07.mpt", "near.csv", "blocking cell.z"):
        assert f">{name}</a>" in text
