"""Binary files as EC-Lab of BioLogic writes them: data versions 2, 3, 10 and 11, with short and long lengths."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

RESOLUTION = 1.2e-7
MAGIC = b"BIO-LOGIC MODULAR FILE\x1a" + 25 * b" " + 4 * b"\0"
ROOM = {2: (1, 200, 0), 3: (1, 200, 1), 10: (2, 500, 1), 11: (2, 500, 1)}
"""Bytes of the number of columns, columns there is room for, bytes behind them, by version."""
DOUBLE, WORD, LONG, MARK = {4, 11, 13, 24, 438, 182}, {39, 131}, {468, 469}, {1, 2, 3, 21, 31, 65}
STARTED = 45_335 + 37_366.125 / 86_400
"""2024-02-13 10:22:46.125, in days as Windows programs count them."""

Values = Sequence[float] | NDArray[np.float64] | float


def module(short: str, long: str, version: int, content: bytes, *, long_length: bool) -> bytes:
    """Return a module; newer files state the length behind a length that cannot be."""
    head = b"MODULE" + short.encode().ljust(10) + long.encode().ljust(25)
    if long_length:
        return head + struct.pack("<IIII", 0xFFFFFFFF, len(content), 0, version) + b"02.13.24" + content
    return head + struct.pack("<II", len(content), version) + b"02/13/24" + content


def data(version: int, columns: Sequence[tuple[int, Values]], n: int) -> bytes:
    """Return the content of a data module; the marks share the byte where the first of them stands."""
    size, room, behind = ROOM[version]
    head = struct.pack("<I", n) + len(columns).to_bytes(size, "little")
    head += b"".join(struct.pack("<H", number) for number, _ in columns).ljust(2 * room, b"\0") + b"\1" * behind
    fields: list[tuple[str, str, Values]] = []
    for at, (number, values) in enumerate(columns):
        kinds = {"<f8": DOUBLE, "<u2": WORD, "<u4": LONG, "u1": MARK}
        kind = next((kind for kind, those in kinds.items() if number in those), "<f4")
        if number not in MARK:
            fields.append((str(at), kind, values))
        elif not any(name == "marks" for name, _, _ in fields):
            fields.append(("marks", kind, values))
    rows = np.zeros(n, np.dtype([(name, kind) for name, kind, _ in fields]))
    for name, _, values in fields:
        rows[name] = values
    return head + rows.tobytes()


def mpr(
    version: int,
    columns: Sequence[tuple[int, Values]],
    *,
    n: int = FREQUENCY.size,
    long_length: bool,
    loops: Sequence[int] | None = None,
    technique: int = 29,
) -> bytes:
    """Return a whole file: settings, data, log, and the loops if there are any."""
    settings = bytearray(0x300)
    settings[0] = technique
    settings[1:6] = b"\x04test"
    struct.pack_into("<f", settings, 0x211, 1.131)
    log = bytearray(0x500)
    struct.pack_into("<d", log, 0x249, STARTED)
    log[0x251:0x25E] = b"\x0ccell_07.mpr "
    parts = [("VMP Set", "VMP settings", 10 if long_length else 0, bytes(settings))]
    parts += [("VMP data", "VMP data", version, data(version, columns, n))]
    parts += [("VMP LOG", "VMP LOG", 10 if long_length else 0, bytes(log))]
    if loops is not None:
        content = struct.pack(f"<{len(loops) + 1}I", len(loops), *loops)
        parts += [("VMP loop", "VMP loop", 10 if long_length else 0, content)]
    return MAGIC + b"".join(
        module(short, long, number, content, long_length=long_length) for short, long, number, content in parts
    )


def impedance(z: NDArray[np.complex128], ids: Sequence[int]) -> list[tuple[int, Values]]:
    """Return Re, −Im, magnitude and phase of an electrode under the ids given."""
    return list(zip(ids, (z.real, -z.imag, np.abs(z), np.degrees(np.angle(z))), strict=True))


def peis(
    f: NDArray[np.float64], z: NDArray[np.complex128], *, cycle: Values = 1.0, step: Values = 0
) -> list[tuple[int, Values]]:
    """Return the columns that a plain measurement has."""
    time = 1.4 + np.cumsum(0.3 + 2 / np.where(f > 0, f, 1.0))
    known: Mapping[int, Values] = {4: time, 77: 0.1, 76: 3e-5, 169: 1.0, 172: 2.0}
    rest: Mapping[int, Values] = {24: cycle, 39: 40, 33: 0.01, 34: 1e-4, 131: step, 13: 0.0}
    return [(32, f), *impedance(z, (37, 38, 36, 35)), *known.items(), *rest.items()]


def _files() -> dict[str, Written]:
    found: dict[str, Written] = {}

    def add(name: str, content: bytes, truth: list, **expected: object) -> None:
        found[name] = Written(content, truth, RESOLUTION, is_text=False, expected=expected)

    f, z = FREQUENCY, cell(FREQUENCY)
    plain = [(f, z)]
    known = {"technique": "PEIS", "Comments": "test", "File": "cell_07.mpr", "electrode_surface_area_cm2": 1.131}
    for version in (2, 3, 10, 11):
        for long_length in (False, True):
            name = f"version_{version}_{'long' if long_length else 'short'}.mpr"
            content = mpr(version, peis(f, z), long_length=long_length)
            add(name, content, plain, cycle=1, acquired="2024-02-13T10:22:46.125", vendor=known)
    marked = [(1, 2), (2, 2), (3, 2), (21, 2), (31, 2), (65, 2), *peis(f, z)]
    add("marks.mpr", mpr(3, marked, long_length=False, technique=30), plain, vendor={"technique": "GEIS"})
    add("polar.mpr", mpr(2, [(32, f), *impedance(z, (37, 38, 36, 35))[2:]], long_length=False), plain)
    truth = [(f, cell(f, scale)) for scale in (1, 2, 3)]
    second = [*impedance(truth[1][1], (100, 101, 99, 98)), (96, 0.1), (471, -0.2)]
    third = impedance(truth[2][1], (432, 433, 431, 430))
    add("electrodes.mpr", mpr(2, [*peis(f, z), *second, *third], long_length=False), truth, electrode="we")
    second[-1] = (215, -0.2)
    third = impedance(truth[2][1], (176, 177, 175, 174))
    add("electrodes_new.mpr", mpr(11, [*peis(f, z), *second, *third], long_length=True), truth, electrode="we")
    both_f, both_z = np.r_[0.0, f, 0.0, f], np.r_[0, truth[0][1], 0, truth[1][1]]
    two, half = truth[:2], np.repeat([0.0, 1.0], f.size + 1)
    content = mpr(11, peis(both_f, both_z, cycle=half + 1), n=both_f.size, long_length=True)
    add("cycles.mpr", content, two, cycle=1)
    content = mpr(3, peis(both_f, both_z, step=half), n=both_f.size, long_length=False)
    add("steps.mpr", content, two, step=0)
    content = mpr(11, peis(both_f, both_z), n=both_f.size, long_length=True, loops=[0, f.size + 1])
    add("loops.mpr", content, two, loop=0, cycle=1)
    return found


FILES = _files()
