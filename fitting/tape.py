"""A circuit as a tape of numbers for the compiled machine (`fitting.machine`): its nodes in post-order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eis.spectrum import IntArray
from fitting.circuit import Circuit, Leaf, Node, Parallel, Series

SERIES, PARALLEL = -1, -2
OPCODES = {
    letter: code for code, letter in enumerate(("R", "C", "L", "CPE", "W", "Wo", "Ws", "Zarc", "G", "TLMQ"))
}
R, C, L, CPE, W, WO, WS, ZARC, G, TLMQ = range(len(OPCODES))
RQ, RC = 100, 101
"""A resistor beside one CPE or one capacitor: the commonest arcs, taken as one node."""


@dataclass(frozen=True, slots=True)
class Tape:
    """A circuit as arrays, one entry per node, children before parents.

    `first` is a node's first parameter, `second` that of the CPE or capacitor of an arc taken as one node;
    `direct` tells whether a node is in series with everything else, so that ∂Z/∂Z_node is 1.
    """

    opcode: IntArray
    first: IntArray
    second: IntArray
    direct: IntArray
    child_start: IntArray
    child_count: IntArray
    children: IntArray


def tape_of(circuit: Circuit) -> Tape | None:
    """Return the tape of a circuit, or None if it holds an element the machine does not know."""
    if any(leaf.letter not in OPCODES for leaf in circuit.leaves):
        return None
    place = {name: i for i, name in enumerate(circuit.names)}
    rows: list[tuple[int, int, int, int, int, int]] = []
    children: list[int] = []

    def add(node: Node, direct: bool) -> int:
        arc = _simple_arc(node)
        if isinstance(node, Leaf):
            rows.append((OPCODES[node.letter], place[node.parameter_names[0]], -1, direct, 0, 0))
        elif arc is not None:
            resistor, store = arc
            code = RQ if store.letter == "CPE" else RC
            rows.append((code, place[resistor.name], place[store.parameter_names[0]], direct, 0, 0))
        else:
            series = isinstance(node, Series)
            inner = [add(child, direct and series) for child in node.children]
            rows.append((SERIES if series else PARALLEL, -1, -1, direct, len(children), len(inner)))
            children.extend(inner)
        return len(rows) - 1

    add(circuit.root, True)
    columns = np.array(rows, dtype=np.int64).T
    opcode, first, second, direct, start, count = (np.ascontiguousarray(column) for column in columns)
    return Tape(opcode, first, second, direct, start, count, np.array(children, dtype=np.int64))


def _simple_arc(node: Node) -> tuple[Leaf, Leaf] | None:
    """Return resistor and CPE or capacitor of a node that is just these two in parallel."""
    if not isinstance(node, Parallel) or len(node.children) != 2:
        return None
    one, other = node.children
    if not (isinstance(one, Leaf) and isinstance(other, Leaf)):
        return None
    resistor, store = (one, other) if one.letter == "R" else (other, one)
    return (resistor, store) if resistor.letter == "R" and store.letter in ("CPE", "C") else None
