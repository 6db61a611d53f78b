r"""How much smoothing: λ by generalised cross-validation in three kinds, re–im cross-validation, or the L-curve.

All criteria are read from one eigendecomposition, so that a grid of λ costs no more than one value. K is the
matrix that takes the data to their fit and n the number of data:

.. math:: \mathrm{GCV} = \frac{\|(I - K) z\|^2 / n}{[\mathrm{tr}(I - \rho K)/n]^2}
          \left[\xi + (1 - \xi) \mathrm{tr}(K K) / n\right]

with ρ = 1 (ξ = 1), the modified kind with ρ = 2, the robust kind with ρ = 1 and ξ = 0.3
(1.3 and 0.2 for few data).

A. Maradesa, B. Py, T. H. Wan, M. B. Effat, F. Ciucci, J. Electrochem. Soc. 170 (2023) 030502,
doi:10.1149/1945-7111/acbca4; P. C. Hansen, SIAM Rev. 34 (1992) 561, doi:10.1137/1034115.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eis.errors import FitError
from eis.spectrum import RealArray
from fitting.drt_matrices import Matrices
from fitting.drt_problem import Laid
from fitting.drt_solver import solve, solve_positive

Rule = Literal["gcv", "mgcv", "rgcv", "reim", "lcurve"]
RULES: tuple[Rule, ...] = ("gcv", "mgcv", "rgcv", "reim", "lcurve")

LAMBDAS = np.geomspace(1e-7, 1e2, 55)
"""The λ that are tried, six a decade; relative to weighted data and γ in units of the median |Z|."""
LAMBDAS.setflags(write=False)
FLOOR = 1e-4
"""Uncertainty of the data, over their size, below which nobody is believed: no bridge is truer."""
NEGATIVE = 1.5
"""Factor by which the misfit grows without negative values before λ is looked for again."""
ROUNDING = 1e-15
"""Share of the data's sum of squares that rounding leaves of a residual."""


@dataclass(frozen=True, eq=False)
class Modes:
    """The problem in its own modes: eigenvalues of the data against the penalty, extras projected out.

    Parameters
    ----------
    eigenvalues : ndarray, shape (m,)
        Of the weighted normal matrix in variables that are white under the penalty.
    to_modes : ndarray, shape (m, N)
        Takes weighted data to their modes.
    beside : ndarray, shape (N, e)
        Orthonormal columns the extras span.
    """

    eigenvalues: RealArray
    to_modes: RealArray
    beside: RealArray

    @property
    def n_data(self) -> int:
        """Number of weighted data, N."""
        return int(self.beside.shape[0])

    def effective(self, lambdas: RealArray) -> RealArray:
        """Return tr K, the parameters the data are worth at each λ."""
        share = self.eigenvalues / (self.eigenvalues + lambdas[:, None])
        return np.asarray(self.beside.shape[1] + share.sum(axis=1))


def modes(grid: Matrices, rows: RealArray) -> Modes:
    """Decompose weighted rows, shape (N, m + e), of which the last e are not penalised."""
    m = grid.tau_s.size
    beside = np.linalg.qr(rows[:, m:])[0]
    white = rows[:, :m] @ grid.smooth
    white -= beside @ (beside.T @ white)
    values, vectors = np.linalg.eigh(white.T @ white)
    return Modes(np.maximum(values, 0.0), vectors.T @ white.T, beside)


def scores(made: Modes, data: RealArray, rule: Rule, lambdas: RealArray = LAMBDAS) -> RealArray:
    """Return the criterion of every λ, to be minimised.

    Parameters
    ----------
    made : Modes
        Of the rows that the spectra share.
    data : ndarray, shape (N, s)
        Weighted data of s spectra.
    rule : {"gcv", "mgcv", "rgcv", "lcurve"}
        The criterion.
    lambdas : ndarray, shape (k,)
        The λ.

    Returns
    -------
    ndarray, shape (k, s)
    """
    s, lam, n = made.eigenvalues, lambdas[:, None], made.n_data
    squares = (made.to_modes @ data) ** 2
    total = (data**2).sum(axis=0) - ((made.beside.T @ data) ** 2).sum(axis=0)
    residual = total - ((s + 2 * lam) / (s + lam) ** 2) @ squares
    residual = np.maximum(residual, ROUNDING * (data**2).sum(axis=0))
    if rule == "lcurve":
        return _curvature(residual, (1 / (s + lam) ** 2) @ squares, lambdas)
    share = s / (s + lam)
    e = made.beside.shape[1]
    trace, trace_of_square = e + share.sum(axis=1), e + (share**2).sum(axis=1)
    few = n < 100
    rho = (1.3 if few else 2.0) if rule == "mgcv" else 1.0
    left = n - rho * trace
    score = np.where(left > 0, n / np.maximum(left, 1e-300) ** 2, np.inf)[:, None] * residual
    if rule == "rgcv":
        xi = 0.2 if few else 0.3
        score = score * (xi + (1 - xi) * trace_of_square / n)[:, None]
    return np.asarray(score)


def _curvature(residual: RealArray, size: RealArray, lambdas: RealArray) -> RealArray:
    """Return minus the curvature of ln ‖Lx‖² over ln ‖residual‖², both over ln λ; the ends are left out."""
    t = np.log(lambdas)
    x, y = np.log(residual), np.log(np.maximum(size, 1e-300))
    x1, y1 = np.gradient(x, t, axis=0), np.gradient(y, t, axis=0)
    x2, y2 = np.gradient(x1, t, axis=0), np.gradient(y1, t, axis=0)
    speed = np.maximum(x1**2 + y1**2, 1e-6)  # where neither moves there is no corner
    out = -(x1 * y2 - y1 * x2) / speed**1.5
    out[:2], out[-2:] = np.inf, np.inf
    return np.asarray(out)


def cross_scores(grid: Matrices, laid: Laid, lambdas: RealArray = LAMBDAS) -> RealArray:
    """Return how badly γ of the real part foretells the imaginary part, and the other way round, for every λ.

    R∞ comes from the real part; L and C, which it does not show, from the imaginary part.
    """
    n, m = laid.data.size // 2, grid.tau_s.size
    seen_by = {"r_inf": "real", "inductance": "imag", "capacitance": "imag"}
    halves = {"real": slice(0, n), "imag": slice(n, 2 * n)}
    own = {part: [i for i, name in enumerate(laid.extras) if seen_by[name] == part] for part in halves}
    penalty = grid.roughness
    out = np.empty(lambdas.size)
    for k, lam in enumerate(lambdas):
        found = {}
        for part, at in halves.items():
            chosen = [*range(m), *(m + i for i in own[part])]
            rows = laid.rows[at][:, chosen]
            matrix = rows.T @ rows
            matrix[:m, :m] += lam * penalty
            found[part] = solve_positive(matrix, rows.T @ laid.data[at])
        out[k] = 0.0
        for part, at in halves.items():
            other = "imag" if part == "real" else "real"
            beside = laid.rows[at][:, [m + i for i in own[part]]] @ found[part][m:]
            out[k] += float(((laid.data[at] - beside - laid.rows[at][:, :m] @ found[other][:m]) ** 2).sum())
    return out


def choose(grid: Matrices, laid: Laid, rule: Rule, made: Modes) -> tuple[float, RealArray]:
    """Return the best λ of one spectrum and the criterion over `LAMBDAS`.

    A spectrum that is smoother than any instrument's gets the largest λ whose misfit is still within `FLOOR`.

    Raises
    ------
    FitError
        If the rule is unknown, or re–im cross-validation lacks one of the parts.
    """
    check_rule(rule)
    if rule == "reim":
        if laid.data.size != 2 * grid.frequency_hz.size:
            raise FitError(
                "Re–im cross-validation needs both parts", mend="Leave parts='both', or take lambda_='gcv'."
            )
        score = cross_scores(grid, laid)
    else:
        score = scores(made, laid.data[:, None], rule)[:, 0]
    best = int(np.argmin(score))
    n = grid.frequency_hz.size
    believed = FLOOR**2 * float(laid.data @ laid.data) / n * laid.data.size
    if rule != "lcurve" and misfit(made, laid.data, float(LAMBDAS[best])) < believed:
        fits = [misfit(made, laid.data, float(lam)) <= believed for lam in LAMBDAS[best:]]
        best += sum(fits) - 1 if fits[0] else 0  # the misfit rises with λ: the largest that is still believed
    return float(LAMBDAS[best]), score


def check_rule(rule: object) -> None:
    """Refuse an unknown rule."""
    if rule not in RULES:
        raise FitError(
            f"There is no rule {rule!r} for lambda", mend=f"Choose {', '.join(RULES)}, or give a number."
        )


def misfit(made: Modes, data: RealArray, lambda_: float) -> float:
    """Return the sum of squares that the linear solution leaves at one λ."""
    s = made.eigenvalues
    squares = (made.to_modes @ data) ** 2
    total = float(data @ data) - float(((made.beside.T @ data) ** 2).sum())
    return max(total - float(((s + 2 * lambda_) / (s + lambda_) ** 2) @ squares), ROUNDING * float(data @ data))


def raised(grid: Matrices, plain: RealArray, right: RealArray, total: float, n_data: int, lambda_: float) -> float:
    """Return a larger λ for where the linear solution owes its fit to negative values.

    The criteria judge the linear solution. If without negative values the misfit is `NEGATIVE` times as large,
    that λ is too small for what is left; plain GCV of the non-negative solutions, whose parameters are those
    above zero, looks for a better one further up.

    Parameters
    ----------
    grid : Matrices
        The basis.
    plain, right, total : ndarray (p, p), ndarray (p,), float
        Normal equations without the penalty, and the sum of squares of the data.
    n_data : int
        Number of weighted data.
    lambda_ : float
        What a criterion chose.

    Returns
    -------
    float
        One of `LAMBDAS`, or `lambda_` itself.
    """
    m = grid.tau_s.size
    best, lowest, free = lambda_, np.inf, None
    for lam in LAMBDAS[np.searchsorted(LAMBDAS, lambda_ * (1 - 1e-9)) :: 3]:
        normal = plain.copy()
        normal[:m, :m] += lam * grid.roughness
        x, free = solve(normal, right, free)
        rss = max(total - 2 * float(right @ x) + float(x @ plain @ x), ROUNDING * total)
        at = np.flatnonzero(free)
        worth = float(np.sum(np.linalg.inv(normal[np.ix_(at, at)]) * plain[np.ix_(at, at)]))
        score = rss / max(n_data - worth, 1.0) ** 2
        if score < lowest:
            best, lowest = float(lam), score
        elif score > 2 * lowest:
            break
    return best
