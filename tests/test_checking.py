"""The verdict: it may say "cannot tell", and PASS or FAIL only where the rule leaves no other choice."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eis.assignment import NEGATIVE, POSITIVE
from eis.checking import check, p_conform
from eis.errors import ConfigError
from eis.extraction import AMBIGUOUS, INTERFACE
from eis.process_values import load_process_values, process_values
from eis.results import Interface, Line, Verdict
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


def spec_of(*limits, windows=(), **more):
    """A spec of the given limits, each a mapping as in its TOML file."""
    source = {"title": "own", "evidence": "agreed"}
    content = {"name": "own", "title": "own", "limits": limits, "windows": windows, "source": source}
    return Spec.model_validate(content | more)


def test_a_value_worse_known_than_30_percent_is_not_a_result_even_if_the_arc_is():
    found = check([interface(0.002, 0.0007)], SPEC, reading="asr")
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "35% of its value" in found.because


def test_an_arc_the_data_do_not_need_is_not_resolved():
    found = check([interface(10.0, 0.1)], SPEC, reading="asr", needed={"R2": 3.9})
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "ΔAICc = 3.9" in found.because
    assert check([interface(10.0, 0.1)], SPEC, reading="asr", needed={"R2": 4.0}).verdict is Verdict.FAIL


def test_an_unknown_need_of_an_arc_is_not_taken_for_one():
    assert (
        check([interface(10.0, 0.1)], SPEC, reading="asr", needed={"R2": math.nan}).verdict is Verdict.NOT_RESOLVED
    )


@pytest.mark.parametrize("blank", [-1e-3, math.nan, math.inf])
def test_a_blank_that_has_no_uncertainty_is_refused(blank):
    with pytest.raises(ConfigError, match="blank_u_ohm"):
        check([interface()], SPEC, blank_u_ohm=blank)


def test_a_limit_below_the_limit_of_quantification_cannot_be_failed():
    found = check([interface(0.01, 0.0001, area=2.0)], SPEC, reading="asr", blank_u_ohm=0.0002)
    (finding,) = found.findings
    assert found.verdict is Verdict.NOT_RESOLVED
    assert (finding.lod, finding.loq) == pytest.approx((3.3 * 0.0004, 10 * 0.0004))
    assert finding.u == pytest.approx(math.hypot(0.0002, 0.0004))  # the blank is part of the uncertainty
    assert "below the limit of quantification" in found.because
    assert any(
        "a blank known to 150 µΩ" in text for text in found.would_change
    )  # a tenth of 1.5 mΩ, the limit at 2 cm²


def test_a_value_below_the_limit_of_detection_is_not_resolved_or_passes_by_its_bound():
    limit = spec_of({"text": "10 mΩ·cm²"}, process=INTERFACE)
    (finding,) = check([interface(0.002, 1e-5)], limit, blank_u_ohm=0.001).findings
    assert finding.verdict is Verdict.PASS
    assert finding.by_bound
    assert "below the limit of detection" in finding.because


def test_a_blank_that_stands_in_the_budget_already_is_not_counted_twice():
    lines = (Line("fit", 0.0003, "given"), Line("fixture", 0.0001, "given"))
    (finding,) = check([interface(u=0.000316, lines=lines)], SPEC, reading="asr", blank_u_ohm=0.0001).findings
    assert finding.u == pytest.approx(math.hypot(0.0003, 0.0001))


def test_an_arc_that_may_be_something_else_does_not_pass_by_its_bound():
    arc = interface(0.0005, 0.0005, resolved=False, because=("33 %",), process=AMBIGUOUS)
    assert check([arc], SPEC, reading="asr").verdict is Verdict.NOT_RESOLVED
    assert check([arc], SPEC, reading="asr", element="R2").verdict is Verdict.PASS


def test_an_arc_that_is_one_electrode_s_as_likely_as_the_other_s_decides_nothing():
    either = ((NEGATIVE, 0.5), (POSITIVE, 0.49))
    one = interface(10.0, 0.1, process=AMBIGUOUS, probabilities=either)
    other = interface(20.0, 0.1, name="R3", process=AMBIGUOUS, probabilities=either)
    found = check([one], SPEC)
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "R2 (50%)" in found.because
    assert check([one, other], SPEC).verdict is Verdict.FAIL  # one of the two it is, and both are beyond
    assert check([one], SPEC, element="R2").verdict is Verdict.FAIL


def test_few_degrees_of_freedom_widen_the_guard_band_and_are_printed():
    lines = (Line("repeats", 0.0002, "given", 3.0),)
    (finding,) = check([interface(0.0024, 0.0002, lines=lines)], SPEC, reading="asr").findings
    assert finding.k == pytest.approx(
        3.307, abs=1e-3
    )  # Student's t, 97.725 %, 3 degrees of freedom (GUM table G.2)
    assert finding.acceptance_limit == pytest.approx(0.003 - 3.307 * 0.0002, abs=1e-7)
    assert finding.verdict is Verdict.CONDITIONAL_PASS
    assert "3 degrees of freedom" in finding.because


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [("simple", "PASS"), ("iso-14253", "CONDITIONAL_PASS"), ("probability", "CONDITIONAL_PASS")],
)
def test_another_rule_gives_another_verdict(rule, verdict):
    assert check([interface(0.0028, 0.0002)], SPEC.decided_by(rule=rule), reading="asr").verdict == verdict


def test_what_another_reading_would_say_is_told_for_every_number_of_interfaces():
    found = check([interface(0.001, 1e-5, area=10.0)], SPEC, reading="asr")
    assert found.verdict is Verdict.FAIL
    said = " | ".join(found.would_change)
    assert "R2 with reading per_area, 1 in the path: PASS (100 µΩ/cm²)" in said
    assert "R2 with reading absolute, 2 in the path: PASS (500 µΩ)" in said
    assert "a limit of 10.2 mΩ·cm² (asr) or more would be met" in said


def test_the_uncertainty_that_would_decide_is_told():
    found = check([interface(0.0029, 0.0002)], SPEC, reading="asr")
    assert "read as asr, a standard uncertainty below 50 µΩ·cm² would decide" in found.would_change
    better = check([interface(0.0029, 0.0000499)], SPEC, reading="asr")
    assert better.verdict is Verdict.PASS


SEVERAL = spec_of(
    {"text": "10 Ω·cm² or less"},
    {"text": "25 mΩ·cm² or less", "process": "grain boundary"},
    {"quantity": "bulk conductivity", "text": "at least 1 mS/cm"},
    process=INTERFACE,
)
ARCS = (interface(5.0, 0.1), interface(0.02, 0.001, name="R1", process="grain boundary"))


@pytest.mark.parametrize(
    ("arcs", "conductivity", "verdict"),
    [
        (ARCS, {"value": "2 mS/cm", "u": "0.1 mS/cm"}, Verdict.PASS),
        (ARCS, {"value": "0.5 mS/cm", "u": "0.1 mS/cm"}, Verdict.FAIL),
        (ARCS, {"value": "1.1 mS/cm", "u": "0.1 mS/cm"}, Verdict.CONDITIONAL_PASS),
        (ARCS, {"value": "2 mS/cm"}, Verdict.NOT_RESOLVED),
        (ARCS[:1], {"value": "2 mS/cm", "u": "0.1 mS/cm"}, Verdict.NOT_RESOLVED),
        (ARCS[:1], {"value": "0.5 mS/cm", "u": "0.1 mS/cm"}, Verdict.FAIL),
        ((interface(20.0, 0.1), ARCS[1]), {"value": "2 mS/cm", "u": "0.1 mS/cm"}, Verdict.FAIL),
    ],
)
def test_of_several_limits_the_gravest_answer_is_the_cell_s(arcs, conductivity, verdict):
    found = check(arcs, SEVERAL, metadata={"Bulk_conductivity": conductivity})
    assert found.verdict is verdict
    assert all(limit.text in found.limit_text for limit in SEVERAL.all_limits)


def test_a_limit_without_a_value_is_not_passed_over():
    found = check(ARCS, SEVERAL)
    assert found.verdict is Verdict.NOT_RESOLVED
    assert "no value of bulk conductivity was given" in found.because


def test_a_lower_limit_on_a_resistance_guards_from_below():
    spec = spec_of({"text": "at least 1 Ω·cm²"}, process=INTERFACE)
    found = {r: check([interface(r, 0.1)], spec).verdict for r in (1.3, 1.1, 0.9, 0.7)}
    assert list(found.values()) == ["PASS", "CONDITIONAL_PASS", "CONDITIONAL_FAIL", "FAIL"]
    (finding,) = check([interface(1.3, 0.1)], spec).findings
    assert (finding.bound, finding.acceptance_limit) == ("lower", pytest.approx(1.2))
    assert finding.p_conform == pytest.approx(0.99865, abs=1e-5)  # Φ(3)


@pytest.mark.parametrize(
    ("value", "u", "verdict", "place"),
    [
        ("35 %", "1 %", "PASS", "inside"),
        ("21 %", "1 %", "CONDITIONAL_PASS", "borderline, inside"),
        ("51 %", "1 %", "CONDITIONAL_FAIL", "borderline, outside"),
        ("60 %", "1 %", "FAIL", "outside"),
        ("21 %", None, "PASS", "inside"),
        ("51 %", None, "FAIL", "outside"),
    ],
)
def test_a_process_value_is_inside_its_window_outside_or_on_the_border(value, u, verdict, place):
    given = {"value": value} | ({"u": u} if u else {})
    found = check([interface()], SPEC, reading="asr", metadata={"electrode_dryness": given})
    (window,) = found.windows
    assert found.verdict is Verdict.PASS  # how a cell was made does not change what it is
    assert (window.verdict, window.lower_limit, window.limit) == (verdict, 20.0, 50.0)
    assert f": {place} (" in window.because
    assert window.because in str(found)
    assert found.to_dict()["windows"][0]["verdict"] == verdict


def test_windows_alone_are_judged_and_a_missing_value_is_told():
    spec = Spec.load("process-windows")
    values = {
        "electrode dryness": "35 %",
        "slurry viscosity ratio": 0.5,
        "co-drying temperature": "363.15 K",
        "electrolyte powder": "90 wt%",
    }
    assert check((), spec, metadata=values).verdict is Verdict.PASS
    assert check((), spec, metadata=values | {"electrolyte powder": "70 wt%"}).verdict is Verdict.FAIL
    missing = check((), spec, metadata={"electrode dryness": "35 %"})
    assert missing.verdict is Verdict.NOT_RESOLVED
    assert "no value was given of slurry viscosity ratio" in missing.because


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dryness": "35 %"}, "No limit and no window is of 'dryness'"),
        ({"electrode dryness": 35}, "35 is no finite number with a unit"),
        ({"electrode dryness": "35 wt%"}, "a value in % is wanted"),
        ({"slurry viscosity ratio": "50 %"}, "a plain ratio without a unit"),
        ({"electrode dryness": "35 ± 2 %"}, "does not say what its ± is"),
        ({"electrode dryness": {"value": "35 %", "u": "-1 %"}}, "below zero"),
        ({"electrode dryness": {"vale": "35 %"}}, "only value and u are known here"),
        ({"electrode dryness": True}, "neither a number nor text"),
        ({"electrode dryness": "35 %", "Electrode_Dryness": "36 %"}, "it stands there twice"),
    ],
)
def test_process_values_that_do_not_fit_are_refused_with_one_clear_error(values, said):
    with pytest.raises(ConfigError, match=said):
        check([interface()], SPEC, metadata=values)


def test_all_faults_of_process_values_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        check([interface()], SPEC, metadata={"electrode dryness": "35", "electrolyte powder": "90 vol%"})
    assert "electrode dryness" in str(caught.value)
    assert "electrolyte powder" in str(caught.value)


@pytest.mark.parametrize("text", ["electrode_dryness = '35 %'", "[process]\nelectrode_dryness = '35 %'"])
def test_process_values_are_read_from_a_file(tmp_path, text):
    path = tmp_path / "process.toml"
    path.write_text(text, encoding="utf-8")
    assert load_process_values(path) == process_values({"electrode_dryness": "35 %"})


@pytest.mark.parametrize("content", [b"a = = 1", b"\xff\xfe", b"process = 3"])
def test_a_file_that_holds_no_process_values_is_refused(tmp_path, content):
    path = tmp_path / "process.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load_process_values(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_process_values(tmp_path / "nothing.toml")


def test_a_grain_boundary_is_not_shared_between_interfaces():
    spec = spec_of({"text": "25 mΩ·cm² or less"}, process="grain boundary")
    arc = interface(0.01, 0.0005, n=2, process="grain boundary")  # 20 mΩ as a whole
    (finding,) = check([arc], spec).findings
    assert finding.value == pytest.approx(0.02)
    assert finding.value == pytest.approx(arc.asr_ohm_cm2)
    assert "supposed" not in finding.because
