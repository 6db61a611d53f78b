"""`eis drt` and the drawings of a distribution."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from eis.archive import write
from eis.cli.drt import drt as command
from eis.drt_plots import plot_drt, plot_drt_map
from eis.drt_series import places_of, series_to_xarray
from eis.errors import ConfigError
from eis.spectrum import Spectrum
from fitting.relaxation import drt

F = np.geomspace(1e6, 0.1, 71)


def z(scale=1.0):
    w = 2j * np.pi * F
    rng = np.random.default_rng(0)
    noise = 1 + 0.002 * (rng.standard_normal(F.size) + 1j * rng.standard_normal(F.size))
    return (10 + 50 * scale / (1 + (w * 1e-2) ** 0.85) + 30 / (1 + (w * 1e-5) ** 0.9)) * noise


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cell.csv"
    rows = [f"{f:.8g},{v.real:.8g},{v.imag:.8g}" for f, v in zip(F, z(), strict=True)]
    path.write_text("frequency_hz,real_ohm,imag_ohm\n" + "\n".join(rows) + "\n")
    return path


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_wrong_option_is_named(file):
    for options, says in (
        (("--method", "magic"), "not a choice"),
        (("--lambda", "best"), "no strength"),
        (("--window", "1"), "no window"),
        (("--window", "1:0.1"), "empty"),
    ):
        with pytest.raises(ConfigError, match=says):
            raise run(file, *options).exception


def test_json_is_one_document_and_a_bad_file_does_not_stop_it(file, tmp_path):
    bad = tmp_path / "short.csv"
    bad.write_text("frequency_hz,real_ohm,imag_ohm\n" + "".join(f"{f},1,-1\n" for f in range(20, 10, -1)))
    done = run(bad, file, "--json", "--plot", tmp_path / "out", "--window", "1e-6:1e-4")
    assert done.exit_code == 4
    document = json.loads(done.stdout)
    assert document["schema"] == "eis.drt/1"
    wrong, good = document["results"]
    assert "decades" in wrong["error"]["message"]
    assert {"file", "r_inf_ohm", "peaks", "lambda"} <= set(good)
    assert [p["r_ohm"] for p in good["peaks"]] == pytest.approx([30, 50], rel=0.05)
    assert good["windows"][0]["r_ohm"] == pytest.approx(30, rel=0.1)
    assert (tmp_path / "out" / "cell.csv.drt.png").stat().st_size > 5000


def test_the_table_names_peaks_and_a_circuit_to_try(file):
    done = run(file)
    assert done.exit_code == 0
    assert "R0-p(R1,CPE1)-p(R2,CPE2)" in done.stdout
    assert "separable" in done.stdout


def test_a_drawing_says_when_there_is_no_peak():
    axes = plot_drt(drt(Spectrum.of(F, np.full(F.size, 5 + 0j))))
    assert any(
        "no peak" in str(a.get_children()[0].get_text() if hasattr(a, "get_text") else a.txt.get_text())
        for a in axes.artists
    )


def test_a_map_needs_a_place_for_each():
    series = [drt(Spectrum.of(F, z(k))) for k in (1, 2, 3)]
    with pytest.raises(ConfigError, match="one place for each"):
        plot_drt_map(series, [1, 2])
    with pytest.raises(ConfigError, match="Several spectra of the series stand at 25"):
        plot_drt_map(series, [25, 25, 40])
    with pytest.raises(ConfigError, match="not a number"):
        plot_drt_map(series, [25, np.nan, 40])
    with pytest.raises(ConfigError, match="at least two"):
        plot_drt_map(series[:1], [25])
    assert plot_drt_map(series, [25, 40, 60], label="T / °C").get_ylabel() == "T / °C"


def test_a_map_and_its_dataset_hold_each_spectrum_in_its_place_and_nothing_where_it_was_not_measured():
    shorter = F[:51]
    series = [drt(Spectrum.of(F, z(2))), drt(Spectrum.of(shorter, z(1)[:51]))]
    axes = plot_drt_map(series, [60, 25], label="T / °C")
    drawn = axes.collections[0].get_array()
    assert drawn.shape[0] == 2
    assert drawn.mask[0].any()  # the lower row, 25 °C, is the short sweep
    assert not drawn.mask[1].any()
    dataset = series_to_xarray(series, [60, 25], against="temperature_c")
    assert dataset["gamma"].sel(temperature_c=25).isnull().any()
    assert dataset["peak_r"].sel(temperature_c=60).values[:2] == pytest.approx([30, 100], rel=0.05)
    log_tau = np.log(dataset["tau"].values)
    area = np.trapezoid(dataset["gamma"].sel(temperature_c=60).fillna(0).values, log_tau)
    assert area == pytest.approx(130, rel=0.02)


def test_places_come_from_metadata_or_a_column_and_what_is_missing_is_said():
    warm = Spectrum.of(F, z(), metadata={"temperature_c": 60.0, "name": "warm"})
    cold = Spectrum.of(
        F, z(), columns={"temperature_c": np.linspace(24, 26, F.size), "time_s": F}, metadata={"cycle": 3}
    )
    assert places_of([warm, cold], "temperature_c") == pytest.approx([60, 25])
    assert list(places_of([warm, cold], "index")) == [1, 2]
    for against in ("cycle", "time_s", "pressure_mpa"):  # a column of time is that of the sweep
        with pytest.raises(ConfigError, match=f"does not say its {against}"):
            places_of([warm, cold], against)
    with pytest.raises(ConfigError, match="no coordinate 'soc'"):
        places_of([warm], "soc")


def test_the_command_draws_a_map_over_what_the_files_state(tmp_path):
    files = [tmp_path / f"at_{t}.nc" for t in (25, 60)]
    for path, t in zip(files, (25.0, 60.0), strict=True):
        write(Spectrum.of(F, z(25 / t), metadata={"temperature_c": t}), path)
    drawn = tmp_path / "maps" / "map.png"
    done = run(*files, "--map", drawn, "--against", "temperature_c")
    assert done.exit_code == 0
    assert drawn.read_bytes().startswith(b"\x89PNG")
    undrawn = run(*files, "--map", drawn, "--against", "pressure_mpa")
    assert undrawn.exit_code == 2
    assert "does not say its pressure_mpa" in undrawn.stderr
    assert "R∞" in undrawn.stdout  # what was found is told all the same
    for options, says in (
        (("--map", drawn, "--against", "weather"), "not a choice"),
        (("--map", tmp_path / "map.txt"), "no drawing"),
    ):
        with pytest.raises(ConfigError, match=says):
            raise run(*files, *options).exception
