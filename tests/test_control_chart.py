"""Control charts: published limits, and rules that speak when and only when they should."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from eis.control_chart import FEWEST, control_chart, process_charts
from eis.errors import ConfigError
from eis.history_plots import MOST_CHARTS, plot_control_chart, plot_process_charts
from eis.store import Store
from tests.test_misuse import run_eis

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


def end(value: float, arc: str = "R2", **more: Any) -> dict[str, Any]:
    finding = {"arc": arc, "reading": "asr", "limit": 12.0}
    return {"asr_ohm_cm2": value, "asr_of": arc, "circuit": "R0-p(R1,CPE1)", "finding": finding, **more}


def test_an_arc_a_station_and_a_fixture_that_differ_share_no_mean_and_no_limits() -> None:
    values = {"bench-3": 10.0, "bench-4": 11.0}
    ends = [(at, end(value + 0.01 * (-1) ** i)) for i in range(10) for at, value in values.items()]
    ends += [("bench-3", end(5.0 + 0.01 * (-1) ** i, arc="R1")) for i in range(10)]
    ends += [("bench-3", end(20.0 + 0.01 * (-1) ** i, fixture="holder 2")) for i in range(10)]
    charts = {one.name: one for one in process_charts(ends)}
    assert {name: round(one.chart.centre, 1) for name, one in charts.items()} == {
        "R·A of R2 at bench-3": 10.0,
        "R·A of R2 at bench-4": 11.0,
        "R·A of R1 at bench-3": 5.0,
        "R·A of R2 at bench-3, holder 2": 20.0,
    }
    assert all(one.chart.is_in_control and one.limit == 12.0 for one in charts.values())
    assert charts["R·A of R2 at bench-4"].places == tuple(range(1, 20, 2))
    assert not control_chart([content["asr_ohm_cm2"] for _, content in ends]).is_in_control


def test_the_same_arc_of_another_circuit_is_another_quantity_and_named_by_it() -> None:
    ends = [("b", end(1.0)), ("b", end(2.0, circuit="R0-p(R1,C1)-p(R2,C2)"))]
    assert [one.name for one in process_charts(ends)] == [
        "R·A of R2 at b (R0-p(R1,CPE1))",
        "R·A of R2 at b (R0-p(R1,C1)-p(R2,C2))",
    ]


def test_runs_without_a_value_to_be_trusted_are_in_no_chart() -> None:
    ends = [("b", end(1.0)), ("b", end(9.0, verdict="INVALID_DATA")), ("b", {"state": "CRASHED"}), ("b", end(2.0))]
    (chart,) = process_charts(ends)
    assert (chart.places, chart.chart.values.tolist()) == ((0, 3), [1.0, 2.0])
    assert process_charts([("b", {"state": "CRASHED"})]) == ()


def test_a_record_of_an_older_version_tells_its_arc_by_its_finding() -> None:
    (chart,) = process_charts(
        [("b", {"asr_ohm_cm2": 1.0, "finding": {"arc": "R7", "reading": "asr", "limit": 3.0}})]
    )
    assert (chart.arc, chart.limit) == ("R7", 3.0)


def test_each_process_has_a_panel_of_its_own_with_its_name_and_its_limit() -> None:
    charts = process_charts([("b", end(1.0)), ("b", end(2.0, arc="R1"))])
    panels = plot_process_charts(charts).axes
    assert [ax.get_title(loc="left") for ax in panels] == ["R·A of R2 at b", "R·A of R1 at b"]
    assert all("limit of the spec" in [line.get_label() for line in ax.lines] for ax in panels)
    assert len(plot_process_charts(()).axes) == 1


def test_more_charts_than_a_page_holds_are_refused_in_words() -> None:
    charts = process_charts([(f"bench-{i}", end(1.0)) for i in range(MOST_CHARTS + 1)])
    with pytest.raises(ConfigError, match="--station"):
        plot_process_charts(charts)


def test_the_command_says_which_chart_is_of_what(tmp_path: Path) -> None:
    place = tmp_path / "s.db"
    for name, value in (("bench-3", 10.0), ("bench-4", 30.0)):
        with Store.open(place, station=name) as store:
            for i in range(FEWEST):
                store.append("ended", run=f"{name}-{i}", content=end(value * (1 + 0.01 * (-1) ** i)))
    shown = run_eis("history", place, "--chart", tmp_path / "chart.png").stdout
    assert "control chart of R·A of R2 at bench-3: 8 values, mean 9.999" in shown
    assert "control chart of R·A of R2 at bench-4: 8 values, mean 30" in shown
    assert (tmp_path / "chart.png").stat().st_size > 0
    document = json.loads(run_eis("history", place, "--station", "bench-4", "--json").stdout)
    assert [one["in_control"] for one in document["control_charts"]] == [True]
    assert [(row["station"], row["arc"], row["number"]) for row in document["results"]] == [
        ("bench-4", "R2", i + 1) for i in range(FEWEST)
    ]
