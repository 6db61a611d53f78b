"""``eis correct``: take the fixture out of spectra, by what was measured at an open, a short or a known load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import AsJson, Columns, Files, each_spectrum, made, read, storable
from eis.errors import ConfigError

if TYPE_CHECKING:
    from eis.spectrum import Spectrum


def correct(
    files: Files,
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    opened: Annotated[
        str | None, typer.Option("--open", metavar="FILE", help="Measured at the open fixture.")
    ] = None,
    short: Annotated[str | None, typer.Option(metavar="FILE", help="Measured at the short.")] = None,
    load: Annotated[str | None, typer.Option(metavar="FILE", help="Measured at a known load.")] = None,
    load_ohm: Annotated[str | None, typer.Option(metavar="R|FILE", help="The load's true impedance.")] = None,
    u_load_ohm: Annotated[float, typer.Option(help="Its standard uncertainty, per part.")] = 0.0,
    symmetric: Annotated[
        bool, typer.Option("--symmetric", help="Open and short as at a symmetric fixture, not lead and leak.")
    ] = False,
    columns: Columns = None,
    json: AsJson = False,
) -> None:
    """Take the fixture out of spectra: open, short and load correction, with its uncertainty."""
    from eis import archive
    from eis.compensation import compensate, short_residual

    standards = {"open_": _one(opened, columns), "short": _one(short, columns), "load": _one(load, columns)}
    true = None if load_ohm is None else _number_or_file(load_ohm, columns)
    made(out)
    if standards["short"] is not None:
        output.complain(f"the short shows {short_residual(standards['short'])}")

    def work(spectrum: Spectrum, place: output.Entry) -> tuple[output.Entry, int]:
        corrected = compensate(
            spectrum,
            **standards,
            load_ohm=true,
            u_load_ohm=u_load_ohm,
            model="symmetric" if symmetric else "series-shunt",
        )
        part = f"-{place['index'] + 1}" if "index" in place else ""
        path = out / f"{storable(Path(place['file']).stem)}{part}.corrected.nc"
        archive.write(corrected, path)
        return {"written": str(path), "compensation": corrected.metadata["compensation"]}, 0

    entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))
    if json:
        output.write_document("correct", entries)
    else:
        for entry in entries:
            if "written" in entry:
                applied = entry["compensation"]
                output.say(f"{output.named(entry)}: {applied['model']}; uncertainty {applied['uncertainty']}")
                output.say(f"wrote {entry['written']}")
    output.leave(entries, code)


def _one(name: str | None, columns: str | None) -> Spectrum | None:
    """Return the one spectrum of a file."""
    if name is None:
        return None
    found = read(name, columns)
    if len(found) != 1:
        raise ConfigError(f"The file holds {len(found)} spectra", where=name, mend="Give a file that holds one.")
    return found[0]


def _number_or_file(text: str, columns: str | None) -> complex | Spectrum | None:
    return (
        _one(text, columns) if Path(text).exists() else complex(values.quantity(text, "ohm", option="--load-ohm"))
    )
