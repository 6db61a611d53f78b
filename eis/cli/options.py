"""What several commands share: options, reading, folders, plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eis.cli import output
from eis.errors import StoreError

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


def announce_compiling() -> None:
    """Say so before the first fit on a machine compiles the engine, which takes some ten seconds."""
    from fitting.compiled import is_ready

    if not is_ready():
        output.complain("compiling the fitting engine, once on this machine (some ten seconds)")


def make(folder: Path) -> None:
    """Make a folder and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder cannot be made: {error.strerror}", where=str(folder), mend="Choose another."
        ) from error


def made(folder: Path) -> Path:
    """Make a folder and return it."""
    make(folder)
    return folder


def save(drawn: Any, folder: Path, spectrum: Spectrum, what: str) -> None:
    """Save a drawing as a PNG named after its spectrum."""
    axes = drawn[0] if isinstance(drawn, tuple) else drawn
    make(folder)
    axes.figure.savefig(folder / f"{Path(spectrum.name).name}.{what}.png", dpi=150, bbox_inches="tight")
