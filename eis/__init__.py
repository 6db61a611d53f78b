"""Interfacial impedance analysis of solid-state battery cells.

::

    import eis
    from fitting import fit

    spectrum = eis.read("cell_07.mpt")
    fitted = fit("L0-R0-p(R1,CPE1)-p(R2,CPE2)", spectrum)
    arcs = eis.extract(fitted, eis.Cell(area_cm2=1.131, interfaces_in_path=2))
    print(eis.check(arcs, eis.Spec.load("lges-negative-electrode"), reading="asr"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eis.archive import write
    from eis.brick_layer import brick_layer
    from eis.cell_file import load_cell
    from eis.checking import check
    from eis.drt_record import Drt
    from eis.errors import EisError
    from eis.extraction import Conditions, Observation, extract, extract_series
    from eis.folder import open_archive
    from eis.population import population
    from eis.readers import read, read_all
    from eis.results import Assessment, Finding, Fit, Interface, Judgement, Validity, Verdict
    from eis.series import arrhenius, growth, pressure_law, thickness_line
    from eis.spec import Spec
    from eis.spectrum import Cell, Quality, Spectrum
    from eis.validation import validate, validate_many

__all__ = [
    "Assessment",
    "Cell",
    "Conditions",
    "Drt",
    "EisError",
    "Finding",
    "Fit",
    "Interface",
    "Judgement",
    "Observation",
    "Quality",
    "Spec",
    "Spectrum",
    "Validity",
    "Verdict",
    "arrhenius",
    "brick_layer",
    "check",
    "extract",
    "extract_series",
    "growth",
    "load_cell",
    "open_archive",
    "population",
    "pressure_law",
    "read",
    "read_all",
    "thickness_line",
    "validate",
    "validate_many",
    "write",
]

_HOME = {
    "eis.archive": ("write",),
    "eis.checking": ("check",),
    "eis.drt_record": ("Drt",),
    "eis.errors": ("EisError",),
    "eis.brick_layer": ("brick_layer",),
    "eis.extraction": ("Conditions", "Observation", "extract", "extract_series"),
    "eis.cell_file": ("load_cell",),
    "eis.population": ("population",),
    "eis.series": ("arrhenius", "growth", "pressure_law", "thickness_line"),
    "eis.folder": ("open_archive",),
    "eis.readers": ("read", "read_all"),
    "eis.results": ("Assessment", "Finding", "Fit", "Interface", "Judgement", "Validity", "Verdict"),
    "eis.spec": ("Spec",),
    "eis.spectrum": ("Cell", "Quality", "Spectrum"),
    "eis.validation": ("validate", "validate_many"),
}


def __getattr__(name: str) -> Any:
    """Import a front-door name when it is first used: ``import eis`` alone costs nothing."""
    for module, names in _HOME.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module 'eis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
