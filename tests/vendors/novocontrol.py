"""Text of Novocontrol's WinDETA: impedance and dielectric quantities, at one temperature or at several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

EPS0 = 8.8541878128e-12
DIAMETER_MM, THICKNESS_MM = 13.0, 0.75
C0 = EPS0 * np.pi * (DIAMETER_MM * 0.5e-3) ** 2 / (THICKNESS_MM * 1e-3)
TITLE = "s05751_25deg, 26.02.2025, 15:11"
GEOMETRY = (
    "Diameter[mm]: 1.300e+01  Thickness[mm]: 7.500e-01  Spacer Capacity[pF]: 0.000e+00  "
    "Spacer Area[mm^2] 0.000e+00  Edge Correction Off  Electrode Thickness[mm]: 4.00e+00"
)
FIXED = "Fixed value(s) :  AC Volt  [Vrms]=7.1000e-03  "
IMPEDANCE = ["     Freq.[Hz]", "      Zs'[ohm]", "     Zs''[ohm]"]
DIELECTRIC = [
    " Freq. [Hz]",
    " Eps'    ",
    " Eps''   ",
    " Modulus'  ",
    " Modulus''  ",
    " Zp' [Ohms]",
    " Zp'' [Ohms]",
]
DIELECTRIC += [" Sig' [S/cm]", " Sig'' [S/cm]", "Tan(Delta)"]
RESOLUTION = 1e-7
FINE = 1e-11
"""Digits for quantities in which the resistance of a cell hardly shows."""


def quantities(frequency_hz: NDArray[np.float64], z: NDArray[np.complex128]) -> dict[str, NDArray[np.float64]]:
    """Return what WinDETA makes of an impedance, in the units it prints."""
    omega = 2 * np.pi * frequency_hz
    y = 1 / z
    c = y / (1j * omega)
    eps = c / C0
    sigma = 1j * omega * EPS0 / 100 * (eps - 1)
    found = {"Freq.": frequency_hz, "Zs'": z.real, "Zs''": z.imag, "Zp'": 1 / y.real, "Zp''": 1 / y.imag}
    found |= {"Y'": y.real, "Y''": y.imag, "Cp'": c.real, "Cp''": -c.imag, "Eps'": eps.real, "Eps''": -eps.imag}
    found |= {"Modulus'": (1 / eps).real, "Modulus''": (1 / eps).imag, "Sig'": sigma.real, "Sig''": -sigma.imag}
    return found | {"Tan(Delta)": -eps.imag / eps.real}


def rows(
    names: Sequence[str], scale: float = 1.0, *, digits: int = 7, separator: str = "\t", **more: object
) -> list[str]:
    """Return the rows under names; `more` holds further columns by name."""
    z = cell(FREQUENCY, scale)
    table = quantities(FREQUENCY, z) | {
        name: np.broadcast_to(values, FREQUENCY.shape) for name, values in more.items()
    }
    columns = [table[name.split("[")[0].strip()] for name in names]
    return [separator.join(f"{value: .{digits}e}" for value in row) for row in zip(*columns, strict=True)]


def text(lines: Sequence[str], *, end: str = "\r\n", encoding: str = "cp1252") -> bytes:
    """Return a file."""
    return (end.join(lines) + end).encode(encoding)


def _files() -> dict[str, Written]:
    truth = [(FREQUENCY, cell(FREQUENCY))]
    warm = [(FREQUENCY, cell(FREQUENCY, scale)) for scale in (1.0, 0.5, 0.25)]
    found: dict[str, Written] = {}

    def add(
        name: str, lines: Sequence[str], its: list = truth, resolution: float = RESOLUTION, **said: object
    ) -> None:
        encoding = str(said.pop("encoding", "cp1252"))
        end = str(said.pop("end", "\r\n"))
        found[name] = Written(text(lines, encoding=encoding, end=end), its, resolution, expected=said)

    head = [TITLE, GEOMETRY, FIXED]
    said = {"acquired": "26.02.2025 15:11", "amplitude_v": 0.0071, "converted": [], "warnings": []}
    said["vendor"] = {"geometry": GEOMETRY, "Fixed value(s)": {"AC Volt [Vrms]": "7.1000e-03"}}
    add("windeta_zs.txt", [*head, "\t".join(IMPEDANCE), *rows(IMPEDANCE)], end="\n", **said)
    add("windeta_zs_no_geometry.txt", [TITLE, FIXED, "\t".join(IMPEDANCE), *rows(IMPEDANCE)], warnings=[])
    add("windeta_zs_title_only.txt", [TITLE, "\t".join(IMPEDANCE), *rows(IMPEDANCE)])
    add("windeta_zs_spaces.txt", [*head, "  ".join(IMPEDANCE), *rows(IMPEDANCE, separator=" ")])
    mixed = [row.replace("\t", "  ", 1) for row in rows(IMPEDANCE)]
    add("windeta_zs_mixed_spacing.txt", [*head, "\t ".join(IMPEDANCE), *mixed])
    add("windeta_zs_wrapped.txt", [*head, *IMPEDANCE, *rows(IMPEDANCE)])
    lines = rows(IMPEDANCE)
    lines[3:3] = [" 7.4000000e+05\t00000000\t00000000"] * 2
    add(
        "windeta_zs_unmeasured.txt",
        [*head, "\t".join(IMPEDANCE), *lines],
        dropped=["2 rows that were not measured (00000000)."],
    )
    add("windeta_all.txt", [*head, "\t".join(DIELECTRIC), *rows(DIELECTRIC, digits=12)], resolution=FINE)
    for name, columns in (
        ("eps", [" Freq. [Hz]", " Eps'    ", " Eps''   "]),
        ("sigma", [" Freq. [Hz]", " Sig' [S/cm]", " Sig'' [S/cm]"]),
        ("modulus", [" Freq. [Hz]", " Modulus'  ", " Modulus''  "]),
    ):
        lines = [*head, "\t".join(columns), *rows(columns, digits=14)]
        add(f"windeta_{name}.txt", lines, resolution=FINE, vendor={"geometry": GEOMETRY}, warnings=[])
    for name, columns in (
        ("zp", [" Freq. [Hz]", " Zp' [Ohms]", " Zp'' [Ohms]"]),
        ("y", [" Freq. [Hz]", " Y' [S]", " Y'' [S]"]),
        ("c", [" Freq. [Hz]", " Cp' [F]", " Cp'' [F]"]),
    ):
        add(f"windeta_{name}.txt", [TITLE, FIXED, "\t".join(columns), *rows(columns, digits=14)], resolution=FINE)
    for degree in ("°C", "C", "?C", "\ufffdC"):
        name = {"°C": "celsius", "C": "no_degree", "?C": "asked_degree", "\ufffdC": "lost_degree"}[degree]
        fixed = f"{FIXED} Temp. [{degree}]=-2.5000e+01"
        lines = [TITLE, GEOMETRY, fixed, "\t".join(IMPEDANCE), *rows(IMPEDANCE)]
        add(f"windeta_{name}.txt", lines, temperature_c=-25.0, encoding="utf-8")
    lines = [TITLE, GEOMETRY]
    for kelvin, scale in ((298.15, 1.0), (323.15, 0.5), (348.15, 0.25)):
        lines += [f"{FIXED}Temp. [K]={kelvin:.5e}", "\t".join(IMPEDANCE), *rows(IMPEDANCE, scale)]
    add("windeta_temperatures.txt", lines, warm, temperature_c=25.0)
    names = ["  Temp. [K]", *IMPEDANCE]
    lines = [*head, "\t".join(names)]
    for kelvin, scale in ((298.15, 1.0), (323.15, 0.5), (348.15, 0.25)):
        lines += rows(names, scale, **{"Temp.": kelvin})
    add("windeta_temperature_column.txt", lines, warm, temperature_c=25.0)
    by_frequency = [line for place in range(29) for line in lines[4 + place :: 29]]
    add("windeta_temperature_inner.txt", [*lines[:4], *by_frequency], warm, temperature_c=25.0)
    measured = ["  Freq. [Hz]", " Temp. [°C]", *IMPEDANCE[1:]]
    lines = [*head, "\t".join(measured)]
    for celsius, scale in ((25.0, 1.0), (50.0, 0.5), (75.0, 0.25)):
        lines += rows(measured, scale, **{"Temp.": celsius + np.linspace(-0.02, 0.02, 29)})
    add("windeta_temperature_measured.txt", lines, warm, temperature_c=25.0, cycle=1)
    return found


FILES = _files()
