"""Emulated Solartron instruments: an analyser (1260, 1255B), a 1287 interface, and the two of them on a bench.

They obey two-letter commands, refuse what they do not know with the errors of group 0, and say so only when asked.
What a real instrument answers to a query, and the digits of error group 8, are assumptions.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.clock import Clock, FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.two_letters import Code, TwoLetterDevice, decimal, number

OVERHEAD_S = 0.05
"""What a point takes besides delay and integration (s)."""
NOISE_AFTER_S = 0.1
"""The integration (s) after which the noise is what an analyser is made with."""
DIGITS = 1e-6
"""How much of an integration is forgiven when it is rounded up to whole cycles: settings have seven digits."""
NO_SIGNAL = "7"
POINT_ERRORS: Mapping[str, str] = {
    "overload": "1",
    "underload": "2",
    "overload_warning": "3",
    "timing": "4",
    "nan": "5",
}
"""Error digit by fault: made up, as the real ones are not known here."""
ANALYSER: Mapping[str, Code] = {
    "FR": number(1e-5, 32e6),
    "VA": number(0, 3),
    "VB": number(-40.95, 40.95),
    "IA": number(0, 0.06),
    "IB": number(-0.1, 0.1),
    "GT": Code(0, 1),
    "IS": number(0.01, 1e5),
    "MS": number(0, 1e5),
    "AU": Code(0, 4),
    "CZ": Code(0, 1),
    "UW": Code(0, 1),
    "SW": Code(0, 2),
    "BP": Code(0, 1),
    "OS": Code(0, 1),
    "OT": Code(0, 3),
    "SO": Code(1, 3, pair=(0, 3)),
    "OP": Code(0, 2, channels=(1, 2)),
    "RA": Code(0, 5, channels=(1, 2, 3)),
    "DC": Code(0, 1, channels=(1, 2, 3)),
    "IP": Code(0, 1, channels=(1, 2, 3)),
    "OU": Code(0, 1, channels=(1, 2, 3)),
}
INTERFACE: Mapping[str, Code] = {
    "PO": Code(0, 1),
    "PV": number(-14.5, 14.5),
    "PC": number(-2, 2),
    "PI": Code(0, 1),
    "PW": Code(0, 1),
    "BY": Code(0, 1),
    "ON": Code(0, 1),
    "RR": Code(0, 8),
    "VX": Code(0, 1),
    "IX": Code(0, 1),
    "IL": Code(0, 8),
    "OL": Code(0, 2),
    "PB": Code(0, 9),
    "GB": Code(0, 9),
    "BR": Code(0, 1),
    "RU": Code(0, 1),
    "GP": Code(0, 2),
    "FI": Code(0, 2),
}


class EmulatedInterface(TwoLetterDevice):
    """A 1287: it holds the potential, opens and closes the cell, and gives its analyser potential and current.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    inverted : bool
        Whether its current output has the other sign.
    **options
        Those of `TwoLetterDevice`.
    """

    codes = INTERFACE
    actions = ("TR", "CE", "BK3")

    def __init__(self, cell: EmulatedCell, *, inverted: bool = False, **options: Any) -> None:
        super().__init__(cell, **options)
        self._sign = -1 if inverted else 1

    @property
    def ratio_per_ohm(self) -> float:
        """What the ratio of its two outputs is, for each ohm at the cell."""
        resistor_ohm: float = 10.0 ** (max(1.0, self.value("RR")) - 2)
        gains: float = 10.0 ** (self.value("VX") - self.value("IX"))
        return self._sign * gains / resistor_ohm

    @property
    def gain(self) -> float:
        """How much of the analyser's generator reaches the cell."""
        return 0.01 if self.value("PI") else 1.0

    def _changed(self) -> None:
        self.cell_is_on = bool(self.value("PW"))

    def _act(self, code: str) -> None:
        if code == "TR":
            self._answer(self._reading(), after_s=OVERHEAD_S)
        elif code == "BK3":
            self._reset()
            self._changed()
        else:
            self._last_error = 0

    def _reading(self) -> str:
        """Return potential and current; in full standby the voltmeter sees nothing."""
        rest_v = self.cell.voltage_v(self._elapsed_s)
        potential_v = rest_v if self.value("BY") else 0.0
        current_a = 0.0
        if self.cell_is_on:
            potential_v = self.value("PV") + (rest_v if self.value("ON") else 0.0)
            current_a = (potential_v - rest_v) / complex(self.cell.impedance(1e-3)[0]).real
        return f"{decimal(potential_v, 5)},{decimal(current_a, 5)},00,00"


class EmulatedAnalyser(TwoLetterDevice):
    """A 1260 or a 1255B: it measures V1/I at the cell, or V1/V2 of what its interface gives it.

    Its amplitude and bias are at the cell as soon as they are set, unless there is an interface in between. A cell
    that drifts is seen as it is in the middle of the integration. The noise falls with the root of the integration
    time: it is what `LineDevice` says after 0.1 s, and 3.2 times as much after 10 ms, the shortest there is.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    model : str
        The name in its identity.
    identity : str, optional
        Its whole answer to ``*IDN?``.
    interface : EmulatedInterface, optional
        What stands between it and the cell.
    **options
        Those of `TwoLetterDevice`.
    """

    codes = ANALYSER
    actions = ("SI", "BK", "DO", "CE", "TT1", "TT2", "*IDN?", "*RST", "*CLS", "*STB?", "*ESR?", "*TST?")

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        model: str = "1260 IMPEDANCE ANALYZER",
        identity: str | None = None,
        interface: EmulatedInterface | None = None,
        **options: Any,
    ) -> None:
        super().__init__(cell, **options)
        self._identity = identity or f"SCHLUMBERGER TECHNOLOGIES, {model}, EMULATED01, 0"
        self._interface = interface
        self._unsent: str | None = None
        self._ahead_s = 0.0  # how much later than now the middle of an integration is

    @property
    def _elapsed_s(self) -> float:
        return super()._elapsed_s + self._ahead_s

    def _changed(self) -> None:
        self.cell_is_on = self._interface is None and any(self.value(name) != 0 for name in ("VA", "VB"))

    def _act(self, code: str) -> None:
        match code:
            case "SI":
                self._measure()
            case "BK" | "*RST":
                self._waiting.clear()
            case "TT1" | "TT2":
                self._waiting.clear()
                self._reset()
                self._changed()
            case "DO":
                self._say_result()
            case "CE" | "*CLS":
                self._last_error = 0
            case "*IDN?":
                self._answer(self._identity)
            case "*TST?":
                self._answer("1")
            case _:
                self._answer("0")

    def _measure(self) -> None:
        """Take the time that the delay and whole cycles of integration take, then say the result.

        Without a delay it settles for a cycle, which is an assumption.
        """
        frequency_hz = self.value("FR")
        delay_s = self.value("MS") or 1 / frequency_hz
        integration_s = math.ceil(self.value("IS") * frequency_hz * (1 - DIGITS)) / frequency_hz
        after_s = OVERHEAD_S + delay_s + integration_s
        gain = self._interface.gain if self._interface else 1.0
        quieter = math.sqrt(integration_s / NOISE_AFTER_S)
        self._ahead_s = delay_s + integration_s / 2
        z, fault = self._measured(frequency_hz, self.value("VA") * gain, quieter=quieter), self._fault
        self._ahead_s = 0.0
        if fault == "runtime_error":
            return  # as if the generator had tripped: nothing is ever said
        error = POINT_ERRORS.get(fault, "0")
        parameters = self._seen(z)
        if parameters is None:
            error, parameters = NO_SIGNAL, 0j
        if fault == "nan":
            fields = ["+9.9999E+99", "+9.9999E+99"]
        else:
            pair = (parameters.real, parameters.imag)
            if self.value("CZ"):
                pair = (abs(parameters), math.degrees(cmath.phase(parameters)))
            fields = [decimal(value, 5) for value in pair]
        separator = "," if self.value("OS") == 0 else " "
        self._unsent = separator.join([decimal(frequency_hz, 8), *fields, error, "00"])
        if self.value("OP2") == 1:
            self._say_result(after_s)

    def _seen(self, z_ohm: complex) -> complex | None:
        """Return what the two inputs make of an impedance (ohm); None if there is nothing to be seen."""
        match self.values["SO"], self._interface:
            case (1.0, 3.0), None if self.value("VA") > 0:
                return z_ohm
            case (1.0, 2.0), EmulatedInterface() as interface if interface.cell_is_on and self.value("VA") > 0:
                return z_ohm * interface.ratio_per_ohm
            case _:
                return None

    def _say_result(self, after_s: float = 0.0) -> None:
        """Say the last result, which is not said twice."""
        result, self._unsent = self._unsent, None
        if result is not None:
            self._answer(result, after_s=after_s)


class EmulatedBench:
    """An analyser and an interface at one cell, with one clock.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to the interface.
    clock : Clock, optional
        Their sense of time; by default nothing takes time.
    faults, interface_faults : Faults
        What goes wrong with the analyser, and with the interface.
    noise : float
        As in `LineDevice`.
    inverted : bool
        As in `EmulatedInterface`.
    model : str
        As in `EmulatedAnalyser`.

    Attributes
    ----------
    analyser : EmulatedAnalyser
        The one.
    interface : EmulatedInterface
        The other.
    """

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        clock: Clock | None = None,
        faults: Faults | None = None,
        interface_faults: Faults | None = None,
        noise: float = 1e-3,
        inverted: bool = False,
        model: str = "1260 IMPEDANCE ANALYZER",
    ) -> None:
        clock = clock or FastClock()
        self.interface = EmulatedInterface(
            cell, clock=clock, faults=interface_faults, noise=noise, inverted=inverted
        )
        self.analyser = EmulatedAnalyser(
            cell, clock=clock, faults=faults, noise=noise, model=model, interface=self.interface
        )

    @property
    def cell_is_on(self) -> bool:
        """Whether the cell is connected and may carry current."""
        return self.interface.cell_is_on

    @property
    def amplitude_v(self) -> float:
        """The excitation that reaches the cell (V rms)."""
        return self.analyser.value("VA") * self.interface.gain if self.cell_is_on else 0.0

    @property
    def log(self) -> list[str]:
        """Every line both received."""
        return self.interface.log + self.analyser.log
