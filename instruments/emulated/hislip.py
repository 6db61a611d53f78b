"""An emulated instrument behind HiSLIP (IVI-6.1, synchronised mode), for any VISA program: one client at a time.

Messages: a header of 16 bytes (``HS``, type, control code, parameter, length) and a payload. A session has two
connections: the synchronous one carries the data, the asynchronous one asks for the status byte and clears.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from instruments.emulated.device import Device
from instruments.emulated.messages import MESSAGE_AVAILABLE, Messages
from instruments.emulated.serving import Connection, DeviceServer

HEADER = struct.Struct("!2sBBIQ")
VERSION = 0x0100
VENDOR = b"EI"
LONGEST_MESSAGE = 1 << 20


class Kind(IntEnum):
    """The types of message that are understood or sent here."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    ASYNC_MAX_MESSAGE_SIZE = 15
    ASYNC_MAX_MESSAGE_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


@dataclass(frozen=True, slots=True)
class _Received:
    kind: int
    control: int
    parameter: int
    payload: bytes


class HislipServer(DeviceServer):
    """Serves one device over HiSLIP; see `DeviceServer`."""

    address = "TCPIP0::127.0.0.1::hislip0,{port}::INSTR"

    def __init__(self, device: Device, *, port: int = 0) -> None:
        super().__init__(device, port=port)
        self._messages = Messages(device)
        self._session = 0
        self._synchronous: Connection | None = None
        self._asynchronous: Connection | None = None
        self._message_id = 0
        self._longest = LONGEST_MESSAGE
        self._undelivered = False  # whether the client may not have read everything that was sent

    def _accepted(self, connection: Connection) -> None:
        """Wait for the client to say which of the two connections this is."""

    def _closed(self, connection: Connection) -> None:
        if connection in (self._synchronous, self._asynchronous):
            self._end_session()

    def _end_session(self) -> None:
        ours = [one for one in (self._synchronous, self._asynchronous) if one is not None]
        self._synchronous = self._asynchronous = None
        self._hang_up(*ours)

    def _received(self, connection: Connection) -> None:
        for message in self._whole(connection):
            if connection.is_open:
                self._obey(connection, message)

    def _whole(self, connection: Connection) -> Iterator[_Received]:
        """Take the messages that have arrived as a whole."""
        received = connection.received
        while len(received) >= HEADER.size:
            prologue, kind, control, parameter, length = HEADER.unpack_from(received)
            if prologue != b"HS":
                self._send(connection, Kind.FATAL_ERROR, control=1)
                self._hang_up(connection)
                return
            if len(received) < HEADER.size + length:
                return
            payload = bytes(received[HEADER.size : HEADER.size + length])
            del received[: HEADER.size + length]
            yield _Received(kind, control, parameter, payload)

    def _obey(self, connection: Connection, message: _Received) -> None:
        match message.kind:
            case Kind.INITIALIZE if self._device.unplugged:
                self._send(connection, Kind.FATAL_ERROR, control=0, payload=b"The instrument is not there")
                self._hang_up(connection)
            case Kind.INITIALIZE:
                self._end_session()
                self._session = self._session % 0xFFFF + 1
                self._synchronous = connection
                self._undelivered = False
                self._messages.link_opened()
                self._send(connection, Kind.INITIALIZE_RESPONSE, parameter=VERSION << 16 | self._session)
            case Kind.ASYNC_INITIALIZE if self._synchronous and message.parameter == self._session:
                self._asynchronous = connection
                self._send(connection, Kind.ASYNC_INITIALIZE_RESPONSE, parameter=int.from_bytes(VENDOR, "big"))
            case _ if connection not in (self._synchronous, self._asynchronous):
                self._send(connection, Kind.FATAL_ERROR, control=3)
                self._hang_up(connection)
            case Kind.DATA | Kind.DATA_END:
                self._speak()  # what is said before this has been heard belongs to the message before
                self._message_id = message.parameter
                self._undelivered = False
                self._messages.hear(message.payload, ended=message.kind == Kind.DATA_END)
            case Kind.TRIGGER:
                self._message_id = message.parameter
                self._messages.trigger()
            case Kind.DEVICE_CLEAR_COMPLETE:
                self._send(connection, Kind.DEVICE_CLEAR_ACKNOWLEDGE)
            case _:
                self._obey_aside(connection, message)

    def _obey_aside(self, connection: Connection, message: _Received) -> None:
        """Answer what comes over the asynchronous connection."""
        match message.kind:
            case Kind.ASYNC_MAX_MESSAGE_SIZE:
                self._longest = max(256, int.from_bytes(message.payload, "big"))
                payload = LONGEST_MESSAGE.to_bytes(8, "big")
                self._send(connection, Kind.ASYNC_MAX_MESSAGE_SIZE_RESPONSE, payload=payload)
            case Kind.ASYNC_STATUS_QUERY:
                self._undelivered = self._undelivered and not message.control & 1
                available = MESSAGE_AVAILABLE if self._undelivered else 0
                self._send(connection, Kind.ASYNC_STATUS_RESPONSE, control=self._messages.status_byte | available)
            case Kind.ASYNC_DEVICE_CLEAR:
                self._messages.clear()
                self._undelivered = False
                self._send(connection, Kind.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)
            case Kind.ASYNC_LOCK:
                self._send(connection, Kind.ASYNC_LOCK_RESPONSE, control=1)
            case Kind.ASYNC_LOCK_INFO:
                self._send(connection, Kind.ASYNC_LOCK_INFO_RESPONSE)
            case Kind.ASYNC_REMOTE_LOCAL_CONTROL:
                self._send(connection, Kind.ASYNC_REMOTE_LOCAL_RESPONSE)
            case _:
                self._send(connection, Kind.ERROR, control=1)

    def _speak(self) -> None:
        self._messages.pull()
        while self._messages.waiting and self._synchronous is not None:
            data, ended = self._messages.take(self._longest - HEADER.size)
            self._undelivered = True
            kind = Kind.DATA_END if ended else Kind.DATA
            self._send(self._synchronous, kind, parameter=self._message_id, payload=data)
        if self._device.dropped:
            self._end_session()

    @staticmethod
    def _send(
        connection: Connection, kind: Kind, *, control: int = 0, parameter: int = 0, payload: bytes = b""
    ) -> None:
        connection.send(HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload)
