"""Emulated instruments that are led by two letters and numbers, as Solartron's are.

They refuse what they do not know with the errors of group 0, and say so only when asked.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.device import LineDevice

UNKNOWN, MISMATCH, OUT_OF_RANGE, FLOAT_FORMAT, ILLEGAL_QUERY = 1, 2, 3, 4, 5
FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Code:
    """One setting: limits of its value, how often it is there (channels), and whether it takes two values."""

    low: float
    high: float
    whole: bool = True
    channels: tuple[int, ...] = ()
    pair: tuple[int, int] | None = None


def number(low: float, high: float) -> Code:
    """Return a setting that is one number between two limits."""
    return Code(low, high, whole=False)


class TwoLetterDevice(LineDevice):
    """An instrument that is led by two letters and numbers; a subclass says which, and what its actions do.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    error_query : str
        The query that answers the last command error and forgets it.
    **options
        Those of `LineDevice`.

    Attributes
    ----------
    errors : list of int
        Every error of group 0 so far.
    values : dict
        Every setting by code, or by code and channel.
    """

    end = "\r\n"
    codes: Mapping[str, Code]
    actions: tuple[str, ...]

    def __init__(self, cell: EmulatedCell, *, error_query: str = "?ER", **options: Any) -> None:
        super().__init__(cell, **options)
        self.errors: list[int] = []
        self.values: dict[str, tuple[float, ...]] = {}
        self._error_query = error_query
        self._last_error = 0
        self._reset()

    @abstractmethod
    def _act(self, code: str) -> None:
        """Do what a code without arguments asks for."""

    @abstractmethod
    def _changed(self) -> None:
        """Note what a new setting means for the cell."""

    def value(self, key: str) -> float:
        """Return a setting that is one number, by its code, or code and channel."""
        return self.values[key][0]

    def _reset(self) -> None:
        for name, code in self.codes.items():
            rest = min(max(0.0, code.low), code.high)
            for key in (f"{name}{channel}" for channel in code.channels) if code.channels else (name,):
                self.values[key] = (rest, float(code.pair[0])) if code.pair else (rest,)

    def _obey(self, line: str) -> None:
        text = line.replace(" ", "")
        if text == self._error_query:
            self._answer(f"{self._last_error:02d}")
            self._last_error = 0
        elif text.startswith("?"):
            self._tell(text[1:])
        elif text in self.actions:
            self._act(text)
        elif text:
            self._set(text)

    def _tell(self, text: str) -> None:
        """Answer a query; one that has no answer leaves only an error."""
        name, channel = text[:2], text[2:]
        if name in self.actions:
            self._refuse(ILLEGAL_QUERY)
        elif name not in self.codes:
            self._refuse(UNKNOWN)
        elif text not in self.values:
            self._refuse(OUT_OF_RANGE if channel and self.codes[name].channels else MISMATCH)
        else:
            whole = self.codes[name].whole
            self._answer(",".join(f"{value:.0f}" if whole else decimal(value, 7) for value in self.values[text]))

    def _set(self, text: str) -> None:
        name, words = text[:2], text[2:].split(",")
        code = self.codes.get(name)
        if code is None:
            self._refuse(UNKNOWN)
        elif len(words) != (2 if code.channels or code.pair else 1) or not all(words):
            self._refuse(MISMATCH)
        elif not all(FLOAT.fullmatch(word) for word in words):
            self._refuse(FLOAT_FORMAT)
        else:
            self._take(name, code, [float(word) for word in words])

    def _take(self, name: str, code: Code, numbers: list[float]) -> None:
        channel = int(numbers.pop(0)) if code.channels else None
        limits = [(code.low, code.high), *([code.pair] if code.pair else [])]
        inside = all(low <= number <= high for number, (low, high) in zip(numbers, limits, strict=True))
        known = channel is None or channel in code.channels
        if not (inside and known and (not code.whole or all(number == int(number) for number in numbers))):
            self._refuse(OUT_OF_RANGE)
            return
        self.values[name if channel is None else f"{name}{channel}"] = tuple(numbers)
        self._changed()

    def _refuse(self, error: int) -> None:
        self.errors.append(error)
        self._last_error = error


def decimal(value: float, digits: int) -> str:
    """Write a number as the instruments do, with a sign, `digits` digits and a two-digit exponent."""
    return f"{value:+.{digits - 1}E}"
