"""The distribution of relaxation times of a spectrum: ``drt(spectrum)`` returns a `Drt` with its peaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from eis.drt_record import TWO_SIDED, Drt
from eis.errors import FitError
from eis.from_xarray import spectra_of
from eis.spectrum import RealArray, Spectrum
from fitting.drt_bayes import shortest_band, truncated_draws
from fitting.drt_hierarchical import self_tuned, smoothed_away
from fitting.drt_lambda import FLOOR, LAMBDAS, NEGATIVE, Modes, Rule, check_rule, choose, misfit, modes, raised
from fitting.drt_matrices import Basis, Matrices, Part, Penalty, matrices
from fitting.drt_peaks import BAND, FASTER, WINDOW, Posterior, find_peaks
from fitting.drt_problem import Laid, Weight, blocks, check_sweep, chosen_extras, lay_out, weights_of
from fitting.drt_solver import solve, solve_positive

if TYPE_CHECKING:
    import xarray as xr

Method = Literal["ridge", "hierarchical"]
DEFAULT_RULES: dict[Method, Rule] = {"ridge": "rgcv", "hierarchical": "mgcv"}
"""Rules whose bands cover best and that miss the fewest peaks, measured on pairs of arcs."""
MISSES = 0.05
"""Residuals, over |Z|, from which the data are said to be no sum of relaxations; noise is seldom a fifth of it."""
FEWEST_FREE = 4
"""Degrees of freedom the noise estimate keeps, however flexible γ is."""


@dataclass(frozen=True)
class Options:
    """How γ is to be found; see `drt`."""

    method: Method = "ridge"
    lambda_: float | Rule | None = None
    basis: Basis = "gaussian"
    penalty: Penalty = 1
    parts: Part = "both"
    weight: Weight = "modulus"
    non_negative: bool = True
    r_inf: bool = True
    inductance: bool = True
    capacitance: bool | Literal["auto"] = "auto"
    draws: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("ridge", "hierarchical"):
            raise FitError(f"There is no method {self.method!r}", mend="Choose ridge or hierarchical.")
        if isinstance(self.lambda_, str):
            check_rule(self.lambda_)
        elif self.lambda_ is not None and not (math.isfinite(self.lambda_) and self.lambda_ > 0):
            raise FitError(
                f"lambda_ is {self.lambda_!r}", mend="Give a number above zero, the name of a rule, or None."
            )
        if self.capacitance not in (True, False, "auto"):
            raise FitError(f"capacitance is {self.capacitance!r}", mend="Choose True, False or 'auto'.")
        if self.draws < 0 or 0 < self.draws < 100:
            raise FitError(
                f"{self.draws} draws make no 95 % band", mend="Ask for 300 or more, or 0 for the Gaussian band."
            )
        if self.draws and not self.non_negative:
            raise FitError(
                "Draws are for a truncated posterior", mend="Leave draws=0: without non_negative it is Gaussian."
            )


class Given(TypedDict, total=False):
    """The options of `drt`, for type checkers."""

    method: Method
    lambda_: float | Rule | None
    basis: Basis
    penalty: Penalty
    parts: Part
    weight: Weight
    u_z_ohm: ArrayLike | None
    non_negative: bool
    r_inf: bool
    inductance: bool
    capacitance: bool | Literal["auto"]
    draws: int
    seed: int


@overload
def drt(spectra: Spectrum, **options: Unpack[Given]) -> Drt: ...
@overload
def drt(spectra: Sequence[Spectrum] | xr.Dataset, **options: Unpack[Given]) -> list[Drt]: ...
def drt(
    spectra: Spectrum | Sequence[Spectrum] | xr.Dataset,
    *,
    method: Method = "ridge",
    lambda_: float | Rule | None = None,
    basis: Basis = "gaussian",
    penalty: Penalty = 1,
    parts: Part = "both",
    weight: Weight = "modulus",
    u_z_ohm: ArrayLike | None = None,
    non_negative: bool = True,
    r_inf: bool = True,
    inductance: bool = True,
    capacitance: bool | Literal["auto"] = "auto",
    draws: int = 0,
    seed: int = 0,
) -> Drt | list[Drt]:
    r"""Find the distribution of relaxation times of one spectrum, or of several one by one.

    .. math:: \min_{x \ge 0} \|W (A x - z)\|^2 + \lambda \int (d^k \gamma / d(\ln \tau)^k)^2 d \ln \tau

    where x holds the coefficients of γ and R∞, L and 1/C beside it.

    Parameters
    ----------
    spectra : Spectrum, sequence of Spectrum, or xarray.Dataset
        What was measured.
    method : {"ridge", "hierarchical"}
        One λ for all τ, or a smoothness of its own at each τ, tuned by the data: sharp peaks stay sharp.
    lambda_ : float or {"gcv", "mgcv", "rgcv", "reim", "lcurve"}, optional
        Strength of smoothing, or how to choose it; see `fitting.drt_lambda`. Without it, ``"rgcv"``, or
        ``"mgcv"`` for the hierarchical method.
    basis : {"gaussian", "linear"}
        Gaussians, or a broken line.
    penalty : {1, 2}
        Derivative that is penalised.
    parts : {"both", "real", "imag"}
        Parts of the impedance to use.
    weight : {"modulus", "unit", "variance"}
        Weights 1/\|Z\|, equal, or 1/`u_z_ohm`.
    u_z_ohm : array_like, shape (n,), optional
        Standard uncertainty of each part at each point (ohm), for ``weight="variance"``.
    non_negative : bool
        Whether γ, R∞, L and 1/C are kept from becoming negative; without it inductive loops are allowed.
    r_inf, inductance : bool
        Whether a series resistance and inductance stand beside γ.
    capacitance : bool or "auto"
        Whether a series capacitance does; ``"auto"`` if the spectrum ends in a blocking tail.
    draws : int
        Number of draws from the truncated posterior; the band then holds what they say besides the Gaussian one.
    seed : int
        Seed of the draws.

    Returns
    -------
    Drt, or list of Drt
        One for each spectrum.

    Raises
    ------
    FitError
        If an option is unknown, the sweep spans less than two decades, or has fewer than three points a decade.

    References
    ----------
    T. H. Wan, M. Saccoccio, C. Chen, F. Ciucci, Electrochim. Acta 184 (2015) 483,
    doi:10.1016/j.electacta.2015.09.097.
    """
    chosen = Options(
        method=method, lambda_=lambda_, basis=basis, penalty=penalty, parts=parts, weight=weight,
        non_negative=non_negative, r_inf=r_inf, inductance=inductance, capacitance=capacitance,
        draws=draws, seed=seed,
    )  # fmt: skip
    if isinstance(spectra, Spectrum):
        return _one(spectra, chosen, u_z_ohm)
    several = list(spectra) if isinstance(spectra, Sequence | np.ndarray) else spectra_of(spectra)
    for one in several:
        if not isinstance(one, Spectrum):
            raise FitError(
                f"{type(spectra).__name__} is not a spectrum, nor several",
                mend="Read a file with eis.read(path), or wrap arrays with eis.Spectrum.of(frequency_hz, z_ohm).",
            )
    return [_one(spectrum, chosen, u_z_ohm) for spectrum in several]


def _one(spectrum: Spectrum, options: Options, u_z_ohm: ArrayLike | None) -> Drt:
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    try:
        check_sweep(f)
        if not np.abs(z).min() > 0:
            raise FitError("An impedance is zero", mend="Leave the point out, or compensate the fixture rightly.")
        return _found(spectrum, options, u_z_ohm)
    except FitError as error:
        raise FitError(error.what, where=error.where or spectrum.name, mend=error.mend) from None


def _found(spectrum: Spectrum, options: Options, u_z_ohm: ArrayLike | None) -> Drt:
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    grid = matrices(f, options.basis, options.penalty)
    capacitor = bool(blocks(f, z)) if options.capacitance == "auto" else options.capacitance
    extras = chosen_extras(
        options.parts, r_inf=options.r_inf, inductance=options.inductance, capacitance=capacitor
    )
    u = None if u_z_ohm is None else np.asarray(u_z_ohm, dtype=np.float64)
    laid = lay_out(grid, z, weights_of(z, options.weight, u), options.parts, extras)
    grid, state = _solved(grid, laid, options)
    return _record(spectrum, grid, laid, state, options, capacitor)


@dataclass(frozen=True, eq=False)
class Solved:
    """A solution in units of the scale: normal equations with their penalty, x, and who is free."""

    lambda_: float
    rule: str
    normal: RealArray
    plain: RealArray
    right: RealArray
    x: RealArray
    free: np.ndarray
    notes: tuple[str, ...]


def _solved(grid: Matrices, laid: Laid, options: Options) -> tuple[Matrices, Solved]:
    """Solve with the penalty of the grid, or with that the data ask for; return the grid with the penalty used."""
    if options.method == "hierarchical":
        grid = self_tuned(grid, lambda tuned: _with_penalty(tuned, laid, options).x[: grid.tau_s.size])
    return grid, _with_penalty(grid, laid, options)


def _with_penalty(grid: Matrices, laid: Laid, options: Options) -> Solved:
    m = grid.tau_s.size
    notes: tuple[str, ...] = ()
    made: Modes | None = None
    plain = laid.rows.T @ laid.rows
    right = laid.rows.T @ laid.data
    if isinstance(options.lambda_, (int, float)):
        lam, rule = float(options.lambda_), "given"
    else:
        rule = options.lambda_ or DEFAULT_RULES[options.method]
        made = modes(grid, laid.rows)
        lam, _ = choose(grid, laid, rule, made)
        if lam >= LAMBDAS[-1]:
            notes = (f"λ is at the upper end of what is tried ({lam:.2g}): γ is as smooth as it can be.",)
    normal = plain.copy()
    normal[:m, :m] += lam * grid.roughness
    if options.non_negative:
        x, free = solve(normal, right)
        left = float(((laid.data - laid.rows @ x) ** 2).sum())
        if made is not None and left > NEGATIVE * misfit(made, laid.data, lam):
            lam = raised(grid, plain, right, float(laid.data @ laid.data), laid.data.size, lam)
            normal[:m, :m] = plain[:m, :m] + lam * grid.roughness
            x, free = solve(normal, right)
    else:
        x, free = solve_positive(normal, right), np.ones(right.size, dtype=bool)
    return Solved(lam, rule, normal, plain, right, x, free, notes)


def _record(
    spectrum: Spectrum, grid: Matrices, laid: Laid, state: Solved, options: Options, capacitor: bool
) -> Drt:
    m, scale = grid.tau_s.size, laid.scale
    fitted = laid.rows @ state.x
    inverse = np.linalg.inv(state.normal)
    n_effective = float(np.sum(inverse * state.plain))
    freedom = max(laid.data.size - n_effective, FEWEST_FREE)
    noise = float(((laid.data - fitted) ** 2).sum()) / freedom
    size = float(laid.data @ laid.data) / spectrum.frequency_hz.size
    variance = max(noise, FLOOR**2 * size)
    covariance: RealArray = np.asarray(inverse * variance, dtype=np.float64)
    coefficients = state.x[:m] * scale
    gamma = grid.values @ coefficients
    even = options.method == "ridge"
    believed: RealArray = covariance * BAND[even] ** 2
    u = np.sqrt(np.maximum(((grid.values @ believed[:m, :m]) * grid.values).sum(axis=1), 0)) * scale
    low, high = gamma - TWO_SIDED * u, gamma + TWO_SIDED * u
    if not even:
        lacking = grid.values @ smoothed_away(grid.roughness, state.lambda_, state.normal, state.x, state.free)
        low, high = low + scale * np.minimum(lacking, 0.0), high + scale * np.maximum(lacking, 0.0)
    low = np.maximum(low, 0.0) if options.non_negative else low
    drawn = np.empty((0, state.x.size))
    if options.draws and variance > 0:
        drawn = truncated_draws(believed, inverse @ state.right, state.x, options.draws, options.seed)
        # the walls of many coefficients push the draws away from zero, farther than the truth where γ is small
        lowest, highest = shortest_band(drawn[:, :m] @ (grid.values.T * scale))
        low, high = np.minimum(low, lowest), np.maximum(high, highest)
    known = Posterior(
        grid=grid,
        coefficients=coefficients,
        covariance=covariance[:m, :m] * scale**2,
        normal=state.normal,
        right=state.right,
        plain=state.plain,
        inverse=np.asarray(inverse, dtype=np.float64),
        x=state.x,
        free=state.free,
        total=float(laid.data @ laid.data),
        variance=variance,
        scale=scale,
        n_data=laid.data.size,
        even=even,
    )
    peaks, notes = find_peaks(known)
    beside = {}
    for i, name in enumerate(laid.extras):
        u_extra = math.sqrt(max(float(covariance[m + i, m + i]), 0.0))
        beside[name] = float(state.x[m + i] * laid.unit[i]), float(u_extra * laid.unit[i])
    nothing = (math.nan, math.nan)
    r_inf, inductance, elastance = (beside.get(n, nothing) for n in ("r_inf", "inductance", "capacitance"))
    # what is faster than the sweep looks like R∞
    fastest = abs(float(np.interp(-math.log(grid.omega.max()), np.log(grid.fine_tau_s), gamma)))
    r_inf = r_inf[0], math.hypot(WINDOW[even] * r_inf[1], FASTER[even] * fastest)
    words = [str(doubt) for doubt in spectrum.metadata.get("doubts", ())]  # what its reader could not believe
    if options.weight == "modulus" and noise > MISSES**2:
        words.append(
            f"γ misses the data by {math.sqrt(noise):.0%} of |Z| (rms): they are no sum of relaxations (wrong "
            "sign, negative resistance, drift), or hardly more than noise. Do not believe peaks; validate first."
        )
    words += [*state.notes, *notes]
    if capacitor and options.capacitance == "auto":
        words.append("The spectrum ends in a blocking tail, which a series capacitance takes up; it is no peak.")
    if not peaks and not (options.weight == "modulus" and noise > MISSES**2):
        words.append("The data ask for no relaxation: nothing in them stands above their noise.")
    kernel = grid.kernel @ coefficients
    z_fit = kernel + _beside(grid, r_inf[0], inductance[0], elastance[0])
    return Drt(
        method=options.method, basis=options.basis, penalty=options.penalty, parts=options.parts,
        weight=options.weight, lambda_=state.lambda_, lambda_rule=state.rule,
        r_inf_ohm=r_inf[0], u_r_inf_ohm=r_inf[1], inductance_h=inductance[0], u_inductance_h=inductance[1],
        elastance_per_f=elastance[0], u_elastance_per_f=elastance[1],
        tau_s=grid.fine_tau_s, gamma_ohm=gamma, gamma_low_ohm=low, gamma_high_ohm=high,
        peaks=peaks, because=tuple(words), noise=math.sqrt(noise), n_effective=n_effective,
        frequency_hz=spectrum.frequency_hz, z_ohm=spectrum.z_ohm, z_fit_ohm=z_fit,
        coefficients=coefficients, covariance=known.covariance * WINDOW[even] ** 2, cumulative=grid.cumulative,
        draws=drawn[:, :m] * scale,
        metadata=dict(spectrum.metadata),
    )  # fmt: skip


def _beside(grid: Matrices, r_inf: float, inductance: float, elastance: float) -> np.ndarray:
    """Return the impedance of what stands beside γ; what is not part of the model (NaN) adds nothing."""
    jw = 1j * grid.omega
    r, h, s = (0.0 if math.isnan(value) else value for value in (r_inf, inductance, elastance))
    return np.asarray(r + jw * h + s / jw)
