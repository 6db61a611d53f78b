"""Bricks and mortar: the published benchmark, its uncertainty, and every warning where the model fails."""

import math

import numpy as np
import pytest

from eis.brick_layer import brick_layer
from eis.errors import ConfigError
from eis.spectrum import Cell, Spectrum
from fitting import fit
from tests.truth import noisy

CELL = Cell(0.785398, kind="blocking", thickness_cm=0.05)
R_B, C_B, R_GB, C_GB = 15.9155, 13.908e-12, 6.36620, 13.908e-9
FREQUENCY = np.geomspace(1e11, 1e4, 71)  # wide enough for a bulk at 719 MHz
CIRCUIT = "p(R1,C1)-p(R2,C2)"


def pellet(r_b=R_B, c_b=C_B, r_gb=R_GB, c_gb=C_GB, noise=0.0, seed=0):
    s = 2j * np.pi * FREQUENCY
    z = r_b / (1 + s * r_b * c_b) + r_gb / (1 + s * r_gb * c_gb)
    start = [r_b, c_b, r_gb, c_gb]
    return fit(CIRCUIT, Spectrum.of(FREQUENCY, noisy(z, noise, seed)), start=start)


@pytest.fixture(scope="module")
def clean():
    return pellet()


def test_what_is_missing_or_unknown_is_named(clean):
    with pytest.raises(ConfigError, match="thickness_cm"):
        brick_layer(clean, Cell(1.0))
    with pytest.raises(ConfigError, match="no 'R9'"):
        brick_layer(clean, CELL, bulk="R9")
    with pytest.raises(ConfigError, match="grain_size_cm"):
        brick_layer(clean, CELL, grain_size_cm=0.0)


def test_a_circuit_without_electrolyte_is_no_pellet():
    s = 2j * np.pi * np.geomspace(1e5, 0.1, 40)
    fitted = fit("R0-p(R1,C1)", Spectrum.of(s.imag / 2 / np.pi, 5 + 20 / (1 + s * 20 * 1e-5)))
    with pytest.raises(ConfigError, match='bulk="R0"'):
        brick_layer(fitted, Cell(1.0, kind="symmetric", thickness_cm=0.05))


def test_the_published_pellet_is_met_and_its_arcs_are_found_without_being_named(clean):
    found = brick_layer(clean, CELL, grain_size_cm=2e-4)
    assert found.sigma_bulk.value == pytest.approx(4e-3, rel=1e-4)
    assert found.sigma_gb_apparent.value == pytest.approx(1.0e-2, rel=1e-4)
    assert found.sigma_gb.value == pytest.approx(1e-5, rel=1e-4)
    assert found.sigma_total.value == pytest.approx(2.85714e-3, rel=1e-4)
    assert found.grain_over_boundary.value == pytest.approx(1000, rel=1e-4)
    assert found.asr_per_boundary.value == pytest.approx(2.0e-2, rel=1e-4)
    assert found.boundary_width.value == pytest.approx(2e-7, rel=1e-4)  # δ = 2 nm
    assert found.eps_r.value == pytest.approx(10, rel=1e-3)
    assert found.warnings == ()


def test_every_uncertainty_is_that_of_draws_from_fit_area_thickness_and_grain_size():
    fitted = pellet(noise=3e-3, seed=2)
    cell = Cell(0.785398, 0.008, kind="blocking", thickness_cm=0.05, u_thickness_cm=0.0007)
    found = brick_layer(fitted, cell, grain_size_cm=2e-4, u_grain_size_cm=2e-5)
    names = ("R1", "C1", "R2", "C2")
    rng = np.random.default_rng(5)
    drawn = rng.multivariate_normal([fitted.value(n) for n in names], fitted.covariance_of(names), 20_000).T
    r_b, c_b, r_gb, c_gb = drawn
    a, length, d = (
        mean + u * rng.standard_normal(20_000) for mean, u in ((0.785398, 0.008), (0.05, 0.0007), (2e-4, 2e-5))
    )
    expected = {
        "sigma_bulk": length / (a * r_b),
        "sigma_gb": length / (a * r_gb) * c_b / c_gb,
        "sigma_total": length / (a * (r_b + r_gb)),
        "asr_per_boundary": r_gb * a * d / length,
        "eps_r": c_b * length / (8.8541878128e-14 * a),
    }
    for name, draws in expected.items():
        assert getattr(found, name).u == pytest.approx(np.std(draws), rel=0.04), name


def test_a_stack_gives_the_conductivity_of_one_of_its_cells(clean):
    stack = Cell(0.785398, kind="blocking", thickness_cm=0.05, cells_in_parallel=4, cells_in_series=2)
    one = brick_layer(clean, stack, bulk="R1", grain_boundary="R2")
    assert one.sigma_bulk.value == pytest.approx(2e-3, rel=1e-4)
    assert one.eps_r.value == pytest.approx(5, rel=1e-3)


def test_a_bulk_that_is_only_a_resistance_has_a_conductivity_and_nothing_more():
    s = 2j * np.pi * np.geomspace(7e6, 1e2, 61)
    z = R_B + 60 / (1 + s * 60 * C_GB)
    fitted = fit("R0-p(R1,C1)", Spectrum.of(s.imag / 2 / np.pi, z))
    found = brick_layer(fitted, CELL, bulk="R0", grain_boundary="R1")
    assert found.sigma_bulk.value == pytest.approx(4e-3, rel=1e-3)
    assert math.isnan(found.eps_r.value)
    assert math.isnan(found.sigma_gb.value)
    assert "n/a" not in str(found)


@pytest.mark.parametrize(
    ("changes", "cell", "warning"),
    [
        ({"c_b": 300e-12}, CELL, "cables or holder"),
        ({"c_gb": 60e-12, "r_gb": 60.0}, CELL, "no brick layer"),
        ({"r_gb": 0.01}, CELL, "not much below 1"),
        ({}, Cell(0.785398, kind="blocking", thickness_cm=0.05, pressure_mpa=3.0), "touch only in places"),
    ],
)
def test_where_the_model_does_not_hold_it_says_so(changes, cell, warning):
    found = brick_layer(pellet(**changes), cell, bulk="R1", grain_boundary="R2")
    assert any(warning in text for text in found.warnings), found.warnings


def test_grains_as_large_as_the_pellet_are_no_brick_layer(clean):
    assert any("grains across" in text for text in brick_layer(clean, CELL, grain_size_cm=0.02).warnings)
