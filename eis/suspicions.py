"""What the residuals of a ladder say went wrong: drift, a range of points set off, single points, the leads.

Every suspicion is a pattern that Kramers–Kronig forbids. A pattern v beside the ladder lowers the sum of squares
of its residuals r by (v⊥·r)²/|v⊥|², v⊥ being what the ladder cannot follow of it. The suspicion that lowers AICc
most, each against its own best length of ladder and after a toll for the number of places that were looked at, is
named, its pattern is taken out, and the rest is looked at again. What the ladder can follow of a pattern is not
seen: a drift that looks like slow relaxation stays hidden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eis.ladder import Ladder, all_ladders, best_ladder
from eis.spectrum import ComplexArray, RealArray

Pattern = Literal["drift", "shift", "outlier", "high-frequency artefact"]

CERTAIN = {"drift": 12.0, "shift": 14.0, "outlier": 12.0, "high-frequency artefact": 24.0}
"""By how much AICc must fall, beyond the toll, before a suspicion is more than chance; leads whose corner lies
beyond the data take the most to be told from an artefact."""
ABOVE = 10.0
"""Standard deviations by which Z must exceed its high-frequency end before that part can drift alone."""
SMALLEST = {"drift": 0.003, "shift": 0.003, "outlier": 0.005, "high-frequency artefact": 0.003}
"""Size, as a fraction of |Z|, below which a pattern does no harm."""
QUIET = 1e-4
"""Noise, as a fraction of |Z|, below which no instrument measures: what a ladder leaves over there is its own."""
MOST_PATTERNS = 3
OUTLIER_SHARE = 6
"""At most one point in so many can stand alone."""
SHORTEST_BLOCK = 3
STAND_OUT = 5.0
"""Robust standard deviations of its neighbourhood by which a lone point must stand out."""
NEIGHBOURS = 8
RAYLEIGH = math.sqrt(2 * math.log(2))
"""Median size of a complex normal number over the standard deviation of its parts."""
LARGEST = 0.5
"""Size above which a smooth pattern is not what it seems."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A pattern that was found: what it is, how large, how sure, and the points it covers."""

    pattern: Pattern
    size: float
    score: float
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """All suspicions, the points that stand alone, and the ladder of what is left without them."""

    suspicions: tuple[Suspicion, ...]
    alone: NDArray[np.bool_]
    ladder: Ladder
    kept: NDArray[np.bool_]
    detectable_drift: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    suspicion: Suspicion
    factor: ComplexArray
    """What Z is divided by to take the pattern out."""


def explain(
    f: RealArray, z: ComplexArray, clocks: Sequence[RealArray], unevenness: RealArray | None = None
) -> Explained:
    """Name the patterns in the residuals, one after the other.

    Parameters
    ----------
    f, z : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm).
    clocks : sequence of ndarray, shape (n,)
        When each point was measured, 0 to 1; several where the order is not known.
    unevenness : ndarray, shape (n,), optional
        Noise at each point relative to the others.
    """
    uneven = np.ones(f.size) if unevenness is None else unevenness
    kept = np.ones(f.size, dtype=bool)
    corrected = z.copy()
    found: list[Suspicion] = []
    alone: list[int] = []
    limit = max(3, f.size // OUTLIER_SHARE)
    detectable = math.inf
    while True:
        place = np.flatnonzero(kept)
        ladders = all_ladders(f[kept], corrected[kept], step=2, unevenness=uneven[kept])
        candidates = _candidates(f[kept], corrected[kept], ladders, [clock[kept] for clock in clocks])
        if not found and not alone:
            detectable = _detectable(f, z, ladders, clocks)
        if best_ladder(ladders).sigma <= QUIET:
            break
        sure = [one for one in candidates if _counts(one.suspicion)]
        best = max(sure, key=lambda one: one.suspicion.score, default=None)
        if best is None:
            break
        one = best.suspicion
        points = tuple(int(place[i]) for i in one.points)
        if one.pattern == "outlier":
            if len(alone) >= limit:
                break
            alone += points
            kept[list(points)] = False
        else:
            if sum(s.pattern != "outlier" for s in found) >= MOST_PATTERNS:
                break
            corrected[kept] = corrected[kept] / best.factor
        found.append(Suspicion(one.pattern, one.size, one.score, points))
    marks = np.zeros(f.size, dtype=bool)
    marks[alone] = True
    return Explained(tuple(found), marks, best_ladder(ladders), kept, detectable)


def _counts(one: Suspicion) -> bool:
    believable = one.pattern == "outlier" or one.size < LARGEST
    return believable and one.score > CERTAIN[one.pattern] and one.size > SMALLEST[one.pattern]


def _candidates(
    f: RealArray, z: ComplexArray, ladders: Sequence[Ladder], clocks: Sequence[RealArray]
) -> list[_Candidate]:
    """Return the best candidate of every kind."""
    plain = min(one.aicc for one in ladders)
    out = [_lone_point(ladders, plain), *_smooth(f, z, ladders, plain, clocks)]
    out.append(_block(z, ladders, plain))
    return [one for one in out if one is not None]


def _gained(one: Ladder, gain: RealArray, extra: int) -> RealArray:
    """Return AICc with `extra` more parameters that lower the sum of squares by `gain`."""
    n, k = one.left.size, one.basis.shape[1] + extra
    rest = np.maximum(one.chi2 - gain, 1e-28)
    return np.asarray(n * np.log(rest / n) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1))


def _patterns(
    f: RealArray, z: ComplexArray, best: Ladder, clocks: Sequence[RealArray]
) -> list[tuple[Pattern, ComplexArray]]:
    """Return patterns that are known beforehand, as relative changes of Z."""
    smooth = z - best.residual * np.abs(z)
    above = 1 - smooth.real.min() / smooth  # what lies above the high-frequency end drifts, the leads do not
    stands_out = float(np.abs(above.real).max()) > ABOVE * best.sigma
    x = f / f.max()
    out: list[tuple[Pattern, ComplexArray]] = []
    for clock in clocks:
        for shape in (clock - clock[0], np.sqrt(clock) - math.sqrt(clock[0])):
            out.append(("drift", shape.astype(np.complex128)))
            if stands_out:
                out.append(("drift", shape * above))
    for shape in (1j * x, x**2 + 0j, 1j * x**2):
        out.append(("high-frequency artefact", shape))
    return out


def _smooth_unit(z: ComplexArray, best: Ladder) -> ComplexArray:
    """Return Ẑ/|Z| of a ladder, weighted; noise must not be part of a pattern, for it is part of the residuals."""
    return np.asarray((z / np.abs(z) - best.residual) / best.unevenness)


def _smooth(
    f: RealArray, z: ComplexArray, ladders: Sequence[Ladder], plain: float, clocks: Sequence[RealArray]
) -> list[_Candidate]:
    patterns = _patterns(f, z, best_ladder(ladders), clocks)
    unit = _smooth_unit(z, best_ladder(ladders))
    raw = np.array([shape * unit for _, shape in patterns])
    columns = np.concatenate([raw.real, raw.imag], axis=1)
    gain, amount = _project(ladders, columns)
    scores = np.array([_gained(one, g, 1) for one, g in zip(ladders, gain, strict=True)])
    best: dict[str, _Candidate] = {}
    for j, (name, shape) in enumerate(patterns):
        i = int(scores[:, j].argmin())
        score = plain - float(scores[i, j]) - 2 * math.log(len(patterns))
        size = float(abs(amount[i, j]) * np.abs(shape).max())
        if name not in best or score > best[name].suspicion.score:
            moved = np.abs(shape) > 0.1 * np.abs(shape).max()
            points = tuple(np.flatnonzero(moved)[[0, -1]].tolist())
            best[name] = _Candidate(Suspicion(name, size, score, points), 1 + amount[i, j] * shape)
    return list(best.values())


def _project(ladders: Sequence[Ladder], columns: RealArray) -> tuple[RealArray, RealArray]:
    """Return by how much each column (rows of `columns`) lowers each ladder's sum of squares, and its amount."""
    gain, amount = np.zeros((len(ladders), len(columns))), np.zeros((len(ladders), len(columns)))
    for i, one in enumerate(ladders):
        outside = columns - (columns @ one.basis) @ one.basis.T
        power = (outside**2).sum(axis=1)
        seen = power > 1e-9 * (columns**2).sum(axis=1)
        product = outside @ one.left
        np.divide(product, power, out=amount[i], where=seen)
        gain[i] = amount[i] * product
    return gain, amount


def _detectable(f: RealArray, z: ComplexArray, ladders: Sequence[Ladder], clocks: Sequence[RealArray]) -> float:
    """Return the drift of what lies above the high-frequency end that would reach four standard deviations."""
    one = best_ladder(ladders)
    least = math.inf
    for name, shape in _patterns(f, z, one, clocks):
        if name == "drift":
            pattern = shape * _smooth_unit(z, one)
            column = np.concatenate([pattern.real, pattern.imag])
            outside = column - one.basis @ (column @ one.basis)
            length = float(np.linalg.norm(outside))
            least = min(least, 4 * one.sigma / length if length > 1e-6 else math.inf)
    return least


def _lone_point(ladders: Sequence[Ladder], plain: float) -> _Candidate | None:
    """Return the point that is off by itself, if one stands out of its neighbourhood too."""
    n = ladders[0].left.size // 2
    gain, amount = np.zeros((len(ladders), n)), np.zeros((len(ladders), n))
    for i, one in enumerate(ladders):
        upper, lower = one.basis[:n], one.basis[n:]
        a, b = 1 - (upper**2).sum(1), 1 - (lower**2).sum(1)
        c = -(upper * lower).sum(1)
        x, y = one.left[:n], one.left[n:]
        determinant = a * b - c * c
        fine = determinant > 1e-4
        safe = np.where(fine, determinant, 1.0)
        dx, dy = (b * x - c * y) / safe, (a * y - c * x) / safe
        gain[i] = np.where(fine, x * dx + y * dy, 0.0)
        amount[i] = np.where(fine, np.hypot(dx, dy), 0.0)
    scores = np.array([_gained(one, g, 2) for one, g in zip(ladders, gain, strict=True)])
    lowest = scores.min(axis=0)
    for j in np.argsort(lowest)[:3].tolist():
        i = int(scores[:, j].argmin())
        near = np.r_[max(0, j - NEIGHBOURS) : j, j + 1 : min(n, j + NEIGHBOURS + 1)]
        spread = float(np.median(np.abs(_without(ladders[i], j)[near]))) / RAYLEIGH
        if amount[i, j] > STAND_OUT * max(spread, 1e-12):
            score = plain - float(lowest[j]) - 2 * math.log(n)
            lone = Suspicion("outlier", float(amount[i, j] * ladders[i].unevenness[j]), score, (j,))
            return _Candidate(lone, np.ones(n, dtype=np.complex128))
    return None


def _without(one: Ladder, j: int) -> ComplexArray:
    """Return the weighted residuals of the ladder that was fitted without point `j`, shape (n,)."""
    n = one.left.size // 2
    pair = [j, n + j]
    rows = one.basis[pair]
    amount = np.linalg.solve(np.eye(2) - rows @ rows.T, one.left[pair])
    left = one.left + one.basis @ (rows.T @ amount)
    return np.asarray(left[:n] + 1j * left[n:])


def _block(z: ComplexArray, ladders: Sequence[Ladder], plain: float) -> _Candidate | None:
    """Return the range of points that a common factor would bring back to the others."""
    n = z.size
    unit = _smooth_unit(z, best_ladder(ladders))
    edges = np.tri(n + 1, n, -1)  # row i: the points before i
    first, last = np.triu_indices(n + 1, SHORTEST_BLOCK)
    inner = (last - first <= n - SHORTEST_BLOCK) & ((first == 0) | (first >= 2)) & ((last == n) | (last <= n - 2))
    first, last = first[inner], last[inner]
    toll = 2 * math.log(2 * first.size)
    best: _Candidate | None = None
    for turned in (unit, 1j * unit):
        columns = np.concatenate([edges * turned.real, edges * turned.imag], axis=1)
        found = None
        for one in ladders:
            outside = columns - (columns @ one.basis) @ one.basis.T
            gram, product = outside @ outside.T, outside @ one.left
            square = np.diag(gram)
            power = square[last] + square[first] - 2 * gram[first, last]
            along = product[last] - product[first]
            seen = power > 1e-6
            gain = np.where(seen, along**2 / np.where(seen, power, 1.0), 0.0)
            j = int(gain.argmax())
            total = float(_gained(one, gain[j : j + 1], 1)[0])
            if found is None or total < found[0]:
                found = (total, int(first[j]), int(last[j]), float(along[j] / power[j]) if seen[j] else 0.0)
        if found is None:
            continue
        total, start, stop, amount = found
        score = plain - total - toll
        if best is None or score > best.suspicion.score:
            factor = np.ones(n, dtype=np.complex128)
            factor[start:stop] += amount if turned is unit else 1j * amount
            one_end = Suspicion("shift", abs(amount), score, (start, stop - 1))
            best = _Candidate(one_end, factor)
    return best
