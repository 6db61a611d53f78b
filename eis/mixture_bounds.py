"""Between which conductivities a mixture must lie: bounds of Wiener and of Hashin and Shtrikman."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.errors import ConfigError

RealArray = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative distance by which rounding may put an estimate outside its bounds."""
CANCELLED = 1e-14
"""Part of the best conductivity below which a bound has lost its digits: it is a difference of two numbers."""
SUM_TOLERANCE = 0.005
"""How far volume fractions may add up to something else than 1."""


def checked_phases(fractions: ArrayLike, conductivities_s_cm: ArrayLike) -> tuple[RealArray, RealArray]:
    """Return volume fractions and conductivities as arrays of one shape, if they are those of a mixture.

    Parameters
    ----------
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions, adding up to 1, and conductivities (S/cm).

    Raises
    ------
    ConfigError
        If a fraction is below 0, the fractions do not add up to 1, or a conductivity is below 0 or not finite.
    """
    phi, sigma = np.broadcast_arrays(_array(fractions), _array(conductivities_s_cm))
    is_mixture = (phi >= -ROUNDING).all(axis=-1) & (np.abs(phi.sum(axis=-1) - 1) <= SUM_TOLERANCE)
    is_mixture = np.atleast_1d(is_mixture & ((sigma >= 0) & np.isfinite(sigma)).all(axis=-1))
    if not is_mixture.all():
        at = int(np.argmin(is_mixture))
        parts, values = (x.reshape(-1, x.shape[-1])[at].tolist() for x in (phi, sigma))
        raise ConfigError(
            f"Volume fractions {parts} with conductivities {values} S/cm are no mixture",
            where="transport",
            mend="Give fractions of 0 or more that add up to 1, and finite conductivities of 0 or more.",
        )
    return phi, sigma


def wiener_bounds(fractions: ArrayLike, conductivities_s_cm: ArrayLike) -> tuple[RealArray, RealArray]:
    """Return the conductivities (S/cm) of the phases in series and in parallel, which bound every mixture.

    Parameters
    ----------
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions, adding up to 1, and conductivities (S/cm).

    References
    ----------
    O. Wiener, Abh. Sächs. Ges. Wiss. 32 (1912) 509.
    """
    phi, sigma = checked_phases(fractions, conductivities_s_cm)
    return _harmonic(phi, sigma), np.asarray((phi * sigma).sum(axis=-1))


def hashin_shtrikman_bounds(fractions: ArrayLike, conductivities_s_cm: ArrayLike) -> tuple[RealArray, RealArray]:
    r"""Return the narrowest bounds of an isotropic mixture of known fractions (S/cm).

    .. math:: \left[\sum_k \frac{\varphi_k}{\sigma_k + 2 s}\right]^{-1} - 2 s, \qquad
        s = \min_k \sigma_k,\ \max_k \sigma_k

    Parameters
    ----------
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions, adding up to 1, and conductivities (S/cm); phases that are not there do not count.

    Returns
    -------
    low, high : ndarray, shape (...)

    References
    ----------
    Z. Hashin, S. Shtrikman, J. Appl. Phys. 33 (1962) 3125, doi:10.1063/1.1728579.
    """
    phi, sigma = checked_phases(fractions, conductivities_s_cm)
    least = np.where(phi > 0, sigma, np.inf).min(axis=-1)
    most = np.where(phi > 0, sigma, -np.inf).max(axis=-1)
    low, high = (_harmonic(phi, sigma + 2 * s[..., None]) - 2 * s for s in (least, most))
    return np.asarray(np.maximum(low, 0.0)), np.asarray(np.maximum(high, 0.0))


def outside_bounds(
    conductivity_s_cm: ArrayLike, fractions: ArrayLike, conductivities_s_cm: ArrayLike
) -> NDArray[np.bool_]:
    """Return where a conductivity (S/cm) is one that no isotropic mixture of these fractions can have."""
    low, high = hashin_shtrikman_bounds(fractions, conductivities_s_cm)
    sigma = _array(conductivity_s_cm)
    best = _array(conductivities_s_cm).max(axis=-1)
    slack = ROUNDING * high + CANCELLED * best
    return np.asarray((sigma < low - slack) | (sigma > high + slack) | ~np.isfinite(sigma))


def check_bounds(conductivity_s_cm: ArrayLike, fractions: ArrayLike, conductivities_s_cm: ArrayLike) -> None:
    """Refuse a conductivity that no isotropic mixture of these fractions can have.

    Parameters
    ----------
    conductivity_s_cm : array_like, shape (...)
        What was measured or estimated (S/cm).
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions and conductivities (S/cm).

    Raises
    ------
    ConfigError
        With the first value outside the bounds of Hashin and Shtrikman, and those bounds.
    """
    wrong = np.atleast_1d(outside_bounds(conductivity_s_cm, fractions, conductivities_s_cm))
    if not wrong.any():
        return
    low, high = hashin_shtrikman_bounds(fractions, conductivities_s_cm)
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    value, floor, ceiling = (np.broadcast_to(x, wrong.shape)[at] for x in (_array(conductivity_s_cm), low, high))
    raise ConfigError(
        f"A conductivity of {value:.4g} S/cm is outside what an isotropic mixture of these phases can have "
        f"({floor:.4g} to {ceiling:.4g} S/cm)",
        where="transport",
        mend="Check the volume fractions, the conductivity of the pure phases, area, thickness and resistance.",
    )


def _harmonic(phi: RealArray, sigma: RealArray) -> RealArray:
    """Return the harmonic mean over the last axis; 0 if a phase that is there has none."""
    insulates = ((sigma <= 0) & (phi > 0)).any(axis=-1)
    total = np.where(phi > 0, phi / np.where(sigma > 0, sigma, 1.0), 0.0).sum(axis=-1)
    return np.asarray(np.where(insulates, 0.0, 1 / total))


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
