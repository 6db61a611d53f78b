"""An emulated instrument on a TCP port of this computer, for any VISA program: one client at a time."""

from __future__ import annotations

from instruments.emulated.device import Device
from instruments.emulated.serving import Connection, SocketServer


class TcpServer(SocketServer):
    """Serves one device on 127.0.0.1, in a thread, for as long as the ``with`` block lasts.

    Parameters
    ----------
    device : Device
        The device; a new client takes it over from the last one.
    port : int
        The port; 0 takes a free one.

    Attributes
    ----------
    resource : str
        Its VISA resource name.
    backend : str
        The backend to open it with.
    """

    def __init__(self, device: Device, *, port: int = 0) -> None:
        super().__init__([device], port=port)
        self._device = device
        self.resource = f"TCPIP0::127.0.0.1::{self.port}::SOCKET"

    def _accepted(self, connection: Connection) -> None:
        self._hang_up(*(other for other in self._connections if other is not connection))
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
