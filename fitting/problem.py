"""A circuit, a spectrum and the caller's wishes, checked and laid out as a least-squares problem."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eis.errors import FitError
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray, Spectrum
from fitting.circuit import Circuit
from fitting.evaluation import evaluate, impedance
from fitting.starts import first_start

Weight = Literal["modulus", "unit", "proportional", "variance"]
Values = Mapping[str, float] | Sequence[float]

SPAN = 1e-6, 1e6
"""Scales and times stay within these factors of the least and the most that the data could show."""
EXPONENT_FLOOR = 0.4
"""Default lower limit of an exponent; below it a CPE is a resistor in disguise."""
NEGATIVE = (
    "Z′ is negative at most points, which no circuit of positive elements shows: the leads, or the sign of Z, are "
    "the wrong way round."
)
INDUCTIVE = 0.01
"""Z″/|Z| above which a leading run of Z″ > 0 is inductance rather than noise."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A least-squares problem in walked parameters t: ln θ for scales and times, θ for exponents.

    `values` are the starts (and the fixed values) in natural units, shape (p,); `free` tells which of them are
    fitted, `lower` and `upper` the limits the search keeps, `shown` those of the element or the caller. `notes`
    say what was decided for the caller.
    """

    circuit: Circuit
    omega: RealArray
    z: ComplexArray
    weights: tuple[RealArray, RealArray]
    walked_by_log: np.ndarray
    lower: RealArray
    upper: RealArray
    free: np.ndarray
    values: RealArray
    shown: tuple[tuple[float, float], ...]
    notes: tuple[str, ...]

    def natural(self, t: RealArray) -> RealArray:
        """Return all parameters in natural units, shape (p,), from the walked free ones, shape (k,)."""
        values = self.values.copy()
        values[self.free] = np.where(self.walked_by_log[self.free], np.exp(np.clip(t, -700, 700)), t)
        return values

    def walked(self, values: RealArray) -> RealArray:
        """Return the walked free parameters, shape (k,), from all in natural units, shape (p,)."""
        by_log = self.walked_by_log[self.free]
        chosen = values[self.free]
        return np.where(by_log, np.log(np.where(by_log, np.maximum(chosen, 1e-300), 1.0)), chosen)

    @property
    def limits(self) -> tuple[RealArray, RealArray]:
        """Limits of the walked free parameters, each of shape (k,)."""
        return self.walked(self.lower), self.walked(np.minimum(self.upper, 1e300))

    def residuals(self, t: RealArray) -> RealArray:
        """Return the weighted residuals, real parts then imaginary parts, shape (2n,)."""
        difference = impedance(self.circuit, self.omega, self.natural(t)) - self.z
        return np.concatenate([difference.real * self.weights[0], difference.imag * self.weights[1]])

    def jacobian(self, t: RealArray) -> RealArray:
        """Return the derivatives of the residuals by the walked parameters, shape (2n, k)."""
        values = self.natural(t)
        return self.weighted(values, self.circuit.jacobian(self.omega, values)[1])

    def weighted(self, values: RealArray, by_value: ComplexArray) -> RealArray:
        """Return the Jacobian, shape (2n, k), from the derivatives of Z by all parameters, shape (p, n)."""
        by_walked = (by_value * np.where(self.walked_by_log, values, 1.0)[:, None])[self.free]
        return np.concatenate([by_walked.real * self.weights[0], by_walked.imag * self.weights[1]], axis=1).T


def lay_out(
    circuit: Circuit,
    spectrum: Spectrum,
    weight: Weight,
    start: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]],
    fix: Mapping[str, float],
) -> Problem:
    """Check everything the caller said and lay the problem out.

    Raises
    ------
    FitError
        As `fitting.cnls.fit` says.
    """
    bounds = pairs(circuit, bounds)
    for name in fix:
        check_name(circuit, name)
    free = np.array([name not in fix for name in circuit.names])
    if not free.any():
        raise FitError("Every parameter is fixed", mend="Leave at least one parameter free.")
    chosen, notes = _choose_points(circuit, spectrum)
    if 2 * np.count_nonzero(spectrum.z_ohm.real < 0) > len(spectrum):
        notes = (*notes, NEGATIVE)
    n, k = int(chosen.sum()), int(free.sum())
    if n < 2 * k:
        raise FitError(
            f"{n} point{'' if n == 1 else 's'} cannot determine {k} free parameters; at least {2 * k} are needed",
            where=f"{spectrum.name}, circuit {circuit}",
            mend="Fix some parameters, take a simpler circuit, or measure more points.",
        )
    frequency, z = spectrum.frequency_hz[chosen], spectrum.z_ohm[chosen]
    if not np.all(z != 0):
        at = format_si(float(frequency[z == 0][0]), "Hz")
        raise FitError(
            f"The point at {at} has |Z| = 0", where=spectrum.name, mend="Drop the point: no cell has it."
        )
    by_log = np.array([parameter.kind != "exponent" for parameter in circuit.parameters])
    told = {**start, **fix}
    if any(name not in told for name in circuit.names):
        told = dict(zip(circuit.names, first_start(circuit, frequency, z).tolist(), strict=True)) | told
    values = np.array([told[name] for name in circuit.names])
    ends = reach(2 * np.pi * frequency, np.abs(z).min(), np.abs(z).max())
    lower, upper = _limits(circuit, values, free, start, bounds, ends)
    values = np.where(free, np.clip(values, lower, upper), values)
    weights = tuple(part[chosen] for part in _weights(spectrum, weight))
    problem = Problem(
        circuit=circuit,
        omega=2 * np.pi * frequency,
        z=z,
        weights=(weights[0], weights[1]),
        walked_by_log=by_log,
        lower=lower,
        upper=upper,
        free=free,
        values=values,
        shown=tuple(
            bounds.get(name, (parameter.lower, parameter.upper))
            for name, parameter in zip(circuit.names, circuit.parameters, strict=True)
        ),
        notes=notes,
    )
    with np.errstate(all="ignore"):
        finite = all(np.all(np.isfinite(part)) for part in evaluate(circuit, problem.omega, problem.values))
    if not finite:
        raise FitError(
            "The circuit has no finite impedance at its start",
            where=f"circuit {circuit}",
            mend="Give other start or fixed values; a capacitor or a Q cannot be zero.",
        )
    return problem


def _choose_points(circuit: Circuit, spectrum: Spectrum) -> tuple[np.ndarray, tuple[str, ...]]:
    """Leave out a leading inductive run if the circuit has no inductor to describe it, and say so."""
    z = spectrum.z_ohm
    chosen = np.ones(z.size, dtype=bool)
    capacitive = np.flatnonzero(z.imag <= 0)
    run = int(capacitive[0]) if capacitive.size else 0
    has_inductor = any(leaf.letter in ("L", "La") for leaf in circuit.leaves)
    if has_inductor or run == 0 or float((z.imag[:run] / np.abs(z[:run])).max()) < INDUCTIVE:
        return chosen, ()
    chosen[:run] = False
    lowest = format_si(float(spectrum.frequency_hz[run - 1]), "Hz")
    note = (
        f"{run} inductive points (Z″ > 0) at {lowest} and above were left out: the circuit has no inductor. "
        f"Fit L0-{circuit} to use them; leaving them out biases a small series resistance."
    )
    return chosen, (note,)


def reach(omega: RealArray, small: RealArray, large: RealArray) -> dict[str, tuple[RealArray, RealArray]]:
    """Return, by unit, the least and the most a scale or a time can be and still show in the data.

    Parameters
    ----------
    omega : ndarray, shape (n,)
        Angular frequency (rad/s).
    small, large : ndarray
        Least and largest |Z| (ohm), one per spectrum.
    """
    slow, fast = float(omega.min()), float(omega.max())
    one = np.ones_like(small)
    return {
        "ohm": (small, large),
        "s": (one / fast, one / slow),
        "F": (1 / (large * fast), 1 / (small * slow)),
        "S s^a": (1 / (large * max(fast, 1.0)), 1 / (small * min(slow, 1.0))),
        "H": (small / fast, large / slow),
        "ohm s^-1/2": (small * slow**0.5, large * fast**0.5),
        "ohm s^a": (small / max(fast, 1.0), large / min(slow, 1.0)),
        "": (1e-3 * one, 1e3 * one),
    }


def _limits(
    circuit: Circuit,
    values: RealArray,
    free: np.ndarray,
    start: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]],
    ends: Mapping[str, tuple[RealArray, RealArray]],
) -> tuple[RealArray, RealArray]:
    """Return lower and upper limits in natural units, each of shape (p,), checked against the starts."""
    lower, upper = np.zeros(values.size), np.full(values.size, math.inf)
    for i, (name, parameter) in enumerate(zip(circuit.names, circuit.parameters, strict=True)):
        value = float(values[i])
        if not math.isfinite(value) or value < 0 or (free[i] and parameter.kind != "exponent" and value == 0):
            raise FitError(
                f"{name} cannot be {value:g}", mend=f"Give {name} a value above zero ({parameter.unit})."
            )
        if name in bounds:
            low, high = bounds[name]
            if not low < high:
                raise FitError(
                    f"The limits of {name} are {low:g} and {high:g}", mend="Give a lower and a higher one."
                )
            low, high = max(low, parameter.lower), min(high, parameter.upper)
        elif parameter.kind == "exponent":
            low, high = min(EXPONENT_FLOOR, value), parameter.upper
        else:
            reaches = ends.get(
                parameter.unit, (np.float64(value), np.float64(value))
            )  # a user's element: its own unit
            low, high = (float(end) * span for end, span in zip(reaches, SPAN, strict=True))
            low, high = min(low, value), max(high, value)
        if free[i] and name in start and not low <= value <= high:
            raise FitError(
                f"{name} starts at {value:g}, outside its limits {low:g} and {high:g}",
                mend="Move the start or widen the limits.",
            )
        lower[i], upper[i] = low, high
    return lower, upper


def _weights(spectrum: Spectrum, weight: Weight) -> tuple[RealArray, RealArray]:
    """Return 1/σ for the real and the imaginary parts, each of shape (n,)."""
    z = spectrum.z_ohm
    size = np.abs(z)
    if weight == "modulus":
        return 1 / size, 1 / size
    if weight == "unit":
        return np.ones(z.size), np.ones(z.size)
    if weight == "proportional":
        floor = 1e-6 * size
        return 1 / np.maximum(np.abs(z.real), floor), 1 / np.maximum(np.abs(z.imag), floor)
    if weight == "variance":
        u = spectrum.columns.get("u_z_ohm")
        if u is None or not np.all(u[spectrum.used] > 0):
            raise FitError(
                "Variance weights need the standard uncertainty of every point",
                where=spectrum.name,
                mend="Give the spectrum a column u_z_ohm (ohm, above zero), or use modulus weights.",
            )
        return 1 / u[spectrum.used], 1 / u[spectrum.used]
    raise FitError(f"Unknown weight {weight!r}", mend="Choose modulus, unit, proportional or variance.")


def by_name(circuit: Circuit, start: Values | None) -> dict[str, float]:
    """Return start values by parameter name, from a mapping or from all values in circuit order."""
    if start is None:
        return {}
    if isinstance(start, Mapping):
        for name in start:
            check_name(circuit, name)
        return {name: float(value) for name, value in start.items()}
    if len(start) != len(circuit.names):
        raise FitError(
            f"The circuit has {len(circuit.names)} parameters and {len(start)} start values were given",
            where=f"circuit {circuit}",
            mend=f"Give one value each for {', '.join(circuit.names)}, or some of them by name.",
        )
    return dict(zip(circuit.names, map(float, start), strict=True))


def pairs(circuit: Circuit, bounds: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return limits as pairs of numbers, None being no limit, or refuse what is none."""
    found: dict[str, tuple[float, float]] = {}
    for name, given in bounds.items():
        check_name(circuit, name)
        try:
            low, high = given
            found[name] = -math.inf if low is None else float(low), math.inf if high is None else float(high)
        except (TypeError, ValueError):
            raise FitError(
                f"The limits of {name} are {given!r}", mend="Give two numbers, the lower and the higher one."
            ) from None
    return found


def check_name(circuit: Circuit, name: str) -> None:
    """Refuse a parameter name the circuit does not have, naming the nearest."""
    if name not in circuit.names:
        near = [known for known in circuit.names if known.startswith(f"{name}_")]
        near += difflib.get_close_matches(name, circuit.names, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise FitError(
            f"The circuit has no parameter {name!r}",
            where=f"circuit {circuit}",
            mend=f"{hint}It has {', '.join(circuit.names)}.",
        )
