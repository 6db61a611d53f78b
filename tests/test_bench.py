"""``eis instruments`` and ``eis emulate``: what there is, and emulated instruments for any VISA program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pyvisa

from eis.cli import bench
from eis.errors import ConfigError
from eis.readers import read
from instruments import Sweep, connect
from instruments.connect import DRIVERS
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.models import MODELS
from tests.command_line import eis

pytestmark = pytest.mark.usefixtures("watchdog")


@contextmanager
def emulated(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "eis", "emulate", "--seconds", "60", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def test_every_driver_is_listed_with_its_emulated_models_and_as_unverified() -> None:
    (document,) = eis("instruments", "--json").stdout.splitlines()
    entries = json.loads(document)["results"]
    assert [entry["driver"] for entry in entries] == [driver.name for driver in DRIVERS]
    assert all(entry["instrument_verified"] is False and entry["emulated"] for entry in entries)
    assert json.loads(document)["resources"] == []  # nothing is looked for unasked
    for entry, driver in zip(entries, DRIVERS, strict=True):
        with connect("sim::symmetric-cell", driver=driver.name) as meter:
            assert entry["capabilities"]["f_max_hz"] == meter.capabilities().f_max_hz
            assert entry["model"].endswith(meter.identify().model)


def test_a_model_served_by_the_command_is_measured_by_a_driver() -> None:
    sweep = Sweep(1e5, 1e3, 5, 0.01)
    with emulated("--model", "nexus1", "--speed", "1000") as resource, connect(resource) as meter:
        spectrum = meter.sweep_spectrum(sweep)
    assert np.abs(spectrum.z_ohm / SYMMETRIC.impedance(sweep.frequencies_hz) - 1).max() < 0.01


@pytest.mark.parametrize("transport", ["tcp", "hislip", "vxi11"])
def test_any_visa_program_can_use_one(transport: str) -> None:
    with emulated("--model", "e4980a", "--transport", transport, "--speed", "1000") as resource:
        manager = pyvisa.ResourceManager("@py")
        foreign = manager.open_resource(resource, read_termination="\n", write_termination="\n")
        assert "E4980A" in foreign.query("*IDN?")  # type: ignore[attr-defined]
        foreign.close()


def test_a_circuit_of_one_s_own_can_be_served() -> None:
    cell = ("--circuit", "R0-p(R1,C1)", "--values", "5,20,1e-6", "--noise", "0")
    with emulated(*cell, "--speed", "1e4") as name, connect(name) as meter:
        point = meter.measure_point(1e5, amplitude_v=0.01)
    assert point.z_ohm.real == pytest.approx(5 + 20 / (1 + (2 * np.pi * 1e5 * 2e-5) ** 2), rel=1e-5)


def test_a_schedule_of_faults_comes_from_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "faults.toml"
    path.write_text('[points]\n3 = "overload"\n[lines]\n12 = "drop"\n')
    faults = bench._faults(path)
    assert faults.points == {3: "overload"}
    assert faults.lines == {12: "drop"}


@pytest.mark.parametrize(
    "text", ['[points]\n3 = "drop"', '[other]\n1 = "drop"', "[lines]\nx = 1", "[points", "points = 3"]
)
def test_a_schedule_that_says_something_else_is_refused(text: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        bench._faults(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "nexus2"), "'nexus2' is not a choice"),
        (("--model", "nexus1", "--transport", "hislip"), "'hislip' is not a choice"),
        (("--circuit", "R0"), "needs its values"),
        (("--circuit", "R0-R1", "--values", "1"), "2 parameters and 1 value"),
        (("--speed", "0"), "--speed is 0"),
    ],
)
def test_a_wrong_wish_is_refused_in_words(arguments: tuple[str, ...], words: str) -> None:
    done = eis("emulate", "--seconds", "1", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda one: one.name)
def test_every_model_can_be_made(model) -> None:  # type: ignore[no-untyped-def]
    assert not model.make(SYMMETRIC).cell_is_on


def test_a_sweep_of_which_every_point_is_overloaded_is_kept_and_decides_nothing(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text("[points]\n" + "".join(f'{point} = "overload"\n' for point in range(6)))
    with emulated("--fault", str(faults)) as resource:
        done = eis("measure", "--resource", resource, "--sweep", "1e5:1e4:5", "--out", tmp_path / "cell.nc")
    assert done.returncode == 3
    assert "None of the 6 points can be used: overload 6 times" in done.stderr
    assert read(tmp_path / "cell.nc").all_frequency_hz.size == 6
