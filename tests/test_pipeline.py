"""The whole way: emulated instruments through PyVISA to verdicts, checked against the cells' truth."""

import numpy as np
import pytest
from scipy.stats import binom

from eis import pipeline
from eis.errors import StoreError
from eis.readers import read
from eis.results import Verdict
from eis.spec import Spec
from instruments.emulated.cells import NEAR_TARGET, SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.methodscript import EmulatedPotentiostat

SPEC = Spec.load(pipeline.DEMO_SPEC)
SEEDS = 60


def assess(cell, seed, connected, circuit=pipeline.DEMO_CIRCUIT):
    """Sweep an emulated cell with noise of its own and take the spectrum to a verdict."""
    device = EmulatedPotentiostat(cell, clock=FastClock(), rng=np.random.default_rng(seed))
    spectrum = connected(device).sweep_spectrum(pipeline.DEMO_SWEEP)
    return pipeline.assess(spectrum, pipeline.DEMO_CELL, SPEC, circuit=circuit)


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="folder cannot be made"):
        pipeline.demonstrate(tmp_path / "file" / "out")


def test_an_output_that_exists_is_not_measured_over(tmp_path):
    (tmp_path / "cell.nc").write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        pipeline.measure("sim::symmetric-cell", pipeline.DEMO_SWEEP, tmp_path / "cell.nc")
    assert (tmp_path / "cell.nc").read_text() == "precious"


def test_a_consumer_that_fails_leaves_every_point_so_far_in_the_journal(tmp_path):
    seen = []

    def fail(point):
        seen.append(point)
        if len(seen) == 9:
            raise RuntimeError("the user's own code failed")

    with pytest.raises(RuntimeError, match="own code"):
        pipeline.measure("sim::symmetric-cell", pipeline.DEMO_SWEEP, tmp_path / "cell.nc", on_point=fail)
    from instruments.journal import journal_to_spectrum

    kept = journal_to_spectrum(tmp_path / "cell.nc.journal.jsonl")
    assert len(kept) == 9
    assert not (tmp_path / "cell.nc").exists()


def test_stated_intervals_hold_the_truth_of_the_demonstration_cell(connected):
    inside = {"R0": 0, "R1": 0, "R2": 0}
    pulls = []
    for seed in range(SEEDS):
        one = assess(SYMMETRIC, seed, connected)
        assert one.judgement.verdict is Verdict.FAIL, seed
        assert one.validity.verdict == "valid", (seed, one.validity.because)
        for name in inside:
            pull = (one.fit.value(name) - SYMMETRIC.truth[name]) / one.fit[name].u
            pulls.append(pull)
            inside[name] += abs(pull) <= 2
    fewest = binom.ppf(0.001, SEEDS, 0.9545)
    assert all(count >= fewest for count in inside.values()), inside
    assert abs(np.mean(pulls)) < 0.35
    assert np.std(pulls) == pytest.approx(1, abs=0.2)


def test_an_interface_near_the_limit_is_never_passed_or_failed(connected):
    for seed in range(30):
        for circuit in (pipeline.DEMO_CIRCUIT, None) if seed < 4 else (pipeline.DEMO_CIRCUIT,):
            one = assess(NEAR_TARGET, seed, connected, circuit)
            assert one.judgement.verdict is Verdict.NOT_RESOLVED, (seed, one.judgement)
            assert any("MHz" in text for text in one.judgement.would_change)


def test_without_a_circuit_the_data_choose_the_true_one(connected):
    one = assess(SYMMETRIC, 0, connected, circuit=None)
    assert one.fit.circuit == SYMMETRIC.circuit
    assert one.candidates[0][0] == SYMMETRIC.circuit
    assert len(one.candidates) == 6


def test_the_demonstration_writes_what_it_says_and_its_spectra_read_back(tmp_path):
    points = []
    shown = pipeline.demonstrate(tmp_path / "demo", on_point=points.append)
    assert [one.judgement.verdict for one in shown.assessments] == [Verdict.FAIL, Verdict.NOT_RESOLVED]
    assert len(points) == 2 * len(pipeline.DEMO_SWEEP.frequencies_hz)
    for path in shown.files:
        assert path.stat().st_size > 0
    for path, one in zip(shown.files, shown.assessments, strict=False):
        spectrum = read(path)
        assert np.array_equal(spectrum.z_ohm, one.spectrum.z_ohm)
        assert spectrum.metadata["source"] == "emulator"
        assert spectrum.metadata["instrument_verified"] is False
