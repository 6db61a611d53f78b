"""Your own circuit elements: a function of ω and its parameters becomes a letter in circuit strings.

>>> def pore(omega, r, c):
...     s = np.sqrt(1j * omega * r * c)
...     return r / (s * np.tanh(s))
>>> register(element_from(pore, "Pore", [ElementParameter("ohm", "scale"), ElementParameter("F", "scale")]))
()
>>> parse("R0-Pore1").names
('R0', 'Pore1_0', 'Pore1_1')
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from eis.errors import ConfigError
from eis.spectrum import ComplexArray, RealArray
from fitting.circuit import parse
from fitting.elements import ELEMENTS, Element, ElementParameter

BUILT_IN = frozenset(ELEMENTS)
"""Letters that cannot be replaced: the compiled engine has their formulas."""
STEP, EXPONENT_STEP = 1e-3, 1e-4
"""Steps of the numerical derivatives, in ln θ and in an exponent θ, whose scale is 1/ln ω."""
AGREES = 1e-4
"""How far derivatives may be from the numerical ones, relative to ∂Z/∂ln θ or ∂Z/∂θ, before they are refused."""
CENTRED = np.arange(-2, 3), np.array([1, -8, 0, 8, -1]) / 12
FORWARD = np.arange(5), np.array([-25, 48, -36, 16, -3]) / 12
"""Nodes and weights of the first derivative, of fourth order."""


def element_from(
    function: Callable[..., ComplexArray],
    letter: str,
    parameters: Sequence[ElementParameter],
    *,
    name: str | None = None,
    source: str = "user",
    derivatives: Callable[..., ComplexArray] | None = None,
) -> Element:
    """Return an element made of a plain function; `register` it to use it in circuits.

    Parameters
    ----------
    function : callable
        ``function(omega, *values)``: impedance (ohm), shape (n,), at angular frequencies (rad/s), shape (n,).
    letter : str
        What circuits call it: letters only, e.g. ``Pore`` for ``Pore1``.
    parameters : sequence of ElementParameter
        Unit, kind and limits of each value, in the order `function` takes them.
    name : str, optional
        What people call it; the function's own name if not given.
    source : str
        Where the formula is published.
    derivatives : callable, optional
        ``derivatives(omega, *values)``, shape (k, n). If not given, they are differences of fourth order, good to
        some 1e-10 where `function` is smooth and accurate.
    """
    parameters = tuple(parameters)

    def impedance(omega: RealArray, *values: float) -> ComplexArray:
        return np.asarray(function(omega, *values), dtype=np.complex128)

    def differences(omega: RealArray, *values: float) -> ComplexArray:
        return _differences(impedance, parameters, omega, values)

    shown = getattr(function, "__name__", letter).replace("_", " ")
    return Element(letter, name or shown, parameters, impedance, derivatives or differences, source)


def register(
    element: Element, *, replace: bool = False, example: Sequence[float] | None = None
) -> tuple[str, ...]:
    """Make an element known to circuit strings, after it was tried; return what was noticed, in words.

    A circuit parsed before a replacement keeps the old parameter names: parse it again. Elements live in this
    process; register them again in a worker process.

    Parameters
    ----------
    element : Element
        From `element_from`, or made by hand.
    replace : bool
        Whether an element registered before under the same letter may be replaced. A built-in one never is.
    example : sequence of float, optional
        Values to try it with; 1 for scales and times and 0.8 for exponents, within their limits, if not given.

    Returns
    -------
    tuple of str
        Notes: where the element is not finite, or not passive (a negative real part), over a wide range of values.

    Raises
    ------
    ConfigError
        If the letter is taken or cannot be one, or the function or its derivatives cannot be used.
    """
    _check_letter(element, replace)
    values = _example(element) if example is None else [float(value) for value in example]
    if len(values) != len(element.parameters):
        raise ConfigError(
            f"Element {element.letter} has {len(element.parameters)} parameters and {len(values)} example values",
            mend="Give one value for each parameter.",
        )
    omega = np.geomspace(1e-2, 1e6, 33)
    omega.setflags(write=False)
    _try(element, omega, values)
    notes = _probe(element, values)
    ELEMENTS[element.letter] = element
    parse.cache_clear()
    return notes


def unregister(letter: str) -> None:
    """Forget an element that was registered.

    Raises
    ------
    ConfigError
        If there is none of that letter, or it is built in.
    """
    if letter not in ELEMENTS or letter in BUILT_IN:
        raise ConfigError(
            f"No element {letter!r} was registered", mend="Name one that was; built-in elements always stay."
        )
    del ELEMENTS[letter]
    parse.cache_clear()


def _check_letter(element: Element, replace: bool) -> None:
    letter = element.letter
    if not re.fullmatch(r"[A-Za-z]+", letter) or letter in ("p", "s"):
        raise ConfigError(
            f"{letter!r} cannot be an element's letter",
            mend="Use ASCII letters only, without a number, and neither 'p' nor 's': Pore.",
        )
    if letter in BUILT_IN:
        raise ConfigError(f"{letter!r} is a built-in element", mend="Choose another letter for yours.")
    if letter in ELEMENTS and not replace:
        raise ConfigError(
            f"An element {letter!r} is registered already", mend="Choose another letter, or pass replace=True."
        )
    if not element.parameters:
        raise ConfigError(f"Element {letter} has no parameters", mend="Give it one ElementParameter or more.")
    for i, parameter in enumerate(element.parameters):
        if not 0 <= parameter.lower < parameter.upper or (
            parameter.kind == "exponent" and math.isinf(parameter.upper)
        ):
            raise ConfigError(
                f"Element {letter}: parameter {i} has the limits {parameter.lower:g} and {parameter.upper:g}",
                mend="Give 0 ≤ lower < upper, and an exponent a finite upper limit.",
            )


def _example(element: Element) -> list[float]:
    """Return one value per parameter in the middle of what is usual, within the limits."""
    usual = (0.8 if p.kind == "exponent" else 1.0 for p in element.parameters)
    return [min(max(value, p.lower), p.upper) for value, p in zip(usual, element.parameters, strict=True)]


def _try(element: Element, omega: RealArray, values: Sequence[float]) -> None:
    """Refuse an element whose impedance or derivatives cannot be used at its example values."""
    at = f"at {', '.join(f'{value:g}' for value in values)}"
    z = _called(element, "function", lambda: element.impedance(omega, *values), omega.shape, at)
    rows = (len(values), omega.size)
    exact = _called(element, "derivatives", lambda: element.derivatives(omega, *values), rows, at)
    with np.errstate(all="ignore"):
        numerical = _differences(element.impedance, element.parameters, omega, values)
    size = np.array([1.0 if p.kind == "exponent" else v for p, v in zip(element.parameters, values, strict=True)])
    off = np.abs((exact - numerical) * size[:, None]) > AGREES * (np.abs(numerical * size[:, None]) + np.abs(z))
    if off.any():
        row, point = (int(i[0]) for i in np.nonzero(off))
        raise ConfigError(
            f"Element {element.letter}: its derivative by parameter {row} is {exact[row, point]:.6g} {at} and "
            f"ω = {omega[point]:.4g} rad/s, and the differences of its impedance say {numerical[row, point]:.6g}",
            mend="Correct it (natural units, one row per parameter), or leave derivatives out.",
        )


def _called(
    element: Element, which: str, call: Callable[[], ComplexArray], shape: tuple[int, ...], at: str
) -> ComplexArray:
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(call())
    except Exception as error:
        raise ConfigError(
            f"Element {element.letter}: its {which} failed {at}: {type(error).__name__}: {error}",
            mend="It is called with an array omega (rad/s), not to be changed, and one number per parameter.",
        ) from error
    if found.shape != shape:
        raise ConfigError(
            f"Element {element.letter}: its {which} returned shape {found.shape}, expected {shape}",
            mend="Return one value per angular frequency, as np.full(omega.shape, r) for a resistor"
            + ("." if which == "function" else ", and one row per parameter."),
        )
    if not np.all(np.isfinite(found)):
        raise ConfigError(
            f"Element {element.letter}: its {which} returned a value that is not finite {at}",
            mend="Guard it against overflow and division by zero, or pass example= with values it is meant for.",
        )
    return found


def _probe(element: Element, middle: Sequence[float]) -> tuple[str, ...]:
    """Say where the element is not finite or not passive: three decades about its example, all exponents."""
    rng = np.random.default_rng(11)
    omega = np.geomspace(1e-3, 1e7, 41)
    broken, active = "", ""
    for _ in range(30):
        values = [_draw(p, value, rng) for p, value in zip(element.parameters, middle, strict=True)]
        at = f"for example at {', '.join(f'{value:.3g}' for value in values)}"
        try:
            with np.errstate(all="ignore"):
                z = element.impedance(omega, *values)
        except (ArithmeticError, ValueError) as error:
            broken = broken or f"{element.letter} fails {at}: {error}."
            continue
        if not np.all(np.isfinite(z)):
            broken = broken or f"{element.letter} is not finite over all frequencies, {at}."
        elif np.any(z.real < -1e-9 * np.abs(z)):
            active = active or f"{element.letter} is not passive: its real part is negative, {at}."
    return tuple(note for note in (broken, active) if note)


def _draw(parameter: ElementParameter, middle: float, rng: np.random.Generator) -> float:
    if parameter.kind == "exponent":
        value = rng.uniform(max(parameter.lower, 0.3), max(parameter.upper, 0.3))
    else:
        value = middle * 10 ** rng.uniform(-3, 3)
    return float(min(max(value, parameter.lower), parameter.upper))


def _differences(
    impedance: Callable[..., ComplexArray],
    parameters: Sequence[ElementParameter],
    omega: RealArray,
    values: Sequence[float],
) -> ComplexArray:
    """Return numerical derivatives in natural units, shape (k, n); one-sided where a limit is near."""
    rows = np.empty((len(values), omega.size), dtype=np.complex128)
    for i, (parameter, value) in enumerate(zip(parameters, values, strict=True)):
        by_log = parameter.kind != "exponent"
        if by_log and value <= 0:
            rows[i] = math.nan  # a scale of zero has no logarithm, and no fit walks it
            continue
        low, high = parameter.lower, parameter.upper
        if by_log:
            low, high = (math.log(end) if end > 0 else -math.inf for end in (low, high))
        t = math.log(value) if by_log else value
        step = min(STEP if by_log else EXPONENT_STEP, (high - low) / 8)
        nodes, weights = CENTRED
        if t - 2 * step < low:
            nodes, weights = FORWARD
        elif t + 2 * step > high:
            nodes, weights = -FORWARD[0], -FORWARD[1]
        total = np.zeros(omega.size, dtype=np.complex128)
        for node, weight in zip(nodes, weights, strict=True):
            moved = math.exp(t + node * step) if by_log else t + node * step
            if weight:
                total += weight * impedance(omega, *values[:i], moved, *values[i + 1 :])
        rows[i] = total / step / (value if by_log else 1.0)
    return rows
