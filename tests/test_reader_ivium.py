"""Ivium data: whatever is not understood is refused, and every measurement of a set is told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import ivium
from eis.readers.source import Source
from tests.vendors import FREQUENCY
from tests.vendors.ivium import content, data, direct_current, settings


def read(raw: bytes):
    return ivium.read(Source("cell.idf", Path("cell.idf"), raw))


def fault(raw: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(raw)
    return caught.value


def test_another_method_is_named():
    assert (
        "the method is 'CyclicVoltammetry'"
        in fault(content(settings("CyclicVoltammetry") + direct_current())).what
    )


def test_a_set_that_is_cut_in_the_settings_of_a_measurement_says_so():
    whole = content(settings() + data() + settings() + data())
    assert all("status" not in one.metadata for one in read(whole))
    cut = whole[: whole.rindex(b"primary_data")]
    (spectrum,) = read(cut)
    assert spectrum.metadata["status"] == "truncated"
    assert "settings of measurement 2" in spectrum.metadata["warnings"][0]


def test_another_technique_is_named():
    error = fault(content(settings(technique="PotentialScan") + data()))
    assert "The technique is 'PotentialScan'" in error.what
    assert "Export" in error.mend


def test_another_number_of_columns_is_refused():
    assert "have 5 columns" in fault(content(settings() + data(columns=5))).what


def test_more_points_than_stated_are_refused():
    error = fault(content(settings() + data(stated=28)))
    assert "more points than the 28" in error.what


def test_fewer_points_than_stated_are_refused_where_something_else_follows():
    error = fault(content(settings() + data(stated=30)))
    assert "in point 30 of 30, found '7'" in error.what


def test_a_count_that_is_none_is_refused():
    lines = data()
    lines[2] = b"99999999999"
    assert "Expected a count below primary_data, found '99999999999'" in fault(content(settings() + lines)).what


def test_a_huge_count_costs_nothing():
    assert "says it holds 9999999 points" in fault(content(settings() + data(stated=9_999_999))).what
    assert "in point 30 of 99999" in fault(content(settings() + data(stated=99_999))).what


def test_rows_in_another_order_are_refused():
    lines = data()
    lines[3:32] = [b"\t".join(line.split()[::-1]) for line in lines[3:32]]
    assert "frequencies that the settings state are in the first column" in fault(content(settings() + lines)).what
    lines[3:32] = [b"\t".join([*line.split()[:2], b"1000"]) for line in lines[3:31]] + [b"1\t-1\t-5"]
    assert "third column should be the frequency" in fault(content(settings() + lines)).what


def test_no_data_at_all_is_said():
    assert "no primary_data" in fault(content(settings())).what


def test_a_file_that_was_cut_gives_its_whole_points_and_says_so():
    whole = content(settings() + data())
    at = whole.index(b"primary_data")
    (spectrum,) = read(whole[: at + 400])
    assert spectrum.metadata["status"] == "truncated"
    assert spectrum.metadata["warnings"][0].startswith("The header says 29 points; there are ")
    assert spectrum.metadata["dropped"][0].startswith("The last line (")
    np.testing.assert_allclose(spectrum.frequency_hz, FREQUENCY[: len(spectrum)], rtol=1e-5)


def test_a_set_with_a_measurement_that_is_not_understood_is_refused_as_a_whole():
    lines = [*settings(), *data(), *settings(technique="CurrentScan"), *data()]
    assert "'CurrentScan'" in fault(content(lines)).what


def test_each_measurement_has_its_own_settings():
    lines = [*settings(title="one"), *data(), b"QR=QR", *settings(title="two", technique="Constant I"), *data(2)]
    found = read(content(lines))
    assert [(one.metadata["measurement"], one.metadata["vendor"]["Title"]) for one in found] == [
        (1, "one"),
        (2, "two"),
    ]


@pytest.mark.parametrize(
    "head", [b"\0" * 60, b"\0" * 20 + b"binary", b"Method=Impedance\nfoo", b"a\nprimary_data\n"]
)
def test_other_binary_files_are_left_to_others(head):
    assert not ivium.recognises(Source("cell.bin", Path("cell.bin"), head))
