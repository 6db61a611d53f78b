"""Solartron (AMETEK) frequency response analysers: 1260, 1260A, 1255B; alone, or with a 1287 interface.

What is known comes from the manuals' output format, command grammar and 1287 command list, and from open drivers;
what they do not settle is an option in `instruments.solartron_setup.Setup` with a stated default. Not yet seen on
real hardware.

Off means: the 1287's polarization switch opened (``PW0``) and read back as open by ``?PW``; alone, the 1260's
generator stopped (``BK``) and its amplitude and bias set to zero and read back as zero. ``BK`` itself cannot be
asked for. That the 1287 answers ``?PW`` is inferred from the grammar the family shares: an interface that does
not is refused when it is connected, and one that ceases to leaves `CellStateUnknownError`. With the switch read
back as open the cell is off whatever the generator says.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

from eis.errors import BusyError, ConfigError, InstrumentError, RejectedError
from instruments import pointwise
from instruments.assured_off import OFF_ATTEMPTS
from instruments.link import Link
from instruments.pointwise import PointByPoint, Reading
from instruments.potentiostat import Capabilities, Identity, Sweep
from instruments.solartron_codes import (
    COMMAND_ERRORS,
    END,
    MODELS,
    Conversation,
    confirms,
    parse_dvm,
    parse_identity,
    parse_result,
    written,
)
from instruments.solartron_setup import INTEGRATION_S, Setup

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase

F_MIN_HZ = 1e-5
GENERATOR_V_RMS = 3.0
GENERATOR_FULL_UP_TO_HZ = 10e6
BIAS_V = 40.95
POLARIZATION_V = 14.5
FREQUENCY_TOLERANCE = 1e-4


class Solartron(PointByPoint):
    """A Solartron analyser; make one with `instruments.connect` or `Solartron.open`.

    A sweep's planned cycles become seconds of integration (``IS``), for how cycles are asked for is not known, and
    its settling the delay of each measurement (``MS``); the options are the least of both.

    Parameters
    ----------
    link : Link
        An open connection to the analyser; closed with this object.
    interface : Link, optional
        An open connection to a 1287; closed with this object. Without it the analyser measures V1/I itself, has no
        cell switch, and applies the DC potential as the generator's bias.
    gap_s : float
        Shortest time between two commands to one instrument (s).
    patience_s : float
        How much longer than three times its predicted duration to wait for a point (s).
    amplitude_unit, ..., dvm_query
        As in `instruments.solartron_setup.Setup`.

    Raises
    ------
    ConfigError
        If an option is none of those allowed.
    LinkError
        If nothing answers.
    InstrumentError
        If what answers is no analyser known here.
    """

    name = "solartron"
    reached_by = ("ASRL", "GPIB", "SOCKET", "TCPIP")  # the last through a gateway
    _end = END

    def __init__(
        self,
        link: Link,
        *,
        interface: Link | None = None,
        gap_s: float = 0.05,
        patience_s: float = 10.0,
        amplitude_unit: Literal["rms", "peak"] = "rms",
        amplitude_min_v: float = 0.001,
        v_rms_above_10_mhz: float = 1.0,
        source_resistance_ohm: float = 50.0,
        standard_ohm: float = 100.0,
        fra_input_gain: float = 1.0,
        voltage_gain: int = 1,
        current_gain: int = 1,
        z_scale: float = 1.0,
        z_sign: int = 1,
        standby: Literal["half", "full"] = "half",
        polarization_mode: int = 0,
        integration_s: float = 0.1,
        integration_cycles: float = 1.0,
        auto_integration: int = 0,
        auto_integration_s: float = 0.0,
        delay_s: float = 0.0,
        separator_code: int = 0,
        terminator_code: int = 1,
        output: str = "OP2,1",
        settings: Iterable[str] = (),
        interface_settings: Iterable[str] = (),
        error_query: str | None = None,
        polarization_query: str = "?PW",
        dvm_query: str = "TR",
    ) -> None:
        def stop() -> bool:
            return self._running and self._stopping.is_set()

        self._setup = Setup(
            amplitude_unit=amplitude_unit,
            amplitude_min_v=amplitude_min_v,
            v_rms_above_10_mhz=v_rms_above_10_mhz,
            source_resistance_ohm=source_resistance_ohm,
            standard_ohm=standard_ohm,
            fra_input_gain=fra_input_gain,
            voltage_gain=voltage_gain,
            current_gain=current_gain,
            z_scale=z_scale,
            z_sign=z_sign,
            standby=standby,
            polarization_mode=polarization_mode,
            integration_s=integration_s,
            integration_cycles=integration_cycles,
            auto_integration=auto_integration,
            auto_integration_s=auto_integration_s,
            delay_s=delay_s,
            separator_code=separator_code,
            terminator_code=terminator_code,
            output=output,
            settings=settings,
            interface_settings=interface_settings,
            error_query=error_query,
            polarization_query=polarization_query,
            dvm_query=dvm_query,
        )
        self._analyser = Conversation(link, gap_s=gap_s, stop=stop)
        self._interface = Conversation(interface, gap_s=gap_s, stop=stop) if interface else None
        self._sent_per_rms = self._setup.sent_per_rms(with_interface=interface is not None)
        self._ohm_per_result = self._setup.ohm_per_result(with_interface=interface is not None)
        self._pace: dict[str, float] = {}  # what AU, IS and MS were last confirmed to be
        super().__init__(link, patience_s=patience_s)
        self._polarized()  # an interface that does not say could not be verified to be off

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        backend: str | VisaLibraryBase = "@py",
        label: str | None = None,
        baud_rate: int | None = None,
        on_close: Callable[[], None] | None = None,
        interface_resource: str | None = None,
        remeasure: int = 0,
        **options: Any,
    ) -> Self:
        """Open the analyser at `resource`, and a 1287 at `interface_resource`, and ask who is there.

        The other parameters are those of `instruments.link.Link` and of this class.
        """
        if interface_resource is not None:
            options["interface"] = Link(interface_resource, backend=backend, baud_rate=baud_rate)
        try:
            return super().open(
                resource,
                backend=backend,
                label=label,
                baud_rate=baud_rate,
                on_close=on_close,
                remeasure=remeasure,
                **options,
            )
        except BaseException:
            if interface_resource is not None:
                options["interface"].close()
            raise

    def close(self) -> None:
        """End a running sweep, switch off a cell this driver switched on, and give the connections back."""
        try:
            super().close()
        finally:
            if self._interface:
                self._interface.link.close()

    def ocv(self, seconds: float = 1.0) -> float:
        """Return the open-circuit voltage (V) after `seconds` of rest, as the interface's voltmeter reads it.

        Raises
        ------
        RejectedError
            If there is no interface.
        BusyError
            If the cell is on.
        LinkError
            If no reading comes, or it is not one.
        """
        if self._interface is None:
            return super().ocv(seconds)
        if self._energised:
            mend = "Let the sweep end or call cell_off() first."
            raise BusyError("The cell is on", where=self.link.resource, mend=mend)
        self._require_open_switch()
        self._interface.put("BY1")
        end = time.monotonic() + seconds
        while True:
            answer = self._interface.query(self._setup.dvm_query)
            try:
                potential_v, _ = parse_dvm(answer)
            except ValueError as error:
                raise self._interface.unreadable(str(error)) from error
            if (rest_s := end - time.monotonic()) <= 0:
                return potential_v
            time.sleep(min(rest_s, 1.0))

    def _identified(self) -> Identity:
        answer = self._analyser.query("*IDN?")
        known = parse_identity(answer)
        if known is None:
            raise self._fault(
                f"No Solartron analyser known here: it answered {answer!r} to '*IDN?'",
                f"Known are {', '.join(MODELS)}; check the resource name.",
            )
        vendor, model, serial, firmware = known
        if self._interface is None and not MODELS[model[:4]].measures_current:
            mend = "Give the resource name of a 1287 as interface_resource."
            raise ConfigError(f"A {model} alone measures no current", where=self.link.resource, mend=mend)
        return Identity(
            vendor=vendor,
            model=model + (" with 1287" if self._interface else ""),
            serial=serial,
            firmware=firmware,
            resource=self.link.resource,
            raw=answer,
            simulated=serial.startswith("EMULATED"),
        )

    def _able(self) -> Capabilities:
        return Capabilities(
            f_min_hz=F_MIN_HZ,
            f_max_hz=MODELS[self._identity.model[:4]].f_max_hz,
            v_ac_rms=(self._setup.amplitude_min_v, GENERATOR_V_RMS / self._sent_per_rms),
            v_dc=(-POLARIZATION_V, POLARIZATION_V) if self._interface else (-BIAS_V, BIAS_V),
            native_sweep="none",
            has_cell_switch=self._interface is not None,
            has_ocv=self._interface is not None,
            instrument_verified=False,
            source_resistance_ohm=0.0 if self._interface else self._setup.source_resistance_ohm,
            blocking_cell_only=self._interface is None,
            plans_cycles=True,
        )

    def _prepare(self, sweep: Sweep) -> None:
        sent_v = sweep.amplitude_v * self._sent_per_rms
        if sweep.start_hz > GENERATOR_FULL_UP_TO_HZ and sent_v > self._setup.v_rms_above_10_mhz:
            most = f"allowed is v_rms_above_10_mhz = {self._setup.v_rms_above_10_mhz:g}"
            what = f"The generator would have to give {sent_v:g} V above 10 MHz; {most}"
            raise self._fault(what, "Choose a smaller amplitude or start at 10 MHz.", RejectedError)
        longest_s = max((sweep.integration_cycles(f) or 0.0) / f for f in sweep.frequencies_hz.tolist())
        if longest_s > INTEGRATION_S[1]:
            what = f"A point would be integrated for {longest_s:g} s, and {INTEGRATION_S[1]:g} s are the most"
            raise self._fault(what, "Plan fewer cycles at low frequencies.", RejectedError)
        self._pace.clear()
        if self._interface:
            self._require_open_switch()
        self._generator_off()
        for setting in self._setup.analyser_settings(with_interface=self._interface is not None):
            self._analyser.put(setting)
        self._keep_pace(sweep.frequencies_hz[0].item(), sweep)
        if self._interface:
            for setting in (*self._setup.for_interface(), written("PV", sweep.dc_v)):
                self._interface.put(setting)
        self._require_no_command_error()

    def _energise(self, sweep: Sweep) -> None:
        if self._interface:
            self._analyser.put(written("VA", sweep.amplitude_v * self._sent_per_rms))
            self._interface.put("PW1")  # last, with everything else in its place
        else:
            self._analyser.put(written("VB", sweep.dc_v))
            self._analyser.put(written("VA", sweep.amplitude_v * self._sent_per_rms))

    def _measure(self, frequency_hz: float, sweep: Sweep, timeout_s: float) -> Reading:
        takes_s = self._keep_pace(frequency_hz, sweep)
        self._analyser.send(written("FR", frequency_hz))
        line = self._analyser.query("SI", timeout_s + 3 * takes_s)
        try:
            result = parse_result(line)
        except ValueError as error:
            raise self._analyser.unreadable(str(error)) from error
        if not math.isclose(result.frequency_hz, frequency_hz, rel_tol=FREQUENCY_TOLERANCE):
            raise self._analyser.unreadable(f"{line!r} is not the result at {frequency_hz:g} Hz")
        return Reading(
            frequency_hz=result.frequency_hz,
            z_ohm=result.parameters * self._ohm_per_result,
            quality=result.quality,
            status=result.status,
            raw=line,
        )

    def _keep_pace(self, frequency_hz: float, sweep: Sweep) -> float:
        """Set integration and delay for a point, where they are others, and return how long it may take (s)."""
        pace = self._setup.pace(frequency_hz, sweep.integration_cycles(frequency_hz), sweep.settle_s(frequency_hz))
        for code, value in pace.items():
            if self._pace.get(code) != value:
                self._analyser.put(written(code, value))
                self._pace[code] = value
        return pace["IS"] + pace["MS"] + (self._setup.auto_integration_s if pace["AU"] else 0.0)

    def _recover(self, sweep: Sweep) -> None:
        if self._interface:
            self._interface.link.reopen()
        super()._recover(sweep)

    def _switch_off(self) -> None:
        if self._interface:
            self._open_switch(self._interface)
            with contextlib.suppress(InstrumentError):  # the switch is open: the generator no longer matters
                self._generator_off()
        else:
            self._generator_off()

    def _open_switch(self, interface: Conversation) -> None:
        """Open the polarization switch and have that confirmed, over fresh connections if need be.

        This does not wait for the analyser: what holds the cell can be reached without it.
        """
        failure = self._fault("The polarization switch stays closed", "Switch the 1287 off.")
        for attempt in range(OFF_ATTEMPTS):
            try:
                if attempt:
                    time.sleep(pointwise.BACK_OFF_S * attempt)
                    interface.link.reopen()
                interface.send("PW0")
                if not self._polarized():
                    return
            except InstrumentError as error:
                failure = error
        raise failure

    def _make_sure_off(self) -> None:
        self._running = False  # from here on nothing may end a wait but its time
        try:
            if self._interface and self._off_attempts.start:  # it failed before: then do not wait for the analyser
                with contextlib.suppress(InstrumentError):
                    self._open_switch(self._interface)
        finally:
            super()._make_sure_off()

    def _generator_off(self) -> None:
        self._analyser.send("BK")
        for setting in ("VA0", "VB0"):
            self._analyser.send(setting)
        for setting in ("VA0", "VB0"):
            self._analyser.require(setting)

    def _stop(self) -> None:
        self.link.write("BK" + END)  # at once: a gap would not be kept by another thread

    def _require_open_switch(self) -> None:
        if self._polarized():
            mend = "Wait until whoever uses it has finished; or call cell_off() to open the switch."
            raise BusyError("The interface has the cell on already", where=self.link.resource, mend=mend)

    def _polarized(self) -> bool:
        """Return whether the interface says that its polarization switch is closed."""
        if self._interface is None:
            return False
        answer = self._interface.query(self._setup.polarization_query)
        try:
            if confirms(answer, "PW0"):
                return False
            if confirms(answer, "PW1"):
                return True
        except ValueError:
            pass
        raise self._interface.unreadable(f"{answer!r} is not the state of the polarization switch")

    def _require_no_command_error(self) -> None:
        if self._setup.error_query is None:
            return
        answer = self._analyser.query(self._setup.error_query)
        if not answer.strip().isdigit():
            raise self._analyser.unreadable(f"{answer!r} is not an error number")
        if number := int(answer):
            what = f"The analyser reports error {number:02d}: {COMMAND_ERRORS.get(number, 'meaning unknown')}"
            raise self._fault(what, "Check the options against the manual of this model.", RejectedError)
