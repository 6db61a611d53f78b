"""Distributions of relaxation times of thousands of spectra on one frequency grid, in one call.

All spectra share one set of weights, and with it one decomposition: the choice of λ is a few matrix products, and
the non-negative solutions start from the linear ones, for which only the few coefficients that must be held at
zero have to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import FitError
from eis.spectrum import ComplexArray, IntArray, RealArray
from fitting.drt_batch import DrtBatch, at_centres
from fitting.drt_lambda import FLOOR, LAMBDAS, NEGATIVE, Modes, Rule, modes, raised, scores
from fitting.drt_matrices import Basis, Matrices, Part, Penalty, matrices
from fitting.drt_problem import Extra, blocks, check_sweep, chosen_extras, columns, stacked
from fitting.drt_solver import solve, solve_many
from fitting.relaxation import FEWEST_FREE, Options

BULK_RULE: Rule = "mgcv"
"""Plain cross-validation of a thousand spectra under-smooths a few of them grossly; the modified kind does not."""
BLOCK = 2048
"""Spectra worked on at a time, so that memory stays bounded."""


def drt_many(
    frequency_hz: ArrayLike,
    z_ohm: ArrayLike,
    *,
    lambda_: float | Rule | None = None,
    basis: Basis = "gaussian",
    penalty: Penalty = 1,
    parts: Part = "both",
    non_negative: bool = True,
    r_inf: bool = True,
    inductance: bool = True,
    capacitance: bool | Literal["auto"] = "auto",
) -> DrtBatch:
    r"""Find the distributions of relaxation times of many spectra on a common frequency grid.

    Parameters
    ----------
    frequency_hz : array_like, shape (n,)
        Frequency (Hz), falling.
    z_ohm : array_like of complex, shape (spectra, n)
        Impedance (ohm). The weights are common to all: one over the geometric mean of \|Z\|, each spectrum in
        units of its own median. A spectrum with a NaN or a zero gives NaN.
    lambda_ : float or {"gcv", "mgcv", "rgcv", "lcurve"}, optional
        Strength of smoothing, the same for all, or the rule by which each gets its own; ``"mgcv"`` without it.
    basis, penalty, parts, non_negative, r_inf, inductance, capacitance
        As in `fitting.drt`; ``"auto"`` decides for each spectrum.

    Returns
    -------
    DrtBatch

    Raises
    ------
    FitError
        If the arrays do not fit together, an option is unknown, or the sweep is too short or too sparse.

    Notes
    -----
    Common weights make this some thousand times faster than a peer's single spectra. If the shapes of \|Z\| differ
    by orders of magnitude within the batch (blocking and conducting cells together), put them in batches of their
    own, or use `fitting.drt`, which weighs every spectrum by itself.
    """
    options = Options(
        lambda_=lambda_, basis=basis, penalty=penalty, parts=parts, non_negative=non_negative, r_inf=r_inf,
        inductance=inductance, capacitance=capacitance,
    )  # fmt: skip
    if options.lambda_ == "reim":
        raise FitError("Re–im cross-validation is for one spectrum", mend="Use fitting.drt, or lambda_='gcv'.")
    f = np.asarray(frequency_hz, dtype=np.float64)
    z = np.atleast_2d(np.asarray(z_ohm, dtype=np.complex128))
    if f.ndim != 1 or z.ndim != 2 or z.shape[1] != f.size:
        raise FitError(
            f"There are frequencies of shape {f.shape} and impedances of shape {z.shape}",
            mend="Give n frequencies and an array of (spectra, n) impedances.",
        )
    check_sweep(f)
    grid = matrices(f, basis, penalty)
    usable = np.isfinite(z).all(axis=1) & (np.abs(np.where(np.isfinite(z), z, 0)) > 0).all(axis=1)
    m = grid.tau_s.size
    out = np.full((z.shape[0], m + 3), np.nan)
    lambdas, rms, variance = (np.full(z.shape[0], np.nan) for _ in range(3))
    which = np.zeros(z.shape[0], dtype=np.int64)
    inverses: list[RealArray] = []
    tailed = np.zeros(z.shape[0], dtype=bool)
    tailed[usable] = blocks(f, z[usable]) if options.capacitance == "auto" else bool(options.capacitance)
    for has_tail in (False, True):
        chosen = np.flatnonzero(usable & (tailed == has_tail))
        if chosen.size:
            extras = chosen_extras(parts, r_inf=r_inf, inductance=inductance, capacitance=has_tail)
            beside = [m + ("r_inf", "inductance", "capacitance").index(name) for name in extras]
            at = np.array([*range(m), *beside])
            made = _group(grid, z[chosen], extras, options)
            out[chosen[:, None], at], lambdas[chosen], rms[chosen] = made.solutions, made.lambdas, made.rms
            variance[chosen], which[chosen] = made.variance_ohm2, made.which + len(inverses)
            inverses.extend(made.inverses)
    coefficients = out[:, :m]
    here = at_centres(grid.fine_tau_s, grid.tau_s, grid.values)
    return DrtBatch(
        frequency_hz=f,
        tau_s=grid.tau_s,
        gamma_ohm=coefficients @ here.T,
        coefficients=coefficients,
        area=grid.area,
        lambda_=lambdas,
        r_inf_ohm=out[:, m],
        inductance_h=out[:, m + 1],
        elastance_per_f=out[:, m + 2],
        rms_residual=rms,
        variance_ohm2=variance,
        inverses=np.array(inverses).reshape(-1, m, m) if inverses else np.full((1, m, m), np.nan),
        which=which,
        fine_tau_s=grid.fine_tau_s,
        values=grid.values,
        non_negative=non_negative,
    )


@dataclass(frozen=True, eq=False)
class _Group:
    """Spectra with the same model: solutions in natural units, λ, residuals, and what their uncertainty takes."""

    solutions: RealArray
    lambdas: RealArray
    rms: RealArray
    variance_ohm2: RealArray
    inverses: RealArray
    which: IntArray


def _group(grid: Matrices, z: ComplexArray, extras: tuple[Extra, ...], options: Options) -> _Group:
    size = np.abs(z)
    scale = np.median(size, axis=1)
    weight = 1 / np.exp(np.log(size / scale[:, None]).mean(axis=0))
    kernel, unit = columns(grid, extras)
    rows = stacked(kernel, weight, options.parts)
    shared = _Shared(grid, rows, rows.T @ rows, modes(grid, rows), {})
    m = grid.tau_s.size
    x, lambdas = np.empty((z.shape[0], rows.shape[1])), np.empty(z.shape[0])
    left = np.empty(z.shape[0])
    for begin in range(0, z.shape[0], BLOCK):
        part = slice(begin, begin + BLOCK)
        data = stacked(np.ascontiguousarray((z[part] / scale[part, None]).T), weight, options.parts)
        x[part], lambdas[part] = _block(shared, data, options)
        squares = (data**2).sum(axis=0)
        noise = _misfits(shared.plain, (shared.rows.T @ data).T, x[part], data)
        freedom = np.maximum(rows.shape[0] - shared.modes.effective(lambdas[part]), FEWEST_FREE)
        left[part] = np.maximum(noise / freedom, FLOOR**2 * squares / grid.frequency_hz.size)
    fitted = x @ kernel.T
    relative = np.abs(fitted * scale[:, None] - z) / size
    x *= scale[:, None]
    x[:, m:] *= unit
    different, which = np.unique(lambdas, return_inverse=True)
    return _Group(
        solutions=x,
        lambdas=lambdas,
        rms=np.sqrt((relative**2).mean(axis=1)),
        variance_ohm2=left * scale**2,
        inverses=np.stack([shared.inverse(lam)[:m, :m] for lam in different.tolist()]),
        which=which,
    )


@dataclass(frozen=True, eq=False)
class _Shared:
    """What the spectra of a group share, and the inverses of the λ met so far."""

    grid: Matrices
    rows: RealArray
    plain: RealArray
    modes: Modes
    inverses: dict[float, RealArray]

    def inverse(self, lambda_: float) -> RealArray:
        if lambda_ not in self.inverses:
            normal = self.plain.copy()
            m = self.grid.tau_s.size
            normal[:m, :m] += lambda_ * self.grid.roughness
            size = np.sqrt(np.diag(normal))
            self.inverses[lambda_] = np.linalg.inv(normal / np.outer(size, size)) / np.outer(size, size)
        return self.inverses[lambda_]


def _block(shared: _Shared, data: RealArray, options: Options) -> tuple[RealArray, RealArray]:
    count = data.shape[1]
    if isinstance(options.lambda_, (int, float)):
        tried, which = np.array([float(options.lambda_)]), np.zeros(count, dtype=np.int64)
    else:
        tried = LAMBDAS
        which = np.argmin(scores(shared.modes, data, options.lambda_ or BULK_RULE), axis=0)
    right = (shared.rows.T @ data).T
    met, which = np.unique(which, return_inverse=True)
    inverses = np.stack([shared.inverse(float(tried[k])) for k in met])
    x = np.empty_like(right)
    for k in range(met.size):
        x[which == k] = right[which == k] @ inverses[k]
    lambdas = tried[met[which]]
    if options.non_negative:
        linear = _misfits(shared.plain, right, x, data)
        x, solved = _without_negative(inverses, which, x)
        worse = _misfits(shared.plain, right, x, data) > NEGATIVE * linear
        worse &= not isinstance(options.lambda_, (int, float))
        for i in np.flatnonzero(worse | ~solved):
            x[i], lambdas[i] = _by_itself(shared, data[:, i], right[i], lambdas[i], worse[i])
    return x, lambdas


def _misfits(plain: RealArray, right: RealArray, x: RealArray, data: RealArray) -> RealArray:
    """Return the sum of squares each solution leaves, not below what rounding makes of it."""
    total = (data**2).sum(axis=0)
    rss = total - 2 * (right * x).sum(axis=1) + ((x @ plain) * x).sum(axis=1)
    return np.asarray(np.maximum(rss, 1e-13 * total))


def _by_itself(
    shared: _Shared, data: RealArray, right: RealArray, lambda_: float, too_small: bool
) -> tuple[RealArray, float]:
    """Solve one spectrum with care, at a larger λ if its linear solution owed its fit to negative values."""
    m = shared.grid.tau_s.size
    if too_small:
        lambda_ = raised(shared.grid, shared.plain, right, float(data @ data), data.size, lambda_)
    normal = shared.plain.copy()
    normal[:m, :m] += lambda_ * shared.grid.roughness
    return solve(normal, right)[0], lambda_


def _without_negative(
    inverses: RealArray, which: NDArray[np.int64], linear: RealArray
) -> tuple[RealArray, NDArray[np.bool_]]:
    """Return the non-negative solutions from the linear ones, and which could be had so.

    The multipliers y ≥ 0 of the coefficients held at zero minimise ½ yᵀH⁻¹y + xᵀy: the same kind of problem, but
    only few of them are not zero, so that its systems are small.
    """
    held, solved = solve_many(inverses, which, -linear, linear < 0)
    out = np.empty_like(linear)
    for k in range(inverses.shape[0]):
        chosen = which == k
        out[chosen] = linear[chosen] + held[chosen] @ inverses[k]
    return np.where(held > 0, 0.0, np.maximum(out, 0.0)), solved
