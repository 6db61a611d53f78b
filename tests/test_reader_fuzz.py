"""Thousands of spoiled files: a reader answers with a ReadError or with finite numbers, and with nothing else.

``python tests/test_reader_fuzz.py FILE COUNT SEED`` runs the same on one file and prints what happened;
``python tests/test_reader_fuzz.py all COUNT SEED`` spreads so many over every file of every reader, and says how
long a file took and how much memory that needed.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import eis
from eis import archive
from eis.errors import ReadError
from eis.readers import read_all
from eis.spectrum import Spectrum

ROOT = Path(__file__).parents[1]
DATASETS = ROOT / "datasets" if (ROOT / "datasets").is_dir() else Path(eis.__file__).parent / "datasets"
FILES = sorted(path.name for path in DATASETS.glob("*") if path.suffix not in (".md", ".toml") and path.is_file())
FIELDS = [
    b"nan",
    b"inf",
    b"-inf",
    b"1e400",
    b"-1e400",
    b"",
    b"1,5",
    b"-1",
    b"0",
    b"1e-400",
    b"9" * 400,
    b"#",
    b'"',
]
FIELDS += [
    b"0x10",
    b"1_0",
    b"\xd9\xa1",
    b"\xff",
    b"True",
    b"1 2",
    b"\t",
    b";",
    b"[" * 5000,
    b"NaN(1)",
    b"4294967295",
]
CELL = re.compile(rb"[^\t,;\r\n ]+")


def flip_bits(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)


def truncate(raw: bytearray, chance: random.Random) -> None:
    del raw[chance.randrange(len(raw)) :]


def duplicate(raw: bytearray, chance: random.Random) -> None:
    start, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
    at = chance.randrange(len(raw))
    raw[at:at] = raw[start:end]


def delete(raw: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(raw))
    del raw[start : start + chance.choice([1, 2, 7, 50, 500, 5000])]


def insert(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw))
    raw[at:at] = chance.randbytes(chance.choice([1, 2, 4, 16, 100]))


def put_nuls(raw: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(raw))
    n = min(chance.choice([1, 4, 64, 1000]), len(raw) - start)
    raw[start : start + n] = bytes(n)


def replace_fields(raw: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 3])):
        cells = list(CELL.finditer(bytes(raw)))
        if cells:
            cell = chance.choice(cells)
            raw[cell.start() : cell.end()] = chance.choice(FIELDS)


def swap_lines(raw: bytearray, chance: random.Random) -> None:
    lines = bytes(raw).split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    raw[:] = b"\n".join(lines)


def put_extremes(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(max(1, len(raw) - 4))
    raw[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff\xff\x7f"])


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits,
    truncate,
    duplicate,
    delete,
    insert,
    put_nuls,
    replace_fields,
    replace_fields,
    swap_lines,
    put_extremes,
)


def outcome(raw: bytes, path: Path) -> str:
    """Read one spoiled file; anything but a ReadError or sound spectra is raised or asserted."""
    path.write_bytes(raw)
    refused: ReadError | None = None
    spectra: list[Spectrum] = []
    try:
        spectra = read_all(path)
    except ReadError as error:
        refused = error
    if refused is not None:
        assert path.name in str(refused)
        assert refused.line is None or refused.line >= 1
        assert len(str(refused)) < 1500
        return "ReadError"
    assert spectra
    for spectrum in spectra:
        assert np.isfinite(spectrum.all_frequency_hz).all()
        assert (spectrum.all_frequency_hz > 0).all()
        assert np.isfinite(spectrum.z_ohm).all()
        assert np.all(np.diff(spectrum.frequency_hz) < 0)
        json.dumps(dict(spectrum.metadata))
    noted = any(spectrum.metadata[key] for spectrum in spectra for key in ("dropped", "warnings"))
    return "spectrum, noted" if noted else "spectrum"


def fuzz_bytes(whole: bytes, path: Path, count: int, seed: int) -> Counter[str]:
    """Read `count` spoiled copies of a file's bytes, each written to `path`."""
    found: Counter[str] = Counter()
    for n in range(count):
        chance = random.Random(seed * 1_000_003 + n)
        raw = bytearray(whole)
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            if raw:
                chance.choice(MUTATIONS)(raw, chance)
        found[outcome(bytes(raw), path)] += 1
    return found


def fuzz(seed_file: Path, count: int, seed: int, folder: Path) -> Counter[str]:
    """Read `count` spoiled copies of a file."""
    return fuzz_bytes(seed_file.read_bytes(), folder / f"mutant{seed_file.suffix}", count, seed)


@pytest.mark.parametrize("name", FILES)
def test_a_spoiled_file_is_an_error_of_ours_or_sound_numbers(name, tmp_path) -> None:
    found = fuzz(DATASETS / name, 400, 7, tmp_path)
    assert sum(found.values()) == 400
    assert found["ReadError"] > 40


def test_a_spoiled_netcdf_is_an_error_of_ours_or_sound_numbers(tmp_path) -> None:
    path = archive.write(read_all(DATASETS / "symmetric_cell.csv")[0], tmp_path / "cell.nc")
    found = fuzz(path, 40, 7, tmp_path)  # few, for a file that lost its seal is tried in another process
    assert found["ReadError"] > 35


def fuzz_everything(count: int, seed: int, folder: Path) -> dict[str, object]:
    """Read `count` spoiled copies spread over the files of all readers; say what came of it, and what it took."""
    import resource
    import time
    import warnings

    from tests.vendors import files

    warnings.simplefilter("error")
    wholes = {name: file.content for name, (_, file) in files().items()}
    wholes |= {name: (DATASETS / name).read_bytes() for name in FILES}
    each = -(-count // len(wholes))
    found: Counter[str] = Counter()
    took_s: list[float] = []
    slowest = ("", 0.0)
    for name, whole in wholes.items():
        for n in range(each):
            begun = time.process_time()
            found += fuzz_bytes(whole, folder / name, 1, seed * 7919 + n)
            took_s.append(time.process_time() - begun)
            slowest = max(slowest, (f"{name} {n}", took_s[-1]), key=lambda one: one[1])
    return {
        "files": len(wholes),
        "mutants": len(took_s),
        **found,
        "p99_ms": round(1e3 * float(np.quantile(took_s, 0.99)), 2),
        "slowest": f"{slowest[0]}: {1e3 * slowest[1]:.0f} ms",
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    import tempfile

    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        chosen, number, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        if chosen == "all":
            print(json.dumps(fuzz_everything(number, start, Path(name)), indent=1))
        else:
            print(json.dumps(fuzz(Path(chosen), number, start, Path(name))))
