"""What a cell and a spectrum are: checked once when made, trusted ever after.

Sign and time convention, written here and nowhere else: Z = Z′ + jZ″ with e^{+jωt}, so a capacitive spectrum has
Z″ < 0. Frequencies fall from point to point. Points that must not be fitted (overloads, repeats, …) stay in the
spectrum and carry a `Quality` flag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eis import notebook
from eis.cell import Cell as Cell
from eis.cell import CellKind as CellKind
from eis.errors import SpectrumError
from eis.quality import EXCLUDING as EXCLUDING
from eis.quality import Quality as Quality
from eis.quantities import format_si

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

RealArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

UNITS = {
    "hz": "Hz",
    "ohm": "ohm",
    "s": "s",
    "v": "V",
    "a": "A",
    "c": "degC",
    "mpa": "MPa",
    "f": "F",
    "deg": "degree",
}
"""Unit of a per-point column by the last word of its name (``time_s`` is in seconds)."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """One impedance spectrum, checked once when it is made and trusted ever after.

    Make one from plain arrays with `Spectrum.of`; the constructor itself expects falling frequencies.

    Parameters
    ----------
    all_frequency_hz : ndarray, shape (n,)
        Frequency (Hz) of every point, falling; points with an excluding flag may repeat one.
    all_z_ohm : ndarray, shape (n,)
        Impedance (ohm) of every point, capacitive Z″ < 0; NaN only where the flag says so.
    quality : ndarray of int, shape (n,)
        `Quality` flags of every point.
    columns : mapping of str to ndarray, shape (n,)
        What else was recorded per point, unit as last word of the name: ``time_s``, ``e_dc_v``, ``u_z_ohm``, …;
        ``acquired_order`` is the place of the point in the order of measurement.
    metadata : mapping
        Plain JSON values: where it came from, what was converted, what was dropped.

    Raises
    ------
    SpectrumError
        If the arrays disagree in length, are empty, or hold values that are not a spectrum.
    """

    all_frequency_hz: RealArray
    all_z_ohm: ComplexArray
    quality: IntArray
    columns: Mapping[str, RealArray] = field(default_factory=lambda: {})
    metadata: Mapping[str, Any] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        self._settle(
            np.array(self.all_frequency_hz, dtype=np.float64),  # copies, so that it stays what was checked
            np.array(self.all_z_ohm, dtype=np.complex128),
            np.array(self.quality, dtype=np.int64),
            {name: np.array(values, dtype=np.float64) for name, values in self.columns.items()},
            self.metadata,
        )

    def _settle(
        self,
        frequency_hz: RealArray,
        z_ohm: ComplexArray,
        quality: IntArray,
        columns: dict[str, RealArray],
        metadata: Mapping[str, Any],
        *,
        is_checked: bool = False,
    ) -> None:
        """Take arrays nobody else writes to, make them read-only, and check them unless that is done."""
        for array in (frequency_hz, z_ohm, quality, *columns.values()):
            array.setflags(write=False)
        self.__dict__.update(
            all_frequency_hz=frequency_hz,
            all_z_ohm=z_ohm,
            quality=quality,
            columns=MappingProxyType(columns),
            metadata=MappingProxyType(dict(metadata)),
        )
        if not np.count_nonzero(quality):
            self.__dict__.update(frequency_hz=frequency_hz, z_ohm=z_ohm)  # every point is in use
        if not is_checked:
            self._check()

    def _check(self) -> None:
        """Raise `SpectrumError` unless this is a spectrum; that it is one is told by a few passes over arrays."""
        f, z, n = self.all_frequency_hz, self.all_z_ohm, self.all_frequency_hz.size
        arrays = {"impedance": z, "quality": self.quality, **self.columns}
        for name, array in arrays.items():
            if array.shape != (n,):
                raise SpectrumError(
                    f"There are {n} frequencies and an array of shape {array.shape} for {name}",
                    mend="Give one value per point in every array.",
                )
        if n == 0:
            raise SpectrumError("A spectrum has at least one point; this one has none", mend="Check the source.")
        if _falls(f) and _is_sound(f, z):
            return
        wrong = np.flatnonzero(~(np.isfinite(f) & (f > 0)))
        if wrong.size:
            raise SpectrumError(
                f"Frequencies must be positive numbers; point {wrong[0]} has {f[wrong[0]]:g} Hz",
                mend="Drop the point (0 Hz is a DC step, not impedance) or correct it.",
            )
        used = self.used
        wrong = np.flatnonzero(used & ~np.isfinite(z))
        if wrong.size:
            raise SpectrumError(
                f"The impedance of point {wrong[0]} ({f[wrong[0]]:g} Hz) is {z[wrong[0]]}",
                mend="Drop the point, or keep it and flag it with Quality.NOT_A_NUMBER.",
            )
        rises = np.flatnonzero(np.diff(f) > 0)
        repeats = np.flatnonzero(np.diff(f[used]) >= 0)
        if rises.size or repeats.size:
            place = f[rises[0] + 1] if rises.size else f[used][repeats[0] + 1]
            raise SpectrumError(
                f"Frequencies must fall from point to point; {place:g} Hz does not",
                mend="Make the spectrum with Spectrum.of(), which sorts and flags repeated frequencies.",
            )

    @classmethod
    def of(
        cls,
        frequency_hz: ArrayLike,
        z_ohm: ArrayLike,
        *,
        quality: ArrayLike | None = None,
        columns: Mapping[str, ArrayLike] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Spectrum:
        """Make a spectrum from plain arrays in any order; sorts them and flags repeated frequencies.

        Parameters
        ----------
        frequency_hz : array_like, shape (n,)
            Frequency (Hz), positive.
        z_ohm : array_like of complex, shape (n,)
            Impedance (ohm), capacitive Z″ < 0.
        quality, columns, metadata
            As in `Spectrum`.

        Returns
        -------
        Spectrum
            Falling in frequency, with the order of measurement in ``columns["acquired_order"]``.

        Raises
        ------
        SpectrumError
            If the arrays are not a spectrum.
        """
        try:
            f = np.array(frequency_hz, dtype=np.float64, ndmin=1)
            z = np.array(z_ohm, dtype=np.complex128, ndmin=1)
            flags = np.zeros(f.size, dtype=np.int64) if quality is None else np.array(quality, dtype=np.int64)
            table = {name: np.array(values, dtype=np.float64) for name, values in (columns or {}).items()}
        except (TypeError, ValueError) as error:
            raise SpectrumError(
                f"What was given is not arrays of numbers: {str(error).rstrip('.')}",
                mend="Give frequency (Hz) and complex impedance (ohm), one value per point each.",
            ) from None
        if "acquired_order" not in table:
            table["acquired_order"] = np.arange(f.size, dtype=np.float64)
        shapes = {array.shape for array in (f, z, flags, *table.values())}
        is_even = len(shapes) == 1 and _falls(f)
        if len(shapes) == 1 and not is_even:  # else nothing has to move, or _check says which array is wrong
            rises = _falls(f[::-1])
            order = np.arange(f.size)[::-1] if rises else np.argsort(-f, kind="stable")
            f, z, flags = f[order], z[order], flags[order]
            table = {name: values[order] for name, values in table.items()}
            if not rises:
                good = np.flatnonzero((flags & int(EXCLUDING)) == 0)
                flags[good[1:][f[good][1:] == f[good][:-1]]] |= int(Quality.DUPLICATE)
            is_even = rises
        spectrum = object.__new__(cls)
        spectrum._settle(f, z, flags, table, metadata or {}, is_checked=is_even and _is_sound(f, z))
        return spectrum

    @classmethod
    def of_sweep(
        cls,
        frequency_hz: RealArray,
        z_ohm: ComplexArray,
        columns: Mapping[str, RealArray],
        metadata: Mapping[str, Any],
    ) -> Spectrum | None:
        """Make what `of` makes of a sweep nothing is unusual about, without copying the arrays.

        Parameters
        ----------
        frequency_hz, z_ohm, columns, metadata
            As in `of`, but arrays nobody writes to any more: they become read-only.

        Returns
        -------
        Spectrum or None
            None where there is something to sort, to flag or to refuse, which is left to `of`.
        """
        n, f, z = frequency_hz.size, frequency_hz, z_ohm
        table = dict(columns)
        if "acquired_order" not in table:
            table["acquired_order"] = np.arange(n, dtype=np.float64)
        if n and f.item(0) < f.item(n - 1):
            f, z, table = f[::-1], z[::-1], {name: values[::-1] for name, values in table.items()}
        if not (z.size == n and _is_sound(f, z) and _falls(f)):
            return None
        for name, values in table.items():
            if values.size != n:
                return None
            table[name] = np.ascontiguousarray(values)
        f, z = np.ascontiguousarray(f), np.ascontiguousarray(z)
        spectrum = object.__new__(cls)
        spectrum._settle(f, z, np.zeros(n, dtype=np.int64), table, metadata, is_checked=True)
        return spectrum

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Which points carry no excluding flag, shape (n,)."""
        return _frozen((self.quality & int(EXCLUDING)) == 0)

    @cached_property
    def frequency_hz(self) -> RealArray:
        """Frequency (Hz) of the points in use, strictly falling, shape (m,)."""
        return _frozen(self.all_frequency_hz[self.used])

    @cached_property
    def z_ohm(self) -> ComplexArray:
        """Impedance (ohm) of the points in use, shape (m,)."""
        return _frozen(self.all_z_ohm[self.used])

    @property
    def name(self) -> str:
        """What to call the spectrum: the file it came from, with its number if it has one, or its title."""
        called = str(self.metadata.get("file") or self.metadata.get("title") or "spectrum")
        return f"{called} [{self.metadata['index']}]" if "index" in self.metadata else called

    def __len__(self) -> int:
        return int(self.used.sum())

    def with_metadata(self, **more: Any) -> Spectrum:
        """Return the same spectrum with more metadata."""
        return self.described({**self.metadata, **more})

    def described(self, metadata: Mapping[str, Any]) -> Spectrum:
        """Return the same spectrum with other metadata in place of all it has."""
        same = object.__new__(type(self))  # shares the arrays, which are checked and cannot change
        same.__dict__.update(self.__dict__, metadata=MappingProxyType(dict(metadata)))
        return same

    def to_xarray(self) -> xr.Dataset:
        """Return the spectrum as a Dataset over `frequency`: z_real, z_imag (ohm), quality, and the columns.

        Complex numbers are two float64 variables; nested metadata are JSON text in ``attrs``.
        """
        import xarray as xr

        flags = [flag for flag in Quality if flag]
        variables: dict[str, Any] = {
            "z_real": ("frequency", self.all_z_ohm.real, {"units": "ohm", "long_name": "real part of impedance"}),
            "z_imag": (
                "frequency",
                self.all_z_ohm.imag,
                {"units": "ohm", "long_name": "imaginary part of impedance", "sign": "capacitive is negative"},
            ),
            "quality": (
                "frequency",
                self.quality,
                {
                    "flag_masks": np.array([int(flag) for flag in flags], dtype=np.int64),
                    "flag_meanings": " ".join(str(flag.name).lower() for flag in flags),
                },
            ),
        }
        for name, values in self.columns.items():
            unit = UNITS.get(name.rsplit("_", 1)[-1])
            variables[name] = ("frequency", values, {"units": unit} if unit else {})
        plain = {
            key: value
            if isinstance(value, (str, int, float)) and not isinstance(value, bool)
            else json.dumps(value)
            for key, value in self.metadata.items()
            if value is not None
        }
        frequency = ("frequency", self.all_frequency_hz, {"units": "Hz", "long_name": "frequency"})
        return xr.Dataset(variables, coords={"frequency": frequency}, attrs=plain)

    @property
    def data(self) -> xr.Dataset:
        """The spectrum as an `xarray.Dataset`; see `to_xarray`."""
        return self.to_xarray()

    def to_dataframe(self) -> pd.DataFrame:
        """Return every point as a row: frequency_hz, z_real_ohm, z_imag_ohm, quality, and the columns."""
        import pandas as pd

        return pd.DataFrame(
            {
                "frequency_hz": self.all_frequency_hz,
                "z_real_ohm": self.all_z_ohm.real,
                "z_imag_ohm": self.all_z_ohm.imag,
                "quality": self.quality,
                **self.columns,
            }
        )

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Return the entry of the JSON documents; the arrays only when `full`."""
        entry: dict[str, Any] = {
            "file": self.metadata.get("file"),
            "format": self.metadata.get("format"),
            "n_points": len(self),
            "f_min_hz": float(self.frequency_hz[-1]) if len(self) else None,
            "f_max_hz": float(self.frequency_hz[0]) if len(self) else None,
            "n_flagged": int((self.quality != 0).sum()),
            "metadata": dict(self.metadata),
        }
        if full:
            entry["frequency_hz"] = self.frequency_hz.tolist()
            entry["z_real_ohm"] = self.z_ohm.real.tolist()
            entry["z_imag_ohm"] = self.z_ohm.imag.tolist()
        return entry

    def __repr__(self) -> str:
        flagged = int((self.quality != 0).sum())
        parts = [f"{self.all_frequency_hz.size} points"]
        if len(self):
            f, size = self.frequency_hz, np.abs(self.z_ohm)
            parts.append(f"{format_si(f[0], 'Hz')} to {format_si(f[-1], 'Hz')}")
            parts.append(f"|Z| {format_si(size.min(), 'Ω')} to {format_si(size.max(), 'Ω')}")
        if flagged:
            parts.append(f"{flagged} flagged")
        return f"<Spectrum {self.name}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        rows = [(k, v if isinstance(v, str) else json.dumps(v, default=str)) for k, v in self.metadata.items()]
        drawing = notebook.nyquist_svg(self.z_ohm) if len(self) else ""
        title = notebook.escape(repr(self))
        return f"<p><code>{title}</code></p>{drawing}{notebook.table(('field', 'value'), rows)}"


def _falls(frequency_hz: RealArray) -> bool:
    """Whether every frequency is below the one before it; False if one is NaN."""
    return bool(np.count_nonzero(frequency_hz[1:] < frequency_hz[:-1]) == frequency_hz.size - 1)


def _is_sound(frequency_hz: RealArray, z_ohm: ComplexArray) -> bool:
    """Whether frequencies that fall are positive and finite, and so are the impedances; False for none."""
    n = z_ohm.size
    if not n or not frequency_hz.item(n - 1) > 0 or not frequency_hz.item(0) < np.inf:
        return False
    return bool(np.count_nonzero(np.isfinite(z_ohm)) == n)


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only, and return it."""
    values.flags.writeable = False
    return values
