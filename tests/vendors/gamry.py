"""Data files of Gamry's Framework: experiments, generations, interruptions, and what users put into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 1e-6
ABORTED = ["EXPERIMENTABORTED\tTOGGLE\tT\tExperiment Aborted"]
OCV = ["OCVCURVE\tTABLE\t2", "\tPt\tT\tVf\tVm\tAch\tOver\tTemp", "\t#\ts\tV vs. Ref.\tV\tV\tbits\tdeg C"]
OCV += [
    f"\t{at}\t{0.26 * (at + 1):.6g}\t5.91639E-002\t5.9E-002\t1.1E-003\t..........a\t-327.67" for at in range(2)
]
UNITS = {"Pt": "#", "Time": "s", "Freq": "Hz", "Zsig": "V", "Zphz": "°", "Idc": "A", "Vdc": "V", "IERange": "#"}
UNITS |= {"Over": "bits", "Temp": "deg C", "THD": "%"}

Table = Mapping[str, Sequence[str] | NDArray[np.float64]]


def header(tag: str = "EISPOT", title: str = "Potentiostatic EIS", *, more: Sequence[str] = ()) -> list[str]:
    """Return the lines before the tables."""
    lines = ["EXPLAIN", f"TAG\t{tag}", f"TITLE\tLABEL\t{title}\tTest &Identifier"]
    lines += ["DATE\tLABEL\t3/18/2020\tDate", "TIME\tLABEL\t16:54:44\tTime", "NOTES\tNOTES\t2\t&Notes..."]
    lines += ["\tpellet 7, 25 °C", "\tα phase", "PSTAT\tPSTAT\tREF600P-36072\tPotentiostat"]
    lines += [
        "VDC\tPOTEN\t-5.00000E-002\tT\tDC &Voltage (V)",
        "FREQINIT\tQUANT\t1.00000E+006\tInitial Fre&q. (Hz)",
    ]
    lines += ["CONDIT\tTWOPARAM\tF\t1.50000E+001\t0.00000E+000\tConditionin&g\tTime(s)\tE(V)"]
    return [*lines, *more]


def columns(scale: float = 1.0) -> dict[str, Sequence[str] | NDArray[np.float64]]:
    """Return the usual columns of one curve."""
    z, n = cell(FREQUENCY, scale), FREQUENCY.size
    table: dict[str, Sequence[str] | NDArray[np.float64]] = {"Pt": [str(at) for at in range(n)]}
    table |= {"Time": np.cumsum(1 + 2 / FREQUENCY), "Freq": FREQUENCY, "Zreal": z.real, "Zimag": z.imag}
    table |= {"Zsig": np.ones(n), "Zmod": np.abs(z), "Zphz": np.degrees(np.angle(z))}
    return table | {"Idc": np.full(n, 2.4e-6), "Vdc": np.full(n, 1.299216), "IERange": ["10"] * n}


def printed(value: str | float) -> str:
    """Print a number as Framework does: seven digits, an exponent of three."""
    if isinstance(value, str):
        return value
    mantissa, sign, exponent = f"{value:.7g}".partition("e")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):03d}" if sign else mantissa


def curve(
    table: Table, *, name: str = "ZCURVE", stated: bool = False, separator: str = "\t", first: str = "\t"
) -> list[str]:
    """Return a table with its rows of names and units."""
    names, rows = list(table), list(zip(*table.values(), strict=True))
    lines = [f"{name}\tTABLE" + (f"\t{len(rows)}" if stated else "")]
    lines += ["\t" + "\t".join(names), "\t" + "\t".join(UNITS.get(one, "ohm") for one in names)]
    return lines + [first + separator.join(printed(value) for value in row) for row in rows]


def text(lines: Sequence[str], *, end: str = "\r\n", encoding: str = "utf-8") -> bytes:
    """Return a file."""
    return (end.join(lines) + end).encode(encoding, "replace")


def _files() -> dict[str, Written]:
    truth = [(FREQUENCY, cell(FREQUENCY))]
    two = [*truth, (FREQUENCY, cell(FREQUENCY, 2))]
    found: dict[str, Written] = {}

    def add(name: str, content: bytes, its: list = truth, **said: object) -> None:
        found[name] = Written(content, its, RESOLUTION, expected=said)

    table = columns()
    said = {"notes": "pellet 7, 25 °C\nα phase", "PSTAT": "REF600P-36072", "TAG": "EISPOT"}
    add("eispot.dta", text([*header(), *curve(table)]), acquired="3/18/2020 16:54:44", warnings=[], vendor=said)
    add("eispot_latin.dta", text([*header(), *curve(table)], encoding="cp1252"), warnings=[])
    galvanostatic = header("GALVEIS", "Galvanostatic EIS", more=["IDC\tQUANT\t0.00000E+000\tDC &Current (A)"])
    add("galveis.DTA", text([*galvanostatic, *curve(table, stated=True)]), vendor={"TAG": "GALVEIS"}, warnings=[])
    other = header("EISPST", "Hybrid EIS")
    add("other_tag.DTA", text([*other, *curve(table)], end="\n"), vendor={"TITLE": "Hybrid EIS"})
    add("ocv_first.DTA", text([*header(), *OCV, *curve(table, stated=True)]), warnings=[])
    part = {name: values[:20] for name, values in table.items()}
    some = [(FREQUENCY[:20], cell(FREQUENCY[:20]))]
    add("aborted.DTA", text([*header(), *OCV, *curve(part), *ABORTED]), some, status="aborted")
    drift = table | {"ZrealDrCor": table["Zreal"], "ZimagDrCor": table["Zimag"]}
    corrected = (
        "The file also holds drift-corrected values (ZrealDrCor, ZimagDrCor); the impedance is the measured "
    )
    corrected += "one (Zreal, Zimag)."
    add("drift_corrected.DTA", text([*header(), *curve(drift)]), warnings=[corrected])
    leading = [line.replace("\t0.", "\t.").replace("\t-0.", "\t-.") for line in curve(table)]
    add("leading_points.DTA", text([*header(), *leading]), warnings=[])
    add("rows_of_spaces.DTA", text([*header(), *curve(table, separator=" ", first="  ")]), warnings=[])
    add("rows_not_indented.DTA", text([*header(), *curve(table, first="")]), warnings=[])
    free = ["", "PDAC", "made by hand, not by Framework"]
    add(
        "free_text.DTA",
        text([*header(more=free), *curve(table)]),
        vendor={"remarks": ["PDAC", "made by hand, not by Framework"], "TAG": "EISPOT"},
    )
    add("two_curves.DTA", text([*header(), *curve(table, stated=True), *curve(columns(2))]), two, cycle=1)
    numbered = [*curve(table, name="ZCURVE1"), *curve(columns(2), name="ZCURVE2")]
    add("numbered_curves.DTA", text([*header(), *numbered], end="\n"), two, cycle=1)
    empty = curve({name: values[:0] for name, values in table.items()})
    line = len(header()) + 33
    add(
        "second_curve_empty.DTA",
        text([*header(), *curve(table), *empty, *ABORTED]),
        status="aborted",
        dropped=[f"The ZCURVE table in line {line}, which has no rows."],
    )
    over = table | {"Over": ["..........a" if at == 3 else "..........." for at in range(29)]}
    marked = "1 points carry an overload mark in the column Over; their quality flags say which."
    add("overloads.DTA", text([*header(), *curve(over)]), warnings=[marked])
    add("saved_as.txt", text([*header(), *curve(table)], end="\n", encoding="utf-16"), warnings=[])
    comma = [line.replace(".", ",") for line in curve(table)]
    add("decimal_comma.DTA", text([*header(), *comma]), warnings=[])
    harmonics = table | {"Temp": np.full(29, 25.0), "THD": np.full(29, 0.1)}
    add("more_columns.DTA", text([*header(), *curve(harmonics)]), warnings=[])
    return found


FILES = _files()
