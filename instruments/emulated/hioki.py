"""An emulated Hioki BT4560: 0.1 to 1050 Hz, lines that end with CR and LF, silence after an error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.scpi import Call, Reply, ScpiDevice
from instruments.emulated.scpi_values import Choice, Integer, Number, ScpiError, Setting, Switch

RANGES_OHM = (3e-3, 10e-3, 100e-3)
STEPS_HZ = ((100.0, 10.0), (10.0, 1.0), (1.0, 0.1), (0.0, 0.01))
BUFFER_BYTES = 256
OVER_RANGE = "+10.0000E+8"
MEASUREMENT_FAULT = "+10.0000E+9"
CYCLES = {"FAST": 1, "MED": 2, "SLOW": 4}
"""How many cycles a point takes at each rate, besides one to settle: of the right size, no more is known."""


@dataclass(frozen=True, slots=True)
class _Frequency(Number):
    """A frequency (Hz), taken in the steps of the instrument."""

    steps: Sequence[tuple[float, float]] = STEPS_HZ

    def read(self, text: str) -> float:
        """Return the frequency as the instrument takes it."""
        value = Number.read(self, text)
        step = next((step for start, step in self.steps if value >= start * (1 - 1e-9)), None)
        return value if step is None else round(round(value / step) * step, 4)

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return f"{value:.2f}" if self.steps else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class _Range(Number):
    """A measuring range (ohm): the smallest that holds the value."""

    ranges_ohm: Sequence[float] = RANGES_OHM

    def read(self, text: str) -> float:
        """Return the range that is taken."""
        value = Number.read(self, text)
        return next(range_ohm for range_ohm in self.ranges_ohm if value <= range_ohm)

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return f"{value:.4E}"


@dataclass(frozen=True, slots=True)
class _OnOff(Switch):
    """On or off, in words."""

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return "ON" if value else "OFF"


class EmulatedHioki(ScpiDevice):
    """A BT4560; of `Faults.points`, ``overload`` and ``nan`` are error values, and ``runtime_error`` is no result.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    model : str
        What it calls itself.
    voltage_v : float
        Voltage of the cell (V).
    ranges_ohm : sequence of float
        Its ranges (ohm), rising.
    steps_hz : sequence of pairs of float
        From which frequency on (Hz) frequencies are taken in which steps (Hz); none if empty.
    free_running : bool
        Whether it measures all the time from power-on, as with an internal trigger.
    headers : bool
        Whether its answers begin with headers, as somebody may have left it.
    joined : bool
        Whether the answers to one line come as one line; else each has its own.
    **others
        As `instruments.emulated.device.LineDevice`.
    """

    end = "\r\n"

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        model: str = "BT4560",
        voltage_v: float = 3.7,
        ranges_ohm: Sequence[float] = RANGES_OHM,
        steps_hz: Sequence[tuple[float, float]] = STEPS_HZ,
        free_running: bool = False,
        headers: bool = False,
        joined: bool = True,
        **others: Any,
    ) -> None:
        self._busy_until = -math.inf
        self._ran_freely = free_running
        super().__init__(cell, identification=f"HIOKI,{model},EMULATED01,V1.00", **others)
        self._voltage_v = voltage_v
        self._ranges_ohm = tuple(ranges_ohm)
        self._joined = joined
        self._at = 0.0
        self._result: str | None = None
        self._next_result: str | None = None
        self.define(
            Setting("SYSTem:HEADer", headers, _OnOff()),
            Setting("SYSTem:BEEPer", True, _OnOff()),
            Setting("FUNCtion", "ZV", Choice("RV", "ZV", "R", "Z", "V")),
            Setting("FREQuency", 1000.0, _Frequency(0.1, 1050.0, steps=tuple(steps_hz))),
            Setting("RANGe", ranges_ohm[-1], _Range(0.0, ranges_ohm[-1], ranges_ohm=self._ranges_ohm)),
            Setting("AUTorange", False, _OnOff()),
            Setting("CALCulate:AVERage", 1, Integer(1, 99)),
            Setting("SAMPle:DELay:MODE", "TIME", Choice("TIME", "WAVE")),
            Setting("SAMPle:DELay:WAVE", 0.0, Number(0.0, 9.0, digits=2)),
            Setting("ADJust:SLOPe", False, _OnOff()),
            Setting("LIMiter", True, _OnOff()),
            Setting("ZERO:CROSs", False, _OnOff()),
            Setting("TRIGger:SOURce", "IMM" if free_running else "EXT", Choice("IMMediate", "EXTernal")),
            Setting("INITiate:CONTinuous", free_running, _OnOff()),
        )
        self._rates = {"Z": "MED", "V": "MED"}
        self.command("SAMPle:RATE", self._set_rate)
        self.command("SAMPle:RATE?", lambda call: self._rates[self._sampled(call.only())])
        self.command("*TRG", lambda call: self._triggered())
        self.command("*WAI", lambda call: self._wait())
        self.command("FETCh?", lambda call: self._fetched())
        self.command("READ?", lambda call: self._read())
        self._pass_time()

    def due(self) -> list[bytes]:
        """Return what the instrument has to say by now."""
        output = super().due()
        self._pass_time()
        return output

    def changed(self, header: str) -> None:
        """Take note of what ends free running: the measurement in progress is finished first."""
        if header in ("TRIGger:SOURce", "INITiate:CONTinuous"):
            if self._ran_freely and not self._runs_freely:
                self._busy_until = self.clock.now() + self._duration_s
            self._ran_freely = self._runs_freely

    def _obey(self, line: str) -> None:
        """Obey one message; after an error the rest is discarded, and nothing is answered."""
        self._pass_time()
        self._at = self.clock.now()
        if len(line) + len(self.end) > BUFFER_BYTES:
            self.error(-310)
            return
        answers: list[str] = []
        path = ""
        for unit in (unit.strip() for unit in line.split(";")):
            try:
                path, answer = self._do(unit, path)
            except ScpiError as refusal:
                self.error(refusal.number)
                return
            text = answer.text if isinstance(answer, Reply) else answer
            if text:
                answers.append(self._headed(unit, text))
        after_s = self._at - self.clock.now()
        for text in [";".join(answers)] if self._joined and answers else answers:
            self._answer(text, after_s=after_s)
        self._pass_time()

    def _headed(self, unit: str, text: str) -> str:
        header = unit.partition("?")[0].lstrip(":").upper()
        return text if header.startswith("*") or not self["SYSTem:HEADer"] else f":{header} {text}"

    @property
    def _runs_freely(self) -> bool:
        return bool(self["INITiate:CONTinuous"] and self["TRIGger:SOURce"] == "IMM")

    def _pass_time(self) -> None:
        """Bring to a close what has ended by now."""
        if self._hung:
            return
        now = self.clock.now()
        if self._next_result is not None and now >= self._busy_until:
            self._result, self._next_result = self._next_result, None
        self.cell_is_on = self._runs_freely or now < self._busy_until

    def _sampled(self, word: str) -> str:
        if word.upper() not in self._rates:
            raise ScpiError(-224)
        return word.upper()

    def _set_rate(self, call: Call) -> None:
        if len(call.arguments) != 2:
            raise ScpiError(-109)
        self._rates[self._sampled(call.arguments[0])] = Choice("FAST", "MEDium", "SLOW").read(call.arguments[1])

    def _triggered(self) -> None:
        if self["TRIGger:SOURce"] != "EXT" or not self["INITiate:CONTinuous"]:
            raise ScpiError(-211)
        self._begin()

    def _read(self) -> str:
        if self["TRIGger:SOURce"] != "IMM" or self["INITiate:CONTinuous"]:
            raise ScpiError(-213)
        self._begin()
        self._wait()
        return self._fetched()

    def _begin(self) -> None:
        if self._at < self._busy_until:
            raise ScpiError(-211)
        self._busy_until = self._at + self._duration_s
        self._result, self._next_result = None, self._measurement()

    def _wait(self) -> None:
        self._at = max(self._at, self._busy_until)

    def _fetched(self) -> str:
        """Return the newest result that there is; to ask before there is one is an error."""
        if self._runs_freely:
            self._result = self._measurement()
        elif self._next_result is not None and self._at >= self._busy_until:
            self._result, self._next_result = self._next_result, None
        if not self._result:
            raise ScpiError(-230)
        return self._result

    @property
    def _duration_s(self) -> float:
        if self["FUNCtion"] == "V":
            return float(0.1 * self["CALCulate:AVERage"])
        cycles = 1 + CYCLES[self._rates["Z"]] * self["CALCulate:AVERage"]
        if self["SAMPle:DELay:MODE"] == "WAVE":
            cycles += self["SAMPle:DELay:WAVE"]
        return float(0.1 + cycles / self["FREQuency"])

    def _measurement(self) -> str:
        """Return the values of one measurement in the present function; empty if it gave none."""
        function = self["FUNCtion"]
        voltage = f"{self._voltage_v + self.cell.ocv_drift_v_per_s * self._elapsed_s:+.5E}"
        if function == "V":
            return voltage
        z = self._measured(self["FREQuency"])  # its excitation is not stated, and taken to be small
        fault = self._fault
        if fault == "runtime_error":
            return ""
        range_ohm = self._ranges_ohm[-1] if self["AUTorange"] else self["RANGe"]
        if fault == "nan":
            values = [MEASUREMENT_FAULT] * 2
        elif fault == "overload" or abs(z) > 1.2 * range_ohm:
            values = [OVER_RANGE] * 2
        else:
            pair = (
                (z.real, z.imag)
                if function.startswith("R")
                else (abs(z), math.degrees(math.atan2(z.imag, z.real)))
            )
            values = [f"{value:+.5E}" for value in pair]
        return ",".join([*values, voltage] if function.endswith("V") else values)
