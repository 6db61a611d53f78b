"""Exchange with impedance.py, lmfit and ZView: the same impedance on both sides, or a refusal in words."""

import gc
import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest

from eis.errors import CircuitError, ConfigError, FitError, ReadError, StoreError
from eis.spectrum import Spectrum
from fitting import fit, parse
from fitting.elements import ELEMENTS
from fitting.foreign import SHARED
from fitting.interop import (
    MAX_BYTES,
    from_impedance_py,
    from_lmfit,
    import_impedance_py,
    minimizer,
    read_impedance_json,
    to_impedance_py,
    write_impedance_json,
)
from fitting.zview import read_zview_model
from tests.truth import FREQUENCY, TwoArcs

TRUTH = TwoArcs()
CIRCUITS = [
    (TRUTH.circuit, list(TRUTH.values.values())),
    ("R0-p(R1-Wo1,C1)", [10, 50, 30, 0.2, 2e-5]),
    ("p(C0,R1-p(CPE1,R2-p(C3,R3-W1)))", [1e-10, 5, 1e-6, 0.9, 20, 1e-4, 7, 3]),
    ("p(p(R1,C1)-R4,CPE2)-p(R5,C5)-Ws1", [5, 1e-6, 3, 1e-5, 0.8, 9, 1e-3, 4, 0.5]),
]


@pytest.fixture(scope="module")
def fitted():
    return fit(TRUTH.circuit, TRUTH.spectrum(0.002, 1))


def made_of(text, values, fix=()):
    """Return the fit of data that the circuit itself made."""
    circuit = parse(text)
    spectrum = Spectrum.of(FREQUENCY, circuit.impedance(2 * np.pi * FREQUENCY, values))
    named = dict(zip(circuit.names, values, strict=True))
    return fit(circuit, spectrum, start=named, fix={name: named[name] for name in fix}), spectrum


def loaded(path):
    """Return what impedance.py itself reads from a file; it prints, and leaves the file to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        custom = import_impedance_py().CustomCircuit("R0", initial_guess=[1.0])
        custom.load(str(path))
        gc.collect()
    return custom


def apart(a, b):
    return np.max(np.abs(np.asarray(a) / np.asarray(b) - 1))


def test_neither_impedance_py_nor_lmfit_is_imported_before_use():
    code = (
        "import sys, fitting.interop, fitting.zview; "
        "assert not [m for m in sys.modules if m.split('.')[0] in ('impedance', 'lmfit', 'matplotlib')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(("text", "values"), CIRCUITS, ids=[text for text, _ in CIRCUITS])
def test_both_sides_predict_the_same_impedance(text, values):
    found, spectrum = made_of(text, values)
    custom = to_impedance_py(found)
    assert custom.get_param_names()[0] == list(parse(text).names)
    assert apart(custom.predict(found.frequency_hz), found.z_fit_ohm) < 1e-12
    back = from_impedance_py(custom)
    assert apart(back.impedance(FREQUENCY), custom.predict(FREQUENCY)) < 1e-12
    assert apart(from_impedance_py(custom, spectrum).z_fit_ohm, found.z_fit_ohm) < 1e-12


@pytest.mark.parametrize("letter", [letter for letter in SHARED if letter in ELEMENTS and letter != "La"])
def test_every_shared_element_is_the_same_in_both(letter):
    circuits = import_impedance_py()
    typical = {"exponent": 0.8, "time": 3e-3, "scale": 2.5}
    values = [typical[parameter.kind] for parameter in ELEMENTS[letter].parameters]
    custom = circuits.CustomCircuit(f"{letter}1", initial_guess=values)
    custom.parameters_, custom.conf_ = np.array(values), np.array(values)
    model = from_impedance_py(custom)
    assert apart(model.impedance(FREQUENCY), custom.predict(FREQUENCY)) < 1e-12


def test_fixed_parameters_become_constants_and_come_back_fixed(fitted):
    spectrum = TRUTH.spectrum(0.002, 1)
    found = fit(TRUTH.circuit, spectrum, fix={"R0": np.float64(22.0), "CPE1_1": 0.95})
    custom = to_impedance_py(found)
    assert custom.constants == {"R0": 22.0, "CPE1_1": 0.95}
    assert apart(custom.predict(FREQUENCY), found.z_fit_ohm) < 1e-12
    assert "R0 = 2.20e+01" in str(custom)
    back = from_impedance_py(custom)
    assert back.fix == custom.constants
    again = fit(back.circuit, spectrum, start=back.start, fix=back.fix)
    assert again.chi2 == pytest.approx(found.chi2, rel=1e-8)


def test_uncertainties_cross_over_and_missing_ones_are_nan():
    found, _ = made_of("R0-p(R1,C1)", [10, 50, 1e-5])
    custom = to_impedance_py(found)
    assert list(custom.conf_) == [p.u for p in found.parameters]
    runaway = fit("R0-p(R1,C1)-L0", Spectrum.of(FREQUENCY, found.z_fit_ohm))
    assert not math.isfinite(runaway["L0"].u)
    assert math.isnan(to_impedance_py(runaway).conf_[-1])


def test_impedance_py_can_refit_what_it_was_given_and_lin_kk_runs(fitted, capsys):
    spectrum = TRUTH.spectrum(0.002, 1)
    custom = to_impedance_py(fitted)
    custom.fit(spectrum.frequency_hz, spectrum.z_ohm, weight_by_modulus=True)
    assert custom.parameters_[5] == pytest.approx(fitted.value("R2"), rel=1e-4)
    assert custom.conf_[5] == pytest.approx(fitted["R2"].u, rel=0.1)  # it differences where we derive
    from impedance.validation import linKK

    m, mu, *_ = linKK(spectrum.frequency_hz, spectrum.z_ohm, max_M=12)
    assert m > 1
    assert np.isfinite(mu)
    capsys.readouterr()


def test_values_from_impedance_py_are_judged_with_the_covariance_it_threw_away(fitted):
    judged = from_impedance_py(to_impedance_py(fitted), TRUTH.spectrum(0.002, 1))
    assert judged.converged
    assert judged.correlation("R1", "R2") == pytest.approx(fitted.correlation("R1", "R2"), rel=1e-9)
    assert judged.chi2 == pytest.approx(fitted.chi2, rel=1e-12)
    assert "not fitted here" in judged.because[0]


def test_values_that_are_no_minimum_are_told_about(fitted):
    custom = to_impedance_py(fitted)
    custom.parameters_[5] *= 1.05
    judged = from_impedance_py(custom, TRUTH.spectrum(0.002, 1))
    assert not judged.converged
    assert any("not at a minimum" in note for note in judged.because)
    assert judged.value("R2") == pytest.approx(1.05 * fitted.value("R2"))


def test_an_unfitted_circuit_gives_its_start_but_nothing_to_judge():
    custom = import_impedance_py().CustomCircuit(TRUTH.circuit, initial_guess=list(TRUTH.values.values()))
    model = from_impedance_py(custom)
    assert model.start == TRUTH.values
    assert model.values is None
    assert model.u is None
    assert apart(model.impedance(FREQUENCY), TRUTH.z()) < 1e-12
    with pytest.raises(FitError, match="not fitted"):
        from_impedance_py(custom, TRUTH.spectrum())


def test_the_other_spelling_of_names_is_understood():
    custom = import_impedance_py().CustomCircuit(
        "R_0-p(R_1,CPE_1)", initial_guess=[1.0, 2.0, 1e-6], constants={"CPE_1_1": 0.9}
    )
    model = from_impedance_py(custom)
    assert str(model.circuit) == "R0-p(R1,CPE1)"
    assert model.start == {"R0": 1.0, "R1": 2.0, "CPE1_0": 1e-6}
    assert model.fix == {"CPE1_1": 0.9}


def test_randles_is_taken_and_other_objects_are_refused():
    randles = import_impedance_py().Randles(initial_guess=[0.01, 0.005, 0.1, 200.0, 0.1], CPE=False)
    assert str(from_impedance_py(randles).circuit) == "R0-p(R1-Wo1,C1)"
    with pytest.raises(ConfigError, match="CustomCircuit"):
        from_impedance_py("R0-p(R1,C1)")


def test_elements_without_a_counterpart_are_refused_by_name():
    custom = import_impedance_py().CustomCircuit("R0-T1", initial_guess=[1.0, 1.0, 1.0, 1.0, 1.0])
    with pytest.raises(FitError, match="'T'"):
        from_impedance_py(custom)
    only_ours = [letter for letter in ELEMENTS if letter not in SHARED]
    for letter in only_ours:
        values = [0.8 if p.kind == "exponent" else 2.0 for p in ELEMENTS[letter].parameters]
        circuit = parse(f"R0-{letter}1")
        z = circuit.impedance(2 * np.pi * FREQUENCY, [1.0, *values])
        found = fit(circuit, Spectrum.of(FREQUENCY, z), start=[1.0, *values])
        with pytest.raises(CircuitError, match=f"'{letter}'"):
            to_impedance_py(found)


def test_a_missing_impedance_py_is_said_in_words(monkeypatch):
    monkeypatch.setitem(sys.modules, "impedance.models.circuits", None)
    with pytest.raises(ConfigError, match="pip install impedance pandas"):
        import_impedance_py()


# The modified inductor ------------------------------------------------------------------------------------------


def test_the_modified_inductor_is_converted_and_said_so():
    custom = import_impedance_py().CustomCircuit("La0-R0", initial_guess=[2e-6, 0.8, 1.0])
    custom.parameters_, custom.conf_ = np.array([3e-6, 0.85, 1.2]), np.array([1e-8, 1e-3, 1e-2])
    with pytest.warns(UserWarning, match=r"\(L·jω\)\^α"):
        model = from_impedance_py(custom)
    assert model.values["La0_0"] == pytest.approx(3e-6**0.85)
    assert model.start["La0_0"] == pytest.approx(2e-6**0.8)
    assert math.isnan(model.u["La0_0"])
    assert model.u["La0_1"] == 1e-3
    assert apart(model.impedance(FREQUENCY), custom.predict(FREQUENCY)) < 1e-12


def test_the_modified_inductor_goes_over_with_its_uncertainty():
    circuit = parse("La0-R0-p(R1,C1)")
    rng = np.random.default_rng(3)
    z = circuit.impedance(2 * np.pi * FREQUENCY, [1e-6, 0.8, 1.0, 10.0, 1e-7])
    z = z * (1 + 1e-3 * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size)))
    spectrum = Spectrum.of(FREQUENCY, z)
    found = fit(circuit, spectrum)
    with pytest.warns(UserWarning, match="La0"):
        custom = to_impedance_py(found)
    assert apart(custom.predict(FREQUENCY), found.z_fit_ohm) < 1e-12
    ours = custom.conf_[0]
    custom.fit(spectrum.frequency_hz, spectrum.z_ohm, weight_by_modulus=True)
    assert custom.conf_[0] == pytest.approx(ours, rel=0.1)


def test_a_modified_inductor_half_held_is_refused():
    custom = import_impedance_py().CustomCircuit("La0-R0", initial_guess=[0.8, 1.0], constants={"La0_0": 2e-6})
    with pytest.raises(FitError, match="La0_0 is held"):
        from_impedance_py(custom)


# JSON -----------------------------------------------------------------------------------------------------------


def test_a_model_that_impedance_py_saved_is_read(fitted, tmp_path):
    path = tmp_path / "theirs.json"
    custom = to_impedance_py(fitted)
    custom.name = "cell 7"
    custom.save(str(path))
    model = read_impedance_json(path)
    assert model.name == "cell 7"
    assert apart(model.impedance(FREQUENCY), fitted.z_fit_ohm) < 1e-12
    assert model.u == {p.name: p.u for p in fitted.parameters}


def test_an_unfitted_model_that_impedance_py_saved_is_read(tmp_path):
    path = tmp_path / "theirs.json"
    import_impedance_py().CustomCircuit("R0-p(R1,C1)", initial_guess=[1, 2], constants={"C1": 1e-6}).save(
        str(path)
    )
    model = read_impedance_json(path)
    assert (model.start, model.fix, model.values, model.u, model.name) == (
        {"R0": 1.0, "R1": 2.0},
        {"C1": 1e-6},
        None,
        None,
        "",
    )


def test_impedance_py_reads_what_we_write(tmp_path, capsys):
    found, _ = made_of("R0-p(R1,CPE1)-p(R2,C2)", [1, 20, 1e-6, 0.9, 30, 1e-3], fix=["R0"])
    path = write_impedance_json(found, tmp_path / "ours.json", name="cell 7")
    custom = loaded(path)
    assert capsys.readouterr().out.strip() == found.circuit
    assert apart(custom.predict(FREQUENCY), found.z_fit_ohm) < 1e-12
    assert (custom.name, custom.constants) == ("cell 7", {"R0": 1.0})
    assert list(custom.conf_) == [p.u for p in found.parameters if not p.fixed]
    assert "Fit parameters" in str(custom)
    assert apart(read_impedance_json(path).impedance(FREQUENCY), found.z_fit_ohm) < 1e-12


def test_a_missing_uncertainty_survives_both_readers(tmp_path, capsys):
    found, _ = made_of("R0-p(R1,C1)", [10, 50, 1e-5])
    runaway = fit("R0-p(R1,C1)-L0", Spectrum.of(FREQUENCY, found.z_fit_ohm))
    path = write_impedance_json(runaway, tmp_path / "ours.json")
    assert math.isnan(loaded(path).conf_[-1])
    assert math.isnan(read_impedance_json(path).u["L0"])
    capsys.readouterr()


def test_a_file_that_is_there_is_not_overwritten_unasked(fitted, tmp_path):
    path = tmp_path / "model.json"
    path.write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        write_impedance_json(fitted, path)
    assert path.read_text() == "mine"
    write_impedance_json(fitted, path, overwrite=True)
    assert read_impedance_json(path).values is not None
    with pytest.raises(StoreError, match="cannot be written"):
        write_impedance_json(fitted, tmp_path / "nowhere" / "model.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.json"]


GOOD = {
    "Name": "x",
    "Circuit String": "R0-p(R1,CPE1)",
    "Initial Guess": [1.0, 2.0, 1e-6],
    "Constants": {"CPE1_1": 0.9},
    "Fit": True,
    "Parameters": [1.0, 2.0, 1e-6],
    "Confidence": [0.1, float("nan"), float("inf")],
}
BAD = [
    ({"Parameters": [1.0, float("nan"), 1e-6]}, r"Parameters\[1\] is nan"),
    ({"Parameters": [1.0, "2", 1e-6]}, r"Parameters\[1\] is '2'"),
    ({"Parameters": [1.0, True, 1e-6]}, r"Parameters\[1\] is True"),
    ({"Parameters": [1.0, None, 1e-6]}, r"Parameters\[1\] is None"),
    ({"Parameters": [1.0, 10**400, 1e-6]}, r"Parameters\[1\]"),
    ({"Parameters": [1.0, 2.0]}, "Parameters has 2 values"),
    ({"Parameters": None}, "Parameters are missing"),
    ({"Parameters": {"R0": 1}}, "Parameters is"),
    ({"Confidence": ["a", 1, 2]}, r"Confidence\[0\]"),
    ({"Initial Guess": [1.0, 2.0, 1e-6, 0.9]}, "Initial Guess has 4 values"),
    ({"Initial Guess": 3}, "Initial Guess is 3"),
    ({"Constants": {"R9": 1.0}}, r"Constants\.R9"),
    ({"Constants": {"CPE1_1": "a"}}, r"Constants\.CPE1_1"),
    ({"Constants": [1]}, r"Constants is \[1\]"),
    ({"Circuit String": "R0-p(R1"}, "Circuit String .*never closed"),
    ({"Circuit String": "R0-T1"}, "Circuit String .*'T'"),
    ({"Circuit String": 7}, "Circuit String is 7"),
    ({"Circuit String": "__import__('os')"}, "Circuit String"),
    ({"Fit": "yes"}, "Fit is 'yes'"),
    ({"Name": [1]}, "Name is"),
]


def test_confidences_that_say_nothing_are_no_uncertainty(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(GOOD))
    u = read_impedance_json(path).u
    assert u["R0"] == 0.1
    assert math.isnan(u["R1"])
    assert math.isnan(u["CPE1_0"])


@pytest.mark.parametrize(("change", "says"), BAD, ids=[says for _, says in BAD])
def test_a_damaged_model_is_refused_with_its_key(change, says, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(ReadError, match=says) as caught:
        read_impedance_json(path)
    assert "model.json" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "'Circuit String' is missing"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b" " * (MAX_BYTES + 1), "larger than"),
    ],
    ids=["empty", "list", "binary", "deep", "no keys", "digits", "large"],
)
def test_what_is_not_a_model_is_refused(content, says, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=says):
        read_impedance_json(path)
    with pytest.raises(ReadError, match="cannot be read"):
        read_impedance_json(tmp_path / "nothing.json")


# lmfit ----------------------------------------------------------------------------------------------------------


def test_lmfit_parameters_become_the_arguments_of_a_fit(fitted):
    spectrum = TRUTH.spectrum(0.002, 1)
    parameters = fitted.to_lmfit()
    parameters["R0"].set(value=22.0, vary=False)
    parameters["R1"].set(min=1.0, max=40.0)
    arguments = from_lmfit(parameters)
    assert arguments["fix"] == {"R0": 22.0}
    assert arguments["bounds"]["R1"] == (1.0, 40.0)
    assert "R2" not in arguments["bounds"]
    assert set(arguments["start"]) == set(parse(TRUTH.circuit).names) - {"R0"}
    again = fit(TRUTH.circuit, spectrum, **arguments)
    assert again["R0"].fixed
    assert again["R1"].upper == 40.0


def test_lmfit_round_trip_finds_the_same_minimum(fitted):
    again = fit(TRUTH.circuit, TRUTH.spectrum(0.002, 1), **from_lmfit(fitted.to_lmfit()))
    assert again.chi2 == pytest.approx(fitted.chi2, rel=1e-9)
    assert again["R2"].u == pytest.approx(fitted["R2"].u, rel=1e-4)


def test_lmfit_s_expressions_tie_the_fit(fitted):
    parameters = fitted.to_lmfit()
    parameters["R2"].set(expr="1.2 * R1")
    again = fit(TRUTH.circuit, TRUTH.spectrum(0.002, 1), start=parameters)
    assert again.value("R2") == pytest.approx(1.2 * again.value("R1"), rel=1e-12)
    assert again["R2"].because == "tied: 1.2 * R1"


def test_lmfit_parameters_without_a_value_are_refused_by_name():
    import lmfit

    empty = lmfit.Parameters()
    empty.add("R0")
    with pytest.raises(FitError, match="R0 has no value"):
        from_lmfit(empty)


def test_profile_intervals_of_lmfit_agree_with_ours_where_the_data_are_good(fitted):
    import lmfit

    machine = minimizer(fitted, TRUTH.spectrum(0.002, 1))
    result = machine.minimize()
    assert result.redchi == pytest.approx(1, rel=1e-9)  # residuals in units of their scatter
    intervals = lmfit.conf_interval(machine, result, sigmas=[1])
    assert set(intervals) == set(fitted.free)
    for name, ((_, low), (_, best), (_, high)) in intervals.items():
        one = fitted[name]
        assert best == pytest.approx(one.value, rel=1e-6)
        assert result.params[name].stderr == pytest.approx(one.u, rel=0.01)
        assert best - low == pytest.approx(one.u, rel=0.05)
        assert high - best == pytest.approx(one.u, rel=0.05)


def test_the_minimizer_keeps_fixed_parameters_weights_and_small_values():
    found, spectrum = made_of("R0-p(R1,C1)", [1e9, 5e9, 2e-12], fix=["R0"])
    machine = minimizer(found, spectrum)
    start = machine.params
    assert not start["R0"].vary
    trial = start.copy()
    trial["C1"].set(value=2e-12 * (1 + 1e-9))
    assert np.abs(machine.userfcn(start)).max() < 1e-12
    assert np.abs(machine.userfcn(trial)).max() == pytest.approx(5e-10, rel=0.5)
    result = machine.minimize()
    assert result.params["C1"].value == pytest.approx(2e-12, rel=1e-9)
    assert result.params["R0"].value == 1e9


def test_a_sampler_takes_the_residuals_for_standard_deviations(fitted):
    machine = minimizer(fitted, TRUTH.spectrum(0.002, 1))
    trial = machine.params.copy()
    trial["R2"].set(value=fitted.value("R2") + fitted["R2"].u / 100)
    rise = np.sum(machine.userfcn(trial) ** 2) - np.sum(machine.userfcn(machine.params) ** 2)
    curvature = 1 / np.linalg.inv(fitted.covariance)[fitted.free.index("R2")][fitted.free.index("R2")]
    assert rise == pytest.approx((fitted["R2"].u / 100) ** 2 / curvature, rel=1e-2)
    z = TRUTH.z()
    rng = np.random.default_rng(2)
    z = z + 0.05 * (rng.standard_normal(z.size) + 1j * rng.standard_normal(z.size))
    spectrum = Spectrum.of(FREQUENCY, z, columns={"u_z_ohm": np.full(z.size, 0.05)})
    known = fit(TRUTH.circuit, spectrum, weight="variance")
    result = minimizer(known, spectrum).minimize()
    assert result.redchi == pytest.approx(known.reduced_chi2, rel=1e-9)
    assert result.params["R2"].stderr == pytest.approx(known["R2"].u, rel=0.01)


def test_the_minimizer_refuses_another_spectrum(fitted):
    with pytest.raises(FitError, match="not the one"):
        minimizer(fitted, TRUTH.spectrum(0.002, 2))
    with pytest.raises(FitError, match="not the one"):
        minimizer(fitted, TRUTH.spectrum(0.002, 1, frequency=FREQUENCY[::2]))


# ZView ----------------------------------------------------------------------------------------------------------


def element(index, kind, name, *values):
    lines = [f"  Element #{index} Type:            {kind}", f"  Element #{index} Name:            {name}"]
    for slot, letter, value, free in values:
        lines += [
            f"  Element #{index},{slot} Name:          {letter}",
            f"  Element #{index},{slot} Value:         {value}",
            f"  Element #{index},{slot} Free:          {free}",
        ]
    return lines


def model_file(path, elements, count=None, ending="\r\n"):
    number = len(elements) if count is None else count
    lines = [
        "ZView Circuit Model:          2.0",
        "  IOPT:                       0",
        "End ZView:                    2.0",
    ]
    lines += [f"Begin Circuit Model:          {number}"]
    for index, (kind, name, *values) in enumerate(elements):
        lines += element(index, kind, name, *values)
    lines += [f"End Circuit Model:            {number}"]
    path.write_bytes((ending.join(lines) + ending).encode("latin-1"))
    return path


CELL = [
    (3, "L1", (1, "T", "1,0E-7", 2)),
    (1, "Rs", (0, "R", "22", 1)),
    (-1, "Begin_Parallel"),
    (1, "R1", (0, "R", "15,5", 1)),
    (11, "CPE1", (1, "T", "1.3E-7", 1), (2, "P", "0.95", 0)),
    (-2, "End_Parallel"),
    (-1, "Begin_Parallel"),
    (2, "Cdl", (1, "T", "1E-5", 1)),
    (1, "R2", (0, "R", "17.7", 1)),
    (-2, "End_Parallel"),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_zview_model_is_read_with_its_values(tmp_path, ending):
    model = read_zview_model(model_file(tmp_path / "cell.mdl", CELL, ending=ending))
    assert str(model.circuit) == "L1-R0-p(R1,CPE1)-p(C0,R2)"
    assert model.start == {
        "L1": 1e-7,
        "R0": 22.0,
        "R1": 15.5,
        "CPE1_0": 1.3e-7,
        "CPE1_1": 0.95,
        "C0": 1e-5,
        "R2": 17.7,
    }
    assert model.fix == {}
    assert model.name == "cell"
    assert "Rs is R0, Cdl is C0" in model.notes[0]
    assert "CPE1_1" in model.notes[1]


def test_a_zview_model_starts_a_fit(tmp_path):
    model = read_zview_model(model_file(tmp_path / "cell.mdl", CELL))
    truth = [1e-7, 20, 15, 1.5e-7, 0.9, 2e-5, 18]
    spectrum = Spectrum.of(FREQUENCY, model.circuit.impedance(2 * np.pi * FREQUENCY, truth))
    assert fit(model.circuit, spectrum, start=model.start).value("R2") == pytest.approx(18, rel=1e-6)


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ([*CELL, (17, "Ws1", (0, "R", "1", 1))], "'Ws1' is of type 17"),
        ([(12, "GE1", (1, "T", "1", 1), (2, "P", "1", 1))], "type 12"),
        ([(-1, "Begin_Parallel"), (-1, "Begin_Parallel")], "inside another"),
        ([(-2, "End_Parallel")], "did not begin"),
        ([(-1, "Begin_Parallel"), (-2, "End_Parallel")], "holds nothing"),
        ([(-1, "Begin_Parallel"), (1, "R1", (0, "R", "1", 1))], "never closed"),
        ([(1, "R1")], "R1 has 0 values instead of 1"),
        ([(11, "CPE1", (1, "T", "1", 1))], "CPE1 has 1 values instead of 2"),
        ([(1, "R1", (0, "R", "1.234,5", 1))], "Expected a number, found '1.234,5'"),
        ([(1, "R1", (0, "R", "nan", 1))], "Expected a number"),
        ([], "holds no element"),
    ],
)
def test_a_zview_model_beyond_what_is_known_is_refused(elements, says, tmp_path):
    with pytest.raises(ReadError, match=says):
        read_zview_model(model_file(tmp_path / "cell.mdl", elements))


def test_a_zview_model_cut_short_or_foreign_is_refused(tmp_path):
    with pytest.raises(ReadError, match="announces 11 elements and has 10"):
        read_zview_model(model_file(tmp_path / "a.mdl", CELL, count=11))
    text = model_file(tmp_path / "b.mdl", CELL).read_text()
    (tmp_path / "b.mdl").write_text(text[: len(text) // 2])
    with pytest.raises(ReadError, match="cut short"):
        read_zview_model(tmp_path / "b.mdl")
    (tmp_path / "c.mdl").write_text("R0-p(R1,C1)")
    with pytest.raises(ReadError, match="not a ZView model"):
        read_zview_model(tmp_path / "c.mdl")
    (tmp_path / "d.mdl").write_text(text.replace("Element #3 Type", "Element #4 Type"))
    with pytest.raises(ReadError, match=r"Expected element #3, found #4 .*line"):
        read_zview_model(tmp_path / "d.mdl")
