"""WinDETA: what is refused, how dielectric quantities become impedance, and which rows are one spectrum."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import novocontrol
from eis.readers.source import Source, load
from tests.real_data import FOLDER, real_file
from tests.vendors import FREQUENCY, cell
from tests.vendors.novocontrol import C0, DIELECTRIC, FIXED, GEOMETRY, IMPEDANCE, TITLE, rows, text

EPS = [" Freq. [Hz]", " Eps'    ", " Eps''   "]
HEAD = [TITLE, GEOMETRY, FIXED]


def source(lines: list[str]) -> Source:
    return Source("pellet.txt", Path("pellet.txt"), text(lines))


def read(lines: list[str]):
    return novocontrol.read(source(lines))


def fault(lines: list[str]) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(lines)
    return caught.value


@pytest.mark.parametrize(("name", "other"), [("Eps'", "Eps''"), ("Modulus'", "Modulus''"), ("Sig'", "Sig''")])
def test_quantities_of_the_material_are_refused_without_the_geometry_which_is_said(name, other):
    names = [" Freq. [Hz]", *(n for n in DIELECTRIC if n.split("[")[0].strip() in (name, other))]
    error = fault([TITLE, FIXED, "\t".join(names), *rows(names)])
    assert f"The file holds {name} and {other}" in error.what
    assert "no line states Diameter and Thickness of the sample" in error.what
    assert "Diameter[mm] … Thickness[mm]" in error.mend


def test_a_geometry_of_which_a_size_is_missing_or_zero_is_no_geometry():
    for spoiled in ("Thickness[mm]: 0.000e+00", "Thickness[furlong]: 7.500e-01", ""):
        line = GEOMETRY.replace("Thickness[mm]: 7.500e-01", spoiled, 1)
        assert "states Thickness" in fault([TITLE, line, FIXED, "\t".join(EPS), *rows(EPS)]).what


def test_a_geometry_with_decimal_commas_is_the_same_geometry():
    lines = [TITLE, GEOMETRY, FIXED, "\t".join(EPS), *rows(EPS)]
    german = [TITLE, GEOMETRY.replace("1.300e+01", "1,300e+01").replace("7.500e-01", "7,500e-01"), *lines[2:]]
    assert "1,300e+01" in german[1]
    (expected,), (found,) = read(lines), read(german)
    np.testing.assert_array_equal(found.z_ohm, expected.z_ohm)


@pytest.mark.parametrize("size", ["1.3.0", "1.300e+01x", "1,300,000", "--13"])
def test_a_size_that_is_no_number_is_no_geometry(size):
    line = GEOMETRY.replace("1.300e+01", size, 1)
    assert "states Diameter" in fault([TITLE, line, FIXED, "\t".join(EPS), *rows(EPS)]).what


def test_a_fixed_temperature_with_a_decimal_comma_is_that_temperature():
    names = IMPEDANCE
    fixed = "Fixed value(s) :  AC Volt  [Vrms]=7,1000e-03  Temp. [°C]=2,50000e+01"
    (found,) = read([TITLE, fixed, "\t".join(names), *rows(names)])
    assert found.metadata["temperature_c"] == 25.0
    assert found.metadata["amplitude_v"] == 7.1e-3


def test_the_thickness_of_the_electrodes_is_not_that_of_the_sample():
    line = GEOMETRY.replace("Thickness[mm]: 7.500e-01  ", "", 1)
    assert "Electrode Thickness[mm]: 4.00e+00" in line
    assert "states Thickness" in fault([TITLE, line, FIXED, "\t".join(EPS), *rows(EPS)]).what


def test_a_temperature_scan_at_one_frequency_is_refused_by_name():
    fixed = f"{FIXED}Freq. [Hz]=1.00000e+03"
    names = ["  Temp. [K]", *IMPEDANCE[1:]]
    lines = rows(names, **{"Temp.": np.linspace(200, 300, 29)})
    error = fault([TITLE, GEOMETRY, fixed, "\t".join(names), *lines])
    assert error.what == "This is a temperature scan at one frequency (1000 Hz), which is no spectrum"
    assert error.line == 5
    assert "no line says at which frequency" in fault([*HEAD, "\t".join(names), *lines]).what
    both = ["  Temp. [K]", *IMPEDANCE]
    lines = rows(both, **{"Temp.": np.linspace(200, 300, 29), "Freq.": 1e3})
    assert "temperature scan at one frequency" in fault([*HEAD, "\t".join(both), *lines]).what


def test_temperature_scans_at_several_frequencies_become_a_spectrum_for_every_temperature():
    names = ["  Temp. [°C]", *IMPEDANCE[1:]]
    lines = [TITLE, GEOMETRY]
    for place, frequency in enumerate(FREQUENCY):
        lines += [f"{FIXED}Freq. [Hz]={frequency:.9e}", "\t".join(names)]
        for celsius, scale in ((20.0, 1.0), (40.0, 0.5)):
            z = cell(FREQUENCY, scale)[place]
            lines.append(f"{celsius:.4e}\t{z.real:.9e}\t{z.imag:.9e}")
    found = read(lines)
    assert [spectrum.metadata["temperature_c"] for spectrum in found] == [20.0, 40.0]
    np.testing.assert_allclose(found[1].z_ohm, cell(FREQUENCY, 0.5), rtol=1e-8)
    other = [line.replace("4.0000e+01", "4.0100e+01") if n == 5 else line for n, line in enumerate(lines)]
    assert "were not done at the same temperatures" in fault(other).what


def test_quantities_of_which_a_part_is_missing_are_refused_with_those_that_are_read():
    error = fault([*HEAD, "Freq. [Hz]\tEps'\tTan(Delta)", *rows(["Freq.", "Eps'", "Tan(Delta)"])])
    assert 'No pair of columns tells the impedance; they are "Freq., Eps\', Tan(Delta)"' in error.what
    assert "Zs' and Zs''" in error.mend


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Freq. [rpm]", "Zs' [ohm]", "Zs'' [ohm]"], "unit of the frequency is 'rpm'"),
        (["Freq. [Hz]", "Zs' [ohm cm2]", "Zs'' [ohm]"], "unit of Zs' is 'ohm cm2'"),
        (["Freq. [Hz]", "Zs'", "Zs''"], "unit of Zs' is ''"),
        (["Freq. [Hz]", "Sig' [A]", "Sig'' [S/cm]"], "unit of Sig' is 'A'"),
        (["Freq. [Hz]", "Zs' [ohm]", "Zs' [ohm]"], '"Zs\'" is named twice'),
        (["Temp. [F]", "Freq. [Hz]", "Zs' [ohm]", "Zs'' [ohm]"], "unit of the temperature is 'F'"),
    ],
)
def test_units_that_are_not_known_are_refused(names, said):
    columns = [name.split("[")[0].strip() for name in names]
    assert said in fault([*HEAD, "\t".join(names), *rows(columns, **{"Temp.": 300.0})]).what


def test_units_are_converted():
    names = ["Freq. [kHz]", "Zs' [kOhm]", "Zs'' [mOhm]"]
    z = cell(FREQUENCY)
    lines = [f"{f / 1e3:.12e} {v.real / 1e3:.12e} {v.imag * 1e3:.12e}" for f, v in zip(FREQUENCY, z, strict=True)]
    (spectrum,) = read([*HEAD, "\t".join(names), *lines])
    np.testing.assert_allclose(spectrum.z_ohm, z, rtol=1e-11)
    assert "Zs'' was converted from mOhm to SI." in spectrum.metadata["converted"]


def test_losses_below_zero_are_refused():
    lines = [line.replace("\t ", "\t-", 2) for line in rows(EPS)]
    spoiled = [f"{a}\t{b.replace('-', ' ', 1)}\t{c}" for a, b, c in (line.split("\t") for line in lines)]
    assert "losses that follow from Eps' and Eps'' are negative" in fault([*HEAD, "\t".join(EPS), *spoiled]).what


def test_nothing_measured_at_all_is_refused():
    lines = [f"{f:.6e}\t00000000\t00000000" for f in FREQUENCY]
    assert "No row was measured" in fault([*HEAD, "\t".join(IMPEDANCE), *lines]).what


def test_a_capacitor_of_vacuum_is_c0_and_has_no_conductivity():
    names = [" Freq. [Hz]", " Sig' [S/cm]", " Sig'' [S/cm]"]
    lines = [f"{f:.12e}\t0.000000e+00\t0.000000e+00" for f in FREQUENCY]
    (spectrum,) = read([*HEAD, "\t".join(names), *lines])
    np.testing.assert_allclose(spectrum.z_ohm.imag, -1 / (2 * np.pi * FREQUENCY * C0), rtol=1e-11)


def test_corrections_of_the_program_are_warned_of_where_the_geometry_is_used():
    line = GEOMETRY.replace("Correction Off", "Correction On").replace("[pF]: 0.000e+00", "[pF]: 1.200e+00")
    assert read([TITLE, line, FIXED, "\t".join(EPS), *rows(EPS)])[0].metadata["warnings"] == [
        "The program applied an edge correction and a spacer capacity: the impedance is that of the sample "
        "between plain plates, not that of the cell."
    ]
    assert read([TITLE, line, FIXED, "\t".join(IMPEDANCE), *rows(IMPEDANCE)])[0].metadata["warnings"] == []


def test_a_temperature_that_runs_away_is_warned_of():
    names = [" Freq. [Hz]", " Temp. [K]", *IMPEDANCE[1:]]
    lines = rows(names, **{"Temp.": np.linspace(300, 304, 29)})
    (spectrum,) = read([*HEAD, "\t".join(names), *lines])
    assert spectrum.metadata["warnings"] == [
        "The temperature changed by 4 K during the spectrum; 28.85 °C is the mean."
    ]
    np.testing.assert_allclose(spectrum.columns["temperature_c"], np.linspace(26.85, 30.85, 29), atol=1e-5)


@pytest.mark.parametrize("first", ["Freq.[Hz]\tZs'[ohm]\tZs''[ohm]", "# Fitted\nFreq.[Hz]\tZs'[ohm]\tZs''[ohm]"])
def test_tables_of_other_programs_are_left_to_others(first):
    assert not novocontrol.recognises(source([first, "1e3\t1\t-1"]))


def test_real_files_give_the_numbers_they_are_known_by():
    path = real_file("EISFitpython/Example2a.txt")
    with (FOLDER / "CANONICAL.tsv").open(encoding="utf-8") as file:
        known = {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}["EISFitpython/Example2a.txt"]
    (spectrum,) = novocontrol.read(load(path))
    assert spectrum.all_frequency_hz.size == int(known["n"])
    first, last = spectrum.z_ohm[0], spectrum.z_ohm[-1]
    found = [spectrum.frequency_hz[0], first.real, first.imag, spectrum.frequency_hz[-1], last.real, last.imag]
    truth = [float(known[name]) for name in ("f_first", "re_first", "im_first", "f_last", "re_last", "im_last")]
    np.testing.assert_allclose(found, truth, rtol=1e-12)
    mean = np.log10(np.abs(spectrum.z_ohm)).mean()
    assert mean == pytest.approx(float(known["mean_log10_absZ"]), rel=1e-12)


def test_a_real_file_of_permittivity_is_understood():
    path = real_file("novocontrol-toolbox/test_X14.txt")
    (spectrum,) = novocontrol.read(load(path))  # its values are scrambled; only the format is real
    assert spectrum.metadata["acquired"] == "11.3.2025 9:32"
    assert spectrum.all_frequency_hz.size == 13
    row = path.read_text(encoding="utf-8").splitlines()[4].split()
    f, eps = float(row[0]), float(row[1]) - 1j * float(row[2])
    c0 = 8.8541878128e-12 * np.pi * 0.02**2 / 2.19e-3
    assert spectrum.z_ohm[0] == pytest.approx(1 / (2j * np.pi * f * c0 * eps), rel=1e-12)
