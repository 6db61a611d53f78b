"""Where the spectra that come with the package are."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Return the folder of the shipped spectra: ``eis/datasets`` in a wheel, ``datasets`` in a checkout."""
    installed = Path(__file__).with_name("datasets")
    return installed if installed.is_dir() else Path(__file__).parents[1] / "datasets"
