r"""Statistical tolerance factors: how far beyond the mean of n cells a share p of all lies, with confidence γ.

Statistical tolerance intervals as in ISO 16269-6:2014; all for a normally distributed quantity, such as ln R,
except the distribution-free ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binom, chi2, nct

from eis.errors import ConfigError

LARGE = 100.0
"""Noncentrality beyond which the noncentral t is a scaled inverse chi, to a relative 1e-4."""


def one_sided_factor(n: int, proportion: float = 0.95, confidence: float = 0.95) -> float:
    r"""Return the exact k of the one-sided tolerance bound :math:`\bar x + k s`.

    .. math:: k = \frac{t'_{\gamma;\, n-1,\, \delta}}{\sqrt n}, \qquad \delta = z_p \sqrt n

    with t′ the quantile of the noncentral t distribution; NIST/SEMATECH e-Handbook §7.2.6.3, where n = 43,
    p = 0.90 and γ = 0.99 give 1.8740.

    Parameters
    ----------
    n : int
        Number of cells, two or more.
    proportion, confidence : float
        p and γ, between 0 and 1.

    Raises
    ------
    ConfigError
        If an argument is out of range.
    """
    _require(n, proportion, confidence, least=2)
    return float(nct.ppf(confidence, n - 1, ndtri(proportion) * math.sqrt(n))) / math.sqrt(n)


def natrella_factor(n: int, proportion: float = 0.95, confidence: float = 0.95) -> float:
    r"""Return Natrella's approximation of the one-sided k, for checking by hand.

    .. math:: a = 1 - \frac{z_\gamma^2}{2(n-1)}, \quad b = z_p^2 - \frac{z_\gamma^2}{n}, \quad
        k = \frac{z_p + \sqrt{z_p^2 - a b}}{a}

    Parameters and errors as for `one_sided_factor`; NIST/SEMATECH e-Handbook §7.2.6.3.

    Raises
    ------
    ConfigError
        Also if n is too small for it (a ≤ 0).
    """
    _require(n, proportion, confidence, least=2)
    z_p, z_g = float(ndtri(proportion)), float(ndtri(confidence))
    a, b = 1 - z_g**2 / (2 * (n - 1)), z_p**2 - z_g**2 / n
    if a <= 0:
        raise ConfigError(
            f"Natrella's approximation has no value for n = {n}", where="n", mend="Use the exact factor."
        )
    return (z_p + math.sqrt(z_p**2 - a * b)) / a


def two_sided_factor(n: int, proportion: float = 0.95, confidence: float = 0.95) -> float:
    r"""Return Howe's k of the two-sided tolerance interval :math:`\bar x \pm k s`.

    .. math:: k = z_{(1+p)/2} \sqrt{\frac{\nu\,(1 + 1/n)}{\chi^2_{1-\gamma,\,\nu}}}, \qquad \nu = n - 1

    within 1 % of the exact one for n ≥ 5 or so. W. G. Howe, J. Am. Stat. Assoc. 64 (1969) 610,
    doi:10.1080/01621459.1969.10500999. Parameters and errors as for `one_sided_factor`.
    """
    _require(n, proportion, confidence, least=2)
    spread = (n - 1) * (1 + 1 / n) / float(chi2.ppf(1 - confidence, n - 1))
    return float(ndtri((1 + proportion) / 2)) * math.sqrt(spread)


def quantile_lower_factor(n: int, proportion: float = 0.95, confidence: float = 0.95) -> float:
    r"""Return the k with which the p quantile lies above :math:`\bar x + k s` with confidence γ.

    If even that is beyond a limit, too few cells conform. Parameters and errors as for `one_sided_factor`.
    """
    _require(n, proportion, confidence, least=2)
    return float(nct.ppf(1 - confidence, n - 1, ndtri(proportion) * math.sqrt(n))) / math.sqrt(n)


def distribution_free_size(proportion: float = 0.95, confidence: float = 0.95) -> int:
    r"""Return how many cells are needed for their largest value to be a tolerance bound of any distribution.

    .. math:: n \ge \frac{\ln(1 - \gamma)}{\ln p}
    """
    _require(2, proportion, confidence, least=2)
    return math.ceil(math.log1p(-confidence) / math.log(proportion) - 1e-12)


def distribution_free_bound(values: ArrayLike, proportion: float = 0.95, confidence: float = 0.95) -> float:
    r"""Return the smallest order statistic that is an upper tolerance bound; NaN if there are too few values.

    .. math:: \min \{ x_{(r)} : P(\mathrm{Bin}(n, p) \le r - 1) \ge \gamma \}

    Parameters
    ----------
    values : array_like, shape (n,)
        In any unit.
    proportion, confidence : float
        p and γ.
    """
    x = np.sort(np.asarray(values, dtype=float))
    _require(max(x.size, 1), proportion, confidence, least=1)
    enough = np.flatnonzero(binom.cdf(np.arange(x.size), x.size, proportion) >= confidence - 1e-12)
    return float(x[enough[0]]) if enough.size else math.nan


def capability_lower_bound(capability: float, n: int, confidence: float = 0.95) -> float:
    r"""Return the exact lower confidence bound of a one-sided capability index estimated from n cells.

    .. math:: F_{t'}\bigl(3 \sqrt n\, \hat C;\; n - 1,\; 3 \sqrt n\, C_L\bigr) = \gamma

    with the noncentral t distribution; `capability_lower_bound_normal` is the approximation by hand.
    """
    _require(n, 0.5, confidence, least=2)
    root = 3 * math.sqrt(n)
    if abs(root * capability) > LARGE:  # the mean is then known exactly, beside the spread
        tail = 1 - confidence if capability > 0 else confidence
        return capability * math.sqrt(float(chi2.ppf(tail, n - 1)) / (n - 1))

    def excess(bound: float) -> float:
        return float(nct.cdf(root * capability, n - 1, root * bound)) - confidence

    step = capability - capability_lower_bound_normal(capability, n, confidence)
    low = capability - step
    while excess(low) < 0:
        low -= step / 2
    return float(brentq(excess, low, capability + step, xtol=1e-10))


def capability_lower_bound_normal(capability: float, n: int, confidence: float = 0.95) -> float:
    r"""Return the approximate lower bound of a one-sided capability index.

    .. math:: C_L = \hat C \left[1 - z_\gamma \sqrt{\frac{1}{9 n \hat C^2} + \frac{1}{2(n - 1)}}\right]

    A. F. Bissell, Appl. Stat. 39 (1990) 331, doi:10.2307/2347383.
    """
    _require(n, 0.5, confidence, least=2)
    spread = math.sqrt(1 / (9 * n) + capability**2 / (2 * (n - 1)))
    return capability - float(ndtri(confidence)) * spread


def _require(n: int, proportion: float, confidence: float, *, least: int) -> None:
    faults = []
    if n < least:
        faults.append(f"there are {n} cells; at least {least} are needed")
    for name, share in (("proportion", proportion), ("confidence", confidence)):
        if not 0 < share < 1:
            faults.append(f"{name} is {share:g}; give a share between 0 and 1")
    if faults:
        raise ConfigError("There is no tolerance factor", where="tolerance", mend="; ".join(faults))
