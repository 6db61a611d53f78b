"""What a resistance is the same as: the numbers that say whether it can be true."""

import math

import pytest

from eis.equivalents import (
    equivalent_thickness,
    equivalents,
    exchange_current_density,
    overpotential,
    thermal_voltage,
)
from eis.errors import ConfigError


def test_a_temperature_below_absolute_zero_and_a_conductivity_of_zero_are_refused():
    with pytest.raises(ConfigError, match="temperature"):
        exchange_current_density(1.0, temperature_c=-280)
    with pytest.raises(ConfigError, match="sigma_s_cm"):
        equivalent_thickness(1.0, 0.0)


def test_no_resistance_is_the_same_as_nothing():
    assert math.isnan(exchange_current_density(-1.0))
    assert equivalents(0.0) == equivalents(math.nan) == ()


def test_the_thermal_voltage_and_the_exchange_currents_are_the_published_ones():
    assert thermal_voltage(25) == pytest.approx(25.6926e-3, rel=2e-6)
    assert exchange_current_density(3e-3) == pytest.approx(8.56, abs=5e-3)
    assert exchange_current_density(1.0) == pytest.approx(25.7e-3, abs=5e-5)


@pytest.mark.parametrize(("sigma", "nanometres"), [(1e-3, 30), (2e-3, 60), (3e-3, 90), (5e-3, 150)])
def test_three_milliohm_cm2_are_some_nanometres_of_electrolyte(sigma, nanometres):
    assert equivalent_thickness(3e-3, sigma) * 1e7 == pytest.approx(nanometres, rel=1e-12)


def test_the_overpotentials_are_the_published_ones():
    assert overpotential(3e-3, 5e-3) == pytest.approx(15e-6, rel=1e-12)
    assert overpotential(10.0, 5e-3) == pytest.approx(50e-3, rel=1e-12)


def test_the_sentences_hold_the_numbers():
    said = " ".join(equivalents(3e-3, u_asr_ohm_cm2=3e-5))
    assert all(part in said for part in ("8.56 A/cm²", "60 nm", "15 µV", "± 0.02 of it (k = 2)"))
