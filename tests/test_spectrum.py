"""Spectra and cells are checked once, when they are made."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from eis.errors import ConfigError, EisError, SpectrumError
from eis.quantities import format_plain, format_si, format_uncertain
from eis.spectrum import EXCLUDING, Cell, Quality, Spectrum


@pytest.mark.parametrize(
    ("frequency", "z", "words"),
    [
        ([], [], "at least one point"),
        ([1.0, 2.0], [1.0], "2 frequencies and an array of shape"),
        ([1.0, 0.0], [1.0, 1.0], "0 Hz"),
        ([1.0, -5.0], [1.0, 1.0], "-5 Hz"),
        ([1.0, math.nan], [1.0, 1.0], "nan Hz"),
        ([1.0, math.inf], [1.0, 1.0], "inf Hz"),
        ([1.0, 2.0], [1.0, complex(math.nan, 0)], "flag it with Quality.NOT_A_NUMBER"),
        ([[1.0], [2.0]], [[1.0], [2.0]], "array of shape"),
        ("abc", [1.0], "not arrays of numbers: could not convert"),
        ([1.0, 2.0], [[1.0, 2.0], [3.0]], "not arrays of numbers"),
        ([1j, 2.0], [1.0, 2.0], "not arrays of numbers"),
    ],
)
def test_what_is_not_a_spectrum_is_refused_in_words(frequency, z, words):
    with pytest.raises(SpectrumError, match=words):
        Spectrum.of(frequency, z)


def test_rising_frequencies_need_spectrum_of():
    with pytest.raises(SpectrumError, match=r"Spectrum\.of"):
        Spectrum(np.array([1.0, 2.0]), np.ones(2, complex), np.zeros(2, int))


def test_points_are_sorted_and_remember_their_order():
    spectrum = Spectrum.of([1, 100, 10], [1j, 2j, 3j])
    assert spectrum.frequency_hz.tolist() == [100, 10, 1]
    assert spectrum.columns["acquired_order"].tolist() == [1, 2, 0]


def test_repeated_frequencies_are_flagged_and_stay():
    spectrum = Spectrum.of([10, 1, 10], [1, 2, 3])
    assert spectrum.all_frequency_hz.size == 3
    assert spectrum.frequency_hz.tolist() == [10, 1]
    assert spectrum.quality.tolist() == [0, Quality.DUPLICATE, 0]


def test_a_flagged_point_without_a_number_stays_out_of_use():
    spectrum = Spectrum.of([10, 1], [math.nan, 2], quality=[Quality.NOT_A_NUMBER | Quality.OVERLOAD, 0])
    assert len(spectrum) == 1
    assert spectrum.frequency_hz.tolist() == [1]


def test_a_spectrum_cannot_be_changed_afterwards():
    source = np.array([1.0, 2.0])
    spectrum = Spectrum.of(source, [1, 2])
    source[0] = 99
    assert spectrum.frequency_hz.tolist() == [2, 1]
    with pytest.raises(ValueError, match="read-only"):
        spectrum.all_z_ohm[0] = 5
    with pytest.raises(TypeError):
        spectrum.metadata["file"] = "other"


finite = st.floats(-1e9, 1e9)


@given(
    frequency=arrays.arrays(float, st.integers(1, 30), elements=st.floats(width=64)),
    seed=st.integers(0, 2**31),
    flags=st.integers(0, 2047),
)
def test_whatever_comes_in_a_spectrum_is_finite_positive_and_falling_or_refused(frequency, seed, flags):
    rng = np.random.default_rng(seed)
    z = rng.choice([1.0, math.nan, math.inf, -3.0], frequency.size, p=[0.9, 0.02, 0.02, 0.06]) + 1j
    quality = rng.choice([0, flags], frequency.size)
    try:
        spectrum = Spectrum.of(frequency, z, quality=quality)
    except EisError:
        return
    assert np.all(np.isfinite(spectrum.z_ohm))
    assert np.all(spectrum.frequency_hz > 0)
    assert np.all(np.diff(spectrum.frequency_hz) < 0)
    assert spectrum.all_frequency_hz.size == frequency.size


def test_xarray_and_pandas_carry_everything_with_units():
    spectrum = Spectrum.of(
        [10, 1], [1 - 2j, 3 - 4j], columns={"time_s": [0.5, 1.5]}, metadata={"file": "a", "n": [1, 2]}
    )
    data = spectrum.to_xarray()
    assert data["z_imag"].values.tolist() == [-2, -4]
    assert data["z_real"].attrs["units"] == "ohm"
    assert data["time_s"].attrs["units"] == "s"
    assert data["frequency"].attrs["units"] == "Hz"
    assert data.attrs["n"] == "[1, 2]"
    assert len(data["quality"].attrs["flag_meanings"].split()) == len(data["quality"].attrs["flag_masks"])
    assert spectrum.to_dataframe()["z_real_ohm"].tolist() == [1, 3]
    assert spectrum.to_dict(full=True)["z_imag_ohm"] == [-2, -4]


def test_a_spectrum_shows_itself_and_escapes_what_it_shows():
    spectrum = Spectrum.of([10, 1], [1 - 2j, 3 - 4j], metadata={"file": "<script>x</script>"})
    assert "2 points, 10 Hz to 1 Hz" in repr(spectrum)
    assert "<script>" not in spectrum._repr_html_()
    assert "<svg" in spectrum._repr_html_()


def test_a_warning_flag_does_not_exclude_and_an_overload_does():
    assert not Quality.OVERLOAD_WARNING & EXCLUDING
    assert Quality.OVERLOAD & EXCLUDING


@pytest.mark.parametrize("area", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_area_is_refused(area):
    with pytest.raises(ConfigError, match="area_cm2 is"):
        Cell(area_cm2=area)


def test_all_faults_of_a_cell_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        Cell(area_cm2=-1, u_area_cm2=-1, interfaces_in_path=0, kind="coin", thickness_cm=math.nan)
    for word in ("area_cm2", "u_area_cm2", "interfaces_in_path", "kind", "thickness_cm"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [
        (17.6834, 0.026, "17.683 ± 0.052 Ω"),
        (0.0031234, 4e-5, "3.123 ± 0.080 mΩ"),
        (1e-3, 5.0, "0 ± 10 Ω"),
        (12.5, math.nan, "12.5 Ω ± n/a"),
        (math.nan, 1.0, "n/a"),
    ],
)
def test_a_value_has_no_more_digits_than_its_uncertainty_allows(value, u, text):
    assert format_uncertain(value, u, "Ω") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 Ω"),
        (1e6, "1 MΩ"),
        (999.9996, "1000 Ω"),
        (1e-20, "1e-05 fΩ"),
        (-0.012, "-12 mΩ"),
        (math.inf, "n/a"),
    ],
)
def test_numbers_carry_si_prefixes(value, text):
    assert format_si(value, "Ω") == text


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [
        (1.41948e-7, 3.2e-9, "(1.419 ± 0.064)e-07"),
        (0.949496, 0.0018, "0.9495 ± 0.0036"),
        (27.8, 41.5, "28 ± 83"),
        (0.95, math.nan, "0.95 ± n/a"),
        (math.inf, 1.0, "n/a"),
        (1e6, 5.0, "(1.000000 ± 0.000010)e+06"),
    ],
)
def test_a_value_without_prefix_has_the_digits_of_its_uncertainty_too(value, u, text):
    assert format_plain(value, u) == text
