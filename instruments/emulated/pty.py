"""An emulated instrument at a serial port (a pseudo-terminal), for any VISA program; not on Windows."""

from __future__ import annotations

import contextlib
import os
import selectors
import tempfile
from pathlib import Path
from typing import Any

from eis.errors import ConfigError
from instruments.emulated.device import Device
from instruments.emulated.serving import PIECE, Serving, soonest

UNPLUGGED_S = 0.1
"""How often to look whether the device has been plugged in again (s)."""


class PtyServer(Serving):
    """Serves one device at a pseudo-terminal, in a thread, for as long as the ``with`` block lasts.

    A device that was cut off comes back under the same name, as a USB adapter does.

    Parameters
    ----------
    device : Device
        The device.

    Attributes
    ----------
    resource : str
        Its VISA resource name.
    backend : str
        The backend to open it with.

    Raises
    ------
    ConfigError
        On a system without pseudo-terminals.
    """

    def __init__(self, device: Device) -> None:
        if not hasattr(os, "openpty"):
            raise ConfigError(
                "This system has no pseudo-terminals",
                where="transport",
                mend="Serve the instrument over tcp or hislip instead.",
            )
        super().__init__([device])
        self._device = device
        self._folder = tempfile.TemporaryDirectory(prefix="eis-")
        self._path = Path(self._folder.name) / "port"
        self.resource = f"ASRL{self._path}::INSTR"
        self._terminal: tuple[int, int] | None = None  # the device's end, and the host's
        self._unsent = b""
        self._plug_in()

    def _plug_in(self) -> None:
        import tty

        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._terminal = ours, theirs  # the host's end is kept open, or closing it would look like an error
        fresh = self._path.with_name("plugged-in")
        fresh.symlink_to(os.ttyname(theirs))
        fresh.replace(self._path)  # in one step: a host that opens it meets the old port or the new one
        self._selector.register(ours, selectors.EVENT_READ)
        self._device.link_opened()

    def _replug(self) -> None:
        """Break the connection; unless it is to stay away, a new port is in place before the host notices."""
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            self._selector.unregister(terminal[0])
        self._unsent = b""
        if self._device.unplugged:
            self._path.unlink(missing_ok=True)
        else:
            self._plug_in()
        for one in terminal or ():
            os.close(one)

    def _patience_s(self) -> float | None:
        return soonest(super()._patience_s(), UNPLUGGED_S if self._terminal is None else None)

    def _attend(self, file: Any, data: Any, mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            if self._terminal is not None and mask & selectors.EVENT_READ:
                self._unsent += b"".join(self._device.feed(os.read(self._terminal[0], PIECE)))

    def _speak(self) -> None:
        self._unsent += b"".join(self._device.due())
        if self._terminal is not None:
            self._send(self._terminal[0])
        is_cut_off = self._terminal is not None and self._device.dropped
        is_back = self._terminal is None and not self._device.unplugged
        if is_cut_off or is_back:
            self._replug()

    def _send(self, ours: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[os.write(ours, self._unsent[:PIECE]) :]
        self._selector.modify(ours, selectors.EVENT_READ | (selectors.EVENT_WRITE * bool(self._unsent)))

    def _end(self) -> None:
        for one in self._terminal or ():
            os.close(one)
        self._folder.cleanup()
