"""``eis correct``: spectra without their fixture, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eis import archive
from eis.collection_writer import write_collection
from eis.readers import read_all
from eis.spectrum import Spectrum
from tests.command_line import eis

FREQUENCY = np.geomspace(1e6, 1.0, 31)
CELL = 5 + 20 / (1 + 2j * np.pi * FREQUENCY * 1e-4)
LEADS = 0.05 + 2j * np.pi * FREQUENCY * 5e-8


@pytest.fixture
def files(tmp_path: Path) -> Path:
    archive.write(Spectrum.of(FREQUENCY, CELL + LEADS), tmp_path / "cell.nc")
    archive.write(Spectrum.of(FREQUENCY, LEADS), tmp_path / "short.nc")
    return tmp_path


def test_the_short_is_taken_out_and_the_raw_file_stays(files: Path) -> None:
    before = (files / "cell.nc").read_bytes()
    done = eis("correct", files / "cell.nc", "--short", files / "short.nc", "--out", files / "out", "--json")
    assert done.returncode == 0
    (entry,) = json.loads(done.stdout)["results"]
    assert entry["compensation"]["model"] == "short"
    (corrected,) = read_all(files / "out" / "cell.corrected.nc")
    assert corrected.z_ohm == pytest.approx(CELL, rel=1e-12)
    assert (files / "cell.nc").read_bytes() == before


def test_every_spectrum_of_a_file_is_corrected_into_a_file_of_its_own(files: Path) -> None:
    write_collection([Spectrum.of(FREQUENCY, factor * CELL + LEADS) for factor in (1, 2)], files / "all.nc")
    done = eis("correct", files / "all.nc", "--short", files / "short.nc", "--out", files / "out")
    assert done.returncode == 0
    for factor in (1, 2):
        (corrected,) = read_all(files / "out" / f"all-{factor}.corrected.nc")
        assert corrected.z_ohm == pytest.approx(factor * CELL, rel=1e-12)


def test_columns_with_names_of_their_own_can_be_corrected(files: Path) -> None:
    for name, z in (("cell", CELL + LEADS), ("short", LEADS)):
        rows = [
            f"{f!r};{one.imag!r};{one.real!r}\n" for f, one in zip(FREQUENCY.tolist(), z.tolist(), strict=True)
        ]
        (files / f"{name}.txt").write_text("omega;x;r\n" + "".join(rows))
    columns = "frequency=omega,imag=x,real=r"
    options = ("--short", files / "short.txt", "--columns", columns, "--out", files / "out")
    assert eis("correct", files / "cell.txt", *options).returncode == 0
    (corrected,) = read_all(files / "out" / "cell.corrected.nc")
    assert corrected.z_ohm == pytest.approx(CELL, rel=1e-12)


def test_nothing_is_corrected_twice(files: Path) -> None:
    assert eis("correct", files / "cell.nc", "--short", files / "short.nc", "--out", files).returncode == 0
    again = eis("correct", files / "cell.corrected.nc", "--short", files / "short.nc", "--out", files / "twice")
    assert again.returncode == 2
    assert "corrected before" in again.stderr


def test_a_correction_needs_a_standard(files: Path) -> None:
    done = eis("correct", files / "cell.nc", "--out", files / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
