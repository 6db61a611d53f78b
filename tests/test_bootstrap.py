"""The parametric bootstrap: refusals first, then that it says what is known by other ways."""

import json

import numpy as np
import pytest

from eis.errors import FitError
from eis.spectrum import Spectrum
from fitting import fit, parse
from fitting.bootstrap import bootstrap
from tests.truth import FREQUENCY, TwoArcs, noisy

TRUTH = TwoArcs()
SPECTRUM = TRUTH.spectrum(noise=3e-3, seed=1)
FITTED = fit(TRUTH.circuit, SPECTRUM)
DRAWN = bootstrap(FITTED, SPECTRUM)


def test_a_handful_of_draws_is_refused():
    with pytest.raises(FitError, match="5 draws tell nothing"):
        bootstrap(FITTED, SPECTRUM, draws=5)


def test_a_spectrum_that_is_not_the_fit_s_is_refused():
    with pytest.raises(FitError, match="not the one the fit was made from"):
        bootstrap(FITTED, TRUTH.spectrum(noise=3e-3, seed=2))


def test_an_unknown_parameter_and_a_wrong_level_are_refused():
    with pytest.raises(FitError, match="no parameter 'R9'"):
        DRAWN.interval("R9")
    with pytest.raises(FitError, match="no confidence"):
        DRAWN.interval("R2", level=2)


def test_standard_deviations_are_the_standard_uncertainties_of_a_well_determined_fit():
    u = [parameter.u for parameter in FITTED.parameters]
    assert DRAWN.values.shape == (200, 8)
    assert DRAWN.n_failed == 0
    assert DRAWN.standard_deviation == pytest.approx(u, rel=0.25)  # five deviations of a deviation over 200 draws
    assert np.all(np.abs(DRAWN.bias) < 5 * np.array(u) / np.sqrt(200))
    low, high = DRAWN.interval("R2")
    assert high - low == pytest.approx(4 * FITTED["R2"].u, rel=0.3)


def test_a_sum_has_the_spread_of_the_covariance():
    c = np.array([1.0, 1.0])
    u = float(np.sqrt(c @ FITTED.covariance_of(("R1", "R2")) @ c))
    assert DRAWN.draws_of({"R1": 1, "R2": 1}).std() == pytest.approx(u, rel=0.25)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    again, other = (bootstrap(FITTED, SPECTRUM, draws=20, seed=seed) for seed in (0, 1))
    assert np.array_equal(again.values, DRAWN.values[:20])
    assert not np.array_equal(again.values, other.values)


@pytest.mark.parametrize("weight", ["unit", "proportional", "variance"])
def test_the_noise_of_the_draws_is_that_of_the_weights(weight):
    z = parse("R0-p(R1,C1)-CPE2").impedance(2 * np.pi * FREQUENCY, [10, 50, 3e-6, 2e-3, 0.8])
    rng = np.random.default_rng(3)
    size = {"unit": np.ones(z.size), "proportional": np.abs(z.real), "variance": np.linspace(0.5, 2, z.size)}[
        weight
    ]
    other = np.abs(z.imag) if weight == "proportional" else size
    measured = z + 1e-2 * (size * rng.standard_normal(z.size) + 1j * other * rng.standard_normal(z.size))
    spectrum = Spectrum.of(FREQUENCY, measured, columns={"u_z_ohm": 1e-2 * size})
    fitted = fit("R0-p(R1,C1)-CPE2", spectrum, weight=weight)
    drawn = bootstrap(fitted, spectrum, draws=100)
    assert drawn.n_failed == 0
    for name in ("R0", "R1", "C1"):
        i = drawn.names.index(name)
        assert drawn.standard_deviation[i] == pytest.approx(fitted[name].u, rel=0.4), name


def test_fixed_values_and_limits_stay_in_force():
    fitted = fit(TRUTH.circuit, SPECTRUM, fix={"R0": 22.0}, bounds={"CPE2_1": (0.5, 0.925)})
    drawn = bootstrap(fitted, SPECTRUM, draws=40)
    assert np.all(drawn.values[:, drawn.names.index("R0")] == 22.0)
    assert drawn.values[:, drawn.names.index("CPE2_1")].max() <= 0.925 * (1 + 1e-9)
    assert any("CPE2_1 ran to a limit" in note for note in drawn.because)


def test_draws_that_fail_are_counted_and_told_of(monkeypatch):
    calls = iter(range(1000))
    honest = fit

    def sometimes(*args, **options):
        if next(calls) % 4 == 0:
            raise FitError("The emulated optimiser gave up", mend="Try again.")
        return honest(*args, **options)

    monkeypatch.setattr("fitting.bootstrap.fit", sometimes)
    drawn = bootstrap(FITTED, SPECTRUM, draws=40)
    assert drawn.n_failed == 10
    assert "10 of 40 draws failed: The emulated optimiser gave up." in drawn.because
    assert np.isfinite(drawn.standard_deviation).all()
    monkeypatch.setattr("fitting.bootstrap.LEAST", 35)
    with pytest.raises(FitError, match="Only 30 of 40 draws could be fitted"):
        bootstrap(FITTED, SPECTRUM, draws=40)


def test_inductive_points_left_out_of_the_fit_stay_left_out():
    spectrum = Spectrum.of(FREQUENCY, noisy(TwoArcs(inductance=2e-6).z(), 1e-3, 5))
    fitted = fit("R0-p(R1,CPE1)-p(R2,CPE2)", spectrum)
    assert fitted.n_points < 71
    assert bootstrap(fitted, spectrum, draws=20).n_failed == 0


def test_records_turn_into_plain_things():
    json.dumps(DRAWN.to_dict())
    assert list(DRAWN.to_dataframe().index) == list(TRUTH.values)
    text = str(DRAWN)
    assert text.startswith("200 draws, 0 failed, seed 0")
    assert "nan" not in text
    assert "R2" in DRAWN._repr_html_()
