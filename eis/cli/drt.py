"""The command `eis drt`: relaxation times, their peaks, and circuits they point to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eis.cli import output, values
from eis.cli.options import AsJson, Columns, Files, Plots, each_spectrum, make, save, save_figure
from eis.errors import ConfigError

if TYPE_CHECKING:
    from eis.spectrum import Spectrum

METHODS = ("ridge", "hierarchical")
AGAINST = ("index", "temperature_c", "pressure_mpa", "time_s", "cycle")
DRAWINGS = (".png", ".svg", ".pdf")
MOST_DRAWS = 100_000
"""Draws up to which their band fits the memory of any machine."""
RULES = ("gcv", "mgcv", "rgcv", "reim", "lcurve")


def drt(
    files: Files,
    method: Annotated[str, typer.Option(help="ridge or hierarchical (each τ a smoothness of its own).")] = "ridge",
    smoothing: Annotated[
        str | None, typer.Option("--lambda", metavar="RULE|V", help="gcv, mgcv, rgcv, reim, lcurve, or a number.")
    ] = None,
    basis: Annotated[str, typer.Option(help="gaussian or linear.")] = "gaussian",
    penalty: Annotated[int, typer.Option(min=1, max=2, help="Derivative that is penalised.")] = 1,
    parts: Annotated[str, typer.Option(help="both, real or imag.")] = "both",
    draws: Annotated[
        int, typer.Option(min=0, max=MOST_DRAWS, help="Draws for the credible band; 0: Gaussian.")
    ] = 0,
    window: Annotated[
        list[str] | None, typer.Option(metavar="LO:HI", help="Resistance between two times (s).")
    ] = None,
    drawn_map: Annotated[
        Path | None, typer.Option("--map", metavar="PNG", help="Draw γ of all files over --against as one map.")
    ] = None,
    against: Annotated[
        str, typer.Option(help="temperature_c, pressure_mpa, time_s, cycle, or index: the order of the files.")
    ] = "index",
    columns: Columns = None,
    plot: Plots = None,
    json: AsJson = False,
) -> None:
    """Find relaxation times: peaks with their resistance, capacitance, and the probability that they are real."""
    from fitting.relaxation import drt as run

    options: dict[str, Any] = {
        "method": values.one_of(method, METHODS, option="--method"),
        "lambda_": _smoothing(smoothing),
        "basis": values.one_of(basis, ("gaussian", "linear"), option="--basis"),
        "penalty": penalty,
        "parts": values.one_of(parts, ("both", "real", "imag"), option="--parts"),
        "draws": draws,
    }
    windows = [_window(text) for text in window or []]
    values.one_of(against, AGAINST, option="--against")
    if drawn_map is not None and drawn_map.suffix.lower() not in DRAWINGS:
        raise ConfigError(
            f"{drawn_map} is no drawing", where="--map", mend=f"Let it end in {', '.join(DRAWINGS)}."
        )
    for folder in filter(None, (plot, drawn_map and drawn_map.parent)):
        make(folder)
    shown: list[tuple[str, Any]] = []
    measured: list[Spectrum] = []

    def work(spectrum: Spectrum, place: output.Entry) -> tuple[output.Entry, int]:
        found = run(spectrum, **options)
        entry: output.Entry = found.to_dict()
        if windows:
            sums = [(low, high, *found.resistance_between(low, high)) for low, high in windows]
            entry["windows"] = [
                dict(zip(("from_s", "to_s", "r_ohm", "u_r_ohm"), one, strict=True)) for one in sums
            ]
        shown.append((output.named(place), found))
        measured.append(spectrum)
        if plot:
            from eis.drt_plots import plot_drt

            save(plot_drt(found), plot, spectrum, "drt")
        return entry, 0

    entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))
    trouble = None
    if drawn_map is not None:
        _, trouble = output.attempt(lambda: _draw_map([found for _, found in shown], measured, against, drawn_map))
    if json:
        output.write_document("drt", entries, trouble)
    else:
        _show(shown, windows)
    output.leave(entries, code, trouble)


def _draw_map(series: list[Any], measured: list[Spectrum], against: str, path: Path) -> None:
    from eis.drt_plots import plot_drt_map
    from eis.drt_series import AGAINST, places_of

    drawn: Any = plot_drt_map(series, places_of(measured, against), label=AGAINST[against][0])
    save_figure(drawn.figure, path)


def _show(shown: list[tuple[str, Any]], windows: list[tuple[float, float]]) -> None:
    from eis.quantities import format_si, format_uncertain

    for name, found in shown:
        output.say(
            f"{name}: R∞ {format_uncertain(found.r_inf_ohm, found.u_r_inf_ohm, 'Ω')}, "
            f"∫γ {format_uncertain(found.r_pol_ohm, found.u_r_pol_ohm, 'Ω')} "
            f"({found.method}, λ {found.lambda_:.2g} by {found.lambda_rule}; ± is U, k = 2)"
        )
        rows = [
            (
                format_si(peak.tau_s, "s", digits=3),
                format_si(peak.f_hz, "Hz", digits=3),
                format_uncertain(peak.r_ohm, peak.u_r_ohm, "Ω"),
                format_uncertain(peak.c_f, peak.u_c_f, "F"),
                f"{peak.probability:.2g}",
                "yes" if peak.separable else "NO",
            )
            for peak in found.peaks
        ]
        if rows:
            output.table(("τ", "f", "R", "C", "p(real)", "separable"), rows)
        for low, high in windows:
            r, u = found.resistance_between(low, high)
            window = f"{format_si(low, 's')} to {format_si(high, 's')}"
            output.say(f"  {window}: {format_uncertain(r, u, 'Ω')}")
        for suggestion in found.suggest()[:1]:
            output.say(f"  circuit to try: {suggestion.circuit} ({suggestion.because})")
        for text in found.because:
            output.say(f"  note: {text}")


def _smoothing(text: str | None) -> float | str | None:
    if text is None or text in RULES:
        return text
    try:
        if math.isfinite(value := float(text)) and value > 0:
            return value
        raise ValueError
    except ValueError:
        raise ConfigError(
            f"{text!r} is no strength of smoothing",
            where="--lambda",
            mend=f"Choose {', '.join(RULES)}, or a number above zero.",
        ) from None


def _window(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise ConfigError(
            f"{text!r} is no window of time constants",
            where="--window",
            mend="Write e.g. --window 1e-5:1e-2 (seconds).",
        ) from None
    if not 0 <= low < high:
        raise ConfigError(f"The window {text} is empty", where="--window", mend="Give the shorter time first.")
    return low, high
