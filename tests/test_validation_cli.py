"""`eis validate` as it is typed: every option, and what does not go together."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from eis import archive
from eis.cli.fits import fit
from eis.cli.validate import validate
from eis.errors import ConfigError
from eis.spectrum import Spectrum
from tests.truth import FREQUENCY, TwoArcs, noisy

CELL = TwoArcs()


def run(*arguments, command=validate):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def write(tmp_path):
    def to(name, z, frequency=FREQUENCY, **more):
        return archive.write(Spectrum.of(frequency, z, **more), tmp_path / name)

    return to


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--against", "cycle"), "no map to draw"),
        (("--map", "m.png", "--against", "colour"), "'colour' is not a choice"),
        (("--weights", "w.nc"), "one measurement and its repeats"),
        (("--current-resistor", "10"), "one measurement and its repeats"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_read(options, said):
    with pytest.raises(ConfigError, match=said):
        raise run("nothing.nc", *options).exception


def test_a_coordinate_that_the_files_do_not_state_is_named(write, tmp_path):
    file = write("a.nc", CELL.z(), metadata={"cycle": 3})
    done = run(file, "--map", tmp_path / "m.png", "--against", "temperature_c", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["error"]["code"]) == (2, "config")
    assert "do not state temperature_c" in document["error"]["message"]
    assert document["results"][0]["verdict"] == "valid"  # what was found is told all the same
    assert not (tmp_path / "m.png").exists()


def test_repeats_on_another_grid_make_no_weights(write, tmp_path):
    file = write("a.nc", CELL.z())
    other = write("b.nc", CELL.z(FREQUENCY[:60]), FREQUENCY[:60])
    done = run(file, "--repeat", other, "--weights", tmp_path / "w.nc")
    assert done.exit_code == 4
    assert "same frequencies" in done.stderr
    assert "valid" in done.stdout


def test_a_spectrum_too_short_and_a_file_that_is_missing_do_not_stop_the_others(write, tmp_path):
    short, good = write("short.nc", np.ones(5), FREQUENCY[:5]), write("good.nc", noisy(CELL.z(), 1e-3, 1))
    done = run(short, tmp_path / "missing.nc", good, "--json")
    assert done.exit_code == 4
    first, second, third = json.loads(done.stdout)["results"]
    assert "too few" in first["error"]["message"]
    assert "no such file" in second["error"]["message"]
    assert third["verdict"] == "valid"


def test_the_table_and_the_document_say_what_z_hit_found(write):
    good = write("good.nc", noisy(CELL.z(), 1e-3, 1))
    bad = write("bad.nc", noisy(CELL.z(), 1e-3, 1) * np.where(FREQUENCY < 30, 1.05, 1))
    done = run(good, bad, "--json")
    assert done.exit_code == 3
    sound, stepped = json.loads(done.stdout)["results"]
    assert {"file", "verdict", "method", "m", "mu", "rms_residual", "max_residual", "because"} <= set(sound)
    assert sound["zhit"]["agrees"]
    assert abs(stepped["zhit"]["max_deviation"]) > 0.02
    table = run(bad).stdout
    assert "Z-HIT" in table
    assert "phase asks" in " ".join(table.split())


def test_a_sweep_back_and_another_amplitude_are_compared(write):
    file = write("a.nc", noisy(CELL.z(), 5e-4, 1))
    back = write("back.nc", noisy(1.02 * CELL.z(FREQUENCY[::-1]), 5e-4, 2), FREQUENCY[::-1])
    small = write("small.nc", noisy(TwoArcs(r2=17.683 * 1.04).z(), 5e-4, 3))
    assert "drifted: in" in " ".join(run(file, "--repeat", back).stdout.split())
    assert "not linear" in " ".join(run(file, "--other-amplitude", small).stdout.split())
    assert run(file, "--repeat", file, "--other-amplitude", file).exit_code == 0


def test_columns_of_a_table_can_be_named(tmp_path):
    table = tmp_path / "odd.txt"
    z = noisy(CELL.z(), 1e-3, 1)
    rows = "\n".join(f"{f:.8g} {-one.imag:.8g} {one.real:.8g}" for f, one in zip(FREQUENCY, z, strict=True))
    table.write_text(f"first second third\n{rows}\n")
    assert run(table, "--columns", "frequency=1,imag=-2,real=3").exit_code == 0


def test_a_map_and_a_plot_of_each_are_drawn(write, tmp_path):
    files = [
        write(f"{t}.nc", noisy(CELL.z(), 1e-3, t), metadata={"temperature_c": float(t), "file": f"{t}.nc"})
        for t in (60, 25, 40)
    ]
    target = tmp_path / "maps" / "series.png"
    assert run(*files, "--map", target, "--against", "temperature_c", "--plot", tmp_path / "plots").exit_code == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "plots").glob("*.residuals.png"))) == 3


def test_the_noise_of_repeats_becomes_the_weights_of_a_fit(write, tmp_path):
    # σ = 0.2 % of |Z″| + 0.1 % of |Z′ − 22 Ω| + 1 mΩ + 0.05 % of |Z|²/100 Ω, eight times the same cell
    rng = np.random.default_rng(3)
    z = CELL.z()
    sigma = 2e-3 * abs(z.imag) + 1e-3 * abs(z.real - 22) + 1e-3 + 5e-4 * abs(z) ** 2 / 100
    files = [
        write(f"{k}.nc", z + sigma * (rng.standard_normal(71) + 1j * rng.standard_normal(71))) for k in range(8)
    ]
    repeats = [word for file in files[1:] for word in ("--repeat", file)]
    weighted = tmp_path / "weighted.nc"
    done = run(files[0], *repeats, "--weights", weighted, "--current-resistor", "100", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)["error_structure"]
    model = told["alpha"] * abs(z.imag) + told["beta"] * abs(z.real - told["r_solution_ohm"]) + told["delta_ohm"]
    np.testing.assert_allclose(model + told["gamma"] * abs(z) ** 2 / 100, sigma, rtol=0.25)
    fitted = run(weighted, "--circuit", CELL.circuit, "--weight", "variance", "--json", command=fit)
    assert fitted.exit_code == 0
    result = json.loads(fitted.stdout)["results"][0]
    assert 0.6 < result["reduced_chi2"] < 1.6  # 1 ± 0.12 if the weights are the noise
    value = {one["name"]: one for one in result["parameters"]}["R2"]
    assert abs(value["value"] - 17.683) < 4 * value["u"]
