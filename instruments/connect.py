"""From a resource name to an instrument: the drivers there are, and `connect`, which picks one."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

from eis.errors import ConfigError, InstrumentError, LinkError
from instruments.palmsens import PalmSens
from instruments.potentiostat import Potentiostat

SIMULATED = "sim::"


DRIVERS: tuple[type[Potentiostat], ...] = (PalmSens,)  # asked in this order

_numbers = itertools.count(1)


def connect(resource: str, *, driver: str | None = None, **options: Any) -> Potentiostat:
    """Connect to an instrument, real or emulated; this only asks who is there and changes nothing.

    Parameters
    ----------
    resource : str
        A VISA resource name such as ``"ASRL/dev/ttyUSB0::INSTR"`` or ``"TCPIP0::192.168.0.5::5025::SOCKET"``, or
        ``"sim::symmetric-cell"`` for an emulated instrument with an emulated cell inside this process.
    driver : str, optional
        Name of the driver; by default each is asked whether it knows what answers.
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
        If nothing can be reached there.
    InstrumentError
        If something answers that no driver knows.
    """
    drivers = _chosen(driver)
    if resource.startswith(SIMULATED):
        return _simulated(drivers[0], resource, options)
    refusals: list[InstrumentError] = []
    for candidate in drivers:
        try:
            return candidate.open(resource, **options)
        except LinkError:
            raise
        except InstrumentError as refusal:
            refusals.append(refusal)
    raise refusals[-1]


def _chosen(name: str | None) -> tuple[type[Potentiostat], ...]:
    chosen = tuple(driver for driver in DRIVERS if name in (None, driver.name))
    if not chosen:
        known = ", ".join(driver.name for driver in DRIVERS)
        raise ConfigError(f"There is no driver {name!r}", where="driver", mend=f"Choose one of {known}.")
    return chosen


def _simulated(driver: type[Potentiostat], resource: str, options: dict[str, Any]) -> Potentiostat:
    """Open an emulated instrument of its own, which is gone when the connection is closed."""
    from instruments.emulated.cells import CELLS
    from instruments.emulated.clock import FastClock
    from instruments.emulated.inprocess import library
    from instruments.emulated.methodscript import EmulatedPotentiostat

    name = resource.removeprefix(SIMULATED)
    if name not in CELLS:
        raise ConfigError(
            f"There is no emulated cell {name!r}",
            where="resource",
            mend=f"Choose one of {', '.join(SIMULATED + known for known in CELLS)}.",
        )
    device = EmulatedPotentiostat(CELLS[name], clock=FastClock())
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(library().serve(device, f"{name}-{next(_numbers)}"))
        ours: dict[str, Any] = {"backend": served.backend, "label": resource, "on_close": served.close}
        meter = driver.open(served.resource, **(options | ours))
        stack.pop_all()
    return meter
