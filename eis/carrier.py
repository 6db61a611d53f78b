r"""Whether the filler carries the ionic current: how far the activation energy moved towards the filler's own.

The conductivity of a composite is homogeneous in those of its phases, so that its activation energy is their mean,
weighted with the part s_k of the ohmic losses in each (Σ s_k = 1):

.. math:: E_a = \sum_k s_k E_k, \quad s_k = \frac{\partial \ln \sigma}{\partial \ln \sigma_k}
    \quad\Rightarrow\quad s = \frac{\Delta\Delta E_a}{E_{filler} - E_{before}}

s is the part of the losses that the treatment has brought into the filler: 0 if the solid limits the current
alone, 1 if only the filler does. A filler that conducts far better than the solid and does not reach from face to
face carries current almost without losses, and does not show.

References
----------
D. J. Bergman, Phys. Rep. 43 (1978) 377, doi:10.1016/0370-1573(78)90009-1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eis.activation import LEAST_TEMPERATURES, EnergyChange
from eis.comparison_records import GRAIN_BOUNDARY, IONIC
from eis.contrasts import welch_contrast
from eis.effects import LEAST_FOR_INTERVAL, t_contrast
from eis.experiment import Experiment

LEVEL = 0.99
"""Probability of the interval of the share: that current is in the filler is said wrongly in less than 1 %."""
PART, MOST = 0.05, 0.5
"""Shares of the losses from which the filler carries a part of the current that matters, and most of it."""
WORDS = {IONIC: "ionic resistance", GRAIN_BOUNDARY: "grain-boundary resistance"}
"""Quantities of which the activation energy says who carries the current, the most telling first."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Who carries the ionic current after the treatment.

    Parameters
    ----------
    verdict : str
        ``"filler"`` (most of it), ``"both"`` (the filler a part), ``"solid"`` (most of it, and a part in the
        filler is not shown), ``"neither"`` (the activation energy moved away from the filler's, or beyond it),
        or ``"cannot tell"``.
    quantity : str
        Whose activation energy says so; empty if none does.
    share, low, high : float
        Part of the losses that is in the filler and its interval of probability `level`; NaN if not known.
    level : float
        Probability of the interval: that of the report, but 0.99 at least.
    because : str
        The sentence.
    """

    verdict: str
    quantity: str
    share: float
    low: float
    high: float
    level: float
    because: str

    @property
    def is_decided(self) -> bool:
        """Whether it is known who carries the current."""
        return self.verdict in ("filler", "both", "solid")


def carrier_of(experiment: Experiment, changes: Mapping[str, EnergyChange]) -> Carrier:
    """Say whether the filler carries the current.

    Parameters
    ----------
    experiment : Experiment
        Activation energy of the filler; its arms.
    changes : mapping of str to EnergyChange
        By quantity, as `eis.activation.energy_changes` returns them.
    """
    level = max(LEVEL, experiment.confidence)
    found = next((changes[name] for name in WORDS if name in changes), None)
    if found is None:
        return _untold("no ionic or grain-boundary resistance has activation energies before and after", "", level)
    name, effect = WORDS[found.quantity], found.effect
    if effect is None:
        counts = f"{LEAST_TEMPERATURES} temperatures before and after in the treated arm and in a control"
        reasons = list(dict.fromkeys(one.because for one in found.cells if not math.isfinite(one.change_ev)))
        why = f" ({'; '.join(reasons[:2])})" if reasons else ""
        return _untold(f"the activation energy of the {name} needs {counts}{why}", found.quantity, level)
    moved = f"the activation energy of the {name} moved by {effect.value_ev:+.3f} eV"
    if min(effect.n, effect.n_control) < LEAST_FOR_INTERVAL:
        fewest = min(effect.n, effect.n_control)
        said = f"{moved} against {effect.control}, {fewest} cell{'s' * (fewest > 1)} in an arm: descriptive only"
        return _untold(said, found.quantity, level)
    moved += f" ({effect.low_ev:+.3f} to {effect.high_ev:+.3f}) against {effect.control}"
    if effect.control not in {arm.name for arm in experiment.of_role("heated")}:
        said = f"{moved}, which was not heated: what heat alone does to it is not known"
        return _untold(said, found.quantity, level)
    filler = experiment.filler
    if filler.activation_energy_ev is None:
        said = f"{moved}; the filler's own (filler.activation_energy_ev) is not given"
        return _untold(said, found.quantity, level)
    return _shared(found, moved, filler.activation_energy_ev, filler.u_activation_energy_ev, level)


def _shared(found: EnergyChange, moved: str, filler_ev: float, u_filler_ev: float, level: float) -> Carrier:
    """Weigh the move against the way there was to go."""
    effect = found.effect
    known = [one for one in found.cells if math.isfinite(one.change_ev)]
    own = [one for one in known if effect is not None and one.arm == effect.name]
    change, control = (
        np.array([one.change_ev for one in known if effect is not None and one.arm == arm])
        for arm in ((effect.name, effect.control) if effect is not None else ("", ""))
    )
    before = np.array([one.before["E_a"].value for one in own if one.before is not None])
    way = filler_ev - float(before.mean())
    room = t_contrast(way, before.var(ddof=1) / before.size, before.size - 1.0, level, u_filler_ev)
    solid = f"the solid's {before.mean():.3f} eV and the filler's {filler_ev:.3f} eV"
    if float(room.low) <= 0 <= float(room.high):
        return _untold(f"{moved}, but {solid} are too much alike", found.quantity, level)
    share = float(change.mean() - control.mean()) / way
    # To first order: the share is off by as much as ΔE_i − s·(E_filler − E_i) is off 0, over the way.
    contrast = welch_contrast(change + share * before, control, level=level)
    total = t_contrast(0.0, contrast.u**2, contrast.df, level, share * u_filler_ev)
    half = float(total.high) / abs(way)
    low, high = share - half, share + half
    path = f"{share:.2f} ({low:.2f} to {high:.2f}, {100 * level:g} %) of the way between {solid}"
    verdict, said = _judged(low, high)
    return Carrier(verdict, found.quantity, share, low, high, level, f"{said}: {moved}, {path}")


def _judged(low: float, high: float) -> tuple[str, str]:
    if high < 0:
        return "neither", "something else carries the current: its activation energy moved away from the filler's"
    if low > 1:
        return "neither", "something else carries the current: its activation energy moved beyond the filler's"
    if low > MOST:
        return "filler", "the filler carries most of the ionic current"
    if low > PART:
        return "both", "the filler carries a part of the ionic current"
    if high < MOST:
        return "solid", "the solid carries most of the ionic current, and a part in the filler is not shown"
    return "cannot tell", "who carries the ionic current cannot be told"


def _untold(because: str, quantity: str, level: float) -> Carrier:
    return Carrier("cannot tell", quantity, math.nan, math.nan, math.nan, level, because)
