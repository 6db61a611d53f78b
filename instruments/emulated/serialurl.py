"""An emulated instrument at a serial port inside this process: PyVISA-Py and pyserial, on any system.

pyserial finds how to open ``eisim://NAME`` in `instruments.emulated.serial_handlers`; on Windows PyVISA-Py puts
``COM`` in front of it, for which there is a handler too.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any, Self

import serial
from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from instruments.emulated.device import Device

SCHEME = "eisim://"
HANDLERS = "instruments.emulated.serial_handlers"

_numbers = itertools.count(1)
_ports: dict[str, Device] = {}
_busy: set[str] = set()


class SerialUrl:
    """Serves one device at a port of this process, until it is closed.

    Parameters
    ----------
    device : Device
        The device; one client at a time.
    name : str, optional
        The name of the port; a new one by default.

    Attributes
    ----------
    resource : str
        Its VISA resource name.
    backend : str
        The backend to open it with.
    """

    backend = "@py"

    def __init__(self, device: Device, *, name: str | None = None) -> None:
        self._name = name or f"port{next(_numbers)}"
        self.resource = f"ASRL{SCHEME}{self._name}::INSTR"
        _ports[self._name] = device
        if HANDLERS not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.insert(0, HANDLERS)

    def close(self) -> None:
        """Take the port away; may be called twice."""
        _ports.pop(self._name, None)
        _busy.discard(self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmulatedSerial(SerialBase):  # type: ignore[misc]  # pyserial has no types
    """pyserial's view of a port of this process."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._device: Device | None = None
        self._name = ""
        self._received = bytearray()
        self._changed = threading.Condition()
        super().__init__(*arguments, **options)

    def open(self) -> None:
        """Open the port its URL names."""
        self._name = str(self.port).partition("://")[2]
        device = _ports.get(self._name)
        if device is None or device.unplugged:
            raise SerialException(f"could not open port {self.port}: no such port")
        if self._name in _busy:
            raise SerialException(f"could not open port {self.port}: it is in use")
        _busy.add(self._name)
        self._device = device
        self._received.clear()
        device.link_opened()
        self.is_open = True

    def close(self) -> None:
        """Close the port; may be called twice."""
        if self.is_open:
            self.is_open = False
            _busy.discard(self._name)
            with self._changed:
                self._changed.notify_all()

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read without waiting."""
        with self._changed:
            return self._pulled(self._connected())

    def read(self, size: int = 1) -> bytes:
        """Return `size` bytes, or what has come by the time-out."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        with self._changed:
            while (device := self._connected()) and self._pulled(device) < size:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    break
                due = device.next_due
                pause_s = None if due is None else device.clock.seconds_until(due)
                waits = [wait for wait in (remaining, pause_s) if wait is not None]
                self._changed.wait(min(waits, default=None))
            data = bytes(self._received[:size])
            del self._received[:size]
        return data

    def write(self, b: Any, /) -> int:
        """Hand bytes to the device."""
        data = bytes(b)
        with self._changed:
            device = self._connected()
            self._pulled(device)
            self._received += b"".join(device.feed(data))
            self._changed.notify_all()
        return len(data)

    def reset_input_buffer(self) -> None:
        """Forget what was received."""
        with self._changed:
            self._received.clear()

    def reset_output_buffer(self) -> None:
        """Do nothing: what is written is heard at once."""

    def flush(self) -> None:
        """Do nothing: what is written is heard at once."""

    def _connected(self) -> Device:
        if not self.is_open or self._device is None:
            raise PortNotOpenError
        if not self._received and (self._device.dropped or _ports.get(self._name) is not self._device):
            raise SerialException("the device was disconnected")
        return self._device

    def _pulled(self, device: Device) -> int:
        self._received += b"".join(device.due())
        if not self._received and device.dropped:
            raise SerialException("the device was disconnected")
        return len(self._received)

    def _reconfigure_port(self) -> None:
        """Do nothing: every baud rate will do."""

    def _update_rts_state(self) -> None:
        """Do nothing: there are no such lines."""

    def _update_dtr_state(self) -> None:
        """Do nothing: there are no such lines."""

    def _update_break_state(self) -> None:
        """Do nothing: there are no such lines."""
