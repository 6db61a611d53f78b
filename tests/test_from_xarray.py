"""Spectra back from an xarray.Dataset, and fits of one."""

import numpy as np
import pytest
import xarray as xr

from eis.errors import SpectrumError
from eis.from_xarray import spectra_of
from eis.spectrum import Quality
from fitting import fit
from tests.truth import FREQUENCY, TwoArcs

TRUTH = TwoArcs()


def stack(cells, noise=1e-3):
    spectra = [cell.spectrum(noise=noise, seed=i) for i, cell in enumerate(cells)]
    z = np.array([spectrum.z_ohm for spectrum in spectra])
    return xr.Dataset(
        {"z_real": (("temperature_c", "frequency"), z.real), "z_imag": (("temperature_c", "frequency"), z.imag)},
        coords={"frequency": spectra[0].frequency_hz, "temperature_c": 25.0 + 10 * np.arange(len(cells))},
    )


def test_a_spectrum_survives_the_way_through_xarray():
    spectrum = TRUTH.spectrum(noise=1e-3, seed=1)
    (again,) = spectra_of(spectrum.to_xarray())
    assert np.array_equal(again.z_ohm, spectrum.z_ohm)
    assert np.array_equal(again.frequency_hz, spectrum.frequency_hz)


def test_a_further_dimension_makes_a_sequence_that_keeps_its_coordinate():
    spectra = spectra_of(stack([TwoArcs(r2=20.0), TwoArcs(r2=10.0)]))
    assert [spectrum.metadata["temperature_c"] for spectrum in spectra] == [25.0, 35.0]


def test_a_dataset_is_fitted_as_one_or_as_a_sequence():
    fits = fit(TRUTH.circuit, stack([TwoArcs(r2=20.0), TwoArcs(r2=10.0)]), sequence=True)
    assert [one.value("R2") for one in fits] == pytest.approx([20.0, 10.0], rel=0.01)
    alone = fit(TRUTH.circuit, TRUTH.spectrum(noise=1e-3, seed=1).to_xarray())
    assert alone.value("R2") == pytest.approx(TRUTH.r2, rel=0.01)


def test_points_that_are_no_number_are_flagged_and_left_out():
    dataset = TRUTH.spectrum(noise=1e-3, seed=1).to_xarray()
    dataset = dataset.assign(z_real=dataset["z_real"].where(np.arange(FREQUENCY.size) != 5))
    (spectrum,) = spectra_of(dataset)
    assert spectrum.quality[5] & Quality.NOT_A_NUMBER
    assert len(spectrum.z_ohm) == FREQUENCY.size - 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: d.drop_vars("z_imag"), "has no z_imag"),
        (lambda d: d.drop_vars("frequency"), "coordinate frequency"),
        (lambda d: d.expand_dims("a").expand_dims("b"), "z_real over"),
        (lambda d: d.assign(z_imag=d["z_imag"].isel(frequency=0)), "z_imag over"),
    ],
)
def test_a_dataset_of_another_shape_is_refused_in_words(spoil, words):
    with pytest.raises(SpectrumError, match=words):
        spectra_of(spoil(TRUTH.spectrum(noise=1e-3, seed=1).to_xarray()))
