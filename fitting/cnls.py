"""Complex non-linear least squares: a circuit, a spectrum, and a `Fit` with its full covariance.

Scales and times are walked by their logarithm, exponents as they are, all within limits, with the exact Jacobian.
Starts come from the data and are varied until two of them agree on the best sum of squares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from eis.errors import FitError
from eis.from_xarray import spectra_of
from eis.results import Fit
from eis.spectrum import RealArray, Spectrum
from fitting.circuit import RELAXATIONS, Circuit, parse
from fitting.descent import by_scipy, walker
from fitting.problem import Problem, Values, Weight, by_name, lay_out
from fitting.staircase import has_tail
from fitting.starts import further_starts
from fitting.steps import USUAL_DAMPING
from fitting.uncertainty import AGREE, NOTHING, RETRY, End, at_limit, correlation, record

if TYPE_CHECKING:
    import lmfit
    import xarray as xr

CAREFUL = (USUAL_DAMPING, 10.0, 1000.0)
"""Dampings of the walks from a start that is wholly given: the end near it is wanted."""
SPECTRA = "Read a file with eis.read(path), or wrap arrays with eis.Spectrum.of(frequency_hz, z_ohm)."
SWAPPED = (
    "Equal arcs are not in order of rising time constant: limits or fixed values hold for their names. "
    "Limit what tells them apart, such as their capacitances, if the names matter."
)
RESTARTS = 12
"""Most starts that are tried."""
EASY = 3
"""Arcs and tails up to which six starts, two of them agreeing, are enough; each further one asks for two more."""


@overload
def fit(
    circuit: str | Circuit,
    spectrum: Spectrum,
    *,
    weight: Weight = ...,
    start: Values | lmfit.Parameters | None = ...,
    bounds: Mapping[str, tuple[float, float]] | None = ...,
    fix: Mapping[str, float] | None = ...,
    ties: Mapping[str, str] | None = ...,
    near: Fit | None = ...,
    seed: int = ...,
) -> Fit: ...
@overload
def fit(
    circuit: str | Circuit,
    spectrum: Sequence[Spectrum] | xr.Dataset,
    *,
    weight: Weight = ...,
    start: Values | lmfit.Parameters | None = ...,
    bounds: Mapping[str, tuple[float, float]] | None = ...,
    fix: Mapping[str, float] | None = ...,
    ties: Mapping[str, str] | None = ...,
    sequence: bool = ...,
    seed: int = ...,
) -> list[Fit]: ...
def fit(
    circuit: str | Circuit,
    spectrum: Spectrum | Sequence[Spectrum] | xr.Dataset,
    *,
    weight: Weight = "modulus",
    start: Values | lmfit.Parameters | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fix: Mapping[str, float] | None = None,
    ties: Mapping[str, str] | None = None,
    near: Fit | None = None,
    sequence: bool = False,
    seed: int = 0,
) -> Fit | list[Fit]:
    r"""Fit a circuit to a spectrum (or to each of several).

    .. math:: \chi^2 = \sum_i (Z'_i - \hat Z'_i)^2 / \sigma'^2_i + (Z''_i - \hat Z''_i)^2 / \sigma''^2_i

    Parameters
    ----------
    circuit : str or Circuit
        impedance.py's grammar (``"L0-R0-p(R1,CPE1)"``) or Boukamp's in square brackets.
    spectrum : Spectrum, sequence of Spectrum, or xarray.Dataset
        The data; points with an excluding flag are left out. A Dataset has z_real and z_imag (ohm) over frequency
        (Hz); one with a further dimension is a sequence along it.
    weight : {"modulus", "unit", "proportional", "variance"}
        σ = \|Z\| for both parts; 1 Ω; \|Z′\| and \|Z″\|; or the column ``u_z_ohm``, taken as known.
    start : mapping, sequence or lmfit.Parameters, optional
        Initial values by name, or all in circuit order; what is missing comes from the data. lmfit's parameters
        bring their limits and what does not vary. If all are given, the
        fit starts there and nowhere else.
    bounds : mapping of str to (float, float), optional
        Limits by parameter name, in natural units.
    fix : mapping of str to float, optional
        Parameters held at a value.
    ties : mapping of str to str, optional
        Parameters that follow others by lmfit's expressions, ``{"R2": "2*R1"}``; see `fitting.fit_tied`. A tied
        fit begins at the data's own starts, not near another fit.
    near : Fit, optional
        A fit of the same circuit to begin from, e.g. of the spectrum before this one in time or temperature. Its
        neighbourhood is kept if what it leaves over is noise; otherwise the data's own starts are tried as well.
    sequence : bool
        Of several spectra, begin each near the one before.
    seed : int
        Seed of the varied starts.

    Returns
    -------
    Fit or list of Fit
        Values, full covariance (scaled by the reduced χ² unless the weight is "variance"), AICc, BIC, arcs. Equal
        arcs next to each other are put in order of rising time constant.

    Raises
    ------
    FitError
        For a name the circuit does not have, a start outside the limits, or fewer points than twice the number of
        free parameters.
    CircuitError
        If the circuit text is not a circuit.
    """
    parsed = parse(circuit) if isinstance(circuit, str) else circuit
    _require_kinds(parsed, {"bounds": bounds, "fix": fix, "ties": ties})
    if start is not None and hasattr(start, "valuesdict"):  # lmfit.Parameters: values, limits and what varies
        from fitting.interop import from_lmfit

        told = from_lmfit(cast("lmfit.Parameters", start))
        start, bounds, fix = told["start"], {**told["bounds"], **(bounds or {})}, {**told["fix"], **(fix or {})}
        ties = {**told["ties"], **(ties or {})}
    data = _spectra(spectrum)
    if not isinstance(data, Spectrum):
        fits: list[Fit] = []
        for one in data:
            before = fits[-1] if sequence and fits and not ties else None
            one_fit = fit(
                parsed, one, weight=weight, start=start, bounds=bounds, fix=fix, ties=ties, near=before, seed=seed
            )
            fits.append(one_fit)
        return fits
    if ties:
        from fitting.ties import fit_tied

        told_start = cast("Values | None", start)
        return fit_tied(parsed, data, ties, weight=weight, start=told_start, bounds=bounds, fix=fix, seed=seed)
    given = by_name(parsed, cast("Values | None", start))
    problem = lay_out(parsed, data, weight, given, bounds or {}, fix or {})
    candidates = _candidates(problem, given, seed)
    if all(name in given for name, free in zip(parsed.names, problem.free, strict=True) if free):
        ends = _search_near(problem, problem.values)
    elif near is not None:
        end = walker(problem)(problem.walked(_values_of(near, problem)))
        ends = [end] if _looks_right(problem, end) else _search(problem, candidates)
    else:
        ends = _search(problem, candidates)
    best = min(ends, key=lambda end: end.chi2)
    values = problem.natural(best.t)
    ordered = _order_arcs(parsed, values)
    may_order = start is None and near is None and not bounds and not fix
    fitted = record(problem, ordered if may_order else values, best, ends, weight)
    notes = [str(doubt) for doubt in data.metadata.get("doubts", ())]  # what its reader could not believe
    if (bounds or fix) and not np.array_equal(ordered, values):  # a limit holds for a name, whichever arc bears it
        notes.append(SWAPPED)
    return replace(fitted, because=(*fitted.because, *notes)) if notes else fitted


def _require_kinds(circuit: object, wishes: Mapping[str, object]) -> None:
    """Refuse what is no circuit, and wishes that do not say for which parameter they are."""
    if not isinstance(circuit, Circuit):
        raise FitError(
            f"{type(circuit).__name__} is not a circuit", mend='Give its text, such as "R0-p(R1,CPE1)".'
        )
    for name, wish in wishes.items():
        if wish is not None and not isinstance(wish, Mapping):
            raise FitError(
                f"{name} is a {type(wish).__name__}", mend=f"Give a mapping by parameter: {name}={{'R1': …}}."
            )


def _spectra(given: Spectrum | Sequence[Spectrum] | xr.Dataset) -> Spectrum | list[Spectrum]:
    """Return one spectrum or several; a Dataset of one dimension is one."""
    if isinstance(given, Spectrum):
        return given
    several: Any = given  # any iterable will do
    if not hasattr(given, "data_vars"):
        every: list[Spectrum] = list(several) if isinstance(several, Iterable) else [several]
        for one in every:
            if not isinstance(one, Spectrum):
                raise FitError(f"{type(given).__name__} is not a spectrum, nor several", mend=SPECTRA)
        return every
    found = spectra_of(several)
    return found[0] if several["z_real"].ndim == 1 else found


def _candidates(problem: Problem, given: Mapping[str, float], seed: int) -> Iterator[RealArray]:
    """Yield starts in walked parameters, inside the limits; the given values stay in all of them."""
    yield problem.walked(problem.values)
    frequency = problem.omega / (2 * np.pi)
    names = problem.circuit.names
    held = np.array([name in given for name in names]) | ~problem.free
    for values in islice(further_starts(problem.circuit, frequency, problem.z, seed=seed), RESTARTS - 1):
        yield problem.walked(np.where(held, problem.values, np.clip(values, problem.lower, problem.upper)))


def _search(problem: Problem, candidates: Iterator[RealArray]) -> list[End]:
    """Walk down from each start until two ends agree on the best χ²."""
    walk = walker(problem)
    ends: list[End] = []
    for t in candidates:
        ends.append(walk(t))
        if _is_settled(problem, ends):
            break
    return ends


def _search_near(problem: Problem, values: RealArray) -> list[End]:
    """Walk down from one start; with more damping, and SciPy's way, until an end looks right."""
    t, walk, ends = problem.walked(values), walker(problem), list[End]()
    for damping in CAREFUL:
        ends.append(walk(t, damping))
        if _looks_right(problem, ends[-1]):
            return ends
    return [*ends, by_scipy(problem)(t)]


def _values_of(near: Fit, problem: Problem) -> RealArray:
    """Return the values of another fit as a start for this problem."""
    if near.circuit != str(problem.circuit):
        raise FitError(
            f"The fit to begin near is of another circuit, {near.circuit}",
            where=f"circuit {problem.circuit}",
            mend="Give a fit of the same circuit.",
        )
    values = np.array([near.value(name) for name in problem.circuit.names])
    return np.where(problem.free, np.clip(values, problem.lower, problem.upper), problem.values)


def _is_settled(problem: Problem, ends: Sequence[End]) -> bool:
    """Enough ends agree on the best χ², and that one looks right."""
    best, *others = sorted(ends, key=lambda end: end.chi2)
    components = len(problem.circuit.arcs) + has_tail(problem.circuit)
    enough = 6 + 2 * max(0, components - EASY)
    agreed = any(end.chi2 <= best.chi2 * (1 + AGREE) + NOTHING for end in others)
    return agreed and len(ends) >= enough and _looks_right(problem, best)


def _looks_right(problem: Problem, end: End) -> bool:
    """Tell whether an end arrived, nothing in it ran away, and what it leaves over is noise rather than shape."""
    away = at_limit(problem, problem.natural(end.t))[problem.walked_by_log].any()
    follows = correlation(problem.residuals(end.t)) > RETRY / np.sqrt(problem.z.size)
    return end.success and not away and (end.chi2 <= NOTHING or not follows)


def _order_arcs(circuit: Circuit, values: RealArray) -> RealArray:
    """Put equal arcs in order of rising time constant, so that R1 is R1 in every spectrum."""
    place = {name: i for i, name in enumerate(circuit.names)}
    named = dict(zip(circuit.names, values.tolist(), strict=True))
    out = values.copy()
    for group in circuit.exchangeable:
        taus = [_time_constant(named, names) for names in group]
        order = np.argsort(taus, kind="stable")
        for target, source in enumerate(order):
            for to, of in zip(group[target], group[source], strict=True):
                out[place[to]] = named[of]
    return out


def _time_constant(values: Mapping[str, float], names: Sequence[str]) -> float:
    """Return τ (s) of an arc from its resistance, its Q, C or τ, and its exponent if any."""
    if names[0].startswith(RELAXATIONS):
        return values[names[1]]
    exponent = values[names[2]] if len(names) > 2 else 1.0
    return float((values[names[0]] * values[names[1]]) ** (1 / exponent))
