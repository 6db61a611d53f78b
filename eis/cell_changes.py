"""How each quantity of one cell changed: which arc or parameter it is before and after, and the ratio of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eis.comparison_records import (
    CHARGE_TRANSFER,
    ELECTRONIC,
    GRAIN_BOUNDARY,
    INTERFACE,
    IONIC,
    SERIES,
    Change,
    State,
)
from eis.effects import log_ratio
from eis.experiment import Experiment, ExperimentCell, Measured
from eis.matching import Match
from eis.results import Fit, Interface

SAME_TEMPERATURE_K, SAME_PRESSURE, SAME_SOC_PERCENT = 0.5, 0.1, 2.0
"""Differences between before and after that a comparison bears: a resistance changes by 4 to 8 % per kelvin."""
TWO_RAILS = ("TLMo", "TLMe", "TLMi")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a quantity comes from: the names of its arc, or of its parameter, before and after."""

    before: str
    after: str
    is_arc: bool


def incomparable(cell: ExperimentCell) -> str:
    """Return why the two spectra of a cell were measured in too different states; empty if they were not."""
    before, after = cell.before, cell.after
    if before is None or after is None:
        return f"there is no spectrum {'before' if before is None else 'after'}"
    t0, t1 = before.temperature_c, after.temperature_c
    if t0 is not None and t1 is not None and abs(t1 - t0) > SAME_TEMPERATURE_K:
        return f"it was measured at {t0:g} °C before and {t1:g} °C after"
    return unlike(before, after, "before", "after")


def unlike(one: Measured, two: Measured, when: str, then: str) -> str:
    """Return in which way two spectra of a cell differ in pressure or state of charge; empty if they do not."""
    p0, p1 = one.pressure_mpa, two.pressure_mpa
    if p0 is not None and p1 is not None and abs(p1 - p0) > SAME_PRESSURE * max(p0, p1):
        return f"it was measured at {p0:g} MPa {when} and {p1:g} MPa {then}"
    s0, s1 = one.soc_percent, two.soc_percent
    if s0 is not None and s1 is not None and abs(s1 - s0) > SAME_SOC_PERCENT:
        return f"it was measured at {s0:g} % charge {when} and {s1:g} % {then}"
    return ""


def changes_of(
    experiment: Experiment, cell: ExperimentCell, before: State, after: State, matches: Sequence[Match]
) -> tuple[list[Change], dict[str, Source], tuple[float, float] | None]:
    """Return the changes of one cell, and where each comes from; and ln of the ratio of its C with uncertainty.

    Parameters
    ----------
    experiment, cell : Experiment, ExperimentCell
        What the circuit's parameters mean; area and interfaces of the cell.
    before, after : State
        Its two states.
    matches : sequence of Match
        Which arc before is which after.

    Returns
    -------
    changes : list of Change
        One of each quantity the cell has, comparable or with the reason why not.
    sources : dict of str to Source
        Of those that have a counterpart after.
    capacitance : (float, float), optional
        ln(C after / C before) of the interface and its standard uncertainty.
    """
    wanted = experiment.quantities
    found: list[Change] = []
    sources: dict[str, Source] = {}
    capacitance: tuple[float, float] | None = None
    named_ct, is_parameter = wanted.charge_transfer, False
    if named_ct is None or named_ct not in {arc.name for arc in before.arcs}:
        named_ct, is_parameter = named_ct or _of_line(before.fit, faradaic=True), True
    arcs = [
        (INTERFACE, wanted.interface, "electrode interface"),
        (GRAIN_BOUNDARY, wanted.grain_boundary, "grain boundary"),
    ]
    if named_ct is not None and not is_parameter:
        arcs.append((CHARGE_TRANSFER, named_ct, ""))
    for quantity, named, process in arcs:
        match = _match_of(named, process, matches)
        if match is None or match.before is None:
            if named is not None:
                said = f"{named} is no arc of the circuit"
                found.append(Change(cell.id, cell.arm, quantity, *(math.nan,) * 6, because=said))
            continue
        factor = cell.area_cm2 / (cell.interfaces_in_path or 1) if quantity == INTERFACE else 1.0
        found.append(_arc_change(cell, quantity, match.before, match, factor))
        one, two = match.before, match.after
        if match.is_sure and two is not None:
            sources[quantity] = Source(one.name, two.name, is_arc=True)
            if quantity == INTERFACE:
                u = math.hypot(
                    _relative(one.u_capacitance_f, one.capacitance_f),
                    _relative(two.u_capacitance_f, two.capacitance_f),
                )
                capacitance = math.log(two.capacitance_f / one.capacitance_f), u
    ionic = wanted.ionic or next(
        (p.name for p in before.fit.parameters if p.name.startswith("TLM") and p.name.endswith("_0")), None
    )
    series = wanted.series or next(iter(before.fit.series_resistance), None)
    parameters = [(IONIC, ionic), (CHARGE_TRANSFER, named_ct if is_parameter else None), (SERIES, series)]
    if cell.direct_current.electronic_after_ohm is None:
        parameters.append((ELECTRONIC, wanted.electronic or _of_line(before.fit, faradaic=False)))
    for quantity, name in parameters:
        if name is not None:
            found.append(_parameter_change(cell, quantity, name, before.fit, after.fit))
            sources[quantity] = Source(name, name, is_arc=False)
    return found + direct_changes(cell), sources, capacitance


def direct_changes(cell: ExperimentCell) -> list[Change]:
    """Return the change of the electronic resistance by direct current, if it was measured."""
    current = cell.direct_current
    before, after, u = current.electronic_before_ohm, current.electronic_after_ohm, current.u_electronic_ohm
    if before is None or after is None:
        return []
    return [_change(cell, ELECTRONIC, (before, u), (after, u), "")]


def _of_line(fit: Fit, *, faradaic: bool) -> str | None:
    """Return the charge-transfer, or the electronic, resistance of a circuit's transmission line."""
    for p in fit.parameters:
        element, _, number = p.name.rpartition("_")
        letters = element.rstrip("0123456789")
        has_two = letters.startswith(TWO_RAILS)
        place = "2" if has_two and faradaic else "1"
        is_one = letters.endswith("F") if faradaic else has_two
        if letters.startswith("TLM") and is_one and number == place:
            return p.name
    return None


def _relative(u: float, value: float) -> float:
    return u / value if math.isfinite(u) and value > 0 else 0.0


def _match_of(named: str | None, process: str, matches: Sequence[Match]) -> Match | None:
    """Return the match of the arc a quantity is: by the user's name before, or the surest arc of the process."""
    known = [match for match in matches if match.before is not None]
    if named is not None:
        return next((match for match in known if match.before is not None and match.before.name == named), None)
    of_process = [m for m in known if m.before is not None and m.before.process.startswith(process)]
    return max(of_process, key=lambda m: m.before.confidence if m.before else 0.0, default=None)


def _arc_change(cell: ExperimentCell, quantity: str, before: Interface, match: Match, factor: float) -> Change:
    after = match.after
    values = (before.arc_resistance_ohm * factor, before.u_arc_resistance_ohm * factor)
    if after is None:
        return Change(cell.id, cell.arm, quantity, *values, *(math.nan,) * 4, because=match.because)
    then = (after.arc_resistance_ohm * factor, after.u_arc_resistance_ohm * factor)
    because = ""
    if not match.is_sure:
        because = f"which arc it is after is not certain (probability {match.probability:.2f})"
    for arc, when in ((before, "before"), (after, "after")):
        if not arc.resolved and not because:
            because = f"{arc.name} is not resolved {when}: {'; '.join(arc.because)}"
    return _change(cell, quantity, values, then, because)


def _parameter_change(cell: ExperimentCell, quantity: str, name: str, before: Fit, after: Fit) -> Change:
    known = {p.name for p in before.parameters} & {p.name for p in after.parameters}
    if name not in known:
        return Change(cell.id, cell.arm, quantity, *(math.nan,) * 6, because=f"the circuit has no {name}")
    values, then = ((fit[name].value, fit[name].u) for fit in (before, after))
    because = next(
        (
            f"{name} is not determined {when}: {fit[name].because or 'no uncertainty'}"
            for fit, when in ((before, "before"), (after, "after"))
            if not math.isfinite(fit[name].u)
        ),
        "",
    )
    return _change(cell, quantity, values, then, because)


def _change(
    cell: ExperimentCell, quantity: str, before: tuple[float, float], after: tuple[float, float], because: str
) -> Change:
    if not because and not (before[0] > 0 and after[0] > 0):
        because = "it is not above zero"
    if because:
        return Change(cell.id, cell.arm, quantity, *before, *after, math.nan, math.nan, because)
    d, u = log_ratio(before[0], before[1], after[0], after[1])  # area and fixture are the same, and cancel
    return Change(cell.id, cell.arm, quantity, *before, *after, float(d), float(u))
