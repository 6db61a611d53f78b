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
