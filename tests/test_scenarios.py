"""Six cells end to end, with the verdict and the exit code each must have."""

import json

import numpy as np
import pytest

from eis import archive, pipeline
from eis.checking import check
from eis.conformity import outcomes
from eis.results import Interface, Verdict
from eis.spec import Spec
from eis.spectrum import Cell, Spectrum
from tests.test_checking import interface

SPEC = Spec.load("lges-negative-electrode")
FREQUENCY = np.geomspace(1e6, 0.1, 71)
OMEGA = 2 * np.pi * FREQUENCY


def arc(r, f0, alpha=0.9):
    return r / (1 + (1j * FREQUENCY / f0) ** alpha)


def noisy(z, *, level=1e-3, seed=0):
    rng = np.random.default_rng(seed)
    return z * (1 + level * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size)))


def full_cell(seed):
    """A negative electrode of 3 mΩ·cm² behind 10 Ω of the positive one, 20 Ω of diffusion, and 0.1 % noise."""
    root = np.sqrt(1j * OMEGA * 300.0)
    diffusion = 20.0 / (root * np.tanh(root))
    z = 1j * OMEGA * 50e-9 + 1.5 + arc(0.5, 2e6) + arc(10.0, 1e3) + arc(0.003, 30.0) + diffusion
    return Spectrum.of(FREQUENCY, noisy(z, seed=seed))


def symmetric_cell():
    return noisy(1j * OMEGA * 5e-8 + 4.0 + arc(8.0, 2e5) + arc(12.0, 800.0))


def violating():
    """An imaginary part that is a fifth too large: no cell has it, and the Kramers–Kronig relations tell."""
    z = symmetric_cell()
    return Spectrum.of(FREQUENCY, z.real + 1.2j * z.imag)


@pytest.mark.parametrize(
    ("one", "reading", "verdict", "code"),
    [
        pytest.param(interface(2.0e-3, 0.2e-3), None, "PASS", 0, id="a"),
        pytest.param(interface(1e-3, 1e-5, area=10.0), None, "INDETERMINATE_UNITS", 3, id="b"),
        pytest.param(interface(1e-3, 1e-5, area=10.0), "asr", "FAIL", 1, id="b read as R·A"),
        pytest.param(interface(1e-3, 1e-5, area=10.0), "per_area", "PASS", 0, id="b read as R/A"),
        pytest.param(interface(3e-3, 0.3e-3, area=0.7854), None, "INDETERMINATE_UNITS", 3, id="c"),
        pytest.param(interface(3e-3, 0.3e-3, area=0.7854), "asr", "PASS", 0, id="c read as R·A"),
        pytest.param(interface(3e-3, 0.3e-3, area=0.7854), "per_area", "FAIL", 1, id="c read as R/A"),
        pytest.param(interface(2.9e-3, 0.2e-3), None, "CONDITIONAL_PASS", 3, id="e"),
    ],
)
def test_the_scenarios_of_given_resistances(one: Interface, reading, verdict, code):
    found = check([one], SPEC, reading=reading)
    assert (found.verdict, found.exit_code) == (verdict, code)


def test_the_numbers_of_scenarios_b_c_and_e_are_the_published_ones():
    b_asr, b_per_area = check([interface(1e-3, 1e-5, area=10.0)], SPEC).findings[:2]
    c_asr, c_per_area = check([interface(3e-3, 0.3e-3, area=0.7854)], SPEC).findings[:2]
    (e,) = check([interface(2.9e-3, 0.2e-3)], SPEC, reading="asr").findings
    assert (b_asr.value, b_per_area.value) == pytest.approx((10e-3, 0.1e-3))
    assert (c_asr.value, c_asr.acceptance_limit) == pytest.approx((2.356e-3, 2.529e-3), abs=5.1e-7)
    assert c_asr.p_conform == pytest.approx(0.997, abs=5.1e-4)
    assert c_per_area.value == pytest.approx(3.820e-3, abs=5.1e-7)
    assert c_per_area.limit + c_per_area.k * c_per_area.u == pytest.approx(3.764e-3, abs=5.1e-7)
    assert e.p_conform == pytest.approx(0.69, abs=5.1e-3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("circuit", "element"),
    [
        (None, None),
        ("L0-R0-p(R1,CPE1)-p(R2,CPE2)-Wo1", None),
        ("L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-Wo1", None),
        ("L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-Wo1", "R3"),
    ],
)
def test_scenario_d_a_full_cell_does_not_show_an_electrode_of_3_milliohm(seed, circuit, element):
    cell = Cell(area_cm2=1.0, u_area_cm2=0.01, interfaces_in_path=1, kind="full")
    found = pipeline.assess(full_cell(seed), cell, SPEC, circuit=circuit, element=element).judgement
    assert (found.verdict, found.exit_code) == (Verdict.NOT_RESOLVED, 3)
    assert found.would_change


def test_scenario_f_data_that_violate_kramers_kronig_are_invalid_whatever_their_arcs_say():
    cell = Cell(area_cm2=1.0, u_area_cm2=0.01, interfaces_in_path=2, kind="symmetric")
    found = pipeline.assess(violating(), cell, SPEC, reading="asr").judgement
    sound = pipeline.assess(Spectrum.of(FREQUENCY, symmetric_cell()), cell, SPEC, reading="asr").judgement
    assert (found.verdict, found.exit_code) == (Verdict.INVALID_DATA, 3)
    assert (sound.verdict, sound.exit_code) == (Verdict.FAIL, 1)


def test_no_unresolved_cell_passes_and_a_pass_has_the_room_its_rule_asks_for():
    rng = np.random.default_rng(5)
    for _ in range(300):
        r, share = 0.003 * rng.uniform(0.2, 2.0), rng.uniform(0.01, 0.6)
        one = interface(r, share * r, resolved=share <= 0.3, because=() if share <= 0.3 else ("noise",))
        (finding,) = check([one], SPEC, reading="asr").findings
        code = int(outcomes(finding.value, finding.u, SPEC.rule_of(SPEC.all_limits[0]), upper=0.003))
        by_bound = finding.verdict is Verdict.PASS and share > 0.3
        assert finding.by_bound == by_bound
        assert (finding.verdict is Verdict.PASS) <= (code == 0)
        assert finding.verdict in (("PASS", "NOT_RESOLVED") if share > 0.3 else tuple(Verdict)[:4])


def run(capsys, *arguments):
    from eis.cli.app import app

    with pytest.raises(SystemExit) as left:
        app(["check", *map(str, arguments)], standalone_mode=True)
    return left.value.code, capsys.readouterr()


def test_the_command_takes_rule_blank_and_process_values_and_exits_with_the_verdict_s_code(tmp_path, capsys):
    file = archive.write(Spectrum.of(FREQUENCY, symmetric_cell()), tmp_path / "cell.nc")
    values = tmp_path / "process.toml"
    values.write_text("electrode_dryness = { value = '21 %', u = '1 %' }\n", encoding="utf-8")
    options = ["--area", 1, "--interfaces", 2, "--kind", "symmetric", "--rule", "iso-14253", "--k", 3]
    more = ["--blank-u-ohm", 1e-5, "--metadata", values, "--reading", "asr", "--json"]
    code, said = run(capsys, file, *options, *more)
    (entry,) = json.loads(said.out)["results"]
    (finding,) = entry["findings"]
    assert (code, entry["verdict"], finding["rule"]) == (1, "FAIL", "iso-14253")
    assert finding["k"] == pytest.approx(3, rel=0.05)
    assert finding["loq"] == pytest.approx(10 * 1e-5 / 2)
    assert entry["windows"][0]["verdict"] == "CONDITIONAL_PASS"
    assert {"quantity", "reading", "value", "u", "unit", "limit", "k", "p_conform", "rule"} <= set(finding)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--area", "113mm2"], "'113mm2' is not an area in cm²"),
        (["--area", "0"], "area_cm2 is 0"),
        (["--area", "-1"], "area_cm2 is -1"),
        (["--area", "nan"], "area_cm2 is nan"),
        (["--area", "1", "--k", "0"], "k is 0"),
        (["--area", "1", "--rule", "fixed"], "takes its guard band from the spec"),
        (["--area", "1", "--rule", "lenient"], "'lenient' is not a choice"),
        (["--area", "1", "--blank-u-ohm", "-1"], "blank's standard uncertainty is -1"),
        (["--area", "1", "--metadata", "nothing.toml"], "metadata file cannot be read"),
    ],
)
def test_an_option_that_is_wrong_is_told_before_any_file_is_read(options, said, capsys, monkeypatch):
    from eis.cli.app import main

    monkeypatch.setattr("sys.argv", ["eis", "check", "no_such_file.mpt", *options])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert said in capsys.readouterr().err
