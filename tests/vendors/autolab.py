"""Files of the FRA program of Autolab, as it writes them for ZView."""

from __future__ import annotations

from tests.vendors import FREQUENCY, Written, cell

NAMES = "\"  Freq (Hz)    Ampl     Bias   Time(Sec)   Z'(a)    Z''(b)    GD   Err   Range\""
TRUTH = [(FREQUENCY, cell(FREQUENCY))]


def text(separator: str = ",", *, said: str = "", comma: bool = False, end: str = "\r\n", stated: int = 29) -> str:
    """Return a file; `said` stands in the first of the lines in quotes."""
    lines = ['"Z60W Data File: Version 1.1"', f'"{said}"', *['""'] * 6, "0,2,0,1,0.1,1000000", str(stated), NAMES]
    for f, z in zip(FREQUENCY, cell(FREQUENCY), strict=True):
        row = separator.join([f"{f:.10g}", "0", "0", "0", f"{z.real:.15g}", f"{z.imag:.15g}", "0", "0", "0"])
        lines.append(row.replace(".", ",") if comma else row)
    return end.join(lines) + end


FILES = {
    "z60w.txt": Written(
        text().encode("utf-8-sig"), TRUTH, 1e-9, expected={"vendor": {"Limits": "0,2,0,1,0.1,1000000"}}
    ),
    "z60w_decimal_comma.txt": Written(text(";", comma=True).encode("utf-8-sig"), TRUTH, 1e-9),
}
MORE = {
    "z60w_no_mark.txt": Written(
        text(said="Zelle 7, Größe 1,131 cm²", end="\n").encode("cp1252"),
        TRUTH,
        1e-9,
        expected={"vendor": {"remarks": ["Zelle 7, Größe 1,131 cm²"]}},
    ),
    "z60w_dated.txt": Written(
        text("\t", said='Date: 3-4-2019     "Time: 8:01:02').encode(),
        TRUTH,
        1e-9,
        expected={"acquired": "3-4-2019 8:01:02", "warnings": []},
    ),
}
"""Read by `tests/test_reader_classic.py` alone."""
