"""Emulated instruments inside this process, behind the real PyVISA: a VISA library without ports or threads."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from pyvisa import constants, rname
from pyvisa.constants import EventAttribute, ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from instruments.emulated.device import Device
from instruments.emulated.messages import Messages

NAME = "eis-emulated"


@dataclass(eq=False)
class _Session:
    """One open connection to a device: what was said on both sides, and its attributes."""

    resource: str
    messages: Messages
    attributes: dict[int, Any]
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def in_messages(self) -> bool:
        """Whether bytes come in messages that have an end, as on a GPIB; not as on a serial port."""
        is_serial = self.attributes[ResourceAttribute.interface_type] == constants.InterfaceType.asrl
        return not is_serial and self.attributes[ResourceAttribute.resource_class] == "INSTR"

    @property
    def end_byte(self) -> int | None:
        """The byte that ends a read, if one does."""
        enabled = self.attributes.get(ResourceAttribute.termchar_enabled)
        return int(self.attributes.get(ResourceAttribute.termchar, ord("\n"))) if enabled else None

    def can_read(self, count: int) -> bool:
        """Return whether a read of up to `count` bytes need not wait any longer."""
        waiting, end_byte = self.messages.pull(), self.end_byte
        return waiting and (end_byte is None or self.messages.holds(end_byte) or self.messages.waiting >= count)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Return up to `count` bytes that have come."""
        data, ended = self.messages.take(count, end_byte=self.end_byte)
        if ended and self.in_messages:
            return data, StatusCode.success
        if self.end_byte is not None and data.endswith(bytes([self.end_byte])):
            return data, StatusCode.success_termination_character_read
        more = self.in_messages or len(data) == count
        return data, StatusCode.success_max_count_read if more else StatusCode.success


@dataclass(frozen=True)
class Served:
    """A device that can be opened: its resource name, and the backend to open it with, until it is closed."""

    resource: str
    backend: InProcessLibrary

    def close(self) -> None:
        """Take the device off the list; open sessions end."""
        self.backend.withdraw(self.resource)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class InProcessLibrary(VisaLibraryBase):
    """A VISA library whose only resources are the emulated instruments it was given; see `library`."""

    _devices: dict[str, Device]
    _sessions: dict[int, _Session]
    _numbers: Iterable[int]

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath, ...]:
        """Return the one name this library goes by."""
        return (LibraryPath(NAME),)

    def _init(self) -> None:
        self._devices = {}
        self._sessions = {}
        self._numbers = itertools.count(1)

    def serve(self, device: Device, name: str, *, resource: str | None = None) -> Served:
        """Make `device` a serial port called `name`, or the VISA resource `resource`."""
        canonical = str(rname.parse_resource_name(resource or f"ASRL{name}::INSTR"))
        self._devices[canonical] = device
        return Served(canonical, self)

    def withdraw(self, resource: str) -> None:
        """Take a device off the list, and end the sessions with it."""
        self._devices.pop(resource, None)
        for session in [number for number, one in self._sessions.items() if one.resource == resource]:
            del self._sessions[session]

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Return a session of the resource manager."""
        return VISARMSession(0), self.handle_return_value(None, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the names of the devices that match `query`."""
        return rname.filter(list(self._devices), query)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a device; one session at a time, as with a serial port."""
        device = self._devices.get(resource_name)
        if device is None or device.unplugged:
            return VISASession(0), self.handle_return_value(None, StatusCode.error_resource_not_found)
        if any(one.resource == resource_name for one in self._sessions.values()):
            return VISASession(0), self.handle_return_value(None, StatusCode.error_resource_busy)
        parsed = rname.parse_resource_name(resource_name)
        attributes: dict[int, Any] = {
            ResourceAttribute.timeout_value: 2000,
            ResourceAttribute.interface_type: parsed.interface_type_const,
            ResourceAttribute.resource_class: parsed.resource_class,
            ResourceAttribute.resource_name: resource_name,
        }
        messages = Messages(device)
        messages.link_opened()
        opened = VISASession(next(iter(self._numbers)))
        self._sessions[opened] = _Session(resource_name, messages, attributes)
        return opened, self.handle_return_value(opened, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session; those that are already gone are nobody's fault."""
        self._sessions.pop(session, None)
        return self.handle_return_value(None, StatusCode.success)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Hand `data` to the device."""
        one = self._session(session)
        with one.changed:
            if one.messages.device.dropped:
                return 0, self.handle_return_value(session, StatusCode.error_connection_lost)
            one.messages.hear(data, ended=one.in_messages)
            one.changed.notify_all()
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Return up to `count` bytes, as soon as there is one; or, if a byte is to end reads, as soon as it is."""
        one = self._session(session)
        device, deadline = one.messages.device, time.monotonic() + self._timeout_s(one)
        with one.changed:
            while not one.can_read(count):
                if device.dropped:
                    return b"", self.handle_return_value(session, StatusCode.error_connection_lost)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return b"", self.handle_return_value(session, StatusCode.error_timeout)
                due = device.next_due
                pause_s = remaining if due is None else min(remaining, device.clock.seconds_until(due))
                one.changed.wait(min(pause_s, threading.TIMEOUT_MAX))
                self._session(session)  # it may have been closed meanwhile
            data, status = one.read(count)
        return data, self.handle_return_value(session, status)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Return the status byte; a serial port has none."""
        one = self._session(session)
        if not one.in_messages:
            return 0, self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with one.changed:
            device = one.messages.device
            if not one.messages.pull() and device.next_due is not None:
                device.clock.seconds_until(device.next_due)  # who asks again and again is waiting
            if not one.messages.pull() and device.dropped:
                return 0, self.handle_return_value(session, StatusCode.error_connection_lost)
            return one.messages.status_byte, self.handle_return_value(session, StatusCode.success)

    def clear(self, session: VISASession) -> StatusCode:
        """Clear the device; on a serial port this cannot be done."""
        one = self._session(session)
        if not one.in_messages:
            return self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with one.changed:
            one.messages.clear()
        return self.handle_return_value(session, StatusCode.success)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Trigger a device that can be triggered."""
        one = self._session(session)
        with one.changed:
            one.messages.trigger()
        return self.handle_return_value(session, StatusCode.success)

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: ResourceAttribute | EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """Return an attribute that was set, or the number of bytes that are waiting."""
        one = self._session(session)
        if attribute == ResourceAttribute.asrl_avalaible_number:
            with one.changed:
                one.messages.pull()
                return one.messages.waiting, StatusCode.success
        if attribute not in one.attributes:
            return None, self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        return one.attributes[attribute], StatusCode.success

    def set_attribute(
        self, session: VISASession, attribute: ResourceAttribute, attribute_state: Any
    ) -> StatusCode:
        """Remember an attribute: baud rate, time-out, and so on."""
        self._session(session).attributes[attribute] = attribute_state
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(
        self, session: VISASession, event_type: constants.EventType, mechanism: constants.EventMechanism
    ) -> StatusCode:
        """Do nothing: there are no events."""
        return StatusCode.success

    def discard_events(
        self, session: VISASession, event_type: constants.EventType, mechanism: constants.EventMechanism
    ) -> StatusCode:
        """Do nothing: there are no events."""
        return StatusCode.success

    def _session(self, session: VISASession | VISAEventContext | VISARMSession) -> _Session:
        if session not in self._sessions:
            self.handle_return_value(None, StatusCode.error_invalid_object)  # raises
        return self._sessions[session]

    @staticmethod
    def _timeout_s(one: _Session) -> float:
        timeout_ms = one.attributes[ResourceAttribute.timeout_value]
        return math.inf if timeout_ms == constants.VI_TMO_INFINITE else timeout_ms / 1000


def library() -> InProcessLibrary:
    """Return the library of this process; ``pyvisa.ResourceManager(library())`` opens what it serves."""
    return InProcessLibrary(NAME)  # pyright: ignore[reportReturnType]  # PyVISA's __new__ is annotated for its base
