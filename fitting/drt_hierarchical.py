r"""The self-tuning distribution: each τ has a smoothness of its own, learnt from the data.

A single λ must be small enough for the sharpest peak and then lets noise ripple the flat parts. Here the prior of
the slope has a width of its own at each τ, proportional to γ there,

.. math:: \frac{d \gamma}{d \ln \tau} \sim N\left(0, [c \, (\gamma + \epsilon \gamma_\mathrm{max})]^2\right)

so that relative changes are what counts: the flanks of every relaxation rise and fall as powers of τ, which is
one relative slope, whatever its height. γ and the widths are found in turn, c by cross-validation each time.
The idea of hyperparameters tuned by the data is that of J. Huang, M. Papac, R. O'Hayre, Electrochim. Acta 367
(2021) 137493, doi:10.1016/j.electacta.2020.137493; prior and algorithm here are others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular

from eis.spectrum import RealArray
from fitting.drt_matrices import Matrices
from fitting.drt_solver import Mask, solve_positive

TURNS = 6
"""Times γ and the widths of its prior are found in turn; three change the shape by a per cent, six no more."""
LEAST = 0.01
"""Share of the highest γ that is added to each: what is lower is not told from zero."""


def self_tuned(grid: Matrices, gamma_of: Callable[[Matrices], RealArray]) -> Matrices:
    """Return the grid with the penalty the data ask for.

    Parameters
    ----------
    grid : Matrices
        The basis with its even penalty.
    gamma_of : callable
        Gives the coefficients of γ for a grid with a penalty, shape (m,).

    Returns
    -------
    Matrices
        The same basis; `roughness` and `smooth` are those of the last turn.
    """
    tuned = grid
    for _ in range(TURNS):
        gamma = np.abs(grid.values @ gamma_of(tuned))
        top = float(gamma.max())
        if not top > 0:
            return grid
        tuned = with_widths(grid, gamma / top + LEAST)
    return tuned


def with_widths(grid: Matrices, widths: RealArray) -> Matrices:
    """Return the grid with slopes penalised over `widths`, shape (k,), at the fine places."""
    step = float(np.log(grid.fine_tau_s[1] / grid.fine_tau_s[0]))
    relative = grid.slopes / widths[:, None]
    roughness = step * relative.T @ relative
    m = grid.tau_s.size
    roughness += 1e-9 * np.trace(roughness) / m * np.eye(m)
    roughness *= np.trace(grid.roughness) / np.trace(roughness)
    lower = np.linalg.cholesky(roughness)
    smooth = np.ascontiguousarray(solve_triangular(lower, np.eye(m), lower=True).T)
    return replace(grid, roughness=roughness, smooth=smooth)


def smoothed_away(roughness: RealArray, lambda_: float, normal: RealArray, x: RealArray, free: Mask) -> RealArray:
    r"""Return about what the penalty keeps from the estimate: what it takes from it, and again from what it took.

    .. math:: b = N^{-1} P \hat x + (N^{-1} P)^2 \hat x, \qquad P = \lambda R

    It is the bias of a linear smoother with the estimate for the truth, and is less than the truth's, as the
    estimate is smoother than that: of a small arc beside one twelve times as large about a third. Cross-validation
    finds the one λ that suits the large arc.

    Parameters
    ----------
    roughness : ndarray, shape (m, m)
        R, of the coefficients of γ.
    lambda_ : float
        λ.
    normal : ndarray, shape (p, p)
        N, the normal matrix with its penalty, of the coefficients and what stands beside them.
    x, free : ndarray, shape (p,)
        Estimate, and which variables are not held at zero.

    Returns
    -------
    ndarray, shape (m,)
        To be added to the coefficients, in the unit of `x`.
    """
    m, at = roughness.shape[0], np.flatnonzero(free)
    loose = normal[np.ix_(at, at)]
    taken, force = np.zeros(x.size), np.zeros(x.size)
    for _ in range(2):
        force[:m] = lambda_ * (roughness @ (x + taken)[:m])
        taken[at] = solve_positive(loose, force[at])
    return taken[:m]
