"""Constriction against closed forms, a published table and Laplace's equation; area against chemistry."""

import math

import numpy as np
import pytest
from scipy import special

from eis.constriction import (
    CAUSES,
    LEAST_COVERAGE,
    cause_probabilities,
    cluster_resistance,
    constriction_asr,
    constriction_factor,
    contact_coverage,
    covariation,
    coverage_change,
    holm_resistance,
    interface_asr,
)
from eis.errors import ConfigError

COVERAGE = np.array([0.05, 0.1, 0.2, 0.5, 0.8, 0.9])


def flux_tube(ratio: float, modes: int = 60_000, terms: int = 4) -> float:
    """Return ψ of an isothermal spot of radius `ratio` in a round tube of radius 1, by Galerkin's method."""
    beta = (np.arange(1, modes + 1) + 0.25) * np.pi  # McMahon: zeros of J1
    alpha = beta - 3 / (8 * beta) + 36 / (3 * (8 * beta) ** 3)
    alpha[:50] = special.jn_zeros(1, 50)
    k = np.arange(terms)[:, None]
    moments = ratio**2 * 2 ** (k - 0.5) * special.gamma(k + 0.5)
    moments = moments * special.jv(k + 0.5, alpha * ratio) / (alpha * ratio) ** (k + 0.5)
    source = ratio**2 / (2 * np.arange(terms) + 1)
    weights = np.linalg.solve((moments * 2 / (alpha * special.j0(alpha) ** 2)) @ moments.T, source)
    return float(4 * ratio / (2 * np.pi * weights @ source))


@pytest.mark.parametrize(
    "call", [lambda: holm_resistance(1, 1e-3, sides=3), lambda: cluster_resistance([1], 5, 1, sides=0)]
)
def test_a_contact_has_one_or_two_sides(call) -> None:
    with pytest.raises(ConfigError, match="1 or 2 constricted sides"):
        call()


def test_less_than_full_contact_allows_is_no_coverage() -> None:
    assert np.isnan(contact_coverage([4.9, math.nan, math.inf, -1.0], 1.0, 2e-3, asr_ct_ohm_cm2=5.0)).all()
    assert np.isnan(contact_coverage(0.0, 1.0, 2e-3))


@pytest.mark.parametrize("wrong", [(math.nan, 0.1), (1.0, -0.1), (0.0, 0.1)])
def test_a_change_without_numbers_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="asr_after_ohm_cm2"):
        coverage_change(
            (1.0, 0.1), wrong, np.random.default_rng(0), spot_radius_um=(1, 0.1), conductivity_s_cm=(1e-3, 0)
        )
    with pytest.raises(ConfigError, match="no two uncertain numbers"):
        covariation(wrong[0], 0.0, wrong[1], -1.0)


def test_the_table_of_the_constriction_of_one_micrometre() -> None:
    found = constriction_asr(COVERAGE, 1.0, 2e-3) * 1e3
    assert found == pytest.approx([541, 222, 78.8, 10.6, 0.996, 0.223], rel=5e-3)
    assert constriction_asr(COVERAGE, 2.0, 2e-3) * 1e3 == pytest.approx(2 * found)  # scales with a/σ
    assert contact_coverage(3e-3, 1.0, 2e-3) > 0.68  # 3 mΩ·cm² needs nearly 70 %


@pytest.mark.parametrize(("ratio", "within"), [(0.1, 5e-4), (0.3, 5e-4), (0.5, 5e-4), (0.7, 1e-3), (0.9, 5e-3)])
def test_the_polynomial_solves_laplace_s_equation(ratio: float, within: float) -> None:
    assert constriction_factor(ratio**2) == pytest.approx(flux_tube(ratio), rel=within)


def test_few_spots_are_spots_alone() -> None:
    assert holm_resistance(1.0, 2e-3) == pytest.approx(1 / (4 * 2e-3 * 1e-4))
    assert holm_resistance(1.0, 2e-3, sides=2) == pytest.approx(1 / (2 * 2e-3 * 1e-4))
    coverage = 1e-8
    spots_per_cm2 = coverage / (math.pi * 1e-8)
    assert constriction_asr(coverage, 1.0, 2e-3) == pytest.approx(
        holm_resistance(1.0, 2e-3) / spots_per_cm2, rel=2e-4
    )
    alone = holm_resistance(1.0, 2e-3) / 4
    assert cluster_resistance([1.0] * 4, 1e9, 2e-3) == pytest.approx(alone, rel=1e-6)
    assert cluster_resistance([1.0] * 4, 10.0, 2e-3) == pytest.approx(alone + holm_resistance(10.0, 2e-3))


@pytest.mark.parametrize("asr_ct", [0.0, 0.5, 20.0])
def test_coverage_is_the_inverse(asr_ct: float) -> None:
    asr = interface_asr(COVERAGE, asr_ct, 1.0, 2e-3)
    assert contact_coverage(asr, 1.0, 2e-3, asr_ct_ohm_cm2=asr_ct) == pytest.approx(COVERAGE, rel=1e-9)


@pytest.mark.parametrize("asr_ct", [0.0, 1e-4, 5.0, 1e4])
@pytest.mark.parametrize("radius_um", [1e-3, 1.0, 1e3])
def test_coverage_is_found_from_lone_spots_to_all_but_full_contact(asr_ct: float, radius_um: float) -> None:
    coverage = np.concatenate([np.geomspace(1e-13, 1, 500), 1 - np.geomspace(1e-12, 0.5, 100)])
    asr = interface_asr(coverage, asr_ct, radius_um, 1e-4)
    assert contact_coverage(asr, radius_um, 1e-4, asr_ct_ohm_cm2=asr_ct) == pytest.approx(coverage, rel=1e-9)


def test_what_conducts_without_any_resistance_needs_the_least_contact() -> None:
    assert contact_coverage(1.0, 0.0, 1e-4) == pytest.approx(LEAST_COVERAGE)


def test_twice_the_contact_is_found_with_an_interval_that_holds_it() -> None:
    first, then = interface_asr([0.2, 0.4], 5.0, 1.0, 2e-3).tolist()
    before, after, ratio = coverage_change(
        (first, 0.02 * first),
        (then, 0.02 * then),
        np.random.default_rng(3),
        spot_radius_um=(1.0, 0.3),
        conductivity_s_cm=(2e-3, 1e-4),
        asr_ct_ohm_cm2=(5.0, 0.2),
    )
    assert (before.value, after.value, ratio.value) == pytest.approx((0.2, 0.4, 2.0))
    assert ratio.low < 2.0 < ratio.high
    assert ratio.u / ratio.value < before.u / before.value  # what both share does not touch the ratio


def test_causes_are_found_at_the_rate_their_probability_says() -> None:
    rng = np.random.default_rng(8)
    n, u_r, u_c = 20_000, 0.04, 0.08
    size, other = math.log(3) * rng.standard_normal((2, n))
    noise = rng.standard_normal((2, n)) * np.hypot([[u_r], [u_c]], 0.03)
    nothing = np.zeros(n)
    ln_r = np.stack([size, size, size, nothing]) + noise[0]
    ln_c = np.stack([-size, nothing, other, nothing]) + noise[1]
    p = cause_probabilities(ln_r, ln_c, u_r, u_c)  # (truth, experiment, cause)
    assert p.sum(axis=-1) == pytest.approx(np.ones((4, n)))
    for i in range(4):
        said = p[:, :, i].ravel()
        true = np.repeat(np.arange(4) == i, n)
        for low in (0.1, 0.4, 0.7):
            near = (said >= low) & (said < low + 0.2)
            assert true[near].mean() == pytest.approx(said[near].mean(), abs=0.03)


@pytest.mark.parametrize(
    ("ln_r", "ln_c", "u_c", "cause", "said"),
    [
        (-0.7, 0.7, 0.05, "area", "contact area changed"),
        (-0.7, 0.0, 0.05, "kinetics", "not the contact area"),
        (-2.0, 0.9, 0.05, "both", "constriction prevails"),
        (0.01, 0.0, 0.05, "none", "neither R nor C"),
        (-0.7, 0.4, 1.0, "undecided", "leave open"),
    ],
)
def test_area_and_chemistry_are_told_apart(ln_r: float, ln_c: float, u_c: float, cause: str, said: str) -> None:
    found = covariation(ln_r, ln_c, 0.05, u_c)
    assert found.cause == cause
    assert said in found.because
    assert tuple(name for name, _ in found.probabilities) == CAUSES
