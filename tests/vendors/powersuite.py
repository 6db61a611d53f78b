"""Text of PowerSuite: lines that end twice, rising frequencies, negative Zre where the instrument gives up."""

from __future__ import annotations

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

RISING = FREQUENCY[::-1]
CELL = cell(RISING)
BEYOND = np.where(RISING > 5e5, CELL - 60, CELL)


def content(z: np.ndarray, *, end: str = "\r\r\n", comma: bool = False) -> bytes:
    """Return a file of eight digits."""
    rows = [f"{f:.8g}\t {one.real:.8g}\t {one.imag:.8g}" for f, one in zip(RISING, z, strict=True)]
    text = end.join(["Frequency\t Zre\t Zimg", *rows]) + end
    return (text.replace(".", ",") if comma else text).encode()


FILES = {
    "powersuite.txt": Written(content(CELL), [(RISING, CELL)], 1e-7, expected={"warnings": []}),
    "powersuite_negative.txt": Written(content(BEYOND), [(RISING, BEYOND)], 1e-7),
}
MORE = {
    "powersuite_one_end.txt": Written(content(CELL, end="\n"), [(RISING, CELL)], 1e-7),
    "powersuite_decimal_comma.txt": Written(content(CELL, comma=True), [(RISING, CELL)], 1e-7),
}
"""Read by `tests/test_reader_classic.py` alone."""
