"""From starts to the bottom: compiled where that can be, in NumPy where not, SciPy's way as the last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from eis.spectrum import ComplexArray, IntArray, RealArray
from fitting import plain
from fitting.circuit import Circuit
from fitting.evaluation import engine
from fitting.problem import Problem
from fitting.steps import USUAL_DAMPING
from fitting.tape import tape_of
from fitting.uncertainty import End, correlation


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be walked down: m spectra of n points on one grid, a circuit of p parameters, k of them free.

    `weight_r` and `weight_i` are 1/σ of Z′ and Z″, shape (m, n); `low` and `high` limits of the walked parameters,
    shape (m, p); `is_log`, shape (p,), tells which are walked by their logarithm, `free`, shape (k,), which are
    fitted.
    """

    circuit: Circuit
    omega: RealArray
    z: ComplexArray
    weight_r: RealArray
    weight_i: RealArray
    is_log: NDArray[np.bool_]
    free: IntArray
    low: RealArray
    high: RealArray


def descend(task: Task, start: RealArray, *, damping: float = USUAL_DAMPING) -> dict[str, Any]:
    """Walk every spectrum down from its start, shape (m, p) in natural units.

    Returns
    -------
    dict
        ``values`` and ``u`` (of walked parameters, for unit variance, NaN where there is none), shape (m, p);
        ``chi2``; ``state`` (1 arrived, 0 ran out of steps, −1 no finite start); ``n_evaluations``; ``correlation``
        of neighbouring residuals, each of shape (m,).
    """
    count, p = start.shape
    ends: dict[str, Any] = {
        "values": np.empty((count, p)),
        "u": np.empty((count, p)),
        "chi2": np.empty(count),
        "state": np.empty(count, dtype=np.int64),
        "n_evaluations": np.empty(count, dtype=np.int64),
        "correlation": np.empty(count),
    }
    compiled, tape = engine(), tape_of(task.circuit)
    if compiled is None or tape is None:
        for s in range(count):
            _descend_plainly(task, s, start[s], damping, ends)
        return ends
    compiled.descend(
        *(tape.opcode, tape.first, tape.second, tape.direct, tape.child_start, tape.child_count, tape.children),
        task.omega,
        *(np.ascontiguousarray(a) for a in (task.z.real, task.z.imag, task.weight_r, task.weight_i)),
        task.is_log,
        task.free,
        *(np.ascontiguousarray(a) for a in (start, task.low, task.high)),
        damping,
        *ends.values(),
    )
    return ends


def _descend_plainly(task: Task, s: int, start: RealArray, damping: float, ends: dict[str, Any]) -> None:
    """Walk spectrum s down without the compiled engine and write its end into row s."""
    free = task.free
    ground = plain.Ground(
        circuit=task.circuit,
        omega=task.omega,
        data=np.concatenate([task.z[s].real, task.z[s].imag]),
        weight=np.concatenate([task.weight_r[s], task.weight_i[s]]),
        is_log=task.is_log,
        free=free,
        values=start,
    )
    by_log, begin = task.is_log[free], start[free]
    t = np.where(by_log, np.log(np.where(by_log, begin, 1.0)), begin)
    low, high = task.low[s, free], task.high[s, free]
    spot, state, steps = plain.walk(ground, t, low, high, damping)
    u = np.full(start.size, np.nan)
    if state >= 0:
        u[free] = plain.spread(spot, (low < spot.t) & (spot.t < high))
    follows = correlation(spot.residual) if state >= 0 else 1.0
    row = ground.natural(spot.t), u, spot.chi2, state, steps, follows
    for array, value in zip(ends.values(), row, strict=True):
        array[s] = value


class Walk(Protocol):
    """Walks a start (walked parameters, shape (k,)) down to its `End`.

    More damping than usual keeps a walk near its start, where a flat valley would lead it away.
    """

    def __call__(self, t: RealArray, damping: float = ...) -> End:
        """Return where the walk from t ends."""
        ...


def walker(problem: Problem) -> Walk:
    """Return the function that walks a start down by `descend`."""
    p = problem.values.size
    low, high = np.full((1, p), -690.0), np.full((1, p), 690.0)
    low[0, problem.free], high[0, problem.free] = problem.limits
    task = Task(
        circuit=problem.circuit,
        omega=problem.omega,
        z=problem.z[None, :],
        weight_r=problem.weights[0][None, :],
        weight_i=problem.weights[1][None, :],
        is_log=problem.walked_by_log,
        free=np.flatnonzero(problem.free),
        low=low,
        high=high,
    )

    def walk(t: RealArray, damping: float = USUAL_DAMPING) -> End:
        ends = descend(task, problem.natural(t)[None, :], damping=damping)
        return End(problem.walked(ends["values"][0]), float(ends["chi2"][0]), bool(ends["state"][0] == 1))

    return walk


def by_scipy(problem: Problem) -> Callable[[RealArray], End]:
    """Return the function that walks a start down by SciPy's trust-region reflective method."""
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
