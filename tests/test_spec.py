"""Spec files: every fault at once with its key path, nothing assumed."""

import pytest

from eis.errors import ConfigError
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
    with pytest.raises(ConfigError, match="Built in: lges-negative-electrode"):
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
    assert spec.source.evidence
    assert spec.limit.text
