"""A test station: cells one after the other, each from the instrument to a stored verdict, with nobody watching.

wait for interlocks → measure → validate → fit → check → outputs → store → report, as one run with a named end:

    PASS | FAIL | INDETERMINATE | ERROR | ABORTED        (and CRASHED, written by the next start)

Every step that can fail is on disk before the next begins. While an interlock is not right the cell is off and the
sweep waits; it is gone on with from its journal. A run ends as PASS only if the verdict is PASS and is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from eis import pipeline
from eis.document import VERSION
from eis.errors import AbortedError, ConfigError, EisError, StoreError
from eis.held_signals import signals_held
from eis.interlock import Interlock, faults, wait_until_well
from eis.outbox import Outbox
from eis.results import Assessment, Verdict
from eis.spectrum import Spectrum
from eis.station_bench import (
    UNREPORTED,
    Bench,
    catch_up,
    keep,
    limits_of,
    message_of,
    open_bench,
    require_ready,
    sweep_of,
)
from eis.station_outputs import Run, State, content_of, plain, write_outputs
from eis.store import canonical
from instruments.potentiostat import Point
from instruments.preparation import Preparation
from instruments.record import read_journal

__all__ = ["Bench", "Run", "State", "open_bench", "require_ready", "run_cell"]

CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a cell may be called: it becomes part of the names of files."""


class _PausedError(Exception):
    """An interlock is not right: leave the sweep, which switches the cell off; it is gone on with later."""


def run_cell(bench: Bench, cell_id: str) -> Run:
    """Take one cell from the instrument to a stored verdict.

    Returns
    -------
    Run
        However it went; an exception of ours becomes the end of the run. `KeyboardInterrupt` and `SystemExit` are
        let through once the run's end is stored.

    Raises
    ------
    ConfigError
        If the id is none (letters, digits, dots, dashes and underscores, 64 at most); nothing was begun.
    """
    if not CELL_ID.fullmatch(cell_id):
        raise ConfigError(
            f"{cell_id[:80]!r} is no cell id",
            where="cell id",
            mend="Use 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit.",
        )
    began = datetime.now(UTC)
    name = f"{cell_id}-{began:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    attempts: list[Assessment] = []
    problems: list[str] = []
    config = bench.station.config
    catch_up(bench)
    identity = hashlib.sha256(canonical(config.model_dump(mode="json", by_alias=True)).encode("ascii")).hexdigest()
    begun = {"cell": cell_id, "configuration_sha256": identity, "version": VERSION}
    asked_to_end: BaseException | None = None
    with signals_held() as let_through:  # one that came while a record is written could leave a run without an end
        keep(bench, "begun", name, begun, problems)
        try:
            _attempt_all(bench, name, attempts, problems, let_through)
            run = _ended(name, cell_id, attempts, config.calibrated_until)
        except AbortedError as error:
            run = _failed(name, cell_id, State.ABORTED, error, attempts)
        except EisError as error:
            run = _failed(name, cell_id, State.ERROR, error, attempts)
        except BaseException as error:  # noqa: BLE001 - it goes on once the end is stored
            asked_to_end, run = error, _cut_short(name, cell_id, error, attempts)
        _store_end(bench, run, problems)
    try:
        done = _reported(bench, run, problems)
    finally:
        if asked_to_end is not None:
            raise asked_to_end
    return done


def _attempt_all(
    bench: Bench,
    name: str,
    attempts: list[Assessment],
    problems: list[str],
    let_through: Callable[[], AbstractContextManager[None]],
) -> None:
    """Measure until the data can be trusted, or often enough; every attempt is stored."""
    retry = bench.station.config.retry
    for number in range(1, retry.attempts + 1):
        with let_through():
            if number > 1 and retry.wait_s:
                wait_until_well((*bench.interlocks, _pause(retry.wait_s)))
            bench.on_state(name, f"measuring, attempt {number}")
            spectrum = _measured(bench, bench.folder / name / f"spectrum-{number}.nc")
        bench.on_state(name, "judging")  # the cell is off, and compiled code may take an exit for its own
        found = _assessed(bench, spectrum)
        attempts.append(found)
        content = {**found.judgement.to_dict(), "validity": found.validity.to_dict()}
        keep(bench, f"attempt-{number}", name, plain(content), problems)
        if found.judgement.verdict is not Verdict.INVALID_DATA:
            return


def _measured(bench: Bench, out: Path) -> Spectrum:
    """Measure one sweep; while an interlock is not right the cell is off and the sweep waits."""
    config = bench.station.config
    pipeline.make_folder(out.parent)
    options: dict[str, Any] = {
        **config.options,
        **bench.options,
        **({"driver": config.driver} if config.driver else {}),
    }
    journal = pipeline.journal_of(out)

    def looked_at(point: Point) -> None:
        bench.on_point(point)
        if wrong := faults(bench.interlocks):
            raise _PausedError("; ".join(wrong))

    while True:
        wait_until_well(bench.interlocks)
        try:
            paused = journal.exists()
            return pipeline.measure(
                config.resource,
                read_journal(journal).sweep if paused else sweep_of(config),  # that of the journal has the OCV
                out,
                on_point=looked_at,
                resume=journal if paused else None,
                preparation=Preparation(
                    config.preparation.mains_hz,
                    config.preparation.repeat_decades,
                    60 * config.preparation.settle_minutes,
                ),
                limits=limits_of(config),
                hold_ocv=config.sweep.hold_ocv and not paused,
                guard=config.guardian,
                on_notice=bench.on_notice,
                **options,
            )
        except _PausedError as error:
            bench.on_state(out.parent.name, f"paused: {error}")


def _assessed(bench: Bench, spectrum: Spectrum) -> Assessment:
    config = bench.station.config
    return pipeline.assess(
        spectrum,
        bench.station.cell,
        bench.spec,
        circuit=config.circuit,
        weight=config.weight,
        reading=config.check.reading,
        element=config.check.element,
    )


def _ended(name: str, cell: str, attempts: Sequence[Assessment], calibrated_until: date | None) -> Run:
    judgement = attempts[-1].judgement
    state = {Verdict.PASS: State.PASS, Verdict.FAIL: State.FAIL}.get(judgement.verdict, State.INDETERMINATE)
    if calibrated_until is not None and datetime.now().astimezone().date() > calibrated_until:
        because = f"the instrument was calibrated until {calibrated_until}; its data alone say {judgement}"
        return Run(name, cell, State.INDETERMINATE, None, because, 3, tuple(attempts))
    because, code = judgement.because, judgement.exit_code
    return Run(name, cell, state, judgement.verdict, because, code, tuple(attempts))


def _failed(name: str, cell: str, state: State, error: EisError, attempts: Sequence[Assessment]) -> Run:
    return Run(name, cell, state, None, str(error), error.exit_code, tuple(attempts), error_code=error.code)


def _cut_short(name: str, cell: str, error: BaseException, attempts: Sequence[Assessment]) -> Run:
    """Return the end of a run that a person, a signal or a bug of ours cut short."""
    state, code, trace = State.ABORTED, 130, ""
    if isinstance(error, KeyboardInterrupt):
        because = "ended by Ctrl-C"
    elif isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 70
        asked = f"by {signal.Signals(code - 128).name}" if code - 128 in set(signal.Signals) else f"with {code}"
        because = f"the process was asked to end, {asked}"
    else:
        state, code, because = State.ERROR, 70, f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
    return Run(name, cell, state, None, because, code, tuple(attempts), traceback=trace)


def _store_end(bench: Bench, run: Run, problems: list[str]) -> None:
    """Write the outputs and store the end; whatever of that fails is a problem of the run, not its end.

    The message stands in the outbox before the end is in the store, so that a kill in between loses neither: the
    next start stores the end that the message tells of.
    """
    files: dict[str, str] = {}
    try:
        bench.on_state(run.name, "storing")
        files = write_outputs(
            run, bench.folder, bench.station.config.outputs, station=bench.station.config.station
        )
    except Exception as error:  # noqa: BLE001 - a page that cannot be drawn must not cost the verdict
        problems.append(f"outputs are not complete: {error}")
    content = content_of(run, files, bench.folder.resolve() / run.name, bench.station.config)
    if bench.report is not None:
        try:
            Outbox(bench.folder / UNREPORTED).put(message_of(bench, run.name, content))
        except StoreError as error:
            problems.append(f"not reported: {error}")
    keep(bench, "ended", run.name, content, problems)


def _reported(bench: Bench, run: Run, problems: list[str]) -> Run:
    """Tell the works' system of the end, which is stored; what it does not take waits."""
    if bench.report is not None and (because := Outbox(bench.folder / UNREPORTED).flush(bench.report)):
        problems.append(f"not reported yet: {because}; it waits in {UNREPORTED}")
    code = max(run.exit_code, 4) if problems else run.exit_code
    done = replace(run, exit_code=code, problems=tuple(problems))
    bench.on_end(done)  # before it is told: whoever hears of it may end this process
    bench.on_state(run.name, str(done.state))
    return done


def _pause(seconds: float) -> Interlock:
    """Return an interlock that is right and wants to be so for a while."""
    return Interlock("wait before the next attempt", lambda: "", steady_s=seconds)
