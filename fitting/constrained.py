"""Least squares with one quantity held: what a profile needs at every place it visits.

A single parameter is held exactly: its two limits are made equal. A combination x(t) is held by one more residual,
W·(x(t) − aim). That row need not be heavy: whoever minimises χ²(t) + W²·(x(t) − aim)² has also minimised χ² among
all t with the same x(t), so the place found lies exactly on the profile, at the x it ended at and not at the x it
was sent to. Limits of the other parameters stay in force, which eliminating a parameter would not allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from eis.errors import FitError
from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import parse
from fitting.problem import Problem, Weight, lay_out

ACCURACY = 1e-6
"""A descent ends when the next step promises less than this much of χ², in units of the noise."""
STEPS = 200
"""Most steps of one descent."""
SLOW, SLOWLY = 20, 3e-3
"""A descent also ends when so many steps together brought less than this much of χ², in units of the noise."""
LONGEST = 3.0
"""Longest step of a walked parameter: a factor of twenty in a scale."""
ROUGH = 0.05
"""A descent that has not ended after `STEPS` counts if its last steps brought less than this much of χ²."""
PULL = 30.0
"""Weight of the holding row, per standard uncertainty of the quantity."""
LAG = 0.05
"""A place may end up this fraction of the way short of where it was sent."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a descent ended: walked parameters, shape (k,), and χ² without the holding row."""

    t: RealArray
    chi2: float


@dataclass(frozen=True, slots=True)
class Row:
    """The holding row: ``weight * (x(t) - aim)``."""

    quantity: Quantity
    aim: float
    weight: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """Σ c·θ over some parameters of a problem, and x, the coordinate it is walked in.

    x is the parameter's own walked coordinate for a single parameter, ln Σ c·θ for a sum of positive terms, and
    Σ c·θ itself when terms differ in sign.
    """

    index: NDArray[np.int64]
    coefficients: RealArray
    by_log: bool

    @classmethod
    def of(cls, problem: Problem, coefficients: Mapping[str, float]) -> Quantity:
        """Look the parameters up."""
        index = np.array([problem.circuit.names.index(name) for name in coefficients])
        c = np.array(list(coefficients.values()))
        by_log = bool(problem.walked_by_log[index[0]]) if index.size == 1 else bool((c > 0).all())
        return cls(index, c, by_log)

    @property
    def single(self) -> bool:
        """Whether it is one parameter."""
        return self.index.size == 1

    @property
    def falls(self) -> bool:
        """Whether the quantity falls as x rises."""
        return self.single and bool(self.coefficients[0] < 0)

    @property
    def longest(self) -> float:
        """Longest first step in x: a factor of e for a logarithm."""
        return 1.0 if self.by_log else math.inf

    def value(self, values: RealArray) -> float:
        """Return the quantity from all parameters in natural units."""
        return float(self.coefficients @ values[self.index])

    def x(self, values: RealArray) -> float:
        """Return the walked coordinate from all parameters in natural units."""
        amount = float(values[self.index[0]]) if self.single else self.value(values)
        return math.log(max(amount, 1e-300)) if self.by_log else amount

    def back(self, x: float) -> float:
        """Return the quantity at a walked coordinate."""
        return (float(self.coefficients[0]) if self.single else 1.0) * (math.exp(x) if self.by_log else x)

    def gradient(self, problem: Problem, values: RealArray) -> RealArray:
        """Return dx/dt, shape (k,)."""
        slope = np.zeros(values.size)
        if self.single:
            slope[self.index] = 1.0
        else:
            amount = self.value(values) if self.by_log else 1.0
            slope[self.index] = self.coefficients / amount
            slope *= np.where(problem.walked_by_log, values, 1.0)
        return np.asarray(slope[problem.free])

    def limit(self, side: int, problem: Problem) -> tuple[float, float, str]:
        """Return how far x can go to one side, what that means in the quantity's unit, and its name in words."""
        farthest, meaning = problem.values.copy(), problem.values.copy()
        own = True
        for i, c in zip(self.index, self.coefficients, strict=True):
            if not problem.free[i]:
                continue
            rises = side > 0 if self.single else side * c > 0
            farthest[i] = problem.upper[i] if rises else problem.lower[i]
            shown = problem.shown[i][1 if rises else 0]
            meaning[i] = shown if problem.walked_by_log[i] else farthest[i]
            own = own and shown in (0.0, 1.0, math.inf)
        end = self.value(meaning)
        if not own:
            reason = f"the set limit {end:.4g}"
        elif math.isinf(end):
            reason = "the largest size the data could show"
        else:
            reason = f"{end:.4g}"
        return self.x(farthest), end, reason

    def spread(self, problem: Problem, t: RealArray, noise: float) -> tuple[float, RealArray]:
        """Return the standard uncertainty of x by the curvature of χ² at t, and the direction dt/dx of the valley.

        Nearly flat directions are held back by one part in 10¹⁰, so that the result is large but finite.
        """
        jacobian = problem.jacobian(t)
        lengths = np.linalg.norm(jacobian, axis=0)
        lengths[lengths == 0] = 1.0
        curvature = jacobian.T @ jacobian / np.outer(lengths, lengths)
        a = self.gradient(problem, problem.natural(t)) / lengths
        along = np.linalg.solve(curvature + 1e-10 * np.eye(a.size), a)
        variance = float(a @ along)
        return math.sqrt(max(variance * noise, 1e-24)), along / lengths / max(variance, 1e-300)

    def settle_at(
        self, aim: float, tries: Sequence[RealArray], problem: Problem, spread: float, noise: float
    ) -> Place | None:
        """Settle all else with x at `aim` (a combination: near it), from the best of `tries`; None if it fails."""
        low, high = problem.limits
        if self.single:
            j = int(np.flatnonzero(np.flatnonzero(problem.free) == self.index[0])[0])
            low, high = low.copy(), high.copy()
            low[j] = high[j] = aim
            return settle(problem, _best(problem, tries, low, high), noise, low=low, high=high)
        start = _best(problem, tries, low, high)
        x = self.x(problem.natural(start))
        way = max(abs(aim - x), LAG * spread)
        weight = PULL * math.sqrt(noise) / spread
        place = None
        for _ in range(6):
            place = settle(problem, start, noise, row=Row(self, aim, weight))
            if place is None or abs(self.x(problem.natural(place.t)) - aim) <= LAG * way:
                return place
            start, weight = place.t, 10 * weight
        return place


def wishes(fitted: Fit) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, float]]:
    """Return the start, the bounds and the fixed values that make a fit over again, beginning where it ended."""
    start, bounds, fix = {}, {}, {}
    for parameter, kind in zip(fitted.parameters, parse(fitted.circuit).parameters, strict=True):
        if parameter.fixed:
            fix[parameter.name] = parameter.value
            continue
        start[parameter.name] = min(max(parameter.value, parameter.lower), parameter.upper)
        if (parameter.lower, parameter.upper) != (kind.lower, kind.upper):
            bounds[parameter.name] = (parameter.lower, parameter.upper)
    return start, bounds, fix


def relay(fitted: Fit, spectrum: Spectrum) -> tuple[Problem, RealArray]:
    """Lay the problem of a fit out again; return it and the fit's walked parameters.

    Raises
    ------
    FitError
        If the spectrum is not the one the fit was made from, or the fit has ties, which would be lost here.
    """
    circuit = parse(fitted.circuit)
    if fitted.metadata.get("ties"):
        raise FitError(
            "The parameters of this fit are tied to each other",
            where=f"circuit {fitted.circuit}",
            mend="Take an untied fit for this, or the covariance of the tied one.",
        )
    problem = lay_out(circuit, spectrum, cast("Weight", fitted.weight), *wishes(fitted))
    if problem.z.shape != fitted.z_ohm.shape or not np.allclose(problem.z, fitted.z_ohm, rtol=1e-9, atol=0):
        raise FitError(
            "This spectrum is not the one the fit was made from",
            where=f"{spectrum.name}, circuit {fitted.circuit}",
            mend="Give the spectrum that was fitted, with the same points flagged.",
        )
    return problem, problem.walked(problem.values)


def settle(
    problem: Problem,
    t: RealArray,
    noise: float,
    *,
    low: RealArray | None = None,
    high: RealArray | None = None,
    row: Row | None = None,
) -> Place | None:
    """Walk down from `t` within the limits until χ² has no more to give; None if that never comes.

    `noise` is the variance of one weighted residual, the scale on which χ² matters.

    A Levenberg–Marquardt descent (J. J. Moré, Lecture Notes in Mathematics 630 (1978) 105,
    doi:10.1007/BFb0067700) with the damping of H. B. Nielsen, IMM-REP-1999-05; parameters that rest on a limit and
    would leave it are held for the step.
    """
    if low is None or high is None:
        low, high = problem.limits
    t = np.clip(t, low, high)
    residuals = _residuals(problem, t, row)
    total = float(residuals @ residuals)
    accuracy, damping, growth, last_try = ACCURACY * noise, 1e-3, 2.0, False
    history = [total]
    for _ in range(STEPS):
        if len(history) > SLOW and history[-1 - SLOW] - total < SLOWLY * noise:
            return _place(t, total, residuals, row)
        jacobian = _jacobian(problem, t, row)
        slope = jacobian.T @ residuals
        curvature = jacobian.T @ jacobian
        after, reached = residuals, total
        while True:
            step = _step(curvature, slope, damping, np.maximum(low - t, -LONGEST), np.minimum(high - t, LONGEST))
            ahead = np.clip(t + step, low, high)
            promised = -float(2 * slope @ step + step @ curvature @ step)
            if promised <= accuracy:
                break
            after = _residuals(problem, ahead, row)
            reached = float(after @ after)
            if math.isfinite(reached) and reached < total:
                break
            damping, growth = damping * growth, 2 * growth
        if promised <= accuracy:
            if damping <= 1e-2 or last_try:
                return _place(t, total, residuals, row)
            damping, last_try = 1e-3, True
            continue
        gain = (total - reached) / promised
        damping, growth = max(damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 1e-12), 2.0
        t, residuals, total, last_try = ahead, after, reached, False
        history.append(total)
    return (
        _place(t, total, residuals, row)
        if history[max(-1 - SLOW, -len(history))] - total < ROUGH * noise
        else None
    )


def _step(curvature: RealArray, slope: RealArray, damping: float, least: RealArray, most: RealArray) -> RealArray:
    """Return the damped step from `least` to `most`; what would pass them stops there, the rest takes that in."""
    lengths = np.sqrt(np.diagonal(curvature))
    lengths = np.where(lengths > 1e-150, lengths, 1.0)
    scaled = curvature / np.outer(lengths, lengths) + (damping + 1e-13) * np.eye(slope.size)
    pull = -slope / lengths
    moves = (least < most) & ~((least >= 0) & (slope > 0)) & ~((most <= 0) & (slope < 0))
    step = np.zeros(slope.size)
    while moves.any():
        held = step * lengths
        held[moves] = 0.0
        wanted = pull[moves] - scaled[np.ix_(moves, ~moves)] @ held[~moves]
        step[moves] = np.linalg.solve(scaled[np.ix_(moves, moves)], wanted) / lengths[moves]
        beyond = moves & ((step < least) | (step > most))
        if not beyond.any():
            break
        step = np.clip(step, least, most)
        moves &= ~beyond
    return step


def _place(t: RealArray, total: float, residuals: RealArray, row: Row | None) -> Place:
    return Place(t, total - (0.0 if row is None else float(residuals[-1]) ** 2))


def _best(problem: Problem, tries: Sequence[RealArray], low: RealArray, high: RealArray) -> RealArray:
    """Return the start with the lowest χ², clipped to the limits."""
    clipped = [np.clip(t, low, high) for t in tries]
    with np.errstate(all="ignore"):
        sizes = [float(np.sum(problem.residuals(t) ** 2)) for t in clipped]
    return clipped[int(np.argmin(np.where(np.isfinite(sizes), sizes, math.inf)))]


def _residuals(problem: Problem, t: RealArray, row: Row | None) -> RealArray:
    with np.errstate(all="ignore"):
        residuals = problem.residuals(t)
    if row is None:
        return residuals
    return np.append(residuals, row.weight * (row.quantity.x(problem.natural(t)) - row.aim))


def _jacobian(problem: Problem, t: RealArray, row: Row | None) -> RealArray:
    jacobian = problem.jacobian(t)
    if row is None:
        return jacobian
    return np.vstack([jacobian, row.weight * row.quantity.gradient(problem, problem.natural(t))])
