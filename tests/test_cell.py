"""A cell is checked once when it is made: every fault at once, each with what to do."""

import math

import pytest

from eis.errors import ConfigError
from eis.spectrum import Cell


@pytest.mark.parametrize("area", [0.0, -1.0, math.nan, math.inf])
def test_an_area_that_is_none_is_refused(area):
    with pytest.raises(ConfigError, match="area_cm2"):
        Cell(area)


def test_an_area_that_was_surely_not_given_in_cm2_gets_a_clear_word():
    with pytest.raises(ConfigError, match="more than a square metre"):
        Cell(11310.0)  # what 113.1 cm² would be in mm²


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"u_thickness_cm": -0.1, "thickness_cm": 0.1}, "u_thickness_cm"),
        ({"u_temperature_c": math.nan, "temperature_c": 25.0}, "u_temperature_c"),
        ({"u_pressure_mpa": 1.0}, "pressure_mpa is not; give both or neither"),
        ({"temperature_c": -300.0}, "above absolute zero"),
        ({"pressure_mpa": -5.0}, "pressure_mpa is -5"),
        ({"electrode": "anode"}, "choose negative or positive"),
        ({"electrode": "negative", "kind": "full"}, "full cell has no one electrode"),
        ({"cells_in_parallel": 0}, "cells_in_parallel is 0"),
        ({"cells_in_series": 1.5}, "whole number"),
    ],
)
def test_every_other_fault_is_named(fault, word):
    with pytest.raises(ConfigError, match=word):
        Cell(1.0, **fault)


def test_all_faults_come_at_once():
    with pytest.raises(ConfigError) as caught:
        Cell(-1.0, electrode="anode", cells_in_series=0, u_pressure_mpa=-1.0)
    assert all(
        word in str(caught.value) for word in ("area_cm2", "electrode", "cells_in_series", "u_pressure_mpa")
    )


def test_a_stack_says_how_one_of_its_cells_follows_from_it():
    assert Cell(1.0, cells_in_parallel=10, cells_in_series=2).unit_cell_factor == 5.0
