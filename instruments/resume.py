"""A sweep that was cut short goes on after its last whole point, in the same journal, if nothing has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from eis.errors import ConfigError, StoreError
from instruments.journal import Journal, kept, limited, plan_hash, settings_of
from instruments.limits import Limits, OpenCircuit, open_circuit
from instruments.planned import PlannedSweep
from instruments.potentiostat import Identity, Point, Potentiostat, Sweep
from instruments.record import Gap, Record, read_journal

SAME_FREQUENCY = 1e-9
"""How much the frequencies of the remaining sweep may differ from those of the whole one, relatively."""
IDENTIFYING = ("vendor", "model", "serial", "firmware")


def resumed(
    instrument: Potentiostat,
    path: str | Path,
    *,
    sweep: Sweep | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    ocv_v: float | None = None,
) -> Generator[Point, None, None]:
    """Measure what is missing in a journal, and yield each point only after it has been put there.

    Parameters
    ----------
    instrument : Potentiostat
        What measures: the same instrument, with the same settings.
    path : str or Path
        The journal.
    sweep : Sweep, optional
        What the journal must be of; by default, whatever it is of.
    options : mapping, optional
        Options the instrument was connected with.
    limits : Limits, optional
        What the journal's limits must be, or, if it has none, what they are from now on. Under limits the cell's
        voltage is compared with the DC level again before it is energised.
    ocv_v : float, optional
        The open-circuit voltage (V), where the instrument has no voltmeter; by default as declared before.

    Yields
    ------
    Point
        Numbered as in the whole sweep, its time counted from when that was begun; `Point.attempt` is 2 or more.

    Raises
    ------
    ConfigError
        If the instrument, its firmware, the settings, the limits or the sweep are others; it says which. Nothing
        was sent.
    StoreError
        If the journal cannot be read or written.
    InstrumentError, AbortedError
        As `Potentiostat.sweep` and `instruments.limits.guarded`.
    """
    record = read_journal(path)
    require_plan(record, path, sweep, limits)
    limits = record.limits or limits
    _require_same(record, path, instrument.identify(), instrument.name, settings_of(options or {}))
    done = len(record.points)
    if done == record.sweep.n_points:
        finish(path)
        return
    planned_hz = record.sweep.frequencies_hz.tolist()
    rest, ocv = remaining(record.sweep, done), None
    if limits is not None:
        ocv = _at_rest(instrument, record, limits, ocv_v)
    with contextlib.closing(limited(instrument, rest, limits, ocv, options)) as points:
        gap = _gap(record, ocv)
        offset_s = (record.points[-1].time_s if record.points else 0.0) + gap.seconds
        parts = 1 + len(record.gaps)

        def as_of_the_whole(point: Point) -> Point:
            index = done + point.index
            return replace(
                point,
                index=index,
                frequency_set_hz=planned_hz[index],
                time_s=offset_s + point.time_s,
                attempt=parts + point.attempt,
            )

        with Journal.reopened(path) as journal:
            journal.resume(gap)
            yield from kept(points, journal, as_stored=as_of_the_whole)


def finish(path: str | Path) -> None:
    """Write that a journal which holds every point is complete, if it does not say so."""
    record = read_journal(path)
    if record.status != "completed":
        with Journal.reopened(path) as journal:
            if record.status != "interrupted":
                journal.resume(_gap(record))
            journal.end("completed")


def remaining(sweep: Sweep, done: int) -> Sweep:
    """Return the sweep over what is left of `sweep` after `done` points, at the same frequencies.

    Raises
    ------
    ConfigError
        If there is no such sweep, or nothing is left.
    """
    planned_hz = sweep.frequencies_hz
    if not 0 <= done < len(planned_hz):
        raise ConfigError("Nothing is left to measure", where="sweep", mend="Read the journal as it is.")
    if isinstance(sweep, PlannedSweep):
        return sweep.after(done)
    rest = replace(sweep, start_hz=float(planned_hz[done])) if done else sweep
    frequencies_hz = rest.frequencies_hz
    if len(frequencies_hz) != len(planned_hz) - done or not np.allclose(
        frequencies_hz, planned_hz[done:], rtol=SAME_FREQUENCY, atol=0
    ):
        raise ConfigError(
            f"No sweep covers the last {len(planned_hz) - done} of {len(planned_hz)} frequencies alone",
            where="sweep",
            mend="Measure the whole sweep again.",
        )
    return rest


def require_plan(
    record: Record, path: str | Path, sweep: Sweep | None = None, limits: Limits | None = None
) -> None:
    """Refuse a journal that is not of `sweep` under `limits`, does not know its plan, or lacks points in between.

    Raises
    ------
    ConfigError
        If the sweep or the limits are others, or the journal was written before plans were kept.
    StoreError
        If the journal contradicts itself.
    """
    if not record.plan:
        raise _other(path, ["it does not say with which settings it was measured"])
    if sweep is not None and sweep != record.sweep:
        ours, theirs = sweep.to_dict(), record.sweep.to_dict()
        other = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        # what was planned point by point follows from the rest, and fills a page
        short = [n for n in other if not isinstance(ours.get(n) or theirs.get(n), list)]
        raise _other(
            path,
            [f"{name} is {ours.get(name)!r}, in the journal {theirs.get(name)!r}" for name in short]
            or ["the planned frequencies are others"],
        )
    if limits is not None and record.limits is not None and limits != record.limits:
        now, then = limits.to_dict(), record.limits.to_dict()
        raise _other(
            path,
            [
                f"the limit {name} is {now[name]}, in the journal {then[name]}"
                for name in now
                if now[name] != then[name]
            ],
        )
    in_order = [point.index for point in record.points] == list(range(len(record.points)))
    known = plan_hash(record.sweep, record.driver, record.options, record.limits) == record.plan
    if not (in_order and known and len(record.points) <= record.sweep.n_points):
        raise StoreError(
            "The journal contradicts itself: " + ("its header was changed" if in_order else "points are missing"),
            where=str(path),
            mend="Measure again; what it holds can be read with journal_to_spectrum().",
        )


def _require_same(
    record: Record, path: str | Path, identity: Identity, driver: str, settings: Mapping[str, Any]
) -> None:
    """Refuse to go on with another instrument or other settings, and say what is different."""
    differences = [
        f"{name} is {now!r}, in the journal {then!r}"
        for name in IDENTIFYING
        if (now := getattr(identity, name)) != (then := getattr(record.identity, name))
    ]
    if driver != record.driver:
        differences.append(f"driver is {driver!r}, in the journal {record.driver!r}")
    differences += [
        f"{name} is {settings.get(name, 'not given')!r}, in the journal {record.options.get(name, 'not given')!r}"
        for name in sorted({*settings, *record.options})
        if settings.get(name) != record.options.get(name)
    ]
    if differences:
        raise _other(path, differences)


def _at_rest(instrument: Potentiostat, record: Record, limits: Limits, ocv_v: float | None) -> OpenCircuit | None:
    """Return where the cell rests now: measured, or else as it is declared or was."""
    if ocv_v is None and record.ocv is not None and record.ocv.source == "declared":
        ocv_v = record.ocv.voltage_v
    return open_circuit(instrument, record.sweep, limits, declared_v=ocv_v)


def _gap(record: Record, ocv: OpenCircuit | None = None) -> Gap:
    """Return what lies between the last point and now."""
    last_s = record.points[-1].time_s if record.points else 0.0
    began = datetime.fromisoformat(record.started) + timedelta(seconds=last_s)
    now = datetime.now(UTC)
    return Gap(
        first_index=len(record.points),
        began=began.isoformat(timespec="milliseconds"),
        ended=now.isoformat(timespec="milliseconds"),
        seconds=max(0.0, (now - began).total_seconds()),  # clocks are set back at times
        why=f"{record.status}: {record.reason}",
        ocv_v=None if ocv is None else ocv.voltage_v,
    )


def _other(path: str | Path, differences: list[str]) -> ConfigError:
    return ConfigError(
        f"The sweep cannot be resumed: {'; '.join(differences)}",
        where=str(path),
        mend="Nothing was sent. Use the same instrument and settings, or measure the whole sweep again.",
    )
