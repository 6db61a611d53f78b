"""An emulated device as a bus that carries whole messages sees it: each has an end, with or without a line end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from instruments.emulated.device import Device

MESSAGE_AVAILABLE = 0x10
"""The bit of the status byte (IEEE 488.2) that says there is something to read."""


@dataclass
class _Message:
    data: bytearray
    ended: bool


class Messages:
    """What was said to a device and what it has said that the host has not taken yet.

    A message of the device ends when it has ended its line and will say no more by itself: so two lines that
    answer one query are one message, and so is a whole stream.

    Parameters
    ----------
    device : Device
        The device; bytes go in and out through this object only.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._end = str(getattr(device, "end", "\n")).encode("latin-1")
        self._half_heard = False
        self._said: deque[_Message] = deque()

    @property
    def waiting(self) -> int:
        """How many bytes the host could take."""
        return sum(len(message.data) for message in self._said)

    @property
    def status_byte(self) -> int:
        """The device's status byte, with the bit that says whether there is something to read."""
        of_device = getattr(self.device, "status_byte", None)
        return (of_device() if of_device else 0) | (MESSAGE_AVAILABLE if self._said else 0)

    def link_opened(self) -> None:
        """Begin a new connection."""
        self.device.link_opened()
        self._said.clear()
        self._half_heard = False

    def hear(self, data: bytes, *, ended: bool) -> None:
        """Hand bytes to the device; the end of a message is the end of a line for it."""
        unended = ended and (not data.endswith(b"\n") if data else self._half_heard)
        self._half_heard = not ended and (not data.endswith(b"\n") if data else self._half_heard)
        self._add(self.device.due())
        self._add(self.device.feed(data + b"\n" if unended else data))

    def pull(self) -> bool:
        """Take what the device has to say by now; return whether the host could take something."""
        self._add(self.device.due())
        return bool(self._said)

    def take(self, count: int, *, end_byte: int | None = None) -> tuple[bytes, bool]:
        """Return up to `count` bytes, up to `end_byte` or the end of a message, and whether that is its end."""
        if not self._said:
            return b"", False
        message = self._said[0]
        if end_byte is not None:
            count = min(count, message.data.find(end_byte) + 1 or count)
        taken = bytes(message.data[:count])
        del message.data[:count]
        if message.data:
            return taken, False
        self._said.popleft()
        return taken, message.ended

    def holds(self, end_byte: int) -> bool:
        """Return whether `end_byte` or the end of a message can be read without waiting."""
        return bool(self._said) and (self._said[0].ended or end_byte in self._said[0].data)

    def clear(self) -> None:
        """Clear the device: what was heard in part, and what was said and not taken, is forgotten."""
        clear = getattr(self.device, "device_clear", None)
        if clear:
            clear()
        self._said.clear()
        self._half_heard = False

    def trigger(self) -> None:
        """Trigger a device that can be triggered."""
        trigger = getattr(self.device, "trigger", None)
        if trigger:
            trigger()

    def _add(self, chunks: list[bytes]) -> None:
        data = b"".join(chunks)
        if not data:
            return
        if not self._said or self._said[-1].ended:
            self._said.append(_Message(bytearray(), ended=False))
        self._said[-1].data += data
        self._said[-1].ended = data.endswith(self._end) and self.device.next_due is None
