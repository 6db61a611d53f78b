"""What the transports that need a thread have in common: one loop, connections that never block it, and an end."""

from __future__ import annotations

import contextlib
import math
import selectors
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from instruments.emulated.device import Device

PIECE = 1 << 16


class Serving(ABC):
    """A thread that serves devices for as long as a ``with`` block lasts.

    Parameters
    ----------
    devices : sequence of Device
        What is served.

    Attributes
    ----------
    resource : str
        The VISA resource name of the (first) device.
    backend : str
        The backend to open it with.
    """

    backend = "@py"
    resource: str

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        self._waker, self._sleeper = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._sleeper, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve, name=f"emulated at {self.resource}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up, end the thread, and give back what the operating system lent; may be called twice."""
        if self._waker.fileno() < 0:
            return
        self._waker.send(b"x")
        if self._thread is not None:
            self._thread.join()
        self._end()
        for one in (self._waker, self._sleeper, self._selector):
            one.close()

    def _serve(self) -> None:
        while True:
            for key, mask in self._selector.select(self._patience_s()):
                if key.fileobj is self._sleeper:
                    return
                self._attend(key.fileobj, key.data, mask)
            self._speak()

    def _patience_s(self) -> float | None:
        """Return how long nothing will happen but for what a client sends; None is for ever."""
        waits = [
            device.clock.seconds_until(due) for device in self._devices if (due := device.next_due) is not None
        ]
        return min(waits, default=None)

    @abstractmethod
    def _attend(self, file: Any, data: Any, mask: int) -> None:
        """Deal with a file that can be read or written."""

    @abstractmethod
    def _speak(self) -> None:
        """Carry what the devices have to say by now, and hang up if one has been cut off."""

    @abstractmethod
    def _end(self) -> None:
        """Close every file that is open, the thread having ended."""


class Connection:
    """A client's TCP connection, which takes whatever is to be sent without waiting for the client to read it.

    Attributes
    ----------
    received : bytearray
        What has arrived and has not been understood yet.
    is_open : bool
        Whether it still is.
    """

    def __init__(self, client: socket.socket, selector: selectors.BaseSelector) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(client, selectors.EVENT_READ, self)
        self.received = bytearray()
        self.is_open = True
        self._client = client
        self._selector = selector
        self._unsent = bytearray()

    def receive(self) -> bool:
        """Take what has arrived; return whether the client is still there."""
        try:
            data = self._client.recv(PIECE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self.received += data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Send `data`, now or when the client takes it."""
        if not self.is_open:
            return
        self._unsent += data
        self.flush()

    def flush(self) -> None:
        """Send what the client takes now."""
        try:
            while self._unsent:
                del self._unsent[: self._client.send(self._unsent[:PIECE])]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._selector.modify(
            self._client, selectors.EVENT_READ | (selectors.EVENT_WRITE * bool(self._unsent)), self
        )

    def close(self) -> None:
        """Hang up; may be called twice."""
        if self.is_open:
            self.is_open = False
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._client)
            self._client.close()


class SocketServer(Serving):
    """Serves devices on a TCP port of 127.0.0.1.

    Parameters
    ----------
    devices : sequence of Device
        What is served.
    port : int
        The port; 0 takes a free one.
    """

    def __init__(self, devices: Sequence[Device], *, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        super().__init__(devices)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._connections: list[Connection] = []

    @abstractmethod
    def _accepted(self, connection: Connection) -> None:
        """Greet a new client."""

    @abstractmethod
    def _received(self, connection: Connection) -> None:
        """Deal with what is in `connection.received`."""

    def _closed(self, connection: Connection) -> None:
        """Deal with the end of a connection."""

    def _attend(self, file: Any, data: Any, mask: int) -> None:
        if file is self._listener:
            with contextlib.suppress(OSError):  # it may have gone again
                connection = Connection(self._listener.accept()[0], self._selector)
                self._connections.append(connection)
                self._accepted(connection)
            return
        connection = data
        if connection.is_open and mask & selectors.EVENT_WRITE:
            connection.flush()
        if connection.is_open and mask & selectors.EVENT_READ:
            if connection.receive():
                self._received(connection)
            else:
                self._hang_up(connection)

    def _hang_up(self, *connections: Connection) -> None:
        for connection in connections:
            connection.close()
            if connection in self._connections:
                self._connections.remove(connection)
                self._closed(connection)

    def _hang_up_others(self, connection: Connection) -> None:
        self._hang_up(*(other for other in self._connections if other is not connection))

    def _end(self) -> None:
        self._hang_up(*self._connections)
        self._listener.close()


class DeviceServer(SocketServer):
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

    address: str
    """The resource name, with ``{port}`` for the port."""

    def __init__(self, device: Device, *, port: int = 0) -> None:
        super().__init__([device], port=port)
        self.resource = self.address.format(port=self.port)
        self._device = device


def soonest(*waits_s: float | None) -> float | None:
    """Return the shortest of some waiting times (s); None is for ever."""
    shortest = min((math.inf if wait_s is None else wait_s for wait_s in waits_s), default=math.inf)
    return None if shortest == math.inf else max(0.0, shortest)
