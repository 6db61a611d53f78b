"""Credible bands: exact draws, and as often right as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eis.spectrum import Spectrum
from fitting.drt_bayes import draw, shortest_band, truncated_draws
from fitting.relaxation import drt

F = np.geomspace(1e6, 1e-2, 81)


def test_draws_from_half_a_normal_have_its_moments():
    drawn = truncated_draws(np.array([[4.0]]), np.array([0.0]), np.array([1.0]), 20000, seed=1)[:, 0]
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.02)
    assert drawn.std() == pytest.approx(2 * math.sqrt(1 - 2 / math.pi), rel=0.03)


def test_draws_of_two_correlated_variables_are_those_of_rejection():
    covariance, mean = np.array([[1.0, -0.6], [-0.6, 0.5]]), np.array([0.3, -0.4])
    drawn = truncated_draws(covariance, mean, np.array([1.0, 1.0]), 20000, seed=2)
    every = np.random.default_rng(3).multivariate_normal(mean, covariance, 400_000)
    kept = every[(every >= 0).all(axis=1)]
    assert drawn.mean(axis=0) == pytest.approx(kept.mean(axis=0), rel=0.03)
    assert np.cov(drawn.T) == pytest.approx(np.cov(kept.T), rel=0.1, abs=0.005)


def test_the_compiled_draws_are_those_of_numpy():
    engine = pytest.importorskip("fitting.drt_engine")
    gram = np.array([[1.0, 0.4], [0.4, 1.0]])
    speeds = np.random.default_rng(0).standard_normal((50, 2))
    arguments = (gram, np.array([0.2, -0.5]), np.array([0.5, 1.0]), speeds, 1000)
    assert engine.draw(*arguments) == pytest.approx(draw(*arguments), abs=1e-9)


def test_the_shortest_band_of_what_is_near_zero_begins_at_zero():
    values = np.abs(np.random.default_rng(0).standard_normal((5000, 1)))
    low, high = shortest_band(values)
    assert low[0] == pytest.approx(0, abs=1e-3)
    assert high[0] == pytest.approx(1.96, rel=0.05)


def test_the_shortest_band_of_what_is_far_from_zero_does_not_reach_down_to_it():
    values = 10 + np.random.default_rng(1).exponential(1.0, (5000, 1))  # the shortest begins at the lowest draw
    low, high = shortest_band(values)
    assert low[0] == pytest.approx(10, abs=0.01)
    assert high[0] == pytest.approx(10 - math.log(0.05), rel=0.02)


@pytest.mark.parametrize(
    "options", [{}, {"draws": 300}, {"method": "hierarchical"}], ids=["ridge", "drawn", "hierarchical"]
)
def test_bands_hold_the_truth_as_often_as_they_say(options):
    def gamma(tau, tau0, r):
        return r / (2 * np.pi) * np.sin(0.2 * np.pi) / (np.cosh(0.8 * np.log(tau / tau0)) - np.cos(0.2 * np.pi))

    w = 2j * np.pi * F
    rng = np.random.default_rng(4)
    inside, held = [], []
    for r in [50, 10] * 8:
        clean = 10 + r / (1 + (w * 0.1) ** 0.8) + 50 / (1 + (w * 1e-4) ** 0.8)
        z = clean * (1 + 0.003 * (rng.standard_normal(F.size) + 1j * rng.standard_normal(F.size)))
        found = drt(Spectrum.of(F, z), **options)
        seen = (found.tau_s > 1 / (2 * np.pi * F[0])) & (found.tau_s < 1 / (2 * np.pi * F[-1]))
        truth = gamma(found.tau_s, 0.1, r) + gamma(found.tau_s, 1e-4, 50)
        inside.append(np.mean(((truth >= found.gamma_low_ohm) & (truth <= found.gamma_high_ohm))[seen]))
        held += [p.r_low_ohm <= true <= p.r_high_ohm for p, true in zip(found.peaks, (50, r), strict=False)]
    assert 0.90 <= np.mean(inside) <= 0.99
    assert np.mean(held) >= 0.9
