"""Re-fit spectra in memory, or in the chunks of dask arrays: a Dataset in, a Dataset of parameters out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eis.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr

ALONG = "frequency"
PARTS = ("z_real", "z_imag")


def refit_dataset(
    dataset: xr.Dataset, circuit: str, *, weight: str = "modulus", seed: int = 0, client: Any = None
) -> xr.Dataset:
    """Fit one circuit to every spectrum of a Dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        `z_real` and `z_imag` (ohm) over ``frequency`` (Hz, falling) and any other dimensions, as
        `Collection.to_xarray` returns it; of NumPy or of dask arrays.
    circuit : str
        The circuit.
    weight, seed
        As in `fitting.bulk.fit_many`.
    client : dask.distributed.Client, optional
        Computes the dask arrays before they are returned; without it they stay to be computed.

    Returns
    -------
    xarray.Dataset
        Over the other dimensions: every parameter with its unit and its ``u_``, chi2, reduced_chi2, converged and
        suspicious. A spectrum that is NaN throughout has NaN.

    Raises
    ------
    ConfigError
        If a variable or the dimension is missing.
    FitError
        If the points are too few, or the grid does not fall.
    """
    import xarray as xr

    from fitting.circuit import parse

    missing = [name for name in (*PARTS, ALONG) if name not in dataset]
    if missing or any(ALONG not in dataset[name].dims for name in PARTS):
        raise ConfigError(
            f"The dataset has no {missing[0] if missing else 'dimension frequency'}",
            where="dataset",
            mend="Give z_real and z_imag over frequency, as Collection.to_xarray returns them for one grid.",
        )
    parsed = parse(circuit)
    frequency = np.asarray(dataset[ALONG], dtype=float)
    columns = [*parsed.names, *(f"u_{name}" for name in parsed.names), *SAID]
    options = {"frequency_hz": frequency, "circuit": str(parsed), "weight": weight, "seed": seed}
    fitted = xr.apply_ufunc(
        _fit_block,
        *(dataset[name] for name in PARTS),
        kwargs=options,
        input_core_dims=[[ALONG], [ALONG]],
        output_core_dims=[["column"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"column": len(columns)}, "allow_rechunk": True},
        output_dtypes=[float],
    )
    units = dict(zip(parsed.names, (one.unit for one in parsed.parameters), strict=True))
    result = xr.Dataset({name: fitted.isel(column=i) for i, name in enumerate(columns)})
    for name in SAID[2:]:
        result[name] = result[name] == 1.0
    for name in parsed.names:
        result[name].attrs["units"] = result[f"u_{name}"].attrs["units"] = units[name]
    result.attrs = {"circuit": str(parsed), "weight": weight, "seed": seed}
    return client.compute(result, sync=True) if client is not None else result


SAID = ("chi2", "reduced_chi2", "converged", "suspicious")


def _fit_block(
    z_real: NDArray[Any], z_imag: NDArray[Any], *, frequency_hz: NDArray[Any], circuit: str, weight: str, seed: int
) -> NDArray[np.float64]:
    """Fit a block, shape (…, points); return its results, shape (…, columns)."""
    from fitting.bulk import fit_many

    flat = np.asarray(z_real, dtype=float).reshape(-1, frequency_hz.size)
    z = flat + 1j * np.asarray(z_imag, dtype=float).reshape(flat.shape)
    there = np.isfinite(z).any(axis=1)
    chosen: Any = weight
    batch = fit_many(
        circuit, frequency_hz, z[there] if there.any() else np.ones_like(z[:1]), weight=chosen, seed=seed
    )
    found = np.column_stack([batch.values, batch.u, *(getattr(batch, name) for name in SAID)]).astype(float)
    out = np.full((z.shape[0], found.shape[1]), np.nan)
    if there.any():
        out[there] = found
    return out.reshape(*z_real.shape[:-1], -1)
