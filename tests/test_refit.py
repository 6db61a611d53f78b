"""Archives re-fitted: every file accounted for, the same table whatever the workers, and killed runs go on."""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from eis import refit_pool, refit_tasks, refit_work
from eis.archive import write
from eis.collection_writer import Writer
from eis.errors import ConfigError, StoreError
from eis.refit import refit
from eis.refit_dataset import refit_dataset
from eis.refit_page import write_page
from fitting.bulk import fit_many
from tests.truth import FREQUENCY, TwoArcs

TRUTH = TwoArcs()
ROOT = Path(__file__).parents[1]
CELLS, TEMPERATURES = ("A", "B"), np.arange(-20.0, 61.0, 10.0)
KB_EV = 8.617333262e-5
HAS_DASK = importlib.util.find_spec("distributed") is not None


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


def thermal(temperature_c, spread=1.0):
    """The two arcs at another temperature: 0.35 eV and 0.5 eV, the same capacitances."""
    x = 1 / (KB_EV * (temperature_c + 273.15)) - 1 / (KB_EV * 298.15)
    a, b = np.exp(0.35 * x) * spread, np.exp(0.5 * x) * spread
    return TwoArcs(r0=22 * a, r1=15 * a, f1=150e3 / a, r2=17.683 * b, f2=1.2e3 / b)


@pytest.fixture
def collection(tmp_path):
    """Two cells at nine temperatures, one file."""
    path = tmp_path / "archive.nc"
    with Writer(path) as writer:
        for i, cell in enumerate(CELLS):
            for j, temperature in enumerate(TEMPERATURES):
                truth = thermal(temperature, 1 + 0.1 * i)
                spectrum = truth.spectrum(noise=1e-3, seed=100 * i + j)
                writer.add(spectrum, cell=cell, temperature_c=float(temperature))
    return path


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


def test_a_coordinate_the_archive_does_not_have_is_refused_with_those_it_has(collection, tmp_path):
    with pytest.raises(ConfigError, match=r"no coordinate 'cycle'.*cell, temperature_c"):
        refit(collection, TRUTH.circuit, tmp_path / "out.csv", along="cycle")


def test_a_damaged_collection_is_told_in_its_rows_and_keeps_no_other_file_back(archive, collection, tmp_path):
    content = bytearray(collection.read_bytes())
    content[len(content) // 3 : len(content) // 2] = b"\x00" * (len(content) // 2 - len(content) // 3)
    (archive / "damaged.nc").write_bytes(bytes(content)[: len(content) // 2])
    done = refit(archive, TRUTH.circuit, tmp_path / "out.csv")
    assert (done.n_rows, done.n_failed) == (14, 2)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_file_has_its_rows_and_the_values_are_the_truth(archive, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    done = refit(archive, TRUTH.circuit, out)
    assert (done.n_rows, done.n_spectra, done.n_failed, done.n_suspicious) == (13, 12, 1, 0)
    frame = table(out)
    assert len(frame) == 13
    good = frame[frame["error"].isna()]
    assert np.all(np.abs(good["R2"] - TRUTH.r2) < 4 * good["u_R2"])
    assert good["sha256"].str.len().eq(64).all()
    bad = frame[frame["error"].notna()]
    assert "No reader recognises" in bad["error"].iloc[0]
    assert not out.with_name(out.name + ".parts").exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_collection_is_fitted_with_its_coordinates(collection, tmp_path, suffix):
    frame = table(refit(collection, TRUTH.circuit, tmp_path / f"out.{suffix}").out)
    assert list(frame["at_cell"]) == [cell for cell in CELLS for _ in TEMPERATURES]
    expected = [thermal(t, 1 + 0.1 * i).r2 for i in range(2) for t in TEMPERATURES]
    assert np.all(np.abs(frame["R2"] - expected) < 5 * frame["u_R2"])
    assert list(frame["index"]) == list(range(18))


def test_a_folder_of_parts_is_one_table_to_a_database(collection, tmp_path, monkeypatch):
    monkeypatch.setattr(refit_tasks, "SPECTRA", (5, 5))
    out = refit(collection, TRUTH.circuit, tmp_path / "parts").out
    assert len(list(out.glob("*.parquet"))) == 4
    assert len(pd.read_parquet(out)) == 18  # whatever else stands in the folder is left aside
    assert "Maps" in write_page(out, tmp_path / "page.html").read_text("utf-8")
    pd.testing.assert_frame_equal(
        pd.concat([pd.read_parquet(path) for path in sorted(out.glob("*.parquet"))], ignore_index=True),
        table(refit(collection, TRUTH.circuit, tmp_path / "whole.parquet").out),
    )
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.read_parquet(f"{out}/*.parquet").filter("at_cell = 'B'").aggregate("count(*)").limit(1)
    assert found.fetchall() == [(9,)]


@pytest.mark.filterwarnings("default")  # of the cluster's own sockets while it ends
def test_the_table_does_not_depend_on_the_number_of_workers(archive, tmp_path):
    for workers in (1, 2):
        refit(archive, TRUTH.circuit, tmp_path / f"{workers}.csv", workers=workers)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(not HAS_DASK, reason="dask.distributed is not installed")
def test_a_cluster_that_is_there_already_gives_the_same_table_and_listens_on_loopback_alone(collection, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    scheduler = subprocess.Popen([*words, "--no-dashboard"], env=environment, stderr=subprocess.DEVNULL)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1"]
    workers = subprocess.Popen(
        [*worker, "--no-dashboard", "--host", "127.0.0.1"],
        env=environment,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        done = refit(collection, TRUTH.circuit, tmp_path / "cluster.csv", scheduler=address)
    finally:
        for process in (workers, scheduler):
            process.terminate()
            process.wait(timeout=30)
    assert done.n_spectra == 18
    alone = refit(collection, TRUTH.circuit, tmp_path / "alone.csv").out
    assert (tmp_path / "cluster.csv").read_bytes() == alone.read_bytes()


@pytest.mark.skipif(not HAS_DASK, reason="dask.distributed is not installed")
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_refused_in_words(collection, tmp_path, monkeypatch):
    monkeypatch.setattr(refit_pool, "FINDS_S", 0.3)
    with pytest.raises(ConfigError, match="no scheduler"):
        refit(collection, TRUTH.circuit, tmp_path / "out.csv", scheduler="tcp://127.0.0.1:1")
    assert list(tmp_path.glob("out.csv*")) == []


def test_a_run_that_stopped_goes_on_and_gives_the_same_table(archive, tmp_path):
    refit(archive, TRUTH.circuit, tmp_path / "whole.csv")
    out = tmp_path / "out.csv"

    def stop(done, total):
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refit(archive, TRUTH.circuit, out, on_progress=stop)
    with (tmp_path / "out.csv.parts" / "done.jsonl").open("ab") as file:
        file.write(b'{"number": 7, "n_ro')  # as a kill in the middle of a write leaves it
    done = refit(archive, TRUTH.circuit, out)
    assert done.n_resumed == 6
    assert table(out).equals(table(tmp_path / "whole.csv"))


def test_a_partial_result_of_another_run_or_of_changed_files_is_not_mixed_in(archive, tmp_path):
    out = tmp_path / "out.csv"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refit(archive, TRUTH.circuit, out, on_progress=stop)
    with pytest.raises(StoreError, match="another run"):
        refit(archive, "R0-p(R1,CPE1)", out)
    (archive / "broken.mpt").write_text("changed since")
    with pytest.raises(StoreError, match="another archive"):
        refit(archive, TRUTH.circuit, out)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill -9")
def test_a_run_killed_outright_goes_on_and_does_less_than_one_percent_again(archive, tmp_path):
    for i in range(300):
        shutil.copy(archive / "cell_0.csv", archive / f"more_{i}.csv")
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "eis", "refit", str(archive), "--circuit", TRUTH.circuit, "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    log = tmp_path / "out.csv.parts" / "done.jsonl"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if log.is_file() and log.read_bytes().count(b"\n") >= 30:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate(timeout=60)
    kept = log.read_bytes().count(b"\n")
    made = len(list(log.parent.glob("part-*.csv")))
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    (entry,) = json.loads(again.stdout)["results"]
    assert again.returncode == 4  # one file is broken
    assert (entry["n_spectra"], entry["n_resumed"]) == (312, kept)
    assert made - kept <= 1
    assert len(table(out)) == 313


def test_neighbours_along_a_coordinate_mend_a_fit_that_went_astray(collection, tmp_path, monkeypatch):
    def astray(*words, **options):
        batch = fit_many(*words, **options)
        if options.get("start") is None:
            batch.values[4] = batch.values[4, [0, 1, 5, 6, 7, 2, 3, 4]] * 3
            batch.chi2[4] *= 1e6
            batch.suspicious[4] = True
        return batch

    monkeypatch.setattr(refit_tasks, "SPECTRA", (64, 64))
    monkeypatch.setattr("fitting.bulk.fit_many", astray)
    plain = table(refit(collection, TRUTH.circuit, tmp_path / "plain.csv").out)
    helped = table(
        refit(collection, TRUTH.circuit, tmp_path / "out.csv", along="temperature_c", within="cell").out
    )
    truth = thermal(TEMPERATURES[4]).r2
    assert abs(plain["R2"][4] - truth) > 5 * plain["u_R2"][4]
    assert abs(helped["R2"][4] - truth) < 5 * helped["u_R2"][4]
    assert not helped["suspicious"][4]


# --- in memory


def test_a_dataset_gives_what_the_bulk_fit_gives_over_its_own_dimensions(collection):
    from eis.collection import open_collection

    with open_collection(collection) as opened:
        dataset = opened.to_xarray("cell", "temperature_c")
    dataset["z_real"][0, 0] = np.nan
    dataset["z_imag"][0, 0] = np.nan
    result = refit_dataset(dataset, TRUTH.circuit)
    assert result["R2"].dims == ("cell", "temperature_c")
    assert result["R2"].attrs["units"] == "ohm"
    assert np.isnan(result["R2"][0, 0])
    z = (dataset["z_real"] + 1j * dataset["z_imag"]).values[1]
    alone = fit_many(TRUTH.circuit, dataset["frequency"].values, z)
    np.testing.assert_allclose(result["R2"][1], alone.values[:, 5], rtol=1e-8)


def test_a_dataset_of_dask_chunks_gives_the_same(collection):
    pytest.importorskip("dask")
    z = np.array([thermal(t).z() for t in TEMPERATURES])
    coordinates = {"temperature_c": TEMPERATURES, "frequency": FREQUENCY}
    parts = {"z_real": z.real, "z_imag": z.imag}
    dataset = xr.Dataset({name: (tuple(coordinates), part) for name, part in parts.items()}, coordinates)
    lazy = refit_dataset(dataset.chunk(temperature_c=4), TRUTH.circuit)
    assert lazy["R2"].chunks is not None
    np.testing.assert_allclose(lazy["R2"], refit_dataset(dataset, TRUTH.circuit)["R2"], rtol=1e-6)


def test_a_dataset_without_impedance_is_refused(collection):
    with pytest.raises(ConfigError, match="no z_real"):
        refit_dataset(xr.Dataset({"x": ("frequency", [1.0])}, {"frequency": [1.0]}), TRUTH.circuit)


# --- the page


def test_the_page_shows_maps_activation_energies_and_what_failed(archive, collection, tmp_path):
    shutil.copy(collection, archive / "more.nc")
    out = refit(archive, TRUTH.circuit, tmp_path / "out.csv").out
    page = write_page(out, tmp_path / "page.html", area_cm2=1.131).read_text("utf-8")
    assert "No reader recognises" in page
    assert "broken.mpt" in page
    assert page.count("<svg") >= 2
    assert not re.findall(r'(?:src|href)="(?![#"])(?!data:)|url\((?!#)|<script|@import', page)


def test_the_activation_energies_on_the_page_are_those_of_the_cells(collection, tmp_path):
    from eis.refit_page import activation_energies

    frame = table(refit(collection, TRUTH.circuit, tmp_path / "out.csv").out)
    found = activation_energies(frame, "R2")
    assert [one.series for one in found] == list(CELLS)
    assert [one.energy_ev for one in found] == pytest.approx([0.5, 0.5], abs=0.002)
    assert refit_work.header(TRUTH.circuit, ())[:5] == ("file", "sha256", "index", "error", "n_points")
