"""Series over temperature, pressure, thickness and time: published numbers, coverage, and what is refused."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from eis.cli.series import series as command
from eis.errors import ConfigError, SpectrumError
from eis.series import arrhenius, growth, pressure_law, thickness_line
from eis.series_plots import plot_law
from eis.straight_line import fit_line

K_EV = 8.617333262e-5
KELVIN = np.array([253.15, 273.15, 298.15, 313.15, 333.15])
CELSIUS = KELVIN - 273.15
SIGMA = 2.0e-3 * 298.15 / KELVIN * np.exp(-0.35 / K_EV * (1 / KELVIN - 1 / 298.15))
PRESSURE = np.array([5.0, 10.0, 20.0, 50.0, 100.0])
THICKNESS = np.array([0.03, 0.05, 0.08, 0.12])
HOURS = np.array([0.0, 1.0, 4.0, 10.0, 24.0, 48.0])


def test_kelvin_given_as_celsius_is_noticed_and_can_be_meant():
    with pytest.raises(SpectrumError, match="look like kelvin"):
        arrhenius(KELVIN, SIGMA)
    assert arrhenius(KELVIN, SIGMA, hot=True)["E_a"].value > 0


@pytest.mark.parametrize(
    ("temperature_c", "value", "says"),
    [
        ([25.0, 25.0], [1e-3, 1.1e-3], "1 different temperature_c; at least 2"),
        ([25.0], [1e-3], "1 different temperature_c"),
        ([25.0, 60.0], [1e-3, -2e-3], "conductivity of point 1, -0.002, is not a number above zero"),
        ([25.0, 60.0], [1e-3, np.nan], "point 1, nan"),
        ([25.0, 60.0], [1e-3, np.inf], "point 1, inf"),
        ([25.0, np.nan], [1e-3, 2e-3], "temperature_c of point 1, nan"),
        ([25.0, -300.0], [1e-3, 2e-3], "-300, cannot be"),
        ([25.0, 60.0, 25.0], [1e-3, 2e-3, 1e-3], "Points 0 and 2 are the same"),
        ([25.0, 60.0], [1e-3, 2e-3, 3e-3], "2 values of temperature_c and 3 of conductivity"),
    ],
)
def test_points_that_are_no_series_are_refused_with_their_place(temperature_c, value, says):
    with pytest.raises(SpectrumError, match=says):
        arrhenius(temperature_c, value)


def test_an_uncertainty_that_is_none_is_refused():
    for u, says in (
        ([1e-5, 0.0], "point 1, 0"),
        ([1e-5, np.nan], "point 1, nan"),
        ([1e-5] * 3, "3 uncertainties"),
    ):
        with pytest.raises(SpectrumError, match=says):
            arrhenius([25.0, 60.0], [1e-3, 2e-3], u=u)
    with pytest.raises(ConfigError, match="no form"):
        arrhenius(CELSIUS, SIGMA, form="log")
    with pytest.raises(ConfigError, match="no quantity"):
        pressure_law(PRESSURE, PRESSURE, quantity="power")
    with pytest.raises(SpectrumError, match="time_s of point 0, -1, cannot be"):
        growth([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(SpectrumError, match="pressure_mpa of point 0, 0, cannot be"):
        pressure_law([0.0, 1.0], [1.0, 2.0])
    with pytest.raises(SpectrumError, match="area is not above zero"):
        thickness_line(THICKNESS, [1, 2, 3, 4], area_cm2=0.0)
    with pytest.raises(ConfigError, match="0 interfaces"):
        thickness_line(THICKNESS, [1, 2, 3, 4], area_cm2=1.0, interfaces_in_path=0)


def test_the_published_conductivities_have_their_activation_energy_in_both_conventions():
    expected = [2.0913e-4, 6.2745e-4, 2.0000e-3, 3.6568e-3, 7.4881e-3]
    assert pytest.approx(expected, rel=3e-5) == SIGMA
    hopping, plain = arrhenius(CELSIUS, SIGMA), arrhenius(CELSIUS, SIGMA, form="sigma")
    assert hopping["E_a"].value == pytest.approx(0.35, abs=1e-6)
    assert hopping["prefactor"].value == pytest.approx(4.91688e5, rel=2e-5)
    assert plain["E_a"].value == pytest.approx(0.32512, abs=1e-5)
    assert hopping["E_a"].value - plain["E_a"].value == pytest.approx(0.02488, abs=1e-5)
    assert "it would be 0.3251 eV" in " ".join(hopping.because)


def test_an_interface_is_fitted_as_the_logarithm_of_one_over_its_asr():
    asr = 12.0 * np.exp(0.5 / K_EV * (1 / KELVIN - 1 / 298.15))
    law = arrhenius(CELSIUS, asr, form="asr", u=0.02 * asr)
    assert law["E_a"].value == pytest.approx(0.5, abs=1e-6)
    assert law.predict(25.0).value == pytest.approx(12.0, rel=1e-9)
    assert law.law == "1/ASR = A·exp(−E_a/kT)"


def test_a_prediction_has_the_law_s_own_interval():
    u = 0.03 * SIGMA
    law = arrhenius(CELSIUS, SIGMA, u=u)
    x, w = 1 / KELVIN, 1 / 0.03
    design = np.stack([np.ones(5), x], axis=1) * w
    at = np.array([1.0, 1 / 353.15])
    spread = np.sqrt(at @ np.linalg.inv(design.T @ design) @ at)  # of ln σ, generalised least squares
    found = law.predict(80.0)
    t_3 = 3.182446305284263  # Student's t, 97.5 %, 3 degrees of freedom (tables)
    assert found.u == pytest.approx(found.value * spread, rel=1e-6)
    assert found.high == pytest.approx(found.value * np.exp(t_3 * spread), rel=1e-6)
    assert law.extrapolates(120.0)
    assert not law.extrapolates(50.0)
    with pytest.raises(ConfigError, match="-300 °C"):
        law.predict(-300.0)


def test_a_line_with_errors_in_both_directions_is_york_s():
    x = np.array([0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])  # Pearson's data with York's weights
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    weight_x = np.array([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1])
    weight_y = np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])
    line = fit_line(x, y, weight_y**-0.5, weight_x**-0.5)
    assert line.intercept == pytest.approx(5.47991022, abs=5e-9)
    assert line.slope == pytest.approx(-0.480533407, abs=5e-10)
    assert line.inflation**2 == pytest.approx(1.4833, abs=5e-5)
    assert line.u_intercept / line.inflation == pytest.approx(0.29497, abs=5e-6)
    assert line.u_slope / line.inflation == pytest.approx(0.057985, abs=5e-7)


@pytest.mark.parametrize(("share", "u"), [(0.01, 0.131), (0.003, 0.039), (0.001, 0.013)])
def test_the_intercept_over_thickness_is_as_uncertain_as_published(share, u):
    resistance = THICKNESS / 2e-3
    law = thickness_line(THICKNESS, resistance, area_cm2=1.0, u=share * resistance)
    assert law["ASR"].u == pytest.approx(u, abs=5e-4)
    assert law["conductivity"].value == pytest.approx(2e-3, rel=1e-9)
    assert "no interface is seen" in " ".join(law.because)


def test_thickness_and_area_make_the_intercept_less_certain():
    resistance = (2 * 5.0 + THICKNESS / 2e-3) / 0.785
    plain = thickness_line(THICKNESS, resistance, area_cm2=0.785, u=0.003 * resistance)
    both = thickness_line(THICKNESS, resistance, area_cm2=0.785, u=0.003 * resistance, u_thickness_cm=1e-3)
    area = thickness_line(THICKNESS, resistance, area_cm2=0.785, u=0.003 * resistance, u_area_cm2=0.0785)
    assert plain["ASR"].value == pytest.approx(5.0, rel=1e-9)
    assert both["ASR"].u > 2 * plain["ASR"].u
    assert area["ASR"].u == pytest.approx(np.hypot(plain["ASR"].u, 0.5), rel=1e-9)


def test_samples_without_a_conductivity_and_an_intercept_below_zero_are_told():
    shrinking = thickness_line(THICKNESS, [40.0, 30.0, 20.0, 10.0], area_cm2=1.0, u=0.1)
    assert np.isnan(shrinking["conductivity"].value)
    assert "does not grow with thickness" in " ".join(shrinking.because)
    below = thickness_line(THICKNESS, THICKNESS / 2e-3 - 10, area_cm2=1.0, u=0.1)
    assert "intercept is below zero" in " ".join(below.because)


@pytest.mark.parametrize(("m", "warns"), [(-0.5, ""), (0.3, "pressure makes this worse"), (-2.0, "that steep")])
def test_an_exponent_that_no_contact_has_is_told(m, warns):
    law = pressure_law(PRESSURE, 20 * PRESSURE**m, u=0.01 * 20 * PRESSURE**m)
    assert law["exponent"].value == pytest.approx(m, abs=1e-9)
    assert law["at 1 MPa"].value == pytest.approx(20.0, rel=1e-9)
    assert ("WARNING" in " ".join(law.because)) == bool(warns)
    assert warns in " ".join(law.because)


def test_a_conductivity_at_low_pressure_is_flagged():
    law = pressure_law(PRESSURE, 1e-3 * PRESSURE**0.1, quantity="conductivity")
    assert "1 of the points, below 10 MPa, may understate" in " ".join(law.because)
    safe = pressure_law(PRESSURE[1:], 1e-3 * PRESSURE[1:] ** 0.1, quantity="conductivity")
    assert "WARNING" not in " ".join(safe.because)


def test_growth_by_diffusion_is_told_from_growth_with_time_and_from_none():
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal(HOURS.size)
    root = growth(3600 * HOURS, 10 + 0.5 * np.sqrt(HOURS) + noise, u=0.05)
    assert root["rate"].low < 0.5 < root["rate"].high
    assert root["at t = 0"].low < 10 < root["at t = 0"].high
    assert "better than √t" not in " ".join(root.because)
    assert "better than √t" in " ".join(growth(3600 * HOURS, 10 + 0.5 * HOURS + noise, u=0.05).because)
    assert "no drift is seen" in " ".join(growth(3600 * HOURS, 10 + noise, u=0.05).because)
    assert root.predict(0.0).value == pytest.approx(root["at t = 0"].value)


def test_points_that_bend_are_told():
    bent = SIGMA * np.exp(-2e5 * (1 / KELVIN - 1 / 298.15) ** 2 * 5)
    assert "the points bend" in " ".join(arrhenius(CELSIUS, bent, u=0.005 * bent).because)
    assert "bend" not in " ".join(arrhenius(CELSIUS, SIGMA, u=0.005 * SIGMA).because)


def test_two_points_have_no_scatter_and_without_uncertainties_no_interval():
    bare = arrhenius(CELSIUS[:2], SIGMA[:2])
    assert bare["E_a"].value == pytest.approx(0.35, abs=1e-9)
    assert np.isnan(bare["E_a"].u)
    assert "no interval" in str(bare)
    assert bare.to_dict()["estimates"][0]["low"] is None
    known = arrhenius(CELSIUS[:2], SIGMA[:2], u=0.01 * SIGMA[:2])
    assert known["E_a"].high - known["E_a"].value == pytest.approx(1.959964 * known["E_a"].u, rel=1e-6)


@pytest.mark.parametrize("stated", [None, 0.005, 0.02])
def test_the_intervals_of_95_percent_hold_the_truth_as_often(stated):
    rng = np.random.default_rng(3)
    held, draws = 0, 1500
    for _ in range(draws):
        measured = SIGMA * np.exp(0.02 * rng.standard_normal(5))
        energy = arrhenius(CELSIUS, measured, u=None if stated is None else stated * measured)["E_a"]
        held += energy.low <= 0.35 <= energy.high
    if_scatter_counts = (0.935, 0.965)  # Student's t over the scatter alone
    at_least = {None: if_scatter_counts, 0.005: if_scatter_counts, 0.02: (0.97, 1.0)}  # known u and t: cautious
    low, high = at_least[stated]
    assert low <= held / draws <= high


def test_more_scatter_than_stated_widens_the_intervals_and_is_told():
    rng = np.random.default_rng(4)
    measured = SIGMA * np.exp(0.05 * rng.standard_normal(5))
    law = arrhenius(CELSIUS, measured, u=0.005 * measured)
    assert law.line.inflation > 3
    assert f"scatter {law.line.inflation:.2g} times" in " ".join(law.because)


LAWS = {
    "temperature": arrhenius(CELSIUS, SIGMA, u=0.02 * SIGMA, u_temperature_c=0.5),
    "temperature, plain": arrhenius(CELSIUS, SIGMA, form="sigma"),
    "interface": arrhenius(CELSIUS, 1 / SIGMA, form="asr"),
    "resistance": arrhenius(CELSIUS, 1 / SIGMA, form="resistance"),
    "pressure": pressure_law(PRESSURE, 20 * PRESSURE**-0.5, u=0.1),
    "thickness": thickness_line(THICKNESS, 10 + THICKNESS / 2e-3, area_cm2=1.0, u=0.1, u_thickness_cm=1e-3),
    "two points": thickness_line(THICKNESS[:2], 10 + THICKNESS[:2] / 2e-3, area_cm2=1.0),
    "time": growth(3600 * HOURS, 10 + np.sqrt(HOURS), u=0.05),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_every_law_is_drawn_printed_and_stored(law, tmp_path):
    axes = plot_law(law)
    axes.figure.savefig(tmp_path / "law.png")
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    assert len(axes.lines[0].get_xdata()) == 200
    assert str(len(law.points)) in str(law).splitlines()[0]
    json.dumps(law.to_dict(), allow_nan=False)
    assert "<table>" in law._repr_html_()
    with pytest.raises(ConfigError, match="no number 'x'"):
        law["x"]


def pellet(folder, name, r_ohm, noise=1e-3, seed=0):
    f = np.geomspace(1e6, 1, 61)
    w = 2j * np.pi * f
    z = 2.0 + 1 / (1 / r_ohm + 2e-9 * w) + 1 / (1e-5 * w**0.9)
    rng = np.random.default_rng(seed)
    z = z + noise * np.abs(z) * (rng.standard_normal(61) + 1j * rng.standard_normal(61))
    rows = "\n".join(f"{a:.8g},{b.real:.8g},{b.imag:.8g}" for a, b in zip(f, z, strict=True))
    path = folder / f"{name}.csv"
    path.write_text(f"frequency_hz,real_ohm,imag_ohm\n{rows}\n")
    return path


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in arguments])


CIRCUIT = ("--circuit", "R0-p(R1,C1)-CPE2", "--element", "R1", "--against", "temperature_c")


@pytest.fixture
def pellets(tmp_path):
    r = 0.05 / (0.785 * SIGMA)
    return [pellet(tmp_path, f"at{i}", value, seed=i) for i, value in enumerate(r)]


def test_the_command_says_what_is_missing(pellets):
    for options, says in (
        ((), "does not say its temperature_c"),
        (("--at", "1,2"), "2 values and 5 spectra"),
        (("--area", "0.785"), "--interfaces is missing"),
        (("--area", "0", "--interfaces", "2"), "--area is 0"),
        (("--quantity", "conductivity"), "--area and --thickness are missing"),
        (("--at", "253,273,298,313,333"), "look like kelvin"),
        (("--element", "R7"), "no parameter 'R7'"),
    ):
        error = run(*pellets, *CIRCUIT, *options).exception
        assert says in str(error)


def test_the_command_finds_the_activation_energy_of_fitted_spectra(pellets, tmp_path):
    where = ("--at", ",".join(f"{t:g}" for t in CELSIUS), "--area", 0.785, "--thickness", 0.05)
    done = run(*pellets, *CIRCUIT, *where, "--predict", 80, "--plot", tmp_path / "out", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["schema"] == "eis.series/1"
    energy = document["law"]["estimates"][0]
    assert energy["low"] < 0.35 < energy["high"]
    assert energy["high"] - energy["low"] < 0.02
    assert [entry["temperature_c"] for entry in document["results"]] == pytest.approx(CELSIUS)
    truth = 2e-3 * 298.15 / 353.15 * np.exp(-0.35 / K_EV * (1 / 353.15 - 1 / 298.15))
    assert document["predictions"][0]["value"] == pytest.approx(truth, rel=0.05)
    assert (tmp_path / "out" / "series.png").stat().st_size > 10_000
    shown = run(*pellets, *CIRCUIT, *where, "--form", "sigma").stdout
    assert "σ = A·exp(−E_a/kT), 5 points" in shown


def test_the_command_goes_on_after_a_bad_file(pellets, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing\n")
    done = run(bad, *pellets, *CIRCUIT, "--at", ",".join(f"{t:g}" for t in CELSIUS), "--json")
    assert done.exit_code == 4
    document = json.loads(done.stdout)
    assert "error" in document["results"][0]
    assert document["law"]["points"]["quantity"] == "resistance"


def test_the_same_file_twice_is_noticed(pellets):
    at = ",".join(f"{t:g}" for t in (*CELSIUS, CELSIUS[0]))
    assert "are the same" in str(run(*pellets, pellets[0], *CIRCUIT, "--at", at).exception)


def test_a_sum_of_resistances_counts_their_correlation(tmp_path):
    files = [pellet(tmp_path, f"l{i}", 10 + v / 2e-3, seed=i) for i, v in enumerate(THICKNESS)]
    options = ("--circuit", "R0-p(R1,C1)-CPE2", "--element", "R0+R1", "--against", "thickness_cm")
    at = ("--at", ",".join(f"{v:g}" for v in THICKNESS), "--area", 1.0, "--interfaces", 2)
    done = json.loads(run(*files, *options, *at, "--json").stdout)
    asr, sigma = done["law"]["estimates"]
    assert asr["low"] < (10 + 2) / 2 < asr["high"]
    assert sigma["value"] == pytest.approx(2e-3, rel=0.01)
    assert done["results"][0]["u_r_ohm"] < 0.01 * done["results"][0]["r_ohm"]


def test_a_temperature_in_the_file_need_not_be_given(tmp_path):
    from eis.archive import write
    from eis.readers import read

    names = []
    for i, (t, sigma) in enumerate(zip(CELSIUS, SIGMA, strict=True)):
        spectrum = read(pellet(tmp_path, f"p{i}", 0.05 / sigma, seed=i)).with_metadata(temperature_c=float(t))
        names.append(write(spectrum, tmp_path / f"p{i}.nc"))
    done = json.loads(run(*names, *CIRCUIT, "--json").stdout)
    assert [entry["temperature_c"] for entry in done["results"]] == pytest.approx(CELSIUS)
