"""Cell files: a page of TOML that says what the cell is, with units if you like, checked whole at once.

The keys are the fields of `eis.Cell`, as they are (``area_cm2 = 1.131``) or without the unit in the name and with
it in the text (``area = "113.1 mm2"``). The table may also stand under ``[cell]``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from eis.errors import ConfigError
from eis.spectrum import Cell
from eis.units import read_quantity

UNITS = {"cm2": "cm2", "cm": "cm", "c": "degC", "mpa": "MPa", "s": "s", "hz": "Hz", "ohm": "ohm"}
"""How the last word of a field's name is written as a unit."""
PERCENT = "%"
MAX_BYTES = 1_000_000


def load_cell(path: str | Path) -> Cell:
    """Load the cell a TOML file describes.

    Parameters
    ----------
    path : path
        The file. Every key is a field of `Cell`; a length, area, temperature or pressure is a number in the
        field's unit, or text with a unit. An uncertainty may be in percent of its value (not of a temperature).

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML, or with every fault at once, each with its key path.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("The cell file is too large", where=str(path), mend="A cell is a page of TOML.")
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        because = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"The cell file cannot be read: {because}", where=str(path), mend="Give the path of a TOML file."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The cell file is not TOML: {error}", where=str(path), mend="Mend that line."
        ) from error
    if list(content) == ["cell"] and isinstance(content["cell"], dict):
        return cell_of(content["cell"], where=str(path), under="cell.")
    return cell_of(content, where=str(path))


def cell_of(content: Mapping[str, Any], *, where: str, under: str = "") -> Cell:
    """Return the cell that plain values describe, as in a cell file.

    Parameters
    ----------
    content : mapping
        Keys and values as in a cell file.
    where : str
        The file they came from, for the words of an error.
    under : str
        What stands before each key there, such as ``"cell."``.

    Raises
    ------
    ConfigError
        With every fault at once, each with its key path.
    """
    faults: list[str] = []
    written = dict(content)
    for name, unit in _with_units().items():
        short = name.removesuffix(f"_{name.rsplit('_', 1)[-1]}")
        if short not in written:
            continue
        if name in written:
            faults.append(f"{under}{short}: {name} is given as well; give one of them")
        elif not isinstance(written[short], str):
            faults.append(f"{under}{short}: has no unit; write {name} = …, or {short} = '… {unit}'")
        else:
            written[name] = written[short]
        del written[short]
    for name in _with_units():
        if isinstance(text := written.get(name), str) and text.rstrip().endswith(PERCENT):
            found = _share(name, text, written)
            if isinstance(found, str):
                faults.append(f"{under}{found}")
                written[name] = 0.0
            else:
                written[name] = found
    values: dict[str, Any] = dict(written)
    try:
        values = _model().model_validate(written).model_dump(exclude_unset=True)
    except ValidationError as error:
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            faults.append(f"{under}{key}: {_plainly(fault['msg'])}")
            for name in (
                str(fault["loc"][0]),
                f"u_{fault['loc'][0]}",
            ):  # an uncertainty of what is wrong is no fault
                values.pop(name, None)
        values = {name: value for name, value in values.items() if not isinstance(value, str) or name in _words()}
    return _checked(values, faults, where=where, under=under)


def _checked(values: dict[str, Any], faults: list[str], *, where: str, under: str) -> Cell:
    """Make the cell; what it finds itself joins the faults found before."""
    complete = {**_stand_ins(values), **values}
    try:
        cell = Cell(**complete)
    except ConfigError as error:
        faults += [f"{under}{fault}" for fault in error.mend.split("; ")]
    else:
        if not faults:
            return cell
    raise ConfigError("The cell file has faults", where=where, mend=f"Mend each: {'; '.join(faults)}.")


def _stand_ins(values: Mapping[str, Any]) -> dict[str, float]:
    """Return something for required fields that are missing or wrong, so that the others are checked as well."""
    required = [f.name for f in fields(Cell) if f.default is MISSING and f.default_factory is MISSING]
    return {name: 1.0 for name in required if name not in values}


def _share(name: str, text: str, written: Mapping[str, Any]) -> float | str:
    """Return an uncertainty given in percent of its value, in the field's unit, or what is wrong with it."""
    of = name.removeprefix("u_")
    if of == name or name.endswith("_c"):
        return f"{name}: {text!r} has no meaning here; give it in {_with_units()[name]}"
    if of not in written:
        return f"{name}: {text!r} is percent of {of}, which is not given"
    value = written[of]
    try:
        share = float(text.rstrip().removesuffix(PERCENT)) / 100
        size = read_quantity(value, _with_units()[of], where=of) if isinstance(value, str) else float(value)
    except (ValueError, TypeError):
        return f"{name}: {text!r} is not a number in percent of {of}"
    except ConfigError:
        return f"{name}: {of} has a fault of its own"
    return share * size


@cache
def _with_units() -> dict[str, str]:
    """Return the unit of every field that has one, by name."""
    return {f.name: unit for f in fields(Cell) if (unit := UNITS.get(f.name.rsplit("_", 1)[-1]))}


@cache
def _words() -> frozenset[str]:
    """Return the names of the fields that hold a word."""
    return frozenset(f.name for f in fields(Cell) if f.name in ("kind", "electrode"))


@cache
def _model() -> type[BaseModel]:
    """Return the model of a cell file: the fields of `Cell`, so that a new one is known here at once."""
    hints = get_type_hints(Cell)
    strictly: Any = Field(strict=True, allow_inf_nan=False)
    definitions: dict[str, Any] = {}
    for f in fields(Cell):
        kind: Any = hints[f.name]
        if f.name in _with_units():
            kind = Annotated[kind, strictly, BeforeValidator(_reader(f.name))]
        elif kind in (int, int | None):
            kind = Annotated[kind, Field(strict=True)]
        definitions[f.name] = (kind, ...) if f.default is MISSING else (kind, f.default)
    return create_model("CellFile", __config__=ConfigDict(extra="forbid", frozen=True), **definitions)


def _reader(name: str) -> Any:
    """Return what turns text with a unit into a number in the field's unit."""
    unit = _with_units()[name]

    def convert(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return read_quantity(value, unit, where=name, is_difference=name.startswith("u_"))
        except ConfigError as error:
            raise ValueError(f"{error.what}. {error.mend}".rstrip(".")) from error

    return convert


def _plainly(message: str) -> str:
    """Return pydantic's words as ours."""
    known = {"Extra inputs are not permitted": "there is no such key", "Field required": "is missing"}
    return known.get(message, message.removeprefix("Value error, "))
