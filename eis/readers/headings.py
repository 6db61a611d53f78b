"""What a column heading says: the quantity, its unit and its sign; nothing is guessed from an unknown word."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Quantity = Literal["frequency", "real", "imag", "magnitude", "phase", "time"]

_PLAIN_UNIT: dict[Quantity, str] = {
    "frequency": "Hz",
    "real": "ohm",
    "imag": "ohm",
    "magnitude": "ohm",
    "phase": "rad",
    "time": "s",
}
_NAMES: dict[Quantity, str] = {
    "frequency": "f freq frequency frequencies frequenz fréquence frecuencia",
    "real": "re real z' zs' zre zreal zr rez realz re(z) real(z) (z)re r rs realimpedance impedancereal zrealpart "
    "realpart realpartofz resistance zreel",
    "imag": "im imag imaginary z'' zs'' zim zimag zimg zimaginary zi imz imagz im(z) imag(z) (z)im x xs reactance "
    "imaginaryimpedance impedanceimaginary imagimpedance impedanceimag zimagpart imaginarypart imagpart "
    "imaginarypartofz",
    "magnitude": "|z| zmod absz abs(z) mod(z) zabs magnitude modulus |impedance|",
    "phase": "phase phase(z) phasez zphz zphase phi theta argz arg(z) phaseangle",
    "time": "t time elapsedtime",
}
_QUANTITY: dict[str, Quantity] = {name: quantity for quantity, names in _NAMES.items() for name in names.split()}
_STEMS: dict[Quantity, str] = {
    "frequency": "hz|hertz",
    "real": "ohms?|Ω|\u2126",
    "imag": "ohms?|Ω|\u2126",
    "magnitude": "ohms?|Ω|\u2126",
    "phase": "deg|degrees?|°|rad|radians?",
    "time": "s|sec|secs|seconds?",
}
_UNIT = {quantity: re.compile(f"([pnuµμmkKMG]?)((?i:{stems}))") for quantity, stems in _STEMS.items()}
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
        """The factor to Hz, ohm, rad or s; None if the unit is not one of the quantity."""
        return 1.0 if self.unit is None else unit_scale(self.quantity, self.unit) if self.quantity else None

    @property
    def plain_unit(self) -> str:
        """The unit the column is converted to."""
        return _PLAIN_UNIT[self.quantity] if self.quantity else ""


def unit_scale(quantity: Quantity, unit: str) -> float | None:
    """Return the factor from `unit` to Hz, ohm, rad or s; None if the word is unknown or may mean two things.

    ``mhz`` in lower case may mean 1e-3 or 1e6 Hz and is therefore unknown.
    """
    match = _UNIT[quantity].fullmatch(unit.strip())
    if match is None or unit.strip() == "mhz":
        return None
    prefix, stem = match.groups()
    if quantity == "phase":
        degree = math.pi / 180 if stem.lower().startswith(("deg", "°")) else 1.0
        return degree if not prefix else degree * 1e-3 if prefix == "m" else None
    return _PREFIX[prefix]


def parse_heading(text: str) -> Heading:
    """Read one heading, e.g. ``-Im(Z)/Ohm``, ``Freq [kHz]``, ``z_real_ohm``, ``neg. Z''``."""
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
    if name is None or (negative and name not in ("imag", "phase")):
        return Heading(text.strip())
    return Heading(text.strip(), name, unit, negative)


def parse_headings(cells: Sequence[str]) -> list[Heading]:
    """Read a row of headings."""
    return [parse_heading(cell) for cell in cells]


def recognised(headings: Sequence[Heading]) -> bool:
    """Whether at least two headings are those of an impedance table."""
    return len({h.quantity for h in headings if h.quantity not in (None, "time")}) >= 2


def unquoted(cell: str) -> str:
    """Return a cell without the double quotes around it."""
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _bare(name: str) -> str:
    """Return a name as it stands in the lists: lower case, without spaces, underscores and full stops."""
    return re.sub(r"[\s_.]", "", name).lower()
