"""An emulated Keysight E4990A: it sweeps a frequency grid of its own when triggered, and then has the whole trace.

Commands and words are those of published programs for the instrument. How long a point takes is set here to be of
the right order. ``cell_is_on`` is true while the bias is on or the level is above the lowest there is: there is no
switch between the output and the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.scpi import Call, ScpiDevice, Trigger
from instruments.emulated.scpi_values import Choice, Integer, Number, ScpiError, Setting, Switch

F_MIN_HZ = 20.0
F_MAX_HZ = {"010": 10e6, "020": 20e6, "030": 30e6, "050": 50e6, "120": 120e6}
LOWEST_V = 0.005
NO_VALUE = 9.9e37
SECONDS = {1: 0.003, 2: 0.01, 3: 0.03, 4: 0.06, 5: 0.1}
"""How long a point takes at high frequencies (s), by aperture."""
MEASURING, WAITING = 16, 32
PARAMETERS = Choice("Z", "Y", "R", "X", "G", "B", "CP", "CS", "LP", "LS", "D", "Q", "TZ", "TY", "VAC", "IAC")
SWEEP = ("SENSe#:FREQuency:STARt", "SENSe#:FREQuency:STOP", "SENSe#:SWEep:POINts", "SENSe#:SWEep:TYPE")


@dataclass(frozen=True, slots=True)
class _Precise(Number):
    """A number told with all its digits."""

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return f"{value:+.11E}"


class EmulatedE4990A(ScpiDevice):
    """An E4990A at a cell; of `Faults.points`, ``overload`` and ``nan`` are error values, the others complaints.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    option : str
        Its frequency option: one of `F_MAX_HZ`.
    **others
        As `instruments.emulated.device.LineDevice`.
    """

    def __init__(self, cell: EmulatedCell, *, option: str = "120", **others: Any) -> None:
        super().__init__(
            cell, identification="Keysight Technologies,E4990A,EMULATED01,A.03.02", options=option, **others
        )
        self._trace: list[complex] = []
        self._pending: list[complex] | None = None
        self._parameters = {1: "Z", 2: "TZ", 3: "CP", 4: "D"}
        limits = _Precise(F_MIN_HZ, F_MAX_HZ[option], digits=12)
        self.define(
            Setting("FORMat:DATA", "ASC", Choice("ASCii", "REAL", "REAL32")),
            Setting("SENSe#:FREQuency:STARt", F_MIN_HZ, limits),
            Setting("SENSe#:FREQuency:STOP", F_MAX_HZ[option], limits),
            Setting("SENSe#:SWEep:POINts", 201, Integer(2, 1601)),
            Setting("SENSe#:SWEep:TYPE", "LIN", Choice("LINear", "LOGarithmic")),
            Setting("SENSe#:SWEep:DIRection", "UP", Choice("UP", "DOWN")),
            Setting("SENSe#:APERture:TIME", 1, Integer(1, 5)),
            Setting("SENSe#:AVERage:COUNt", 1, Integer(1, 999)),
            Setting("SENSe#:AVERage[:STATe]", False, Switch()),
            Setting("CALCulate#:AVERage[:STATe]", False, Switch()),
            Setting("SOURce#:MODE", "VOLT", Choice("VOLTage", "CURRent")),
            Setting("SOURce#:VOLTage[:LEVel]", 0.5, _Precise(LOWEST_V, 1.0, digits=4)),
            Setting("SOURce#:BIAS:MODE", "VOLT", Choice("VOLTage", "CURRent")),
            Setting("SOURce#:BIAS:VOLTage", 0.0, _Precise(-40.0, 40.0, digits=6)),
            Setting("SOURce#:BIAS:STATe", False, Switch()),
        )
        trigger = Trigger(self._begin, self.clock.now, sources=("INTernal", "EXTernal", "MANual", "BUS"))
        self.use_trigger(trigger)
        for header, handler in (
            ("CALCulate#:PARameter#:DEFine", self._define_parameter),
            ("CALCulate#:PARameter#:DEFine?", lambda call: self._parameters[self._trace_number(call)]),
            ("INITiate#:CONTinuous", self._run_continuously),
            ("INITiate#:CONTinuous?", lambda call: Switch().write(trigger.continuous)),
            ("TRIGger[:SEQuence]:SINGle", lambda call: self._single()),
            ("SENSe#:FREQuency:DATA?", lambda call: ",".join(f"{f:+.11E}" for f in self._grid_hz)),
            ("CALCulate#:DATA:RDATa?", lambda call: self._raw_data()),
            ("STATus:OPERation:CONDition?", lambda call: str(self._condition)),
        ):
            self.command(header, handler)
        self["SOURce#:VOLTage[:LEVel]"] = LOWEST_V  # as somebody left it who cares for what is connected

    def changed(self, header: str) -> None:
        """Take note of a setting: the bias and the level are what the cell feels; a new grid has no data yet."""
        if header.startswith("SOURce#"):
            self.cell_is_on = bool(self["SOURce#:BIAS:STATe"]) or self["SOURce#:VOLTage[:LEVel]"] > LOWEST_V
        if header in SWEEP:
            self._trace, self._pending = [], None
            if header.endswith("STARt") and self["SENSe#:FREQuency:STOP"] < self[header]:
                self["SENSe#:FREQuency:STOP"] = self[header]
            if header.endswith("STOP") and self["SENSe#:FREQuency:STARt"] > self[header]:
                self["SENSe#:FREQuency:STARt"] = self[header]

    @property
    def _grid_hz(self) -> list[float]:
        """The frequencies it sweeps (Hz)."""
        start, stop, points, kind = (self[header] for header in SWEEP)
        grid = np.geomspace(start, stop, points) if kind == "LOG" else np.linspace(start, stop, points)
        return [float(one) for one in (grid if self["SENSe#:SWEep:DIRection"] == "UP" else grid[::-1])]

    def _single(self) -> None:
        if self.trigger is None or self["TRIGger:SOURce"] == "INT":
            raise ScpiError(-211)
        self.trigger.fire()

    def _begin(self) -> float:
        """Measure the grid; the trace is there once that has taken its time (s)."""
        self._pending = [self._point(frequency_hz) for frequency_hz in self._grid_hz]
        averages = self["SENSe#:AVERage:COUNt"] if self["SENSe#:AVERage[:STATe]"] else 1
        aperture = self["SENSe#:APERture:TIME"]
        return float(sum(averages * max(SECONDS[aperture], aperture / one) for one in self._grid_hz))

    def _point(self, frequency_hz: float) -> complex:
        z = self._measured(frequency_hz, self["SOURce#:VOLTage[:LEVel]"])
        fault = self._fault
        if fault in ("overload", "nan"):
            return complex(NO_VALUE, NO_VALUE)
        if fault:
            self.error(-310)
        return z

    def _raw_data(self) -> str:
        """Return the newest complete trace as pairs; nothing but zeros where none has been measured yet."""
        if self._pending is not None and not self._remaining_s:
            self._trace, self._pending = self._pending, None
        trace = self._trace or [0j] * len(self._grid_hz)
        return ",".join(f"{z.real:+.11E},{z.imag:+.11E}" for z in trace)

    def _abort(self) -> None:
        if self._remaining_s:
            self._pending = None
        super()._abort()

    def _trace_number(self, call: Call) -> int:
        if call.suffixes[1] not in self._parameters:
            raise ScpiError(-113)
        return call.suffixes[1]

    def _define_parameter(self, call: Call) -> None:
        self._parameters[self._trace_number(call)] = PARAMETERS.read(call.only())

    @property
    def _condition(self) -> int:
        return MEASURING if self._remaining_s else WAITING
