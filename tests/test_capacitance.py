"""Effective capacitances: the published numbers, their uncertainty against Monte Carlo, and Q never among them."""

import math

import numpy as np
import pytest

from eis.capacitance import (
    arc_shapes,
    blocking_capacitances,
    brug_blocking,
    brug_faradaic,
    hsu_mansfeld,
    power_law,
    time_constant,
)
from eis.errors import ConfigError
from eis.spectrum import Spectrum
from fitting import fit
from tests.truth import FREQUENCY, TwoArcs, noisy

R, Q, ALPHA, R_E = 50.0, 2e-6, 0.85, 5.0


@pytest.mark.parametrize(
    "wrong", [{"q_per_cm2": 0.0}, {"alpha": 0.4}, {"alpha": 1.1}, {"rho_ohm_cm": math.nan}, {"eps_r": -1.0}]
)
def test_a_film_that_is_none_is_refused(wrong):
    given = {"q_per_cm2": 1e-6, "alpha": 0.9, "rho_ohm_cm": 1e8, "eps_r": 10.0} | wrong
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        power_law(given["q_per_cm2"], given["alpha"], rho_ohm_cm=given["rho_ohm_cm"], eps_r=given["eps_r"])


def test_the_benchmark_of_a_depressed_arc_is_met():
    tau = time_constant(R, Q, ALPHA)
    assert tau == pytest.approx(1.968419e-5, rel=1e-6)
    assert 1 / (2 * math.pi * tau) == pytest.approx(8085.418, rel=1e-6)
    assert hsu_mansfeld(R, Q, ALPHA) == pytest.approx(3.936839e-7, rel=1e-6)
    assert brug_faradaic(Q, ALPHA, R_E, R) == pytest.approx(2.578532e-7, rel=1e-6)
    assert brug_blocking(Q, ALPHA, R_E) == pytest.approx(2.622268e-7, rel=1e-6)


def test_brug_over_hsu_mansfeld_is_the_ratio_of_the_resistances():
    ratio = brug_faradaic(Q, ALPHA, R_E, R) / hsu_mansfeld(R, Q, ALPHA)
    assert ratio == pytest.approx((R_E / (R_E + R)) ** ((1 - ALPHA) / ALPHA), rel=1e-12)


def test_without_depression_every_formula_is_the_capacitor_itself():
    assert hsu_mansfeld(R, Q, 1.0) == brug_faradaic(Q, 1.0, R_E, R) == brug_blocking(Q, 1.0, R_E) == Q
    assert power_law(Q, 1.0, rho_ohm_cm=1e8, eps_r=10.0) == Q


def test_the_power_law_has_its_published_factor():
    # g(0.8) = 1 + 2.88 · 0.2^2.375 and ρ ε ε0 = 1 s turn Q into g·Q
    assert power_law(1e-6, 0.8, rho_ohm_cm=1 / 8.8541878128e-14 / 10, eps_r=10.0) == pytest.approx(
        1e-6 * (1 + 2.88 * 0.2**2.375), rel=1e-12
    )


def test_the_uncertainty_is_that_of_ten_thousand_draws_from_the_covariance():
    fitted = fit(TwoArcs.circuit, TwoArcs(a2=0.85).spectrum(noise=5e-3, seed=3))
    names = ("R0", "R1", "R2", "CPE2_0", "CPE2_1")
    rng = np.random.default_rng(1)
    mean = [fitted.value(n) for n in names]
    r0, r1, r2, q, a = rng.multivariate_normal(mean, fitted.covariance_of(names), 10_000).T
    tau = (r2 * q) ** (1 / a)
    draws = (tau / r2, tau / r2 * ((r0 + r1) / (r0 + r1 + r2)) ** ((1 - a) / a))
    found = arc_shapes(fitted)[1]
    for capacitance, drawn in zip(found.capacitances, draws, strict=True):
        assert capacitance.value_f == pytest.approx(
            np.median(drawn), rel=3 * capacitance.u_f / capacitance.value_f
        )
        assert capacitance.u_f == pytest.approx(np.std(drawn), rel=0.05)  # 0.7 % by chance, the rest curvature
    assert found.u_ln_tau == pytest.approx(np.std(np.log(tau)), rel=0.05)


def test_the_truth_lies_within_the_stated_uncertainty():
    truth = TwoArcs()
    pulls = []
    for seed in range(30):
        shape = arc_shapes(fit(truth.circuit, truth.spectrum(noise=3e-3, seed=seed)))[1]
        exact = 1 / (2 * math.pi * truth.f2 * truth.r2)
        pulls.append((shape.c_f - exact) / shape.capacitances[0].u_f)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.45  # χ² of 30, one in ten thousand either side


def test_a_blocking_electrode_has_the_capacitance_of_all_that_lies_before_it():
    omega = 2j * np.pi * FREQUENCY
    z = 5 + 20 / (1 + 20 * 1e-8 * omega) + 1 / (2e-6 * omega**0.9)
    fitted = fit("R0-p(R1,C1)-CPE2", Spectrum.of(FREQUENCY, noisy(z, 1e-3, 0)))
    (found,) = blocking_capacitances(fitted)
    assert found.value_f == pytest.approx(brug_blocking(2e-6, 0.9, 25.0), rel=0.02)
    assert abs(found.value_f - brug_blocking(2e-6, 0.9, 25.0)) < 4 * found.u_f


def test_there_is_no_surface_formula_where_the_exponent_is_no_surface_s():
    fitted = fit("R0-p(R1,CPE1)", Spectrum.of(FREQUENCY, 5 + 20 / (1 + (1j * FREQUENCY / 1e3) ** 0.6)))
    assert [c.formula for c in arc_shapes(fitted)[0].capacitances] == ["Hsu-Mansfeld"]


def test_an_exponent_at_its_bound_is_taken_as_exact_and_says_so():
    z = 5 + 20 / (1 + 1j * FREQUENCY / 1e3)
    fitted = fit("R0-p(R1,CPE1)", Spectrum.of(FREQUENCY, noisy(z, 1e-3, 4)))
    (shape,) = arc_shapes(fitted)
    assert shape.c_f == pytest.approx(1 / (2 * math.pi * 1e3 * 20), rel=0.02)
    assert 0 < shape.capacitances[0].u_f < 0.02 * shape.c_f
