"""Sessions and CSV of PalmSens: every channel and scan once, the sign turned, nothing guessed."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import palmsens_session, ps_trace
from eis.readers.palmsens_curves import scan_of_rows
from eis.readers.source import Source, load
from eis.spectrum import Quality
from tests.real_data import real_file
from tests.real_numbers import assert_as_known
from tests.vendors import FREQUENCY, cell
from tests.vendors import palmsens_session as saved
from tests.vendors import ps_trace as exported

Z = cell(FREQUENCY)
TITLE = "CH 7: 29 freqs"


def session(raw: bytes):
    return palmsens_session.read(Source("cell.pssession", Path("cell.pssession"), raw))


def table(raw: bytes):
    return ps_trace.read(Source("cell.csv", Path("cell.csv"), raw))


def fault(read, raw: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(raw)
    return caught.value


def plain(**changed) -> dict:
    """Return the data set of one curve; `changed` replaces an array's keys, or takes the array away with None."""
    data = copy.deepcopy(saved.PLAIN)
    for name, change in changed.items():
        (array,) = (one for one in data["Values"] if one["Description"] == name)
        if change is None:
            data["Values"].remove(array)
        else:
            array.update(change)
    return data


def spoilt(**changed) -> ReadError:
    data = plain(**changed)
    return fault(session, saved.session(saved.measurement(data, [saved.curve(TITLE, data)])))


@pytest.mark.parametrize("name", ["ZRe", "ZIm"])
def test_a_session_without_an_array_says_which_and_where(name):
    error = spoilt(**{name: None})
    assert f"no array {name} in measurement 1, {TITLE!r}" in error.what


@pytest.mark.parametrize("value", [None, "1.5", True, float("nan"), float("inf"), 10**400, [[[1]]], {}])
def test_a_value_that_is_no_number_is_refused_with_its_place(value):
    values = [{"V": 1.0} for _ in FREQUENCY]
    values[4] = {"V": value}
    assert "as value 5 of ZRe of measurement 1" in spoilt(ZRe={"DataValues": values}).what


def test_an_array_that_is_too_short_is_refused():
    assert "29 frequencies and 28 values of ZIm" in spoilt(ZIm={"DataValues": [{"V": 1.0}] * 28}).what


@pytest.mark.parametrize("unit", ["PalmSens.Units.OhmSquareCentimetre", "PalmSens.Units.Volt", "", None, 3])
def test_an_unknown_unit_is_refused(unit):
    assert "does not tell ohm" in spoilt(ZRe={"Unit": {"Type": unit, "Q": "Z'"}}).what


def test_a_quantity_that_does_not_tell_the_sign_is_refused():
    unit = {"Type": "PalmSens.Units.ZIm", "Q": "Z"}
    assert "does not tell its sign" in spoilt(ZIm={"Unit": unit}).what


def test_a_unit_with_a_prefix_is_converted_and_a_turned_sign_is_believed():
    data = plain(
        ZRe={"Unit": {"Type": "PalmSens.Units.KiloOhm", "Q": "Z'"}},
        ZIm={"Unit": {"Type": "PalmSens.Units.MilliOhm", "Q": "Z''"}},
    )
    (spectrum,) = session(saved.session(saved.measurement(data, [])))
    np.testing.assert_allclose(spectrum.z_ohm.real, 1e3 * Z.real)
    np.testing.assert_allclose(spectrum.z_ohm.imag, -1e-3 * Z.imag)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200_000, "nested too deep"),
        ("[1, 2", "no whole JSON"),
        ('{"a": ' + "9" * 5000 + "}", "a number that is none"),
        ("{} {}", "stand 2 more characters"),
        ("[]", "no JSON object"),
        ("{}", "it holds 'nothing'"),
        ('{"Measurements": [1, null, {}, {"DataSet": [], "EISDataList": {"a": 1}}]}', "measurement"),
    ],
)
def test_json_that_is_no_session_is_refused(text, said):
    assert said in fault(session, ("\ufeff" + text).encode("utf-16-le")).what


def test_a_session_that_is_too_long_is_refused_before_it_is_taken_apart(monkeypatch):
    monkeypatch.setattr(palmsens_session, "MAX_CHARACTERS", 1000)
    assert "no more than 1000" in fault(session, saved.FILES["plain.pssession"].content).what


def test_a_session_without_impedance_names_what_it_holds():
    raw = saved.session(saved.measurement(saved.CV, [], "Cyclic Voltammetry"))
    assert "measurement 1 ('Cyclic Voltammetry')" in fault(session, raw).what


def test_a_scan_at_one_frequency_is_no_spectrum():
    data = saved.data_set(np.full(9, 1e3), np.full(9, 3.0 - 1.0j))
    assert "at one frequency" in fault(session, saved.session(saved.measurement(data, []))).what
    raw = saved.session(saved.measurement(data, []), saved.measurement(saved.PLAIN, []))
    (spectrum,) = session(raw)
    assert "at one frequency" in spectrum.metadata["dropped"][0]


def test_the_marks_of_the_instrument_become_flags():
    marks = [{"V": 1.0, "S": {3: 1, 5: 2}.get(row, 0)} for row in range(29)]
    (spectrum,) = session(saved.session(saved.measurement(plain(Iac={"DataValues": marks}), [])))
    assert spectrum.quality[3] == Quality.OVERLOAD
    assert spectrum.quality[5] == Quality.UNDERLOAD
    assert np.count_nonzero(spectrum.quality) == 2
    assert len(spectrum.metadata["warnings"]) == 2


def test_every_channel_and_scan_is_returned_once_with_its_coordinates():
    found = session(saved.FILES["three_channels_four_scans.pssession"].content)
    places = [(one.metadata["channel"], one.metadata["scan"]) for one in found]
    assert places == [(channel, scan) for channel in (3, 4, 5) for scan in (1, 2, 3, 4)]
    assert {len(one) for one in found} == {5}
    assert [one.columns["e_set_v"][0] for one in found[:4]] == [0.0, 0.2, 0.4, 0.6]
    assert all("curve" not in one.metadata for one in found)


def test_rows_that_no_curve_of_the_list_holds_are_not_lost():
    other = saved.data_set(FREQUENCY, 2 * Z)
    found = session(saved.session(saved.measurement(other, [saved.curve(TITLE, saved.PLAIN)])))
    assert len(found) == 2
    assert "29 rows that no curve" in found[0].metadata["warnings"][0]


def test_curves_that_nothing_tells_apart_are_counted_and_empty_ones_are_named():
    curves = [
        saved.curve("", saved.PLAIN),
        saved.curve("CH 2: none", {"Values": []}),
        saved.curve("", saved.PLAIN),
    ]
    found = session(saved.session(saved.measurement(None, curves)))
    assert [one.metadata["curve"] for one in found] == [1, 2]
    assert "'CH 2: none'" in found[0].metadata["dropped"][0]


def test_the_method_the_device_and_the_units_of_the_rest_are_kept():
    (spectrum,) = session(saved.FILES["plain.pssession"].content)
    assert spectrum.metadata["vendor"]["method"] == {
        "METHOD_ID": "eis",
        "NOTES": "Dummy cell\nWE-C",
        "SCANTYPE": "2",
    }
    np.testing.assert_allclose(spectrum.columns["i_dc_a"], 0.5e-6)
    np.testing.assert_allclose(spectrum.columns["e_dc_v"], 0.0015)
    assert "time_s" not in spectrum.columns  # all are zero


@pytest.mark.parametrize("stamp", [-1, 10**30, "now", None, 0])
def test_a_time_stamp_that_is_none_is_left_out(stamp):
    (spectrum,) = session(saved.session(saved.measurement(saved.PLAIN, []) | {"TimeStamp": stamp}))
    assert "acquired" not in spectrum.metadata


def test_sessions_with_any_value_replaced_are_refused_or_sound():
    whole = saved.FILES["plain.pssession"].content.decode("utf-16").rstrip("\ufeff")
    values = [None, True, -1, 0, 1e308, "x", "", [], {}, [[]], {"V": 1}, float("nan"), 10**50, "\ud800"]
    counted = {"refused": 0, "read": 0}
    for seed in range(250):
        chance = random.Random(seed)
        tree = json.loads(whole)
        for _ in range(chance.choice([1, 1, 3])):
            at = tree
            for _ in range(chance.randrange(1, 9)):
                keys = list(at) if isinstance(at, dict) else list(range(len(at)))
                if not keys:
                    break
                key = chance.choice(keys)
                if not isinstance(at[key], (dict, list)) or chance.random() < 0.1:
                    at[key] = chance.choice(values)
                    break
                at = at[key]
        try:
            found = session(json.dumps(tree).encode("utf-16-le"))
        except ReadError:
            counted["refused"] += 1
            continue
        counted["read"] += 1
        for one in found:
            assert np.isfinite(one.z_ohm).all()
            json.dumps(dict(one.metadata))
    assert min(counted.values()) > 20


def test_the_real_session_gives_the_numbers_known_for_it():
    name = "palmsens-sdk/eis_5freq.pssession"
    (spectrum,) = palmsens_session.read(load(real_file(name)))
    assert_as_known(spectrum, name)
    assert spectrum.metadata["channel"] == 7
    assert spectrum.metadata["acquired"] == "2025-07-31T15:52:46.677+02:00"


def test_scans_are_told_whichever_way_they_run():
    sweep = FREQUENCY[:6]
    assert list(scan_of_rows(np.tile(sweep, 2))) == [1] * 6 + [2] * 6
    assert list(scan_of_rows(np.repeat(sweep, 3))) == [1, 2, 3] * 6
    jitter = np.concatenate([sweep, sweep * 1.00001, sweep[:2]])
    assert list(scan_of_rows(jitter)) == [1] * 6 + [2] * 6 + [3] * 2


@pytest.mark.parametrize(
    "frequency",
    [
        FREQUENCY,
        np.r_[FREQUENCY, FREQUENCY[-2::-1]],  # down and up again
        np.r_[FREQUENCY, FREQUENCY[10]],  # one point again
        np.full(5, 1e3),
        np.array([1e3, 0.0]),
        np.array([1e3]),
    ],
)
def test_what_is_no_scan_stays_together(frequency):
    assert scan_of_rows(frequency) is None


def lines(**changed: str) -> list[str]:
    """Return the lines of a file with one curve, with texts replaced."""
    whole = "\n".join([*exported.BEGIN, *exported.CURVE])
    for old, new in changed.values():
        assert old in whole
        whole = whole.replace(old, new, 1)
    return whole.split("\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Z'' / Ohm", "Z'' / Ohm cm2", "tells no Hz or ohm"),
        ("Z' / Ohm", "Z'", "tells no Hz or ohm"),
        ("freq / Hz", "freq / Bq", "tells no Hz or ohm"),
        ("Z'' / Ohm", "Q / Ohm", "found 0"),
        ("Cs / F", "Z' / Ohm", "found 2"),
    ],
)
def test_a_name_that_does_not_tell_quantity_or_unit_is_refused_with_its_line(old, new, said):
    error = fault(table, exported.text(lines(change=(old, new))))
    assert said in error.what
    assert error.line in (7, 8)


def test_a_spoilt_row_is_refused_with_its_line_wherever_it_is_spoilt():
    for row in (0, 7, 27):
        for cell_at in range(6):
            content = [*exported.BEGIN, *exported.CURVE]
            at = len(exported.BEGIN) + 2 + row
            cells = content[at].split(",")
            cells[cell_at] = "x"
            content[at] = ",".join(cells)
            if cell_at == 2:  # the direct current is not needed
                assert len(table(exported.text(content))[0]) == 29
            else:
                assert fault(table, exported.text(content)).line == at + 1
            content[at] = "x"
            assert fault(table, exported.text(content)).line == at + 1


def test_an_empty_line_among_the_rows_loses_none():
    content = [*exported.BEGIN, *exported.CURVE]
    content.insert(12, "")
    assert len(table(exported.text(content))[0]) == 29
    content[12] = ",,,"
    assert fault(table, exported.text(content)).line == 13


@pytest.mark.parametrize("column", [1, 3])
def test_modulus_and_phase_that_contradict_the_parts_are_refused(column):
    content = [*exported.BEGIN, *exported.CURVE]
    cells = content[20].split(",")
    cells[column] = str(-1.5 * float(cells[column]))
    content[20] = ",".join(cells)
    assert fault(table, exported.text(content)).line == 21


def test_another_sign_of_the_imaginary_part_is_refused_rather_than_guessed():
    content = [*exported.BEGIN, *exported.CURVE[:2]]
    for row in exported.CURVE[2:]:
        cells = row.split(",")
        cells[5] = cells[5].removeprefix("-") if cells[5].startswith("-") else f"-{cells[5]}"
        content.append(",".join(cells))
    assert "another sign" in fault(table, exported.text(content)).mend


def test_a_file_without_impedance_names_its_measurements():
    content = ["Date and time:,2025-01-01", "Notes:", "Measurement:,Cyclic Voltammetry", "V,µA", "0.1,0.2"]
    assert "Measurement:,Cyclic Voltammetry" in fault(table, exported.text(content)).what


def test_curves_at_one_frequency_are_named_or_refused():
    fixed = ["Time scan at 1 freqs", exported.NAMES, *exported.rows(np.full(5, 1e3), np.full(5, 3.0 - 1.0j))]
    assert "at one frequency" in fault(table, exported.text([*exported.BEGIN, *fixed])).what
    (spectrum,) = table(exported.text([*exported.BEGIN, *fixed, *exported.CURVE]))
    assert spectrum.metadata["dropped"] == ["Curves at one frequency: 'Time scan at 1 freqs'."]


def test_a_count_that_does_not_agree_is_said():
    content = lines(change=("Fixed at 29", "Fixed at 31"))
    assert "says 31 frequencies" in table(exported.text(content))[0].metadata["warnings"][0]


def test_every_channel_is_returned_with_its_coordinates_and_columns():
    found = table(exported.FILES["ps_trace_stacked.csv"].content)
    assert [one.metadata["channel"] for one in found] == [1, 2, 3]
    np.testing.assert_allclose(found[2].columns["i_dc_a"], 0.25e-6)
    assert [one.metadata["scan"] for one in table(exported.FILES["ps_trace_scans.csv"].content)] == [1, 2, 3]
    twice = table(exported.text([*exported.BEGIN, *exported.CURVE, *exported.CURVE]))
    assert [one.metadata["curve"] for one in twice] == [1, 2]


@pytest.mark.parametrize(
    "content",
    ["freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm", "freq / Hz,Z' / Ohm,-Z'' / Ohm\n1,2,3", "Measurement:,x\n1,2,3", "{}", ""],
)
def test_files_of_others_are_not_claimed(content):
    source = Source("a", Path("a"), content.encode() or b" ")
    assert not ps_trace.recognises(source)
    assert not palmsens_session.recognises(source)
