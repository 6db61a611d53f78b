"""The commands. Everything heavy is imported inside a command, so that ``eis --help`` answers at once."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from eis.cli import (
    bench,
    check,
    compare,
    correct,
    drt,
    fits,
    measure,
    output,
    plan,
    public,
    series,
    station,
    validate,
    values,
)
from eis.cli.options import (
    AsJson,
    Columns,
    Files,
    announce_compiling,
    drawn_of,
    each_spectrum,
    make,
    storable,
)
from eis.errors import ConfigError, EisError, StoreError
from eis.namesakes import refuse_namesakes

if TYPE_CHECKING:
    from eis.results import Assessment, Unjudged
    from eis.spectrum import Spectrum

app = typer.Typer(
    help="From a solid-state battery cell, or an archived spectrum, to a verdict that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SIGNALLED = 128
COLLECT = 50_000, 20, 100
"""When garbage is looked for: the records of thousands of spectra are none, yet are looked at again and again."""
ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals that end a command by an exception, as Ctrl-C does; the last is also a console window being closed."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("eis-demo"),
    experiment: Annotated[
        bool, typer.Option("--experiment", help="Instead: a virtual porosity-filling experiment, compared.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Run the main job on emulated cells: sweep, validate, fit, extract, check, report."""
    folder = _fresh(out)
    if experiment:
        compare.demonstrate(folder, json=json)
        return
    from eis import pipeline

    announce_compiling()
    total = len(pipeline.DEMO_RESOURCES) * len(pipeline.DEMO_SWEEP.frequencies_hz)
    with output.progress(total, "points") as advance:
        shown = pipeline.demonstrate(folder, on_point=lambda _: advance())
    if json:
        output.write_document("demo", [_check_entry(one) for one in shown.assessments])
        return
    for one in shown.assessments:
        output.say(f"{Path(one.spectrum.name).stem}: {one.judgement}")
        output.say(f"  data: {one.validity}")
        output.say(f"  eis check would exit with {one.judgement.exit_code}")
        output.say()
    output.say("wrote " + "\n      ".join(str(path) for path in shown.files))


@app.command()
def convert(
    files: Files,
    out: Annotated[Path | None, typer.Option(help="Folder to write to, a file per spectrum.")] = None,
    to: Annotated[str, typer.Option(help="nc, csv or bdf.")] = "nc",
    into: Annotated[
        Path | None, typer.Option(metavar="FILE.nc", help="Instead: one collection of all spectra.")
    ] = None,
    columns: Columns = None,
    full: Annotated[bool, typer.Option(help="Put the arrays into the JSON document.")] = False,
    json: AsJson = False,
) -> None:
    """Archive any vendor file, with its provenance: a file per spectrum, or all of them in one."""
    from eis import archive
    from eis.collection_writer import Writer

    kind = values.one_of(to, ("nc", "csv", "bdf"), option="--to") or "nc"
    suffix = {"nc": ".nc", "csv": ".csv", "bdf": ".bdf.csv"}[kind]
    if (out is None) == (into is None) or (into is not None and kind != "nc"):
        raise ConfigError(
            "Give either --out or --into",
            where="eis convert",
            mend="--into writes one netCDF file, --out a folder.",
        )
    folder = out or Path()
    if out is not None:
        make(out)
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(Writer(into)) if into is not None else None

        def work(spectrum: Spectrum, place: output.Entry) -> tuple[output.Entry, int]:
            if writer is not None:
                writer.add(spectrum)
                target = writer.path
            else:
                part = f"-{place['index'] + 1}" if "index" in place else ""
                name = storable(Path(place["file"]).name)
                target = archive.write(spectrum, folder / f"{name}{part}{suffix}")
            return {**spectrum.to_dict(full=full), "wrote": str(target)}, 0

        entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))
        if writer is not None and not any("wrote" in entry for entry in entries):
            stack.pop_all()
            writer.discard()
    kept = (entry for entry in entries if "wrote" in entry)
    rows = ((output.named(e), e["format"] or "", str(e["n_points"]), e["wrote"]) for e in kept)
    _finish("convert", entries, code, json, ("file", "format", "points", "wrote"), rows)


@app.command()
def verify(
    files: Annotated[
        list[str], typer.Argument(metavar="FILES...", help="Archived spectra, collections, or a station's store.")
    ],
    json: AsJson = False,
) -> None:
    """Compare archived files, or a station's store, with their checksums; exits 4 if one differs."""
    from eis.verification import verify as compare

    def step(name: str) -> Iterator[tuple[output.Entry, int]]:
        found = compare(name)
        yield found.to_dict(), 0 if found.state == "intact" else 4

    entries, code = output.each(files, step)
    rows = ((e["file"], e["state"], str(e["n_spectra"]), e["because"]) for e in entries if "error" not in e)
    _finish("verify", entries, code, json, ("file", "state", "spectra", "because"), rows)


@app.command()
def report(
    results: Annotated[
        list[str], typer.Argument(metavar="RESULT...", help="result.json files of eis check, or their folders.")
    ],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Interface check",
    json: AsJson = False,
) -> None:
    """Write the HTML report again from stored results."""
    from eis.document import read_results
    from eis.report_page import render_html

    shown: list[Assessment | Unjudged] = []

    def step(name: str) -> Iterator[tuple[output.Entry, int]]:
        stored = read_results(Path(name, "result.json") if Path(name).is_dir() else Path(name))
        shown.extend(stored)
        yield {"file": name, "n_results": len(stored)}, 0

    entries, code = output.each(results, step)
    wrote, trouble = None, None
    if shown or not code:
        wrote, trouble = output.attempt(lambda: _write_page(out, render_html(shown, title=title)))
    if json:
        output.write_document("report", entries, trouble, wrote=wrote)
    elif wrote:
        output.say(f"wrote {wrote}")
    output.leave(entries, code, trouble)


app.command()(check.check)
app.command()(validate.validate)
app.command()(measure.measure)
app.command()(bench.instruments)
app.command()(bench.emulate)
app.command()(correct.correct)
app.command()(fits.fit)
app.command()(fits.refit)
app.command()(drt.drt)
app.command()(plan.plan)
app.command()(compare.compare)
app.command()(series.series)
app.command()(station.run)
app.command()(station.history)
app.add_typer(station.config, name="config")
app.add_typer(public.datasets, name="datasets")


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """From a solid-state battery cell, or an archived spectrum, to a verdict that can be trusted."""
    if show:
        from eis.document import VERSION

        output.say(f"eis {VERSION}")
        raise typer.Exit


def main() -> None:
    """Run the command line; every way out has its exit code."""
    for name in ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _terminate)
    output.require_streams()
    output.remember_interrupts()
    drawn_of.clear()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that is no UTF-8 is shown with escapes
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    gc.set_threshold(*COLLECT)
    try:
        refuse_namesakes()
        app(standalone_mode=True)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # as typer printed --help; its exit code says FAIL
            sys.exit(output.READER_LEFT)
        if (refused := _refused(ended)) is not None:
            _show_mistake(refused)
        raise
    except KeyboardInterrupt:  # before typer looks out for it
        sys.exit(SIGNALLED + signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours must not look like a verdict
        _end_by(error)


def _end_by(error: Exception) -> NoReturn:
    """Tell of what ended the command, in words and as a document where one is asked for, and leave."""
    error = output.in_words(error)
    told, code = output.told_of(error, _command())
    if isinstance(error, EisError):
        output.complain_of(error)
    else:
        output.complain("this is a bug in eis itself; please report it with the lines above")
    _give(told)
    sys.exit(code)


def _give(error: dict[str, str | None]) -> None:
    """Print what ended the command as a document, if one is asked for and can be given."""
    if "--json" in sys.argv:
        with contextlib.suppress(StoreError):
            output.write_document(_command(), [], error=error)


def _show_mistake(refused: ConfigError) -> None:
    """Give what is wrong with the command line as a document too, and say how a file with a dash is named."""
    for name in sys.argv[1:]:
        if name.startswith("-") and os.path.lexists(name):
            output.complain(f"there is a file {name}; if it is meant, write {os.curdir}{os.sep}{name}")
    _give(refused.to_dict())


def _refused(ended: SystemExit) -> ConfigError | None:
    """Return what typer refused as it read the command line; None if the command did not end by that."""
    told = getattr(ended.__context__, "format_message", None)  # typer's own click is none of its public names
    if told is None:
        return None
    what, command = " ".join(told().split()).rstrip("."), _command()
    return ConfigError(what, where=command, mend="Write --help behind the command to see what it takes.")


def _terminate(number: int, frame: Any) -> None:
    """Turn a signal into an exit, so that every `finally` runs and the cell goes off."""
    raise SystemExit(SIGNALLED + number)


def _command() -> str:
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "eis")


def _write_page(out: Path, page: str) -> str:
    from eis.pipeline import write_text

    write_text(out, page)
    return str(out)


def _check_entry(one: Assessment) -> output.Entry:
    return one.to_dict()


def _finish(
    command: str,
    entries: list[output.Entry],
    code: int,
    json: bool,
    heading: tuple[str, ...],
    rows: Iterator[tuple[str, ...]],
) -> None:
    """Print the entries as a document or a table, the errors on stderr, and leave with the worst code."""
    if json:
        output.write_document(command, entries)
    else:
        shown = list(rows)
        if shown:
            output.table(heading, shown)
    output.leave(entries, code)


def _fresh(folder: Path) -> Path:
    """Return `folder`, or the first ``folder-2``, ``folder-3``, … that does not exist: nothing is overwritten."""
    if not folder.exists():
        return folder
    return next(other for i in range(2, 10_000) if not (other := folder.with_name(f"{folder.name}-{i}")).exists())
