"""What people write on the command line, turned into values; what is unclear is refused with its option named."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TypeVar

from eis.errors import ConfigError

T = TypeVar("T", bound=str)

PREFIXES = {"": 1.0, "µ": 1e-6, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6}


def quantity(text: str, unit: str, *, option: str) -> float:
    """Read ``10mV``, ``0.01V`` or ``0.01`` as a number in `unit`."""
    match = re.fullmatch(rf"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([µumkM]?)({unit})?\s*", text)
    if match is None or (match[2] and not match[3]):
        raise ConfigError(
            f"Cannot read {text!r} as a value in {unit}", where=option, mend=f"Write e.g. 10m{unit}."
        )
    return number(match[1], option=option) * PREFIXES[match[2]]


def number(text: str, *, option: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{text!r} is not a finite number", where=option, mend="Write it with a decimal point.")
    return value


def numbers(text: str | None, *, option: str) -> list[float] | None:
    """Read ``v1,v2,…``; None stays None."""
    return None if text is None else [number(part.strip(), option=option) for part in text.split(",")]


def assignments(texts: Sequence[str], *, option: str) -> dict[str, float]:
    """Read ``NAME=VALUE`` items."""
    return {name: number(value, option=option) for name, value in _pairs(texts, option, "NAME=VALUE")}


def limits(texts: Sequence[str], *, option: str) -> dict[str, tuple[float, float]]:
    """Read ``NAME=LOW:HIGH`` items; an empty side is no limit."""
    out = {}
    for name, value in _pairs(texts, option, "NAME=LOW:HIGH"):
        low, colon, high = value.partition(":")
        if not colon:
            raise ConfigError(f"{name}={value} has no colon", where=option, mend="Write NAME=LOW:HIGH.")
        out[name] = (
            number(low, option=option) if low.strip() else 0.0,
            number(high, option=option) if high.strip() else math.inf,
        )
        if not out[name][0] < out[name][1]:
            raise ConfigError(
                f"The limits of {name} are {out[name][0]:g} and {out[name][1]:g}",
                where=option,
                mend="Give a lower and a higher one.",
            )
    return out


def one_of(text: str | None, choices: Sequence[T], *, option: str) -> T | None:
    """Return `text` if it is one of `choices`; None stays None."""
    if text is None:
        return None
    for choice in choices:
        if text == choice:
            return choice
    raise ConfigError(f"{text!r} is not a choice", where=option, mend=f"Choose {', '.join(choices)}.")


def _pairs(texts: Sequence[str], option: str, shape: str) -> list[tuple[str, str]]:
    out = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} has no '='", where=option, mend=f"Write {shape}.")
        out.append((name.strip(), value.strip()))
    return out
