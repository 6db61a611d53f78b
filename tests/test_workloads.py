"""The benchmark's own yardstick: the truth is right, a wrong value is not, and the data are what they say."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from benchmarks.workloads import FORMS, NOISE, WORKLOADS, deviation, in_order, workload
from fitting import parse
from fitting.elements import ELEMENTS

ALL = sorted(WORKLOADS)


@pytest.mark.parametrize("name", ALL)
def test_a_parameter_ten_percent_off_is_wrong(name):
    """Ten percent, or four σ where the data do not tell a tenth."""
    work = workload(name, 20)
    sigma = deviation(work.circuit, work.frequency_hz, work.truth)
    for i in range(len(work.names)):
        values = work.truth.copy()
        values[:, i] += np.maximum(0.1 * work.truth[:, i], 4 * sigma[:, i])
        assert not work.right(values).any(), work.names[i]


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_a_number_is_wrong_and_spoils_no_neighbour(name):
    work = workload(name, 4)
    values = work.truth.copy()
    values[0], values[1, 0], values[2, 1] = np.nan, np.inf, -1.0
    assert work.right(values).tolist() == [False, False, False, True]


@pytest.mark.parametrize("name", ALL)
def test_the_start_is_not_yet_right(name):
    work = workload(name, 20)
    assert not work.right(np.broadcast_to(work.starts, work.truth.shape)).any()


@pytest.mark.parametrize("name", ALL)
def test_the_truth_is_right(name):
    work = workload(name)
    assert work.right(work.truth).all()
    assert work.right(work.truth[3:5], slice(3, 5)).all()


@pytest.mark.parametrize("name", ALL)
def test_swapped_arcs_are_put_in_order_before_they_are_judged(name):
    work = workload(name, 20)
    np.testing.assert_array_equal(in_order(work.circuit, work.truth), work.truth)
    arcs = [list(arc) for arc in FORMS[work.circuit].arcs]
    if len(arcs) == 2:
        swapped = work.truth.copy()
        swapped[:, arcs[0]], swapped[:, arcs[1]] = work.truth[:, arcs[1]], work.truth[:, arcs[0]]
        assert work.right(swapped).all()


@pytest.mark.parametrize("name", ALL)
def test_the_noise_is_as_stated(name):
    work = workload(name)
    truth = FORMS[work.circuit].impedance(2 * np.pi * work.frequency_hz, work.truth)
    off = (work.z_ohm - truth) / np.abs(truth)
    assert off.real.std() == pytest.approx(NOISE, rel=0.02)
    assert off.imag.std() == pytest.approx(NOISE, rel=0.02)
    assert abs(off.mean()) < 5 * NOISE / np.sqrt(off.size)


@pytest.mark.parametrize("name", ALL)
def test_the_same_spectra_every_time_however_many_are_asked_for(name):
    few, many = workload(name, 7), workload(name, 50)
    for field in ("z_ohm", "truth"):
        np.testing.assert_array_equal(getattr(few, field), getattr(many, field)[:7])
    np.testing.assert_array_equal(few.start_of(6), many.start_of(6))


def test_w2_and_w2h_are_the_spectra_of_w1_from_other_starts():
    one, generic, hard = (workload(name, 5) for name in ("W1", "W2", "W2H"))
    np.testing.assert_array_equal(one.z_ohm, generic.z_ohm)
    np.testing.assert_array_equal(one.z_ohm, hard.z_ohm)
    assert hard.starts[1:4].tolist() == hard.starts[4:7].tolist()


def test_starts_are_off_by_two_to_three():
    work = workload("W1")
    exponents = list(FORMS[work.circuit].exponents)
    scales = [i for i in range(len(work.names)) if i not in exponents]
    factor = np.exp(np.abs(np.log(work.starts / work.truth)))[:, scales]
    assert factor.min() > 2 * (1 - 1e-12)
    assert factor.max() < 3
    assert np.abs(work.starts - work.truth)[:, exponents].max() <= 0.1
    assert work.starts[:, exponents].max() < 1


@pytest.mark.parametrize("name", ALL)
def test_the_closed_form_and_the_circuit_agree(name):
    work = workload(name, 3)
    if name == "W3" and "TLMQ" not in ELEMENTS:
        pytest.skip("TLMQ is not an element yet")
    circuit = parse(work.circuit)
    omega = 2 * np.pi * work.frequency_hz
    assert circuit.names == work.names
    for values, z in zip(work.truth, FORMS[work.circuit].impedance(omega, work.truth), strict=True):
        np.testing.assert_allclose(circuit.impedance(omega, values), z, rtol=1e-10)


def test_the_deviation_is_what_repeated_measurements_scatter_by():
    work = workload("ZARC2", 1)
    form, truth = FORMS[work.circuit], work.truth[0]
    omega = 2 * np.pi * work.frequency_hz
    clean = form.impedance(omega, truth)
    rng = np.random.default_rng(5)

    def misses(log_values, z):
        miss = (form.impedance(omega, np.exp(log_values)) - z) / (NOISE * np.abs(clean))
        return np.concatenate([miss.real, miss.imag])

    found = []
    for _ in range(60):
        noise = rng.standard_normal((2, omega.size))
        z = clean + NOISE * np.abs(clean) * (noise[0] + 1j * noise[1])
        found.append(least_squares(misses, np.log(truth), method="lm", args=(z,)).x)
    expected = deviation(work.circuit, work.frequency_hz, work.truth)[0] / truth
    np.testing.assert_allclose(np.std(found, axis=0), expected, rtol=0.35)
