"""The verdict: it may say "cannot tell", and PASS or FAIL only where the rule leaves no other choice."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eis.checking import check, p_conform
from eis.errors import ConfigError
from eis.extraction import AMBIGUOUS, INTERFACE
from eis.results import Interface, Verdict
from eis.spec import ISO_14253_FACTOR, Spec

SPEC = Spec.load("lges-negative-electrode")


def interface(r=0.002, u=0.0002, area=1.0, n=1, **more):
    values = {
        "name": "R2",
        "arc_resistance_ohm": r * (n or 1),
        "u_arc_resistance_ohm": u * (n or 1),
        "interfaces_in_path": n,
        "area_cm2": area,
        "u_area_cm2": 0.0,
        "capacitance_f": 1e-3,
        "capacitance_formula": "C",
        "frequency_hz": 1e4,
        "process": INTERFACE,
        "confidence": 0.9,
        "evidence": (),
        "resolved": True,
        "because": (),
    }
    return Interface(**(values | more))


def test_an_unknown_reading_or_element_is_refused():
    with pytest.raises(ConfigError, match="no reading 'sheet'"):
        check([interface()], SPEC, reading="sheet")
    with pytest.raises(ConfigError, match="It has R2"):
        check([interface()], SPEC, element="R9")


@pytest.mark.parametrize(
    ("arc", "reading", "verdict"),
    [
        (interface(0.0020, 0.0002), None, Verdict.PASS),  # (a) both ways of reading the unit agree at 1 cm²
        (interface(0.001, 1e-5, area=10.0), None, Verdict.INDETERMINATE_UNITS),  # (b)
        (interface(0.001, 1e-5, area=10.0), "asr", Verdict.FAIL),
        (interface(0.001, 1e-5, area=10.0), "per_area", Verdict.PASS),
        (interface(0.003, 0.0003, area=0.7854), None, Verdict.INDETERMINATE_UNITS),  # (c)
        (interface(0.003, 0.0003, area=0.7854), "per_area", Verdict.FAIL),
        (interface(0.0029, 0.0002), None, Verdict.CONDITIONAL_PASS),  # (e)
        (interface(0.0031, 0.0002), None, Verdict.CONDITIONAL_FAIL),
        (interface(10.0, 0.1), None, Verdict.FAIL),
    ],
)
def test_the_scenarios_come_out_as_agreed(arc, reading, verdict):
    assert check([arc], SPEC, reading=reading).verdict is verdict


def test_the_third_scenario_has_its_published_numbers():
    asr, per_area = check([interface(0.003, 0.0003, area=0.7854)], SPEC).findings[:2]
    assert (asr.reading, per_area.reading) == ("asr", "per_area")
    assert asr.value == pytest.approx(2.356e-3, rel=1e-3)
    assert asr.acceptance_limit == pytest.approx(2.529e-3, rel=1e-3)
    assert asr.p_conform == pytest.approx(0.997, abs=5e-4)
    assert asr.verdict is Verdict.PASS
    assert per_area.value == pytest.approx(3.820e-3, rel=1e-3)
    assert per_area.verdict is Verdict.FAIL


def test_no_arc_that_can_be_the_interface_is_not_resolved():
    assert check([], SPEC).verdict is Verdict.NOT_RESOLVED
    bulk = check([interface(process="grain boundary")], SPEC)
    assert bulk.verdict is Verdict.NOT_RESOLVED
    assert "grain boundary" in bulk.because
    assert bulk.would_change


def test_an_unresolved_interface_is_not_resolved_and_says_what_would_resolve_it():
    found = check([interface(0.002, 0.002, resolved=False, because=("too noisy",))], SPEC)
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "too noisy" in found.because
    assert any("times less noise" in text for text in found.would_change)
    assert any("5.31 MHz" in text for text in found.would_change)  # 1/(2π · 3 mΩ·cm² · 10 µF/cm²)


def test_an_unresolved_interface_with_an_upper_bound_below_the_limit_passes_by_bound_and_says_so():
    found = check([interface(0.0005, 0.0005, resolved=False, because=("33 %",))], SPEC, reading="asr")
    assert found.verdict is Verdict.PASS
    assert "by its upper bound" in found.findings[0].because


def test_an_interface_without_uncertainty_is_never_a_pass():
    found = check([interface(0.0001, math.nan, resolved=False, because=("no uncertainty",))], SPEC)
    assert found.verdict is Verdict.NOT_RESOLVED


def test_a_user_s_word_beats_the_assignment():
    arcs = [interface(process="grain boundary", name="R1"), interface(10, 0.1, name="R2")]
    assert check(arcs, SPEC, element="R1").verdict is Verdict.PASS


def test_several_candidates_that_disagree_are_not_resolved():
    arcs = [interface(0.001, 1e-5, name="R1", process=AMBIGUOUS), interface(10, 0.1, name="R2")]
    found = check(arcs, SPEC)
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "R1: PASS" in found.because


def test_an_arc_nobody_can_see_does_not_hide_one_that_everybody_can():
    nothing = interface(1e-5, math.nan, name="R1", process=AMBIGUOUS, resolved=False, because=("no such arc",))
    assert check([nothing, interface(10, 0.1)], SPEC).verdict is Verdict.FAIL
    assert check([nothing], SPEC).verdict is Verdict.NOT_RESOLVED


def test_an_unstated_number_of_interfaces_is_not_guessed_where_it_matters():
    arc = interface(0.0045, 0.00001, n=None)  # fails as one interface, passes as two
    found = check([arc], SPEC, reading="asr")
    assert found.verdict is Verdict.INDETERMINATE_UNITS
    assert check([interface(10.0, 0.1, n=None)], SPEC).verdict is Verdict.FAIL


def test_invalid_data_give_no_verdict_on_the_cell():
    import numpy as np

    from eis.spectrum import Spectrum
    from eis.validation import validate
    from tests.truth import FREQUENCY, TwoArcs

    broken = validate(Spectrum.of(FREQUENCY, TwoArcs().z().conj()))
    found = check([interface(0.001, 1e-5)], SPEC, validity=broken)
    assert found.verdict is Verdict.INVALID_DATA
    assert found.exit_code == 3
    assert np.all([f.verdict is Verdict.PASS for f in found.findings])


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("PASS", 0),
        ("FAIL", 1),
        ("CONDITIONAL_PASS", 3),
        ("CONDITIONAL_FAIL", 3),
        ("NOT_RESOLVED", 3),
        ("INDETERMINATE_UNITS", 3),
        ("INVALID_DATA", 3),
    ],
)
def test_only_a_pass_exits_zero(verdict, code):
    assert Verdict(verdict).exit_code == code


@pytest.mark.parametrize(
    ("y", "u", "normal", "lognormal", "acceptance", "iso"),
    [
        (2.5, 0.2, 0.99379, 0.98990, 2.600, 2.671),
        (2.5, 0.5, 0.84134, 0.84605, 2.000, 2.178),
        (2.9, 0.2, 0.69146, 0.70076, 2.600, 2.671),
        (3.0, 0.3, 0.50000, 0.51989, 2.400, 2.507),
        (3.2, 0.2, 0.15866, 0.15807, 2.600, 2.671),
        (1.5, 1.0, 0.93319, 0.92595, 1.000, 1.355),
    ],
)
def test_conformance_probability_and_acceptance_limits_are_the_tabulated_ones(
    y, u, normal, lognormal, acceptance, iso
):
    expected = lognormal if u > 0.15 * y else normal
    assert p_conform(y, u, 3.0) == pytest.approx(expected, abs=6e-6)
    assert 3.0 - SPEC.guard_band(u) == pytest.approx(acceptance, abs=5.1e-4)
    assert 3.0 - ISO_14253_FACTOR * u == pytest.approx(iso, abs=5.1e-4)  # three decimals printed


def test_the_jcgm_106_zener_diode_conforms_with_its_published_probability():
    assert p_conform(-5.47, 0.05, -5.4) == pytest.approx(0.92, abs=5e-3)


@given(
    r=st.floats(1e-6, 1e3),
    relative=st.floats(1e-4, 2.0),
    area=st.floats(0.01, 1e3),
    n=st.sampled_from([None, 1, 2]),
)
def test_a_pass_always_keeps_the_guard_band(r, relative, area, n):
    arc = interface(
        r, r * relative, area=area, n=n, resolved=relative <= 0.3, because=() if relative <= 0.3 else ("u",)
    )
    found = check([arc], SPEC)
    if found.verdict is Verdict.PASS:
        assert all(f.value + 2 * f.u <= f.limit * (1 + 1e-12) for f in found.findings)


@given(value=st.floats(1e-6, 1e2), u=st.floats(1e-8, 1e2), limit=st.floats(1e-6, 1e2))
def test_a_conformance_probability_is_a_probability(value, u, limit):
    assert 0 <= p_conform(value, u, limit) <= 1


def test_the_limit_is_printed_as_its_source_prints_it():
    text = str(check([interface()], SPEC))
    assert "3 mΩ/cm² or less" in text
    assert "secondary source" in text
