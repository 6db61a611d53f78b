"""Before measuring: can this set-up decide, and if not, what would? By the Cramér–Rao bound, for every reading.

A bound is what a perfect fit of a perfect model would reach with random noise alone. "Cannot decide" is therefore
certain; "can decide" holds if the model and the fixture are what was said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eis import notebook
from eis.cell import Cell
from eis.cramer_rao import Noise
from eis.designs import Design, arc_of, check_names
from eis.errors import ConfigError
from eis.excitation_advice import Excitation, advise
from eis.outlook import ONE_SIDED, SHOWN, Outlook, Target, look
from eis.quantities import format_si
from eis.variations import AROUND, quieter, variations
from fitting.circuit import parse
from instruments.plan import format_duration
from instruments.sweep import Sweep

SWEEP = Sweep(1e6, 0.1, 10, amplitude_v=0.01)
MOST_POINTS = 5000
"""Points of a sweep beyond which it is a slip of the pen."""
WORSE = 1.1
"""By how much a shorter sweep may raise the bound of the interface."""
ORDINARY_HZ = 1e6
"""What potentiostats usually reach (Hz)."""
STEPS_PER_DECADE = 2
"""In how many steps a decade is left out when a shorter sweep is sought."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Whether a measurement as it is meant can decide, and what would.

    Parameters
    ----------
    target : Target
        The limit.
    asked : Outlook
        The measurement as it was described.
    alternatives : tuple of Outlook
        Others, each with one or several changes.
    recommended : Outlook or None
        The one with the least effort, then the shortest, that decides; None if none does.
    excitation : Excitation
        How large, and controlled by what.
    advice : tuple of str
        Leads, electrodes, what was supposed.
    """

    target: Target
    asked: Outlook
    alternatives: tuple[Outlook, ...]
    recommended: Outlook | None
    excitation: Excitation
    advice: tuple[str, ...]

    @property
    def decides(self) -> bool:
        """Whether the measurement as it was described decides."""
        return self.asked.decides

    @property
    def because(self) -> str:
        """The answer in one sentence."""
        chosen = self.recommended
        if self.decides:
            verdict = "PASS" if self.asked.p_pass > self.asked.p_fail else "FAIL"
            return f"It can decide: {verdict} with a probability of {_share(self.asked.p_decided)}."
        if chosen is None:
            return "Cannot decide, and neither can any of the designs tried."
        return f"Cannot decide as described; {chosen.design.name} could."

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return {
            "limit": self.target.text,
            "reading": self.target.reading,
            "limit_value": self.target.value,
            "unit": SHOWN[self.target.reading],
            "rule": self.target.rule.name,
            "k": self.target.rule.k,
            "decides": self.decides,
            "because": self.because,
            "asked": self.asked.to_dict(),
            "alternatives": [one.to_dict() for one in self.alternatives],
            "recommended": None if self.recommended is None else self.recommended.to_dict(),
            "excitation": self.excitation.to_dict(),
            "advice": list(self.advice),
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return the what-if table as words: design, relative u(R), U, LOQ, probabilities, duration, decides."""
        unit = SHOWN[self.target.reading]
        return [
            (
                one.design.name,
                f"{100 * one.relative:.3g} %" if math.isfinite(one.relative) else "n/a",
                format_si(self.target.rule.k * one.u, unit, digits=3),
                format_si(one.loq, unit, digits=3),
                _share(one.p_pass),
                _share(one.p_fail),
                format_duration(one.design.duration_s),
                "yes" if one.decides else "no",
            )
            for one in (self.asked, *self.alternatives)
        ]

    def __str__(self) -> str:
        one, unit, k = self.asked, SHOWN[self.target.reading], self.target.rule.k
        low, high = one.undecided_zone
        start = f"from {format_si(low, unit, digits=3)}" if low > 0 else "from zero"
        lines = [
            self.because,
            f"  limit: {self.target.text}, read as {self.target.reading}: {format_si(self.target.value, unit)}; "
            f"rule {self.target.rule.name}, k = {k:g}",
            f"  expected: {format_si(one.value, unit)}, U = {format_si(k * one.u, unit, digits=3)} "
            f"(k = {k:g}); LOD {format_si(one.lod, unit, digits=3)}, "
            f"LOQ {format_si(one.loq, unit, digits=3)}",
            f"  risk: an interface at the limit passes with {_share(one.consumers_risk)}; one as expected misses "
            f"its verdict with {_share(one.producers_risk)}",
            f"  true values {start} to {format_si(high, unit, digits=3)} have no sure verdict",
            *(f"  not resolved: {text}" for text in one.because),
        ]
        if not one.decides:
            count = one.repeats_needed
            lines.append(
                f"  repeats alone: {count} sweeps would decide ({_hours(count, one)})"
                if count is not None
                else "  repeats alone: not even 1000 sweeps would decide"
            )
        if self.recommended is not None:
            lines.append(f"  recommended: {_described(self.recommended)}, {self.excitation.short}")
        return "\n".join([*lines, *(f"  note: {text}" for text in (*self.excitation.because, *self.advice))])

    def _repr_html_(self) -> str:
        heading = ("design", "u(R)/R", "U", "LOQ", "P(PASS)", "P(FAIL)", "duration", "decides")
        text = "<br>".join(notebook.escape(line) for line in str(self).splitlines())
        return f"<p>{text}</p>{notebook.table(heading, self.rows())}"


def plan(
    cell: Cell,
    circuit: str,
    values: Sequence[float],
    target: Target,
    *,
    element: str | None = None,
    sweep: Sweep = SWEEP,
    noise: Noise = 1e-3,
    repeats: int = 1,
    known: Sequence[str] = (),
    others: Sequence[str] | None = None,
    u_fixture_ohm: float = 0.0,
    critical_a_per_cm2: float | None = None,
    capacity_ah: float | None = None,
) -> Forecast:
    """Say before measuring whether a set-up can decide about a limit, and what would.

    Parameters
    ----------
    cell : Cell
        With `interfaces_in_path`.
    circuit, values : str, sequence of float
        The circuit and the values to expect, in circuit order and natural units.
    target : Target
        The limit, its reading and the decision rule.
    element : str, optional
        The resistance that is the interface; needed if the circuit has several arcs.
    sweep : Sweep
        Frequencies; its excitation is not used.
    noise : float or ErrorStructure
        Standard deviation of real and imaginary part each, of one sweep.
    repeats : int
        How many sweeps.
    known : sequence of str
        Parameters known beforehand.
    others : sequence of str, optional
        Elements of the other electrode, which a symmetric cell or a reference electrode leaves out; see
        `eis.designs.with_electrodes` for what is taken otherwise.
    u_fixture_ohm : float
        Standard uncertainty of the arc's resistance that repeats do not lessen (Ω).
    critical_a_per_cm2, capacity_ah : float, optional
        Critical current density (A/cm²) and capacity (Ah): they limit the excitation.

    Returns
    -------
    Forecast

    Raises
    ------
    ConfigError
        If the cell does not state its interfaces, the element is unclear, or a number is not what it must be.
    CircuitError
        If the circuit is none, or the values are not one per parameter.
    """
    parsed = parse(circuit)
    _check(cell, u_fixture_ohm, sweep)
    name = _element(parsed.names, tuple(arc.resistance for arc in parsed.arcs), element)
    numbers = tuple(float(value) for value in values)
    asked = Design("as described", str(parsed), numbers, name, cell, sweep, noise, repeats, tuple(known))
    if others is not None:
        check_names(parsed, tuple(others))

    def judge(design: Design) -> Outlook:
        return look(design, target, u_fixture_ohm=u_fixture_ohm)

    first = judge(asked)  # finds what is wrong with the description
    designs, supposed = variations(
        asked, others=None if others is None else tuple(others), enough=first.repeats_needed
    )
    tried = [judge(design) for design in designs]
    if not any(one.decides for one in tried):
        closest = min(tried, key=lambda one: one.relative if math.isfinite(one.relative) else math.inf).design
        tried.append(judge(replace(quieter(closest), name=f"{closest.name}, a tenth of the noise")))
    able = [one for one in tried if one.decides]
    best = min(able, key=lambda one: (one.design.effort, one.design.duration_s)) if able else None
    chosen = first if first.decides else best
    shorter = _shorter(chosen, judge) if chosen is not None else None
    if shorter is not None:
        tried.append(shorter)
    excitation = advise((chosen or first).design, critical_a_per_cm2=critical_a_per_cm2, capacity_ah=capacity_ah)
    advice = [*_too_near(first), *supposed, *_leads(asked)]
    if chosen is not None and chosen.design.sweep.start_hz > ORDINARY_HZ:
        advice.append(f"{format_si(chosen.design.sweep.start_hz, 'Hz')} asks for an impedance analyser")
    return Forecast(target, first, tuple(tried), shorter or chosen, excitation, tuple(advice))


def _check(cell: Cell, u_fixture_ohm: float, sweep: Sweep) -> None:
    if sweep.n_points > MOST_POINTS:
        raise ConfigError(
            f"The sweep has {sweep.n_points} points", where="sweep", mend=f"Plan with {MOST_POINTS} or fewer."
        )
    if cell.interfaces_in_path is None:
        raise ConfigError(
            "The cell does not say how many interfaces are in the path",
            where="interfaces_in_path",
            mend="Give 2 for a symmetric cell, 1 otherwise; no default would be safe.",
        )
    if not (math.isfinite(u_fixture_ohm) and u_fixture_ohm >= 0):
        raise ConfigError(
            f"The fixture's uncertainty is {u_fixture_ohm:g} Ω", where="fixture", mend="Give zero or above."
        )


def _element(names: Sequence[str], arcs: Sequence[str], element: str | None) -> str:
    if element is None:
        if len(arcs) == 1:
            return arcs[0]
        raise ConfigError(
            f"The circuit has {len(arcs) or 'no'} arcs" if len(arcs) else "The circuit has no arc",
            where="element",
            mend=f"Say which resistance is the interface: {', '.join(arcs or names)}.",
        )
    if element not in names:
        raise ConfigError(
            f"The circuit has no parameter {element!r}", where="element", mend=f"It has {', '.join(names)}."
        )
    return element


def _shorter(outlook: Outlook, judge: Callable[[Design], Outlook]) -> Outlook | None:
    """Return the same with the highest stop frequency that still decides; None if that saves nothing."""
    design, best = outlook.design, None
    decades = math.log10(design.sweep.start_hz / design.sweep.stop_hz)
    for step in range(1, math.floor((decades - 1) * STEPS_PER_DECADE)):
        stop = float(f"{design.sweep.stop_hz * 10 ** (step / STEPS_PER_DECADE):.2g}")
        one = judge(
            replace(design, name=f"{design.name}, down to {format_si(stop, 'Hz')}",
                    sweep=replace(design.sweep, stop_hz=stop))
        )  # fmt: skip
        undetermined = set(one.bound.undetermined) - set(outlook.bound.undetermined)
        if not one.decides or undetermined or one.relative > WORSE * outlook.relative:
            break
        best = one
    return best


def _too_near(one: Outlook) -> list[str]:
    """Say if no measurement could decide, because the value to expect is as good as the limit."""
    cell, target = one.design.cell, one.target
    share = cell.u_area_cm2 / cell.area_cm2 * (target.reading != "absolute")
    u = one.value * share
    if abs(one.value - target.value) > target.guard_band(u) + ONE_SIDED * u:
        return []
    why = f"the area's uncertainty of {_share(share)} alone forbids a verdict" if share else "it is the limit"
    return [f"the value to expect is so near the limit that no measurement decides: {why}"]


def _leads(design: Design) -> list[str]:
    """Say where the leads hide the interface, and how they are to be laid."""
    notes = []
    r = design.value(design.element)
    arc = arc_of(design)
    inductors = [leaf.parameter_names[0] for leaf in design.parsed.leaves if leaf.letter == "L"]
    if not inductors:
        notes.append("the circuit has no inductance: leads have some 50 nH, so put L0 in it")
    for name in inductors:
        above = r / (2 * math.pi * design.value(name))
        if arc is not None and above < AROUND / (2 * math.pi * arc[0]) and above < design.sweep.start_hz:
            notes.append(
                f"ωL exceeds {design.element} above {format_si(above, 'Hz', digits=3)} ({name} = "
                f"{format_si(design.value(name), 'H', digits=3)}): lay the leads in Kelvin pairs, twisted or "
                "coaxial, and measure a short of the same geometry"
            )
    z = np.abs(design.parsed.impedance(2 * np.pi * design.sweep.frequencies_hz, design.values))
    if z.min() < 0.1:
        notes.append("|Z| falls below 0.1 Ω, where most instruments struggle: verify with a 1 mΩ standard")
    if r / z.max() < 1e-3:
        notes.append(
            f"{design.element} is {r / z.max():.1g} of |Z|: noise and errors are fractions of |Z|, so what is "
            "in series with it counts"
        )
    return notes


def _described(one: Outlook) -> str:
    """Return a design in a line: name, sweep, repeats, duration, and whether it would see the arc itself."""
    design, sweep = one.design, one.design.sweep
    ends = f"{format_si(sweep.start_hz, 'Hz', digits=3)} to {format_si(sweep.stop_hz, 'Hz', digits=3)}"
    count = f"{design.repeats} sweep{'s' if design.repeats > 1 else ''}"
    bound = "" if one.is_resolved else "; by its upper bound alone, for the arc itself would not be resolved"
    return (
        f"{design.name}: {ends}, {sweep.points_per_decade:g} per decade, {count}, "
        f"{format_duration(design.duration_s)}{bound}"
    )


def _hours(count: int, one: Outlook) -> str:
    return format_duration(count * one.design.duration_s / one.design.repeats)


def _share(p: float) -> str:
    if math.isnan(p):
        return "n/a"
    return "> 99.9 %" if p > 0.999 else "< 0.1 %" if p < 0.001 else f"{100 * p:.3g} %"
