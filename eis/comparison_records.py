"""What a comparison of filling experiments is made of: a cell's two states, its changes, its sheet; tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eis.experiment import ExperimentCell
from eis.filling_fraction import FillFraction
from eis.monte_carlo import Estimated
from eis.results import Fit, Interface, Judgement

INTERFACE, GRAIN_BOUNDARY, IONIC, CHARGE_TRANSFER, SERIES, ELECTRONIC = (
    "ASR_if",
    "R_gb",
    "R_ion",
    "R_ct",
    "R_s",
    "R_el",
)
CONCLUDED = (INTERFACE, GRAIN_BOUNDARY, IONIC, CHARGE_TRANSFER, SERIES)
"""What a conclusion may be about: the first of these that the cells have."""
QUANTITIES = (*CONCLUDED, ELECTRONIC)
"""What is compared."""
UNITS = {name: "Ω·cm²" if name == INTERFACE else "Ω" for name in QUANTITIES}


@dataclass(frozen=True, slots=True)
class State:
    """One cell once: its fit, and the arcs extracted from it."""

    fit: Fit
    arcs: tuple[Interface, ...]
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class PairedCell:
    """One cell before and after; a state that is missing, or could not be read or fitted, is None.

    `before_at` and `after_at` are its states at the other temperatures, in the order of the experiment file, None
    where one could not be had; `notes` says why.
    """

    cell: ExperimentCell
    before: State | None
    after: State | None
    because: str = ""
    before_at: tuple[State | None, ...] = ()
    after_at: tuple[State | None, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One quantity of one cell before and after.

    `ln_ratio` and its standard uncertainty are NaN where they cannot be compared; `because` says why.
    """

    cell: str
    arm: str
    quantity: str
    before: float
    u_before: float
    after: float
    u_after: float
    ln_ratio: float
    u_ln_ratio: float
    because: str = ""

    @property
    def is_comparable(self) -> bool:
        """Whether there is a ratio."""
        return math.isfinite(self.ln_ratio)


@dataclass(frozen=True, slots=True)
class CellSheet:
    """What became of one cell's sheet and of the contact of its interface.

    Parameters
    ----------
    cell, arm : str
        Which.
    fill : FillFraction, optional
        Its own fill fractions; None where no filler can have come in, or it was not weighed and gauged.
    thickness_change, u_thickness_change : float
        Relative change of the thickness and its standard uncertainty; NaN if not known.
    mass_change_mg, u_mass_change_mg : float
        Mass after less mass before.
    residual_mg, u_residual_mg : float
        Mass that was still driven out when the sheet was dried; NaN if it was not.
    coverage : tuple of Estimated
        Part of the interface in contact before, after, and their ratio, from its resistance; empty if not known.
    ln_coverage : float
        ln of the ratio of the parts in contact after over before, from the capacitance; NaN if not known.
    """

    cell: str
    arm: str
    fill: FillFraction | None
    thickness_change: float = math.nan
    u_thickness_change: float = math.nan
    mass_change_mg: float = math.nan
    u_mass_change_mg: float = math.nan
    residual_mg: float = math.nan
    u_residual_mg: float = math.nan
    coverage: tuple[Estimated, ...] = ()
    ln_coverage: float = math.nan


@dataclass(frozen=True, slots=True)
class ArmMean:
    """The mean of one number over the cells of an arm with its interval; NaN ends below three cells.

    `quantity` says what it is: ``"thickness change"`` (relative), ``"mass change"`` and ``"residual mass"`` (mg),
    ``"coverage from R"`` and ``"coverage from C"`` (ratio after over before).
    """

    arm: str
    quantity: str
    unit: str
    n: int
    value: float
    low: float
    high: float
    because: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the report: its title, headings and rows of text."""

    title: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        lines = [self.heading, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.heading))]
        shown = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in shown)])
