"""Binary files as Thales of Zahner writes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

Array = NDArray[np.float64]
RESOLUTION = 1e-13
START = 1_420_000_000.0
"""Seconds from 1980 to the end of 2024."""
TEXTS = (
    "130224",
    "Symmetric cell",
    "10mV",
    "0A",
    "25°C",
    "10:02:46 - 10:40:00",
    "first",
    "second",
    "",
    "",
    "1.131",
    "",
)


def settings(texts: Sequence[str] = TEXTS, *, recorded: Array | None = None, amplitude_mv: float = 10.0) -> bytes:
    """Return what stands behind the points; `recorded` are potential and current of every point."""
    parameters = np.zeros(32)
    parameters[25] = amplitude_mv
    parameters[27] = 0x8000 if recorded is not None else 0
    found = b"".join(struct.pack(">h", len(text)) + text.swapcase().encode("latin-1") for text in texts)
    found += struct.pack(">h", 257 if recorded is not None else 256) + parameters.astype(">f8").tobytes()
    return found if recorded is None else found + recorded.astype(">f8").tobytes()


def ism(
    frequency: Array,
    z: NDArray[np.complex128],
    *,
    version: int = -2,
    times: Array | None = None,
    behind: bytes | None = None,
    n: int | None = None,
) -> bytes:
    """Return a file; `n` states another number of points than there are."""
    times = START + np.cumsum(1 + 3 / frequency) if times is None else times
    table = np.array([frequency, np.abs(z), np.angle(z), times])
    count = frequency.size if n is None else n
    found = (
        (version & 0xFFFFFFFF).to_bytes(6, "big") + (count - 1).to_bytes(6, "big") + table.astype(">f8").tobytes()
    )
    found += np.full(frequency.size, 998).astype(">i2").tobytes()
    return found + (settings() if behind is None else behind)


def passes() -> Array:
    """Return frequencies as Thales runs through them: from 1 kHz up, and down past it to the end."""
    begin = int(np.argmin(np.abs(FREQUENCY - 1e3)))
    return np.concatenate([FREQUENCY[begin:0:-1], FREQUENCY])


UP_AND_DOWN = passes()
RECORDED = np.stack([np.full(FREQUENCY.size, 1.2e-4), np.full(FREQUENCY.size, -3.1e-8)], axis=1)
Z = cell(FREQUENCY)

FILES: dict[str, Written] = {
    "falling.ism": Written(
        ism(FREQUENCY, Z),
        [(FREQUENCY, Z)],
        RESOLUTION,
        is_text=False,
        expected={"vendor": {"system": "Symmetric cell", "electrode area": "1.131", "amplitude (mV or mA)": 10.0}},
    ),
    "passed_twice.ism": Written(
        ism(UP_AND_DOWN, cell(UP_AND_DOWN)), [(UP_AND_DOWN, cell(UP_AND_DOWN))], RESOLUTION, is_text=False
    ),
    "recorded.ism": Written(
        ism(FREQUENCY[::-1], Z[::-1], behind=settings(recorded=RECORDED)),
        [(FREQUENCY[::-1], Z[::-1])],
        RESOLUTION,
        is_text=False,
    ),
    "converted.ism": Written(
        ism(FREQUENCY, Z, version=-1, times=np.arange(FREQUENCY.size, dtype=np.float64), behind=b""),
        [(FREQUENCY, Z)],
        RESOLUTION,
        is_text=False,
        expected={"vendor": {"version": -1}},
    ),
}
