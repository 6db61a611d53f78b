"""Spectra into files and back, bit for bit: netCDF, CSV, and CSV with Battery Data Format names."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eis.errors import ReadError, SpectrumError, StoreError
from eis.spectrum import UNITS, RealArray, Spectrum

if TYPE_CHECKING:
    import netCDF4

SCHEMA = "eis.spectrum/1"
CONVENTIONS = "CF-1.11"
CSV_COLUMNS = ("frequency_hz", "z_real_ohm", "z_imag_ohm", "quality")
BDF_COLUMNS = ("frequency_hertz", "real_impedance_ohm", "imaginary_impedance_ohm")
SUFFIXES: tuple[str, ...] = (".nc", ".csv", ".bdf.csv")

MAX_POINTS = 1_000_000
"""More points than any sweep has; a file that declares more is refused before anything is allocated."""
MAX_RATIO = 200
"""A file whose arrays would be this many times larger than itself is refused."""

TIME_LIMIT_S = 20
"""How long the netCDF library may take over a file that carries no seal."""

_SEAL = b"\neis-sha256 "
_SEAL_SIZE = len(_SEAL) + 64
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_VARIABLES = ("frequency", "z_real", "z_imag", "quality")
_UNITS = {"frequency": "Hz", "z_real": "ohm", "z_imag": "ohm"}
_SYNONYMS = {"Hz": ("hertz", "Hertz"), "ohm": ("Ohm", "ohms", "Ω"), "s": ("seconds", "second")}
_STATED = ("units", "scale_factor", "add_offset")
_TAKEN = frozenset(_VARIABLES + CSV_COLUMNS)
_OURS = frozenset(["Conventions", "coordinates"])


def write(spectrum: Spectrum, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a spectrum to a file in the format its suffix names; the file is whole or not there.

    Parameters
    ----------
    spectrum : Spectrum
        What to write: every point, flagged ones included, all columns and metadata. ``.bdf.csv`` alone holds only
        the points in use and no metadata, for the Battery Data Format has no place for them.
    path : str or path
        Ends in ``.nc``, ``.csv`` or ``.bdf.csv``.
    overwrite : bool, optional
        Replace a file that is there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        If the suffix is unknown, the file is there, cannot be written, or the metadata are not plain JSON values.
    """
    path = Path(path)
    name = path.name.lower()
    fill: Callable[[Path], None]
    if name.endswith(".nc"):
        fill = _netcdf(spectrum, path)
    elif name.endswith(".bdf.csv"):
        fill = _text(_bdf_lines(spectrum, path))
    elif name.endswith(".csv"):
        fill = _text(_csv_lines(spectrum, path))
    else:
        raise StoreError(
            f"The suffix {path.suffix!r} names no format",
            where=path.name,
            mend=f"Use one of {', '.join(SUFFIXES)}.",
        )
    if path.exists() and not overwrite:
        raise StoreError(
            "The file is there already", where=str(path), mend="Name another, or pass overwrite=True."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fill(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError, AttributeError) as error:  # the last two come from the netCDF library
        raise StoreError(
            f"The file cannot be written: {error}", where=str(path), mend="Check the folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def read_netcdf(path: str | os.PathLike[str]) -> Spectrum:
    """Read a spectrum that `write` wrote to netCDF, exactly as it was.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Spectrum
        Bit-equal arrays and equal metadata; `eis.readers.read` adds where this file is instead.

    Raises
    ------
    ReadError
        If the file cannot be read, is not ours, or is damaged.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ReadError(f"The file cannot be read: {error.strerror}", path=path, mend="Check the path.") from error
    return parse_netcdf(raw, path)


def parse_netcdf(raw: bytes, path: Path) -> Spectrum:
    """Return the spectrum in the bytes of a netCDF file; `path` is for messages.

    The seal `write` puts behind the file is checked first. The netCDF library may crash or hang on a damaged file,
    so a file without the seal (another program wrote it anew) is first tried in a process of its own.
    """
    body, mark, digest = raw[:-_SEAL_SIZE], raw[-_SEAL_SIZE:-64], raw[-64:]
    if mark != _SEAL:
        _try_elsewhere(raw, path)
        return _parse(raw, path)
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ReadError(
            "The netCDF file is damaged: its checksum does not match", path=path, mend="Read it from a copy."
        )
    return _parse(body, path)


def _parse(raw: bytes, path: Path) -> Spectrum:
    """Read with the netCDF library; sizes and types are checked as declared, before any array is read."""
    import netCDF4

    with library_errors(path):
        dataset = netCDF4.Dataset("spectrum.nc", memory=raw)
    with contextlib.closing(dataset):
        return _from_dataset(dataset, len(raw), path)


def _try_elsewhere(raw: bytes, path: Path) -> None:
    """Read the bytes in another process; refuse the file if that process does not come to an end by itself."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from eis import archive; archive.parse_stdin()"
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and no text from the file # nosec B603
            [sys.executable, "-c", code], input=raw, capture_output=True, timeout=TIME_LIMIT_S, check=False
        )
        how = "" if done.returncode in (0, 1) else f"crashes (exit status {done.returncode})"
    except subprocess.TimeoutExpired:
        how = f"does not come to an end in {TIME_LIMIT_S} s"
    if how:
        raise ReadError(
            f"The netCDF file is damaged: the netCDF library {how}", path=path, mend="Read it from a copy."
        )


def parse_stdin() -> None:
    """Read a netCDF file from standard input and exit with 0, or 1 if it is not a spectrum of ours."""
    try:
        _parse(sys.stdin.buffer.read(), Path("stdin"))
    except ReadError:
        sys.exit(1)


def _from_dataset(dataset: netCDF4.Dataset, size: int, path: Path) -> Spectrum:
    with library_errors(path):
        dataset.set_auto_maskandscale(False)
        attributes = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        variables = dict(dataset.variables)
        points = len(dataset.dimensions["frequency"]) if "frequency" in dataset.dimensions else 0
        shapes = {name: variable.dimensions for name, variable in variables.items()}
        kinds = {name: getattr(variable.dtype, "kind", "O") for name, variable in variables.items()}
        stated = {
            name: {k: one.getncattr(k) for k in one.ncattrs() if k in _STATED} for name, one in variables.items()
        }
    found = attributes.get("eis_schema")
    if not isinstance(found, str) or found != SCHEMA:
        said = f"It follows the schema {str(found)[:40]!r}" if found is not None else "It names no eis_schema"
        raise ReadError(
            f"This netCDF file is not one of ours. {said}, expected {SCHEMA}",
            path=path,
            mend="Write it with eis.archive.write, or with the version of interfacial-eis that knows the schema.",
        )
    wrong = [name for name in _VARIABLES if name not in variables]
    wrong += [name for name in variables if shapes[name] != ("frequency",) or kinds[name] not in "fiu"]
    wrong += [name for name in ("quality",) if kinds.get(name) == "f"]
    if wrong:
        raise ReadError(
            f"Expected number arrays over frequency; {wrong[0]!r} is missing or is not one",
            path=path,
            mend="Copy it again.",
        )
    unstated = _check_units(stated, path)
    if not 0 < points <= MAX_POINTS or points * 8 * len(variables) > MAX_RATIO * size:
        raise ReadError(
            f"The file of {size} bytes declares {points} points in {len(variables)} arrays",
            path=path,
            mend=f"At most {MAX_POINTS} points and {MAX_RATIO} times the file are read; this is not a sweep.",
        )
    with library_errors(path):
        arrays: dict[str, RealArray] = {name: np.asarray(variable[:]) for name, variable in variables.items()}
    z = np.empty(points, dtype=np.complex128)
    z.real, z.imag = arrays.pop("z_real"), arrays.pop("z_imag")
    frequency, quality = arrays.pop("frequency"), arrays.pop("quality")
    metadata = _metadata(attributes, path)
    if unstated:
        old = metadata.get("warnings", [])
        taken = [f"The file states no unit of {name}: it was taken as {_UNITS[name]}." for name in unstated]
        metadata["warnings"] = [*(old if isinstance(old, list) else [old]), *taken]
    try:
        return Spectrum(frequency, z, quality.astype(np.int64), arrays, metadata)
    except SpectrumError as error:
        raise ReadError(error.what, path=path, mend=error.mend) from error


def _check_units(stated: Mapping[str, Mapping[str, Any]], path: Path) -> list[str]:
    """Refuse numbers that another program packed or converted; return the variables whose unit it left out."""
    for name, attributes in stated.items():
        unit = _UNITS.get(name) or UNITS.get(name.rsplit("_", 1)[-1])
        found = attributes.get("units", unit)
        wrong = "is packed" if len(attributes) > ("units" in attributes) else ""
        if unit and not (isinstance(found, str) and found in (unit, *_SYNONYMS.get(unit, ()))):
            wrong = f"is in {str(found)[:40]!r}, not in {unit}"
        if wrong:
            raise ReadError(
                f"The variable {name} {wrong}: another program wrote it anew",
                path=path,
                mend="Write it as plain float64 in Hz, ohm and SI units.",
            )
    return [name for name in _UNITS if "units" not in stated[name]]


@contextlib.contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Turn what the netCDF library raises for a damaged file into a ReadError; nothing else runs inside."""
    try:
        yield
    except (OSError, RuntimeError, AttributeError, LookupError, ValueError, TypeError) as error:
        raise ReadError(
            f"The netCDF file is damaged: {error}",
            path=path,
            mend="Read it from a copy, or convert its origin again.",
        ) from error


def _netcdf(spectrum: Spectrum, path: Path) -> Callable[[Path], None]:
    """Return what writes netCDF; everything that can be refused is refused here."""
    _check_names(spectrum, path)
    attributes = _attributes(spectrum.metadata, path)

    def fill(target: Path) -> None:
        dataset = spectrum.to_xarray()
        dataset.attrs = attributes
        encoding = {str(name): {"_FillValue": None} for name in dataset.variables}
        dataset.to_netcdf(target, engine="netcdf4", format="NETCDF4", encoding=encoding)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        with target.open("ab") as file:
            file.write(_SEAL + digest.encode())

    return fill


def _attributes(metadata: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return metadata as netCDF attributes: numbers and text plain, the rest as JSON text listed in `eis_json`.

    What has no plain attribute (a name or a text that netCDF cannot hold, None) is one JSON object in `eis_more`.
    """
    plain: dict[str, Any] = {}
    as_json: list[str] = []
    more: dict[str, Any] = {}
    for key, value in metadata.items():
        if not _NAME.fullmatch(key) or key.startswith("eis_") or key in _OURS or value is None or value == "":
            more[key] = value
        elif _is_plain(value):
            plain[key] = value
        elif isinstance(value, (bool, list, dict, tuple)):
            plain[key] = _json(value, path)
            as_json.append(key)
        else:
            more[key] = value
    ours = {"Conventions": CONVENTIONS, "eis_schema": SCHEMA, "eis_json": _json(as_json, path)}
    return ours | ({"eis_more": _json(more, path)} if more else {}) | plain


def _is_plain(value: Any) -> bool:
    """Whether netCDF keeps a value as it is."""
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    return isinstance(value, float) or (type(value) is int and abs(value) < 2**63)


def _metadata(attributes: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the metadata `_attributes` wrote."""
    as_json = _loaded(attributes.get("eis_json", "[]"), list, path)
    metadata: dict[str, Any] = dict(_loaded(attributes.get("eis_more", "{}"), dict, path))
    for key, value in attributes.items():
        if key == "Conventions" or key.startswith("eis_"):
            continue
        if key in as_json:
            metadata[key] = _loaded(value, object, path)
        else:
            metadata[key] = value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
    return metadata


def _csv_lines(spectrum: Spectrum, path: Path) -> list[str]:
    _check_names(spectrum, path)
    z = spectrum.all_z_ohm
    columns = [spectrum.all_frequency_hz, z.real, z.imag, spectrum.quality, *spectrum.columns.values()]
    rows = [",".join([*CSV_COLUMNS, *spectrum.columns])]
    rows += [",".join(map(repr, row)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    lines = [f"# eis_schema: {json.dumps(SCHEMA)}", f"# eis_points: {spectrum.all_frequency_hz.size}"]
    lines.append(f"# eis_rows_sha256: {json.dumps(rows_sha256(rows))}")
    for key, value in spectrum.metadata.items():
        plain = _NAME.fullmatch(key) and not key.startswith("eis_")
        lines.append(f"# {key if plain else json.dumps(key)}: {_json(value, path)}")
    return lines + rows


def rows_sha256(rows: Sequence[str]) -> str:
    """Return the checksum of the heading and the rows of our CSV, whatever the line ends are."""
    return hashlib.sha256("\n".join(rows).encode("utf-8", "replace")).hexdigest()


def _bdf_lines(spectrum: Spectrum, path: Path) -> list[str]:
    if not len(spectrum):
        raise StoreError(
            "Every point is flagged, and the Battery Data Format has no flags",
            where=path.name,
            mend="Write .csv or .nc.",
        )
    z = spectrum.z_ohm
    columns = (spectrum.frequency_hz.tolist(), z.real.tolist(), z.imag.tolist())
    return [",".join(BDF_COLUMNS)] + [",".join(map(repr, row)) for row in zip(*columns, strict=True)]


def _text(lines: list[str]) -> Callable[[Path], None]:
    content = ("\n".join(lines) + "\n").encode("utf-8")
    return lambda target: _put(target, content)


def _put(target: Path, content: bytes) -> None:
    target.write_bytes(content)


def _check_names(spectrum: Spectrum, path: Path) -> None:
    wrong = next((name for name in spectrum.columns if not _NAME.fullmatch(name) or name in _TAKEN), None)
    if wrong is not None:
        raise StoreError(
            f"A column cannot be called {wrong!r} in a file",
            where=path.name,
            mend="Use letters, digits and underscores, and none of " + ", ".join(sorted(_TAKEN)) + ".",
        )


def _json(value: Any, path: Path) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"The metadata hold what is not a plain JSON value: {error}",
            where=path.name,
            mend="Use text and numbers.",
        ) from error


def _loaded(text: Any, kind: type, path: Path) -> Any:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None if kind is not object else text
    if not isinstance(value, kind):
        raise ReadError("The metadata of the netCDF file are damaged", path=path, mend="Convert its origin again.")
    return value
