"""What is known of the real spectra that some tests read: first and last point, and the mean modulus."""

import csv

import numpy as np

from eis.spectrum import Spectrum
from tests.real_data import real_file


def assert_as_known(spectrum: Spectrum, name: str) -> None:
    """Compare a spectrum, in the order it was measured, with what is known of the real file, or skip."""
    with real_file("CANONICAL.tsv").open(encoding="utf-8") as file:
        known = next(row for row in csv.DictReader(file, delimiter="\t") if row["path"] == name)
    order = np.argsort(spectrum.columns["acquired_order"])
    f, z = spectrum.all_frequency_hz[order], spectrum.all_z_ohm[order]
    assert f.size == int(known["n"])
    found = [f[0], z[0].real, z[0].imag, f[-1], z[-1].real, z[-1].imag, np.log10(np.abs(z)).mean()]
    names = ["f_first", "re_first", "im_first", "f_last", "re_last", "im_last", "mean_log10_absZ"]
    np.testing.assert_allclose(found, [float(known[one]) for one in names], rtol=1e-12)
