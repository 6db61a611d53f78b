"""A sweep over planned frequencies, which no even grid has; see `instruments.plan`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np

from eis.errors import ConfigError
from eis.spectrum import RealArray
from instruments.sweep import Sweep

T = TypeVar("T")
PER_POINT = ("planned_hz", "planned_s", "planned_cycles", "planned_settle_s")


@dataclass(frozen=True)
class PlannedSweep(Sweep):
    """A sweep over the frequencies of a plan; whatever is led from point to point measures exactly these.

    Instruments that run a whole sweep by themselves make their own grid: see `instruments.plan.Plan.native`.

    Parameters
    ----------
    planned_hz, planned_s : tuple of float
        The frequencies (Hz) in the order of measurement, and how long each will take (s).
    planned_cycles, planned_settle_s : tuple of float, optional
        Over how many cycles each is to be integrated, and how long to wait before (s), where the instrument can be
        told; empty leaves both to the driver.
    """

    planned_hz: tuple[float, ...] = ()
    planned_s: tuple[float, ...] = ()
    planned_cycles: tuple[float, ...] = ()
    planned_settle_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = {len(values) for values in (self.planned_cycles, self.planned_settle_s) if values}
        if not self.planned_hz or len(self.planned_hz) != len(self.planned_s) or lengths - {len(self.planned_hz)}:
            raise ConfigError(
                f"{len(self.planned_hz)} planned frequencies with {len(self.planned_s)} durations are no plan",
                where="PlannedSweep",
                mend="Make it with Plan.as_sweep().",
            )

    @property
    def n_points(self) -> int:
        """How many points are planned, repeated ones included."""
        return len(self.planned_hz)

    @property
    def frequencies_hz(self) -> RealArray:
        """The planned frequencies (Hz); those repeated for drift come last."""
        return np.array(self.planned_hz, dtype=np.float64)

    @property
    def predicted_duration_s(self) -> float:
        """How long the plan says it will take (s)."""
        return sum(self.planned_s)

    def after(self, done: int) -> PlannedSweep:
        """Return what is left of the sweep after `done` points."""
        rest = {name: getattr(self, name)[done:] for name in PER_POINT}
        return replace(self, **rest)

    def integration_cycles(self, frequency_hz: float) -> float | None:
        """Return over how many cycles a point is to be integrated; None leaves it to the driver."""
        return self._of(frequency_hz, self.planned_cycles, None)

    def settle_s(self, frequency_hz: float) -> float:
        """Return how long to wait at a frequency before it is measured (s)."""
        return self._of(frequency_hz, self.planned_settle_s, 0.0)

    def predicted_point_s(self, frequency_hz: float) -> float:
        """Return how long one point will take (s), as planned."""
        return self._of(frequency_hz, self.planned_s, super().predicted_point_s(frequency_hz))

    def _of(self, frequency_hz: float, values: tuple[float, ...], otherwise: T) -> float | T:
        """Return what is planned for a frequency; a repeated one has the same plan as the first time."""
        place = self._places.get(frequency_hz)
        return otherwise if place is None or not values else values[place]

    @cached_property
    def _places(self) -> dict[float, int]:
        """Where each frequency stands, the first time."""
        return {frequency: place for place, frequency in reversed(list(enumerate(self.planned_hz)))}

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values; `sweep_from` makes a sweep of them again.

        What is not planned is left out, as before it could be planned: journals are known by a hash of this.
        """
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value != ()
        }


def sweep_from(values: Mapping[str, Any]) -> Sweep:
    """Return the sweep, planned or plain, whose `to_dict` gave `values`."""
    if "planned_hz" not in values:
        return Sweep(**values)
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return PlannedSweep(**cast(dict[str, Any], settings))
