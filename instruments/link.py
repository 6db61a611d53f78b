"""The one way to talk to an instrument: PyVISA behind a line buffer, absolute deadlines and one kind of error.

Why not a bare PyVISA resource: its reads drop half a line at a time-out, PyVISA-Py opens dead TCP ports without
complaint and then spins when the far end has closed, and six families of exceptions come out of it. Here no
received byte is lost, a closed connection is noticed at once, and everything that goes wrong is a `LinkError`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from eis.errors import AbortedError, ConfigError, LinkError

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase
    from pyvisa.resources import MessageBasedResource

SLICE_S = 0.1
"""The longest uninterrupted wait (s): how soon Ctrl-C and a closed connection are noticed."""
READY_S = 2.0
"""Time-out (s) of a read of bytes that have already arrived; PyVISA-Py drops them if it runs out."""
PAUSE_S = 0.01
WRITE_PIECE = 4096
"""How much PyVISA-Py sends after one wait; for more it waits again, without a time-out."""
LONGEST_LINE = 1 << 20
TRANSCRIPT_LENGTH = 200
NOTE_LENGTH = 20


class Link:
    """An open connection to one instrument; one thread converses, any thread may `write` in between.

    Parameters
    ----------
    resource : str
        VISA resource name.
    backend : str or VisaLibraryBase
        What to hand to ``pyvisa.ResourceManager``: ``"@py"`` is PyVISA-Py, ``"@ivi"`` an installed VISA.
    label : str, optional
        What people call the resource, if not by its VISA name.
    baud_rate : int, optional
        Baud rate of serial resources; 8N1, no handshake.
    open_timeout_s : float
        How long opening may take (s), and how long a write may block.

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
    ) -> None:
        self.resource = label or resource
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LENGTH)
        self._name = resource
        self._backend = backend
        self._baud_rate = baud_rate
        self._open_timeout_s = open_timeout_s
        self.on_close: Callable[[], None] | None = None
        self._session: MessageBasedResource | None = None
        self._socket: socket.socket | None = None
        self._is_serial = False
        self._received = bytearray()
        self._conversing = threading.RLock()
        self._writing = threading.RLock()
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
        with self._writing, self._translated():
            session, data = self._opened(), text.encode("latin-1")
            self._note(">", text)
            piece = len(data) if self._socket is None else WRITE_PIECE
            for start in range(0, len(data), piece):
                if self._socket is not None and not select.select([], [self._socket], [], self._open_timeout_s)[1]:
                    raise self._error("The instrument takes no more data")
                session.write_raw(data[start : start + piece])

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
                    raise self._error(f"No line came within {timeout_s:.3g} s{partial}")
                with self._translated():
                    self._received += self._receive(remaining)
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
            with self._translated():
                session = self._opened()
                while arrived := self._arrived(session):
                    self._received += _visa_read(session, arrived, READY_S)
            if self._received:
                self._note("x", self._received.decode("latin-1"))
            self._received.clear()

    def reopen(self) -> None:
        """Close and open a new session: the one recovery that always works.

        Raises
        ------
        LinkError
            If the resource cannot be opened again.
        """
        with self._conversing:
            self._close_session()
            self._open()

    def close(self) -> None:
        """Close for good; may be called twice, and while another thread waits for a line (it gets a LinkError)."""
        self._close_session()
        if self.on_close:
            self.on_close()
            self.on_close = None

    def _open(self) -> None:
        import pyvisa
        from pyvisa import rname
        from pyvisa.resources import MessageBasedResource, SerialInstrument

        try:
            parsed = rname.parse_resource_name(self._name)
            port = int(parsed.port) if isinstance(parsed, rname.TCPIPSocket) else None
        except ValueError as error:
            raise ConfigError(
                f"{self.resource!r} is not a VISA resource name",
                where="resource",
                mend="Write it like TCPIP0::192.168.0.5::5025::SOCKET, ASRL/dev/ttyUSB0::INSTR, GPIB0::17::INSTR "
                "or sim::symmetric-cell.",
            ) from error
        with self._writing, self._translated():
            if isinstance(self._backend, str) and isinstance(parsed, rname.TCPIPSocket) and port is not None:
                self._probe(parsed.host_address, port)
            manager = pyvisa.ResourceManager(self._backend)  # shared by the whole process: never closed here
            session = manager.open_resource(self._name, open_timeout=round(self._open_timeout_s * 1000))
            self._session = cast(MessageBasedResource, session)
            self._received.clear()
            self._note("=", "opened")
            self._is_serial = isinstance(session, SerialInstrument)
            if isinstance(session, SerialInstrument) and self._baud_rate:
                session.baud_rate = self._baud_rate
            self._socket = _socket_under(session)
            if self._socket is not None:
                self._socket.getpeername()  # fails if PyVISA-Py opened what is not there
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.settimeout(self._open_timeout_s)

    def _probe(self, host: str, port: int) -> None:
        """Fail fast and plainly where PyVISA-Py would report a dead port as open."""
        socket.create_connection((host, port), self._open_timeout_s).close()

    def _close_session(self) -> None:
        with self._writing:
            session, self._session, self._socket = self._session, None, None
            if session is not None:
                self._note("=", "closed")
                with contextlib.suppress(LinkError), self._translated():
                    session.close()

    def _opened(self) -> MessageBasedResource:
        if self._session is None:
            raise self._error("The connection is closed")
        return self._session

    def _receive(self, timeout_s: float) -> bytes:
        """Return some bytes, or none if none came in time; bytes are only taken once they have arrived."""
        session, slice_s = self._opened(), min(timeout_s, SLICE_S)
        if self._socket is not None:
            select.select([self._socket], [], [], slice_s)
        arrived = self._arrived(session)
        if arrived:
            return _visa_read(session, arrived, READY_S)
        if self._socket is not None:
            return b""
        if self._is_serial:
            return _visa_read(session, 1, slice_s)
        came = _visa_read(session, session.chunk_size, timeout_s)  # a message: cannot be asked for in slices
        if not came:
            time.sleep(min(timeout_s, PAUSE_S))  # HiSLIP answers an early read with nothing, at once
        return came

    def _arrived(self, session: MessageBasedResource) -> int:
        """Return how many bytes can be read without waiting; 0 where VISA cannot tell."""
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            peeked = len(self._socket.recv(session.chunk_size, socket.MSG_PEEK))
            if not peeked:
                raise self._error("The instrument closed the connection")
            return peeked
        return int(cast(Any, session).bytes_in_buffer) if self._is_serial else 0

    def _note(self, direction: str, text: str) -> None:
        with self._noting:
            self.transcript.append(f"{time.monotonic():.3f} {direction} {text!r}")

    def _error(self, what: str) -> LinkError:
        error = LinkError(
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
        known = (Error, OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError)
        if error is not None and (isinstance(error, known) or type(error) is Exception):
            what = str(error).strip().splitlines() or [type(error).__name__]
            raise self._error_of(f"The connection failed: {what[0].rstrip('.')}") from error


def _visa_read(session: MessageBasedResource, count: int, timeout_s: float) -> bytes:
    from pyvisa.constants import StatusCode
    from pyvisa.errors import VisaIOError

    session.timeout = max(1, round(timeout_s * 1000))
    try:
        with session.ignore_warning(StatusCode.success_max_count_read):
            return bytes(session.visalib.read(session.session, count)[0])
    except VisaIOError as error:
        if error.error_code == StatusCode.error_timeout:
            return b""
        raise


def _socket_under(session: Any) -> socket.socket | None:
    """Return the socket of a PyVISA-Py SOCKET session, where it can be reached; used to look, never to read."""
    sessions = getattr(session.visalib, "sessions", {})
    interface = getattr(sessions.get(session.session), "interface", None)
    return interface if isinstance(interface, socket.socket) else None
