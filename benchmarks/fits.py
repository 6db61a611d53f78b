"""Circuit fits side by side: ours in bulk, ours one at a time, impedance.py, lmfit and SciPy, in one run.

    python benchmarks/fits.py --workloads W1,W2 --n 200 --budget 5 --json fits.json

CPU time of one thread, in interleaved rounds: every contender fits a slice of every workload in every round, so
that a busy moment of the machine hits all of them. `benchmarks/README.md` says what the columns mean.
"""
# ruff: noqa: E402 - the number of threads is set before NumPy is imported

from __future__ import annotations

import os

for _name in (
    "OMP",
    "MKL",
    "OPENBLAS",
    "NUMBA",
    "VECLIB_MAXIMUM",
):
    os.environ[f"{_name}_NUM_THREADS"] = "1"

import argparse
import contextlib
import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.peers import PACKAGE, PEERS, is_installed
from benchmarks.racers import InBulk, OneByOne, Run
from benchmarks.workloads import Workload, workload

OURS_BULK = "ours, fit_many"
OURS_ONE = "ours, fit"
YARDSTICK = "impedance.py, modulus"
PACKAGES = ("interfacial-eis", "numpy", "scipy", "numba", "impedance", "lmfit")


def contenders(works: list[Workload], peers: list[str], options: argparse.Namespace) -> list[OneByOne | InBulk]:
    """Return everyone who can run here, and say who cannot and why."""
    out: list[OneByOne | InBulk] = []
    bulk = _bulk()
    seen: set[bytes] = set()
    for work in works:
        from_data = work.z_ohm.tobytes() not in seen  # W2 and W2H are W1 when the start comes from the data
        seen.add(work.z_ohm.tobytes())
        for start in ("given", "data") if from_data else ("given",):
            if bulk is not None:
                out.extend(_or_why_not(lambda w=work, s=start: _ours_in_bulk(bulk, w, s)))
            out.extend(_or_why_not(lambda w=work, s=start: _ours_one_by_one(w, s, options)))
        for peer in peers:
            for label, make in PEERS[peer].items():
                run = Run(work, label, "given")
                out.append(OneByOne(run, make(work), options.budget, options.longest, len(work)))
    return out


def _bulk() -> ModuleType | None:
    try:
        import fitting.bulk
    except ImportError as error:
        _say(f"skipped: {OURS_BULK}: {error}")
        return None
    return fitting.bulk


def _or_why_not(make: Callable[[], OneByOne | InBulk]) -> list[OneByOne | InBulk]:
    """Return the contender, or none and a line that says why."""
    from eis.errors import EisError

    try:
        return [make()]
    except EisError as error:
        _say(f"skipped: {str(error).splitlines()[0]}")
        return []


def _ours_in_bulk(bulk: ModuleType, work: Workload, start: str) -> InBulk:
    def fit_all(n: int) -> np.ndarray:
        given = None if start == "data" else work.starts if work.starts.ndim == 1 else work.starts[:n]
        return bulk.fit_many(work.circuit, work.frequency_hz, work.z_ohm[:n], start=given).values

    made = InBulk(Run(work, OURS_BULK, start), fit_all, len(work))
    _say(f"{work.name}: {OURS_BULK}, start {start}: first call {made.warm_up_s:.2f} s")
    return made


def _ours_one_by_one(work: Workload, start: str, options: argparse.Namespace) -> OneByOne:
    from eis.spectrum import Spectrum
    from fitting import fit, parse

    names = parse(work.circuit).names
    spectra = [Spectrum.of(work.frequency_hz, z) for z in work.z_ohm]

    def fit_one(row: int) -> np.ndarray:
        given = None if start == "data" else work.start_of(row).tolist()
        fitted = fit(work.circuit, spectra[row], start=given)
        return np.array([fitted.value(name) for name in names])

    budget = np.inf if options.all else options.budget
    return OneByOne(Run(work, OURS_ONE, start), fit_one, budget, options.longest, len(work))


def measure(racers: list[OneByOne | InBulk], rounds: int) -> list[dict[str, Any]]:
    """Let everyone do a slice in every round, in turning order, and sum up."""
    for round_ in range(1, rounds + 1):
        _say(f"round {round_} of {rounds}")
        turn = round_ % max(len(racers), 1)
        for racer in racers[turn:] + racers[:turn]:
            racer.advance(round_ / rounds)
    results = [racer.run.summary() for racer in racers if racer.run.values]
    yardstick = {r["workload"]: r for r in results if r["contender"] == YARDSTICK}
    for result in results:
        base = yardstick.get(result["workload"])
        for kind in ("median", "mean", "right"):
            key = f"{kind}_per_cpu_s"
            result[f"{kind}_ratio"] = result[key] / base[key] if base and base[key] > 0 else None
    return results


ONE_FIT = """
import sys; sys.path.insert(0, {root!r})
import warnings; warnings.simplefilter("ignore")
from benchmarks.workloads import workload
work = workload("W1", 1)
"""
FIRST_FIT = {
    "NumPy and the data alone": "",
    OURS_ONE: """
from eis.spectrum import Spectrum
from fitting import fit
fit(work.circuit, Spectrum.of(work.frequency_hz, work.z_ohm[0]))
""",
    OURS_BULK: """
from fitting.bulk import fit_many
fit_many(work.circuit, work.frequency_hz, work.z_ohm)
""",
    "impedance.py": """
from impedance.models.circuits import CustomCircuit
CustomCircuit(work.circuit, initial_guess=work.starts[0].tolist()).fit(
    work.frequency_hz, work.z_ohm[0], weight_by_modulus=True)
""",
}


def first_fits() -> dict[str, list[float]]:
    """Return wall seconds from starting a process to its first fit of W1, twice each (the first may compile)."""
    out: dict[str, list[float]] = {}
    for label, code in FIRST_FIT.items():
        if label == "impedance.py" and not is_installed("impedance"):
            continue
        text = ONE_FIT.format(root=str(ROOT)) + code
        for _ in range(2):
            before = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
            if done.returncode:
                _say(f"skipped: first fit of {label}: {done.stderr.strip().splitlines()[-1]}")
                break
            out.setdefault(label, []).append(time.perf_counter() - before)
    return out


def single_fits() -> dict[str, float]:
    """Return milliseconds (CPU, median of 40, warm) of one fit from Python on W1, covariance included."""
    from eis.spectrum import Spectrum
    from fitting import fit

    work = workload("W1", 40)
    spectra = [Spectrum.of(work.frequency_hz, z) for z in work.z_ohm]
    calls: dict[str, Callable[[int], object]] = {
        "fit, start from the data": lambda i: fit(work.circuit, spectra[i]),
        "fit, start given": lambda i: fit(work.circuit, spectra[i], start=work.start_of(i).tolist()),
    }
    bulk = _bulk()
    if bulk is not None:
        calls["fit_many of one spectrum, start from the data"] = lambda i: bulk.fit_many(
            work.circuit, work.frequency_hz, work.z_ohm[i]
        )
    spent: dict[str, list[float]] = {label: [] for label in calls}
    for call in calls.values():
        call(0)
    for i in range(len(work)):
        for label, call in calls.items():
            before = time.process_time()
            call(i)
            spent[label].append(1e3 * (time.process_time() - before))
    return {label: statistics.median(times) for label, times in spent.items()}


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table that can also be read as it stands."""
    head = ("workload", "contender", "start", "n", "median/s", "mean/s", "right", "×median", "×mean", "×right/s")
    rows = [head]
    for r in sorted(results, key=lambda r: (r["workload"], -r["right_per_cpu_s"])):
        ratios = (_ratio(r[f"{kind}_ratio"]) for kind in ("median", "mean", "right"))
        rates = (_three(r["median_per_cpu_s"]), _three(r["mean_per_cpu_s"]))
        rows.append((r["workload"], r["contender"], r["start"], str(r["n"]), *rates, f"{r['right']:.1%}", *ratios))
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]
    left = 3  # columns of words; the others are numbers and stand right

    def line(row: tuple[str, ...]) -> str:
        cells = (c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, width, strict=True)))
        return f"| {' | '.join(cells)} |"

    rule = (("-" * (w + 2)) if i < left else ("-" * (w + 1) + ":") for i, w in enumerate(width))
    return "\n".join([line(rows[0]), f"|{'|'.join(rule)}|", *(line(row) for row in rows[1:])])


def _three(number: float) -> str:
    """Return three significant digits without an exponent: 3.52, 35.2, 16 200."""
    if number >= 1000:
        return f"{float(f'{number:.3g}'):,.0f}".replace(",", " ")
    return f"{number:.3g}"


def _ratio(number: float | None) -> str:
    return "" if number is None else f"{_three(number)}×"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _versions() -> dict[str, str]:
    out = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            out[name] = importlib.metadata.version(name)
    return out


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Circuit fits side by side, in one run.")
    parser.add_argument("--workloads", default="W1,W2,W2H,W3", help="comma-separated (default: %(default)s)")
    parser.add_argument("--n", type=int, help="spectra per workload (default: 500, and 200 of W3)")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated, or none (default: %(default)s)")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU s per peer and workload (%(default)s)")
    parser.add_argument("--longest", type=float, default=20.0, help="wall s after which one fit is given up")
    parser.add_argument("--all", action="store_true", help="no budget for our own fit(): all spectra")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--no-latency", action="store_true", help="leave out single and first fits")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results for machines")
    options = parser.parse_args(arguments)
    options.peers = [] if options.peers in ("", "none") else options.peers.split(",")
    options.workloads = options.workloads.split(",")
    known = ("W1", "W2", "W2H", "W3")
    for name in options.workloads:
        if name not in known:
            parser.error(f"no workload {name!r}; choose from {', '.join(known)}")
    for name in options.peers:
        if name not in PEERS:
            parser.error(f"no peer {name!r}; choose from {', '.join(PEERS)}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    warnings.simplefilter("ignore")  # overflow and covariance warnings of searches that went astray
    peers = [peer for peer in options.peers if is_installed(peer)]
    for peer in options.peers:
        if peer not in peers:
            _say(f"skipped: {peer}: {PACKAGE[peer]} is not installed")
    works = [workload(name, options.n) for name in options.workloads]
    with np.errstate(all="ignore"):
        results = measure(contenders(works, peers, options), options.rounds)
    print(table(results))
    for r in results:
        if r["failed"]:
            faults = ", ".join(f"{count} {name}" for name, count in sorted(r["failed"].items()))
            print(f"without a result: {r['workload']}, {r['contender']}: {faults} of {r['n']}")
    single, first = ({}, {}) if options.no_latency else (single_fits(), first_fits())
    for label, milliseconds in single.items():
        print(f"one fit from Python, warm, covariance included: {label}: {milliseconds:.2f} ms (CPU)")
    for label, seconds in first.items():
        print(f"fresh process to first fit: {label}: {', then '.join(f'{s:.2f}' for s in seconds)} s (wall)")
    if options.json:
        document = {
            "schema": "benchmarks.fits/1",
            "machine": {"platform": platform.platform(), "cpus": os.cpu_count(), "load": _load()},
            "versions": _versions(),
            "options": {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()},
            "results": results,
            "single_fit_ms": single,
            "first_fit_s": first,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
