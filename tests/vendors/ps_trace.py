"""CSV as PSTrace exports it, curve below curve."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 1e-6
NAMES = "freq / Hz,neg. Phase / °,Idc / uA,Z / Ohm,Z' / Ohm,Z'' / Ohm,Cs / F"
BEGIN = ["Date and time:,2025-01-01 12:00:00", "Notes:", "Measurement:,Impedance Spectroscopy"]
BEGIN += ["Notes:,second cell", "Date and time measurement:,2025-01-01 12:01:00"]


def rows(frequency: NDArray[np.float64], z: NDArray[np.complex128], ohm: float = 1.0) -> list[str]:
    """Return the rows of a curve, capacitive positive; `ohm` is the unit of its impedance."""
    table = [frequency, -np.degrees(np.angle(z)), np.full(z.size, 0.25), np.abs(z) / ohm]
    table += [z.real / ohm, -z.imag / ohm, -1 / (2 * np.pi * frequency * z.imag)]
    return [",".join(f"{value:.7g}" for value in row) for row in zip(*table, strict=True)]


def text(lines: Sequence[str], *, encoding: str = "utf-16-le", comma: str = "") -> bytes:
    """Return a file; with `comma` the cells are separated by it, and numbers have decimal commas."""
    whole = "\r\n".join(lines) + "\r\n"
    if comma:
        whole = whole.replace(",", comma).replace(".", ",").replace("neg,", "neg.")
    mark = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    return mark + whole.encode(encoding)


def stacked(scales: Sequence[float]) -> tuple[list[str], list]:
    """Return one curve below the other, every channel its own, and the truth."""
    lines: list[str] = []
    truth = []
    for channel, scale in enumerate(scales, 1):
        truth.append((FREQUENCY, cell(FREQUENCY, scale)))
        lines += [f"CH {channel}: Fixed at {FREQUENCY.size} freqs", NAMES, *rows(*truth[-1])]
    return lines, truth


def scanned() -> tuple[list[str], list]:
    """Return a curve of three scans of time."""
    truth = [(FREQUENCY, cell(FREQUENCY, scale)) for scale in (1.0, 1.1, 1.2)]
    return [f"Time scan at {FREQUENCY.size} freqs", NAMES, *(row for one in truth for row in rows(*one))], truth


ONE = [(FREQUENCY, cell(FREQUENCY))]
CURVE = [f"Fixed at {FREQUENCY.size} freqs", NAMES, *rows(*ONE[0])]
STACKED, CHANNELS = stacked([1.0, 2.0, 30.0])
SCANS, SCANNED = scanned()
VOLTAMMETRY = ["Fast Cyclic Voltammetry: FCV i vs E Channel 3,", "V,µA", "-0.4,0.10", "0.7,0.50", ""]
UNITS = NAMES.replace("Ohm", "kOhm").replace("Z''", "-Z''")
ACQUIRED = {"acquired": "2025-01-01 12:01:00"}
FIXED = {"title": "Fixed at 29 freqs", "vendor": {"Measurement": "Impedance Spectroscopy", "Notes": "second cell"}}

FILES: dict[str, Written] = {
    "ps_trace.csv": Written(text([*BEGIN, *CURVE]), ONE, RESOLUTION, expected=ACQUIRED | FIXED),
    "ps_trace_stacked.csv": Written(
        text([*BEGIN[:2], *VOLTAMMETRY, *BEGIN[2:], *STACKED]), CHANNELS, RESOLUTION, expected={"channel": 1}
    ),
    "ps_trace_scans.csv": Written(text([*BEGIN, *SCANS]), SCANNED, RESOLUTION, expected={"scan": 1}),
    "ps_trace_decimal_comma.csv": Written(text([*BEGIN, *CURVE], comma=";"), ONE, RESOLUTION, expected=FIXED),
    "ps_trace_kilohm_utf8.csv": Written(
        text([*BEGIN, UNITS, *rows(*ONE[0], 1e3)], encoding="utf-8"), ONE, RESOLUTION, expected=ACQUIRED
    ),
    "ps_trace_two_measurements.csv": Written(
        text([*BEGIN, *CURVE, "", BEGIN[2] + " [1]", *CURVE]), ONE * 2, RESOLUTION, expected={"measurement": 1}
    ),
}
