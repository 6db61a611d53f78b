"""Re-fit an archive: every spectrum with one circuit, on all cores or a cluster, resumable, into one table.

The archive is cut into tasks (`eis.refit_tasks`); workers (`eis.refit_pool`) read, fit and write one part of the
table each (`eis.refit_work`). A part that is on disk is never made again, so that a run that was killed goes on;
at the end the parts become one file, or a folder of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eis.errors import ConfigError, StoreError
from eis.refit_pool import pool
from eis.refit_tasks import Settings, Task, tasks_of
from eis.refit_work import Done, header, run_task

AHEAD = 3
"""Tasks per worker that are handed out at a time: nobody waits, and an interrupt ends soon."""
SETTINGS, LOG = "settings.json", "done.jsonl"


@dataclass(frozen=True, slots=True)
class Summary:
    """How a re-fit went: the table, and numbers of rows: in all, done before, failed, suspicious."""

    out: Path
    n_rows: int
    n_resumed: int
    n_failed: int
    n_suspicious: int

    @property
    def n_spectra(self) -> int:
        """Spectra that were fitted."""
        return self.n_rows - self.n_failed

    def __str__(self) -> str:
        resumed = f" ({self.n_resumed} of them done before)" if self.n_resumed else ""
        return (
            f"{self.n_spectra} spectra fitted{resumed}, {self.n_suspicious} suspicious, {self.n_failed} failed; "
            f"wrote {self.out}"
        )


def refit(
    source: str | Path,
    circuit: str,
    out: str | Path,
    *,
    weight: str = "modulus",
    seed: int = 0,
    along: str = "",
    within: str = "",
    workers: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Fit one circuit to every spectrum of an archive.

    Parameters
    ----------
    source : str or Path
        A folder, searched with all its subfolders (hidden files are left out), or one collection.
    circuit : str
        The circuit.
    out : str or Path
        ``.csv``, ``.parquet`` (needs pyarrow), or a folder of Parquet parts if it has no suffix. One row per
        spectrum: file, sha256, index, error (what could not be read or fitted), n_points, the coordinates of the
        archive as ``at_…``, chi2, reduced_chi2, converged, suspicious, n_starts, and every parameter with its
        ``u_`` (natural units).
    weight, seed
        As in `fitting.bulk.fit_many`.
    along, within : str
        A coordinate along which spectra follow each other, such as ``"temperature_c"`` or ``"cycle"``, and the one
        that tells series apart, such as ``"cell"``. Fits that look wrong are then begun again between their
        neighbours.
    workers, scheduler
        As in `eis.refit_pool.pool`; the result does not depend on them.
    on_progress : callable, optional
        Called with what is done and what there is, in spectra of collections and in files.

    Raises
    ------
    ConfigError
        If there is nothing to fit, `out` has another suffix, or the archive has no such coordinate.
    StoreError
        If the table exists already, cannot be written, or a partial result is of another run.
    """
    from fitting.circuit import parse

    source, out = Path(source), Path(out)
    settings = Settings(str(parse(circuit)), weight, seed, along, within)
    suffix = _suffix(out)
    tasks = tasks_of(source, without=out)
    _require_coordinates(settings, tasks)
    parts = log_of(out).parent
    before = _resume(parts, settings, tasks, suffix)
    left = [task for task in tasks if task.number not in before]
    total = sum(map(len, tasks))
    ready = total - sum(map(len, left))
    done = dict(before)
    if on_progress is not None and before:
        on_progress(ready, total)
    try:
        for task, result in _work(left, settings, parts, suffix, workers, scheduler):
            _log(parts, result)
            done[result.number] = result
            ready += len(task)
            if on_progress is not None:
                on_progress(ready, total)
    finally:
        if not done and not log_of(out).exists():  # nothing is ready, and nothing to go on with is left
            shutil.rmtree(parts, ignore_errors=True)
    _gather(parts, out, suffix, settings, tasks)
    return Summary(
        out=out,
        n_rows=sum(one.n_rows for one in done.values()),
        n_resumed=sum(one.n_rows for one in before.values()),
        n_failed=sum(one.n_failed for one in done.values()),
        n_suspicious=sum(one.n_suspicious for one in done.values()),
    )


def log_of(out: Path) -> Path:
    """Return where a re-fit into `out` writes down what is done, until all is."""
    return out.with_name(out.name + ".parts") / LOG


def _work(
    tasks: Sequence[Task], settings: Settings, parts: Path, suffix: str, workers: int, scheduler: str | None
) -> Iterator[tuple[Task, Done]]:
    """Yield what each task gave, as it is ready; few are handed out at a time."""
    if not tasks:
        return
    with pool(min(workers, len(tasks)), scheduler) as executor:
        window = 1 if workers <= 1 and scheduler is None else AHEAD * max(workers, 4 if scheduler else 1)
        waiting: dict[Future[Done], Task] = {}
        following = iter(tasks)
        try:
            while True:
                for task in following:
                    arguments = (task, settings, str(parts.resolve()), suffix)
                    waiting[executor.submit(run_task, *arguments)] = task
                    if len(waiting) >= window:
                        break
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()


def _suffix(out: Path) -> str:
    """Return the suffix of the parts; refuse a name that cannot be written before any work is done."""
    if out.suffix not in (".parquet", ".csv", ""):
        raise ConfigError(
            f"{out.name!r} names no table", where="--out", mend="End it in .parquet or .csv, or name a folder."
        )
    if out.exists():
        raise StoreError("The table exists already", where=str(out), mend="Choose another name, or move it.")
    if out.suffix == ".csv":
        return ".csv"
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "Parquet needs pyarrow", where="--out", mend="pip install 'interfacial-eis[archive]', or write .csv."
        ) from error
    return ".parquet"


def _require_coordinates(settings: Settings, tasks: Sequence[Task]) -> None:
    known = {name for name, _ in tasks[0].coordinates}
    for name in filter(None, (settings.along, settings.within)):
        if name not in known:
            raise ConfigError(
                f"The archive has no coordinate {name!r}",
                where="--along, --within",
                mend=f"It has {', '.join(sorted(known)) or 'none'}; collections (`eis convert --into`) have them.",
            )


def _resume(parts: Path, settings: Settings, tasks: Sequence[Task], suffix: str) -> dict[int, Done]:
    """Make the folder of the parts, or return what is in it already; a torn last line of its log is done again."""
    described = {**asdict(settings), "tasks": _fingerprint(tasks)}
    try:
        parts.mkdir(parents=True, exist_ok=True)
        about = parts / SETTINGS
        if not about.exists() and any(not one.name.startswith(".") for one in parts.iterdir()):
            raise StoreError(
                "A folder that is none of ours stands in the way", where=str(parts), mend="Choose another --out."
            )
        if not about.exists():
            _put(about, json.dumps(described, indent=1))
            return {}
        found = json.loads(about.read_text("utf-8"))
        lines = (parts / LOG).read_bytes().split(b"\n") if (parts / LOG).exists() else []
    except OSError as error:
        raise _cannot_write(parts, error) from error
    except ValueError:
        found, lines = None, []
    if found != described:
        raise StoreError(
            "A partial result of another run, or of another archive, stands in the way",
            where=str(parts),
            mend="Give the same circuit, options and files to go on with it, remove it, or choose another --out.",
        )
    done: dict[int, Done] = {}
    for line in lines:
        try:
            one = Done(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if (parts / f"part-{one.number:06d}{suffix}").exists():
            done[one.number] = one
    return done


def _fingerprint(tasks: Sequence[Task]) -> str:
    """Return what tells this cut of this archive from another: names, sizes and times of change."""
    import hashlib

    digest = hashlib.sha256()
    for name in dict.fromkeys(file for task in tasks for file in task.files):
        about = Path(name).stat()
        digest.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    digest.update(f"{len(tasks)}".encode())
    return digest.hexdigest()


def _log(parts: Path, result: Done) -> None:
    try:
        with (parts / LOG).open("ab") as file:
            file.write(json.dumps(asdict(result)).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _cannot_write(parts, error) from error


def _gather(parts: Path, out: Path, suffix: str, settings: Settings, tasks: Sequence[Task]) -> None:
    """Put the parts together, one after the other, into a file beside its place, then move it there."""
    names = [parts / f"part-{task.number:06d}{suffix}" for task in tasks]
    whole = out.with_name(f".{out.name}.whole")
    try:
        if not out.suffix:
            (parts / LOG).unlink(missing_ok=True)
            (parts / SETTINGS).rename(parts / f"_{SETTINGS}")  # so that readers of Parquet leave it aside
            parts.rename(out)
            return
        if suffix == ".csv":
            columns = header(settings.circuit, tasks[0].coordinates)
            described = "".join(f"# {key}: {json.dumps(value)}\n" for key, value in asdict(settings).items())
            with whole.open("wb") as file:
                file.write((described + ",".join(columns) + "\n").encode("utf-8"))
                for name in names:
                    with name.open("rb") as part:
                        shutil.copyfileobj(part, file)
        else:
            _gather_parquet(names, whole, settings)
        whole.replace(out)
        shutil.rmtree(parts)
    except OSError as error:
        raise _cannot_write(out, error) from error
    finally:
        whole.unlink(missing_ok=True)


def _gather_parquet(names: Sequence[Path], whole: Path, settings: Settings) -> None:
    import pyarrow.parquet as pq

    first = pq.read_schema(names[0])
    own: dict[bytes | str, bytes | str] = {key: json.dumps(value) for key, value in asdict(settings).items()}
    with pq.ParquetWriter(whole, first.with_metadata(own)) as writer:
        for name in names:
            writer.write_table(pq.read_table(name).replace_schema_metadata(own))


def _put(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The file cannot be written: {error.strerror}", where=str(path), mend="Free some space or choose another."
    )


def table(path: Path) -> Any:
    """Return a table that `refit` wrote, a file or a folder of parts, as a pandas DataFrame.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, comment="#") if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"The table cannot be read: {error}", where=str(path), mend="Make it again.") from error
