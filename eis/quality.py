"""What is said of a point that was measured: flags, and which of them keep it out of a fit."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """What the instrument or a reader said about a point; `EXCLUDING` lists what keeps it out of a fit."""

    OK = 0
    OVERLOAD = 1
    UNDERLOAD = 2
    OVERLOAD_WARNING = 4
    TIMING = 8
    SOURCE_LIMIT = 16
    LEVEL_NOT_HELD = 32
    CONTACT = 64
    NOT_A_NUMBER = 128
    UNKNOWN_CODE = 256
    DUPLICATE = 512
    EXCLUDED = 1024


EXCLUDING = (
    Quality.OVERLOAD
    | Quality.TIMING
    | Quality.CONTACT
    | Quality.NOT_A_NUMBER
    | Quality.UNKNOWN_CODE
    | Quality.DUPLICATE
    | Quality.EXCLUDED
)
