"""An emulated instrument behind VXI-11 (without a portmapper), for any VISA program: one client at a time.

VXI-11 is ONC RPC (RFC 5531) over TCP: a call names a procedure and carries its arguments in XDR (RFC 4506).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from instruments.emulated.device import Device
from instruments.emulated.messages import Messages
from instruments.emulated.serving import Connection, DeviceServer, soonest

LAST_FRAGMENT = 0x80000000
CORE = (0x0607AF, 1)
"""Number and version of the program that is the instrument."""
LONGEST_MESSAGE = 1 << 20
END = 8
END_BYTE_SET = 128
READ_ALL, READ_END_BYTE, READ_END = 1, 2, 4


class Procedure(IntEnum):
    """What a client may call."""

    CREATE_LINK = 10
    WRITE = 11
    READ = 12
    STATUS_BYTE = 13
    TRIGGER = 14
    CLEAR = 15
    REMOTE = 16
    LOCAL = 17
    LOCK = 18
    UNLOCK = 19
    DESTROY_LINK = 23


class Problem(IntEnum):
    """What a call may end with."""

    NONE = 0
    NOT_ACCESSIBLE = 3
    NO_SUCH_LINK = 4
    NOT_SUPPORTED = 8
    TIME_OUT = 15


@dataclass(frozen=True, slots=True)
class _Read:
    """A read that waits for the device until `deadline` (s, monotonic clock)."""

    connection: Connection
    call: int
    count: int
    end_byte: int | None
    deadline: float


class Vxi11Server(DeviceServer):
    """Serves one device over VXI-11; see `DeviceServer`."""

    address = "TCPIP0::127.0.0.1,{port}::inst0::INSTR"

    def __init__(self, device: Device, *, port: int = 0) -> None:
        super().__init__(device, port=port)
        self._messages = Messages(device)
        self._owner: Connection | None = None
        self._link = 0
        self._reading: _Read | None = None

    def _patience_s(self) -> float | None:
        deadline_s = self._reading.deadline - time.monotonic() if self._reading else None
        return soonest(super()._patience_s(), deadline_s)

    def _accepted(self, connection: Connection) -> None:
        """Wait for its calls."""

    def _closed(self, connection: Connection) -> None:
        if self._reading and self._reading.connection is connection:
            self._reading = None
        if self._owner is connection:
            self._owner = None

    def _received(self, connection: Connection) -> None:
        for record in self._records(connection):
            self._call(connection, record)

    @staticmethod
    def _records(connection: Connection) -> Iterator[bytes]:
        """Take the records that have arrived as a whole; one may come in several fragments."""
        while True:
            record, at, last = b"", 0, False
            while not last:
                if len(connection.received) < at + 4:
                    return
                (mark,) = struct.unpack_from("!I", connection.received, at)
                last, length = bool(mark & LAST_FRAGMENT), mark & ~LAST_FRAGMENT
                if len(connection.received) < at + 4 + length:
                    return
                record += connection.received[at + 4 : at + 4 + length]
                at += 4 + length
            del connection.received[:at]
            yield record

    def _call(self, connection: Connection, record: bytes) -> None:
        try:
            call, kind, _, program, version, procedure = struct.unpack_from("!6I", record)
            at = 24
            for _ in range(2):  # who calls, and the proof of it: ignored
                (length,) = struct.unpack_from("!4xI", record, at)
                at += 8 + length + -length % 4
            if kind != 0 or (program, version) != CORE:
                connection.send(_record(struct.pack("!6I", call, 1, 0, 0, 0, 1)))  # no such program
            else:
                self._do(connection, call, procedure, record[at:])
        except struct.error:
            self._hang_up(connection)

    def _do(self, connection: Connection, call: int, procedure: int, arguments: bytes) -> None:
        if procedure == Procedure.CREATE_LINK:
            _answer(connection, call, self._linked(connection))
            return
        (link,) = struct.unpack_from("!I", arguments)
        wrong = connection is not self._owner or link != self._link
        problem = Problem.NO_SUCH_LINK if wrong else Problem.NONE
        match procedure:
            case _ if wrong:
                _answer(connection, call, struct.pack("!4I", problem, 0, 0, 0))
            case Procedure.WRITE:
                flags, length = struct.unpack_from("!2I", arguments, 12)
                self._messages.hear(arguments[20 : 20 + length], ended=bool(flags & END))
                _answer(connection, call, struct.pack("!2I", problem, length))
            case Procedure.READ:
                count, timeout_ms, _, flags, end_byte = struct.unpack_from("!5I", arguments, 4)
                stop_at = end_byte & 0xFF if flags & END_BYTE_SET else None
                self._reading = _Read(connection, call, count, stop_at, time.monotonic() + timeout_ms / 1000)
            case Procedure.STATUS_BYTE:
                self._messages.pull()
                _answer(connection, call, struct.pack("!2I", problem, self._messages.status_byte))
            case Procedure.TRIGGER:
                self._messages.trigger()
                _answer(connection, call, struct.pack("!I", problem))
            case Procedure.CLEAR:
                self._messages.clear()
                _answer(connection, call, struct.pack("!I", problem))
            case Procedure.REMOTE | Procedure.LOCAL | Procedure.LOCK | Procedure.UNLOCK | Procedure.DESTROY_LINK:
                _answer(connection, call, struct.pack("!I", problem))
            case _:
                _answer(connection, call, struct.pack("!2I", Problem.NOT_SUPPORTED, 0))

    def _linked(self, connection: Connection) -> bytes:
        if self._device.unplugged:
            return struct.pack("!4I", Problem.NOT_ACCESSIBLE, 0, 0, 0)
        self._hang_up_others(connection)
        self._owner, self._link = connection, self._link + 1
        self._messages.link_opened()
        return struct.pack("!4I", Problem.NONE, self._link, 0, LONGEST_MESSAGE)

    def _speak(self) -> None:
        waiting = self._messages.pull()
        reading = self._reading
        if reading and waiting:
            data, ended = self._messages.take(min(reading.count, LONGEST_MESSAGE), end_byte=reading.end_byte)
            reason = READ_END * ended
            reason |= READ_END_BYTE * (reading.end_byte is not None and data[-1] == reading.end_byte)
            reason |= READ_ALL * (len(data) == reading.count)
            padding = b"\0" * (-len(data) % 4)
            result = struct.pack("!3I", Problem.NONE, reason, len(data)) + data + padding
            self._reading = None
            _answer(reading.connection, reading.call, result)
        elif reading and time.monotonic() >= reading.deadline:
            self._reading = None
            _answer(reading.connection, reading.call, struct.pack("!3I", Problem.TIME_OUT, 0, 0))
        if self._device.dropped and self._owner is not None:
            self._hang_up(self._owner)


def _answer(connection: Connection, call: int, result: bytes) -> None:
    connection.send(_record(struct.pack("!6I", call, 1, 0, 0, 0, 0) + result))


def _record(data: bytes) -> bytes:
    return struct.pack("!I", LAST_FRAGMENT | len(data)) + data
