"""Distributions of relaxation times side by side: ours, pyDRTtools, hybrid-drt and pyimpspec, in one run.

    python benchmarks/drt.py --n 200 --peer-n 12

CPU time of one thread, in interleaved rounds, on the workload ZARC2: two arcs, 71 points, 0.3 % noise. Reported:
ms a spectrum; error of the polarisation resistance (median, largest); and the shape error of γ, the root of
∫(γ − γ_true)² over ∫γ_true² within the sweep (median). A peer that is not installed is left out and named.
"""
# ruff: noqa: E402 - the number of threads is set before NumPy is imported

from __future__ import annotations

import os

for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import argparse
import contextlib
import importlib.util
import io
import json
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # not this folder, whose modules must hide no library

from benchmarks.workloads import Workload, workload

Answer = tuple[np.ndarray, np.ndarray]
"""τ (s), rising, and γ (ohm per unit of ln τ)."""
One = Callable[[np.ndarray, np.ndarray], Answer]


def ours(method: str, draws: int = 0) -> One:
    from eis.spectrum import Spectrum
    from fitting.relaxation import drt

    def one(f: np.ndarray, z: np.ndarray) -> Answer:
        found = drt(Spectrum.of(f, z), method=method, draws=draws)
        return found.tau_s, found.gamma_ohm

    return one


def pydrttools() -> One:
    """The package's front door imports a window system; its module of calculations is enough."""
    spec = importlib.util.find_spec("pyDRTtools")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("pyDRTtools")
    package = types.ModuleType("pyDRTtools")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["pyDRTtools"] = package
    from pyDRTtools.runs import EIS_object, simple_run

    def one(f: np.ndarray, z: np.ndarray) -> Answer:
        entry = simple_run(EIS_object(f, z.real, z.imag), cv_type="GCV")
        order = np.argsort(entry.out_tau_vec)
        return np.asarray(entry.out_tau_vec)[order], np.asarray(entry.gamma)[order]

    return one


def hybrid_drt() -> One:
    from hybdrt.models import DRT

    fitter = DRT()

    def one(f: np.ndarray, z: np.ndarray) -> Answer:
        fitter.fit_eis(f, z)
        tau = np.geomspace(1e-8, 1e2, 400)
        return tau, np.asarray(fitter.predict_drt(tau=tau))

    return one


def pyimpspec(kind: str) -> One:
    from pyimpspec import DataSet
    from pyimpspec.analysis.drt import calculate_drt_tr_nnls, calculate_drt_tr_rbf

    def one(f: np.ndarray, z: np.ndarray) -> Answer:
        data = DataSet(f, z)
        if kind == "rbf":
            found = calculate_drt_tr_rbf(data, inductance=True, num_procs=1)
        else:
            found = calculate_drt_tr_nnls(data)
        tau, gamma = (np.asarray(v) for v in found.get_drt_data())
        order = np.argsort(tau)
        return tau[order], gamma[order]

    return one


CONTENDERS: dict[str, Callable[[], One]] = {
    "ours, ridge": lambda: ours("ridge"),
    "ours, hierarchical": lambda: ours("hierarchical"),
    "ours, ridge, 300 draws": lambda: ours("ridge", 300),
    "pyDRTtools GCV": pydrttools,
    "hybrid-drt": hybrid_drt,
    "pyimpspec TR-RBF": lambda: pyimpspec("rbf"),
    "pyimpspec TR-NNLS": lambda: pyimpspec("nnls"),
}
PEERS = ("pyDRTtools GCV", "hybrid-drt", "pyimpspec TR-RBF", "pyimpspec TR-NNLS")


def truth(work: Workload, row: int, tau: np.ndarray) -> np.ndarray:
    out = np.zeros(tau.size)
    values = work.truth[row]
    for r, t, a in (values[1:4], values[4:7]):
        out += r / (2 * np.pi) * np.sin((1 - a) * np.pi) / (np.cosh(a * np.log(tau / t)) - np.cos((1 - a) * np.pi))
    return out


def shape_error(work: Workload, row: int, tau: np.ndarray, gamma: np.ndarray) -> float:
    """Compare on one grid for all, within the sweep."""
    f = work.frequency_hz
    common = np.geomspace(1 / (2 * np.pi * f.max()), 1 / (2 * np.pi * f.min()), 400)
    true = truth(work, row, common)
    found = np.interp(np.log(common), np.log(tau), gamma, left=0.0, right=0.0)
    return float(np.sqrt(((found - true) ** 2).sum() / (true**2).sum()))


def resistance(tau: np.ndarray, gamma: np.ndarray) -> float:
    return float(np.trapezoid(gamma, np.log(tau)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="spectra for ours")
    parser.add_argument("--bulk-n", type=int, default=2000, help="spectra for drt_many")
    parser.add_argument("--peer-n", type=int, default=12, help="spectra for each peer")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    work = workload("ZARC2", max(options.n, options.bulk_n))
    f, z = work.frequency_hz, work.z_ohm
    total = work.truth[:, 1] + work.truth[:, 4]
    racers: dict[str, One] = {}
    for name, make in CONTENDERS.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                racers[name] = make()
                racers[name](f, z[0])
        except ImportError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - a peer that fails is named, not hidden
            print(f"left out: {name}: {type(error).__name__}: {error}", file=sys.stderr)
    results: dict[str, dict[str, Any]] = {n: {"ms": [], "r": [], "shape": [], "failed": 0} for n in racers}
    from fitting.relaxation_bulk import drt_many

    bulk = {"ms": [], "r": [], "shape": [], "failed": 0}
    drt_many(f, z[:10])
    for turn in range(options.rounds):
        begin = time.process_time()
        batch = drt_many(f, z[: options.bulk_n])
        bulk["ms"].append((time.process_time() - begin) / options.bulk_n * 1e3)
        for name, one in racers.items():
            count = options.peer_n if name in PEERS else options.n
            for row in range(turn * count // options.rounds, (turn + 1) * count // options.rounds):
                with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    begin = time.process_time()
                    try:
                        tau, gamma = one(f, z[row])
                    except Exception:  # noqa: BLE001
                        results[name]["failed"] += 1
                        continue
                    finally:
                        results[name]["ms"].append((time.process_time() - begin) * 1e3)
                results[name]["r"].append(abs(resistance(tau, gamma) / total[row] - 1))
                results[name]["shape"].append(shape_error(work, row, tau, gamma))
    bulk["r"] = list(np.abs(batch.r_pol_ohm / total[: options.bulk_n] - 1))
    bulk["shape"] = [shape_error(work, i, batch.tau_s, batch.gamma_ohm[i]) for i in range(options.n)]
    rows = {"ours, drt_many": bulk} | results
    print(f"{'':26}{'n':>6}{'ms':>10}{'R median':>10}{'R max':>9}{'shape':>8}{'failed':>8}")
    table = {}
    for name, got in rows.items():
        ms = float(np.median(got["ms"]))
        table[name] = {
            "n": len(got["r"]), "ms": ms, "r_median": float(np.median(got["r"])), "r_max": float(np.max(got["r"])),
            "shape": float(np.median(got["shape"])), "failed": got["failed"],
        }  # fmt: skip
        t = table[name]
        print(
            f"{name:26}{t['n']:6d}{ms:10.4f}{t['r_median']:10.2%}{t['r_max']:9.2%}{t['shape']:8.1%}{t['failed']:8d}"
        )
    for peer in PEERS:
        if peer in table:
            ratios = ", ".join(
                f"{table[peer]['ms'] / table[n]['ms']:.4g}x {n}" for n in table if n.startswith("ours")
            )
            print(f"{peer} over: {ratios}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
