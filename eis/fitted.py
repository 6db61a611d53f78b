"""What a fit says: parameters with their uncertainty, the whole covariance, and where the arcs are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eis import notebook
from eis.errors import FitError
from eis.quantities import COVERAGE, format_plain, format_uncertain
from eis.spectrum import ComplexArray, RealArray

if TYPE_CHECKING:
    import lmfit
    import pandas as pd
    import xarray as xr

ArcKind = Literal["cpe", "capacitor", "zarc"]


@dataclass(frozen=True, slots=True)
class Parameter:
    r"""One circuit parameter after a fit.

    Parameters
    ----------
    name, unit : str
        impedance.py's name (``CPE1_0``) and unit.
    value, u : float
        Value and standard uncertainty in `unit`; `u` is NaN when there is none, and `because` says why.
    lower, upper : float
        The limits the fit kept.
    significance : float
        Largest change of Z over all frequencies, as a fraction of \|Z\|, per relative change of the parameter (per
        unit change of an exponent): a parameter near 0 does not matter to these data, however well it is known.
    """

    name: str
    value: float
    u: float
    unit: str
    fixed: bool = False
    at_bound: bool = False
    lower: float = 0.0
    upper: float = math.inf
    because: str = ""
    significance: float = math.nan

    def __str__(self) -> str:
        unit = self.unit.replace("ohm", "Ω")
        if self.fixed:
            return f"{self.name} = {self.value:.6g} {unit}".rstrip() + " (fixed)"
        if not math.isfinite(self.u):
            return f"{self.name} = {self.value:.6g} {unit}".rstrip() + f" ± n/a ({self.because})"
        if unit in ("Ω", "H", "F", "s"):
            return f"{self.name} = {format_uncertain(self.value, self.u, unit)}"
        return f"{self.name} = {format_plain(self.value, self.u)} {unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Arc:
    """Where a circuit holds an arc: the names of the parameters that shape it.

    `second` is Q of a CPE, C of a capacitor, or τ of a Zarc, Debye or Havriliak–Negami relaxation; `exponent` is
    None for a capacitor and a Debye relaxation, `skew` the second exponent of Havriliak and Negami.
    """

    name: str
    kind: ArcKind
    resistance: str
    second: str
    exponent: str | None
    skew: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all its parameters, the resistance first."""
        return tuple(n for n in (self.resistance, self.second, self.exponent, self.skew) if n is not None)


@dataclass(frozen=True, eq=False)
class Fit:
    """What a circuit says about a spectrum, with its full covariance.

    Parameters
    ----------
    circuit : str
        The circuit, impedance.py's grammar.
    parameters : tuple of Parameter
        In circuit order.
    free : tuple of str
        Names of the fitted parameters with an uncertainty; the order of `covariance`.
    covariance : ndarray, shape (len(free), len(free))
        Covariance of the free parameters, and of those tied to them, in their natural units; NaN rows where a
        parameter has none.
    weight : str
        ``"modulus"``, ``"unit"``, ``"proportional"`` or ``"variance"``.
    chi2, reduced_chi2, aicc, bic : float
        Weighted sum of squares, the same per degree of freedom, and the information criteria.
    n_points, n_free : int
        Number of frequencies and of free parameters; there are 2·n_points residuals.
    converged : bool
        Whether the optimiser says so and restarts agree.
    because : tuple of str
        Everything a reader should know: bounds reached, unidentified parameters, restarts that disagreed.
    frequency_hz, z_ohm, z_fit_ohm : ndarray, shape (n_points,)
        Data (Hz, ohm) and the fitted impedance (ohm).
    arcs : tuple of Arc
        The circuit's arcs in order of rising time constant.
    series_resistance : tuple of str
        Names of the resistors in series with everything else.
    """

    circuit: str
    parameters: tuple[Parameter, ...]
    free: tuple[str, ...]
    covariance: RealArray
    weight: str
    chi2: float
    reduced_chi2: float
    aicc: float
    bic: float
    n_points: int
    n_free: int
    converged: bool
    because: tuple[str, ...]
    frequency_hz: RealArray
    z_ohm: ComplexArray
    z_fit_ohm: ComplexArray
    arcs: tuple[Arc, ...] = ()
    series_resistance: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=lambda: {})

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.free)}

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self._by_name[name]
        except KeyError:
            raise FitError(
                f"The circuit {self.circuit} has no parameter {name!r}",
                mend=f"It has {', '.join(self._by_name)}.",
            ) from None

    def value(self, name: str) -> float:
        """Return the value of a parameter."""
        return self[name].value

    def covariance_of(self, names: Sequence[str]) -> RealArray:
        """Return the covariance of any parameters, shape (len(names), len(names)); zero for fixed ones.

        Raises
        ------
        FitError
            If the circuit has no such parameter.
        """
        place = self._place
        if all(name in place for name in names):
            at = [place[name] for name in names]
            return np.asarray(self.covariance[np.ix_(at, at)])
        out = np.zeros((len(names), len(names)))
        for i, a in enumerate(names):
            for j, b in enumerate(names):
                if a in place and b in place:
                    out[i, j] = self.covariance[place[a], place[b]]
                elif not (self[a].fixed or self[b].fixed):
                    out[i, j] = math.nan
        return out

    def correlation(self, a: str, b: str) -> float:
        """Return the correlation coefficient of two parameters; NaN if either has no uncertainty."""
        c = self.covariance_of((a, b))
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]))

    @property
    def residual(self) -> ComplexArray:
        """Residuals (Z − Z_fit)/|Z|, shape (n_points,)."""
        return np.asarray((self.z_ohm - self.z_fit_ohm) / np.abs(self.z_ohm))

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents; NaN is null there."""
        names = ("name", "value", "u", "unit", "fixed", "at_bound", "because", "significance")
        return {
            "circuit": self.circuit,
            "weight": self.weight,
            "parameters": [plain({n: getattr(p, n) for n in names}) for p in self.parameters],
            **plain({n: getattr(self, n) for n in ("chi2", "reduced_chi2", "aicc", "bic")}),
            "n_points": self.n_points,
            "n_free": self.n_free,
            "converged": self.converged,
            "because": list(self.because),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per parameter."""
        import pandas as pd

        return pd.DataFrame([asdict(parameter) for parameter in self.parameters]).set_index("name")

    def to_xarray(self) -> xr.Dataset:
        """Return data, fit, values and covariance as a Dataset over frequency and parameter."""
        import xarray as xr

        names = [parameter.name for parameter in self.parameters]
        ohm = {"units": "ohm"}
        return xr.Dataset(
            {
                "z_real": ("frequency", self.z_ohm.real, ohm),
                "z_imag": ("frequency", self.z_ohm.imag, ohm),
                "z_fit_real": ("frequency", self.z_fit_ohm.real, ohm),
                "z_fit_imag": ("frequency", self.z_fit_ohm.imag, ohm),
                "value": ("parameter", [parameter.value for parameter in self.parameters]),
                "u": ("parameter", [parameter.u for parameter in self.parameters]),
                "covariance": (("parameter", "parameter_"), self.covariance_of(names)),
            },
            coords={"frequency": ("frequency", self.frequency_hz, {"units": "Hz"}), "parameter": names},
            attrs={"circuit": self.circuit, "weight": self.weight, "because": json.dumps(self.because)},
        )

    def to_lmfit(self) -> lmfit.Parameters:
        """Return `lmfit.Parameters` with values, limits, standard errors and correlations."""
        import lmfit

        out = lmfit.Parameters()
        for p in self.parameters:
            out.add(p.name, value=p.value, vary=not p.fixed, min=p.lower, max=p.upper)
            if math.isfinite(p.u) and not p.fixed:
                out[p.name].stderr = p.u
                out[p.name].correl = {
                    other: c
                    for other in self.free
                    if other != p.name and math.isfinite(c := self.correlation(p.name, other))
                }
        return out

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        head = (
            f"{self.circuit}, {self.weight} weights: {state}, reduced χ² {self.reduced_chi2:.4g}, "
            f"{self.n_points} points, {self.n_free} free (± is U, k = {COVERAGE:g})"
        )
        return "\n".join([head, *(f"  {p}" for p in self.parameters), *(f"  note: {b}" for b in self.because)])

    def _repr_html_(self) -> str:
        rows = [(p.name, *str(p).split(" = ", 1)[1:]) for p in self.parameters]
        notes = "".join(f"<li>{notebook.escape(b)}</li>" for b in self.because)
        title = notebook.escape(str(self).splitlines()[0])
        drawing = notebook.nyquist_svg(self.z_ohm, line_ohm=self.z_fit_ohm)
        return f"<p>{title}</p>{drawing}{notebook.table(('parameter', 'value ± U (k = 2)'), rows)}<ul>{notes}</ul>"


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` fit for JSON: NaN and infinities become None, enums their text."""
    return {
        key: None if isinstance(v, float) and not math.isfinite(v) else str(v) if isinstance(v, StrEnum) else v
        for key, v in values.items()
    }
