"""A limit as its source prints it, read into numbers: ``3 mΩ/cm² or less``, ``≥ 1 mS/cm``, ``20–50 %``.

The text itself is never changed; what is read from it stands beside it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass

from eis.errors import ConfigError
from eis.units import Dimension, measure, read_quantity, split

SHARES: tuple[str, ...] = ("%", "wt%", "vol%", "mol%")
"""Units of a share, each a quantity of its own: percent of weight are not percent of volume, nor a fraction."""
TEMPERATURES = ("°C", "degC", "K")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_UNIT = r"[^\d\s].*?"
_ONE = re.compile(rf"(?P<first>{_NUMBER})\s*(?P<unit>{_UNIT})?")
_RANGE = re.compile(
    rf"(?P<first>{_NUMBER})\s*(?P<unit_1>{_UNIT})?(?:\s*[–—]\s*|\s+-\s+|(?<=\d)-(?=\d)|\s+(?:to|and)\s+)"
    rf"(?P<second>{_NUMBER})\s*(?P<unit_2>{_UNIT})?"
)
_UPPER: tuple[str, ...] = (
    "≤",
    "<=",
    "<",
    "at most",
    "not more than",
    "no more than",
    "up to",
    "below",
    "max.",
    "maximum",
)
_UPPER_AFTER: tuple[str, ...] = (
    "or less",
    "or lower",
    "or below",
    "or smaller",
    "at most",
    "maximum",
    "max.",
    "max",
)
_LOWER: tuple[str, ...] = ("≥", ">=", ">", "at least", "not less than", "no less than", "above", "min.", "minimum")
_LOWER_AFTER: tuple[str, ...] = (
    "or more",
    "or higher",
    "or above",
    "or larger",
    "at least",
    "minimum",
    "min.",
    "min",
)


@dataclass(frozen=True, slots=True)
class Printed:
    """What a printed limit says, in the unit it is printed in.

    Parameters
    ----------
    lower, upper : float
        The limits; −∞ or ∞ where there is none.
    unit : str
        As printed; empty for a plain ratio.
    is_marked : bool
        Whether the text itself says upper, lower or a range; one bare number does not.
    """

    lower: float
    upper: float
    unit: str
    is_marked: bool


def read_limit(text: str, *, where: str) -> Printed:
    """Read a printed limit.

    Parameters
    ----------
    text : str
        One number with a unit and, before or after it, words or signs that say upper or lower (a bare number is
        taken as an upper limit); or two numbers as a range.
    where : str
        The key path, for the words of an error.

    Raises
    ------
    ConfigError
        If it cannot be read, its range is empty, or it is no finite number.
    """
    core, side = _side(_plain(text))
    both = _RANGE.fullmatch(core)
    match = both or _ONE.fullmatch(core)
    if match is None:
        raise ConfigError(
            f"Cannot read {text!r} as a limit",
            where=where,
            mend="Write e.g. '3 mΩ/cm² or less', 'at least 1 mS/cm' or '20–50 %' (decimal point).",
        )
    numbers = [float(match[name]) for name in ("first", "second") if name in match.groupdict()]
    if not all(math.isfinite(number) for number in numbers):
        raise ConfigError(f"{text!r} is no finite number", where=where, mend="Write the limit in figures.")
    if both is None:
        lower, upper = (numbers[0], math.inf) if side < 0 else (-math.inf, numbers[0])
        return Printed(lower, upper, (match["unit"] or "").strip(), side != 0)
    unit = (both["unit_2"] or both["unit_1"] or "").strip()
    if both["unit_1"] and both["unit_2"] and both["unit_1"].strip() != unit:
        raise ConfigError(f"{text!r} has two units", where=where, mend="Give both ends in one unit.")
    if side or not numbers[1] > numbers[0]:
        raise ConfigError(
            f"{text!r} is not a range from its lower to its higher end", where=where, mend="Write e.g. '20–50 %'."
        )
    return Printed(numbers[0], numbers[1], unit, True)


def dimension_of(unit: str, *, where: str, text: str) -> tuple[float, Dimension]:
    """Return one `unit` in SI and its dimension; a share and a temperature are dimensions of their own.

    Raises
    ------
    ConfigError
        If the unit is unknown.
    """
    plain = _plain(unit)
    if not plain or plain in SHARES:
        return 1.0, (((plain or "1"), 1),)
    if plain in TEMPERATURES:
        return 1.0, (("°C" if plain != "K" else "K", 1),)
    return measure(plain, where=where, text=text)


def read_value(text: str | float, unit: str, *, where: str, is_difference: bool = False) -> float:
    """Read a value to be held against a limit, in the limit's own unit.

    Parameters
    ----------
    text : str or float
        A number with a unit of the same quantity; a bare number only if `unit` is empty.
    unit : str
        The limit's unit, as printed.
    where : str
        The key path, for the words of an error.
    is_difference : bool
        Whether it is a difference of temperatures, such as an uncertainty.

    Raises
    ------
    ConfigError
        If the unit does not fit: a percentage for a fraction, percent of volume for percent of weight, ….
    """
    wanted = _plain(unit)
    if isinstance(text, (int, float)):
        if wanted or isinstance(text, bool) or not math.isfinite(text):
            raise ConfigError(
                f"{text!r} is no finite number with a unit", where=where, mend=f'Write e.g. "{1:g} {unit}".'
            )
        return float(text)
    if "±" in text or "+/-" in text:
        raise ConfigError(
            f"{text!r} does not say what its ± is",
            where=where,
            mend=f'Write {{ value = "… {unit}", u = "… {unit}" }} with the standard uncertainty (k = 1).',
        )
    if not wanted or wanted in SHARES:
        match = re.fullmatch(rf"\s*({_NUMBER})\s*(\S.*?)?\s*", _plain(text))
        value = float(match[1]) if match else math.nan
        if match is None or not math.isfinite(value):
            raise ConfigError(
                f"{text!r} is not a finite number with a unit", where=where, mend=f'Write e.g. "{1:g} {unit}".'
            )
        if (match[2] or "") != wanted:
            said = f"a value in {wanted}" if wanted else "a plain ratio without a unit (0.3, not 30 %)"
            raise ConfigError(f"{text!r} does not fit: {said} is wanted", where=where, mend=f"Give {said}.")
        return value
    plain = _plain(text)
    if wanted not in TEMPERATURES:
        _, given = split(plain, where=where)
        if given in SHARES:  # the parser of units does not know shares
            raise ConfigError(
                f"{text!r} does not fit: a value in {unit} is wanted", where=where, mend=f"Give it in {unit}."
            )
    return read_quantity(plain, wanted, where=where, is_difference=is_difference)


def _plain(text: str) -> str:
    """Return text with one sign for each meaning: exponents, ohm, micro, minus and spaces."""
    plain = unicodedata.normalize("NFKC", text).replace("μ", "µ").replace("−", "-").replace("℃", "°C")
    plain = re.sub(r"\b(wt|vol|mol)[.\- ]*%", r"\1%", plain)
    return " ".join(plain.split())


def _side(text: str) -> tuple[str, int]:
    """Take the words that say upper (1) or lower (−1) off a text; 0 if there are none."""
    low = text.casefold()
    for words, side in ((_UPPER, 1), (_LOWER, -1)):
        for word in words:
            if low.startswith(word):
                return text[len(word) :].strip(), side
    for words, side in ((_UPPER_AFTER, 1), (_LOWER_AFTER, -1)):
        for word in words:
            if low.endswith(word):
                return text[: -len(word)].rstrip(" ,"), side
    if low.startswith("between "):
        return text[len("between ") :].strip(), 0
    return text, 0
