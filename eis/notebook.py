"""What records show of themselves in a notebook: a small table and a drawing, as plain HTML and SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["escape", "nyquist_svg", "table"]


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table; every cell is escaped."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def nyquist_svg(z_ohm: NDArray[np.complex128], *, line_ohm: NDArray[np.complex128] | None = None) -> str:
    """Draw −Z″ over Z′ to equal scale, points as dots and `line_ohm` (a fit) as a line."""
    width, height, edge = 300.0, 180.0, 12.0
    everything = z_ohm if line_ohm is None else np.concatenate([z_ohm, line_ohm])
    left, top = everything.real.min(), (-everything.imag).max()
    span_x, span_y = np.ptp(everything.real), np.ptp(everything.imag)
    scale = min((width - 2 * edge) / max(span_x, 1e-300), (height - 2 * edge) / max(span_y, 1e-300))

    def place(z: complex) -> tuple[float, float]:
        return edge + (z.real - left) * scale, edge + (top + z.imag) * scale

    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in map(place, z_ohm))
    fitted = ""
    if line_ohm is not None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, line_ohm))
        fitted = f'<polyline points="{path}" fill="none" stroke="#c0392b" stroke-width="1.5"/>'
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" role="img" aria-label="Nyquist plot" '
        f'style="background:#fff;border:1px solid #ccc"><g fill="#1f4e79">{dots}</g>{fitted}</svg>'
    )
