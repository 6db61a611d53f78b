"""Sweeps that say how many cycles to measure and how long to settle: what bridges and analysers are told of it."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from eis.errors import AbortedError, CellStateUnknownError, ConfigError, EisError, RejectedError
from instruments import Sweep, bridge, lcr, lcr_dialects, pointwise
from instruments.emulated.cells import POUCH_CELL, SYMMETRIC
from instruments.emulated.e4990a import EmulatedE4990A
from instruments.emulated.faults import Faults
from instruments.emulated.hioki import EmulatedHioki
from instruments.emulated.lcr import EmulatedLcr
from instruments.emulated.transports import Transport
from instruments.hioki import Hioki
from instruments.keysight import E4990A
from instruments.lcr import LcrBridge
from instruments.lcr_dialects import DIALECTS
from instruments.planned import PlannedSweep
from instruments.pointwise import PointByPoint
from instruments.potentiostat import Potentiostat

pytestmark = pytest.mark.usefixtures("watchdog")

Connect = Callable[..., Any]
DRIVERS: dict[type, type[PointByPoint]] = {EmulatedLcr: LcrBridge, EmulatedE4990A: E4990A, EmulatedHioki: Hioki}


def paced(
    start_hz: float,
    stop_hz: float,
    *,
    cycles: list[float | None],
    settle_s: list[float],
    amplitude_v: float = 0.01,
) -> Sweep:
    """A sweep of one point per decade that says the cycles and the settling time (s) of each."""
    plain = Sweep(start_hz, stop_hz, 1, amplitude_v)
    places = {frequency_hz: place for place, frequency_hz in enumerate(plain.frequencies_hz.tolist())}
    assert len(places) == len(cycles) == len(settle_s)

    class Paced(Sweep):
        def integration_cycles(self, frequency_hz: float) -> float | None:
            return cycles[places[frequency_hz]]

        def settle_s(self, frequency_hz: float) -> float:
            return settle_s[places[frequency_hz]]

    return Paced(**plain.to_dict())


PACED = paced(1e4, 1e2, cycles=[1000, 40, 5], settle_s=[2e-4, 0.25, 0.25])
AS_TOLD = [(20, 0.001), (8, 0.25), (5, 0.25)]
"""Averages of 5 ms, or of a cycle where that is longer, and delays (s) in whole milliseconds."""


class NotingLcr(EmulatedLcr):
    """A bridge that notes at which frequency (Hz), with how many averages and which delay (s) it measured."""

    @property
    def measured(self) -> list[tuple[float, int, float]]:
        return self.__dict__.setdefault("_measurements", [])

    @property
    def paces(self) -> list[tuple[int, float]]:
        return [(averages, delay_s) for _, averages, delay_s in self.measured]

    def _begin(self) -> float:
        seconds = super()._begin()
        self.measured.append((self["FREQuency[:CW]"], self._aperture[1], self["TRIGger:DELay"]))
        return seconds


@pytest.fixture
def connected(serve: Callable[..., Transport]) -> Iterator[Connect]:
    """Connect the driver of a device to it; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def start(device: Any, **options: Any) -> Potentiostat:
            driver = next(driver for kind, driver in DRIVERS.items() if isinstance(device, kind))
            if driver is not Hioki:
                options = {"cell": "symmetric", **options}
            if driver is LcrBridge:
                options = {"aperture": "short", **options}
            served = serve(device)
            meter = driver.open(served.resource, backend=served.backend, **{"patience_s": 0.3, **options})
            stack.callback(meter.link.close)
            return meter

        yield start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the driver give up soon, for tests in which the instrument never answers."""
    monkeypatch.setattr(bridge, "ANSWER_S", 0.03)
    monkeypatch.setattr(pointwise, "ANSWER_S", 0.03)
    monkeypatch.setattr(lcr, "CYCLES_PER_AVERAGE", 0.0)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    monkeypatch.setattr("instruments.sweep.predicted_point_s", lambda frequency_hz: 0.0)
    for name, row in DIALECTS.items():
        quick = {length: (word, 0.0) for length, (word, _) in row.apertures.items()}
        monkeypatch.setitem(lcr_dialects.DIALECTS, name, replace(row, apertures=quick))


@pytest.fixture
def waits_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long (s) each message that measures is waited for."""
    waits: list[float] = []
    ask = PointByPoint._ask

    def noting(self: PointByPoint, text: str, timeout_s: float | None = None) -> str:
        if "*TRG" in text and timeout_s is not None:
            waits.append(timeout_s)
        return ask(self, text, timeout_s)

    monkeypatch.setattr(PointByPoint, "_ask", noting)
    return waits


# --- what never reaches the wire


@pytest.mark.parametrize(
    ("device", "sweep", "words"),
    [
        (EmulatedLcr(SYMMETRIC), paced(1e2, 1e2, cycles=[256], settle_s=[0]), r"256 averages \(at most 255\)"),
        (EmulatedLcr(SYMMETRIC), paced(1e2, 1e2, cycles=[None], settle_s=[1000]), "at most 999 s"),
        (EmulatedLcr(SYMMETRIC, model="4284a"), paced(1e2, 1e2, cycles=[None], settle_s=[61]), "at most 60 s"),
        (EmulatedHioki(POUCH_CELL), paced(10, 10, cycles=[None], settle_s=[0.92]), "9.2 periods .* more than 9"),
    ],
)
def test_more_than_the_instrument_has_is_refused_before_anything_is_sent(
    device: Any, sweep: Sweep, words: str, connected: Connect
) -> None:
    meter = connected(device)
    device.log.clear()
    with pytest.raises(RejectedError, match=words):
        meter.sweep(sweep)
    assert device.log == []


@pytest.mark.parametrize("integrates_s", [0.0, -1.0, float("nan"), float("inf")])
def test_an_integration_time_that_is_none_is_refused(integrates_s: float, connected: Connect) -> None:
    with pytest.raises(ConfigError, match="integrates_s"):
        connected(EmulatedLcr(SYMMETRIC), integrates_s=integrates_s)


# --- bridges


@pytest.mark.parametrize("model", ["e4980a", "e4980al", "4284a"])
def test_cycles_become_averages_and_settling_a_trigger_delay(model: str, connected: Connect) -> None:
    device = NotingLcr(SYMMETRIC, model=model)
    assert len(list(connected(device).sweep(PACED))) == 3
    assert device.paces == AS_TOLD
    assert not device.errors


def test_a_plan_is_kept_point_by_point_also_where_it_comes_back(connected: Connect) -> None:
    sweep = PlannedSweep(
        start_hz=1e4,
        stop_hz=1e2,
        points_per_decade=1,
        amplitude_v=0.01,
        planned_hz=(1e4, 1e3, 1e2, 1e4),
        planned_s=(0.1, 0.1, 0.1, 0.1),
        planned_cycles=(999, 99, 9, 999),
        planned_settle_s=(1e-4, 1e-3, 1e-2, 1e-4),
    )
    device = NotingLcr(SYMMETRIC)
    list(connected(device).sweep(sweep))
    assert device.measured == [(1e4, 20, 0.001), (1e3, 20, 0.001), (1e2, 9, 0.01), (1e4, 20, 0.001)]


def test_what_stays_the_same_is_not_written_again(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    list(connected(device).sweep(PACED))
    assert sum(":TRIG:DEL 0.25" in line for line in device.log) == 1
    plain = EmulatedLcr(SYMMETRIC)
    list(connected(plain).sweep(Sweep(1e4, 1e2, 1, 0.01)))
    assert len(device.log) == len(plain.log) + 3 + 2  # three averages and two delays


def test_the_options_are_the_least_that_is_averaged_and_waited(connected: Connect) -> None:
    device = NotingLcr(SYMMETRIC)
    list(connected(device, averages=10, settle_s=0.1, integrates_s=0.01).sweep(PACED))
    assert device.paces == [(10, 0.1), (10, 0.25), (10, 0.25)]


def test_a_longer_aperture_needs_fewer_averages(connected: Connect) -> None:
    device = NotingLcr(SYMMETRIC)
    list(connected(device, aperture="long").sweep(paced(1e4, 1e2, cycles=[2001, 2001, 2001], settle_s=[0, 0, 0])))
    assert device.paces == [(2, 0.0), (11, 0.0), (101, 0.0)]


def test_the_instrument_takes_the_time_and_the_driver_waits_that_long(
    connected: Connect, waits_s: list[float]
) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device, patience_s=0.0)
    begun_s = device.clock.now()
    ends_s = [device.clock.now() for _ in meter.sweep(paced(1e4, 1e2, cycles=[1000, 40, 5], settle_s=[90, 0, 90]))]
    takes_s = [90 + 20 * 0.012, 8 * 0.012, 90 + 5 * 2 / 100]
    lasted_s = [end - begin for begin, end in itertools.pairwise([begun_s, *ends_s])]
    assert lasted_s == pytest.approx(takes_s, abs=1.0)
    assert all(wait >= 3 * takes for wait, takes in zip(waits_s, takes_s, strict=True))
    assert all(wait <= 3 * takes + 10 for wait, takes in zip(waits_s, takes_s, strict=True))


def test_without_a_known_trigger_delay_the_driver_waits_once_the_frequency_is_set(connected: Connect) -> None:
    device = NotingLcr(SYMMETRIC, model="th2826")
    begun_s = time.monotonic()
    list(connected(device).sweep(paced(1e4, 1e2, cycles=[None, None, 7], settle_s=[0, 0.15, 0.15])))
    assert 0.3 <= time.monotonic() - begun_s < 10
    assert device.paces == [(1, 0.0), (1, 0.0), (7, 0.0)]
    assert not any("TRIG:DEL" in line for line in device.log)
    set_and_measured = [line for line in device.log if line.startswith(":FREQ")]
    assert ["*TRG" in line for line in set_and_measured] == [True, False, True, False, True]
    assert not device.errors


def test_a_trigger_delay_that_was_asked_for_is_used_where_it_is_not_known_to_exist(connected: Connect) -> None:
    device = NotingLcr(SYMMETRIC, model="th2826")
    list(connected(device, settle_s=0.1).sweep(PACED))
    assert device.paces == [(20, 0.1), (8, 0.25), (5, 0.25)]


def test_an_abort_does_not_wait_for_the_settling(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="th2826")
    meter = connected(device)
    timer = threading.Timer(0.1, meter.abort)
    timer.start()
    begun_s = time.monotonic()
    with pytest.raises(AbortedError):
        list(meter.sweep(paced(1e2, 1e2, cycles=[None], settle_s=[15])))
    timer.join()
    assert time.monotonic() - begun_s < 5
    assert not device.cell_is_on
    assert not any("*TRG" in line for line in device.log)


@pytest.mark.parametrize("fault", ["truncate", "garbage", "repeat", "lose", "drop"])
@pytest.mark.parametrize("model", ["e4980a", "th2826"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_to_a_line_no_point_is_measured_with_the_pace_of_another(
    model: str, fault: str, connected: Connect
) -> None:
    survived = 0
    sweep = paced(1e4, 1e2, cycles=[1000, 40, 5], settle_s=[0.002, 0.003, 0.004])
    delays_s = (0.002, 0.003, 0.004) if model == "e4980a" else (0.0, 0.0, 0.0)
    for line in itertools.count(12):
        device = NotingLcr(SYMMETRIC, model=model, noise=0.0, faults=Faults(lines={line: fault}))  # type: ignore[dict-item]
        told: EisError | None = None
        points = []
        try:
            points = list(connected(device, patience_s=0.03).sweep(sweep))
        except EisError as error:
            told = error
        if line >= device._lines:
            break
        where = f"{fault} at line {line}, {told!r}"
        assert not device.cell_is_on or isinstance(told, CellStateUnknownError), where
        assert {*device.measured} <= {*zip((1e4, 1e3, 1e2), (20, 8, 5), delays_s, strict=True)}, where
        for point in points:
            assert point.z_ohm == pytest.approx(SYMMETRIC.impedance(point.frequency_hz)[0], rel=1e-4), where
        survived += told is None
    assert line > 15
    assert survived >= 5


# --- the analyser


def test_the_analyser_is_told_nothing_of_cycles_and_settling(connected: Connect) -> None:
    logs = []
    for sweep in (PACED, Sweep(1e4, 1e2, 1, 0.01)):
        device = EmulatedE4990A(SYMMETRIC)
        assert len(list(connected(device).sweep(sweep))) == 3
        logs.append(device.log)
    assert logs[0] == logs[1]


# --- the battery meter


def test_settling_becomes_the_sample_delay_of_the_battery_meter_in_periods(
    connected: Connect, waits_s: list[float]
) -> None:
    device = EmulatedHioki(POUCH_CELL)
    begun_s = device.clock.now()
    points = connected(device, patience_s=0.0).sweep(paced(1e2, 1, cycles=[9, 9, 9], settle_s=[0.01, 0.1, 4.44]))
    ends_s, delays = [], []
    for _ in points:
        ends_s.append(device.clock.now())
        delays.append((device["SAMPle:DELay:MODE"], device["SAMPle:DELay:WAVE"]))
    assert delays == [("WAVE", 1.0), ("WAVE", 1.0), ("WAVE", 4.5)]
    assert sum(":DELay:WAVE " in line for line in device.log) == 2
    takes_s = [0.1 + (3 + 1) / 100, 0.1 + (3 + 1) / 10, 0.1 + (3 + 4.5) / 1]
    lasted_s = [end - begin for begin, end in itertools.pairwise([begun_s, *ends_s])]
    assert lasted_s == pytest.approx(takes_s, abs=0.5)
    assert all(wait >= 2 * takes for wait, takes in zip(waits_s, takes_s, strict=True))


@pytest.mark.parametrize(
    ("sweep", "options"),
    [
        (Sweep(1e2, 1, 1, 0.01), {}),
        (paced(1e2, 1, cycles=[9, 9, 9], settle_s=[0, 0, 0]), {}),
        (paced(1e2, 1, cycles=[9, 9, 9], settle_s=[1, 1, 100]), {"most_delay_periods": None}),
    ],
)
def test_a_sample_delay_nobody_asked_for_stays_as_it_is_on_the_meter(
    sweep: Sweep, options: dict[str, Any], connected: Connect
) -> None:
    device = EmulatedHioki(POUCH_CELL)
    device.feed(b":SAMP:DEL:MODE WAVE;:SAMP:DEL:WAVE 0.5\r\n")
    device.log.clear()
    assert len(list(connected(device, **options).sweep(sweep))) == 3
    assert device["SAMPle:DELay:WAVE"] == 0.5
    assert not any("DELay" in line for line in device.log)


def test_a_sample_delay_the_meter_does_not_take_ends_the_sweep_before_it_began(connected: Connect) -> None:
    device = EmulatedHioki(POUCH_CELL)
    with pytest.raises(RejectedError, match="SAMPle:DELay:WAVE"):
        list(connected(device, most_delay_periods=99).sweep(paced(10, 10, cycles=[None], settle_s=[1.0])))
    assert not any("*TRG" in line for line in device.log)
    assert not device.cell_is_on


def test_a_sample_delay_is_set_again_when_the_meter_was_away_and_not_for_a_sweep_that_has_none(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    device = EmulatedHioki(POUCH_CELL, faults=Faults(lines={18: "drop"}))
    meter = connected(device)
    points = list(meter.sweep(paced(1e2, 1, cycles=[None] * 3, settle_s=[0.01, 0.1, 1.0])))
    assert [point.attempt for point in points] == [1, 2, 1]
    assert sum(":DELay:WAVE 1" in line for line in device.log) == 2
    device.log.clear()
    assert len(list(meter.sweep(Sweep(1e2, 1, 1, 0.01)))) == 3
    assert not any("DELay" in line for line in device.log)
