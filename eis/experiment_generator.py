"""Virtual porosity-filling experiments with a known truth: geometry, effective medium, contact, noise, scatter.

What a treatment does to a cell follows from how much of the pores it fills and how much more of the interface it
brings into contact (`eis.virtual_cell`); everything scatters from cell to cell and is measured with noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eis.archive import write
from eis.composition import Solid
from eis.errors import ConfigError, StoreError
from eis.experiment import SCHEMA
from eis.spectrum import Spectrum
from eis.virtual_cell import (
    ASR_CT,
    CIRCUIT,
    CONDUCTOR,
    CONDUCTOR_S_CM,
    FILLER,
    FILLER_EV,
    FILLER_G_CM3,
    SOLIDS,
    SPOT_UM,
    Scatter,
    Scenario,
    true_energy,
    virtual_cell,
)

__all__ = ["SCENARIOS", "Scatter", "Scenario", "Virtual", "generate", "write_experiment"]

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


@dataclass(frozen=True)
class Virtual:
    """A virtual experiment: its file as plain values, spectra by name, and the truth.

    `truth` is what the treatment does, `values` the resistances and capacitances of every spectrum by its name:
    R_s, R_gb, C_gb, R_if, C_if, R_ion (ohm, F). With several temperatures, the truth also has by how much the
    activation energy of the ionic resistance moves (``"energy_ev"``, eV), and which part of the way to that of the
    filler this is (``"share"``), in a sheet that does not scatter.
    """

    scenario: Scenario
    content: dict[str, Any]
    spectra: dict[str, Spectrum]
    truth: dict[str, float] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)


def generate(
    scenario: str | Scenario,
    rng: np.random.Generator,
    *,
    n: int = 6,
    scatter: Scatter | None = None,
    temperatures_c: Sequence[float] = (),
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
    temperatures_c : sequence of float
        Temperatures besides 25 °C at which every state is measured too; 0 and 50 °C make three.

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
            entry, states = virtual_cell(one, arm, role, number, rng, spread, solids, temperatures_c)
            cells.append(entry)
            for when, measured in zip(("before", "after"), states, strict=True):
                files = [entry[when]["file"], *(other["file"] for other in entry.get(f"{when}_at", ()))]
                for file, (spectrum, own) in zip(files, measured, strict=True):
                    spectra[file], values[file] = spectrum, own
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
            **({"activation_energy_ev": FILLER_EV, "u_activation_energy_ev": 0.005} if temperatures_c else {}),
        },
        "composite": {
            "conductivity_s_cm": CONDUCTOR_S_CM,
            "u_conductivity_s_cm": 0.02 * CONDUCTOR_S_CM,
            "conductor": CONDUCTOR,
        },
        "contact": {
            "spot_radius_um": SPOT_UM,
            "u_spot_radius_um": 0.1 * SPOT_UM,
            "asr_ct_ohm_cm2": ASR_CT,
            "u_asr_ct_ohm_cm2": spread.cells * ASR_CT,
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
    truth = {"fill": one.fill, "contact": one.contact}
    return Virtual(one, content, spectra, truth | true_energy(one, solids, temperatures_c), values)


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
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(f"{value:.8g}")) if isinstance(value, float) else repr(value)
