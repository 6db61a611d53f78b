r"""Peaks of a distribution of relaxation times: where they are, how large, whether they are real and separate.

A maximum is real if the data ask for it (without it, no γ between its valleys, χ² rises by Δ) and it is no ripple.
Of that, experience tells: the share of arcs among simulated maxima that stand z posterior uncertainties above the
higher of their valleys, e decades from the end of the sweep (at most one), and hold the share s of ∫γ. With k = 3
parameters of an arc and N data

.. math:: p = \frac{1}{1 + e^{(k \ln N - \Delta)/2}} \cdot \frac{1}{1 + e^{-q}}, \qquad
          q = a + b \ln z + c \ln \Delta + d \, e + f \ln s

The first factor is Schwarz's approximation to the posterior odds of the models with and without the peak; a to f
are from `benchmarks/drt_trust.py`, which also measures how often p is right.

G. Schwarz, Ann. Statist. 6 (1978) 461, doi:10.1214/aos/1176344136.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.special import expit

from eis.drt_record import TWO_SIDED, DrtPeak
from eis.quantities import format_si
from eis.spectrum import RealArray
from fitting.drt_areas import shares, tail
from fitting.drt_matrices import Matrices
from fitting.drt_solver import solve

PROMINENT = 0.4
"""Standard uncertainties by which a maximum must stand above the higher of its valleys to be one."""
REAL = 0.5
"""Probability below which a maximum is not called a peak."""
SEPARATE = 0.7
"""Decades of τ between neighbours below which their areas cannot be told apart (a ZARC of 0.8 is as wide)."""
PARAMETERS = 3
"""What an arc adds to a model: R, τ and an exponent."""
EXPERIENCE = {True: (-1.81, 2.08, 0.30, 4.01, 1.00), False: (-7.09, 1.78, 0.26, 8.19, 0.38)}
"""The numbers a to f of the probability, for an even penalty and for a self-tuned one."""
LEAST_RISE, MOST_RISE, MOST_ASKED, LEAST_SHARE = 0.3, 30.0, 1e4, 0.003
"""Where z, Δ and s say all they can."""
BAND, WINDOW, AREA = {True: 1.0, False: 0.7}, {True: 0.7, False: 1.0}, {True: 0.6, False: 1.0}
"""Part of the posterior's uncertainty that bands, windows of τ and peaks have: an even penalty, a self-tuned one.

The prior is a random walk, rougher than any relaxation, so that the posterior says too much of the sum over a
peak, or of γ where the penalty follows it. These make 95 % intervals hold the truth 90 to 99 times in a hundred
simulated spectra (`benchmarks/drt_trust.py`).
"""
FASTER = {True: 1.0, False: 2.5}
"""E-folds of τ that γ may go on beyond the upper end of the sweep, in R∞ then: an even penalty, a self-tuned one.

Without them simulated R∞ of arcs that end there lay up to fifty u off; noise heaps γ up there if λ is one.
"""
FAR_INSIDE = 0.8 * math.log(10)
"""How far (in ln τ) from the ends of the sweep an arc foretells its tail beyond them better than γ does.

Nothing was measured there: noise heaps γ up beyond the ends, which took the worst areas from 3 to 10 % error.
"""
CONTESTED, BEYOND = 1.75, 0.8
"""Uncertainty of an area: per ohm that neighbours contest, times the root of its share; per ohm of unseen tail."""
OUTSIDE = 0.02
"""Share of the polarisation beyond the sweep from which it is told, and at its edge from which it counts."""
EDGE = 3.0
"""Factor from the ends of the sweep within which the tail of a peak, cut off, makes a small maximum."""
RINGS, RINGS_DECADES = 0.1, 1.25
"""Share of a neighbour's height, and decades from it, within which an even penalty makes a sharp peak ring."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """What the data and the prior say of the coefficients, in ohms.

    Parameters
    ----------
    grid : Matrices
        The basis.
    coefficients, covariance : ndarray, shape (m,) and (m, m)
        Estimate (ohm) and posterior covariance (ohm²).
    normal, right : ndarray, shape (p, p) and (p,)
        Normal equations with the penalty, extras after the coefficients, in units of `scale`.
    plain : ndarray, shape (p, p)
        Normal matrix without the penalty.
    inverse : ndarray, shape (p, p)
        Inverse of `normal`.
    x, free : ndarray, shape (p,)
        Solution of the normal equations, and which variables are not held at zero.
    total : float
        Sum of squares of the weighted data.
    variance : float
        Variance of the weighted data.
    scale : float
        Ohms in one unit of the normal equations' solution.
    n_data : int
        Number of weighted data.
    even : bool
        Whether the penalty is the same at every τ.
    """

    grid: Matrices
    coefficients: RealArray
    covariance: RealArray
    normal: RealArray
    right: RealArray
    plain: RealArray
    inverse: RealArray
    x: RealArray
    free: np.ndarray
    total: float
    variance: float
    scale: float
    n_data: int
    even: bool

    def u_by_noise(self, row: RealArray) -> float:
        """Return what noise alone does to a linear function of the estimate, without what smoothing may hide."""
        moved = self.inverse[:, : row.size] @ row
        return self.scale * math.sqrt(self.variance * max(float(moved @ self.plain @ moved), 0.0))

    def u(self, row: RealArray) -> float:
        """Return the standard uncertainty of a linear function of the coefficients."""
        return math.sqrt(max(float(row @ self.covariance @ row), 0.0))


def find_peaks(known: Posterior) -> tuple[tuple[DrtPeak, ...], tuple[str, ...]]:
    """Return the peaks that are likely real, in order of rising τ, and notes on what was not counted."""
    grid = known.grid
    gamma = np.asarray(grid.values @ known.coefficients)
    kept = _prominent(known, gamma, _maxima(gamma))
    notes: list[str] = []
    total = float(grid.area @ known.coefficients)
    low, high = 1 / grid.omega.max(), 1 / grid.omega.min()
    first, last = (int(np.searchsorted(grid.fine_tau_s, end)) for end in (low, high))
    beyond = []
    for name, end, row in (
        ("shorter", low, _window(grid, 0, first)),
        ("longer", high, _window(grid, last, grid.fine_tau_s.size)),
    ):
        there = float(row @ known.coefficients)
        beyond.append(total > 0 and there > max(OUTSIDE * total, 2 * known.u(row)))
        if beyond[-1]:
            notes.append(
                f"{format_si(there, 'Ω', digits=3)} ({there / total:.0%} of ∫γ) lie at times {name} than "
                f"{format_si(end, 's', digits=2)}, beyond the sweep: a guess, and no peak is counted."
            )
    kept = [i for i in kept if low <= grid.fine_tau_s[i] <= high]
    for i in list(kept):
        if low * EDGE <= grid.fine_tau_s[i] <= high / EDGE:
            continue
        valleys = _valleys(gamma, kept)[kept.index(i) :][:2]
        if float(_window(grid, *valleys) @ known.coefficients) < OUTSIDE * total:
            kept.remove(i)
            where = format_si(float(grid.fine_tau_s[i]), "s", digits=2)
            notes.append(f"A small maximum at {where} is not counted: at the edge of the sweep a tail makes one.")
    if known.even:
        kept, ringing = _without_ringing(grid, gamma, kept)
        notes += ringing
    probability: dict[int, float] = {}
    while kept:
        probability = _probabilities(known, gamma, kept)
        least = min(kept, key=lambda i: probability[i])
        if probability[least] >= REAL:
            break
        kept.remove(least)
        where = format_si(float(grid.fine_tau_s[least]), "s", digits=2)
        notes.append(
            f"A maximum at {where} is not counted: noise would make as much (p = {probability[least]:.2g})."
        )
    if not kept:
        return (), tuple(notes)
    valleys = _valleys(gamma, kept)
    valleys[0] = valleys[0] if beyond[0] else 0
    valleys[-1] = valleys[-1] if beyond[1] else gamma.size
    made = [
        _peak(known, gamma, area, valleys[k : k + 2], probability[area.top])
        for k, area in enumerate(_areas(known, gamma, kept, valleys))
    ]
    return _judge_neighbours(made), tuple(notes)


def _maxima(gamma: RealArray) -> list[int]:
    inner = (gamma[1:-1] > gamma[:-2]) & (gamma[1:-1] >= gamma[2:]) & (gamma[1:-1] > 0)
    return [int(i) + 1 for i in np.flatnonzero(inner)]


def _valleys(gamma: RealArray, peaks: Sequence[int]) -> list[int]:
    """Return the lowest place before, between and after the peaks."""
    if not peaks:
        return []
    between = [a + int(np.argmin(gamma[a : b + 1])) for a, b in pairwise(peaks)]
    before = int(np.argmin(gamma[: peaks[0] + 1][::-1]))
    after = int(np.argmin(gamma[peaks[-1] :]))
    return [peaks[0] - before, *between, peaks[-1] + after]


def _rise(known: Posterior, gamma: RealArray, peak: int, sides: Sequence[int]) -> float:
    """Return a peak's height above the higher of its valleys, in standard uncertainties."""
    higher = max(sides, key=lambda i: gamma[i])
    row = known.grid.values[peak] - known.grid.values[higher]
    rise = float(gamma[peak] - gamma[higher])
    return rise / max(known.u(row), 1e-12 * float(gamma.max()), 1e-300)


def _prominent(known: Posterior, gamma: RealArray, candidates: Sequence[int]) -> list[int]:
    """Drop the least prominent maximum until all that are left stand out."""
    kept = list(candidates)
    known_rises: dict[tuple[int, ...], float] = {}
    while kept:
        valleys = _valleys(gamma, kept)
        where = [(p, *valleys[k : k + 2]) for k, p in enumerate(kept)]
        for place in where:
            if place not in known_rises:
                known_rises[place] = _rise(known, gamma, place[0], place[1:])
        rises = [known_rises[place] for place in where]
        least = int(np.argmin(rises))
        if rises[least] >= PROMINENT:
            break
        kept.pop(least)
    return kept


def _window(grid: Matrices, first: int, last: int) -> RealArray:
    """Return the integral of γ between two fine places, per coefficient; the ends of the grid count whole."""
    upper = grid.area if last >= grid.fine_tau_s.size - 1 else grid.cumulative[last]
    return np.asarray(upper - (0.0 if first <= 0 else grid.cumulative[first]))


def _without_ringing(grid: Matrices, gamma: RealArray, kept: Sequence[int]) -> tuple[list[int], list[str]]:
    """Leave out small maxima beside a large one: one λ, small enough for its top, is too small for its flanks."""
    out, notes = [], []
    for i in kept:
        tau = float(grid.fine_tau_s[i])
        beside = [k for k in kept if k != i and abs(math.log10(grid.fine_tau_s[k] / tau)) < RINGS_DECADES]
        if any(gamma[i] < RINGS * gamma[k] for k in beside):
            where = format_si(tau, "s", digits=2)
            notes.append(f"A small maximum at {where} is not counted: it may be ringing of the peak beside it.")
        else:
            out.append(i)
    return out, notes


def _probabilities(known: Posterior, gamma: RealArray, kept: Sequence[int]) -> dict[int, float]:
    constant, *factors = EXPERIENCE[known.even]
    out = {}
    for i, (rise, asked, edge, share) in zip(kept, _evidence(known, gamma, kept), strict=True):
        like_arcs = expit(constant + float(np.dot(factors, (rise, min(asked, math.log(MOST_ASKED)), edge, share))))
        needed = expit(0.5 * (math.exp(asked) - PARAMETERS * math.log(known.n_data)))
        out[i] = float(needed * like_arcs)
    return out


def _evidence(known: Posterior, gamma: RealArray, kept: Sequence[int]) -> list[tuple[float, float, float, float]]:
    """Return ln z, ln Δ, e and ln s of each maximum."""
    grid, valleys = known.grid, _valleys(gamma, kept)
    full = float(known.total - 2 * known.right @ known.x + known.x @ known.plain @ known.x)
    total = float(grid.area @ known.coefficients)
    out = []
    for k, i in enumerate(kept):
        first, last = grid.fine_tau_s[[valleys[k], valleys[k + 1]]]
        inside = (grid.tau_s >= first) & (grid.tau_s <= last)
        asked = max((_misfit(known, inside) - full) / max(known.variance, 1e-300), 1.0)
        rise = min(max(_rise(known, gamma, i, valleys[k : k + 2]), LEAST_RISE), MOST_RISE)
        tau = float(grid.fine_tau_s[i])
        edge = math.log10(min(tau * grid.omega.max(), 1 / (tau * grid.omega.min())))
        share = float(_window(grid, valleys[k], valleys[k + 1]) @ known.coefficients) / total
        evidence = math.log(rise), min(math.log(asked), 700.0), min(max(edge, 0.0), 1.0)
        out.append((*evidence, math.log(min(max(share, LEAST_SHARE), 1.0))))
    return out


def _misfit(known: Posterior, without: np.ndarray) -> float:
    """Return the weighted sum of squares when some coefficients are zero."""
    kept = np.ones(known.right.size, dtype=bool)
    kept[: without.size] = ~without
    at = np.flatnonzero(kept)
    x, _ = solve(known.normal[np.ix_(at, at)], known.right[at], known.free[at])
    return float(known.total - 2 * known.right[at] @ x + x @ known.plain[np.ix_(at, at)] @ x)


@dataclass(frozen=True, slots=True)
class _Area:
    """What belongs to the peak at `top`: its integral per coefficient, its exponent, and what is in doubt.

    `contested_ohm` is what its neighbours contest, each part times the root of its share of the smaller of the
    two: what one of them has too much the other lacks.
    """

    top: int
    row: RealArray
    exponent: float
    contested_ohm: float
    beyond_ohm: float


def _areas(known: Posterior, gamma: RealArray, tops: Sequence[int], valleys: Sequence[int]) -> list[_Area]:
    grid = known.grid
    x = np.log(grid.fine_tau_s)
    h = float(x[1] - x[0])
    parts, exponents = shares(x, gamma, tops, valleys)
    rows = (parts @ grid.values) * (grid.area / grid.values.sum(axis=0))
    ends = -math.log(grid.omega.max()), -math.log(grid.omega.min())
    seen = (x >= ends[0]) & (x <= ends[1])
    disputed = h * (parts * (gamma * seen)) @ parts.T
    np.fill_diagonal(disputed, 0.0)
    sizes = np.maximum(rows @ known.coefficients, 1e-300)
    contested = disputed * np.sqrt(disputed.sum(axis=1)[:, None] / np.minimum(sizes[:, None], sizes))
    inside = ((parts * seen) @ grid.values) * (grid.area / grid.values.sum(axis=0))
    out = []
    for k, top in enumerate(tops):
        alpha, r = float(exponents[k]), float(rows[k] @ known.coefficients)
        unseen = sum(tail(alpha, abs(float(x[top]) - end)) for end in ends)
        beyond = r * unseen
        if min(float(x[top]) - ends[0], ends[1] - float(x[top])) > FAR_INSIDE:
            rows[k] = inside[k] / (1 - unseen)
        out.append(_Area(top, rows[k], alpha, float(contested[k].sum()), beyond))
    return out


def _peak(known: Posterior, gamma: RealArray, area: _Area, borders: Sequence[int], probability: float) -> DrtPeak:
    grid, at = known.grid, area.top
    first, last = borders
    r = float(area.row @ known.coefficients)
    u_r = math.hypot(
        AREA[known.even] * known.u(area.row), CONTESTED * area.contested_ohm, BEYOND * area.beyond_ohm
    )
    r_low, r_high = max(r - TWO_SIDED * u_r, 0.0), r + TWO_SIDED * u_r
    sides = first, min(last, gamma.size - 1)
    x = np.log(grid.fine_tau_s)
    h = float(x[1] - x[0])
    left, top, right = (float(v) for v in gamma[at - 1 : at + 2])
    bend = (left - 2 * top + right) / h**2
    offset = 0.5 * (left - right) / (left - 2 * top + right) if bend else 0.0
    place = float(x[at]) + h * min(max(offset, -0.5), 0.5)
    slope = grid.slopes[at]
    # the noise of the slope moves the maximum; an even prior, a random walk, would say nothing of it; one
    # tuned to the peak holds it where it was found, and only the whole posterior admits how far it may be
    u_slope = known.u_by_noise(slope) if known.even else known.u(slope)
    u_place = u_slope / abs(bend) if bend else math.inf
    u_place = min(u_place, 0.5 * float(x[sides[1]] - x[sides[0]]))
    return DrtPeak(
        tau_s=math.exp(place),
        tau_low_s=math.exp(place - TWO_SIDED * u_place),
        tau_high_s=math.exp(place + TWO_SIDED * u_place),
        r_ohm=r,
        u_r_ohm=u_r,
        r_low_ohm=r_low,
        r_high_ohm=r_high,
        from_s=float(grid.fine_tau_s[sides[0]]),
        to_s=float(grid.fine_tau_s[sides[1]]),
        gamma_ohm=top,
        exponent=area.exponent,
        resolution_decades=_resolution(known, place),
        probability=probability,
        separable=True,
    )


def _resolution(known: Posterior, log_tau: float) -> float:
    """Return the width at half height, in decades of τ, that a single relaxation time has in this distribution."""
    grid = known.grid
    nearest = int(np.argmin(np.abs(np.log(grid.tau_s) - log_tau)))
    m = grid.tau_s.size
    shape = grid.values @ (known.inverse[:m] @ known.plain[:, nearest])
    top = int(np.argmax(shape))
    above = shape >= 0.5 * shape[top]
    first, last = top, top
    while first > 0 and above[first - 1]:
        first -= 1
    while last < above.size - 1 and above[last + 1]:
        last += 1
    return float(np.log10(grid.fine_tau_s[last] / grid.fine_tau_s[first]))


def _judge_neighbours(peaks: Sequence[DrtPeak]) -> tuple[DrtPeak, ...]:
    out = list(peaks)
    for k in range(len(out) - 1):
        apart = math.log10(out[k + 1].tau_s / out[k].tau_s)
        limit = max(SEPARATE, 0.5 * (out[k].resolution_decades + out[k + 1].resolution_decades))
        if apart < limit:
            text = (
                f"Its neighbour is {apart:.2g} decades away, and peaks nearer than {limit:.2g} decades are not "
                "separable here: only the sum of their areas is known."
            )
            for i in (k, k + 1):
                out[i] = replace(out[i], separable=False, because=(*out[i].because, text))
    return tuple(out)
