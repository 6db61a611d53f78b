"""Serve an emulated instrument in a process of its own, and say on a second port whether its cell is on.

    python tests/serve_emulator.py [--model nexus1] [--transport tcp] [--speed 1] [--noise 0]

prints the VISA resource and the number of the second port, and ends when its standard input does. To any line that
port answers ``on`` or ``off``, when that last changed (s, on the monotonic clock, which all processes share), how
often the cell was switched on, and how many connections the instrument has had.
"""

from __future__ import annotations

import argparse
import socketserver
import sys
import threading
import time

from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.clock import RealClock
from instruments.emulated.device import Device
from instruments.emulated.models import MODELS
from instruments.emulated.transports import TRANSPORTS

LOOK_S = 0.002


class Watch:
    """Looks all the time whether a cell is on."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.is_on = False
        self.changed = 0.0
        self.times_on = self.links = 0
        self._looking = threading.Lock()
        opened = device.link_opened

        def link_opened() -> None:
            self.links += 1
            opened()

        device.link_opened = link_opened  # type: ignore[method-assign]
        threading.Thread(target=self._look_on, daemon=True).start()

    def look(self) -> str:
        """Look now, and say what was seen."""
        with self._looking:
            if self.device.cell_is_on != self.is_on:
                self.is_on, self.changed = not self.is_on, time.monotonic()
                self.times_on += self.is_on
            return f"{'on' if self.is_on else 'off'} {self.changed} {self.times_on} {self.links}"

    def _look_on(self) -> None:
        while True:
            self.look()
            time.sleep(LOOK_S)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, default="nexus1")
    parser.add_argument("--transport", choices=TRANSPORTS, default="tcp")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--noise", type=float, default=0.0)
    asked = parser.parse_args()
    device = MODELS[asked.model].make(SYMMETRIC, clock=RealClock(asked.speed), noise=asked.noise)
    watch = Watch(device)

    class Status(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _ in self.rfile:
                self.wfile.write(f"{watch.look()}\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with TRANSPORTS[asked.transport](device) as served, Server(("127.0.0.1", 0), Status) as status:
        threading.Thread(target=status.serve_forever, daemon=True).start()
        sys.stdout.write(f"{served.resource} {status.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        status.shutdown()


if __name__ == "__main__":
    main()
