"""How the unit a limit of a resistance is printed in can be read: as R·A, as R/A or as R."""

from __future__ import annotations

from eis.limit_text import dimension_of
from eis.results import READINGS, Reading
from eis.units import Dimension

OHM_TIMES_AREA, OHM, OHM_PER_AREA = (("m", 2), ("ohm", 1)), (("ohm", 1),), (("m", -2), ("ohm", 1))
READ_AS: dict[Dimension, tuple[Reading, ...]] = {
    OHM_TIMES_AREA: ("asr",),
    OHM: ("absolute",),
    OHM_PER_AREA: READINGS,
}
"""The readings a printed unit allows: Ω·cm² and Ω say what they are, Ω/cm² is no intensive quantity."""
CM2_PER_M2 = 1e4


def readings_of(unit: str) -> tuple[Reading, ...]:
    """Return how a resistance printed in `unit` can be read; every way where the unit is of no resistance."""
    _, dimension = dimension_of(unit, where="text", text=unit)
    if dimension == OHM_PER_AREA and "cm" not in unit:
        return ("per_area",)  # the number of any other reading would depend on the unit of area
    return READ_AS.get(dimension, READINGS)


def ohms_in(unit: str) -> float:
    """Return the size of `unit` in Ω with whatever power of cm² it has; 1 where it is of no resistance."""
    size, dimension = dimension_of(unit, where="text", text=unit)
    if dimension == OHM_TIMES_AREA:
        return size * CM2_PER_M2
    if dimension == OHM_PER_AREA:
        return size / CM2_PER_M2
    return size if dimension == OHM else 1.0
