"""Formulas that mean what the elements compute, and schematics that show every element once, in its place."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.patches import PathPatch, Rectangle

from eis.errors import CircuitError
from fitting import Circuit, parse
from fitting.circuit import Leaf
from fitting.drawing import draw, latex
from fitting.elements import ELEMENTS
from tests.latex_arithmetic import values_of

CIRCUITS = [
    "L0-R0-p(R1,CPE1)-p(R2-Wo1,C2)-W3",
    "p(C1,R1-p(R2-p(R3-W1,CPE3),CPE2),CPE9)-Zarc1",
    "R0",
    "p(R1,C1,L1)",
    "-".join(f"p(R{i},CPE{i})" for i in range(40)),
]
OMEGA = np.array([0.3, 7.0, 200.0])

# In the order of an element's parameters, as the formulas write them.
SYMBOLS = {
    "R": ["R"],
    "C": ["C"],
    "L": ["L"],
    "CPE": ["Q", r"\alpha"],
    "W": ["A"],
    "Wo": ["R", r"\tau"],
    "Ws": ["R", r"\tau"],
    "Zarc": ["R", r"\tau", r"\phi"],
    "G": ["R", r"\tau"],
    "Gs": ["R", r"\tau", r"\phi"],
    "K": ["R", r"\tau"],
    "La": ["L", r"\alpha"],
    "HN": ["R", r"\tau", r"\alpha", r"\beta"],
    "TLMQ": ["R_ion", "Q", r"\alpha"],
    "TLMQF": ["R_ion", "R_ct", "Q", r"\alpha"],
    "TLMo": ["R_i", "R_e", "Q", r"\alpha"],
    "TLMoF": ["R_i", "R_e", "R_ct", "Q", r"\alpha"],
    "TLMe": ["R_i", "R_e", "Q", r"\alpha"],
    "TLMeF": ["R_i", "R_e", "R_ct", "Q", r"\alpha"],
    "TLMi": ["R_i", "R_e", "Q", r"\alpha"],
    "TLMiF": ["R_i", "R_e", "R_ct", "Q", r"\alpha"],
}


def symbol(letter, number, base):
    index = number if letter in ("R", "C", "L", "CPE") else rf"\mathrm{{{letter}}}{number}"
    head, _, role = base.partition("_")
    return f"{head}_{{\\mathrm{{{role}}},{index}}}" if role else f"{head}_{{{index}}}"


def known(circuit):
    """Return a value for each symbol of the formula, and the same values in the circuit's order."""
    rng = np.random.default_rng(5)
    named, values = {}, []
    for leaf in circuit.leaves:
        for base, parameter in zip(SYMBOLS[leaf.letter], leaf.element.parameters, strict=True):
            value = rng.uniform(0.5, 0.95) if parameter.kind == "exponent" else rng.uniform(0.02, 3.0)
            named[symbol(leaf.letter, leaf.number, base)] = value
            values.append(value)
    return named, values


@pytest.mark.parametrize("letter", ELEMENTS)
def test_the_formula_of_every_element_means_its_impedance(letter):
    circuit = parse(f"{letter}7")
    named, values = known(circuit)
    assert values_of(latex(circuit), named, OMEGA) == pytest.approx(circuit.impedance(OMEGA, values), rel=1e-9)


@pytest.mark.parametrize("letter", ELEMENTS)
def test_the_formula_of_every_element_beside_a_resistor_means_its_admittance(letter):
    circuit = parse(f"R0-p({letter}7,R1)")
    named, values = known(circuit)
    assert values_of(latex(circuit), named, OMEGA) == pytest.approx(circuit.impedance(OMEGA, values), rel=1e-9)


@pytest.mark.parametrize("text", CIRCUITS)
def test_the_formula_of_a_circuit_means_its_impedance_and_can_be_set(text):
    circuit = parse(text)
    named, values = known(circuit)
    formula = latex(text)
    assert values_of(formula, named, OMEGA) == pytest.approx(circuit.impedance(OMEGA, values), rel=1e-9)
    MathTextParser("path").parse(f"${formula}$")


def test_formulas_read_as_people_write_them():
    assert latex("L0-R0-p(R1,CPE1)") == (
        r"Z = j\omega L_{0} + R_{0} + \left(\frac{1}{R_{1}} + Q_{1} (j\omega)^{\alpha_{1}}\right)^{-1}"
    )
    assert latex("[R(RC)]") == r"Z = R_{0} + \left(\frac{1}{R_{1}} + j\omega C_{0}\right)^{-1}"


def test_an_element_without_a_formula_has_a_name_in_it():
    assert latex(Circuit(Leaf("Xy", "3"))) == r"Z = Z_{\mathrm{Xy}3}(\omega)"


def labels(ax):
    return [patch for patch in ax.patches if isinstance(patch, PathPatch)]


@pytest.mark.parametrize("text", [*CIRCUITS, *(f"R0-p({letter}1,C9)" for letter in ELEMENTS)])
def test_a_schematic_names_every_element_once_and_covers_none_with_another(text, tmp_path):
    before = dict(mpl.rcParams)
    ax = draw(text)
    ax.figure.savefig(tmp_path / "circuit.png")
    assert dict(mpl.rcParams) == before
    assert sorted(patch.get_gid() for patch in labels(ax)) == sorted(leaf.name for leaf in parse(text).leaves)
    boxes = [patch.get_path().get_extents() for patch in labels(ax)]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not any(box.contains(*end) for end in wire_ends(ax))
    (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert all(low <= box.x0 and box.x1 <= high and bottom <= box.y0 and box.y1 <= top for box in boxes)


def wire_ends(ax):
    (strokes,) = (c for c in ax.collections if isinstance(c, LineCollection))
    return [tuple(point) for stroke in strokes.get_segments() for point in stroke]


def test_series_goes_to_the_right_and_branches_stand_below_each_other():
    middle = {
        patch.get_gid(): np.mean(patch.get_path().get_extents().get_points(), axis=0)
        for patch in labels(draw("L0-R0-p(R1,CPE1)-p(R2-Wo1,C2)-W3"))
    }
    along = [middle[name][0] for name in ("L0", "R0", "R1", "R2", "Wo1", "W3")]
    assert along == sorted(along)
    assert middle["R1"][0] == pytest.approx(middle["CPE1"][0])
    assert middle["R1"][1] > middle["CPE1"][1]
    assert middle["L0"][1] == pytest.approx(middle["R0"][1], abs=0.05)


def test_every_wire_ends_at_another_or_at_a_terminal():
    ax = draw("L0-R0-p(R1,CPE1,L1)-p(R2-C3,C2)")
    (strokes,) = (c for c in ax.collections if isinstance(c, LineCollection))
    segments = strokes.get_segments()
    loose = 0
    for i, stroke in enumerate(segments):
        for end in (stroke[0], stroke[-1]):
            touched = any(distance(end, other) < 1e-9 for j, other in enumerate(segments) if j != i)
            loose += not touched
    plates_and_chevrons = 2 * 2 * 3  # their tips are free
    assert loose == 2 + plates_and_chevrons


def distance(point, stroke):
    """Return how far a point is from a broken line."""
    begin, along = stroke[:-1], np.diff(stroke, axis=0)
    t = np.clip(((point - begin) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-300), 0, 1)
    return np.hypot(*(begin + t[:, None] * along - point).T).min()


def test_boxes_hold_their_names():
    ax = draw("Wo1-Zarc12345678")
    boxes = [patch.get_extents() for patch in ax.patches if isinstance(patch, Rectangle)]
    for box, label in zip(boxes, labels(ax), strict=True):
        extents = label.get_path().get_extents().transformed(ax.transData)
        assert box.x0 < extents.x0
        assert extents.x1 < box.x1


def test_a_schematic_goes_into_the_axes_given_and_keeps_its_scale():
    figure = Figure()
    ax = figure.subplots()
    assert draw("R0-p(R1,C1)", ax=ax) is ax
    assert ax.get_aspect() == 1
    assert not ax.axison
    width, height = draw(CIRCUITS[-1]).figure.get_size_inches()
    assert width <= 13.01
    assert height < width


def test_what_is_no_circuit_is_refused_and_no_window_system_started():
    for function in (draw, latex):
        with pytest.raises(CircuitError, match="never closed"):
            function("R0-p(R1,C1")
    code = "import sys, fitting.drawing as d; d.draw('R0'); assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
