"""Keysight E4990A impedance analyser: 20 Hz to 120 MHz, swept by itself in blocks of at most a decade.

Not yet seen on real hardware. The commands are those of published programs for the instrument (one that measures
with it every day), and of pages of its Help: the corrected data array holds complex numbers, the status registers
say nothing about an overload. What they do not settle is an option of `E4990A` with a stated default.

It measures for as long as its own `aperture` and `averages` say: how many seconds an aperture stands for is not
settled, and within a block there is nothing to wait with, so cycles and settling times that a sweep states are not
used.

The analyser hands over a trace only when it is complete. So that a crash does not lose all points, and that a cell
which drifts is seen to, a sweep is made in blocks that are read one after the other. The output is always
connected: a cell with a voltage of its own is discharged through it, so a sweep is refused until the option
``cell`` says that no direct current can flow. After a sweep the bias is off and the level the lowest there is.
"""

from __future__ import annotations

import math
import re

from eis.spectrum import Quality
from instruments.bridge import Bridge, CellCoupling
from instruments.link import Link
from instruments.pointwise import Reading
from instruments.potentiostat import Capabilities, Identity, Sweep, predicted_point_s
from instruments.readback import value_of

F_MIN_HZ = 20.0
F_MAX_HZ = {"010": 10e6, "020": 20e6, "030": 30e6, "050": 50e6, "120": 120e6}
"""Highest frequency (Hz) by the frequency option, as ``*OPT?`` is expected to name it."""
V_AC_RMS = (0.005, 1.0)
DECADE = 10.0 * (1 + 1e-9)
LONGEST_BLOCK = 1601
RESOLUTION_PLACES = 3
FREQUENCY_TOLERANCE = 1e-4
QUEUE = re.compile(r'[+-]?\d+,".*"')


class E4990A(Bridge):
    """An E4990A; the driver writes settings, reads them back, and never presets the instrument.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    cell : {"blocking", "symmetric", "dc-blocked"}, optional
        Why no direct current can flow through the cell: it blocks it, it is symmetric and has no voltage of its
        own, or a capacitor in series blocks it. Without it, sweeps are refused.
    aperture : int
        Measurement time, from 1 (fastest) to 5 (most accurate).
    averages : int
        How many measurements of each point to average, 1 to 999.
    block_s : float
        How long a block may be expected to take (s); one of a single point may take longer.
    f_max_hz : float, optional
        Highest frequency (Hz), where ``*OPT?`` does not tell it; 120 MHz if neither does.
    v_dc : tuple of float
        Limits of the bias (V). Not settled by the sources.
    source_resistance_ohm : float
        Output resistance (ohm). Not settled by the sources.
    invalid_above : float
        From which magnitude (ohm) on a value stands for one that could not be measured.
    patience_s : float
        How much longer than three times the predicted duration of a block to wait for it (s).

    Raises
    ------
    ConfigError
        If an option is not one of those listed.
    LinkError
        If nothing answers.
    InstrumentError
        If what answers is no E4990A.
    """

    name = "keysight"
    reached_by = ("GPIB", "SOCKET", "TCPIP", "USB")

    def __init__(
        self,
        link: Link,
        *,
        cell: CellCoupling | None = None,
        aperture: int = 3,
        averages: int = 1,
        block_s: float = 60.0,
        f_max_hz: float | None = None,
        v_dc: tuple[float, float] = (-40.0, 40.0),
        source_resistance_ohm: float = 25.0,
        invalid_above: float = 1e30,
        patience_s: float = 10.0,
    ) -> None:
        self._require(aperture in range(1, 6), f"aperture is {aperture!r}", ["a whole number from 1 to 5"])
        self._require(averages in range(1, 1000), f"averages is {averages!r}", ["a whole number from 1 to 999"])
        self._require(block_s > 0, f"block_s is {block_s!r}", ["a time above 0 s"])
        self._aperture = aperture
        self._averages = averages
        self._block_s = block_s
        self._f_max_hz = f_max_hz
        self._v_dc = v_dc
        self._invalid_above = invalid_above
        self._options = ""
        self._block: dict[float, Reading] = {}  # measured, by the frequency that was asked for
        super().__init__(link, cell=cell, source_resistance_ohm=source_resistance_ohm, patience_s=patience_s)

    def _identified(self) -> Identity:
        identification = self._ask("*IDN?").strip()
        fields = [field.strip() for field in identification.split(",")]
        if len(fields) != 4 or fields[1].upper() != "E4990A":
            raise self._fault(
                f"No E4990A: it answered {identification[:80]!r} to *IDN?",
                "Check which instrument is at this resource.",
            )
        self._options = self._ask("*OPT?").strip()
        vendor, model, serial, firmware = fields
        return Identity(
            vendor=vendor,
            model=model,
            serial=serial,
            firmware=firmware,
            resource=self.link.resource,
            raw=f"{identification}\n{self._options}",
            simulated=serial.startswith("EMULATED"),
        )

    def _able(self) -> Capabilities:
        told = [F_MAX_HZ[word] for word in self._options.replace('"', "").split(",") if word.strip() in F_MAX_HZ]
        return Capabilities(
            f_min_hz=F_MIN_HZ,
            f_max_hz=self._f_max_hz or max(told, default=max(F_MAX_HZ.values())),
            v_ac_rms=V_AC_RMS,
            v_dc=self._v_dc,
            native_sweep="block",
            has_cell_switch=False,
            has_ocv=False,
            instrument_verified=False,
            source_resistance_ohm=self._source_resistance_ohm,
            blocking_cell_only=True,
        )

    def _prepare(self, sweep: Sweep) -> None:
        self._block.clear()
        self._switch_off()
        self.link.write("*CLS" + self._end)
        for header, value in (
            (":FORM:DATA", "ASC"),
            (":TRIG:SOUR", "BUS"),
            (":INIT1:CONT", "ON"),
            (":CALC1:PAR1:DEF", "R"),
            (":CALC1:PAR2:DEF", "X"),
            (":SENS1:SWE:TYPE", "LOG"),
            (":SENS1:SWE:DIR", "UP"),
            (":SENS1:APER:TIME", str(self._aperture)),
            (":SENS1:AVER:COUN", str(self._averages)),
            (":SENS1:AVER:STAT", "ON"),
            (":CALC1:AVER", "OFF"),
            (":SOUR1:MODE", "VOLT"),
            *(((":SOUR1:BIAS:MODE", "VOLT"), (":SOUR1:BIAS:VOLT", f"{sweep.dc_v:g}")) if sweep.dc_v else ()),
        ):
            self._set(header, value)

    def _energise(self, sweep: Sweep) -> None:
        self._set(":SOUR1:VOLT", f"{sweep.amplitude_v:g}")
        if sweep.dc_v:
            self._set(":SOUR1:BIAS:STAT", "ON")

    def _measure(self, frequency_hz: float, sweep: Sweep, timeout_s: float) -> Reading:
        """Return a point of the block that was measured last; if it is not in there, measure the next one."""
        if frequency_hz not in self._block:
            self._block = self._measured_block(self._block_from(frequency_hz, sweep))
        return self._block.pop(frequency_hz)

    def _block_from(self, frequency_hz: float, sweep: Sweep) -> list[float]:
        """Return the frequencies (Hz) to measure together, falling: a decade, or as many as the time allows."""
        remaining = [one for one in sweep.frequencies_hz.tolist() if one <= frequency_hz]
        count, expected_s = 0, 0.0
        for one in remaining[:LONGEST_BLOCK]:
            expected_s += self._predicted_s(one)
            if count and (expected_s > self._block_s or frequency_hz / one > DECADE):
                break
            count += 1
        if count > 2 and len(remaining) == count + 1:
            count -= 1  # the analyser sweeps at least two points: leave none alone
        return remaining[:count]

    def _measured_block(self, frequencies_hz: list[float]) -> dict[float, Reading]:
        """Have the analyser sweep, low to high as it does, and return what it measured."""
        low, high = (f"{round(edge, RESOLUTION_PLACES):.12g}" for edge in (frequencies_hz[-1], frequencies_hz[0]))
        count = max(2, len(frequencies_hz))  # of a single point, two are measured
        headers = (":SENS1:FREQ:STAR", ":SENS1:FREQ:STOP", ":SENS1:SWE:POIN")
        values = (low, high, str(count))
        written = ";".join(f"{header} {value}" for header, value in zip(headers, values, strict=True))
        taken = self._ask(f"*CLS;{written};{';'.join(f'{header}?' for header in headers)}")
        self._require_numbers(taken, values)
        expected_s = sum(map(self._predicted_s, frequencies_hz)) * count / len(frequencies_hz)
        done = self._ask(f":TRIG:SING;*OPC?;{headers[0]}?", 3 * expected_s + self._patience_s)
        self._require_numbers(done, ("1", low))
        raw = self._ask(":SENS1:FREQ:DATA?;:CALC1:DATA:RDAT?;:SYST:ERR?")
        answers = raw.split(";", 2)
        if len(answers) != 3:
            raise self._unreadable(raw, "frequencies, data and the error queue")
        taken_hz, data, complaint = answers[0].split(","), answers[1].split(","), answers[2].strip()
        if len(taken_hz) != count or len(data) != 2 * count:
            raise self._unreadable(raw, f"{count} frequencies and pairs of values")
        if not QUEUE.fullmatch(complaint):
            raise self._unreadable(complaint, "the error queue")
        block: dict[float, Reading] = {}
        for asked_hz, place in zip(frequencies_hz, reversed(range(count)), strict=False):
            point = f"{taken_hz[place]};{data[2 * place]},{data[2 * place + 1]};{complaint}"
            reading = self._reading(point)
            if not math.isclose(reading.frequency_hz, asked_hz, rel_tol=FREQUENCY_TOLERANCE):
                raise self._unreadable(point, f"the point at {asked_hz:g} Hz")
            block[asked_hz] = reading
        return block

    def _reading(self, raw: str) -> Reading:
        """Return one point; what the analyser complains of may have befallen any point of the block."""
        frequency, values, complaint = raw.split(";", 2)
        frequency_hz, resistance, reactance = (
            self._number(text, text) for text in (frequency, *values.split(","))
        )
        quality, status = Quality.OK, ""
        if value_of(complaint.partition(",")[0]) != 0:
            quality, status = Quality.UNKNOWN_CODE, complaint
        if max(abs(resistance), abs(reactance)) < self._invalid_above and (resistance or reactance):
            return Reading(frequency_hz, complex(resistance, reactance), quality, status, raw)
        quality |= Quality.OVERLOAD | Quality.NOT_A_NUMBER
        status = "; ".join(filter(None, (status, "no value")))
        return Reading(frequency_hz, complex(math.nan, math.nan), quality, status, raw)

    def _switch_off(self) -> None:
        """End a sweep, take the bias off, and set the lowest level."""
        level_v = V_AC_RMS[0]
        self.link.write(":ABOR" + self._end)
        self._take_off(f":SOUR1:BIAS:STAT OFF;:SOUR1:VOLT {level_v:g};:SOUR1:BIAS:STAT?;:SOUR1:VOLT?", level_v)

    def _stop(self) -> None:
        self.link.write(":ABOR" + self._end)

    def _predicted_s(self, frequency_hz: float) -> float:
        """Return how long a point may take (s); published are only the apertures' numbers, so this is generous."""
        return predicted_point_s(frequency_hz) * self._aperture * self._averages

    def _require_numbers(self, answer: str, wanted: tuple[str, ...]) -> None:
        told = [value_of(part) for part in answer.split(";")]
        if len(told) != len(wanted) or not all(
            math.isclose(one, float(other), rel_tol=FREQUENCY_TOLERANCE)
            for one, other in zip(told, wanted, strict=True)
        ):
            raise self._unreadable(answer, " and ".join(wanted))
