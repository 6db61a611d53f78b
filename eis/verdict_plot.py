"""The verdict as a picture: every reading with its interval against the limit and its guard band."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredText
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from eis.judgement import READING_LABELS
from eis.quantities import format_uncertain, unit_text
from eis.results import Finding, Judgement, Verdict

INK, GREY = "#1a1a1a", "#6e6e6e"
VERDICT_COLOURS = {
    Verdict.PASS: "#0072b2",
    Verdict.CONDITIONAL_PASS: "#3d8fb8",
    Verdict.CONDITIONAL_FAIL: "#b06a00",
    Verdict.FAIL: "#b3400a",
}
VERDICT_MARKERS = {
    Verdict.PASS: "o",
    Verdict.CONDITIONAL_PASS: "o",
    Verdict.CONDITIONAL_FAIL: "s",
    Verdict.FAIL: "s",
}
GUARD_BAND: dict[str, Any] = {"facecolor": "#eeeeee", "edgecolor": GREY, "hatch": "////", "linewidth": 0.6}


def plot_verdict(judgement: Judgement, *, ax: Axes | None = None) -> Axes:
    """Draw each reading with its interval U = k·u against the limit and its guard band, in units of the limit.

    Findings that decide nothing (not resolved, indeterminate) are hollow and dashed, conditional ones half filled;
    the verdict stands as text at the end of each row.

    Parameters
    ----------
    judgement : Judgement
        The findings to draw, first one on top.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    Axes
        With a logarithmic axis of value / limit.
    """
    findings = judgement.findings
    ax = own_axes(7.6, 1.2 + 0.5 * max(1, len(findings))) if ax is None else ax
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    if not findings:
        ax.set_xticks([])
        return says(ax, f"{judgement.verdict}: no reading was judged")
    rows = range(len(findings) - 1, -1, -1)
    low, high = _ratio_limits(findings)
    ax.set(xscale="log", xlim=(low, high), ylim=(-0.6, len(findings) - 0.4), xlabel="value / limit")
    if high < 10 * low:
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g} ×".replace(",", "\u202f")))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.axvline(1, color=INK, linewidth=1.6, zorder=2)
    for row, finding in zip(rows, findings, strict=True):
        _draw_finding(ax, row, finding, (low, high))
    labels = [_row_label(finding) for finding in findings]
    ax.set_yticks(list(rows), labels=labels, fontsize=8.5, parse_math=False)
    ax.tick_params(axis="y", length=0, pad=9)
    ax.legend(
        handles=[
            Line2D([], [], color=INK, linewidth=1.6, label="limit"),
            Patch(label="guard band", **GUARD_BAND),
            Line2D([], [], color=INK, marker="o", linewidth=1.6, label="value ± U"),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        frameon=False,
        fontsize=8,
    )
    return ax


def own_axes(width: float, height: float) -> Axes:
    """Return axes in a figure of their own (inches), outside pyplot's care."""
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def says(ax: Axes, text: str) -> Axes:
    """Write `text` in the middle of axes that have nothing to show."""
    ax.add_artist(AnchoredText(text, loc="center", frameon=False, prop={"color": GREY, "parse_math": False}))
    return ax


def _draw_finding(ax: Axes, row: int, finding: Finding, frame: tuple[float, float]) -> None:
    colour = VERDICT_COLOURS.get(finding.verdict, "#595959")
    hollow = finding.verdict not in VERDICT_MARKERS
    (low, high), (ratio, half, accept) = frame, _ratios(finding)
    if math.isfinite(accept) and accept != 1:  # below an upper limit, above a lower one
        start, stop = sorted((max(accept, low), 1.0))
        ax.add_patch(Rectangle((start, row - 0.26), stop - start, 0.52, zorder=1, **GUARD_BAND))
    text = str(finding.verdict)
    if ratio > 0:
        if math.isfinite(half):
            ends = [max(ratio - half, low), min(ratio + half, high)]
            ax.plot(ends, [row, row], "--" if hollow else "-", color=colour, linewidth=2.2, zorder=3)
            caps = ("<" if ratio - half < low else "|", ">" if ratio + half > high else "|")
            for end, cap in zip(ends, caps, strict=True):
                ax.plot([end], [row], cap, color=colour, markersize=8, zorder=3, clip_on=False)
        ax.plot(
            [ratio],
            [row],
            VERDICT_MARKERS.get(finding.verdict, "D"),
            color=colour,
            markersize=8,
            markerfacecolor="white" if hollow else colour,
            markerfacecoloralt="white",
            fillstyle="left" if str(finding.verdict).startswith("CONDITIONAL") else "full",
            zorder=4,
        )
    else:
        text += " (no value)"
    right = ax.get_yaxis_transform()
    ax.text(1.025, row, text, transform=right, va="center", color=colour, fontsize=9, weight="bold")


def _row_label(finding: Finding) -> str:
    quantity = finding.quantity if len(finding.quantity) <= 32 else finding.quantity[:31] + "…"
    n, unit = finding.interfaces_in_path, unit_text(finding.unit)
    head = f"{quantity}: {READING_LABELS[finding.reading]}, n = {n}"
    return f"{head}\n{format_uncertain(finding.value, finding.u, unit, k=finding.k)} (k = {finding.k:g})"


def _ratios(finding: Finding) -> tuple[float, float, float]:
    """Return value, U and acceptance limit in units of the limit; NaN if the limit is no positive number."""
    limit = finding.limit if finding.limit > 0 else math.nan
    return finding.value / limit, finding.k * finding.u / limit, finding.acceptance_limit / limit


def _ratio_limits(findings: Sequence[Finding]) -> tuple[float, float]:
    """Return the x range: every value and the limit, and the intervals of findings that decide something.

    Intervals without a decision may run out of the axes (an arrow says so) if others would be squashed.
    """
    decided = [finding for finding in findings if finding.verdict in VERDICT_MARKERS]
    values = [1.0, *(_ratios(finding)[0] for finding in findings)]
    shown = [0.85, 1.2, *values]
    for finding in decided or findings:
        ratio, half, accept = _ratios(finding)
        shown += [ratio - half, ratio + half, accept]
    positive = [x for x in shown if math.isfinite(x) and x > 0]
    lowest = min(x for x in values if math.isfinite(x) and x > 0) / 30
    low, high = max(min(positive), lowest), max(positive)
    return low / (high / low) ** 0.06, high * (high / low) ** 0.06
