"""The frozen records that steps hand to each other; ``u_`` marks a standard uncertainty (k = 1), NaN means none.

`Validity` says whether a spectrum can be trusted, `Fit` what a circuit says about it, `Interface` what an arc is,
`Finding` and `Judgement` how that compares with a limit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from eis import notebook
from eis.fitted import Arc, Fit, Parameter, plain
from eis.quantities import format_si, format_uncertain
from eis.spectrum import Cell, Spectrum
from eis.validity import Cause, Fault, Validity, ValidityVerdict

__all__ = [
    "READINGS",
    "Arc",
    "Assessment",
    "Cause",
    "Fault",
    "Finding",
    "Fit",
    "Interface",
    "Judgement",
    "Parameter",
    "Reading",
    "Validity",
    "ValidityVerdict",
    "Verdict",
]

Reading = Literal["asr", "per_area", "absolute"]
READINGS: tuple[Reading, ...] = ("asr", "per_area", "absolute")


class Verdict(StrEnum):
    """What a check may say."""

    PASS = "PASS"
    CONDITIONAL_PASS = "CONDITIONAL_PASS"
    CONDITIONAL_FAIL = "CONDITIONAL_FAIL"
    FAIL = "FAIL"
    NOT_RESOLVED = "NOT_RESOLVED"
    INDETERMINATE_UNITS = "INDETERMINATE_UNITS"
    INVALID_DATA = "INVALID_DATA"

    @property
    def exit_code(self) -> int:
        """0 for PASS, 1 for FAIL, 3 for everything the measurement cannot decide."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1}.get(self, 3)


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


@dataclass(frozen=True, slots=True)
class Finding:
    """One quantity against one limit under one reading of its unit.

    `acceptance_limit` is the limit less the guard band; `p_conform` the probability that the true value conforms.
    """

    quantity: str
    reading: Reading
    interfaces_in_path: int
    value: float
    u: float
    unit: str
    limit: float
    k: float
    p_conform: float
    rule: str
    acceptance_limit: float
    verdict: Verdict
    because: str

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return plain(asdict(self))


@dataclass(frozen=True, slots=True)
class Judgement:
    """A cell against a spec: the verdict, why, and what would change it.

    Parameters
    ----------
    verdict : Verdict
        The answer over all findings.
    because : str
        One sentence that makes it believable.
    limit_text : str
        The limit as its source prints it, and what is known of the source.
    findings : tuple of Finding
        One per reading (and per possible number of interfaces if that was not stated).
    arcs : tuple of Interface
        All arcs found, in order of rising time constant.
    would_change : tuple of str
        What would flip or settle the verdict.
    """

    verdict: Verdict
    because: str
    limit_text: str
    findings: tuple[Finding, ...]
    arcs: tuple[Interface, ...]
    would_change: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The exit code `eis check` gives for this verdict."""
        return self.verdict.exit_code

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return {
            "verdict": str(self.verdict),
            "because": self.because,
            "limit_text": self.limit_text,
            "findings": [finding.to_dict() for finding in self.findings],
            "arcs": [arc.to_dict() for arc in self.arcs],
            "would_change": list(self.would_change),
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.because}", f"  limit: {self.limit_text}"]
        lines += [f"  {finding.because}" for finding in self.findings]
        lines += [f"  {arc}" for arc in self.arcs]
        return "\n".join(lines + [f"  would change it: {text}" for text in self.would_change])

    def _repr_html_(self) -> str:
        rows = [
            (f.reading, f"{f.value:.4g} ± {f.k * f.u:.2g} {f.unit}", f"{f.limit:g}", f.verdict)
            for f in self.findings
        ]
        text = notebook.escape(f"{self.verdict}: {self.because}")
        return f"<p><b>{text}</b></p>{notebook.table(('reading', 'value ± U', 'limit', 'verdict'), rows)}"


@dataclass(frozen=True, eq=False)
class Assessment:
    """One spectrum all the way: what was measured, whether it can be trusted, what was fitted, the verdict.

    Parameters
    ----------
    spectrum, cell, validity, fit, judgement
        The records of the steps.
    candidates : tuple of (str, float)
        The circuits that were tried and their AICc, best first; one if the circuit was given.
    """

    spectrum: Spectrum
    cell: Cell
    validity: Validity
    fit: Fit
    judgement: Judgement
    candidates: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``eis.check/1``: the verdict and, under `validity` and `fit`, its evidence."""
        return {
            "file": self.spectrum.metadata.get("file"),
            **self.judgement.to_dict(),
            "cell": self.cell.to_dict(),
            "validity": self.validity.to_dict(),
            "fit": self.fit.to_dict(),
            "candidates": [plain({"circuit": circuit, "aicc": aicc}) for circuit, aicc in self.candidates],
        }
