"""What every reader owes, over every vendor's file: the right numbers, where they came from, and no nonsense."""

from __future__ import annotations

import hashlib
import importlib
import json
import random

import numpy as np
import pytest

from eis.readers import READERS, own, read_all, table
from eis.readers.source import Source
from tests.test_reader_fuzz import fuzz_bytes, outcome
from tests.vendors import files, modules

FILES = files()
TEXT = [name for name, (_, file) in FILES.items() if file.is_text]
SPOILED = 30
"""Spoiled copies per file; `python tests/test_reader_fuzz.py` makes any number."""


@pytest.fixture(params=sorted(FILES))
def written(request, tmp_path):
    reader, file = FILES[request.param]
    path = tmp_path / request.param
    path.write_bytes(file.content)
    return reader, file, path


def rows(spectrum):
    """Return frequencies and impedances in the order of the file."""
    order = np.argsort(spectrum.columns["acquired_order"])
    return spectrum.all_frequency_hz[order], spectrum.all_z_ohm[order]


def assert_true(spectra, file):
    assert len(spectra) == len(file.truth)
    for spectrum, (frequency, z) in zip(spectra, file.truth, strict=True):
        found_f, found_z = rows(spectrum)
        np.testing.assert_allclose(found_f, frequency, rtol=2 * file.resolution)
        assert np.abs(found_z / z - 1).max() <= 3 * file.resolution


def test_every_reader_has_files_here():
    here = {importlib.import_module(f"eis.readers.{name}") for name in modules()}
    assert here | {own} == set(READERS)  # our own formats have test_archive.py and test_collection.py


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__.rpartition(".")[2])
def test_a_reader_opens_with_what_there_is_to_know_of_its_format(reader):
    lines = (reader.__doc__ or "").splitlines()
    found = [line for line in lines if line and not line.startswith(" ")][1:]
    wanted = ["Usage", "Layout", "Units and sign", "Uncertainty", "Known variants", "Source of the facts"]
    assert found == wanted


def test_the_file_is_recognised_by_its_reader_alone(written):
    reader, file, path = written
    source = Source(path.name, path, file.content)
    by = [one for one in READERS if one.recognises(source)]
    assert by[0].__name__ == f"eis.readers.{reader}"
    assert set(by[1:]) <= {table}


def test_the_numbers_are_those_the_file_was_made_from(written):
    _, file, path = written
    assert_true(read_all(path), file)


def test_the_spectra_say_where_they_came_from(written):
    _, file, path = written
    for spectrum in read_all(path):
        metadata = spectrum.metadata
        assert metadata["file"] == str(path)
        assert metadata["sha256"] == hashlib.sha256(file.content).hexdigest()
        assert metadata["format"]
        for key in ("converted", "dropped", "warnings"):
            assert all(sentence.endswith(".") for sentence in metadata[key])
        json.dumps(dict(metadata))


def test_what_the_file_says_of_itself_is_kept(written):
    _, file, path = written
    metadata = read_all(path)[0].metadata
    for key, value in file.expected.items():
        if key == "vendor":
            assert {name: metadata["vendor"].get(name) for name in value} == value
        else:
            assert metadata[key] == value


def test_the_suffix_does_not_matter(written, tmp_path):
    _, file, _ = written
    path = tmp_path / "renamed.dat"
    path.write_bytes(file.content)
    assert_true(read_all(path), file)


@pytest.mark.parametrize("name", TEXT)
@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
def test_line_ends_do_not_matter(name, end, tmp_path):
    _, file = FILES[name]
    if file.content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
        content = file.content.decode(codec).replace("\r\n", "\n").replace("\n", end.decode()).encode(codec)
    else:
        content = file.content.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\n", end)
    path = tmp_path / name
    path.write_bytes(content)
    assert_true(read_all(path), file)


@pytest.mark.parametrize("name", TEXT)
def test_a_file_whose_lines_are_indented_is_never_read_as_nothing(name, tmp_path):
    _, file = FILES[name]
    codec = "utf-16" if file.content.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"
    content = file.content.decode(codec).replace("\n", "\n ").encode(codec)
    assert outcome(content, tmp_path / name)  # which asserts that there are spectra, or a ReadError


def test_a_file_cut_anywhere_is_refused_or_gives_a_part_of_the_truth(written):
    """A cut inside the last number can shorten it; such a point must be flagged in words, never be silent."""
    _, file, path = written
    chance = random.Random(path.name)
    for _ in range(12):
        cut = file.content[: chance.randrange(1, len(file.content))]
        said = outcome(cut, path)
        if said == "spectrum":  # nothing noted: then every point is one of the truth's
            f = np.concatenate([f for f, _ in file.truth])
            z = np.concatenate([z for _, z in file.truth])
            for spectrum in read_all(path):
                for one_f, one_z in zip(spectrum.all_frequency_hz, spectrum.all_z_ohm, strict=True):
                    near = np.abs(f / one_f - 1) <= 2 * file.resolution
                    assert (np.abs(one_z / z[near] - 1) <= 3 * file.resolution).any()


def test_a_spoiled_file_is_an_error_of_ours_or_sound_numbers(written):
    _, file, path = written
    found = fuzz_bytes(file.content, path, SPOILED, 11)
    assert sum(found.values()) == SPOILED
