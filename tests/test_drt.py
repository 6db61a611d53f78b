"""The distribution of relaxation times against closed forms and published benchmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eis.drt_record import Drt
from eis.errors import FitError
from eis.spectrum import Quality, Spectrum
from fitting import fit
from fitting.circuit import parse
from fitting.drt_areas import shares, tail
from fitting.drt_hierarchical import smoothed_away
from fitting.drt_matrices import matrices
from fitting.relaxation import drt

F = np.geomspace(1e6, 1e-2, 81)


def jw(f=F):
    return 2j * np.pi * f


def zarc(r, tau, alpha, f=F):
    return r / (1 + (jw(f) * tau) ** alpha)


def noisy(z, noise, seed=0):
    rng = np.random.default_rng(seed)
    return z * (1 + noise * (rng.standard_normal(z.shape) + 1j * rng.standard_normal(z.shape)))


# --- what cannot be, is refused or said ---


def test_one_decade_is_refused_with_the_reason():
    f = np.geomspace(1e3, 1e2, 20)
    with pytest.raises(FitError, match=r"spans 1 decades.*Measure at least 2 decades"):
        drt(Spectrum.of(f, zarc(1, 1e-3, 0.9, f)))


def test_two_points_a_decade_are_refused_with_the_reason():
    f = np.geomspace(1e6, 1e-2, 17)
    with pytest.raises(FitError, match=r"2 points in a decade.*could hide"):
        drt(Spectrum.of(f, zarc(1, 1e-3, 0.9, f)))


@pytest.mark.parametrize(
    ("name", "z"),
    [
        ("a resistor", 10 + 0 * F),
        ("a resistor of a milliohm", 1e-3 + 0 * F),
        ("an inductance", jw() * 1e-6),
        ("a resistor and an inductance", 5e-3 + jw() * 1e-8),
        ("a capacitor", 1 / (jw() * 1e-6)),
        ("a resistor and a capacitor", 10 + 1 / (jw() * 1e-5)),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_no_peak_is_invented_in(name, z, noise):
    for method in ("ridge", "hierarchical"):
        found = drt(Spectrum.of(F, noisy(z, noise)), method=method)
        assert found.peaks == (), name
        assert any("no relaxation" in text for text in found.because)


def test_a_point_that_is_nan_is_left_out():
    z = noisy(zarc(50, 1e-3, 0.9) + 10, 1e-3)
    z[40] = math.nan
    flags = np.zeros(F.size, dtype=int)
    flags[40] = Quality.NOT_A_NUMBER
    found = drt(Spectrum.of(F, z, quality=flags))
    assert [p.r_ohm for p in found.peaks] == pytest.approx([50], rel=0.01)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "magic"}, "no method 'magic'"),
        ({"lambda_": "best"}, "no rule 'best'"),
        ({"lambda_": -1.0}, "lambda_ is -1.0"),
        ({"lambda_": math.nan}, "lambda_ is nan"),
        ({"basis": "sinc"}, "no basis 'sinc'"),
        ({"penalty": 3}, "no penalty 3"),
        ({"parts": "phase"}, "no parts 'phase'"),
        ({"weight": "heavy"}, "Unknown weight"),
        ({"weight": "variance"}, "need the standard uncertainty"),
        ({"draws": 5}, "5 draws make no"),
        ({"capacitance": "maybe"}, "capacitance is 'maybe'"),
        ({"lambda_": "reim", "parts": "real"}, "needs both parts"),
    ],
)
def test_a_wrong_option_is_named(options, says):
    with pytest.raises(FitError, match=says):
        drt(Spectrum.of(F, 1 + zarc(1, 1e-3, 0.9)), **options)


def test_two_arcs_too_near_are_called_not_separable_or_one():
    z = noisy(10 + zarc(50, 1e-3, 1.0) + zarc(50, 3e-3, 1.0), 1e-3)
    found = drt(Spectrum.of(F, z), method="hierarchical")
    assert all(not peak.separable for peak in found.peaks) or len(found.peaks) == 1
    assert found.r_pol_ohm == pytest.approx(100, rel=0.01)


def test_what_lies_beyond_the_sweep_is_said_and_is_no_peak():
    found = drt(Spectrum.of(F, noisy(10 + zarc(50, 1e-3, 0.95) + zarc(500, 1e3, 1.0), 1e-3)), capacitance=False)
    assert [round(math.log10(p.tau_s), 1) for p in found.peaks] == [-3.0]
    assert any("beyond the sweep" in text for text in found.because)


# --- closed forms ---


def gamma_zarc(tau, r, tau0, a):
    return r / (2 * np.pi) * np.sin((1 - a) * np.pi) / (np.cosh(a * np.log(tau / tau0)) - np.cos((1 - a) * np.pi))


@pytest.mark.parametrize("basis", ["gaussian", "linear"])
def test_the_matrix_is_the_integral_of_its_basis_function(basis):
    from scipy.integrate import quad

    grid = matrices(F, basis)
    step, m, x0 = grid.step, 40, math.log(grid.tau_s[40])
    mu = math.sqrt(math.pi) / grid.area[m]

    def phi(x):
        return math.exp(-((mu * x) ** 2)) if basis == "gaussian" else max(0.0, 1 - abs(x) / step)

    reach = 7 / mu if basis == "gaussian" else step
    how = {"points": [0], "epsabs": 1e-13}
    for i in (0, 30, 40, 55, 80):
        u = math.log(2 * math.pi * F[i]) + x0
        real = quad(lambda x, u=u: phi(x) / (1 + math.exp(2 * (x + u))), -reach, reach, points=[0], epsabs=1e-13)[
            0
        ]
        imag = quad(lambda x, u=u: -phi(x) / (2 * math.cosh(x + u)), -reach, reach, **how)[0]
        assert grid.kernel[i, m] == pytest.approx(real + 1j * imag, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("penalty", [1, 2])
def test_the_penalty_is_the_integral_of_the_squared_derivative(penalty):
    grid = matrices(F, "gaussian", penalty)
    x = np.linspace(-4, 4, 20001)
    mu = math.sqrt(math.pi) / grid.area[0]
    for apart in (0, 1, 3):
        a, b = np.exp(-((mu * x) ** 2)), np.exp(-((mu * (x - apart * grid.step)) ** 2))
        for _ in range(penalty):
            a, b = np.gradient(a, x), np.gradient(b, x)
        size = grid.roughness[40, 40]
        assert grid.roughness[40, 40 + apart] == pytest.approx(np.trapezoid(a * b, x), abs=1e-3 * size)


TAU0 = 1e-2
SINGLE = {
    "RC": lambda s: 1 / (1 + s),
    "ZARC 0.8": lambda s: 1 / (1 + s**0.8),
    "Havriliak–Negami": lambda s: 1 / (1 + s**0.9) ** 0.7,
    "Cole–Davidson": lambda s: 1 / (1 + s) ** 0.7,
    "Gerischer": lambda s: 1 / np.sqrt(1 + s),
    "finite-length Warburg": lambda s: np.tanh(np.sqrt(s)) / np.sqrt(s),
}


def cumulative(name, u):
    """∫γ up to τ = u τ0, for R = 1, from the closed forms."""
    from scipy.integrate import quad

    def density(x, name=name):
        v = math.exp(x)
        if name == "ZARC 0.8":
            return gamma_zarc(v, 1.0, 1.0, 0.8)
        if name == "Havriliak–Negami":
            a, b = 0.9, 0.7
            theta = math.atan2(math.sin(math.pi * a), v**a + math.cos(math.pi * a))
            size = (v ** (2 * a) + 2 * v**a * math.cos(math.pi * a) + 1) ** (b / 2)
            return v ** (a * b) * math.sin(b * theta) / (math.pi * size)
        b = 0.7 if name == "Cole–Davidson" else 0.5
        return math.sin(math.pi * b) / math.pi * (v / (1 - v)) ** b if v < 1 else 0.0

    if name == "RC":
        return float(u >= 1)
    if name == "finite-length Warburg":
        k = np.arange(1, 4000)
        lines = 1 / ((k - 0.5) ** 2 * np.pi**2)
        return float((2 * lines)[lines <= u].sum())
    end = min(math.log(u), 0.0) if name in ("Cole–Davidson", "Gerischer") else math.log(u)
    return quad(density, -60, end, limit=400)[0]


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("method", ["ridge", "hierarchical"])
def test_the_area_and_the_place_of_an_analytic_pair(name, method):
    z = 5 + 20 * SINGLE[name](jw() * TAU0)
    found = drt(Spectrum.of(F, z), method=method)
    assert found.r_inf_ohm == pytest.approx(5, abs=0.06)
    assert found.r_pol_ohm == pytest.approx(20, rel=0.01)
    # Wasserstein distance of the distributions of resistance, in decades of τ
    places = np.geomspace(1e-6, 10, 141)
    ours = np.array([found.resistance_between(0, t)[0] for t in places]) / found.r_pol_ohm
    truth = np.array([cumulative(name, t / TAU0) for t in places])
    assert np.trapezoid(np.abs(ours - truth), np.log10(places)) < 0.1  # one spacing of the basis
    main = max(found.peaks, key=lambda p: p.r_ohm)
    if name in ("RC", "ZARC 0.8"):
        assert abs(math.log10(main.tau_s / TAU0)) < 0.03


def test_the_area_of_a_box_lies_between_its_walls():
    low, high, r = 1e-4, 1e-1, 30.0
    w = jw()
    z = 5 + r / math.log(high / low) * (np.log(high / (1 + w * high)) - np.log(low / (1 + w * low)))
    found = drt(Spectrum.of(F, z))
    assert found.resistance_between(low / 2, high * 2)[0] == pytest.approx(r, rel=0.01)
    inside = (found.tau_s > 10**-3.5) & (found.tau_s < 10**-1.5)
    height = r / math.log(high / low)
    assert found.gamma_ohm[inside].mean() == pytest.approx(height, rel=0.02)
    assert found.gamma_ohm[inside] == pytest.approx(height, rel=0.25)  # a wall makes a smooth curve ring


def test_a_blocking_warburg_is_a_capacitance_and_a_third_of_its_resistance():
    s = np.sqrt(jw() * 1.0)
    found = drt(Spectrum.of(F, 5 + 30 / (s * np.tanh(s))))
    assert 1 / found.elastance_per_f == pytest.approx(1.0 / 30, rel=0.01)
    assert found.r_pol_ohm == pytest.approx(10, rel=0.02)
    largest = max(found.peaks, key=lambda p: p.r_ohm)
    assert abs(math.log10(largest.tau_s * math.pi**2)) < 0.1
    assert any("blocking tail" in text for text in found.because)


@pytest.mark.parametrize("basis", ["gaussian", "linear"])
@pytest.mark.parametrize("penalty", [1, 2])
def test_two_zarcs_without_noise_as_published(basis, penalty):
    z = 10 + zarc(50, 0.1, 0.8) + zarc(50, 1e-4, 0.8)
    found = drt(Spectrum.of(F, z), basis=basis, penalty=penalty)
    first, second = found.peaks
    assert abs(first.r_ohm - 50) <= 1
    assert abs(second.r_ohm - 50) <= 1
    assert abs(math.log10(first.tau_s / 1e-4)) < 0.1
    assert abs(math.log10(second.tau_s / 0.1)) < 0.1
    assert found.r_inf_ohm == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("method", ["ridge", "hierarchical"])
def test_two_zarcs_with_half_an_ohm_of_noise_as_published(method):
    rng = np.random.default_rng(12129)
    for r in (50, 5, 15, 25, 35, 45, 55):
        noise = 0.5 * (rng.standard_normal(F.size) + 1j * rng.standard_normal(F.size))
        z = 10 + zarc(r, 0.1, 0.8) + zarc(50, 1e-4, 0.8) + noise
        found = drt(Spectrum.of(F, z), weight="unit", method=method)
        border = 3e-3
        fast, slow = found.resistance_between(0, border)[0], found.resistance_between(border, 1e9)[0]
        assert abs(fast - 50) <= 2.5, r
        assert abs(slow - r) <= 2.5, r
        if r >= 25:
            assert len(found.peaks) == 2
            assert [abs(math.log10(p.tau_s / t)) < 0.1 for p, t in zip(found.peaks, (1e-4, 0.1), strict=True)]


@pytest.mark.parametrize("rule", ["gcv", "mgcv", "rgcv", "reim", "lcurve"])
def test_every_rule_for_lambda_finds_both_arcs(rule):
    z = noisy(10 + 2e-7 * jw() + zarc(50, 0.1, 0.8) + zarc(50, 1e-4, 0.8), 0.003, seed=3)
    found = drt(Spectrum.of(F, z), lambda_=rule)
    assert found.r_pol_ohm == pytest.approx(100, rel=0.02)
    assert found.resistance_between(0, 3e-3)[0] == pytest.approx(50, rel=0.05)
    assert found.inductance_h == pytest.approx(2e-7, rel=0.05)
    assert found.noise == pytest.approx(0.003, rel=0.25)


@pytest.mark.parametrize("parts", ["real", "imag"])
def test_one_part_alone_tells_the_same_arcs(parts):
    z = noisy(10 + zarc(50, 0.1, 0.8) + zarc(50, 1e-4, 0.8), 0.001)
    found = drt(Spectrum.of(F, z), parts=parts)
    assert found.resistance_between(0, 3e-3)[0] == pytest.approx(50, rel=0.05)
    assert math.isnan(found.r_inf_ohm) == (parts == "imag")


@pytest.mark.parametrize("method", ["ridge", "hierarchical"])
@pytest.mark.parametrize("tau", [1e-4, 1e-5, 1e-6])
def test_the_uncertainty_of_r_inf_covers_what_an_arc_leaves_beyond_the_sweep(method, tau):
    for seed in range(12):
        z = noisy(10 + zarc(50, tau, 0.8) + zarc(50, 0.1, 0.8), 0.001, seed=seed)
        found = drt(Spectrum.of(F, z), method=method)
        assert abs(found.r_inf_ohm - 10) <= 2.5 * found.u_r_inf_ohm, seed


@pytest.mark.parametrize("method", ["ridge", "hierarchical"])
def test_what_a_small_arc_takes_from_a_large_one_is_in_the_uncertainty_of_both(method):
    for seed in range(12):
        z = noisy(10 + zarc(100, 1e-3, 0.9) + zarc(8, 0.3, 0.9), 0.001, seed=seed)
        for peak, r in zip(drt(Spectrum.of(F, z), method=method).peaks, (100, 8), strict=True):
            assert abs(peak.r_ohm - r) <= 2 * peak.u_r_ohm, seed


def test_the_bias_of_smoothing_is_that_of_the_estimate_and_once_more():
    strength, x = 0.25, np.array([4.0, 2.0, 0.0, 7.0])  # three coefficients, and one beside them without a penalty
    roughness, normal = np.diag([1.0, 4.0, 1.0]), np.diag([1.25, 2.0, 1.25, 1.0])  # the data weigh 1 each
    kept = np.array([0.2, 0.5, 0.2]) * x[:3]
    twice = kept + np.array([0.2, 0.5, 0.2]) * kept
    assert smoothed_away(roughness, strength, normal, x, x > 0) == pytest.approx(twice)
    assert smoothed_away(roughness, 1e-9, normal, x, x > 0) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("noise", "share"), [(0.001, 0.90), (0.003, 0.89)])
def test_the_self_tuned_band_holds_a_small_arc_beside_a_large_one(noise, share):
    held = []
    for seed in range(30):
        found = drt(
            Spectrum.of(F, noisy(10 + zarc(100, 1e-3, 0.9) + zarc(8, 0.3, 0.9), noise, seed=seed)),
            method="hierarchical",
        )
        truth = gamma_zarc(found.tau_s, 100, 1e-3, 0.9) + gamma_zarc(found.tau_s, 8, 0.3, 0.9)
        inside = (found.tau_s > 1 / (2 * math.pi * F[0])) & (found.tau_s < 1 / (2 * math.pi * F[-1]))
        held.append(((truth >= found.gamma_low_ohm) & (truth <= found.gamma_high_ohm))[inside].mean())
    assert np.mean(held) > share


def test_scale_does_not_matter():
    z = noisy(10 + zarc(50, 0.1, 0.8) + zarc(50, 1e-4, 0.8), 0.003)
    one = drt(Spectrum.of(F, z))
    for size in (1e-5, 1e8):
        other = drt(Spectrum.of(F, size * z))
        assert other.lambda_ == one.lambda_
        assert [p.r_ohm / size for p in other.peaks] == pytest.approx([p.r_ohm for p in one.peaks], rel=1e-6)


# --- peaks that overlap, and what is no peak ---


@pytest.mark.parametrize("alpha", [0.6, 0.8, 0.95])
def test_the_tail_of_an_arc_is_the_integral_of_its_distribution(alpha):
    from scipy.integrate import quad

    for distance in (0.0, 1.0, 4.0):
        area = quad(lambda x, a=alpha: gamma_zarc(math.exp(x), 1.0, 1.0, a), distance, 80, limit=400)[0]
        assert tail(alpha, distance) == pytest.approx(area, abs=1e-9)


def test_two_arcs_are_shared_as_they_are_made():
    x = np.linspace(-25, 25, 2001)
    made = [gamma_zarc(np.exp(x), r, tau0, a) for r, tau0, a in ((60, 1e-2, 0.85), (10, 1e-4, 0.85))]
    gamma = made[0] + made[1]
    tops = [int(np.argmax(made[1])), int(np.argmax(made[0]))]
    valley = tops[0] + int(np.argmin(gamma[tops[0] : tops[1]]))
    parts, exponents = shares(x, gamma, tops, [0, valley, x.size])
    assert parts.sum(axis=0) == pytest.approx(1)
    assert (parts @ gamma) * (x[1] - x[0]) == pytest.approx([10, 60], rel=0.01)
    assert exponents == pytest.approx([0.85, 0.85], abs=0.01)
    cut = gamma[:valley].sum() * (x[1] - x[0])
    assert cut > 10.2  # what a cut at the valley would have given the small one


@pytest.mark.parametrize("method", ["ridge", "hierarchical"])
def test_a_small_arc_beside_a_large_one_has_its_own_resistance(method):
    for seed in range(4):
        z = noisy(10 + zarc(10, 1e-4, 0.85) + zarc(60, 0.02, 0.85), 0.003, seed)
        small, large = drt(Spectrum.of(F, z), method=method).peaks[:2]
        assert small.r_ohm == pytest.approx(10, rel=0.06)  # cut at the valley: up to 10 % off
        assert large.r_ohm == pytest.approx(60, rel=0.02)


def test_noise_and_broad_arcs_make_no_sure_peak():
    others = []
    for seed in range(12):
        for noise in (0.001, 0.01):
            peaks = drt(Spectrum.of(F, noisy(10 + zarc(50, 1e-3, 0.8), noise, seed))).peaks
            main = max(peaks, key=lambda p: p.r_ohm)
            assert main.probability > 0.99
            others += [p.probability for p in peaks if p is not main]
    assert len(others) <= 3
    assert max(others, default=0) < 0.95


def test_a_window_that_reaches_beyond_the_sweep_is_less_certain():
    found = drt(Spectrum.of(F, noisy(10 + zarc(50, 1.0, 0.6), 0.001)))
    end = 1 / (2 * math.pi * F[-1])
    within, beyond = (found.resistance_between(1e-3, last)[1] for last in (end * 0.999, math.inf))
    assert beyond > 2 * within


# --- the record ---


@pytest.fixture(scope="module")
def found() -> Drt:
    return drt(Spectrum.of(F, noisy(10 + 1e-6 * jw() + zarc(50, 0.1, 0.85) + zarc(30, 1e-4, 0.9), 0.002, seed=5)))


def test_the_record_in_all_its_forms(found):
    entry = found.to_dict()
    assert {"r_inf_ohm", "peaks", "lambda"} <= set(entry)
    assert {"tau_s", "f_hz", "r_ohm", "u_r_ohm"} <= set(entry["peaks"][0])
    assert list(found.to_dataframe()["r_ohm"]) == [p.r_ohm for p in found.peaks]
    assert found.to_xarray()["gamma"].attrs["units"] == "ohm"
    assert "2 peaks" in repr(found)
    assert "<table>" in found._repr_html_()
    assert "real with p" in str(found)


def test_capacitance_is_tau_over_r(found):
    peak = found.peaks[0]
    assert peak.c_f == pytest.approx(1e-4 / 30, rel=0.1)
    assert peak.f_hz == pytest.approx(1 / (2 * math.pi * peak.tau_s))


def test_windows_add_up_and_an_empty_one_is_refused(found):
    parts = [found.resistance_between(a, b)[0] for a, b in ((0, 1e-5), (1e-5, 3e-3), (3e-3, math.inf))]
    assert sum(parts) == pytest.approx(found.r_pol_ohm, rel=1e-9)
    with pytest.raises(FitError, match="holds nothing"):
        found.resistance_between(1.0, 0.1)


def test_suggestions_are_circuits_with_starts_that_a_fit_takes(found):
    suggestions = found.suggest()
    assert suggestions[0].circuit == "L0-R0-p(R1,CPE1)-p(R2,CPE2)"
    for suggestion in suggestions:
        assert tuple(suggestion.start) == parse(suggestion.circuit).names
    spectrum = Spectrum.of(found.frequency_hz, found.z_ohm)
    fitted = fit(suggestions[0].circuit, spectrum, start=list(suggestions[0].start.values()))
    assert fitted.converged
    for peak, name in zip(found.peaks, ("R1", "R2"), strict=True):
        assert abs(fitted.value(name) - peak.r_ohm) < 3 * peak.u_r_ohm + 0.02 * peak.r_ohm


def test_a_spectrum_is_named_when_it_cannot_be_done():
    f = np.geomspace(1e3, 1e2, 20)
    with pytest.raises(FitError, match=r"cell_07\.csv"):
        drt(Spectrum.of(f, zarc(1, 1e-3, 0.9, f), metadata={"file": "cell_07.csv"}))
