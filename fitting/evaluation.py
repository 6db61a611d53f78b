"""Which engine there is, and the impedance and derivatives of a circuit by it."""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType

from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import Circuit
from fitting.compiled import WITHOUT
from fitting.tape import tape_of


def engine() -> ModuleType | None:
    """Return the compiled engine (`fitting.engine`), or None where there is none."""
    return _engine(os.environ.get(WITHOUT))


@lru_cache(maxsize=2)
def _engine(without: str | None) -> ModuleType | None:
    if without:
        return None
    try:
        from fitting import engine
    except ImportError:  # numba is missing, or not made for this Python or NumPy
        return None
    return engine


def evaluate(circuit: Circuit, omega: RealArray, values: RealArray) -> tuple[ComplexArray, ComplexArray]:
    """Return what `Circuit.jacobian` returns, compiled where that can be."""
    compiled, tape = engine(), tape_of(circuit)
    if compiled is None or tape is None:
        return circuit.jacobian(omega, values)
    arrays = tape.opcode, tape.first, tape.second, tape.direct, tape.child_start, tape.child_count, tape.children
    z, by_value = compiled.play(*arrays, omega, values, tape.by_exponent)
    return z, by_value


def impedance(circuit: Circuit, omega: RealArray, values: RealArray) -> ComplexArray:
    """Return what `Circuit.impedance` returns, compiled where that can be."""
    if engine() is None or tape_of(circuit) is None:
        return circuit.impedance(omega, values)
    return evaluate(circuit, omega, values)[0]
