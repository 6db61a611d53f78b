"""What several commands share: options, reading, folders, plots."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eis.cli import output
from eis.errors import EisError, StoreError

if TYPE_CHECKING:
    from eis.spectrum import CellKind, Spectrum
    from fitting.problem import Weight as WeightName

Files = Annotated[list[str], typer.Argument(metavar="FILES...", help="Spectra: any vendor file we read.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")]
Weight = Annotated[str, typer.Option(help="modulus, unit, proportional or variance.")]
Plots = Annotated[Path | None, typer.Option("--plot", metavar="DIR", help="Write a PNG per spectrum to DIR.")]
WEIGHTS: tuple[WeightName, ...] = ("modulus", "unit", "proportional", "variance")
Columns = Annotated[
    str | None,
    typer.Option(metavar="MAP", help="Columns of a table: frequency=f (Hz),real=3,imag=-X (a unit after @)."),
]
KINDS: tuple[CellKind, ...] = ("symmetric", "half", "full", "blocking")


def read(name: str, columns: str | None = None) -> list[Spectrum]:
    """Read all spectra of a file; `columns` names those of a table."""
    from eis.readers import read_all

    return read_all(name, columns=columns)


def numbered(spectra: list[Spectrum]) -> list[Spectrum]:
    """Give each spectrum its ``index``, from 0, if its file holds several."""
    return [one.with_metadata(index=i) for i, one in enumerate(spectra)] if len(spectra) > 1 else spectra


def each_spectrum(
    name: str, columns: str | None, work: Callable[[Spectrum, output.Entry], tuple[output.Entry, int]]
) -> Iterator[tuple[output.Entry, int]]:
    """Do `work` with every spectrum of a file, and go on after a bad one.

    `work` is told where the spectrum stands, as its entry says: ``file``, and ``index`` from 0 if that holds
    several.
    """
    spectra = read(name, columns)
    for i, spectrum in enumerate(spectra):
        place: output.Entry = {"file": name, "index": i} if len(spectra) > 1 else {"file": name}
        try:
            entry, code = work(spectrum, place)
        except EisError as error:
            entry, code = {"error": error.to_dict()}, error.exit_code
        yield {**place, **entry}, code


def announce_compiling() -> None:
    """Say so before the first fit on a machine compiles the engine, which takes some ten seconds."""
    from fitting.compiled import is_ready

    if not is_ready():
        output.complain("compiling the fitting engine, once on this machine (some ten seconds)")


def make(folder: Path) -> None:
    """Make a folder and those above it; refuse one that cannot be written to, before there is work to lose."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder cannot be made: {error.strerror}", where=str(folder), mend="Choose another."
        ) from error
    if not os.access(folder, os.W_OK):
        raise StoreError("Nothing can be written to the folder", where=str(folder), mend="Choose another.")


def made(folder: Path) -> Path:
    """Make a folder and return it."""
    make(folder)
    return folder


def storable(name: str) -> str:
    """Return the name of a file with ``_`` for bytes that are no UTF-8, which netCDF cannot write to."""
    return "".join("_" if "\ud800" <= letter <= "\udfff" else letter for letter in name)


drawn_of: dict[Path, Spectrum] = {}
"""Which spectrum each drawing of this command is of; a command begins with none."""


def save(drawn: Any, folder: Path, spectrum: Spectrum, what: str) -> None:
    """Save a drawing as a PNG named after its spectrum; those of namesakes in other folders are numbered."""
    axes = drawn[0] if isinstance(drawn, tuple) else drawn
    stem = storable(Path(spectrum.name).name)
    names = (f"{stem}.{what}.png" if i == 1 else f"{stem}-{i}.{what}.png" for i in itertools.count(1))
    path = next(folder / name for name in names if drawn_of.get(folder / name, spectrum) is spectrum)
    drawn_of[path] = spectrum
    save_figure(axes.figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Save a drawing, in a folder that is made if it is not there."""
    make(path.parent)
    try:
        figure.savefig(path, dpi=150, bbox_inches="tight")
    except OSError as error:
        raise StoreError(
            f"The drawing cannot be written: {error.strerror}", where=str(path), mend="Choose another folder."
        ) from error
