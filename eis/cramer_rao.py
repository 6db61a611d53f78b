"""How well a circuit's parameters can be known at best, before anything is measured: the Cramér–Rao bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import CircuitError, ConfigError
from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import Circuit, parse
from fitting.weights import ErrorStructure

FLAT = 1e-10
"""Singular values below this fraction of the largest count as zero."""
DEAD = 1e-12
"""A parameter that matters less than this, as a fraction of the one that matters most, is not seen at all."""
SHARE = 0.1
"""Part a parameter must have in a direction without information for not being determined."""

Noise = float | ErrorStructure
"""Standard deviation of real and imaginary part each: as a fraction of |Z|, or by its structure."""


@dataclass(frozen=True, eq=False)
class Bound:
    """The least standard uncertainties any unbiased fit can have, for random noise alone.

    Parameters
    ----------
    circuit : str
        The circuit.
    names : tuple of str
        All its parameters.
    values, u : ndarray, shape (p,)
        Their values, and the bound of each in natural units: 0 for one that is known, NaN for one that the data
        would not determine.
    correlation : ndarray, shape (p, p)
        Of the estimates; NaN where there is no uncertainty.
    """

    circuit: str
    names: tuple[str, ...]
    values: RealArray
    u: RealArray
    correlation: RealArray

    def u_of(self, name: str) -> float:
        """Return the bound of a parameter (k = 1)."""
        return float(self.u[self.names.index(name)])

    def relative(self, name: str) -> float:
        """Return the bound of a parameter over its value."""
        i = self.names.index(name)
        return float(self.u[i] / self.values[i])

    def correlation_of(self, a: str, b: str) -> float:
        """Return the correlation of two estimates; NaN if one has no uncertainty."""
        return float(self.correlation[self.names.index(a), self.names.index(b)])

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters that the data would not determine at all."""
        return tuple(name for name, u in zip(self.names, self.u, strict=True) if math.isnan(u))


def cramer_rao(
    circuit: str | Circuit,
    values: ArrayLike,
    frequency_hz: ArrayLike,
    *,
    noise: Noise = 1e-3,
    repeats: int = 1,
    known: Sequence[str] = (),
) -> Bound:
    r"""Return the Cramér–Rao bound of a circuit's parameters.

    .. math:: \mathrm{cov}(\hat\theta) \ge F^{-1}, \qquad F = m \sum_i \frac{1}{\sigma_i^2}\,
        \mathrm{Re}\left(\frac{\partial Z_i}{\partial\theta}\,\frac{\partial Z_i^*}{\partial\theta'}\right)

    for independent Gaussian noise of standard deviation σ in real and imaginary part each, and m repeats. The
    derivatives are exact. That σ itself depends on θ adds information of the order of (σ/\|Z\|)², which is left
    out.

    Parameters
    ----------
    circuit : str or Circuit
        As in `fitting.fit`.
    values : array_like, shape (p,)
        The values to expect, in circuit order and natural units.
    frequency_hz : array_like, shape (n,)
        Frequencies (Hz).
    noise : float or ErrorStructure
        σ as a fraction of \|Z\|, or how it depends on the impedance.
    repeats : int
        How many sweeps are averaged or fitted together.
    known : sequence of str
        Parameters known beforehand, such as an inductance from a shorted fixture.

    Returns
    -------
    Bound

    Raises
    ------
    ConfigError
        If a value, a frequency, the noise or the repeats are not what they must be.
    CircuitError
        If the circuit is none, or the values are not one per parameter.

    References
    ----------
    C. R. Rao, Bull. Calcutta Math. Soc. 37 (1945) 81; H. Cramér, Mathematical Methods of Statistics (1946) §32.3.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
    f = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
    _check(parsed, numbers, f, repeats, known)
    with np.errstate(all="ignore"):  # what comes of it is looked at
        z, by_value = parsed.jacobian(2 * np.pi * f, numbers)
    free = np.array([i for i, name in enumerate(parsed.names) if name not in known])
    if not free.size:
        raise ConfigError("Every parameter is known", where="known", mend="Leave at least the interface free.")
    if not (np.all(np.isfinite(by_value)) and np.all(np.isfinite(z)) and np.all(z != 0)):
        raise ConfigError(
            "The circuit has no finite impedance at these values",
            where="values",
            mend=f"Check the value of each of {', '.join(parsed.names)}.",
        )
    sigma = _sigma(noise, z)
    weighted = by_value[free] * numbers[free, None] * (math.sqrt(repeats) / sigma)
    covariance = _inverse(np.concatenate([weighted.real, weighted.imag], axis=1).T)  # of logarithms
    covariance *= np.outer(numbers[free], numbers[free])
    u = np.zeros(numbers.size)
    u[free] = np.sqrt(np.diag(covariance))
    correlation = np.full((numbers.size, numbers.size), math.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation[np.ix_(free, free)] = covariance / np.outer(u[free], u[free])
    return Bound(str(parsed), parsed.names, numbers, u, correlation)


def _inverse(design: RealArray) -> RealArray:
    """Return (AᵀA)⁻¹ of `design` A, shape (2n, p), NaN for what lies in a direction without information."""
    lengths = np.linalg.norm(design, axis=0)
    dead = lengths <= DEAD * max(float(lengths.max(initial=0.0)), 1e-300)
    live = np.flatnonzero(~dead)
    _, singular, right = np.linalg.svd(design[:, live] / lengths[live], full_matrices=False)
    flat = singular <= FLAT * singular.max(initial=0.0)
    inverse = (right[~flat].T / singular[~flat] ** 2) @ right[~flat] / np.outer(lengths[live], lengths[live])
    blurred = np.asarray((np.abs(right[flat]) > SHARE).any(axis=0))
    if design.shape[0] < live.size:  # fewer numbers than parameters determine none for sure
        blurred = np.ones(live.size, dtype=np.bool_)
    inverse[blurred] = inverse[:, blurred] = math.nan
    out = np.full((lengths.size, lengths.size), math.nan)
    out[np.ix_(live, live)] = inverse
    return out


def _sigma(noise: Noise, z: ComplexArray) -> RealArray:
    if isinstance(noise, ErrorStructure):
        sigma = noise.sigma_ohm(z)
    elif not (isinstance(noise, (int, float)) and math.isfinite(noise) and 0 < noise < 1):
        raise ConfigError(
            f"The noise is {noise!r}",
            where="noise",
            mend="Give a fraction of |Z| above 0 and below 1, e.g. 0.001.",
        )
    else:
        sigma = noise * np.abs(z)
    if not np.all(sigma > 0):
        raise ConfigError("The noise is zero somewhere", where="noise", mend="No measurement is without noise.")
    return sigma


def _check(circuit: Circuit, values: RealArray, f: RealArray, repeats: int, known: Sequence[str]) -> None:
    if values.shape != (len(circuit.names),):
        raise CircuitError(
            f"The circuit has {len(circuit.names)} parameters and {values.size} values were given",
            text=str(circuit),
            position=0,
            mend=f"Give one value each for {', '.join(circuit.names)}.",
        )
    faults = [
        f"{name} is {value:g}; give a number above zero"
        for name, value in zip(circuit.names, values.tolist(), strict=True)
        if not (math.isfinite(value) and value > 0)
    ]
    faults += [
        f"{name} is {value:g}; an exponent is at most {parameter.upper:g}"
        for name, value, parameter in zip(circuit.names, values.tolist(), circuit.parameters, strict=True)
        if value > parameter.upper
    ]
    faults += [f"there is no {name!r} to be known; it has {', '.join(circuit.names)}" for name in known
               if name not in circuit.names]  # fmt: skip
    if not (f.size and np.all(np.isfinite(f)) and np.all(f > 0)):
        faults.append("the frequencies must be numbers above zero")
    if not (isinstance(repeats, int) and repeats >= 1):
        faults.append(f"repeats is {repeats!r}; give a whole number, one or above")
    if faults:
        raise ConfigError("The measurement is not described rightly", where=str(circuit), mend="; ".join(faults))
