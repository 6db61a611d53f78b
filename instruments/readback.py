"""What instruments say when they are asked what they took: numbers, switches and words, in long or short form."""

from __future__ import annotations

import math
import re

SWITCH = {"ON": 1.0, "1": 1.0, "OFF": 0.0, "0": 0.0}
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(E[+-]?\d+)?", re.IGNORECASE)
ROUNDING = 0.01
HALF_A_STEP = 5e-5
"""A level (V) that was rounded by no more is the one asked for; the finest step is 100 µV."""


def number(text: str) -> float:
    """Return the finite decimal number that `text` is; NaN if it is anything else, such as ``1_0`` or ``inf``."""
    value = float(text) if NUMBER.fullmatch(text.strip()) else math.nan
    return value if math.isfinite(value) else math.nan


def value_of(text: str) -> float:
    """Return the number, or the switch, that `text` stands for; NaN if it is neither."""
    word = text.strip().upper()
    return SWITCH[word] if word in SWITCH else number(word)


def agree(taken: str, asked: str, *, rel_tol: float = ROUNDING, abs_tol: float = HALF_A_STEP) -> bool:
    """Return whether what was read back is what was written, long and short words and rounding aside."""
    told, wanted = (text.upper().replace(" ", "").split(",") for text in (taken, asked))
    return len(told) == len(wanted) and all(
        _alike(one, other, rel_tol, abs_tol) for one, other in zip(told, wanted, strict=True)
    )


def _alike(one: str, other: str, rel_tol: float, abs_tol: float) -> bool:
    values = value_of(one), value_of(other)
    if not any(map(math.isnan, values)):
        return math.isclose(*values, rel_tol=rel_tol, abs_tol=abs_tol)
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) > 1 and longer.startswith(shorter))
