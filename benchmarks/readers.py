"""Reading files side by side: ours, impedance.py, galvani, pyimpspec and yadg, in one process.

    python benchmarks/readers.py --folder ~/measurements --json readers.json

Ours tells the format by the content, hashes and checks; the peers are told the format and do neither. CPU time of
one thread, all contenders in turn in every round, so that a busy moment of the machine hits all of them; the
archive is timed at the end. `benchmarks/README.md` says what the columns mean.
"""

# ruff: noqa: E402 - the project's own modules are found from anywhere

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from eis import archive
from eis.errors import ReadError
from eis.readers import READERS, read_all
from eis.readers.source import load

OURS = "ours"
FLOOR = "bytes and hash"
"""What any reader that hashes has to do: open, read, close, SHA-256."""
PACKAGES = ("interfacial-eis", "numpy", "impedance", "galvani", "pyimpspec", "yadg")
AIMS = {"pyimpspec": 3.0, "yadg": 30.0}
"""How many times as fast as these ours is meant to be."""
MOST_OF_FASTEST = 1.5
"""How many times as long as the fastest peer ours is meant to take at most."""
SLICE_S = 10e-3
"""CPU time a contender gets in every round, but for at least one call."""

OWN = {
    "ec_lab": "peis.mpt",
    "ec_lab_binary": "version_3_short.mpr",
    "gamry": "eispot.dta",
    "zplot": "zplot2_tabs.z",
    "autolab": "z60w.txt",
    "ch_instruments": "chi660.txt",
    "parstat": "parstat.txt",
    "powersuite": "powersuite.txt",
    "versa_studio": "one_segment.par",
    "table": "table_without_headings.csv",
}
"""The file made in `tests/vendors` that stands for each format peers read, too."""

IMPEDANCE = {
    "ec_lab": "readBioLogic",
    "gamry": "readGamry",
    "zplot": "readZPlot",
    "autolab": "readAutolab",
    "ch_instruments": "readCHInstruments",
    "parstat": "readParstat",
    "powersuite": "readPowerSuite",
    "versa_studio": "readVersaStudio",
    "table": "readCSV",
}
PYIMPSPEC = {"ec_lab": "parse_mpt", "gamry": "parse_dta", "zplot": "parse_z", "table": "parse_csv"}
YADG = {"ec_lab": "eclab.mpt", "ec_lab_binary": "eclab.mpr"}

Call = Callable[[], object]
Arrays = tuple[Any, Any]


@dataclass
class Contender:
    """One way to read one file; fills up as the rounds go."""

    label: str
    call: Call
    calls: int = 1
    spent_s: list[float] = field(default_factory=list)

    @property
    def milliseconds(self) -> float:
        return 1e3 * statistics.median(self.spent_s)

    def advance(self) -> None:
        before = time.process_time()
        for _ in range(self.calls):
            self.call()
        self.spent_s.append((time.process_time() - before) / self.calls)


@dataclass
class Race:
    """Everyone who can read one file."""

    kind: str
    name: str
    points: int
    contenders: list[Contender]
    left_out: dict[str, str]

    def summary(self) -> dict[str, Any]:
        spent = {one.label: one.milliseconds for one in self.contenders}
        peers = {label: ms for label, ms in spent.items() if label not in (OURS, FLOOR)}
        fastest = min(peers, key=lambda label: peers[label]) if peers else None
        return {
            "format": self.kind,
            "file": self.name,
            "points": self.points,
            "ms": spent,
            "fastest": fastest,
            "of_fastest": spent[OURS] / peers[fastest] if fastest else None,
            "times": {label: ms / spent[OURS] for label, ms in peers.items()},
            "left_out": self.left_out,
        }


def race(kind: str, path: Path, peers: list[str]) -> Race:
    """Return ours and the peers that read the file; one that fails, or finds other numbers, is left out."""
    spectra = read_all(path)
    order = np.argsort(-spectra[0].all_frequency_hz)
    ours = spectra[0].all_frequency_hz[order], spectra[0].all_z_ohm[order]
    found = [Contender(OURS, lambda: read_all(path)), Contender(FLOOR, lambda: _bytes_and_hash(str(path)))]
    left_out = {}
    for peer in peers:
        offered = PEERS[peer](kind, str(path))
        if offered is None:
            continue
        call, arrays = offered
        try:
            fault = _differs(arrays(call()), ours)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises, its user has no spectrum
            fault = f"{type(error).__name__}: {str(error)[:60]}"
        if fault:
            left_out[peer] = fault
        else:
            found.append(Contender(peer, call))
    for one in found:
        once = min(_time_of(one.call) for _ in range(3))
        one.calls = max(1, round(SLICE_S / max(once, 1e-7)))
    return Race(kind, path.name, sum(len(one) for one in spectra), found, left_out)


def _bytes_and_hash(name: str) -> str:
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - the cheapest way there is
        return hashlib.sha256(file.read()).hexdigest()


def _time_of(call: Call) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


def _differs(theirs: Arrays, ours: Arrays) -> str:
    """Say how a peer's first spectrum differs from ours; points at 0 Hz, which ours drops, are left aside."""
    f, z = np.asarray(theirs[0], dtype=float), np.asarray(theirs[1], dtype=complex)
    f, z = f[f > 0], z[f > 0]
    order = np.argsort(-f, kind="stable")
    if f.size != ours[0].size:
        return f"{f.size} points instead of {ours[0].size}"
    same = np.allclose(f[order], ours[0], rtol=1e-5) and np.allclose(z[order], ours[1], rtol=1e-5)
    return "" if same else "other numbers"


def _impedance(kind: str, name: str) -> tuple[Call, Callable[[Any], Arrays]] | None:
    if kind not in IMPEDANCE:
        return None
    from impedance import preprocessing

    function = getattr(preprocessing, IMPEDANCE[kind])
    return (lambda: function(name)), lambda found: found


def _galvani(kind: str, name: str) -> tuple[Call, Callable[[Any], Arrays]] | None:
    if kind not in ("ec_lab", "ec_lab_binary"):
        return None
    from galvani import BioLogic

    def arrays(table: Any) -> Arrays:
        return table["freq/Hz"], table["Re(Z)/Ohm"] - 1j * table["-Im(Z)/Ohm"]

    if kind == "ec_lab":
        return (lambda: BioLogic.MPTfile(name)), lambda found: arrays(found[0])
    return (lambda: BioLogic.MPRfile(name)), lambda found: arrays(found.data)


def _pyimpspec(kind: str, name: str) -> tuple[Call, Callable[[Any], Arrays]] | None:
    if kind not in PYIMPSPEC:
        return None
    from pyimpspec.data import formats

    function = getattr(formats, PYIMPSPEC[kind])
    # a parser returns a data set, or a list of them
    return (lambda: function(name)), lambda found: _of_data_set(found[0] if isinstance(found, list) else found)


def _of_data_set(found: Any) -> Arrays:
    return found.get_frequencies(), found.get_impedances()


def _yadg(kind: str, name: str) -> tuple[Call, Callable[[Any], Arrays]] | None:
    if kind not in YADG:
        return None
    from yadg.extractors import extract

    def arrays(tree: Any) -> Arrays:
        return tree["freq"].to_numpy(), tree["Re(Z)"].to_numpy() - 1j * tree["-Im(Z)"].to_numpy()

    options = {"timezone": "UTC", "encoding": "windows-1252"}
    return (lambda: extract(filetype=YADG[kind], path=name, **options)), arrays


PEERS = {"impedance": _impedance, "galvani": _galvani, "pyimpspec": _pyimpspec, "yadg": _yadg}
"""What `--peers` names: from format and file to a call, and the arrays it returns; None for other formats."""


def own_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write and yield the project's own files, one of `archive.write` the last: format and path."""
    from tests.vendors import files

    made = files()
    for kind, name in OWN.items():
        path = folder / name
        path.write_bytes(made[name][1].content)
        yield kind, path
    ours = folder / "ours.csv"
    archive.write(read_all(folder / OWN["ec_lab"])[0], ours)
    yield "own", ours


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder that ours reads and whose format a peer may read."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        try:
            source = load(path)
            reader = next(one for one in READERS if one.recognises(source))
            read_all(path)
        except (ReadError, StopIteration):
            continue
        kind = reader.__name__.rsplit(".", 1)[-1]  # type: ignore[attr-defined]
        if kind in (*OWN, "own"):
            yield kind, path


def measure(races: list[Race], rounds: int) -> list[dict[str, Any]]:
    """Let everyone read a while in every round, in turning order, and sum up."""
    everyone = [one for entry in races for one in entry.contenders]
    gc.collect()
    gc.freeze()  # what the peers' imports left is not looked through again and again
    for round_ in range(rounds):
        _say(f"round {round_ + 1} of {rounds}")
        turn = round_ % len(everyone)
        for one in everyone[turn:] + everyone[:turn]:
            one.advance()
    return [entry.summary() for entry in races]


def collection(n: int, folder: Path) -> dict[str, float]:
    """Write, open and stream a collection of `n` spectra; wall and CPU seconds, spectra a second."""
    from eis.collection import open_collection
    from eis.collection_writer import Writer
    from eis.spectrum import Spectrum

    path = folder / "collection.nc"
    frequency = np.geomspace(1e6, 0.1, 60)
    z = 22 + 15 / (1 + 1j * frequency / 150e3)
    before = time.perf_counter()
    with Writer(path) as writer:
        for place in range(n):
            writer.add(
                Spectrum.of(frequency, z * (1 + 1e-6 * place), metadata={"cell": f"A{place % 7}", "cycle": place})
            )
    written = time.perf_counter() - before
    opening, streaming, cpu = [], [], []
    for _ in range(5):
        before, before_cpu = time.perf_counter(), time.process_time()
        with open_collection(path) as found:
            opening.append(time.perf_counter() - before)
            before, before_cpu = time.perf_counter(), time.process_time()
            counted = sum(batch.z_ohm.shape[0] for batch in found.batches())
            streaming.append(time.perf_counter() - before)
            cpu.append(time.process_time() - before_cpu)
        if counted != n:
            raise SystemExit(f"The collection holds {counted} spectra instead of {n}.")
    return {
        "spectra": n,
        "megabytes": path.stat().st_size / 1e6,
        "write_s": written,
        "open_s": statistics.median(opening),
        "spectra_per_s": n / statistics.median(streaming),
        "spectra_per_cpu_s": n / statistics.median(cpu),
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table that can also be read as it stands; milliseconds per file."""
    labels = [OURS, *(label for label in PEERS if any(label in one["ms"] for one in results)), FLOOR]
    head = ("format", "file", "points", *labels, "of fastest", *(f"×{peer}" for peer in AIMS))
    rows = [head]
    for one in results:
        spent = (f"{one['ms'][label]:.3f}" if label in one["ms"] else "" for label in labels)
        ratio = "" if one["of_fastest"] is None else f"{one['of_fastest']:.2f}"
        times = (f"{one['times'][peer]:.1f}" if peer in one["times"] else "" for peer in AIMS)
        rows.append((one["format"], one["file"], str(one["points"]), *spent, ratio, *times))
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]
    left = 2  # columns of words; the others are numbers and stand right

    def line(row: tuple[str, ...]) -> str:
        cells = (c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, width, strict=True)))
        return f"| {' | '.join(cells)} |"

    rule = (("-" * (w + 2)) if i < left else ("-" * (w + 1) + ":") for i, w in enumerate(width))
    return "\n".join([line(rows[0]), f"|{'|'.join(rule)}|", *(line(row) for row in rows[1:])])


def verdicts(results: list[dict[str, Any]]) -> list[str]:
    """Say of each aim where it is met."""
    said = []
    shared = [one for one in results if one["of_fastest"] is not None]
    slower = [f"{one['file']} ({one['of_fastest']:.1f})" for one in shared if one["of_fastest"] > MOST_OF_FASTEST]
    said.append(
        f"at most {MOST_OF_FASTEST:g} times the fastest peer: {len(shared) - len(slower)} of {len(shared)} files"
        + (f"; not {', '.join(slower)}" if slower else "")
    )
    for peer, aim in AIMS.items():
        times = {one["file"]: one["times"][peer] for one in results if peer in one["times"]}
        short = [f"{name} ({value:.1f})" for name, value in times.items() if value < aim]
        said.append(
            f"at least {aim:g} times as fast as {peer}: {len(times) - len(short)} of {len(times)} files"
            + (f"; not {', '.join(short)}" if short else "")
        )
    return said


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        if importlib.util.find_spec(name.removeprefix("interfacial-")) is not None:
            found[name] = importlib.metadata.version(name)
    return found


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reading files side by side, in one run.")
    parser.add_argument("--folder", type=Path, help="files of your own to read as well")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated, or none (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=30, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--spectra", type=int, default=10_000, help="size of the collection; 0 leaves it out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results for machines")
    options = parser.parse_args(arguments)
    options.peers = [] if options.peers in ("", "none") else options.peers.split(",")
    for name in options.peers:
        if name not in PEERS:
            parser.error(f"no peer {name!r}; choose from {', '.join(PEERS)}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    warnings.simplefilter("ignore")  # the peers' own
    peers = [peer for peer in options.peers if importlib.util.find_spec(peer) is not None]
    for peer in options.peers:
        if peer not in peers:
            _say(f"skipped: {peer} is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = [*own_files(folder), *(files_in(options.folder) if options.folder else ())]
        races = []
        for kind, path in chosen:
            try:
                races.append(race(kind, path, peers))
            except ReadError as error:
                _say(f"skipped: {error}")
        results = measure(races, options.rounds)
        stored = collection(options.spectra, folder) if options.spectra else None
    print(table(results))
    for one in results:
        for peer, fault in one["left_out"].items():
            print(f"left out: {peer} on {one['file']}: {fault}")
    for sentence in verdicts(results):
        print(sentence)
    if stored:
        print(
            f"collection of {stored['spectra']} spectra ({stored['megabytes']:.1f} MB): opened and checked in "
            f"{stored['open_s']:.3f} s (aim: 1), streamed at {stored['spectra_per_s']:,.0f} spectra/s "
            f"(aim: 50,000), written in {stored['write_s']:.2f} s"
        )
    if options.json:
        document = {
            "schema": "benchmarks.readers/1",
            "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
            "versions": _versions(),
            "results": results,
            "archive": stored,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
