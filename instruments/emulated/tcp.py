"""An emulated instrument on a TCP port of this computer, for any VISA program: one client at a time."""

from __future__ import annotations

from instruments.emulated.serving import Connection, DeviceServer


class TcpServer(DeviceServer):
    """Serves one device, see `DeviceServer`, as the SCPI socket of an instrument on a network does."""

    address = "TCPIP0::127.0.0.1::{port}::SOCKET"

    def _accepted(self, connection: Connection) -> None:
        self._hang_up_others(connection)
        if self._device.unplugged:
            self._hang_up(connection)
        else:
            self._device.link_opened()

    def _received(self, connection: Connection) -> None:
        data = bytes(connection.received)
        connection.received.clear()
        connection.send(b"".join(self._device.feed(data)))

    def _speak(self) -> None:
        said = b"".join(self._device.due())
        for connection in self._connections:
            connection.send(said)
        if self._device.dropped:
            self._hang_up(*self._connections)
