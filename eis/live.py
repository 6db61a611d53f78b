"""A spectrum while it is being measured: drawn in the terminal point by point, in a window, or saved at the end.

Nothing here can end a measurement: what cannot be drawn or checked is left out.
"""

from __future__ import annotations

import contextlib
import math
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from eis.quantities import format_si
from eis.spectrum import EXCLUDING, Quality, Spectrum
from eis.steadiness import DRIFT_LIMIT, relative_change
from eis.terminal_plot import FLAGGED, NEWEST, modulus_lines, nyquist_lines, scaled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.live import Live as Screen
    from rich.text import Text

NARROW, WIDE, WIDEST = 46, 92, 120
"""Columns of a terminal: below the first nothing is drawn, from the second two drawings, the third is the most."""
MOST_LINES = 20
"""Lines of everything together; warnings that do not fit are left out."""
CHECKED_FROM = 12
"""Points from which Kramers–Kronig consistency is checked."""
CHECK_SHARE = 0.1
"""The share of the time that checks may take."""
REDRAW_S = 0.08
"""The shortest time between two drawings in the terminal (s)."""
REDRAW_WINDOW_S = 0.7


class Live:
    """What is shown of a measurement while it runs; used in a ``with`` statement.

    The terminal (standard error: standard output stays clean) shows −Z″ over Z′ to equal scale and the size of Z
    over frequency. Nothing is shown if it is not a terminal; warnings are collected in any case.

    Parameters
    ----------
    title : str, optional
        What is being measured.
    n_points : int, optional
        How many points there will be.
    plot : path, optional
        Also draw with matplotlib: in a window where there is a screen; saved to this file at the end in any case.
    console : rich Console, optional
        Where to draw.
    """

    def __init__(
        self,
        title: str = "",
        *,
        n_points: int | None = None,
        plot: str | Path | None = None,
        console: Console | None = None,
    ) -> None:
        self.title = title
        self._n_points = n_points
        self._plot = None if plot is None else Path(plot)
        self._console = console
        self._frequency_hz: list[float] = []
        self._z_ohm: list[complex] = []
        self._quality: list[int] = []
        self._screen: Screen | None = None
        self._figure: Figure | None = None
        self._inconsistent = ""
        self._failed = ""
        self._check_at = self._draw_at = self._draw_window_at = -math.inf

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live as Screen

        console = self._console = self._console or Console(stderr=True)
        if (
            console.is_terminal
            and not console.is_dumb_terminal
            and "utf" in console.encoding.lower()
            and console.width >= NARROW
        ):
            self._screen = Screen(
                console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
            )
            self._screen.start()
        if self._plot is not None:
            self._guarded(self._open_figure)
        return self

    def __exit__(self, *_: object) -> None:
        self._guarded(self._check)
        self._guarded(self._draw)
        if self._screen is not None:
            self._screen.stop()
            self._screen = None
        if self._plot is not None and self._frequency_hz:
            self._guarded(self._save)

    def add(self, frequency_hz: float, z_ohm: complex, quality: int = Quality.OK) -> None:
        """Show one more point.

        Parameters
        ----------
        frequency_hz : float
            Its frequency (Hz); one that was there before is taken as a check of drift.
        z_ohm : complex
            Its impedance (ohm), capacitive Z″ < 0; may be NaN.
        quality : Quality, optional
            Its flags.
        """
        self._frequency_hz.append(float(frequency_hz))
        self._z_ohm.append(complex(z_ohm))
        self._quality.append(int(quality))
        began = time.monotonic()
        if began >= self._check_at:
            self._guarded(self._check)
            self._check_at = time.monotonic() + (time.monotonic() - began) / CHECK_SHARE
        if began >= self._draw_at:
            self._guarded(self._draw)
            self._draw_at = time.monotonic() + REDRAW_S
        if self._figure is not None and began >= self._draw_window_at:
            self._guarded(self._draw_window)
            self._draw_window_at = time.monotonic() + REDRAW_WINDOW_S

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said about the points so far, one sentence each."""
        found = [self._drifted(), self._inconsistent, *self._flagged(), self._failed]
        return tuple(text for text in found if text)

    def lines(self, width: int = WIDE) -> list[str]:
        """Return what the terminal shows, at most 20 lines of `width` columns, as plain text."""
        width = min(width, WIDEST)
        if not self._z_ohm:
            return [self._head(width)]
        f, z = np.array(self._frequency_hz), np.array(self._z_ohm, dtype=np.complex128)
        excluded = (np.array(self._quality, dtype=np.int64) & int(EXCLUDING)) != 0
        left = width if width < WIDE else int(width * 0.56)
        drawing = nyquist_lines(z, excluded, left)
        if width >= WIDE:
            right = modulus_lines(f, z, excluded, width - left - 2)
            drawing = [f"{one:<{left}}  {other}" for one, other in zip(drawing, right, strict=True)]
        lines = [self._head(width), *(line.rstrip() for line in drawing)]
        for text in self.warnings:
            lines += textwrap.wrap(f"! {text}", width, subsequent_indent="  ")
        return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "! …"]

    def _head(self, width: int = WIDEST) -> str:
        if not self._z_ohm:
            return textwrap.shorten(f"{self.title} · waiting for the first point".removeprefix(" · "), width)
        total = f" of {self._n_points}" if self._n_points else ""
        parts = [f"point {len(self._z_ohm)}{total}"]
        z = self._z_ohm[-1]
        parts.append(format_si(self._frequency_hz[-1], "Hz"))
        if math.isfinite(abs(z)):
            phase = round(math.degrees(math.atan2(z.imag, z.real)), 1) + 0.0
            parts += [f"|Z| {format_si(abs(z), 'Ω')}", f"phase {phase:.1f}°".replace("-", "−")]
        else:
            parts.append("no number")
        known = " · ".join(parts)
        while len(known) > width:
            known = " · ".join(parts := parts[:-1])
        room = width - len(known) - 3
        if not self.title or room < 8:
            return known
        return f"{self.title if len(self.title) <= room else self.title[: room - 1] + '…'} · {known}"

    def _check(self) -> None:
        """Test the points so far against Kramers–Kronig."""
        from eis.errors import SpectrumError
        from eis.validation import validate

        spectrum = self._spectrum()
        if spectrum is None or len(spectrum) < CHECKED_FROM:
            return
        with contextlib.suppress(SpectrumError):
            found = validate(spectrum)
            said = f"Kramers–Kronig: {found.verdict} so far. {found.because[0]}"
            self._inconsistent = "" if found.verdict == "valid" else said

    def _drifted(self) -> str:
        """Compare frequencies that were measured again."""
        first: dict[float, complex] = {}
        change: dict[float, float] = {}
        for f, z, quality in zip(self._frequency_hz, self._z_ohm, self._quality, strict=True):
            if quality & EXCLUDING or not math.isfinite(abs(z)) or abs(z) == 0:
                continue
            if f in first:
                change[f] = float(relative_change(first[f], z)[0])
            first.setdefault(f, z)
        if not change or (middle := float(np.median(list(change.values())))) <= DRIFT_LIMIT:
            return ""
        where = format_si(next(iter(change)), "Hz") if len(change) == 1 else f"{len(change)} frequencies"
        return f"Drift: Z at {where}, measured again, moved by {middle:.2%}; {DRIFT_LIMIT:.1%} is usual."

    def _flagged(self) -> list[str]:
        """Say which flags there are, and where."""
        said = []
        for flag in Quality:
            at = [f for f, quality in zip(self._frequency_hz, self._quality, strict=True) if quality & flag]
            if flag and at:
                name = str(flag.name).lower().replace("_", " ")
                where = ", ".join(format_si(f, "Hz", digits=3) for f in at[-3:])
                count = "1 point" if len(at) == 1 else f"{len(at)} points"
                said.append(f"{count} flagged “{name}”: {'…, ' if len(at) > 3 else ''}{where}.")
        return said

    def _spectrum(self) -> Spectrum | None:
        if not self._frequency_hz:
            return None
        z = np.array(self._z_ohm, dtype=np.complex128)
        quality = np.array(self._quality, dtype=np.int64)
        quality[~np.isfinite(z)] |= int(Quality.NOT_A_NUMBER)
        metadata = {"title": self.title} if self.title else {}
        return Spectrum.of(self._frequency_hz, z, quality=quality, metadata=metadata)

    def _draw(self) -> None:
        if self._screen is not None and self._console is not None:
            self._screen.update(_coloured(self.lines(self._console.width)), refresh=True)

    def _open_figure(self) -> None:
        if _has_screen():
            import matplotlib.pyplot as plt

            self._figure = plt.figure(self.title or "eis", figsize=(11, 5), layout="constrained")
            self._figure.show()

    def _fill(self, figure: Figure) -> bool:
        """Draw the points so far into `figure`."""
        from eis.plots import plot_nyquist

        spectrum = self._spectrum()
        if spectrum is None:
            return False
        figure.clear()
        axes = figure.subplot_mosaic([["z", "size"], ["z", "phase"]], width_ratios=(1.2, 1))
        plot_nyquist(spectrum, ax=axes["z"])
        f, z, used = spectrum.all_frequency_hz, spectrum.all_z_ohm, spectrum.used
        phase = -np.degrees(np.angle(z))
        ohm, unit = scaled(float(np.nanmax(np.abs(z))), "Ω")
        for name, values, label in (("size", np.abs(z) / ohm, f"|Z| / {unit}"), ("phase", phase, "−phase / °")):
            axes[name].plot(f[used], values[used], "o", color="#1a1a1a", markersize=4)
            axes[name].plot(f[~used], values[~used], "D", color="#666666", markersize=5, fillstyle="none")
            axes[name].set(xscale="log", ylabel=label)  # not shared: older matplotlib warns as it clears those
            axes[name].grid(color="#e5e5e5", linewidth=0.6)
        axes["size"].tick_params(labelbottom=False)
        axes["phase"].set_xlabel("f / Hz")
        figure.suptitle("\n".join([self._head(), *self.warnings]), fontsize=9)
        return True

    def _draw_window(self) -> None:
        if self._figure is not None and self._fill(self._figure):
            self._figure.canvas.draw_idle()
            self._figure.canvas.flush_events()

    def _save(self) -> None:
        from matplotlib.figure import Figure

        figure = self._figure or Figure(figsize=(11, 5), layout="constrained")
        if self._plot is not None and self._fill(figure):
            figure.savefig(self._plot, dpi=150)

    def _guarded(self, action: Any) -> None:
        """Do what must not end a measurement; remember the first failure as a warning, and stop drawing it."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the measurement matters more than its picture
            self._failed = self._failed or f"Not drawn or saved: {error}"
            self._figure = None


def _coloured(lines: list[str]) -> Text:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop")
    for number, line in enumerate(lines):
        style = "bold" if number == 0 else "yellow" if line.startswith("! ") else ""
        text.append(line + ("\n" if number < len(lines) - 1 else ""), style=style)
    text.highlight_regex(NEWEST, "bold red")
    text.highlight_regex(FLAGGED, "yellow")
    return text


def _has_screen() -> bool:
    """Tell whether matplotlib can open a window here."""
    import matplotlib as mpl
    from matplotlib.backends.registry import BackendFilter, backend_registry

    registry: Any = backend_registry
    interactive = {name.lower() for name in registry.list_builtin(BackendFilter.INTERACTIVE)}
    return mpl.get_backend().lower() in interactive
