"""What is done before a sweep: it is planned for the instrument, and the cell is waited for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from eis import pipeline
from eis.errors import ConfigError, RejectedError
from eis.readers import read_all
from instruments import Sweep, connect, preparation
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.emulated.lcr import EmulatedLcr
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.lcr import LcrBridge
from instruments.preparation import Preparation, prepare
from tests.command_line import eis

pytestmark = pytest.mark.usefixtures("watchdog")

SWEEP = Sweep(1e5, 20.0, 10, 0.01)
MAINS = Preparation(mains_hz=(50.0, 60.0), repeat_decades=0.0)


def test_points_near_mains_are_moved_the_first_is_repeated_and_the_spectrum_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    out = tmp_path / "cell.nc"
    spectrum = pipeline.measure(
        "sim::symmetric-cell", SWEEP, out, preparation=MAINS, on_notice=told.append, driver="lcr", cell="symmetric"
    )
    assert "Moved aside from mains" in told[0]
    assert np.abs(spectrum.frequency_hz / 50 - 1).min() >= 0.0099
    assert spectrum.metadata["plan"]["schema"] == "eis.sweep-plan/1"
    assert spectrum.metadata["drift"]["verdict"]
    (again,) = read_all(out)
    assert again.metadata["drift"] == spectrum.metadata["drift"]


def test_a_planned_sweep_that_was_cut_short_goes_on_over_the_planned_frequencies(tmp_path: Path) -> None:
    whole = pipeline.measure(
        "sim::symmetric-cell", SWEEP, tmp_path / "whole.nc", preparation=MAINS, driver="lcr", cell="symmetric"
    )
    journal = pipeline.journal_of(tmp_path / "whole.nc")
    lines = journal.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.nc.journal.jsonl"
    cut.write_bytes(b"".join(lines[:12]))
    from instruments.record import read_journal

    planned = read_journal(cut).sweep
    resumed = pipeline.measure(
        "sim::symmetric-cell", planned, tmp_path / "cut.nc", resume=cut, driver="lcr", cell="symmetric"
    )
    assert resumed.all_frequency_hz == pytest.approx(whole.all_frequency_hz)


def test_an_instrument_with_a_sweep_of_its_own_is_left_its_grid() -> None:
    told: list[str] = []
    with connect("sim::symmetric-cell") as meter:
        planned, kept = prepare(meter, SWEEP, Preparation(mains_hz=(50.0,)), on_notice=told.append)
        assert planned == SWEEP
        assert kept["plan"]
        with pytest.raises(ConfigError, match="cannot come back"):
            prepare(meter, SWEEP, MAINS, on_notice=told.append)
    assert "It will take" in told[0]


@pytest.mark.parametrize(
    ("drift_v_per_min", "verdict", "waited_s"),
    [(0.0, "settled", 30.0), (1e-3, "drifting", 60.0), (-1e-3, "drifting", 60.0)],
)
def test_the_cell_is_waited_for_by_its_voltage(
    drift_v_per_min: float, verdict: str, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    device = EmulatedPotentiostat(replace(SYMMETRIC, ocv_v=0.4))
    waited, settle = [0.0], preparation.settle

    def wait(seconds: float) -> None:
        waited[0] += seconds
        device.cell = replace(SYMMETRIC, ocv_v=0.4 + drift_v_per_min * waited[0] / 60)

    monkeypatch.setattr(preparation, "settle", partial(settle, now=lambda: waited[0], sleep=wait))
    served = library().serve(device, "relaxing")
    with connect(served.resource, driver="palmsens", backend=served.backend) as meter:
        _, kept = prepare(meter, SWEEP, Preparation(settle_s=60.0), on_notice=told.append)
    found = kept["settling"]
    assert (found["verdict"], found["waited_s"]) == (verdict, waited_s)
    assert 60 * found["slope_v_per_s"] == pytest.approx(drift_v_per_min, abs=2e-5)
    assert found["voltage_v"] == pytest.approx(0.4 + drift_v_per_min * (waited_s - 15) / 60, abs=2e-5)
    assert told[1].startswith(f"{verdict}: After ")
    assert len(told) == 2
    assert not device.cell_is_on


def test_an_instrument_without_voltmeter_cannot_wait() -> None:
    with (
        connect("sim::symmetric-cell", driver="lcr", cell="symmetric") as meter,
        pytest.raises(RejectedError, match="cannot measure an open-circuit voltage"),
    ):
        prepare(meter, SWEEP, Preparation(settle_s=4.0), on_notice=lambda text: None)


def test_what_the_instrument_cannot_do_is_refused_before_anything_is_waited_for() -> None:
    with connect("sim::symmetric-cell") as meter, pytest.raises(RejectedError):
        prepare(meter, Sweep(1e9, 1.0, 5, 0.01), Preparation(settle_s=60.0), on_notice=lambda text: None)


def test_an_overloaded_point_is_measured_again_if_that_is_wished() -> None:
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points={3: "overload"}), noise=0.0)
    served = library().serve(device, "again")
    with LcrBridge.open(served.resource, backend=served.backend, cell="symmetric", remeasure=1) as meter:
        points = list(meter.sweep(SWEEP))
    assert [point.attempt for point in points].count(2) == 1
    assert not any(point.quality for point in points)
    device = EmulatedLcr(SYMMETRIC, faults=Faults(points={3: "overload", 4: "overload"}))
    served = library().serve(device, "still")
    with LcrBridge.open(served.resource, backend=served.backend, cell="symmetric", remeasure=1) as meter:
        points = list(meter.sweep(SWEEP))
    assert points[3].quality  # kept, flagged
    assert points[3].attempt == 2


def test_settings_can_be_tried_without_energising_anything() -> None:
    device = EmulatedLcr(SYMMETRIC)
    served = library().serve(device, "tried")
    with LcrBridge.open(served.resource, backend=served.backend, cell="symmetric") as meter:
        meter.configure(SWEEP)
        assert not device.cell_is_on
        with pytest.raises(RejectedError):
            meter.configure(Sweep(1e9, 20.0, 10, 0.01))
    with connect("sim::symmetric-cell") as potentiostat:
        potentiostat.configure(Sweep(1e5, 1.0, 5, 0.01))
        with pytest.raises(RejectedError):
            potentiostat.configure(Sweep(1e5, 1.0, 5, 5.0))


def eis_measure(*arguments: str) -> subprocess.CompletedProcess[str]:
    return eis("measure", "--resource", "sim::symmetric-cell", *arguments)


def test_repeats_and_the_smaller_amplitude_go_into_files_of_their_own(tmp_path: Path) -> None:
    done = eis_measure("--sweep", "1e5:10:5", "--times", "2", "--linearity", "--out", str(tmp_path / "cell.nc"))
    assert done.returncode == 0, done.stderr
    written = {path.name for path in tmp_path.glob("*.nc")}
    assert written == {"cell-1.nc", "cell-2.nc", "cell.half-amplitude.nc"}
    assert "linear" in done.stdout


def test_repeats_that_would_meet_a_file_are_refused_before_the_first(tmp_path: Path) -> None:
    (tmp_path / "cell-2.nc").touch()
    done = eis_measure("--times", "2", "--out", str(tmp_path / "cell.nc"))
    assert done.returncode == 4
    assert "exists already" in done.stderr
    assert not (tmp_path / "cell-1.nc").exists()
