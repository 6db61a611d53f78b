"""One virtual cell with a known truth: what a treatment does to its sheet, and how that shows in its impedance.

A symmetric cell of two dry electrodes on a sulfide separator: leads, grain boundaries of the separator, the
electrode interface (charge transfer on the area in contact, and constriction), and ions in the pores of the
composite (`L0-R0-p(R1,CPE1)-p(R2,CPE2)-TLMQ1`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.composition import Sheet, Solid, volume_fractions
from eis.constriction import interface_asr
from eis.series import BOLTZMANN_EV_PER_K
from eis.series_law import ZERO_C_IN_K
from eis.spectrum import ComplexArray, Spectrum
from eis.transport import filled_medium

CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)-TLMQ1"
FREQUENCY_HZ = np.geomspace(1e6, 0.01, 65)
REFERENCE_C = 25.0
"""Temperature at which everything else here holds, and before and after are compared (°C)."""
SOLID_EV, FILLER_EV, GRAIN_EV, CONTACT_EV = 0.35, 0.55, 0.40, 0.45
"""Activation energies (eV): of conductor, filler and grain boundaries by σT, of charge transfer by 1/ASR."""
AREA_CM2, THICKNESS_UM, MASS_MG = 1.131, 100.0, 30.0
SOLIDS = (
    Solid("NCM", 0.70, 4.7, 0.02),
    Solid("LPSCl", 0.275, 1.64, 0.02),
    Solid("carbon black", 0.02, 1.9, 0.02),
    Solid("PTFE", 0.005, 2.2, 0.02),
)
CONDUCTOR, CONDUCTOR_S_CM = "LPSCl", 2e-3
FILLER, FILLER_G_CM3 = "eutectic", 2.0
CAPACITANCE_F_CM2, SPOT_UM, ASR_CT = 2e-5, 1.0, 3.5
"""Of a full contact (F/cm²), radius of the contact spots (µm), charge transfer in full contact (ohm cm²)."""
INDUCTANCE_H, GRAIN_ALPHA, CONTACT_ALPHA = 4e-8, 0.95, 0.9
PORE_Q, PORE_ALPHA = 6e-3 * AREA_CM2, 0.93
MEASURED = {"u_thickness_um": 0.5, "u_mass_mg": 0.02, "u_area_cm2": 0.005}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What truly happens in an experiment.

    Parameters
    ----------
    name, expected : str
        And the findings that are right for it.
    mode : str
        ``infiltrated`` or ``in_formulation``.
    fill : float
        Part of the pores the treatment fills.
    filler_s_cm : float
        Conductivity of the filler (S/cm).
    contact : float
        By how much the treatment multiplies the part of the interface in contact.
    kinetics : float
        By how much it multiplies the charge-transfer resistance, at constant capacitance.
    heat : float
        By how much heat alone multiplies interface and ionic resistance, in treated and heated cells.
    thinner : float
        Thickness after over before.
    spoiled : float
        By how much one treated cell's interface and ionic resistance are wrong.
    grain_ohm, grain_f_hz : float
        Resistance of the grain boundaries (ohm), and where their arc lies (Hz).
    noise : float
        Relative standard deviation of each part of Z.
    heat_ev : float
        By how much heat alone moves the activation energy of the conductor, in treated and heated cells (eV).
    looser : float
        How much thicker than usual the sheet is before, at the same mass: more pores, less conductor.
    """

    name: str
    expected: tuple[str, ...]
    mode: str = "infiltrated"
    fill: float = 0.0
    filler_s_cm: float = 1.5e-3
    contact: float = 1.0
    kinetics: float = 1.0
    heat: float = 1.0
    thinner: float = 1.0
    spoiled: float = 1.0
    grain_ohm: float = 10.0
    grain_f_hz: float = 1e5
    noise: float = 1e-3
    heat_ev: float = 0.0
    looser: float = 1.0


@dataclass(frozen=True, slots=True)
class Scatter:
    """Standard deviations of ln, from cell to cell and from mounting to mounting; of energies and temperatures."""

    cells: float = 0.15
    mounting: float = 0.05
    conduction: float = 0.03
    energy_ev: float = 0.008
    temperature_k: float = 0.2


def virtual_cell(
    scenario: Scenario,
    arm: str,
    role: str,
    number: int,
    rng: np.random.Generator,
    spread: Scatter,
    solids: tuple[Solid, ...],
    temperatures_c: Sequence[float],
) -> tuple[dict[str, Any], list[list[tuple[Spectrum, dict[str, float]]]]]:
    """Return a cell as its experiment file describes it, and its spectra and true values before and after.

    Parameters
    ----------
    scenario : Scenario
        What truly happens.
    arm, role, number : str, str, int
        Its arm, and its place in it.
    rng : numpy Generator
        Source of scatter and noise.
    spread : Scatter
        How much cells, mountings, energies and temperatures scatter.
    solids : tuple of Solid
        Composition of the electrode.
    temperatures_c : sequence of float
        Temperatures besides 25 °C (°C).

    Returns
    -------
    entry : dict
        As in the list ``cells`` of an experiment file.
    states : list of list of (Spectrum, dict)
        Before and after: spectrum and true values (ohm, F) at 25 °C, then at each other temperature.
    """
    mass = MASS_MG * math.exp(rng.normal(0, 0.01))
    thickness = THICKNESS_UM * scenario.looser * math.exp(rng.normal(0, 0.01))
    treated, heated = role == "treated", role in ("treated", "heated")
    sheet = Sheet(mass, AREA_CM2, thickness, solids)
    fill = float(np.clip(scenario.fill * math.exp(rng.normal(0, 0.04)), 0, 1)) if treated else 0.0
    pores_cm3 = sheet.porosity * sheet.volume_cm3
    gain = fill * pores_cm3 * FILLER_G_CM3 * 1e3
    after_um = thickness * (scenario.thinner if treated else 1.0)
    coverage = 0.35 * math.exp(rng.normal(0, spread.cells))
    ct = ASR_CT * math.exp(rng.normal(0, spread.cells))
    grain, series = (value * math.exp(rng.normal(0, spread.cells / 2)) for value in (scenario.grain_ohm, 4.0))
    structure = math.exp(
        rng.normal(0, spread.cells / 3)
    )  # of the composite's own structure, the same before and after
    contact = min(coverage * (scenario.contact if treated else 1.0), 0.95)
    heat = scenario.heat if heated else 1.0
    spoiled = scenario.spoiled if treated and number == 1 else 1.0
    kinetics = scenario.kinetics if treated else 1.0
    states = (
        (coverage, thickness, 0.0, 1.0, 1.0, 1.0),
        (contact, after_um, fill, kinetics, heat, spoiled),
    )
    name = f"{arm}-{number}"
    states_measured = []
    for c, t_um, filled, kinetic, hot, wrong in states:
        ionic = t_um * 1e-4 / (AREA_CM2 * _conductivity(sheet, filled, scenario, thickness / t_um)) * structure
        asr = float(interface_asr(c, ct * kinetic, SPOT_UM, CONDUCTOR_S_CM))
        mounted = np.exp(rng.normal(0, spread.mounting, 3))
        interface = 2 * asr / AREA_CM2 * hot * wrong * mounted[0]
        ionic *= hot * wrong * math.exp(rng.normal(0, spread.conduction))
        capacitance = CAPACITANCE_F_CM2 * c * AREA_CM2 / 2
        values = {
            "R_s": series * mounted[1],
            "R_gb": grain * mounted[2],
            "C_gb": 1 / (2 * math.pi * scenario.grain_f_hz * grain),
            "R_if": interface,
            "C_if": capacitance,
            "R_ion": ionic,
        }
        states_measured.append([(_spectrum(values, scenario, rng, name), values)])
    u_mass, u_thickness = MEASURED["u_mass_mg"], MEASURED["u_thickness_um"]
    weighed = [mass + rng.normal(0, u_mass), mass + gain + rng.normal(0, u_mass)]
    gauged = [thickness + rng.normal(0, u_thickness), after_um + rng.normal(0, u_thickness)]
    entry: dict[str, Any] = {
        "id": name,
        "arm": arm,
        "area_cm2": AREA_CM2,
        "u_area_cm2": MEASURED["u_area_cm2"],
        "interfaces_in_path": 2,
        "kind": "symmetric",
        "before": {"file": f"{name}-before.nc", "temperature_c": 25.0, "pressure_mpa": 5.0},
        "after": {"file": f"{name}-after.nc", "temperature_c": 25.0, "pressure_mpa": 5.0},
        "geometry": {
            "thickness_before_um": gauged[0],
            "thickness_after_um": gauged[1],
            "u_thickness_um": u_thickness,
            "mass_before_mg": weighed[0],
            "mass_after_mg": weighed[1],
            "u_mass_mg": u_mass,
        },
        "history": {"heated_to_c": 180.0, "dwell_min": 30.0} if heated else {},
    }
    if not temperatures_c:
        return entry, states_measured
    # From a source of their own, so that what is measured at 25 °C does not depend on the other temperatures.
    (own,) = rng.spawn(1)
    own_ev = own.normal(0, spread.energy_ev, 3)
    for when, measured, (c, t_um, filled, kinetic, _, _) in zip(
        ("before", "after"), states_measured, states, strict=True
    ):
        entry[f"{when}_at"] = []
        solid_ev = SOLID_EV + own_ev[0] + (scenario.heat_ev if when == "after" and heated else 0.0)
        sheet_now = (sheet, filled, scenario, thickness / t_um)
        at_reference = measured[0][1]
        for t_c in temperatures_c:
            real_c = t_c + own.normal(0, spread.temperature_k)
            contact_times = _arrhenius_factor(CONTACT_EV + own_ev[2], real_c)
            solid_times = _hopping_factor(solid_ev, real_c)
            there, here = (
                float(interface_asr(c, ct * kinetic * one, SPOT_UM, CONDUCTOR_S_CM / two))
                for one, two in ((contact_times, solid_times), (1.0, 1.0))
            )
            ionic_times = _conductivity(*sheet_now) / _conductivity(*sheet_now, t_c=real_c, solid_ev=solid_ev)
            values = at_reference | {
                "R_gb": at_reference["R_gb"] * _hopping_factor(GRAIN_EV + own_ev[1], real_c),
                "R_if": at_reference["R_if"] * there / here,
                "R_ion": at_reference["R_ion"] * ionic_times,
            }
            measured.append((_spectrum(values, scenario, own, name), values))
            entry[f"{when}_at"].append(
                {"file": f"{name}-{when}-{t_c:g}C.nc", "temperature_c": float(t_c), "pressure_mpa": 5.0}
            )
    return entry, states_measured


def _spectrum(values: Mapping[str, float], scenario: Scenario, rng: np.random.Generator, name: str) -> Spectrum:
    """Return the impedance of a cell as it is measured, with noise."""
    z = _impedance(values)
    noise = scenario.noise * np.abs(z) * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
    return Spectrum.of(FREQUENCY_HZ, z + noise, metadata={"cell": name})


def _arrhenius_factor(energy_ev: float, t_c: float) -> float:
    """Return by how much a resistance is larger than at 25 °C."""
    inverse = 1 / (t_c + ZERO_C_IN_K) - 1 / (REFERENCE_C + ZERO_C_IN_K)
    return math.exp(energy_ev / BOLTZMANN_EV_PER_K * inverse)


def _hopping_factor(energy_ev: float, t_c: float) -> float:
    """Return by how much a resistance T/exp(−E_a/kT) is larger than at 25 °C."""
    return _arrhenius_factor(energy_ev, t_c) * (t_c + ZERO_C_IN_K) / (REFERENCE_C + ZERO_C_IN_K)


def true_energy(
    scenario: Scenario, solids: tuple[Solid, ...], temperatures_c: Sequence[float]
) -> dict[str, float]:
    """Return how the activation energy of the ionic resistance of a mean sheet moves, by a straight line.

    ``"energy_ev"`` is by how much (eV), ``"share"`` which part of the way to the filler's that is; empty without
    other temperatures.
    """
    if not temperatures_c:
        return {}
    sheet = Sheet(MASS_MG, AREA_CM2, THICKNESS_UM * scenario.looser, solids)
    places = np.array([REFERENCE_C, *temperatures_c])
    energies = [
        -BOLTZMANN_EV_PER_K
        * float(
            np.polyfit(
                1 / (places + ZERO_C_IN_K),
                [
                    math.log(_conductivity(sheet, fill, scenario, denser, t_c=t) * (t + ZERO_C_IN_K))
                    for t in places
                ],
                1,
            )[0]
        )
        for fill, denser in ((0.0, 1.0), (scenario.fill, 1 / scenario.thinner))
    ]
    moved = energies[1] - energies[0]
    return {"energy_ev": moved, "share": moved / (FILLER_EV - energies[0])}


def _conductivity(
    sheet: Sheet,
    fill: float,
    scenario: Scenario,
    denser: float,
    *,
    t_c: float = REFERENCE_C,
    solid_ev: float = SOLID_EV,
) -> float:
    """Return the ionic conductivity of the composite (S/cm) at a temperature by the symmetric effective medium."""
    w = [solid.mass_fraction for solid in sheet.solids]
    rho = [solid.density_g_cm3 for solid in sheet.solids]
    fractions = volume_fractions(sheet.mass_mg, sheet.area_cm2, sheet.thickness_um, w, rho)
    conductor = float(fractions[[solid.name for solid in sheet.solids].index(CONDUCTOR)])
    return float(
        filled_medium(
            fill,
            conductor_fraction=conductor * denser,
            void_fraction=sheet.porosity,
            conductor_s_cm=CONDUCTOR_S_CM / _hopping_factor(solid_ev, t_c),
            filler_s_cm=scenario.filler_s_cm / _hopping_factor(FILLER_EV, t_c),
        )
    )


def _impedance(values: Mapping[str, float]) -> ComplexArray:
    """Return Z (ohm), shape (65,), of `CIRCUIT`; arcs by resistance and effective capacitance."""
    jw = 2j * np.pi * FREQUENCY_HZ
    z: NDArray[Any] = jw * INDUCTANCE_H + values["R_s"]
    for r, c, alpha in (
        (values["R_gb"], values["C_gb"], GRAIN_ALPHA),
        (values["R_if"], values["C_if"], CONTACT_ALPHA),
    ):
        z = z + r / (1 + (jw * r * c) ** alpha)
    local = 1 / (PORE_Q * jw**PORE_ALPHA)
    whole = z + np.sqrt(values["R_ion"] * local) / np.tanh(np.sqrt(values["R_ion"] / local))
    return np.asarray(whole, dtype=np.complex128)
