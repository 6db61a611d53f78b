"""Problems tied to each other: one matrix from global parameters to every spectrum, its descent and covariance.

Every tie is linear in walked parameters (ln θ; θ for exponents): t = A g, with t all spectra's one after another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from eis.errors import FitError
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import Circuit
from fitting.cnls import fit
from fitting.descent import walk_by_scipy, walker
from fitting.problem import Problem, Weight, check_name, lay_out
from fitting.uncertainty import SINGULAR, End, at_limit

ZERO_C = -273.15
"""Absolute zero (°C)."""
STEEPEST_EV = 5.0
"""Limit of the size of an activation energy (eV) during the search."""
DENSE = 2_000_000
"""Largest Jacobian (entries) that is solved as a dense one."""


@dataclass(frozen=True, slots=True, eq=False)
class Tied:
    """Several problems of one circuit (m spectra, p parameters each) in k global parameters g.

    `matrix` is A, shape (m·p, k); `penalty` the rows √w·Δ² A that stand below the residuals, shape (r, k); `names`
    and `by_log` describe g, shape (k,): its logarithm, or the value itself.
    """

    problems: tuple[Problem, ...]
    matrix: RealArray
    penalty: RealArray
    names: tuple[str, ...]
    by_log: np.ndarray

    def each(self, g: RealArray) -> RealArray:
        """Return the walked parameters of every spectrum, shape (m, p)."""
        return np.asarray((self.matrix @ g).reshape(len(self.problems), -1))

    def blocks(self) -> list[RealArray]:
        """Return A by spectrum, each of shape (p, k)."""
        return list(self.matrix.reshape(len(self.problems), -1, len(self.names)))

    def residuals(self, g: RealArray) -> RealArray:
        """Return the weighted residuals of all spectra, then the penalty's, shape (2n + r,)."""
        parts = [problem.residuals(t) for problem, t in zip(self.problems, self.each(g), strict=True)]
        return np.concatenate([*parts, self.penalty @ g])

    def jacobian(self, g: RealArray) -> Any:
        """Return the derivatives by g, shape (2n + r, k): dense if small, else sparse by blocks."""
        own = [problem.jacobian(t) for problem, t in zip(self.problems, self.each(g), strict=True)]
        rows = sum(len(block) for block in own) + len(self.penalty)
        if rows * len(self.names) <= DENSE:
            return np.vstack([*(j @ a for j, a in zip(own, self.blocks(), strict=True)), self.penalty])
        pieces: list[Any] = [
            sparse.csr_array(j) @ sparse.csr_array(a) for j, a in zip(own, self.blocks(), strict=True)
        ]
        return sparse.csr_matrix(sparse.vstack([*pieces, sparse.csr_array(self.penalty)]))

    @property
    def limits(self) -> tuple[RealArray, RealArray]:
        """Limits of g, each of shape (k,): the widest of the spectra a parameter speaks for, ±5 eV for E_a."""
        low, high = (np.concatenate(ends) for ends in zip(*(p.limits for p in self.problems), strict=True))
        speaks = self.matrix == 1
        lower = np.where(speaks, low[:, None], math.inf).min(axis=0)
        upper = np.where(speaks, high[:, None], -math.inf).max(axis=0)
        energy = np.array([name.startswith("E_a(") for name in self.names])
        return np.where(energy, -STEEPEST_EV, lower), np.where(energy, STEEPEST_EV, upper)

    def start(self, alone: RealArray, *, robust: bool) -> RealArray:
        """Return g nearest to the separate fits, shape (m, p).

        By least squares (means of ln θ, lines through ln R), or by least absolute distances (medians), which a few
        wrong fits do not move.
        """
        t, scale = alone.ravel(), np.ones((alone.size, 1))
        g = np.linalg.lstsq(self.matrix, t, rcond=None)[0]
        for _ in range(20 if robust else 0):
            scale[:, 0] = np.maximum(np.abs(self.matrix @ g - t), 1e-6) ** -0.5
            g = np.linalg.lstsq(self.matrix * scale, t * scale[:, 0], rcond=None)[0]
        return np.asarray(g, dtype=np.float64)

    def descend(self, g: RealArray) -> End:
        """Walk down from g within the limits."""
        low, high = self.limits
        return walk_by_scipy(self.residuals, self.jacobian, g, low, high)

    def held(self, g: RealArray) -> np.ndarray:
        """Tell which of g rest on a limit in every spectrum they speak for, shape (k,)."""
        resting = np.concatenate(
            [at_limit(problem, problem.natural(t)) for problem, t in zip(self.problems, self.each(g), strict=True)]
        )
        speaks = self.matrix != 0
        return np.asarray((speaks & resting[:, None]).sum(axis=0) == speaks.sum(axis=0))

    def covariance(self, g: RealArray) -> tuple[RealArray, float]:
        """Return (JᵀJ + P)⁻¹ of g, shape (k, k), NaN where there is none, and the effective number tr[J (…)⁻¹ Jᵀ].

        What rests on a limit is held there; directions in which nothing curves leave what they involve unknown.
        """
        own = (np.linalg.qr(p.jacobian(t), mode="r") for p, t in zip(self.problems, self.each(g), strict=True))
        rows = np.vstack([*(r @ a for r, a in zip(own, self.blocks(), strict=True)), self.penalty])
        lengths = np.linalg.norm(rows, axis=0)
        usable = ~self.held(g) & (lengths > 1e-12 * lengths.max(initial=0.0))
        _, singular, right = np.linalg.svd(rows[:, usable] / lengths[usable], full_matrices=False)
        keep = singular > SINGULAR * singular.max(initial=0.0)
        inverse = (right[keep].T / singular[keep] ** 2) @ right[keep] / np.outer(lengths[usable], lengths[usable])
        taken = float(np.trace(self.penalty[:, usable] @ inverse @ self.penalty[:, usable].T))
        blurred = (np.abs(right[~keep]) > 0.1).any(axis=0)
        inverse[blurred, :] = math.nan
        inverse[:, blurred] = math.nan
        full = np.full((len(self.names), len(self.names)), math.nan)
        full[np.ix_(usable, usable)] = inverse
        return full, len(self.names) - taken

    def spread(self, covariance: RealArray) -> RealArray:
        """Return u of the walked parameters of every spectrum, shape (m, p), NaN where a part of g has none."""
        unknown = np.isnan(np.diag(covariance))
        known = np.where(np.isnan(covariance), 0.0, covariance)
        u = np.sqrt(np.maximum(((self.matrix @ known) * self.matrix).sum(axis=1), 0.0))
        u[(self.matrix[:, unknown] != 0).any(axis=1)] = math.nan
        return np.asarray(u.reshape(len(self.problems), -1))


def tie(
    problems: Sequence[Problem],
    shared: Sequence[str],
    arrhenius: Sequence[str],
    smooth: Mapping[str, float],
    inverse_ev: RealArray,
) -> Tied:
    """Tie problems of one circuit together; `inverse_ev` is (1/T − 1/T_ref)/k_B in 1/eV, shape (m,)."""
    circuit, m = problems[0].circuit, len(problems)
    columns: list[RealArray] = []
    names: list[str] = []
    by_log: list[bool] = []
    place = {name: i for i, name in enumerate(circuit.names)}
    for name, i in place.items():
        log = bool(problems[0].walked_by_log[i])
        if name in shared:
            ways = {name: (np.ones(m), log)}
        elif name in arrhenius:
            ways = {f"{name}_ref": (np.ones(m), True), f"E_a({name})": (inverse_ev, False)}
        else:
            ways = {f"{name}[{s}]": (row, log) for s, row in enumerate(np.eye(m))}
        for label, (along, logarithm) in ways.items():
            column = np.zeros((m, len(place)))
            column[:, i] = along
            columns.append(column.ravel())
            names.append(label)
            by_log.append(logarithm)
    matrix = np.array(columns).T
    second = np.diff(np.eye(m), n=2, axis=0)
    rows = [np.zeros((0, len(names)))]
    rows += [math.sqrt(w) * second @ matrix[place[name] :: len(place)] for name, w in smooth.items()]
    return Tied(tuple(problems), matrix, np.vstack(rows), tuple(names), np.array(by_log))


def align(circuit: Circuit, t: RealArray, before: RealArray) -> tuple[RealArray, list[int]]:
    """Swap equal arcs of one spectrum so that they lie nearest to those of another, both of shape (p,).

    Returns the swapped values and where each came from.
    """
    place = {name: i for i, name in enumerate(circuit.names)}
    source = list(range(t.size))
    for group in circuit.exchangeable:
        arcs = [[place[name] for name in names] for names in group]
        flat = [i for arc in arcs for i in arc]
        nearest = min(
            ([i for arc in order for i in arc] for order in itertools.permutations(arcs)),
            key=lambda way: float(np.sum((t[way] - before[flat]) ** 2)),
        )
        for to, of in zip(flat, nearest, strict=True):
            source[to] = of
    return t[source], source


def check_ties(
    circuit: Circuit, m: int, shared: Sequence[str], arrhenius: Sequence[str], smooth: Mapping[str, float]
) -> None:
    """Refuse ties that contradict each other or the circuit."""
    if m < 2:
        raise FitError(f"{m} spectra have nothing in common", mend="Give two or more, or use fitting.fit for one.")
    seen: dict[str, str] = {}
    for kind, names in (("shared", shared), ("arrhenius", arrhenius), ("smooth", tuple(smooth))):
        for name in names:
            check_name(circuit, name)
            if name in seen:
                raise FitError(f"{name} is both {seen[name]} and {kind}", mend="Tie each parameter in one way.")
            seen[name] = kind
    units = {p: parameter.unit for p, parameter in zip(circuit.names, circuit.parameters, strict=True)}
    for name in arrhenius:
        if units[name] != "ohm":
            raise FitError(
                f"{name} is no resistance: its unit is {units[name] or '1'}",
                where="arrhenius",
                mend="Name resistances only; leave others free, or share or smooth them.",
            )
    for name, w in smooth.items():
        if not (math.isfinite(w) and w > 0):
            raise FitError(f"The weight of {name} is {w:g}", where="smooth", mend="Give a number above zero.")
    if smooth and m < 3:
        raise FitError(f"{m} spectra have no second difference", where="smooth", mend="Give three or more.")


def temperatures(spectra: Sequence[Spectrum], given: Sequence[float] | None, needed: bool) -> RealArray | None:
    """Return the temperatures (°C), shape (m,), or None where nobody stated and nobody needs them."""
    stated = [s.metadata.get("temperature_c") for s in spectra] if given is None else list(given)
    if len(stated) != len(spectra):
        raise FitError(
            f"There are {len(spectra)} spectra and {len(stated)} temperatures",
            where="temperature_c",
            mend="Give one temperature (°C) per spectrum, in the same order.",
        )
    celsius: list[float] = []
    for s, (spectrum, value) in enumerate(zip(spectra, stated, strict=True), start=1):
        where = f"spectrum {s} of {len(spectra)}, {spectrum.name}"
        if value is None and given is None and not needed:
            return None
        try:
            celsius.append(math.nan if value is None or isinstance(value, bool) else float(value))
        except (TypeError, ValueError):
            celsius.append(math.nan)
        if not math.isfinite(celsius[-1]):
            raise FitError(
                "The temperature is not stated" if value is None else f"The temperature is {value!r}",
                where=where,
                mend="Give temperature_c, one number (°C) per spectrum, or the spectrum's metadata that key.",
            )
        if celsius[-1] <= ZERO_C:
            raise FitError(
                f"A temperature of {celsius[-1]:g} °C is not above absolute zero",
                where=where,
                mend="Give degrees Celsius.",
            )
    if needed and len(set(celsius)) < 2:
        raise FitError(
            f"All spectra were measured at {celsius[0]:g} °C, which tells no activation energy",
            where="temperature_c",
            mend="Measure at two temperatures or more, or share the parameter instead.",
        )
    return np.array(celsius)


def lay_out_one(circuit: Circuit, spectra: Sequence[Spectrum], s: int, weight: Weight) -> Problem:
    """Lay out the problem of one spectrum; a refusal says which."""
    try:
        return lay_out(circuit, spectra[s], weight, {}, {}, {})
    except FitError as error:
        where = f"spectrum {s + 1} of {len(spectra)}, {error.where or spectra[s].name}"
        raise FitError(error.what, where=where, mend=error.mend) from error


def separate(
    problems: Sequence[Problem], spectra: Sequence[Spectrum], order: np.ndarray, weight: Weight, seed: int
) -> tuple[RealArray, RealArray]:
    """Return walked values and u of separate fits, each of shape (m, p), equal arcs in one order throughout."""
    circuit = problems[0].circuit
    alone, u = np.empty((2, len(spectra), len(circuit.names)))
    fits = fit(circuit, [spectra[int(s)] for s in order], weight=weight, sequence=True, seed=seed)
    before = order[0]
    for s, one in zip(order, fits, strict=True):
        values, own = np.array([(p.value, p.u) for p in one.parameters]).T
        walked = problems[s].walked(values)
        alone[s], source = align(circuit, walked, walked if s == order[0] else alone[before])
        u[s] = (own / np.where(problems[s].walked_by_log, values, 1.0))[source]
        before = s
    return alone, u


def least_apart(problems: Sequence[Problem], *starts: RealArray) -> float:
    """Return the sum of the least χ² of each spectrum by itself, walked down from the given parameters."""
    walks = [walker(problem) for problem in problems]
    return sum(min(walk(start[s]).chi2 for start in starts) for s, walk in enumerate(walks))
