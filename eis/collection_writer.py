"""Writing thousands of spectra into one netCDF file; `eis.collection` says how it is laid out and reads it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from eis.archive import CONVENTIONS
from eis.collection import POINT, SCHEMA, SEAL, TAKEN, sha256_of
from eis.errors import StoreError
from eis.spectrum import UNITS, Spectrum

if TYPE_CHECKING:
    import netCDF4

BUFFERED = 2048
"""How many spectra a writer holds before it writes them."""
CHUNK = {"point": 4096, "character": 4096, "spectrum": 512}
"""Values per chunk of a variable: small enough for a file of a few spectra, large enough for millions."""
NOT_COORDINATES = frozenset({"sha256", "format", "title"})


class Writer:
    """Writes a collection of any length with bounded memory; the file is whole or not there.

    Use it in a ``with`` statement; leaving it by an error leaves no file.

    Parameters
    ----------
    path : str or path
        Ends in ``.nc``; must not be there yet.

    Raises
    ------
    StoreError
        If the path is taken or has another suffix, or the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".nc":
            raise StoreError(
                f"The suffix {self.path.suffix!r} names no collection", where=self.path.name, mend="Use .nc."
            )
        if self.path.exists():
            raise StoreError("The file is there already", where=str(path), mend="Name another.")
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._waiting: list[Spectrum] = []
        self._columns: set[str] = set()
        self._coordinates: dict[str, list[Any]] = {}
        self._count = 0
        self._dataset = self._open()

    def add(self, spectrum: Spectrum, **coordinates: Any) -> None:
        """Add a spectrum; `coordinates` (such as ``cell="A7"``, ``cycle=3``) join its metadata.

        Raises
        ------
        StoreError
            If its metadata are not plain JSON values, a column's name is taken, or the disk is full.
        """
        taken = next((name for name in spectrum.columns if name in TAKEN or not name.isidentifier()), None)
        if taken is not None:
            raise StoreError(
                f"A column cannot be called {taken!r} in a file", where=self.path.name, mend="Rename it."
            )
        self._waiting.append(spectrum.with_metadata(**coordinates) if coordinates else spectrum)
        if len(self._waiting) == BUFFERED:
            self._flush()

    def close(self) -> None:
        """Finish the file and put it in its place."""
        try:
            if not self._count and not self._waiting:
                raise StoreError("There is no spectrum to write", where=str(self.path), mend="Add some first.")
            self._flush()
            self._write_coordinates()
            with self._storing():
                self._dataset.close()
                digest = sha256_of(self._part, self._part.stat().st_size)
                with self._part.open("ab") as file:
                    file.write(SEAL + digest.encode())
                    file.flush()
                    os.fsync(file.fileno())
                self._part.replace(self.path)
        except BaseException:
            self.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _open(self) -> netCDF4.Dataset:
        import netCDF4

        with self._storing():
            dataset = netCDF4.Dataset(self._part, "w", format="NETCDF4")
            dataset.setncatts({"Conventions": CONVENTIONS, "eis_schema": SCHEMA, "featureType": "timeSeries"})
            for name in ("point", "spectrum", "character"):
                dataset.createDimension(name, None)
            for name in POINT:
                self._variable(dataset, name, "i4" if name == "quality" else "f8", "point")
            self._variable(dataset, "row_size", "i8", "spectrum").setncattr("sample_dimension", "point")
            self._variable(dataset, "metadata_size", "i8", "spectrum").setncattr("sample_dimension", "character")
            self._variable(dataset, "metadata_json", "u1", "character")
        return dataset

    def _variable(self, dataset: netCDF4.Dataset, name: str, kind: str, over: str) -> netCDF4.Variable[Any]:
        made = dataset.createVariable(name, kind, (over,), fletcher32=True, chunksizes=(CHUNK[over],))
        unit = {"frequency": "Hz", "z_real": "ohm", "z_imag": "ohm"}.get(name, UNITS.get(name.rsplit("_", 1)[-1]))
        if unit:
            made.setncattr("units", unit)
        return made

    def _flush(self) -> None:
        spectra, self._waiting = self._waiting, []
        if not spectra:
            return
        sizes = np.array([one.all_frequency_hz.size for one in spectra])
        texts = [_described(one, self.path) for one in spectra]
        z = np.concatenate([one.all_z_ohm for one in spectra])
        names = sorted({name for one in spectra for name in one.columns} | self._columns)
        by_point: dict[str, NDArray[Any]] = {
            "frequency": np.concatenate([one.all_frequency_hz for one in spectra]),
            "z_real": z.real,
            "z_imag": z.imag,
            "quality": np.concatenate([one.quality for one in spectra]),
        }
        for name in names:
            missing = {size: np.full(size, np.nan) for size in set(sizes.tolist())}
            by_point[name] = np.concatenate(
                [one.columns.get(name, missing[size]) for one, size in zip(spectra, sizes.tolist(), strict=True)]
            )
        with self._storing():
            dataset = self._dataset
            start = len(dataset.dimensions["point"])
            for name in names:
                if name not in self._columns:
                    self._variable(dataset, name, "f8", "point")[0:start] = np.full(start, np.nan)
                    self._columns.add(name)
            for name, values in by_point.items():
                dataset.variables[name][start : start + values.size] = values
            place, n = self._count, len(spectra)
            dataset.variables["row_size"][place : place + n] = sizes
            dataset.variables["metadata_size"][place : place + n] = [len(text) for text in texts]
            characters = np.frombuffer(b"".join(texts), dtype=np.uint8)
            begin = len(dataset.dimensions["character"])
            dataset.variables["metadata_json"][begin : begin + characters.size] = characters
        self._remember(spectra)

    def _remember(self, spectra: Sequence[Spectrum]) -> None:
        """Keep the plain values of the metadata, which become variables of their own at the end."""
        for spectrum in spectra:
            plain = {
                name: value
                for name, value in spectrum.metadata.items()
                if name.isidentifier() and name not in NOT_COORDINATES and isinstance(value, (str, int, float))
            }
            for name in plain:
                self._coordinates.setdefault(name, [None] * self._count)
            for name, values in self._coordinates.items():
                values.append(plain.get(name))
            self._count += 1

    def _write_coordinates(self) -> None:
        for name, values in self._coordinates.items():
            if name in TAKEN or name in self._columns:
                continue
            is_text = any(isinstance(value, str) for value in values)
            with self._storing():
                if is_text:
                    made: Any = self._dataset.createVariable(name, str, ("spectrum",))
                    array = np.array(["" if value is None else _storable(value) for value in values], dtype=object)
                else:
                    made = self._variable(self._dataset, name, "f8", "spectrum")
                    array = np.array([np.nan if value is None else float(value) for value in values])
                made[:] = array

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError, AttributeError, ValueError, OverflowError) as error:
            raise StoreError(
                f"The collection cannot be written: {error}", where=str(self.path), mend="Check folder and space."
            ) from error

    def discard(self) -> None:
        """Give up, and leave no file."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._dataset.isopen():
                self._dataset.close()
        with contextlib.suppress(OSError):
            self._part.unlink(missing_ok=True)


def write_collection(spectra: Iterable[Spectrum], path: str | os.PathLike[str]) -> Path:
    """Write spectra into one file; see `Writer`."""
    with Writer(path) as writer:
        for spectrum in spectra:
            writer.add(spectrum)
    return writer.path


def _described(spectrum: Spectrum, path: Path) -> bytes:
    """Return what a spectrum is beside its numbers, as one JSON text."""
    try:
        text = json.dumps({"columns": [*spectrum.columns], "metadata": dict(spectrum.metadata)})
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"The metadata of {spectrum.name} are not plain JSON values: {error}",
            where=path.name,
            mend="Use text and numbers.",
        ) from error
    return text.encode("ascii")


def _storable(value: Any) -> str:
    return str(value).replace("\0", "").encode("utf-8", "replace").decode("utf-8")
