"""Kramers–Kronig: broken data are caught with their cause, good data are not rejected."""

import numpy as np
import pytest

from eis.errors import SpectrumError
from eis.spectrum import Spectrum
from eis.validation import ladder_mu, time_constants, validate
from tests.real_data import real_file
from tests.truth import FREQUENCY, TwoArcs, noisy


def warburg(f):
    return 5 / np.sqrt(2j * np.pi * f)


CLEAN = {
    "two arcs": TwoArcs().z(),
    "milliohm, inductive": 1e-3 * TwoArcs(inductance=1e-6).z(),
    "gigaohm": 1e9 / (1 + 1j * FREQUENCY / 10),
    "blocking pellet": 350
    + 900 / (1 + (1j * FREQUENCY / 2e5) ** 0.95)
    + 1 / (2e-6 * (2j * np.pi * FREQUENCY) ** 0.93),
    "diffusion": 3 + 10 / (1 + (1j * FREQUENCY / 1e4) ** 0.85) + warburg(FREQUENCY),
    "Gerischer": 1 + 5 / np.sqrt(1 + 1j * FREQUENCY / 3),
}


def test_too_few_points_are_refused_in_words():
    with pytest.raises(SpectrumError, match="5 points are too few"):
        validate(Spectrum.of(FREQUENCY[:5], CLEAN["two arcs"][:5]))


def test_a_point_of_zero_ohm_is_refused():
    z = CLEAN["two arcs"].copy()
    z[3] = 0
    with pytest.raises(SpectrumError, match="Z"):
        validate(Spectrum.of(FREQUENCY, z))


@pytest.mark.parametrize("name", CLEAN)
def test_the_wrong_sign_of_the_imaginary_part_is_invalid_and_named(name):
    found = validate(Spectrum.of(FREQUENCY, noisy(CLEAN[name].conj(), 1e-3, 0)))
    assert found.verdict == "invalid"
    if "inductive" not in name:
        assert any("sign of Z″" in reason for reason in found.because)


@pytest.mark.parametrize("name", CLEAN)
def test_a_shifted_decade_is_not_valid(name):
    z = noisy(CLEAN[name], 5e-4, 1)
    z[30:40] *= 1.03
    assert validate(Spectrum.of(FREQUENCY, z)).verdict != "valid"


@pytest.mark.parametrize("name", CLEAN)
def test_one_corrupted_point_is_not_valid_and_its_frequency_is_named(name):
    z = noisy(CLEAN[name], 5e-4, 1)
    z[40] *= 1.08
    found = validate(Spectrum.of(FREQUENCY, z))
    assert found.verdict != "valid"
    assert any("100 Hz" in reason for reason in found.because), found.because


@pytest.mark.parametrize("noise", [3e-4, 1e-3, 3e-3])
@pytest.mark.parametrize("name", CLEAN)
def test_good_data_are_valid_at_every_usual_noise(name, noise):
    for seed in range(10):
        found = validate(Spectrum.of(FREQUENCY, noisy(CLEAN[name], noise, seed)))
        assert found.verdict == "valid", (seed, found.because)
        assert found.rms_residual == pytest.approx(noise, rel=0.35)


def test_a_drifting_cell_scores_at_least_twice_as_badly_as_a_steady_one():
    # Boukamp's test circuit, and its twin whose charge-transfer resistance grows by 5 Ω per second of the sweep
    f = np.geomspace(1e4, 1, 41)
    omega = 2 * np.pi * f

    def circuit(r2):
        w = 1 / (4e-4 * np.sqrt(2)) * (1 - 1j) / np.sqrt(omega)
        return 100 + 200 / (1 + 1j * omega * 200 * 8e-7) + 1 / (1 / r2 + 1 / w)

    steady = validate(Spectrum.of(f, circuit(500.0)))
    drifting = validate(Spectrum.of(f, circuit(500.0 + 5 * np.cumsum(1 / f))))
    assert steady.verdict == "valid"
    assert drifting.rms_residual > 2 * steady.rms_residual


def test_mu_and_time_constants_are_schonleber_s():
    assert ladder_mu(np.array([1.0, 2, 3, -3, -2, -1])) == 0
    assert ladder_mu(np.array([-1.0, 2, 4, -3, 4, -1])) == 0.5
    assert time_constants(np.array([1000, 0.1]) / (2 * np.pi), 3) == pytest.approx([0.001, 0.1, 10])


@pytest.mark.parametrize(
    ("name", "rms"),
    [
        ("impedance.py/exampleData.csv", 0.0030),
        ("pyDRTtools/LIB_data_2.txt", 0.0010),
        ("pyDRTtools/zarc_data.txt", 0.006),
    ],
)
def test_real_spectra_are_not_called_invalid(name, rms):
    table = np.genfromtxt(real_file(name), delimiter="," if name.endswith("csv") else None)
    table = table[~np.isnan(table).any(axis=1)]
    found = validate(Spectrum.of(table[:, 0], table[:, 1] + 1j * table[:, 2]))
    assert found.verdict != "invalid"
    assert found.rms_residual < rms
