r"""What an electrode sheet is made of: true density, porosity and volume fractions.

.. math:: \rho = \frac{1}{\sum_i w_i/\rho_i}, \quad \varepsilon = 1 - \frac{m}{A t \rho}, \quad
    \varphi_i = \frac{m w_i}{\rho_i A t}

with m the mass, w the mass fractions, A the area and t the thickness. What a treatment changes: `eis.treatment`.

A porosity below 0 says that mass, thickness and densities do not belong together. It is never clipped: functions
return it, `Sheet.inconsistencies` says it in words, and `Sheet.checked` raises it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import ConfigError

RealArray = NDArray[np.float64]

SUM_TOLERANCE = 0.005
"""How far mass fractions may add up to something else than 1: they are given to three digits."""


@dataclass(frozen=True, slots=True)
class Density:
    """A usual true density (g/cm³), the range in which samples are found, and where it comes from."""

    value_g_cm3: float
    low_g_cm3: float
    high_g_cm3: float
    source: str

    @property
    def u_g_cm3(self) -> float:
        """Standard uncertainty (g/cm³): half the range over √3, every density in it being as likely."""
        return (self.high_g_cm3 - self.low_g_cm3) / math.sqrt(12)


USUAL = "handbook value of the pure solid; a measured (pycnometer) density is better"
DENSITIES: dict[str, Density] = {
    "NCM": Density(4.7, 4.65, 4.8, f"Li(Ni,Co,Mn)O2: {USUAL}"),
    "LCO": Density(5.05, 5.0, 5.1, f"LiCoO2: {USUAL}"),
    "LFP": Density(3.6, 3.5, 3.65, f"LiFePO4: {USUAL}"),
    "LPSCl": Density(1.64, 1.6, 1.9, "Li6PS5Cl: pressed samples 1.6, crystal density 1.86 to 1.9"),
    "LLZO": Density(5.1, 5.0, 5.2, f"Li7La3Zr2O12 (doped): {USUAL}"),
    "graphite": Density(2.26, 2.2, 2.27, f"C: {USUAL}"),
    "Si": Density(2.33, 2.32, 2.34, f"Si: {USUAL}"),
    "carbon black": Density(1.9, 1.8, 2.0, f"C: {USUAL}"),
    "PTFE": Density(2.2, 2.1, 2.3, f"(C2F4)n, by crystallinity: {USUAL}"),
    "Li": Density(0.534, 0.53, 0.538, f"Li: {USUAL}"),
}
"""True densities taken where none is given, by the name of the component (case does not matter)."""
OTHER_NAMES = {
    "nmc": "NCM",
    "nmc811": "NCM",
    "ncm811": "NCM",
    "li6ps5cl": "LPSCl",
    "se": "LPSCl",
    "c": "carbon black",
}


def density_of(name: str) -> Density:
    """Return the usual true density of a known component.

    Raises
    ------
    ConfigError
        If the name is not known.
    """
    known = {key.lower(): value for key, value in DENSITIES.items()}
    lower = name.strip().lower()
    found = known.get(OTHER_NAMES.get(lower, lower).lower())
    if found is None:
        raise ConfigError(
            f"No usual density is known for {name!r}",
            where="composition",
            mend=f"Give density_g_cm3; usual ones are known for {', '.join(DENSITIES)}.",
        )
    return found


def true_density(mass_fractions: ArrayLike, densities_g_cm3: ArrayLike) -> RealArray:
    r"""Return the density of a mixture without pores, :math:`1/\sum_i (w_i/\rho_i)`.

    Parameters
    ----------
    mass_fractions, densities_g_cm3 : array_like, shape (..., components)
        Mass fractions, adding up to 1, and true densities (g/cm³).

    Returns
    -------
    ndarray, shape (...)
        In g/cm³; between the lightest and the densest component.
    """
    w, rho = np.asarray(mass_fractions, dtype=np.float64), np.asarray(densities_g_cm3, dtype=np.float64)
    return np.asarray(1 / (w / rho).sum(axis=-1), dtype=np.float64)


def porosity(
    mass_mg: ArrayLike, area_cm2: ArrayLike, thickness_um: ArrayLike, true_density_g_cm3: ArrayLike
) -> RealArray:
    r"""Return the fraction of pores, :math:`1 - m/(A t \rho)`; below 0 where the inputs contradict each other.

    Parameters
    ----------
    mass_mg, area_cm2, thickness_um, true_density_g_cm3 : array_like
        Of one shape, or broadcast: mass of the sheet without collector (mg), area (cm²), thickness (µm), density
        without pores (g/cm³).

    Returns
    -------
    ndarray
        At most 1, never clipped.
    """
    solid = solid_volume_cm3(mass_mg, true_density_g_cm3)
    return np.asarray(1 - solid / volume_cm3(area_cm2, thickness_um), dtype=np.float64)


def volume_fractions(
    mass_mg: float, area_cm2: float, thickness_um: float, mass_fractions: ArrayLike, densities_g_cm3: ArrayLike
) -> RealArray:
    r"""Return the fraction of the sheet's volume each component takes, :math:`m w_i/(\rho_i A t)`.

    Parameters
    ----------
    mass_mg, area_cm2, thickness_um : float
        Mass (mg), area (cm²) and thickness (µm) of the sheet.
    mass_fractions, densities_g_cm3 : array_like, shape (components,)
        Mass fractions and true densities (g/cm³).

    Returns
    -------
    ndarray, shape (components,)
        Together with the porosity they add up to 1.
    """
    w, rho = np.asarray(mass_fractions, dtype=np.float64), np.asarray(densities_g_cm3, dtype=np.float64)
    return np.asarray(mass_mg * 1e-3 * w / rho / volume_cm3(area_cm2, thickness_um), dtype=np.float64)


def volume_cm3(area_cm2: ArrayLike, thickness_um: ArrayLike) -> RealArray:
    """Return area (cm²) times thickness (µm) in cm³."""
    return np.asarray(np.asarray(area_cm2, dtype=np.float64) * np.asarray(thickness_um, dtype=np.float64) * 1e-4)


def solid_volume_cm3(mass_mg: ArrayLike, density_g_cm3: ArrayLike) -> RealArray:
    """Return the volume (cm³) a mass (mg) of a density (g/cm³) takes without pores."""
    return np.asarray(np.asarray(mass_mg, dtype=np.float64) * 1e-3 / np.asarray(density_g_cm3, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Solid:
    """One component: its mass fraction and true density (g/cm³) with standard uncertainty."""

    name: str
    mass_fraction: float
    density_g_cm3: float
    u_density_g_cm3: float = 0.0

    @classmethod
    def usual(cls, name: str, mass_fraction: float) -> Solid:
        """Return a known component with its usual density and the uncertainty of that.

        Raises
        ------
        ConfigError
            If the name is not known.
        """
        density = density_of(name)
        return cls(name, mass_fraction, density.value_g_cm3, density.u_g_cm3)


@dataclass(frozen=True, slots=True)
class Sheet:
    r"""An electrode sheet: mass, area, thickness and composition, each with its standard uncertainty.

    .. math:: u(\varepsilon) = (1 - \varepsilon) \sqrt{u_r^2(t) + u_r^2(m) + u_r^2(A) + u_r^2(\rho)}

    Parameters
    ----------
    mass_mg, area_cm2, thickness_um : float
        Of the sheet without its collector (mg, cm², µm).
    solids : tuple of Solid
        The components; their mass fractions add up to 1.
    u_mass_mg, u_area_cm2, u_thickness_um : float
        Standard uncertainties.
    u_density_relative : float
        Relative standard uncertainty of the true density as a whole, besides those of the components.

    Raises
    ------
    ConfigError
        If a value is not finite or not above 0, an uncertainty is below 0, or the fractions do not add up to 1;
        all faults at once.
    """

    mass_mg: float
    area_cm2: float
    thickness_um: float
    solids: tuple[Solid, ...]
    u_mass_mg: float = 0.0
    u_area_cm2: float = 0.0
    u_thickness_um: float = 0.0
    u_density_relative: float = 0.0

    def __post_init__(self) -> None:
        positive = {"mass_mg": self.mass_mg, "area_cm2": self.area_cm2, "thickness_um": self.thickness_um}
        positive |= {f"density_g_cm3 of {solid.name}": solid.density_g_cm3 for solid in self.solids}
        not_negative = {
            "u_mass_mg": self.u_mass_mg,
            "u_area_cm2": self.u_area_cm2,
            "u_thickness_um": self.u_thickness_um,
            "u_density_relative": self.u_density_relative,
            **{f"u_density_g_cm3 of {solid.name}": solid.u_density_g_cm3 for solid in self.solids},
            **{f"mass_fraction of {solid.name}": solid.mass_fraction for solid in self.solids},
        }
        faults = [f"{name} is {x:g}, not above 0" for name, x in positive.items() if not (0 < x < math.inf)]
        faults += [
            f"{name} is {x:g}, not 0 or more" for name, x in not_negative.items() if not (0 <= x < math.inf)
        ]
        total = sum(solid.mass_fraction for solid in self.solids)
        if not abs(total - 1) <= SUM_TOLERANCE:
            faults.append(f"the mass fractions add up to {total:g}, not 1 (they are no percentages)")
        if faults:
            raise ConfigError("Wrong input: " + "; ".join(faults), where="sheet", mend="Give what was measured.")

    @property
    def true_density_g_cm3(self) -> float:
        """Density without pores (g/cm³)."""
        return float(true_density(self._w, self._rho))

    @property
    def u_true_density_g_cm3(self) -> float:
        """Its standard uncertainty (g/cm³), the densities of the components being independent."""
        relative = np.array([solid.u_density_g_cm3 / solid.density_g_cm3 for solid in self.solids])
        share = self._w / self._rho * self.true_density_g_cm3  # of the solid volume
        return self.true_density_g_cm3 * math.hypot(
            self.u_density_relative, float(np.linalg.norm(share * relative))
        )

    @property
    def apparent_density_g_cm3(self) -> float:
        """Mass over volume, pores included (g/cm³)."""
        return self.mass_mg * 1e-3 / self.volume_cm3

    @property
    def volume_cm3(self) -> float:
        """Area times thickness (cm³)."""
        return float(volume_cm3(self.area_cm2, self.thickness_um))

    @property
    def porosity(self) -> float:
        """Fraction of pores; below 0 where the inputs contradict each other."""
        return float(porosity(self.mass_mg, self.area_cm2, self.thickness_um, self.true_density_g_cm3))

    @property
    def u_porosity(self) -> float:
        """Its standard uncertainty, to first order."""
        relative = (
            self.u_thickness_um / self.thickness_um,
            self.u_mass_mg / self.mass_mg,
            self.u_area_cm2 / self.area_cm2,
            self.u_true_density_g_cm3 / self.true_density_g_cm3,
        )
        return (1 - self.porosity) * math.hypot(*relative)

    @property
    def volume_fractions(self) -> dict[str, float]:
        """Fraction of the volume of each component by its name, of those of one name together."""
        found = volume_fractions(self.mass_mg, self.area_cm2, self.thickness_um, self._w, self._rho)
        total: dict[str, float] = {}
        for solid, fraction in zip(self.solids, found.tolist(), strict=True):
            total[solid.name] = total.get(solid.name, 0.0) + fraction
        return total

    @property
    def inconsistencies(self) -> tuple[str, ...]:
        """What in these inputs contradicts itself, in words; empty if nothing does."""
        if self.porosity >= 0:
            return ()
        size = -self.porosity / self.u_porosity if self.u_porosity > 0 else math.inf
        beyond = f"{size:.1f} standard uncertainties below 0" if math.isfinite(size) else "without an uncertainty"
        return (
            f"the porosity comes out as {self.porosity:.3f} ({beyond}): the sheet would be denser "
            f"({self.apparent_density_g_cm3:.3f} g/cm³) than its solids ({self.true_density_g_cm3:.3f} g/cm³)",
        )

    def checked(self) -> Sheet:
        """Return the sheet itself, if nothing in it contradicts itself.

        Raises
        ------
        ConfigError
            With every contradiction.
        """
        if self.inconsistencies:
            raise ConfigError(
                "The inputs contradict each other: " + "; ".join(self.inconsistencies),
                where="sheet",
                mend="Check mass (without collector), thickness, area and the true densities.",
            )
        return self

    @property
    def _w(self) -> RealArray:
        return np.array([solid.mass_fraction for solid in self.solids])

    @property
    def _rho(self) -> RealArray:
        return np.array([solid.density_g_cm3 for solid in self.solids])


def sheet_of(
    mass_mg: float,
    area_cm2: float,
    thickness_um: float,
    composition: Sequence[tuple[str, float]],
    *,
    u_mass_mg: float = 0.0,
    u_area_cm2: float = 0.0,
    u_thickness_um: float = 0.0,
) -> Sheet:
    """Return a sheet of known components, given as names and mass fractions, with their usual densities.

    Raises
    ------
    ConfigError
        If a name is not known, or as `Sheet`.
    """
    solids = tuple(Solid.usual(name, fraction) for name, fraction in composition)
    return Sheet(mass_mg, area_cm2, thickness_um, solids, u_mass_mg, u_area_cm2, u_thickness_um)
