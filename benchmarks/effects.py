"""How often several arms against one control err, over simulated experiments without any effect.

Run it from anywhere: ``python benchmarks/effects.py [draws]``. It prints the familywise error at a nominal 5 %
with arms that scatter alike and arms that do not: by Dunnett's procedure, and with a scatter of each arm's own.
What tests measure in seconds (paired, Welch, equivalence) is in tests/test_effects.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from eis.contrasts import many_to_one

CELLS = (3, 5, 8)
SCATTERS = ((1, 1, 1, 1), (3, 1, 1, 1), (1, 1, 1, 3))
"""Standard deviations of three treated arms and the control."""


def familywise_error(cells: int, scatters: Sequence[float], draws: int, *, equal_scatter: bool) -> float:
    """Return the part of experiments in which any arm seems to differ."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(draws):
        *treated, control = (s * rng.standard_normal(cells) for s in scatters)
        wrong += int(many_to_one(treated, control, equal_scatter=equal_scatter).p.min() < 0.05)
    return wrong / draws


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("draws", nargs="?", type=int, default=2000)
    n_draws = parser.parse_args().draws
    print(f"cells  scatter of arms and control   Dunnett   own scatter   (% of {n_draws} experiments)")
    for n in CELLS:
        for scatter in SCATTERS:
            found = [100 * familywise_error(n, scatter, n_draws, equal_scatter=equal) for equal in (True, False)]
            print(f"{n:>5}  {scatter!s:<28} {found[0]:>8.1f} {found[1]:>13.1f}", flush=True)
