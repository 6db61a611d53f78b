"""Binary files of EC-Lab: every size is checked, and what is not known is refused with its number."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import ec_lab, ec_lab_binary
from eis.readers.source import Source, load
from eis.spectrum import Quality
from tests.real_data import FOLDER, real_file
from tests.vendors import FREQUENCY, cell
from tests.vendors.ec_lab_binary import FILES, MAGIC, module, mpr, peis

Z = cell(FREQUENCY)
PLAIN = FILES["version_2_short.mpr"].content
NEWER = FILES["version_11_long.mpr"].content


def read(content: bytes):
    return ec_lab_binary.read(Source("cell.mpr", Path("cell.mpr"), content))


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(content)
    assert caught.value.line is None
    return caught.value


def data_at(content: bytes) -> int:
    """Return where the content of the data module begins."""
    header = content.index(b"MODULEVMP data")
    return header + (65 if content[header + 41 : header + 45] == b"\xff" * 4 else 57)


def test_an_unknown_column_is_refused_with_its_number_and_the_other_way():
    error = fault(mpr(11, [*peis(FREQUENCY, Z)[:3], (999, 1.0)], long_length=True))
    assert "id 999 behind -Im(Z)/Ohm is unknown" in error.what
    assert ".mpt" in error.mend


@pytest.mark.parametrize("version", [0, 1, 4, 12, 255])
def test_an_unknown_version_is_refused_with_the_known_ones(version):
    at = data_at(PLAIN) - 12
    error = fault(PLAIN[:at] + struct.pack("<I", version) + PLAIN[at + 4 :])
    assert f"version {version}; the known ones are 2, 3, 10, 11" in error.what


@pytest.mark.parametrize("content", [PLAIN, NEWER], ids=["2", "11"])
@pytest.mark.parametrize("n", [28, 30, 4_000_000_000])
def test_rows_that_do_not_fill_the_module_are_refused(content, n):
    at = data_at(content)
    error = fault(content[:at] + struct.pack("<I", n) + content[at + 4 :])
    assert f"{n} rows of 72 bytes" in error.what
    assert "damaged" in error.mend


@pytest.mark.parametrize(("content", "most"), [(PLAIN, 200), (NEWER, 500)], ids=["2", "11"])
@pytest.mark.parametrize("n", [0, 1])
def test_columns_that_have_no_room_are_refused(content, most, n):
    at = data_at(content) + 4
    count = (n * (most + 1)).to_bytes(1 if most == 200 else 2, "little")
    assert "columns" in fault(content[:at] + count + content[at + len(count) :]).what


def test_a_version_taken_for_another_is_refused():
    at = data_at(PLAIN) - 12
    fault(PLAIN[:at] + struct.pack("<I", 3) + PLAIN[at + 4 :])


def test_a_file_without_rows_says_so():
    assert "no data rows" in fault(mpr(3, peis(FREQUENCY[:0], Z[:0]), n=0, long_length=False)).what


def test_a_file_of_another_technique_says_which():
    content = mpr(3, [(4, 0.0), (6, 0.1), (8, 1e-3)], long_length=False, technique=6)
    assert "the technique is 'CV'" in fault(content).what


def test_a_file_without_a_data_module_shows_those_it_has():
    content = MAGIC + module("VMP Set", "VMP settings", 0, bytes(600), long_length=False)
    assert "found 0; the modules are 'VMP Set'" in fault(content).what
    assert "found 0" in fault(MAGIC).what


def test_two_data_modules_are_not_guessed_at():
    start = PLAIN.index(b"MODULEVMP data")
    assert "found 2" in fault(PLAIN + PLAIN[start : PLAIN.index(b"MODULEVMP LOG")]).what


def test_what_stands_between_modules_is_found_with_its_place():
    assert f"byte {len(PLAIN)}" in fault(PLAIN + b"rubbish").what
    assert "more than 64 modules" in fault(PLAIN + 80 * module("X", "X", 0, b"", long_length=False)).what


def test_a_file_cut_in_its_rows_keeps_the_whole_ones_and_says_so():
    end = data_at(PLAIN) + 405 + 10 * 72 + 5
    (spectrum,) = read(PLAIN[:end])
    assert len(spectrum) == 10
    np.testing.assert_allclose(spectrum.z_ohm, Z[:10], rtol=1e-6)
    assert spectrum.metadata["status"] == "truncated"
    assert "19 of 29 rows" in spectrum.metadata["dropped"][0]
    assert "before the first of its 29 rows" in fault(PLAIN[: data_at(PLAIN) + 410]).what
    assert "takes 405" in fault(PLAIN[: data_at(PLAIN) + 100]).what


def test_a_file_cut_behind_its_rows_says_so():
    (spectrum,) = read(PLAIN[:-100])
    assert len(spectrum) == 29
    assert spectrum.metadata["status"] == "truncated"
    assert "module number 3" in spectrum.metadata["warnings"][0]
    assert spectrum.metadata["acquired"] == "2024-02-13T10:22:46.125"
    (spectrum,) = read(PLAIN[: PLAIN.index(b"MODULEVMP LOG") + 9])
    assert spectrum.metadata["acquired"] == "02/13/24"


def test_a_modulus_that_contradicts_its_parts_is_refused():
    columns = dict(peis(FREQUENCY, Z))
    columns[36] = np.where(np.arange(29) == 6, 1.01, 1.0) * np.abs(Z)
    assert "first in row 7" in fault(mpr(2, list(columns.items()), long_length=False)).what


def test_a_column_twice_must_hold_the_same():
    columns = peis(FREQUENCY, Z)
    assert len(read(mpr(2, [*columns, (37, Z.real)], long_length=False))) == 1
    assert "they differ" in fault(mpr(2, [*columns, (37, 2 * Z.real)], long_length=False)).what


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused_where_it_is_needed_and_noted_elsewhere(value):
    row = np.arange(29) == 8
    columns = dict(peis(FREQUENCY, Z)) | {37: np.where(row, value, Z.real)}
    assert "row 9" in fault(mpr(2, list(columns.items()), long_length=False)).what
    columns = dict(peis(FREQUENCY, Z)) | {4: np.where(row, value, 1.0)}
    (spectrum,) = read(mpr(2, list(columns.items()), long_length=False))
    assert f"time/s: row 9 holds {value}" in spectrum.metadata["dropped"][0]
    columns = dict(peis(np.where(row, 0, FREQUENCY), Z)) | {37: np.where(row, value, Z.real), 36: 0.0}
    del columns[36]
    assert len(read(mpr(2, list(columns.items()), long_length=False))[0]) == 28  # a DC step may hold anything


@pytest.mark.parametrize("starts", [[0, 0], [5, 3], [0, 1000]])
def test_loops_that_cannot_be_are_not_used_and_that_is_said(starts):
    (spectrum,) = read(mpr(2, peis(FREQUENCY, Z), long_length=False, loops=starts))
    assert "do not rise" in spectrum.metadata["warnings"][0]


def test_loops_that_have_no_room_are_not_used_and_that_is_said():
    content = mpr(2, peis(FREQUENCY, Z), long_length=False, loops=[0])
    (spectrum,) = read(content[:-8] + b"\xff" * 4 + content[-4:])
    assert "no room" in spectrum.metadata["warnings"][0]


def test_one_loop_is_not_worth_a_word():
    assert "loop" not in read(mpr(2, peis(FREQUENCY, Z), long_length=False, loops=[0]))[0].metadata


def test_the_error_mark_becomes_a_flag():
    marks = np.where(np.arange(29) == 5, 0b1010, 0b0010)
    (spectrum,) = read(mpr(3, [(1, marks), (3, marks), *peis(FREQUENCY, Z)], long_length=False))
    assert list(np.flatnonzero(spectrum.quality)) == [5]
    assert spectrum.quality[5] == Quality.OVERLOAD_WARNING


def test_an_unknown_technique_keeps_its_number():
    content = mpr(2, peis(FREQUENCY, Z), long_length=False, technique=200)
    assert read(content)[0].metadata["vendor"]["technique"] == "number 200"


@pytest.mark.parametrize("content", [b"", b"BIO-LOGIC", b"BIO-LOGIC MODULAR FILE\n1,2", MAGIC[:51]])
def test_files_of_others_are_not_claimed(content):
    assert not ec_lab_binary.recognises(Source("a.mpr", Path("a.mpr"), content))


def canonical() -> list[dict[str, str]]:
    if not (FOLDER / "CANONICAL.tsv").is_file():
        return []
    with (FOLDER / "CANONICAL.tsv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["path"].endswith(".mpr")]


@pytest.mark.parametrize("row", canonical() or [None], ids=lambda row: row["path"] if row else "not here")
def test_real_files_give_the_numbers_known_for_them(row):
    if row is None:
        pytest.skip("the collection of real files is not on this machine")
    (spectrum,) = ec_lab_binary.read(load(real_file(row["path"])))
    f, z = spectrum.all_frequency_hz, spectrum.all_z_ohm
    assert f.size == int(row["n"])
    assert spectrum.metadata["warnings"] == spectrum.metadata["dropped"] == []
    found = [f[0], z[0].real, z[0].imag, f[-1], z[-1].real, z[-1].imag]
    names = ["f_first", "re_first", "im_first", "f_last", "re_last", "im_last"]
    np.testing.assert_allclose(found, [float(row[name]) for name in names], rtol=1e-12)
    mean = np.log10(np.abs(z.astype(np.complex64))).mean()  # the table's mean was taken in single precision
    np.testing.assert_allclose(mean, float(row["mean_log10_absZ"]), rtol=1e-6)


def test_a_real_file_equals_its_export_as_text():
    name = "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C"
    (binary,) = ec_lab_binary.read(load(real_file(f"{name}.mpr")))
    (text,) = ec_lab.read(load(real_file(f"{name}.txt")))
    np.testing.assert_allclose(binary.z_ohm, text.z_ohm, rtol=1e-7)
    np.testing.assert_allclose(binary.frequency_hz, text.frequency_hz, rtol=1e-7)
    for column in ("time_s", "e_dc_v", "i_dc_a"):
        np.testing.assert_allclose(binary.columns[column], text.columns[column], rtol=1e-7)
    assert text.metadata["acquired"] == "05/15/2025 01:18:45.867"
    assert binary.metadata["acquired"] == "2025-05-15T01:18:45.867"
    assert binary.metadata["cycle"] == text.metadata["cycle"] == 1
