"""How far an impedance may move between two measurements and still be that of the same cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eis.spectrum import RealArray

DRIFT_LIMIT = 0.005
"""Relative change of Z, from the beginning of a sweep to its end, up to which a cell counts as stable."""


def relative_change(first_ohm: ArrayLike, again_ohm: ArrayLike) -> RealArray:
    r"""Return \|ΔZ\|/\|Z\| for impedances that were measured again.

    Parameters
    ----------
    first_ohm, again_ohm : array_like of complex, shape (n,)
        Impedance (ohm), not zero, and what it was later.

    Returns
    -------
    ndarray, shape (n,)
        The change as a fraction of the first.
    """
    first = np.atleast_1d(np.asarray(first_ohm, dtype=np.complex128))
    again = np.atleast_1d(np.asarray(again_ohm, dtype=np.complex128))
    return np.asarray(np.abs(again - first) / np.abs(first))
