"""Ladders, Z-HIT and Lin-KK in bulk against published figures, closed forms and impedance.py."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from benchmarks.validation_corpus import faulty, sound
from eis.errors import ConfigError, SpectrumError
from eis.series_axis import SeriesAxis, series_axis
from eis.spectrum import Spectrum
from eis.validation import lin_kk_many, schonleber_ladder, validate, validate_many, why_not
from eis.validation_plots import plot_residual_bands, plot_residual_map, plot_zhit
from eis.zhit import zhit, zhit_of
from tests.real_data import real_file
from tests.truth import FREQUENCY, TwoArcs, noisy

BOUKAMP_HZ = np.geomspace(1e4, 1, 41)


def boukamp(arc_ohm=200.0):
    """Return the test circuit R100(R200 0.8 µF)(R500 W) of Boukamp, J. Electrochem. Soc. 142 (1995) 1885."""
    s = 2j * np.pi * BOUKAMP_HZ
    return 100 + 1 / (1 / arc_ohm + 8e-7 * s) + 1 / (1 / 500 + 4e-4 * np.sqrt(s))


def example_data():
    table = np.genfromtxt(real_file("impedance.py/exampleData.csv"), delimiter=",")
    table = table[table[:, 0] < 1e3]
    return table[:, 0], table[:, 1] + 1j * table[:, 2]


@pytest.mark.parametrize(
    ("f", "z", "said"),
    [
        (FREQUENCY, np.ones((2, 70)), "71"),
        (FREQUENCY[:5], np.ones((2, 5)), "too few"),
        (FREQUENCY, np.full((2, 71), np.nan), "2 spectra have a point that is not a number"),
        (FREQUENCY, np.zeros((1, 71)), "or zero"),
        (np.ones(71), np.ones((1, 71)), "each once"),
        (FREQUENCY, np.ones((0, 71)), "no spectrum"),
    ],
)
def test_bulk_input_that_is_no_archive_is_refused_in_words(f, z, said):
    with pytest.raises(SpectrumError, match=said):
        lin_kk_many(f, z)


def test_a_map_of_nothing_or_without_a_place_for_each_is_refused():
    with pytest.raises(ConfigError, match="no residuals"):
        plot_residual_map([])
    with pytest.raises(ConfigError, match="1 spectra and 2 places"):
        plot_residual_map([validate(TwoArcs().spectrum(1e-3))], SeriesAxis.of([25, 60]))
    with pytest.raises(ConfigError, match="finite number"):
        SeriesAxis.of([1, np.nan])


def test_an_archive_with_a_spectrum_that_cannot_be_tested_names_it():
    short = Spectrum.of(FREQUENCY[:5], np.ones(5), metadata={"file": "short.csv"})
    sound = TwoArcs().spectrum(1e-3)
    with pytest.raises(SpectrumError, match=r"too few.*short\.csv"):
        validate_many([sound, short])
    assert "too few" in str(why_not(short))
    assert why_not(sound) is None
    assert validate_many([]) == ()


def test_boukamp_s_circuit_is_the_published_one():
    at = [int(np.argmin(np.abs(BOUKAMP_HZ - f))) for f in (1e4, 1e3, 100, 10, 1)]
    published = [109.009182 - 26.555680j, 221.690825 - 120.399125j, 366.399861 - 73.255940j]
    published += [484.245516 - 99.399255j, 645.478700 - 90.618128j]
    np.testing.assert_allclose(boukamp()[at], published, rtol=1e-8)


def test_lin_kk_of_boukamp_s_circuit_and_its_drifting_twin_are_as_published():
    m, _, steady = schonleber_ladder(BOUKAMP_HZ, boukamp(), capacitor=False)
    assert m == 15
    assert np.abs(steady).max() == pytest.approx(0.0039, abs=5e-5)
    drift = boukamp(200 + 5 * np.cumsum(1 / BOUKAMP_HZ))  # 5 ohm per second of periods
    _, _, moving = schonleber_ladder(BOUKAMP_HZ, drift, capacitor=False)
    assert np.abs(moving.real).max() == pytest.approx(0.010, abs=5e-4)
    assert np.abs(moving.imag).max() == pytest.approx(0.010, abs=5e-4)


def test_the_drifting_twin_is_caught_by_drift_and_the_steady_one_is_valid():
    drift = boukamp(200 + 5 * np.cumsum(1 / BOUKAMP_HZ))
    for noise in (0.0, 5e-4):
        assert validate(Spectrum.of(BOUKAMP_HZ, noisy(boukamp(), noise, 1))).verdict == "valid"
        found = validate(Spectrum.of(BOUKAMP_HZ, noisy(drift, noise, 1)))
        assert found.verdict != "valid"
        assert found.causes[0] == "drift"


def test_impedance_py_s_demonstration_is_reproduced():
    f, z = example_data()
    assert f.size == 55
    m, mu, left = schonleber_ladder(f, z, c=0.5, most=100)
    assert (m, round(mu, 2)) == (26, 0.31)
    assert np.abs(left.real).max() == pytest.approx(0.00295, abs=1e-5)
    assert np.abs(left.imag).max() == pytest.approx(0.00355, abs=1e-5)
    m, mu, _ = schonleber_ladder(f, z, c=0.85, most=100)
    assert (m, round(mu, 4)) == (23, 0.8378)


def test_our_ladder_is_impedance_py_s():
    elements = pytest.importorskip("impedance.models.circuits.elements")
    elements.circuit_elements["np"] = np  # release 1.7.1 does not run with NumPy 2 otherwise
    from impedance.validation import linKK

    f, z = example_data()
    with contextlib.redirect_stdout(io.StringIO()):
        m, mu, _, real, imag = linKK(f, z, c=0.85, max_M=50, fit_type="complex", add_cap=True)
    ours = schonleber_ladder(f, z, c=0.85)
    assert ours[0] == m
    assert ours[1] == pytest.approx(mu, rel=1e-5)  # it solves the normal equations
    np.testing.assert_allclose(ours[2], real + 1j * imag, atol=1e-7)


def test_z_hit_of_an_arc_is_right_to_four_percent_and_exact_with_its_own_model():
    z = 1 + 9 / (1 + (1j * FREQUENCY / 1e3) ** 0.9)
    found = zhit(FREQUENCY, z)
    assert np.abs(found.deviation).max() < 0.05
    assert np.abs(zhit(FREQUENCY, z, model_ohm=z).deviation).max() < 1e-12


def test_z_hit_shows_a_modulus_that_drifted_against_its_phase():
    sound = TwoArcs().z()
    grown = sound * (1 + 0.05 / (1 + FREQUENCY / 0.3))
    found = zhit(FREQUENCY, grown, model_ohm=sound)
    np.testing.assert_allclose(np.ptp(found.deviation), np.ptp(np.log(np.abs(grown / sound))), rtol=1e-9)
    assert found.deviation[-1] > 0.035
    assert np.abs(found.deviation[FREQUENCY > 30]).max() < 0.001


def archive(n=40, noise=2e-3):
    rng = np.random.default_rng(5)
    z = np.array([TwoArcs(r2=10 ** rng.uniform(0.5, 1.5), f2=10 ** rng.uniform(2, 4)).z() for _ in range(n)])
    return z + noise * np.abs(z) * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape))


@pytest.mark.parametrize("weights", ["own", "shared"])
def test_an_archive_in_bulk_is_as_good_as_one_by_one(weights):
    z = archive()
    found = lin_kk_many(FREQUENCY, z, weights=weights)
    singly = np.array([validate(Spectrum.of(FREQUENCY, one)).rms_residual for one in z[:10]])
    np.testing.assert_allclose(found.rms_residual[:10], singly, rtol=0.12)
    assert not found.suspicious.any()
    assert np.median(found.noise) == pytest.approx(2e-3, rel=0.15)


@pytest.mark.parametrize("weights", ["own", "shared"])
def test_the_bad_ones_in_an_archive_are_pointed_at(weights):
    z = archive()
    z[3, 40] *= 1.05
    z[7, 30:40] *= 1.03
    z[9] = z[9].conj()
    assert set(np.flatnonzero(lin_kk_many(FREQUENCY, z, weights=weights).suspicious)) == {3, 7, 9}


def test_scale_does_not_matter():
    z = archive(5)
    many = lin_kk_many(FREQUENCY, np.array([1e-3, 1, 1e9])[:, None] * z[0])
    np.testing.assert_allclose(many.residual[1:], np.broadcast_to(many.residual[0], (2, 71)), atol=1e-9)


def test_the_pictures_show_what_was_found():
    z = noisy(TwoArcs().z(), 5e-4, 1)
    z[30:40] *= 1.02
    z[55] *= 1.1
    spectrum = Spectrum.of(FREQUENCY, z)
    found = validate(spectrum)
    bands = plot_residual_bands(found)
    assert bands.get_title(loc="left").startswith("invalid: shift")
    assert "stands out" in [text.get_text() for text in bands.get_legend().get_texts()]
    assert plot_zhit(Spectrum.of(FREQUENCY, z), found).lines
    assert "ln|Z| − Z-HIT" in [
        line.get_label() for line in plot_residual_bands(found, zhit_of(spectrum, found)).lines
    ]


def test_a_sweep_without_noise_is_valid_however_far_it_has_come():
    frequency = np.geomspace(1e4, 10, 25)
    z = 22 + 15 / (1 + (1j * frequency / 150e3) ** 0.95) + 17.7 / (1 + (1j * frequency / 1.2e3) ** 0.92)
    for count in range(10, 26):
        assert validate(Spectrum.of(frequency[:count], z[:count])).verdict == "valid"


def test_an_archive_gets_the_verdicts_of_its_spectra_one_by_one():
    # sound and faulty ones on grids of their own, with clocks, repeats, and many on one grid
    rng = np.random.default_rng(4)
    mixed = [case.spectrum for source in (sound(30, 5), faulty(24, 6)) for case in source]
    alike = [TwoArcs(r2=5 + i).spectrum(10 ** rng.uniform(-4, -2), seed=i) for i in range(40)]
    spoilt = [Spectrum.of(FREQUENCY, np.where(FREQUENCY < 50, 1.02, 1) * one.z_ohm) for one in alike[:6]]
    lone = Spectrum.of(FREQUENCY, np.where(FREQUENCY[20] == FREQUENCY, 1.02, 1) * TwoArcs().spectrum(5e-4).z_ohm)
    every = [*mixed, *alike, *spoilt, lone]
    together, singly = validate_many(every), [validate(one) for one in every]
    for one, other in zip(together, singly, strict=True):
        assert (one.verdict, one.causes, one.m, one.m_by) == (other.verdict, other.causes, other.m, other.m_by)
        assert one.because == other.because
        np.testing.assert_allclose(one.residual_real, other.residual_real, atol=1e-9)
        assert one.detectable_drift == pytest.approx(other.detectable_drift, rel=1e-6)
    assert {one.verdict for one in together} == {"valid", "suspect", "invalid"}


def test_z_hit_of_a_sound_spectrum_agrees_and_that_of_one_which_grew_does_not():
    sound_one = TwoArcs().spectrum(1e-3, seed=2)
    found = zhit_of(sound_one, validate(sound_one))
    assert found.agrees
    assert "agrees with its phase" in found.because
    stepped = Spectrum.of(FREQUENCY, sound_one.z_ohm * np.where(FREQUENCY < 30, 1.05, 1.0))
    found = zhit_of(stepped, validate(stepped))
    assert not found.agrees
    assert abs(found.max_deviation) > 0.02
    assert set(found.to_dict()) == {"max_deviation", "at_hz", "agrees", "because"}


def test_z_hit_of_a_negative_resistance_takes_its_ladder_from_the_admittance():
    s = 2j * np.pi * FREQUENCY
    passivating = Spectrum.of(FREQUENCY, noisy(20 + 1 / (1 / -50 + 1e-5 * s), 1e-3, 1))
    found = validate(passivating)
    assert found.form == "admittance"
    assert zhit_of(passivating, found).agrees


def test_a_series_stands_where_its_metadata_say():
    series = [TwoArcs().spectrum(1e-3).with_metadata(temperature_c=t, cycle=1) for t in (60.0, 25.0, 25.0)]
    axis = series_axis(series, "temperature_c")
    assert axis.label == "temperature / °C"
    assert axis.values.tolist() == [60, 25, 25]
    assert not axis.true_to_scale  # two rows at one place are drawn one above the other
    assert axis.edges.tolist() == [-0.5, 0.5, 1.5, 2.5]
    column = Spectrum.of(FREQUENCY, TwoArcs().z(), columns={"temperature_c": np.full(71, 40.0)})
    assert series_axis([column], "temperature_c").values.tolist() == [40]
    with pytest.raises(
        ConfigError, match=r"3 of 3 spectra do not state pressure_mpa.*temperature_c, cycle, index"
    ):
        series_axis(series, "pressure_mpa")
    with pytest.raises(ConfigError, match="no coordinate 'colour'"):
        series_axis(series, "colour")


def test_a_map_holds_grids_of_their_own_and_marks_the_bad_rows():
    bad = TwoArcs().z()
    bad[30:40] *= 1.03
    spectra = [
        TwoArcs().spectrum(1e-3),
        TwoArcs().spectrum(1e-3, frequency=FREQUENCY[::2]),
        Spectrum.of(FREQUENCY, noisy(bad, 5e-4, 1)),
    ]
    real, imaginary = plot_residual_map(validate_many(spectra), SeriesAxis.of([0, 1, 3], "time / h"))
    assert [mesh.get_array().size for mesh in real.collections] == [71, 36, 71]
    assert [line.get_label() for line in imaginary.lines] == ["invalid (1)"]
    assert imaginary.lines[0].get_ydata().tolist() == [3]
    assert real.get_ylabel() == "time / h"
