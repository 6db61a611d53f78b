r"""How far pores are filled by mass, by geometry and by conductivity, with intervals, and whether they agree.

.. math:: f_{grav} = \frac{\Delta m}{\rho_f \varepsilon_0 V_0}, \quad
    f_{geo} = 1 - \frac{\varepsilon_1 V_1}{\varepsilon_0 V_0}, \quad
    f_{el}: \sigma_{EMT}(f) = \sigma_{after}

f_grav and f_el are the filler's volume over that of the pores there were; f_geo also counts pores that
densification has closed, so that f_geo − f_grav is the share of densification and not a second measurement. f_el
depends on the effective medium, which is calibrated on the unfilled sheet: there f_el = 0 whatever the model.
All inputs are drawn together for the intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eis.composition import Sheet, porosity, solid_volume_cm3, volume_cm3
from eis.errors import ConfigError
from eis.mixture_bounds import hashin_shtrikman_bounds
from eis.monte_carlo import DRAWS, LEVEL, Estimated, estimated, paired_draws, positive_draws
from eis.transport import (
    calibrated_threshold,
    effective_conductivity,
    fill_from_conductivity,
)
from eis.treatment import Mode, Treatment, porosity_after

RealArray = NDArray[np.float64]

TELLING = 0.35
"""Half width of the interval of a difference from which agreement says nothing."""
ROUNDING = 1e-9
OTHER_EXPONENTS = (1.0, 1.5, 2.0)
"""Exponents of the effective medium between which a model may be chosen."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a structural fill fraction and the electrical one are the same within their uncertainty.

    `verdict` is ``"agree"``, ``"disagree"``, or ``"undecided"`` where the interval is too wide to say.
    """

    structural: str
    difference: float
    low: float
    high: float
    verdict: str
    because: str


@dataclass(frozen=True, slots=True)
class Transport:
    """Ionic resistance of a sheet before and after, and the conductivities of what carries ions.

    Parameters
    ----------
    r_before_ohm, r_after_ohm : float
        Ionic resistance of the sheet (ohm).
    conductor : str
        Name of the component that conducts ions before the treatment.
    conductor_s_cm, filler_s_cm : float
        Conductivity of the pure conductor and of the filler at the temperature of the measurement (S/cm).
    u_r_before_ohm, u_r_after_ohm, u_conductor_s_cm, u_filler_s_cm : float
        Standard uncertainties.
    correlation : float
        Between the errors of the two resistances, which share area and fixture.
    exponent : tuple of float
        Range of the effective medium's exponent, all in it alike; (1, 1) is the symmetric medium, (1, 2) lets the
        interval hold what is not known about the model.

    Raises
    ------
    ConfigError
        With all that is not finite, has an impossible sign, or is no correlation.
    """

    r_before_ohm: float
    r_after_ohm: float
    conductor: str
    conductor_s_cm: float
    filler_s_cm: float
    u_r_before_ohm: float = 0.0
    u_r_after_ohm: float = 0.0
    u_conductor_s_cm: float = 0.0
    u_filler_s_cm: float = 0.0
    correlation: float = 0.0
    exponent: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        positive = ("r_before_ohm", "r_after_ohm", "conductor_s_cm", "filler_s_cm")
        faults = [f"{name} is {getattr(self, name):g}, not above 0" for name in positive if not _above(self, name)]
        spreads = ("u_r_before_ohm", "u_r_after_ohm", "u_conductor_s_cm", "u_filler_s_cm")
        faults += [
            f"{name} is {getattr(self, name):g}, not 0 or more"
            for name in spreads
            if not (0 <= getattr(self, name) < math.inf)
        ]
        if not -1 <= self.correlation <= 1:
            faults.append(f"correlation is {self.correlation:g}, not between −1 and 1")
        if not 0 < self.exponent[0] <= self.exponent[1] < math.inf:
            faults.append(f"exponent is {self.exponent}, no range above 0")
        if faults:
            raise ConfigError(
                "Wrong input: " + "; ".join(faults), where="transport", mend="Give what was measured."
            )


@dataclass(frozen=True, slots=True)
class FillFraction:
    """Everything known about how far the pores of one sheet are filled.

    Parameters
    ----------
    mode : {"infiltrated", "in_formulation"}
        In the second the three fractions are not defined, and `densification` is what there is.
    gravimetric, geometric, electrical : Estimated
        The three estimates.
    densification : Estimated
        Porosity before less porosity after.
    agreements : tuple of Agreement
        Each structural estimate with the electrical one.
    by_exponent : tuple of (float, float)
        f_el for other exponents of the effective medium, each calibrated on the unfilled sheet.
    inconsistencies : tuple of str
        What contradicts itself; no fraction is to be believed if there is anything.
    """

    mode: Mode
    gravimetric: Estimated
    geometric: Estimated
    electrical: Estimated
    densification: Estimated
    agreements: tuple[Agreement, ...]
    by_exponent: tuple[tuple[float, float], ...]
    inconsistencies: tuple[str, ...]

    @property
    def supports_filling(self) -> bool:
        """Whether filler in the pores is shown by structure and by conductivity, and nothing contradicts itself.

        What the heated control did is not looked at here.
        """
        structural = {"gravimetric": self.gravimetric, "geometric": self.geometric}
        shown = any(a.verdict == "agree" and structural[a.structural].low > 0 for a in self.agreements)
        return shown and self.electrical.low > 0 and not self.inconsistencies


def fill_fraction(
    treatment: Treatment,
    rng: np.random.Generator,
    *,
    transport: Transport | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> FillFraction:
    """Estimate how far the pores of a sheet are filled.

    Parameters
    ----------
    treatment : Treatment
        The sheet, its mode, and what became of mass and thickness.
    rng : numpy Generator
        Source of the draws; the same state gives the same intervals.
    transport : Transport, optional
        For the electrical estimate.
    draws : int
        How many.
    level : float
        Probability of the intervals.

    Raises
    ------
    ConfigError
        If `transport.conductor` is no component, there are fewer than 100 draws, or `level` is no probability.
    """
    if draws < 100 or not 0 < level < 1:
        raise ConfigError(
            f"{draws} draws at a level of {level:g} give no interval",
            where="fill fraction",
            mend="Take 100 draws or more and a level between 0 and 1.",
        )
    sheet = treatment.before
    if transport is not None and transport.conductor not in {solid.name for solid in sheet.solids}:
        raise ConfigError(
            f"The conductor {transport.conductor!r} is no component of the sheet",
            where="fill fraction",
            mend=f"Name one of {', '.join(solid.name for solid in sheet.solids)}.",
        )
    # The first column holds the inputs as they were measured, so that value and draws come from the same lines.
    x = _Inputs.draw(treatment, transport, rng, draws)
    names = ("gravimetric", "geometric")
    if treatment.mode == "infiltrated":
        found = {name: estimated(name, x.structural(name), level) for name in names}
    else:
        said = "not defined where the filler is in the sheet from the start: its mass stays"
        found = {name: Estimated(name, math.nan, because=said) for name in names}
    by_exponent: tuple[tuple[float, float], ...] = ()
    agreements: list[Agreement] = []
    if transport is None:
        electrical = Estimated("electrical", math.nan, because="no ionic resistance before and after was given")
    elif treatment.mode == "in_formulation":
        said = "not defined where melting moves filler between pores: the volume fractions stay"
        electrical = Estimated("electrical", math.nan, because=said)
    else:
        values = x.electrical(x.exponent)
        electrical = _electrical(values, x, level)
        by_exponent = tuple((t, float(x.electrical(np.array([t]))[0])) for t in OTHER_EXPONENTS)
        agreements = [
            _agreement(name, x.structural(name) - values, level) for name in names if electrical.is_known
        ]
    contradictions = [one.contradiction for one in (*found.values(), electrical) if one.contradiction]
    return FillFraction(
        treatment.mode,
        found["gravimetric"],
        found["geometric"],
        electrical,
        estimated("densification", x.before - x.after, level),
        tuple(agreements),
        by_exponent,
        (*treatment.inconsistencies, *contradictions),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Inputs:
    """Draws of everything, shape (1 + draws,), the first being what was measured; volumes in cm³."""

    area_cm2: RealArray
    t0_um: RealArray
    t1_um: RealArray
    gain_mg: RealArray
    rho_filler: RealArray
    before: RealArray
    after: RealArray
    phi: RealArray
    r0: RealArray
    r1: RealArray
    sigma_0: RealArray
    sigma_f: RealArray
    exponent: RealArray

    @classmethod
    def draw(
        cls, treatment: Treatment, transport: Transport | None, rng: np.random.Generator, draws: int
    ) -> _Inputs:
        sheet: Sheet = treatment.before
        area = positive_draws(rng, sheet.area_cm2, sheet.u_area_cm2, draws)
        t0 = positive_draws(rng, sheet.thickness_um, sheet.u_thickness_um, draws)
        mass = positive_draws(rng, sheet.mass_mg, sheet.u_mass_mg, draws)
        scale = positive_draws(rng, 1.0, sheet.u_density_relative, draws)
        rho = [scale * positive_draws(rng, one.density_g_cm3, one.u_density_g_cm3, draws) for one in sheet.solids]
        w = [one.mass_fraction for one in sheet.solids]
        specific = sum((wi / ri for wi, ri in zip(w, rho, strict=True)), np.zeros(1))
        t1 = positive_draws(rng, treatment.thickness_after_um, treatment.u_thickness_after_um, draws)
        gain = treatment.mass_gain_mg + treatment.u_mass_gain_mg * np.r_[0.0, rng.standard_normal(draws)]
        rho_f = positive_draws(rng, treatment.filler_density_g_cm3, treatment.u_filler_density_g_cm3, draws)
        before = porosity(mass, area, t0, 1 / specific)
        v0, v1 = volume_cm3(area, t0), volume_cm3(area, t1)
        after = porosity_after(before, v0, v1, gain, rho_f)
        nothing = np.full(draws + 1, math.nan)
        if transport is None:
            return cls(area, t0, t1, gain, rho_f, before, after, *(nothing,) * 6)
        named = zip(sheet.solids, rho, strict=True)
        conductor = [one.mass_fraction / r for one, r in named if one.name == transport.conductor]
        phi = mass * 1e-3 * sum(conductor, np.zeros(1)) / v0
        one, two = (
            (transport.r_before_ohm, transport.u_r_before_ohm),
            (transport.r_after_ohm, transport.u_r_after_ohm),
        )
        r0, r1 = paired_draws(rng, one, two, transport.correlation, draws)
        sigma_0 = positive_draws(rng, transport.conductor_s_cm, transport.u_conductor_s_cm, draws)
        sigma_f = positive_draws(rng, transport.filler_s_cm, transport.u_filler_s_cm, draws)
        low, high = transport.exponent
        exponent = np.r_[(low + high) / 2, rng.uniform(low, high, draws)]
        return cls(area, t0, t1, gain, rho_f, before, after, phi, r0, r1, sigma_0, sigma_f, exponent)

    def structural(self, name: str) -> RealArray:
        """Return the gravimetric or the geometric fraction, NaN where there are no pores to fill."""
        v0, v1 = volume_cm3(self.area_cm2, self.t0_um), volume_cm3(self.area_cm2, self.t1_um)
        pores = np.where(self.before > 0, self.before * v0, math.nan)
        if name == "gravimetric":
            return np.asarray(solid_volume_cm3(self.gain_mg, self.rho_filler) / pores)
        return np.asarray(1 - self.after * v1 / pores)

    def electrical(self, exponent: RealArray) -> RealArray:
        """Return the electrical fraction, NaN where the medium cannot be calibrated or there are no pores."""
        sigma_before = effective_conductivity(self.r0, self.area_cm2, self.t0_um)
        threshold = calibrated_threshold(sigma_before / self.sigma_0, self.phi, exponent=exponent)
        shrunk = self.t0_um / self.t1_um
        return fill_from_conductivity(
            effective_conductivity(self.r1, self.area_cm2, self.t1_um),
            conductor_fraction=self.phi * shrunk,
            void_fraction=np.where(self.before > 0, self.before * shrunk, math.nan),
            conductor_s_cm=self.sigma_0,
            filler_s_cm=self.sigma_f,
            threshold=threshold,
            exponent=exponent,
        )


def _electrical(values: RealArray, x: _Inputs, level: float) -> Estimated:
    found = estimated("electrical", values, level)
    if x.before[0] <= 0:
        return found  # without pores there is nothing to fill; the sheet says what contradicts itself
    before = float(effective_conductivity(x.r0[0], x.area_cm2[0], x.t0_um[0]))
    most = float(hashin_shtrikman_bounds([x.phi[0], 1 - x.phi[0]], [x.sigma_0[0], 0.0])[1])
    if before <= most:
        return found
    said = (
        f"the unfilled sheet conducts {before:.3g} S/cm, more than {most:.3g} S/cm, the most that "
        f"{100 * x.phi[0]:.0f} % of its conductor can give: resistance, conductivity or composition is wrong"
    )
    return Estimated("electrical", math.nan, level=level, because=said)


def _agreement(name: str, difference: RealArray, level: float) -> Agreement:
    one = estimated(f"{name} less electrical", difference, level)
    shown = f"{name} less electrical fraction is {one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
    if not one.is_known:
        return Agreement(name, math.nan, math.nan, math.nan, "undecided", one.because)
    if not one.low - ROUNDING <= 0 <= one.high + ROUNDING:
        return Agreement(name, one.value, one.low, one.high, "disagree", f"{shown}: they disagree")
    if (one.high - one.low) / 2 > TELLING:
        said = f"{shown}: too uncertain to tell whether they agree"
        return Agreement(name, one.value, one.low, one.high, "undecided", said)
    return Agreement(name, one.value, one.low, one.high, "agree", f"{shown}: they agree")


def _above(record: Transport, name: str) -> bool:
    value: float = getattr(record, name)
    return 0 < value < math.inf
