"""Files of ZPlot and ZView in their three generations, and as other programs write them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 1e-6
NAMES = ("Freq(Hz)", "Ampl", "Bias", "Time(Sec)", "Z'(a)", "Z''(b)", "GD", "Err", "Range")
QUOTED = "\"  Freq (Hz)    Ampl     Bias   Time(Sec)   Z'(a)    Z''(b)    GD   Err   Range\""
TOGETHER = "\"Freq(Hz)AmplBiasTime(Sec)Z'(a)Z''(b)GDErrRange\""
TRUTH = [(FREQUENCY, cell(FREQUENCY))]


def rows(separator: str, *, digits: int = 2, clock: bool = True, ranges: Sequence[int] = (3,)) -> list[str]:
    """Return the rows; `digits` is how long exponents are."""

    def printed(value: float) -> str:
        mantissa, exponent = f"{value:.6E}".split("E")
        return f"{mantissa}E{exponent[0]}{exponent[1:]:0>{digits}}"

    found = []
    for n, (f, z) in enumerate(zip(FREQUENCY, cell(FREQUENCY), strict=True)):
        time = 2.58 + 0.7 * n + 3 / f if clock else n + 1
        numbers = [f, 0.01, 0.0, time, z.real, z.imag, 0.0]
        found.append(separator.join([*map(printed, numbers), "0", str(ranges[n % len(ranges)])]))
    return found


def newest(
    table: Sequence[str], names: str, *, comments: Sequence[str] = (), stated: int = FREQUENCY.size
) -> list[str]:
    """Return the lines of a ZPLOT2 file."""
    return [
        "ZPLOT2 ASCII",
        "  Measured Data, ZPlot:       3.2c",
        "  Experiment Type:            Sweep Frequency, Control Voltage",
        "  Date:                       10-12-2018",
        "  Time:                       11:04:34",
        "  Open Circuit Potential (V): 0.0033",
        f"  Begin User Comments:        {len(comments)}",
        *comments,
        f"  End User Comments:          {len(comments)}",
        "  Begin Pstat/Gstat:          1287",
        "    Error Beep:               1",
        "    Calibration File",
        "  End Pstat/Gstat:            1287",
        "  Begin Analyzer:             1252",
        "    Integration Seconds:      0.2",
        "    Error Beep:               0",
        "  End Analyzer:               1252",
        "  Null Configuration:         0,3,0,1,300000,1",
        f"  Data Points:                {stated}",
        f"  {names}",
        "End Comments",
        *table,
    ]


def older(first: str, table: Sequence[str], names: str, date: str, *, stated: int = FREQUENCY.size) -> list[str]:
    """Return the lines of a file of the second or third generation."""
    lines = [f'"{first}"', '"Raw Data"', '"Sweep Frequency: Control Voltage"', date, '"FRA 1260"', '"pellet 7"']
    return [*lines, '"Frequency"', "0,3,0,1,1000000,0.1", str(stated), names, *table]


def content(lines: Sequence[str], *, comma: bool = False, end: str = "\r\n") -> bytes:
    """Return a file; `comma` prints decimal commas."""
    table = [line.replace(".", ",") if comma and line[:1].isdigit() else line for line in lines]
    return (end.join(table) + end).encode("cp1252")


def written(content: bytes, **expected: object) -> Written:
    """Return a file of the usual cell."""
    return Written(content, TRUTH, RESOLUTION, expected=expected)


DATE = '"Date: 12-17-2019     "Time: 16:24:35"'
ZPLOTW, ZVIEW = "ZPlotW Data File: Version 3.2c", "ZView Calculated Data File: Version 1.1"
WHEN = "12-17-2019 16:24:35"
FILES = {
    "zplot2_tabs.z": written(
        content(newest(rows("\t"), "\t".join(NAMES), comments=["pellet 7", "Freq(Hz) from: 1 MHz"]), end="\n"),
        acquired="10-12-2018 11:04:34",
        vendor={
            "Analyzer": "1252",
            "Error Beep": "1",
            "Analyzer: Error Beep": "0",
            "Comments": "pellet 7\nFreq(Hz) from: 1 MHz",
            "Ampl": "1.000000E-02",
        },
    ),
    "zplot2_decimal_comma.z": written(
        content(newest(rows("\t"), "\t".join(NAMES)), comma=True), vendor={"Data Points": "29"}
    ),
    "zplotw.z": written(
        content(older(ZPLOTW, rows(", ", ranges=(4, 5)), QUOTED, "Date: 12-17-2019    Time: 16:24:35")),
        acquired=WHEN,
        vendor={"Limits": "0,3,0,1,1000000,0.1", "Range": "4; 5", "Sweep Frequency": "Control Voltage"},
    ),
    "zview_calculated.z": written(
        content(older(ZVIEW, [" " + row for row in rows(",  ", digits=4, clock=False)], QUOTED, DATE)),
        acquired=WHEN,
        warnings=[],
    ),
    "zview_calculated_tabs.z": written(
        content([f'"{ZVIEW}"', TOGETHER, *rows("\t")], comma=True),
        converted=["Decimal commas were read as decimal points."],
    ),
}
MORE = {
    "zplot2_commas.z": written(content(newest(rows(", "), ", ".join(NAMES)))),
    "zplotw_decimal_comma.z": written(
        content(older(ZPLOTW, rows(", "), QUOTED, DATE), comma=True), acquired=WHEN, warnings=[]
    ),
    "zview_semicolons.z": written(
        content(older(ZVIEW, rows(";"), QUOTED.replace("  ", ";"), DATE), comma=True),
    ),
    "zplotw_rising.z": Written(
        content(older(ZPLOTW, rows(", ")[::-1], QUOTED, DATE)),
        [(FREQUENCY[::-1], cell(FREQUENCY[::-1]))],
        RESOLUTION,
    ),
    "zplotw_two_sweeps.z": Written(
        content(older(ZPLOTW, rows(", ") * 2, QUOTED, DATE, stated=58)),
        [(FREQUENCY, cell(FREQUENCY))] * 2,
        RESOLUTION,
        expected={"cycle": 1},
    ),
}
"""Read by `tests/test_reader_classic.py` alone."""
