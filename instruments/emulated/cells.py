"""Emulated cells: circuits with known values, so that the truth behind every measurement is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from eis.spectrum import Cell, CellKind, ComplexArray
from fitting.circuit import Circuit, parse

AREA_CM2 = 1.131
"""Area (cm²) of a 12 mm electrode."""


@dataclass(frozen=True)
class EmulatedCell:
    """A cell whose impedance is a circuit with known values.

    Parameters
    ----------
    name : str
        What ``sim::`` calls it.
    circuit : str
        The circuit, as in `fitting.circuit`.
    values : tuple of float
        Its parameters in the order of the circuit's names (SI).
    area_cm2 : float
        Electrode area (cm²).
    interfaces_in_path : int
        How many identical interfaces the current crosses.
    kind : str
        As in `eis.spectrum.Cell`.
    interface : str
        Which resistance of the circuit belongs to the interfaces.
    ocv_v : float
        Its voltage at rest (V).
    """

    name: str
    circuit: str
    values: tuple[float, ...]
    area_cm2: float
    interfaces_in_path: int
    kind: CellKind
    interface: str
    ocv_v: float = 0.0

    @cached_property
    def parsed(self) -> Circuit:
        """The circuit as a tree."""
        return parse(self.circuit)

    @property
    def cell(self) -> Cell:
        """What a person who built the cell would know of it."""
        return Cell(area_cm2=self.area_cm2, interfaces_in_path=self.interfaces_in_path, kind=self.kind)

    @property
    def truth(self) -> Mapping[str, float]:
        """The value of every parameter by name (SI), and ``asr_ohm_cm2`` of one interface (ohm cm²)."""
        values = dict(zip(self.parsed.names, self.values, strict=True))
        asr_ohm_cm2 = values[self.interface] * self.area_cm2 / self.interfaces_in_path
        return {**values, "asr_ohm_cm2": asr_ohm_cm2}

    def impedance(self, frequency_hz: ArrayLike) -> ComplexArray:
        """Return the impedance (ohm) at `frequency_hz` (Hz), shape (n,)."""
        omega = 2 * np.pi * np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
        return self.parsed.impedance(omega, self.values)


def cpe_q(resistance_ohm: float, alpha: float, frequency_hz: float) -> float:
    """Return Q of the CPE that, parallel to `resistance_ohm`, peaks at `frequency_hz`: tau = (R Q)^(1/alpha)."""
    tau_s = 1 / (2 * math.pi * frequency_hz)
    return float(tau_s**alpha / resistance_ohm)


def _symmetric(name: str, asr_ohm_cm2: float, alpha: float, frequency_hz: float) -> EmulatedCell:
    """Return a symmetric cell: lead, electrolyte bulk, grain boundary, and two interfaces as one arc."""
    interfaces_ohm = 2 * asr_ohm_cm2 / AREA_CM2
    grain_boundary = (15.0, cpe_q(15.0, 0.95, 150e3), 0.95)
    interfaces = (interfaces_ohm, cpe_q(interfaces_ohm, alpha, frequency_hz), alpha)
    return EmulatedCell(
        name=name,
        circuit="L0-R0-p(R1,CPE1)-p(R2,CPE2)",
        values=(1e-7, 22.0, *grain_boundary, *interfaces),
        area_cm2=AREA_CM2,
        interfaces_in_path=2,
        kind="symmetric",
        interface="R2",
    )


SYMMETRIC = _symmetric("symmetric-cell", asr_ohm_cm2=10.0, alpha=0.92, frequency_hz=1.2e3)
"""A fresh symmetric cell: 10 ohm cm² per interface, resolved with ease."""

NEAR_TARGET = _symmetric(
    "near-target-cell", asr_ohm_cm2=0.003, alpha=0.95, frequency_hz=1 / (2 * math.pi * 0.003 * 10e-6)
)
"""The same cell at 3 mΩ·cm² per interface: with 10 µF/cm² of double layer its arc peaks at 5.3 MHz."""

POUCH_CELL = EmulatedCell(
    name="pouch-cell",
    circuit="L0-R0-p(R1,CPE1)-p(R2,CPE2)",
    values=(1e-7, 4e-3, 3e-3, cpe_q(3e-3, 0.9, 80.0), 0.9, 5e-3, cpe_q(5e-3, 0.9, 0.8), 0.9),
    area_cm2=40 * AREA_CM2,
    interfaces_in_path=1,
    kind="full",
    interface="R1",
    ocv_v=3.7,
)
"""A full cell of a few milliohms."""

CELLS = {cell.name: cell for cell in (SYMMETRIC, NEAR_TARGET, POUCH_CELL)}
