"""Are archived spectra still what was written, and their origins still what was read? Checksums compared."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eis.collection import is_collection, open_collection
from eis.errors import ReadError
from eis.readers import read_all
from eis.readers.source import load
from eis.spectrum import Spectrum

State = Literal["intact", "edited", "origin changed"]
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
        there and is another by now.
    n_spectra : int
        How many spectra it holds.
    origins : dict
        The files they came from, each ``"unchanged"``, ``"changed"`` or ``"not here"``.
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

    Origins are looked for where they were when they were converted, and beside `path`.

    Parameters
    ----------
    path : str or path
        A netCDF or CSV file, or a collection, that this package wrote.

    Raises
    ------
    ReadError
        If the file is damaged, or is not ours: a vendor's file holds no checksum to compare.
    """
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
