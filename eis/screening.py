"""Which spectra of a batch are beyond suspicion: one ladder of each, every pattern, many at once.

A spectrum is beyond suspicion if the ladder with the least AICc leaves nothing over that comes near a fault: no
pattern of `eis.suspicions` reaches its limit less a margin, the residuals have no trend, their size is even and
below 1 % of |Z|. Everything else is looked at ladder by ladder, which takes ten times as long.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.judging import INVALID, SIGNIFICANT_RUNS, TREND_MATTERS, runs_shortfall
from eis.ladder import (
    EXTENSION_TOLL,
    EXTENSIONS,
    LEAST,
    aicc,
    is_uneven,
    ladder_mu,
    lengths,
    lengths_by_criterion,
    noise_profile,
    solved,
    weighted_columns,
)
from eis.spectrum import ComplexArray, RealArray
from eis.suspicions import (
    CERTAIN,
    LARGEST_OWN,
    QUIET,
    SEEN,
    SMALLEST,
    Pattern,
    drift_shapes,
    lead_shapes,
    lone_points,
    range_gains,
    ranges_toll,
)

MARGIN = 5.0
"""By how much a pattern may fall short of its limit on AICc and still be looked at closely: of the faults that are
found at all, none was missed by 4."""
SMALLER = 0.5
"""The same for its size, as a factor."""
FEWER_RUNS = 1.0
"""The same for the shortfall of runs, in standard deviations."""
NEGATIVE = 0.02
"""Real part, as a fraction of |Z| below zero, at which a spectrum is looked at closely."""
RISES = 2
"""How often in turn AICc may rise with the length of the ladder before no longer one is tried."""
AT_ONCE = 64
"""Spectra worked on together, to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A spectrum that is beyond suspicion, and its ladder.

    Parameters
    ----------
    m, mu : int, float
        RC elements, and Schönleber's µ.
    m_by : dict of str to int
        Their number by each criterion.
    residual : ndarray of complex, shape (n,)
        (Z − Ẑ)/|Z|.
    rms, largest, noise, detectable_drift : float
        Size of the residuals, standard deviation of each part, and the drift that would have been noticed.
    """

    m: int
    mu: float
    m_by: dict[str, int]
    residual: ComplexArray
    rms: float
    largest: float
    noise: float
    detectable_drift: float


def screen(f: RealArray, z: ComplexArray, clocks: RealArray) -> list[Screened | None]:
    """Return what is beyond suspicion; None for each spectrum that has to be looked at closely.

    Parameters
    ----------
    f : ndarray, shape (n,)
        Frequency (Hz), falling.
    z : ndarray of complex, shape (spectra, n)
        Impedance (ohm), finite and nowhere zero.
    clocks : ndarray, shape (spectra, c, n)
        When each point was measured, 0 to 1; several where the order is not known.
    """
    out: list[Screened | None] = [None] * len(z)

    def put(start: int) -> None:
        part = slice(start, start + AT_ONCE)
        for row, one in _screen(f, z[part], clocks[part]):
            out[start + row] = one

    starts = range(0, len(z), AT_ONCE)
    if len(starts) < 2:
        for start in starts:
            put(start)
        return out
    with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1)) as threads:  # decompositions run side by side
        list(threads.map(put, starts))
    return out


def _screen(f: RealArray, z: ComplexArray, clocks: RealArray) -> list[tuple[int, Screened]]:
    weight = 1 / np.abs(z)
    unit = z * weight
    target, twice = np.concatenate([unit.real, unit.imag], axis=1), np.concatenate([weight, weight], axis=1)
    tried = [_Tried(f, extension, twice, target) for extension in EXTENSIONS]
    plain = np.min([one.score.min(axis=1) for one in tried], axis=0)
    hopeful = ~(unit.real < -NEGATIVE).any(axis=1)
    further = tried[1].score.min(axis=1) + EXTENSION_TOLL < tried[0].score.min(axis=1)
    out: list[tuple[int, Screened]] = []
    for one, chosen in zip(tried, (~further, further), strict=True):
        choice = one.score.argmin(axis=1)
        for i in np.unique(choice[chosen & hopeful]).tolist():
            rows = np.flatnonzero(hopeful & chosen & (choice == i))
            columns = weighted_columns(f, one.m[i], one.extension, twice[rows])
            basis = np.linalg.qr(columns.transpose(0, 2, 1))[0]
            left = target[rows] - ((target[rows, None] @ basis) @ basis.transpose(0, 2, 1))[:, 0]
            seen = _Seen(f, z[rows], unit[rows], clocks[rows], basis, left, plain[rows])
            quiet, detectable = seen.quiet()
            for j in np.flatnonzero(quiet).tolist():
                m_by, mu = one.criteria(int(rows[j]), i)
                largest = float(np.abs(left[j]).max())
                found = Screened(
                    one.m[i], mu, m_by, seen.residual[j], float(seen.rms[j]), largest, float(seen.noise[j]),
                    float(detectable[j]),
                )  # fmt: skip
                out.append((int(rows[j]), found))
    return out


class _Tried:
    """Ladders of one extension, from the shortest on, until AICc of a spectrum has risen twice.

    Of each only the triangle R of its columns with the data as the last one is worked out: the last entry is the
    norm of what it leaves over.
    """

    def __init__(self, f: RealArray, extension: float, twice: RealArray, target: RealArray) -> None:
        self.extension, self.m = extension, lengths(f, extension)
        many, self.n = target.shape
        self.chi2 = np.full((many, len(self.m)), math.inf)
        self.score = np.full((many, len(self.m)), math.inf)
        self.triangles: list[RealArray] = []
        self.place = np.zeros((many, len(self.m)), dtype=np.int64)
        least, rises, rows = np.full(many, math.inf), np.zeros(many, dtype=np.int64), np.arange(many)
        for i, m in enumerate(self.m):
            whole = np.empty((rows.size, m + 4, self.n))
            whole[:, :-1] = weighted_columns(f, m, extension, twice[rows])
            whole[:, -1] = target[rows]
            triangle: RealArray = np.asarray(np.linalg.qr(whole.transpose(0, 2, 1), mode="r"))
            self.triangles.append(triangle)
            self.place[rows, i] = np.arange(rows.size)
            self.chi2[rows, i] = np.maximum(triangle[:, -1, -1] ** 2, LEAST)
            self.score[rows, i] = aicc(self.chi2[rows, i], self.n, m + 3)
            better = self.score[rows, i] < least[rows]
            least[rows] = np.minimum(least[rows], self.score[rows, i])
            rises[rows] = np.where(better, 0, rises[rows] + 1)
            rows = rows[rises[rows] < RISES]
            if not rows.size:
                break

    def criteria(self, row: int, best: int) -> tuple[dict[str, int], float]:
        """Return M of a spectrum by every criterion, and µ of the ladder that was taken."""

        def mu(i: int) -> float:
            whole = self.triangles[i][self.place[row, i]]
            return ladder_mu(solved(whole[:-1, :-1], whole[:-1, -1])[3:])

        count = int(np.isfinite(self.chi2[row]).sum())
        return lengths_by_criterion(self.m[:count], self.chi2[row, :count], self.n, mu), mu(best)


class _Seen:
    """Spectra with one ladder each, of one length, and what speaks against them."""

    def __init__(
        self,
        f: RealArray,
        z: ComplexArray,
        unit: ComplexArray,
        clocks: RealArray,
        basis: RealArray,
        left: RealArray,
        plain: RealArray,
    ) -> None:
        self.f, self.z, self.clocks, self.basis, self.left, self.plain = f, z, clocks, basis, left, plain
        self.residual: ComplexArray = left[:, : f.size] + 1j * left[:, f.size :]
        self.chi2 = np.maximum(np.einsum("bi,bi->b", left, left), LEAST)
        self.rms = np.sqrt(self.chi2 / left.shape[1])
        self.noise = np.sqrt(self.chi2 / (left.shape[1] - basis.shape[2]))
        self.smooth: ComplexArray = unit - self.residual

    def quiet(self) -> tuple[NDArray[np.bool_], RealArray]:
        """Tell which spectra are beyond suspicion, and the drift that would have been noticed in each."""
        smooth, detectable = self._smooth()
        gain, size = lone_points(self.basis, self.left)
        loud = smooth | self._loud("outlier", gain, size, 2, 2 * math.log(self.f.size))
        gain, size, _ = range_gains(self.smooth, self.basis, self.left)
        loud |= self._loud("shift", gain, np.abs(size), 1, ranges_toll(self.f.size))
        n = self.f.size
        runs = np.maximum(runs_shortfall(self.left[:, :n]), runs_shortfall(self.left[:, n:]))
        trend = (runs > SIGNIFICANT_RUNS - FEWER_RUNS) & (self.rms > SMALLER * TREND_MATTERS)
        other = trend | is_uneven(noise_profile(self.residual)) | (self.rms > INVALID)
        measured = (self.noise > QUIET) | (np.abs(self.residual).max(axis=1) > LARGEST_OWN)
        return ~((loud & measured) | other), detectable

    def _loud(
        self, pattern: Pattern, gain: RealArray, size: RealArray, extra: int, toll: float
    ) -> NDArray[np.bool_]:
        """Tell which spectra hold a pattern that comes near its limit; `gain` and `size`: shape (spectra, p)."""
        n, k = self.left.shape[1], self.basis.shape[2] + extra
        score = self.plain[:, None] - aicc(self.chi2[:, None] - gain, n, k) - toll
        near = (score > CERTAIN[pattern] - MARGIN) & (size > SMALLER * SMALLEST[pattern])
        return np.asarray(near.any(axis=1))

    def _smooth(self) -> tuple[NDArray[np.bool_], RealArray]:
        """Tell which spectra seem to drift, or to show their leads; and what drift would have been noticed."""
        drifts, visible = drift_shapes(self.z - self.residual * np.abs(self.z), self.clocks, self.noise)
        leads, p = lead_shapes(self.f), drifts.shape[1]
        shapes = np.concatenate([drifts, np.broadcast_to(leads, (len(drifts), *leads.shape))], axis=1)
        turned = shapes * self.smooth[:, None]
        columns = np.concatenate([turned.real, turned.imag], axis=2)
        inside = columns @ self.basis
        whole = np.einsum("bpi,bpi->bp", columns, columns)
        power = whole - np.einsum("bpk,bpk->bp", inside, inside)
        power[power <= SEEN * whole] = 0
        power[:, :p][~visible] = 0
        strongest = power[:, :p].max(axis=1)
        power[power == 0] = math.inf
        product = np.einsum("bpi,bi->bp", columns, self.left)
        size, gain = np.abs(product / power) * np.abs(shapes).max(axis=2), product**2 / power
        toll = 2 * math.log(shapes.shape[1])
        loud = self._loud("drift", gain[:, :p], size[:, :p], 1, toll)
        loud |= self._loud("high-frequency artefact", gain[:, p:], size[:, p:], 1, toll)
        with np.errstate(divide="ignore"):
            return loud, 4 * self.noise / np.sqrt(np.where(strongest > SEEN, strongest, 0))
