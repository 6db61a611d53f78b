"""Hioki BT4560 and BT4560-50 battery impedance meters: milliohms, 0.1 to 1050 Hz, with the voltage of the cell.

Not yet seen on real hardware. The facts come from pages of Hioki's communication command manual (BT4560A987:
message format, sequential execution, ``:READ?`` and ``:FETCh?``), from manuals of the same family (error values,
``*IDN?``), and from a public script that measures with the instrument (``*TRG;*WAI;:FETCh?``). What they do not
settle is an option of `Hioki` with a stated default. The excitation is a current that the range fixes and nobody
can choose. There is no cell switch: the cell carries current while the meter measures, not while it is at rest.

A settling time that a sweep states is given to the meter as its sample delay, in periods (``SAMPle:DELay:WAVE``):
at rest it excites nothing, and to wait before a measurement would settle nothing. It integrates as its own `rate`
and `average` say; how many cycles that is, is not settled, and those that a sweep states are not used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, Literal

from eis.errors import BusyError, ConfigError, InstrumentError, LinkError, RejectedError
from eis.spectrum import Quality, Spectrum
from instruments.link import Link
from instruments.pointwise import ANSWER_S, PointByPoint, Reading
from instruments.potentiostat import Capabilities, Identity, Point, Sweep, predicted_point_s
from instruments.readback import SWITCH, agree, number

F_MIN_HZ, F_MAX_HZ = 0.1, 1050.0
FREQUENCY_STEPS_HZ = ((100.0, 10.0), (10.0, 1.0), (1.0, 0.1), (0.0, 0.01))
"""From which frequency on (Hz), and in which steps (Hz), the meter takes frequencies."""
FIXED = "excitation is the fixed current of the range, amplitude_v is not used"
COMMAND_ERROR = 0x20
READ_BACK = 1e-4
"""By which fraction what is read back may differ from what was written."""
RATES = ("FAST", "MED", "SLOW")
TRIGGERS = ("trg", "read")


class Hioki(PointByPoint):
    """A Hioki BT4560; make one with `instruments.connect` or `Hioki.open`.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    range_ohm : float or "auto"
        Measuring range (ohm), which also fixes the current; by default the meter chooses it.
    rate : {"FAST", "MED", "SLOW"}, optional
        Measuring speed; None leaves the meter's own.
    average : int
        How many measurements the meter averages for one point.
    slope_correction : bool
        Whether the meter corrects for a voltage that drifts during a measurement.
    voltage_limiter : bool
        Whether the meter keeps its own signal from overcharging the cell, at the limit set on the meter. Only
        switched off by an explicit False.
    zero_cross_stop : bool
        Whether the signal is stopped at a zero crossing, so that it neither charges nor discharges the cell.
    trigger : {"trg", "read"}
        Which exchange measures: ``*TRG;*WAI;:FETCh?``, known from use, or ``:READ?``, known from the manual.
    frequency_steps_hz : sequence of pairs of float
        From which frequency on (Hz) the meter takes frequencies in which steps (Hz), falling; frequencies are
        rounded to them. Not settled by the sources; an empty one rounds nothing.
    most_delay_periods : float, optional
        The longest sample delay the meter takes (periods), not settled by the sources; None leaves the delay as it
        is on the meter, whatever a sweep says.
    invalid_above, contact_above : float
        What the meter answers for a value it could not measure: over-range above the first, a measurement fault
        (usually a contact that fails) above the second. The second is that of the BT356x family.
    patience_s : float
        How much longer than three times the predicted duration of a point to wait for it (s).

    Raises
    ------
    LinkError
        If nothing answers.
    InstrumentError
        If what answers is no BT4560.
    """

    name = "hioki"
    reached_by = ("ASRL", "SOCKET")
    _end = "\r\n"

    def __init__(
        self,
        link: Link,
        *,
        range_ohm: float | Literal["auto"] = "auto",
        rate: Literal["FAST", "MED", "SLOW"] | None = "MED",
        average: int = 1,
        slope_correction: bool = True,
        voltage_limiter: bool = True,
        zero_cross_stop: bool = True,
        trigger: Literal["trg", "read"] = "trg",
        frequency_steps_hz: Sequence[tuple[float, float]] = FREQUENCY_STEPS_HZ,
        most_delay_periods: float | None = 9.0,
        invalid_above: float = 1e8,
        contact_above: float = 5e9,
        patience_s: float = 10.0,
    ) -> None:
        _require("rate", rate, (*RATES, None))
        _require("trigger", trigger, TRIGGERS)
        if range_ohm != "auto" and not (isinstance(range_ohm, int | float) and 0 < range_ohm < math.inf):
            raise ConfigError(
                f"range_ohm is {range_ohm!r}", where="hioki", mend="Give a range in ohm, such as 0.003, or 'auto'."
            )
        if not (isinstance(average, int) and average >= 1):
            raise ConfigError(f"average is {average!r}", where="hioki", mend="Give a whole number from 1 on.")
        self._range_ohm = range_ohm
        self._average = average
        self._triggered = trigger == "trg"
        self._steps_hz = tuple(frequency_steps_hz)
        self._most_delay_periods = most_delay_periods
        self._delay_periods: float | None = None  # as written; None while it is the meter's own
        self._invalid_above = invalid_above
        self._contact_above = contact_above
        switches = (
            (":ADJust:SLOPe", slope_correction),
            (":LIMiter", voltage_limiter),
            (":ZERO:CROSs", zero_cross_stop),
        )
        ranged = (
            ((":AUTorange", "ON"),)
            if range_ohm == "auto"
            else ((":AUTorange", "OFF"), (":RANGe", f"{range_ohm:.6g}"))
        )
        self._settings: tuple[tuple[str, str], ...] = (
            *ranged,
            *((":SAMPle:RATE", f"{which},{rate}") for which in ("Z", "V") if rate),
            (":CALCulate:AVERage", str(average)),
            *((header, "ON" if wanted else "OFF") for header, wanted in switches),
        )
        self._longest_s = average * (3 * predicted_point_s(F_MIN_HZ) + patience_s)
        self._ending_s = self._longest_s  # how long what may be running can take to end
        super().__init__(link, patience_s=patience_s)

    def sweep(self, sweep: Sweep) -> Generator[Point, None, None]:
        """Measure, and yield each point as it arrives; see `Potentiostat.sweep`.

        Raises
        ------
        RejectedError
            Also if a settling time is longer than the meter's longest sample delay; nothing was sent.
        """
        points = super().sweep(sweep)
        most = math.inf if self._most_delay_periods is None else self._most_delay_periods
        for frequency_hz in sweep.frequencies_hz.tolist():
            if (periods := _periods(frequency_hz, sweep)) > most:
                raise self._fault(
                    f"At {frequency_hz:g} Hz, {periods:g} periods to settle are more than {most:g}",
                    "Nothing was sent; choose a plan that asks for less, or most_delay_periods.",
                    RejectedError,
                )
        return points

    def sweep_spectrum(self, sweep: Sweep) -> Spectrum:
        """Measure the whole sweep and return it as a spectrum that says what fixed its excitation."""
        return (
            super()
            .sweep_spectrum(sweep)
            .with_metadata(excitation=FIXED, settings=[" ".join(setting) for setting in self._settings])
        )

    def ocv(self, seconds: float = 1.0) -> float:
        """Return the voltage at the cell (V), the mean of what is measured in `seconds` (s), at least once.

        Raises
        ------
        BusyError
            If a sweep is running.
        InstrumentError
            If the voltage cannot be measured.
        """
        self._require_idle()
        self._require_same()
        readings: list[float] = []
        try:
            self._energised = True  # what the meter does in this function is not stated: make sure that it ends
            self._set_up("V")
            self._await_trigger()
            begun = time.monotonic()
            self._ending_s = self._longest_s
            while not readings or time.monotonic() - begun < seconds:
                voltage, function = self._answers(f"{self._measuring};:FUNCtion?", 2, self._longest_s)
                if function != "V":
                    raise self._unreadable(f"{voltage};{function}")
                readings.append(self._numbers(voltage, 1)[0])
        finally:
            self._make_sure_off()
        if max(map(abs, readings)) > self._invalid_above:
            raise self._fault("The meter cannot measure the voltage", "Check range and contacts of the cell.")
        return math.fsum(readings) / len(readings)

    def _identified(self) -> Identity:
        raw = self._ask("*IDN?")
        fields = [field.strip() for field in raw.split(",")]
        if len(fields) != 4 or fields[0].upper() != "HIOKI" or not fields[1].upper().startswith("BT4560"):
            raise self._fault(
                f"No Hioki BT4560: it answered {raw[:80]!r} to *IDN?",
                "Check which instrument is at this resource.",
            )
        _, model, serial, firmware = fields
        return Identity(
            vendor="Hioki",
            model=model,
            serial="" if serial == "0" else serial,
            firmware=firmware,
            resource=self.link.resource,
            raw=raw,
            simulated=serial.startswith("EMULATED"),
        )

    def _able(self) -> Capabilities:
        return Capabilities(
            f_min_hz=F_MIN_HZ,
            f_max_hz=F_MAX_HZ,
            v_ac_rms=(1e-6, 1.0),
            v_dc=(0.0, 0.0),
            native_sweep="none",
            has_cell_switch=False,
            has_ocv=True,
            instrument_verified=False,
            fixed_amplitude=True,
        )

    def _prepare(self, sweep: Sweep) -> None:
        self._set_up("RV")
        self._set(":FREQuency", self._rounded(sweep.start_hz))
        self._delay_periods = None
        frequencies_hz = sweep.frequencies_hz.tolist()
        if self._most_delay_periods is not None and any(map(sweep.settle_s, frequencies_hz)):
            self._set(":SAMPle:DELay:MODE", "WAVE")
            self._delay(frequencies_hz[0], sweep)

    def _delay(self, frequency_hz: float, sweep: Sweep) -> None:
        """Have the meter wait for the settling time of a frequency between exciting the cell and measuring."""
        periods = _periods(frequency_hz, sweep)
        if periods != self._delay_periods:
            self._set(":SAMPle:DELay:WAVE", f"{periods:g}")
            self._delay_periods = periods

    def _set_up(self, function: str) -> None:
        """Bring the meter to rest, then write and read back what it is to measure and how."""
        self._switch_off()
        self._ending_s = ANSWER_S
        self._set(":SYSTem:HEADer", "OFF")
        self._set(":FUNCtion", function)
        for header, value in self._settings:
            self._set(header, value)
        self._set(":TRIGger:SOURce", "EXT" if self._triggered else "IMM")

    def _energise(self, sweep: Sweep) -> None:
        self._await_trigger()

    def _await_trigger(self) -> None:
        if self._triggered:
            self._set(":INITiate:CONTinuous", "ON")

    @property
    def _measuring(self) -> str:
        return "*TRG;*WAI;:FETCh?" if self._triggered else ":READ?"

    def _measure(self, frequency_hz: float, sweep: Sweep, timeout_s: float) -> Reading:
        if self._delay_periods is not None:
            self._delay(frequency_hz, sweep)
            timeout_s += 3 * self._delay_periods / frequency_hz
        asked = self._rounded(frequency_hz)
        command = f":FREQuency {asked};{self._measuring};:FREQuency?"
        self._ending_s = self._average * timeout_s
        result, taken = self._answers(command, 2, self._ending_s)
        raw = f"{result};{taken}"
        (taken_hz,) = self._numbers(taken, 1)
        if not math.isclose(taken_hz, float(asked), rel_tol=READ_BACK):
            raise self._unreadable(raw, f"the answer for {asked} Hz")
        resistance, reactance, voltage = self._numbers(result, 3)
        quality, status = self._judged(resistance, reactance, voltage)
        z_ohm = complex(math.nan, math.nan) if quality else complex(resistance, reactance)
        return Reading(taken_hz, z_ohm, quality, status, raw)

    def _judged(self, resistance: float, reactance: float, voltage: float) -> tuple[Quality, str]:
        """Return what values mean that are too large to be any; a missing voltage is told and does not count."""
        largest = max(abs(resistance), abs(reactance))
        no_voltage = "voltage not measured" if abs(voltage) > self._invalid_above else ""
        if largest <= self._invalid_above:
            return Quality.OK, no_voltage
        if largest > self._contact_above:
            return Quality.CONTACT | Quality.NOT_A_NUMBER, "measurement fault"
        return Quality.OVERLOAD | Quality.NOT_A_NUMBER, "over range"

    def _point(self, index: int, set_hz: float, sweep: Sweep, started: float) -> Point:
        point = super()._point(index, set_hz, sweep, started)
        if index:
            return point
        return replace(point, status="; ".join(words for words in (point.status, FIXED) if words))

    def _switch_off(self) -> None:
        """End measuring: the meter finishes the point it is at, and then confirms that it is at rest."""
        self.link.discard()
        self.link.write(f":INITiate:CONTinuous OFF;*WAI;:INITiate:CONTinuous?{self._end}")
        deadline = time.monotonic() + self._ending_s
        while True:
            answer = _word(self._line(max(0.0, deadline - time.monotonic())))
            if answer in SWITCH:  # anything else is a measurement that somebody no longer waits for
                break
        if SWITCH[answer]:
            raise self._fault(
                "The meter goes on measuring", "Set its trigger to external, or disconnect the cell."
            )

    def _stop(self) -> None:
        self.link.write(f":INITiate:CONTinuous OFF{self._end}")

    def _require_idle(self) -> None:
        if self._energised:
            raise BusyError(
                "A sweep is running", where=self.link.resource, mend="Let the sweep end or close it first."
            )

    def _rounded(self, frequency_hz: float) -> str:
        """Return a frequency as the meter takes it; what rounding up carries past its limit stays at the limit."""
        step_hz = next((step for start, step in self._steps_hz if frequency_hz >= start * (1 - 1e-9)), None)
        if step_hz is None:
            return f"{frequency_hz:.6g}"
        return f"{min(max(round(frequency_hz / step_hz) * step_hz, F_MIN_HZ), F_MAX_HZ):.6g}"

    def _set(self, header: str, value: str) -> None:
        """Write a setting, and refuse to go on unless the meter says that it has taken it."""
        which, _, wanted = value.rpartition(",")
        self.link.discard()
        self.link.write(f"{header} {value}{self._end}")
        try:
            answer = self._ask(f"{header}? {which}".rstrip())
        except LinkError:
            if int(self._numbers(self._ask("*ESR?"), 1)[0]) & COMMAND_ERROR:
                raise self._fault(
                    f"The meter does not know {header}",
                    "Leave that option out; nothing was measured.",
                    RejectedError,
                ) from None
            raise
        if not agree(_word(answer).rpartition(",")[2], wanted, rel_tol=READ_BACK, abs_tol=0.0):
            raise self._fault(
                f"The meter answers {answer!r} to {header}? after {value} was written",
                "Choose a value it can take; nothing was measured.",
                RejectedError,
            )

    def _answers(self, command: str, count: int, timeout_s: float) -> list[str]:
        """Send queries in one message; return their answers, which come joined by semicolons or line by line."""
        deadline = time.monotonic() + timeout_s
        answers = self._ask(command, timeout_s).split(";")
        while len(answers) < count:
            answers += self._line(max(0.0, deadline - time.monotonic())).split(";")
        if len(answers) > count:
            raise self._unreadable(";".join(answers))
        return answers

    def _numbers(self, text: str, count: int) -> list[float]:
        """Return exactly `count` numbers; the meter fills up with blanks, also after a sign."""
        values = [number(field.replace(" ", "")) for field in text.split(",")]
        if len(values) != count or any(map(math.isnan, values)):
            raise self._unreadable(text)
        return values

    def _unreadable(self, text: str, expected: str = "an answer in numbers") -> InstrumentError:
        mend = "Characters were lost or damaged: check cable and baud rate, and measure again."
        return self._fault(f"Expected {expected}, received {text[:80]!r}", mend, LinkError)


def _require(option: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ConfigError(f"{option} is {value!r}", where="hioki", mend=f"Choose one of {known}.")


def _periods(frequency_hz: float, sweep: Sweep) -> float:
    """Return a settling time in periods, rounded up to the tenth for the meter to take it as it is."""
    return math.ceil(10 * sweep.settle_s(frequency_hz) * frequency_hz - 1e-6) / 10


def _word(answer: str) -> str:
    """Return an answer without the header that some meters put before it."""
    return answer.strip().upper().rpartition(" ")[2]
