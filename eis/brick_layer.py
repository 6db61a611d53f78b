r"""Bulk and grain boundaries as bricks and mortar: conductivities, boundary resistance, permittivity.

.. math:: \sigma_b = \frac{l}{A R_b}, \quad \sigma_{gb,app} = \frac{l}{A R_{gb}}, \quad
    \frac{D}{\delta} = \frac{C_{gb}}{C_b}, \quad \sigma_{gb} = \sigma_{gb,app} \frac{\delta}{D}, \quad
    \mathrm{ASR}_{gb} = \frac{R_{gb} A D}{l}, \quad \varepsilon_r = \frac{C_b\, l}{\varepsilon_0 A}

with l the thickness and A the area of the electrolyte, D the size of its grains and δ the width of their
boundaries, both of one permittivity. It holds while σ_gb ≪ σ_b and boundaries are alike everywhere; otherwise the
current takes detours and there may be more arcs than two (Fleig, Maier, J. Eur. Ceram. Soc. 19 (1999) 693).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eis.assignment import assign_arcs
from eis.capacitance import EPSILON_0_F_CM, arc_shapes, propagate, tau_of
from eis.errors import ConfigError
from eis.fitted import Arc, Fit
from eis.interface import BULK, GRAIN_BOUNDARY
from eis.quantities import format_plain, format_si, format_uncertain
from eis.spectrum import Cell

PLAUSIBLE_EPS_R = (5.0, 30.0)
"""Relative permittivity of solid electrolytes; outside, C_b is that of cables and holder."""
MUCH_LESS = 0.1
"""σ_gb/σ_b from which the mortar no longer insulates."""
THIN_BOUNDARY = 10.0
"""D/δ below which there are no bricks with mortar between."""
LOW_PRESSURE_MPA = 10.0
"""Stack pressure below which collectors touch only in places."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard uncertainty and unit; NaN if the data do not hold it."""

    value: float
    u: float
    unit: str

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return "n/a"
        if not self.unit:
            return format_plain(self.value, self.u)
        return format_uncertain(self.value, self.u, self.unit)


@dataclass(frozen=True, slots=True)
class BrickLayer:
    """A solid electrolyte by the brick-layer model.

    Parameters
    ----------
    sigma_bulk, sigma_gb_apparent, sigma_gb, sigma_total : Estimate
        Conductivity of the bulk, of the boundaries as if they filled the pellet, of the boundaries themselves, and
        of both together (S/cm).
    grain_over_boundary : Estimate
        D/δ.
    asr_per_boundary : Estimate
        Area-specific resistance of one boundary (ohm cm²); needs the grain size.
    boundary_width : Estimate
        δ (cm); needs the grain size.
    eps_r : Estimate
        Relative permittivity of the bulk.
    warnings : tuple of str
        Where the model does not hold.
    """

    sigma_bulk: Estimate
    sigma_gb_apparent: Estimate
    sigma_gb: Estimate
    sigma_total: Estimate
    grain_over_boundary: Estimate
    asr_per_boundary: Estimate
    boundary_width: Estimate
    eps_r: Estimate
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = (
            ("σ bulk", self.sigma_bulk),
            ("σ boundaries, apparent", self.sigma_gb_apparent),
            ("σ boundaries, specific", self.sigma_gb),
            ("σ total", self.sigma_total),
            ("D/δ", self.grain_over_boundary),
            ("ASR of one boundary", self.asr_per_boundary),
            ("δ", self.boundary_width),
            ("ε_r", self.eps_r),
        )
        shown = [f"  {name:<24} {value}" for name, value in rows if math.isfinite(value.value)]
        return "\n".join(
            ["brick layer (± is U, k = 2)", *shown, *(f"  WARNING: {text}" for text in self.warnings)]
        )


def brick_layer(
    fit: Fit,
    cell: Cell,
    *,
    bulk: str | None = None,
    grain_boundary: str | None = None,
    grain_size_cm: float | None = None,
    u_grain_size_cm: float = 0.0,
) -> BrickLayer:
    """Return conductivities, boundary resistance and permittivity of the electrolyte in a cell.

    Parameters
    ----------
    fit : Fit
        With its covariance: what bulk and boundary share is taken into account.
    cell : Cell
        Area and thickness with their uncertainties.
    bulk, grain_boundary : str, optional
        Names of arcs; the bulk may also be a resistor in series, which has no capacitance. Without them, the arcs
        that `eis.assignment` gives these processes.
    grain_size_cm, u_grain_size_cm : float, optional
        D and its standard uncertainty (cm).

    Returns
    -------
    BrickLayer

    Raises
    ------
    ConfigError
        If the thickness is missing, the grain size is not a length, or no arc is the bulk or the boundary.
    """
    length = cell.thickness_cm
    if length is None:
        raise ConfigError("A conductivity needs the thickness", where="Cell", mend="Give thickness_cm.")
    if grain_size_cm is not None and not 0 < grain_size_cm < math.inf:
        raise ConfigError(
            f"grain_size_cm is {grain_size_cm:g}", mend="Give the size of a grain in cm, above zero."
        )
    if not 0 <= u_grain_size_cm < math.inf:
        raise ConfigError(f"u_grain_size_cm is {u_grain_size_cm:g}", mend="Give a number, zero or above.")
    first = _named(fit, bulk, "bulk", may_be_series=True) if bulk else _found(fit, cell, BULK)
    second = _named(fit, grain_boundary, "grain_boundary") if grain_boundary else _found(fit, cell, GRAIN_BOUNDARY)
    if first is None and second is None:
        raise ConfigError(
            f"No arc of {fit.circuit} is taken for bulk or grain boundary",
            where="brick layer",
            mend='Name one: bulk="R1", or bulk="R0" where only its resistance is seen.',
        )
    return _model(fit, cell, length, first, second, (grain_size_cm, u_grain_size_cm))


def _model(
    fit: Fit,
    cell: Cell,
    length: float,
    first: Arc | str | None,
    second: Arc | str | None,
    grain: tuple[float | None, float],
) -> BrickLayer:
    """Propagate fit, area, thickness and grain size together, as logarithms."""
    parts = [_names(arc) for arc in (first, second)]
    names = tuple(dict.fromkeys(name for part in parts for name in part))
    k = cell.unit_cell_factor

    def logs(*x: Any) -> list[Any]:
        value = dict(zip(names, x, strict=True))
        out = []
        for arc, part in zip((first, second), parts, strict=True):
            own = [value[name] for name in part]
            out.append(np.log(own[0] * k) if own else x[0] * math.nan)
            out.append(np.log(tau_of(arc, own) / own[0] / k) if isinstance(arc, Arc) else x[0] * math.nan)
        both = [part[0] for part in parts if part]
        out.append(np.log(sum(value[name] for name in both) * k) if len(both) == 2 else x[0] * math.nan)
        return out

    y, covariance = propagate(fit, names, logs)
    d, u_d = grain
    # the logarithms of R_b, C_b, R_gb, C_gb, R_b + R_gb, A, length, D
    center = np.array([*y, math.log(cell.area_cm2), math.log(length), math.log(d) if d else math.nan])
    spread = np.zeros((8, 8))
    spread[:5, :5] = covariance
    u_l = cell.u_thickness_cm or 0.0
    own = (cell.u_area_cm2 / cell.area_cm2, u_l / length, u_d / d if d else 0.0)
    spread[[5, 6, 7], [5, 6, 7]] = np.square(own)

    def estimate(unit: str, factor: float, **powers: float) -> Estimate:
        row = np.array([powers.get(name, 0.0) for name in ("Rb", "Cb", "Rgb", "Cgb", "R", "A", "l", "D")])
        used = row != 0
        value = factor * math.exp(float(row[used] @ center[used]))
        variance = float(row[used] @ spread[np.ix_(used, used)] @ row[used])
        return Estimate(value, value * math.sqrt(max(variance, 0.0)), unit)

    found = BrickLayer(
        sigma_bulk=estimate("S/cm", 1.0, l=1, A=-1, Rb=-1),
        sigma_gb_apparent=estimate("S/cm", 1.0, l=1, A=-1, Rgb=-1),
        sigma_gb=estimate("S/cm", 1.0, l=1, A=-1, Rgb=-1, Cb=1, Cgb=-1),
        sigma_total=estimate("S/cm", 1.0, l=1, A=-1, R=-1),
        grain_over_boundary=estimate("", 1.0, Cgb=1, Cb=-1),
        asr_per_boundary=estimate("Ω·cm²", 1.0, Rgb=1, A=1, D=1, l=-1),
        boundary_width=estimate("cm", 1.0, D=1, Cb=1, Cgb=-1),
        eps_r=estimate("", 1 / EPSILON_0_F_CM, Cb=1, l=1, A=-1),
    )
    return replace(found, warnings=_warn(found, cell, d))


def _warn(found: BrickLayer, cell: Cell, grain_size_cm: float | None) -> tuple[str, ...]:
    out = []
    eps, (low, high) = found.eps_r, PLAUSIBLE_EPS_R
    if math.isfinite(eps.value) and not low - 2 * eps.u <= eps.value <= high + 2 * eps.u:
        out.append(
            f"ε_r = {eps.value:.3g} is not {low:g} to {high:g}: the capacitance is that of cables or holder, or "
            "the arc is not the bulk; D/δ and the boundaries' own conductivity then mean nothing"
        )
    ratio = found.sigma_gb.value / found.sigma_bulk.value
    if ratio > MUCH_LESS:
        out.append(f"σ_gb/σ_b = {ratio:.2g} is not much below 1: the current crosses no mortar, the model fails")
    if found.grain_over_boundary.value < THIN_BOUNDARY:
        out.append(
            f"D/δ = {found.grain_over_boundary.value:.2g}: boundaries as thick as grains are no brick layer"
        )
    if grain_size_cm and cell.thickness_cm and grain_size_cm > cell.thickness_cm / 5:
        out.append(f"only {cell.thickness_cm / grain_size_cm:.2g} grains across the thickness")
    if cell.kind == "blocking" and cell.pressure_mpa is not None and cell.pressure_mpa < LOW_PRESSURE_MPA:
        out.append(
            f"at {cell.pressure_mpa:g} MPa the collectors may touch only in places and understate the "
            "conductivity, up to tenfold"
        )
    if not math.isfinite(found.sigma_gb_apparent.value):
        out.append(
            f"no grain boundary: {format_si(found.sigma_bulk.value, 'S/cm', digits=3)} is that of all in series"
        )
    return tuple(out)


def _names(arc: Arc | str | None) -> tuple[str, ...]:
    return () if arc is None else (arc,) if isinstance(arc, str) else arc.names


def _named(fit: Fit, name: str, what: str, *, may_be_series: bool = False) -> Arc | str:
    for arc in fit.arcs:
        if name in (arc.name, arc.resistance):
            return arc
    if may_be_series and name in fit.series_resistance:
        return name
    known = [arc.name for arc in fit.arcs] + (list(fit.series_resistance) if may_be_series else [])
    raise ConfigError(
        f"The circuit {fit.circuit} has no {name!r} that could be it",
        where=what,
        mend=f"It has {', '.join(known) or 'no arc'}.",
    )


def _found(fit: Fit, cell: Cell, process: str) -> Arc | None:
    shapes = arc_shapes(fit)
    assigned = assign_arcs(shapes, cell)
    sure = [(a.confidence, s.name) for a, s in zip(assigned, shapes, strict=True) if a.process == process]
    name = max(sure, default=(0.0, None))[1]
    return next((arc for arc in fit.arcs if arc.name == name), None)
