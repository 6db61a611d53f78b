"""The reference spectra: what their script writes, and what each is said to prove."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import eis
from eis import shipped
from eis.spectrum import Quality
from fitting import fit

FOLDER = shipped.folder() / "reference"
SCRIPT = Path(__file__).parents[1] / "examples" / "make_reference_spectra.py"
BOLTZMANN_EV = 8.617333262e-5
WRONG = ("inverted_sign", "mains_polluted", "drifting")


def test_the_files_are_what_their_script_writes(tmp_path):
    if not SCRIPT.exists():
        pytest.skip("examples/make_reference_spectra.py is not here")
    spec = spec_from_file_location("make_reference_spectra", SCRIPT)
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FOLDER.iterdir()}
    for path in tmp_path.iterdir():
        np.testing.assert_allclose(eis.read(path).all_z_ohm, eis.read(FOLDER / path.name).all_z_ohm, rtol=1e-9)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.stem)
def test_sound_ones_are_valid_and_the_others_are_not(path):
    assert (eis.validate(eis.read(path)).verdict == "invalid") == (path.stem in WRONG)


def test_the_half_cell_is_fitted_to_its_truth():
    spectrum = eis.read(FOLDER / "half_cell.csv")
    fitted = fit(spectrum.metadata["circuit"], spectrum)
    for name, value in {"R0": 8.0, "R1": 12.0, "R2": 6.0, "W1": 1.5}.items():
        assert abs(fitted.value(name) - value) < 4 * fitted[name].u


def test_four_temperatures_give_the_activation_energies():
    kelvin, fits = [], []
    for name, celsius in (("minus25C", -25.0), ("plus0C", 0.0), ("plus25C", 25.0), ("plus60C", 60.0)):
        spectrum = eis.read(FOLDER / f"blocking_pellet_{name}.csv")
        assert spectrum.metadata["temperature_c"] == celsius
        kelvin.append(celsius + 273.15)
        fits.append(fit("p(R1,C1)-p(R2,CPE2)-CPE3", spectrum))
    for name, truth_ev in (("R1", 0.35), ("R2", 0.45)):
        values = np.array([one.value(name) for one in fits])
        relative_u = np.array([one[name].u for one in fits]) / values
        (slope, _), covariance = np.polyfit(
            1 / np.array(kelvin), np.log(values), 1, w=1 / relative_u, cov="unscaled"
        )
        u = np.sqrt(covariance[0, 0])
        assert abs(slope - truth_ev / BOLTZMANN_EV) < 3 * u
        assert u * BOLTZMANN_EV < 0.01


@pytest.mark.parametrize(("arm", "ratio"), [("filled", 0.6), ("control", 0.98)])
def test_a_filled_cell_and_its_control_shrink_as_said(arm, ratio):
    fits = [
        fit("L0-R0-p(R1,CPE1)-p(R2,CPE2)", eis.read(FOLDER / f"filling_{arm}_{moment}.csv"))
        for moment in ("before", "after")
    ]
    for name in ("R1", "R2"):
        before, after = fits[0][name], fits[1][name]
        u = ratio * np.hypot(before.u / before.value, after.u / after.value)
        assert abs(after.value / before.value - ratio) < 4 * u


def test_milliohms_behind_a_lead_are_found():
    spectrum = eis.read(FOLDER / "inductive_milliohm_cell.csv")
    fitted = fit(spectrum.metadata["circuit"], spectrum)
    for name, value in {"L0": 1e-7, "R0": 4e-3, "R1": 3e-3, "R2": 5e-3}.items():
        assert abs(fitted.value(name) - value) < 4 * fitted[name].u


def test_drift_shows_in_the_points_measured_twice():
    spectrum = eis.read(FOLDER / "drifting.csv")
    again = (spectrum.quality & int(Quality.DUPLICATE)) != 0
    assert again.sum() == 6
    first = [
        spectrum.z_ohm[np.flatnonzero(spectrum.frequency_hz == f)[0]] for f in spectrum.all_frequency_hz[again]
    ]
    assert np.mean(spectrum.all_z_ohm[again] / first).real == pytest.approx(1.02, abs=0.002)


def test_the_hum_is_where_the_metadata_say():
    spectrum = eis.read(FOLDER / "mains_polluted.csv")
    off = np.abs(eis.validate(spectrum).residual_real)
    assert set(np.argsort(off)[-4:]) == set(spectrum.metadata["points"])
