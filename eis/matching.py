r"""Which arc of one spectrum is which arc of another of the same cell: by capacitance and time constant together.

Treating a cell changes its resistances, so that arcs may change places on the frequency axis; what they are shows
in their capacitance. If only the area in contact changes, R falls and C rises and their product stays; if only the
conductivity or the kinetics change, C stays and τ falls with R. Each pair of arcs (i before, j after) is given

.. math:: \ln L_{ij} = -\tfrac12\left[\left(\frac{\Delta\lg C}{0.35}\right)^2
    + \left(\frac{\Delta\lg\tau}{0.8}\right)^2\right] + \ln \frac{\sum_p P_i(p)\,P_j(p)}
    {\sqrt{\sum_p P_i^2(p) \sum_p P_j^2(p)}}

with P the probabilities of the processes p that the arcs were assigned (where both have them), each arc without a
partner −4, and all ways to pair the arcs are weighed against each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eis.results import Interface

SPREAD_C, SPREAD_TAU = 0.35, 0.8
"""How far capacitance and time constant of one process usually move in a treatment (decades, k = 1)."""
LEAST_AGREEMENT = 0.05
"""Assignments that have nothing in common count no less: they are guesses themselves."""
ALONE = -4.0
"""Log-likelihood of an arc that has no partner: a capacitance 2.8 spreads away is as likely as two arcs alone."""
SURE = 0.8
"""Probability from which two arcs are taken for the same."""
MOST_ARCS = 6
"""Arcs beyond this are not weighed: a spectrum does not hold so many."""


@dataclass(frozen=True, slots=True)
class Match:
    """An arc before and the same arc after; one of them is missing if it has no partner.

    `probability` is that of this pairing among all ways to pair the arcs; `because` says what speaks for it.
    """

    before: Interface | None
    after: Interface | None
    probability: float
    because: str

    @property
    def is_sure(self) -> bool:
        """Whether both arcs are there and are the same beyond doubt."""
        return self.before is not None and self.after is not None and self.probability >= SURE


def match_arcs(before: Sequence[Interface], after: Sequence[Interface]) -> tuple[Match, ...]:
    """Pair the arcs of two spectra of one cell.

    Parameters
    ----------
    before, after : sequence of Interface
        At most six of each are weighed; arcs without capacitance (their resistance is not determined) stay alone.

    Returns
    -------
    tuple of Match
        Every arc once, in the order of `before`; then the arcs that are only there after.
    """
    known = [arc for arc in before if _has_shape(arc)][:MOST_ARCS]
    new = [arc for arc in after if _has_shape(arc)][:MOST_ARCS]
    likelihood = np.array([[_log_likelihood(b, a) for a in new] for b in known]).reshape(len(known), len(new))
    ways = list(_ways(len(known), len(new)))
    logs = np.array([_log_of(way, likelihood, len(new)) for way in ways])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    best = ways[int(np.argmax(weights))]
    matches = []
    for i, (one, j) in enumerate(zip(known, best, strict=True)):
        p = float(weights[[way[i] == j for way in ways]].sum())
        partner = None if j is None else new[j]
        matches.append(Match(one, partner, p, _because(one, partner, after)))
    for j, one in enumerate(new):
        if j not in best:
            p = float(weights[[j not in way for way in ways]].sum())
            said = f"{one.name} has no counterpart before: it is new, or was split off"
            matches.append(Match(None, one, p, said))
    lost = [Match(arc, None, 1.0, _undetermined(arc, "before")) for arc in before if not _has_shape(arc)]
    lost += [Match(None, arc, 1.0, _undetermined(arc, "after")) for arc in after if not _has_shape(arc)]
    return (*matches, *lost)


def _ways(n: int, m: int) -> itertools.chain[tuple[int | None, ...]]:
    """Return every way to give n arcs one of m partners, or none, no partner twice."""
    return itertools.chain.from_iterable(
        (
            tuple(next(partners) if i in chosen else None for i in range(n))
            for chosen in map(set, itertools.combinations(range(n), k))
            for order in itertools.permutations(range(m), k)
            for partners in (iter(order),)
        )
        for k in range(min(n, m) + 1)
    )


def _log_of(way: Sequence[int | None], likelihood: np.ndarray, m: int) -> float:
    paired = [(i, j) for i, j in enumerate(way) if j is not None]
    alone = len(way) + m - 2 * len(paired)
    return sum(float(likelihood[i, j]) for i, j in paired) + ALONE * alone


def _log_likelihood(before: Interface, after: Interface) -> float:
    c, tau = _moved(before, after)
    return -0.5 * ((c / SPREAD_C) ** 2 + (tau / SPREAD_TAU) ** 2) + _log_agreement(before, after)


def _log_agreement(before: Interface, after: Interface) -> float:
    """Return ln of how alike the assigned probabilities are; 0 if they are the same, or not known."""
    one, two = dict(before.probabilities), dict(after.probabilities)
    both = sum(p * two.get(name, 0.0) for name, p in one.items())
    size = math.sqrt(sum(p * p for p in one.values()) * sum(p * p for p in two.values()))
    return math.log(max(both / size, LEAST_AGREEMENT)) if size > 0 else 0.0


def _moved(before: Interface, after: Interface) -> tuple[float, float]:
    """Return by how many decades capacitance and time constant have moved."""
    c = math.log10(after.capacitance_f / before.capacitance_f)
    return c, -math.log10(after.frequency_hz / before.frequency_hz)


def _has_shape(arc: Interface) -> bool:
    return arc.capacitance_f > 0 and arc.frequency_hz > 0


def _because(before: Interface, partner: Interface | None, after: Sequence[Interface]) -> str:
    if partner is None:
        larger = [arc.name for arc in after if arc.arc_resistance_ohm >= before.arc_resistance_ohm]
        where = f"it is gone, or swallowed by {' or '.join(larger)}" if larger else "it is gone"
        return f"{before.name} has no counterpart after: {where}"
    c, tau = _moved(before, partner)
    r = partner.arc_resistance_ohm / before.arc_resistance_ohm
    moved = f"C {10**c:.2f} times, τ {10**tau:.2f} times, R {r:.2f} times"
    return f"{before.name} before is {partner.name} after: {moved}"


def _undetermined(arc: Interface, when: str) -> str:
    return f"{arc.name} is not determined {when}: it is not compared"
