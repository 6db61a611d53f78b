"""What a cell is: what no measurement can tell and every area-specific number needs, checked once when made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from eis.errors import ConfigError

CellKind = Literal["symmetric", "half", "full", "blocking"]
Electrode = Literal["negative", "positive"]

LARGEST_AREA_CM2 = 1e4
"""Electrode area (cm²) beyond which it was surely not given in cm²."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The cell behind a spectrum: what no measurement can tell and every area-specific number needs.

    Parameters
    ----------
    area_cm2 : float
        Geometric area of one electrode (cm²).
    u_area_cm2 : float
        Its standard uncertainty (cm², k = 1); with 0 no uncertainty counts as known, and the budget says so.
    interfaces_in_path : int, optional
        How many identical interfaces the current crosses: 2 in a symmetric cell, 1 in a half cell. None means
        not stated; nothing downstream then guesses.
    kind : {"symmetric", "half", "full", "blocking"}, optional
        What the cell is; decides which processes an arc may be.
    thickness_cm : float, optional
        Electrolyte thickness (cm); normalises bulk and grain-boundary capacitances.
    temperature_c, pressure_mpa : float, optional
        Temperature (°C) and stack pressure (MPa) during the measurement.
    u_thickness_cm, u_temperature_c, u_pressure_mpa : float, optional
        Their standard uncertainties (cm, °C, MPa, k = 1).
    electrode : {"negative", "positive"}, optional
        Which electrode a symmetric or half cell holds; no spectrum tells it.
    cells_in_parallel, cells_in_series : int
        Unit cells of a stack, all alike: one has the measured resistance times the first over the second.

    Raises
    ------
    ConfigError
        With every fault at once.
    """

    area_cm2: float
    u_area_cm2: float = 0.0
    interfaces_in_path: int | None = None
    kind: CellKind | None = None
    thickness_cm: float | None = None
    temperature_c: float | None = None
    pressure_mpa: float | None = None
    u_thickness_cm: float | None = None
    u_temperature_c: float | None = None
    u_pressure_mpa: float | None = None
    electrode: Electrode | None = None
    cells_in_parallel: int = 1
    cells_in_series: int = 1

    def __post_init__(self) -> None:
        faults = []
        if not (math.isfinite(self.area_cm2) and self.area_cm2 > 0):
            faults.append(f"area_cm2 is {self.area_cm2:g}; give the geometric electrode area in cm², above zero")
        elif self.area_cm2 > LARGEST_AREA_CM2:
            faults.append(
                f"area_cm2 is {self.area_cm2:g}, more than a square metre; give the area of one electrode in cm² "
                "(100 mm² are 1 cm²)"
            )
        if not (math.isfinite(self.u_area_cm2) and self.u_area_cm2 >= 0):
            faults.append(f"u_area_cm2 is {self.u_area_cm2:g}; give a standard uncertainty in cm², zero or above")
        if self.interfaces_in_path is not None and self.interfaces_in_path < 1:
            faults.append(
                f"interfaces_in_path is {self.interfaces_in_path}; a symmetric cell has 2, a half cell 1"
            )
        if self.kind is not None and self.kind not in ("symmetric", "half", "full", "blocking"):
            faults.append(f"kind is {self.kind!r}; choose symmetric, half, full or blocking")
        if self.thickness_cm is not None and not (math.isfinite(self.thickness_cm) and self.thickness_cm > 0):
            faults.append(
                f"thickness_cm is {self.thickness_cm:g}; give the electrolyte thickness in cm, above zero"
            )
        for name, lowest, word in (
            ("temperature_c", -273.15, "above absolute zero"),
            ("pressure_mpa", 0.0, "zero or above"),
            ("u_thickness_cm", 0.0, "zero or above"),
            ("u_temperature_c", 0.0, "zero or above"),
            ("u_pressure_mpa", 0.0, "zero or above"),
        ):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= lowest):
                faults.append(f"{name} is {value:g}; give a number, {word}, or leave it out")
        if self.electrode is not None and self.electrode not in ("negative", "positive"):
            faults.append(f"electrode is {self.electrode!r}; choose negative or positive")
        elif self.electrode is not None and self.kind in ("full", "blocking"):
            faults.append(
                f"a {self.kind} cell has no one electrode to name; leave electrode out, or assign the arc"
            )
        for name in ("thickness_cm", "temperature_c", "pressure_mpa"):
            if getattr(self, f"u_{name}") is not None and getattr(self, name) is None:
                faults.append(f"u_{name} is given and {name} is not; give both or neither")
        for name in ("cells_in_parallel", "cells_in_series"):
            count = getattr(self, name)
            if not isinstance(count, int) or count < 1:
                faults.append(f"{name} is {count}; give a whole number, one or above")
        if faults:
            raise ConfigError("The cell is not described rightly", where="Cell", mend="; ".join(faults))

    @property
    def unit_cell_factor(self) -> float:
        """Resistance of one unit cell over that of the stack, N_parallel / N_series."""
        return self.cells_in_parallel / self.cells_in_series

    def to_dict(self) -> dict[str, Any]:
        """Return the cell as plain values, without what was not stated."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not None}
