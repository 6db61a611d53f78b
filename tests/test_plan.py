"""A plan drops no point, keeps away from mains, foretells the duration, and has one digest for one measurement."""

import contextlib
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eis.errors import ConfigError
from eis.spectrum import Spectrum
from instruments.drift import drift_of
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.inprocess import library
from instruments.emulated.lcr import EmulatedLcr
from instruments.journal import plan_hash
from instruments.lcr import LcrBridge
from instruments.plan import Band, Mains, Plan, format_duration
from instruments.planned import sweep_from
from instruments.potentiostat import Sweep

SWEEP = Sweep(1e6, 0.1, 10, 0.01)
EVEN = {"mains": Mains(lines_hz=()), "bands": (Band(0, 3, 0.5),), "least_s": 0.05}


@pytest.mark.parametrize(("stop_hz", "n", "seconds"), [(1, 61, 19), (0.1, 71, 172), (0.01, 81, 28.4 * 60)])
def test_the_duration_is_the_published_one_for_three_and_a_half_cycles(stop_hz, n, seconds):
    plan = Plan.of(Sweep(1e6, stop_hz, 10, 0.01), **EVEN)
    assert len(plan.steps) == n
    assert plan.duration_s == pytest.approx(seconds, rel=0.005)


def test_the_overhead_of_the_instrument_is_added_to_each_point():
    bare = Plan.of(SWEEP, **EVEN)
    assert Plan.of(SWEEP, **EVEN, overhead_s=0.2).duration_s == pytest.approx(bare.duration_s + 71 * 0.2)
    slow_at_low = Plan.of(SWEEP, **EVEN, overhead_s=lambda frequency: 1.0 if frequency < 1 else 0.0)
    assert slow_at_low.duration_s == pytest.approx(bare.duration_s + 10)


def test_the_decades_add_up_to_the_whole():
    plan = Plan.of(SWEEP)
    decades = plan.duration_by_decade_s()
    assert [low for low, _ in decades] == pytest.approx([1e6, 1e5, 1e4, 1e3, 100, 10, 1, 0.1])
    assert sum(seconds for _, seconds in decades) == pytest.approx(plan.duration_s)


@settings(max_examples=120, deadline=None)
@given(
    high=st.floats(0.5, 6.5),
    decades=st.one_of(st.just(0.0), st.floats(1e-3, 7)),
    per_decade=st.sampled_from([1, 3, 7, 10, 20, 50]),
    distance=st.sampled_from([0.001, 0.01, 0.03]),
    lines=st.sampled_from([(50.0,), (60.0,), (50.0, 60.0)]),
)
def test_no_point_is_dropped_or_swapped_and_none_stays_near_mains_if_there_is_room(
    high, decades, per_decade, distance, lines
):
    sweep = Sweep(10**high, 10 ** (high - decades), per_decade, 0.01)
    plan = Plan.of(sweep, mains=Mains(lines, distance=distance))
    f = plan.frequencies_hz
    assert f.size == sweep.n_points
    assert np.all(np.diff(f) < 0)
    assert np.all((f >= sweep.stop_hz * (1 - 1e-8)) & (f <= sweep.start_hz * (1 + 1e-8)))
    away = [np.abs(f / line - 1).min() for line in plan.mains.all_hz]
    if not plan.exposed:
        assert min(away) >= distance * (1 - 1e-6)
    if distance == 0.01 and decades > 2:
        assert not plan.exposed
    touched = [frequency for frequency in sweep.frequencies_hz if plan.mains.touches(frequency)]
    assert len(plan.moved) <= 3 * len(touched)  # a point may change places with a neighbour
    if not touched:
        np.testing.assert_allclose(f, sweep.frequencies_hz, rtol=1e-8)


def test_a_point_on_mains_moves_to_the_nearer_edge_and_a_sweep_of_one_point_says_that_it_cannot():
    plan = Plan.of(Sweep(5e4, 0.5, 1, 0.01), mains=Mains((50.0,), distance=0.01))
    assert [(step.grid_hz, step.frequency_hz) for step in plan.moved] == [(500, 505), (50, 50.5)]
    alone = Plan.of(Sweep(50, 50, 1, 0.01))
    assert alone.frequencies_hz.tolist() == [50.0]
    assert [step.frequency_hz for step in alone.exposed] == [50.0]
    assert "no free place: 50 Hz" in alone.describe()


def test_a_point_beside_mains_is_measured_until_the_two_can_be_told_apart():
    plan = Plan.of(SWEEP)
    for step in plan.steps:
        distance = abs(plan.mains.nearest_hz(step.frequency_hz) - step.frequency_hz)
        assert step.cycles / step.frequency_hz >= 2 / distance * (1 - 1e-9)
    assert all(step.cycles < 10 for step in Plan.of(SWEEP, mains=Mains(())).steps if step.frequency_hz < 40)


def test_each_band_has_its_cycles_and_a_point_fills_the_least_time():
    plan = Plan.of(Sweep(1e3, 0.01, 1, 0.01), mains=Mains(()), bands=[Band(0, 2, 0), Band(1, 4, 1)], least_s=0.1)
    cycles = [(round(step.frequency_hz, 6), step.cycles) for step in plan.steps]
    assert cycles == [(1000, 99), (100, 9), (10, 4), (1, 4), (0.1, 2), (0.01, 2)]
    assert plan.steps[0].duration_s == pytest.approx(0.1)
    assert plan.steps[3].settle_s == 1


def test_the_beginning_can_be_measured_again_at_the_end():
    assert [s.frequency_hz for s in Plan.of(SWEEP, repeat_decades=0).steps if s.repeat] == [1e6]
    plan = Plan.of(SWEEP, repeat_decades=1)
    again = [step.frequency_hz for step in plan.steps if step.repeat]
    assert again == [step.frequency_hz for step in plan.steps[:11]]
    assert "the first 11 points again at the end" in plan.describe()


def test_a_digest_is_the_same_in_another_process_and_for_another_overhead():
    code = (
        "from instruments.plan import Plan; from instruments.potentiostat import Sweep; "
        "print(Plan.of(Sweep(1e6, 0.1, 10, 0.01)).digest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    digest = Plan.of(SWEEP, overhead_s=3.0).digest()
    assert other.stdout.strip() == digest
    assert digest.startswith("e99acac37b14")  # a plan stored by an earlier version must stay valid


@pytest.mark.parametrize(
    "change",
    [
        {"amplitude_v": 0.011},
        {"dc_v": 0.1},
        {"start_hz": 0.99e6},
        {"points_per_decade": 11},
        {"amplitude_v": 0.0, "amplitude_a": 0.01},
    ],
)
def test_a_digest_changes_with_whatever_is_measured(change):
    assert Plan.of(dataclasses.replace(SWEEP, **change)).digest() != Plan.of(SWEEP).digest()


@pytest.mark.parametrize("change", [{"mains": Mains((50.0,))}, {"least_s": 0.2}, {"repeat_decades": 0}])
def test_a_digest_changes_with_how_it_is_measured(change):
    assert Plan.of(SWEEP, **change).digest() != Plan.of(SWEEP).digest()


def test_a_plan_is_plain_json():
    plan = Plan.of(SWEEP, repeat_decades=0)
    stored = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert stored["digest"] == plan.digest()
    assert [step["frequency_hz"] for step in stored["steps"]] == plan.frequencies_hz.tolist()


def test_the_description_says_what_and_how_long():
    text = Plan.of(SWEEP, repeat_decades=1).describe()
    assert text.startswith("71 points from 1 MHz to 100 mHz, 10 per decade; 10 mV rms around 0 V DC")
    assert "It will take 3 min 6 s:" in text
    assert "50.119 → 50.5 Hz" in text
    tables = [" ".join(line.split()) for line in text.splitlines()]
    assert "1 MHz 1 point 0.1 s 99 999 cycles each" in tables
    assert "990 Hz to 101 Hz 11 points 6.0 s 38 to 202 cycles each" in tables  # as measured, moved points too
    current = Plan.of(Sweep(1e4, 1, 10, amplitude_a=0.05, dc_a=1e-3)).describe()
    assert "50 mA rms around 1 mA DC" in current
    assert "and 23 more" in Plan.of(Sweep(2e3, 10, 100, 0.01)).describe()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (2.44, "2.4 s"),
        (59.99, "1 min"),
        (190, "3 min 10 s"),
        (3599.6, "1 h"),
        (4321, "1 h 12 min"),
    ],
)
def test_a_duration_is_printed_as_people_say_it(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bands": [Band(1, 3, 0)]}, r"no band reaches down to 0.1 Hz"),
        ({"bands": [Band(0, 0, 0)]}, r"has 0 cycles"),
        ({"bands": [Band(0, 1, float("nan"))]}, r"nan to settle"),
        ({"least_s": -1.0}, r"least_s is -1.0"),
        ({"repeat_decades": -1.0}, r"repeat_decades is -1.0"),
    ],
)
def test_a_wrong_plan_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Plan.of(SWEEP, **wrong)


def test_wrong_mains_are_refused_with_every_fault():
    with pytest.raises(
        ConfigError, match=r"(?s)lines_hz holds -50.*distance is 0.5.*harmonics is 0.*resolve is nan"
    ):
        Mains((-50.0,), harmonics=0, distance=0.5, resolve=float("nan"))


def test_an_instrument_that_is_led_from_point_to_point_measures_exactly_the_plan():
    plan = Plan.of(Sweep(1e5, 20, 5, 0.01), repeat_decades=0.5)
    planned = plan.as_sweep()
    bridge = EmulatedLcr(SYMMETRIC, clock=FastClock())
    with (
        library().serve(bridge, "planned", resource="GPIB0::17::INSTR") as served,
        LcrBridge.open(served.resource, backend=served.backend, cell="symmetric") as meter,
    ):
        points = list(meter.sweep(planned))
    assert [point.frequency_set_hz for point in points] == plan.frequencies_hz.tolist()
    assert planned.n_points == len(points) == 22
    assert planned.predicted_duration_s == pytest.approx(plan.duration_s)
    assert drift_of(points).verdict == "stable"
    spectrum = Spectrum.of([point.frequency_hz for point in points], [point.z_ohm for point in points])
    assert len(spectrum) == 19  # repeated points are flagged and kept


def test_a_planned_sweep_can_be_stored_read_back_and_gone_on_with():
    planned = Plan.of(SWEEP, repeat_decades=0).as_sweep()
    again = sweep_from(json.loads(json.dumps(planned.to_dict(), allow_nan=False)))
    assert again == planned != SWEEP
    assert sweep_from(SWEEP.to_dict()) == SWEEP
    rest = again.after(30)
    assert rest.frequencies_hz.tolist() == planned.frequencies_hz[30:].tolist()
    assert 0 < rest.predicted_duration_s < planned.predicted_duration_s
    with pytest.raises(ConfigError, match=r"0 planned frequencies"):
        again.after(72)


def test_cycles_and_settling_of_a_plan_reach_whoever_measures_a_point_also_where_nothing_was_moved():
    plan = Plan.of(SWEEP, mains=Mains(()), repeat_decades=0.5)
    planned = plan.as_sweep()
    assert not plan.moved
    for step in plan.steps:  # those repeated included
        assert planned.integration_cycles(step.frequency_hz) == step.cycles
        assert planned.settle_s(step.frequency_hz) == step.settle_s
        assert planned.predicted_point_s(step.frequency_hz) == step.duration_s
    rest = planned.after(30)
    assert rest.integration_cycles(plan.steps[30].frequency_hz) == plan.steps[30].cycles
    assert rest.settle_s(plan.steps[-1].frequency_hz) == plan.steps[-1].settle_s
    assert len(rest.planned_cycles) == len(rest.planned_settle_s) == rest.n_points
    slow = SWEEP.predicted_point_s(0.2)
    for unplanned in (SWEEP, planned):
        assert unplanned.integration_cycles(0.2) is None
        assert unplanned.settle_s(0.2) == 0.0
        assert unplanned.predicted_point_s(0.2) == slow == pytest.approx(0.1 + 2 / 0.2)


@pytest.mark.parametrize("name", ["planned_cycles", "planned_settle_s"])
def test_a_plan_says_the_cycles_and_the_settling_of_every_point_or_of_none(name):
    planned = Plan.of(SWEEP).as_sweep()
    with pytest.raises(ConfigError, match=r"Plan\.as_sweep"):
        dataclasses.replace(planned, **{name: getattr(planned, name)[1:]})
    assert dataclasses.replace(planned, **{name: ()}).n_points == planned.n_points


def test_a_sweep_stored_before_cycles_were_planned_leaves_them_to_the_driver_and_has_the_hash_it_had():
    stored = Plan.of(SWEEP).as_sweep().to_dict()
    assert {"planned_cycles", "planned_settle_s"} <= stored.keys()
    before = {
        name: value for name, value in stored.items() if name in ("planned_hz", "planned_s")
    } | SWEEP.to_dict()
    sweep = sweep_from(before)
    assert {sweep.integration_cycles(frequency) for frequency in stored["planned_hz"]} == {None}
    assert {sweep.settle_s(frequency) for frequency in stored["planned_hz"]} == {0.0}
    assert sweep.to_dict() == before
    assert plan_hash(sweep, "lcr", {}) != plan_hash(sweep_from(stored), "lcr", {})
    assert sweep.after(3).n_points == sweep.n_points - 3


def test_an_instrument_with_a_pace_of_its_own_is_promised_no_cycles_and_told_none():
    paced, own = Plan.of(SWEEP, repeat_decades=0), Plan.of(SWEEP, repeat_decades=0, is_paced=False)
    assert "cycles each" in paced.describe()
    assert "cycles" not in own.describe()
    assert "It will take about 3 min 5 s, for the instrument has its own pace:" in own.describe()
    assert "cycles" not in Plan.native(SWEEP).describe()
    assert own.as_sweep().frequencies_hz.tolist() == paced.as_sweep().frequencies_hz.tolist()
    assert own.as_sweep().integration_cycles(1e6) is None
    assert own.as_sweep().settle_s(1e6) == paced.as_sweep().settle_s(1e6) == 1e-6
    assert (own.to_dict()["is_paced"], paced.to_dict()["is_paced"]) == (False, True)
    assert own.digest() == paced.digest()


def test_an_instrument_with_a_grid_of_its_own_gets_the_plain_sweep():
    plan = Plan.native(SWEEP)
    assert plan.as_sweep() is SWEEP
    assert plan.duration_s == pytest.approx(SWEEP.predicted_duration_s)


GUIDE = Path(__file__).parents[1] / "docs" / "measuring.md"
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", GUIDE.read_text("utf-8"), flags=re.DOTALL)


def test_the_guide_to_measuring_runs_and_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for code, shown in BLOCKS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, GUIDE.name, "exec"), namespace)  # noqa: S102
        assert printed.getvalue() == shown
