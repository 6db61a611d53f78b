"""Ladders, Z-HIT and Lin-KK in bulk against published figures, closed forms and impedance.py."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from eis.errors import ConfigError, SpectrumError
from eis.spectrum import Spectrum
from eis.validation import schonleber_ladder, validate, validate_many
from eis.validation_plots import plot_residual_bands, plot_residual_map, plot_zhit
from eis.zhit import zhit
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
        validate_many(f, z)


def test_a_map_of_nothing_or_of_different_grids_is_refused():
    with pytest.raises(ConfigError, match="no residuals"):
        plot_residual_map([])
    one, other = validate(TwoArcs().spectrum(1e-3)), validate(TwoArcs().spectrum(1e-3, frequency=FREQUENCY[:60]))
    with pytest.raises(ConfigError, match="different frequencies"):
        plot_residual_map([one, other])


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
    found = validate_many(FREQUENCY, z, weights=weights)
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
    assert set(np.flatnonzero(validate_many(FREQUENCY, z, weights=weights).suspicious)) == {3, 7, 9}


def test_scale_does_not_matter():
    z = archive(5)
    many = validate_many(FREQUENCY, np.array([1e-3, 1, 1e9])[:, None] * z[0])
    np.testing.assert_allclose(many.residual[1:], np.broadcast_to(many.residual[0], (2, 71)), atol=1e-9)


def test_the_pictures_show_what_was_found():
    z = noisy(TwoArcs().z(), 5e-4, 1)
    z[30:40] *= 1.02
    z[55] *= 1.1
    found = validate(Spectrum.of(FREQUENCY, z))
    bands = plot_residual_bands(found)
    assert bands.get_title(loc="left").startswith("invalid: shift")
    assert "stands out" in [text.get_text() for text in bands.get_legend().get_texts()]
    assert plot_zhit(Spectrum.of(FREQUENCY, z), found).lines
    assert plot_residual_map([found, found], over=[25.0, 60.0], label="temperature / °C").collections


def test_a_sweep_without_noise_is_valid_however_far_it_has_come():
    frequency = np.geomspace(1e4, 10, 25)
    z = 22 + 15 / (1 + (1j * frequency / 150e3) ** 0.95) + 17.7 / (1 + (1j * frequency / 1.2e3) ** 0.92)
    for count in range(10, 26):
        assert validate(Spectrum.of(frequency[:count], z[:count])).verdict == "valid"
