"""The command `eis validate`: can these spectra be trusted, and why not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eis.cli import output
from eis.cli.options import AsJson, Columns, Files, Plots, each_spectrum, make, read, save, save_figure
from eis.errors import ConfigError

if TYPE_CHECKING:
    from eis.results import Validity
    from eis.spectrum import Spectrum
    from fitting.weights import ErrorStructure


def validate(
    files: Files,
    repeat: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="The same cell measured again, e.g. the sweep back, to see drift."),
    ] = None,
    other_amplitude: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same cell at another amplitude, to see non-linearity.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.nc", help="Write mean and noise of FILE and --repeat for fit --weight variance."
        ),
    ] = None,
    current_resistor: Annotated[
        float | None, typer.Option(metavar="OHM", help="Current-measuring resistor, for the term γ of the noise.")
    ] = None,
    series_map: Annotated[
        Path | None, typer.Option("--map", metavar="PNG", help="Draw the residuals of all spectra as a map.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="temperature_c, pressure_mpa, time_s, cycle or index: the map's other axis.")
    ] = None,
    columns: Columns = None,
    plot: Plots = None,
    json: AsJson = False,
) -> None:
    """Test spectra against Kramers–Kronig: valid, suspect or invalid, and why. Exits 3 unless all are valid."""
    from eis.validation import validate as test
    from eis.zhit import zhit_of

    _agree(files, repeat, weights or current_resistor, series_map, against)
    for folder in filter(None, (plot, *(one.parent for one in (series_map, weights) if one))):
        make(folder)
    repeats = [spectrum for name in repeat or [] for spectrum in read(name, columns)]
    others = read(other_amplitude, columns) if other_amplitude else []
    seen: list[tuple[Spectrum, Validity]] = []

    def work(spectrum: Spectrum, _: output.Entry) -> tuple[output.Entry, int]:
        found = test(spectrum, repeats=repeats, other_amplitude=others[0] if others else None)
        seen.append((spectrum, found))
        modulus = zhit_of(spectrum, found)
        if plot:
            from eis.validation_plots import plot_residual_bands

            save(plot_residual_bands(found, modulus), plot, spectrum, "residuals")
        return {**found.to_dict(), "zhit": modulus.to_dict()}, 0 if found.verdict == "valid" else 3

    entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))

    def follow() -> ErrorStructure | None:
        if series_map:
            _draw_map(seen, against or "index", series_map)
        return _write_weights(seen, repeats, current_resistor, weights) if weights else None

    structure, trouble = output.attempt(follow)
    if json:
        more = {"error_structure": structure.to_dict()} if structure else {}
        output.write_document("validate", entries, trouble, **more)
    else:
        rows = [_row(entry) for entry in entries if "error" not in entry]
        if rows:
            output.table(("file", "verdict", "rms", "max", "Z-HIT", "because"), rows)
        if structure:
            output.say(f"noise of one measurement: {structure}\nwrote {weights}")
    output.leave(entries, code, trouble)


def _agree(
    files: list[str],
    repeat: list[str] | None,
    weights: Path | float | None,
    series_map: Path | None,
    against: str | None,
) -> None:
    """Refuse options that do not go together before anything is read."""
    from eis.series_axis import LABELS

    if against is not None and series_map is None:
        raise ConfigError("There is no map to draw", where="--against", mend="Give --map PNG, too.")
    if against is not None and against not in LABELS:
        raise ConfigError(f"{against!r} is not a choice", where="--against", mend=f"Choose {', '.join(LABELS)}.")
    if weights is not None and (not repeat or len(output.expand(files)) != 1):
        raise ConfigError(
            "Weights come from one measurement and its repeats",
            where="--weights",
            mend="Give one file, and each of its repeats as --repeat FILE.",
        )


def _row(entry: output.Entry) -> tuple[str, ...]:
    modulus = entry["zhit"]
    because = [*entry["because"], *([] if modulus["agrees"] else [modulus["because"]])]
    beside = math.expm1(modulus["max_deviation"])
    numbers = (f"{entry['rms_residual']:.2%}", f"{entry['max_residual']:.2%}", f"{beside:+.2%}")
    return (output.named(entry), entry["verdict"], *numbers, " ".join(because))


def _draw_map(seen: list[tuple[Spectrum, Validity]], against: str, target: Path) -> None:
    from eis.series_axis import series_axis
    from eis.validation_plots import plot_residual_map

    axis = series_axis([spectrum for spectrum, _ in seen], against)
    axes: Any = plot_residual_map([found for _, found in seen], axis)
    save_figure(axes[0].figure, target)


def _write_weights(
    seen: list[tuple[Spectrum, Validity]], repeats: list[Spectrum], r_m_ohm: float | None, target: Path
) -> ErrorStructure | None:
    """Write the mean of a measurement and its repeats with the noise they tell; None if it could not be read."""
    from eis import archive
    from fitting.weights import apply, fit_error_structure, from_repeats

    if not seen:
        return None
    spectrum, found = seen[0]
    every, drifted = [spectrum, *repeats], "drift" in found.causes
    structure = fit_error_structure(every, r_m_ohm=r_m_ohm, drift=drifted)
    make(target.parent)
    archive.write(apply(structure, from_repeats(every, drift=drifted)), target)
    return structure
