"""The points of a series: one number at several temperatures, pressures, thicknesses or times, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import ConfigError, SpectrumError
from eis.spectrum import RealArray

Coordinate = Literal["temperature_c", "pressure_mpa", "thickness_cm", "time_s"]
COORDINATES: dict[Coordinate, tuple[str, float]] = {
    "temperature_c": ("°C", -273.15),
    "pressure_mpa": ("MPa", 0.0),
    "thickness_cm": ("cm", 0.0),
    "time_s": ("s", 0.0),
}
"""Unit and lowest value of what a series goes over; only a time may be at it."""
SAME = 1e-9
"""Relative difference up to which two numbers are one."""


@dataclass(frozen=True, eq=False)
class Points:
    """What a series consists of, in the order it was given.

    Parameters
    ----------
    coordinate : {"temperature_c", "pressure_mpa", "thickness_cm", "time_s"}
        What it goes over.
    quantity, unit : str
        What was measured, and its unit.
    x, value : ndarray, shape (n,)
        The places (in the unit of the coordinate's name) and the values.
    u : ndarray, shape (n,), or None
        Standard uncertainty of each value (k = 1).
    u_x : ndarray, shape (n,), or None
        Standard uncertainty of each place.
    """

    coordinate: Coordinate
    quantity: str
    unit: str
    x: RealArray
    value: RealArray
    u: RealArray | None = None
    u_x: RealArray | None = None

    def __len__(self) -> int:
        return int(self.x.size)

    @property
    def x_unit(self) -> str:
        """The unit of the coordinate."""
        return COORDINATES[self.coordinate][0]

    def to_dict(self) -> dict[str, Any]:
        """Return the points as plain lists; no uncertainty is null."""
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            self.coordinate: self.x.tolist(),
            "value": self.value.tolist(),
            "u": None if self.u is None else self.u.tolist(),
            f"u_{self.coordinate}": None if self.u_x is None else self.u_x.tolist(),
        }


def points_of(
    coordinate: Coordinate,
    x: ArrayLike,
    value: ArrayLike,
    *,
    quantity: str,
    unit: str,
    u: ArrayLike | None = None,
    u_x: ArrayLike | None = None,
    places: int = 2,
) -> Points:
    """Check the points of a series.

    Parameters
    ----------
    coordinate, x, value, quantity, unit, u, u_x
        As in `Points`; a single uncertainty holds for all.
    places : int
        At how many different places there must be a point, at least.

    Raises
    ------
    SpectrumError
        If the arrays differ in length, a number is missing, not above zero where it must be, a point is there
        twice, or there are too few places; the message names the point.
    """
    at, values = (np.array(array, dtype=np.float64, ndmin=1) for array in (x, value))
    x_unit = COORDINATES[coordinate][0]
    if at.ndim != 1 or at.shape != values.shape:
        raise SpectrumError(
            f"There are {at.size} values of {coordinate} and {values.size} of {quantity}",
            where="series",
            mend="Give one of each per point.",
        )
    _refuse(~np.isfinite(at), at, coordinate, "is not a number", "Give a number for every point, or drop it.")
    _refuse([not allows(coordinate, one) for one in at], at, coordinate, "cannot be", f"{_above(coordinate)}.")
    bad = ~(np.isfinite(values) & (values > 0))
    _refuse(bad, values, quantity, f"is not a number above zero ({unit})", "Drop the point, or look at its fit.")
    sizes = _sizes(u, at.size, quantity, positive=True)
    sizes_x = _sizes(u_x, at.size, coordinate, positive=False)
    order = np.lexsort((values, at))
    close = (np.abs(np.diff(at[order])) <= SAME * np.abs(at[order][1:])) & (
        np.abs(np.diff(values[order])) <= SAME * values[order][1:]
    )
    if close.any():
        first, second = sorted(order[int(np.flatnonzero(close)[0]) :][:2].tolist())
        raise SpectrumError(
            f"Points {first} and {second} are the same ({at[first]:g} {x_unit}, {values[first]:g} {unit})",
            where="series",
            mend="Give each measurement once: the same one twice would count twice.",
        )
    if np.unique(at).size < places:
        raise SpectrumError(
            f"There {'is' if np.unique(at).size == 1 else 'are'} {np.unique(at).size} different {coordinate}; "
            f"at least {places} are needed",
            where="series",
            mend="Measure at more of them.",
        )
    return Points(coordinate, quantity, unit, at, values, sizes, sizes_x)


def allows(coordinate: Coordinate, place: float) -> bool:
    """Whether there is such a temperature, pressure, thickness or time."""
    lowest = COORDINATES[coordinate][1]
    return math.isfinite(place) and (place > lowest or (place == lowest and coordinate == "time_s"))


def refuse_place(coordinate: Coordinate, place: float) -> None:
    """Raise `ConfigError` unless there is such a temperature, pressure, thickness or time."""
    if not allows(coordinate, place):
        raise ConfigError(
            f"Nothing can be predicted at {place:g} {COORDINATES[coordinate][0]}",
            where=coordinate,
            mend=f"{_above(coordinate)}.",
        )


def _above(coordinate: Coordinate) -> str:
    unit, lowest = COORDINATES[coordinate]
    return f"Give {'no time before' if coordinate == 'time_s' else 'a number above'} {lowest:g} {unit}"


def _sizes(u: ArrayLike | None, n: int, name: str, *, positive: bool) -> RealArray | None:
    """Return one uncertainty per point; None if there is none, or all of those of a place are zero."""
    if u is None:
        return None
    sizes = np.array(u, dtype=np.float64, ndmin=1)
    if sizes.shape not in ((n,), (1,)):
        raise SpectrumError(
            f"There are {n} points and {sizes.size} uncertainties of {name}",
            where="series",
            mend="Give one per point, or a single one for all.",
        )
    sizes = np.array(np.broadcast_to(sizes, (n,)))
    least = "above zero" if positive else "zero or above"
    wrong = ~(np.isfinite(sizes) & ((sizes > 0) if positive else (sizes >= 0)))
    _refuse(
        wrong, sizes, f"u of {name}", f"is not a standard uncertainty {least}", "Mend it, or give none at all."
    )
    return sizes if sizes.any() else None


def _refuse(wrong: Any, values: RealArray, name: str, what: str, mend: str) -> None:
    places = np.flatnonzero(wrong)
    if places.size:
        i = int(places[0])
        raise SpectrumError(f"The {name} of point {i}, {values[i]:g}, {what}", where="series", mend=mend)
