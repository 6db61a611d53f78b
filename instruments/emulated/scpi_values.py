"""The values SCPI settings take: how an emulated instrument reads them, tells them, and refuses others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ERRORS = {
    0: "No error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -211: "Trigger ignored",
    -213: "Init ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -310: "System error",
    -350: "Queue overflow",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}
"""Error numbers and texts of SCPI-99; −1xx are command errors, −2xx execution, −3xx device, −4xx query errors."""
EVENT_BITS = {1: 32, 2: 16, 3: 8, 4: 4}
"""The bit of the event status register that each hundred of errors sets."""
MULTIPLIERS = {"G": 1e9, "MA": 1e6, "K": 1e3, "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12}
NUMBER = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*(?:(G|MA|K|M|U|N|P)?(HZ|V|A|OHM|S))?$")


class ScpiError(Exception):
    """A command that is refused, by its number in `ERRORS`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Number:
    """A number from `low` to `high`, taken to so many significant `digits`, or one of `allowed` ones."""

    low: float
    high: float
    digits: int = 6
    allowed: tuple[float, ...] = ()

    def read(self, text: str) -> float:
        """Return the number `text` stands for, as the instrument takes it."""
        word = text.upper()
        if word in ("MIN", "MINIMUM", "MAX", "MAXIMUM"):
            return self.low if word.startswith("MIN") else self.high
        value = float(f"{number(text):.{self.digits - 1}e}")
        if not self.low <= value <= self.high or (self.allowed and value not in self.allowed):
            raise ScpiError(-222)
        return value

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return f"{value:+.5E}"


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def read(self, text: str) -> int:
        """Return the number `text` stands for."""
        value = round(number(text))
        if not self.low <= value <= self.high:
            raise ScpiError(-222)
        return value

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return f"{value:d}"


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of some words, in their short or long forms; a query answers the short one."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    def read(self, text: str) -> str:
        """Return the short form of the word `text` stands for."""
        for word in self.words:
            if text.upper() in (short(word), word.upper()):
                return short(word)
        raise ScpiError(-224)

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    def read(self, text: str) -> bool:
        """Return whether `text` says on."""
        states = {"ON": True, "1": True, "OFF": False, "0": False}
        if text.upper() not in states:
            raise ScpiError(-224)
        return states[text.upper()]

    def write(self, value: Any) -> str:
        """Return what a query answers."""
        return "1" if value else "0"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting with a command that sets it and a query that tells it; `initial` is its value after ``*RST``."""

    header: str
    initial: Any
    kind: Number | Integer | Choice | Switch


def short(word: str) -> str:
    """Return the short form of a word: its capitals and digits."""
    return "".join(letter for letter in word if not letter.islower())


def number(text: str) -> float:
    """Return the number `text` stands for, with a unit and its multiplier or without; ``MHZ`` are megahertz."""
    match = NUMBER.match(text.strip().upper())
    if match is None:
        raise ScpiError(-104)
    digits, multiplier, unit = match.groups()
    if multiplier == "M" and unit in ("HZ", "OHM"):
        multiplier = "MA"
    return float(digits) * MULTIPLIERS.get(multiplier or "", 1.0)
