"""Tables: what is refused and with which words, what the data tell, and columns that the user names."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest

from eis import archive
from eis.errors import ConfigError, ReadError
from eis.readers import bdf, bridge_csv, columns, read_all, table
from eis.readers.source import Source
from eis.spectrum import Quality, Spectrum
from tests.vendors import FREQUENCY as F
from tests.vendors import cell
from tests.vendors.bridge_csv import FILES as TRACES

Z = cell(F)


@pytest.fixture
def source(tmp_path):
    """Return the source of some text or bytes."""

    def of(content: str | bytes, name: str = "cell.csv") -> Source:
        raw = content if isinstance(content, bytes) else content.encode("utf-8")
        return Source(name, tmp_path / name, raw)

    return of


def text(head, *parts, separator=","):
    rows = [
        separator.join(one if isinstance(one, str) else repr(float(one)) for one in row)
        for row in zip(*parts, strict=True)
    ]
    return "\n".join(([head] if head else []) + rows) + "\n"


def fault(reader, one: Source) -> ReadError:
    assert reader.recognises(one)
    with pytest.raises(ReadError) as caught:
        reader.read(one)
    assert caught.value.mend
    return caught.value


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("f (Hz),Cp (F),D\n1,2,3\n", "Cp (F), D"),
        ("f (Hz),Cs (F),Rs (Ohm)\n1,2,3\n", "Cs (F)"),
        ("f (Hz),C' (F),C'' (F)\n1,2,3\n", "Capacitances"),
        ("f (Hz),eps',eps''\n1,2,3\n", "other impedances"),
        ("f (Hz),Z (Ohm)\n1,2\n2,3\n", "not complex numbers"),
        ("f (Hz),|Y| (S)\n1,2\n", "admittance"),
        ("f (Hz),Y' (Ohm),Y'' (Ohm)\n1,2,3\n", "S, mS"),
        ("f (Hz),Re (Ohm),#NAME?\n1000,10,1\n100,11,2\n", "do not tell the sign"),
        ("f (Hz),Re (Ohm),#NAME?,#NAME?\n1000,10,1,1\n", "spreadsheet"),
        ("f,|Z|,phase\n1000,10,-1\n100,11,-1\n", "no unit"),
        ("f (Hz),Re (Ohm),Im (Ohm)\n1k,10x,1\n", "10x"),
        ("f (kHz),Re (Ohm),Im (Ohm)\n1k,10,1\n", "1k"),
        ("f (Hz),Z (Ohm)\n1000,1-2j\n100,oops\n", "oops"),
        ("1000 1-2j\n100 1-\n", "1-"),
        ("f (Hz),Re (Ohm),Im (Ohm)\n1,000,1,2\n", "Expected 3 cells"),
        ("f,Re,Im\nnp.float64(10.5),np.float64(1.5),np.float64(-2.5)\n", "found 'np.float64(10.5)'"),
        ("F/HZ,RE/MOHM,IM/MOHM\n1000,1,-1\n", "'MOHM'"),
        ("F/HZ,G/MS,B/MS\n1000,1,-1\n", "'MS'"),
        ("f (Hz);Re (Ohm);Im (Ohm)\n100.000;22,04;-0,31\n10.000;22,06;-0,47\n", "'100.000' may be"),
        ("100.000;22,04;-0,31\n10.000;22,06;-0,47\n", "'100.000' may be"),
    ],
)
def test_a_table_that_does_not_tell_an_impedance_is_refused(source, content, words) -> None:
    assert words in str(fault(table, source(content)))


def test_what_is_no_table_of_impedance_is_left_to_others(source) -> None:
    for content in ("hello\n1,2,3\n", "name,value\n1,2\n", "\n\n", "Voltage,Current\n1,2\n", "{}", "1,2\n2,3\n"):
        assert not table.recognises(source(content))


def test_remarks_above_a_table_need_a_whole_table_below(source) -> None:
    assert not table.recognises(source("Measured at 25 C\nfrequency (Hz),remarks\n1,2\n"))
    assert not table.recognises(source("Measured at 25 C\n1,2,3\n2,3,4\n"))
    spectrum = table.read(source("Cell: 7\n\nfrequency (Hz),Re,Im\n1,2,-3\n"))[0]
    assert spectrum.metadata["vendor"]["remarks"] == ["Cell: 7"]
    assert any("nothing was taken from them" in said for said in spectrum.metadata["converted"])


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_a_modulus_a_thousand_times_off_is_refused(source, factor) -> None:
    content = text("f (Hz),Re (Ohm),Im (Ohm),|Z| (Ohm)", F, Z.real, Z.imag, factor * np.abs(Z))
    error = fault(table, source(content))
    assert "contradict each other" in error.what
    assert "columns=" in error.mend


@pytest.mark.parametrize("head", ["f (Hz),|Z| (Ohm),Phase (rad)", "f (Hz),|Z| (Ohm),Phase (deg)"])
def test_phases_of_more_than_a_whole_turn_are_refused(source, head) -> None:
    unit = 1.0 if "rad" in head else 180 / np.pi
    phase = np.degrees(np.angle(Z)) * unit  # so many radians
    error = fault(table, source(text(head, F, np.abs(Z), phase)))
    assert "more than a whole turn" in error.what
    assert "phase_deg" in error.mend


def test_a_bridge_s_phases_of_more_than_a_whole_turn_are_refused(source) -> None:
    content = TRACES["e4990a_z_theta.csv"].content.replace(b"theta-z(deg)", b"theta-z(rad)")
    assert "more than a whole turn" in fault(bridge_csv, source(content)).what


def test_a_trace_that_is_there_twice_and_differs_is_refused(source) -> None:
    content = HEAD + "Frequency(Hz), R(Ohm)-data, X(Ohm)-data, R(Ohm)-data\n1,2,3,2\n2,2,3,4\nEND\n"
    assert "R(Ohm)-data" in fault(bridge_csv, source(content)).what


# ---------------------------------------------------------------- what is doubted


def test_small_phases_in_degrees_that_are_said_to_be_radians_are_doubted(source) -> None:
    z = Z + 60.0
    for phase, doubted in ((np.angle(z), False), (np.degrees(np.angle(z)), True)):
        assert np.abs(phase).max() < 2 * np.pi
        (spectrum,) = table.read(source(text("f (Hz),|Z| (Ohm),Phase (rad)", F, np.abs(z), phase)))
        assert any("seem to be degrees" in said for said in spectrum.metadata.get("doubts", [])) == doubted


@pytest.mark.parametrize("places", [(-3,), (0, 1, 2, 3, 4)])
def test_a_phase_that_contradicts_at_a_tenth_of_the_points_is_doubted(source, places) -> None:
    phase = np.degrees(np.angle(Z))
    phase[list(places)] += 30
    content = text("f (Hz),Re (Ohm),Im (Ohm),Phase (deg)", F, Z.real, Z.imag, phase)
    (spectrum,) = table.read(source(content))
    assert ("doubts" in spectrum.metadata) == (len(places) > 0.1 * F.size)


@pytest.mark.parametrize(
    "f", [[6, 5, 4, 3, 2, 1, 0], [3, 2, 1, 0, -1, -2, -3], [1e308, 1e200, 1e9, 1e3, 1, 1e-200, 1e-300]]
)
def test_strange_frequencies_without_headings_raise_no_warning(source, f) -> None:
    content = text("", np.array(f, float), np.full(7, 10.0), -np.arange(7.0))
    with contextlib.suppress(ReadError):
        table.read(source(content))


def test_modulus_and_degrees_without_headings_are_doubted(source) -> None:
    z = 300 + 900 / (1 + 1j * F / 5e3)
    polar = table.read(source(text("", F, np.abs(z), np.degrees(np.angle(z)))))[0]
    assert "modulus and phase" in polar.metadata["doubts"][0]
    assert "doubts" not in table.read(source(text("", F, z.real, z.imag)))[0].metadata


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (-np.degrees(np.angle(Z)), "sign"),
        (np.angle(Z), "57.3 times too small"),
        (np.degrees(np.angle(Z)) + 20, "differs"),
        (np.degrees(np.angle(Z)), None),
    ],
)
def test_a_phase_that_contradicts_is_doubted(source, phase, words) -> None:
    spectrum = table.read(source(text("f (Hz),Re (Ohm),Im (Ohm),Phase (deg)", F, Z.real, Z.imag, phase)))[0]
    doubts = spectrum.metadata.get("doubts", [])
    assert [bool(re.search(words or "", said)) for said in doubts] == ([True] if words else [])
    assert set(doubts) <= set(spectrum.metadata["warnings"])
    np.testing.assert_array_equal(spectrum.z_ohm, Z)


def test_spectra_in_turn_without_a_column_that_says_so_are_doubted(source) -> None:
    content = text("f,Re,Im", np.repeat(F, 2), np.repeat(Z.real, 2), np.repeat(Z.imag, 2))
    assert "several spectra in turn" in table.read(source(content))[0].metadata["warnings"][0]


# ---------------------------------------------------------------- what the data tell


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_of_an_eaten_heading_is_told_by_the_data(source, sign) -> None:
    spectrum = table.read(source(text("f (Hz),Re (mOhm),#NAME?", F, Z.real * 1e3, sign * Z.imag * 1e3)))[0]
    np.testing.assert_allclose(spectrum.z_ohm, Z)
    said = next(said for said in spectrum.metadata["converted"] if "#NAME?" in said)
    assert ("-Z''" in said) == (sign < 0)


@pytest.mark.parametrize("scale", [1.0, 180 / np.pi])
def test_degrees_and_radians_are_told_by_the_data(source, scale) -> None:
    spectrum = table.read(source(text("f,|Z|,phase", F, np.abs(Z), np.angle(Z) * scale)))[0]
    np.testing.assert_allclose(spectrum.z_ohm, Z, rtol=1e-12)
    unit = "radians" if scale == 1 else "degrees"
    assert any(f"they are {unit}" in said for said in spectrum.metadata["converted"])


@pytest.mark.parametrize(
    "head",
    [
        "Frequenz / Hz;Realteil / Ohm;Imaginärteil / Ohm",
        "Frequenz [Hz];Wirkwiderstand [Ohm];Blindwiderstand [Ohm]",
        "Fréquence (Hz);Partie réelle (ohm);Partie imaginaire (ohm)",
        "Frecuencia (Hz);Parte real (ohm);Parte imaginaria (ohm)",
        "Frequenza (Hz);Parte reale (ohm);Parte immaginaria (ohm)",
    ],
)
def test_headings_of_other_languages_are_read(source, head) -> None:
    (spectrum,) = table.read(source(text(head, F, Z.real, Z.imag, separator=";")))
    np.testing.assert_array_equal(spectrum.z_ohm, Z)


def test_german_modulus_and_phase_are_read(source) -> None:
    for name in ("Impedanz", "Betrag", "Scheinwiderstand"):
        head = f"Frequenz [Hz];{name} [Ohm];Phasenwinkel [°]"
        content = text(head, F, np.abs(Z), np.degrees(np.angle(Z)), separator=";").replace(".", ",")
        (spectrum,) = table.read(source(content))
        np.testing.assert_allclose(spectrum.z_ohm, Z, rtol=1e-12)


def test_units_may_stand_in_the_cells(source) -> None:
    (spectrum,) = table.read(source("f,Re,Im\n2kHz,10ohm,-5mohm\n1000Hz,11ohm,-1ohm\n"))
    np.testing.assert_allclose(spectrum.frequency_hz, [2000.0, 1000.0])
    np.testing.assert_allclose(spectrum.z_ohm, [10 - 0.005j, 11 - 1j])


# ---------------------------------------------------------------- coordinates


def test_blank_coordinates_repeat_the_one_above_and_kelvin_becomes_celsius(source) -> None:
    cells = ["A", *[""] * (F.size - 1), "B", *[""] * (F.size - 1)]
    content = text(
        "Cell,T (K),f,Re,Im", cells, ["300"] * (2 * F.size), *(np.tile(x, 2) for x in (F, Z.real, Z.imag))
    )
    one, other = table.read(source(content))
    assert (one.metadata["cell"], other.metadata["cell"]) == ("A", "B")
    assert one.metadata["temperature_c"] == pytest.approx(26.85)
    assert [one.metadata["cycle"], other.metadata["cycle"]] == [1, 2]


def test_a_temperature_that_wanders_is_a_column(source) -> None:
    wander = 25 + 0.1 * (np.arange(F.size) % 3)
    spectrum = table.read(source(text("Temp (°C),f,Re,Im", wander, F, Z.real, Z.imag)))[0]
    np.testing.assert_allclose(spectrum.columns["temperature_c"], wander)
    assert "temperature_c" not in spectrum.metadata


def test_a_coordinate_with_another_value_in_every_row_is_left_out(source) -> None:
    found = table.read(source(text("scan,f,Re,Im", np.arange(F.size), F, Z.real, Z.imag)))
    assert len(found) == 1
    assert "'scan'" in found[0].metadata["dropped"][0]


def test_what_is_noted_of_one_spectrum_is_not_noted_of_the_next(source) -> None:
    content = "cycle,f,Re,Im\n1,0,1,0\n1,10,1,-1\n1,1,2,-2\n2,10,1,-1\n2,1,2,-2\n"
    one, other = table.read(source(content))
    assert one.metadata["dropped"] == ["1 row with 0 Hz (DC steps)."]
    assert other.metadata["dropped"] == []


def test_a_capital_t_without_a_unit_is_no_time(source) -> None:
    (spectrum,) = table.read(source(text("T,f,Re,Im", np.full(F.size, 25.0), F, Z.real, Z.imag)))
    assert "time_s" not in spectrum.columns
    (spectrum,) = table.read(source(text("t,f,Re,Im", np.arange(F.size), F, Z.real, Z.imag)))
    np.testing.assert_array_equal(spectrum.columns["time_s"], np.arange(F.size))


def test_a_time_in_an_unknown_unit_is_left_out_and_that_is_said(source) -> None:
    (spectrum,) = table.read(source(text("t/fortnight,f,Re,Im", np.arange(F.size), F, Z.real, Z.imag)))
    assert "time_s" not in spectrum.columns
    assert "'fortnight'" in spectrum.metadata["dropped"][0]


def test_minutes_and_hours_are_times(source) -> None:
    for unit, seconds in (("min", 60.0), ("h", 3600.0), ("ms", 1e-3)):
        (spectrum,) = table.read(source(text(f"t/{unit},f,Re,Im", np.arange(F.size), F, Z.real, Z.imag)))
        np.testing.assert_allclose(spectrum.columns["time_s"], seconds * np.arange(F.size))
        assert any("converted" in said for said in spectrum.metadata["converted"])


# ---------------------------------------------------------------- columns the user names

ODD = text("no,X,f (Hz),note,Y", ["1"] * F.size, -Z.imag * 1e3, F, ["?"] * F.size, Z.real * 1e3)


@pytest.mark.parametrize(
    "given",
    [
        {"frequency": "f (Hz)", "real": "5@mohm", "imag": "-X@mOhm"},
        {"frequency": 3, "real": "Y@mohm", "imag": "-2@mohm"},
        "frequency=f (Hz), real=5@mohm, imag=-X@mohm",
        "frequency=3,real=5@mohm,imag=-2@mohm",
    ],
)
def test_named_columns_are_read(source, given) -> None:
    parsed = columns.parse(given)
    assert columns.parse(str(parsed)) == parsed
    found = table.read_mapped(source(ODD), parsed)
    np.testing.assert_allclose(found[0].z_ohm, Z, rtol=1e-12)
    assert found[0].metadata["format"] == "table with named columns"


def test_named_columns_need_no_headings(source) -> None:
    content = text("", Z.real, np.degrees(np.angle(Z)), F, np.abs(Z))
    found = table.read_mapped(source(content), columns.parse("frequency=3,magnitude=4,phase_deg=2"))
    np.testing.assert_allclose(found[0].z_ohm, Z, rtol=1e-12)


def test_a_heading_with_a_minus_is_named_with_it(source) -> None:
    content = text("f (kHz),Z1,-Z2 (mOhm)", F / 1e3, Z.real, -Z.imag * 1e3)
    found = table.read_mapped(source(content), columns.parse("frequency=f (kHz),real=Z1,imag=-Z2 (mOhm)"))
    np.testing.assert_allclose(found[0].z_ohm, Z, rtol=1e-12)


def test_named_admittance_time_and_cycle(source) -> None:
    y = 1 / Z
    content = text("a,b,c,d,e", ["7"] * F.size, F, y.real, y.imag, np.arange(F.size))
    given = "frequency=b,admittance_real=c,admittance_imag=d,time=e,cycle=a"
    (spectrum,) = table.read_mapped(source(content), columns.parse(given))
    np.testing.assert_allclose(spectrum.z_ohm, Z, rtol=1e-12)
    assert spectrum.metadata["cycle"] == 7
    assert list(spectrum.columns["time_s"]) == list(range(F.size))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "Expected quantity=column"),
        ("frequency", "Expected quantity=column"),
        ("frequency=f,real=Z,imag", "names frequency, real"),
        ("frequency=f,reel=Z,imag=X", "'reel' is no quantity"),
        ("frequency=f,real=Z", "one pair"),
        ("real=f,imag=Z", "one pair"),
        ("frequency=f,real=Z,imag=X,magnitude=M,phase_deg=P", "one pair"),
        ("frequency=f,magnitude=Z,phase_deg=1,phase_rad=2", "one pair"),
        ("frequency=f,real=Z,imag=X,real=Y", "named twice"),
        ("frequency=f,real=Z,imag=-Z", "two quantities"),
        ("frequency=-f,real=Z,imag=X", "no sense"),
        ("frequency=f,real=Z@cats,imag=X", "'cats' is no unit"),
        ("frequency=f,real=0,imag=X", "from 1"),
        ("frequency=f,real=999999999999,imag=X", "from 1"),
        ("frequency=f,real=-,imag=X", "No column"),
        ("f=" * 2000, "characters"),
        ({"frequency": "f", "real": 1.5, "imag": "X"}, "neither a heading nor a number"),
        ({"frequency": "f", "real": True, "imag": "X"}, "neither a heading nor a number"),
        (["frequency", "f"], "mapping or text"),
    ],
)
def test_a_wrong_column_map_is_a_configuration_error(given, words) -> None:
    with pytest.raises(ConfigError) as caught:
        columns.parse(given)
    assert words in str(caught.value)
    assert "frequency=f (Hz),real=3,imag=-X" in caught.value.mend


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("frequency=nix,real=Y,imag=X", "No line has the columns"),
        ("frequency=f (Hz),real=9,imag=X", "No line has the columns"),
        ("frequency=f (Hz),real=note,imag=X", "'?'"),
    ],
)
def test_columns_that_are_not_there_are_named(source, given, words) -> None:
    with pytest.raises(ReadError) as caught:
        table.read_mapped(source(ODD), columns.parse(given))
    assert words in str(caught.value)


def test_an_unknown_unit_in_a_named_heading_is_refused(source) -> None:
    content = text("f (Hz),A (Ohm cm2),B", F, Z.real, Z.imag)
    with pytest.raises(ReadError, match="Ohm cm2"):
        table.read_mapped(source(content), columns.parse("frequency=f (Hz),real=A (Ohm cm2),imag=B"))


# ---------------------------------------------------------------- Battery Data Format


def test_what_the_archive_writes_comes_back_bit_for_bit(tmp_path) -> None:
    chance = np.random.default_rng(3)
    z = Z * (1 + 1e-3 * chance.standard_normal(F.size))
    path = archive.write(Spectrum.of(F, z), tmp_path / "cell.bdf.csv")
    one = Source(path.name, path, path.read_bytes())
    assert bdf.recognises(one)
    (again,) = bdf.read(one)
    assert again.z_ohm.tobytes() == z.tobytes()
    assert again.frequency_hz.tobytes() == F.tobytes()
    assert again.metadata["warnings"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("frequency_hertz,real_impedance_ohm\n1,2\n", "imaginary_impedance_ohm"),
        (
            "Frequency / Hz,Frequency / Hz,Real Impedance / ohm,Imaginary Impedance / ohm\n1,1,2,3\n",
            "Several columns",
        ),
        ("frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm\n,,\n,,\n", "No row holds"),
        ("frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm\n1,,3\n", "finite number"),
        (
            text(
                "frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm,absolute_impedance_ohm",
                F,
                Z.real,
                Z.imag,
                np.abs(Z) / 1e3,
            ),
            "contradict",
        ),
    ],
)
def test_a_faulty_bdf_file_is_refused(source, content, words) -> None:
    assert words in str(fault(bdf, source(content)))


def test_rest_rows_of_a_time_series_are_left_out_and_counted(source) -> None:
    from tests.vendors.bdf import FILES

    one, other = bdf.read(source(FILES["time_series.bdf.csv"].content))
    assert one.metadata["dropped"] == ["2 rows without impedance."]
    assert (one.metadata["step"], other.metadata["step"]) == (2, 3)
    assert one.columns["e_dc_v"][0] == 3.7
    assert one.columns["time_s"][0] == 200.0


def test_a_cycler_s_bdf_file_is_not_ours(source) -> None:
    assert not bdf.recognises(source("Test Time / s,Voltage / V,Current / A\n0,3,0\n"))


# ---------------------------------------------------------------- bridges

HEAD = "!Agilent Technologies,E4990A,MY1,A.02.10\n!Date: today\nBEGIN CH1_DATA\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('"# Channel 1"\n"# Trace 1"\nFrequency, Formatted Data [Ohm], Formatted Data\n+1E+5, 1, 0\n', "E4991B"),
        ('"4294A REV1.11"\n"TRACE: A"\n', "4294A"),
        ("+1.23456E+03,-1.23456E+01,+0\n+1.23456E+03,-1.23456E+01,+0\n", "no frequencies"),
        ("+1.234567890E+03,-1.234567890E+01,+1,+10\n", "no frequencies"),
        (HEAD + "Frequency(Hz), S11(REAL), S11(IMAG)\n1,2,3\nEND\n", "do not tell an impedance"),
        (HEAD + "Frequency(Hz), |Z|(Ohm)-data\n1,2\nEND\n", "do not tell an impedance"),
        (HEAD + "Frequency(Hz), |Z|(Ohm)-mem, theta-z(deg)-mem\n1,2,3\nEND\n", "do not tell an impedance"),
        (HEAD + "OSC Level(V), |Z|(Ohm)-data, theta-z(deg)-data\n1,2,3\nEND\n", "not over the frequency"),
        (HEAD + "Frequency(Hz), R(Ohm)-data, X(Ohm)-data\nEND\n", "no data rows"),
        (HEAD + "Frequency(Hz), Cp(F)-data, D()-data\n1,0,0\nEND\n", "finite impedance"),
        (HEAD, "do not tell an impedance"),
    ],
)
def test_what_a_bridge_saves_without_an_impedance_is_refused_by_name(source, content, words) -> None:
    assert words in str(fault(bridge_csv, source(content)))


def test_overloads_are_flagged(source) -> None:
    rows = "+1E+3, +10, -1\n+1E+2, +9.9E+37, +9.9E+37\n+1E+1, +12, -2\n"
    spectrum = bridge_csv.read(source(HEAD + "Frequency(Hz), R(Ohm)-data, X(Ohm)-data\n" + rows + "END\n"))[0]
    assert list(spectrum.quality) == [Quality.OK, Quality.OVERLOAD, Quality.OK]
    assert len(spectrum) == 2


def test_a_phase_that_alone_is_an_overload_is_flagged(source) -> None:
    rows = "+1E+3, +10, -1\n+1E+2, +11, +9.9E+37\n+1E+1, +12, -2\n"
    spectrum = bridge_csv.read(
        source(HEAD + "Frequency(Hz), |Z|(Ohm)-data, theta-z(deg)-data\n" + rows + "END\n")
    )[0]
    assert list(spectrum.quality) == [Quality.OK, Quality.OVERLOAD, Quality.OK]


def test_a_loss_of_the_wrong_sign_is_doubted(source) -> None:
    rows = "".join(f"{f}, -1E-9, +0.1\n" for f in (1e5, 1e4, 1e3))
    spectrum = bridge_csv.read(source(HEAD + "Frequency(Hz), Cp(F)-data, D()-data\n" + rows + "END\n"))[0]
    assert "sign of D" in spectrum.metadata["doubts"][-1]


def test_a_block_without_an_end_is_said_to_be_cut(source) -> None:
    content = TRACES["e4990a_r_x.csv"].content.replace(b"END\n", b"")
    spectrum = bridge_csv.read(source(content))[0]
    assert spectrum.metadata["status"] == "truncated"


def test_memory_traces_are_left_out_and_said(source) -> None:
    spectrum = bridge_csv.read(source(TRACES["e4990a_z_theta.csv"].content))[0]
    assert "of the memory" in spectrum.metadata["dropped"][0]
    assert spectrum.metadata["vendor"]["Title label"] == "TEST DATA"
    assert spectrum.metadata["vendor"]["instrument"].startswith("Agilent Technologies,E4990A")


def test_a_series_of_admittances_takes_its_frequencies_from_the_array_beside_it(tmp_path):
    frequency = np.geomspace(1e4, 1.0, 9)
    z = np.array([10 + n + 50 / (1 + 1j * frequency / 100) for n in range(5)])
    np.save(tmp_path / "Y_5.npy", (1 / z).T)
    with pytest.raises(ReadError, match="0 arrays of that many frequencies"):
        read_all(tmp_path / "Y_5.npy")
    np.save(tmp_path / "freq_5.npy", frequency)
    np.save(tmp_path / "unrelated.npy", np.array([3.0, 1.0, 2.0]))
    with (tmp_path / "large.npy").open("wb") as file:  # not looked into
        file.truncate(50_000_000)
    found = read_all(tmp_path / "Y_5.npy")
    np.testing.assert_allclose([spectrum.z_ohm for spectrum in found], z, rtol=1e-14)
    assert "freq_5.npy" in found[0].metadata["converted"][0]
    np.save(tmp_path / "other_freq.npy", frequency + 1)
    with pytest.raises(ReadError, match="2 arrays"):
        read_all(tmp_path / "Y_5.npy")
