"""To and from impedance.py and lmfit: circuits, start and fixed values, results. Neither is imported before use.

impedance.py's circuit strings, parameter names, order and units are ours, with one exception. It computes its
modified inductor La as (L·jω)^α, we as L·(jω)^α; L is converted, L_ours = L_theirs^α, so that both give the same
impedance, and a warning says so.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, cast, overload

import numpy as np

from eis.errors import ConfigError, FitError, ReadError, StoreError
from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import parse
from fitting.foreign import ForeignModel, as_theirs, exchangeable, judge, model_of
from fitting.problem import Weight, lay_out

if TYPE_CHECKING:
    import lmfit

MAX_BYTES = 1_000_000
"""Largest model file that is read; impedance.py's own have a few hundred bytes."""
REACH = 1e3
"""lmfit walks a scale or time without limits of its own within this factor of its value, see `minimizer`."""
ROUNDING = 1e-20
"""Reduced χ² below which data have no scatter to speak of."""


class FitArguments(TypedDict):
    """What `fitting.fit` takes by name: ``fit(circuit, spectrum, **arguments)``."""

    start: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    fix: dict[str, float]
    ties: dict[str, str]


def import_impedance_py() -> ModuleType:
    """Import ``impedance.models.circuits`` and mend what NumPy 2 broke in release 1.7.1.

    Its evaluator writes numbers as text, which NumPy 2 spells ``np.float64(…)``, a name it does not know; it is
    told that name here. Lin-KK and NumPy numbers among constants work afterwards, in the whole process.

    Raises
    ------
    ConfigError
        If impedance.py cannot be imported.
    """
    try:
        circuits = importlib.import_module("impedance.models.circuits")
        elements = importlib.import_module("impedance.models.circuits.elements")
    except ImportError as error:
        raise ConfigError(
            f"impedance.py cannot be imported: {error}",
            mend="Install it with its undeclared dependency: pip install impedance pandas.",
        ) from error
    elements.circuit_elements.setdefault("np", np)
    return circuits


def to_impedance_py(fit: Fit) -> Any:
    """Return a fitted ``CustomCircuit``: values in `parameters_`, standard uncertainties in `conf_`.

    Fixed parameters become its `constants`; a parameter without an uncertainty has NaN. Its prediction is compared
    with the fit's before it is handed out.

    Raises
    ------
    CircuitError
        If the circuit has an element that impedance.py does not have.
    FitError
        If impedance.py computes another impedance from the same values.
    ConfigError
        If impedance.py cannot be imported.
    """
    circuit = exchangeable(fit.circuit)
    values, u, notes = as_theirs(circuit, fit)
    free = [p.name for p in fit.parameters if not p.fixed]
    constants = {p.name: values[p.name] for p in fit.parameters if p.fixed}
    custom = import_impedance_py().CustomCircuit(
        str(circuit), initial_guess=[values[name] for name in free], constants=constants
    )
    custom.parameters_ = np.array([values[name] for name in free])
    custom.conf_ = np.array([u[name] for name in free])
    with np.errstate(all="ignore"):
        theirs = np.asarray(custom.predict(fit.frequency_hz))
    apart = float(np.max(np.abs(theirs - fit.z_fit_ohm) / np.abs(fit.z_fit_ohm), initial=0.0))
    if not apart < 1e-9:
        raise FitError(
            f"impedance.py computes another impedance from these values, off by {apart:.2g}",
            where=f"circuit {circuit}",
            mend="Exchange a circuit without the element that differs, and report this one to us.",
        )
    _tell(notes)
    return custom


@overload
def from_impedance_py(circuit: Any, spectrum: None = ..., *, weight: Weight = ...) -> ForeignModel: ...
@overload
def from_impedance_py(circuit: Any, spectrum: Spectrum, *, weight: Weight = ...) -> Fit: ...
def from_impedance_py(
    circuit: Any, spectrum: Spectrum | None = None, *, weight: Weight = "modulus"
) -> ForeignModel | Fit:
    """Take over a ``CustomCircuit`` (or ``Randles``), and with a spectrum judge its fitted values.

    Parameters
    ----------
    circuit : CustomCircuit
        Any object with impedance.py's `circuit`, `initial_guess`, `constants`, `parameters_` and `conf_`.
    spectrum : Spectrum, optional
        What the circuit was fitted to.
    weight : {"modulus", "unit", "proportional", "variance"}
        How the residuals are weighted; impedance.py's own default is ``"unit"``.

    Returns
    -------
    ForeignModel or Fit
        Without a spectrum, the model. With one, a `Fit` of impedance.py's values as they are, with the covariance
        that impedance.py does not keep; it is not `converged` if a step could still lower χ² noticeably.

    Raises
    ------
    CircuitError, FitError
        If the circuit or its values are not ours to take, or a spectrum is given and the circuit is not fitted.
    """

    def refuse(what: str, mend: str) -> NoReturn:
        raise FitError(what, where="impedance.py circuit", mend=mend)

    try:
        entry = {
            "Name": circuit.name,
            "Circuit String": circuit.circuit,
            "Initial Guess": circuit.initial_guess,
            "Constants": circuit.constants,
            "Parameters": circuit.parameters_,
            "Confidence": circuit.conf_,
        }
    except AttributeError as error:
        raise ConfigError(
            f"This is not a circuit of impedance.py: {error}", mend="Give a CustomCircuit or a Randles."
        ) from error
    entry = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in entry.items()}
    model = model_of(entry, refuse)
    _tell(model.notes)
    return model if spectrum is None else judge(model, spectrum, weight)


def read_impedance_json(path: str | Path) -> ForeignModel:
    """Read a model that impedance.py saved; impedance.py itself is not needed.

    Raises
    ------
    ReadError
        If the file is missing, larger than 1 MB, not such JSON, or holds values that no circuit can have; the
        key is named.
    """
    path = Path(path)

    def refuse(what: str, mend: str) -> NoReturn:
        raise ReadError(what, path=path, mend=mend)

    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReadError(f"The file cannot be read: {error.strerror}", path=path, mend="Check the path.") from error
    if len(content) > MAX_BYTES:
        refuse(f"The file is larger than {MAX_BYTES} bytes", "Name a file written by impedance.py's save().")
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(
            f"The file is not JSON: {error}", path=path, mend="Name a file written by impedance.py's save()."
        ) from error
    if not isinstance(entry, dict):
        refuse("The file holds no JSON object", "Name a file written by impedance.py's save().")
    for key in ("Circuit String", "Initial Guess", "Constants", "Fit"):
        if key not in entry:
            refuse(f"The key {key!r} is missing", "Name a file written by impedance.py's save().")
    if not isinstance(entry["Fit"], bool):
        refuse(f"Fit is {entry['Fit']!r}, neither true nor false", "Save the model again.")
    if not entry["Fit"]:
        entry = {key: value for key, value in entry.items() if key not in ("Parameters", "Confidence")}
    elif entry.get("Parameters") is None:
        refuse("Fit is true and Parameters are missing", "Save the model again, or set Fit to false.")
    model = model_of(entry, refuse)
    _tell(model.notes)
    return model


def write_impedance_json(fit: Fit, path: str | Path, *, name: str | None = None, overwrite: bool = False) -> Path:
    """Write a fit as a model file for impedance.py; impedance.py itself is not needed.

    There, load it into any circuit: ``c = CustomCircuit("R0", initial_guess=[1]); c.load(path)``. A parameter
    without an uncertainty has NaN as its confidence: Python's JSON reader, and so impedance.py, takes that.

    Raises
    ------
    CircuitError
        If the circuit has an element that impedance.py does not have.
    StoreError
        If the file is there, or cannot be written.
    """
    path = Path(path)
    circuit = exchangeable(fit.circuit)
    values, u, notes = as_theirs(circuit, fit)
    free = [p.name for p in fit.parameters if not p.fixed]
    entry = {
        "Name": name,
        "Circuit String": str(circuit),
        "Initial Guess": [values[n] for n in free],
        "Constants": {p.name: values[p.name] for p in fit.parameters if p.fixed},
        "Fit": True,
        "Parameters": [values[n] for n in free],
        "Confidence": [u[n] for n in free],
    }
    if path.exists() and not overwrite:
        raise StoreError(
            "The file is there already", where=str(path), mend="Name another, or pass overwrite=True."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps(entry), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"The file cannot be written: {error}", where=str(path), mend="Check the folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    _tell(notes)
    return path


def from_lmfit(parameters: lmfit.Parameters) -> FitArguments:
    """Return what `parameters` say as arguments of a fit: ``fit(circuit, spectrum, **from_lmfit(p))``.

    Values, limits, what does not vary, and expressions. Limits that say no more than "not negative" are left to
    the fit; those of a tied parameter are its element's.

    Raises
    ------
    FitError
        If a parameter has no finite value.
    """
    out = FitArguments(start={}, bounds={}, fix={}, ties={})
    for name, parameter in parameters.items():
        if parameter.expr is not None:
            out["ties"][name] = parameter.expr
            continue
        value, low, high = float(parameter.value), float(parameter.min), float(parameter.max)
        if not math.isfinite(value):
            raise FitError(f"{name} has no value", where="lmfit parameters", mend=f"Give {name} a finite value.")
        if not parameter.vary:
            out["fix"][name] = value
            continue
        out["start"][name] = value
        if low > 0 or high < math.inf:
            out["bounds"][name] = low, high
    return out


def minimizer(fit: Fit, spectrum: Spectrum) -> lmfit.Minimizer:
    """Return an ``lmfit.Minimizer`` of the fit's own weighted residuals, for ``conf_interval`` or ``emcee``.

    Call ``result = m.minimize()`` and then ``lmfit.conf_interval(m, result)``, or ``m.emcee()``. The residuals are
    in units of the scatter that the fit found, √(reduced χ²), unless the weight is ``"variance"``: a sampler takes
    them for standard deviations. A parameter without limits of its own is kept within a factor of 1000 of its
    value: lmfit's transformation of an open limit loses the digits of small values (a capacitance of 1e-9 F), and
    a sampler needs an end of its walk.

    Parameters
    ----------
    fit : Fit
        Where to begin, and the weight.
    spectrum : Spectrum
        The spectrum of that fit.

    Raises
    ------
    FitError
        If the spectrum is another one.
    """
    import lmfit

    start = {p.name: p.value for p in fit.parameters if not p.fixed}
    fix = {p.name: p.value for p in fit.parameters if p.fixed}
    problem = lay_out(parse(fit.circuit), spectrum, cast(Weight, fit.weight), start, {}, fix)
    if problem.z.shape != fit.z_ohm.shape or not np.allclose(problem.z, fit.z_ohm, rtol=1e-12, atol=0):
        raise FitError(
            "The spectrum is not the one that was fitted",
            where=spectrum.name,
            mend="Give the spectrum of this fit.",
        )
    parameters = fit.to_lmfit()
    for p in fit.parameters:
        if not p.fixed:
            parameters[p.name].set(min=max(p.lower, p.value / REACH), max=min(p.upper, p.value * REACH))

    known = fit.weight == "variance" or fit.reduced_chi2 < ROUNDING
    scatter = 1.0 if known else math.sqrt(fit.reduced_chi2)

    def residuals(trial: lmfit.Parameters) -> RealArray:
        values = np.array([trial[name].value for name in problem.circuit.names], dtype=float)
        return problem.residuals(problem.walked(values)) / scatter

    return lmfit.Minimizer(residuals, parameters, scale_covar=fit.weight != "variance")


def _tell(notes: Sequence[str]) -> None:
    if notes:
        warnings.warn(" ".join(notes), UserWarning, stacklevel=3)
