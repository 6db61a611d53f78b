"""How large an excitation a planned measurement bears, and whether potential or current should be controlled."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from eis.designs import Design, arc_of
from eis.fitted import plain
from eis.quantities import format_si
from eis.spectrum import RealArray
from fitting.weights import ErrorStructure
from instruments.excitation import advised_current_a, interface_error

LOW_OHM = 1.0
"""A cell whose impedance stays below this (Ω) is better driven by a current."""
USUAL_TEMPERATURE_C = 25.0


@dataclass(frozen=True, slots=True)
class Excitation:
    """An excitation that keeps every interface linear.

    Parameters
    ----------
    control : {"potential", "current"}
        What is excited.
    level : float
        Amplitude, rms (V or A).
    interface_v : float
        Peak voltage across one of the interfaces in question (V).
    error : float
        By what fraction their conductance then looks too large.
    because : tuple of str
        What limits it.
    """

    control: Literal["potential", "current"]
    level: float
    interface_v: float
    error: float
    because: tuple[str, ...]

    @property
    def short(self) -> str:
        """The excitation in a few words."""
        return _rms(self.control, self.level * math.sqrt(2))

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        values = asdict(self)
        return {**plain(values), "because": list(self.because)}


def advise(
    design: Design, *, critical_a_per_cm2: float | None = None, capacity_ah: float | None = None
) -> Excitation:
    """Return the largest excitation that leaves at most 10 mV peak across the whole cell, and so every interface.

    A tenth of the critical current density, and a half-wave of 0.1 % of the capacity, are further limits if known.
    A cell that stays below 1 Ω is driven by a current.

    Raises
    ------
    ConfigError
        If the critical current density or the capacity is not above zero.
    """
    f = design.sweep.frequencies_hz
    signed = design.parsed.impedance(2 * np.pi * f, design.values)
    z = np.abs(signed)
    area, stop = design.cell.area_cm2, design.sweep.stop_hz if capacity_ah is not None else None

    def bearable_a(z_ohm: float) -> float:
        return advised_current_a(
            z_ohm, area_cm2=area, critical_a_per_cm2=critical_a_per_cm2, capacity_ah=capacity_ah, stop_hz=stop
        )

    interface = _interface_ohm(design, f) / (design.cell.interfaces_in_path or 1) / design.cell.cells_in_series
    sigma = design.noise.sigma_ohm(signed) if isinstance(design.noise, ErrorStructure) else design.noise * z
    noise = float((sigma / z).min())
    because = []
    if z.max() < LOW_OHM:
        control: Literal["potential", "current"] = "current"
        peak = bearable_a(float(z.max()))
        across = peak * float(interface.max())
        because.append("control the current: the cell stays below 1 Ω")
        resolution = format_si(noise * peak * float(z.min()) / math.sqrt(2), "V", digits=3)
    else:
        control = "potential"
        peak = bearable_a(float(z.min())) * float(
            z.min()
        )  # where most current flows, it is the current that limits
        across = peak * float((interface / z).max())
        resolution = format_si(noise * peak / float(z.max()) / math.sqrt(2), "A", digits=3)
    at_c = USUAL_TEMPERATURE_C if design.cell.temperature_c is None else design.cell.temperature_c
    error = interface_error(across, temperature_c=at_c)
    share = f"{100 * error:.2g} %" if error >= 1e-5 else "less than 0.001 %"
    because += [
        f"at {_rms(control, peak)} at most {format_si(across, 'V', digits=3)} peak fall across one interface; its "
        f"resistance reads {share} too small by that",
        f"the noise supposed is {resolution} rms of the {'voltage' if control == 'current' else 'current'}",
    ]
    return Excitation(control, peak / math.sqrt(2), across, error, tuple(because))


def _interface_ohm(design: Design, frequency_hz: RealArray) -> RealArray:
    """Return |Z| (ohm) of the interface's arc alone; of its resistance if it is no arc."""
    r, arc = design.value(design.element), arc_of(design)
    if arc is None:
        return np.full(frequency_hz.size, r)
    found = next(one for one in design.parsed.arcs if one.resistance == design.element)
    alpha = design.value(found.exponent) if found.exponent else 1.0
    return np.asarray(np.abs(r / (1 + (2j * np.pi * frequency_hz * arc[0]) ** alpha)))


def _rms(control: str, peak: float) -> str:
    return f"{format_si(peak / math.sqrt(2), 'V' if control == 'potential' else 'A', digits=3)} rms"
