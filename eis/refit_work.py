"""The work of one task: read a piece of an archive, fit it in bulk, put its rows on disk as a part of the table.

Spectra that follow each other (in time, temperature, charge) help each other: one whose fit looks wrong is begun
again where its neighbours along the coordinate say it should be, and the better end is kept.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.collection import SEAL_SIZE, Collection, open_collection
from eis.errors import EisError, StoreError
from eis.namesakes import refuse_namesakes
from eis.readers import read_all
from eis.refit_tasks import Settings, Task
from eis.spectrum import ComplexArray, RealArray

refuse_namesakes()

ZERO_C_IN_K = 273.15
Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a task gave: numbers of rows, of failed and of suspicious ones."""

    number: int
    n_rows: int
    n_failed: int
    n_suspicious: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """Spectra on one grid: their rows in the table and their impedance, shape (n, points)."""

    rows: NDArray[np.int64]
    frequency_hz: RealArray
    z_ohm: ComplexArray


def run_task(task: Task, settings: Settings, folder: str, suffix: str) -> Done:
    """Fit a piece of an archive and write its part of the table, whole or not at all.

    Raises
    ------
    StoreError
        If the part cannot be written.
    """
    columns, pieces = _read_collection(task) if task.is_collection else _read_files(task)
    names = _parameters(settings.circuit)
    n = columns["file"].size
    columns |= {name: np.full(n, np.nan) for name in ("chi2", "reduced_chi2")}
    columns |= {name: np.zeros(n, dtype=np.bool_) for name in ("converged", "suspicious")}
    columns["n_starts"] = np.zeros(n, dtype=np.int64)
    columns |= {name: np.full(n, np.nan) for name in (*names, *(f"u_{name}" for name in names))}
    for piece in pieces:
        _fit(piece, columns, settings, names)
    failed = np.array([error is not None for error in columns["error"]], dtype=np.bool_)
    _write(columns, Path(folder) / f"part-{task.number:06d}{suffix}", suffix)
    return Done(task.number, int(n), int(failed.sum()), int(columns["suspicious"].sum()))


def header(circuit: str, coordinates: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
    """Return the names of the columns of the table, in order."""
    names = _parameters(circuit)
    described = ("file", "sha256", "index", "error", "n_points", *(f"at_{name}" for name, _ in coordinates))
    fitted = ("chi2", "reduced_chi2", "converged", "suspicious", "n_starts")
    return (*described, *fitted, *names, *(f"u_{name}" for name in names))


@lru_cache(maxsize=4)
def _parameters(circuit: str) -> tuple[str, ...]:
    from fitting.circuit import parse

    return parse(circuit).names


@lru_cache(maxsize=2)
def _collection(path: str, size: int, changed_ns: int) -> tuple[Collection, str]:
    """Return an open collection and its checksum; each worker process opens it once."""
    with Path(path).open("rb") as file:
        file.seek(size - SEAL_SIZE)
        digest = file.read(SEAL_SIZE)[-64:].decode("ascii")
    return open_collection(path, check=False), digest


def _read_collection(task: Task) -> tuple[Columns, list[_Piece]]:
    path = task.files[0]
    about = Path(path).stat()
    whole, digest = _collection(path, about.st_size, about.st_mtime_ns)
    own = whole[task.start : task.stop]
    n = len(own)
    columns: Columns = {
        "file": _texts([path] * n),
        "sha256": _texts([digest] * n),
        "index": np.arange(task.start, task.stop),
        "error": _texts([None] * n),
        "n_points": np.zeros(n, dtype=np.int64),
    }
    there = own.coordinates
    for name, is_text in task.coordinates:
        missing: Any = _texts([None] * n) if is_text else np.full(n, np.nan)
        columns[f"at_{name}"] = there.get(name, missing)
    try:
        batches = list(own.batches(max(n, 1)))
    except EisError as error:  # a damaged piece of the file takes none but itself with it
        columns["error"] = _texts([str(error)] * n)
        return columns, []
    pieces = [_Piece(batch.index - task.start, batch.frequency_hz, batch.z_ohm) for batch in batches]
    for piece in pieces:
        columns["n_points"][piece.rows] = piece.frequency_hz.size
    return columns, pieces


def _read_files(task: Task) -> tuple[Columns, list[_Piece]]:
    rows: list[tuple[str, str | None, int, str | None, int, Mapping[str, Any]]] = []
    grids: dict[bytes, tuple[RealArray, list[int], list[ComplexArray]]] = {}
    for file in task.files:
        try:
            spectra = read_all(file)
        except EisError as error:
            rows.append((file, None, 0, str(error), 0, {}))
            continue
        for index, spectrum in enumerate(spectra):
            frequency = spectrum.frequency_hz
            group = grids.setdefault(frequency.tobytes(), (frequency, [], []))
            group[1].append(len(rows))
            group[2].append(spectrum.z_ohm)
            found = spectrum.metadata
            rows.append((file, found.get("sha256"), index, None, frequency.size, found))
    columns: Columns = {
        "file": _texts([row[0] for row in rows]),
        "sha256": _texts([row[1] for row in rows]),
        "index": np.array([row[2] for row in rows], dtype=np.int64),
        "error": _texts([row[3] for row in rows]),
        "n_points": np.array([row[4] for row in rows], dtype=np.int64),
    }
    for name, is_text in task.coordinates:
        values = [row[5].get(name) for row in rows]
        columns[f"at_{name}"] = (
            _texts([None if value is None else str(value) for value in values])
            if is_text
            else np.array([value if isinstance(value, (int, float)) else np.nan for value in values], dtype=float)
        )
    pieces = [_Piece(np.array(places), frequency, np.array(z)) for frequency, places, z in grids.values()]
    return columns, pieces


def _fit(piece: _Piece, columns: Columns, settings: Settings, names: Sequence[str]) -> None:
    """Fit spectra of one grid and enter the results; what cannot be fitted keeps its reason."""
    from fitting.bulk import fit_many

    weight: Any = settings.weight
    piece = _with_enough_points(piece, columns, len(names))
    if not piece.rows.size:
        return
    try:
        batch = fit_many(settings.circuit, piece.frequency_hz, piece.z_ohm, weight=weight, seed=settings.seed)
    except EisError as error:
        columns["error"][piece.rows] = str(error)
        return
    found = {
        name: getattr(batch, name) for name in ("chi2", "reduced_chi2", "converged", "suspicious", "n_starts")
    }
    values, u = batch.values, batch.u
    if settings.along:
        for chosen, start in _neighbourly(piece.rows, columns, settings, values, found["suspicious"]):
            again = fit_many(
                settings.circuit,
                piece.frequency_hz,
                piece.z_ohm[chosen],
                start=start,
                weight=weight,
                seed=settings.seed,
            )
            better = again.chi2 < found["chi2"][chosen] * (1 - 1e-9)
            taken = chosen[better]
            values[taken], u[taken] = again.values[better], again.u[better]
            for name, array in found.items():
                array[taken] = getattr(again, name)[better]
    for name, array in found.items():
        columns[name][piece.rows] = array
    for j, name in enumerate(names):
        columns[name][piece.rows], columns[f"u_{name}"][piece.rows] = values[:, j], u[:, j]


def _with_enough_points(piece: _Piece, columns: Columns, n_free: int) -> _Piece:
    """Return the spectra that can be fitted; the others, which would refuse the whole piece, keep their reason."""
    usable = (np.isfinite(piece.z_ohm) & (piece.z_ohm != 0)).sum(axis=1)
    enough = usable >= 2 * n_free
    for row, points in zip(piece.rows[~enough], usable[~enough], strict=True):
        columns["error"][row] = (
            f"{points} usable points cannot determine {n_free} free parameters; at least {2 * n_free} are needed. "
            "Take a simpler circuit, or leave this spectrum out."
        )
    return piece if enough.all() else _Piece(piece.rows[enough], piece.frequency_hz, piece.z_ohm[enough])


def _neighbourly(
    rows: NDArray[np.int64],
    columns: Columns,
    settings: Settings,
    values: RealArray,
    suspicious: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], RealArray]]:
    """Yield which spectra to begin again, and where: on the line through their neighbours along the coordinate.

    Positive parameters are taken as logarithms, temperatures as reciprocals, in which both are nearly straight.
    """
    x = columns.get(f"at_{settings.along}")
    if x is None or x.dtype.kind != "f":
        return
    x = x[rows]
    if settings.along == "temperature_c":
        x = 1000.0 / (x + ZERO_C_IN_K)
    within = columns.get(f"at_{settings.within}") if settings.within else None
    series = np.zeros(rows.size, dtype=np.int64)
    if within is not None:
        series = np.unique([str(value) for value in within[rows]], return_inverse=True)[1]
    for one in np.unique(series):
        member = np.flatnonzero((series == one) & np.isfinite(x))
        good, odd = member[~suspicious[member]], member[suspicious[member]]
        if good.size < 2 or not odd.size:
            continue
        order = good[np.argsort(x[good], kind="stable")]
        positive = (values[order] > 0).all(axis=0)
        known = np.where(positive, np.log(np.where(values[order] > 0, values[order], 1.0)), values[order])
        start = np.array([np.interp(x[odd], x[order], known[:, j]) for j in range(known.shape[1])]).T
        yield odd, np.where(positive, np.exp(start), start)


def _write(columns: Mapping[str, NDArray[Any]], path: Path, suffix: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if suffix == ".csv":
            with part.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows(zip(*(_words(values) for values in columns.values()), strict=True))
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            arrays = {
                name: pa.array(values, type=pa.string() if values.dtype == object else None)
                for name, values in columns.items()
            }
            pq.write_table(pa.table(arrays), part)
        part.replace(path)
    except OSError as error:
        raise StoreError(
            f"A part of the table cannot be written: {error.strerror}",
            where=str(path),
            mend="Free some space, or choose another --out; the same command goes on where it stopped.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _words(values: NDArray[Any]) -> list[Any]:
    """Return values as the table of text shows them: nothing for what is missing."""
    if values.dtype == object:
        return ["" if value is None else value for value in values]
    if values.dtype.kind == "f":
        return ["" if value != value else repr(value) for value in values.tolist()]
    return list(values.tolist())


def _texts(values: Sequence[str | None]) -> NDArray[Any]:
    """Return texts as a column; bytes of a name that are no UTF-8 become escapes, for a table cannot hold them."""
    array = np.empty(len(values), dtype=object)
    array[:] = [value and value.encode("utf-8", "backslashreplace").decode("utf-8") for value in values]
    return array
