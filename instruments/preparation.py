"""What is done at a connected instrument before a sweep: look at its cell, plan, and wait for it to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eis.errors import ConfigError
from eis.quantities import format_si
from instruments.limits import Limits, OpenCircuit, holds_potential, open_circuit, require_near
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


@dataclass(frozen=True, slots=True)
class Resting:
    """What a user says of the cell's voltage at rest.

    Parameters
    ----------
    ocv_v : float, optional
        The open-circuit voltage (V), where the instrument has no voltmeter; where it has one, it must agree.
    hold_ocv : bool
        Whether the DC potential is to be the open-circuit voltage.
    dc_blocked : bool
        Whether a capacitor in series keeps direct current from the cell.
    """

    ocv_v: float | None = None
    hold_ocv: bool = False
    dc_blocked: bool = False


def ready(
    instrument: Potentiostat,
    sweep: Sweep,
    limits: Limits,
    *,
    resting: Resting | None = None,
    wishes: Preparation | None = None,
    on_notice: Callable[[str], None],
) -> tuple[Sweep, OpenCircuit | None, dict[str, Any]]:
    """Look whether a sweep may be asked of the cell; plan it and wait, if wished; nothing is energised.

    The open-circuit voltage is read before anything is waited for, and again after.

    Parameters
    ----------
    instrument : Potentiostat
        What the cell is at.
    sweep : Sweep
        What is asked for; with `Resting.hold_ocv` its DC potential is still 0.
    limits : Limits
        What is never to be asked.
    resting : Resting, optional
        What is said of the cell's voltage.
    wishes : Preparation, optional
        As for `prepare`; without it the sweep is left as it is.
    on_notice : callable
        Told, in words, what is worth knowing.

    Returns
    -------
    Sweep, OpenCircuit or None, dict
        What to measure, where the cell rests, and what to keep about both.

    Raises
    ------
    RejectedError
        If the instrument cannot do it, or a limit does not allow it.
    ConfigError
        As `prepare`; or if a DC level is given besides the open-circuit voltage.
    InstrumentError
        If the voltage cannot be read.
    """
    known = resting or Resting()
    able, where = instrument.capabilities(), instrument.identify().resource
    if known.hold_ocv and (sweep.is_galvanostatic or sweep.dc_v):
        raise ConfigError(
            "The DC potential cannot be the open-circuit voltage and something else besides",
            where="dc",
            mend="Leave one out; a sweep of the current is at rest with a direct current of 0.",
        )
    follows = known.hold_ocv and holds_potential(able)

    def looked() -> tuple[OpenCircuit | None, Sweep]:
        ocv = open_circuit(instrument, sweep, limits, declared_v=known.ocv_v, hold=follows, on_notice=on_notice)
        asked = replace(sweep, dc_v=ocv.voltage_v) if follows and ocv is not None else sweep
        able.check(asked, where=where)
        require_near(asked, ocv, limits, able, where=where, dc_blocked=known.dc_blocked)
        return ocv, asked

    able.check(sweep, where=where)
    limits.check(sweep, able, where=where)
    ocv, asked = looked()
    kept: dict[str, Any] = {}
    if wishes is not None:
        planned, kept = prepare(instrument, asked, wishes, on_notice=on_notice)
        if wishes.settle_s > 0:
            ocv, asked = looked()
            plan = _plan(instrument, asked, wishes)
            planned, kept["plan"] = plan.as_sweep(), plan.to_dict()
        asked = planned
    if follows:
        on_notice(f"the cell is held at its open-circuit voltage, {ocv}")
    elif ocv is None and asked.dc_v and not known.dc_blocked:
        on_notice(
            f"whether {format_si(asked.dc_v, 'V')} is near the cell's open-circuit voltage is not known: the "
            f"{instrument.identify().model} cannot measure it, and it was not declared (--ocv)"
        )
    return asked, ocv, kept


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
    plan = _plan(instrument, sweep, wishes)
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


def _plan(instrument: Potentiostat, sweep: Sweep, wishes: Preparation) -> Plan:
    able = instrument.capabilities()
    if able.native_sweep == "none":
        mains = Mains(wishes.mains_hz)
        return Plan.of(sweep, mains=mains, repeat_decades=wishes.repeat_decades, is_paced=able.plans_cycles)
    if wishes.repeat_decades is not None:
        raise ConfigError(
            f"The {instrument.identify().model} runs a sweep by itself and cannot come back to its beginning",
            where="repeat",
            mend="Measure twice and compare the sweeps.",
        )
    return Plan.native(sweep)
