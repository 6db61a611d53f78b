"""How a cell compares with a limit: one `Finding` per reading, and the `Judgement` over all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from eis import notebook
from eis.fitted import plain
from eis.interface import Interface

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
