r"""A circuit as a formula in LaTeX and as a schematic, as they would stand in a textbook.

Symbols of the formula: R, C, L and a CPE's Q and α carry the element's number, those of other elements their
letter too, so that the τ of ``Wo1`` (:math:`\tau_{\mathrm{Wo}1}`) is not that of ``Zarc1``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, PathPatch, Rectangle
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from fitting.circuit import Circuit, Leaf, Node, Parallel, Series, parse

Points = NDArray[np.float64]

INK = "#1a1a1a"
LINE_WIDTH = 1.5
BODY, LEAD = 1.2, 0.45
"""Length of a symbol and of the wire on either side of it; one unit is about the height of two lines of text."""
RAIL = 0.35
"""Wire between a parallel part and what stands before or after it."""
ABOVE, BELOW, GAP = 0.95, 0.42, 0.08
"""Room over a wire for a symbol and its name, under it, and between branches."""
BOX_HEIGHT = 0.72
TEXT_SIZE = 0.52
INCH_PER_UNIT, WIDEST_INCH = 0.42, 13.0

_BASIC = frozenset({"R", "C", "L", "CPE"})
"""Elements whose symbols need only their number."""


@dataclass(frozen=True, slots=True)
class _Formula:
    """An element's impedance, its admittance where that is as short, and what stands for what; § is the index."""

    impedance: str
    admittance: str | None = None
    where: tuple[str, ...] = ()

    def of(self, leaf: Leaf) -> _Formula:
        """Return the formula with the element's own index."""
        index = leaf.number if leaf.letter in _BASIC else rf"\mathrm{{{leaf.letter}}}{leaf.number}"
        admittance = None if self.admittance is None else self.admittance.replace("§", index)
        where = tuple(text.replace("§", index) for text in self.where)
        return _Formula(self.impedance.replace("§", index), admittance, where)


_OPERATING = (
    r"P_{§} \left(1 + \frac{2}{s_{§} \sinh s_{§}}\right) + \frac{R_{\mathrm{i},§}^{2} + R_{\mathrm{e},§}^{2}}"
    r"{R_{\mathrm{i},§} + R_{\mathrm{e},§}} \frac{\coth s_{§}}{s_{§}}"
)
_THROUGH = (
    r"P_{§} + \frac{R_{\mathrm{!},§}^{2}}{R_{\mathrm{i},§} + R_{\mathrm{e},§}} \frac{2 \tanh(s_{§} / 2)}{s_{§}}"
)
_BLOCKING = r"Y_{§} = Q_{§} (j\omega)^{\alpha_{§}}"
_FARADAIC = r"Y_{§} = \frac{1}{R_{\mathrm{ct},§}} + Q_{§} (j\omega)^{\alpha_{§}}"
_RAILS = (
    r"P_{§} = \frac{R_{\mathrm{i},§} R_{\mathrm{e},§}}{R_{\mathrm{i},§} + R_{\mathrm{e},§}}",
    r"s_{§} = \sqrt{(R_{\mathrm{i},§} + R_{\mathrm{e},§}) Y_{§}}",
)
_FORMULAS = {
    "R": _Formula(r"R_{§}"),
    "C": _Formula(r"\frac{1}{j\omega C_{§}}", r"j\omega C_{§}"),
    "L": _Formula(r"j\omega L_{§}"),
    "CPE": _Formula(r"\frac{1}{Q_{§} (j\omega)^{\alpha_{§}}}", r"Q_{§} (j\omega)^{\alpha_{§}}"),
    "W": _Formula(r"\frac{A_{§} (1 - j)}{\sqrt{\omega}}"),
    "Wo": _Formula(r"R_{§} \frac{\coth\sqrt{j\omega\tau_{§}}}{\sqrt{j\omega\tau_{§}}}"),
    "Ws": _Formula(r"R_{§} \frac{\tanh\sqrt{j\omega\tau_{§}}}{\sqrt{j\omega\tau_{§}}}"),
    "Zarc": _Formula(
        r"\frac{R_{§}}{1 + (j\omega\tau_{§})^{\phi_{§}}}", r"\frac{1 + (j\omega\tau_{§})^{\phi_{§}}}{R_{§}}"
    ),
    "G": _Formula(r"\frac{R_{§}}{\sqrt{1 + j\omega\tau_{§}}}", r"\frac{\sqrt{1 + j\omega\tau_{§}}}{R_{§}}"),
    "Gs": _Formula(
        r"\frac{R_{§}}{w_{§} \tanh(\phi_{§} w_{§})}",
        r"\frac{w_{§} \tanh(\phi_{§} w_{§})}{R_{§}}",
        (r"w_{§} = \sqrt{1 + j\omega\tau_{§}}",),
    ),
    "K": _Formula(r"\frac{R_{§}}{1 + j\omega\tau_{§}}", r"\frac{1 + j\omega\tau_{§}}{R_{§}}"),
    "La": _Formula(r"L_{§} (j\omega)^{\alpha_{§}}"),
    "HN": _Formula(
        r"\frac{R_{§}}{\left(1 + (j\omega\tau_{§})^{\alpha_{§}}\right)^{\beta_{§}}}",
        r"\frac{\left(1 + (j\omega\tau_{§})^{\alpha_{§}}\right)^{\beta_{§}}}{R_{§}}",
    ),
    "TLMQ": _Formula(
        r"\sqrt{\frac{R_{\mathrm{ion},§}}{Y_{§}}} \coth\sqrt{R_{\mathrm{ion},§} Y_{§}}", where=(_BLOCKING,)
    ),
    "TLMQF": _Formula(
        r"\sqrt{\frac{R_{\mathrm{ion},§}}{Y_{§}}} \coth\sqrt{R_{\mathrm{ion},§} Y_{§}}", where=(_FARADAIC,)
    ),
    "TLMo": _Formula(_OPERATING, where=(*_RAILS, _BLOCKING)),
    "TLMoF": _Formula(_OPERATING, where=(*_RAILS, _FARADAIC)),
    "TLMe": _Formula(_THROUGH.replace("!", "i"), where=(*_RAILS, _BLOCKING)),
    "TLMeF": _Formula(_THROUGH.replace("!", "i"), where=(*_RAILS, _FARADAIC)),
    "TLMi": _Formula(_THROUGH.replace("!", "e"), where=(*_RAILS, _BLOCKING)),
    "TLMiF": _Formula(_THROUGH.replace("!", "e"), where=(*_RAILS, _FARADAIC)),
}
_ANY = _Formula(r"Z_{§}(\omega)")


def latex(circuit: str | Circuit) -> str:
    r"""Return the impedance as a LaTeX formula, without dollar signs.

    What an element needs more than once (the admittance Y of a porous electrode's interface, …) is a letter,
    defined after the formula. An element not known here is written :math:`Z_{\mathrm{X}1}(\omega)`.

    Parameters
    ----------
    circuit : str or Circuit
        The circuit.

    Raises
    ------
    CircuitError
        If the text is not a circuit.

    Examples
    --------
    >>> print(latex("R0-p(R1,CPE1)"))
    Z = R_{0} + \left(\frac{1}{R_{1}} + Q_{1} (j\omega)^{\alpha_{1}}\right)^{-1}
    """
    parsed = _parsed(circuit)
    where = [text for leaf in parsed.leaves for text in _formula(leaf).where]
    return r", \quad ".join([f"Z = {_impedance(parsed.root)}", *where])


def draw(circuit: str | Circuit, *, ax: Axes | None = None) -> Axes:
    """Draw a schematic: series from left to right, parallel branches stacked between rails.

    Resistors are zigzags, capacitors two plates, inductors coils, constant-phase elements two chevrons, and all
    others boxes with their name. Each name is a shape with the element's name as its group id (``gid``).

    Parameters
    ----------
    circuit : str or Circuit
        The circuit.
    ax : matplotlib Axes, optional
        Where to draw; a new figure of a fitting size if left out. Axis lines are switched off, the scale is equal.

    Returns
    -------
    Axes
        The axes drawn into; ``axes.figure.savefig("circuit.svg")``.

    Raises
    ------
    CircuitError
        If the text is not a circuit.
    """
    root = _parsed(circuit).root
    room = _room(root)
    edge = 0.3
    width, height = room.width + 2 * edge, room.above + room.below + 2 * edge
    if ax is None:
        scale = min(INCH_PER_UNIT, WIDEST_INCH / width)
        ax = Figure(figsize=(width * scale, height * scale)).add_axes((0.0, 0.0, 1.0, 1.0))
    sheet = _Sheet(ax)
    sheet.node(root, 0.0, 0.0)
    sheet.terminal(-0.09, 0.0)
    sheet.terminal(room.width + 0.09, 0.0)
    sheet.finish()
    ax.set_xlim(-edge, room.width + edge)
    ax.set_ylim(-room.below - edge, room.above + edge)
    ax.set_aspect("equal", adjustable="box")
    ax.set_axis_off()
    return ax


def _parsed(circuit: str | Circuit) -> Circuit:
    return parse(circuit) if isinstance(circuit, str) else circuit


def _impedance(node: Node) -> str:
    if isinstance(node, Leaf):
        return _formula(node).impedance
    if isinstance(node, Series):
        return " + ".join(_impedance(child) for child in node.children)
    return rf"\left({_admittance(node)}\right)^{{-1}}"


def _admittance(node: Node) -> str:
    if isinstance(node, Parallel):
        return " + ".join(_admittance(child) for child in node.children)
    short = _formula(node).admittance if isinstance(node, Leaf) else None
    return rf"\frac{{1}}{{{_impedance(node)}}}" if short is None else short


def _formula(leaf: Leaf) -> _Formula:
    return _FORMULAS.get(leaf.letter, _ANY).of(leaf)


@dataclass(frozen=True, slots=True)
class _Room:
    """How much a part takes: its width, and its height over and under the wire that enters it."""

    width: float
    above: float
    below: float


def _room(node: Node) -> _Room:
    if isinstance(node, Leaf):
        return _Room(_body(node) + 2 * LEAD, ABOVE, BELOW)
    rooms = [_room(child) for child in node.children]
    if isinstance(node, Series):
        return _Room(
            sum(room.width for room in rooms), max(room.above for room in rooms), max(room.below for room in rooms)
        )
    heights = _heights(rooms)
    return _Room(
        max(room.width for room in rooms) + 2 * RAIL, heights[0] + rooms[0].above, rooms[-1].below - heights[-1]
    )


def _heights(rooms: list[_Room]) -> list[float]:
    """Return the height of each branch's wire over the wire that enters at the middle branch, or half way."""
    heights = [0.0]
    for upper, lower in pairwise(rooms):
        heights.append(heights[-1] - upper.below - GAP - lower.above)
    n = len(heights)
    middle = heights[n // 2] if n % 2 else (heights[n // 2 - 1] + heights[n // 2]) / 2
    return [height - middle for height in heights]


def _body(leaf: Leaf) -> float:
    """Return the length of a symbol; a box grows with its name."""
    if leaf.letter in _SYMBOLS:
        return BODY
    return max(BODY, 0.5 + _text(_label(leaf)).get_extents().width)


def _label(leaf: Leaf) -> str:
    letter = leaf.letter if len(leaf.letter) == 1 else rf"\mathrm{{{leaf.letter}}}"
    return rf"${letter}_{{{leaf.number}}}$"


def _text(text: str) -> TextPath:
    font = FontProperties(family="STIXGeneral", math_fontfamily="stix")  # comes with matplotlib
    return TextPath((0, 0), text, size=TEXT_SIZE, prop=font)


@dataclass(slots=True)
class _Sheet:
    """Collects strokes while walking the circuit; `finish` puts them into the axes."""

    ax: Axes
    strokes: list[Points] = field(default_factory=lambda: [])

    def node(self, node: Node, x: float, y: float) -> float:
        """Draw a part whose wire enters at (x, y), and return where its wire leaves."""
        if isinstance(node, Leaf):
            return self.leaf(node, x, y)
        if isinstance(node, Series):
            for child in node.children:
                x = self.node(child, x, y)
            return x
        return self.parallel(node, x, y)

    def leaf(self, leaf: Leaf, x: float, y: float) -> float:
        length = _body(leaf)
        left, right = x + LEAD, x + LEAD + length
        symbol = _SYMBOLS.get(leaf.letter)
        if symbol is None:
            self.ax.add_patch(
                Rectangle(
                    (left, y - BOX_HEIGHT / 2), length, BOX_HEIGHT, fill=False, edgecolor=INK, linewidth=LINE_WIDTH
                )
            )
            self.write(leaf, (left + right) / 2, y, centred=True)
        else:
            self.strokes += [stroke + np.array([left, y]) for stroke in symbol()]
            self.write(leaf, (left + right) / 2, y + 0.5, centred=False)
        self.wire((x, y), (left, y))
        self.wire((right, y), (right + LEAD, y))
        return right + LEAD

    def parallel(self, node: Parallel, x: float, y: float) -> float:
        rooms = [_room(child) for child in node.children]
        heights = [y + height for height in _heights(rooms)]
        first, last = x + RAIL, x + RAIL + max(room.width for room in rooms)
        for child, room, height in zip(node.children, rooms, heights, strict=True):
            begin = (first + last - room.width) / 2
            self.wire((first, height), (begin, height))
            self.wire((self.node(child, begin, height), height), (last, height))
        for rail, outside in ((first, x), (last, last + RAIL)):
            self.wire((rail, heights[0]), (rail, heights[-1]))
            self.wire((rail, y), (outside, y))
            for height in {y, *heights[1:-1]}:
                self.ax.add_patch(Circle((rail, height), 0.07, color=INK, linewidth=0, zorder=3))
        return last + RAIL

    def wire(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        if begin != end:
            self.strokes.append(np.array([begin, end]))

    def write(self, leaf: Leaf, x: float, y: float, *, centred: bool) -> None:
        """Write an element's name above (x, y), or on it."""
        path = _text(_label(leaf))
        box = path.get_extents()
        down = box.height / 2 + box.y0 if centred else 0.0
        place = Affine2D().translate(x - (box.x0 + box.x1) / 2, y - down + (0 if centred else 0.1))
        self.ax.add_patch(PathPatch(place.transform_path(path), color=INK, linewidth=0, gid=leaf.name))

    def terminal(self, x: float, y: float) -> None:
        self.ax.add_patch(Circle((x, y), 0.09, fill=False, edgecolor=INK, linewidth=LINE_WIDTH))

    def finish(self) -> None:
        self.ax.add_collection(
            LineCollection(self.strokes, colors=INK, linewidths=LINE_WIDTH, capstyle="round", joinstyle="round")
        )


def _resistor() -> Iterator[Points]:
    """Three full teeth."""
    x = np.concatenate([[0], (np.arange(6) + 0.5) / 6, [1]]) * BODY
    y = np.array([0, 1, -1, 1, -1, 1, -1, 0]) * 0.26
    yield np.column_stack([x, y])


def _capacitor() -> Iterator[Points]:
    """Two plates."""
    for side in (-1, 1):
        plate, end = BODY / 2 + side * 0.11, BODY / 2 * (1 + side)
        yield np.array([[plate, -0.38], [plate, 0.38]])
        yield np.array([[end, 0.0], [plate, 0.0]])


def _inductor() -> Iterator[Points]:
    """Four loops."""
    t = np.linspace(np.pi, 0, 25)
    radius = BODY / 8
    loops = [np.column_stack([radius * (2 * i + 1 + np.cos(t)), 1.7 * radius * np.sin(t)]) for i in range(4)]
    yield np.concatenate(loops)


def _constant_phase() -> Iterator[Points]:
    """Two chevrons."""
    for side in (-1, 1):
        tip, end = BODY / 2 + side * 0.12 + 0.1, BODY / 2 * (1 + side)
        yield np.array([[tip - 0.24, 0.37], [tip, 0.0], [tip - 0.24, -0.37]])
        yield np.array([[end, 0.0], [tip, 0.0]])


_SYMBOLS: dict[str, Callable[[], Iterator[Points]]] = {
    "R": _resistor,
    "C": _capacitor,
    "L": _inductor,
    "CPE": _constant_phase,
}
