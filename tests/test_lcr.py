"""The LCR bridge driver: what it refuses, how the cell ends up off, and what it makes of what it is told."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eis.errors import (
    AbortedError,
    CellStateUnknownError,
    ConfigError,
    EisError,
    InstrumentError,
    LinkError,
    RejectedError,
)
from eis.spectrum import Quality
from instruments import Sweep, bridge, lcr, lcr_dialects, pointwise
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.lcr import MODELS, SOURCE_OHM, EmulatedLcr
from instruments.emulated.tcp import TcpServer
from instruments.emulated.transports import Transport
from instruments.lcr import LcrBridge, monitored_levels
from instruments.lcr_dialects import DIALECTS, recognised
from instruments.potentiostat import Point
from instruments.readback import agree
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog")

Connect = Callable[..., LcrBridge]

LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug")
FIRST_LINE_OF_A_SWEEP = 2  # after those for *IDN? and *OPT?
LINES_OF_A_SWEEP = 22  # the first after one of three points with an E4980A
SWEEP = Sweep(1e5, 1e3, 5, 0.01)
SHORT = Sweep(1e5, 1e4, 2, 0.01)


@pytest.fixture
def connected(serve: Callable[..., Transport]) -> Iterator[Connect]:
    """Connect to a device over a transport; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def start(device: EmulatedLcr, transport: str = "in-process", **options: Any) -> LcrBridge:
            served = serve(device, transport)
            ours = {"patience_s": 0.3, "cell": "symmetric", "aperture": "short"}
            meter = LcrBridge.open(served.resource, backend=served.backend, **(ours | options))
            stack.callback(meter.link.close)
            return meter

        yield start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, answer_s: float) -> None:
    """Make the driver give up soon, for tests in which the instrument never answers."""
    monkeypatch.setattr(bridge, "ANSWER_S", answer_s)
    monkeypatch.setattr(pointwise, "ANSWER_S", answer_s)
    monkeypatch.setattr(lcr, "CYCLES_PER_AVERAGE", 0.0)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    monkeypatch.setattr("instruments.sweep.predicted_point_s", lambda frequency_hz: 0.0)
    for name, row in DIALECTS.items():
        quick = {length: (word, 0.0) for length, (word, _) in row.apertures.items()}
        monkeypatch.setitem(lcr_dialects.DIALECTS, name, replace(row, apertures=quick))


def paced(**options: Any) -> EmulatedLcr:
    """An instrument that takes real time over its points, so that there is a middle of a sweep."""
    return EmulatedLcr(SYMMETRIC, clock=RealClock(), **options)


def iter_into(received: list[Point], meter: LcrBridge, sweep: Sweep) -> None:
    """Collect points one by one, so that those before an error are there."""
    for point in meter.sweep(sweep):
        received.append(point)


# --- what never reaches the wire


def test_a_cell_that_may_have_a_voltage_is_refused_with_the_reason_and_nothing_is_sent(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device, cell=None)
    device.log.clear()
    with pytest.raises(RejectedError, match=r"V / 100 ohm, 37 mA at 3\.7 V.*cell=\"blocking\""):
        meter.sweep(SHORT)
    assert device.log == []


@pytest.mark.parametrize("cell", ["blocking", "symmetric", "dc-blocked"])
def test_a_cell_that_carries_no_direct_current_is_measured(cell: str, connected: Connect) -> None:
    assert len(list(connected(EmulatedLcr(SYMMETRIC), cell=cell).sweep(SHORT))) == 3


@pytest.mark.parametrize(
    ("name", "sweep"),
    [
        ("start_hz", Sweep(2.1e6, 1e3, 5, 0.01)),
        ("stop_hz", Sweep(1e5, 19.0, 5, 0.01)),
        ("amplitude_v", Sweep(1e5, 1e3, 5, 2.1)),
        ("amplitude_v", Sweep(1e5, 1e3, 5, 1e-4)),
        ("dc_v", Sweep(1e5, 1e3, 5, 0.01, -0.1)),
        ("dc_v", Sweep(1e5, 1e3, 5, 0.01, 2.1)),
        ("dc_v", Sweep(1e5, 1e3, 5, 0.01, 0.7)),
    ],
)
def test_a_set_point_outside_the_limits_never_reaches_the_wire(
    name: str, sweep: Sweep, connected: Connect
) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device)
    device.log.clear()
    with pytest.raises(RejectedError, match=name):
        meter.sweep(sweep)
    assert device.log == []


@pytest.mark.parametrize(
    "option",
    [
        {"cell": "battery"},
        {"dialect": "4294a"},
        {"aperture": "huge"},
        {"averages": 0},
        {"averages": 256},
        {"settle_s": math.nan},
    ],
)
def test_an_option_that_does_not_exist_is_refused(option: Mapping[str, object], connected: Connect) -> None:
    with pytest.raises(ConfigError, match="Choose"):
        connected(EmulatedLcr(SYMMETRIC), **option)


def test_level_control_is_refused_where_it_is_not_known_to_exist(connected: Connect) -> None:
    with pytest.raises(ConfigError, match="level_control"):
        connected(EmulatedLcr(SYMMETRIC, model="th2826"), level_control=True)


def test_an_instrument_of_another_kind_is_named_and_the_way_out_is_said(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="th2826")
    device.command("*IDN?", lambda call: "Trinix,TX6010,1.0")
    with pytest.raises(InstrumentError, match=r"Trinix,TX6010.*dialect=\"generic\""):
        connected(device)
    meter = connected(device, dialect="generic")
    assert len(list(meter.sweep(SHORT))) == 3
    assert not device.cell_is_on


# --- the cell is off, or somebody is told that it may not be


@pytest.mark.parametrize("model", MODELS)
def test_the_bias_is_off_and_the_level_the_lowest_after_a_sweep(
    model: str, transport: str, connected: Connect
) -> None:
    device = EmulatedLcr(SYMMETRIC, model=model)
    assert len(list(connected(device, transport).sweep(SWEEP))) == 11
    assert not device.cell_is_on
    assert not any("*RST" in line for line in device.log)
    assert not device.errors


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_cell_is_off_when_the_consumer_fails(
    transport: str, error: type[BaseException], connected: Connect
) -> None:
    device = paced(model="e4980a-001")
    meter = connected(device, transport)

    def consume() -> None:
        for point in meter.sweep(Sweep(1e5, 1e3, 5, 0.01, -3.0)):
            assert device.cell_is_on
            assert device["BIAS:STATe"]
            if point.index == 3:
                raise error

    with pytest.raises(error):
        consume()
    assert not device.cell_is_on
    assert not device["BIAS:STATe"]


def test_the_cell_is_off_when_the_meter_is_closed_in_mid_sweep(transport: str, connected: Connect) -> None:
    device = paced()
    with connected(device, transport) as meter:
        points = meter.sweep(SWEEP)
        next(points)
        assert device.cell_is_on
    assert not device.cell_is_on
    with pytest.raises(AbortedError, match="switched off"):
        next(points)
    assert not device.cell_is_on


def test_a_sweep_whose_cell_was_switched_off_does_not_go_on(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device)
    points = meter.sweep(SWEEP)
    next(points)
    meter.cell_off()
    with pytest.raises(AbortedError, match="switched off"):
        next(points)
    assert not device.cell_is_on


@pytest.mark.parametrize("model", ["e4980a", "th2826"])
def test_the_cell_is_off_after_an_abort_from_another_thread(
    model: str, transport: str, connected: Connect
) -> None:
    device = paced(model=model)
    meter = connected(device, transport, averages=100, patience_s=5.0)  # more than a second per point
    points = meter.sweep(SWEEP)
    thread = threading.Timer(0.2, meter.abort)
    thread.start()
    with pytest.raises(AbortedError):
        next(points)
    thread.join()
    assert not device.cell_is_on


def test_an_abort_without_a_sweep_sends_nothing(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device)
    device.log.clear()
    meter.abort()
    assert device.log == []


def test_a_bias_that_stays_on_is_not_reported_as_off(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.command("BIAS:STATe?", lambda call: "1")
    meter = connected(device)
    with pytest.raises(CellStateUnknownError, match="The bias stays on"):
        meter.cell_off()


def test_a_level_that_stays_up_is_not_reported_as_off(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.command("VOLTage[:LEVel]?", lambda call: "+1.00000E+00")
    meter = connected(device)
    with pytest.raises(CellStateUnknownError, match="The level stays at 1 V"):
        meter.cell_off()


def test_a_level_that_was_set_as_a_current_is_taken_off_too(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.feed(b"CURR 0.01\n")
    assert device.cell_is_on
    connected(device).cell_off()
    assert not device.cell_is_on


@pytest.mark.parametrize("model", ["e4980a", "4284a"])
def test_a_reset_by_somebody_else_puts_a_volt_on_the_cell_and_the_next_sweep_ends_that(
    model: str, connected: Connect
) -> None:
    device = EmulatedLcr(SYMMETRIC, model=model)
    device.feed(b"*RST\n")
    assert device.cell_is_on
    assert len(list(connected(device).sweep(SHORT))) == 3
    assert not device.cell_is_on


@pytest.mark.parametrize("fault", ["unplug", "hang"])
@pytest.mark.usefixtures("impatient")
def test_somebody_is_told_when_the_cell_cannot_be_verified_to_be_off(
    transport: str, fault: str, connected: Connect, answer_s: float
) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(lines={LINES_OF_A_SWEEP - 3: fault}))  # type: ignore[dict-item]
    meter = connected(device, transport, patience_s=answer_s)
    with pytest.raises(CellStateUnknownError, match="Go to the instrument"):
        list(meter.sweep(SHORT))
    assert device.cell_is_on
    with pytest.raises(CellStateUnknownError):  # closing tries once more, and says so again
        meter.close()


def assess(device: EmulatedLcr, meter: LcrBridge, where: str) -> EisError | None:
    """Measure; the cell must end up off, or somebody be told, and every point be the cell's or be flagged."""
    told = None
    received: list[Point] = []
    try:
        iter_into(received, meter, SHORT)
    except EisError as error:
        told = error
    where = f"{where}, {told!r}"
    assert not device.cell_is_on or isinstance(told, CellStateUnknownError), where
    assert told or len(received) == 3, where
    for point in received:
        assert point.z_ohm == pytest.approx(SYMMETRIC.impedance(point.frequency_hz)[0], rel=1e-5), where
        assert point.frequency_hz == pytest.approx(point.frequency_set_hz, rel=1e-3), where
        assert point.quality == Quality.OK, where
    return told


@pytest.mark.parametrize("fault", LINE_FAULTS)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_to_any_line_the_cell_is_off_or_somebody_is_told(fault: str, connected: Connect) -> None:
    survived = 0
    for line in range(FIRST_LINE_OF_A_SWEEP, LINES_OF_A_SWEEP):
        faults = Faults(lines={line: fault})  # type: ignore[dict-item]
        device = EmulatedLcr(SYMMETRIC, faults=faults, noise=0.0)
        meter = connected(device, patience_s=0.03)
        survived += assess(device, meter, f"{fault} at line {line}") is None
        assert line < device._lines, "no line this late is sent"
    every = LINES_OF_A_SWEEP - FIRST_LINE_OF_A_SWEEP
    assert survived >= (every if fault == "repeat" else 0 if fault in ("hang", "unplug") else 3)


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_no_schedule_of_faults_leaves_the_cell_on_in_silence_or_stores_a_wrong_value(connected: Connect) -> None:
    rng = np.random.default_rng(20)
    models = ("e4980a", "4284a", "th2826", "lcx200")
    survived = 0
    for trial in range(number(80, thorough=200)):
        places = rng.choice(np.arange(FIRST_LINE_OF_A_SWEEP, 40), size=rng.integers(1, 5), replace=False)
        weights = [0.2, 0.2, 0.25, 0.15, 0.02, 0.16, 0.02]
        faults = {int(place): str(rng.choice(LINE_FAULTS, p=weights)) for place in places}
        model = models[trial % len(models)]
        device = EmulatedLcr(SYMMETRIC, model=model, faults=Faults(lines=faults), noise=0.0)  # type: ignore[arg-type]
        try:
            meter = connected(device, patience_s=0.03)
        except InstrumentError:
            continue  # it did not say who it is
        survived += assess(device, meter, f"{model}, {faults}") is None
        meter.link.close()
    assert survived > 0.3 * (trial + 1)


@pytest.mark.parametrize("fault", ["hang", "lose", "truncate", "garbage", "drop", "unplug"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_an_instrument_that_does_not_say_who_it_is_is_not_connected(fault: str, connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(lines={0: fault}))  # type: ignore[dict-item]
    with pytest.raises(InstrumentError):
        connected(device)


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_point_the_instrument_fails_to_measure_is_measured_again(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points={1: "runtime_error"}), noise=0.0)
    points = list(connected(device).sweep(SHORT))
    assert [point.attempt for point in points] == [1, 2, 1]
    assert points[1].z_ohm == pytest.approx(SYMMETRIC.impedance(points[1].frequency_hz)[0], rel=1e-6)


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_point_it_never_measures_ends_the_sweep_with_what_the_instrument_says(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points=dict.fromkeys(range(1, 9), "runtime_error")))
    received: list[Point] = []
    with pytest.raises(LinkError, match=r"-310,.System error"):
        iter_into(received, connected(device), SHORT)
    assert len(received) == 1
    assert not device.cell_is_on


# --- settings


def test_connecting_only_asks(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    connected(device).close()
    assert device.log == ["*IDN?", "*OPT?"]


def test_settings_are_the_ones_asked_for(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="e4980a-001")
    options = {"aperture": "long", "averages": 3, "range_ohm": 100.0, "level_control": True, "settle_s": 0.5}
    points = connected(device, **options).sweep(Sweep(1e5, 1e4, 2, 0.025, -1.25))
    next(points)
    assert device.feed(b"APER?;:FUNC:IMP?;IMP:RANG?;RANG:AUTO?\n") == [b"LONG,3;RX;+1.00000E+02;0\n"]
    assert device.feed(b"AMPL:ALC?;:TRIG:DEL?;SOUR?\n") == [b"1;+5.00000E-01;BUS\n"]
    assert device.feed(b"VOLT?;:BIAS:VOLT?;STAT?\n") == [b"+2.50000E-02;-1.25000E+00;1\n"]
    points.close()
    assert not device.cell_is_on


def test_without_a_direct_voltage_the_bias_is_never_switched_on(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    list(connected(device).sweep(SHORT))
    assert not any("STAT ON" in line for line in device.log)


@pytest.mark.parametrize("header", ["FUNCtion:IMPedance[:TYPE]?", "VOLTage[:LEVel]?", "TRIGger:SOURce?"])
def test_a_setting_the_instrument_does_not_take_ends_the_sweep_before_it_begins(
    header: str, connected: Connect
) -> None:
    device = EmulatedLcr(SYMMETRIC)
    told = device.feed
    meter = connected(device)
    device.command(header, lambda call: "+0.00000E+00")
    with pytest.raises(RejectedError, match="did not take"):
        list(meter.sweep(SHORT))
    assert told is not None
    assert not device.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_command_the_instrument_does_not_know_is_told_with_its_own_error(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="4284a")
    with pytest.raises(RejectedError, match=r"FORM:ASC:LONG ON: -113,.Undefined header"):
        list(connected(device, dialect="e4980a", idle_level_v=0.005).sweep(SHORT))


def test_limits_follow_the_options_that_are_fitted(connected: Connect) -> None:
    limits = {
        model: connected(EmulatedLcr(SYMMETRIC, model=model)).capabilities()
        for model in ("e4980a", "e4980a-001", "e4980al", "th2826")
    }
    assert limits["e4980a"].v_dc == (0.0, 2.0)
    assert limits["e4980a-001"].v_dc == (-40.0, 40.0)
    assert limits["e4980a-001"].v_ac_rms[1] == 20.0
    assert limits["e4980al"].f_max_hz == 500e3
    assert limits["th2826"].v_dc == (0.0, 0.0)  # until somebody says what it has
    assert all(can.blocking_cell_only and can.source_resistance_ohm == 100.0 for can in limits.values())
    assert not any(can.has_cell_switch or can.instrument_verified for can in limits.values())


def test_limits_that_are_not_known_can_be_given(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="th2826")
    meter = connected(device, f_hz=(20.0, 5e6), v_dc=(-5.0, 5.0))
    assert len(list(meter.sweep(Sweep(5e6, 5e5, 2, 0.01, 1.0)))) == 3
    assert ":BIAS:VOLT 1;:BIAS:VOLT?" in device.log


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Agilent Technologies,E4980A,MY46414844,A.06.15", "e4980a"),
        ("Keysight Technologies,E4980A,MY54304412,A.02.10", "e4980a"),
        ("Keysight Technologies,E4980AL,MY54304412,A.06.30", "e4980al"),
        ("HEWLETT-PACKARD,4284A,2940J02283,REV01.20", "4284a"),
        ("Tonghui,TH2826,VER2.3.7", "tonghui"),
        ("BK Precision,895,12345,1.07", "bk894"),
        ("Rohde&Schwarz,LCX200,3629.8856k03/101025,02.001", "lcx"),
        ("Keysight Technologies,E4990A,MY54100878,A.03.02", None),
        ("Keysight Technologies,34465A,MY54304412,A.02.10", None),
        ("tespico1304", None),
        ("", None),
    ],
)
def test_an_instrument_is_recognised_by_what_it_says(answer: str, name: str | None) -> None:
    row = recognised(answer)
    assert (row and row.name) == name


@pytest.mark.parametrize(
    ("taken", "asked", "do"),
    [
        ("+1.00000E-02", "0.01", True),
        ("+1.02000E-02", "0.01", False),
        ("SHOR,1", "SHORT,1", True),
        ("SHOR,1", "SLOW,1", False),
        ("LONG,16", "LONG,1", False),
        ("1", "ON", True),
        ("OFF", "0", True),
        ("0", "ON", False),
        ("R", "RX", False),
        ("R", "R", True),
        ("ASC", "ASCII", True),
        ("", "RX", False),
        ("1;0", "1", False),
    ],
)
def test_what_was_read_back_is_compared_with_what_was_written(taken: str, asked: str, do: bool) -> None:
    assert agree(taken, asked) is do


def test_corrections_can_be_asked_for(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.feed(b"CORR:LENG 1;OPEN:STAT ON\n")
    assert connected(device).corrections() == {"length": "1", "open": "1", "short": "0", "load": "0"}


# --- points


@pytest.mark.parametrize("model", MODELS)
def test_a_sweep_is_the_cell_within_the_noise(model: str, transport: str, connected: Connect) -> None:
    sweep = Sweep(1e5, 20.0, 10, 0.02)
    spectrum = connected(EmulatedLcr(SYMMETRIC, model=model), transport).sweep_spectrum(sweep)
    truth = SYMMETRIC.impedance(spectrum.frequency_hz)
    errors = np.abs(spectrum.z_ohm / truth - 1)
    assert len(spectrum) == sweep.n_points
    assert spectrum.frequency_hz == pytest.approx(sweep.frequencies_hz, rel=6e-4)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(np.sqrt(2) * 1e-3, rel=0.35)


def test_without_noise_a_point_is_the_cell_to_the_last_digit_that_is_sent(connected: Connect) -> None:
    points = list(connected(EmulatedLcr(SYMMETRIC, noise=0.0)).sweep(SWEEP))
    measured = np.array([point.z_ohm for point in points])
    assert measured == pytest.approx(SYMMETRIC.impedance([point.frequency_hz for point in points]), rel=1e-9)


def test_a_point_has_the_frequency_the_instrument_took_not_the_one_it_was_told(connected: Connect) -> None:
    (point,) = connected(EmulatedLcr(SYMMETRIC)).sweep(Sweep(12346.0, 12346.0, 5, 0.01))
    assert (point.frequency_set_hz, point.frequency_hz) == (12346.0, 12350.0)


def test_the_level_that_reaches_the_cell_is_kept_with_the_point(connected: Connect) -> None:
    for point in connected(EmulatedLcr(SYMMETRIC, noise=0.0)).sweep(SWEEP):
        levels = monitored_levels(point)
        z_ohm = abs(point.z_ohm)
        assert levels.voltage_v == pytest.approx(0.01 * z_ohm / abs(SOURCE_OHM + point.z_ohm), rel=1e-5)
        assert levels.voltage_v == pytest.approx(levels.current_a * z_ohm, rel=1e-5)


def test_with_level_control_the_level_is_the_one_at_the_cell(connected: Connect) -> None:
    (point,) = connected(EmulatedLcr(SYMMETRIC), level_control=True).sweep(Sweep(1e3, 1e3, 5, 0.01))
    assert monitored_levels(point).voltage_v == pytest.approx(0.01)


@pytest.mark.parametrize(("model", "options"), [("lcx200", {}), ("e4980a", {"monitor": False})])
def test_without_monitors_no_level_is_made_up(
    model: str, options: Mapping[str, object], connected: Connect
) -> None:
    (point,) = connected(EmulatedLcr(SYMMETRIC, model=model), **options).sweep(Sweep(1e3, 1e3, 5, 0.02))
    assert monitored_levels(point) == lcr.Levels(None, None)


@pytest.mark.parametrize("model", ["e4980a", "th2826"])
@pytest.mark.parametrize(
    ("status", "flag", "words", "has_value"),
    [
        (-1, Quality.NOT_A_NUMBER, "-1: no data", False),
        (1, Quality.OVERLOAD | Quality.NOT_A_NUMBER, "1: ", False),
        (3, Quality.SOURCE_LIMIT, "3: signal source overloaded", True),
        (4, Quality.LEVEL_NOT_HELD, "4: level control unable to regulate", True),
        (7, Quality.UNKNOWN_CODE, "7: unknown status", True),
    ],
)
def test_a_flagged_point_is_kept_with_its_flag_and_its_line(
    model: str, status: int, flag: Quality, words: str, has_value: bool, connected: Connect
) -> None:
    device = EmulatedLcr(SYMMETRIC, model=model, statuses={2: status})
    points = list(connected(device).sweep(SWEEP))
    assert len(points) == 11
    assert points[2].quality == flag
    assert points[2].status.startswith(words)
    assert math.isnan(abs(points[2].z_ohm)) is not has_value
    assert f",{status:+d};" in points[2].raw
    assert [point.quality for point in points if point.index != 2] == [Quality.OK] * 10


def test_a_converter_that_does_not_work_is_told_by_those_that_can(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, model="th2826", statuses={0: 2})
    (point,) = connected(device).sweep(Sweep(1e3, 1e3, 5, 0.01))
    assert (point.quality, point.status) == (Quality.NOT_A_NUMBER, "2: A/D converter not working")


def test_no_value_without_a_status_that_says_so_is_flagged_as_well(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points={1: "nan"}))
    points = list(connected(device).sweep(SHORT))
    assert (points[1].quality, points[1].status) == (Quality.NOT_A_NUMBER, "0: no value")
    assert monitored_levels(points[1]) == lcr.Levels(None, None)


def test_flags_reach_the_spectrum(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points={2: "overload", 5: "overload_warning"}))
    spectrum = connected(device).sweep_spectrum(SWEEP)
    assert (spectrum.all_frequency_hz.size, len(spectrum)) == (11, 10)
    assert spectrum.metadata["status"] == {"2": "1: overload", "5": "3: signal source overloaded"}


@pytest.mark.parametrize(
    "result",
    ["+1.0E+01", "+1.0E+01,+2.0E+00", "1,2,0,0,0", "1,2,0.5", "1,two,0", "1,,0", "nan,1,0", "inf,inf,0", ""],
)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_result_that_is_not_one_is_never_stored(result: str, connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.command("*TRG", lambda call: result)
    with pytest.raises(LinkError):
        list(connected(device).sweep(SHORT))
    assert not device.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_the_point_of_another_frequency_is_never_stored(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    device.command("FREQuency[:CW]?", lambda call: "+1.00000E+05")
    received: list[Point] = []
    with pytest.raises(LinkError, match="received one at 100000 Hz"):
        iter_into(received, connected(device), SHORT)
    assert [point.frequency_hz for point in received] == [1e5]


def test_an_instrument_that_does_not_answer_a_trigger_can_be_asked_for_its_result(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, noise=0.0)
    device.command("*TRG", lambda call: device.trigger and device.trigger.fire())
    points = list(connected(device, measure=":TRIG;:FETC?").sweep(SWEEP))
    measured = np.array([point.z_ohm for point in points])
    assert measured == pytest.approx(SYMMETRIC.impedance([point.frequency_hz for point in points]), rel=1e-9)


def test_averaging_takes_longer_and_the_driver_waits_that_long(connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC)
    meter = connected(device, aperture="long", averages=255, patience_s=0.0)
    begun = device.clock.now()
    assert len(list(meter.sweep(SHORT))) == 3
    assert device.clock.now() - begun > 3 * 255 * 0.2


# --- over what these instruments are reached by in a laboratory


@pytest.fixture(params=("hislip", "vxi11", "prologix"))
def bus(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_sweep_over_a_bus_is_the_cell_and_ends_with_the_cell_off(bus: str, connected: Connect) -> None:
    device = EmulatedLcr(SYMMETRIC, noise=0.0)
    points = list(connected(device, bus).sweep(SWEEP))
    truth = SYMMETRIC.impedance([point.frequency_hz for point in points])
    assert np.array([point.z_ohm for point in points]) == pytest.approx(truth, rel=1e-9)
    assert not device.cell_is_on
    assert not device.errors


def test_an_abort_over_a_bus_does_not_wait_for_the_point(bus: str, connected: Connect) -> None:
    device = paced()
    meter = connected(device, bus, averages=255, patience_s=10.0)  # three seconds per point
    points = meter.sweep(SWEEP)
    thread = threading.Timer(0.2, meter.abort)
    thread.start()
    with pytest.raises(AbortedError):
        next(points)
    thread.join()
    assert not device.cell_is_on


@pytest.mark.parametrize("fault", LINE_FAULTS)
@pytest.mark.usefixtures("impatient")
def test_a_fault_in_mid_sweep_over_a_bus_ends_with_the_cell_off_or_somebody_told(
    fault: str, bus: str, connected: Connect, answer_s: float
) -> None:
    faults = Faults(lines={LINES_OF_A_SWEEP - 3: fault})  # type: ignore[dict-item]
    device = EmulatedLcr(SYMMETRIC, faults=faults, noise=0.0)
    assess(device, connected(device, bus, patience_s=answer_s), f"{fault} over {bus}")


# --- somebody else's driver


@pytest.mark.filterwarnings("ignore:It is not known whether this device:FutureWarning")
def test_the_driver_of_pymeasure_works_with_the_emulated_instrument_as_it_is() -> None:
    if importlib.util.find_spec("pymeasure") is None:
        pytest.skip("PyMeasure is not installed")
    from pymeasure.instruments.agilent import AgilentE4980  # type: ignore[import-not-found,import-untyped]

    device = EmulatedLcr(SYMMETRIC, noise=0.0)
    with TcpServer(device) as served:
        ends = {"read_termination": "\n", "write_termination": "\n"}
        meter = AgilentE4980(served.resource, visa_library="@py", **ends)
        meter.mode = "RX"
        meter.frequency = 1e4
        meter.ac_voltage = 0.01
        meter.aperture("SHORT", 2)
        assert (meter.mode, meter.frequency, meter.ac_voltage, meter.aperture()) == ("RX", 1e4, 0.01, ("SHOR", 2))
        assert complex(*meter.impedance) == pytest.approx(SYMMETRIC.impedance(1e4)[0], rel=1e-5)
        real, imaginary = meter.freq_sweep([1e5, 1e4, 1e3])
        measured = np.array(real) + 1j * np.array(imaginary)
        assert measured == pytest.approx(SYMMETRIC.impedance([1e5, 1e4, 1e3]), rel=1e-5)
        meter.adapter.close()
    assert not device.errors


# --- the guide


def test_the_guide_to_low_impedance_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "low_impedance.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == text.count("```python") == 2
    for code, shown in blocks:
        exec(compile(code, "docs/low_impedance.md", "exec"), {})  # noqa: S102 - our own guide
        assert capsys.readouterr().out == shown
