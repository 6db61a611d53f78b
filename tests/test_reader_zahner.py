"""Binary files of Zahner: counts are verified against the bytes, no point is lost, a model is no spectrum."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import zahner
from eis.readers.source import Source, load
from eis.spectrum import Quality
from tests.real_data import real_file
from tests.real_numbers import assert_as_known
from tests.vendors import FREQUENCY, cell
from tests.vendors.zahner import FILES, RECORDED, TEXTS, UP_AND_DOWN, ism, settings

Z = cell(FREQUENCY)
N = FREQUENCY.size


def source(content: bytes) -> Source:
    return Source("cell.ism", Path("cell.ism"), content)


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        zahner.read(source(content))
    assert caught.value.line is None
    return caught.value


@pytest.mark.parametrize("n", [N + 25, 1_000_000, 2**24 - 1])
def test_a_count_the_bytes_do_not_hold_is_refused(n):
    error = fault(ism(FREQUENCY, Z, n=n))
    assert f"The file says {n} points" in error.what
    assert "copy it again" in error.mend


@pytest.mark.parametrize("n", [3, N - 1])
def test_a_count_that_is_too_small_is_refused(n):
    fault(ism(FREQUENCY, Z, n=n))


def test_a_negative_count_is_refused():
    content = FILES["falling.ism"].content
    assert (
        "The file says -6 points" in fault(content[:6] + (-7).to_bytes(6, "big", signed=True) + content[12:]).what
    )


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, np.nan, "frequency (Hz)"),
        (0, -1.0, "frequency (Hz)"),
        (0, np.inf, "frequency (Hz)"),
        (1, -5.0, "modulus (ohm)"),
        (1, 1e300, "modulus (ohm)"),
        (2, 45.0, "phase (rad)"),
        (2, np.nan, "phase (rad)"),
    ],
)
def test_a_number_that_cannot_be_one_is_refused_with_its_point(place, value, said):
    content = bytearray(FILES["falling.ism"].content)
    struct.pack_into(">d", content, 12 + 8 * (place * N + 6), value)
    error = fault(bytes(content))
    assert said in error.what
    assert error.what.endswith("in point 7")


def test_a_model_is_refused_by_name():
    content = b'<?xml version="1.0" encoding="UTF-8"?>\n<zahner-impedance-model name="li-ion-model.isfx">\n'
    assert zahner.recognises(source(content))
    assert "a Zahner model (.isfx)" in fault(content).what


def test_a_file_cut_behind_its_points_keeps_them_and_says_so():
    whole = FILES["recorded.ism"].content
    for cut in (12 + 34 * N, 12 + 34 * N + 1, 12 + 34 * N + 40, len(whole) - 8):
        (spectrum,) = zahner.read(source(whole[:cut]))
        assert len(spectrum) == N
        assert "end at byte" in spectrum.metadata["warnings"][0]
        assert "e_dc_v" not in spectrum.columns
    fault(whole[: 12 + 34 * N - 1])


@pytest.mark.parametrize("length", [-1, -32768, 32767])
def test_a_text_whose_length_cannot_be_is_not_read(length):
    (spectrum,) = zahner.read(source(ism(FREQUENCY, Z, behind=struct.pack(">h", length) + bytes(200))))
    assert "end at byte" in spectrum.metadata["warnings"][0]


def test_points_passed_twice_are_kept_and_the_run_through_all_frequencies_is_used():
    (spectrum,) = zahner.read(source(FILES["passed_twice.ism"].content))
    n_before = UP_AND_DOWN.size - N
    assert spectrum.all_frequency_hz.size == UP_AND_DOWN.size
    flagged = spectrum.quality == Quality.DUPLICATE
    assert sorted(spectrum.columns["acquired_order"][flagged]) == list(range(n_before))
    np.testing.assert_allclose(spectrum.frequency_hz, FREQUENCY)
    np.testing.assert_allclose(spectrum.z_ohm, Z)
    assert f"{n_before} of {UP_AND_DOWN.size} points" in spectrum.metadata["warnings"][0]


def test_a_second_pass_with_other_values_does_not_replace_the_first():
    down_up = np.r_[FREQUENCY, FREQUENCY[-2::-1]]
    z = cell(down_up) * np.r_[np.ones(N), np.full(N - 1, 2.0)]
    (spectrum,) = zahner.read(source(ism(down_up, z)))
    np.testing.assert_allclose(spectrum.z_ohm, Z)
    assert np.count_nonzero(spectrum.quality) == N - 1


def test_sweeps_that_start_over_are_spectra_of_their_own():
    found = zahner.read(source(ism(np.tile(FREQUENCY, 2), np.r_[Z, 2 * Z])))
    assert [len(one) for one in found] == [N, N]
    np.testing.assert_allclose(found[1].z_ohm, 2 * Z)


def test_times_become_seconds_from_the_first_point_and_a_date():
    (spectrum,) = zahner.read(source(FILES["falling.ism"].content))
    assert spectrum.metadata["acquired"].startswith("2024-12-30T04:26:41")
    assert spectrum.columns["time_s"][0] == 0
    assert (np.diff(spectrum.columns["time_s"]) > 0).all()


@pytest.mark.parametrize(
    "times", [np.arange(N), np.arange(N) + 1, np.zeros(N), np.full(N, np.nan), np.full(N, 1e300)]
)
def test_times_that_are_none_are_left_out_with_a_word(times):
    (spectrum,) = zahner.read(source(ism(FREQUENCY, Z, times=times.astype(float))))
    assert "time_s" not in spectrum.columns
    assert spectrum.metadata["dropped"][0].startswith("The times of the points")
    assert spectrum.metadata["acquired"] == "2024-02-13"


@pytest.mark.parametrize(("date", "said"), [("310299", "is none"), ("991399", ""), ("", ""), ("13.02.24", "")])
def test_a_date_that_is_none_is_not_taken(date, said):
    content = ism(FREQUENCY, Z, times=np.zeros(N), behind=settings((date, *TEXTS[1:])))
    (spectrum,) = zahner.read(source(content))
    assert "acquired" not in spectrum.metadata
    assert said in " ".join(spectrum.metadata["warnings"])


def test_potential_current_and_significance_are_columns():
    (spectrum,) = zahner.read(source(FILES["recorded.ism"].content))
    np.testing.assert_array_equal(spectrum.columns["e_dc_v"], RECORDED[:, 0])
    np.testing.assert_array_equal(spectrum.columns["i_dc_a"], RECORDED[:, 1])
    np.testing.assert_allclose(spectrum.columns["significance"], 0.998)
    spoilt = RECORDED.copy()
    spoilt[3] = np.nan
    (spectrum,) = zahner.read(source(ism(FREQUENCY, Z, behind=settings(recorded=spoilt))))
    assert "not all numbers" in spectrum.metadata["dropped"][0]


@pytest.mark.parametrize(
    "content", [b"\0", b"\0\0\xff\xff\xff\xfe", b"<xml>", b"BIO-LOGIC", b"\xff\xfe\0\0", b"1,2,3"]
)
def test_files_of_others_are_not_claimed(content):
    assert not zahner.recognises(source(content))


def test_the_real_file_gives_the_numbers_known_for_it():
    name = "zahner-analysis/li-ion/li-ion-battery.ism"
    (spectrum,) = zahner.read(load(real_file(name)))
    assert_as_known(spectrum, name)
    assert len(spectrum) == 128
    assert spectrum.metadata["vendor"]["comment 1"] == "Lithium Ionen Akku"
    assert spectrum.metadata["warnings"] == []


def test_the_real_model_is_refused():
    model = load(real_file("zahner-analysis/li-ion/li-ion-model.isfx"))
    assert zahner.recognises(model)
    assert "a Zahner model" in fault(model.raw).what
