"""Before measuring: the Cramér–Rao bound, what a design can decide, and what would."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from scipy.stats import norm
from typer.testing import CliRunner

from benchmarks.planning import CONFIGURATIONS as TABLE
from benchmarks.planning import FREQUENCY_HZ, FULL, scatter, symmetric_cell
from eis.cli.plan import plan as command
from eis.conformity import DecisionRule
from eis.cramer_rao import cramer_rao
from eis.designs import Design, with_area, with_electrodes, with_resistance
from eis.errors import CircuitError, ConfigError
from eis.excitation_advice import advise
from eis.outlook import Target, look
from eis.planning import SWEEP, plan
from eis.planning_plots import plot_forecast, plot_reach
from eis.spectrum import Cell
from fitting.circuit import parse
from fitting.weights import ErrorStructure
from instruments.sweep import Sweep

F = FREQUENCY_HZ
CELL = Cell(1.0, 0.01, 2, "symmetric", temperature_c=25.0)
LIMIT = Target.read("3 mohm/cm2", reading="asr")


def symmetric(asr, c):
    """Return a circuit and the values of two interfaces of 1 cm²."""
    return "L0-R0-p(R1,CPE1)", tuple(symmetric_cell(asr, c))


def design(asr=2e-3, c=1e-3, **changes):
    circuit, values = symmetric(asr, c)
    return replace(Design("a design", circuit, values, "R1", CELL, SWEEP), **changes)


# --- what is refused ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"values": [1.0, -1.0]}, "C1 is -1"),
        ({"values": [np.nan, 1.0]}, "R1 is nan"),
        ({"frequency_hz": [1.0, 0.0]}, "frequencies must be numbers above zero"),
        ({"frequency_hz": []}, "frequencies must be numbers"),
        ({"noise": 0.0}, "The noise is 0"),
        ({"noise": 2.0}, "The noise is 2"),
        ({"noise": np.nan}, "The noise is nan"),
        ({"repeats": 0}, "repeats is 0"),
        ({"known": ["R9"]}, "no 'R9' to be known"),
        ({"known": ["R1", "C1"]}, "Every parameter is known"),
    ],
)
def test_a_bound_of_nonsense_is_refused(changes, says):
    given = {"circuit": "p(R1,C1)", "values": [1.0, 1e-3], "frequency_hz": F, **changes}
    with pytest.raises(ConfigError, match=says):
        cramer_rao(given.pop("circuit"), given.pop("values"), given.pop("frequency_hz"), **given)


def test_too_few_values_and_exponents_above_one_are_refused():
    with pytest.raises(CircuitError, match="2 parameters and 3 values"):
        cramer_rao("p(R1,C1)", [1, 2, 3], F)
    with pytest.raises(ConfigError, match=r"CPE1_1 is 1\.2; an exponent is at most 1"):
        cramer_rao("p(R1,CPE1)", [1, 1e-3, 1.2], F)


@pytest.mark.parametrize(
    ("text", "reading", "says"),
    [
        ("3", None, "has no unit"),
        ("3 cm2", None, "no limit of a resistance"),
        ("-3 mohm", None, "no limit of a resistance"),
        ("nan mohm", None, "not a number with a unit"),
        ("3 mohm/cm2", None, "can be read in several ways"),
        ("3 mohm cm2", "per_area", "cannot be read as per_area"),
        ("3 mohm", "asr", "cannot be read as asr"),
    ],
)
def test_a_limit_whose_unit_is_none_or_unclear_is_refused(text, reading, says):
    with pytest.raises(ConfigError, match=says):
        Target.read(text, reading=reading)


def test_a_cell_without_its_interfaces_and_a_circuit_with_several_arcs_are_refused():
    circuit, values = symmetric(2e-3, 1e-3)
    with pytest.raises(ConfigError, match="how many interfaces"):
        plan(Cell(1.0), circuit, values, LIMIT)
    with pytest.raises(ConfigError, match="3 arcs"):
        plan(Cell(1.0, 0.0, 1), FULL, TABLE["full cell, 3 Ω at 30 Hz"][1], LIMIT)
    with pytest.raises(ConfigError, match="no arc"):
        plan(CELL, "R0-L1", [1.0, 1e-7], LIMIT)
    with pytest.raises(ConfigError, match="no parameter 'R7'"):
        plan(CELL, circuit, values, LIMIT, element="R7")
    with pytest.raises(ConfigError, match="no element 'R7'"):
        plan(CELL, circuit, values, LIMIT, others=["R7"])
    with pytest.raises(CircuitError, match="5 parameters and 2 values"):
        plan(CELL, circuit, [1.0, 2.0], LIMIT)
    with pytest.raises(ConfigError, match="70000000001 points"):
        plan(CELL, circuit, values, LIMIT, sweep=Sweep(1e6, 0.1, 1e10, amplitude_v=0.01))
    with pytest.raises(ConfigError, match="time constant of 1e-80 s"):
        plan(CELL, "R0-p(R1,C1)", [1.0, 1e-40, 1e-40], LIMIT)
    with pytest.raises(ConfigError, match="no finite impedance"):
        plan(CELL, "R0-p(R1,C1)", [1.0, 1.0, 1e-300], LIMIT)
    with pytest.raises(ConfigError, match="fixture's uncertainty"):
        plan(CELL, circuit, values, LIMIT, u_fixture_ohm=-1.0)


# --- the bound ---


@pytest.mark.parametrize("noise", [1e-3, 1e-4])
@pytest.mark.parametrize("name", TABLE)
def test_the_bound_is_the_published_one(name, noise):
    circuit, values, element, f, published = TABLE[name]
    digits = 2 if published in (0.50, 0.050, 0.0054, 4.0e-4) else 3  # as it is printed
    found = cramer_rao(circuit, values, f, noise=noise).relative(element) * 1e-3 / noise
    assert float(f"{found:.{digits}g}") == pytest.approx(published, rel=1e-12)


def test_the_bound_of_a_resistor_is_the_error_of_a_mean():
    bound = cramer_rao("R0", [5.0], F, noise=1e-3)
    assert bound.u_of("R0") == pytest.approx(5e-3 / np.sqrt(F.size), rel=1e-12)  # imaginary parts tell nothing
    assert cramer_rao("R0", [5.0], F, repeats=4).u_of("R0") == pytest.approx(bound.u_of("R0") / 2, rel=1e-12)


def test_the_bound_takes_an_error_structure():
    structure = ErrorStructure(0.0, 0.0, 0.0, 2e-3, 0.0)  # the same everywhere
    bound = cramer_rao("R0", [5.0], F, noise=structure)
    assert bound.u_of("R0") == pytest.approx(2e-3 / np.sqrt(F.size), rel=1e-12)


def test_what_cannot_be_told_apart_has_no_bound_and_what_is_known_has_none_to_bound():
    twice = cramer_rao("R0-R1-p(R2,C2)", [1.0, 2.0, 3.0, 1e-3], F)
    assert twice.undetermined == ("R0", "R1")
    assert np.isfinite(twice.relative("R2"))
    known = cramer_rao("R0-R1-p(R2,C2)", [1.0, 2.0, 3.0, 1e-3], F, known=["R1"])
    assert known.undetermined == ()
    assert known.u_of("R1") == 0
    unseen = cramer_rao("R0-p(R1,C1)", [1.0, 1e-9, 1e-16], F)
    assert unseen.undetermined


@pytest.mark.parametrize(
    ("name", "noise", "draws"),
    [
        ("symmetric 2×3 mΩ, 10 µF/cm², 10 MHz", 1e-4, 1500),
        ("symmetric 2×3 mΩ, 1 mF/cm²", 1e-3, 1500),
        ("symmetric 2×3 mΩ, 1 mF/cm²", 1e-4, 1500),
        ("symmetric 2×3 mΩ, 1 F/cm²", 1e-3, 1500),
        ("symmetric 2×1 Ω, 10 µF/cm²", 1e-3, 1500),
        ("full cell, 3 Ω at 30 Hz", 1e-3, 400),
    ],
)
def test_fits_of_noisy_spectra_scatter_as_the_bound_says(name, noise, draws):
    circuit, values, element, f, _ = TABLE[name]
    bound = cramer_rao(circuit, values, f, noise=noise).relative(element)
    assert bound < 0.30
    found = scatter(circuit, values, element, f, noise, draws)
    assert found == pytest.approx(bound, rel=0.10)


# --- a limit ---


@pytest.mark.parametrize(
    ("text", "reading", "value", "as_read"),
    [
        ("3 mohm cm2", None, 3e-3, "asr"),
        ("3 mΩ·cm²", "asr", 3e-3, "asr"),
        ("0.3 µΩ m2", None, 3e-3, "asr"),
        ("3 mohm/cm2", "asr", 3e-3, "asr"),
        ("3 mΩ/cm²", "per_area", 3e-3, "per_area"),
        ("3 mohm/cm2", "absolute", 3e-3, "absolute"),
        ("3 mohm", None, 3e-3, "absolute"),
    ],
)
def test_a_limit_is_read_with_its_unit(text, reading, value, as_read):
    target = Target.read(text, reading=reading)
    assert (target.value, target.reading) == (pytest.approx(value, rel=1e-12), as_read)


@pytest.mark.parametrize(("reading", "value"), [("asr", 20e-3), ("per_area", 2e-4), ("absolute", 2e-3)])
def test_each_reading_takes_the_area_its_way(reading, value):
    one = design(2e-3, 1e-3, cell=Cell(10.0, 0.0, 2))  # arc 4 mΩ, two interfaces
    found = look(one, Target.read("3 mohm/cm2", reading=reading))
    assert found.value == pytest.approx(value, rel=1e-9)


# --- what a design can tell ---


def test_probabilities_and_risks_are_those_of_the_normal_distribution():
    one = look(design(2e-3, 1.0, repeats=4), LIMIT)
    u = np.hypot(one.relative, 0.01) * 2e-3
    assert one.u == pytest.approx(u, rel=1e-9)
    assert one.is_resolved
    assert one.p_pass == pytest.approx(norm.cdf((3e-3 - 2 * u - 2e-3) / u), rel=1e-9)
    assert one.p_fail == pytest.approx(norm.cdf((2e-3 - 3e-3 - 2 * u) / u), abs=1e-12)
    assert one.consumers_risk == pytest.approx(norm.cdf(-2), rel=1e-9)
    assert one.producers_risk == pytest.approx(1 - one.p_pass)
    low, high = one.undecided_zone
    assert (high - 3e-3) == pytest.approx((2 + 1.6448536) * one.u_at_limit, rel=1e-6)
    assert low == pytest.approx(6e-3 - high)
    assert (one.lod, one.loq) == (pytest.approx(3.3 * one.u_blank), pytest.approx(10 * one.u_blank))


@pytest.mark.parametrize(("rule", "risk"), [("simple", 0.5), ("guard-band", 0.02275), ("iso-14253", 0.05)])
def test_the_consumer_s_risk_is_the_rule_s(rule, risk):
    one = look(design(), replace(LIMIT, rule=DecisionRule(rule)))
    assert one.consumers_risk == pytest.approx(risk, abs=1e-4)


def test_simulated_measurements_get_the_verdicts_as_often_as_foreseen():
    one = look(design(2.4e-3, 1.0), LIMIT)
    assert 0.1 < one.p_pass < 0.9
    circuit, values = one.design.circuit, one.design.values
    z = parse(circuit).impedance(2 * np.pi * F, values)
    rng = np.random.default_rng(5)
    real, imaginary = rng.standard_normal((2, 1500, F.size))
    from fitting.bulk import fit_many

    found = fit_many(circuit, F, z + 1e-3 * np.abs(z) * (real + 1j * imaginary), start=values)
    area = 1 + 0.01 * rng.standard_normal(1500)
    asr = found.values[:, found.names.index("R1")] / 2 * area
    passed = asr <= 3e-3 - 2 * one.u
    assert passed.mean() == pytest.approx(one.p_pass, abs=0.06)


def test_a_full_cell_with_three_milliohm_cannot_decide_and_says_why():
    circuit, values, element, _, _ = TABLE["full cell, 3 mΩ at 30 Hz"]
    cell = Cell(1.0, 0.0, 1, "full")
    forecast = plan(cell, circuit, values, Target.read("3 mohm cm2"), element=element)
    assert not forecast.decides
    assert forecast.recommended is None
    assert "neither can any of the designs tried" in forecast.because
    assert "relative standard uncertainty of R3 would be 496%" in forecast.asked.because[0]
    assert forecast.asked.repeats_needed is None
    text = str(forecast)
    for part in ("it is the limit", "a symmetric cell is supposed to be without R2, CPE2, Wo1", "not even 1000"):
        assert part in text


def test_a_better_interface_in_the_same_full_cell_is_decided_in_a_symmetric_one():
    circuit, values, element, _, _ = TABLE["full cell, 3 mΩ at 30 Hz"]
    forecast = plan(Cell(1.0, 0.0, 1, "full"), circuit, values, Target.read("6 mohm cm2"), element=element)
    assert not forecast.decides
    assert forecast.recommended.design.name.startswith("a symmetric cell")
    assert forecast.recommended.design.circuit == "L0-R0-p(R1,CPE1)-p(R3,CPE3)"
    assert forecast.recommended.design.value("R3") == pytest.approx(6e-3)
    assert forecast.recommended.decides


def test_an_arc_beyond_the_band_is_not_resolved_and_leads_are_named():
    circuit, values = symmetric(2e-3, 1e-5)
    forecast = plan(CELL, circuit, values, LIMIT)
    reasons = " ".join(forecast.asked.because)
    for part in ("lies outside 300 mHz to 333 kHz", "cannot be told from L0", "limit of quantification"):
        assert part in reasons
    assert "ωL exceeds R1 above" in " ".join(forecast.advice)
    assert not forecast.asked.decides


def test_a_design_that_decides_is_recommended_as_it_is_or_shorter():
    circuit, values = symmetric(2e-3, 1.0)
    forecast = plan(CELL, circuit, values, LIMIT, repeats=4)
    assert forecast.decides
    assert forecast.recommended.design.duration_s <= forecast.asked.design.duration_s
    assert forecast.recommended.relative <= 1.1 * forecast.asked.relative
    assert "PASS with a probability of" in forecast.because


def test_an_interface_far_above_the_limit_fails_although_the_limit_itself_could_not_be_seen():
    circuit, values = symmetric(1.0, 1e-5)
    forecast = plan(CELL, circuit, values, LIMIT)
    assert forecast.asked.loq > LIMIT.value
    assert forecast.asked.p_fail > 0.999
    assert "FAIL with" in forecast.because


def test_as_many_repeats_as_are_said_to_be_needed_decide_and_one_less_does_not():
    one = look(design(), LIMIT)
    count = one.repeats_needed
    assert count > 1
    assert look(replace(one.design, repeats=count), LIMIT).decides
    assert not look(replace(one.design, repeats=count - 1), LIMIT).decides


def test_a_fixture_s_uncertainty_is_not_lessened_by_repeats():
    one = look(design(repeats=1000), LIMIT, u_fixture_ohm=8e-4)
    assert one.u > 4e-4
    assert one.repeats_needed is None


def test_an_interface_near_the_limit_is_said_to_be_so():
    circuit, values = symmetric(2.95e-3, 1.0)
    forecast = plan(CELL, circuit, values, LIMIT)
    assert "the area's uncertainty of 1 % alone forbids a verdict" in " ".join(forecast.advice)


# --- other designs ---


def test_another_area_keeps_the_area_specific_resistance_and_the_leads():
    one = design(2e-3, 1e-3, circuit="L0-R0-p(R1,CPE1)-W2", values=(*symmetric(2e-3, 1e-3)[1], 3.0))
    larger = with_area(one, 4.0)
    w = 2 * np.pi * F
    leads = 1j * w * one.values[0]
    before = parse(one.circuit).impedance(w, one.values) - leads
    after = parse(larger.circuit).impedance(w, larger.values) - leads
    assert after == pytest.approx(before / 4, rel=1e-12)
    assert larger.cell.area_cm2 == 4.0
    assert larger.cell.u_area_cm2 == pytest.approx(0.04)
    assert look(larger, LIMIT).value == pytest.approx(look(one, LIMIT).value)


def test_a_larger_area_helps_where_the_limit_grows_with_it():
    per_area = Target.read("1 mohm/cm2", reading="per_area")
    one = design(2e-3, 1e-3)
    assert not look(one, per_area).decides
    assert look(with_area(one, 4.0), per_area).p_pass > 0.9


def test_the_other_electrode_is_what_the_user_says():
    circuit, values, element, _, _ = TABLE["full cell, 3 Ω at 30 Hz"]
    one = Design("full", circuit, tuple(values), element, Cell(1.0, 0.0, 1, "full"), SWEEP)
    guessed, dropped = with_electrodes(one, "symmetric", None)
    assert dropped == ("R2", "CPE2", "Wo1")
    said, left_out = with_electrodes(one, "three-electrode", ("Wo1",))
    assert left_out == ("Wo1",)
    assert said.circuit == "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)"
    assert said.value("R3") == 3.0
    w = 2 * np.pi * F
    once = parse("p(R3,CPE3)").impedance(w, [one.value(n) for n in ("R3", "CPE3_0", "CPE3_1")])
    twice = parse("p(R3,CPE3)").impedance(w, [guessed.value(n) for n in ("R3", "CPE3_0", "CPE3_1")])
    assert twice == pytest.approx(2 * once, rel=1e-12)


@pytest.mark.parametrize(
    ("circuit", "values"),
    [
        ("R0-p(R1,C1)", (1.0, 2.0, 1e-4)),
        ("R0-p(R1,CPE1)", (1.0, 2.0, 1e-4, 0.8)),
        ("R0-Zarc1", (1.0, 2.0, 1e-3, 0.8)),
    ],
)
def test_an_interface_at_another_resistance_keeps_its_capacitance(circuit, values):
    from eis.designs import arc_of

    element = parse(circuit).arcs[0].resistance
    one = Design("d", circuit, values, element, CELL, SWEEP)
    other = with_resistance(one, 0.5)
    assert other.value(element) == 0.5
    assert arc_of(other)[1] == pytest.approx(arc_of(one)[1], rel=1e-12)


# --- excitation ---


def test_the_excitation_leaves_ten_millivolt_across_the_cell_or_less():
    low = advise(design())  # the cell is some 1.5 Ω
    assert low.control == "potential"
    assert low.level == pytest.approx(0.01 / np.sqrt(2))
    small = design(values=(5e-12, 0.01, *symmetric(2e-3, 1e-3)[1][2:]))
    driven = advise(small)
    z = np.abs(parse(small.circuit).impedance(2 * np.pi * F, small.values)).max()
    assert driven.control == "current"
    assert driven.level == pytest.approx(0.01 / z / np.sqrt(2), rel=1e-9)
    assert advise(small, critical_a_per_cm2=1e-3).level == pytest.approx(1e-4 / np.sqrt(2))
    charge = 1e-3 * 1e-6 * 3600 * np.pi * 0.1
    assert advise(small, capacity_ah=1e-6).level == pytest.approx(charge / np.sqrt(2))
    with pytest.raises(ConfigError, match="limits of the current"):
        advise(small, critical_a_per_cm2=-1.0)


def test_an_interface_that_takes_all_the_voltage_has_the_known_error():
    one = design(values=(1e-12, 1e-6, 2000.0, 1e-6, 0.9), sweep=Sweep(1e5, 1e-3, 10, amplitude_v=0.01))
    found = advise(one)
    assert found.interface_v == pytest.approx(0.005, rel=0.01)  # 10 mV peak over two interfaces
    assert found.error == pytest.approx(0.00118, rel=0.03)


# --- drawings and the command ---


def test_what_is_drawn_is_the_bound_over_the_setting():
    circuit, values = symmetric(2e-3, 1e-3)
    forecast = plan(CELL, circuit, values, LIMIT)
    axes = plot_reach(forecast, "noise")
    x, y = axes.lines[0].get_data()
    assert y == pytest.approx(100 * forecast.asked.relative * np.asarray(x) / 0.1, rel=1e-9)
    assert len(plot_forecast(forecast).axes) == 3
    with pytest.raises(ConfigError, match="Nothing is drawn over 'time'"):
        plot_reach(forecast, "time")


@pytest.fixture
def cell_file(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text('area = "100 mm2"\nu_area = "1 %"\ninterfaces_in_path = 2\nkind = "symmetric"\n')
    return path


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def options(asr, c, limit="3 mohm cm2"):
    circuit, values = symmetric(asr, c)
    return ("--circuit", circuit, "--values", ",".join(f"{v:.9g}" for v in values), "--limit", limit)


def test_the_command_refuses_what_is_unclear(cell_file):
    for more, says in (
        (options(2e-3, 1.0, "3 mohm/cm2"), "can be read in several ways"),
        ((*options(2e-3, 1.0), "--noise", "0"), "is no noise"),
        ((*options(2e-3, 1.0), "--noise", "200%"), "is no noise"),
        ((*options(2e-3, 1.0), "--rule", "gut"), "not a choice"),
        ((*options(2e-3, 1.0), "--k", "-1"), "k is -1"),
        ((*options(2e-3, 1.0), "--fixture", "1 mm"), "does not fit"),
        ((*options(2e-3, 1.0), "--sweep", "1:2"), "not a sweep"),
        ((*options(2e-3, 1.0), "--critical-current", "-1"), "limits of the current"),
    ):
        error = run("--cell", cell_file, *more).exception
        assert says in str(error)
        assert error.exit_code == 2


def test_the_command_exits_by_whether_it_can_decide_and_prints_one_document(cell_file, tmp_path):
    able = run("--cell", cell_file, *options(2e-3, 1.0), "--repeats", 4, "--json", "--plot", tmp_path / "out")
    unable = run("--cell", cell_file, *options(2e-3, 1e-5), "--json")
    assert (able.exit_code, unable.exit_code) == (0, 3)
    document = json.loads(able.stdout)
    assert document["schema"] == "eis.plan/1"
    result = document["results"][0]
    assert result["decides"]
    assert result["asked"]["relative_u"] == pytest.approx(0.11 / 2, rel=0.05)
    assert result["asked"]["values"]["R0"] == 1.5
    assert (tmp_path / "out" / "plan.png").stat().st_size > 20_000
    assert json.loads(unable.stdout)["results"][0]["asked"]["is_resolved"] is False


def test_the_command_prints_a_table_of_designs(cell_file):
    shown = run("--cell", cell_file, *options(2e-3, 1e-3), "--known", "L0", "--noise", "0.05%").stdout
    for part in ("limit: 3 mohm cm2, read as asr", "recommended:", "decides", "a reference electrode", "LOQ"):
        assert part in shown


def test_the_noise_may_come_from_repeats(cell_file, tmp_path):
    circuit, values = symmetric(2e-3, 1.0)
    z = parse(circuit).impedance(2 * np.pi * F, values)
    rng = np.random.default_rng(0)
    names = []
    for i in range(12):
        noisy = z + 2e-4 * (rng.standard_normal(F.size) + 1j * rng.standard_normal(F.size))
        path = tmp_path / f"repeat{i}.csv"
        rows = "\n".join(f"{f:.8g},{v.real:.10g},{v.imag:.10g}" for f, v in zip(F, noisy, strict=True))
        path.write_text(f"frequency_hz,real_ohm,imag_ohm\n{rows}\n")
        names += ["--noise-from", path]
    done = run("--cell", cell_file, *options(2e-3, 1.0), *names, "--json")
    result = json.loads(done.stdout)["results"][0]["asked"]
    truth = cramer_rao(circuit, values, F, noise=ErrorStructure(0, 0, 0, 2e-4, 0)).relative("R1")
    assert result["relative_u"] == pytest.approx(truth, rel=0.15)
    both = run("--cell", cell_file, *options(2e-3, 1.0), *names, "--noise", "1%").exception
    assert "noise once" in str(both)
