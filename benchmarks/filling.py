"""How often porosity-filling experiments end in the right sentence: many virtual experiments per scenario.

    python -m benchmarks.filling [--experiments 500] [--cells 6] [--seed 1] [--full 0] [--energies]

The quick way draws what a fit would give (value, uncertainty and arcs of every spectrum) instead of fitting;
`--full` experiments of each scenario go all the way from noisy spectra through
`eis.experiment_pipeline.compare_experiment`. `--energies` measures every state at 0 and 50 °C too, and counts how
often the interval of the change of the activation energy holds the truth, and how often it is said that the filler
carries current.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eis.carrier import MOST, PART
from eis.experiment import Experiment, Measured, experiment_of
from eis.experiment_generator import SCENARIOS, Scatter, Scenario, Virtual, generate, write_experiment
from eis.extraction import extract
from eis.filling import Comparison, PairedCell, State, compare
from eis.results import Arc, Fit, Parameter
from eis.spectrum import Cell
from eis.virtual_cell import (
    CIRCUIT,
    CONTACT_ALPHA,
    FREQUENCY_HZ,
    GRAIN_ALPHA,
    INDUCTANCE_H,
    PORE_ALPHA,
    PORE_Q,
)

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
        own = Cell(cell.area_cm2, cell.u_area_cm2, cell.interfaces_in_path, cell.kind)
        states = [_state(virtual, measured, own, rng) for measured in (cell.before, cell.after)]
        others = [
            tuple(_state(virtual, one, own, rng) for one in tempered)
            for tempered in (cell.before_at, cell.after_at)
        ]
        pairs.append(PairedCell(cell, states[0], states[1], "", others[0], others[1]))
    return pairs


def _state(virtual: Virtual, measured: Measured | None, own: Cell, rng: np.random.Generator) -> State | None:
    if measured is None:
        return None
    fit = _fit(virtual.values[measured.file], rng)
    return State(fit, extract(fit, own))


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


TEMPERATURES_C = (0.0, 50.0)
ENERGIES: dict[str, tuple[Scenario, float]] = {
    "true-filling": (SCENARIOS["true-filling"], 1.0),
    "loose-sheet": (replace(SCENARIOS["true-filling"], looser=1.2), 1.0),
    "poor-filler": (SCENARIOS["poor-filler"], 1.0),
    "heat-moves": (replace(SCENARIOS["heating-only"], heat_ev=0.02), 1.0),
    "contact-only": (SCENARIOS["in-formulation"], 1.0),
    "no-effect": (SCENARIOS["no-effect"], 1.0),
    "coarse": (SCENARIOS["true-filling"], 5.0),
    "coarse-poor": (SCENARIOS["poor-filler"], 5.0),
}
"""Experiments for activation energies, and by how much more than usual energies and temperatures scatter."""


@dataclass(frozen=True)
class EnergyRates:
    """What activation energies say: verdicts, parts of right ones, of claims, of intervals that hold the truth."""

    verdicts: Counter[str]
    share: float
    right: float
    claimed: float
    covered: float


def energy_rates(scenario: Scenario, scatter: float, experiments: int, cells: int, seed: int) -> EnergyRates:
    """Run many experiments with three temperatures the quick way."""
    rng = np.random.default_rng(seed)
    usual = Scatter()
    spread = replace(usual, energy_ev=usual.energy_ev * scatter, temperature_k=usual.temperature_k * scatter)
    truth = true_energy_effect(scenario, rng)
    verdicts: Counter[str] = Counter()
    covered, share = 0, math.nan
    for _ in range(experiments):
        virtual = generate(scenario, rng, n=cells, scatter=spread, temperatures_c=TEMPERATURES_C)
        experiment = experiment_of(virtual.content)
        found = compare(experiment, quick_pairs(virtual, experiment, rng), rng=rng)
        assert found.carrier is not None
        verdicts[found.carrier.verdict] += 1
        effect = found.energies["R_ion"].effect
        assert effect is not None
        covered += effect.low_ev <= truth <= effect.high_ev
        share = virtual.truth["share"]
    claimed = verdicts["filler"] + verdicts["both"]
    most = {True: "filler", False: "both"}[share > MOST]
    right = verdicts[most] if share > PART else verdicts["solid"]
    return EnergyRates(verdicts, share, right / experiments, claimed / experiments, covered / experiments)


def true_energy_effect(scenario: Scenario, rng: np.random.Generator) -> float:
    """Return the expected difference of ΔE_a of the ionic resistance (eV), treated less heated, of many cells."""
    still = replace(Scatter(), temperature_k=0.0)
    virtual = generate(scenario, rng, n=500, scatter=still, temperatures_c=TEMPERATURES_C)
    moved: dict[str, list[float]] = {"treated": [], "heated": [], "untreated": []}
    for cell in virtual.content["cells"]:
        before, after = (_energy(cell[when], cell[f"{when}_at"], virtual.values) for when in ("before", "after"))
        moved[cell["arm"]].append(after - before)
    return float(np.mean(moved["treated"]) - np.mean(moved["heated"]))


def _energy(own: dict[str, Any], others: list[dict[str, Any]], values: dict[str, dict[str, float]]) -> float:
    """Return E_a (eV) of the ionic resistance by a straight line of ln(T/R) over 1/T."""
    kelvin = np.array([one["temperature_c"] for one in (own, *others)]) + 273.15
    logs = np.log(kelvin / [values[one["file"]]["R_ion"] for one in (own, *others)])
    return -8.617333262e-5 * float(np.polyfit(1 / kelvin, logs, 1)[0])


def energies(experiments: int, cells: int, seed: int) -> None:
    """Print what activation energies say in every scenario of `ENERGIES`."""
    for i, (name, (scenario, scatter)) in enumerate(ENERGIES.items()):
        began = time.perf_counter()
        one = energy_rates(scenario, scatter, experiments, cells, seed + 1000 * i)  # draws of its own for each
        print(
            f"{name:13} share {one.share:5.2f}  right {one.right:6.1%}  filler said {one.claimed:6.1%}  "
            f"CI of ΔΔE_a holds the truth {one.covered:6.1%}  {dict(one.verdicts)}  "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )


def main() -> None:
    """Print the rates of every scenario."""
    from eis.experiment_pipeline import compare_experiment

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--experiments", type=int, default=500)
    parser.add_argument("--cells", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", type=int, default=0)
    parser.add_argument("--energies", action="store_true")
    given = parser.parse_args()
    if given.energies:
        energies(given.experiments, given.cells, given.seed)
        return
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
