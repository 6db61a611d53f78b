"""PalmSens instruments that speak MethodSCRIPT: EmStat Pico, Sensit Wearable, EmStat4, MultiEmStat4, Nexus.

Not yet seen on real hardware. What the sources do not settle is an option of `PalmSens` with a stated default.
After a runtime error these instruments do *not* run the ``on_finished:`` part of a script and the cell stays on,
so a sweep always ends with a separate script that switches it off.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal, Self

from eis.errors import AbortedError, BusyError, ConfigError, InstrumentError, LinkError
from instruments.assured_off import AssuredOff
from instruments.link import Link
from instruments.methodscript import (
    ERROR,
    OCP_KINDS,
    STRUCTURE,
    eis_script,
    meaning,
    ocp_script,
    parse_packet,
)
from instruments.palmsens_models import Model, recognised
from instruments.potentiostat import Capabilities, Identity, Point, Sweep, predicted_point_s

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase

BAUD_RATES = (230_400, 921_600)
ANSWER_S = 2.0
"""How long an idle instrument may take to answer (s)."""
QUIET_S = 0.3
"""How long after its echo a script that says nothing may take to end (s)."""
MUTE_S = 0.12
"""How long to keep quiet after a refused command (s); the instrument ignores at least 50 ms of what follows."""
BACK_OFF_S = 0.1


class PalmSens(AssuredOff):
    """A PalmSens MethodSCRIPT instrument; make one with `instruments.connect` or `PalmSens.open`.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    f_min_hz : float
        Lowest frequency allowed (Hz). Not stated by the sources; the instrument itself refuses what it cannot do.
    amplitude_min_v : float
        Smallest excitation allowed (V rms). Not stated by the sources.
    amplitude_unit : {"rms", "peak"}
        How the firmware reads the amplitude of ``meas_loop_eis``; rms according to third-party drivers.
    max_bandwidth_hz : float
        The bandwidth to set (Hz), as in PalmSens' own example.
    currents_a : tuple of float, optional
        Smallest and largest current range autoranging may use (A); the model's own by default.
    ocp_mode : int
        ``set_pgstat_mode`` of open-circuit measurements; users' scripts have 2, 3 and 4.
    patience_s : float
        How much longer than three times the predicted duration of a point to wait for it (s).

    Raises
    ------
    LinkError
        If nothing answers.
    InstrumentError
        If what answers is no MethodSCRIPT instrument known here.
    """

    name = "palmsens"
    reached_by = ("ASRL", "SOCKET")

    def __init__(
        self,
        link: Link,
        *,
        f_min_hz: float = 0.01,
        amplitude_min_v: float = 0.001,
        amplitude_unit: Literal["rms", "peak"] = "rms",
        max_bandwidth_hz: float = 1e6,
        currents_a: tuple[float, float] | None = None,
        ocp_mode: int = 3,
        patience_s: float = 10.0,
    ) -> None:
        if amplitude_unit not in ("rms", "peak"):
            raise ConfigError(
                f"amplitude_unit is {amplitude_unit!r}", where="palmsens", mend="Choose rms (the default) or peak."
            )
        super().__init__(link)
        self._patience_s = patience_s
        self._point_timeout_s = patience_s
        self._idle = False  # whether the stream is known to be at rest
        self._stopping = threading.Event()
        self._identity, model = self._identified()
        self._currents_a = currents_a or model.currents_a
        self._max_bandwidth_hz = max_bandwidth_hz
        self._ocp_mode = ocp_mode
        self._sent_per_rms = math.sqrt(2) if amplitude_unit == "peak" else 1.0
        self._capabilities = Capabilities(
            f_min_hz=f_min_hz,
            f_max_hz=model.f_max_hz,
            v_ac_rms=(amplitude_min_v, model.v_ac_rms_max),
            v_dc=model.v_dc,
            native_sweep="stream",
            has_cell_switch=True,
            has_ocv=True,
            instrument_verified=False,
            i_ac_rms=(self._currents_a[0], min(model.current_a, self._currents_a[1])) if model.current_a else None,
            i_dc=(-model.current_a, model.current_a),
        )

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        backend: str | VisaLibraryBase = "@py",
        label: str | None = None,
        baud_rate: int | None = None,
        on_close: Callable[[], None] | None = None,
        **options: Any,
    ) -> Self:
        """Open `resource` and ask who is there; on a serial port without `baud_rate`, both usual ones are tried.

        The other parameters are those of `instruments.link.Link` and of this class.
        """
        is_serial = resource.upper().startswith("ASRL")
        *earlier, last = (baud_rate,) if baud_rate or not is_serial else BAUD_RATES
        for rate in earlier:
            with contextlib.suppress(LinkError):
                return cls._on(Link(resource, backend=backend, label=label, baud_rate=rate), on_close, options)
        return cls._on(Link(resource, backend=backend, label=label, baud_rate=last), on_close, options)

    @classmethod
    def _on(cls, link: Link, on_close: Callable[[], None] | None, options: dict[str, Any]) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(link.close)
            meter = cls(link, **options)
            link.on_close = on_close  # only now: until here another baud rate may be tried
            stack.pop_all()
        return meter

    def identify(self) -> Identity:
        """Return who the instrument said it is when it was connected."""
        return self._identity

    def capabilities(self) -> Capabilities:
        """Return what the instrument can do."""
        return self._capabilities

    def ocv(self, seconds: float = 1.0) -> float:
        """Return the open-circuit voltage (V), the mean over some time; see `Potentiostat.ocv`."""
        self._require_free()
        self._require_idle()
        interval_s = min(0.1, seconds / 5)
        self._point_timeout_s = seconds + self._patience_s
        self._idle = False
        self.link.write(ocp_script(seconds, interval_s, mode=self._ocp_mode))
        volts, deadline = [], time.monotonic() + 3 * seconds + self._patience_s
        while (line := self._packet(deadline)) is not None:
            try:
                (reading,) = parse_packet(line, OCP_KINDS)
            except ValueError as error:
                raise self._unreadable(line) from error
            volts.append(reading.value)
        while self._line(deadline):
            continue
        self._idle = True
        if not volts or not all(map(math.isfinite, volts)):
            raise self._fault("The instrument measured no open-circuit voltage", "Check the sense leads.")
        return math.fsum(volts) / len(volts)

    def abort(self) -> None:
        """Tell the instrument to stop measuring, now; see `Potentiostat.abort`."""
        if self._running:  # an instrument that is at rest would be deaf for a while after an abort
            self._stopping.set()
            self.link.write("Z\n")

    def cell_off(self) -> None:
        """End whatever is running and disconnect the cell; see `Potentiostat.cell_off`."""
        self._idle = False
        super().cell_off()

    def _run(self, sweep: Sweep) -> Generator[Point, None, None]:
        self._require_free()
        script = eis_script(
            sweep,
            amplitude=(sweep.amplitude_a or sweep.amplitude_v) * self._sent_per_rms,
            max_bandwidth_hz=self._max_bandwidth_hz,
            currents_a=self._currents_a,
        )
        self._require_idle()
        self._stopping.clear()
        try:
            self._energised, self._running, self._idle = True, True, False
            started = time.monotonic()
            self.link.write(script)
            for index, frequency_hz in enumerate(sweep.frequencies_hz.tolist()):
                yield self._point(index, frequency_hz, sweep, started)
            self._finish(sweep)
        except InstrumentError as error:
            if self._stopping.is_set():  # its echo was lost, or it came before the script
                raise self._aborted() from error
            raise
        finally:
            if self._energised:
                self._make_sure_off()

    def _require_idle(self) -> None:
        answer = self._answer("i")
        if ERROR.match(answer):
            raise BusyError(
                f"The instrument is running a script (it answered {answer!r})",
                where=self.link.resource,
                mend="Wait for it to end; or call cell_off() to end it and switch the cell off.",
            )
        self._require_same(answer)

    def _require_same(self, answer: str) -> None:
        """Refuse an instrument with another serial number than the one that was connected."""
        if self._identity.serial and answer != f"i{self._identity.serial}":
            what = f"Another instrument answers: serial {answer[1:]!r} instead of {self._identity.serial!r}"
            raise self._fault(what, "Connect again, and check which instrument the cell is at.")

    def _point(self, index: int, set_hz: float, sweep: Sweep, started: float) -> Point:
        """Wait for one data packet and return it as a point; flagged ones too."""
        self._point_timeout_s = 3 * predicted_point_s(set_hz) + self._patience_s
        line = self._packet(time.monotonic() + self._point_timeout_s)
        if line is None:
            what = f"The instrument ended the sweep after {index} of {sweep.n_points} points"
            raise self._fault(what, "Measure again; if it stays so, shorten the sweep.")
        try:
            frequency, real, imaginary = parse_packet(line)
        except ValueError as error:
            raise self._unreadable(line) from error
        quality = frequency.quality | real.quality | imaginary.quality
        frequency_hz = set_hz if math.isnan(frequency.value) else frequency.value
        self._require_in_step(line, set_hz, frequency_hz, sweep)
        words = dict.fromkeys(reading.status for reading in (frequency, real, imaginary) if reading.status)
        return Point(
            index=index,
            frequency_set_hz=set_hz,
            frequency_hz=frequency_hz,
            z_ohm=complex(real.value, imaginary.value),
            quality=quality,
            status="; ".join(words),
            amplitude_v=sweep.amplitude_v,
            time_s=time.monotonic() - started,
            raw=line,
        )

    def _require_in_step(self, line: str, set_hz: float, frequency_hz: float, sweep: Sweep) -> None:
        """Refuse a packet that belongs to another point: one was lost or came twice."""
        half_step = math.log(sweep.start_hz / sweep.stop_hz) / max(1, sweep.n_points - 1) / 2
        if not (frequency_hz > 0 and abs(math.log(frequency_hz / set_hz)) <= max(half_step, 0.05)):
            what = f"Expected the point at {set_hz:g} Hz, received one at {frequency_hz:g} Hz ({line!r})"
            raise self._fault(what, "A line was lost or came twice: check the cable, and measure again.")

    def _finish(self, sweep: Sweep) -> None:
        """Read to the empty line that ends a script."""
        deadline = time.monotonic() + ANSWER_S + self._patience_s
        if self._packet(deadline) is not None:
            what = f"The instrument sends more than {sweep.n_points} points"
            raise self._fault(what, "Measure again; report this if it stays so.")
        while self._line(deadline):
            continue
        self._idle = True

    def _packet(self, deadline: float) -> str | None:
        """Return the next data packet, or None at the end of the loop or the script."""
        while True:
            line = self._line(deadline)
            if line.startswith("P"):
                return line
            if line in ("", "*"):
                return None
            if line == "Z":
                raise self._aborted()
            self._raise_for(line)
            if not STRUCTURE.match(line) and not line.startswith("Z"):
                raise self._unreadable(line)

    def _raise_for(self, line: str) -> None:
        """Raise what an error line says; ``Z!`` only says that an abort came too late."""
        match = ERROR.match(line)
        if match and match["command"] != "Z":
            what = f"Error {match['code']}: {meaning(match['code'])} (the instrument sent {line!r})"
            raise self._fault(
                what, "The cell is switched off by a script of its own; mend the cause and try again."
            )

    def _aborted(self) -> AbortedError:
        mend = "The points so far are kept."
        return AbortedError("The sweep was aborted", where=self.link.resource, mend=mend)

    def _unreadable(self, line: str) -> InstrumentError:
        mend = "Characters were lost or damaged: check cable, baud rate and supply, and measure again."
        return self._fault(f"Expected a data packet, received {line[:80]!r}", mend, LinkError)

    def _reach_again(self, attempt: int) -> None:
        self._idle = False
        time.sleep(BACK_OFF_S * attempt)
        self.link.reopen()

    def _switch_off(self) -> None:
        if not self._idle:
            self._resynchronise()
            self._require_same(self._answer("i"))
        self._idle = False
        self.link.write("e\ncell_off\n\n")
        deadline = time.monotonic() + ANSWER_S
        while (line := self._line(deadline)) != "e":
            self._raise_for(line)
        self._require_end()
        self._idle = True

    def _require_end(self) -> None:
        """Wait until a script is over; firmware that joins the echo to what follows may not say so by a line."""
        try:
            answer = self._line(time.monotonic() + QUIET_S)
        except LinkError:
            answer = self._answer("i")  # refused while a script runs
            self._raise_for(answer)
            return
        self._raise_for(answer)
        if answer:
            raise self._unreadable(answer)

    def _resynchronise(self) -> None:
        """End what is running, and read until the instrument is at rest and nothing is left over."""
        deadline = time.monotonic() + self._point_timeout_s
        self.link.write("\n")
        self.link.write("Z\n")
        while not (line := self._line(deadline)).startswith("Z"):
            continue
        if line == "Z":
            while self._line(deadline):
                continue
        time.sleep(MUTE_S)
        self.link.discard()

    def _identified(self) -> tuple[Identity, Model]:
        version = self._answer("t")
        release = self._line(time.monotonic() + ANSWER_S)
        serial = self._answer("i")
        if ERROR.match(serial):  # it runs a script, and is now deaf for a while
            time.sleep(MUTE_S)
        return recognised(version, release, serial, resource=self.link.resource)

    def _answer(self, command: str) -> str:
        """Send a one-letter query and return the line that answers it; what answers something else is skipped."""
        deadline = time.monotonic() + ANSWER_S
        self.link.discard()
        self.link.write(command + "\n")
        while not (line := self._line(deadline)).startswith(command):
            continue
        return line

    def _line(self, deadline: float) -> str:
        """Return the next line without control characters: some models send XON and XOFF in between."""
        remaining = deadline - time.monotonic()
        if remaining < 0:
            what = "The instrument keeps talking, but does not say what was expected"
            raise self._fault(what, "Switch it off and on, and connect again.", LinkError)
        line = self.link.read_line(remaining)
        return "".join(character for character in line if character >= " ")
