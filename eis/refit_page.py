"""The summary page of a re-fitted archive: maps of resistances, activation energies, failures, suspicious fits."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eis.document import VERSION
from eis.errors import ConfigError, StoreError
from eis.quantities import format_si, format_uncertain
from eis.refit import table
from eis.verdict_plot import GREY, INK, own_axes, says

if TYPE_CHECKING:
    import pandas as pd

KB_EV_K = 8.617333262e-5
ZERO_C_IN_K = 273.15
MOST_LISTED = 50
MANY = 300
"""Spectra from which dots are drawn small, and counts from which they are drawn as logarithms."""
MOST_POINTS = 20_000
"""Points a drawing shows; of more, every n-th is drawn, and the page says so."""
ORDER = ("temperature_c", "cycle", "time_s", "soc_percent", "pressure_mpa", "index")
"""Coordinates a map is drawn against, the first that takes several values."""


@dataclass(frozen=True, slots=True)
class ActivationEnergy:
    """Of one series: E_a (eV) of ln(1/R) against 1/T, its standard uncertainty, and the number of temperatures."""

    series: str
    energy_ev: float
    u_energy_ev: float
    n: int


def write_page(path: Path, page: Path, *, area_cm2: float | None = None, circuit: str = "") -> Path:
    """Write one self-contained HTML page about a table that `refit` wrote.

    Parameters
    ----------
    path : Path
        The table, or the folder of its parts.
    page : Path
        File to write.
    area_cm2 : float, optional
        Electrode area (cm²); with it the maps show R·A instead of R.
    circuit : str
        What was fitted, to be said on the page.

    Returns
    -------
    Path
        `page`.

    Raises
    ------
    ConfigError
        If the area is not above zero.
    StoreError
        If the table cannot be read or the page cannot be written.
    """
    if area_cm2 is not None and not 0 < area_cm2 < 1e4:
        raise ConfigError(f"The area is {area_cm2:g}", where="--area", mend="Give the electrode area in cm².")
    frame = table(path)
    fitted = frame[frame["error"].isna()]
    resistances = [name for name in frame if re.fullmatch(r"R\d+", name) and f"u_{name}" in frame]
    axes = {name: plot_map(fitted, name, area_cm2=area_cm2) for name in resistances}
    energies = {name: found for name in resistances if (found := activation_energies(fitted, name))}
    if len(fitted):
        axes["χ²"] = _plot_histogram(fitted)
    environment = Environment(
        loader=PackageLoader("eis"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("refit.html.j2").render(
        title=path.name,
        version=VERSION,
        circuit=circuit,
        rows=len(frame),
        spectra=len(fitted),
        failed=_listed(frame[frame["error"].notna()], "error"),
        n_failed=int(frame["error"].notna().sum()),
        suspicious=_listed(fitted[fitted["suspicious"].astype(bool)], "reduced_chi2"),
        n_suspicious=int(fitted["suspicious"].astype(bool).sum()),
        thinned=len(fitted) > MOST_POINTS,
        drawings={name: _svg(drawn, f"map{i}") for i, (name, drawn) in enumerate(axes.items())},
        energies={name: [_said(one) for one in found[:MOST_LISTED]] for name, found in energies.items()},
        overall={name: _over(found) for name, found in energies.items()},
        quantiles=[(name, *_quantiles(fitted[name])) for name in resistances],
    )
    try:
        page.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(
            f"The page cannot be written: {error.strerror}", where=str(page), mend="Choose another file."
        ) from error
    return page


def plot_map(frame: pd.DataFrame, name: str, *, area_cm2: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw a resistance of every spectrum against the first coordinate that varies; suspicious ones hollow.

    Parameters
    ----------
    frame : DataFrame
        Rows of a table of `refit` that were fitted.
    name : str
        The resistance, e.g. ``"R2"``.
    area_cm2 : float, optional
        Electrode area (cm²); with it R·A is drawn.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.
    """
    ax = own_axes(5.2, 3.2) if ax is None else ax
    shown = frame.iloc[:: max(1, -(-len(frame) // MOST_POINTS))]
    if not len(shown):
        return says(ax, "no spectrum was fitted")
    along = next((one for one in ORDER if _varies(shown, f"at_{one}")), "row")
    x = shown[f"at_{along}"].to_numpy() if along != "row" else shown.index.to_numpy()
    y = shown[name].to_numpy() * (area_cm2 or 1.0)
    odd = shown["suspicious"].to_numpy(dtype=bool)
    size = 3 if len(shown) > MANY else 7
    ax.plot(x[~odd], y[~odd], ".", color=INK, markersize=size, alpha=0.6, rasterized=True)
    ax.plot(x[odd], y[odd], "o", color="#b3400a", markersize=5, fillstyle="none", label="suspicious")
    if odd.any():
        ax.legend(frameon=False, fontsize=8)
    if (y > 0).all() and y.max() > 5 * y.min():
        ax.set_yscale("log")
    else:
        ax.ticklabel_format(axis="y", useOffset=False)  # 9.995 and not −0.005 beside "+1e1"
    quantity = f"{name}·A / Ω·cm²" if area_cm2 else f"{name} / Ω"
    ax.set(xlabel=along.replace("_c", " / °C") if along == "temperature_c" else along, ylabel=quantity)
    return ax


def activation_energies(frame: pd.DataFrame, name: str) -> list[ActivationEnergy]:
    r"""Return E_a of every series of three temperatures or more, weighted by the fits' own uncertainties.

    .. math:: \ln(1/R) = \text{const} - E_a / (k_B T)

    Series are told apart by ``at_cell``, or by file if there is none; suspicious fits and those without an
    uncertainty are left out.
    """
    if "at_temperature_c" not in frame:
        return []
    u = frame[f"u_{name}"] / frame[name]
    good = frame[
        (frame[name] > 0) & (u > 0) & ~frame["suspicious"].astype(bool) & frame["at_temperature_c"].notna()
    ]
    found = []
    for series, group in good.groupby("at_cell" if "at_cell" in frame else "file", sort=True):
        x = 1 / (KB_EV_K * (group["at_temperature_c"].to_numpy() + ZERO_C_IN_K))
        if np.unique(x).size < 3:
            continue
        y, w = -np.log(group[name].to_numpy()), (group[name] / group[f"u_{name}"]).to_numpy() ** 2
        centred = x - np.average(x, weights=w)
        slope = float(np.sum(w * centred * y) / np.sum(w * centred**2))
        residual = y - np.average(y, weights=w) - slope * centred
        scatter = float(np.sum(w * residual**2) / max(x.size - 2, 1))
        u_slope = float(np.sqrt(max(scatter, 1.0) / np.sum(w * centred**2)))
        found.append(ActivationEnergy(str(series), -slope, u_slope, int(np.unique(x).size)))
    return found


def _varies(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and frame[column].dtype.kind in "if" and frame[column].nunique() > 1


def _plot_histogram(frame: pd.DataFrame) -> Axes:
    ax = own_axes(5.2, 3.2)
    values = frame["reduced_chi2"].to_numpy()
    values = values[values > 0]
    if not values.size:
        return says(ax, "no spectrum was fitted")
    low, high = values.min() / 1.5, values.max() * 1.5
    n_bins = int(np.clip(2 * np.sqrt(values.size), 12, 60))
    counts, *_ = ax.hist(values, bins=list(np.geomspace(low, high, n_bins)), color=GREY)
    ax.set(xscale="log", xlabel="reduced χ²", ylabel="spectra")
    if np.max(counts) > MANY:
        ax.set_yscale("log")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def _quantiles(values: pd.Series[Any]) -> tuple[str, ...]:
    found = values.quantile([0.05, 0.5, 0.95]) if len(values) else [float("nan")] * 3
    return tuple(format_si(float(value), "Ω") for value in found)


def _listed(frame: pd.DataFrame, reason: str) -> list[tuple[str, str, str]]:
    shown = frame.iloc[:MOST_LISTED]
    return [
        (str(file), str(index), f"{why:.3g}" if isinstance(why, float) else str(why))
        for file, index, why in zip(shown["file"], shown["index"], shown[reason], strict=True)
    ]


def _said(one: ActivationEnergy) -> tuple[str, str, str]:
    return one.series, format_uncertain(one.energy_ev, one.u_energy_ev, "eV"), str(one.n)


def _over(found: list[ActivationEnergy]) -> str:
    values = np.array([one.energy_ev for one in found])
    low, high = values.min(), values.max()
    return f"median {np.median(values):.3f} eV over {values.size} series, from {low:.3f} to {high:.3f} eV"


def _svg(axes: Axes, salt: str) -> Markup:
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        axes.figure.canvas.figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    text = out.getvalue()
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{salt}-", text[text.index("<svg") :])
    return Markup(text)  # noqa: S704 - matplotlib escapes the text it draws # nosec B704
