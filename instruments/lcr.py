"""LCR bridges that speak the SCPI of the HP 4284A: Keysight E4980A and E4980AL, 4284A, Tonghui, B&K, R&S LCX.

The commands are those of the E4980A/AL User's Guide and of published drivers for it, of the Tonghui, Trinix and
SM6026 manuals, and of Rohde & Schwarz' own LCX example; `instruments.lcr_dialects` is the table of how they
differ. Not yet seen on real hardware. What the sources do not settle is an option of `LcrBridge` with a default.

These instruments are not potentiostats. Their 100 ohm output is always connected, so a cell with a voltage of its
own is discharged through it: with about 37 mA at 3.7 V. A sweep is therefore refused until the option ``cell``
says that no direct current can flow. Of the level that is set, a cell of impedance Z gets the part |Z / (100 + Z)|
only; ``docs/low_impedance.md`` says what that means and how to wire and correct.

A sweep that says how many cycles to measure, and how long to settle before, gets them: cycles as averages of whole
measurements (``APER``), each counted as what it integrates at least; settling as trigger delay (``TRIG:DEL``), or,
where that is not known to exist, by waiting here once the frequency is set.

Their list sweep hands over all points at the end, so that a crash loses all of them and nothing can be seen of a
cell that drifts; the driver leads them from point to point instead.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from eis.errors import LinkError, RejectedError
from eis.spectrum import Quality
from instruments.bridge import Bridge, CellCoupling
from instruments.lcr_dialects import DIALECTS, Dialect, recognised
from instruments.link import Link
from instruments.pointwise import Reading
from instruments.potentiostat import Capabilities, Identity, Point, Sweep

Aperture = Literal["short", "medium", "long"]
SOURCE_OHM = 100.0
CYCLES_PER_AVERAGE = 4.0
"""How many cycles a measurement may take at low frequencies; only used to wait long enough."""
MOST_AVERAGES = 255
LONGEST_S = 60.0
TINY = 1e-9  # by how much a number that should be whole may be above it
DELAY_STEP_S = 1e-3
"""Trigger delays of a plan are rounded up to it (s), for every instrument to take them as they are."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the instrument says reached the cell: voltage (V rms) and current (A rms); None if it did not say."""

    voltage_v: float | None
    current_a: float | None


class LcrBridge(Bridge):
    """An LCR bridge; the driver writes settings, reads them back, and never resets the instrument.

    Resetting (``*RST``) would put 1 V on the cell. After a sweep the bias is off and the level the lowest there
    is; the other settings stay as the sweep needed them.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    cell : {"blocking", "symmetric", "dc-blocked"}, optional
        Why no direct current can flow through the cell: it blocks it, it is symmetric and has no voltage of its
        own, or a capacitor in series blocks it. Without it, sweeps are refused.
    dialect : str, optional
        Name of a row of `instruments.lcr_dialects.DIALECTS`; by default the one that recognises the instrument.
        ``"generic"`` has to be asked for.
    aperture : {"short", "medium", "long"}
        How long to measure.
    averages : int
        How many measurements to average at least, 1 to 255; more where a sweep says how many cycles to measure.
    integrates_s : float, optional
        How long one measurement integrates at least (s), at high frequencies; below 1 / `integrates_s` it is
        counted as one cycle. Not settled by the sources; by default 5, 50 or 200 ms, by aperture.
    range_ohm : float, optional
        The impedance range (ohm); by default the instrument chooses.
    level_control : bool
        Whether to have the instrument hold the level at the cell instead of that of its source.
    settle_s : float
        How long to wait between setting a frequency and measuring (s), up to 60; longer where a sweep says so.
    monitor : bool, optional
        Whether to ask for the level at the cell with every point; by default if the instrument has monitors.
    measure : str, optional
        What begins a measurement and asks for its result. By default ``*TRG`` (R&S: ``INIT`` and ``FETC?``); for
        an instrument that does not answer ``*TRG``, ``":TRIG;:FETC?"``, if its ``FETC?`` waits for the result.
    f_hz, v_ac_rms, v_dc : tuple of float, optional
        Limits of frequency (Hz), level (V rms) and bias (V), where those of the row are not the instrument's. Bias
        limits are only known for Keysight and R&S; with the others it is refused unless they are given.
    frequency_tolerance : float, optional
        By which fraction the frequency it takes may differ from the one asked for.
    idle_level_v : float, optional
        The lowest level it has (V rms), which it is left at.
    source_resistance_ohm : float
        Output resistance (ohm); 100 for all of them by default, some have others to choose from.
    patience_s : float
        How much longer than a measurement may take to wait for it (s).

    Raises
    ------
    ConfigError
        If an option is not one of those listed.
    LinkError
        If nothing answers.
    InstrumentError
        If what answers is not known here and no `dialect` was given.
    """

    name = "lcr"

    def __init__(
        self,
        link: Link,
        *,
        cell: CellCoupling | None = None,
        dialect: str | None = None,
        aperture: Aperture = "medium",
        averages: int = 1,
        integrates_s: float | None = None,
        range_ohm: float | None = None,
        level_control: bool = False,
        settle_s: float = 0.0,
        monitor: bool | None = None,
        measure: str | None = None,
        f_hz: tuple[float, float] | None = None,
        v_ac_rms: tuple[float, float] | None = None,
        v_dc: tuple[float, float] | None = None,
        frequency_tolerance: float | None = None,
        idle_level_v: float | None = None,
        source_resistance_ohm: float = SOURCE_OHM,
        patience_s: float = 10.0,
    ) -> None:
        self._require(dialect is None or dialect in DIALECTS, f"dialect is {dialect!r}", tuple(DIALECTS))
        self._require(aperture in get_args(Aperture), f"aperture is {aperture!r}", get_args(Aperture))
        self._require(1 <= averages <= MOST_AVERAGES, f"averages is {averages!r}", ("a number from 1 to 255",))
        self._require(0 <= settle_s <= LONGEST_S, f"settle_s is {settle_s!r}", ("a time from 0 to 60 s",))
        is_time = integrates_s is None or 0 < integrates_s < math.inf
        self._require(is_time, f"integrates_s is {integrates_s!r}", ("a time above 0 s",))
        self._asked_dialect = dialect
        self._aperture: Aperture = aperture
        self._averages = averages
        self._range_ohm = range_ohm
        self._level_control = level_control
        self._settle_s = settle_s
        self._written: dict[str, str] = {}  # settings by header, as they were written and read back
        self._busy_s = 0.0
        self._monitor = monitor
        given: dict[str, Any] = {
            "measure": measure,
            "before_result": None if measure is None else 0,
            "f_hz": f_hz,
            "v_ac_rms": v_ac_rms,
            "v_dc": v_dc,
            "bias_steps_v": None if v_dc is None else (),
            "frequency_tolerance": frequency_tolerance,
            "idle_level_v": idle_level_v,
        }
        self._given = {name: value for name, value in given.items() if value is not None}
        self._dialect: Dialect | None = None
        super().__init__(link, cell=cell, source_resistance_ohm=source_resistance_ohm, patience_s=patience_s)
        self._require(
            self.dialect.has_level_control or not level_control,
            "level_control is True",
            ("False: this instrument is not known to have it",),
        )
        self._integrates_s = integrates_s or self.dialect.integrates_s[aperture]
        self._busy_s = averages * self.dialect.apertures[aperture][1] + settle_s

    @property
    def dialect(self) -> Dialect:
        """What is known about the instrument: a row of `instruments.lcr_dialects`, with the options given."""
        if self._dialect is None:
            raise self._fault("The instrument has not been identified", "Connect again.")
        return self._dialect

    def sweep(self, sweep: Sweep) -> Generator[Point, None, None]:
        """Measure, and yield each point as it arrives; see `Potentiostat.sweep`.

        Raises
        ------
        RejectedError
            Also if the option ``cell`` does not say why no direct current can flow, or if the sweep asks for more
            cycles or settling than the instrument has; nothing was sent.
        """
        points = super().sweep(sweep)
        steps = self.dialect.bias_steps_v
        if steps and sweep.dc_v not in steps and self.dialect.v_dc[0] <= sweep.dc_v <= self.dialect.v_dc[1]:
            words = ", ".join(f"{step:g}" for step in steps)
            what = f"dc_v is {sweep.dc_v:g}; without its bias option this instrument has {words} V"
            raise self._fault(what, "Nothing was sent; choose one of these.", RejectedError)
        for frequency_hz in sweep.frequencies_hz.tolist():
            self._pace(frequency_hz, sweep)
        return points

    def corrections(self) -> dict[str, str]:
        """Return which corrections are in force, in the instrument's words: cable length, open, short, load."""
        asked = {"length": "LENG", "open": "OPEN:STAT", "short": "SHOR:STAT", "load": "LOAD:STAT"}
        return {name: self._ask(f":CORR:{header}?", self._answer_s).strip() for name, header in asked.items()}

    def _identified(self) -> Identity:
        identification = self._ask("*IDN?").strip()
        row = DIALECTS[self._asked_dialect] if self._asked_dialect else recognised(identification)
        parts = [part.strip() for part in identification.split(",")]
        if row is None or len(parts) < 2:
            known = ", ".join(name for name in DIALECTS if name != "generic")
            raise self._fault(
                f"No LCR bridge known here: it answered {identification[:80]!r} to *IDN?",
                f"Known are {known}. If its manual shows FUNC:IMP RX, BIAS:STAT and *TRG with an answer of two "
                'values and a status, connect with dialect="generic" and its limits (f_hz, v_ac_rms).',
            )
        options = self._ask("*OPT?").strip() if row.has_options else ""
        fitted = tuple(option.strip(' "') for option in options.split(","))
        self._dialect = replace(row.having(fitted), **self._given)
        serial, firmware = (parts[2], ",".join(parts[3:])) if len(parts) > 3 else ("", ",".join(parts[2:]))
        return Identity(
            vendor=parts[0],
            model=parts[1],
            serial=serial,
            firmware=firmware,
            resource=self.link.resource,
            raw="\n".join(filter(None, (identification, options))),
            simulated="EMULATED" in identification,
        )

    def _able(self) -> Capabilities:
        return Capabilities(
            f_min_hz=self.dialect.f_hz[0],
            f_max_hz=self.dialect.f_hz[1],
            v_ac_rms=self.dialect.v_ac_rms,
            v_dc=self.dialect.v_dc,
            native_sweep="none",
            has_cell_switch=False,
            has_ocv=False,
            instrument_verified=False,
            source_resistance_ohm=self._source_resistance_ohm,
            blocking_cell_only=True,
            plans_cycles=True,
        )

    def _prepare(self, sweep: Sweep) -> None:
        self._switch_off()
        self.link.write("*CLS" + self._end)
        self._written.clear()
        for header, value in self._settings(sweep):
            self._set(header, value)
            self._written[header] = value

    def _settings(self, sweep: Sweep) -> Generator[tuple[str, str], None, None]:
        """Give every setting a sweep needs but those that energise the cell."""
        row = self.dialect
        yield from row.settings
        if self._range_ohm is None:
            yield ":FUNC:IMP:RANG:AUTO", "ON"
        else:
            yield ":FUNC:IMP:RANG", f"{self._range_ohm:g}"
        yield ":APER", f"{self._word},{self._averages}"
        if row.has_level_control:
            yield ":AMPL:ALC", "ON" if self._level_control else "OFF"
        if self._settle_s:
            yield ":TRIG:DEL", f"{self._settle_s:g}"
        if self._monitors:
            yield ":FUNC:SMON:VAC", "ON"
            yield ":FUNC:SMON:IAC", "ON"
        if row.has_bias and sweep.dc_v:
            yield ":BIAS:VOLT", f"{sweep.dc_v:g}"

    def _energise(self, sweep: Sweep) -> None:
        self._set(":VOLT", f"{sweep.amplitude_v:g}")
        if sweep.dc_v:
            self._set(":BIAS:STAT", "ON")

    def _pace(self, frequency_hz: float, sweep: Sweep) -> tuple[int, float]:
        """Return how many measurements to average, and how long to settle before (s)."""
        cycles = sweep.integration_cycles(frequency_hz) or 0.0
        averages = math.ceil(cycles / max(frequency_hz * self._integrates_s, 1.0) - TINY)
        settle_s = math.ceil(sweep.settle_s(frequency_hz) / DELAY_STEP_S - TINY) * DELAY_STEP_S
        longest_s = self._longest_delay_s or math.inf
        if averages > MOST_AVERAGES or settle_s > longest_s:
            raise self._fault(
                f"At {frequency_hz:g} Hz the sweep asks for {cycles:g} cycles, which are {averages} averages "
                f"(at most {MOST_AVERAGES}), and for {settle_s:g} s to settle (at most {longest_s:g} s)",
                "Nothing was sent; choose a longer aperture, or a plan that asks for less.",
                RejectedError,
            )
        return max(self._averages, averages), max(self._settle_s, settle_s)

    def _keep_pace(self, frequency_hz: float, sweep: Sweep) -> None:
        """See to it that the next measurement takes the cycles and the settling of its frequency."""
        averages, settle_s = self._pace(frequency_hz, sweep)
        takes_s = self.dialect.apertures[self._aperture][1] + CYCLES_PER_AVERAGE / frequency_hz
        self._busy_s = averages * takes_s + settle_s
        wanted = {":APER": f"{self._word},{averages}"}
        if self._longest_delay_s:
            wanted[":TRIG:DEL"] = f"{settle_s:g}"
        for header, value in wanted.items():
            if self._written.get(header) != value:
                self._set(header, value)
                self._written[header] = value
        if settle_s and not self._longest_delay_s:
            self._ask(f":FREQ {frequency_hz:.6g};:FREQ?", self._answer_s)
            self._stopping.wait(settle_s)
            self._raise_if_stopping()
            self._raise_if_off()

    def _measure(self, frequency_hz: float, sweep: Sweep, timeout_s: float) -> Reading:
        self._keep_pace(frequency_hz, sweep)
        row = self.dialect
        message = f":FREQ {frequency_hz:.6g};:FREQ?;{row.measure}"
        if self._monitors:
            message += ";:FETC:SMON:VAC?;:FETC:SMON:IAC?"
        raw = self._ask(message, timeout_s + 3 * self._busy_s)
        answers = raw.split(";")
        expected = 2 + row.before_result + 2 * self._monitors
        if len(answers) != expected:
            raise self._unreadable(raw, f"{expected} answers", self._complaint())
        taken_hz = self._number(answers[0], raw)
        if not abs(taken_hz / frequency_hz - 1) <= row.frequency_tolerance:
            what = f"Asked for the point at {frequency_hz:g} Hz, received one at {taken_hz:g} Hz ({raw[:80]!r})"
            raise self._fault(what, "A line was lost or came twice: check the cable.", LinkError)
        for level in answers[expected - 2 * self._monitors :]:
            self._number(level, raw)
        return self._reading(taken_hz, answers[1 + row.before_result], raw)

    def _reading(self, frequency_hz: float, result: str, raw: str) -> Reading:
        """Return what a result such as ``+1.2E+01,-3.4E+00,+0`` says."""
        row = self.dialect
        fields = result.split(",")
        if len(fields) not in row.fields:
            raise self._unreadable(raw, f"a result of {' or '.join(map(str, row.fields))} numbers")
        resistance, reactance, *codes = (self._number(text, raw) for text in fields)
        if any(code != round(code) for code in codes):
            raise self._unreadable(raw, "a status that is a whole number")
        code = round(codes[0]) if codes else 0
        quality, words = row.statuses.get(code, (Quality.UNKNOWN_CODE, "unknown status"))
        if max(abs(resistance), abs(reactance)) >= 0.999 * min(row.overload, 9.9e37):
            resistance = reactance = math.nan
            quality, words = quality | Quality.NOT_A_NUMBER, words or "no value"
        elif quality & Quality.NOT_A_NUMBER:
            resistance = reactance = math.nan
        status = f"{code:d}: {words}" if words else ""
        return Reading(frequency_hz, complex(resistance, reactance), quality, status, raw)

    def _switch_off(self) -> None:
        """Take the bias off and set the lowest level."""
        row = self.dialect
        if row.has_abort:
            self.link.write(":ABOR" + self._end)
        level = f":VOLT {row.idle_level_v:g}"
        commands = f":BIAS:STAT OFF;{level};:BIAS:STAT?;:VOLT?" if row.has_bias else f"{level};:VOLT?"
        self._take_off(commands, row.idle_level_v, has_bias=row.has_bias)

    def _stop(self) -> None:
        if self.dialect.has_abort:
            self.link.write(":ABOR" + self._end)
        self.link.write("*IDN?" + self._end)  # so that whoever waits for the point gets a line

    @property
    def _answer_s(self) -> float:
        """How long an answer may take when a measurement may still be running (s)."""
        return super()._answer_s + self._busy_s

    @property
    def _word(self) -> str:
        """The instrument's word for the aperture."""
        return self.dialect.apertures[self._aperture][0]

    @property
    def _longest_delay_s(self) -> float:
        """The longest trigger delay (s); 0 if it has none, or is not known to and nobody asked for one."""
        return max(self.dialect.longest_delay_s, LONGEST_S if self._settle_s else 0.0)

    @property
    def _monitors(self) -> bool:
        return self.dialect.has_monitors if self._monitor is None else self._monitor


def monitored_levels(point: Point) -> Levels:
    """Return the levels at the cell that were monitored with a point of an LCR bridge.

    Parameters
    ----------
    point : Point
        A point measured by `LcrBridge`.

    Returns
    -------
    Levels
        Voltage (V rms) and current (A rms); None where the instrument did not say.
    """
    *earlier, voltage, current = point.raw.split(";")
    if len(earlier) < 2 or "," in current:
        return Levels(None, None)
    told = (None if abs(value) > 1e30 else value for value in (float(voltage), float(current)))
    return Levels(*told)
