"""Do 95 % intervals of an interface's R·A hold the truth in 95 of 100 cells, with every line of the budget active?

    python -m benchmarks.interval_coverage [--draws 1000] [--seed 1]

Each draw is a symmetric cell whose truth is known, measured once or five times with everything a budget is about
gone wrong by as much as the budget is told: noise, an arc that is skewed in half the cells and fitted with and
without skew, an area, an instrument's gain, a fixture's resistance, a temperature and a pressure that are not the
stated ones, and a contact that differs every time. The interval is value ± t·u with Student's t for the effective
degrees of freedom.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from scipy.stats import binom

from eis.extraction import Conditions, extract
from eis.interface import Interface
from eis.spectrum import Cell, Spectrum
from eis.uncertainty_budget import temperature_coefficient
from fitting import fit

FREQUENCY = np.geomspace(1e6, 0.1, 50)
TRUTH = {"L0": 5e-8, "R0": 22.0, "R1": 15.0, "f1": 150e3, "R2": 17.683, "f2": 1.2e3}
PLAIN, SKEWED = "L0-R0-p(R1,CPE1)-p(R2,CPE2)", "L0-R0-p(R1,CPE1)-HN2"
NOISE, REPEATS, CONTACT = 5e-3, 5, 0.03
AREA, U_AREA = 1.131, 0.011
ACTIVATION_EV, U_KELVIN = 0.5, 0.2
PRESSURE, U_PRESSURE = 10.0, 0.3
GAIN, U_FIXTURE = 0.015, 0.15


def cell() -> Cell:
    """What the user states of the cell."""
    return Cell(
        AREA,
        U_AREA,
        interfaces_in_path=2,
        kind="symmetric",
        thickness_cm=0.05,
        temperature_c=25.0,
        u_temperature_c=U_KELVIN,
        pressure_mpa=PRESSURE,
        u_pressure_mpa=U_PRESSURE,
    )


def one_draw(rng: np.random.Generator, n: int = REPEATS) -> tuple[Interface, float]:
    """Measure one cell n times; return what is extracted and its true R·A (ohm cm²) under the stated conditions.

    Measured once, its contact is that of the truth: nobody can know otherwise.
    """
    area = AREA + U_AREA * rng.standard_normal()
    kelvin, pressure = U_KELVIN * rng.standard_normal(), PRESSURE + U_PRESSURE * rng.standard_normal()
    common = math.exp(temperature_coefficient(ACTIVATION_EV, 25.0) * kelvin) * (pressure / PRESSURE) ** -0.5
    gain, fixture = 1 + GAIN * rng.uniform(-1, 1), U_FIXTURE * rng.standard_normal()
    beta = rng.choice([1.0, 0.9])
    contact = 1 + CONTACT * rng.standard_normal(n) if n > 1 else np.ones(1)
    spectra = [measured(TRUTH["R2"] * common * c + fixture, beta, gain, rng) for c in contact]
    fits = [[fit(circuit, spectrum, start=start(circuit)) for spectrum in spectra] for circuit in (PLAIN, SKEWED)]
    (best, *repeats), (other, *_) = sorted(fits, key=lambda same: same[0].aicc)
    name = best.arcs[-1].name
    found = extract(
        best,
        cell(),
        alternatives=[other],
        repeats=repeats,
        conditions=Conditions(instrument_accuracy=GAIN, u_fixture_ohm=U_FIXTURE, activation_ev=ACTIVATION_EV),
        assign={name: "electrode interface"},
    )
    return next(one for one in found if one.name == name), TRUTH["R2"] * area / 2


def measured(r2: float, beta: float, gain: float, rng: np.random.Generator) -> Spectrum:
    """Return the spectrum the instrument shows."""
    jf = 1j * FREQUENCY
    z = 2 * math.pi * jf * TRUTH["L0"] + TRUTH["R0"]
    z = z + TRUTH["R1"] / (1 + (jf / TRUTH["f1"]) ** 0.95) + r2 / (1 + (jf / TRUTH["f2"]) ** 0.92) ** beta
    noise = rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size)
    return Spectrum.of(FREQUENCY, gain * z + NOISE * np.abs(z) * noise)


def start(circuit: str) -> list[float]:
    """Return a start near the truth: this is about intervals, not about finding the minimum."""
    arcs = []
    for r, f, alpha in ((TRUTH["R1"], TRUTH["f1"], 0.95), (TRUTH["R2"], TRUTH["f2"], 0.92)):
        arcs.append((r, (1 / (2 * math.pi * f)) ** alpha / r, alpha))
    skewed = (TRUTH["R2"], 1 / (2 * math.pi * TRUTH["f2"]), 0.92, 0.99)
    return [TRUTH["L0"], TRUTH["R0"], *arcs[0], *(arcs[1] if circuit == PLAIN else skewed)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for n in (1, REPEATS):
        count(n, asked.draws, np.random.default_rng(asked.seed))


def count(n: int, draws: int, rng: np.random.Generator) -> None:
    """Print how many intervals hold the truth, and what they are made of."""
    began = time.perf_counter()
    held, shares = 0, {}
    for _ in range(draws):
        found, truth = one_draw(rng, n)
        low, high = found.budget.interval(0.95)
        held += low <= truth <= high
        for line in found.budget.lines:
            shares[line.source] = shares.get(line.source, 0.0) + ((line.u or 0.0) / found.budget.u) ** 2 / draws
    low, high = (binom.ppf(p, draws, 0.95) / draws for p in (0.025, 0.975))
    print(found.budget)
    print("mean share of the variance: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    print(
        f"measured {n} times: {held / draws:.1%} of {draws} intervals hold the truth "
        f"(95 % ± chance: {low:.1%} to {high:.1%}), "
        f"{time.perf_counter() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
