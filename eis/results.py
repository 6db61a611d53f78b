"""The frozen records that steps hand to each other; ``u_`` marks a standard uncertainty (k = 1), NaN means none.

`Validity` says whether a spectrum can be trusted, `Fit` what a circuit says about it, `Interface` what an arc is,
`Finding` and `Judgement` how that compares with a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eis.budget import Budget, Line
from eis.fitted import Arc, Fit, Parameter, plain
from eis.interface import Interface
from eis.judgement import READINGS, Finding, Judgement, Reading, Verdict
from eis.spectrum import Cell, Spectrum
from eis.validity import Cause, Fault, Validity, ValidityVerdict

__all__ = [
    "READINGS",
    "Arc",
    "Assessment",
    "Budget",
    "Cause",
    "Fault",
    "Finding",
    "Fit",
    "Interface",
    "Judgement",
    "Line",
    "Parameter",
    "Reading",
    "Validity",
    "ValidityVerdict",
    "Verdict",
]


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
        metadata = self.spectrum.metadata
        return {
            "file": metadata.get("file"),
            **({"index": metadata["index"]} if "index" in metadata else {}),
            **self.judgement.to_dict(),
            "cell": self.cell.to_dict(),
            "validity": self.validity.to_dict(),
            "fit": self.fit.to_dict(),
            "candidates": [plain({"circuit": circuit, "aicc": aicc}) for circuit, aicc in self.candidates],
        }
