r"""Conformance probabilities from posterior draws and with a known process, and the risks of a decision rule.

Symbols and formulas of JCGM 106:2012 (doi:10.59161/JCGM106-2012): prior §7 and annex A, global risks §9,
measurement capability index §7.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from eis.errors import ConfigError
from eis.spectrum import RealArray

LEAST_DRAWS = 1000
"""Independent draws needed to quote a probability near the level that decides."""
NEAR = 0.04
"""Distance from that level within which they are needed."""
WINDOW = 5.0
"""The autocorrelation is summed up to this many autocorrelation times."""


@dataclass(frozen=True, slots=True)
class SampledConformity:
    """A conformance probability counted over draws.

    Parameters
    ----------
    p : float
        (number of draws that conform + ½)/(N + 1).
    standard_error : float
        Of the counting, √(p(1 − p)/n_effective).
    n_draws : int
        N.
    n_effective : float
        How many independent draws they are worth.
    """

    p: float
    standard_error: float
    n_draws: int
    n_effective: float

    def __str__(self) -> str:
        return (
            f"P(conform) = {self.p:.4f} ± {self.standard_error:.4f} (1 s.e., {self.n_effective:.0f} draws' worth)"
        )


def p_conform_sampled(
    draws: ArrayLike, limit: float, *, lower: float = -math.inf, confidence: float = 0.95
) -> SampledConformity:
    r"""Return the probability that posterior or bootstrapped draws conform.

    .. math:: \hat p = \frac{\#\{R_i \le T_U\} + 1/2}{N + 1}, \qquad
        \mathrm{s.e.} = \sqrt{\hat p (1 - \hat p) / N_\mathrm{eff}}

    Parameters
    ----------
    draws : array_like, shape (n,) or (chains, n)
        Draws of the quantity in the unit of the limit; chains in rows.
    limit, lower : float
        Upper and lower limit.
    confidence : float
        The probability that decides.

    Raises
    ------
    ConfigError
        If there are fewer than two draws or one is not finite, a limit is NaN, or the probability lies within 0.04
        (or three standard errors) of `confidence` and the draws are worth fewer than 1000 independent ones.
    """
    r = np.atleast_2d(np.asarray(draws, dtype=float))
    if r.ndim != 2 or r.shape[1] < 2 or not np.isfinite(r).all():
        raise ConfigError(
            "The draws are not finite numbers, one or more rows of at least two",
            where=f"draws of shape {r.shape}",
            mend="Leave out draws that failed, or repeat them.",
        )
    if math.isnan(limit) or math.isnan(lower):
        raise ConfigError("NaN is no limit", where="limit", mend="Give a finite number.")
    inside = (r <= limit) & (r >= lower)
    p = (int(inside.sum()) + 0.5) / (r.size + 1)
    n = effective_size(r)
    if 0 < inside.sum() < inside.size:
        n = min(n, effective_size(inside.astype(float)))
    error = math.sqrt(p * (1 - p) / n)
    if n < LEAST_DRAWS and abs(p - confidence) <= max(NEAR, 3 * error):
        raise ConfigError(
            f"{r.size} draws are worth {n:.0f} independent ones, too few for a probability of {p:.3f} near "
            f"{confidence:g}",
            where="draws",
            mend=f"Draw until they are worth {LEAST_DRAWS}: some {math.ceil(r.size * LEAST_DRAWS / n)} draws.",
        )
    return SampledConformity(p, error, r.size, n)


def effective_size(draws: ArrayLike) -> float:
    r"""Return how many independent draws correlated ones are worth, N/τ.

    .. math:: \tau = 1 + 2 \sum_{t=1}^{M} \rho_t, \qquad M = \min\{m : m \ge 5\,\tau(m)\}

    Parameters
    ----------
    draws : array_like, shape (n,) or (chains, n)
        ρ is averaged over chains; constant draws are worth all they are.

    References
    ----------
    A. Sokal, in Functional Integration, NATO ASI Series 361 (1997) 131, doi:10.1007/978-1-4899-0319-8_6.
    """
    x = np.atleast_2d(np.asarray(draws, dtype=float))
    x = x - x.mean()
    n = x.shape[1]
    power = np.abs(np.fft.rfft(x, 2 * n, axis=1)) ** 2
    covariance = np.fft.irfft(power, axis=1)[:, :n].mean(axis=0)
    if covariance[0] <= 0:
        return float(x.size)
    times = 2 * np.cumsum(covariance / covariance[0]) - 1
    enough = np.flatnonzero(np.arange(n) >= WINDOW * times)
    tau = float(times[enough[0] if enough.size else n - 1])
    return float(min(x.size, x.size / max(tau, 1.0)))


def with_prior(value: float, u: float, prior: float, u_prior: float) -> tuple[float, float]:
    r"""Return best estimate and uncertainty of one item of a process N(y₀, u₀²) measured as `value` ± `u`.

    .. math:: y^* = \frac{y u_0^2 + y_0 u^2}{u_0^2 + u^2}, \qquad u^{*2} = \frac{u_0^2 u^2}{u_0^2 + u^2}

    All four in one unit; the conformance probability is then `eis.conformity.p_conform` of the two.
    """
    _require(u=u, u_prior=u_prior)
    total = u_prior**2 + u**2
    return (value * u_prior**2 + prior * u**2) / total, u_prior * u / math.sqrt(total)


def consumers_risk(prior: float, u_prior: float, u: float, limit: float, accept: float) -> float:
    r"""Return the global consumer's risk: the share of all items that are beyond the limit and yet accepted.

    .. math:: R_C = \int_{T_U}^\infty g_0(\eta)\, \Phi\!\left(\frac{A_U - \eta}{u}\right) \mathrm{d}\eta

    Parameters
    ----------
    prior, u_prior : float
        Mean and standard deviation of the process, g₀ normal.
    u : float
        Standard uncertainty of the measurement.
    limit, accept : float
        Tolerance limit T_U and acceptance limit A_U.
    """
    _require(u=u, u_prior=u_prior)
    return _over_tail((limit - prior) / u_prior, (accept - prior) / u_prior, u / u_prior)


def producers_risk(prior: float, u_prior: float, u: float, limit: float, accept: float) -> float:
    r"""Return the global producer's risk: the share of all items that conform and are yet rejected.

    .. math:: R_P = \int_{-\infty}^{T_U} g_0(\eta) \left[1 - \Phi\!\left(\frac{A_U - \eta}{u}\right)\right]
        \mathrm{d}\eta

    Parameters as for `consumers_risk`.
    """
    _require(u=u, u_prior=u_prior)
    return _over_tail((prior - limit) / u_prior, (prior - accept) / u_prior, u / u_prior)


def measurement_capability(u: float, upper: float, lower: float | None = None) -> float:
    """Return the measurement capability index T/(4u), T = T_U − T_L, or T_U of a quantity from zero up."""
    _require(u=u)
    width = upper - (0.0 if lower is None else lower)
    if not (math.isfinite(width) and width > 0):
        raise ConfigError("The tolerance has no width", where="upper, lower", mend="Give T_L < T_U, or T_U > 0.")
    return width / (4 * u)


def _over_tail(start: float, accept: float, ratio: float) -> float:
    """Return ∫ φ(t)·Φ((accept − t)/ratio) dt from `start` to ∞: Gauss–Legendre on pieces where it can be steep."""
    stop = max(start, 0.0) + 12.0
    places = accept + ratio * np.array([-9.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, 9.0])
    inner = np.concatenate([places, np.arange(-12.0, stop, 2.0)])
    edges = np.unique(
        np.concatenate([[max(start, -12.0), stop], inner[(inner > max(start, -12.0)) & (inner < stop)]])
    )
    if edges.size < 2 or edges[0] >= stop:
        return 0.0
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    t: RealArray = edges[:-1, None] + half * (nodes + 1)
    values = np.exp(-(t**2) / 2) / math.sqrt(2 * math.pi) * ndtr((accept - t) / ratio)
    return float(np.sum(half * weights * values))


def _require(**uncertainties: float) -> None:
    for name, u in uncertainties.items():
        if not (math.isfinite(u) and u > 0):
            raise ConfigError(f"{name} is {u:g}", where=name, mend="Give a standard uncertainty above zero.")
