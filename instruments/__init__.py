"""Instruments: connect to one, describe a sweep, and get points or a whole spectrum.

Importing this looks for no hardware and does not load PyVISA; opening a connection does.
"""

from instruments.connect import connect
from instruments.potentiostat import Potentiostat, Sweep

__all__ = ["Potentiostat", "Sweep", "connect"]
