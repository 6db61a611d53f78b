"""Weights from repeats: refusals first, then the truth of a known noise, and fits that cover theirs."""

import json

import numpy as np
import pytest

from eis.errors import FitError, SpectrumError
from eis.spectrum import Quality, Spectrum
from fitting import fit, fit_many
from fitting.weights import ErrorStructure, apply, fit_error_structure, from_repeats
from tests.truth import FREQUENCY, TwoArcs

TRUTH = TwoArcs()
Z = TRUTH.z()
STRUCTURE = ErrorStructure(alpha=2e-3, beta=1e-3, gamma=0.0, delta_ohm=5e-3, r_solution_ohm=22.0)


def repeats(count, seed=0, *, structure=STRUCTURE, drift=0.0, frequency=FREQUENCY):
    """Return repeats with the noise of a structure; `drift` is the relative change from one to the next."""
    rng = np.random.default_rng(seed)
    z = TRUTH.z(frequency)
    sigma = structure.sigma_ohm(z)
    slope = np.log(frequency / frequency[0]) / np.log(frequency[-1] / frequency[0])
    out = []
    for k in range(count):
        noise = sigma * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
        out.append(Spectrum.of(frequency, z * (1 + drift * k * (0.5 + slope + 0.3j)) + noise))
    return out


def test_one_spectrum_has_no_spread():
    for few in ([], repeats(1)):
        with pytest.raises(SpectrumError, match=f"at least 2 spectra; there are {len(few)}"):
            from_repeats(few)


def test_different_grids_are_refused_and_the_odd_one_is_named():
    same = repeats(2)
    with pytest.raises(SpectrumError, match=r"first has 71 points and number 3 has 41"):
        from_repeats([*same, *repeats(1, frequency=np.geomspace(1e6, 0.1, 41))])
    shifted = FREQUENCY.copy()
    shifted[5] *= 1.001
    with pytest.raises(SpectrumError, match=r"point 5 is at 316228 Hz in the first and at 316544 Hz in number 3"):
        from_repeats([*same, *repeats(1, frequency=shifted)])


def test_copies_are_no_repeats():
    one = TRUTH.spectrum(1e-3)
    with pytest.raises(SpectrumError, match="copies of one spectrum"):
        from_repeats([one, one, one])


def test_a_mean_of_which_nothing_is_in_use_is_refused():
    flags = np.full(FREQUENCY.size, int(Quality.OVERLOAD))
    one, other = repeats(2)
    with pytest.raises(SpectrumError, match="0 points are in use in all repeats"):
        from_repeats([one, Spectrum.of(FREQUENCY, other.z_ohm, quality=flags)])


def test_a_handful_of_points_tells_neither_a_drift_nor_a_structure():
    few = repeats(3, frequency=np.geomspace(1e5, 1, 5))
    assert len(from_repeats(few)) == 5
    with pytest.raises(SpectrumError, match="5 points are in use in all repeats; at least 8"):
        from_repeats(few, drift=True)
    with pytest.raises(SpectrumError, match="5 points are in use in all repeats; at least 8"):
        fit_error_structure(few)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_a_resistor_that_is_none_is_refused(wrong):
    with pytest.raises(FitError, match="r_m_ohm is"):
        fit_error_structure(repeats(2), r_m_ohm=wrong)


def test_a_structure_without_noise_is_refused():
    with pytest.raises(FitError, match="the noise is 0 Ω at 1 MHz"):
        apply(ErrorStructure(0.0, 0.0, 0.0, 0.0, 22.0), TRUTH.spectrum())


def test_a_point_flagged_in_one_repeat_is_left_out_of_the_mean():
    one, other = repeats(2)
    z, flags = other.z_ohm.copy(), np.zeros(FREQUENCY.size, dtype=int)
    z[7], flags[7] = np.nan, Quality.NOT_A_NUMBER
    mean = from_repeats([one, Spectrum.of(FREQUENCY, z, quality=flags)])
    assert len(mean) == FREQUENCY.size - 1
    assert np.isnan(mean.columns["u_z_ohm"][7])
    assert fit(TRUTH.circuit, mean, weight="variance").n_points == FREQUENCY.size - 1


def test_an_infinite_flagged_point_disturbs_nothing():
    flags = np.zeros(FREQUENCY.size, dtype=int)
    flags[7] = Quality.OVERLOAD
    three = []
    for spectrum, wild in zip(repeats(3), (np.inf, -np.inf, np.nan), strict=True):
        z = spectrum.z_ohm.copy()
        z[7] = wild
        three.append(Spectrum.of(FREQUENCY, z, quality=flags))
    mean = apply(fit_error_structure(three), from_repeats(three))
    assert np.all(mean.columns["u_z_ohm"][mean.used] > 0)


def test_two_repeats_give_their_mean_and_half_their_distance_over_root_two():
    f = np.array([100.0, 10.0])
    mean = from_repeats([Spectrum.of(f, [3 + 4j, 5 - 1j]), Spectrum.of(f, [5 + 4j, 5 - 3j])])
    np.testing.assert_allclose(mean.z_ohm, [4 + 4j, 5 - 2j])
    # Σ|Z − Z̄|² = 2 at both points: σ̂² = 2 / (2·1) = 1 and u² = 1/2
    np.testing.assert_allclose(mean.columns["u_z_ohm"], np.sqrt(0.5))
    assert mean.metadata["repeats"]["count"] == 2
    assert json.dumps(dict(mean.metadata))


def test_the_estimator_is_unbiased():
    variance = np.mean([from_repeats(repeats(3, seed)).columns["u_z_ohm"] ** 2 * 3 for seed in range(200)], axis=0)
    ratio = variance / STRUCTURE.sigma_ohm(Z) ** 2
    assert ratio.mean() == pytest.approx(1, abs=0.02)  # 200·71·4 degrees of freedom: ± 0.6 %


def test_a_drift_is_removed_without_taking_noise_along():
    ratio = []
    for seed in range(100):
        mean = from_repeats(repeats(4, seed, drift=3e-3), drift=True)
        ratio.append(mean.columns["u_z_ohm"] ** 2 * 4 / STRUCTURE.sigma_ohm(Z) ** 2)
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)
    told = from_repeats(repeats(4, drift=3e-3)).metadata["repeats"]["neighbour_correlation"]
    left = mean.metadata["repeats"]["neighbour_correlation"]
    assert told > 0.7
    assert abs(left) < 0.2
    assert mean.metadata["repeats"]["largest_drift"] == pytest.approx(4.5e-3 * abs(1.5 + 0.3j), rel=0.1)


def test_drifting_repeats_are_told_about():
    drifting = repeats(5, drift=3e-3)
    assert any("take drift=True" in note for note in fit_error_structure(drifting).because)
    mended = fit_error_structure(drifting, drift=True)
    assert mended.because == ()
    np.testing.assert_allclose(mended.sigma_ohm(Z), STRUCTURE.sigma_ohm(Z), rtol=0.3)


def test_the_structure_is_recovered():
    many = [fit_error_structure(repeats(20, seed), r_solution_ohm=22.0) for seed in range(60)]
    found = np.array([[s.alpha, s.beta, s.delta_ohm] for s in many])
    wanted = [STRUCTURE.alpha, STRUCTURE.beta, STRUCTURE.delta_ohm]
    off = (found.mean(axis=0) - wanted) / (found.std(axis=0) / np.sqrt(len(found)))
    assert np.all(np.abs(off) < 3)
    assert np.all(found.std(axis=0) / wanted < [0.12, 0.05, 0.3])
    assert np.mean([s.reduced_chi2 for s in many]) == pytest.approx(1, abs=0.08)
    assert not any(s.because for s in many)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_few_repeats_tell_the_noise_on_average_rightly(count):
    ratio = [
        fit_error_structure(repeats(count, seed)).sigma_ohm(Z) / STRUCTURE.sigma_ohm(Z) for seed in range(100)
    ]
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)


def test_the_current_term_is_told_with_its_resistor():
    truth = ErrorStructure(1e-3, 0.0, 0.01, 1e-3, 22.0, r_m_ohm=100.0)
    found = fit_error_structure(repeats(30, structure=truth), r_m_ohm=100.0)
    np.testing.assert_allclose(found.sigma_ohm(Z), truth.sigma_ohm(Z), rtol=0.1)
    assert found.gamma == pytest.approx(0.01, rel=0.15)
    assert fit_error_structure(repeats(30, structure=truth)).gamma == 0


def test_a_noise_of_another_shape_is_told_about():
    rng = np.random.default_rng(3)
    sigma = np.where(FREQUENCY < 10, 0.5, 0.01)  # mains: nothing to do with |Z|
    noise = sigma * (rng.standard_normal((10, Z.size)) + 1j * rng.standard_normal((10, Z.size)))
    found = fit_error_structure([Spectrum.of(FREQUENCY, Z + one) for one in noise])
    assert any("does not describe" in note for note in found.because)


def test_a_mean_of_repeats_is_surer_than_one_of_them():
    one = apply(STRUCTURE, TRUTH.spectrum()).columns["u_z_ohm"]
    np.testing.assert_allclose(one, STRUCTURE.sigma_ohm(Z))
    mean = apply(STRUCTURE, from_repeats(repeats(9)))
    np.testing.assert_allclose(mean.columns["u_z_ohm"], one / 3, rtol=0.02)
    assert mean.metadata["error_structure"]["alpha"] == STRUCTURE.alpha


def test_a_variance_weighted_fit_has_a_chi2_of_one_and_covers_the_truth_in_68_percent():
    z, u = [], []
    for seed in range(600):
        five = repeats(5, 1000 + seed)
        mean = apply(fit_error_structure(five), from_repeats(five))
        z.append(mean.z_ohm)
        u.append(mean.columns["u_z_ohm"])
    batch = fit_many(TRUTH.circuit, FREQUENCY, np.array(z), weight="variance", u_z_ohm=np.array(u))
    assert batch.reduced_chi2.mean() == pytest.approx(1, abs=0.03)
    truth = np.array([TRUTH.values[name] for name in batch.names])
    covered = (np.abs(batch.values - truth) <= batch.u).mean(axis=0)
    assert np.all((covered > 0.63) & (covered < 0.73)), covered
    single = fit(TRUTH.circuit, mean, weight="variance")
    assert single.value("R2") == pytest.approx(batch.values[-1, batch.names.index("R2")], rel=1e-4)


def test_a_structure_turns_into_plain_things():
    found = fit_error_structure(repeats(3))
    assert json.loads(json.dumps(found.to_dict()))["n_repeats"] == 3
    assert str(found).startswith("σ = ")
    assert "3 repeats" in str(found)
    assert STRUCTURE.to_dict()["reduced_chi2"] is None
