"""What may go wrong with an emulated instrument, as plain data: which point or line, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PointFault = Literal["overload", "underload", "overload_warning", "timing", "nan", "runtime_error"]
LineFault = Literal["truncate", "garbage", "repeat", "lose", "hang", "drop", "unplug"]


@dataclass(frozen=True, slots=True)
class Faults:
    """A schedule of faults.

    Parameters
    ----------
    points : mapping of int to str
        By number of the measured point since power-on: a status flag, a ``nan`` value, or a ``runtime_error``,
        which ends the script without its ``on_finished:`` part, so that the cell stays on.
    lines : mapping of int to str
        By number of the line sent since power-on: ``truncate`` sends its first half and no line end, ``garbage``
        replaces it, ``repeat`` and ``lose`` speak for themselves, ``hang`` makes the instrument fall silent for
        good, ``drop`` cuts the connection, and ``unplug`` cuts it and refuses new ones.
    """

    points: Mapping[int, PointFault] = field(default_factory=lambda: {})
    lines: Mapping[int, LineFault] = field(default_factory=lambda: {})
