"""A process that stands by and switches the cell off if the one that measures dies.

``kill -9``, a crash of the interpreter and a full memory run no ``finally``. So a second process, in a session of
its own, holds a pipe to the first: should that end before the guardian was disarmed, the guardian connects to the
instrument afresh, switches the cell off, has that confirmed, and writes down what it did.

What it cannot help: the computer losing power, or the cable being pulled.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from eis.errors import BusyError, CellStateUnknownError, InstrumentError, StoreError
from instruments.connect import connect
from instruments.lease import Lease, holder_of, take
from instruments.potentiostat import Potentiostat, utc_now

READY_S = 60.0
"""How long a guardian may take to start (s); it takes less than one."""
PERSISTS_S = 60.0
"""How long a guardian goes on trying to reach the instrument (s)."""
PAUSE_S = 0.2
BREATH_S = 0.15
"""How long to keep quiet before switching off (s): some instruments ignore what follows a query they refused."""
LOOK_S = 0.25
"""How often a guardian looks whether its parent is still there (s), besides waiting for the pipe to end."""
FAREWELL_S = 5.0
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end a measurement properly; SIGBREAK is also what closing a console window raises on Windows."""


class Guardian:
    """The process that stands by, seen from the one it guards.

    It acts when this process dies, and when the ``with`` block is left after `arm` and without `disarm`.

    Parameters
    ----------
    resource : str
        As in `instruments.connect`.
    options : mapping
        As in `instruments.connect`; plain JSON values.
    log : Path
        Where it writes what it did, if it had to act.
    lease : Lease, optional
        The lease of the instrument; the guardian shares it, so that nobody else comes in between.

    Raises
    ------
    InstrumentError
        If it cannot be started.
    """

    def __init__(self, resource: str, options: dict[str, Any], log: Path, lease: Lease | None = None) -> None:
        self.resource = resource
        self.log = log
        order = {"resource": resource, "options": options, "log": str(log.absolute()), "parent": os.getpid()}
        shared: dict[str, Any] = {}
        if lease is not None and os.name == "posix":
            order["lease"] = lease.descriptor
            shared = {"pass_fds": (lease.descriptor,)}
        if sys.platform == "win32":  # a console of its own: closing ours does not end it
            shared["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        try:
            self._process = subprocess.Popen(  # this interpreter, and no text from elsewhere # nosec B603
                [sys.executable, "-P", "-m", "instruments.guardian"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,
                **shared,
            )
        except OSError as error:
            raise self._failed(f"could not be started: {error.strerror}") from error
        self._answers: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, name="guardian", daemon=True).start()
        try:
            self._tell(order)
        except InstrumentError:
            self._part()
            raise

    def arm(self, instrument: Potentiostat) -> None:
        """Have it stand by for `instrument`; when this returns, it does.

        Raises
        ------
        InstrumentError
            If it does not; nothing has been energised.
        """
        self._tell({"driver": instrument.name, "serial": instrument.identify().serial})
        try:
            answer = self._answers.get(timeout=READY_S)
        except queue.Empty:
            answer = b""
        if answer.strip() != b"armed":
            raise self._failed("does not stand by")

    def disarm(self) -> None:
        """Send it away, the cell being off."""
        with contextlib.suppress(InstrumentError):
            self._tell({"disarm": True})
        self._part()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, CellStateUnknownError):
            error.add_note(f"A guardian goes on trying; what it does is written to {self.log}.")
        self._part(wait=not isinstance(error, CellStateUnknownError))

    def _part(self, *, wait: bool = True) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if wait:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(FAREWELL_S)

    def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is not None:
            with stdout:
                for line in stdout:
                    self._answers.put(line)
        self._answers.put(b"")
        self._process.wait()

    def _tell(self, message: dict[str, Any]) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self._failed("has ended") from error

    def _failed(self, what: str) -> InstrumentError:
        return InstrumentError(
            f"The process that would switch the cell off if this one died {what}",
            where=self.resource,
            mend="Nothing was energised. Try again, or measure without a guardian (guard=False, --no-guardian).",
        )


def unguarded_because(options: dict[str, Any]) -> str:
    """Return why an instrument with these options for `connect` cannot have a guardian; empty if it can."""
    for name, value in options.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            return f"{name} is an object of this process ({type(value).__name__}), which another cannot use"
    return ""


def main() -> int:
    """Stand by until the parent sends us away, or is gone; then switch the cell off. Return the exit code."""
    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # it ends when its parent does
    orders = _Orders()
    order = orders.next()
    if order is None:
        return 0
    watch = _Watch(**order)
    armed = orders.next()
    if armed is None or "disarm" in armed:
        return 0
    watch.get_ready(**armed)
    sys.stdout.write("armed\n")
    sys.stdout.flush()
    return 0 if orders.next() is not None else watch.act()


class _Orders:
    """What the parent says, line by line; None once it is gone."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._parent = os.getppid()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> dict[str, Any] | None:
        while True:
            try:
                line = self._lines.get(timeout=LOOK_S)
            except queue.Empty:
                if os.getppid() == self._parent:
                    continue
                line = b""  # it is dead, though something it forked still holds the pipe
            return dict(json.loads(line)) if line.endswith(b"\n") else None

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            self._lines.put(line)
        self._lines.put(b"")


class _Watch:
    """What a guardian knows, and what it does when it is needed."""

    def __init__(
        self, resource: str, options: dict[str, Any], log: str, parent: int, lease: int | None = None
    ) -> None:
        self.resource = resource
        self.options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        self.log = Path(log)
        self.parent = parent
        self.lease = Lease.adopted(lease) if lease is not None else None
        self.driver = self.serial = ""

    def get_ready(self, driver: str, serial: str) -> None:
        """Take note of what the instrument is, and load what connecting to it needs."""
        import pyvisa

        self.driver, self.serial = driver, serial
        backend = self.options.get("backend", "@py")
        with contextlib.suppress(Exception):  # acting will say what is wrong
            pyvisa.ResourceManager(backend)

    def act(self) -> int:
        """Switch the cell off, trying again for as long as it takes; return the exit code."""
        try:
            held = self._held()
        except BusyError as error:  # where a lease cannot be shared (Windows)
            self._note(f"{error} Whoever holds it was told that the cell may be on, and switches it off first.")
            return 1
        self._note(f"process {self.parent} ended without switching the cell off")
        is_off = self._try_until_off()
        if held is not None and is_off:
            held.release()
        elif held is not None:
            held.abandon()
        return 0 if is_off else 1

    def _try_until_off(self) -> bool:
        deadline = time.monotonic() + PERSISTS_S
        last = ""
        while time.monotonic() < deadline:
            try:
                said = self._switch_off()
            except Exception as error:  # noqa: BLE001 - whatever it is: the cell may be on
                if (what := str(error) or type(error).__name__) != last:
                    self._note(last := what)
                time.sleep(PAUSE_S)
            else:
                self._note(f"the cell is off, verified, at {said}")
                return True
        self._note("gave up: GO TO THE INSTRUMENT and disconnect the cell or switch the instrument off")
        return False

    def _switch_off(self) -> str:
        with connect(self.resource, **(self.options | {"driver": self.driver})) as instrument:
            identity = instrument.identify()
            if self.serial and identity.serial and identity.serial != self.serial:
                raise InstrumentError(
                    f"Another instrument answers: {identity}", where=self.resource, mend=f"Expected {self.serial}."
                )
            time.sleep(BREATH_S)
            instrument.cell_off()
        return str(identity)

    def _held(self) -> Lease | None:
        """Hold the lease, or do without where leases cannot be kept: the cell comes first."""
        what = f"switching the cell off after process {self.parent} died,"
        held = self.lease
        try:
            if held is None:
                held = take(self.resource, what=what)
            held.say(holder_of(self.resource, what=what, expected_s=PERSISTS_S))
        except (StoreError, OSError) as error:
            self._note(str(error))
        return held

    def _note(self, text: str) -> None:
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{utc_now()} guardian {os.getpid()} of {self.resource}: {text}\n")


if __name__ == "__main__":
    os._exit(main())  # a thread may still wait for the parent's next word
