"""Battery Data Format CSV, with preferred labels and with machine-readable names."""

from __future__ import annotations

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

F = FREQUENCY
Z = cell(F)
TWO = [(F, Z), (F, cell(F, 1.5))]


def rows(head, columns):
    return "\n".join(
        [head, *(",".join(map(repr, row)) for row in zip(*(c.tolist() for c in columns), strict=True))]
    )


def series():
    """A time series: rest without impedance, then two sweeps in steps of their own."""
    head = "Test Time / s,Voltage / V,Current / A,Step Count / 1,Frequency / Hz,Real Impedance / ohm,"
    lines = [head + "Imaginary Impedance / ohm", "0.0,3.7,0.0,1,,,", "10.0,3.7,0.0,1,,,"]
    for step, (f, z) in enumerate(TWO, 2):
        for n, (one_f, one_z) in enumerate(zip(f.tolist(), z.tolist(), strict=True)):
            lines.append(f"{10.0 * n + 100 * step},3.7,0.0,{step},{one_f!r},{one_z.real!r},{one_z.imag!r}")
    return ("\n".join(lines) + "\n").encode()


FILES = {
    "machine_readable.bdf.csv": Written(
        (rows("frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm", (F, Z.real, Z.imag)) + "\n").encode(),
        [(F, Z)],
        1e-15,
    ),
    "preferred_labels.bdf": Written(
        (
            rows(
                "Frequency / Hz,Real Impedance / ohm,Imaginary Impedance / ohm,"
                "Absolute Impedance / ohm,Phase / deg",
                (F, Z.real, Z.imag, np.abs(Z), np.degrees(np.angle(Z))),
            )
            + "\n"
        ).encode(),
        [(F, Z)],
        1e-15,
    ),
    "polar.bdf.csv": Written(
        (
            rows("frequency_hertz,absolute_impedance_ohm,phase_degree", (F, np.abs(Z), np.degrees(np.angle(Z))))
            + "\n"
        ).encode(),
        [(F, Z)],
        1e-14,
    ),
    "time_series.bdf.csv": Written(series(), TWO, 1e-15, expected={"step": 2}),
}
