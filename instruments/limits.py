"""What may never be asked of a cell: limits for every driver, kept before the cell is energised and while it is.

A potential that is held away from where the cell rests charges or discharges it, an excitation that is too large
is not answered linearly, and a short carries whatever the instrument can give. `Limits` says how much of each is
allowed; `guarded` measures under them.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, fields, replace
from numbers import Real
from typing import Any, Literal

from eis.errors import AbortedError, CellStateUnknownError, ConfigError, EisError, InstrumentError, RejectedError
from eis.quantities import format_si
from eis.spectrum import Quality
from instruments.potentiostat import Capabilities, Point, Potentiostat, Sweep, utc_now

OCV_READING_S = 0.2
"""How long the voltage is read before a sweep (s): whole periods of both 50 and 60 Hz."""
AMPLITUDE_V = 0.1
"""Largest excitation unless said otherwise (V rms), ten times the usual one."""
DC_FROM_OCV_V = 0.05
"""Largest distance of the DC level from the open-circuit voltage unless said otherwise (V)."""
RESTING_V = 0.03
"""A cell with a larger open-circuit voltage (V) is not for an instrument that cannot disconnect it."""
DC_BLOCKED = "dc-blocked"
"""What the option ``cell`` of such an instrument says when a capacitor in series blocks the direct current."""
UNITS = {"amplitude_v": "V rms", "amplitude_a": "A rms", "dc_from_ocv_v": "V", "current_a": "A rms"}
OPTIONS = {
    "amplitude_v": "--max-amplitude",
    "amplitude_a": "--max-amplitude",
    "dc_from_ocv_v": "--max-dc-from-ocv",
    "current_a": "--max-current",
}

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cell is never to be asked; None lifts a limit.

    Parameters
    ----------
    amplitude_v : float, optional
        Largest excitation of the potential (V rms); in a galvanostatic sweep, the largest voltage that the current
        may excite. 0.1 V by default: cells with an interface that answers as Butler and Volmer say want a tenth of
        it, while blocking electrodes bear more.
    amplitude_a : float, optional
        Largest excitation of the current (A rms). None by default: it depends on the size of the cell.
    dc_from_ocv_v : float, optional
        Largest distance between the DC potential and the open-circuit voltage (V); 0.05 V by default.
    current_a : float, optional
        Compliance: the largest current (A rms) through the cell. None by default: it depends on the cell.

    Raises
    ------
    ConfigError
        If a limit is neither None nor a finite number above zero.
    """

    amplitude_v: float | None = AMPLITUDE_V
    amplitude_a: float | None = None
    dc_from_ocv_v: float | None = DC_FROM_OCV_V
    current_a: float | None = None

    def __post_init__(self) -> None:
        faults = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if not (_is_finite(value) and value > 0):
                faults.append(f"{field.name} is {value!r}; give a finite number above zero, or None for no limit")
            else:
                object.__setattr__(self, field.name, float(value))  # NumPy scalars are not JSON
        if faults:
            raise ConfigError("The limits are not described rightly", where="Limits", mend="; ".join(faults))

    def check(self, sweep: Sweep, able: Capabilities, *, where: str) -> None:
        """Refuse a sweep that asks for more than is allowed, before anything is energised.

        Parameters
        ----------
        sweep : Sweep
            What is asked for.
        able : Capabilities
            The instrument's.
        where : str
            What finds it again in the message.

        Raises
        ------
        RejectedError
            If an excitation, or the current of a galvanostatic sweep, is above its limit or not a number; or if
            the instrument chooses its excitation itself, so that a limit of the current could not be kept.
        """
        if able.fixed_amplitude:
            if self.current_a is not None:
                raise RejectedError(
                    "The instrument chooses its current itself, so a limit of the current cannot be kept",
                    where=where,
                    mend="Nothing was energised; choose its range, and leave current_a (--max-current) out.",
                )
            return
        asked = (
            (
                ("amplitude_a", sweep.amplitude_a, "amplitude_a"),
                ("current_a", math.hypot(sweep.amplitude_a, sweep.dc_a), "the current with its direct part"),
            )
            if sweep.is_galvanostatic
            else (("amplitude_v", sweep.amplitude_v, "amplitude_v"),)
        )
        faults = {
            name: f"{words} is {value:g} {UNITS[name]}, and {limit:g} {UNITS[name]} are allowed"
            for name, value, words in asked
            if (limit := getattr(self, name)) is not None and not (value <= limit)  # so that NaN is refused
        }
        if faults:
            raise RejectedError("; ".join(faults.values()), where=where, mend=_or_raise(faults))

    def exceeded(self, point: Point, sweep: Sweep, *, source_resistance_ohm: float = 0.0) -> str:
        """Return in words which limit a measured point says was exceeded; empty if none was.

        Parameters
        ----------
        point : Point
            What was measured; one that is not a number says nothing.
        sweep : Sweep
            What was asked for.
        source_resistance_ohm : float
            What the excitation has to pass before it reaches the cell (ohm).
        """
        if sweep.is_galvanostatic:
            name, value = "amplitude_v", sweep.amplitude_a * abs(point.z_ohm)
        else:
            around_ohm = abs(point.z_ohm + source_resistance_ohm)
            name, value = "current_a", sweep.amplitude_v / around_ohm if around_ohm else math.inf
        limit = getattr(self, name)
        if limit is None or math.isnan(value) or value <= limit:
            return ""
        unit = "V" if sweep.is_galvanostatic else "A"
        shown = f"{format_si(value, unit)} rms" if math.isfinite(value) else f"no end of {unit}"
        return f"{shown} at {format_si(point.frequency_hz, 'Hz')}, and {format_si(limit, unit)} rms are allowed"

    def to_dict(self) -> dict[str, float | None]:
        """Return the limits as plain JSON values; ``Limits(**…)`` makes them again."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """A cell's voltage with no current through it.

    Parameters
    ----------
    voltage_v : float
        The voltage (V).
    source : {"measured", "declared"}
        Whether the instrument measured it, or the user said so.
    time : str
        When, ISO 8601 in UTC.
    """

    voltage_v: float
    source: Literal["measured", "declared"]
    time: str

    def __str__(self) -> str:
        return f"{format_si(self.voltage_v, 'V')} ({self.source})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def open_circuit(
    instrument: Potentiostat,
    sweep: Sweep,
    limits: Limits,
    *,
    declared_v: float | None = None,
    hold: bool = False,
    on_notice: Notice | None = None,
) -> OpenCircuit | None:
    """Return the cell's open-circuit voltage: measured where there is a voltmeter, else as declared, else None.

    Parameters
    ----------
    instrument : Potentiostat
        What the cell is at; its cell is off.
    sweep : Sweep
        What is to be measured.
    limits : Limits
        If they compare the sweep's DC level with the voltage, one that cannot be read ends the matter.
    declared_v : float, optional
        What the user says it is (V).
    hold : bool
        Whether the cell is to be held there, so that the voltage must be known, limit or not.
    on_notice : callable, optional
        Told, in words, of a voltage that could not be read and need not be.

    Raises
    ------
    ConfigError
        If what is declared is no finite number.
    RejectedError
        If what is declared is not what is measured, within the limit; or the cell is to be held there, and nobody
        knows where that is.
    InstrumentError
        If it cannot be read.
    """
    if declared_v is not None and not _is_finite(declared_v):
        raise ConfigError(f"ocv_v is {declared_v!r}", where="ocv", mend="Give a finite number of volts.")
    declared = None if declared_v is None else OpenCircuit(float(declared_v), "declared", utc_now())
    where = instrument.identify().resource
    if not instrument.capabilities().has_ocv:
        if declared is None and hold:
            raise RejectedError(
                f"The {instrument.identify().model} cannot measure the open-circuit voltage to hold the cell at",
                where=where,
                mend="Nothing was energised; measure it with a voltmeter, and declare it (--ocv 3.7V).",
            )
        return declared
    try:
        voltage_v = instrument.ocv(OCV_READING_S)
        if not math.isfinite(voltage_v):
            raise InstrumentError("The voltage is not a number", where=where, mend="Check the sense leads.")
    except CellStateUnknownError:
        raise
    except InstrumentError as error:
        if hold or _compares(sweep, limits, instrument.capabilities()):
            why = (
                "the open-circuit voltage to hold the cell at is not known; give the DC level in volts (--dc)."
                if hold
                else "the DC level could not be compared with the cell's open-circuit voltage; that limit can be "
                "lifted: dc_from_ocv_v (--max-dc-from-ocv none)."
            )
            mend = f"{error.mend} No sweep was begun, for {why}"
            raise type(error)(error.what, where=error.where, mend=mend) from error
        if on_notice is not None:
            on_notice(f"the open-circuit voltage could not be read: {error.what}")
        return declared
    apart_v = limits.dc_from_ocv_v
    if declared is not None and apart_v is not None and not abs(voltage_v - declared.voltage_v) <= apart_v:
        raise RejectedError(
            f"The cell was declared to rest at {format_si(declared.voltage_v, 'V')}, but is at "
            f"{format_si(voltage_v, 'V')}",
            where=where,
            mend="Nothing was energised; is it another cell, or are its leads reversed or off?",
        )
    return OpenCircuit(voltage_v, "measured", utc_now())


def holds_potential(able: Capabilities) -> bool:
    """Return whether an instrument can set a DC potential at all, rather than leave the cell where it rests."""
    return able.v_dc[0] < able.v_dc[1]


def require_near(
    sweep: Sweep,
    ocv: OpenCircuit | None,
    limits: Limits,
    able: Capabilities,
    *,
    where: str,
    dc_blocked: bool = False,
) -> None:
    """Refuse to hold a cell far from where it rests, or to connect one that would be discharged.

    Parameters
    ----------
    sweep : Sweep
        What is asked for; a galvanostatic one, and one whose instrument holds no potential, is not compared.
    ocv : OpenCircuit, optional
        Where the cell rests; None is not known, and refuses nothing.
    limits : Limits
        With the distance allowed.
    able : Capabilities
        The instrument's.
    where : str
        What finds it again in the message.
    dc_blocked : bool
        Whether a capacitor in series keeps the direct level from the cell; nothing is then refused.

    Raises
    ------
    RejectedError
        If it is refused; nothing was energised.
    """
    if ocv is None or dc_blocked:
        return
    if able.blocking_cell_only and not abs(ocv.voltage_v) <= RESTING_V:
        raise RejectedError(
            f"The cell has a voltage of its own, {ocv}, and this instrument's terminals would discharge it",
            where=where,
            mend="No sweep was begun, but disconnect the cell. Measure it with a potentiostat; or put a capacitor "
            f'in series, and say so where the driver has the option cell="{DC_BLOCKED}".',
        )
    limit = limits.dc_from_ocv_v
    if limit is None or not _compares(sweep, limits, able):
        return
    if not abs(sweep.dc_v - ocv.voltage_v) <= limit:
        away = format_si(abs(sweep.dc_v - ocv.voltage_v), "V")
        raise RejectedError(
            f"The DC level of {format_si(sweep.dc_v, 'V')} is {away} away from the cell's open-circuit voltage, "
            f"{ocv}, and {format_si(limit, 'V')} are allowed",
            where=where,
            mend="Nothing was energised. To hold the cell where it rests, give --dc ocv (hold_ocv=True); if it is "
            "to be polarised, raise the limit: dc_from_ocv_v (--max-dc-from-ocv).",
        )


def guarded(
    instrument: Potentiostat,
    sweep: Sweep,
    limits: Limits,
    *,
    ocv: OpenCircuit | None = None,
    dc_blocked: bool = False,
) -> Generator[Point, None, None]:
    """Measure under limits: refused at once what is too much, and ended what turns out to be.

    The impedance of a point tells the current that flowed (or the voltage that was excited). The first point that
    says it was more than is allowed is kept, flagged `Quality.SOURCE_LIMIT`, and the sweep ends there, the cell
    off. An instrument that runs the sweep by itself may have begun the next point by then.

    Parameters
    ----------
    instrument : Potentiostat
        What measures.
    sweep : Sweep
        What to measure.
    limits : Limits
        What is allowed.
    ocv : OpenCircuit, optional
        Where the cell rests; see `open_circuit`.
    dc_blocked : bool
        As in `require_near`.

    Raises
    ------
    RejectedError
        At once, as `Limits.check`, `require_near`, and `Potentiostat.sweep`; nothing was energised.
    AbortedError
        After the point that exceeded a limit.
    InstrumentError
        As `Potentiostat.sweep`.
    """
    able, where = instrument.capabilities(), instrument.identify().resource
    limits.check(sweep, able, where=where)
    require_near(sweep, ocv, limits, able, where=where, dc_blocked=dc_blocked)
    points = instrument.sweep(sweep)
    return points if able.fixed_amplitude else _ended_by(points, sweep, limits, able, where)


def _ended_by(
    points: Generator[Point, None, None], sweep: Sweep, limits: Limits, able: Capabilities, where: str
) -> Generator[Point, None, None]:
    """Yield points up to the first that exceeds a limit; the cell is off before that one is handed on."""
    with contextlib.closing(points):
        for point in points:
            words = limits.exceeded(point, sweep, source_resistance_ohm=able.source_resistance_ohm)
            if not words:
                yield point
                continue
            ended_by: EisError = AbortedError(
                f"The sweep was ended by a limit: {words}",
                where=where,
                mend="The points so far are kept. Look for a short before the sweep is resumed; or measure again, "
                "with a smaller amplitude or knowingly with a higher limit.",
            )
            try:
                points.close()
            except EisError as error:
                ended_by = error  # the point is kept all the same
            status = "; ".join(filter(None, (point.status, f"limit: {words}")))
            yield replace(point, quality=point.quality | Quality.SOURCE_LIMIT, status=status)
            raise ended_by


def _compares(sweep: Sweep, limits: Limits, able: Capabilities) -> bool:
    """Return whether a limit holds for the distance between the DC level of a sweep and the cell's own voltage."""
    return limits.dc_from_ocv_v is not None and not sweep.is_galvanostatic and holds_potential(able)


def _or_raise(names: Iterable[str]) -> str:
    allowed = ", ".join(f"{name} ({OPTIONS[name]})" for name in names)
    return f"Nothing was energised; ask for less, or raise the limit knowingly: {allowed}."


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
