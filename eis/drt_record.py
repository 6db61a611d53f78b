"""What a distribution of relaxation times says: γ with its band, its peaks, and the resistance of any τ window."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from eis import notebook
from eis.drt_peak import LIKELY, TWO_SIDED, DrtPeak, Suggestion, suggestions
from eis.errors import FitError
from eis.fitted import plain
from eis.quantities import COVERAGE, format_si, format_uncertain
from eis.spectrum import ComplexArray, RealArray

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["BORDER", "LIKELY", "TWO_SIDED", "UNSEEN", "Drt", "DrtPeak", "Suggestion"]

BORDER, UNSEEN = 0.03, 2.5
"""E-folds of τ by which smoothing blurs a border, and that γ may go on beyond the sweep; found by simulation."""


@dataclass(frozen=True, eq=False)
class Drt:
    """A distribution of relaxation times γ(ln τ), with what stands beside it and what is known of its peaks.

    Parameters
    ----------
    method : str
        ``"ridge"`` or ``"hierarchical"``.
    basis, penalty, parts, weight : str, int, str, str
        As given to `fitting.drt`.
    lambda_, lambda_rule : float, str
        Strength of smoothing and how it was chosen (``"given"`` if it was).
    r_inf_ohm, inductance_h, elastance_per_f : float
        R∞ (ohm), L (H) and 1/C (1/F) of a series capacitor; NaN where not part of the model. Their ``u_`` are
        standard uncertainties. That of R∞ counts what γ may go on to be beyond the upper end of the sweep; with
        the ridge method it is three to twelve times the scatter, as a random walk for a prior, not held back by
        zero, leaves γ more room there than data that say zero do.
    tau_s, gamma_ohm : ndarray, shape (k,)
        τ (s), rising, and γ (ohm per unit of ln τ).
    gamma_low_ohm, gamma_high_ohm : ndarray, shape (k,)
        95 % credible band of γ, point by point; of the hierarchical method with what smoothing took away.
    peaks : tuple of DrtPeak
        In order of rising τ.
    because : tuple of str
        What a reader should know: what lies beyond the sweep, what is not separable, what was not counted.
    noise : float
        Standard deviation of the weighted residuals, over their weights' own scale: with modulus weights the noise
        of each part as a fraction of ``|Z|``.
    n_effective : float
        Effective number of parameters, tr K.
    frequency_hz, z_ohm, z_fit_ohm : ndarray, shape (n,)
        Data (Hz, ohm) and what the distribution says of them (ohm).
    coefficients : ndarray, shape (m,)
        Coefficients of the basis functions (ohm).
    covariance : ndarray, shape (m, m)
        Their covariance as it counts for areas (ohm²): that of the posterior times a factor found by
        simulation, as its prior is rougher than relaxations are.
    cumulative : ndarray, shape (k, m)
        ∫ γ d ln τ up to each `tau_s`, per coefficient.
    draws : ndarray, shape (s, m)
        Draws of the coefficients from their posterior (ohm); no rows unless asked for.
    """

    method: str
    basis: str
    penalty: int
    parts: str
    weight: str
    lambda_: float
    lambda_rule: str
    r_inf_ohm: float
    u_r_inf_ohm: float
    inductance_h: float
    u_inductance_h: float
    elastance_per_f: float
    u_elastance_per_f: float
    tau_s: RealArray
    gamma_ohm: RealArray
    gamma_low_ohm: RealArray
    gamma_high_ohm: RealArray
    peaks: tuple[DrtPeak, ...]
    because: tuple[str, ...]
    noise: float
    n_effective: float
    frequency_hz: RealArray
    z_ohm: ComplexArray
    z_fit_ohm: ComplexArray
    coefficients: RealArray
    covariance: RealArray
    cumulative: RealArray
    draws: RealArray
    metadata: Mapping[str, Any] = field(default_factory=lambda: {})

    @property
    def r_pol_ohm(self) -> float:
        """The polarisation resistance ∫ γ d ln τ (ohm)."""
        return self.resistance_between(0.0, math.inf)[0]

    @property
    def u_r_pol_ohm(self) -> float:
        """Its standard uncertainty (ohm)."""
        return self.resistance_between(0.0, math.inf)[1]

    def resistance_between(self, tau_low_s: float, tau_high_s: float) -> tuple[float, float]:
        r"""Return the resistance of the processes in a window of τ, and its standard uncertainty (ohm).

        .. math:: R = \int_{\tau_1}^{\tau_2} \gamma \, d \ln \tau

        This needs no circuit, and is a second estimate of what a circuit calls an arc. Smoothing moves some of γ
        over the borders: each adds `BORDER` times γ there to the uncertainty. A window that reaches beyond the
        sweep, where nothing was measured, is uncertain by `UNSEEN` times γ at the end of the sweep.

        Parameters
        ----------
        tau_low_s, tau_high_s : float
            The window (s); 1/(2πτ) is the frequency. 0 and infinity take everything.

        Returns
        -------
        r_ohm, u_r_ohm : float
            The uncertainty is that of this window; what a process leaves outside it is not a part of it, nor are
            errors of the instrument.

        Raises
        ------
        FitError
            If the window is empty.
        """
        if not 0 <= tau_low_s < tau_high_s:
            raise FitError(
                f"A window of τ from {tau_low_s:g} to {tau_high_s:g} s holds nothing",
                mend="Give the shorter τ first, both in seconds.",
            )
        row = self._up_to(tau_high_s) - self._up_to(tau_low_s)
        first, last = (1 / (2 * math.pi * float(f)) for f in self.frequency_hz[[0, -1]])
        ends = [end for end, beyond in ((first, tau_low_s < first), (last, tau_high_s > last)) if beyond]
        cuts = [end for end in (tau_low_s, tau_high_s) if first < end < last]
        there = np.interp(np.log(ends + cuts), np.log(self.tau_s), np.abs(self.gamma_ohm))
        moved = there * np.array([UNSEEN] * len(ends) + [BORDER] * len(cuts))
        variance = float(row @ self.covariance @ row) + float(moved @ moved)
        return float(row @ self.coefficients), math.sqrt(max(variance, 0.0))

    def _up_to(self, tau_s: float) -> RealArray:
        """Interpolate the cumulative integrals at one τ, shape (m,)."""
        if tau_s <= self.tau_s[0]:
            return np.zeros(self.coefficients.size)
        if tau_s >= self.tau_s[-1] or math.isinf(tau_s):
            return np.asarray(self.cumulative[-1])
        x = np.log(self.tau_s)
        place = (math.log(tau_s) - x[0]) / (x[1] - x[0])
        i = min(int(place), x.size - 2)
        part = place - i
        return np.asarray((1 - part) * self.cumulative[i] + part * self.cumulative[i + 1])

    @property
    def residual(self) -> ComplexArray:
        """Residuals (Z − Z_fit)/|Z|, shape (n,)."""
        return np.asarray((self.z_ohm - self.z_fit_ohm) / np.abs(self.z_ohm))

    def suggest(self) -> tuple[Suggestion, ...]:
        """Return circuits the peaks point to, with starts for their fit; the likeliest first.

        The first holds every peak that is real with p ≥ 0.95; the others add the doubtful peaks, take the least
        certain away, or split the widest in two, for `fitting.compare` to decide between.
        """
        return suggestions(
            self.peaks,
            r_inf_ohm=self.r_inf_ohm,
            smallest_ohm=float(np.abs(self.z_ohm).min()),
            inductance_h=self.inductance_h if self.inductance_h > 2 * self.u_inductance_h else math.nan,
            elastance_per_f=self.elastance_per_f,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents; NaN is null there."""
        beside = ("r_inf_ohm", "u_r_inf_ohm", "r_pol_ohm", "u_r_pol_ohm", "inductance_h", "elastance_per_f")
        return {
            "method": self.method,
            **plain({name: getattr(self, name) for name in beside}),
            "peaks": [peak.to_dict() for peak in self.peaks],
            "lambda": self.lambda_,
            "lambda_rule": self.lambda_rule,
            **plain({"noise": self.noise, "n_effective": self.n_effective}),
            "n_points": int(self.frequency_hz.size),
            "suggestions": [{"circuit": s.circuit, "start": dict(s.start)} for s in self.suggest()],
            "because": list(self.because),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per peak."""
        import pandas as pd

        names = [name for name in DrtPeak.__slots__ if name != "because"]
        rows = [{**{n: getattr(p, n) for n in names}, "f_hz": p.f_hz, "c_f": p.c_f} for p in self.peaks]
        return pd.DataFrame(rows, columns=[*names, "f_hz", "c_f"])

    def to_xarray(self) -> xr.Dataset:
        """Return γ with its band over tau, data and fit over frequency, and the peaks, as a Dataset."""
        import xarray as xr

        ohm, seconds = {"units": "ohm"}, {"units": "s"}
        curve = {"gamma": self.gamma_ohm, "gamma_low": self.gamma_low_ohm, "gamma_high": self.gamma_high_ohm}
        data = {"z_real": self.z_ohm.real, "z_imag": self.z_ohm.imag}
        fitted = {"z_fit_real": self.z_fit_ohm.real, "z_fit_imag": self.z_fit_ohm.imag}
        return xr.Dataset(
            {
                **{name: ("tau", values, ohm) for name, values in curve.items()},
                **{name: ("frequency", values, ohm) for name, values in (data | fitted).items()},
                "peak_tau": ("peak", [p.tau_s for p in self.peaks], seconds),
                "peak_r": ("peak", [p.r_ohm for p in self.peaks], ohm),
                "peak_u_r": ("peak", [p.u_r_ohm for p in self.peaks], ohm),
            },
            coords={
                "tau": ("tau", self.tau_s, seconds),
                "frequency": ("frequency", self.frequency_hz, {"units": "Hz"}),
            },
            attrs={
                "method": self.method,
                "lambda": self.lambda_,
                "lambda_rule": self.lambda_rule,
                "r_inf_ohm": self.r_inf_ohm,
                "because": json.dumps(self.because),
            },
        )

    def __repr__(self) -> str:
        peaks = "1 peak" if len(self.peaks) == 1 else f"{len(self.peaks)} peaks"
        return f"<Drt {self.method}: {peaks}, R∞ {format_si(self.r_inf_ohm, 'Ω')}, λ {self.lambda_:.2g}>"

    def __str__(self) -> str:
        lines = [
            f"relaxation times, {self.method}, λ = {self.lambda_:.2g} ({self.lambda_rule}), {self.parts}, "
            f"{self.weight} weights, {self.frequency_hz.size} points (± is U, k = {COVERAGE:g})",
            f"  R∞ = {format_uncertain(self.r_inf_ohm, self.u_r_inf_ohm, 'Ω')}, "
            f"∫γ = {format_uncertain(self.r_pol_ohm, self.u_r_pol_ohm, 'Ω')}",
        ]
        lines += [f"  {peak}" for peak in self.peaks] or ["  no peak"]
        return "\n".join([*lines, *(f"  note: {text}" for text in self.because)])

    def _repr_html_(self) -> str:
        rows = [
            (
                format_si(p.tau_s, "s", digits=3),
                format_si(p.f_hz, "Hz", digits=3),
                format_uncertain(p.r_ohm, p.u_r_ohm, "Ω"),
                format_uncertain(p.c_f, p.u_c_f, "F"),
                f"{p.probability:.2g}" + ("" if p.separable else ", not separable"),
            )
            for p in self.peaks
        ]
        title = notebook.escape(" · ".join(str(self).splitlines()[:2]))
        notes = "".join(f"<li>{notebook.escape(text)}</li>" for text in self.because)
        drawing = notebook.nyquist_svg(self.z_ohm, line_ohm=self.z_fit_ohm)
        heading = ("τ", "f", "R ± U (k = 2)", "C ± U (k = 2)", "p(real)")
        return f"<p>{title}</p>{drawing}{notebook.table(heading, rows)}<ul>{notes}</ul>"
