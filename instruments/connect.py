"""From a resource name to an instrument: the drivers there are, and `connect`, which picks one."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import time
from typing import Any

from eis.errors import ConfigError, InstrumentError, LinkError, NoAnswerError
from instruments.hioki import Hioki
from instruments.keysight import E4990A
from instruments.lcr import LcrBridge
from instruments.palmsens import PalmSens
from instruments.potentiostat import Potentiostat
from instruments.solartron import Solartron

SIMULATED = "sim::"
REST_S = 0.15
"""How long to leave an instrument in peace that was asked in a language it does not speak (s)."""

DRIVERS: tuple[type[Potentiostat], ...] = (PalmSens, LcrBridge, E4990A, Hioki, Solartron)
"""In the order in which they ask a serial instrument; others are asked for their ``*IDN?`` first."""

_numbers = itertools.count(1)


def connect(resource: str, *, driver: str | None = None, **options: Any) -> Potentiostat:
    """Connect to an instrument, real or emulated; this only asks who is there and changes nothing.

    Parameters
    ----------
    resource : str
        A VISA resource name such as ``"ASRL/dev/ttyUSB0::INSTR"`` or ``"TCPIP0::192.168.0.5::5025::SOCKET"``, or
        ``"sim::symmetric-cell"`` for an emulated instrument with an emulated cell inside this process.
    driver : str, optional
        Name of the driver; by default each that may be there is asked whether it knows what answers.
    **options
        For the driver, such as ``baud_rate`` or ``f_min_hz``; and ``backend``, what to hand to
        ``pyvisa.ResourceManager`` (``"@py"`` by default).

    Returns
    -------
    Potentiostat
        To be used in a ``with`` statement.

    Raises
    ------
    ConfigError
        If there is no such driver, no such emulated cell, or `resource` is not a resource name.
    LinkError
        If nothing can be reached there, or nothing answers.
    InstrumentError
        If something answers that no driver knows.
    """
    if resource.startswith(SIMULATED):
        return _simulated(_named(driver or PalmSens.name), resource, options)
    candidates = (_named(driver),) if driver else _candidates(resource)
    refusals: list[InstrumentError] = []
    not_taken: dict[str, set[str]] = {}
    for number, candidate in enumerate(candidates):
        if number:
            time.sleep(REST_S)
        unknown = set(options) - _taken(candidate)
        if unknown:
            not_taken[candidate.name] = unknown
            continue
        try:
            return candidate.open(resource, **options)
        except InstrumentError as error:
            if isinstance(error, LinkError) and not isinstance(error, NoAnswerError):
                raise
            refusals.append(error)
    if not refusals:
        raise _unknown_options(not_taken)
    refusal = next((one for one in refusals if not isinstance(one, NoAnswerError)), refusals[0])
    if len(candidates) == 1:
        raise refusal
    raise type(refusal)(
        f"No driver knows what is there: {refusal.what[:1].lower()}{refusal.what[1:]}",
        where=resource,
        mend="Name the driver, if you know it: " + ", ".join(one.name for one in candidates) + ".",
    ) from refusal


def _candidates(resource: str) -> tuple[type[Potentiostat], ...]:
    """Return the drivers whose instruments can be at `resource`, the likeliest first."""
    name = resource.rpartition(">")[2].upper()
    kind = next((kind for kind in ("ASRL", "GPIB", "USB", "TCPIP") if name.startswith(kind)), "")
    if name.endswith("::SOCKET"):
        kind = "SOCKET"
    chosen = [driver for driver in DRIVERS if kind in driver.reached_by or not kind]
    if kind != "ASRL":
        chosen.sort(key=lambda driver: driver is PalmSens)  # asks in a language that others call an error
    return tuple(chosen)


def _taken(driver: type[Potentiostat]) -> set[str]:
    """Return the names of the options a driver takes."""
    known = {*inspect.signature(driver.open).parameters, *inspect.signature(driver.__init__).parameters}
    return known - {"self", "link", "resource"}


def _unknown_options(not_taken: dict[str, set[str]]) -> ConfigError:
    names = sorted(set.intersection(*not_taken.values()) or set.union(*not_taken.values()))
    return ConfigError(
        f"{', '.join(names)}: not an option of {', '.join(not_taken)}",
        where="options",
        mend="Check the spelling; the documentation of the driver lists its options.",
    )


def _named(name: str) -> type[Potentiostat]:
    for driver in DRIVERS:
        if driver.name == name:
            return driver
    known = ", ".join(driver.name for driver in DRIVERS)
    raise ConfigError(f"There is no driver {name!r}", where="driver", mend=f"Choose one of {known}.")


def _simulated(driver: type[Potentiostat], resource: str, options: dict[str, Any]) -> Potentiostat:
    """Open an emulated instrument of its own, which is gone when the connection is closed."""
    from instruments.emulated.cells import CELLS
    from instruments.emulated.clock import FastClock
    from instruments.emulated.inprocess import library
    from instruments.emulated.models import MODELS

    name = resource.removeprefix(SIMULATED)
    if name not in CELLS:
        raise ConfigError(
            f"There is no emulated cell {name!r}",
            where="resource",
            mend=f"Choose one of {', '.join(SIMULATED + known for known in CELLS)}.",
        )
    model = next(model for model in MODELS.values() if model.driver == driver.name)
    device = model.make(CELLS[name], clock=FastClock())
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(library().serve(device, f"{name}-{next(_numbers)}"))
        ours: dict[str, Any] = {"backend": served.backend, "label": resource, "on_close": served.close}
        usual: dict[str, Any] = {"gap_s": 0.0} if "gap_s" in _taken(driver) else {}  # nobody needs a rest here
        unknown = set(options) - _taken(driver)
        if unknown:
            raise _unknown_options({driver.name: unknown})
        meter = driver.open(served.resource, **(usual | options | ours))
        stack.pop_all()
    return meter
