"""Thousands of spectra as one dataset: a single netCDF file, or a folder of files, opened without being read.

Layout of the file (schema ``eis.collection/1``), a contiguous ragged array as CF conventions name it: `frequency`,
`z_real`, `z_imag`, `quality` and the per-point columns stand one spectrum after the other over the dimension
``point``; ``row_size`` over ``spectrum`` says how many points each has, so grids may differ. What tells the
spectra apart (`cell`, `cycle`, `temperature_c`, …: every plain value of the metadata) is a variable over
``spectrum``, and the whole of the metadata is JSON in ``metadata_json``. HDF5 keeps a checksum with every chunk; a
SHA-256 of the file stands behind its end.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from eis import notebook
from eis.archive import library_errors
from eis.errors import ConfigError, ReadError, SpectrumError
from eis.spectrum import EXCLUDING, ComplexArray, IntArray, RealArray, Spectrum

if TYPE_CHECKING:
    import netCDF4
    import pandas as pd
    import xarray as xr

SCHEMA = "eis.collection/1"
SEAL = b"\neis-collection-sha256 "
SEAL_SIZE = len(SEAL) + 64
CHECKED_BYTES = 512 * 1024 * 1024
"""Up to this size the whole file's checksum is compared as it is opened; beyond, each chunk's as it is read."""
BLOCK = 512
"""How many spectra are read at once when one after the other is asked for."""
PIECE_BYTES = 1 << 22
MAX_RATIO = 200
POINT = ("frequency", "z_real", "z_imag", "quality")
TAKEN = frozenset((*POINT, "row_size", "metadata_json", "metadata_size"))


@dataclass(frozen=True, slots=True)
class Batch:
    """Spectra that share a frequency grid, as arrays a bulk fit takes.

    Parameters
    ----------
    index : ndarray of int, shape (n,)
        Their places in the collection.
    frequency_hz : ndarray, shape (m,)
        The grid (Hz), falling; points with an excluding flag are left out.
    z_ohm : ndarray of complex, shape (n, m)
        Impedance (ohm), capacitive Z″ < 0.
    """

    index: IntArray
    frequency_hz: RealArray
    z_ohm: ComplexArray


class Collection:
    """Spectra of one file, read only as they are asked for; a sequence of `Spectrum`.

    Make one with `open_collection`, in a ``with`` statement or closed by `close`.

    Parameters
    ----------
    dataset : netCDF4.Dataset
        The open file.
    path : Path
        Where it is.
    chosen : ndarray of int, optional
        Which of its spectra, and in which order; all by default.
    """

    def __init__(self, dataset: netCDF4.Dataset, path: Path, chosen: IntArray | None = None) -> None:
        self._dataset = dataset
        self.path = path
        self._sizes = self._read("row_size")
        self._ends = np.cumsum(self._sizes)
        self._chosen = np.arange(self._sizes.size) if chosen is None else chosen

    def __len__(self) -> int:
        return int(self._chosen.size)

    @overload
    def __getitem__(self, place: int) -> Spectrum: ...
    @overload
    def __getitem__(self, place: slice | IntArray | NDArray[np.bool_]) -> Collection: ...
    def __getitem__(self, place: int | slice | IntArray | NDArray[np.bool_]) -> Spectrum | Collection:
        """Return one spectrum, or for a slice or an array the collection of those."""
        if isinstance(place, (int, np.integer)):
            return next(self._spectra(self._chosen[[place]]))
        return Collection(self._dataset, self.path, self._chosen[place])

    def __iter__(self) -> Iterator[Spectrum]:
        for start in range(0, len(self), BLOCK):
            yield from self._spectra(self._chosen[start : start + BLOCK])

    @cached_property
    def coordinates(self) -> Mapping[str, NDArray[Any]]:
        """What tells the spectra apart, by name: text, or float64 with NaN where it is not stated; shape (n,)."""
        names = [
            name
            for name, variable in self._dataset.variables.items()
            if variable.dimensions == ("spectrum",) and name not in TAKEN
        ]
        if not self._chosen.size:
            return {name: self._read(name, 0, 0) for name in names}
        first = int(self._chosen.min())
        last = int(self._chosen.max()) + 1
        return {name: self._read(name, first, last)[self._chosen - first] for name in names}

    def to_dataframe(self) -> pd.DataFrame:
        """Return the coordinates as a table, a row per spectrum."""
        import pandas as pd

        return pd.DataFrame({"n_points": self._sizes[self._chosen], **self.coordinates})

    def select(self, **wanted: Any) -> Collection:
        """Return the spectra whose coordinates are those given, e.g. ``select(cell="A7", cycle=range(5))``.

        Raises
        ------
        ConfigError
            If there is no such coordinate.
        """
        keep = np.ones(len(self), dtype=np.bool_)
        for name, value in wanted.items():
            if name not in self.coordinates:
                known = ", ".join(self.coordinates) or "none"
                raise ConfigError(
                    f"The collection has no coordinate {name!r}", where=str(self.path), mend=f"It has {known}."
                )
            several = isinstance(value, Iterable) and not isinstance(value, str)
            values: list[Any] = list(value) if several else [value]
            keep &= np.isin(self.coordinates[name], np.array(values, dtype=self.coordinates[name].dtype))
        return self[keep]

    def batches(self, size: int = 8192) -> Iterator[Batch]:
        """Yield the spectra as arrays, `size` at most at a time, those with equal grids together.

        Parameters
        ----------
        size : int
            Largest number of spectra read at once, which bounds the memory.
        """
        for start in range(0, len(self), size):
            yield from self._batches_of(self._chosen[start : start + size])

    def to_xarray(self, *dims: str) -> xr.Dataset:
        """Return all spectra as a Dataset with one dimension per coordinate named, and their points.

        Parameters
        ----------
        *dims : str
            Coordinates such as ``"cell", "cycle"``, which together tell every spectrum from every other; without
            any, the dimension is ``spectrum``.

        Returns
        -------
        xarray.Dataset
            `z_real`, `z_imag` (ohm), `quality`; over ``frequency`` where every spectrum has the same grid,
            otherwise over ``point`` with `frequency` (Hz) as a variable, padded with NaN.

        Raises
        ------
        ConfigError
            If there is no such coordinate, or two spectra have the same.
        """
        import pandas as pd
        import xarray as xr

        padded, frequency = self._padded()
        along = "frequency" if frequency.ndim == 1 else "point"
        variables: dict[str, Any] = {name: (("spectrum", along), values) for name, values in padded.items()}
        coordinates: dict[str, Any] = {name: ("spectrum", values) for name, values in self.coordinates.items()}
        if along == "frequency":
            coordinates["frequency"] = ("frequency", frequency, {"units": "Hz"})
        else:
            variables["frequency"] = (("spectrum", "point"), frequency, {"units": "Hz"})
        dataset = xr.Dataset(variables, coords=coordinates)
        for name in ("z_real", "z_imag"):
            dataset[name].attrs["units"] = "ohm"
        if not dims:
            return dataset
        missing = [name for name in dims if name not in self.coordinates]
        index = None if missing else pd.MultiIndex.from_arrays([self.coordinates[d] for d in dims], names=dims)
        if index is None or not index.is_unique:
            what = f"has no coordinate {missing[0]!r}" if missing else f"holds several spectra with equal {dims}"
            raise ConfigError(
                f"The collection {what}",
                where=str(self.path),
                mend=f"Name coordinates that tell them apart, of {', '.join(self.coordinates)}.",
            )
        if len(dims) == 1:
            return dataset.swap_dims(spectrum=dims[0])
        stacked = dataset.drop_vars(dims).assign_coords(xr.Coordinates.from_pandas_multiindex(index, "spectrum"))
        return stacked.unstack("spectrum").transpose(*dims, ...)

    def close(self) -> None:
        """Close the file; spectra already made stay."""
        if self._dataset.isopen():
            self._dataset.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Collection {self.path.name}: {len(self)} spectra, by {', '.join(self.coordinates) or 'number'}>"

    def _repr_html_(self) -> str:
        shown = {name: values[:10] for name, values in self.coordinates.items()}
        rows = [[str(values[row]) for values in shown.values()] for row in range(min(10, len(self)))]
        return f"<p><code>{notebook.escape(repr(self))}</code></p>{notebook.table([*shown], rows)}"

    def _read(self, name: str, start: int = 0, end: int | None = None) -> NDArray[Any]:
        with library_errors(self.path):
            return np.asarray(self._dataset.variables[name][start:end])

    def _spectra(self, places: IntArray) -> Iterator[Spectrum]:
        """Make some spectra, their numbers read in one go."""
        described = [self._described(place) for place in places.tolist()]
        names = sorted({name for one in described for name in one["columns"]} & self._columns)
        frequency, real, imaginary, quality, *columns = self._points_of(places, (*POINT, *names))
        z = np.empty(real.size, dtype=np.complex128)
        z.real, z.imag = real, imaginary
        ends = np.cumsum(self._sizes[places]).tolist()
        for place, one, start, end in zip(places.tolist(), described, [0, *ends], ends, strict=False):
            own = {
                name: values[start:end]
                for name, values in zip(names, columns, strict=True)
                if name in one["columns"]
            }
            part = slice(start, end)
            try:
                yield Spectrum(frequency[part], z[part], quality[part], own, one["metadata"])
            except SpectrumError as error:
                raise ReadError(f"Spectrum {place}: {error.what}", path=self.path, mend=error.mend) from error

    @cached_property
    def _columns(self) -> frozenset[str]:
        variables = self._dataset.variables.items()
        return frozenset(name for name, one in variables if one.dimensions == ("point",) and name not in POINT)

    @cached_property
    def _text_ends(self) -> IntArray:
        return np.cumsum(self._read("metadata_size"))

    def _described(self, place: int) -> dict[str, Any]:
        start = int(self._text_ends[place - 1]) if place else 0
        text = self._read("metadata_json", start, int(self._text_ends[place])).tobytes()
        try:
            value = json.loads(text)
            return {"columns": list(value["columns"]), "metadata": dict(value["metadata"])}
        except (ValueError, RecursionError, TypeError, KeyError):
            raise ReadError(
                f"The metadata of spectrum {place} are damaged", path=self.path, mend="Convert its origin again."
            ) from None

    def _points_of(self, places: IntArray, names: Sequence[str]) -> list[NDArray[Any]]:
        """Return arrays over the points of some spectra, one spectrum after the other."""
        runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)  # read in as few pieces as can be
        limits = [(int(self._ends[run[0]] - self._sizes[run[0]]), int(self._ends[run[-1]])) for run in runs]
        return [np.concatenate([self._read(name, start, end) for start, end in limits]) for name in names]

    def _batches_of(self, places: IntArray) -> Iterator[Batch]:
        frequency, real, imaginary, quality = self._points_of(places, POINT)
        z = np.empty(real.size, dtype=np.complex128)
        z.real, z.imag = real, imaginary
        sizes = self._sizes[places]
        used = (quality & int(EXCLUDING)) == 0
        if not used.all():
            owner = np.repeat(np.arange(places.size), sizes)
            sizes = np.bincount(owner[used], minlength=places.size)
            frequency, z = frequency[used], z[used]
        starts = np.cumsum(sizes) - sizes
        for size in np.unique(sizes[sizes > 0]):
            alike = np.flatnonzero(sizes == size)
            rows = starts[alike][:, None] + np.arange(size)
            grids, values = frequency[rows], z[rows]
            while alike.size:  # one turn for each grid there is
                same = (grids == grids[0]).all(axis=1)
                yield Batch(places[alike[same]], grids[0].copy(), values[same])
                alike, grids, values = alike[~same], grids[~same], values[~same]

    def _padded(self) -> tuple[dict[str, NDArray[Any]], RealArray]:
        """Return the arrays with a row per spectrum, and the common grid or, padded too, everyone's."""
        frequency, real, imaginary, quality = self._points_of(self._chosen, POINT)
        sizes = self._sizes[self._chosen]
        longest = int(sizes.max())
        filled = np.arange(longest) < sizes[:, None]

        def spread(values: NDArray[Any], empty: float) -> NDArray[Any]:
            table = np.full(filled.shape, empty, dtype=values.dtype)
            table[filled] = values
            return table

        grids = spread(frequency, np.nan)
        padded = {
            "z_real": spread(real, np.nan),
            "z_imag": spread(imaginary, np.nan),
            "quality": spread(quality, 0),
        }
        return padded, grids[0] if (grids == grids[0]).all() else grids


def is_collection(raw: bytes) -> bool:
    """Whether bytes are a whole file that `Writer` wrote."""
    return raw[-SEAL_SIZE:-64] == SEAL


def open_collection(path: str | os.PathLike[str], *, check: bool | None = None) -> Collection:
    """Open a collection; nothing but its sizes is read.

    Parameters
    ----------
    path : str or path
        The file.
    check : bool, optional
        Whether to compare the checksum of the whole file; by default up to 512 MiB. Beyond that, each part is
        checked as it is read.

    Returns
    -------
    Collection
        To be closed, or used in a ``with`` statement.

    Raises
    ------
    ReadError
        If the file is not a collection, is not whole, or is damaged.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ReadError("There is no such file", path=path, mend="Check the path.")
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - SEAL_SIZE))
            tail = file.read(SEAL_SIZE)
        if tail[:-64] != SEAL:
            raise ReadError(
                "This is not a collection of ours, or its end is missing",
                path=path,
                mend="Read a single spectrum with eis.read; write collections with `eis convert --into`.",
            )
        whole = size <= CHECKED_BYTES if check is None else check
        if whole and sha256_of(path, size - SEAL_SIZE).encode() != tail[-64:]:
            raise ReadError(
                "The collection is damaged: its checksum does not match", path=path, mend="Use a copy of it."
            )
    except OSError as error:
        raise ReadError(f"The file cannot be read: {error.strerror}", path=path, mend="Check the path.") from error
    import netCDF4

    with library_errors(path):
        dataset = netCDF4.Dataset(path)
        dataset.set_auto_maskandscale(False)
        sizes = {name: len(dimension) for name, dimension in dataset.dimensions.items()}
        schema = dataset.__dict__.get("eis_schema")
        known = all(name in dataset.variables for name in (*POINT, "row_size", "metadata_size", "metadata_json"))
        whole = known and int(dataset.variables["row_size"][:].sum()) == sizes["point"]
        n_point = sum(one.dimensions == ("point",) for one in dataset.variables.values())
    if schema != SCHEMA or not whole or sizes["point"] * 8 * n_point > MAX_RATIO * size:
        dataset.close()
        raise ReadError(
            f"The file follows the schema {str(schema)[:40]!r}, not {SCHEMA}, or declares what it does not hold",
            path=path,
            mend="Open it with the version of interfacial-eis that wrote it.",
        )
    return Collection(dataset, path)


def sha256_of(path: Path, size: int) -> str:
    """Return the SHA-256 (hex) of the first `size` bytes of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(PIECE_BYTES, size))):
            found.update(piece)
            size -= len(piece)
    return found.hexdigest()
