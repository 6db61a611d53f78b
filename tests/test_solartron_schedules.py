"""Planned sweeps on a Solartron analyser: what it is told of cycles and settling, how long it takes, its noise."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eis.errors import InstrumentError, RejectedError
from instruments import Sweep, pointwise, sessions
from instruments.emulated.cells import DRIFTING, SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.solartron import OVERHEAD_S, EmulatedAnalyser, EmulatedBench
from instruments.link import Link
from instruments.plan import Band, Mains, Plan
from instruments.planned import PlannedSweep
from instruments.solartron import Solartron

pytestmark = pytest.mark.usefixtures("watchdog")

QUICK: dict[str, Any] = {"gap_s": 0.0, "patience_s": 0.02, "integration_s": 0.01}
NOWHERE = Mains(lines_hz=())
Connect = Callable[..., Solartron]
Measured = tuple[float, float, float, float]


class NotingAnalyser(EmulatedAnalyser):
    """An analyser that notes with which frequency, auto-integration, integration and delay it measured."""

    @property
    def measured(self) -> list[Measured]:
        return self.__dict__.setdefault("_measurements", [])  # type: ignore[no-any-return]

    def _measure(self) -> None:
        self.measured.append((self.value("FR"), self.value("AU"), self.value("IS"), self.value("MS")))
        super()._measure()


@contextlib.contextmanager
def opened(device: EmulatedAnalyser | EmulatedBench, **options: Any) -> Iterator[Solartron]:
    """Connect to an analyser, or to one with an interface; however the driver ends, nothing stays open."""
    both = [device] if isinstance(device, EmulatedAnalyser) else [device.analyser, device.interface]
    with contextlib.ExitStack() as stack:
        served = [
            stack.enter_context(library().serve(one, name, resource=name))
            for one, name in zip(both, ("GPIB0::4::INSTR", "GPIB0::6::INSTR"), strict=False)
        ]
        if len(served) == 2:
            options["interface_resource"] = served[1].resource
        meter = Solartron.open(served[0].resource, backend=served[0].backend, **{**QUICK, **options})
        stack.callback(meter.close)
        yield meter


@pytest.fixture
def connected() -> Iterator[Connect]:
    """Connect to a device; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:
        yield lambda device, **options: stack.enter_context(opened(device, **options))


@pytest.fixture
def waits_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long (s) each result is waited for, after what measures was sent."""
    waits: list[float] = []
    read_line = Link.read_line

    def noting(self: Link, timeout_s: float, **options: Any) -> str:
        if timeout_s != pointwise.ANSWER_S:
            waits.append(timeout_s)
        return read_line(self, timeout_s, **options)

    monkeypatch.setattr(Link, "read_line", noting)
    return waits


def planned(*points: tuple[float, float, float]) -> PlannedSweep:
    """A sweep over points that are a frequency (Hz), cycles, and a time to settle (s)."""
    frequencies_hz, cycles, settle_s = zip(*points, strict=True)
    return PlannedSweep(
        frequencies_hz[0],
        min(frequencies_hz),
        1,
        0.01,
        planned_hz=frequencies_hz,
        planned_s=tuple(wait + count / hz for hz, count, wait in points),
        planned_cycles=cycles,
        planned_settle_s=settle_s,
    )


# --- what never reaches the cell


def test_a_point_that_would_be_integrated_for_too_long_is_refused_before_anything_is_set(
    connected: Connect,
) -> None:
    device = NotingAnalyser(SYMMETRIC)
    meter = connected(device)
    with pytest.raises(RejectedError, match=r"integrated for 110000 s, and 100000 s are the most"):
        list(meter.sweep(planned((1.0, 3, 0), (1e-4, 11, 0), (1e-3, 2, 0))))
    assert set(device.log) == {"*IDN?"}


@pytest.mark.parametrize("code", ["AU", "IS", "MS"])
def test_a_pace_that_is_not_taken_ends_the_sweep_with_the_cell_off(code: str, connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    obey = device._obey
    device.values["AU"] = (4.0,)
    device._obey = lambda line: None if line.startswith(code) else obey(line)  # type: ignore[method-assign]
    with pytest.raises(RejectedError, match=f"{code}.* was not taken"):
        list(connected(device).sweep(planned((100.0, 7, 0.25))))
    assert device.measured == []
    assert not device.cell_is_on
    assert not any(line.startswith("VA") and line != "VA0" for line in device.log)


def test_a_delay_beyond_the_analyser_s_ends_the_sweep_with_the_cell_off(connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    with pytest.raises(RejectedError, match="MS2E5 was not taken"):
        list(connected(device).sweep(planned((100.0, 7, 0.25), (10.0, 3, 2e5))))
    assert len(device.measured) == 1
    assert not device.cell_is_on


@pytest.mark.parametrize("fault", ["lose", "garbage", "truncate", "repeat", "drop"])
def test_whatever_happens_to_a_line_no_point_is_measured_at_another_pace_than_planned(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointwise, "ANSWER_S", 0.02)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    monkeypatch.setattr(sessions, "READY_S", 0.02)
    sweep = replace(planned((1e5, 2000, 0.001), (1e4, 300, 0.002)), planned_s=(0.0, 0.0))
    pace = {1e5: (0, 0.02, 0.001), 1e4: (0, 0.03, 0.002)}
    first_result, last_result = 18, 21  # before these the sweep has not begun, and is not begun again
    for line in range(2, last_result + 1):
        device = NotingAnalyser(SYMMETRIC, noise=0.0, faults=Faults(lines={line: fault}))  # type: ignore[dict-item]
        try:
            with opened(device, auto_integration=2) as meter:
                assert len(list(meter.sweep(sweep))) == 2, line
        except InstrumentError:
            assert line < first_result
        assert not device.cell_is_on, line
        for frequency_hz, *taken in device.measured:
            assert taken == pytest.approx(pace[frequency_hz]), line


# --- what it is told


def test_planned_cycles_become_seconds_and_settling_the_delay_of_each_point(connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    sweep = planned((1e3, 200, 0.001), (100.0, 20, 0.001), (10.0, 5, 0.1), (0.1, 3, 5.0), (1e3, 200, 0.001))
    points = list(connected(device, auto_integration=2).sweep(sweep))
    assert device.measured == [
        (1e3, 0, 0.2, 0.001),
        (100.0, 0, 0.2, 0.001),
        (10.0, 0, 0.5, 0.1),
        (0.1, 0, 30.0, 5.0),
        (1e3, 0, 0.2, 0.001),
    ]
    assert [point.frequency_hz for point in points] == [point[0] for point in device.measured]
    for code, times in (("AU", 1), ("IS", 4), ("MS", 4)):  # each is written when it changes, and asked for
        assert sum(line.startswith(code) for line in device.log) == device.log.count(f"?{code}") == times
    assert device.errors == []


def test_the_options_are_the_least_that_is_done(connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    options = {"integration_s": 0.3, "integration_cycles": 4, "delay_s": 0.05}
    list(connected(device, **options).sweep(planned((1e3, 200, 0.001), (10.0, 5, 0.1), (1.0, 3, 0.5))))
    assert [pace for _, _, *pace in device.measured] == [[0.3, 0.05], [0.5, 0.1], [4.0, 0.5]]


def test_no_point_is_integrated_for_less_than_the_analyser_can(connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    list(connected(device, integration_s=1e-6).sweep(planned((1e6, 100, 0.0), (1e5, 5000, 0.0))))
    assert [integration_s for _, _, integration_s, _ in device.measured] == [0.01, 0.05]


def test_a_sweep_without_a_plan_is_measured_by_the_options_with_auto_integration(connected: Connect) -> None:
    device = NotingAnalyser(SYMMETRIC)
    meter = connected(device, auto_integration=2, auto_integration_s=5.0, delay_s=0.2)
    list(meter.sweep(planned((1e3, 200, 0.001))))
    list(meter.sweep(Sweep(1e3, 1.0, 1, 0.01)))
    assert [pace[0] for _, *pace in device.measured] == [0, 2, 2, 2, 2]
    assert [delay_s for *_, delay_s in device.measured] == [0.2] * 5
    own = Plan.of(Sweep(1e3, 1.0, 1, 0.01), mains=NOWHERE, is_paced=False).as_sweep()
    del device.measured[:]
    list(meter.sweep(own))
    assert [pace[0] for _, *pace in device.measured] == [2, 2, 2, 2]


def test_the_pace_is_part_of_what_is_configured_with_the_cell_off(connected: Connect) -> None:
    device = EmulatedBench(SYMMETRIC)
    connected(device).configure(planned((10.0, 5, 0.25)))
    assert (device.analyser.value("IS"), device.analyser.value("MS")) == (0.5, 0.25)
    assert "PW1" not in device.log
    assert not device.cell_is_on


# --- how long it takes


@pytest.mark.parametrize("mains", [NOWHERE, Mains()], ids=["no mains", "mains"])
@pytest.mark.parametrize("make", [EmulatedAnalyser, EmulatedBench])
def test_a_planned_sweep_takes_what_the_plan_foretells(
    make: Callable[..., Any], mains: Mains, connected: Connect
) -> None:
    clock = FastClock()
    plan = Plan.of(Sweep(1e5, 0.01, 4, 0.01), mains=mains, overhead_s=OVERHEAD_S, repeat_decades=1)
    meter = connected(make(SYMMETRIC, clock=clock))
    ends_s = [clock.now()]
    for _ in meter.sweep(plan.as_sweep()):
        ends_s.append(clock.now())
    taken_s = np.diff(ends_s)
    assert taken_s == pytest.approx([step.duration_s for step in plan.steps], rel=0.02, abs=0.2)
    assert ends_s[-1] - ends_s[0] == pytest.approx(plan.duration_s, rel=0.01)
    assert plan.duration_s > 500
    assert max(step.cycles for step in plan.steps) > 9000


def test_a_result_is_waited_for_three_times_as_long_as_it_takes(waits_s: list[float]) -> None:
    sweep = planned((1e3, 5e5, 100.0), (0.1, 3, 5.0), (1e3, 5e5, 100.0))
    with opened(EmulatedAnalyser(SYMMETRIC)) as meter:
        list(meter.sweep(sweep))
    takes_s = [600.0, 35.0, 600.0]
    assert all(3 * takes <= wait <= 6 * takes + 1 for wait, takes in zip(waits_s, takes_s, strict=True))
    waits_s.clear()
    options = {"integration_s": 80.0, "delay_s": 40.0, "auto_integration": 1, "auto_integration_s": 500.0}
    with opened(EmulatedAnalyser(SYMMETRIC), **options) as meter:
        meter.measure_point(1e3, amplitude_v=0.01)  # as long as the options say
        list(meter.sweep(planned((1e3, 10, 0.0))))
    assert waits_s == pytest.approx([3 * 620, 3 * 120], abs=1)


def test_whole_cycles_are_integrated_whatever_the_digits_of_the_setting(connected: Connect) -> None:
    clock = FastClock()
    meter = connected(EmulatedAnalyser(SYMMETRIC, clock=clock))
    frequencies_hz = [2.3, 1.7, 1.3, 1.1, 0.9, 0.7, 0.3]
    ends_s = [clock.now()]
    for _ in meter.sweep(planned(*((hz, 3, 1.0) for hz in frequencies_hz))):
        ends_s.append(clock.now())
    assert np.diff(ends_s) == pytest.approx([OVERHEAD_S + 1 + 3 / hz for hz in frequencies_hz], abs=0.2)


def test_a_cell_that_drifts_is_seen_as_it_is_in_the_middle_of_the_integration() -> None:
    device = EmulatedAnalyser(DRIFTING, noise=0.0)
    device.feed(b"OP2,1\r\nSO1,3\r\nFR0.1\r\nVA0.01\r\nMS300\r\nIS1200\r\nSI\r\n")
    due_s = device.next_due
    assert due_s is not None
    assert due_s - device.clock.now() == pytest.approx(1500 + OVERHEAD_S, abs=0.5)
    device.clock.seconds_until(due_s)
    (said,) = device.due()
    _, real, imaginary, *_ = said.decode().split(",")
    grown = 1 + 0.5 * (300 + 600) / 3600  # by half of itself in an hour
    still = replace(DRIFTING, drift_per_hour=0.0)
    assert float(real) == pytest.approx(still.impedance(0.1)[0].real * grown, rel=1e-3)
    assert grown > 1.1
    assert abs(float(imaginary)) < 0.01 * float(real)


# --- how quiet it is


def test_the_noise_of_a_point_falls_with_the_root_of_its_planned_integration(connected: Connect) -> None:
    noise, per_band = 0.02, 120
    bands = [Band(1e4, 1_000_000, 0.0), Band(1e3, 3000, 0.0), Band(0.0, 10, 0.0)]
    plan = Plan.of(Sweep(1e5, 101.0, per_band / 3, 0.01), mains=NOWHERE, bands=bands, least_s=0.0)
    device = EmulatedAnalyser(SYMMETRIC, noise=noise, rng=np.random.default_rng(1260))
    z = np.array([point.z_ohm for point in connected(device).sweep(plan.as_sweep())])
    truth = SYMMETRIC.impedance(plan.frequencies_hz)
    integrated_s = np.array([step.cycles / step.frequency_hz for step in plan.steps])
    expected = noise * np.sqrt(0.1 / integrated_s)
    off = (z - truth) / np.abs(truth) / expected
    assert expected.max() / expected.min() > 30
    for low_hz, high_hz in ((1e4, 1e6), (1e3, 1e4), (1e2, 1e3)):
        inside = off[(plan.frequencies_hz >= low_hz) & (plan.frequencies_hz < high_hz)]
        spread = math.sqrt(np.mean(np.concatenate([inside.real, inside.imag]) ** 2))
        assert len(inside) >= 39
        assert spread == pytest.approx(1.0, abs=4 / math.sqrt(2 * 2 * len(inside)))  # four standard deviations
