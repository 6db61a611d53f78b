"""Plain tables, as people and programs write them by hand."""

from __future__ import annotations

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

F = FREQUENCY
Z = cell(F)
SIXES = 1e-6
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def table(head, columns, separator=",", form="{:.9e}", comma=False, **more):
    """Write rows of numbers under a heading."""
    rows = []
    for row in zip(*columns, strict=True):
        cells = [one if isinstance(one, str) else form.format(one) for one in row]
        rows.append(separator.join(one.replace(".", ",") if comma else one for one in cells))
    text = "\n".join(([head] if head else []) + rows) + "\n"
    return Written(text.encode("utf-8"), more.pop("truth", [(F, Z)]), more.pop("resolution", 1e-9), **more)


def engineering(value):
    """Print a number with an SI suffix, six digits."""
    for size, letter in PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.6f}{letter}"
    return f"{value / 1e-9:.6f}n"


def bias(f, scale):
    return f, cell(f, scale)


TWO = [(F, Z), (F, cell(F, 1.5))]
BOTH = [np.concatenate(part) for part in zip(*TWO, strict=True)]
Y = 1 / Z
DEGREES = np.degrees(np.angle(Z))

FILES = {
    "table_comma.csv": table("frequency_hz,z_real_ohm,z_imag_ohm", (F, Z.real, Z.imag)),
    "table_negative_milliohm.csv": table(
        "f (kHz),Re(Z) (mOhm),-Im(Z) (mOhm)", (F / 1e3, Z.real * 1e3, -Z.imag * 1e3)
    ),
    "table_decimal_comma.csv": table("f / Hz;Z' / Ω;-Z'' / Ω", (F, Z.real, -Z.imag), ";", comma=True),
    "table_decimal_comma.txt": table("f [Hz]\tZ' [Ohm]\tZ'' [Ohm]", (F, Z.real, Z.imag), "\t", comma=True),
    "table_degrees.txt": table("Freq (Hz)\t|Z| (Ohm)\tPhase (deg)", (F, np.abs(Z), DEGREES), "\t"),
    "table_radians.csv": table("Freq,Zmod,-theta (rad)", (F, np.abs(Z), -np.angle(Z))),
    "table_radians_untold.csv": table("Freq,Zmod,theta", (F, np.abs(Z), np.angle(Z))),
    "table_admittance.csv": table("f (Hz),Y' (mS),Y'' (mS)", (F, Y.real * 1e3, Y.imag * 1e3)),
    "table_conductance.csv": table("f (Hz),G (S),B (S)", (F, Y.real, Y.imag)),
    "table_admittance_polar.csv": table("f (Hz),|Y| (S),theta-y (deg)", (F, np.abs(Y), -DEGREES)),
    "table_units_below.csv": table("freq,Zre,Zim\nkHz,mOhm,mOhm", (F / 1e3, Z.real * 1e3, Z.imag * 1e3)),
    "table_headings_in_three_lines.csv": table(
        "Frequency,Real,Imaginary\n,part,part\n(Hz),(ohm),(ohm)", (F, Z.real, Z.imag)
    ),
    "table_headings_shared.csv": table("Freq,Z,Z\nHz,real,imag", (F, Z.real, Z.imag)),
    "table_below_remarks.csv": table(
        "Cell,LLZO 7\nOperator: nobody\n\nfrequency_hz,z_real_ohm,z_imag_ohm", (F, Z.real, Z.imag)
    ),
    "table_complex.csv": table("f (Hz),Z (ohm)", (F, [f"{z.real:.9e}{z.imag:+.9e}j" for z in Z])),
    "table_complex_without_headings.txt": table("", (F, [f"({z.real:.9e}{z.imag:+.9e}j)" for z in Z]), " "),
    "table_without_headings.csv": table("", (F, Z.real, Z.imag)),
    "table_suffixes.txt": table(
        "Frequency (Hz)\tZ' (Ohm)\tZ'' (Ohm)",
        ([engineering(f) for f in F], [engineering(z.real) for z in Z], [engineering(z.imag) for z in Z]),
        "\t",
        resolution=SIXES,
    ),
    "table_name_eaten.csv": table("f (Hz);Z' (Ohm);#NAME?", (F, Z.real, -Z.imag), ";", comma=True),
    "table_redundant.csv": table(
        "f (Hz),Re (Ohm),Im (Ohm),|Z| (Ohm),Phase (deg)", (F, Z.real, Z.imag, np.abs(Z), DEGREES)
    ),
    "table_stacked.csv": table(
        "f,Re,Im", (*BOTH[:1], BOTH[1].real, BOTH[1].imag), truth=TWO, expected={"cycle": 1}
    ),
    "table_headings_repeated.csv": Written(
        b"".join(table("f (Hz),Re (Ohm),Im (Ohm)", (f, z.real, z.imag)).content for f, z in TWO),
        TWO,
        1e-9,
        expected={"cycle": 1, "table": 1},
    ),
    "table_cycles.csv": table(
        "cycle,f (Hz),Re (Ohm),Im (Ohm)",
        (["3"] * F.size + ["8"] * F.size, BOTH[0], BOTH[1].real, BOTH[1].imag),
        truth=TWO,
        expected={"cycle": 3},
    ),
    "table_cells_in_turn.csv": table(
        "f (Hz),cell,Re (Ohm),Im (Ohm)",
        (
            np.repeat(F, 2),
            ["A", "B"] * F.size,
            *(
                np.stack([one, other], 1).ravel()
                for one, other in ((Z.real, 1.5 * Z.real), (Z.imag, 1.5 * Z.imag))
            ),
        ),
        truth=TWO,
        expected={"cell": "A"},
    ),
    "table_temperatures.csv": table(
        "T (K),f (Hz),Re (Ohm),Im (Ohm)",
        (["298.15"] * F.size + ["333.15"] * F.size, BOTH[0], BOTH[1].real, BOTH[1].imag),
        truth=TWO,
        expected={"temperature_c": 25.0},
    ),
}
