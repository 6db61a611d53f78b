"""How often porosity-filling experiments end in the right sentence: many virtual experiments per scenario.

    python -m benchmarks.filling [--experiments 500] [--cells 6] [--seed 1] [--full 0]

The quick way draws what a fit would give (value, uncertainty and arcs of every spectrum) instead of fitting;
`--full` experiments of each scenario go all the way from noisy spectra through
`eis.experiment_pipeline.compare_experiment`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eis.experiment import Experiment, experiment_of
from eis.experiment_generator import (
    CIRCUIT,
    CONTACT_ALPHA,
    FREQUENCY_HZ,
    GRAIN_ALPHA,
    INDUCTANCE_H,
    PORE_ALPHA,
    PORE_Q,
    SCENARIOS,
    Virtual,
    generate,
    write_experiment,
)
from eis.extraction import extract
from eis.filling import Comparison, PairedCell, State, compare
from eis.results import Arc, Fit, Parameter
from eis.spectrum import Cell

U_RELATIVE = {"R0": 0.002, "R1": 0.008, "R2": 0.006, "TLMQ1_0": 0.006, "CPE1_0": 0.02, "CPE2_0": 0.02}
"""What fits of these spectra give at 0.1 % noise (k = 1)."""
UNITS = {"L": "H", "R": "ohm", "T": "ohm", "C": "ohm^-1 s^a"}


@dataclass(frozen=True)
class Rates:
    """What many experiments of one scenario ended in: findings, shares of right ones, of intervals that hold."""

    findings: Counter[str]
    right: float
    filled: float
    significant: float
    covered: float


def quick_pairs(virtual: Virtual, experiment: Experiment, rng: np.random.Generator) -> list[PairedCell]:
    """Return the cells as fits would give them: the truth, off by its uncertainty."""
    pairs = []
    for cell in experiment.cells:
        states = []
        for measured in (cell.before, cell.after):
            fit = _fit(virtual.values[measured.file], rng) if measured else None
            own = Cell(cell.area_cm2, cell.u_area_cm2, cell.interfaces_in_path, cell.kind)
            states.append(State(fit, extract(fit, own)) if fit else None)
        pairs.append(PairedCell(cell, *states))
    return pairs


def _fit(values: dict[str, float], rng: np.random.Generator) -> Fit:
    arcs = [(values["R_gb"], values["C_gb"], GRAIN_ALPHA), (values["R_if"], values["C_if"], CONTACT_ALPHA)]
    (r1, c1, a1), (r2, c2, a2) = sorted(arcs, key=lambda arc: arc[0] * arc[1])  # a fit orders them by τ
    truth = {
        "L0": INDUCTANCE_H,
        "R0": values["R_s"],
        "R1": r1,
        "CPE1_0": (r1 * c1) ** a1 / r1,
        "CPE1_1": a1,
        "R2": r2,
        "CPE2_0": (r2 * c2) ** a2 / r2,
        "CPE2_1": a2,
        "TLMQ1_0": values["R_ion"],
        "TLMQ1_1": PORE_Q,
        "TLMQ1_2": PORE_ALPHA,
    }
    parameters = tuple(
        Parameter(
            name=name,
            value=float(value * math.exp(rng.normal(0, U_RELATIVE.get(name, 0.0)))),
            u=float(value * U_RELATIVE.get(name, 1e-4)),
            unit="" if name.endswith(("_1", "_2")) else UNITS[name[0]],
        )
        for name, value in truth.items()
    )
    f = FREQUENCY_HZ
    return Fit(
        circuit=CIRCUIT,
        parameters=parameters,
        free=tuple(p.name for p in parameters),
        covariance=np.diag([p.u**2 for p in parameters]),
        weight="modulus",
        chi2=1e-4,
        reduced_chi2=1e-6,
        aicc=-1000.0,
        bic=-990.0,
        n_points=f.size,
        n_free=len(parameters),
        converged=True,
        because=(),
        frequency_hz=f,
        z_ohm=np.ones(f.size, dtype=complex),
        z_fit_ohm=np.ones(f.size, dtype=complex),
        arcs=(Arc("R1", "cpe", "R1", "CPE1_0", "CPE1_1"), Arc("R2", "cpe", "R2", "CPE2_0", "CPE2_1")),
        series_resistance=("R0",),
    )


def quick(scenario: str, rng: np.random.Generator, cells: int) -> Comparison:
    """Run one experiment the quick way."""
    virtual = generate(scenario, rng, n=cells)
    experiment = experiment_of(virtual.content)
    return compare(experiment, quick_pairs(virtual, experiment, rng), rng=rng)


def true_effect(scenario: str, rng: np.random.Generator) -> float:
    """Return the expected difference of ln ratios of the interface, treated less heated, over many true cells."""
    one = replace(SCENARIOS[scenario], spoiled=1.0)
    virtual = generate(one, rng, n=4000)
    ratios: dict[str, list[float]] = {"treated": [], "heated": [], "untreated": []}
    for cell in virtual.content["cells"]:
        before, after = (virtual.values[cell[when]["file"]]["R_if"] for when in ("before", "after"))
        ratios[cell["arm"]].append(math.log(after / before))
    return float(np.mean(ratios["treated"]) - np.mean(ratios["heated"]))


def rates(scenario: str, experiments: int, cells: int, seed: int) -> Rates:
    """Run many experiments of one scenario the quick way."""
    rng = np.random.default_rng(seed)
    truth = true_effect(scenario, rng)
    findings: Counter[str] = Counter()
    covered = significant = 0
    for _ in range(experiments):
        found = quick(scenario, rng, cells)
        findings[str(found.conclusion.finding)] += 1
        effect = found.effects[found.quantity]
        covered += effect.low <= math.exp(truth) <= effect.high
        significant += effect.low > 1 or effect.high < 1
    right = sum(findings[name] for name in SCENARIOS[scenario].expected)
    return Rates(
        findings,
        right / experiments,
        findings["filled"] / experiments,
        significant / experiments,
        covered / experiments,
    )


def main() -> None:
    """Print the rates of every scenario."""
    from eis.experiment_pipeline import compare_experiment

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--cells", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", type=int, default=0)
    given = parser.parse_args()
    for name in SCENARIOS:
        began = time.perf_counter()
        one = rates(name, given.experiments, given.cells, given.seed)
        print(
            f"{name:15} right {one.right:6.1%}  filled {one.filled:6.1%}  CI holds the truth {one.covered:6.1%}  "
            f"effect called {one.significant:6.1%}  {dict(one.findings)}  {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        rng = np.random.default_rng(given.seed)
        full: Counter[str] = Counter()
        for _ in range(given.full):
            with tempfile.TemporaryDirectory() as folder:
                found, _ = compare_experiment(write_experiment(generate(name, rng, n=given.cells), Path(folder)))
            full[str(found.conclusion.finding)] += 1
        if given.full:
            right = sum(full[word] for word in SCENARIOS[name].expected) / given.full
            print(f"{'':15} from spectra: right {right:6.1%}  {dict(full)}", flush=True)


if __name__ == "__main__":
    main()
