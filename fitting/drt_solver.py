"""Least squares without negative values: minimise ½ xᵀHx − gᵀx with x ≥ 0, by block pivoting.

The set of free variables is guessed (the positive ones of the unconstrained solution, or the set of a neighbour),
solved, and every variable on the wrong side changes sides at once; if that stops helping, one at a time.

L. F. Portugal, J. J. Júdice, L. N. Vicente, Math. Comput. 63 (1994) 625, doi:10.1090/S0025-5718-1994-1250776-4.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.optimize import nnls

from eis.spectrum import IntArray, RealArray
from fitting.compiled import WITHOUT

PATIENCE = 3
"""Rounds without fewer variables on the wrong side before they change one at a time."""
TOLERANCE = 1e-11
"""Share of its natural size (√H_ii) by which a value or a gradient may be negative and still count as zero."""
ONE = np.zeros(1, dtype=np.int64)
MOST_ROUNDS = 40
"""Rounds after which a slower method, which cannot turn in circles, takes over; a handful is usual."""

Mask = NDArray[np.bool_]


def engine() -> ModuleType | None:
    """Return the compiled engine, or None where numba is missing or unwanted (``EIS_WITHOUT_NUMBA``)."""
    if os.environ.get(WITHOUT):
        return None
    try:
        import fitting.drt_engine
    except ImportError:
        return None
    return fitting.drt_engine


def solve(matrix: RealArray, vector: RealArray, free: Mask | None = None) -> tuple[RealArray, Mask]:
    """Minimise ½ xᵀHx − gᵀx with x ≥ 0.

    Parameters
    ----------
    matrix : ndarray, shape (p, p)
        H, positive definite.
    vector : ndarray, shape (p,)
        g.
    free : ndarray of bool, shape (p,), optional
        First guess of the variables above zero.

    Returns
    -------
    x : ndarray, shape (p,)
        Solution, exactly 0 where it is held.
    free : ndarray of bool, shape (p,)
        Which variables are not held at zero.
    """
    size = np.sqrt(np.diag(matrix))
    h, g = matrix / np.outer(size, size), vector / size
    slack = TOLERANCE * float(np.abs(g).max(initial=0.0))
    inside = _plain(h, g, np.ones(g.size, dtype=bool)) > 0 if free is None else free.copy()
    compiled = None if os.environ.get(WITHOUT) else sys.modules.get("fitting.drt_engine")
    if compiled is not None:  # worth it only where it is loaded already: that takes longer than a spectrum
        many = compiled.solve_many(h[None], ONE, g[None], inside[None], TOLERANCE, PATIENCE, 5 * MOST_ROUNDS)
        x = many[0][0] if many[1][0] else _lawson_hanson(h, g)
        return x / size, x > 0
    fewest, patience = g.size + 1, PATIENCE
    x = np.zeros(g.size)
    for _ in range(MOST_ROUNDS):
        x = _plain(h, g, inside)
        gradient = h @ x - g
        wrong = np.where(inside, x < -slack, gradient < -slack)
        count = int(wrong.sum())
        if not count:
            break
        if count < fewest:
            fewest, patience = count, PATIENCE
        elif patience:
            patience -= 1
        else:  # one at a time ends for certain: the last that is wrong
            wrong[: np.flatnonzero(wrong)[-1]] = False
        inside = inside ^ wrong
    else:
        x = _lawson_hanson(h, g)
        inside = x > 0
    return np.where(inside, np.maximum(x, 0), 0.0) / size, inside


def _lawson_hanson(h: RealArray, g: RealArray) -> RealArray:
    lower, _ = _cholesky(h)
    return np.asarray(nnls(lower.T, solve_triangular(lower, g, lower=True), maxiter=30 * g.size)[0])


def _plain(h: RealArray, g: RealArray, inside: Mask) -> RealArray:
    """Solve for the variables inside; the others are zero."""
    x = np.zeros(g.size)
    at = np.flatnonzero(inside)
    if at.size:
        x[at] = solve_positive(h[np.ix_(at, at)], g[at])
    return x


def solve_positive(h: RealArray, g: RealArray) -> RealArray:
    """Solve Hx = g by Cholesky."""
    lower, _ = _cholesky(h)
    return np.asarray(dpotrs(lower, g, lower=1)[0])


def _cholesky(h: RealArray) -> tuple[RealArray, float]:
    """Return the lower factor of H, and by how much it was lifted because rounding had made it indefinite."""
    lift = 0.0
    while True:
        lower, info = dpotrf(h if not lift else h + lift * np.eye(h.shape[0]), lower=1, clean=1)
        if info == 0:
            return np.asarray(lower), lift
        lift = max(10 * lift, 1e-15 * float(np.diag(h).max()))


def solve_many(matrices: RealArray, which: IntArray, vectors: RealArray, free: Mask) -> tuple[RealArray, Mask]:
    """Solve many problems that share a few matrices.

    Parameters
    ----------
    matrices : ndarray, shape (k, p, p)
        The different H.
    which : ndarray of int, shape (s,)
        The H of each problem.
    vectors : ndarray, shape (s, p)
        The g of each problem.
    free : ndarray of bool, shape (s, p)
        First guesses of the variables above zero.

    Returns
    -------
    x : ndarray, shape (s, p)
        Solutions.
    solved : ndarray of bool, shape (s,)
        Which of them are; the others turned in circles.
    """
    size = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
    scaled, g = matrices / (size[:, :, None] * size[:, None, :]), vectors / size[which]
    compiled = engine()
    if compiled is not None:
        x, solved = compiled.solve_many(scaled, which, g, free, TOLERANCE, PATIENCE, 5 * MOST_ROUNDS)
        return x / size[which], solved
    x = np.stack([solve(scaled[k], g[i], free[i])[0] for i, k in enumerate(which)])
    return x / size[which], np.ones(which.size, dtype=bool)
