"""The MethodSCRIPT driver under hundreds of random schedules of faults: nothing wrong, lost, or left on."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from eis.errors import AbortedError, CellStateUnknownError, EisError, InstrumentError, LinkError
from eis.spectrum import Quality
from instruments import Sweep
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.faults import Faults
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.script import Command, ScriptError
from instruments.palmsens import PalmSens
from instruments.potentiostat import Point
from tests.thorough import number

pytestmark = pytest.mark.usefixtures("watchdog", "in_no_time")

Connect = Callable[..., PalmSens]

N_POINTS = 6
NOISE = 1e-3
SWEEPS = {
    "potentiostatic": Sweep(10, 1, 5, amplitude_v=0.01, dc_v=0.2),
    "galvanostatic": Sweep(10, 1, 5, amplitude_a=1e-3, dc_a=2e-3),
}
MODELS = {"potentiostatic": ("espico", "es4_lr", "es4_hr", "nexus1"), "galvanostatic": ("es4_hr", "nexus1")}
LINE_FAULTS = ("truncate", "garbage", "repeat", "lose", "drop", "hang", "unplug")
FLAGS = {
    "overload": Quality.OVERLOAD,
    "underload": Quality.UNDERLOAD,
    "overload_warning": Quality.OVERLOAD_WARNING,
    "timing": Quality.TIMING,
    "nan": Quality.NOT_A_NUMBER,
}
POINT_FAULTS = (*FLAGS, "runtime_error")
KINDS = dict.fromkeys((*LINE_FAULTS, *POINT_FAULTS), 1.0) | {"hang": 0.3, "unplug": 0.3}
"""How often each comes on top of others; what ends everything is drawn less often."""
PLACES = {
    "before the first point": (3, 6),  # after two lines for t and one for i: i, the echo, the start of the loop
    "among the points": (6, 6 + N_POINTS),
    "in the shutdown": (6 + N_POINTS, 6 + N_POINTS + 12),
}
"""Numbers of the lines the instrument sends; where a sweep ends early, its shutdown is among the points."""
WAYS_TO_END = ("whole", "abort", "close")


class Witnessed(EmulatedPotentiostat):
    """An instrument that keeps what it measured, and which packets it sent whole before anything went wrong."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.measured: list[str] = []
        self.sent_whole: list[str] = []
        self.befallen: list[str] = []

    def _packet(self, loop: Command, frequency: float) -> str:
        packet = super()._packet(loop, frequency)
        self.measured.append(packet)
        return packet

    def _send(self, line: str, end: str = "\n") -> None:
        fault = self._faults.lines.get(self._lines)
        if fault:
            self.befallen.append(fault)
        elif line.startswith("P") and not (self.befallen or self.dropped or self._hung):
            self.sent_whole.append(line)
        super()._send(line, end)

    def mend(self) -> None:
        """Nothing goes wrong any more; what was pulled out is put back."""
        self._faults = Faults()
        self.unplugged = False
        self.befallen.clear()


def witnessed(**options: Any) -> Witnessed:
    """An instrument that takes its time: without an abort, its script runs on for seconds."""
    return Witnessed(SYMMETRIC, clock=RealClock(), noise=NOISE, **options)


@dataclass(frozen=True)
class Schedule:
    """What goes wrong in one sweep, how it is ended, and before the how-manieth waiting for a line."""

    mode: str
    model: str
    faults: Faults
    habit: dict[str, bool]
    end: str
    at: int


def drawn(rng: np.random.Generator, first: str) -> Schedule:
    """Return a schedule with the fault `first` and up to three others, at random places."""
    mode = str(rng.choice(list(SWEEPS)))
    lines: dict[int, Any] = {}
    points: dict[int, Any] = {}
    others = rng.choice(list(KINDS), size=rng.integers(0, 4), p=np.array([*KINDS.values()]) / sum(KINDS.values()))
    for kind in (*map(str, others), first):  # which wins where two meet
        if kind in POINT_FAULTS:
            points[int(rng.integers(0, N_POINTS))] = kind
        else:
            lines[int(rng.integers(*PLACES[str(rng.choice(list(PLACES)))]))] = kind
    return Schedule(
        mode=mode,
        model=str(rng.choice(MODELS[mode])),
        faults=Faults(points, lines),
        habit={"joined_echo": bool(rng.random() < 0.2), "xon": bool(rng.random() < 0.2)},
        end=str(rng.choice(WAYS_TO_END, p=[0.5, 0.3, 0.2])),
        at=int(rng.integers(1, N_POINTS + 5)),
    )


def abort_before_line(meter: PalmSens, at: int, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Abort as another thread would, before the `at`-th line is waited for; return whether a sweep was running."""
    read_line = meter.link.read_line
    waited, running = 0, []

    def aborting(*arguments: Any, **options: Any) -> str:
        nonlocal waited
        waited += 1
        if waited == at:
            running.append(meter._running)
            with contextlib.suppress(LinkError):  # where it was cut before, the sweep will notice
                meter.abort()
        return read_line(*arguments, **options)

    monkeypatch.setattr(meter.link, "read_line", aborting)
    return running


def measure(meter: PalmSens, schedule: Schedule, sweep: Sweep) -> tuple[list[Point], EisError | None]:
    """Measure as the schedule says; return the points, also those before an error, and the error."""
    received: list[Point] = []
    points = meter.sweep(sweep)
    try:
        for point in points:
            received.append(point)
            if schedule.end == "close" and len(received) == schedule.at:
                points.close()
    except EisError as error:
        return received, error
    return received, None


def require_right(received: list[Point], packets: list[str], sweep: Sweep, faults: Faults, where: str) -> None:
    """Every point is the cell at its own frequency, is the line that was sent for it, and has its own flag."""
    assert [point.index for point in received] == list(range(len(received))), where
    assert [point.raw for point in received] == packets[: len(received)], where
    for point, frequency_hz in zip(received, sweep.frequencies_hz, strict=False):
        flag = FLAGS.get(faults.points.get(point.index, ""), Quality.OK)
        assert point.quality == flag, where
        assert point.frequency_set_hz == frequency_hz, where
        assert point.frequency_hz == pytest.approx(frequency_hz, rel=1e-6), where
        if flag == Quality.NOT_A_NUMBER:
            assert np.isnan(point.z_ohm), where
        else:
            truth = complex(SYMMETRIC.impedance(frequency_hz)[0])
            assert abs(point.z_ohm - truth) < 6 * NOISE * abs(truth), where


@pytest.mark.parametrize("seed", range(number(3, thorough=6)))
def test_no_schedule_of_faults_makes_a_wrong_point_loses_one_or_leaves_the_cell_on_in_silence(
    seed: int, connected: Connect
) -> None:
    rng = np.random.default_rng(seed)
    befallen: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for trial in range(60):
        schedule = drawn(rng, first=list(KINDS)[trial % len(KINDS)])
        sweep = SWEEPS[schedule.mode]
        device = witnessed(model=schedule.model, rng=rng, faults=schedule.faults, **schedule.habit)
        meter = connected(device)
        with pytest.MonkeyPatch.context() as patched:
            aborted = abort_before_line(meter, schedule.at, patched) if schedule.end == "abort" else []
            received, told = measure(meter, schedule, sweep)
        where = f"trial {trial}, {schedule}: {told!r} after {device.befallen}, {len(received)} points"
        closed = schedule.end == "close" and len(received) == schedule.at
        befallen.update([*device.befallen, *list(schedule.faults.points.values())[: len(device.measured)]])
        outcomes[type(told).__name__] += 1

        assert not device.cell_is_on or isinstance(told, CellStateUnknownError), where
        assert told or closed or len(received) == N_POINTS, where
        if len(device.befallen) + len(aborted) <= 2 and not {"hang", "unplug"} & set(device.befallen):
            assert not isinstance(told, CellStateUnknownError), where  # three attempts outlast two disturbances
        if any(aborted) and len(received) < N_POINTS:
            assert isinstance(told, AbortedError | CellStateUnknownError), where
        assert closed or len(received) >= len(device.sent_whole), where
        require_right(received, device.measured, sweep, schedule.faults, where)

        if not device._hung:  # what is mended measures again: nothing of the last sweep is left in the way
            device.mend()
            if isinstance(told, CellStateUnknownError) or "cell_on" not in device.log:
                meter.cell_off()
            assert not device.cell_is_on, where
            device.measured.clear()
            again, told = measure(meter, Schedule("", "", Faults(), {}, "whole", 0), sweep)
            assert told is None, f"{where}; then {told!r}"
            assert len(again) == N_POINTS, where
            require_right(again, device.measured, sweep, Faults(), where)
            assert not device.cell_is_on, where
        meter.link.close()
    assert all(befallen[kind] for kind in KINDS), befallen
    assert set(outcomes) >= {"NoneType", "LinkError", "InstrumentError", "AbortedError", "CellStateUnknownError"}


def test_a_sweep_that_is_given_up_is_ended_at_once_and_not_only_at_its_end(connected: Connect) -> None:
    device = witnessed()
    meter = connected(device)
    points = meter.sweep(Sweep(10, 0.01, 2, 0.01))
    next(points)
    begun = device.clock.now()
    points.close()
    assert not device.cell_is_on
    assert device.clock.now() - begun < 1.0  # the next point alone takes longer


def test_an_abort_is_forgotten_with_its_sweep(connected: Connect) -> None:
    device = witnessed(faults=Faults(points={2: "runtime_error"}))
    meter = connected(device)
    points = meter.sweep(SWEEPS["potentiostatic"])
    next(points)
    meter.abort()
    with pytest.raises(AbortedError):
        next(points)
    with pytest.raises(InstrumentError, match="0032"):
        list(meter.sweep(SWEEPS["potentiostatic"]))


@pytest.mark.parametrize("fault", ["", "garbage", "truncate"])
def test_a_script_that_fails_to_switch_the_cell_off_is_not_taken_for_one_that_did(
    fault: str, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    line_of_the_error = 6 + N_POINTS + 3  # after the points: end of the loop, end of the script, the echo
    device = witnessed(faults=Faults(lines={line_of_the_error: fault} if fault else {}))  # type: ignore[dict-item]
    run, failures = device._run, iter([True, True])

    def failing(command: Any) -> Iterator[tuple[float, str]]:
        if command.name == "cell_off" and command.line == 1 and next(failures, False):  # a script of its own
            raise ScriptError("7FFF", command.line)
        return run(command)

    monkeypatch.setattr(device, "_run", failing)
    list(connected(device).sweep(SWEEPS["potentiostatic"]))
    assert next(failures, "both times") == "both times"
    assert not device.cell_is_on
