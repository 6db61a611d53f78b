"""Complex non-linear least squares: a circuit, a spectrum, and a `Fit` with its full covariance.

Scales and times are walked by their logarithm, exponents as they are, all within limits, with the exact Jacobian.
Starts come from the data and are varied until two of them agree on the best sum of squares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import overload

import numpy as np

from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import Circuit, parse
from fitting.descent import walker
from fitting.problem import Problem, Values, Weight, by_name, lay_out
from fitting.starts import starts
from fitting.uncertainty import AGREE, RETRY, End, at_limit, record

CAREFUL = (None, 10.0, 1000.0)
"""Dampings of the walks from a start that is wholly given: the lowest end near it is wanted."""
RESTARTS = 12
"""Most starts that are tried."""
NOTHING = 1e-28
"""A χ² that is rounding alone."""


@overload
def fit(
    circuit: str | Circuit,
    spectrum: Spectrum,
    *,
    weight: Weight = ...,
    start: Values | None = ...,
    bounds: Mapping[str, tuple[float, float]] | None = ...,
    fix: Mapping[str, float] | None = ...,
    seed: int = ...,
) -> Fit: ...
@overload
def fit(
    circuit: str | Circuit,
    spectrum: Sequence[Spectrum],
    *,
    weight: Weight = ...,
    start: Values | None = ...,
    bounds: Mapping[str, tuple[float, float]] | None = ...,
    fix: Mapping[str, float] | None = ...,
    seed: int = ...,
) -> list[Fit]: ...
def fit(
    circuit: str | Circuit,
    spectrum: Spectrum | Sequence[Spectrum],
    *,
    weight: Weight = "modulus",
    start: Values | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fix: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Fit | list[Fit]:
    r"""Fit a circuit to a spectrum (or to each of several).

    .. math:: \chi^2 = \sum_i (Z'_i - \hat Z'_i)^2 / \sigma'^2_i + (Z''_i - \hat Z''_i)^2 / \sigma''^2_i

    Parameters
    ----------
    circuit : str or Circuit
        impedance.py's grammar (``"L0-R0-p(R1,CPE1)"``) or Boukamp's in square brackets.
    spectrum : Spectrum or sequence of Spectrum
        The data; points with an excluding flag are left out.
    weight : {"modulus", "unit", "proportional", "variance"}
        σ = \|Z\| for both parts; 1 Ω; \|Z′\| and \|Z″\|; or the column ``u_z_ohm``, taken as known.
    start : mapping or sequence, optional
        Initial values by name, or all in circuit order; what is missing comes from the data. If all are given, the
        fit starts there and nowhere else.
    bounds : mapping of str to (float, float), optional
        Limits by parameter name, in natural units.
    fix : mapping of str to float, optional
        Parameters held at a value.
    seed : int
        Seed of the varied starts.

    Returns
    -------
    Fit or list of Fit
        Values, full covariance (scaled by the reduced χ² unless the weight is "variance"), AICc, BIC, arcs. Equal
        arcs next to each other are put in order of rising time constant.

    Raises
    ------
    FitError
        For a name the circuit does not have, a start outside the limits, or fewer points than twice the number of
        free parameters.
    CircuitError
        If the circuit text is not a circuit.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    if not isinstance(spectrum, Spectrum):
        return [
            fit(parsed, one, weight=weight, start=start, bounds=bounds, fix=fix, seed=seed) for one in spectrum
        ]
    given = by_name(parsed, start)
    problem = lay_out(parsed, spectrum, weight, given, bounds or {}, fix or {})
    if all(name in given for name, free in zip(parsed.names, problem.free, strict=True) if free):
        t = problem.walked(problem.values)
        ends = [walker(problem, damping=damping)(t) for damping in CAREFUL]
        if not _is_settled(problem, ends):
            ends.append(walker(problem, compiled=False)(t))
    else:
        ends = _search(problem, _candidates(problem, given, seed))
    best = min(ends, key=lambda end: end.chi2)
    values = problem.natural(best.t)
    if start is None and not bounds and not fix:
        values = _order_arcs(parsed, values)
    return record(problem, values, best, ends, weight)


def _candidates(problem: Problem, given: Mapping[str, float], seed: int) -> Iterator[RealArray]:
    """Yield starts in walked parameters, inside the limits; the given values stay in all of them."""
    frequency = problem.omega / (2 * np.pi)
    names = problem.circuit.names
    held = np.array([name in given for name in names]) | ~problem.free
    for values in islice(starts(problem.circuit, frequency, problem.z, seed=seed), RESTARTS):
        yield problem.walked(np.where(held, problem.values, np.clip(values, problem.lower, problem.upper)))


def _search(problem: Problem, candidates: Iterator[RealArray]) -> list[End]:
    """Walk down from each start until two ends agree on the best χ²."""
    walk = walker(problem)
    ends: list[End] = []
    for t in candidates:
        ends.append(walk(t))
        if _is_settled(problem, ends):
            break
    return ends


def _is_settled(problem: Problem, ends: Sequence[End]) -> bool:
    """Two ends agree on the best χ², nothing has run away, and what they leave over is noise rather than shape."""
    best, *others = sorted(ends, key=lambda end: end.chi2)
    agreed = any(end.chi2 <= best.chi2 * (1 + AGREE) + NOTHING for end in others)
    limit = RETRY / np.sqrt(problem.z.size)
    degenerate = at_limit(problem, problem.natural(best.t))[problem.walked_by_log].any()
    return agreed and not degenerate and (best.chi2 <= NOTHING or _correlation(problem.residuals(best.t)) < limit)


def _correlation(residuals: RealArray) -> float:
    """Return the correlation of neighbouring residuals, the larger of real and imaginary parts."""
    parts = residuals.reshape(2, -1)
    return float(((parts[:, 1:] * parts[:, :-1]).sum(axis=1) / np.maximum((parts**2).sum(axis=1), NOTHING)).max())


def _order_arcs(circuit: Circuit, values: RealArray) -> RealArray:
    """Put equal arcs in order of rising time constant, so that R1 is R1 in every spectrum."""
    place = {name: i for i, name in enumerate(circuit.names)}
    named = dict(zip(circuit.names, values.tolist(), strict=True))
    out = values.copy()
    for group in circuit.exchangeable:
        taus = [_time_constant(named, names) for names in group]
        order = np.argsort(taus, kind="stable")
        for target, source in enumerate(order):
            for to, of in zip(group[target], group[source], strict=True):
                out[place[to]] = named[of]
    return out


def _time_constant(values: Mapping[str, float], names: Sequence[str]) -> float:
    """Return τ (s) of an arc from its resistance, its Q, C or τ, and its exponent if any."""
    if names[0].startswith("Zarc"):
        return values[names[1]]
    exponent = values[names[2]] if len(names) > 2 else 1.0
    return float((values[names[0]] * values[names[1]]) ** (1 / exponent))
