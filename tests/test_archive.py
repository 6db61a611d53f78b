"""What is written comes back bit for bit, or the error says why it cannot be written or read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eis
from eis import archive
from eis.errors import ReadError, StoreError
from eis.readers import read, read_all
from eis.spectrum import Quality, Spectrum
from tests.thorough import number

FREQUENCY = np.array([1e6, 1e3, 1e3, 10.0, 0.1])
Z = np.array([1.5 - 0.0j, complex(np.nan, np.inf), 0.1 + 0.2j, -0.0 - 5e-324j, 1e300 - 1e-300j])


@pytest.fixture
def spectrum() -> Spectrum:
    return Spectrum.of(
        FREQUENCY,
        Z,
        quality=[0, int(Quality.NOT_A_NUMBER), 0, int(Quality.OVERLOAD_WARNING), 0],
        columns={"time_s": np.arange(5) / 3, "e_dc_v": [np.nan, -0.0, 1, 2, 3]},
        metadata={"file": "cell.mpt", "converted": ["The sign was flipped."], "vendor": {"Va (mV)": "10,0"}},
    )


def same(one: Spectrum, other: Spectrum) -> None:
    assert one.all_frequency_hz.tobytes() == other.all_frequency_hz.tobytes()
    assert one.all_z_ohm.tobytes() == other.all_z_ohm.tobytes()
    assert one.quality.tobytes() == other.quality.tobytes()
    assert {k: v.tobytes() for k, v in one.columns.items()} == {k: v.tobytes() for k, v in other.columns.items()}


def crash(folder: Path) -> Path:
    """Write a program that ends as a crashed one does."""
    if sys.platform == "win32":
        pytest.skip("needs a shell script")
    path = folder / "crash"
    path.write_text("#!/bin/sh\nkill -SEGV $$\n")
    path.chmod(0o700)
    return path


# ---------------------------------------------------------------- what cannot be written or read


def test_a_file_that_is_there_stays(spectrum, tmp_path) -> None:
    for name in ("cell.nc", "cell.csv", "cell.bdf.csv"):
        path = tmp_path / name
        path.write_text("mine")
        with pytest.raises(StoreError, match="there already"):
            archive.write(spectrum, path)
        assert path.read_text() == "mine"
        archive.write(spectrum, path, overwrite=True)
        assert len(read(path)) == len(spectrum)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cell.bdf.csv", "cell.csv", "cell.nc"]


@pytest.mark.parametrize("name", ["cell.xlsx", "cell", "cell.bdf", "cell.nc.gz"])
def test_an_unknown_suffix_is_refused(spectrum, tmp_path, name) -> None:
    with pytest.raises(StoreError, match="names no format"):
        archive.write(spectrum, tmp_path / name)


@pytest.mark.parametrize("suffix", archive.SUFFIXES)
def test_a_folder_that_is_not_there_is_an_error_of_ours(spectrum, tmp_path, suffix) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        archive.write(spectrum, tmp_path / "gone" / f"cell{suffix}")


@pytest.mark.parametrize("suffix", archive.SUFFIXES)
def test_a_folder_in_the_way_is_an_error_of_ours(spectrum, tmp_path, suffix) -> None:
    (tmp_path / f"cell{suffix}").mkdir()
    with pytest.raises(StoreError):
        archive.write(spectrum, tmp_path / f"cell{suffix}", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [f"cell{suffix}"]


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
def test_metadata_that_are_not_json_are_refused(spectrum, tmp_path, suffix) -> None:
    for wrong in (Path("x"), {"deep": [object()]}, 1j):
        with pytest.raises(StoreError, match="plain JSON"):
            archive.write(spectrum.with_metadata(wrong=wrong), tmp_path / f"cell{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["z_real", "quality", "frequency_hz", "a,b", "a/b", "1st", "", "µ"])
@pytest.mark.parametrize("suffix", [".nc", ".csv"])
def test_a_column_no_file_can_name_is_refused(tmp_path, name, suffix) -> None:
    with pytest.raises(StoreError, match="cannot be called"):
        archive.write(Spectrum.of([1.0], [1j], columns={name: [1.0]}), tmp_path / f"cell{suffix}")


def test_bdf_needs_a_point_in_use(tmp_path) -> None:
    flagged = Spectrum.of([1.0], [1j], quality=[int(Quality.OVERLOAD)])
    with pytest.raises(StoreError, match="no flags"):
        archive.write(flagged, tmp_path / "cell.bdf.csv")


def test_a_missing_or_foreign_netcdf_is_a_read_error(tmp_path) -> None:
    with pytest.raises(ReadError, match="cannot be read"):
        archive.read_netcdf(tmp_path / "gone.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(ReadError, match="damaged"):
        archive.read_netcdf(tmp_path / "text.nc")


def test_a_netcdf_whose_numbers_were_changed_is_refused_by_its_checksums(spectrum, tmp_path) -> None:
    path = archive.write(spectrum, tmp_path / "cell.nc")
    whole = path.read_bytes()
    raw = bytearray(whole)
    at = raw.index(Z.real[np.argsort(-FREQUENCY, kind="stable")].tobytes())
    raw[at + 1] ^= 4
    path.write_bytes(raw)
    with pytest.raises(ReadError, match="checksum"):
        archive.read_netcdf(path)


def test_a_netcdf_the_library_crashes_or_hangs_on_is_refused(spectrum, tmp_path, monkeypatch) -> None:
    path = archive.write(spectrum, tmp_path / "cell.nc")
    path.write_bytes(path.read_bytes()[:-1])  # without its seal
    assert len(archive.read_netcdf(path)) == 4
    monkeypatch.setattr(archive, "TIME_LIMIT_S", 0)
    with pytest.raises(ReadError, match="does not come to an end"):
        archive.read_netcdf(path)
    monkeypatch.undo()
    monkeypatch.setattr(archive.sys, "executable", str(crash(tmp_path)))
    with pytest.raises(ReadError, match="crashes"):
        archive.read_netcdf(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.assign_attrs(eis_schema="eis.spectrum/2"), "eis.spectrum/2"),
        (lambda d: d.drop_attrs(), "names no eis_schema"),
        (lambda d: d.assign_attrs(eis_json="[1"), "metadata"),
        (lambda d: d.assign_attrs(eis_more="[]"), "metadata"),
        (lambda d: d.drop_vars("z_imag"), "z_imag"),
        (lambda d: d.assign(note=("frequency", list("abcde"))), "note"),
        (lambda d: d.assign(wide=(("frequency", "x"), np.ones((5, 2)))), "wide"),
        (lambda d: d.assign(z_real=d.z_real * np.nan), "impedance of point"),
        (lambda d: d.assign(z_real=d.z_real.assign_attrs(units="mohm")), "'mohm'"),
        (lambda d: d.assign(z_imag=d.z_imag.assign_attrs(units="ohm cm2")), "'ohm cm2'"),
        (lambda d: d.assign_coords(frequency=d.frequency.assign_attrs(units="kHz")), "'kHz'"),
        (lambda d: d.assign(z_real=d.z_real.assign_attrs(units=3)), "'3'"),
    ],
)
def test_a_netcdf_that_is_not_a_spectrum_is_refused(spectrum, tmp_path, change, words) -> None:
    xr = pytest.importorskip("xarray")
    archive.write(spectrum, tmp_path / "cell.nc")
    with xr.open_dataset(tmp_path / "cell.nc") as dataset:
        change(dataset.load()).to_netcdf(tmp_path / "changed.nc")
    with pytest.raises(ReadError, match=words):
        read(tmp_path / "changed.nc")


@pytest.mark.parametrize("name", ["z_real", "z_imag", "time_s"])
def test_a_netcdf_whose_numbers_another_program_packed_is_refused(spectrum, tmp_path, name) -> None:
    xr = pytest.importorskip("xarray")
    archive.write(spectrum, tmp_path / "cell.nc")
    with xr.open_dataset(tmp_path / "cell.nc") as dataset:
        packed = dataset.load().isel(frequency=[0, 3])  # numbers of a size that can be packed
        packed.to_netcdf(
            tmp_path / "packed.nc", encoding={name: {"dtype": "i2", "scale_factor": 0.01, "_FillValue": -9999}}
        )
    with pytest.raises(ReadError, match=f"{name}.*packed"):
        read(tmp_path / "packed.nc")


def test_a_netcdf_that_lost_its_units_says_what_they_were_taken_for(spectrum, tmp_path) -> None:
    xr = pytest.importorskip("xarray")
    archive.write(spectrum, tmp_path / "cell.nc")
    with xr.open_dataset(tmp_path / "cell.nc") as dataset:
        dataset.load().z_real.attrs.clear()
        dataset.to_netcdf(tmp_path / "bare.nc")
    again = read(tmp_path / "bare.nc")
    assert again.metadata["warnings"] == ["The file states no unit of z_real: it was taken as ohm."]
    assert again.metadata["converted"] == spectrum.metadata["converted"]


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
@pytest.mark.parametrize("said", [5, "once", None, [5, "twice"], {"a": 1}])
def test_what_is_no_list_of_sentences_becomes_one_as_it_is_read(tmp_path, suffix, said) -> None:
    path = archive.write(
        Spectrum.of([1.0], [1j], metadata={"warnings": said, "dropped": said}), tmp_path / f"a{suffix}"
    )
    metadata = read(path).metadata
    for key in ("warnings", "dropped", "converted"):
        assert isinstance(metadata[key], list)
        assert all(isinstance(sentence, str) for sentence in metadata[key])


# ---------------------------------------------------------------- what comes back


def test_netcdf_comes_back_exactly(spectrum, tmp_path) -> None:
    again = archive.read_netcdf(archive.write(spectrum, tmp_path / "cell.nc"))
    same(again, spectrum)
    assert dict(again.metadata) == dict(spectrum.metadata)


def test_csv_comes_back_exactly(spectrum, tmp_path) -> None:
    again = read(archive.write(spectrum, tmp_path / "cell.csv"))
    same(again, spectrum)
    assert again.metadata["origin"] == {"file": "cell.mpt"}
    assert again.metadata["vendor"] == {"Va (mV)": "10,0"}


def test_bdf_holds_the_points_in_use(spectrum, tmp_path) -> None:
    path = archive.write(spectrum, tmp_path / "cell.bdf.csv")
    assert path.read_text().splitlines()[0] == "frequency_hertz,real_impedance_ohm,imaginary_impedance_ohm"
    again = read(path)
    assert again.all_z_ohm.tobytes() == spectrum.z_ohm.tobytes()
    assert again.all_frequency_hz.tobytes() == spectrum.frequency_hz.tobytes()


def test_netcdf_can_be_read_by_anybody(spectrum, tmp_path) -> None:
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(archive.write(spectrum, tmp_path / "cell.nc")) as dataset:
        assert dataset.attrs["Conventions"] == "CF-1.11"
        assert dataset.attrs["eis_schema"] == "eis.spectrum/1"
        assert dataset.attrs["file"] == "cell.mpt"
        assert json.loads(dataset.attrs["vendor"]) == {"Va (mV)": "10,0"}
        assert dataset.z_real.attrs["units"] == "ohm"
        np.testing.assert_array_equal(dataset.z_imag, spectrum.all_z_ohm.imag)


def test_csv_can_be_read_by_anybody(spectrum, tmp_path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(archive.write(spectrum, tmp_path / "cell.csv"), comment="#")
    np.testing.assert_allclose(frame["time_s"], spectrum.columns["time_s"], rtol=1e-14)
    assert list(frame["quality"]) == list(spectrum.quality)


def test_large_metadata_come_back(spectrum, tmp_path) -> None:
    large = spectrum.with_metadata(vendor={f"key {n}": "x" * 100 for n in range(2000)}, text="y" * 100_000)
    assert dict(archive.read_netcdf(archive.write(large, tmp_path / "a.nc")).metadata) == dict(large.metadata)
    assert read(archive.write(large, tmp_path / "a.csv")).metadata["text"] == "y" * 100_000


keys = st.one_of(st.sampled_from(["Conventions", "eis_schema", "_x", "a b", "file", "coordinates"]), st.text())
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
bits = st.integers(0, 2**64 - 1).map(lambda n: np.array([n], dtype=np.uint64).view(np.float64)[0])
points = st.lists(
    st.tuples(
        st.floats(5e-324, 1e300), bits, bits, st.integers(0, 2047), st.floats(allow_nan=True, allow_infinity=True)
    ),
    min_size=1,
    max_size=12,
)


def made(rows, metadata) -> Spectrum:
    f, x, y, flags, extra = (np.array(column) for column in zip(*rows, strict=True))
    z = np.empty(f.size, dtype=complex)
    z.real, z.imag = x, y
    flags[~np.isfinite(z)] |= int(Quality.NOT_A_NUMBER)
    return Spectrum.of(f, z, quality=flags, columns={"time_s": extra}, metadata=metadata)


@settings(max_examples=number(25, thorough=60), deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=points, metadata=st.dictionaries(keys, values, max_size=5))
def test_any_spectrum_survives_netcdf(tmp_path, rows, metadata) -> None:
    spectrum = made(rows, metadata)
    again = archive.read_netcdf(archive.write(spectrum, tmp_path / "any.nc", overwrite=True))
    same(again, spectrum)
    assert dict(again.metadata) == dict(spectrum.metadata)
    assert {k: type(v) for k, v in again.metadata.items()} == {k: type(v) for k, v in metadata.items()}


@settings(max_examples=number(50, thorough=150), deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=points, metadata=st.dictionaries(keys, values, max_size=5))
def test_any_spectrum_survives_csv(tmp_path, rows, metadata) -> None:
    spectrum = made(rows, metadata)
    again = read(archive.write(spectrum, tmp_path / "any.csv", overwrite=True))
    np.testing.assert_array_equal(again.all_z_ohm.real, spectrum.all_z_ohm.real)  # one NaN is as good as another
    np.testing.assert_array_equal(again.all_z_ohm.imag, spectrum.all_z_ohm.imag)
    np.testing.assert_array_equal(np.signbit(again.z_ohm.imag), np.signbit(spectrum.z_ohm.imag))
    np.testing.assert_array_equal(again.columns["time_s"], spectrum.columns["time_s"])
    assert again.all_frequency_hz.tobytes() == spectrum.all_frequency_hz.tobytes()
    assert again.quality.tobytes() == spectrum.quality.tobytes()
    kept = {key: value for key, value in metadata.items() if key not in ("file", "format", "sha256", "origin")}
    assert {key: again.metadata[key] for key in kept} == kept


def test_the_archive_does_not_know_the_readers() -> None:
    code = (
        "import sys, eis.archive; print([m for m in sys.modules if m.startswith('eis.readers') or m == 'xarray'])"
    )
    place = Path(eis.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place)
    assert done.stdout.strip() == "[]"


def test_read_all_of_our_file_is_one_spectrum(spectrum, tmp_path) -> None:
    assert len(read_all(archive.write(spectrum, tmp_path / "cell.nc"))) == 1
