"""Specs: a limit as it was printed, the process it is for, the decision rule, and how good its source is."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eis.errors import ConfigError
from eis.results import Reading

Rule = Literal["simple", "guard-band", "iso-14253"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

ISO_14253_FACTOR = 1.645
"""One-sided 95 % of a normal distribution: ISO 14253-1's default guard band in standard uncertainties."""
MAX_SPEC_BYTES = 1_000_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(_Strict):
    """An upper limit as printed, its number in Ω with whatever power of cm² a reading gives it."""

    text: str
    value: Positive
    readings: tuple[Reading, ...] = Field(min_length=1)
    not_testable: tuple[str, ...] = ()
    note: str = ""


class Source(_Strict):
    """Where a limit comes from and how good that evidence is."""

    title: str
    evidence: str
    assignee: str = ""
    office_and_year: str = ""
    verbatim: str = ""


class Spec(_Strict):
    """A limit, the process it applies to, and the decision rule agreed before measuring.

    `rule` is "simple" (no guard band), "guard-band" (w = U = k·u) or "iso-14253" (w = 1.645·u).
    """

    name: str
    title: str
    process: str = "electrode interface"
    rule: Rule = "guard-band"
    k: Positive = 2.0
    limit: Limit
    source: Source

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
            text, where = _read(Path(name)), str(name)
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"The spec is not TOML: {error}", where=where, mend="Mend that line.") from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ConfigError("The spec has faults", where=where, mend=f"Mend each: {faults}.") from error

    def guard_band(self, u: float) -> float:
        """Return the width w of the guard band for a standard uncertainty `u`."""
        return {"simple": 0.0, "guard-band": self.k * u, "iso-14253": ISO_14253_FACTOR * u}[self.rule]


def built_in() -> tuple[str, ...]:
    """Return the names of the specs that come with the package."""
    folder = resources.files("eis").joinpath("specs")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise ConfigError("The spec file is too large", where=str(path), mend="A spec is a page of TOML.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "There is no readable spec of that name", where=str(path), mend=f"Built in: {', '.join(built_in())}."
        ) from error
