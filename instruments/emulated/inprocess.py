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

from instruments.emulated.methodscript import EmulatedPotentiostat

NAME = "eis-emulated"


@dataclass(eq=False)
class _Session:
    """One open connection to a device: what has arrived for the host, and its attributes."""

    resource: str
    device: EmulatedPotentiostat
    attributes: dict[int, Any]
    received: bytearray = field(default_factory=bytearray)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def pull(self) -> int:
        """Take what the device has to say by now; return how many bytes are waiting."""
        self.received += b"".join(self.device.due())
        return len(self.received)


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

    _devices: dict[str, EmulatedPotentiostat]
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

    def serve(self, device: EmulatedPotentiostat, name: str, *, resource: str | None = None) -> Served:
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
        device.link_opened()
        opened = VISASession(next(iter(self._numbers)))
        self._sessions[opened] = _Session(resource_name, device, attributes)
        return opened, self.handle_return_value(opened, StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session; those that are already gone are nobody's fault."""
        self._sessions.pop(session, None)
        return self.handle_return_value(None, StatusCode.success)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Hand `data` to the device."""
        one = self._session(session)
        with one.changed:
            if one.device.dropped:
                return 0, self.handle_return_value(session, StatusCode.error_connection_lost)
            one.pull()
            one.received += b"".join(one.device.feed(data))
            one.changed.notify_all()
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Return up to `count` bytes, as soon as there is one."""
        one = self._session(session)
        deadline = time.monotonic() + self._timeout_s(one)
        with one.changed:
            while not one.pull():
                if one.device.dropped:
                    return b"", self.handle_return_value(session, StatusCode.error_connection_lost)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return b"", self.handle_return_value(session, StatusCode.error_timeout)
                due = one.device.next_due
                one.changed.wait(remaining if due is None else min(remaining, one.device.clock.seconds_until(due)))
            data = bytes(one.received[:count])
            del one.received[:count]
        status = StatusCode.success_max_count_read if len(data) == count else StatusCode.success
        return data, self.handle_return_value(session, status)

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: ResourceAttribute | EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """Return an attribute that was set, or the number of bytes that are waiting."""
        one = self._session(session)
        if attribute == ResourceAttribute.asrl_avalaible_number:
            with one.changed:
                return one.pull(), StatusCode.success
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
