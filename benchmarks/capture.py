"""What a driver adds to the time an instrument takes, and how fast a stream it keeps up with.

The emulated instrument runs in another process, as a real one would, and takes the time that its points take. Run
``python benchmarks/capture.py``; it needs about half a minute and one free port.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from instruments import Sweep, connect
from instruments.emulated.methodscript import CYCLES_PER_POINT, POINT_OVERHEAD_S

SERVE = """
import sys, threading
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.tcp import TcpServer
with TcpServer(EmulatedPotentiostat(SYMMETRIC, clock=RealClock(float(sys.argv[1])))) as server:
    print(server.resource, flush=True)
    threading.Event().wait()
"""


@contextmanager
def served(speed: float) -> Iterator[str]:
    """Serve an emulated potentiostat in a process of its own; yield its resource name."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(speed)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def own_time_s(sweep: Sweep) -> float:
    """Return the time (s) the emulated instrument itself takes over the points of a sweep."""
    return float(sum(POINT_OVERHEAD_S + CYCLES_PER_POINT / f for f in sweep.frequencies_hz.tolist()))


def timed(resource: str, sweep: Sweep) -> tuple[float, float, int]:
    """Return wall and CPU time (s) of a sweep, and its points."""
    with connect(resource, driver="palmsens") as meter:
        wall, cpu = time.perf_counter(), time.process_time()
        points = sum(1 for _ in meter.sweep(sweep))
        return time.perf_counter() - wall, time.process_time() - cpu, points


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print two lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts (3)")
    rounds = parser.parse_args(arguments).rounds
    slow = Sweep(1e6, 1.0, 10, 0.01)
    with served(1.0) as resource:
        wall, cpu, points = min(timed(resource, slow) for _ in range(max(1, rounds // 2)))
    own = own_time_s(slow)
    print(f"sweep 1 MHz to 1 Hz: {points} points, instrument {own:.2f} s, in all {wall:.2f} s: driver adds")
    print(f"  {wall - own:.3f} s = {(wall - own) / own:.1%}, CPU {cpu / points * 1e3:.2f} ms a point")
    # a hundred thousand times faster, a point takes 10 µs of its own: what comes is what the driver can take
    stream = Sweep(1e6, 1e3, 1000, 0.01)
    with served(1e4) as resource:
        wall, cpu, points = min(timed(resource, stream) for _ in range(rounds))
    print(f"stream: {points} packets in {wall:.2f} s = {points / wall:.0f} packets/s, {cpu / wall:.0%} CPU")


if __name__ == "__main__":
    main()
