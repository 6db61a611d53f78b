"""``eis run``, ``eis config`` and ``eis history``: a test station, its configuration, and what it has seen."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eis.cli import output
from eis.cli.options import AsJson, announce_compiling
from eis.errors import CellStateUnknownError, ConfigError, StoreError

if TYPE_CHECKING:
    from eis.station_config import Station
    from eis.station_outputs import Run
    from eis.store import Record

StationFile = Annotated[Path, typer.Argument(metavar="STATION.toml", help="What the station does.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. sweep.start_hz=1e6; may be repeated."),
]
SHOWN = 20

config = typer.Typer(help="Look at a station's configuration: file < environment < flags.", no_args_is_help=True)


def run(
    file: StationFile,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="The cell to measure; may be repeated.")
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Read ids from standard input, one a line, as a barcode reader types them."),
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many runs; with one --cell, measure it so often.")
    ] = None,
    override: Set = None,
    json: AsJson = False,
) -> None:
    """Measure, judge and store cells unattended. Exits 0 only if every cell is a PASS that is stored."""
    from eis.station import open_bench, run_cell

    station = _station(file, override)
    if bool(cell) == watch:
        raise ConfigError("Say which cells", where="eis run", mend="Give --cell ID, or --watch to read ids.")
    announce_compiling()
    ids: Iterator[str] = _typed() if watch else iter(cell or ())
    if count is not None:
        ids = itertools.islice(itertools.cycle(cell) if cell and len(cell) == 1 else ids, count)
    entries: list[output.Entry] = []
    worst = 0
    told: set[str] = set()

    def notice(text: str) -> None:
        if text not in told:  # once, not for every cell
            told.add(text)
            output.complain(text.split("\n", 1)[0])

    def ended(run: Run) -> None:
        if json:  # with --watch there is no end to them otherwise
            entries.append(run.to_dict())
        else:
            output.say(f"{run.cell}: {run.state}: {run.because}")

    try:
        with open_bench(
            station,
            environ=os.environ,
            on_state=lambda name, state: output.complain(f"{name}: {state}"),
            on_notice=notice,
            on_end=ended,
        ) as bench:
            for one in ids:
                output.heed_interrupt()
                try:
                    done = run_cell(bench, one)
                except ConfigError as error:  # a barcode that was misread is no reason to stop
                    entries += [{"file": None, "cell_id": one[:80], "error": error.to_dict()}] if json else []
                    worst = max(worst, error.exit_code)
                    output.complain_of(error)
                    continue
                worst = max(worst, done.exit_code)
                for problem in done.problems:
                    output.complain(f"{done.name}: {problem}")
                if done.error_code == CellStateUnknownError.code:
                    output.complain("nothing more is measured here until somebody has looked at the instrument")
                    break
    except (KeyboardInterrupt, SystemExit):  # what was done until then is told all the same
        if json:
            output.write_document("run", entries)
        raise
    if json:
        output.write_document("run", entries)
    raise typer.Exit(worst)


@config.command()
def show(
    file: StationFile,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every setting with its origin, not only those that were given.")
    ] = False,
    override: Set = None,
    json: AsJson = False,
) -> None:
    """Print the configuration, and where each value comes from."""
    from json import loads

    station = _station(file, override)
    rows = [row for row in station.rows() if resolved or row[2] != "default"]
    if json:
        entries = [{"key": key, "value": loads(value), "origin": origin} for key, value, origin in rows]
        output.write_document("config", entries)
    else:
        output.table(("key", "value", "from"), rows)


@config.command()
def check(file: StationFile, override: Set = None) -> None:
    """Check the configuration whole: values, spec, circuit and driver; nothing is connected to."""
    from eis.station import require_ready

    require_ready(_station(file, override))
    output.say(f"{file}: nothing is wrong with it")


@config.command()
def schema() -> None:
    """Print the JSON Schema of a station file, for editors that complete and check."""
    from json import dumps

    from eis.station_config import json_schema

    output.say(dumps(json_schema(), indent=1))


def history(
    store: Annotated[str, typer.Argument(metavar="STORE", help="A station's store: a file, or a URL.")],
    cell: Annotated[str | None, typer.Option(metavar="ID", help="Runs of this cell alone.")] = None,
    of_station: Annotated[
        str | None, typer.Option("--station", metavar="NAME", help="Runs of this station alone.")
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many of the newest.")] = None,
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the control charts of ASR over time.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write the table.")] = None,
    json: AsJson = False,
) -> None:
    """List the runs in a store, oldest first; say of each arc at each station whether its process has changed."""
    from eis.control_chart import process_charts
    from eis.store import Store

    if "://" not in store and not Path(store).is_file():
        raise StoreError("There is no such store", where=store, mend="Give the store of eis run.")
    with Store.open(store, station=of_station or "", make=False) as opened:
        records = list(opened.records(kind="ended", cell=cell, every_station=of_station is None, last=last))
    charts = process_charts([(one.station, one.content) for one in records])
    number = {place: n for one in charts for n, place in enumerate(one.places, start=1)}
    rows = [_row(one, number.get(place)) for place, one in enumerate(records)]
    if chart is not None:
        from eis.history_plots import plot_process_charts

        drawn = plot_process_charts(charts)
        try:
            drawn.savefig(chart, dpi=150, bbox_inches="tight")
        except (OSError, ValueError) as error:
            raise StoreError(
                f"Cannot draw: {error}", where=str(chart), mend="Name a .png that can be written."
            ) from error
    if csv is not None:
        _write_csv(csv, rows)
    if json:
        output.write_document("history", rows, control_charts=[one.to_dict() for one in charts])
        return
    shown = rows if last is not None or cell else rows[-SHOWN:]
    if not rows:
        output.say("no run" if cell is None else f"no run of {cell!r}")
        return
    if len(shown) < len(rows):
        output.say(f"the last {len(shown)} of {len(rows)} runs; --last gives more")
    output.table(HEADING, [_words(row) for row in shown])
    for one in charts:
        output.say(f"control chart of {one.name}: {one.chart}")
    if not charts:
        output.say("control chart: no run with an area-specific resistance")


HEADING = ("at", "station", "cell", "state", "arc, no.", "ASR (± is U, k = 2)", "because")
"""The number is that of the run in the control chart of its arc and station."""


def _words(row: dict[str, Any]) -> tuple[str, ...]:
    from eis.quantities import format_uncertain

    asr, u = row["asr_ohm_cm2"], row["u_asr_ohm_cm2"]
    shown = "" if asr is None else f"{asr:.4g}" if u is None else format_uncertain(asr, u, "Ω·cm²")
    at = str(row["at"])[:19].replace("T", " ")
    where = ", ".join(filter(None, (row["station"], row["fixture"])))
    numbered = ", ".join(str(part) for part in (row["arc"], row["number"]) if part is not None)
    return at, where, row["cell"] or "", row["state"] or "", numbered, shown, row["because"] or ""


def _row(record: Record, number: int | None) -> dict[str, Any]:
    from eis.control_chart import arc_of

    content = record.content
    return {
        "at": record.at,
        "station": record.station,
        "run": record.run,
        **{
            key: content.get(key)
            for key in ("cell", "state", "verdict", "asr_ohm_cm2", "u_asr_ohm_cm2", "because", "fixture")
        },
        "arc": arc_of(content) or None,
        "number": number,
        "sha256": record.sha256,
    }


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    import csv as tables

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = tables.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise StoreError(
            f"Cannot write: {error.strerror}", where=str(path), mend="Choose another file."
        ) from error


def _station(file: Path, override: list[str] | None) -> Station:
    from eis.station_config import load_station

    return load_station(file, environ=os.environ, flags=override or ())


def _typed() -> Iterator[str]:
    """Yield what is typed, line by line, without the blanks around it; an empty line is nothing."""
    while True:
        output.heed_interrupt()  # one that was lost would wait for the next id
        line = sys.stdin.readline()
        if not line:
            return
        if word := line.strip().removeprefix("\ufeff"):  # some programs begin a file with it
            yield word
