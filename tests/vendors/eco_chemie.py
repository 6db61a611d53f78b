"""Files of the FRA program of Eco Chemie: lists of numbers and tables below their procedure."""

from __future__ import annotations

from tests.vendors import FREQUENCY, Written, cell

TRUTH = [(FREQUENCY, cell(FREQUENCY))]
PROCEDURE = ["Procedure : pellet 7", "04.03.2009 10:02:46 - 04.03.2009 10:31:00 i(init)= 183.1nA - i(end)= 7.88nA"]
PROCEDURE += ["second half", "t =  736.4 s"]


def listed(*, comma: bool = False, end: str = "\r\n", more: tuple[str, ...] = (), times: int = 1) -> bytes:
    """Return a list of numbers: nine for every point."""
    lines = ["VERSION8.0", str(FREQUENCY.size * times)]
    for f, z in list(zip(FREQUENCY, cell(FREQUENCY), strict=True)) * times:
        lines += [repr(float(value)) for value in (f, z.real, -z.imag, 59.3, 0.30981, 1.8311e-7, 0, 0, 1)]
    text = end.join([*lines, *more]) + end
    return (text.replace(".", ",").replace("VERSION8,0", "VERSION8.0") if comma else text).encode()


def printed(value: float) -> str:
    """Print a number as the program does: a mantissa of two digits before the point and three after it."""
    mantissa, exponent = f"{abs(value):.4e}".split("e")
    return f"{'-' if value < 0 else ''}{float(mantissa) * 10:.3f}e{int(exponent) - 1:+03d}"


def table(*, minus: str = "-", unit: str = "Ohm", per_ohm: float = 1.0, end: str = "\r\n") -> bytes:
    """Return a table."""
    names = ["f/Hz", f"Z'/{unit}", f"{minus}Z''/{unit}", "time/s", "Edc/V", "Idc/A"]
    lines = [*PROCEDURE, "".join(f" {name:<11}\t" for name in names), f" {FREQUENCY.size} "]
    for n, (f, z) in enumerate(zip(FREQUENCY, cell(FREQUENCY) * per_ohm, strict=True)):
        imag = -z.imag if minus else z.imag
        lines.append("".join(f" {printed(x)}\t" for x in (f, z.real, imag, 59.3 + n + 3 / f, 0.30981, 1.8311e-7)))
    return (end.join(lines) + end).encode("cp1252")


FILES = {
    "fra.dfr": Written(listed(), TRUTH, 1e-14, expected={"vendor": {"version": "8.0"}}),
    "fra.p00": Written(
        table(),
        TRUTH,
        2e-4,
        expected={
            "acquired": "04.03.2009 10:02:46",
            "warnings": [],
            "vendor": {"Procedure": "pellet 7", "remarks": PROCEDURE[1:]},
        },
    ),
    "fra_kohm.p00": Written(table(unit="kOhm", per_ohm=1e-3), TRUTH, 2e-4),
}
MORE = {
    "fra_decimal_comma.dfr": Written(listed(comma=True), TRUTH, 1e-14, expected={"warnings": []}),
    "fra_more.dfr": Written(
        listed(end="\n", more=("pellet 7", "12")),
        TRUTH,
        1e-14,
        expected={"vendor": {"after the points": ["pellet 7", "12"]}},
    ),
    "fra_twice.dfr": Written(listed(times=2), TRUTH * 2, 1e-14, expected={"cycle": 1}),
    "fra_as_is.p00": Written(table(minus="", end="\n"), TRUTH, 2e-4),
}
"""Read by `tests/test_reader_classic.py` alone."""
