r"""Decision rules, and the probability that a quantity conforms to its limit.

A rule keeps the value away from the limit by a guard band w, so that a false acceptance stays rare:

.. math:: \text{PASS:}\; y \le T_U - w, \quad \text{CONDITIONAL\_PASS:}\; y \le T_U, \quad
    \text{CONDITIONAL\_FAIL:}\; y \le T_U + w, \quad \text{FAIL:}\; y > T_U + w

and the mirror image for a lower limit; in a window the nearer limit counts. Four outcomes after ILAC-G8:09/2019
§4.2.3, guard bands after its §5 and ISO 14253-1:2017, probabilities after JCGM 106:2012 §7
(doi:10.59161/JCGM106-2012). Everything takes numbers or arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from eis.errors import ConfigError
from eis.judgement import Verdict
from eis.spectrum import IntArray, RealArray

RuleName = Literal["simple", "guard-band", "iso-14253", "probability", "fixed"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
Model = Literal["auto", "normal", "lognormal-mean", "lognormal-median"]
ISO_14253_FACTOR = 1.645
"""One-sided 95 % of a normal distribution: ISO 14253-1's default guard band in standard uncertainties."""
SKEWED = 0.15
"""Relative standard uncertainty above which a positive quantity is taken as log-normal."""
FOUR_WAY = (Verdict.PASS, Verdict.CONDITIONAL_PASS, Verdict.CONDITIONAL_FAIL, Verdict.FAIL)
"""The outcomes by their codes."""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    r"""How a value and its uncertainty decide; agreed before measuring.

    Parameters
    ----------
    name : str
        "simple" (w = 0), "guard-band" (w = r·U with U = k·u), "iso-14253" (w = 1.645·u), "probability" (pass from
        a conformance probability of `confidence`, fail below 1 − `confidence`) or "fixed" (w = `width`).
    k : float
        Coverage factor of the expanded uncertainty U.
    multiple : float
        r, how many U the guard band is wide.
    confidence : float
        Conformance probability asked for by "probability", and the level of one-sided bounds; above 0.5, below 1.
    width : float, optional
        The guard band of "fixed", in the limit's unit.

    Notes
    -----
    Where u is an estimate with ν degrees of freedom, a band of g·u becomes t·u with Student's t of the same
    coverage Φ(g) (JCGM 100:2008 §G.3), so that the risk stays what the rule states.

    Raises
    ------
    ConfigError
        With every fault at once.
    """

    name: RuleName = "guard-band"
    k: float = 2.0
    multiple: float = 1.0
    confidence: float = 0.95
    width: float | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.name not in RULES:
            faults.append(f"rule is {self.name!r}; choose {', '.join(RULES)}")
        for what, number in (("k", self.k), ("multiple", self.multiple)):
            if not (math.isfinite(number) and number > 0):
                faults.append(f"{what} is {number:g}; give a number above zero")
        if not 0.5 < self.confidence < 1:
            faults.append(f"confidence is {self.confidence:g}; give a probability above 0.5 and below 1")
        if (self.width is not None) != (self.name == "fixed"):
            faults.append("a guard band in the limit's unit goes with the rule 'fixed', and 'fixed' needs one")
        elif self.width is not None and not (math.isfinite(self.width) and self.width > 0):
            faults.append(f"the guard band is {self.width:g}; give a number above zero")
        if faults:
            raise ConfigError("The decision rule is not one", where="rule", mend="; ".join(faults))

    @property
    def factor(self) -> float:
        """Width of the guard band in standard uncertainties that are known exactly; NaN if fixed."""
        return {
            "simple": 0.0,
            "guard-band": self.multiple * self.k,
            "iso-14253": ISO_14253_FACTOR,
            "probability": float(ndtri(self.confidence)),
            "fixed": math.nan,
        }[self.name]

    @property
    def stated_risk(self) -> float:
        """The largest probability with which a true value beyond the limit passes (specific risk); NaN if fixed.

        Φ(−g) for a band of g·u: 50 % without one, 2.28 % for w = U with k = 2, 5 % for ISO 14253-1.
        """
        return float(ndtr(-self.factor))

    def guard_band(self, u: Any, degrees_of_freedom: Any = math.inf) -> Any:
        """Return the width w of the guard band for a standard uncertainty `u`, number or array."""
        if self.width is not None:
            return u * 0 + self.width  # NaN where u is
        return student_factor(self.factor, degrees_of_freedom) * u

    def coverage(self, degrees_of_freedom: float = math.inf) -> float:
        """Return the coverage factor of U to print: k, or Student's t of the same coverage to three decimals."""
        return self.k if math.isinf(degrees_of_freedom) else round(student_factor(self.k, degrees_of_freedom), 3)

    def bound_factor(self, degrees_of_freedom: Any = math.inf) -> Any:
        """Return how many u above the value its one-sided bound of level `confidence` lies."""
        return student_factor(float(ndtri(self.confidence)), degrees_of_freedom)


def student_factor(g: float, degrees_of_freedom: Any = math.inf) -> Any:
    r"""Return Student's t with the one-sided coverage Φ(g); `g` itself for infinitely many degrees of freedom.

    Parameters
    ----------
    g : float
        Factor for a standard uncertainty that is known exactly, zero or above.
    degrees_of_freedom : float or ndarray
        ν, above zero.
    """
    if isinstance(degrees_of_freedom, float):
        return g if math.isinf(degrees_of_freedom) else -float(stdtrit(degrees_of_freedom, float(ndtr(-g))))
    nu = np.asarray(degrees_of_freedom, dtype=float)
    return np.where(np.isinf(nu), g, -stdtrit(np.where(np.isinf(nu), 1.0, nu), ndtr(-g)))


def outcomes(
    value: ArrayLike,
    u: ArrayLike,
    rule: DecisionRule,
    *,
    upper: float = math.inf,
    lower: float = -math.inf,
    degrees_of_freedom: ArrayLike = math.inf,
    model: Model = "auto",
) -> IntArray:
    """Decide about any number of values at once: codes of `FOUR_WAY`, shape of `value`; −1 where none is possible.

    Parameters
    ----------
    value, u : array_like
        Values and their standard uncertainties, in the unit of the limits.
    rule : DecisionRule
        Agreed before measuring.
    upper, lower : float
        The limits; at least one is finite.
    degrees_of_freedom : array_like
        Of `u`.
    model : str
        As in `p_conform`, for the rule "probability".

    Raises
    ------
    ConfigError
        If a limit is NaN, or there is none.
    """
    _require_limits(upper, lower)
    y, spread = np.asarray(value, dtype=float), np.asarray(u, dtype=float)
    inside = (y <= upper) & (y >= lower)
    with np.errstate(invalid="ignore"):  # an uncertainty without bound decides nothing
        w = np.asarray(rule.guard_band(spread, degrees_of_freedom))
    if rule.name == "probability":
        p = np.asarray(
            p_conform(y, spread, upper, lower=lower, model=model, degrees_of_freedom=degrees_of_freedom)
        )
        keeps, breaks = p >= rule.confidence, p <= 1 - rule.confidence
    else:
        with np.errstate(invalid="ignore"):
            keeps, breaks = (y <= upper - w) & (y >= lower + w), (y > upper + w) | (y < lower - w)
    codes = np.where(inside, 1 - keeps.astype(np.int64), 2 + breaks.astype(np.int64))
    return np.where(np.isfinite(y) & np.isfinite(w) & (spread >= 0), codes, -1)


def outcome(
    value: float,
    u: float,
    rule: DecisionRule,
    *,
    upper: float = math.inf,
    lower: float = -math.inf,
    degrees_of_freedom: float = math.inf,
) -> int:
    """Decide about one value: what `outcomes` says of it, a good deal sooner.

    Raises
    ------
    ConfigError
        As `outcomes`.
    """
    if rule.name == "probability":
        return int(outcomes(value, u, rule, upper=upper, lower=lower, degrees_of_freedom=degrees_of_freedom))
    _require_limits(upper, lower)
    w = float(rule.guard_band(u, degrees_of_freedom))
    if not (math.isfinite(value) and math.isfinite(w) and u >= 0):
        return -1
    if lower <= value <= upper:
        return 0 if lower + w <= value <= upper - w else 1
    return 3 if value > upper + w or value < lower - w else 2


def acceptance_limit(
    limit: float,
    value: float,
    u: float,
    rule: DecisionRule,
    *,
    degrees_of_freedom: float = math.inf,
    model: Model = "auto",
    sign: int = 1,
) -> float:
    r"""Return up to where values pass: T_U − w, or T_L + w for a lower limit (`sign` −1).

    For the rule "probability" and a log-normal quantity, the value whose probability is just enough at the same
    relative uncertainty: :math:`\exp(\ln T_U - t s + s^2/2)`.
    """
    if rule.name == "probability" and _is_skewed(value, u, model) and limit > 0:
        s2 = math.log1p((u / value) ** 2)
        shift = 0.0 if model == "lognormal-median" else s2 / 2
        return float(limit * math.exp(shift - sign * rule.bound_factor(degrees_of_freedom) * math.sqrt(s2)))
    return float(limit - sign * rule.guard_band(u, degrees_of_freedom))


def require_room(width: float, *, upper: float = math.inf, lower: float = -math.inf, where: str) -> None:
    """Refuse a guard band so wide that no value passes.

    Raises
    ------
    ConfigError
        If an upper limit of a quantity that cannot be negative has no room above zero, or a window none inside.
    """
    _require_limits(upper, lower)
    room = upper - max(lower, 0.0) if math.isfinite(upper) and upper > 0 else math.inf
    needed = 2 * width if math.isfinite(lower) and math.isfinite(upper) else width
    if not needed < room:
        raise ConfigError(
            f"The guard band ({width:g}) is wider than the limit leaves room for ({room:g}): nothing could pass",
            where=where,
            mend="Choose a narrower guard band, in the unit of the limit.",
        )


def p_conform(
    value: ArrayLike,
    u: ArrayLike,
    limit: float,
    *,
    lower: float = -math.inf,
    model: Model = "auto",
    degrees_of_freedom: ArrayLike = math.inf,
) -> Any:
    r"""Return the probability that the true value is at most `limit` (and at least `lower`).

    .. math:: p = \Phi\!\left(\frac{T_U - y}{u}\right), \qquad
        p = \Phi\!\left(\frac{\ln T_U - \mu}{s}\right), \quad s^2 = \ln(1 + (u/y)^2)

    with μ = ln y − s²/2 if y is the mean of the log-normal distribution, μ = ln y if it is its median, and
    Student's distribution for Φ where u has ν degrees of freedom.

    Parameters
    ----------
    value, u : array_like
        Values y and standard uncertainties u, in the unit of the limit.
    limit, lower : float
        Upper and lower limit; infinite if there is none.
    model : {"auto", "normal", "lognormal-mean", "lognormal-median"}
        "auto" is normal up to u/y = 0.15 and above that log-normal with mean y, because a resistance cannot be
        negative: at y = 1.5, u = 1 the normal distribution has 6.7 % below zero.
    degrees_of_freedom : array_like
        ν of `u`.

    Returns
    -------
    float or ndarray
        NaN where there is no uncertainty.

    Raises
    ------
    ConfigError
        If a limit is NaN or there is none, or a log-normal value is not positive.
    """
    _require_limits(limit, lower)
    if (
        isinstance(value, float)
        and isinstance(u, float)
        and isinstance(degrees_of_freedom, float)
        and (model == "auto" and 0 < u <= SKEWED * value and math.isfinite(value))
    ):
        return _of_a_normal(value, u, limit, lower, degrees_of_freedom)
    y, spread = np.asarray(value, dtype=float), np.asarray(u, dtype=float)
    known = np.isfinite(y) & np.isfinite(spread) & (spread > 0)
    skewed = (y > 0) & (spread > SKEWED * y) if model == "auto" else np.full(y.shape, model != "normal")
    if np.any(skewed & known & (y <= 0)):
        raise ConfigError(
            "A value at or below zero cannot be log-normal", where=f"model {model!r}", mend="Use the normal model."
        )
    nu = np.asarray(degrees_of_freedom, dtype=float)
    exact = np.isinf(nu)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):

        def below(edge: float) -> RealArray:
            z = (edge - y) / spread
            if skewed.any():
                s = np.sqrt(np.log1p((spread / y) ** 2))
                centre = np.log(y) - (0.0 if model == "lognormal-median" else s**2 / 2)
                z = np.where(skewed, ((math.log(edge) if edge > 0 else -math.inf) - centre) / s, z)
            if exact.all():
                return np.asarray(ndtr(z))
            return np.asarray(np.where(exact, ndtr(z), stdtr(np.where(exact, 1.0, nu), z)))

        p = np.where(known, below(limit) - (below(lower) if lower > -math.inf else 0.0), np.nan)
    return float(p) if p.ndim == 0 else p


def _of_a_normal(value: float, u: float, upper: float, lower: float, degrees_of_freedom: float) -> float:
    """Return `p_conform` of one value that is well known, as most are."""

    def below(edge: float) -> float:
        z = (edge - value) / u
        return float(ndtr(z) if math.isinf(degrees_of_freedom) else stdtr(degrees_of_freedom, z))

    return below(upper) - (below(lower) if lower > -math.inf else 0.0)


def _is_skewed(value: float, u: float, model: Model) -> bool:
    return value > 0 and (u > SKEWED * value if model == "auto" else model != "normal")


def _require_limits(upper: float, lower: float) -> None:
    if math.isnan(upper) or math.isnan(lower) or (math.isinf(upper) and math.isinf(lower)):
        raise ConfigError(
            f"There is no limit to compare with (upper {upper:g}, lower {lower:g})",
            where="limit",
            mend="Give a finite number; NaN is none.",
        )
    if lower >= upper:
        raise ConfigError(
            f"The lower limit {lower:g} is not below the upper limit {upper:g}", where="limit", mend="Swap them."
        )
