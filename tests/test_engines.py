"""The compiled engine and NumPy's: the same end, uncertainty and reason, whatever the circuit."""

import subprocess
import sys

import numpy as np
import pytest

from eis.spectrum import Spectrum
from fitting import fit, fit_many
from fitting.circuit import parse
from fitting.elements import ELEMENTS
from fitting.evaluation import WITHOUT, engine
from fitting.tape import tape_of
from tests.truth import TwoArcs, noisy

FREQUENCY = np.geomspace(1e6, 1e-2, 57)
TYPICAL = {  # values that show in such a sweep, by unit
    "ohm": 30.0,
    "F": 1e-5,
    "H": 1e-6,
    "s": 1e-2,
    "S s^a": 2e-4,
    "ohm s^-1/2": 20.0,
    "ohm s^a": 1e-5,
    "": 0.85,
}


def typical(circuit):
    values = np.array([TYPICAL[parameter.unit] for parameter in circuit.parameters])
    for leaf in circuit.leaves:  # two equal rails could be exchanged
        if leaf.letter.startswith("TLM") and leaf.letter[3] in "oei":
            values[circuit.names.index(leaf.parameter_names[1])] = 11.0
    return values


def data(circuit, noise=1e-3, count=2):
    clean = circuit.impedance(2 * np.pi * FREQUENCY, typical(circuit))
    return np.array([noisy(clean, noise, seed) for seed in range(count)])


@pytest.fixture
def without_numba(monkeypatch):
    def switch(on):
        if on:
            monkeypatch.setenv(WITHOUT, "1")
        else:
            monkeypatch.delenv(WITHOUT, raising=False)

    return switch


@pytest.mark.parametrize("letter", sorted(ELEMENTS))
def test_every_element_is_compiled_and_both_engines_end_in_the_same_place(letter, without_numba):
    series = "" if letter[:4] in ("TLMe", "TLMi") else "R0-"  # which hold a series resistance of their own
    circuit = parse(f"{series}{letter}1")
    assert tape_of(circuit) is not None
    z, start = data(circuit), typical(circuit) * 1.2
    start[[p.kind == "exponent" for p in circuit.parameters]] = 0.8
    fix = {"R0": 30.0} if letter == "R" else {}
    ends = []
    for off in (False, True):
        without_numba(off)
        assert (engine() is None) is off
        ends.append(fit_many(circuit, FREQUENCY, z, start=start, fix=fix))
    compiled, plain = ends
    assert np.array_equal(compiled.converged, plain.converged)
    assert compiled.chi2 == pytest.approx(plain.chi2, rel=1e-8)
    assert compiled.converged.all()
    apart = np.abs(compiled.values - plain.values)
    known = np.isfinite(plain.u)
    assert np.all(apart[known] <= 1e-3 * plain.u[known])
    assert np.array_equal(np.isnan(compiled.u), np.isnan(plain.u))
    assert compiled.u[known] == pytest.approx(plain.u[known], rel=1e-3)


def test_what_cannot_be_told_apart_has_no_uncertainty_in_either_engine(without_numba):
    circuit = parse("R0-TLMe1")  # R0 is added to a line that has a high-frequency resistance of its own
    for off in (False, True):
        without_numba(off)
        batch = fit_many(circuit, FREQUENCY, data(circuit), start=typical(circuit))
        assert np.isnan(batch.u[:, :4]).all()
        assert np.all(batch.u[:, 4] < 0.05)


def test_both_engines_take_the_same_steps(without_numba):
    circuit = parse("L0-R0-p(R1,CPE1)-p(R2,CPE2)")
    cell = TwoArcs()
    z = np.array([cell.spectrum(noise=2e-3, seed=seed).z_ohm for seed in range(5)])
    frequency = cell.spectrum(noise=2e-3, seed=0).frequency_hz
    counts = []
    for off in (False, True):
        without_numba(off)
        counts.append(fit_many(circuit, frequency, z).n_evaluations)
    assert np.all(np.abs(counts[0] - counts[1]) <= 1)  # rounding may ask for one look more


def test_limits_fixed_values_and_lost_points_are_the_same_without_numba(without_numba):
    circuit = parse("R0-p(R1,CPE1)")
    z = data(circuit, count=3)
    z[1, 7] = np.nan
    wishes = {"bounds": {"R1": (1.0, 20.0)}, "fix": {"R0": 30.0}}
    compiled = fit_many(circuit, FREQUENCY, z, **wishes)
    without_numba(True)
    plain = fit_many(circuit, FREQUENCY, z, **wishes)
    assert plain.values == pytest.approx(compiled.values, rel=1e-6)
    assert np.isnan(plain.u[:, 1]).all()
    assert np.isnan(compiled.u[:, 1]).all()


def test_one_fit_without_numba_says_the_same(without_numba):
    spectrum = Spectrum.of(FREQUENCY, data(parse("R0-p(R1,CPE1)-TLMo2"))[0])
    compiled = fit("R0-p(R1,CPE1)-TLMo2", spectrum)
    without_numba(True)
    plain = fit("R0-p(R1,CPE1)-TLMo2", spectrum)
    assert plain.chi2 == pytest.approx(compiled.chi2, rel=1e-8)
    assert plain.because == compiled.because


def test_fits_work_where_numba_cannot_be_imported():
    code = """
import sys
sys.modules["numba"] = None
import numpy as np
from fitting import fit_many
frequency = np.geomspace(1e4, 1.0, 20)
z = 5 + 20 / (1 + 2j * np.pi * frequency * 1e-3)
print(*fit_many("R0-p(R1,C1)", frequency, z).values[0].round(6))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5.0", "20.0", "5e-05"]
