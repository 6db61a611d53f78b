"""Starts for thousands of spectra at once: each arc takes the rise of Z′ over its share of the frequency range.

Time constants are proposed, the same for all spectra; cuts lie half-way between them in log frequency. The rise of
Z′ between two cuts is the arc's resistance, which with the time constant gives its Q. What is no arc gets a scale
from the spectrum's size, range and end points.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import Circuit, Leaf, Series

DEPRESSION = 0.9
"""Exponent every CPE starts from."""
POROUS = ("TLMQ", "TLMQF", "TLMo", "TLMoF", "TLMe", "TLMeF", "TLMi", "TLMiF")
TAILS = ("CPE", "C", "W", "Wo", "Ws", "G", "Gs", *POROUS)
BEYOND = 3.5
"""How far beyond the sweep, in log time constant, an arc is put that shows as a resistance only."""
LEAST_STEP = 0.01
"""Smallest rise of Z′ credited to an arc, as a fraction of the spectrum's size."""


def proposals(circuit: Circuit, frequency_hz: RealArray, rounds: int, *, seed: int) -> list[RealArray]:
    """Return, per round, rising time constants (s) for the arcs, shape (arcs,): first even, then Sobol's.

    Where the circuit ends in a tail, the lowest part of the range is left to it. Where it has no resistance in
    series, the second proposal has the fastest arc beyond the sweep: there it is all that can be one.
    """
    ends = float(frequency_hz.max()), float(frequency_hz.min())
    bare = not circuit.series_resistance
    return list(_proposals(len(circuit.arcs), has_tail(circuit), bare, *ends, rounds, seed))


@lru_cache(maxsize=64)
def _proposals(
    count: int, tail: bool, bare: bool, f_max_hz: float, f_min_hz: float, rounds: int, seed: int
) -> tuple[RealArray, ...]:
    low, high = np.log(1 / (2 * np.pi * f_max_hz)), np.log(1 / (2 * np.pi * f_min_hz))
    share = count + 1 if tail else count
    even = low + (high - low) * (np.arange(count) + 0.5) / max(share, 1)
    if count == 0:
        return (np.empty(0),) * rounds
    from scipy.stats import qmc  # takes a tenth of a second to load, and most fits begin near enough

    draws = qmc.Sobol(count, rng=np.random.default_rng(seed)).random(max(1, 1 << (rounds - 1).bit_length()))
    spread = [even, *(low + (high - low) * np.sort(draw) for draw in draws[: rounds - 1])]
    if bare:
        spread[1:2] = [np.concatenate([[low - BEYOND], even[:-1]])]
    return tuple(np.exp(log_tau) for log_tau in spread)


def guesses(
    circuit: Circuit, frequency_hz: RealArray, z_ohm: ComplexArray, tau_s: RealArray, *, late: bool = False
) -> RealArray:
    """Return starts in natural units.

    Parameters
    ----------
    circuit : Circuit
        What is to be fitted.
    frequency_hz : ndarray, shape (n,)
        Frequency (Hz), falling.
    z_ohm : ndarray, shape (spectra, n)
        Impedance (ohm).
    tau_s : ndarray, shape (arcs,)
        Proposed time constants (s), rising.
    late : bool
        Let a diffusion tail end with the sweep, rather than half-way between the last arc and there.

    Returns
    -------
    ndarray, shape (spectra, p)
        In the order of ``circuit.names``.
    """
    omega = 2 * np.pi * frequency_hz
    size = np.median(np.abs(z_ohm), axis=1)
    least = np.abs(z_ohm).min(axis=1)
    middle, fast, slow = float(np.exp(np.log(omega).mean())), float(omega[0]), float(omega[-1])
    named: dict[str, RealArray] = {}
    cuts = np.searchsorted(-np.log(omega), _cuts(tau_s, omega))
    edges = np.clip(np.concatenate([[0], cuts, [omega.size - 1]]), 0, omega.size - 1)
    if has_tail(circuit) and tau_s.size:  # the last arc ends as far below its peak as it begins above
        width = edges[-2] - edges[-3] if tau_s.size > 1 else omega.size // 2
        edges[-1] = min(edges[-2] + max(2, width), omega.size - 1)
    for k, arc in enumerate(circuit.arcs):
        above = z_ohm.real[:, edges[k]] if k or circuit.series_resistance else 0.0
        rise = np.maximum(z_ohm.real[:, edges[k + 1]] - above, LEAST_STEP * size)
        named[arc.resistance] = rise
        exponent = DEPRESSION if arc.exponent else 1.0
        named[arc.second] = np.full(size.size, tau_s[k]) if arc.kind == "zarc" else tau_s[k] ** exponent / rise
        if arc.exponent:
            named[arc.exponent] = np.full(size.size, DEPRESSION)
    imaginary = np.maximum(-z_ohm.imag[:, -1], LEAST_STEP * size)
    top = circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)
    for leaf in top:
        if not isinstance(leaf, Leaf):
            continue
        if leaf.letter == "R":
            named[leaf.name] = np.maximum(z_ohm.real[:, 0], 0.1 * least) / len(circuit.series_resistance)
        elif leaf.letter == "L":
            named[leaf.name] = np.maximum(z_ohm.imag[:, 0], LEAST_STEP * least) / fast
        elif leaf.letter == "CPE":
            named[leaf.parameter_names[0]] = slow**-DEPRESSION / imaginary
        elif leaf.letter == "C":
            named[leaf.name] = 1 / (slow * imaginary)
        elif leaf.letter == "W":
            named[leaf.name] = imaginary * np.sqrt(slow)
        elif leaf.letter == "TLMQ":
            rest = np.maximum(z_ohm.real[:, -1] - z_ohm.real[:, edges[-1]], LEAST_STEP * size)
            named[leaf.parameter_names[0]] = rest if edges[-1] < omega.size - 1 else size / 2
            named[leaf.parameter_names[1]] = slow**-DEPRESSION / imaginary
        elif leaf.letter in ("Wo", "Ws", "G"):
            rest = np.maximum(z_ohm.real[:, -1] - z_ohm.real[:, edges[-1]], LEAST_STEP * size)
            named[leaf.parameter_names[0]] = rest if edges[-1] < omega.size - 1 else size / 2
            named[leaf.parameter_names[1]] = np.full(
                size.size, 3 / slow if late else 3 / np.sqrt(slow * omega[edges[-1]])
            )
    by_unit = {
        "ohm": size / 2,
        "s": np.full(size.size, 1 / middle),
        "F": 1 / (size * middle),
        "S s^a": 1 / (size * middle**DEPRESSION),
        "H": size / middle,
        "ohm s^a": size / middle**DEPRESSION,
        "ohm s^-1/2": size * np.sqrt(middle) / 2,
    }
    one = np.ones(size.size)
    columns = []
    for name, parameter in zip(circuit.names, circuit.parameters, strict=True):
        usual = DEPRESSION * one if parameter.kind == "exponent" else by_unit.get(parameter.unit, one)
        columns.append(named.get(name, usual))
    return np.column_stack(columns)


def _cuts(tau_s: RealArray, omega: RealArray) -> RealArray:
    """Return the cuts between neighbouring time constants as −ln ω."""
    logs = np.log(tau_s)
    return np.asarray((logs[1:] + logs[:-1]) / 2)


def has_tail(circuit: Circuit) -> bool:
    """Tell whether something other than arcs, resistors and inductors stands in series."""
    top = circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)
    return any(isinstance(node, Leaf) and node.letter in TAILS for node in top)
