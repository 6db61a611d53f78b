"""Where the real spectra are that some tests read, if they are here at all."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1].parent / "shared" / "data"


def real_file(name: str) -> Path:
    """Return the path of a real spectrum, or skip the test with the reason."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"the real spectrum {name} is not on this machine")
    return path
