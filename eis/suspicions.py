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
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eis.ladder import Ladder, aicc, all_ladders, best_ladder
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
LARGEST_OWN = 2e-3
"""Residual, as a fraction of |Z|, that a ladder does not leave over of its own."""
MOST_PATTERNS = 3
OUTLIER_SHARE = 6
"""At most one point in so many can stand alone."""
SHORTEST_BLOCK = 3
FEWEST_OUTSIDE = 2
"""Points at an end of the sweep that a range must leave out, or else it reaches that end."""
STAND_OUT = 5.0
"""Robust standard deviations of its neighbourhood by which a lone point must stand out."""
NEIGHBOURS = 8
RAYLEIGH = math.sqrt(2 * math.log(2))
"""Median size of a complex normal number over the standard deviation of its parts."""
SEEN = 1e-9
"""Share of a pattern's square that a ladder must leave over for the pattern to be seen beside it."""
FAINT = 1e-6
"""The same for a range of points, in squares of the weighted impedance of one point."""
TIED = 1e-4
"""Determinant of what a ladder leaves of a point below which the point decides its own fit."""
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
    f: RealArray,
    z: ComplexArray,
    clocks: RealArray,
    unevenness: RealArray | None = None,
    ladders: Sequence[Ladder] = (),
) -> Explained:
    """Name the patterns in the residuals, one after the other.

    Parameters
    ----------
    f, z : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm).
    clocks : ndarray, shape (c, n)
        When each point was measured, 0 to 1; several where the order is not known.
    unevenness : ndarray, shape (n,), optional
        Noise at each point relative to the others.
    ladders : sequence of Ladder, optional
        Those of all these points, where they are known.
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
        if found or not ladders:
            ladders = all_ladders(f[kept], corrected[kept], unevenness=uneven[kept])
        candidates = _candidates(f[kept], corrected[kept], ladders, clocks[:, kept])
        if not found:
            detectable = _detectable(f, z, best_ladder(ladders), clocks)
        best = best_ladder(ladders)
        if best.sigma <= QUIET and np.abs(best.residual).max() <= LARGEST_OWN:
            break
        sure = [one for one in candidates if _counts(one.suspicion)]
        surest = max(sure, key=lambda one: one.suspicion.score, default=None)
        if surest is None:
            break
        one = surest.suspicion
        points = tuple(int(place[i]) for i in one.points)
        if one.pattern == "outlier":
            if len(alone) >= limit:
                break
            alone += points
            kept[list(points)] = False
        else:
            if sum(s.pattern != "outlier" for s in found) >= MOST_PATTERNS:
                break
            corrected[kept] = corrected[kept] / surest.factor
        found.append(Suspicion(one.pattern, one.size, one.score, points))
    marks = np.zeros(f.size, dtype=bool)
    marks[alone] = True
    return Explained(tuple(found), marks, best_ladder(ladders), kept, detectable)


def _counts(one: Suspicion) -> bool:
    believable = one.pattern == "outlier" or one.size < LARGEST
    return believable and one.score > CERTAIN[one.pattern] and one.size > SMALLEST[one.pattern]


def _candidates(f: RealArray, z: ComplexArray, ladders: Sequence[Ladder], clocks: RealArray) -> list[_Candidate]:
    """Return the best candidate of every kind."""
    plain = min(one.aicc for one in ladders)
    best = best_ladder(ladders)
    # noise must not be part of a pattern, for it is part of the residuals
    unit = (z / np.abs(z) - best.residual) / best.unevenness
    out = [_lone_point(ladders, plain), *_smooth(f, z, unit, ladders, plain, clocks)]
    out.append(_block(unit, ladders, plain))
    return [one for one in out if one is not None]


def _gained(one: Ladder, gain: RealArray, extra: int) -> RealArray:
    """Return AICc with `extra` more parameters that lower the sum of squares by `gain`."""
    return aicc(one.chi2 - gain, one.left.size, one.basis.shape[1] + extra)


def drift_shapes(
    smooth_ohm: ComplexArray, clocks: RealArray, noise: RealArray
) -> tuple[ComplexArray, NDArray[np.bool_]]:
    """Return how a drift changes Z, relative to Z, and whether what drifts can be told from noise.

    Parameters
    ----------
    smooth_ohm : ndarray of complex, shape (spectra, n)
        Impedance without its noise (ohm).
    clocks : ndarray, shape (spectra, c, n)
        When each point was measured, 0 to 1.
    noise : ndarray, shape (spectra,)
        Standard deviation of each part, as a fraction of |Z|.

    Returns
    -------
    shapes : ndarray of complex, shape (spectra, 4 c, n)
        Linear in time and as its root; of all of Z, then of what lies above its high-frequency end alone.
    visible : ndarray of bool, shape (spectra, 4 c)
    """
    above = 1 - smooth_ohm.real.min(axis=1)[:, None] / smooth_ohm
    stands_out = np.abs(above.real).max(axis=1) > ABOVE * noise
    root = np.sqrt(clocks)
    grown = np.concatenate([clocks - clocks[:, :, :1], root - root[:, :, :1]], axis=1)
    shapes = np.asarray(np.concatenate([grown, grown * above[:, None]], axis=1), dtype=np.complex128)
    visible = np.ones(shapes.shape[:2], dtype=bool)
    visible[:, grown.shape[1] :] = stands_out[:, None]
    return shapes, visible


def lead_shapes(f: RealArray) -> ComplexArray:
    """Return how leads change Z at high frequency beyond what L and R explain, relative to Z, shape (3, n)."""
    x = f / f.max()
    return np.array([1j * x, x**2 + 0j, 1j * x**2])


def _smooth(
    f: RealArray,
    z: ComplexArray,
    unit: ComplexArray,
    ladders: Sequence[Ladder],
    plain: float,
    clocks: RealArray,
) -> list[_Candidate]:
    """Return the best drift and the best artefact of the leads."""
    drifts, leads = _drifts(z, best_ladder(ladders), clocks), lead_shapes(f)
    shapes = np.concatenate([drifts, leads])
    columns = _parts(shapes * unit)
    whole = np.einsum("pi,pi->p", columns, columns)
    product = columns @ np.array([one.left for one in ladders]).T
    power = np.empty_like(product)
    score = np.empty_like(product)
    for i, one in enumerate(ladders):
        inside = columns @ one.basis
        power[:, i] = whole - np.einsum("pk,pk->p", inside, inside)
        power[power[:, i] <= SEEN * whole, i] = np.inf
        score[:, i] = plain - _gained(one, product[:, i] ** 2 / power[:, i], 1)
    score -= 2 * math.log(len(shapes))
    largest = np.abs(shapes).max(axis=1)
    out: list[_Candidate] = []
    kinds: tuple[tuple[Pattern, slice], ...] = (
        ("drift", slice(0, len(drifts))),
        ("high-frequency artefact", slice(len(drifts), None)),
    )
    for name, part in kinds:
        row, column = np.unravel_index(int(score[part].argmax()), score[part].shape)
        i, j = int(column), int(row) + part.start
        amount = float(product[j, i] / power[j, i])
        moved = np.flatnonzero(np.abs(shapes[j]) > 0.1 * largest[j])[[0, -1]]
        size = abs(amount) * float(largest[j])
        suspicion = Suspicion(name, size, float(score[j, i]), tuple(moved.tolist()))
        out.append(_Candidate(suspicion, 1 + amount * shapes[j]))
    return out


def _drifts(z: ComplexArray, best: Ladder, clocks: RealArray) -> ComplexArray:
    smooth = z - best.residual * np.abs(z)
    shapes, visible = drift_shapes(smooth[None], clocks[None], np.array([best.sigma]))
    return shapes[visible]


def _detectable(f: RealArray, z: ComplexArray, one: Ladder, clocks: RealArray) -> float:
    """Return the drift of what lies above the high-frequency end that would reach four standard deviations."""
    unit = (z / np.abs(z) - one.residual) / one.unevenness
    columns = _parts(_drifts(z, one, clocks) * unit)
    inside = columns @ one.basis
    power = float((np.einsum("pi,pi->p", columns, columns) - np.einsum("pk,pk->p", inside, inside)).max())
    return 4 * one.sigma / math.sqrt(power) if power > SEEN else math.inf


def lone_points(basis: RealArray, left: RealArray) -> tuple[RealArray, RealArray]:
    """Return by how much each point, left out, lowers the sum of squares, and how far off it then is.

    Parameters
    ----------
    basis : ndarray, shape (spectra, 2n, k)
        What a ladder of each spectrum can follow, orthonormal.
    left : ndarray, shape (spectra, 2n)
        What it leaves over.

    Returns
    -------
    gain, amount : ndarray, shape (spectra, n)
    """
    n = left.shape[1] // 2
    upper, lower = basis[:, :n], basis[:, n:]
    a, b = 1 - np.einsum("bik,bik->bi", upper, upper), 1 - np.einsum("bik,bik->bi", lower, lower)
    c = -np.einsum("bik,bik->bi", upper, lower)
    x, y = left[:, :n], left[:, n:]
    determinant = a * b - c * c
    determinant[determinant <= TIED] = np.inf
    dx, dy = (b * x - c * y) / determinant, (a * y - c * x) / determinant
    return x * dx + y * dy, np.hypot(dx, dy)


def _lone_point(ladders: Sequence[Ladder], plain: float) -> _Candidate | None:
    """Return the point that is off by itself, if one stands out of its neighbourhood too."""
    n = ladders[0].left.size // 2
    seen = [lone_points(one.basis[None], one.left[None]) for one in ladders]
    scores = np.array([_gained(one, gain[0], 2) for one, (gain, _) in zip(ladders, seen, strict=True)])
    lowest = scores.min(axis=0)
    for j in np.argsort(lowest)[:3].tolist():
        i = int(scores[:, j].argmin())
        amount = float(seen[i][1][0, j])
        near = np.r_[max(0, j - NEIGHBOURS) : j, j + 1 : min(n, j + NEIGHBOURS + 1)]
        spread = float(np.median(np.abs(_without(ladders[i], j)[near]))) / RAYLEIGH
        if amount > STAND_OUT * max(spread, 1e-12):
            score = plain - float(lowest[j]) - 2 * math.log(n)
            lone = Suspicion("outlier", amount * float(ladders[i].unevenness[j]), score, (j,))
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


def range_gains(
    unit: ComplexArray, basis: RealArray, left: RealArray
) -> tuple[RealArray, RealArray, NDArray[np.int64]]:
    """Return the range of points that another factor, or another phase, would improve most.

    Parameters
    ----------
    unit : ndarray of complex, shape (spectra, n)
        Impedance without noise over |Z|, weighted.
    basis, left : ndarray, shape (spectra, 2n, k) and (spectra, 2n)
        As in `lone_points`.

    Returns
    -------
    gain, amount : ndarray, shape (spectra, 2)
        By how much the sum of squares falls, and how far the range is off: in modulus, in phase.
    ends : ndarray of int, shape (spectra, 2, 2)
        First point, and the one beyond the last.
    """
    many, n = unit.shape
    k = basis.shape[2]
    outside, _ = _ranges(n)
    upper, lower = basis[:, :n], basis[:, n:]
    length = np.zeros((many, n + 1))
    np.cumsum(unit.real**2 + unit.imag**2, axis=1, out=length[:, 1:])
    gain, amount = np.empty((many, 2)), np.empty((many, 2))
    ends = np.empty((many, 2, 2), dtype=np.int64)
    # what the ladder follows of all points before i, and what it leaves over there: a range is a difference of
    # two, and its square, |v_j - v_i|² - |s_j - s_i|², one product of rows that hold s and their own squares
    first, last, total = np.zeros((many, n + 1, k + 2)), np.ones((many, n + 1, k + 2)), np.zeros((many, n + 1))
    first[:, :, k + 1] = 1
    for turn, turned in enumerate((unit, 1j * unit)):
        x, y = turned.real, turned.imag
        sums = first[:, :, :k]
        np.cumsum(x[:, :, None] * upper + y[:, :, None] * lower, axis=1, out=sums[:, 1:])
        np.cumsum(x * left[:, :n] + y * left[:, n:], axis=1, out=total[:, 1:])
        square = np.einsum("bik,bik->bi", sums, sums)
        np.multiply(sums, 2, out=last[:, :, :k])
        first[:, :, k], last[:, :, k + 1] = -length - square, length - square
        power = first @ last.transpose(0, 2, 1)
        power += outside
        power[power <= FAINT] = np.inf
        along = total[:, None, :] - total[:, :, None]
        gains = np.square(along, out=along)
        gains /= power
        place = gains.reshape(many, -1).argmax(axis=1)
        rows, (start, stop) = np.arange(many), np.divmod(place, n + 1)
        gain[:, turn] = gains[rows, start, stop]
        amount[:, turn] = (total[rows, stop] - total[rows, start]) / power[rows, start, stop]
        ends[:, turn, 0], ends[:, turn, 1] = start, stop
    return gain, amount, ends


def ranges_toll(n: int) -> float:
    """Return by how much AICc must fall for the number of ranges of `n` points that were looked at."""
    return _ranges(n)[1]


def _block(unit: ComplexArray, ladders: Sequence[Ladder], plain: float) -> _Candidate:
    """Return the range of points that a common factor would bring back to the others."""
    n = unit.size
    seen = [range_gains(unit[None], one.basis[None], one.left[None]) for one in ladders]
    totals = np.array([_gained(one, gain[0], 1) for one, (gain, _, _) in zip(ladders, seen, strict=True)])
    i, turn = np.unravel_index(int(totals.argmin()), totals.shape)
    amount, (start, stop) = float(seen[i][1][0, turn]), seen[i][2][0, turn].tolist()
    factor = np.ones(n, dtype=np.complex128)
    factor[start:stop] += amount * (1, 1j)[turn]
    score = plain - float(totals[i, turn]) - ranges_toll(n)
    return _Candidate(Suspicion("shift", abs(amount), score, (start, stop - 1)), factor)


@lru_cache(maxsize=32)
def _ranges(n: int) -> tuple[RealArray, float]:
    """Return 0 for pairs (first, beyond the last) that are a range, else −inf; and the toll for their number."""
    first, last = np.ogrid[: n + 1, : n + 1]
    inner = (last - first >= SHORTEST_BLOCK) & (last - first <= n - SHORTEST_BLOCK)
    inner &= (first == 0) | (first >= FEWEST_OUTSIDE)
    inner &= (last == n) | (last <= n - FEWEST_OUTSIDE)
    return np.where(inner, 0.0, -np.inf), 2 * math.log(2 * int(inner.sum()))


def _parts(values: ComplexArray) -> RealArray:
    """Put imaginary parts behind the real ones, row by row."""
    return np.concatenate([values.real, values.imag], axis=-1)
