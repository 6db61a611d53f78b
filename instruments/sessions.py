"""How bytes are got out of each kind of VISA session without losing one, and without a wait that cannot be ended.

A bare PyVISA read drops what it has got when its time is up. So each kind is asked here in its own way: where
PyVISA-Py's socket can be seen, it is looked at first and only what has arrived is read; elsewhere reads are short.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

READY_S = 2.0
"""Time-out (s) of a read of bytes that have already begun to arrive."""
PAUSE_S = 0.005
WRITE_PIECE = 4096
"""How much PyVISA-Py sends after one wait; for more it waits again, without a time-out."""
MESSAGE_AVAILABLE = 0x10
"""The bit of the status byte (IEEE 488.2) that says there is something to read."""
POLL_S = 0.5
"""How long a status byte may take (s); a Prologix adapter says nothing for want of an instrument."""


class Session:
    """An open VISA session; this is the kind of which nothing but VISA itself is known.

    Parameters
    ----------
    resource : MessageBasedResource
        What PyVISA opened.
    patience_s : float
        How long a write may block (s).
    """

    def __init__(self, resource: MessageBasedResource, patience_s: float) -> None:
        self.resource = resource
        self.inner = inner_of(resource)
        self._patience_s = patience_s
        self._timeout_s = -1.0

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self._set_timeout(self._patience_s)
        self.resource.write_raw(data)

    def wait(self, timeout_s: float) -> None:
        """Wait until something has arrived, where that can be told without asking; another thread may write."""

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what comes within `timeout_s`, and whether that is the end of a message."""
        if self._is_usb:  # to end a read that waits takes an abort there, which may cost the answer
            if not self._said_to_be_available(timeout_s):
                return b"", False
            return self._visa_read(self.resource.chunk_size, READY_S)
        first, ended = self._visa_read(1, timeout_s)
        if ended or first in (b"", b"\n"):
            return first, ended
        rest, ended = self._visa_read(self.resource.chunk_size, READY_S)
        return first + rest, ended

    def arrived(self) -> bytes:
        """Return what has arrived already; an instrument that has nothing to say is not asked to talk."""
        return self.read(READY_S)[0] if self._status_byte() & MESSAGE_AVAILABLE else b""

    def close(self) -> None:
        """Close the session."""
        self.resource.close()

    @property
    def _is_usb(self) -> bool:
        from pyvisa.constants import InterfaceType

        return bool(self.resource.interface_type == InterfaceType.usb)

    def _said_to_be_available(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not self._status_byte() & MESSAGE_AVAILABLE:
            if time.monotonic() >= deadline:
                return False
            time.sleep(PAUSE_S)
        return True

    def _status_byte(self) -> int:
        """Return the status byte; 0 where there is none."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        self._set_timeout(POLL_S)
        try:
            return self.resource.read_stb()
        except NotImplementedError:
            return 0
        except VisaIOError as error:
            if error.error_code == StatusCode.error_nonsupported_operation:
                return 0
            raise

    def _visa_read(self, count: int, timeout_s: float) -> tuple[bytes, bool]:
        """Read once; nothing if the time is up."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        self._set_timeout(timeout_s)
        try:
            with self.resource.ignore_warning(StatusCode.success_max_count_read):
                data, status = self.resource.visalib.read(self.resource.session, count)
        except VisaIOError as error:
            if error.error_code == StatusCode.error_timeout:
                return b"", False
            raise
        return bytes(data), status == StatusCode.success

    def _inner_read(self, count: int, timeout_s: float) -> tuple[bytes, bool]:
        """Read once past the part of PyVISA that drops what came when the time is up."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        self._set_timeout(timeout_s)
        data, status = self.inner.read(count)
        if status < 0 and status != StatusCode.error_timeout:
            raise VisaIOError(status)
        return bytes(data), status == StatusCode.success

    def _set_timeout(self, timeout_s: float) -> None:
        if timeout_s != self._timeout_s:
            self.resource.timeout = max(1, round(timeout_s * 1000))
            self._timeout_s = timeout_s


class Serial(Session):
    """A serial port: VISA tells how many bytes have arrived, and none of them ends a message."""

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what has arrived, or the first byte that does within `timeout_s`."""
        return self.arrived() or self._visa_read(1, timeout_s)[0], False

    def arrived(self) -> bytes:
        """Return what has arrived already."""
        waiting = self._waiting
        return self._taken(waiting) if waiting else b""

    def _taken(self, count: int) -> bytes:
        return self._visa_read(count, READY_S)[0]

    @property
    def _waiting(self) -> int:
        return int(cast(Any, self.resource).bytes_in_buffer)


class PySerial(Serial):
    """A serial port of PyVISA-Py, which itself would fetch each byte on its own."""

    def _taken(self, count: int) -> bytes:
        return bytes(self.inner.interface.read(count))


class Socket(Session):
    """A raw TCP connection of PyVISA-Py."""

    def __init__(self, resource: MessageBasedResource, patience_s: float) -> None:
        super().__init__(resource, patience_s)
        self.socket = self._socket()
        self.socket.getpeername()  # fails if PyVISA-Py opened what is not there
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(patience_s)

    def _socket(self) -> socket.socket:
        return cast(socket.socket, self.inner.interface)

    def write(self, data: bytes) -> None:
        """Send `data`, in pieces that the peer can take."""
        for start in range(0, len(data), WRITE_PIECE):
            self._require_room()
            self.resource.write_raw(data[start : start + WRITE_PIECE])

    def wait(self, timeout_s: float) -> None:
        """Wait until something has arrived."""
        select.select([self.socket], [], [], timeout_s)

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what has arrived; see `wait`."""
        return self.arrived(), False

    def arrived(self) -> bytes:
        """Return what has arrived already."""
        count = peeked(self.socket, self.resource.chunk_size)
        return self._visa_read(count, READY_S)[0] if count else b""

    def _require_room(self) -> None:
        if not select.select([], [self.socket], [], self._patience_s)[1]:
            raise TimeoutError("The instrument takes no more data")


class Vxi11(Session):
    """A VXI-11 session of PyVISA-Py, one call at a time."""

    def __init__(self, resource: MessageBasedResource, patience_s: float) -> None:
        super().__init__(resource, patience_s)
        self.socket = cast(socket.socket, self.inner.interface.sock)
        self.socket.settimeout(patience_s)
        resource.read_termination = "\n"  # so that a line need not wait for the end of the message
        self._answers = True  # whether the last call was answered

    def write(self, data: bytes) -> None:
        """Send `data` as one message."""
        self._answers = False
        peeked(self.socket, 1)
        super().write(data)
        self._answers = True

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what comes within `timeout_s`, and whether that is the end of a message."""
        self._answers = False
        peeked(self.socket, 1)
        data, ended = self._inner_read(self.resource.chunk_size, timeout_s)
        self._answers = True
        return data, ended

    def _status_byte(self) -> int:
        peeked(self.socket, 1)
        return super()._status_byte()

    def close(self) -> None:
        """Close the session; one that answers no more is not ended politely: PyVISA-Py would wait for it."""
        with contextlib.suppress(OSError):
            if not self._answers or peeked_end(self.socket):
                self.socket.shutdown(socket.SHUT_RDWR)
        super().close()


def peeked(connection: socket.socket, count: int) -> int:
    """Return how many bytes, up to `count`, have arrived; ConnectionError if the far end has closed."""
    if not select.select([connection], [], [], 0)[0]:
        return 0
    arrived = len(connection.recv(count, socket.MSG_PEEK))
    if not arrived:
        raise ConnectionError("The instrument closed the connection")
    return arrived


def peeked_end(connection: socket.socket) -> bool:
    """Return whether the far end has closed."""
    try:
        peeked(connection, 1)
    except OSError:
        return True
    return False


def inner_of(resource: MessageBasedResource) -> Any:
    """Return PyVISA-Py's own session, where there is one."""
    return getattr(resource.visalib, "sessions", {}).get(resource.session)


def close_left_open(error: BaseException | None) -> None:
    """Close the sockets of an opening that failed: PyVISA-Py leaves that to chance."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            owner = trace.tb_frame.f_locals.get("self")
            for one in (owner, getattr(owner, "interface", None)):
                for name in ("_sync", "_async", "sock", "interface"):
                    if isinstance(left := getattr(one, name, None), socket.socket):
                        left.close()
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
