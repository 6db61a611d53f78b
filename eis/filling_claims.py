"""What a filling experiment shows and what it does not, claim by claim: the long form of its conclusion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from eis.carrier import Carrier
from eis.comparison_records import ArmMean
from eis.constriction import Covariation
from eis.contrasts import Difference
from eis.effects import ArmEffect
from eis.electrons import Electrons
from eis.errors import ConfigError
from eis.experiment import Experiment
from eis.filling_conclusion import WORDS, Conclusion, Finding, is_against_heated, why_not_filled
from eis.filling_fraction import FillFraction
from eis.sample_size import detectable_ratio

POWER = 0.8
"""Probability with which the weakest effect that is named would have been found."""


def claims(
    experiment: Experiment,
    conclusion: Conclusion,
    *,
    quantity: str,
    arms: Mapping[str, tuple[ArmEffect, ...]],
    effects: Mapping[str, Difference],
    equivalent: Mapping[str, bool],
    fill: FillFraction | None,
    cause: Covariation | None,
    electrons: Electrons | None = None,
    sheet_means: Sequence[ArmMean] = (),
    carrier: Carrier | None = None,
) -> Iterator[tuple[bool, str]]:
    """Yield every claim there could be: whether it is shown, and in words what is, or is not.

    Parameters
    ----------
    experiment, conclusion
        Design and conclusion.
    quantity, arms, effects, equivalent, fill, cause
        As in `eis.filling_conclusion.conclude`.
    electrons, sheet_means, carrier : optional
        As a `Comparison` has them.
    """
    for name, one in effects.items():
        yield _claim(WORDS.get(name, name), one)
    margin = f"{experiment.equivalence:.0%}"
    for name, is_same in equivalent.items():
        shown = f"the cells of {name} did not change by more than {margin}"
        yield is_same, shown if is_same else f"that the cells of {name} stayed within {margin} of what they were"
    if cause is not None:
        yield cause.cause not in ("undecided", "none"), f"interface of the treated cells: {cause.because}"
    if fill is not None and fill.densification.is_known:
        yield _denser(experiment, fill)
    yield _filled(experiment, conclusion, effects, fill)
    if not experiment.of_role("heated"):
        yield False, "what heat alone does: there is no arm that was heated without eutectic"
    yield from _left_behind(sheet_means)
    yield from _in_contact(experiment, sheet_means)
    yield _carried(carrier)
    yield _conducted(electrons, effects)
    yield from _sensitivity(quantity, arms, effects)


def _claim(name: str, one: Difference) -> tuple[bool, str]:
    if not math.isfinite(one.low):
        return False, f"a change of {name} against {one.control}: {one.ratio:#.3g} times; {one.because}"
    value = f"{one.ratio:#.3g} times ({one.low:#.3g} to {one.high:#.3g})"
    if one.high < 1 or one.low > 1:
        return True, f"{name} {'fell' if one.high < 1 else 'rose'} against {one.control}: {value}"
    return False, f"a change of {name} against {one.control}: {value}, which includes 1"


def _denser(experiment: Experiment, fill: FillFraction) -> tuple[bool, str]:
    d = fill.densification
    interval = f"by {d.value:.3f} ({d.low:.3f} to {d.high:.3f})"
    is_shown = d.low > 0 and not fill.inconsistencies
    what = "the porosity fell" if experiment.mode == "infiltrated" else "densification: the porosity fell"
    return is_shown, f"{what} {interval}" if is_shown else f"that {what} {interval}"


def _filled(
    experiment: Experiment, conclusion: Conclusion, effects: Mapping[str, Difference], fill: FillFraction | None
) -> tuple[bool, str]:
    if conclusion.finding is Finding.FILLED:
        return True, "the pores are filled: structure and conductivity agree, and the heated control stays behind"
    if experiment.mode == "in_formulation":
        return False, (
            "that pores are filled: the filler was in the electrode from the start, and melting moves it from its "
            "own grain sites into other voids; at constant thickness the porosity stays, and it takes porosimetry "
            "or tomography to see which voids are left"
        )
    why = why_not_filled(effects, fill, has_heated=is_against_heated(experiment, effects))
    return False, f"that pores are filled{f': {why}' if why else ''}"


def _left_behind(means: Sequence[ArmMean]) -> Iterator[tuple[bool, str]]:
    """Yield what was driven out of the sheets of each arm after the last spectrum."""
    for one in means:
        if one.quantity != "residual mass":
            continue
        if not math.isfinite(one.low):
            yield False, f"that something volatile was left behind in {one.arm}: {one.value:.3g} mg; {one.because}"
            continue
        size = f"{one.value:.3g} mg ({one.low:.3g} to {one.high:.3g}) came out in drying"
        if one.low > 0:
            yield True, f"solvent, or something else volatile, was left behind in {one.arm}: {size}"
        else:
            yield False, f"that something volatile was left behind in {one.arm}: {size}"


def _in_contact(experiment: Experiment, means: Sequence[ArmMean]) -> Iterator[tuple[bool, str]]:
    """Yield how the part of the treated interfaces in contact changed, where filling cannot be looked at."""
    if experiment.mode != "in_formulation":
        return
    treated = experiment.of_role("treated")[0].name
    for one in means:
        if one.arm != treated or not one.quantity.startswith("coverage") or not math.isfinite(one.low):
            continue
        of = "resistance" if one.quantity.endswith("R") else "capacitance"
        size = f"{one.value:.2f} times ({one.low:.2f} to {one.high:.2f}), from the {of}"
        if one.low > 1 or one.high < 1:
            side = "more" if one.low > 1 else "less"
            yield True, f"{side} of the treated interfaces is in contact than before: {size}"
        else:
            yield False, f"a change of the part of the treated interfaces in contact: {size}"


def _carried(carrier: Carrier | None) -> tuple[bool, str]:
    if carrier is None:
        return False, "whether the filler carries the current: its activation energy would tell, before and after"
    if carrier.is_decided or carrier.verdict == "neither":
        return True, carrier.because
    return False, f"whether the filler carries the current: {carrier.because}"


def _conducted(electrons: Electrons | None, effects: Mapping[str, Difference]) -> tuple[bool, str]:
    """Say whether cells are short or conduct electrons better, and what is not known of that."""
    if electrons is not None and electrons.flagged:
        cells = ", ".join(cell for cell, _, _ in electrons.flagged)
        n = electrons.n_treated_flagged
        return True, (
            f"electrons take part in {cells}, which {'is' if len(electrons.flagged) == 1 else 'are'} not counted "
            f"({n} of {electrons.n_treated} treated cells)"
        )
    known = electrons.n_treated_checked if electrons is not None else 0
    every = electrons.n_treated if electrons is not None else 0
    if known and known == every:
        rails = "" if "R_el" in effects else "; what became of the electronic resistance is not known"
        return True, f"no treated cell is short, by direct current{rails}"
    if known:
        return False, f"that no treated cell is short: direct current was looked at in {known} of {every}"
    return False, "that electrons still get through and no cell is short: that takes direct current"


def _sensitivity(
    quantity: str, arms: Mapping[str, tuple[ArmEffect, ...]], effects: Mapping[str, Difference]
) -> Iterator[tuple[bool, str]]:
    """Yield what drop these cells would have shown, where no effect is."""
    effect = effects.get(quantity)
    if effect is None or not effect.low <= 1 <= effect.high:
        return
    own = {one.name: one for one in arms[quantity]}
    scatter = math.hypot(*(own[name].scatter for name in (effect.treated, effect.control))) / math.sqrt(2)
    n = min(effect.n_treated, effect.n_control)
    try:
        drop = 1 - detectable_ratio(n, scatter, power=POWER, groups=True)
    except ConfigError:
        return  # cells that do not scatter have no such number
    yield (
        False,
        f"a small change of {WORDS.get(quantity, quantity)}: {n} cells in each arm that scatter by {scatter:.0%} "
        f"find a drop of {drop:.0%} with probability {POWER:g}",
    )
