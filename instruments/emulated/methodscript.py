"""An emulated MethodSCRIPT potentiostat without any input or output: bytes in, bytes out, and a clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from instruments.emulated.cells import CURRENT_SOURCE_OHM, EmulatedCell
from instruments.emulated.clock import Clock, FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.script import PREFIXES, Command, Program, ScriptError, read

MUTE_S = 0.05
"""How long input is ignored after a refused command (s)."""
POINT_OVERHEAD_S = 0.01
CYCLES_PER_POINT = 2.0
LONGEST_LINE = 255
GALVANOSTAT = 6
"""The ``set_pgstat_mode`` of galvanostatic impedance."""
ZERO = 0x8000000
STATUS_BITS = {"timing": 1, "overload": 2, "underload": 4, "overload_warning": 8}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model refuses to exceed: frequency (Hz), excitation (V rms), potential (V), current (A; 0: none)."""

    f_max_hz: float
    amplitude_max_v: float
    potential_v: tuple[float, float]
    current_a: float = 0.0


MODELS = {
    "espico": Limits(200e3, 0.429, (-1.7, 2.0)),
    "es4_lr": Limits(200e3, 0.9, (-3.0, 3.0), 30e-3),
    "es4_hr": Limits(200e3, 0.9, (-6.0, 6.0), 0.2),
    "nexus1": Limits(1e6, 0.3, (-10.0, 10.0), 1.0),
}


class EmulatedPotentiostat:
    """One instrument on the bench; transports hand it bytes and carry what it answers.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    model : str
        The six characters it calls itself; its limits are `MODELS`.
    clock : Clock, optional
        Its sense of time; by default sweeps take no time.
    rng : numpy.random.Generator, optional
        Source of its noise; by default the same noise every time.
    noise : float
        Standard deviation of each component of the impedance, as a fraction of |Z|.
    faults : Faults
        What goes wrong, and when.
    joined_echo : bool
        Answer ``e`` and the start of the loop on one line, as some firmware does.
    xon : bool
        Send an XON character in front of every line, as some models do.

    Attributes
    ----------
    cell_is_on : bool
        Whether the cell is connected and may carry current.
    log : list of str
        Every line it received.
    dropped, unplugged : bool
        Whether a fault has cut the connection, and whether new ones are refused.
    """

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        model: str = "nexus1",
        clock: Clock | None = None,
        rng: np.random.Generator | None = None,
        noise: float = 1e-3,
        faults: Faults | None = None,
        joined_echo: bool = False,
        xon: bool = False,
    ) -> None:
        self.cell = cell
        self.clock = clock or FastClock()
        self.cell_is_on = False
        self.log: list[str] = []
        self.dropped = False
        self.unplugged = False
        self._model = model
        self._limits = MODELS[model]
        self._rng = rng or np.random.default_rng(0)
        self._voltage_rng = np.random.default_rng(1)  # reading the voltage leaves the noise of the points alone
        self._noise = noise
        self._faults = faults or Faults()
        self._echo_end = "" if joined_echo else "\n"
        self._before_line = b"\x11" if xon else b""
        self._hung = False
        self._muted_until = -math.inf
        self._input = b""
        self._output: list[bytes] = []
        self._script: list[str] | None = None  # lines received so far, while a script is being received
        self._program: Program | None = None  # while one runs
        self._steps: Iterator[tuple[float, str]] = iter(())
        self._next: tuple[float, str] | None = None
        self._in_loop = False
        self._mode = 0.0
        self._points = 0
        self._lines = 0
        self._on_since = self.clock.now()

    def link_opened(self) -> None:
        """Begin a new connection; what was said while nobody listened is lost."""
        self.dropped = False
        self.due()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from the host and return what is answered at once."""
        if self._hung or self.clock.now() < self._muted_until:
            return []
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            if not self.clock.now() < self._muted_until:
                self._obey(line.decode("latin-1"))
        return self._taken()

    def due(self) -> list[bytes]:
        """Return what the instrument has to say by now."""
        while self._next and self._next[0] <= self.clock.now() and not (self._hung or self.dropped):
            instant, line = self._next
            self._send(line)
            self._step(instant)
        return self._taken()

    @property
    def next_due(self) -> float | None:
        """The device time (s) at which it will speak of itself; None if it waits for the host."""
        return self._next[0] if self._next and not (self._hung or self.dropped) else None

    def _taken(self) -> list[bytes]:
        output, self._output = self._output, []
        return output

    def _obey(self, line: str) -> None:
        self.log.append(line)
        if self._script is not None:
            if line:
                self._script.append(line)
            else:
                self._load(self._script)
            return
        match line:
            case "":
                pass
            case "t":
                self._send(f"t{self._model}1304#Oct 22 2021 14:38:26")
                self._send("R*")
            case "Z" if self._program:
                self._abort(self._program)
            case "i" if not self._program:
                self._send("iEMULATED01")
            case "e" if not self._program:
                self._script = []
            case "Z" | "i" | "e":
                self._refuse(line, "0006")
            case _:
                self._refuse(line[0], "0008" if len(line) > LONGEST_LINE else "0003")

    def _refuse(self, command: str, code: str) -> None:
        self._send(f"{command}!{code}")
        self._muted_until = self.clock.now() + MUTE_S

    def _load(self, lines: Sequence[str]) -> None:
        self._script = None
        try:
            if any(len(line) > LONGEST_LINE for line in lines):
                raise ScriptError("0008", next(n for n, line in enumerate(lines, 1) if len(line) > LONGEST_LINE))
            program = read(lines)
        except ScriptError as error:
            self._send(f"e!{error}, Col 1")
            return
        self._send("e", self._echo_end)
        self._program, self._steps = program, self._execute(program)
        self._step(self.clock.now())

    def _abort(self, program: Program) -> None:
        """Echo, end the loop, and run what is to be run at the end; a second abort in there changes nothing."""
        self._send("Z")
        self._steps = self._wind_up(program)
        self._step(self.clock.now())

    def _step(self, instant: float) -> None:
        """Go on to the next line of the running script, which is said some time after `instant`."""
        step = next(self._steps, None)
        self._next = (instant + step[0], step[1]) if step else None
        if step is None:
            self._program = None

    def _execute(self, program: Program) -> Iterator[tuple[float, str]]:
        """Run a script, as pairs of a waiting time (s) and a line to say after it."""
        try:
            for command in program.main:
                yield from self._run(command)
        except ScriptError as error:
            yield 0.0, f"!{error}"
            yield 0.0, ""
            return
        yield from self._wind_up(program)

    def _wind_up(self, program: Program) -> Iterator[tuple[float, str]]:
        if self._in_loop:
            self._in_loop = False
            yield 0.0, "*"
        try:
            for command in program.finished:
                yield from self._run(command)
        except ScriptError as error:
            yield 0.0, f"!{error}"
        yield 0.0, ""

    def _run(self, command: Command) -> Iterator[tuple[float, str]]:
        match command.name:
            case "set_pgstat_mode":
                self._mode = command.number(0)
            case "set_e":
                self._check(command.number(0), self._limits.potential_v, "000F", command)
            case "cell_on":
                if not self._mode:
                    raise ScriptError("0021", command.line)
                self.cell_is_on = True
            case "cell_off":
                self.cell_is_on = False
            case "set_i":
                self._check(command.number(0), (-self._limits.current_a, self._limits.current_a), "000F", command)
            case "meas_loop_eis" | "meas_loop_geis":
                yield from self._measure(command)
            case "meas_loop_ocp":
                yield from self._rest(command)

    def _rest(self, loop: Command) -> Iterator[tuple[float, str]]:
        """Measure the cell's voltage at rest."""
        interval_s, seconds = loop.number(1), loop.number(2)
        if self.cell_is_on:
            raise ScriptError("0014", loop.line)
        self._in_loop = True
        yield 0.0, "M000B"
        for _ in range(max(1, round(seconds / interval_s))):
            rest_v = self.cell.voltage_v(self.clock.now() - self._on_since)
            volts = rest_v + 1e-5 * float(self._voltage_rng.standard_normal())
            yield interval_s, f"Pab{number(volts)},10,287"
        self._in_loop = False
        yield 0.0, "*"

    def _check(self, value: float, limits: tuple[float, float], code: str, command: Command) -> None:
        if not (limits[0] <= value <= limits[1]):
            raise ScriptError(code, command.line)

    def _measure(self, loop: Command) -> Iterator[tuple[float, str]]:
        amplitude, start, stop, count, potential = (loop.number(place) for place in range(3, 8))
        if not self.cell_is_on:
            raise ScriptError("4027", loop.line)
        for frequency in (start, stop):
            self._check(frequency, (1e-6, self._limits.f_max_hz), "0011", loop)
        if loop.name == "meas_loop_geis":
            most = self._limits.current_a
            if self._mode != GALVANOSTAT or not most:
                raise ScriptError("0023" if most else "001B", loop.line)
            self._check(amplitude, (1e-12, most), "0012", loop)
            self._check(potential, (-most, most), "000F", loop)
        else:
            self._check(amplitude, (1e-6, self._limits.amplitude_max_v), "0012", loop)
            self._check(potential, self._limits.potential_v, "000F", loop)
        self._in_loop = True
        yield 0.0, "M000E" if loop.name == "meas_loop_geis" else "M000D"
        for frequency in np.geomspace(start, stop, int(count)).tolist():
            yield POINT_OVERHEAD_S + CYCLES_PER_POINT / frequency, self._packet(loop, frequency)
        self._in_loop = False
        yield 0.0, "*"

    def _packet(self, loop: Command, frequency: float) -> str:
        """Measure one point and write its data packet, in the order of the script's ``pck_add``."""
        fault = self._faults.points.get(self._points)
        self._points += 1
        if fault == "runtime_error":
            self._in_loop = False
            raise ScriptError("0032", loop.line)
        source_ohm = CURRENT_SOURCE_OHM if loop.name == "meas_loop_geis" else 0.0
        amplitude_v = loop.number(3) * (source_ohm or 1.0)
        age_s = self.clock.now() - self._on_since
        found = self.cell.response(frequency, age_s, amplitude_v, source_ohm=source_ohm)
        fault, z = fault or ("overload" if found.is_saturated else None), found.z_ohm
        noisy = z + self._noise * abs(z) * complex(*self._rng.standard_normal(2))
        real, imaginary = (math.nan, math.nan) if fault == "nan" else (noisy.real, noisy.imag)
        status = f",1{STATUS_BITS.get(fault or '', 0):X},288"
        fields = (
            f"dc{number(frequency)}",
            f"cc{number(real)}{status}",
            f"cd{number(imaginary)}{status}",
        )
        by_variable = dict(zip(loop.arguments[:3], fields, strict=True))
        added = (command.arguments[0] for command in loop.body if command.name == "pck_add")
        return "P" + ";".join(by_variable[variable] for variable in added)

    def _send(self, line: str, end: str = "\n") -> None:
        """Say a line, unless a fault has been planned for it."""
        fault = self._faults.lines.get(self._lines)
        self._lines += 1
        match fault:
            case "truncate":
                self._say(line[: (len(line) + 1) // 2])
            case "garbage":
                self._say("\x00\xff~\x9e\n")
            case "lose":
                pass
            case "hang":
                self._hung = True
            case "drop" | "unplug":
                self.dropped, self.unplugged = True, fault == "unplug"
            case _:
                self._say((line + end) * (2 if fault == "repeat" else 1))

    def _say(self, text: str) -> None:
        if not (self._hung or self.dropped):
            self._output.append(self._before_line + text.encode("latin-1"))


def number(value: float) -> str:
    """Write a number as data packets do: 7 hexadecimal digits and the SI prefix that keeps most of them."""
    if math.isnan(value):
        return "     nan"
    for step, prefix in enumerate(PREFIXES):
        mantissa = round(value / 10.0 ** (3 * step - 18))
        if abs(mantissa) < ZERO:
            return f"{mantissa + ZERO:07X}{prefix}"
    raise ValueError(f"{value!r} is too large for a data packet")
