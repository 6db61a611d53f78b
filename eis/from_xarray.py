"""From an `xarray.Dataset` back to spectra: one of them, or one for each place along another dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eis.errors import SpectrumError
from eis.spectrum import Quality, RealArray, Spectrum

if TYPE_CHECKING:
    import xarray as xr

ALONG = "frequency"
MEND = "Give variables z_real and z_imag (ohm) over the coordinate frequency (Hz), and at most one dimension more."


def spectra_of(dataset: xr.Dataset) -> list[Spectrum]:
    """Return the spectra of a Dataset, the inverse of `Spectrum.to_xarray`.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``z_real`` and ``z_imag`` (ohm) over ``frequency`` (Hz), and at most one dimension more, such as
        time, temperature or state of charge; points that are NaN are flagged, and left out of fits. ``quality``
        and other numbers over ``frequency`` alone are kept as columns.

    Returns
    -------
    list of Spectrum
        In the order of the other dimension, whose coordinate goes into each one's metadata under its name.

    Raises
    ------
    SpectrumError
        If the Dataset is not of this shape.
    """
    missing = [name for name in ("z_real", "z_imag") if name not in dataset.data_vars]
    if missing or ALONG not in dataset.coords:
        what = ", ".join(missing) or f"the coordinate {ALONG}"
        raise SpectrumError(f"The Dataset has no {what}", where="xarray.Dataset", mend=MEND)
    others = [str(name) for name in dataset["z_real"].dims if name != ALONG]
    if ALONG not in dataset["z_real"].dims or len(others) > 1 or set(dataset["z_imag"].dims) != {ALONG, *others}:
        shapes = f"z_real over {dataset['z_real'].dims}, z_imag over {dataset['z_imag'].dims}"
        raise SpectrumError(f"The Dataset has {shapes}", where="xarray.Dataset", mend=MEND)
    if not others:
        return [_spectrum(dataset, {})]
    along = others[0]
    spectra = []
    for i in range(dataset.sizes[along]):
        place = dataset[along].values[i].item() if along in dataset.coords else i
        spectra.append(_spectrum(dataset.isel({along: i}), {along: place}))
    return spectra


def _spectrum(dataset: xr.Dataset, place: dict[str, Any]) -> Spectrum:
    frequency, real, imaginary = (
        np.asarray(dataset[name].values, dtype=np.float64) for name in (ALONG, "z_real", "z_imag")
    )
    z = real + 1j * imaginary
    quality = np.zeros(z.size, dtype=np.int64)
    columns: dict[str, RealArray] = {}
    for name, values in dataset.data_vars.items():
        if name == "quality" and values.dims == (ALONG,):
            quality = quality | np.asarray(values.values, dtype=np.int64)
        elif name not in ("z_real", "z_imag") and values.dims == (ALONG,) and values.dtype.kind in "fiu":
            columns[str(name)] = np.asarray(values.values, dtype=np.float64)
    quality = np.where(np.isfinite(z), quality, quality | int(Quality.NOT_A_NUMBER))
    metadata = {str(key): value for key, value in dataset.attrs.items() if isinstance(value, (str, int, float))}
    return Spectrum.of(frequency, z, quality=quality, columns=columns, metadata={**metadata, **place})
