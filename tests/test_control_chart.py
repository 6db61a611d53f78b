"""Control charts: published limits, and rules that speak when and only when they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.axes import Axes

from eis.control_chart import FEWEST, control_chart
from eis.errors import ConfigError
from eis.history_plots import plot_control_chart

# NIST/SEMATECH e-Handbook of Statistical Methods §6.3.2.2: ten flow rates, their mean, mean range and limits.
NIST = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
QUIET = [0.3, -0.4, 0.2, -0.1, 0.4, -0.3, 0.1, -0.2] * 4
"""Neighbours far apart and no run: nothing any rule could speak of."""


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_what_has_no_logarithm_is_refused_by_its_place(bad: float) -> None:
    with pytest.raises(ConfigError, match="Value 3 is"):
        control_chart([1.0, 2.0, bad])


def test_too_few_values_have_no_limits_and_break_no_rule() -> None:
    chart = control_chart([1.0, 100.0] * 3)
    assert math.isnan(chart.high)
    assert chart.is_in_control
    assert "too few" in str(chart)


def test_the_limits_are_those_of_the_handbook() -> None:
    chart = control_chart(NIST, logarithmic=False)
    assert (chart.centre, chart.low, chart.high) == pytest.approx((50.81, 45.8159, 55.8041), abs=6e-4)
    assert chart.is_in_control


def test_logarithms_are_charted_and_shown_as_values() -> None:
    plain, log = control_chart(NIST, logarithmic=False), control_chart(np.exp(NIST))
    assert (log.centre, log.low, log.high) == pytest.approx(
        [math.exp(x) for x in (plain.centre, plain.low, plain.high)]
    )


@pytest.mark.parametrize(
    ("tail", "rule"),
    [
        ([4.0], "beyond"),
        ([0.35] * 9, "same side"),
        ([-0.45, -0.3, -0.15, 0.05, 0.25, 0.45], "trend"),
        ([1.15, 0.0, 1.15], "two of three"),
        ([-0.62, -0.62, 0.0, -0.62, -0.62], "four of five"),
    ],
)
def test_each_rule_speaks_at_the_value_that_completes_it(tail: list[float], rule: str) -> None:
    chart = control_chart([*QUIET, *tail], logarithmic=False)
    assert (len(QUIET) + len(tail) - 1, rule) in chart.signals
    assert next(at for at, name in chart.signals if name == rule) == len(QUIET) + len(tail) - 1


@pytest.mark.parametrize("value", [0.1, 2.7, 1e-9, 123456.7])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_equal_values_break_no_rule(value: float, logarithmic: bool) -> None:
    assert control_chart([value] * 23, logarithmic=logarithmic).signals == ()


def test_neighbouring_signals_are_told_together() -> None:
    chart = control_chart([*QUIET, 4.0, 0.1, 4.1, 4.2], logarithmic=False)
    assert "beyond three standard deviations: 33, 35 to 36" in str(chart)


def test_a_quiet_process_breaks_no_rule() -> None:
    assert control_chart(QUIET, logarithmic=False).signals == ()


def test_normal_scatter_seldom_raises_an_alarm() -> None:
    rng = np.random.default_rng(11)
    alarms = sum(len(control_chart(rng.normal(size=50), logarithmic=False).signals) for _ in range(100))
    assert alarms / 5000 < 0.02  # five rules of 0.3 % to 0.5 % each


@pytest.mark.parametrize("n", [0, 3, FEWEST, 30])
def test_a_chart_of_any_length_can_be_drawn(n: int) -> None:
    drawn = plot_control_chart(control_chart(np.linspace(1.0, 2.0, n)), limit=1.5)
    assert isinstance(drawn, Axes)
    assert drawn.get_ylabel() == "R·A / Ω·cm²"
