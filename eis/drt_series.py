"""A series of distributions of relaxation times: where each stands, and all of them in one Dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from eis.drt_record import Drt
from eis.errors import ConfigError
from eis.spectrum import RealArray, Spectrum

if TYPE_CHECKING:
    import xarray as xr

AGAINST: dict[str, tuple[str, str]] = {
    "index": ("spectrum", "1"),
    "temperature_c": ("temperature / °C", "degC"),
    "pressure_mpa": ("pressure / MPa", "MPa"),
    "time_s": ("time / s", "s"),
    "cycle": ("cycle", "1"),
}
"""What a series may go over: its label on an axis, and its unit."""
PER_DECADE = 60
"""Points in a decade of the common grid of τ."""


def places_of(spectra: Sequence[Spectrum], against: str) -> RealArray:
    """Return where each spectrum of a series stands.

    Parameters
    ----------
    spectra : sequence of Spectrum
        The series.
    against : {"index", "temperature_c", "pressure_mpa", "time_s", "cycle"}
        Its coordinate: 1, 2, … in the order given; or the value of that name in the metadata; or the mean of the
        column of that name (but of ``time_s``, which as a column is the time within a sweep).

    Returns
    -------
    ndarray, shape (len(spectra),)
        In the unit of the name.

    Raises
    ------
    ConfigError
        If there is no such coordinate, or a spectrum does not state it.
    """
    if against not in AGAINST:
        raise ConfigError(
            f"A series has no coordinate {against!r}", where="--against", mend=f"Choose {', '.join(AGAINST)}."
        )
    if against == "index":
        return np.arange(1.0, len(spectra) + 1)
    out = np.full(len(spectra), np.nan)
    for i, spectrum in enumerate(spectra):
        value = spectrum.metadata.get(against)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            out[i] = float(value)
        elif against != "time_s" and against in spectrum.columns:
            out[i] = float(np.mean(spectrum.columns[against][spectrum.used]))
        if not math.isfinite(out[i]):
            raise ConfigError(
                f"{spectrum.name} does not say its {against}",
                where="--against",
                mend="Choose a coordinate that all files state, or index for the order they are given in.",
            )
    return out


def checked_places(series: Sequence[Drt], along: ArrayLike) -> RealArray:
    """Return the places of a series of at least two distributions, or raise ConfigError if they do not fit."""
    place = np.asarray(along, dtype=np.float64)
    if len(series) < 2:
        raise ConfigError("A series needs at least two spectra that could be used", mend="Give more of them.")
    if place.shape != (len(series),):
        raise ConfigError(
            f"There are {len(series)} distributions and places of shape {place.shape}",
            mend="Give one place for each.",
        )
    ordered = np.sort(place)
    if not np.all(np.isfinite(place)):
        raise ConfigError("A place of the series is not a number", mend="Leave that spectrum out.")
    same = ordered[1:][np.diff(ordered) == 0]
    if same.size:
        raise ConfigError(
            f"Several spectra of the series stand at {same[0]:g}",
            mend="Choose a coordinate that tells them apart, or index.",
        )
    return place


def common_gamma(series: Sequence[Drt]) -> tuple[RealArray, RealArray]:
    """Return τ (s), shape (k,), over all grids, and γ (ohm), shape (len(series), k); NaN beyond a grid's own τ."""
    first = min(float(found.tau_s[0]) for found in series)
    last = max(float(found.tau_s[-1]) for found in series)
    tau = np.geomspace(first, last, math.ceil(PER_DECADE * math.log10(last / first)) + 1)
    x = np.log(tau)
    rows = []
    for found in series:
        own = np.log(found.tau_s)
        inside = (x >= own[0] - 1e-9) & (x <= own[-1] + 1e-9)
        rows.append(np.where(inside, np.interp(x, own, found.gamma_ohm), np.nan))
    return tau, np.array(rows)


def series_to_xarray(series: Sequence[Drt], along: ArrayLike, *, against: str = "index") -> xr.Dataset:
    """Return a series of distributions as one Dataset.

    Parameters
    ----------
    series : sequence of Drt
        At least two; their grids of τ may differ.
    along : array_like, shape (len(series),)
        Where each stands; see `places_of`.
    against : str
        The name of that coordinate.

    Returns
    -------
    xarray.Dataset
        `gamma` (ohm per unit of ln τ) over `against` and ``tau`` (s; one grid for all, NaN beyond a spectrum's
        own); `r_inf`, `r_pol`, `u_r_pol` (ohm) over `against`; `peak_tau` (s), `peak_r`, `peak_u_r` (ohm) and
        `peak_probability` over `against` and ``peak``, in order of τ, NaN where a spectrum has fewer. In the order
        of the series.

    Raises
    ------
    ConfigError
        If there are fewer than two distributions, or not one place of its own for each.
    """
    import xarray as xr

    place = checked_places(series, along)
    tau, gamma = common_gamma(series)
    most = max(len(found.peaks) for found in series)
    peaks = {
        name: np.array(
            [[getattr(p, of) for p in found.peaks] + [np.nan] * (most - len(found.peaks)) for found in series]
        ).reshape(len(series), most)
        for name, of in (
            ("peak_tau", "tau_s"),
            ("peak_r", "r_ohm"),
            ("peak_u_r", "u_r_ohm"),
            ("peak_probability", "probability"),
        )
    }
    units = {"peak_tau": "s", "peak_probability": "1"}
    beside = {
        "r_inf": [found.r_inf_ohm for found in series],
        "r_pol": [found.r_pol_ohm for found in series],
        "u_r_pol": [found.u_r_pol_ohm for found in series],
    }
    return xr.Dataset(
        {
            "gamma": ((against, "tau"), gamma, {"units": "ohm"}),
            **{name: (against, values, {"units": "ohm"}) for name, values in beside.items()},
            **{n: ((against, "peak"), v, {"units": units.get(n, "ohm")}) for n, v in peaks.items()},
        },
        coords={
            against: (against, place, {"units": AGAINST.get(against, ("", "1"))[1]}),
            "tau": ("tau", tau, {"units": "s"}),
        },
    )
