"""Which process an arc is: by frequency and capacitance, with its neighbours, and never against the user."""

import itertools
import math

import numpy as np
import pytest

from eis.assignment import (
    AMBIGUOUS,
    INTERFACE,
    NEGATIVE,
    NONE,
    POSITIVE,
    TWICE,
    WRONG_ORDER,
    assign_arcs,
    matches,
    may_be,
    own_weights,
    possible,
)
from eis.capacitance import ArcShape, Capacitance
from eis.errors import ConfigError
from eis.extraction import extract
from eis.spectrum import Cell, Spectrum
from fitting import fit
from tests.truth import noisy

LITHIUM = Cell(1.0, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05)
FULL = Cell(1.0, kind="full", thickness_cm=0.05)
BLOCKED = Cell(1.0, kind="blocking", thickness_cm=0.05)


def arc(name, f_hz, c_f):
    tau = 1 / (2 * math.pi * f_hz)
    return ArcShape(name, tau / c_f, 0.01 * tau / c_f, tau, 0.01, 0.01, (Capacitance("C", c_f, 0.01 * c_f, ""),))


def processes(arcs, cell, **more):
    return [one.process for one in assign_arcs(arcs, cell, **more)]


def test_a_word_for_an_arc_or_a_process_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="no arc 'R9'"):
        assign_arcs([arc("R1", 1e3, 1e-5)], LITHIUM, assign={"R9": INTERFACE})
    with pytest.raises(ConfigError, match="Choose bulk"):
        assign_arcs([arc("R1", 1e3, 1e-5)], LITHIUM, assign={"R1": "charge transfer"})


def test_an_arc_without_capacitance_is_ambiguous_unless_the_user_knows():
    nothing = ArcShape("R1", 1.0, 5.0)
    assert processes([nothing], LITHIUM) == [AMBIGUOUS]
    assert processes([nothing], LITHIUM, assign={"R1": INTERFACE}) == [INTERFACE]


def test_an_arc_that_lies_where_nothing_does_is_ambiguous():
    (found,) = assign_arcs([arc("R1", 1e8, 1e-2)], LITHIUM)
    assert found.process == AMBIGUOUS
    assert found.probabilities[0][0] == NONE


def test_the_capacitance_of_a_thin_separator_is_not_read_raw():
    # 30 µm and 1 cm² hold 0.295 nF, which reads as a grain boundary's unless it is taken per l/A
    thin = Cell(1.0, kind="symmetric", interfaces_in_path=2, thickness_cm=0.003)
    (found,) = assign_arcs([arc("R1", 2e7, 0.295e-9)], thin)
    assert found.process == "bulk"
    assert "885 fF/cm" in found.evidence[0]


def test_capacitance_at_an_electrode_is_taken_per_area_and_interface():
    large = Cell(100.0, kind="symmetric", interfaces_in_path=2, thickness_cm=0.005)
    (found,) = assign_arcs([arc("R1", 1e3, 5e-4)], large)
    assert found.process == INTERFACE
    assert "10 µF/cm²" in found.evidence[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (LITHIUM, ["bulk", "grain boundary", INTERFACE]),
        (Cell(1.0, kind="half", electrode="positive", interfaces_in_path=1), ["bulk", "grain boundary", POSITIVE]),
        (FULL, ["bulk", "grain boundary", AMBIGUOUS]),
        (BLOCKED, ["bulk", "grain boundary", "blocking electrode"]),
    ],
)
def test_the_kind_of_cell_says_which_processes_there_are(cell, expected):
    arcs = [arc("R1", 5e7, 2e-11), arc("R2", 3e5, 2e-8), arc("R3", 300, 1e-5)]
    assert processes(arcs, cell) == expected


def test_between_blocking_electrodes_no_charge_is_transferred():
    assert not [name for name in possible(BLOCKED) if matches(name, INTERFACE)]


def test_a_full_cell_does_not_tell_its_electrodes_apart_and_says_what_would():
    found = assign_arcs([arc("R1", 3e3, 5e-6), arc("R2", 50, 5e-5)], FULL)
    for one in found:
        assert one.process == AMBIGUOUS
        chances = dict(one.probabilities)
        assert chances[NEGATIVE] == pytest.approx(chances[POSITIVE])
        assert any("symmetric cell" in line for line in one.evidence)
        assert may_be(one.probabilities, NEGATIVE)


def test_the_user_s_word_wins_and_settles_the_other_arc_too():
    arcs = [arc("R1", 3e3, 5e-6), arc("R2", 50, 5e-5)]
    found = assign_arcs(arcs, FULL, assign={"R1": NEGATIVE})
    assert found[0].process == NEGATIVE
    assert found[0].confidence == 1.0
    assert found[0].evidence[0] == "assigned by the user"
    assert found[1].process == POSITIVE  # each electrode has one, most likely
    assert processes([arc("R1", 1e7, 1e-11)], LITHIUM, assign={"R1": INTERFACE}) == [INTERFACE]


def test_another_arc_is_not_given_a_process_only_because_the_user_named_it():
    found = assign_arcs([arc("R1", 3e3, 5e-6), arc("R2", 50, 5e-5)], FULL, assign={"R1": INTERFACE})
    assert INTERFACE not in dict(found[1].probabilities)


def test_the_order_of_time_constants_counts():
    alone = dict(assign_arcs([arc("R1", 3e6, 2e-10)], BLOCKED)[0].probabilities)
    behind = dict(assign_arcs([arc("R0", 3e7, 4e-10), arc("R1", 3e6, 2e-10)], BLOCKED)[1].probabilities)
    assert alone["bulk"] > 10 * behind.get("bulk", 0.0)  # a boundary, surely, is faster: no bulk after it


def test_the_probabilities_are_those_of_every_way_to_assign_the_arcs():
    arcs = [arc("R1", 1e6, 1e-9), arc("R2", 2e4, 1e-7), arc("R3", 300, 2e-6)]
    labels = possible(LITHIUM)
    ranks = {"bulk": 1, "grain boundary": 2, "surface layer": 3, INTERFACE: 3, "diffusion": 4}
    single = [dict(zip(labels, own_weights(a, LITHIUM, labels), strict=True)) for a in arcs]
    total = dict.fromkeys(labels, 0.0)
    for way in itertools.product(labels, repeat=3):
        weight = math.prod(s[label] for s, label in zip(single, way, strict=True))
        for first, second in itertools.combinations(way, 2):
            same = first == second != NONE
            wrong = ranks.get(first, 0) > ranks.get(second, 9) or (first, second) == ("diffusion", "contact")
            weight *= (TWICE if same else 1) * (WRONG_ORDER if wrong else 1)
        total[way[1]] += weight
    found = dict(assign_arcs(arcs, LITHIUM)[1].probabilities)
    for label, weight in total.items():
        assert found.get(label, 0.0) == pytest.approx(weight / sum(total.values()), abs=6e-4)


def test_in_the_cold_everything_is_slower_and_no_less_itself():
    # 0.2 MHz is slow for a bulk at 25 °C; at -60 °C one of 0.35 eV is 230 times as slow as it is there
    cold = Cell(1.0, kind="blocking", thickness_cm=0.05, temperature_c=-60.0)
    slow = arc("R1", 2e5, 2e-11)
    warm = dict(assign_arcs([slow], BLOCKED)[0].probabilities)
    assert dict(assign_arcs([slow], cold)[0].probabilities)["bulk"] >= warm["bulk"]
    index = possible(BLOCKED).index("bulk")
    assert (
        own_weights(slow, cold, possible(cold))[index] > 2 * own_weights(slow, BLOCKED, possible(BLOCKED))[index]
    )


def test_a_thickness_nobody_stated_widens_what_an_arc_may_be():
    stated = dict(assign_arcs([arc("R1", 2e6, 2e-9)], BLOCKED)[0].probabilities)
    unstated = assign_arcs([arc("R1", 2e6, 2e-9)], Cell(1.0, kind="blocking"))[0]
    assert dict(unstated.probabilities)["grain boundary"] < stated["grain boundary"] + 1e-9
    assert any("thickness not stated" in line for line in unstated.evidence)


def test_a_stack_of_cells_is_assigned_as_one_of_them():
    one = assign_arcs([arc("R1", 1e3, 1e-5)], LITHIUM)
    stack = Cell(1.0, interfaces_in_path=2, kind="symmetric", thickness_cm=0.05, cells_in_parallel=10)
    ten = assign_arcs([arc("R1", 1e3, 1e-4)], stack)
    assert dict(ten[0].probabilities) == pytest.approx(dict(one[0].probabilities))


def test_more_arcs_than_can_be_assigned_together_are_assigned_one_by_one():
    arcs = [arc(f"R{i}", 10.0 ** (6 - i), 10.0 ** (i - 9)) for i in range(8)]
    found = assign_arcs(arcs, LITHIUM)
    assert all(0 < one.confidence <= 1 for one in found)
    assert all(any("more than 6 arcs" in line for line in one.evidence) for one in found)


@pytest.mark.parametrize(
    ("process", "wanted", "is_one"),
    [
        (INTERFACE, INTERFACE, True),
        (NEGATIVE, INTERFACE, True),
        (POSITIVE, INTERFACE, True),
        (NEGATIVE, NEGATIVE, True),
        (INTERFACE, NEGATIVE, True),  # of a cell that does not say which electrode it holds
        (POSITIVE, NEGATIVE, False),
        (AMBIGUOUS, INTERFACE, False),
        ("grain boundary", INTERFACE, False),
    ],
)
def test_a_limit_for_an_interface_is_for_the_right_arcs(process, wanted, is_one):
    assert matches(process, wanted) is is_one


def test_simulated_cells_are_mostly_assigned_rightly_and_the_probability_says_how_often():
    rng = np.random.default_rng(11)
    frequency = np.geomspace(7e6, 0.05, 61)
    right = sure = 0
    chances = []
    for seed in range(60):
        gb = (rng.uniform(5, 50), 10 ** rng.uniform(5.3, 6.0))
        film = (rng.uniform(5, 50), 10 ** rng.uniform(1.5, 3.5))
        z = 5 + sum(r / (1 + (1j * frequency / f) ** 0.93) for r, f in (gb, film))
        fitted = fit("R0-p(R1,CPE1)-p(R2,CPE2)", Spectrum.of(frequency, noisy(z, 1e-3, seed)))
        truth = ["grain boundary", INTERFACE]
        for one, true in zip(extract(fitted, LITHIUM), truth, strict=True):
            chances.append(dict(one.probabilities).get(true, 0.0))
            sure += one.process != AMBIGUOUS
            right += one.process == true
    assert right >= 0.9 * sure
    assert right / 120 == pytest.approx(np.mean(chances), abs=0.15)
