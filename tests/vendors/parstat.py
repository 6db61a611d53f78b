"""Tables of the Parstat and VersaStudio programs: direct current between the sweeps, a tabulator at the end."""

from __future__ import annotations

from tests.vendors import FREQUENCY, Written, cell

NAMES = ["Potential (V)", "Current (A)", "Elapsed Time (s)", "Frequency (Hz)", "Zre (ohms)", "Zim (ohms)"]
NAMES += ["|Vac| (V)", "|Iac| (A)"]


def content(
    scales: list[float], *, dc_rows: int = 5, separator: str = "\t", comma: bool = False, segments: bool = False
) -> bytes:
    """Return a file: rows of direct current and a sweep for each of the cells."""
    names = [*(["Segment"] if segments else []), *NAMES]
    lines = [separator.join(names) + separator * (not segments)]
    time = 0.0
    for n, scale in enumerate(scales):
        table = [(0.0, 0j)] * dc_rows + list(zip(FREQUENCY, cell(FREQUENCY, scale), strict=True))
        for f, z in table:
            time += 10
            row = [3.49322700500488, -0.149962306022644, time, f, z.real, z.imag, 5e-3 * (f > 0), 1e-4 * (f > 0)]
            cells = [*([str(2 * n + (f > 0))] if segments else []), *(f"{value:.15g}" for value in row)]
            lines.append(separator.join(cells) + separator * (not segments))
    text = "\r\n".join(lines) + "\r\n"
    return (text.replace(".", ",") if comma else text).encode()


def truth(scales: list[float]) -> list:
    """Return the sweeps of a file."""
    return [(FREQUENCY, cell(FREQUENCY, scale)) for scale in scales]


DROPPED = ["5 rows with 0 Hz (DC steps)."]
FILES = {
    "parstat.txt": Written(content([1.0]), truth([1.0]), 1e-13, expected={"dropped": DROPPED, "warnings": []}),
    "versastudio_segments.csv": Written(
        content([1.0, 2.0], separator=",", segments=True),
        truth([1.0, 2.0]),
        1e-13,
        expected={"cycle": 1, "vendor": {"segments": [1.0, 3.0]}},
    ),
}
MORE = {
    "parstat_no_dc.txt": Written(content([1.0], dc_rows=0), truth([1.0]), 1e-13, expected={"dropped": []}),
    "parstat_two_sweeps.txt": Written(content([1.0, 2.0]), truth([1.0, 2.0]), 1e-13, expected={"cycle": 1}),
    "parstat_decimal_comma.txt": Written(content([1.0], comma=True), truth([1.0]), 1e-13),
}
"""Read by `tests/test_reader_classic.py` alone."""
