"""Whether a spectrum can be trusted, and what is wrong with it if not: the records `eis.validation` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from eis import notebook
from eis.fitted import plain
from eis.quantities import format_si
from eis.spectrum import RealArray

ValidityVerdict = Literal["valid", "suspect", "invalid"]
Cause = Literal[
    "doubt",
    "sign",
    "drift",
    "nonlinear",
    "shift",
    "outlier",
    "mains",
    "high-frequency artefact",
    "inconsistent",
    "noise",
]
"""What a fault comes from: doubted at reading, wrong sign of Z″, drift of the cell, too large an excitation, a
range of points set off from the others, single points, interference of mains, leads and fixture, or none of these:
residuals that follow a shape, or so much noise that nothing else can be seen."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a spectrum.

    Parameters
    ----------
    cause : str
        One of the words of `Cause`.
    severity : {"suspect", "invalid"}
        What it makes of the spectrum.
    because : str
        One sentence that says why.
    frequency_hz : tuple of float
        Where it is seen (Hz): the points themselves, first and last frequency of a range, or the two neighbours
        between which a sweep parts; empty if everywhere.
    size : float
        How large it is, as a fraction of |Z|; NaN if that has no meaning.
    """

    cause: Cause
    severity: Literal["suspect", "invalid"]
    because: str
    frequency_hz: tuple[float, ...] = ()
    size: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        words = {"cause": self.cause, "severity": self.severity, "because": self.because}
        return words | plain({"size": self.size}) | {"frequency_hz": list(self.frequency_hz)}


@dataclass(frozen=True, eq=False)
class Validity:
    """Whether a spectrum obeys the Kramers–Kronig relations, and the numbers behind the answer.

    Parameters
    ----------
    verdict : {"valid", "suspect", "invalid"}
        The answer.
    method : str
        How it was found, e.g. ``"Lin-KK (complex, modulus weights, capacitor)"``.
    m : int
        Number of RC elements used.
    mu : float
        Schönleber's µ, 1 − Σ|R<0| / ΣR≥0.
    rms_residual, max_residual : float
        Root mean square and largest residual, as fractions of |Z|.
    because : tuple of str
        One sentence per reason.
    frequency_hz, residual_real, residual_imag : ndarray, shape (n,)
        Residuals (Z − Ẑ)/|Z| over frequency (Hz).
    faults : tuple of Fault
        What is wrong, the worst first; empty for a valid spectrum.
    noise : float
        Standard deviation of each part that is noise, as a fraction of |Z|; NaN if not known.
    m_by : mapping of str to int
        The number of RC elements by each criterion: ``"aicc"``, ``"bic"``, ``"mu"``, ``"plateau"``.
    marked_hz : tuple of float
        Points that stand out alone (Hz); they stay in the spectrum.
    mains_hz : tuple of float
        Points that lie on a mains line or a harmonic (Hz), whether that did harm or not.
    f_min_hz, f_max_hz : float
        The valid band (Hz): its ends are those of the spectrum unless an end had to be left out.
    cut : tuple of str
        One sentence for each end that lies outside the valid band.
    detectable_drift : float
        Drift during the sweep, as a fraction of the impedance above its high-frequency end, that would have been
        noticed; infinite if none would.
    """

    verdict: ValidityVerdict
    method: str
    m: int
    mu: float
    rms_residual: float
    max_residual: float
    because: tuple[str, ...]
    frequency_hz: RealArray
    residual_real: RealArray
    residual_imag: RealArray
    faults: tuple[Fault, ...] = ()
    noise: float = math.nan
    m_by: Mapping[str, int] = field(default_factory=lambda: {})
    marked_hz: tuple[float, ...] = ()
    mains_hz: tuple[float, ...] = ()
    f_min_hz: float = math.nan
    f_max_hz: float = math.nan
    cut: tuple[str, ...] = ()
    detectable_drift: float = math.nan

    @property
    def form(self) -> Literal["impedance", "admittance"]:
        """What the ladder was fitted to, and the residuals are fractions of."""
        return "admittance" if "admittance" in self.method else "impedance"

    @property
    def causes(self) -> tuple[str, ...]:
        """The causes of all faults, the worst first."""
        return tuple(fault.cause for fault in self.faults)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        numbers = {
            "m": self.m,
            "mu": self.mu,
            "rms_residual": self.rms_residual,
            "max_residual": self.max_residual,
        }
        more = {
            "noise": self.noise,
            "f_min_hz": self.f_min_hz,
            "f_max_hz": self.f_max_hz,
            "detectable_drift": self.detectable_drift,
        }
        lists = {
            "faults": [fault.to_dict() for fault in self.faults],
            "m_by": dict(self.m_by),
            "marked_hz": list(self.marked_hz),
            "mains_hz": list(self.mains_hz),
            "cut": list(self.cut),
        }
        words = {"verdict": self.verdict, "method": self.method}
        return words | plain(numbers) | {"because": list(self.because)} | plain(more) | lists

    def _repr_html_(self) -> str:
        rows = [(fault.cause, fault.severity, fault.because) for fault in self.faults]
        told = {fault.because for fault in self.faults}
        rest = "".join(f"<li>{notebook.escape(text)}</li>" for text in self.because if text not in told)
        found = notebook.table(("cause", "severity", "because"), rows) if rows else ""
        band = f"from {format_si(self.f_min_hz, 'Hz')} to {format_si(self.f_max_hz, 'Hz')}"
        sizes = f"residuals {self.rms_residual:.2%} rms, {self.max_residual:.2%} at most"
        head = f"{self.verdict}: {sizes}; valid band {band}"
        return f"<p>{notebook.escape(head)}</p>{found}<ul>{rest}</ul>"

    def __str__(self) -> str:
        return (
            f"{self.verdict}: residuals {self.rms_residual:.2%} rms, {self.max_residual:.2%} at most "
            f"({self.method}, M = {self.m}, µ = {self.mu:.3g}). " + " ".join(self.because)
        )
