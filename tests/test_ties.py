"""Tied parameters: what is refused first, then truth, exactness, lmfit's covariance, and coverage."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from eis.errors import FitError
from fitting import fit
from fitting.circuit import parse
from fitting.ties import fit_tied
from tests.thorough import number
from tests.truth import TwoArcs

EQUAL = TwoArcs(a1=0.9, a2=0.9)
DOUBLE = TwoArcs(r1=10.0, r2=20.0)
CIRCUIT = EQUAL.circuit


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "R1.__class__",
        "(lambda: 0)()",
        "open('x')",
        "R1" + "+R1" * 4000,
        "9**9**9",
        "R1 if R2 else R0",
        "[R1][0]",
        "sqrt(R1, R0)",
        "sqrt(x=R1)",
        "R1 = 2",
        "R1\x00",
        "'R1'",
        "R1*True",
        "R1*1j",
        "R1*1e999",
        "R1*(x := 2)",
        "(" * 99 + "R1" + ")" * 98,
        "",
        2.0,
    ],
)
def test_a_tie_that_is_not_arithmetic_is_refused_without_being_run(text, monkeypatch):
    import lmfit

    def never(*_, **__):
        raise AssertionError("lmfit was asked")

    monkeypatch.setattr(lmfit.Parameters, "add", never)
    with pytest.raises(FitError, match=r"tie of R2|no parameter"):
        fit_tied(CIRCUIT, EQUAL.spectrum(), {"R2": text})


@pytest.mark.parametrize(
    ("ties", "options", "words"),
    [
        ({"R3": "R1"}, {}, "Did you mean R"),
        ({"R2": "2*R7"}, {}, "no parameter 'R7'"),
        ({"R2": "CPE1"}, {}, "Did you mean CPE1_"),
        ({"R2": "R2"}, {}, "in a circle"),
        ({"R1": "R2", "R2": "2*R1"}, {}, "in a circle: R. → R. → R."),
        ({"R2": "5"}, {}, "names no parameter"),
        (dict.fromkeys(EQUAL.values, "R0"), {}, "Every parameter is tied"),
        ({"R2": "R1"}, {"fix": {n: v for n, v in EQUAL.values.items() if n != "R2"}}, "Every parameter is fixed"),
        ({"R2": "R1"}, {"fix": {"R2": 1.0}}, "R2 is tied to R1 and fixed"),
        ({"R2": "R1"}, {"bounds": {"R2": (1, 2)}}, "R2 is tied to R1 and limited"),
        ({"R2": "R1"}, {"start": {"R2": 1.0}}, "R2 is tied to R1 and started"),
        ({"R2": "-R1"}, {}, "R2 = -R1 gives -"),
        ({"R2": "sqrt(-R1)"}, {}, "gives nan"),
        ({"R2": "R1/(R0-R0)"}, {}, "gives nan"),
        ({"R2": "R1**99**1"}, {}, "power in an exponent"),
        ({"R2": "(1e5*R1)**90"}, {}, "gives nan"),
        ({"CPE2_1": "CPE1_1+1"}, {}, "CPE2_1 = CPE1_1.1 gives 1"),
    ],
)
def test_a_wrong_tie_is_refused_in_words(ties, options, words):
    with pytest.raises(FitError, match=words):
        fit_tied(CIRCUIT, EQUAL.spectrum(), ties, **options)


def test_equal_exponents_recover_the_truth_and_know_it_better():
    spectrum = EQUAL.spectrum(noise=2e-3, seed=1)
    tied, untied = fit_tied(CIRCUIT, spectrum, {"CPE2_1": "CPE1_1"}), fit(CIRCUIT, spectrum)
    assert tied.converged
    assert tied.n_free == untied.n_free - 1
    assert tied.value("CPE1_1") == tied.value("CPE2_1")
    for name, value in EQUAL.values.items():
        assert abs(tied.value(name) - value) < 4 * tied[name].u, name
    for name in ("R1", "CPE1_0", "CPE1_1", "CPE2_1"):
        assert tied[name].u < untied[name].u, name
    assert tied.correlation("CPE1_1", "CPE2_1") == pytest.approx(1.0, abs=1e-9)
    assert untied.chi2 <= tied.chi2
    assert tied.bic < untied.bic
    assert "CPE2_1 = CPE1_1 (tied)" in tied.because
    assert tied["CPE2_1"].because == "tied: CPE1_1"
    assert not tied["CPE2_1"].fixed
    assert "CPE2_1" in str(tied)


def test_a_relation_holds_exactly_through_a_chain():
    fitted = fit_tied(CIRCUIT, DOUBLE.spectrum(noise=1e-3), {"R0": "R2+2", "R2": "2*R1"})
    assert fitted.value("R2") == pytest.approx(2 * fitted.value("R1"), rel=1e-12)
    assert fitted.value("R0") == pytest.approx(2 * fitted.value("R1") + 2, rel=1e-12)
    assert fitted["R2"].u == pytest.approx(2 * fitted["R1"].u, rel=1e-8)
    assert fitted.n_free == 6


def test_a_clean_spectrum_gives_the_truth():
    fitted = fit_tied(CIRCUIT, DOUBLE.spectrum(), {"R2": "2*R1"})
    for name, value in DOUBLE.values.items():
        assert fitted.value(name) == pytest.approx(value, rel=1e-6), name


def test_a_tie_to_a_fixed_parameter_is_fixed():
    fitted = fit_tied(CIRCUIT, DOUBLE.spectrum(noise=1e-3), {"R2": "2*R1"}, fix={"R1": 10.0})
    assert fitted["R2"].fixed
    assert fitted.value("R2") == 20.0
    assert fitted.covariance_of(("R2", "R0"))[0].tolist() == [0.0, 0.0]


def test_no_ties_are_the_plain_fit():
    spectrum = EQUAL.spectrum(noise=1e-3)
    assert fit_tied(CIRCUIT, spectrum, {}).chi2 == fit(CIRCUIT, spectrum).chi2


def test_the_covariance_equals_lmfit_s():
    import lmfit

    ties = {"CPE2_1": "CPE1_1", "R2": "R1**0.5*sqrt(40)"}
    spectrum = TwoArcs(r1=10.0, r2=20.0, a1=0.9, a2=0.9).spectrum(noise=1e-3, seed=4)
    fitted = fit_tied(CIRCUIT, spectrum, ties)
    circuit, z = parse(CIRCUIT), spectrum.z_ohm
    scale = {name: 1.0 if name.endswith("_1") else fitted.value(name) for name in circuit.names}
    parameters = lmfit.Parameters()  # in units of the fitted values: lmfit's forward differences need that
    for name in circuit.names:
        parameters.add(name, value=fitted.value(name) / scale[name])
    parameters["CPE2_1"].expr = "CPE1_1"
    parameters["R2"].expr = f"(R1*{scale['R1']!r})**0.5*sqrt(40)/{scale['R2']!r}"

    def residual(trial):
        values = [trial[name].value * scale[name] for name in circuit.names]
        difference = (circuit.impedance(2 * np.pi * spectrum.frequency_hz, values) - z) / np.abs(z)
        return np.concatenate([difference.real, difference.imag])

    theirs = lmfit.minimize(residual, parameters, method="leastsq")
    assert theirs.nvarys == fitted.n_free
    assert fitted.chi2 == pytest.approx(theirs.chisqr, rel=1e-6)
    for name in circuit.names:
        assert fitted[name].u == pytest.approx(theirs.params[name].stderr * scale[name], rel=0.02), name
    for i, a in enumerate(theirs.var_names):
        for j, b in enumerate(theirs.var_names):
            want = theirs.covar[i, j] / math.sqrt(theirs.covar[i, i] * theirs.covar[j, j])
            assert fitted.correlation(a, b) == pytest.approx(want, abs=0.02), (a, b)


def test_the_uncertainty_of_a_tied_parameter_holds_the_truth_as_often_as_it_says():
    draws, hits = number(50, thorough=150), dict.fromkeys(("CPE2_1", "R0", "R2"), 0)
    for seed in range(draws):
        fitted = fit_tied(CIRCUIT, EQUAL.spectrum(noise=2e-3, seed=seed), {"CPE2_1": "CPE1_1"})
        for name in hits:
            hits[name] += abs(fitted.value(name) - EQUAL.values[name]) <= fitted[name].u
    low, high = binom.ppf([0.0005, 0.9995], draws, 0.6827)
    for name, count in hits.items():
        assert low <= count <= high, f"{name}: {count} of {draws} within one u"


def test_a_tie_that_comes_to_rest_at_a_limit_says_so(capfd):
    spectrum = TwoArcs(inductance=0.0, a1=1.0, a2=0.7).spectrum(noise=2e-3)
    tie = {"CPE1_1": "CPE2_1+0.4"}
    fitted = fit_tied("R0-p(R1,CPE1)-p(R2,CPE2)", spectrum, tie, start={"CPE2_1": 0.5})
    assert fitted.value("CPE1_1") <= 1.0
    assert any("through its tie" in note for note in fitted.because)
    assert capfd.readouterr().err == ""


def test_a_tied_fit_is_refused_where_its_ties_would_be_lost():
    from fitting.profile import profile

    spectrum = TwoArcs().spectrum(noise=2e-3)
    tied = fit_tied(TwoArcs.circuit, spectrum, {"CPE2_1": "CPE1_1"})
    with pytest.raises(FitError, match="tied to each other"):
        profile(tied, spectrum, "R2")
