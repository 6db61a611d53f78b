"""What one arc of a cell is: resistance, area-specific resistance, capacitance, process and its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from eis import notebook
from eis.budget import Budget, Line
from eis.equivalents import ROOM_C, exchange_current_density
from eis.errors import ConfigError
from eis.fitted import plain
from eis.quantities import format_si, format_uncertain

Reading = Literal["asr", "per_area", "absolute"]
BULK, GRAIN_BOUNDARY = "bulk", "grain boundary"
THROUGH = (BULK, GRAIN_BOUNDARY)
"""Processes that fill the electrolyte from one electrode to the other."""


@dataclass(frozen=True, slots=True)
class Capacitance:
    """An effective capacitance of an arc and the formula it comes from.

    Parameters
    ----------
    formula : str
        ``"Hsu-Mansfeld"``, ``"Brug"``, ….
    value_f, u_f : float
        Value and standard uncertainty (F).
    applies_to : str
        What the formula was derived for, in words.
    """

    formula: str
    value_f: float
    u_f: float
    applies_to: str

    def __str__(self) -> str:
        return f"{self.formula}: {format_uncertain(self.value_f, self.u_f, 'F')} ({self.applies_to})"


@dataclass(frozen=True, slots=True)
class Interface:
    """One arc of a cell as the interface it may be.

    Parameters
    ----------
    name : str
        The circuit's name of its resistance, e.g. ``"R2"``.
    arc_resistance_ohm, u_arc_resistance_ohm : float
        Width of the arc of one unit cell (ohm): all identical interfaces in the path together; its uncertainty
        holds all `lines`.
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
    u_capacitance_f, u_frequency_hz : float
        Standard uncertainties (F, Hz); NaN if not known.
    capacitances : tuple of Capacitance
        By every formula that can be applied to the arc.
    probabilities : tuple of (str, float)
        The processes it may be, the likeliest first.
    lines : tuple of Line
        What makes up `u_arc_resistance_ohm` (ohm); empty if only the sum is known.
    unit_cell_factor : float
        Resistance of one unit cell over that of the stack that was measured.
    temperature_c : float, optional
        Temperature of the measurement (°C).
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
    u_capacitance_f: float = math.nan
    u_frequency_hz: float = math.nan
    capacitances: tuple[Capacitance, ...] = ()
    probabilities: tuple[tuple[str, float], ...] = ()
    lines: tuple[Line, ...] = ()
    unit_cell_factor: float = 1.0
    temperature_c: float | None = None

    @property
    def asr_ohm_cm2(self) -> float:
        """Area-specific resistance of one interface: R · A / n, never R / A (n = 1 if not stated).

        Bulk and grain boundaries lie between the interfaces, not in them: theirs is R · A of the whole.
        """
        return self.arc_resistance_ohm * self.area_cm2 / self._sharing

    @property
    def u_asr_ohm_cm2(self) -> float:
        """Standard uncertainty of the area-specific resistance, area included (ohm cm²)."""
        return self.budget.u

    @property
    def budget(self) -> Budget:
        """What makes up the uncertainty of the area-specific resistance."""
        return self.budget_for("asr")

    @property
    def i0_a_cm2(self) -> float:
        """Exchange current density RT/(F·ASR) that would give this resistance (A/cm²), 25 °C if not stated."""
        return exchange_current_density(self.asr_ohm_cm2, temperature_c=self._temperature_c)

    @property
    def u_i0_a_cm2(self) -> float:
        """Standard uncertainty of the equivalent exchange current density (A/cm²)."""
        return self.i0_a_cm2 * self.u_asr_ohm_cm2 / self.asr_ohm_cm2

    @property
    def _sharing(self) -> int:
        return 1 if self.process in THROUGH else self.interfaces_in_path or 1

    @property
    def _temperature_c(self) -> float:
        return ROOM_C if self.temperature_c is None else self.temperature_c

    def budget_for(self, reading: Reading, interfaces_in_path: int | None = None) -> Budget:
        r"""Return value and uncertainty under one reading of a limit's unit, line by line.

        .. math:: \frac{R}{n} A \;(\text{asr}), \quad \frac{R}{n A} \;(\text{per\_area}), \quad
            \frac{R}{n} \;(\text{absolute})

        Parameters
        ----------
        reading : {"asr", "per_area", "absolute"}
            Ω·cm², Ω/cm² or Ω.
        interfaces_in_path : int, optional
            n, to try another than the stated one; 1 if none was stated either, and for bulk and boundaries.

        Returns
        -------
        Budget
            Its lines are standard uncertainties in the unit of the value; the area stands among them unless the
            reading does not need it.

        Raises
        ------
        ConfigError
            If there is no such reading.
        """
        if reading not in READING_WORDS:
            raise ConfigError(f"There is no reading {reading!r}", mend=f"Choose {', '.join(READING_WORDS)}.")
        n = interfaces_in_path or self._sharing
        factor, unit = {
            "asr": (self.area_cm2, "Ω·cm²"),
            "per_area": (1 / self.area_cm2, "Ω/cm²"),
            "absolute": (1.0, "Ω"),
        }[reading]
        alone = Line("fit", self.u_arc_resistance_ohm, "as given")
        arc = Budget(self.name, self.arc_resistance_ohm, "Ω", self.lines or (alone,))
        what = f"{READING_WORDS[reading]} of {self.name}" + (f", {n} interfaces in the path" if n > 1 else "")
        return arc.scaled(factor / n, quantity=what, unit=unit, more=self._area_line(reading, factor / n))

    def _area_line(self, reading: Reading, factor: float) -> tuple[Line, ...]:
        if reading == "absolute":
            return ()
        if not self.u_area_cm2:  # no area is known exactly
            return (Line("area", None, "no uncertainty of the area was given"),)
        share = self.u_area_cm2 / self.area_cm2
        return (Line("area", abs(self.arc_resistance_ohm) * factor * share, f"u(A)/A = {share:.2g}"),)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        budget = self.budget
        values = {
            "r_ohm": self.arc_resistance_ohm,
            "u_r_ohm": self.u_arc_resistance_ohm,
            "c_f": self.capacitance_f,
            "u_c_f": self.u_capacitance_f,
            "f0_hz": self.frequency_hz,
            "u_f0_hz": self.u_frequency_hz,
            "asr_ohm_cm2": self.asr_ohm_cm2,
            "u_asr_ohm_cm2": budget.u,
            "i0_a_cm2": self.i0_a_cm2,
        }
        words = {
            "interfaces_in_path": self.interfaces_in_path,
            "unit_cell_factor": self.unit_cell_factor,
            "process": self.process,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "capacitance_formula": self.capacitance_formula,
            "capacitances": [
                plain({"formula": c.formula, "c_f": c.value_f, "u_c_f": c.u_f, "applies_to": c.applies_to})
                for c in self.capacitances
            ],
            "evidence": list(self.evidence),
            "resolved": self.resolved,
            "because": list(self.because),
            "budget": budget.to_dict(),
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

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{notebook.escape(text)}</li>" for text in (*self.evidence, *self.because))
        return f"<p>{notebook.escape(str(self))}</p><ul>{notes}</ul>{self.budget._repr_html_()}"


READING_WORDS: dict[Reading, str] = {"asr": "R·A", "per_area": "R/A", "absolute": "R"}
