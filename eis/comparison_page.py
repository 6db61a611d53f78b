"""A comparison as one self-contained HTML page, and everything about it as files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from eis.comparison import Comparison
from eis.comparison_plots import (
    plot_activation,
    plot_cell,
    plot_covariation,
    plot_effects,
    plot_modulus,
    plot_slopes,
)
from eis.document import VERSION, document
from eis.errors import StoreError
from eis.filling_conclusion import Finding
from eis.filling_plots import plot_fill_fraction
from eis.report import UNPRINTABLE
from eis.spectrum import Spectrum

SHOWN_CELLS = 2
"""Spectra of an arm that are drawn: its typical cell, and the one farthest from it."""
MOST_ARMS = 6
"""Arms whose spectra are drawn."""
FILES = ("result.json", "report.txt", "report.html", "changes.csv")
GOOD = (Finding.FILLED, Finding.IMPROVED)
SOURCES = (
    ("Difference of two means", "B. L. Welch, Biometrika 34 (1947) 28", "10.1093/biomet/34.1-2.28"),
    ("Several arms", "C. W. Dunnett, J. Am. Stat. Assoc. 50 (1955) 1096", "10.1080/01621459.1955.10501294"),
    ("Several quantities", "S. Holm, Scand. J. Stat. 6 (1979) 65", ""),
    ("No change", "D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657", "10.1007/BF01068419"),
    ("Outlying cells", "F. E. Grubbs, Ann. Math. Stat. 21 (1950) 27", "10.1214/aoms/1177729885"),
    ("Effective medium", "D. A. G. Bruggeman, Ann. Phys. 416 (1935) 636", "10.1002/andp.19354160705"),
    ("Intervals of the fill fractions", "JCGM 101:2008", "10.59161/JCGM101-2008"),
    ("Losses by phase", "D. J. Bergman, Phys. Rep. 43 (1978) 377", "10.1016/0370-1573(78)90009-1"),
)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A drawing and what it says beneath."""

    svg: Markup
    caption: str


def render_comparison(
    comparison: Comparison, spectra: Mapping[str, tuple[Spectrum, Spectrum]] | None = None
) -> str:
    """Return one HTML page that needs nothing from elsewhere: no script, no request, ready to print.

    Parameters
    ----------
    comparison : Comparison
        As `eis.filling.compare` returns it.
    spectra : mapping of str to (before, after), optional
        By cell, for the Nyquist plots; the typical cell of each arm and the one farthest from it are drawn.
    """
    environment = Environment(
        loader=PackageLoader("eis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    with matplotlib.rc_context():  # the reader's own style must not change the page
        matplotlib.rcdefaults()
        drawings = _drawings(comparison)
        cells = _nyquist(comparison, spectra or {})
    finding = comparison.conclusion.finding
    page = environment.get_template("compare.html.j2").render(
        comparison=comparison,
        title=" ".join(comparison.experiment.title.split()) or "Porosity-filling experiment",
        colour="good" if finding in GOOD else "bad" if finding is Finding.WORSE else "open",
        drawings=drawings,
        cells=cells,
        version=VERSION,
        sources=SOURCES,
    )
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), page)


def write_comparison(
    comparison: Comparison, folder: Path, spectra: Mapping[str, tuple[Spectrum, Spectrum]] | None = None
) -> tuple[Path, ...]:
    """Write ``result.json``, ``report.txt``, ``report.html`` and ``changes.csv``, a row per quantity of a cell.

    Parameters
    ----------
    comparison, spectra
        As in `render_comparison`.
    folder : Path
        Where to write; it exists.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    if not folder.is_dir():
        raise StoreError("There is no such folder", where=str(folder), mend="Make it, or choose another.")
    entry = document("compare", [comparison.to_dict()])
    texts = (
        json.dumps(entry, ensure_ascii=False, allow_nan=False, indent=1) + "\n",
        f"{comparison}\n",
        render_comparison(comparison, spectra),
        comparison.to_dataframe().to_csv(index=False, lineterminator="\n"),
    )
    paths = tuple(folder / name for name in FILES)
    for path, text in zip(paths, texts, strict=True):
        try:
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise StoreError(
                f"The file cannot be written: {error.strerror}", where=str(path), mend="Choose another folder."
            ) from error
    return paths


def _drawings(comparison: Comparison) -> dict[str, list[_Drawing]]:
    first = [_drawn(plot_effects(comparison), "effects", "Each quantity of each arm against the control.")]
    fill = comparison.fill
    if fill is not None and fill.mode == "infiltrated":  # in the other mode none of the three is defined
        said = "How far pores are filled by mass, by geometry and by conductivity; ticks: other media."
        first.append(_drawn(plot_fill_fraction(fill), "fill", said))
    slopes = [
        _drawn(plot_slopes(comparison, quantity), f"slopes{i}", f"{quantity}: each line is a cell.")
        for i, quantity in enumerate(comparison.arms)
    ]
    causes = []
    if comparison.capacitances:
        said = "R and C of each interface: contact area against kinetics; cross: mean of the treated, k = 2."
        causes.append(_drawn(plot_covariation(comparison), "covariation", said))
    if comparison.modulus is not None:
        said = "|Z| of the treated cells against the control at each frequency, without any circuit."
        slopes.append(_drawn(plot_modulus(comparison.modulus), "modulus", said))
    for i, quantity in enumerate(name for name, one in comparison.energies.items() if one.change):
        said = f"{quantity} over temperature, means of each arm: before (broken), after (full line)."
        causes.append(_drawn(plot_activation(comparison, quantity), f"activation{i}", said))
    return {"first": first, "slopes": slopes, "causes": causes}


def _nyquist(comparison: Comparison, spectra: Mapping[str, tuple[Spectrum, Spectrum]]) -> list[_Drawing]:
    """Draw of each arm the cell nearest to the middle of its ratios, and the farthest."""
    drawn = []
    area = {cell.id: cell.area_cm2 for cell in comparison.experiment.cells}
    for i, arm in enumerate(comparison.arms.get(comparison.quantity, ())[:MOST_ARMS]):
        ratios = sorted(zip(arm.log_ratios, arm.cells, strict=True))
        middle = ratios[len(ratios) // 2][0]
        order = [cell for _, cell in sorted((abs(d - middle), cell) for d, cell in ratios) if cell in spectra]
        for j, cell in enumerate(dict.fromkeys([*order[:1], *order[-1:]])):
            said = f"{cell} ({arm.name}): {'near the middle of its arm' if j == 0 else 'the farthest from it'}."
            axes = plot_cell(*spectra[cell], name=cell, area_cm2=area[cell])
            drawn.append(_drawn(axes, f"cell{i}{j}", said))
    return drawn


def _drawn(axes: Axes, salt: str, caption: str) -> _Drawing:
    """Return a drawing as inline SVG: text as text, ids of its own, the same bytes every time."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt, "svg.fonttype": "none"}):
        axes.figure.canvas.figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    text = out.getvalue()
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{salt}-", text[text.index("<svg") :])
    return _Drawing(Markup(text), caption)  # noqa: S704 - matplotlib escapes the text it draws # nosec B704
