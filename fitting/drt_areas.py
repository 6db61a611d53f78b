r"""The resistance of each peak of a distribution of relaxation times, where the peaks overlap.

Arcs have tails: cut at the valley, a small peak keeps what its large neighbour left there. Instead, γ at every τ
is shared among the peaks in proportion to what an arc of each one's area and height has there,

.. math:: R_k = \int w_k \gamma \, d \ln \tau, \qquad
          w_k = \frac{g_k}{\sum_l g_l}, \qquad
          g = \frac{R}{2 \pi} \frac{\sin (1-\alpha) \pi}{\cosh(\alpha \ln(\tau/\tau_0)) - \cos (1-\alpha) \pi}

with areas, heights and shares found in turn. The sum over the peaks remains the whole of γ, and where nothing
overlaps this is the area between the valleys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from eis.spectrum import RealArray

TURNS = 6
"""Times areas and shares are found in turn."""
NARROWEST, WIDEST = 0.99, 0.4
"""Exponents an arc may have."""


def shares(
    x: RealArray, gamma: RealArray, tops: Sequence[int], valleys: Sequence[int]
) -> tuple[RealArray, RealArray]:
    """Share γ among its peaks.

    Parameters
    ----------
    x : ndarray, shape (k,)
        ln τ, rising evenly.
    gamma : ndarray, shape (k,)
        γ there.
    tops, valleys : sequence of int, n and n + 1
        Places of the peaks, and the ends and valleys before, between and after them; beyond the ends nobody has
        a share.

    Returns
    -------
    shares : ndarray, shape (n, k)
        Each between 0 and 1; their sum is 1 between the ends.
    exponents : ndarray, shape (n,)
        Of the arcs that are as high over their area.
    """
    h = float(x[1] - x[0])
    place = np.arange(x.size)
    out = np.array([(place >= a) & (place < b) for a, b in pairwise(valleys)], dtype=np.float64)
    alpha = np.ones(len(tops))
    if not len(tops):
        return out, alpha
    inside = out.sum(axis=0)
    top = gamma[list(tops)]
    distance = np.abs(x - x[list(tops), None])
    for turn in range(TURNS if len(tops) > 1 else 1):
        height = top * out[range(len(tops)), tops]
        area = np.maximum(h * (out @ gamma), 1e-300)
        alpha = np.clip(2 / math.pi * np.arctan(2 * math.pi * height / area), WIDEST, NARROWEST)
        if len(tops) == 1 or turn == TURNS - 1:
            break
        cosine = np.cos((1 - alpha) * math.pi)[:, None]
        arcs = height[:, None] * (1 - cosine) / (np.cosh(np.minimum(alpha[:, None] * distance, 300)) - cosine)
        out = inside * arcs / np.maximum(arcs.sum(axis=0), 1e-300)
    return out, alpha


def tail(alpha: float, distance: float) -> float:
    """Return the part of an arc of exponent `alpha` that lies farther than `distance` in ln τ on one side."""
    inner = math.atan(math.tan(0.5 * math.pi * alpha) * math.tanh(0.5 * alpha * distance))
    return 0.5 - inner / (math.pi * alpha)
