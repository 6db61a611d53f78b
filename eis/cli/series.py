"""The command `eis series`: one number of many spectra over temperature, pressure, thickness or time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eis.cli import output, values
from eis.cli.options import (
    WEIGHTS,
    AsJson,
    Columns,
    Files,
    Weight,
    announce_compiling,
    each_spectrum,
    make,
    save_figure,
)
from eis.errors import ConfigError, EisError

if TYPE_CHECKING:
    from eis.results import Fit
    from eis.series import Quantity
    from eis.series_law import Form, Law
    from eis.series_points import Coordinate
    from eis.spectrum import Spectrum

AGAINST: tuple[Coordinate, ...] = ("temperature_c", "pressure_mpa", "thickness_cm", "time_s")
FORMS: tuple[Form, ...] = ("sigma_t", "sigma")


def series(
    files: Files,
    circuit: Annotated[str, typer.Option(help="e.g. 'L0-R0-p(R1,CPE1)-CPE2'")],
    element: Annotated[str, typer.Option(help="The resistance in question, R1, or a sum of some, R0+R1.")],
    against: Annotated[str, typer.Option(help="temperature_c, pressure_mpa, thickness_cm or time_s.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="v1,v2,…", help="Its value for each file in order, if the files do not say."),
    ] = None,
    area: Annotated[float | None, typer.Option(metavar="CM2", help="Area of one electrode (cm²).")] = None,
    u_area: Annotated[float, typer.Option(min=0, metavar="CM2", help="Its standard uncertainty (cm²).")] = 0.0,
    interfaces: Annotated[
        int | None, typer.Option(help="Interfaces in the path: symmetric 2, half cell 1.")
    ] = None,
    thickness: Annotated[
        float | None, typer.Option(metavar="CM", help="Electrolyte thickness (cm), for a conductivity.")
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="asr, resistance or conductivity; by what is known if left out.")
    ] = None,
    form: Annotated[
        str, typer.Option(help="Of a conductivity over temperature: sigma_t (ln σT) or sigma (ln σ).")
    ] = "sigma_t",
    u_at: Annotated[
        float, typer.Option(min=0, metavar="U", help="Standard uncertainty of each value of --against.")
    ] = 0.0,
    predict: Annotated[
        list[float] | None, typer.Option(metavar="V", help="Say what the law gives at another place.")
    ] = None,
    hot: Annotated[bool, typer.Option("--hot", help="Temperatures all above 200 °C are meant.")] = False,
    weight: Weight = "modulus",
    columns: Columns = None,
    plot: Annotated[Path | None, typer.Option(metavar="DIR", help="Write series.png to DIR.")] = None,
    json: AsJson = False,
) -> None:
    """Fit every spectrum and find the law of a series: activation energy, pressure exponent, intercept, drift."""
    from fitting.circuit import parse
    from fitting.cnls import fit

    over = values.one_of(against, AGAINST, option="--against") or "temperature_c"
    kind = _quantity(quantity, over, area, interfaces, thickness)
    names = [name.strip() for name in element.split("+")]
    parsed = parse(circuit)
    for name in names:
        if name not in parsed.names:
            raise ConfigError(
                f"The circuit has no parameter {name!r}",
                where="--element",
                mend=f"It has {', '.join(parsed.names)}.",
            )
    chosen = values.one_of(weight, WEIGHTS, option="--weight") or "modulus"
    given = values.numbers(at, option="--at")
    if plot:
        make(plot)
    announce_compiling()
    fitted: list[tuple[Spectrum, Fit]] = []

    def work(spectrum: Spectrum, _: output.Entry) -> tuple[output.Entry, int]:
        found = fit(parsed, spectrum, weight=chosen)
        r, u = _sum(found, names)
        fitted.append((spectrum, found))
        return {"r_ohm": r, "u_r_ohm": u if math.isfinite(u) else None}, 0 if found.converged else 4

    entries, code = output.each(files, lambda name: each_spectrum(name, columns, work))
    try:
        places = _places(_without_failed(given, entries), over, [spectrum for spectrum, _ in fitted])
        law = _law(
            over, places, [_sum(found, names) for _, found in fitted], kind=kind, form=form, area=area,
            u_area=u_area, interfaces=interfaces, thickness=thickness, u_at=u_at, hot=hot,
        )  # fmt: skip
        predictions = [(place, law.predict(place), law.extrapolates(place)) for place in predict or []]
    except EisError as error:
        if json:  # with what was fitted all the same
            output.write_document("series", entries, error)
            output.leave(entries, code, error)
        output.show_errors(entries)
        raise
    for entry, place in zip((entry for entry in entries if "error" not in entry), places, strict=True):
        entry[over] = place
    trouble = None
    if plot is not None:
        from eis.series_plots import plot_law

        drawn = plot / "series.png"
        _, trouble = output.attempt(lambda: save_figure(plot_law(law).figure, drawn))
    if json:
        shown = [{**one.to_dict(), over: place, "extrapolates": beyond} for place, one, beyond in predictions]
        output.write_document("series", entries, trouble, law=law.to_dict(), predictions=shown)
    else:
        read = [entry for entry in entries if "error" not in entry]
        rows = [(output.named(e), f"{e[over]:g}", _ohm(e["r_ohm"], e["u_r_ohm"])) for e in read]
        output.table(("file", over, element), rows)
        output.say(str(law))
        for _, one, beyond in predictions:
            output.say(f"  {one}{' (extrapolated)' if beyond else ''}")
    output.leave(entries, code, trouble)


def _without_failed(given: list[float] | None, entries: Sequence[output.Entry]) -> list[float] | None:
    """Return the values of spectra that were fitted, if there is one for each of the others too."""
    if given is None or len(given) != len(entries):
        return given
    return [value for value, entry in zip(given, entries, strict=True) if "error" not in entry]


def _quantity(
    text: str | None, over: Coordinate, area: float | None, interfaces: int | None, thickness: float | None
) -> Quantity:
    """Return what the resistances are turned into; refuse what the given numbers do not allow."""
    from eis.series import QUANTITIES

    chosen = values.one_of(text, tuple(QUANTITIES), option="--quantity")
    if chosen is None and over != "thickness_cm":
        chosen = "resistance" if area is None else "conductivity" if thickness is not None else "asr"
    needs = {"asr": ("--area", "--interfaces"), "conductivity": ("--area", "--thickness"), "resistance": ()}
    wanted = ("--area", "--interfaces") if over == "thickness_cm" else needs[chosen or "asr"]
    given = {"--area": area, "--interfaces": interfaces, "--thickness": thickness}
    missing = [name for name in wanted if given[name] is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            where=missing[0],
            mend="Areas in cm², thicknesses in cm; 2 interfaces in a symmetric cell, 1 in a half cell.",
        )
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name} is {value:g}", where=name, mend="Give a number above zero.")
    return chosen or "asr"


def _sum(found: Fit, names: Sequence[str]) -> tuple[float, float]:
    """Return a sum of resistances (Ω) and its standard uncertainty, correlation included."""
    total = sum(found.value(name) for name in names)
    return total, math.sqrt(max(float(found.covariance_of(names).sum()), 0.0))


def _places(given: list[float] | None, over: Coordinate, spectra: Sequence[Spectrum]) -> list[float]:
    """Return where each spectrum stands: as given, by its metadata, or by the mean of its column."""
    if given is not None:
        if len(given) != len(spectra):
            raise ConfigError(
                f"There are {len(given)} values and {len(spectra)} spectra",
                where="--at",
                mend="Give one for each spectrum, in order.",
            )
        return given
    out = []
    for spectrum in spectra:
        value = spectrum.metadata.get(over)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            column = (
                spectrum.columns.get(over) if over != "time_s" else None
            )  # a column of time is that of the sweep
            value = float(column[spectrum.used].mean()) if column is not None else math.nan
        if not math.isfinite(value):
            raise ConfigError(
                f"{spectrum.name} does not say its {over}",
                where="--at",
                mend="Give one for each file: --at v1,v2,…",
            )
        out.append(float(value))
    return out


def _law(
    over: Coordinate,
    places: list[float],
    resistances: list[tuple[float, float]],
    *,
    kind: Quantity,
    form: str,
    area: float | None,
    u_area: float,
    interfaces: int | None,
    thickness: float | None,
    u_at: float,
    hot: bool,
) -> Law:
    from eis.series import arrhenius, growth, pressure_law, thickness_line

    r = [value for value, _ in resistances]
    u = [size for _, size in resistances]
    sizes = u if all(math.isfinite(size) and size > 0 for size in u) else None
    if over == "thickness_cm":
        return thickness_line(
            places, r, area_cm2=area or 1.0, interfaces_in_path=interfaces or 1, u=sizes,
            u_thickness_cm=u_at or None, u_area_cm2=u_area,
        )  # fmt: skip
    factor = 1.0 if kind == "resistance" else (area or 1.0) / (interfaces or 1)
    if kind == "conductivity":
        found = [(thickness or 1.0) / ((area or 1.0) * value) if value > 0 else math.nan for value in r]
    else:
        found = [factor * value for value in r]
    scaled = None if sizes is None else [s / v * x for s, v, x in zip(sizes, r, found, strict=True)]
    if over == "temperature_c":
        law_form = kind if kind != "conductivity" else values.one_of(form, FORMS, option="--form") or "sigma_t"
        return arrhenius(places, found, form=law_form, u=scaled, u_temperature_c=u_at or None, hot=hot)
    if over == "pressure_mpa":
        return pressure_law(places, found, quantity=kind, u=scaled, u_pressure_mpa=u_at or None)
    return growth(places, found, quantity=kind, u=scaled)


def _ohm(r: float, u: float | None) -> str:
    from eis.quantities import format_uncertain

    return format_uncertain(r, math.nan if u is None else u, "Ω")
