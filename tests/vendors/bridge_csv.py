"""Traces as the E4990A saves them."""

from __future__ import annotations

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

F = FREQUENCY[FREQUENCY >= 20]
Z = cell(F)
Y = 1 / Z
W = 2 * np.pi * F
HEAD = "!Agilent Technologies,E4990A,MY00000001,A.02.10\n!Date: Fri Apr 03 13:41:16 2015\n"


def block(names, columns, channel=1, above=""):
    rows = [", ".join(f"{one:+.11e}".replace("e", "e") for one in row) for row in zip(F, *columns, strict=True)]
    return f"BEGIN CH{channel}_DATA\n{above}Frequency(Hz), {names}\n" + "\n".join(rows) + "\nEND\n"


def trace(names, *columns, above=""):
    return Written(
        (HEAD + block(names, columns, above=above)).encode(),
        [(F, Z)],
        1e-10,
        expected={"channel": 1, "acquired": "Fri Apr 03 13:41:16 2015"},
    )


FILES = {
    "e4990a_z_theta.csv": trace(
        "|Z|(Ohm)-data, theta-z(deg)-data, theta-z(deg)-mem",
        np.abs(Z),
        np.degrees(np.angle(Z)),
        np.zeros(F.size),
        above="Title label, TEST DATA\nDCV(V), +5.230e-005, DCI(A), +2.335e-005\n",
    ),
    "e4990a_r_x.csv": trace("R(Ohm)-data, X(Ohm)-data", Z.real, Z.imag),
    "e4990a_g_b.csv": trace("G(S)-data, B(S)-data", Y.real, Y.imag),
    "e4990a_y_theta.csv": trace("|Y|(S)-data, theta-y(deg)-data", np.abs(Y), np.degrees(np.angle(Y))),
    "e4990a_cp_d.csv": trace("Cp(F)-data, D()-data", Y.imag / W, Y.real / Y.imag),
    "e4990a_cp_rp.csv": trace("Cp(F)-data, Rp(Ohm)-data", Y.imag / W, 1 / Y.real),
    "e4990a_cs_rs.csv": trace("Cs(F)-data, Rs(Ohm)-data", -1 / (W * Z.imag), Z.real),
    "e4990a_cs_q.csv": trace("Cs(F)-data, Q()-data", -1 / (W * Z.imag), -Z.imag / Z.real),
    "e4990a_ls_rs.csv": trace("Ls(H)-data, Rs(Ohm)-data", Z.imag / W, Z.real),
    "e4990a_lp_g.csv": trace("Lp(H)-data, G(S)-data", -1 / (W * Y.imag), Y.real),
    "e4990a_two_channels.csv": Written(
        (
            HEAD
            + block("R(Ohm)-data, X(Ohm)-data", (Z.real, Z.imag))
            + block("Z-Real(Ohm)-data, Z-Imag(Ohm)-data, Y-Real(S)-mem", (2 * Z.real, 2 * Z.imag, Z.real), 2)
        ).encode(),
        [(F, Z), (F, 2 * Z)],
        1e-10,
        expected={"channel": 1, "cycle": 1},
    ),
}
