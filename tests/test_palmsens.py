"""The MethodSCRIPT driver: what it refuses, how the cell ends up off, and what it makes of what it is told."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

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
from instruments import Sweep, palmsens, palmsens_models
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.methodscript import eis_script
from instruments.palmsens import PalmSens
from instruments.potentiostat import Point
from tests.virtual_time import let_time_be_virtual

pytestmark = pytest.mark.usefixtures("watchdog")

Connect = Callable[..., PalmSens]

LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug")
FIRST_LINE_OF_A_SWEEP = 3  # after two lines for t and one for i


class OutOfBoundsError(Exception):
    """What a user's own code may raise."""


def paced(**options: object) -> EmulatedPotentiostat:
    """An instrument that takes real time over its points, so that there is a middle of a sweep."""
    return EmulatedPotentiostat(SYMMETRIC, clock=RealClock(), **options)  # type: ignore[arg-type]


# --- what never reaches the wire


@pytest.mark.parametrize("name", ["start_hz", "stop_hz", "points_per_decade", "amplitude_v", "dc_v"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1k", True])
def test_a_set_point_that_is_no_number_is_refused_when_the_sweep_is_described(name: str, value: object) -> None:
    settings = {"start_hz": 1e5, "stop_hz": 1e3, "points_per_decade": 5, "amplitude_v": 0.01, "dc_v": 0.0}
    with pytest.raises(ConfigError, match=name):
        Sweep(**(settings | {name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start_hz", 1.1e6),
        ("stop_hz", 0.001),
        ("amplitude_v", 0.31),
        ("amplitude_v", 1e-4),
        ("dc_v", 10.1),
        ("dc_v", -10.1),
        ("start_hz", math.nan),
        ("stop_hz", math.nan),
        ("amplitude_v", math.nan),
        ("dc_v", math.nan),
    ],
)
def test_a_set_point_outside_the_limits_never_reaches_the_wire(
    name: str, value: float, emulator: EmulatedPotentiostat, connected: Connect
) -> None:
    sweep = Sweep(1e5, 1, 5, 0.01)
    object.__setattr__(sweep, name, value)  # as if it had slipped past the first check
    meter = connected(emulator)
    emulator.log.clear()
    with pytest.raises(RejectedError, match=name):
        meter.sweep(sweep)
    assert emulator.log == []


def test_all_faults_of_a_sweep_are_reported_at_once(emulator: EmulatedPotentiostat, connected: Connect) -> None:
    with pytest.raises(RejectedError, match=r"start_hz is 2e\+06.*amplitude_v is 1.*dc_v is 20"):
        connected(emulator).sweep(Sweep(2e6, 1, 5, 1.0, 20.0))


@pytest.mark.parametrize("text", ["", "1e6", "1e6:1", "1e6:1:10:5", "a:b:c", "nan:1:10", "1:1e6:10"])
def test_a_text_that_is_no_sweep_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Sweep.parse(text, amplitude_v=0.01)


def test_an_amplitude_unit_that_does_not_exist_is_refused(
    emulator: EmulatedPotentiostat, connected: Connect
) -> None:
    with pytest.raises(ConfigError, match="rms"):
        connected(emulator, amplitude_unit="pp")


def test_an_amplitude_in_peak_volts_is_sent_as_such(
    emulator: EmulatedPotentiostat, connected: Connect, short_sweep: Sweep
) -> None:
    points = list(connected(emulator, amplitude_unit="peak").sweep(short_sweep))
    assert "meas_loop_eis f r j 14142140n 100k 1k 11 0" in emulator.log
    assert points[0].amplitude_v == 0.01


# --- the cell is off, or somebody is told that it may not be


def test_the_cell_is_off_after_a_sweep(transport: str, connected: Connect, short_sweep: Sweep) -> None:
    device = paced()
    meter = connected(device, transport)
    assert len(list(meter.sweep(short_sweep))) == 11
    assert not device.cell_is_on
    assert device.log[-3:] == ["e", "cell_off", ""]


@pytest.mark.parametrize("error", [OutOfBoundsError, KeyboardInterrupt, SystemExit])
def test_the_cell_is_off_when_the_consumer_fails(
    transport: str, error: type[BaseException], connected: Connect, short_sweep: Sweep
) -> None:
    device = paced()
    meter = connected(device, transport)

    def consume() -> None:
        for point in meter.sweep(short_sweep):
            assert device.cell_is_on
            if point.index == 3:
                raise error

    with pytest.raises(error):
        consume()
    assert not device.cell_is_on


def test_the_cell_is_off_when_the_consumer_stops(transport: str, connected: Connect, short_sweep: Sweep) -> None:
    device = paced()
    meter = connected(device, transport)
    for point in meter.sweep(short_sweep):
        if point.index == 3:
            break
    assert not device.cell_is_on


def test_the_cell_is_off_when_the_meter_is_closed_in_mid_sweep(
    transport: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = paced()
    with connected(device, transport) as meter:
        points = meter.sweep(short_sweep)
        next(points)
        assert device.cell_is_on
    assert not device.cell_is_on
    with pytest.raises(LinkError, match="closed"):
        next(points)


def test_the_cell_is_off_after_an_abort_from_another_thread(
    transport: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = paced()
    meter = connected(device, transport)
    points = meter.sweep(short_sweep)
    next(points)
    thread = threading.Thread(target=meter.abort)
    thread.start()
    with pytest.raises(AbortedError):
        list(points)
    thread.join()
    assert not device.cell_is_on


def test_an_abort_without_a_sweep_sends_nothing(emulator: EmulatedPotentiostat, connected: Connect) -> None:
    meter = connected(emulator)
    emulator.log.clear()
    meter.abort()
    assert emulator.log == []


@pytest.mark.usefixtures("impatient")
def test_an_abort_that_comes_too_late_does_no_harm(
    emulator: EmulatedPotentiostat, connected: Connect, short_sweep: Sweep
) -> None:
    meter = connected(emulator)
    points = meter.sweep(short_sweep)
    received = [next(points) for _ in range(11)]
    emulator.due()  # the script ends before the abort arrives, and nobody has read that yet
    meter.abort()
    received.extend(points)
    assert len(received) == 11
    assert not emulator.cell_is_on


def test_a_runtime_error_is_explained_and_the_cell_is_switched_off_by_the_driver(
    transport: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = paced(faults=Faults(points={4: "runtime_error"}))
    meter = connected(device, transport)
    received: list[Point] = []
    with pytest.raises(InstrumentError, match="0032: critical overload"):
        received.extend(iter_into(received, meter, short_sweep))
    assert len(received) == 4
    assert not device.cell_is_on


def iter_into(received: list[Point], meter: PalmSens, sweep: Sweep) -> list[Point]:
    """Collect points one by one, so that those before an error are there."""
    for point in meter.sweep(sweep):
        received.append(point)
    return []


def test_the_emulator_leaves_the_cell_on_after_a_runtime_error(short_sweep: Sweep) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(points={0: "runtime_error"}))
    script = eis_script(short_sweep, amplitude=0.01, max_bandwidth_hz=1e6, currents_a=(1e-6, 1e-3))
    device.feed(script.encode())
    while (due := device.next_due) is not None:
        device.clock.seconds_until(due)
        device.due()
    assert device.cell_is_on


def test_the_emulator_says_what_fails_after_the_end_of_a_script_too() -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    said = device.feed(b"e\nset_pgstat_mode 3\non_finished:\nset_e 99\ncell_off\n\n") + device.due()
    assert b"".join(said) == b"e\n!000F: Line 3\n\n"


def test_a_script_the_instrument_refuses_is_an_error_with_its_meaning(
    connected: Connect, monkeypatch: pytest.MonkeyPatch, emulator: EmulatedPotentiostat, short_sweep: Sweep
) -> None:
    meter = connected(emulator)
    monkeypatch.setattr(palmsens, "eis_script", lambda *_, **__: "e\nset_e 0\nfrobnicate\n\n")
    with pytest.raises(InstrumentError, match="4001: unknown script command"):
        list(meter.sweep(short_sweep))
    assert not emulator.cell_is_on


@pytest.mark.usefixtures("impatient")
def test_the_cell_is_off_when_the_link_drops_and_can_be_opened_again(
    transport: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = paced(faults=Faults(lines={9: "drop"}))
    meter = connected(device, transport)
    with pytest.raises(LinkError):
        list(meter.sweep(short_sweep))
    assert not device.cell_is_on


@pytest.mark.parametrize("fault", ["unplug", "hang"])
@pytest.mark.usefixtures("impatient")
def test_somebody_is_told_when_the_cell_cannot_be_verified_to_be_off(
    transport: str, fault: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = paced(faults=Faults(lines={9: fault}))  # type: ignore[dict-item]
    meter = connected(device, transport, patience_s=0.4)
    with pytest.raises(CellStateUnknownError, match="Go to the instrument"):
        list(meter.sweep(short_sweep))
    assert device.cell_is_on
    with pytest.raises(CellStateUnknownError):  # closing tries once more, and says so again
        meter.close()


@pytest.mark.usefixtures("impatient")
def test_ctrl_c_while_the_cell_is_switched_off_waits_until_it_is(
    connected: Connect, short_sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = paced()
    meter = connected(device)
    points = meter.sweep(short_sweep)
    next(points)
    resynchronise = meter._resynchronise
    interruptions = iter([KeyboardInterrupt])

    def interrupted() -> None:
        resynchronise()
        for error in interruptions:
            raise error

    monkeypatch.setattr(meter, "_resynchronise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        points.close()
    assert not device.cell_is_on


@pytest.mark.parametrize("fault", LINE_FAULTS)
def test_whatever_happens_to_any_line_the_cell_is_off_or_somebody_is_told(
    fault: str, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_time_be_virtual(monkeypatch)
    sweep = Sweep(1e5, 1e4, 2, 0.01)
    for line in range(FIRST_LINE_OF_A_SWEEP, 14):
        faults = Faults(lines={line: fault})  # type: ignore[dict-item]
        device = EmulatedPotentiostat(SYMMETRIC, faults=faults, noise=0.0)
        meter = connected(device)
        told = None
        received: list[Point] = []
        try:
            iter_into(received, meter, sweep)
        except EisError as error:
            told = error
        where = f"{fault} at line {line}, {told!r}"
        assert not device.cell_is_on or isinstance(told, CellStateUnknownError), where
        assert told or len(received) == 3, where
        measured = np.array([point.z_ohm for point in received])
        truth = SYMMETRIC.impedance(sweep.frequencies_hz[: len(received)])
        assert measured == pytest.approx(truth, rel=1e-5), where


@pytest.mark.parametrize("fault", ["hang", "lose", "truncate", "garbage", "drop", "unplug"])
@pytest.mark.usefixtures("impatient")
def test_an_instrument_that_does_not_say_who_it_is_is_not_connected(fault: str, connected: Connect) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(lines=dict.fromkeys(range(20), fault)))  # type: ignore[arg-type]
    with pytest.raises(InstrumentError):
        connected(device)
    assert set(device.log) <= {"t", "i"}


def test_another_instrument_at_the_same_place_is_not_measured_with(
    emulator: EmulatedPotentiostat, connected: Connect, short_sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = connected(emulator)
    answer = meter._answer
    monkeypatch.setattr(meter, "_answer", lambda command: answer(command) + "-2")
    with pytest.raises(InstrumentError, match="Another instrument"):
        list(meter.sweep(short_sweep))
    assert not emulator.cell_is_on


def test_a_sweep_that_somebody_else_runs_is_left_alone(connected: Connect, short_sweep: Sweep) -> None:
    device = paced()
    meter = connected(device)
    script = eis_script(short_sweep, amplitude=0.01, max_bandwidth_hz=1e6, currents_a=(1e-6, 1e-3))
    device.feed(script.encode())
    device.due()
    with pytest.raises(BusyError, match="running a script"):
        list(meter.sweep(short_sweep))
    assert device.cell_is_on
    meter.cell_off()
    assert not device.cell_is_on


def test_one_sweep_at_a_time(connected: Connect, short_sweep: Sweep) -> None:
    meter = connected(paced())
    first = meter.sweep(short_sweep)
    next(first)
    with pytest.raises(BusyError, match="A sweep is running"):
        next(meter.sweep(short_sweep))
    assert len(list(first)) == 10


# --- points


@pytest.mark.parametrize(
    ("fault", "flag", "words"),
    [
        ("overload", Quality.OVERLOAD, "overload"),
        ("underload", Quality.UNDERLOAD, "underload"),
        ("overload_warning", Quality.OVERLOAD_WARNING, "overload warning"),
        ("timing", Quality.TIMING, "timing error"),
        ("nan", Quality.NOT_A_NUMBER, "not a number"),
    ],
)
def test_a_flagged_point_is_kept_with_its_flag_and_its_line(
    fault: str, flag: Quality, words: str, connected: Connect, short_sweep: Sweep
) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(points={2: fault}))  # type: ignore[dict-item]
    points = list(connected(device).sweep(short_sweep))
    assert len(points) == 11
    assert points[2].quality == flag
    assert points[2].status == words
    assert points[2].raw.startswith("Pdc")
    assert [point.quality for point in points if point.index != 2] == [Quality.OK] * 10


def test_flags_reach_the_spectrum(connected: Connect, short_sweep: Sweep) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(points={2: "overload", 5: "nan"}))
    spectrum = connected(device).sweep_spectrum(short_sweep)
    assert spectrum.all_frequency_hz.size == 11
    assert len(spectrum) == 9
    assert spectrum.metadata["status"] == {"2": "overload", "5": "not a number"}


@pytest.mark.parametrize("habit", [{"joined_echo": True}, {"xon": True}, {"joined_echo": True, "xon": True}])
def test_habits_of_some_firmware_are_understood(
    transport: str, habit: dict[str, bool], connected: Connect, short_sweep: Sweep
) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, **habit)
    assert len(list(connected(device, transport).sweep(short_sweep))) == 11
    assert not device.cell_is_on


@pytest.mark.parametrize("model", ["espico", "es4_lr", "es4_hr", "nexus1"])
def test_every_model_measures_up_to_its_own_limits(model: str, connected: Connect) -> None:
    meter = connected(EmulatedPotentiostat(SYMMETRIC, model=model))
    can = meter.capabilities()
    sweep = Sweep(can.f_max_hz, can.f_max_hz / 10, 2, can.v_ac_rms[1], can.v_dc[0])
    assert len(list(meter.sweep(sweep))) == 3


def test_a_single_point_can_be_measured(connected: Connect, emulator: EmulatedPotentiostat) -> None:
    (point,) = connected(emulator).sweep(Sweep(1e3, 1e3, 10, 0.01))
    assert point.frequency_set_hz == 1e3
    assert abs(point.z_ohm / SYMMETRIC.impedance(1e3)[0] - 1) < 0.01


def test_an_instrument_that_is_not_one_of_these_is_named(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(palmsens_models.MODELS, "espico")
    with pytest.raises(InstrumentError, match=r"tespico1304.*Known are"):
        connected(EmulatedPotentiostat(SYMMETRIC, model="espico"))


# --- the open-circuit voltage


def test_the_open_circuit_voltage_is_measured_with_the_cell_off(connected: Connect) -> None:
    device = EmulatedPotentiostat(replace(SYMMETRIC, ocv_v=3.7))
    meter = connected(device)
    assert meter.ocv(0.5) == pytest.approx(3.7, abs=1e-4)
    assert not device.cell_is_on
    assert "cell_on" not in device.log
    assert len(meter.sweep_spectrum(Sweep(1e5, 1e3, 5, 0.01))) == 11  # and it is ready for a sweep


def test_an_open_circuit_voltage_is_not_asked_for_during_a_sweep(connected: Connect) -> None:
    meter = connected(paced())
    points = meter.sweep(Sweep(1e5, 1e3, 5, 0.01))
    next(points)
    with pytest.raises(BusyError):
        meter.ocv()
    points.close()


def test_one_point_is_measured_by_itself(connected: Connect, emulator: EmulatedPotentiostat) -> None:
    point = connected(emulator).measure_point(1e3, amplitude_v=0.01)
    assert point.z_ohm == pytest.approx(complex(SYMMETRIC.impedance(1e3)[0]), rel=0.01)
    assert not emulator.cell_is_on


# --- galvanostatic


def test_a_galvanostatic_sweep_is_the_cell_too(connected: Connect, emulator: EmulatedPotentiostat) -> None:
    sweep = Sweep(1e5, 1e2, 5, amplitude_a=1e-3, dc_a=2e-3)
    spectrum = connected(emulator).sweep_spectrum(sweep)
    truth = SYMMETRIC.impedance(sweep.frequencies_hz)
    assert np.abs(spectrum.z_ohm / truth - 1).max() < 5e-3
    assert not emulator.cell_is_on
    assert "meas_loop_geis f r j 1m 100k 100 16 2m" in emulator.log
    assert "set_range db 10m" in emulator.log
    assert spectrum.metadata["sweep"]["amplitude_a"] == 1e-3


@pytest.mark.parametrize(
    ("model", "levels", "words"),
    [
        ("espico", {"amplitude_a": 1e-3}, "does not control the current"),
        ("es4_lr", {"amplitude_a": 0.5}, "amplitude_a is 0.5"),
        ("nexus1", {"amplitude_a": 1e-3, "dc_a": 1.5}, "dc_a is 1.5"),
    ],
)
def test_a_current_the_model_cannot_hold_is_refused_before_anything_is_sent(
    model: str, levels: dict[str, float], words: str, connected: Connect
) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, model=model)
    meter = connected(device)
    device.log.clear()
    with pytest.raises(RejectedError, match=words):
        meter.sweep(Sweep(1e5, 1e3, 5, **levels))
    assert device.log == []


@pytest.mark.parametrize(
    "levels",
    [
        {},
        {"amplitude_v": 0.01, "amplitude_a": 1e-3},
        {"amplitude_v": -0.01},
        {"amplitude_v": 0.01, "dc_a": 1e-3},
        {"amplitude_a": 1e-3, "dc_v": 0.1},
        {"amplitude_a": -1e-3, "amplitude_v": 0.01},
    ],
)
def test_a_sweep_excites_either_potential_or_current(levels: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="amplitude"):
        Sweep(1e5, 1e3, 5, **levels)
