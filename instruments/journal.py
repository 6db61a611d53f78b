"""The journal of a sweep: every point is on disk before the next one is asked for.

One JSON object a line. The first is the header (`SCHEMA`, the instrument, the sweep), then one per point, then one
that says how it ended. Each is written by one call and synced, so that a crash, or ``kill -9``, can only tear the
last line; a reader skips that one and reports damage anywhere else.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from eis.errors import AbortedError, EisError, StoreError
from eis.spectrum import Quality, Spectrum
from instruments.potentiostat import Identity, Point, Potentiostat, Sweep, spectrum_of, utc_now

SCHEMA = "eis.journal/1"
Status = Literal["completed", "aborted", "failed"]


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
    """

    identity: Identity
    sweep: Sweep
    started: str
    instrument_verified: bool
    points: tuple[Point, ...]
    status: Literal["completed", "aborted", "failed", "interrupted"]
    reason: str


class Journal:
    """A journal being written; see `recorded` for the usual way to write one.

    Parameters
    ----------
    path : str or Path
        A file that does not exist yet, in a folder that does.
    identity : Identity
        The instrument.
    sweep : Sweep
        What it is asked to measure.
    instrument_verified : bool
        Whether its driver has been seen to work on real hardware.
    started : str, optional
        ISO 8601 in UTC; now by default.

    Raises
    ------
    StoreError
        If the file exists already, or cannot be made or written.
    """

    def __init__(
        self,
        path: str | Path,
        identity: Identity,
        sweep: Sweep,
        *,
        instrument_verified: bool = False,
        started: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._descriptor: int | None = _created(self.path)
        header = {
            "schema": SCHEMA,
            "started": started or utc_now(),
            "resource": identity.resource,
            "identity": asdict(identity),
            "instrument_verified": instrument_verified,
            "sweep": sweep.to_dict(),
        }
        try:
            self._append(header)
            _sync_folder(self.path.parent)
        except StoreError:
            self.close()
            raise

    def add(self, point: Point) -> None:
        """Put `point` on disk; it is there when this returns.

        Raises
        ------
        StoreError
            If it is not; nothing more can then be written.
        """
        self._append({"point": _plain(point)})

    def end(self, status: Status, reason: str = "") -> None:
        """Write how the sweep ended, and close; does nothing if the journal is closed."""
        if self._descriptor is not None:
            try:
                self._append({"end": {"status": status, "reason": reason, "time": utc_now()}})
            finally:
                self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, record: dict[str, Any]) -> None:
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()
        if self._descriptor is None:
            raise StoreError("The journal is closed", where=str(self.path), mend="Begin a new one.")
        try:
            written = os.write(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            self.close()
            raise _cannot_write(self.path, error) from error
        if written != len(line):
            self.close()
            raise _cannot_write(self.path, OSError("only part of a line was written; the disk may be full"))


def recorded(
    instrument: Potentiostat, sweep: Sweep, path: str | Path, *, started: str | None = None
) -> Generator[Point, None, None]:
    """Measure, and yield each point only after it has been put on disk; the way it ends is put there too.

    The journal is begun when the first point is asked for, before anything is measured. The sweep is closed on
    every way out, so that one which cannot be stored leaves the cell off.

    Parameters
    ----------
    instrument : Potentiostat
        What measures.
    sweep : Sweep
        What to measure; refused set-points leave no journal.
    path : str or Path
        A file that does not exist yet, in a folder that does.
    started : str, optional
        ISO 8601 in UTC; now by default.

    Raises
    ------
    StoreError
        If the journal cannot be begun or written.
    InstrumentError, AbortedError
        As `Potentiostat.sweep`; the points until then are in the journal, and so is the reason.
    """
    with contextlib.closing(instrument.sweep(sweep)) as points:
        verified = instrument.capabilities().instrument_verified
        identity = instrument.identify()
        with Journal(path, identity, sweep, instrument_verified=verified, started=started) as journal:
            try:
                for point in points:
                    journal.add(point)
                    yield point
            except BaseException as error:
                with contextlib.suppress(StoreError):  # what ended the sweep matters more
                    journal.end(*_ending(error))
                raise
            journal.end("completed")


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
        identity, sweep = Identity(**header["identity"]), Sweep(**header["sweep"])
        started, verified = str(header["started"]), bool(header["instrument_verified"])
    points: list[Point] = []
    end: dict[str, Any] = {"status": "interrupted", "reason": "the journal was cut short"}
    for number, line in enumerate(lines[1:], start=2):
        with _located(path, number):
            record = _object(line)
            if "end" in record:
                end = record["end"]
            else:
                points.append(_point(record["point"]))
    return Record(identity, sweep, started, verified, tuple(points), end["status"], end["reason"])


def journal_to_spectrum(path: str | Path) -> Spectrum:
    """Return the points of a journal as a spectrum, with the same metadata as the sweep itself would have had.

    Raises
    ------
    StoreError
        If the journal cannot be read, or holds no point.
    """
    record = read_journal(path)
    if not record.points:
        raise StoreError(
            f"The journal holds no point ({record.status}: {record.reason})",
            where=str(path),
            mend="There is nothing to recover; measure again.",
        )
    more = {"file": Path(path).name, "journal": {"status": record.status, "reason": record.reason}}
    return spectrum_of(
        record.points,
        record.identity,
        record.sweep,
        started=record.started,
        instrument_verified=record.instrument_verified,
        metadata=more,
    )


def _ending(error: BaseException) -> tuple[Status, str]:
    """Return how a sweep ended that raised `error`, and why."""
    if isinstance(error, GeneratorExit):
        return "aborted", "nobody asked for more points"
    stopped = isinstance(error, (AbortedError, KeyboardInterrupt, SystemExit))
    return "aborted" if stopped else "failed", str(error) or type(error).__name__


def _created(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o644)
    except FileExistsError as error:
        raise StoreError(
            "The journal exists already",
            where=str(path),
            mend="Choose another name; read this one with journal_to_spectrum().",
        ) from error
    except OSError as error:
        raise _cannot_write(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable, where folders can be opened and synced (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The journal cannot be written: {error.strerror or error}",
        where=str(path),
        mend="Check that the folder exists, that you may write there, and that the disk has room.",
    )


def _plain(point: Point) -> dict[str, Any]:
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
