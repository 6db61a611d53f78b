"""How a cell was made, as values with units, against the windows of a spec."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eis.conformity import FOUR_WAY, DecisionRule, Model, acceptance_limit, outcomes, p_conform
from eis.errors import ConfigError
from eis.limit_text import TEMPERATURES, read_value
from eis.quantities import format_plain
from eis.results import Finding, Verdict
from eis.spec import Limit, key_of

MAX_BYTES = 1_000_000
PLACE = {
    Verdict.PASS: "inside",
    Verdict.CONDITIONAL_PASS: "borderline, inside",
    Verdict.CONDITIONAL_FAIL: "borderline, outside",
    Verdict.FAIL: "outside",
    Verdict.NOT_RESOLVED: "no uncertainty was given, and the rule needs one",
}


@dataclass(frozen=True, slots=True)
class ProcessValue:
    """One value of how a cell was made, or measured beside its spectrum.

    Parameters
    ----------
    quantity : str
        Its name, as the spec has it; case and underscores do not matter.
    value : str or float
        A number with a unit, ``"35 %"``; a bare number for a plain ratio.
    u : str or float, optional
        Its standard uncertainty (k = 1), written the same way.
    """

    quantity: str
    value: str | float
    u: str | float | None = None

    def in_unit(self, unit: str) -> tuple[float, float]:
        """Return value and standard uncertainty in `unit`; NaN if no uncertainty was given.

        Raises
        ------
        ConfigError
            If a unit does not fit, or the uncertainty is below zero.
        """
        value = read_value(self.value, unit, where=self.quantity)
        if self.u is None:
            return value, math.nan
        u = read_value(self.u, unit, where=f"{self.quantity}.u", is_difference=True)
        if u < 0:
            raise ConfigError(
                f"The uncertainty {self.u!r} is below zero", where=f"{self.quantity}.u", mend="Mend it."
            )
        return value, u


def process_values(content: Mapping[str, Any], *, where: str = "metadata") -> dict[str, ProcessValue]:
    """Return the process values of a mapping: a value each, or a table of ``value`` and ``u``.

    Raises
    ------
    ConfigError
        With every fault at once, each with its key path.
    """
    out: dict[str, ProcessValue] = {}
    faults = []
    for name, given in content.items():
        parts = dict(given) if isinstance(given, Mapping) else {"value": given}
        unknown = [f"{name}.{key}: only value and u are known here" for key in parts if key not in ("value", "u")]
        kinds = [
            f"{name}.{key}: {parts[key]!r} is neither a number nor text"
            for key in ("value", "u")
            if key in parts and (isinstance(parts[key], bool) or not isinstance(parts[key], (str, int, float)))
        ]
        missing = [] if "value" in parts else [f"{name}.value: it is missing"]
        twice = [f"{name}: it stands there twice"] if key_of(name) in out else []
        faults += [*unknown, *kinds, *missing, *twice]
        if not (unknown or kinds or missing or twice):
            out[key_of(name)] = ProcessValue(name, parts["value"], parts.get("u"))
    if faults:
        raise ConfigError("The process values have faults", where=where, mend=f"Mend each: {'; '.join(faults)}.")
    return out


def load_process_values(path: str | Path) -> dict[str, ProcessValue]:
    """Load process values from a TOML file; they may also stand under ``[process]``.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML, or with every fault at once.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("The metadata file is too large", where=str(path), mend="It is a page of TOML.")
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        because = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"The metadata file cannot be read: {because}", where=str(path), mend="Give the path of a TOML file."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The metadata are not TOML: {error}", where=str(path), mend="Mend that line."
        ) from error
    table = content["process"] if list(content) == ["process"] else content
    if not isinstance(table, Mapping):
        raise ConfigError(
            "[process] is no table", where=str(path), mend='Write [process] and name = "value unit".'
        )
    return process_values(table, where=str(path))


def compare_values(
    pairs: Iterable[tuple[Limit, DecisionRule]], values: Mapping[str, ProcessValue], *, needs_u: bool
) -> tuple[Finding, ...]:
    """Compare the values that were given with their limits; limits without a value are left out.

    Parameters
    ----------
    pairs : iterable of (Limit, DecisionRule)
    values : mapping of str to ProcessValue
        By `eis.spec.key_of` of the quantity.
    needs_u : bool
        Whether a value without uncertainty is NOT_RESOLVED under a rule with a guard band of k·u; otherwise it is
        compared by simple acceptance, and the finding says so.

    Raises
    ------
    ConfigError
        With every unit that does not fit, at once.
    """
    found, faults = [], []
    for limit, rule in pairs:
        if limit.quantity not in values:
            continue
        try:
            value, u = values[limit.quantity].in_unit(limit.unit)
        except ConfigError as error:
            faults.append(f"{error.where}: {error.what}, {error.mend}".rstrip("."))
            continue
        found.append(_compare(limit, rule, value, u, needs_u=needs_u))
    if len(faults) == 1:
        where, _, rest = faults[0].partition(": ")
        raise ConfigError("A process value does not fit its limit", where=where, mend=f"{rest}.")
    if faults:
        raise ConfigError("Process values do not fit their limits", where="metadata", mend=f"{'; '.join(faults)}.")
    return tuple(found)


def _compare(limit: Limit, rule: DecisionRule, value: float, u: float, *, needs_u: bool) -> Finding:
    simple = math.isnan(u) and (not needs_u or rule.name in ("simple", "fixed"))
    applied = DecisionRule("simple", rule.k) if simple and rule.name != "fixed" else rule
    known = 0.0 if simple else u
    model: Model = "normal" if limit.unit in TEMPERATURES else "auto"
    code = int(outcomes(value, known, applied, upper=limit.upper, lower=limit.lower, model=model))
    verdict = FOUR_WAY[code] if code >= 0 else Verdict.NOT_RESOLVED
    low, high = (
        acceptance_limit(edge, value, known, applied, model=model, sign=sign) if math.isfinite(edge) else math.nan
        for edge, sign in ((limit.lower, -1), (limit.upper, 1))
    )
    shown = f"{format_plain(value, u, k=rule.k)} {limit.unit}".rstrip()
    how = f"(k = {rule.k:g})" if not math.isnan(u) else "(no uncertainty given: simple acceptance)"
    if math.isnan(u):
        shown = f"{value:g} {limit.unit}".rstrip()
        how = how if simple else "(no uncertainty given)"
    told = limit.bound == "window" or verdict is Verdict.NOT_RESOLVED
    answer = f"{PLACE[verdict]} ({verdict})" if told else str(verdict)
    return Finding(
        quantity=limit.quantity,
        reading="direct",
        interfaces_in_path=1,
        value=value,
        u=u,
        unit=limit.unit,
        limit=limit.value,
        k=rule.k,
        p_conform=p_conform(value, u, limit.upper, lower=limit.lower, model=model),
        rule=applied.name,
        acceptance_limit=low if limit.bound == "lower" else high,
        verdict=verdict,
        because=f"{limit.quantity}: {shown} {how} against {limit.text}: {answer}",
        limit_text=limit.text,
        bound=limit.bound,
        lower_limit=limit.lower if limit.bound == "window" else math.nan,
        lower_acceptance_limit=low if limit.bound == "window" else math.nan,
    )
