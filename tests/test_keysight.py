"""The E4990A driver: what it refuses, that bias and level are off in the end, and what it makes of a trace."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
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
from instruments import Sweep, bridge, pointwise
from instruments.emulated.cells import NEAR_TARGET, SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.e4990a import LOWEST_V, EmulatedE4990A
from instruments.emulated.faults import Faults
from instruments.emulated.transports import Transport
from instruments.keysight import E4990A
from instruments.potentiostat import Point
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog")

Connect = Callable[..., E4990A]
LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug")
SWEEP = Sweep(1e8, 20.0, 10, 0.01)
BIASED = Sweep(1e6, 1e4, 3, 0.02, 0.5)  # seven points in two blocks
FIRST_BLOCK = 21  # the line that says its grid was taken: four identify, one is for off, 16 for settings


@pytest.fixture
def connect(serve: Callable[..., Transport]) -> Iterator[Connect]:
    """Connect to a device over a transport; what is still open at the end of the test is closed."""
    with contextlib.ExitStack() as stack:

        def start(device: EmulatedE4990A, transport: str = "in-process", **options: Any) -> E4990A:
            served = serve(device, transport)
            given = {"patience_s": 0.3, "cell": "symmetric", **options}
            meter = E4990A.open(served.resource, backend=served.backend, **given)
            stack.callback(meter.link.close)
            return meter

        yield start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, answer_s: float) -> None:
    """Make the driver give up soon, for tests in which the analyser does not answer."""
    monkeypatch.setattr(pointwise, "ANSWER_S", answer_s)
    monkeypatch.setattr(bridge, "ANSWER_S", answer_s)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    for name in ("instruments.keysight.predicted_point_s", "instruments.sweep.predicted_point_s"):
        monkeypatch.setattr(name, lambda frequency_hz: 0.0)


@pytest.fixture
def analyser() -> EmulatedE4990A:
    return EmulatedE4990A(SYMMETRIC)


def collect(meter: E4990A, sweep: Sweep) -> tuple[list[Point], EisError | None]:
    """Return the points that came, and what was raised after them."""
    received: list[Point] = []
    try:
        for point in meter.sweep(sweep):
            received.append(point)
    except EisError as error:
        return received, error
    return received, None


def is_off(device: EmulatedE4990A) -> bool:
    return not device["SOURce#:BIAS:STATe"] and device["SOURce#:VOLTage[:LEVel]"] == LOWEST_V


# --- what never reaches the wire


def test_a_sweep_is_refused_until_somebody_says_why_no_direct_current_can_flow(
    analyser: EmulatedE4990A, connect: Connect
) -> None:
    with pytest.raises(RejectedError, match="cell="):
        connect(analyser, cell=None).sweep(SWEEP)
    assert analyser.log == ["*IDN?", "*OPT?"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_hz", 1.3e8), ("stop_hz", 19.0), ("amplitude_v", 1.1), ("amplitude_v", 0.004), ("dc_v", 41.0)],
)
def test_a_set_point_outside_the_limits_never_reaches_the_wire(
    name: str, value: float, analyser: EmulatedE4990A, connect: Connect
) -> None:
    settings = {"start_hz": 1e6, "stop_hz": 1e3, "points_per_decade": 5, "amplitude_v": 0.01, "dc_v": 0.0}
    with pytest.raises(RejectedError, match=name):
        connect(analyser).sweep(Sweep(**(settings | {name: value})))
    assert analyser.log == ["*IDN?", "*OPT?"]


@pytest.mark.parametrize(
    "options", [{"cell": "open"}, {"aperture": 0}, {"aperture": 6}, {"averages": 0}, {"block_s": 0}]
)
def test_an_option_that_does_not_exist_is_refused_before_anything_is_asked(
    options: dict[str, Any], analyser: EmulatedE4990A, connect: Connect
) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        connect(analyser, **options)
    assert analyser.log == []


@pytest.mark.parametrize(("option", "f_max_hz"), [("010", 10e6), ("050", 50e6), ("120", 120e6)])
def test_the_frequency_option_is_the_limit(option: str, f_max_hz: float, connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC, option=option)
    assert connect(device).capabilities().f_max_hz == f_max_hz
    (point,) = connect(EmulatedE4990A(SYMMETRIC, option=option)).sweep(Sweep(f_max_hz, f_max_hz, 1, 0.01))
    assert point.frequency_hz == f_max_hz


def test_another_instrument_is_not_taken_for_one(connect: Connect, analyser: EmulatedE4990A) -> None:
    analyser.command("*IDN?", lambda call: "Keysight Technologies,E4980A,1,1")
    with pytest.raises(InstrumentError, match="No E4990A"):
        connect(analyser)


# --- points


@pytest.mark.parametrize("points_per_decade", [1, 3, 10, 33])
def test_a_sweep_is_the_cell_within_the_noise_whatever_its_blocks(
    points_per_decade: float, transport: str, analyser: EmulatedE4990A, connect: Connect
) -> None:
    sweep = Sweep(1e8, 20.0, points_per_decade, 0.01)
    spectrum = connect(analyser, transport).sweep_spectrum(sweep)
    assert spectrum.frequency_hz == pytest.approx(sweep.frequencies_hz, rel=3e-5)
    errors = np.abs(spectrum.z_ohm / SYMMETRIC.impedance(spectrum.frequency_hz) - 1)
    assert 1e-5 < errors.max() < 5e-3
    assert is_off(analyser)
    assert not analyser.errors


def test_a_quiet_cell_is_measured_to_the_last_digit(connect: Connect) -> None:
    spectrum = connect(EmulatedE4990A(SYMMETRIC, noise=0.0)).sweep_spectrum(SWEEP)
    assert spectrum.z_ohm == pytest.approx(SYMMETRIC.impedance(spectrum.frequency_hz), rel=1e-10)


@pytest.mark.parametrize(
    ("stop_hz", "blocks"),
    [(20.0, [11] * 6 + [2]), (1e7, [11]), (1e8 / 10**1.1, [10, 2]), (1e8 / 10**1.2, [11, 2])],
)
def test_points_come_after_each_block_of_a_decade_and_none_is_left_alone(
    stop_hz: float, blocks: list[int], analyser: EmulatedE4990A, connect: Connect
) -> None:
    points = connect(analyser).sweep(Sweep(1e8, stop_hz, 10, 0.01))
    triggered = [sum(":TRIG:SING" in line for line in analyser.log) for _ in points]
    assert [triggered.count(block) for block in sorted(set(triggered))] == blocks


def test_what_is_left_of_a_block_is_not_taken_for_a_new_measurement(
    analyser: EmulatedE4990A, connect: Connect
) -> None:
    meter = connect(analyser)
    points = meter.sweep(BIASED)
    next(points)
    points.close()
    analyser.cell = NEAR_TARGET
    left_hz = BIASED.frequencies_hz[2]
    (point,) = meter.sweep(Sweep(left_hz, left_hz, 1, 0.01))
    assert point.z_ohm == pytest.approx(NEAR_TARGET.impedance(left_hz)[0], rel=5e-3)


@pytest.mark.parametrize("fault", ["overload", "nan"])
def test_an_error_value_is_a_flagged_point_and_never_an_impedance(fault: str, connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC, faults=Faults(points={2: fault}))  # type: ignore[dict-item]
    points = list(connect(device).sweep(BIASED))
    flagged = [point for point in points if point.quality]
    assert len(points) == 7
    assert [point.quality for point in flagged] == [Quality.OVERLOAD | Quality.NOT_A_NUMBER]
    assert np.isnan(flagged[0].z_ohm)
    assert "E+37" in flagged[0].raw


def test_what_the_analyser_complains_of_is_kept_with_the_block_it_may_have_spoilt(connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC, faults=Faults(points={1: "timing", 2: "underload"}))
    points = list(connect(device).sweep(BIASED))
    assert [point.quality for point in points] == [Quality.UNKNOWN_CODE] * 4 + [Quality.OK] * 3
    assert points[0].status == '-310,"System error"'
    assert points[0].raw.endswith(points[0].status)


def test_a_trace_of_zeros_is_no_measurement(connect: Connect, analyser: EmulatedE4990A) -> None:
    analyser.command("CALCulate#:DATA:RDATa?", lambda call: ",".join(["+0.0E+00"] * 8))
    received, _ = collect(connect(analyser), Sweep(1e4, 1e3, 3, 0.01))
    assert len(received) == 4
    assert all(point.quality & Quality.NOT_A_NUMBER for point in received)


# --- settings


def test_settings_reach_the_analyser_and_bias_is_on_only_while_it_measures(
    analyser: EmulatedE4990A, connect: Connect
) -> None:
    meter = connect(analyser, aperture=5, averages=4)
    points = meter.sweep(BIASED)
    next(points)
    assert analyser["SENSe#:APERture:TIME"] == 5
    assert analyser["SENSe#:AVERage:COUNt"] == 4
    assert analyser["SOURce#:BIAS:VOLTage"] == 0.5
    assert analyser["SOURce#:BIAS:STATe"]
    assert analyser["SOURce#:VOLTage[:LEVel]"] == 0.02
    points.close()
    assert is_off(analyser)


def test_without_a_bias_none_is_ever_switched_on(analyser: EmulatedE4990A, connect: Connect) -> None:
    list(connect(analyser).sweep(SWEEP))
    assert not any("BIAS:STAT ON" in line for line in analyser.log)


@pytest.mark.parametrize("header", ["CALCulate#:PARameter#:DEFine", "SOURce#:MODE", "TRIGger:SOURce"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_setting_the_analyser_does_not_take_ends_the_sweep_before_it_began(
    header: str, analyser: EmulatedE4990A, connect: Connect
) -> None:
    analyser.command(f"{header}?", lambda call: "SOMETHING")
    with pytest.raises(RejectedError, match="did not take"):
        list(connect(analyser).sweep(BIASED))
    assert not any("BIAS:STAT ON" in line or "TRIG:SING" in line for line in analyser.log)


def test_a_limit_the_driver_does_not_know_of_is_told_in_the_analyser_s_words(connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC)
    with pytest.raises(RejectedError, match="-222"):
        list(connect(device, v_dc=(-50.0, 50.0)).sweep(Sweep(1e6, 1e4, 3, 0.02, 45.0)))
    assert is_off(device)


# --- off, or somebody is told


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_cell_is_off_when_the_consumer_fails(
    transport: str, error: type[BaseException], analyser: EmulatedE4990A, connect: Connect
) -> None:
    meter = connect(analyser, transport)

    def consume() -> None:
        for point in meter.sweep(BIASED):
            assert analyser.cell_is_on
            if point.index == 5:
                raise error

    with pytest.raises(error):
        consume()
    assert is_off(analyser)


def test_the_cell_is_off_soon_after_an_abort_in_mid_block(transport: str, connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC, clock=RealClock())
    meter = connect(device, transport, patience_s=10.0)
    timer = threading.Timer(0.2, meter.abort)
    timer.start()
    with pytest.raises(AbortedError):
        list(meter.sweep(Sweep(200.0, 20.0, 200, 0.01, 0.5)))  # more than 6 s
    timer.join()
    assert is_off(device)
    assert ":ABOR" in device.log


def test_an_abort_without_a_sweep_sends_nothing(analyser: EmulatedE4990A, connect: Connect) -> None:
    connect(analyser).abort()
    assert analyser.log == ["*IDN?", "*OPT?"]


def test_a_sweep_and_a_bias_that_somebody_left_on_can_be_ended(analyser: EmulatedE4990A, connect: Connect) -> None:
    analyser["SOURce#:BIAS:STATe"] = True
    analyser.feed(b":TRIG:SOUR BUS;:TRIG:SING\n")
    meter = connect(analyser)
    assert analyser.cell_is_on
    meter.cell_off()
    assert is_off(analyser)
    assert said(analyser, ":STAT:OPER:COND?") == ["32"]


@pytest.mark.parametrize("fault", ["unplug", "hang"])
@pytest.mark.usefixtures("impatient")
def test_somebody_is_told_when_the_bias_is_not_confirmed_to_be_off(
    transport: str, fault: str, connect: Connect, answer_s: float
) -> None:
    device = EmulatedE4990A(SYMMETRIC, faults=Faults(lines={FIRST_BLOCK + 4: fault}))  # type: ignore[dict-item]
    meter = connect(device, transport, patience_s=answer_s)
    received, told = collect(meter, BIASED)
    assert isinstance(told, CellStateUnknownError)
    assert len(received) == 4
    assert device.cell_is_on
    with pytest.raises(CellStateUnknownError):
        meter.close()


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_bias_that_stays_on_is_not_called_off(connect: Connect, analyser: EmulatedE4990A) -> None:
    analyser.command("SOURce#:BIAS:STATe?", lambda call: "1")
    with pytest.raises(CellStateUnknownError, match="bias stays on"):
        connect(analyser).cell_off()


def require_honest(device: EmulatedE4990A, received: list[Point], told: EisError | None) -> None:
    """The cell is off or somebody was told; no point is lost, in doubt, or another one's."""
    where = f"{device._faults}, {told!r}"
    assert isinstance(told, CellStateUnknownError) or is_off(device), where
    assert told or len(received) == BIASED.n_points, where
    assert [point.index for point in received] == list(range(len(received))), where
    for point in received:
        assert point.frequency_hz == pytest.approx(point.frequency_set_hz, rel=1e-6), where
        if not point.quality & Quality.NOT_A_NUMBER:
            assert point.z_ohm == pytest.approx(SYMMETRIC.impedance(point.frequency_hz)[0], rel=1e-9), where


@pytest.mark.parametrize("fault", LINE_FAULTS)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_to_any_line_the_cell_is_off_or_somebody_is_told(fault: str, connect: Connect) -> None:
    for line in range(2, FIRST_BLOCK + 9):
        device = EmulatedE4990A(SYMMETRIC, faults=Faults(lines={line: fault}), noise=0.0)  # type: ignore[dict-item]
        received, told = collect(connect(device, patience_s=0.05), BIASED)
        require_honest(device, received, told)
        if line >= FIRST_BLOCK and fault not in ("hang", "unplug"):
            assert told is None
            again = [point.attempt for point in received]
            assert (2 in again) == (fault != "repeat" and line < FIRST_BLOCK + 6), line


@pytest.mark.parametrize("seed", range(number(2, thorough=4)))
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_random_faults_leave_nothing_wrong_and_nothing_on(seed: int, connect: Connect) -> None:
    rng = np.random.default_rng(seed)
    outcomes: set[str] = set()
    for _ in range(60):
        kinds = rng.choice(LINE_FAULTS, size=6, p=[0.2, 0.2, 0.2, 0.2, 0.03, 0.12, 0.05])
        lines = {int(rng.integers(2, 80)): str(kind) for kind in kinds[: rng.integers(1, 7)]}
        points = {int(rng.integers(0, 9)): str(rng.choice(["overload", "nan", "timing"])) for _ in range(2)}
        faults = Faults(points=points, lines=lines)  # type: ignore[arg-type]
        device = EmulatedE4990A(SYMMETRIC, faults=faults, noise=0.0)
        received, told = collect(connect(device, patience_s=0.05), BIASED)
        require_honest(device, received, told)
        outcomes.add(type(told).__name__)
    assert {"NoneType", "LinkError"} <= outcomes


@pytest.mark.parametrize("fault", ["hang", "lose", "truncate", "garbage", "drop", "unplug"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_an_analyser_that_does_not_say_who_it_is_is_not_connected(fault: str, connect: Connect) -> None:
    device = EmulatedE4990A(SYMMETRIC, faults=Faults(lines=dict.fromkeys(range(20), fault)))  # type: ignore[arg-type]
    with pytest.raises(InstrumentError):
        connect(device)
    assert set(device.log) <= {"*IDN?", "*OPT?"}


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("SENSe#:FREQuency:DATA?", "1000,10000"),
        ("SENSe#:FREQuency:DATA?", "1000,2154.435,4641.589,nan"),
        ("SENSe#:FREQuency:DATA?", "1000,2154.435,4641.589,20000"),
        ("SENSe#:FREQuency:DATA?", "10000,4641.589,2154.435,1000"),
        ("CALCulate#:DATA:RDATa?", "1,2,3,4,5,6,7"),
        ("CALCulate#:DATA:RDATa?", "1,2,3,4,5,6,7,8,9,10"),
        ("CALCulate#:DATA:RDATa?", "1,2,3,4,5,6,7,inf"),
        ("CALCulate#:DATA:RDATa?", "1,2,3,4,5,6,7,"),
        ("CALCulate#:DATA:RDATa?", "1,2,3,4,5,6,7,1_0"),
        ("SYSTem:ERRor[:NEXT]?", "nothing"),
        ("*OPC?", "0"),
        ("SENSe#:SWEep:POINts?", "5"),
    ],
)
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_trace_that_is_not_exactly_what_was_asked_for_is_no_spectrum(
    header: str, answer: str, connect: Connect, analyser: EmulatedE4990A
) -> None:
    meter = connect(analyser, patience_s=0.05)
    analyser.command(header, lambda call: answer)
    received, told = collect(meter, Sweep(1e4, 1e3, 3, 0.01))
    assert not received
    assert isinstance(told, LinkError)
    assert is_off(analyser)


# --- the emulated analyser


def said(device: EmulatedE4990A, *lines: str) -> list[str]:
    """Say lines to a device, waiting for each; return what it answers."""
    answers: list[bytes] = []
    for line in lines:
        answers += device.feed(f"{line}\n".encode())
        while (due := device.next_due) is not None:
            device.clock.seconds_until(due)
            answers += device.due()
    return b"".join(answers).decode().split("\n")[:-1]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (":SENS1:FREQ:STAR 10", -222),
        (":SENS1:SWE:POIN 1", -222),
        (":SENS1:SWE:TYPE CURVED", -224),
        (":SOUR1:VOLT 1.5", -222),
        (":SOUR1:BIAS:VOLT 41", -222),
        (":CALC1:PAR1:DEF QQ", -224),
        (":CALC1:PAR9:DEF R", -113),
        (":TRIG:SING", -211),
        (":FETC?", -113),
    ],
)
def test_the_emulated_analyser_refuses_what_the_real_one_could_not_do(line: str, error: int) -> None:
    device = EmulatedE4990A(SYMMETRIC)
    answer = said(device, line, ":SYST:ERR?")
    assert answer[-1].startswith(f"{error},")


def test_the_emulated_analyser_sweeps_its_own_grid_and_has_no_data_before_that() -> None:
    device = EmulatedE4990A(SYMMETRIC, noise=0.0)
    said(device, ":TRIG:SOUR BUS;:SENS1:SWE:TYPE LOG;POIN 3;:SENS1:FREQ:STAR 1E3;STOP 1E5")
    said(device, ":SENS1:AVER:COUN 999;STAT ON")  # it sweeps for longer than this machine can take to ask
    assert said(device, ":SENS1:FREQ:DATA?")[0].split(",") == [f"+1.00000000000E+0{place}" for place in (3, 4, 5)]
    assert set(said(device, ":CALC1:DATA:RDAT?")[0].split(",")) == {"+0.00000000000E+00"}
    device.feed(b":TRIG:SING\n")
    assert set(said(device, ":CALC1:DATA:RDAT?")[0].split(",")) == {"+0.00000000000E+00"}
    assert said(device, "*OPC?;:STAT:OPER:COND?") == ["1;16"]
    values = [float(value) for value in said(device, ":CALC1:DATA:RDAT?")[0].split(",")]
    z = np.array(values[::2]) + 1j * np.array(values[1::2])
    assert z == pytest.approx(SYMMETRIC.impedance([1e3, 1e4, 1e5]), rel=1e-10)


def test_an_aborted_sweep_of_the_emulated_analyser_leaves_no_trace() -> None:
    device = EmulatedE4990A(SYMMETRIC)
    said(device, ":TRIG:SOUR BUS;:SENS1:SWE:POIN 2")
    device.feed(b":TRIG:SING\n")
    said(device, ":ABOR")
    assert set(said(device, ":CALC1:DATA:RDAT?")[0].split(",")) == {"+0.00000000000E+00"}
