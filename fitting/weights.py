"""What repeats say about the noise: a standard uncertainty for every point, or the four numbers of its structure.

A fit with ``weight="variance"`` takes the column ``u_z_ohm`` that is made here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.special import gammaln

from eis.errors import FitError, SpectrumError
from eis.fitted import plain
from eis.quantities import format_si
from eis.spectrum import ComplexArray, RealArray, Spectrum

SAME = 1e-5
"""Relative difference below which two frequencies are the same."""
LEAST_POINTS = 8
"""Points below which neither a drift nor an error structure is sought."""
SETTLED, ROUNDS, FLOOR = 1e-8, 100, 1e-6
"""Relative change of σ that ends the reweighting, its most rounds, and the least σ over its median."""
COPIES = 1e-14
"""Relative spread that rounding alone leaves between copies of one spectrum."""
TELLING = 4.0
"""Deviations from what white noise of this structure would give, from which it is told about."""


@dataclass(frozen=True, slots=True)
class ErrorStructure:
    r"""How the noise of one measurement depends on its impedance, the same for real and imaginary part.

    .. math:: \sigma_r = \sigma_j = \alpha |Z_j| + \beta |Z_r - R_\mathrm{sol}| + \gamma |Z|^2 / R_m + \delta

    Parameters
    ----------
    alpha, beta, gamma, delta_ohm : float
        Zero or above; `gamma` is 0 without `r_m_ohm`.
    r_solution_ohm, r_m_ohm : float
        Series (electrolyte) resistance, and current-measuring resistor if known.
    n_repeats, n_points, reduced_chi2 : int, int, float
        What it was found from, and about 1 if it describes the standard deviations of the repeats.
    because : tuple of str
        Everything a reader should know.

    References
    ----------
    P. Agarwal, O. D. Crisalle, M. E. Orazem, L. H. Garcia-Rubio, J. Electrochem. Soc. 142 (1995) 4149,
    doi:10.1149/1.2048479.
    """

    alpha: float
    beta: float
    gamma: float
    delta_ohm: float
    r_solution_ohm: float
    r_m_ohm: float | None = None
    n_repeats: int = 0
    n_points: int = 0
    reduced_chi2: float = math.nan
    because: tuple[str, ...] = ()

    def sigma_ohm(self, z_ohm: ComplexArray) -> RealArray:
        """Return the standard deviation (ohm) of each part of one measurement, of the shape of `z_ohm` (ohm)."""
        coefficients = np.array([self.alpha, self.beta, self.gamma, self.delta_ohm])
        with np.errstate(invalid="ignore"):  # flagged points may be infinite
            return np.asarray(_terms(z_ohm, self.r_solution_ohm, self.r_m_ohm) @ coefficients)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN is None."""
        return {**plain(asdict(self)), "because": list(self.because)}

    def __str__(self) -> str:
        current = "" if self.r_m_ohm is None else f" + {self.gamma:.3g}·|Z|²/{format_si(self.r_m_ohm, 'Ω')}"
        r, delta = format_si(self.r_solution_ohm, "Ω"), format_si(self.delta_ohm, "Ω", digits=3)
        formula = f"σ = {self.alpha:.3g}·|Z″| + {self.beta:.3g}·|Z′ − {r}|{current} + {delta}"
        source = f" ({self.n_repeats} repeats, reduced χ² {self.reduced_chi2:.3g})" if self.n_repeats else ""
        return "\n".join([formula + source, *(f"  note: {note}" for note in self.because)])


def from_repeats(spectra: Sequence[Spectrum], *, drift: bool = False) -> Spectrum:
    r"""Return the mean of repeats, with the standard uncertainty of each of its points.

    .. math:: \hat\sigma^2 = \frac{\sum_k |Z_k - \bar Z|^2}{2 (K - 1)}, \qquad u(\bar Z) = \hat\sigma / \sqrt{K}

    Parameters
    ----------
    spectra : sequence of Spectrum
        At least two, on the same frequency grid; a point that one of them leaves out is left out of the mean.
    drift : bool
        Before the spread is taken, remove from each repeat a relative change a + b·ln f (a and b complex): drift
        of the cell rather than noise. The mean stays what it was.

    Returns
    -------
    Spectrum
        The mean, column ``u_z_ohm`` (ohm, per part), and ``metadata["repeats"]``: their count, and the correlation
        of neighbouring deviations, which is near 0 unless the cell drifted.

    Raises
    ------
    SpectrumError
        For fewer than two repeats, different grids, copies of one spectrum, no common point, or fewer than 8 of
        them to find a drift in.

    Notes
    -----
    A σ̂ from a few repeats is itself uncertain: weights by it make the reduced χ² ν/(ν − 2) instead of 1, with
    ν = 2(K − 1), and a fit more certain than it should be. Below some ten repeats use `fit_error_structure`, which
    takes all points together, and `apply` it to this mean.
    """
    found = _compare(spectra, drift=drift, least=LEAST_POINTS if drift else 1)
    first = spectra[0]
    u = np.full(first.all_frequency_hz.size, math.nan)
    u[found.used] = found.sigma / math.sqrt(len(spectra))
    with np.errstate(invalid="ignore"):  # flagged points may be infinite
        mean = np.mean([spectrum.all_z_ohm for spectrum in spectra], axis=0)
    quality = np.bitwise_or.reduce([spectrum.quality for spectrum in spectra])
    told: dict[str, Any] = {
        "count": len(spectra),
        "files": [spectrum.metadata.get("file") for spectrum in spectra],
        "drift_removed": drift,
        "largest_drift": found.largest_drift,
        "neighbour_correlation": found.correlation,
    }
    metadata = {"title": f"mean of {len(spectra)} repeats of {first.name}", "repeats": told}
    return Spectrum(first.all_frequency_hz, mean, quality, {"u_z_ohm": u}, metadata)


def fit_error_structure(
    repeats: Sequence[Spectrum],
    *,
    r_m_ohm: float | None = None,
    r_solution_ohm: float | None = None,
    drift: bool = False,
) -> ErrorStructure:
    r"""Find the error structure of a measurement from the standard deviations of its repeats.

    Non-negative least squares on :math:`s_i / c_\nu`, where :math:`s_i` is σ̂ of `from_repeats` and
    :math:`c_\nu = \sqrt{2/\nu}\, \Gamma((\nu + 1)/2) / \Gamma(\nu/2)` the mean of a standard deviation with
    ν = 2(K − 1) degrees of freedom over its truth. Its standard deviation is proportional to σ, so the weights 1/σ
    are taken from the structure itself until that no longer changes.

    Parameters
    ----------
    repeats : sequence of Spectrum
        At least two, on the same frequency grid.
    r_m_ohm : float, optional
        Current-measuring resistor (ohm); without it the term with γ is left out.
    r_solution_ohm : float, optional
        Series resistance (ohm); by default the least real part of the mean.
    drift : bool
        Remove a slow drift first, as in `from_repeats`.

    Returns
    -------
    ErrorStructure
        Of one measurement, not of the mean; `apply` knows the difference.

    Raises
    ------
    SpectrumError
        As `from_repeats` says, and for fewer than 8 points.
    FitError
        For a resistance that is not above zero.
    """
    for name, value in (("r_m_ohm", r_m_ohm), ("r_solution_ohm", r_solution_ohm)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise FitError(f"{name} is {value:g}", mend="Give a resistance in ohm, above zero, or leave it out.")
    found = _compare(repeats, drift=drift, least=LEAST_POINTS)
    r_solution = max(0.0, float(found.mean.real.min())) if r_solution_ohm is None else float(r_solution_ohm)
    degrees = 2 * (len(repeats) - 1)
    shrink = math.exp(gammaln((degrees + 1) / 2) - gammaln(degrees / 2)) * math.sqrt(2 / degrees)
    coefficients, sigma = _reweighted(_terms(found.mean, r_solution, r_m_ohm), found.sigma / shrink)
    off = (found.sigma / sigma - shrink) / math.sqrt(1 - shrink**2)
    chi2 = float(off @ off) / max(sigma.size - int((coefficients > 0).sum()), 1)
    notes = []
    if chi2 > 1 + TELLING * math.sqrt(2 / sigma.size):
        notes.append(f"The structure does not describe these repeats (reduced χ² {chi2:.3g}).")
    if found.correlation > TELLING / math.sqrt(sigma.size * degrees):
        mend = "what is left is no slow drift" if drift else "take drift=True"
        notes.append(f"Neighbouring points deviate together ({found.correlation:.2f}): the cell drifted; {mend}.")
    a, b, c, d = map(float, coefficients)
    return ErrorStructure(a, b, c, d, r_solution, r_m_ohm, len(repeats), sigma.size, chi2, tuple(notes))


def apply(structure: ErrorStructure, spectrum: Spectrum) -> Spectrum:
    r"""Return the spectrum with ``u_z_ohm`` by an error structure: σ of one measurement, σ/√K of a mean of K.

    Parameters
    ----------
    structure : ErrorStructure
        Of the same instrument, settings and kind of cell.
    spectrum : Spectrum
        A measurement, or a mean that `from_repeats` made.

    Returns
    -------
    Spectrum
        Ready for ``fit(circuit, spectrum, weight="variance")``.

    Raises
    ------
    FitError
        If the structure says that a point has no noise.
    """
    repeats = spectrum.metadata.get("repeats")
    count = int(repeats.get("count", 1)) if isinstance(repeats, Mapping) else 1
    u = structure.sigma_ohm(spectrum.all_z_ohm) / math.sqrt(count)
    nothing = np.flatnonzero(spectrum.used & ~(u > 0))
    if nothing.size:
        at = format_si(float(spectrum.all_frequency_hz[nothing[0]]), "Hz")
        what = f"By this error structure the noise is {u[nothing[0]]:g} Ω at {at}"
        raise FitError(what, where=spectrum.name, mend="Give it a delta_ohm above zero: no measurement is exact.")
    columns = {**spectrum.columns, "u_z_ohm": u}
    metadata = {**spectrum.metadata, "error_structure": structure.to_dict()}
    return Spectrum(spectrum.all_frequency_hz, spectrum.all_z_ohm, spectrum.quality, columns, metadata)


@dataclass(frozen=True, slots=True)
class _Spread:
    """What repeats have in common and what not: arrays of shape (m,), the points that all of them use."""

    used: np.ndarray
    mean: ComplexArray
    sigma: RealArray
    correlation: float
    largest_drift: float


def _compare(spectra: Sequence[Spectrum], *, drift: bool, least: int) -> _Spread:
    """Check that spectra are repeats, and tell how they spread about their mean."""
    _check_repeats(spectra)
    used = np.logical_and.reduce([spectrum.used for spectrum in spectra])
    m = int(used.sum())
    if m < least:
        what = f"{m} points are in use in all repeats; at least {least} are needed"
        mend = "Measure more frequencies, or leave out the repeats that are flagged."
        raise SpectrumError(what, where=spectra[0].name, mend=mend)
    z = np.array([spectrum.all_z_ohm[used] for spectrum in spectra])
    mean = z.mean(axis=0)
    deviation, lost, largest = z - mean, np.zeros(m), 0.0
    if drift:
        x = np.log(spectra[0].all_frequency_hz[used])
        basis, _ = np.linalg.qr(np.stack([np.ones(m), x - x.mean()], axis=1))
        change = (deviation / mean) @ basis @ basis.T
        deviation = deviation - change * mean
        lost, largest = (basis**2).sum(axis=1), float(np.abs(change).max())
    sigma = np.sqrt((np.abs(deviation) ** 2).sum(axis=0) / (2 * (len(spectra) - 1) * (1 - lost)))
    if not np.any(sigma > COPIES * np.abs(mean)):
        what = f"The {len(spectra)} repeats are copies of one spectrum: they do not differ"
        raise SpectrumError(what, where=spectra[0].name, mend="Give spectra measured one after the other.")
    white = deviation / np.where(sigma > 0, sigma, math.inf)
    together = float((white[:, 1:] * white[:, :-1].conj()).real.sum() / (np.abs(white) ** 2).sum())
    return _Spread(used, mean, np.asarray(sigma), together, largest)


def _check_repeats(spectra: Sequence[Spectrum]) -> None:
    """Refuse what cannot be repeats of one measurement."""
    if len(spectra) < 2:
        what = f"The spread of repeats needs at least 2 spectra; there are {len(spectra)}"
        raise SpectrumError(what, mend="Measure the same cell at the same state again, three times or more.")
    grid = spectra[0].all_frequency_hz
    for k, spectrum in enumerate(spectra[1:], start=2):
        f, what = spectrum.all_frequency_hz, ""
        if f.size != grid.size:
            what = f"the first has {grid.size} points and number {k} has {f.size}"
        elif (apart := np.flatnonzero(np.abs(f - grid) > SAME * grid)).size:
            i = apart[0]
            what = f"point {i} is at {grid[i]:g} Hz in the first and at {f[i]:g} Hz in number {k}"
        if what:
            mend = "Give only repeats on one grid, or leave that one out."
            raise SpectrumError(f"Repeats have the same frequencies; {what}", where=spectrum.name, mend=mend)


def _terms(z_ohm: ComplexArray, r_solution_ohm: float, r_m_ohm: float | None) -> RealArray:
    """Return what α, β, γ and δ multiply, shape (n, 4); zero for γ without R_m."""
    current = np.zeros(z_ohm.shape) if r_m_ohm is None else np.abs(z_ohm) ** 2 / r_m_ohm
    return np.stack([np.abs(z_ohm.imag), np.abs(z_ohm.real - r_solution_ohm), current, np.ones(z_ohm.shape)], -1)


def _reweighted(terms: RealArray, seen: RealArray) -> tuple[RealArray, RealArray]:
    """Return the coefficients, shape (4,), and σ, shape (n,), that describe the standard deviations seen."""
    length = np.maximum(terms.max(axis=0), 1e-300)
    sigma = np.full(seen.size, math.sqrt(float((seen**2).mean())))
    coefficients = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        before = sigma
        coefficients = nnls(terms / length / sigma[:, None], seen / sigma)[0] / length
        sigma = terms @ coefficients
        sigma = np.maximum(sigma, FLOOR * float(np.median(sigma)))
        if np.all(np.abs(sigma - before) <= SETTLED * sigma):
            break
    return coefficients, sigma
