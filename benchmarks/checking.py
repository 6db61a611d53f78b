"""How often each decision rule accepts a cell beyond its limit, whether bounds cover, what a check costs.

    python benchmarks/checking.py                       # 10 000 cells per place, some seconds
    python benchmarks/checking.py --cells 1000000

Values are drawn around a true resistance near the limit; the verdicts are those of `eis.conformity.outcomes`,
which `eis.check` asks for every finding, and of `eis.check` itself.
"""

# ruff: noqa: E402 - the checkout goes onto the path first

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from eis.checking import check
from eis.conformity import DecisionRule, outcomes
from eis.population import population
from eis.results import Interface, Verdict
from eis.spec import Spec

LIMIT = 3e-3
RULES = {
    "simple": DecisionRule("simple"),
    "w = 0.83 U": DecisionRule("guard-band", multiple=0.83),
    "ISO 14253-1": DecisionRule("iso-14253"),
    "probability 95 %": DecisionRule("probability"),
    "w = U, k = 2": DecisionRule("guard-band"),
    "w = 1.5 U": DecisionRule("guard-band", multiple=1.5),
}
PLACES = (1.0, 1.02, 1.05, 1.1)


def false_acceptance(rule: DecisionRule, place: float, relative: float, nu: float, cells: int, seed: int) -> float:
    """Return the share of cells with a true value of `place` limits that pass."""
    rng = np.random.default_rng(seed)
    true = LIMIT * place
    u = relative * true
    known = u * np.sqrt(rng.chisquare(nu, cells) / nu) if nu < math.inf else np.full(cells, u)
    found = outcomes(
        rng.normal(true, u, cells), known, rule, upper=LIMIT, degrees_of_freedom=np.full(cells, nu), model="normal"
    )
    return float(np.mean(found == 0))


def cell(r: float, u: float) -> Interface:
    """Return an interface of 1 cm² in a half cell."""
    return Interface("R2", r, u, 1, 1.0, 0.0, 1e-3, "C", 1e4, "electrode interface", 1.0, (), True, ())


def through_check(cells: int, seed: int) -> tuple[float, float]:
    """Return the share of cells at the limit that `eis.check` passes, and the time of one check (s)."""
    rng = np.random.default_rng(seed)
    spec = Spec.load("lges-negative-electrode")
    u = 0.05 * LIMIT
    values = rng.normal(LIMIT, u, cells)
    start = time.perf_counter()
    passed = sum(check([cell(r, u)], spec, reading="asr").verdict is Verdict.PASS for r in values.tolist())
    return passed / cells, (time.perf_counter() - start) / cells


def lots(n: int, true_share: float, repeats: int, seed: int) -> float:
    """Return the share of lots of `n` cells that pass 95/95 although only `true_share` of all cells conform."""
    from scipy.special import ndtri

    rng = np.random.default_rng(seed)
    spread = 0.1
    centre = math.log(LIMIT) - float(ndtri(true_share)) * spread
    found = [population(np.exp(rng.normal(centre, spread, n)), LIMIT) for _ in range(repeats)]
    return sum(one.verdict is Verdict.PASS for one in found) / repeats


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    places = "".join(f"{place:>9.2f} T" for place in PLACES)
    for nu in (math.inf, 5.0):
        print(f"\nfalse acceptance, {options.cells} cells each, u = 5 %, {nu:g} degrees of freedom; true value at")
        print(f"{'rule':<18}{'stated':>9}{places}")
        for i, (name, rule) in enumerate(RULES.items()):
            shares = [
                false_acceptance(rule, place, 0.05, nu, options.cells, options.seed + 100 * i + j)
                for j, place in enumerate(PLACES)
            ]
            print(f"{name:<18}{rule.stated_risk:>9.2%}" + "".join(f"{share:>11.2%}" for share in shares))
    share, seconds = through_check(min(options.cells, 10_000), options.seed)
    print(f"\neis.check, w = U, true value at the limit: {share:.2%} pass (2.28 % stated)")
    print(f"{1e6 * seconds:.0f} µs a check")
    print("\nlots that pass 95/95 although exactly 95 % of all cells conform (5 % stated)")
    for n in (5, 10, 30):
        print(f"  {n:>3} cells: {lots(n, 0.95, max(options.cells // 5, 200), options.seed):.2%}")


if __name__ == "__main__":
    main()
