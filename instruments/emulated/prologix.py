"""Emulated instruments on a GPIB behind an emulated Prologix GPIB-ETHERNET adapter, for any VISA program.

Lines that begin with ``++`` are for the adapter, others go to the instrument it is told to address. It reads from
an instrument when it is told to, and gives up when nothing has come for `read_tmo_ms`; an escape character keeps
the next byte from being understood.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from instruments.emulated.device import Device
from instruments.emulated.messages import Messages
from instruments.emulated.serving import Connection, SocketServer, soonest

ESCAPE = 0x1B
LINE_ENDS = b"\r\n"
REMEMBERED = {
    "mode": "1",
    "auto": "0",
    "read_tmo_ms": "200",
    "eos": "0",
    "eoi": "1",
    "eot_enable": "0",
    "eot_char": "0",
}
"""What can be set and asked for, with the values after power-on."""
WITHOUT_ANSWER = frozenset({"ifc", "loc", "llo", "savecfg", "rst"})


@dataclass(slots=True)
class _Read:
    """A read in progress: until when something has to come (s, monotonic clock), and which byte ends it."""

    deadline: float
    end_byte: int | None


class PrologixServer(SocketServer):
    """Serves devices on the GPIB of an adapter at 127.0.0.1, for as long as the ``with`` block lasts.

    Parameters
    ----------
    devices : mapping of int to Device
        The devices by their GPIB address.
    port : int
        The port; 0 takes a free one.
    board : int
        The number of the GPIB; two adapters in use at the same time need two.

    Attributes
    ----------
    interface : str
        The VISA resource name of the adapter; PyVISA-Py wants it opened before any instrument is.
    resources : dict of int to str
        The VISA resource names of the instruments, by address.
    resource : str
        Adapter and first instrument, as `instruments.connect` and `instruments.link.Link` take them.
    backend : str
        The backend to open them with.
    """

    def __init__(self, devices: Mapping[int, Device], *, port: int = 0, board: int = 0) -> None:
        super().__init__(list(devices.values()), port=port)
        self.interface = f"PRLGX-TCPIP{board}::127.0.0.1::{self.port}::INTFC"
        self.resources = {address: f"GPIB{board}::{address}::INSTR" for address in devices}
        self.resource = f"{self.interface}>{next(iter(self.resources.values()))}"
        self._bus = {address: Messages(device) for address, device in devices.items()}
        self._address = 0
        self._settings = dict(REMEMBERED)
        self._client: Connection | None = None
        self._reading: _Read | None = None

    def _patience_s(self) -> float | None:
        deadline_s = self._reading.deadline - time.monotonic() if self._reading else None
        return soonest(super()._patience_s(), deadline_s)

    def _accepted(self, connection: Connection) -> None:
        self._hang_up_others(connection)
        self._client = connection
        for messages in self._bus.values():
            messages.link_opened()

    def _closed(self, connection: Connection) -> None:
        if connection is self._client:
            self._client = self._reading = None

    def _received(self, connection: Connection) -> None:
        while not self._reading and connection.is_open:
            line, escaped = _taken_line(connection.received)
            if line is None:
                return
            if line.startswith(b"++") and not escaped:
                self._obey(connection, line[2:].decode("latin-1").split())
            elif line:
                self._to_instrument(line)

    @property
    def _addressed(self) -> Messages | None:
        messages = self._bus.get(self._address)
        return None if messages is None or messages.device.unplugged else messages

    def _to_instrument(self, line: bytes) -> None:
        if self._addressed is not None:
            self._addressed.hear(line, ended=False)
            self._addressed.hear(b"\n", ended=True)  # ended by EOI: the adapter takes line ends away

    def _obey(self, connection: Connection, words: list[str]) -> None:
        match words:
            case ["addr"]:
                connection.send(f"{self._address}\r\n".encode())
            case ["addr", address, *_] if address.isdecimal():
                self._address = int(address)
            case ["read"]:
                self._begin_to_read(None)
            case ["read", "eoi"]:
                self._begin_to_read(None)
            case ["read", code] if code.isdecimal():
                self._begin_to_read(int(code) & 0xFF)
            case ["spoll", *address]:
                asked = self._bus.get(int(address[0])) if address else self._addressed
                if asked is not None:
                    asked.pull()
                    connection.send(f"{asked.status_byte}\r\n".encode())
            case ["clr"]:
                if self._addressed is not None:
                    self._addressed.clear()
            case ["trg", *_]:
                if self._addressed is not None:
                    self._addressed.trigger()
            case ["srq"]:
                connection.send(b"0\r\n")
            case ["ver"]:
                connection.send(b"Prologix GPIB-ETHERNET Controller version 01.06.06.00 (emulated)\r\n")
            case [name] if name in self._settings:
                connection.send(f"{self._settings[name]}\r\n".encode())
            case [name, value] if name in self._settings and value.isdecimal():
                self._settings[name] = value
            case [name, *_] if name in WITHOUT_ANSWER:
                pass
            case _:
                connection.send(b"Unrecognized command\r\n")

    def _begin_to_read(self, end_byte: int | None) -> None:
        self._reading = _Read(time.monotonic() + self._read_timeout_s, end_byte)

    @property
    def _read_timeout_s(self) -> float:
        return int(self._settings["read_tmo_ms"]) / 1000

    def _speak(self) -> None:
        for messages in self._bus.values():
            messages.pull()
        while self._reading and self._client:
            self._carry(self._client, self._reading)
            if self._reading:
                break
            self._received(self._client)  # what had to wait for the read
        if any(device.dropped for device in self._devices):
            self._hang_up(*self._connections)

    def _carry(self, client: Connection, reading: _Read) -> None:
        """Carry what the addressed instrument has said; the read is over at its end or when nothing comes."""
        addressed = self._addressed
        while addressed is not None and addressed.waiting:
            data, ended = addressed.take(addressed.waiting, end_byte=reading.end_byte)
            reading.deadline = time.monotonic() + self._read_timeout_s
            if ended and self._settings["eot_enable"] == "1":
                data += bytes([int(self._settings["eot_char"]) & 0xFF])
            client.send(data)
            if ended or (reading.end_byte is not None and data[-1] == reading.end_byte):
                self._reading = None
                return
        if time.monotonic() >= reading.deadline:
            self._reading = None


def _taken_line(received: bytearray) -> tuple[bytes | None, bool]:
    """Take a line without its end and escape characters, if one is there; and whether it began with one."""
    line, at = bytearray(), 0
    while at < len(received):
        byte = received[at]
        if byte == ESCAPE and at + 1 < len(received):
            line.append(received[at + 1])
            at += 2
        elif byte in LINE_ENDS:
            escaped = received[0] == ESCAPE
            del received[: at + 1]
            return bytes(line), escaped
        else:
            line.append(byte)
            at += 1
    return None, False
