"""The Solartron driver: an analyser alone and with an interface, what they are told, and what is made of it."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
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
from instruments import Sweep, pointwise, sessions
from instruments.emulated import clock
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.solartron import EmulatedAnalyser, EmulatedBench, EmulatedInterface
from instruments.emulated.tcp import TcpServer
from instruments.emulated.two_letters import TwoLetterDevice
from instruments.plan import Mains, Plan
from instruments.potentiostat import Point
from instruments.solartron import Solartron
from instruments.solartron_codes import confirms, parse_dvm, parse_identity, parse_result, parts, written
from instruments.solartron_setup import Setup
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog")

ANALYSER, INTERFACE = "GPIB0::4::INSTR", "GPIB0::6::INSTR"
LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug")
QUICK: dict[str, Any] = {"gap_s": 0.0, "patience_s": 0.02, "integration_s": 0.01}
SWEEP = Sweep(1e5, 1e3, 5, 0.01)
SHORT = Sweep(1e5, 1e4, 2, 0.01)
Connect = Callable[..., Solartron]
Setups = EmulatedAnalyser | EmulatedBench


def devices(setup: Setups) -> list[tuple[TwoLetterDevice, str]]:
    if isinstance(setup, EmulatedAnalyser):
        return [(setup, ANALYSER)]
    return [(setup.analyser, ANALYSER), (setup.interface, INTERFACE)]


@contextlib.contextmanager
def opened(setup: Setups, transport: str = "in-process", **options: Any) -> Iterator[Solartron]:
    """Connect to an analyser alone or to a bench; however the driver ends, nothing stays open."""
    with contextlib.ExitStack() as stack:
        served: list[Any] = [
            stack.enter_context(
                TcpServer(device) if transport == "tcp" else library().serve(device, name, resource=name)  # type: ignore[arg-type]
            )
            for device, name in devices(setup)
        ]
        if len(served) == 2:
            options["interface_resource"] = served[1].resource
        meter = Solartron.open(served[0].resource, backend=served[0].backend, **{**QUICK, **options})
        stack.callback(meter.link.close)
        if meter._interface:
            stack.callback(meter._interface.link.close)
        yield meter


@pytest.fixture
def connected() -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:
        yield lambda setup, *more, **options: stack.enter_context(opened(setup, *more, **options))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointwise, "ANSWER_S", 0.02)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)
    monkeypatch.setattr(sessions, "READY_S", 0.02)
    monkeypatch.setattr("instruments.sweep.predicted_point_s", lambda frequency_hz: 0.0)


def alone(**options: Any) -> EmulatedAnalyser:
    return EmulatedAnalyser(SYMMETRIC, **options)


def bench(**options: Any) -> EmulatedBench:
    return EmulatedBench(SYMMETRIC, **options)


SETUPS: dict[str, Callable[..., Setups]] = {"alone": alone, "bench": bench}


@pytest.fixture(params=SETUPS)
def setup_of(request: pytest.FixtureRequest) -> Callable[..., Setups]:
    return SETUPS[request.param]


def abort_once_measuring(meter: Solartron, setup: Setups) -> None:
    """Abort from another thread, a little after the first point was begun."""

    def wait_and_abort() -> None:
        while "SI" not in setup.log:
            time.sleep(0.01)
        time.sleep(0.2)
        meter.abort()

    threading.Thread(target=wait_and_abort, daemon=True).start()


def collected(meter: Solartron, sweep: Sweep) -> tuple[list[Point], Exception | None]:
    """Measure; return the points, also those before an error, and the error."""
    points: list[Point] = []
    try:
        for point in meter.sweep(sweep):
            points.append(point)
    except EisError as error:
        return points, error
    return points, None


# --- what never reaches the wire


@pytest.mark.parametrize(
    "option",
    [
        {"amplitude_unit": "pp"},
        {"standard_ohm": 47.0},
        {"fra_input_gain": 0.1},
        {"voltage_gain": 2},
        {"z_sign": 0},
        {"z_scale": float("nan")},
        {"standby": "none"},
        {"integration_s": 0.0},
        {"settings": ["VA1"]},
        {"settings": ["SO1,1"]},
        {"settings": ["RA"]},
        {"settings": ["RA1,3;VA3"]},
        {"interface_settings": ["PW1"]},
        {"interface_settings": ["RR3"]},
    ],
)
def test_an_option_that_is_none_is_refused_before_anything_is_sent(option: dict[str, Any]) -> None:
    device = alone()
    with pytest.raises(ConfigError), opened(device, **option):
        pass
    assert device.log == []


def test_every_option_of_the_setup_is_one_of_the_driver() -> None:
    driver = inspect.signature(Solartron.__init__).parameters
    setup = inspect.signature(Setup).parameters
    assert {name: driver[name].default for name in setup} == {name: setup[name].default for name in setup}


def test_connecting_only_asks(setup_of: Callable[..., Setups], connected: Connect) -> None:
    setup = setup_of()
    connected(setup).close()
    assert set(setup.log) <= {"*IDN?", "?PW"}
    assert "*IDN?" in setup.log


@pytest.mark.parametrize(
    ("identity", "model", "serial"),
    [
        ("SCHLUMBERGER TECHNOLOGIES, 1260 IMPEDANCE ANALYZER, 0, 0", "1260", ""),
        ("1260 IMPEDANCE ANALYZER, SOLARTRON, 0, 0", "1260", ""),
        ("1260A IMPEDANCE ANALYZER, SOLARTRON, 77, 1.2", "1260A", "77"),
    ],
)
def test_both_orders_of_the_identity_are_understood(
    identity: str, model: str, serial: str, connected: Connect
) -> None:
    known = connected(alone(identity=identity)).identify()
    assert (known.model, known.serial, known.simulated) == (model, serial, False)
    assert known.raw == identity


@pytest.mark.parametrize(
    "identity",
    ["HEWLETT-PACKARD,4284A,0,1", "1260 IMPEDANCE ANALYZER, ACME, 0, 0", "SOLARTRON, 1260", " ", "1260"],
)
def test_something_else_is_not_taken_for_an_analyser(identity: str) -> None:
    device = alone(identity=identity)
    with pytest.raises(InstrumentError, match="No Solartron analyser"), opened(device):
        pass
    assert device.log == ["*IDN?"]


def test_an_analyser_without_a_current_input_needs_an_interface(connected: Connect) -> None:
    model = "1255B FREQUENCY RESPONSE ANALYZER"
    with pytest.raises(ConfigError, match="1255B alone"), opened(alone(model=model)):
        pass
    meter = connected(bench(model=model))
    assert meter.capabilities().f_max_hz == 1e6
    assert len(list(meter.sweep(SHORT))) == 3


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_an_interface_that_does_not_say_whether_the_cell_is_on_is_not_connected() -> None:
    setup = bench(interface_faults=Faults(lines=dict.fromkeys(range(9), "lose")))
    with pytest.raises(LinkError), opened(setup):
        pass
    assert set(setup.log) == {"*IDN?", "?PW"}


def test_a_large_amplitude_above_10_mhz_is_refused(connected: Connect) -> None:
    device = alone()
    meter = connected(device)
    with pytest.raises(RejectedError, match="above 10 MHz"):
        list(meter.sweep(Sweep(20e6, 1e6, 1, 2.0)))
    assert not any(line.startswith(("VA", "VB")) for line in device.log)


# --- the codes


@pytest.mark.parametrize(
    ("line", "quality", "status"),
    [
        ("+1.0000000E+03,-2.59E+08,-1.42E+08,0,00", Quality.OK, ""),
        ("+1.0000000E+03,+1.0E+0,+1.0E+0,3,00", Quality.UNKNOWN_CODE, "error 83"),
        ("+1.0000000E+03,+1.0E+0,+1.0E+0,0,+1", Quality.OK, "above the limit set"),
        ("+1.0000000E+03,+1.0E+0,+1.0E+0,9,-1", Quality.UNKNOWN_CODE, "error 89; below the limit set"),
        ("+1.0000000E+03,+1.0E+0,+1.0E+0,0,07", Quality.UNKNOWN_CODE, "limits 07"),
        ("+1.0000000E+03,+9.9E+99,+1.0E+0,0,00", Quality.NOT_A_NUMBER, ""),
    ],
)
def test_a_result_is_read_with_what_it_says_of_itself(line: str, quality: Quality, status: str) -> None:
    result = parse_result(line)
    assert (result.frequency_hz, result.quality, result.status) == (1000.0, quality, status)
    assert np.isnan(result.parameters) == (quality == Quality.NOT_A_NUMBER)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "+1.0000000E+03",
        "+1.0E+03,+1.0E+0,+1.0E+0,0",
        "+1.0E+03,+1.0E+0,+1.0E+0,0,00,00",
        "+1.0E+03,+1.0E+0,nan,0,00",
        "+1.0E+03,+1.0E+0,inf,0,00",
        "+1.0E+03,+1.0E+0,1_0,0,00",
        "+1.0E+03,+1.0E+0,+1.0E,0,00",
        "+1.0E+03,+1.0E+0,+1.0E+0,10,00",
        "+1.0E+03,+1.0E+0,+1.0E+0,,00",
        "+1.0E+03 +1.0E+0 +1.0E+0 0 00",
    ],
)
def test_what_is_not_a_result_is_not_read(line: str) -> None:
    with pytest.raises(ValueError):
        parse_result(line)


@pytest.mark.parametrize("line", ["", "+1.0E+0", "+1.0E+0,+1.0E-3,01,00", "+1.0E+0,x,00,00", "1,2,3,4,5"])
def test_what_is_not_a_reading_of_the_voltmeter_is_not_read(line: str) -> None:
    with pytest.raises(ValueError):
        parse_dvm(line)


def test_a_reading_of_the_voltmeter_is_potential_and_current() -> None:
    assert parse_dvm("+2.07035E-03,+1.51106E-08,00,00") == (2.07035e-3, 1.51106e-8)


@pytest.mark.parametrize(
    ("code", "arguments", "text"),
    [
        ("FR", (1e5,), "FR1E5"),
        ("FR", (1234.5678,), "FR1.2345678E3"),
        ("FR", (1e-5,), "FR1E-5"),
        ("VA", (0.01,), "VA1E-2"),
        ("PV", (-3.7,), "PV-3.7E0"),
        ("RA", (1, 3), "RA1,3"),
        ("VA", (0.0,), "VA0"),
    ],
)
def test_settings_are_written_with_short_exponents(code: str, arguments: tuple[float, ...], text: str) -> None:
    assert written(code, *arguments) == text
    assert parts(text) == (code, pytest.approx(list(arguments)))


@pytest.mark.parametrize(
    ("answer", "setting", "same"),
    [
        ("+1.0000E-02", "VA1E-2", True),
        ("VA+1.0000E-02", "VA1E-2", True),
        ("+1.1000E-02", "VA1E-2", False),
        ("0", "VA0", True),
        ("+1.0000E-03", "VA0", False),
        ("0", "RA1,0", True),
        ("1,0", "RA1,0", True),
        ("2,0", "RA1,0", False),
        ("1", "SO1,3", False),
        ("1,3", "SO1,3", True),
    ],
)
def test_a_setting_is_confirmed_by_what_says_the_same(answer: str, setting: str, same: bool) -> None:
    assert confirms(answer, setting) is same


def test_an_identity_that_is_a_fragment_is_none() -> None:
    whole = "SCHLUMBERGER TECHNOLOGIES, 1260 IMPEDANCE ANALYZER, EMULATED01, 0"
    assert parse_identity(whole) is not None
    assert all(parse_identity(whole[:length]) is None for length in range(len(whole) - 3))


# --- the emulated instruments


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("XY1", 1),
        ("VA0.1,2", 2),
        ("RA1", 2),
        ("FR", 2),
        ("VA3.1", 3),
        ("FR33E6", 3),
        ("RA4,0", 3),
        ("GT0.5", 3),
        ("FR1.2.5E2", 4),
        ("?SI", 5),
        ("?BK", 5),
        ("?XY", 1),
        ("?RA", 2),
    ],
)
def test_the_analyser_refuses_what_it_does_not_know_and_says_so_when_asked(line: str, error: int) -> None:
    device = alone()
    before = dict(device.values)
    assert device.feed(f"{line}\r\n".encode()) == []
    assert device.values == before
    assert device.feed(b"?ER\r\n?ER\r\n") == [f"{error:02d}\r\n".encode(), b"00\r\n"]


@pytest.mark.usefixtures("in_no_time")
def test_a_result_is_said_after_its_time_and_only_once() -> None:
    device = alone(clock=RealClock(speed=10.0))
    assert device.feed(b"OP2,1\r\nFR10\r\nIS0.5\r\nVA0.01\r\nSO1,3\r\nSI\r\n") == []
    due = device.next_due
    assert due is not None
    assert due - device.clock.now() == pytest.approx(0.05 + 0.1 + 0.5, abs=0.1)
    assert device.due() == []
    clock.time.sleep(0.09)
    (said,) = device.due()
    assert said.startswith(b"+1.0000000E+01,")
    assert device.feed(b"DO\r\n") == []


def test_break_cancels_a_measurement() -> None:
    device = alone(clock=RealClock())
    device.feed(b"OP2,1\r\nFR10\r\nVA0.01\r\nSI\r\nBK\r\n")
    assert device.next_due is None
    assert device.cell_is_on, "break alone takes neither amplitude nor bias off"


@pytest.mark.parametrize("setting", ["VA0.01", "VB1", "VB-1"])
def test_an_analyser_alone_has_the_cell_on_with_amplitude_or_bias(setting: str) -> None:
    device = alone()
    device.feed(f"{setting}\r\n".encode())
    assert device.cell_is_on
    device.feed(f"{setting[:2]}0\r\n".encode())
    assert not device.cell_is_on


def test_nothing_is_measured_with_the_switch_open(connected: Connect) -> None:
    setup = bench()
    setup.analyser.feed(b"OP2,1\r\nFR1E3\r\nVA0.01\r\nSO1,2\r\nSI\r\n")
    while (due := setup.analyser.next_due) is not None:
        setup.analyser.clock.seconds_until(due)
        (said,) = setup.analyser.due()
    assert said.rstrip().endswith(b",7,00")


# --- the cell is off, or somebody is told that it may not be


@pytest.mark.parametrize("transport", ["in-process", "tcp"])
def test_the_cell_is_off_after_a_sweep(
    transport: str, setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of(noise=3e-4)  # ten milliseconds of integration make it 1e-3
    points = list(connected(setup, transport).sweep(SWEEP))
    truth = SYMMETRIC.impedance(SWEEP.frequencies_hz)
    assert not setup.cell_is_on
    assert np.array([point.z_ohm for point in points]) == pytest.approx(truth, rel=5e-3)
    assert [point.quality for point in points] == [Quality.OK] * SWEEP.n_points


def test_the_switch_is_opened_before_the_generator_is_stopped(connected: Connect) -> None:
    setup, order = bench(), []
    for device in (setup.analyser, setup.interface):
        obey = device._obey
        device._obey = lambda line, obey=obey: (order.append(line), obey(line))  # type: ignore[method-assign,misc]
    points = connected(setup).sweep(SHORT)
    next(points)
    assert order.index("PW1") > max(order.index("VA1E-2"), order.index("PV0"))
    order.clear()
    points.close()
    assert order == ["PW0", "?PW", "BK", "VA0", "VB0", "?VA", "?VB"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_the_cell_is_off_when_the_consumer_fails(
    error: type[BaseException], setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of()
    meter = connected(setup)

    def consume() -> None:
        for point in meter.sweep(SWEEP):
            assert setup.cell_is_on
            if point.index == 3:
                raise error

    with pytest.raises(error):
        consume()
    assert not setup.cell_is_on


def test_the_cell_is_off_when_the_meter_is_closed_in_mid_sweep(
    setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of()
    with connected(setup) as meter:
        points = meter.sweep(SWEEP)
        next(points)
        assert setup.cell_is_on
    assert not setup.cell_is_on
    sent = len(setup.log)
    with pytest.raises(AbortedError, match="switched off"):
        next(points)
    assert len(setup.log) == sent


def test_a_sweep_does_not_go_on_after_somebody_switched_the_cell_off(
    setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of()
    meter = connected(setup)
    points = meter.sweep(SWEEP)
    next(points)
    meter.cell_off()
    with pytest.raises(AbortedError, match="switched off"):
        next(points)
    assert not setup.cell_is_on
    assert len(list(meter.sweep(SHORT))) == 3


def test_an_abort_ends_a_point_that_would_take_minutes(
    setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of(clock=RealClock())
    meter = connected(setup, "tcp")
    abort_once_measuring(meter, setup)
    begun = time.monotonic()
    with pytest.raises(AbortedError):
        list(meter.sweep(Sweep(0.01, 0.01, 1, 0.01)))
    assert time.monotonic() - begun < 3
    assert "BK" in setup.log
    assert not setup.cell_is_on


def test_an_abort_without_a_sweep_sends_nothing(setup_of: Callable[..., Setups], connected: Connect) -> None:
    setup = setup_of()
    meter = connected(setup)
    sent = len(setup.log)
    meter.abort()
    assert len(setup.log) == sent


def test_a_cell_that_somebody_else_has_on_is_left_alone(connected: Connect) -> None:
    setup = bench()
    meter = connected(setup)
    setup.interface.feed(b"PW1\r\n")
    with pytest.raises(BusyError, match="on already"):
        list(meter.sweep(SHORT))
    with pytest.raises(BusyError, match="on already"):
        meter.ocv(0.0)
    assert setup.cell_is_on
    meter.cell_off()
    assert not setup.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_somebody_is_told_when_the_switch_does_not_open(connected: Connect) -> None:
    setup = bench()
    meter = connected(setup)
    points = meter.sweep(SHORT)
    next(points)
    obey = setup.interface._obey
    setup.interface._obey = lambda line: None if line == "PW0" else obey(line)  # type: ignore[method-assign]
    with pytest.raises(CellStateUnknownError, match="stays closed"):
        points.close()
    assert setup.cell_is_on
    setup.interface._obey = obey  # type: ignore[method-assign]
    meter.cell_off()
    assert not setup.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_the_switch_is_opened_without_the_analyser(connected: Connect) -> None:
    setup = bench()
    meter = connected(setup)
    points = meter.sweep(SHORT)
    next(points)
    setup.analyser.dropped = setup.analyser.unplugged = True
    with pytest.raises(LinkError):
        next(points)
    assert not setup.cell_is_on


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_the_switch_is_opened_as_soon_as_the_interface_is_back_also_without_the_analyser(
    connected: Connect,
) -> None:
    setup = bench()
    meter = connected(setup)
    points = meter.sweep(SHORT)
    next(points)
    for device in (setup.analyser, setup.interface):
        device.dropped = device.unplugged = True
    with pytest.raises(CellStateUnknownError):
        next(points)
    assert setup.cell_is_on
    setup.interface.unplugged = False
    with pytest.raises(CellStateUnknownError):  # the analyser cannot be asked
        meter.cell_off()
    assert not setup.cell_is_on


@pytest.mark.parametrize("fault", LINE_FAULTS)
@pytest.mark.parametrize("where", ["alone", "analyser", "interface"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_to_any_line_the_cell_is_off_or_somebody_is_told(fault: str, where: str) -> None:
    sweep = Sweep(1e5, 1e4, 1, 0.01)
    for line in range(1, 26 if where != "interface" else 14):
        faults = Faults(lines={line: fault})  # type: ignore[dict-item]
        check_honest(setup_with(where, faults), sweep, f"{fault} at line {line} of {where}")


@pytest.mark.parametrize("where", ["alone", "analyser", "interface", "both"])
@pytest.mark.usefixtures("impatient", "in_no_time")
def test_whatever_happens_the_points_are_right_and_the_cell_is_off_or_somebody_is_told(where: str) -> None:
    rng = np.random.default_rng(1260)
    whole = 0
    for trial in range(number(40, thorough=100)):
        schedules = [
            Faults(
                lines={
                    int(line): str(rng.choice(LINE_FAULTS[:4])) for line in rng.integers(1, 60, rng.integers(1, 3))
                }
                | ({int(rng.integers(1, 60)): str(rng.choice(LINE_FAULTS))} if rng.random() < 0.4 else {})  # type: ignore[arg-type]
            )
            for _ in range(2)
        ]
        whole += check_honest(setup_with(where, *schedules), SHORT, f"trial {trial}: {schedules}")
    assert whole > 0.15 * (trial + 1), "many of these faults can be recovered from"


def setup_with(where: str, faults: Faults, others: Faults | None = None) -> Setups:
    match where:
        case "alone":
            return alone(faults=faults, noise=0.0)
        case "analyser":
            return bench(faults=faults, noise=0.0)
        case "interface":
            return bench(interface_faults=faults, noise=0.0)
        case _:
            return bench(faults=faults, interface_faults=others, noise=0.0)


def check_honest(setup: Setups, sweep: Sweep, where: str) -> bool:
    """Measure; whether all points came. None may be wrong, and the cell is off unless somebody was told."""
    try:
        with opened(setup) as meter:
            points, told = collected(meter, sweep)
    except InstrumentError:
        assert not setup.cell_is_on, where
        return False
    assert not setup.cell_is_on or isinstance(told, CellStateUnknownError), where
    assert told or len(points) == sweep.n_points, where
    measured = np.array([point.z_ohm for point in points])
    truth = SYMMETRIC.impedance(sweep.frequencies_hz[: len(points)])
    assert measured == pytest.approx(truth, rel=2e-4), where
    assert [point.index for point in points] == list(range(len(points))), where
    return told is None


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_point_whose_result_is_lost_is_measured_again_from_a_cell_that_is_off(connected: Connect) -> None:
    setup = bench(faults=Faults(points={1: "runtime_error"}))
    points = list(connected(setup).sweep(SHORT))
    assert [point.attempt for point in points] == [1, 2, 1]
    assert setup.interface.log.count("PW1") == 2
    first, again = (place for place, line in enumerate(setup.interface.log) if line == "PW1")
    assert "PW0" in setup.interface.log[first:again]


@pytest.mark.parametrize("transport", ["in-process", "tcp"])
def test_a_connection_that_drops_is_opened_again(
    transport: str, setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of(noise=0.0)
    points = connected(setup, transport).sweep(SHORT)
    received = [next(points)]
    for device, _ in devices(setup):
        device._faults = Faults(lines={device._lines: "drop"})
    received.extend(points)
    assert [point.attempt for point in received] == [1, 2, 1]
    truth = SYMMETRIC.impedance(SHORT.frequencies_hz)
    assert np.array([point.z_ohm for point in received]) == pytest.approx(truth, rel=2e-4)
    assert not setup.cell_is_on


def test_a_line_that_comes_twice_costs_nothing(setup_of: Callable[..., Setups], connected: Connect) -> None:
    twice = Faults(lines=dict.fromkeys(range(200), "repeat"))
    points = list(connected(setup_of(faults=twice)).sweep(SHORT))
    assert [point.attempt for point in points] == [1, 1, 1]


def test_a_cell_that_was_switched_off_in_mid_point_is_not_switched_on_again(
    setup_of: Callable[..., Setups], connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = setup_of()
    meter = connected(setup)
    query = meter._analyser.query

    def interrupted(command: str, timeout_s: float | None = None) -> str:
        if command == "SI":
            meter.cell_off()
            raise LinkError("The connection failed", mend="")
        return query(command, timeout_s)

    monkeypatch.setattr(meter._analyser, "query", interrupted)
    with pytest.raises(AbortedError, match="switched off"):
        list(meter.sweep(SHORT))
    assert not setup.cell_is_on
    assert setup.log.count("VA1E-2") == 1


def test_every_sweep_writes_all_its_settings(connected: Connect) -> None:
    device = alone()
    meter = connected(device)
    for _ in range(2):
        list(meter.sweep(SHORT))
        device._reset()  # as if somebody had switched it off and on
    assert device.log.count("IS1E-2") == device.log.count("OP2,1") == device.log.count("CZ0") == 2


@pytest.mark.usefixtures("impatient", "in_no_time")
def test_a_result_of_another_frequency_is_never_taken(connected: Connect) -> None:
    device = alone(noise=0.0)
    obey = device._obey
    device._obey = lambda line: None if line == "FR1E4" else obey(line)  # type: ignore[method-assign]
    points, told = collected(connected(device), SHORT)
    assert isinstance(told, LinkError)
    assert "not the result at 10000 Hz" in str(told)
    assert len(points) == 2
    assert not device.cell_is_on


@pytest.mark.parametrize("refused", ["VA", "RA", "OP", "IS"])
def test_a_setting_that_is_not_taken_ends_the_sweep(refused: str, connected: Connect) -> None:
    device = alone()
    obey = device._obey
    device._obey = lambda line: None if line.startswith(refused) and line != "VA0" else obey(line)  # type: ignore[method-assign]
    device.values["RA1"] = (2.0,)
    with pytest.raises(RejectedError, match="was not taken"):
        list(connected(device, integration_s=1.0).sweep(SHORT))
    assert not device.cell_is_on


def test_a_command_error_is_asked_for_where_there_is_a_query_for_it(connected: Connect) -> None:
    device = alone()
    meter = connected(device, error_query="?ER")
    assert len(list(meter.sweep(SHORT))) == 3
    device.feed(b"QQ1\r\n")
    with pytest.raises(RejectedError, match="01: unknown command"):
        list(meter.sweep(SHORT))


# --- points


@pytest.mark.parametrize("fault", ["overload", "underload", "overload_warning", "timing", "nan"])
def test_a_flagged_point_is_kept_with_its_digit_and_its_line(
    fault: str, setup_of: Callable[..., Setups], connected: Connect
) -> None:
    setup = setup_of(faults=Faults(points={2: fault}))  # type: ignore[dict-item]
    points = list(connected(setup).sweep(SWEEP))
    assert len(points) == SWEEP.n_points
    flagged = points[2]
    assert Quality.UNKNOWN_CODE in flagged.quality
    assert flagged.status == f"error 8{flagged.raw.split(',')[3]}"
    assert np.isnan(flagged.z_ohm) == (fault == "nan") == (Quality.NOT_A_NUMBER in flagged.quality)
    assert all(point.quality == Quality.OK for point in points if point.index != 2)


@pytest.mark.parametrize(
    ("options", "inverted"),
    [
        ({"standard_ohm": 0.1}, False),
        ({"standard_ohm": 1e6}, False),
        ({"voltage_gain": 10}, False),
        ({"current_gain": 10}, False),
        ({"standard_ohm": 1e3, "current_gain": 10, "voltage_gain": 10}, False),
        ({"z_sign": -1}, True),
        ({"fra_input_gain": 0.01}, False),
    ],
)
def test_the_impedance_is_scaled_by_what_the_interface_does(
    options: dict[str, Any], inverted: bool, connected: Connect
) -> None:
    points = list(connected(bench(noise=0.0, inverted=inverted), **options).sweep(SWEEP))
    truth = SYMMETRIC.impedance(SWEEP.frequencies_hz)
    assert np.array([point.z_ohm for point in points]) == pytest.approx(truth, rel=2e-4)


def test_a_further_factor_can_be_given(connected: Connect) -> None:
    (point,) = connected(alone(noise=0.0), z_scale=2.0).sweep(Sweep(1e3, 1e3, 1, 0.01))
    assert point.z_ohm == pytest.approx(2 * SYMMETRIC.impedance(1e3)[0], rel=2e-4)


@pytest.mark.parametrize(
    ("options", "sent"),
    [({}, "VA1E-2"), ({"amplitude_unit": "peak"}, "VA1.4142136E-2"), ({"fra_input_gain": 0.01}, "VA1")],
)
def test_the_amplitude_that_reaches_the_cell_is_the_one_asked_for(
    options: dict[str, Any], sent: str, connected: Connect
) -> None:
    setup = bench()
    points = connected(setup, **options).sweep(SHORT)
    next(points)
    assert sent in setup.analyser.log
    assert setup.amplitude_v == pytest.approx(0.01 * (2**0.5 if "amplitude_unit" in options else 1))
    points.close()
    assert setup.amplitude_v == 0


@pytest.mark.parametrize("dc_v", [-3.7, 0.0, 2.5])
def test_the_direct_potential_is_bias_alone_and_polarization_with_an_interface(
    dc_v: float, connected: Connect
) -> None:
    sweep = replace(SHORT, dc_v=dc_v)
    device, setup = alone(), bench()
    with opened(device) as meter:
        points = meter.sweep(sweep)
        next(points)
        assert device.value("VB") == pytest.approx(dc_v)
        points.close()
    points = connected(setup).sweep(sweep)
    next(points)
    assert setup.interface.value("PV") == pytest.approx(dc_v)
    assert setup.analyser.value("VB") == 0


def test_low_frequencies_are_integrated_over_whole_cycles(connected: Connect) -> None:
    device = alone(noise=0.0)
    points = list(connected(device, integration_s=1.0, integration_cycles=3).sweep(Sweep(10.0, 0.01, 1, 0.01)))
    assert [line for line in device.log if line.startswith("IS")] == ["IS1", "IS3", "IS30", "IS300"]
    truth = SYMMETRIC.impedance([10, 1, 0.1, 0.01])
    assert np.array([point.z_ohm for point in points]) == pytest.approx(truth, rel=2e-4)


def test_further_settings_are_written(connected: Connect) -> None:
    setup = bench()
    list(connected(setup, settings=["RA1,3", "OU1,1"], interface_settings=["IL 6"]).sweep(SHORT))
    assert setup.analyser.value("RA1") == 3
    assert setup.analyser.value("OU1") == 1
    assert setup.interface.value("IL") == 6
    assert setup.analyser.errors == setup.interface.errors == []


def test_commands_keep_their_distance(connected: Connect) -> None:
    device, at = alone(), []
    meter = connected(device, gap_s=0.01)
    obey = device._obey
    device._obey = lambda line: (at.append(time.monotonic()), obey(line))  # type: ignore[method-assign,misc]
    list(meter.sweep(Sweep(1e3, 1e3, 1, 0.01)))
    assert len(at) > 10
    assert min(np.diff(at)) > 0.009


def test_the_open_circuit_voltage_is_read_with_the_switch_open(connected: Connect) -> None:
    setup = EmulatedBench(replace(SYMMETRIC, ocv_v=3.6543))
    meter = connected(setup)
    assert meter.capabilities().has_ocv
    assert meter.ocv(0.0) == pytest.approx(3.6543)
    assert not setup.cell_is_on
    assert "PW1" not in setup.log
    points = meter.sweep(SHORT)
    next(points)
    with pytest.raises(BusyError):
        meter.ocv(0.0)


def test_the_voltmeter_sees_the_cell_in_half_standby_only() -> None:
    device = EmulatedInterface(replace(SYMMETRIC, ocv_v=3.5))
    for standby, potential in ((b"BY0", 0.0), (b"BY1", 3.5)):
        device.feed(standby + b"\r\nTR\r\n")
        device.clock.seconds_until(device.next_due or 0.0)
        assert parse_dvm(device.due()[0].decode().rstrip())[0] == potential


@pytest.mark.usefixtures("impatient", "in_no_time")
@pytest.mark.parametrize("fault", ["truncate", "garbage", "lose", "hang", "drop"])
def test_a_reading_that_is_damaged_is_no_voltage(fault: str, connected: Connect) -> None:
    setup = bench(interface_faults=Faults(lines={3: fault}))  # type: ignore[dict-item]
    with pytest.raises(LinkError):
        connected(setup).ocv(0.0)


def test_an_analyser_alone_reads_no_open_circuit_voltage_and_says_what_it_is_for(connected: Connect) -> None:
    meter = connected(alone())
    can = meter.capabilities()
    assert (can.has_ocv, can.has_cell_switch, can.blocking_cell_only) == (False, False, True)
    assert not can.instrument_verified
    with pytest.raises(RejectedError):
        meter.ocv(0.0)


def test_a_sweep_says_that_an_emulator_made_it(setup_of: Callable[..., Setups], connected: Connect) -> None:
    spectrum = connected(setup_of()).sweep_spectrum(SWEEP)
    assert spectrum.metadata["source"] == "emulator"
    assert spectrum.metadata["instrument_verified"] is False
    assert spectrum.frequency_hz == pytest.approx(SWEEP.frequencies_hz, rel=1e-6)


@pytest.mark.parametrize("kind", SETUPS)
def test_a_sweep_through_a_gpib_adapter_is_the_cell(kind: str) -> None:
    prologix = pytest.importorskip("instruments.emulated.prologix")
    setup = SETUPS[kind](noise=0.0)
    addresses = {4 + 2 * place: device for place, (device, _) in enumerate(devices(setup))}
    with prologix.PrologixServer(addresses) as server:
        options: dict[str, Any] = dict(QUICK)
        if kind == "bench":
            options["interface_resource"] = f"{server.interface}>{server.resources[6]}"
        resource = f"{server.interface}>{server.resources[4]}"
        with Solartron.open(resource, backend=server.backend, **options) as meter:
            points = list(meter.sweep(SHORT))
    truth = SYMMETRIC.impedance(SHORT.frequencies_hz)
    assert np.array([point.z_ohm for point in points]) == pytest.approx(truth, rel=2e-4)
    assert not setup.cell_is_on


def test_an_abort_through_a_gpib_adapter_ends_a_point_that_would_take_minutes() -> None:
    prologix = pytest.importorskip("instruments.emulated.prologix")
    setup = bench(clock=RealClock())
    with prologix.PrologixServer({4: setup.analyser, 6: setup.interface}) as server:
        interface = f"{server.interface}>{server.resources[6]}"
        resource = f"{server.interface}>{server.resources[4]}"
        with Solartron.open(resource, backend=server.backend, interface_resource=interface, **QUICK) as meter:
            abort_once_measuring(meter, setup)
            begun = time.monotonic()
            with pytest.raises(AbortedError):
                list(meter.sweep(Sweep(0.01, 0.01, 1, 0.01)))
    assert time.monotonic() - begun < 5
    assert not setup.cell_is_on


# --- as planned


def test_a_point_is_integrated_and_settled_as_planned(setup_of: Callable[..., Setups], connected: Connect) -> None:
    device = setup_of()
    plan = Plan.of(Sweep(1e3, 1.0, 2, 0.01), mains=Mains(()), overhead_s=0.05)
    with_clock = device.analyser if isinstance(device, EmulatedBench) else device
    points = list(connected(device).sweep(plan.as_sweep()))
    assert [point.frequency_set_hz for point in points] == plan.frequencies_hz.tolist()
    said, seen = {}, []
    for line in with_clock.log:  # what integration and delay were when each frequency was set
        if line[:2] in ("IS", "MS"):
            said[line[:2]] = float(line[2:])
        elif line.startswith("FR"):
            seen.append(dict(said))
    for step, was in zip(plan.steps, seen, strict=True):
        expected_s = max(QUICK["integration_s"], step.cycles / step.frequency_hz)
        assert was["IS"] == pytest.approx(expected_s, rel=1e-4)
        assert was["MS"] == pytest.approx(step.settle_s, rel=1e-4, abs=1e-9)


def test_longer_integration_means_less_noise() -> None:
    spread = []
    for seconds in (0.1, 10.0):
        with opened(alone(noise=0.01), integration_s=seconds) as meter:
            z = np.array([meter.measure_point(1e3, amplitude_v=0.01).z_ohm for _ in range(60)])
        spread.append(np.std(z) / abs(np.mean(z)))
    assert spread[0] / spread[1] == pytest.approx(10.0, rel=0.35)  # the root of a hundred; each from 120 numbers


def test_points_are_measured_again_where_asked_for() -> None:
    with opened(alone(faults=Faults(points={1: "overload"})), remeasure=2) as meter:
        points = list(meter.sweep(Sweep(1e3, 10.0, 1, 0.01)))
    assert [point.attempt for point in points] == [1, 2, 1]
