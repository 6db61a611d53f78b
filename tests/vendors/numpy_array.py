"""Arrays as `numpy.save` writes them."""

from __future__ import annotations

import io

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

F = FREQUENCY
Z = cell(F)


def saved(array, truth=((F, Z),), resolution=1e-15):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return Written(file.getvalue(), list(truth), resolution, is_text=False)


FILES = {
    "columns.npy": saved(np.column_stack([F, Z.real, Z.imag])),
    "rows_big_endian.npy": saved(np.array([F, Z.real, Z.imag]).astype(">f8")),
    "complex_several.npy": saved(np.array([[F, Z], [F, 2 * Z]]), [(F, Z), (F, 2 * Z)]),
    "single_precision_fortran.npy": saved(
        np.asfortranarray(np.column_stack([F, Z.real, Z.imag]), "f4"), resolution=1e-7
    ),
}
