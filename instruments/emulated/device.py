"""What every emulated instrument is to a transport, and what those that speak in lines have in common.

A device neither reads nor writes anything by itself: a transport hands it bytes and carries what it answers, at
the time its clock says. So the same device can be served in this process, over TCP, HiSLIP, VXI-11, GPIB or a
serial port.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol

import numpy as np

from instruments.emulated.cells import EmulatedCell
from instruments.emulated.clock import Clock, FastClock
from instruments.emulated.faults import Faults, PointFault


class Device(Protocol):
    """An emulated instrument, as transports and tests see it.

    Attributes
    ----------
    clock : Clock
        Its sense of time.
    cell_is_on : bool
        Whether the cell is connected and may carry current.
    log : list of str
        Every line it received.
    dropped, unplugged : bool
        Whether a fault has cut the connection, and whether new ones are refused.
    """

    clock: Clock
    cell_is_on: bool
    log: list[str]
    dropped: bool
    unplugged: bool

    def link_opened(self) -> None:
        """Begin a new connection; what was said while nobody listened is lost."""
        ...

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from the host and return what is answered at once."""
        ...

    def due(self) -> list[bytes]:
        """Return what the instrument has to say by now."""
        ...

    @property
    def next_due(self) -> float | None:
        """The device time (s) at which it will speak of itself; None if it waits for the host."""
        ...


class LineDevice(ABC):
    """An instrument that is spoken to in lines; a subclass obeys them and answers with `_answer`.

    Parameters
    ----------
    cell : EmulatedCell
        What is connected to it.
    clock : Clock, optional
        Its sense of time; by default nothing takes time.
    rng : numpy.random.Generator, optional
        Source of its noise; by default the same noise every time.
    noise : float
        Standard deviation of each component of the impedance, as a fraction of |Z|.
    faults : Faults
        What goes wrong, and when.
    """

    end = "\n"
    """What ends a line it sends."""
    saturated_as: PointFault = "overload"
    """The fault that an excitation beyond the cell's largest current counts as."""

    def __init__(
        self,
        cell: EmulatedCell,
        *,
        clock: Clock | None = None,
        rng: np.random.Generator | None = None,
        noise: float = 1e-3,
        faults: Faults | None = None,
    ) -> None:
        self.cell = cell
        self.clock: Clock = clock or FastClock()
        self.cell_is_on = False
        self.log: list[str] = []
        self.dropped = False
        self.unplugged = False
        self._rng = rng or np.random.default_rng(0)
        self._noise = noise
        self._faults = faults or Faults()
        self._hung = False
        self._input = b""
        self._output: list[bytes] = []
        self._waiting: deque[tuple[float, str]] = deque()
        self._lines = 0
        self._points = 0
        self._fault = ""  # what was wrong with the point measured last
        self._on_since = self.clock.now()

    def link_opened(self) -> None:
        """Begin a new connection; what was said while nobody listened is lost."""
        self.dropped = False
        self._input = b""
        self.due()
        self._waiting.clear()

    def device_clear(self) -> None:
        """Forget what was received in part and what was about to be answered."""
        self._input = b""
        self._output.clear()
        self._waiting.clear()

    def status_byte(self) -> int:
        """Return the status byte (IEEE 488.2) without the bit that says a message is available."""
        return 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes from the host and return what is answered at once."""
        if self._hung or self.dropped:
            return []
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            text = line.decode("latin-1").rstrip("\r")
            self.log.append(text)
            self._obey(text)
        return self.due()

    def due(self) -> list[bytes]:
        """Return what the instrument has to say by now."""
        while self._waiting and self._waiting[0][0] <= self.clock.now():
            self._send(self._waiting.popleft()[1])
        output, self._output = self._output, []
        return output

    @property
    def next_due(self) -> float | None:
        """The device time (s) at which it will speak of itself; None if it waits for the host."""
        return self._waiting[0][0] if self._waiting and not (self._hung or self.dropped) else None

    @abstractmethod
    def _obey(self, line: str) -> None:
        """Do what one line without its end asks for."""

    def _answer(self, line: str, *, after_s: float = 0.0) -> None:
        """Say a line after some time, and after everything that is to be said before it."""
        earliest = self._waiting[-1][0] if self._waiting else -math.inf
        self._waiting.append((max(self.clock.now() + after_s, earliest), line))

    @property
    def _elapsed_s(self) -> float:
        """How long it has been on (s), which is the age of its cell."""
        return self.clock.now() - self._on_since

    def _measured(
        self, frequency_hz: float, amplitude_v: float = 0.0, *, source_ohm: float = 0.0, quieter: float = 1.0
    ) -> complex:
        """Return the cell's impedance (ohm) with its noise over `quieter`; with the fault ``nan`` it is no number.

        Afterwards `_fault` is what was wrong with the point: the fault planned for it, or `saturated_as` if the
        excitation (V rms, behind `source_ohm`) needs more current than the cell's largest.
        """
        found = self.cell.response(frequency_hz, self._elapsed_s, amplitude_v, source_ohm=source_ohm)
        self._fault = self._fault_of_point or (self.saturated_as if found.is_saturated else "")
        self._points += 1
        noise = self._noise / quieter * abs(found.z_ohm)
        noisy = found.z_ohm + noise * complex(*self._rng.standard_normal(2))
        return complex(math.nan, math.nan) if self._fault == "nan" else noisy

    @property
    def _fault_of_point(self) -> str:
        """What is planned for the point that is measured next; empty if nothing is."""
        return self._faults.points.get(self._points, "")

    def _send(self, line: str) -> None:
        """Say a line, unless a fault has been planned for it."""
        fault = self._faults.lines.get(self._lines)
        self._lines += 1
        match fault:
            case "truncate":
                self._say(line[: (len(line) + 1) // 2])
            case "garbage":
                self._say("\x00\xff~\x9e" + self.end)
            case "lose":
                pass
            case "hang":
                self._hung = True
            case "drop" | "unplug":
                self.dropped, self.unplugged = True, fault == "unplug"
            case _:
                self._say((line + self.end) * (2 if fault == "repeat" else 1))

    def _say(self, text: str) -> None:
        if not (self._hung or self.dropped):
            self._output.append(text.encode("latin-1"))
