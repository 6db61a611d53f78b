"""What a design can tell: its uncertainty against a limit, whether an arc is seen at all, and the risk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scipy.special import ndtr, ndtri

from eis.conformity import DecisionRule
from eis.cramer_rao import Bound, cramer_rao
from eis.designs import LEADS, Design, arc_of, with_resistance
from eis.errors import ConfigError
from eis.fitted import plain
from eis.judgement import Reading
from eis.quantities import format_si
from eis.units import Dimension, measure, read_quantity, split

UNITS: dict[Reading, str] = {"asr": "ohm cm2", "per_area": "ohm/cm2", "absolute": "ohm"}
SHOWN: dict[Reading, str] = {"asr": "Ω·cm²", "per_area": "Ω/cm²", "absolute": "Ω"}
RELATIVE, CORRELATED, MARGIN = 0.30, 0.98, 3.0
"""What makes an arc resolved: relative uncertainty, correlation with series R or L, distance to the ends."""
LOD, LOQ = 3.3, 10.0
"""Limits of detection and of quantification, in uncertainties of a blank."""
SURE = 0.95
"""Probability of a verdict from which a design is said to decide."""
ONE_SIDED = float(ndtri(SURE))
MOST_REPEATS = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """The limit a design is to decide about, how its unit is read, and the rule agreed before measuring.

    `value` is in Ω·cm², Ω/cm² or Ω, as `reading` says; `text` is the limit as it was written.
    """

    text: str
    value: float
    reading: Reading
    rule: DecisionRule = field(default_factory=DecisionRule)

    @classmethod
    def read(cls, text: str, *, reading: Reading | None = None, rule: DecisionRule | None = None) -> Target:
        """Read ``"3 mohm cm2"``; a limit in Ω/cm² needs its reading, for that unit is ambiguous.

        Raises
        ------
        ConfigError
            If it is not a number above zero with a unit of resistance, or the reading does not fit the unit.
        """
        number, unit = split(text, where="limit")
        _, dimension = measure(unit, where="limit", text=text)
        meant: dict[Dimension, Reading | None] = {
            measure(UNITS[one], where="limit", text=text)[1]: None if one == "per_area" else one for one in UNITS
        }
        if dimension not in meant or number <= 0:
            raise ConfigError(
                f"{text!r} is no limit of a resistance",
                where="limit",
                mend="Write a number above zero with its unit, e.g. '3 mohm cm2', '3 mohm/cm2' or '3 mohm'.",
            )
        only = meant[dimension]
        if only is None and reading is None:
            raise ConfigError(
                f"The unit of {text!r} can be read in several ways",
                where="reading",
                mend="Say reading asr (R·A), per_area (R/A) or absolute (R); nothing is chosen silently.",
            )
        if only is not None and reading not in (None, only):
            raise ConfigError(
                f"A limit in {unit} cannot be read as {reading}", where="reading", mend=f"Read it as {only}."
            )
        value = read_quantity(text, UNITS[only or "per_area"], where="limit")
        return cls(text, value, reading or only or "asr", rule or DecisionRule())

    def guard_band(self, u: float) -> float:
        """Return the width w of the guard band for a standard uncertainty `u`."""
        return float(self.rule.guard_band(u))

    def factor(self, design: Design) -> float:
        """Return what turns the resistance of the arc into the reading of one interface."""
        cell = design.cell
        one = cell.unit_cell_factor / (cell.interfaces_in_path or 1)
        return one * {"asr": cell.area_cm2, "per_area": 1 / cell.area_cm2, "absolute": 1.0}[self.reading]


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a design can tell at best, for random noise; systematic errors come on top.

    Parameters
    ----------
    design : Design
        What would be measured.
    target : Target
        The limit.
    bound : Bound
        Cramér–Rao bound of all parameters at the values to expect.
    value, u : float
        The quantity to expect and its standard uncertainty, area and fixture included (unit of the limit).
    u_at_limit, u_blank : float
        The same for an interface at the limit, with and without that of the area.
    frequency_hz : float
        Where the interface's arc peaks; NaN if it is no arc.
    because : tuple of str
        Why the interface would not be resolved; empty if it would.
    p_pass, p_fail : float
        Probabilities of the verdicts PASS and FAIL, if the interface is what is expected.
    repeats_needed : int or None
        Sweeps that would decide; None if 1000 would not.
    """

    design: Design
    target: Target
    bound: Bound
    value: float
    u: float
    u_at_limit: float
    u_blank: float
    frequency_hz: float
    because: tuple[str, ...]
    p_pass: float
    p_fail: float
    repeats_needed: int | None

    @property
    def relative(self) -> float:
        """Relative standard uncertainty of the arc's resistance, by the bound alone."""
        return self.bound.relative(self.design.element)

    @property
    def is_resolved(self) -> bool:
        """Whether the interface would be seen, and tell a value at the limit from zero."""
        return not self.because

    @property
    def p_decided(self) -> float:
        """Probability that the verdict will be PASS or FAIL."""
        return self.p_pass + self.p_fail

    @property
    def decides(self) -> bool:
        """Whether that is at least 95 %."""
        return self.p_decided >= SURE

    @property
    def lod(self) -> float:
        """Limit of detection, 3.3 uncertainties of a blank (unit of the limit)."""
        return LOD * self.u_blank

    @property
    def loq(self) -> float:
        """Limit of quantification, 10 uncertainties of a blank (unit of the limit)."""
        return LOQ * self.u_blank

    @property
    def undecided_zone(self) -> tuple[float, float]:
        """Between which true values neither PASS nor FAIL has 95 %: limit ± (w + 1.645 u)."""
        half = self.target.guard_band(self.u_at_limit) + ONE_SIDED * self.u_at_limit
        return self.target.value - half, self.target.value + half

    @property
    def consumers_risk(self) -> float:
        """Greatest probability that an interface that does not conform gets PASS: that of one at the limit."""
        u = self.u_at_limit
        return float(ndtr(-self.target.guard_band(u) / u)) if 0 < u < math.inf else math.nan

    @property
    def producers_risk(self) -> float:
        """Probability that an interface as expected does not get the verdict it deserves."""
        return 1 - (self.p_pass if self.value <= self.target.value else self.p_fail)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        names = ("value", "u", "u_at_limit", "frequency_hz", "p_pass", "p_fail", "p_decided", "lod", "loq")
        more = ("consumers_risk", "producers_risk")
        low, high = self.undecided_zone
        bounds = dict(zip(self.bound.names, self.bound.u.tolist(), strict=True))
        return {
            **self.design.to_dict(),
            "decides": self.decides,
            "relative_u": plain({"relative_u": self.relative})["relative_u"],
            **plain({name: getattr(self, name) for name in (*names, *more)}),
            "undecided_zone": plain({"from": low, "to": high}),
            "is_resolved": self.is_resolved,
            "because": list(self.because),
            "repeats_needed": self.repeats_needed,
            "bounds": plain(bounds),
        }


def look(design: Design, target: Target, *, u_fixture_ohm: float = 0.0) -> Outlook:
    """Return what a design can tell about a limit.

    Parameters
    ----------
    design : Design
        What would be measured.
    target : Target
        The limit and the rule.
    u_fixture_ohm : float
        Standard uncertainty (Ω) of the arc's resistance that repeats do not lessen, as a shorted fixture shows.

    Raises
    ------
    ConfigError
        If the design is not described rightly.
    """
    bound, blank = _bounds(design, target)
    factor = target.factor(design)
    value = design.value(design.element) * factor
    share = design.cell.u_area_cm2 / design.cell.area_cm2 * (target.reading != "absolute")
    noise, noise_blank, fixture = (
        one * factor for one in (bound.u_of(design.element), blank.u_of(design.element), u_fixture_ohm)
    )
    noise, noise_blank = (one if one == one else math.inf for one in (noise, noise_blank))

    def at(repeats: float) -> tuple[float, float, float, float, tuple[str, ...], float, float]:
        scatter, scatter_blank = noise / math.sqrt(repeats), noise_blank / math.sqrt(repeats)
        u_blank = math.hypot(scatter_blank, fixture)
        u = math.hypot(scatter, fixture, value * share)
        u_at_limit = math.hypot(u_blank, target.value * share)
        reasons = _unresolved(design, target, bound, math.hypot(scatter, fixture) / value, u_blank, value, u)
        p_pass, p_fail = _probabilities(target, value, u, resolved=not reasons)
        return value, u, u_at_limit, u_blank, reasons, p_pass, p_fail

    def decided(repeats: int) -> bool:
        return sum(at(repeats / design.repeats)[-2:]) >= SURE

    value, u, u_at_limit, u_blank, reasons, p_pass, p_fail = at(1.0)
    arc = arc_of(design)
    return Outlook(
        design=design,
        target=target,
        bound=bound,
        value=value,
        u=u,
        u_at_limit=u_at_limit,
        u_blank=u_blank,
        frequency_hz=1 / (2 * math.pi * arc[0]) if arc else math.nan,
        because=reasons,
        p_pass=p_pass,
        p_fail=p_fail,
        repeats_needed=_least(decided, MOST_REPEATS),
    )


def _least(holds: Callable[[int], bool], most: int) -> int | None:
    """Return the least number from 1 to `most` for which something holds (and for all above it), or None."""
    if not holds(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _bounds(design: Design, target: Target) -> tuple[Bound, Bound]:
    """Return the bounds at the values to expect, and for an interface at the limit with the same capacitance."""
    if design.element not in design.parsed.names:
        raise ConfigError(
            f"The circuit has no parameter {design.element!r}",
            where="element",
            mend=f"It has {', '.join(design.parsed.names)}.",
        )
    bound = _bound(design)  # says what is wrong with the values, if anything is
    return bound, _bound(with_resistance(design, target.value / target.factor(design)))


def _bound(design: Design) -> Bound:
    return cramer_rao(
        design.circuit,
        design.values,
        design.sweep.frequencies_hz,
        noise=design.noise,
        repeats=design.repeats,
        known=design.known,
    )


def _unresolved(
    design: Design, target: Target, bound: Bound, relative: float, u_blank: float, value: float, u: float
) -> tuple[str, ...]:
    """Return why the interface would not be resolved; none if it would."""
    name, reasons = design.element, []
    if not math.isfinite(relative):
        reasons.append(f"{name} would not be determined at all")
    elif relative > RELATIVE:
        reasons.append(f"the relative standard uncertainty of {name} would be {_percent(relative)} at best")
    arc = arc_of(design)
    low, high = MARGIN * design.sweep.stop_hz, design.sweep.start_hz / MARGIN
    if arc is not None and not low <= (f0 := 1 / (2 * math.pi * arc[0])) <= high:
        ends = f"{format_si(low, 'Hz', digits=3)} to {format_si(high, 'Hz', digits=3)}"
        reasons.append(
            f"its frequency {format_si(f0, 'Hz', digits=3)} lies outside {ends}, where an arc can be seen"
        )
    others = [*design.parsed.series_resistance]
    others += [n for leaf in design.parsed.leaves if leaf.letter in LEADS for n in leaf.parameter_names[:1]]
    for other in others:
        correlation = bound.correlation_of(name, other) if other != name else 0.0
        if abs(correlation) > CORRELATED:
            reasons.append(f"{name} cannot be told from {other} (correlation {correlation:+.3f})")
    if target.value < LOQ * u_blank and not value - target.guard_band(u) > target.value:
        shown = format_si(LOQ * u_blank, SHOWN[target.reading], digits=3)
        reasons.append(f"the limit of quantification, {shown}, is above the limit")
    return tuple(reasons)


def _probabilities(target: Target, value: float, u: float, *, resolved: bool) -> tuple[float, float]:
    """Return the probabilities of PASS and FAIL; what is not resolved can only pass, by its upper bound."""
    if not math.isfinite(u):
        return 0.0, 0.0
    if u == 0:
        return float(value <= target.value), float(value > target.value and resolved)
    if not resolved:
        reach = max(float(target.rule.bound_factor()) * u, target.guard_band(u))
        return float(ndtr((target.value - reach - value) / u)), 0.0
    w = target.guard_band(u)
    return float(ndtr((target.value - w - value) / u)), float(ndtr((value - target.value - w) / u))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2%}"
