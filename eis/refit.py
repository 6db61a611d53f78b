"""Re-fit an archive: every spectrum of a folder with one circuit, on all cores, resumable, into one table.

Files are read and fitted in chunks by worker processes. What a chunk gives is on disk, in ``<out>.partial.jsonl``,
before the next is counted; a run that was killed goes on from there. The table is written at the end, whole or not
at all: Parquet or CSV by the suffix of its name.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eis.document import VERSION
from eis.errors import ConfigError, EisError, StoreError
from eis.namesakes import refuse_namesakes
from eis.readers import read_all
from eis.spectrum import Spectrum

refuse_namesakes()

SCHEMA = "eis.refit/1"
CHUNK = 64
"""Files per task: enough for the machine to fit in bulk, few enough to lose little when a run is killed."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What makes two runs the same run: only then is a partial result gone on with."""

    circuit: str
    weight: str
    seed: int
    version: str = VERSION
    schema: str = SCHEMA


@dataclass(frozen=True, slots=True)
class Summary:
    """How a re-fit went: numbers of files and spectra, of those that failed or look suspicious, and the table."""

    out: Path
    n_files: int
    n_resumed: int
    n_spectra: int
    n_failed: int
    n_suspicious: int

    def __str__(self) -> str:
        resumed = f" ({self.n_resumed} of them done before)" if self.n_resumed else ""
        return (
            f"{self.n_files} files{resumed}: {self.n_spectra} spectra fitted, {self.n_suspicious} suspicious, "
            f"{self.n_failed} failed; wrote {self.out}"
        )


def refit(
    folder: Path,
    circuit: str,
    out: Path,
    *,
    weight: str = "modulus",
    seed: int = 0,
    workers: int = 1,
    on_files: Callable[[int, int], None] | None = None,
) -> Summary:
    """Fit one circuit to every spectrum below a folder.

    Parameters
    ----------
    folder : Path
        Searched with all its subfolders, in order of name; hidden files are left out.
    circuit : str
        The circuit.
    out : Path
        Table to write: ``.parquet`` (needs pyarrow) or ``.csv``. One row per spectrum: file, sha256, index, every
        parameter with its ``u_`` (natural units), chi2, reduced_chi2, converged, suspicious, and `error` for what
        could not be read or fitted.
    weight, seed
        As in `fitting.bulk.fit_many`.
    workers : int
        Worker processes; the result does not depend on it.
    on_files : callable, optional
        Called with (files done, files in all) as the work goes on.

    Returns
    -------
    Summary

    Raises
    ------
    ConfigError
        If there is nothing to fit, or `out` has another suffix.
    StoreError
        If the table exists already, cannot be written, or a partial result is of another run.
    """
    from fitting.circuit import parse

    settings = Settings(str(parse(circuit)), weight, seed)
    _check_out(out)
    files = _files(folder, out)
    partial = out.with_name(out.name + ".partial.jsonl")
    done = _resume(partial, settings)
    left = [file for file in files if str(file) not in done]
    count = len(files) - len(left)
    rows = [row for name in map(str, files) for row in done.get(name, ())]
    with _Partial(partial, settings, fresh=not done) as kept:
        for names, found in _work(left, settings, workers):
            kept.write(names, found)
            rows += found
            count += len(names)
            if on_files is not None:
                on_files(count, len(files))
    rows.sort(key=lambda row: (row["file"], row["index"]))
    _write_table(out, rows, settings)
    partial.unlink()
    failed = sum(row["error"] is not None for row in rows)
    return Summary(
        out=out,
        n_files=len(files),
        n_resumed=len(files) - len(left),
        n_spectra=len(rows) - failed,
        n_failed=failed,
        n_suspicious=sum(bool(row["suspicious"]) for row in rows),
    )


def fit_files(files: Sequence[str], settings: Settings) -> list[Row]:
    """Read files and fit what they hold, in bulk wherever spectra share a frequency grid."""
    rows: list[Row] = []
    grids: dict[bytes, list[tuple[Row, Spectrum]]] = {}
    for file in files:
        try:
            spectra = read_all(file)
        except EisError as error:
            rows.append(_row(file, None, 0, str(error)))
            continue
        for index, spectrum in enumerate(spectra):
            row = _row(file, spectrum.metadata.get("sha256"), index, None)
            grids.setdefault(spectrum.frequency_hz.tobytes(), []).append((row, spectrum))
    for group in grids.values():
        rows += _fit_group(group, settings)
    return rows


def _fit_group(group: Sequence[tuple[Row, Spectrum]], settings: Settings) -> list[Row]:
    """Fit spectra of one grid; what cannot be fitted keeps its reason."""
    from fitting.bulk import fit_many

    weight: Any = settings.weight
    z = np.array([spectrum.z_ohm for _, spectrum in group])
    try:
        batch = fit_many(settings.circuit, group[0][1].frequency_hz, z, weight=weight, seed=settings.seed)
    except EisError as error:
        return [{**row, "error": str(error)} for row, _ in group]
    out = []
    for i, (row, spectrum) in enumerate(group):
        values = {name: float(batch.values[i, j]) for j, name in enumerate(batch.names)}
        spread = {f"u_{name}": float(batch.u[i, j]) for j, name in enumerate(batch.names)}
        rest = {
            "n_points": len(spectrum),
            "chi2": float(batch.chi2[i]),
            "reduced_chi2": float(batch.reduced_chi2[i]),
            "converged": bool(batch.converged[i]),
            "suspicious": bool(batch.suspicious[i]),
            "n_starts": int(batch.n_starts[i]),
        }
        out.append({**row, **rest, **values, **spread})
    return out


def _row(file: str, sha256: str | None, index: int, error: str | None) -> Row:
    return {
        "file": file,
        "sha256": sha256,
        "index": index,
        "error": error,
        "converged": False,
        "suspicious": False,
    }


def _work(files: Sequence[Path], settings: Settings, workers: int) -> Iterator[tuple[list[str], list[Row]]]:
    """Yield what each chunk of files gave, as it is ready."""
    chunks = [[str(file) for file in files[i : i + CHUNK]] for i in range(0, len(files), CHUNK)]
    if workers <= 1 or len(chunks) < 2:
        for chunk in chunks:
            yield chunk, fit_files(chunk, settings)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context) as pool:
        waiting = {pool.submit(fit_files, chunk, settings): chunk for chunk in chunks}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class _Partial:
    """The rows so far, a line per chunk, each on disk before the next."""

    def __init__(self, path: Path, settings: Settings, *, fresh: bool) -> None:
        self.path, self.settings, self.fresh = path, settings, fresh

    def __enter__(self) -> _Partial:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if self.fresh else 0)
        try:
            self.handle = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        if self.fresh:
            self._put(asdict(self.settings))
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def write(self, files: Sequence[str], rows: Iterable[Row]) -> None:
        """Put a chunk on disk."""
        self._put({"files": list(files), "rows": [_finite(row) for row in rows]})

    def _put(self, record: Mapping[str, Any]) -> None:
        try:
            os.write(self.handle, (json.dumps(record, allow_nan=False) + "\n").encode())
            os.fsync(self.handle)
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def _finite(row: Row) -> Row:
    """Return a row fit for JSON: NaN and infinities become None."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


def _resume(partial: Path, settings: Settings) -> dict[str, list[Row]]:
    """Return the rows of a run that was interrupted, by file; a torn last line is done again."""
    if not partial.is_file():
        return {}
    first, *lines = partial.read_bytes().split(b"\n")
    try:
        header = json.loads(first)
    except ValueError:
        return {}
    if header != asdict(settings):
        raise StoreError(
            "A partial result of another run stands in the way",
            where=str(partial),
            mend="Give the same circuit, weight and seed to go on with it, remove it, or choose another --out.",
        )
    done: dict[str, list[Row]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        done |= {file: [] for file in record["files"]}
        for row in record["rows"]:
            done[row["file"]].append(row)
    return done


def _files(folder: Path, out: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError("There is no such folder", where=str(folder), mend="Give the folder of the archive.")
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    files = [path for path in found if not path.name.startswith(out.name)]
    if not files:
        raise ConfigError("The folder holds no files", where=str(folder), mend="Give the folder of the archive.")
    return files


def _check_out(out: Path) -> None:
    if out.suffix not in (".parquet", ".csv"):
        raise ConfigError(f"{out.name!r} names no table", where="--out", mend="End it in .parquet or .csv.")
    if out.exists():
        raise StoreError("The table exists already", where=str(out), mend="Choose another name, or move it.")
    if out.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                "Parquet needs pyarrow",
                where="--out",
                mend="pip install 'interfacial-eis[archive]', or write .csv.",
            ) from error


def _write_table(out: Path, rows: Sequence[Row], settings: Settings) -> None:
    """Write the table to a file beside its place, then move it there."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    part = out.with_name(f".{out.name}.part")
    try:
        if out.suffix == ".csv":
            described = "".join(f"# {key}: {json.dumps(value)}\n" for key, value in asdict(settings).items())
            part.write_text(described + frame.to_csv(index=False), encoding="utf-8", newline="\n")
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            table = pa.Table.from_pandas(frame, preserve_index=False)
            own = {key: json.dumps(value) for key, value in asdict(settings).items()}
            pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **own}), part)
        part.replace(out)
    except OSError as error:
        raise _cannot_write(out, error) from error


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The file cannot be written: {error.strerror}", where=str(path), mend="Free some space or choose another."
    )
