"""Decision rules keep the risk they state, and conformance probabilities are the published ones."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, t

from eis.conformity import (
    FOUR_WAY,
    DecisionRule,
    acceptance_limit,
    outcome,
    outcomes,
    p_conform,
    require_room,
    student_factor,
)
from eis.errors import ConfigError
from eis.results import Verdict
from eis.risk import (
    consumers_risk,
    effective_size,
    measurement_capability,
    p_conform_sampled,
    producers_risk,
    with_prior,
)

RULES = [
    DecisionRule("simple"),
    DecisionRule("guard-band"),
    DecisionRule("guard-band", multiple=0.83),
    DecisionRule("iso-14253"),
    DecisionRule("probability"),
]
NAMES = ["simple", "w = U", "w = 0.83 U", "ISO 14253-1", "probability"]


def verdict(value, u, rule, **limits):
    return FOUR_WAY[int(outcomes(value, u, rule, **limits))]


@pytest.mark.parametrize("limit", [math.nan, math.inf])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(ConfigError, match="no limit to compare with"):
        p_conform(1.0, 0.1, limit)
    with pytest.raises(ConfigError, match="no limit to compare with"):
        outcomes(1.0, 0.1, DecisionRule(), upper=limit)


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(ConfigError, match="is not below the upper limit"):
        p_conform(1.0, 0.1, 2.0, lower=3.0)


def test_a_guard_band_wider_than_the_limit_is_refused():
    with pytest.raises(ConfigError, match="nothing could pass"):
        require_room(3.0, upper=3.0, where="guard_band")
    with pytest.raises(ConfigError, match="nothing could pass"):
        require_room(16.0, lower=20.0, upper=50.0, where="guard_band")
    require_room(14.0, lower=20.0, upper=50.0, where="guard_band")


def test_every_fault_of_a_rule_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        DecisionRule("guard", k=math.nan, multiple=0, confidence=0.4, width=1.0)  # type: ignore[arg-type]
    for said in (
        "rule is 'guard'",
        "k is nan",
        "multiple is 0",
        "confidence is 0.4",
        "goes with the rule 'fixed'",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_value_and_no_uncertainty_decide_nothing(value):
    assert outcomes(value, 0.1, DecisionRule(), upper=3.0) == -1
    assert outcomes(1.0, math.nan, DecisionRule(), upper=3.0) == -1
    assert math.isnan(p_conform(1.0, math.nan, 3.0))


def test_a_log_normal_value_is_above_zero():
    with pytest.raises(ConfigError, match="cannot be log-normal"):
        p_conform(-1.0, 0.1, 3.0, model="lognormal-mean")


@pytest.mark.parametrize(
    ("y", "u", "normal", "mean", "median", "accept", "iso"),
    [
        (2.5, 0.2, 0.99379, 0.98990, 0.98877, 2.600, 2.671),
        (2.5, 0.5, 0.84134, 0.84605, 0.82138, 2.000, 2.178),
        (2.9, 0.2, 0.69146, 0.70076, 0.68870, 2.600, 2.671),
        (3.0, 0.3, 0.50000, 0.51989, 0.50000, 2.400, 2.507),
        (3.2, 0.2, 0.15866, 0.15807, 0.15066, 2.600, 2.671),
        (1.5, 1.0, 0.93319, 0.92595, 0.87349, 1.000, 1.355),
    ],
)
def test_the_table_of_conformance_probabilities(y, u, normal, mean, median, accept, iso):
    assert p_conform(y, u, 3.0, model="normal") == pytest.approx(normal, abs=6e-6)
    assert p_conform(y, u, 3.0, model="lognormal-mean") == pytest.approx(mean, abs=6e-6)
    assert p_conform(y, u, 3.0, model="lognormal-median") == pytest.approx(median, abs=6e-6)
    assert acceptance_limit(3.0, y, u, DecisionRule()) == pytest.approx(accept, abs=5.1e-4)
    assert acceptance_limit(3.0, y, u, DecisionRule("iso-14253")) == pytest.approx(iso, abs=5.1e-4)


def test_the_jcgm_106_zener_diode_conforms_with_its_published_probability():
    assert p_conform(-5.47, 0.05, -5.4) == pytest.approx(0.92, abs=5e-3)


def test_a_probability_with_few_degrees_of_freedom_is_student_s():
    assert p_conform(2.8, 0.2, 3.0, degrees_of_freedom=5) == pytest.approx(t.cdf(1.0, 5), rel=1e-12)


def test_a_lower_limit_and_a_window_have_the_probability_inside():
    below = p_conform(25.0, 2.0, 50.0, model="normal")
    assert p_conform(25.0, 2.0, math.inf, lower=20.0, model="normal") == pytest.approx(0.99379, abs=6e-6)
    assert p_conform(25.0, 2.0, 50.0, lower=20.0, model="normal") == pytest.approx(
        below - (1 - 0.9937903), abs=1e-6
    )


@pytest.mark.parametrize(
    ("multiple", "risk"), [(0.83, 0.0485), (1.0, 0.02275), (1.5, 0.00135), (3.0, 1.0e-9)], ids=str
)
def test_a_guard_band_of_r_u_states_its_published_risk(multiple, risk):
    assert DecisionRule("guard-band", multiple=multiple).stated_risk == pytest.approx(risk, rel=2e-2)


def test_no_guard_band_states_one_half_and_iso_14253_five_percent():
    assert DecisionRule("simple").stated_risk == 0.5
    assert DecisionRule("iso-14253").stated_risk == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.6, "PASS"),
        (2.61, "CONDITIONAL_PASS"),
        (3.0, "CONDITIONAL_PASS"),
        (3.01, "CONDITIONAL_FAIL"),
        (3.4, "CONDITIONAL_FAIL"),
        (3.41, "FAIL"),
    ],
)
def test_four_outcomes_on_both_sides_of_the_limit(value, expected):
    assert verdict(value, 0.2, DecisionRule(), upper=3.0) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(15, "FAIL"), (19, "CONDITIONAL_FAIL"), (21, "CONDITIONAL_PASS"), (35, "PASS"), (49, "CONDITIONAL_PASS")],
)
def test_a_window_guards_both_ends(value, expected):
    assert verdict(value, 1.0, DecisionRule(), lower=20.0, upper=50.0) == expected


def test_a_fixed_guard_band_does_not_depend_on_the_uncertainty():
    rule = DecisionRule("fixed", width=0.5)
    assert verdict(2.49, 0.9, rule, upper=3.0) is Verdict.PASS
    assert verdict(2.51, 0.001, rule, upper=3.0) is Verdict.CONDITIONAL_PASS


@given(y=st.floats(0.1, 10.0), relative=st.floats(1e-3, 0.3), nu=st.sampled_from([math.inf, 4.0]))
def test_the_rule_by_probability_passes_exactly_below_its_acceptance_limit(y, relative, nu):
    rule, u = DecisionRule("probability"), y * relative
    accept = acceptance_limit(3.0, y, u, rule, degrees_of_freedom=nu)
    passes = outcomes(y, u, rule, upper=3.0, degrees_of_freedom=nu) == 0
    assert passes == (y <= accept) or y == pytest.approx(accept, rel=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_of_10000_cells_just_beyond_the_limit_no_more_pass_than_the_rule_states(rule):
    rng = np.random.default_rng(20261123)
    true = 3.0 * rng.uniform(1.0, 1.05, 10_000)
    u = true * rng.uniform(0.01, 0.12, 10_000)
    found = outcomes(rng.normal(true, u), u, rule, upper=3.0)
    assert np.mean(found == 0) <= rule.stated_risk


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
@pytest.mark.parametrize("nu", [math.inf, 5.0])
def test_of_10000_cells_at_the_limit_itself_as_many_pass_as_the_rule_states(rule, nu):
    rng = np.random.default_rng(7)
    u = 0.15 * rng.uniform(0.5, 1.0, 10_000)
    estimated = u * np.sqrt(rng.chisquare(nu, 10_000) / nu) if nu < math.inf else u
    found = outcomes(
        rng.normal(3.0, u), estimated, rule, upper=3.0, degrees_of_freedom=np.full(10_000, nu), model="normal"
    )
    risk = rule.stated_risk
    assert np.mean(found == 0) == pytest.approx(risk, abs=3.5 * math.sqrt(risk * (1 - risk) / 10_000))


AMOUNTS = st.one_of(st.floats(-1.0, 8.0), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 2.0, 3.0]))


@given(
    y=AMOUNTS,
    u=st.one_of(st.floats(-0.1, 3.0), st.sampled_from([math.nan, math.inf, 0.0, 0.5])),
    rule=st.sampled_from([*RULES, DecisionRule("fixed", width=0.5)]),
    limits=st.sampled_from([(-math.inf, 3.0), (2.0, math.inf), (2.0, 3.0)]),
    nu=st.sampled_from([math.inf, 4.0, 133.0]),
)
def test_one_value_alone_is_judged_as_it_is_among_others(y, u, rule, limits, nu):
    lower, upper = limits
    together = outcomes([y, 1.0], [u, 0.1], rule, upper=upper, lower=lower, degrees_of_freedom=[nu, nu])
    assert outcome(y, u, rule, upper=upper, lower=lower, degrees_of_freedom=nu) == together[0]
    share = p_conform(np.array([y, 1.0]), np.array([u, 0.1]), upper, lower=lower, degrees_of_freedom=nu)[0]
    assert p_conform(y, u, upper, lower=lower, degrees_of_freedom=nu) == pytest.approx(
        share, abs=1e-12, nan_ok=True
    )


def test_a_factor_of_infinitely_many_degrees_of_freedom_is_the_factor_itself():
    assert student_factor(2.0) == 2.0
    assert student_factor(2.0, np.array([math.inf, 5.0]))[1] == pytest.approx(t.isf(0.02275013, 5), rel=1e-6)


def test_draws_that_are_too_few_for_a_probability_near_95_percent_are_refused():
    rng = np.random.default_rng(1)
    draws = rng.normal(2.0, 0.6, 400)
    with pytest.raises(ConfigError, match="too few for a probability"):
        p_conform_sampled(draws, 3.0)


def test_correlated_draws_count_for_less_and_may_be_refused():
    rng = np.random.default_rng(2)
    steps = rng.normal(size=4000)
    walk = np.empty(4000)
    walk[0] = 0.0
    for i in range(1, 4000):
        walk[i] = 0.95 * walk[i - 1] + steps[i]
    chain = 2.0 + 0.6 * walk / walk.std()
    with pytest.raises(ConfigError, match="worth"):
        p_conform_sampled(chain, 3.0)


@pytest.mark.parametrize("draws", [[], [1.0], [1.0, math.nan], [[[1.0, 2.0]]]])
def test_draws_that_are_none_are_refused(draws):
    with pytest.raises(ConfigError, match="not finite numbers"):
        p_conform_sampled(draws, 3.0)


def test_a_probability_from_draws_is_the_normal_one_within_its_standard_error():
    rng = np.random.default_rng(3)
    found = p_conform_sampled(rng.normal(2.5, 0.3, (4, 5000)), 3.0)
    assert found.n_effective > 15_000
    assert found.p == pytest.approx(p_conform(2.5, 0.3, 3.0, model="normal"), abs=4 * found.standard_error)
    assert found.standard_error == pytest.approx(math.sqrt(found.p * (1 - found.p) / found.n_effective))


def test_few_draws_may_still_say_that_a_probability_is_small():
    assert p_conform_sampled(np.linspace(4.0, 5.0, 300), 3.0).p == pytest.approx(0.5 / 301)


def test_the_effective_size_of_an_autoregressive_chain_is_its_closed_form():
    rng = np.random.default_rng(4)
    steps = rng.normal(size=100_000)
    chain = np.empty(100_000)
    chain[0] = 0.0
    for i in range(1, 100_000):
        chain[i] = 0.8 * chain[i - 1] + steps[i]
    assert effective_size(chain) == pytest.approx(100_000 * (1 - 0.8) / (1 + 0.8), rel=0.08)


def test_a_known_process_pulls_the_estimate_by_its_weight():
    value, u = with_prior(3.2, 0.2, prior=2.5, u_prior=0.3)
    assert value == pytest.approx((3.2 * 0.09 + 2.5 * 0.04) / 0.13)
    assert u == pytest.approx(math.sqrt(0.09 * 0.04 / 0.13))


@pytest.mark.parametrize(
    ("prior", "u_prior", "u", "accept"), [(2.5, 0.3, 0.1, 2.8), (2.5, 0.3, 0.01, 3.0), (2.0, 0.5, 0.4, 2.2)]
)
def test_global_risks_are_those_of_the_bivariate_normal(prior, u_prior, u, accept):
    covariance = [[u_prior**2, u_prior**2], [u_prior**2, u_prior**2 + u**2]]
    both = multivariate_normal.cdf([3.0, accept], [prior, prior], covariance, abseps=1e-12, releps=1e-12)
    accepted = p_conform(prior, math.hypot(u_prior, u), accept, model="normal")
    conforming = p_conform(prior, u_prior, 3.0, model="normal")
    assert consumers_risk(prior, u_prior, u, 3.0, accept) == pytest.approx(accepted - both, abs=1e-8)
    assert producers_risk(prior, u_prior, u, 3.0, accept) == pytest.approx(conforming - both, abs=1e-8)


def test_a_wider_guard_band_shifts_the_risk_from_the_consumer_to_the_producer():
    risks = [
        (consumers_risk(2.5, 0.3, 0.1, 3.0, accept), producers_risk(2.5, 0.3, 0.1, 3.0, accept))
        for accept in (3.0, 2.9, 2.8)
    ]
    assert risks[0][0] > risks[1][0] > risks[2][0]
    assert risks[0][1] < risks[1][1] < risks[2][1]


def test_the_measurement_capability_is_a_quarter_of_the_tolerance_in_uncertainties():
    assert measurement_capability(0.1, 3.0, 1.0) == pytest.approx(5.0)
    assert measurement_capability(0.25, 3.0) == pytest.approx(3.0)
    with pytest.raises(ConfigError, match="no width"):
        measurement_capability(0.1, 1.0, 3.0)
    with pytest.raises(ConfigError, match="u is 0"):
        measurement_capability(0.0, 3.0)
