"""A test station: cells one after the other, each from the instrument to a stored verdict, with nobody watching.

wait for interlocks → measure → validate → fit → check → outputs → store → report, as one run with a named end:

    PASS | FAIL | INDETERMINATE | ERROR | ABORTED        (and CRASHED, written by the next start)

Every step that can fail is on disk before the next begins. While an interlock is not right the cell is off and the
sweep waits; it is gone on with from its journal. A run ends as PASS only if the verdict is PASS and is stored.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import re
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from eis import pipeline
from eis.document import VERSION
from eis.errors import AbortedError, ConfigError, EisError, StoreError
from eis.interlock import Interlock, faults, from_file, wait_until_well
from eis.junit import render_junit
from eis.outbox import NotDeliveredError, Outbox, Send, webhook
from eis.results import Assessment, Finding, Verdict
from eis.spec import Spec
from eis.spectrum import Spectrum
from eis.station_config import Station, StationConfig
from eis.store import Store, canonical
from instruments.limits import Limits
from instruments.potentiostat import Point, Sweep
from instruments.preparation import Preparation

CELL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a cell may be called: it becomes part of the names of files."""
UNSTORED, UNREPORTED = "unstored", "unreported"
"""Folders of what could not be put into the store, and of what the works' system has not taken yet."""
COLUMNS = ("at", "station", "run", "cell", "state", "verdict", "reading", "value", "u", "unit", "limit", "because")


class State(StrEnum):
    """How a run ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    INDETERMINATE = "INDETERMINATE"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    CRASHED = "CRASHED"


@dataclass(frozen=True, slots=True)
class Run:
    """One cell at the station, from its id to what is left of it.

    Parameters
    ----------
    name, cell : str
        Name of the run, unique, fit for a file name; and the id of the cell.
    state : State
        How it ended.
    verdict : Verdict, optional
        Of the last attempt; None if there was none.
    because : str
        One sentence.
    exit_code : int
        What ``eis run`` leaves with for this cell; 0 only for a PASS that is stored and, if asked for, reported.
    attempts : tuple of Assessment
        Every attempt; all but the last failed their data gate.
    problems : tuple of str
        What else went wrong: not stored, not reported.
    error_code : str
        Of the error that ended it, such as ``"cell-state-unknown"``: then nothing more is to be measured here.
    """

    name: str
    cell: str
    state: State
    verdict: Verdict | None
    because: str
    exit_code: int
    attempts: tuple[Assessment, ...] = field(default=(), repr=False)
    problems: tuple[str, ...] = ()
    error_code: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``eis.run/1``."""
        last = self.attempts[-1].to_dict() if self.attempts else {}
        return {
            **last,
            "run": self.name,
            "cell_id": self.cell,
            "state": str(self.state),
            "verdict": None if self.verdict is None else str(self.verdict),
            "because": self.because,
            "exit_code": self.exit_code,
            "error_code": self.error_code or None,
            "attempts": len(self.attempts),
            "problems": list(self.problems),
        }


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
    on_state, on_point : callable
        Told of each step of a run, and of each measured point.
    **options
        Options of the driver that no file can hold, such as a VISA library.

    Yields
    ------
    Bench

    Raises
    ------
    ConfigError, StoreError
        If the spec, the circuit or the store is not to be had; nothing was connected to.
    """
    from fitting.circuit import parse

    config = station.config
    parse(config.circuit)
    name = config.check.spec
    own = station.path(name)
    spec = Spec.load(own if own.suffix == ".toml" and own.exists() else name)
    from_files = tuple(from_file(one, station.folder) for one in config.interlocks)
    place = config.store if "://" in config.store else str(station.path(config.store))
    with Store.open(place, station=config.station) as store:
        for run in store.unfinished(begins="begun", ends="ended"):
            content = {"state": str(State.CRASHED), "because": "the station stopped before this run ended"}
            store.append("ended", run=run, content=content)
        bench = Bench(
            station,
            spec,
            store,
            (*from_files, *interlocks),
            report or _webhook(config, environ or {}),
            on_state,
            on_point,
            options,
        )
        _empty(bench)
        yield bench


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
    identity = hashlib.sha256(canonical(config.model_dump(mode="json", by_alias=True)).encode("ascii")).hexdigest()
    begun = {"cell": cell_id, "configuration_sha256": identity, "version": VERSION}
    _keep(bench, "begun", name, begun, problems)
    try:
        _attempt_all(bench, name, attempts, problems)
        run = _ended(name, cell_id, attempts, problems)
    except AbortedError as error:
        run = _failed(name, cell_id, State.ABORTED, error, attempts)
    except EisError as error:
        run = _failed(name, cell_id, State.ERROR, error, attempts)
    except BaseException as error:
        state = State.ABORTED if isinstance(error, (KeyboardInterrupt, SystemExit)) else State.ERROR
        run = Run(name, cell_id, state, None, f"{type(error).__name__}: {error}", 70, tuple(attempts))
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
        _keep(bench, f"attempt-{number}", name, _plain(content), problems)
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
            return pipeline.measure(
                config.resource,
                _sweep(config),
                out,
                on_point=looked_at,
                resume=journal if journal.exists() else None,
                preparation=Preparation(
                    config.preparation.mains_hz,
                    config.preparation.repeat_decades,
                    60 * config.preparation.settle_minutes,
                ),
                limits=_limits(config),
                hold_ocv=config.sweep.hold_ocv,
                guard=config.guardian,
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


def _ended(name: str, cell: str, attempts: Sequence[Assessment], problems: Sequence[str]) -> Run:
    judgement = attempts[-1].judgement
    state = {Verdict.PASS: State.PASS, Verdict.FAIL: State.FAIL}.get(judgement.verdict, State.INDETERMINATE)
    return Run(
        name,
        cell,
        state,
        judgement.verdict,
        judgement.because,
        judgement.exit_code,
        tuple(attempts),
        tuple(problems),
    )


def _failed(name: str, cell: str, state: State, error: EisError, attempts: Sequence[Assessment]) -> Run:
    return Run(name, cell, state, None, str(error), error.exit_code, tuple(attempts), error_code=error.code)


def _finish(bench: Bench, run: Run, problems: list[str]) -> Run:
    """Write the outputs, store the end, report it; whatever of that fails is a problem of the run, not its end."""
    bench.on_state(run.name, "storing")
    files: dict[str, str] = {}
    try:
        files = _write(bench, run)
    except StoreError as error:
        problems.append(f"outputs are not complete: {error}")
    content = _content(run, files)
    _keep(bench, "ended", run.name, content, problems)
    if bench.report is not None:
        message = {"schema": "eis.run/1", "station": bench.station.config.station, "run": run.name, **content}
        try:
            Outbox(bench.folder / UNREPORTED).put(message)
            because = Outbox(bench.folder / UNREPORTED).flush(bench.report)
        except StoreError as error:
            because = str(error)
        if because:
            problems.append(f"not reported yet: {because}; it waits in {UNREPORTED}")
    code = max(run.exit_code, 4) if problems else run.exit_code
    done = replace(run, exit_code=code, problems=tuple(problems))
    bench.on_state(run.name, str(done.state))
    return done


def _keep(bench: Bench, kind: str, run: str, content: Mapping[str, Any], problems: list[str]) -> None:
    """Put a record into the store; if that fails, on disk beside the results, to be stored later."""
    try:
        bench.store.append(kind, run=run, content=content)
    except StoreError as error:
        problems.append(f"{kind} is not stored: {error}")
        with contextlib.suppress(StoreError):
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            Outbox(bench.folder / UNSTORED).put({"kind": kind, "run": run, "at": at, "content": content})


def _empty(bench: Bench) -> None:
    """Store and report what could not be before; what cannot be now stays."""

    def into_store(message: Mapping[str, Any]) -> None:
        try:
            at = datetime.fromisoformat(message["at"])
            bench.store.append(message["kind"], run=message["run"], content=message["content"], at=at)
        except StoreError as error:
            raise NotDeliveredError(str(error)) from error

    Outbox(bench.folder / UNSTORED).flush(into_store)
    if bench.report is not None:
        Outbox(bench.folder / UNREPORTED).flush(bench.report)


def _content(run: Run, files: Mapping[str, str]) -> dict[str, Any]:
    finding = _decisive(run)
    content: dict[str, Any] = {
        "cell": run.cell,
        "state": str(run.state),
        "verdict": None if run.verdict is None else str(run.verdict),
        "because": run.because,
        "attempts": len(run.attempts),
        "files_sha256": dict(files),
    }
    asr = next((f for f in _findings(run) if f.reading == "asr"), None)
    if finding is not None:
        content["finding"] = finding.to_dict()
    if asr is not None:
        content |= {"asr_ohm_cm2": asr.value, "u_asr_ohm_cm2": asr.u}
    plain: dict[str, Any] = _plain(content)
    return plain


def _findings(run: Run) -> tuple[Finding, ...]:
    return run.attempts[-1].judgement.findings if run.attempts else ()


def _decisive(run: Run) -> Finding | None:
    """Return the finding that a table has room for: the first of the verdict, or the first."""
    found = _findings(run)
    return next((one for one in found if one.verdict == run.verdict), found[0] if found else None)


def _plain(values: Any) -> Any:
    """Return values fit for the store: NaN and infinities become None."""
    if isinstance(values, Mapping):
        return {str(key): _plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    if isinstance(values, float):
        return values if abs(values) < float("inf") else None
    return str(values) if isinstance(values, StrEnum) else values


def _write(bench: Bench, run: Run) -> dict[str, str]:
    """Write what the file asks for; return the SHA-256 of every file of the run."""
    wanted = bench.station.config.outputs
    folder = bench.folder / run.name
    pipeline.make_folder(folder)
    if run.attempts:
        pipeline.write_report(run.attempts[-1:], folder, title=f"Cell {run.cell}", html=wanted.html)
    if wanted.junit:  # for the cell rather than the spectrum
        entry = run.to_dict() | {"file": run.cell}
        if run.verdict is None:
            entry["error"] = {"code": str(run.state), "message": run.because, "where": run.name, "mend": None}
        pipeline.write_text(folder / "junit.xml", render_junit([entry], name=bench.station.config.station))
    if wanted.csv:
        _append_row(bench, run)
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def _append_row(bench: Bench, run: Run) -> None:
    """Append the run to ``results.csv``: one write, on disk when this returns."""
    finding = _decisive(run)
    measured = (finding.reading, finding.value, finding.u, finding.unit, finding.limit) if finding else ("",) * 5
    at = datetime.now(UTC).isoformat(timespec="seconds")
    row = (
        at,
        bench.station.config.station,
        run.name,
        run.cell,
        run.state,
        run.verdict or "",
        *measured,
        run.because,
    )
    path = bench.folder / "results.csv"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not path.exists():
        writer.writerow(COLUMNS)
    writer.writerow(row)
    try:
        with path.open("ab") as file:
            file.write(text.getvalue().encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"The table cannot be written: {error.strerror}", where=str(path), mend="Free some space."
        ) from error


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
