"""The circuit grammar: what it refuses, what it means, and that printing and parsing agree."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eis.errors import CircuitError
from fitting.circuit import MAX_DEPTH, parse
from fitting.elements import ELEMENTS

FAULTS = {  # text: (words of the message, position of the fault)
    "": ("found the end", 0),
    "R0-": ("found the end", 3),
    "R0-p(R1,CPE1": ("never closed", 3),
    "R0)": ("closes nothing", 2),
    "p(R1)": ("two branches", 0),
    "R0-Rx1": ("Unknown element 'Rx'", 3),
    "R0-cpe1": ("Did you mean CPE", 3),
    "R": ("has no number", 0),
    "R0-R0": ("used twice", 3),
    "R0,R1": ("comma outside", 2),
    "R0 R1": ("Expected '-'", 3),
    "p(R1,,R2)": ("found ','", 5),
    "R0-__import__('os')": ("found '_'", 3),
    "[R(RX)]": ("Unknown letter 'X'", 4),
    "[R(RQ]": ("Unknown letter ']'", 5),
    "[R()]": ("hold nothing", 4),
    "[RC": ("never closed", 3),
    "p(" * (MAX_DEPTH + 2): ("levels of brackets", None),
    "[" + "(" * (MAX_DEPTH + 2): ("levels of brackets", None),
    "R0-" * 1000 + "R1": ("characters, more than", None),
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_faulty_circuit_is_refused_with_the_place_of_the_fault(text):
    words, position = FAULTS[text]
    with pytest.raises(CircuitError, match="circuit") as caught:
        parse(text)
    assert words in str(caught.value)
    if position is not None:
        assert caught.value.position == position
        assert caught.value.caret.splitlines()[1].index("^") == position


@given(st.text(alphabet="RCLWpGoszarcCPE0123456789()[],- ", max_size=60))
def test_any_text_is_a_circuit_or_a_circuit_error(text):
    try:
        circuit = parse(text)
    except CircuitError:
        return
    assert parse(str(circuit)) == circuit


leaves = st.sampled_from(sorted(ELEMENTS))


@st.composite
def circuits(draw, depth=3):
    """Draw a circuit text with unique names."""
    counter = iter(range(1000))

    def build(level):
        if level == 0 or draw(st.booleans()):
            return f"{draw(leaves)}{next(counter)}"
        parts = [build(level - 1) for _ in range(draw(st.integers(2, 3)))]
        return "-".join(parts) if draw(st.booleans()) else f"p({','.join(parts)})"

    return build(depth)


@given(circuits(), st.integers(0, 2**32 - 1))
def test_printing_and_parsing_agree_and_the_jacobian_is_exact(text, seed):
    circuit = parse(text)
    assert parse(str(circuit)) == circuit
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.4, 1.0, len(circuit.names))
    omega = np.geomspace(0.1, 10, 7)
    z, jacobian = circuit.jacobian(omega, values)
    assert z == pytest.approx(circuit.impedance(omega, values), rel=1e-12)
    for i in range(len(values)):
        step = np.zeros_like(values)
        step[i] = 1e-6
        numerical = (circuit.impedance(omega, values + step) - circuit.impedance(omega, values - step)) / 2e-6
        assert np.all(np.abs(jacobian[i] - numerical) <= 1e-6 * np.abs(numerical) + 1e-7 * np.abs(z).max())


def test_the_impedance_is_kirchhoff_s():
    omega = np.array([3.0])
    circuit = parse("R0-p(R1,C1)")
    assert circuit.impedance(omega, [2.0, 5.0, 0.1]) == pytest.approx(2 + 5 / (1 + 1j * 3 * 5 * 0.1))


def test_names_and_order_are_impedance_py_s():
    assert parse("L0-R0-p(R1,CPE1)-Wo2").names == ("L0", "R0", "R1", "CPE1_0", "CPE1_1", "Wo2_0", "Wo2_1")


def test_a_boukamp_code_is_the_circuit_it_describes():
    assert str(parse("[LR(RQ)]")) == "L0-R0-p(R1,CPE0)"
    assert str(parse("[R(C[RW])]")) == "R0-p(C0,R1-W0)"


def test_blanks_are_ignored():
    assert parse(" R0 - p( R1 , CPE1 ) ") == parse("R0-p(R1,CPE1)")


def test_arcs_are_found_where_a_resistor_faces_a_capacitance():
    circuit = parse("L0-R0-p(R1,CPE1)-p(R2-Wo1,C2)-Zarc3-p(L4,R4)")
    assert [arc.resistance for arc in circuit.arcs] == ["R1", "R2", "Zarc3_0"]
    assert circuit.series_resistance == ("R0",)


def test_boukamp_s_test_circuit_has_its_published_impedance():
    # Boukamp 1995 TC-1: R 100, (200 Ω || 0.8 µF), (500 Ω || Warburg Y = 4e-4); A = 1/(Y √2)
    circuit = parse("R0-p(R1,C1)-p(R2,W2)")
    z = circuit.impedance(2 * np.pi * np.array([1e4, 1e3, 100, 10, 1]), [100, 200, 8e-7, 500, 1 / (4e-4 * 2**0.5)])
    published = [
        109.009182 - 26.555680j,
        221.690825 - 120.399125j,
        366.399861 - 73.255940j,
        484.245516 - 99.399255j,
        645.478700 - 90.618128j,
    ]
    assert z == pytest.approx(np.array(published), abs=1e-6)


def test_too_many_values_are_refused_by_name():
    with pytest.raises(CircuitError, match="one value each for R0, R1"):
        parse("R0-R1").impedance(np.ones(1), [1, 2, 3])


def test_nothing_in_the_packages_evaluates_text_or_unpickles():
    root = Path(__file__).parents[1]
    for path in [p for name in ("eis", "fitting", "instruments") for p in (root / name).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), path
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"pickle", "yaml", "marshal", "shelve"} & {n.split(".")[0] for n in names}, path
