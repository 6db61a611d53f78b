"""Series over temperature, pressure, thickness and time: a law through the points, and its 95 % intervals.

Every law here is a straight line in the right coordinates: ln(σT) over 1/T, ln R over ln P, A·R over thickness,
R over √t. Points are weighted by their standard uncertainties; intervals are Student's, and are widened when the
points scatter more than their uncertainties say, which is told.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.constants import physical_constants

from eis.errors import ConfigError, SpectrumError
from eis.series_law import ZERO_C_IN_K, Arrhenius, Estimate, Form, Growth, PressureLaw, ThicknessLine, exp
from eis.series_points import Points, points_of
from eis.spectrum import RealArray
from eis.straight_line import StraightLine, bend, fit_line

BOLTZMANN_EV_PER_K = float(physical_constants["Boltzmann constant in eV/K"][0])
HOT_C = 200.0
"""Temperatures all above this (°C) are more likely in kelvin."""
LOW_PRESSURE_MPA = 10.0
"""Stack pressure (MPa) below which collectors that touch only here and there can hide most of a conductivity."""
EXPONENTS = (-1.5, 0.0)
"""A resistance whose pressure exponent is outside these is no contact that pressure improves."""
BENT = 4.0
"""Uncertainties of the curvature from which the points are said to bend."""
MATTERS = 0.02
"""Bend, as a fraction of the value, below which it does not matter."""
HOUR_S = 3600.0

Quantity = Literal["asr", "resistance", "conductivity"]
QUANTITIES: dict[Quantity, str] = {"asr": "Ω·cm²", "resistance": "Ω", "conductivity": "S/cm"}
FORMS: dict[Form, tuple[str, str, Quantity]] = {
    "sigma_t": ("σT = σ₀·exp(−E_a/kT)", "S·K/cm", "conductivity"),
    "sigma": ("σ = A·exp(−E_a/kT)", "S/cm", "conductivity"),
    "asr": ("1/ASR = A·exp(−E_a/kT)", "S/cm²", "asr"),
    "resistance": ("1/R = A·exp(−E_a/kT)", "S", "resistance"),
}
"""Each form of the Arrhenius law: the formula, the unit of its prefactor, what it is for."""


def arrhenius(
    temperature_c: ArrayLike,
    value: ArrayLike,
    *,
    form: Form = "sigma_t",
    u: ArrayLike | None = None,
    u_temperature_c: ArrayLike | None = None,
    hot: bool = False,
) -> Arrhenius:
    r"""Find the activation energy of a conductivity, an area-specific resistance or a resistance.

    .. math:: \sigma T = \sigma_0 e^{-E_a/kT}, \qquad \sigma = A\,e^{-E_a/kT}, \qquad
        \frac{1}{\mathrm{ASR}} = A\,e^{-E_a/kT}

    The first is that of hopping, and the usual one for solid electrolytes; its E_a is larger than that of the
    second by about k·T̄ (0.025 eV at room temperature).

    Parameters
    ----------
    temperature_c : array_like, shape (n,)
        Temperature (°C), at least two.
    value : array_like, shape (n,)
        σ (S/cm) for ``"sigma_t"`` and ``"sigma"``, ASR (Ω·cm²) for ``"asr"``, R (Ω) for ``"resistance"``.
    form : {"sigma_t", "sigma", "asr", "resistance"}
        Which law.
    u, u_temperature_c : array_like, optional
        Standard uncertainty of each value (in its unit) and temperature (°C), taken as independent.
    hot : bool
        Whether temperatures that are all above 200 °C are meant.

    Returns
    -------
    Arrhenius
        With ``E_a`` (eV) and ``prefactor``.

    Raises
    ------
    SpectrumError
        If the points are no series (see `eis.series_points.points_of`), or look like kelvin.
    ConfigError
        If there is no such form.
    """
    if form not in FORMS:
        raise ConfigError(f"There is no form {form!r}", where="arrhenius", mend=f"Choose {', '.join(FORMS)}.")
    law, unit, quantity = FORMS[form]
    points = points_of(
        "temperature_c",
        temperature_c,
        value,
        quantity=quantity,
        unit=QUANTITIES[quantity],
        u=u,
        u_x=u_temperature_c,
    )
    if not hot and points.x.min() > HOT_C:
        raise SpectrumError(
            f"All temperatures are above {HOT_C:g} °C ({points.x.min():g} to {points.x.max():g}): they look like "
            "kelvin",
            where="series",
            mend="Subtract 273.15, or say hot=True (--hot) if they are in °C.",
        )
    kelvin = points.x + ZERO_C_IN_K
    sign = 1.0 if quantity == "conductivity" else -1.0
    y = sign * np.log(points.value) + (np.log(kelvin) if form == "sigma_t" else 0.0)
    u_x = None if points.u_x is None else points.u_x / kelvin**2
    line = fit_line(1 / kelvin, y, _relative(points), u_x)
    energy = _estimate("E_a", -BOLTZMANN_EV_PER_K * line.slope, BOLTZMANN_EV_PER_K * line.u_slope, "eV", line)
    ends = (line.intercept - line.k * line.u_intercept, line.intercept + line.k * line.u_intercept)
    factor = exp(line.intercept)
    prefactor = Estimate("prefactor", factor, factor * line.u_intercept, exp(ends[0]), exp(ends[1]), unit)
    notes = _notes(
        points, line, bend(1 / kelvin, y, MATTERS, _relative(points)), "the activation energy is not constant"
    )
    if form in ("sigma_t", "sigma"):
        other: Form = "sigma" if form == "sigma_t" else "sigma_t"
        shift = np.log(kelvin) * (1.0 if form == "sigma" else -1.0)
        also = fit_line(1 / kelvin, y + shift, _relative(points), u_x)
        notes.append(f"by {FORMS[other][0]} it would be {-BOLTZMANN_EV_PER_K * also.slope:.4g} eV")
    return Arrhenius(law, points, line, (energy, prefactor), tuple(notes), form)


def pressure_law(
    pressure_mpa: ArrayLike,
    value: ArrayLike,
    *,
    quantity: Quantity = "asr",
    u: ArrayLike | None = None,
    u_pressure_mpa: ArrayLike | None = None,
) -> PressureLaw:
    r"""Find the pressure exponent m of a resistance (or conductivity).

    .. math:: R = R_1\,(P / 1\,\mathrm{MPa})^m

    Contacts that pressure improves have −1.5 < m < 0; about −0.5 was found for lithium on Li₆PS₅Cl
    (arXiv:2501.00600).

    Parameters
    ----------
    pressure_mpa : array_like, shape (n,)
        Stack pressure (MPa), above zero, at least two.
    value : array_like, shape (n,)
        ASR (Ω·cm²), R (Ω) or σ (S/cm), as `quantity` says.
    quantity : {"asr", "resistance", "conductivity"}
        What `value` is. A conductivity below 10 MPa is flagged: collectors that touch only in places understate
        it.
    u, u_pressure_mpa : array_like, optional
        Standard uncertainties.

    Returns
    -------
    PressureLaw
        With ``exponent`` and ``at 1 MPa``.

    Raises
    ------
    SpectrumError
        If the points are no series.
    ConfigError
        If there is no such quantity.
    """
    unit = _unit_of(quantity)
    points = points_of("pressure_mpa", pressure_mpa, value, quantity=quantity, unit=unit, u=u, u_x=u_pressure_mpa)
    x, y = np.log(points.x), np.log(points.value)
    u_x = None if points.u_x is None else points.u_x / points.x
    line = fit_line(x, y, _relative(points), u_x)
    exponent = _estimate("exponent", line.slope, line.u_slope, "", line)
    half = line.k * line.u_intercept
    one, low, high = (exp(line.intercept + shift) for shift in (0.0, -half, half))
    notes = _notes(
        points, line, bend(x, y, MATTERS, _relative(points)), "one exponent does not hold at all pressures"
    )
    if quantity != "conductivity":
        if exponent.value > EXPONENTS[1]:
            notes.append(f"WARNING: the exponent {exponent.value:.3g} is above 0: pressure makes this worse")
        elif exponent.value < EXPONENTS[0]:
            notes.append(f"WARNING: the exponent {exponent.value:.3g} is below −1.5: no contact law is that steep")
    elif points.x.min() < LOW_PRESSURE_MPA:
        count = int((points.x < LOW_PRESSURE_MPA).sum())
        notes.append(
            f"WARNING: {count} of the points, below {LOW_PRESSURE_MPA:g} MPa, may understate the conductivity up "
            "to tenfold, by collectors that touch only in places"
        )
    estimates = (exponent, Estimate("at 1 MPa", one, one * line.u_intercept, low, high, unit))
    return PressureLaw(
        f"{'σ' if quantity == 'conductivity' else 'R'} ∝ P^m", points, line, estimates, tuple(notes)
    )


def thickness_line(
    thickness_cm: ArrayLike,
    resistance_ohm: ArrayLike,
    *,
    area_cm2: ArrayLike,
    interfaces_in_path: int = 2,
    u: ArrayLike | None = None,
    u_thickness_cm: ArrayLike | None = None,
    u_area_cm2: float = 0.0,
) -> ThicknessLine:
    r"""Part interfaces from electrolyte by samples of several thicknesses.

    .. math:: A R = n\,\mathrm{ASR} + l/\sigma

    Parameters
    ----------
    thickness_cm : array_like, shape (n,)
        Thickness (cm), at least two.
    resistance_ohm : array_like, shape (n,)
        Total resistance (Ω) of each sample.
    area_cm2 : array_like, shape (n,) or a number
        Area (cm²) of each sample.
    interfaces_in_path : int
        How many alike interfaces the current crosses.
    u, u_thickness_cm : array_like, optional
        Standard uncertainty of each resistance (Ω) and thickness (cm); both enter the fit.
    u_area_cm2 : float
        Standard uncertainty of the area (cm²), common to all samples: it scales both results.

    Returns
    -------
    ThicknessLine
        With ``ASR`` of one interface (Ω·cm²) and ``conductivity`` (S/cm).

    Raises
    ------
    SpectrumError
        If the points are no series, or an area is not above zero.
    ConfigError
        If the number of interfaces is below one, or the uncertainty of the area no number.
    """
    if interfaces_in_path < 1 or not (math.isfinite(u_area_cm2) and u_area_cm2 >= 0):
        raise ConfigError(
            f"{interfaces_in_path} interfaces in the path and u_area_cm2 {u_area_cm2:g} do not describe a sample",
            where="thickness_line",
            mend="Give 1 or more interfaces, and a standard uncertainty of zero or above.",
        )
    resistance, area = np.broadcast_arrays(np.array(resistance_ohm, dtype=float), np.array(area_cm2, dtype=float))
    if not np.all(np.isfinite(area) & (area > 0)):
        raise SpectrumError("An area is not above zero", where="series", mend="Give areas in cm².")
    sizes = None if u is None else np.asarray(u, dtype=float) * area
    points = points_of(
        "thickness_cm", thickness_cm, resistance * area, quantity="A·R", unit="Ω·cm²", u=sizes, u_x=u_thickness_cm
    )
    line = fit_line(points.x, points.value, points.u, points.u_x)
    n, share = interfaces_in_path, u_area_cm2 / float(area.mean())
    asr = line.intercept / n
    interface = _estimate("ASR", asr, math.hypot(line.u_intercept / n, asr * share), "Ω·cm²", line)
    notes = _notes(
        points,
        line,
        bend(points.x, points.value, MATTERS * float(points.value.mean()), points.u),
        "the samples are not of one electrolyte",
    )
    if line.slope > 0:
        sigma = 1 / line.slope
        steep = line.slope + line.k * math.hypot(line.u_slope, line.slope * share)
        flat = line.slope - line.k * math.hypot(line.u_slope, line.slope * share)
        u_sigma = sigma * math.hypot(line.u_slope / line.slope, share)
        bulk = Estimate("conductivity", sigma, u_sigma, 1 / steep, 1 / flat if flat > 0 else math.inf, "S/cm")
    else:
        bulk = Estimate("conductivity", math.nan, math.nan, math.nan, math.nan, "S/cm")
        notes.append("WARNING: A·R does not grow with thickness, so there is no conductivity in these points")
    if interface.high < 0:
        notes.append(
            "WARNING: the intercept is below zero: areas, thicknesses or samples are not what they are said"
        )
    elif interface.low <= 0:
        notes.append(f"no interface is seen: its ASR is below {interface.high:.3g} Ω·cm² (97.5 %)")
    return ThicknessLine(f"A·R = {n}·ASR + l/σ", points, line, (interface, bulk), tuple(notes))


def growth(
    time_s: ArrayLike, value: ArrayLike, *, quantity: Quantity = "asr", u: ArrayLike | None = None
) -> Growth:
    r"""Find how a resistance drifts with the square root of time, as an interphase does that grows by diffusion.

    .. math:: R(t) = R_0 + k\sqrt{t}

    Parameters
    ----------
    time_s : array_like, shape (n,)
        Time since contact (s), zero or above, at least three different ones.
    value : array_like, shape (n,)
        ASR (Ω·cm²), R (Ω) or σ (S/cm), as `quantity` says.
    u : array_like, optional
        Standard uncertainties.

    Returns
    -------
    Growth
        With ``at t = 0`` and ``rate`` (per √h).

    Raises
    ------
    SpectrumError
        If the points are no series, or a time is negative.
    ConfigError
        If there is no such quantity.
    """
    unit = _unit_of(quantity)
    points = points_of("time_s", time_s, value, quantity=quantity, unit=unit, u=u, places=3)
    x = np.sqrt(points.x)
    line = fit_line(x, points.value, points.u)
    start = _estimate("at t = 0", line.intercept, line.u_intercept, unit, line)
    root = math.sqrt(HOUR_S)
    rate = _estimate("rate", line.slope * root, line.u_slope * root, f"{unit}/√h", line)
    notes = _notes(points, line, 0.0, "")
    if rate.low <= 0 <= rate.high:
        notes.append("no drift is seen: the rate's interval holds zero")
    straight = _misfit(points.x, points)
    if straight < 0.5 * _misfit(x, points) and len(points) > 3:
        notes.append("the points follow t itself better than √t: this is not growth by diffusion")
    return Growth("R = R₀ + k·√t", points, line, (start, rate), tuple(notes))


def _misfit(x: RealArray, points: Points) -> float:
    """Return the weighted sum of squares around a straight line over `x`."""
    w = np.ones(x.size) if points.u is None else 1 / points.u
    found = np.polynomial.Polynomial.fit(x, points.value, 1, w=w)
    return float(((w * (points.value - found(x))) ** 2).sum())


def _relative(points: Points) -> RealArray | None:
    return None if points.u is None else points.u / points.value


def _estimate(name: str, value: float, u: float, unit: str, line: StraightLine) -> Estimate:
    return Estimate(name, value, u, value - line.k * u, value + line.k * u, unit)


def _notes(points: Points, line: StraightLine, curvature: float, bent: str) -> list[str]:
    """Say where the intervals come from, and whether the points are a line at all."""
    notes = []
    nu = line.degrees_of_freedom
    if nu == 0:
        notes.append(
            "two points: nothing shows whether they are on the law"
            + ("; the interval is that of their uncertainties (k = 1.96)" if points.u is not None else "")
        )
    elif points.u is None and points.u_x is None:
        notes.append(f"no uncertainties given: intervals are from the scatter alone (Student's t, ν = {nu})")
    elif line.inflation > 1:
        notes.append(
            f"the points scatter {line.inflation:.2g} times as much as their uncertainties say; intervals are "
            f"widened by that (Student's t, ν = {nu})"
        )
    else:
        notes.append(f"the points scatter no more than their uncertainties say (Student's t, ν = {nu})")
    if abs(curvature) > BENT:
        notes.append(f"WARNING: the points bend ({abs(curvature):.1f} uncertainties): {bent}")
    return notes


def _unit_of(quantity: str) -> str:
    for name, unit in QUANTITIES.items():
        if name == quantity:
            return unit
    raise ConfigError(
        f"There is no quantity {quantity!r}", where="series", mend=f"Choose {', '.join(QUANTITIES)}."
    )
