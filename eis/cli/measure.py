"""``eis measure``: capture one sweep, or go on with one that was cut short."""

from __future__ import annotations

from collections.abc import Sequence
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from eis.cli import output, values
from eis.cli.options import AsJson
from eis.errors import ConfigError, EisError, StoreError

if TYPE_CHECKING:
    from eis.spectrum import Spectrum
    from instruments.limits import Limits
    from instruments.linearity import Linearity
    from instruments.potentiostat import Sweep
    from instruments.record import Record

SWEEP, AMPLITUDE, DC = "1e6:0.1:10", "10mV", "0V"
JOURNAL = ".journal.jsonl"
MAINS_HZ: dict[str, tuple[float, ...]] = {"50": (50.0,), "60": (60.0,), "both": (50.0, 60.0), "none": ()}
RESERVED = (
    *("backend", "label", "on_close", "resource", "sweep", "out", "on_point", "resume", "guard", "on_notice"),
    *("preparation", "limits", "ocv_v", "hold_ocv", "driver"),
)
AT_REST = "ocv"
"""What ``--dc`` says for the open-circuit voltage."""
NO_LIMIT = "none"
NOTHING_TO_JUDGE = 3
"""Exit code where the instrument did what it was told and no point is of use."""
USELESS = "Look at the connections, and at the range and the amplitude for an overload; the points are kept."
LIMITS = "Limits: what the cell is never to be asked"
T = TypeVar("T")


def measure(
    out: Annotated[
        Path | None, typer.Option(help="netCDF file to write; the journal is kept beside it.", show_default=False)
    ] = None,
    resource: Annotated[
        str | None, typer.Option(help="VISA resource, or sim::symmetric-cell.", show_default=False)
    ] = None,
    sweep: Annotated[str | None, typer.Option(metavar="F_HI:F_LO:PER_DECADE", help=f"Hz; {SWEEP}.")] = None,
    amplitude: Annotated[
        str | None, typer.Option(help=f"rms; {AMPLITUDE}. In amperes, as 1mA, the current is excited.")
    ] = None,
    dc: Annotated[
        str | None,
        typer.Option(help=f"DC potential, {DC}; ocv: the open-circuit voltage; or direct current, with 1mA."),
    ] = None,
    ocv: Annotated[
        str | None,
        typer.Option(help="Open-circuit voltage, such as 3.7V, where the instrument has no voltmeter."),
    ] = None,
    mains: Annotated[
        str, typer.Option(help="Power-line frequency to keep away from: 50, 60, both or none.")
    ] = "both",
    repeat: Annotated[
        float | None,
        typer.Option(
            metavar="DECADES", help="Measure the beginning again at the end, to see drift; 0: one point."
        ),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(min=0, metavar="MINUTES", help="Longest wait for the open-circuit voltage to come to rest."),
    ] = 0.0,
    times: Annotated[int, typer.Option(help="How many sweeps, one after the other, into numbered files.")] = 1,
    linearity: Annotated[
        bool, typer.Option("--linearity", help="Sweep again at half the amplitude, and say whether it mattered.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw as it comes; saved to this file at the end.")
    ] = None,
    driver: Annotated[str | None, typer.Option(help="Name of the driver; by default, whoever knows.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the driver, such as cell=symmetric; may be repeated."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="JOURNAL", help="Go on with a sweep that was cut short; settings are the journal's."),
    ] = None,
    guardian: Annotated[
        bool, typer.Option(help="Have a second process switch the cell off should this one be killed.")
    ] = True,
    max_dc_from_ocv: Annotated[
        str | None,
        typer.Option(
            metavar="V", rich_help_panel=LIMITS, help="DC level away from the open-circuit voltage; 50mV. Or none."
        ),
    ] = None,
    max_amplitude: Annotated[
        str | None, typer.Option(metavar="V|A", rich_help_panel=LIMITS, help="Excitation, rms; 100mV. Or none.")
    ] = None,
    max_current: Annotated[
        str | None,
        typer.Option(
            metavar="A", rich_help_panel=LIMITS, help="Current, rms; more ends the sweep. None unless given."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Capture one sweep, live: every point on disk before the next, the cell off however it ends."""
    from eis import pipeline
    from eis.live import Live
    from instruments.preparation import Preparation
    from instruments.record import read_journal

    lines = MAINS_HZ[values.one_of(mains, list(MAINS_HZ), option="--mains") or "both"]
    record = read_journal(resume) if resume is not None else None
    hold_ocv = dc is not None and dc.strip().lower() == AT_REST
    plan = _plan(sweep, amplitude, None if hold_ocv else dc, record)
    if hold_ocv and (record or plan.is_galvanostatic):
        raise ConfigError(
            "--dc ocv is for a new sweep of the potential",
            where="--dc",
            mend="Leave it out: a sweep that is resumed keeps its DC level, one of the current has none.",
        )
    ocv_v = None if ocv is None else values.quantity(ocv, "V", option="--ocv")
    limits = _limits(max_amplitude, max_dc_from_ocv, max_current, record)
    resource = _required(resource or (record.identity.resource if record else None), "--resource")
    out = _required(out or (_beside(resume) if resume is not None else None), "--out")
    sweeps = _sweeps(plan, out, times, linearity, resume)
    options: dict[str, Any] = {**record.options} if record else {}
    options |= dict(_option(text) for text in option or ()) | {
        "driver": driver or (record and record.driver) or None
    }

    def capture(sweep: Sweep, path: Path) -> Spectrum:
        output.heed_interrupt()
        drawing = (
            None if plot is None else plot.with_name(plot.stem + path.stem.removeprefix(out.stem) + plot.suffix)
        )
        with Live(path.stem, n_points=sweep.n_points, plot=drawing) as live:
            for point in record.points if record else ():
                live.add(point.frequency_hz, point.z_ohm, int(point.quality))
            journal = resume or pipeline.journal_of(path)
            remains = f"the points so far are in {journal}", f"go on with: eis measure --resume {journal}"
            with output.says_what_remains(journal, *remains):
                spectrum = pipeline.measure(
                    resource,
                    sweep,
                    path,
                    on_point=lambda point: live.add(point.frequency_hz, point.z_ohm, int(point.quality)),
                    resume=resume,
                    preparation=Preparation(lines, repeat, 60 * settle),
                    limits=limits,
                    ocv_v=ocv_v,
                    hold_ocv=hold_ocv,
                    guard=guardian,
                    on_notice=output.complain,
                    **options,
                )
        for warning in live.warnings:
            output.complain(warning)
        return spectrum

    spectra: list[Spectrum] = []
    judged: Linearity | None = None
    trouble: EisError | None = None
    try:
        for one in sweeps:
            spectra.append(capture(*one))
        if linearity and all(map(len, spectra)):
            judged = _judged(spectra, plan)
    except EisError as error:
        if not spectra:
            raise
        trouble = error  # what was measured before is told of first
    if json:
        more = {"linearity": judged.to_dict()} if judged else {}
        output.write_document("measure", [spectrum.to_dict() for spectrum in spectra], trouble, **more)
    else:
        for spectrum, (_, path) in zip(spectra, sweeps, strict=False):
            output.say(repr(spectrum))
            output.say(f"wrote {path}")
        if judged:
            output.say(str(judged))
    useless = [spectrum for spectrum in spectra if not len(spectrum)]
    for spectrum in useless:
        output.complain(f"{_why_useless(spectrum)} ({spectrum.name}). {USELESS}")
    output.leave((), NOTHING_TO_JUDGE if useless else 0, trouble)


def _why_useless(spectrum: Spectrum) -> str:
    """Return a sentence that counts the flags of a spectrum of which no point is in use."""
    from eis.spectrum import EXCLUDING, Quality

    flags = {str(flag.name).lower().replace("_", " "): flag for flag in Quality if flag & EXCLUDING}
    counts = {name: int((spectrum.quality & int(flag) != 0).sum()) for name, flag in flags.items()}
    said = ", ".join(f"{name} {count} times" for name, count in counts.items() if count)
    return f"None of the {spectrum.all_frequency_hz.size} points can be used: {said}"


def _sweeps(plan: Sweep, out: Path, times: int, linearity: bool, resume: Path | None) -> list[tuple[Sweep, Path]]:
    """Return what is to be measured, and where each goes: repeats numbered, the smaller amplitude beside."""
    from dataclasses import replace

    from eis.pipeline import journal_of

    if times < 1 or (resume is not None and (times > 1 or linearity)):
        raise ConfigError(
            f"--times {times} cannot be done",
            where="--times, --linearity",
            mend="Give 1 or more, and neither option with --resume.",
        )
    if linearity and plan.is_galvanostatic:
        raise ConfigError(
            "Linearity is judged by two voltages", where="--linearity", mend="Give --amplitude in volts."
        )
    sweeps = [(plan, out)]
    if times > 1:
        sweeps = [(plan, out.with_name(f"{out.stem}-{i}{out.suffix}")) for i in range(1, times + 1)]
    if linearity:
        half = replace(plan, amplitude_v=plan.amplitude_v / 2)
        sweeps.append((half, out.with_name(f"{out.stem}.half-amplitude{out.suffix}")))
    taken = [str(path) for _, path in sweeps if path.exists()]
    if taken:  # before the first of them is measured
        raise StoreError(f"{', '.join(taken)}: exists already", where="--out", mend="Choose another name.")
    for journal in (journal_of(path) for _, path in sweeps if resume is None):
        if journal.exists():
            raise StoreError(
                "There is a journal of that name already, of a sweep that was cut short or is being measured",
                where=str(journal),
                mend=f"Go on with it: eis measure --resume {journal}. Or choose another --out.",
            )
    return sweeps


def _judged(spectra: Sequence[Spectrum], plan: Sweep) -> Linearity:
    """Compare the last sweep, at half the amplitude, with the one before it."""
    from instruments.linearity import compare_amplitudes

    return compare_amplitudes(spectra[-2], spectra[-1], amplitude_v=plan.amplitude_v)


def _plan(sweep: str | None, amplitude: str | None, dc: str | None, record: Record | None) -> Sweep:
    """Return the sweep asked for; what is not said comes from the journal that is resumed, or is the default."""
    from dataclasses import replace

    from instruments.potentiostat import Sweep

    if record is None:
        if amplitude is not None and amplitude.strip().endswith("A"):
            amplitude_a = values.quantity(amplitude, "A", option="--amplitude")
            return Sweep.parse(
                sweep or SWEEP, amplitude_a=amplitude_a, dc_a=values.quantity(dc or "0A", "A", option="--dc")
            )
        return Sweep.parse(
            sweep or SWEEP,
            amplitude_v=values.quantity(amplitude or AMPLITUDE, "V", option="--amplitude"),
            dc_v=values.quantity(dc or DC, "V", option="--dc"),
        )
    plan = record.sweep
    if sweep is not None:
        levels = {name: getattr(plan, name) for name in ("amplitude_v", "dc_v", "amplitude_a", "dc_a")}
        plan = Sweep.parse(sweep, **levels)
    if amplitude is not None:
        plan = replace(plan, amplitude_v=values.quantity(amplitude, "V", option="--amplitude"))
    if dc is not None:
        plan = replace(plan, dc_v=values.quantity(dc, "V", option="--dc"))
    return plan


def _limits(
    amplitude: str | None, dc_from_ocv: str | None, current: str | None, record: Record | None
) -> Limits | None:
    """Return the limits asked for; None, if nothing is said, for the usual ones or those of the journal."""
    from dataclasses import replace

    from instruments.limits import Limits

    in_amperes = amplitude is not None and amplitude.strip().endswith("A")
    said = (
        ("amplitude_a" if in_amperes else "amplitude_v", amplitude, "A" if in_amperes else "V", "--max-amplitude"),
        ("dc_from_ocv_v", dc_from_ocv, "V", "--max-dc-from-ocv"),
        ("current_a", current, "A", "--max-current"),
    )
    given = {
        name: None if text.strip().lower() == NO_LIMIT else _above_zero(text, unit, option)
        for name, text, unit, option in said
        if text is not None
    }
    usual = (record and record.limits) or Limits()
    return replace(usual, **given) if given else None


def _above_zero(text: str, unit: str, option: str) -> float:
    value = values.quantity(text, unit, option=option)
    if not value > 0:
        raise ConfigError(f"{text!r} is not above zero", where=option, mend=f"Write e.g. 10m{unit}, or none.")
    return value


def _option(text: str) -> tuple[str, Any]:
    """Read ``NAME=VALUE``; a value that is a number, true, false or null in JSON is that, any other is text."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals) or name in RESERVED:
        raise ConfigError(f"{text!r} is no option of a driver", where="--option", mend="Write it as NAME=VALUE.")
    try:
        return name, loads(value)
    except ValueError:
        return name, value


def _required(value: T | None, option: str) -> T:
    if value is None:
        mend = f"Give {option}, or --resume and the journal of a sweep that was cut short."
        raise ConfigError(f"{option} is missing", where="eis measure", mend=mend)
    return value


def _beside(journal: Path) -> Path | None:
    """Return the netCDF file whose journal this is, as far as its name says so."""
    return journal.with_name(journal.name.removesuffix(JOURNAL)) if journal.name.endswith(JOURNAL) else None
