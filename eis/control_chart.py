r"""Control chart of single values over time, to see whether the process that makes the cells has changed.

Individuals and moving ranges: with the mean moving range \bar{MR} of neighbours the standard deviation is
\bar{MR}/1.128 and the limits lie three of it from the mean (NIST/SEMATECH e-Handbook §6.3.2.2). Resistances are
charted as logarithms, because they scatter by factors. The rules for runs are Nelson's (J. Qual. Technol. 16
(1984) 237, doi:10.1080/00224065.1984.11978921).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.errors import ConfigError

D2 = 1.128
"""Mean range of two normal values over their standard deviation."""
FEWEST = 8
"""Values below which no limits are drawn: they would mean nothing."""
ROUNDING = 1e-12
"""Deviations from the mean below this, over the largest value, are of the arithmetic and not of the process."""
RULES = {
    "beyond": "beyond three standard deviations",
    "same side": "nine in a row on one side of the mean",
    "trend": "six in a row, each above or each below the one before",
    "two of three": "two of three beyond two standard deviations on one side",
    "four of five": "four of five beyond one standard deviation on one side",
}


@dataclass(frozen=True, eq=False, slots=True)
class ControlChart:
    """Values in order of time with the limits of their process.

    Parameters
    ----------
    values : ndarray, shape (n,)
        As given.
    centre, low, high : float
        Mean and control limits, in the unit of the values; NaN with fewer than eight values.
    signals : tuple of (int, str)
        Places of values that say the process has changed, and the name of the rule.
    is_logarithmic : bool
        Whether mean and limits were found for the logarithms.
    """

    values: NDArray[np.float64]
    centre: float
    low: float
    high: float
    signals: tuple[tuple[int, str], ...]
    is_logarithmic: bool

    @property
    def is_in_control(self) -> bool:
        """Whether no rule is broken; with too few values there is nothing to break."""
        return not self.signals

    def __str__(self) -> str:
        n = self.values.size
        if n < FEWEST:
            return f"{n} values: too few for control limits ({FEWEST} are needed)"
        head = f"{n} values, mean {self.centre:.4g}, limits {self.low:.4g} to {self.high:.4g}"
        places = {rule: [place + 1 for place, name in self.signals if name == rule] for rule in RULES}
        said = [f"{RULES[rule]}: {_runs(found)}" for rule, found in places.items() if found]
        return "; ".join([head, *said]) if said else f"{head}; in control"


@dataclass(frozen=True, eq=False, slots=True)
class ProcessChart:
    """The control chart of one quantity at one station in one fixture: only these share a mean and limits.

    Parameters
    ----------
    name : str
        What it is of, e.g. ``"R·A of R2 at bench-3"``; of two charts never the same.
    station, fixture, arc, circuit : str
        Where and how it was measured; the last three are empty where the runs do not tell.
    places : tuple of int
        Where its values stand among the runs that were given.
    chart : ControlChart
        Of area-specific resistance (Ω·cm²).
    limit : float, optional
        Of the spec (Ω·cm²), as in its newest run.
    """

    name: str
    station: str
    fixture: str
    arc: str
    circuit: str
    places: tuple[int, ...]
    chart: ControlChart
    limit: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents; `signals` count the runs of this chart from 1."""
        chart = self.chart
        finite = {
            name: value for name in ("centre", "low", "high") if math.isfinite(value := getattr(chart, name))
        }
        return {
            "name": self.name,
            "station": self.station,
            "fixture": self.fixture or None,
            "arc": self.arc or None,
            "circuit": self.circuit or None,
            "n": int(chart.values.size),
            **dict.fromkeys(("centre", "low", "high")),
            **finite,
            "limit": self.limit,
            "in_control": chart.is_in_control,
            "signals": [{"run": place + 1, "rule": rule} for place, rule in chart.signals],
            "said": str(chart),
        }


def process_charts(ends: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[ProcessChart, ...]:
    """Chart the area-specific resistances of runs, each process by itself, in order of their first runs.

    Data that failed their gate say nothing of the process and are left out.

    Parameters
    ----------
    ends : sequence of (str, mapping)
        Station and content of each record ``ended``, in order of time.
    """
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for place, (station, content) in enumerate(ends):
        value = content.get("asr_ohm_cm2")
        if isinstance(value, (int, float)) and value > 0 and content.get("verdict") != "INVALID_DATA":
            fixture, circuit = (str(content.get(name) or "") for name in ("fixture", "circuit"))
            found.setdefault((station, arc_of(content), fixture, circuit), []).append(place)
    names = [
        f"R·A of {arc or 'an arc'} at {station}" + (f", {held}" if held else "") for station, arc, held, _ in found
    ]
    count = Counter(names)
    out = []
    for name, ((station, arc, held, circuit), places) in zip(names, found.items(), strict=True):
        chart = control_chart([ends[place][1]["asr_ohm_cm2"] for place in places])
        limit = next((at for place in reversed(places) if (at := _limit(ends[place][1], arc)) is not None), None)
        told = name if count[name] == 1 else f"{name} ({circuit or 'circuit not stated'})"
        out.append(ProcessChart(told, station, held, arc, circuit, tuple(places), chart, limit))
    return tuple(out)


def arc_of(content: Mapping[str, Any]) -> str:
    """Return the name of the arc whose area-specific resistance a record holds; empty if it does not tell."""
    finding = content.get("finding")
    known = content.get("asr_of") or (finding.get("arc") if isinstance(finding, Mapping) else "")
    return str(known or "")


def _limit(content: Mapping[str, Any], arc: str) -> float | None:
    """Return the limit that an arc was held to, of R·A (ohm cm²)."""
    finding = content.get("finding")
    fits = isinstance(finding, Mapping) and finding.get("reading") == "asr" and finding.get("arc") == arc
    return finding["limit"] if isinstance(finding, Mapping) and fits else None


def control_chart(values: Sequence[float] | NDArray[np.float64], *, logarithmic: bool = True) -> ControlChart:
    """Chart values in order of time.

    Parameters
    ----------
    values : sequence of float, shape (n,)
        Finite; positive where `logarithmic`.
    logarithmic : bool
        Whether the logarithms are charted.

    Raises
    ------
    ConfigError
        If a value is not finite, or not positive where its logarithm is needed.
    """
    given = np.asarray(values, dtype=float).reshape(-1)
    wrong = ~np.isfinite(given) | (given <= 0 if logarithmic else False)
    if wrong.any():
        raise ConfigError(
            f"Value {int(np.argmax(wrong)) + 1} is {given[wrong][0]:g}",
            where="control chart",
            mend="Leave out what is no finite value" + (" above zero." if logarithmic else "."),
        )
    if given.size < FEWEST:
        return ControlChart(given, math.nan, math.nan, math.nan, (), logarithmic)
    x = np.log(given) if logarithmic else given
    centre, sigma = float(x.mean()), float(np.abs(np.diff(x)).mean()) / D2
    bounds = (centre, centre - 3 * sigma, centre + 3 * sigma)
    centre_shown, low, high = map(math.exp, bounds) if logarithmic else bounds
    deviation = x - centre
    deviation[np.abs(deviation) <= ROUNDING * np.abs(x).max()] = 0.0  # equal values break no rule
    return ControlChart(given, centre_shown, low, high, _signals(deviation, sigma), logarithmic)


def _signals(deviation: NDArray[np.float64], sigma: float) -> tuple[tuple[int, str], ...]:
    """Return where which rule is broken first complete; `deviation` from the mean, shape (n,)."""
    found: list[tuple[int, str]] = []
    side, step = np.sign(deviation), np.sign(np.diff(deviation))
    for i in range(deviation.size):
        if abs(deviation[i]) > 3 * sigma:
            found.append((i, "beyond"))
        if _agree(side, i, 9):
            found.append((i, "same side"))
        if i >= 5 and _agree(step, i - 1, 5):
            found.append((i, "trend"))
        for rule, n, of, width in (("two of three", 2, 3, 2), ("four of five", 4, 5, 1)):
            window = deviation[max(0, i - of + 1) : i + 1]
            beyond = np.abs(deviation[i]) > width * sigma
            if window.size == of and beyond and ((window * side[i]) > width * sigma).sum() >= n:
                found.append((i, rule))
    return tuple(found)


def _runs(places: Sequence[int]) -> str:
    """Return rising numbers in words: ``2, 45 to 48``."""
    known = set(places)
    starts = [one for one in places if one - 1 not in known]
    ends = [one for one in places if one + 1 not in known]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True))


def _agree(signs: NDArray[np.float64], last: int, n: int) -> bool:
    """Return whether the `n` signs up to `last` are one and the same, and not 0."""
    window = signs[last - n + 1 : last + 1] if last - n + 1 >= 0 else signs[:0]
    return window.size == n and window[0] != 0 and bool((window == window[0]).all())
