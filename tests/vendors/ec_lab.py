"""Text as EC-Lab and BT-Lab of BioLogic export it, in the locales and generations that are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 1e-7
SETTINGS = ["Mode                Single sine         ", "fi                  1.000               "]
SETTINGS += ["unit fi             MHz                 ", "Va (mV)             10.0                "]
PEIS = "Potentio Electrochemical Impedance Spectroscopy"
GEIS = "Galvano Electrochemical Impedance Spectroscopy"
SPEIS = "Staircase Potentio Electrochemical Impedance Spectroscopy"

Table = Mapping[str, NDArray[np.float64]]


def printed(value: float) -> str:
    """Print a number as EC-Lab does: eight digits and an exponent of three."""
    mantissa, exponent = f"{value:.7E}".split("E")
    return f"{mantissa}E{exponent[0]}{exponent[1:]:0>3}"


def impedance(z: NDArray[np.complex128], electrode: str = "") -> dict[str, NDArray[np.float64]]:
    """Return the columns of one electrode."""
    return {
        f"Re(Z{electrode})/Ohm": z.real,
        f"-Im(Z{electrode})/Ohm": -z.imag,
        f"|Z{electrode}|/Ohm": np.abs(z),
        f"Phase(Z{electrode})/deg": np.degrees(np.angle(z)),
    }


def times(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when points were done (s): each takes two periods and some handling."""
    return 1.4 + np.cumsum(0.3 + 2 / np.where(frequency_hz > 0, frequency_hz, 1.0))


def header(
    technique: str, *, program: str = "EC-Lab", settings: Sequence[str] = SETTINGS, more: Sequence[str] = ()
) -> list[str]:
    """Return the lines before the row of names."""
    lines = ["", technique, "", "Run on channel : 3 (SN 12345)", "User : ", "Safety Limits :"]
    lines += ["\tDo not start on E overload", "Acquisition started on : 13/02/2024 10:02:46.125"]
    lines += ["Saved on :", "\tFile : cell_07_C03.mpr", f"{program} for windows v11.18 (software)"]
    lines += ["Comments : first", "Comments : second", "Electrode surface area : 1.131 cm²", *settings, "", *more]
    first = [f"{program} ASCII FILE", f"Nb header lines : {len(lines) + 3:<30}"]
    return first + lines


def text(
    head: Sequence[str],
    columns: Sequence[tuple[str, NDArray[np.float64]]] | Table,
    *,
    end: str = "\n",
    comma: bool = False,
) -> bytes:
    """Return a file; `comma` prints every number as computers of many countries do."""
    pairs = list(columns.items()) if isinstance(columns, Mapping) else list(columns)
    rows = [
        "\t".join(printed(value) for value in row) for row in zip(*(values for _, values in pairs), strict=True)
    ]
    lines = [*head, "\t".join(name for name, _ in pairs) + "\t", *rows]
    if comma:
        lines = [line.replace(".", ",") if line[:1] in "-0123456789V" else line for line in lines]
    return (end.join(lines) + end).encode("cp1252")


def one(scale: float = 1.0, *, dc_rows: int = 0) -> tuple[dict[str, NDArray[np.float64]], list]:
    """Return the usual columns of one sweep, with rows at 0 Hz before it, and its truth."""
    f, z = FREQUENCY, cell(FREQUENCY, scale)
    zeros = np.zeros(dc_rows)
    table = {"freq/Hz": np.r_[zeros, f]}
    table |= {name: np.r_[zeros, values] for name, values in impedance(z).items()}
    n = dc_rows + f.size
    table |= {"time/s": times(table["freq/Hz"]), "<Ewe>/V": np.full(n, 1.2e-4), "<I>/mA": np.full(n, 3.1e-5)}
    table["cycle number"] = np.ones(n)
    return table, [(f, z)]


def stacked(tables: Sequence[Table]) -> dict[str, NDArray[np.float64]]:
    """Return tables under each other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def several(
    n: int, numbers: Mapping[str, Sequence[float]], *, without: Sequence[str] = (), dc_rows: int = 0
) -> tuple[dict[str, NDArray[np.float64]], list]:
    """Return `n` sweeps of different cells under each other, with a column of numbers for each."""
    tables, truth = [], []
    for at in range(n):
        table, its = one(1 + at, dc_rows=dc_rows)
        rows = len(table["freq/Hz"])
        table |= {name: np.full(rows, float(values[at])) for name, values in numbers.items()}
        tables.append({name: values for name, values in table.items() if name not in without})
        truth += its
    return stacked(tables), truth


def electrodes(names: Sequence[str]) -> tuple[list[tuple[str, NDArray[np.float64]]], list]:
    """Return one sweep of several electrodes, with the column that older exports print twice."""
    truth = [(FREQUENCY, cell(FREQUENCY, 1 + 0.5 * at)) for at in range(len(names))]
    pairs = [("freq/Hz", FREQUENCY)]
    for name, (_, z) in zip(names, truth, strict=True):
        pairs += impedance(z, name).items()
    n = FREQUENCY.size
    pairs += [("time/s", times(FREQUENCY)), ("<I>/mA", np.full(n, 3e-5)), ("<Ewe>/V", np.full(n, 0.1))]
    pairs += [("<Ece>/V", np.full(n, -0.2)), ("<I>/mA", np.full(n, 4e-5)), ("cycle number", np.ones(n))]
    return pairs, truth


def loops(n: int) -> list[str]:
    """Return the lines that say which rows are which loop."""
    size = FREQUENCY.size
    spans = [f"Loop {at} from point number {at * size} to {(at + 1) * size - 1}" for at in range(n)]
    return [f"Number of loops : {n}", *spans, ""]


def _files() -> dict[str, Written]:
    found: dict[str, Written] = {}

    def add(name: str, content: bytes, truth: list, **expected: object) -> None:
        found[name] = Written(content, truth, RESOLUTION, expected=expected)

    table, truth = one(dc_rows=2)
    settings = {"technique": PEIS, "Va (mV)": "10.0", "File": "cell_07_C03.mpr", "Comments": "first\nsecond"}
    add("peis.mpt", text(header(PEIS), table), truth, cycle=1, acquired="13/02/2024 10:02:46.125", vendor=settings)
    add("peis_comma.mpt", text(header(PEIS), table, end="\r\n", comma=True), truth, cycle=1)
    table, truth = one(3)
    add("header_of_three.mpt", text(["EC-Lab ASCII FILE", "Nb header lines : 3"], table), truth)
    add("export.txt", text([], table, end="\r\n"), truth)
    add("export_comma.txt", text([], table, end="\r\n", comma=True), truth)
    add("bt_lab.mpt", text(header(GEIS, program="BT-Lab"), table), truth, vendor={"technique": GEIS})
    polar = {name: values for name, values in table.items() if "(Z)/Ohm" not in name}
    add("polar.mpt", text(header(PEIS), polar, comma=True), truth)
    pairs, truth = electrodes(["", "ce", "we-ce"])
    add("two_electrodes.mpt", text(header(PEIS), pairs), truth, electrode="we", cycle=1)
    pairs, truth = electrodes(["stack", "1", "2"])
    add("stack_comma.mpt", text(header(PEIS), pairs, comma=True), truth, electrode="stack")
    columns, truth = several(3, {"cycle number": [1, 2, 3]}, dc_rows=1)
    add("cycles.mpt", text(header(SPEIS), columns), truth, cycle=1)
    columns, truth = several(2, {}, without=["cycle number"])
    add("starting_over.txt", text([], columns), truth, cycle=1)
    columns, truth = several(2, {"cycle number": [1, 1]})
    add("loops.mpt", text(header(PEIS, more=loops(2)), columns), truth, loop=0, cycle=1)
    columns, truth = several(3, {"cycle number": [1, 1, 1], "Ns": [0, 1, 2]}, dc_rows=1)
    steps = ["Ns                  0                   1                   2                   "]
    content = text(header(GEIS, settings=[*steps, *SETTINGS]), columns, comma=True)
    add("steps_comma.mpt", content, truth, step=0, cycle=1, vendor={"Ns": ["0", "1", "2"]})
    return found


FILES = _files()
