"""Distributions of relaxation times of many spectra over one grid of τ, with the uncertainty of what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from eis.drt_record import BORDER, TWO_SIDED, UNSEEN
from eis.errors import FitError
from eis.spectrum import IntArray, RealArray
from fitting.drt_peaks import BAND, WINDOW

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

VALLEY = 0.9
"""A valley parts two peaks if it is lower than this share of the smaller one."""


@dataclass(frozen=True, eq=False)
class DrtBatch:
    """Distributions of many spectra over one grid of τ.

    Parameters
    ----------
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz).
    tau_s : ndarray, shape (m,)
        Centres of the basis functions (s), rising.
    gamma_ohm : ndarray, shape (spectra, m)
        γ there (ohm per unit of ln τ); NaN for a spectrum that could not be used.
    coefficients : ndarray, shape (spectra, m)
        Coefficients of the basis functions (ohm).
    area : ndarray, shape (m,)
        Integral of each basis function.
    lambda_ : ndarray, shape (spectra,)
        Strength of smoothing.
    r_inf_ohm, inductance_h, elastance_per_f : ndarray, shape (spectra,)
        What stands beside γ; NaN where not part of the model.
    rms_residual : ndarray, shape (spectra,)
        Root mean square of ``|Z − Ẑ|/|Z|``.
    variance_ohm2 : ndarray, shape (spectra,)
        Variance of the weighted residuals (ohm²), not below what instruments reach; the posterior covariance of a
        spectrum's coefficients is this times its inverse.
    inverses : ndarray, shape (k, m, m)
        The different inverses of the normal matrix, for the coefficients of γ.
    which : ndarray of int, shape (spectra,)
        The inverse of each spectrum.
    fine_tau_s, values : ndarray, shape (p,) and (p, m)
        Where γ can be drawn (s), and γ there per coefficient.
    non_negative : bool
        Whether γ was kept from becoming negative.
    """

    frequency_hz: RealArray
    tau_s: RealArray
    gamma_ohm: RealArray
    coefficients: RealArray
    area: RealArray
    lambda_: RealArray
    r_inf_ohm: RealArray
    inductance_h: RealArray
    elastance_per_f: RealArray
    rms_residual: RealArray
    variance_ohm2: RealArray
    inverses: RealArray
    which: IntArray
    fine_tau_s: RealArray
    values: RealArray
    non_negative: bool

    def __len__(self) -> int:
        return int(self.lambda_.size)

    @property
    def r_pol_ohm(self) -> RealArray:
        """Polarisation resistance ∫γ d ln τ (ohm), shape (spectra,)."""
        return np.asarray(self.coefficients @ self.area)

    @property
    def u_r_pol_ohm(self) -> RealArray:
        """Its standard uncertainty (ohm), shape (spectra,)."""
        return self.resistance_between(0.0, math.inf)[1]

    def resistance_between(self, tau_low_s: float, tau_high_s: float) -> tuple[RealArray, RealArray]:
        """Return the resistance in a window of τ and its standard uncertainty (ohm), each of shape (spectra,).

        Parameters
        ----------
        tau_low_s, tau_high_s : float
            The window (s). 0 and infinity take everything.

        Returns
        -------
        r_ohm, u_r_ohm : ndarray, shape (spectra,)
            As of `eis.Drt.resistance_between`, for the ridge method; NaN for a spectrum that could not be used.
        """
        if not 0 <= tau_low_s < tau_high_s:
            raise FitError(
                f"A window of τ from {tau_low_s:g} to {tau_high_s:g} s holds nothing",
                mend="Give the shorter τ first, both in seconds.",
            )
        row = self._up_to(tau_high_s) - self._up_to(tau_low_s)
        noise = (self.inverses @ row) @ row
        first, last = 1 / (2 * np.pi * self.frequency_hz[[0, -1]])
        moved = np.zeros(len(self))
        for end, counts, weight in (
            (first, tau_low_s < first, UNSEEN),
            (last, tau_high_s > last, UNSEEN),
            (tau_low_s, first < tau_low_s < last, BORDER),
            (tau_high_s, first < tau_high_s < last, BORDER),
        ):
            if counts:
                moved += (weight * self.coefficients @ self._at(self.values, end)) ** 2
        u = np.sqrt(WINDOW[True] ** 2 * self.variance_ohm2 * noise[self.which] + moved)
        return np.asarray(self.coefficients @ row), np.asarray(u)

    def _up_to(self, tau_s: float) -> RealArray:
        """Return ∫ γ d ln τ up to one τ, per coefficient."""
        step = float(np.log(self.fine_tau_s[1] / self.fine_tau_s[0]))
        if tau_s <= self.fine_tau_s[0]:
            return np.zeros(self.area.size)
        if tau_s >= self.fine_tau_s[-1]:
            return self.area
        cumulative = step * (np.cumsum(self.values, axis=0) - 0.5 * (self.values + self.values[0]))
        return self._at(cumulative, tau_s)

    def _at(self, table: RealArray, tau_s: float) -> RealArray:
        """Interpolate a table over `fine_tau_s` at one τ."""
        x = np.log(self.fine_tau_s)
        place = (math.log(tau_s) - x[0]) / (x[1] - x[0])
        i = min(max(int(place), 0), x.size - 2)
        return np.asarray((1 - place + i) * table[i] + (place - i) * table[i + 1])

    def bands(self) -> tuple[RealArray, RealArray]:
        """Return the lower and upper end of γ's 95 % bands at `tau_s` (ohm), each of shape (spectra, m)."""
        at = at_centres(self.fine_tau_s, self.tau_s, self.values)
        u_of_one = np.sqrt(np.maximum(((at @ self.inverses) * at).sum(axis=2), 0.0))
        reach = TWO_SIDED * BAND[True] * np.sqrt(self.variance_ohm2)[:, None] * u_of_one[self.which]
        low = self.gamma_ohm - reach
        return np.where(self.non_negative, np.maximum(low, 0.0), low), self.gamma_ohm + reach

    def peaks(self, row: int) -> tuple[RealArray, RealArray]:
        """Return τ (s) and R (ohm) of the peaks of one spectrum, in order of τ, without a judgement on them.

        `fitting.drt` of that spectrum gives them with their uncertainty and probability.
        """
        gamma = self.gamma_ohm[row]
        if not np.isfinite(gamma).all() or not gamma.max() > 0:
            return np.empty(0), np.empty(0)
        tops = [int(i) + 1 for i in np.flatnonzero((gamma[1:-1] > gamma[:-2]) & (gamma[1:-1] >= gamma[2:]))]
        tops = [i for i in tops if gamma[i] > 1e-3 * gamma.max()]
        k = 0
        while k < len(tops) - 1:
            a, b = tops[k], tops[k + 1]
            if gamma[a : b + 1].min() > VALLEY * min(gamma[a], gamma[b]):
                tops.pop(k if gamma[a] < gamma[b] else k + 1)
                k = max(k - 1, 0)
            else:
                k += 1
        edges = [
            0,
            *(a + int(np.argmin(gamma[a : b + 1])) for a, b in pairwise(tops)),
            gamma.size,
        ]
        masses = self.coefficients[row] * self.area
        areas = [float(masses[a:b].sum()) for a, b in pairwise(edges)] if tops else []
        return self.tau_s[tops], np.array(areas)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per spectrum: λ, R∞, L, 1/C, ∫γ with its uncertainty, and the residual."""
        import pandas as pd

        beside = ("lambda_", "r_inf_ohm", "inductance_h", "elastance_per_f")
        names = (*beside, "r_pol_ohm", "u_r_pol_ohm", "rms_residual")
        return pd.DataFrame({name.rstrip("_"): getattr(self, name) for name in names})

    def to_xarray(self) -> xr.Dataset:
        """Return γ over spectrum and tau, and what stands beside it, as a Dataset."""
        import xarray as xr

        ohm = {"units": "ohm"}
        return xr.Dataset(
            {
                "gamma": (("spectrum", "tau"), self.gamma_ohm, ohm),
                "r_inf": ("spectrum", self.r_inf_ohm, ohm),
                "r_pol": ("spectrum", self.r_pol_ohm, ohm),
                "u_r_pol": ("spectrum", self.u_r_pol_ohm, ohm),
                "inductance": ("spectrum", self.inductance_h, {"units": "H"}),
                "lambda": ("spectrum", self.lambda_),
                "rms_residual": ("spectrum", self.rms_residual),
            },
            coords={"tau": ("tau", self.tau_s, {"units": "s"})},
        )

    def __repr__(self) -> str:
        bad = int((~np.isfinite(self.lambda_)).sum())
        return f"<DrtBatch: {len(self)} spectra, {self.tau_s.size} τ" + (f", {bad} unusable>" if bad else ">")


def at_centres(fine_tau_s: RealArray, tau_s: RealArray, values: RealArray) -> RealArray:
    """Return γ at the centres of the basis functions, per coefficient."""
    return values[np.searchsorted(fine_tau_s, tau_s * (1 - 1e-9))]
