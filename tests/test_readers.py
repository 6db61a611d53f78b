"""Files as vendors write them, and as people and disks spoil them, against spectra known in closed form."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import eis
from eis import archive
from eis.errors import ReadError
from eis.readers import READERS, ec_lab, gamry, own, read, read_all, table, zplot
from eis.readers.headings import parse_heading
from eis.readers.source import MAX_BYTES, load
from eis.spectrum import Quality, Spectrum

ROOT = Path(__file__).parents[1]
DATASETS = ROOT / "datasets" if (ROOT / "datasets").is_dir() else Path(eis.__file__).parent / "datasets"
REAL = ROOT.parent / "shared" / "data"
ALL_READERS = {module.__name__.rsplit(".", 1)[-1]: module for module in (own, ec_lab, gamry, zplot, table)}


def symmetric_cell(f):
    w = 2j * np.pi * f
    grain = 15 / (1 + (1j * f / 150e3) ** 0.95)
    return w * 1e-7 + 22 + grain + (2 * 10 / 1.131) / (1 + (1j * f / 1.2e3) ** 0.92)


def blocking_pellet(f):
    w = 2j * np.pi * f
    return 350 + 900 / (1 + w * 900 * 60e-12) + 1 / (2e-6 * w**0.93)


TRUTH = {  # file: reader, closed form, number of points, relative resolution of the printed numbers
    "symmetric_cell.mpt": (ec_lab, symmetric_cell, 71, 1e-7),
    "symmetric_cell_decimal_comma.mpt": (ec_lab, symmetric_cell, 71, 1e-7),
    "symmetric_cell.DTA": (gamry, symmetric_cell, 71, 1e-6),
    "symmetric_cell.z": (zplot, symmetric_cell, 71, 1e-6),
    "symmetric_cell.csv": (own, symmetric_cell, 71, 0),
    "blocking_pellet.csv": (table, blocking_pellet, 79, 1e-7),
}


@pytest.fixture
def write(tmp_path):
    """Write text or bytes into a file of a test, as it is."""

    def to_file(content: str | bytes, name: str = "cell.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return to_file


def text_of(name: str, encoding: str = "cp1252") -> str:
    return (DATASETS / name).read_bytes().decode(encoding).replace("\r\n", "\n")


def fault(path: Path) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert caught.value.mend
    return caught.value


# ---------------------------------------------------------------- what is not a spectrum


def test_a_missing_file_says_so(tmp_path) -> None:
    assert "no such file" in str(fault(tmp_path / "gone.mpt"))


@pytest.mark.parametrize("given", [5, None, b"cell.mpt", [1.0, 2.0]])
def test_what_is_no_path_is_refused_in_words(given) -> None:
    with pytest.raises(ReadError, match=r"not (int|NoneType|bytes|list)"):
        read(given)


def test_a_folder_is_refused(tmp_path) -> None:
    assert "a folder" in str(fault(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this platform")
def test_a_pipe_is_refused_and_does_not_block(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe" in str(fault(tmp_path / "pipe"))


def test_a_huge_file_is_refused_before_it_is_read(tmp_path) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "64 MiB" in str(fault(tmp_path / "huge.csv"))


def test_an_empty_file_is_refused(write) -> None:
    assert "empty" in str(fault(write("")))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_refused(write) -> None:
    path = write("1,2,3\n")
    path.chmod(0)
    assert "cannot be read" in str(fault(path))


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(ReadError, match="NUL"):
        read("cell\0.csv")


def test_nul_bytes_in_text_are_found(write) -> None:
    error = fault(write(b"1e3,10,-1\n1e2,12,-\0\0\n"))
    assert "Byte 18 is NUL" in error.what
    assert error.line == 2


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\0\0\0", b"hello\n", b"\n\n\n", b"# only\n# comments\n", b"#\n\n", b"\xff\xfe", b"1,2\n"],
)
def test_what_no_reader_knows_is_refused(write, content) -> None:
    fault(write(content))


def test_a_netcdf_file_of_somebody_else_is_refused(tmp_path) -> None:
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(tmp_path / "other.nc", "w") as dataset:
        dataset.createDimension("frequency", 3)
    assert "not one of ours" in str(fault(tmp_path / "other.nc"))


def test_a_netcdf_file_that_declares_too_much_is_refused_before_it_is_read(tmp_path) -> None:
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(tmp_path / "bomb.nc", "w") as dataset:
        dataset.setncattr("eis_schema", archive.SCHEMA)
        dataset.createDimension("frequency", 500_000_000)
        for name, kind in {"frequency": "f8", "z_real": "f8", "z_imag": "f8", "quality": "i8"}.items():
            dataset.createVariable(name, kind, ("frequency",), chunksizes=(1000,), fill_value=False)
    assert (tmp_path / "bomb.nc").stat().st_size < 100_000
    assert "declares 500000000 points" in str(fault(tmp_path / "bomb.nc"))


@pytest.mark.parametrize("name", [name for name in TRUTH if not name.startswith("blocking")])
@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "1e400", "oops", "1_0", "", "١", "0x1p3", "--1"])
def test_a_cell_that_is_not_a_finite_number_is_named_with_its_line(write, name, cell) -> None:
    lines = text_of(name).split("\n")
    at = len(lines) - 5
    separator = "," if name.endswith(".csv") else "\t"
    cells = lines[at].split(separator)
    column = {".mpt": 2, ".DTA": 4, ".z": 5, ".csv": 2}[Path(name).suffix]
    cells[column] = cell
    lines[at] = separator.join(cells)
    error = fault(write("\n".join(lines), name))
    assert error.line == at + 1


@pytest.mark.parametrize("name", TRUTH)
def test_a_negative_frequency_is_named_with_its_line(write, name) -> None:
    lines = text_of(name).split("\n")
    at = len(lines) - 5
    column = {".mpt": 0, ".DTA": 3, ".z": 0, ".csv": 0}[Path(name).suffix]
    separator = "," if name.endswith(".csv") else "\t"
    cells = lines[at].split(separator)
    cells[column] = "-" + cells[column]
    lines[at] = separator.join(cells)
    path = write("\n".join(lines), name)
    assert fault(path).line == at + 1


@pytest.mark.parametrize("name", TRUTH)
def test_a_row_with_a_missing_cell_is_named_with_its_line(write, name) -> None:
    lines = text_of(name).split("\n")
    at = len(lines) - 5
    separator = "," if name.endswith(".csv") else "\t"
    lines[at] = lines[at].rsplit(separator, 2)[0]
    assert fault(write("\n".join(lines), name)).line == at + 1


@pytest.mark.parametrize("name", [name for name in TRUTH if not name.startswith("blocking")])
def test_a_header_without_rows_is_refused(write, name) -> None:
    rows = 72 if name.endswith(".mpt") else 71
    head = text_of(name).rsplit("\n", rows + 1)[0]
    assert "no data rows" in str(fault(write(head + "\n", name)))


@pytest.mark.parametrize("name", TRUTH)
def test_a_torn_last_line_is_left_out_and_noted(write, name) -> None:
    whole = text_of(name)
    spectrum = read(write(whole.rstrip("\n").rsplit("\n", 1)[0] + "\n1.0", name))
    assert len(spectrum) == TRUTH[name][2] - 1
    assert spectrum.metadata["status"] == "truncated"
    assert any("torn" in sentence for sentence in spectrum.metadata["dropped"])


def test_a_last_cell_that_was_cut_short_is_doubted(write) -> None:
    spectrum = read(write("1e3,10.00,-1.00\n1e2,11.00,-2.00\n1e1,12.00,-3.0"))
    assert "may be torn" in spectrum.metadata["warnings"][0]


# ---------------------------------------------------------------- the contract, over every reader and file


@pytest.mark.parametrize("name", TRUTH)
def test_a_file_gives_the_cell_it_was_made_from(name) -> None:
    reader, truth, n, resolution = TRUTH[name]
    path = DATASETS / name
    spectrum = read(path)
    assert next(module for module in READERS if module.recognises(load(path))) is reader
    assert len(spectrum) == n
    z = truth(spectrum.frequency_hz)
    off = (spectrum.z_ohm - z) / np.abs(z)
    assert np.abs(off).max() < 6e-3
    assert np.std([off.real, off.imag]) == pytest.approx(1e-3, rel=0.15)
    same = read(DATASETS / "symmetric_cell.csv") if truth is symmetric_cell else spectrum
    np.testing.assert_allclose(spectrum.z_ohm.real, same.z_ohm.real, rtol=2 * resolution)
    np.testing.assert_allclose(spectrum.z_ohm.imag, same.z_ohm.imag, rtol=2 * resolution)


@pytest.mark.parametrize("name", TRUTH)
def test_a_spectrum_says_where_it_came_from(name) -> None:
    import hashlib

    path = DATASETS / name
    metadata = read(path).metadata
    assert metadata["file"] == str(path)
    assert metadata["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert metadata["format"]
    assert all(
        sentence.endswith(".") for key in ("converted", "dropped", "warnings") for sentence in metadata[key]
    )
    assert metadata["warnings"] == []


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
def test_line_ends_and_suffix_do_not_matter(write, name, end) -> None:
    raw = (DATASETS / name).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", end.encode())
    np.testing.assert_array_equal(read(write(raw, "renamed.txt")).z_ohm, read(DATASETS / name).z_ohm)


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_is_found_and_recorded(write, name, encoding) -> None:
    spectrum = read(write(text_of(name).encode(encoding), name))
    np.testing.assert_array_equal(spectrum.z_ohm, read(DATASETS / name).z_ohm)
    if name != "symmetric_cell.csv":
        assert any("UTF" in sentence for sentence in spectrum.metadata["converted"])


def test_the_datasets_are_what_their_script_writes(tmp_path) -> None:
    if not (ROOT / "examples" / "make_datasets.py").exists():
        pytest.skip("examples/make_datasets.py is not here")
    spec = spec_from_file_location("make_datasets", ROOT / "examples" / "make_datasets.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    for name in TRUTH:
        again, kept = read(tmp_path / name), read(DATASETS / name)
        np.testing.assert_allclose(again.z_ohm.real, kept.z_ohm.real, rtol=1e-6)
        np.testing.assert_allclose(again.z_ohm.imag, kept.z_ohm.imag, rtol=1e-6)


def canonical() -> list[dict[str, str]]:
    if not (REAL / "CANONICAL.tsv").exists():
        return []
    with (REAL / "CANONICAL.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("row", canonical() or [None], ids=lambda row: row["path"] if row else "not here")
def test_real_files_give_the_numbers_known_for_them(row) -> None:
    if row is None:
        pytest.skip("the collection of real files is not here")
    found = read_all(REAL / row["path"])
    assert len(found) == int(row["n_spectra"])
    f, z = [], []
    for spectrum in found:
        order = np.argsort(spectrum.columns["acquired_order"])
        f.append(spectrum.all_frequency_hz[order])
        z.append(spectrum.all_z_ohm[order])
    f, z = np.concatenate(f), np.concatenate(z)
    assert f.size == int(row["n"])
    values = {"f_first": f[0], "re_first": z[0].real, "im_first": z[0].imag}
    values |= {"f_last": f[-1], "re_last": z[-1].real, "im_last": z[-1].imag}
    if not row["re_first"]:  # the values of this file are scrambled; its frequencies are not
        values = {"f_first": f[0], "f_last": f[-1]}
    inverted = row["path"].endswith(".npy")  # 1/Y was taken in single precision there
    for name, value in values.items():
        np.testing.assert_allclose(value, float(row[name]), rtol=1e-7 if inverted else 1e-12)
    if row["mean_log10_absZ"]:
        mean = np.log10(np.abs(z)).mean()
        single = row["path"].endswith((".mpr", ".npy"))  # whose mean was taken in single precision
        np.testing.assert_allclose(mean, float(row["mean_log10_absZ"]), rtol=1e-6 if single else 1e-12)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zahner-analysis/li-ion/li-ion-model.isfx", "Zahner model"),
        ("autoeis/circuits_filtered.csv", "No reader recognises"),
        ("zahner-analysis/li-ion/fit_result.json", "No reader recognises"),
    ],
)
def test_real_files_of_other_kinds_are_refused_by_name(name, words) -> None:
    if not (REAL / name).exists():
        pytest.skip("the collection of real files is not here")
    assert words in str(fault(REAL / name))


# ---------------------------------------------------------------- BioLogic


def test_ec_lab_records_what_it_did() -> None:
    spectrum = read(DATASETS / "symmetric_cell.mpt")
    assert spectrum.metadata["dropped"] == ["1 row with 0 Hz (DC steps)."]
    assert any("-Im(Z)/Ohm was flipped" in sentence for sentence in spectrum.metadata["converted"])
    assert any("Windows-1252" in sentence for sentence in spectrum.metadata["converted"])
    assert spectrum.metadata["vendor"]["Electrode surface area"] == "1.131 cm²"
    assert spectrum.metadata["vendor"]["Va (mV)"] == "10.0"
    assert spectrum.metadata["acquired"] == "06/07/2024 10:15:00.000"
    assert spectrum.columns["i_dc_a"][0] == pytest.approx(3.1e-8)
    assert spectrum.columns["e_dc_v"][0] == pytest.approx(1.2e-4)
    assert spectrum.columns["time_s"][0] == pytest.approx(1.400003)


def test_ec_lab_decimal_commas_are_recorded() -> None:
    spectrum = read(DATASETS / "symmetric_cell_decimal_comma.mpt")
    assert "Decimal commas were read as decimal points." in spectrum.metadata["converted"]


def test_ec_lab_header_of_three_lines(write) -> None:
    lines = text_of("symmetric_cell.mpt").split("\n")
    at = next(n for n, line in enumerate(lines) if line.startswith("freq"))
    short = ["EC-Lab ASCII FILE", "Nb header lines : 3", *lines[at:]]
    spectrum = read(write("\n".join(short), "short.mpt"))
    assert len(spectrum) == 71
    assert "acquired" not in spectrum.metadata


def test_ec_lab_wrong_number_of_header_lines_is_overcome_and_said(write) -> None:
    spectrum = read(write(text_of("symmetric_cell.mpt").replace("lines : 23", "lines : 62"), "wrong.mpt"))
    assert len(spectrum) == 71
    assert "line 23" in spectrum.metadata["warnings"][0]


def test_ec_lab_cycles_are_spectra_of_their_own(write) -> None:
    whole = text_of("symmetric_cell.mpt")
    rows = whole[whole.index("\n0.0000000E+000\t") + 1 :]
    second = rows.replace("1.0000000E+000\n", "2.0000000E+000\n")
    path = write(whole + second, "loops.mpt")
    assert "holds 2 spectra" in str(fault(path))
    both = read_all(path)
    assert [spectrum.metadata["cycle"] for spectrum in both] == [1, 2]
    assert [len(spectrum) for spectrum in both] == [71, 71]
    np.testing.assert_array_equal(both[0].z_ohm, both[1].z_ohm)


def test_ec_lab_sweeps_that_start_over_are_told_apart_without_a_cycle_number(write) -> None:
    whole = text_of("symmetric_cell.mpt").replace("cycle number", "Ns")
    rows = whole[whole.index("\n0.0000000E+000\t") + 1 :]
    three = read_all(write(whole + rows + rows, "loops.mpt"))
    assert [spectrum.metadata["cycle"] for spectrum in three] == [1, 2, 3]
    assert [len(spectrum) for spectrum in three] == [71] * 3


def test_ec_lab_without_a_frequency_shows_the_columns(write) -> None:
    error = fault(write(text_of("symmetric_cell.mpt").replace("freq/Hz\t", "f/Hz\t"), "nofreq.mpt"))
    assert "no column freq/Hz" in error.what
    assert "-Im(Z)/Ohm" in error.what


def test_ec_lab_columns_may_repeat_if_they_agree(write) -> None:
    names = "freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t<I>/mA\t<I>/mA\tRe(Z)/Ohm\n"
    rows = names + "1E+003\t10\t1\t5\t6\t{}\n1E+002\t12\t2\t5\t6\t12\n"
    assert read(write(rows.format("10"))).z_ohm[0] == 10 - 1j
    assert "they differ" in str(fault(write(rows.format("11"))))


def test_ec_lab_magnitude_and_phase_will_do(write) -> None:
    spectrum = read(write("freq/Hz\t|Z|/Ohm\tPhase(Z)/deg\n1E+003\t2\t-90\n"))
    assert spectrum.z_ohm[0] == pytest.approx(-2j)


def test_a_column_nobody_needs_does_not_cost_the_spectrum(write) -> None:
    spectrum = read(write("freq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t<I>/mA\n1E+003\t10\t1\tXXX\n1E+002\t12\t2\t5\n"))
    assert "<I>/mA" in spectrum.metadata["dropped"][0]
    assert "i_dc_a" not in spectrum.columns


# ---------------------------------------------------------------- Gamry


def test_gamry_columns_go_by_name(write) -> None:
    whole = text_of("symmetric_cell.DTA")
    swapped = whole.replace("\tFreq\tZreal\tZimag\t", "\tFreq\tZimag\tZreal\t")
    z = read(DATASETS / "symmetric_cell.DTA").z_ohm
    np.testing.assert_array_equal(read(write(swapped, "swapped.DTA")).z_ohm, z.imag + 1j * z.real)


def test_gamry_settings_and_notes_are_kept() -> None:
    metadata = read(DATASETS / "symmetric_cell.DTA").metadata
    assert metadata["acquired"] == "6/7/2024 10:15:00"
    assert metadata["vendor"]["TAG"] == "EISPOT"
    assert metadata["vendor"]["VAC"] == "1.00000E+001"
    assert metadata["vendor"]["notes"] == "synthetic, interfacial-eis"


def test_gamry_says_that_a_run_was_aborted(write) -> None:
    aborted = text_of("symmetric_cell.DTA") + "EXPERIMENTABORTED\tTOGGLE\tT\tExperiment Aborted\n"
    spectrum = read(write(aborted, "aborted.DTA"))
    assert spectrum.metadata["status"] == "aborted"
    assert len(spectrum) == 71


def test_gamry_without_impedance_says_what_it_is(write) -> None:
    error = fault(write("EXPLAIN\nTAG\tCV\nCURVE\tTABLE\t1\n\tPt\tT\n\t#\ts\n\t0\t1\n", "cv.DTA"))
    assert "no ZCURVE table" in error.what
    assert "'CV'" in error.what


GAMRY_CURVE = (
    "EXPLAIN\nTAG\tGALVEIS\nZCURVE\tTABLE\t{n}\n\tPt\tFreq\tZreal\tZimag\tOver\n\t#\t{hz}\tohm\tohm\tbits\n"
)


def test_gamry_overloads_become_flags(write) -> None:
    rows = "\t0\t1000\t10\t-1\t...........\n\t1\t100\t11\t-2\t....i......\n\t2\t10\t12\t-3\t...h.......\n"
    spectrum = read(write(GAMRY_CURVE.format(n=3, hz="Hz") + rows, "over.DTA"))
    assert list(spectrum.quality) == [Quality.OK, Quality.OVERLOAD, Quality.OVERLOAD_WARNING]
    assert len(spectrum) == 2
    assert "2 points" in spectrum.metadata["warnings"][0]


def test_gamry_rows_may_be_split_by_spaces_and_counts_are_checked(write) -> None:
    rows = "  0 1000 10\t-1\t...\n 1 .5\t11\t-2\t...\n"
    spectrum = read(write(GAMRY_CURVE.format(n=9, hz="Hz") + rows, "spaces.DTA"))
    assert list(spectrum.frequency_hz) == [1000, 0.5]
    assert spectrum.metadata["warnings"] == ["The header says 9 points; there are 2."]


def test_gamry_points_that_were_removed_are_missed(write) -> None:
    lines = text_of("symmetric_cell.DTA").split("\n")
    del lines[-5]
    assert "not consecutive" in read(write("\n".join(lines), "edited.DTA")).metadata["warnings"][0]


def test_gamry_units_are_read(write) -> None:
    rows = "\t0\t1\t10\t-1\t...\n"
    assert read(write(GAMRY_CURVE.format(n=1, hz="kHz") + rows, "khz.DTA")).frequency_hz[0] == 1000
    assert "The unit of Freq" in str(fault(write(GAMRY_CURVE.format(n=1, hz="rpm") + rows, "rpm.DTA")))


def test_gamry_drift_corrected_values_are_kept_apart(write) -> None:
    names = "\tFreq\tZreal\tZimag\tZrealDrCor\tZimagDrCor\n\tHz\tohm\tohm\tohm\tohm\n"
    spectrum = read(
        write("EXPLAIN\nTAG\tEISPOT\nZCURVE\tTABLE\n" + names + "\t1000\t10\t-1\t9\t-2\n", "drift.DTA")
    )
    assert spectrum.z_ohm[0] == 10 - 1j
    assert spectrum.columns["z_real_drift_corrected_ohm"][0] == 9
    assert "drift-corrected" in spectrum.metadata["warnings"][0]


# ---------------------------------------------------------------- ZPlot

ZPLOTW = (
    '"ZPlotW Data File: Version 3.2c"\n"Raw Data"\nDate: 12-17-2019    Time: 16:24:35\n"Frequency"\n2\n'
    "\"  Freq(Hz)    Ampl     Bias   Time(Sec)   Z'(a)    Z''(b)    GD   Err   Range\"\n"
    "1.0E+05, 1.0E-02, 0.0E+00, 2.58, 6.4E+02, -8.5E+01, 0.0E+00, 0, 5\n"
    "1.0E+04, 1.0E-02, 0.0E+00, 3.28, 6.7E+02, -1.1E+02, 0.0E+00, {err}, 5\n"
)


def test_zplot_second_generation(write) -> None:
    spectrum = read(write(ZPLOTW.format(err=0), "old.z"))
    assert list(spectrum.z_ohm) == [640 - 85j, 670 - 110j]
    assert spectrum.metadata["acquired"] == "12-17-2019 16:24:35"
    assert spectrum.metadata["warnings"] == []


def test_zplot_third_generation_with_column_names_run_together(write) -> None:
    text = (
        '"ZView Calculated Data File: Version 1.1"\n"Freq(Hz)AmplBiasTime(Sec)Z\'(a)Z\'\'(b)GDErrRange"\n'
        "1000\t0\t0\t0\t10\t-1\t0\t0\t0\n100\t0\t0\t0\t11\t-2\t0\t0\t0\n"
    )
    assert list(read(write(text, "calculated.z")).z_ohm) == [10 - 1j, 11 - 2j]


def test_zplot_error_codes_keep_a_point_out_of_fits(write) -> None:
    spectrum = read(write(ZPLOTW.format(err=3), "err.z"))
    assert spectrum.quality[1] == Quality.UNKNOWN_CODE
    assert len(spectrum) == 1


def test_zplot_count_of_points_is_checked(write) -> None:
    lines = text_of("symmetric_cell.z").split("\n")
    spectrum = read(write("\n".join(lines[:60]) + "\n", "short.z"))
    assert "The header says 71 points" in spectrum.metadata["warnings"][0]


def test_zplot_of_another_quantity_is_refused(write) -> None:
    text = text_of("symmetric_cell.z").replace("Z'(a)\tZ''(b)", "Y'(a)\tY''(b)")
    assert "Y'(a)" in str(fault(write(text, "admittance.z")))


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("f,Re,Im\n1000,10,-1\n100,11,-2\n", (1000, 10 - 1j)),
        ("frequency_hz,z_real_ohm,-z_imag_ohm\n1000,10,1\n100,11,2\n", (1000, 10 - 1j)),
        ("frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm\n1000,10,-1\n", (1000, 10 - 1j)),
        ("Frequency (kHz),Z' (mOhm),-Z'' (mOhm)\n1,10,1\n", (1000, 0.010 - 0.001j)),
        ("Freq [MHz];Z' [kΩ];Z'' [kΩ]\n1,5;10,25;-1,5\n", (1.5e6, 10250 - 1500j)),
        ("freq / Hz\tneg. Im(Z) / Ohm\tRe(Z) / Ohm\n1000\t1\t10\n", (1000, 10 - 1j)),
        ('"Frequency (Hz)","Zre (ohms)","Zim (ohms)"\n"1000","10","-1"\n', (1000, 10 - 1j)),
        ("freq\tZre\tZim\nHz\tohm\tohm\n1000\t10\t-1\n", (1000, 10 - 1j)),
        ("# made by hand\n# f/Hz, Re/Ohm, -Im/Ohm\n1000, 10, 1\n", (1000, 10 - 1j)),
        ("Frequency (Hz),|Z| (Ohm),Phase (deg)\n1000,2,-90\n", (1000, -2j)),
        ("Frequency (Hz),|Z| (Ohm),-Phase (rad)\n1000,2,1.5707963267948966\n", (1000, -2j)),
        ("1000 10 -1\n100 11 -2\n", (1000, 10 - 1j)),
        ("1000,0 10,5 -1,0\n100,0 11,5 -2,0\n", (1000, 10.5 - 1j)),
        ("1000;10,5;-1,25\n100;11;-2\n", (1000, 10.5 - 1.25j)),
        ("1000,10,-1,\n100,11,-2,\n", (1000, 10 - 1j)),
    ],
)
def test_a_table_is_read_by_its_headings(write, text, first) -> None:
    spectrum = read(write(text))
    assert spectrum.frequency_hz[0] == pytest.approx(first[0], rel=1e-15)
    assert spectrum.z_ohm[0] == pytest.approx(first[1], rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("f (rpm),Re,Im\n1,2,-3\n", 1, "rpm"),
        ("f (mhz),Re,Im\n1,2,-3\n", 1, "mhz"),
        ("f (Hz),Re (Ohm cm2),Im (Ohm cm2)\n1,2,-3\n", 1, "area-specific"),
        ("f,|Z|,Phase\n1,2,-3\n", 1, "no unit"),
        ("Re,Im,Note\n1,2,-3\n", 1, "frequency"),
        ("f,Re,#NAME?\n1,2,-3\n", 1, "spreadsheet"),
        ("f,Re,Im,Z'\n1,2,-3,2\n", 1, "Several headings"),
        ("1,2,-3,4\n1,2,-3,4\n", 1, "4 columns"),
        ("10,-1,1000\n12,-2,100\n10,-3,10\n", 1, "third column"),
        ("1,234;5,678;-9,123\n", 1, "thousands"),
        ("f,Re,Im\n1000,10,-1\n\n100,11\n10,12,-3\n", 4, "Expected 3 cells"),
        ("f;Re;Im\n1000;10,5;-1\n100;11.5;-2\n", 2, "mixed"),
        ("f,Re,Im\n0,1,-1\n0,1,-1\n", 2, "at 0 Hz"),
        ("f,Re,Im\n", 2, "no data rows"),
        ("f (MHz),Re,Im\n1e305,1,-1\n", 2, "inf"),
    ],
)
def test_a_table_that_does_not_say_what_it_holds_is_refused(write, text, line, words) -> None:
    error = fault(write(text))
    assert words in str(error)
    assert error.line == line


def test_conversions_of_a_table_are_recorded(write) -> None:
    converted = read(write("f (kHz),Re (mOhm),-Im (mOhm)\n1,10,1\n")).metadata["converted"]
    assert "'f (kHz)' was converted from kHz to Hz." in converted
    assert any("flipped" in sentence for sentence in converted)


@pytest.mark.parametrize("text", ["1000,10,1\n100,11,2\n", "f,Re,Im\n1000,10,1\n100,11,2\n"])
def test_a_sign_that_looks_inverted_is_kept_and_said(write, text) -> None:
    spectrum = read(write(text))
    assert spectrum.z_ohm[0] == 10 + 1j
    assert "mostly positive" in spectrum.metadata["warnings"][0]
    assert "-z_imag_ohm" in spectrum.metadata["warnings"][0]


def test_a_repeated_frequency_is_flagged_and_a_second_sweep_is_a_spectrum(write) -> None:
    once = read(write("1000,10,-1\n100,11,-2\n100,11,-2\n10,12,-3\n1000,10,-1\n"))
    assert [bool(flag) for flag in once.quality] == [False, True, False, True, False]
    assert len(read_all(write("1000,10,-1\n100,11,-2\n10,12,-3\n" * 2))) == 2
    assert len(read_all(write("1000,1,-1\n100,1,-1\n10,1,-1\n100,1,-1\n1000,1,-1\n"))) == 1


@pytest.mark.parametrize(
    ("text", "quantity", "negative"),
    [
        ('Z"', "imag", False),
        ("Z″ (Ω)", "imag", False),
        ("−Z'' / mΩ", "imag", True),
        ("neg. Im", "imag", True),
        ("Re(Y)/Ohm-1", "admittance_real", False),
        ("-Re", None, False),
        ("|Vac| (V)", None, False),
        ("Elapsed Time (s)", "time", False),
        ("neg. Phase (deg)", "phase", True),
        ("", None, False),
    ],
)
def test_headings_say_quantity_and_sign(text, quantity, negative) -> None:
    heading = parse_heading(text)
    assert (heading.quantity, heading.negative) == (quantity, negative)


# ---------------------------------------------------------------- our own files


def test_our_files_remember_their_origin(tmp_path) -> None:
    first = read(DATASETS / "symmetric_cell.mpt")
    for name in ("cell.nc", "cell.csv"):
        archive.write(first, tmp_path / name)
        again = read(tmp_path / name)
        assert again.metadata["file"] == str(tmp_path / name)
        assert again.metadata["origin"]["sha256"] == first.metadata["sha256"]
        assert again.metadata["vendor"] == first.metadata["vendor"]
        archive.write(again, tmp_path / f"second-{name}")
        assert read(tmp_path / f"second-{name}").metadata["origin"] == again.metadata["origin"]
        assert again.all_z_ohm.tobytes() == first.all_z_ohm.tobytes()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("eis.spectrum/1", "eis.spectrum/99", 1),
        ("# title:", "# title", 4),
        ('"symmetric_cell"', "[" * 100_000, 4),
        ("frequency_hz,", "f,", 9),
        (",0,1.4000", ",x,1.4000", 10),
    ],
)
def test_our_csv_is_checked(write, old, new, line) -> None:
    text = text_of("symmetric_cell.csv")
    assert old in text
    assert fault(write(text.replace(old, new, 1))).line == line


def test_our_csv_that_was_cut_at_a_line_says_so(write) -> None:
    spectrum = read(write("".join(text_of("symmetric_cell.csv").splitlines(keepends=True)[:40])))
    assert "The header says 71 points" in spectrum.metadata["warnings"][0]


def test_our_csv_that_was_edited_says_so(write) -> None:
    spectrum = read(write(text_of("symmetric_cell.csv").replace("\n1000.0,", "\n1001.0,")))
    assert "edited or damaged" in spectrum.metadata["warnings"][0]


def test_reading_loads_nothing_heavy() -> None:
    code = (
        "import sys; from eis.readers import read; read(sys.argv[1]); "
        "print([m for m in ('matplotlib','pyvisa','xarray','pandas','netCDF4','scipy') if m in sys.modules])"
    )
    place = Path(eis.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(DATASETS / "symmetric_cell.mpt")],
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
    )
    assert done.stdout.strip() == "[]"


def test_a_spectrum_read_is_a_spectrum() -> None:
    assert all(isinstance(spectrum, Spectrum) for spectrum in read_all(DATASETS / "symmetric_cell.z"))
