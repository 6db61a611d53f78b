"""A re-fit that is killed again and again: ``python tests/soak/refit.py [SPECTRA] [KILLS] [SEED]``.

A folder of files is re-fitted by a command that is killed outright (-9) at random instants and started again until
it is done. At the end: every file has its one row, the table is that of a run nobody killed, and what was done
again is below one per cent a kill.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eis.archive import write
from tests.truth import TwoArcs

ROOT = Path(__file__).parents[2]
TRUTH = TwoArcs()


def noted(parts: Path) -> int:
    """Return how many tasks a run has noted as done."""
    log = parts / "done.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def main() -> int:
    """Run it and say what came of it."""
    n, kills, seed = (int(word) for word in [*sys.argv[1:], *("5000", "10", "1")[len(sys.argv) - 1 :]])
    seeded = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(prefix="eis-refit-") as name:
        folder = Path(name)
        (folder / "archive").mkdir()
        for number in range(n):
            write(TRUTH.spectrum(noise=1e-3, seed=number), folder / "archive" / f"cell_{number:06d}.csv")

        def command(out: str) -> list[str]:
            words = ["refit", str(folder / "archive"), "--circuit", TRUTH.circuit, "--out", str(folder / out)]
            return [sys.executable, "-m", "eis", *words, "--json"]

        subprocess.run(command("whole.csv"), env=environment, check=True, stdout=subprocess.DEVNULL)
        parts = folder / "out.csv.parts"
        redone: list[int] = []
        for _ in range(kills):
            before = noted(parts)
            until = before + seeded.randint(1, max(2, 300 // kills))
            process = subprocess.Popen(command("out.csv"), env=environment, stdout=subprocess.DEVNULL)
            while noted(parts) < until and process.poll() is None:
                time.sleep(seeded.uniform(0, 0.01))
            process.kill()
            process.wait()
            redone.append(len(list(parts.glob("part-*.csv"))) - noted(parts) + 1)  # and the one under way
        done = subprocess.run(command("out.csv"), env=environment, check=True, capture_output=True)
        (entry,) = json.loads(done.stdout)["results"]
        same = (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    per_task = max(1, n // 400)
    worst = max(redone) * per_task / n
    print(
        f"{n} spectra, {kills} kills: the same table: {same}; {entry['n_spectra']} fitted, {entry['n_resumed']} "
        f"of them before the last start; at most {worst:.2%} done again after a kill"
    )
    return not (same and entry["n_spectra"] == n and worst < 0.01)


if __name__ == "__main__":
    sys.exit(main())
