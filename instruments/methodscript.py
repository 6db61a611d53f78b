"""The MethodSCRIPT language of PalmSens instruments: scripts, data packets, error codes; no input or output.

Facts are from PalmSens' published examples and documentation; no code is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from eis.errors import RejectedError
from eis.spectrum import Quality
from instruments.potentiostat import Sweep

EXPONENTS = {
    "a": -18,
    "f": -15,
    "p": -12,
    "n": -9,
    "u": -6,
    "m": -3,
    "": 0,
    "k": 3,
    "M": 6,
    "G": 9,
    "T": 12,
    "P": 15,
    "E": 18,
}
LARGEST_MANTISSA = 2**31 - 1
DIGITS = 7
"""Significant digits of a set-point as sent."""
ZERO = 0x8000000
"""What a packet adds to every number before it writes it as 7 hexadecimal digits."""

EIS_KINDS = ("dc", "cc", "cd")
"""What a packet of an impedance sweep holds: frequency, real and imaginary part."""
OCP_KINDS = ("ab",)
"""What a packet of an open-circuit measurement holds: potential of the working against the reference electrode."""

STATUS = {
    1: (Quality.TIMING, "timing error"),
    2: (Quality.OVERLOAD, "overload"),
    4: (Quality.UNDERLOAD, "underload"),
    8: (Quality.OVERLOAD_WARNING, "overload warning"),
}

MEANINGS = {
    "0003": "unknown command",
    "0006": "not possible in this state",
    "0008": "line too long",
    "000C": "no script loaded",
    "000F": "invalid potential",
    "0011": "invalid frequency",
    "0012": "invalid amplitude",
    "0014": "open-circuit measurement with the cell on",
    "001B": "not supported by this instrument",
    "0021": "potentiostat mode not set or not possible",
    "0023": "potentiostat mode not possible here",
    "0032": "critical overload of the cell",
    "0058": "timing: the script is too slow",
    "005A": "timing: the script is too slow",
    "0080": "counter electrode oscillates",
    "4001": "unknown script command",
    "4004": "unexpected character in the script",
    "4008": "unknown option in the script",
    "4018": "the script ended unexpectedly",
    "4026": "variable declared twice",
    "4027": "the cell must be on",
    "4028": "the cell must be off",
    "4039": "invalid number in the script",
    "420B": "variable not declared",
    "7FFF": "fatal internal error",
}

ERROR = re.compile(r"^(?P<command>[A-Za-z]?)!(?P<code>[0-9A-Fa-f]{4})(?P<place>.*)$")
STRUCTURE = re.compile(r"^(e|e?M[0-9A-Fa-f]{4}|L|\+|-|C[0-9A-Fa-f]{4}|T.*)$")
"""Lines that say where in a measurement the stream is, the echo of ``e`` alone or joined to a loop's start."""

_LITERAL = re.compile(r"^(?P<mantissa>-?\d+)(?P<prefix>[afpnumkMGTPE]?)$")
_VALUE = re.compile(
    r"^(?P<kind>[a-z]{2})(?:(?P<digits>[0-9A-Fa-f]{7})(?P<prefix>[afpnumkMGTPEi ])|(?P<nan> {5}nan))$"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a data packet: its two-letter type, the number (SI), and what the instrument says about it."""

    kind: str
    value: float
    quality: Quality
    status: str


def literal(value: float) -> str:
    """Write `value` exactly, as MethodSCRIPT wants it: a whole number and an SI prefix (``0.5`` is ``500m``).

    Raises
    ------
    RejectedError
        If `value` has more digits than fit, or is not finite.
    """
    if not math.isfinite(value):
        raise RejectedError(f"{value!r} cannot be sent", where="MethodSCRIPT", mend="Give a finite number.")
    number = Decimal(repr(float(value))).normalize()
    if not number:
        return "0"
    exponent = number.as_tuple().exponent
    thousands = min(max(3 * (int(exponent) // 3), -18), 18)
    mantissa = number.scaleb(-thousands)
    if mantissa != int(mantissa) or abs(mantissa) > LARGEST_MANTISSA:
        raise RejectedError(
            f"{value!r} has too many digits for the instrument",
            where="MethodSCRIPT",
            mend="Round it to seven significant digits.",
        )
    prefix = next(prefix for prefix, power in EXPONENTS.items() if power == thousands)
    return f"{int(mantissa)}{prefix}"


def parse_literal(text: str) -> float:
    """Read a MethodSCRIPT number such as ``200k``.

    Raises
    ------
    ValueError
        If it is not one.
    """
    match = _LITERAL.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a whole number with an SI prefix")
    return float(Decimal(match["mantissa"]).scaleb(EXPONENTS[match["prefix"]]))


def eis_script(sweep: Sweep, *, amplitude: float, max_bandwidth_hz: float, currents_a: tuple[float, float]) -> str:
    """Write the script that measures `sweep`, and read it back: a wrong SI prefix is a silent factor of 1000.

    Parameters
    ----------
    sweep : Sweep
        What to measure.
    amplitude : float
        Excitation as the firmware wants it (V or A, rms or peak).
    max_bandwidth_hz : float
        Bandwidth to set (Hz).
    currents_a : tuple of float
        Smallest and largest current range autoranging may use (A); it starts at the largest.

    Raises
    ------
    RejectedError
        If the script cannot say what was asked for, to seven digits.
    """
    level = sweep.dc_a if sweep.is_galvanostatic else sweep.dc_v
    said, start, stop, dc, bandwidth = (
        literal(float(f"{value:.{DIGITS}g}"))
        for value in (amplitude, sweep.start_hz, sweep.stop_hz, level, max_bandwidth_hz)
    )
    low, high = (literal(current) for current in currents_a)
    control: tuple[str, ...] = (
        "set_pgstat_mode 3",
        f"set_max_bandwidth {bandwidth}",
        f"set_range_minmax da {dc} {dc}",
        f"set_range ba {high}",
        f"set_autoranging ba {low} {high}",
        f"set_e {dc}",
    )
    loop = "meas_loop_eis"
    if sweep.is_galvanostatic:
        peak = abs(sweep.dc_a) + 1.5 * sweep.amplitude_a
        enough = literal(next((i for i in current_ranges(currents_a) if i >= peak), currents_a[1]))
        control = ("set_pgstat_mode 6", f"set_max_bandwidth {bandwidth}", f"set_range db {enough}", f"set_i {dc}")
        loop = "meas_loop_geis"
    lines = (
        "e",
        "var f",
        "var r",
        "var j",
        "set_pgstat_chan 0",
        *control,
        "cell_on",
        f"{loop} f r j {said} {start} {stop} {sweep.n_points} {dc}",
        "pck_start",
        "pck_add f",
        "pck_add r",
        "pck_add j",
        "pck_end",
        "endloop",
        "on_finished:",
        "cell_off",
    )
    script = "\n".join(lines) + "\n\n"
    _compare(script, (amplitude, sweep.start_hz, sweep.stop_hz, sweep.n_points, level, level))
    return script


def current_ranges(currents_a: tuple[float, float]) -> list[float]:
    """Return whole decades of current (A) from the smallest to the largest range, and the largest."""
    low, high = currents_a
    decades = (10.0**power for power in range(-12, 3))
    return [*(i for i in decades if low <= i < high), high]


def ocp_script(seconds: float, interval_s: float, *, mode: int) -> str:
    """Write the script that measures the open-circuit potential, the cell disconnected from the current path.

    Parameters
    ----------
    seconds, interval_s : float
        For how long, and how often (s).
    mode : int
        What ``set_pgstat_mode`` wants.
    """
    told = [literal(float(f"{value:.{DIGITS}g}")) for value in (interval_s, seconds)]
    lines = (
        "e",
        "var p",
        "set_pgstat_chan 0",
        f"set_pgstat_mode {mode}",
        "cell_off",
        f"meas_loop_ocp p {told[0]} {told[1]}",
        "pck_start",
        "pck_add p",
        "pck_end",
        "endloop",
        "on_finished:",
        "cell_off",
    )
    return "\n".join(lines) + "\n\n"


def parse_packet(line: str, kinds: tuple[str, ...] = EIS_KINDS) -> tuple[Reading, ...]:
    """Read a data packet: ``P``, and values of these `kinds`, in this order, separated by semicolons.

    Raises
    ------
    ValueError
        If the line is anything else; nothing is guessed.
    """
    if not line.startswith("P"):
        raise ValueError("it does not begin with P")
    readings = tuple(_reading(field) for field in line[1:].split(";"))
    if tuple(reading.kind for reading in readings) != kinds:
        raise ValueError(f"it does not hold {', '.join(kinds)}")
    return readings


def meaning(code: str) -> str:
    """Return what an error code (four hexadecimal digits) means, as far as it is known."""
    return MEANINGS.get(code.upper(), "meaning not known to this driver; see the MethodSCRIPT manual")


def _compare(script: str, asked: tuple[float, ...]) -> None:
    (loop,) = re.findall(r"^meas_loop_g?eis f r j (.*)$", script, re.MULTILINE)
    (level,) = re.findall(r"^set_[ei] (.*)$", script, re.MULTILINE)
    says = [parse_literal(word) for word in (*loop.split(), level)]
    close = 10.0 ** (1 - DIGITS)
    if not all(math.isclose(one, other, rel_tol=close) for one, other in zip(says, asked, strict=True)):
        raise RejectedError(
            f"The script says {says} where {asked} was asked for",
            where="MethodSCRIPT",
            mend="Nothing was sent; report this, it is a fault of the driver.",
        )


def _reading(field: str) -> Reading:
    token, *metadata = field.split(",")
    match = _VALUE.match(token if metadata else token.ljust(10))  # a blank prefix is lost at the end of a line
    if not match:
        raise ValueError(f"{field!r} is not a value")
    quality, words = _status(metadata)
    if match["nan"]:
        return Reading(
            match["kind"], math.nan, quality | Quality.NOT_A_NUMBER, "; ".join((*words, "not a number"))
        )
    power = EXPONENTS[match["prefix"].strip(" i")]
    value = float(Decimal(int(match["digits"], 16) - ZERO).scaleb(power))
    return Reading(match["kind"], value, quality, "; ".join(words))


def _status(metadata: list[str]) -> tuple[Quality, tuple[str, ...]]:
    """Return quality and words of the status token (``1`` and a digit); range and noise stay in the line."""
    quality, words = Quality.OK, []
    for token in metadata:
        if not re.fullmatch(r"[0-9A-Fa-f]{2,3}", token):
            raise ValueError(f"{token!r} is not a status, range or noise token")
        if token[0] == "1":
            bits = int(token[1:], 16)
            for bit, (flag, word) in STATUS.items():
                if bits & bit:
                    quality |= flag
                    words.append(word)
    return quality, tuple(words)
