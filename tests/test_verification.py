"""Checksums compared: `eis verify`, `eis convert --into`, and files of older schema versions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import eis
from eis import archive
from eis.collection import open_collection
from eis.collection_writer import write_collection
from eis.errors import ReadError
from eis.spectrum import Spectrum
from eis.verification import verify
from tests.command_line import eis as run

FROZEN = Path(__file__).with_name("frozen")
ROWS = "1e3,10,-1\n1e2,12,-2\n1e1,14,-1\n"


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "cell.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def archived(raw, tmp_path):
    """A file of ours that was read from one of ours that was read from `raw`."""
    return archive.write(eis.read(raw), tmp_path / "cell.nc")


def test_what_nobody_touched_is_intact(archived, raw):
    found = verify(archived)
    assert (found.state, found.n_spectra, found.origins) == ("intact", 1, {str(raw): "unchanged"})


def test_an_origin_that_changed_is_told_of(archived, raw):
    raw.write_text(ROWS.replace("14", "15"))
    assert verify(archived).state == "origin changed"


def test_an_origin_that_is_not_here_is_no_fault_and_one_that_was_moved_along_is_found(archived, raw, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = archived.rename(elsewhere / "cell.nc")
    raw.rename(tmp_path / "kept")
    assert verify(moved).origins == {str(raw): "not here"}
    (tmp_path / "kept").rename(elsewhere / "cell.csv")
    assert verify(moved).origins == {str(raw): "unchanged"}


def test_spectra_that_were_measured_have_no_file_they_came_from(tmp_path):
    spectrum = Spectrum.of([1e3, 1e2], [10 - 1j, 12 - 2j], metadata={"title": "measured"})
    assert verify(write_collection([spectrum], tmp_path / "all.nc")).origins == {}


def test_edited_rows_are_told_of(raw, tmp_path):
    path = archive.write(eis.read(raw), tmp_path / "ours.csv")
    path.write_text(path.read_text().replace("-1.0", "-1.5"))
    assert verify(path).state == "edited"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_any_flipped_byte_of_a_netcdf_is_found(archived, place):
    content = bytearray(archived.read_bytes())
    content[int(place * len(content))] ^= 4
    archived.write_bytes(content)
    with pytest.raises(ReadError):
        verify(archived)


def test_a_vendor_s_file_has_nothing_to_compare(raw):
    with pytest.raises(ReadError, match="holds no checksum"):
        verify(raw)


def test_a_folder_of_mixed_files_with_three_broken_ones_converts_the_rest_and_exits_4(tmp_path):
    for number in range(4):
        (tmp_path / f"cell-{number}.csv").write_text(ROWS)
    broken = {"empty.csv": "", "words.txt": "dear all\n", "torn.csv": "1e3,10\n"}
    for name, content in broken.items():
        (tmp_path / name).write_text(content)
    done = run("convert", *sorted(tmp_path.iterdir()), "--into", tmp_path / "all.nc", "--json")
    assert done.returncode == 4
    entries = json.loads(done.stdout)["results"]
    assert {Path(one["file"]).name for one in entries if "error" in one} == set(broken)
    assert all(one["error"]["message"] and one["error"]["mend"] for one in entries if "error" in one)
    with open_collection(tmp_path / "all.nc") as found:
        assert [Path(one.metadata["file"]).name for one in found] == [f"cell-{number}.csv" for number in range(4)]
    checked = run("verify", tmp_path / "all.nc")
    assert checked.returncode == 0
    assert "intact" in checked.stdout


def test_nothing_readable_leaves_no_collection(tmp_path):
    (tmp_path / "words.txt").write_text("dear all\n")
    done = run("convert", tmp_path / "words.txt", "--into", tmp_path / "all.nc")
    assert done.returncode == 4
    assert not (tmp_path / "all.nc").exists()


def test_out_and_into_exclude_each_other(raw, tmp_path):
    done = run("convert", raw, "--out", tmp_path / "d", "--into", tmp_path / "all.nc")
    assert done.returncode == 2
    assert "either --out or --into" in done.stderr


@pytest.mark.parametrize("name", ["spectrum-1.nc", "spectrum-1.csv", "collection-1.nc"])
def test_a_file_of_the_first_schema_version_is_read_for_ever(name):
    """Written once by version 0.1.0 and never again: 10 ohm and an arc of 50 ohm at 1 kHz, one point flagged."""
    for place, spectrum in enumerate(eis.read_all(FROZEN / name)):
        f = np.geomspace(1e5, 10, 9)
        z = 10 + place + 50 / (1 + 1j * f / 1e3)
        np.testing.assert_array_equal(spectrum.all_frequency_hz, f)
        np.testing.assert_allclose(spectrum.all_z_ohm[spectrum.used], z[spectrum.used], rtol=1e-15)
        assert spectrum.quality.tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0]
        assert spectrum.columns["time_s"].tolist() == list(range(9))
        assert spectrum.metadata["cell"] == f"cell-{place}"
        assert spectrum.metadata["vendor"] == {"π": [1, None]}
