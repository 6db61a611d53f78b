"""Thousands of spectra in one file or one folder: bit for bit what was put in, and damage told of."""

from __future__ import annotations

import random

import numpy as np
import pytest
import xarray as xr

import eis
from eis import archive
from eis.collection import open_collection
from eis.collection_writer import BUFFERED, Writer, write_collection
from eis.errors import ConfigError, ReadError, StoreError
from eis.folder import open_archive
from eis.spectrum import Quality, Spectrum

GRIDS = [np.geomspace(1e6, 1.0, 13), np.geomspace(1e5, 0.1, 7)]


def made(place: int) -> Spectrum:
    """Return a spectrum that differs from all others; every third on another grid, every fifth with a flag."""
    f = GRIDS[place % 3 == 2]
    z = 10 + place + 50 / (1 + 1j * f / 1e3)
    quality = np.zeros(f.size, dtype=np.int64)
    columns = {"time_s": np.arange(f.size) + place / 7}
    if place % 5 == 4:
        quality[2], z[2] = int(Quality.NOT_A_NUMBER), np.nan
        columns["e_dc_v"] = np.full(f.size, 0.1)
    metadata = {"cell": f"cell-{place // 4}", "cycle": place % 4, "vendor": {"π": [1, None, "x"]}, "file": "a.mpt"}
    if place:
        metadata["temperature_c"] = 25.0 + place
    return Spectrum.of(f, z, quality=quality, columns=columns, metadata=metadata)


SPECTRA = [made(place) for place in range(24)]


@pytest.fixture
def path(tmp_path):
    return write_collection(SPECTRA, tmp_path / "all.nc")


def assert_equal(one: Spectrum, other: Spectrum) -> None:
    for name in ("all_frequency_hz", "all_z_ohm", "quality"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert dict(one.metadata) == dict(other.metadata)
    assert one.columns.keys() == other.columns.keys()
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name])


def test_what_is_read_is_bit_for_bit_what_was_written(path):
    with open_collection(path) as found:
        assert len(found) == len(SPECTRA)
        for one, other in zip(found, SPECTRA, strict=True):
            assert_equal(one, other)
        assert_equal(found[-1], SPECTRA[-1])
        assert_equal(found[3:9][2], SPECTRA[5])


def test_eis_read_all_reads_a_collection_too(path):
    found = eis.read_all(path)
    assert len(found) == len(SPECTRA)
    np.testing.assert_array_equal(found[7].z_ohm, SPECTRA[7].z_ohm)
    assert found[7].metadata["origin"]["file"] == "a.mpt"
    assert found[7].metadata["cycle"] == 3


def test_spectra_written_in_many_flushes_are_all_there(tmp_path):
    f = GRIDS[1]
    spectra = [Spectrum.of(f, f + place, metadata={"cycle": place}) for place in range(BUFFERED + 5)]
    spectra[-1] = Spectrum.of(f, f, columns={"e_dc_v": f}, metadata={"cell": "late"})  # what nobody had before
    with open_collection(write_collection(spectra, tmp_path / "many.nc")) as found:
        for place in (0, BUFFERED - 1, BUFFERED, BUFFERED + 3, BUFFERED + 4):
            assert_equal(found[place], spectra[place])
        assert found.coordinates["cell"].tolist() == [""] * (BUFFERED + 4) + ["late"]


def test_batches_hold_every_spectrum_once_with_equal_grids_together(path):
    for size in (1, 5, 1000):
        seen = []
        with open_collection(path) as found:
            for batch in found.batches(size):
                for place, z in zip(batch.index, batch.z_ohm, strict=True):
                    np.testing.assert_array_equal(z, SPECTRA[place].z_ohm)
                    np.testing.assert_array_equal(batch.frequency_hz, SPECTRA[place].frequency_hz)
                    seen.append(place)
        assert sorted(seen) == list(range(len(SPECTRA)))


def test_spectra_are_chosen_by_what_is_known_of_them(path):
    with open_collection(path) as found:
        chosen = found.select(cell="cell-2", cycle=[1, 3])
        assert [one.metadata["cycle"] for one in chosen] == [1, 3]
        assert [one.metadata["temperature_c"] for one in chosen] == [34.0, 36.0]
        assert len(chosen[:0]) == 0
        assert np.isnan(found.coordinates["temperature_c"][0])  # the one that does not state it
        with pytest.raises(ConfigError, match="no coordinate 'pressure'"):
            found.select(pressure=3)


def test_a_dataset_has_a_dimension_for_each_coordinate_named(path):
    with open_collection(path) as found:
        dataset = found.to_xarray("cell", "cycle")
        assert dict(dataset.sizes) == {"cell": 6, "cycle": 4, "point": 13}  # ragged: padded
        one = dataset.sel(cell="cell-1", cycle=1)
        np.testing.assert_array_equal(
            one.z_real.values[:13], SPECTRA[5].all_z_ohm.real[:7].tolist() + [np.nan] * 6
        )
        with pytest.raises(ConfigError, match="several spectra with equal"):
            found.to_xarray("cell")
        even = found.select(cycle=0)[np.array([0, 1])].to_xarray("cell")
        assert even.z_imag.dims == ("cell", "frequency")
        assert even.frequency.attrs["units"] == "Hz"


def test_any_program_can_open_it(path):
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        assert dataset.sizes["spectrum"] == len(SPECTRA)
        assert int(dataset.row_size.sum()) == dataset.sizes["point"]
        assert dataset.z_real.attrs["units"] == "ohm"
        assert dataset.cell.values[0] == "cell-0"


def test_an_error_leaves_no_file(tmp_path):
    with pytest.raises(StoreError, match="not plain JSON"):
        write_collection([SPECTRA[0], SPECTRA[0].with_metadata(bad=object())], tmp_path / "a.nc")

    def interrupted() -> None:
        with Writer(tmp_path / "b.nc") as writer:
            writer.add(SPECTRA[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(StoreError, match="no spectrum"):
        write_collection([], tmp_path / "c.nc")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(path):
    with pytest.raises(StoreError, match="there already"):
        write_collection(SPECTRA, path)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_collection_is_refused(path, seed):
    chance = random.Random(seed)
    raw = bytearray(path.read_bytes())
    if seed % 2:
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    else:
        del raw[chance.randrange(len(raw)) :]
    path.write_bytes(raw)
    with pytest.raises(ReadError):
        open_collection(path)


def test_a_large_file_is_checked_piece_by_piece_as_it_is_read(path):
    raw = bytearray(path.read_bytes())
    with open_collection(path) as found:
        place = raw.find(np.float64(found[3].all_z_ohm.real[1]).tobytes())
    assert place > 0
    raw[place] ^= 1
    path.write_bytes(raw)
    with open_collection(path, check=False) as found, pytest.raises(ReadError, match="damaged"):
        list(found)


def test_other_files_are_refused_with_words(tmp_path):
    single = archive.write(SPECTRA[0], tmp_path / "one.nc")
    for path in (single, tmp_path / "gone.nc", tmp_path):
        with pytest.raises(ReadError):
            open_collection(path)


def test_a_folder_of_single_files_and_collections_is_one_sequence(tmp_path):
    for place in range(5):
        archive.write(SPECTRA[place], tmp_path / f"{place}.nc")
    (tmp_path / "more").mkdir()
    write_collection(SPECTRA[5:], tmp_path / "more" / "rest.nc")
    (tmp_path / "notes.txt").write_text("not a spectrum")
    with open_archive(tmp_path) as found:
        assert len(found) == len(SPECTRA)
        for place, one in enumerate(found):
            assert_equal(one, SPECTRA[place])
            assert_equal(found[place], SPECTRA[place])
        seen = {
            int(place): z for batch in found.batches() for place, z in zip(batch.index, batch.z_ohm, strict=True)
        }
    assert sorted(seen) == list(range(len(SPECTRA)))
    for place, z in seen.items():
        np.testing.assert_array_equal(z, SPECTRA[place].z_ohm)


def test_a_folder_without_archived_spectra_says_what_to_do(tmp_path):
    with pytest.raises(ReadError, match="eis convert"):
        open_archive(tmp_path)
