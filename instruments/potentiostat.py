"""The contract every driver keeps: who an instrument is, what it can do, a sweep, a point, and `Potentiostat`.

All levels are SI and rms; impedance follows the sign convention of `eis.spectrum` (capacitive: Z″ < 0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from eis.errors import InstrumentError, RejectedError
from eis.spectrum import Quality, Spectrum
from instruments.capabilities import Capabilities
from instruments.sweep import OVERHEAD_S, Sweep, predicted_point_s

if TYPE_CHECKING:
    from pyvisa.highlevel import VisaLibraryBase

__all__ = [
    "OVERHEAD_S",
    "Capabilities",
    "Identity",
    "Point",
    "Potentiostat",
    "Sweep",
    "predicted_point_s",
    "spectrum_of",
    "utc_now",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered: what an instrument says of itself.

    Parameters
    ----------
    vendor, model, serial, firmware : str
        As the instrument states them; an empty serial means it would not say.
    resource : str
        The VISA resource name, or the ``sim::`` name, it was reached by.
    raw : str
        The answers to the identity queries, verbatim.
    simulated : bool
        Whether it is an emulator; it then says so itself.
    """

    vendor: str
    model: str
    serial: str
    firmware: str
    resource: str
    raw: str
    simulated: bool

    def __str__(self) -> str:
        return f"{self.vendor} {self.model}, serial {self.serial or 'not stated'}, at {self.resource}"


@dataclass(frozen=True, slots=True)
class Point:
    """One measured point; a flagged one is kept, never dropped.

    Parameters
    ----------
    index : int
        Its place in the sweep, from 0.
    frequency_set_hz, frequency_hz : float
        Frequency asked for, and the one the instrument reports (Hz).
    z_ohm : complex
        Impedance (ohm), capacitive Z″ < 0; NaN only with `Quality.NOT_A_NUMBER`.
    quality : Quality
        What the instrument said about it.
    status : str
        The instrument's own status words, empty if all is well.
    amplitude_v : float
        Excitation asked for (V rms); 0 where the current was excited.
    time_s : float
        Seconds since the sweep was started.
    raw : str
        The line the instrument sent, verbatim.
    attempt : int
        How often it was asked for, from 1.
    """

    index: int
    frequency_set_hz: float
    frequency_hz: float
    z_ohm: complex
    quality: Quality
    status: str
    amplitude_v: float
    time_s: float
    raw: str
    attempt: int = 1


class Potentiostat(ABC):
    """An instrument that measures impedance; use it in a ``with`` statement, which leaves the cell off.

    Connecting changes nothing on the instrument. A sweep energises the cell; every way out of it, errors and
    Ctrl-C included, switches the cell off and verifies that, or raises `CellStateUnknownError`.
    """

    name: ClassVar[str]
    """What `instruments.connect` calls the driver."""
    reached_by: ClassVar[tuple[str, ...]] = ("ASRL", "GPIB", "SOCKET", "TCPIP", "USB")
    """Kinds of resource at which `instruments.connect` looks for it."""

    @classmethod
    @abstractmethod
    def open(
        cls,
        resource: str,
        *,
        backend: str | VisaLibraryBase = "@py",
        label: str | None = None,
        on_close: Callable[[], None] | None = None,
        **options: Any,
    ) -> Self:
        """Open `resource` through `backend`; InstrumentError if what answers there is not this driver's.

        `label` is what people call the resource; `on_close` is called once, when it has been closed.
        """

    @abstractmethod
    def identify(self) -> Identity:
        """Return who the instrument said it is when it was connected."""

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """Return what the instrument can do."""

    def configure(self, sweep: Sweep) -> None:
        """Make sure that the instrument takes the settings of a sweep; nothing is energised.

        A sweep does this by itself. An instrument that runs a sweep by a script is sent its settings with it; here
        they are checked against its limits.

        Raises
        ------
        RejectedError
            If it cannot do the sweep, or does not take a setting.
        """
        self.capabilities().check(sweep, where=self.identify().resource)

    def ocv(self, seconds: float = 1.0) -> float:
        """Return the open-circuit voltage (V), measured for some time with no current through the cell.

        Raises
        ------
        RejectedError
            If the instrument cannot do that.
        """
        raise RejectedError(
            f"The {self.identify().model} cannot measure an open-circuit voltage",
            where=self.identify().resource,
            mend="Measure it with a voltmeter.",
        )

    def measure_point(self, frequency_hz: float, *, amplitude_v: float, dc_v: float = 0.0) -> Point:
        """Measure one frequency (Hz), and leave the cell off; see `sweep` for what may be raised."""
        (point,) = self.sweep(Sweep(frequency_hz, frequency_hz, 1, amplitude_v, dc_v))
        return point

    @abstractmethod
    def cell_off(self) -> None:
        """End whatever is running and disconnect the cell; may be called in any state, any number of times.

        Raises
        ------
        CellStateUnknownError
            If the instrument did not confirm it, also not over a fresh connection.
        """

    @abstractmethod
    def abort(self) -> None:
        """Tell the instrument to stop measuring, now; may be called from any thread, also in mid-point.

        The thread that runs the sweep gets an `AbortedError`, and switches the cell off. Without a sweep, nothing
        is sent.
        """

    @abstractmethod
    def close(self) -> None:
        """End a running sweep, switch off a cell this driver switched on, and give the connection back."""

    @abstractmethod
    def _run(self, sweep: Sweep) -> Generator[Point, None, None]:
        """Measure `sweep`, whose set-points are inside the limits; leave the cell off on every way out."""

    def sweep(self, sweep: Sweep) -> Generator[Point, None, None]:
        """Measure, and yield each point as it arrives; closing the iterator ends the sweep.

        Raises
        ------
        RejectedError
            At once, if a set-point is outside the limits; nothing was sent.
        InstrumentError
            If the instrument reports an error (`LinkError` if it cannot be reached, `CellStateUnknownError` if
            the cell could not be verified to be off).
        AbortedError
            If `abort` was called.
        """
        self.capabilities().check(sweep, where=self.identify().resource)
        return self._run(sweep)

    def sweep_spectrum(self, sweep: Sweep) -> Spectrum:
        """Measure the whole sweep and return it as a spectrum; see `sweep` for what may be raised."""
        started = utc_now()
        points = list(self.sweep(sweep))
        verified = self.capabilities().instrument_verified
        return spectrum_of(points, self.identify(), sweep, started=started, instrument_verified=verified)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.identify()}>"


def utc_now() -> str:
    """Return the time now as ISO 8601 text in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def spectrum_of(
    points: Sequence[Point],
    identity: Identity,
    sweep: Sweep,
    *,
    started: str,
    instrument_verified: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Spectrum:
    """Make a spectrum of measured points, with everything known about how they were measured.

    Parameters
    ----------
    points : sequence of Point
        The points in the order of measurement, flagged ones included.
    identity : Identity
        The instrument.
    sweep : Sweep
        The settings asked for.
    started : str
        Start of the sweep, ISO 8601 in UTC.
    instrument_verified : bool
        Whether this driver has been seen to work on real hardware.
    metadata : mapping, optional
        More plain JSON values to keep.

    Returns
    -------
    Spectrum
        Falling in frequency, with columns ``time_s``, ``frequency_set_hz``, ``amplitude_v``.

    Raises
    ------
    InstrumentError
        If there is no point.
    """
    if not points:
        raise InstrumentError(
            "No point was measured, so there is no spectrum", where=identity.resource, mend="Measure again."
        )
    known = {
        "title": f"{identity.model} {identity.serial} {started}",
        "format": "measured",
        "source": "emulator" if identity.simulated else "instrument",
        "instrument": f"{identity.vendor} {identity.model}",
        "instrument_verified": instrument_verified,
        "serial": identity.serial,
        "firmware": identity.firmware,
        "resource": identity.resource,
        "started": started,
        "sweep": sweep.to_dict(),
        "status": {str(point.index): point.status for point in points if point.status},
    }
    return Spectrum.of(
        [point.frequency_hz for point in points],
        [point.z_ohm for point in points],
        quality=[int(point.quality) for point in points],
        columns={
            "time_s": [point.time_s for point in points],
            "frequency_set_hz": [point.frequency_set_hz for point in points],
            "amplitude_v": [point.amplitude_v for point in points],
            "attempt": [point.attempt for point in points],
        },
        metadata={**known, **(metadata or {})},
    )
