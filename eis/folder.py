"""A folder of archived spectra as one sequence: listed when it is opened, read as it is asked for."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np

from eis import archive
from eis.collection import SEAL, SEAL_SIZE, Batch, Collection, open_collection
from eis.errors import ReadError
from eis.spectrum import Spectrum

SUFFIX = ".nc"


class Folder:
    """Every spectrum in the netCDF files of a folder, single ones and collections, in the order of their names.

    Parameters
    ----------
    path : str or path
        The folder; those inside it are looked into as well, links are not followed.

    Raises
    ------
    ReadError
        If it is no folder, or holds no netCDF file of ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise ReadError("There is no such folder", path=self.path, mend="Check the path.")
        self.files = sorted(_files(self.path))
        if not self.files:
            raise ReadError(
                f"The folder holds no {SUFFIX} file",
                path=self.path,
                mend="Archive the files of the instruments first: eis convert FILES --out FOLDER.",
            )
        self._opened: dict[int, Collection] = {}
        self._counts = [self._count(at) for at in range(len(self.files))]
        self._ends = list(accumulate(self._counts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, place: int) -> Spectrum:
        """Read one spectrum."""
        place = range(len(self))[place]
        at = bisect.bisect_right(self._ends, place)
        if at in self._opened:
            return self._opened[at][place - self._ends[at] + self._counts[at]]
        return archive.read_netcdf(self.files[at])

    def __iter__(self) -> Iterator[Spectrum]:
        for at, path in enumerate(self.files):
            if at in self._opened:
                yield from self._opened[at]
            else:
                yield archive.read_netcdf(path)

    def batches(self, size: int = 8192) -> Iterator[Batch]:
        """Yield the spectra as arrays, those of neighbouring files with equal grids together; see `Collection`."""
        waiting: list[tuple[int, Spectrum]] = []
        place = 0
        for at, path in enumerate(self.files):
            if at in self._opened:
                for batch in self._opened[at].batches(size):
                    yield Batch(batch.index + place, batch.frequency_hz, batch.z_ohm)
            else:
                waiting.append((place, archive.read_netcdf(path)))
                if len(waiting) == size:
                    yield from _together(waiting)
                    waiting = []
            place += self._counts[at]
        yield from _together(waiting)

    def close(self) -> None:
        """Close every file."""
        for one in self._opened.values():
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Folder {self.path}: {len(self)} spectra in {len(self.files)} files>"

    def _count(self, at: int) -> int:
        """Return how many spectra a file holds, told by its end; only a collection is opened."""
        path = self.files[at]
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - SEAL_SIZE))
            is_collection = file.read(len(SEAL)) == SEAL
        if not is_collection:
            return 1
        self._opened[at] = open_collection(path)
        return len(self._opened[at])


def open_archive(path: str | os.PathLike[str]) -> Collection | Folder:
    """Open a collection, or a folder of archived spectra, without reading them.

    Both are sequences of `Spectrum` with ``batches()`` for bulk fits, to be used in a ``with`` statement.

    Parameters
    ----------
    path : str or path
        A file `eis.collection_writer` wrote, or a folder of ``.nc`` files.

    Raises
    ------
    ReadError
        If it is neither.
    """
    return Folder(path) if Path(path).is_dir() else open_collection(path)


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.name.lower().endswith(SUFFIX) and entry.is_file() and not entry.name.startswith("."):
                yield Path(entry.path)


def _together(spectra: list[tuple[int, Spectrum]]) -> Iterator[Batch]:
    grids: dict[bytes, list[tuple[int, Spectrum]]] = {}
    for place, spectrum in spectra:
        grids.setdefault(spectrum.frequency_hz.tobytes(), []).append((place, spectrum))
    for alike in grids.values():
        places = np.array([place for place, _ in alike])
        yield Batch(places, alike[0][1].frequency_hz, np.array([spectrum.z_ohm for _, spectrum in alike]))
