"""What a journal holds: its lines as records, and records as its lines; see `instruments.journal`."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from eis.errors import EisError, StoreError
from eis.spectrum import Quality
from instruments.limits import Limits, OpenCircuit
from instruments.planned import sweep_from
from instruments.potentiostat import Identity, Point, Sweep

SCHEMA = "eis.journal/1"


@dataclass(frozen=True, slots=True)
class Gap:
    """The time between two parts of a sweep that was resumed.

    Parameters
    ----------
    first_index : int
        The first point after it.
    began, ended : str
        When the last point before it was measured, and when the sweep was resumed, ISO 8601 in UTC.
    seconds : float
        How long that is (s).
    why : str
        How the part before it ended.
    ocv_v : float, optional
        The open-circuit voltage when it was resumed (V), as far as it is known.
    """

    first_index: int
    began: str
    ended: str
    seconds: float
    why: str
    ocv_v: float | None = None


@dataclass(frozen=True)
class Record:
    """What a journal holds.

    Parameters
    ----------
    identity : Identity
        The instrument.
    sweep : Sweep
        What it was asked to measure.
    started : str
        When the journal was begun, ISO 8601 in UTC.
    instrument_verified : bool
        Whether the driver has been seen to work on real hardware.
    points : tuple of Point
        The points on disk, in the order of measurement.
    status : {"completed", "aborted", "failed", "interrupted"}
        How it ended; ``interrupted`` if the journal itself does not say.
    reason : str
        Why, if it did not complete.
    driver : str
        Name of the driver.
    options : mapping
        Options of the driver, as far as they are settings.
    plan : str
        What `plan_hash` returned for the sweep, the driver, and the options; empty in journals before it was kept.
    gaps : tuple of Gap
        Where the sweep was resumed.
    limits : Limits, optional
        What it was never to ask of the cell; None if it was measured without limits.
    ocv : OpenCircuit, optional
        Where the cell rested before it; None if that was not known.
    """

    identity: Identity
    sweep: Sweep
    started: str
    instrument_verified: bool
    points: tuple[Point, ...]
    status: Literal["completed", "aborted", "failed", "interrupted"]
    reason: str
    driver: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: {})
    plan: str = ""
    gaps: tuple[Gap, ...] = ()
    limits: Limits | None = None
    ocv: OpenCircuit | None = None


def read_journal(path: str | Path) -> Record:
    """Read a journal, whole or cut short; a torn last line is skipped.

    Raises
    ------
    StoreError
        If the file cannot be read, has no header, or is damaged before its last line, naming the line.
    """
    path = Path(path)
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except OSError as error:
        mend = "Check the name and your permissions."
        raise StoreError(f"The journal cannot be read: {error.strerror}", where=str(path), mend=mend) from error
    if not lines:
        raise StoreError(
            "The journal has no header: it ended before anything was measured",
            where=str(path),
            mend="There is nothing to recover; delete it and measure again.",
        )
    with _located(path, 1):
        header = _object(lines[0])
        if header.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {header.get('schema')!r}, not {SCHEMA!r}")
        identity, sweep = Identity(**header["identity"]), sweep_from(header["sweep"])
        started, verified = str(header["started"]), bool(header["instrument_verified"])
        driver, options = str(header.get("driver", "")), dict(header.get("options", {}))
        plan = str(header.get("plan", ""))
        limits = Limits(**header["limits"]) if header.get("limits") is not None else None
        ocv = OpenCircuit(**header["ocv"]) if header.get("ocv") is not None else None
    points: list[Point] = []
    gaps: list[Gap] = []
    open_ended: dict[str, Any] = {"status": "interrupted", "reason": "the journal was cut short"}
    end = open_ended
    for number, line in enumerate(lines[1:], start=2):
        with _located(path, number):
            record = _object(line)
            if "gap" in record:
                gaps.append(Gap(**record["gap"]))
                end = open_ended
            elif end is not open_ended:
                raise ValueError("the sweep had ended before it")
            elif "end" in record:
                end = record["end"]
            else:
                points.append(_point(record["point"]))
    status, reason = end["status"], end["reason"]
    return Record(
        identity,
        sweep,
        started,
        verified,
        tuple(points),
        status,
        reason,
        driver,
        options,
        plan,
        tuple(gaps),
        limits,
        ocv,
    )


def plain(point: Point) -> dict[str, Any]:
    """Return a point as JSON values: z as two numbers, what is not finite as null, quality as a number."""
    values = asdict(point)
    z = values.pop("z_ohm")
    values |= {"z_real_ohm": z.real, "z_imag_ohm": z.imag, "quality": int(point.quality)}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def _point(values: dict[str, Any]) -> Point:
    real, imaginary = (
        math.nan if values[name] is None else float(values[name]) for name in ("z_real_ohm", "z_imag_ohm")
    )
    return Point(
        index=int(values["index"]),
        frequency_set_hz=float(values["frequency_set_hz"]),
        frequency_hz=float(values["frequency_hz"]),
        z_ohm=complex(real, imaginary),
        quality=Quality(values["quality"]),
        status=str(values["status"]),
        amplitude_v=float(values["amplitude_v"]),
        time_s=float(values["time_s"]),
        raw=str(values["raw"]),
        attempt=int(values.get("attempt", 1)),
    )


def _object(line: bytes) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("it is not a JSON object")
    return record


@contextlib.contextmanager
def _located(path: Path, number: int) -> Generator[None, None, None]:
    """Turn whatever a damaged record does into a StoreError that names the line."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, EisError) as error:
        raise StoreError(
            f"A record is damaged: {error}",
            where=f"{path.name}, line {number}",
            mend="Only the last line may be torn. Restore the file, or delete this line knowing what is lost.",
        ) from error
