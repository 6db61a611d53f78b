"""Parametric bootstrap: fit again and again what the fit says, with fresh noise of the size it left over.

It asks nothing of the shape of χ²: a standard uncertainty is that of a parabola, the spread of the draws is what
the estimator really does, its bias and its failures included.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from eis import notebook
from eis.errors import FitError
from eis.quantities import format_si
from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.cnls import fit
from fitting.constrained import relay, wishes
from fitting.problem import Problem, Weight

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.9545
"""Confidence of ± 2 standard uncertainties of a normal distribution."""
DRAWS = 200
"""Draws that give a standard deviation to 5 %."""
LEAST = 20
"""Draws below which no spread is given."""
OFTEN = 0.05
"""Fraction of draws with a parameter at its limit from which it is told about."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """What refitted draws say of the parameters of a fit.

    Parameters
    ----------
    names, units : tuple of str, length p
        All parameters of the circuit, in its order, and their units.
    fitted : ndarray, shape (p,)
        Values of the fit the draws were made from.
    values : ndarray, shape (draws, p)
        Values of every draw; NaN rows where the fit failed.
    seed : int
        Seed of the noise.
    because : tuple of str
        Everything a reader should know: failed draws, parameters often at a limit.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    fitted: RealArray
    values: RealArray
    seed: int
    because: tuple[str, ...]

    @property
    def succeeded(self) -> RealArray:
        """Values of the draws that could be fitted, shape (m, p)."""
        return self.values[np.isfinite(self.values).all(axis=1)]

    @property
    def n_failed(self) -> int:
        """How many draws could not be fitted."""
        return len(self.values) - len(self.succeeded)

    @property
    def standard_deviation(self) -> RealArray:
        """Standard deviation of each parameter over the draws, shape (p,)."""
        return np.asarray(self.succeeded.std(axis=0, ddof=1))

    @property
    def bias(self) -> RealArray:
        """Mean of the draws less the fitted value, shape (p,)."""
        return np.asarray(self.succeeded.mean(axis=0) - self.fitted)

    @property
    def covariance(self) -> RealArray:
        """Covariance of the parameters over the draws, shape (p, p)."""
        return np.asarray(np.cov(self.succeeded.T).reshape(len(self.names), len(self.names)))

    def draws_of(self, quantity: str | Mapping[str, float]) -> RealArray:
        """Return a parameter, or a sum of coefficient times parameter, for every successful draw, shape (m,).

        Raises
        ------
        FitError
            If there is no such parameter.
        """
        given = {quantity: 1.0} if isinstance(quantity, str) else quantity
        for name in given:
            if name not in self.names:
                raise FitError(f"There is no parameter {name!r}", mend=f"There are {', '.join(self.names)}.")
        return np.asarray(sum(c * self.succeeded[:, self.names.index(name)] for name, c in given.items()))

    def interval(self, quantity: str | Mapping[str, float], *, level: float = LEVEL) -> tuple[float, float]:
        """Return the percentile interval of a parameter or of a sum, in its own unit.

        B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993, chapter 13,
        doi:10.1201/9780429246593.
        """
        if not 0 < level < 1:
            raise FitError(
                f"A level of {level:g} is no confidence", mend="Give one between 0 and 1, such as 0.95."
            )
        low, high = np.quantile(self.draws_of(quantity), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per parameter: fitted value, standard deviation, bias, and the 95.45 % interval."""
        import pandas as pd

        ends = np.array([self.interval(name) for name in self.names])
        columns = {
            "fitted": self.fitted,
            "standard_deviation": self.standard_deviation,
            "bias": self.bias,
            "low": ends[:, 0],
            "high": ends[:, 1],
            "unit": self.units,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="name"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = self.to_dataframe().reset_index().to_dict(orient="records")
        return {
            "draws": len(self.values),
            "n_failed": self.n_failed,
            "seed": self.seed,
            "level": LEVEL,
            "parameters": rows,
            "because": list(self.because),
        }

    def _rows(self) -> list[tuple[str, ...]]:
        """Return name, value, standard deviation and interval of each parameter in words."""

        def show(number: float, unit: str) -> str:
            return format_si(number, unit) if unit in ("Ω", "H", "F", "s") else f"{number:.4g} {unit}".rstrip()

        rows = []
        for i, name in enumerate(self.names):
            unit = self.units[i].replace("ohm", "Ω")
            low, high = self.interval(name)
            numbers = (self.fitted[i], self.standard_deviation[i], self.bias[i], low, high)
            rows.append((name, *(show(float(number), unit) for number in numbers)))
        return rows

    def __str__(self) -> str:
        head = f"{len(self.values)} draws, {self.n_failed} failed, seed {self.seed}"
        lines = [
            f"  {n} = {v}: u {u}, bias {b}, {LEVEL:.4g} from {lo} to {hi}" for n, v, u, b, lo, hi in self._rows()
        ]
        return "\n".join([head, *lines, *(f"  note: {b}" for b in self.because)])

    def _repr_html_(self) -> str:
        head = ("parameter", "fitted", "standard deviation", "bias", "low", "high")
        notes = "".join(f"<li>{notebook.escape(b)}</li>" for b in self.because)
        title = notebook.escape(str(self).splitlines()[0])
        return f"<p>{title}</p>{notebook.table(head, self._rows())}<ul>{notes}</ul>"


def bootstrap(fitted: Fit, spectrum: Spectrum, *, draws: int = DRAWS, seed: int = 0) -> Bootstrap:
    r"""Refit `draws` spectra made of the fitted impedance and fresh noise.

    .. math:: Z^*_i = \hat Z_i + s \, (\sigma'_i e'_i + j \sigma''_i e''_i), \qquad e \sim N(0, 1)

    σ is that of the weights, taken at the fitted impedance, and s² the reduced χ²; with weight "variance" σ is
    ``u_z_ohm`` and s is 1. Every draw is fitted as the data were, weights from the draw itself included, starting
    from the fit, so that arcs keep their names.

    Parameters
    ----------
    fitted : Fit
        The fit; its limits and fixed values stay in force.
    spectrum : Spectrum
        The data it was made from.
    draws : int
        How many; a standard deviation is known to about 1/√(2·draws).
    seed : int
        Seed of the noise; the same seed gives the same numbers.

    Returns
    -------
    Bootstrap
        All draws, their spread, bias and percentile intervals.

    Raises
    ------
    FitError
        For fewer than 20 draws or successful draws, or if the spectrum is not the fit's.

    References
    ----------
    B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993, chapter 6,
    doi:10.1201/9780429246593.
    """
    if draws < LEAST:
        raise FitError(f"{draws} draws tell nothing about a spread", mend=f"Take at least {LEAST}, better 200.")
    problem, _ = relay(fitted, spectrum)
    model = fitted.z_fit_ohm
    last = slice(-fitted.n_points, None)  # a fit leaves out nothing but inductive points, which come first
    known = {"u_z_ohm": spectrum.columns["u_z_ohm"][spectrum.used][last]} if fitted.weight == "variance" else {}
    real, imag = _sigma(fitted, problem)
    start, bounds, fix = wishes(fitted)
    weight = cast("Weight", fitted.weight)
    rng = np.random.default_rng(seed)
    values = np.full((draws, len(fitted.parameters)), math.nan)
    at_limit = np.zeros(len(fitted.parameters))
    failures: Counter[str] = Counter()
    for row in values:
        noise = real * rng.standard_normal(model.size) + 1j * imag * rng.standard_normal(model.size)
        draw = Spectrum.of(fitted.frequency_hz, model + noise, columns=known)
        try:
            again = fit(problem.circuit, draw, weight=weight, start=start, bounds=bounds, fix=fix)
        except FitError as error:
            failures[error.what] += 1
            continue
        if not again.converged:
            failures["The optimiser did not converge"] += 1
            continue
        row[:] = [parameter.value for parameter in again.parameters]
        at_limit += [parameter.at_bound for parameter in again.parameters]
    succeeded = int(np.isfinite(values).all(axis=1).sum())
    if succeeded < LEAST:
        raise FitError(
            f"Only {succeeded} of {draws} draws could be fitted",
            where=f"circuit {fitted.circuit}",
            mend="Take a simpler circuit: the data do not hold this one.",
        )
    notes = [f"{count} of {draws} draws failed: {what}." for what, count in failures.items()]
    notes += [
        f"{parameter.name} ran to a limit in {share:.0%} of the draws: its spread is that of a cut distribution."
        for parameter, share in zip(fitted.parameters, at_limit / succeeded, strict=True)
        if share > OFTEN
    ]
    return Bootstrap(
        names=tuple(parameter.name for parameter in fitted.parameters),
        units=tuple(parameter.unit for parameter in fitted.parameters),
        fitted=np.array([parameter.value for parameter in fitted.parameters]),
        values=values,
        seed=seed,
        because=tuple(notes),
    )


def _sigma(fitted: Fit, problem: Problem) -> tuple[RealArray, RealArray]:
    """Return the noise (ohm) of real and imaginary parts at the fitted impedance, each of shape (n,)."""
    real, imag, size = (np.abs(part) for part in (fitted.z_fit_ohm.real, fitted.z_fit_ohm.imag, fitted.z_ohm))
    scale = math.sqrt(fitted.reduced_chi2)
    if fitted.weight == "variance":
        return 1 / problem.weights[0], 1 / problem.weights[1]
    if fitted.weight == "unit":
        return np.full(size.shape, scale), np.full(size.shape, scale)
    if fitted.weight == "modulus":
        return scale * np.abs(fitted.z_fit_ohm), scale * np.abs(fitted.z_fit_ohm)
    return scale * np.maximum(real, 1e-6 * size), scale * np.maximum(imag, 1e-6 * size)
