"""A fit whose parameters are tied to each other: ``fit_tied(circuit, spectrum, {"R2": "2*R1"})``.

A tie is arithmetic over the circuit's own parameter names. Its text is taken apart and checked here, node by node,
before lmfit's evaluator sees it; whatever is not arithmetic is refused without being run.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any

import numpy as np

from eis.errors import FitError
from eis.results import Fit
from eis.spectrum import ComplexArray, RealArray, Spectrum
from fitting.circuit import Circuit, parse
from fitting.cnls import RESTARTS, fit
from fitting.descent import by_scipy
from fitting.problem import Problem, Values, Weight, by_name, check_name, lay_out
from fitting.starts import first_start, starts
from fitting.uncertainty import AGREE, NOTHING, RETRY, End, correlation, record

FUNCTIONS = ("sqrt", "exp", "log", "log10", "tanh")  # functions of one argument that a tie may call
LONGEST = 200  # most characters of a tie
STEP = 6e-6  # relative step of the central differences: the cube root of the rounding error
SAME = 1e-8  # ends whose χ² differ by less than this fraction are one minimum; the earliest start names its arcs
FEWEST = 3  # starts that are tried even if the first two agree
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
MEND = f"Write + - * / **, numbers, parameter names, pi and {', '.join(FUNCTIONS)}."


class Ties:
    """Checked ties in the order in which they can be evaluated; lmfit's evaluator does the arithmetic."""

    def __init__(self, circuit: Circuit, ties: Mapping[str, str]) -> None:
        import lmfit

        self.texts: dict[str, str] = {}
        checked: dict[str, tuple[str, set[str]]] = {}
        for name, text in ties.items():
            check_name(circuit, name)
            checked[name] = checked_expression(circuit, name, text)
            self.texts[name] = " ".join(text.split())
        if len(checked) == len(circuit.names):
            raise FitError("Every parameter is tied", where=f"circuit {circuit}", mend="Leave at least one free.")
        try:
            order = list(TopologicalSorter({name: used for name, (_, used) in checked.items()}).static_order())
        except CycleError as error:
            raise FitError(
                f"The ties go in a circle: {' → '.join(reversed(error.args[1]))}", mend="Leave one of these free."
            ) from None
        self.order = tuple(name for name in order if name in checked)
        self.places = {name: circuit.names.index(name) for name in self.order}
        self.reaches: dict[str, set[str]] = {}  # what each depends on in the end, through other ties
        for name in self.order:
            self.reaches[name] = set().union(*(self.reaches.get(used, {used}) for used in checked[name][1]))
        self._drivers = {name: circuit.names.index(name) for name in set().union(*self.reaches.values())}
        self._lmfit: Any = lmfit.Parameters()
        for name in (*self._drivers, *self.order):
            self._lmfit.add(name, value=1.0)
        for name in self.order:
            self._lmfit[name].expr = checked[name][0]

    def complete(self, values: RealArray) -> RealArray:
        """Return `values`, shape (p,), with the tied ones evaluated; NaN where an expression has no real value."""
        values = values.copy()
        for name, i in self._drivers.items():
            self._lmfit[name].value = float(values[i])
        values[list(self.places.values())] = math.nan
        with np.errstate(all="ignore"):
            try:
                for name, i in self.places.items():
                    values[i] = self._lmfit[name].value
            except (ArithmeticError, ValueError, TypeError):
                pass  # a division by zero, an overflow or a root of something negative: no value from here on
        return values

    def slopes(self, values: RealArray, free: np.ndarray) -> RealArray:
        """Return the derivatives of the tied parameters by all others, shape (p, p), zero but for `free` ones."""
        out, tied = np.zeros((values.size, values.size)), list(self.places.values())
        here = self.complete(values)[tied]
        for i in (i for i in self._drivers.values() if free[i]):
            step = STEP * max(abs(values[i]), 1e-300)
            ends = [(values[i], here)]
            for place in (values[i] - step, values[i] + step):
                moved = values.copy()
                moved[i] = place
                there = self.complete(moved)[tied]
                if np.isfinite(there).all():
                    ends.append((place, there))
            (low, down), (high, up) = (pick(ends, key=lambda end: end[0]) for pick in (min, max))
            out[tied, i] = (up - down) / (high - low) if high > low else math.nan
        return out


@dataclass(frozen=True, slots=True)
class TiedProblem(Problem):
    """A problem in its really free parameters; the tied ones follow them."""

    ties: Ties

    def natural(self, t: RealArray) -> RealArray:
        """Return all parameters in natural units, shape (p,), the tied ones evaluated."""
        return self.ties.complete(Problem.natural(self, t))

    def residuals(self, t: RealArray) -> RealArray:
        """Return the weighted residuals, shape (2n,); infinite where a tied parameter is not a possible one."""
        if self.outside(self.natural(t)):
            return np.full(2 * self.omega.size, math.inf)
        return Problem.residuals(self, t)

    def weighted(self, values: RealArray, by_value: ComplexArray) -> RealArray:
        """Return the Jacobian, shape (2n, k), by the chain rule."""
        slopes = self.ties.slopes(values, self.free) + np.eye(values.size)
        return Problem.weighted(self, values, slopes.T @ by_value)

    def outside(self, values: RealArray) -> str:
        """Say which tied parameter is outside its element's limits, and how; empty if none is."""
        for name, i in self.ties.places.items():
            kind, value = self.circuit.parameters[i], float(values[i])
            if not (0 < value < math.inf and kind.lower <= value <= kind.upper):
                return f"{name} = {self.ties.texts[name]} gives {value:.6g}"
        return ""


def fit_tied(
    circuit: str | Circuit,
    spectrum: Spectrum,
    ties: Mapping[str, str],
    *,
    weight: Weight = "modulus",
    start: Values | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fix: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Fit:
    r"""Fit a circuit some of whose parameters are functions of the others.

    .. math:: \theta_t = g(\theta_f), \qquad C = G \, C_f \, G^T, \qquad G = \partial g / \partial \theta_f

    Parameters
    ----------
    circuit : str or Circuit
        As in `fitting.fit`.
    spectrum : Spectrum
        The data; points with an excluding flag are left out.
    ties : mapping of str to str
        Expressions by parameter name, in natural units: ``{"R2": "2*R1", "CPE2_1": "CPE1_1"}``. Allowed are
        + - * / \*\*, numbers, the circuit's parameter names (also tied ones), pi, sqrt, exp, log, log10 and tanh.
    weight, start, bounds, fix, seed
        As in `fitting.fit`; none of them may name a tied parameter.

    Returns
    -------
    Fit
        Tied parameters have their uncertainty and correlations by linear propagation and are not counted in
        `n_free`; their `because` and the fit's own tell the tie. One tied to fixed parameters alone is fixed.
        Equal arcs stay in the order in which they were found: their names carry the ties.

    Raises
    ------
    FitError
        For an expression that is not arithmetic, an unknown name, ties in a circle, a tied parameter that is also
        fixed, limited or started, nothing left free, or values outside the element's limits from every start.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    if not ties:
        return fit(parsed, spectrum, weight=weight, start=start, bounds=bounds, fix=fix, seed=seed)
    bounds, fix, given = bounds or {}, fix or {}, by_name(parsed, start)
    known = Ties(parsed, ties)
    for wish, names in (("fixed", fix), ("limited", bounds), ("started", given)):
        for name in names:
            if name in known.places:
                what = f"{name} is tied to {known.texts[name]} and {wish} as well"
                raise FitError(what, mend=f"Drop the tie, or leave {name} out of fix, bounds and start.")
    held = np.ones(len(parsed.names))  # only until they follow the free ones
    if spectrum.z_ohm.size > 1:
        held = first_start(parsed, spectrum.frequency_hz, spectrum.z_ohm)
    held_by_name = {name: float(held[i]) for name, i in known.places.items()}
    plain = lay_out(parsed, spectrum, weight, given, bounds, {**fix, **held_by_name})
    problem = TiedProblem(**{name: getattr(plain, name) for name in Problem.__dataclass_fields__}, ties=known)
    ends = _search(problem, given, seed)
    best = next(end for end in ends if end.chi2 <= min(e.chi2 for e in ends) * (1 + SAME) + NOTHING)
    return _with_ties(record(problem, problem.natural(best.t), best, ends, weight), problem)


def checked_expression(circuit: Circuit, name: str, text: str) -> tuple[str, set[str]]:
    """Return a tie rewritten with every number a float, and the parameters it uses; refuse all but arithmetic."""
    shown = repr(text if len(str(text)) <= 60 else f"{str(text)[:60]}…")

    def refusal(what: str, mend: str = MEND) -> FitError:
        return FitError(what, where=f"tie of {name}, {shown}", mend=mend)

    if not isinstance(text, str) or len(text) > LONGEST:
        raise refusal(f"A tie is a text of at most {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise refusal("The tie is not an expression") from None
    used: set[str] = set()

    def rewrite(node: ast.expr) -> ast.expr:
        match node:
            case ast.BinOp(left, op, right) if isinstance(op, ARITHMETIC):
                if isinstance(op, ast.Pow) and any(isinstance(part, ast.Pow) for part in ast.walk(right)):
                    raise refusal("The tie has a power in an exponent", "Work the exponent out.")
                return ast.BinOp(rewrite(left), op, rewrite(right))
            case ast.UnaryOp(ast.UAdd() | ast.USub() as op, operand):
                return ast.UnaryOp(op, rewrite(operand))
            case ast.Call(ast.Name(function), [argument], []) if function in FUNCTIONS:
                return ast.Call(ast.Name(function, ast.Load()), [rewrite(argument)], [])
            case ast.Constant(int() | float() as number) if not isinstance(number, bool):
                if not abs(number) < 1e300:
                    raise refusal("The tie has a number that is too large")
                return ast.Constant(float(number))
            case ast.Name("pi"):
                return ast.Constant(math.pi)
            case ast.Name(parameter):
                check_name(circuit, parameter)
                used.add(parameter)
                return ast.Name(parameter, ast.Load())
            case _:
                raise refusal("The tie is not plain arithmetic")

    source = ast.unparse(rewrite(tree.body))
    if not used:
        raise refusal("The tie names no parameter", f"Hold {name} with fix instead.")
    return source, used


def _search(problem: TiedProblem, given: Mapping[str, float], seed: int) -> list[End]:
    """Walk down from each possible start until two ends agree on the best χ², the given values in all of them."""
    walk, frequency = by_scipy(problem), problem.omega / (2 * np.pi)
    held = np.array([name in given for name in problem.circuit.names]) | ~problem.free
    low, high = problem.limits
    ends, fault = list[End](), ""
    varied = islice(starts(problem.circuit, frequency, problem.z, seed=seed), RESTARTS)
    for values in [problem.values] if held.all() else varied:
        t = problem.walked(np.where(held, problem.values, np.clip(values, problem.lower, problem.upper)))
        wrong = problem.outside(problem.natural(np.clip(t, low + 1e-9, high - 1e-9)))
        if wrong:
            fault = fault or wrong
            continue
        ends.append(walk(t))
        best = min(ends, key=lambda end: end.chi2)
        agreeing = sum(end.chi2 <= best.chi2 * (1 + AGREE) + NOTHING for end in ends)
        right = correlation(problem.residuals(best.t)) <= RETRY / math.sqrt(problem.omega.size)
        if agreeing > 1 and len(ends) >= FEWEST and (right or best.chi2 <= NOTHING):
            break
    if not ends:
        what = f"{fault} at the start, which the element cannot have"
        raise FitError(what, mend="Start its parameters elsewhere, or correct the expression.")
    return ends


def _with_ties(free: Fit, problem: TiedProblem) -> Fit:
    """Return the fit of the free parameters with the uncertainties of the tied ones, and the ties in words."""
    names, ties = problem.circuit.names, problem.ties
    values = np.array([parameter.value for parameter in free.parameters])
    rows = ties.slopes(values, problem.free) + np.eye(values.size)
    lost = {name for name in free.free if not math.isfinite(free[name].u)}
    moving = tuple(name for name in names if ties.reaches.get(name, {name}) & set(free.free))
    G = rows[[names.index(n) for n in moving]][:, problem.free]
    covariance = G @ np.nan_to_num(free.covariance) @ G.T
    unknown = np.array([bool(ties.reaches.get(n, {n}) & lost) for n in moving])
    covariance[unknown, :] = math.nan
    covariance[:, unknown] = math.nan
    parameters, notes = list(free.parameters), list(free.because)
    for name, i in ties.places.items():
        old, text = parameters[i], ties.texts[name]
        follows = name in moving
        variance = covariance[moving.index(name), moving.index(name)] if follows else 0.0
        limits = [end for end in (old.lower, old.upper) if math.isclose(old.value, end, rel_tol=1e-4)]
        parameters[i] = replace(
            old, u=math.sqrt(variance), fixed=not follows, at_bound=bool(limits), because=f"tied: {text}"
        )
        notes.append(f"{name} = {text} (tied)")
        if limits:
            notes.append(f"{name} is at its limit {limits[0]:g} through its tie; the uncertainties ignore that.")
        if math.isnan(variance):
            notes.append(f"{name} has no uncertainty: a parameter in its tie has none.")
    return replace(
        free,
        parameters=tuple(parameters),
        free=moving,
        covariance=covariance,
        because=tuple(notes),
        metadata={**free.metadata, "ties": dict(ties.texts)},
    )
