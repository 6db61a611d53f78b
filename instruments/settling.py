"""Is the cell at rest? The drift of its open-circuit voltage before a sweep, and whether that is little enough.

Impedance is defined for a steady state only. A cell is at rest when its voltage would move by less than a tenth of
the excitation while the sweep lasts: dV/dt · T < 0.1 · V_a. Whether it stayed so is for `instruments.drift`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from eis.errors import ConfigError
from eis.fitted import plain
from eis.quantities import COVERAGE, format_si
from instruments.plan import format_duration

SHARE = 0.1
"""How much of the excitation the voltage may move by during a sweep."""
USUAL_V_PER_S, SLOW_V_PER_S = 0.1e-3 / 60, 0.05e-3 / 60
"""Drift (V/s) that is never taken as rest, however short the sweep; the second one for sweeps below 10 mHz."""
SLOW_HZ = 0.01
WINDOW_S = 120.0
"""How much of the latest past a slope is taken from (s)."""
FEWEST = 10
"""Readings a slope needs."""
MOST = 400
"""Readings a slope is taken from; more are averaged in groups first."""
THEIL_SEN = math.sqrt(math.pi / 3)
"""Standard error of a Theil–Sen slope over that of least squares, for normal noise."""
SettlingVerdict = Literal["settled", "drifting", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Slope:
    """A robust straight line through voltages over time.

    Parameters
    ----------
    v_per_s, u_v_per_s : float
        Slope and its standard uncertainty (V/s).
    voltage_v : float
        Median of the voltages (V).
    noise_v : float
        Scatter of single readings about the line (V), robust.
    n : int
        How many readings were used.
    """

    v_per_s: float
    u_v_per_s: float
    voltage_v: float
    noise_v: float
    n: int


@dataclass(frozen=True, slots=True)
class Settling:
    """Whether a cell has come to rest, and the numbers behind the answer.

    Parameters
    ----------
    verdict : {"settled", "drifting", "cannot tell"}
        The answer when the waiting ended; ``"cannot tell"`` if the readings scatter too much.
    voltage_v : float
        Open-circuit voltage at the end (V).
    slope_v_per_s, u_slope_v_per_s, limit_v_per_s : float
        Its drift, the standard uncertainty of that, and the drift allowed (V/s).
    waited_s : float
        How long it was watched (s).
    n_readings, n_lost : int
        How many readings were taken, and how many of them were no numbers.
    because : str
        One sentence with the numbers.
    """

    verdict: SettlingVerdict
    voltage_v: float
    slope_v_per_s: float
    u_slope_v_per_s: float
    limit_v_per_s: float
    waited_s: float
    n_readings: int
    n_lost: int
    because: str

    @property
    def settled(self) -> bool:
        """Whether a sweep may begin."""
        return self.verdict == "settled"

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values; what is not a number is None."""
        return plain(asdict(self))

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because}"


def drift_limit_v_per_s(amplitude_v: float, sweep_s: float, *, stop_hz: float = math.inf) -> float:
    """Return the drift (V/s) below which a cell counts as at rest.

    Parameters
    ----------
    amplitude_v : float
        Excitation (V rms).
    sweep_s : float
        How long the sweep will take (s); see `instruments.plan.Plan.duration_s`.
    stop_hz : float, optional
        Its lowest frequency (Hz).

    Returns
    -------
    float
        A tenth of the excitation per sweep, but at most 0.1 mV/min (0.05 mV/min if the sweep goes below 10 mHz).
    """
    if not (math.isfinite(amplitude_v) and amplitude_v > 0 and math.isfinite(sweep_s) and sweep_s > 0):
        raise ConfigError(
            f"An excitation of {amplitude_v!r} V and a sweep of {sweep_s!r} s allow no drift",
            where="settling",
            mend="Give both as numbers above zero.",
        )
    usual = SLOW_V_PER_S if stop_hz < SLOW_HZ else USUAL_V_PER_S
    return min(SHARE * amplitude_v / sweep_s, usual)


def slope_of(time_s: ArrayLike, voltage_v: ArrayLike, *, resolution_v: float = 0.0) -> Slope:
    """Return the drift of a voltage by the median of all pairs' slopes (Theil–Sen), which outliers do not move.

    Parameters
    ----------
    time_s, voltage_v : array_like, shape (n,)
        Readings (s, V); what is not finite is left out.
    resolution_v : float, optional
        The voltmeter's step (V). By default the smallest difference between two readings is taken for it.

    Returns
    -------
    Slope
        With NaN for slope and uncertainty if fewer than 3 readings are left, or all at one time. The uncertainty
        is no smaller than the voltmeter's steps allow.
    """
    t, v = np.asarray(time_s, dtype=np.float64), np.asarray(voltage_v, dtype=np.float64)
    finite = np.isfinite(t) & np.isfinite(v)
    t, v = t[finite], v[finite]
    if t.size < 3 or np.ptp(t) == 0:
        return Slope(math.nan, math.nan, float(np.median(v)) if v.size else math.nan, math.nan, t.size)
    n, group = t.size, math.ceil(t.size / MOST)
    if group > 1:  # the pairs would fill the memory; medians of neighbours keep what matters
        cut = n - n % group
        t, v = (np.median(part[:cut].reshape(-1, group), axis=1) for part in (t, v))
    first, second = np.triu_indices(t.size, k=1)
    apart = t[second] - t[first]
    pairs = (v[second] - v[first])[apart > 0] / apart[apart > 0]
    slope = float(np.median(pairs))
    left = v - slope * t
    scatter = 1.4826 * float(np.median(np.abs(left - np.median(left)))) * math.sqrt(t.size / max(t.size - 2, 1))
    steps = np.diff(np.unique(v))
    step = resolution_v or (float(steps.min()) if steps.size else 0.0)
    scatter = max(scatter, step / math.sqrt(12))
    # Steps coarser than the noise are not independent from reading to reading: they tilt the whole line.
    tilt = step / (math.sqrt(12) * float(np.ptp(t))) if scatter < step else 0.0
    u = THEIL_SEN * scatter / math.sqrt(float(((t - t.mean()) ** 2).sum()))
    return Slope(slope, math.hypot(u, tilt), float(np.median(v)), scatter, n)


def settle(
    read_voltage_v: Callable[[], float],
    *,
    limit_v_per_s: float,
    allowed_s: float,
    least_s: float = WINDOW_S,
    window_s: float = WINDOW_S,
    every_s: float = 1.0,
    resolution_v: float = 0.0,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_reading: Callable[[float, float, Slope], None] | None = None,
) -> Settling:
    """Watch the open-circuit voltage until it has come to rest, or the time allowed is over.

    The cell is at rest as soon as its drift is below the limit by two standard uncertainties, taken over the last
    `window_s`; so noise delays the answer rather than bringing it about.

    Parameters
    ----------
    read_voltage_v : callable
        Reads the voltage (V), the cell carrying no current; NaN if it could not. Its errors end the watching.
    limit_v_per_s : float
        The drift allowed (V/s); see `drift_limit_v_per_s`.
    allowed_s, least_s : float
        The longest and the shortest time to watch (s). After handling a cell rests half an hour or more.
    window_s, every_s : float, optional
        What the slope is taken over, and the time from reading to reading (s).
    resolution_v : float, optional
        The voltmeter's step (V); found from the readings if not given.
    now, sleep : callable, optional
        The clock (s).
    on_reading : callable, optional
        Is told seconds waited, voltage and slope after each reading.

    Returns
    -------
    Settling
        Also if the cell has not settled: look at its `verdict`.

    Raises
    ------
    ConfigError
        If the limit is not above zero, or the times do not leave room for 10 readings.
    """
    _check(limit_v_per_s, allowed_s, least_s, window_s, every_s)
    began = now()
    times: list[float] = []
    voltages: list[float] = []
    lost = 0
    while True:
        voltage = float(read_voltage_v())
        waited = now() - began
        if math.isfinite(voltage):
            times.append(waited)
            voltages.append(voltage)
        else:
            lost += 1
        recent = sum(waited - moment <= window_s for moment in times)
        slope = slope_of(times[-recent:], voltages[-recent:], resolution_v=resolution_v) if recent else _NOTHING
        if on_reading is not None:
            on_reading(waited, voltage, slope)
        verdict = _verdict(slope, limit_v_per_s)
        if (verdict == "settled" and waited >= least_s) or waited + every_s > allowed_s:
            return Settling(
                verdict,
                slope.voltage_v,
                slope.v_per_s,
                slope.u_v_per_s,
                limit_v_per_s,
                waited,
                len(times) + lost,
                lost,
                _words(verdict, slope, limit_v_per_s, waited, lost),
            )
        sleep(max(0.0, began + waited + every_s - now()))


_NOTHING = Slope(math.nan, math.nan, math.nan, math.nan, 0)


def _check(limit_v_per_s: float, allowed_s: float, least_s: float, window_s: float, every_s: float) -> None:
    faults = [
        f"{name} is {value!r}; give a finite number above zero"
        for name, value in (("limit_v_per_s", limit_v_per_s), ("allowed_s", allowed_s), ("every_s", every_s))
        if not (math.isfinite(value) and value > 0)
    ]
    room = min(allowed_s, window_s)
    if not faults and room < (FEWEST - 1) * every_s:
        faults.append(f"{FEWEST} readings every {every_s:g} s do not fit into {room:g} s; allow more time")
    if not faults and not 0 <= least_s <= allowed_s:
        faults.append(f"least_s is {least_s!r}; give seconds between 0 and allowed_s")
    if faults:
        raise ConfigError("The settling is not described rightly", where="settling", mend="; ".join(faults))


def _verdict(slope: Slope, limit_v_per_s: float) -> SettlingVerdict:
    if slope.n < FEWEST or not math.isfinite(slope.v_per_s):
        return "cannot tell"
    size, margin = abs(slope.v_per_s), COVERAGE * slope.u_v_per_s
    if size + margin < limit_v_per_s:
        return "settled"
    return "drifting" if size - margin >= limit_v_per_s else "cannot tell"


def _words(verdict: SettlingVerdict, slope: Slope, limit: float, waited_s: float, lost: int) -> str:
    end = {
        "settled": "the cell is at rest.",
        "drifting": "the cell is not at rest; give it more time.",
        "cannot tell": f"the voltage scatters too much to tell ({format_si(slope.noise_v, 'V', digits=2)}); "
        "read it more often or for longer, or check the contacts.",
    }[verdict]
    missing = f" {lost} readings were no numbers." if lost else ""
    if not math.isfinite(slope.v_per_s):
        return f"After {format_duration(waited_s)} there are too few readings to tell.{missing}"
    drift, spread, allowed = (60e3 * value for value in (slope.v_per_s, COVERAGE * slope.u_v_per_s, limit))
    places = max(0, min(4, 1 - math.floor(math.log10(spread)))) if spread > 0 else 4
    shown = f"{drift:+.{places}f} ± {spread:.{places}f}".replace("-", "−")
    return (
        f"After {format_duration(waited_s)} at {format_si(slope.voltage_v, 'V')} the voltage drifts by {shown} "
        f"mV/min (k = {COVERAGE:g}); {allowed:.2g} mV/min is allowed: {end}{missing}"
    )
