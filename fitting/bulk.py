"""Thousands of spectra on one frequency grid, one circuit, one call: values, uncertainties, and which to look at.

Every spectrum is walked down from its start; only those whose end looks wrong (not arrived, run into the end of
its reach, or residuals that follow a shape) are tried again from other starts, and the best end is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis.spectrum import IntArray, RealArray
from fitting.circuit import RELAXATIONS, Circuit, parse
from fitting.descent import Task, descend
from fitting.grid import Grid, given_starts, lay_out_grid
from fitting.problem import Weight
from fitting.staircase import guesses, has_tail, proposals
from fitting.starts import from_lobes
from fitting.uncertainty import RETRY, SUSPECT, VANISHED

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 4096
"""Spectra laid out at a time, so that memory stays bounded."""
ROUNDS = 12
"""Most starts of one spectrum."""
LINEAR = 3
"""Round in which a start comes from the linear ladder, which costs more than several walks."""
MIMICS = ("Wo", "Ws", "G", "Gs")
"""Tails that can pass for an arc, so that a minimum with both exchanged may look right."""
EASY = 3
"""Arcs and tails up to which one start is enough if its end looks right; each further one asks for four more."""
AGREEING, STUBBORN = 2, 4
"""Further starts that must end in the best minimum before an end that looks wrong, or very wrong, is believed."""
EXCESS = 0.95
"""χ² over what the noise explains, per deviation of `RETRY` and `SUSPECT`, that looks wrong."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Fits of many spectra.

    Parameters
    ----------
    circuit : str
        The circuit.
    names, units : tuple of str
        Parameter names and units, in circuit order.
    values, u : ndarray, shape (spectra, p)
        Values and standard uncertainties in natural units; `u` is 0 for fixed parameters, and NaN where there is
        none (at a limit, or the data do not determine it).
    chi2, reduced_chi2 : ndarray, shape (spectra,)
        Weighted sum of squares, and per degree of freedom.
    converged : ndarray of bool, shape (spectra,)
        Whether the search arrived.
    suspicious : ndarray of bool, shape (spectra,)
        Whether something still looks wrong after all starts: the circuit may not be the data's own.
    n_starts, n_evaluations : ndarray of int, shape (spectra,)
        How many starts were tried, and evaluations of the circuit in all.
    """

    circuit: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: RealArray
    u: RealArray
    chi2: RealArray
    reduced_chi2: RealArray
    converged: NDArray[np.bool_]
    suspicious: NDArray[np.bool_]
    n_starts: IntArray
    n_evaluations: IntArray

    def __len__(self) -> int:
        return int(self.chi2.size)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per spectrum: each parameter and its ``u_``, χ² and flags."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for i, name in enumerate(self.names):
            columns[name], columns[f"u_{name}"] = self.values[:, i], self.u[:, i]
        for name in ("chi2", "reduced_chi2", "converged", "suspicious", "n_starts", "n_evaluations"):
            columns[name] = getattr(self, name)
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        odd = int(self.suspicious.sum())
        return (
            f"<Batch {self.circuit}: {len(self)} spectra, {int(self.converged.sum())} converged, {odd} suspicious>"
        )


def fit_many(
    circuit: str | Circuit,
    frequency_hz: ArrayLike,
    z_ohm: ArrayLike,
    *,
    start: ArrayLike | None = None,
    weight: Weight = "modulus",
    u_z_ohm: ArrayLike | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fix: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Batch:
    """Fit one circuit to many spectra on a common frequency grid.

    Parameters
    ----------
    circuit : str or Circuit
        As in `fitting.fit`.
    frequency_hz : array_like, shape (n,)
        Frequency (Hz), falling.
    z_ohm : array_like of complex, shape (spectra, n)
        Impedance (ohm); a point that is NaN is left out of its spectrum.
    start : array_like, shape (p,) or (spectra, p), optional
        First start, in circuit order and natural units; without it the data give one.
    weight : {"modulus", "unit", "proportional", "variance"}
        As in `fitting.fit`; "variance" needs `u_z_ohm`, shape (n,) or (spectra, n), in ohm.
    bounds, fix : mapping, optional
        Limits and fixed values by parameter name, the same for all spectra.
    seed : int
        Seed of the further starts.

    Returns
    -------
    Batch
        Equal arcs are put in order of rising time constant unless `bounds` or `fix` tell them apart. Circuits with
        an element of your own are walked by NumPy rather than compiled code, some forty times slower.

    Raises
    ------
    FitError
        If the arrays do not fit together, there are too few points, or a name, limit or start is wrong.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    z = np.atleast_2d(np.asarray(z_ohm))
    blocks = []
    for begin in range(0, max(z.shape[0], 1), BLOCK):
        part = slice(begin, begin + BLOCK)
        blocks.append(
            _fit_block(
                parsed,
                frequency_hz,
                z[part],
                _rows(start, part, z.shape[0]),
                weight,
                _rows(u_z_ohm, part, z.shape[0]),
                bounds or {},
                fix or {},
                seed,
            )
        )
    return blocks[0] if len(blocks) == 1 else _joined(blocks)


def _rows(values: ArrayLike | None, part: slice, count: int) -> ArrayLike | None:
    """Return the rows of a block of what has one row per spectrum; anything else as it is."""
    array = None if values is None else np.asarray(values)
    return array[part] if array is not None and array.ndim == 2 and array.shape[0] == count else array


def _joined(blocks: Sequence[Batch]) -> Batch:
    """Put the batches of several blocks one after the other."""
    arrays = ("values", "u", "chi2", "reduced_chi2", "converged", "suspicious", "n_starts", "n_evaluations")
    joined: dict[str, Any] = {name: np.concatenate([getattr(b, name) for b in blocks]) for name in arrays}
    return replace(blocks[0], **joined)


def _fit_block(
    circuit: Circuit,
    frequency_hz: ArrayLike,
    z_ohm: ArrayLike,
    start: ArrayLike | None,
    weight: Weight,
    u_z_ohm: ArrayLike | None,
    bounds: Mapping[str, tuple[float, float]],
    fix: Mapping[str, float],
    seed: int,
) -> Batch:
    work = lay_out_grid(circuit, frequency_hz, z_ohm, weight, u_z_ohm, bounds, fix)
    first = given_starts(circuit, start, work) if start is not None else None
    best = _descend_all(work, first, seed)
    if not bounds and not fix:
        _order_arcs(circuit, best["values"], best["u"])
    batch = _batch(work, best, weight)
    _keep_limits(batch, bounds)
    return batch


def _descend_all(work: Grid, first: RealArray | None, seed: int) -> dict[str, Any]:
    """Walk all spectra down, then those that look wrong again from other starts; keep the best end of each."""
    spectra = work.z.shape[0]
    taus = proposals(work.circuit, work.frequency, ROUNDS, seed=seed)
    rng = np.random.default_rng(seed)
    everything = np.arange(spectra)
    start = guesses(work.circuit, work.frequency, work.z, taus[0]) if first is None else first
    best = _descend(work, everything, start)
    best["n_starts"] = np.ones(spectra, dtype=np.int64)
    components = len(work.circuit.arcs) + has_tail(work.circuit)
    compulsory = 1 + 4 * max(0, components - EASY)  # the more arcs, the more minima that look right
    enough = AGREEING
    if any(leaf.letter in MIMICS for leaf in work.circuit.leaves):
        compulsory, enough = compulsory + LINEAR, STUBBORN
    wrong = _looks_wrong(work, best, everything) | (compulsory > 1)
    bad = _looks_wrong(work, best, everything, deviations=SUSPECT)
    agreed = np.zeros(spectra, dtype=np.int64)
    for round_ in range(1, ROUNDS):
        again = np.flatnonzero(wrong & (agreed < np.where(bad, STUBBORN, enough)))
        if not again.size:
            break
        if round_ == LINEAR and work.circuit.arcs:
            start = np.array([from_lobes(work.circuit, work.frequency, z) for z in work.z[again]])
        else:
            start = guesses(work.circuit, work.frequency, work.z[again], taus[round_ - 1], late=round_ % 2 == 1)
            start = np.where(work.is_log, start * np.exp(rng.normal(0, 0.5, start.shape[1])), start)
        found = _descend(work, again, start)
        best["n_starts"][again] += 1
        best["n_evaluations"][again] += found["n_evaluations"]
        same = np.abs(found["chi2"] - best["chi2"][again]) <= 1e-4 * best["chi2"][again]
        better = found["chi2"] < best["chi2"][again] * (1 - 1e-4)
        agreed[again] = np.where(better, 0, agreed[again] + same)
        for name in ("values", "u", "chi2", "state", "correlation"):
            best[name][again[better]] = found[name][better]
        ends = {name: best[name][again] for name in ("values", "chi2", "state", "correlation")}
        wrong[again] = _looks_wrong(work, ends, again) | (round_ + 1 < compulsory)
        bad[again] = _looks_wrong(work, ends, again, deviations=SUSPECT)
    best["suspicious"] = bad
    return best


def _descend(work: Grid, chosen: IntArray, start: RealArray) -> dict[str, Any]:
    """Walk the chosen spectra down from `start`, shape (chosen, p)."""
    task = Task(
        circuit=work.circuit,
        omega=2 * np.pi * work.frequency,
        z=work.z[chosen],
        weight_r=work.weight_r[chosen],
        weight_i=work.weight_i[chosen],
        is_log=work.is_log,
        free=work.free,
        low=work.low[chosen],
        high=work.high[chosen],
    )
    return descend(task, np.where(np.isnan(work.fixed), start, work.fixed))


def _looks_wrong(
    work: Grid, ends: Mapping[str, Any], chosen: IntArray, *, deviations: float = RETRY
) -> NDArray[np.bool_]:
    """Tell which ends did not arrive, ran away, or left a shape in the residuals."""
    values = np.where(work.is_log, np.log(np.maximum(ends["values"], 1e-300)), ends["values"])
    edge = np.log(VANISHED)
    away = (values < work.low[chosen] + edge) | (values > work.high[chosen] - edge)
    away = np.where(work.is_log, away, values <= work.low[chosen]) & ~work.own_limits & np.isnan(work.fixed)
    follows = ends["correlation"] > deviations / np.sqrt(work.frequency.size)
    excess = ends["chi2"] > deviations * EXCESS * work.expected[chosen]
    shape = (follows | excess) & (ends["chi2"] > work.nothing[chosen])
    return np.asarray((ends["state"] != 1) | shape | away.any(axis=1))


def _keep_limits(batch: Batch, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Undo, in place, what taking logarithms did to values that rest on a limit."""
    for name, (low, high) in bounds.items():
        column = batch.values[:, batch.names.index(name)]
        np.clip(column, low, high, out=column)


def _order_arcs(circuit: Circuit, values: RealArray, u: RealArray) -> None:
    """Put equal arcs in order of rising time constant, in place."""
    place = {name: i for i, name in enumerate(circuit.names)}
    for group in circuit.exchangeable:
        columns = np.array([[place[name] for name in names] for names in group])  # (arcs, parameters of an arc)
        inside = values[:, columns]
        if group[0][0].startswith(RELAXATIONS):
            log_tau = np.log(inside[:, :, 1])
        else:
            exponent = inside[:, :, 2] if columns.shape[1] > 2 else 1.0
            log_tau = np.log(inside[:, :, 0] * inside[:, :, 1]) / exponent
        order = np.argsort(log_tau, axis=1, kind="stable")
        moved = np.flatnonzero((order != np.arange(columns.shape[0])).any(axis=1))
        for array in (values, u):
            block = array[moved][:, columns]
            array[moved[:, None, None], columns] = np.take_along_axis(block, order[moved][:, :, None], axis=1)


def _batch(work: Grid, best: Mapping[str, Any], weight: Weight) -> Batch:
    """Bring the uncertainties to natural units and gather everything."""
    points = (work.weight_r > 0).sum(axis=1)
    reduced = best["chi2"] / np.maximum(2 * points - work.free.size, 1)
    scale = np.ones_like(reduced) if weight == "variance" else np.sqrt(reduced)
    u = best["u"] * scale[:, None] * np.where(work.is_log, best["values"], 1.0)
    u[:, ~np.isnan(work.fixed)] = 0.0
    return Batch(
        circuit=str(work.circuit),
        names=work.circuit.names,
        units=tuple(parameter.unit for parameter in work.circuit.parameters),
        values=best["values"],
        u=u,
        chi2=best["chi2"],
        reduced_chi2=reduced,
        converged=best["state"] == 1,
        suspicious=best["suspicious"],
        n_starts=best["n_starts"],
        n_evaluations=best["n_evaluations"],
    )
