"""Can this spectrum be trusted? Lin-KK: a ladder of RC elements fits every spectrum that obeys Kramers–Kronig.

A linear, causal, stable and stationary cell obeys those relations, and every spectrum that does can be written as
 R + jωL + 1/(jωC) + Σ R_k/(1 + jωτ_k) to within its noise. What such a ladder leaves over is drift,
non-linearity, interference, or the wrong sign.

Schönleber, Klotz, Ivers-Tiffée, Electrochim. Acta 131 (2014) 20, doi:10.1016/j.electacta.2014.01.034.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eis.errors import SpectrumError
from eis.quantities import format_si
from eis.results import Validity, ValidityVerdict
from eis.spectrum import ComplexArray, RealArray, Spectrum

PER_DECADE_MIN, PER_DECADE_MAX = 2.0, 6.0
"""RC elements per decade: from a floor that one arc needs to a ceiling that noise would start to fill."""
FEWEST_POINTS = 8
SUSPECT, INVALID = 0.005, 0.01
"""Rms residual, as a fraction of |Z|, from which data are suspect or invalid."""
SIGNIFICANT_RUNS = 4.0
"""Standard deviations by which the runs of equal sign may fall short before the residuals have a trend."""
MOST_OUTLIERS = 3
OUTLIER_SHARE = 0.7
"""A point is an outlier if the rms residual falls below this share of itself without it."""
TREND_MATTERS = 0.001
"""Rms residual below which neither a trend nor an outlier matters."""


@dataclass(frozen=True, slots=True)
class _Ladder:
    """One linear fit: number of RC elements, µ, residuals per |Z|, and its corrected information criterion."""

    m: int
    mu: float
    residual: ComplexArray
    aicc: float


def validate(spectrum: Spectrum) -> Validity:
    r"""Test a spectrum against Kramers–Kronig with a ladder of RC elements.

    The ladder is fitted linearly to both parts at once, weighted by 1/\|Z\|, with τ spaced evenly in log time
    over 1/ω_max … 1/ω_min. The number of elements M, between 2 and 6 per decade, is the one with the least AICc,
    so that neither a ladder too short for the data nor one that follows their noise decides. Resistances may be
    negative: µ = 1 − Σ\|R<0\|/ΣR≥0 is reported, not used as a stop.

    Parameters
    ----------
    spectrum : Spectrum
        Points with an excluding flag are left out.

    Returns
    -------
    Validity
        "invalid" above 1 % rms of \|Z\| or when its reader doubted unit or sign, "suspect" above 0.5 % or when the
        residuals run in trends, else "valid".

    Raises
    ------
    SpectrumError
        If fewer than 8 points are in use, or a point has \|Z\| = 0.
    """
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    if f.size < FEWEST_POINTS:
        raise SpectrumError(
            f"{f.size} points are too few for a Kramers–Kronig test; {FEWEST_POINTS} are needed",
            where=spectrum.name,
            mend="Measure more points.",
        )
    if not np.all(np.abs(z) > 0):
        raise SpectrumError("A point has |Z| = 0", where=spectrum.name, mend="Drop the point: no cell has it.")
    best = _best_ladder(f, z)
    rms, largest = _size(best.residual)
    verdict, because = _judge(f, z, best.residual, rms, largest)
    doubts = tuple(
        str(doubt) for doubt in spectrum.metadata.get("doubts", ())
    )  # what its reader could not believe
    if doubts:
        verdict, because = "invalid", (*doubts, *because)
    return Validity(
        verdict=verdict,
        method="Lin-KK (complex, modulus weights, series R, L and C, M by AICc)",
        m=best.m,
        mu=best.mu,
        rms_residual=rms,
        max_residual=largest,
        because=because,
        frequency_hz=f,
        residual_real=best.residual.real,
        residual_imag=best.residual.imag,
    )


def ladder_mu(resistances: RealArray) -> float:
    """Return Schönleber's µ = 1 − Σ|R<0| / Σ R≥0 (eq. 21); −inf when none is positive."""
    negative = float(-resistances[resistances < 0].sum())
    positive = float(resistances[resistances >= 0].sum())
    return 1 - negative / positive if positive > 0 else -math.inf


def time_constants(frequency_hz: RealArray, m: int) -> RealArray:
    """Return `m` time constants (s), evenly spaced in log from 1/ω_max to 1/ω_min."""
    omega = 2 * np.pi * frequency_hz
    return np.geomspace(1 / omega.max(), 1 / omega.min(), m)


def fit_ladder(frequency_hz: RealArray, z_ohm: ComplexArray, m: int) -> tuple[RealArray, ComplexArray]:
    """Fit a ladder of `m` RC elements with series R, L and C, weighted by 1/|Z|.

    Returns
    -------
    resistances : ndarray, shape (m,)
        R_k (ohm), of either sign.
    residual : ndarray, shape (n,)
        (Z − Ẑ)/|Z|.
    """
    omega = 2 * np.pi * frequency_hz
    tau = time_constants(frequency_hz, m)
    size = np.abs(z_ohm)
    model = np.column_stack([np.ones(omega.size), 1j * omega, -1j / omega, 1 / (1 + 1j * np.outer(omega, tau))])
    weighted = model / size[:, None]
    matrix = np.concatenate([weighted.real, weighted.imag])
    scale = np.linalg.norm(matrix, axis=0)
    target = z_ohm / size
    solution = np.linalg.lstsq(matrix / scale, np.concatenate([target.real, target.imag]), rcond=1e-12)[0] / scale
    return solution[3:], np.asarray((z_ohm - model @ solution) / size)


def _best_ladder(f: RealArray, z: ComplexArray) -> _Ladder:
    """Return the ladder with the least AICc among all allowed lengths."""
    decades = math.log10(float(f.max() / f.min()))
    fewest = max(3, math.ceil(PER_DECADE_MIN * decades))
    most = max(fewest, min(math.floor(PER_DECADE_MAX * decades), f.size - 4))
    return min((_ladder(f, z, m) for m in range(min(fewest, f.size - 4), most + 1)), key=lambda one: one.aicc)


def _ladder(f: RealArray, z: ComplexArray, m: int) -> _Ladder:
    resistances, residual = fit_ladder(f, z, m)
    n, k = 2 * f.size, m + 4
    chi2 = max(float((np.abs(residual) ** 2).sum()), 1e-28)
    aicc = n * math.log(chi2 / n) + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)
    return _Ladder(m, ladder_mu(resistances), residual, aicc)


def _size(residual: ComplexArray) -> tuple[float, float]:
    """Return rms and largest of the real and imaginary residuals."""
    parts = np.concatenate([residual.real, residual.imag])
    return float(np.sqrt((parts**2).mean())), float(np.abs(parts).max())


def _judge(
    f: RealArray, z: ComplexArray, residual: ComplexArray, rms: float, largest: float
) -> tuple[ValidityVerdict, tuple[str, ...]]:
    """Turn residuals into a verdict and its reasons."""
    reasons: list[str] = []
    verdict: ValidityVerdict = "valid"
    if rms > INVALID:
        verdict = "invalid"
        reasons.append(
            f"The residuals, {rms:.2%} rms, exceed {INVALID:.1%} of |Z|: the data break Kramers–Kronig."
        )
        reasons += _suspect_sign(f, z, rms)
    elif rms > SUSPECT:
        verdict = "suspect"
        reasons.append(f"The residuals, {rms:.2%} rms, lie between {SUSPECT:.1%} and {INVALID:.1%} of |Z|.")
    shortfall = max(_runs_shortfall(residual.real), _runs_shortfall(residual.imag))
    if shortfall > SIGNIFICANT_RUNS and rms > TREND_MATTERS:
        verdict = "suspect" if verdict == "valid" else verdict
        reasons.append(f"The residuals run in trends ({shortfall:.1f} standard deviations too few sign changes).")
    outliers = _outliers(f, z, rms) if rms > TREND_MATTERS else []
    if outliers:
        places = ", ".join(format_si(float(place), "Hz", digits=3) for place in outliers)
        reasons.append(
            f"Without the point{'s' if len(outliers) > 1 else ''} at {places} the residuals are far smaller."
        )
        verdict = "suspect" if verdict == "valid" else verdict
    if not reasons:
        reasons.append(f"The residuals, {rms:.2%} rms and {largest:.2%} at most, show no trend.")
    return verdict, tuple(reasons)


def _outliers(f: RealArray, z: ComplexArray, rms: float) -> list[float]:
    """Return the frequencies (Hz) of isolated points, each of which by itself makes most of the residual."""
    found: list[float] = []
    for _ in range(MOST_OUTLIERS):
        residual = _best_ladder(f, z).residual
        kept = np.arange(f.size) != int(np.argmax(np.abs(residual)))
        if kept.sum() < FEWEST_POINTS:
            break
        smaller, _ = _size(_best_ladder(f[kept], z[kept]).residual)
        if smaller > OUTLIER_SHARE * rms:
            break
        found.append(float(f[~kept][0]))
        f, z, rms = f[kept], z[kept], smaller
    return found


def _suspect_sign(f: RealArray, z: ComplexArray, rms: float) -> list[str]:
    """Say so when the conjugate obeys Kramers–Kronig much better: the file has −Z″ where Z″ belongs."""
    mirrored, _ = _size(_best_ladder(f, np.conj(z)).residual)
    if mirrored < rms / 3:
        return [
            f"With the sign of Z″ turned round the residuals are {mirrored:.2%}: the file seems to hold −Z″ as "
            "Z″; a capacitive arc must have Z″ < 0 here."
        ]
    return []


def _runs_shortfall(residual: RealArray) -> float:
    """Return by how many standard deviations the residuals change sign too seldom (Wald–Wolfowitz)."""
    positive = residual > 0
    a, b = int(positive.sum()), int((~positive).sum())
    if a < 2 or b < 2:
        return 0.0
    runs = 1 + int((positive[1:] != positive[:-1]).sum())
    mean = 2 * a * b / (a + b) + 1
    variance = (mean - 1) * (mean - 2) / (a + b - 1)
    return float((mean - runs) / math.sqrt(variance)) if variance > 0 else 0.0
