"""Spectra whose truth is a closed form, written with nothing but numpy."""

from dataclasses import dataclass

import numpy as np

from eis.spectrum import Spectrum

FREQUENCY = np.geomspace(1e6, 0.1, 71)


@dataclass(frozen=True)
class TwoArcs:
    """L + R0 + two R‖CPE arcs; the arcs by resistance, frequency of the peak, and exponent."""

    inductance: float = 1e-7
    r0: float = 22.0
    r1: float = 15.0
    f1: float = 150e3
    a1: float = 0.95
    r2: float = 17.683
    f2: float = 1.2e3
    a2: float = 0.92

    circuit = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"

    @property
    def values(self) -> dict[str, float]:
        """The truth by impedance.py's parameter names."""
        q1, q2 = (
            (1 / (2 * np.pi * f)) ** a / r
            for r, f, a in ((self.r1, self.f1, self.a1), (self.r2, self.f2, self.a2))
        )
        return {
            "L0": self.inductance,
            "R0": self.r0,
            "R1": self.r1,
            "CPE1_0": q1,
            "CPE1_1": self.a1,
            "R2": self.r2,
            "CPE2_0": q2,
            "CPE2_1": self.a2,
        }

    def z(self, frequency=FREQUENCY):
        """Return the impedance (ohm)."""
        arcs = ((self.r1, self.f1, self.a1), (self.r2, self.f2, self.a2))
        return (
            2j * np.pi * frequency * self.inductance
            + self.r0
            + sum(r / (1 + (1j * frequency / f) ** a) for r, f, a in arcs)
        )

    def spectrum(self, noise=0.0, seed=0, frequency=FREQUENCY):
        """Return the spectrum with complex noise of `noise`·|Z| per part."""
        z = self.z(frequency)
        return Spectrum.of(frequency, noisy(z, noise, seed))


def noisy(z, noise, seed):
    """Add Gaussian noise of `noise`·|Z| to real and imaginary part."""
    rng = np.random.default_rng(seed)
    return z + noise * np.abs(z) * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
