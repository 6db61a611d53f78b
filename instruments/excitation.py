"""How large an excitation an interface bears: the error of a finite amplitude, and a current small enough."""

from __future__ import annotations

import math

from scipy.constants import R as GAS_J_PER_MOL_K
from scipy.constants import physical_constants
from scipy.special import iv

from eis.errors import ConfigError

FARADAY_C_PER_MOL = physical_constants["Faraday constant"][0]
USUAL_PEAK_V = 0.010
"""Peak voltage across one interface (V) that is usually small enough."""


def interface_error(peak_v: float, *, temperature_c: float = 25.0, alpha: float = 0.5) -> float:
    r"""Return by what fraction the conductance of an interface looks too large at a finite amplitude.

    .. math:: \frac{2 I_1(x)}{x} - 1 \approx \frac{x^2}{8}, \qquad x = \frac{\alpha F V}{R T}

    Parameters
    ----------
    peak_v : float
        Peak voltage across that one interface (V), √2 times its rms.
    temperature_c : float, optional
        Temperature (°C).
    alpha : float, optional
        Charge-transfer coefficient; the formula is that of a symmetric one, 0.5.

    Returns
    -------
    float
        0.0047 for 10 mV at 25 °C.

    Notes
    -----
    The current is i = 2 i₀ sinh(α F v / (R T)), its conductance for small voltages g = 2 i₀ α F / (R T). With
    v = V cos θ, sinh(x cos θ) = 2 Σ I₂ₖ₊₁(x) cos((2k + 1) θ), so that the current's first harmonic is 4 i₀ I₁(x);
    over g V that is 2 I₁(x)/x. The series follows from NIST DLMF 10.35.2, https://dlmf.nist.gov/10.35.E2.
    """
    x = alpha * FARADAY_C_PER_MOL * abs(peak_v) / (GAS_J_PER_MOL_K * (temperature_c + 273.15))
    return 2 * float(iv(1, x)) / x - 1 if x > 1e-6 else x**2 / 8


def advised_current_a(
    largest_z_ohm: float,
    *,
    area_cm2: float,
    critical_a_per_cm2: float | None = None,
    capacity_ah: float | None = None,
    stop_hz: float | None = None,
    peak_v: float = USUAL_PEAK_V,
) -> float:
    r"""Return the peak current (A) for a galvanostatic sweep: the least of what three limits allow.

    Parameters
    ----------
    largest_z_ohm : float
        Largest \|Z\| of the sweep (ohm); the whole of `peak_v` falls across it.
    area_cm2 : float
        Electrode area (cm²).
    critical_a_per_cm2 : float, optional
        Critical current density (A/cm²); a tenth of it is used.
    capacity_ah, stop_hz : float, optional
        Cell capacity (Ah) and lowest frequency (Hz): the charge of a half-wave, I/(πf), is kept below 0.1 % of it.
    peak_v : float, optional
        Peak voltage allowed (V).
    """
    allowed = [peak_v / largest_z_ohm]
    if critical_a_per_cm2 is not None:
        allowed.append(0.1 * critical_a_per_cm2 * area_cm2)
    if capacity_ah is not None and stop_hz is not None:
        allowed.append(1e-3 * capacity_ah * 3600 * math.pi * stop_hz)
    if not all(math.isfinite(value) and value > 0 for value in allowed):
        raise ConfigError(
            "The limits of the current are not described rightly",
            where="linearity",
            mend="Give impedance, area, current density, capacity and frequency as numbers above zero.",
        )
    return min(allowed)
