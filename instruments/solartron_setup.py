"""How a Solartron analyser and its interface are set up: what the sources do not settle, as options."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from eis.errors import ConfigError
from instruments.solartron_codes import parts, written

STANDARD_RESISTORS_OHM: Mapping[float, int] = {10.0 ** (code - 2): code for code in range(1, 9)}
"""Argument of ``RR`` by standard resistor (ohm)."""
FRA_INPUT_GAINS: Mapping[float, int] = {1.0: 0, 0.01: 1}
"""Argument of ``PI``."""
OUTPUT_GAINS: Mapping[int, int] = {1: 0, 10: 1}
"""Argument of ``VX`` and ``IX``."""
STANDBY: Mapping[str, int] = {"full": 0, "half": 1}
"""Argument of ``BY``."""
CHOICES: Mapping[str, tuple[object, ...]] = {
    "amplitude_unit": ("rms", "peak"),
    "standard_ohm": tuple(STANDARD_RESISTORS_OHM),
    "fra_input_gain": tuple(FRA_INPUT_GAINS),
    "voltage_gain": tuple(OUTPUT_GAINS),
    "current_gain": tuple(OUTPUT_GAINS),
    "z_sign": (1, -1),
    "standby": tuple(STANDBY),
}
INTEGRATION_S = (0.01, 1e5)
OWN_CODES = (
    *("VA", "VB", "IA", "IB", "PV", "PC", "PW", "SI", "RE", "BK", "TT", "FR", "IS", "GT", "SW", "CZ", "SO"),
    *("OS", "OT", "AU", "MS", "PO", "BY", "ON", "PI", "RR", "VX", "IX", "TR", "RU"),
)
"""What energises the cell, or decides what a result means; none of it can be among a user's further settings."""


@dataclass(frozen=True)
class Setup:
    """How analyser and interface are set up: the options of `instruments.solartron.Solartron`.

    Parameters
    ----------
    amplitude_unit : {"rms", "peak"}
        How the generator reads ``VA``; rms according to users.
    amplitude_min_v : float
        Smallest excitation allowed (V rms). Not stated by the sources.
    v_rms_above_10_mhz : float
        Most the generator may give above 10 MHz (V). Not stated by the sources.
    source_resistance_ohm : float
        Output resistance of the generator (ohm), for an analyser alone. Not stated by the sources.
    standard_ohm : float
        The interface's standard resistor, 0.1 ohm to 1 Mohm in decades; the impedance is scaled with it.
    fra_input_gain : {1.0, 0.01}
        The interface's gain from the generator to the cell; the generator's amplitude is scaled with it.
    voltage_gain, current_gain : {1, 10}
        Gain of the interface's potential and current outputs, ``VX`` and ``IX``.
    z_scale, z_sign : float
        Further factor of the impedance, and 1 or -1; the sign is not stated by the sources: measure a known
        resistor first.
    standby : {"half", "full"}
        What the interface disconnects while it is off; the open-circuit voltage can be read in half standby only.
    polarization_mode : int
        Argument of ``ON``; 0 makes ``PV`` the potential itself, according to the manual's order of words.
    integration_s, integration_cycles : float
        How long each point is integrated at least (s), and over how many cycles at least; a planned sweep may ask
        for more.
    auto_integration : int
        Argument of ``AU``; 0 is off, as it is wherever a sweep plans the cycles of a point.
    auto_integration_s : float
        How much longer a point may take (s) if that is on.
    delay_s : float
        Delay before each measurement (s), ``MS``, at least; a planned sweep may ask for more.
    separator_code, terminator_code : int
        Arguments of ``OS`` (0 is a comma) and ``OT`` (1 is CR LF with EOI, according to users). Before the
        analyser is connected, its menu must be at CR LF, or on a GPIB at anything with EOI.
    output : str
        The setting that sends all results where the driver reads: ``OP2,1`` for GPIB.
    settings, interface_settings : sequence of str
        Further settings, such as ``RA1,3`` or ``OU1,0``, which are written and read back.
    error_query : str, optional
        A query that answers the last command error as a number; it is asked after the settings.
    polarization_query : str
        The query that answers the state of the polarization switch.
    dvm_query : str
        What makes the interface's voltmeter send one reading.

    Raises
    ------
    ConfigError
        If a value is none of those allowed.
    """

    amplitude_unit: Literal["rms", "peak"] = "rms"
    amplitude_min_v: float = 0.001
    v_rms_above_10_mhz: float = 1.0
    source_resistance_ohm: float = 50.0
    standard_ohm: float = 100.0
    fra_input_gain: float = 1.0
    voltage_gain: int = 1
    current_gain: int = 1
    z_scale: float = 1.0
    z_sign: int = 1
    standby: Literal["half", "full"] = "half"
    polarization_mode: int = 0
    integration_s: float = 0.1
    integration_cycles: float = 1.0
    auto_integration: int = 0
    auto_integration_s: float = 0.0
    delay_s: float = 0.0
    separator_code: int = 0
    terminator_code: int = 1
    output: str = "OP2,1"
    settings: Iterable[str] = ()
    interface_settings: Iterable[str] = ()
    error_query: str | None = None
    polarization_query: str = "?PW"
    dvm_query: str = "TR"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if (value := getattr(self, name)) not in allowed:
                mend = f"Choose one of {', '.join(map(str, allowed))}."
                raise ConfigError(f"{name} is {value!r}", where="solartron", mend=mend)
        for name in ("amplitude_min_v", "z_scale", "integration_s", "integration_cycles"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise ConfigError(
                    f"{name} is {value!r}", where="solartron", mend="Give a finite number above zero."
                )
        for name in ("settings", "interface_settings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # not a generator: it is needed every time
        for setting in (self.output, *self.settings, *self.interface_settings):
            _require_harmless(setting)

    def sent_per_rms(self, *, with_interface: bool) -> float:
        """Return what ``VA`` is for each volt (rms) at the cell."""
        peak = math.sqrt(2) if self.amplitude_unit == "peak" else 1.0
        return peak / self.fra_input_gain if with_interface else peak

    def ohm_per_result(self, *, with_interface: bool) -> float:
        """Return the impedance (ohm) for each unit of a result."""
        interface = self.standard_ohm * self.current_gain / self.voltage_gain if with_interface else 1.0
        return self.z_sign * self.z_scale * interface

    def pace(self, frequency_hz: float, cycles: float | None = None, settle_s: float = 0.0) -> dict[str, float]:
        """Return what auto-integration, integration (s) and delay (s) are set to for a point, by command.

        Both times are the longer of what is planned, as `cycles` and `settle_s`, and of the options. Where cycles
        are planned, auto-integration is off.
        """
        shortest_s, longest_s = INTEGRATION_S
        integrating_s = max(self.integration_s, max(self.integration_cycles, cycles or 0.0) / frequency_hz)
        return {
            "AU": self.auto_integration if cycles is None else 0,
            "IS": min(max(integrating_s, shortest_s), longest_s),
            "MS": max(self.delay_s, settle_s),
        }

    def analyser_settings(self, *, with_interface: bool) -> tuple[str, ...]:
        """Return the analyser's settings, but for frequency, pace, amplitude and bias."""
        second = 2 if with_interface else 3
        return (
            written("OS", self.separator_code),
            written("OT", self.terminator_code),
            self.output,
            *("GT0", "SW0", "CZ0", written("SO", 1, second), "RA1,0", written("RA", second, 0)),
            *self.settings,
        )

    def for_interface(self) -> tuple[str, ...]:
        """Return the interface's settings, but for potential and polarization switch."""
        return (
            *("PO0", written("BY", STANDBY[self.standby]), written("ON", self.polarization_mode)),
            written("PI", FRA_INPUT_GAINS[self.fra_input_gain]),
            written("RR", STANDARD_RESISTORS_OHM[self.standard_ohm]),
            written("VX", OUTPUT_GAINS[self.voltage_gain]),
            written("IX", OUTPUT_GAINS[self.current_gain]),
            *self.interface_settings,
        )


def _require_harmless(setting: str) -> None:
    """Refuse a further setting that is none, or one the driver relies on."""
    try:
        code, _ = parts(setting)
    except ValueError as error:
        raise ConfigError(str(error), where="solartron", mend="Write it like RA1,3.") from error
    if code in OWN_CODES:
        mend = "Leave it to the sweep and to the options of the driver."
        raise ConfigError(f"{setting} is not a further setting", where="solartron", mend=mend)
