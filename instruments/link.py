"""The one way to talk to an instrument: PyVISA behind a line buffer, absolute deadlines and one kind of error.

Why not a bare PyVISA resource: its reads drop half a line at a time-out, PyVISA-Py opens dead TCP ports without
complaint and then spins when the far end has closed, and six families of exceptions come out of it. Here no
received byte is lost, a closed connection is noticed at once, and everything that goes wrong is a `LinkError`.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, cast

from eis.errors import AbortedError, ConfigError, LinkError, NoAnswerError
from instruments.hislip import Hislip
from instruments.prologix import ADAPTERS, Prologix
from instruments.sessions import PySerial, Serial, Session, Socket, Vxi11, close_left_open, inner_of

if TYPE_CHECKING:
    from pyvisa.highlevel import ResourceManager, VisaLibraryBase
    from pyvisa.resources import MessageBasedResource, Resource
    from pyvisa.rname import ResourceName

COMES_BACK_S = 3.0
"""How long to wait for a port that has gone away (s), as when a USB adapter is pulled and put back."""
LOOK_AGAIN_S = 0.1
SLICE_S = 0.1
"""The longest uninterrupted wait (s): how soon Ctrl-C and a closed connection are noticed."""
TURN_S = 0.001
HISLIP_PORT = 4880
LONGEST_LINE = 1 << 20
DISCARD_S = 1.0
"""How long to go on dropping what an instrument does not stop to say (s)."""
TRANSCRIPT_LENGTH = 200
NOTE_LENGTH = 20

KINDS: dict[str, type[Session]] = {
    "SerialSession": PySerial,
    "TCPIPSocketSession": Socket,
    "TCPIPInstrHiSLIP": Hislip,
    "TCPIPInstrVxi11": Vxi11,
    "PrologixInstrSession": Prologix,
}
"""By the name of PyVISA-Py's class; what is not among them is read by what VISA alone promises."""


class Link:
    """An open connection to one instrument; one thread converses, any thread may `write` in between.

    Parameters
    ----------
    resource : str
        VISA resource name; for a GPIB instrument behind a Prologix adapter, that of the adapter, ``>``, and its
        own: ``PRLGX-TCPIP0::192.168.0.7::1234::INTFC>GPIB0::17::INSTR``.
    backend : str or VisaLibraryBase
        What to hand to ``pyvisa.ResourceManager``: ``"@py"`` is PyVISA-Py, ``"@ivi"`` an installed VISA.
    label : str, optional
        What people call the resource, if not by its VISA name.
    baud_rate : int, optional
        Baud rate of serial resources; 8N1, no handshake.
    open_timeout_s : float
        How long opening may take (s), and how long a write may block.
    gap_s : float
        The least time between two writes (s), for instruments that lose what comes too fast.

    Attributes
    ----------
    resource : str
        What people call the resource.
    transcript : deque of str
        The last lines in both directions, with the time (s) on the monotonic clock.
    on_close : callable, optional
        Called once, after the link was closed for good.

    Raises
    ------
    LinkError
        If the resource cannot be opened.
    """

    def __init__(
        self,
        resource: str,
        *,
        backend: str | VisaLibraryBase = "@py",
        label: str | None = None,
        baud_rate: int | None = None,
        open_timeout_s: float = 3.0,
        gap_s: float = 0.0,
    ) -> None:
        self.resource = label or resource
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LENGTH)
        self._adapter, _, self._name = resource.rpartition(">")
        self._adapter_is_open = False
        self._backend = backend
        self._baud_rate = baud_rate
        self._open_timeout_s = open_timeout_s
        self._gap_s = gap_s
        self._written_at = -math.inf
        self.on_close: Callable[[], None] | None = None
        self._session: Session | None = None
        self._received = bytearray()
        self._conversing = threading.RLock()
        self._using = threading.RLock()  # held for each single use of the session, never while waiting for long
        self._writers = 0
        self._noting = threading.Lock()
        try:
            self._open()
        except LinkError:
            self.close()
            raise

    def write(self, text: str) -> None:
        """Send `text` as it stands, line ends included.

        Raises
        ------
        LinkError
            If it cannot be sent.
        """
        with self._first(), self._translated():
            session = self._opened()
            time.sleep(max(0.0, self._written_at + self._gap_s - time.monotonic()))
            self._note(">", text)
            session.write(text.encode("latin-1"))
            self._written_at = time.monotonic()

    def read_line(self, timeout_s: float, *, stop: Callable[[], bool] | None = None) -> str:
        """Return the next line without its end; what has arrived of a later one is kept for the next call.

        `stop` is asked about ten times a second; once it says so, waiting ends.

        Raises
        ------
        LinkError
            If no whole line came within `timeout_s`, or the connection failed.
        AbortedError
            If `stop` said so.
        """
        deadline = time.monotonic() + timeout_s
        with self._conversing:
            while b"\n" not in self._received:
                if stop is not None and stop():
                    raise AbortedError(
                        "The sweep was aborted", where=self.resource, mend="The points so far are kept."
                    )
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    partial = f"; it began with {bytes(self._received[:80])!r}" if self._received else ""
                    raise self._error(f"No line came within {timeout_s:.3g} s{partial}", NoAnswerError)
                self._receive(min(remaining, SLICE_S))
                if len(self._received) > LONGEST_LINE:
                    raise self._error(f"{LONGEST_LINE} characters came without a line end")
            line, _, self._received = self._received.partition(b"\n")
        text = line.decode("latin-1").rstrip("\r")
        self._note("<", text)
        return text

    def query(self, text: str, timeout_s: float) -> str:
        """Drop what came unasked, send `text` as a line, and return the next line; one thread at a time."""
        with self._conversing:
            self.discard()
            self.write(text + "\n")
            return self.read_line(timeout_s)

    def discard(self) -> None:
        """Drop everything that has arrived; it stays in the transcript."""
        with self._conversing:
            deadline = time.monotonic() + DISCARD_S
            with self._first(), self._translated():
                while (arrived := self._opened().arrived()) and time.monotonic() < deadline:
                    self._received += arrived
            if self._received:
                self._note("x", self._received.decode("latin-1"))
            self._received.clear()

    def reopen(self) -> None:
        """Close and open a new session: the one recovery that always works.

        A port that has gone away is waited for: a USB adapter takes a second or two to come back.

        Raises
        ------
        LinkError
            If the resource cannot be opened again.
        """
        with self._conversing:
            self._close_session()
            deadline = time.monotonic() + COMES_BACK_S
            while True:
                try:
                    return self._open()
                except LinkError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(LOOK_AGAIN_S)

    def close(self) -> None:
        """Close for good; may be called twice, and while another thread waits for a line (it gets a LinkError)."""
        self._close_session()
        if self.on_close:
            self.on_close()
            self.on_close = None

    def _open(self) -> None:
        import pyvisa
        from pyvisa import rname
        from pyvisa.resources import SerialInstrument

        try:
            parsed = rname.parse_resource_name(self._name)
            address = _address_of(rname.parse_resource_name(self._adapter) if self._adapter else parsed)
        except ValueError as error:
            raise ConfigError(
                f"{self.resource!r} is not a VISA resource name",
                where="resource",
                mend="Write it like TCPIP0::192.168.0.5::5025::SOCKET, ASRL/dev/ttyUSB0::INSTR, GPIB0::17::INSTR "
                "or sim::symmetric-cell.",
            ) from error
        with self._first(), self._translated():
            manager = pyvisa.ResourceManager(self._backend)  # shared by the whole process: never closed here
            checked = address if isinstance(self._backend, str) else None
            if self._adapter:
                ADAPTERS.take(self._adapter, lambda: self._checked(manager, self._adapter, checked))
                self._adapter_is_open = True
                checked = None
            opened = self._checked(manager, self._name, checked)
            if isinstance(opened, SerialInstrument) and self._baud_rate:
                opened.baud_rate = self._baud_rate
            self._received.clear()
            self._note("=", "opened")
            try:
                self._session = _session_for(cast("MessageBasedResource", opened), self._open_timeout_s)
            except BaseException:
                opened.close()
                raise

    def _checked(self, manager: ResourceManager, name: str, address: tuple[str, int] | None) -> Resource:
        """Open a resource; fail fast and plainly where PyVISA-Py would report a dead port as open."""
        if address is not None:
            socket.create_connection(address, self._open_timeout_s).close()
        try:
            return manager.open_resource(name, open_timeout=round(self._open_timeout_s * 1000))
        except BaseException as error:
            close_left_open(error)
            raise

    def _close_session(self) -> None:
        with self._first():
            session, self._session = self._session, None
            if session is not None:
                self._note("=", "closed")
                with contextlib.suppress(LinkError), self._translated():
                    session.close()
            if self._adapter_is_open:
                self._adapter_is_open = False
                ADAPTERS.give_back(self._adapter)

    def _opened(self) -> Session:
        if self._session is None:
            raise self._error("The connection is closed")
        return self._session

    @contextlib.contextmanager
    def _first(self) -> Iterator[None]:
        """Use the session before a thread that reads takes its next turn."""
        with self._noting:
            self._writers += 1
        try:
            with self._using:
                yield
        finally:
            with self._noting:
                self._writers -= 1

    def _receive(self, timeout_s: float) -> None:
        """Take what comes within `timeout_s`; the end of a message is the end of a line."""
        with self._translated():
            self._opened().wait(timeout_s)  # outside the lock: who writes does not wait for this
            while self._writers:
                time.sleep(TURN_S)
            with self._using:
                came, ended = self._opened().read(timeout_s)
        self._received += came
        if ended and self._received and not self._received.endswith(b"\n"):
            self._received += b"\n"

    def _note(self, direction: str, text: str) -> None:
        with self._noting:
            self.transcript.append(f"{time.monotonic():.3f} {direction} {text!r}")

    def _error(self, what: str, kind: type[LinkError] = LinkError) -> LinkError:
        error = kind(
            what,
            where=self.resource,
            mend="Check that the instrument is on and connected, that the resource name is right, and that no "
            "other program is using it.",
        )
        with self._noting:
            last = list(self.transcript)[-NOTE_LENGTH:]
        if last:
            error.add_note("Last exchange:\n" + "\n".join(last))
        return error

    def _translated(self) -> _Translated:
        return _Translated(self._error)


class _Translated:
    """Turns whatever PyVISA and what lies under it raise into a `LinkError`."""

    def __init__(self, error_of: Callable[[str], LinkError]) -> None:
        self._error_of = error_of

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from pyvisa.errors import Error

        # TypeError and AttributeError: the session was closed under us. PyVISA-Py also raises bare `Exception`s.
        known = (Error, OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, AssertionError)
        if error is not None and (isinstance(error, known) or type(error) is Exception):
            what = str(error).strip().splitlines() or [type(error).__name__]
            raise self._error_of(f"The connection failed: {what[0].rstrip('.')}") from error


def _address_of(name: ResourceName) -> tuple[str, int] | None:
    """Return host and TCP port of what PyVISA-Py does not check when it opens it; None for all else."""
    from pyvisa import rname

    match name:
        case rname.TCPIPSocket() | rname.PrlgxTCPIPIntfc():
            return name.host_address, int(name.port)
        case rname.TCPIPInstr() if name.lan_device_name.lower().startswith("hislip"):
            return name.host_address, int(name.lan_device_name.partition(",")[2] or HISLIP_PORT)
        case rname.TCPIPInstr() if "," in name.host_address:
            host, _, port = name.host_address.partition(",")
            return host, int(port)
    return None


def _session_for(resource: MessageBasedResource, patience_s: float) -> Session:
    """Return the kind of session that `resource` is."""
    from pyvisa.resources import SerialInstrument

    kind = KINDS.get(type(inner_of(resource)).__name__)
    if kind is None:
        kind = Serial if isinstance(resource, SerialInstrument) else Session
    return kind(resource, patience_s)
