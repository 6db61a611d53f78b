"""Which arc is which: by what they are, not by their order."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eis.interface import Interface
from eis.matching import SURE, match_arcs


def arc(name: str, r: float, c: float) -> Interface:
    return Interface(
        name=name,
        arc_resistance_ohm=r,
        u_arc_resistance_ohm=0.01 * r,
        interfaces_in_path=2,
        area_cm2=1.0,
        u_area_cm2=0.0,
        capacitance_f=c,
        capacitance_formula="C",
        frequency_hz=1 / (2 * math.pi * r * c) if c > 0 else math.nan,
        process="ambiguous",
        confidence=0.0,
        evidence=(),
        resolved=True,
        because=(),
    )


GRAIN, CONTACT = arc("R1", 10.0, 1e-8), arc("R2", 20.0, 5e-6)


def names(before: list[Interface], after: list[Interface]) -> dict[str | None, str | None]:
    return {
        match.before and match.before.name: match.after and match.after.name for match in match_arcs(before, after)
    }


def test_an_arc_whose_resistance_is_not_determined_is_said_and_compared_with_nothing() -> None:
    lost = arc("R2", math.nan, math.nan)
    matches = match_arcs([GRAIN, CONTACT], [GRAIN, lost])
    assert names([GRAIN, CONTACT], [GRAIN, lost]) == {"R1": "R1", "R2": None, None: "R2"}
    assert "R2 is not determined after: it is not compared" in [match.because for match in matches]
    assert not any(match.is_sure for match in matches[1:])


def test_an_arc_that_is_gone_or_swallowed_is_said_and_not_differenced() -> None:
    (grain, contact) = match_arcs([GRAIN, CONTACT], [arc("R1", 30.0, 1.1e-8)])
    assert grain.is_sure
    assert contact.after is None
    assert "R2 has no counterpart after: it is gone, or swallowed by R1" in contact.because


def test_an_arc_that_was_split_off_is_said() -> None:
    matches = match_arcs([GRAIN], [GRAIN, CONTACT])
    assert "R2 has no counterpart before: it is new, or was split off" in matches[-1].because


def test_two_arcs_that_cannot_be_told_apart_are_not_sure() -> None:
    twins = [arc("R1", 10.0, 1e-6), arc("R2", 11.0, 1.2e-6)]
    assert all(match.probability < SURE for match in match_arcs(twins, twins[::-1]))


def test_arcs_that_change_places_on_the_frequency_axis_keep_what_they_are() -> None:
    after = [arc("R1", 0.03, 5e-6), arc("R2", 30.0, 1e-8)]  # the contact is now the faster one
    assert CONTACT.frequency_hz < GRAIN.frequency_hz
    assert after[0].frequency_hz > after[1].frequency_hz
    assert names([GRAIN, CONTACT], after) == {"R1": "R2", "R2": "R1"}


@pytest.mark.parametrize("factor", [0.3, 0.5, 2.0, 3.0])
def test_more_contact_area_and_faster_kinetics_are_both_the_same_arc(factor: float) -> None:
    by_area = [GRAIN, arc("R2", 20.0 * factor, 5e-6 / factor)]
    by_kinetics = [GRAIN, arc("R2", 20.0 * factor, 5e-6)]
    for after in (by_area, by_kinetics):
        assert [match.is_sure for match in match_arcs([GRAIN, CONTACT], after)] == [True, True]


SIZES = st.floats(-1, 3).map(lambda x: 10**x)
CAPACITANCES = st.floats(-10, -2).map(lambda x: 10**x)
ARCS = st.lists(st.tuples(SIZES, CAPACITANCES), max_size=4).map(
    lambda pairs: [arc(f"R{i}", *pair) for i, pair in enumerate(pairs)]
)


@given(ARCS, ARCS)
def test_every_arc_stands_once_and_nothing_depends_on_the_order_after(
    before: list[Interface], after: list[Interface]
) -> None:
    matches = match_arcs(before, after)
    assert [match.before for match in matches if match.before] == before
    assert sorted(match.after.name for match in matches if match.after) == [one.name for one in after]
    assert all(0 <= match.probability <= 1 + 1e-12 for match in matches)
    again = match_arcs(before, after[::-1])
    sure = {(m.before.name, m.after.name) for m in matches if m.is_sure and m.before and m.after}
    assert sure == {(m.before.name, m.after.name) for m in again if m.is_sure and m.before and m.after}


@given(ARCS)
def test_a_spectrum_measured_again_is_matched_with_itself_where_its_arcs_differ(arcs: list[Interface]) -> None:
    pairs = itertools.combinations(arcs, 2)
    assume(all(abs(math.log10(a.capacitance_f / b.capacitance_f)) > 1.2 for a, b in pairs))
    assert all(match.before is match.after for match in match_arcs(arcs, arcs))
