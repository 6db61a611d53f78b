"""Numbers as people read them: SI prefixes and value ± U, never more digits than the uncertainty allows."""

from __future__ import annotations

import math

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
COVERAGE = 2.0
"""The coverage factor k of every printed ± (95 % for a normal distribution)."""


def format_si(value: float, unit: str, *, digits: int = 4) -> str:
    """Print `value` with an SI prefix, e.g. ``12.5 mΩ``; `unit` may be empty or compound."""
    if not math.isfinite(value):
        return "n/a"
    exponent = _thousands(value)
    return f"{value / 10.0**exponent:.{digits}g} {PREFIXES[exponent]}{unit}".rstrip()


def format_uncertain(value: float, u: float, unit: str, *, k: float = COVERAGE) -> str:
    """Print `value` ± `k`·`u` with the uncertainty to two significant digits, e.g. ``17.68 ± 0.05 Ω``."""
    if not (math.isfinite(value) and math.isfinite(u)) or u <= 0:
        return f"{format_si(value, unit)} ± n/a" if math.isfinite(value) else "n/a"
    exponent = _thousands(max(abs(value), k * u))
    scaled, spread = value / 10.0**exponent, k * u / 10.0**exponent
    places = min(12, max(0, 1 - math.floor(math.log10(spread))))
    return f"{scaled:.{places}f} ± {spread:.{places}f} {PREFIXES[exponent]}{unit}".rstrip()


def format_plain(value: float, u: float, *, k: float = COVERAGE) -> str:
    """Print `value` ± `k`·`u` without a prefix, to the digits of the uncertainty, e.g. ``(1.42 ± 0.64)e-07``."""
    if not (math.isfinite(value) and math.isfinite(u)) or u <= 0:
        return f"{value:.6g} ± n/a" if math.isfinite(value) else "n/a"
    size = max(abs(value), k * u)
    exponent = 0 if 1e-3 <= size < 1e5 else math.floor(math.log10(size))
    scaled, spread = value / 10.0**exponent, k * u / 10.0**exponent
    places = min(12, max(0, 1 - math.floor(math.log10(spread))))
    shown = f"{scaled:.{places}f} ± {spread:.{places}f}"
    return f"({shown})e{exponent:+03d}" if exponent else shown


def significant_digits(value: float, low: float, high: float) -> int:
    """Return how many digits show `value` to a hundredth of the interval around it: 4 at least, 12 at most."""
    width = high - low
    if not (math.isfinite(width) and width > 0 and math.isfinite(value) and value):
        return 4
    return min(12, max(4, 3 + math.floor(math.log10(abs(value))) - math.floor(math.log10(width))))


def unit_text(unit: str) -> str:
    """Return a unit as people write it: ``ohm cm2`` becomes ``Ω·cm²``."""
    text = unit.replace("ohm", "Ω").replace("Ohm", "Ω").replace("cm2", "cm²").replace("cm^2", "cm²")
    return text.replace(" * ", "·").replace("*", "·").replace(" ", "·")


def _thousands(value: float) -> int:
    """Return the power of ten (a multiple of 3 that has a prefix) `value` is best printed in."""
    if value == 0 or not math.isfinite(value):
        return 0
    exponent = 3 * math.floor(math.log10(abs(value) * (1 + 1e-12)) / 3)
    return min(max(exponent, min(PREFIXES)), max(PREFIXES))
