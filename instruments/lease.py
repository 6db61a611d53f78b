"""One holder for each instrument: a lease that processes of one user take in turn, and that dies with its holder.

It is a lock of the operating system on a file in a folder of the user's own, so that the lease of a process that
was killed is free at once. The file says who holds it; one that still names somebody when it is taken was left
behind by a process that died, and may have left a cell on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from eis.errors import BusyError, StoreError
from instruments.potentiostat import utc_now

EXPECTED_S = 3600.0
"""How long a lease is expected to be needed (s), where nobody says."""
RECORD_LENGTH = 4096
"""Every record is as long, so that one call replaces it, whatever dies meanwhile."""
PATIENCE_S = 0.1
"""How long a new holder may take to write its name (s)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, or held it when it died.

    Parameters
    ----------
    pid : int
        The process.
    process_started : str
        When that process began, ISO 8601 in UTC, so that a later one with the same number is told apart; empty
        where the system does not say.
    host, resource : str
        The computer, and the resource as the holder spelt it.
    since, expires : str
        When the lease was taken, and when it is expected to be over, ISO 8601 in UTC.
    what : str
        What it is held for.
    """

    pid: int
    process_started: str
    host: str
    resource: str
    since: str
    expires: str
    what: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, {self.what} at {self.resource} since {self.since}"


class Lease:
    """A lease that is held, until `release`; see `lease` for the usual way to take one.

    Attributes
    ----------
    abandoned : Holder or None
        Who died while holding it, if somebody did: whether the cell is off is not known.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self.abandoned: Holder | None = _read(descriptor)

    @classmethod
    def adopted(cls, descriptor: int) -> Self:
        """Return the lease whose locked file a parent process has passed on (not on Windows)."""
        return cls(descriptor)

    @property
    def descriptor(self) -> int:
        """The locked file, to be passed on to a child process (not on Windows)."""
        if self._descriptor is None:
            raise ValueError("the lease has been given back")
        return self._descriptor

    def say(self, holder: Holder) -> None:
        """Write down who holds the lease."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.write(self.descriptor, json.dumps(asdict(holder)).encode().ljust(RECORD_LENGTH))

    def release(self) -> None:
        """Give the lease back, the cell being off; whoever takes it next need not worry. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            try:
                os.ftruncate(descriptor, 0)
            finally:
                _unlock(descriptor)  # also where a guardian shares the file
                os.close(descriptor)

    def abandon(self) -> None:
        """Let go with the name still in the file: whoever takes it next is told that the cell may be on."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def lease(
    resource: str, *, what: str = "measuring", expected_s: float = EXPECTED_S, folder: Path | None = None
) -> Generator[Lease, None, None]:
    """Hold `resource` for as long as the ``with`` block lasts; nobody else of this user gets it meanwhile.

    Parameters
    ----------
    resource : str
        A VISA resource name; spellings that mean the same are the same.
    what : str
        What for, as a participle; shown to whoever comes meanwhile.
    expected_s : float
        How long it is expected to be needed (s); also only shown.
    folder : Path, optional
        Where the files are; by default `folder_of_leases`.

    Raises
    ------
    BusyError
        If it is held, by this or another process; it names the holder.
    StoreError
        If the folder cannot be used.
    """
    held = take(resource, what=what, expected_s=expected_s, folder=folder)
    try:
        yield held
    finally:
        held.release()


def take(
    resource: str, *, what: str = "measuring", expected_s: float = EXPECTED_S, folder: Path | None = None
) -> Lease:
    """Take the lease of `resource`, to be given back by hand; see `lease`."""
    canonical = canonical_resource(resource)
    path = (folder or folder_of_leases()) / f"{_slug(canonical)}.lease"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        if not _locked(descriptor):
            raise _busy(resource, _read_soon(descriptor))
        held = Lease(descriptor)
        held.say(holder_of(resource, what=what, expected_s=expected_s))
    except OSError as error:
        os.close(descriptor)
        raise _unusable(path, error) from error
    except BaseException:
        os.close(descriptor)
        raise
    return held


def holder_of(resource: str, *, what: str, expected_s: float = EXPECTED_S) -> Holder:
    """Return what this process says of itself when it holds `resource`."""
    expires = datetime.now(UTC) + timedelta(seconds=expected_s)
    return Holder(
        pid=os.getpid(),
        process_started=_process_started(),
        host=socket.gethostname(),
        resource=resource,
        since=utc_now(),
        expires=expires.isoformat(timespec="seconds"),
        what=what,
    )


def folder_of_leases() -> Path:
    """Return the folder where leases are kept, which is the user's own, and make it if need be.

    Raises
    ------
    StoreError
        If it cannot be made, or belongs to somebody else.
    """
    user = os.environ.get("USERNAME", "user")
    if sys.platform != "win32":
        user = str(os.getuid())
    folder = Path(tempfile.gettempdir()) / f"interfacial-eis-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _unusable(folder, error) from error
    if sys.platform != "win32" and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode)):
        raise _unusable(folder, OSError("it belongs to another user, or is no folder"))
    return folder


def canonical_resource(resource: str) -> str:
    """Return one name for all the ways to spell a resource: letter case, host name or address, links to ports.

    Two resources of one instrument, such as its GPIB and its LAN port, keep two names. What stands behind an
    adapter is named as `Link` wants it: the adapter's resource, ``>``, and its own.
    """
    from pyvisa import rname

    if ">" in resource:  # behind a Prologix adapter
        return ">".join(canonical_resource(part) for part in resource.split(">"))
    try:
        name = str(rname.parse_resource_name(resource.strip()))
    except ValueError:
        return resource.strip()  # connecting will say what is wrong with it
    if serial := re.fullmatch(r"ASRL(?P<port>.+)::INSTR", name, re.IGNORECASE):
        port = serial["port"]
        if port.startswith("/"):
            return f"ASRL{os.path.realpath(port)}::INSTR"
        return f"ASRL{re.sub(r'^COM(?=[0-9]+$)', '', port.upper())}::INSTR"
    name = name.upper()
    if network := re.fullmatch(
        r"(?P<board>(PRLGX-)?TCPIP\d*)::(?P<host>[^:]+?)(?P<port>,\d+)?::(?P<rest>.+)", name
    ):
        name = f"{network['board']}::{_address(network['host'])}{network['port'] or ''}::{network['rest']}"
    return name


def _address(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except (OSError, UnicodeError):
        return host


def _slug(canonical: str) -> str:
    """Return a file name that can be read, and that no two resources share."""
    return (
        f"{re.sub(r'[^A-Za-z0-9.]+', '-', canonical)[:60]}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"
    )


def _read(descriptor: int) -> Holder | None:
    """Return who the file names; None if it names nobody, or was being written."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return Holder(**json.loads(os.read(descriptor, RECORD_LENGTH)))
    except (OSError, ValueError, TypeError):
        return None


def _read_soon(descriptor: int) -> Holder | None:
    deadline = time.monotonic() + PATIENCE_S
    while (holder := _read(descriptor)) is None and time.monotonic() < deadline:
        time.sleep(PATIENCE_S / 10)
    return holder


def _busy(resource: str, holder: Holder | None) -> BusyError:
    if holder is None:
        return BusyError("The instrument is in use", where=resource, mend="Wait until it is free.")
    late = datetime.now(UTC).isoformat(timespec="seconds") > holder.expires
    mend = f"It was expected to be done at {holder.expires}; see whether that process hangs." if late else ""
    return BusyError(
        f"The instrument is in use: {holder}",
        where=resource,
        mend=mend or f"Wait for it (it expects to be done by {holder.expires}), or end that process.",
    )


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Leases of instruments cannot be kept: {error.strerror or error}",
        where=str(path),
        mend="Make that folder your own and writable, or name another temporary folder in TMPDIR.",
    )


def _process_started() -> str:
    """Return when this process began, where the system says (Linux)."""
    if sys.platform == "win32":
        return ""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
        age_s = uptime_s - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return ""
    return (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat(timespec="seconds")


def _locks() -> tuple[Callable[[int], bool], Callable[[int], None]]:
    """Return how to lock an open file, saying whether that succeeded, and how to unlock it, on this system."""
    if sys.platform == "win32":
        import msvcrt

        place = 1 << 30  # far behind the text, which stays readable to others

        def lock(descriptor: int) -> bool:
            os.lseek(descriptor, place, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except PermissionError:
                return False
            return True

        def unlock(descriptor: int) -> None:
            os.lseek(descriptor, place, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    else:
        import fcntl

        def lock(descriptor: int) -> bool:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        def unlock(descriptor: int) -> None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    return lock, unlock


_locked, _unlock = _locks()
