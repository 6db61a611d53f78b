r"""What an area-specific resistance would be as something else: for telling whether a number can be true.

.. math:: i_0 = \frac{RT}{F \cdot \mathrm{ASR}}, \qquad d = \mathrm{ASR} \cdot \sigma, \qquad
    \eta = \mathrm{ASR} \cdot j
"""

from __future__ import annotations

import math

from eis.errors import ConfigError
from eis.quantities import format_si

GAS_CONSTANT = 8.31446261815324
"""R (J mol⁻¹ K⁻¹), CODATA 2018, exact."""
FARADAY = 96485.33212331
"""F (C mol⁻¹), CODATA 2018."""
BOLTZMANN_EV = 8.617333262e-5
"""k_B (eV/K), CODATA 2018."""
ZERO_C = 273.15
"""0 °C in kelvin."""
ROOM_C = 25.0
"""Temperature (°C) taken where none is stated."""
TYPICAL_SIGMA_S_CM = 2e-3
"""Conductivity (S/cm) of a good sulfide electrolyte, for comparisons."""


def thermal_voltage(temperature_c: float = ROOM_C) -> float:
    """Return RT/F (V); 25.6926 mV at 25 °C."""
    _positive("temperature_c + 273.15", temperature_c + ZERO_C, "K")
    return GAS_CONSTANT * (temperature_c + ZERO_C) / FARADAY


def exchange_current_density(asr_ohm_cm2: float, *, temperature_c: float = ROOM_C) -> float:
    """Return the exchange current density RT/(F·ASR) (A/cm²) of a charge transfer of this resistance.

    One electron per ion and small amplitudes; NaN unless the resistance (ohm cm²) is above zero. Its relative
    standard uncertainty is that of the resistance.

    Raises
    ------
    ConfigError
        If the temperature (°C) is not above absolute zero.
    """
    return thermal_voltage(temperature_c) / asr_ohm_cm2 if asr_ohm_cm2 > 0 else math.nan


def equivalent_thickness(asr_ohm_cm2: float, sigma_s_cm: float = TYPICAL_SIGMA_S_CM) -> float:
    """Return the thickness (cm) of electrolyte of conductivity `sigma_s_cm` (S/cm) with the same resistance.

    Raises
    ------
    ConfigError
        If the conductivity is not above zero.
    """
    _positive("sigma_s_cm", sigma_s_cm, "S/cm")
    return asr_ohm_cm2 * sigma_s_cm


def overpotential(asr_ohm_cm2: float, current_density_a_cm2: float) -> float:
    """Return the voltage (V) lost over this resistance (ohm cm²) at a current density (A/cm²)."""
    return asr_ohm_cm2 * current_density_a_cm2


def equivalents(
    asr_ohm_cm2: float,
    *,
    u_asr_ohm_cm2: float = math.nan,
    temperature_c: float = ROOM_C,
    sigma_s_cm: float = TYPICAL_SIGMA_S_CM,
    current_density_a_cm2: float = 5e-3,
) -> tuple[str, ...]:
    """Return in words what an area-specific resistance is the same as.

    Parameters
    ----------
    asr_ohm_cm2, u_asr_ohm_cm2 : float
        Area-specific resistance of one interface and its standard uncertainty (ohm cm²); NaN leaves it out.
    temperature_c, sigma_s_cm, current_density_a_cm2 : float
        For i₀ (°C), for the thickness (S/cm), and for the overpotential (A/cm²).

    Returns
    -------
    tuple of str
        Empty unless the resistance is above zero.

    Raises
    ------
    ConfigError
        If temperature or conductivity is not above zero.
    """
    i0 = exchange_current_density(asr_ohm_cm2, temperature_c=temperature_c)
    if not math.isfinite(i0):
        return ()
    share = u_asr_ohm_cm2 / asr_ohm_cm2
    spread = f" ± {2 * share:.2g} of it (k = 2)" if math.isfinite(share) else ""
    depth = format_si(equivalent_thickness(asr_ohm_cm2, sigma_s_cm) * 1e-2, "m", digits=3)
    lost = format_si(overpotential(asr_ohm_cm2, current_density_a_cm2), "V", digits=3)
    return (
        f"an exchange current density of {format_si(i0, 'A/cm²', digits=3)}{spread} at {temperature_c:g} °C",
        f"{depth} of an electrolyte of {format_si(sigma_s_cm, 'S/cm', digits=3)}",
        f"{lost} lost at {format_si(current_density_a_cm2, 'A/cm²', digits=3)}",
    )


def _positive(name: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {value:g} {unit}", mend="Give a finite number above zero.")
