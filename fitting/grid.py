"""Many spectra on one frequency grid, checked and laid out as arrays for the engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import FitError
from eis.spectrum import ComplexArray, IntArray, RealArray
from fitting.circuit import Circuit
from fitting.noise import relative_noise
from fitting.problem import EXPONENT_FLOOR, SPAN, Weight, check_name, pairs, reach


@dataclass(frozen=True, slots=True)
class Grid:
    """Checked arrays. `low` and `high` are walked limits, shape (spectra, p); masked points have weight zero."""

    circuit: Circuit
    frequency: RealArray
    z: ComplexArray
    weight_r: RealArray
    weight_i: RealArray
    is_log: NDArray[np.bool_]
    free: IntArray
    fixed: RealArray
    low: RealArray
    high: RealArray
    own_limits: NDArray[np.bool_]
    expected: RealArray
    nothing: RealArray


def lay_out_grid(
    circuit: Circuit,
    frequency_hz: ArrayLike,
    z_ohm: ArrayLike,
    weight: Weight,
    u_z_ohm: ArrayLike | None,
    bounds: Mapping[str, tuple[float, float]],
    fix: Mapping[str, float],
) -> Grid:
    """Check everything the caller said; raises `FitError` as `fitting.bulk.fit_many` says."""
    bounds = pairs(circuit, bounds)
    for name in fix:
        check_name(circuit, name)
    frequency = np.ascontiguousarray(frequency_hz, dtype=np.float64)
    z = np.array(z_ohm, dtype=np.complex128, ndmin=2)
    if frequency.ndim != 1 or z.ndim != 2 or z.shape[1] != frequency.size:
        raise FitError(
            f"Frequencies have shape {frequency.shape} and impedances {z.shape}",
            mend="Give frequencies of shape (n,) and impedances of shape (spectra, n).",
        )
    if not (np.all(np.isfinite(frequency)) and np.all(frequency > 0) and np.all(np.diff(frequency) < 0)):
        raise FitError(
            "Frequencies must be positive and fall", mend="Sort them from high to low, without repeats."
        )
    used = np.isfinite(z) & (np.abs(np.where(np.isfinite(z), z, 1)) > 0)
    free = np.array([i for i, name in enumerate(circuit.names) if name not in fix], dtype=np.int64)
    few = np.flatnonzero(used.sum(axis=1) < 2 * free.size)
    if free.size == 0:
        raise FitError("Every parameter is fixed", mend="Leave at least one parameter free.")
    if few.size:
        raise FitError(
            f"{int(used[few[0]].sum())} usable points cannot determine {free.size} free parameters; at least "
            f"{2 * free.size} are needed",
            where=f"spectrum {few[0]} of the array",
            mend="Leave that spectrum out, fix some parameters, or take a simpler circuit.",
        )
    z = np.asarray(np.where(used, z, 1.0), dtype=np.complex128)
    weight_r, weight_i = _weights(z, weight, u_z_ohm)
    is_log = np.array([parameter.kind != "exponent" for parameter in circuit.parameters])
    low, high, own = _limits(circuit, 2 * np.pi * frequency, np.abs(z), is_log, bounds)
    fixed = np.array([float(fix.get(name, np.nan)) for name in circuit.names])
    expected = np.full(z.shape[0], np.inf)  # χ² the noise explains; known for weights by |Z| alone
    if weight == "modulus":
        expected = relative_noise(z) ** 2 * (2 * used.sum(axis=1) - free.size)
    return Grid(
        circuit=circuit,
        frequency=frequency,
        z=z,
        weight_r=weight_r * used,
        weight_i=weight_i * used,
        is_log=is_log,
        free=free,
        fixed=fixed,
        low=low,
        high=high,
        own_limits=own,
        expected=expected,
        nothing=1e-20 * ((weight_r * used * z.real) ** 2 + (weight_i * used * z.imag) ** 2).sum(axis=1),
    )


def _weights(z: ComplexArray, weight: Weight, u_z_ohm: ArrayLike | None) -> tuple[RealArray, RealArray]:
    """Return 1/σ of both parts, each of shape (spectra, n)."""
    size = np.abs(z)
    if weight == "modulus":
        return 1 / size, 1 / size
    if weight == "unit":
        return np.ones(z.shape), np.ones(z.shape)
    if weight == "proportional":
        return 1 / np.maximum(np.abs(z.real), 1e-6 * size), 1 / np.maximum(np.abs(z.imag), 1e-6 * size)
    if weight == "variance":
        u = np.broadcast_to(np.asarray(np.nan if u_z_ohm is None else u_z_ohm, dtype=np.float64), z.shape)
        if not np.all(u > 0):
            raise FitError(
                "Variance weights need the standard uncertainty of every point",
                mend="Give u_z_ohm above zero (ohm).",
            )
        return 1 / u, 1 / u
    raise FitError(f"Unknown weight {weight!r}", mend="Choose modulus, unit, proportional or variance.")


def _limits(
    circuit: Circuit,
    omega: RealArray,
    size: RealArray,
    is_log: NDArray[np.bool_],
    bounds: Mapping[str, tuple[float, float]],
) -> tuple[RealArray, RealArray, NDArray[np.bool_]]:
    """Return walked limits, each (spectra, p), and which parameters have limits of their own."""
    shape = (size.shape[0], len(circuit.names))
    low, high = np.empty(shape), np.empty(shape)
    own = np.array([name in bounds for name in circuit.names])
    ends = reach(omega, size.min(axis=1), size.max(axis=1))
    for i, (name, parameter) in enumerate(zip(circuit.names, circuit.parameters, strict=True)):
        if name in bounds:
            least, most = bounds[name]
            if not least < most:
                raise FitError(
                    f"The limits of {name} are {least:g} and {most:g}", mend="Give a lower and a higher one."
                )
            low[:, i], high[:, i] = max(least, parameter.lower), min(most, parameter.upper)
        elif parameter.kind == "exponent":
            low[:, i], high[:, i] = EXPONENT_FLOOR, parameter.upper
        else:
            one = np.ones(size.shape[0])  # a user's element may have a unit of its own
            smallest, largest = ends.get(parameter.unit, (SPAN[0] * one, SPAN[1] * one))
            low[:, i], high[:, i] = smallest * SPAN[0], largest * SPAN[1]
    with np.errstate(divide="ignore"):
        low[:, is_log] = np.maximum(np.log(low[:, is_log]), -690.0)
        high[:, is_log] = np.minimum(np.log(high[:, is_log]), 690.0)
    return low, high, own


def given_starts(circuit: Circuit, start: ArrayLike, work: Grid) -> RealArray:
    """Return the caller's starts, shape (spectra, p)."""
    given = np.asarray(start, dtype=np.float64)
    shape = (work.z.shape[0], len(circuit.names))
    if given.shape not in (shape, shape[1:]):
        raise FitError(
            f"The starts have shape {given.shape}",
            mend=f"Give {shape[1:]} or {shape}: one value each for {', '.join(circuit.names)}.",
        )
    given = np.array(np.broadcast_to(given, shape))
    if not np.all(np.isfinite(given[:, work.free])) or np.any(given[:, work.is_log] <= 0):
        raise FitError("A start is not a number above zero", mend="Check the start values.")
    return given
