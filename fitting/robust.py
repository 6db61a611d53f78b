"""A robust refit, to see whether a few points pull a fit; a diagnostic, never the result.

Its values have no uncertainties of their own: what to do about an outlier is to flag it, or to measure it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy.optimize import least_squares

from eis import notebook
from eis.errors import FitError
from eis.fitted import plain
from eis.quantities import format_si
from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.constrained import relay
from fitting.uncertainty import NOTHING, SUSPECT, correlation

if TYPE_CHECKING:
    import pandas as pd

Loss = Literal["soft_l1", "huber", "cauchy"]

MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
OUTLYING = 4.0
"""Residual, in robust standard deviations, from which a point counts as weighed down: 1 of 16 000 by chance."""
PULLED = 1.0
"""Shift of a parameter, in its standard uncertainties, from which a few points pull the fit."""
FEW = 0.1
"""Fraction of the points up to which those weighed down are outliers rather than a shape the circuit misses."""
NAMED = 6
"""Points named in a sentence."""


@dataclass(frozen=True, eq=False)
class Robust:
    r"""What a fit becomes when points far from it count less.

    Parameters
    ----------
    circuit, loss : str
        The circuit, and SciPy's name of the loss.
    names, units : tuple of str, length p
        All parameters of the circuit, in its order, and their units.
    fitted, values : ndarray, shape (p,)
        Value of the fit and robust value, in natural units.
    u : ndarray, shape (p,)
        Standard uncertainty of the fit without what outliers add to it: unless the weights are "variance", times
        `scale` over the square root of the reduced χ² where that is below 1. A far outlier would else hide itself.
    scale : float
        Robust standard deviation of one weighted residual of the fit (a fraction of \|Z\| with modulus weights).
    frequency_hz, point_weight : ndarray, shape (n,)
        Frequency (Hz) and what is left of the weight of each point, 0 to 1: the less of its two parts.
    weighed_down_hz : tuple of float
        Frequencies (Hz) of the points more than 4 robust standard deviations off in either part.
    structured : bool
        Whether what is left over follows a shape that the circuit misses; points far off are then no outliers.
    converged : bool
        Whether the optimiser arrived.
    because : tuple of str
        In words, whether a few points pull the fit.
    """

    circuit: str
    loss: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    fitted: RealArray
    u: RealArray
    values: RealArray
    scale: float
    frequency_hz: RealArray
    point_weight: RealArray
    weighed_down_hz: tuple[float, ...]
    structured: bool
    converged: bool
    because: tuple[str, ...] = ()

    @property
    def shift(self) -> RealArray:
        """Robust value less fitted value in units of u, shape (p,); 0 if fixed, NaN where there is no u."""
        return _shift(self.fitted, self.values, self.u)

    @property
    def pulled(self) -> bool:
        """Whether a few points pull the fit: some are weighed down, and a parameter moves by more than its u."""
        return bool(self.weighed_down_hz) and not self.structured and _largest(self.shift) > PULLED

    def value(self, name: str) -> float:
        """Return the robust value of a parameter.

        Raises
        ------
        FitError
            If the circuit has no such parameter.
        """
        if name not in self.names:
            raise FitError(f"There is no parameter {name!r}", mend=f"There are {', '.join(self.names)}.")
        return float(self.values[self.names.index(name)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN is None."""
        rows = self.to_dataframe().reset_index().to_dict(orient="records")
        return {
            "circuit": self.circuit,
            "loss": self.loss,
            **plain({"scale": self.scale}),
            "pulled": self.pulled,
            "structured": self.structured,
            "converged": self.converged,
            "weighed_down_hz": list(self.weighed_down_hz),
            "parameters": [plain({str(key): value for key, value in row.items()}) for row in rows],
            "because": list(self.because),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per parameter: fitted, u, robust, shift (in u), unit."""
        import pandas as pd

        columns = {
            "fitted": self.fitted,
            "u": self.u,
            "robust": self.values,
            "shift": self.shift,
            "unit": list(self.units),
        }
        return pd.DataFrame(columns, index=pd.Index(list(self.names), name="name"))

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Return name, fitted value, robust value and shift of each parameter in words."""
        rows = []
        for i, name in enumerate(self.names):
            unit, shift = self.units[i].replace("ohm", "Ω"), self.shift[i]
            moved = "n/a" if not math.isfinite(shift) else "fixed" if self.u[i] == 0 else f"{shift:+.2f} u"
            rows.append(
                (name, f"{self.fitted[i]:.6g} {unit}".rstrip(), f"{self.values[i]:.6g} {unit}".rstrip(), moved)
            )
        return rows

    def __str__(self) -> str:
        lines = [f"  {name}: {before} → {after} ({moved})" for name, before, after, moved in self._rows()]
        notes = [f"  note: {note}" for note in self.because]
        return "\n".join([f"{self.circuit}, {self.loss} loss, a diagnostic", *lines, *notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{notebook.escape(note)}</li>" for note in self.because)
        title = notebook.escape(str(self).splitlines()[0])
        rows = notebook.table(("parameter", "fitted", "robust", "shift"), self._rows())
        return f"<p>{title}</p>{rows}<ul>{notes}</ul>"


def robust(fitted: Fit, spectrum: Spectrum, *, loss: Loss = "soft_l1") -> Robust:
    r"""Refit from a fit with a loss that grows slowly, and tell what moves.

    .. math:: \sum_i s^2 \rho(r_i^2 / s^2), \qquad \rho(x) = 2 (\sqrt{1 + x} - 1) \text{ for soft\_l1}

    r are the N weighted residuals, s = 1.4826 · median \|r\| of the fit, times √(N/(N − k)) for k free parameters.
    For normal noise the robust values scatter about the fitted ones by some 0.25 u.

    Parameters
    ----------
    fitted : Fit
        The fit; its weights, limits and fixed values stay in force.
    spectrum : Spectrum
        The data it was made from.
    loss : {"soft_l1", "huber", "cauchy"}
        SciPy's losses; "cauchy" all but forgets what is far off, and may settle on the wrong points.

    Returns
    -------
    Robust
        Values, shifts, the points weighed down, and the verdict in words.

    Raises
    ------
    FitError
        For another loss, or if the spectrum is not the fit's.

    References
    ----------
    P. J. Huber, E. M. Ronchetti, Robust Statistics, 2nd ed., Wiley 2009, chapter 7, doi:10.1002/9780470434697.
    """
    if loss not in get_args(Loss):
        raise FitError(f"Unknown loss {loss!r}", mend=f"Choose {', '.join(get_args(Loss))}.")
    problem, t = relay(fitted, spectrum)
    before = problem.residuals(t)
    scale = MAD * float(np.median(np.abs(before))) * math.sqrt(before.size / max(before.size - t.size, 1))
    values, after, arrived = problem.natural(t), before, True
    exact = scale**2 * before.size <= NOTHING
    if not exact:
        low, high = problem.limits
        found = least_squares(
            problem.residuals,
            np.clip(t, low + 1e-9, high - 1e-9),
            jac=problem.jacobian,
            bounds=(low, high),
            x_scale="jac",
            loss=loss,
            f_scale=scale,
            ftol=1e-10,
            xtol=1e-10,
            gtol=1e-12,
            max_nfev=300,
        )
        values, after, arrived = problem.natural(found.x), problem.residuals(found.x), bool(found.success)
    size = np.abs(after).reshape(2, -1).max(axis=0) / max(scale, 1e-300)
    frequency = spectrum.frequency_hz[-size.size :]  # nothing is left out but inductive points, which come first
    down = np.zeros(size.size, dtype=bool) if exact else size > OUTLYING
    rest = after.reshape(2, -1)[:, ~down]
    follows = correlation(rest.ravel()) > SUSPECT / math.sqrt(max(rest.shape[1], 1))
    structured = not exact and (bool(down.mean() > FEW) or follows)
    names = tuple(parameter.name for parameter in fitted.parameters)
    start = np.array([parameter.value for parameter in fitted.parameters])
    widened = 1.0 if fitted.weight == "variance" or exact else math.sqrt(fitted.reduced_chi2) / scale
    u = np.array([parameter.u for parameter in fitted.parameters]) / max(widened, 1.0)
    notes = [_verdict(names, _shift(start, values, u), frequency[down], structured)]
    if not arrived:
        notes.append("The optimiser stopped at its limit of steps.")
    return Robust(
        circuit=fitted.circuit,
        loss=loss,
        names=names,
        units=tuple(parameter.unit for parameter in fitted.parameters),
        fitted=start,
        u=u,
        values=values,
        scale=scale,
        frequency_hz=frequency,
        point_weight=np.ones(size.size) if exact else _weight_left(loss, size),
        weighed_down_hz=tuple(float(f) for f in frequency[down]),
        structured=structured,
        converged=arrived,
        because=tuple(notes),
    )


def _weight_left(loss: Loss, size: RealArray) -> RealArray:
    """Return dρ/dx of a loss at residuals of `size` scales."""
    if loss == "soft_l1":
        return np.asarray(1 / np.sqrt(1 + size**2))
    if loss == "huber":
        return np.asarray(1 / np.maximum(size, 1.0))
    return np.asarray(1 / (1 + size**2))


def _shift(fitted: RealArray, values: RealArray, u: RealArray) -> RealArray:
    """Return (values − fitted)/u; 0 where u is 0, which is a fixed parameter."""
    return np.asarray(np.where(u == 0, 0.0, (values - fitted) / np.where(u == 0, 1.0, u)))


def _largest(shift: RealArray) -> float:
    """Return the largest shift either way; 0 if there is none."""
    return float(np.max(np.abs(shift[np.isfinite(shift)]), initial=0.0))


def _verdict(names: tuple[str, ...], shift: RealArray, down_hz: RealArray, structured: bool) -> str:
    """Say which parameter moves most, when which points are weighed down, and what that means."""
    most = int(np.argmax(np.where(np.isfinite(shift), np.abs(shift), -1.0)))
    pulls = _largest(shift) > PULLED
    moves = f"{names[most]} moves by {_largest(shift):.1f} u"
    at = [format_si(float(f), "Hz") for f in down_hz[:NAMED]] + ["others"] * (down_hz.size > NAMED)
    where = at[0] if len(at) == 1 else f"{', '.join(at[:-1])} and {at[-1]}" if at else ""
    points = f"1 point at {where} is" if len(at) == 1 else f"{down_hz.size} points at {where} are"
    when = f" when {points} weighed down" if at else ""
    if structured:
        return f"{moves}{when}, but these are no outliers: what is left over has a shape that the circuit misses."
    if not at and not pulls:
        return f"No point pulls the fit: none is far off, and no parameter moves by more than {PULLED:g} u."
    if not at:
        return f"{moves} though no point is far off: the weights may not be those of the noise."
    if not pulls:
        return f"No parameter moves by more than {PULLED:g} u{when}: far off, but they do not pull the fit."
    return f"{moves}{when}."
