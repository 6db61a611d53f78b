"""What one arc of a cell is: resistance, area-specific resistance, capacitance, process and its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from eis.fitted import plain
from eis.quantities import format_si, format_uncertain


@dataclass(frozen=True, slots=True)
class Interface:
    """One arc of a cell as the interface it may be.

    Parameters
    ----------
    name : str
        The circuit's name of its resistance, e.g. ``"R2"``.
    arc_resistance_ohm, u_arc_resistance_ohm : float
        Width of the arc as measured (ohm): all identical interfaces in the path together.
    interfaces_in_path : int, optional
        How many interfaces share the arc; None if nobody said.
    area_cm2, u_area_cm2 : float
        Electrode area (cm²).
    capacitance_f : float
        Effective capacitance of the whole arc (F), never Q; see `capacitance_formula`.
    frequency_hz : float
        Characteristic frequency 1/(2πτ) (Hz), where −Z″ of the arc peaks.
    process : str
        What the arc is taken to be, or ``"ambiguous"``; `confidence` 0…1 and `evidence` say why.
    resolved : bool
        Whether the data determine the arc at all; `because` holds the reasons if not.
    """

    name: str
    arc_resistance_ohm: float
    u_arc_resistance_ohm: float
    interfaces_in_path: int | None
    area_cm2: float
    u_area_cm2: float
    capacitance_f: float
    capacitance_formula: str
    frequency_hz: float
    process: str
    confidence: float
    evidence: tuple[str, ...]
    resolved: bool
    because: tuple[str, ...]

    @property
    def asr_ohm_cm2(self) -> float:
        """Area-specific resistance of one interface: R · A / n, never R / A (n = 1 if not stated)."""
        return self.arc_resistance_ohm * self.area_cm2 / (self.interfaces_in_path or 1)

    @property
    def u_asr_ohm_cm2(self) -> float:
        """Standard uncertainty of the area-specific resistance, area included (ohm cm²)."""
        n = self.interfaces_in_path or 1
        return math.hypot(self.u_arc_resistance_ohm * self.area_cm2, self.arc_resistance_ohm * self.u_area_cm2) / n

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        values = {
            "r_ohm": self.arc_resistance_ohm,
            "u_r_ohm": self.u_arc_resistance_ohm,
            "c_f": self.capacitance_f,
            "f0_hz": self.frequency_hz,
            "asr_ohm_cm2": self.asr_ohm_cm2,
            "u_asr_ohm_cm2": self.u_asr_ohm_cm2,
        }
        words = {
            "interfaces_in_path": self.interfaces_in_path,
            "process": self.process,
            "confidence": self.confidence,
            "capacitance_formula": self.capacitance_formula,
            "evidence": list(self.evidence),
            "resolved": self.resolved,
            "because": list(self.because),
        }
        return {"name": self.name} | plain(values) | words

    def __str__(self) -> str:
        n = self.interfaces_in_path
        path = f"{n} in path" if n else "number in path not stated"
        capacitance, frequency = (
            format_si(self.capacitance_f, "F", digits=3),
            format_si(self.frequency_hz, "Hz", digits=3),
        )
        return (
            f"{self.name}: {format_uncertain(self.arc_resistance_ohm, self.u_arc_resistance_ohm, 'Ω')} ({path}), "
            f"ASR {format_uncertain(self.asr_ohm_cm2, self.u_asr_ohm_cm2, 'Ω·cm²')}, "
            f"C {capacitance}, f0 {frequency}: "
            f"{self.process} ({self.confidence:.0%})" + ("" if self.resolved else ", NOT RESOLVED")
        )
