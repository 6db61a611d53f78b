r"""Contact in places only: constriction resistance, coverage from resistance, and area against chemistry.

.. math:: \mathrm{ASR} = \frac{\mathrm{ASR}_{ct}}{c} + \frac{\pi a}{4 \sigma c}\, \psi(\sqrt{c}), \quad
    \psi(x) = 1 - 1.40978\,x + 0.34406\,x^3 + 0.04305\,x^5 + 0.02271\,x^7

with c the part of the area in contact, a the radius of the spots and σ the conductivity of the electrolyte. All of
it holds for equal round spots, evenly spread, at low frequency; at high frequency the current need not constrict
and the voids act as capacitors, so that constriction may look like an arc of its own (Fleig, Maier, J.
Electroceram. 1 (1997) 73; Solid State Ionics 86–88 (1996) 1351).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from eis.errors import ConfigError
from eis.monte_carlo import DRAWS, LEVEL, Estimated, estimated, paired_draws, positive_draws

RealArray = NDArray[np.float64]

PSI = Polynomial([1.0, -1.40978, 0.0, 0.34406, 0.0, 0.04305, 0.0, 0.02271])
"""ψ as a polynomial in √c; at c = 1 it leaves 4e-5 instead of 0."""
PSI_SLOPE = PSI.deriv()
MOST_STEPS = 60
"""Steps of Newton's method; four are usual, a dozen where next to nothing is left of the constriction."""
CLOSE = 1e-14
"""Relative step of √c at which no more is to be found."""
LEAST_COVERAGE = 1e-14
CAUSES = ("area", "kinetics", "both", "none")
"""`area`: R falls as C rises; `kinetics`: R changes at constant C; `both`: each as it likes; `none`: no change."""
USUAL_CHANGE = math.log(3.0)
"""How large changes of ln R and ln C usually are, k = 1: what a hypothesis expects before it sees the data."""
IMPRECISION = 0.03
"""How exactly R·C, or C, is constant in real cells (relative, k = 1)."""


def holm_resistance(spot_radius_um: ArrayLike, conductivity_s_cm: ArrayLike, *, sides: int = 1) -> RealArray:
    r"""Return the constriction resistance of one round spot (ohm): :math:`1/(4\sigma a)` for each side.

    Parameters
    ----------
    spot_radius_um, conductivity_s_cm : array_like
        Radius a (µm) and conductivity σ (S/cm).
    sides : {1, 2}
        1 for an ionic half space against metal, 2 for two half spaces that are alike.

    Raises
    ------
    ConfigError
        For another number of sides.

    References
    ----------
    R. Holm, Electric Contacts, 4th ed., Springer 1967, doi:10.1007/978-3-662-06688-1.
    """
    return _sides(sides) / (4 * _array(conductivity_s_cm) * _array(spot_radius_um) * 1e-4)


def cluster_resistance(
    spot_radii_um: ArrayLike, cluster_radius_um: ArrayLike, conductivity_s_cm: ArrayLike, *, sides: int = 1
) -> RealArray:
    r"""Return the constriction resistance of a cluster of spots (ohm).

    .. math:: R = \frac{1}{4 \sigma \sum_i a_i} + \frac{1}{4 \sigma r_c} \quad \text{for each side}

    Parameters
    ----------
    spot_radii_um : array_like, shape (..., spots)
        Radii of the spots (µm).
    cluster_radius_um, conductivity_s_cm : array_like, shape (...)
        Radius of the area over which they are spread (µm), and conductivity (S/cm).
    sides : {1, 2}
        As in `holm_resistance`.

    Raises
    ------
    ConfigError
        For another number of sides.

    References
    ----------
    J. A. Greenwood, Br. J. Appl. Phys. 17 (1966) 1621, doi:10.1088/0508-3443/17/12/310.
    """
    apart = 1 / (_array(spot_radii_um).sum(axis=-1) * 1e-4) + 1 / (_array(cluster_radius_um) * 1e-4)
    return np.asarray(_sides(sides) * apart / (4 * _array(conductivity_s_cm)))


def constriction_factor(coverage: ArrayLike) -> RealArray:
    """Return ψ(√c): the constriction of a spot among others over that of a spot alone.

    Parameters
    ----------
    coverage : array_like
        c, the part of the area in contact, 0 to 1.

    Returns
    -------
    ndarray
        1 for c towards 0; about (1 − √c)^1.5 below 0.3; 4e-5 at 1.

    References
    ----------
    K. J. Negus, M. M. Yovanovich, Proc. ASME Heat Transfer Division 1984 (isothermal spot in a round flux tube).
    """
    return np.asarray(PSI(np.sqrt(_array(coverage))))


def constriction_asr(coverage: ArrayLike, spot_radius_um: ArrayLike, conductivity_s_cm: ArrayLike) -> RealArray:
    r"""Return the area-specific constriction resistance of one side, :math:`\pi a\, \psi(\sqrt c)/(4 \sigma c)`.

    Parameters
    ----------
    coverage, spot_radius_um, conductivity_s_cm : array_like
        Part of the area in contact (0 to 1), radius of the spots (µm), conductivity (S/cm).

    Returns
    -------
    ndarray
        In ohm cm² of the whole area; falls with coverage.
    """
    c = _array(coverage)
    a_cm = _array(spot_radius_um) * 1e-4
    return np.asarray(np.pi * a_cm * constriction_factor(c) / (4 * _array(conductivity_s_cm) * c))


def interface_asr(
    coverage: ArrayLike, asr_ct_ohm_cm2: ArrayLike, spot_radius_um: ArrayLike, conductivity_s_cm: ArrayLike
) -> RealArray:
    """Return charge transfer on the area in contact and constriction together, ASR_ct/c + ASR_c (ohm cm²).

    Parameters
    ----------
    coverage : array_like
        c, the part of the area in contact, 0 to 1.
    asr_ct_ohm_cm2 : array_like
        Charge-transfer resistance of an interface in full contact (ohm cm²); 0 for none.
    spot_radius_um, conductivity_s_cm : array_like
        As in `constriction_asr`.
    """
    alone = constriction_asr(coverage, spot_radius_um, conductivity_s_cm)
    return np.asarray(_array(asr_ct_ohm_cm2) / _array(coverage) + alone)


def contact_coverage(
    asr_ohm_cm2: ArrayLike,
    spot_radius_um: ArrayLike,
    conductivity_s_cm: ArrayLike,
    *,
    asr_ct_ohm_cm2: ArrayLike = 0.0,
) -> RealArray:
    """Return the part of the area in contact that gives a resistance: the inverse of `interface_asr`.

    Parameters
    ----------
    asr_ohm_cm2 : array_like
        Resistance of one interface, as measured (ohm cm²).
    spot_radius_um, conductivity_s_cm, asr_ct_ohm_cm2 : array_like
        As in `interface_asr`. Two spectra of one cell give the ratio of coverages more surely than each of them:
        the radius of the spots is hardly ever known.

    Returns
    -------
    ndarray
        0 to 1; NaN where the resistance is less than that of full contact, or not a positive number.
    """
    given = (asr_ohm_cm2, spot_radius_um, conductivity_s_cm, asr_ct_ohm_cm2)
    asr, a, sigma, ct = np.broadcast_arrays(*(_array(x) for x in given))
    # The polynomial leaves 4e-5 of the constriction at full contact; without charge transfer that is no limit.
    possible = np.where(ct > 0, asr >= interface_asr(1.0, ct, a, sigma) * (1 - 1e-12), asr > 0)
    out = np.full(asr.shape, np.nan)
    at = possible & np.isfinite(asr + a / sigma + ct)
    out[at] = _root_of_coverage(asr[at], np.pi * a[at] * 1e-4 / (4 * sigma[at]), ct[at]) ** 2
    return out


def _root_of_coverage(asr: RealArray, alone: RealArray, ct: RealArray) -> RealArray:
    """Solve ASR·x² = ASR_ct + ASR_alone·ψ(x) for x = √c, `alone` being the constriction of spots far apart.

    The difference of the sides rises with x, as ψ falls. Newton's method begins at the solution for the first two
    terms of ψ, which is never above the root, and halves the interval where it would leave it.
    """
    least = math.sqrt(LEAST_COVERAGE)
    linear, whole = -PSI.coef[1] * alone, alone + ct
    steepness = np.maximum(linear + np.sqrt(linear**2 + 4 * asr * whole), np.finfo(np.float64).tiny)
    x = np.clip(2 * whole / steepness, least, 1.0)
    low, high = x, np.ones(x.shape)
    for _ in range(MOST_STEPS):
        difference = asr * x**2 - alone * PSI(x) - ct
        low, high = np.where(difference < 0, x, low), np.where(difference < 0, high, x)
        step = x - difference / (2 * asr * x - alone * PSI_SLOPE(x))
        there = np.where((low <= step) & (step <= high), step, (low + high) / 2)
        close = np.abs(there - x) <= CLOSE * x
        x = there
        if close.all():
            break
    return np.asarray(x)


def cause_probabilities(
    ln_r: ArrayLike,
    ln_c: ArrayLike,
    u_ln_r: ArrayLike,
    u_ln_c: ArrayLike,
    correlation: ArrayLike = 0.0,
) -> RealArray:
    r"""Return how likely each cause of a change of R and C is, all four being alike beforehand.

    Each hypothesis is a normal distribution of (ln R₁/R₀, ln C₁/C₀) of variance s² along its own direction:
    (1, −1) for a change of contact area, (1, 0) for one of kinetics or conductivity, both axes for both at once,
    and the origin for no change. Added to the covariance of the measurement it is compared with what was measured.

    .. math:: P_h \propto N\big(d;\ 0,\ \Sigma + s^2 \textstyle\sum_k v_k v_k^\mathsf{T} + \delta^2 I\big)

    Parameters
    ----------
    ln_r, ln_c : array_like
        ln of the ratio after over before of resistance and of effective capacitance (never Q) of one arc.
    u_ln_r, u_ln_c, correlation : array_like
        Standard uncertainties and the coefficient of correlation between the two.

    Returns
    -------
    ndarray, shape (..., 4)
        Probabilities in the order of `CAUSES`; NaN where an input is.

    Notes
    -----
    s = ln 3 (`USUAL_CHANGE`) and δ = 3 % (`IMPRECISION`). R·C is constant while charge transfer prevails; where
    constriction does, R falls faster than C rises, and the change counts as `both`.
    """
    given = (ln_r, ln_c, u_ln_r, u_ln_c, correlation)
    r, c, u_r, u_c, rho = np.broadcast_arrays(*(_array(x) for x in given))
    s2, d2 = USUAL_CHANGE**2, IMPRECISION**2
    rr, cc, rc = u_r**2 + d2, u_c**2 + d2, rho * u_r * u_c
    priors = ((s2, s2, -s2), (s2, 0.0, 0.0), (s2, s2, 0.0), (0.0, 0.0, 0.0))
    scores = []
    for extra_r, extra_c, extra_rc in priors:
        a, b, m = rr + extra_r, cc + extra_c, rc + extra_rc
        determinant = a * b - m**2
        scores.append(-0.5 * ((b * r**2 - 2 * m * r * c + a * c**2) / determinant + np.log(determinant)))
    score = np.stack(scores, axis=-1)
    weight = np.exp(score - score.max(axis=-1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Covariation:
    """How R and C of one arc changed together, and what that says.

    Parameters
    ----------
    ln_r, ln_c, u_ln_r, u_ln_c : float
        ln of the ratios after over before, and their standard uncertainties.
    probabilities : tuple of (str, float)
        Each of `CAUSES` with its probability.
    """

    ln_r: float
    ln_c: float
    u_ln_r: float
    u_ln_c: float
    probabilities: tuple[tuple[str, float], ...]

    @property
    def cause(self) -> str:
        """The likeliest cause, or ``"undecided"`` if it is not three times as likely as all others together."""
        name, probability = max(self.probabilities, key=lambda entry: entry[1])
        return name if probability >= 0.75 else "undecided"

    @property
    def because(self) -> str:
        """The sentence for a report."""
        change = f"R ×{math.exp(self.ln_r):.3g}, C ×{math.exp(self.ln_c):.3g}"
        product = f"R·C ×{math.exp(self.ln_r + self.ln_c):.3g}"
        shown = ", ".join(f"{name} {probability:.2f}" for name, probability in self.probabilities)
        meaning = {
            "area": "R and C changed against each other at constant R·C: the contact area changed",
            "kinetics": "R changed at constant C: kinetics or conductivity changed, not the contact area",
            "both": "neither C nor R·C stayed: area and kinetics changed, or constriction prevails",
            "none": "neither R nor C changed beyond its uncertainty",
            "undecided": "these uncertainties leave open what changed",
        }[self.cause]
        return f"{meaning} ({change}, {product}; probabilities: {shown})"


def covariation(ln_r: float, ln_c: float, u_ln_r: float, u_ln_c: float, correlation: float = 0.0) -> Covariation:
    """Say whether the contact area or the kinetics changed, from R and C of one arc together.

    Parameters
    ----------
    ln_r, ln_c, u_ln_r, u_ln_c, correlation : float
        As in `cause_probabilities`.

    Raises
    ------
    ConfigError
        If a number is not finite, an uncertainty is below 0, or the correlation is not between −1 and 1.
    """
    numbers = (ln_r, ln_c, u_ln_r, u_ln_c, correlation)
    if not all(map(math.isfinite, numbers)) or min(u_ln_r, u_ln_c) < 0 or abs(correlation) > 1:
        raise ConfigError(
            f"ln R ratio {ln_r:g} ± {u_ln_r:g}, ln C ratio {ln_c:g} ± {u_ln_c:g}, correlation {correlation:g} "
            "are no two uncertain numbers",
            where="covariation",
            mend="Give finite ratios, uncertainties of 0 or more, and a correlation between −1 and 1.",
        )
    found = cause_probabilities(*numbers)
    return Covariation(ln_r, ln_c, u_ln_r, u_ln_c, tuple(zip(CAUSES, found.tolist(), strict=True)))


def coverage_change(
    asr_before_ohm_cm2: tuple[float, float],
    asr_after_ohm_cm2: tuple[float, float],
    rng: np.random.Generator,
    *,
    spot_radius_um: tuple[float, float],
    conductivity_s_cm: tuple[float, float],
    asr_ct_ohm_cm2: tuple[float, float] = (0.0, 0.0),
    correlation: float = 0.0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> tuple[Estimated, Estimated, Estimated]:
    """Estimate the part of an interface in contact before and after, and their ratio.

    Parameters
    ----------
    asr_before_ohm_cm2, asr_after_ohm_cm2 : (float, float)
        Resistance of one interface and its standard uncertainty (ohm cm²).
    rng : numpy Generator
        Source of the draws.
    spot_radius_um, conductivity_s_cm, asr_ct_ohm_cm2 : (float, float)
        Value and standard uncertainty of the radius of the spots (µm), the conductivity (S/cm) and the
        charge-transfer resistance in full contact (ohm cm²); the same before and after, so that they hardly touch
        the ratio.
    correlation : float
        Between the errors of the two resistances.
    draws : int
        How many.
    level : float
        Probability of the intervals.

    Returns
    -------
    before, after, ratio : Estimated
        NaN where the resistance is less than that of full contact.

    Raises
    ------
    ConfigError
        If a value is not finite or not above 0 (`asr_ct_ohm_cm2` may be 0), or an uncertainty is below 0.
    """
    given = {
        "asr_before_ohm_cm2": asr_before_ohm_cm2,
        "asr_after_ohm_cm2": asr_after_ohm_cm2,
        "spot_radius_um": spot_radius_um,
        "conductivity_s_cm": conductivity_s_cm,
        "asr_ct_ohm_cm2": asr_ct_ohm_cm2,
    }
    for name, (value, u) in given.items():
        if not (0 <= u < math.inf and 0 <= value < math.inf and (value > 0 or name == "asr_ct_ohm_cm2")):
            raise ConfigError(
                f"{name} is {value:g} ± {u:g}", where="coverage", mend="Give a value above 0 and its uncertainty."
            )
    first, then = paired_draws(rng, asr_before_ohm_cm2, asr_after_ohm_cm2, correlation, draws)
    a, sigma, ct = (positive_draws(rng, *given[name], draws) for name in list(given)[2:])
    before = contact_coverage(first, a, sigma, asr_ct_ohm_cm2=ct)
    after = contact_coverage(then, a, sigma, asr_ct_ohm_cm2=ct)
    return (
        estimated("coverage before", before, level),
        estimated("coverage after", after, level),
        estimated("coverage after over before", after / before, level),
    )


def _sides(sides: int) -> int:
    if sides not in (1, 2):
        raise ConfigError(
            f"A contact has 1 or 2 constricted sides, not {sides}", where="constriction", mend="Give sides=1 or 2."
        )
    return sides


def _array(x: ArrayLike) -> RealArray:
    return np.asarray(x, dtype=np.float64)
