"""Two amplitudes tell whether an interface was driven too hard, and say so only when the noise lets them."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from eis.errors import ConfigError, SpectrumError
from eis.spectrum import Quality, Spectrum
from instruments.excitation import advised_current_a, interface_error
from instruments.linearity import compare_amplitudes
from tests.thorough import number

F = np.geomspace(1e6, 0.1, 71)
SEEDS = number(100, thorough=200)


def measured(amplitude_v, noise=1e-3, seed=0, *, linear=False, frequency=F, stray=None, grows=False, **more):
    """Return 10 ohm and an interface of 20 ohm that follows Butler and Volmer; `noise` is that of 10 mV."""
    error = 0 if linear else interface_error(amplitude_v * math.sqrt(2))
    arc_ohm = 20 * (1 + error) if grows else 20 / (1 + error)
    z = 10 + arc_ohm / (1 + 2j * np.pi * frequency * arc_ohm * 5e-6)
    rng, spread = np.random.default_rng([seed, round(amplitude_v * 1e6)]), noise * 0.01 / amplitude_v
    z = z * (1 + spread * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size)))
    if stray is not None:
        z[stray] *= 1.3
    return Spectrum.of(frequency, z, **more)


def compared(amplitude_v, noise=1e-3, seed=0, stray=None, **more):
    larger = measured(amplitude_v, noise, seed, stray=stray, **more)
    return compare_amplitudes(larger, measured(amplitude_v / 2, noise, seed, **more), amplitude_v=amplitude_v)


@pytest.mark.parametrize(("peak_mv", "percent"), [(2, 0.019), (5, 0.118), (10, 0.474), (20, 1.91), (50, 12.3)])
def test_the_error_of_an_interface_is_the_published_one(peak_mv, percent):
    assert 100 * interface_error(peak_mv / 1e3) == pytest.approx(percent, rel=5e-3, abs=1e-3)


@pytest.mark.parametrize("peak_v", [1e-4, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("temperature_c", [25.0, 60.0])
def test_the_error_of_an_interface_is_in_the_first_harmonic_of_a_hyperbolic_sine(peak_v, temperature_c):
    theta = np.arange(1024) * 2 * np.pi / 1024
    x = peak_v / (2 * 8.31446261815324 * (temperature_c + 273.15) / 96485.33212)
    harmonic = 2 * np.mean(np.sinh(x * np.cos(theta)) * np.cos(theta))
    assert interface_error(peak_v, temperature_c=temperature_c) == pytest.approx(harmonic / x - 1, rel=1e-6)


def test_the_error_grows_with_the_square_and_vanishes_smoothly():
    assert interface_error(0.0) == 0
    assert interface_error(2e-3) / interface_error(1e-3) == pytest.approx(4, rel=1e-3)
    assert interface_error(5.0000001e-8) == pytest.approx(interface_error(5.2e-8), rel=0.1)
    assert interface_error(0.01, temperature_c=80) < interface_error(0.01)


@pytest.mark.parametrize("amplitude_v", [0.02, 0.035, 0.05])
@pytest.mark.parametrize("seed", range(5))
def test_a_cell_driven_too_hard_is_found_and_the_advice_would_have_been_enough(amplitude_v, seed):
    found = compared(amplitude_v, 1e-3, seed)
    assert found.verdict == "not linear"
    assert max(found.telling_hz) < 20e3  # the interface, not the electrolyte
    assert 0.006 < found.advised_v < 0.016
    assert interface_error(found.advised_v * math.sqrt(2)) * 20 / 30 < 0.0125
    assert "Z is smaller at the larger amplitude" in found.because
    assert "rms or less" in found.advice


@pytest.mark.parametrize("amplitude_v", [0.001, 0.005, 0.01])
def test_a_cell_driven_gently_is_linear_if_the_noise_is_small(amplitude_v):
    found = compared(amplitude_v, 2e-3 * amplitude_v / 0.02)
    assert found.verdict == "linear"
    assert not found.telling_hz
    assert found.advised_v >= amplitude_v


def test_much_smaller_than_necessary_an_amplitude_may_be_raised_but_not_beyond_what_was_seen():
    found = compared(0.001, 1e-5)
    assert found.advised_v == pytest.approx(0.003)
    assert "compare again" in found.advice


@pytest.mark.parametrize("noise", [1e-2, 3e-2])
def test_noise_that_could_hide_it_makes_no_verdict(noise):
    found = compared(0.01, noise)
    assert found.verdict == "cannot tell"
    assert len(found.blind_hz) > 40
    assert "Average more cycles" in found.advice


@pytest.mark.parametrize("noise", [3e-4, 1e-3, 1.5e-3, 5e-3, 2e-2])
def test_noise_alone_hardly_ever_looks_not_linear(noise):
    seen = Counter(compared(0.01, noise, seed, linear=True).verdict for seed in range(SEEDS))
    assert seen["not linear"] <= 0.015 * SEEDS
    if noise <= 3e-4:
        assert seen["linear"] >= 0.98 * SEEDS


def test_an_interface_that_is_not_linear_is_never_called_linear_whatever_the_noise():
    seen = Counter(compared(0.05, noise, seed).verdict for noise in (1e-3, 1e-2, 5e-2, 0.2) for seed in range(30))
    assert seen["linear"] == 0


def test_one_stray_point_is_named_and_does_not_decide():
    found = compared(0.005, 3e-4, stray=20)
    assert found.verdict == "linear"
    assert found.isolated_hz == (F[20],)
    assert "measure there again" in found.because


def test_an_impedance_that_grows_is_doubted():
    assert "drift may be the cause" in compared(0.05, grows=True).because


def test_a_few_chosen_points_suffice_if_the_noise_is_stated():
    few = np.array([1e5, 1e3, 10.0])
    pair = [measured(v, 1e-4, frequency=few) for v in (0.05, 0.025)]
    found = compare_amplitudes(*pair, amplitude_v=0.05, u_relative=1e-4)
    assert found.verdict == "not linear"
    assert 10.0 in found.telling_hz
    assert 1e5 not in found.telling_hz
    with pytest.raises(SpectrumError, match=r"3 points in common do not show"):
        compare_amplitudes(*pair, amplitude_v=0.05)


def test_stated_uncertainties_are_believed():
    columns = {"u_z_ohm": np.full(71, 3.0)}
    found = compare_amplitudes(measured(0.05, columns=columns), measured(0.025, columns=columns), amplitude_v=0.05)
    assert found.verdict == "cannot tell"


def test_flagged_points_are_left_out_and_the_rest_compared():
    quality = np.zeros(71, dtype=int)
    quality[10:20] = int(Quality.OVERLOAD)
    found = compare_amplitudes(measured(0.01, quality=quality), measured(0.005), amplitude_v=0.01)
    assert len(found.frequency_hz) == 61


def test_nothing_in_common_and_wrong_amplitudes_are_refused():
    with pytest.raises(SpectrumError, match=r"no frequency in common"):
        compare_amplitudes(measured(0.01), measured(0.005, frequency=F * 1.05), amplitude_v=0.01)
    for larger_v, smaller_v in ((0.01, 0.02), (0.0, None), (math.nan, None), (0.01, 0.01)):
        with pytest.raises(ConfigError, match=r"larger one first"):
            compare_amplitudes(measured(0.01), measured(0.005), amplitude_v=larger_v, smaller_v=smaller_v)


def test_the_record_is_plain_json():
    stored = json.loads(json.dumps(compared(0.05).to_dict(), allow_nan=False))
    assert stored["verdict"] == "not linear"
    assert len(stored["difference"]) == 71
    assert len(stored["difference"][0]) == 2


def test_a_current_is_the_least_of_what_voltage_critical_current_and_charge_allow():
    assert advised_current_a(0.1, area_cm2=1.131) == pytest.approx(0.1)
    assert advised_current_a(0.1, area_cm2=1.131, critical_a_per_cm2=1e-3) == pytest.approx(1.131e-4)
    charge = advised_current_a(0.1, area_cm2=1.131, capacity_ah=1e-3, stop_hz=0.01)
    assert charge / (math.pi * 0.01) == pytest.approx(1e-3 * 3.6)
    with pytest.raises(ConfigError, match=r"limits of the current"):
        advised_current_a(0.0001, area_cm2=-1, critical_a_per_cm2=1e-3)
