"""The JSON documents: what commands print, and stored results that a report can be written from again.

A stored result is the document of ``eis check`` with one more field per entry, ``evidence``, that holds the
records themselves. Reading one back checks every field against the record's own types and names the key path of a
fault.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, time
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import numpy as np

from eis.errors import EisError, StoreError
from eis.results import Assessment, Unjudged
from eis.spectrum import ComplexArray, IntArray, RealArray

try:
    VERSION = version("interfacial-eis")
except PackageNotFoundError:
    VERSION = "0+unknown"

SCHEMA = "eis.check/1"
MAX_BYTES = 256 * 1024 * 1024
MAX_FLOAT = sys.float_info.max


def document(command: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of a command: schema, version of the package, one entry per result."""
    return {"schema": f"eis.{command}/1", "version": VERSION, "results": list(entries)}


def write_results(path: Path, results: Sequence[Assessment | Unjudged]) -> None:
    """Store assessments with all their evidence, and what could not be judged; the file is whole or not there.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    entries = [
        {**_encode(one.to_dict(), f"results[{i}]"), "evidence": _encode(one, f"results[{i}].evidence")}
        if isinstance(one, Assessment)
        else one.to_dict()
        for i, one in enumerate(results)
    ]
    whole = document("check", entries)
    try:
        content = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8")
    except UnicodeEncodeError:  # a file name that is no UTF-8; its bytes survive as escapes
        content = json.dumps(whole, allow_nan=False, indent=1).encode("ascii")
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with partial.open("xb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise StoreError(
            f"The results cannot be written: {error.strerror}",
            where=str(path),
            mend="Free some space, or choose a folder that exists and can be written.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def read_results(path: Path) -> list[Assessment | Unjudged]:
    """Read stored assessments back, and what could not be judged.

    Raises
    ------
    StoreError
        Naming the key path, if the file is not a stored result of this schema.
    """
    try:
        if not path.is_file():
            raise StoreError(
                "There is no such file", where=str(path), mend="Give a result.json of eis check --out."
            )
        if path.stat().st_size > MAX_BYTES:
            raise StoreError("The file is too large for a result", where=str(path), mend="Split the batch.")
        content = json.loads(path.read_text("utf-8"), parse_constant=_no_constant)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"The file is not a stored result: {error}",
            where=path.name,
            mend="Write it again with eis check --out.",
        ) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise StoreError(
            f"The schema is {found!r}, not {SCHEMA!r}",
            where=path.name,
            mend="Read it with the version that wrote it, or write it again with eis check --out.",
        )
    entries = content.get("results")
    if not isinstance(entries, list):
        _fail(path, "results", "a list", entries)
    return [_result(entry, path, f"results[{i}]") for i, entry in enumerate(entries)]


def _result(entry: Any, path: Path, key: str) -> Assessment | Unjudged:
    if isinstance(entry, dict) and "error" in entry:
        failed: Unjudged = _decode(entry, Unjudged, path, key)
        return failed
    if not isinstance(entry, dict) or "evidence" not in entry:
        _fail(path, f"{key}.evidence", "the records of an assessment", None)
    decoded: Assessment = _decode(entry["evidence"], Assessment, path, f"{key}.evidence")
    _check(decoded, path, f"{key}.evidence")
    return decoded


def _check(one: Assessment, path: Path, key: str) -> None:
    """Check what no single field can tell: arrays of one length, and names the fit has."""
    fit, validity = one.fit, one.validity
    n, m, free = fit.frequency_hz.shape, validity.frequency_hz.shape, len(fit.free)
    names = {parameter.name for parameter in fit.parameters}
    held = {held for arc in fit.arcs for held in (arc.resistance, arc.second, arc.exponent or arc.second)}
    rules = (
        ("fit.frequency_hz", "positive numbers", len(n) == 1 and _positive(fit.frequency_hz)),
        ("fit.z_ohm", "one value per frequency", fit.z_ohm.shape == n),
        ("fit.z_fit_ohm", "one value per frequency", fit.z_fit_ohm.shape == n),
        ("fit.covariance", f"{free} rows of {free}", not free or fit.covariance.shape == (free, free)),
        ("fit.free", "names of parameters", names.issuperset(fit.free)),
        ("fit.arcs", "names of parameters", names.issuperset(held)),
        ("fit.series_resistance", "names of parameters", names.issuperset(fit.series_resistance)),
        ("validity.frequency_hz", "positive numbers", len(m) == 1 and _positive(validity.frequency_hz)),
        ("validity.residual_real", "one value per frequency", validity.residual_real.shape == m),
        ("validity.residual_imag", "one value per frequency", validity.residual_imag.shape == m),
    )
    for name, expected, kept in rules:
        if not kept:
            _fail(path, f"{key}.{name}", expected, attrgetter(name)(one))


def _positive(values: RealArray) -> bool:
    return bool(np.all(np.isfinite(values) & (values > 0)))


def _encode(value: Any, key: str) -> Any:
    """Turn a record into plain JSON values: NaN is null, infinities are words, complex arrays have two parts."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _encode(getattr(value, f.name), f"{key}.{f.name}") for f in fields(value)}
    if isinstance(value, np.ndarray) and np.iscomplexobj(value):
        return {"real": _encode(value.real, key), "imag": _encode(value.imag, key)}
    if isinstance(value, (np.ndarray, np.generic)):
        return _encode(value.tolist(), key)
    if isinstance(value, (StrEnum, Path, date, time)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _encode(item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise StoreError(
        f"A {type(value).__name__} cannot be stored",
        where=key,
        mend="Put only text, numbers, lists and mappings into the metadata.",
    )


def _decode(value: Any, hint: Any, path: Path, key: str) -> Any:
    """Turn plain JSON values back into what the type `hint` says."""
    if hint is Any:
        return value
    if hint is float:
        return _number(value, path, key)
    if hint in (RealArray, IntArray):
        numbers = _list(value, path, key)
        if numbers and isinstance(numbers[0], list):
            return _matrix(numbers, path, key)
        return _array(numbers, path, key, np.int64 if hint == IntArray else np.float64)
    if hint == ComplexArray:
        parts = _mapping(value, path, key)
        real, imag = (_decode(parts.get(part), RealArray, path, f"{key}.{part}") for part in ("real", "imag"))
        if real.shape != imag.shape:
            _fail(path, key, "as many imaginary as real parts", value)
        z = np.empty(real.shape, dtype=np.complex128)
        z.real, z.imag = real, imag  # part by part: a NaN in one must not reach the other
        return z
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return (
            None if value is None else _decode(value, next(a for a in arguments if a is not type(None)), path, key)
        )
    if origin is Literal:
        return value if value in arguments else _fail(path, key, f"one of {', '.join(map(str, arguments))}", value)
    if origin is tuple:
        items = _list(value, path, key)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decode(item, arguments[0], path, f"{key}[{i}]") for i, item in enumerate(items))
        if len(items) != len(arguments):
            _fail(path, key, f"{len(arguments)} items", value)
        pairs = zip(items, arguments, strict=True)
        return tuple(_decode(item, inner, path, f"{key}[{i}]") for i, (item, inner) in enumerate(pairs))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {k: _decode(v, arguments[1], path, f"{key}.{k}") for k, v in _mapping(value, path, key).items()}
    if is_dataclass(hint):
        return _record(value, hint, path, key)
    if issubclass(hint, StrEnum):
        return hint(value) if value in list(hint) else _fail(path, key, f"one of {', '.join(hint)}", value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        _fail(path, key, f"a {hint.__name__}", value)
    return value


def _record(value: Any, hint: Any, path: Path, key: str) -> Any:
    """Build a record; its own checks have the last word."""
    given = _mapping(value, path, key)
    hints = _hints(hint)
    wanted = {one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(hint)}
    for name in (*given, *wanted):  # what has a default may be missing: an older version did not know it
        if name not in wanted or (name not in given and wanted[name]):
            _fail(path, f"{key}.{name}", "there" if name in wanted else "not there", given.get(name))
    present = [name for name in wanted if name in given]
    try:
        return hint(**{name: _decode(given[name], hints[name], path, f"{key}.{name}") for name in present})
    except StoreError:
        raise
    except EisError as error:
        raise StoreError(error.what, where=f"{path.name}, {key}", mend=error.mend) from error


@cache
def _hints(record: type) -> dict[str, Any]:
    return get_type_hints(record)


def _number(value: Any, path: Path, key: str) -> float:
    if value is None:
        return math.nan
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _fail(path, key, "a number", value)
    if not -MAX_FLOAT <= value <= MAX_FLOAT:
        _fail(path, key, "a number of double precision", value)
    return float(value)


def _array(numbers: list[Any], path: Path, key: str, kind: type) -> Any:
    if kind is np.int64:
        if any(isinstance(n, bool) or not isinstance(n, int) or abs(n) >= 2**63 for n in numbers):
            _fail(path, key, "whole numbers", numbers[:3])
        return np.array(numbers, dtype=np.int64)
    return np.array([_number(n, path, f"{key}[{i}]") for i, n in enumerate(numbers)], dtype=np.float64)


def _matrix(rows: list[Any], path: Path, key: str) -> Any:
    """Return a table of numbers, shape (n, m); all rows of one length."""
    table = [_decode(row, RealArray, path, f"{key}[{i}]") for i, row in enumerate(rows)]
    if len({row.size for row in table}) > 1:
        _fail(path, key, "rows of one length", None)
    return np.array(table, dtype=np.float64)


def _list(value: Any, path: Path, key: str) -> list[Any]:
    return value if isinstance(value, list) else _fail(path, key, "a list", value)


def _mapping(value: Any, path: Path, key: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _fail(path, key, "an object", value)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _fail(path: Path, key: str, expected: str, found: Any) -> NoReturn:
    shown = repr(found)
    raise StoreError(
        f"Expected {expected} at {key}, found {shown if len(shown) < 60 else shown[:57] + '…'}",
        where=path.name,
        mend="Write the result again with eis check --out; a stored result is not edited by hand.",
    )
