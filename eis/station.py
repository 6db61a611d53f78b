"""A test station: cells one after the other, each from the instrument to a stored verdict, with nobody watching.

wait for interlocks → measure → validate → fit → check → outputs → store → report, as one run with a named end:

    PASS | FAIL | INDETERMINATE | ERROR | ABORTED        (and CRASHED, written by the next start)

Every step that can fail is on disk before the next begins. While an interlock is not right the cell is off and the
sweep waits; it is gone on with from its journal. A run ends as PASS only if the verdict is PASS and is stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import signal
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from eis import pipeline
from eis.document import VERSION
from eis.errors import AbortedError, BusyError, ConfigError, EisError, StoreError
from eis.interlock import Interlock, faults, from_file, wait_until_well
from eis.outbox import NotDeliveredError, Outbox, Send, webhook
from eis.results import Assessment, Verdict
from eis.spec import Spec
from eis.spectrum import Spectrum
from eis.station_config import Station, StationConfig
from eis.station_outputs import Run, State, content_of, plain, write_outputs
from eis.store import Store, canonical
from instruments.connect import DRIVERS
from instruments.lease import lease
from instruments.limits import Limits
from instruments.potentiostat import Point, Sweep
from instruments.preparation import Preparation
from instruments.record import read_journal

__all__ = ["Bench", "Run", "State", "open_bench", "require_ready", "run_cell"]

CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a cell may be called: it becomes part of the names of files."""
MESSAGE_ONLY = ("schema", "station", "run")
"""What a message says besides the content of the record it tells of."""
UNSTORED, UNREPORTED = "unstored", "unreported"
"""Folders of what could not be put into the store, and of what the works' system has not taken yet."""


class _PausedError(Exception):
    """An interlock is not right: leave the sweep, which switches the cell off; it is gone on with later."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A station made ready: configuration, spec, store, interlocks, outboxes. Use `open_bench`."""

    station: Station
    spec: Spec
    store: Store
    interlocks: tuple[Interlock, ...]
    report: Send | None
    on_state: Callable[[str, str], None]
    on_point: Callable[[Point], None]
    on_notice: Callable[[str], None]
    options: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where results are written."""
        return self.station.path(self.station.config.outputs.folder)


@contextlib.contextmanager
def open_bench(
    station: Station,
    *,
    interlocks: Sequence[Interlock] = (),
    report: Send | None = None,
    environ: Mapping[str, str] | None = None,
    on_state: Callable[[str, str], None] = lambda run, state: None,
    on_point: Callable[[Point], None] = lambda point: None,
    on_notice: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> Generator[Bench]:
    """Make a station ready, and say of runs that a crash cut short that they were.

    Parameters
    ----------
    station : Station
        As `load_station` returns it.
    interlocks : sequence of Interlock
        Conditions that are functions, besides those of the file.
    report : callable, optional
        Takes the message about each run; by default it is posted to the webhook of the file, if there is one.
    environ : mapping, optional
        Where the webhook's token is looked up.
    on_state, on_point, on_notice : callable
        Told of each step of a run, of each measured point, and in words of what is worth knowing, such as that
        there can be no guardian.
    **options
        Options of the driver that no file can hold, such as a VISA library.

    Yields
    ------
    Bench

    Raises
    ------
    ConfigError, StoreError
        If the spec, the circuit or the store is not to be had; nothing was connected to.
    BusyError
        If another process runs this station.
    """
    config = station.config
    spec = require_ready(station)
    from_files = tuple(from_file(one, station.folder) for one in config.interlocks)
    place = config.store if "://" in config.store else str(station.path(config.store))
    with _alone(station), Store.open(place, station=config.station) as store:
        bench = Bench(
            station,
            spec,
            store,
            (*from_files, *interlocks),
            report or _webhook(config, environ or {}),
            on_state,
            on_point,
            on_notice,
            options,
        )
        _settle(bench)
        yield bench


def require_ready(station: Station) -> Spec:
    """Check what can be checked with no cell there: circuit, element, driver, sweep, limits and spec.

    Returns
    -------
    Spec
        What cells are held to.

    Raises
    ------
    ConfigError, CircuitError
        If one of them is not what it must be; nothing was connected to.
    """
    from fitting.circuit import parse

    config = station.config
    parsed = parse(config.circuit)
    for key, given, known in (
        ("check.element", config.check.element, parsed.names),
        ("driver", config.driver, [one.name for one in DRIVERS]),
    ):
        if given is not None and given not in known:
            raise ConfigError(f"There is no {given!r}", where=key, mend=f"Choose one of {', '.join(known)}.")
    try:
        _sweep(config)
        _limits(config)
    except ConfigError:
        raise
    except EisError as error:
        raise ConfigError(error.what, where="sweep, limits", mend=error.mend) from error
    name = config.check.spec
    own = station.path(name)
    return Spec.load(own if own.suffix == ".toml" and own.exists() else name)


@contextlib.contextmanager
def _alone(station: Station) -> Generator[None]:
    """Hold a station for this process: a second one would take the first one's run for a crashed one."""
    folder = station.path(station.config.outputs.folder).resolve()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lease(f"station {station.config.station}, {folder}", what="testing cells"))
        except BusyError as error:
            holder = error.what.removeprefix("The instrument is in use: ")
            raise BusyError(
                f"Another process runs this station: {holder}",
                where=station.config.station,
                mend="Let it, or end it; two stations need two names.",
            ) from error
        yield


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
    _catch_up(bench)
    identity = hashlib.sha256(canonical(config.model_dump(mode="json", by_alias=True)).encode("ascii")).hexdigest()
    begun = {"cell": cell_id, "configuration_sha256": identity, "version": VERSION}
    _keep(bench, "begun", name, begun, problems)
    try:
        _attempt_all(bench, name, attempts, problems)
        run = _ended(name, cell_id, attempts, config.calibrated_until)
    except AbortedError as error:
        run = _failed(name, cell_id, State.ABORTED, error, attempts)
    except EisError as error:
        run = _failed(name, cell_id, State.ERROR, error, attempts)
    except KeyboardInterrupt:
        _finish(bench, Run(name, cell_id, State.ABORTED, None, "ended by Ctrl-C", 130, tuple(attempts)), problems)
        raise
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 70
        asked = f"by {signal.Signals(code - 128).name}" if code - 128 in set(signal.Signals) else f"with {code}"
        because = f"the process was asked to end, {asked}"
        _finish(bench, Run(name, cell_id, State.ABORTED, None, because, code, tuple(attempts)), problems)
        raise
    except BaseException as error:
        because = f"{type(error).__name__}: {error}"
        trace = traceback.format_exc()
        run = Run(name, cell_id, State.ERROR, None, because, 70, tuple(attempts), traceback=trace)
        _finish(bench, run, problems)
        raise
    return _finish(bench, run, problems)


def _attempt_all(bench: Bench, name: str, attempts: list[Assessment], problems: list[str]) -> None:
    """Measure until the data can be trusted, or often enough; every attempt is stored."""
    retry = bench.station.config.retry
    for number in range(1, retry.attempts + 1):
        if number > 1 and retry.wait_s:
            wait_until_well((*bench.interlocks, _pause(retry.wait_s)))
        bench.on_state(name, f"measuring, attempt {number}")
        spectrum = _measured(bench, bench.folder / name / f"spectrum-{number}.nc")
        bench.on_state(name, "judging")
        attempts.append(_assessed(bench, spectrum))
        content = {**attempts[-1].judgement.to_dict(), "validity": attempts[-1].validity.to_dict()}
        _keep(bench, f"attempt-{number}", name, plain(content), problems)
        if attempts[-1].judgement.verdict is not Verdict.INVALID_DATA:
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
                read_journal(journal).sweep if paused else _sweep(config),  # that of the journal has the OCV
                out,
                on_point=looked_at,
                resume=journal if paused else None,
                preparation=Preparation(
                    config.preparation.mains_hz,
                    config.preparation.repeat_decades,
                    60 * config.preparation.settle_minutes,
                ),
                limits=_limits(config),
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


def _finish(bench: Bench, run: Run, problems: list[str]) -> Run:
    """Write the outputs, store the end, report it; whatever of that fails is a problem of the run, not its end.

    The message stands in the outbox before the end is in the store, so that a kill in between loses neither: the
    next start stores the end that the message tells of.
    """
    bench.on_state(run.name, "storing")
    wanted, unreported = bench.station.config.outputs, Outbox(bench.folder / UNREPORTED)
    files: dict[str, str] = {}
    try:
        files = write_outputs(run, bench.folder, wanted, station=bench.station.config.station)
    except Exception as error:  # noqa: BLE001 - a page that cannot be drawn must not cost the verdict
        problems.append(f"outputs are not complete: {error}")
    content = content_of(run, files, bench.folder.resolve() / run.name)
    if bench.report is not None:
        try:
            unreported.put(_message(bench, run.name, content))
        except StoreError as error:
            problems.append(f"not reported: {error}")
    _keep(bench, "ended", run.name, content, problems)
    if bench.report is not None and (because := unreported.flush(bench.report)):
        problems.append(f"not reported yet: {because}; it waits in {UNREPORTED}")
    code = max(run.exit_code, 4) if problems else run.exit_code
    done = replace(run, exit_code=code, problems=tuple(problems))
    bench.on_state(run.name, str(done.state))
    return done


def _message(bench: Bench, run: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": "eis.run/1", "station": bench.station.config.station, "run": run, **content}


def _keep(bench: Bench, kind: str, run: str, content: Mapping[str, Any], problems: list[str]) -> None:
    """Put a record into the store; if that fails, on disk beside the results, to be stored later."""
    try:
        bench.store.append(kind, run=run, content=content)
    except StoreError as error:
        problems.append(f"{kind} is not stored: {error}")
        with contextlib.suppress(StoreError):
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            Outbox(bench.folder / UNSTORED).put({"kind": kind, "run": run, "at": at, "content": content})


def _catch_up(bench: Bench) -> None:
    """Store what could not be stored before; what cannot be now stays."""

    def into_store(message: Mapping[str, Any]) -> None:
        try:
            at = datetime.fromisoformat(message["at"])
            bench.store.append(message["kind"], run=message["run"], content=message["content"], at=at)
        except StoreError as error:
            raise NotDeliveredError(str(error)) from error

    Outbox(bench.folder / UNSTORED).flush(into_store)


def _settle(bench: Bench) -> None:
    """After a start: store and report what could not be before, and give every run that has no end its end."""
    _catch_up(bench)
    store, unreported = bench.store, Outbox(bench.folder / UNREPORTED)
    without_end = store.unfinished(begins="begun", ends="ended")
    ends = {message.get("run"): message for _, message in unreported.messages()}
    waiting = {message.get("run") for _, message in Outbox(bench.folder / UNSTORED).messages()}
    for run in without_end:
        if run in waiting:
            continue  # its end is known and will be stored
        if run in ends:
            content = {name: value for name, value in ends[run].items() if name not in MESSAGE_ONLY}
            store.append("ended", run=run, content=content)
            continue
        begun = next(store.records(kind="begun", run=run)).content
        because = "the station stopped before this run ended"
        content = {"cell": begun.get("cell"), "state": str(State.CRASHED), "because": because}
        if bench.report is not None:
            unreported.put(_message(bench, run, content))
        store.append("ended", run=run, content=content)
    if bench.report is not None:
        unreported.flush(bench.report)


def _sweep(config: StationConfig) -> Sweep:
    values = config.sweep.model_dump(exclude={"hold_ocv"})
    return Sweep(**{name: value for name, value in values.items() if value is not None})


def _limits(config: StationConfig) -> Limits | None:
    given = {name: value for name, value in config.limits.model_dump().items() if value is not None}
    return Limits(**given) if given else None


def _webhook(config: StationConfig, environ: Mapping[str, str]) -> Send | None:
    wanted = config.outputs
    if wanted.webhook is None:
        return None
    token = environ.get(wanted.webhook_token_env) if wanted.webhook_token_env else None
    if wanted.webhook_token_env and token is None:
        raise ConfigError(
            f"The environment has no {wanted.webhook_token_env}",
            where="outputs.webhook_token_env",
            mend="Set it to the token, or leave the key out.",
        )
    return webhook(wanted.webhook, timeout_s=wanted.webhook_timeout_s, retries=wanted.webhook_retries, token=token)


def _pause(seconds: float) -> Interlock:
    """Return an interlock that is right and wants to be so for a while."""
    return Interlock("wait before the next attempt", lambda: "", steady_s=seconds)
