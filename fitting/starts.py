"""Initial values from the data: nobody should have to guess.

A ladder of RC elements with non-negative resistances is fitted linearly to the spectrum; its lobes over the time
constant say where the arcs are. Further starts spread the arcs over the frequency range (see `fitting.staircase`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import Circuit
from fitting.staircase import DEPRESSION, guesses, has_tail, proposals

PER_DECADE = 6
"""RC elements of the ladder per decade of time constant."""
MOST = 64
"""Starts before they repeat with other variations."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What the linear fit found: a resistance (ohm) for each time constant (s)."""

    tau_s: RealArray
    resistance_ohm: RealArray

    def lobes(self, count: int) -> list[tuple[float, float]]:
        """Split the ladder into `count` lobes; return (resistance in ohm, time constant in s), rising in time.

        Lobes are cut where the resistance per time constant is lowest between its peaks. While there are too many,
        the smallest joins its nearer neighbour; while there are too few, the largest is halved.
        """
        logs = np.log(self.tau_s)
        found = [
            (
                float(self.resistance_ohm[g].sum()),
                float(np.average(logs[g], weights=self.resistance_ohm[g] + 1e-300)),
            )
            for g in _split(self.resistance_ohm)
        ]
        while len(found) > count:
            least = min(range(len(found)), key=lambda i: found[i][0])
            beside = [i for i in (least - 1, least + 1) if 0 <= i < len(found)]
            near = min(beside, key=lambda i: abs(found[i][1] - found[least][1]))
            (r1, x1), (r2, x2) = found[least], found[near]
            total = max(r1 + r2, 1e-300)
            found[min(least, near) : max(least, near) + 1] = [(r1 + r2, (r1 * x1 + r2 * x2) / total)]
        while len(found) < count:
            r, x = max(found, default=(float(self.resistance_ohm.sum()), float(logs.mean())))
            found = [lobe for lobe in found if lobe != (r, x)] + [(r / 2, x - 1.2), (r / 2, x + 1.2)]
        return sorted(((r, float(np.exp(x))) for r, x in found[:count]), key=lambda lobe: lobe[1])


def ladder(frequency_hz: RealArray, z_ohm: ComplexArray) -> Ladder:
    """Fit a non-negative RC ladder with series R, L and C to a spectrum, weighted by 1/|Z|.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz).
    z_ohm : ndarray, shape (n,)
        Impedance (ohm).
    """
    omega = 2 * np.pi * frequency_hz
    decades = np.log10(omega.max() / omega.min())
    tau = np.geomspace(0.3 / omega.max(), 3 / omega.min(), max(8, int(PER_DECADE * (decades + 1))))
    model = np.column_stack([np.ones(omega.size), 1j * omega, -1j / omega, 1 / (1 + 1j * np.outer(omega, tau))])
    weighted = model / np.abs(z_ohm)[:, None]
    matrix = np.concatenate([weighted.real, weighted.imag])
    scale = np.linalg.norm(matrix, axis=0)
    target = z_ohm / np.abs(z_ohm)
    solution, _ = nnls(matrix / scale, np.concatenate([target.real, target.imag]), maxiter=50 * matrix.shape[1])
    return Ladder(tau, np.asarray(solution[3:] / scale[3:]))


def starts(
    circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray, *, seed: int = 0
) -> Iterator[RealArray]:
    """Yield initial values for a circuit without end; the same `seed` gives the same ones.

    Parameters
    ----------
    circuit : Circuit
        What is to be fitted.
    frequency_hz, z_ohm : ndarray, shape (n,)
        The spectrum (Hz, ohm), frequencies falling.
    seed : int
        Seed of the variations.

    Yields
    ------
    ndarray, shape (p,)
        Values in the order of ``circuit.names``: from the ladder's lobes, then the arcs spread evenly, then spread
        by a Sobol sequence with scales and times varied by a factor of about two.
    """
    yield first_start(circuit, frequency_hz, z_ohm)
    yield from further_starts(circuit, frequency_hz, z_ohm, seed=seed)


def first_start(circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray) -> RealArray:
    """Return the first of `starts`, shape (p,)."""
    if circuit.arcs:
        return from_lobes(circuit, frequency_hz, z_ohm)
    return np.asarray(guesses(circuit, frequency_hz, z_ohm[None, :], np.empty(0))[0])


def further_starts(
    circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray, *, seed: int = 0
) -> Iterator[RealArray]:
    """Yield the others of `starts`, each of shape (p,)."""
    rng = np.random.default_rng(seed)
    by_log = np.array([parameter.kind != "exponent" for parameter in circuit.parameters])
    spread = proposals(circuit, frequency_hz, MOST, seed=seed)
    if circuit.arcs:
        for proposed in spread[: 1 if circuit.series_resistance else 2]:  # the second: an arc beyond the sweep
            yield guesses(circuit, frequency_hz, z_ohm[None, :], proposed)[0]
    turn = 0
    while True:
        turn += 1
        values = guesses(circuit, frequency_hz, z_ohm[None, :], spread[turn % MOST], late=turn % 2 == 1)[0]
        wide = 0.7 + turn / 10  # the longer it takes, the further we look
        yield np.where(
            by_log, values * np.exp(rng.normal(0, wide, values.size)), rng.uniform(0.6, 1.0, values.size)
        )


def from_lobes(circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray) -> RealArray:
    """Return a start whose arcs are the ladder's lobes; a tail takes the slowest lobe."""
    lobes = ladder(frequency_hz, z_ohm).lobes(len(circuit.arcs) + has_tail(circuit))[: len(circuit.arcs)]
    least = 1e-3 * float(np.abs(z_ohm).min())
    values = guesses(circuit, frequency_hz, z_ohm[None, :], np.array([tau for _, tau in lobes]))[0]
    place = {name: i for i, name in enumerate(circuit.names)}
    for arc, (r, tau) in zip(circuit.arcs, lobes, strict=True):
        r = max(r, least)
        values[place[arc.resistance]] = r
        exponent = DEPRESSION if arc.exponent else 1.0
        values[place[arc.second]] = tau if arc.kind == "zarc" else tau**exponent / r
    return np.asarray(values)


def _split(weights: RealArray) -> list[np.ndarray]:
    """Cut indices into runs around each local maximum, at the lowest place between neighbouring maxima."""
    smooth = np.convolve(weights, [0.25, 0.5, 0.25], mode="same")
    padded = np.concatenate([[-1.0], smooth, [-1.0]])
    peaks = np.flatnonzero((smooth > padded[:-2]) & (smooth >= padded[2:]) & (smooth > 1e-6 * smooth.max()))
    cuts = [a + 1 + int(np.argmin(smooth[a + 1 : b + 1])) for a, b in pairwise(peaks.tolist())]
    return [group for group in np.split(np.arange(weights.size), cuts) if group.size]
