"""What pyserial loads for ``comeisim://NAME``: what PyVISA-Py makes of ``eisim://NAME`` on Windows."""

from instruments.emulated.serialurl import EmulatedSerial as Serial

__all__ = ["Serial"]
