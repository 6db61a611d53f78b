"""What pyserial loads for ``eisim://NAME``."""

from instruments.emulated.serialurl import EmulatedSerial as Serial

__all__ = ["Serial"]
