"""Ladders of RC elements: linear models that follow every spectrum which obeys Kramers–Kronig, and no other.

Z = R + jωL + 1/(jωC) + Σ R_k/(1 + jωτ_k), with R_k of either sign, is fitted linearly to both parts at once. The
same ladder on 1/Z (the admittance form) follows cells whose differential resistance is negative, where Z passes
through infinity.

M. Schönleber, D. Klotz, E. Ivers-Tiffée, Electrochim. Acta 131 (2014) 20, doi:10.1016/j.electacta.2014.01.034.
B. A. Boukamp, J. Electrochem. Soc. 142 (1995) 1885, doi:10.1149/1.2044210.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgeqrf, dorgqr, dtrtrs

from eis.spectrum import ComplexArray, RealArray

Form = Literal["impedance", "admittance"]

PER_DECADE = (2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
"""RC elements per decade that are tried: from a floor that one arc needs to a ceiling that noise would fill."""
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
RANK = 1e-12
"""Relative size below which a direction of the ladder's columns is none."""
LEAST = 1e-28
"""Least sum of squares: below it is rounding."""
PLATEAU = 1.05
"""The shortest ladder whose residuals are within this factor of the least is on the plateau."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One linear fit of a ladder.

    Parameters
    ----------
    m, extension, form : int, float, str
        Number of RC elements, decades of time constants beyond the data, and what was fitted.
    basis : ndarray, shape (2n, m + 3)
        Orthonormal columns that span what the ladder can follow, of the weighted real, then imaginary parts.
    triangle : ndarray, shape (m + 3, m + 3)
        Upper triangle that makes the weighted columns of the ladder from the basis.
    inside : ndarray, shape (m + 3,)
        The data in that basis.
    left : ndarray, shape (2n,)
        What is left over: weighted real, then imaginary parts.
    unevenness : ndarray, shape (n,)
        Noise at each point relative to the others; the weights are 1/(|Z| · unevenness).
    chi2 : float
        Sum of squares of what is left over.
    aicc : float
        Corrected information criterion of Akaike.
    """

    m: int
    extension: float
    form: Form
    basis: RealArray
    triangle: RealArray
    inside: RealArray
    left: RealArray
    unevenness: RealArray
    chi2: float
    aicc: float

    @property
    def resistances(self) -> RealArray:
        """R_k, shape (m,) (ohm; siemens in the admittance form)."""
        return solved(self.triangle, self.inside)[3:]

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
    def sigma(self) -> float:
        """Standard deviation of each part, had everything left over been noise."""
        return math.sqrt(self.chi2 / max(self.left.size - self.basis.shape[1], 1))


def aicc(chi2: RealArray, n: int, k: RealArray | int) -> RealArray:
    """Return the corrected information criterion of Akaike of `k` parameters that leave `chi2` of `n` values."""
    return np.asarray(n * np.log(np.maximum(chi2, LEAST) / n) + 2 * k + 2 * k * (k + 1) / np.maximum(n - k - 1, 1))


def ladder_mu(resistances: RealArray) -> float:
    """Return Schönleber's µ = 1 − Σ|R<0| / Σ R≥0 (eq. 21); −inf when none is positive."""
    total, size = float(resistances.sum()), float(np.abs(resistances).sum())
    return 1 - (size - total) / (size + total) if size + total > 0 else -math.inf


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
    solution = np.linalg.lstsq(matrix / scale, _parts(z_ohm / size), rcond=RANK)[0] / scale
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


def lengths(frequency_hz: RealArray, extension_decades: float = 0.0) -> tuple[int, ...]:
    """Return the numbers of RC elements to try: 2 to 6 per decade, and fewer than there are points."""
    decades = math.log10(float(frequency_hz.max() / frequency_hz.min())) + 2 * extension_decades
    most = frequency_hz.size - SPARE_POINTS
    wished = {max(3, math.ceil(per * decades)) for per in PER_DECADE}
    return tuple(sorted({min(one, most) for one in wished}))


def weighted_columns(frequency_hz: RealArray, m: int, extension_decades: float, twice: RealArray) -> RealArray:
    """Return a ladder's columns, real then imaginary parts, times weights (…, 2n); shape (…, m + 3, 2n)."""
    return np.asarray(_columns(frequency_hz.tobytes(), m, extension_decades) * twice[..., None, :])


@lru_cache(maxsize=512)
def _columns(grid: bytes, m: int, extension: float) -> RealArray:
    return np.ascontiguousarray(_parts(ladder_columns(np.frombuffer(grid), m, extension)).T)


def all_ladders(
    frequency_hz: RealArray,
    z_ohm: ComplexArray,
    *,
    form: Form = "impedance",
    unevenness: RealArray | None = None,
) -> list[Ladder]:
    """Fit ladders of every length and extension, weighted by 1/|Z|, or 1/|Y|.

    Parameters
    ----------
    frequency_hz, z_ohm : ndarray, shape (n,)
        Frequency (Hz) and impedance (ohm).
    form : {"impedance", "admittance"}
        What is fitted.
    unevenness : ndarray, shape (n,), optional
        Noise at each point relative to the others; divides the weights.
    """
    quantity = z_ohm if form == "impedance" else 1 / z_ohm
    uneven = np.ones(frequency_hz.size) if unevenness is None else unevenness
    weight = 1 / (np.abs(quantity) * uneven)
    target = _parts(quantity * weight)
    twice = np.concatenate([weight, weight])
    return [
        _ladder(weighted_columns(frequency_hz, m, extension, twice), target, m, extension, form, uneven)
        for extension in EXTENSIONS
        for m in lengths(frequency_hz, extension)
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
    solution = np.linalg.lstsq(matrix / scale, target, rcond=RANK)[0] / scale
    return np.asarray(quantity / size - columns @ solution)


def lengths_by_criterion(m: Sequence[int], chi2: RealArray, n: int, mu: Callable[[int], float]) -> dict[str, int]:
    """Return M by AICc, by BIC, by µ < 0.85, and by the plateau of the residuals: four answers to one question.

    Parameters
    ----------
    m : sequence of int
        Numbers of RC elements, rising, all with the same extension.
    chi2 : ndarray, shape (len(m),)
        What each ladder leaves of `n` values.
    n : int
        Twice the number of points.
    mu : callable
        Schönleber's µ of the ladder at a place in `m`.
    """
    k = np.array(m) + 3
    bic = n * np.log(chi2 / n) + k * math.log(n)
    variance = chi2 / np.maximum(n - k, 1)
    return {
        "aicc": m[int(aicc(chi2, n, k).argmin())],
        "bic": m[int(bic.argmin())],
        "mu": next((m[i] for i in range(len(m)) if mu(i) < MU_STOP), m[-1]),
        "plateau": m[int((variance <= PLATEAU**2 * variance.min()).argmax())],
    }


def lengths_of(ladders: Sequence[Ladder]) -> dict[str, int]:
    """Return `lengths_by_criterion` of the ladders that have the extension of the best."""
    extension = best_ladder(ladders).extension
    alike = [one for one in ladders if one.extension == extension]
    chi2 = np.array([one.chi2 for one in alike])
    return lengths_by_criterion([one.m for one in alike], chi2, alike[0].left.size, lambda i: alike[i].mu)


def solved(triangle: RealArray, inside: RealArray) -> RealArray:
    """Return the amounts of the columns, shape (k,); by least squares where the ladder is too long for that."""
    length = np.sqrt(np.einsum("ij,ij->j", triangle, triangle))
    if np.abs(triangle.diagonal()).min() > RANK * float(length.max()):
        return np.asarray(dtrtrs(triangle, inside)[0])
    return np.asarray(np.linalg.lstsq(triangle / length, inside, rcond=RANK)[0] / length)


def uneven_noise(residual: ComplexArray) -> RealArray | None:
    """Return how noisy each point is relative to the others, or None if the noise is even to within chance.

    The running median of second differences of the residuals over a window of 21 points: neither a trend, a step
    nor a few lone points matter to it.

    Parameters
    ----------
    residual : ndarray of complex, shape (n,)
        Residuals of a ladder, (Z − Ẑ)/|Z|.
    """
    profile = noise_profile(residual[None])[0]
    return np.asarray(profile / np.median(profile)) if is_uneven(profile[None])[0] else None


def noise_profile(residual: ComplexArray) -> RealArray:
    """Return that running median for several spectra, shape (spectra, n); ones for too few points."""
    if residual.shape[1] < UNEVEN_WINDOW + 2:
        return np.ones(residual.shape)
    second = np.abs(residual[:, 2:] - 2 * residual[:, 1:-1] + residual[:, :-2])
    windows = np.lib.stride_tricks.sliding_window_view(second, UNEVEN_WINDOW, axis=1)
    half = UNEVEN_WINDOW // 2
    return np.pad(np.partition(windows, half, axis=2)[:, :, half], ((0, 0), (half + 1, half + 1)), mode="edge")


def is_uneven(profile: RealArray) -> NDArray[np.bool_]:
    """Tell which profiles, shape (spectra, n), vary by more than chance, shape (spectra,)."""
    least = profile.min(axis=1)
    return np.asarray((profile.max(axis=1) > UNEVEN * least) & (least > 0))


def _ladder(
    transposed: RealArray, target: RealArray, m: int, extension: float, form: Form, uneven: RealArray
) -> Ladder:
    packed, tau, _, _ = dgeqrf(transposed.T, overwrite_a=True)
    triangle = np.triu(packed[: packed.shape[1]])
    basis = dorgqr(packed, tau, overwrite_a=True)[0]
    inside = target @ basis
    left = target - basis @ inside
    chi2 = max(float(left @ left), LEAST)
    score = float(aicc(np.array(chi2), target.size, inside.size))
    return Ladder(m, extension, form, basis, triangle, inside, left, uneven, chi2, score)


def _parts(values: ComplexArray) -> RealArray:
    """Stack real above imaginary parts."""
    return np.concatenate([values.real, values.imag])
