"""Emulated cells: circuits with known values, so that the truth behind every measurement is known.

A cell may also misbehave in ways whose truth is a formula: its resistances grow with time, its voltage at rest
drifts, its interfaces follow Butler and Volmer, and no more than some current can be measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import ConfigError
from eis.spectrum import Cell, CellKind, ComplexArray, RealArray
from fitting.circuit import Circuit, parse

AREA_CM2 = 1.131
"""Area (cm²) of a 12 mm electrode."""
CURRENT_SOURCE_OHM = 1e12
"""A source resistance (ohm) that makes a current source: give the current times this as the amplitude in volts."""


@dataclass(frozen=True, slots=True)
class Response:
    """What an instrument finds at one frequency, before its noise.

    Parameters
    ----------
    z_ohm : complex
        Impedance (ohm); where the current was clipped, too large by the share of the current that is missing.
    is_saturated : bool
        Whether the excitation needs more current than can be measured.
    """

    z_ohm: complex
    is_saturated: bool


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
        Its voltage at rest (V), when the instrument is switched on.
    ocv_drift_v_per_s : float
        By how much that voltage changes with time (V/s).
    drift_per_hour : float
        By which fraction of their first value resistances grow per hour of the instrument's clock.
    drifting : tuple of str
        The names of the resistances that grow; every parameter in ohm if empty.
    follows_butler_volmer : bool
        Whether `interface` is that of `interfaces_in_path` equal interfaces whose current follows a hyperbolic
        sine; see `impedance`.
    max_current_a : float
        Largest current that can be measured (A, peak); what exceeds it is clipped. See `response`.

    Raises
    ------
    ConfigError
        If the circuit has no such resistances, or the largest current is not above zero.
    """

    name: str
    circuit: str
    values: tuple[float, ...]
    area_cm2: float
    interfaces_in_path: int
    kind: CellKind
    interface: str
    ocv_v: float = 0.0
    ocv_drift_v_per_s: float = 0.0
    drift_per_hour: float = 0.0
    drifting: tuple[str, ...] = ()
    follows_butler_volmer: bool = False
    max_current_a: float = math.inf

    def __post_init__(self) -> None:
        named = (*self.drifting, *((self.interface,) if self.follows_butler_volmer else ()))
        if unknown := [name for name in named if name not in self._resistances]:
            raise ConfigError(
                f"{', '.join(unknown)}: no resistance of {self.circuit}",
                where=f"emulated cell {self.name}",
                mend=f"It has {', '.join(self._resistances) or 'none'}.",
            )
        if not self.max_current_a > 0:
            raise ConfigError(
                f"max_current_a is {self.max_current_a!r}",
                where=f"emulated cell {self.name}",
                mend="Give a current above zero, or leave it out.",
            )

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

    @property
    def _resistances(self) -> tuple[str, ...]:
        """The names of the parameters in ohm."""
        pairs = zip(self.parsed.names, self.parsed.parameters, strict=True)
        return tuple(name for name, one in pairs if one.unit == "ohm")

    def values_at(self, time_s: float) -> tuple[float, ...]:
        """Return the circuit's values (SI) so many seconds after the instrument was switched on: R (1 + r t)."""
        if not self.drift_per_hour:
            return self.values
        growth, grow = 1 + self.drift_per_hour * time_s / 3600, self.drifting or self._resistances
        pairs = zip(self.parsed.names, self.values, strict=True)
        return tuple(value * growth if name in grow else value for name, value in pairs)

    def voltage_v(self, time_s: float = 0.0) -> float:
        """Return the voltage at rest (V) so many seconds after the instrument was switched on."""
        return self.ocv_v + self.ocv_drift_v_per_s * time_s

    def impedance(
        self,
        frequency_hz: ArrayLike,
        time_s: float = 0.0,
        amplitude_v: float = 0.0,
        *,
        source_ohm: float = 0.0,
    ) -> ComplexArray:
        r"""Return the impedance (ohm) at `frequency_hz` (Hz), shape (n,).

        Parameters
        ----------
        frequency_hz : array_like, shape (n,)
            Frequencies (Hz).
        time_s : float, optional
            Seconds since the instrument was switched on.
        amplitude_v : float, optional
            Excitation (V rms) of the source; 0 is one too small to matter.
        source_ohm : float, optional
            Resistance (ohm) between the source and the cell; `CURRENT_SOURCE_OHM` excites the current.

        Returns
        -------
        ndarray of complex, shape (n,)
            Impedance (ohm).

        Notes
        -----
        An interface that follows Butler and Volmer has, at a peak voltage V across it, the resistance of the
        current's first harmonic,

        .. math:: R(V) = R_0 \frac{x}{2 I_1(x)}, \qquad x = \frac{F V}{2 R_g T},

        see `instruments.excitation.interface_error`. V is the interface's part of the excitation. In a circuit of
        two-poles dZ/dR is the square of the share of the current that flows through R (Cohn's theorem), so that
        V = V_a R \|dZ/dR\|^{1/2} / \|Z + R_s\|, over the number of interfaces. One R alone satisfies both, for V
        grows with R and R(V) falls. Harmonics of the voltage across the interface are left out: the result is
        exact where nothing is in series with it, and the balance of the first harmonic elsewhere.

        R. M. Cohn, Proc. IRE 38 (1950) 65.
        """
        omega = 2 * np.pi * np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
        values = self.values_at(time_s)
        if not (self.follows_butler_volmer and amplitude_v > 0):
            return self.parsed.impedance(omega, values)
        points = [self._driven(omega[i : i + 1], values, amplitude_v, source_ohm) for i in range(omega.size)]
        return np.array(points, dtype=np.complex128)

    def response(
        self, frequency_hz: float, time_s: float = 0.0, amplitude_v: float = 0.0, *, source_ohm: float = 0.0
    ) -> Response:
        r"""Return what an instrument finds at one frequency, which clips a current that is too large for it.

        A sine of peak A clipped at a keeps the share N of its first harmonic,

        .. math:: N = \frac{2}{\pi} \left( \arcsin k + k \sqrt{1 - k^2} \right), \qquad k = a / A < 1,

        so that the impedance looks larger by 1/N. Parameters are those of `impedance`.

        A. Gelb, W. E. Vander Velde, Multiple-Input Describing Functions, McGraw-Hill 1968 (saturation).
        """
        z = complex(self.impedance(frequency_hz, time_s, amplitude_v, source_ohm=source_ohm)[0])
        peak_a = math.sqrt(2) * amplitude_v / abs(z + source_ohm)
        if peak_a <= self.max_current_a:
            return Response(z, is_saturated=False)
        k = self.max_current_a / peak_a
        return Response(z * math.pi / 2 / (math.asin(k) + k * math.sqrt(1 - k**2)), is_saturated=True)

    def _driven(
        self, omega: RealArray, values: tuple[float, ...], amplitude_v: float, source_ohm: float
    ) -> complex:
        """Return the impedance (ohm) at one angular frequency (rad/s) with the interfaces driven (V rms)."""
        from scipy.optimize import brentq

        from instruments.excitation import interface_error

        place = self.parsed.names.index(self.interface)

        def with_interface(r_ohm: float) -> tuple[float, ...]:
            return (*values[:place], r_ohm, *values[place + 1 :])

        def excess_ohm(r_ohm: float) -> float:
            z, slopes = self.parsed.jacobian(omega, with_interface(r_ohm))
            share = r_ohm * math.sqrt(abs(slopes[place, 0])) / abs(z[0] + source_ohm)
            peak_v = math.sqrt(2) * amplitude_v * share / self.interfaces_in_path
            return r_ohm - values[place] / (1 + interface_error(peak_v))

        least_ohm, most_ohm = 1e-9 * values[place], values[place]
        r_ohm = brentq(excess_ohm, least_ohm, most_ohm, rtol=1e-12) if excess_ohm(least_ohm) < 0 else least_ohm
        return complex(self.parsed.impedance(omega, with_interface(r_ohm))[0])


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

DRIFTING = replace(SYMMETRIC, name="drifting-cell", drift_per_hour=0.5, ocv_drift_v_per_s=5e-6)
"""The symmetric cell before it has settled: every resistance is its first value times 1 + 0.5 t/h, and the voltage
at rest rises by 0.3 mV/min, from when the instrument is switched on. In 100 s resistances grow by 1.4 %."""

NONLINEAR = replace(
    _symmetric("nonlinear-cell", asr_ohm_cm2=100.0, alpha=0.92, frequency_hz=120.0), follows_butler_volmer=True
)
"""A symmetric cell of 100 ohm cm² per interface that follows Butler and Volmer: R2 = 176.8 ohm · x / (2 I₁(x)),
with x = F V / (2 R T) of the peak voltage V across one of its two interfaces. At 100 mV rms R2 looks 14 % too
small at low frequencies, at 5 mV rms 0.04 %."""

CELLS = {cell.name: cell for cell in (SYMMETRIC, NEAR_TARGET, POUCH_CELL, DRIFTING, NONLINEAR)}
