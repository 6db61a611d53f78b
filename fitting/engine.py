"""The compiled least-squares core: Levenberg–Marquardt with limits, one circuit over many spectra.

Parameters are walked as ln θ (scales and times) or θ (exponents). Each step solves the damped normal equations of
the parameters that are free to move, is capped so that no scale changes by more than e² at once, and is kept if χ²
falls (Nielsen's rule for the damping). All room to work is made once per call.

K. Madsen, H. B. Nielsen, O. Tingleff, Methods for non-linear least squares problems, 2nd ed., IMM DTU (2004).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fitting.compiled import drop_stale
from fitting.machine import FAST, _backward, _forward, play
from fitting.rare import machine_code
from fitting.steps import (
    BLURRED,
    CAP_EXPONENT,
    CAP_LOG,
    FLAT,
    LEAST_DAMPING,
    MAX_STEPS,
    MOST_TURNS,
    RIDGE,
    ROUNDING,
    SHRINK,
    STUCK,
)


@machine_code(fastmath=FAST)
def _normal_equations(zr, zi, data_r, data_i, weight_r, weight_i, jr, ji, free, rows, residual, matrix, gradient):  # type: ignore[no-untyped-def]
    """Fill JᵀJ and Jᵀr of the weighted residuals and return χ² = rᵀr."""
    n = data_r.size
    k = free.size
    chi2 = 0.0
    for i in range(n):
        residual[i] = (zr[i] - data_r[i]) * weight_r[i]
        residual[n + i] = (zi[i] - data_i[i]) * weight_i[i]
    for i in range(2 * n):
        chi2 += residual[i] * residual[i]
    for a in range(k):  # two indices rather than views of rows: a view costs a reference count
        at = free[a]
        for i in range(n):
            rows[a, i] = jr[at, i] * weight_r[i]
        for i in range(n):
            rows[a, n + i] = ji[at, i] * weight_i[i]
    for a in range(k):
        total = 0.0
        for i in range(2 * n):
            total += rows[a, i] * residual[i]
        gradient[a] = total
        b = 0
        while b + 3 <= a:  # four products at a time: each number of row a is fetched once
            total_0, total_1, total_2, total_3 = 0.0, 0.0, 0.0, 0.0
            for i in range(2 * n):
                total_0 += rows[a, i] * rows[b, i]
                total_1 += rows[a, i] * rows[b + 1, i]
                total_2 += rows[a, i] * rows[b + 2, i]
                total_3 += rows[a, i] * rows[b + 3, i]
            matrix[a, b], matrix[a, b + 1], matrix[a, b + 2], matrix[a, b + 3] = total_0, total_1, total_2, total_3
            b += 4
        while b <= a:
            total = 0.0
            for i in range(2 * n):
                total += rows[a, i] * rows[b, i]
            matrix[a, b] = total
            b += 1
    for a in range(k):
        for b in range(a):
            matrix[b, a] = matrix[a, b]
    return chi2


@machine_code()
def _solve(matrix, damping, scale, gradient, moving, factor, step):  # type: ignore[no-untyped-def]
    """Solve (JᵀJ + damping · diag(scale)) step = −Jᵀr for the moving parameters by Cholesky; tell if it worked."""
    k = gradient.size
    for a in range(k):
        for b in range(a + 1):
            value = matrix[a, b] if moving[a] and moving[b] else 0.0
            if a == b:
                value = value + damping * scale[a] if moving[a] else 1.0
            for c in range(b):
                value -= factor[a, c] * factor[b, c]
            if a == b:
                if not value > 0.0:
                    return False
                factor[a, a] = np.sqrt(value)
            else:
                factor[a, b] = value / factor[b, b]
    for a in range(k):
        value = -gradient[a] if moving[a] else 0.0
        for c in range(a):
            value -= factor[a, c] * step[c]
        step[a] = value / factor[a, a]
    for a in range(k - 1, -1, -1):
        value = step[a]
        for c in range(a + 1, k):
            value -= factor[c, a] * step[c]
        step[a] = value / factor[a, a]
    return True


@machine_code()
def _spread(factor, moving, out):  # type: ignore[no-untyped-def]
    """Fill the square roots of the diagonal of (L Lᵀ)⁻¹, L being the Cholesky factor."""
    k = out.size
    column = np.empty(k)
    for a in range(k):
        total = 0.0
        for b in range(a, k):
            value = 1.0 if b == a else 0.0
            for c in range(a, b):
                value -= factor[b, c] * column[c]
            column[b] = value / factor[b, b]
            total += column[b] * column[b]
        out[a] = np.sqrt(total) if moving[a] else np.nan


@machine_code()
def _natural(walked, is_log, free, values):  # type: ignore[no-untyped-def]
    """Write the walked free parameters into `values` in natural units."""
    for a in range(free.size):
        values[free[a]] = np.exp(walked[a]) if is_log[free[a]] else walked[a]


@machine_code(nogil=True)
def descend(  # type: ignore[no-untyped-def]
    opcode, first, second, direct, child_start, child_count, children,
    omega, data_r, data_i, weight_r, weight_i,
    is_log, free, start, low, high, first_damping,
    out_values, out_u, out_chi2, out_state, out_steps, out_correlation,
):  # fmt: skip
    """Walk every spectrum down from its start.

    Parameters
    ----------
    opcode, first, second, direct, child_start, child_count, children
        The tape.
    omega : ndarray, shape (n,)
        Angular frequency (rad/s).
    data_r, data_i, weight_r, weight_i : ndarray, shape (spectra, n)
        Z′, Z″ (ohm) and the weights 1/σ of both.
    is_log : ndarray of bool, shape (p,)
        Which parameters are walked by their logarithm.
    free : ndarray of int, shape (k,)
        Which parameters are fitted.
    start, low, high : ndarray, shape (spectra, p)
        Starts, and walked limits, of all parameters; starts in natural units.
    first_damping : float
        Damping of the first step, relative to the diagonal of JᵀJ: `fitting.steps.USUAL_DAMPING`, or more to stay
        near the start.
    out_values, out_u, out_chi2, out_state, out_steps, out_correlation : ndarray
        Filled: values and standard uncertainties of the walked parameters for unit variance (NaN where there is
        none), both (spectra, p); χ²; 1 arrived, 0 ran out of steps, −1 no finite start; evaluations; correlation
        of neighbouring residuals, the larger of both parts.
    """
    spectra, n = data_r.shape
    p, k, nodes = is_log.size, free.size, opcode.size
    log_omega = np.log(omega)
    zr, zi, ar, ai = np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n)), np.empty((nodes, n))
    jr, ji, rows, residual = np.zeros((p, n)), np.zeros((p, n)), np.empty((k, 2 * n)), np.empty(2 * n)
    matrix, trial_matrix, factor = np.empty((k, k)), np.empty((k, k)), np.zeros((k, k))
    gradient, trial_gradient, step, scale = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    t, trial, low_t, high_t = np.empty(k), np.empty(k), np.empty(k), np.empty(k)
    moving = np.empty(k, dtype=np.bool_)
    for s in range(spectra):
        out_u[s, :] = np.nan
        nothing = 0.0
        for i in range(n):
            nothing += (data_r[s, i] * weight_r[s, i]) ** 2 + (data_i[s, i] * weight_i[s, i]) ** 2
        nothing *= ROUNDING
        values = out_values[s]
        values[:] = start[s]
        for a in range(k):
            at = free[a]
            low_t[a], high_t[a] = low[s, at], high[s, at]
            t[a] = min(max(np.log(start[s, at]) if is_log[at] else start[s, at], low_t[a]), high_t[a])
        _natural(t, is_log, free, values)
        _forward(
            opcode, first, second, child_start, child_count, children, omega, log_omega, values, zr, zi, jr, ji
        )
        _backward(
            opcode, first, second, direct, child_start, child_count, children, omega, log_omega, values, zr, zi,
            ar, ai, jr, ji,
        )  # fmt: skip
        chi2 = _normal_equations(
            zr[nodes - 1], zi[nodes - 1], data_r[s], data_i[s], weight_r[s], weight_i[s], jr, ji, free, rows,
            residual, matrix, gradient,
        )  # fmt: skip
        steps, state = 1, 0
        if not np.isfinite(chi2):
            out_chi2[s], out_state[s], out_steps[s], out_correlation[s] = np.inf, -1, 1, 1.0
            continue
        for a in range(k):
            scale[a] = max(matrix[a, a], 1e-300)
        damping, raise_by = first_damping, 2.0
        turns = 0
        while steps < MAX_STEPS and turns < MOST_TURNS:
            turns += 1
            if chi2 <= nothing:
                state = 1
                break
            for a in range(k):
                at_low = t[a] <= low_t[a] and gradient[a] > 0.0
                at_high = t[a] >= high_t[a] and gradient[a] < 0.0
                moving[a] = not (at_low or at_high)
            if not _solve(matrix, damping, scale, gradient, moving, factor, step):
                damping *= 10.0
                if damping > STUCK:
                    break
                continue
            shorten = 1.0
            for a in range(k):
                cap = CAP_LOG if is_log[free[a]] else CAP_EXPONENT
                if abs(step[a]) * shorten > cap:
                    shorten = cap / abs(step[a])
            for a in range(k):
                trial[a] = min(max(t[a] + shorten * step[a], low_t[a]), high_t[a])
                step[a] = trial[a] - t[a]
            expected = 0.0
            for a in range(k):
                curved = 0.0
                for b in range(k):
                    curved += matrix[a, b] * step[b]
                expected -= step[a] * (2.0 * gradient[a] + curved)
            if expected <= FLAT * chi2:
                slope = 0.0
                for a in range(k):
                    if moving[a]:
                        slope += gradient[a] * gradient[a] / scale[a]
                if slope <= FLAT * chi2 or (expected > 0.0 and damping <= 1.0 and shorten == 1.0):
                    state = 1
                    break
                damping *= raise_by
                raise_by *= 2.0
                if damping > STUCK:
                    break
                continue
            _natural(trial, is_log, free, values)
            _forward(
                opcode, first, second, child_start, child_count, children, omega, log_omega, values, zr, zi, jr, ji
            )
            _backward(
                opcode, first, second, direct, child_start, child_count, children, omega, log_omega, values,
                zr, zi, ar, ai, jr, ji,
            )  # fmt: skip
            trial_chi2 = _normal_equations(
                zr[nodes - 1], zi[nodes - 1], data_r[s], data_i[s], weight_r[s], weight_i[s], jr, ji, free, rows,
                residual, trial_matrix, trial_gradient,
            )  # fmt: skip
            steps += 1
            if trial_chi2 < chi2:
                gain = (chi2 - trial_chi2) / expected
                fell = chi2 - trial_chi2
                chi2 = trial_chi2
                t[:] = trial
                matrix[:] = trial_matrix
                gradient[:] = trial_gradient
                for a in range(k):
                    scale[a] = max(scale[a], matrix[a, a])
                damping = max(damping * max(SHRINK, 1.0 - (2.0 * gain - 1.0) ** 3), LEAST_DAMPING)
                raise_by = 2.0
                if fell <= FLAT * chi2 and expected <= 10.0 * FLAT * chi2:
                    state = 1
                    break
            else:
                damping *= raise_by
                raise_by *= 2.0
                if damping > STUCK:
                    state = 1 if expected <= 1e-6 * chi2 else 0
                    break
        _natural(t, is_log, free, values)
        _forward(
            opcode, first, second, child_start, child_count, children, omega, log_omega, values, zr, zi, jr, ji
        )
        out_chi2[s], out_state[s], out_steps[s] = chi2, state, steps
        for a in range(k):
            moving[a] = low_t[a] < t[a] < high_t[a]
            scale[a] = matrix[a, a]
        if _solve(matrix, RIDGE, scale, gradient, moving, factor, step):
            _spread(factor, moving, step)
            for a in range(k):
                if moving[a] and step[a] * np.sqrt(matrix[a, a]) < BLURRED:
                    out_u[s, free[a]] = step[a]
        out_correlation[s] = _correlation(
            zr[nodes - 1], zi[nodes - 1], data_r[s], data_i[s], weight_r[s], weight_i[s]
        )


@machine_code(fastmath=FAST)
def _correlation(zr, zi, data_r, data_i, weight_r, weight_i):  # type: ignore[no-untyped-def]
    """Return the correlation of neighbouring residuals, the larger of real and imaginary parts."""
    n = data_r.size
    sum_r, sum_i, next_r, next_i = 1e-300, 1e-300, 0.0, 0.0
    for i in range(n):
        a, b = (zr[i] - data_r[i]) * weight_r[i], (zi[i] - data_i[i]) * weight_i[i]
        sum_r += a * a
        sum_i += b * b
    for i in range(n - 1):
        next_r += (zr[i] - data_r[i]) * weight_r[i] * (zr[i + 1] - data_r[i + 1]) * weight_r[i + 1]
        next_i += (zi[i] - data_i[i]) * weight_i[i] * (zi[i + 1] - data_i[i + 1]) * weight_i[i + 1]
    return max(next_r / sum_r, next_i / sum_i)


__all__ = ["descend", "play"]

drop_stale(Path(str(descend.stats.cache_path)))
