"""Experiment files of VersaStudio: no XML, columns by name, other techniques left out or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import versa_studio
from eis.readers.source import Source, load
from tests.real_data import real_file
from tests.real_numbers import assert_as_known
from tests.vendors import FREQUENCY, cell
from tests.vendors.versa_studio import BEGIN, FILES, NAMES, REST, SHORT, par, rows, segment, short

Z = cell(FREQUENCY)
ROWS = rows(FREQUENCY, Z)
FIRST_ROW = BEGIN.index("</Action1>") + 7
"""Line of the first row of data, from 1."""


def source(content: bytes) -> Source:
    return Source("cell.par", Path("cell.par"), content)


def read(content: bytes):
    return versa_studio.read(source(content))


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(content)
    return caught.value


@pytest.mark.parametrize("name", ["Frequency(Hz)", "Z Real", "Z Imag"])
def test_a_column_that_is_missing_or_double_is_refused_with_its_line(name):
    error = fault(par(segment(1, ROWS, NAMES.replace(name, "Other", 1))))
    assert f"Expected one column {name}, found 0" in error.what
    assert error.line == FIRST_ROW - 1
    assert "found 2" in fault(par(segment(1, ROWS, NAMES.replace("E Real", name, 1)))).what


@pytest.mark.parametrize("unit", ["(kHz)", "(rpm)"])
def test_a_unit_that_versa_studio_does_not_write_is_refused(unit):
    fault(par(segment(1, ROWS, NAMES.replace("(Hz)", unit))))


@pytest.mark.parametrize("value", ["", "x", "nan", "1e999", "1;5"])
def test_a_cell_that_is_no_number_is_refused_with_its_line(value):
    cells = ROWS[5].split(",")
    cells[14] = value
    error = fault(par(segment(1, [*ROWS[:5], ",".join(cells), *ROWS[6:]])))
    assert error.line == FIRST_ROW + 5
    assert "Z Real" in error.what


def test_a_row_of_another_width_is_refused_with_its_line():
    assert fault(par(segment(1, [*ROWS[:5], ROWS[5] + ",1,2", *ROWS[6:]]))).line == FIRST_ROW + 5


def test_other_techniques_are_refused_by_name():
    begin = [line.replace("Potentiostatic EIS", "Cyclic Voltammetry") for line in BEGIN]
    names = SHORT.replace("Z Real, Z Imag, ", "")
    table = [",".join(cells.split(",")[:6] + cells.split(",")[8:]) for cells in short(FREQUENCY[:0], Z[:0])]
    for sections in ([segment(1, REST)], [segment(1, ["0,0,1,1,1,0,1"], names)], [segment(1, table)], []):
        assert "the techniques are 'Common, Cyclic Voltammetry'" in fault(par(*sections, begin=begin)).what


def test_rows_saved_as_binary_are_refused_with_the_way_out():
    begin = [line.replace("TimeAcquired=9:40:30 AM", "DataFormat=Binary") for line in BEGIN]
    content = "\n".join([*begin, "<Segment1>", f"Definition={NAMES}", ""]).encode() + bytes(range(256)) * 4
    assert "Save New Data to Binary File" in fault(content).mend
    assert len(read(par(segment(1, ROWS), begin=begin))[0]) == 29  # the rows are text, whatever the header says


def test_segments_of_other_techniques_are_left_out_by_name_and_all_others_returned():
    found = read(FILES["two_segments_and_rest.par"].content)
    assert [one.metadata["segment"] for one in found] == [2, 3]
    assert all("Segment1" in one.metadata["dropped"][0] for one in found)
    np.testing.assert_allclose(found[1].z_ohm, cell(FREQUENCY, 3.0), rtol=1e-6)


def test_a_segment_with_several_actions_parts_into_spectra():
    second = [row.replace("0,", "1,", 1) for row in ROWS]
    found = read(par(segment(1, [*ROWS, *second])))
    assert [len(one) for one in found] == [29, 29]


def test_rows_at_zero_hertz_in_between_are_dropped_and_said():
    (spectrum,) = read(par(segment(1, [*ROWS, *REST])))
    assert len(spectrum) == 29
    assert "4 rows with 0 Hz" in spectrum.metadata["dropped"][0]


def test_a_file_that_ends_within_a_segment_says_so():
    content = "\n".join([*BEGIN, "<Segment1>", f"Definition={NAMES}", *ROWS, ""]).encode()
    (spectrum,) = read(content)
    assert spectrum.metadata["status"] == "truncated"
    assert "has no end" in spectrum.metadata["warnings"][0]


def test_removed_points_are_said():
    (spectrum,) = read(par(segment(1, ROWS[:5] + ROWS[6:])))
    assert "not consecutive" in spectrum.metadata["warnings"][0]


def test_the_second_electrometer_is_kept_beside_the_first_and_said():
    (spectrum,) = read(FILES["second_electrometer.par"].content)
    np.testing.assert_allclose(spectrum.columns["z2_real_ohm"], 0.4 * Z.real, rtol=1e-6)
    assert "z2_imag_ohm" in spectrum.metadata["warnings"][0]
    assert "z2_real_ohm" not in read(FILES["one_segment.par"].content)[0].columns


def test_settings_and_columns_are_kept_whatever_they_hold():
    (spectrum,) = read(FILES["one_segment.par"].content)
    vendor = spectrum.metadata["vendor"]
    assert vendor["Instrument"]["Options"] == "FRA, EIS <Filter:Normal>"
    assert vendor["Action0"]["Limits1,Direction"] == "<"
    assert vendor["techniques"] == ["Common", "Potentiostatic EIS"]
    assert set(spectrum.columns) >= {"time_s", "e_dc_v", "i_dc_a", "e_set_v", "status"}


def test_the_last_name_is_a_column_if_the_rows_have_it():
    (spectrum,) = read(par(segment(1, [row + ",7" for row in ROWS])))
    assert len(spectrum) == 29


@pytest.mark.parametrize(
    "content", [b"<Application>\n</Application>", b"<?xml version='1.0'?>", b"VersaStudio", b"<Segment1>\n1,2,3"]
)
def test_files_of_others_are_not_claimed(content):
    assert not versa_studio.recognises(source(content))


def test_the_real_file_gives_the_numbers_known_for_it():
    name = "impedance.py/exampleDataVersaStudio.par"
    (spectrum,) = versa_studio.read(load(real_file(name)))
    assert_as_known(spectrum, name)
    assert spectrum.metadata["acquired"] == "Thursday, July 19, 2018 9:40:30 AM"
