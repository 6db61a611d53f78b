"""From the best end of a search to a `Fit`: covariance in natural units, and in words what it does not tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eis.results import Fit, Parameter
from eis.spectrum import RealArray
from fitting.evaluation import evaluate
from fitting.problem import Problem, Weight

AGREE = 1e-4
"""Relative difference of χ² below which two ends are the same minimum."""
NEARBY = 2.0
"""Other minima are told about if their χ² is within this factor of the best."""
VANISHED = 10.0
"""A scale or time within this factor of the end of its reach has run away: the data want no such element."""
RETRY, SUSPECT = 2.2, 3.2
"""Correlation of neighbouring residuals, in deviations 1/√n, from which a fit is tried again, or suspect."""
MISSES = "the circuit misses a shape in these data"
HOPELESS = 1e4
"""A standard uncertainty of a scale or time over its value from which it is a number without meaning."""
NOTHING = 1e-28
"""A χ² that is rounding alone."""
EXACT = 1e-16
"""χ² over Σ|Z/σ|² below which a fit is exact, to 1e-8 of |Z|: it has arrived, though rounding may still fall."""
SINGULAR = 1e-10
"""Singular values below this fraction of the largest count as zero."""


@dataclass(frozen=True, slots=True)
class End:
    """Where one start ended."""

    t: RealArray
    chi2: float
    success: bool


def record(problem: Problem, values: RealArray, best: End, ends: Sequence[End], weight: Weight) -> Fit:
    """Turn the best end into a `Fit`: uncertainties, information criteria, and what a reader should know."""
    circuit = problem.circuit
    z_fit, by_value = evaluate(circuit, problem.omega, values)
    apart = z_fit - problem.z
    residuals = np.concatenate([apart.real * problem.weights[0], apart.imag * problem.weights[1]])
    chi2 = float(residuals @ residuals)
    data = np.concatenate([problem.z.real * problem.weights[0], problem.z.imag * problem.weights[1]])
    exact = chi2 <= EXACT * float(data @ data)
    n, k = residuals.size, int(problem.free.sum())
    degrees = max(n - k, 1)
    scale = 1.0 if weight == "variance" else chi2 / degrees
    at_bound = at_limit(problem, values)
    covariance, unknown = _covariance(problem, values, problem.weighted(values, by_value), at_bound, scale)
    place = {int(i): j for j, i in enumerate(np.flatnonzero(problem.free))}
    parameters, notes = [], list(problem.notes)
    by_size = by_value * np.where(problem.walked_by_log, values, 1.0)[:, None] / z_fit
    significance = np.abs(by_size).max(axis=1)  # how much each parameter matters to Z
    for i, (name, kind) in enumerate(zip(circuit.names, circuit.parameters, strict=True)):
        u, why = math.nan, ""
        if not problem.free[i]:
            why = "fixed"
        elif at_bound[i]:
            why = _at_which_limit(problem, i, float(values[i]))
        elif i in unknown:
            why = "the data do not determine it"
        else:
            u = float(np.sqrt(covariance[place[i], place[i]]))
            if kind.kind != "exponent" and u > HOPELESS * values[i]:
                u, why = math.nan, "the data do not determine it"
        if why and problem.free[i]:
            notes.append(f"{name} has no uncertainty: {why}.")
        elif kind.kind != "exponent" and u > values[i]:
            notes.append(f"{name} is hardly determined: its standard uncertainty exceeds its value.")
        parameters.append(
            Parameter(
                name=name,
                value=float(values[i]),
                u=0.0 if not problem.free[i] else u,
                unit=kind.unit,
                fixed=not bool(problem.free[i]),
                at_bound=bool(at_bound[i]),
                lower=float(problem.shown[i][0]),
                upper=float(problem.shown[i][1]),
                because=why,
                significance=float(significance[i]),
            )
        )
    agreeing = sum(end.chi2 <= best.chi2 * (1 + AGREE) + NOTHING for end in ends)
    if not (best.success or exact):
        notes.append("The optimiser stopped at its limit of steps.")
    if len(ends) > 3 and agreeing < 2:
        notes.append(f"Only one of {len(ends)} starts reached this minimum.")
    follows = correlation(residuals)
    if follows > SUSPECT / math.sqrt(n / 2) and not exact:
        notes.append(f"Neighbouring residuals are correlated ({follows:.2f}): {MISSES}.")
    notes += _other_minima(problem, best, ends)
    names = circuit.names
    # −2 ln L up to a constant: with known variances χ² itself, otherwise with the variance at its best value
    misfit = chi2 if weight == "variance" else n * math.log(max(chi2, 1e-300) / n)
    k_all = k if weight == "variance" else k + 1
    return Fit(
        circuit=str(circuit),
        parameters=tuple(parameters),
        free=tuple(name for name, free in zip(names, problem.free, strict=True) if free),
        covariance=covariance,
        weight=weight,
        chi2=chi2,
        reduced_chi2=chi2 / degrees,
        aicc=misfit + 2 * k_all + 2 * k_all * (k_all + 1) / max(n - k_all - 1, 1),
        bic=misfit + k_all * math.log(n),
        n_points=n // 2,
        n_free=k,
        converged=best.success or exact,
        because=tuple(notes),
        frequency_hz=problem.omega / (2 * np.pi),
        z_ohm=problem.z,
        z_fit_ohm=z_fit,
        arcs=circuit.arcs,
        series_resistance=circuit.series_resistance,
        metadata={"starts": [{"chi2": end.chi2, "converged": end.success} for end in ends]},
    )


def correlation(residuals: RealArray) -> float:
    """Return the correlation of neighbouring residuals, shape (2n,), the larger of real and imaginary parts."""
    parts = residuals.reshape(2, -1)
    return float(((parts[:, 1:] * parts[:, :-1]).sum(axis=1) / np.maximum((parts**2).sum(axis=1), NOTHING)).max())


def _at_which_limit(problem: Problem, i: int, value: float) -> str:
    """Say what it means that a parameter rests on a limit: the caller's, or the end of what data could show."""
    low, high = problem.shown[i]
    if not problem.walked_by_log[i]:  # an exponent ends at the limits of the search
        return f"at its limit {value:.6g}"
    if math.isclose(value, low, rel_tol=1e-4) or math.isclose(value, high, rel_tol=1e-4):
        return f"at its limit {value:.6g}"
    return "it ran to where it no longer shows in the data, which want no such element"


def _other_minima(problem: Problem, best: End, ends: Sequence[End]) -> list[str]:
    """Tell of other minima that describe the data nearly as well: the circuit may not be the data's own."""
    notes, seen = [], [best.chi2]
    for end in sorted(ends, key=lambda end: end.chi2):
        apart = all(abs(end.chi2 - chi2) > 10 * AGREE * chi2 for chi2 in seen)
        if apart and end.success and best.chi2 < end.chi2 < NEARBY * best.chi2:
            seen.append(end.chi2)
            values = zip(problem.circuit.names, problem.natural(end.t), strict=True)
            notes.append(
                f"Another minimum, χ² {end.chi2 / best.chi2 - 1:.0%} higher, lies at "
                + ", ".join(f"{name} = {value:.3g}" for name, value in values)
                + "."
            )
    return notes


def at_limit(problem: Problem, values: RealArray) -> np.ndarray:
    """Tell which free parameters rest on a limit, or have run to where they no longer show in the data."""
    low, high, by_log = problem.lower, problem.upper, problem.walked_by_log
    own = np.array([limits != (0.0, math.inf) for limits in problem.shown])
    near = np.where(own, 1 + 1e-5, VANISHED)
    with np.errstate(invalid="ignore"):
        near_low = np.where(by_log, values < low * near, values - low < 1e-6)
        near_high = np.where(by_log, values > high / near, high - values < 1e-6)
    return np.asarray(problem.free & (near_low | near_high))


def _covariance(
    problem: Problem, values: RealArray, jacobian: RealArray, at_bound: np.ndarray, scale: float
) -> tuple[RealArray, set[int]]:
    """Return the covariance of the free parameters (natural units, NaN where none) and which are undetermined.

    Parameters at a limit are held there; directions in which χ² does not curve leave the parameters they involve
    without an uncertainty. The walked covariance is carried over by dθ/dt = θ for logarithms.
    """
    index = np.flatnonzero(problem.free)
    usable = ~at_bound[index]
    jacobian = jacobian[:, usable]
    lengths = np.linalg.norm(jacobian, axis=0)
    dead = lengths <= 1e-12 * max(lengths.max(initial=0.0), 1e-300)
    scaled = jacobian[:, ~dead] / lengths[~dead]
    full = np.full((index.size, index.size), math.nan)
    _, singular, right = np.linalg.svd(scaled, full_matrices=False)
    flat = singular <= SINGULAR * singular.max(initial=0.0)
    blurred = (np.abs(right[flat]) > 0.1).any(axis=0)
    keep = ~flat
    inverse = (right[keep].T / singular[keep] ** 2) @ right[keep] * scale
    inverse /= np.outer(lengths[~dead], lengths[~dead])
    rows = np.flatnonzero(usable)[~dead]
    to_natural = np.where(problem.walked_by_log, values, 1.0)[index[rows]]
    natural = inverse * np.outer(to_natural, to_natural)
    natural[blurred, :] = math.nan
    natural[:, blurred] = math.nan
    full[np.ix_(rows, rows)] = natural
    unknown = {int(index[i]) for i in np.flatnonzero(usable)[dead]} | {int(index[i]) for i in rows[blurred]}
    return full, unknown
