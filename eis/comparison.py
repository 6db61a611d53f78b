"""What a porosity-filling experiment shows, as a record: cells, arms, effects, fill fractions and one sentence.

`Comparison` prints itself as a report, and turns into plain values, a table, or HTML; `eis.filling` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eis import notebook
from eis.comparison_entry import arm_entry, cause_entry, difference_entry, fill_entry, match_entry
from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.experiment import Experiment, ExperimentCell
from eis.filling_claims import claims
from eis.filling_conclusion import UNTOLD, Conclusion
from eis.filling_fraction import FillFraction
from eis.fitted import plain
from eis.matching import Match
from eis.modulus_effect import ModulusEffect
from eis.quantities import format_uncertain
from eis.results import Fit, Interface, Judgement

if TYPE_CHECKING:
    import pandas as pd

INTERFACE, GRAIN_BOUNDARY, IONIC, SERIES = "ASR_if", "R_gb", "R_ion", "R_s"
QUANTITIES = (INTERFACE, GRAIN_BOUNDARY, IONIC, SERIES)
"""What is compared; the first that the cells have is what the conclusion is about."""
CELLS, ARCS = "Cells: values ± U (k = 2)", "Arcs: which is which"
UNITS = {INTERFACE: "Ω·cm²", GRAIN_BOUNDARY: "Ω", IONIC: "Ω", SERIES: "Ω"}


@dataclass(frozen=True, slots=True)
class State:
    """One cell once: its fit, and the arcs extracted from it."""

    fit: Fit
    arcs: tuple[Interface, ...]
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class PairedCell:
    """One cell before and after; a state that is missing, or could not be read or fitted, is None."""

    cell: ExperimentCell
    before: State | None
    after: State | None
    because: str = ""


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

    @property
    def quantity(self) -> str:
        """The quantity the conclusion is about."""
        return next((name for name in QUANTITIES if name in self.arms), QUANTITIES[0])

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
        level = f"{100 * self.experiment.confidence:g} % interval"
        arms = [
            (
                quantity,
                one.name,
                str(one.n),
                _ratio(one.ratio, one.low, one.high),
                _p(one.p),
                _p(one.p_wilcoxon),
                _number(one.scatter),
                _number(one.within),
                one.because,
            )
            for quantity, found in self.arms.items()
            for one in found
        ]
        effects = [
            (
                quantity,
                one.treated,
                one.control,
                f"{one.n_treated}, {one.n_control}",
                _ratio(one.ratio, one.low, one.high),
                _p(one.p),
                one.because,
            )
            for quantity in self.arms
            for one in self.differences(quantity)
        ]
        cells = [
            (
                one.cell,
                one.arm,
                one.quantity,
                format_uncertain(one.before, one.u_before, UNITS[one.quantity]),
                format_uncertain(one.after, one.u_after, UNITS[one.quantity]),
                f"{math.exp(one.ln_ratio):#.3g}" if one.is_comparable else "n/a",
                one.because,
            )
            for one in self.changes
        ]
        arcs = [
            (
                cell,
                one.before.name if one.before else "none",
                one.after.name if one.after else "none",
                f"{one.probability:.2f}",
                one.because,
            )
            for cell, matches in self.matches.items()
            for one in matches
        ]
        verdicts = [(cell, *both) for cell, both in self.verdicts.items()]
        every = (
            Table(
                "Effects: ratio of the arms' ratios",
                ("quantity", "arm", "against", "cells", f"ratio ({level})", "p", "note"),
                tuple(effects),
            ),
            Table(
                "Arms: ratio after over before",
                ("quantity", "arm", "n", f"ratio ({level})", "p", "p ranks", "scatter", "within", "note"),
                tuple(arms),
            ),
            Table("Fill fraction", ("estimate", f"value ({level})", "note"), tuple(self._fractions())),
            Table(
                CELLS,
                ("cell", "arm", "quantity", "before", "after", "ratio", "note"),
                tuple(cells),
            ),
            Table(ARCS, ("cell", "before", "after", "probability", "because"), tuple(arcs)),
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
        parts += [str(table) for table in self.tables() if cells or table.title not in (CELLS, ARCS)]
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
        )

    def _fractions(self) -> Iterator[tuple[str, str, str]]:
        if self.fill is None:
            return
        for one in (self.fill.gravimetric, self.fill.geometric, self.fill.electrical, self.fill.densification):
            told = one.is_known and one.high - one.low < UNTOLD
            value = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if told else "n/a"
            wide = "" if told or not one.is_known else "the data do not determine it"
            yield one.name, value, one.because or one.contradiction or wide
        for said in self.fill.agreements:
            yield f"{said.structural} and electrical", said.verdict, said.because
        if self.fill.by_exponent and self.fill.electrical.is_known:
            shown = ", ".join(f"{f:.2f} ({t:g})" for t, f in self.fill.by_exponent)
            yield "electrical, by exponent", shown, "value (exponent of the effective medium)"

    def _rows(self) -> Iterator[dict[str, Any]]:
        cells = {cell.id: cell for cell in self.experiment.cells}
        arms = {arm.name: arm for arm in self.experiment.arms}
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
                **{f"process_{key}": value for key, value in (arm.process | cell.process).items()},
            }


def _ratio(value: float, low: float, high: float) -> str:
    return f"{value:#.3g} ({low:#.3g} to {high:#.3g})" if math.isfinite(low) else f"{value:#.3g} (no interval)"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "n/a"


def _p(value: float) -> str:
    return "n/a" if not math.isfinite(value) else "< 0.001" if value < 1e-3 else f"{value:.3f}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
