"""What a series of spectra is drawn against: temperature, pressure, time, cycle, or the order they came in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from eis.errors import ConfigError
from eis.spectrum import IntArray, RealArray, Spectrum

LABELS = {
    "temperature_c": "temperature / °C",
    "pressure_mpa": "pressure / MPa",
    "time_s": "time / s",
    "cycle": "cycle",
    "index": "number",
}
"""The words that name a series, as in the metadata of a spectrum; ``index`` is the order they were given in."""
COLUMNS = ("temperature_c", "pressure_mpa")
"""What is taken from the points, as their median, where the metadata do not state it."""
NARROW = 0.25
"""Least distance of two rows, over their mean distance, at which the axis is still true to scale."""
MOST_TICKS = 16


@dataclass(frozen=True, eq=False)
class SeriesAxis:
    """Where each spectrum of a series stands in a map.

    Parameters
    ----------
    label : str
        Name and unit of the axis.
    values : ndarray, shape (n,)
        The coordinate of each spectrum, in the order of the series.
    """

    label: str
    values: RealArray

    @classmethod
    def of(cls, values: ArrayLike, label: str = "number") -> SeriesAxis:
        """Make an axis from numbers of one's own.

        Raises
        ------
        ConfigError
            If a value is not a finite number, or there is none.
        """
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 1 or not array.size or not np.isfinite(array).all():
            raise ConfigError(
                f"A series needs one finite number per spectrum; there are values of shape {array.shape}",
                mend="Give a list of numbers.",
            )
        return cls(label, array)

    @property
    def order(self) -> IntArray:
        """Places of the spectra from the lowest row to the highest, shape (n,)."""
        return np.argsort(self.values, kind="stable")

    @property
    def true_to_scale(self) -> bool:
        """Whether the rows are far enough apart to be drawn at their values; else they are drawn evenly."""
        gaps = np.diff(self.values[self.order])
        return bool(gaps.size == 0 or gaps.min() > NARROW * gaps.mean() > 0)

    @property
    def centres(self) -> RealArray:
        """Where the rows stand on the axis, from the lowest, shape (n,)."""
        return self.values[self.order] if self.true_to_scale else np.arange(self.values.size, dtype=np.float64)

    @property
    def edges(self) -> RealArray:
        """Where the rows end, shape (n + 1,): half way to the next."""
        at = self.centres
        if at.size == 1:
            return np.array([at[0] - 0.5, at[0] + 0.5])
        middle = (at[1:] + at[:-1]) / 2
        return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])

    def label_rows(self, ax: Axes) -> None:
        """Write label and ticks to the vertical axis; rows drawn evenly are told their value one by one."""
        ax.set_ylabel(self.label)
        ax.set_ylim(float(self.edges[0]), float(self.edges[-1]))
        if not self.true_to_scale or self.values.size == 1:
            step = math.ceil(self.values.size / MOST_TICKS)
            ax.set_yticks(self.centres[::step], [f"{one:.4g}" for one in self.values[self.order][::step]])


def series_axis(spectra: Sequence[Spectrum], against: str = "index") -> SeriesAxis:
    """Return where each spectrum of a series stands.

    Parameters
    ----------
    spectra : sequence of Spectrum
        The series.
    against : {"temperature_c", "pressure_mpa", "time_s", "cycle", "index"}
        What it is drawn against: an entry of the metadata; temperature and pressure may also be a column of the
        points, whose median is taken.

    Raises
    ------
    ConfigError
        If there is no such word, no spectrum, or a spectrum that does not state it.
    """
    if against not in LABELS:
        raise ConfigError(
            f"A series has no coordinate {against!r}", where="--against", mend=f"Choose {', '.join(LABELS)}."
        )
    if not spectra:
        raise ConfigError("There is no spectrum to map", mend="Give at least one that can be read.")
    if against == "index":
        return SeriesAxis(LABELS[against], np.arange(1.0, len(spectra) + 1))
    values = [_stated(spectrum, against) for spectrum in spectra]
    missing = [spectrum.name for spectrum, value in zip(spectra, values, strict=True) if value is None]
    if missing:
        others = [
            word
            for word in LABELS
            if word == "index" or all(_stated(spectrum, word) is not None for spectrum in spectra)
        ]
        raise ConfigError(
            f"{len(missing)} of {len(spectra)} spectra do not state {against}; the first is {missing[0]}",
            where="--against",
            mend=f"All of them state {', '.join(others)}; or add it to the metadata.",
        )
    return SeriesAxis(LABELS[against], np.array(values, dtype=np.float64))


def _stated(spectrum: Spectrum, name: str) -> float | None:
    value = spectrum.metadata.get(name)
    if value is None and name in COLUMNS and name in spectrum.columns:
        value = float(np.median(spectrum.columns[name][spectrum.used]))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
