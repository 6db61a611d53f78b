"""Choosing a circuit: refusals first, then that the number of arcs is the truth's, and said in words."""

import dataclasses
import json
import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
from scipy.stats import f

from eis.errors import CircuitError, FitError
from eis.spectrum import Spectrum
from fitting import fit, parse
from fitting.selection import CANDIDATES, compare, is_nested, is_supported, select
from tests.thorough import number
from tests.truth import FREQUENCY, TwoArcs, noisy

ARCS = ((15.0, 150e3, 0.95), (17.7, 1.2e3, 0.92), (25.0, 8.0, 0.88))


def cell(arcs, tail, seed, noise=3e-3):
    omega = 2 * np.pi * FREQUENCY
    z = 22 + 1e-7j * omega + sum(r / (1 + (1j * FREQUENCY / peak) ** a) for r, peak, a in ARCS[:arcs])
    return Spectrum.of(FREQUENCY, noisy(z + tail / (2e-3 * (1j * omega) ** 0.9), noise, seed))


@cache
def one_arc():
    return tuple(select(cell(1, False, 1)))


def test_too_few_points_for_any_candidate_are_one_clear_error():
    few = TwoArcs().spectrum(frequency=np.geomspace(1e5, 1, 8))
    with pytest.raises(
        FitError, match=r"None of 6 candidate circuits.*8 points cannot determine 5 free.*at least 10"
    ):
        select(few)


def test_candidates_that_need_more_points_than_there_are_are_passed_over():
    few = TwoArcs().spectrum(noise=1e-3, frequency=np.geomspace(1e6, 1, 17))
    assert {len(one.arcs) for one in select(few)} == {1, 2}


def test_no_candidates_are_one_clear_error():
    with pytest.raises(FitError, match="None of 0 candidate"):
        select(cell(1, False, 0), ())


def test_a_candidate_that_is_no_circuit_is_refused():
    with pytest.raises(CircuitError):
        select(cell(1, False, 0), ("R0-p(R1",))


def test_unknown_weights_are_one_clear_error():
    with pytest.raises(FitError, match=r"None of 6.*u_z_ohm"):
        select(cell(1, False, 0), weight="variance")


def test_fits_of_different_data_are_not_compared():
    with pytest.raises(FitError, match="not of the same points"):
        compare([fit(CANDIDATES[0], cell(1, False, seed)) for seed in (0, 1)])
    spectrum = cell(1, False, 0)
    with pytest.raises(FitError, match="not of the same points and weights"):
        compare([fit(CANDIDATES[0], spectrum), fit(CANDIDATES[1], spectrum, weight="unit")])
    with pytest.raises(FitError, match="nothing to compare"):
        compare([])


def test_the_number_of_arcs_and_the_tail_are_found():
    seeds, found = number(6, thorough=20), Counter()
    for arcs in (1, 2, 3):
        for tail in (False, True):
            for seed in range(seeds):
                chosen = select(cell(arcs, tail, seed))[0]
                has_tail = parse(chosen.circuit).root.children[-1].__class__.__name__ == "Leaf"
                found[arcs, tail] += (len(chosen.arcs), has_tail) == (arcs, tail)
    assert sum(found.values()) >= 0.95 * 6 * seeds, found
    assert min(found.values()) >= 0.9 * seeds, found


def test_two_arcs_on_one_arc_data_are_named():
    comparison = compare(one_arc())
    assert comparison.chosen.circuit == "L0-R0-p(R1,CPE1)"
    assert comparison.because[0] == "The data support 1 arc: L0-R0-p(R1,CPE1)."
    two = next(row for row in comparison.rows if row.n_arcs == 2)
    assert not two.supported
    assert "standard uncertainty of R" in two.because[0]
    assert any(
        b.startswith("The data do not support 2 arcs (L0-R0-p(R1,CPE1)-p(R2,CPE2))") for b in comparison.because
    )


def test_one_arc_on_two_arc_data_is_named():
    comparison = compare(select(cell(2, False, 3)))
    assert comparison.chosen.n_arcs == 2
    assert any("1 arc (L0-R0-p(R1,CPE1)) cannot describe the data" in b for b in comparison.because)
    assert comparison.chosen.simpler == "L0-R0-p(R1,CPE1)-CPE2"
    assert comparison.chosen.p_value < 1e-6


def test_data_that_hold_more_than_any_supported_circuit_are_said_to():
    comparison = compare(select(cell(3, False, 0), CANDIDATES[:1]))
    assert comparison.rows[0].n_arcs == 1
    fits = select(cell(1, False, 1))
    better = next(one for one in fits if not all(is_supported(one, arc) for arc in one.arcs))
    better = dataclasses.replace(better, aicc=better.aicc - 100)
    assert "They hold more than that" in compare([fits[0], better]).because[1]


def test_a_circuit_alone_with_an_arc_nobody_needs_is_said_to_be_unsupported():
    comparison = compare([fit("L0-R0-p(R1,CPE1)-p(R2,CPE2)", cell(1, False, 1))])
    assert comparison.because[0].startswith("No circuit is supported by the data")


def test_ranks_and_numbers_agree_with_their_definitions():
    fits = one_arc()
    comparison = compare(fits)
    assert [row.circuit for row in comparison.rows] == [one.circuit for one in fits]
    assert sum(row.akaike_weight for row in comparison.rows) == pytest.approx(1)
    assert min(row.delta_aicc for row in comparison.rows) == 0
    rows = {row.circuit: row for row in comparison.rows}
    small, large = (next(one for one in fits if one.circuit == c) for c in CANDIDATES[:2])
    ratio = ((small.chi2 - large.chi2) / 2) / (large.chi2 / (2 * 71 - 7))
    assert rows[CANDIDATES[1]].p_value == pytest.approx(f.sf(ratio, 2, 135))
    assert math.isnan(rows[CANDIDATES[0]].p_value)


@pytest.mark.parametrize(
    ("inner", "outer", "nested"),
    [
        ("L0-R0-p(R1,CPE1)", "L0-R0-p(R1,CPE1)-CPE2", True),
        ("R0-p(R7,C7)", "L0-R0-p(R1,CPE1)", True),
        ("R0-p(R1,CPE1)-CPE2", "R0-p(R1,CPE1)-p(R2,CPE2)", True),
        ("R0-p(CPE1,R1)", "R0-p(R1,CPE1)-W2", True),
        ("R0-p(R1,CPE1)-W2", "R0-p(R1,CPE1)-CPE2", True),
        ("R0-p(R1,CPE1)-Wo2", "R0-p(R1,CPE1)-p(R2,CPE2)", False),
        ("R0-p(R1,CPE1)-p(R2,CPE2)", "R0-p(R1,CPE1)-CPE2-W3", False),
        ("L0-R0-p(R1,CPE1)", "R0-p(R1,CPE1)-p(R2,CPE2)", False),
        ("R0-p(R1-Wo1,C1)", "L0-R0-p(R1-Wo1,C1)", True),
    ],
)
def test_nested_circuits_are_told_from_others(inner, outer, nested):
    assert is_nested(parse(inner), parse(outer)) is nested
    assert not is_nested(parse(outer), parse(inner))


def test_candidates_with_and_without_inductor_are_compared_on_the_same_points():
    spectrum = TwoArcs(inductance=2e-6).spectrum(noise=2e-3, seed=1)
    fits = select(spectrum, ("R0-p(R1,CPE1)-p(R2,CPE2)", "L0-R0-p(R1,CPE1)-p(R2,CPE2)"))
    assert {one.n_points for one in fits} == {fit("R0-p(R1,CPE1)-p(R2,CPE2)", spectrum).n_points}
    assert compare(fits).chosen.circuit.startswith("L0")


def test_records_turn_into_plain_things():
    comparison = compare(one_arc())
    entry = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert entry["chosen"] == "L0-R0-p(R1,CPE1)"
    assert entry["circuits"][0]["p_value"] is None
    assert list(comparison.to_dataframe().index) == [row.circuit for row in comparison.rows]
    assert "<table>" in comparison._repr_html_()
    assert "nan" not in str(comparison)
