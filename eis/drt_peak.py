"""A peak of a distribution of relaxation times, and the circuits that peaks point to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eis.fitted import plain
from eis.quantities import format_si, format_uncertain

LIKELY = 0.95
"""Probability from which a peak counts in the first suggested circuit."""
TWO_SIDED = 1.959963984540054
"""Standard deviations either side of a normal distribution's middle 95 %."""


@dataclass(frozen=True, slots=True)
class DrtPeak:
    """One peak of a distribution of relaxation times.

    Parameters
    ----------
    tau_s, tau_low_s, tau_high_s : float
        Where γ is highest (s), and its 95 % interval.
    r_ohm, u_r_ohm : float
        Area under the peak, with its share of γ where the tails of neighbours overlap, and its standard
        uncertainty (ohm): noise and smoothing, what neighbours contest, and its tail beyond the sweep.
    r_low_ohm, r_high_ohm : float
        95 % interval of the area (ohm).
    from_s, to_s : float
        The valleys at its sides (s), or the ends of the grid.
    gamma_ohm : float
        Height of the peak (ohm per unit of ln τ).
    exponent : float
        Exponent of the constant-phase element whose arc is as high over its area; smoothing makes it an under- and
        never an overestimate of how sharp the process is.
    resolution_decades : float
        Full width at half maximum that a single relaxation time would show here, in decades of τ: what lies
        closer together looks like one peak.
    probability : float
        That the peak is real: the share of arcs among simulated maxima that stood as far above their valleys, that
        the data asked for as much, and that were as far from the ends of the sweep. Cells whose spectra are unlike
        sums of arcs (loops, drift, artefacts) are not among the simulated: validate first.
    separable : bool
        Whether its neighbours are far enough for its area to be its own; `because` says so if not.
    """

    tau_s: float
    tau_low_s: float
    tau_high_s: float
    r_ohm: float
    u_r_ohm: float
    r_low_ohm: float
    r_high_ohm: float
    from_s: float
    to_s: float
    gamma_ohm: float
    exponent: float
    resolution_decades: float
    probability: float
    separable: bool
    because: tuple[str, ...] = ()

    @property
    def f_hz(self) -> float:
        """Characteristic frequency 1/(2πτ) (Hz), where −Z″ of the process peaks."""
        return 1 / (2 * math.pi * self.tau_s)

    @property
    def c_f(self) -> float:
        """Effective capacitance τ/R (F)."""
        return self.tau_s / self.r_ohm

    @property
    def u_c_f(self) -> float:
        """Standard uncertainty of the effective capacitance (F), τ and R taken as independent."""
        u_ln_tau = math.log(self.tau_high_s / self.tau_low_s) / (2 * TWO_SIDED)
        return self.c_f * math.hypot(u_ln_tau, self.u_r_ohm / self.r_ohm)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        first = ("tau_s", "f_hz", "r_ohm", "u_r_ohm", "r_low_ohm", "r_high_ohm", "c_f", "u_c_f")
        rest = ("tau_low_s", "tau_high_s", "from_s", "to_s", "gamma_ohm", "exponent", "resolution_decades")
        numbers = plain({name: getattr(self, name) for name in (*first, *rest, "probability")})
        return {**numbers, "separable": self.separable, "because": list(self.because)}

    def __str__(self) -> str:
        c = format_uncertain(self.c_f, self.u_c_f, "F")
        state = "" if self.separable else ", NOT SEPARABLE from its neighbour"
        return (
            f"τ {format_si(self.tau_s, 's', digits=3)} ({format_si(self.f_hz, 'Hz', digits=3)}): "
            f"R {format_uncertain(self.r_ohm, self.u_r_ohm, 'Ω')}, C {c}, "
            f"real with p = {self.probability:.2g}{state}"
        )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A circuit the distribution points to, with values to start its fit from.

    Parameters
    ----------
    circuit : str
        In impedance.py's grammar.
    start : mapping of str to float
        A start for every parameter, in circuit order: ``fit(s.circuit, spectrum, start=list(s.start.values()))``.
    because : str
        What it stands for.
    """

    circuit: str
    start: Mapping[str, float]
    because: str


def suggestions(
    peaks: Sequence[DrtPeak],
    *,
    r_inf_ohm: float,
    smallest_ohm: float,
    inductance_h: float = math.nan,
    elastance_per_f: float = math.nan,
) -> tuple[Suggestion, ...]:
    """Return circuits the peaks of a distribution point to; the likeliest first.

    Parameters
    ----------
    peaks : sequence of DrtPeak
        In order of rising τ.
    r_inf_ohm, smallest_ohm : float
        R∞, NaN where it is not known, and the smallest ``|Z|`` (ohm), which says what it might be then.
    inductance_h, elastance_per_f : float
        L (H) and 1/C (1/F) that stand in series; NaN where there is none.
    """
    likely = [p for p in peaks if p.probability >= LIKELY]
    tries: list[tuple[Sequence[DrtPeak], str]] = [
        (likely, _how_many(len(likely)) + f" real with p ≥ {LIKELY:g}"),
    ]
    if len(peaks) > len(likely):
        tries.append((peaks, f"all {len(peaks)} peaks"))
    if likely:
        widest = max(likely, key=lambda p: -p.exponent)
        halves = [part for p in likely for part in (_halves(p) if p is widest else [p])]
        tries.append((halves, f"the widest peak, at {format_si(widest.tau_s, 's', digits=3)}, taken as two"))
    if len(likely) > 1:
        least = min(likely, key=lambda p: (p.separable, p.probability, p.r_ohm))
        text = f"without the least certain peak, at {format_si(least.tau_s, 's', digits=3)}"
        tries.append(([p for p in likely if p is not least], text))
    small = 1e-3 * smallest_ohm
    before = {} if math.isnan(inductance_h) else {"L0": inductance_h}
    before["R0"] = max(r_inf_ohm if math.isfinite(r_inf_ohm) else small, small)
    return tuple(_suggestion(chosen, before, elastance_per_f, because) for chosen, because in tries)


def _how_many(peaks: int) -> str:
    return {0: "no peak is", 1: "the one peak that is"}.get(peaks, f"the {peaks} peaks that are")


def _halves(peak: DrtPeak) -> list[DrtPeak]:
    """Return the peak as two of half the area, a resolution apart."""
    shift = 10 ** (0.5 * max(peak.resolution_decades, 0.3))
    return [replace(peak, tau_s=peak.tau_s * f, r_ohm=peak.r_ohm / 2, exponent=0.95) for f in (1 / shift, shift)]


def _suggestion(
    peaks: Sequence[DrtPeak], before: Mapping[str, float], elastance_per_f: float, because: str
) -> Suggestion:
    """Put what stands before the peaks, the peaks as arcs, and a blocking capacitance in series."""
    parts, start = list(before), dict(before)
    for i, peak in enumerate(peaks, start=1):
        parts.append(f"p(R{i},CPE{i})")
        exponent = min(max(peak.exponent, 0.5), 1.0)
        start[f"R{i}"] = peak.r_ohm
        start[f"CPE{i}_0"] = peak.tau_s**exponent / peak.r_ohm
        start[f"CPE{i}_1"] = exponent
    if math.isfinite(elastance_per_f) and elastance_per_f > 0:
        number = len(peaks) + 1
        parts.append(f"CPE{number}")
        start[f"CPE{number}_0"] = 1 / elastance_per_f
        start[f"CPE{number}_1"] = 0.95
    return Suggestion("-".join(parts), start, because)
