"""GPIB instruments behind a Prologix GPIB-ETHERNET adapter, through PyVISA-Py; not yet seen on real hardware."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from instruments.sessions import (
    MESSAGE_AVAILABLE,
    PAUSE_S,
    POLL_S,
    WRITE_PIECE,
    Session,
    inner_of,
    peeked,
    peeked_end,
)

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

REARM_S = 0.1
"""After how much silence (s) a Prologix adapter is told again to read; it gives up after half of that."""


class Prologix(Session):
    """An instrument behind a Prologix adapter, which has to be told to read and does not tell where messages end.

    Instruments behind one adapter share its connection: one thread at a time may converse with any of them.
    """

    def __init__(self, resource: MessageBasedResource, patience_s: float) -> None:
        super().__init__(resource, patience_s)
        self.adapter = self.inner.interface
        self.socket = cast(socket.socket, self.adapter.interface)
        self.socket.settimeout(patience_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._kept = b""
        self._active_at = 0.0
        self._is_reading = False  # whether the adapter may still be waiting for the instrument

    def write(self, data: bytes) -> None:
        """Send `data` as one message."""
        if len(data) > WRITE_PIECE // 2:
            raise ValueError(f"{len(data)} characters are too many for one message to a GPIB instrument")
        self._kept += self._unread()  # PyVISA-Py would drop it
        if not select.select([], [self.socket], [], self._patience_s)[1]:
            raise TimeoutError("The instrument takes no more data")
        self.inner.write(data if data.endswith(b"\n") else data + b"\n")
        self._active_at = time.monotonic()

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what comes within `timeout_s`."""
        kept, self._kept = self._kept, b""
        if kept:
            return kept, False
        if not peeked(self.socket, 1) and time.monotonic() - self._active_at >= REARM_S:
            self.adapter.plus_plus_read = True
        if self.adapter.plus_plus_read:
            self._active_at, self._is_reading = time.monotonic(), True
        self.adapter.timeout = max(timeout_s, PAUSE_S)
        data, _ = self._inner_read(self.resource.chunk_size, timeout_s)
        if data:
            self._active_at, self._is_reading = time.monotonic(), not data.endswith(b"\n")
        return data, False

    def arrived(self) -> bytes:
        """Return what has arrived already, and what the instrument says it has to say."""
        if self._is_reading:  # what comes now would be taken for a status byte
            time.sleep(max(0.0, self._active_at + REARM_S - time.monotonic()))
            self._is_reading = False
        kept, self._kept = self._kept + self._unread(), b""
        return kept or super().arrived()

    def _unread(self) -> bytes:
        """Take what has come over the adapter's connection."""
        self.adapter.timeout, data = PAUSE_S, bytes(self.adapter._pending_buffer)
        self.adapter._pending_buffer.clear()
        while count := peeked(self.socket, WRITE_PIECE):
            data += self.socket.recv(count)
        return data

    def _status_byte(self) -> int:
        self.adapter.timeout = POLL_S
        self.adapter.plus_plus_read = False  # or PyVISA-Py would have the instrument talk as well
        status_byte = int(self.inner.read_stb()[0])
        self.adapter.plus_plus_read = bool(status_byte & MESSAGE_AVAILABLE)
        return status_byte


class Adapters:
    """The GPIB adapters this process has opened; each as long as a link needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, tuple[Any, int]] = {}

    def take(self, name: str, open_it: Callable[[], Any]) -> None:
        """Open the adapter `name` if it is not open or its connection has ended."""
        with self._lock:
            adapter, users = self._opened.get(name, (None, 0))
            if adapter is None or not self._lives(adapter):
                self._close(adapter)
                self._opened.pop(name, None)
                adapter = open_it()
            self._opened[name] = adapter, users + 1

    def give_back(self, name: str) -> None:
        """Close the adapter `name` if nobody else needs it."""
        with self._lock:
            adapter, users = self._opened.pop(name, (None, 0))
            if users > 1:
                self._opened[name] = adapter, users - 1
            else:
                self._close(adapter)

    @staticmethod
    def _lives(adapter: Any) -> bool:
        try:
            return not peeked_end(inner_of(adapter).interface)
        except (ValueError, AttributeError, TypeError):  # somebody else has closed it
            return False

    @staticmethod
    def _close(adapter: Any) -> None:
        from pyvisa.errors import Error

        with contextlib.suppress(Error, OSError, AttributeError):
            if adapter is not None:
                adapter.close()


ADAPTERS = Adapters()
