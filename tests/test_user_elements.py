"""Elements made of users' own functions: what is refused, what is noticed, and that circuits take them."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from eis.errors import CircuitError, ConfigError
from fitting.circuit import parse
from fitting.elements import ELEMENTS, Element, ElementParameter
from fitting.user_elements import BUILT_IN, element_from, register, unregister

OHM, FARAD, SECOND = (
    ElementParameter("ohm", "scale"),
    ElementParameter("F", "scale"),
    ElementParameter("s", "time"),
)
EXPONENT = ElementParameter("", "exponent", 0.0, 1.0)


@pytest.fixture(autouse=True)
def only_the_built_in_remain():
    yield
    for letter in set(ELEMENTS) - BUILT_IN:
        unregister(letter)
    assert set(ELEMENTS) == BUILT_IN


def parallel(omega, r, c):
    return r / (1 + 1j * omega * r * c)


def refused(element, words, **options):
    before = dict(ELEMENTS)
    with pytest.raises(ConfigError, match=words):
        register(element, **options)
    assert before == ELEMENTS


@pytest.mark.parametrize("letter", ["R", "CPE", "TLMoF"])
@pytest.mark.parametrize("replace", [False, True])
def test_a_built_in_letter_is_refused_even_as_a_replacement(letter, replace):
    refused(element_from(parallel, letter, [OHM, FARAD]), "built-in element", replace=replace)


@pytest.mark.parametrize("letter", ["", "p", "s", "RC1", "R_C", "Ω", "R-C", "__import__"])
def test_what_circuits_could_not_read_is_refused(letter):
    refused(element_from(parallel, letter, [OHM, FARAD]), "cannot be an element's letter")


def changes_omega(omega, r):
    omega *= 2
    return r / omega


def branches(omega, r):
    return r if omega < 1 else 2 * r


UNUSABLE = {
    "a shape of its own": (lambda omega, r: r, "returned shape \\(\\), expected \\(33,\\)"),
    "points missing": (lambda omega, r: r / omega[1:], "returned shape \\(32,\\)"),
    "NaN": (lambda omega, r: r * np.log(-omega), "not finite at 1"),
    "an exception": (lambda omega, r: {}["key"], "KeyError"),
    "a branch on an array": (branches, "ambiguous"),
    "another number of parameters": (lambda omega, r, c: r + c / omega, "missing 1 required"),
    "text": (lambda omega, r: "r", "could not convert|malformed"),
    "a changed omega": (changes_omega, "read-only"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_function_is_refused_in_words(case):
    function, words = UNUSABLE[case]
    refused(element_from(function, "Mine", [OHM]), words)


@pytest.mark.parametrize(("kind", "lower", "upper"), [("exponent", 0, np.inf), ("scale", 2, 1), ("scale", -1, 1)])
def test_limits_no_fit_could_keep_are_refused(kind, lower, upper):
    limits = ElementParameter("", kind, lower, upper)
    refused(element_from(lambda omega, r: r / omega, "Mine", [limits]), "has the limits")


def test_an_element_without_parameters_and_an_example_of_the_wrong_length_are_refused():
    refused(element_from(lambda omega: 1 / omega, "Mine", []), "no parameters")
    refused(element_from(parallel, "Mine", [OHM, FARAD]), "2 parameters and 1 example", example=[1.0])


def test_wrong_derivatives_are_refused_with_the_row_and_the_number():
    def by_log(omega, r, c):  # forgets that derivatives are in natural units
        share = 1 / (1 + 1j * omega * r * c)
        return np.array([share * r * share, -1j * omega * r * r * c * share**2])

    element = element_from(parallel, "Mine", [OHM, FARAD], derivatives=by_log)
    refused(element, "derivative by parameter 0", example=[10.0, 1e-3])


def test_derivatives_of_a_wrong_shape_are_refused():
    element = element_from(parallel, "Mine", [OHM, FARAD], derivatives=lambda omega, r, c: 1 / omega)
    refused(element, "derivatives returned shape \\(33,\\), expected \\(2, 33\\)")


def test_right_derivatives_are_taken():
    def by_values(omega, r, c):
        share = 1 / (1 + 1j * omega * r * c)
        return np.array([share**2, -1j * omega * r * r * share**2])

    element = element_from(parallel, "Mine", [OHM, FARAD], derivatives=by_values)
    assert register(element, example=[10.0, 1e-3]) == ()
    assert ELEMENTS["Mine"].derivatives is by_values


def test_a_registered_element_is_one_of_the_circuit_s():
    with pytest.raises(CircuitError, match="Unknown element 'Mine'"):
        parse("R0-Mine1")
    assert register(element_from(parallel, "Mine", [OHM, FARAD], source="lab book")) == ()
    circuit = parse("R0-Mine1")
    assert circuit.names == ("R0", "Mine1_0", "Mine1_1")
    assert ELEMENTS["Mine"].name == "parallel"
    omega = np.geomspace(0.1, 1e4, 11)
    ours, ours_by = circuit.jacobian(omega, [1.0, 5.0, 1e-2])
    theirs, theirs_by = parse("R0-p(R1,C1)").jacobian(omega, [1.0, 5.0, 1e-2])
    assert ours == pytest.approx(theirs, rel=1e-14)
    assert ours_by == pytest.approx(theirs_by, rel=1e-9)


def test_a_replacement_and_a_removal_reach_circuits_that_were_parsed_before():
    register(element_from(parallel, "Mine", [OHM, FARAD]))
    assert len(parse("Mine1").names) == 2
    resistor = element_from(lambda omega, r: np.full(omega.shape, r), "Mine", [OHM])
    refused(resistor, "registered already")
    register(resistor, replace=True)
    assert parse("Mine1").names == ("Mine1",)
    assert parse("Mine1").impedance(np.ones(2), [3.0]) == pytest.approx([3.0, 3.0])
    unregister("Mine")
    with pytest.raises(CircuitError, match="Unknown element 'Mine'"):
        parse("Mine1")


@pytest.mark.parametrize("letter", ["R", "Nobody"])
def test_only_what_was_registered_can_be_forgotten(letter):
    with pytest.raises(ConfigError, match="No element"):
        unregister(letter)


def test_an_active_element_is_accepted_and_said_to_be_one():
    notes = register(element_from(lambda omega, r: -r + 0 * omega, "Mine", [OHM], name="negative resistor"))
    assert len(notes) == 1
    assert "not passive" in notes[0]


def test_an_overflow_far_from_the_example_is_said_and_not_refused():
    def naive(omega, r, tau):
        s = np.sqrt(1j * omega * tau)
        return r / s * np.cosh(s) / np.sinh(s)

    notes = register(element_from(naive, "Mine", [OHM, SECOND]), example=[1.0, 1e-2])
    assert len(notes) == 1
    assert "not finite over all frequencies" in notes[0]


@pytest.mark.parametrize("letter", sorted(BUILT_IN))
def test_numerical_derivatives_are_good_to_nine_digits(letter):
    element = ELEMENTS[letter]
    copy = element_from(element.impedance, "Mine", element.parameters)
    exponents = [p.kind == "exponent" for p in element.parameters]
    rng = np.random.default_rng(29)
    omega = np.geomspace(1e-3, 1e6, 19)
    for _ in range(10):
        values = [rng.uniform(0.3, 1) if e else 10 ** rng.uniform(-2, 2) for e in exponents]
        z = np.abs(element.impedance(omega, *values))
        exact, numerical = element.derivatives(omega, *values), copy.derivatives(omega, *values)
        size = [[1.0 if e else v] for e, v in zip(exponents, values, strict=True)]
        assert np.all(np.abs(numerical - exact) * size <= 1e-9 * (np.abs(exact) * size + z))


@pytest.mark.parametrize("alpha", [0.0, 0.0005, 0.9995, 1.0])
def test_numerical_derivatives_stay_inside_the_limits(alpha):
    def strict(omega, q, alpha):
        assert 0 <= alpha <= 1
        return 1 / (q * (1j * omega) ** alpha)

    omega = np.geomspace(1, 1e3, 5)
    found = element_from(strict, "Mine", [OHM, EXPONENT]).derivatives(omega, 2.0, alpha)
    assert found == pytest.approx(ELEMENTS["CPE"].derivatives(omega, 2.0, alpha), rel=1e-8)


def test_a_scale_of_zero_has_no_numerical_derivative():
    element = element_from(lambda omega, r, c: r + c * omega, "Mine", [OHM, OHM])
    found = element.derivatives(np.ones(3), 0.0, 2.0)
    assert np.all(np.isnan(found[0]))
    assert found[1] == pytest.approx(np.ones(3))


def test_an_element_made_by_hand_can_be_registered_too():
    element = ELEMENTS["Zarc"]
    mine = Element("Mine", "mine", element.parameters, element.impedance, element.derivatives, "here")
    assert register(mine) == ()
    assert parse("Mine1").names == ("Mine1_0", "Mine1_1", "Mine1_2")


def test_the_documentation_s_example_runs(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "elements.md").read_text("utf-8")
    script = tmp_path / "example.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)), "utf-8")
    left = runpy.run_path(str(script))
    assert left["notes"] == () or "finite" in left["notes"][0]
    assert left["circuit"].names == ("R0", "Pore1_0", "Pore1_1", "Pore1_2")
    assert np.all(np.isfinite(left["z"]))
