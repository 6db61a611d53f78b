"""What is done at a connected instrument before a sweep: plan it, and wait for the cell to come to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eis.errors import ConfigError
from instruments.plan import Mains, Plan
from instruments.potentiostat import Potentiostat, Sweep
from instruments.settling import WINDOW_S, drift_limit_v_per_s, settle

OCV_S = 1.0
"""How long one reading of the open-circuit voltage takes (s), and how soon the next follows."""
READINGS = 12
"""Fewest readings a slope is taken over."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a user wants of a measurement besides its sweep.

    Parameters
    ----------
    mains_hz : tuple of float
        Power-line frequencies to keep away from (Hz); none by default.
    repeat_decades : float, optional
        Measure the beginning of the sweep again at its end, so many decades of it, to see drift; 0 is the first
        point alone.
    settle_s : float
        The longest time to wait for the open-circuit voltage to come to rest (s); 0 does not look.
    """

    mains_hz: tuple[float, ...] = ()
    repeat_decades: float | None = None
    settle_s: float = 0.0


def prepare(
    instrument: Potentiostat, sweep: Sweep, wishes: Preparation, *, on_notice: Callable[[str], None]
) -> tuple[Sweep, dict[str, Any]]:
    """Plan a sweep for an instrument, and wait for its cell; return what to measure, and what to keep about it.

    Instruments that run a sweep themselves make their own grid: nothing is moved or repeated there.

    Raises
    ------
    RejectedError
        If the instrument cannot do the sweep, or has no voltmeter to wait by.
    ConfigError
        If something is asked that the instrument's own sweep cannot do, or settling of a galvanostatic sweep.
    """
    able = instrument.capabilities()
    able.check(sweep, where=instrument.identify().resource)
    if able.native_sweep != "none":
        if wishes.repeat_decades is not None:
            raise ConfigError(
                f"The {instrument.identify().model} runs a sweep by itself and cannot come back to its beginning",
                where="repeat",
                mend="Measure twice and compare the sweeps.",
            )
        plan = Plan.native(sweep)
    else:
        plan = Plan.of(sweep, mains=Mains(wishes.mains_hz), repeat_decades=wishes.repeat_decades)
    on_notice(plan.describe())
    kept: dict[str, Any] = {"plan": plan.to_dict()}
    if wishes.settle_s > 0:
        if sweep.is_galvanostatic:
            raise ConfigError(
                "How much drift a galvanostatic sweep bears is not known before it",
                where="settle",
                mend="Wait for the cell by hand, or excite the potential.",
            )
        limit = drift_limit_v_per_s(sweep.amplitude_v, plan.duration_s, stop_hz=sweep.stop_hz)
        if not able.has_ocv:
            instrument.ocv(OCV_S)  # says so
        window_s = min(WINDOW_S, wishes.settle_s / 2)
        found = settle(
            lambda: instrument.ocv(OCV_S),
            limit_v_per_s=limit,
            allowed_s=wishes.settle_s,
            least_s=window_s,
            window_s=window_s,
            every_s=min(OCV_S, window_s / READINGS),
        )
        on_notice(str(found))
        kept["settling"] = found.to_dict()
    return plan.as_sweep(), kept
