"""The Cramér–Rao bound against Monte-Carlo: the interface's uncertainty in every row of a table of configurations.

``python -P benchmarks/planning.py [DRAWS]`` prints, for each configuration and noise, the bound, half the width of
the central 68 % of the resistances from that many fitted noise draws, and their ratio. (From 10 % on the
distribution has a tail towards large values, which would rule a standard deviation.) Where the bound exceeds 30 %
the model is not identified: the error is not Gaussian there, and its scatter no test of the bound.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from eis.cramer_rao import cramer_rao
from fitting.bulk import fit_many
from fitting.circuit import parse

FREQUENCY_HZ = np.geomspace(1e6, 0.1, 71)
WIDE_HZ = np.geomspace(1e7, 0.1, 81)
LEADS = [50e-9, 1.5]
FULL, SYMMETRIC = "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-Wo1", "L0-R0-p(R1,CPE1)"
IDENTIFIED = 0.30


def arc(r_ohm: float, f0_hz: float, alpha: float = 0.9) -> list[float]:
    """Return R, Q and α of an arc that peaks at `f0_hz`."""
    return [r_ohm, (1 / (2 * np.pi * f0_hz)) ** alpha / r_ohm, alpha]


def full_cell(r_ohm: float) -> list[float]:
    """Return grain boundary, cathode, anode and diffusion of a full cell; the cathode's α is 0.85."""
    return [*LEADS, *arc(0.5, 2e6), *arc(10, 1e3, 0.85), *arc(r_ohm, 30), 20.0, 300.0]


def symmetric_cell(asr_ohm_cm2: float, f_per_cm2: float) -> list[float]:
    """Return two interfaces of 1 cm² each."""
    r, c = 2 * asr_ohm_cm2, f_per_cm2 / 2
    return [*LEADS, *arc(r, 1 / (2 * np.pi * r * c))]


CONFIGURATIONS = {
    "full cell, 3 mΩ at 30 Hz": (FULL, full_cell(3e-3), "R3", FREQUENCY_HZ, 4.96),
    "full cell, 30 mΩ at 30 Hz": (FULL, full_cell(0.03), "R3", FREQUENCY_HZ, 0.50),
    "full cell, 300 mΩ at 30 Hz": (FULL, full_cell(0.3), "R3", FREQUENCY_HZ, 0.050),
    "full cell, 3 Ω at 30 Hz": (FULL, full_cell(3.0), "R3", FREQUENCY_HZ, 0.0054),
    "symmetric 2×3 mΩ, 10 µF/cm²": (SYMMETRIC, symmetric_cell(3e-3, 1e-5), "R1", FREQUENCY_HZ, 91.5),
    "symmetric 2×3 mΩ, 10 µF/cm², 10 MHz": (SYMMETRIC, symmetric_cell(3e-3, 1e-5), "R1", WIDE_HZ, 1.31),
    "symmetric 2×3 mΩ, 1 mF/cm²": (SYMMETRIC, symmetric_cell(3e-3, 1e-3), "R1", FREQUENCY_HZ, 0.126),
    "symmetric 2×3 mΩ, 1 F/cm²": (SYMMETRIC, symmetric_cell(3e-3, 1.0), "R1", FREQUENCY_HZ, 0.0746),
    "symmetric 2×1 Ω, 10 µF/cm²": (SYMMETRIC, symmetric_cell(1.0, 1e-5), "R1", FREQUENCY_HZ, 4.0e-4),
}
"""Circuit, values, element, frequencies, and the published relative bound at 0.1 % noise."""


def scatter(
    circuit: str,
    values: list[float],
    element: str,
    frequency_hz: np.ndarray,
    noise: float,
    draws: int,
    seed: int = 1,
) -> float:
    """Return half the width of the central 68.27 % of `element` over fitted noise draws, relative."""
    parsed = parse(circuit)
    z = parsed.impedance(2 * np.pi * frequency_hz, values)
    rng = np.random.default_rng(seed)
    real, imaginary = rng.standard_normal((2, draws, z.size))
    batch = fit_many(parsed, frequency_hz, z + noise * np.abs(z) * (real + 1j * imaginary), start=values)
    low, high = np.percentile(batch.values[:, batch.names.index(element)], [15.865, 84.135])
    return float((high - low) / 2 / values[parsed.names.index(element)])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("draws", nargs="?", type=int, default=2000)
    draws = parser.parse_args().draws
    print(f"{'configuration':<38}{'noise':>8}{'table':>10}{'bound':>10}{'fits':>10}{'ratio':>8}  ({draws} draws)")
    started = time.perf_counter()
    for name, (circuit, values, element, f, table) in CONFIGURATIONS.items():
        for noise in (1e-3, 1e-4):
            bound = cramer_rao(circuit, values, f, noise=noise).relative(element)
            line = f"{name:<38}{noise:>8.2%}{table * noise / 1e-3:>10.3g}{bound:>10.3g}"
            if bound > IDENTIFIED:
                print(f"{line}{'not identified':>18}")
                continue
            fits = scatter(circuit, values, element, f, noise, draws)
            print(f"{line}{fits:>10.3g}{fits / bound:>8.3f}")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
