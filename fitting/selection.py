"""Which circuit do the data support? Ladders of arcs with and without a tail, ranked by AICc.

A candidate with an arc the data do not determine is not supported, however well it fits; among those that are
supported and equally good the one with the fewest parameters is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from eis.errors import FitError
from eis.results import Arc, Fit
from eis.spectrum import Spectrum
from fitting.cnls import fit
from fitting.problem import Weight

CANDIDATES = (
    "L0-R0-p(R1,CPE1)",
    "L0-R0-p(R1,CPE1)-CPE2",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-CPE4",
)
"""Pellets between blocking electrodes, symmetric and half cells: one to three arcs, with or without a tail."""
EQUAL = 4.0
"""ΔAICc below which two circuits describe the data equally well."""
BARELY = 0.5
"""Relative standard uncertainty of a resistance above which its arc is not supported."""


def select(spectrum: Spectrum, candidates: Sequence[str] = CANDIDATES, *, weight: Weight = "modulus") -> list[Fit]:
    """Fit every candidate and return the fits, the chosen one first, the others by AICc.

    Raises
    ------
    FitError
        If no candidate can be fitted, because there are too few points for any.
    """
    fits, refused = [], []
    for candidate in candidates:
        try:
            fits.append(fit(candidate, spectrum, weight=weight))
        except FitError as error:
            refused.append(error)
    if not fits:
        raise refused[0]
    fits.sort(key=lambda one: one.aicc)
    supported = [one for one in fits if one.converged and all(is_supported(one, arc) for arc in one.arcs)]
    if supported:
        equal = [one for one in supported if one.aicc <= supported[0].aicc + EQUAL]
        chosen = min(equal, key=lambda one: (one.n_free, one.aicc))
        fits.remove(chosen)
        fits.insert(0, chosen)
    return fits


def is_supported(fitted: Fit, arc: Arc) -> bool:
    """Tell whether the data determine an arc: its resistance to 50 %, and its shape inside its limits."""
    resistance = fitted[arc.resistance]
    shape = [fitted[name] for name in (arc.second, arc.exponent) if name]
    loose = not math.isfinite(resistance.u) or resistance.u > BARELY * resistance.value
    at_floor = any(parameter.at_bound and parameter.value <= parameter.lower * 1.01 for parameter in shape)
    return not (loose or at_floor)
