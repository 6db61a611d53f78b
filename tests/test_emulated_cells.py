"""Cells that drift, saturate or are not linear: the instruments find what was put in, and say so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from eis.errors import ConfigError
from eis.spectrum import EXCLUDING, Quality
from instruments import Potentiostat, Sweep, connect
from instruments.connect import DRIVERS
from instruments.drift import drift_between, drift_of
from instruments.emulated.cells import CURRENT_SOURCE_OHM, DRIFTING, NONLINEAR, SYMMETRIC, EmulatedCell
from instruments.emulated.device import Device
from instruments.emulated.faults import Faults
from instruments.emulated.models import MODELS
from instruments.linearity import compare_amplitudes
from instruments.plan import Plan
from instruments.settling import drift_limit_v_per_s, settle

THERMAL_V = 8.31446261815324 * 298.15 / 96485.33212
THETA = np.arange(4096) * 2 * np.pi / 4096
EVERY_RESISTANCE = ("R0", "R1", "R2")
Start = Callable[..., Potentiostat]


def first_harmonic(wave):
    """Return the amplitude of cos θ in a wave over one period."""
    return 2 * float(np.mean(wave * np.cos(THETA)))


def resistance_at(peak_v: float, r_ohm: float) -> float:
    """Return V over the first harmonic of 2 i₀ sinh(F v / 2RT), whose slope at rest is 1 / `r_ohm`."""
    x = peak_v / (2 * THERMAL_V)
    return r_ohm if x < 1e-6 else r_ohm * x / first_harmonic(np.sinh(x * np.cos(THETA)))


def ladder(frequency_hz, truth, growth=1.0, grow=EVERY_RESISTANCE, r2_ohm=None):
    """Return Z (ohm) of L, R, and two resistors with a CPE each, and what lies across the second of these."""
    jw = 2j * np.pi * np.asarray(frequency_hz, dtype=float)
    r0, r1, r2 = (truth[name] * (growth if name in grow else 1.0) for name in EVERY_RESISTANCE)
    r2 = r2 if r2_ohm is None else r2_ohm
    arc1 = r1 / (1 + r1 * truth["CPE1_0"] * jw ** truth["CPE1_1"])
    arc2 = r2 / (1 + r2 * truth["CPE2_0"] * jw ** truth["CPE2_1"])
    return jw * truth["L0"] + r0 + arc1 + arc2, arc2


def driven(frequency_hz: float, amplitude_v: float, source_ohm: float = 0.0, cell: EmulatedCell = NONLINEAR):
    """Return Z (ohm) when two equal interfaces share what of the excitation falls across the second arc."""

    def excess(r_ohm: float) -> float:
        z, arc = ladder(frequency_hz, cell.truth, r2_ohm=r_ohm)
        peak_v = math.sqrt(2) * amplitude_v * float(abs(arc / (z + source_ohm))) / 2
        return r_ohm - resistance_at(peak_v, cell.truth["R2"])

    r_ohm = brentq(excess, 1e-6, cell.truth["R2"])
    return complex(ladder(frequency_hz, cell.truth, r2_ohm=r_ohm)[0])


def clipped_share(peak_a: float, most_a: float) -> float:
    """Return what share of its first harmonic a clipped sine keeps."""
    return first_harmonic(np.clip(peak_a * np.cos(THETA), -most_a, most_a)) / peak_a


@dataclass(frozen=True)
class Bench:
    """An instrument that knows its excitation: what is between that and the cell, how it flags a saturated point.

    `digits` is the relative rounding of its answers; `remeasures` whether its driver can ask again.
    """

    source_ohm: float
    flag: Quality
    options: dict[str, Any] = field(default_factory=dict)
    digits: float = 2e-5
    has_value: bool = True
    remeasures: bool = True


BENCHES = {
    "nexus1": Bench(0.0, Quality.OVERLOAD, remeasures=False),
    "e4980a": Bench(100.0, Quality.SOURCE_LIMIT, {"cell": "symmetric"}),
    "1260": Bench(0.0, Quality.UNKNOWN_CODE, {"gap_s": 0.0}, digits=2e-4),
    "e4990a": Bench(0.0, Quality.OVERLOAD, {"cell": "symmetric"}, has_value=False),
}


@pytest.fixture(params=BENCHES)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(serve) -> Start:  # type: ignore[no-untyped-def]
    """Connect to an emulated instrument, made by the name of its model, through the real PyVISA."""

    def begin(device: Device, name: str, transport: str = "in-process", **options: Any) -> Potentiostat:
        served = serve(device, transport)
        driver = next(one for one in DRIVERS if one.name == MODELS[name].driver)
        return driver.open(served.resource, backend=served.backend, **BENCHES[name].options, **options)

    return begin


# --- what cannot be


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"drift_per_hour": 0.1, "drifting": ("R9",)}, "R9: no resistance"),
        ({"drift_per_hour": 0.1, "drifting": ("R0", "CPE1_0")}, "CPE1_0: no resistance"),
        ({"follows_butler_volmer": True, "interface": "CPE2_1"}, "CPE2_1: no resistance"),
        ({"max_current_a": 0.0}, "max_current_a is 0.0"),
        ({"max_current_a": math.nan}, "max_current_a is nan"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(SYMMETRIC, **wrong)


# --- drift


@pytest.mark.parametrize("grow", [EVERY_RESISTANCE, ("R2",), ("R0", "R1")])
@pytest.mark.parametrize("time_s", [0.0, 90.0, 7200.0])
def test_resistances_grow_by_a_fraction_per_hour_and_nothing_else_does(
    grow: tuple[str, ...], time_s: float
) -> None:
    named = () if grow == EVERY_RESISTANCE else grow
    cell = replace(SYMMETRIC, drift_per_hour=0.3, drifting=named)
    f = np.geomspace(1e6, 0.1, 15)
    expected, _ = ladder(f, SYMMETRIC.truth, 1 + 0.3 * time_s / 3600, grow)
    assert cell.impedance(f, time_s) == pytest.approx(expected, rel=1e-12)


def repeated(device: Device, meter: Potentiostat, sweep: Sweep):  # type: ignore[no-untyped-def]
    """Return the points of a sweep, and the device's time (s) as each arrived."""
    points, times = [], []
    for point in meter.sweep(sweep):
        points.append(point)
        times.append(device.clock.now())
    return points, np.array(times)


SLOW = Plan.of(Sweep(1e5, 0.1, 5, 0.01), repeat_decades=1).as_sweep()
"""Minutes of the instrument's time; the first decade is measured again at the end."""


@pytest.mark.parametrize("transport", ["in-process", "tcp"])
@pytest.mark.parametrize(
    ("per_hour", "verdict"), [(1.0, "drifted"), (-0.4, "drifted"), (0.05, "stable"), (0.0, "stable")]
)
def test_frequencies_measured_again_show_the_drift_that_was_put_in(
    start: Start, transport: str, per_hour: float, verdict: str
) -> None:
    device = MODELS["1260"].make(replace(SYMMETRIC, drift_per_hour=per_hour), noise=1e-4)
    switched_on = device.clock.now()
    with start(device, "1260", transport) as meter:
        points, times = repeated(device, meter, SLOW)
    found = drift_of(points, u_relative=1e-4)
    f = np.array([point.frequency_set_hz for point in points])
    n = len(found.frequency_hz)
    assert f[-n:].tolist() == f[:n].tolist() == list(found.frequency_hz)
    before, after = (
        np.array([
            ladder(one, SYMMETRIC.truth, 1 + per_hour * (at - switched_on) / 3600)[0]
            for one, at in zip(f[:n], arrived, strict=True)
        ])
        for arrived in (times[:n], times[-n:])
    )  # fmt: skip
    expected = float(np.median(np.abs(after / before - 1)))
    assert times[-1] - times[0] > 60
    assert found.verdict == verdict
    assert found.relative == pytest.approx(expected, abs=4 * found.u_relative + 5e-5)


def test_an_interface_that_drifts_is_not_seen_where_only_bulk_is_measured_again(start: Start) -> None:
    device = MODELS["1260"].make(replace(SYMMETRIC, drift_per_hour=1.0, drifting=("R2",)), noise=1e-4)
    with start(device, "1260") as meter:
        points = list(meter.sweep(SLOW))
        later = list(meter.sweep(SLOW))
    assert drift_of(points, u_relative=1e-4).verdict == "stable"
    slow = [(one, two) for one, two in zip(points, later, strict=True) if one.frequency_set_hz < 10]
    whole = drift_between(
        [one.frequency_set_hz for one, _ in slow], [one.z_ohm for one, _ in slow], [two.z_ohm for _, two in slow]
    )
    assert whole.verdict == "drifted"


def test_two_sweeps_of_the_drifting_cell_differ_by_its_documented_growth() -> None:
    sweep = Sweep.parse("1e6:0.1:10", amplitude_v=0.01)
    with connect("sim::drifting-cell") as meter:
        first, again = meter.sweep_spectrum(sweep), meter.sweep_spectrum(sweep)
    f = np.geomspace(1e6, 0.1, 71)
    seconds = 0.01 + 2 / f  # what a point takes this emulator
    begun = np.cumsum(seconds) - seconds
    before, after = (
        np.array([ladder(one, SYMMETRIC.truth, 1 + 0.5 * at / 3600)[0] for one, at in zip(f, times, strict=True)])
        for times in (begun, begun + seconds.sum())
    )
    found, expected = again.z_ohm / first.z_ohm - 1, after / before - 1
    low = f < 10
    assert expected[low].real.mean() == pytest.approx(0.0134, rel=0.05)  # 0.5/h · 97 s
    assert found[low].mean() == pytest.approx(expected[low].mean(), abs=4 * 2e-3 / math.sqrt(low.sum()))
    assert drift_between(f, first.z_ohm, again.z_ohm).verdict == "drifted"


def test_the_voltage_at_rest_of_the_drifting_cell_never_settles(start: Start) -> None:
    device = MODELS["nexus1"].make(DRIFTING)
    clock = device.clock

    def pause(seconds: float) -> None:
        clock.seconds_until(clock.now() + seconds)

    with start(device, "nexus1") as meter:
        found = settle(
            lambda: meter.ocv(0.5),
            limit_v_per_s=drift_limit_v_per_s(0.01, 60.0),
            allowed_s=150.0,
            every_s=2.0,
            now=clock.now,
            sleep=pause,
        )
    assert found.verdict == "drifting"
    assert found.slope_v_per_s == pytest.approx(5e-6, abs=4 * found.u_slope_v_per_s)
    assert not device.cell_is_on


@pytest.mark.parametrize("name", ["nexus1", "bt4560"])
def test_the_voltage_at_rest_follows_the_clock_of_the_instrument(name: str, serve) -> None:  # type: ignore[no-untyped-def]
    device = MODELS[name].make(replace(DRIFTING, ocv_v=3.7, ocv_drift_v_per_s=-1e-5))
    served = serve(device)
    with connect(served.resource, driver=MODELS[name].driver, backend=served.backend) as meter:
        early = meter.ocv(0.01)
        device.clock.seconds_until(device.clock.now() + 3600)
        assert early - meter.ocv(0.01) == pytest.approx(0.036, abs=5e-4)
    assert early == pytest.approx(3.7, abs=1e-3)


# --- an interface that follows Butler and Volmer


@pytest.mark.parametrize("peak_v", [1e-3, 0.01, 0.1, 0.5])
def test_an_interface_alone_has_the_first_harmonic_of_a_hyperbolic_sine(peak_v: float) -> None:
    cell = EmulatedCell("", "p(R1,C1)", (20.0, 1e-5), 1.0, 1, "half", "R1", follows_butler_volmer=True)
    f = np.array([1e4, 100.0, 0.01])
    expected = 1 / (1 / resistance_at(peak_v, 20.0) + 2j * np.pi * f * 1e-5)
    assert cell.impedance(f, 0.0, peak_v / math.sqrt(2)) == pytest.approx(expected, rel=1e-9)


def test_with_a_resistor_before_it_it_answers_as_its_differential_equation_does() -> None:
    r_ohm, c_f, series_ohm, peak_v, f = 20.0, 1e-4, 5.0, 0.12, 40.0
    cell = EmulatedCell(
        "", "R0-p(R1,C1)", (series_ohm, r_ohm, c_f), 1.0, 1, "half", "R1", follows_butler_volmer=True
    )
    i0 = THERMAL_V / r_ohm  # 2 i₀ sinh(v / 2V_T) has the slope i₀ / V_T at rest

    def slope(t, v):  # type: ignore[no-untyped-def]
        applied = peak_v * np.cos(2 * np.pi * f * t)
        return ((applied - v) / series_ohm - 2 * i0 * np.sinh(v / (2 * THERMAL_V))) / c_f

    t = (THETA / (2 * np.pi) + 20) / f  # after twenty periods
    v = solve_ivp(slope, (0, 21 / f), [0.0], t_eval=t, rtol=1e-8, atol=1e-10, method="LSODA").y[0]
    current = (peak_v * np.cos(THETA) - v) / series_ohm
    z = peak_v / complex(2 * np.mean(current * np.exp(-1j * THETA)))
    found = complex(cell.impedance(f, 0.0, peak_v / math.sqrt(2))[0])
    assert abs(z / complex(cell.impedance(f)[0]) - 1) > 0.1
    assert found == pytest.approx(z, rel=0.01)


@pytest.mark.parametrize("amplitude_v", [0.005, 0.1, 0.3])
def test_every_instrument_drives_it_as_hard_as_it_says(start: Start, model: str, amplitude_v: float) -> None:
    bench = BENCHES[model]
    with start(MODELS[model].make(NONLINEAR, noise=0.0), model) as meter:
        points = list(meter.sweep(Sweep(1e4, 20.0, 2, amplitude_v)))
    assert len(points) >= 6
    for point in points:
        expected = driven(point.frequency_hz, amplitude_v, bench.source_ohm)
        assert abs(point.z_ohm - expected) < bench.digits * abs(expected)


def test_a_current_drives_it_too(start: Start) -> None:
    with start(MODELS["nexus1"].make(NONLINEAR, noise=0.0), "nexus1") as meter:
        points = list(meter.sweep(Sweep(1e4, 1.0, 2, amplitude_a=5e-4)))
    for point in points:
        expected = driven(point.frequency_hz, 5e-4 * CURRENT_SOURCE_OHM, CURRENT_SOURCE_OHM)
        assert point.z_ohm == pytest.approx(expected, rel=2e-5)
    assert abs(points[-1].z_ohm) < 0.9 * abs(ladder(1.0, NONLINEAR.truth)[0])


@pytest.mark.parametrize(("amplitude_v", "verdict"), [(0.1, "not linear"), (0.005, "linear")])
def test_two_amplitudes_tell_the_truth_about_the_nonlinear_cell(amplitude_v: float, verdict: str) -> None:
    sweep = Sweep.parse("1e6:0.1:10", amplitude_v=amplitude_v)
    with connect("sim::nonlinear-cell") as meter:
        larger = meter.sweep_spectrum(sweep)
        smaller = meter.sweep_spectrum(replace(sweep, amplitude_v=amplitude_v / 2))
    found = compare_amplitudes(larger, smaller, amplitude_v=amplitude_v)
    assert found.verdict == verdict
    worst = abs(driven(0.1, amplitude_v) / driven(0.1, amplitude_v / 2) - 1)
    if verdict == "linear":
        assert worst < found.limit
        assert not found.telling_hz
        return
    assert found.worst == pytest.approx(worst, abs=3e-3)
    assert max(found.telling_hz) < 3e3  # the interface, not the electrolyte
    advised_error = abs(driven(0.1, found.advised_v) / ladder(0.1, NONLINEAR.truth)[0] - 1)
    assert 0.3 * found.limit < advised_error < 1.3 * found.limit


def test_a_linear_cell_does_not_care_how_hard_and_when_it_is_measured() -> None:
    f = np.geomspace(1e6, 0.1, 9)
    assert SYMMETRIC.impedance(f, 1e5, 3.0, source_ohm=50.0).tolist() == SYMMETRIC.impedance(f).tolist()


# --- saturation

ENOUGH_A = 0.4e-3
"""Peak current that 10 mV rms needs at 35 ohm: less is behind high frequencies, more behind low ones."""


@pytest.mark.parametrize("times", [1.001, 1.5, 10.0, 1e4])
def test_a_clipped_sine_makes_the_impedance_larger_by_what_its_first_harmonic_loses(times: float) -> None:
    cell = replace(SYMMETRIC, max_current_a=1e-3)
    z = complex(ladder(1e3, SYMMETRIC.truth)[0])
    found = cell.response(1e3, 0.0, times * 1e-3 * abs(z) / math.sqrt(2))
    assert found.is_saturated
    assert found.z_ohm == pytest.approx(z / clipped_share(times, 1.0), rel=2e-5)
    assert not cell.response(1e3, 0.0, 0.999e-3 * abs(z) / math.sqrt(2)).is_saturated


@pytest.mark.parametrize("remeasure", [0, 2])
def test_saturated_points_are_flagged_and_kept_also_when_they_are_measured_again(
    start: Start, model: str, remeasure: int
) -> None:
    bench = BENCHES[model]
    options = {"remeasure": remeasure} if bench.remeasures else {}
    most_a = ENOUGH_A * 35.4 / (35.4 + bench.source_ohm)
    sweep = Sweep(1e6, 100.0, 5, 0.01)
    device = MODELS[model].make(replace(SYMMETRIC, max_current_a=most_a), noise=0.0)
    with start(device, model, **options) as meter:
        points = list(meter.sweep(sweep))
    assert [point.frequency_set_hz for point in points] == sweep.frequencies_hz.tolist()
    saturated = []
    for point in points:
        z = complex(ladder(point.frequency_hz, SYMMETRIC.truth)[0])
        peak_a = math.sqrt(2) * 0.01 / abs(z + bench.source_ohm)
        is_saturated = peak_a > most_a
        saturated.append(is_saturated)
        assert bool(point.quality & bench.flag) == is_saturated
        assert bool(point.status) == is_saturated
        again = remeasure if bench.remeasures and point.quality & EXCLUDING else 0
        assert point.attempt == 1 + again
        if is_saturated and not bench.has_value:
            assert math.isnan(abs(point.z_ohm))
            continue
        expected = z / clipped_share(peak_a, most_a)
        assert abs(point.z_ohm - expected) < (bench.digits + 2e-5) * abs(expected)
    assert saturated == sorted(saturated, reverse=True)
    assert 3 <= sum(saturated) <= len(points) - 3
    assert not device.cell_is_on


def test_a_planned_fault_comes_before_saturation(start: Start) -> None:
    device = MODELS["e4980a"].make(
        replace(SYMMETRIC, max_current_a=1e-9), faults=Faults(points={1: "timing"}), noise=0.0
    )
    with start(device, "e4980a") as meter:
        points = list(meter.sweep(Sweep(1e4, 1e3, 3, 0.01)))
    assert [point.quality for point in points] == [
        Quality.SOURCE_LIMIT,
        Quality.LEVEL_NOT_HELD,
        Quality.SOURCE_LIMIT,
        Quality.SOURCE_LIMIT,
    ]
