"""Joint fits: refusals first, then energies and exponents of a closed-form cell, and honest uncertainties."""

import json
import math

import numpy as np
import pytest
from scipy.stats import binom

from eis.errors import FitError
from eis.quantities import format_plain
from eis.spectrum import Spectrum
from fitting import fit, joint, tied
from fitting.circuit import parse
from fitting.joint import BOLTZMANN_EV, fit_joint
from tests.thorough import number
from tests.truth import noisy

CIRCUIT = "R0-p(R1,CPE1)-p(R2,CPE2)"
CELSIUS = (0.0, 12.0, 25.0, 40.0, 60.0)
ENERGY = {"R1": 0.35, "R2": 0.50}
EXPONENTS = {"CPE1_1": 0.95, "CPE2_1": 0.90}
FREQUENCY = np.geomspace(1e6, 0.1, 31)
TIES = {"arrhenius": list(ENERGY), "shared": list(EXPONENTS)}


def impedance(celsius, a2=EXPONENTS["CPE2_1"], r0=10.0):
    """R0 + two R‖CPE arcs in closed form; 50 Ω and 200 Ω at 25 °C."""
    x = (1 / (celsius + 273.15) - 1 / 298.15) / 8.617333262e-5
    r1, r2 = 50 * math.exp(ENERGY["R1"] * x), 200 * math.exp(ENERGY["R2"] * x)
    jw = 2j * np.pi * FREQUENCY
    return r0 + r1 / (1 + r1 * 1e-7 * jw ** EXPONENTS["CPE1_1"]) + r2 / (1 + r2 * 2e-5 * jw**a2)


def cell(noise=2e-3, seed=0, celsius=CELSIUS, **changes):
    """One spectrum per temperature, each with its own noise."""
    return [
        Spectrum.of(
            FREQUENCY,
            noisy(impedance(t, **changes), noise, [seed, i]),
            metadata={"temperature_c": t, "title": f"{t:g} °C"},
        )
        for i, t in enumerate(celsius)
    ]


def bare(spectra):
    return [Spectrum.of(s.frequency_hz, s.z_ohm) for s in spectra]


@pytest.mark.parametrize(
    ("ties", "words"),
    [
        ({"shared": ["R3"]}, "no parameter 'R3'"),
        ({"arrhenius": ["Ra"]}, "no parameter 'Ra'"),
        ({"smooth": {"CPE1": 1.0}}, "Did you mean CPE1_0"),
        ({"shared": ["R1"], "arrhenius": ["R1"]}, "R1 is both shared and arrhenius"),
        ({"shared": ["R1"], "smooth": {"R1": 1.0}}, "R1 is both shared and smooth"),
        ({"arrhenius": ["CPE1_1"]}, "CPE1_1 is no resistance: its unit is 1"),
        ({"smooth": {"R1": 0.0}}, "weight of R1 is 0"),
        ({"smooth": {"R1": math.nan}}, "weight of R1 is nan"),
        ({"arrhenius": ["R1"], "temperature_c": [0, 25]}, "5 spectra and 2 temperatures"),
        ({"arrhenius": ["R1"], "temperature_c": [25] * 5}, "All spectra were measured at 25 °C"),
        ({"arrhenius": ["R1"], "temperature_c": [0, 12, -300, 40, 60]}, "-300 °C is not above absolute zero"),
        ({"arrhenius": ["R1"], "temperature_c": [0, 12, math.nan, 40, 60]}, "temperature is nan .spectrum 3 of 5"),
        (
            {"arrhenius": ["R1"], "temperature_c": [0, 12, "warm", 40, 60]},
            "temperature is 'warm' .spectrum 3 of 5",
        ),
        ({"shared": ["R1"], "weight": "variance"}, "spectrum 1 of 5.*u_z_ohm"),
    ],
)
def test_a_wrong_tie_is_refused_in_words(ties, words):
    with pytest.raises(FitError, match=words):
        fit_joint(CIRCUIT, cell(), **ties)


def test_missing_temperatures_are_refused_only_where_they_are_needed():
    spectra = bare(cell())
    with pytest.raises(FitError, match=r"temperature is not stated \(spectrum 1 of 5.*Give temperature_c"):
        fit_joint(CIRCUIT, spectra, arrhenius=["R1"])
    assert fit_joint(CIRCUIT, spectra, shared=["CPE1_1"]).temperature_c is None


@pytest.mark.parametrize("few", [0, 1])
def test_fewer_than_two_spectra_are_refused(few):
    with pytest.raises(FitError, match=f"{few} spectra have nothing in common"):
        fit_joint(CIRCUIT, cell()[:few], shared=["R0"])


def test_two_spectra_have_no_second_difference():
    with pytest.raises(FitError, match="2 spectra have no second difference"):
        fit_joint(CIRCUIT, cell()[:2], smooth={"R1": 1.0})


def test_a_spectrum_with_too_few_points_for_the_circuit_is_named():
    spectra = cell()
    spectra[3] = Spectrum.of(FREQUENCY[:9], spectra[3].z_ohm[:9], metadata=spectra[3].metadata)
    with pytest.raises(FitError, match=r"9 points cannot determine 7 free parameters.*spectrum 4 of 5, 40 °C"):
        fit_joint(CIRCUIT, spectra, shared=["R0"])


def test_spectra_without_noise_give_the_truth():
    found = fit_joint(CIRCUIT, cell(noise=0), **TIES)
    assert found.converged
    for name, energy in ENERGY.items():
        assert found.activation_energy_ev[name][0] == pytest.approx(energy, rel=1e-7)
    for name, value in EXPONENTS.items():
        assert found.shared[name][0] == pytest.approx(value, rel=1e-7)
    x = (1 / (found.reference_temperature_c + 273.15) - 1 / 298.15) / BOLTZMANN_EV
    assert found.reference_ohm["R2"][0] == pytest.approx(200 * math.exp(0.5 * x), rel=1e-7)
    assert 1 / (found.reference_temperature_c + 273.15) == pytest.approx(np.mean(1 / (np.array(CELSIUS) + 273.15)))


def test_energies_are_recovered_and_known_better_than_from_a_line_through_separate_fits():
    spectra = cell(seed=3)
    found = fit_joint(CIRCUIT, spectra, **TIES)
    separate = fit(CIRCUIT, spectra, sequence=True)
    x = (1 / (np.array(CELSIUS) + 273.15)) / BOLTZMANN_EV
    for name, energy in ENERGY.items():
        value, u = found.activation_energy_ev[name]
        assert abs(value - energy) <= 3 * u
        u_log = np.array([one[name].u / one.value(name) for one in separate])
        design = np.column_stack([np.ones_like(x), x - x.mean()]) / u_log[:, None]
        u_line = math.sqrt(np.linalg.inv(design.T @ design)[1, 1])
        assert u < 0.9 * u_line
    assert found.delta_aicc < -2
    assert "supported: ΔAICc = -" in found.because[0]


def test_stated_uncertainties_hold_the_truth_as_often_as_they_say():
    draws, truth = number(50, thorough=150), {**ENERGY, **EXPONENTS}
    hits = dict.fromkeys(truth, 0)
    for seed in range(draws):
        found = fit_joint(CIRCUIT, cell(seed=seed), **TIES)
        for name, (value, u) in {**found.activation_energy_ev, **found.shared}.items():
            hits[name] += abs(value - truth[name]) <= u
    low, high = binom.ppf([0.0005, 0.9995], draws, 0.6827)
    for name, count in hits.items():
        assert low <= count <= high, f"{name}: {count} of {draws} within one u"


def test_without_a_tie_the_values_are_those_of_separate_fits():
    spectra = cell(seed=1)
    found, separate = fit_joint(CIRCUIT, spectra), fit(CIRCUIT, spectra)
    expected = np.array([[one.value(name) for name in found.names] for one in separate])
    assert found.values == pytest.approx(expected, rel=1e-4)
    u = np.array([[one[name].u / math.sqrt(one.reduced_chi2) for name in found.names] for one in separate])
    assert found.u == pytest.approx(u * math.sqrt(found.reduced_chi2), rel=1e-2)
    assert found.delta_aicc == pytest.approx(0, abs=1e-6)
    assert "Nothing is tied" in found.because[0]


def test_every_spectrum_s_uncertainty_follows_from_the_covariance_of_the_global_ones():
    found = fit_joint(CIRCUIT, cell(), **TIES)
    assert found.covariance.shape == (len(found.global_names),) * 2
    at = [found.global_names.index(name) for name in ("R2_ref", "E_a(R2)")]
    inner = found.covariance[np.ix_(at, at)]
    reference, i = found.reference_ohm["R2"][0], found.names.index("R2")
    for s, t in enumerate(CELSIUS):
        x = (1 / (t + 273.15) - 1 / (found.reference_temperature_c + 273.15)) / BOLTZMANN_EV
        by_global = np.array([1 / reference, x]) * found.values[s, i]
        assert found.u[s, i] == pytest.approx(math.sqrt(by_global @ inner @ by_global), rel=1e-6)


def test_a_wrong_tie_is_said_and_named():
    spectra = [cell(a2=a2, seed=7)[s] for s, a2 in enumerate((0.80, 0.84, 0.88, 0.92, 0.96))]
    found = fit_joint(CIRCUIT, spectra, arrhenius=["R1"], shared=["CPE1_1", "CPE2_1"])
    assert found.delta_aicc > 10
    assert "not supported" in found.because[0]
    assert found.because[1].startswith("CPE2_1 contradicts its tie most")


def test_the_order_of_the_spectra_does_not_matter():
    forth, back = fit_joint(CIRCUIT, cell(seed=2), **TIES), fit_joint(CIRCUIT, cell(seed=2)[::-1], **TIES)
    assert back.temperature_c.tolist() == list(CELSIUS[::-1])
    assert back.values[::-1] == pytest.approx(forth.values, rel=1e-5)
    assert back.activation_energy_ev["R2"] == pytest.approx(forth.activation_energy_ev["R2"], rel=1e-5)


def test_equal_arcs_swapped_in_one_spectrum_are_put_back():
    t = np.array([2.3, 3.9, -16.0, 0.95, 5.3, -10.8, 0.9])
    swapped = t[[0, 4, 5, 6, 1, 2, 3]] + 0.01
    back, source = tied.align(parse(CIRCUIT), swapped, t)
    assert back == pytest.approx(t + 0.01)
    assert source == [0, 4, 5, 6, 1, 2, 3]


def test_one_separate_fit_in_a_wrong_minimum_does_not_spoil_the_joint_one(monkeypatch):
    spectra = cell(seed=6)
    good = fit_joint(CIRCUIT, spectra, **TIES)

    def astray(*arguments):
        alone, u = separate(*arguments)
        alone[0, [1, 2, 4, 5]] += [-13.0, 10.0, -14.0, 10.0]
        return alone, u

    separate = joint.separate
    monkeypatch.setattr(joint, "separate", astray)
    assert fit_joint(CIRCUIT, spectra, **TIES).chi2 == pytest.approx(good.chi2, rel=1e-6)


def test_smoothness_pulls_a_noisy_parameter_towards_a_line():
    spectra = [cell(noise=2e-2, seed=5, celsius=[25.0] * 8, r0=10 * 1.05**s)[s] for s in range(8)]

    def roughness(weight):
        found = fit_joint(CIRCUIT, spectra, smooth={"R0": weight} if weight else {})
        return np.sum(np.diff(np.log(found.values[:, 0]), 2) ** 2), found

    (rough, free), (less, some), (least, stiff) = roughness(0), roughness(1.0), roughness(1e6)
    assert rough > less > least
    assert least < 1e-6 * rough
    assert (free.n_effective, stiff.n_effective) == (pytest.approx(56), pytest.approx(50, abs=1e-3))
    assert 50 < some.n_effective < 56
    assert np.all(stiff.u[:, 0] < free.u[:, 0])
    assert np.all(np.abs(stiff.values[:, 0] - 10 * 1.05 ** np.arange(8)) < 4 * stiff.u[:, 0])
    assert stiff.penalty == pytest.approx(1e6 * least, rel=1e-3)


def test_the_sparse_way_ends_where_the_dense_one_does(monkeypatch):
    dense = fit_joint(CIRCUIT, cell(), smooth={"R0": 1e-3}, **TIES)
    monkeypatch.setattr(tied, "DENSE", 0)
    thin = fit_joint(CIRCUIT, cell(), smooth={"R0": 1e-3}, **TIES)
    assert thin.chi2 == pytest.approx(dense.chi2, rel=1e-6)
    assert thin.values == pytest.approx(dense.values, rel=1e-4)


def test_what_the_data_cannot_tell_apart_is_said_not_invented():
    found = fit_joint("R0-R3-p(R1,CPE1)-p(R2,CPE2)", cell(), **TIES)
    assert np.isnan(found.u[:, found.names.index("R3")]).all()
    assert np.isfinite(found.activation_energy_ev["R1"][1])
    assert any("R3[0] has no uncertainty" in note for note in found.because)


def test_a_circuit_that_misses_an_arc_is_said_to_miss_a_shape():
    found = fit_joint("R0-p(R1,CPE1)", cell(), arrhenius=["R1"])
    assert any("Spectrum 1: neighbouring residuals are correlated" in note for note in found.because)


def test_a_parameter_at_its_limit_has_no_uncertainty_and_says_why():
    z = impedance(25.0)
    spectra = [
        Spectrum.of(FREQUENCY, noisy(z.real.max() / (1 + 2j * np.pi * FREQUENCY * 1e-3), 2e-3, s))
        for s in range(6)
    ]
    found = fit_joint("p(R1,CPE1)", spectra, shared=["R1"])
    at_limit = np.isnan(found.u[:, 2])
    assert at_limit.any()
    assert found.values[at_limit, 2] == pytest.approx(1.0, abs=1e-5)
    assert sum("rests on a limit" in note for note in found.because) == at_limit.sum()


def test_the_record_prints_and_exports():
    found = fit_joint(CIRCUIT, cell(), **TIES)
    energy, u = found.activation_energy_ev["R1"]
    assert f"E_a(R1) = {format_plain(energy, u)} eV" in str(found)
    assert "over 5 spectra, modulus weights: converged" in str(found)
    assert "60 °C" in found._repr_html_()
    table = found.to_dataframe()
    assert table["temperature_c"].tolist() == list(CELSIUS)
    assert table["u_R2"].tolist() == found.u[:, found.names.index("R2")].tolist()
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["activation_energy_ev"]["R2"]["value"] == found.activation_energy_ev["R2"][0]
    assert len(document["spectra"][4]["parameters"]) == 7
