"""Numbers with units as people write them, ``113.1 mm2`` or ``3 mΩ·cm²``, turned into the unit that is wanted."""

from __future__ import annotations

import math
import re

from eis.errors import ConfigError

PREFIXES = {
    **{"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2},
    **{"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
}
BASES = ("ohm", "m", "Pa", "A", "Ah", "V", "F", "H", "Hz", "S", "s")
"""Units that take a prefix; no two of them are converted into one another."""
OTHERS = {
    "bar": ("Pa", 1e5),
    "mbar": ("Pa", 1e2),
    "atm": ("Pa", 101325.0),
    "psi": ("Pa", 6894.757293168),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "d": ("s", 86400.0),
}
CELSIUS, KELVIN = ("degC", "°C", "C"), ("K",)
ZERO_C_IN_K = 273.15
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.DOTALL)

Dimension = tuple[tuple[str, int], ...]


def read_quantity(text: str, unit: str, *, where: str, is_difference: bool = False) -> float:
    """Read ``"113.1 mm2"`` as a number in `unit`.

    Parameters
    ----------
    text : str
        A number and its unit: ``mm2``, ``mm²``, ``mΩ·cm²``, ``mohm cm2``, ``mohm/cm2``, ``°C``, ``K``, ``bar``, ….
    unit : str
        The unit wanted, written the same way.
    where : str
        The option or key path, for the words of an error.
    is_difference : bool
        Whether a temperature is a difference, such as an uncertainty: 1 K is then 1 °C.

    Raises
    ------
    ConfigError
        If it is not a finite number with a unit, or the unit is of another quantity.
    """
    value, given = split(text, where=where)
    if unit in CELSIUS:
        if given in CELSIUS:
            return value
        if given in KELVIN:
            return value if is_difference else value - ZERO_C_IN_K
        raise _misfit(text, given, "°C", where)
    factor, dimension = measure(given, where=where, text=text)
    wanted, as_wanted = measure(unit, where=where, text=unit)
    if dimension != as_wanted:
        raise _misfit(text, given, unit, where)
    return float(f"{value * factor / wanted:.15g}")  # 113.1 mm2 is 1.131 cm2


def split(text: str, *, where: str) -> tuple[float, str]:
    """Return the finite number that `text` begins with, and the unit that follows it.

    Raises
    ------
    ConfigError
        If there is no such number, or no unit.
    """
    match = _NUMBER.fullmatch(text)
    value = float(match[1]) if match else math.nan
    if match is None or not math.isfinite(value):
        raise ConfigError(
            f"{text!r} is not a number with a unit", where=where, mend="Write e.g. 1.131 cm2 (decimal point)."
        )
    if not match[2]:
        raise ConfigError(
            f"{text!r} has no unit", where=where, mend="Write the unit after the number, e.g. 1.131 cm2."
        )
    return value, match[2]


def measure(unit: str, *, where: str, text: str) -> tuple[float, Dimension]:
    """Return what one `unit` is in unprefixed units, and its dimension, e.g. (1e-7, (("m", 2), ("ohm", 1))).

    Raises
    ------
    ConfigError
        If a part of the unit is unknown.
    """
    plain = unit.replace("Ω", "ohm").replace("Ohm", "ohm").replace("²", "2").replace("µ", "u").replace("μ", "u")
    factor, powers = 1.0, dict[str, int]()
    for i, side in enumerate(plain.split("/")):
        sign = 1 if i == 0 else -1
        for part in re.split(r"[\s·*]+", side.strip()):
            match = re.fullmatch(r"(°?[A-Za-z]+?)\^?(-?[1-9])?", part)
            known = _known(match[1]) if match else None
            if match is None or known is None:
                raise ConfigError(
                    f"{part or unit!r} in {text!r} is not a unit known here",
                    where=where,
                    mend="Write e.g. cm2, mm2, mm, µm, degC, K, MPa, bar, mohm cm2, ohm, s, min or h.",
                )
            base, size = known
            power = sign * int(match[2] or 1)
            factor *= size**power
            powers[base] = powers.get(base, 0) + power
    return factor, tuple(sorted((base, power) for base, power in powers.items() if power))


def _known(symbol: str) -> tuple[str, float] | None:
    """Return the base of a symbol and its size in it; whole symbols go before prefixes (``min``, ``h``)."""
    if symbol in OTHERS:
        return OTHERS[symbol]
    for base in BASES:
        if symbol.endswith(base) and (prefix := symbol.removesuffix(base)) in PREFIXES:
            return base, PREFIXES[prefix]
    return None


def _misfit(text: str, given: str, wanted: str, where: str) -> ConfigError:
    return ConfigError(
        f"{text!r} does not fit: {given!r} cannot be turned into {wanted}",
        where=where,
        mend=f"Give a value in {wanted}, or in a unit of the same quantity.",
    )
