"""The command `eis plan`: before measuring, whether a set-up can decide about a limit, and what would."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import AsJson, Columns, make, read, save_figure
from eis.errors import ConfigError

if TYPE_CHECKING:
    from eis.conformity import RuleName
    from eis.cramer_rao import Noise

NOISE, UNDECIDED = "0.1%", 3
RULES: tuple[RuleName, ...] = ("simple", "guard-band", "iso-14253")


def plan(
    cell: Annotated[
        Path, typer.Option(metavar="CELL.toml", help="What the cell is: area, interfaces_in_path, ….")
    ],
    circuit: Annotated[str, typer.Option(help="e.g. 'L0-R0-p(R1,CPE1)-p(R2,CPE2)'")],
    expected: Annotated[
        str, typer.Option("--values", metavar="v1,v2,…", help="What to expect, in circuit order (SI units).")
    ],
    limit: Annotated[
        str, typer.Option(metavar="TEXT", help="With its unit: '3 mohm cm2', '3 mohm/cm2', '3 mohm'.")
    ],
    reading: Annotated[str | None, typer.Option(help="asr, per_area or absolute; needed for Ω/cm².")] = None,
    element: Annotated[str | None, typer.Option(help="The resistance that is the interface, e.g. R2.")] = None,
    sweep: Annotated[
        str | None, typer.Option(metavar="F_HI:F_LO:PER_DECADE", help="Hz; 1e6:0.1:10 unless given.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How many sweeps.")] = 1,
    noise: Annotated[str, typer.Option(metavar="SHARE", help="Of |Z|, each part, one sweep; or 0.001.")] = NOISE,
    noise_from: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Instead: repeats of one cell that show it; two or more."),
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A parameter known beforehand, as L0 from a short.")
    ] = None,
    other: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An element of the other electrode, as R3, CPE3, Wo1.")
    ] = None,
    fixture: Annotated[
        str, typer.Option(metavar="OHM", help="Standard uncertainty of R that repeats do not lessen; 10uohm.")
    ] = "0 ohm",
    rule: Annotated[str, typer.Option(help="simple, guard-band or iso-14253.")] = "guard-band",
    k: Annotated[float, typer.Option(help="Coverage factor of U, and of the guard band.")] = 2.0,
    critical_current: Annotated[
        float | None, typer.Option(metavar="A/CM2", help="Critical current density; a tenth of it is used.")
    ] = None,
    capacity: Annotated[
        float | None, typer.Option(metavar="AH", help="Capacity; a half-wave takes 0.1 %.")
    ] = None,
    columns: Columns = None,
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Write plan.png to DIR.")] = None,
    json: AsJson = False,
) -> None:
    """Say before measuring whether a set-up can decide about a limit. Exits 0 if it can, 3 if not."""
    from eis.cell_file import load_cell
    from eis.conformity import DecisionRule
    from eis.outlook import Target
    from eis.planning import SWEEP
    from eis.planning import plan as foresee
    from eis.results import READINGS
    from eis.units import read_quantity
    from instruments.sweep import Sweep

    rule_name = values.one_of(rule, RULES, option="--rule") or "guard-band"
    target = Target.read(
        limit, reading=values.one_of(reading, READINGS, option="--reading"), rule=DecisionRule(rule_name, k)
    )
    if plot:
        make(plot)
    found = foresee(
        load_cell(cell),
        circuit,
        values.numbers(expected, option="--values") or [],
        target,
        element=element,
        sweep=Sweep.parse(sweep, amplitude_v=SWEEP.amplitude_v) if sweep else SWEEP,
        noise=_noise(noise, noise_from or [], columns),
        repeats=repeats,
        known=known or (),
        others=other or None,
        u_fixture_ohm=read_quantity(fixture, "ohm", where="--fixture"),
        critical_a_per_cm2=critical_current,
        capacity_ah=capacity,
    )
    trouble = None
    if plot is not None:
        from eis.planning_plots import plot_forecast

        drawn = plot / "plan.png"
        _, trouble = output.attempt(lambda: save_figure(plot_forecast(found), drawn))
    entry = {"file": str(cell), **found.to_dict()}
    if json:
        output.write_document("plan", [entry], trouble)
    else:
        output.say(str(found))
        heading = (
            "design",
            f"u({found.asked.design.element})",
            "U",
            "LOQ",
            "P(PASS)",
            "P(FAIL)",
            "time",
            "decides",
        )
        output.table(heading, found.rows())
    output.leave([entry], 0 if found.decides else UNDECIDED, trouble)


def _noise(text: str, files: list[str], columns: str | None) -> Noise:
    """Return the noise as a fraction of |Z|, or as repeats of a cell show it."""
    if files:
        from fitting.weights import fit_error_structure

        if text != NOISE:
            raise ConfigError("Give the noise once", where="--noise", mend="Leave out --noise, or --noise-from.")
        return fit_error_structure([one for name in output.expand(files) for one in read(name, columns)])
    share = text.strip()
    percent = share.endswith("%")
    value = values.number(share.removesuffix("%").strip(), option="--noise") / (100 if percent else 1)
    if not (math.isfinite(value) and 0 < value < 1):
        raise ConfigError(
            f"{text!r} is no noise", where="--noise", mend="Give a share of |Z| above 0 and below 100 %, as 0.1%."
        )
    return value
