"""Stored results: whole or not there, read back to the bit, and every fault named by its key path."""

import json
import math
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eis.document import MAX_BYTES, document, read_results, write_results
from eis.errors import StoreError
from tests.assessment_factory import assessment, near_the_limit, not_resolved


def stored(tmp_path, change=lambda content: None):
    """Write a good result, change its content, and return the path."""
    path = tmp_path / "result.json"
    write_results(path, [assessment()])
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return path


def set_at(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        if value is KeyError:
            del content[keys[-1]]
        else:
            content[keys[-1]] = value

    return change


EVIDENCE = ("results", 0, "evidence")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_at("schema", value="eis.check/9"), "schema is 'eis.check/9'"),
        (set_at("schema", value=KeyError), "schema is None"),
        (set_at("results", value=3), "a list at results"),
        (set_at("results", value=[3]), "results[0].evidence"),
        (set_at(*EVIDENCE, value=KeyError), "results[0].evidence"),
        (
            set_at(*EVIDENCE, "fit", "parameters", 0, "value", value="x"),
            "results[0].evidence.fit.parameters[0].value",
        ),
        (
            set_at(*EVIDENCE, "fit", "parameters", 0, "fixed", value=1),
            "results[0].evidence.fit.parameters[0].fixed",
        ),
        (set_at(*EVIDENCE, "fit", "weight", value=None), "results[0].evidence.fit.weight"),
        (set_at(*EVIDENCE, "fit", "covariance", value=[[1.0], [1.0, 2.0]]), "results[0].evidence.fit.covariance"),
        (set_at(*EVIDENCE, "judgement", "verdict", value="GREAT"), "results[0].evidence.judgement.verdict"),
        (set_at(*EVIDENCE, "judgement", "findings", 1, "reading", value="sheet"), "findings[1].reading"),
        (set_at(*EVIDENCE, "validity", "verdict", value="fine"), "results[0].evidence.validity.verdict"),
        (set_at(*EVIDENCE, "spectrum", "quality", value=[0.5]), "results[0].evidence.spectrum.quality"),
        (set_at(*EVIDENCE, "spectrum", "all_z_ohm", value={"real": [1.0], "imag": []}), "as many imaginary"),
        (set_at(*EVIDENCE, "spectrum", "all_frequency_hz", 3, value=-1), "results[0].evidence.spectrum"),
        (set_at(*EVIDENCE, "cell", "area_cm2", value=-1), "area_cm2 is -1"),
        (set_at(*EVIDENCE, "cell", "colour", value="red"), "results[0].evidence.cell.colour"),
        (set_at(*EVIDENCE, "fit", "chi2", value=10**400), "results[0].evidence.fit.chi2"),
        (set_at(*EVIDENCE, "fit", "frequency_hz", value=[1.0]), "results[0].evidence.fit.z_ohm"),
        (set_at(*EVIDENCE, "fit", "frequency_hz", 3, value=None), "results[0].evidence.fit.frequency_hz"),
        (set_at(*EVIDENCE, "fit", "covariance", value=[[1.0]]), "results[0].evidence.fit.covariance"),
        (set_at(*EVIDENCE, "fit", "free", 0, value="R9"), "results[0].evidence.fit.free"),
        (set_at(*EVIDENCE, "fit", "arcs", 0, "second", value="R9"), "results[0].evidence.fit.arcs"),
        (set_at(*EVIDENCE, "fit", "series_resistance", value=["R9"]), "evidence.fit.series_resistance"),
        (set_at(*EVIDENCE, "validity", "residual_real", value=[1.0]), "evidence.validity.residual_real"),
        (set_at(*EVIDENCE, "validity", "residual_imag", value=[[1.0]]), "evidence.validity.residual_imag"),
    ],
)
def test_a_fault_is_named_by_its_key_path(tmp_path, change, words):
    with pytest.raises(StoreError) as caught:
        read_results(stored(tmp_path, change))
    assert words in str(caught.value)
    assert "result.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_a_result_is_refused(tmp_path, content):
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(StoreError):
        read_results(path)


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path):
    with pytest.raises(StoreError, match="no such file"):
        read_results(tmp_path / "none.json")
    with pytest.raises(StoreError, match="no such file"):
        read_results(tmp_path)
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(StoreError, match="too large"):
        read_results(huge)


def test_a_number_too_large_for_a_double_is_refused(tmp_path):
    path = stored(tmp_path)
    path.write_text(path.read_text("utf-8").replace('"chi2": 0.000132', '"chi2": 1e999'), "utf-8")
    with pytest.raises(StoreError, match=r"evidence\.fit\.chi2"):
        read_results(path)


def test_metadata_that_are_no_plain_values_are_refused_by_their_key_path_and_leave_nothing(tmp_path):
    one = assessment()
    odd = replace(one, spectrum=one.spectrum.with_metadata(vendor={"tags": [1, {2}]}))
    with pytest.raises(StoreError, match=r"results\[1\]\.evidence\.spectrum\.metadata\.vendor\.tags\[1\]"):
        write_results(tmp_path / "result.json", [one, odd])
    assert list(tmp_path.iterdir()) == []


def test_metadata_of_numpy_dates_and_paths_become_plain_values(tmp_path):
    one, path = assessment(), tmp_path / "result.json"
    more = {"cycle": np.int64(3), "when": datetime(2026, 1, 2, tzinfo=UTC), "from": Path("a"), "row": np.arange(2)}
    write_results(path, [replace(one, spectrum=one.spectrum.with_metadata(**more))])
    (again,) = read_results(path)
    known = {key: again.spectrum.metadata[key] for key in more}
    assert known == {"cycle": 3, "when": "2026-01-02 00:00:00+00:00", "from": "a", "row": [0, 1]}


def test_a_file_name_that_is_no_utf8_survives(tmp_path):
    path = tmp_path / "result.json"
    write_results(path, [assessment(name="cell_\udcff.mpt")])
    (again,) = read_results(path)
    assert again.spectrum.name == "cell_\udcff.mpt"


def test_a_failed_write_keeps_the_result_that_was_there(tmp_path):
    path = stored(tmp_path)
    before = path.read_bytes()
    one = assessment()
    with pytest.raises(StoreError):
        write_results(path, [replace(one, spectrum=one.spectrum.with_metadata(x=object()))])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_result_is_as_readable_as_any_other_file(tmp_path):
    (tmp_path / "other").touch()
    assert stored(tmp_path).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_result_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        write_results(tmp_path / "no" / "result.json", [assessment()])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [assessment, near_the_limit, not_resolved])
def test_what_is_read_back_is_what_was_written_to_the_bit(tmp_path, make):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    one = make()
    write_results(first, [one])
    (again,) = read_results(first)
    write_results(second, [again])
    assert first.read_bytes() == second.read_bytes()
    assert np.array_equal(again.spectrum.all_z_ohm, one.spectrum.all_z_ohm, equal_nan=True)
    assert np.array_equal(again.fit.covariance, one.fit.covariance, equal_nan=True)
    assert again.judgement.verdict is one.judgement.verdict
    assert type(again.judgement.findings) is tuple


@settings(max_examples=30, deadline=None)
@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_survives_the_way_through_a_file(tmp_path_factory, value):
    from tests.assessment_factory import finding

    path = tmp_path_factory.mktemp("store") / "result.json"
    write_results(path, [assessment(findings=(finding(value=value),))])
    (again,) = read_results(path)
    got = again.judgement.findings[0].value
    assert got == value or (math.isnan(got) and math.isnan(value))


def test_a_document_has_its_schema_and_version():
    assert document("fit", [{"file": "a"}])["schema"] == "eis.fit/1"
    assert document("fit", [])["version"]


def test_the_stored_file_is_a_check_document_other_programs_can_read(tmp_path):
    path = tmp_path / "result.json"
    write_results(path, [not_resolved()])
    content = json.loads(path.read_text("utf-8"))
    assert content["schema"] == "eis.check/1"
    entry = content["results"][0]
    assert entry["verdict"] == "NOT_RESOLVED"
    assert {
        "quantity",
        "reading",
        "value",
        "u",
        "unit",
        "limit",
        "k",
        "p_conform",
        "rule",
        "acceptance_limit",
    } <= set(entry["findings"][0])
    assert {"name", "r_ohm", "u_r_ohm", "c_f", "f0_hz", "asr_ohm_cm2", "process", "confidence"} <= set(
        entry["arcs"][0]
    )
