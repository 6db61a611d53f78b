"""The same fit by other means: impedance.py, lmfit and SciPy, each as a careful user would write it.

Each gives a function from a spectrum's row to the fitted values in natural units, shape (p,). What a user would do
once for a circuit (imports, parameter names, limits) is done before; what is done for every spectrum is in the
function that is timed. lmfit and SciPy get a model written by hand for the circuit, with one real exponential per
constant-phase element and frequency; SciPy walks scales by their logarithm and gets the exact Jacobian.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.workloads import FORMS, PORES, TWO_ARCS, ComplexArray, RealArray, Workload

FitOne = Callable[[int], RealArray]
LOG_LIMITS = -46.0, 46.0
"""Limits of ln R and ln Q: 20 decades each way."""
EXPONENT_LIMITS = 0.3, 1.0
TURN = 0.5j * np.pi


class HandWritten:
    """Z and ∂Z/∂t of one circuit at fixed frequencies; t is ln R, ln Q, and exponents as they are."""

    def __init__(self, work: Workload) -> None:
        self.omega = 2 * np.pi * work.frequency_hz
        self.log_omega = np.log(self.omega)
        self.exponents = list(FORMS[work.circuit].exponents)
        self.is_log = np.ones(len(work.names), dtype=bool)
        self.is_log[self.exponents] = False
        self.with_derivatives = {TWO_ARCS: self._two_arcs, PORES: self._pores}[work.circuit]

    def natural(self, t: RealArray) -> RealArray:
        values = np.array(t, dtype=float)
        values[self.is_log] = np.exp(values[self.is_log])
        return values

    def walked(self, values: RealArray) -> RealArray:
        t = np.array(values, dtype=float)
        t[self.is_log] = np.log(t[self.is_log])
        return t

    @property
    def limits(self) -> tuple[RealArray, RealArray]:
        low = np.where(self.is_log, LOG_LIMITS[0], EXPONENT_LIMITS[0])
        return low, np.where(self.is_log, LOG_LIMITS[1], EXPONENT_LIMITS[1])

    def impedance(self, values: RealArray) -> ComplexArray:
        """Return the impedance alone, from natural units: the vectorised model for lmfit."""
        if self.with_derivatives == self._two_arcs:
            r0, r1, q1, a1, r2, q2, a2, q3, a3 = values
            arcs = r1 / (1 + r1 * self._admittance(q1, a1)) + r2 / (1 + r2 * self._admittance(q2, a2))
            return r0 + arcs + 1 / self._admittance(q3, a3)
        r0, r1, q1, a1, r_ion, q2, gamma = values
        s = np.sqrt(r_ion * self._admittance(q2, gamma))
        return r0 + r1 / (1 + r1 * self._admittance(q1, a1)) + r_ion / (s * np.tanh(s))

    def _admittance(self, q: float, alpha: float) -> ComplexArray:
        return np.exp(alpha * self.log_omega) * (q * np.exp(TURN * alpha))

    def _arc(self, r: float, q: float, alpha: float, rows: ComplexArray) -> ComplexArray:
        u = r * self._admittance(q, alpha)
        z = r / (1 + u)
        rows[0] = z / (1 + u)
        rows[1] = rows[0] - z
        rows[2] = rows[1] * (self.log_omega + TURN)
        return z

    def _two_arcs(self, t: RealArray) -> tuple[ComplexArray, ComplexArray]:
        r0, r1, q1, a1, r2, q2, a2, q3, a3 = self.natural(t)
        rows = np.empty((9, self.omega.size), dtype=complex)
        rows[0] = r0
        tail = 1 / self._admittance(q3, a3)
        z = r0 + self._arc(r1, q1, a1, rows[1:4]) + self._arc(r2, q2, a2, rows[4:7]) + tail
        rows[7] = -tail
        rows[8] = -tail * (self.log_omega + TURN)
        return z, rows

    def _pores(self, t: RealArray) -> tuple[ComplexArray, ComplexArray]:
        r0, r1, q1, a1, r_ion, q2, gamma = self.natural(t)
        rows = np.empty((7, self.omega.size), dtype=complex)
        rows[0] = r0
        s = np.sqrt(r_ion * self._admittance(q2, gamma))
        coth = 1 / np.tanh(s)
        pores = r_ion * coth / s
        half = 0.5 * (r_ion * (1 - coth * coth) - pores)
        rows[4], rows[5], rows[6] = pores + half, half, half * (self.log_omega + TURN)
        return r0 + self._arc(r1, q1, a1, rows[1:4]) + pores, rows


def scipy_trf(work: Workload) -> FitOne:
    """Return `scipy.optimize.least_squares`, TRF within limits, exact Jacobian, defaults otherwise."""
    return _scipy(work, "trf")


def scipy_lm(work: Workload) -> FitOne:
    """Return `scipy.optimize.least_squares`, MINPACK's Levenberg-Marquardt, exact Jacobian, no limits."""
    return _scipy(work, "lm")


def _scipy(work: Workload, method: str) -> FitOne:
    from scipy.optimize import least_squares

    model = HandWritten(work)
    low, high = model.limits
    options = {"x_scale": "jac", "bounds": (low, high)} if method == "trf" else {"x_scale": "jac"}

    def fit_one(row: int) -> RealArray:
        z = work.z_ohm[row]
        weight = 1 / np.abs(z)

        def misses(t: RealArray) -> RealArray:
            miss = (model.with_derivatives(t)[0] - z) * weight
            return np.concatenate([miss.real, miss.imag])

        def slopes(t: RealArray) -> RealArray:
            rows = model.with_derivatives(t)[1] * weight
            return np.concatenate([rows.real, rows.imag], axis=1).T

        start = np.clip(model.walked(work.start_of(row)), low, high)
        found = least_squares(misses, start, jac=slopes, method=method, max_nfev=300, **options)
        return model.natural(found.x)

    return fit_one


def lmfit_leastsq(work: Workload) -> FitOne:
    """Return `lmfit.minimize(method="leastsq")`: vectorised model, scales above zero, exponents at most 1.

    In natural units, as lmfit's users write it; walking logarithms instead made it right less often on W1 and W3.
    """
    import lmfit

    model = HandWritten(work)

    def fit_one(row: int) -> RealArray:
        z = work.z_ohm[row]
        weight = 1 / np.abs(z)
        parameters = lmfit.Parameters()
        for name, value, is_log in zip(work.names, work.start_of(row).tolist(), model.is_log, strict=True):
            low, high = (0.0, np.inf) if is_log else EXPONENT_LIMITS
            parameters.add(name, value=value, min=low, max=high)

        def misses(given: lmfit.Parameters) -> RealArray:
            miss = (model.impedance(np.array(list(given.valuesdict().values()))) - z) * weight
            return np.concatenate([miss.real, miss.imag])

        found = lmfit.minimize(misses, parameters, method="leastsq").params
        return np.array(list(found.valuesdict().values()))

    return fit_one


def impedance_modulus(work: Workload) -> FitOne:
    """Return impedance.py's `CustomCircuit.fit(…, weight_by_modulus=True)`."""
    return _impedance(work, weight_by_modulus=True)


def impedance_default(work: Workload) -> FitOne:
    """Return impedance.py's `CustomCircuit.fit` as it comes: every point weighs the same number of ohms."""
    return _impedance(work, weight_by_modulus=False)


def _impedance(work: Workload, *, weight_by_modulus: bool) -> FitOne:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from impedance.models.circuits import CustomCircuit

    def fit_one(row: int) -> RealArray:
        circuit = CustomCircuit(work.circuit, initial_guess=work.start_of(row).tolist())
        circuit.fit(work.frequency_hz, work.z_ohm[row], weight_by_modulus=weight_by_modulus)
        return np.asarray(circuit.parameters_)

    return fit_one


PEERS: dict[str, dict[str, Callable[[Workload], FitOne]]] = {
    "impedance": {"impedance.py, modulus": impedance_modulus, "impedance.py, default": impedance_default},
    "lmfit": {"lmfit leastsq": lmfit_leastsq},
    "scipy-trf": {"SciPy TRF": scipy_trf},
    "scipy-lm": {"SciPy LM": scipy_lm},
}
"""What `--peers` names, and the contenders each stands for."""

PACKAGE = {"impedance": "impedance", "lmfit": "lmfit", "scipy-trf": "scipy", "scipy-lm": "scipy"}
"""What must be installed for it."""


def is_installed(peer: str) -> bool:
    """Tell whether the peer's package can be imported, without importing it."""
    return importlib.util.find_spec(PACKAGE[peer]) is not None
