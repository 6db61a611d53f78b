"""Instruments that are led from point to point: the part of a driver that is the same for all of them.

A driver says how settings are written and read back, how the cell is energised, measured and switched off; when
and in which order that happens, what is tried again and what is not, is decided here, once.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from eis.errors import AbortedError, LinkError, RejectedError
from eis.spectrum import EXCLUDING, Quality
from instruments.assured_off import AssuredOff
from instruments.link import Link
from instruments.potentiostat import Capabilities, Identity, Point, Sweep

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase

ATTEMPTS = 3
"""How often a point is asked for before a sweep is given up."""
BACK_OFF_S = 0.1
ANSWER_S = 3.0
"""How long an idle instrument may take to answer (s)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instrument said about one point.

    Parameters
    ----------
    frequency_hz : float
        The frequency it measured at (Hz), as it says itself.
    z_ohm : complex
        Impedance (ohm), capacitive Z″ < 0; NaN only with `Quality.NOT_A_NUMBER`.
    quality : Quality
        What its status means.
    status : str
        Its own status words, empty if all is well.
    raw : str
        Its answer, verbatim.
    """

    frequency_hz: float
    z_ohm: complex
    quality: Quality = Quality.OK
    status: str = ""
    raw: str = ""


class PointByPoint(AssuredOff):
    """A driver whose instrument measures one point at a time.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    patience_s : float
        How much longer than three times the predicted duration of a point to wait for it (s).
    """

    def __init__(self, link: Link, *, patience_s: float = 10.0) -> None:
        super().__init__(link)
        self._patience_s = patience_s
        self._remeasure = 0
        self._stopping = threading.Event()
        self._identity = self._identified()
        self._capabilities = self._able()

    @classmethod
    def open(
        cls,
        resource: str,
        *,
        backend: str | VisaLibraryBase = "@py",
        label: str | None = None,
        baud_rate: int | None = None,
        on_close: Callable[[], None] | None = None,
        remeasure: int = 0,
        **options: Any,
    ) -> Self:
        """Open `resource` and ask who is there.

        A point that is overloaded, mistimed or no number is measured up to `remeasure` times more; the last is
        kept, flagged if it still is. The other parameters are those of `Link` and of this class.
        """
        link = Link(resource, backend=backend, label=label, baud_rate=baud_rate)
        try:
            meter = cls(link, **options)
        except BaseException:
            link.close()
            raise
        link.on_close = on_close
        meter._remeasure = remeasure
        return meter

    def identify(self) -> Identity:
        """Return who the instrument said it is when it was connected."""
        return self._identity

    def capabilities(self) -> Capabilities:
        """Return what the instrument can do."""
        return self._capabilities

    def configure(self, sweep: Sweep) -> None:
        """Write a sweep's settings and read them back, the cell staying off; see `Potentiostat.configure`."""
        super().configure(sweep)
        if self._energised:
            raise self._fault("A sweep is running, or the cell may still be on", "Let it end.", RejectedError)
        self._require_same()
        self._prepare(sweep)

    def abort(self) -> None:
        """Tell the instrument to stop measuring, now; see `Potentiostat.abort`."""
        if self._running:
            self._stopping.set()
            self._stop()

    @abstractmethod
    def _identified(self) -> Identity:
        """Ask who is there, changing nothing; InstrumentError if it is not this driver's."""

    @abstractmethod
    def _able(self) -> Capabilities:
        """Return what the instrument that was identified can do."""

    @abstractmethod
    def _prepare(self, sweep: Sweep) -> None:
        """Write a sweep's settings and read them back, the cell being off; RejectedError if one is refused."""

    @abstractmethod
    def _energise(self, sweep: Sweep) -> None:
        """Connect the cell, or apply bias and excitation to it."""

    @abstractmethod
    def _measure(self, frequency_hz: float, sweep: Sweep, timeout_s: float) -> Reading:
        """Measure one point; LinkError if the answer is late, damaged, or another point's."""

    @abstractmethod
    def _stop(self) -> None:
        """Tell the instrument, from any thread, to stop measuring; without waiting for an answer."""

    def _run(self, sweep: Sweep) -> Generator[Point, None, None]:
        self._require_free()
        self._stopping.clear()
        self._running = True
        try:
            self._require_same()
            self._prepare(sweep)
            self._raise_if_stopping()
        except BaseException:
            self._running = False
            raise
        try:
            self._energised = True
            self._energise(sweep)
            started = time.monotonic()
            for index, frequency_hz in enumerate(sweep.frequencies_hz.tolist()):
                yield self._point(index, frequency_hz, sweep, started)
        finally:
            self._running = False
            if self._energised:
                self._make_sure_off()

    def _point(self, index: int, set_hz: float, sweep: Sweep, started: float) -> Point:
        """Measure one point; where the connection fails, over a fresh one and from the settings on."""
        timeout_s = 3 * sweep.predicted_point_s(set_hz) + self._patience_s
        attempt, failures, again = 1, 0, self._remeasure
        while True:
            self._raise_if_stopping()
            self._raise_if_off()
            try:
                reading = self._measure(set_hz, sweep, timeout_s)
            except LinkError:
                self._raise_if_stopping()
                self._raise_if_off()
                failures += 1
                if failures == ATTEMPTS:
                    raise
                self._recover(sweep)
            else:
                if not (reading.quality & EXCLUDING and again):
                    break
                again -= 1
            attempt += 1
        return Point(
            index=index,
            frequency_set_hz=set_hz,
            frequency_hz=reading.frequency_hz,
            z_ohm=reading.z_ohm,
            quality=reading.quality,
            status=reading.status,
            amplitude_v=sweep.amplitude_v,
            time_s=time.monotonic() - started,
            raw=reading.raw,
            attempt=attempt,
        )

    def _recover(self, sweep: Sweep) -> None:
        """Reach the instrument again and bring it from a cell that is known to be off to where it was."""
        self._reach_again(1)
        self._switch_off()
        self._prepare(sweep)
        self._energise(sweep)

    def _raise_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise AbortedError(
                "The sweep was aborted", where=self.link.resource, mend="The points so far are kept."
            )

    def _raise_if_off(self) -> None:
        """End a sweep whose cell somebody switched off: it is never switched on again behind their back."""
        if not self._energised:
            raise AbortedError(
                "The cell was switched off in mid-sweep",
                where=self.link.resource,
                mend="The points so far are kept; measure again.",
            )

    def _require_same(self) -> None:
        """Refuse an instrument that is not the one that was connected."""
        now = self._identified()
        if now.raw != self._identity.raw:
            what = f"Another instrument answers: {now.raw!r} instead of {self._identity.raw!r}"
            raise self._fault(what, "Connect again, and check which instrument the cell is at.")

    def _ask(self, text: str, timeout_s: float | None = None) -> str:
        """Send a query and return the line that answers it; an abort ends the waiting."""
        self.link.discard()
        self.link.write(text + self._end)
        return self._line(ANSWER_S if timeout_s is None else timeout_s)

    def _line(self, timeout_s: float) -> str:
        """Return the next line; AbortedError as soon as a running sweep is to stop."""
        return self.link.read_line(timeout_s, stop=self._stopping.is_set if self._running else None)

    _end = "\n"
    """What ends a line that is sent."""

    def _reach_again(self, attempt: int) -> None:
        time.sleep(BACK_OFF_S * attempt)
        self.link.reopen()
        self._require_same()
