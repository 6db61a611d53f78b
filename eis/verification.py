"""Whether archived spectra and a station's records are still what was written, and their files what they were."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eis.collection import is_collection, open_collection
from eis.errors import ReadError
from eis.readers import read_all
from eis.readers.source import load
from eis.spectrum import Spectrum
from eis.store import Store

State = Literal["intact", "edited", "origin changed"]
SQLITE = b"SQLite format 3\0"
"""How a database of SQLite begins, which a station's store is."""
EDITED = "checksum differs"
"""What the reader of our CSV says of rows that are not those that were written."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What the checksums of one archived file say.

    Parameters
    ----------
    file : str
        The file, as it was named.
    state : {"intact", "edited", "origin changed"}
        ``edited`` if its rows are not those written; ``origin changed`` if a file a spectrum was converted from is
        there and is another by now, or a file of a station's run is another or gone.
    n_spectra : int
        How many spectra it holds; for a station's store, how many were measured.
    origins : dict
        The files they came from, each ``"unchanged"``, ``"changed"`` or ``"not here"``; for a station's store, the
        files of its runs that are not unchanged.
    because : str
        One sentence.
    """

    file: str
    state: State
    n_spectra: int
    origins: dict[str, str]
    because: str

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON document."""
        return {
            "file": self.file,
            "state": self.state,
            "n_spectra": self.n_spectra,
            "origins": self.origins,
            "because": self.because,
        }


def verify(path: str | os.PathLike[str]) -> Verification:
    """Compare a file of ours with its checksum, and the files it was made from with theirs.

    Origins, and files of a station's runs, are looked for where they were, and beside `path`.

    Parameters
    ----------
    path : str or path
        A netCDF or CSV file, a collection, or a station's store (its file or URL), that this package wrote.

    Raises
    ------
    ReadError
        If the file is damaged, or is not ours: a vendor's file holds no checksum to compare.
    StoreError
        If a station's store cannot be read.
    """
    if _is_store(path):
        return _verify_store(path)
    path = Path(path)
    spectra = _spectra(path)
    stated = {
        origin["file"]: origin["sha256"]
        for spectrum in spectra
        if isinstance(origin := spectrum.metadata.get("origin"), dict)
        and all(isinstance(origin.get(key), str) for key in ("file", "sha256"))  # measured ones have no file
    }
    origins = {name: _state_of_origin(name, digest, path) for name, digest in stated.items()}
    edited = any(EDITED in str(said) for spectrum in spectra for said in spectrum.metadata.get("warnings", ()))
    changed = [name for name, state in origins.items() if state == "changed"]
    if edited:
        return Verification(
            str(path), "edited", len(spectra), origins, "Its rows are not those that were written."
        )
    if changed:
        because = f"{changed[0]} is not the file any more that was read; its SHA-256 differs."
        return Verification(str(path), "origin changed", len(spectra), origins, because)
    there = sum(state == "unchanged" for state in origins.values())
    because = f"Every checksum agrees; {there} of {len(origins)} origins are here and unchanged."
    return Verification(str(path), "intact", len(spectra), origins, because)


def _spectra(path: Path) -> list[Spectrum]:
    """Read every spectrum of a file of ours, whatever its size."""
    try:
        source = load(path)
    except ReadError:
        source = None  # larger than a single file is read; a collection may be
    if source is None or is_collection(source.raw):
        with open_collection(path, check=True) as collection:
            return [
                one.with_metadata(origin={key: one.metadata.get(key) for key in ("file", "sha256")})
                for one in collection
            ]
    spectra = read_all(path)
    if not str(spectra[0].metadata["format"]).startswith("interfacial-eis"):
        raise ReadError(
            f"This is {spectra[0].metadata['format']}, which holds no checksum to compare",
            path=path,
            mend="Archive it with `eis convert`, which records its SHA-256.",
        )
    return spectra


def _state_of_origin(name: str, digest: str, path: Path) -> str:
    for candidate in (Path(name), path.with_name(Path(name.replace("\\", "/")).name)):
        try:
            found = load(candidate)
        except ReadError:
            continue
        if candidate.resolve() != path.resolve():
            return "unchanged" if found.sha256 == digest else "changed"
    return "not here"


def _is_store(path: str | os.PathLike[str]) -> bool:
    if "://" in os.fspath(path):
        return True
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except (OSError, ValueError):
        return False


def _verify_store(place: str | os.PathLike[str]) -> Verification:
    """Check the chain of every station's records, and the files of each run that ended."""
    where = os.fspath(place)
    changed: dict[str, str] = {}
    n_spectra = n_files = 0
    with Store.open(where, make=False) as store:
        shown = store.place if "://" in where else where
        chain = store.verify()
        if chain.is_intact:
            for record in store.records(kind="ended", every_station=True):
                stated = record.content.get("files_sha256")
                files = stated if isinstance(stated, dict) else {}
                n_files += len(files)
                n_spectra += sum(name.endswith(".nc") for name in files)
                folder = _folder_of(record.content, record.run, where)
                states = {f"{folder / name}": _state_of(folder, name, digest) for name, digest in files.items()}
                changed |= {name: state for name, state in states.items() if state != "unchanged"}
    for first in chain.faults[:1]:
        more = f" ({len(chain.faults) - 1} more)" if len(chain.faults) > 1 else ""
        return Verification(shown, "edited", n_spectra, {}, f"{first}{more}.")
    wrong = [name for name, state in changed.items() if state == "changed"]
    if wrong:
        because = f"{wrong[0]} is not the file that was recorded ({len(wrong)} of {n_files} are not)."
        return Verification(shown, "origin changed", n_spectra, changed, because)
    there = n_files - len(changed)
    records = "1 record" if chain.n_records == 1 else f"{chain.n_records} records follow each other"
    because = f"{records}; {there} of {n_files} files are here and unchanged."
    return Verification(shown, "intact", n_spectra, changed, because)


def _folder_of(content: Mapping[str, Any], run: str, place: str) -> Path:
    """Return where the files of a run are: where they were, or as near to the store as then, if that moved."""
    was = Path(str(content.get("folder", "")) or f"results/{run}")
    if was.is_dir() or "://" in place:
        return was
    return Path(place).parent / was.parent.name / was.name


def _state_of(folder: Path, name: str, digest: str) -> str:
    """Compare a file of a run; one that is gone from a folder that is there was changed."""
    if not folder.is_dir():
        return "not here"
    try:
        with (folder / name).open("rb") as file:
            return "unchanged" if hashlib.file_digest(file, "sha256").hexdigest() == digest else "changed"
    except OSError:
        return "changed"
