"""The same descent as `fitting.engine`, in NumPy: for elements of your own, and where numba is not to be had.

The walked parameters, steps, damping, limits and reasons to stop are the compiled engine's, so both end in the
same place to rounding. It is some forty times slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import IntArray, RealArray
from fitting.circuit import Circuit
from fitting.steps import (
    BLURRED,
    CAP_EXPONENT,
    CAP_LOG,
    FLAT,
    LEAST_DAMPING,
    MAX_STEPS,
    MOST_TURNS,
    RIDGE,
    ROUNDING,
    SHRINK,
    STUCK,
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a walk stands: walked parameters t, shape (k,), and χ², JᵀJ, Jᵀr and residuals there."""

    t: RealArray
    chi2: float
    matrix: RealArray
    gradient: RealArray
    residual: RealArray


@dataclass(frozen=True, slots=True)
class Ground:
    """One spectrum's sum of squares over the walked free parameters; the fields are those of `fitting.engine`."""

    circuit: Circuit
    omega: RealArray
    data: RealArray
    weight: RealArray
    is_log: NDArray[np.bool_]
    free: IntArray
    values: RealArray

    def natural(self, t: RealArray) -> RealArray:
        """Return all parameters in natural units, shape (p,)."""
        values = self.values.copy()
        values[self.free] = np.where(self.is_log[self.free], np.exp(np.minimum(t, 700.0)), t)
        return values

    def at(self, t: RealArray) -> Spot:
        """Evaluate the circuit; what is not finite gives χ² = ∞."""
        values = self.natural(t)
        with np.errstate(all="ignore"):
            z, by_value = self.circuit.jacobian(self.omega, values)
            slopes = (by_value * np.where(self.is_log, values, 1.0)[:, None])[self.free]
            residual = (np.concatenate([z.real, z.imag]) - self.data) * self.weight
            rows = np.concatenate([slopes.real, slopes.imag], axis=1) * self.weight
            chi2, matrix, gradient = float(residual @ residual), rows @ rows.T, rows @ residual
        if not (math.isfinite(chi2) and np.all(np.isfinite(matrix)) and np.all(np.isfinite(gradient))):
            chi2 = math.inf
        return Spot(t, chi2, matrix, gradient, residual)


def walk(
    ground: Ground, t: RealArray, low: RealArray, high: RealArray, first_damping: float
) -> tuple[Spot, int, int]:
    """Walk down from t within its limits, all of shape (k,).

    Returns
    -------
    tuple of Spot, int, int
        The end; 1 arrived, 0 ran out of steps, −1 no finite start; evaluations.
    """
    longest = np.where(ground.is_log[ground.free], CAP_LOG, CAP_EXPONENT)
    nothing = ROUNDING * float(((ground.data * ground.weight) ** 2).sum())
    here, steps = ground.at(np.clip(t, low, high)), 1
    if not math.isfinite(here.chi2):
        return here, -1, steps
    scale = np.maximum(np.diag(here.matrix), 1e-300)
    damping, raise_by = first_damping, 2.0
    for _ in range(MOST_TURNS):
        if steps >= MAX_STEPS:
            break
        if here.chi2 <= nothing:
            return here, 1, steps
        moving = ~(((here.t <= low) & (here.gradient > 0)) | ((here.t >= high) & (here.gradient < 0)))
        step = _step(here, damping * scale, moving)
        if step is None:
            damping *= 10.0
            if damping > STUCK:
                break
            continue
        shorten = float(min(1.0, (longest / np.maximum(np.abs(step), 1e-300)).min()))
        step = np.clip(here.t + shorten * step, low, high) - here.t
        expected = -float(step @ (2.0 * here.gradient + here.matrix @ step))
        if expected <= FLAT * here.chi2:
            slope = float((here.gradient[moving] ** 2 / scale[moving]).sum())
            if slope <= FLAT * here.chi2 or (expected > 0.0 and damping <= 1.0 and shorten == 1.0):
                return here, 1, steps
            damping, raise_by = damping * raise_by, raise_by * 2.0
            if damping > STUCK:
                break
            continue
        there = ground.at(here.t + step)
        steps += 1
        fell = here.chi2 - there.chi2
        if fell > 0.0:
            here = there
            scale = np.maximum(scale, np.diag(here.matrix))
            damping = max(damping * max(SHRINK, 1.0 - (2.0 * fell / expected - 1.0) ** 3), LEAST_DAMPING)
            raise_by = 2.0
            if fell <= FLAT * here.chi2 and expected <= 10.0 * FLAT * here.chi2:
                return here, 1, steps
        else:
            damping, raise_by = damping * raise_by, raise_by * 2.0
            if damping > STUCK:
                return here, int(expected <= 1e-6 * here.chi2), steps
    return here, 0, steps


def spread(spot: Spot, moving: NDArray[np.bool_]) -> RealArray:
    """Return the standard uncertainties of the moving parameters for unit variance, NaN for the others."""
    out = np.full(spot.t.size, np.nan)
    try:
        matrix = spot.matrix[np.ix_(moving, moving)]
        factor = np.linalg.cholesky(matrix + RIDGE * np.diag(np.diag(matrix)))
    except np.linalg.LinAlgError:
        return out
    inverse = np.linalg.solve(factor, np.eye(factor.shape[0]))
    u = np.sqrt((inverse**2).sum(axis=0))
    out[moving] = np.where(u * np.sqrt(np.diag(matrix)) < BLURRED, u, np.nan)
    return out


def _step(here: Spot, damping: RealArray, moving: NDArray[np.bool_]) -> RealArray | None:
    """Solve (JᵀJ + diag(damping)) step = −Jᵀr for the moving parameters; None if that is no descent."""
    step = np.zeros(here.t.size)
    if not moving.any():
        return step
    try:
        factor = np.linalg.cholesky((here.matrix + np.diag(damping))[np.ix_(moving, moving)])
    except np.linalg.LinAlgError:
        return None
    step[moving] = -np.linalg.solve(factor.T, np.linalg.solve(factor, here.gradient[moving]))
    return step
