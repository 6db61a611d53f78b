"""The `eis` command."""

from eis.cli.app import main

__all__ = ["main"]
