"""Many distributions in one call: the same answers, and what is wrong with one spectrum stays with it."""

from __future__ import annotations

import numpy as np
import pytest

from eis.errors import FitError
from eis.spectrum import Spectrum
from fitting.drt_areas import tail
from fitting.drt_solver import solve, solve_many
from fitting.relaxation import drt
from fitting.relaxation_bulk import drt_many

F = np.geomspace(1e6, 0.1, 71)


def spectra(n, noise=0.003, seed=1):
    rng = np.random.default_rng(seed)
    r0, r1 = rng.uniform(1, 30, (n, 1)), 10 ** rng.uniform(1, 3, (n, 1))
    r2, t1, t2 = r1 * 10 ** rng.uniform(-0.5, 0.5, (n, 1)), 10 ** rng.uniform(-5.7, -4.7, (n, 1)), 3e-3
    w = 2j * np.pi * F
    z = r0 + r1 / (1 + (w * t1) ** 0.9) + r2 / (1 + (w * t2) ** 0.85)
    z = z * (1 + noise * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape)))
    return z, r1[:, 0], r2[:, 0]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(FitError, match="shape"):
        drt_many(F, np.ones((3, 70), dtype=complex))
    with pytest.raises(FitError, match="for one spectrum"):
        drt_many(F, np.ones((3, 71), dtype=complex), lambda_="reim")
    with pytest.raises(FitError, match="decades"):
        drt_many(F[:10], np.ones((3, 10), dtype=complex))


def test_a_spectrum_with_nan_or_zero_spoils_only_itself():
    z, _, _ = spectra(5)
    whole = drt_many(F, z)
    z = np.vstack([z, z[:2]])
    z[5, 3], z[6, 4] = np.nan, 0
    found = drt_many(F, z)
    assert np.isnan(found.lambda_[5:]).all()
    assert np.isnan(found.gamma_ohm[5:]).all()
    assert np.isnan(found.u_r_pol_ohm[5:]).all()
    assert np.isfinite(found.u_r_pol_ohm[:5]).all()
    assert found.peaks(5)[0].size == 0
    assert found.r_pol_ohm[:5] == pytest.approx(whole.r_pol_ohm, rel=1e-9)
    assert "2 unusable" in repr(found)


def test_resistances_are_right_over_two_hundred_spectra():
    z, r1, r2 = spectra(200)
    error = np.abs(drt_many(F, z).r_pol_ohm / (r1 + r2) - 1)
    assert np.median(error) <= 0.0045
    assert error.max() <= 0.025


def test_windows_have_uncertainties_that_hold_the_truth_and_are_those_of_one_by_one():
    rng = np.random.default_rng(8)
    w = 2j * np.pi * F
    clean = 10 + 50 / (1 + (w * 1e-5) ** 0.85) + 20 / (1 + (w * 3e-3) ** 0.9)
    z = clean * (1 + 0.003 * (rng.standard_normal((200, F.size)) + 1j * rng.standard_normal((200, F.size))))
    found = drt_many(F, z)
    border = 2e-4
    slow = 50 * tail(0.85, np.log(border / 1e-5)) + 20 * (1 - tail(0.9, np.log(3e-3 / border)))
    for low, high, truth in ((0, border, 70 - slow), (border, np.inf, slow), (0, np.inf, 70)):
        r, u = found.resistance_between(low, high)
        assert np.mean(np.abs(r - truth) < 1.96 * u) >= 0.9
        assert np.median(u) < 0.03 * truth
    one = drt(Spectrum.of(F, z[0]), lambda_=float(found.lambda_[0]))
    same = drt_many(F, z[:1], lambda_=float(found.lambda_[0]))
    for window in ((0, np.inf), (1e-6, 1e-3)):
        r, u = same.resistance_between(*window)
        assert (r[0], u[0]) == pytest.approx(one.resistance_between(*window), rel=0.01)
    with pytest.raises(FitError, match="holds nothing"):
        found.resistance_between(1, 0.1)


def test_bands_of_a_batch_are_those_of_one_by_one():
    z, _, _ = spectra(1)
    low, high = drt_many(F, z, lambda_=1e-3).bands()
    one = drt(Spectrum.of(F, z[0]), lambda_=1e-3)
    at = np.searchsorted(one.tau_s, drt_many(F, z).tau_s * (1 - 1e-9))
    assert low[0] == pytest.approx(one.gamma_low_ohm[at], abs=1e-3 * one.gamma_ohm.max())
    assert high[0] == pytest.approx(one.gamma_high_ohm[at], abs=1e-3 * one.gamma_ohm.max())


def test_bulk_and_one_by_one_agree_where_the_weights_are_the_same():
    z, _, _ = spectra(1)
    many = drt_many(F, z, lambda_=1e-3)
    one = drt(Spectrum.of(F, z[0]), lambda_=1e-3)
    assert many.coefficients[0] == pytest.approx(one.coefficients, abs=1e-6 * one.r_pol_ohm)
    assert many.r_inf_ohm[0] == pytest.approx(one.r_inf_ohm, rel=1e-6)
    assert many.resistance_between(1e-3, 1e-2)[0] == pytest.approx(one.resistance_between(1e-3, 1e-2)[0], rel=0.05)


def test_without_numba_the_answers_are_the_same(monkeypatch):
    z, _, _ = spectra(8)
    compiled = drt_many(F, z)
    monkeypatch.setenv("EIS_WITHOUT_NUMBA", "1")
    plain = drt_many(F, z)
    assert plain.coefficients == pytest.approx(compiled.coefficients, abs=1e-6 * np.abs(z).max())


def test_blocking_and_conducting_cells_in_one_batch_each_get_their_model():
    z, _, _ = spectra(4)
    z[2:] += 1 / (2j * np.pi * F * 1e-5)
    found = drt_many(F, z)
    assert np.isnan(found.elastance_per_f[:2]).all()
    assert 1 / found.elastance_per_f[2:] == pytest.approx(1e-5, rel=0.02)


def test_peaks_of_a_batch_hold_the_whole_resistance():
    z, _, _ = spectra(3, noise=0.001)
    found = drt_many(F, z)
    for row in range(3):
        _, r = found.peaks(row)
        assert r.sum() == pytest.approx(found.r_pol_ohm[row])
    assert len(found.to_dataframe()) == 3
    assert found.to_xarray()["gamma"].shape == found.gamma_ohm.shape


def test_the_solver_meets_the_conditions_of_a_minimum():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.standard_normal((40, 30))
        h, g = rows.T @ rows + 1e-3 * np.eye(30), rows.T @ rng.standard_normal(40)
        x, free = solve(h, g)
        gradient = h @ x - g
        assert (x >= 0).all()
        assert np.abs(gradient[free]).max() < 1e-8
        assert gradient[~free].min() > -1e-8
        many, solved = solve_many(h[None], np.zeros(1, dtype=np.int64), g[None], np.ones((1, 30), dtype=bool))
        assert solved.all()
        assert many[0] == pytest.approx(x, abs=1e-8)
