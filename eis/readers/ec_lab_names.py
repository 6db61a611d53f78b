"""What the names of EC-Lab's columns say: frequency, electrodes and their units, and what else is recorded.

Usage
    `meaning_of` the names of a file; `has_frequency`.
Layout
    See `eis.readers.ec_lab_columns`.
Units and sign
    A unit stands behind a slash.
Uncertainty
    None is stored.
Known variants
    Names that repeat: the first counts.
Source of the facts
    Exported files, and the manual's list of variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eis.readers.headings import Quantity, unit_scale
from eis.readers.remembered import remembered

COORDINATES: tuple[tuple[str, str], ...] = (("Ns", "step"), ("cycle number", "cycle"), ("z cycle", "z_cycle"))
"""Columns that tell spectra of one file apart, and what they are called here."""
ERROR_MARK = "error"
"""The column of EC-Lab's error mark."""

_FREQUENCY = re.compile(r"freq\s*/\s*(\S{1,20})")
_PART = re.compile(
    r"(?P<part>Re|-?Im|Phase|\|)\(?Z(?P<electrode>|ce|we-ce|stack|[0-9]{1,2})[)|]\s*/\s*(?P<unit>\S{1,20})"
)
_PARTS: dict[str, Quantity] = {"Re": "real", "Im": "imag", "-Im": "imag", "Phase": "phase", "|": "magnitude"}
_PAIRS = (("Re", "-Im"), ("Re", "Im"), ("|", "Phase"))
"""What makes an impedance, the first choice first."""
_EXTRAS: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = (
    ("time_s", (("time/s", 1.0),)),
    ("i_dc_a", (("<I>/mA", 1e-3), ("<I>/A", 1.0), ("I/mA", 1e-3), ("I/A", 1.0))),
    ("temperature_c", (("Temperature/°C", 1.0),)),
)
_POTENTIALS: dict[str, tuple[str, ...]] = {
    "": ("<Ewe>/V", "<Ecell>/V", "Ewe/V", "Ecell/V"),
    "ce": ("<Ece>/V", "Ece/V"),
    "we-ce": ("Ewe-Ece/V",),
    "stack": ("<Estack>/V",),
}


@dataclass(frozen=True)
class Electrode:
    """Where the impedance of one electrode stands.

    Parameters
    ----------
    suffix : str
        What stands behind the Z: nothing for the working electrode.
    parts : mapping
        Name and factor to ohm or rad of each part (``Re``, ``-Im``, ``|``, …).
    pair : tuple of (str, str)
        The two parts that make the impedance; empty texts if they are not there.
    potential : int, optional
        The column of the electrode's potential.
    """

    suffix: str
    parts: Mapping[str, tuple[str, float]]
    pair: tuple[str, str]
    potential: int | None

    @property
    def resistances(self) -> list[tuple[str, float]]:
        """Name and factor to ohm of those parts of the pair that are no phase."""
        return [self.parts[part] for part in self.pair if part != "Phase"]


@dataclass(frozen=True)
class Meaning:
    """What a row of names says, whatever stands below it.

    Parameters
    ----------
    frequency : tuple of (str, float or None), optional
        Name of the frequency, and the factor to Hz; None if its unit is unknown.
    electrodes : sequence of Electrode
        Those that have an impedance, the working electrode first.
    lone : sequence of str
        Columns of the other electrodes, which alone make none; one text for each.
    unknown : sequence of str
        Parts of an impedance whose unit is unknown.
    extras : sequence of (str, int, float)
        What else is recorded, whatever the electrode: our name, column, factor to our unit.
    wanted : sequence of int
        All columns that are read.
    """

    frequency: tuple[str, float | None] | None
    electrodes: Sequence[Electrode]
    lone: Sequence[str]
    unknown: Sequence[str]
    extras: Sequence[tuple[str, int, float]]
    wanted: Sequence[int]


def has_frequency(names: tuple[str, ...]) -> bool:
    """Whether one of the names is that of a frequency, in whatever unit."""
    return meaning_of(names).frequency is not None


@remembered
def meaning_of(names: tuple[str, ...]) -> Meaning:
    """Return what names say."""
    place = {name: at for at, name in reversed(list(enumerate(names)))}
    parts, unknown = _parts(names)
    every = [Electrode(suffix, those, _pair(those), _potential(suffix, place)) for suffix, those in parts.items()]
    electrodes = sorted((one for one in every if any(one.pair)), key=lambda one: one.suffix != "")
    lone = [", ".join(name for name, _ in one.parts.values()) for one in every if not any(one.pair)]
    frequency = next((match for name in names if (match := _FREQUENCY.fullmatch(name))), None)
    extras = []
    for ours, theirs in _EXTRAS:
        extras += [(ours, place[name], scale) for name, scale in theirs if name in place][:1]

    wanted = {at for _, at, _ in extras} | {one.potential for one in electrodes if one.potential is not None}
    wanted |= {
        place[one.parts[part][0]] for one in electrodes for part in (*one.pair, "|", "Phase") if part in one.parts
    }
    wanted |= {place[name] for name in (ERROR_MARK, *(theirs for theirs, _ in COORDINATES)) if name in place}
    told = None
    if frequency is not None:
        told = frequency[0], unit_scale("frequency", frequency[1])
        wanted.add(place[frequency[0]])
    return Meaning(told, electrodes, lone, unknown, extras, sorted(wanted))


def _parts(names: Sequence[str]) -> tuple[dict[str, dict[str, tuple[str, float]]], list[str]]:
    """Return the parts of each electrode, with name and factor, and the names whose unit is unknown."""
    parts: dict[str, dict[str, tuple[str, float]]] = {}
    unknown = []
    for name in names:
        match = _PART.fullmatch(name)
        if match is None:
            continue
        scale = unit_scale(_PARTS[match["part"]], match["unit"])
        if scale is None:
            unknown.append(name)
        else:
            parts.setdefault(match["electrode"], {}).setdefault(match["part"], (name, scale))
    return parts, unknown


def _pair(parts: Mapping[str, object]) -> tuple[str, str]:
    return next((pair for pair in _PAIRS if parts.keys() >= set(pair)), ("", ""))


def _potential(suffix: str, place: Mapping[str, int]) -> int | None:
    names = _POTENTIALS.get(suffix, (f"<E{suffix}>/V",))
    return next((place[name] for name in names if name in place), None)
