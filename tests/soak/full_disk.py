"""A full disk at every place: ``python tests/soak/full_disk.py [RUNS]`` (Linux, as root).

A station on a tmpfs of 1 MB, which is filled so far that nothing to some hundred kilobytes are free, and a cell
is run. Whatever failed: no exit code but 4 until all of it fits, no PASS that is not stored, and every record and
point written before can be read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from eis.station import open_bench, run_cell
from eis.station_config import Station, load_station
from eis.store import Store
from instruments.record import read_journal
from tests.test_station import LENIENT
from tests.test_station_config import STATION


def main() -> int:
    """Run it and say what came of it."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    codes: Counter[int] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="eis-full-") as name:
        folder = Path(name)
        for number in range(runs):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", name], check=True)
            try:
                code, said = one(folder, free=number * 8192)
            finally:
                subprocess.run(["umount", "-l", name], check=True)
            codes[code] += 1
            faults += [f"{number * 8} kB free: {fault}" for fault in said]
    print(json.dumps({"runs": runs, "exit_codes": dict(codes)}))
    for fault in faults:
        print(f"  NOT KEPT: {fault}")
    return bool(faults)


def one(folder: Path, *, free: int) -> tuple[int, list[str]]:
    """Run a cell, fill the disk but for `free` bytes, run another; return its exit code and what must not be."""
    (folder / "lenient.toml").write_text(LENIENT, "utf-8")
    (folder / "station.toml").write_text(STATION, "utf-8")
    station = load_station(folder / "station.toml", flags=['check.spec="lenient.toml"'])
    with open_bench(station) as bench:
        before = run_cell(bench, "before")
        with (folder / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                filler.truncate(max(filler.tell() - free, 0))
        done = run_cell(bench, "after")
        (folder / "filler").unlink()
    faults = [] if before.exit_code == 0 else ["the disk was full before"]
    for journal in folder.rglob("*.journal.jsonl"):
        if journal.stat().st_size and b"\n" in journal.read_bytes():
            read_journal(journal)
    with open_bench(station):
        pass  # what could not be stored is stored now
    kept = ends(station)
    if kept.get("before") != "PASS":
        faults.append("the run before is lost")
    if done.exit_code == 0 and kept.get("after") != "PASS":
        faults.append("exit code 0 without a stored PASS")
    if done.exit_code not in (0, 4):
        faults.append(f"exit code {done.exit_code}: {done.because}")
    return done.exit_code, faults


def ends(station: Station) -> dict[str, str]:
    """Return how each cell ended, having checked the chain."""
    with Store.open(station.path("station.db"), station="bench-3") as store:
        assert store.verify().is_intact
        return {record.content["cell"]: record.content["state"] for record in store.records(kind="ended")}


if __name__ == "__main__":
    sys.exit(main())
