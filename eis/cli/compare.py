"""The command `eis compare`: whether pores were filled, and whether it helped; and how many cells that takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import AsJson, announce_compiling, made
from eis.errors import ConfigError

if TYPE_CHECKING:
    from eis.comparison import Comparison

DEMO_SEED, DEMO_TEMPERATURES_C = 7, (0.0, 50.0)


def compare(
    experiment: Annotated[
        Path | None, typer.Argument(metavar="EXPERIMENT.toml", help="Arms, cells, spectra; see docs/filling.md.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for result.json, report.txt, report.html, changes.csv."),
    ] = None,
    cells: Annotated[bool, typer.Option("--cells", help="Print the tables of cells and arcs too.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Instead: how many cells an experiment needs.")] = False,
    drop: Annotated[
        str | None, typer.Option(metavar="SHARE", help="With --plan: the drop to be found, as 20% or 0.2.")
    ] = None,
    scatter: Annotated[
        str | None, typer.Option(metavar="SHARE", help="With --plan: how ln ratios scatter, as 0.1 or 10%.")
    ] = None,
    power: Annotated[
        str | None, typer.Option(metavar="SHARE", help="With --plan: probability of finding it; 0.8.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare cells before and after a porosity-filling treatment. Exits 0 if it decides, 3 if it cannot tell."""
    planned = {"--drop": drop, "--scatter": scatter, "--power": power}
    if plan:
        if experiment is not None or out is not None or cells:
            raise ConfigError(
                "A plan is made before there is an experiment",
                where="--plan",
                mend="Leave out EXPERIMENT.toml, --out and --cells, or --plan.",
            )
        _plan(drop, scatter, power or "0.8", json=json)
        return
    given = [name for name, value in planned.items() if value is not None]
    if given:
        raise ConfigError(
            f"{', '.join(given)} belong to --plan", where=given[0], mend="Add --plan, or leave it out."
        )
    if experiment is None:
        raise ConfigError(
            "The experiment is missing",
            where="EXPERIMENT.toml",
            mend="Give its file, or --plan --drop 20% --scatter 0.1 for the number of cells.",
        )
    found, written = run(experiment, out)
    if json:
        output.write_document("compare", [{"file": str(experiment), **found.to_dict()}])
    else:
        output.say(found.text(cells=cells))
        for path in written:
            output.say(f"wrote {path}")
    raise typer.Exit(found.conclusion.exit_code)


def run(experiment: Path, out: Path | None) -> tuple[Comparison, tuple[Path, ...]]:
    """Compare an experiment, with a bar on stderr, and write its reports to a folder, if one is given."""
    from eis.experiment import load_experiment
    from eis.experiment_pipeline import compare_experiment
    from fitting.circuit import parse

    described = load_experiment(experiment)  # faults before anything is compiled
    parse(described.circuit)
    folder = made(out) if out is not None else None
    announce_compiling()
    with output.progress(len(described.cells), "cells") as advance:
        found, spectra = compare_experiment(experiment, on_cell=lambda done, of: advance())
    if folder is None:
        return found, ()
    from eis.comparison_page import write_comparison

    return found, write_comparison(found, folder, spectra)


def demonstrate(folder: Path, *, json: bool) -> None:
    """Make a virtual experiment in which pores are truly filled, at three temperatures, and compare it."""
    import numpy as np

    from eis.experiment_generator import generate, write_experiment

    virtual = generate("true-filling", np.random.default_rng(DEMO_SEED), temperatures_c=DEMO_TEMPERATURES_C)
    path = write_experiment(virtual, folder)
    found, written = run(path, folder)
    if json:
        output.write_document("demo", [{"file": str(path), **found.to_dict()}])
        return
    output.say(found.text(cells=False))
    output.say()
    output.say(f"eis compare would exit with {found.conclusion.exit_code}")
    output.say("wrote " + "\n      ".join(str(one) for one in (path, *written)))


def _plan(drop: str | None, scatter: str | None, power: str, *, json: bool) -> None:
    from eis.effects import LEAST_FOR_INTERVAL, LEAST_FOR_P
    from eis.sample_size import cells_per_group, pairs_needed, plan_sentence

    if drop is None or scatter is None:
        raise ConfigError(
            "A plan needs the drop to be found and how the cells scatter",
            where="--plan",
            mend="Give both, e.g. --plan --drop 20% --scatter 0.1.",
        )
    fall, spread, wanted = (
        _share(drop, "--drop"),
        _share(scatter, "--scatter", most=10.0),
        _share(power, "--power"),
    )
    ratio = 1 - fall
    sentence = plan_sentence(ratio, spread, power=wanted)
    if json:
        entry = {
            "drop": fall,
            "ratio": ratio,
            "scatter": spread,
            "power": wanted,
            "alpha": 0.05,
            "pairs": pairs_needed(ratio, spread, power=wanted),
            "cells_per_group": cells_per_group(ratio, spread, power=wanted),
            "least_for_interval": LEAST_FOR_INTERVAL,
            "least_for_p_value": LEAST_FOR_P,
            "because": sentence,
        }
        output.write_document("compare", [{"plan": entry}])
    else:
        output.say(sentence)


def _share(text: str, option: str, *, most: float = 1.0) -> float:
    """Return ``20%`` or ``0.2`` as 0.2."""
    share = text.strip()
    is_percent = share.endswith("%")
    value = values.number(share.removesuffix("%").strip(), option=option) / (100 if is_percent else 1)
    if not (math.isfinite(value) and 0 < value < most):
        raise ConfigError(
            f"{text!r} is no share between 0 and {most:.0%}", where=option, mend="Give it as 20% or as 0.2."
        )
    return round(value, 12)
