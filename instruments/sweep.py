"""A frequency sweep as it is asked for: which frequencies, which excitation, and how long it will take."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Real

import numpy as np

from eis.errors import ConfigError
from eis.spectrum import RealArray

SETTLE_AND_MEASURE_CYCLES = 2.0
OVERHEAD_S = 0.1


@dataclass(frozen=True, slots=True)
class Sweep:
    """A frequency sweep, from high to low, checked when it is made: of the potential, or of the current.

    Parameters
    ----------
    start_hz, stop_hz : float
        First (highest) and last (lowest) frequency (Hz); equal for a single point.
    points_per_decade : float
        Points per decade of frequency, both ends included.
    amplitude_v : float
        Excitation (V **rms**), above zero; zero if the current is excited.
    dc_v : float
        DC potential (V), as the instrument applies it between working and reference electrode.
    amplitude_a, dc_a : float
        Instead of these, for galvanostatic impedance: excitation (A **rms**) and direct current (A).

    Raises
    ------
    ConfigError
        If a value is not a finite number or has the wrong sign; nothing has been sent anywhere.
    """

    start_hz: float
    stop_hz: float
    points_per_decade: float
    amplitude_v: float = 0.0
    dc_v: float = 0.0
    amplitude_a: float = 0.0
    dc_a: float = 0.0

    def __post_init__(self) -> None:
        faults = [
            f"{name} is {value!r}; give a finite number above zero"
            for name in ("start_hz", "stop_hz", "points_per_decade")
            if not (_is_finite(value := getattr(self, name)) and value > 0)
        ]
        levels = ("amplitude_v", "dc_v", "amplitude_a", "dc_a")
        faults += [
            f"{name} is {getattr(self, name)!r}; give a finite number"
            for name in levels
            if not _is_finite(getattr(self, name))
        ]
        if not faults:
            faults += self._wrong_levels()
        if not faults and self.start_hz < self.stop_hz:
            faults.append(f"start_hz {self.start_hz:g} is below stop_hz {self.stop_hz:g}; give the high end first")
        if faults:
            raise ConfigError("The sweep is not described rightly", where="Sweep", mend="; ".join(faults))
        for name in self.__slots__:
            object.__setattr__(self, name, float(getattr(self, name)))  # NumPy scalars are not JSON

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        amplitude_v: float = 0.0,
        dc_v: float = 0.0,
        amplitude_a: float = 0.0,
        dc_a: float = 0.0,
    ) -> Sweep:
        """Read ``"1e6:0.1:10"``: first and last frequency (Hz) and points per decade.

        Raises
        ------
        ConfigError
            If `text` is not three numbers with colons between them, or they are not a sweep.
        """
        try:
            start_hz, stop_hz, points_per_decade = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise ConfigError(
                f"{text!r} is not a sweep",
                where="sweep",
                mend="Write first and last frequency in Hz and points per decade, such as 1e6:0.1:10.",
            ) from error
        return cls(start_hz, stop_hz, points_per_decade, amplitude_v, dc_v, amplitude_a, dc_a)

    def _wrong_levels(self) -> list[str]:
        """Say what is wrong with finite levels: one excitation above zero, and no direct level of the other."""
        if (self.amplitude_v > 0) == (self.amplitude_a > 0) or min(self.amplitude_v, self.amplitude_a) < 0:
            return [
                f"amplitude_v is {self.amplitude_v:g} and amplitude_a {self.amplitude_a:g}; "
                "give one of them above zero, the other 0"
            ]
        if (self.dc_a and self.amplitude_v) or (self.dc_v and self.amplitude_a):
            return ["dc_v goes with amplitude_v, and dc_a with amplitude_a"]
        return []

    @property
    def is_galvanostatic(self) -> bool:
        """Whether the current is excited rather than the potential."""
        return self.amplitude_a > 0

    @property
    def n_points(self) -> int:
        """How many points the sweep has, both ends included."""
        decades = math.log10(self.start_hz / self.stop_hz)
        return 1 if decades == 0 else max(2, round(decades * self.points_per_decade) + 1)

    @property
    def frequencies_hz(self) -> RealArray:
        """The frequencies asked for (Hz), falling on a logarithmic grid, both ends included."""
        return np.geomspace(self.start_hz, self.stop_hz, self.n_points)

    @property
    def predicted_duration_s(self) -> float:
        """How long the sweep will take (s), by the rule of `predicted_point_s`."""
        return float(sum(predicted_point_s(frequency) for frequency in self.frequencies_hz))

    def integration_cycles(self, frequency_hz: float) -> float | None:
        """Return over how many cycles a point is to be integrated; None leaves it to the driver."""
        return None

    def settle_s(self, frequency_hz: float) -> float:
        """Return how long to wait at a frequency before it is measured (s)."""
        return 0.0

    def predicted_point_s(self, frequency_hz: float) -> float:
        """Return how long one point will take (s)."""
        return predicted_point_s(frequency_hz)

    def to_dict(self) -> dict[str, float]:
        """Return the settings as plain values."""
        return asdict(self)


def predicted_point_s(frequency_hz: float) -> float:
    """Return how long one point takes (s): a cycle to settle, a cycle to measure, and overhead."""
    return OVERHEAD_S + SETTLE_AND_MEASURE_CYCLES / frequency_hz


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
