"""How often validation is right on spectra whose faults are known, and how fast Lin-KK is beside its peers.

    python benchmarks/validation.py                       # 1000 sound and 1200 faulty spectra, and the speeds
    python benchmarks/validation.py --sound 100 --faulty 120 --no-speed --json validation.json

Rates and speeds go to standard output. CPU time of one thread, in turns; trust the ratios, not the milliseconds.
"""
# ruff: noqa: E402 - the number of threads is set before NumPy is imported

from __future__ import annotations

import os

for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "VECLIB_MAXIMUM"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"

import argparse
import contextlib
import io
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.validation_corpus import CELLS, drifting, faulty, saturating, sound
from benchmarks.workloads import workload
from eis.spectrum import Spectrum
from eis.validation import lin_kk_many, validate, validate_many

IMPEDANCE = "impedance.py, c = 0.85, complex"
PYIMPSPEC = "pyimpspec, as it comes"


def rates_of_sound(n: int, seed: int) -> dict[str, Any]:
    """Return how many sound spectra got which verdict, and what those not called valid were called."""
    verdicts: Counter[str] = Counter()
    wrong: list[str] = []
    for case in sound(n, seed):
        found = validate(case.spectrum)
        verdicts[found.verdict] += 1
        if found.verdict != "valid":
            wrong.append(f"{case.cell}, {case.style}, noise {case.noise:.2%}: {found.because[0]}")
    return {"n": n, **verdicts, "wrong": wrong}


def rates_of_faulty(n: int, seed: int) -> dict[str, dict[str, int]]:
    """Return, by cause and way of measuring, how many were caught, called invalid, and named rightly."""
    return _count(faulty(n, seed))


def rates_of_hidden(n: int, seed: int) -> dict[str, dict[str, int]]:
    """Return the same for what Kramers–Kronig alone must find: no point measured twice, no second amplitude."""

    def cases() -> Any:
        for i in range(n):
            rng = np.random.default_rng([seed, i])
            kind, noise = CELLS[int(rng.integers(len(CELLS)))], float(10 ** rng.uniform(-3.5, -2.5))
            yield drifting(kind, rng, noise, "once") if i % 2 else saturating(kind, rng, noise, "alone")

    return _count(cases())


def _count(cases: Any) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for case in cases:
        found = validate(case.spectrum, other_amplitude=case.other_amplitude)
        style = "" if case.cause in ("outlier", "mains") else f" ({case.style})"
        for row in (case.cause + style, "all"):
            counts = table.setdefault(row, Counter())
            counts["n"] += 1
            counts["caught"] += found.verdict != "valid"
            counts["invalid"] += found.verdict == "invalid"
            counts["named first"] += bool(found.causes) and found.causes[0] == case.cause
            counts["named"] += case.cause in found.causes
    return {row: dict(counts) for row, counts in table.items()}


def speeds(n: int, peer_n: int, rounds: int) -> dict[str, Any]:
    """Return milliseconds of CPU per spectrum and the ratio to impedance.py, in turns on the ZARC2 spectra."""
    work = workload("ZARC2", max(n, peer_n))
    f, z = work.frequency_hz, work.z_ohm
    spectra = [Spectrum.of(f, one) for one in z[:peer_n]]
    found: dict[str, float] = {}

    def many(weights: Any) -> Callable[[], int]:
        def run() -> int:
            tested = lin_kk_many(f, z, weights=weights)
            found[f"lin_kk_many, {weights} weights"] = float(np.median(tested.rms_residual))
            return len(z)

        return run

    def single() -> int:
        found["validate"] = float(np.median([validate(one).rms_residual for one in spectra]))
        return len(spectra)

    archive = [Spectrum.of(f, one) for one in z[:1000]]

    def verdicts() -> int:
        found["validate_many"] = float(np.median([one.rms_residual for one in validate_many(archive)]))
        return len(archive)

    contenders: dict[str, Callable[[], int]] = {
        "lin_kk_many, shared weights": many("shared"),
        "lin_kk_many, own weights": many("own"),
        "validate_many": verdicts,
        "validate": single,
    }
    peers = {IMPEDANCE: _impedance(f, z[:peer_n], found), PYIMPSPEC: _pyimpspec(f, z[:1], found)}
    contenders |= {name: peer for name, peer in peers.items() if peer is not None}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for name, run in contenders.items():  # nobody pays for imports
        if name != PYIMPSPEC:  # half a minute a spectrum: once is enough
            run()
    for turn in range(rounds):
        for name, run in contenders.items():
            if name == PYIMPSPEC and turn:
                continue
            began = time.process_time()
            count = run()
            times[name].append((time.process_time() - began) / count * 1e3)
    middle = {name: statistics.median(values) for name, values in times.items()}
    return {
        name: {
            "ms": value,
            "ratio": middle[IMPEDANCE] / value if IMPEDANCE in middle else None,
            "ratio_pyimpspec": middle[PYIMPSPEC] / value if PYIMPSPEC in middle else None,
            "rms_residual": found[name],
        }
        for name, value in middle.items()
    }


def _impedance(f: np.ndarray, z: np.ndarray, found: dict[str, float]) -> Callable[[], int] | None:
    try:
        from impedance.models.circuits.elements import circuit_elements
        from impedance.validation import linKK
    except ImportError as error:
        print(f"skipped: impedance.py: {error}", file=sys.stderr)
        return None
    circuit_elements["np"] = np  # release 1.7.1 does not run with NumPy 2 otherwise

    def run() -> int:
        sizes = []
        with contextlib.redirect_stdout(io.StringIO()):  # it prints every tenth M
            for one in z:
                _, _, _, real, imag = linKK(f, one, c=0.85, max_M=50, fit_type="complex")
                sizes.append(np.sqrt((real**2 + imag**2).mean() / 2))
        found[IMPEDANCE] = float(np.median(sizes))
        return len(z)

    return run


def _pyimpspec(f: np.ndarray, z: np.ndarray, found: dict[str, float]) -> Callable[[], int] | None:
    try:
        import pyimpspec
    except ImportError as error:
        print(f"skipped: pyimpspec: {error}", file=sys.stderr)
        return None

    def run() -> int:
        sizes = []
        for one in z:
            tested = pyimpspec.perform_kramers_kronig_test(pyimpspec.DataSet(f, one), num_procs=1)
            real, imag = tested.get_residuals_data()[1:3]  # in percent
            sizes.append(np.sqrt((np.square(real) + np.square(imag)).mean() / 2) / 100)
        found[PYIMPSPEC] = float(np.median(sizes))
        return len(z)

    return run


def _print_counts(title: str, counts: dict[str, dict[str, int]]) -> None:
    print(f"\n{title}\n")
    print("| cause | n | caught | invalid | cause named first | cause named |")
    print("|---|--:|--:|--:|--:|--:|")
    for row, c in sorted(counts.items(), key=lambda item: (item[0] == "all", item[0])):
        shares = " | ".join(f"{c[key] / c['n']:.1%}" for key in ("caught", "invalid", "named first", "named"))
        print(f"| {row} | {c['n']} | {shares} |")


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Rates and speed of validation.")
    parser.add_argument("--sound", type=int, default=1000, help="sound spectra")
    parser.add_argument("--faulty", type=int, default=1200, help="faulty spectra")
    parser.add_argument("--hidden", type=int, default=300, help="faulty spectra measured only once")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other spectra")
    parser.add_argument("--no-speed", action="store_true", help="rates alone")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the race")
    parser.add_argument("--json", type=Path, help="write everything here, too")
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {"seed": options.seed}
    if options.sound:
        results["sound"] = rates_of_sound(options.sound, options.seed)
        one = results["sound"]
        shares = ", ".join(f"{word} {one.get(word, 0) / one['n']:.2%}" for word in ("valid", "suspect", "invalid"))
        print(f"{one['n']} sound spectra: {shares}")
        print("\n".join(f"  {line}" for line in one["wrong"]))
    if options.faulty:
        results["faulty"] = rates_of_faulty(options.faulty, options.seed + 1)
        _print_counts(f"{options.faulty} faulty spectra", results["faulty"])
    if options.hidden:
        results["hidden"] = rates_of_hidden(options.hidden, options.seed + 2)
        _print_counts(f"{options.hidden} faulty spectra measured only once", results["hidden"])
    if not options.no_speed:
        results["speed"] = speeds(4000, 25, options.rounds)
        print("\n| Lin-KK, ZARC2 | CPU ms a spectrum | times impedance.py | times pyimpspec | median rms |")
        print("|---|--:|--:|--:|--:|")
        for name, one in results["speed"].items():
            ratios = " | ".join(f"{one[key]:,.2g}" if one[key] else "" for key in ("ratio", "ratio_pyimpspec"))
            print(f"| {name} | {one['ms']:.4g} | {ratios} | {one['rms_residual']:.2%} |")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
