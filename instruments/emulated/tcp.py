"""An emulated instrument on a TCP port of this computer, for any VISA program: one client at a time."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

from instruments.emulated.methodscript import EmulatedPotentiostat


class TcpServer:
    """Serves one device on 127.0.0.1, in a thread, for as long as the ``with`` block lasts.

    Parameters
    ----------
    device : EmulatedPotentiostat
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

    backend = "@py"

    def __init__(self, device: EmulatedPotentiostat, *, port: int = 0) -> None:
        self._device = device
        self._listener = socket.create_server(("127.0.0.1", port))
        self.resource = f"TCPIP0::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"
        self._waker, self._sleeper = socket.socketpair()
        self._client: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._serve, name=f"emulated at {self.resource}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.send(b"x")
        self._thread.join()
        for one in (self._waker, self._sleeper, self._listener, self._selector):
            one.close()

    def _serve(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._sleeper, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select(self._patience_s()):
                if key.fileobj is self._sleeper:
                    self._hang_up()
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif self._client is not None and key.fileobj is self._client:
                    self._receive(self._client)
            self._send(self._device.due())

    def _patience_s(self) -> float | None:
        """Return how long nothing will happen but for what a client sends; None is for ever."""
        due = self._device.next_due
        return None if due is None else self._device.clock.seconds_until(due)

    def _accept(self) -> None:
        self._hang_up()
        self._client, _ = self._listener.accept()
        if self._device.unplugged:
            self._hang_up()
            return
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(self._client, selectors.EVENT_READ)
        self._device.link_opened()

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
        except ConnectionError:
            data = b""
        if data:
            self._send(self._device.feed(data))
        else:
            self._hang_up()

    def _send(self, output: list[bytes]) -> None:
        if output and self._client is not None:
            try:
                self._client.sendall(b"".join(output))
            except ConnectionError:
                self._hang_up()
        if self._device.dropped:
            self._hang_up()

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(client)
            client.close()
