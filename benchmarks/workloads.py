"""Spectra whose truth is known, and what it means to have found it.

Every workload is made from closed forms written here with nothing but NumPy, so that the truth never comes from
the elements under test. Seeds are fixed and every spectrum has its own random numbers: the first 20 spectra of a
workload of 500 are the workload of 20.

W1      ``R0-p(R1,CPE1)-p(R2,CPE2)-CPE3``: two depressed arcs and a blocking tail, each spectrum with its own
        start, off by a factor 2 to 3 in every R and Q.
W2      the same spectra, one generic start for all.
W2H     the same spectra, one start for all that says nothing and does not tell the arcs apart.
W3      ``R0-p(R1,CPE1)-TLMQ2``: an arc and a porous electrode with blocking pores.
ZARC2   ``R0-Zarc1-Zarc2``, for relaxation times and Kramers-Kronig.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RealArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

NOISE = 0.003
"""Standard deviation of the real and of the imaginary part, each as a share of |Z|."""
CLOSE = 0.05
"""A parameter this close (relative) is right, whatever the noise says."""
SIGMAS = 3.0
"""A parameter within this many Cramér–Rao standard deviations is right."""
WORSE = 1.05
"""A fit may leave χ² this much above the truth's own."""
STEP = 1e-5
"""Relative step of the central differences."""

TWO_ARCS = "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"
PORES = "R0-p(R1,CPE1)-TLMQ2"
TWO_ZARCS = "R0-Zarc1-Zarc2"


@dataclass(frozen=True, slots=True)
class Form:
    """A circuit in closed form.

    `impedance(omega, values)` takes (n,) in rad/s and (…, p) in natural units and gives (…, n) in ohm.
    `arcs` are the columns of arcs that may be swapped; `log_tau(values, columns)` is ln τ of one of them.
    """

    names: tuple[str, ...]
    exponents: tuple[int, ...]
    impedance: Callable[[RealArray, RealArray], ComplexArray]
    arcs: tuple[tuple[int, ...], ...]
    log_tau: Callable[[RealArray, tuple[int, ...]], RealArray]


@dataclass(frozen=True, eq=False)
class Workload:
    """Spectra, their truth, and where the fits start.

    Parameters
    ----------
    name, circuit : str
        The circuit in impedance.py's grammar.
    names : tuple of str
        Parameter names, the order of `truth` and `starts`.
    frequency_hz : ndarray, shape (n,)
        Falling (Hz).
    z_ohm : ndarray of complex, shape (spectra, n)
        Truth plus noise (ohm).
    truth : ndarray, shape (spectra, p)
        Natural units; exchangeable arcs in order of rising time constant.
    starts : ndarray, shape (spectra, p) or (p,)
        Of each spectrum, or of all.
    noise : float
        Standard deviation of each part over |Z|.
    """

    name: str
    circuit: str
    names: tuple[str, ...]
    frequency_hz: RealArray
    z_ohm: ComplexArray
    truth: RealArray
    starts: RealArray
    noise: float = NOISE

    def __len__(self) -> int:
        return len(self.truth)

    def start_of(self, row: int) -> RealArray:
        """Return the start of one spectrum, shape (p,)."""
        return self.starts if self.starts.ndim == 1 else self.starts[row]

    def right(self, values: ArrayLike, rows: slice | NDArray[np.int_] = slice(None)) -> NDArray[np.bool_]:
        """Tell which fits of the spectra `rows` found the truth; `values` has shape (rows, p)."""
        return right(
            values,
            self.truth[rows],
            circuit=self.circuit,
            frequency_hz=self.frequency_hz,
            z_ohm=self.z_ohm[rows],
            noise=self.noise,
        )


def workload(name: str, n: int | None = None) -> Workload:
    """Return the first `n` spectra of a workload; without `n`, 500 of W1, W2 and W2H and 200 of W3 and ZARC2."""
    make, usual = WORKLOADS[name]
    return make(usual if n is None else n)


def right(
    values: ArrayLike,
    truth: ArrayLike,
    *,
    circuit: str,
    frequency_hz: RealArray,
    z_ohm: ComplexArray,
    noise: float = NOISE,
) -> NDArray[np.bool_]:
    """Tell which fits found the truth, shape (spectra,).

    A fit is right if, its exchangeable arcs in order of τ, every parameter lies within 5 % or 3 σ (Cramér–Rao) of
    the truth, and its modulus-weighted χ² is at most 1.05 times the truth's.
    """
    form = FORMS[circuit]
    truth = np.atleast_2d(np.asarray(truth, dtype=float))
    values = np.atleast_2d(np.asarray(values, dtype=float))
    usable = np.isfinite(values).all(axis=1) & (values > 0).all(axis=1)
    values = in_order(circuit, np.where(usable[:, None], values, truth))
    reach = np.maximum(CLOSE * truth, SIGMAS * deviation(circuit, frequency_hz, truth, noise=noise))
    near = (np.abs(values - truth) <= reach).all(axis=1)
    omega = 2 * np.pi * frequency_hz
    z_ohm = np.atleast_2d(z_ohm)
    left = chi2(form.impedance(omega, values), z_ohm, noise=noise)
    return usable & near & (left <= WORSE * chi2(form.impedance(omega, truth), z_ohm, noise=noise))


def chi2(model_ohm: ComplexArray, z_ohm: ComplexArray, *, noise: float = NOISE) -> RealArray:
    """Return χ² with σ = noise·|Z| for both parts, shape (spectra,)."""
    return (np.abs(model_ohm - z_ohm) ** 2 / (noise * np.abs(z_ohm)) ** 2).sum(axis=-1)


def in_order(circuit: str, values: RealArray) -> RealArray:
    """Return the same values, shape (spectra, p), with exchangeable arcs in order of rising time constant."""
    form = FORMS[circuit]
    if len(form.arcs) < 2:
        return values
    log_tau = np.stack([form.log_tau(values, arc) for arc in form.arcs], axis=1)
    order = np.argsort(log_tau, axis=1, kind="stable")
    out = values.copy()
    columns = np.array(form.arcs)
    out[:, columns] = np.take_along_axis(values[:, columns], order[:, :, None], axis=1)
    return out


def deviation(circuit: str, frequency_hz: RealArray, truth: RealArray, *, noise: float = NOISE) -> RealArray:
    """Return the Cramér–Rao standard deviation of each parameter at the truth, shape (spectra, p)."""
    form = FORMS[circuit]
    omega = 2 * np.pi * frequency_hz
    z = form.impedance(omega, truth)
    weight = 1 / (noise * np.abs(z))
    columns = []
    for i in range(truth.shape[1]):
        up, down = truth.copy(), truth.copy()
        up[:, i] *= 1 + STEP
        down[:, i] *= 1 - STEP
        by_log = (form.impedance(omega, up) - form.impedance(omega, down)) / (2 * STEP) * weight
        columns.append(np.concatenate([by_log.real, by_log.imag], axis=1))
    jacobian = np.stack(columns, axis=2)
    covariance = np.linalg.inv(np.swapaxes(jacobian, 1, 2) @ jacobian)
    return np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)) * truth


def _constant_phase_admittance(omega: RealArray, q: RealArray, alpha: RealArray) -> ComplexArray:
    return q[..., None] * (1j * omega) ** alpha[..., None]


def _depressed_arc(omega: RealArray, r: RealArray, q: RealArray, alpha: RealArray) -> ComplexArray:
    return 1 / (1 / r[..., None] + _constant_phase_admittance(omega, q, alpha))


def _two_arcs(omega: RealArray, values: RealArray) -> ComplexArray:
    r0, r1, q1, a1, r2, q2, a2, q3, a3 = np.moveaxis(values, -1, 0)
    arcs = _depressed_arc(omega, r1, q1, a1) + _depressed_arc(omega, r2, q2, a2)
    return r0[..., None] + arcs + 1 / _constant_phase_admittance(omega, q3, a3)


def _pores(omega: RealArray, values: RealArray) -> ComplexArray:
    r0, r1, q1, a1, r_ion, q2, gamma = np.moveaxis(values, -1, 0)
    walls = 1 / _constant_phase_admittance(omega, q2, gamma)  # J. Landesfeind, doi:10.1149/2.1141607jes, eq. 11
    r_ion = r_ion[..., None]
    pores = np.sqrt(r_ion * walls) / np.tanh(np.sqrt(r_ion / walls))
    return r0[..., None] + _depressed_arc(omega, r1, q1, a1) + pores


def _two_zarcs(omega: RealArray, values: RealArray) -> ComplexArray:
    r0, r1, tau1, phi1, r2, tau2, phi2 = np.moveaxis(values[..., None], -2, 0)
    return r0 + r1 / (1 + (1j * omega * tau1) ** phi1) + r2 / (1 + (1j * omega * tau2) ** phi2)


def _log_tau_of_cpe(values: RealArray, columns: tuple[int, ...]) -> RealArray:
    r, q, alpha = (values[:, i] for i in columns)
    return np.log(r * q) / alpha


def _log_tau_of_zarc(values: RealArray, columns: tuple[int, ...]) -> RealArray:
    return np.log(values[:, columns[1]])


FORMS: dict[str, Form] = {
    TWO_ARCS: Form(
        ("R0", "R1", "CPE1_0", "CPE1_1", "R2", "CPE2_0", "CPE2_1", "CPE3_0", "CPE3_1"),
        (3, 6, 8),
        _two_arcs,
        ((1, 2, 3), (4, 5, 6)),
        _log_tau_of_cpe,
    ),
    PORES: Form(
        ("R0", "R1", "CPE1_0", "CPE1_1", "TLMQ2_0", "TLMQ2_1", "TLMQ2_2"),
        (3, 6),
        _pores,
        ((1, 2, 3),),
        _log_tau_of_cpe,
    ),
    TWO_ZARCS: Form(
        ("R0", "Zarc1_0", "Zarc1_1", "Zarc1_2", "Zarc2_0", "Zarc2_1", "Zarc2_2"),
        (3, 6),
        _two_zarcs,
        ((1, 2, 3), (4, 5, 6)),
        _log_tau_of_zarc,
    ),
}


class _Draw:
    """One row of uniform numbers per spectrum, used up column by column."""

    def __init__(self, seed: int, n: int) -> None:
        self._columns = iter(np.random.default_rng([seed, 0]).random((n, 16)).T)

    def uniform(self, low: float, high: float) -> RealArray:
        return low + (high - low) * next(self._columns)

    def log_uniform(self, low: float, high: float) -> RealArray:
        return np.exp(self.uniform(np.log(low), np.log(high)))


def _capacity(r: RealArray, tau: RealArray, alpha: RealArray) -> RealArray:
    """Return the Q (S·s^α) of an arc from its resistance and time constant."""
    return tau**alpha / r


def _measured(seed: int, circuit: str, frequency_hz: RealArray, truth: RealArray) -> ComplexArray:
    z = FORMS[circuit].impedance(2 * np.pi * frequency_hz, truth)
    noise = np.random.default_rng([seed, 1]).standard_normal((len(truth), frequency_hz.size, 2))
    return z + NOISE * np.abs(z) * (noise[..., 0] + 1j * noise[..., 1])


def _off(seed: int, circuit: str, truth: RealArray) -> RealArray:
    """Return starts: scales off by a factor 2 to 3 up or down, exponents by at most 0.1 and below 1."""
    draws = np.random.default_rng([seed, 2]).random((*truth.shape, 2))
    factor = (2 + draws[..., 0]) ** np.where(draws[..., 1] < 0.5, -1, 1)
    starts = truth * factor
    exponents = list(FORMS[circuit].exponents)
    starts[:, exponents] = np.minimum(truth[:, exponents] + 0.2 * draws[:, exponents, 0] - 0.1, 0.99)
    return starts


def _make(
    name: str,
    circuit: str,
    seed: int,
    frequency_hz: RealArray,
    columns: tuple[RealArray, ...],
    starts: tuple[float, ...] | None = None,
) -> Workload:
    truth = np.stack(columns, axis=1)
    return Workload(
        name,
        circuit,
        FORMS[circuit].names,
        frequency_hz,
        _measured(seed, circuit, frequency_hz, truth),
        truth,
        _off(seed, circuit, truth) if starts is None else np.array(starts),
    )


def _w1(n: int, name: str = "W1", starts: tuple[float, ...] | None = None) -> Workload:
    seed = 101
    draw = _Draw(seed, n)
    r0, r1 = draw.log_uniform(1, 30), draw.log_uniform(10, 1000)
    tau1, alpha1 = draw.log_uniform(2e-6, 2e-5), draw.uniform(0.8, 0.98)
    r2 = r1 * draw.log_uniform(0.3, 5)
    tau2, alpha2 = draw.log_uniform(1e-3, 1e-2), draw.uniform(0.75, 0.95)
    alpha3, crossing_hz = draw.uniform(0.7, 0.95), draw.log_uniform(0.3, 3)
    q3 = 1 / (r2 * (2 * np.pi * crossing_hz) ** alpha3)
    columns = (
        r0, r1, _capacity(r1, tau1, alpha1), alpha1, r2, _capacity(r2, tau2, alpha2), alpha2, q3, alpha3,
    )  # fmt: skip
    return _make(name, TWO_ARCS, seed, np.geomspace(1e6, 0.1, 60), columns, starts)


def _w2(n: int) -> Workload:
    return _w1(n, "W2", (10, 100, 1e-6, 0.9, 100, 1e-4, 0.9, 1e-3, 0.9))


def _w2h(n: int) -> Workload:
    return _w1(n, "W2H", (1e3, 1e3, 1e-6, 0.95, 1e3, 1e-6, 0.95, 1e-6, 0.95))


def _w3(n: int) -> Workload:
    seed = 303
    draw = _Draw(seed, n)
    r0, r1 = draw.log_uniform(1, 30), draw.log_uniform(10, 300)
    tau1, alpha1 = draw.log_uniform(1e-5, 1e-4), draw.uniform(0.8, 0.98)
    r_ion = r1 * draw.log_uniform(0.3, 5)
    tau2, gamma = draw.log_uniform(0.03, 1), draw.uniform(0.85, 0.98)
    columns = (r0, r1, _capacity(r1, tau1, alpha1), alpha1, r_ion, _capacity(r_ion, tau2, gamma), gamma)
    return _make("W3", PORES, seed, np.geomspace(1e5, 0.01, 60), columns)


def _zarc2(n: int) -> Workload:
    seed = 404
    draw = _Draw(seed, n)
    r0, r1 = draw.log_uniform(1, 30), draw.log_uniform(10, 300)
    tau1, phi1 = draw.log_uniform(2e-6, 2e-5), draw.uniform(0.8, 0.98)
    r2 = r1 * draw.log_uniform(0.3, 5)
    tau2, phi2 = draw.log_uniform(1e-3, 1e-1), draw.uniform(0.75, 0.95)
    columns = (r0, r1, tau1, phi1, r2, tau2, phi2)
    return _make("ZARC2", TWO_ZARCS, seed, np.geomspace(1e6, 0.1, 71), columns)


WORKLOADS: dict[str, tuple[Callable[[int], Workload], int]] = {
    "W1": (_w1, 500),
    "W2": (_w2, 500),
    "W2H": (_w2h, 500),
    "W3": (_w3, 200),
    "ZARC2": (_zarc2, 200),
}
