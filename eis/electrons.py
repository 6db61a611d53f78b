"""Whether electrons take part in what a cell's impedance shows: a short, or an electronic resistance that fell.

A cell in which electrons find a way looks better than it is: they shunt what ions have to cross. Such a cell is
named and left out; it counts neither as filled nor as improved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eis.comparison_records import PairedCell
from eis.experiment import DirectCurrent
from eis.results import Fit

COVERAGE = 2.0
"""Standard uncertainties that a fall has to exceed."""
SHORT, SHORT_BLOCKING = 0.5, 10.0
"""Direct-current resistance over the real part of Z at the lowest frequency from which down a cell is short: of a
cell that passes ions, and of one whose electrodes block them, where more than a tenth would be electrons."""
BLOCKS, PASSES = 1.0, 0.2
"""−Z″/Z′ at the lowest frequency of a cell that blocks, and of one through which direct current gets."""


@dataclass(frozen=True, slots=True)
class Electrons:
    """What is known of electrons in the cells of an experiment.

    Parameters
    ----------
    flagged : tuple of (str, str, str)
        Cell, arm, and why it is not counted.
    checked : tuple of str
        Cells of which direct current, or a short check, says something after the treatment.
    n_treated, n_treated_flagged, n_treated_checked : int
        Treated cells with both spectra, and how many of them are flagged, and checked.
    """

    flagged: tuple[tuple[str, str, str], ...]
    checked: tuple[str, ...]
    n_treated: int
    n_treated_flagged: int
    n_treated_checked: int

    @property
    def are_most_flagged(self) -> bool:
        """Whether half of the treated cells, or more, conduct electrons."""
        return self.n_treated_flagged > 0 and 2 * self.n_treated_flagged >= self.n_treated


def electrons_of(pairs: Sequence[PairedCell], treated: str, *, margin: float) -> Electrons:
    """Look at every cell that has both spectra.

    Parameters
    ----------
    pairs : sequence of PairedCell
        Every cell.
    treated : str
        Name of the treated arm.
    margin : float
        Relative fall of the electronic resistance that does not matter.
    """
    both = [pair for pair in pairs if pair.before is not None and pair.after is not None]
    flagged = [(p.cell.id, p.cell.arm, why) for p in both if (why := electron_path(p, margin=margin))]
    checked = tuple(p.cell.id for p in both if _is_checked(p.cell.direct_current))
    own = {p.cell.id for p in both if p.cell.arm == treated}
    return Electrons(
        tuple(flagged),
        checked,
        len(own),
        sum(arm == treated for _, arm, _ in flagged),
        len(own.intersection(checked)),
    )


def electron_path(pair: PairedCell, *, margin: float) -> str:
    """Return why electrons take part in the impedance of a cell after its treatment; empty if nothing says so.

    Parameters
    ----------
    pair : PairedCell
        A cell with both states.
    margin : float
        Relative fall of the electronic resistance that does not matter.
    """
    current = pair.cell.direct_current
    if current.is_short:
        return "the short check found it short"
    before, after = current.electronic_before_ohm, current.electronic_after_ohm
    if before is not None and after is not None:
        u = math.hypot(current.u_electronic_ohm / before, current.u_electronic_ohm / after)
        if math.log(after / before) + COVERAGE * u < -math.log1p(margin):
            return (
                f"its electronic resistance fell from {before:.3g} to {after:.3g} Ω: electrons take a part of the "
                "current that is compared"
            )
    if pair.before is None or pair.after is None:
        return ""
    if current.cell_after_ohm is not None:
        most = current.cell_after_ohm + COVERAGE * current.u_cell_ohm
        real, _ = _end(pair.after.fit)
        is_blocking = pair.cell.kind == "blocking"
        if most < (SHORT_BLOCKING if is_blocking else SHORT) * real:
            rule = "less than ten times" if is_blocking else "less than half of"
            return (
                f"direct current meets {current.cell_after_ohm:.3g} Ω, {rule} the {real:.3g} Ω of its impedance "
                "at the lowest frequency: it is short"
            )
    first, then = (_end(state.fit) for state in (pair.before, pair.after))
    if first[1] >= BLOCKS * abs(first[0]) and then[1] <= PASSES * abs(then[0]):
        return (
            "it blocked direct current before and passes it after (its phase at the lowest frequency): it is short"
        )
    return ""


def _is_checked(current: DirectCurrent) -> bool:
    known = (current.electronic_after_ohm, current.cell_after_ohm, current.is_short)
    return any(one is not None for one in known)


def _end(fit: Fit) -> tuple[float, float]:
    """Return Z′ and −Z″ at the lowest frequency (ohm)."""
    z = complex(fit.z_ohm[int(np.argmin(fit.frequency_hz))])
    return z.real, -z.imag
