"""A station file: every fault at once, each value from the layer that counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eis.errors import ConfigError
from eis.station_config import json_schema, load_station

STATION = """
schema = "eis.station/1"
station = "bench-3"
resource = "sim::symmetric-cell"
circuit = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
guardian = false
[cell]
area = "113.1 mm2"
interfaces_in_path = 2
kind = "symmetric"
[sweep]
amplitude_v = 0.01
stop_hz = 10.0
points_per_decade = 6
[outputs]
html = false
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "station.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_all_faults_are_named_at_once_with_their_key_paths(write: Write) -> None:
    text = STATION.replace("amplitude_v = 0.01", "amplitude_v = nan").replace("kind =", "knd =")
    text += '[retry]\nattempts = 0\n[[interlocks]]\nname = "door"\nfile = "d"\n[chek]\nk = 2\n'
    with pytest.raises(ConfigError) as caught:
        load_station(write(text))
    said = str(caught.value)
    for words in (
        "sweep.amplitude_v",
        "retry.attempts",
        "interlocks.0: say what is right",
        "cell.knd",
        "do you mean check?",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('schema = "eis.station/1"', 'schema = "eis.station/9"'), "schema"),
        (('station = "bench-3"', 'station = "../../etc"'), "station"),
        (
            ("amplitude_v = 0.01", "amplitude_v = 0.01\namplitude_a = 0.001"),
            "give one of amplitude_v and amplitude_a",
        ),
        (("amplitude_v = 0.01", ""), "give one of amplitude_v and amplitude_a"),
        (("stop_hz = 10.0", "stop_hz = -1.0"), "sweep.stop_hz"),
        (('area = "113.1 mm2"', 'area = "113.1 mm"'), "cell.area_cm2"),
        (("html = false", 'webhook = "ftp://host"'), "outputs.webhook"),
        (("[cell]", "[cell"), "not TOML"),
    ],
)
def test_what_is_wrong_is_refused_in_words(write: Write, change: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_station(write(STATION.replace(*change)))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_station(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_station(tmp_path / "bytes.toml")


def test_a_fault_of_the_environment_or_of_a_flag_says_which(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"sweep\.stop_hz.*from EIS_STATION__SWEEP__STOP_HZ"):
        load_station(write(STATION), environ={"EIS_STATION__SWEEP__STOP_HZ": "low"})
    with pytest.raises(ConfigError, match=r"retry\.attempts.*from --set retry\.attempts"):
        load_station(write(STATION), flags=["retry.attempts=many"])
    with pytest.raises(ConfigError, match="sets nothing"):
        load_station(write(STATION), flags=["retry.attempts"])


def test_no_password_is_shown(write: Write) -> None:
    station = load_station(write(STATION), flags=["store=postgresql+psycopg://eis:secret@host/db"])
    assert "secret" not in repr(list(station.rows()))
    assert '"postgresql+psycopg://eis:***@host/db"' in [value for _, value, _ in station.rows()]
    with pytest.raises(ConfigError, match=r"outputs\.webhook") as caught:
        load_station(write(STATION), flags=["outputs.webhook=https://eis:secret@host/"])
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "station.toml")
    with pytest.raises(ConfigError, match="no file"):
        load_station(tmp_path / "station.toml")


def test_flags_count_before_the_environment_and_that_before_the_file(write: Write) -> None:
    environ = {"EIS_STATION__SWEEP__STOP_HZ": "5", "EIS_STATION__SWEEP__START_HZ": "1e5", "OTHER": "x"}
    station = load_station(write(STATION), environ=environ, flags=["sweep.stop_hz=2", "check.reading=asr"])
    assert (station.config.sweep.stop_hz, station.config.sweep.start_hz) == (2.0, 1e5)
    origins = {key: origin for key, _, origin in station.rows()}
    assert origins["sweep.stop_hz"] == "--set sweep.stop_hz"
    assert origins["sweep.start_hz"] == "EIS_STATION__SWEEP__START_HZ"
    assert origins["circuit"].endswith("station.toml")
    assert origins["retry.attempts"] == "default"
    assert station.config.check.reading == "asr"


def test_units_in_words_become_those_of_the_cell(write: Write) -> None:
    assert load_station(write(STATION)).cell.area_cm2 == pytest.approx(1.131)


def test_the_schema_for_editors_knows_every_table() -> None:
    schema = json_schema()
    assert {"schema", "cell", "sweep", "interlocks", "outputs", "retry"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
