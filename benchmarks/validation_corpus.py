"""Spectra to judge a judge by: sound ones, and ones with a known fault, measured as a laboratory would.

All are closed forms of NumPy with fixed seeds, none from our own elements. Normal noise, the same fraction of |Z|
in both parts. The sizes of the faults are drawn log-uniformly from their least upward.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eis.spectrum import Spectrum

CELLS = (
    "two arcs",
    "half cell",
    "blocking pellet",
    "milliohm",
    "transmission line",
    "Gerischer",
    "finite space",
    "finite length",
    "inductive loop",
    "Boukamp",
)
FAULTS = ("drift", "shift", "nonlinear", "outlier")
PERIODS, OVERHEAD_S = 3.0, 0.4


@dataclass(frozen=True)
class Case:
    """One measurement: the spectrum, what is wrong with it, how it was measured, and a second one if there is."""

    spectrum: Spectrum
    cause: str
    style: str
    cell: str
    noise: float
    size: float = 0.0
    other_amplitude: Spectrum | None = None


@dataclass(frozen=True)
class _Cell:
    """A cell that can age: `share` is how far its interface has changed."""

    kind: str
    values: dict[str, float]
    scale: float
    stretch: float

    def z(self, frequency, interface=1.0):
        """Return the impedance (ohm) with the interface's resistance multiplied by `interface`."""
        s = 2j * np.pi * frequency * self.stretch
        v = self.values

        def arc(r, tau, alpha):
            return r / (1 + (s * tau) ** alpha)

        def one(r):
            return {
                "two arcs": lambda: v["r0"] + arc(v["r1"], 1e-6, v["a1"]) + arc(r, v["tau"], v["a2"]) + s * v["l"],
                "half cell": lambda: (
                    v["r0"] + arc(v["r1"], 4e-6, v["a1"]) + arc(r, v["tau"], v["a2"]) + v["w"] / np.sqrt(s)
                ),
                "blocking pellet": lambda: v["r0"] + arc(5 * r, 1e-6, v["a1"]) + v["w"] / (s**0.9),
                "milliohm": lambda: (
                    v["r0"] + s * 3 * v["l"] + arc(v["r1"], 2e-3, v["a1"]) + arc(r, 30 * v["tau"], v["a2"])
                ),
                "transmission line": lambda: _line(v, s, r),
                "Gerischer": lambda: v["r0"] + s * v["l"] + 3 * r / np.sqrt(1 + s * v["tau"]),
                "finite space": lambda: (
                    v["r0"] + arc(r, v["tau"] / 10, v["a1"]) + v["w"] / np.tanh(np.sqrt(s * 10)) / np.sqrt(s * 10)
                ),
                "finite length": lambda: (
                    v["r0"]
                    + arc(v["r1"], 1e-5, v["a1"])
                    + 2 * r * np.tanh(np.sqrt(s * v["tau"] * 30)) / np.sqrt(s * v["tau"] * 30)
                ),
                "inductive loop": lambda: (
                    v["r0"] + arc(2 * r, v["tau"], v["a2"]) + 1 / (3 / v["r1"] + 1 / (s * v["r1"] * 0.3))
                ),
                "Boukamp": lambda: (
                    v["r0"] + arc(v["r1"], 1.6e-4, 1.0) + 1 / (1 / (2 * r) + np.sqrt(s) / v["w"] / 3)
                ),
            }[self.kind]()

        return self.scale * one(v["r2"] * interface)


def _line(v, s, r):
    interface = 1 / (1 / r + (s * v["tau"]) ** v["a2"] / r)
    total = 5 * v["r1"]
    return v["r0"] + np.sqrt(total * interface) / np.tanh(np.sqrt(total / interface))


def _cell(kind, rng):
    values = {
        "r0": 10 ** rng.uniform(-0.5, 0.5) * 5,
        "r1": 10 ** rng.uniform(-0.4, 0.4) * 10,
        "r2": 10 ** rng.uniform(-0.3, 0.4) * 10,
        "w": 10 ** rng.uniform(-0.3, 0.5) * 5,
        "l": 10 ** rng.uniform(-8, -6),
        "tau": 10 ** rng.uniform(-3.5, -2),
        "a1": rng.uniform(0.8, 1.0),
        "a2": rng.uniform(0.75, 1.0),
    }
    size = rng.uniform(-4, 0) if kind == "milliohm" else rng.uniform(-3, 8)
    return _Cell(kind, values, 10**size, 10 ** rng.uniform(-0.5, 0.5))


def _grid(rng):
    per_decade = int(rng.integers(6, 13))
    high, low = rng.uniform(4.5, 6.5), rng.uniform(-2, -0.5)
    return 10 ** np.linspace(high, low, round((high - low) * per_decade) + 1)


def _log_uniform(rng, low, high):
    return float(10 ** rng.uniform(np.log10(low), np.log10(high)))


def _noisy(z, noise, rng):
    return z + noise * np.abs(z) * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))


def _clock(frequency):
    return np.cumsum(OVERHEAD_S + PERIODS / frequency)


def sound(n: int, seed: int = 1) -> Iterator[Case]:
    """Yield `n` spectra with nothing wrong: mΩ to GΩ, noise of 0.03 to 1 %, every kind of cell in turn.

    A third tells the time of its points, a third measured every decade again at the end.
    """
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        kind = CELLS[i % len(CELLS)]
        cell, f, noise = _cell(kind, rng), _grid(rng), _log_uniform(rng, 3e-4, 1e-2)
        style = ("plain", "timed", "repeated")[(i // len(CELLS)) % 3]
        order = np.concatenate([f, _again(f, "decades")]) if style == "repeated" else f
        columns = {} if style == "plain" else {"time_s": _clock(order)}
        yield Case(Spectrum.of(order, _noisy(cell.z(order), noise, rng), columns=columns), "", style, kind, noise)


def _again(f, style):
    """Return the frequencies that are measured again after the sweep."""
    if style == "back":
        return f[::-1]
    if style == "first decade":
        return f[f > f[0] / 10]
    if style == "decades":  # two points a decade, from low to high
        step = max(1, round((f.size - 1) / np.log10(f[0] / f[-1]) / 2))
        return f[::-1][step::step]
    return f[:0]


def faulty(n: int, seed: int = 2, noise: tuple[float, float] = (3e-4, 3e-3)) -> Iterator[Case]:
    """Yield `n` spectra, each with one fault of `FAULTS` in turn."""
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        kind = CELLS[int(rng.integers(len(CELLS)))]
        made = {"drift": drifting, "shift": shifted, "nonlinear": saturating, "outlier": corrupted}
        yield made[FAULTS[i % len(FAULTS)]](kind, rng, _log_uniform(rng, *noise))


def drifting(kind: str, rng, noise: float, style: str | None = None) -> Case:
    """Everything, or the interface alone, moves by 1 to 10 % of |Z| in a sweep, linearly or as a root of time.

    Measured again afterwards: two points a decade (most often), the whole sweep back up, or, where everything
    drifts, the first decade; or nothing (``style="once"``, not in `faulty`).
    """
    cell, f = _cell(kind, rng), _grid(rng)
    size = _log_uniform(rng, 0.01, 0.1) * rng.choice([-1, 1])
    everything = bool(rng.integers(2))
    if style is None:
        style = str(rng.choice(["decades", "decades", "back", "first decade" if everything else "decades"]))
    order = np.concatenate([f, _again(f, style)])
    time = _clock(order)
    share = time / time[f.size - 1]  # 1 at the end of the sweep itself
    if rng.integers(2):
        share = np.sqrt(share)
    z = cell.z(order) * (1 + size * share)
    if not everything:  # so that Z moves by `size` where it moves most
        most = float(np.abs(cell.z(f, 1 + 1e-4) / cell.z(f) - 1).max()) / 1e-4
        z = np.array([cell.z(order[k : k + 1], 1 + size / most * share[k])[0] for k in range(order.size)])
    spectrum = Spectrum.of(order, _noisy(z, noise, rng), columns={"time_s": time})
    return Case(
        spectrum, "drift", f"{style}, {'everything' if everything else 'interface'}", kind, noise, abs(size)
    )


def shifted(kind: str, rng, noise: float) -> Case:
    """The points of one decade, or of all below one frequency, are too large or too small by 1 to 10 %."""
    cell, f = _cell(kind, rng), _grid(rng)
    size = _log_uniform(rng, 0.01, 0.1) * rng.choice([-1, 1])
    z = _noisy(cell.z(f), noise, rng)
    decade = round((f.size - 1) / np.log10(f[0] / f[-1]))
    start = int(rng.integers(decade // 2, f.size - decade - decade // 2))
    style = str(rng.choice(["decade", "decade", "step"]))
    z[start : start + decade if style == "decade" else None] *= 1 + size
    return Case(Spectrum.of(f, z), "shift", style, kind, noise, abs(size))


def corrupted(kind: str, rng, noise: float) -> Case:
    """One to four lone points off by 3 to 50 % in any direction, or hum at the points near a mains line."""
    cell, f = _cell(kind, rng), _grid(rng)
    z = _noisy(cell.z(f), noise, rng)
    if rng.integers(4) == 0:
        line = float(rng.choice([50.0, 60.0]))
        near = np.unique([int(np.argmin(np.abs(np.log(f / (line * k))))) for k in (1, 2, 3, 5)])
        off = np.abs(f[near] / line - np.round(f[near] / line)) * line < 0.03 * f[near]
        points, cause = near[off], "mains"
        if not points.size:
            f = np.sort(np.append(f, line))[::-1]
            z = _noisy(cell.z(f), noise, rng)
            points = np.flatnonzero(f == line)
    else:
        points = rng.choice(np.arange(1, f.size - 1), size=int(rng.integers(1, 5)), replace=False)
        cause = "outlier"
    size = np.array([_log_uniform(rng, 0.03, 0.5) for _ in points])
    z[points] *= 1 + size * np.exp(2j * np.pi * rng.random(points.size))
    return Case(Spectrum.of(f, z), cause, f"{points.size} points", kind, noise, float(size.max()))


def saturating(kind: str, rng, noise: float, style: str | None = None) -> Case:
    """An interface whose resistance falls by 1 to 10 % at the excitation used, and by a quarter of that at half.

    The voltage across the interface, and with it the error, follows the voltage divider of the cell at every
    frequency. Measured also at half the amplitude, or with the harmonic distortion of every point.
    """
    cell, f = _cell(kind, rng), _grid(rng)
    size = _log_uniform(rng, 0.01, 0.1)
    z = cell.z(f)
    across = np.abs(cell.z(f, 1.001) - z) / np.abs(z)  # share of the interface in the voltage, up to a factor
    across = (across / across.max()) ** 2
    # 1 % of |Z| somewhere is what is asked for, so the interface takes what that needs
    seen = np.abs(cell.z(f, 1.001) / z - 1) / 1e-3
    needed = size / max(float((seen * across).max()), 1e-3)

    def at(amplitude):
        error = needed * across * amplitude**2
        return np.array([cell.z(f[k : k + 1], 1 / (1 + error[k]))[0] for k in range(f.size)])

    style = style or str(rng.choice(["two amplitudes", "harmonics"]))
    columns = {}
    other = None
    if style == "harmonics":
        columns["thd_i_percent"] = 100 * np.hypot(
            needed * across / 3, np.abs(noise * rng.standard_normal(f.size) / 3)
        )
    elif style == "two amplitudes":
        columns["amplitude_v"] = np.full(f.size, 0.02)
        other = Spectrum.of(f, _noisy(at(0.5), noise, rng), columns={"amplitude_v": np.full(f.size, 0.01)})
    spectrum = Spectrum.of(f, _noisy(at(1.0), noise, rng), columns=columns)
    return Case(spectrum, "nonlinear", style, kind, noise, size, other)
