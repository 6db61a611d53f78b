"""A station for days, compressed: ``python tests/soak/station.py [CELLS] [SEED]``.

Every cell is an emulated one of its own, above or below the limit, at an instrument that suffers random faults;
the store and the works' system fail now and then too. At the end: no wrong PASS, every run in the store, no cell
left on unless that was said, and memory, threads and open files no more than after the first tenth.
"""

from __future__ import annotations

import dataclasses
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from eis import store as store_module
from eis.errors import CellStateUnknownError, StoreError
from eis.outbox import NotDeliveredError
from eis.station import Bench, Run, State, open_bench, run_cell
from eis.station_config import Station, load_station
from eis.store import Store
from instruments import palmsens
from instruments.emulated.cells import CELLS, EmulatedCell
from instruments.emulated.clock import FastClock
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.methodscript import EmulatedPotentiostat

LIMIT_OHM_CM2 = 10.0
STATION = """
schema = "eis.station/1"
station = "soak"
resource = "replaced for every cell"
circuit = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
guardian = false
[cell]
area_cm2 = 1.131
interfaces_in_path = 2
kind = "symmetric"
thickness_cm = 0.05
[sweep]
amplitude_v = 0.01
stop_hz = 1.0
points_per_decade = 8
[check]
spec = "limit.toml"
element = "R2"
[outputs]
html = false
"""
SPEC = f"""
name = "soak"
title = "A limit in the middle of the cells"
[limit]
text = "{LIMIT_OHM_CM2:g} Ω·cm²"
value = {LIMIT_OHM_CM2}
readings = ["asr"]
[source]
title = "a test"
evidence = "made up"
"""
LINES = ("truncate", "garbage", "repeat", "lose", "drop", "hang")
POINTS = ("overload", "underload", "overload_warning", "timing", "nan", "runtime_error")


@dataclasses.dataclass(frozen=True)
class Soak:
    """What came of it."""

    states: Counter[str]
    wrong_passes: int
    missing: int
    cells_on: int
    growth: dict[str, tuple[int, int]]
    seconds: float

    def faults(self) -> list[str]:
        """Return what must not be."""
        said = [f"{self.wrong_passes} wrong PASS"] if self.wrong_passes else []
        said += [f"{self.missing} runs are not in the store"] if self.missing else []
        said += [f"{self.cells_on} emulated cells were left on"] if self.cells_on else []
        for what, (before, after) in self.growth.items():
            allowed = before * 1.05 + (20_000_000 if what == "memory" else 2)
            said += [f"{what} grew from {before} to {after}"] if after > allowed else []
        return said


def soak(folder: Path, n: int, seed: int) -> Soak:
    """Run `n` cells with random faults."""
    (folder / "station.toml").write_text(STATION, "utf-8")
    (folder / "limit.toml").write_text(SPEC, "utf-8")
    station = load_station(folder / "station.toml")
    seeded = random.Random(seed)
    states: Counter[str] = Counter()
    wrong = on = 0
    runs: list[Run] = []
    before = _resources()
    began = time.monotonic()
    with open_bench(station, report=_moody(seeded)) as bench:
        for number in range(n):
            asr = LIMIT_OHM_CM2 * seeded.choice((0.3, 0.7, 1.4, 3.0, 30.0))
            cell = _cell(asr, station)
            rng = np.random.default_rng(seeded.randrange(2**31))
            device = EmulatedPotentiostat(cell, clock=FastClock(), faults=_faults(seeded), rng=rng)
            with _served(device, bench) as own, _trouble(seeded):
                done = run_cell(own, f"cell-{number}")
            on += device.cell_is_on and done.error_code != CellStateUnknownError.code
            states[str(done.state)] += 1
            wrong += done.state is State.PASS and asr > LIMIT_OHM_CM2
            wrong += done.exit_code == 0 and done.state is not State.PASS
            runs.append(dataclasses.replace(done, attempts=()))
            if number == n // 10:
                before = _resources()
    with open_bench(station):  # what could not be stored is stored now
        pass
    with Store.open(folder / "station.db", station="soak") as store:
        whole = store.verify()
        kept = {record.run: record.content["state"] for record in store.records(kind="ended")}
    missing = sum(kept.get(run.name) != str(run.state) for run in runs) + len(whole.faults)
    growth = {name: (before[name], value) for name, value in _resources().items()}
    return Soak(states, wrong, missing, on, growth, time.monotonic() - began)


def _cell(asr_ohm_cm2: float, station: Station) -> EmulatedCell:
    cell = CELLS["symmetric-cell"]
    names = cell.parsed.names
    values = list(cell.values)
    r2 = asr_ohm_cm2 * 2 / station.cell.area_cm2
    q, alpha = values[names.index("CPE2_0")], values[names.index("CPE2_1")]
    values[names.index("CPE2_0")] = q * values[names.index("R2")] / r2  # the arc stays where it is
    assert 0 < alpha <= 1
    values[names.index("R2")] = r2
    return dataclasses.replace(cell, values=tuple(values))


def _faults(seeded: random.Random) -> Faults:
    if seeded.random() < 0.5:
        return Faults()
    points: dict[int, Any] = {seeded.randrange(50): seeded.choice(POINTS) for _ in range(seeded.randrange(3))}
    lines: dict[int, Any] = {seeded.randrange(80): seeded.choice(LINES) for _ in range(seeded.randrange(3))}
    return Faults(points=points, lines=lines)


@contextmanager
def _served(device: EmulatedPotentiostat, bench: Bench) -> Iterator[Bench]:
    with library().serve(device, f"soak-{id(device)}") as served:
        config = bench.station.config.model_copy(update={"resource": served.resource, "driver": "palmsens"})
        own = dataclasses.replace(bench.station, config=config)
        yield dataclasses.replace(bench, station=own, options={"backend": served.backend, "patience_s": 0.3})


@contextmanager
def _trouble(seeded: random.Random) -> Iterator[None]:
    """Let one commit in some fifty fail, as on a full disk."""
    append = store_module.Store._append

    def failing(self: Store, *words: Any) -> Any:
        if seeded.random() < 0.02:
            raise StoreError("The store cannot be written: disk full", where="soak", mend="Free some space.")
        return append(self, *words)

    store_module.Store._append = failing  # type: ignore[method-assign]
    try:
        yield
    finally:
        store_module.Store._append = append  # type: ignore[method-assign]


def _moody(seeded: random.Random) -> Any:
    def send(message: Any) -> None:
        if seeded.random() < 0.1:
            raise NotDeliveredError("the works' system is away")

    return send


def _resources() -> dict[str, int]:
    """Return threads, open files and memory (bytes) of this process; the last two where the system tells."""
    found = {"threads": threading.active_count()}
    if Path("/proc/self/fd").is_dir():
        found["files"] = len(list(Path("/proc/self/fd").iterdir()))
        found["memory"] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return found


def hasten() -> None:
    """Have the driver wait no longer than an emulated instrument needs."""
    for name, value in (("ANSWER_S", 0.1), ("QUIET_S", 0.02), ("MUTE_S", 0.06), ("BACK_OFF_S", 0.0)):
        setattr(palmsens, name, value)


def main() -> int:
    """Run it and say what came of it."""
    n, seed = (int(word) for word in [*sys.argv[1:], *("1000", "1")[len(sys.argv) - 1 :]])
    hasten()
    with tempfile.TemporaryDirectory(prefix="eis-soak-") as folder:
        found = soak(Path(folder), n, seed)
    print(
        f"{n} cells in {found.seconds:.0f} s: {dict(found.states)}; growth after the first tenth: {found.growth}"
    )
    for said in found.faults():
        print(f"  NOT KEPT: {said}")
    return bool(found.faults())


if __name__ == "__main__":
    sys.exit(main())
