"""`eis check`: from spectra to a verdict per cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import (
    KINDS,
    WEIGHTS,
    AsJson,
    Columns,
    Files,
    Weight,
    announce_compiling,
    make,
    numbered,
    read,
)
from eis.errors import ConfigError, EisError

if TYPE_CHECKING:
    from eis.cell import Electrode as ElectrodeName
    from eis.results import Reading
    from eis.spectrum import Spectrum

ELECTRODES: tuple[ElectrodeName, ...] = ("negative", "positive")
MOST_DRAWN = 200
"""Spectra up to which the HTML page is drawn; a page takes about a second each."""


def check(
    files: Files,
    spec: Annotated[str, typer.Option(metavar="NAME|FILE.toml", help="The limit.")] = "lges-negative-electrode",
    area: Annotated[str | None, typer.Option(metavar="CM2", help="Area of one electrode (cm²).")] = None,
    u_area: Annotated[float, typer.Option(metavar="CM2", help="Its standard uncertainty (cm²).")] = 0.0,
    interfaces: Annotated[
        int | None, typer.Option(help="Interfaces in the path: symmetric 2, half cell 1.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="symmetric, half, full or blocking.")] = None,
    thickness: Annotated[float | None, typer.Option(metavar="CM", help="Electrolyte thickness (cm).")] = None,
    reading: Annotated[str | None, typer.Option(help="asr, per_area or absolute; without it, all.")] = None,
    circuit: Annotated[str | None, typer.Option(help="Without it the data choose among ladders.")] = None,
    element: Annotated[str | None, typer.Option(help="The resistance that is the interface, e.g. R2.")] = None,
    weight: Weight = "modulus",
    rule: Annotated[
        str | None, typer.Option(help="simple, guard-band, iso-14253 or probability; instead of the spec's.")
    ] = None,
    k: Annotated[float | None, typer.Option("--k", help="Coverage factor of U, instead of the spec's.")] = None,
    blank_u_ohm: Annotated[
        float | None, typer.Option(metavar="OHM", help="Standard uncertainty of the shorted fixture's resistance.")
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Process values with units, against their windows.")
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PROCESS", help="What an arc is, e.g. R1=grain boundary.")
    ] = None,
    electrode: Annotated[
        str | None, typer.Option(help="Of a symmetric or half cell: negative or positive.")
    ] = None,
    cell_file: Annotated[
        Path | None, typer.Option("--cell", metavar="CELL.toml", help="The cell, instead of the options for it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for result.json, report.txt, junit.xml, report.html.")
    ] = None,
    columns: Columns = None,
    json: AsJson = False,
) -> None:
    """Say whether a cell meets a limit. Exits 0 for PASS, 1 for FAIL, 3 if the measurement cannot decide."""
    from eis import pipeline
    from eis.cell_file import load_cell
    from eis.checking import check as judge
    from eis.conformity import RULES
    from eis.process_values import load_process_values
    from eis.results import READINGS, Assessment, Unjudged
    from eis.spec import Spec
    from eis.spectrum import Cell

    if area is None and cell_file is None:
        raise ConfigError(
            "The electrode area is missing",
            where="--area",
            mend="Give the geometric area of one electrode in cm², e.g. --area 1.131, or --cell CELL.toml; no "
            "default would be safe.",
        )
    known = values.one_of(kind, KINDS, option="--kind")
    if cell_file is not None:
        if area is not None or u_area or interfaces or kind or thickness or electrode:
            raise ConfigError(
                "The cell is described twice",
                where="--cell",
                mend="Give --cell, or --area and the others, not both.",
            )
        cell = load_cell(cell_file)
    else:
        of_electrode = values.one_of(electrode, ELECTRODES, option="--electrode")
        size = _square_centimetres(area or "")
        cell = Cell(size, u_area, interfaces, known, thickness, electrode=of_electrode)
    own = _assigned(assign or [])
    limit = Spec.load(spec)
    if rule is not None or k is not None:
        limit = limit.decided_by(rule=values.one_of(rule, RULES, option="--rule"), k=k)
    process = load_process_values(metadata) if metadata is not None else None
    read_as: Reading | None = values.one_of(reading, READINGS, option="--reading")
    chosen = values.one_of(weight, WEIGHTS, option="--weight") or "modulus"
    judge((), limit, reading=read_as, blank_u_ohm=blank_u_ohm, metadata=process)  # faults before any file is read
    if circuit is not None:
        from fitting.circuit import parse

        parse(circuit)
    if out is not None:
        make(out)
    announce_compiling()
    readings: list[Spectrum | Unjudged] = []
    code = 0
    for name in output.expand(files):
        try:
            readings += numbered(read(name, columns))
        except Exception as error:  # noqa: BLE001 - a bug of ours at one file must not cost the others
            told, worse = output.told_of(error, name)
            readings.append(Unjudged(name, told))
            code = max(code, worse)
    spectra = [one for one in readings if not isinstance(one, Unjudged)]
    results: list[Assessment | Unjudged] = []
    with output.progress(len(spectra), "spectra") as advance:
        found = pipeline.assess_many(
            spectra,
            cell,
            limit,
            circuit=circuit,
            reading=read_as,
            element=element,
            weight=chosen,
            blank_u_ohm=blank_u_ohm,
            metadata=process,
            assign=own,
        )
        for one in readings:
            if isinstance(one, Unjudged):
                results.append(one)
                continue
            judged = next(found)
            advance()
            if isinstance(judged, EisError):
                results.append(Unjudged(one.metadata.get("file"), judged.to_dict(), one.metadata.get("index")))
                code = max(code, judged.exit_code)
            else:
                results.append(judged)
                code = max(code, judged.judgement.exit_code)
    done = [one for one in results if isinstance(one, Assessment)]
    written, trouble = None, None
    if out is not None:
        html = len(done) <= MOST_DRAWN
        write = pipeline.write_report
        written, trouble = output.attempt(lambda: write(results, out, title="Interface check", html=html))
        if not html:
            said = f"report.html is left out for {len(done)} spectra, which take about a second each to draw"
            output.complain(f"{said}; eis report {out / 'result.json'} draws it")
    entries = [one.to_dict() for one in results]
    if json:
        output.write_document("check", entries, trouble)
    elif done:
        from eis.report import render_text

        output.say(render_text(done))
        for path in written or ():
            output.say(f"wrote {path}")
    output.leave(entries, code, trouble)


def _assigned(pairs: list[str]) -> dict[str, str]:
    """Read ``R2=electrode interface``; which processes there are, the extraction says."""
    out = {}
    for text in pairs:
        name, equals, process = text.partition("=")
        if not (name and equals and process):
            raise ConfigError(f"{text!r} assigns nothing", where="--assign", mend="Write R1=grain boundary.")
        out[name.strip()] = process.strip()
    return out


def _square_centimetres(text: str) -> float:
    """Read the area; a unit after it, cm² included, is not guessed away."""
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not an area in cm²",
            where="--area",
            mend="Give the number alone, in cm²: 100 mm² are 1 cm², so --area 1.131 for 113.1 mm².",
        ) from None
