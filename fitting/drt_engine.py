"""Compiled loops of the distribution of relaxation times: non-negative solutions and truncated Gaussian draws."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from fitting.compiled import drop_stale
from fitting.rare import machine_code

FAST = {"contract", "reassoc", "arcp", "nsz"}


@machine_code(fastmath=FAST)
def _factor(u, k):  # type: ignore[no-untyped-def]
    """Turn the upper triangle of u[:k, :k] into its Cholesky factor UᵀU in place; tell whether it is positive."""
    for i in range(k):
        for c in range(i):
            value = u[c, i]
            for j in range(i, k):
                u[i, j] -= value * u[c, j]
        if not u[i, i] > 1e-16:
            return False
        scale = 1.0 / math.sqrt(u[i, i])
        for j in range(i, k):
            u[i, j] *= scale
    return True


@machine_code(fastmath=FAST)
def _solve_factored(u, k, b):  # type: ignore[no-untyped-def]
    """Solve UᵀU x = b in place."""
    for i in range(k):
        b[i] /= u[i, i]
        value = b[i]
        for j in range(i + 1, k):
            b[j] -= value * u[i, j]
    for i in range(k - 1, -1, -1):
        value = b[i]
        for j in range(i + 1, k):
            value -= u[i, j] * b[j]
        b[i] = value / u[i, i]


@machine_code(fastmath=FAST)
def _pivot(h, g, inside, x, u, b, at, gradient, tolerance, patience_full, most_rounds):  # type: ignore[no-untyped-def]
    """Solve one problem by block pivoting into `inside` and `x`; tell whether that came to an end."""
    p = g.size
    slack = 0.0
    for i in range(p):
        slack = max(slack, abs(g[i]))
    slack *= tolerance
    fewest, patience, solved = p + 1, patience_full, False
    for _ in range(most_rounds):
        k = 0
        for i in range(p):
            x[i] = 0.0
            if inside[i]:
                at[k] = i
                k += 1
        lift = 0.0
        while True:
            for i in range(k):
                row = h[at[i]]
                for j in range(i, k):
                    u[i, j] = row[at[j]]
                u[i, i] += lift
            if _factor(u, k):
                break
            lift = max(10.0 * lift, 1e-15)
        for i in range(k):
            b[i] = g[at[i]]
        _solve_factored(u, k, b)
        for i in range(p):
            gradient[i] = -g[i]
        for i in range(k):
            value, row = b[i], h[at[i]]
            x[at[i]] = value
            for j in range(p):
                gradient[j] += value * row[j]
        count, last = 0, -1
        for i in range(p):
            if (x[i] if inside[i] else gradient[i]) < -slack:
                count += 1
                last = i
        if count == 0:
            solved = True
            break
        single = False
        if count < fewest:
            fewest, patience = count, patience_full
        elif patience > 0:
            patience -= 1
        else:
            single = True
        if single:
            inside[last] = not inside[last]
        else:
            for i in range(p):
                if (x[i] if inside[i] else gradient[i]) < -slack:
                    inside[i] = not inside[i]
    for i in range(p):
        x[i] = max(x[i], 0.0) if inside[i] else 0.0
    return solved


@machine_code()
def solve_many(matrices, which, vectors, free, tolerance, patience, most_rounds):  # type: ignore[no-untyped-def]
    """Solve many problems; see `fitting.drt_solver.solve_many`. The matrices have unit diagonals."""
    s, p = vectors.shape
    x, inside, solved = np.empty((s, p)), free.copy(), np.empty(s, dtype=np.bool_)
    u, b, gradient, at = np.empty((p, p)), np.empty(p), np.empty(p), np.empty(p, dtype=np.int64)
    for i in range(s):
        solved[i] = _pivot(
            matrices[which[i]], vectors[i], inside[i], x[i], u, b, at, gradient, tolerance, patience, most_rounds
        )
    return x, solved


@machine_code(fastmath=FAST)
def draw(gram, offset, start, speeds, most_bounces):  # type: ignore[no-untyped-def]
    """Move a particle among walls; see `fitting.drt_bayes.draw`, which does the same."""
    s, c = speeds.shape
    out = np.empty((s, c))
    place, speed = start.copy(), np.empty(c)
    time = np.empty(c)
    for n in range(s):
        for i in range(c):
            speed[i] = speeds[n, i]
        left, last = 1.0, -1  # half-angle tangent of the quarter turn that is left
        for _ in range(most_bounces):
            for i in range(c):
                b, slack = speed[i], max(offset[i] + place[i], 0.0)
                under = b * b - (offset[i] - place[i]) * slack
                down = math.sqrt(max(under, 0.0)) - b
                meets = under >= 0.0 and down > 0.0
                time[i] = slack / (down if meets else 1.0) + (0.0 if meets else 2.0)
            if last >= 0:  # the wall just left is met again at the other root
                a = offset[last] - place[last]
                time[last] = -2.0 * speed[last] / a if a < 0.0 and speed[last] > 0.0 else 2.0
            best, wall = left, -1
            for i in range(c):
                if time[i] < best:
                    best, wall = time[i], i
            scale = 1.0 / (1.0 + best * best)
            cosine, sine = (1.0 - best * best) * scale, 2.0 * best * scale
            for i in range(c):
                old = place[i]
                place[i] = speed[i] * sine + old * cosine
                speed[i] = speed[i] * cosine - old * sine
            if wall < 0:
                break
            push = -2.0 * speed[wall]
            for i in range(c):
                speed[i] += push * gram[wall, i]
            left = (left - best) / (1.0 + left * best)
            last = wall
        for i in range(c):
            out[n, i] = place[i]
    return out


__all__ = ["draw", "solve_many"]

drop_stale(Path(str(draw.stats.cache_path)))
