"""Porosity-filling experiments as files: arms, cells before and after, geometry, masses, history.

Usage
-----
>>> experiment = load_experiment("filling.toml")        # doctest: +SKIP
>>> experiment.cells[0].before.file                     # doctest: +SKIP

The file is TOML. Every fault is reported at once, each with its key path; nothing unknown is let through.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from eis.errors import ConfigError
from eis.results import Reading
from eis.spectrum import CellKind

SCHEMA = "eis.experiment/1"
MAX_BYTES = 16 * 1024 * 1024
MAX_CELLS = 10_000
MAX_TEMPERATURES = 50

Role = Literal["treated", "untreated", "heated", "unheated", "solvent", "pressed", "other"]
"""What an arm is: `treated` has the eutectic and is heated; `untreated` neither; `heated` is heated without
eutectic; `unheated` has the eutectic, not heated; `solvent` is a liquid injected; `pressed` is pressed warm."""
Mode = Literal["in_formulation", "infiltrated"]

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Celsius = Annotated[float, Field(gt=-273.15, lt=200, allow_inf_nan=False)]
Process = dict[Identifier, float | str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Component(_Strict):
    """One solid of the electrode: its mass fraction and true density; a known name has a usual density."""

    name: str = Field(min_length=1)
    mass_fraction: Fraction
    density_g_cm3: Positive | None = None
    u_density_g_cm3: NotNegative = 0.0


class Filler(_Strict):
    """The eutectic electrolyte: density, melting point, and how it conducts at the temperature of measurement.

    `activation_energy_ev` is that of hopping, σT = σ₀·exp(−E_a/kT).
    """

    name: str = Field(min_length=1)
    density_g_cm3: Positive
    u_density_g_cm3: NotNegative = 0.0
    conductivity_s_cm: Positive | None = None
    u_conductivity_s_cm: NotNegative = 0.0
    activation_energy_ev: Annotated[float, Field(gt=0, lt=3, allow_inf_nan=False)] | None = None
    u_activation_energy_ev: NotNegative = 0.0
    melting_point_c: Number | None = None


class Composite(_Strict):
    """The ion conductor in the electrode: its own conductivity and, if not from the composition, its fraction."""

    conductivity_s_cm: Positive
    u_conductivity_s_cm: NotNegative = 0.0
    conductor: str = Field(min_length=1, description="Name of the component that conducts ions.")


class Contact(_Strict):
    """What turns an interface's resistance into the part of it in contact: round spots, evenly spread."""

    spot_radius_um: Positive
    u_spot_radius_um: NotNegative = 0.0
    asr_ct_ohm_cm2: NotNegative = Field(default=0.0, description="Charge transfer in full contact.")
    u_asr_ct_ohm_cm2: NotNegative = 0.0


class Arm(_Strict):
    """A group of cells treated alike."""

    name: Identifier
    role: Role
    description: str = ""
    process: Process = {}


class _Spectrum(_Strict):
    file: str = Field(min_length=1)
    index: Annotated[int, Field(ge=0)] = 0
    u_temperature_c: NotNegative = 0.0
    hours_at_temperature: NotNegative | None = None
    pressure_mpa: NotNegative | None = None
    soc_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    hours_since_assembly: NotNegative | None = None


class Measurement(_Spectrum):
    """One spectrum of a cell and the state it was measured in."""

    temperature_c: Celsius | None = None


class Tempered(_Spectrum):
    """One more spectrum of a state, at another temperature, for its activation energy."""

    temperature_c: Celsius


Measured = Measurement | Tempered
"""A spectrum of a cell, whichever it is for."""


class DirectCurrent(_Strict):
    """What direct current says of electrons, before and after, with standard uncertainties.

    `electronic` is the resistance electrons alone meet (ions blocked, steady state), `cell` that of the whole cell
    in steady state; `is_short` is what a short check found.
    """

    electronic_before_ohm: Positive | None = None
    electronic_after_ohm: Positive | None = None
    u_electronic_ohm: NotNegative = 0.0
    cell_after_ohm: NotNegative | None = None
    u_cell_ohm: NotNegative = 0.0
    is_short: bool | None = None


class Geometry(_Strict):
    """Thickness and mass of the electrode before and after, with their standard uncertainties.

    `mass_dried_mg` is the mass when everything volatile has been driven out, after the last spectrum.
    """

    thickness_before_um: Positive | None = None
    thickness_after_um: Positive | None = None
    u_thickness_um: NotNegative = 0.0
    mass_before_mg: Positive | None = None
    mass_after_mg: Positive | None = None
    mass_dried_mg: Positive | None = None
    u_mass_mg: NotNegative = 0.0


class History(_Strict):
    """What was done between the two spectra."""

    heated_to_c: Number | None = None
    dwell_min: NotNegative | None = None
    vacuum_mbar: NotNegative | None = None
    pressed_at_mpa: NotNegative | None = None
    pressed_at_c: Number | None = None


class ExperimentCell(_Strict):
    """One cell: its arm, area, both spectra, geometry, history; one without both spectra is unpaired.

    `before` and `after` are compared; `before_at` and `after_at` are the same two states at other temperatures.
    """

    id: Identifier
    arm: Identifier
    area_cm2: Positive
    u_area_cm2: NotNegative = 0.0
    interfaces_in_path: Annotated[int, Field(ge=1)] | None = None
    kind: CellKind | None = None
    before: Measurement | None = None
    after: Measurement | None = None
    before_at: tuple[Tempered, ...] = Field(default=(), max_length=MAX_TEMPERATURES)
    after_at: tuple[Tempered, ...] = Field(default=(), max_length=MAX_TEMPERATURES)
    direct_current: DirectCurrent = DirectCurrent()
    geometry: Geometry = Geometry()
    history: History = History()
    process: Process = {}


class Quantities(_Strict):
    """Which parameters of the circuit are which quantity; what is left out is found by its process."""

    interface: str | None = None
    grain_boundary: str | None = None
    ionic: str | None = None
    charge_transfer: str | None = None
    electronic: str | None = None
    series: str | None = None


class Experiment(_Strict):
    """A porosity-filling experiment as its file describes it.

    `mode` says which experiment it is: in ``infiltrated`` the filler is brought in from outside and the mass
    grows; in ``in_formulation`` it is in the electrode from the start and only melts, so that mass and total
    porosity stay.
    """

    schema_: Literal["eis.experiment/1"] = Field(alias="schema")
    title: str = ""
    mode: Mode
    circuit: str = Field(min_length=1)
    weight: Literal["modulus", "unit", "proportional"] = "modulus"
    equivalence: Annotated[float, Field(gt=0, lt=1)] = 0.10
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    spec: str | None = None
    reading: Reading | None = None
    filler: Filler
    composite: Composite | None = None
    contact: Contact | None = None
    composition: tuple[Component, ...] = ()
    quantities: Quantities = Quantities()
    arms: tuple[Arm, ...] = Field(min_length=1)
    cells: tuple[ExperimentCell, ...] = Field(min_length=1, max_length=MAX_CELLS)

    @model_validator(mode="after")
    def _belongs_together(self) -> Experiment:
        arms = [arm.name for arm in self.arms]
        faults = [f"arms: {name} stands {n} times" for name, n in Counter(arms).items() if n > 1]
        ids = Counter(cell.id for cell in self.cells)
        faults += [f"cells: the id {name} stands {n} times" for name, n in ids.items() if n > 1]
        faults += [
            f"cells.{i}.arm: there is no arm {cell.arm!r}; there are {', '.join(arms)}"
            for i, cell in enumerate(self.cells)
            if cell.arm not in arms
        ]
        treated = [arm.name for arm in self.arms if arm.role == "treated"]
        if len(treated) != 1:
            faults.append(f"arms: exactly one arm has the role 'treated', here {len(treated)}")
        total = sum(one.mass_fraction for one in self.composition)
        if self.composition and abs(total - 1) > 0.005:
            faults.append(f"composition: the mass fractions add up to {total:g}, not 1 (they are no percentages)")
        conductor = self.composite.conductor if self.composite else None
        if conductor is not None and self.composition and conductor not in {one.name for one in self.composition}:
            faults.append(f"composite.conductor: {conductor!r} is no component of the composition")
        if self.contact is not None and self.composite is None:
            faults.append("contact: the part in contact needs the conductivity of [composite] too")
        faults += [fault for i, cell in enumerate(self.cells) for fault in _faults_of(cell, f"cells.{i}")]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def cells_of(self, arm: str) -> tuple[ExperimentCell, ...]:
        """Return the cells of an arm, in the order of the file."""
        return tuple(cell for cell in self.cells if cell.arm == arm)

    def of_role(self, *roles: Role) -> tuple[Arm, ...]:
        """Return the arms of some roles, in the order of the file."""
        return tuple(arm for arm in self.arms if arm.role in roles)


def load_experiment(path: str | Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    ConfigError
        If it cannot be read or is not TOML, or with every fault and its key path.
    """
    where = str(path)
    try:
        if Path(path).stat().st_size > MAX_BYTES:
            raise ConfigError(
                "The experiment file is too large", where=where, mend="Give files of spectra, not data."
            )
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The experiment file cannot be read: {error}", where=where, mend="Give the path of a TOML file."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The experiment file is not TOML: {error}", where=where, mend="Mend that line."
        ) from error
    return experiment_of(content, where=where)


def experiment_of(content: dict[str, object], *, where: str = "experiment") -> Experiment:
    """Return the experiment that plain values describe.

    Raises
    ------
    ConfigError
        With every fault and its key path.
    """
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'experiment'}: {_said(e)}" for e in error.errors()]
        raise ConfigError(
            "The experiment file has faults", where=where, mend=f"Mend each: {'; '.join(faults)}."
        ) from error


def _faults_of(cell: ExperimentCell, key: str) -> list[str]:
    """Return what in the measurements of one cell contradicts itself, each with its key path."""
    faults = []
    for when, first, others in (
        ("before", cell.before, cell.before_at),
        ("after", cell.after, cell.after_at),
    ):
        if others and first is None:
            faults.append(f"{key}.{when}_at: there is no spectrum {when!r}, to which these belong")
        if others and first is not None and first.temperature_c is None:
            faults.append(f"{key}.{when}.temperature_c: it is needed, as there are other temperatures")
        seen = {(first.file, first.index)} if first is not None else set()
        for i, one in enumerate(others):
            if (one.file, one.index) in seen:
                faults.append(f"{key}.{when}_at.{i}: {one.file} (number {one.index}) stands twice")
            seen.add((one.file, one.index))
    current = cell.direct_current
    if (current.electronic_before_ohm is None) != (current.electronic_after_ohm is None):
        faults.append(f"{key}.direct_current: the electronic resistance is needed before and after, or not at all")
    if cell.geometry.mass_dried_mg is not None and cell.geometry.mass_after_mg is None:
        faults.append(f"{key}.geometry.mass_dried_mg: without mass_after_mg it does not say what was driven out")
    return faults


def _said(error: ErrorDetails) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if (
        error["type"] == "model_type"
        and isinstance(error["input"], list)
        and error["loc"][-1] in ("before", "after")
    ):
        return f"one spectrum belongs here; those at other temperatures go into {error['loc'][-1]}_at"
    is_percent = error["type"] == "less_than_equal" and error["loc"][-1] == "mass_fraction"
    return f"{said} (a fraction, no percentage)" if is_percent else said
