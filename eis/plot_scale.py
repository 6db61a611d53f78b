"""Axes that count in plain numbers: a prefix or a power of ten in the label, and values printed to match."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eis.quantities import PREFIXES, unit_text

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis: its label, how much of the quantity's unit is one of the axis, and that unit as text."""

    label: str
    size: float
    unit: str

    def show(self, value: float, width: float) -> str:
        """Print a value to three digits of `width`, and two of its own, without its unit."""
        value, width = value / self.size, abs(width) / self.size
        if not (math.isfinite(width) and width > 0):
            return f"{value:.4g}".replace("-", "−")
        if value == 0:
            return "0"
        least = 1 - math.floor(math.log10(abs(value)))
        return f"{value:.{max(0, 2 - math.floor(math.log10(width)), least)}f}".replace("-", "−")

    def named(self, text: str) -> str:
        """Add the power of ten, or the unit, to a text of numbers; the axis has both."""
        return f"({text})·{self.unit.split()[0]}" if self.unit.startswith("10") else f"{text} {self.unit}".rstrip()


def scale_of(name: str, unit: str, value: float) -> Scale:
    """Choose a prefix, or a power of ten, so that the axis counts in plain numbers."""
    text, size = unit_text(unit), abs(value)
    exponent = 3 * math.floor(math.log10(size) / 3 + 1e-9) if size > 0 else 0
    if text in ("Ω", "H", "F", "s"):
        exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
        text = PREFIXES[exponent] + text
    elif size > 0 and not 1e-2 <= size < 1e4:
        exponent = math.floor(math.log10(size) + 1e-9)
        text = f"10{str(exponent).translate(RAISED)} {text}".rstrip()
    else:
        exponent = 0
    return Scale(f"{name} / {text}" if text else name, 10.0**exponent, text)
