"""What a station does, as a page of TOML: layered file < environment < flags, checked whole before anything runs.

A key of the file, such as ``sweep.start_hz``, may be given in the environment as ``EIS_STATION__SWEEP__START_HZ``
and on the command line as ``--set sweep.start_hz=1e6``; of a key given more than once the last counts.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eis.cell import Cell
from eis.cell_file import cell_of
from eis.errors import ConfigError
from eis.results import Reading

ENVIRONMENT = "EIS_STATION__"
PASSWORD = re.compile(r"(://[^/@:\s]*):[^/@\s]*@")
MAX_BYTES = 1_000_000
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Value = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SweepConfig(_Strict):
    """The sweep: exactly one of `amplitude_v` and `amplitude_a`, both rms."""

    start_hz: Positive = 1e6
    stop_hz: Positive = 0.1
    points_per_decade: Annotated[int, Field(ge=1, le=200)] = 10
    amplitude_v: Positive | None = None
    amplitude_a: Positive | None = None
    dc_v: Number = 0.0
    dc_a: Number = 0.0
    hold_ocv: bool = False

    @model_validator(mode="after")
    def _one_amplitude(self) -> SweepConfig:
        if (self.amplitude_v is None) == (self.amplitude_a is None):
            raise ValueError("give one of amplitude_v and amplitude_a")
        return self


class PreparationConfig(_Strict):
    """What comes before the sweep, as in ``eis measure``."""

    mains_hz: tuple[Positive, ...] = (50.0, 60.0)
    repeat_decades: NotNegative | None = None
    settle_minutes: NotNegative = 0.0


class LimitsConfig(_Strict):
    """What the cell is never to be asked; what is left out keeps the limits every measurement has."""

    amplitude_v: Positive | None = None
    amplitude_a: Positive | None = None
    dc_from_ocv_v: Positive | None = None
    current_a: Positive | None = None


class CheckConfig(_Strict):
    """The limit the cell is held to."""

    spec: str = "lges-negative-electrode"
    reading: Reading | None = None
    element: str | None = None


class RetryConfig(_Strict):
    """How often a measurement whose data cannot be trusted is made again; every attempt is kept."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 2
    wait_s: NotNegative = 0.0


class InterlockConfig(_Strict):
    """Something outside that must be right while a cell is measured, read from a file that another program writes.

    Either the file holds a number between `low` and `high`, or it holds the text `equals`. While it does not the
    measurement pauses with the cell off; it goes on after `steady_s` of all being well, and is given up after
    `give_up_s`. A file that is missing, unreadable or older than `stale_s` is not well.
    """

    name: str = Field(min_length=1)
    file: str = Field(min_length=1)
    low: Number | None = None
    high: Number | None = None
    equals: str | None = None
    stale_s: Positive | None = None
    steady_s: NotNegative = 1.0
    give_up_s: NotNegative = 600.0

    @model_validator(mode="after")
    def _says_what_is_right(self) -> InterlockConfig:
        band = self.low is not None or self.high is not None
        if band == (self.equals is not None):
            raise ValueError("say what is right: low and/or high, or equals")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class OutputsConfig(_Strict):
    """What is written for every cell, below `folder`, and where the verdict is reported to."""

    folder: str = "results"
    html: bool = True
    junit: bool = True
    csv: bool = True
    webhook: str | None = Field(default=None, pattern=r"^https?://[^/@\s]+(/\S*)?$")
    webhook_timeout_s: Positive = 5.0
    webhook_retries: Annotated[int, Field(ge=0, le=100)] = 3
    webhook_token_env: str | None = Field(
        default=None, description="Name of the environment variable that holds the token; never the token itself."
    )


class StationConfig(_Strict):
    """Everything ``eis run`` needs to know."""

    schema_: Literal["eis.station/1"] = Field(alias="schema")
    station: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    resource: str = Field(min_length=1)
    driver: str | None = None
    options: dict[str, Value] = {}
    fixture: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Name of the holder that cells are measured in; each has control charts of its own.",
    )
    cell: dict[str, Value]
    sweep: SweepConfig
    preparation: PreparationConfig = PreparationConfig()
    limits: LimitsConfig = LimitsConfig()
    circuit: str = Field(min_length=1)
    weight: Literal["modulus", "unit", "proportional"] = "modulus"
    check: CheckConfig = CheckConfig()
    retry: RetryConfig = RetryConfig()
    interlocks: tuple[InterlockConfig, ...] = ()
    outputs: OutputsConfig = OutputsConfig()
    calibrated_until: date | None = Field(
        default=None, description="Last day of the instrument's calibration; after it no verdict is given."
    )
    store: str = "station.db"
    guardian: bool = True


@dataclass(frozen=True, slots=True)
class Station:
    """A station's configuration after all layers, and where each value comes from.

    Parameters
    ----------
    config : StationConfig
        The values.
    cell : Cell
        What every cell at this station is.
    folder : Path
        Of the station file; relative names in it begin here.
    origins : mapping of str to str
        For each key path that was given: the file, the environment variable, or the flag.
    """

    config: StationConfig
    cell: Cell
    folder: Path
    origins: Mapping[str, str]

    def path(self, name: str) -> Path:
        """Return a file the configuration names, as seen from here."""
        return self.folder / name

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield key path, value and origin of every setting; what nobody gave has the origin ``default``.

        A password in an address is not shown.
        """
        for key, value in _flat(self.config.model_dump(mode="json", by_alias=True)):
            shown = PASSWORD.sub(r"\g<1>:***@", json.dumps(value, ensure_ascii=False))
            yield key, shown, self.origins.get(key, "default")


def load_station(
    path: str | Path, *, environ: Mapping[str, str] | None = None, flags: Sequence[str] = ()
) -> Station:
    """Read a station file and what overrides it.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    environ : mapping, optional
        Variables; those that begin with ``EIS_STATION__`` are looked at.
    flags : sequence of str
        ``key.path=value``; a value that is TOML (a number, true, a list) is that, any other is text.

    Raises
    ------
    ConfigError
        With every fault at once, each with its key path and where it was given.
    """
    where = str(path)
    content = _read(Path(path), where)
    origins = {key: where for key, _ in _flat(content)}
    for name, text in sorted((environ or {}).items()):
        if name.startswith(ENVIRONMENT):
            _put(content, name.removeprefix(ENVIRONMENT).lower().split("__"), text, origins, name)
    for flag in flags:
        key, equals, text = flag.partition("=")
        if not (key and equals):
            raise ConfigError(f"{flag!r} sets nothing", where="--set", mend="Write it as sweep.start_hz=1e6.")
        _put(content, key.split("."), text, origins, f"--set {key}")
    faults: list[str] = []
    config: StationConfig | None = None
    cell: Cell | None = None
    try:
        config = StationConfig.model_validate(content)
    except ValidationError as error:
        faults = [_said(one, origins) for one in error.errors()]
    try:
        if isinstance(content.get("cell"), dict):
            cell = cell_of(content["cell"], where=where, under="cell.")
    except ConfigError as error:
        faults.append(error.mend.removeprefix("Mend each: ").rstrip("."))
    if faults or config is None or cell is None:
        raise ConfigError("The station file has faults", where=where, mend=f"Mend each: {'; '.join(faults)}.")
    return Station(config, cell, Path(path).resolve().parent, origins)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a station file, for editors that complete and check as one types."""
    return StationConfig.model_json_schema(by_alias=True)


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ConfigError("The station file is no file", where=where, mend="Give the path of a TOML file.")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("The station file is too large", where=where, mend="It is a page of TOML.")
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The station file cannot be read: {error}", where=where, mend="Give the path of a TOML file."
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"The station file is not TOML: {error}", where=where, mend="Mend that line.") from error


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _put(content: dict[str, Any], keys: list[str], text: str, origins: dict[str, str], origin: str) -> None:
    """Set one value deep in the content; a key that leads through a plain value replaces it."""
    place = content
    for key in keys[:-1]:
        inner = place.get(key)
        place[key] = place = inner if isinstance(inner, dict) else {}
    place[keys[-1]] = _value(text)
    origins[".".join(keys)] = origin


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _said(fault: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    key = ".".join(map(str, fault["loc"])) or "the file"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(str(fault["loc"][-1]), sorted(_names(StationConfig)), n=1)
        message = "there is no such key" + (f"; do you mean {near[0]}?" if near else "")
    origin = origins.get(key)
    return f"{key}: {message}" + (f" (from {origin})" if origin and origin.startswith(("--", "EIS_")) else "")


def _names(model: type[BaseModel]) -> set[str]:
    """Return every key a model and those inside it have."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(field.alias or name)
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= _names(kind)
    return names
