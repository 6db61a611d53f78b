"""Write the synthetic spectra in `datasets/`: one known cell in every vendor format, from its closed form.

Run ``python examples/make_datasets.py [FOLDER]``; the same files come out every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from eis import archive
from eis.spectrum import Spectrum

AREA_CM2 = 1.131
SEED = 20240607
NOISE = 1e-3  # standard deviation of each part, as a fraction of |Z|


def arc(omega, r_ohm, f0_hz, alpha):
    """Resistance with a constant-phase element across it; its arc peaks at f0."""
    return r_ohm / (1 + (1j * omega / (2 * np.pi * f0_hz)) ** alpha)


def symmetric_cell(frequency_hz):
    """L0-R0-p(R1,CPE1)-p(R2,CPE2): electrolyte, grain boundaries, and two interfaces of 10 ohm cm2 each."""
    omega = 2 * np.pi * frequency_hz
    interfaces = arc(omega, 2 * 10 / AREA_CM2, 1.2e3, 0.92)
    return 1j * omega * 1e-7 + 22 + arc(omega, 15, 150e3, 0.95) + interfaces


def blocking_pellet(frequency_hz):
    """R0-p(R1,C1)-CPE1: an electrolyte pellet between electrodes that pass no ions."""
    omega = 2 * np.pi * frequency_hz
    return 350 + 900 / (1 + 1j * omega * 900 * 60e-12) + 1 / (2e-6 * (1j * omega) ** 0.93)


def measured(truth, seed):
    """Add proportional complex noise."""
    noise = np.random.default_rng(seed).normal(scale=NOISE, size=(2, truth.size))
    return truth + np.abs(truth) * (noise[0] + 1j * noise[1])


def exponent3(value):
    """Print a number as EC-Lab does, with a three-digit exponent: 7.0000185E+006."""
    mantissa, exponent = f"{value:.7E}".split("E")
    return f"{mantissa}E{exponent[0]}{exponent[1:]:0>3}"


def ec_lab(frequency_hz, z, time_s):
    """EC-Lab text; a DC step at 0 Hz comes first, as in files with a rest before the sweep."""
    names = ["freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "|Z|/Ohm", "Phase(Z)/deg", "time/s", "<Ewe>/V", "<I>/mA"]
    names.append("cycle number")
    rows = [(0, 0, 0, 0, 0, 0, 1.5e-4, 2e-5, 1)]
    phase = np.degrees(np.angle(z))
    rows += [
        (f, x.real, -x.imag, abs(x), p, t, 1.2e-4, 3.1e-5, 1)
        for f, x, p, t in zip(frequency_hz, z, phase, time_s, strict=True)
    ]
    settings = [("Mode", "Single sine"), ("E (V)", "0.0000"), ("vs.", "Eoc"), ("fi", "1.000"), ("unit fi", "MHz")]
    settings += [
        ("ff", "100.000"),
        ("unit ff", "mHz"),
        ("Nd", "10"),
        ("Points", "per decade"),
        ("Va (mV)", "10.0"),
    ]
    header = [
        "",
        "Potentio Electrochemical Impedance Spectroscopy",
        "",
        "Run on channel : 1 (SN 0)",
        "Electrode connection : standard",
        "Acquisition started on : 06/07/2024 10:15:00.000",
        "Comments : synthetic, interfacial-eis",
        "Electrode surface area : 1.131 cm²",
        "Cs in µF",
        *[f"{key:<20}{value:<20}" for key, value in settings],
        "",
    ]
    first = ["EC-Lab ASCII FILE", f"Nb header lines : {len(header) + 3:<30}"]
    table = ["\t".join(names) + "\t", *["\t".join(map(exponent3, row)) for row in rows]]
    return [*first, *header, *table]


def gamry(frequency_hz, z, time_s):
    """Gamry Framework text with an open-circuit table before the impedance."""
    header = [
        "EXPLAIN",
        "TAG\tEISPOT",
        "TITLE\tLABEL\tPotentiostatic EIS\tTest &Identifier",
        "DATE\tLABEL\t6/7/2024\tDate",
        "TIME\tLABEL\t10:15:00\tTime",
        "NOTES\tNOTES\t1\t&Notes...",
        "\tsynthetic, interfacial-eis",
        "VAC\tQUANT\t1.00000E+001\tAC &Voltage (mV rms)",
        "AREA\tQUANT\t1.13100E+000\t&Area (cm^2)",
        "OCVCURVE\tTABLE\t2",
        "\tPt\tT\tVf\tVm\tAch\tOver",
        "\t#\ts\tV vs. Ref.\tV\tV\tbits",
        "\t0\t0.25\t1.20000E-004\t1.20000E-004\t0.00000E+000\t...........",
        "\t1\t0.5\t1.21000E-004\t1.21000E-004\t0.00000E+000\t...........",
        "EOC\tQUANT\t0.000121\tOpen Circuit (V)",
        "ZCURVE\tTABLE",
        "\tPt\tTime\tFreq\tZreal\tZimag\tZsig\tZmod\tZphz\tIdc\tVdc\tIERange",
        "\t#\ts\tHz\tohm\tohm\tV\tohm\t°\tA\tV\t#",
    ]
    rows = [
        f"\t{n}\t{t:.7g}\t{f:.7g}\t{x.real:.7g}\t{x.imag:.7g}\t1\t{abs(x):.7g}\t{np.degrees(np.angle(x)):.7g}"
        "\t3.1E-008\t0.00012\t9"
        for n, (f, x, t) in enumerate(zip(frequency_hz, z, time_s, strict=True))
    ]
    return header + rows


def zplot(frequency_hz, z, time_s):
    """ZPLOT2 text."""
    header = [
        "ZPLOT2 ASCII",
        "  Measured Data, ZPlot:       3.2c",
        "  Experiment Type:            Sweep Frequency, Control Voltage",
        "  Date:                       06-07-2024",
        "  Time:                       10:15:00",
        "  Begin User Comments:        1",
        "synthetic, interfacial-eis",
        "  End User Comments:          1",
        f"  Data Points:                {len(z)}",
        "  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange",
        "End Comments",
    ]
    rows = [
        f"{f:.6E}\t1.0000E-02\t0.0000E+00\t{t:.6E}\t{x.real:.6E}\t{x.imag:.6E}\t0.0000E+00\t0\t4"
        for f, x, t in zip(frequency_hz, z, time_s, strict=True)
    ]
    return header + rows


def main(folder):
    """Write every file into `folder`."""
    frequency = np.logspace(6, -1, 71)
    z = measured(symmetric_cell(frequency), SEED)
    time = 1.0 + np.cumsum(0.4 + 3 / frequency)
    point = ec_lab(frequency, z, time)
    comma = [line.replace(".", ",") if line[:1].isdigit() else line.replace("10.0", "10,0") for line in point]
    spectrum = Spectrum.of(
        frequency,
        z,
        columns={"time_s": time},
        metadata={
            "title": "symmetric_cell",
            "synthetic": True,
            "truth": "L0-R0-p(R1,CPE1)-p(R2,CPE2)",
            "area_cm2": AREA_CM2,
            "noise_fraction": NOISE,
        },
    )
    write(folder / "symmetric_cell.mpt", point, "cp1252", "\n")
    write(folder / "symmetric_cell_decimal_comma.mpt", comma, "cp1252", "\r\n")
    write(folder / "symmetric_cell.DTA", gamry(frequency, z, time), "latin-1", "\n")
    write(folder / "symmetric_cell.z", zplot(frequency, z, time), "ascii", "\n")
    archive.write(spectrum, folder / "symmetric_cell.csv", overwrite=True)
    frequency = 7e6 * 10 ** (-np.arange(79) / 10)
    z = measured(blocking_pellet(frequency), SEED + 1)
    rows = [f"{f:.8g},{x.real:.8g},{x.imag:.8g}" for f, x in zip(frequency, z, strict=True)]
    write(folder / "blocking_pellet.csv", rows, "ascii", "\n")


def write(path, lines, encoding, end):
    """Write lines with the encoding and line end the vendor uses, whatever the platform."""
    path.write_bytes((end.join(lines) + end).encode(encoding))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "datasets")
