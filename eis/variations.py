"""What else could be measured: wider, denser, more often, with leads known, with less noise, in another cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from eis.cramer_rao import Noise
from eis.designs import LEADS, Design, arc_of, with_area, with_electrodes
from eis.quantities import format_si
from fitting.weights import ErrorStructure

FASTEST_HZ, SLOWEST_HZ = 1e7, 1e-3
"""Ends of what impedance analysers and patience reach (Hz)."""
AROUND = 30.0
"""A band from f0/30 to 30·f0 shows an arc whole."""
MORE_REPEATS, MOST_SWEEPS = 10, 100
QUIETER, LARGER = 10.0, 4.0


def variations(
    asked: Design, *, others: tuple[str, ...] | None = None, enough: int | None = None
) -> tuple[list[Design], list[str]]:
    """Return what else could be measured, each with one or several changes, and what was supposed in it.

    Parameters
    ----------
    asked : Design
        The measurement as it was described.
    others : tuple of str, optional
        Elements of the other electrode; see `eis.designs.with_electrodes`.
    enough : int, optional
        How many sweeps would decide, if that is known.
    """
    out = [
        *filter(None, (_wider(asked),)),
        _denser(asked),
        _repeated(asked, enough if enough is not None and asked.repeats < enough <= MOST_SWEEPS else None),
        *filter(None, (_measured_leads(asked),)),
        quieter(asked),
        with_area(asked, LARGER),
        with_area(asked, 1 / LARGER),
    ]
    everything = _together(asked, "all settings", (_wider, _denser, _repeated))
    out += [everything, *filter(None, (_measured_leads(everything, everything.name),))]
    supposed = []
    if asked.cell.kind != "blocking":
        for kind in ("symmetric", "three-electrode"):
            found = with_electrodes(asked, kind, others) if kind != asked.cell.kind else None
            if found is None:
                continue
            design, dropped = found
            if dropped and others is None:
                supposed.append(f"{design.name} is supposed to be without {', '.join(dropped)}")
            steps = (_wider, _denser, _repeated, _measured_leads)
            out += [design, _together(design, f"{design.name} with all settings and leads measured", steps)]
    return out, list(dict.fromkeys(supposed))


def _wider(design: Design) -> Design | None:
    """Return the design with a band that shows the arc whole; None if it does already."""
    arc = arc_of(design)
    if arc is None:
        return None
    f0 = 1 / (2 * math.pi * arc[0])
    start = max(design.sweep.start_hz, min(FASTEST_HZ, _round_up(AROUND * f0)))
    stop = min(design.sweep.stop_hz, max(SLOWEST_HZ, 1 / _round_up(AROUND / f0)))
    if (start, stop) == (design.sweep.start_hz, design.sweep.stop_hz):
        return None
    band = f"{format_si(start, 'Hz')} to {format_si(stop, 'Hz')}"
    return replace(design, name=band, sweep=replace(design.sweep, start_hz=start, stop_hz=stop))


def _denser(design: Design) -> Design:
    more = 2 * design.sweep.points_per_decade
    return replace(design, name=f"{more:g} points per decade", sweep=replace(design.sweep, points_per_decade=more))


def _repeated(design: Design, count: int | None = None) -> Design:
    count = design.repeats * MORE_REPEATS if count is None else count
    return replace(design, name=f"{count} sweeps", repeats=count)


def _measured_leads(design: Design, also: str = "") -> Design | None:
    """Return the design with the inductance known from a shorted fixture; None if there is none to know."""
    leads = [n for leaf in design.parsed.leaves if leaf.letter in LEADS for n in leaf.parameter_names]
    more = tuple(name for name in leads if name not in design.known)
    if not more:
        return None
    name = f"{also} and " if also else ""
    return replace(
        design,
        name=f"{name}{', '.join(more)} known from a short",
        known=(*design.known, *more),
        effort=max(design.effort, 1),
    )


def quieter(design: Design) -> Design:
    """Return the design with a tenth of the noise."""
    if isinstance(design.noise, ErrorStructure):
        noise: Noise = replace(
            design.noise,
            **{n: getattr(design.noise, n) / QUIETER for n in ("alpha", "beta", "gamma", "delta_ohm")},
        )
    else:
        noise = design.noise / QUIETER
    return replace(design, name="a tenth of the noise", noise=noise, effort=max(design.effort, 1))


def _together(design: Design, name: str, steps: Sequence[Callable[[Design], Design | None]]) -> Design:
    for step in steps:
        design = step(design) or design
    return replace(design, name=name)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return next(digit * power for digit in (1.0, 2.0, 5.0, 10.0) if value <= digit * power * (1 + 1e-9))
