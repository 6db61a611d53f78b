"""What a series obeys: the laws, their numbers with 95 % intervals, and what they predict elsewhere."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from eis import notebook
from eis.errors import ConfigError
from eis.fitted import plain
from eis.series_points import COORDINATES, Points, refuse_place
from eis.straight_line import StraightLine

ZERO_C_IN_K = 273.15
FAR = 0.25
"""Share of the measured range by which a prediction may lie outside before it is called an extrapolation."""

CALLED = {"asr": "ASR", "resistance": "R"}
"""How quantities are printed, where not by their own name."""

Form = Literal["sigma_t", "sigma", "asr", "resistance"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard uncertainty (k = 1) and its 95 % interval; NaN where there is none."""

    name: str
    value: float
    u: float
    low: float
    high: float
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return plain({name: getattr(self, name) for name in self.__slots__})

    def __str__(self) -> str:
        width = self.high - self.low
        if not math.isfinite(width):
            return f"{self.name} = {self.value:.6g} {self.unit}".rstrip() + " (no interval)"
        size = max(abs(self.value), abs(self.low), abs(self.high))
        digits = 3 if width <= 0 or width > size else min(6, 2 + math.ceil(math.log10(size / width)))
        value, low, high = (f"{number:.{digits}g}" for number in (self.value, self.low, self.high))
        return f"{self.name} = {value} {self.unit}".rstrip() + f" (95 %: {low} to {high})"


@dataclass(frozen=True, eq=False)
class Law(ABC):
    """What a series obeys; `Arrhenius`, `PressureLaw`, `ThicknessLine` and `Growth` are its kinds.

    Parameters
    ----------
    law : str
        The formula, in words.
    points : Points
        What was measured.
    line : StraightLine
        The law as a straight line in its own coordinates.
    estimates : tuple of Estimate
        Its numbers; ``law["E_a"]`` gives one.
    because : tuple of str
        Everything a reader should know.
    """

    law: str
    points: Points
    line: StraightLine
    estimates: tuple[Estimate, ...]
    because: tuple[str, ...]

    @abstractmethod
    def x_of(self, place: float) -> float:
        """Return where `place` (in the unit of the series) lies on the line."""

    @abstractmethod
    def value_of(self, y: float, place: float) -> float:
        """Return the value that height `y` of the line means at `place`."""

    def __getitem__(self, name: str) -> Estimate:
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        known = ", ".join(estimate.name for estimate in self.estimates)
        raise ConfigError(f"The series has no number {name!r}", where=self.law, mend=f"It has {known}.")

    def predict(self, place: float) -> Estimate:
        """Return the law's value at another temperature (°C), pressure (MPa), thickness (cm) or time (s).

        The interval is that of the law; one more measurement would scatter around it.

        Raises
        ------
        ConfigError
            If there is no such place, as 0 MPa or −300 °C.
        """
        refuse_place(self.points.coordinate, place)
        y, u = self.line.at(self.x_of(place))
        value, half = self.value_of(y, place), self.line.k * u
        low, high = sorted((self.value_of(y - half, place), self.value_of(y + half, place)))
        slope = abs(self.value_of(y + 1e-6, place) - self.value_of(y - 1e-6, place)) / 2e-6
        quantity = CALLED.get(self.points.quantity, self.points.quantity)
        name = f"{quantity} at {place:g} {COORDINATES[self.points.coordinate][0]}"
        return Estimate(name, value, slope * u, low, high, self.points.unit)

    def extrapolates(self, place: float) -> bool:
        """Whether a place lies so far outside the points that only the law speaks for what is predicted there."""
        x = [self.x_of(float(one)) for one in self.points.x]
        edge = FAR * (max(x) - min(x))
        return not min(x) - edge <= self.x_of(place) <= max(x) + edge

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        return {
            "law": self.law,
            "estimates": [estimate.to_dict() for estimate in self.estimates],
            "degrees_of_freedom": self.line.degrees_of_freedom,
            **plain({"inflation": self.line.inflation}),
            "points": self.points.to_dict(),
            "because": list(self.because),
        }

    def __str__(self) -> str:
        lines = [f"{self.law}, {len(self.points)} points", *(f"  {estimate}" for estimate in self.estimates)]
        return "\n".join([*lines, *(f"  note: {text}" for text in self.because)])

    def _repr_html_(self) -> str:
        rows = [(e.name, f"{e.value:.6g}", f"{e.low:.6g}", f"{e.high:.6g}", e.unit) for e in self.estimates]
        notes = "".join(f"<li>{notebook.escape(text)}</li>" for text in self.because)
        head = notebook.escape(str(self).splitlines()[0])
        return f"<p>{head}</p>{notebook.table(('', 'value', '95 % from', 'to', 'unit'), rows)}<ul>{notes}</ul>"


@dataclass(frozen=True, eq=False)
class Arrhenius(Law):
    """A thermally activated quantity; `form` says in which convention (`eis.series.FORMS`)."""

    form: Form = "sigma_t"

    def x_of(self, place: float) -> float:
        """Return 1/T (1/K) of a temperature (°C)."""
        return 1 / (place + ZERO_C_IN_K)

    def value_of(self, y: float, place: float) -> float:
        """Return conductivity (S/cm), ASR (Ω·cm²) or resistance (Ω) from the logarithm the line is in."""
        if self.form == "sigma_t":
            return exp(y) / (place + ZERO_C_IN_K)
        return exp(y) if self.form == "sigma" else exp(-y)


@dataclass(frozen=True, eq=False)
class PressureLaw(Law):
    """A power of the stack pressure."""

    def x_of(self, place: float) -> float:
        """Return ln(P / 1 MPa)."""
        return math.log(place)

    def value_of(self, y: float, place: float) -> float:
        """Return the quantity from its logarithm."""
        return exp(y)


@dataclass(frozen=True, eq=False)
class ThicknessLine(Law):
    """Area times resistance over thickness: a conductivity, and what is left at no thickness at all."""

    def x_of(self, place: float) -> float:
        """Return the thickness (cm)."""
        return place

    def value_of(self, y: float, place: float) -> float:
        """Return A·R (Ω·cm²)."""
        return y


@dataclass(frozen=True, eq=False)
class Growth(Law):
    """A resistance that grows with the square root of time."""

    def x_of(self, place: float) -> float:
        """Return √t (√s)."""
        return math.sqrt(place)

    def value_of(self, y: float, place: float) -> float:
        """Return the quantity."""
        return y


def exp(x: float) -> float:
    """Return eˣ, infinite where it is too large to write."""
    return math.exp(x) if x < 700 else math.inf
