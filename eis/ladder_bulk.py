"""Lin-KK for archives: thousands of spectra on one frequency grid, one call.

What the ladders of a grid can follow is worked out once. With shared weights a spectrum then costs one matrix
product; with its own weights 1/|Z| one small system per length, solved in the basis of the shared ones so that it
stays well conditioned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import SpectrumError
from eis.ladder import EXTENSIONS, ladder_columns, lengths
from eis.spectrum import ComplexArray, RealArray

Weights = Literal["own", "shared"]
PER_DECADE = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
"""Lengths that are tried, in elements per decade."""
FEWEST_POINTS = 8
AT_ONCE = 512
"""Spectra worked on together, to stay in the cache."""
ALIKE = 3
"""Difference in length up to which two ladders of different extension stand for each other."""


@dataclass(frozen=True, eq=False)
class Validities:
    """Lin-KK of many spectra.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        The common grid (Hz).
    m, extension : ndarray, shape (spectra,)
        Number of RC elements by AICc, and decades of time constants beyond the data.
    rms_residual, max_residual, noise : ndarray, shape (spectra,)
        As in `Validity`; `noise` is told from differences of neighbouring residuals.
    trend : ndarray, shape (spectra,)
        Correlation of neighbouring residuals, in standard deviations.
    residual : ndarray of complex, shape (spectra, n)
        (Z − Ẑ)/|Z|.
    """

    frequency_hz: RealArray
    m: NDArray[np.int64]
    extension: RealArray
    rms_residual: RealArray
    max_residual: RealArray
    noise: RealArray
    trend: RealArray
    residual: ComplexArray

    @property
    def suspicious(self) -> NDArray[np.bool_]:
        """Which spectra `validate` should look at, shape (spectra,): a trend, a lone point, or much noise."""
        stands_out = self.max_residual > np.maximum(4.5 * self.noise, 0.002)
        follows = (self.trend > 3.0) & (self.rms_residual > 0.001)
        return np.asarray(stands_out | follows | (self.noise > 0.02) | ~np.isfinite(self.rms_residual))

    def __len__(self) -> int:
        return self.m.size


def lin_kk_many(frequency_hz: ArrayLike, z_ohm: ArrayLike, *, weights: Weights = "own") -> Validities:
    """Test many spectra on one frequency grid against Kramers–Kronig.

    Parameters
    ----------
    frequency_hz : array_like, shape (n,)
        Frequency (Hz), falling or rising.
    z_ohm : array_like of complex, shape (spectra, n)
        Impedance (ohm), finite and nowhere zero.
    weights : {"own", "shared"}
        Whether each spectrum is weighted by its own 1/|Z|, or all by that of their geometric mean: much faster,
        and as good where the spectra have the same shape, whatever their size.

    Returns
    -------
    Validities
        Residuals and their statistics; `validate` says more about those that are `suspicious`.

    Raises
    ------
    SpectrumError
        If the arrays do not fit together, a point is not finite or zero, or there are fewer than 8 points.
    """
    f = np.asarray(frequency_hz, dtype=np.float64)
    z = np.asarray(z_ohm, dtype=np.complex128)
    _refuse(f, z)
    size = np.abs(z)
    shared = np.exp(np.log(size).mean(axis=0))
    bases = list(_bases(f, shared))
    solve = _Own(bases) if weights == "own" else _Shared(bases)
    out = [np.empty((len(z),)) for _ in range(6)]
    residual = np.empty(z.shape, dtype=np.complex128)
    for start in range(0, len(z), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        m, extension, left = solve.best(z[rows], size[rows], shared)
        residual[rows] = left
        for store, value in zip(out, (m, extension, *_statistics(left)), strict=True):
            store[rows] = value
    return Validities(f, out[0].astype(np.int64), out[1], out[2], out[3], out[4], out[5], residual)


@dataclass(frozen=True, slots=True)
class _Basis:
    """One length of ladder, orthonormal under the shared weights: shape (2n, k), and where to look next."""

    m: int
    extension: float
    columns: RealArray


class _Shared:
    """All spectra weighted alike: one product projects a spectrum on every ladder."""

    def __init__(self, bases: list[_Basis]) -> None:
        self.bases = bases
        self.together = np.concatenate([one.columns for one in bases], axis=1)
        self.length = np.array([one.columns.shape[1] for one in bases])
        self.start = np.cumsum(self.length) - self.length
        self.m = np.array([one.m for one in bases])
        self.extension = np.array([one.extension for one in bases])

    def chosen(self, y: RealArray) -> tuple[NDArray[np.int64], RealArray]:
        """Return for each row of `y`, shape (spectra, 2n), the ladder with the least AICc, and all amounts."""
        power = np.einsum("ij,ij->i", y, y)
        amounts = y @ self.together
        inside = np.add.reduceat(amounts * amounts, self.start, axis=1)
        return np.argmin(_aicc(1 - inside / power[:, None], y.shape[1], self.length), axis=1), amounts

    def best(
        self, z: ComplexArray, size: RealArray, shared: RealArray
    ) -> tuple[NDArray[np.int64], RealArray, ComplexArray]:
        y = _parts(z / shared)
        choice, amounts = self.chosen(y)
        for i in np.unique(choice).tolist():
            rows = np.flatnonzero(choice == i)
            part = slice(self.start[i], self.start[i] + self.length[i])
            y[rows] -= amounts[rows, part] @ self.bases[i].columns.T
        return self.m[choice], self.extension[choice], _whole(y) * (shared / size)


class _Own:
    """Each spectrum with its own weights; lengths are tried on from that of the shared ones, as far as helps."""

    def __init__(self, bases: list[_Basis]) -> None:
        self.shared = _Shared(bases)
        self.products: list[RealArray | None] = [None] * len(bases)
        n = bases[0].columns.shape[0] // 2
        self.n = n
        self.next = [
            [j for j in (i - 1, i + 1) if 0 <= j < len(bases) and bases[j].extension == bases[i].extension]
            + [
                j
                for j, other in enumerate(bases)
                if other.extension != bases[i].extension and _alike(bases[i], other)
            ]
            for i in range(len(bases))
        ]

    def best(
        self, z: ComplexArray, size: RealArray, shared: RealArray
    ) -> tuple[RealArray, RealArray, ComplexArray]:
        y = _parts(z / shared)
        d2 = (shared / size) ** 2
        start, _ = self.shared.chosen(y)
        rows = np.arange(len(z))
        score = np.full((len(z), len(self.shared.bases)), math.inf)
        left = np.empty_like(y)
        least = np.full(len(z), math.inf)
        best = start.copy()
        todo = [(i, rows[start == i]) for i in np.unique(start).tolist()]
        while todo:
            for i, which in todo:
                rest = self._left(i, y[which], d2[which])
                twice = np.concatenate([d2[which], d2[which]], axis=1)
                k = np.array([self.shared.bases[i].columns.shape[1]])
                found = _aicc(np.einsum("ij,ij,ij->i", rest, rest, twice)[:, None] / self.n, y.shape[1], k)[:, 0]
                score[which, i] = found
                better = found < least[which]
                improved = which[better]
                least[improved], best[improved], left[improved] = found[better], i, rest[better]
            todo = []
            for i in np.unique(best).tolist():
                here = best == i
                for j in self.next[i]:
                    which = rows[here & np.isinf(score[:, j])]
                    if which.size:
                        todo.append((j, which))
        chosen = _whole(left) * (shared / size)
        return self.shared.m[best], self.shared.extension[best], chosen

    def _left(self, i: int, y: RealArray, d2: RealArray) -> RealArray:
        """Return what ladder `i` leaves of each row of `y` when weighted by `d2`, shape (rows, 2n)."""
        q, n = self.shared.bases[i].columns, self.n
        k = q.shape[1]
        product = self.products[i]
        if product is None:
            upper, lower = q[:n], q[n:]
            product = (upper[:, :, None] * upper[:, None, :] + lower[:, :, None] * lower[:, None, :]).reshape(
                n, -1
            )
            self.products[i] = product
        gram = (d2 @ product).reshape(-1, k, k)
        right = (np.concatenate([d2, d2], axis=1) * y) @ q
        amount = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
        return np.asarray(y - amount @ q.T)


def _bases(f: RealArray, shared: RealArray) -> Iterator[_Basis]:
    decades = math.log10(float(f.max() / f.min()))
    for extension in EXTENSIONS:
        allowed = lengths(f, extension)
        wished = {round(per * (decades + 2 * extension)) for per in PER_DECADE}
        for m in sorted({min(max(one, allowed[0]), allowed[-1]) for one in wished}):
            matrix = _parts((ladder_columns(f, m, extension) / shared[:, None]).T).T
            yield _Basis(m, extension, np.linalg.qr(matrix / np.linalg.norm(matrix, axis=0))[0])


def _alike(one: _Basis, other: _Basis) -> bool:
    return abs(one.m - other.m) <= ALIKE


def _aicc(relative_chi2: RealArray, n: int, k: NDArray[np.int64]) -> RealArray:
    return np.asarray(
        n * np.log(np.maximum(relative_chi2, 1e-28)) + 2 * k + 2 * k * (k + 1) / np.maximum(n - k - 1, 1)
    )


def _statistics(residual: ComplexArray) -> tuple[RealArray, RealArray, RealArray, RealArray]:
    """Return rms, largest, noise by differences, and correlation of neighbours in standard deviations."""
    n = residual.shape[1]
    flat = np.ascontiguousarray(residual).view(np.float64)  # real and imaginary parts in turn
    total = np.einsum("ij,ij->i", flat, flat)
    rms = np.sqrt(total / (2 * n))
    largest = np.maximum(flat.max(axis=1), -flat.min(axis=1))
    lag = np.einsum("ij,ij->i", flat[:, 2:], flat[:, :-2])
    ends = (np.abs(residual[:, 0]) ** 2 + np.abs(residual[:, -1]) ** 2) / 2
    difference = np.sqrt(np.maximum(total - ends - lag, 0.0) / (2 * (n - 1)))
    return rms, largest, difference, lag / np.maximum(total, 1e-300) * math.sqrt(2 * n)


def _refuse(f: RealArray, z: ComplexArray) -> None:
    if f.ndim != 1 or z.ndim != 2 or z.shape[1] != f.size:
        raise SpectrumError(
            f"There are {f.shape} frequencies and impedances of shape {z.shape}",
            mend="Give frequencies of shape (n,) and impedances of shape (spectra, n).",
        )
    if f.size < FEWEST_POINTS:
        raise SpectrumError(
            f"{f.size} points are too few for a Kramers–Kronig test; {FEWEST_POINTS} are needed",
            mend="Measure more points.",
        )
    if not (np.isfinite(f).all() and (f > 0).all() and np.unique(f).size == f.size):
        raise SpectrumError("Frequencies must be positive numbers, each once", mend="Sort them, and drop repeats.")
    if not z.size:
        raise SpectrumError("There is no spectrum to test", mend="Give at least one.")
    wrong = np.flatnonzero(~(np.isfinite(z) & (z != 0)).all(axis=1))
    if wrong.size:
        raise SpectrumError(
            f"{wrong.size} spectra have a point that is not a number, or zero; the first is number {wrong[0]}",
            mend="Leave them out, or test them singly with validate(), which leaves flagged points out.",
        )


def _parts(values: ComplexArray) -> RealArray:
    """Put imaginary parts behind the real ones, row by row."""
    return np.concatenate([values.real, values.imag], axis=1)


def _whole(parts: RealArray) -> ComplexArray:
    n = parts.shape[1] // 2
    return np.asarray(parts[:, :n] + 1j * parts[:, n:])
