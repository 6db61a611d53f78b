"""Did the cell stay the same during a sweep? Frequencies of its beginning, measured again at its end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from eis.fitted import plain
from eis.quantities import COVERAGE, format_si
from eis.spectrum import EXCLUDING, Quality
from eis.steadiness import DRIFT_LIMIT, relative_change
from instruments.plan import format_duration

DriftVerdict = Literal["stable", "drifted", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Drift:
    """How much the impedance changed from the beginning of a sweep to its end.

    Parameters
    ----------
    verdict : {"stable", "drifted", "cannot tell"}
        The answer; ``"cannot tell"`` if noise hides it, or nothing was measured twice.
    relative, u_relative : float
        Median of |ΔZ|/|Z| over the repeated frequencies, and what noise alone contributes; NaN if not known.
    limit : float
        The change allowed.
    frequency_hz, change : tuple of float
        Each repeated frequency (Hz), and its |ΔZ|/|Z|.
    apart_s : float
        Median time between the two measurements (s); NaN if not known.
    because : str
        One sentence with the numbers.
    """

    verdict: DriftVerdict
    relative: float
    u_relative: float
    limit: float
    frequency_hz: tuple[float, ...]
    change: tuple[float, ...]
    apart_s: float
    because: str

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values; what is not a number is None."""
        values = plain(asdict(self))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because}"


class Measured(Protocol):
    """What `drift_of` needs to know of a point; `instruments.potentiostat.Point` does."""

    @property
    def frequency_set_hz(self) -> float: ...  # noqa: D102
    @property
    def z_ohm(self) -> complex: ...  # noqa: D102
    @property
    def quality(self) -> Quality: ...  # noqa: D102
    @property
    def time_s(self) -> float: ...  # noqa: D102


def drift_between(
    frequency_hz: ArrayLike,
    first_ohm: ArrayLike,
    again_ohm: ArrayLike,
    *,
    u_ohm: ArrayLike | None = None,
    limit: float = DRIFT_LIMIT,
    apart_s: float = math.nan,
) -> Drift:
    """Compare what was measured at the beginning of a sweep with the same frequencies at its end.

    Parameters
    ----------
    frequency_hz : array_like, shape (n,)
        The repeated frequencies (Hz).
    first_ohm, again_ohm : array_like of complex, shape (n,)
        Impedance (ohm) at the beginning and at the end; what is not finite is left out.
    u_ohm : array_like, shape (n,), optional
        Standard uncertainty of one measurement, per part (ohm).
    limit : float, optional
        Relative change allowed.
    apart_s : float, optional
        Time between the two (s), for the words.

    Returns
    -------
    Drift
        "stable" or "drifted" only if the change is below or above the limit by more than two standard
        uncertainties, where these are known.
    """
    f = np.atleast_1d(np.asarray(frequency_hz, dtype=np.float64))
    first = np.atleast_1d(np.asarray(first_ohm, dtype=np.complex128))
    again = np.atleast_1d(np.asarray(again_ohm, dtype=np.complex128))
    usable = np.isfinite(first) & np.isfinite(again) & (np.abs(first) > 0)
    f, first, again = f[usable], first[usable], again[usable]
    if not f.size:
        because = "No frequency was measured well twice, so drift during the sweep is not known."
        return Drift("cannot tell", math.nan, math.nan, limit, (), (), apart_s, because)
    size = np.abs(first)
    change = relative_change(first, again)
    relative = float(np.median(change))
    u = math.nan
    if u_ohm is not None:  # of one part of the difference; of the median of n, as for normal noise
        each = math.sqrt(2) * np.broadcast_to(np.asarray(u_ohm, dtype=np.float64), usable.shape)[usable] / size
        u = float(np.median(each)) * math.sqrt(math.pi / 2 / f.size if f.size > 2 else 1 / f.size)
    margin = COVERAGE * u if math.isfinite(u) else 0.0
    verdict: DriftVerdict = "cannot tell"
    if relative - margin > limit:
        verdict = "drifted"
    elif relative + margin <= limit:
        verdict = "stable"
    where = f"at {format_si(float(f[0]), 'Hz')}" if f.size == 1 else f"(median of {f.size} frequencies)"
    after = f" after {format_duration(apart_s)}" if math.isfinite(apart_s) else ""
    noise = f", noise ± {margin:.2%} (k = {COVERAGE:g})" if margin else ""
    end = {
        "stable": "the cell was stable.",
        "drifted": "the cell changed during the sweep, and its low frequencies belong to another state.",
        "cannot tell": "noise hides whether that is too much.",
    }[verdict]
    because = f"Z moved by {relative:.2%} {where}{after}{noise}; {limit:.2%} is allowed: {end}"
    return Drift(verdict, relative, u, limit, tuple(f.tolist()), tuple(change.tolist()), apart_s, because)


def drift_of(points: Iterable[Measured], *, u_relative: float | None = None, limit: float = DRIFT_LIMIT) -> Drift:
    """Return the drift that the points measured twice show; see `drift_between`.

    Parameters
    ----------
    points : iterable of Point
        A sweep in the order of measurement; points with an excluding flag are left out.
    u_relative : float, optional
        Standard uncertainty of one point per part, as a fraction of the impedance's size.
    limit : float, optional
        Relative change allowed.
    """
    seen: dict[float, Measured] = {}
    pairs: list[tuple[Measured, Measured]] = []
    for point in points:
        if point.quality & EXCLUDING:
            continue
        before = seen.setdefault(point.frequency_set_hz, point)
        if before is not point:
            pairs.append((before, point))
    z = [before.z_ohm for before, _ in pairs]
    return drift_between(
        [before.frequency_set_hz for before, _ in pairs],
        z,
        [after.z_ohm for _, after in pairs],
        u_ohm=None if u_relative is None else u_relative * np.abs(np.array(z, dtype=np.complex128)),
        limit=limit,
        apart_s=_median([after.time_s - before.time_s for before, after in pairs]),
    )


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan
