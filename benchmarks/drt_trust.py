"""How far a distribution of relaxation times can be trusted: coverage of its intervals, and of its probabilities.

    python benchmarks/drt_trust.py                      # everything; about four minutes on one core
    python benchmarks/drt_trust.py --n 200 --only bands
    python benchmarks/drt_trust.py --only probability --refit       # prints the numbers in fitting/drt_peaks.py

bands        share of the 95 % bands of γ (within the sweep) and of the 95 % intervals of peaks' R and τ, of ∫γ and
             of R∞ that hold the truth, over `n` draws of noise for each pair of arcs, and over random cells
probability  random cells of one to three arcs (ZARC, RC, Havriliak–Negami; R over two decades, 0.4 decades or more
             apart; 0.1 to 1 % noise): of the maxima given a probability, the share within 0.45 decades of one
spurious     cells of one and two arcs at 0.1 to 1 % noise: how many peaks there are that belong to no arc
"""
# ruff: noqa: E402 - the number of threads is set before NumPy is imported

from __future__ import annotations

import os

for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"

import argparse
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder, whose modules must hide no library

from benchmarks.workloads import workload
from eis.spectrum import Spectrum
from fitting import drt_peaks
from fitting.relaxation import drt

Arc = tuple[float, float, float]
"""R (ohm), τ (s) and exponent."""
Case = tuple[np.ndarray, np.ndarray, list[Arc], float]
"""Frequency (Hz), impedance (ohm), arcs, and R∞ (ohm)."""
F = np.geomspace(1e6, 1e-2, 81)
PAIRS: dict[str, list[Arc]] = {
    "one arc": [(50, 1e-3, 0.85)],
    "50 and 50": [(50, 1e-4, 0.8), (50, 0.1, 0.8)],
    "50 and 10": [(50, 1e-4, 0.8), (10, 0.1, 0.8)],
    "80 and 20": [(80, 1e-4, 0.9), (20, 0.05, 0.85)],
    "10 and 60": [(10, 1e-4, 0.85), (60, 0.02, 0.85)],
    # not looked at when the numbers in fitting/drt_peaks.py were chosen:
    "25 and 70": [(25, 3e-5, 0.88), (70, 0.03, 0.78)],
    "100 and 8": [(100, 1e-3, 0.9), (8, 0.3, 0.9)],
    "20, 40 and 30": [(20, 1e-5, 0.9), (40, 1e-3, 0.85), (30, 0.2, 0.8)],
    "sharp": [(30, 1e-2, 0.96)],
}
METHODS = ("ridge", "hierarchical")
NEAR = 0.45
"""Decades within which a maximum is an arc's."""
BINS = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.001)


def gamma_of(tau: np.ndarray, arcs: list[Arc]) -> np.ndarray:
    out = np.zeros(tau.size)
    for r, tau0, a in arcs:
        turn = (1 - a) * np.pi
        out += r / (2 * np.pi) * np.sin(turn) / (np.cosh(a * np.log(tau / tau0)) - np.cos(turn))
    return out


def noisy(z: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    return z * (1 + noise * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size)))


def pair(arcs: list[Arc], n: int, noise: float) -> Iterator[Case]:
    rng = np.random.default_rng(12129)
    w = 2j * np.pi * F
    clean = 10 + sum(r / (1 + (w * tau) ** a) for r, tau, a in arcs)
    for _ in range(n):
        yield F, noisy(clean, noise, rng), arcs, 10.0


def random_arcs(n: int, noise: float, seed: int = 777) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    w = 2j * np.pi * F
    for _ in range(n):
        count, places = int(rng.integers(1, 4)), np.zeros(3)
        while np.diff(places).min(initial=9) < 1.3:
            places = np.sort(rng.uniform(-5.5, 0.5, count))
        arcs = [(10 ** rng.uniform(0.7, 2), float(10**p), rng.uniform(0.7, 0.97)) for p in places]
        r_inf = 10 ** rng.uniform(0, 1.5)
        z = r_inf + sum(r / (1 + (w * tau) ** a) for r, tau, a in arcs)
        yield F, noisy(z, noise, rng), arcs, r_inf


def zarc2(n: int) -> Iterator[Case]:
    work = workload("ZARC2", n)
    for truth, z in zip(work.truth, work.z_ohm, strict=True):
        yield work.frequency_hz, z, [tuple(truth[1:4]), tuple(truth[4:7])], float(truth[0])


def cells(n: int, seed: int) -> Iterator[Case]:
    """Yield random cells of one to three processes of three kinds, on different grids."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        lowest = rng.choice([-2.0, -1.0])
        f = np.geomspace(1e6, 10**lowest, int((6 - lowest) * rng.choice([7, 10, 12])) + 1)
        count, places = int(rng.integers(1, 4)), np.zeros(3)
        while np.diff(places).min(initial=9) < 0.4:
            places = np.sort(rng.uniform(-5.8, -lowest - 1.3, count))
        r_inf = 10 ** rng.uniform(0, 1.5)
        w, z = 2j * np.pi * f, np.full(f.size, r_inf, dtype=complex)
        arcs: list[Arc] = []
        for p in places:
            kind, r, a = rng.random(), 10 ** rng.uniform(0, 2), rng.uniform(0.65, 1.0)
            a, b = (1.0, 1.0) if 0.6 < kind < 0.75 else (a, rng.uniform(0.5, 0.9) if kind > 0.75 else 1.0)
            z += r / (1 + (w * 10**p) ** a) ** b
            arcs.append((r, float(10**p), a))
        if rng.random() < 0.3:
            z += w * 10 ** rng.uniform(-8, -6.5)
        yield f, noisy(z, 10 ** rng.uniform(-3, -2), rng), arcs, r_inf


def belong(taus: list[float], arcs: list[Arc]) -> list[bool]:
    """Tell which maxima are an arc's; no arc has two."""
    near = sorted((abs(math.log10(t / a[1])), i, j) for i, t in enumerate(taus) for j, a in enumerate(arcs))
    out, taken = [False] * len(taus), set()
    for distance, i, j in near:
        if distance < NEAR and not out[i] and j not in taken:
            out[i] = True
            taken.add(j)
    return out


def coverage(name: str, source: Iterator[Case], **options: Any) -> None:
    band, r_holds, tau_holds, error, window, beside = [], [], [], [], [], []
    for f, z, arcs, r_inf in source:
        found = drt(Spectrum.of(f, z), **options)
        seen = (found.tau_s > 1 / (2 * np.pi * f[0])) & (found.tau_s < 1 / (2 * np.pi * f[-1]))
        truth = gamma_of(found.tau_s, arcs)
        band.append(((truth >= found.gamma_low_ohm) & (truth <= found.gamma_high_ohm))[seen].mean())
        r, u = found.resistance_between(0.0, math.inf)
        window.append(abs(r - sum(a[0] for a in arcs)) < 1.96 * u)
        beside.append(abs(found.r_inf_ohm - r_inf) < 1.96 * found.u_r_inf_ohm)
        if len(found.peaks) != len(arcs) or not all(belong([p.tau_s for p in found.peaks], arcs)):
            continue
        for p, (r0, tau0, _) in zip(found.peaks, arcs, strict=True):
            if p.separable:
                r_holds.append(p.r_low_ohm <= r0 <= p.r_high_ohm)
                tau_holds.append(p.tau_low_s <= tau0 <= p.tau_high_s)
                error.append(abs(p.r_ohm / r0 - 1))
    kind = options["method"] + (f", {options['draws']} draws" if options.get("draws") else "")
    print(
        f"{name:24}{kind:26}{np.mean(band):8.1%}{np.mean(r_holds):8.1%}{np.mean(tau_holds):8.1%}"
        f"{np.mean(window):8.1%}{np.mean(beside):8.1%}{np.median(error):9.2%}{np.max(error):8.1%}{len(error):7d}",
        flush=True,
    )


def bands(n: int) -> None:
    print(f"{'':24}{'':26}{'band':>8}{'R':>8}{'τ':>8}{'∫γ':>8}{'R∞':>8}{'R median':>9}{'max':>8}{'peaks':>7}")
    for method in METHODS:
        for noise in (0.001, 0.003, 0.01):
            for name, arcs in PAIRS.items():
                coverage(f"{name}, {noise:.1%}", pair(arcs, n, noise), method=method)
            coverage(f"random, {noise:.1%}", random_arcs(n, noise, 4242), method=method)
        coverage("ZARC2, 0.3%", zarc2(n), method=method)
        for name in ("50 and 50", "50 and 10"):
            coverage(f"{name}, 0.3%", pair(PAIRS[name], n // 4, 0.003), method=method, draws=300)


class Watch:
    """Keeps what the probabilities were made of: the first round of each spectrum, before any is dropped."""

    def __init__(self) -> None:
        self.rounds: list[tuple[list[float], np.ndarray, list[float]]] = []
        original, evidence = drt_peaks._probabilities, drt_peaks._evidence

        def watched(known: Any, gamma: np.ndarray, kept: Any) -> dict[int, float]:
            out = original(known, gamma, kept)
            taus = [float(known.grid.fine_tau_s[i]) for i in kept]
            made = np.array(evidence(known, gamma, kept))
            made[:, 1] = np.minimum(made[:, 1], math.log(drt_peaks.MOST_ASKED))
            self.rounds.append((taus, made, [out[i] for i in kept]))
            return out

        drt_peaks._probabilities = watched


def logistic(features: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Fit the logistic regression by Newton's method."""
    design = np.column_stack([np.ones(len(features)), features])
    out = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ out))
        curve = (design * (p * (1 - p))[:, None]).T @ design + 1e-3 * np.eye(out.size)
        out += np.linalg.solve(curve, design.T @ (real - p) - 1e-3 * out)
    return out


def probability(n: int, refit: bool) -> None:
    watch = Watch()
    for method in METHODS:
        told, real, given, true, features = [], [], [], [], []
        for f, z, arcs, _ in cells(n, 1 if refit else 99):
            watch.rounds.clear()
            found = drt(Spectrum.of(f, z), method=method)
            told += [p.probability for p in found.peaks]
            real += belong([p.tau_s for p in found.peaks], arcs)
            if watch.rounds:
                taus, made, p = watch.rounds[0]
                given += p
                true += belong(taus, arcs)
                features.append(made)
        if refit:
            rows, label = np.vstack(features), np.array(true)
            asked = rows[:, 1] > math.log(16)  # the others are Schwarz's
            print(method, "EXPERIENCE", np.round(logistic(rows[asked], label[asked]), 2), f"from {asked.sum()}")
        for kind, ps, ys in (("maxima", given, true), ("peaks in the result", told, real)):
            p, y = np.array(ps), np.array(ys)
            print(f"{method}, {kind}: {p.size}")
            for low, high in pairwise(BINS):
                at = (p >= low) & (p < high)
                if at.sum() >= 10:
                    mean, share = p[at].mean(), y[at].mean()
                    print(f"  {low:4.2f} to {min(high, 1):4.2f}: p {mean:.2f}, real {share:.2f} of {at.sum()}")


def spurious(n: int) -> None:
    for method in METHODS:
        for name in ("one arc", "50 and 50", "50 and 10"):
            for noise in (0.001, 0.003, 0.01):
                more = [
                    [
                        p.probability
                        for p, ours in zip(d.peaks, belong([p.tau_s for p in d.peaks], arcs), strict=True)
                        if not ours
                    ]
                    for f, z, arcs, _ in pair(PAIRS[name], n, noise)
                    for d in [drt(Spectrum.of(f, z), method=method)]
                ]
                half, sure = (np.mean([any(p > limit for p in one) for one in more]) for limit in (0.5, 0.9))
                print(f"{method:14}{name:12}{noise:.1%}: with a spurious peak {half:.1%}, of p > 0.9 {sure:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="spectra for each line")
    parser.add_argument("--only", choices=("bands", "probability", "spurious"))
    parser.add_argument("--refit", action="store_true", help="fit the numbers of the probability again")
    options = parser.parse_args()
    if options.only in (None, "bands"):
        bands(options.n)
    if options.only in (None, "spurious"):
        spurious(options.n)
    if options.only in (None, "probability"):
        probability(10 * options.n, options.refit)


if __name__ == "__main__":
    main()
