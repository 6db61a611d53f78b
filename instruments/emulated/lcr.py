"""Emulated LCR bridges that speak the SCPI of the HP 4284A and its relatives; see `MODELS`.

Limits and words are those of the instruments as far as they are documented; how long a measurement takes is not
documented for all and is set here to be of the right order. The cell is seen through the output resistance, so
that the level monitors show what reaches it. ``cell_is_on`` is true while the bias is on or the level is above
the lowest there is: these instruments have no switch between them and the cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.scpi import Call, Reply, ScpiDevice, Trigger
from instruments.emulated.scpi_values import Choice, Integer, Number, ScpiError, Setting, Switch, number

SOURCE_OHM = 100.0
CYCLES_PER_POINT = 2.0
LIST_IN_PROGRESS, MEASURING = 8, 16
LONGEST_LIST = 201
RANGES_OHM = (0.1, 1.0, 10.0, 100.0, 300.0, 1e3, 3e3, 10e3, 30e3, 100e3)
SECONDS = (0.012, 0.09, 0.24)
"""How long a measurement takes at high frequencies (s), by aperture."""
STATUS_OF_FAULT = {"overload": 1, "underload": -1, "overload_warning": 3, "timing": 4}
WITHOUT_DATA = (-1, 1, 2)

Pair = Callable[[complex, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Model:
    """What is particular about a model: its names, limits (Hz, V rms, V), words, and what it leaves out.

    `steps_v` are the bias voltages it has, if not all between the limits; `trigger` is how a measurement is begun.
    """

    identification: str
    options: str | None
    f_hz: tuple[float, float]
    level_v: tuple[float, float]
    bias_v: tuple[float, float]
    steps_v: tuple[float, ...] = ()
    apertures: tuple[str, ...] = ("SHORt", "MEDium", "LONG")
    overload: float = 9.9e37
    digits: int = 4
    trigger: str = "*TRG"
    has_status: bool = True
    has_long_format: bool = False
    has_control: bool = True


E4980A = Model(
    "Keysight Technologies,E4980A,EMULATED01,A.02.21",
    "0",
    (20.0, 2e6),
    (0.0, 2.0),
    (0.0, 2.0),
    steps_v=(0.0, 1.5, 2.0),
    has_long_format=True,
)
TH2826 = Model(
    "Tonghui,TH2826,VER EMULATED01",
    None,
    (20.0, 5e6),
    (0.005, 2.0),
    (-5.0, 5.0),
    apertures=("FAST", "MEDium", "SLOW"),
    overload=9.99999e37,
    digits=6,
    has_control=False,
)
MODELS = {
    "e4980a": E4980A,
    "e4980a-001": replace(
        E4980A,
        identification="Agilent Technologies,E4980A,EMULATED01,A.06.15",
        options="001,002",
        level_v=(0.0, 20.0),
        bias_v=(-40.0, 40.0),
        steps_v=(),
    ),
    "e4980al": replace(
        E4980A,
        identification="Keysight Technologies,E4980AL,EMULATED01,A.02.21",
        options="052",
        f_hz=(20.0, 500e3),
    ),
    "4284a": replace(
        E4980A,
        identification="HEWLETT-PACKARD,4284A,EMULATED01,REV01.20",
        f_hz=(20.0, 1e6),
        level_v=(0.005, 2.0),
        has_long_format=False,
    ),
    "th2826": TH2826,
    "bk895": replace(TH2826, identification="BK Precision,895,EMULATED01,1.00", f_hz=(20.0, 1e6)),
    "lcx200": Model(
        "Rohde&Schwarz,LCX200,EMULATED01,01.000",
        None,
        (4.0, 10e6),
        (0.01, 10.0),
        (0.0, 10.0),
        digits=6,
        trigger="INIT",
        has_status=False,
        has_control=False,
    ),
}
"""Models by name."""


class EmulatedLcr(ScpiDevice):
    """One LCR bridge on the bench.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    model : str
        Which of `MODELS` it is.
    statuses : mapping of int to int
        Status codes to report, by number of the measured point since power-on.
    **others
        As `instruments.emulated.device.LineDevice`.
    """

    saturated_as = "overload_warning"  # the signal source is overloaded, and there still is a value

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        model: str = "e4980a",
        statuses: Mapping[int, int] | None = None,
        **others: Any,
    ) -> None:
        self.model = MODELS[model]
        super().__init__(
            cell, identification=self.model.identification, options=self.model.options or "0", **others
        )
        self._statuses = statuses or {}
        self._results: list[tuple[complex, float, int]] = []  # impedance, frequency, status
        self._monitored = (self.model.overload, self.model.overload)
        self._begun_as_list = False
        self._current_a: float | None = None  # while the level is set as a current
        self._aperture: tuple[str, int] = ("MED", 1)
        self._frequencies_hz: tuple[float, ...] = ()
        self._define()
        self.use_trigger(Trigger(self._begin, self.clock.now))
        if self.model.trigger == "INIT":
            self.define(Setting("MEASure:MODE", "CONT", Choice("CONTinuous", "TRIGgered")))
            self.define(Setting("FUNCtion:MEASurement:TYPE", "C", Choice("C", "L", "R", "T")))
            self.command("INITiate[:IMMediate]", lambda call: self._fire())
            self._refuse("*TRG", "TRIGger:SOURce", "TRIGger:SOURce?", "FETCh:SMONitor:VAC?", "FETCh:SMONitor:IAC?")
        if not self.model.has_control:
            self._refuse("ABORt", "AMPLitude:ALC", "AMPLitude:ALC?", "FORMat[:DATA]", "FORMat[:DATA]?")
        if self.model.options is None:
            self._refuse("*OPT?")
        self["VOLTage[:LEVel]"] = self.model.level_v[0]  # as somebody left it who cares for what is connected

    def _define(self) -> None:
        model = self.model
        self.define(
            Setting("FREQuency[:CW]", 1e3, Number(*model.f_hz, digits=model.digits)),
            Setting("VOLTage[:LEVel]", 1.0, Number(*model.level_v, digits=4)),
            Setting("FUNCtion:IMPedance[:TYPE]", "CPD", Choice(*PAIRS)),
            Setting("FUNCtion:IMPedance:RANGe[:VALue]", 100.0, Number(0.1, 1e5, allowed=RANGES_OHM)),
            Setting("FUNCtion:IMPedance:RANGe:AUTO", True, Switch()),
            Setting("FUNCtion:SMONitor:VAC[:STATe]", False, Switch()),
            Setting("FUNCtion:SMONitor:IAC[:STATe]", False, Switch()),
            Setting("BIAS:VOLTage[:LEVel]", 0.0, Number(*model.bias_v, allowed=model.steps_v)),
            Setting("BIAS:STATe", False, Switch()),
            Setting("BIAS:RANGe:AUTO", True, Switch()),
            Setting("AMPLitude:ALC[:STATe]", False, Switch()),
            Setting("TRIGger:DELay", 0.0, Number(0.0, 999.0)),
            Setting("FORMat[:DATA]", "ASC", Choice("ASCii")),
            Setting("DISPlay:PAGE", "MEAS", Choice("MEASurement", "LIST")),
            Setting("LIST:MODE", "SEQ", Choice("SEQuence", "STEPped")),
            Setting("CORRection:LENGth", 0, Integer(0, 4)),
            Setting("CORRection:OPEN:STATe", False, Switch()),
            Setting("CORRection:SHORt:STATe", False, Switch()),
            Setting("CORRection:LOAD:STATe", False, Switch()),
        )
        if model.has_long_format:
            self.define(Setting("FORMat:ASCii:LONG", False, Switch()))
        for header, handler in (
            ("VOLTage[:LEVel]?", lambda call: self._told_level(self["VOLTage[:LEVel]"], as_current=False)),
            ("CURRent[:LEVel]", self._set_current),
            ("CURRent[:LEVel]?", lambda call: self._told_level(self._current_a, as_current=True)),
            ("APERture", self._set_aperture),
            ("APERture?", lambda call: f"{self._aperture[0]},{self._aperture[1]}"),
            ("LIST:FREQuency", self._set_list),
            ("LIST:FREQuency?", lambda call: ",".join(f"{f:+.5E}" for f in self._frequencies_hz)),
            ("FETCh[:IMPedance][:FORMatted]?", lambda call: self._fetched()),
            ("FETCh:IMPedance:CORRected?", lambda call: self._fetched("RX")),
            ("FETCh:SMONitor:VAC?", lambda call: self._told_monitor("FUNCtion:SMONitor:VAC[:STATe]", 0)),
            ("FETCh:SMONitor:IAC?", lambda call: self._told_monitor("FUNCtion:SMONitor:IAC[:STATe]", 1)),
            ("STATus:OPERation:CONDition?", lambda call: str(self._condition)),
        ):
            self.command(header, handler)

    def changed(self, header: str) -> None:
        """Take note of a setting: the bias and the level are what the cell feels."""
        if header == "VOLTage[:LEVel]":
            self._current_a = None
        if header == "FUNCtion:IMPedance:RANGe[:VALue]":
            self["FUNCtion:IMPedance:RANGe:AUTO"] = False
        level_is_on = self._current_a is not None or self["VOLTage[:LEVel]"] > self.model.level_v[0]
        self.cell_is_on = bool(self["BIAS:STATe"]) or level_is_on

    def triggered(self) -> str | Reply | None:
        """Measure, and answer with the data: so these instruments understand ``*TRG``."""
        super().triggered()
        return self._fetched()

    def _refuse(self, *headers: str) -> None:
        def unknown(call: Call) -> None:
            raise ScpiError(-113)

        for header in headers:
            self.command(header, unknown)

    def _fire(self) -> None:
        if self["MEASure:MODE"] != "TRIG" or self.trigger is None:
            raise ScpiError(-211)
        self.trigger.fire()

    def _begin(self) -> float:
        """Measure with the settings as they are now; return how long that takes (s)."""
        self._begun_as_list = self["DISPlay:PAGE"] == "LIST" and bool(self._frequencies_hz)
        frequencies = self._frequencies_hz if self._begun_as_list else (self["FREQuency[:CW]"],)
        self._results = []
        results = [self._point(frequency) for frequency in frequencies]
        self._results = results
        words = [word.upper() for word in self.model.apertures]
        place = next(place for place, word in enumerate(words) if word.startswith(self._aperture[0]))
        averages, delay_s = self._aperture[1], float(self["TRIGger:DELay"])
        each_s = (max(SECONDS[place], CYCLES_PER_POINT / frequency) for frequency in frequencies)
        return sum(delay_s + averages * seconds for seconds in each_s)

    def _point(self, frequency_hz: float) -> tuple[complex, float, int]:
        """Return one point: its impedance (NaN if there is none), frequency, and status."""
        status = self._statuses.get(self._points, 0)
        source_ohm = 0.0 if self["AMPLitude:ALC[:STATe]"] else SOURCE_OHM
        z = self._measured(frequency_hz, float(self["VOLTage[:LEVel]"]), source_ohm=source_ohm)
        fault = self._fault
        if fault == "runtime_error":
            raise ScpiError(-310)
        status = status or STATUS_OF_FAULT.get(fault, 0)
        if status in WITHOUT_DATA or math.isnan(abs(z)):
            self._monitored = (self.model.overload, self.model.overload)
            return complex(math.nan, math.nan), frequency_hz, status
        reaching = 1.0 if self["AMPLitude:ALC[:STATe]"] else abs(z) / abs(SOURCE_OHM + z)
        level_v = float(self["VOLTage[:LEVel]"]) * reaching
        self._monitored = (level_v, level_v / abs(z))
        return z, frequency_hz, status

    def _fetched(self, pair: str | None = None) -> Reply:
        """Return the last result, once it is there; while triggers come from inside, a fresh one."""
        trigger = self.trigger
        if trigger is None:
            raise ScpiError(-230)
        free = trigger.continuous and self["TRIGger:SOURce"] == "INT" and self.model.trigger == "*TRG"
        if free and not trigger.remaining_s:
            trigger.fire()
        results = self._results or [(complex(math.nan, math.nan), 1.0, -1)]
        return Reply(",".join(self._written(pair, *result) for result in results), trigger.remaining_s)

    def _written(self, pair: str | None, z: complex, frequency_hz: float, status: int) -> str:
        places = 9 if self.model.has_long_format and self["FORMat:ASCii:LONG"] else 5
        first = second = self.model.overload
        if not math.isnan(abs(z)):
            first, second = PAIRS[pair or self["FUNCtion:IMPedance[:TYPE]"]](z, 2 * math.pi * frequency_hz)
        values = f"{first:+.{places}E},{second:+.{places}E}"
        if pair or not self.model.has_status:
            return values
        return f"{values},{status:+d}" + (",+0" if self._begun_as_list else "")

    def _told_level(self, level: float | None, *, as_current: bool) -> str:
        """Answer with the level, if that is how it was set; else there is nothing to say."""
        if level is None or (self._current_a is not None) != as_current:
            raise ScpiError(-230)
        return f"{level:+.5E}"

    def _told_monitor(self, header: str, place: int) -> str:
        return f"{self._monitored[place] if self[header] else self.model.overload:+.5E}"

    def _set_current(self, call: Call) -> None:
        self._current_a = Number(0.0, 0.1).read(call.only())
        self.changed("CURRent[:LEVel]")

    def _set_aperture(self, call: Call) -> None:
        word, *averages = call.arguments or ("",)
        count = Integer(1, 256).read(averages[0]) if averages else self._aperture[1]
        self._aperture = (Choice(*self.model.apertures).read(word), count)

    def _set_list(self, call: Call) -> None:
        if not 0 < len(call.arguments) <= LONGEST_LIST:
            raise ScpiError(-222 if call.arguments else -109)
        taken = Number(*self.model.f_hz, digits=self.model.digits)
        self._frequencies_hz = tuple(taken.read(f"{number(text)!r}") for text in call.arguments)

    @property
    def _condition(self) -> int:
        if self.trigger is None or not self.trigger.remaining_s:
            return 0
        return MEASURING | (LIST_IN_PROGRESS if self._begun_as_list else 0)


def _series(z: complex, omega: float) -> dict[str, float]:
    """Return what a capacitor or an inductor in series with a resistor would have to be."""
    x = z.imag or 1e-30
    return {"CS": -1 / (omega * x), "LS": x / omega, "RS": z.real, "D": z.real / abs(x), "Q": abs(x) / z.real}


def _parallel(z: complex, omega: float) -> dict[str, float]:
    """Return what a capacitor or an inductor in parallel with a resistor would have to be."""
    y = 1 / z
    b = y.imag or 1e-30
    return {
        "CP": b / omega,
        "LP": -1 / (omega * b),
        "RP": 1 / y.real,
        "G": y.real,
        "D": y.real / abs(b),
        "Q": abs(b) / y.real,
    }


def _of(model: Callable[[complex, float], dict[str, float]], first: str, second: str) -> Pair:
    def pair(z: complex, omega: float) -> tuple[float, float]:
        values = model(z, omega)
        return values[first], values[second]

    return pair


def _polar(z: complex, per_radian: float) -> tuple[float, float]:
    return abs(z), math.atan2(z.imag, z.real) * per_radian


PAIRS: dict[str, Pair] = {
    "RX": lambda z, omega: (z.real, z.imag),
    "ZTD": lambda z, omega: _polar(z, 180 / math.pi),
    "ZTR": lambda z, omega: _polar(z, 1.0),
    "GB": lambda z, omega: ((1 / z).real, (1 / z).imag),
    "YTD": lambda z, omega: _polar(1 / z, 180 / math.pi),
    "YTR": lambda z, omega: _polar(1 / z, 1.0),
    **{f"{kind}{other}": _of(_parallel, kind, other) for kind in ("CP", "LP") for other in ("D", "Q", "G", "RP")},
    **{f"{kind}{other}": _of(_series, kind, other) for kind in ("CS", "LS") for other in ("D", "Q", "RS")},
}
"""What ``FUNCtion:IMPedance[:TYPE]`` may be, each with how it follows from Z and omega (rad/s)."""
