"""A spectrum drawn in characters: −Z″ over Z′ to equal scale, and |Z| over frequency."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eis.quantities import PREFIXES
from eis.spectrum import ComplexArray, RealArray

ROWS = 12
"""Lines of characters a drawing has, without its axes."""
MARGIN = 8
"""Columns left of a drawing."""
INDUCTIVE = 0.4
"""How much of a Nyquist drawing an inductive beginning may take, relative to the rest; more is left outside."""
NEWEST, FLAGGED = "◆", "×"

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
Flags = NDArray[np.bool_]
Ticks = Callable[[float, float, int], Sequence[tuple[float, str]]]


def nyquist_lines(z: ComplexArray, excluded: Flags, width: int) -> list[str]:
    """Draw −Z″ over Z′ in characters, to equal scale where a character is twice as high as wide.

    Parameters
    ----------
    z : ndarray of complex, shape (n,)
        Impedance (ohm) in the order of measurement; the last one is marked.
    excluded : ndarray of bool, shape (n,)
        Points drawn as crosses, which do not stretch the axes.
    width : int
        Columns.
    """
    usable = np.isfinite(z) & ~excluded
    scale, unit = scaled(float(np.abs(z[usable]).max()) if usable.any() else 1.0, "Ω")
    x, y = z.real / scale, -z.imag / scale
    columns = width - MARGIN
    across, up = 2 * columns - 1, 4 * ROWS - 1
    low_x, high_x = _ends(x[usable], zero=False)
    low_y, high_y = _ends(y[usable], zero=True)
    if -low_y > INDUCTIVE * max(high_y, high_x - low_x):  # leads, which would make the arcs small
        low_y = -INDUCTIVE * max(high_y, high_x - low_x)
        inside = usable & (y >= low_y)
        low_x, high_x = _ends(x[inside if inside.any() else usable], zero=False)
    step = max((high_x - low_x) / across, (high_y - low_y) / up)
    low_x -= (across * step - (high_x - low_x)) / 2
    if low_y < 0:  # share what is left over, else the zero line stays at the bottom
        low_y -= (up * step - (high_y - low_y)) / 2
    canvas = _Canvas(columns, low_x, step, low_y, step)
    if low_y < -step:
        canvas.dotted(0.0)
    canvas.points(x, y, excluded)
    hidden = sum(canvas.place(*one) is None for one in zip(x[usable].tolist(), y[usable].tolist(), strict=True))
    outside = f"  ({hidden} point{'s' if hidden > 1 else ''} outside)" if hidden else ""
    return canvas.framed(f"−Z″ / {unit}{outside}", f"Z′ / {unit}", _ticks, _ticks)


def modulus_lines(f: RealArray, z: ComplexArray, excluded: Flags, width: int) -> list[str]:
    """Draw |Z| over frequency in characters, both logarithmic; see `nyquist_lines`."""
    size = np.abs(z)
    with np.errstate(all="ignore"):
        x, y = np.log10(f), np.log10(size)
    usable = np.isfinite(y) & ~excluded
    scale, unit = scaled(float(size[usable].max()) if usable.any() else 1.0, "Ω")
    y = y - math.log10(scale)
    columns = width - MARGIN
    low_x, high_x = _ends(x[usable], zero=False, least=1.0)
    low_y, high_y = _ends(y[usable], zero=False, least=0.1)
    canvas = _Canvas(
        columns, low_x, (high_x - low_x) / (2 * columns - 1), low_y, (high_y - low_y) / (4 * ROWS - 1)
    )
    canvas.points(x, y, excluded)
    return canvas.framed(f"|Z| / {unit}", "f / Hz", _log_ticks, _decade_ticks)


class _Canvas:
    """Characters of 2 × 4 dots, an axis at the left and one at the bottom."""

    def __init__(self, columns: int, low_x: float, step_x: float, low_y: float, step_y: float) -> None:
        self.columns = columns
        self.low_x, self.step_x, self.low_y, self.step_y = low_x, step_x, low_y, step_y
        self.cells = [[0] * columns for _ in range(ROWS)]
        self.marks: dict[tuple[int, int], str] = {}

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the dot (from the left, from the bottom) of a value; None if it is outside."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        column, row = round((x - self.low_x) / self.step_x), round((y - self.low_y) / self.step_y)
        return (column, row) if 0 <= column < 2 * self.columns and 0 <= row < 4 * ROWS else None

    def dot(self, column: int, row: int) -> None:
        """Set one dot."""
        if 0 <= column < 2 * self.columns and 0 <= row < 4 * ROWS:
            line, within = divmod(4 * ROWS - 1 - row, 4)
            self.cells[line][column // 2] |= _DOTS[within][column % 2]

    def dotted(self, y: float) -> None:
        """Draw a dotted line at a height."""
        for column in range(0, 2 * self.columns, 4):
            self.dot(column, round((y - self.low_y) / self.step_y))

    def points(self, x: RealArray, y: RealArray, excluded: Flags) -> None:
        """Draw points as 2 × 2 dots, excluded ones as crosses, the newest as a diamond."""
        for i, (one_x, one_y) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            if (found := self.place(one_x, one_y)) is None:
                continue
            column, row = found
            cell = ((4 * ROWS - 1 - row) // 4, column // 2)
            if i == x.size - 1:
                self.marks[cell] = NEWEST
            elif excluded[i]:
                self.marks[cell] = FLAGGED
            else:
                for right in (0, 1):
                    for above in (0, 1):
                        self.dot(column + right, row + above)

    def framed(self, label_y: str, label_x: str, ticks_y: Ticks, ticks_x: Ticks) -> list[str]:
        """Return the drawing with axes, ticks and labels: three more lines than rows."""
        high_y = self.low_y + self.step_y * (4 * ROWS - 1)
        labels = [""] * ROWS
        for value, text in ticks_y(self.low_y, high_y, 4):
            row = (4 * ROWS - 1 - round((value - self.low_y) / self.step_y)) // 4
            if 0 <= row < ROWS:
                labels[row] = text
        lines = [f"{label_y.partition('  ')[0]:>{MARGIN - 1}}{''.join(label_y.partition('  ')[1:])}"]
        for row, cells in enumerate(self.cells):
            drawn = "".join(
                self.marks.get((row, column)) or (chr(0x2800 + cell) if cell else " ")
                for column, cell in enumerate(cells)
            )
            lines.append(f"{labels[row]:>{MARGIN - 2}} {'┤' if labels[row] else '│'}{drawn}")
        axis, below = ["─"] * self.columns, [" "] * (self.columns + MARGIN)
        high_x = self.low_x + self.step_x * (2 * self.columns - 1)
        free = 0
        room = self.columns + MARGIN - len(label_x) - 1
        for value, text in ticks_x(self.low_x, high_x, max(2, self.columns // 8)):
            column = round((value - self.low_x) / self.step_x) // 2
            start = max(0, min(MARGIN + column - len(text) // 2, len(below) - len(text)))
            if not (0 <= column < self.columns and start >= free and start + len(text) <= room):
                continue
            axis[column] = "┬"
            below[start : start + len(text)] = text
            free = start + len(text) + 1
        below[-len(label_x) :] = label_x
        return [*lines, " " * (MARGIN - 1) + "└" + "".join(axis), "".join(below)]


def _ends(values: RealArray, *, zero: bool, least: float = 0.0) -> tuple[float, float]:
    """Return the ends of an axis with a little room, `least` apart or a tenth of the size of what is there."""
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    width = max(high - low, least or 0.1 * max(abs(low), abs(high)), 1e-30)
    spare = width - (high - low)
    room = 0.04 * width
    low = low if zero and low == 0 else low - room - spare / 2
    return low, high + room + spare / 2


def _ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return round values between two ends, evenly spaced, and their text."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.{places}f}".replace("-", "−")) for n in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return round values between two logarithms: decades, or 1, 2, 5, or evenly spaced where all is close."""
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    if len(decades) >= 3:
        every = math.ceil(len(decades) / max(most, 1))
        return [(float(n), f"{10.0**n:.15g}" if -4 < n < 6 else f"1e{n}") for n in decades if n % every == 0]
    steps = [n + math.log10(m) for n in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    inside = [(n, f"{10**n:.3g}") for n in steps if low <= n <= high]
    if len(inside) >= 2:
        return inside
    return [(math.log10(value), text) for value, text in _ticks(10**low, 10**high, most) if value > 0]


def _decade_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return whole decades between two logarithms, with a prefix; other round values where there are none."""
    decades = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    every = math.ceil(len(decades) / max(most, 1)) or 1
    if not decades:
        return _log_ticks(low, high, most)
    return [
        (float(n), f"{10.0 ** (n % 3):g}{PREFIXES.get(n - n % 3, '')}" if not -3 < n < 0 else f"{10.0**n:g}")
        for n in decades
        if n % every == 0
    ]


def scaled(largest: float, unit: str) -> tuple[float, str]:
    """Return what to divide by, and the unit with its prefix."""
    if not (math.isfinite(largest) and largest > 0):
        return 1.0, unit
    exponent = min(max(3 * math.floor(math.log10(largest) / 3), min(PREFIXES)), max(PREFIXES))
    return 10.0**exponent, PREFIXES[exponent] + unit
