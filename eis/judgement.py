"""How a cell compares with a limit: one `Finding` per reading, and the `Judgement` over all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from eis import notebook
from eis.fitted import plain
from eis.interface import Interface

Reading = Literal["asr", "per_area", "absolute"]
READINGS: tuple[Reading, ...] = ("asr", "per_area", "absolute")
FindingReading = Literal["asr", "per_area", "absolute", "direct"]
READING_LABELS: dict[FindingReading, str] = {"asr": "R·A", "per_area": "R/A", "absolute": "R", "direct": "value"}
"""How each reading of a limit's unit is written."""
"""A reading of a resistance, or "direct" for a quantity whose unit leaves no choice."""
Bound = Literal["upper", "lower", "window"]


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
class Finding:
    """One quantity against one limit under one reading of its unit.

    Parameters
    ----------
    quantity : str
        What is compared, e.g. ``"R2: electrode interface"``.
    reading : str
        How the limit's unit is read; ``"direct"`` where there is no choice.
    interfaces_in_path : int
        Over how many interfaces the arc is shared.
    value, u : float
        Value and standard uncertainty in `unit`; `u` is NaN where none was given.
    unit : str
        ``"ohm cm2"``, ``"ohm/cm2"``, ``"ohm"``, or the limit's own unit.
    limit : float
        The limit: the upper one of a window.
    k : float
        Coverage factor of the expanded uncertainty, Student's t where `u` has few degrees of freedom.
    p_conform : float
        Probability that the true value conforms.
    rule : str
        The decision rule.
    acceptance_limit : float
        The limit less (a lower limit: plus) the guard band.
    verdict : Verdict
    because : str
        All of it as one line.
    arc : str
        Name of the arc; empty for other quantities.
    limit_text : str
        The limit as its source prints it.
    bound : {"upper", "lower", "window"}
        What `limit` is.
    lower_limit, lower_acceptance_limit : float
        Of a window; NaN otherwise.
    degrees_of_freedom : float
        Of `u`.
    by_bound : bool
        Whether the arc is not resolved and passes because its upper bound is below the limit.
    lod, loq : float
        Limits of detection and of quantification, 3.3 and 10 times the blank's standard uncertainty, in `unit`;
        NaN if no blank was measured.
    """

    quantity: str
    reading: FindingReading
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
    arc: str = ""
    limit_text: str = ""
    bound: Bound = "upper"
    lower_limit: float = math.nan
    lower_acceptance_limit: float = math.nan
    degrees_of_freedom: float = math.inf
    by_bound: bool = False
    lod: float = math.nan
    loq: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return plain({name: getattr(self, name) for name in self.__slots__})


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
    windows : tuple of Finding
        Process values against the windows of the spec; they do not change the verdict.
    """

    verdict: Verdict
    because: str
    limit_text: str
    findings: tuple[Finding, ...]
    arcs: tuple[Interface, ...]
    would_change: tuple[str, ...]
    windows: tuple[Finding, ...] = ()

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
            "windows": [finding.to_dict() for finding in self.windows],
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.because}", f"  limit: {self.limit_text}"]
        lines += [f"  {finding.because}" for finding in self.findings]
        lines += [f"  {arc}" for arc in self.arcs]
        lines += [f"  process: {finding.because}" for finding in self.windows]
        return "\n".join(lines + [f"  would change it: {text}" for text in self.would_change])

    def _repr_html_(self) -> str:
        rows = [
            (f.reading, f"{f.value:.4g} ± {f.k * f.u:.2g} {f.unit}", f"{f.limit:g}", f.verdict)
            for f in self.findings
        ]
        text = notebook.escape(f"{self.verdict}: {self.because}")
        return f"<p><b>{text}</b></p>{notebook.table(('reading', 'value ± U', 'limit', 'verdict'), rows)}"
