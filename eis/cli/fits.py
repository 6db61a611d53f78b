"""The commands that fit: one circuit to some files, or to a whole archive."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import (
    WEIGHTS,
    AsJson,
    Columns,
    Files,
    Plots,
    Weight,
    announce_compiling,
    each_spectrum,
    make,
    save,
)
from eis.errors import ConfigError, FitError

if TYPE_CHECKING:
    from eis.results import Fit
    from eis.spectrum import Spectrum
    from fitting.circuit import Circuit
    from fitting.profile import Profile

BULK_WEIGHTS = tuple(name for name in WEIGHTS if name != "variance")
"""An archive holds no uncertainty of every point, which "variance" needs."""


def fit(
    files: Files,
    circuit: Annotated[str | None, typer.Option(help="e.g. 'L0-R0-p(R1,CPE1)-p(R2,CPE2)'")] = None,
    weight: Weight = "modulus",
    start: Annotated[str | None, typer.Option(metavar="v1,v2,…", help="Initial values, in circuit order.")] = None,
    fix: Annotated[list[str] | None, typer.Option(metavar="NAME=V", help="Hold a parameter.")] = None,
    bounds: Annotated[list[str] | None, typer.Option(metavar="NAME=LO:HI", help="Limit a parameter.")] = None,
    compare: Annotated[list[str] | None, typer.Option(metavar="CIRCUIT", help="Rank circuits by AICc.")] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="95.45 % interval by profile likelihood; of a sum, R1+R2."),
    ] = None,
    sequence: Annotated[bool, typer.Option("--sequence", help="Begin each spectrum near the one before.")] = False,
    columns: Columns = None,
    plot: Plots = None,
    json: AsJson = False,
) -> None:
    """Fit a circuit: values with honest uncertainties, and in words what the data do not tell."""
    from fitting.circuit import parse
    from fitting.cnls import fit as run

    rivals = [parse(text) for text in compare or []]
    if circuit is None and not rivals:
        raise ConfigError(
            "The circuit is missing", where="--circuit", mend="Write e.g. --circuit 'R0-p(R1,CPE1)'."
        )
    parsed = parse(circuit) if circuit is not None else None
    chosen = values.one_of(weight, WEIGHTS, option="--weight") or "modulus"
    held, limited = values.assignments(fix or [], option="--fix"), values.limits(bounds or [], option="--bounds")
    first = values.numbers(start, option="--start")
    if rivals and (first or held or limited or sequence):
        raise ConfigError(
            "Starts, fixed values and limits belong to one circuit", where="--compare", mend="Leave them out."
        )
    profiled = {wanted: _sum(wanted) for wanted in profile or []}
    if parsed is not None and not rivals:
        _require_names(parsed, held, "--fix")
        _require_names(parsed, limited, "--bounds")
        _require_starts(parsed, first, limited)
        for terms in profiled.values():
            _require_names(parsed, terms, "--profile")
    if plot:
        make(plot)
    announce_compiling()
    shown: list[str] = []
    before: list[Fit] = []

    def work(spectrum: Spectrum, place: output.Entry) -> tuple[output.Entry, int]:
        entry: output.Entry = {}
        if rivals:
            from fitting.selection import compare as rank
            from fitting.selection import select

            circuits = [str(one) for one in (*([parsed] if parsed else []), *rivals)]
            fits = select(spectrum, circuits, weight=chosen)
            found, ranking = fits[0], rank(fits)
            shown.append(f"{output.named(place)}: {ranking}")
            entry["comparison"] = ranking.to_dict()
        else:
            near = before[-1] if sequence and before else None
            found = run(parsed, spectrum, weight=chosen, start=first, fix=held, bounds=limited, near=near)  # type: ignore[arg-type]
        before.append(found)
        shown.append(f"{output.named(place)}: {found}")
        intervals: list[Profile] = []
        for wanted, terms in profiled.items():
            from fitting.profile import profile as walk

            interval = walk(found, spectrum, wanted if wanted in terms else terms)
            shown.append(f"  {interval}")
            intervals.append(interval)
        if intervals:
            entry["profiles"] = [interval.to_dict() for interval in intervals]
        if plot:
            from eis.fit_plots import plot_profile
            from eis.plots import plot_nyquist, plot_residuals

            save(plot_nyquist(spectrum, fit=found), plot, spectrum, "fit")
            save(plot_residuals(found), plot, spectrum, "residuals")
            for interval in intervals:
                save(plot_profile(interval, found), plot, spectrum, f"profile-{interval.quantity}")
        return {**entry, **found.to_dict()}, 0 if found.converged else 4

    entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))
    if json:
        output.write_document("fit", entries)
    else:
        for text in shown:
            output.say(text)
    output.leave(entries, code)


def _sum(wanted: str) -> dict[str, float]:
    """Read ``R1+R2`` as how often each parameter is counted."""
    terms = [term.strip() for term in wanted.split("+")]
    return {term: float(terms.count(term)) for term in terms}


def _require_names(circuit: Circuit, names: Iterable[str], option: str) -> None:
    """Refuse a name that no file's fit could know, before the first one is read."""
    from fitting.problem import check_name

    for name in names:
        try:
            check_name(circuit, name)
        except FitError as error:
            raise ConfigError(f"{error.what}: {circuit}", where=option, mend=error.mend) from error


def _require_starts(
    circuit: Circuit, start: Sequence[float] | None, limits: Mapping[str, tuple[float, float]]
) -> None:
    from fitting.problem import by_name

    try:
        given = by_name(circuit, start)
    except FitError as error:
        raise ConfigError(error.what, where="--start", mend=error.mend) from error
    for name, (low, high) in limits.items():
        if name in given and not low <= given[name] <= high:
            raise ConfigError(
                f"{name} starts at {given[name]:g}, outside its limits {low:g} and {high:g}",
                where="--start, --bounds",
                mend="Move the start or widen the limits.",
            )


def refit(
    archive: Annotated[
        Path,
        typer.Argument(help="Folder of the archive, subfolders too; or one collection of `eis convert --into`."),
    ],
    circuit: Annotated[str, typer.Option(help="e.g. 'L0-R0-p(R1,CPE1)-p(R2,CPE2)'")],
    out: Annotated[Path, typer.Option(help="Table to write: .parquet, .csv, or a folder of Parquet parts.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A scheduler of dask.distributed that is there already.")
    ] = None,
    weight: Annotated[str, typer.Option(help="modulus, unit or proportional.")] = "modulus",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the further starts.")] = 0,
    along: Annotated[
        str, typer.Option(metavar="COORDINATE", help="Spectra follow each other along it, e.g. temperature_c.")
    ] = "",
    within: Annotated[str, typer.Option(metavar="COORDINATE", help="What tells series apart, e.g. cell.")] = "",
    page: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a summary: maps, failures, suspicious spectra.")
    ] = None,
    area: Annotated[
        float | None, typer.Option(metavar="CM2", help="Electrode area, for the page's ASR (cm²).")
    ] = None,
    json: AsJson = False,
) -> None:
    """Fit one circuit to every spectrum of an archive; a run that was killed goes on where it stopped."""
    from eis.refit import log_of
    from eis.refit import refit as run
    from fitting.circuit import parse

    parse(circuit)
    chosen = values.one_of(weight, BULK_WEIGHTS, option="--weight") or "modulus"
    if area is not None and not 0 < area < math.inf:  # not after hours of fitting
        raise ConfigError(f"The area is {area:g}", where="--area", mend="Give the electrode area in cm².")
    announce_compiling()
    with output.rate_bar() as bar:
        task = bar.add_task("spectra", total=None)
        with output.says_what_remains(log_of(out), "the same command goes on where this one stopped"):
            done = run(
                archive,
                circuit,
                out,
                weight=chosen,
                seed=seed,
                along=along,
                within=within,
                workers=workers,
                scheduler=scheduler,
                on_progress=lambda n, total: bar.update(task, completed=n, total=total),
            )
    trouble = None
    if page is not None:
        from eis.refit_page import write_page

        _, trouble = output.attempt(lambda: write_page(out, page, area_cm2=area, circuit=circuit))
    if json:
        numbers = {name: getattr(done, name) for name in done.__slots__ if name != "out"}
        entry = {"out": str(done.out), "n_spectra": done.n_spectra, **numbers}
        output.write_document("refit", [entry], trouble)
    else:
        output.say(str(done))
        if page is not None and trouble is None:
            output.say(f"wrote {page}")
    output.leave((), 4 if done.n_failed else 0, trouble)
