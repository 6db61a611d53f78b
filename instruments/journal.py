"""The journal of a sweep: every point is on disk before the next one is asked for.

One JSON object a line. The first is the header (`SCHEMA`, the instrument, the sweep), then one per point, then one
that says how it ended; a sweep that is resumed (`instruments.resume`) goes on with one about the gap. Each is
written by one call and synced, so that a crash, or ``kill -9``, can only tear the last line; a reader skips that
one and reports damage anywhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

from eis.errors import AbortedError, StoreError
from eis.spectrum import Spectrum
from instruments.limits import DC_BLOCKED, Limits, OpenCircuit, guarded
from instruments.potentiostat import Identity, Point, Potentiostat, Sweep, spectrum_of, utc_now
from instruments.record import SCHEMA, Gap, Record, plain, read_journal

__all__ = ["SCHEMA", "Gap", "Journal", "Record", "journal_to_spectrum", "read_journal", "recorded"]

Status = Literal["completed", "aborted", "failed"]
NOT_SETTINGS = ("backend", "driver", "label", "on_close")
"""Options of `instruments.connect` that say how to reach an instrument, not how it measures."""


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
    driver : str
        Name of the driver.
    options : mapping, optional
        Options it was connected with.
    limits : Limits, optional
        What it is never to ask of the cell.
    ocv : OpenCircuit, optional
        Where the cell rests.

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
        driver: str = "",
        options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        ocv: OpenCircuit | None = None,
    ) -> None:
        self.path = Path(path)
        self._descriptor: int | None = _created(self.path)
        settings = settings_of(options or {})
        header = {
            "schema": SCHEMA,
            "started": started or utc_now(),
            "resource": identity.resource,
            "identity": asdict(identity),
            "instrument_verified": instrument_verified,
            "sweep": sweep.to_dict(),
            "driver": driver,
            "options": settings,
            "plan": plan_hash(sweep, driver, settings, limits),
        }
        if limits is not None:
            header["limits"] = limits.to_dict()
        if ocv is not None:
            header["ocv"] = ocv.to_dict()
        try:
            self._append(header)
            _sync_folder(self.path.parent)
        except StoreError:
            self.close()
            raise

    @classmethod
    def reopened(cls, path: str | Path) -> Self:
        """Open a journal to go on writing it; a torn last line is cut off first.

        Raises
        ------
        StoreError
            If it cannot be opened or written.
        """
        journal = cls.__new__(cls)
        journal.path, journal._descriptor = Path(path), None
        try:
            whole = journal.path.read_bytes().rfind(b"\n") + 1
            journal._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
            os.ftruncate(journal._descriptor, whole)  # at once or not at all: what is whole stays
            os.fsync(journal._descriptor)
        except OSError as error:
            journal.close()
            raise _cannot_write(journal.path, error) from error
        return journal

    def resume(self, gap: Gap) -> None:
        """Write that the sweep is resumed."""
        self._append({"gap": asdict(gap)})

    def add(self, point: Point) -> None:
        """Put `point` on disk; it is there when this returns.

        Raises
        ------
        StoreError
            If it is not; nothing more can then be written.
        """
        self._append({"point": plain(point)})

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
    instrument: Potentiostat,
    sweep: Sweep,
    path: str | Path,
    *,
    started: str | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    ocv: OpenCircuit | None = None,
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
    options : mapping, optional
        Options the instrument was connected with; whoever resumes the sweep must have the same.
    limits : Limits, optional
        What is never to be asked of the cell, also by whoever resumes the sweep; see `instruments.limits.guarded`.
    ocv : OpenCircuit, optional
        Where the cell rests; see `instruments.limits.open_circuit`.

    Raises
    ------
    StoreError
        If the journal cannot be begun or written.
    InstrumentError, AbortedError
        As `Potentiostat.sweep` and `instruments.limits.guarded`; the points until then are in the journal, and so
        is the reason.
    """
    with contextlib.closing(limited(instrument, sweep, limits, ocv, options)) as points:
        verified = instrument.capabilities().instrument_verified
        with Journal(
            path,
            instrument.identify(),
            sweep,
            instrument_verified=verified,
            started=started,
            driver=instrument.name,
            options=options,
            limits=limits,
            ocv=ocv,
        ) as journal:
            yield from kept(points, journal)


def limited(
    instrument: Potentiostat,
    sweep: Sweep,
    limits: Limits | None,
    ocv: OpenCircuit | None,
    options: Mapping[str, Any] | None,
) -> Generator[Point, None, None]:
    """Return the points of a sweep under limits, or without any if there are none; what is too much is refused."""
    if limits is None:
        return instrument.sweep(sweep)
    return guarded(instrument, sweep, limits, ocv=ocv, dc_blocked=dc_blocked(options))


def dc_blocked(options: Mapping[str, Any] | None) -> bool:
    """Return whether options of `instruments.connect` say that a capacitor keeps direct current from the cell."""
    return (options or {}).get("cell") == DC_BLOCKED


def kept(
    points: Generator[Point, None, None], journal: Journal, *, as_stored: Callable[[Point], Point] | None = None
) -> Generator[Point, None, None]:
    """Yield each of `points`, as `as_stored` makes it, once it is in `journal`; close them first if it fails."""
    try:
        for point in points:
            stored = as_stored(point) if as_stored else point
            journal.add(stored)
            yield stored
    except BaseException as error:
        ended_by = error
        try:
            points.close()  # the cell goes off before anything else is done
        except BaseException as worse:
            ended_by = worse
            raise
        finally:
            with contextlib.suppress(StoreError):  # what ended the sweep matters more
                journal.end(*_ending(ended_by))
        raise
    journal.end("completed")


def settings_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options of `instruments.connect` that are settings, as plain JSON values."""
    settings = {name: value for name, value in options.items() if name not in NOT_SETTINGS}
    return dict(json.loads(json.dumps(settings, default=repr, sort_keys=True)))


def plan_hash(sweep: Sweep, driver: str, settings: Mapping[str, Any], limits: Limits | None = None) -> str:
    """Return a hash of what is to be measured, with which driver, settings and limits; the same everywhere."""
    plan = {"sweep": sweep.to_dict(), "driver": driver, "options": settings_of(settings)}
    if limits is not None:
        plan["limits"] = limits.to_dict()
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


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
    journal: dict[str, Any] = {"status": record.status, "reason": record.reason}
    if record.gaps:
        journal["gaps"] = [asdict(gap) for gap in record.gaps]
    attempts = {str(point.index): point.attempt for point in record.points if point.attempt > 1}
    if attempts:
        journal["attempts"] = attempts
    more: dict[str, Any] = {"file": Path(path).name, "journal": journal}
    if record.limits is not None:
        more["limits"] = record.limits.to_dict()
    if record.ocv is not None:
        more["ocv"] = record.ocv.to_dict()
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
