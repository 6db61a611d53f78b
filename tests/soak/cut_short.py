"""A station cut short at random moments: ``python tests/soak/cut_short.py [ROUNDS] [SEED]`` (not on Windows).

``eis run --watch`` is started again and again on one store and ended by SIGINT, SIGTERM, SIGHUP or SIGKILL at a
random moment. After a signal every run has its end at once; after a kill the next start writes it. The chain is
intact throughout, no run has two ends, and every row of results.csv is whole.
"""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from eis.station import open_bench
from eis.station_config import Station, load_station
from eis.store import Store
from tests.test_station import LENIENT
from tests.test_station_config import STATION

IDS = "\n".join(f"c{number}" for number in range(200))
CHECK = '[check]\nspec = "lenient.toml"\n'
LONGEST_S = 6.0
"""From the start of a process to its end, at most: starting takes one or two seconds, a cell a twentieth."""


def main() -> int:
    """Run it and say what came of it."""
    rounds, seed = (int(word) for word in [*sys.argv[1:], *("50", "1")[len(sys.argv) - 1 :]])
    seeded = random.Random(seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else a shell's background has it ignored
    counts: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="eis-cut-") as name:
        folder = Path(name)
        (folder / "lenient.toml").write_text(LENIENT, "utf-8")
        (folder / "station.toml").write_text(STATION + CHECK, "utf-8")
        station = load_station(folder / "station.toml")
        for turn in range(rounds):
            sent = seeded.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGKILL))
            code = one(folder, sent, after_s=seeded.uniform(0.5, LONGEST_S))
            counts[f"{sent.name} {code}"] += 1
            killed = sent is signal.SIGKILL
            if code not in (-sent, 128 + sent):
                faults.append(f"round {turn}: {sent.name} ended it with {code}")
            faults += [f"round {turn}, {sent.name}: {said}" for said in without_end(station) if not killed]
            if killed:
                with open_bench(station):
                    pass
                faults += [f"round {turn}, {sent.name}: {said}" for said in without_end(station)]
        states, said = looked_at(station)
        faults += said
    print(f"{rounds} rounds: {dict(counts)}; runs: {dict(states)}")
    for fault in faults:
        print(f"  NOT KEPT: {fault}")
    return bool(faults)


def one(folder: Path, sent: signal.Signals, *, after_s: float) -> int:
    """Start a station, end it, and return how it ended."""
    words = [sys.executable, "-m", "eis", "run", "station.toml", "--watch"]
    with (folder / "said.txt").open("ab") as said:
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=said, stderr=said)
        assert process.stdin is not None
        process.stdin.write(IDS.encode())
        process.stdin.flush()
        time.sleep(after_s)
        process.send_signal(sent)
        try:
            return process.wait(timeout=30)
        finally:
            process.kill()
            process.stdin.close()


def without_end(station: Station) -> list[str]:
    """Return what is wrong with the store as it stands: a broken chain, runs without an end."""
    place = station.path("station.db")
    if not place.exists():
        return []
    with Store.open(place, station=station.config.station) as store:
        ends = store.unfinished(begins="begun", ends="ended")
        return [*(f"{run} has no end" for run in ends), *store.verify().faults]


def looked_at(station: Station) -> tuple[Counter[str], list[str]]:
    """Return how runs ended, and what does not agree with the table."""
    with Store.open(station.path("station.db"), station=station.config.station) as store:
        ends = {record.run: record.content["state"] for record in store.records(kind="ended")}
        begun = {record.run for record in store.records(kind="begun")}
    faults = [] if begun == set(ends) else [f"{len(begun)} begun, {len(ends)} ended"]
    with (station.path("results") / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    widths = {len(row) for row in rows}
    faults += [] if len(widths) == 1 else [f"rows of results.csv have {sorted(widths)} cells"]
    column = rows[0].index("state")
    for row in rows[1:]:
        run, state = row[rows[0].index("run")], row[column]
        if ends.get(run) not in (state, "CRASHED"):
            faults.append(f"{run} is {state} in the table and {ends.get(run)} in the store")
    return Counter(ends.values()), faults


if __name__ == "__main__":
    sys.exit(main())
