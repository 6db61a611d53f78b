"""Several spectra of one cell as one least-squares problem: shared, Arrhenius and smooth parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eis import notebook
from eis.fitted import plain
from eis.quantities import COVERAGE, format_plain, format_uncertain
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import Circuit, parse
from fitting.problem import Weight
from fitting.tied import ZERO_C, Tied, check_ties, lay_out_one, least_apart, separate, temperatures, tie
from fitting.uncertainty import NOTHING, SUSPECT, End, correlation

if TYPE_CHECKING:
    import pandas as pd

BOLTZMANN_EV = 8.617333262e-5
"""Boltzmann constant (eV/K), exact in the SI of 2019 to the digits given."""
Uncertain = tuple[float, float]


@dataclass(frozen=True, eq=False)
class JointFit:
    """What one circuit says about several spectra at once; every ``u`` is a standard uncertainty (k = 1).

    Parameters
    ----------
    circuit, weight : str
        The circuit in impedance.py's grammar, and the weights.
    names, units : tuple of str, length p
        The circuit's parameters and their units.
    spectra : tuple of str, length m
        What the spectra are called.
    values, u : ndarray, shape (m, p)
        Every parameter in every spectrum, in its unit; `u` is NaN where the data tell none.
    shared : dict of str to (float, float)
        Value and u of the parameters with one value for all spectra.
    activation_energy_ev, reference_ohm : dict of str to (float, float)
        E_a (eV) and R_ref (ohm) with u of the Arrhenius parameters; R_ref holds at `reference_temperature_c`.
    temperature_c : ndarray, shape (m,), or None
        Temperatures (°C) of the spectra; `reference_temperature_c` lies at their mean inverse temperature.
    global_names : tuple of str, length k
        The fitted parameters: ``R1`` shared, ``R1_ref`` and ``E_a(R1)``, ``R1[0]`` of the first spectrum, ….
    covariance : ndarray, shape (k, k)
        Their covariance in natural units (eV for E_a); NaN rows where the data tell none.
    chi2, reduced_chi2, penalty : float
        Weighted sum of squares of the data, the same per degree of freedom, and what smoothness added to it.
    n_points, n_free : int
        Number of frequencies in all spectra, and k.
    n_effective : float
        k less what the smoothness takes away: tr[J (JᵀJ + P)⁻¹ Jᵀ].
    aicc, delta_aicc : float
        Information criterion, and the same less that of separate fits: negative supports the ties.
    converged : bool
        Whether the optimiser arrived.
    because : tuple of str
        What a reader should know, first whether the ties are supported.
    """

    circuit: str
    weight: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    spectra: tuple[str, ...]
    values: RealArray
    u: RealArray
    shared: Mapping[str, Uncertain]
    activation_energy_ev: Mapping[str, Uncertain]
    reference_ohm: Mapping[str, Uncertain]
    temperature_c: RealArray | None
    reference_temperature_c: float
    global_names: tuple[str, ...]
    covariance: RealArray
    chi2: float
    reduced_chi2: float
    penalty: float
    n_points: int
    n_free: int
    n_effective: float
    aicc: float
    delta_aicc: float
    converged: bool
    because: tuple[str, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per spectrum: temperature_c if known, then each parameter and its ``u_``."""
        import pandas as pd

        table: dict[str, Any] = {} if self.temperature_c is None else {"temperature_c": self.temperature_c}
        for i, name in enumerate(self.names):
            table |= {name: self.values[:, i], f"u_{name}": self.u[:, i]}
        return pd.DataFrame(table, index=pd.Index(self.spectra, name="spectrum"))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; NaN is null there."""
        numbers = ("chi2", "reduced_chi2", "penalty", "n_effective", "aicc", "delta_aicc")
        ties = ("shared", "activation_energy_ev", "reference_ohm")
        rows = [
            {
                "spectrum": name,
                "temperature_c": None if self.temperature_c is None else float(self.temperature_c[s]),
                "parameters": [
                    plain({"name": n, "value": v, "u": w, "unit": unit})
                    for n, v, w, unit in zip(
                        self.names, self.values[s].tolist(), self.u[s].tolist(), self.units, strict=True
                    )
                ],
            }
            for s, name in enumerate(self.spectra)
        ]
        return {
            "circuit": self.circuit,
            "weight": self.weight,
            "spectra": rows,
            **{t: {n: plain({"value": v, "u": w}) for n, (v, w) in getattr(self, t).items()} for t in ties},
            **plain({n: getattr(self, n) for n in (*numbers, "reference_temperature_c")}),
            "global_names": list(self.global_names),
            "covariance": [[c if math.isfinite(c) else None for c in row] for row in self.covariance.tolist()],
            **{n: getattr(self, n) for n in ("n_points", "n_free", "converged")},
            "because": list(self.because),
        }

    def _ties(self) -> list[tuple[str, str]]:
        """Return name and value ± U of what the spectra have in common."""
        unit = dict(zip(self.names, self.units, strict=True))
        rows = [(name, _shown(*pair, unit[name])) for name, pair in self.shared.items()]
        for name, energy in self.activation_energy_ev.items():
            rows.append((f"E_a({name})", _shown(*energy, "eV")))
            at = f" at {self.reference_temperature_c:.2f} °C"
            rows.append((f"{name}_ref", _shown(*self.reference_ohm[name], "ohm") + at))
        return rows

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        head = (
            f"{self.circuit} over {len(self.spectra)} spectra, {self.weight} weights: {state}, reduced χ² "
            f"{self.reduced_chi2:.4g}, {self.n_points} points, {self.n_free} free (± is U, k = {COVERAGE:g})"
        )
        ties = [f"  {name} = {value}" for name, value in self._ties()]
        return "\n".join([head, *ties, *(f"  note: {b}" for b in self.because)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{notebook.escape(b)}</li>" for b in self.because)
        rows = [
            (spectrum, *(_shown(v, w, unit) for v, w, unit in zip(*row, self.units, strict=True)))
            for spectrum, *row in zip(self.spectra, self.values.tolist(), self.u.tolist(), strict=True)
        ]
        title = notebook.escape(str(self).splitlines()[0])
        common = notebook.table(("parameter", "value ± U (k = 2)"), self._ties())
        return f"<p>{title}</p>{common}{notebook.table(('spectrum', *self.names), rows)}<ul>{notes}</ul>"


def fit_joint(
    circuit: str | Circuit,
    spectra: Sequence[Spectrum],
    *,
    shared: Sequence[str] = (),
    arrhenius: Sequence[str] = (),
    temperature_c: Sequence[float] | None = None,
    smooth: Mapping[str, float] | None = None,
    weight: Weight = "modulus",
    seed: int = 0,
) -> JointFit:
    r"""Fit one circuit to several spectra of one cell at once.

    .. math:: \min \sum_s \chi^2_s + \sum_\theta w_\theta \sum_s (\Delta^2 \ln \theta_s)^2, \qquad
              \ln R_s = \ln R_\mathrm{ref} + \frac{E_a}{k_B} \left(\frac{1}{T_s} - \frac{1}{T_\mathrm{ref}}\right)

    The Arrhenius form is ln R against 1/T, as for an interface. It is not ln(σT) or ln(R/T) against 1/T, whose E_a
    is larger by about k_B T (26 meV at 25 °C). T is taken as exact: its uncertainty is not in u(E_a).

    Parameters
    ----------
    circuit : str or Circuit
        As in `fitting.fit`.
    spectra : sequence of Spectrum
        Two or more, in the order along which `smooth` is meant; each needs the points of a fit of its own.
    shared : sequence of str
        Parameters with one value for all spectra.
    arrhenius : sequence of str
        Resistances (ohm) that follow one E_a (eV), with T_ref at the mean inverse temperature.
    temperature_c : sequence of float, optional
        One temperature (°C) per spectrum; without it, each spectrum's ``metadata["temperature_c"]``.
    smooth : mapping of str to float, optional
        Weight w of the squared second differences of ln θ (of θ itself for an exponent) along the sequence. It
        stands beside χ²: as a prior, a second difference has the standard deviation s/√w, with s² the reduced χ²
        (1 if the weight is "variance"). Values are pulled towards a line, and u describes that prior as well.
    weight : {"modulus", "unit", "proportional", "variance"}
        As in `fitting.fit`; all spectra have one reduced χ².
    seed : int
        Seed of the starts of the separate fits.

    Returns
    -------
    JointFit
        Values, full covariance, and whether AICc supports the ties against separate fits.

    Raises
    ------
    FitError
        For an unknown name or one tied twice, missing or equal temperatures, or too few spectra or points.

    References
    ----------
    S. Arrhenius, Z. Phys. Chem. 4 (1889) 226, doi:10.1515/zpch-1889-0416. AICc: C. M. Hurvich, C.-L. Tsai,
    Biometrika 76 (1989) 297, doi:10.1093/biomet/76.2.297. k_B: CODATA 2018.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    shared, arrhenius, smooth = _named(shared), _named(arrhenius), dict(smooth or {})
    check_ties(parsed, len(spectra), shared, arrhenius, smooth)
    celsius = temperatures(spectra, temperature_c, bool(arrhenius))
    inverse = np.zeros(len(spectra)) if celsius is None else 1 / (celsius - ZERO_C)
    centre = float(inverse.mean())
    problems = [lay_out_one(parsed, spectra, s, weight) for s in range(len(spectra))]
    tied = tie(problems, shared, arrhenius, smooth, (inverse - centre) / BOLTZMANN_EV)
    alone, u_alone = separate(problems, spectra, np.argsort(-inverse, kind="stable"), weight, seed)
    n, per_spectrum = 2 * sum(problem.z.size for problem in problems), len(parsed.names)

    def judge(end: End) -> tuple[float, float, float, RealArray, float]:
        """Return χ² of the data, AICc, ΔAICc, (JᵀJ + P)⁻¹ and the effective number of an end."""
        chi2 = end.chi2 - float(np.sum((tied.penalty @ end.t) ** 2))
        covariance, effective = tied.covariance(end.t)
        aicc = _aicc(chi2, n, effective, weight)
        apart = least_apart(problems, alone, tied.each(end.t))
        return chi2, aicc, aicc - _aicc(apart, n, per_spectrum * len(spectra), weight), covariance, effective

    end = tied.descend(tied.start(alone, robust=False))
    chi2, aicc, delta, covariance, effective = judge(end)
    if delta > 0 or not end.success:  # one separate fit in a wrong minimum may have spoilt the start
        other = tied.descend(tied.start(alone, robust=True))
        if other.chi2 < end.chi2:
            end = other
            chi2, aicc, delta, covariance, effective = judge(end)

    reduced = chi2 / max(n - effective, 1.0)
    covariance = covariance * (1.0 if weight == "variance" else reduced)
    walked = tied.each(end.t)
    values = np.array([problem.natural(t) for problem, t in zip(problems, walked, strict=True)])
    u = tied.spread(covariance) * np.where(problems[0].walked_by_log, values, 1.0)
    natural = np.where(tied.by_log, np.exp(np.where(tied.by_log, end.t, 0.0)), end.t)
    to_natural = np.where(tied.by_log, natural, 1.0)
    covariance = covariance * np.outer(to_natural, to_natural)
    both = zip(natural.tolist(), np.sqrt(np.diag(covariance)).tolist(), strict=True)
    found = dict(zip(tied.names, both, strict=True))
    notes = [_verdict(delta, bool(shared or arrhenius or smooth))]
    if delta > 0 and (shared or arrhenius):
        notes.append(_worst(tied, alone, u_alone, (*shared, *arrhenius)))
    return JointFit(
        circuit=str(parsed),
        weight=weight,
        names=tuple(parsed.names),
        units=tuple(parameter.unit for parameter in parsed.parameters),
        spectra=tuple(spectrum.name for spectrum in spectra),
        values=values,
        u=u,
        shared={name: found[name] for name in shared},
        activation_energy_ev={name: found[f"E_a({name})"] for name in arrhenius},
        reference_ohm={name: found[f"{name}_ref"] for name in arrhenius},
        temperature_c=celsius,
        reference_temperature_c=math.nan if celsius is None else 1 / centre + ZERO_C,
        global_names=tied.names,
        covariance=covariance,
        chi2=chi2,
        reduced_chi2=reduced,
        penalty=end.chi2 - chi2,
        n_points=n // 2,
        n_free=len(tied.names),
        n_effective=effective,
        aicc=aicc,
        delta_aicc=delta,
        converged=end.success,
        because=(*notes, *_notes(tied, covariance, end)),
    )


def _named(names: Sequence[str]) -> tuple[str, ...]:
    """Return each name once; a single text is one name."""
    return (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))


def _aicc(chi2: float, n: int, k: float, weight: Weight) -> float:
    """Return AICc of n residuals and k parameters, the unknown variance being one more; as `fitting.fit` does."""
    misfit, k = (chi2, k) if weight == "variance" else (n * math.log(max(chi2, 1e-300) / n), k + 1)
    return misfit + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)


def _verdict(delta: float, ties: bool) -> str:
    """Say whether the data support the ties."""
    if not ties:
        return "Nothing is tied: these are separate fits with one common variance."
    difference = f"ΔAICc = {delta:+.1f} against separate fits"
    if delta > 0:
        return f"The ties are not supported by the data: {difference}. Free what differs between the spectra."
    return f"The ties are {'supported' if delta <= -2 else 'neither supported nor contradicted'}: {difference}."


def _worst(tied: Tied, alone: RealArray, u: RealArray, names: Sequence[str]) -> str:
    """Name the tied parameter whose separate values scatter most about the tie, in their own uncertainties."""
    away = np.abs(tied.each(tied.start(alone, robust=False)) - alone) / u
    away = np.where(np.isfinite(away), away, 0.0)
    place = {name: i for i, name in enumerate(tied.problems[0].circuit.names)}
    name = max(names, key=lambda one: float(away[:, place[one]].max()))
    s = int(away[:, place[name]].argmax())
    return f"{name} contradicts its tie most: spectrum {s + 1} alone lies {away[s, place[name]]:.1f} u from it."


def _notes(tied: Tied, covariance: RealArray, end: End) -> list[str]:
    """Tell what else a reader should know."""
    notes = [f"Spectrum {s + 1}: {note}" for s, problem in enumerate(tied.problems) for note in problem.notes]
    for s, (problem, t) in enumerate(zip(tied.problems, tied.each(end.t), strict=True)):
        follows = correlation(problem.residuals(t))
        if follows > SUSPECT / math.sqrt(problem.z.size) and end.chi2 > NOTHING:
            notes.append(
                f"Spectrum {s + 1}: neighbouring residuals are correlated ({follows:.2f}): a shape is missed."
            )
    held = tied.held(end.t)
    for i in np.flatnonzero(np.isnan(np.diag(covariance))):
        why = "it rests on a limit or no longer shows" if held[i] else "the data do not determine it"
        notes.append(f"{tied.names[i]} has no uncertainty: {why}.")
    if not end.success:
        notes.append("The optimiser stopped at its limit of steps.")
    return notes


def _shown(value: float, u: float, unit: str) -> str:
    """Print value ± U (k = 2)."""
    if unit in ("ohm", "F", "s", "H"):
        return format_uncertain(value, u, unit.replace("ohm", "Ω"))
    return f"{format_plain(value, u)} {unit}".rstrip()
