"""Initial values from the data: nobody should have to guess.

A ladder of RC elements with non-negative resistances is fitted linearly to the spectrum; its lobes over the time
constant say where the arcs are, its series terms what the wires and a blocking tail are. Further starts vary that
one over the scales the data allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls
from scipy.stats import qmc

from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import Circuit, Leaf, Series

PER_DECADE = 6
"""RC elements of the ladder per decade of time constant."""
DEPRESSION = 0.9
"""Exponent every CPE starts from."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What the linear fit found: series terms, and a resistance for each time constant."""

    series_ohm: float
    inductance_h: float
    tau_s: RealArray
    resistance_ohm: RealArray

    def lobes(self, count: int) -> list[tuple[float, float]]:
        """Split the ladder into `count` lobes; return (resistance in ohm, time constant in s), rising in time.

        Lobes are cut where the resistance per time constant is lowest between its peaks; too many are merged by
        nearness, too few are made by halving the widest.
        """
        total = float(self.resistance_ohm.sum())
        groups = [g for g in _split(self.resistance_ohm) if self.resistance_ohm[g].sum() > 1e-4 * total]
        while len(groups) > count:
            centres = [self._centre(g) for g in groups]
            near = int(np.argmin(np.diff(centres)))
            groups[near : near + 2] = [np.concatenate(groups[near : near + 2])]
        out = [(float(self.resistance_ohm[g].sum()), float(np.exp(self._centre(g)))) for g in groups]
        while len(out) < count:
            r, tau = max(out, default=(max(total, 1e-12), float(np.exp(np.log(self.tau_s).mean()))))
            if out:
                out.remove((r, tau))
            out += [(r / 2, tau / 3), (r / 2, tau * 3)] if len(out) + 2 <= count else [(r, tau)]
        return sorted(out, key=lambda lobe: lobe[1])

    def _centre(self, group: np.ndarray) -> float:
        return float(np.average(np.log(self.tau_s[group]), weights=self.resistance_ohm[group] + 1e-300))


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
    columns = (
        np.column_stack([np.ones(omega.size), 1j * omega, -1j / omega, 1 / (1 + 1j * np.outer(omega, tau))])
        / np.abs(z_ohm)[:, None]
    )
    matrix = np.concatenate([columns.real, columns.imag])
    scale = np.linalg.norm(matrix, axis=0)
    target = z_ohm / np.abs(z_ohm)
    solution, _ = nnls(matrix / scale, np.concatenate([target.real, target.imag]), maxiter=50 * matrix.shape[1])
    solution = solution / scale
    return Ladder(float(solution[0]), float(solution[1]), tau, np.asarray(solution[3:]))


def starts(
    circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray, *, seed: int = 0
) -> Iterator[RealArray]:
    """Yield initial values for a circuit without end: the data's own first, then variations of it.

    Variations multiply every scale and time by up to a decade either way and draw exponents from 0.6 to 1, by a
    Sobol sequence, so that the same `seed` gives the same starts.

    Parameters
    ----------
    circuit : Circuit
        What is to be fitted.
    frequency_hz, z_ohm : ndarray, shape (n,)
        The spectrum (Hz, ohm).

    Yields
    ------
    ndarray, shape (p,)
        Values in the order of ``circuit.names``.
    """
    first = np.array([_from_data(circuit, frequency_hz, z_ohm)[name] for name in circuit.names])
    yield first
    exponent = np.array([parameter.kind == "exponent" for parameter in circuit.parameters])
    sobol = qmc.Sobol(first.size, rng=np.random.default_rng(seed))
    while True:
        for draw in sobol.random(8):
            yield np.where(exponent, 0.6 + 0.4 * draw, first * 10 ** (2 * draw - 1))


def _from_data(circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray) -> dict[str, float]:
    """Return one start value per parameter, read off the data."""
    omega = 2 * np.pi * frequency_hz
    lowest = int(np.argmin(omega))
    found = ladder(frequency_hz, z_ohm)
    size, slow = float(np.median(np.abs(z_ohm))), 1 / float(omega[lowest])
    middle = float(np.exp(np.log(omega).mean()))
    floor = 1e-3 * float(np.abs(z_ohm).min())
    values: dict[str, float] = {}
    top = circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)
    tails = [leaf for leaf in top if isinstance(leaf, Leaf) and leaf.letter in ("CPE", "C", "W", "Wo", "Ws", "G")]
    lobes = found.lobes(len(circuit.arcs) + len(tails))
    for arc, (r, tau) in zip(circuit.arcs, lobes, strict=False):
        values[arc.resistance] = max(r, floor)
        if arc.kind == "zarc":
            values[arc.second] = tau
        else:
            values[arc.second] = tau ** (DEPRESSION if arc.exponent else 1.0) / max(r, floor)
        if arc.exponent:
            values[arc.exponent] = DEPRESSION
    series = [leaf for leaf in top if isinstance(leaf, Leaf) and leaf.letter == "R"]
    for leaf in series:
        values[leaf.name] = max(found.series_ohm, floor) / len(series)
    for node in top:
        if isinstance(node, Leaf) and node.letter == "L":
            values[node.name] = max(found.inductance_h, 1e-3 * float(np.abs(z_ohm).min()) / float(omega.max()))
    rest = {
        "R": (size / 2,),
        "C": (1 / (size * middle),),
        "L": (size / middle,),
        "CPE": (1 / (size * middle**DEPRESSION), DEPRESSION),
        "W": (size * np.sqrt(middle) / 2,),
        "Wo": (size, slow),
        "Ws": (size, slow),
        "G": (size, slow),
        "Zarc": (size, 1 / middle, DEPRESSION),
    }
    imag = max(-float(z_ohm.imag[lowest]), 1e-2 * size)
    tail = {
        "C": (slow / imag,),
        "CPE": (slow**DEPRESSION / imag, DEPRESSION),
        "W": (imag / np.sqrt(slow),),
        **{letter: (max(lobes[-1][0], floor), lobes[-1][1]) for letter in ("Wo", "Ws", "G") if lobes},
    }
    for leaf in circuit.leaves:
        numbers = (tail if leaf in tails else rest).get(leaf.letter, rest[leaf.letter])
        for name, number in zip(leaf.parameter_names, numbers, strict=True):
            values.setdefault(name, float(number))
    return values


def _split(weights: RealArray) -> list[np.ndarray]:
    """Cut indices into runs around each local maximum, at the lowest place between neighbouring maxima."""
    smooth = np.convolve(weights, [0.25, 0.5, 0.25], mode="same")
    inner = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1
    peaks = [int(i) for i in inner if smooth[i] > 1e-6 * smooth.max()]
    if smooth.size > 1 and smooth[0] > smooth[1]:
        peaks.insert(0, 0)
    if smooth.size > 1 and smooth[-1] > smooth[-2]:
        peaks.append(smooth.size - 1)
    cuts = [a + 1 + int(np.argmin(smooth[a + 1 : b + 1])) for a, b in pairwise(peaks)]
    return [group for group in np.split(np.arange(weights.size), cuts) if group.size]
