"""The emulated instrument: it refuses what the real one refuses, and its cell is the closed form."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st

from instruments import Sweep
from instruments.emulated.cells import CELLS, NEAR_TARGET, SYMMETRIC, EmulatedCell
from instruments.emulated.clock import FastClock, RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.methodscript import EmulatedPotentiostat, number
from instruments.emulated.tcp import TcpServer
from instruments.methodscript import eis_script, parse_packet

pytestmark = pytest.mark.usefixtures("watchdog")

SWEEP = Sweep(1e5, 1e3, 5, 0.01)
SCRIPT = eis_script(SWEEP, amplitude=0.01, max_bandwidth_hz=1e6, currents_a=(1e-6, 1e-3))


def dialogue(device: EmulatedPotentiostat, text: str) -> list[str]:
    """Say `text` to the device and return all the lines it answers, now and later."""
    output = device.feed(text.encode())
    while (due := device.next_due) is not None:
        device.clock.seconds_until(due)
        output += device.due()
    return b"".join(output).decode("latin-1").split("\n")[:-1]


# --- what it refuses


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("cell_on\n", "", ["e", "!4027: Line 11", ""]),
        ("set_pgstat_chan 0", "frobnicate", ["e!4001: Line 4, Col 1"]),
        ("endloop\n", "", ["e!4018: Line 12, Col 1"]),
        ("100k 1k", "1001k 1k", ["e", "!0011: Line 12", ""]),
        ("100k 1k", "100k 0", ["e", "!0011: Line 12", ""]),
        ("r j 10m", "r j 301m", ["e", "!0012: Line 12", ""]),
        ("r j 10m", "r j 0.01", ["e!4039: Line 12, Col 1"]),
        ("pck_add r", "pck_add q", ["e!420B: Line 15, Col 1"]),
        ("var r", "var f", ["e!4026: Line 2, Col 1"]),
        ("set_e 0", "set_e 11", ["e", "!000F: Line 10", ""]),
        ("set_pgstat_mode 3\n", "", ["e", "!0021: Line 10", ""]),
        ("set_e 0", "set_e", ["e!4008: Line 10, Col 1"]),
        ("pck_start", "endloop", ["e!4001: Line 18, Col 1"]),
        ("set_e 0", "set_e 0" + " " * 300, ["e!0008: Line 10, Col 1"]),
    ],
)
def test_a_script_with_a_fault_gets_the_instrument_s_own_error(old: str, new: str, answer: list[str]) -> None:
    assert old in SCRIPT
    device = EmulatedPotentiostat(SYMMETRIC)
    assert dialogue(device, SCRIPT.replace(old, new, 1)) == answer


def test_after_a_runtime_error_the_cell_stays_on() -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    assert dialogue(device, SCRIPT.replace("r j 10m", "r j 999m")) == ["e", "!0012: Line 12", ""]
    assert device.cell_is_on
    assert dialogue(device, "e\ncell_off\n\n") == ["e", ""]
    assert not device.cell_is_on


def test_an_unknown_command_is_refused_and_makes_it_deaf_for_a_moment() -> None:
    device = EmulatedPotentiostat(SYMMETRIC, clock=RealClock(speed=0.001))
    assert dialogue(device, "*IDN?\nt\n") == ["*!0003"]
    assert dialogue(device, "t\n") == []
    later = EmulatedPotentiostat(SYMMETRIC, clock=RealClock(speed=1e9))
    assert dialogue(later, "*IDN?\n") == ["*!0003"]
    assert dialogue(later, "i\n") == ["iEMULATED01"]


def test_an_abort_with_nothing_running_is_refused() -> None:
    assert dialogue(EmulatedPotentiostat(SYMMETRIC), "Z\n") == ["Z!0006"]


def test_while_it_measures_it_says_who_it_is_and_refuses_the_rest() -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    device.feed(SCRIPT.encode())
    assert b"".join(device.feed(b"t\n")).startswith(b"tnexus1")
    assert device.feed(b"i\n") == [b"i!0006\n"]


def test_an_abort_ends_the_loop_and_runs_what_is_to_be_run_at_the_end() -> None:
    device = EmulatedPotentiostat(SYMMETRIC)
    device.feed(SCRIPT.encode())
    device.due()
    assert device.cell_is_on
    assert dialogue(device, "Z\n") == ["Z", "*", ""]
    assert not device.cell_is_on


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("truncate", ["tnexus11304#Oct R*"]),
        ("lose", ["R*"]),
        ("garbage", ["\x00\xff~\x9e", "R*"]),
        ("repeat", ["tnexus11304#Oct 22 2021 14:38:26"] * 2 + ["R*"]),
        ("hang", []),
        ("drop", []),
    ],
)
def test_a_planned_fault_happens_to_the_line_it_was_planned_for(fault: str, answer: list[str]) -> None:
    device = EmulatedPotentiostat(SYMMETRIC, faults=Faults(lines={0: fault}))  # type: ignore[dict-item]
    assert dialogue(device, "t\n") == answer


# --- what it measures


def test_a_sweep_is_an_echo_a_loop_and_an_empty_line() -> None:
    lines = dialogue(EmulatedPotentiostat(SYMMETRIC), SCRIPT)
    assert lines[:2] == ["e", "M000D"]
    assert [line[0] for line in lines[2:-2]] == ["P"] * 11
    assert lines[-2:] == ["*", ""]


def test_its_points_are_its_cell(cell: EmulatedCell) -> None:
    lines = dialogue(EmulatedPotentiostat(cell, noise=0.0), SCRIPT)
    readings = [parse_packet(line) for line in lines if line.startswith("P")]
    frequency = np.array([reading[0].value for reading in readings])
    measured = np.array([complex(reading[1].value, reading[2].value) for reading in readings])
    assert frequency == pytest.approx(SWEEP.frequencies_hz, rel=1e-5)
    assert measured == pytest.approx(cell.impedance(SWEEP.frequencies_hz), rel=1e-5)


def test_its_noise_is_the_fraction_of_the_impedance_it_was_given() -> None:
    sweep = Sweep(1e5, 1e3, 1000, 0.01)
    script = eis_script(sweep, amplitude=0.01, max_bandwidth_hz=1e6, currents_a=(1e-6, 1e-3))
    lines = dialogue(EmulatedPotentiostat(SYMMETRIC, noise=0.01), script)
    readings = [parse_packet(line) for line in lines if line.startswith("P")]
    measured = np.array([complex(reading[1].value, reading[2].value) for reading in readings])
    truth = SYMMETRIC.impedance(sweep.frequencies_hz)
    errors = (measured - truth) / np.abs(truth)
    assert errors.real.std() == pytest.approx(0.01, rel=0.1)
    assert errors.imag.std() == pytest.approx(0.01, rel=0.1)


def test_its_noise_can_be_had_again() -> None:
    seeds = (1, 1, 2)
    first, again, other = (
        dialogue(EmulatedPotentiostat(SYMMETRIC, rng=np.random.default_rng(seed)), SCRIPT) for seed in seeds
    )
    assert first == again
    assert first != other


@given(st.floats(min_value=-1e15, max_value=1e15))
def test_a_number_keeps_seven_digits_on_its_way(value: float) -> None:
    read = parse_packet(f"Pdc{number(value)}", ("dc",))[0].value
    assert read == pytest.approx(value, rel=5e-6, abs=1e-18)


def test_a_number_too_large_for_a_packet_is_no_number() -> None:
    with pytest.raises(ValueError, match="too large"):
        number(1e30)


def test_a_fast_clock_jumps_and_a_real_one_waits() -> None:
    fast, real = FastClock(), RealClock(speed=10.0)
    due = fast.now() + 1000
    assert fast.seconds_until(due) == 0
    assert fast.now() >= due
    assert 95 < real.seconds_until(real.now() + 1000) <= 100
    assert real.seconds_until(real.now() - 1) == 0


# --- the cells


def test_the_truth_of_the_symmetric_cell() -> None:
    assert SYMMETRIC.truth["asr_ohm_cm2"] == pytest.approx(10.0)
    assert SYMMETRIC.truth["R2"] == pytest.approx(17.683, abs=1e-3)
    assert SYMMETRIC.impedance(1e-6)[0].real == pytest.approx(22 + 15 + 17.683, rel=1e-4)
    assert SYMMETRIC.cell.interfaces_in_path == 2


def test_the_truth_of_the_near_target_cell() -> None:
    assert NEAR_TARGET.truth["asr_ohm_cm2"] == pytest.approx(0.003)
    tau_s = (NEAR_TARGET.truth["R2"] * NEAR_TARGET.truth["CPE2_0"]) ** (1 / NEAR_TARGET.truth["CPE2_1"])
    assert 1 / (2 * math.pi * tau_s) == pytest.approx(5.3e6, rel=0.01)


@pytest.mark.parametrize(("name", "frequency_hz"), [("1", 150e3), ("2", 1.2e3)])
def test_an_arc_of_the_symmetric_cell_peaks_where_it_was_put(name: str, frequency_hz: float) -> None:
    truth = SYMMETRIC.truth
    tau_s = (truth[f"R{name}"] * truth[f"CPE{name}_0"]) ** (1 / truth[f"CPE{name}_1"])
    assert 1 / (2 * math.pi * tau_s) == pytest.approx(frequency_hz)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_passive_and_knows_its_truth(name: str) -> None:
    one = CELLS[name]
    assert np.all(one.impedance(np.geomspace(1e-3, 1e8, 50)).real > 0)
    assert tuple(one.truth) == (*one.parsed.names, "asr_ohm_cm2")


# --- its transports


def test_any_visa_program_can_use_it_over_tcp() -> None:
    with TcpServer(EmulatedPotentiostat(SYMMETRIC)) as served:
        manager = pyvisa.ResourceManager("@py")
        with manager.open_resource(served.resource, read_termination="\n", write_termination="\n") as plain:
            assert plain.query("i") == "iEMULATED01"  # type: ignore[attr-defined]


def test_any_visa_program_can_use_it_in_process() -> None:
    with library().serve(EmulatedPotentiostat(SYMMETRIC), "anybody") as served:
        manager = pyvisa.ResourceManager(served.backend)
        with manager.open_resource(served.resource, read_termination="\n", write_termination="\n") as plain:
            assert plain.query("i") == "iEMULATED01"  # type: ignore[attr-defined]
            plain.timeout = 20
            with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
                plain.read()  # type: ignore[attr-defined]


def test_a_server_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for _ in range(20):
        with TcpServer(EmulatedPotentiostat(SYMMETRIC)):
            assert threading.active_count() == before + 1
    assert threading.active_count() == before
