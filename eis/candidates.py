"""Which arcs of a cell may be the process a limit is for, how surely, and over how many interfaces."""

from __future__ import annotations

from collections.abc import Sequence

from eis.assignment import AMBIGUOUS, matches, may_be
from eis.errors import ConfigError
from eis.interface import THROUGH, Interface


def candidates_of(arcs: Sequence[Interface], process: str, element: str | None = None) -> tuple[Interface, ...]:
    """Return the arcs that may be `process`; where `element` names one, the user's word wins.

    Raises
    ------
    ConfigError
        If there is no arc `element`.
    """
    if element is not None:
        chosen = tuple(arc for arc in arcs if arc.name == element)
        if not chosen:
            known = ", ".join(arc.name for arc in arcs) or "no arc at all"
            raise ConfigError(f"The circuit has no arc {element!r}", where="element", mend=f"It has {known}.")
        return chosen
    possible = [arc for arc in arcs if matches(arc.process, process) or _may_be(arc, process)]
    seen = tuple(arc for arc in possible if arc.resolved or matches(arc.process, process))
    return seen or tuple(possible)  # a figment of the circuit does not stand beside an arc the data do show


def _may_be(arc: Interface, process: str) -> bool:
    """Tell whether an arc without a name may be a process; one of which nothing is known may be anything."""
    return arc.process == AMBIGUOUS and (not arc.probabilities or may_be(arc.probabilities, process))


def share_of(arc: Interface, process: str) -> float:
    """Return the probability that an arc is a process; 1 if it was named so without probabilities."""
    if arc.probabilities:
        return sum(p for name, p in arc.probabilities if matches(name, process))
    return float(matches(arc.process, process))


def interfaces_of(arc: Interface, process: str) -> tuple[int, ...]:
    """Return the possible numbers of interfaces in the path: the stated one, or one and two; one electrolyte."""
    if process in THROUGH:
        return (1,)
    return (arc.interfaces_in_path,) if arc.interfaces_in_path else (1, 2)
