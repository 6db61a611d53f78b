"""The two-letter language of Solartron's analysers and interfaces: settings, their queries, and what is answered.

Sources: the 1260, 1287 and 1250 operating manuals (output format, IEEE 488 commands, command grammar, error group
0) and, for what users send, several open drivers. The digits of error group 8 are in none of them, so each but 0
stays `Quality.UNKNOWN_CODE`. Not yet seen on real hardware.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from eis.errors import ConfigError, LinkError, RejectedError
from eis.spectrum import Quality
from instruments import pointwise
from instruments.link import Link

END = "\r\n"
"""What ends a command."""
NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:E[+-]?\d{1,3})?")
SETTING = re.compile(rf"(?P<code>[A-Z]{{2}})(?P<arguments>{NUMBER.pattern}(?:,{NUMBER.pattern})*)")
PER_CHANNEL = ("RA", "DC", "IP", "OU", "OP")
"""Settings whose first argument says of which input or port; their queries name it too."""
TOLERANCE = 1e-4
"""How far a setting may be from what it was set to: the instruments write five digits."""
UNMEASURED_OHM = 1e30
"""From here on a value is what the output format makes of a division by nothing."""
STANDARD_RESISTORS_OHM: Mapping[float, int] = {10.0 ** (code - 2): code for code in range(1, 9)}
"""Argument of ``RR`` by standard resistor (ohm)."""
FRA_INPUT_GAINS: Mapping[float, int] = {1.0: 0, 0.01: 1}
"""Argument of ``PI``."""
OUTPUT_GAINS: Mapping[int, int] = {1: 0, 10: 1}
"""Argument of ``VX`` and ``IX``."""
STANDBY: Mapping[str, int] = {"full": 0, "half": 1}
"""Argument of ``BY``."""
CHOICES: Mapping[str, tuple[object, ...]] = {
    "amplitude_unit": ("rms", "peak"),
    "standard_ohm": tuple(STANDARD_RESISTORS_OHM),
    "fra_input_gain": tuple(FRA_INPUT_GAINS),
    "voltage_gain": tuple(OUTPUT_GAINS),
    "current_gain": tuple(OUTPUT_GAINS),
    "z_sign": (1, -1),
    "standby": tuple(STANDBY),
}
INTEGRATION_S = (0.01, 1e5)
OWN_CODES = (
    *("VA", "VB", "IA", "IB", "PV", "PC", "PW", "SI", "RE", "BK", "TT", "FR", "IS", "GT", "SW", "CZ", "SO"),
    *("OS", "OT", "AU", "MS", "PO", "BY", "ON", "PI", "RR", "VX", "IX", "TR", "RU"),
)
"""What energises the cell, or decides what a result means; none of it can be among a user's further settings."""
POINT_ERRORS: Mapping[str, Quality] = {"0": Quality.OK}
"""What is known of the error digit of a result."""
LIMITS: Mapping[str, str] = {"00": "", "-1": "below the limit set", "+1": "above the limit set"}
"""What the limits field of a result says; it depends on limits somebody set, and is no fault."""
COMMAND_ERRORS: Mapping[int, str] = {
    1: "unknown command",
    2: "argument mismatch",
    3: "argument out of range",
    4: "floating point format",
    5: "illegal query",
}
"""Error group 0."""


@dataclass(frozen=True, slots=True)
class Model:
    """What an analyser can do: highest frequency (Hz), and whether it measures a current without an interface."""

    f_max_hz: float
    measures_current: bool


MODELS: Mapping[str, Model] = {"1260": Model(32e6, True), "1255": Model(1e6, False)}
"""By the number in the identity."""


@dataclass(frozen=True, slots=True)
class Result:
    """One result: frequency (Hz), the two parameters, and what the instrument says of them."""

    frequency_hz: float
    parameters: complex
    quality: Quality
    status: str


@dataclass(frozen=True)
class Setup:
    """How analyser and interface are set up: the options of `instruments.solartron.Solartron`.

    Parameters
    ----------
    amplitude_unit : {"rms", "peak"}
        How the generator reads ``VA``; rms according to users.
    amplitude_min_v : float
        Smallest excitation allowed (V rms). Not stated by the sources.
    v_rms_above_10_mhz : float
        Most the generator may give above 10 MHz (V). Not stated by the sources.
    source_resistance_ohm : float
        Output resistance of the generator (ohm), for an analyser alone. Not stated by the sources.
    standard_ohm : float
        The interface's standard resistor, 0.1 ohm to 1 Mohm in decades; the impedance is scaled with it.
    fra_input_gain : {1.0, 0.01}
        The interface's gain from the generator to the cell; the generator's amplitude is scaled with it.
    voltage_gain, current_gain : {1, 10}
        Gain of the interface's potential and current outputs, ``VX`` and ``IX``.
    z_scale, z_sign : float
        Further factor of the impedance, and 1 or -1; the sign is not stated by the sources: measure a known
        resistor first.
    standby : {"half", "full"}
        What the interface disconnects while it is off; the open-circuit voltage can be read in half standby only.
    polarization_mode : int
        Argument of ``ON``; 0 makes ``PV`` the potential itself, according to the manual's order of words.
    integration_s, integration_cycles : float
        How long each point is integrated at least (s), and over how many cycles at least.
    auto_integration : int
        Argument of ``AU``; 0 is off.
    auto_integration_s : float
        How much longer a point may take (s) if that is on.
    delay_s : float
        Delay before each measurement (s), ``MS``.
    separator_code, terminator_code : int
        Arguments of ``OS`` (0 is a comma) and ``OT`` (1 is CR LF with EOI, according to users). Before the
        analyser is connected, its menu must be at CR LF, or on a GPIB at anything with EOI.
    output : str
        The setting that sends all results where the driver reads: ``OP2,1`` for GPIB.
    settings, interface_settings : sequence of str
        Further settings, such as ``RA1,3`` or ``OU1,0``, which are written and read back.
    error_query : str, optional
        A query that answers the last command error as a number; it is asked after the settings.
    polarization_query : str
        The query that answers the state of the polarization switch.
    dvm_query : str
        What makes the interface's voltmeter send one reading.

    Raises
    ------
    ConfigError
        If a value is none of those allowed.
    """

    amplitude_unit: Literal["rms", "peak"] = "rms"
    amplitude_min_v: float = 0.001
    v_rms_above_10_mhz: float = 1.0
    source_resistance_ohm: float = 50.0
    standard_ohm: float = 100.0
    fra_input_gain: float = 1.0
    voltage_gain: int = 1
    current_gain: int = 1
    z_scale: float = 1.0
    z_sign: int = 1
    standby: Literal["half", "full"] = "half"
    polarization_mode: int = 0
    integration_s: float = 0.1
    integration_cycles: float = 1.0
    auto_integration: int = 0
    auto_integration_s: float = 0.0
    delay_s: float = 0.0
    separator_code: int = 0
    terminator_code: int = 1
    output: str = "OP2,1"
    settings: Iterable[str] = ()
    interface_settings: Iterable[str] = ()
    error_query: str | None = None
    polarization_query: str = "?PW"
    dvm_query: str = "TR"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                mend = f"Choose one of {', '.join(map(str, allowed))}."
                raise ConfigError(f"{name} is {value!r}", where="solartron", mend=mend)
        for name in ("amplitude_min_v", "z_scale", "integration_s", "integration_cycles"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ConfigError(
                    f"{name} is {value!r}", where="solartron", mend="Give a finite number above zero."
                )
        for name in ("settings", "interface_settings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # not a generator: it is needed every time
        for setting in (self.output, *self.settings, *self.interface_settings):
            _require_harmless(setting)

    def sent_per_rms(self, *, with_interface: bool) -> float:
        """Return what ``VA`` is for each volt (rms) at the cell."""
        peak = math.sqrt(2) if self.amplitude_unit == "peak" else 1.0
        return peak / self.fra_input_gain if with_interface else peak

    def ohm_per_result(self, *, with_interface: bool) -> float:
        """Return the impedance (ohm) for each unit of a result."""
        interface = self.standard_ohm * self.current_gain / self.voltage_gain if with_interface else 1.0
        return self.z_sign * self.z_scale * interface

    def integrating_s(self, frequency_hz: float) -> float:
        """Return how long a point at `frequency_hz` is integrated (s)."""
        shortest_s, longest_s = INTEGRATION_S
        return min(max(self.integration_s, self.integration_cycles / frequency_hz, shortest_s), longest_s)

    @property
    def longer_s(self) -> float:
        """How much longer than its integration a point may take (s)."""
        return self.delay_s + (self.auto_integration_s if self.auto_integration else 0.0)

    def analyser_settings(self, *, with_interface: bool) -> tuple[str, ...]:
        """Return the analyser's settings, but for frequency, integration time, amplitude and bias."""
        second = 2 if with_interface else 3
        return (
            written("OS", self.separator_code),
            written("OT", self.terminator_code),
            self.output,
            *("GT0", "SW0", "CZ0", written("SO", 1, second), "RA1,0", written("RA", second, 0)),
            written("AU", self.auto_integration),
            written("MS", self.delay_s),
            *self.settings,
        )

    def for_interface(self) -> tuple[str, ...]:
        """Return the interface's settings, but for potential and polarization switch."""
        return (
            *("PO0", written("BY", STANDBY[self.standby]), written("ON", self.polarization_mode)),
            written("PI", FRA_INPUT_GAINS[self.fra_input_gain]),
            written("RR", STANDARD_RESISTORS_OHM[self.standard_ohm]),
            written("VX", OUTPUT_GAINS[self.voltage_gain]),
            written("IX", OUTPUT_GAINS[self.current_gain]),
            *self.interface_settings,
        )


class Conversation:
    """Two-letter commands to one instrument, not sooner one after another than it can take them.

    Parameters
    ----------
    link : Link
        The connection.
    gap_s : float
        Shortest time between two commands (s).
    stop : callable
        Whether to stop waiting for an answer.
    """

    def __init__(self, link: Link, *, gap_s: float, stop: Callable[[], bool]) -> None:
        self.link = link
        self._gap_s = gap_s
        self._stop = stop
        self._ready_at = -math.inf

    def send(self, command: str) -> None:
        """Send a command, when the last one is long enough ago."""
        wait_s = self._ready_at - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        try:
            self.link.write(command + END)
        finally:
            self._ready_at = time.monotonic() + self._gap_s

    def query(self, command: str, timeout_s: float | None = None) -> str:
        """Send a command and return the line that answers it, by default as soon as an idle instrument does."""
        self.link.discard()
        self.send(command)
        return self.link.read_line(pointwise.ANSWER_S if timeout_s is None else timeout_s, stop=self._stop)

    def put(self, setting: str) -> None:
        """Write a setting and read it back; RejectedError if it was not taken."""
        self.send(setting)
        self.require(setting)

    def require(self, setting: str) -> None:
        """Read a setting back; RejectedError if it is another."""
        answer = self.query(asked(setting))
        try:
            taken = confirms(answer, setting)
        except ValueError as error:
            raise self.unreadable(str(error)) from error
        if not taken:
            what = f"{setting} was not taken: {asked(setting)} is answered by {answer!r}"
            mend = "Choose a value this model and its options allow."
            raise RejectedError(what, where=self.link.resource, mend=mend)

    def unreadable(self, what: str) -> LinkError:
        """Return the error for an answer that is none."""
        mend = "Set the output to commas and CR LF; check cable and address, and measure again."
        return LinkError(f"The answer cannot be read: {what[:160]}", where=self.link.resource, mend=mend)


def parse_identity(answer: str) -> tuple[str, str, str, str] | None:
    """Return vendor, model, serial and firmware of an answer to ``*IDN?``; None if it is no analyser known here.

    Vendor and model stand in either order. What an instrument does not say (it writes 0) is empty.
    """
    fields = [field.strip() for field in answer.split(",")]
    if len(fields) != 4:
        return None
    for place in (0, 1):
        match = re.match(r"(\d{4})\w? ", fields[place])
        if match and match[1] in MODELS and re.search("SOLARTRON|SCHLUMBERGER", fields[1 - place], re.IGNORECASE):
            serial, firmware = ("" if field == "0" else field for field in fields[2:])
            return fields[1 - place], match[0].strip(), serial, firmware
    return None


def parse_result(line: str) -> Result:
    """Return the result that `line` is: ``frequency,parameter,parameter,error,limits``.

    Raises
    ------
    ValueError
        If it is not exactly that.
    """
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 5 or not re.fullmatch(r"\d", fields[3]):
        raise ValueError(f"{line!r} is not frequency, two parameters, an error digit and a limits code")
    frequency_hz, first, second = (_number(field) for field in fields[:3])
    error, limits = fields[3:]
    quality = POINT_ERRORS.get(error, Quality.UNKNOWN_CODE)
    words = [] if error == "0" else [f"error 8{error}"]
    if limits not in LIMITS:
        quality |= Quality.UNKNOWN_CODE
    words += [text] if (text := LIMITS.get(limits, f"limits {limits}")) else []
    parameters = complex(first, second)
    if not max(abs(first), abs(second)) < UNMEASURED_OHM:
        parameters, quality = complex(math.nan, math.nan), quality | Quality.NOT_A_NUMBER
    return Result(frequency_hz, parameters, quality, "; ".join(words))


def parse_dvm(line: str) -> tuple[float, float]:
    """Return potential (V) and current (A) of a reading of the interface: ``V,I,00,00``.

    Raises
    ------
    ValueError
        If it is not exactly that, or one of the two codes is not 00.
    """
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 4 or fields[2:] != ["00", "00"]:
        raise ValueError(f"{line!r} is not a potential, a current and twice 00")
    return _number(fields[0]), _number(fields[1])


def written(code: str, *arguments: float) -> str:
    """Return a setting as it is sent, such as ``FR1.5E5``; exponents are kept short, some firmware needs that."""
    return code + ",".join(_shortest(argument) for argument in arguments)


def asked(setting: str) -> str:
    """Return the query that reads `setting` back, such as ``?FR`` or ``?RA1``."""
    code, arguments = parts(setting)
    return f"?{code}{_shortest(arguments[0])}" if code in PER_CHANNEL else f"?{code}"


def confirms(answer: str, setting: str) -> bool:
    """Whether `answer` to the query of `setting` says the same, with or without repeating code and channel.

    Raises
    ------
    ValueError
        If the answer is not a list of numbers.
    """
    code, arguments = parts(setting)
    said = [_number(field) for field in answer.strip().removeprefix(code).split(",")]
    expected = arguments[1:] if code in PER_CHANNEL and len(said) < len(arguments) else arguments
    return len(said) == len(expected) and all(
        math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)
        for one, other in zip(said, expected, strict=True)
    )


def parts(setting: str) -> tuple[str, list[float]]:
    """Return code and arguments of a setting.

    Raises
    ------
    ValueError
        If `setting` is not two letters and numbers with commas between them.
    """
    match = SETTING.fullmatch(setting.replace(" ", ""))
    if match is None:
        raise ValueError(f"{setting!r} is not two capital letters and numbers with commas between them")
    return match["code"], [float(argument) for argument in match["arguments"].split(",")]


def _number(field: str) -> float:
    if not NUMBER.fullmatch(field.strip()):
        raise ValueError(f"{field!r} is not a number as the instrument writes them")
    return float(field)


def _shortest(value: float) -> str:
    if value == round(value) and abs(value) < 1000:
        return str(round(value))
    mantissa, exponent = f"{value:.7E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent)}"


def _require_harmless(setting: str) -> None:
    """Refuse a further setting that is none, or one the driver relies on."""
    try:
        code, _ = parts(setting)
    except ValueError as error:
        raise ConfigError(str(error), where="solartron", mend="Write it like RA1,3.") from error
    if code in OWN_CODES:
        mend = "Leave it to the sweep and to the options of the driver."
        raise ConfigError(f"{setting} is not a further setting", where="solartron", mend=mend)
