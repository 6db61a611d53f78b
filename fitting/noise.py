"""How noisy a spectrum is, told from the spectrum alone: what its neighbours do not explain."""

from __future__ import annotations

import math

import numpy as np

from eis.spectrum import ComplexArray, RealArray

SIXTH = np.array([1.0, -6.0, 15.0, -20.0, 15.0, -6.0, 1.0]) / math.sqrt(924.0)
"""Sixth difference, scaled to leave the variance of white noise as it is."""

KEPT = 0.75
KEPT_MEAN = (1 - (1 - KEPT) * (1 - math.log(1 - KEPT))) / KEPT
"""Mean of the smallest three quarters of exponential variables, over the mean of all."""


def relative_noise(z_ohm: ComplexArray) -> RealArray:
    r"""Estimate the noise of each part as a fraction of \|Z\|, from its sixth differences.

    An arc sampled at ten points a decade leaves some 1e-4 in them; a coarser grid leaves more, and the estimate is
    then an upper bound. The largest quarter is left out, so that a few outliers do not matter.

    Parameters
    ----------
    z_ohm : ndarray, shape (spectra, n)
        Impedance (ohm), nowhere zero, over an evenly spaced log frequency.

    Returns
    -------
    ndarray, shape (spectra,)
        Standard deviation of real and imaginary part each, over \|Z\|; infinite for fewer than 10 points.
    """
    n = z_ohm.shape[1]
    if n < SIXTH.size + 3:
        return np.full(z_ohm.shape[0], math.inf)
    last = n - SIXTH.size + 1
    left = np.zeros((z_ohm.shape[0], last), dtype=np.complex128)
    for k, weight in enumerate(SIXTH):
        left += weight * z_ohm[:, k : k + last]
    middle = z_ohm[:, 3 : 3 + last]
    squares = (left.real**2 + left.imag**2) / (middle.real**2 + middle.imag**2)
    kept = math.ceil(KEPT * last)
    smallest = np.partition(squares, kept - 1, axis=1)[:, :kept]
    return np.asarray(np.sqrt(smallest.mean(axis=1) / (2 * KEPT_MEAN)))
