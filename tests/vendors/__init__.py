"""Files as the programs of many vendors write them, made here from spectra known in closed form.

Each module holds ``FILES``: the files of one reader by name. `tests/test_reader_contract.py` reads, spoils and
re-encodes every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

FREQUENCY = np.geomspace(1e6, 0.1, 29)


def cell(frequency_hz: NDArray[np.float64], scale: float = 1.0) -> NDArray[np.complex128]:
    """Return lead, electrolyte and two arcs (ohm), capacitive Z″ < 0; `scale` makes other cells of it."""
    s = 1j * frequency_hz
    return scale * (2j * np.pi * 1e-7 * frequency_hz + 22 + 15 / (1 + (s / 150e3) ** 0.95) + 18 / (1 + s / 1.2e3))


@dataclass(frozen=True)
class Written:
    """A file, and what a correct reader returns for it.

    Parameters
    ----------
    content : bytes
        The file.
    truth : list of (frequency, z)
        One pair of arrays per spectrum, in the order of the file; frequencies in the order of the rows.
    resolution : float
        Relative resolution of the numbers printed.
    is_text : bool
        Whether line ends and encodings may be changed.
    expected : mapping
        Metadata of the first spectrum that must come back (a key such as ``temperature_c``; ``vendor`` is compared
        as far as it is given).
    """

    content: bytes
    truth: list[tuple[NDArray[np.float64], NDArray[np.complex128]]]
    resolution: float
    is_text: bool = True
    expected: Mapping[str, Any] = field(default_factory=dict)


def modules() -> dict[str, ModuleType]:
    """Return every module of files, by the name of the reader it is for."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    return {name: import_module(f"tests.vendors.{name}") for name in names}


def files() -> dict[str, tuple[str, Written]]:
    """Return every file by its name, with the name of the reader it is for."""
    return {name: (reader, file) for reader, module in modules().items() for name, file in module.FILES.items()}
