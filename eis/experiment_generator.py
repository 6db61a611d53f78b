"""Virtual porosity-filling experiments with a known truth: geometry, effective medium, contact, noise, scatter.

A symmetric cell of two dry electrodes on a sulfide separator: leads, grain boundaries of the separator, the
electrode interface (charge transfer on the area in contact, and constriction), and ions in the pores of the
composite (`L0-R0-p(R1,CPE1)-p(R2,CPE2)-TLMQ1`). What a treatment does follows from how much of the pores it fills
and how much more of the interface it brings into contact; everything scatters from cell to cell and is measured
with noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eis.archive import write
from eis.composition import Sheet, Solid, volume_fractions
from eis.constriction import interface_asr
from eis.errors import ConfigError, StoreError
from eis.experiment import SCHEMA
from eis.spectrum import ComplexArray, Spectrum
from eis.transport import filled_medium

CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)-TLMQ1"
FREQUENCY_HZ = np.geomspace(1e6, 0.01, 65)
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


SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        Scenario("true-filling", ("filled",), fill=0.8, contact=1.8, heat=0.97),
        Scenario("heating-only", ("not the filler", "no effect", "not shown"), heat=0.7),
        Scenario(
            "poor-filler",
            ("filled without gain", "no effect", "not shown", "not the filler"),
            fill=0.8,
            filler_s_cm=1e-7,
            heat=0.97,
        ),
        Scenario("in-formulation", ("improved",), mode="in_formulation", contact=1.8, thinner=0.97, heat=0.97),
        Scenario("no-effect", ("no effect", "not shown")),
        Scenario(
            "swapped-arcs",
            ("filled",),
            fill=0.8,
            kinetics=0.08,
            grain_ohm=40.0,
            grain_f_hz=6e3,
            noise=2e-4,
            heat=0.97,
        ),
        Scenario(
            "bad-cell",
            ("filled", "improved", "filled without gain", "not shown"),
            fill=0.8,
            contact=1.8,
            heat=0.97,
            spoiled=2.5,
        ),
    )
}
ARMS = (
    ("treated", "treated", "eutectic, heated"),
    ("heated", "heated", "heated alike, no eutectic"),
    ("untreated", "untreated", "stored and mounted again"),
)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Standard deviations of ln, from cell to cell and from mounting to mounting."""

    cells: float = 0.15
    mounting: float = 0.05
    conduction: float = 0.03


@dataclass(frozen=True)
class Virtual:
    """A virtual experiment: its file as plain values, spectra by name, and the truth.

    `truth` is what the treatment does, `values` the resistances and capacitances of every spectrum by its name:
    R_s, R_gb, C_gb, R_if, C_if, R_ion (ohm, F).
    """

    scenario: Scenario
    content: dict[str, Any]
    spectra: dict[str, Spectrum]
    truth: dict[str, float] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)


def generate(
    scenario: str | Scenario, rng: np.random.Generator, *, n: int = 6, scatter: Scatter | None = None
) -> Virtual:
    """Make an experiment with `n` cells in each of three arms.

    Parameters
    ----------
    scenario : str or Scenario
        Name of one of `SCENARIOS`, or your own.
    rng : numpy Generator
        Source of scatter and noise.
    n : int
        Cells in each arm.
    scatter : Scatter, optional
        How much cells and mountings scatter.

    Raises
    ------
    ConfigError
        If there is no such scenario.
    """
    one = SCENARIOS.get(scenario) if isinstance(scenario, str) else scenario
    if one is None:
        raise ConfigError(
            f"There is no scenario {scenario!r}", where="scenario", mend=f"Choose one of {', '.join(SCENARIOS)}."
        )
    spread = scatter or Scatter()
    solids = _solids(one)
    cells: list[dict[str, Any]] = []
    spectra: dict[str, Spectrum] = {}
    values: dict[str, dict[str, float]] = {}
    for arm, role, _ in ARMS:
        for number in range(1, n + 1):
            entry, states = _cell(one, arm, role, number, rng, spread, solids)
            cells.append(entry)
            for when, (spectrum, own) in zip(("before", "after"), states, strict=True):
                spectra[entry[when]["file"]], values[entry[when]["file"]] = spectrum, own
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "title": f"Virtual experiment: {one.name}",
        "mode": one.mode,
        "circuit": CIRCUIT,
        "filler": {
            "name": FILLER,
            "density_g_cm3": FILLER_G_CM3,
            "u_density_g_cm3": 0.02,
            "conductivity_s_cm": one.filler_s_cm,
            "u_conductivity_s_cm": 0.03 * one.filler_s_cm,
        },
        "composite": {
            "conductivity_s_cm": CONDUCTOR_S_CM,
            "u_conductivity_s_cm": 0.02 * CONDUCTOR_S_CM,
            "conductor": CONDUCTOR,
        },
        "composition": [
            {
                "name": solid.name,
                "mass_fraction": solid.mass_fraction,
                "density_g_cm3": solid.density_g_cm3,
                "u_density_g_cm3": solid.u_density_g_cm3,
            }
            for solid in solids
        ],
        "quantities": {"interface": "R2", "grain_boundary": "R1", "ionic": "TLMQ1_0", "series": "R0"},
        "arms": [{"name": arm, "role": role, "description": said} for arm, role, said in ARMS],
        "cells": cells,
    }
    return Virtual(one, content, spectra, {"fill": one.fill, "contact": one.contact}, values)


def write_experiment(virtual: Virtual, folder: Path) -> Path:
    """Write the file of an experiment and its spectra; return the path of ``experiment.toml``.

    Raises
    ------
    StoreError
        If the folder cannot be written, or a file is there already.
    """
    path = folder / "experiment.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, spectrum in virtual.spectra.items():
            write(spectrum, folder / name)
        path.write_text(_toml(virtual.content), encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(
            f"The experiment cannot be written: {error.strerror}", where=str(folder), mend="Choose another folder."
        ) from error
    return path


def _solids(scenario: Scenario) -> tuple[Solid, ...]:
    """Return the composition; a eutectic in the formulation takes a part of the electrolyte's place."""
    if scenario.mode == "infiltrated":
        return SOLIDS
    active, electrolyte, *rest = SOLIDS
    eutectic = Solid(FILLER, 0.03, FILLER_G_CM3, 0.02)
    return (active, replace(electrolyte, mass_fraction=electrolyte.mass_fraction - 0.03), *rest, eutectic)


def _cell(
    scenario: Scenario,
    arm: str,
    role: str,
    number: int,
    rng: np.random.Generator,
    spread: Scatter,
    solids: tuple[Solid, ...],
) -> tuple[dict[str, Any], list[tuple[Spectrum, dict[str, float]]]]:
    mass = MASS_MG * math.exp(rng.normal(0, 0.01))
    thickness = THICKNESS_UM * math.exp(rng.normal(0, 0.01))
    treated, heated = role == "treated", role in ("treated", "heated")
    sheet = Sheet(mass, AREA_CM2, thickness, solids)
    fill = float(np.clip(scenario.fill * math.exp(rng.normal(0, 0.04)), 0, 1)) if treated else 0.0
    pores_cm3 = sheet.porosity * sheet.volume_cm3
    gain = fill * pores_cm3 * FILLER_G_CM3 * 1e3
    after_um = thickness * (scenario.thinner if treated else 1.0)
    coverage = 0.35 * math.exp(rng.normal(0, spread.cells))
    ct = ASR_CT * math.exp(rng.normal(0, spread.cells))
    grain, series = (value * math.exp(rng.normal(0, spread.cells / 2)) for value in (scenario.grain_ohm, 4.0))
    own = math.exp(rng.normal(0, spread.cells / 3))  # of the composite's own structure, the same before and after
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
        ionic = t_um * 1e-4 / (AREA_CM2 * _conductivity(sheet, filled, scenario, thickness / t_um)) * own
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
        z = _impedance(values)
        noise = scenario.noise * np.abs(z) * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
        states_measured.append((Spectrum.of(FREQUENCY_HZ, z + noise, metadata={"cell": name}), values))
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
    return entry, states_measured


def _conductivity(sheet: Sheet, fill: float, scenario: Scenario, denser: float) -> float:
    """Return the ionic conductivity of the composite (S/cm) by the symmetric effective medium."""
    w = [solid.mass_fraction for solid in sheet.solids]
    rho = [solid.density_g_cm3 for solid in sheet.solids]
    fractions = volume_fractions(sheet.mass_mg, sheet.area_cm2, sheet.thickness_um, w, rho)
    conductor = float(fractions[[solid.name for solid in sheet.solids].index(CONDUCTOR)])
    return float(
        filled_medium(
            fill,
            conductor_fraction=conductor * denser,
            void_fraction=sheet.porosity,
            conductor_s_cm=CONDUCTOR_S_CM,
            filler_s_cm=scenario.filler_s_cm,
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


def _toml(content: Mapping[str, Any]) -> str:
    """Return plain values as TOML: tables, and lists of tables, one level of tables inside each."""
    plain = {key: value for key, value in content.items() if not isinstance(value, (dict, list))}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in content.items():
        if isinstance(value, dict) and value:
            lines += ["", f"[{key}]", *(f"{name} = {_value(inner)}" for name, inner in value.items())]
        elif isinstance(value, list):
            for item in value:
                lines += ["", f"[[{key}]]"]
                lines += [f"{name} = {_value(inner)}" for name, inner in item.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(f"{value:.8g}")) if isinstance(value, float) else repr(value)
