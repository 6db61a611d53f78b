"""Ladders of RC elements: linear models that follow every spectrum which obeys Kramers–Kronig, and no other.

Z = R + jωL + 1/(jωC) + Σ R_k/(1 + jωτ_k), with R_k of either sign, is fitted linearly to both parts at once. The
same ladder on 1/Z (the admittance form) follows cells whose differential resistance is negative, where Z passes
through infinity.

M. Schönleber, D. Klotz, E. Ivers-Tiffée, Electrochim. Acta 131 (2014) 20, doi:10.1016/j.electacta.2014.01.034.
B. A. Boukamp, J. Electrochem. Soc. 142 (1995) 1885, doi:10.1149/1.2044210.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import ComplexArray, RealArray

Form = Literal["impedance", "admittance"]

PER_DECADE_MIN, PER_DECADE_MAX = 2.0, 6.0
"""RC elements per decade: from a floor that one arc needs to a ceiling that noise would start to fill."""
EXTENSIONS = (0.0, 0.5)
"""Decades by which the time constants go beyond the data at either end; a tail needs some, an arc inside none."""
EXTENSION_TOLL = 6.0
"""By how much AICc must fall before time constants beyond the data are believed."""
UNEVEN_WINDOW, UNEVEN = 21, 3.0
"""Points over which noise is compared, and by how much it must vary to be called uneven."""
SPARE_POINTS = 4
"""Points by which a spectrum must outnumber the elements of its ladder."""
MU_STOP = 0.85
"""Schönleber's limit: the first M whose µ falls below it."""
PLATEAU = 1.05
"""The shortest ladder whose residuals are within this factor of the least is on the plateau."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One linear fit of a ladder.

    Parameters
    ----------
    m, extension, form : int, float, str
        Number of RC elements, decades of time constants beyond the data, and what was fitted.
    resistances : ndarray, shape (m,)
        R_k (ohm; siemens in the admittance form).
    basis : ndarray, shape (2n, m + 3)
        Orthonormal columns that span what the ladder can follow, of the weighted real, then imaginary parts.
    left : ndarray, shape (2n,)
        What is left over: weighted real, then imaginary parts.
    unevenness : ndarray, shape (n,)
        Noise at each point relative to the others; the weights are 1/(|Z| · unevenness).
    """

    m: int
    extension: float
    form: Form
    resistances: RealArray
    basis: RealArray
    left: RealArray
    unevenness: RealArray

    @property
    def mu(self) -> float:
        """Schönleber's µ."""
        return ladder_mu(self.resistances)

    @property
    def residual(self) -> ComplexArray:
        """(Z − Ẑ)/|Z|, or (Y − Ŷ)/|Y|, shape (n,)."""
        n = self.left.size // 2
        return np.asarray((self.left[:n] + 1j * self.left[n:]) * self.unevenness)

    @property
    def chi2(self) -> float:
        """Sum of squares of what is left over."""
        return max(float(self.left @ self.left), 1e-28)

    @property
    def sigma(self) -> float:
        """Standard deviation of each part, had everything left over been noise."""
        return math.sqrt(self.chi2 / max(self.left.size - self.basis.shape[1], 1))

    @property
    def aicc(self) -> float:
        """Corrected information criterion of Akaike."""
        return aicc(self.chi2, self.left.size, self.basis.shape[1])

    @property
    def bic(self) -> float:
        """Bayesian information criterion."""
        n, k = self.left.size, self.basis.shape[1]
        return float(n * math.log(self.chi2 / n) + k * math.log(n))


def aicc(chi2: float, n: int, k: int) -> float:
    """Return the corrected information criterion of `k` parameters that leave `chi2` of `n` values."""
    return n * math.log(max(chi2, 1e-28) / n) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)


def ladder_mu(resistances: RealArray) -> float:
    """Return Schönleber's µ = 1 − Σ|R<0| / Σ R≥0 (eq. 21); −inf when none is positive."""
    negative = float(-resistances[resistances < 0].sum())
    positive = float(resistances[resistances >= 0].sum())
    return 1 - negative / positive if positive > 0 else -math.inf


def time_constants(frequency_hz: RealArray, m: int, extension_decades: float = 0.0) -> RealArray:
    """Return `m` time constants (s), evenly spaced in log from 1/ω_max to 1/ω_min, or beyond by some decades."""
    omega, more = 2 * np.pi * frequency_hz, 10.0**extension_decades
    return np.geomspace(1 / omega.max() / more, more / omega.min(), m)


def ladder_columns(
    frequency_hz: RealArray, m: int, extension_decades: float = 0.0, *, capacitor: bool = True
) -> ComplexArray:
    """Return what R, L, 1/C (unless `capacitor` is False) and the R_k multiply, shape (n, m + 3)."""
    omega = 2 * np.pi * frequency_hz
    tau = time_constants(frequency_hz, m, extension_decades)
    series = [np.ones(omega.size), 1j * omega] + ([-1j / omega] if capacitor else [])
    return np.asarray(np.column_stack([*series, 1 / (1 + 1j * np.outer(omega, tau))]), dtype=np.complex128)


def fit_ladder(
    frequency_hz: RealArray, z_ohm: ComplexArray, m: int, *, capacitor: bool = True
) -> tuple[RealArray, ComplexArray]:
    """Fit a ladder of `m` RC elements with series R, L and C, weighted by 1/|Z|.

    Parameters
    ----------
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm).
    m : int
        Number of RC elements.
    capacitor : bool
        Whether there is a series capacitor; a spectrum without a low-frequency intercept needs one.

    Returns
    -------
    resistances : ndarray, shape (m,)
        R_k (ohm), of either sign.
    residual : ndarray, shape (n,)
        (Z − Ẑ)/|Z|.
    """
    size = np.abs(z_ohm)
    model = ladder_columns(frequency_hz, m, capacitor=capacitor)
    matrix = _parts(model / size[:, None])
    scale = np.linalg.norm(matrix, axis=0)
    solution = np.linalg.lstsq(matrix / scale, _parts(z_ohm / size), rcond=1e-12)[0] / scale
    return solution[-m:], np.asarray((z_ohm - model @ solution) / size)


def schonleber_ladder(
    frequency_hz: RealArray, z_ohm: ComplexArray, *, c: float = MU_STOP, most: int = 50, capacitor: bool = True
) -> tuple[int, float, ComplexArray]:
    """Raise M from 1 until µ falls to `c` or M reaches `most`, as Schönleber does.

    The rule can stop far too early on sound data; it is here to compare with others.

    Returns
    -------
    m, mu : int, float
        Where it stopped.
    residual : ndarray, shape (n,)
        (Z − Ẑ)/|Z|.
    """
    for m in range(1, most + 1):
        resistances, residual = fit_ladder(frequency_hz, z_ohm, m, capacitor=capacitor)
        if (mu := ladder_mu(resistances)) <= c or m == most:
            return m, mu, residual
    raise ValueError("most is below 1")


def lengths(frequency_hz: RealArray, extension_decades: float = 0.0) -> range:
    """Return the numbers of RC elements to try: 2 to 6 per decade, and fewer than there are points."""
    decades = math.log10(float(frequency_hz.max() / frequency_hz.min())) + 2 * extension_decades
    points = frequency_hz.size - SPARE_POINTS
    fewest = min(max(3, math.ceil(PER_DECADE_MIN * decades)), points)
    most = max(fewest, min(math.floor(PER_DECADE_MAX * decades), points))
    return range(fewest, most + 1)


def all_ladders(
    frequency_hz: RealArray,
    z_ohm: ComplexArray,
    *,
    form: Form = "impedance",
    step: int = 1,
    unevenness: RealArray | None = None,
) -> list[Ladder]:
    """Fit ladders of every allowed length (every `step`-th) and extension, weighted by 1/|Z|, or 1/|Y|.

    Parameters
    ----------
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm).
    form : {"impedance", "admittance"}
        What is fitted.
    step : int
        1 for every length.
    unevenness : ndarray, shape (n,), optional
        Noise at each point relative to the others; divides the weights.
    """
    quantity = z_ohm if form == "impedance" else 1 / z_ohm
    uneven = np.ones(frequency_hz.size) if unevenness is None else unevenness
    size = np.abs(quantity) * uneven
    target = _parts(quantity / size)
    return [
        _ladder(frequency_hz, size, target, m, extension, form, uneven)
        for extension in EXTENSIONS
        for m in lengths(frequency_hz, extension)[::step]
    ]


def best_ladder(ladders: Sequence[Ladder]) -> Ladder:
    """Return the ladder with the least AICc; one that reaches beyond the data must be better by some margin."""
    return min(ladders, key=lambda one: one.aicc + EXTENSION_TOLL * (one.extension > 0))


def ladder_without(
    frequency_hz: RealArray, quantity: ComplexArray, alone: NDArray[np.bool_], m: int, extension_decades: float
) -> ComplexArray:
    """Fit a ladder to all points but those that stand alone; return its residuals at every point, shape (n,)."""
    size = np.abs(quantity)
    columns = ladder_columns(frequency_hz, m, extension_decades) / size[:, None]
    matrix, target = _parts(columns[~alone]), _parts((quantity / size)[~alone])
    scale = np.linalg.norm(matrix, axis=0)
    solution = np.linalg.lstsq(matrix / scale, target, rcond=1e-12)[0] / scale
    return np.asarray(quantity / size - columns @ solution)


def lengths_by_criterion(ladders: Sequence[Ladder]) -> dict[str, int]:
    """Return M by AICc, by BIC, by µ < 0.85, and by the plateau of the residuals: four answers to one question."""
    extension = best_ladder(ladders).extension
    alike = sorted((one for one in ladders if one.extension == extension), key=lambda one: one.m)
    least = min(one.sigma for one in alike)
    below = [one.m for one in alike if one.mu < MU_STOP]
    return {
        "aicc": best_ladder(alike).m,
        "bic": min(alike, key=lambda one: one.bic).m,
        "mu": below[0] if below else alike[-1].m,
        "plateau": next(one.m for one in alike if one.sigma <= PLATEAU * least),
    }


def uneven_noise(ladder: Ladder) -> RealArray | None:
    """Return how noisy each point is relative to the others, or None if the noise is even to within chance.

    The running median of second differences of the residuals over a window of 21 points: neither a trend, a step
    nor a few lone points matter to it.
    """
    residual = ladder.residual
    n = residual.size
    if n < UNEVEN_WINDOW:
        return None
    second = np.abs(residual[2:] - 2 * residual[1:-1] + residual[:-2])
    half = UNEVEN_WINDOW // 2
    middle = [float(np.median(second[max(0, i - half) : i + half + 1])) for i in range(-1, n - 1)]
    profile = np.array(middle)
    if profile.max() <= UNEVEN * profile.min() or profile.min() <= 0:
        return None
    return np.asarray(profile / np.median(profile))


def _ladder(
    f: RealArray, size: RealArray, target: RealArray, m: int, extension: float, form: Form, uneven: RealArray
) -> Ladder:
    matrix = _parts(ladder_columns(f, m, extension) / size[:, None])
    scale = np.linalg.norm(matrix, axis=0)
    basis, triangle = np.linalg.qr(matrix / scale)
    inside = target @ basis
    left = target - basis @ inside
    solution = np.linalg.lstsq(triangle, inside, rcond=1e-12)[0] / scale
    return Ladder(m, extension, form, solution[3:], basis, left, uneven)


def _parts(values: ComplexArray) -> RealArray:
    """Stack real above imaginary parts."""
    return np.concatenate([values.real, values.imag])
