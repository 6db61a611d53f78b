"""The PalmSens instruments that speak MethodSCRIPT: what each can do, and how it says who it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eis.errors import InstrumentError
from instruments.methodscript import ERROR
from instruments.potentiostat import Identity


@dataclass(frozen=True, slots=True)
class Model:
    """Limits of one model: frequency (Hz), excitation (V rms), DC potential (V), autoranging currents (A).

    `current_a` is the largest current it can hold (A), 0 for a model without galvanostat.
    """

    name: str
    f_max_hz: float
    v_ac_rms_max: float
    v_dc: tuple[float, float]
    currents_a: tuple[float, float]
    current_a: float = 0.0


MODELS = {
    "espico": Model("EmStat Pico", 200e3, 0.429, (-1.7, 2.0), (100e-9, 5e-3)),
    "senswb": Model("Sensit Wearable", 200e3, 0.429, (-1.7, 2.0), (100e-9, 5e-3)),
    "es4_lr": Model("EmStat4 LR", 200e3, 0.9, (-3.0, 3.0), (1e-9, 10e-3), 30e-3),
    "es4_hr": Model("EmStat4 HR", 200e3, 0.9, (-6.0, 6.0), (100e-9, 100e-3), 0.2),
    "mes4lr": Model("MultiEmStat4 LR", 200e3, 0.9, (-3.0, 3.0), (1e-9, 10e-3), 30e-3),
    "mes4hr": Model("MultiEmStat4 HR", 200e3, 0.9, (-6.0, 6.0), (100e-9, 100e-3), 0.2),
    "nexus1": Model("Nexus", 1e6, 0.3, (-10.0, 10.0), (100e-9, 1.0), 1.0),
}
"""By the six characters the instrument calls itself."""


def recognised(version: str, release: str, serial: str, *, resource: str) -> tuple[Identity, Model]:
    """Return who and which model answered, with `version` and `release` to ``t`` and `serial` to ``i``.

    Raises
    ------
    InstrumentError
        If it is no model known here.
    """
    match = re.match(r"^t(?P<model>.{6})(?P<version>[^#]*)#(?P<date>.*)$", version)
    model = MODELS.get(match["model"]) if match else None
    if match is None or model is None:
        raise InstrumentError(
            f"No MethodSCRIPT instrument known here: it answered {version!r} to 't'",
            where=resource,
            mend=f"Known are {', '.join(MODELS)}; an instrument in its bootloader (espbl) needs a restart.",
        )
    identity = Identity(
        vendor="PalmSens",
        model=model.name,
        serial="" if ERROR.match(serial) else serial[1:],
        firmware=f"{match['version']} ({match['date']}{'' if release.startswith('R') else ', beta'})",
        resource=resource,
        raw="\n".join((version, release, serial)),
        simulated=serial.startswith("iEMULATED"),
    )
    return identity, model
