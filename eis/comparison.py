"""What a porosity-filling experiment shows, as a record: cells, arms, effects, fill fractions and one sentence.

`Comparison` prints itself as a report, and turns into plain values, a table, or HTML; `eis.filling` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eis import notebook
from eis.activation import EnergyChange
from eis.carrier import Carrier
from eis.comparison_entry import (
    activation_entry,
    arm_entry,
    cause_entry,
    difference_entry,
    electrons_entry,
    fill_entry,
    match_entry,
    mean_entry,
    sheet_columns,
    sheet_entry,
)
from eis.comparison_records import (
    CONCLUDED,
    GRAIN_BOUNDARY,
    INTERFACE,
    IONIC,
    QUANTITIES,
    SERIES,
    UNITS,
    ArmMean,
    CellSheet,
    Change,
    PairedCell,
    State,
    Table,
)
from eis.comparison_tables import (
    BY_CELL,
    arc_table,
    arm_table,
    cell_fraction_table,
    cell_table,
    effect_table,
    energy_tables,
    fraction_table,
    sheet_tables,
)
from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.electrons import Electrons
from eis.experiment import Experiment
from eis.filling_claims import claims
from eis.filling_conclusion import Conclusion
from eis.filling_fraction import FillFraction
from eis.fitted import plain
from eis.matching import Match
from eis.modulus_effect import ModulusEffect

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GRAIN_BOUNDARY",
    "INTERFACE",
    "IONIC",
    "QUANTITIES",
    "SERIES",
    "UNITS",
    "Change",
    "Comparison",
    "PairedCell",
    "State",
    "Table",
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an experiment shows.

    Parameters
    ----------
    experiment : Experiment
        As its file says.
    changes : tuple of Change
        Every quantity of every cell.
    matches : mapping of str to tuple of Match
        By cell: which arc before is which arc after.
    arms : mapping of str to tuple of ArmEffect
        By quantity: what happened in each arm.
    effects : mapping of str to Difference
        By quantity: treated against the most telling control; p-values are adjusted for the number of quantities.
    others : mapping of str to tuple of Difference
        By quantity: every other arm against that control.
    equivalent : mapping of str to bool
        By control arm: whether it is shown not to have changed (the quantity of the conclusion).
    fill : FillFraction, optional
        Of the treated arm.
    cause : Covariation, optional
        Contact area against kinetics, of the treated arm's interface.
    verdicts : mapping of str to (before, after)
        By cell: the checker's verdict, if the experiment names a spec.
    conclusion : Conclusion
        One sentence that states what is and what is not shown.
    notes : tuple of str
        What was left out and what to beware of.
    capacitances : mapping of str to (float, float)
        By cell: ln of the ratio of the interface's capacitances after over before, and its standard uncertainty.
    modulus : ModulusEffect, optional
        The treated arm against the control at every frequency, without a circuit.
    electrons : Electrons, optional
        Cells in which electrons take part, which are not counted.
    sheets : tuple of CellSheet
        Each cell's own fill fractions, mass, thickness and contact.
    sheet_means : tuple of ArmMean
        Their means over each arm.
    energies : mapping of str to EnergyChange
        By quantity: activation energies before and after.
    carrier : Carrier, optional
        Whether the filler carries the current; None if no cell has spectra at other temperatures.
    """

    experiment: Experiment
    changes: tuple[Change, ...]
    matches: Mapping[str, tuple[Match, ...]]
    arms: Mapping[str, tuple[ArmEffect, ...]]
    effects: Mapping[str, Difference]
    others: Mapping[str, tuple[Difference, ...]]
    equivalent: Mapping[str, bool]
    fill: FillFraction | None
    cause: Covariation | None
    verdicts: Mapping[str, tuple[str, str]]
    conclusion: Conclusion
    notes: tuple[str, ...] = field(default=())
    capacitances: Mapping[str, tuple[float, float]] = field(default_factory=lambda: {})
    modulus: ModulusEffect | None = None
    electrons: Electrons | None = None
    sheets: tuple[CellSheet, ...] = ()
    sheet_means: tuple[ArmMean, ...] = ()
    energies: Mapping[str, EnergyChange] = field(default_factory=lambda: {})
    carrier: Carrier | None = None

    @property
    def quantity(self) -> str:
        """The quantity the conclusion is about."""
        return next((name for name in CONCLUDED if name in self.arms), CONCLUDED[0])

    @property
    def treated(self) -> str:
        """Name of the treated arm."""
        return self.experiment.of_role("treated")[0].name

    @property
    def headline(self) -> str:
        """The finding and the sentence of the conclusion."""
        return f"{str(self.conclusion.finding).upper()}: {self.conclusion.sentence}"

    @property
    def shown(self) -> tuple[str, ...]:
        """What the experiment shows, a sentence each."""
        return tuple(said for is_shown, said in self._claims() if is_shown)

    @property
    def not_shown(self) -> tuple[str, ...]:
        """What it does not show, or does not look at, a sentence each."""
        return tuple(said for is_shown, said in self._claims() if not is_shown)

    def tables(self) -> tuple[Table, ...]:
        """Return the tables of the report: effects, arms, fill fractions, cells, arcs, verdicts; none is empty."""
        level = self.experiment.confidence
        verdicts = [(cell, *both) for cell, both in self.verdicts.items()]
        sheet_arms, sheet_cells = sheet_tables(self.sheets, self.sheet_means, level)
        energy_arms, energy_cells = energy_tables(self.energies, level)
        every = (
            effect_table({quantity: self.differences(quantity) for quantity in self.arms}, level),
            arm_table(self.arms, level),
            fraction_table(self.fill, level),
            sheet_arms,
            energy_arms,
            cell_table(self.changes),
            arc_table(self.matches),
            cell_fraction_table(self.sheets),
            sheet_cells,
            energy_cells,
            Table("Against the limit", ("cell", "before", "after"), tuple(verdicts)),
        )
        return tuple(table for table in every if table.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``eis.compare/1``; what is not known is null."""
        roles = {arm.name: arm.role for arm in self.experiment.arms}
        arms = {
            quantity: [arm_entry(one, roles[one.name]) for one in found] for quantity, found in self.arms.items()
        }
        effects = {quantity: difference_entry(one) for quantity, one in self.effects.items()}
        own = effects.get(self.quantity)
        return {
            "title": self.experiment.title,
            "mode": self.experiment.mode,
            "verdict": str(self.conclusion.finding),
            "because": self.conclusion.sentence,
            "exit_code": self.conclusion.exit_code,
            "shown": list(self.shown),
            "not_shown": list(self.not_shown),
            "quantity": self.quantity,
            "arms": arms.get(self.quantity, []),
            "effect": own and {"quantity": self.quantity, **own},
            "fill": fill_entry(self.fill),
            "cause": cause_entry(self.cause),
            "equivalent": dict(self.equivalent),
            "quantities": {
                quantity: {
                    "unit": UNITS[quantity],
                    "arms": arms[quantity],
                    "effect": effects.get(quantity),
                    "others": [difference_entry(one) for one in self.others.get(quantity, ())],
                }
                for quantity in self.arms
            },
            "changes": [plain(row) for row in self._rows()],
            "matches": {cell: [match_entry(one) for one in found] for cell, found in self.matches.items()},
            "verdicts": {cell: {"before": one, "after": two} for cell, (one, two) in self.verdicts.items()},
            "modulus": self.modulus.to_dict() if self.modulus is not None else None,
            "electrons": electrons_entry(self.electrons),
            "sheets": [sheet_entry(one) for one in self.sheets],
            "sheet_means": [mean_entry(one) for one in self.sheet_means],
            "activation": activation_entry(self.energies, self.carrier),
            "notes": list(self.notes),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each quantity of each cell, with its geometry and what else the file says of it.

        Values the file gives as ``process`` have columns ``process_…``; a cell's own go before its arm's.
        """
        import pandas as pd

        return pd.DataFrame(list(self._rows()))

    def text(self, *, cells: bool = True) -> str:
        """Return the report as text: the conclusion first, then what is shown and what is not, then the tables.

        Parameters
        ----------
        cells : bool
            Whether to print the tables of cells and arcs too.
        """
        title = f"{_one_line(self.experiment.title)}\n\n" if self.experiment.title.strip() else ""
        parts = [f"{title}{self.headline}"]
        for name, said in (("Shown", self.shown), ("Not shown", self.not_shown), ("Notes", self.notes)):
            if said:
                parts.append("\n".join([name, *(f"  - {_one_line(one)}" for one in said)]))
        parts += [str(table) for table in self.tables() if cells or table.title not in BY_CELL]
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in "\n\n".join(parts))

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        tables = "".join(
            f"<p><b>{notebook.escape(table.title)}</b></p>{notebook.table(table.heading, table.rows)}"
            for table in self.tables()[:3]
        )
        notes = "".join(f"<li>{notebook.escape(one)}</li>" for one in self.notes)
        return f"<p>{notebook.escape(self.headline)}</p>{tables}<ul>{notes}</ul>"

    def differences(self, quantity: str) -> tuple[Difference, ...]:
        """Return how the treated arm, then every other one, differs from the control."""
        own = (self.effects[quantity],) if quantity in self.effects else ()
        return (*own, *self.others.get(quantity, ()))

    def _claims(self) -> Iterator[tuple[bool, str]]:
        return claims(
            self.experiment,
            self.conclusion,
            quantity=self.quantity,
            arms=self.arms,
            effects=self.effects,
            equivalent=self.equivalent,
            fill=self.fill,
            cause=self.cause,
            electrons=self.electrons,
            sheet_means=self.sheet_means,
            carrier=self.carrier,
        )

    def _rows(self) -> Iterator[dict[str, Any]]:
        cells = {cell.id: cell for cell in self.experiment.cells}
        arms = {arm.name: arm for arm in self.experiment.arms}
        sheets = {one.cell: one for one in self.sheets}
        laws = {(one.cell, one.quantity): one for found in self.energies.values() for one in found.cells}
        for one in self.changes:
            cell, arm = cells[one.cell], arms[one.arm]
            yield {
                "cell": one.cell,
                "arm": one.arm,
                "role": arm.role,
                "quantity": one.quantity,
                "unit": UNITS[one.quantity],
                "before": one.before,
                "u_before": one.u_before,
                "after": one.after,
                "u_after": one.u_after,
                "ratio": math.exp(one.ln_ratio),
                "ln_ratio": one.ln_ratio,
                "u_ln_ratio": one.u_ln_ratio,
                "because": one.because,
                "area_cm2": cell.area_cm2,
                **cell.geometry.model_dump(),
                **cell.history.model_dump(),
                **cell.direct_current.model_dump(),
                **sheet_columns(sheets.get(one.cell), laws.get((one.cell, one.quantity))),
                **{f"process_{key}": value for key, value in (arm.process | cell.process).items()},
            }


def _one_line(text: str) -> str:
    return " ".join(text.split())
