"""A file nobody recognises is told which formats it is nearest to, and what of each is missing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import READERS, Source, own, read
from eis.readers.marks import MOST_NAMED, nearest
from eis.spectrum import Spectrum
from tests.vendors import files

FILES = {name: written.content for name, (_, written) in files().items()}
FILES["own.csv"] = b"# eis_schema: eis.spectrum/1\nfrequency_hz,z_real_ohm,z_imag_ohm\n1e3,2,-1\n"
KNOWN = {reader.__name__.rsplit(".", 1)[-1]: reader for reader in READERS}  # type: ignore[attr-defined]

DAMAGED = {
    "own": ("own.csv", b"# eis_schema", b"# eis_scheme"),
    "ec_lab_binary": ("version_3_short.mpr", b"BIO-LOGIC", b"BIO_LOGIC"),
    "ec_lab": ("peis.mpt", b"EC-Lab ASCII", b"EC-Lab UTF-8"),
    "gamry": ("eispot.dta", b"EXPLAIN", b"EXPL\0IN"),
    "zplot": ("zplot2_tabs.z", b"ZPLOT2 ASCII", b"ZPLOT2 ASXII"),
    "autolab": ("z60w.txt", b"Z60W Data File", b"Z60W Date File"),
    "ch_instruments": ("chi660.txt", b"A.C. Impedance", b"A.C. Impedence"),
    "parstat": ("parstat.txt", b"Zre (ohms)", b"Zre (ohm\xff)"),
    "powersuite": ("powersuite.txt", b"Zimg", b"Zimq"),
    "eco_chemie": ("fra.dfr", b"VERSION", b"VERSIOM"),
    "elchemea": ("elchemea.i2b", b"\r\n29\r\n", b"\r\n29 points\r\n"),
    "versa_studio": ("one_segment.par", b"<Application>", b"<Applikation>"),
    "zahner": ("falling.ism", b"\x00\x00\xff\xff\xff", b"\x00\x01\xff\xff\xff"),
    "palmsens_session": ("plain.pssession", "{".encode("utf-16-le"), "[".encode("utf-16-le")),
    "ps_trace": ("ps_trace.csv", "Date and time:".encode("utf-16-le"), "Date and clock".encode("utf-16-le")),
    "novocontrol": ("windeta_zs.txt", b"Freq.", b"Freq,"),
    "relaxis": ("relaxis.txt", b"RelaxIS 3", b"RelaxIT 3"),
    "ivium": ("ivium.idf", bytes(16), bytes(15) + b"\1"),
    "bridge_csv": ("e4990a_r_x.csv", b"BEGIN CH1", b"BEGIN C#1"),
    "bdf": ("machine_readable.bdf.csv", b"frequency_hertz", b"frequency_hurtz"),
    "spreadsheet": ("one_sheet.xlsx", b"PK\x03\x04", b"PK\x03\x05"),
    "numpy_array": ("columns.npy", b"\x93NUMPY", b"\x92NUMPY"),
    "table": ("table_comma.csv", b"\n1.000000000e+06", b"\nabove a million"),
}
"""File of each reader, its first mark there, and what a damage makes of it."""


def damaged(name: str) -> Source:
    """Return the file of a reader with its first mark spoiled; its suffix says nothing."""
    file, mark, instead = DAMAGED[name]
    assert mark in FILES[file]
    return Source("cell.bin", Path("cell.bin"), FILES[file].replace(mark, instead, 1))


def test_every_reader_has_marks_and_stands_in_the_table():
    assert DAMAGED.keys() == KNOWN.keys()
    assert all(reader.MARKS and all(mark.said for mark in reader.MARKS) for reader in READERS)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_with_its_first_mark_damaged_names_its_format_among_the_nearest(name):
    said = nearest(damaged(name), READERS)
    assert len(said) == MOST_NAMED
    assert [one for one in said if one.startswith(f"{KNOWN[name].NAME}: ")]


@pytest.mark.parametrize("name", sorted(set(DAMAGED) - {"table", "palmsens_session"}))
def test_what_is_said_to_be_missing_is_the_mark_that_was_damaged(name):
    said = next(one for one in nearest(damaged(name), READERS) if one.startswith(f"{KNOWN[name].NAME}: "))
    assert f"no {KNOWN[name].MARKS[0].said}" in said


@pytest.mark.parametrize("name", sorted(set(DAMAGED) - {"own", "table"}))
def test_all_marks_of_a_format_are_in_its_own_file(name):
    source = Source("cell.bin", Path("cell.bin"), FILES[DAMAGED[name][0]])
    said = next(one for one in nearest(source, [KNOWN[name]]))
    assert said == f"{KNOWN[name].NAME}: its words are there, but not where they belong"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("cell.dta", b"EXPLAIM\r\nTAG\tEISPOT\r\nZCURVE\tTABLE\r\n", "Gamry DTA: no EXPLAIN at the beginning; "),
        ("cell.mpr", b"\0" * 9 + bytes(range(256)), "BioLogic EC-Lab binary: no words BIO-LOGIC MODULAR FILE"),
        ("cell.txt", b"nothing that is known", "table of impedance: no row of numbers, no heading of a frequency"),
    ],
)
def test_the_error_names_three_formats_and_what_each_lacks(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match="No reader recognises") as error:
        read(tmp_path / name)
    near = str(error.value).partition("The nearest formats: ")[2].partition(". These are read: ")[0]
    assert near.startswith(expected)
    assert len(near.split("; ")) == MOST_NAMED
    assert all(": no " in one for one in near.split("; "))


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(7).bytes(8_000_000),
        b"\n" * 8_000_000,
        b" \n" * 4_000_000,
        b"\n" + b"1" * 8_000_000,
        b"\n1 1" * 2_000_000 + b"\0",
        b"- \t" * 2_000_000,
        "\n1\r".encode("utf-16") * 1_000_000,
    ],
    ids=["random", "empty lines", "spaces", "one number", "numbers", "signs", "utf-16"],
)
def test_rubbish_of_any_kind_is_compared_in_no_time(content):
    source = Source("cell.bin", Path("cell.bin"), content)
    assert len(source.head) <= 20_000  # decoding is no part of it
    before = time.process_time()
    said = nearest(source, READERS)
    assert time.process_time() - before < 0.1
    assert len("; ".join(said)) < 1000


def test_a_spoiled_netcdf_file_is_said_to_be_nearly_one_of_ours(tmp_path):
    from eis import archive

    path = tmp_path / "cell.nc"
    archive.write(Spectrum.of([1e3, 1.0], [1 - 1j, 2 - 1j]), path)
    spoiled = path.read_bytes().replace(b"\x89HDF", b"\x09HDF", 1)
    said = nearest(Source("cell.bin", Path("cell.bin"), spoiled), READERS)
    assert [one for one in said if one.startswith(own.NAME)]
