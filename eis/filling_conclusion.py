"""The one sentence an experiment ends in: what is shown, and what is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.experiment import Experiment
from eis.filling_fraction import FillFraction

WORDS = {
    "ASR_if": "the interface resistance",
    "R_gb": "the grain-boundary resistance",
    "R_ion": "the ionic resistance",
    "R_ct": "the charge-transfer resistance",
    "R_s": "the series resistance",
    "R_el": "the electronic resistance",
}


ELECTRONS = "electrons take part in half of the treated cells, or more"

UNTOLD = 2.0
"""Width of an interval from which a fraction is not worth a number."""

EXPLAINED = 0.5
"""Part of the treated cells' change (ln) that a control must show before it is said to have changed as much."""


class Finding(StrEnum):
    """What an experiment shows."""

    FILLED = "filled"
    IMPROVED = "improved"
    NOT_THE_FILLER = "not the filler"
    FILLED_WITHOUT_GAIN = "filled without gain"
    NO_EFFECT = "no effect"
    WORSE = "worse"
    NOT_SHOWN = "not shown"
    DESCRIPTIVE = "descriptive only"

    @property
    def is_decided(self) -> bool:
        """Whether the question has an answer."""
        return self not in (Finding.NOT_SHOWN, Finding.DESCRIPTIVE)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The finding, and the sentence that states what is and what is not shown."""

    finding: Finding
    sentence: str

    @property
    def exit_code(self) -> int:
        """0 if the question has an answer, 3 if the experiment cannot tell."""
        return 0 if self.finding.is_decided else 3


def conclude(
    experiment: Experiment,
    *,
    quantity: str,
    arms: Mapping[str, tuple[ArmEffect, ...]],
    effects: Mapping[str, Difference],
    equivalent: Mapping[str, bool],
    fill: FillFraction | None,
    cause: Covariation | None,
    are_most_short: bool = False,
) -> Conclusion:
    """Conclude.

    Parameters
    ----------
    experiment : Experiment
        Its mode decides whether filling can be shown at all.
    quantity : str
        What the conclusion is about.
    arms, effects : mapping
        By quantity: what happened in each arm, and the treated arm against the control.
    equivalent : mapping
        By control: whether it is shown not to have changed.
    fill, cause : optional
        Fill fraction and contact area against kinetics.
    are_most_short : bool
        Whether electrons take part in half of the treated cells, or more: pores are then never called filled.
    """
    treated = experiment.of_role("treated")[0].name
    own = next(one for one in arms[quantity] if one.name == treated)
    name = WORDS.get(quantity, quantity)
    effect = effects.get(quantity)
    if effect is None:
        change = f"{name} of the treated cells is {_ratio(own.ratio, own.low, own.high)} of what it was"
        return Conclusion(
            Finding.DESCRIPTIVE if own.is_descriptive else Finding.NOT_SHOWN,
            f"{change}, but there is no control, so that heat, pressure and time cannot be told from the filler.",
        )
    against = f"against the control {effect.control!r}"
    size = f"{name} is {_ratio(effect.ratio, effect.low, effect.high)} {against}"
    if not math.isfinite(effect.low):
        return Conclusion(Finding.DESCRIPTIVE, f"{size}; {effect.because}: nothing is shown.")
    heated = is_against_heated(experiment, effects)
    ions = ELECTRONS if are_most_short else ""
    if effect.low > 1:
        return Conclusion(Finding.WORSE, f"The treatment made it worse: {size}.")
    if effect.high < 1:
        return _improved(experiment, size, effects, fill, cause, has_heated=heated, ions=ions)
    return _not_better(
        experiment,
        size,
        name,
        own,
        arms[quantity],
        effect,
        equivalent,
        fill,
        effects,
        has_heated=heated,
        ions=ions,
    )


def is_against_heated(experiment: Experiment, effects: Mapping[str, Difference]) -> bool:
    """Whether the treated cells are held against cells that were heated without eutectic, in every quantity."""
    heated = {arm.name for arm in experiment.of_role("heated")}
    return bool(effects) and all(one.control in heated for one in effects.values())


def _improved(
    experiment: Experiment,
    size: str,
    effects: Mapping[str, Difference],
    fill: FillFraction | None,
    cause: Covariation | None,
    *,
    has_heated: bool,
    ions: str,
) -> Conclusion:
    """Say why the treated cells are better than the control, and whether pores are filled."""
    how = ""
    if cause is not None and cause.cause in ("area", "kinetics"):
        how = {
            "area": ", by more contact area (R and C changed against each other)",
            "kinetics": ", by kinetics or conductivity (C stayed)",
        }[cause.cause]
    if experiment.mode == "in_formulation":
        said = "the filler was in the electrode from the start, so that filled pores are not what this can show"
        if fill is not None and fill.densification.is_known:
            d = fill.densification
            dense = "it densified" if d.low > 0 and not fill.inconsistencies else "densification is not shown"
            said += f"; {dense} (porosity {-d.value:+.3f}, {-d.high:+.3f} to {-d.low:+.3f})"
        if fill is not None and fill.inconsistencies:
            said += f"; mass and thickness are not to be believed ({'; '.join(fill.inconsistencies)})"
        return Conclusion(Finding.IMPROVED, f"The treatment helped: {size}{how}; {said}.")
    why_not = ions or why_not_filled(effects, fill, has_heated=has_heated)
    if why_not or fill is None:
        return Conclusion(
            Finding.IMPROVED, f"The treatment helped: {size}{how}; that pores are filled is not shown: {why_not}."
        )
    return Conclusion(
        Finding.FILLED,
        f"The pores are filled and the treatment helped: {size}{how}; {_fractions(fill)}, and they agree.",
    )


def why_not_filled(effects: Mapping[str, Difference], fill: FillFraction | None, *, has_heated: bool) -> str:
    """Return what is missing before pores may be called filled; empty if nothing is."""
    if fill is None:
        return "no fill fraction could be estimated"
    if not has_heated:
        return "there is no control that was heated without eutectic"
    if fill.inconsistencies:
        return "the inputs contradict each other (" + "; ".join(fill.inconsistencies) + ")"
    gained = fill.gravimetric
    if gained.is_known and not gained.low > 0:
        return (
            f"the electrodes gained no mass that counts ({_fractions(fill)}): what geometry shows is densification"
        )
    ionic = effects.get("R_ion")
    if ionic is None or not ionic.high < 1:
        return "the ionic resistance did not fall more than in the heated control"
    if not fill.supports_filling:
        agreements = "; ".join(one.because for one in fill.agreements)
        said = f"{_fractions(fill)}; {agreements}" if agreements else _fractions(fill)
        return f"structure and conductivity do not both say so ({said})"
    return ""


def _not_better(
    experiment: Experiment,
    size: str,
    name: str,
    own: ArmEffect,
    arms: tuple[ArmEffect, ...],
    effect: Difference,
    equivalent: Mapping[str, bool],
    fill: FillFraction | None,
    effects: Mapping[str, Difference],
    *,
    has_heated: bool,
    ions: str,
) -> Conclusion:
    """Say what is known where the treated cells do not differ from the control."""
    control = next(one for one in arms if one.name == effect.control)
    explained = math.log(control.ratio) <= EXPLAINED * math.log(own.ratio)
    if own.high < 1 and control.high < 1 and explained:
        return Conclusion(
            Finding.NOT_THE_FILLER,
            f"It was not the filler: {name} fell in the treated cells ({_ratio(own.ratio, own.low, own.high)}), "
            f"but as much in the control {effect.control!r} "
            f"({_ratio(control.ratio, control.low, control.high)}); {size}.",
        )
    margin = experiment.equivalence
    within = effect.low > 1 / (1 + margin) and effect.high < 1 + margin
    # Geometry alone is no filler: heat and pressure close pores too.
    gained = fill.gravimetric if fill is not None else None
    is_in = gained is not None and gained.is_known and gained.low > 0 and not gained.contradiction
    ionic = effects.get("R_ion")
    why_not = ions or why_not_filled(effects, fill, has_heated=has_heated)
    if fill is not None and ionic is not None and not why_not:
        return Conclusion(
            Finding.FILLED,
            f"The pores are filled and ions move more easily: the ionic resistance is "
            f"{_ratio(ionic.ratio, ionic.low, ionic.high)} against the control {ionic.control!r}; "
            f"{_fractions(fill)}, and they agree; that it helped the interface is not shown: {size}.",
        )
    if is_in and fill is not None and not ions:
        return Conclusion(
            Finding.FILLED_WITHOUT_GAIN,
            f"Filler is in the pores ({_fractions(fill)}), but a gain is not shown: {size}"
            f"{'; a change beyond ' + f'{margin:.0%} is excluded' if within else ''}.",
        )
    if within:
        return Conclusion(
            Finding.NO_EFFECT, f"The treatment had no effect: {size}, which excludes a change beyond {margin:.0%}."
        )
    quiet = " (the control is shown not to have changed)" if equivalent.get(effect.control) else ""
    return Conclusion(
        Finding.NOT_SHOWN, f"An effect is not shown, and none of that size is excluded: {size}{quiet}."
    )


def _ratio(value: float, low: float, high: float) -> str:
    interval = f" ({low:.3g} to {high:.3g})" if math.isfinite(low) else ""
    return f"{value:.3g} times{interval}"


def _fractions(fill: FillFraction) -> str:
    shown = [
        f"{one.name} {one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
        if one.high - one.low < UNTOLD
        else f"{one.name} not determined"
        for one in (fill.gravimetric, fill.geometric, fill.electrical)
        if one.is_known
    ]
    return "fill fraction: " + (", ".join(shown) or "n/a")
