"""What could be measured: a cell, a circuit with the values to expect, a sweep, and how each would change them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from eis.cell import Cell
from eis.cramer_rao import Noise
from eis.errors import ConfigError
from fitting.circuit import RELAXATIONS, Circuit, Leaf, Node, Series, parse
from fitting.weights import ErrorStructure
from instruments.plan import Plan
from instruments.sweep import Sweep

ELECTROLYTE_HZ = 1e5
"""Arcs above this frequency (Hz) are taken for the electrolyte's, which every cell design has."""
LEADS = ("L", "La")
SHORTEST_S = 1e-30
"""A time constant (s) that is below this, or above its inverse, is a slip of the pen."""


@dataclass(frozen=True)
class Design:
    r"""One way to measure an interface.

    Parameters
    ----------
    name : str
        What it is called.
    circuit : str
        The circuit.
    values : tuple of float
        The values to expect, in circuit order and natural units.
    element : str
        The resistance that is the interface, e.g. ``"R2"``.
    cell : Cell
        With `interfaces_in_path`.
    sweep : Sweep
        Frequencies; its excitation is not used here.
    noise : float or ErrorStructure
        Of one sweep, per real and imaginary part: a fraction of \|Z\|, or its structure.
    repeats : int
        How many sweeps.
    known : tuple of str
        Parameters known beforehand, as an inductance from a shorted fixture.
    effort : int
        0 for settings, 1 for leads or averaging, 2 for another cell: what is recommended is the least.
    """

    name: str
    circuit: str
    values: tuple[float, ...]
    element: str
    cell: Cell
    sweep: Sweep
    noise: Noise = 1e-3
    repeats: int = 1
    known: tuple[str, ...] = ()
    effort: int = 0

    @property
    def parsed(self) -> Circuit:
        """The circuit as a tree."""
        return parse(self.circuit)

    def value(self, name: str) -> float:
        """Return the value to expect of a parameter."""
        return self.values[self.parsed.names.index(name)]

    @property
    def duration_s(self) -> float:
        """How long the sweeps will take (s), mains kept away from; settling of the cell is not in it."""
        return self.repeats * _duration_s(self.sweep)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        noise = self.noise.to_dict() if isinstance(self.noise, ErrorStructure) else self.noise
        return {
            "name": self.name,
            "circuit": self.circuit,
            "values": dict(zip(self.parsed.names, self.values, strict=True)),
            "element": self.element,
            "cell": self.cell.to_dict(),
            "start_hz": self.sweep.start_hz,
            "stop_hz": self.sweep.stop_hz,
            "points_per_decade": self.sweep.points_per_decade,
            "noise": noise,
            "repeats": self.repeats,
            "known": list(self.known),
            "duration_s": self.duration_s,
        }


@lru_cache(maxsize=256)
def _duration_s(sweep: Sweep) -> float:
    return Plan.of(sweep).duration_s


def arc_of(design: Design) -> tuple[float, float] | None:
    """Return time constant (s) and effective capacitance τ/R (F) of the interface's arc; None if it is no arc."""
    for arc in design.parsed.arcs:
        if arc.resistance == design.element:
            r, second = design.value(arc.resistance), design.value(arc.second)
            alpha = design.value(arc.exponent) if arc.exponent else 1.0
            tau = second if arc.kind == "zarc" else (r * second) ** min(1 / alpha, 1e3)
            if not (SHORTEST_S < tau < 1 / SHORTEST_S):
                raise ConfigError(
                    f"The arc of {arc.resistance} has a time constant of {tau:.3g} s",
                    where="values",
                    mend=f"Check {arc.resistance} and {arc.second}.",
                )
            return tau, tau / r
    return None


def with_resistance(design: Design, r_ohm: float) -> Design:
    """Return the design with another resistance of the interface and the same effective capacitance."""
    names, values = design.parsed.names, list(design.values)
    found = arc_of(design)
    values[names.index(design.element)] = r_ohm
    arc = next((arc for arc in design.parsed.arcs if arc.resistance == design.element), None)
    if arc is not None and found is not None and arc.kind != "capacitor":
        alpha = design.value(arc.exponent) if arc.exponent else 1.0
        tau = r_ohm * found[1]
        values[names.index(arc.second)] = tau if arc.kind == "zarc" else tau**alpha / r_ohm
    return replace(design, values=tuple(values))


def with_area(design: Design, factor: float) -> Design:
    """Return the design with `factor` times the area: all but the leads scales, the ASR stays what it is."""
    cell = replace(design.cell, area_cm2=design.cell.area_cm2 * factor, u_area_cm2=design.cell.u_area_cm2 * factor)
    kept = [(node, 1.0 if _is_lead(node) else 1 / factor) for node in _top(design.parsed)]
    size = f"{factor:.3g} times the" if factor >= 1 else f"1/{1 / factor:.3g} of the"
    return replace(_rebuilt(design, kept), name=f"{size} area", cell=cell, effort=2)


def with_electrodes(
    design: Design, kind: Literal["symmetric", "three-electrode"], others: tuple[str, ...] | None
) -> tuple[Design, tuple[str, ...]] | None:
    """Return the same interface in a symmetric cell or against a reference electrode, and what is left out there.

    Parameters
    ----------
    design : Design
        A cell with two different electrodes.
    kind : {"symmetric", "three-electrode"}
        With two such interfaces in the path, or one.
    others : tuple of str, optional
        Elements of the other electrode, e.g. ``("R2", "Wo1")``; without them all that is neither lead, series
        resistor, the interface, nor an arc above 100 kHz.

    Returns
    -------
    tuple or None
        The design and the names of the elements that are not in it; None if that changes nothing.
    """
    n = 2 if kind == "symmetric" else 1
    factor = n / (design.cell.interfaces_in_path or 1)
    kept: list[tuple[Node, float]] = []
    dropped: list[str] = []
    for node in _top(design.parsed):
        names = [leaf.name for leaf in _leaves(node)]
        if _holds(node, design.element):
            kept.append((node, factor))
        elif _is_other(design, node) if others is None else set(names) & set(others):
            dropped += names
        else:
            kept.append((node, 1.0))
    if factor == 1 and not dropped:
        return None
    cell = replace(design.cell, interfaces_in_path=n, kind="symmetric" if kind == "symmetric" else "half")
    built = _rebuilt(design, kept)
    known = tuple(name for name in design.known if name in built.parsed.names)
    name = "a symmetric cell" if kind == "symmetric" else "a reference electrode"
    return replace(built, name=name, cell=cell, known=known, effort=2), tuple(dropped)


def check_names(circuit: Circuit, names: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless each name is an element of the circuit."""
    elements = [leaf.name for leaf in circuit.leaves]
    for name in names:
        if name not in elements:
            raise ConfigError(
                f"The circuit has no element {name!r}",
                where="other electrode",
                mend=f"It has {', '.join(elements)}.",
            )


def _rebuilt(design: Design, kept: list[tuple[Node, float]]) -> Design:
    """Return the design with only these parts in series, each with its impedance times a factor."""
    circuit = Circuit(Series(tuple(node for node, _ in kept)) if len(kept) > 1 else kept[0][0])
    values = [
        _scaled(design.value(name), parameter.unit, factor)
        for node, factor in kept
        for leaf in _leaves(node)
        for name, parameter in zip(leaf.parameter_names, leaf.element.parameters, strict=True)
    ]
    return replace(design, circuit=str(circuit), values=tuple(values))


def _scaled(value: float, unit: str, factor: float) -> float:
    """Scale a parameter so that its element's impedance is `factor` times what it was."""
    if unit.startswith(("ohm", "H")):
        return value * factor
    return value / factor if unit.startswith(("F", "S")) else value


def _top(circuit: Circuit) -> tuple[Node, ...]:
    return circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)


def _leaves(node: Node) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [leaf for child in node.children for leaf in _leaves(child)]


def _holds(node: Node, element: str) -> bool:
    return any(element in (leaf.name, *leaf.parameter_names) for leaf in _leaves(node))


def _is_lead(node: Node) -> bool:
    return isinstance(node, Leaf) and node.letter in LEADS


def _is_other(design: Design, node: Node) -> bool:
    """Whether a part is taken for the other electrode's: an arc at most at 100 kHz, or a tail."""
    if isinstance(node, Leaf) and node.letter not in RELAXATIONS:
        return node.letter not in (*LEADS, "R")
    arcs = Circuit(node).arcs
    if not arcs:
        return any(leaf.letter not in (*LEADS, "R") for leaf in _leaves(node))
    found = arc_of(replace(design, element=arcs[0].resistance))
    return found is not None and 1 / (2 * math.pi * found[0]) <= ELECTROLYTE_HZ
