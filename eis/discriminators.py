r"""What several spectra say together about the process of an arc: every comparison a likelihood and a sentence.

How the resistance of an arc follows what was changed is fitted over the series,

.. math:: \ln R = a + E_a \frac{1}{k_B T} + m \ln P + s\,\mathrm{SOC} + d \sqrt{t} + p \ln l + q \ln A

with as many terms as conditions that vary, and each slope compared with what is usual for a process: bulk and
grain boundaries grow with the thickness and do not know the state of charge; an electrode interface falls with
pressure, about as P^-0.5; an interphase grows with √t. No comparison alone rules a process out: one in twenty is
taken to mislead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from eis.assignment import (
    BLOCKING,
    BY_NAME,
    CONTACT,
    DIFFUSION,
    INTERFACE,
    NEGATIVE,
    NONE,
    POSITIVE,
    SURFACE_LAYER,
    Evidence,
    normalised,
    own_weights,
    possible,
)
from eis.capacitance import ArcShape
from eis.drt_record import Drt
from eis.equivalents import BOLTZMANN_EV, ZERO_C
from eis.errors import ConfigError
from eis.fitted import Fit
from eis.interface import BULK, GRAIN_BOUNDARY
from eis.quantities import format_plain, format_si
from eis.spectrum import Cell, RealArray

MISLEADS = 0.05
"""How often a comparison points the wrong way."""
SAME_CELL, OTHER_CELL = 0.02, 0.10
"""Scatter of ln R between spectra beyond their uncertainty: the same cell again, and another cell."""
SAME_TEMPERATURE_K = 2.0
TWIN_DECADES = (0.15, 0.25)
"""How well area-specific resistance and frequency of the same electrode agree between two cells (decades)."""
ANYWHERE = 1 / (4.0 * 6.0)
"""Density of an arc that may lie anywhere in 4 decades of resistance and 6 of frequency."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One spectrum of several: its fit, its cell, and what else was different.

    Parameters
    ----------
    fit : Fit or Drt
        What the spectrum holds.
    cell : Cell
        Temperature, pressure, area, thickness, kind and electrode stand here.
    soc_percent : float, optional
        State of charge (%).
    time_h : float, optional
        Time since assembly or since the first spectrum (h).

    Raises
    ------
    ConfigError
        If the state of charge is not a percentage or the time below zero.
    """

    fit: Fit | Drt
    cell: Cell
    soc_percent: float | None = None
    time_h: float | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.soc_percent is not None and not -10 <= self.soc_percent <= 110:
            faults.append(f"soc_percent is {self.soc_percent:g}; give a percentage")
        if self.time_h is not None and not 0 <= self.time_h < math.inf:
            faults.append(f"time_h is {self.time_h:g}; give hours, zero or above")
        if faults:
            raise ConfigError("The observation is not described rightly", mend="; ".join(faults))


@dataclass(frozen=True, slots=True)
class Discriminator:
    """One condition: how to read it, when it varies, and the slope that is usual for each process.

    `usual` holds mean and standard deviation by process; `span` is the range a slope may have at all.
    """

    name: str
    read: Callable[[Observation], float | None]
    varies: float
    symbol: str
    unit: str
    span: float
    usual: Mapping[str, tuple[float, float]]


def _kelvin(one: Observation) -> float | None:
    t = one.cell.temperature_c
    return None if t is None else 1 / (BOLTZMANN_EV * (t + ZERO_C))


def _log(value: float | None) -> float | None:
    return math.log(value) if value else None


_ENERGY = {name: (p.activation_ev, p.u_activation_ev) for name, p in BY_NAME.items()}
_EXPONENT = {name: (p.pressure_exponent, p.u_pressure_exponent) for name, p in BY_NAME.items()}
_STILL, _MOVES = (0.0, 0.1), (0.0, 1.5)
DISCRIMINATORS = (
    Discriminator("temperature", _kelvin, 0.3, "E_a", " eV", 2.0, _ENERGY),
    Discriminator("pressure", lambda o: _log(o.cell.pressure_mpa), 0.05, "pressure exponent", "", 3.0, _EXPONENT),
    Discriminator(
        "state of charge",
        lambda o: None if o.soc_percent is None else o.soc_percent / 100,
        0.02,
        "change of ln R over the whole charge",
        "",
        8.0,
        {
            BULK: _STILL,
            GRAIN_BOUNDARY: _STILL,
            CONTACT: _STILL,
            SURFACE_LAYER: (0.0, 0.3),
            NEGATIVE: (0.0, 0.3),
            POSITIVE: _MOVES,
            INTERFACE: _MOVES,
            DIFFUSION: _MOVES,
            BLOCKING: _STILL,
        },
    ),
    Discriminator(
        "time",
        lambda o: None if o.time_h is None else math.sqrt(o.time_h / 100),
        1e-3,
        "growth of ln R with √(t/100 h)",
        "",
        4.0,
        {
            BULK: (0.0, 0.05),
            GRAIN_BOUNDARY: (0.0, 0.05),
            CONTACT: (0.0, 0.2),
            SURFACE_LAYER: (0.4, 0.4),
            NEGATIVE: (0.2, 0.4),
            POSITIVE: (0.2, 0.4),
            INTERFACE: (0.2, 0.4),
            DIFFUSION: (0.0, 0.4),
            BLOCKING: (0.0, 0.4),
        },
    ),
    Discriminator(
        "thickness",
        lambda o: _log(o.cell.thickness_cm),
        0.05,
        "thickness exponent",
        "",
        3.0,
        {name: (1.0, 0.15) if name in (BULK, GRAIN_BOUNDARY) else (0.0, 0.15) for name in BY_NAME},
    ),
    Discriminator(
        "area",
        lambda o: _log(o.cell.area_cm2),
        0.05,
        "area exponent",
        "",
        3.0,
        {name: (-0.5, 0.5) if name == CONTACT else (-1.0, 0.15) for name in BY_NAME},
    ),
)


def evidence_of(
    observations: Sequence[Observation], shapes: Sequence[Sequence[ArcShape]]
) -> tuple[dict[str, list[Evidence]], ...]:
    """Return the evidence on every arc of every spectrum, by the arc's name.

    Parameters
    ----------
    observations : sequence of Observation
    shapes : sequence of sequence of ArcShape
        The arcs of each.
    """
    out: tuple[dict[str, list[Evidence]], ...] = tuple({} for _ in observations)
    kinds = [(one.cell.kind, one.cell.electrode) for one in observations]
    for kind in dict.fromkeys(kinds):
        members = [i for i, own in enumerate(kinds) if own == kind]
        for arc in _matched(members, observations, shapes):
            here = possible(observations[members[0]].cell)
            for evidence in _of_series(arc, observations, here):
                for i, shape in arc.items():
                    out[i].setdefault(shape.name, []).append(evidence)
            for i, shape in arc.items():
                if len(arc) > 1:
                    out[i].setdefault(shape.name, []).append(_shared(i, arc, observations))
    for i in range(len(observations)):
        for evidence, shape in _of_twins(i, observations, shapes):
            out[i].setdefault(shape.name, []).append(evidence)
    return out


def _matched(
    members: Sequence[int], observations: Sequence[Observation], shapes: Sequence[Sequence[ArcShape]]
) -> list[dict[int, ArcShape]]:
    """Return for every arc its shape in each spectrum that shows it."""
    told = {i: [shape for shape in shapes[i] if shape.capacitances] for i in members}
    reference = max(members, key=lambda i: len(told[i]))
    arcs: list[dict[int, ArcShape]] = [{reference: shape} for shape in told[reference]]
    place = _places(told[reference], observations[reference].cell)
    for i in members:
        if i == reference or not told[i]:
            continue
        here = _places(told[i], observations[i].cell)
        cost = (((place[:, None, :] - here[None, :, :]) / (0.5, 1.5)) ** 2).sum(axis=2)
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            arcs[row][i] = told[i][column]
    return [dict(sorted(arc.items())) for arc in arcs]


def _places(shapes: Sequence[ArcShape], cell: Cell) -> RealArray:
    """Return decimal logarithms of capacitance per area and frequency, shape (arcs, 2)."""
    return np.array([(math.log10(normalised(s, cell)[0]), math.log10(s.frequency_hz)) for s in shapes])


def _shared(i: int, arc: Mapping[int, ArcShape], observations: Sequence[Observation]) -> Evidence:
    """Put the mean over the series in the place of what one spectrum alone says of capacitance and frequency."""
    labels = possible(observations[i].cell)
    logs = {j: np.log(own_weights(shape, observations[j].cell, labels)) for j, shape in arc.items()}
    factors = np.exp(np.mean(list(logs.values()), axis=0) - logs[i])
    said = f"capacitance and frequency read over {len(arc)} spectra"
    return Evidence(dict(zip(labels, map(float, factors), strict=True)), said)


def _of_series(
    arc: Mapping[int, ArcShape], observations: Sequence[Observation], labels: Sequence[str]
) -> list[Evidence]:
    """Return what the slopes of one arc over its series say."""
    rows = list(arc)
    read = [(one, [one.read(observations[i]) for i in rows]) for one in DISCRIMINATORS]
    used = [
        (one, np.array(values, dtype=np.float64))
        for one, values in read
        if all(value is not None for value in values) and np.ptp(np.array(values, dtype=np.float64)) > one.varies
    ]
    if not used:
        return []
    names = " and ".join(one.name for one, _ in used)
    x = np.stack([values - values.mean() for _, values in used], axis=1)
    scaled = x / np.linalg.norm(x, axis=0)
    if len(rows) < len(used) + 1 or np.linalg.cond(scaled) > 30:
        return [Evidence({}, f"{names} change together in {len(rows)} spectra: what does what cannot be told")]
    cells = [observations[i].cell for i in rows]
    y = np.array([math.log(arc[i].r_ohm * observations[i].cell.unit_cell_factor) for i in rows])
    other = len({(cell.area_cm2, cell.thickness_cm) for cell in cells}) > 1
    noise = np.array([arc[i].u_r_ohm / arc[i].r_ohm for i in rows])
    sigma = np.hypot(noise, OTHER_CELL if other else SAME_CELL)
    design = np.column_stack([np.ones(len(rows)), x]) / sigma[:, None]
    covariance = np.linalg.inv(design.T @ design)
    found = covariance @ design.T @ (y / sigma)
    misfit, dof = float(np.sum((y / sigma - design @ found) ** 2)), len(rows) - len(used) - 1
    u = np.sqrt(np.diag(covariance) * max(1.0, misfit / dof if dof else 1.0))
    slopes = zip(used, found[1:].tolist(), u[1:].tolist(), strict=True)
    return [_weigh(one, slope, u_slope, len(rows), labels) for (one, _), slope, u_slope in slopes]


def _weigh(one: Discriminator, slope: float, u: float, n: int, labels: Sequence[str]) -> Evidence:
    """Compare a slope with what is usual for every process."""
    factors = dict.fromkeys(labels, 1 / one.span)
    for process in labels:
        if process not in one.usual:
            continue
        mean, sd = one.usual[process]
        spread = math.hypot(sd, u)
        bell = math.exp(-0.5 * ((slope - mean) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        factors[process] = (1 - MISLEADS) * bell + MISLEADS / one.span
    said = f"{one.symbol} {format_plain(slope, u)}{one.unit} (k = 2) over {n} spectra"
    return Evidence(factors, f"{said}: {_speaks(factors)}")


def _speaks(factors: Mapping[str, float]) -> str:
    """Say which processes a likelihood is for and against."""
    top = max(factors.values())
    strong = [process for process, factor in factors.items() if factor > 0.5 * top and process != NONE]
    weak = [process for process, factor in factors.items() if factor < 0.1 * top and process != NONE]
    told = "speaks for " + ", ".join(strong)
    return told + (", against " + ", ".join(weak) if weak else "")


def _of_twins(
    i: int, observations: Sequence[Observation], shapes: Sequence[Sequence[ArcShape]]
) -> list[tuple[Evidence, ArcShape]]:
    """Compare a cell of two electrodes with cells that hold one of them."""
    cell = observations[i].cell
    if cell.electrode is not None or cell.kind == "blocking":
        return []
    out = []
    for electrode in ("negative", "positive"):
        twins = [
            j
            for j, other in enumerate(observations)
            if other.cell.electrode == electrode and _alone(other.cell) and _as_warm(cell, other.cell)
        ]
        for j in twins:
            there = [shape for shape in shapes[j] if shape.capacitances]
            for shape in shapes[i]:
                if shape.capacitances and there:
                    out.append((_twin(shape, cell, there, observations[j].cell, len(twins)), shape))
    return out


def _alone(cell: Cell) -> bool:
    """Return whether a cell shows one electrode alone: symmetric, or a half cell with a reference."""
    return cell.kind == "symmetric" or (cell.kind == "half" and cell.interfaces_in_path == 1)


def _as_warm(one: Cell, other: Cell) -> bool:
    if one.temperature_c is None or other.temperature_c is None:
        return True
    return abs(one.temperature_c - other.temperature_c) <= SAME_TEMPERATURE_K


def _twin(shape: ArcShape, cell: Cell, there: Sequence[ArcShape], other: Cell, n_twins: int) -> Evidence:
    """Return whether an arc is found again, with the resistance every process would have there."""
    mine = f"{INTERFACE} ({other.electrode})"
    factors = dict.fromkeys((*BY_NAME, NONE), ANYWHERE)
    best, nearest = 0.0, there[0]
    n = other.interfaces_in_path or (2 if other.kind == "symmetric" else 1)
    asr = shape.r_ohm * cell.unit_cell_factor * cell.area_cm2
    for one in there:
        asr_there = one.r_ohm * other.unit_cell_factor * other.area_cm2
        apart_f = math.log10(shape.frequency_hz / one.frequency_hz)
        noise = math.hypot(shape.u_r_ohm / shape.r_ohm, one.u_r_ohm / one.r_ohm) / math.log(10)
        seen = _bell(math.log10(asr / (asr_there / n)), apart_f, noise)
        if seen >= best:
            best, nearest = seen, one
        if cell.thickness_cm and other.thickness_cm:
            ratio = asr / cell.thickness_cm / (asr_there / other.thickness_cm)
            for name in (BULK, GRAIN_BOUNDARY):
                factors[name] = max(factors[name], _bell(math.log10(ratio), apart_f, noise))
    factors[mine] = (1 - MISLEADS) * best + MISLEADS * ANYWHERE
    against = format_si(nearest.r_ohm * other.unit_cell_factor * other.area_cm2 / n, "Ω·cm²", digits=3)
    own = format_si(asr, "Ω·cm²", digits=3)
    where = f"the {other.kind} cell of the {other.electrode} electrode"
    if best > ANYWHERE:
        here, there_hz = (format_si(one.frequency_hz, "Hz", digits=3) for one in (shape, nearest))
        said = f"{own} at {here}: found again as {nearest.name} of {where} ({against} at {there_hz})"
    else:
        said = f"no arc of {where} has its area-specific resistance and frequency"
    return Evidence({name: factor ** (1 / n_twins) for name, factor in factors.items()}, said)


def _bell(apart_r: float, apart_f: float, noise: float) -> float:
    """Return the density of a twin that differs so many decades in resistance and in frequency."""
    s_r, s_f = math.hypot(TWIN_DECADES[0], noise), TWIN_DECADES[1]
    return math.exp(-0.5 * ((apart_r / s_r) ** 2 + (apart_f / s_f) ** 2)) / (2 * math.pi * s_r * s_f)
