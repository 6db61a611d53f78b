"""Specs: limits as they were printed, what they are for, the decision rule, and how good their source is."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from eis.conformity import ISO_14253_FACTOR, DecisionRule, RuleName, require_room
from eis.errors import ConfigError
from eis.limit_text import Printed, dimension_of, read_limit, read_value
from eis.results import READINGS, Reading
from eis.unit_readings import READ_AS, ohms_in, readings_of

__all__ = ["ISO_14253_FACTOR", "Limit", "Publication", "Source", "Spec", "built_in"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Confidence = Annotated[float, Field(gt=0.5, lt=1)]
Bound = Literal["upper", "lower", "window"]
RESISTANCE = "resistance"
"""The quantity that is taken from the arcs of a spectrum; every other one is given beside it."""
MAX_SPEC_BYTES = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Publication(_Strict):
    """One publication of a source; what is not known is left out."""

    office: str
    year: Annotated[int, Field(ge=1800, le=2200)] | None = None
    number: str | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.office, self.number, self.year) if part)


class Source(_Strict):
    """Where a limit comes from and how good that evidence is; what is not known is left out."""

    title: str
    evidence: str
    quality: Literal["primary source", "secondary source", "agreement", "not stated"] = "not stated"
    assignee: str = ""
    office_and_year: str = ""
    publications: tuple[Publication, ...] = ()
    verbatim: str = ""

    def __str__(self) -> str:
        published = self.office_and_year or ", ".join(str(one) for one in self.publications)
        who = self.assignee or self.title
        return f"{who}, {published}; {self.evidence}" if published and self.assignee else f"{who}; {self.evidence}"


class Limit(_Strict):
    """One limit: the text as printed, never changed, and what is read from it.

    `text` is read for a number (or a range) and its unit; where it is words, `figures` says the same in figures.
    `value` may repeat the number as a check (Ω with whatever power of cm² for a resistance, else as printed).
    A `quantity` other than "resistance" is compared with a value of that name that is given beside the spectrum.
    """

    quantity: str = RESISTANCE
    figures: str | None = None
    text: str
    bound: Bound = Field(default=None, validate_default=True)
    value: Annotated[float, Field(allow_inf_nan=False)] = Field(default=None, validate_default=True)
    readings: tuple[Reading, ...] = Field(default=None, validate_default=True)
    not_testable: tuple[str, ...] = ()
    note: str = ""
    process: str | None = None
    rule: RuleName | None = None
    k: Positive | None = None
    multiple: Positive | None = None
    confidence: Confidence | None = None
    guard_band: str | None = None
    source: Source | None = None

    @field_validator("quantity")
    @classmethod
    def _named(cls, quantity: str) -> str:
        if not quantity.strip():
            raise ValueError("it is empty; name what is limited")
        return key_of(quantity)

    @field_validator("figures", "text")
    @classmethod
    def _says_a_limit(cls, text: str | None, info: ValidationInfo) -> str | None:
        in_words = info.field_name == "text" and info.data.get("figures", "") is not None
        if text is None or in_words:  # figures say it, or have a fault of their own
            return text
        printed = _read(text)
        try:
            _, dimension = dimension_of(printed.unit, where="text", text=text)
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.mend}") from error
        if info.data.get("quantity") == RESISTANCE:
            if dimension not in READ_AS:
                unit = f"the unit {printed.unit!r}" if printed.unit else "a number without a unit"
                raise ValueError(
                    f"{unit} does not fit a resistance; write Ω·cm², Ω/cm² or Ω, or name the quantity"
                )
            if not (printed.upper if math.isfinite(printed.upper) else printed.lower) > 0:
                raise ValueError("the limit of a resistance is above zero")
        return text

    @field_validator("bound", mode="before")
    @classmethod
    def _sided(cls, bound: Any, info: ValidationInfo) -> Any:
        printed = _printed(info)
        if printed is None:
            return bound or "upper"
        said = "lower" if math.isinf(printed.upper) else "upper" if math.isinf(printed.lower) else "window"
        if bound in ("upper", "lower", "window") and bound != said and (printed.is_marked or bound == "window"):
            raise ValueError(f"the text says {said}, not {bound}")
        return bound or said

    @field_validator("value", mode="before")
    @classmethod
    def _agrees(cls, value: Any, info: ValidationInfo) -> Any:
        printed = _printed(info)
        if printed is None:  # the text has its own fault; this field needs none
            return 1.0 if value is None else value
        read = _size(printed, info.data.get("quantity")) * (
            printed.upper if math.isfinite(printed.upper) else printed.lower
        )
        if value is None:
            return float(f"{read:.15g}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if number and not math.isclose(value, read, rel_tol=1e-9):
            raise ValueError(f"{value:g} is not what the text says ({read:g}); mend one, or leave value out")
        return value

    @field_validator("readings", mode="before")
    @classmethod
    def _readable(cls, readings: Any, info: ValidationInfo) -> Any:
        if info.data.get("quantity", RESISTANCE) != RESISTANCE:
            if readings:
                raise ValueError("only a resistance has readings; leave it out")
            return ()
        printed = _printed(info)
        possible = READINGS if printed is None else readings_of(printed.unit)
        if readings is None:
            return possible
        if isinstance(readings, (list, tuple)):
            misfits = [one for one in readings if one in READINGS and one not in possible]
            if misfits and printed is not None:
                listed = ", ".join(misfits)
                raise ValueError(f"a limit in {printed.unit} cannot be read as {listed}, only as {possible[0]}")
            if not readings:
                raise ValueError(f"it is empty; choose of {', '.join(possible)}, or leave it out")
        return readings

    @field_validator("guard_band")
    @classmethod
    def _has_room(cls, guard_band: str | None, info: ValidationInfo) -> str | None:
        printed = _printed(info)
        if guard_band is None or printed is None:
            return guard_band
        try:
            width = read_value(guard_band, printed.unit, where="guard_band", is_difference=True)
            require_room(width, upper=printed.upper, lower=printed.lower, where="guard_band")
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.mend}") from error
        if width <= 0:
            raise ValueError("it is not above zero; the rule 'simple' has none")
        return guard_band

    @property
    def printed(self) -> Printed:
        """What the text says, in the unit it is printed in."""
        return _read(self.figures or self.text)

    @property
    def unit(self) -> str:
        """The unit as printed."""
        return self.printed.unit

    @property
    def is_resistance(self) -> bool:
        """Whether the arcs of a spectrum are compared with it."""
        return self.quantity == RESISTANCE

    @property
    def upper(self) -> float:
        """Upper limit, in the unit of `value`; ∞ if there is none."""
        return self.value if self.bound != "lower" else math.inf

    @property
    def lower(self) -> float:
        """Lower limit, in the unit of `value`; −∞ if there is none."""
        if self.bound == "upper":
            return -math.inf
        return self.value if self.bound == "lower" else self.printed.lower * _size(self.printed, self.quantity)

    @property
    def width(self) -> float | None:
        """Its own guard band in the unit of `value`, if it has one."""
        if self.guard_band is None:
            return None
        return read_value(self.guard_band, self.unit, where="guard_band", is_difference=True) * _size(
            self.printed, self.quantity
        )


class Spec(_Strict):
    """Limits, the process they apply to, and the decision rule agreed before measuring.

    One `limit` or several `limits`; `windows` are ranges of how a cell was made, which are compared with its
    process values and do not change its verdict. `rule`, `k`, `multiple` and `confidence` are those of
    `eis.conformity.DecisionRule`; a limit may have its own.
    """

    name: str
    title: str
    process: str = "electrode interface"
    rule: RuleName = "guard-band"
    k: Positive = 2.0
    multiple: Positive = 1.0
    confidence: Confidence = 0.95
    limit: Limit | None = None
    limits: tuple[Limit, ...] = ()
    windows: tuple[Limit, ...] = ()
    source: Source

    @model_validator(mode="after")
    def _has_limits(self) -> Spec:
        if self.limit is not None and self.limits:
            raise ValueError("it has both [limit] and [[limits]]; keep one of them")
        if not (self.limit or self.limits or self.windows):
            raise ValueError("it has no limit; write [limit], [[limits]] or [[windows]]")
        for key, group in (("limits", self.all_limits), ("windows", self.windows)):
            for i, one in enumerate(group):
                if (one.guard_band is not None) != ((one.rule or self.rule) == "fixed"):
                    raise ValueError(f'{key}.{i}: guard_band goes with rule = "fixed", and "fixed" needs it')
        for i, window in enumerate(self.windows):
            if window.is_resistance:
                raise ValueError(f"windows.{i}: a window is of a process value; name its quantity")
        return self

    @classmethod
    def load(cls, name: str | Path) -> Spec:
        """Load a built-in spec by its name, or a TOML file by its path.

        Raises
        ------
        ConfigError
            If there is no such spec, or with every fault of the file and its key path.
        """
        if str(name) in built_in():
            text, where = resources.files("eis").joinpath(f"specs/{name}.toml").read_text("utf-8"), str(name)
        else:
            text, where = _text_of(Path(name)), str(name)
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"The spec is not TOML: {error}", where=where, mend="Mend that line.") from error
        except ValidationError as error:
            raise ConfigError("The spec has faults", where=where, mend=f"Mend each: {_faults(error)}.") from error

    @property
    def all_limits(self) -> tuple[Limit, ...]:
        """Every limit that counts for the verdict, in the order of the file."""
        return (self.limit,) if self.limit is not None else self.limits

    def process_of(self, limit: Limit) -> str:
        """Return the process a limit is for."""
        return limit.process or self.process

    def source_of(self, limit: Limit) -> Source:
        """Return where a limit comes from."""
        return limit.source or self.source

    def rule_of(self, limit: Limit) -> DecisionRule:
        """Return the decision rule of a limit: its own where it has one."""
        return DecisionRule(
            name=limit.rule or self.rule,
            k=limit.k or self.k,
            multiple=limit.multiple or self.multiple,
            confidence=limit.confidence or self.confidence,
            width=limit.width,
        )

    def decided_by(self, *, rule: RuleName | None = None, k: float | None = None) -> Spec:
        """Return this spec with another decision rule for all its limits.

        Raises
        ------
        ConfigError
            If there is no such rule, or `k` is not a number above zero.
        """
        if rule == "fixed":
            raise ConfigError(
                "The rule 'fixed' takes its guard band from the spec", where="rule", mend="Write it in the spec."
            )
        DecisionRule(rule or "simple", self.k if k is None else k)
        change: dict[str, Any] = {} if rule is None else {"rule": None, "guard_band": None}
        change |= {} if k is None else {"k": None}
        own: dict[str, Any] = {"rule": rule or self.rule, "k": self.k if k is None else k}
        if self.limit is not None:
            own["limit"] = self.limit.model_copy(update=change)
        for name in ("limits", "windows"):
            own[name] = tuple(one.model_copy(update=change) for one in getattr(self, name))
        return self.model_copy(update=own)

    def guard_band(self, u: float) -> float:
        """Return the width w of the first limit's guard band for a standard uncertainty `u`."""
        return float(self.rule_of((*self.all_limits, *self.windows)[0]).guard_band(u))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.title}"]
        for one in (*self.all_limits, *self.windows):
            what = self.process_of(one) if one.is_resistance else one.quantity
            lines.append(f"  {what}: {' '.join(one.text.split())} ({self.source_of(one)})")
        return "\n".join(lines)


@cache
def built_in() -> tuple[str, ...]:
    """Return the names of the specs that come with the package."""
    folder = resources.files("eis").joinpath("specs")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


@cache
def _read(text: str) -> Printed:
    """Read a printed limit; a fault is a ValueError here, so that pydantic gathers it with its key path."""
    try:
        return read_limit(text, where="text")
    except ConfigError as error:
        raise ValueError(f"{error.what}; {error.mend}") from error


def _printed(info: ValidationInfo) -> Printed | None:
    """Return what the text or the figures say; None if that has a fault of its own."""
    words = info.data.get("figures") or info.data.get("text")
    try:
        return _read(words) if isinstance(words, str) else None
    except ValueError:
        return None


def _size(printed: Printed, quantity: str | None) -> float:
    """Return what turns a printed number into the unit of `Limit.value`."""
    return ohms_in(printed.unit) if quantity == RESISTANCE else 1.0


def key_of(quantity: str) -> str:
    """Return a quantity's name as it is compared: lower case, spaces for underscores."""
    return " ".join(quantity.replace("_", " ").split()).casefold()


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise ConfigError("The spec file is too large", where=str(path), mend="A spec is a page of TOML.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "There is no readable spec of that name", where=str(path), mend=f"Built in: {', '.join(built_in())}."
        ) from error


def _faults(error: ValidationError) -> str:
    def each() -> Iterator[str]:
        for one in error.errors():
            path = ".".join(map(str, one["loc"]))
            said = one["msg"].removeprefix("Value error, ").replace("; ", ", ")
            yield f"{path}: {said}" if path else said

    return "; ".join(each())
