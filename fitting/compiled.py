"""The compiled machine on disk: it is compiled once per machine, and dropped when its source has changed."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

SOURCES = ("engine.py", "machine.py", "rare.py", "hyperbolic.py", "steps.py", "tape.py", "drt_engine.py")
STAMP = "machine.sha256"
WITHOUT = "EIS_WITHOUT_NUMBA"
"""Environment variable that asks for NumPy's engine even where numba is installed."""


def is_ready() -> bool:
    """Tell, without importing numba, whether a fit can begin at once: compiled already, or by NumPy alone."""
    if os.environ.get(WITHOUT) or importlib.util.find_spec("numba") is None:
        return True
    if elsewhere := os.environ.get("NUMBA_CACHE_DIR"):
        return "fitting.engine" in sys.modules or any(Path(elsewhere).rglob("engine.descend-*.nbi"))
    folder = Path(__file__).with_name("__pycache__")
    stamp = folder / STAMP
    compiled = any(folder.glob("engine.descend-*.nbi"))
    return "fitting.engine" in sys.modules or (compiled and stamp.is_file() and stamp.read_text() == _hash())


def prepare() -> None:
    """Compile the machine, or read it from the disk, by fitting one small spectrum."""
    import numpy as np

    from eis.spectrum import Spectrum
    from fitting.cnls import fit

    frequency = np.geomspace(1e4, 1.0, 12)
    fit("R0-p(R1,C1)", Spectrum.of(frequency, 1 + 1 / (1 + 2j * np.pi * frequency * 1e-3)))


def drop_stale(folder: Path) -> None:
    """Remove what was compiled in `folder` from other source.

    numba looks at the date and size of one file alone; a change in the other, or an upgrade whose files bear the
    date of a reproducible build, would go unseen.
    """
    stamp, now = folder / STAMP, _hash()
    with contextlib.suppress(OSError):  # a folder we may not write to holds nothing of ours
        if stamp.is_file() and stamp.read_text() == now:
            return
        folder.mkdir(parents=True, exist_ok=True)
        for source in SOURCES:
            for old in folder.glob(f"{source.removesuffix('.py')}.*.nb[ic]"):
                old.unlink(missing_ok=True)
        stamp.write_text(now)


def _hash() -> str:
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / source).read_bytes() for source in SOURCES)).hexdigest()


if __name__ == "__main__":
    prepare()
