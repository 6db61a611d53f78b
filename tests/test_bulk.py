"""The compiled machine and fits in bulk: refusals, the same numbers as NumPy and SciPy, the right minimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eis.errors import FitError
from eis.spectrum import Spectrum
from fitting import fit
from fitting.bulk import fit_many
from fitting.circuit import parse
from fitting.descent import by_scipy, walker
from fitting.machine import exponential, play
from fitting.problem import lay_out
from fitting.tape import OPCODES, tape_of
from tests.test_circuit import circuits
from tests.thorough import number
from tests.truth import FREQUENCY, TwoArcs, noisy

TRUTH = TwoArcs()
VALUES = np.array(list(TRUTH.values.values()))


def many(count=20, noise=2e-3, truth=TRUTH):
    return np.array([noisy(truth.z(), noise, seed) for seed in range(count)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"z_ohm": np.ones((3, 5))}, "shape"),
        ({"frequency_hz": FREQUENCY[::-1]}, "fall"),
        ({"frequency_hz": np.where(FREQUENCY > 1e3, FREQUENCY, np.nan)}, "positive"),
        ({"z_ohm": np.where(FREQUENCY > 1e5, TRUTH.z(), np.nan)}, "spectrum 0"),
        ({"start": [1.0, 2.0]}, "one value each for L0, R0"),
        ({"start": -VALUES}, "above zero"),
        ({"fix": {"R9": 1.0}}, "no parameter 'R9'"),
        ({"bounds": {"R1": (2, 1)}}, "limits of R1"),
        ({"fix": dict(TRUTH.values)}, "Every parameter is fixed"),
        ({"weight": "variance"}, "u_z_ohm"),
        ({"weight": "other"}, "Unknown weight"),
    ],
)
def test_a_wrong_wish_is_refused_in_words(arguments, words):
    usual = {"frequency_hz": FREQUENCY, "z_ohm": many(2)}
    with pytest.raises(FitError, match=words):
        fit_many(TRUTH.circuit, **(usual | arguments))


def machine(circuit, omega, values):
    tape = tape_of(circuit)
    exponent = np.array([parameter.kind == "exponent" for parameter in circuit.parameters])
    return play(
        tape.opcode,
        tape.first,
        tape.second,
        tape.direct,
        tape.child_start,
        tape.child_count,
        tape.children,
        omega,
        values,
        exponent,
    )


@settings(max_examples=number(30, thorough=60), deadline=None)
@given(circuits(), st.integers(0, 2**32 - 1))
def test_the_machine_gives_the_impedance_and_jacobian_of_any_circuit(text, seed):
    circuit = parse(text)
    if tape_of(circuit) is None:
        assert any(leaf.letter not in OPCODES for leaf in circuit.leaves)
        return
    rng = np.random.default_rng(seed)
    values = np.array(
        [rng.uniform(0.4, 1) if p.kind == "exponent" else 10 ** rng.uniform(-3, 3) for p in circuit.parameters]
    )
    omega = np.geomspace(1e-2, 1e4, 13)
    z, jacobian = machine(circuit, omega, values)
    expected, by_value = circuit.jacobian(omega, values)
    assert z == pytest.approx(expected, rel=1e-11)
    size = np.abs(expected) / values[:, None]
    assert np.all(np.abs(jacobian - by_value) <= 1e-9 * np.abs(by_value) + 1e-11 * size)


@given(st.floats(-690, 690))
def test_the_vector_exponential_is_exact_to_rounding(x):
    assert exponential(x) == pytest.approx(np.exp(x), rel=4e-16)


@pytest.mark.parametrize("weight", ["modulus", "unit", "proportional"])
def test_machine_and_scipy_find_the_same_minimum(weight):
    for seed in range(5):
        spectrum = TRUTH.spectrum(noise=2e-3, seed=seed)
        problem = lay_out(parse(TRUTH.circuit), spectrum, weight, TRUTH.values, {}, {})
        ends = [walk(problem)(problem.walked(problem.values)) for walk in (walker, by_scipy)]
        assert ends[0].success
        assert ends[0].chi2 == pytest.approx(ends[1].chi2, rel=1e-8)
        assert ends[0].t == pytest.approx(ends[1].t, abs=1e-3)  # hundredths of a standard uncertainty


def test_bulk_and_single_fits_agree():
    z = many(10)
    batch = fit_many(TRUTH.circuit, FREQUENCY, z)
    for i in range(10):
        one = fit(TRUTH.circuit, Spectrum.of(FREQUENCY, z[i]))
        assert batch.chi2[i] == pytest.approx(one.chi2, rel=1e-7)
        assert batch.values[i] == pytest.approx([p.value for p in one.parameters], rel=1e-3)
        assert batch.u[i] == pytest.approx([p.u for p in one.parameters], rel=2e-2)
    assert batch.names == tuple(TRUTH.values)


def test_clean_spectra_give_the_truth_without_a_start():
    batch = fit_many(TRUTH.circuit, FREQUENCY, np.array([TRUTH.z(), 1e3 * TRUTH.z()]))
    assert batch.converged.all()
    assert not batch.suspicious.any()
    assert batch.values[0] == pytest.approx(VALUES, rel=1e-6)
    scale = np.array([1e3, 1e3, 1e3, 1e-3, 1, 1e3, 1e-3, 1])
    assert batch.values[1] == pytest.approx(VALUES * scale, rel=1e-6)


def test_a_bad_start_is_mended_by_further_ones():
    bad = np.array([1e-9, 1e-3, 1e4, 1e-2, 0.5, 1e4, 1e-2, 0.5])
    batch = fit_many(TRUTH.circuit, FREQUENCY, many(20), start=bad)
    assert batch.values[:, 5] == pytest.approx(np.full(20, TRUTH.r2), rel=0.02)
    assert not batch.suspicious.any()


def test_a_point_that_is_no_number_is_left_out_of_its_own_spectrum_alone():
    z = many(3)
    z[1, 20] = np.nan
    batch = fit_many(TRUTH.circuit, FREQUENCY, z)
    kept = np.arange(71) != 20
    alone = fit(TRUTH.circuit, Spectrum.of(FREQUENCY[kept], z[1, kept]))
    assert batch.chi2[1] == pytest.approx(alone.chi2, rel=1e-7)
    whole = fit_many(TRUTH.circuit, FREQUENCY, many(3))
    assert batch.chi2[[0, 2]] == pytest.approx(whole.chi2[[0, 2]], rel=1e-12)


def test_limits_are_kept_and_fixed_values_stay():
    batch = fit_many(TRUTH.circuit, FREQUENCY, many(5), bounds={"R2": (1.0, 10.0)}, fix={"L0": 1e-7})
    assert np.all(batch.values[:, 5] <= 10.0)
    assert np.isnan(batch.u[:, 5]).all()  # at its limit
    assert np.all(batch.values[:, 0] == 1e-7)
    assert np.all(batch.u[:, 0] == 0)


def test_equal_arcs_come_in_order_of_rising_time_constant():
    swapped = VALUES[[0, 1, 5, 6, 7, 2, 3, 4]]
    batch = fit_many(TRUTH.circuit, FREQUENCY, many(5), start=swapped)
    assert batch.values[:, 2] == pytest.approx(np.full(5, TRUTH.r1), rel=0.02)
    assert np.all(batch.u[:, 2] > 0)


def test_a_circuit_that_is_not_the_data_s_own_is_called_suspicious():
    batch = fit_many("R0-p(R1,C1)", FREQUENCY, many(3))
    assert batch.suspicious.all()


def test_the_same_call_gives_the_same_bits():
    first, second = (fit_many(TRUTH.circuit, FREQUENCY, many(5), seed=3) for _ in range(2))
    assert np.array_equal(first.values, second.values)


def test_a_batch_is_a_table():
    frame = fit_many(TRUTH.circuit, FREQUENCY, many(2)).to_dataframe()
    assert {"R2", "u_R2", "chi2", "converged", "suspicious"} <= set(frame.columns)
    assert len(frame) == 2


def random_ladders(arcs, tail, count, seed):
    """Draw cells whose arcs lie at least a decade apart, somewhere in five decades; 0.3 % noise."""
    rng = np.random.default_rng(seed)
    circuit = parse("-".join(["L0-R0", *(f"p(R{i},CPE{i})" for i in range(1, arcs + 1))]) + tail)
    omega = 2 * np.pi * FREQUENCY
    z, right = [], []
    for _ in range(count):
        times = np.sort(rng.uniform(-6, -1, arcs))
        while np.any(np.diff(times) < 1):
            times = np.sort(rng.uniform(-6, -1, arcs))
        values = [10 ** rng.uniform(-8, -7), 10 ** rng.uniform(0, 1.5)]
        for r, t, a in zip(10 ** rng.uniform(0.5, 2, arcs), times, rng.uniform(0.75, 1, arcs), strict=True):
            values += [r, (10**t) ** a / r, a]
        tails = {
            "": [],
            "-CPE9": [0.01 / r, rng.uniform(0.7, 0.95)],
            "-W9": [r * rng.uniform(1, 3)],
            "-Wo9": [r * rng.uniform(0.5, 2), rng.uniform(0.3, 3)],
            "-Ws9": [r * rng.uniform(0.5, 2), rng.uniform(0.3, 3)],
        }
        values += tails[tail]
        clean = circuit.impedance(omega, values)
        data = noisy(clean, 3e-3, int(rng.integers(2**31)))
        z.append(data)
        right.append(float((np.abs((data - clean) / data) ** 2).sum()))
    return circuit, np.array(z), np.array(right)


@pytest.mark.parametrize("tail", ["", "-CPE9", "-W9", "-Wo9", "-Ws9"])
@pytest.mark.parametrize("arcs", [1, 2, 3, 4])
def test_nobody_needs_a_guess_for_ladders_of_up_to_four_arcs(arcs, tail):
    circuit, z, right = random_ladders(arcs, tail, 100, seed=arcs)
    batch = fit_many(circuit, FREQUENCY, z)
    assert (batch.chi2 <= 1.05 * right).mean() >= 0.97


REFERENCE = {  # reference circuits of solid-state cells, with values each sweep determines
    "L0-R0-p(R1,CPE1)-CPE2": [1e-7, 30, 90, 3e-8, 0.92, 2e-5, 0.9],
    "p(R1,CPE1)-p(R2,CPE2)-CPE3": [300, 1e-9, 0.95, 800, 2e-7, 0.88, 1e-4, 0.9],
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)": [1e-7, 22, 15, 1.4e-7, 0.95, 17.7, 1.5e-5, 0.92],
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-W4": [1e-7, 10, 8, 3e-7, 0.95, 20, 1e-5, 0.9, 30, 1e-3, 0.9, 5],
    "R0-p(R1-Ws2,CPE1)": [5, 12, 25, 0.5, 3e-5, 0.9],
    "R0-TLMQ1": [5, 40, 2e-3, 0.92],
}


@pytest.mark.parametrize("text", REFERENCE)
def test_68_percent_intervals_hold_the_truth_in_63_to_73_percent_of_1000_draws(text):
    circuit, truth = parse(text), np.array(REFERENCE[text])
    clean = circuit.impedance(2 * np.pi * FREQUENCY, truth)
    z = np.array([noisy(clean, 2e-3, seed) for seed in range(1000)])
    batch = fit_many(circuit, FREQUENCY, z, start=truth)
    covered = (np.abs(batch.values - truth) <= batch.u).mean(axis=0)
    assert np.all((covered > 0.63) & (covered < 0.73)), dict(zip(batch.names, covered, strict=True))


def test_a_spectrum_s_fit_does_not_depend_on_its_company(monkeypatch):
    circuit, z, _ = random_ladders(2, "", 40, seed=8)
    together = fit_many(circuit, FREQUENCY, z)
    assert together.n_starts.max() > 1  # some were tried again
    alone = [fit_many(circuit, FREQUENCY, z[i]) for i in range(40)]
    assert np.array_equal(together.values, np.concatenate([one.values for one in alone]))
    monkeypatch.setattr("fitting.bulk.BLOCK", 7)
    blocks = fit_many(circuit, FREQUENCY, z, start=together.values)
    assert len(blocks) == 40
    assert blocks.chi2 == pytest.approx(together.chi2, rel=1e-7)


def test_elements_the_machine_does_not_know_are_fitted_one_by_one():
    z = np.array([noisy(5 + 20 / (1 + (1j * FREQUENCY / 50) ** 0.9) ** 0.8, 1e-3, seed) for seed in range(3)])
    z[1, 10] = np.nan
    batch = fit_many("R0-HN1", FREQUENCY, z)
    assert len(batch) == 3
    assert batch.converged.all()
    assert np.all(np.abs(batch.values[:, 1] - 20) < 4 * batch.u[:, 1])
    assert not batch.suspicious.any()
