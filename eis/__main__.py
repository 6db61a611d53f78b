"""``python -m eis`` is the `eis` command."""

from eis.cli import main

main()
