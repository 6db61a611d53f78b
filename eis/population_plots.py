"""A lot of cells as a picture: every value with its interval, the limit, and the tolerance bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from eis.errors import ConfigError
from eis.population import Population
from eis.quantities import format_si
from eis.verdict_plot import GREY, INK, own_axes

WITHIN, BEYOND = "#0072b2", "#b3400a"


def plot_lot(
    values: ArrayLike,
    found: Population,
    *,
    u: ArrayLike | None = None,
    k: float = 2.0,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each cell's value with U = k·u over its place in the lot, against the limit and the tolerance bound.

    Cells within the limit are discs, those beyond it squares.

    Parameters
    ----------
    values : array_like, shape (n,)
        In the unit of `found`.
    found : Population
        The statement about the lot.
    u : array_like, shape (n,), optional
        Standard uncertainties.
    k : float
        Coverage factor of the intervals.
    names : sequence of str, optional
        One per cell; numbers without them.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        With a logarithmic axis of the value.

    Raises
    ------
    ConfigError
        If `u` or `names` has another length than `values`.
    """
    y = np.asarray(values, dtype=float)
    spread = np.zeros(y.size) if u is None else k * np.asarray(u, dtype=float)
    if spread.shape != y.shape or (names is not None and len(names) != y.size):
        raise ConfigError("u and names go with one value each", where="plot_lot", mend=f"Give {y.size} of them.")
    ax = own_axes(max(5.0, 1.8 + 0.32 * y.size), 3.6) if ax is None else ax
    place = np.arange(1, y.size + 1)
    within = y <= found.limit
    for mask, marker, colour in ((within, "o", WITHIN), (~within, "s", BEYOND)):
        if mask.any():
            low = np.minimum(spread[mask], 0.9 * y[mask])  # a logarithmic axis has no zero
            bars = [low, spread[mask]] if u is not None else None
            ax.errorbar(
                place[mask], y[mask], bars, fmt=marker, color=colour, markersize=5.5, capsize=2.5, linewidth=1.2
            )
    ax.set_yscale("log")
    edges = [*(y - np.minimum(spread, 0.9 * y)), *(y + spread), found.limit]
    edges += [found.bound] if np.isfinite(found.bound) else []
    ax.set(xlim=(0.3, y.size + 0.7), ylim=(min(edges) / 1.15, max(edges) * 1.25))
    ax.axhline(found.limit, color=INK, linewidth=1.6)
    above = not found.bound > found.limit
    _label(ax, found.limit, f"limit\n{format_si(found.limit, found.unit)}", INK, above=above)
    if np.isfinite(found.bound):
        ax.axhline(found.bound, color=GREY, linewidth=1.4, linestyle="--")
        share, sure = f"{100 * found.proportion:.3g} %", f"{100 * found.confidence:.3g} %"
        text = f"{share} of all cells\nbelow {format_si(found.bound, found.unit)}\n({sure} confidence)"
        _label(ax, found.bound, text, "#4d4d4d", above=not above)
    if names is None:
        ax.set_xlabel("cell")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ax.set_xticks(place, labels=names, rotation=60, ha="right", fontsize=8, parse_math=False)
    formatter = FuncFormatter(lambda v, _: format_si(v, found.unit, digits=3))
    ax.yaxis.set_major_formatter(formatter)
    ax.yaxis.set_minor_formatter(formatter if max(edges) < 5 * min(edges) else NullFormatter())
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    title = f"{found.verdict}: {found.n} cells"
    ax.set_title(title + (f", {found.n_left_out} without a value" if found.n_left_out else ""), fontsize=10)
    return ax


def _label(ax: Axes, at: float, text: str, colour: str, *, above: bool) -> None:
    """Write beside the axes, from the line upwards or downwards, so that two lines do not share a place."""
    ax.annotate(
        text,
        (1.0, at),
        xycoords=ax.get_yaxis_transform(),
        xytext=(5, -4 if above else 4),
        textcoords="offset points",
        ha="left",
        va="bottom" if above else "top",
        fontsize=8,
        color=colour,
        parse_math=False,
    )
