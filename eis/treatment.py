r"""What a treatment did to an electrode sheet: mass gained, thickness and porosity after.

.. math:: \varepsilon_1 = 1 - \frac{(1 - \varepsilon_0) V_0 + \Delta m/\rho_f}{V_1}

with V = A t before and after, Δm the mass gained and ρ_f the density of what was gained. Two experiments differ in
their physics: in ``infiltrated`` the filler comes from outside, Δm > 0 and the porosity falls; in
``in_formulation`` it is a component from the start and only melts, Δm ≈ 0, so that at constant thickness the total
porosity stays and only its place changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from eis.composition import RealArray, Sheet, solid_volume_cm3, volume_cm3
from eis.errors import ConfigError
from eis.quantities import format_si

Mode = Literal["infiltrated", "in_formulation"]

CERTAIN = 2.0
"""Standard uncertainties from which a number on the wrong side of 0 is a contradiction and not noise."""


def porosity_after(
    porosity_before: ArrayLike,
    volume_before_cm3: ArrayLike,
    volume_after_cm3: ArrayLike,
    mass_gain_mg: ArrayLike,
    gain_density_g_cm3: ArrayLike,
) -> RealArray:
    r"""Return the porosity after a treatment, :math:`1 - [(1-\varepsilon_0) V_0 + \Delta m/\rho_f]/V_1`.

    Parameters
    ----------
    porosity_before, volume_before_cm3, volume_after_cm3 : array_like
        Porosity before, and volume of the sheet (cm³) before and after, as measured.
    mass_gain_mg, gain_density_g_cm3 : array_like
        Mass gained (mg), below 0 if lost, and the density of what was gained or lost (g/cm³).

    Returns
    -------
    ndarray
        Never clipped.
    """
    eps, v0, v1 = (np.asarray(x, dtype=np.float64) for x in (porosity_before, volume_before_cm3, volume_after_cm3))
    gained = solid_volume_cm3(mass_gain_mg, gain_density_g_cm3)
    return np.asarray(1 - ((1 - eps) * v0 + gained) / v1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What a treatment did to mass and thickness of a sheet.

    Parameters
    ----------
    before : Sheet
        The sheet before.
    mode : {"infiltrated", "in_formulation"}
        Whether the filler came from outside, or was a component from the start.
    thickness_after_um, mass_gain_mg : float
        Thickness after (µm) and mass after less mass before (mg).
    filler_density_g_cm3 : float
        Density of what was gained or lost (g/cm³): the filler's.
    u_thickness_after_um, u_mass_gain_mg, u_filler_density_g_cm3 : float
        Standard uncertainties. Both weighings of one balance: u(Δm) is √2 that of one.
    filler_mass_fraction : float, optional
        How much of the sheet is filler, in ``in_formulation``: more than that cannot get lost.

    Raises
    ------
    ConfigError
        If a value is not finite or has an impossible sign.
    """

    before: Sheet
    mode: Mode
    thickness_after_um: float
    mass_gain_mg: float
    filler_density_g_cm3: float
    u_thickness_after_um: float = 0.0
    u_mass_gain_mg: float = 0.0
    u_filler_density_g_cm3: float = 0.0
    filler_mass_fraction: float | None = None

    def __post_init__(self) -> None:
        positive = {
            "thickness_after_um": self.thickness_after_um,
            "filler_density_g_cm3": self.filler_density_g_cm3,
        }
        spreads = {
            "u_thickness_after_um": self.u_thickness_after_um,
            "u_mass_gain_mg": self.u_mass_gain_mg,
            "u_filler_density_g_cm3": self.u_filler_density_g_cm3,
        }
        faults = [f"{name} is {x:g}, not above 0" for name, x in positive.items() if not (0 < x < math.inf)]
        faults += [f"{name} is {x:g}, not 0 or more" for name, x in spreads.items() if not (0 <= x < math.inf)]
        if not math.isfinite(self.mass_gain_mg):
            faults.append(f"mass_gain_mg is {self.mass_gain_mg:g}")
        if self.mode not in ("infiltrated", "in_formulation"):
            faults.append(f"mode is {self.mode!r}, neither 'infiltrated' nor 'in_formulation'")
        if faults:
            raise ConfigError(
                "Wrong input: " + "; ".join(faults), where="treatment", mend="Give what was measured."
            )

    @property
    def volume_after_cm3(self) -> float:
        """Area times thickness after (cm³)."""
        return float(volume_cm3(self.before.area_cm2, self.thickness_after_um))

    @property
    def porosity_after(self) -> float:
        """Porosity after, from the measured mass and thickness; never clipped."""
        before = self.before
        volumes = before.volume_cm3, self.volume_after_cm3
        return float(porosity_after(before.porosity, *volumes, self.mass_gain_mg, self.filler_density_g_cm3))

    @property
    def u_porosity_after(self) -> float:
        """Its standard uncertainty, to first order."""
        return float(np.linalg.norm(self._sensitivities()[1]))

    @property
    def densification(self) -> float:
        """Porosity before less porosity after; above 0 if pores have gone."""
        return self.before.porosity - self.porosity_after

    @property
    def u_densification(self) -> float:
        """Its standard uncertainty, to first order: mass, area and densities are common to both porosities."""
        first, then = self._sensitivities()
        return float(np.linalg.norm(first - then))

    @property
    def inconsistencies(self) -> tuple[str, ...]:
        """What in these inputs contradicts itself or the mode, in words; empty if nothing does."""
        found = [*self.before.inconsistencies]
        if self.porosity_after < 0:
            found.append(
                f"the porosity after the treatment comes out as {self.porosity_after:.3f} ± "
                f"{2 * self.u_porosity_after:.3f} (k = 2), below 0"
            )
        gain, u = self.mass_gain_mg, self.u_mass_gain_mg
        shown = f"{format_si(abs(gain) * 1e-3, 'g', digits=3)}"
        if self.mode == "infiltrated" and gain < -CERTAIN * u:
            found.append(f"the sheet lost {shown}, though filler was brought in from outside")
        if self.mode == "in_formulation" and gain > CERTAIN * u:
            found.append(f"the sheet gained {shown}, though nothing was brought in from outside")
        if self.mode == "in_formulation" and self.filler_mass_fraction is not None:
            filler = self.filler_mass_fraction * self.before.mass_mg
            if -gain > filler + CERTAIN * u:
                found.append(f"the sheet lost {shown}, more than the {filler:.3g} mg of filler it held")
        return tuple(found)

    def _sensitivities(self) -> tuple[RealArray, RealArray]:
        """Return ∂ε/∂x·u(x) before and after for x = A, t₀, m, ρ, t₁, Δm, ρ_f."""
        sheet = self.before
        relative = np.array(
            [
                sheet.u_area_cm2 / sheet.area_cm2,
                sheet.u_thickness_um / sheet.thickness_um,
                sheet.u_mass_mg / sheet.mass_mg,
                sheet.u_true_density_g_cm3 / sheet.true_density_g_cm3,
                self.u_thickness_after_um / self.thickness_after_um,
            ]
        )
        solid = 1 - sheet.porosity
        kept = solid * sheet.volume_cm3 / self.volume_after_cm3
        per_mg = float(solid_volume_cm3(1.0, self.filler_density_g_cm3)) / self.volume_after_cm3
        gained = per_mg * self.mass_gain_mg
        u_filler = self.u_filler_density_g_cm3 / self.filler_density_g_cm3
        first = np.array([solid, solid, -solid, solid, 0.0]) * relative
        then = np.array([kept + gained, 0.0, -kept, kept, kept + gained]) * relative
        own = np.array([-per_mg * self.u_mass_gain_mg, gained * u_filler])
        return np.concatenate([first, [0.0, 0.0]]), np.concatenate([then, own])
