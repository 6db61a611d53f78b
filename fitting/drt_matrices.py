r"""Matrices of the distribution of relaxation times, made once per frequency grid and shared by its spectra.

.. math:: Z(\omega) = R_\infty + j \omega L + \frac{1}{j \omega C}
          + \int \frac{\gamma(\ln \tau)}{1 + j \omega \tau} \, d \ln \tau

γ (ohm per unit of ln τ) is a sum of basis functions on an even grid of ln τ; each matrix element is the integral
over one of them, to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import erf

from eis.errors import FitError
from eis.spectrum import ComplexArray, RealArray

Basis = Literal["gaussian", "linear"]
Penalty = Literal[1, 2]
Part = Literal["both", "real", "imag"]

BEFORE, AFTER = 1.25, 2.0
"""How far the grid of τ reaches beyond 1/ω at the upper and lower end of the sweep, as factors.

What is faster than the sweep looks like R∞: a grid that went further there would take from it.
"""
PER_DECADE = 10
"""Fewest basis functions in a decade of τ."""
SHAPE = 0.5
"""Spacing of the Gaussians times their µ, over 2√ln 2: at half of its width each touches its neighbours."""
FINE = 5
"""Points of the drawn γ for each basis function."""
NODES = 6
"""Gauss–Legendre nodes in half a hat: exact to rounding, the poles of the kernel being π/2 away."""


@dataclass(frozen=True, eq=False)
class Matrices:
    """Everything about a frequency grid and a basis that does not depend on the data.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz), falling.
    basis : {"gaussian", "linear"}
        Gaussians exp(−(µ ln(τ/τ_m))²), or hats that are 1 at τ_m and 0 at its neighbours.
    penalty : {1, 2}
        Derivative of γ whose square is penalised.
    tau_s : ndarray, shape (m,)
        Centres of the basis functions (s), rising evenly in ln τ.
    kernel : ndarray of complex, shape (n, m)
        Impedance of each basis function (per ohm of coefficient).
    roughness : ndarray, shape (m, m)
        ∫ (dᵏγ/d(ln τ)ᵏ)² d ln τ as a quadratic form of the coefficients, positive definite: γ vanishes beyond the
        grid, and the fall to zero counts.
    smooth : ndarray, shape (m, m)
        Inverse transposed Cholesky factor of `roughness`: coefficients = smooth @ (white variables).
    area : ndarray, shape (m,)
        Integral of each basis function over ln τ.
    fine_tau_s : ndarray, shape (k,)
        Where γ is drawn and searched for peaks (s).
    values, slopes, cumulative : ndarray, shape (k, m)
        γ, dγ/d ln τ, and ∫ γ d ln τ up to there, each per coefficient.
    """

    frequency_hz: RealArray
    basis: Basis
    penalty: Penalty
    tau_s: RealArray
    kernel: ComplexArray
    roughness: RealArray
    smooth: RealArray
    area: RealArray
    fine_tau_s: RealArray
    values: RealArray
    slopes: RealArray
    cumulative: RealArray

    @property
    def omega(self) -> RealArray:
        """Angular frequency (rad/s), shape (n,)."""
        return 2 * np.pi * self.frequency_hz

    @property
    def step(self) -> float:
        """Spacing of the basis functions in ln τ."""
        return float(np.log(self.tau_s[1] / self.tau_s[0]))


def matrices(frequency_hz: RealArray, basis: Basis = "gaussian", penalty: Penalty = 1) -> Matrices:
    """Return the matrices of a frequency grid; those of the last grids are remembered.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz), falling.
    basis : {"gaussian", "linear"}
        Kind of basis functions.
    penalty : {1, 2}
        Derivative that is penalised.

    Returns
    -------
    Matrices
        With τ from 1/(2π f_max)/3 to 3/(2π f_min), at ten a decade, or as many as there are frequencies if
        these are denser.

    Raises
    ------
    FitError
        If the basis or the penalty is not one of those.
    """
    if basis not in ("gaussian", "linear"):
        raise FitError(f"There is no basis {basis!r}", mend="Choose gaussian or linear.")
    if penalty not in (1, 2):
        raise FitError(f"There is no penalty {penalty!r}", mend="Choose 1 (first derivative) or 2 (second).")
    frequency = np.ascontiguousarray(frequency_hz, dtype=np.float64)
    return _made(frequency.tobytes(), basis, penalty)


@lru_cache(maxsize=32)
def _made(frequency_bytes: bytes, basis: Basis, penalty: Penalty) -> Matrices:
    frequency = np.frombuffer(frequency_bytes)
    tau = _tau_grid(frequency)
    step = math.log(tau[1] / tau[0])
    fine_step = step / FINE
    count = (tau.size - 1) * FINE + 1 + 2 * 3 * FINE  # three spacings more at each end, where the last ones fall
    fine = math.log(tau[0]) + fine_step * (np.arange(count) - 3 * FINE)
    x = fine[:, None] - np.log(tau)
    y = np.log(2 * np.pi * frequency)[:, None] + np.log(tau)
    if basis == "gaussian":
        mu = SHAPE * 2 * math.sqrt(math.log(2)) / step
        kernel = _gaussian_kernel(y, mu)
        values = np.exp(-((mu * x) ** 2))
        slopes = -2 * mu**2 * x * values
        cumulative = 0.5 * math.sqrt(math.pi) / mu * (1 + erf(mu * x))
        area = np.full(tau.size, math.sqrt(math.pi) / mu)
        roughness = _gaussian_roughness(mu * step * np.arange(tau.size, dtype=np.float64), mu, penalty)
    else:
        kernel = _hat_kernel(y, step)
        t = np.clip(x / step, -1, 1)
        values = 1 - np.abs(t)
        slopes = np.where(np.abs(t) < 1, -np.sign(t) / step, 0.0)
        cumulative = step * np.where(t < 0, 0.5 * (1 + t) ** 2, 1 - 0.5 * (1 - t) ** 2)
        area = np.full(tau.size, step)
        roughness = _hat_roughness(tau.size, step, penalty)
    slopes, cumulative = np.asarray(slopes, dtype=np.float64), np.asarray(cumulative, dtype=np.float64)
    lower = np.linalg.cholesky(roughness + 1e-12 * np.trace(roughness) / tau.size * np.eye(tau.size))
    smooth = np.ascontiguousarray(solve_triangular(lower, np.eye(tau.size), lower=True).T)
    made = Matrices(
        frequency, basis, penalty, tau, kernel, roughness, smooth, area, np.exp(fine), values, slopes, cumulative
    )
    for array in vars(made).values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # shared by everyone who asks for this grid
    return made


def _tau_grid(frequency: RealArray) -> RealArray:
    shortest = 1 / (2 * math.pi * frequency.max()) / BEFORE
    longest = AFTER / (2 * math.pi * frequency.min())
    decades = math.log10(longest / shortest)
    density = max(PER_DECADE, (frequency.size - 1) / math.log10(frequency.max() / frequency.min()))
    return np.geomspace(shortest, longest, math.ceil(decades * min(density, 2 * PER_DECADE) - 1e-9) + 1)


def _relaxation(u: RealArray) -> ComplexArray:
    """Return 1/(1 + j e^u)."""
    return np.asarray(0.5 * (1 - np.tanh(u)) - 0.5j / np.cosh(np.clip(u, -350, 350)))


def _gaussian_kernel(y: RealArray, mu: float) -> ComplexArray:
    """Integrate exp(−(µx)²)/(1 + j e^{x+y}) over x.

    The trapezoid rule converges exponentially on an analytic integrand: with this spacing the Gaussian leaves
    e^−39 and the poles of the kernel, π/2 from the axis, as little.
    """
    spacing = min(0.25, 0.5 / mu)
    reach = math.ceil(6.1 / (mu * spacing))
    out = np.zeros(y.shape, dtype=np.complex128)
    for k in range(-reach, reach + 1):
        x = k * spacing
        out += spacing * math.exp(-((mu * x) ** 2)) * _relaxation(y + x)
    return out


def _hat_kernel(y: RealArray, step: float) -> ComplexArray:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    out = np.zeros(y.shape, dtype=np.complex128)
    for node, weight in zip(0.5 * (nodes + 1), 0.5 * weights, strict=True):
        for side in (-1, 1):
            out += weight * step * (1 - node) * _relaxation(y + side * node * step)
    return out


def _gaussian_roughness(a: RealArray, mu: float, penalty: Penalty) -> RealArray:
    """Integrate products of derivatives of two Gaussians µ ln(τ_m/τ_n) = a apart; closed forms."""
    square = a**2
    if penalty == 1:
        row = mu * (1 - square) * np.exp(-square / 2) * math.sqrt(math.pi / 2)
    else:
        row = mu**3 * (3 - 6 * square + square**2) * np.exp(-square / 2) * math.sqrt(math.pi / 2)
    place = np.abs(np.subtract.outer(np.arange(a.size), np.arange(a.size)))
    return np.asarray(row[place])


def _hat_roughness(m: int, step: float, penalty: Penalty) -> RealArray:
    """Sum squared differences, with zeros beyond the grid: exact for first derivatives of a broken line."""
    difference = np.diff(np.eye(m + 2 * penalty), n=penalty, axis=0)[:, penalty:-penalty]
    return np.asarray(difference.T @ difference / step ** (2 * penalty - 1))
