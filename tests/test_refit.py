"""Archives re-fitted: every file accounted for, the same table whatever the workers, and killed runs go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from eis import refit as module
from eis.archive import write
from eis.errors import ConfigError, StoreError
from eis.refit import refit
from tests.truth import TwoArcs

TRUTH = TwoArcs()


@pytest.fixture
def archive(tmp_path):
    """Ten spectra on one grid, two on another, one broken file."""
    folder = tmp_path / "archive"
    (folder / "deeper").mkdir(parents=True)
    for seed in range(10):
        write(TRUTH.spectrum(noise=1e-3, seed=seed), folder / f"cell_{seed}.csv")
    for seed in range(2):
        coarse = TRUTH.spectrum(noise=1e-3, seed=seed, frequency=np.geomspace(5e5, 1, 40))
        write(coarse, folder / "deeper" / f"cell_{seed}.csv")
    (folder / "broken.mpt").write_text("not a spectrum")
    return folder


def table(path):
    return pd.read_csv(path, comment="#") if path.suffix == ".csv" else pd.read_parquet(path)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [("out.xlsx", ConfigError, ".parquet or .csv"), ("there.csv", StoreError, "exists already")],
)
def test_a_table_that_cannot_be_written_is_refused_before_the_work(archive, tmp_path, name, error, words):
    (tmp_path / "there.csv").write_text("precious")
    with pytest.raises(error, match=words):
        refit(archive, TRUTH.circuit, tmp_path / name)


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("missing", "empty"):
        with pytest.raises(ConfigError, match="folder"):
            refit(tmp_path / folder, TRUTH.circuit, tmp_path / "out.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_file_has_its_rows_and_the_values_are_the_truth(archive, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    done = refit(archive, TRUTH.circuit, out)
    assert (done.n_files, done.n_spectra, done.n_failed, done.n_suspicious) == (13, 12, 1, 0)
    frame = table(out)
    assert len(frame) == 13
    good = frame[frame["error"].isna()]
    assert np.all(np.abs(good["R2"] - TRUTH.r2) < 4 * good["u_R2"])
    assert good["sha256"].str.len().eq(64).all()
    bad = frame[frame["error"].notna()]
    assert "No reader recognises" in bad["error"].iloc[0]
    assert not list(tmp_path.glob("*.partial.jsonl"))


def test_the_table_does_not_depend_on_the_number_of_workers(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    for workers in (1, 2):
        refit(archive, TRUTH.circuit, tmp_path / f"{workers}.csv", workers=workers)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_a_run_that_stopped_goes_on_and_gives_the_same_table(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    refit(archive, TRUTH.circuit, tmp_path / "whole.csv")
    out = tmp_path / "out.csv"

    def stop(done, total):
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refit(archive, TRUTH.circuit, out, on_files=stop)
    partial = out.with_name("out.csv.partial.jsonl")
    with partial.open("ab") as file:
        file.write(b'{"files": ["torn')  # as a kill in the middle of a write leaves it
    done = refit(archive, TRUTH.circuit, out)
    assert done.n_resumed == 6
    assert table(out).equals(table(tmp_path / "whole.csv"))


def test_a_partial_result_of_another_run_is_not_mixed_in(archive, tmp_path):
    out = tmp_path / "out.csv"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refit(archive, TRUTH.circuit, out, on_files=stop)
    with pytest.raises(StoreError, match="another run"):
        refit(archive, "R0-p(R1,CPE1)", out)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill -9")
def test_a_run_killed_outright_goes_on(archive, tmp_path):
    for i in range(300):
        shutil.copy(archive / "cell_0.csv", archive / f"more_{i}.csv")
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "eis", "refit", str(archive), "--circuit", TRUTH.circuit, "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    partial = out.with_name("out.csv.partial.jsonl")
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if partial.is_file() and partial.read_bytes().count(b"\n") >= 2:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    process.communicate(timeout=60)
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    (entry,) = json.loads(again.stdout)["results"]
    assert again.returncode == 4  # one file is broken
    assert entry["n_spectra"] == 312
    assert entry["n_resumed"] >= 64 or out.is_file()
    assert len(table(out)) == 313
