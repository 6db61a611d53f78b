"""A straight line through points with uncertainties in either or both directions, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import norm

from eis.spectrum import RealArray

LEVEL = 0.95
"""Coverage of every interval."""
ROUNDS, SETTLED = 200, 1e-13
"""Most rounds of the iteration, and the relative change of the slope that ends it."""


@dataclass(frozen=True, slots=True)
class StraightLine:
    r"""The line y = a + b·x, with the covariance of its two numbers.

    Parameters
    ----------
    intercept, slope : float
        a and b.
    u_intercept, u_slope, covariance : float
        Standard uncertainties (k = 1) and covariance, with `inflation` in them; NaN if two points without
        uncertainties leave none.
    degrees_of_freedom : int
        Points less two.
    inflation : float
        By how much the points scatter more than their uncertainties say, :math:`\sqrt{\chi^2/\nu}`, at least 1
        (Birge's ratio); NaN if they came without uncertainties, which then are taken from the scatter.
    """

    intercept: float
    slope: float
    u_intercept: float
    u_slope: float
    covariance: float
    degrees_of_freedom: int
    inflation: float

    @property
    def k(self) -> float:
        """Factor from standard uncertainty to the 95 % interval: Student's t, or 1.96 for two points."""
        nu = self.degrees_of_freedom
        return float(stdtrit(nu, (1 + LEVEL) / 2)) if nu > 0 else float(norm.ppf((1 + LEVEL) / 2))

    def at(self, x: float) -> tuple[float, float]:
        """Return y and its standard uncertainty at `x`, that of the line rather than of one more point."""
        variance = self.u_intercept**2 + 2 * x * self.covariance + (x * self.u_slope) ** 2
        return self.intercept + self.slope * x, math.sqrt(max(variance, 0.0)) if variance == variance else math.nan


def fit_line(
    x: RealArray, y: RealArray, u_y: RealArray | None = None, u_x: RealArray | None = None
) -> StraightLine:
    r"""Fit a straight line by least squares, with independent errors in y and, if given, in x.

    .. math:: \chi^2 = \sum_i \frac{(y_i - a - b x_i)^2}{u_y^2 + b^2 u_x^2}

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        At least two points, at two different x.
    u_y, u_x : ndarray, shape (n,), optional
        Standard uncertainties. Without any, all points count alike and their scatter gives the uncertainty.

    Returns
    -------
    StraightLine

    References
    ----------
    D. York, N. M. Evensen, M. López Martínez, J. De Basabe Delgado, Am. J. Phys. 72 (2004) 367,
    doi:10.1119/1.1632486. Inflation by the scatter: R. T. Birge, Phys. Rev. 40 (1932) 207,
    doi:10.1103/PhysRev.40.207.
    """
    known = u_y is not None or u_x is not None
    vy = np.ones(y.size) if not known else np.zeros(y.size) if u_y is None else u_y**2
    vx = np.zeros(x.size) if u_x is None else u_x**2
    b, beta = float(np.polyfit(x - x.mean(), y, 1)[0]), np.zeros(x.size)
    for _ in range(ROUNDS):
        w = 1 / (vy + b * b * vx)
        middle_x, middle_y = np.average(x, weights=w), np.average(y, weights=w)
        beta = w * ((x - middle_x) * vy + b * (y - middle_y) * vx)  # where each point is moved to along x
        before, b = b, float((w * beta * (y - middle_y)).sum() / (w * beta * (x - middle_x)).sum())
        if abs(b - before) <= SETTLED * abs(b):
            break
    w = 1 / (vy + b * b * vx)
    a = float(np.average(y, weights=w) - b * np.average(x, weights=w))
    moved = np.average(x, weights=w) + beta
    centre = float(np.average(moved, weights=w))
    variance_b = 1 / float((w * (moved - centre) ** 2).sum())
    chi2 = float((w * (y - a - b * x) ** 2).sum())
    nu = y.size - 2
    inflation, scale = math.nan, math.nan
    if known:
        inflation = scale = max(1.0, math.sqrt(chi2 / nu)) if nu > 0 else 1.0
    elif nu > 0:
        scale = math.sqrt(chi2 / nu)
    u_b = math.sqrt(variance_b) * scale
    u_a = math.sqrt(1 / float(w.sum()) + centre**2 * variance_b) * scale
    return StraightLine(a, b, u_a, u_b, -centre * variance_b * scale**2, nu, inflation)


def bend(x: RealArray, y: RealArray, matters: float, u_y: RealArray | None = None) -> float:
    """Return how many of its own uncertainties the curvature of a parabola through the points is.

    The uncertainty is that of the scatter around the parabola, or of `u_y` if that is more. Returns 0 for fewer
    than five points, and for a parabola that departs from a straight line by less than `matters` (in units of y).
    """
    nu = y.size - 3
    if nu < 2 or np.unique(x).size < 4:
        return 0.0
    w = np.ones(y.size) if u_y is None else 1 / u_y
    z = (x - x.mean()) / np.ptp(x)
    design = np.vander(z, 3) * w[:, None]
    found, *_ = np.linalg.lstsq(design, y * w)
    scatter = float((((y * w) - design @ found) ** 2).sum()) / nu
    scale = scatter if u_y is None else max(1.0, scatter)
    u = math.sqrt(float(np.linalg.inv(design.T @ design)[0, 0]) * scale)
    return float(found[0]) / max(u, 1e-300) if abs(found[0]) > 4 * matters else 0.0  # z² departs by a quarter
