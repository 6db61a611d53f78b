"""Circuit strings: text → tree → impedance and exact Jacobian, and back. Nothing is ever evaluated as code.

The grammar is impedance.py's: ``-`` joins in series, ``p(a,b,…)`` in parallel, an element is letters and number::

    series   = branch { "-" branch }
    branch   = "p(" series "," series { "," series } ")" | element
    element  = LETTERS DIGITS

A text in square brackets is a Boukamp circuit description code, ``[LR(RQ)]``: letters side by side are in series,
round brackets hold what is in parallel, square brackets inside them what is in series; elements are numbered here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import CircuitError
from eis.results import Arc
from eis.spectrum import ComplexArray, RealArray
from fitting.elements import ELEMENTS, Element, ElementParameter

MAX_LENGTH = 2000
MAX_DEPTH = 50
RELAXATIONS = ("Zarc", "K", "HN")
"""Arcs that are one element, with a resistance and a time constant."""
BOUKAMP = {"R": "R", "C": "C", "L": "L", "Q": "CPE", "W": "W", "T": "Wo", "O": "Ws", "G": "G"}
"""Boukamp's letters; T has a tanh in its admittance (open end), O a coth (short end)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One element in its place."""

    letter: str
    number: str

    @property
    def element(self) -> Element:
        """What the letter stands for."""
        return ELEMENTS[self.letter]

    @property
    def name(self) -> str:
        """Letter and number, e.g. ``CPE1``."""
        return f"{self.letter}{self.number}"

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """impedance.py's names: ``R1``, or ``CPE1_0`` and ``CPE1_1``."""
        count = len(self.element.parameters)
        return (self.name,) if count == 1 else tuple(f"{self.name}_{i}" for i in range(count))


@dataclass(frozen=True, slots=True)
class Series:
    """Children one after the other: impedances add."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Children side by side: admittances add."""

    children: tuple[Node, ...]


Node = Leaf | Series | Parallel


@dataclass(frozen=True)
class Circuit:
    """A parsed circuit; make one with `parse`."""

    root: Node

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """All elements in reading order."""
        return tuple(_leaves(self.root))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All parameter names in reading order, the order of `values` everywhere."""
        return tuple(name for leaf in self.leaves for name in leaf.parameter_names)

    @cached_property
    def parameters(self) -> tuple[ElementParameter, ...]:
        """Unit, kind and limits of each parameter, in the order of `names`."""
        return tuple(parameter for leaf in self.leaves for parameter in leaf.element.parameters)

    @cached_property
    def arcs(self) -> tuple[Arc, ...]:
        """Every R next to a CPE or C in parallel, every Zarc, K and HN, in reading order."""
        return tuple(_arcs(self.root))

    @cached_property
    def exchangeable(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Groups of equal arcs in series, each arc as its parameter names (resistance first): free to swap."""
        groups: dict[tuple[str, int], list[tuple[str, ...]]] = {}
        top = self.root.children if isinstance(self.root, Series) else ()
        for node in top:
            arcs = list(_arcs(node))
            if len(arcs) == 1 and len(list(_leaves(node))) <= 2:
                names = arcs[0].names
                groups.setdefault((arcs[0].kind, len(names)), []).append(names)
        return tuple(tuple(group) for group in groups.values() if len(group) > 1)

    @cached_property
    def series_resistance(self) -> tuple[str, ...]:
        """Names of the resistors in series with everything else."""
        top = self.root.children if isinstance(self.root, Series) else (self.root,)
        return tuple(node.name for node in top if isinstance(node, Leaf) and node.letter == "R")

    def impedance(self, omega: RealArray, values: ArrayLike) -> ComplexArray:
        """Return the impedance (ohm), shape (n,), at angular frequencies `omega` (rad/s), shape (n,).

        Raises
        ------
        CircuitError
            If there are not as many `values` as `names`.
        """
        return _impedance(self.root, np.asarray(omega, dtype=float), iter(self._checked(values)))

    def jacobian(self, omega: RealArray, values: ArrayLike) -> tuple[ComplexArray, ComplexArray]:
        """Return impedance, shape (n,), and its derivatives by each parameter, shape (p, n)."""
        return _jacobian(self.root, np.asarray(omega, dtype=float), iter(self._checked(values)))

    def _checked(self, values: ArrayLike) -> Sequence[float]:
        numbers = np.atleast_1d(np.asarray(values, dtype=float)).tolist()
        if len(numbers) != len(self.names):
            raise CircuitError(
                f"The circuit has {len(self.names)} parameters and {len(numbers)} values were given",
                text=str(self),
                position=0,
                mend=f"Give one value each for {', '.join(self.names)}.",
            )
        return list(numbers)

    def __str__(self) -> str:
        return _print(self.root)


@lru_cache(maxsize=256)
def parse(text: str) -> Circuit:
    """Parse a circuit string (impedance.py's grammar, or Boukamp's in square brackets).

    Raises
    ------
    CircuitError
        With the position of the fault and how to mend it; also for names used twice, texts of more than 2000
        characters and more than 50 levels of brackets.
    """
    if len(text) > MAX_LENGTH:
        raise CircuitError(
            f"The circuit text has {len(text)} characters, more than {MAX_LENGTH}",
            text=text,
            position=MAX_LENGTH,
            mend="Describe the cell with fewer elements.",
        )
    reader = _Boukamp(text) if text.lstrip().startswith("[") else _Reader(text)
    circuit = Circuit(reader.read())
    _refuse_repeats(circuit, text)
    return circuit


class _Reader:
    """Reads impedance.py's grammar from left to right; `place` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def read(self) -> Node:
        node = self.series(depth=0)
        self.skip_blanks()
        if self.place < len(self.text):
            char = self.text[self.place]
            if char == ")":
                self.fail("This bracket closes nothing", "Remove it, or open its p( before.")
            if char == ",":
                self.fail("A comma outside p(…)", "Join elements in series with '-', or put them in p(a,b).")
            self.fail(
                f"Expected '-' or the end, found {char!r}", "Join elements in series with '-', as in R0-p(R1,C1)."
            )
        return node

    def series(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(f"More than {MAX_DEPTH} levels of brackets", "Describe the cell with a flatter circuit.")
        children = [self.branch(depth)]
        while self.take("-"):
            children.append(self.branch(depth))
        return children[0] if len(children) == 1 else Series(_flat(children, Series))

    def branch(self, depth: int) -> Node:
        self.skip_blanks()
        opening = self.place
        if self.text.startswith("p(", self.place):
            self.place += 2
            children = [self.series(depth + 1)]
            while self.take(","):
                children.append(self.series(depth + 1))
            if not self.take(")"):
                self.skip_blanks()
                if self.place >= len(self.text):
                    self.place = opening
                    self.fail(
                        "The bracket of this p( is never closed", "Close it with ')' after its last element."
                    )
                found = self.text[self.place]
                self.fail(f"Expected '-', ',' or ')', found {found!r}", "Write a parallel part as p(R1,CPE1).")
            if len(children) == 1:
                self.place = opening
                self.fail(
                    "A parallel part needs two branches or more", "Write p(a,b), with a comma between branches."
                )
            return Parallel(tuple(children))
        return self.leaf()

    def leaf(self) -> Leaf:
        match = re.compile(r"([A-Za-z]+)([0-9]*)").match(self.text, self.place)
        if match is None:
            found = repr(self.text[self.place]) if self.place < len(self.text) else "the end"
            self.fail(
                f"Expected an element or p(, found {found}",
                f"Elements are {', '.join(ELEMENTS)}, each numbered: R0.",
            )
        letter, number = match.groups()
        if letter not in ELEMENTS:
            self.fail(f"Unknown element {letter!r}", f"{_nearest(letter)}Elements are {', '.join(ELEMENTS)}.")
        if not number:
            self.fail(
                f"Element {letter!r} has no number",
                f"Number it, as in {letter}1; a Boukamp code goes in square brackets: [R(RQ)].",
            )
        self.place = match.end()
        return Leaf(letter, number)

    def take(self, char: str) -> bool:
        self.skip_blanks()
        found = self.text.startswith(char, self.place)
        self.place += found
        return found

    def skip_blanks(self) -> None:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1

    def fail(self, what: str, mend: str) -> NoReturn:
        raise CircuitError(what, text=self.text, position=min(self.place, len(self.text)), mend=mend)


class _Boukamp(_Reader):
    """Reads a circuit description code; numbers the elements of each letter from 0 as they come."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.counts: dict[str, int] = {}

    def read(self) -> Node:
        self.take("[")
        node = self.group("]", depth=0)
        self.skip_blanks()
        if self.place < len(self.text):
            self.fail("Something follows the closing ]", "Put the whole code in one pair of square brackets.")
        return node

    def group(self, closing: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(f"More than {MAX_DEPTH} levels of brackets", "Describe the cell with a flatter circuit.")
        children: list[Node] = []
        while not self.take(closing):
            if self.take("("):
                children.append(self.group(")", depth + 1))
            elif self.take("["):
                children.append(self.group("]", depth + 1))
            else:
                children.append(self.letter(closing))
        kind: type[Series] | type[Parallel] = Series if closing == "]" else Parallel
        if not children:
            self.fail("These brackets hold nothing", "Put at least one element between them.")
        return children[0] if len(children) == 1 else kind(_flat(children, kind))

    def letter(self, closing: str) -> Leaf:
        self.skip_blanks()
        if self.place >= len(self.text):
            self.fail(f"A bracket is never closed; expected {closing!r}", f"Close it with {closing!r}.")
        char = self.text[self.place]
        if char not in BOUKAMP:
            self.fail(f"Unknown letter {char!r}", f"A circuit description code uses {', '.join(BOUKAMP)}.")
        self.place += 1
        number = self.counts.get(char, 0)
        self.counts[char] = number + 1
        return Leaf(BOUKAMP[char], str(number))


def _flat(children: Sequence[Node], kind: type[Series] | type[Parallel]) -> tuple[Node, ...]:
    """Merge children of the same kind, so that equal circuits have equal trees."""
    return tuple(
        inner for child in children for inner in (child.children if isinstance(child, kind) else (child,))
    )


def _nearest(letter: str) -> str:
    same = [known for known in ELEMENTS if known.lower() == letter.lower()]
    return f"Did you mean {same[0]}? " if same else ""


def _refuse_repeats(circuit: Circuit, text: str) -> None:
    seen: set[str] = set()
    for leaf in circuit.leaves:
        if leaf.name in seen:
            at = text.find(leaf.name, text.find(leaf.name) + 1)
            raise CircuitError(
                f"The name {leaf.name} is used twice",
                text=text,
                position=max(at, 0),
                mend="Number elements uniquely.",
            )
        seen.add(leaf.name)


def _leaves(node: Node) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    else:
        for child in node.children:
            yield from _leaves(child)


def _print(node: Node) -> str:
    if isinstance(node, Leaf):
        return node.name
    parts = [_print(child) for child in node.children]
    return "-".join(parts) if isinstance(node, Series) else f"p({','.join(parts)})"


def _impedance(node: Node, omega: RealArray, values: Iterator[float]) -> ComplexArray:
    if isinstance(node, Leaf):
        return node.element.impedance(omega, *(next(values) for _ in node.element.parameters))
    parts = [_impedance(child, omega, values) for child in node.children]
    if isinstance(node, Series):
        return np.asarray(sum(parts[1:], parts[0]))
    return np.asarray(1 / sum(1 / part for part in parts))


def _jacobian(node: Node, omega: RealArray, values: Iterator[float]) -> tuple[ComplexArray, ComplexArray]:
    if isinstance(node, Leaf):
        numbers = [next(values) for _ in node.element.parameters]
        return node.element.impedance(omega, *numbers), node.element.derivatives(omega, *numbers)
    parts = [_jacobian(child, omega, values) for child in node.children]
    if isinstance(node, Series):
        return np.asarray(sum(z for z, _ in parts)), np.concatenate([j for _, j in parts])
    z = np.asarray(1 / sum(1 / z for z, _ in parts))
    return z, np.concatenate([j * (z / part) ** 2 for part, j in parts])


def _arcs(node: Node) -> Iterator[Arc]:
    if isinstance(node, Leaf):
        if node.letter in RELAXATIONS:
            r, tau, exponent, skew = (*node.parameter_names, None, None)[:4]
            yield Arc(node.name, "zarc", str(r), str(tau), exponent, skew)
        return
    if isinstance(node, Parallel):
        stores = [leaf for leaf in node.children if isinstance(leaf, Leaf) and leaf.letter in ("CPE", "C")]
        resistors = [leaf for branch in node.children for leaf in _chain(branch) if leaf.letter == "R"]
        if len(stores) == 1 and len(resistors) == 1:
            names = stores[0].parameter_names
            kind, exponent = ("capacitor", None) if len(names) == 1 else ("cpe", names[1])
            yield Arc(resistors[0].name, kind, resistors[0].name, names[0], exponent)  # type: ignore[arg-type]
    for child in node.children:
        yield from _arcs(child)


def _chain(branch: Node) -> Iterator[Leaf]:
    """Yield the elements of a branch that stand directly in it, one after the other."""
    children = branch.children if isinstance(branch, Series) else (branch,)
    return (child for child in children if isinstance(child, Leaf))
