"""Effective capacitances of an arc from its constant-phase element, each with its uncertainty; Q is never one.

Q has the unit S·s^α. What capacitance it stands for depends on where the time constants are spread: through a film
(Hsu–Mansfeld), over a surface (Brug), or as a profile of resistivity (Hirschorn).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eis.errors import ConfigError
from eis.fitted import Arc, Fit
from eis.interface import Capacitance
from eis.spectrum import RealArray

EPSILON_0_F_CM = 8.8541878128e-14
"""Permittivity of the vacuum (F/cm), CODATA 2018."""
FILM, SURFACE = "Hsu-Mansfeld", "Brug"
APPLIES = {
    FILM: "time constants spread through bulk, boundaries or a film; τ/R",
    SURFACE: "time constants spread over the surface of an electrode",
    "C": "a plain capacitor",
    "τ/R": "the top of a skewed arc or of a peak",
}
LEAST_SURFACE = 0.7
"""Exponent below which a constant-phase element is no spread of time constants over a surface."""
STEP = 1e-20
"""Relative step of the derivatives along the imaginary axis, where there is no cancellation."""


def time_constant(r_ohm: float, q: float, alpha: float) -> float:
    """Return τ = (RQ)^(1/α) (s) of R (ohm) parallel to a CPE with Q (S·s^α)."""
    return float((r_ohm * q) ** (1 / alpha))


def hsu_mansfeld(r_ohm: float, q: float, alpha: float) -> float:
    r"""Return the effective capacitance (F) of a CPE whose time constants spread through a film.

    .. math:: C = Q^{1/\alpha} R^{(1-\alpha)/\alpha} = \tau / R

    with R the arc's own resistance (ohm), Q in S·s^α. Hsu, Mansfeld, Corrosion 57 (2001) 747,
    doi:10.5006/1.3280607.
    """
    return float(q ** (1 / alpha) * r_ohm ** ((1 - alpha) / alpha))


def brug_blocking(q: float, alpha: float, r_e_ohm: float) -> float:
    r"""Return the effective capacitance (F) of a CPE spread over the surface of a blocking electrode.

    .. math:: C = Q^{1/\alpha} R_e^{(1-\alpha)/\alpha}

    with R_e (ohm) the resistance in series with it, Q in S·s^α. Brug, van den Eeden, Sluyters-Rehbach, Sluyters,
    J. Electroanal. Chem. 176 (1984) 275, doi:10.1016/S0022-0728(84)80324-1.
    """
    return float(q ** (1 / alpha) * r_e_ohm ** ((1 - alpha) / alpha))


def brug_faradaic(q: float, alpha: float, r_e_ohm: float, r_ct_ohm: float) -> float:
    r"""Return the effective capacitance (F) of a CPE spread over the surface of a reacting electrode.

    .. math:: C = Q^{1/\alpha} \left(\frac{1}{R_e} + \frac{1}{R_{ct}}\right)^{(\alpha-1)/\alpha}

    with R_e (ohm) the resistance in series and R_ct (ohm) the arc's own, Q in S·s^α; tends to `brug_blocking` for
    large R_ct. Source as there.
    """
    return float(q ** (1 / alpha) * (1 / r_e_ohm + 1 / r_ct_ohm) ** ((alpha - 1) / alpha))


def power_law(q_per_cm2: float, alpha: float, *, rho_ohm_cm: float, eps_r: float) -> float:
    r"""Return the capacitance per area (F/cm²) of a film whose resistivity follows a power law.

    .. math:: C = g\,Q\,(\rho_\delta \varepsilon_r \varepsilon_0)^{1-\alpha}, \qquad
        g = 1 + 2.88\,(1-\alpha)^{2.375}

    Parameters
    ----------
    q_per_cm2, alpha : float
        Q (S·s^α/cm²) and exponent, above 0.5.
    rho_ohm_cm : float
        Resistivity ρ_δ (ohm cm) at the film's face to the electrolyte; no spectrum tells it.
    eps_r : float
        Relative permittivity of the film.

    Raises
    ------
    ConfigError
        If an argument is not above zero, or the exponent not in (0.5, 1].

    References
    ----------
    Hirschorn et al., Electrochim. Acta 55 (2010) 6218, doi:10.1016/j.electacta.2009.10.065.
    """
    given = {"q_per_cm2": q_per_cm2, "rho_ohm_cm": rho_ohm_cm, "eps_r": eps_r}
    faults = [f"{name} is {value:g}" for name, value in given.items() if not (math.isfinite(value) and value > 0)]
    if not 0.5 < alpha <= 1:
        faults.append(f"alpha is {alpha:g}")
    if faults:
        raise ConfigError(
            f"The film is not described rightly: {'; '.join(faults)}",
            mend="Give finite numbers above zero and an exponent above 0.5, up to 1.",
        )
    g = 1 + 2.88 * (1 - alpha) ** 2.375
    return float(g * q_per_cm2 * (rho_ohm_cm * eps_r * EPSILON_0_F_CM) ** (1 - alpha))


def skewed_peak(alpha: float, beta: float) -> float:
    r"""Return over τ the time constant (1/ω at the top) of a Havriliak–Negami arc.

    .. math:: \frac{1}{\omega_\mathrm{max}\tau} =
        \left[\frac{\sin\frac{\pi\alpha\beta}{2(1+\beta)}}{\sin\frac{\pi\alpha}{2(1+\beta)}}\right]^{1/\alpha}

    with α and β from 0 to 1; 1 for β = 1. R. Díaz-Calleja, Macromolecules 33 (2000) 8924, doi:10.1021/ma991082i.
    """
    return float(_skewed_peak(alpha, beta))


@dataclass(frozen=True, slots=True)
class ArcShape:
    """What a fit or a distribution of relaxation times says of one arc, as measured.

    Parameters
    ----------
    name, parameter : str
        Of the arc, and of its resistance in the fit.
    r_ohm, u_r_ohm : float
        Width on the real axis (ohm).
    tau_s, u_ln_tau : float
        Time constant at its top (s), and the standard uncertainty of its logarithm.
    u_log_c : float
        Standard uncertainty of the decimal logarithm of τ/R.
    capacitances : tuple of Capacitance
        Effective capacitances (F), τ/R first; empty if the resistance is not determined.
    degrees_of_freedom : float
        How well `u_r_ohm` is known.
    because : tuple of str
        What a reader should know.
    """

    name: str
    r_ohm: float
    u_r_ohm: float
    tau_s: float = math.nan
    u_ln_tau: float = math.nan
    u_log_c: float = math.nan
    capacitances: tuple[Capacitance, ...] = ()
    degrees_of_freedom: float = math.inf
    parameter: str = ""
    because: tuple[str, ...] = ()

    @property
    def frequency_hz(self) -> float:
        """1/(2πτ) (Hz), where −Z″ of the arc peaks."""
        return 1 / (2 * math.pi * self.tau_s)

    @property
    def c_f(self) -> float:
        """τ/R (F); NaN if the arc is not determined."""
        return self.capacitances[0].value_f if self.capacitances else math.nan


def arc_shapes(fit: Fit) -> tuple[ArcShape, ...]:
    """Return every arc of a fit, in order of rising time constant; those that are not determined come last.

    The series resistance of Brug's formula is everything that has already relaxed where the arc lies: the
    resistors in series and the faster arcs; there is none by that formula where this is not determined or the
    exponent is below 0.7. An exponent at its bound is taken as exact.
    """
    order = sorted(fit.arcs, key=lambda arc: _place(arc, fit))
    faster: list[str] = list(fit.series_resistance)
    out = []
    for arc in order:
        out.append(_shape(arc, fit, tuple(faster)))
        if fit.value(arc.resistance) > 0:
            faster.append(arc.resistance)
    return tuple(sorted(out, key=lambda shape: shape.tau_s if shape.tau_s > 0 else math.inf))


def propagate(
    fit: Fit, names: Sequence[str], function: Callable[..., Sequence[Any]]
) -> tuple[RealArray, RealArray]:
    r"""Return functions of a fit's parameters and their covariance, to first order.

    .. math:: \Sigma_y = J\, \Sigma_x\, J^\mathsf{T}, \qquad
        J_{ki} = \operatorname{Im} y_k(x + \mathrm{j} h e_i) / h

    Parameters
    ----------
    fit : Fit
        With its covariance; a parameter at its bound is taken as exact.
    names : sequence of str
        The m parameters the functions take, in order.
    function : callable
        Takes m numbers or complex arrays, returns k of them; analytic.

    Returns
    -------
    values : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
        NaN where a parameter has no uncertainty.
    """
    x = np.array([fit.value(name) for name in names])
    covariance = fit.covariance_of(names)
    bound = [fit[name].at_bound for name in names]
    if any(bound):
        covariance[bound, :] = covariance[:, bound] = 0.0
    h = STEP * np.maximum(np.abs(x), 1e-300)
    steps = x[:, None] + 1j * np.diag(h)
    y = np.array(function(*steps), dtype=np.complex128)
    jacobian = y.imag / h
    return y[:, 0].real, jacobian @ covariance @ jacobian.T


def _place(arc: Arc, fit: Fit) -> float:
    r, second = fit.value(arc.resistance), fit.value(arc.second)
    alpha = fit.value(arc.exponent) if arc.exponent else 1.0
    return second if arc.kind == "zarc" else time_constant(max(r, 0.0), max(second, 0.0), alpha)


def _shape(arc: Arc, fit: Fit, faster: tuple[str, ...]) -> ArcShape:
    r, u = fit[arc.resistance].value, fit[arc.resistance].u
    dof = 2.0 * fit.n_points - fit.n_free
    if not (u <= r and r > 0 and fit.value(arc.second) > 0):  # a guess has no shape
        return ArcShape(arc.name, r, u, degrees_of_freedom=dof, parameter=arc.resistance)
    in_series = tuple(name for name in faster if fit.value(name) > 0)
    brug = arc.exponent is not None and not arc.skew and _has_surface(fit, fit.value(arc.exponent), in_series)
    names = (*arc.names, *(in_series if brug else ()))

    def of(*x: Any) -> list[Any]:
        own, others = x[: len(arc.names)], x[len(arc.names) :]
        tau = tau_of(arc, own)
        ends = [np.log(tau), np.log(tau / own[0])]
        if brug:  # C_Brug/C_HM = (R_e/(R_e + R))^((1-α)/α), the same for a Zarc
            r_e, alpha = sum(others), own[2]
            ends.append(ends[1] + (1 - alpha) / alpha * np.log(r_e / (r_e + own[0])))
        return ends

    logs, covariance = propagate(fit, names, of)
    u_logs = np.sqrt(np.maximum(np.diag(covariance), 0.0))  # of natural logarithms
    first = "C" if arc.kind == "capacitor" else "τ/R" if arc.skew else FILM
    found = [Capacitance(first, math.exp(logs[1]), math.exp(logs[1]) * float(u_logs[1]), APPLIES[first])]
    if brug:
        found.append(
            Capacitance(SURFACE, math.exp(logs[2]), math.exp(logs[2]) * float(u_logs[2]), APPLIES[SURFACE])
        )
    held = [name for name in arc.names if fit[name].at_bound]
    because = (f"{' and '.join(held)} stopped at a bound and is taken as exact",) if held else ()
    return ArcShape(
        name=arc.name,
        r_ohm=r,
        u_r_ohm=u,
        tau_s=math.exp(logs[0]),
        u_ln_tau=float(u_logs[0]),
        u_log_c=float(u_logs[1]) / math.log(10),
        capacitances=tuple(found),
        degrees_of_freedom=dof,
        parameter=arc.resistance,
        because=because,
    )


def _has_surface(fit: Fit, alpha: float, in_series: Sequence[str]) -> bool:
    if alpha < LEAST_SURFACE or not in_series:
        return False
    known = [name for name in in_series if not (fit[name].at_bound or fit[name].fixed)]
    variance = float(fit.covariance_of(known).sum())
    return math.sqrt(max(variance, 0.0)) <= sum(fit.value(name) for name in in_series) and not math.isnan(variance)


def _skewed_peak(alpha: Any, beta: Any) -> Any:
    angle = math.pi * alpha / (2 * (1 + beta))
    return (np.sin(angle * beta) / np.sin(angle)) ** (1 / alpha)


def tau_of(arc: Arc, own: Sequence[Any]) -> Any:
    """Return the time constant (s) at the top of an arc from the values of `Arc.names`, numbers or arrays."""
    if arc.kind == "capacitor":
        return own[0] * own[1]
    if arc.kind == "zarc":
        return own[1] * _skewed_peak(own[2], own[3]) if arc.skew else own[1]
    return (own[0] * own[1]) ** (1 / own[2])


def blocking_capacitances(fit: Fit) -> tuple[Capacitance, ...]:
    """Return the capacitance of every constant-phase element in series with all else, by Brug's blocking formula.

    Its series resistance is all that lies before it: resistors and arcs. The formula's name holds the element's.
    """
    resistances = (*fit.series_resistance, *(arc.resistance for arc in fit.arcs))
    before = tuple(name for name in resistances if fit.value(name) > 0)
    if not before:
        return ()
    out = []
    for element in _in_series(fit.circuit):
        if not element.startswith("CPE"):
            continue

        def of(q: Any, alpha: Any, *rs: Any) -> list[Any]:
            return [(np.log(q) + (1 - alpha) * np.log(sum(rs))) / alpha]  # of brug_blocking

        log_c, covariance = propagate(fit, (f"{element}_0", f"{element}_1", *before), of)
        c = math.exp(log_c[0])
        said = f"{element}, an electrode that lets no ions pass"
        out.append(Capacitance("Brug, blocking", c, c * math.sqrt(max(covariance[0, 0], 0.0)), said))
    return tuple(out)


def _in_series(circuit: str) -> list[str]:
    """Return what stands between the hyphens outside every parenthesis."""
    parts, depth = [""], 0
    for letter in circuit:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "-" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
