"""The older text formats: what they are not, what is wrong with them, and what they hold."""

from __future__ import annotations

import csv
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import autolab, ch_instruments, eco_chemie, elchemea, parstat, powersuite, zplot
from eis.readers.source import Source, load
from eis.spectrum import Quality, Spectrum
from tests.real_data import FOLDER, real_file
from tests.vendors import FREQUENCY, Written, cell

MODULES = {
    "autolab": autolab,
    "ch_instruments": ch_instruments,
    "eco_chemie": eco_chemie,
    "elchemea": elchemea,
    "parstat": parstat,
    "powersuite": powersuite,
    "zplot": zplot,
}
VENDORS = {name: import_module(f"tests.vendors.{name}") for name in MODULES}
MORE = {key: (MODULES[name], file) for name, vendor in VENDORS.items() for key, file in vendor.MORE.items()}
REAL = {
    "impedance.py/exampleDataAutolab.txt": autolab,
    "impedance.py/exampleDataCHInstruments.txt": ch_instruments,
    "impedance.py/exampleDataParstat.txt": parstat,
    "impedance.py/exampleDataPowersuite.txt": powersuite,
    "impedance.py/exampleDataZPlot.z": zplot,
    "impedance.py/exampleDataZPlot_noComments.z": zplot,
    "impedance.py/Circuit1_EIS_1.z": zplot,
    "impedance.py/Circuit2_EIS_2.z": zplot,
    "impedance.py/Circuit3_EIS_1.z": zplot,
}


def source(content: str | bytes) -> Source:
    return Source("cell.txt", Path("cell.txt"), content if isinstance(content, bytes) else content.encode())


def read(module: ModuleType, content: str | bytes) -> list[Spectrum]:
    given = source(content)
    assert module.recognises(given)
    return module.read(given)


def fault(module: ModuleType, content: str | bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(module, content)
    return caught.value


def text(vendor: str, name: str) -> str:
    """Return a file of `tests.vendors` as text with plain line ends."""
    file: Written = {**VENDORS[vendor].FILES, **VENDORS[vendor].MORE}[name]
    return file.content.decode("utf-8-sig").replace("\r\r\n", "\n").replace("\r\n", "\n")


# ---------------------------------------------------------------- what is not a spectrum


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("ZView Circuit Model:          2.0\n  IOPT:                       0\n", "circuit model of ZView (.mdl)"),
        (
            "ZView Circuit Model:          2,0\n  ATEMP:                      293\n",
            "circuit model of ZView (.mdl)",
        ),
        ("\n  LEVM OUTPUT\n  1   0.123456D+02   0.1D-03\n", "log of a fit (.lst)"),
    ],
)
def test_what_zview_writes_beside_data_is_refused_by_name(content, words) -> None:
    error = fault(zplot, content)
    assert words in str(error)
    assert ".z file" in error.mend


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n\n",
        "frequency_hz,z_real_ohm,z_imag_ohm\n1000,10,-1\n100,11,-2\n",
        "f/Hz\tZ'/Ohm\t-Z''/Ohm\n1000\t10\t1\n100\t11\t2\n",
        "Frequency (Hz)\tZ' (ohm)\tZ'' (ohm)\n1000\t10\t-1\n",
        "freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\n1000\t10\t1\n",
        "1000 10 -1\n100 11 -2\n",
        "VERSION8.0\nnot a list\n",
        "key=value\n\nprimary_data\n3\n2\n10 -1 1000\n11 -2 100\n",
        "water\n\n3\nO 0 0 0\nH 0 0 1\nH 0 1 0\n",
        "Nov. 23, 2024   17:47:14\nCyclic Voltammetry\n\nPotential/V, Current/A\n\n0.1, 1e-6\n",
    ],
)
def test_files_of_others_are_left_to_others(module, content) -> None:
    assert not module.recognises(source(content))


# ---------------------------------------------------------------- faults, with their lines


@pytest.mark.parametrize(
    ("vendor", "name", "old", "new", "line", "words"),
    [
        ("zplot", "zplotw.z", "Z'(a)    Z''(b)", "Y'(a)    Y''(b)", 10, "Expected the columns"),
        ("zplot", "zplotw.z", "5.623413E+05", "5,623413E+05", 12, "Expected 9 cells"),
        ("zplot", "zplot2_tabs.z", "5.623413E+05", "5,623413E+05", 24, "5,623413E+05"),
        ("autolab", "z60w.txt", "Z'(a)", "", 11, "Expected the columns"),
        ("autolab", "z60w_decimal_comma.txt", "0,1;", "0.1;", None, "comma"),
        ("ch_instruments", "chi660.txt", "Z'/ohm, Z\"/ohm", "Z'/ohm, Y\"/S", 17, "imaginary part of Z, found 0"),
        ("ch_instruments", "chi660.txt", 'Z"/ohm', 'Z"/ohm.cm2', 17, "'ohm.cm2'"),
        ("ch_instruments", "chi660.txt", "5.623e+5, ", "5.623e+5, oops", 20, "oops"),
        ("parstat", "parstat.txt", "Zre (ohms)\tZim (ohms)", "Zre (ohms)\tZim (ohms)\tZre (ohms)", 1, "found 2"),
        ("parstat", "parstat.txt", "\t1000000\t", "\t1,000,000\t", 7, "comma"),
        ("powersuite", "powersuite.txt", "0.1\t", "-0.1\t", 2, "-0.1"),
        ("eco_chemie", "fra.dfr", "VERSION8.0", "VERSION9.0", 1, "only VERSION8"),
        ("eco_chemie", "fra.dfr", "VERSION8.0\n29", "VERSION8.0\n0", 2, "0 points"),
        ("eco_chemie", "fra.dfr", "VERSION8.0\n29", "VERSION8.0\n28", 255, "more numbers than 28 points"),
        ("eco_chemie", "fra.dfr", "59.3\n", "nan\n", 6, "'nan'"),
        ("eco_chemie", "fra.dfr", "59.3\n", "", 262, "Lines are missing"),
        ("eco_chemie", "fra.p00", "f/Hz ", "f/Hz.s ", 5, "Hz.s"),
        ("eco_chemie", "fra.p00", "-Z''/Ohm", "-Y''/S", 5, "imaginary part of Z"),
        ("elchemea", "elchemea.i2b", "\n0.1 ", "\n0.1 x", 34, "x"),
    ],
)
def test_a_fault_is_named_with_its_line(vendor, name, old, new, line, words) -> None:
    whole = text(vendor, name)
    assert old in whole
    spoiled = whole.replace(old, new, 1)
    error = fault(MODULES[vendor], spoiled)
    assert words in str(error)
    assert line is None or error.line == line


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_file_without_rows_is_refused(module) -> None:
    name = module.__name__.rsplit(".", 1)[-1]
    whole = next(iter(VENDORS[name].FILES.values())).content.decode("utf-8-sig")
    lines = whole.replace("\r\r\n", "\n").replace("\r\n", "\n").split("\n")
    rows = FREQUENCY.size * (9 if name == "eco_chemie" else 1)
    with pytest.raises(ReadError):
        module.read(source("\n".join(lines[: -rows - 1 - 5 * (name == "parstat")]) + "\n"))


def test_rows_at_0_hz_alone_are_no_spectrum() -> None:
    lines = text("parstat", "parstat.txt").split("\n")
    assert "All 5 rows are at 0 Hz" in str(fault(parstat, "\n".join(lines[:6]) + "\n"))


def test_a_missing_line_of_a_list_of_numbers_is_found() -> None:
    lines = text("eco_chemie", "fra.dfr").split("\n")
    for gone in (2, 3, 40, 130, 261):
        fault(eco_chemie, "\n".join(lines[:gone] + lines[gone + 1 :]))
        fault(eco_chemie, "\n".join([*lines[:gone], lines[gone], *lines[gone:]]))
    shifted = [*lines[:40], *lines[41:-1], "1", ""]
    assert "should be a frequency" in str(fault(eco_chemie, "\n".join(shifted)))


def test_a_list_that_was_cut_keeps_its_whole_points() -> None:
    whole = text("eco_chemie", "fra.dfr")
    spectrum = read(eco_chemie, whole[: whole.index(repr(float(FREQUENCY[20]))) + 30])[0]
    assert len(spectrum) == 20
    assert spectrum.metadata["status"] == "truncated"
    assert "The header says 29 points; there are 20." in spectrum.metadata["warnings"]


@pytest.mark.parametrize("vendor", ["powersuite", "elchemea"])
def test_a_last_number_without_its_line_end_is_doubted(vendor) -> None:
    name = next(iter(VENDORS[vendor].FILES))
    spectrum = read(MODULES[vendor], text(vendor, name)[:-3])[0]
    assert any("cut" in warning or "torn" in warning for warning in spectrum.metadata["warnings"])


def test_a_count_that_is_not_that_of_the_rows_is_said() -> None:
    for vendor, name in (("autolab", "z60w.txt"), ("elchemea", "elchemea.i2b"), ("eco_chemie", "fra.p00")):
        lines = text(vendor, name).split("\n")
        spectrum = read(MODULES[vendor], "\n".join(lines[:-5]) + "\n")[0]
        assert "The header says 29 points; there are 25." in spectrum.metadata["warnings"]


def test_a_modulus_that_disagrees_is_said() -> None:
    spoiled = text("ch_instruments", "chi660.txt").replace("e+1, ", "e+2, ", 1)
    (warning,) = read(ch_instruments, spoiled)[0].metadata["warnings"][:1]
    assert "line 19" in warning


def test_commas_that_may_separate_thousands_are_refused() -> None:
    rows = "Frequency\t Zre\t Zimg\n1,000\t 2,000\t 3,000\n1,100\t 2,100\t 3,100\n"
    assert "decimal comma or thousands" in str(fault(powersuite, rows))


# ---------------------------------------------------------------- what they hold


@pytest.mark.parametrize("name", MORE)
def test_the_numbers_are_those_the_file_was_made_from(name) -> None:
    module, file = MORE[name]
    found = read(module, file.content)
    assert len(found) == len(file.truth)
    for spectrum, (frequency, z) in zip(found, file.truth, strict=True):
        order = np.argsort(spectrum.columns["acquired_order"])
        np.testing.assert_allclose(spectrum.all_frequency_hz[order], frequency, rtol=2 * file.resolution)
        assert np.abs(spectrum.all_z_ohm[order] / z - 1).max() <= 3 * file.resolution
    for key, value in file.expected.items():
        said = found[0].metadata[key]
        assert ({name: said.get(name) for name in value} if key == "vendor" else said) == value


def test_error_codes_keep_a_point_out_of_fits_and_are_kept_as_text() -> None:
    lines = text("zplot", "zplotw.z").split("\n")
    for at, code in ((12, "3"), (13, "3"), (20, "16")):
        cells = lines[at].split(", ")
        lines[at] = ", ".join([*cells[:7], code, cells[8]])
    spectrum = read(zplot, "\n".join(lines))[0]
    assert np.flatnonzero(spectrum.quality == Quality.UNKNOWN_CODE).tolist() == [2, 3, 10]
    assert spectrum.metadata["vendor"]["Err"] == {"3": "point 3, 4", "16": "point 11"}


def test_times_that_only_count_the_rows_are_no_clock() -> None:
    calculated = read(zplot, VENDORS["zplot"].FILES["zview_calculated.z"].content)[0]
    measured = read(zplot, VENDORS["zplot"].FILES["zplotw.z"].content)[0]
    assert "time_s" not in calculated.columns
    assert measured.columns["time_s"][0] == pytest.approx(2.58, rel=1e-5)
    assert not calculated.metadata.get("doubts")


def test_potential_current_and_time_are_kept_per_point() -> None:
    for vendor, name, potential, current in (
        ("parstat", "parstat.txt", 3.49322700500488, -0.149962306022644),
        ("eco_chemie", "fra.p00", 0.30981, 1.8311e-7),
    ):
        spectrum = read(MODULES[vendor], text(vendor, name))[0]
        np.testing.assert_allclose(spectrum.columns["e_dc_v"], potential, rtol=1e-12)
        np.testing.assert_allclose(spectrum.columns["i_dc_a"], current, rtol=1e-12)
        assert (np.diff(spectrum.columns["time_s"]) > 0).all()


def test_segments_are_spectra_of_their_own() -> None:
    found = read(parstat, VENDORS["parstat"].FILES["versastudio_segments.csv"].content)
    assert [spectrum.metadata["cycle"] for spectrum in found] == [1, 3]


def test_a_negative_real_part_is_kept_and_said() -> None:
    spectrum = read(powersuite, VENDORS["powersuite"].FILES["powersuite_negative.txt"].content)[0]
    assert (spectrum.z_ohm.real < 0).any()
    assert "negative" in spectrum.metadata["warnings"][0]


def test_capacitive_is_negative_whatever_the_file_holds() -> None:
    for vendor, name in (("eco_chemie", "fra.dfr"), ("eco_chemie", "fra.p00"), ("eco_chemie", "fra_as_is.p00")):
        spectrum = read(MODULES[vendor], text(vendor, name))[0]
        np.testing.assert_allclose(spectrum.z_ohm.imag, cell(FREQUENCY).imag, rtol=1e-3)


def canonical(name: str) -> dict[str, str]:
    with (FOLDER / "CANONICAL.tsv").open(encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file, delimiter="\t") if row["path"] == name)


@pytest.mark.parametrize("name", REAL)
def test_real_files_give_the_numbers_known_for_them(name) -> None:
    given = load(real_file(name))
    row = canonical(name)
    assert [module for module in MODULES.values() if module.recognises(given)] == [REAL[name]]
    (spectrum,) = REAL[name].read(given)
    order = np.argsort(spectrum.columns["acquired_order"])
    f, z = spectrum.all_frequency_hz[order], spectrum.all_z_ohm[order]
    assert f.size == int(row["n"])
    found = [f[0], z[0].real, z[0].imag, f[-1], z[-1].real, z[-1].imag, np.log10(np.abs(z)).mean()]
    names = ["f_first", "re_first", "im_first", "f_last", "re_last", "im_last", "mean_log10_absZ"]
    np.testing.assert_allclose(found, [float(row[name]) for name in names], rtol=1e-12)
