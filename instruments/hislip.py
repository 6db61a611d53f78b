"""HiSLIP (IVI-6.1) as PyVISA-Py speaks it, read without losing a byte; not yet seen on real hardware."""

from __future__ import annotations

import socket
import struct
import time
from typing import cast

from instruments.sessions import PAUSE_S, READY_S, Socket, peeked

HEADER = struct.Struct("!2sBBIQ")
"""``HS``, type, control code, number of the message that is answered, length of what follows."""
DATA = (6, 7)
ANY = 0xFFFFFFFF
"""Instead of a number: this answers whatever was sent last."""
ERRORS = {2: "the fatal error", 3: "the error"}


class Hislip(Socket):
    """A HiSLIP session of PyVISA-Py; its reads ask for no more than has arrived.

    Messages that do not answer the last one that was sent are skipped here: PyVISA-Py never ends where one is cut.
    """

    _to_skip = 0

    def _socket(self) -> socket.socket:
        return cast(socket.socket, self.inner.interface._sync)

    def write(self, data: bytes) -> None:
        """Send `data` as one message; what is still to come of an earlier answer is not read any more."""
        self._require_room()
        self._to_skip += self.inner.interface._payload_remaining
        self.inner.interface._payload_remaining = 0
        self._set_timeout(self._patience_s)
        self.resource.write_raw(data)

    def arrived(self) -> bytes:
        """Return what has arrived already."""
        return self.read(0.0)[0]

    def read(self, timeout_s: float) -> tuple[bytes, bool]:
        """Return what has arrived, and whether that is the end of a message; see `wait`."""
        client, data = self.inner.interface, b""
        if client._payload_remaining <= 0:
            if not self._next_answers():
                return b"", False
            if client._msg_type == "DataEnd":  # read to its end: PyVISA-Py looks no further by itself
                client.last_message_id = client.last_message_id
            data, _ = self._visa_read(1, max(timeout_s, PAUSE_S))
        arrived = peeked(self.socket, client._payload_remaining) if client._payload_remaining > 0 else 0
        if arrived:
            data += self._visa_read(arrived, READY_S)[0]
        return data, client._msg_type == "DataEnd" and client._payload_remaining <= 0

    def _next_answers(self) -> bool:
        """Skip to the next message that belongs to the last one sent; return whether its header has arrived."""
        while count := peeked(self.socket, self._to_skip or HEADER.size):
            if self._to_skip:
                self._to_skip -= len(self.socket.recv(count))
                continue
            if count < HEADER.size:
                time.sleep(PAUSE_S)
                return False
            header = self.socket.recv(HEADER.size, socket.MSG_PEEK)
            prologue, kind, code, number, length = HEADER.unpack(header)
            if prologue != b"HS":
                raise ConnectionError(f"Expected a HiSLIP message, received {header!r}")
            if kind in ERRORS:
                raise ConnectionError(f"The instrument reports {ERRORS[kind]} {code} of HiSLIP")
            if kind in DATA and number in (ANY, self.inner.interface.last_message_id):
                return True
            self._to_skip = len(header) + length
        return False
