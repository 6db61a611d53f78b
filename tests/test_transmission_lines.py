"""Two-rail transmission lines against printed vectors, a discrete ladder, and the limits of their formulas."""

import numpy as np
import pytest
from scipy.linalg import solve_banded

from fitting import hyperbolic
from fitting.elements import ELEMENTS
from fitting.hyperbolic import COTH_BELOW, TANH_BELOW

F = np.array([0.01, 1.0, 100.0, 1e4])
RI, RE, Q, ALPHA, RCT = 10.0, 3.0, 1e-3, 0.9, 25.0
PORE = [1891.19667 - 11919.49966j, 33.25207894 - 188.92280466j, 3.52200148 - 3.59765819j, 0.52706548 - 0.45015645j]
VECTORS = {
    "TLMQ": PORE,
    "TLMo": PORE,
    "TLMoF": [
        29.27702453 - 0.05121280j,
        28.39739549 - 3.05653253j,
        4.93417376 - 3.14824807j,
        2.69554144 - 0.33061601j,
    ],
    "TLMe": [
        9.99989191 - 0.00068200j,
        9.99290356 - 0.04293958j,
        8.78363520 - 2.05862137j,
        3.01886966 - 0.60741149j,
    ],
}
VALUES = {
    "TLMQ": (RI, Q, ALPHA),
    "TLMo": (RI, 0.0, Q, ALPHA),
    "TLMoF": (RI, RE, RCT, Q, ALPHA),
    "TLMe": (RI, RE, Q, ALPHA),
}
TWO_RAILS = ("TLMo", "TLMoF", "TLMe", "TLMeF", "TLMi", "TLMiF")


def interface(omega, rest):
    """Return the impedance of the whole interface from (Q, α) or (R_ct, Q, α)."""
    *r_ct, q, alpha = rest
    return 1 / (sum(1 / r for r in r_ct) + q * (1j * omega) ** alpha)


def ladder(letter, omega, r_i, r_e, *rest, cells):
    """Return the impedance of a line cut into cells, by nodal analysis; interfaces stand in mid-cell.

    Ionic and electronic nodes take turns; the last node is tied to ground by 1 S, which no current takes.
    """
    source, drain = {"o": (0, -1), "e": (0, -2), "i": (1, -1)}[letter[3]]
    ends = {"o": (r_i + r_e) / 2, "e": r_i, "i": r_e}[letter[3]] / cells
    rail = np.tile([cells / r_i, cells / r_e], cells)
    bands = np.zeros((5, 2 * cells), dtype=complex)
    bands[0, 2:] = bands[4, :-2] = -rail[:-2]
    current = np.zeros(2 * cells)
    current[source], current[drain] = 1, -1
    out = np.empty(omega.size, dtype=complex)
    for n, z in enumerate(interface(omega, rest)):
        across = np.tile([1.0, 0.0], cells) / (z * cells)
        bands[1, 1:] = bands[3, :-1] = -across[:-1]
        bands[2] = across + np.roll(across, 1)
        bands[2, -1] += 1
        bands[2, 2:] += rail[2:]
        bands[2, :-2] += rail[:-2]
        voltage = solve_banded((2, 2), bands, current)
        out[n] = voltage[source] - voltage[drain] + ends
    return out


@pytest.mark.parametrize("letter", VECTORS)
def test_a_line_equals_its_printed_vector(letter):
    z = ELEMENTS[letter].impedance(2 * np.pi * F, *VALUES[letter])
    printed = np.array(VECTORS[letter])
    assert z == pytest.approx(printed, rel=7e-8)  # what the printed digits differ from 80-digit arithmetic
    assert z[2:] == pytest.approx(printed[2:], rel=1e-8)


@pytest.mark.parametrize("letter", TWO_RAILS)
def test_a_line_is_the_limit_of_a_discrete_ladder(letter):
    omega = 2 * np.pi * np.array([0.01, 10.0, 300.0, 1e4])
    values = (RI, RE, RCT, Q, ALPHA) if letter.endswith("F") else (RI, RE, Q, ALPHA)
    exact = ELEMENTS[letter].impedance(omega, *values)
    coarse, fine = (ladder(letter, omega, *values, cells=cells) for cells in (400, 800))
    assert coarse == pytest.approx(exact, rel=1e-4)
    assert (4 * fine - coarse) / 3 == pytest.approx(exact, rel=1e-7)  # its error falls with cells squared


@pytest.mark.parametrize("letter", TWO_RAILS)
def test_both_rails_are_in_parallel_at_high_frequency(letter):
    values = (RI, RE, RCT, Q, ALPHA) if letter.endswith("F") else (RI, RE, Q, ALPHA)
    z = ELEMENTS[letter].impedance(np.array([1e18]), *values)
    assert z == pytest.approx(RI * RE / (RI + RE), rel=1e-5)


def test_at_low_frequency_a_blocking_line_shows_the_rail_between_its_terminals():
    slow = np.array([1e-9])
    assert ELEMENTS["TLMe"].impedance(slow, RI, RE, Q, ALPHA) == pytest.approx(RI, rel=1e-9)
    assert ELEMENTS["TLMi"].impedance(slow, RI, RE, Q, ALPHA) == pytest.approx(RE, rel=1e-9)


def test_at_low_frequency_an_operating_line_is_its_interface_and_a_third_of_its_rails():
    omega = np.array([1e-9])
    z = ELEMENTS["TLMo"].impedance(omega, RI, RE, Q, 1.0)
    assert z.real == pytest.approx((RI + RE) / 3, rel=1e-3)  # beside 1e12 ohm of reactance: rounding of its α = 1
    assert z.imag == pytest.approx(-1 / (omega * Q), rel=1e-12)
    slow = ELEMENTS["TLMoF"].impedance(np.array([1e-9]), RI, RE, 1e5, Q, 1.0)
    assert slow == pytest.approx(1e5 + (RI + RE) / 3, rel=1e-7)


def test_a_faradaic_pore_has_its_closed_form_at_dc():
    z = ELEMENTS["TLMQF"].impedance(np.array([1e-12]), RI, RCT, Q, ALPHA)
    assert z == pytest.approx(28.24770, abs=5.1e-6)
    assert z == pytest.approx(np.sqrt(RI * RCT) / np.tanh(np.sqrt(RI / RCT)), rel=1e-9)


def test_a_blocking_pore_shows_45_degrees_at_high_frequency():
    z = ELEMENTS["TLMQ"].impedance(np.array([1e9]), RI, Q, 1.0)
    assert np.angle(z, deg=True) == pytest.approx(-45, abs=1e-9)


@pytest.mark.parametrize(("two", "one"), [("TLMo", "TLMQ"), ("TLMoF", "TLMQF")])
def test_a_vanishing_electronic_rail_leaves_one_rail_smoothly(two, one):
    omega = np.geomspace(1e-6, 1e9, 31)
    rest = (RCT, Q, ALPHA) if one.endswith("F") else (Q, ALPHA)
    single, by_single = (f(omega, RI, *rest) for f in (ELEMENTS[one].impedance, ELEMENTS[one].derivatives))
    for r_e in (0.0, 1e-300, 1e-14):
        double, by_double = (
            f(omega, RI, r_e, *rest) for f in (ELEMENTS[two].impedance, ELEMENTS[two].derivatives)
        )
        assert double == pytest.approx(single, rel=1e-9)
        assert np.all(np.isfinite(by_double))
        assert by_double[[0, *range(2, len(by_double))]] == pytest.approx(by_single, rel=1e-8)
    away = ELEMENTS[two].impedance(omega, RI, 1e-4, *rest)
    slope = ELEMENTS[two].derivatives(omega, RI, 0.0, *rest)[1]
    assert away - single == pytest.approx(1e-4 * slope, rel=1e-3, abs=1e-12 * np.abs(single).max())


@pytest.mark.parametrize(("blocking", "faradaic"), [("TLMQ", "TLMQF"), ("TLMo", "TLMoF"), ("TLMe", "TLMeF")])
def test_an_infinite_charge_transfer_resistance_blocks(blocking, faradaic):
    omega = np.geomspace(1, 1e6, 13)
    rails = (RI,) if "Q" in blocking else (RI, RE)
    z = ELEMENTS[faradaic].impedance(omega, *rails, 1e16, Q, ALPHA)
    assert z == pytest.approx(ELEMENTS[blocking].impedance(omega, *rails, Q, ALPHA), rel=1e-12)


@pytest.mark.parametrize("letter", TWO_RAILS)
def test_real_dry_electrodes_keep_their_physics(letter):
    # R_i = 44.2 and R_e = 2.39 ohm: 100 µm of a PTFE-bound cathode; everything between P and what the face shows
    values = (44.2, 2.39, 12.0, 2e-3, 0.85) if letter.endswith("F") else (44.2, 2.39, 2e-3, 0.85)
    z = ELEMENTS[letter].impedance(2 * np.pi * np.geomspace(1e-2, 1e7, 91), *values)
    assert np.all(z.real >= 44.2 * 2.39 / (44.2 + 2.39) * (1 - 1e-9))
    assert np.all(np.diff(z.real) <= 1e-9)
    assert np.all(z.imag <= 0)


def test_one_electron_blocking_spectrum_gives_both_rails():
    low, high = ELEMENTS["TLMe"].impedance(np.array([1e-9, 1e15]), 44.2, 2.39, 2e-3, 0.85).real
    assert low == pytest.approx(44.2, rel=1e-6)
    assert low * high / (low - high) == pytest.approx(2.39, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "below"),
    [
        *((name, COTH_BELOW) for name in ("coth_excess", "coth_slope", "csch_excess", "csch_slope")),
        *((name, TANH_BELOW) for name in ("tanh_slope", "tanh_bend")),
    ],
)
def test_series_and_closed_form_meet_without_a_step(name, below):
    for turn in np.exp(1j * np.linspace(0, np.pi / 2, 7)):
        inside, outside = getattr(hyperbolic, name)(
            np.array([below * turn * (1 - 1e-15), below * turn * (1 + 1e-15)])
        )
        assert abs(inside - outside) <= 2e-13 * abs(inside)


def test_the_rails_of_an_operating_electrode_may_be_exchanged():
    omega = np.geomspace(1e-3, 1e6, 19)
    one, other = (ELEMENTS["TLMoF"].impedance(omega, *rails, RCT, Q, ALPHA) for rails in ((RI, RE), (RE, RI)))
    assert one == pytest.approx(other, rel=1e-14)


def test_a_resistor_in_series_cannot_be_told_from_the_rails_between_blocking_contacts():
    # R0 + P, R_i²/S and S Q are all the spectrum holds: another R_i and R_e give the same one
    omega = np.geomspace(1e-3, 1e6, 19)
    total = 2 * (RI + RE)
    r_i = np.sqrt(RI**2 / (RI + RE) * total)
    moved = ELEMENTS["TLMe"].impedance(omega, r_i, total - r_i, Q / 2, ALPHA)
    series = r_i * (total - r_i) / total - RI * RE / (RI + RE)
    assert moved - series == pytest.approx(ELEMENTS["TLMe"].impedance(omega, RI, RE, Q, ALPHA), rel=1e-12)
