"""Elements of the compiled machine that need complex functions: diffusion, relaxations and porous electrodes.

One point at a time, impedance and derivatives together. The formulas are those of `fitting.elements` and
`fitting.transmission_lines`; the series that keep the digits of short lines are those of `fitting.hyperbolic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from fitting.hyperbolic import COTH_BELOW, COTH_SERIES, CSCH_SERIES, TANH_BELOW, TANH_SERIES, TERMS
from fitting.tape import GS, HN, LA, TLMEF, TLMI, TLMIF, TLMOF, TLMQ, TLMQF, WO, WS, G, K

QUARTER_PI, HALF_PI = 0.25 * math.pi, 0.5 * math.pi
FAR = 40.0
"""Re s beyond which exp(−s) is nothing beside 1."""


def machine_code(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function with numba and keep the result on disk.

    Division by zero gives infinity as in NumPy: a check in a loop would keep it from becoming vector instructions.
    """
    decorate: Any = numba.njit(cache=True, error_model="numpy", **options)
    return decorate  # type: ignore[no-any-return]


@machine_code()
def fill_rare(code, at, omega, log_omega, values, re, im, jr, ji):  # type: ignore[no-untyped-def]
    """Fill the impedance, shape (n,), and the rows of ∂Z/∂(walked parameter) from row `at` on."""
    count = omega.size
    if code == LA:
        alpha = values[at + 1]
        turn = values[at] * complex(math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha))
        for i in range(count):
            z = turn * math.exp(alpha * log_omega[i])
            _put(jr, ji, at + 1, i, z * complex(log_omega[i], HALF_PI))
            _put_first(re, im, jr, ji, at, i, z)
    elif code in (K, G):
        for i in range(count):
            x = complex(0.0, omega[i] * values[at + 1])
            if code == K:
                z = values[at] / (1.0 + x)
                _put(jr, ji, at + 1, i, -z * (x / (1.0 + x)))
            else:
                z = values[at] / np.sqrt(1.0 + x)
                _put(jr, ji, at + 1, i, -0.5 * z * (x / (1.0 + x)))
            _put_first(re, im, jr, ji, at, i, z)
    elif code == HN:
        r, alpha, beta = values[at], values[at + 2], values[at + 3]
        log_tau = math.log(values[at + 1])
        turn = complex(math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha))
        for i in range(count):
            place = log_omega[i] + log_tau
            u = turn * math.exp(alpha * place)
            size = 2.0 * u.real + u.real * u.real + u.imag * u.imag
            log = complex(0.5 * math.log1p(size), math.atan2(u.imag, 1.0 + u.real))
            z = r * np.exp(-beta * log)
            slope = -beta * z * (u / (1.0 + u))
            _put(jr, ji, at + 1, i, slope * alpha)
            _put(jr, ji, at + 2, i, slope * complex(place, HALF_PI))
            _put(jr, ji, at + 3, i, -z * log)
            _put_first(re, im, jr, ji, at, i, z)
    elif code in (WO, WS):
        r = values[at]
        for i in range(count):
            x = complex(0.0, omega[i] * values[at + 1])
            if code == WO:
                straight, slope, _, _ = _coth_and_csch(x, False)
                z = r / x + r * straight
                _put(jr, ji, at + 1, i, r * slope - r / x)
            else:
                ratio, slope, _ = _tanh(x)
                z = r * ratio
                _put(jr, ji, at + 1, i, r * slope)
            _put_first(re, im, jr, ji, at, i, z)
    elif code == GS:
        r, tau, phi = values[at], values[at + 1], values[at + 2]
        for i in range(count):
            x = complex(0.0, omega[i] * tau)
            w = np.sqrt(1.0 + x)
            coth, csch = _closed(phi * w)
            near, drop = coth / w, csch * csch
            _put(jr, ji, at + 1, i, -0.5 * r * x * (near + phi * drop) / (1.0 + x))
            _put(jr, ji, at + 2, i, -r * phi * drop)
            _put_first(re, im, jr, ji, at, i, r * near)
    else:
        _fill_line(code, at, log_omega, values, re, im, jr, ji)


@machine_code()
def _fill_line(code, at, log_omega, values, re, im, jr, ji):  # type: ignore[no-untyped-def]
    """Fill a porous electrode: its rails, then what lies between them."""
    single = code in (TLMQ, TLMQF)
    faradaic = code in (TLMQF, TLMOF, TLMEF, TLMIF)
    operating = code <= TLMOF
    wall = at + 1 if single else at + 2  # the first parameter of the interface
    store = wall + 1 if faradaic else wall
    alpha = values[store + 1]
    log_q = math.log(values[store])
    leak = 1.0 / values[wall] if faradaic else 0.0
    turn = complex(math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha))
    first, second = values[at], 0.0 if single else values[at + 1]
    swapped = code >= TLMI
    if swapped:
        first, second = second, first
    total = first + second
    a, b = first / total, second / total
    for i in range(log_omega.size):
        charging = turn * math.exp(alpha * log_omega[i] + log_q)
        y = leak + charging
        if operating:
            straight, straight_slope, crossed, crossed_slope = _coth_and_csch(total * y, not single)
            crossed = 1.0 + 2.0 * crossed
            lengthening = 2.0 * a * b * crossed_slope + (a * a + b * b) * straight_slope
            z = 1.0 / y + total * (a * b * crossed + (a * a + b * b) * straight)
            by_first = b * b * crossed + (a * a + 2.0 * a * b - b * b) * straight + lengthening
            by_second = a * a * crossed + (b * b + 2.0 * a * b - a * a) * straight + lengthening
            by_log_y = total * lengthening - 1.0 / y
        else:
            ratio, slope, bend = _tanh(0.25 * total * y)
            z = first * b + first * a * ratio
            by_first = b * b + a * (a + 2.0 * b) * ratio + a * a * slope
            by_second = a * a * bend
            by_log_y = first * a * slope
        if swapped:
            by_first, by_second = by_second, by_first
        _put(jr, ji, at, i, values[at] * by_first)
        if not single:
            _put(jr, ji, at + 1, i, values[at + 1] * by_second)
        share = by_log_y
        if faradaic:
            _put(jr, ji, wall, i, -by_log_y * (leak / y))
            share = by_log_y * (charging / y)
        _put(jr, ji, store, i, share)
        _put(jr, ji, store + 1, i, share * complex(log_omega[i], HALF_PI))
        re[i] = z.real
        im[i] = z.imag


@machine_code()
def _put(jr, ji, row, i, value):  # type: ignore[no-untyped-def]
    jr[row, i] = value.real
    ji[row, i] = value.imag


@machine_code()
def _put_first(re, im, jr, ji, at, i, z):  # type: ignore[no-untyped-def]
    """Write the impedance, and the same as the derivative by the logarithm of its scale."""
    re[i] = z.real
    im[i] = z.imag
    jr[at, i] = z.real
    ji[at, i] = z.imag


@machine_code()
def _closed(s):  # type: ignore[no-untyped-def]
    """Return coth s and 1/sinh s for Re s > 0."""
    if s.real > FAR:
        return complex(1.0, 0.0), complex(0.0, 0.0)
    if abs(s) < 0.5:
        rise = 0.5 * s  # sinh s = 2 sinh cosh of half of it, by series: 1 − exp(−2s) would cancel
        square = rise * rise
        sinh = rise * (1.0 + square / 6.0 * (1.0 + square / 20.0 * (1.0 + square / 42.0 * (1.0 + square / 72.0))))
        cosh = 1.0 + square / 2.0 * (
            1.0 + square / 12.0 * (1.0 + square / 30.0 * (1.0 + square / 56.0 * (1.0 + square / 90.0)))
        )
        whole = 2.0 * sinh * cosh
        return (cosh * cosh + sinh * sinh) / whole, 1.0 / whole
    decay = np.exp(-s)
    below = 1.0 - decay * decay
    return (1.0 + decay * decay) / below, 2.0 * decay / below


@machine_code()
def _coth_and_csch(x, with_csch):  # type: ignore[no-untyped-def]
    """Return `coth_excess`, `coth_slope`, `csch_excess`, `csch_slope` of `fitting.hyperbolic`."""
    nothing = complex(0.0, 0.0)
    if x.real * x.real + x.imag * x.imag < COTH_BELOW * COTH_BELOW:
        straight, crossed = _series(COTH_SERIES, x, 1.0), (nothing, nothing)
        if with_csch:
            crossed = _series(CSCH_SERIES, x, 1.0)
        return straight[0], straight[1], crossed[0], crossed[1]
    s = np.sqrt(x)
    coth, csch = _closed(s)
    inverse, inverse_x = 1.0 / s, 1.0 / x
    straight_slope = inverse_x - 0.5 * (csch * csch + coth * inverse)
    return (
        coth * inverse - inverse_x,
        straight_slope,
        csch * inverse - inverse_x,
        inverse_x - 0.5 * csch * (inverse + coth),
    )


@machine_code()
def _tanh(x):  # type: ignore[no-untyped-def]
    """Return `tanh_ratio`, `tanh_slope` and `tanh_bend` of `fitting.hyperbolic`."""
    if x.real * x.real + x.imag * x.imag < TANH_BELOW * TANH_BELOW:
        ratio, slope = _series(TANH_SERIES, x, 16.0)
        bend = complex(0.0, 0.0)
        for k in range(TERMS - 1, 1, -1):
            bend = bend * x + (k - 1.0) * TANH_SERIES[k]
        return ratio, slope, bend * x * x
    s = np.sqrt(x)
    if s.real > FAR:
        ratio, square = 1.0 / s, complex(0.0, 0.0)
    else:
        decay = np.exp(-2.0 * s)
        above = 1.0 + decay
        ratio, square = (1.0 - decay) / (above * s), 4.0 * decay / (above * above)
    return ratio, 0.5 * (square - ratio), 1.0 + 0.5 * square - 1.5 * ratio


@machine_code()
def _series(coefficients, x, nearer):  # type: ignore[no-untyped-def]
    """Return a power series, and x times its derivative; its pole is √`nearer` times nearer than π²."""
    total, slope = complex(0.0, 0.0), complex(0.0, 0.0)
    size = nearer * (x.real * x.real + x.imag * x.imag)
    terms = TERMS if size > 4e-3 else 9 if size > 1e-5 else 6  # each is |x| over the pole's of the one before
    for k in range(terms - 1, -1, -1):
        slope = slope * x + k * coefficients[k]
        total = total * x + coefficients[k]
    return total, slope
