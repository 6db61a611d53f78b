"""The compiled machine that plays a tape: impedance and exact Jacobian of any circuit in one pass.

One compiled function serves every circuit, so nothing is compiled when a new circuit comes along. Forward, each
node's impedance is found from its parameters or its children; backward, each node is handed ∂Z/∂Z_node: series
passes it on, parallel multiplies it by (Z_parallel/Z_child)². A leaf then multiplies it by its own derivative,
which for all elements here follows from its impedance.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from fitting.rare import fill_rare, machine_code
from fitting.tape import CPE, PARALLEL, RC, RQ, SERIES, ZARC, C, L, R, W

EXACT = {"contract"}
"""Fast-math flags of functions whose order of operations must stay."""
FAST = {"contract", "reassoc", "arcp", "nsz"}
"""Fast-math flags of loops: NaN and infinity keep their meaning."""
HALF_PI = 0.5 * math.pi
LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MAGIC = 6755399441055744.0  # 1.5 · 2^52: adding it leaves the rounded integer in the low bits


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def _bits(typing_context, value):  # type: ignore[no-untyped-def]
    """Return the bits of a double as an integer."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def _double(typing_context, value):  # type: ignore[no-untyped-def]
    """Return the double that has these bits."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


@machine_code(fastmath=EXACT)
def exponential(x: float) -> float:
    """Return e^x to double precision without a call, so that loops over it become vector instructions."""
    x = min(max(x, -700.0), 700.0)
    shifted = x * LOG2E + MAGIC
    n = shifted - MAGIC
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r * r + r + 1.0
    return p * _double((_bits(shifted) + 1023) << 52)  # type: ignore[no-any-return]  # pyright: ignore[reportCallIssue]


@machine_code(fastmath=FAST)
def _forward(opcode, first, second, child_start, child_count, children, omega, log_omega, values, zr, zi, jr, ji):  # type: ignore[no-untyped-def]
    """Fill the impedance of every node, shapes (nodes, n), the last being the whole circuit's.

    Rare elements fill their rows of derivatives as well, which share their costly functions.
    """
    n = omega.size
    for node in range(opcode.size):
        code, at = opcode[node], first[node]
        if code == R:
            for i in range(n):
                zr[node, i] = values[at]
            for i in range(n):
                zi[node, i] = 0.0
        elif code == C:
            for i in range(n):
                zr[node, i] = 0.0
                zi[node, i] = -1.0 / (omega[i] * values[at])
        elif code == L:
            for i in range(n):
                zr[node, i] = 0.0
                zi[node, i] = omega[i] * values[at]
        elif code == CPE:
            alpha = values[at + 1]
            cosine, sine = math.cos(HALF_PI * alpha) / values[at], math.sin(HALF_PI * alpha) / values[at]
            for i in range(n):
                size = exponential(-alpha * log_omega[i])
                zr[node, i] = size * cosine
                zi[node, i] = -size * sine
        elif code == W:
            for i in range(n):
                zr[node, i] = values[at] * exponential(-0.5 * log_omega[i])
                zi[node, i] = -zr[node, i]
        elif code == ZARC:
            alpha = values[at + 2]
            log_tau = math.log(values[at + 1])
            cosine, sine = math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha)
            for i in range(n):
                size = exponential(alpha * (log_omega[i] + log_tau))
                real, imag = 1.0 + size * cosine, size * sine
                scale = values[at] / (real * real + imag * imag)
                zr[node, i] = real * scale
                zi[node, i] = -imag * scale
        elif code == RQ:
            alpha, r = values[second[node] + 1], values[at]
            shift = math.log(r * values[second[node]])
            cosine, sine = math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha)
            for i in range(n):
                size = exponential(alpha * log_omega[i] + shift)
                real, imag = 1.0 + size * cosine, size * sine
                scale = r / (real * real + imag * imag)
                zr[node, i] = real * scale
                zi[node, i] = -imag * scale
        elif code == RC:
            r, tau = values[at], values[at] * values[second[node]]
            for i in range(n):
                x = omega[i] * tau
                zr[node, i] = r / (1.0 + x * x)
                zi[node, i] = -x * zr[node, i]
        elif code >= 0:
            fill_rare(code, at, omega, log_omega, values, zr[node], zi[node], jr, ji)
        elif code == SERIES:
            for i in range(n):
                zr[node, i] = 0.0
                zi[node, i] = 0.0
            for k in range(child_start[node], child_start[node] + child_count[node]):
                child = children[k]
                for i in range(n):
                    zr[node, i] += zr[child, i]
                for i in range(n):
                    zi[node, i] += zi[child, i]
        else:
            for i in range(n):
                zr[node, i] = 0.0
                zi[node, i] = 0.0
            for k in range(child_start[node], child_start[node] + child_count[node]):
                child = children[k]
                for i in range(n):
                    scale = 1.0 / (zr[child, i] * zr[child, i] + zi[child, i] * zi[child, i])
                    zr[node, i] += zr[child, i] * scale
                    zi[node, i] -= zi[child, i] * scale
            for i in range(n):
                scale = 1.0 / (zr[node, i] * zr[node, i] + zi[node, i] * zi[node, i])
                zr[node, i] = zr[node, i] * scale
                zi[node, i] = -zi[node, i] * scale


@machine_code(fastmath=FAST)
def _backward(  # type: ignore[no-untyped-def]
    opcode, first, second, direct, child_start, child_count, children, omega, log_omega, values,
    zr, zi, ar, ai, jr, ji,
):  # fmt: skip
    """Fill ∂Z/∂(ln θ) for scales and times and ∂Z/∂θ for exponents, shapes (p, n); `ar`, `ai` are room to work."""
    n = omega.size
    for node in range(opcode.size - 1, -1, -1):
        code, at, alone = opcode[node], first[node], direct[node] == 1
        if code == SERIES:
            if not alone:
                for k in range(child_start[node], child_start[node] + child_count[node]):
                    child = children[k]
                    for i in range(n):
                        ar[child, i] = ar[node, i]
                    for i in range(n):
                        ai[child, i] = ai[node, i]
        elif code == PARALLEL:
            re, im = zr[node], zi[node]
            for k in range(child_start[node], child_start[node] + child_count[node]):
                child = children[k]
                cr, ci, tr, ti = zr[child], zi[child], ar[child], ai[child]
                for i in range(n):
                    scale = 1.0 / (cr[i] * cr[i] + ci[i] * ci[i])
                    qr, qi = (re[i] * cr[i] + im[i] * ci[i]) * scale, (im[i] * cr[i] - re[i] * ci[i]) * scale
                    tr[i] = qr * qr - qi * qi
                    ti[i] = 2.0 * qr * qi
                if not alone:
                    _multiply(ar, ai, child, ar, ai, node)
        elif code in (RQ, RC):
            store = second[node]
            _arc(zr, zi, node, 1.0 / values[at], jr, ji, at, store)
            if not alone:
                _multiply(jr, ji, at, ar, ai, node)
                _multiply(jr, ji, store, ar, ai, node)
            if code == RQ:
                _by_exponent(jr, ji, store, log_omega)
        elif code > ZARC:  # the derivatives came with the impedance
            if not alone:
                for row in range(at, second[node]):
                    _multiply(jr, ji, row, ar, ai, node)
        else:
            sign = -1.0 if code in (C, CPE) else 1.0
            for i in range(n):  # every first parameter is a scale: ∂Z/∂ln θ = ± Z
                jr[at, i] = sign * zr[node, i]
            for i in range(n):
                ji[at, i] = sign * zi[node, i]
            if not alone:
                _multiply(jr, ji, at, ar, ai, node)
            if code == CPE:
                _by_exponent(jr, ji, at, log_omega)
            elif code == ZARC:
                re, im, pr, pi = zr[node], zi[node], jr[at], ji[at]
                log_tau, r, alpha = math.log(values[at + 1]), 1.0 / values[at], values[at + 2]
                ur, ui, vr, vi = jr[at + 1], ji[at + 1], jr[at + 2], ji[at + 2]
                for i in range(n):  # u/(1+u) = 1 − Z/R
                    br, bi = re[i] * r - 1.0, im[i] * r
                    sr, si = pr[i] * br - pi[i] * bi, pr[i] * bi + pi[i] * br
                    ur[i] = alpha * sr
                    ui[i] = alpha * si
                    vr[i] = sr * (log_omega[i] + log_tau) - si * HALF_PI
                    vi[i] = si * (log_omega[i] + log_tau) + sr * HALF_PI


@machine_code(fastmath=FAST)
def _multiply(re, im, row, by_r, by_i, by):  # type: ignore[no-untyped-def]
    """Multiply a row of complex numbers, in place, by row `by` of others."""
    for i in range(re.shape[1]):
        real = re[row, i] * by_r[by, i] - im[row, i] * by_i[by, i]
        im[row, i] = re[row, i] * by_i[by, i] + im[row, i] * by_r[by, i]
        re[row, i] = real


@machine_code(fastmath=FAST)
def _arc(zr, zi, node, conductance, jr, ji, at, store):  # type: ignore[no-untyped-def]
    """Fill ∂Z/∂ln R = Z²/R and ∂Z/∂ln Q = Z²/R − Z of Z = R/(1 + RQ(jω)^α).

    A loop over many arrays is not made into vector instructions, for any two of them might overlap: hence four.
    """
    for i in range(zr.shape[1]):
        jr[at, i] = (zr[node, i] * zr[node, i] - zi[node, i] * zi[node, i]) * conductance
    for i in range(zr.shape[1]):
        ji[at, i] = 2.0 * zr[node, i] * zi[node, i] * conductance
    for i in range(zr.shape[1]):
        jr[store, i] = jr[at, i] - zr[node, i]
    for i in range(zr.shape[1]):
        ji[store, i] = ji[at, i] - zi[node, i]


@machine_code(fastmath=FAST)
def _by_exponent(jr, ji, at, log_omega):  # type: ignore[no-untyped-def]
    """Fill ∂Z/∂α = ∂Z/∂ln Q · (ln ω + jπ/2) into the row after Q's."""
    for i in range(log_omega.size):
        jr[at + 1, i] = jr[at, i] * log_omega[i] - ji[at, i] * HALF_PI
    for i in range(log_omega.size):
        ji[at + 1, i] = ji[at, i] * log_omega[i] + jr[at, i] * HALF_PI


@machine_code()
def play(opcode, first, second, direct, child_start, child_count, children, omega, values, is_exponent):  # type: ignore[no-untyped-def]
    """Return impedance, shape (n,), and its derivatives in natural units, shape (p, n)."""
    nodes, n, p = opcode.size, omega.size, values.size
    log_omega = np.log(omega)
    zr, zi, ar, ai = np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n))
    jr, ji = np.empty((p, n)), np.empty((p, n))
    _forward(opcode, first, second, child_start, child_count, children, omega, log_omega, values, zr, zi, jr, ji)
    _backward(
        opcode, first, second, direct, child_start, child_count, children, omega, log_omega, values,
        zr, zi, ar, ai, jr, ji,
    )  # fmt: skip
    for k in range(p):
        if not is_exponent[k]:
            jr[k] /= values[k]
            ji[k] /= values[k]
    return zr[nodes - 1] + 1j * zi[nodes - 1], jr + 1j * ji
