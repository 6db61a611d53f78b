"""Where pyserial finds how to open `instruments.emulated.serialurl`."""
