r"""Which process an arc is: probabilities over all arcs of a spectrum at once, and what speaks for them.

Each process is known by where its capacitance and its frequency usually lie. Bulk and grain boundaries fill the
electrolyte, so their capacitance is compared per l/A = 1 cm⁻¹ (Irvine, Sinclair, West, Adv. Mater. 2 (1990) 132,
doi:10.1002/adma.19900020304); what sits at an electrode is compared per cm². Of all ways to give n arcs a process
each, every one has the weight

.. math:: \prod_i \pi_{L_i}\, p_{L_i}(\log C_i)\, p_{L_i}(\log f_i)\, e_i(L_i) \; \prod_{i<j} \kappa(L_i, L_j)

with π how often a process is met, p uniform over its usual range with Gaussian tails, e further evidence, and κ
small where the order of the time constants is wrong or a process is used twice. The probabilities are sums of
these weights: degrees of belief under the ranges printed in ``docs/assignment.md``, not counted frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy.special import ndtr

from eis.capacitance import ArcShape
from eis.equivalents import BOLTZMANN_EV, ROOM_C, ZERO_C
from eis.errors import ConfigError
from eis.interface import BULK, GRAIN_BOUNDARY, THROUGH
from eis.quantities import format_si
from eis.spectrum import Cell, RealArray

SURFACE_LAYER, CONTACT, DIFFUSION = "surface layer", "contact", "diffusion"
BLOCKING = "blocking electrode"
INTERFACE = "electrode interface"
NEGATIVE, POSITIVE = f"{INTERFACE} (negative)", f"{INTERFACE} (positive)"
BOTH = (NEGATIVE, POSITIVE)
NONE, AMBIGUOUS = "none of these", "ambiguous"
SURE = 0.6
"""Probability from which an arc is given a name rather than called ambiguous."""
UNKNOWN_THICKNESS = (0.02, 0.5)
"""Electrolyte thickness (cm) taken where none is stated, and the spread of its logarithm: 20 µm to 2 mm."""
WRONG_ORDER, TWICE = 1e-4, 0.1
MAX_ARCS = 6
"""Arcs assigned together; the ways to do it grow as 8 to this power."""


@dataclass(frozen=True, slots=True)
class Process:
    """Where a process is usually found at 25 °C.

    Parameters
    ----------
    name : str
    per_area : bool
        Whether its capacitance is compared per area (F/cm²) or per l/A (F/cm).
    log_c, log_f : (float, float)
        Decimal logarithms of the usual range of capacitance and frequency (Hz).
    soft_c, soft_f : float
        Standard deviation of the tails beyond (decades).
    prior : float
        How often it is met as an arc, relative to the others.
    rank : int
        Place in the order of time constants; equal ranks may stand either way.
    activation_ev, u_activation_ev : float
        Usual activation energy of its resistance (eV), for the shift of its frequency and for the budget.
    pressure_exponent, u_pressure_exponent : float
        R ∝ P^exponent.
    """

    name: str
    per_area: bool
    log_c: tuple[float, float]
    log_f: tuple[float, float]
    soft_c: float
    soft_f: float
    prior: float
    rank: int
    activation_ev: float
    u_activation_ev: float
    pressure_exponent: float
    u_pressure_exponent: float


_ELECTRODE = Process(INTERFACE, True, (-6.0, -2.5), (0.0, 4.5), 0.5, 0.7, 1.0, 3, 0.5, 0.15, -0.5, 0.3)
PROCESSES = (
    Process(BULK, False, (-12.36, -11.58), (6.0, 9.0), 0.25, 0.7, 1.0, 1, 0.35, 0.08, 0.0, 0.15),
    Process(GRAIN_BOUNDARY, False, (-11.0, -8.0), (4.0, 7.0), 0.4, 0.7, 1.0, 2, 0.40, 0.10, -0.2, 0.2),
    Process(SURFACE_LAYER, True, (-8.5, -6.0), (2.0, 5.0), 0.4, 0.7, 0.4, 3, 0.50, 0.15, -0.3, 0.3),
    _ELECTRODE,
    Process(NEGATIVE, True, *(_ELECTRODE.log_c, _ELECTRODE.log_f), 0.5, 0.7, 1.0, 3, 0.5, 0.15, -0.5, 0.3),
    Process(POSITIVE, True, *(_ELECTRODE.log_c, _ELECTRODE.log_f), 0.5, 0.7, 1.0, 3, 0.5, 0.15, -0.5, 0.3),
    Process(DIFFUSION, True, (-3.0, 1.0), (-4.0, 0.0), 0.5, 0.5, 0.5, 4, 0.5, 0.2, -0.2, 0.3),
    Process(CONTACT, True, (-7.5, -5.5), (4.0, 6.0), 0.4, 0.5, 0.15, 0, 0.1, 0.1, -0.7, 0.4),
    Process(BLOCKING, True, (-7.0, -4.5), (-3.0, 2.0), 0.5, 0.7, 0.5, 4, 0.5, 0.2, -0.3, 0.3),
)
BY_NAME = {process.name: process for process in PROCESSES}
UNUSUAL, DECADES = 0.01, 15.0
"""How often a process lies far from its usual range, and the decades of C and f there are."""
_ELSEWHERE = 0.05 / DECADES**2
"""Weight of none of these: met in one arc of twenty or so, anywhere."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What else speaks for or against the processes of one arc.

    Parameters
    ----------
    factors : mapping of str to float
        Likelihood of what was seen, by process; those not named keep 1.
    because : str
        What was seen, in words.
    """

    factors: Mapping[str, float]
    because: str


@dataclass(frozen=True, slots=True)
class Assigned:
    """The process of one arc, with its probabilities (likeliest first) and what speaks for it."""

    process: str
    confidence: float
    probabilities: tuple[tuple[str, float], ...] = ()
    evidence: tuple[str, ...] = field(default=())


def matches(process: str, wanted: str) -> bool:
    """Return whether an arc of `process` is one of the `wanted` process.

    "electrode interface" is any electrode's; "electrode interface (negative)" is also one of a cell that does not
    say which of its electrodes it holds. "ambiguous" matches nothing: ask `may_be`.
    """
    return process == wanted or process.startswith(f"{wanted} (") or (process == INTERFACE and wanted in BOTH)


def may_be(probabilities: Sequence[tuple[str, float]], wanted: str, *, at_least: float = 0.05) -> bool:
    """Return whether the processes matching `wanted` have a probability of `at_least` together."""
    return sum(p for process, p in probabilities if matches(process, wanted)) >= at_least


def possible(cell: Cell) -> tuple[str, ...]:
    """Return the processes a cell can show: no charge transfer where electrodes block, both electrodes if full."""
    if cell.kind == "blocking":
        return (BULK, GRAIN_BOUNDARY, SURFACE_LAYER, BLOCKING, CONTACT, NONE)
    if cell.kind == "full":
        electrodes: tuple[str, ...] = BOTH
    elif cell.electrode is not None:
        electrodes = (f"{INTERFACE} ({cell.electrode})",)
    else:
        electrodes = (INTERFACE,)
    return (BULK, GRAIN_BOUNDARY, SURFACE_LAYER, *electrodes, DIFFUSION, CONTACT, NONE)


def assign_arcs(
    shapes: Sequence[ArcShape],
    cell: Cell,
    *,
    assign: Mapping[str, str] | None = None,
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
) -> tuple[Assigned, ...]:
    """Give every arc of a spectrum its process, all together.

    Parameters
    ----------
    shapes : sequence of ArcShape
        In order of rising time constant; those without capacitance are called ambiguous.
    cell : Cell
        Its kind says which processes there can be, its area, thickness and temperature where they lie.
    assign : mapping of str to str, optional
        The user's word, process by name of the arc: it wins, and the other arcs are assigned around it.
    evidence : mapping of str to sequence of Evidence, optional
        By name of the arc.

    Returns
    -------
    tuple of Assigned
        One per shape. A process is named from a probability of 0.6, below that the arc is ambiguous.

    Raises
    ------
    ConfigError
        If `assign` names an arc or a process that does not exist.
    """
    assign = dict(assign or {})
    _require_known(assign, shapes)
    told = [i for i, shape in enumerate(shapes) if shape.capacitances]
    together = told if len(told) <= MAX_ARCS else []
    labels = tuple(dict.fromkeys((*possible(cell), *assign.values())))
    single = {i: _weights(shapes[i], cell, labels, assign, (evidence or {}).get(shapes[i].name, ())) for i in told}
    joint = _marginals([single[i] for i in together], labels) if together else [single[i] for i in told]
    shares = dict(zip(told, joint, strict=True))
    return tuple(
        _assigned(shape, shares.get(i), labels, cell, assign, evidence or {}, alone=not together)
        for i, shape in enumerate(shapes)
    )


def normalised(shape: ArcShape, cell: Cell) -> tuple[float, float]:
    """Return an arc's capacitance per area (F/cm², each interface) and per l/A (F/cm).

    Of a stack, that of one unit cell; without a thickness, for the one that is usual.
    """
    c = shape.c_f / cell.unit_cell_factor
    thickness = cell.thickness_cm or UNKNOWN_THICKNESS[0]
    return c * (cell.interfaces_in_path or 1) / cell.area_cm2, c * thickness / cell.area_cm2


def frequency_shift(process: Process, cell: Cell) -> tuple[float, float]:
    """Return by how many decades a process is slower than at 25 °C, and the spread of that.

    From its usual activation energy; a capacitance hardly changes with temperature.
    """
    per_ev = _decades_per_ev(cell)
    return process.activation_ev * per_ev, abs(process.u_activation_ev * per_ev)


def _decades_per_ev(cell: Cell) -> float:
    t = ZERO_C + (ROOM_C if cell.temperature_c is None else cell.temperature_c)
    return (1 / t - 1 / (ZERO_C + ROOM_C)) / (BOLTZMANN_EV * math.log(10))


def _density(x: RealArray, low: RealArray, high: RealArray, soft: RealArray) -> RealArray:
    """Return the density at `x` of a uniform range widened by a Gaussian of deviation `soft`, rarely far off."""
    inside = (ndtr((x - low) / soft) - ndtr((x - high) / soft)) / (high - low)
    return np.asarray((1 - UNUSUAL) * inside + UNUSUAL / DECADES)


def own_weights(shape: ArcShape, cell: Cell, labels: tuple[str, ...]) -> RealArray:
    """Return how likely each process is by an arc's own capacitance and frequency, shape (labels,).

    Not normalised; a process the cell cannot show has weight 0.
    """
    per_area, per_length = normalised(shape, cell)
    unsure = 0.0 if cell.thickness_cm else UNKNOWN_THICKNESS[1]
    u_c = shape.u_log_c if math.isfinite(shape.u_log_c) else 0.0
    u_f = shape.u_ln_tau / math.log(10) if math.isfinite(shape.u_ln_tau) else 0.0
    slower_per_ev = _decades_per_ev(cell)
    by_area, low_c, high_c, soft_c, low_f, high_f, soft_f, prior, ev, u_ev = _table(labels)
    on_area = by_area > 0
    c = np.where(on_area, math.log10(per_area), math.log10(per_length))
    f = math.log10(shape.frequency_hz) + ev * slower_per_ev
    soft_c = np.sqrt(soft_c**2 + u_c**2 + np.where(on_area, 0.0, unsure**2))
    soft_f = np.sqrt(soft_f**2 + u_f**2 + (u_ev * slower_per_ev) ** 2)
    weight: RealArray = prior * _density(c, low_c, high_c, soft_c) * _density(f, low_f, high_f, soft_f)
    here = possible(cell)
    weight[[label not in here for label in labels]] = 0.0  # another arc's, by the user's word
    weight[[label == NONE for label in labels]] = _ELSEWHERE
    return weight


def _weights(
    shape: ArcShape, cell: Cell, labels: tuple[str, ...], assign: Mapping[str, str], seen: Sequence[Evidence]
) -> RealArray:
    """Return the weight of every label for one arc, before the others are asked."""
    if shape.name in assign:
        return np.array([float(label == assign[shape.name]) for label in labels])
    weight = own_weights(shape, cell, labels)
    for one in seen:
        weight *= [one.factors.get(label, 1.0) for label in labels]
    return weight


@cache
def _table(labels: tuple[str, ...]) -> RealArray:
    """Return what is usual of every process as columns, shape (10, labels); that of none of these is not used."""
    rows = [BY_NAME.get(label, _ELECTRODE) for label in labels]
    return np.array(
        [
            (p.per_area, *p.log_c, p.soft_c, *p.log_f, p.soft_f, p.prior, p.activation_ev, p.u_activation_ev)
            for p in rows
        ]
    ).T


def _marginals(single: Sequence[RealArray], labels: tuple[str, ...]) -> list[RealArray]:
    """Return the probability of every label of every arc, the arcs in order of rising time constant."""
    n = len(single)
    weight = np.ones((1,) * n)
    for i, row in enumerate(single):
        top = float(row.max())
        weight = weight * _along(row / top if top > 0 else np.ones_like(row), i, n)
    pairs = _pairs(labels)
    for i in range(n):
        for j in range(i + 1, n):
            weight = weight * pairs.reshape([len(labels) if axis in (i, j) else 1 for axis in range(n)])
    out = []
    for i in range(n):
        shares = weight.sum(axis=tuple(axis for axis in range(n) if axis != i))
        out.append(shares / shares.sum())
    return out


def _along(row: RealArray, axis: int, n: int) -> RealArray:
    return row.reshape([-1 if other == axis else 1 for other in range(n)])


@cache
def _pairs(labels: tuple[str, ...]) -> RealArray:
    """Return κ, shape (labels, labels): the first arc is the faster one."""
    out = np.ones((len(labels), len(labels)))
    for a, first in enumerate(labels):
        for b, second in enumerate(labels):
            if first == second and first != NONE:
                out[a, b] = TWICE
            if NONE in (first, second):
                continue
            faster, slower = BY_NAME[first].rank, BY_NAME[second].rank
            if faster and slower and faster > slower:  # a contact may stand anywhere but behind diffusion
                out[a, b] = WRONG_ORDER
            if first in (DIFFUSION, BLOCKING) and second == CONTACT:
                out[a, b] = WRONG_ORDER
    return out


def _assigned(
    shape: ArcShape,
    shares: RealArray | None,
    labels: Sequence[str],
    cell: Cell,
    assign: Mapping[str, str],
    evidence: Mapping[str, Sequence[Evidence]],
    *,
    alone: bool,
) -> Assigned:
    if shares is None and shape.name in assign:
        return Assigned(assign[shape.name], 1.0, ((assign[shape.name], 1.0),), ("assigned by the user",))
    if shares is None:
        said = "its resistance is not determined, so neither are its capacitance and frequency"
        return Assigned(AMBIGUOUS, 0.0, evidence=(said,))
    shares = shares / max(float(shares.sum()), 1e-300)
    ranked = sorted(zip(labels, map(float, shares), strict=True), key=lambda pair: -pair[1])
    probabilities = tuple((label, p) for label, p in ranked if p >= 5e-4)
    lines = list(_where(shape, cell))
    if shape.name in assign:
        return Assigned(assign[shape.name], 1.0, probabilities, ("assigned by the user", *lines))
    lines += [one.because for one in evidence.get(shape.name, ())]
    lines.append("probability " + ", ".join(f"{label} {p:.0%}" for label, p in probabilities if p >= 0.005))
    lines += _caveats(probabilities, cell)
    if alone:
        lines.append(f"more than {MAX_ARCS} arcs: each was assigned by itself")
    best, confidence = ranked[0]
    process = best if confidence >= SURE and best != NONE else AMBIGUOUS
    return Assigned(process, confidence, probabilities, tuple(lines))


def _where(shape: ArcShape, cell: Cell) -> list[str]:
    """Say where an arc lies."""
    if not shape.capacitances:
        return []
    per_area, per_length = normalised(shape, cell)
    return [
        f"C per area {format_si(per_area, 'F/cm²', digits=3)}, per l/A {format_si(per_length, 'F/cm', digits=3)}, "
        f"f0 {format_si(shape.frequency_hz, 'Hz', digits=3)}"
    ]


def _caveats(probabilities: Sequence[tuple[str, float]], cell: Cell) -> list[str]:
    """Say what was assumed, and what no single spectrum can tell."""
    out = []
    if cell.thickness_cm is None:
        thickness = UNKNOWN_THICKNESS[0] * 10
        out.append(f"thickness not stated: {thickness:g} mm, give or take a factor 3, for this assignment alone")
    if cell.temperature_c is None:
        out.append(f"temperature not stated: {ROOM_C:g} °C taken for this assignment alone")
    if cell.kind is None:
        out.append("kind of cell not stated: blocking electrodes would have no charge-transfer arc")
    if cell.kind == "blocking":
        out.append("blocking electrodes have no charge-transfer arc")
    through = [p for process, p in probabilities if process in THROUGH]
    if sum(through) > SURE > max(through):
        out.append(
            f"bulk and grain boundary together {sum(through):.0%}: one arc may hold both of the electrolyte"
        )
    either = sum(p for process, p in probabilities if process in BOTH)
    if cell.kind == "full" and either > SURE > max(p for process, p in probabilities if process in BOTH):
        out.append(
            f"an electrode interface ({either:.0%}), but frequency and capacitance do not tell negative from "
            "positive: compare with a symmetric cell, or vary the state of charge"
        )
    if cell.kind == "half" and cell.interfaces_in_path != 1:
        out.append("a half cell without a reference electrode shows its counter electrode as well")
    return out


def _require_known(assign: Mapping[str, str], shapes: Sequence[ArcShape]) -> None:
    names = [shape.name for shape in shapes]
    for name, process in assign.items():
        if name not in names:
            known = ", ".join(names) or "no arc at all"
            raise ConfigError(f"There is no arc {name!r}", where="assign", mend=f"There is {known}.")
        if process not in BY_NAME:
            raise ConfigError(
                f"There is no process {process!r}", where=f"assign, {name}", mend=f"Choose {', '.join(BY_NAME)}."
            )
