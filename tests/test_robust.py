"""The robust refit: refusals first, then clean data that stay where they are, and outliers that are named."""

import json
import re

import numpy as np
import pytest

from eis.errors import FitError
from eis.spectrum import Spectrum
from fitting import fit
from fitting.robust import robust
from tests.truth import FREQUENCY, TwoArcs

TRUTH = TwoArcs()
ODD = [int(np.argmin(abs(FREQUENCY - f))) for f in (1500.0, 500.0)]


def spoilt(seed, size=0.12):
    """Return a spectrum with two points of the second arc too low."""
    z = TRUTH.spectrum(5e-3, seed=seed).z_ohm.copy()
    z[ODD] *= 1 - size
    return Spectrum.of(FREQUENCY, z)


def test_an_unknown_loss_is_refused():
    spectrum = TRUTH.spectrum(5e-3)
    with pytest.raises(FitError, match=r"Unknown loss 'linear'. Choose soft_l1, huber, cauchy"):
        robust(fit(TRUTH.circuit, spectrum), spectrum, loss="linear")


def test_a_spectrum_that_is_not_the_fit_s_is_refused():
    with pytest.raises(FitError, match="not the one the fit was made from"):
        robust(fit(TRUTH.circuit, TRUTH.spectrum(5e-3)), TRUTH.spectrum(5e-3, seed=1))


def test_an_unknown_parameter_is_refused():
    spectrum = TRUTH.spectrum(5e-3)
    with pytest.raises(FitError, match="no parameter 'R9'"):
        robust(fit(TRUTH.circuit, spectrum), spectrum).value("R9")


def test_data_without_noise_stay_where_they_are():
    spectrum = TRUTH.spectrum()
    found = robust(fit(TRUTH.circuit, spectrum), spectrum)
    assert np.all(np.abs(found.values / found.fitted - 1) < 1e-6)
    assert not found.pulled
    assert found.weighed_down_hz == ()


def test_clean_data_shift_well_below_their_uncertainty():
    shifts = []
    for seed in range(30):
        spectrum = TRUTH.spectrum(5e-3, seed=seed)
        found = robust(fit(TRUTH.circuit, spectrum), spectrum)
        assert found.converged
        assert not found.pulled
        assert found.scale == pytest.approx(5e-3, rel=0.3)
        shifts.append(found.shift)
    assert np.all(np.std(shifts, axis=0) < 0.35)
    assert np.max(np.abs(shifts)) < 1


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy"])
def test_two_outliers_are_named_and_the_robust_values_are_nearer_the_truth(loss):
    nearer = []
    for seed in range(12):
        spectrum = spoilt(seed)
        fitted = fit(TRUTH.circuit, spectrum)
        found = robust(fitted, spectrum, loss=loss)
        assert found.pulled
        assert set(FREQUENCY[ODD]) <= set(found.weighed_down_hz)
        assert np.all(found.point_weight[ODD] < 0.25)
        truth = TRUTH.values["CPE2_0"]
        nearer.append(abs(found.value("CPE2_0") - truth) < abs(fitted.value("CPE2_0") - truth))
    assert all(nearer)


def test_the_verdict_is_a_sentence():
    spectrum = spoilt(0)
    found = robust(fit(TRUTH.circuit, spectrum), spectrum)
    assert re.fullmatch(
        r"CPE2_0 moves by \d\.\d u when 2 points at 1\.585 kHz and 501\.2 Hz are weighed down\.", found.because[0]
    )
    assert str(found).endswith(found.because[0])


def test_the_further_off_a_point_the_less_it_can_hide_in_the_uncertainty_it_makes():
    for size in (0.1, 0.5, 3.0):
        z = TRUTH.spectrum(5e-3, seed=4).z_ohm.copy()
        z[ODD[0]] *= 1 + size
        spectrum = Spectrum.of(FREQUENCY, z)
        found = robust(fit(TRUTH.circuit, spectrum), spectrum)
        assert found.pulled, size
        assert found.weighed_down_hz == (FREQUENCY[ODD[0]],)
        assert found.because[0].endswith("when 1 point at 1.585 kHz is weighed down.")
        assert found.value("R2") == pytest.approx(TRUTH.r2, rel=0.02)


def test_a_circuit_that_misses_an_arc_has_no_outliers():
    spectrum = TRUTH.spectrum(1e-4)
    found = robust(fit("L0-R0-p(R1,CPE1)", spectrum), spectrum)
    assert found.structured
    assert not found.pulled
    assert found.because[0].endswith("has a shape that the circuit misses.")


def test_fixed_parameters_stay_and_variance_weights_work():
    spectrum = spoilt(1)
    known = Spectrum.of(FREQUENCY, spectrum.z_ohm, columns={"u_z_ohm": 5e-3 * np.abs(TRUTH.z())})
    found = robust(fit(TRUTH.circuit, known, weight="variance", fix={"L0": 1e-7}), known)
    assert found.value("L0") == 1e-7
    assert found.shift[found.names.index("L0")] == 0
    assert np.abs(found.shift).max() > 3  # the uncertainty is that of the known noise: the pull shows in full
    assert found.pulled


def test_a_record_turns_into_plain_things():
    spectrum = spoilt(2)
    found = robust(fit(TRUTH.circuit, spectrum), spectrum)
    assert json.loads(json.dumps(found.to_dict()))["pulled"] is True
    assert list(found.to_dataframe().columns) == ["fitted", "u", "robust", "shift", "unit"]
    assert "weighed down" in found._repr_html_()
