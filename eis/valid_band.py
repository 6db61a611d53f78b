"""In what band a spectrum holds: an end that drifts, or that leads disturb, is cut off as little as helps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eis.judging import edge_points
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray
from eis.suspicions import Explained, explain
from eis.validity import Fault

MOST_CUT_DECADES = 1.5
CUT_STEP = 2
FEWEST_LEFT = 16
"""Points that must be left for what is left to be tested."""


def guessed_clocks(f: RealArray) -> RealArray:
    """Return when each point was measured, 0 to 1, had the sweep run down, and had it run up; shape (2, n)."""
    periods = np.cumsum(1 / f)
    down = periods / periods[-1]
    return np.array([down, 1 - down])


def valid_band(
    f: RealArray, z: ComplexArray, faults: Sequence[Fault], seen: Explained
) -> tuple[float, float, tuple[str, ...]]:
    """Return the band (Hz) left when an end that drifts, or that leads disturb, is cut off as little as helps."""
    edge = edge_points(seen)
    low, high = float(f[-1]), float(f[edge])
    causes = {fault.cause for fault in faults} & ({one.pattern for one in seen.suspicions} | {"inconsistent"})
    cut: list[str] = []
    if edge:
        size = max(one.size for one in seen.suspicions if one.points[0] < edge)
        shown = format_si(high, "Hz", digits=3)
        what = "one point stands" if edge == 1 else f"{edge} points stand"
        cut.append(f"Above {shown} {what} out by up to {size:.2%} of |Z|, as leads and fixture make them.")
    for cause, ends in (("high-frequency artefact", (0,)), ("drift", (-1,)), ("inconsistent", (0, -1))):
        if cause not in causes:
            continue
        for end in ends:
            kept = _without_end(f, z, end)
            if kept is None:
                continue
            last = float(kept[0] if end == 0 else kept[-1])
            shown = format_si(last, "Hz", digits=3)
            if end == 0:
                high = last
                cut.append(f"Above {shown} the data break Kramers–Kronig; below it they do not.")
            else:
                low = last
                cut.append(f"Below {shown} the data break Kramers–Kronig; above it they do not.")
            break
    return low, high, tuple(cut)


def _without_end(f: RealArray, z: ComplexArray, end: int) -> RealArray | None:
    """Return the frequencies left when so few points are cut off one end that nothing smooth is suspected."""
    steps = int(MOST_CUT_DECADES * (f.size - 1) / math.log10(float(f[0] / f[-1])))
    for lost in range(CUT_STEP, steps + 1, CUT_STEP):
        part = slice(lost, None) if end == 0 else slice(None, -lost)
        if f[part].size < FEWEST_LEFT:
            return None
        found: Explained = explain(f[part], z[part], guessed_clocks(f[part]))
        if all(one.pattern == "outlier" for one in found.suspicions):
            return f[part]
    return None
