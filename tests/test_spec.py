"""Spec files: every fault at once with its key path, nothing assumed."""

import math

import pytest

from eis.errors import ConfigError
from eis.limit_text import read_limit, read_value
from eis.spec import MAX_SPEC_BYTES, Spec, built_in

GOOD = """
name = "own"
title = "Own limit"
[limit]
text = "0.5 ohm cm2"
value = 0.5
readings = ["asr"]
[source]
title = "own"
evidence = "agreed with the customer"
"""


def written(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_spec_names_those_there_are():
    with pytest.raises(ConfigError, match="Built in: lges-negative-electrode, process-windows"):
        Spec.load("no-such-spec")


def test_text_that_is_not_toml_is_refused_with_the_line(tmp_path):
    with pytest.raises(ConfigError, match="line 3"):
        Spec.load(written(tmp_path, "a = 1\nb = 2\n[[["))


def test_all_faults_are_told_at_once_with_their_key_paths(tmp_path):
    bad = (
        GOOD.replace("value = 0.5", "value = -1\nunit = 'x'")
        .replace('["asr"]', '["sheet"]')
        .replace('title = "own"\n', "")
    )
    with pytest.raises(ConfigError) as caught:
        Spec.load(written(tmp_path, bad))
    for path in ("limit.value", "limit.unit", "limit.readings", "source.title"):
        assert path in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "1e400"])
def test_a_limit_that_is_not_a_positive_number_is_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=r"limit\.value"):
        Spec.load(written(tmp_path, GOOD.replace("value = 0.5", f"value = {value}")))


def test_a_huge_or_binary_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="too large"):
        Spec.load(written(tmp_path, "#" * (MAX_SPEC_BYTES + 1)))
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError):
        Spec.load(path)


def test_a_good_file_is_read_and_the_default_rule_is_the_guard_band(tmp_path):
    spec = Spec.load(written(tmp_path, GOOD))
    assert (spec.rule, spec.k, spec.limit.value) == ("guard-band", 2.0, 0.5)


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_spec_loads_and_states_its_evidence(name):
    spec = Spec.load(name)
    assert spec.name == name
    assert "secondary source" in spec.source.evidence
    for one in (*spec.all_limits, *spec.windows):
        assert one.text in str(spec)
        assert spec.source_of(one).quality == "secondary source"


SEVERAL = """
name = "several"
title = "Several limits"
process = "electrode interface"
k = 2.0
[[limits]]
text = "at most 10 Ω·cm²"
[[limits]]
text = "25 mΩ·cm² or less"
process = "grain boundary"
rule = "fixed"
guard_band = "2 mΩ·cm²"
[[limits]]
quantity = "Bulk_Conductivity"
text = "at least 1 mS/cm"
rule = "iso-14253"
[[limits]]
quantity = "area ratio"
figures = "0.9 to 1.1"
text = "nine tenths to eleven tenths"
[[windows]]
quantity = "pressing temperature"
text = "20–80 °C"
[source]
title = "own"
evidence = "agreed with the customer"
quality = "agreement"
"""


def faults_of(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        Spec.load(written(tmp_path, text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("text = 'soon'", "limit.text: Cannot read 'soon' as a limit"),
        ("text = '3'", "limit.text: a number without a unit does not fit a resistance"),
        ("text = '3 mS/cm'", "limit.text: the unit 'mS/cm' does not fit a resistance"),
        ("text = '30 %'", "limit.text: the unit '%' does not fit a resistance"),
        ("text = '3 furlong'", "limit.text: 'furlong' in '3 furlong' is not a unit known here"),
        ("text = '-3 mΩ'", "limit.text: the limit of a resistance is above zero"),
        ("text = '10 Ω·cm² or less'\nbound = 'lower'", "limit.bound: the text says upper, not lower"),
        ("text = '10 Ω·cm²'\nbound = 'window'", "limit.bound: the text says upper, not window"),
        ("text = '10 Ω·cm²'\nvalue = 0.01", "limit.value: 0.01 is not what the text says (10)"),
        ("text = '10 Ω·cm²'\nreadings = ['per_area']", "cannot be read as per_area, only as asr"),
        ("text = '10 Ω'\nreadings = ['asr']", "cannot be read as asr, only as absolute"),
        ("text = '10 Ω/m²'\nreadings = ['asr']", "cannot be read as asr, only as per_area"),
        ("text = '10 Ω·cm²'\nreadings = []", "limit.readings: it is empty"),
        ("text = '10 Ω·cm²'\nquantity = 'thickness'\nreadings = ['asr']", "only a resistance has readings"),
        ("text = '10 Ω·cm²'\nrule = 'fixed'\nguard_band = '10 Ω·cm²'", "nothing could pass"),
        ("text = '10 Ω·cm²'\nrule = 'fixed'\nguard_band = '1 Ω'", "limit.guard_band: '1 Ω' does not fit"),
        ("text = '10 Ω·cm²'\nrule = 'fixed'", "guard_band goes with rule"),
        ("text = '10 Ω·cm²'\nk = -1", "limit.k: Input should be greater than 0"),
        ("text = '10 Ω·cm²'\nk = nan", "limit.k: Input should be a finite number"),
        ("text = '10 Ω·cm²'\nconfidence = 95", "limit.confidence: Input should be less than 1"),
        ("text = '10 Ω·cm²'\nlimt = 3", "limit.limt: Extra inputs are not permitted"),
    ],
)
def test_a_limit_that_does_not_fit_is_refused_with_its_key(tmp_path, text, said):
    body = GOOD.replace('text = "0.5 ohm cm2"\nvalue = 0.5\nreadings = ["asr"]', text)
    assert said in faults_of(tmp_path, body)


def test_a_spec_with_two_kinds_of_limits_or_none_is_refused(tmp_path):
    assert "both [limit] and [[limits]]" in faults_of(
        tmp_path, GOOD.replace("[source]", "[[limits]]\ntext = '1 Ω'\n[source]")
    )
    head, _, tail = GOOD.partition("[limit]")
    assert "it has no limit" in faults_of(tmp_path, head + "[source]" + tail.partition("[source]")[2])


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("3 mΩ/cm² or less", (-math.inf, 3.0)),
        ("≤ 3 mΩ·cm−2", (-math.inf, 3.0)),
        ("at least 1.5e-3 S/cm", (1.5e-3, math.inf)),
        ("20–50 %", (20.0, 50.0)),
        ("0.2-1.0", (0.2, 1.0)),
        ("-20 to -10 °C", (-20.0, -10.0)),
        ("between 80 wt.-% and 97 wt.-%", (80.0, 97.0)),
    ],
)
def test_limits_are_read_as_people_print_them(text, bounds):
    found = read_limit(text, where="text")
    assert (found.lower, found.upper) == bounds


@pytest.mark.parametrize("text", ["", "about three ohm", "1e400 Ω", "50–20 %", "5 %–10 wt%", "at least 2–3 Ω"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ConfigError):
        read_limit(text, where="text")


@pytest.mark.parametrize(
    ("given", "unit", "said"),
    [
        ("30 %", "", "a plain ratio without a unit"),  # a porosity in percent where a fraction is wanted
        ("30 vol%", "wt%", "a value in wt% is wanted"),
        (30, "%", "no finite number with a unit"),
        ("30", "%", "a value in % is wanted"),
        ("30 ± 2 %", "%", "does not say what its ± is"),
        ("100 mm2", "cm", "cannot be turned into cm"),
        ("1 Ω", "°C", "cannot be turned into °C"),
        ("5 %", "mS/cm", "a value in mS/cm is wanted"),
        ("nan", "", "not a finite number"),
    ],
)
def test_a_value_whose_unit_does_not_fit_is_refused(given, unit, said):
    with pytest.raises(ConfigError, match=said):
        read_value(given, unit, where="porosity")


@pytest.mark.parametrize(
    ("given", "unit", "value"),
    [
        ("2e-3 S/cm", "mS/cm", 2.0),
        ("363.15 K", "°C", 90.0),
        ("0.3", "", 0.3),
        (0.3, "", 0.3),
        ("96 wt.-%", "wt%", 96),
    ],
)
def test_a_value_is_read_in_the_limit_s_unit(given, unit, value):
    assert read_value(given, unit, where="x") == pytest.approx(value)


def test_several_limits_keep_their_own_process_rule_and_unit(tmp_path):
    spec = Spec.load(written(tmp_path, SEVERAL))
    interface, boundary, bulk, ratio = spec.all_limits
    assert (interface.upper, interface.lower, interface.readings) == (10.0, -math.inf, ("asr",))
    assert boundary.upper == pytest.approx(0.025)
    assert spec.process_of(boundary) == "grain boundary"
    assert spec.rule_of(boundary).guard_band(0.1) == pytest.approx(0.002)
    assert (bulk.quantity, bulk.lower, bulk.upper, bulk.unit) == ("bulk conductivity", 1.0, math.inf, "mS/cm")
    assert spec.rule_of(bulk).name == "iso-14253"
    assert (ratio.lower, ratio.upper, ratio.bound) == (0.9, 1.1, "window")


def test_another_rule_replaces_that_of_every_limit(tmp_path):
    spec = Spec.load(written(tmp_path, SEVERAL)).decided_by(rule="simple", k=3.0)
    assert {(spec.rule_of(one).name, spec.rule_of(one).k) for one in spec.all_limits} == {("simple", 3.0)}
    with pytest.raises(ConfigError, match="k is nan"):
        spec.decided_by(k=math.nan)
    with pytest.raises(ConfigError, match="takes its guard band from the spec"):
        spec.decided_by(rule="fixed")


def test_the_limit_of_the_negative_electrode_is_kept_as_printed_and_never_converted():
    spec = Spec.load("lges-negative-electrode")
    (limit,) = spec.all_limits
    assert limit.text == "3 mΩ/cm² or less"
    assert (limit.value, limit.readings) == (0.003, ("asr", "per_area", "absolute"))
    assert len(limit.not_testable) == 2
    assert "LG Energy Solution, EP 2024, US 2025; secondary source" in str(spec.source)


def test_the_process_windows_are_those_of_the_article_and_leave_out_what_is_not_known():
    spec = Spec.load("process-windows")
    found = {one.quantity: (one.lower, one.upper, one.unit) for one in spec.windows}
    assert found == {
        "electrode dryness": (20.0, 50.0, "%"),
        "slurry viscosity ratio": (0.2, 1.0, ""),
        "co-drying temperature": (60.0, 120.0, "°C"),
        "electrolyte powder": (80.0, 97.0, "wt%"),
    }
    assert spec.source.publications == ()
    assert not spec.all_limits
