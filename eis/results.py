"""The frozen records that steps hand to each other; ``u_`` marks a standard uncertainty (k = 1), NaN means none.

`Validity` says whether a spectrum can be trusted, `Fit` what a circuit says about it, `Interface` what an arc is,
`Finding` and `Judgement` how that compares with a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    "Unjudged",
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


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An input that could not be judged, and why.

    Parameters
    ----------
    file : str, optional
        Its file, or None if it came from none.
    error : mapping of str to str
        The error as `EisError.to_dict` gives it: code, message, where, mend.
    index : int, optional
        Which spectrum of the file, from 0, if that holds several.
    """

    file: str | None
    error: Mapping[str, str | None]
    index: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``eis.check/1``."""
        numbered = {} if self.index is None else {"index": self.index}
        return {"file": self.file, **numbered, "error": dict(self.error)}

    @property
    def name(self) -> str:
        """What to call the input: its file, with the spectrum's number if it has one."""
        return f"{self.file}" if self.index is None else f"{self.file} [{self.index}]"

    @property
    def because(self) -> str:
        """Why it could not be judged, in sentences."""
        message, where, mend = (self.error.get(key) or "" for key in ("message", "where", "mend"))
        return " ".join(filter(None, (message, f"({where})" if where else ""))) + (f". {mend}" if mend else ".")
