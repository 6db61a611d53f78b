"""Effective media against published tables and closed forms; every estimate inside its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from eis.errors import ConfigError
from eis.mixture_bounds import check_bounds, hashin_shtrikman_bounds, outside_bounds, wiener_bounds
from eis.transport import (
    bruggeman,
    bruggeman_exponent,
    calibrated_exponent,
    calibrated_threshold,
    differential_medium,
    fill_from_conductivity,
    filled_medium,
    general_effective_medium,
    macmullin_number,
    maxwell_garnett,
    path_length_ratio,
    percolation,
    symmetric_medium,
    tortuosity_factor,
)

PORES = np.array([0.05, 0.10, 0.15, 0.20, 0.30])
FILLERS = np.array([0.05, 0.1, 0.5, 1.0])
CONDUCTIVITY = st.one_of(st.just(0.0), st.floats(-9, 0).map(lambda x: 10.0**x))


def test_a_conductivity_no_mixture_can_have_is_refused_with_the_bounds() -> None:
    with pytest.raises(ConfigError, match=r"0\.9 S/cm.*\(0 to 0\.6087 S/cm\)"):
        check_bounds([0.5, 0.9], [0.7, 0.3], [1.0, 0.0])
    check_bounds(0.5, [0.7, 0.3], [1.0, 0.0])
    assert outside_bounds(np.nan, [0.7, 0.3], [1.0, 0.0])


@pytest.mark.parametrize("function", [symmetric_medium, wiener_bounds, hashin_shtrikman_bounds])
@pytest.mark.parametrize(
    ("phi", "sigma"), [([0.7, 0.4], [1, 0]), ([1.2, -0.2], [1, 0]), ([0.5, 0.5], [1, -1]), ([np.nan, 1], [1, 0])]
)
def test_what_is_no_mixture_is_refused(function, phi: list[float], sigma: list[float]) -> None:
    with pytest.raises(ConfigError, match="are no mixture"):
        function([[0.5, 0.5], phi], [[1, 1], sigma])


def test_nothing_percolates_up_to_the_threshold() -> None:
    assert symmetric_medium([1 / 3, 2 / 3], [1.0, 0.0]) == 0
    assert symmetric_medium([0.2, 0.5, 0.3], [1.0, 0.0, 0.0]) == 0
    assert percolation([0.1, 0.2], threshold=0.2).tolist() == [0, 0]
    assert symmetric_medium([0.5, 0.5], [0.0, 0.0]) == 0


@pytest.mark.parametrize("conductivity", [0.5, 0.45])
def test_a_composite_that_conducts_too_well_has_no_threshold(conductivity: float) -> None:
    assert np.isnan(calibrated_threshold(conductivity, 0.45))
    assert np.isnan(calibrated_exponent(0.1, 0.2, threshold=0.3))


def test_a_filler_that_insulates_cannot_be_seen() -> None:
    assert np.isnan(
        fill_from_conductivity(0.1, conductor_fraction=0.45, void_fraction=0.15, conductor_s_cm=1, filler_s_cm=0)
    )


def test_the_table_of_relative_conductivities() -> None:
    both = np.stack([1 - PORES, PORES], axis=-1)
    assert maxwell_garnett(1, 0, PORES) == pytest.approx([0.92683, 0.85714, 0.79070, 0.72727, 0.60870], abs=5e-6)
    assert symmetric_medium(both, [1, 0]) == pytest.approx([0.925, 0.850, 0.775, 0.700, 0.550], abs=1e-12)
    found = differential_medium(1, 0, PORES)
    assert found == pytest.approx([0.92595, 0.85381, 0.78366, 0.71554, 0.58566], abs=5e-6)
    assert found == pytest.approx(bruggeman(1 - PORES), abs=1e-12)
    assert maxwell_garnett(1, 0, PORES) == pytest.approx(2 * (1 - PORES) / (2 + PORES))
    assert symmetric_medium([0.7, 0.3], [1.0, 0.1]) == pytest.approx(0.625, abs=1e-12)


@pytest.mark.parametrize(
    ("conductor", "fill", "expected"),
    [
        (0.35, 0.0, [0.02500] * 4),
        (0.35, 1.0, [0.08488, 0.11056, 0.20000, 0.25000]),
        (0.35, 0.5, [0.06151, 0.07633, 0.11933, 0.13750]),
        (0.45, 0.0, [0.17500] * 4),
        (0.45, 1.0, [0.20908, 0.23325, 0.33553, 0.40000]),
    ],
)
def test_the_filling_demonstration_both_ways(conductor: float, fill: float, expected: list[float]) -> None:
    mixture = {"conductor_fraction": conductor, "void_fraction": 0.15, "conductor_s_cm": 1, "filler_s_cm": FILLERS}
    found = filled_medium(fill, **mixture)
    assert found == pytest.approx(expected, abs=6e-6)
    assert fill_from_conductivity(found, **mixture) == pytest.approx([fill] * 4, abs=1e-9)


def test_the_closed_root_goes_on_beyond_empty_and_full() -> None:
    mixture = {"conductor_fraction": 0.45, "void_fraction": 0.15, "conductor_s_cm": 1.0, "filler_s_cm": 0.5}
    found = fill_from_conductivity([0.17, 0.40], **mixture)
    assert found[0] < 0
    assert found[1] > 1


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0])
def test_a_calibrated_medium_gives_back_the_unfilled_sheet(exponent: float) -> None:
    threshold = calibrated_threshold(0.06, 0.45, exponent=exponent)
    medium = {"conductor_fraction": 0.45, "void_fraction": 0.15, "conductor_s_cm": 1.0, "filler_s_cm": 0.2}
    medium |= {"threshold": threshold, "exponent": exponent}
    assert filled_medium(0.0, **medium) == pytest.approx(0.06, rel=1e-12)
    assert percolation(0.45, threshold=threshold, exponent=exponent) == pytest.approx(0.06, rel=1e-12)
    assert calibrated_exponent(0.06, 0.45, threshold=threshold) == pytest.approx(exponent, rel=1e-12)
    assert fill_from_conductivity(0.06, **medium) == pytest.approx(0.0, abs=1e-12)
    assert fill_from_conductivity(filled_medium(0.7, **medium), **medium) == pytest.approx(0.7, abs=1e-9)


def test_three_phases_solve_bruggeman_s_equation() -> None:
    phi, sigma = np.array([0.3, 0.3, 0.4]), np.array([1.0, 0.1, 0.01])
    root = brentq(lambda s: (phi * (sigma - s) / (sigma + 2 * s)).sum(), 1e-6, 1.0, xtol=1e-15)
    assert symmetric_medium(phi, sigma) == pytest.approx(root, rel=1e-12)


def test_conventions_of_macmullin_number_and_tortuosity() -> None:
    number = macmullin_number(44.2, 1.131, 100.0, 2.0e-3)  # R A σ0 / t
    assert number == pytest.approx(44.2 * 1.131 * 2.0e-3 / 0.01)
    assert tortuosity_factor(number, 0.445) == pytest.approx(number * 0.445)
    assert path_length_ratio(number, 0.445) ** 2 == pytest.approx(tortuosity_factor(number, 0.445))
    assert tortuosity_factor(1 / bruggeman(0.4), 0.4) == pytest.approx(0.4**-0.5)
    assert bruggeman_exponent(0.4**2.3, 0.4) == pytest.approx(2.3)


def test_bounds_of_two_phases_are_those_of_maxwell_garnett() -> None:
    low, high = hashin_shtrikman_bounds([0.7, 0.3], [1.0, 0.1])
    assert low == pytest.approx(maxwell_garnett(0.1, 1.0, 0.7), rel=1e-12)
    assert high == pytest.approx(maxwell_garnett(1.0, 0.1, 0.3), rel=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.lists(CONDUCTIVITY, min_size=3, max_size=3))
def test_three_phases_stay_inside_all_bounds(weights: list[float], sigma: list[float]) -> None:
    phi = np.array(weights) / sum(weights)
    series, parallel = wiener_bounds(phi, sigma)
    low, high = hashin_shtrikman_bounds(phi, sigma)
    slack = 1e-9 * parallel + 1e-300
    assert series - slack <= low <= high + slack <= parallel + 2 * slack
    assert not outside_bounds(symmetric_medium(phi, sigma), phi, sigma)
    steep = general_effective_medium(phi, [max(sigma), 0.0, 0.0], threshold=0.3, exponent=2.0)
    assert not outside_bounds(steep, phi, [max(sigma), 0.0, 0.0])


@given(st.floats(0, 1), CONDUCTIVITY, CONDUCTIVITY)
def test_two_phases_stay_inside_the_bounds(p: float, matrix: float, inclusion: float) -> None:
    phi, sigma = [1 - p, p], [matrix, inclusion]
    for estimate in (maxwell_garnett, differential_medium):
        assert not outside_bounds(estimate(matrix, inclusion, p), phi, sigma)
    assert not outside_bounds(symmetric_medium(phi, sigma), phi, sigma)
    for law in (bruggeman(1 - p), bruggeman(1 - p, exponent=2.2), percolation(1 - p, threshold=0.25)):
        assert not outside_bounds(law, phi, [1.0, 0.0])
