"""What an instrument can do, and the refusal of a sweep it cannot do before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from eis.errors import RejectedError
from instruments.sweep import Sweep

ROUNDING = 1e-8
"""How much a planned frequency may lie outside the limits, relatively, for being rounded."""
MOST_POINTS = 100_000
"""How many points a sweep may have: more are a slip of the pen, and days of measuring."""
MOST_SHOWN = 3
"""How many planned frequencies outside the limits a message lists."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an instrument can do, and whether anybody has seen this driver do it on real hardware.

    Parameters
    ----------
    f_min_hz, f_max_hz : float
        Frequency limits (Hz).
    v_ac_rms : tuple of float
        Smallest and largest excitation (V rms).
    v_dc : tuple of float
        Lowest and highest DC potential (V).
    native_sweep : {"stream", "block", "none"}
        Whether the instrument runs a whole sweep itself and streams its points, hands over blocks of them, or is
        led point by point.
    has_cell_switch : bool
        Whether the cell can be disconnected by command.
    has_ocv : bool
        Whether the open-circuit voltage can be read.
    instrument_verified : bool
        False until somebody has reported the driver working on real hardware.
    source_resistance_ohm : float
        Output resistance (ohm): less than the programmed excitation reaches a cell of low impedance.
    fixed_amplitude : bool
        Whether the instrument chooses the excitation itself; the one asked for is then not used.
    i_ac_rms : tuple of float, optional
        Smallest and largest excitation of the current (A rms); None if it cannot be controlled.
    i_dc : tuple of float
        Lowest and highest direct current (A).
    blocking_cell_only : bool
        Whether a cell with a voltage of its own must not be connected: a direct current could flow through it.
    plans_cycles : bool
        Whether it can be told over how many cycles to measure a point.
    """

    f_min_hz: float
    f_max_hz: float
    v_ac_rms: tuple[float, float]
    v_dc: tuple[float, float]
    native_sweep: Literal["stream", "block", "none"]
    has_cell_switch: bool
    has_ocv: bool
    instrument_verified: bool
    source_resistance_ohm: float = 0.0
    fixed_amplitude: bool = False
    blocking_cell_only: bool = False
    i_ac_rms: tuple[float, float] | None = None
    i_dc: tuple[float, float] = (0.0, 0.0)
    plans_cycles: bool = False

    def check(self, sweep: Sweep, *, where: str) -> None:
        """Refuse a sweep the instrument cannot do, before anything is sent.

        Raises
        ------
        RejectedError
            If a set-point is outside its limits, or not a number; the message lists what is wrong with them.
        """
        frequencies = (
            ("start_hz", sweep.start_hz, self.f_min_hz, self.f_max_hz, "Hz"),
            ("stop_hz", sweep.stop_hz, self.f_min_hz, self.f_max_hz, "Hz"),
        )
        unused = (
            (("amplitude_v", sweep.amplitude_v), ("dc_v", sweep.dc_v))
            if sweep.is_galvanostatic
            else (("amplitude_a", sweep.amplitude_a), ("dc_a", sweep.dc_a))
        )
        if sweep.is_galvanostatic and self.i_ac_rms is None:
            raise RejectedError(
                "It does not control the current",
                where=where,
                mend="Nothing was sent; give an amplitude in volts.",
            )
        levels = (
            (
                ("amplitude_a", sweep.amplitude_a, *(self.i_ac_rms or (0.0, 0.0)), "A rms"),
                ("dc_a", sweep.dc_a, *self.i_dc, "A"),
            )
            if sweep.is_galvanostatic
            else (
                ("amplitude_v", sweep.amplitude_v, *self.v_ac_rms, "V rms"),
                ("dc_v", sweep.dc_v, *self.v_dc, "V"),
            )
        )
        faults = [
            f"{name} is {value:g}, outside {low:g} to {high:g} {unit}"
            for name, value, low, high, unit in (*frequencies, *levels)
            if not (low <= value <= high)  # written so that NaN is refused
        ]
        faults += [f"{name} is {value:g}, where only 0 goes with the rest" for name, value in unused if value != 0]
        if not 0 < sweep.points_per_decade < math.inf:
            faults.append(f"points_per_decade is {sweep.points_per_decade:g}")
        if not faults and sweep.n_points > MOST_POINTS:
            faults.append(f"there are {sweep.n_points:g} points, and {MOST_POINTS:g} are allowed")
        if not faults:  # a plan may ask for more than its ends
            low, high = self.f_min_hz * (1 - ROUNDING), self.f_max_hz * (1 + ROUNDING)
            faults += [
                f"a planned frequency is {value:g}, outside {self.f_min_hz:g} to {self.f_max_hz:g} Hz"
                for value in sweep.frequencies_hz.tolist()
                if not (low <= value <= high)
            ][:MOST_SHOWN]
        if faults:
            raise RejectedError(
                "; ".join(faults), where=where, mend="Nothing was sent; choose values inside the limits."
            )
