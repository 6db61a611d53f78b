"""Files for Elchemea: free text, an empty line, a count, three numbers in a row."""

from __future__ import annotations

from tests.vendors import FREQUENCY, Written, cell

TRUTH = [(FREQUENCY, cell(FREQUENCY))]
TEXT = ["pellet 7, 800 °C", "", "area 1.131 cm²"]


def content(
    text: list[str], *, separator: str = " ", comma: bool = False, end: str = "\r\n", stated: int = 29
) -> bytes:
    """Return a file."""
    rows = [
        f"{f!r}{separator}{z.real!r}{separator}{z.imag!r}"
        for f, z in zip(FREQUENCY.tolist(), cell(FREQUENCY).tolist(), strict=True)
    ]
    table = [row.replace(".", ",") for row in rows] if comma else rows
    return (end.join([*text, "", str(stated), *table]) + end).encode("utf-8")


FILES = {
    "elchemea.i2b": Written(
        content(TEXT), TRUTH, 1e-14, expected={"vendor": {"text": "\n".join(TEXT)}, "warnings": []}
    ),
    "elchemea_tabs.i2b": Written(content(["pellet 7"], separator="\t", end="\n"), TRUTH, 1e-14),
}
MORE = {
    "elchemea_decimal_comma.i2b": Written(content(["pellet 7"], comma=True), TRUTH, 1e-14),
}
"""Read by `tests/test_reader_classic.py` alone."""
