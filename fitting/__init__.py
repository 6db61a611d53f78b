"""Circuits and their fit: ``fit("R0-p(R1,CPE1)", spectrum)`` returns a `Fit` with its full covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitting.bootstrap import Bootstrap
    from fitting.bulk import Batch, fit_many
    from fitting.circuit import Circuit, parse
    from fitting.cnls import fit
    from fitting.drt_batch import DrtBatch
    from fitting.joint import JointFit, fit_joint
    from fitting.profile import Profile
    from fitting.relaxation import drt
    from fitting.relaxation_bulk import drt_many
    from fitting.selection import compare, select

__all__ = [
    "Batch",
    "Bootstrap",
    "Circuit",
    "DrtBatch",
    "JointFit",
    "Profile",
    "compare",
    "drt",
    "drt_many",
    "fit",
    "fit_joint",
    "fit_many",
    "parse",
    "select",
]

_HOME = {
    "Batch": "fitting.bulk",
    "Bootstrap": "fitting.bootstrap",
    "Circuit": "fitting.circuit",
    "DrtBatch": "fitting.drt_batch",
    "JointFit": "fitting.joint",
    "Profile": "fitting.profile",
    "compare": "fitting.selection",
    "drt": "fitting.relaxation",
    "drt_many": "fitting.relaxation_bulk",
    "fit": "fitting.cnls",
    "fit_joint": "fitting.joint",
    "fit_many": "fitting.bulk",
    "parse": "fitting.circuit",
    "select": "fitting.selection",
}


def __getattr__(name: str) -> Any:
    """Import a front-door name when it is first used, so that a circuit does not cost an optimiser."""
    if name not in _HOME:
        raise AttributeError(f"module 'fitting' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
