"""Emulated instruments: they speak the wire language of real ones and measure a cell whose impedance is known."""
