"""Exports of spectra from RelaxIS 3: full precision, rising frequencies, a row that describes the spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

RISING = FREQUENCY[::-1]
TITLE = ["RelaxIS 3.0 Spectrum export", "Date: 12/16/2025 2:29:15 PM"]
NAMES = ["Data: Frequency", "Data: Z'", "Data: Z''", "Data: |Z|", "Data: Theta (Z)"]
ABOUT = "DC=-0.080042, TM=33.741076, J=-5E-6, FV2=1\tModel: Unassigned Spectra\tcell_07.mpr_1\t\t"
UNTRUSTED = "description (as the user or the import put it, not verified)"


def rows(scale: float = 1.0, *, model: bool = False) -> list[str]:
    """Return the points, with those of a model behind them."""
    lines = []
    for f, z in zip(RISING, cell(RISING, scale), strict=True):
        numbers = [f, z.real, z.imag, np.abs(z), np.degrees(np.angle(z))]
        if model:
            numbers += [1.01 * z.real, 1.01 * z.imag]
        lines.append("\t".join(repr(float(number)) for number in numbers))
    return lines


def text(lines: Sequence[str], *, names: Sequence[str] = NAMES, comma: bool = False, end: str = "\r\n") -> bytes:
    """Return a file; `comma` prints every number as computers of many countries do."""
    below = [line.replace(", ", "; ").replace(".", ",") if comma else line for line in lines]
    return (end.join([*TITLE, "\t".join(names), *below]) + end).encode()


TRUTH = [(RISING, cell(RISING))]
MODEL = [*NAMES, "Model: Z'", "Model: Z''"]
FILES = {
    "relaxis.txt": Written(
        text([ABOUT, *rows()]),
        TRUTH,
        1e-15,
        expected={
            "warnings": [],
            "vendor": {"title": TITLE[0], "exported": "12/16/2025 2:29:15 PM", UNTRUSTED: ABOUT},
        },
    ),
    "relaxis_decimal_comma.txt": Written(text([ABOUT, *rows()], comma=True, end="\n"), TRUTH, 1e-15),
    "relaxis_model.txt": Written(text([ABOUT, *rows(model=True)], names=MODEL), TRUTH, 1e-15),
    "relaxis_two_spectra.txt": Written(
        text([ABOUT, *rows(), ABOUT.replace("33.7", "60.1"), *rows(2)]),
        [*TRUTH, (RISING, cell(RISING, 2))],
        1e-15,
        expected={"cycle": 1, "vendor": {UNTRUSTED: ABOUT}},
    ),
}
