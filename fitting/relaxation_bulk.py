"""Distributions of relaxation times of thousands of spectra on one frequency grid, in one call.

All spectra share one set of weights, and with it one decomposition: the choice of λ is a few matrix products, and
the non-negative solutions start from the linear ones, for which only the few coefficients that must be held at
zero have to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import FitError
from eis.spectrum import ComplexArray, RealArray
from fitting.drt_lambda import LAMBDAS, NEGATIVE, Modes, Rule, modes, raised, scores
from fitting.drt_matrices import Basis, Matrices, Part, Penalty, matrices
from fitting.drt_problem import Extra, blocks, check_sweep, chosen_extras, columns, stacked
from fitting.drt_solver import solve, solve_many
from fitting.relaxation import Options

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

BULK_RULE: Rule = "mgcv"
"""Plain cross-validation of a thousand spectra under-smooths a few of them grossly; the modified kind does not."""
BLOCK = 2048
"""Spectra worked on at a time, so that memory stays bounded."""
VALLEY = 0.9
"""A valley parts two peaks if it is lower than this share of the smaller one."""


@dataclass(frozen=True, eq=False)
class DrtBatch:
    """Distributions of many spectra over one grid of τ.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz).
    tau_s : ndarray, shape (m,)
        Centres of the basis functions (s), rising.
    gamma_ohm : ndarray, shape (spectra, m)
        γ there (ohm per unit of ln τ); NaN for a spectrum that could not be used.
    coefficients : ndarray, shape (spectra, m)
        Coefficients of the basis functions (ohm).
    area : ndarray, shape (m,)
        Integral of each basis function.
    lambda_ : ndarray, shape (spectra,)
        Strength of smoothing.
    r_inf_ohm, inductance_h, elastance_per_f : ndarray, shape (spectra,)
        What stands beside γ; NaN where not part of the model.
    rms_residual : ndarray, shape (spectra,)
        Root mean square of ``|Z − Ẑ|/|Z|``.
    """

    frequency_hz: RealArray
    tau_s: RealArray
    gamma_ohm: RealArray
    coefficients: RealArray
    area: RealArray
    lambda_: RealArray
    r_inf_ohm: RealArray
    inductance_h: RealArray
    elastance_per_f: RealArray
    rms_residual: RealArray

    def __len__(self) -> int:
        return int(self.lambda_.size)

    @property
    def r_pol_ohm(self) -> RealArray:
        """Polarisation resistance ∫γ d ln τ (ohm), shape (spectra,)."""
        return np.asarray(self.coefficients @ self.area)

    def resistance(self, tau_low_s: float, tau_high_s: float) -> RealArray:
        """Return the resistance in a window of τ (ohm), shape (spectra,).

        Parameters
        ----------
        tau_low_s, tau_high_s : float
            The window (s).
        """
        if not 0 <= tau_low_s < tau_high_s:
            raise FitError(
                f"A window of τ from {tau_low_s:g} to {tau_high_s:g} s holds nothing",
                mend="Give the shorter τ first, both in seconds.",
            )
        x = np.log(self.tau_s)
        step = float(x[1] - x[0])
        low, high = (np.log(max(end, 1e-300)) for end in (tau_low_s, min(tau_high_s, 1e300)))
        inside = np.clip(np.minimum(x + step / 2, high) - np.maximum(x - step / 2, low), 0, step) / step
        return np.asarray(self.coefficients @ (self.area * inside))

    def peaks(self, row: int) -> tuple[RealArray, RealArray]:
        """Return τ (s) and R (ohm) of the peaks of one spectrum, in order of τ, without a judgement on them.

        `fitting.drt` of that spectrum gives them with their uncertainty and probability.
        """
        gamma = self.gamma_ohm[row]
        if not np.isfinite(gamma).all() or not gamma.max() > 0:
            return np.empty(0), np.empty(0)
        tops = [int(i) + 1 for i in np.flatnonzero((gamma[1:-1] > gamma[:-2]) & (gamma[1:-1] >= gamma[2:]))]
        tops = [i for i in tops if gamma[i] > 1e-3 * gamma.max()]
        k = 0
        while k < len(tops) - 1:
            a, b = tops[k], tops[k + 1]
            if gamma[a : b + 1].min() > VALLEY * min(gamma[a], gamma[b]):
                tops.pop(k if gamma[a] < gamma[b] else k + 1)
                k = max(k - 1, 0)
            else:
                k += 1
        edges = [
            0,
            *(a + int(np.argmin(gamma[a : b + 1])) for a, b in pairwise(tops)),
            gamma.size,
        ]
        masses = self.coefficients[row] * self.area
        areas = [float(masses[a:b].sum()) for a, b in pairwise(edges)] if tops else []
        return self.tau_s[tops], np.array(areas)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per spectrum: λ, R∞, L, 1/C, ∫γ and the residual."""
        import pandas as pd

        names = ("lambda_", "r_inf_ohm", "inductance_h", "elastance_per_f", "r_pol_ohm", "rms_residual")
        return pd.DataFrame({name.rstrip("_"): getattr(self, name) for name in names})

    def to_xarray(self) -> xr.Dataset:
        """Return γ over spectrum and tau, and what stands beside it, as a Dataset."""
        import xarray as xr

        ohm = {"units": "ohm"}
        return xr.Dataset(
            {
                "gamma": (("spectrum", "tau"), self.gamma_ohm, ohm),
                "r_inf": ("spectrum", self.r_inf_ohm, ohm),
                "r_pol": ("spectrum", self.r_pol_ohm, ohm),
                "inductance": ("spectrum", self.inductance_h, {"units": "H"}),
                "lambda": ("spectrum", self.lambda_),
                "rms_residual": ("spectrum", self.rms_residual),
            },
            coords={"tau": ("tau", self.tau_s, {"units": "s"})},
        )

    def __repr__(self) -> str:
        bad = int((~np.isfinite(self.lambda_)).sum())
        return f"<DrtBatch: {len(self)} spectra, {self.tau_s.size} τ" + (f", {bad} unusable>" if bad else ">")


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
    lambdas, rms = np.full(z.shape[0], np.nan), np.full(z.shape[0], np.nan)
    tailed = np.zeros(z.shape[0], dtype=bool)
    tailed[usable] = blocks(f, z[usable]) if options.capacitance == "auto" else bool(options.capacitance)
    for has_tail in (False, True):
        chosen = np.flatnonzero(usable & (tailed == has_tail))
        if chosen.size:
            extras = chosen_extras(parts, r_inf=r_inf, inductance=inductance, capacitance=has_tail)
            beside = [m + ("r_inf", "inductance", "capacitance").index(name) for name in extras]
            at = np.array([*range(m), *beside])
            out[chosen[:, None], at], lambdas[chosen], rms[chosen] = _group(grid, z[chosen], extras, options)
    coefficients = out[:, :m]
    at_centres = _at_centres(grid)
    return DrtBatch(
        frequency_hz=f,
        tau_s=grid.tau_s,
        gamma_ohm=coefficients @ at_centres.T,
        coefficients=coefficients,
        area=grid.area,
        lambda_=lambdas,
        r_inf_ohm=out[:, m],
        inductance_h=out[:, m + 1],
        elastance_per_f=out[:, m + 2],
        rms_residual=rms,
    )


def _at_centres(grid: Matrices) -> RealArray:
    """Return γ at the centres of the basis functions, per coefficient."""
    place = np.searchsorted(grid.fine_tau_s, grid.tau_s * (1 - 1e-9))
    return grid.values[place]


def _group(
    grid: Matrices, z: ComplexArray, extras: tuple[Extra, ...], options: Options
) -> tuple[RealArray, RealArray, RealArray]:
    """Return solutions in natural units, λ and relative residuals of spectra with the same model."""
    size = np.abs(z)
    scale = np.median(size, axis=1)
    weight = 1 / np.exp(np.log(size / scale[:, None]).mean(axis=0))
    kernel, unit = columns(grid, extras)
    rows = stacked(kernel, weight, options.parts)
    made = modes(grid, rows)
    shared = _Shared(grid, rows, rows.T @ rows, made, {})
    m = grid.tau_s.size
    x, lambdas = np.empty((z.shape[0], rows.shape[1])), np.empty(z.shape[0])
    for begin in range(0, z.shape[0], BLOCK):
        part = slice(begin, begin + BLOCK)
        data = stacked(np.ascontiguousarray((z[part] / scale[part, None]).T), weight, options.parts)
        x[part], lambdas[part] = _block(shared, data, options)
    fitted = x @ kernel.T
    relative = np.abs(fitted * scale[:, None] - z) / size
    x *= scale[:, None]
    x[:, m:] *= unit
    return x, lambdas, np.sqrt((relative**2).mean(axis=1))


@dataclass(frozen=True, eq=False)
class _Shared:
    """What the spectra of a group share, and the inverses of the λ met so far."""

    grid: Matrices
    rows: RealArray
    plain: RealArray
    modes: Modes
    inverses: dict[int, RealArray]

    def inverse(self, k: int, lambda_: float) -> RealArray:
        if k not in self.inverses:
            normal = self.plain.copy()
            m = self.grid.tau_s.size
            normal[:m, :m] += lambda_ * self.grid.roughness
            size = np.sqrt(np.diag(normal))
            self.inverses[k] = np.linalg.inv(normal / np.outer(size, size)) / np.outer(size, size)
        return self.inverses[k]


def _block(shared: _Shared, data: RealArray, options: Options) -> tuple[RealArray, RealArray]:
    count = data.shape[1]
    if isinstance(options.lambda_, (int, float)):
        tried, which = np.array([float(options.lambda_)]), np.zeros(count, dtype=np.int64)
    else:
        tried = LAMBDAS
        which = np.argmin(scores(shared.modes, data, options.lambda_ or BULK_RULE), axis=0)
    right = (shared.rows.T @ data).T
    met, which = np.unique(which, return_inverse=True)
    inverses = np.stack([shared.inverse(int(k), float(tried[k])) for k in met])
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
