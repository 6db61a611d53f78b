"""The BT4560 driver: what it refuses, how it leaves the meter at rest, and what it makes of what it is told."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from eis.errors import (
    AbortedError,
    BusyError,
    CellStateUnknownError,
    ConfigError,
    EisError,
    InstrumentError,
    LinkError,
    RejectedError,
)
from eis.spectrum import Quality
from instruments import Sweep, hioki, pointwise
from instruments.emulated.cells import POUCH_CELL
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.hioki import RANGES_OHM, EmulatedHioki
from instruments.emulated.transports import Transport
from instruments.hioki import FREQUENCY_STEPS_HZ, Hioki
from instruments.pointwise import PointByPoint
from instruments.potentiostat import Point
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog")

Connect = Callable[..., Hioki]
LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug")
SWEEP = Sweep(1000.0, 0.1, 1, 0.01)
SHORT = Sweep(1000.0, 250.0, 5, 0.01)
FIRST_POINT = 15  # the line with its answer, after two for *IDN?, one for the rest, and twelve for settings


@pytest.fixture
def connect(serve: Callable[..., Transport]) -> Iterator[Connect]:
    """Connect to a device over a transport; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def start(device: EmulatedHioki, transport: str = "in-process", **options: Any) -> Hioki:
            served = serve(device, transport)
            meter = Hioki.open(served.resource, backend=served.backend, **{"patience_s": 0.3, **options})
            stack.callback(meter.link.close)
            return meter

        yield start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, answer_s: float) -> None:
    """Make the driver give up soon, for tests in which the meter does not answer."""
    monkeypatch.setattr(pointwise, "ANSWER_S", answer_s)
    monkeypatch.setattr(hioki, "ANSWER_S", answer_s)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    for name in ("instruments.hioki.predicted_point_s", "instruments.sweep.predicted_point_s"):
        monkeypatch.setattr(name, lambda frequency_hz: 0.0)


@pytest.fixture
def meter_device() -> EmulatedHioki:
    return EmulatedHioki(POUCH_CELL)


def paced(**options: Any) -> EmulatedHioki:
    """A meter whose seconds take 20 ms, so that there is a middle of a point."""
    return EmulatedHioki(POUCH_CELL, clock=RealClock(50.0), **options)


def collect(meter: Hioki, sweep: Sweep) -> tuple[list[Point], EisError | None]:
    """Return the points that came, and what was raised after them."""
    received: list[Point] = []
    try:
        for point in meter.sweep(sweep):
            received.append(point)
    except EisError as error:
        return received, error
    return received, None


# --- what never reaches the wire


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_hz", 1051.0), ("stop_hz", 0.09), ("dc_v", 0.1), ("dc_v", -1e-6), ("amplitude_v", 2.0)],
)
def test_a_set_point_outside_the_limits_never_reaches_the_wire(
    name: str, value: float, meter_device: EmulatedHioki, connect: Connect
) -> None:
    settings = {"start_hz": 1000.0, "stop_hz": 1.0, "points_per_decade": 5, "amplitude_v": 0.01, "dc_v": 0.0}
    meter = connect(meter_device)
    with pytest.raises(RejectedError, match=name):
        meter.sweep(Sweep(**(settings | {name: value})))
    assert meter_device.log == ["*IDN?"]


@pytest.mark.parametrize(
    "options",
    [
        {"range_ohm": 0.0},
        {"range_ohm": math.nan},
        {"range_ohm": "3m"},
        {"rate": "MEDIUM"},
        {"average": 0},
        {"trigger": "x"},
    ],
)
def test_an_option_that_does_not_exist_is_refused_before_anything_is_asked(
    options: dict[str, Any], meter_device: EmulatedHioki, connect: Connect
) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        connect(meter_device, **options)
    assert meter_device.log == []


def test_connecting_only_asks_and_leaves_a_running_meter_running(transport: str, connect: Connect) -> None:
    device = EmulatedHioki(POUCH_CELL, free_running=True, headers=True)
    meter = connect(device, transport)
    meter.close()
    assert device.log == ["*IDN?"]
    assert device.cell_is_on


def test_every_line_ends_with_carriage_return_and_line_feed(meter_device: EmulatedHioki, connect: Connect) -> None:
    meter = connect(meter_device)
    meter.sweep_spectrum(SHORT)
    sent = [line for line in meter.link.transcript if " > " in line]
    assert len(sent) > 20
    assert all(line.endswith(r"\r\n'") for line in sent)


@pytest.mark.parametrize("model", ["BT3562", "IM3590"])
def test_another_hioki_is_not_taken_for_one(model: str, connect: Connect) -> None:
    with pytest.raises(InstrumentError, match=model):
        connect(EmulatedHioki(POUCH_CELL, model=model))


# --- settings


@pytest.mark.parametrize("range_ohm", RANGES_OHM)
def test_a_range_is_set_and_checked(range_ohm: float, meter_device: EmulatedHioki, connect: Connect) -> None:
    meter = connect(meter_device, range_ohm=range_ohm, rate="SLOW", average=4, slope_correction=False)
    next(meter.sweep(SHORT))
    assert meter_device["RANGe"] == range_ohm
    assert not meter_device["AUTorange"]
    assert meter_device["CALCulate:AVERage"] == 4
    assert not meter_device["ADJust:SLOPe"]
    assert ":SAMPle:RATE Z,SLOW" in meter_device.log


@pytest.mark.parametrize("option", [{"range_ohm": 0.004}, {"range_ohm": 3.0}, {"average": 100}])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_setting_the_meter_does_not_take_as_it_is_ends_the_sweep_before_it_began(
    option: dict[str, Any], meter_device: EmulatedHioki, connect: Connect
) -> None:
    with pytest.raises(RejectedError, match="nothing was measured"):
        list(connect(meter_device, **option).sweep(SHORT))
    assert not any("*TRG" in line for line in meter_device.log)


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_setting_the_meter_does_not_know_is_named(
    connect: Connect, meter_device: EmulatedHioki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hioki, "RATES", (*hioki.RATES, "X"))
    meter = connect(meter_device)
    meter._settings = ((":ZERO:CRASh", "ON"),)
    with pytest.raises(RejectedError, match="does not know :ZERO:CRASh"):
        list(meter.sweep(SHORT))


@pytest.mark.parametrize(("options", "state"), [({}, True), ({"voltage_limiter": False}, False)])
def test_the_voltage_limiter_stays_on_unless_somebody_says_otherwise(
    options: dict[str, bool], state: bool, meter_device: EmulatedHioki, connect: Connect
) -> None:
    meter_device["LIMiter"] = not state
    connect(meter_device, **options).sweep_spectrum(SHORT)
    assert meter_device["LIMiter"] is state


# --- points


@pytest.mark.parametrize("trigger", ["trg", "read"])
@pytest.mark.parametrize("habit", [{}, {"headers": True}, {"joined": False}, {"free_running": True}])
def test_a_sweep_is_the_cell_within_the_noise_and_leaves_the_meter_at_rest(
    trigger: str, habit: dict[str, bool], transport: str, connect: Connect
) -> None:
    device = EmulatedHioki(POUCH_CELL, **habit)  # type: ignore[arg-type]
    sweep = Sweep(1000.0, 0.1, 5, 0.01)
    spectrum = connect(device, transport, trigger=trigger).sweep_spectrum(sweep)
    assert len(spectrum) == sweep.n_points
    errors = np.abs(spectrum.z_ohm / POUCH_CELL.impedance(spectrum.frequency_hz) - 1)
    assert 1e-5 < errors.max() < 5e-3
    assert spectrum.frequency_hz == pytest.approx(sweep.frequencies_hz, rel=0.05)
    assert not device.cell_is_on
    assert not device["INITiate:CONTinuous"]


def test_a_quiet_cell_is_measured_to_the_last_digit_the_meter_sends(connect: Connect) -> None:
    spectrum = connect(EmulatedHioki(POUCH_CELL, noise=0.0)).sweep_spectrum(Sweep(1050.0, 0.1, 10, 0.01))
    assert spectrum.z_ohm == pytest.approx(POUCH_CELL.impedance(spectrum.frequency_hz), rel=1e-5)


def test_the_spectrum_says_that_the_amplitude_was_not_used(meter_device: EmulatedHioki, connect: Connect) -> None:
    meter = connect(meter_device)
    spectrum = meter.sweep_spectrum(SHORT)
    assert "amplitude_v is not used" in spectrum.metadata["excitation"]
    assert "amplitude_v is not used" in spectrum.metadata["status"]["0"]
    assert ":LIMiter ON" in spectrum.metadata["settings"]
    assert meter.capabilities().fixed_amplitude
    assert not meter.capabilities().has_cell_switch


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (1050.0, 1050.0),
        (996.0, 1000.0),
        (144.0, 140.0),
        (99.6, 100.0),
        (31.6, 32.0),
        (3.16, 3.2),
        (0.316, 0.32),
        (0.1, 0.1),
    ],
)
def test_a_frequency_is_rounded_to_what_the_meter_takes_and_said_so(
    asked: float, taken: float, meter_device: EmulatedHioki, connect: Connect
) -> None:
    (point,) = connect(meter_device).sweep(Sweep(asked, asked, 1, 0.01))
    assert point.frequency_set_hz == asked
    assert point.frequency_hz == pytest.approx(taken, rel=1e-6)
    assert point.quality == Quality.OK


def test_a_meter_with_other_steps_refuses_before_it_measures(
    meter_device: EmulatedHioki, connect: Connect
) -> None:
    with pytest.raises(RejectedError, match="FREQuency"):
        list(connect(meter_device, frequency_steps_hz=()).sweep(Sweep(316.0, 100.0, 1, 0.01)))
    device = EmulatedHioki(POUCH_CELL, steps_hz=())
    (point,) = connect(device, frequency_steps_hz=()).sweep(Sweep(316.0, 316.0, 1, 0.01))
    assert point.frequency_hz == 316.0
    assert FREQUENCY_STEPS_HZ


@pytest.mark.parametrize(
    ("fault", "flag", "words"),
    [("overload", Quality.OVERLOAD, "over range"), ("nan", Quality.CONTACT, "measurement fault")],
)
def test_an_error_value_is_a_flagged_point_and_never_an_impedance(
    fault: str, flag: Quality, words: str, connect: Connect
) -> None:
    device = EmulatedHioki(POUCH_CELL, faults=Faults(points={1: fault}))  # type: ignore[dict-item]
    points = list(connect(device).sweep(SHORT))
    assert len(points) == 4
    assert points[1].quality == flag | Quality.NOT_A_NUMBER
    assert points[1].status == words
    assert np.isnan(points[1].z_ohm)
    assert "E+" in points[1].raw
    assert [point.quality for point in points if point.index != 1] == [Quality.OK] * 3


def test_a_cell_beyond_the_range_is_over_range(connect: Connect, meter_device: EmulatedHioki) -> None:
    spectrum = connect(meter_device, range_ohm=3e-3).sweep_spectrum(SHORT)
    assert len(spectrum) == 0
    assert spectrum.all_frequency_hz.size == 4


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_point_without_a_result_is_asked_for_again_once_the_meter_is_known_to_be_at_rest(
    connect: Connect,
) -> None:
    device = EmulatedHioki(POUCH_CELL, faults=Faults(points={1: "runtime_error"}), noise=0.0)
    points = list(connect(device).sweep(SHORT))
    assert [point.attempt for point in points] == [1, 2, 1, 1]
    begun = [index for index, line in enumerate(device.log) if "*TRG" in line]
    assert ":INITiate:CONTinuous OFF;*WAI;:INITiate:CONTinuous?" in device.log[begun[1] : begun[2]]


def test_the_voltage_of_the_cell_is_kept_with_each_point_and_can_be_asked_for(
    transport: str, connect: Connect
) -> None:
    device = EmulatedHioki(POUCH_CELL, voltage_v=2.5)
    meter = connect(device, transport)
    assert meter.ocv(0.0) == 2.5
    assert meter.ocv(0.05) == pytest.approx(2.5)
    assert not device.cell_is_on
    assert all(",+2.50000E+00;" in point.raw for point in meter.sweep(SHORT))


def test_a_voltage_that_cannot_be_measured_is_no_voltage(connect: Connect) -> None:
    device = EmulatedHioki(POUCH_CELL, voltage_v=1e9)
    meter = connect(device)
    with pytest.raises(InstrumentError, match="voltage"):
        meter.ocv(0.0)
    assert not device.cell_is_on
    assert next(meter.sweep(SHORT)).status.startswith("voltage not measured")


def test_waiting_is_as_long_as_the_slowest_point_may_take(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, meter_device: EmulatedHioki
) -> None:
    waits: list[float] = []
    ask = PointByPoint._ask

    def noting(self: PointByPoint, text: str, timeout_s: float | None = None) -> str:
        if "*TRG" in text and timeout_s is not None:
            waits.append(timeout_s)
        return ask(self, text, timeout_s)

    monkeypatch.setattr(PointByPoint, "_ask", noting)
    connect(meter_device, average=3, patience_s=10.0).sweep_spectrum(SWEEP)
    assert waits[-1] >= 3 * 50.0
    assert waits == sorted(waits)


# --- the meter is at rest, or somebody is told that it may not be


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_meter_is_at_rest_when_the_consumer_fails(
    transport: str, error: type[BaseException], connect: Connect
) -> None:
    device = paced()
    meter = connect(device, transport)

    def consume() -> None:
        for point in meter.sweep(SHORT):
            if point.index == 1:
                raise error

    with pytest.raises(error):
        consume()
    assert not device.cell_is_on
    assert not device["INITiate:CONTinuous"]


def test_the_meter_is_at_rest_after_an_abort_in_mid_point(transport: str, connect: Connect) -> None:
    device = paced()
    meter = connect(device, transport)
    points = meter.sweep(Sweep(1.0, 0.1, 1, 0.01))  # takes 3 s and 30 s, so 60 ms and 600 ms
    next(points)
    timer = threading.Timer(0.1, meter.abort)
    timer.start()
    with pytest.raises(AbortedError):
        next(points)
    timer.join()
    assert not device.cell_is_on
    assert not device["INITiate:CONTinuous"]


def test_a_meter_that_runs_by_itself_is_brought_to_rest(transport: str, connect: Connect) -> None:
    device = EmulatedHioki(POUCH_CELL, free_running=True, headers=True)
    meter = connect(device, transport)
    assert device.cell_is_on
    meter.cell_off()
    assert not device.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_meter_that_goes_on_measuring_is_not_called_at_rest(
    meter_device: EmulatedHioki, connect: Connect
) -> None:
    meter_device.command("INITiate:CONTinuous?", lambda call: "ON")
    with pytest.raises(CellStateUnknownError, match="goes on measuring"):
        connect(meter_device).cell_off()


def test_an_abort_without_a_sweep_sends_nothing(meter_device: EmulatedHioki, connect: Connect) -> None:
    connect(meter_device).abort()
    assert meter_device.log == ["*IDN?"]


def test_one_thing_at_a_time(meter_device: EmulatedHioki, connect: Connect) -> None:
    meter = connect(meter_device)
    points = meter.sweep(SHORT)
    next(points)
    with pytest.raises(BusyError):
        next(meter.sweep(SHORT))
    with pytest.raises(BusyError):
        meter.ocv()
    assert len(list(points)) == 3


@pytest.mark.parametrize("fault", ["unplug", "hang"])
@pytest.mark.usefixtures("impatient")
def test_somebody_is_told_when_the_meter_does_not_confirm_that_it_is_at_rest(
    transport: str, fault: str, connect: Connect, answer_s: float
) -> None:
    device = EmulatedHioki(POUCH_CELL, faults=Faults(lines={FIRST_POINT + 2: fault}))  # type: ignore[dict-item]
    meter = connect(device, transport, patience_s=answer_s)
    received, told = collect(meter, SHORT)
    assert isinstance(told, CellStateUnknownError)
    assert len(received) == 2
    with pytest.raises(CellStateUnknownError):
        meter.close()


def require_honest(device: EmulatedHioki, received: list[Point], told: EisError | None, n_points: int) -> None:
    """The meter is at rest or somebody was told; no point is lost, in doubt, or another one's."""
    where = f"{device._faults}, {told!r}"
    assert isinstance(told, CellStateUnknownError) or not device.cell_is_on, where
    assert told or len(received) == n_points, where
    assert [point.index for point in received] == list(range(len(received))), where
    for point in received:
        asked_hz = point.frequency_set_hz
        assert point.frequency_hz == pytest.approx(asked_hz, rel=0.04), where
        if point.quality == Quality.OK:
            assert point.z_ohm == pytest.approx(POUCH_CELL.impedance(point.frequency_hz)[0], rel=1e-4), where
        else:
            assert np.isnan(point.z_ohm), where
            assert point.quality & (Quality.OVERLOAD | Quality.CONTACT), where


@pytest.mark.parametrize("fault", LINE_FAULTS)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_to_any_line_the_meter_is_at_rest_or_somebody_is_told(
    fault: str, connect: Connect
) -> None:
    for line in range(1, FIRST_POINT + 5):
        device = EmulatedHioki(POUCH_CELL, faults=Faults(lines={line: fault}), noise=0.0)  # type: ignore[dict-item]
        meter = connect(device, patience_s=0.03)
        require_honest(device, *collect(meter, SHORT), n_points=4)
        assert any("*TRG" in entry for entry in device.log) == (line >= FIRST_POINT or fault == "repeat")


@pytest.mark.parametrize("fault", ["truncate", "garbage", "repeat", "lose", "drop"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_passing_fault_in_mid_sweep_costs_no_point(fault: str, connect: Connect) -> None:
    for line in range(FIRST_POINT, FIRST_POINT + 4):
        device = EmulatedHioki(POUCH_CELL, faults=Faults(lines={line: fault}), noise=0.0)  # type: ignore[dict-item]
        received, told = collect(connect(device, patience_s=0.03), SHORT)
        assert told is None
        require_honest(device, received, told, n_points=4)
        assert [point.attempt for point in received].count(2) == (fault != "repeat")


@pytest.mark.parametrize("seed", range(number(2, thorough=4)))
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_random_faults_leave_nothing_wrong_and_nothing_on(seed: int, connect: Connect) -> None:
    rng = np.random.default_rng(seed)
    outcomes: set[str] = set()
    for _ in range(75):
        kinds = rng.choice(LINE_FAULTS, size=6, p=[0.2, 0.2, 0.2, 0.2, 0.03, 0.12, 0.05])
        lines = {int(rng.integers(1, 60)): str(kind) for kind in kinds[: rng.integers(1, 7)]}
        points = {int(rng.integers(0, 6)): str(rng.choice(["overload", "nan", "runtime_error"])) for _ in range(2)}
        habit = {"joined": bool(rng.integers(2)), "free_running": bool(rng.integers(2))}
        faults = Faults(points=points, lines=lines)  # type: ignore[arg-type]
        device = EmulatedHioki(POUCH_CELL, faults=faults, noise=0.0, **habit)  # type: ignore[arg-type]
        received, told = collect(connect(device, patience_s=0.03), SHORT)
        if habit["free_running"] and not any("*TRG" in line for line in device.log):
            assert told  # refused before it began: the meter was left as somebody had it
            assert not received
        else:
            require_honest(device, received, told, n_points=4)
        outcomes.add(type(told).__name__)
    assert {"NoneType", "LinkError"} <= outcomes


@pytest.mark.parametrize("fault", ["hang", "lose", "truncate", "garbage", "drop", "unplug"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_meter_that_does_not_say_who_it_is_is_not_connected(fault: str, connect: Connect) -> None:
    device = EmulatedHioki(POUCH_CELL, faults=Faults(lines=dict.fromkeys(range(20), fault)))  # type: ignore[arg-type]
    with pytest.raises(InstrumentError):
        connect(device)
    assert set(device.log) <= {"*IDN?"}


@pytest.mark.parametrize(
    "raw",
    [
        "1,2,3",
        "1,2,nan;1000",
        "1,2,3,4;1000",
        "1,2;1000",
        "1,2,3;100",
        "1,2,3;-1000",
        "1,2,3;1000;1000",
        "1_0,2,3;1000",
        ",,;",
    ],
)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_an_answer_that_is_not_exactly_what_was_asked_for_is_no_point(
    raw: str, connect: Connect, meter_device: EmulatedHioki
) -> None:
    meter = connect(meter_device, patience_s=0.03)
    send = meter_device._say
    meter_device._say = lambda text: send(f"{raw}\r\n" if text.count(",") == 2 else text)  # type: ignore[method-assign]
    received, told = collect(meter, Sweep(1000.0, 1000.0, 1, 0.01))
    assert not received
    assert isinstance(told, LinkError)
    assert not meter_device.cell_is_on


@pytest.mark.parametrize(
    "raw", ["-   7.51E-3,  +1.36E-3, 3.7E+0;1000.00", "-7.51E-3,+1.36E-3,3.7;:FREQUENCY 1000"]
)
def test_blanks_are_read_over_but_a_header_that_was_switched_off_is_not(
    raw: str, connect: Connect, meter_device: EmulatedHioki, impatient: None
) -> None:
    meter = connect(meter_device, patience_s=0.03)
    send = meter_device._say
    meter_device._say = lambda text: send(f"{raw}\r\n" if text.count(",") == 2 else text)  # type: ignore[method-assign]
    received, told = collect(meter, Sweep(1000.0, 1000.0, 1, 0.01))
    if ":" in raw:
        assert isinstance(told, LinkError)
    else:
        assert received[0].z_ohm == complex(-7.51e-3, 1.36e-3)


# --- the emulated meter


def said(device: EmulatedHioki, *lines: str) -> list[str]:
    """Say lines to a device, waiting for each; return what it answers."""
    answers: list[bytes] = []
    for line in lines:
        answers += device.feed(f"{line}\r\n".encode())
        while (due := device.next_due) is not None:
            device.clock.seconds_until(due)
            answers += device.due()
    return b"".join(answers).decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("line", "bits"),
    [
        (":FREQ 2000", 16),
        (":FREQ abc;:FREQ?", 32),
        (":FREQUENC 10;:FREQ?", 32),
        (":RANG 1", 16),
        (":SAMP:RATE Z", 32),
        (":SAMP:RATE Q,FAST", 16),
        ("*TRG;:FETC?", 16),
        (":FETC?", 16),
        (":INIT:CONT ON;:TRIG:SOUR EXT;:READ?", 16),
        (":FREQ?;" * 40, 8),
    ],
)
def test_the_emulated_meter_is_silent_after_an_error_and_says_why_when_asked(line: str, bits: int) -> None:
    device = EmulatedHioki(POUCH_CELL)
    said(device, "*CLS")
    assert said(device, line) == []
    assert said(device, "*ESR?", ":FREQ?") == [f"+{bits}", "1000.00"]


def test_the_emulated_meter_carries_current_while_it_measures_and_not_longer() -> None:
    device = EmulatedHioki(POUCH_CELL)
    said(device, ":FUNC RV;:FREQ 1;:INIT:CONT ON")
    assert not device.cell_is_on
    device.feed(b"*TRG;*WAI;:FETC?\r\n")
    assert device.cell_is_on
    assert said(device, ":INIT:CONT OFF;*WAI;:INIT:CONT?")[-1] == "OFF"
    assert not device.cell_is_on


def test_the_emulated_meter_knows_all_its_functions() -> None:
    device = EmulatedHioki(POUCH_CELL, noise=0.0)
    z = POUCH_CELL.impedance(1000.0)[0]
    said(device, ":INIT:CONT ON")
    answers = {f: said(device, f":FUNC {f};*TRG;*WAI;:FETC?")[0].split(",") for f in ("RV", "ZV", "R", "Z", "V")}
    assert [len(answer) for answer in answers.values()] == [3, 3, 2, 2, 1]
    assert complex(*map(float, answers["R"])) == pytest.approx(z, rel=1e-5)
    assert float(answers["Z"][0]) == pytest.approx(abs(z), rel=1e-5)
