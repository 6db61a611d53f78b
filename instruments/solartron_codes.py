"""The two-letter language of Solartron's analysers and interfaces: settings, their queries, and what is answered.

Sources: the 1260, 1287 and 1250 operating manuals (output format, IEEE 488 commands, command grammar, error group
0) and, for what users send, several open drivers. The digits of error group 8 are in none of them, so each but 0
stays `Quality.UNKNOWN_CODE`. Not yet seen on real hardware.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eis.errors import LinkError, RejectedError
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
