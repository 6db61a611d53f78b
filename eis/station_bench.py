"""A station made ready for its cells, and what of their runs waits to be stored or reported.

What a run says goes into the store at once; what the store, or the works' system, does not take waits on disk
beside the results (`eis.outbox`). The next start stores and reports it, and gives every run that a crash cut short
its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eis.errors import BusyError, ConfigError, EisError, StoreError
from eis.interlock import Interlock, from_file
from eis.outbox import NotDeliveredError, Outbox, RefusedError, Send, webhook
from eis.spec import Spec
from eis.station_config import Station, StationConfig
from eis.station_outputs import Run, State
from eis.store import Store
from eis.store_errors import ContradictionError
from instruments.connect import DRIVERS
from instruments.lease import lease
from instruments.limits import Limits
from instruments.potentiostat import Point, Sweep

MESSAGE_ONLY = ("schema", "station", "run")
"""What a message says besides the content of the record it tells of."""
UNSTORED, UNREPORTED = "unstored", "unreported"
"""Folders of what could not be put into the store, and of what the works' system has not taken yet."""


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
    on_end: Callable[[Run], None]
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
    on_end: Callable[[Run], None] = lambda run: None,
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
    on_end : callable
        Given each run that has ended and is stored, before `on_state` tells so.
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
    is_new = "://" not in place and not Path(place).exists()
    with _alone(station), Store.open(place, station=config.station) as store:
        if is_new and (station.path(config.outputs.folder) / "results.csv").exists():
            on_notice(f"there was no store, and {config.outputs.folder} holds earlier runs: {place} is a new one")
        bench = Bench(
            station,
            spec,
            store,
            (*from_files, *interlocks),
            report or _webhook(config, environ or {}),
            on_state,
            on_point,
            on_notice,
            on_end,
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
        sweep_of(config)
        limits_of(config)
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
    config = station.config
    folder, place = station.path(config.outputs.folder).resolve(), station.path(config.store).resolve()
    held = [folder] if "://" in config.store else [folder, place]
    with contextlib.ExitStack() as stack:
        try:
            for one in held:
                stack.enter_context(lease(f"station {config.station}, {one}", what="testing cells"))
        except BusyError as error:
            holder = error.what.removeprefix("The instrument is in use: ")
            raise BusyError(
                f"Another process runs this station: {holder}",
                where=station.config.station,
                mend="Let it, or end it; two stations need two names.",
            ) from error
        yield


def message_of(bench: Bench, run: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the works' system is told of a run."""
    return {"schema": "eis.run/1", "station": bench.station.config.station, "run": run, **content}


def keep(bench: Bench, kind: str, run: str, content: Mapping[str, Any], problems: list[str]) -> None:
    """Put a record into the store; if that fails, on disk beside the results, to be stored later."""
    try:
        bench.store.append(kind, run=run, content=content)
    except StoreError as error:
        problems.append(f"{kind} is not stored: {error}")
        with contextlib.suppress(StoreError):
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            Outbox(bench.folder / UNSTORED).put({"kind": kind, "run": run, "at": at, "content": content})


def catch_up(bench: Bench) -> None:
    """Store what could not be stored before; what cannot be now stays."""

    def into_store(message: Mapping[str, Any]) -> None:
        try:
            kind, run, content = str(message["kind"]), str(message["run"]), dict(message["content"])
            bench.store.append(kind, run=run, content=content, at=datetime.fromisoformat(message["at"]))
        except (ContradictionError, LookupError, TypeError, ValueError) as error:
            bench.on_notice(f"a record in {UNSTORED} cannot be stored and is set aside: {error}")
            raise RefusedError(str(error)) from error
        except StoreError as error:
            raise NotDeliveredError(str(error)) from error

    if because := Outbox(bench.folder / UNSTORED).flush(into_store):
        bench.on_notice(f"records wait in {UNSTORED}: {because}")


def _settle(bench: Bench) -> None:
    """After a start: store and report what could not be before, and give every run that has no end its end."""
    catch_up(bench)
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
            unreported.put(message_of(bench, run, content))
        store.append("ended", run=run, content=content)
    if bench.report is not None:
        unreported.flush(bench.report)


def sweep_of(config: StationConfig) -> Sweep:
    """Return the sweep a station's file describes."""
    values = config.sweep.model_dump(exclude={"hold_ocv"})
    return Sweep(**{name: value for name, value in values.items() if value is not None})


def limits_of(config: StationConfig) -> Limits | None:
    """Return what the cell is never to be asked, or None where the station's file leaves that to `eis measure`."""
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
