"""Every way an emulated instrument can be reached, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

from instruments.emulated.device import Device
from instruments.emulated.hislip import HislipServer
from instruments.emulated.inprocess import Served, library
from instruments.emulated.prologix import PrologixServer
from instruments.emulated.pty import PtyServer
from instruments.emulated.serialurl import SerialUrl
from instruments.emulated.tcp import TcpServer
from instruments.emulated.vxi11 import Vxi11Server

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase


class Transport(Protocol):
    """A device that can be reached for as long as a ``with`` block lasts."""

    @property
    def resource(self) -> str:
        """What to hand to `instruments.connect`: its VISA resource name, with Prologix after the adapter's."""
        ...

    @property
    def backend(self) -> str | VisaLibraryBase:
        """The backend to open it with."""
        ...

    def close(self) -> None:
        """End it; may be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def in_process(device: Device, *, resource: str | None = None) -> Served:
    """Serve a device behind PyVISA inside this process, by any resource name; without one, as a serial port."""
    return library().serve(device, f"emulated-{id(device)}", resource=resource)


def prologix(device: Device, *, address: int = 17, port: int = 0, board: int = 0) -> PrologixServer:
    """Serve a device at a GPIB address behind a Prologix GPIB-ETHERNET adapter."""
    return PrologixServer({address: device}, port=port, board=board)


TRANSPORTS: dict[str, Callable[..., Transport]] = {
    "in-process": in_process,
    "tcp": TcpServer,
    "hislip": HislipServer,
    "vxi11": Vxi11Server,
    "pty": PtyServer,
    "serial-url": SerialUrl,
    "prologix": prologix,
}
