"""Circuits and their fit: ``fit("R0-p(R1,CPE1)", spectrum)`` returns a `Fit` with its full covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitting.circuit import Circuit, parse
    from fitting.cnls import fit

__all__ = ["Circuit", "fit", "parse"]

_HOME = {"Circuit": "fitting.circuit", "parse": "fitting.circuit", "fit": "fitting.cnls"}


def __getattr__(name: str) -> Any:
    """Import a front-door name when it is first used, so that a circuit does not cost an optimiser."""
    if name not in _HOME:
        raise AttributeError(f"module 'fitting' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
