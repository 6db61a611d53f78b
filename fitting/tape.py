"""A circuit as a tape of numbers for the compiled machine (`fitting.machine`): its nodes in post-order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eis.spectrum import IntArray
from fitting.circuit import Circuit, Leaf, Node, Parallel, Series

SERIES, PARALLEL = -1, -2
LETTERS = (
    *("R", "C", "L", "CPE", "W", "Zarc"),
    *("La", "K", "G", "HN", "Wo", "Ws", "Gs"),
    *("TLMQ", "TLMQF", "TLMo", "TLMoF", "TLMe", "TLMeF", "TLMi", "TLMiF"),
)
"""The elements the machine knows: those of one real function first, then the rare ones, porous electrodes last."""
OPCODES = {letter: code for code, letter in enumerate(LETTERS)}
R, C, L, CPE, W, ZARC, LA, K, G, HN, WO, WS, GS, TLMQ, TLMQF, TLMO, TLMOF, TLME, TLMEF, TLMI, TLMIF = (
    OPCODES.values()
)
RQ, RC = 100, 101
"""A resistor beside one CPE or one capacitor: the commonest arcs, taken as one node."""


@dataclass(frozen=True, slots=True)
class Tape:
    """A circuit as arrays, one entry per node, children before parents.

    `first` is a node's first parameter; `second` is that of the CPE or capacitor of an arc taken as one node, else
    the one after the node's last. `direct` tells whether a node is in series with everything else, so that
    ∂Z/∂Z_node is 1. `by_exponent` tells which parameters are exponents.
    """

    opcode: IntArray
    first: IntArray
    second: IntArray
    direct: IntArray
    child_start: IntArray
    child_count: IntArray
    children: IntArray
    by_exponent: NDArray[np.bool_]


@lru_cache(maxsize=256)
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
            at = place[node.parameter_names[0]]
            rows.append((OPCODES[node.letter], at, at + len(node.parameter_names), direct, 0, 0))
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
    by_exponent = np.array([parameter.kind == "exponent" for parameter in circuit.parameters])
    return Tape(opcode, first, second, direct, start, count, np.array(children, dtype=np.int64), by_exponent)


def _simple_arc(node: Node) -> tuple[Leaf, Leaf] | None:
    """Return resistor and CPE or capacitor of a node that is just these two in parallel."""
    if not isinstance(node, Parallel) or len(node.children) != 2:
        return None
    one, other = node.children
    if not (isinstance(one, Leaf) and isinstance(other, Leaf)):
        return None
    resistor, store = (one, other) if one.letter == "R" else (other, one)
    return (resistor, store) if resistor.letter == "R" and store.letter in ("CPE", "C") else None
