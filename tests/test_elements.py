"""Elements against published values, closed-form limits, exact derivatives, 80-digit arithmetic, and physics."""

import re
from pathlib import Path

import numpy as np
import pytest

from fitting.circuit import parse
from fitting.elements import ELEMENTS, constant_phase, gerischer, havriliak_negami, zarc
from fitting.transmission_lines import finite_gerischer, open_warburg, short_warburg
from tests.thorough import number

OMEGA = 2 * np.pi * np.array([0.001, 1.0, 1000.0])
# impedance.py's own test-suite, parameters taken from 0.1, 0.2, 0.3 in order
PUBLISHED = {
    "CPE": [26.216236841 - 8.518171711j, 6.585220961 - 2.139667994j, 1.654132718 - 0.537460300j],
    "Wo": [0.033333332999 - 79.577474338j, 0.033004370467 - 0.082328667859j, 0.001994711402 - 0.001994711402j],
    "Ws": [0.09999998 - 4.18878913e-5j, 0.08327519 - 0.0333838167j, 0.00199471 - 0.0019947114j],
    "G": [0.0999999407824 - 6.28317911e-5j, 0.0710775502 - 0.0342746521j, 0.00199550460 - 0.00199391726j],
    "Zarc": [0.08900974 - 0.00486384j, 0.04818879 - 0.01198904j, 0.00969182 - 0.00436265j],
    "TLMQ": [20.42237173 - 10.38874276j, 2.6000937 - 1.30789949j, 0.35594139 - 0.16491599j],
}
OURS_ALONE = {"HN", "TLMQF", "TLMo", "TLMoF", "TLMe", "TLMeF", "TLMi", "TLMiF"}
"""Letters impedance.py does not have."""


def values_within(element, rng):
    """Draw one value per parameter: scales and times over six decades, exponents over their range."""
    return [
        rng.uniform(0.3, 1.0) if p.kind == "exponent" else 10 ** rng.uniform(-3, 3) for p in element.parameters
    ]


def formula(letter, m, w, v):
    """Return an element's impedance as its reference writes it; `m` is sympy or mpmath, `v` its values."""

    def coth(x):
        return m.cosh(x) / m.sinh(x)

    def interface(*values):
        *r_ct, q, alpha = values
        return 1 / (sum(1 / r for r in r_ct) + q * (j * w) ** alpha)

    def two_rails(a, b, z):
        s = m.sqrt((a + b) / z)
        return a * b / (a + b) * (1 + 2 / (s * m.sinh(s))) + (a * a + b * b) / (a + b) * coth(s) / s

    def through(a, b, z):
        s = m.sqrt((a + b) / z)
        return a * b / (a + b) + a * a / (a + b) * 2 / s * m.sinh(s / 2) / m.cosh(s / 2)

    j = m.I if hasattr(m, "I") else m.mpc(0, 1)
    if letter.startswith("TLMQ"):
        z = interface(*v[1:])
        return m.sqrt(v[0] * z) * coth(m.sqrt(v[0] / z))
    if letter.startswith("TLMo"):
        return two_rails(v[0], v[1], interface(*v[2:]))
    if letter.startswith("TLMe"):
        return through(v[0], v[1], interface(*v[2:]))
    if letter.startswith("TLMi"):
        return through(v[1], v[0], interface(*v[2:]))
    simple = {
        "R": lambda r: r,
        "C": lambda c: 1 / (j * w * c),
        "L": lambda h: j * w * h,
        "La": lambda h, a: h * (j * w) ** a,
        "CPE": lambda q, a: 1 / (q * (j * w) ** a),
        "W": lambda a: a * (1 - j) / m.sqrt(w),
        "Wo": lambda r, tau: r * coth(m.sqrt(j * w * tau)) / m.sqrt(j * w * tau),
        "Ws": lambda r, tau: r / coth(m.sqrt(j * w * tau)) / m.sqrt(j * w * tau),
        "Zarc": lambda r, tau, a: r / (1 + (j * w * tau) ** a),
        "G": lambda r, tau: r / m.sqrt(1 + j * w * tau),
        "K": lambda r, tau: r / (1 + j * w * tau),
        "HN": lambda r, tau, a, b: r / (1 + (j * w * tau) ** a) ** b,
        "Gs": lambda r, tau, phi: r * coth(phi * m.sqrt(1 + j * w * tau)) / m.sqrt(1 + j * w * tau),
    }
    return simple[letter](*v)


@pytest.mark.parametrize("letter", PUBLISHED)
def test_an_element_equals_the_published_values(letter):
    element = ELEMENTS[letter]
    values = [0.1, 0.2, 0.3][: len(element.parameters)]
    z, printed = element.impedance(OMEGA, *values), np.array(PUBLISHED[letter])
    assert z.real == pytest.approx(printed.real, rel=1e-8, abs=5.1e-9)  # they are printed to eight decimals
    assert z.imag == pytest.approx(printed.imag, rel=1e-8, abs=5.1e-9)


@pytest.mark.parametrize("letter", sorted(set(ELEMENTS) - OURS_ALONE))
def test_an_element_equals_impedance_py(letter):
    pytest.importorskip("impedance.models.circuits.elements", exc_type=ImportError)
    from impedance.models.circuits.elements import circuit_elements

    element = ELEMENTS[letter]
    rng = np.random.default_rng(3)
    f = np.geomspace(1e-3, 1e6, 19)
    for _ in range(20):
        values = values_within(element, rng)
        # La is documented as L (jω)^α, and computed there as (L jω)^α
        theirs_values = [values[0] ** (1 / values[1]), values[1]] if letter == "La" else values
        with np.errstate(over="ignore", invalid="ignore"):
            theirs = circuit_elements[letter](theirs_values, f)
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
def test_every_derivative_is_the_one_sympy_finds(letter):
    sympy = pytest.importorskip("sympy", reason="the symbolic check of the derivatives needs sympy")
    mpmath = pytest.importorskip("mpmath")
    element = ELEMENTS[letter]
    w = sympy.Symbol("w", positive=True)
    symbols = sympy.symbols(f"v:{len(element.parameters)}", positive=True)
    z = formula(letter, sympy, w, symbols)
    exact = [sympy.lambdify((w, *symbols), sympy.diff(z, v), "mpmath") for v in symbols]
    rng = np.random.default_rng(17)
    with mpmath.workdps(120):
        for _ in range(number(10, thorough=25)):
            values = values_within(element, rng)
            omega = 10 ** rng.uniform(-6, 9, 1)
            ours = element.derivatives(omega, *values)[:, 0]
            for found, function in zip(ours, exact, strict=True):
                truth = function(mpmath.mpf(float(omega[0])), *map(mpmath.mpf, values))
                assert abs(mpmath.mpc(complex(found)) - truth) <= 1e-9 * abs(truth) + mpmath.mpf("1e-100")


@pytest.mark.parametrize("letter", ELEMENTS)
def test_an_element_keeps_its_digits_over_thirty_decades(letter):
    mpmath = pytest.importorskip("mpmath", reason="the check in 80-digit arithmetic needs mpmath")
    element = ELEMENTS[letter]
    rng = np.random.default_rng(23)
    omega = np.geomspace(1e-15, 1e15, 31)
    with mpmath.workdps(80), np.errstate(all="raise", under="ignore"):
        for turn in range(4):
            values = [
                rng.uniform(0.3, 1.0) if p.kind == "exponent" else 10 ** rng.uniform(-0.5, 0.5)
                for p in element.parameters
            ]
            if turn == 0:
                values = [1.0] * len(values)
            z, derivatives = element.impedance(omega, *values), element.derivatives(omega, *values)
            assert np.all(np.isfinite(derivatives))
            for w, found in zip(omega, z, strict=True):
                truth = formula(letter, mpmath, mpmath.mpf(float(w)), [mpmath.mpf(v) for v in values])
                assert abs(mpmath.mpc(complex(found)) - truth) <= 2e-14 * abs(truth)


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
    omega = np.array([1e-15, 1e-9, 1e12, 1e15])
    with np.errstate(all="raise", under="ignore"):
        assert np.all(np.isfinite(element.impedance(omega, *values)))
        assert np.all(np.isfinite(element.derivatives(omega, *values)))


@pytest.mark.parametrize("letter", ELEMENTS)
def test_every_letter_is_one_in_a_circuit(letter):
    circuit = parse(f"R0-p({letter}1,{letter}12)")
    assert [leaf.letter for leaf in circuit.leaves] == ["R", letter, letter]
    assert len(circuit.names) == 1 + 2 * len(ELEMENTS[letter].parameters)


def test_every_element_is_documented_with_its_units():
    page = (Path(__file__).parents[1] / "docs" / "elements.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", page, flags=re.MULTILINE))
    assert set(rows) == set(ELEMENTS)
    for letter, element in ELEMENTS.items():
        units = re.findall(r"\(([^()]*)\)", rows[letter].split("|")[1])
        assert units == [p.unit or "–" for p in element.parameters], letter


def test_a_short_warburg_is_r_at_dc_and_an_open_one_is_a_third_of_r_and_a_capacitor():
    slow = np.array([1e-6])
    assert short_warburg(slow, 7.0, 2.0) == pytest.approx(7.0, rel=1e-5)
    assert open_warburg(slow, 7.0, 2.0) == pytest.approx(7.0 / 3 + 7.0 / (1j * slow * 2.0), rel=1e-9)


def test_the_resistance_of_an_open_warburg_is_exact_beside_a_capacitance_15_decades_larger():
    assert open_warburg(np.array([1e-15]), 7.0, 1.0).real == pytest.approx(7.0 / 3, rel=1e-15)


def test_both_warburgs_meet_at_45_degrees_at_high_frequency():
    fast = np.array([1e6])
    expected = 7.0 / np.sqrt(1j * fast * 2.0)
    assert short_warburg(fast, 7.0, 2.0) == pytest.approx(expected, rel=1e-12)
    assert open_warburg(fast, 7.0, 2.0) == pytest.approx(expected, rel=1e-12)


def test_a_havriliak_negami_arc_is_a_zarc_without_skew_and_a_gerischer_with_a_half():
    omega = np.geomspace(1e-12, 1e12, 49)
    assert havriliak_negami(omega, 3.0, 0.1, 0.7, 1.0) == pytest.approx(zarc(omega, 3.0, 0.1, 0.7), rel=1e-13)
    assert havriliak_negami(omega, 3.0, 0.1, 1.0, 0.5) == pytest.approx(gerischer(omega, 3.0, 0.1), rel=1e-13)


def test_a_thick_gerischer_layer_is_infinite_and_a_thin_one_a_capacitor_beside_its_reaction():
    omega = np.geomspace(1e-6, 1e6, 25)
    assert finite_gerischer(omega, 3.0, 0.1, 40.0) == pytest.approx(gerischer(omega, 3.0, 0.1), rel=1e-14)
    thin = 3.0 / 1e-6 / (1 + 1j * omega * 0.1)
    slow = omega < 1e3
    assert finite_gerischer(omega, 3.0, 0.1, 1e-6)[slow] == pytest.approx(thin[slow], rel=1e-9)


def test_a_fractional_inductor_is_the_inverse_of_a_constant_phase_element():
    omega = np.geomspace(1e-3, 1e6, 10)
    z = ELEMENTS["La"].impedance(omega, 0.3, 0.7) * constant_phase(omega, 0.3, 0.7)
    assert z == pytest.approx(np.ones(10), rel=1e-14)
