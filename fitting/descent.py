"""From one start to the bottom: compiled where every element is known to the machine, by SciPy where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from eis.spectrum import RealArray
from fitting.problem import Problem
from fitting.tape import Tape, tape_of
from fitting.uncertainty import End

Walk = Callable[[RealArray], End]


def walker(problem: Problem, *, compiled: bool = True, damping: float | None = None) -> Walk:
    """Return the function that walks a start (walked parameters, shape (k,)) down to its `End`.

    Both ways minimise the same χ² within the same limits; `compiled=False` asks for SciPy's. More `damping` than
    usual keeps the compiled walk near its start, where a flat valley would lead it away.
    """
    tape = tape_of(problem.circuit) if compiled else None
    return _by_scipy(problem) if tape is None else _by_machine(problem, tape, damping)


def _by_machine(problem: Problem, tape: Tape, wish: float | None) -> Walk:
    from fitting.engine import USUAL_DAMPING, descend

    damping = USUAL_DAMPING if wish is None else wish

    p = problem.values.size
    low, high = np.full((1, p), -690.0), np.full((1, p), 690.0)
    low[0, problem.free], high[0, problem.free] = problem.limits
    free = np.flatnonzero(problem.free)
    data = tuple(
        np.ascontiguousarray(part[None, :]) for part in (problem.z.real, problem.z.imag, *problem.weights)
    )

    def walk(t: RealArray) -> End:
        values, u, chi2 = np.empty((1, p)), np.empty((1, p)), np.empty(1)
        state, steps, correlation = np.empty(1, np.int64), np.empty(1, np.int64), np.empty(1)
        descend(
            tape.opcode,
            tape.first,
            tape.second,
            tape.direct,
            tape.child_start,
            tape.child_count,
            tape.children,
            problem.omega,
            *data,
            problem.walked_by_log,
            free,
            problem.natural(t)[None, :],
            low,
            high,
            damping,
            values,
            u,
            chi2,
            state,
            steps,
            correlation,
        )
        return End(problem.walked(values[0]), float(chi2[0]), bool(state[0] == 1))

    return walk


def _by_scipy(problem: Problem) -> Walk:
    low, high = problem.limits
    return lambda t: walk_by_scipy(problem.residuals, problem.jacobian, t, low, high)


def walk_by_scipy(
    residuals: Callable[[RealArray], Any],
    jacobian: Callable[[RealArray], Any],
    t: RealArray,
    low: RealArray,
    high: RealArray,
) -> End:
    """Walk any residuals down from `t` within limits, as tightly as double precision allows."""
    found = least_squares(
        residuals,
        np.clip(t, low + 1e-9, high - 1e-9),
        jac=jacobian,
        bounds=(low, high),
        x_scale="jac",
        ftol=1e-12,
        xtol=1e-12,
        gtol=1e-12,
        max_nfev=300,
    )
    return End(found.x, 2 * float(found.cost), bool(found.success))
