"""Draws of γ from its posterior, a Gaussian truncated to non-negative coefficients, and the bands they make.

A. Pakman, L. Paninski, J. Comput. Graph. Stat. 23 (2014) 518, doi:10.1080/10618600.2013.788448; for impedance:
F. Ciucci, C. Chen, Electrochim. Acta 167 (2015) 439, doi:10.1016/j.electacta.2015.03.123.
"""

from __future__ import annotations

import math

import numpy as np

from eis.spectrum import RealArray
from fitting.drt_solver import engine

BURN_IN = 20
"""Draws left out at the beginning; each starts afresh from a new velocity."""
MOST_BOUNCES = 2000
"""Walls one move may meet before it is cut short."""
AT_ZERO = 0.1
"""Share of its width by which a band that begins at the lowest draw may miss zero and still reach it."""


def truncated_draws(covariance: RealArray, mean: RealArray, start: RealArray, count: int, seed: int) -> RealArray:
    """Draw from a Gaussian truncated to x ≥ 0.

    Parameters
    ----------
    covariance : ndarray, shape (p, p)
        Covariance before truncation, positive definite.
    mean, start : ndarray, shape (p,)
        Mean before truncation, and a point with x ≥ 0.
    count, seed : int
        How many draws, and the seed of their velocities.

    Returns
    -------
    ndarray, shape (count, p)
    """
    size = np.sqrt(np.diag(covariance))
    gram = covariance / np.outer(size, size)
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    inside = (np.maximum(start, 0.0) - mean) / size + 1e-3
    normals = np.random.default_rng(seed).standard_normal((count + BURN_IN, mean.size))
    compiled = engine()
    move = compiled.draw if compiled is not None else draw
    places = move(gram, mean / size, inside, normals @ root.T, MOST_BOUNCES)[BURN_IN:]
    return np.maximum(mean + places * size, 0.0)


def draw(gram: RealArray, offset: RealArray, start: RealArray, speeds: RealArray, most_bounces: int) -> RealArray:
    """Draw correlated normal variables truncated to y + offset ≥ 0 by exact Hamiltonian motion.

    A particle moves on y(t) = v sin t + y cos t for a quarter turn, from a fresh velocity each time, and is
    mirrored at every wall it meets. With s = tan(t/2) a wall is met where
    (offset − y) s² + 2 v s + (offset + y) = 0, so that no angle is ever needed.

    Parameters
    ----------
    gram : ndarray, shape (c, c)
        Correlation of the variables.
    offset, start : ndarray, shape (c,)
        Distance of the walls from the origin, and a point inside.
    speeds : ndarray, shape (s, c)
        Velocities, normal with correlation `gram`.
    most_bounces : int
        Walls one move may meet.

    Returns
    -------
    ndarray, shape (s, c)
        Where each move ends.
    """
    place = start.copy()
    out = np.empty(speeds.shape)
    for n, first in enumerate(speeds):
        speed = first.copy()
        left, last = 1.0, -1
        for _ in range(most_bounces):
            a, slack = offset - place, np.maximum(offset + place, 0.0)
            under = speed**2 - a * slack
            root = np.sqrt(np.maximum(under, 0.0))
            meets = (under >= 0) & (root > speed)
            time = np.where(meets, slack / np.where(meets, root - speed, 1.0), 2.0)
            if last >= 0:  # the wall just left is met again at the other root
                again = a[last] < 0 and speed[last] > 0
                time[last] = -2 * speed[last] / a[last] if again else 2.0
            wall = int(np.argmin(time))
            best = min(float(time[wall]), left)
            cosine, sine = (1 - best**2) / (1 + best**2), 2 * best / (1 + best**2)
            place, speed = speed * sine + place * cosine, speed * cosine - place * sine
            if time[wall] >= left:
                break
            speed = speed - 2 * speed[wall] * gram[wall]
            left = (left - best) / (1 + left * best)
            last = wall
        out[n] = place
    return out


def shortest_band(values: RealArray, share: float = 0.95) -> tuple[RealArray, RealArray]:
    """Return the shortest interval that holds `share` of the draws, column by column.

    Where γ is near zero the shortest interval reaches down to zero, as it should; one with equal tails never does.

    Parameters
    ----------
    values : ndarray, shape (s, k)
        Draws.
    share : float
        Part of the draws inside.

    Returns
    -------
    low, high : ndarray, shape (k,)
    """
    ordered = np.sort(values, axis=0)
    count = values.shape[0]
    inside = min(math.ceil(share * count), count - 1)
    widths = ordered[inside:] - ordered[: count - inside]
    at = np.argmin(widths, axis=0)
    column = np.arange(values.shape[1])
    low, high = ordered[at, column], ordered[at + inside, column]
    heaped = (at == 0) & (low < AT_ZERO * (high - low))
    return np.where(heaped, np.minimum(low, 0.0), low), high
