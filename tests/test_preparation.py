"""What is done before a sweep: it is planned for the instrument, and the cell is waited for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eis import pipeline
from eis.errors import ConfigError, RejectedError
from eis.readers import read_all
from instruments import Sweep, connect
from instruments.preparation import Preparation, prepare

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
    assert spectrum.metadata["plan"]["schema"] == "eis.plan/1"
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


def test_the_cell_is_waited_for_by_its_voltage(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with connect("sim::symmetric-cell") as meter:
        _, kept = prepare(meter, SWEEP, Preparation(settle_s=4.0), on_notice=told.append)
    assert kept["settling"]["verdict"] in ("settled", "not settled", "cannot tell")
    assert len(told) == 2


def test_an_instrument_without_voltmeter_cannot_wait() -> None:
    with (
        connect("sim::symmetric-cell", driver="lcr", cell="symmetric") as meter,
        pytest.raises(RejectedError, match="cannot measure an open-circuit voltage"),
    ):
        prepare(meter, SWEEP, Preparation(settle_s=4.0), on_notice=lambda text: None)


def test_what_the_instrument_cannot_do_is_refused_before_anything_is_waited_for() -> None:
    with connect("sim::symmetric-cell") as meter, pytest.raises(RejectedError):
        prepare(meter, Sweep(1e9, 1.0, 5, 0.01), Preparation(settle_s=60.0), on_notice=lambda text: None)
