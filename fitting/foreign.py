"""Circuits with values as other programs keep them: checked, converted to ours, and judged against a spectrum."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import CircuitError, FitError
from eis.results import Fit
from eis.spectrum import ComplexArray, RealArray, Spectrum
from fitting.circuit import Circuit, parse
from fitting.problem import Problem, Weight, lay_out
from fitting.uncertainty import End, record

SHARED = ("R", "C", "L", "CPE", "W", "Wo", "Ws", "Zarc", "G", "Gs", "K", "TLMQ", "La")
"""Element letters of the same formula in impedance.py 1.7 and, where we have them, here; La by conversion.

impedance.py's T is not among them: it cuts sinh off by comparing complex numbers.
"""
SETTLED = 1e-3
"""Relative fall of χ² that a step may still promise if a fit has arrived."""
NOTHING = 1e-28
"""χ² per residual that is rounding alone."""


class Refuse(Protocol):
    """Raises an error of ours that knows the file or object it is about."""

    def __call__(self, what: str, mend: str) -> NoReturn: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A circuit with its values as another program keeps them, in our names, units and formulas.

    Fit it again with ``fit(model.circuit, spectrum, start=model.start, fix=model.fix)``.

    Parameters
    ----------
    circuit : Circuit
        The circuit.
    start, fix : mapping of str to float
        Initial values of the free parameters (empty if there were none), and the parameters held at a value.
    values, u : mapping of str to float, optional
        Fitted values of the free parameters and their standard uncertainties (NaN where there is none);
        None if the model was not fitted.
    name : str
        The model's name, or an empty text.
    notes : tuple of str
        What was converted, renamed or left open.
    """

    circuit: Circuit
    start: Mapping[str, float]
    fix: Mapping[str, float]
    values: Mapping[str, float] | None = None
    u: Mapping[str, float] | None = None
    name: str = ""
    notes: tuple[str, ...] = ()

    def impedance(self, frequency_hz: ArrayLike) -> ComplexArray:
        """Return the impedance (ohm), shape (n,), of the fitted values, or of the initial ones if not fitted."""
        known = {**(self.start if self.values is None else self.values), **self.fix}
        missing = [name for name in self.circuit.names if name not in known]
        if missing:
            raise FitError(
                f"The model has no value for {', '.join(missing)}",
                mend="Give the model initial values, or fit it.",
            )
        omega = 2 * np.pi * np.atleast_1d(np.asarray(frequency_hz, dtype=float))
        return self.circuit.impedance(omega, [known[name] for name in self.circuit.names])


def exchangeable(text: str) -> Circuit:
    """Parse a circuit of ours, and refuse by name an element that impedance.py does not have.

    Raises
    ------
    CircuitError
        Naming the element.
    """
    circuit = parse(text)
    for leaf in circuit.leaves:
        if leaf.letter not in SHARED:
            raise CircuitError(
                f"impedance.py has no element of the same formula as our {leaf.element.name} {leaf.letter!r}",
                text=text,
                position=max(text.find(leaf.name), 0),
                mend=f"Exchange circuits of {', '.join(SHARED)}.",
            )
    return circuit


def model_of(entry: Mapping[str, Any], refuse: Refuse) -> ForeignModel:
    """Check what impedance.py keeps of a model and convert it; `entry` has the keys of its JSON files."""
    text, name = entry["Circuit String"], entry.get("Name")
    if not isinstance(text, str):
        refuse(f"Circuit String is {text!r}, not a text", "Give a circuit such as R0-p(R1,CPE1).")
    if name is not None and not isinstance(name, str):
        refuse(f"Name is {name!r}, not a text", "Give a name or null.")
    try:
        circuit = exchangeable(_joined(text))
    except CircuitError as error:
        refuse(f"Circuit String {text[:80]!r}: {error.what}", error.mend)
    constants = entry["Constants"] if entry["Constants"] is not None else {}
    if not isinstance(constants, Mapping):
        refuse(f"Constants is {constants!r}, not a table", 'Give names and values, as {"R0": 0.1}.')
    fix = {_joined(str(key)): _number(value, f"Constants.{key}", refuse) for key, value in constants.items()}
    for key in fix:
        if key not in circuit.names:
            refuse(f"Constants.{key}: the circuit has no such parameter", f"It has {', '.join(circuit.names)}.")
    free = [parameter for parameter in circuit.names if parameter not in fix]
    guess = [value for value in _list(entry, "Initial Guess", refuse) or [] if value is not None]
    start = _named(guess, free, "Initial Guess", refuse) if guess else {}
    fitted, spread = _list(entry, "Parameters", refuse), _list(entry, "Confidence", refuse)
    values = None if fitted is None else _named(fitted, free, "Parameters", refuse)
    u = None if values is None or spread is None else _named(spread, free, "Confidence", refuse, finite=False)
    notes: list[str] = []
    begun = _la_to_ours(circuit, {**start, **fix}, set(free), notes, refuse)
    ended = None if values is None else _la_to_ours(circuit, {**values, **fix}, set(free), notes, refuse)
    if values is not None and u is not None:
        u = _la_spread(circuit, {**values, **fix}, u, notes)
    return ForeignModel(
        circuit=circuit,
        start={key: begun[key] for key in start},
        fix={key: (begun if ended is None else ended)[key] for key in fix},
        values=None if ended is None else {key: ended[key] for key in free},
        u=u,
        name=name or "",
        notes=tuple(dict.fromkeys(notes)),
    )


def as_theirs(circuit: Circuit, fit: Fit) -> tuple[dict[str, float], dict[str, float], list[str]]:
    """Return values and standard uncertainties as impedance.py has them, and what was converted."""
    values = {p.name: float(p.value) for p in fit.parameters}
    u = {p.name: float(p.u) for p in fit.parameters}
    notes: list[str] = []
    for leaf in circuit.leaves:
        if leaf.letter != "La":
            continue
        names = leaf.parameter_names
        inductance, alpha = (values[name] for name in names)
        if not (inductance > 0 and alpha > 0):
            raise FitError(
                f"{leaf.name} with L = {inductance:g} and α = {alpha:g} has no equivalent in impedance.py",
                where=f"circuit {circuit}",
                mend="Exchange a fit in which both are above zero.",
            )
        theirs = inductance ** (1 / alpha)
        slope = theirs * np.array([1 / (alpha * inductance), -math.log(inductance) / alpha**2])
        values[names[0]] = theirs
        u[names[0]] = float(np.sqrt(np.maximum(slope @ fit.covariance_of(names) @ slope, 0.0)))
        notes.append(_la_note(leaf.name, ours=inductance, theirs=theirs))
        if fit[names[0]].fixed and not fit[names[1]].fixed:
            notes.append(
                f"{names[0]} is held at a value and {names[1]} is not: held, L means another thing there."
            )
    return values, u, notes


def judge(model: ForeignModel, spectrum: Spectrum, weight: Weight) -> Fit:
    """Return the `Fit` that a fitted model is of a spectrum, its values as they are.

    Raises
    ------
    FitError
        If the model was not fitted, or its values are outside what a fit of ours allows.
    """
    if model.values is None:
        raise FitError(
            "The model was not fitted; there is nothing to judge",
            where=f"circuit {model.circuit}",
            mend="Fit it here: fit(model.circuit, spectrum, start=model.start, fix=model.fix).",
        )
    problem = lay_out(model.circuit, spectrum, weight, model.values, {}, model.fix)
    known = {**model.values, **model.fix}
    natural = np.array([known[name] for name in model.circuit.names])
    t = problem.walked(natural)
    residuals, promised = problem.residuals(t), _promised_fall(problem, natural)
    chi2 = float(residuals @ residuals)
    found = record(problem, natural, End(t, chi2, True), [], weight)
    notes = [f"Values taken over as they are, not fitted here; {weight} weights.", *model.notes]
    if promised > SETTLED:
        notes.append(
            f"They are not at a minimum: a step promises a χ² lower by {promised:.2g} of itself. They were "
            f"fitted with other weights or points, or not to the end; fit from them before trusting uncertainties."
        )
    return replace(found, converged=promised <= SETTLED, because=(*notes, *found.because))


def _promised_fall(problem: Problem, values: RealArray) -> float:
    """Return by which fraction of itself χ² would fall in a full Gauss–Newton step."""
    t = problem.walked(values)
    residuals, jacobian = problem.residuals(t), problem.jacobian(t)
    chi2 = float(residuals @ residuals)
    lengths = np.linalg.norm(jacobian, axis=0)
    directions = jacobian / np.where(lengths > 0, lengths, 1.0)
    step = np.linalg.lstsq(directions, residuals, rcond=1e-10)[0]
    fitted = directions @ step
    return float(fitted @ fitted) / chi2 if chi2 > NOTHING * residuals.size else 0.0


def _joined(text: str) -> str:
    """Return a circuit or a parameter name with impedance.py's other spelling R_1 written R1."""
    return re.sub(r"(?<![A-Za-z])([A-Za-z]+)_(?=[0-9])", r"\1", text)


def _list(entry: Mapping[str, Any], key: str, refuse: Refuse) -> list[Any] | None:
    found = entry.get(key)
    if found is None:
        return None
    if not isinstance(found, (list, tuple)):
        refuse(f"{key} is {found!r:.60}, not a list", "Give one number for each free parameter.")
    return list(found)


def _named(
    numbers: list[Any], names: list[str], key: str, refuse: Refuse, *, finite: bool = True
) -> dict[str, float]:
    """Return the numbers by parameter name."""
    if len(numbers) != len(names):
        refuse(
            f"{key} has {len(numbers)} values and the circuit has {len(names)} free parameters",
            f"Give one value each for {', '.join(names)}.",
        )
    checked = (_number(value, f"{key}[{i}]", refuse, finite=finite) for i, value in enumerate(numbers))
    return dict(zip(names, checked, strict=True))


def _number(value: Any, key: str, refuse: Refuse, *, finite: bool = True) -> float:  # noqa: RET503
    """Return a float; what is not finite is refused, or else stands for no uncertainty and becomes NaN."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
        if not finite:
            return math.nan
    refuse(f"{key} is {value!r:.60}, not a finite number", "Give a number such as 1.5e-6.")


def _la_note(name: str, *, ours: float, theirs: float) -> str:
    return (
        f"impedance.py computes {name} as (L·jω)^α, we as L·(jω)^α: L is {theirs:.6g} there and {ours:.6g} here, "
        f"so that both give the same impedance."
    )


def _la_to_ours(
    circuit: Circuit, known: dict[str, float], free: set[str], notes: list[str], refuse: Refuse
) -> dict[str, float]:
    """Return the values with L of every La converted."""
    out = dict(known)
    for leaf in circuit.leaves:
        if leaf.letter != "La":
            continue
        first, second = leaf.parameter_names
        if first not in free and second in free:
            refuse(
                f"{first} is held at a value and {second} is not, which our formula of La cannot express",
                f"Free {first}, or hold {second} too.",
            )
        if first in known and second in known:
            if not (known[first] > 0 and known[second] > 0):
                refuse(f"{leaf.name} needs L and α above zero", "Give both a value above zero.")
            out[first] = known[first] ** known[second]
            notes.append(_la_note(leaf.name, ours=out[first], theirs=known[first]))
    return out


def _la_spread(
    circuit: Circuit, known: Mapping[str, float], u: Mapping[str, float], notes: list[str]
) -> dict[str, float]:
    """Return the uncertainties with that of every L of La converted, or NaN where that takes a correlation."""
    out = dict(u)
    for leaf in circuit.leaves:
        if leaf.letter == "La" and leaf.parameter_names[0] in u:
            first, second = leaf.parameter_names
            out[first] = math.nan
            if second not in u:
                out[first] = known[second] * known[first] ** (known[second] - 1) * u[first]
            else:
                notes.append(f"{first} has no uncertainty here: it takes its correlation with {second}.")
    return out
