"""Workbooks and arrays: hostile ones are refused quickly, sound ones read."""

from __future__ import annotations

import io
import pickle
import re
import struct
import time
import zipfile

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import columns, numpy_array, spreadsheet
from eis.readers.source import Source
from tests.vendors.numpy_array import F, Z, saved
from tests.vendors.spreadsheet import FILES, MAIN, RECTANGULAR, rows, workbook

QUICK_S = 0.1
"""No hostile workbook takes longer to refuse."""


@pytest.fixture
def source(tmp_path):
    """Return the source of some bytes."""
    return lambda raw, name="cells.xlsx": Source(name, tmp_path / name, raw)


def fault(reader, one: Source) -> ReadError:
    assert reader.recognises(one)
    start = time.perf_counter()
    with pytest.raises(ReadError) as caught:
        reader.read(one)
    assert time.perf_counter() - start < QUICK_S
    assert caught.value.mend
    return caught.value


def with_part(name: str, text: str | bytes) -> bytes:
    """Return a workbook with one of its parts replaced."""
    old = zipfile.ZipFile(io.BytesIO(FILES["one_sheet.xlsx"].content))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for info in old.infolist():
            package.writestr(info.filename, text if info.filename == name else old.read(info))
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><worksheet>&l9;</worksheet>',
        OUTSIDE + f'<worksheet xmlns="{MAIN}"><sheetData><row><c><v>&x;</v></c></row></sheetData></worksheet>',
        "<!DOCTYPE worksheet><worksheet/>",
    ],
)
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_document_types_and_entities_are_refused(source, text, part) -> None:
    assert "document type or an entity" in str(fault(spreadsheet, source(with_part(part, text))))


def test_a_bomb_is_refused_before_it_is_unpacked(source) -> None:
    raw = workbook({"EIS": RECTANGULAR}, more=[("xl/media/zeros.bin", bytes(30 * 1024 * 1024))])
    assert "more than 200 times" in str(fault(spreadsheet, source(raw)))


def test_a_workbook_that_declares_too_much_is_refused(source) -> None:
    raw = bytearray(FILES["one_sheet.xlsx"].content)
    at = raw.rfind(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 24, 0x7FFFFFFF)
    assert "MiB" in str(fault(spreadsheet, source(bytes(raw))))


def test_a_workbook_of_very_many_files_is_refused(source) -> None:
    raw = workbook({"EIS": RECTANGULAR}, more=[(f"xl/x{n}", b"") for n in range(2500)])
    assert "2000" in str(fault(spreadsheet, source(raw)))


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "xl/../../x", "C:/x", "..\\x"])
def test_names_that_lead_out_are_refused(source, name) -> None:
    raw = workbook({"EIS": RECTANGULAR}, more=[(name, b"1")])
    assert "leads out of it" in str(fault(spreadsheet, source(raw)))


def test_a_part_that_is_there_twice_is_refused(source) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        raw = workbook({"EIS": RECTANGULAR}, more=[(SHEET, b"<worksheet/>")])
    assert "twice" in str(fault(spreadsheet, source(raw)))


@pytest.mark.parametrize(
    ("part", "text", "words"),
    [
        (SHEET, "<worksheet>", "damaged"),
        (SHEET, "<a>" * 100, "deep"),
        (SHEET, '<worksheet><row><c t="s"><v>999999</v></c></row></worksheet>', "is asked for"),
        (SHEET, "<worksheet/>", "No sheet is a table"),
        ("xl/workbook.xml", "<workbook/>", "No sheet is a table"),
        ("xl/_rels/workbook.xml.rels", "<Relationships/>", "No sheet is a table"),
        (SHEET, b'<?xml version="1.0" encoding="no-such"?><worksheet/>', "damaged"),
        (SHEET, "<worksheet>" + "<row><c><v>1</v></c></row>" * 500_000 + "</worksheet>", ""),
    ],
)
def test_a_damaged_part_is_refused(source, part, text, words) -> None:
    with pytest.raises(ReadError) as caught:
        spreadsheet.read(source(with_part(part, text)))
    assert words in str(caught.value)


def test_a_cell_far_to_the_right_costs_nothing(source) -> None:
    text = '<worksheet><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></worksheet>'
    assert "No sheet" in str(fault(spreadsheet, source(with_part(SHEET, text))))


@pytest.mark.parametrize("name", ["workbook.xml", "_rels/workbook.xml.rels", "worksheets/sheet1.xml"])
def test_a_part_that_is_missing_is_named(source, name) -> None:
    old = zipfile.ZipFile(io.BytesIO(FILES["one_sheet.xlsx"].content))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for info in old.infolist():
            if info.filename != f"xl/{name}":
                package.writestr(info.filename, old.read(info))
        package.writestr("xl/worksheets/none.xml", "")
    assert name in str(fault(spreadsheet, source(file.getvalue())))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", ".ods"),
        (b"PK\x03\x04" + bytes(26) + b"xl/workbook.bin", ".xlsb"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "Workbook".encode("utf-16-le"), ".xls"),
        (b"PK\x03\x04" + bytes(26) + b"xl/workbook.xml", "directory"),
    ],
)
def test_other_formats_are_refused_by_name(source, raw, words) -> None:
    assert words in str(fault(spreadsheet, source(raw)))


def test_other_zip_files_are_left_to_others(source) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("data.xml", "<a/>")
    assert not spreadsheet.recognises(source(file.getvalue()))


# ---------------------------------------------------------------- sound workbooks


def test_a_fault_names_the_sheet_and_the_row(source) -> None:
    bad = [RECTANGULAR[0], *RECTANGULAR[1:4], (1.0, "oops", 2.0)]
    error = fault(spreadsheet, source(workbook({"good": RECTANGULAR, "bad": bad})))
    assert "'bad', row 5" in error.what
    assert "'oops'" in error.what


STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts>'
    '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="{number}"/></cellXfs></styleSheet>'
)


def styled(number: int, code: str) -> bytes:
    """Return a workbook of which one number (B3) has a format of its own."""
    raw = workbook({"EIS": RECTANGULAR}, more=[("xl/styles.xml", STYLES.format(number=number, code=code))])
    old, file = zipfile.ZipFile(io.BytesIO(raw)), io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for info in old.infolist():
            text = old.read(info).decode()
            if info.filename == SHEET:
                assert '<c r="B3"><v>' in text
                text = text.replace('<c r="B3"><v>', '<c r="B3" s="1"><v>')
            package.writestr(info.filename, text)
    return file.getvalue()


@pytest.mark.parametrize(
    ("number", "code"),
    [(14, "0"), (16, "0"), (17, "0"), (22, "0"), (46, "0"), (164, "d/m/yyyy"), (164, "[$-407]mmm\\ yy;@")],
)
def test_a_number_the_spreadsheet_took_for_a_date_is_refused(source, number, code) -> None:
    error = fault(spreadsheet, source(styled(number, code)))
    assert "'EIS', row 3" in error.what
    assert "a date or a time" in error.what


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (0, "0"),
        (2, "0"),
        (11, "0"),
        (164, "0.00E+00"),
        (164, "0.0&quot; days&quot;"),
        (164, "[Red]0.00"),
        (999, "0"),
    ],
)
def test_a_number_in_a_format_of_numbers_is_a_number(source, number, code) -> None:
    (spectrum,) = spreadsheet.read(source(styled(number, code)))
    np.testing.assert_array_equal(spectrum.z_ohm, Z)


@pytest.mark.parametrize(("stored", "said"), [("1", "TRUE"), ("0", "FALSE")])
def test_true_and_false_are_no_numbers(source, stored, said) -> None:
    text = zipfile.ZipFile(io.BytesIO(workbook({"EIS": RECTANGULAR}))).read(SHEET).decode()
    text = re.sub('<c r="B3"><v>[^<]*</v>', f'<c r="B3" t="b"><v>{stored}</v>', text)
    assert f"'{said}'" in str(fault(spreadsheet, source(with_part(SHEET, text))))


def test_formulas_are_not_computed(source) -> None:
    raw = workbook({"EIS": RECTANGULAR})
    text = (
        zipfile.ZipFile(io.BytesIO(raw)).read(SHEET).decode().replace('<c r="B3"><v>', '<c r="B3"><f>1+1</f><x>')
    )
    text = text.replace('</v></c><c r="C3">', '</x></c><c r="C3">', 1)
    assert "formula without a value" in str(fault(spreadsheet, source(with_part(SHEET, text))))


def test_sheets_without_a_table_are_named(source) -> None:
    spectra = spreadsheet.read(source(FILES["several_sheets.xlsx"].content))
    assert [one.metadata["sheet"] for one in spectra] == ["before", "after"]
    assert "'Notes'" in spectra[0].metadata["dropped"][0]


def test_columns_may_be_named_in_a_workbook(source) -> None:
    odd = rows(("a", "b", "c"), Z.real, -Z.imag, F)
    found = spreadsheet.read_mapped(source(workbook({"x": odd})), columns.parse("frequency=c,real=a,imag=-b"))
    np.testing.assert_array_equal(found[0].z_ohm, Z)
    assert found[0].metadata["sheet"] == "x"


def test_two_tables_below_each_other_are_two_spectra(source) -> None:
    one, other = spreadsheet.read(source(workbook({"x": [*RECTANGULAR, ("again",), *RECTANGULAR]})))
    assert (one.metadata["table"], other.metadata["table"]) == (1, 2)
    np.testing.assert_array_equal(one.z_ohm, other.z_ohm)


def test_empty_rows_and_notes_beside_the_table_do_not_matter(source) -> None:
    table = [(*row, "see book 7" if n == 3 else None) for n, row in enumerate(RECTANGULAR)]
    table.insert(9, ())
    (spectrum,) = spreadsheet.read(source(workbook({"x": table})))
    np.testing.assert_array_equal(spectrum.z_ohm, Z)


# ---------------------------------------------------------------- arrays


def header(text: str, data: bytes = b"") -> bytes:
    raw = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + data


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n", pickle.dumps([1])), "unpickled"),
        (header("{'descr': [('f', '<f8')], 'fortran_order': False, 'shape': (3,), }\n"), "unpickled"),
        (header("__import__('os').abort()"), "unpickled"),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999, 999999999, 3), }\n"),
            "there are 0",
        ),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", bytes(8)), "shape ()"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }\n", bytes(64)), "is not f and Z"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }\n"), "is not f and Z"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "header"),
        (b"\x93NUMPY", "header"),
        (b"\x93NUMPY\x09\x00\x00\x00", "header"),
        (saved(np.ones((3, 3))).content, "which way"),
        (saved(np.array([[1j, 2j], [1, 2], [3, 4]])).content, "imaginary part"),
        (saved(np.column_stack([F, Z.real, np.full(F.size, np.nan)])).content, "finite"),
        (saved(np.column_stack([-F, Z.real, Z.imag])).content, "above 0 Hz"),
    ],
)
def test_an_array_that_is_no_spectrum_is_refused(source, raw, words) -> None:
    assert words in str(fault(numpy_array, source(raw, "a.npy")))


def test_an_array_says_what_it_was_taken_for(source) -> None:
    (spectrum,) = numpy_array.read(source(saved(np.array([F, Z])).content, "a.npy"))
    assert "Nothing names the numbers" in spectrum.metadata["converted"][0]
    np.testing.assert_array_equal(spectrum.z_ohm, Z)
