"""A cell is at rest only when its drift is known to be small; drift in a sweep is seen, or said to be unknown."""

import json
import math

import numpy as np
import pytest

from eis.errors import ConfigError, LinkError
from eis.spectrum import Quality
from instruments.drift import drift_between, drift_of
from instruments.potentiostat import Point
from instruments.settling import drift_limit_v_per_s, settle, slope_of
from tests.thorough import number

MV_PER_MIN = 1e-3 / 60


class Bench:
    """A clock that only moves when somebody waits, and a voltmeter at a cell that relaxes."""

    def __init__(self, *, away_v=0.02, tau_s=600.0, noise_v=20e-6, step_v=0.0, lost=0.0, wild=0.0, seed=0):
        self.time_s, self.rng = 0.0, np.random.default_rng(seed)
        self.away_v, self.tau_s, self.noise_v, self.step_v = away_v, tau_s, noise_v, step_v
        self.lost, self.wild = lost, wild

    def now(self):
        return self.time_s

    def sleep(self, seconds):
        self.time_s += seconds

    def drift_v_per_s(self, at_s):
        return self.away_v / self.tau_s * math.exp(-at_s / self.tau_s)

    def read(self):
        draw = self.rng.random()
        if draw < self.lost:
            return math.nan
        noise = self.noise_v * self.rng.standard_normal()
        value = 3.7 - self.away_v * math.exp(-self.time_s / self.tau_s) + noise
        value += 0.5 if draw > 1 - self.wild else 0.0
        return round(value / self.step_v) * self.step_v if self.step_v else value

    def settle(self, limit=0.1 * MV_PER_MIN, allowed_s=7200.0, **more):
        return settle(self.read, limit_v_per_s=limit, allowed_s=allowed_s, now=self.now, sleep=self.sleep, **more)


@pytest.mark.parametrize(
    ("amplitude_v", "sweep_s", "stop_hz", "limit"),
    [
        (0.01, 1704, 0.01, 0.1 * 0.01 / 1704),
        (0.01, 172, 0.1, 0.1 * MV_PER_MIN),
        (0.01, 12240, 0.001, 0.1 * 0.01 / 12240),
        (0.1, 3000, 0.005, 0.05 * MV_PER_MIN),
    ],
)
def test_the_drift_allowed_is_a_tenth_of_the_excitation_per_sweep_or_less(amplitude_v, sweep_s, stop_hz, limit):
    assert drift_limit_v_per_s(amplitude_v, sweep_s, stop_hz=stop_hz) == pytest.approx(limit)


@pytest.mark.parametrize("wrong", [(0.0, 100.0), (0.01, math.inf), (math.nan, 100.0)])
def test_a_drift_limit_needs_an_excitation_and_a_duration(wrong):
    with pytest.raises(ConfigError, match=r"allow no drift"):
        drift_limit_v_per_s(*wrong)


@pytest.mark.parametrize("conditions", [{}, {"step_v": 1e-4}, {"lost": 0.2}, {"wild": 0.05}, {"noise_v": 1e-4}])
def test_a_relaxing_cell_settles_when_its_drift_is_really_below_the_limit(conditions):
    for seed in range(number(1, thorough=4)):
        bench = Bench(seed=seed, **conditions)
        found = bench.settle()
        assert found.settled, found
        assert bench.drift_v_per_s(found.waited_s) < 0.1 * MV_PER_MIN * 1.05
        assert found.waited_s < 2400  # the drift is below the limit from 1798 s on


def test_a_cell_that_goes_on_drifting_is_not_settled_and_the_words_have_the_numbers():
    found = Bench(away_v=1.0, tau_s=1e5).settle(allowed_s=900)
    assert found.verdict == "drifting"
    assert not found.settled
    assert found.waited_s == pytest.approx(900, abs=1)
    assert found.slope_v_per_s == pytest.approx(1e-5, rel=0.02)
    assert "After 15 min at 2.708 V the voltage drifts by +0.59" in found.because
    assert "0.1 mV/min is allowed: the cell is not at rest" in found.because


def test_noise_is_not_taken_for_rest():
    found = Bench(noise_v=5e-3).settle(allowed_s=900)
    assert found.verdict == "cannot tell"
    assert "scatters too much" in found.because


def test_a_voltmeter_that_answers_nothing_is_no_rest_either():
    found = Bench(lost=1.0).settle(allowed_s=200)
    assert found.verdict == "cannot tell"
    assert found.n_lost == found.n_readings == 201
    assert "too few readings" in found.because
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["voltage_v"] is None


def test_a_resting_cell_is_watched_for_the_least_time():
    assert Bench(away_v=0.0).settle(least_s=300.0).waited_s == pytest.approx(300)
    assert Bench(away_v=0.0).settle(least_s=0.0).waited_s < 120


def test_an_error_of_the_voltmeter_ends_the_watching():
    def broken():
        raise LinkError("gone", mend="plug it in")

    bench = Bench()
    with pytest.raises(LinkError):
        settle(broken, limit_v_per_s=1e-6, allowed_s=60, least_s=0, now=bench.now, sleep=bench.sleep)


def test_every_reading_is_told():
    told = []
    Bench(away_v=0.0).settle(on_reading=lambda waited, voltage, slope: told.append((waited, voltage, slope.n)))
    assert len(told) == 121
    assert told[0] == (0.0, pytest.approx(3.7, abs=1e-3), 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limit": 0.0}, r"limit_v_per_s is 0.0"),
        ({"allowed_s": math.inf}, r"allowed_s is inf"),
        ({"every_s": 60.0}, r"10 readings every 60 s do not fit"),
        ({"least_s": 1e9}, r"least_s is"),
    ],
)
def test_a_watching_that_cannot_work_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Bench().settle(**wrong)


def test_the_slope_s_uncertainty_is_the_scatter_of_slopes():
    t, z = np.arange(120.0), []
    for seed in range(number(200, thorough=400)):
        found = slope_of(t, 1e-6 * t + 1e-4 * np.random.default_rng(seed).standard_normal(120))
        z.append((found.v_per_s - 1e-6) / found.u_v_per_s)
    assert abs(np.mean(z)) < 0.2
    assert np.std(z) == pytest.approx(1, abs=0.15)


def test_a_coarse_voltmeter_cannot_show_a_drift_of_exactly_nothing():
    t = np.arange(120.0)
    v = np.full(120, 3.7)
    assert slope_of(t, v).u_v_per_s == 0
    assert slope_of(t, v, resolution_v=1e-3).u_v_per_s > 1e-7
    v[60:] += 1e-3
    assert slope_of(t, v).u_v_per_s > 1e-7


def test_a_long_record_gives_the_slope_too():
    t = np.arange(20_000.0)
    found = slope_of(t, 3 + 1e-7 * t + 1e-5 * np.random.default_rng(0).standard_normal(t.size))
    assert abs(found.v_per_s - 1e-7) < 4 * found.u_v_per_s < 1e-9


def points(first, again, quality=Quality.OK, frequency=1e5):
    z = [first, 30 - 5j, again]
    return [
        Point(i, f, f, one, flag, "", 0.01, 60.0 * i, "")
        for i, (f, one, flag) in enumerate(
            zip((frequency, 1e3, frequency), z, (Quality.OK, Quality.OK, quality), strict=True)
        )
    ]


@pytest.mark.parametrize(
    ("factor", "u_relative", "verdict"),
    [(1.001, None, "stable"), (1.02, None, "drifted"), (1.02, 1e-3, "drifted"), (1.004, 1e-3, "cannot tell")],
)
def test_drift_is_what_a_repeated_point_shows_beyond_noise(factor, u_relative, verdict):
    found = drift_of(points(20 - 2j, (20 - 2j) * factor), u_relative=u_relative)
    assert found.verdict == verdict
    assert found.relative == pytest.approx(factor - 1)
    assert found.apart_s == 120
    assert "at 100 kHz after 2 min" in found.because


def test_drift_is_unknown_if_nothing_was_measured_well_twice():
    for known in (points(20, 21)[:2], points(20, 21, Quality.OVERLOAD), points(20, complex(math.nan, 0))):
        found = drift_of(known)
        assert found.verdict == "cannot tell"
        assert "not known" in found.because
        assert found.to_dict()["relative"] is None


def test_the_median_of_a_repeated_decade_is_judged_so_that_one_stray_point_does_no_harm():
    f, z = np.geomspace(1e6, 1e5, 11), np.full(11, 20 - 3j)
    again = z * 1.002
    again[4] *= 1.5
    found = drift_between(f, z, again)
    assert found.verdict == "stable"
    assert max(found.change) > 0.4
    assert "(median of 11 frequencies)" in found.because
