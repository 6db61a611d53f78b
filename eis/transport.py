r"""How conductivity follows from composition: MacMullin number, tortuosity, effective media, bounds.

.. math:: N_M = \frac{\sigma_0}{\sigma_{eff}} = \frac{R A \sigma_0}{t} = \frac{\kappa}{\varphi}

κ is the tortuosity *factor*; where an author writes N_M = τ²/φ, τ is the ratio of path lengths, √κ.
Every formula takes arrays that broadcast; several phases stand on the last axis. Effective media hold for random,
isotropic mixtures without size effects; resistor networks describe dense composites better (Ketter et al., Nature
Commun. 2025, doi:10.1038/s41467-025-56514-5). Whatever is estimated must lie within `eis.mixture_bounds`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.mixture_bounds import checked_phases

RealArray = NDArray[np.float64]

SPHERES_THRESHOLD = 1 / 3
"""Volume fraction from which the conducting phase of a symmetric effective medium percolates."""
ROUNDS = 200
"""Newton steps at most; they gain all digits long before."""


def effective_conductivity(resistance_ohm: ArrayLike, area_cm2: ArrayLike, thickness_um: ArrayLike) -> RealArray:
    """Return t/(R·A) in S/cm from the ionic resistance (ohm), area (cm²) and thickness (µm) of a layer."""
    thickness_cm = _array(thickness_um) * 1e-4
    return np.asarray(thickness_cm / (_array(resistance_ohm) * _array(area_cm2)))


def macmullin_number(
    resistance_ohm: ArrayLike, area_cm2: ArrayLike, thickness_um: ArrayLike, conductivity_s_cm: ArrayLike
) -> RealArray:
    r"""Return :math:`N_M = \sigma_0/\sigma_{eff} = R A \sigma_0/t`: how often the pure conductor conducts better.

    Parameters
    ----------
    resistance_ohm, area_cm2, thickness_um : array_like
        Ionic resistance (ohm), area (cm²) and thickness (µm) of the composite.
    conductivity_s_cm : array_like
        Conductivity of the pure conductor (S/cm).

    References
    ----------
    R. B. MacMullin, G. A. Muccini, AIChE J. 2 (1956) 393, doi:10.1002/aic.690020320.
    """
    return np.asarray(_array(conductivity_s_cm) / effective_conductivity(resistance_ohm, area_cm2, thickness_um))


def tortuosity_factor(macmullin: ArrayLike, conductor_fraction: ArrayLike) -> RealArray:
    """Return the tortuosity factor κ = N_M·φ, 1 for straight paths; some authors write it τ²."""
    return np.asarray(_array(macmullin) * _array(conductor_fraction))


def path_length_ratio(macmullin: ArrayLike, conductor_fraction: ArrayLike) -> RealArray:
    """Return √(N_M·φ), the tortuosity in the sense of a path over the thickness."""
    return np.asarray(np.sqrt(tortuosity_factor(macmullin, conductor_fraction)))


def bruggeman(conductor_fraction: ArrayLike, *, exponent: ArrayLike = 1.5) -> RealArray:
    """Return σ/σ₀ = φ^exponent; 1.5 holds for insulating spheres of all sizes only, dense composites have more."""
    return np.asarray(_array(conductor_fraction) ** _array(exponent))


def bruggeman_exponent(relative_conductivity: ArrayLike, conductor_fraction: ArrayLike) -> RealArray:
    """Return ln(σ/σ₀)/ln φ: the exponent that a measured conductivity has."""
    return np.asarray(np.log(_array(relative_conductivity)) / np.log(_array(conductor_fraction)))


def percolation(conductor_fraction: ArrayLike, *, threshold: ArrayLike, exponent: ArrayLike = 2.0) -> RealArray:
    """Return σ/σ₀ = ((φ − φ_c)/(1 − φ_c))^exponent, 0 up to the threshold φ_c.

    Near the threshold of three-dimensional lattices the exponent is 2.0 (Stauffer, Aharony, Introduction to
    Percolation Theory, 1994, doi:10.1201/9781315274386); far from it the law is an interpolation.
    """
    phi, critical = _array(conductor_fraction), _array(threshold)
    return np.asarray(np.maximum((phi - critical) / (1 - critical), 0.0) ** _array(exponent))


def maxwell_garnett(matrix_s_cm: ArrayLike, inclusion_s_cm: ArrayLike, inclusion_fraction: ArrayLike) -> RealArray:
    r"""Return the conductivity of separate spheres in a matrix.

    .. math:: \sigma = \sigma_m \frac{\sigma_i + 2\sigma_m + 2p(\sigma_i - \sigma_m)}
        {\sigma_i + 2\sigma_m - p(\sigma_i - \sigma_m)}

    Parameters
    ----------
    matrix_s_cm, inclusion_s_cm : array_like
        Conductivities (S/cm); an insulating matrix insulates.
    inclusion_fraction : array_like
        p, from 0 (the matrix) to 1 (the inclusions).

    References
    ----------
    J. C. Maxwell Garnett, Phil. Trans. R. Soc. A 203 (1904) 385, doi:10.1098/rsta.1904.0024.
    """
    m, i, p = np.broadcast_arrays(_array(matrix_s_cm), _array(inclusion_s_cm), _array(inclusion_fraction))
    above, below = i * (1 + 2 * p) + 2 * m * (1 - p), i * (1 - p) + m * (2 + p)  # sums: no digits are lost
    return np.asarray(np.where(below > 0, m * above / np.where(below > 0, below, 1.0), i))


def general_effective_medium(
    fractions: ArrayLike, conductivities_s_cm: ArrayLike, *, threshold: ArrayLike, exponent: ArrayLike = 1.0
) -> RealArray:
    r"""Return the conductivity of a random mixture with a percolation threshold and exponent of its own.

    .. math:: \sum_k \varphi_k \frac{\sigma_k^{1/t} - \sigma^{1/t}}{\sigma_k^{1/t} + a\,\sigma^{1/t}} = 0, \qquad
        a = \frac{1 - \varphi_c}{\varphi_c}

    Parameters
    ----------
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions, adding up to 1, and conductivities (S/cm), 0 for insulators.
    threshold, exponent : array_like, shape (...)
        φ_c between 0 and 1, and t > 0; 1/3 and 1 are the symmetric effective medium.

    Returns
    -------
    ndarray, shape (...)
        In S/cm; 0 where the conducting phases together have no more than φ_c.

    Raises
    ------
    ConfigError
        If the fractions are not from 0 to 1 and 1 together, or a conductivity is below 0 or not finite.

    References
    ----------
    D. S. McLachlan, J. Phys. C 20 (1987) 865, doi:10.1088/0022-3719/20/7/004. For two phases; more of them enter
    as they do in Bruggeman's equation.
    """
    t, critical = _array(exponent)[..., None], _array(threshold)[..., None]
    phi, sigma, t, critical = np.broadcast_arrays(*checked_phases(fractions, conductivities_s_cm), t, critical)
    scale = sigma.max(axis=-1, keepdims=True)
    x = (sigma / np.where(scale > 0, scale, 1.0)) ** (1 / t)
    a = (1 - critical) / critical
    conducts = (phi * (x > 0)).sum(axis=-1) > critical[..., 0] * phi.sum(axis=-1)
    y = np.zeros((*conducts.shape, 1))
    # The sum falls with y and is convex: from below Newton's steps go up and never past the root.
    for _ in range(ROUNDS):
        below = x + a * y
        safe = np.where(below > 0, below, 1.0)
        value = (phi * np.where(below > 0, (x - y) / safe, -1 / a)).sum(axis=-1)
        slope = (phi * np.where(below > 0, (1 + a) * x / safe**2, 0.0)).sum(axis=-1)
        moves = conducts & (slope > 0)
        step = np.where(moves, value, 0.0) / np.where(moves, slope, 1.0)
        y = y + step[..., None]
        if np.all(np.abs(step) <= 1e-15 * y[..., 0]):
            break
    return np.asarray(np.maximum(y[..., 0], 0.0) ** t[..., 0] * scale[..., 0])


def symmetric_medium(fractions: ArrayLike, conductivities_s_cm: ArrayLike) -> RealArray:
    r"""Return Bruggeman's symmetric effective medium.

    .. math:: \sum_k \varphi_k \frac{\sigma_k - \sigma}{\sigma_k + 2 \sigma} = 0

    Parameters
    ----------
    fractions, conductivities_s_cm : array_like, shape (..., phases)
        Volume fractions, adding up to 1, and conductivities (S/cm), 0 for insulators.

    Returns
    -------
    ndarray, shape (...)
        In S/cm; 0 where the conducting phases together have no more than a third.

    References
    ----------
    D. A. G. Bruggeman, Ann. Phys. 416 (1935) 636, doi:10.1002/andp.19354160705.
    """
    return general_effective_medium(fractions, conductivities_s_cm, threshold=SPHERES_THRESHOLD)


def differential_medium(
    matrix_s_cm: ArrayLike, inclusion_s_cm: ArrayLike, inclusion_fraction: ArrayLike
) -> RealArray:
    r"""Return the conductivity of spheres of all sizes in a matrix that stays connected.

    .. math:: \frac{\sigma_i - \sigma}{\sigma_i - \sigma_m} \left(\frac{\sigma_m}{\sigma}\right)^{1/3} = 1 - p

    Parameters
    ----------
    matrix_s_cm, inclusion_s_cm : array_like
        Conductivities (S/cm); with insulating spheres the result is σ_m (1 − p)^{3/2}.
    inclusion_fraction : array_like
        p, from 0 to 1.

    References
    ----------
    Bruggeman 1935, as in `symmetric_medium`; P. N. Sen, C. Scala, M. H. Cohen, Geophysics 46 (1981) 781,
    doi:10.1190/1.1441215.
    """
    m, i, p = np.broadcast_arrays(_array(matrix_s_cm), _array(inclusion_s_cm), _array(inclusion_fraction))
    ratio = i / np.where(m > 0, m, 1.0)
    x = np.maximum(1.0, np.cbrt(ratio))
    # x³ + (1 − p)(r − 1)x − r = 0 has one positive root; from above, Newton's steps come down to it.
    for _ in range(ROUNDS):
        slope = 3 * x**2 + (1 - p) * (ratio - 1)
        step = (x**3 + (1 - p) * (ratio - 1) * x - ratio) / np.where(slope > 0, slope, 1.0)
        x = x - step
        if np.all(np.abs(step) <= 1e-15 * x):
            break
    return np.asarray(np.where(p >= 1, i, np.where(m > 0, m * x**3, 0.0)))


def filled_medium(
    fill: ArrayLike,
    *,
    conductor_fraction: ArrayLike,
    void_fraction: ArrayLike,
    conductor_s_cm: ArrayLike,
    filler_s_cm: ArrayLike,
    threshold: ArrayLike = SPHERES_THRESHOLD,
    exponent: ArrayLike = 1.0,
) -> RealArray:
    """Return the ionic conductivity of a composite whose voids are filled to a part.

    Parameters
    ----------
    fill : array_like
        Volume of the filler over that of the voids, 0 to 1.
    conductor_fraction, void_fraction : array_like
        Volume fractions of the ion conductor and of the voids before filling; what remains insulates.
    conductor_s_cm, filler_s_cm : array_like
        Conductivity of the ion conductor and of the filler (S/cm).
    threshold, exponent : array_like
        As in `general_effective_medium`; see `calibrated_threshold`.

    Returns
    -------
    ndarray
        In S/cm.
    """
    f, se, void = np.broadcast_arrays(_array(fill), _array(conductor_fraction), _array(void_fraction))
    shape = np.broadcast_shapes(f.shape, np.shape(conductor_s_cm), np.shape(filler_s_cm))
    parts = np.broadcast_arrays(se, f * void, 1 - se - f * void, np.zeros(shape))
    sigmas = np.broadcast_arrays(_array(conductor_s_cm), _array(filler_s_cm), 0.0, np.zeros(shape))
    phi, sigma = np.stack(parts[:3], axis=-1), np.stack(sigmas[:3], axis=-1)
    return general_effective_medium(phi, sigma, threshold=threshold, exponent=exponent)


def calibrated_threshold(
    relative_conductivity: ArrayLike, conductor_fraction: ArrayLike, *, exponent: ArrayLike = 1.0
) -> RealArray:
    r"""Return the percolation threshold that the unfilled composite shows, its exponent being given.

    .. math:: \varphi_c = \frac{\varphi - s^{1/t}}{1 - s^{1/t}}, \qquad s = \sigma/\sigma_0

    Parameters
    ----------
    relative_conductivity : array_like
        s: conductivity of the composite over that of its conductor.
    conductor_fraction, exponent : array_like
        φ and t.

    Returns
    -------
    ndarray
        NaN where there is none between 0 and φ: the composite conducts better than its conductor's part allows.
    """
    x = _array(relative_conductivity) ** (1 / _array(exponent))
    phi = _array(conductor_fraction)
    found = (phi - x) / np.where(x < 1, 1 - x, 1.0)
    return np.asarray(np.where((x > 0) & (x < phi), found, np.nan))


def calibrated_exponent(
    relative_conductivity: ArrayLike, conductor_fraction: ArrayLike, *, threshold: ArrayLike
) -> RealArray:
    """Return the percolation exponent that the unfilled composite shows, its threshold being given.

    The parameters are those of `calibrated_threshold`; NaN where the fraction is not above the threshold.
    """
    critical = _array(threshold)
    with np.errstate(invalid="ignore", divide="ignore"):
        base = (_array(conductor_fraction) - critical) / (1 - critical)
        return np.asarray(np.where(base > 0, np.log(_array(relative_conductivity)) / np.log(base), np.nan))


def fill_from_conductivity(
    conductivity_s_cm: ArrayLike,
    *,
    conductor_fraction: ArrayLike,
    void_fraction: ArrayLike,
    conductor_s_cm: ArrayLike,
    filler_s_cm: ArrayLike,
    threshold: ArrayLike = SPHERES_THRESHOLD,
    exponent: ArrayLike = 1.0,
) -> RealArray:
    """Return how far voids are filled, from the conductivity after: the inverse of `filled_medium`.

    The medium's equation is linear in the fractions, so that the root is a closed form. It goes on smoothly below
    0 and above 1, where it says that the inputs contradict each other.

    Parameters
    ----------
    conductivity_s_cm : array_like
        Of the composite after filling (S/cm).
    conductor_fraction, void_fraction, conductor_s_cm, filler_s_cm, threshold, exponent : array_like
        As in `filled_medium`.

    Returns
    -------
    ndarray
        NaN where `filler_s_cm` is 0 (nothing would change) or the threshold is NaN.
    """
    t, critical = _array(exponent), _array(threshold)
    sigma, se, void = _array(conductivity_s_cm), _array(conductor_fraction), _array(void_fraction)
    scale = _array(conductor_s_cm)
    y, x_filler = (sigma / scale) ** (1 / t), (_array(filler_s_cm) / scale) ** (1 / t)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = (1 - critical) / critical
        conductor = se * (1 - y) / (1 + a * y) - (1 - se) / a
        gained = x_filler * (1 + a) / (a * (x_filler + a * y))
        return np.asarray(np.where(x_filler > 0, -conductor / (void * gained), np.nan))


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
