"""Experiment files as VersaStudio saves them: sections that look like XML and are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 5e-7
NAMES = "Segment #, Point #, E(V), I(A), Elapsed Time(s), ADC Sync Input(V), Current Range, Status, E Applied(V), "
NAMES += "Frequency(Hz), E Real, E Imag, I Real, I Imag, Z Real, Z Imag, E2 Status, E2(V), E2 Real, E2 Imag, "
NAMES += "Z2 Real, Z2 Imag, ActionId, AC Amplitude, 0"
SHORT = "Segment #, Point #, E(V), I(A), Elapsed Time(s), Frequency(Hz), Z Real, Z Imag, ActionId"
BEGIN = [
    "<Application>",
    "Name=VersaStudio",
    "Version=2.52.3.0",
    "LoggedIn=Security Disabled",
    "</Application>",
    "",
]
BEGIN += ["<Action0>", "Limits1,Value=0", "Limits1,Direction=<", "Measured Open Circuit=6.404 mV", "Name=Common"]
BEGIN += [
    "Comment=エクスペリメント",
    "</Action0>",
    "",
    "<Instrument>",
    "Type=VersaSTAT4",
    "Options=FRA, EIS <Filter:Normal>",
]
BEGIN += ["</Instrument>", "", "<Experiment>", "TimeAcquired=9:40:30 AM", "DateAcquired=Thursday, July 19, 2018"]
BEGIN += ["</Experiment>", "", "<Action1>", "Amplitude (mV RMS)=20", "Name=Potentiostatic EIS", "</Action1>", ""]
END = ["", "<Graph1>", "XAxisType=Frequency (Hz)", "GraphTitle=", "</Graph1>"]


def printed(value: float) -> str:
    """Print a number with seven digits, as VersaStudio does."""
    return f"{value:.7G}"


def rows(frequency: NDArray[np.float64], z: NDArray[np.complex128], second: float = 0.0) -> list[str]:
    """Return the rows of a segment; `second` is the impedance against the second electrometer over the first."""
    times = 1.8 + np.cumsum(0.3 + 2 / np.where(frequency > 0, frequency, 1.0))
    found = []
    for at, (f, t, one) in enumerate(zip(frequency, times, z, strict=True)):
        cells = [0, at, 1.2e-4, -3.282372e-06, t, -0.002441444, 5, 53, 0.5, f, -0.0035, -0.0178, -9e-05, -0.0003]
        cells += [one.real, one.imag, 0, 0, 0, 0, second * one.real, second * one.imag, 21, 0.02]
        found.append(",".join(printed(cell) for cell in cells))
    return found


def short(frequency: NDArray[np.float64], z: NDArray[np.complex128]) -> list[str]:
    """Return rows of the fewer columns of other versions."""
    return [
        ",".join(printed(cell) for cell in (0, at, 3.3, 5e-4, at + 1.0, f, one.real, one.imag, 1))
        for at, (f, one) in enumerate(zip(frequency, z, strict=True))
    ]


def segment(number: int, table: Sequence[str], names: str = NAMES) -> list[str]:
    """Return one section of data."""
    return [f"<Segment{number}>", "Type=2", "Version=3", f"Definition={names}", *table, f"</Segment{number}>", ""]


def par(*sections: Sequence[str], end: str = "\r\n", begin: Sequence[str] = BEGIN) -> bytes:
    """Return a file."""
    return (end.join([*begin, *(line for one in sections for line in one), *END]) + end).encode()


Z = cell(FREQUENCY)
ONE = [(FREQUENCY, Z)]
TWO = [(FREQUENCY, Z), (FREQUENCY, cell(FREQUENCY, 3.0))]
REST = rows(np.zeros(4), np.zeros(4, dtype=np.complex128))
ACQUIRED = {"acquired": "Thursday, July 19, 2018 9:40:30 AM", "segment": 1}

FILES: dict[str, Written] = {
    "one_segment.par": Written(par(segment(1, rows(FREQUENCY, Z))), ONE, RESOLUTION, expected=ACQUIRED),
    "two_segments_and_rest.par": Written(
        par(segment(1, REST), *(segment(at, rows(*one)) for at, one in enumerate(TWO, 2))),
        TWO,
        RESOLUTION,
        expected={"segment": 2},
    ),
    "fewer_columns.par": Written(
        par(segment(1, short(FREQUENCY, Z), SHORT), end="\n"), ONE, RESOLUTION, expected=ACQUIRED
    ),
    "second_electrometer.par": Written(
        par(segment(1, rows(FREQUENCY, Z, 0.4))), ONE, RESOLUTION, expected={"segment": 1}
    ),
}
