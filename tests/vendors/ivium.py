"""Data files and data sets of IviumSoft: bytes, settings, rows of Z', Z'' and frequency, oscillograms."""

from __future__ import annotations

from collections.abc import Sequence

from tests.vendors import FREQUENCY, Written, cell

FIRST = b"\0" * 16 + b"H\0\0\0"
LAST = [b"\0\0\0\0", b"\0\0\0\0"]


def settings(method: str = "Impedance", technique: str = "Constant E", title: str = "pellet 7") -> list[bytes]:
    """Return the lines of settings, between the bytes that stand around them."""
    timing = [f"timing.time[{at}]={2.4 * at:.13f}" for at in range(1, 30)]
    frequencies = [f"Frequencies.freq[{at}]={f:.12g}" for at, f in enumerate(FREQUENCY, 1)]
    lines = ["Peaks=false", "Corrosion=false", "<\x07", "starttime=12/04/2019 09:58:01", "serialnumber=B07041"]
    lines += ["timing=29", *timing, "config1=80", "\x8d\x10", f"Method={method}", f"Technique={technique}"]
    lines += [f"Title={title}", "E start=0.1", "Frequencies=29", *frequencies, "Current Range=100uA", "Mconfig=0"]
    return [
        line.encode("latin-1") for line in [*lines, ">\x0c\x01", "2         ", "Data Objects    ", "0         "]
    ]


def data(scale: float = 1.0, *, stated: int = 29, columns: int = 3, rows: int = 29) -> list[bytes]:
    """Return the primary data and what follows."""
    lines = ["primary_data    ", f"{columns:<10}", f"{stated:<10}"]
    lines += [
        f"{z.real:.5E}  {z.imag:< 13.5E}\t{f:.5E} "
        for f, z in list(zip(FREQUENCY, cell(FREQUENCY, scale), strict=True))[:rows]
    ]
    lines += ["7         ", "osc_data        ", "1         ", "3         ", "2         "]
    lines += ["1.00000E+05  4.11584E-05  3.71661E-04 ", "4.00000E+00  -7.44146E-05 3.68467E-03 "]
    return [line.encode("latin-1") for line in lines]


def content(lines: Sequence[bytes], *, end: bytes = b"\r\n", first: bytes = FIRST) -> bytes:
    """Return a file."""
    return end.join([first, *lines, *LAST]) + end


def direct_current() -> list[bytes]:
    """Return another method: time, current and potential."""
    return [b"primary_data    ", b"3         ", b"2         ", b"0.1  1E-3\t0.2 ", b"0.2  1E-3\t0.2 "]


TRUTH = [(FREQUENCY, cell(FREQUENCY))]
SAID = {"Title": "pellet 7", "E start": "0.1", "Technique": "Constant E", "Current Range": "100uA"}
BOTH = [*TRUTH, (FREQUENCY, cell(FREQUENCY, 2))]
FILES = {
    "ivium.idf": Written(
        content(settings() + data()),
        TRUTH,
        1e-5,
        is_text=False,
        expected={"acquired": "12/04/2019 09:58:01", "vendor": SAID, "warnings": []},
    ),
    "ivium_feeds.idf": Written(
        content(settings(technique="Constant I") + data(), end=b"\n"), TRUTH, 1e-5, is_text=False
    ),
    "ivium_version_11.idf": Written(
        content([b"\0Version=11", *settings(), *data()], first=FIRST), TRUTH, 1e-5, is_text=False
    ),
    "ivium_set.ids": Written(
        content([*settings(), *data(), b"QR=QR", *settings(title="pellet 8"), *data(2)]),
        BOTH,
        1e-5,
        is_text=False,
        expected={"measurement": 1, "vendor": SAID},
    ),
    "ivium_set_with_others.ids": Written(
        content(
            [*settings("Transients"), *direct_current(), *settings(), *data(), *settings(), *data(2)], end=b"\n"
        ),
        BOTH,
        1e-5,
        is_text=False,
        expected={
            "measurement": 2,
            "dropped": ["Measurement 1 of the file, which is no impedance ('Transients')."],
        },
    ),
}
