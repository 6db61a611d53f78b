"""Whole archives through the commands, as a user starts them: ``python benchmarks/archives.py [--spectra N]``.

A re-fit of N spectra by one worker and by two, one after the other in every round, and the verdicts of 1000 files
after the start-up a single file shows. Where the spectra come from is written at the beginning of `made`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eis import archive
from eis.collection_writer import Writer
from eis.spectrum import Spectrum

CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
CELL = ("--area", "1.131", "--interfaces", "2", "--kind", "symmetric", "--thickness", "0.05")
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a command: seconds on the wall, and of the largest process its memory (MB)."""

    seconds: float
    megabytes: float


def made(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 71 frequencies from 1 MHz to 0.1 Hz and n spectra of two depressed arcs with 0.1 % noise."""
    f = np.geomspace(1e6, 0.1, 71)
    jw, rng = 2j * np.pi * f, np.random.default_rng(seed)
    r0, r1, r2 = (rng.uniform(low, high, n)[:, None] for low, high in ((1, 5), (5, 15), (5, 40)))
    z = jw * 5e-8 + r0 + r1 / (1 + r1 * 2.5e-7 * jw**0.92) + r2 / (1 + r2 * 8e-5 * jw**0.88)
    return f, z * (1 + 1e-3 * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape)))


def run(*words: str) -> Ran:
    """Run a command of ours, children and all."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "eis", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, said = process.communicate()
    seconds = time.perf_counter() - begun
    if process.returncode not in (0, 1, 3):
        sys.exit(said.decode())
    return Ran(seconds, _peak())


def _peak() -> float:
    """Return the largest memory of any process that was waited for so far (MB); NaN where nobody tells."""
    try:
        import resource
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def rate(folder: Path, n: int) -> float:
    """Return spectra per second between the first part of a table and the last: start-up is over by then."""
    written = sorted(part.stat().st_mtime for part in folder.glob("part-*.parquet"))
    return n * (len(written) - 1) / len(written) / (written[-1] - written[0])


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eis-archives-") as name:
        folder = Path(name)
        files = [str(folder / f"cell_{i:04d}.csv") for i in range(1000)]
        f, z = made(len(files), 1)
        for file, one in zip(files, z, strict=True):
            archive.write(Spectrum.of(f, one), file)
        words = ("--circuit", CIRCUIT, *CELL, "--json")
        run("check", files[0], *words)
        spent = [run("check", *files, *words).seconds - run("check", files[0], *words).seconds for _ in range(5)]
        print(f"eis check, {len(files)} files after the start-up of one: {statistics.median(spent):.2f} s "
              f"({min(spent):.2f} to {max(spent):.2f})")  # fmt: skip
        with Writer(folder / "all.nc") as writer:
            for start in range(0, asked.spectra, AT_ONCE):
                f, z = made(min(AT_ONCE, asked.spectra - start), start)
                for i, one in enumerate(z):
                    writer.add(Spectrum.of(f, one), cell=f"c{(start + i) % 500}")
        size = (folder / "all.nc").stat().st_size / 1e6
        print(f"archive of {asked.spectra:,} spectra, {size:.0f} MB, {os.cpu_count()} cores")
        rates: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(asked.rounds):
            for workers in rates:
                out = folder / f"out-{turn}-{workers}"
                ran = run(
                    "refit",
                    str(folder / "all.nc"),
                    "--circuit",
                    CIRCUIT,
                    "--workers",
                    str(workers),
                    "--out",
                    str(out),
                )
                rates[workers].append(rate(out, asked.spectra))
                who = f"{workers} worker{'s' if workers > 1 else ' '}"
                quick = f"{rates[workers][-1]:7,.0f} spectra/s once begun"
                print(f"{who}: {ran.seconds:6.1f} s in all, {quick}, largest process {ran.megabytes:.0f} MB")
        ratio = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
        print(f"2 workers: {statistics.median(ratio):.2f} times one ({min(ratio):.2f} to {max(ratio):.2f})")


if __name__ == "__main__":
    main()
