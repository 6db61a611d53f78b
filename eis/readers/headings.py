"""What a column heading says: the quantity, its unit and its sign; nothing is guessed from an unknown word."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Quantity = Literal[
    "frequency",
    "real",
    "imag",
    "magnitude",
    "phase",
    "impedance",
    "admittance_real",
    "admittance_imag",
    "admittance_magnitude",
    "admittance_phase",
    "admittance",
    "time",
    "temperature",
    "cycle",
    "loop",
    "sweep",
    "channel",
    "cell",
    "lumped",
]
"""What a column may hold. `impedance` and `admittance` are a magnitude or complex numbers, as the cells tell;
`cycle` to `cell` say to which spectrum a row belongs; `lumped` is a capacitance, a loss or the like."""

_PLAIN_UNIT: dict[Quantity, str] = {
    "frequency": "Hz",
    "real": "ohm",
    "imag": "ohm",
    "magnitude": "ohm",
    "impedance": "ohm",
    "phase": "rad",
    "admittance_real": "S",
    "admittance_imag": "S",
    "admittance_magnitude": "S",
    "admittance": "S",
    "admittance_phase": "rad",
    "time": "s",
    "temperature": "degC",
}
_NAMES: dict[Quantity, str] = {
    "frequency": "f freq frequency frequencies frequenz fréquence frequence frecuencia frequenza",
    "real": "re real z' zs' zre zreal zr rez realz re(z) real(z) (z)re r rs realimpedance impedancereal zrealpart "
    "realpart realpartofz resistance zreel zréel realteil wirkwiderstand partieréelle partiereelle partereal "
    "partereale",
    "imag": "im imag imaginary z'' zs'' zim zimag zimg zimaginary zi imz imagz im(z) imag(z) (z)im x xs reactance "
    "imaginaryimpedance impedanceimaginary imagimpedance impedanceimag zimagpart imaginarypart imagpart "
    "imaginarypartofz imaginärteil imaginaerteil blindwiderstand zimaginaire partieimaginaire parteimaginaria "
    "parteimmaginaria",
    "magnitude": "|z| zmod modz absz abs(z) mod(z) zabs zmag mag(z) magnitude modulus |impedance| "
    "absoluteimpedance "
    "impedancemagnitude impedancemodulus betrag betragz scheinwiderstand",
    "phase": "phase phase(z) phasez zphz zphase phi φ theta θ argz arg(z) phaseangle theta-z θz thetaz "
    "phasenwinkel fase",
    "impedance": "z impedance complexz zcomplex compleximpedance impedancecomplex impedanz impédance impedancia "
    "impedenza",
    "admittance_real": "y' yre yreal yr re(y) real(y) rey realy admittancereal realadmittance g conductance",
    "admittance_imag": "y'' yim yimag yi im(y) imag(y) imy imagy admittanceimag imagadmittance "
    "admittanceimaginary "
    "imaginaryadmittance b susceptance",
    "admittance_magnitude": "|y| ymod absy abs(y) mod(y) yabs ymag |admittance|",
    "admittance_phase": "phase(y) phasey yphase arg(y) argy theta-y θy thetay",
    "admittance": "y admittance complexadmittance",
    "time": "t time elapsedtime testtime",
    "temperature": "temp temperature celltemperature celltemp ambienttemperature temperatur",
    "cycle": "cycle cycles cyclenumber cycleno cyclenr cyclecount cycleindex zyklus",
    "loop": "loop loopnumber loopno",
    "sweep": "sweep sweepnumber sweepno scan scannumber scanno run repeat repetition measurement spectrum",
    "channel": "channel channelnumber channelno ch",
    "cell": "cell cellid cellname cellno cellnumber sample sampleid samplename sampleno",
    "lumped": "c cp cs cpar cser c' c'' capacitance capacity l lp ls inductance d df tand tandelta tanδ tan(δ) "
    "tan(delta) loss lossfactor losstangent dissipation dissipationfactor q qualityfactor rp eps' eps'' ε' ε'' "
    "epsilon' epsilon'' eps epsilon permittivity m' m'' sigma sigma' σ σ' conductivity",
}
_QUANTITY: dict[str, Quantity] = {name: quantity for quantity, names in _NAMES.items() for name in names.split()}
_OHM = "ohms?|Ω|\u2126"
_SIEMENS = "s|siemens|mho|℧|1/ohm|ohm-1|ohm\\^-1|1/Ω|Ω-1|Ω\\^-1|Ω⁻¹"
_ANGLE = "deg|degrees?|°|rad|radians?"
_STEMS: dict[Quantity, str] = {
    "frequency": "hz|hertz",
    "real": _OHM,
    "imag": _OHM,
    "magnitude": _OHM,
    "impedance": _OHM,
    "phase": _ANGLE,
    "admittance_real": _SIEMENS,
    "admittance_imag": _SIEMENS,
    "admittance_magnitude": _SIEMENS,
    "admittance": _SIEMENS,
    "admittance_phase": _ANGLE,
    "time": "s|sec|secs|seconds?|min|mins|minutes?|h|hrs?|hours?",
}
SIGNED: frozenset[Quantity] = frozenset(
    ["imag", "phase", "admittance_imag", "admittance_phase", "impedance", "admittance"]
)
"""Quantities a minus before the heading makes sense with."""
COORDINATES: tuple[Quantity, ...] = ("cell", "channel", "temperature", "cycle", "loop", "sweep")
"""Quantities that say to which spectrum a row belongs."""
TEMPERATURE_UNITS: dict[str, float] = {
    **dict.fromkeys(("°C", "degC", "C", "celsius", "Celsius", "deg C", "° C", "℃"), 0.0),
    **dict.fromkeys(("K", "kelvin", "Kelvin"), -273.15),
}
"""What is added to a temperature in each unit to give °C."""
LONGEST = 120
"""A longer heading is a sentence, whose words are not known."""
_UNIT = {quantity: re.compile(f"([pnuµμmkKMG]?)((?i:{stems}))") for quantity, stems in _STEMS.items()}
_LONGEST_UNIT = 20
_UNCLEAR = frozenset(["mhz", "MOHM", "MOHMS", "MS", "MSIEMENS"])
_BESIDE = (None, "time", *COORDINATES)
_PREFIX = {"": 1.0, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3}
_PREFIX |= {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_NEGATIVE = re.compile(r"(?:[-−–]|neg(?:ative)?\.?(?=[\s_])|minus(?=[\s_]))[\s_]*", re.IGNORECASE)
_SPLITS = (
    re.compile(r"(?P<name>.+?)\s*/\s*(?P<unit>[^/]+)"),
    re.compile(r"(?P<name>.+?)[\s_]*[\[(](?P<unit>[^\[\]()]*)[\])]"),
    re.compile(r"(?P<name>.+)[\s_,](?P<unit>[^\s_,]+)"),
)
_MARKS = str.maketrans(
    {"″": "''", "”": "''", "“": "''", '"': "''", "′": "'", "’": "'", "‘": "'", "´": "'", "`": "'"}
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What the heading of a column says.

    Parameters
    ----------
    text : str
        The heading as printed.
    quantity : str, optional
        What the column holds; None if the words are not known.
    unit : str, optional
        The unit as printed; None if there is none.
    negative : bool
        Whether the column holds the negative of the quantity, as ``-Z''``.
    """

    text: str
    quantity: Quantity | None = None
    unit: str | None = None
    negative: bool = False

    @property
    def scale(self) -> float | None:
        """The factor to Hz, ohm, S, rad or s; None if the unit is not one of the quantity."""
        return 1.0 if self.unit is None else unit_scale(self.quantity, self.unit) if self.quantity else None

    @property
    def plain_unit(self) -> str:
        """The unit the column is converted to."""
        return _PLAIN_UNIT.get(self.quantity, "") if self.quantity else ""


def unit_scale(quantity: Quantity, unit: str) -> float | None:
    """Return the factor from `unit` to Hz, ohm, S, rad or s; None if the word is unknown or may mean two things.

    ``mhz`` in lower case may mean 1e-3 or 1e6 Hz and is therefore unknown; so are ``MOHM`` and ``MS``, which
    capital letters alone may have made of milliohm and millisiemens.
    """
    unit = unit.strip()
    return _scale(quantity, unit) if len(unit) <= _LONGEST_UNIT else None


@lru_cache(maxsize=256)
def _scale(quantity: Quantity, unit: str) -> float | None:
    pattern = _UNIT.get(quantity)
    match = pattern.fullmatch(unit) if pattern else None
    if match is None or unit in _UNCLEAR:
        return None
    prefix, stem = match.groups()
    if quantity in ("phase", "admittance_phase"):
        degree = math.pi / 180 if stem.lower().startswith(("deg", "°")) else 1.0
        return degree if not prefix else degree * 1e-3 if prefix == "m" else None
    if quantity == "time" and stem[0] in "mMhH":
        return (60.0 if stem[0] in "mM" else 3600.0) if not prefix else None
    return _PREFIX[prefix]


def parse_heading(text: str) -> Heading:
    """Read one heading, e.g. ``-Im(Z)/Ohm``, ``Freq [kHz]``, ``z_real_ohm``, ``neg. Z''``."""
    if len(text) > LONGEST:
        return Heading(text.strip())
    words = unquoted(text).translate(_MARKS).strip()
    sign = _NEGATIVE.match(words)
    negative = sign is not None
    if sign is not None:
        words = words[sign.end() :]
    name, unit = _QUANTITY.get(_bare(words)), None
    if name is None:
        for split in _SPLITS:
            match = split.fullmatch(words)
            if match and (name := _QUANTITY.get(_bare(match["name"]))):
                unit = match["unit"].strip() or None
                break
    if name is None or (negative and name not in SIGNED):
        return Heading(text.strip())
    if name == "time" and unit in TEMPERATURE_UNITS:
        name = "temperature"
    if name == "time" and unit is None and words == "T":  # as likely a temperature
        return Heading(text.strip())
    return Heading(text.strip(), name, unit, negative)


def stated_unit(text: str) -> str | None:
    """Return what stands as a unit in a heading whose words may be unknown: after a slash or in brackets."""
    if len(text) > LONGEST:
        return None
    words = unquoted(text).translate(_MARKS).strip()
    for split in _SPLITS[:2]:
        if match := split.fullmatch(words):
            return match["unit"].strip() or None
    return None


def parse_headings(cells: Sequence[str]) -> list[Heading]:
    """Read a row of headings."""
    return [parse_heading(cell) for cell in cells]


def recognised(headings: Sequence[Heading]) -> bool:
    """Whether at least two headings are those of an impedance table."""
    return len({h.quantity for h in headings if h.quantity not in _BESIDE}) >= 2


def unquoted(cell: str) -> str:
    """Return a cell without the double quotes around it."""
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _bare(name: str) -> str:
    """Return a name as it stands in the lists: lower case, without spaces, underscores and full stops."""
    return re.sub(r"[\s_.]", "", name).lower()
