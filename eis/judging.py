"""From what was found to faults: how bad each is, in one sentence, and what it makes of the spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from eis.quantities import format_si
from eis.repeats import Change
from eis.spectrum import ComplexArray, IntArray, RealArray, Spectrum
from eis.steadiness import DRIFT_LIMIT
from eis.suspicions import FEWEST_OUTSIDE, Explained, Suspicion
from eis.validity import Cause, Fault

SUSPECT, INVALID = 0.005, 0.01
"""Change, as a fraction of |Z|, from which data are suspect or invalid."""
NOISY, TOO_NOISY = 0.015, 0.025
"""Noise of each part, as a fraction of |Z|, that hides faults of a few percent, and that hides everything."""
SIGNIFICANT_RUNS = 4.0
"""Standard deviations by which the runs of equal sign may fall short before the residuals have a trend."""
TREND_MATTERS = 0.001
"""Rms residual below which a trend does not matter."""
MAINS_HZ = (50.0, 60.0)
HARMONICS = 20
NEAR_MAINS = 0.03
"""Relative distance within which a point that stands out is laid to mains; of the first few harmonics only."""
LAID_TO_MAINS = 6
MOST_AT_EDGE, LARGEST_AT_EDGE = 3, 0.05
"""How many points at the high-frequency end, and how far off, are left to the valid band."""
LEAST_OFF_MAINS_HZ = 0.5
THD_PER_ERROR = 1 / 3
"""Third harmonic over the error of a symmetrical Butler–Volmer resistance: (x²/24)/(x²/8)."""


def drift_fault(change: Change, source: str) -> Fault | None:
    """Return the drift that a second measurement shows, if it is more than 0.5 % in the time of a sweep."""
    if change.size <= DRIFT_LIMIT:
        return None
    whole = f", {change.size:.2%} in the time of a sweep" if change.size > 1.05 * change.moved else ""
    because = (
        f"The cell drifted: {source}, Z had moved by {change.moved:.2%} of |Z| "
        f"({_where(change.frequency_hz)}){whole}; {DRIFT_LIMIT:.1%} is allowed."
    )
    return Fault("drift", _grade(change.size), because, change.frequency_hz, change.size)


def amplitude_fault(change: Change, share: float | None) -> Fault | None:
    """Return the non-linearity that a second amplitude shows, if it is more than 0.5 %.

    Parameters
    ----------
    change : Change
        Between the two amplitudes.
    share : float, optional
        The error of the spectrum over that change, where the amplitudes are known.
    """
    size = change.size * (1 if share is None else share)
    if size <= SUSPECT:
        return None
    told = "" if share is None else f", which makes an error of {size:.2%} in this spectrum"
    because = (
        f"The cell is not linear: at the other amplitude Z differs by {change.size:.2%} of |Z| "
        f"({_where(change.frequency_hz)}){told}; measure with a smaller excitation."
    )
    return Fault("nonlinear", _grade(size), because, change.frequency_hz, size)


def harmonics_fault(spectrum: Spectrum) -> Fault | None:
    """Return the non-linearity that a recorded total harmonic distortion shows (columns ``thd…_percent``)."""
    worst: Fault | None = None
    for name, column in spectrum.columns.items():
        if not name.startswith("thd"):
            continue
        values = np.abs(column[spectrum.used]) * (0.01 if name.endswith("percent") else 1.0)
        if values.size < 5 or not np.isfinite(values).all():
            continue
        near = np.median(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
        size = float(near.max()) / THD_PER_ERROR
        if size > SUSPECT and (worst is None or size > worst.size):
            at = float(spectrum.frequency_hz[int(near.argmax()) + 2])
            because = (
                f"The cell is not linear: {float(near.max()):.2%} harmonic distortion near "
                f"{format_si(at, 'Hz', digits=3)}, which goes with an error of about {size:.1%} of an interface's "
                "resistance; measure with a smaller excitation."
            )
            worst = Fault("nonlinear", _grade(size), because, (at,), size)
    return worst


def edge_points(found: Explained) -> int:
    """Return how many points at the high-frequency end stand out as leads make them: few, and by little."""
    lone = {one.points[0]: one.size for one in found.suspicions if one.pattern == "outlier"}
    count = 0
    while lone.get(count, math.inf) < LARGEST_AT_EDGE:
        count += 1
    return count if count <= MOST_AT_EDGE else 0


def faults_of(found: Explained, f: RealArray, residual: ComplexArray, *, has_time: bool) -> list[Fault]:
    """Turn patterns in the residuals into faults; those at the high-frequency edge only narrow the valid band."""
    out: list[Fault] = []
    edge = edge_points(found)
    lone = [one for one in found.suspicions if one.pattern == "outlier" and one.points[0] >= edge]
    for one in found.suspicions:  # the first of a kind is the surest
        if one.pattern != "outlier" and one.pattern not in {fault.cause for fault in out}:
            out.append(_pattern_fault(one, f, residual, has_time=has_time))
    if lone:
        out += _lone_faults(lone, f)
    return out


def _pattern_fault(one: Suspicion, f: RealArray, residual: ComplexArray, *, has_time: bool) -> Fault:
    parts = np.abs([residual.real, residual.imag])
    where = float(f[one.points[0]]), float(f[one.points[-1]])
    if one.pattern == "drift":
        clock = "as the time of the points says" if has_time else "if the sweep ran from one end to the other"
        because = f"The cell drifted: the residuals are those of a change by {one.size:.2%} of |Z| {clock}."
        cause: Cause = "drift"
    elif one.pattern == "shift":
        because, where = _set_off(one, f)
        cause = "shift"
    else:
        because = (
            f"At high frequency the residuals grow to {one.size:.2%} of |Z| in a way no cell does: leads, "
            "fixture, or the instrument's phase."
        )
        cause = "high-frequency artefact"
    # a sharp edge is sure; a smooth pattern told from one sweep must matter in the residuals as they stand
    matters = parts.max() >= SUSPECT if cause == "shift" else math.sqrt(float((parts**2).mean())) >= SUSPECT
    return Fault(cause, _grade(one.size) if matters else "suspect", because, where, one.size)


def _set_off(one: Suspicion, f: RealArray) -> tuple[str, tuple[float, float]]:
    """Return in words which points are set off from which, and between which frequencies (Hz) that is seen.

    A small part of a sweep with others on both sides is what is off. Of two parts that part at one frequency, and
    of a middle that is most of the sweep, no spectrum tells which is right.
    """
    first, last, n = one.points[0], one.points[-1], f.size
    by = f"by {one.size:.2%} of |Z|"
    which = (
        "one of the two parts was measured in another range or with another contact; the data cannot tell which."
    )
    upper, lower = first < FEWEST_OUTSIDE, last >= n - FEWEST_OUTSIDE
    if upper or lower:
        edge = last + 1 if upper else first
        parts = f"The points {_span(f, 0, edge - 1)} and those {_span(f, edge, n - 1)}"
        return f"{parts} are set off from each other {by}: {which}", (float(f[edge - 1]), float(f[edge]))
    where = float(f[first]), float(f[last])
    if 2 * (last - first + 1) > n:
        parts = f"The points {_span(f, first, last)} and those above and below them"
        return f"{parts} are set off from each other {by}: {which}", where
    return (
        f"The points {_span(f, first, last)} are set off from the others {by}: another range, or contact.",
        where,
    )


def _span(f: RealArray, first: int, last: int) -> str:
    return f"from {format_si(float(f[first]), 'Hz', digits=3)} to {format_si(float(f[last]), 'Hz', digits=3)}"


def _lone_faults(lone: Sequence[Suspicion], f: RealArray) -> list[Fault]:
    places = np.array(sorted(one.points[0] for one in lone))
    size = {one.points[0]: one.size for one in lone}
    frequencies = f[places]
    line = _line_of(frequencies)
    groups: list[tuple[Cause, IntArray, str]] = []
    if line is not None:
        on = _on_line(frequencies, line)
        what = f"mains of {line:g} Hz and its harmonics"
        groups.append(("mains", places[on], what))
        groups.append(("outlier", places[~on], ""))
    else:
        groups.append(("outlier", places, ""))
    out = []
    for cause, members, what in groups:
        if not members.size:
            continue
        largest = max(size[i] for i in members.tolist())
        many = len(lone) > max(3, f.size // 20) or _as_rms(lone, f.size) > SUSPECT
        names = ", ".join(format_si(one, "Hz", digits=3) for one in f[members].tolist())
        plural = "s" if members.size > 1 else ""
        because = (
            f"The point{plural} at {names} stand{'' if plural else 's'} out by up to {largest:.2%} of |Z|"
            + (
                f", near {what}."
                if what
                else "; without them the residuals are far smaller."
                if plural
                else "; without it the residuals are far smaller."
            )
        )
        grade: Literal["suspect", "invalid"] = "invalid" if many else "suspect"
        out.append(Fault(cause, grade, because, tuple(f[members].tolist()), largest))
    return out


def _as_rms(lone: Sequence[Suspicion], n: int) -> float:
    return math.sqrt(sum(one.size**2 for one in lone) / (2 * n))


def _on_line(f: RealArray, line: float) -> np.ndarray:
    multiple = np.clip(np.round(f / line), 1, LAID_TO_MAINS)
    return np.asarray(np.abs(f - multiple * line) <= np.maximum(LEAST_OFF_MAINS_HZ, NEAR_MAINS * f))


def _line_of(f: RealArray) -> float | None:
    """Return the mains line on whose harmonics at least half of the points lie."""
    hits = [int(_on_line(f, line).sum()) for line in MAINS_HZ]
    best = int(np.argmax(hits))
    return MAINS_HZ[best] if hits[best] and 2 * hits[best] >= f.size else None


def mains_points(f: RealArray) -> tuple[float, ...]:
    """Return the frequencies (Hz) that lie within 0.5 Hz of 50 or 60 Hz or a harmonic up to the 20th."""
    return _mains_points(f.tobytes())


@lru_cache(maxsize=32)
def _mains_points(grid: bytes) -> tuple[float, ...]:
    f = np.frombuffer(grid)
    lines = np.array([line * k for line in MAINS_HZ for k in range(1, HARMONICS + 1)])
    return tuple(f[(np.abs(f[:, None] - lines) < LEAST_OFF_MAINS_HZ).any(axis=1)].tolist())


def leftover_faults(residual: ComplexArray, noise: float, rms: float, *, named: bool) -> list[Fault]:
    """Return what the residuals still show when all patterns are out: a trend nobody named, or too much noise."""
    out: list[Fault] = []
    shortfall = float(runs_shortfall(np.array([residual.real, residual.imag])).max())
    if not named and shortfall > SIGNIFICANT_RUNS and rms > TREND_MATTERS:
        because = f"The residuals run in trends ({shortfall:.1f} standard deviations too few sign changes)."
        out.append(Fault("inconsistent", _grade(rms), because, (), rms))
    if noise > NOISY:
        grade: Literal["suspect", "invalid"] = "invalid" if noise > TOO_NOISY else "suspect"
        because = f"The noise is {noise:.1%} of |Z| in each part: it would hide faults of that size."
        out.append(Fault("noise", grade, because, (), noise))
    return out


def runs_shortfall(residual: RealArray) -> RealArray:
    """Return by how many standard deviations the residuals change sign too seldom (Wald–Wolfowitz).

    Parameters
    ----------
    residual : ndarray, shape (spectra, n)
        One part of the residuals.

    Returns
    -------
    ndarray, shape (spectra,)
        0 where all but one have the same sign: that says nothing.
    """
    positive = residual > 0
    n = residual.shape[1]
    a = positive.sum(axis=1)
    b = n - a
    runs = 1 + (positive[:, 1:] != positive[:, :-1]).sum(axis=1)
    mean = 2 * a * b / n + 1
    variance = np.where((a < 2) | (b < 2), np.inf, (mean - 1) * (mean - 2) / (n - 1))
    return np.asarray((mean - runs) / np.sqrt(variance))


def _grade(size: float) -> Literal["suspect", "invalid"]:
    """Return "invalid" from 1 % of |Z|, else "suspect"."""
    return "invalid" if size >= INVALID else "suspect"


def _where(frequencies: tuple[float, ...]) -> str:
    if not frequencies:
        return "everywhere"
    if len(frequencies) == 1:
        return f"at {format_si(frequencies[0], 'Hz', digits=3)}"
    high, low = format_si(max(frequencies), "Hz", digits=3), format_si(min(frequencies), "Hz", digits=3)
    return f"at {len(frequencies)} frequencies from {high} to {low}"
