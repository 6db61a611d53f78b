"""An emulated instrument in a process of its own, and processes that measure at it and may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from eis.errors import BusyError
from instruments.lease import Lease, lease

ROOT = Path(__file__).parents[1]

MEASURE = """
import json, sys
from pathlib import Path
from instruments import Sweep
from instruments.attended import attended
from instruments.journal import recorded
resource, sweep, journal, guard, options = sys.argv[1:]
sweep = Sweep.parse(sweep, amplitude_v=0.01)
more = {"guard": guard == "guard", "on_notice": lambda text: print(text, file=sys.stderr), **json.loads(options)}
with attended(resource, log=Path(journal + ".log"), **more) as instrument:
    for point in recorded(instrument, sweep, journal):
        print(point.index, flush=True)
        {then}
"""


@dataclass(frozen=True)
class State:
    """Whether the cell is on, when that last changed (s, monotonic), how often it was switched on, connections."""

    is_on: bool
    changed: float
    times_on: int
    links: int


class Bench:
    """The served instrument, and whether its cell is on."""

    def __init__(self, resource: str, status: TextIO) -> None:
        self.resource = resource
        self._status = status

    def state(self) -> State:
        self._status.write("?\n")
        self._status.flush()
        word, changed, times_on, links = self._status.readline().split()
        return State(word == "on", float(changed), int(times_on), int(links))

    def wait(self, *, is_on: bool, timeout_s: float = 30.0) -> State:
        """Wait until the cell is on, or off, and say when that was."""
        deadline = time.monotonic() + timeout_s
        while (state := self.state()).is_on != is_on:
            assert time.monotonic() < deadline, f"the cell stays {'on' if state.is_on else 'off'}"
            time.sleep(0.002)
        return state

    def seconds_to_off(self, since: float) -> float:
        """Wait until the cell is off; return how long after `since` that was; negative if it was off before."""
        return self.wait(is_on=False).changed - since


@contextlib.contextmanager
def bench(*options: str) -> Iterator[Bench]:
    """Serve an instrument for as long as the ``with`` block lasts."""
    command = [sys.executable, str(ROOT / "tests" / "serve_emulator.py"), *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout
        assert server.stdin
        resource, port = server.stdout.readline().split()
        with socket.create_connection(("127.0.0.1", int(port))) as link, link.makefile("rw") as status:
            yield Bench(resource, status)
        server.stdin.close()


@contextlib.contextmanager
def lease_once_free(resource: str, timeout_s: float = 30.0) -> Iterator[Lease]:
    """Hold the lease of an instrument once a guardian, which has just said that it is done, has let go of it."""
    deadline = time.monotonic() + timeout_s
    with contextlib.ExitStack() as stack:
        while True:
            try:
                held = stack.enter_context(lease(resource))
                break
            except BusyError:
                assert time.monotonic() < deadline, "nobody lets go of the instrument"
                time.sleep(0.01)
        yield held


def measuring(
    resource: str, sweep: str, journal: Path, *, guard: bool = True, then: str = "pass", **options: str
) -> subprocess.Popen[str]:
    """Measure in a process of its own, which says each point that is on disk, and then does `then`."""
    code = MEASURE.replace("{then}", then)
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            resource,
            sweep,
            str(journal),
            "guard" if guard else "alone",
            json.dumps(options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
