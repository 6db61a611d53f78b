"""Tolerance factors are the published ones, and hold what they promise; statements say what they rest on."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from eis.checking import check
from eis.errors import ConfigError
from eis.population import population, population_of
from eis.population_plots import plot_lot
from eis.results import Verdict
from eis.spec import Spec
from eis.tolerance import (
    capability_lower_bound,
    capability_lower_bound_normal,
    distribution_free_bound,
    distribution_free_size,
    natrella_factor,
    one_sided_factor,
    quantile_lower_factor,
    two_sided_factor,
)
from tests.test_checking import interface

SHARES = [(0.90, 0.90), (0.90, 0.95), (0.95, 0.95), (0.99, 0.95)]
TABLE = {
    3: (4.258, 6.155, 7.656, 10.553),
    4: (3.188, 4.162, 5.144, 7.042),
    5: (2.742, 3.407, 4.203, 5.741),
    6: (2.494, 3.006, 3.708, 5.062),
    8: (2.219, 2.582, 3.187, 4.354),
    10: (2.066, 2.355, 2.911, 3.981),
    15: (1.867, 2.068, 2.566, 3.520),
    20: (1.765, 1.926, 2.396, 3.295),
    30: (1.657, 1.777, 2.220, 3.064),
}


def lot(n=20, *, scatter=0.1, seed=3):
    return 2.0 * np.exp(scatter * np.random.default_rng(seed).normal(size=n))


@pytest.mark.parametrize(("n", "proportion", "confidence"), [(1, 0.9, 0.9), (5, 1.0, 0.9), (5, 0.9, math.nan)])
def test_a_factor_for_one_cell_or_for_all_cells_does_not_exist(n, proportion, confidence):
    with pytest.raises(ConfigError, match="no tolerance factor"):
        one_sided_factor(n, proportion, confidence)


def test_natrella_s_formula_has_no_value_for_very_few_cells():
    with pytest.raises(ConfigError, match="Use the exact factor"):
        natrella_factor(2, 0.9, 0.95)


@pytest.mark.parametrize(("n", "factors"), list(TABLE.items()), ids=[str(n) for n in TABLE])
def test_one_sided_factors_are_the_tabulated_ones(n, factors):
    assert [one_sided_factor(n, *shares) for shares in SHARES] == pytest.approx(factors, abs=5.1e-4)


@pytest.mark.parametrize(("n", "exact", "natrella"), [(40, 1.90173, 1.90337), (43, 1.8740, 1.8752)])
def test_factors_are_those_published_for_90_percent_with_99_percent_confidence(n, exact, natrella):
    assert one_sided_factor(n, 0.90, 0.99) == pytest.approx(exact, abs=5.1e-5)
    assert natrella_factor(n, 0.90, 0.99) == pytest.approx(natrella, abs=5.1e-5)


@pytest.mark.parametrize(
    ("shares", "howe", "tabulated"), [((0.95, 0.95), 3.382, 3.39), ((0.90, 0.95), 2.838, 2.86)]
)
def test_two_sided_factors_are_howe_s_and_near_the_tabulated_ones(shares, howe, tabulated):
    assert two_sided_factor(10, *shares) == pytest.approx(howe, abs=5.1e-4)
    assert two_sided_factor(10, *shares) == pytest.approx(tabulated, rel=0.01)


@pytest.mark.parametrize(("shares", "n"), list(zip(SHARES, (22, 29, 59, 299), strict=True)))
def test_the_sizes_without_a_distribution_are_the_published_ones(shares, n):
    assert distribution_free_size(*shares) == n
    values = np.arange(n, dtype=float)
    assert distribution_free_bound(values, *shares) == n - 1
    assert math.isnan(distribution_free_bound(values[1:], *shares))


def test_a_lower_order_statistic_serves_when_there_are_more_cells():
    values = np.arange(1.0, 201.0)
    bound = distribution_free_bound(values, 0.90, 0.95)
    assert binom.cdf(bound - 1, 200, 0.90) >= 0.95 > binom.cdf(bound - 2, 200, 0.90)


def test_a_tolerance_bound_covers_its_share_as_often_as_it_promises():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(20_000, 8))
    mean, s = x.mean(axis=1), x.std(axis=1, ddof=1)
    covers = mean + one_sided_factor(8, 0.9, 0.95) * s >= 1.2815515655446004  # the 90 % quantile
    below = mean + quantile_lower_factor(8, 0.9, 0.95) * s <= 1.2815515655446004
    assert covers.mean() == pytest.approx(0.95, abs=0.005)
    assert below.mean() == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize("true", [-0.4, 0.0, 1.0, 50.0])
def test_a_capability_s_lower_bound_is_below_the_truth_as_often_as_it_promises(true):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 12))
    found = (3 * true - x.mean(axis=1)) / (3 * x.std(axis=1, ddof=1))
    below = np.mean([capability_lower_bound(one, 12) <= true for one in found])
    assert below == pytest.approx(0.95, abs=3.5 * math.sqrt(0.95 * 0.05 / 400))


def test_the_approximate_capability_bound_is_near_the_exact_one_for_many_cells():
    assert capability_lower_bound_normal(1.33, 50) == pytest.approx(1.33 * (1 - 1.6449 * 0.10728), abs=1e-3)
    assert capability_lower_bound(1.33, 50) == pytest.approx(capability_lower_bound_normal(1.33, 50), abs=0.01)


@pytest.mark.parametrize("values", [[1.0, 0.0, 2.0], [1.0, math.nan, 2.0], [[1.0, 2.0, 3.0]]])
def test_a_population_of_what_are_no_resistances_is_refused(values):
    with pytest.raises(ConfigError, match="one number above zero per cell"):
        population(values, 3.0)


@pytest.mark.parametrize("limit", [math.nan, 0.0, -1.0, math.inf])
def test_a_population_against_no_limit_is_refused(limit):
    with pytest.raises(ConfigError, match="The limit is"):
        population(lot(), limit)


def test_uncertainties_that_do_not_go_with_the_values_are_refused():
    with pytest.raises(ConfigError, match="u is not one number per cell"):
        population(lot(), 3.0, u=[0.1])


def test_two_cells_and_equal_cells_support_no_claim():
    assert "2 cells are too few" in population(lot(2), 3.0).because
    same = population([2.0] * 10, 3.0)
    assert same.verdict is Verdict.NOT_RESOLVED
    assert same.method == "none"


def test_a_lot_that_keeps_the_limit_says_so_with_its_share_and_confidence():
    values = lot()
    found = population(values, 3.0)
    log_r = np.log(values)
    assert found.verdict is Verdict.PASS
    assert found.bound == pytest.approx(math.exp(log_r.mean() + 2.396 * log_r.std(ddof=1)), rel=1e-4)
    assert "with 95 % confidence at least 95 % of all cells" in str(found)
    assert "preliminary" in str(found)
    assert found.to_dict()["capability"]["is_preliminary"]


def test_a_lot_of_forty_cells_has_a_capability_that_is_not_preliminary():
    found = population(lot(40), 3.0)
    assert found.capability is not None
    assert not found.capability.is_preliminary


def test_a_lot_between_is_not_resolved_and_one_beyond_fails():
    values = lot()
    assert population(values, 2.6).verdict is Verdict.NOT_RESOLVED
    assert population(values, 2.0).verdict is Verdict.FAIL


def test_a_lot_with_cells_left_out_is_never_a_pass():
    found = population(lot(), 3.0, n_left_out=1)
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "have no value: 1" in str(found)


def test_what_is_not_log_normal_is_bounded_by_order_statistics_or_not_at_all():
    two_kinds = np.concatenate([lot(56), [9.0, 9.5, 10.0, 11.0]])
    many, few = population(two_kinds, 12.0), population(two_kinds[30:], 12.0)
    assert (many.method, many.bound, many.verdict) == ("distribution-free", 11.0, Verdict.PASS)
    assert (few.method, few.verdict) == ("none", Verdict.NOT_RESOLVED)
    assert "30 of at least 59 cells" in few.because
    assert population(two_kinds, 1.9).verdict is Verdict.FAIL


def test_the_measurement_s_scatter_is_taken_off_and_both_are_reported():
    values = lot()
    found = population(values, 3.0, u=0.05 * values).capability
    assert found is not None
    assert found.s_process == pytest.approx(math.sqrt(found.s_observed**2 - 0.05**2))
    assert found.index_process == pytest.approx(found.index * found.s_observed / found.s_process)


def test_a_process_behind_a_coarser_measurement_is_not_resolved():
    values = lot()
    found = population(values, 3.0, u=0.3 * values)
    assert found.capability is not None
    assert math.isnan(found.capability.s_process)
    assert "the process is not resolved" in str(found)


def test_the_cells_of_a_lot_are_taken_from_their_judgements():
    spec = Spec.load("lges-negative-electrode")
    cells = [check([interface(0.001 * r, 2e-5)], spec) for r in lot(12)]
    cells.append(check([interface(0.002, 0.002, resolved=False, because=("noise",))], spec))
    found = population_of(cells, "asr")
    assert (found.n, found.n_left_out, found.limit) == (12, 1, 0.003)
    assert found.capability is not None
    assert found.capability.u_measurement == pytest.approx(1e-2, rel=0.05)  # 20 µΩ·cm² of 2 mΩ·cm²


def test_a_lot_whose_cells_do_not_say_how_many_interfaces_they_have_is_refused():
    spec = Spec.load("lges-negative-electrode")
    with pytest.raises(ConfigError, match="has 2 values"):
        population_of([check([interface(n=None)], spec)], "asr")
    with pytest.raises(ConfigError, match="No cell has a value"):
        population_of([check([], spec)], "asr")


def test_the_lot_plot_shows_every_cell_the_limit_and_the_bound():
    values = 1.3 * lot()
    found = population(values, 3.0, u=0.05 * values)
    ax = plot_lot(values, found, u=0.05 * values)
    drawn = [container.lines[0] for container in ax.containers]
    assert sorted(y for line in drawn for y in line.get_ydata()) == pytest.approx(sorted(values))
    levels = [line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1]
    assert found.limit in levels
    assert found.bound in levels
    assert any("limit" in text.get_text() for text in ax.texts)


def test_the_lot_plot_refuses_names_that_do_not_go_with_the_cells():
    with pytest.raises(ConfigError, match="one value each"):
        plot_lot(lot(), population(lot(), 3.0), names=["a"])
