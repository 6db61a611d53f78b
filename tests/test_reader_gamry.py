"""Gamry data files: what is no spectrum, what stays of an interrupted run, and what the flags mean."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import gamry
from eis.readers.source import Source, load
from eis.spectrum import Quality
from tests.real_data import FOLDER, real_file
from tests.vendors import FREQUENCY, cell
from tests.vendors.gamry import ABORTED, OCV, columns, curve, header, text

REAL = [
    "hybrid-drt/EISGALV_EISTest3.DTA",
    "bayes-drt/550C.0.5V.DTA",
    "impedance.py/exampleDataGamry.DTA",
    "impedance.py/exampleDataGamryABORT.DTA",
    "gamry-parser/eispot_data.dta",
    "gamry-parser/eispot_data_curveaborted.dta",
]


def read(content: bytes):
    return gamry.read(Source("cell.DTA", Path("cell.DTA"), content))


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(content)
    return caught.value


@pytest.mark.parametrize("tag", ["EISMON", "MOTTSCHOTTKY"])
def test_one_frequency_against_time_or_potential_is_refused(tag):
    table = columns() | {"Freq": np.full(29, 1e3)}
    error = fault(text([*header(tag), *curve(table)]))
    assert error.what == "All 29 points are at one frequency (1000 Hz), so this is no spectrum"
    assert "EISMON" in error.mend


def test_a_run_that_stopped_before_its_first_point_is_refused():
    empty = {name: values[:0] for name, values in columns().items()}
    assert "There are no data rows" in fault(text([*header(), *OCV, *curve(empty), *ABORTED])).what
    assert (
        "no ZCURVE table; the file says its experiment is 'EISPOT'"
        in fault(text([*header(), *OCV, *ABORTED])).what
    )


def test_more_curves_than_anyone_measures_are_refused_in_no_time():
    assert "20000 ZCURVE tables" in fault(text([*header(), *["ZCURVE\tTABLE", "\tPt", "\t#"] * 20_000])).what


def test_every_place_of_the_overload_string_has_its_flag():
    marks = ["".join("x" if at == place else "." for at in range(13)) for place in range(13)]
    table = {name: values[:14] for name, values in columns().items()} | {"Over": [*marks, "." * 13]}
    (spectrum,) = read(text([*header(), *curve(table)]))
    overload, warning = Quality.OVERLOAD, Quality.OVERLOAD_WARNING
    wanted = [Quality.TIMING, overload, overload, warning, overload, *[warning] * 8, Quality.OK]
    assert spectrum.quality.tolist() == [int(flag) for flag in wanted]


def test_a_count_that_is_not_the_number_of_rows_is_warned_of():
    lines = curve(columns(), stated=True)
    (spectrum,) = read(text([*header(), *lines[:-4], *ABORTED]))
    assert spectrum.metadata["warnings"] == ["The header says 29 points; there are 25."]
    assert spectrum.metadata["status"] == "aborted"


def test_a_modulus_that_contradicts_its_parts_is_warned_of_with_its_line():
    table = columns()
    table["Zmod"][4] *= 1.01
    (spectrum,) = read(text([*header(), *curve(table)]))
    assert any("Zmod" in said and "1 row" in said for said in spectrum.metadata["warnings"])
    assert "doubts" not in spectrum.metadata
    assert not any("Zmod" in said for said in read(text([*header(), *curve(columns())]))[0].metadata["warnings"])
    table["Zmod"] = 1e3 * np.array(table["Zmod"])
    assert "Zmod" in read(text([*header(), *curve(table)]))[0].metadata["doubts"][0]


def test_a_conversion_of_units_is_noted():
    lines = [*header(), *curve(columns())]
    scaled = text([line.replace("\tHz\t", "\tkHz\t") for line in lines])
    assert "Freq was converted from kHz." in read(scaled)[0].metadata["converted"]
    assert read(scaled)[0].frequency_hz[0] == 1e3 * read(text(lines))[0].frequency_hz[0]


def test_what_was_measured_is_the_impedance_and_what_was_corrected_a_column():
    table = columns()
    drift = table | {"ZrealDrCor": table["Zreal"] * 1.01, "ZimagDrCor": table["Zimag"] * 1.02}
    (spectrum,) = read(text([*header(), *curve(drift)]))
    np.testing.assert_allclose(spectrum.z_ohm, cell(FREQUENCY), rtol=1e-6)
    np.testing.assert_allclose(spectrum.columns["z_real_drift_corrected_ohm"], table["Zreal"] * 1.01, rtol=1e-6)
    np.testing.assert_allclose(spectrum.columns["z_imag_drift_corrected_ohm"], table["Zimag"] * 1.02, rtol=1e-6)


def test_time_potential_and_current_come_with_every_point():
    table = columns()
    (spectrum,) = read(text([*header(), *OCV, *curve(table)]))
    np.testing.assert_allclose(spectrum.columns["time_s"], table["Time"], rtol=1e-6)
    assert set(spectrum.columns["e_dc_v"].tolist()) == {1.299216}
    assert set(spectrum.columns["i_dc_a"].tolist()) == {2.4e-6}


def test_free_text_is_kept_and_ends_nothing():
    lines = header(more=["PDAC", "made by hand", "IDC\tQUANT\t1.0\tDC &Current (A)"])
    vendor = read(text([*lines, *curve(columns())]))[0].metadata["vendor"]
    assert vendor["remarks"] == ["PDAC", "made by hand"]
    assert vendor["IDC"] == "1.0"
    assert "EXPLAIN" not in vendor["remarks"]


@pytest.mark.parametrize("name", REAL)
def test_real_files_give_the_numbers_they_are_known_by(name):
    path = real_file(name)
    with (FOLDER / "CANONICAL.tsv").open(encoding="utf-8") as file:
        known = {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}[name]
    (spectrum,) = gamry.read(load(path))
    assert spectrum.all_frequency_hz.size == int(known["n"])
    order = np.argsort(spectrum.columns["acquired_order"])
    f, z = spectrum.all_frequency_hz[order], spectrum.all_z_ohm[order]
    found = [f[0], z[0].real, z[0].imag, f[-1], z[-1].real, z[-1].imag]
    truth = [float(known[key]) for key in ("f_first", "re_first", "im_first", "f_last", "re_last", "im_last")]
    np.testing.assert_allclose(found, truth, rtol=1e-12)
    assert np.log10(np.abs(z)).mean() == pytest.approx(float(known["mean_log10_absZ"]), rel=1e-12)
    assert (spectrum.metadata.get("status") == "aborted") == ("abort" in name.lower())
