"""What differs between LCR bridges that speak the SCPI of the HP 4284A, as a table.

A row is what `instruments.lcr.LcrBridge` has to know about one family. Where documents do not settle a value, the
row holds a cautious default and the driver has an option to replace it; the field's description says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eis.spectrum import Quality

Statuses = Mapping[int, tuple[Quality, str]]

KEYSIGHT_STATUSES: Statuses = {
    -1: (Quality.NOT_A_NUMBER, "no data"),
    0: (Quality.OK, ""),
    1: (Quality.OVERLOAD, "overload"),
    3: (Quality.SOURCE_LIMIT, "signal source overloaded"),
    4: (Quality.LEVEL_NOT_HELD, "level control unable to regulate"),
}
"""Status codes of the E4980A, as its manual lists them."""

OTHER_STATUSES: Statuses = {
    **KEYSIGHT_STATUSES,
    1: (Quality.OVERLOAD, "bridge unbalanced"),
    2: (Quality.NOT_A_NUMBER, "A/D converter not working"),
}
"""Status codes of the Tonghui TH2816B, Trinix TX6000 and SM6026, as their manuals list them."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of LCR bridges.

    Parameters
    ----------
    name : str
        What the option ``dialect`` calls it.
    pattern : str
        What its answer to ``*IDN?`` looks like (a regular expression, capitals).
    f_hz, v_ac_rms, v_dc : tuple of float
        Limits of frequency (Hz), level (V rms) and bias (V); options of the driver replace them.
    bias_steps_v : tuple of float
        The bias voltages it has (V); empty if all between the limits.
    idle_level_v : float
        The lowest level (V rms), which it is left at.
    apertures : mapping
        Its words for a short, medium and long aperture, each with how long a measurement takes at high
        frequencies (s); these times are not stated by the sources and only used to wait long enough.
    integrates_s : mapping
        How long a measurement of each aperture integrates at least (s), at high frequencies; not stated by the
        sources, so these are cautious, and the option of the driver replaces them.
    longest_delay_s : float
        The longest ``TRIG:DEL`` (s); 0 if it is not known to have one, and the driver then waits itself.
    measure : str
        What begins a measurement and asks for its result, in one message.
    before_result : int
        How many answers come before the result in the answer to `measure`.
    fields : tuple of int
        How many numbers a result may have; the third is the status, the fourth the bin.
    overload : float
        The magnitude that stands for "no value".
    statuses : mapping
        What a status means.
    settings : tuple of (str, str)
        Headers and values to write, and read back, before a sweep.
    has_options, has_bias, has_monitors, has_level_control, has_abort : bool
        Whether it understands ``*OPT?``, ``BIAS``, ``FETC:SMON``, ``AMPL:ALC`` and ``ABOR``.
    frequency_tolerance : float
        By which fraction the frequency it takes may differ from the one asked for.
    with_options : mapping
        What is different if ``*OPT?`` lists an option.
    """

    name: str
    pattern: str
    f_hz: tuple[float, float]
    v_ac_rms: tuple[float, float]
    v_dc: tuple[float, float] = (0.0, 0.0)
    bias_steps_v: tuple[float, ...] = ()
    idle_level_v: float = 0.005
    apertures: Mapping[str, tuple[str, float]] = field(
        default_factory=lambda: {"short": ("FAST", 0.05), "medium": ("MED", 0.15), "long": ("SLOW", 0.6)}
    )
    integrates_s: Mapping[str, float] = field(
        default_factory=lambda: {"short": 0.005, "medium": 0.05, "long": 0.2}
    )
    longest_delay_s: float = 0.0
    measure: str = "*TRG"
    before_result: int = 0
    fields: tuple[int, ...] = (3, 4)
    overload: float = 9.99999e37
    statuses: Statuses = field(default_factory=lambda: OTHER_STATUSES)
    settings: tuple[tuple[str, str], ...] = (
        (":FUNC:IMP", "RX"),
        (":TRIG:SOUR", "BUS"),
    )
    has_options: bool = False
    has_bias: bool = True
    has_monitors: bool = True
    has_level_control: bool = False
    has_abort: bool = False
    frequency_tolerance: float = 0.005
    with_options: Mapping[str, Limits] = field(default_factory=lambda: {})

    def having(self, options: tuple[str, ...]) -> Dialect:
        """Return the row of an instrument with these options fitted."""
        row = self
        for option in options:
            if limits := self.with_options.get(option):
                row = replace(
                    row,
                    f_hz=limits.f_hz or row.f_hz,
                    v_ac_rms=limits.v_ac_rms or row.v_ac_rms,
                    v_dc=limits.v_dc or row.v_dc,
                    bias_steps_v=() if limits.v_dc else row.bias_steps_v,
                )
        return row


@dataclass(frozen=True, slots=True)
class Limits:
    """What an option changes: limits of frequency (Hz), level (V rms) and bias (V)."""

    f_hz: tuple[float, float] | None = None
    v_ac_rms: tuple[float, float] | None = None
    v_dc: tuple[float, float] | None = None


KEYSIGHT_APERTURES = {"short": ("SHOR", 0.05), "medium": ("MED", 0.2), "long": ("LONG", 0.6)}
POWER = Limits(v_ac_rms=(0.005, 20.0), v_dc=(-40.0, 40.0))

E4980A = Dialect(
    name="e4980a",
    pattern=r"(AGILENT|KEYSIGHT)[^,]*,\s*E4980A\s*,",
    f_hz=(20.0, 2e6),
    v_ac_rms=(0.001, 2.0),
    v_dc=(0.0, 2.0),
    bias_steps_v=(0.0, 1.5, 2.0),
    idle_level_v=0.0,
    apertures=KEYSIGHT_APERTURES,
    longest_delay_s=999.0,
    overload=9.9e37,
    statuses=KEYSIGHT_STATUSES,
    settings=(
        (":DISP:PAGE", "MEAS"),  # on the list page a result is the whole list
        (":FORM", "ASC"),
        (":FORM:ASC:LONG", "ON"),
        (":FUNC:IMP", "RX"),
        (":TRIG:SOUR", "BUS"),
        (":TRIG:DEL", "0"),
        (":INIT:CONT", "ON"),
    ),
    has_options=True,
    has_level_control=True,
    has_abort=True,
    frequency_tolerance=0.001,
    with_options={"001": POWER},
)
E4980AL = replace(
    E4980A,
    name="e4980al",
    pattern=r"(AGILENT|KEYSIGHT)[^,]*,\s*E4980AL[^,]*,",
    f_hz=(20.0, 300e3),
    with_options={"052": Limits(f_hz=(20.0, 500e3)), "102": Limits(f_hz=(20.0, 1e6))},
)
HP4284A = replace(
    E4980A,
    name="4284a",
    pattern=r"(HEWLETT|HP|AGILENT)[^,]*,\s*(HP\s*)?4284A\s*,",
    f_hz=(20.0, 1e6),
    v_ac_rms=(0.005, 2.0),
    idle_level_v=0.005,
    longest_delay_s=60.0,  # cautious: its own limit is not settled by the sources
    settings=tuple(setting for setting in E4980A.settings if setting[0] != ":FORM:ASC:LONG"),
    frequency_tolerance=0.02,  # it has 8610 frequencies and takes the nearest
    with_options={"001": Limits(v_ac_rms=(0.005, 20.0), v_dc=(0.0, 40.0))},
)
TONGHUI = Dialect(name="tonghui", pattern=r"TONGHUI[^,]*,\s*TH28", f_hz=(20.0, 200e3), v_ac_rms=(0.005, 2.0))
BK894 = Dialect(name="bk894", pattern=r"B&?K[^,]*,\s*(MODEL\s*)?89[45]", f_hz=(20.0, 500e3), v_ac_rms=(0.005, 2.0))
LCX = Dialect(
    name="lcx",
    pattern=r"ROHDE[^,]*,\s*LCX",
    f_hz=(4.0, 300e3),
    v_ac_rms=(0.01, 10.0),
    v_dc=(0.0, 10.0),
    idle_level_v=0.01,
    apertures=KEYSIGHT_APERTURES,
    measure=":INIT:IMM;*OPC?;:FETC:IMP?",
    before_result=1,
    fields=(2, 3),
    overload=9.9e37,
    settings=((":FUNC:MEAS:TYPE", "R"), (":FUNC:IMP", "RX"), (":MEAS:MODE", "TRIG")),
    has_monitors=False,
)
GENERIC = Dialect(name="generic", pattern=r"(?!)", f_hz=(20.0, 100e3), v_ac_rms=(0.005, 1.0), has_monitors=False)

DIALECTS = {row.name: row for row in (E4980A, E4980AL, HP4284A, TONGHUI, BK894, LCX, GENERIC)}
"""The rows by name; ``generic`` recognises nothing and has to be asked for."""


def recognised(identification: str) -> Dialect | None:
    """Return the row of the instrument that answered `identification` to ``*IDN?``, or None."""
    matching = (row for row in DIALECTS.values() if re.match(row.pattern, identification.strip().upper()))
    return next(matching, None)
