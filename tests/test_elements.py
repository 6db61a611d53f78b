"""Elements against published values, closed-form limits, numerical derivatives, and physics."""

import numpy as np
import pytest

from fitting.elements import ELEMENTS, open_warburg, short_warburg

OMEGA = 2 * np.pi * np.array([0.001, 1.0, 1000.0])
# impedance.py's own test-suite, parameters taken from 0.1, 0.2, 0.3 in order
PUBLISHED = {
    "CPE": [26.216236841 - 8.518171711j, 6.585220961 - 2.139667994j, 1.654132718 - 0.537460300j],
    "Wo": [0.033333332999 - 79.577474338j, 0.033004370467 - 0.082328667859j, 0.001994711402 - 0.001994711402j],
    "Ws": [0.09999998 - 4.18878913e-5j, 0.08327519 - 0.0333838167j, 0.00199471 - 0.0019947114j],
    "G": [0.0999999407824 - 6.28317911e-5j, 0.0710775502 - 0.0342746521j, 0.00199550460 - 0.00199391726j],
    "Zarc": [0.08900974 - 0.00486384j, 0.04818879 - 0.01198904j, 0.00969182 - 0.00436265j],
}


def values_within(element, rng):
    """Draw one value per parameter: scales and times over six decades, exponents over their range."""
    return [
        rng.uniform(0.3, 1.0) if p.kind == "exponent" else 10 ** rng.uniform(-3, 3) for p in element.parameters
    ]


@pytest.mark.parametrize("letter", PUBLISHED)
def test_an_element_equals_the_published_values(letter):
    element = ELEMENTS[letter]
    values = [0.1, 0.2, 0.3][: len(element.parameters)]
    z, printed = element.impedance(OMEGA, *values), np.array(PUBLISHED[letter])
    assert z.real == pytest.approx(printed.real, rel=1e-8, abs=5.1e-9)  # they are printed to eight decimals
    assert z.imag == pytest.approx(printed.imag, rel=1e-8, abs=5.1e-9)


@pytest.mark.parametrize("letter", ELEMENTS)
def test_an_element_equals_impedance_py(letter):
    pytest.importorskip("impedance.models.circuits.elements", exc_type=ImportError)
    from impedance.models.circuits.elements import circuit_elements

    element = ELEMENTS[letter]
    rng = np.random.default_rng(3)
    f = np.geomspace(1e-3, 1e6, 19)
    for _ in range(20):
        values = values_within(element, rng)
        with np.errstate(over="ignore", invalid="ignore"):
            theirs = circuit_elements[letter](values, f)
        ok = np.isfinite(theirs)
        assert element.impedance(2 * np.pi * f, *values)[ok] == pytest.approx(theirs[ok], rel=1e-9)


@pytest.mark.parametrize("letter", ELEMENTS)
def test_every_derivative_is_the_central_difference(letter):
    element = ELEMENTS[letter]
    rng = np.random.default_rng(5)
    omega = np.geomspace(1e-2, 1e4, 25)
    for _ in range(30):
        values = values_within(element, rng)
        derivatives = element.derivatives(omega, *values)
        for i, value in enumerate(values):
            h = 1e-6 * value
            up, down = ([*values[:i], value + sign * h, *values[i + 1 :]] for sign in (1, -1))
            numerical = (element.impedance(omega, *up) - element.impedance(omega, *down)) / (2 * h)
            size = np.abs(element.impedance(omega, *values)) / value
            assert np.all(np.abs(derivatives[i] - numerical) < 1e-6 * np.abs(numerical) + 3e-9 * size)


@pytest.mark.parametrize("letter", ELEMENTS)
def test_every_element_is_passive_over_its_whole_range(letter):
    element = ELEMENTS[letter]
    rng = np.random.default_rng(7)
    omega = np.geomspace(1e-4, 1e8, 61)
    for _ in range(100):
        z = element.impedance(omega, *values_within(element, rng))
        assert np.all(np.isfinite(z))
        assert np.all(z.real >= -1e-12 * np.abs(z))


@pytest.mark.parametrize("letter", ELEMENTS)
def test_values_and_derivatives_stay_finite_at_both_ends(letter):
    element = ELEMENTS[letter]
    values = [0.9 if p.kind == "exponent" else 1.0 for p in element.parameters]
    omega = np.array([1e-9, 1e12])
    assert np.all(np.isfinite(element.impedance(omega, *values)))
    assert np.all(np.isfinite(element.derivatives(omega, *values)))


def test_a_short_warburg_is_r_at_dc_and_an_open_one_is_a_third_of_r_and_a_capacitor():
    slow = np.array([1e-6])
    assert short_warburg(slow, 7.0, 2.0) == pytest.approx(7.0, rel=1e-5)
    assert open_warburg(slow, 7.0, 2.0) == pytest.approx(7.0 / 3 + 7.0 / (1j * slow * 2.0), rel=1e-9)


def test_both_warburgs_meet_at_45_degrees_at_high_frequency():
    fast = np.array([1e6])
    expected = 7.0 / np.sqrt(1j * fast * 2.0)
    assert short_warburg(fast, 7.0, 2.0) == pytest.approx(expected, rel=1e-12)
    assert open_warburg(fast, 7.0, 2.0) == pytest.approx(expected, rel=1e-12)


def test_the_series_and_the_closed_form_of_the_warburgs_meet_without_a_step():
    tau = 1.0
    at = 1e-6  # |s| = 1e-3, where the series takes over
    for element in (open_warburg, short_warburg):
        below, above = element(np.array([at * 0.999999, at * 1.000001]), 1.0, tau)
        assert below == pytest.approx(above, rel=3e-6)
