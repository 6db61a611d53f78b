"""How an archive is cut into tasks: each small enough to lose little, large enough to be fitted in bulk.

The cut depends on the archive alone, never on the number of workers, so that the result does not either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eis.collection import SEAL, SEAL_SIZE, open_collection
from eis.document import VERSION
from eis.errors import ConfigError

SCHEMA = "eis.refit/2"
PIECES = 400
"""Tasks an archive is cut into if it is large enough: what a kill interrupts is a few of so many."""
FILES, SPECTRA = (1, 64), (16, 8192)
"""Fewest and most files, and spectra of a collection, in one task."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What makes two runs the same run: only then is a partial result gone on with.

    Parameters
    ----------
    circuit, weight, seed
        As in `fitting.bulk.fit_many`.
    along, within : str
        Coordinate along which spectra follow each other, and the one that tells series apart; empty for none.
    version, schema
        Of the package and of the table.
    """

    circuit: str
    weight: str
    seed: int
    along: str = ""
    within: str = ""
    version: str = VERSION
    schema: str = SCHEMA


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of an archive: some files, or the spectra `start` to `stop` of one collection.

    `coordinates` are those of the whole archive, each with whether it is text.
    """

    number: int
    files: tuple[str, ...]
    start: int = 0
    stop: int = 0
    coordinates: tuple[tuple[str, bool], ...] = ()

    @property
    def is_collection(self) -> bool:
        """Whether it is a piece of a collection."""
        return self.stop > 0

    def __len__(self) -> int:
        return self.stop - self.start if self.is_collection else len(self.files)


def tasks_of(source: Path, *, without: Path) -> tuple[Task, ...]:
    """Cut an archive into tasks, in the order of its names.

    Parameters
    ----------
    source : Path
        A folder, searched with all its subfolders, hidden files left out; or one collection.
    without : Path
        The table that is going to be written; files whose names begin with its name are left out.

    Raises
    ------
    ConfigError
        If there is nothing to fit.
    ReadError
        If a collection cannot be opened.
    """
    files = _files(source, without)
    collections = {file: _look_into(file) for file in files if _is_collection(file)}
    coordinates: dict[str, bool] = {}
    for _, found in collections.values():
        for name, is_text in found.items():
            coordinates[name] = coordinates.get(name, False) or is_text
    known = tuple(sorted(coordinates.items()))
    single = [file for file in files if file not in collections]
    per_task = _between(len(single) // PIECES, FILES)
    size = _between(sum(n for n, _ in collections.values()) // PIECES, SPECTRA)
    pieces: list[tuple[tuple[str, ...], int, int]] = [
        (tuple(map(str, single[i : i + per_task])), 0, 0) for i in range(0, len(single), per_task)
    ]
    for file, (n, _) in collections.items():
        pieces += [((str(file),), start, min(start + size, n)) for start in range(0, n, size)]
    return tuple(Task(i, names, start, stop, known) for i, (names, start, stop) in enumerate(pieces))


def _between(value: int, limits: tuple[int, int]) -> int:
    return max(limits[0], min(value, limits[1]))


def _look_into(file: Path) -> tuple[int, Mapping[str, bool]]:
    """Return how many spectra a collection has, and its coordinates, each with whether it is text."""
    with open_collection(file) as collection:
        head = collection[:1].coordinates
        return len(collection), {name: values.dtype.kind != "f" for name, values in head.items()}


def _is_collection(file: Path) -> bool:
    if file.suffix.lower() != ".nc":
        return False
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - SEAL_SIZE))
            return opened.read(SEAL_SIZE)[:-64] == SEAL
    except OSError:
        return False  # read as a file of its own, it will say why


def _files(source: Path, without: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ConfigError("There is no such folder", where=str(source), mend="Give the folder of the archive.")
    found = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
    ]
    own = str(without.resolve())
    files = [path for path in found if not str(path.resolve()).startswith(own)]
    if not files:
        raise ConfigError("The folder holds no files", where=str(source), mend="Give the folder of the archive.")
    return files
