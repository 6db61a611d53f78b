"""Text of A.C. impedance measurements as the program of CH Instruments exports it."""

from __future__ import annotations

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

TRUTH = [(FREQUENCY, cell(FREQUENCY))]
ABOVE = ["Nov. 23, 2024   17:47:14", "A.C. Impedance", "File: e:\\data\\6-1\\eis.bin", "Data Source:  Experiment"]
ABOVE += ["Instrument Model:  CHI660E", "Header: ", "Note: pellet 7", ""]
NAMES = ["Freq/Hz", "Z'/ohm", 'Z"/ohm', "Z/ohm", "Phase/deg"]


def printed(value: float) -> str:
    """Print a number as the program does: four digits, an exponent as short as can be."""
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa}e{int(exponent):+d}"


def content(
    above: list[str], *, high: str = "1e+6", separator: str = ", ", end: str = "\r\n", rows: int = 29
) -> bytes:
    """Return a file of the first `rows` rows."""
    lines = [*above, "Init E (V) = 0.848", f"High Frequency (Hz) = {high}", "Low Frequency (Hz) = 0.1", "Imp SF"]
    lines += [
        "Amplitude (V) = 0.005",
        "Quiet Time (sec) = 2",
        "Cycles (.1-1Hz) = 1",
        "",
        separator.join(NAMES),
        "",
    ]
    for f, z in list(zip(FREQUENCY, cell(FREQUENCY), strict=True))[:rows]:
        numbers = [f, z.real, z.imag, np.abs(z)]
        lines.append(separator.join([*map(printed, numbers), f"{np.degrees(np.angle(z)):.1f}"]))
    return (end.join(lines) + end).encode()


FILES = {
    "chi660.txt": Written(
        content(ABOVE),
        TRUTH,
        1e-3,
        expected={
            "acquired": "Nov. 23, 2024 17:47:14",
            "warnings": [],
            "vendor": {
                "technique": "A.C. Impedance",
                "Instrument Model": "CHI660E",
                "File": "e:\\data\\6-1\\eis.bin",
                "Amplitude (V)": "0.005",
                "Note": "pellet 7",
                "remarks": ["Imp SF"],
            },
        },
    ),
    "chi_settings_only.txt": Written(
        content([], end="\n"), TRUTH, 1e-3, expected={"vendor": {"Init E (V)": "0.848"}}
    ),
}
MORE = {
    "chi_tabs.txt": Written(content(ABOVE, separator="\t"), TRUTH, 1e-3),
    "chi_spaces.txt": Written(content(ABOVE, separator=" "), TRUTH, 1e-3),
    "chi_range_not_reached.txt": Written(
        content(ABOVE, high="2e+6", rows=20),
        [(FREQUENCY[:20], cell(FREQUENCY[:20]))],
        1e-3,
        expected={
            "warnings": [
                "The header says High Frequency (Hz) = 2e+6; the rows go up to 1e+06 Hz.",
                "The header says Low Frequency (Hz) = 0.1; the rows go down to 17.78 Hz.",
            ]
        },
    ),
}
"""Read by `tests/test_reader_classic.py` alone."""
