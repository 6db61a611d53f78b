"""Instruments without a cell: what drivers there are, and emulated ones for any program to talk to."""

from __future__ import annotations

import cmath
import sys
import threading
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from eis.cli import output, values
from eis.cli.options import AsJson
from eis.errors import ConfigError
from eis.quantities import format_si

if TYPE_CHECKING:
    from instruments.emulated.cells import EmulatedCell
    from instruments.emulated.faults import Faults


def instruments(
    scan: Annotated[
        bool, typer.Option("--scan", help="Look for instruments; this broadcasts on the network.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show drivers, what they can do and whether anybody has seen them work, and the emulated instruments."""
    from instruments.connect import DRIVERS, connect
    from instruments.emulated.cells import CELLS
    from instruments.emulated.models import MODELS

    entries: list[dict[str, Any]] = []
    for driver in DRIVERS:
        about = (driver.__doc__ or "").strip().splitlines()[0]
        with connect("sim::symmetric-cell", driver=driver.name) as usual:
            able = usual.capabilities()
            entries.append(
                {
                    "driver": driver.name,
                    "about": about.partition(";")[0].rstrip("."),
                    "instrument_verified": able.instrument_verified,
                    "model": f"{usual.identify().vendor} {usual.identify().model}",
                    "capabilities": asdict(able),
                    "emulated": [model.name for model in MODELS.values() if model.driver == driver.name],
                }
            )
    found = _found() if scan else []
    if json:
        output.write_document("instruments", entries, resources=found, cells=list(CELLS))
        return
    rows = [
        (
            entry["driver"],
            entry["about"],
            entry["model"],
            *_shown(entry["capabilities"]),
            "yes" if entry["instrument_verified"] else "no",
            ", ".join(entry["emulated"]),
        )
        for entry in entries
    ]
    heading = ("driver", "for", "e.g.", "frequencies", "excitation (rms)", "seen on hardware", "emulated models")
    output.table(heading, rows)
    output.say("emulated cells: " + ", ".join(f"sim::{name}" for name in CELLS))
    if scan:
        output.say("found: " + (", ".join(found) or "nothing"))
    else:
        output.say("eis instruments --scan looks for instruments, and broadcasts on the network to do so.")


def _shown(able: dict[str, Any]) -> tuple[str, str]:
    """Return the range of frequency and the excitation of an instrument as people write them."""
    frequencies = f"{format_si(able['f_min_hz'], 'Hz')} to {format_si(able['f_max_hz'], 'Hz')}"
    levels = [(able["v_ac_rms"], "V"), (able["i_ac_rms"], "A")]
    if able["fixed_amplitude"]:
        return frequencies, "its own"
    return frequencies, ", ".join(f"{format_si(two[0], u)} to {format_si(two[1], u)}" for two, u in levels if two)


def _found() -> list[str]:
    """Return what VISA lists, which includes ports with nothing behind them."""
    import warnings

    import pyvisa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about packages that would find more
        return sorted(pyvisa.ResourceManager("@py").list_resources("?*"))


WITHIN = "serial-url"
"""The transport that reaches no other process than its own."""


def emulate(
    model: Annotated[str, typer.Option(help="Such as nexus1 or e4980a; see eis instruments.")] = "nexus1",
    transport: Annotated[str | None, typer.Option(help="tcp, hislip, vxi11, prologix or pty.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    cell: Annotated[str, typer.Option(help="An emulated cell; see eis instruments.")] = "symmetric-cell",
    circuit: Annotated[str | None, typer.Option(help="Measure this circuit instead of a known cell.")] = None,
    of: Annotated[
        str | None, typer.Option("--values", metavar="V1,V2,…", help="Its values, in circuit order (SI).")
    ] = None,
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation of each part, over |Z|.")] = 1e-3,
    speed: Annotated[float, typer.Option(help="How many times faster than the real one it measures.")] = 1.0,
    fault: Annotated[Path | None, typer.Option(help="TOML file: what goes wrong, and when.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop after so long; by default with Ctrl-C.")
    ] = None,
) -> None:
    """Serve an emulated instrument to any VISA program; the first line printed is its resource name."""
    from instruments.emulated.clock import RealClock
    from instruments.emulated.models import MODELS
    from instruments.emulated.transports import TRANSPORTS

    chosen = MODELS[values.one_of(model, list(MODELS), option="--model") or "nexus1"]
    known = [name for name in chosen.transports if name in TRANSPORTS and name != WITHIN]
    by = values.one_of(transport, known, option="--transport") or known[0]
    if not speed > 0:
        raise ConfigError(f"--speed is {speed:g}", where="--speed", mend="Give a number above zero.")
    device = chosen.make(
        _cell(cell, circuit, of), clock=RealClock(speed), noise=noise, faults=_faults(fault) if fault else None
    )
    options = {"port": port} if by != "pty" else {}
    try:
        listening = TRANSPORTS[by](device, **options)
    except OSError as error:
        raise ConfigError(
            f"The port cannot be had: {error.strerror}",
            where="--port",
            mend="Choose another, or 0 for a free one.",
        ) from error
    with listening as served:
        output.say(served.resource)
        sys.stdout.flush()
        output.complain(f"{chosen.shown} (emulated) at {served.resource}; Ctrl-C ends it")
        threading.Event().wait(seconds)


def _cell(name: str, circuit: str | None, of: str | None) -> EmulatedCell:
    """Return the cell to measure: a known one, or a circuit with values."""
    import numpy as np

    from instruments.emulated.cells import CELLS, EmulatedCell

    if (circuit is None) != (of is None):
        raise ConfigError(
            "A circuit needs its values", where="--circuit, --values", mend="Give both, or a --cell."
        )
    if circuit is None:
        return CELLS[values.one_of(name, list(CELLS), option="--cell") or "symmetric-cell"]
    numbers = values.numbers(of, option="--values") or []
    made = EmulatedCell(
        name="yours",
        circuit=circuit,
        values=tuple(numbers),
        area_cm2=1.0,
        interfaces_in_path=1,
        kind="symmetric",
        interface="",
    )
    with np.errstate(all="ignore"):
        shown = complex(np.ravel(made.impedance(1.0))[0])  # a wrong number of values is told of here
    if not (cmath.isfinite(shown) and shown):
        raise ConfigError(
            f"The circuit with these values is {shown:g} Ω at 1 Hz",
            where="--values",
            mend="Give values of a cell that can be measured, in SI units.",
        )
    return made


def _faults(path: Path) -> Faults:
    """Read a schedule of faults: tables ``points`` and ``lines`` of number = kind."""
    from instruments.emulated.faults import Faults, LineFault, PointFault

    try:
        if path.stat().st_size > 1_000_000:
            raise ConfigError("The file is larger than 1 MB", where=str(path), mend="Give a shorter schedule.")
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"The schedule cannot be read: {error}",
            where=str(path),
            mend='Write e.g. [points], then 5 = "overload" below it.',
        ) from error
    kinds = {"points": get_args(PointFault), "lines": get_args(LineFault)}
    read: dict[str, dict[int, Any]] = {name: {} for name in kinds}
    for table, entries in tables.items():
        if table not in kinds or not isinstance(entries, dict):
            raise ConfigError(f"Unknown table {table!r}", where=str(path), mend="Use [points] and [lines].")
        for number, kind in entries.items():
            if not number.isdecimal() or kind not in kinds[table]:
                raise ConfigError(
                    f"Unknown fault {number} = {kind!r}",
                    where=f"{path}, [{table}]",
                    mend=f"Write a number = one of {', '.join(kinds[table])}.",
                )
            read[table][int(number)] = kind
    return Faults(points=read["points"], lines=read["lines"])
