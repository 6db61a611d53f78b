"""A clear word when a user's own ``fitting.py`` or ``instruments/`` stands in the way of ours."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from eis.errors import ConfigError


def refuse_namesakes() -> None:
    """Check that ``fitting`` and ``instruments`` are the packages installed beside ``eis``.

    Raises
    ------
    ConfigError
        Naming the file that is found instead.
    """
    home = Path(__file__).parents[1]
    for name in ("fitting", "instruments"):
        found = find_spec(name)
        origin = Path(found.origin) if found and found.origin else None
        if origin != home / name / "__init__.py":
            raise ConfigError(
                f"'import {name}' finds {origin or 'nothing'}, but eis needs {home / name}",
                mend="Rename that file or folder, or run from another folder.",
            )
