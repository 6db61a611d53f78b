"""|Z| against the control, frequency by frequency: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from eis.comparison_plots import plot_modulus
from eis.contrasts import welch_contrast
from eis.modulus_effect import Pair, modulus_effect

F = np.array([1e3, 1e2, 1e1])


def cell(ratio: float, f: np.ndarray = F) -> Pair:
    z = np.full(f.size, 3 + 4j)
    return (f, z), (f, z * ratio)


def test_an_arm_without_cells_or_without_a_common_frequency_has_no_effect() -> None:
    assert modulus_effect([], [cell(1.0)], level=0.95) is None
    assert modulus_effect([cell(1.0)], [cell(1.0, F * 1.5)], level=0.95) is None


def test_two_cells_have_a_ratio_and_no_interval() -> None:
    found = modulus_effect([cell(0.5), cell(0.5)], [cell(1.0), cell(1.0)], level=0.95)
    assert found is not None
    np.testing.assert_allclose(found.ratio, 0.5)
    assert np.isnan(found.low).all()


def test_the_ratio_is_that_of_the_geometric_means_with_welchs_interval() -> None:
    treated, control = [0.4, 0.5, 0.6], [0.9, 1.0, 1.2, 1.1]
    found = modulus_effect([cell(r) for r in treated], [cell(r) for r in control], level=0.9)
    assert found is not None
    alone = welch_contrast(np.log(treated), np.log(control), level=0.9)
    np.testing.assert_allclose(found.ratio, np.exp(np.log(treated).mean() - np.log(control).mean()))
    np.testing.assert_allclose([found.low[0], found.high[0]], np.exp([alone.low, alone.high]))
    assert (found.n_treated, found.n_control) == (3, 4)


def test_only_frequencies_all_cells_have_are_compared() -> None:
    found = modulus_effect([cell(0.5, F[:2])] * 3, [cell(1.0)] * 3, level=0.95)
    assert found is not None
    assert found.frequency_hz == pytest.approx([1e3, 1e2])
    assert found.to_dict()["frequency_hz"] == [1e3, 1e2]
    assert plot_modulus(found).get_xscale() == "log"
