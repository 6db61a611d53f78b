"""A circuit as a tape of numbers, and the compiled machine that plays it: impedance and Jacobian in one pass.

One compiled function serves every circuit, so nothing is compiled when a new circuit comes along. The tape lists
the nodes in post-order. Forward, each node's impedance is found from its parameters or its children; backward,
each node is handed ∂Z/∂Z_node: series passes it on, parallel multiplies it by (Z_parallel/Z_child)². A leaf then
multiplies it by its own derivative, which for all elements here follows from its impedance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from eis.spectrum import IntArray
from fitting.circuit import Circuit, Leaf, Node, Series

SERIES, PARALLEL = -1, -2
OPCODES = {
    letter: code for code, letter in enumerate(("R", "C", "L", "CPE", "W", "Wo", "Ws", "Zarc", "G", "TLMQ"))
}
R, C, L, CPE, W, WO, WS, ZARC, G, TLMQ = range(len(OPCODES))

EXACT = {"contract"}
"""Fast-math flags of functions whose order of operations must stay."""
FAST = {"contract", "reassoc", "arcp", "nsz"}
"""Fast-math flags of loops: NaN and infinity keep their meaning."""
HALF_PI = 0.5 * math.pi
LOG2E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MAGIC = 6755399441055744.0  # 1.5 · 2^52: adding it leaves the rounded integer in the low bits


def machine_code(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function with numba and keep the result on disk."""
    decorate: Any = numba.njit(cache=True, **options)
    return decorate  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Tape:
    """A circuit as arrays: opcode, first parameter and children of each node; children come before parents."""

    opcode: IntArray
    first: IntArray
    child_start: IntArray
    child_count: IntArray
    children: IntArray


def tape_of(circuit: Circuit) -> Tape | None:
    """Return the tape of a circuit, or None if it holds an element the machine does not know."""
    if any(leaf.letter not in OPCODES for leaf in circuit.leaves):
        return None
    opcode: list[int] = []
    first: list[int] = []
    spans: list[tuple[int, int]] = []
    children: list[int] = []
    place = 0

    def add(node: Node) -> int:
        nonlocal place
        if isinstance(node, Leaf):
            opcode.append(OPCODES[node.letter])
            first.append(place)
            spans.append((0, 0))
            place += len(node.element.parameters)
            return len(opcode) - 1
        inner = [add(child) for child in node.children]
        opcode.append(SERIES if isinstance(node, Series) else PARALLEL)
        first.append(-1)
        spans.append((len(children), len(inner)))
        children.extend(inner)
        return len(opcode) - 1

    add(circuit.root)
    starts, counts = zip(*spans, strict=True)
    arrays = (np.array(part, dtype=np.int64) for part in (opcode, first, starts, counts, children))
    return Tape(*arrays)


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
def _forward(opcode, first, child_start, child_count, children, omega, log_omega, values, zr, zi):  # type: ignore[no-untyped-def]
    """Fill the impedance of every node, shapes (nodes, n); the last node is the whole circuit."""
    n = omega.size
    for node in range(opcode.size):
        code, at = opcode[node], first[node]
        re, im = zr[node], zi[node]
        if code == R:
            for i in range(n):
                re[i] = values[at]
                im[i] = 0.0
        elif code == C:
            for i in range(n):
                re[i] = 0.0
                im[i] = -1.0 / (omega[i] * values[at])
        elif code == L:
            for i in range(n):
                re[i] = 0.0
                im[i] = omega[i] * values[at]
        elif code == CPE:
            alpha = values[at + 1]
            cosine, sine = math.cos(HALF_PI * alpha) / values[at], math.sin(HALF_PI * alpha) / values[at]
            for i in range(n):
                size = exponential(-alpha * log_omega[i])
                re[i] = size * cosine
                im[i] = -size * sine
        elif code == W:
            for i in range(n):
                re[i] = values[at] * exponential(-0.5 * log_omega[i])
                im[i] = -re[i]
        elif code == ZARC:
            alpha = values[at + 2]
            log_tau = math.log(values[at + 1])
            cosine, sine = math.cos(HALF_PI * alpha), math.sin(HALF_PI * alpha)
            for i in range(n):
                size = exponential(alpha * (log_omega[i] + log_tau))
                real, imag = 1.0 + size * cosine, size * sine
                scale = values[at] / (real * real + imag * imag)
                re[i] = real * scale
                im[i] = -imag * scale
        elif code >= 0:
            _rare(code, at, omega, values, re, im)
        elif code == SERIES:
            for i in range(n):
                re[i] = 0.0
                im[i] = 0.0
            for k in range(child_start[node], child_start[node] + child_count[node]):
                cr, ci = zr[children[k]], zi[children[k]]
                for i in range(n):
                    re[i] += cr[i]
                    im[i] += ci[i]
        else:
            for i in range(n):
                re[i] = 0.0
                im[i] = 0.0
            for k in range(child_start[node], child_start[node] + child_count[node]):
                cr, ci = zr[children[k]], zi[children[k]]
                for i in range(n):
                    scale = 1.0 / (cr[i] * cr[i] + ci[i] * ci[i])
                    re[i] += cr[i] * scale
                    im[i] -= ci[i] * scale
            for i in range(n):
                scale = 1.0 / (re[i] * re[i] + im[i] * im[i])
                re[i] = re[i] * scale
                im[i] = -im[i] * scale


@machine_code()
def _rare(code, at, omega, values, re, im):  # type: ignore[no-untyped-def]
    """Fill the impedance of the elements that need complex functions."""
    for i in range(omega.size):
        if code == G:
            z = values[at] / np.sqrt(1.0 + 1j * omega[i] * values[at + 1])
        elif code == TLMQ:
            r, q, gamma = values[at], values[at + 1], values[at + 2]
            size = math.sqrt(r * q * omega[i] ** gamma)
            s = complex(size * math.cos(0.5 * HALF_PI * gamma), size * math.sin(0.5 * HALF_PI * gamma))
            z = r * _coth(s) / s
        else:
            root = math.sqrt(0.5 * omega[i] * values[at + 1])
            s = complex(root, root)
            z = values[at] * (_coth(s) if code == WO else _tanh(s)) / s
        re[i] = z.real
        im[i] = z.imag


@machine_code()
def _coth(s):  # type: ignore[no-untyped-def]
    if s.real > 20.0:
        return complex(1.0, 0.0)
    if abs(s) < 1e-3:
        return 1.0 / s + s / 3.0 - s * s * s / 45.0
    return 1.0 / np.tanh(s)


@machine_code()
def _tanh(s):  # type: ignore[no-untyped-def]
    return complex(1.0, 0.0) if s.real > 20.0 else np.tanh(s)


@machine_code(fastmath=FAST)
def _backward(opcode, first, child_start, child_count, children, omega, log_omega, values, zr, zi, ar, ai, jr, ji):  # type: ignore[no-untyped-def]
    """Fill ∂Z/∂(ln θ) for scales and times and ∂Z/∂θ for exponents, shapes (p, n); `ar`, `ai` are room to work."""
    n = omega.size
    last = opcode.size - 1
    for i in range(n):
        ar[last, i] = 1.0
        ai[last, i] = 0.0
    for node in range(last, -1, -1):
        code, at = opcode[node], first[node]
        re, im, dr, di = zr[node], zi[node], ar[node], ai[node]
        if code == SERIES:
            for k in range(child_start[node], child_start[node] + child_count[node]):
                child = children[k]
                for i in range(n):
                    ar[child, i] = dr[i]
                    ai[child, i] = di[i]
        elif code == PARALLEL:
            for k in range(child_start[node], child_start[node] + child_count[node]):
                child = children[k]
                cr, ci, tr, ti = zr[child], zi[child], ar[child], ai[child]
                for i in range(n):
                    scale = 1.0 / (cr[i] * cr[i] + ci[i] * ci[i])
                    qr, qi = (re[i] * cr[i] + im[i] * ci[i]) * scale, (im[i] * cr[i] - re[i] * ci[i]) * scale
                    sr, si = qr * qr - qi * qi, 2.0 * qr * qi
                    tr[i] = dr[i] * sr - di[i] * si
                    ti[i] = dr[i] * si + di[i] * sr
        else:
            sign = -1.0 if code in (C, CPE) else 1.0
            pr, pi = jr[at], ji[at]
            for i in range(n):  # every first parameter is a scale: ∂Z/∂ln θ = ± Z
                pr[i] = sign * (dr[i] * re[i] - di[i] * im[i])
                pi[i] = sign * (dr[i] * im[i] + di[i] * re[i])
            if code == CPE:
                vr, vi = jr[at + 1], ji[at + 1]
                for i in range(n):  # ∂Z/∂α = −Z (ln ω + jπ/2)
                    vr[i] = pr[i] * log_omega[i] - pi[i] * HALF_PI
                    vi[i] = pi[i] * log_omega[i] + pr[i] * HALF_PI
            elif code == ZARC:
                log_tau, r, alpha = math.log(values[at + 1]), 1.0 / values[at], values[at + 2]
                ur, ui, vr, vi = jr[at + 1], ji[at + 1], jr[at + 2], ji[at + 2]
                for i in range(n):  # u/(1+u) = 1 − Z/R
                    br, bi = re[i] * r - 1.0, im[i] * r
                    cr_, ci_ = pr[i] * br - pi[i] * bi, pr[i] * bi + pi[i] * br
                    ur[i] = alpha * cr_
                    ui[i] = alpha * ci_
                    vr[i] = cr_ * (log_omega[i] + log_tau) - ci_ * HALF_PI
                    vi[i] = ci_ * (log_omega[i] + log_tau) + cr_ * HALF_PI
            elif code >= WO:
                _rare_derivatives(code, at, omega, log_omega, values, re, im, dr, di, jr, ji)


@machine_code()
def _rare_derivatives(code, at, omega, log_omega, values, re, im, dr, di, jr, ji):  # type: ignore[no-untyped-def]
    """Fill the derivatives by the further parameters of the elements that need complex functions."""
    for i in range(omega.size):
        z, adjoint = complex(re[i], im[i]), complex(dr[i], di[i])
        if code == G:  # ∂Z/∂ln τ = −½ Z (1 − (Z/R)²)
            d = -0.5 * z * (1.0 - (z / values[at]) ** 2) * adjoint
            jr[at + 1, i], ji[at + 1, i] = d.real, d.imag
        elif code == TLMQ:  # s² = R Q (jω)^γ; Z = R coth(s)/s, so ∂Z/∂ln s = R (1 − coth²) − Z
            r, q, gamma = values[at], values[at + 1], values[at + 2]
            size = math.sqrt(r * q * omega[i] ** gamma)
            s = complex(size * math.cos(0.5 * HALF_PI * gamma), size * math.sin(0.5 * HALF_PI * gamma))
            coth = z * s / r
            d = 0.5 * (r * (1.0 - coth * coth) - z) * adjoint
            jr[at, i] += d.real
            ji[at, i] += d.imag
            jr[at + 1, i], ji[at + 1, i] = d.real, d.imag
            d = d * complex(log_omega[i], HALF_PI)
            jr[at + 2, i], ji[at + 2, i] = d.real, d.imag
        else:  # ∂Z/∂ln τ = ½ (R (1 − f²) − Z) with f = coth or tanh = Z s/R
            root = math.sqrt(0.5 * omega[i] * values[at + 1])
            f = z * complex(root, root) / values[at]
            d = 0.5 * (values[at] * (1.0 - f * f) - z) * adjoint
            jr[at + 1, i], ji[at + 1, i] = d.real, d.imag


@machine_code()
def play(opcode, first, child_start, child_count, children, omega, values, is_exponent):  # type: ignore[no-untyped-def]
    """Return impedance, shape (n,), and its derivatives in natural units, shape (p, n)."""
    nodes, n, p = opcode.size, omega.size, values.size
    log_omega = np.log(omega)
    zr, zi, ar, ai = np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n))
    jr, ji = np.empty((p, n)), np.empty((p, n))
    _forward(opcode, first, child_start, child_count, children, omega, log_omega, values, zr, zi)
    _backward(opcode, first, child_start, child_count, children, omega, log_omega, values, zr, zi, ar, ai, jr, ji)
    for k in range(p):
        if not is_exponent[k]:
            jr[k] /= values[k]
            ji[k] /= values[k]
    return zr[nodes - 1] + 1j * zi[nodes - 1], jr + 1j * ji
