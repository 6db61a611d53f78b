"""A spectrum laid out for the distribution of relaxation times: weighted rows, columns beside γ, and checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eis.errors import FitError
from eis.spectrum import ComplexArray, RealArray
from fitting.drt_matrices import Matrices, Part

Weight = Literal["modulus", "unit", "variance"]
Extra = Literal["r_inf", "inductance", "capacitance"]

FEWEST_PER_DECADE = 3.0
"""Points in a decade below which γ would show the basis rather than the data."""
FEWEST_DECADES = 2.0
"""Decades of frequency below which a relaxation is not seen whole."""
BLOCKING = -0.6
"""Slope of ln(−Z″) over ln ω, at the low end, below which the cell blocks (a capacitor has −1)."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Weighted least-squares rows of one spectrum, in units of `scale`.

    Parameters
    ----------
    rows : ndarray, shape (N, m + e)
        Derivatives of the weighted data by the m coefficients of γ and the e extras, over their `unit`.
    data : ndarray, shape (N,)
        Weighted data.
    scale : float
        Median size of the impedance (ohm); coefficients come in units of it.
    extras : tuple of str
        Which of ``r_inf``, ``inductance``, ``capacitance`` follow γ.
    unit : ndarray, shape (e,)
        R∞ in ohm, L in henry and 1/C in 1/farad, per unit of the solution.
    """

    rows: RealArray
    data: RealArray
    scale: float
    extras: tuple[Extra, ...]
    unit: RealArray


def check_sweep(frequency_hz: RealArray) -> None:
    """Refuse a sweep from which no distribution can be told.

    Raises
    ------
    FitError
        If it spans less than two decades, or has fewer than three points in a decade.
    """
    f = np.asarray(frequency_hz, dtype=np.float64)
    if f.size < 2:
        raise FitError(
            "A relaxation-time distribution cannot be told from a single point",
            mend=f"Measure at least {FEWEST_DECADES:g} decades.",
        )
    if f.ndim != 1 or not np.all(np.isfinite(f) & (f > 0)) or not np.all(np.diff(f) < 0):
        raise FitError(
            "A relaxation-time distribution needs frequencies that fall from point to point",
            mend="Give one array of positive frequencies (Hz), high to low, each once.",
        )
    decades = math.log10(f[0] / f[-1])
    if decades < FEWEST_DECADES - 1e-9:
        raise FitError(
            f"The sweep spans {decades:.2g} decades, from {f[0]:.4g} to {f[-1]:.4g} Hz; "
            "one relaxation alone is wider than a decade",
            mend=f"Measure at least {FEWEST_DECADES:g} decades, or fit a circuit.",
        )
    density = (f.size - 1) / decades
    if density < FEWEST_PER_DECADE - 1e-9:
        raise FitError(
            f"There are {density:.2g} points in a decade; between points so far apart a peak could hide or appear",
            mend=f"Measure at least {FEWEST_PER_DECADE:g} points in a decade (ten are usual), or fit a circuit.",
        )


def blocks(frequency_hz: RealArray, z_ohm: ComplexArray) -> np.ndarray:
    """Tell which spectra end in a blocking tail: −Z″ rises like a capacitor's over the last half decade.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz), falling.
    z_ohm : ndarray, shape (..., n)
        Impedance (ohm).

    Returns
    -------
    ndarray of bool, shape (...)
    """
    last = max(3, int((frequency_hz < frequency_hz[-1] * 10**0.5).sum()))
    x = np.log(frequency_hz[-last:])
    reactance = -z_ohm[..., -last:].imag
    y = np.log(np.maximum(reactance, 1e-300))
    slope = ((x - x.mean()) * (y - y.mean(axis=-1, keepdims=True))).sum(axis=-1) / ((x - x.mean()) ** 2).sum()
    size = np.abs(z_ohm[..., -last:])
    return np.asarray((reactance > 0.3 * size).all(axis=-1) & (slope < BLOCKING))


def chosen_extras(parts: Part, *, r_inf: bool, inductance: bool, capacitance: bool) -> tuple[Extra, ...]:
    """Return the columns beside γ that these parts of the data can tell."""
    if parts not in ("both", "real", "imag"):
        raise FitError(f"There are no parts {parts!r}", mend="Choose both, real or imag.")
    out: list[Extra] = []
    if r_inf and parts != "imag":
        out.append("r_inf")
    if inductance and parts != "real":
        out.append("inductance")
    if capacitance and parts != "real":
        out.append("capacitance")
    return tuple(out)


def weights_of(z_ohm: ComplexArray, weight: Weight, u_z_ohm: RealArray | None) -> RealArray:
    """Return 1/σ up to a factor (1/ohm), shape of `z_ohm`.

    Raises
    ------
    FitError
        If the weight is unknown, or an uncertainty is missing or not above zero.
    """
    size = np.abs(z_ohm)
    if weight == "modulus":
        return np.asarray(1 / np.maximum(size, 1e-12 * size.max()))
    if weight == "unit":
        return np.full(z_ohm.shape, 1 / float(np.median(size)))
    if weight == "variance":
        u = np.broadcast_to(np.asarray(np.nan if u_z_ohm is None else u_z_ohm, dtype=np.float64), z_ohm.shape)
        if not np.all(u > 0):
            raise FitError(
                "Variance weights need the standard uncertainty of every point",
                mend="Give u_z_ohm above zero (ohm).",
            )
        return np.asarray(1 / u)
    raise FitError(f"Unknown weight {weight!r}", mend="Choose modulus, unit or variance.")


def columns(grid: Matrices, extras: tuple[Extra, ...]) -> tuple[ComplexArray, RealArray]:
    """Return γ's kernel with the columns beside it, shape (n, m + e), and the extras' units per ohm."""
    omega = grid.omega
    made = {
        "r_inf": (np.ones(omega.size, dtype=np.complex128), 1.0),
        "inductance": (1j * omega / omega.max(), 1 / omega.max()),
        "capacitance": (-1j * omega.min() / omega, omega.min()),
    }
    beside = [made[name] for name in extras]
    kernel = np.column_stack([grid.kernel, *(column for column, _ in beside)])
    return kernel, np.array([unit for _, unit in beside])


def stacked(values: ComplexArray, weight: RealArray, parts: Part) -> RealArray:
    """Return the weighted parts of `values`, shape (n, …), one under the other."""
    scaled = values * (weight if values.ndim == 1 else weight[:, None])
    if parts == "real":
        return np.ascontiguousarray(scaled.real)
    if parts == "imag":
        return np.ascontiguousarray(scaled.imag)
    return np.concatenate([scaled.real, scaled.imag])


def lay_out(
    grid: Matrices, z_ohm: ComplexArray, weight: RealArray, parts: Part, extras: tuple[Extra, ...]
) -> Laid:
    """Return the weighted rows of a spectrum, shape (n,), with weights 1/σ (1/ohm)."""
    scale = float(np.median(np.abs(z_ohm)))
    kernel, unit = columns(grid, extras)
    return Laid(
        rows=stacked(kernel, weight * scale, parts),
        data=stacked(z_ohm, weight, parts),
        scale=scale,
        extras=extras,
        unit=unit * scale,
    )
